"""A wire that can be read off: counts what goes by, and can be long."""

import asyncio
import dataclasses
import threading


@dataclasses.dataclass
class Counted:
    connections: int = 0
    sent: int = 0
    received: int = 0
    # How often the client spoke after the server did, or at the beginning. Of a pipeline that is full both ways these are
    # more than somebody waited for; the time that a slow wire costs tells how many were waited for.
    turns: int = 0


class Proxy:
    """To a port of this machine. `delay` is what each direction is late by, in seconds; making a connection costs two."""

    def __init__(self, target, delay=0.0):
        self.target = target
        self.delay = delay
        self.counted = Counted()
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait()

    def forget(self):
        self.counted = Counted()

    def _run(self, ready):
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)

        async def begin():
            server = await asyncio.start_server(self._connect, "127.0.0.1", 0, limit=1 << 20)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()

        loop.run_until_complete(begin())
        loop.run_forever()

    async def _connect(self, client_reader, client_writer):
        self.counted.connections += 1
        await asyncio.sleep(2 * self.delay)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target, limit=1 << 20)
        last = [None]
        await asyncio.gather(self._carry(client_reader, writer, "sent", last),
                             self._carry(reader, client_writer, "received", last))

    async def _carry(self, reader, writer, direction, last):
        loop, late = asyncio.get_running_loop(), asyncio.Queue()

        async def hand_over():
            while True:
                due, data = await late.get()
                wait = due - loop.time()
                if wait > 0:
                    await asyncio.sleep(wait)
                if data is None:
                    writer.close()
                    return
                writer.write(data)
                await writer.drain()

        task = asyncio.create_task(hand_over())
        while True:
            try:
                data = await reader.read(1 << 18)
            except OSError:
                data = b""
            if not data:
                break
            counted = self.counted
            setattr(counted, direction, getattr(counted, direction) + len(data))
            if direction == "sent" and last[0] != "sent":
                counted.turns += 1
            last[0] = direction
            late.put_nowait((loop.time() + self.delay, data))
        late.put_nowait((loop.time() + self.delay, None))
        try:
            await task
        except OSError:
            pass
