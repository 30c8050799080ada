#!/usr/bin/env python3
"""Measures Liaison beside mbsync and vdirsyncer on the same mailbox, in one run, and writes RESULTS.md.

What is compared runs in turns, three times, and counts with its median. Times are taken without the proxy; what goes over
the wire is counted with it, in a run of its own. `make bench-mailbox` runs this; see README.md beside it.
"""

import argparse
import datetime
import imaplib
import json
import math
import os
import pathlib
import platform
import shutil
import smtplib
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

import clients
import generate
import measure
from proxy import Proxy
from servers import PASSWORD, Dovecot, Organisation, Radicale, hand_over

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

MAIL = {"u100k": 100_000, "u20k": 20_000, "u2k": 2_000}
DAV = {"contacts": 10_000, "calendar": 10_000, "tasks": 2_000}
REPEATS = 3
BLOCKS, ROUNDS = 7, 200
# What goes on with what others left there.
NEEDS = {"changes": ["first_look", "counted_first_look"]}
# Each way: 50 ms there and back.
LATE = 0.025


class Table:
    def __init__(self):
        self.rows = []
        self.notes = []

    def row(self, what, found, limit="", good=None):
        verdict = "" if good is None else ("pass" if good else "**MISSED**")
        self.rows.append((what, found, limit, verdict))
        print(f"{what}: {found}  [{limit}] {verdict}", flush=True)

    def text(self):
        lines = ["| what | measured | limit | |", "|---|---|---|---|"]
        return "\n".join(lines + [f"| {' | '.join(row)} |" for row in self.rows])


def costs(cost):
    return f"{cost.wall:.2f} s, CPU {cost.cpu:.2f} s, {cost.peak:.0f} MB"


class Bench:
    def __init__(self, wanted):
        self.dir = wanted.dir
        self.work = (wanted.work or wanted.dir) / "work"
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.liaison, self.bench = wanted.liaison, wanted.bench
        self.log = self.work / "log"
        self.table = Table()
        self.number = 0
        self.proxies = {}

        self.dovecot = Dovecot(self.dir / "dovecot", self.dir / "mail")
        self.organisations = []
        self.vdirsyncer = wanted.python.parent / "vdirsyncer"
        self.radicale = Radicale(self.dir / "radicale", self.dir / "dav", wanted.python)

    def stop(self):
        for server in [self.dovecot, self.radicale, *self.organisations]:
            server.stop()

    def fresh(self, name):
        self.number += 1
        folder = self.work / f"{self.number}-{name}"
        folder.mkdir()
        return folder

    def proxy(self, port):
        if port not in self.proxies:
            self.proxies[port] = Proxy(port)
        return self.proxies[port]

    # Clients

    def config(self, name, **parts):
        """With an organisation of its own: of two installations that sync with one, the second would stand by."""
        folder = self.fresh(f"config-{name}")
        organisation = Organisation(folder / "organisation", self.liaison)
        self.organisations.append(organisation)
        return clients.liaison(folder / "config.toml", organisation, **parts)

    def anew(self, config):
        """No state yet. It is at the same place each time, so that it is the same installation to the organisation."""
        state = config.parent / "state"
        shutil.rmtree(state, ignore_errors=True)
        return state

    def engine(self, config, state):
        return measure.Engine(self.bench, config, state, self.log)

    def once(self, config, state, classes="email"):
        """A process that does one round."""
        engine = self.engine(config, state)
        said = engine.sync(classes)
        return engine.end(), said

    def approve(self, config, state):
        words = [self.liaison, "--config", config, "--state", state, "approve", "--all"]
        subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)

    def settled(self, config, state, classes="email"):
        """A state in which nothing is left to do."""
        cost, said = self.once(config, state, classes)
        self.approve(config, state)
        filing, filed = self.once(config, state, classes)
        if self.once(config, state, classes)[1]["operations"]:
            sys.exit("Liaison does not come to rest")
        return cost, said, filing, filed

    def copy_by_mbsync(self, config):
        return measure.run(["mbsync", "-c", config, "-a"], self.log)

    def restore(self, user):
        """Takes out what earlier runs put in: messages of a time to come."""
        client = self.imap(user)
        for name in [name.replace(".", "/") for name in generate.FOLDERS] + ["INBOX"]:
            client.select(name)
            found = client.uid("SEARCH", "SENTSINCE", "1-Jan-2030")[1][0].split()
            if found:
                client.uid("STORE", b",".join(found).decode(), "+FLAGS.SILENT", "(\\Deleted)")
                client.expunge()
        client.logout()

    def imap(self, user):
        client = imaplib.IMAP4("127.0.0.1", self.dovecot.port)
        client.login(user, PASSWORD)
        return client

    def raw(self, user):
        database = self.fresh("raw") / "raw.db"
        return measure.run([self.bench, "raw", self.dovecot.port, user, PASSWORD, database], self.log)

    # Workloads

    def first_look(self):
        table, user = self.table, "u20k"
        config = self.config("first", mail=(self.dovecot.port, user, None))
        self.restore(user)
        # The server indexes its files, and keeps the headers that it was asked for; mbsync asks for no others.
        self.raw(user)
        found = {"liaison": [], "mbsync": [], "lean": [], "raw": []}
        for repeat in range(REPEATS):
            state = self.anew(config)
            cost, said = self.once(config, state)
            found["liaison"].append(cost)
            found["raw"].append(self.raw(user))
            for name, lean in (("mbsync", False), ("lean", True)):
                # It waits for the disk for minutes: once will do for what is ten times as fast.
                if name == "mbsync" and repeat:
                    continue
                folder = self.fresh(name)
                path = clients.mbsync(folder / "mbsyncrc", self.dovecot.port, user, folder / "Mail", lean)
                found[name].append(self.copy_by_mbsync(path))
                if name == "mbsync":
                    self.near = folder
                else:
                    shutil.rmtree(folder)
        self.state, self.plain = state, config
        all_of = {name: measure.median(list_) for name, list_ in found.items()}
        mine = all_of["liaison"]
        for name, what in (("liaison", "Liaison: first look at 20,000 messages, to the plan"),
                           ("raw", "raw pipelined FETCH of the same headers + insert"),
                           ("mbsync", "mbsync, defaults: full copy"),
                           ("lean", "mbsync, FSync off and no compression: full copy")):
            table.row(what, costs(all_of[name]))
        table.row("first look / mbsync (defaults)", f"{all_of['mbsync'].wall / mine.wall:.1f} × faster", "≥ 10",
                  all_of["mbsync"].wall >= 10 * mine.wall)
        table.row("first look / mbsync (defaults), CPU", f"{mine.cpu / all_of['mbsync'].cpu:.2f}", "≤ 1/3",
                  mine.cpu <= all_of["mbsync"].cpu / 3)
        table.row("first look / mbsync (lean)", f"{all_of['lean'].wall / mine.wall:.1f} × faster, "
                  f"CPU {mine.cpu / all_of['lean'].cpu:.2f}")
        table.row("first look / raw", f"{mine.wall / all_of['raw'].wall:.2f}, CPU {mine.cpu / all_of['raw'].cpu:.2f}",
                  "≤ 2", mine.wall <= 2 * all_of["raw"].wall)
        self.approve(config, self.state)
        filing, filed = self.once(config, self.state)
        table.row("then, approved: the 1,000 tracked read whole and filed in the organisation",
                  f"{costs(filing)}; {filed['operations']} filed")
        self.once(config, self.state)

    def counted_first_look(self):
        proxy = self.proxy(self.dovecot.port)
        config = self.config("counted", mail=(proxy.port, "u20k", None))
        state = self.anew(config)
        proxy.forget()
        self.once(config, state)
        counted = proxy.counted
        self.table.row("first look at 20,000 on the wire",
                       f"{counted.turns} turns, {(counted.sent + counted.received) / 1e6:.1f} MB")
        self.counted, self.counted_state = config, state
        self.approve(config, state)
        self.once(config, state)
        self.once(config, state)
        other = self.config("late", mail=(proxy.port, "u20k", None))
        proxy.delay = LATE
        slow, _ = self.once(other, self.anew(other))
        proxy.delay = 0
        self.table.row("first look at 20,000, 50 ms", f"{slow.wall:.2f} s")
        folder = self.fresh("mbsync")
        proxy.forget()
        # What goes over the wire does not hang on the disk.
        self.copy_by_mbsync(clients.mbsync(folder / "mbsyncrc", proxy.port, "u20k", folder / "Mail", lean="disk"))
        counted = proxy.counted
        shutil.rmtree(folder)
        self.table.row("mbsync's full copy on the wire",
                       f"{counted.turns} turns, {(counted.sent + counted.received) / 1e6:.1f} MB")

    def quiet(self):
        table = self.table
        proxy = self.proxy(self.dovecot.port)
        per_user = {}
        for user in ("u2k", "u100k"):
            config = self.config("quiet", mail=(proxy.port, user, None))
            state = self.anew(config)
            self.settled(config, state)
            new = [self.once(config, state)[0] for _ in range(7)]
            engine = self.engine(config, state)
            engine.sync("email")
            proxy.forget()
            engine.sync("email")
            counted = proxy.counted
            engine.end()
            per_user[user] = (measure.median(new), config, state)
            size = f"{MAIL[user]:,}"
            table.row(f"no changes, open connection, {size}", f"{counted.turns} turns, {counted.sent + counted.received} B",
                      "1 turn, ≤ 4 KB", counted.turns == 1 and counted.sent + counted.received <= 4096)
            proxy.forget()
            self.once(config, state)
            counted = proxy.counted
            table.row(f"no changes, new connection, {size}",
                      f"{counted.turns} turns, {counted.sent + counted.received} B; {costs(measure.median(new))}",
                      "≤ 6 turns", counted.turns <= 6)
            proxy.delay = LATE
            slow = statistics.median(self.once(config, state)[0].wall for _ in range(REPEATS))
            proxy.delay = 0
            table.row(f"no changes, new connection, {size}, 50 ms",
                      f"{slow:.2f} s, of which waiting for the wire {(slow - per_user[user][0].wall) * 20:.1f} × 50 ms "
                      "(with the making of the connection)")
        small, large = per_user["u2k"], per_user["u100k"]
        ratio = large[0].cpu / small[0].cpu
        table.row("no changes, new process, CPU at 100,000 / at 2,000", f"{ratio:.2f}", "≤ 1.3", ratio <= 1.3)
        small, large = self.open_rounds([small[1:], large[1:]])
        for size, (cpu, wall) in ((MAIL["u2k"], small), (MAIL["u100k"], large)):
            table.row(f"no changes, open connection, {size:,}", f"{wall * 1000:.1f} ms, CPU {cpu * 1000:.2f} ms a round")
        ratio = large[0] / small[0]
        table.row("no changes, open connection, CPU at 100,000 / at 2,000", f"{ratio:.2f}", "≤ 1.3", ratio <= 1.3)
        tls = self.proxy(self.dovecot.imaps)
        config = self.config("tls", mail=(tls.port, "u2k", self.dovecot.ca))
        state = self.anew(config)
        self.settled(config, state)
        tls.forget()
        self.once(config, state)
        counted = tls.counted
        table.row("no changes, new connection, 2,000, TLS", f"{counted.turns} turns, {counted.sent + counted.received} B",
                  "≤ 8 turns", counted.turns <= 8)

    def open_rounds(self, states):
        """What a round without changes costs on a connection that stays open: processor time and time, of the median of
        blocks of many rounds, since the clock is coarse; in turns, since the machine is not always as fast."""
        engines = [self.engine(config, state) for config, state in states]
        found = [[] for _ in engines]
        for block in range(1 + BLOCKS):
            for engine, blocks in zip(engines, found):
                before, started = engine.cpu(), time.monotonic()
                engine.sync("email", str(ROUNDS))
                # The first block also signs in.
                if block:
                    blocks.append(((engine.cpu() - before) / ROUNDS, (time.monotonic() - started) / ROUNDS))
        for engine in engines:
            engine.end()
        return [tuple(statistics.median(part) for part in zip(*blocks)) for blocks in found]

    def memory(self):
        config = self.config("memory", mail=(self.dovecot.port, "u100k", None))
        self.raw("u100k")
        looks = [self.once(config, self.anew(config))[0] for _ in range(REPEATS)]
        cost = measure.median(looks)
        self.table.row("first look at 100,000 messages", costs(cost), "≤ 60 MB", max(look.peak for look in looks) <= 60)

    def change(self, user, round_number):
        """One new message in a hundred, and as many flags, all over the folders."""
        client = self.imap(user)
        total, messages = MAIL[user] // 100, generate.Messages(1000 + round_number)
        shares = dict(generate.FOLDERS)
        shares[""] = 100 - sum(shares.values())
        number = 0
        for name, share in shares.items():
            folder = name.replace(".", "/") or "INBOX"
            count = total * share // 100
            client.select(folder)
            for _ in range(count):
                number += 1
                text = messages.message(200_000 + round_number * 10_000 + number)
                flags = "($CrmTracked)" if number % generate.TRACKED_EVERY == 0 else "(\\Seen)"
                client.append(folder, flags, imaplib.Time2Internaldate(time.time()), text.replace(b"\n", b"\r\n"))
            if count:
                flagged = f"{round_number * count + 1}:{(round_number + 1) * count}"
                client.store(flagged, "+FLAGS.SILENT", "(\\Flagged)")
            client.noop()
            client.fetch("1:*", "(UID)")
        client.logout()
        # As with the first look: what the server does when it first reads a message is nobody's merit.
        self.raw(user)

    def changes(self):
        table, user = self.table, "u20k"
        proxy = self.proxy(self.dovecot.port)
        plain = clients.mbsync(self.near / "mbsyncrc", self.dovecot.port, user, self.near / "Mail")
        proxied = clients.mbsync(self.near / "proxied", proxy.port, user, self.near / "Mail")
        mine, peers, turns, seconds = [], [], [], []
        for number in range(REPEATS):
            self.change(user, number)
            order = [lambda: mine.append(self.once(self.plain, self.state)[0]),
                     lambda: peers.append(self.copy_by_mbsync(plain))]
            for one in order if number % 2 else reversed(order):
                one()
            proxy.forget()
            self.once(self.counted, self.counted_state)
            turns.append(proxy.counted)
        cost, peer = measure.median(mine), measure.median(peers)
        counted = turns[-1]
        table.row("1 % new, 1 % flags at 20,000: Liaison", f"{costs(cost)}; {counted.turns} turns, "
                  f"{(counted.sent + counted.received) / 1e3:.0f} KB; with the filing of one new message in twenty")
        table.row("1 % new, 1 % flags at 20,000: mbsync, defaults", costs(peer))
        table.row("1 % new, 1 % flags: Liaison / mbsync", f"{cost.wall / peer.wall:.2f}, CPU {cost.cpu / peer.cpu:.2f}", "≤ 1",
                  cost.wall <= peer.wall)
        self.change(user, REPEATS)
        near = self.sign_in(proxy.port, user)
        proxy.delay = LATE
        connection = self.sign_in(proxy.port, user) - near
        proxy.forget()
        slow, _ = self.once(self.counted, self.counted_state)
        turns = proxy.counted.turns
        waited = (slow.wall - cost.wall - connection) / (2 * LATE)
        proxy.forget()
        slow_peer = self.copy_by_mbsync(proxied)
        proxy.delay = 0
        self.once(self.plain, self.state)
        table.row("1 % new, 1 % flags, 50 ms", f"{slow.wall:.2f} s, {turns} turns with those of the sign-in; by the clock {waited:.1f} × 50 ms, "
                  f"beside {connection / (2 * LATE):.1f} × 50 ms for making the connection; mbsync {slow_peer.wall:.2f} s, "
                  f"{proxy.counted.turns} turns, {(proxy.counted.sent + proxy.counted.received) / 1e3:.0f} KB",
                  "≤ 8 turns", turns <= 8)

    def sign_in(self, port, user):
        """How long the making of a connection takes: until the server lets the user in."""
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", port)) as connection:
            lines = connection.makefile("rb")
            lines.readline()
            connection.sendall(f"a LOGIN {user} {PASSWORD}\r\n".encode())
            while not lines.readline().startswith(b"a "):
                pass
        return time.monotonic() - started

    def dav(self):
        table = self.table
        proxy = self.proxy(self.radicale.port)
        classes = "contact,appointment,task"
        self.warm_radicale()
        config = self.config("dav", dav=self.radicale.port)
        mine, peers, near = [], [], None
        for _ in range(REPEATS):
            mine.append(self.once(config, self.anew(config), classes)[0])
            near = self.fresh("vdirsyncer")
            path = clients.vdirsyncer(near / "config", self.radicale.port, near)
            self.vdir(path, "discover")
            peers.append(self.vdir(path, "sync"))
        cost, peer = measure.median(mine), measure.median(peers)
        table.row("DAV: first sync of 10,000 contacts, 10,000 events, 2,000 tasks: Liaison", costs(cost))
        table.row("DAV: the same: vdirsyncer", costs(peer))
        table.row("DAV first sync: CPU / vdirsyncer's", f"{cost.cpu / peer.cpu:.2f}", "≤ 1/4", cost.cpu <= peer.cpu / 4)
        table.row("DAV first sync: time / vdirsyncer's", f"{cost.wall / peer.wall:.2f}", "≤ 1", cost.wall <= peer.wall)
        config = self.config("dav", dav=proxy.port)
        state = self.anew(config)
        engine = self.engine(config, state)
        for name, collection in (("contact", "contacts"), ("appointment", "calendar"), ("task", "tasks")):
            proxy.forget()
            said = engine.sync(name)
            most = 1 + math.ceil(DAV[collection] / 500)
            table.row(f"DAV first sync of {DAV[collection]:,} {name}s", f"{said['requests']} requests, "
                      f"{(proxy.counted.sent + proxy.counted.received) / 1e6:.1f} MB", f"≤ {most}", said["requests"] <= most)
        for name in ("contact", "appointment", "task"):
            proxy.forget()
            said = engine.sync(name)
            size = proxy.counted.sent + proxy.counted.received
            table.row(f"DAV without changes, {name}s", f"{said['requests']} requests, {size} B, {said['seconds'] * 1000:.0f} ms",
                      "1 request, ≤ 1 KB", said["requests"] == 1 and size <= 1024)
        engine.end()
        path = clients.vdirsyncer(near / "config", proxy.port, near)
        self.vdir(path, "discover")
        self.vdir(path, "sync")
        proxy.forget()
        quiet = self.vdir(path, "sync")
        table.row("DAV without changes, all three: vdirsyncer", f"{proxy.counted.turns} turns, "
                  f"{(proxy.counted.sent + proxy.counted.received) / 1e3:.0f} KB; {costs(quiet)}")
        proxy.delay = LATE
        slow = self.once(config, state, classes)[0], self.vdir(path, "sync")
        proxy.delay = 0
        table.row("DAV without changes, new process, 50 ms", f"Liaison {slow[0].wall:.2f} s, vdirsyncer {slow[1].wall:.2f} s")

    def vdir(self, config, command):
        words = [str(self.vdirsyncer), "-c", str(config), command]
        if command == "discover":
            return subprocess.run(words, input=b"y\n" * 9, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return measure.run(words, self.log)

    def warm_radicale(self):
        """The server parses each file once and keeps what it found. When it is first asked for what changed, it writes a file
        for each item and waits for the disk each time, which has taken seven minutes on a busy one."""
        import base64
        warming = {"PROPFIND": b'<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>',
                   "REPORT": b'<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><prop><getetag/></prop>'
                             b'</sync-collection>'}
        for collection in DAV:
            for method, data in warming.items():
                request = urllib.request.Request(
                    f"http://127.0.0.1:{self.radicale.port}/anna/{collection}/", method=method, data=data,
                    headers={"Depth": "1" if method == "PROPFIND" else "0",
                             "Authorization": "Basic " + base64.b64encode(f"anna:{PASSWORD}".encode()).decode()})
                urllib.request.urlopen(request, timeout=1800).read()

    def delivery(self):
        user = "delivery"
        text = generate.Messages(7)
        config = self.config("delivery", mail=(self.dovecot.port, user, None), track="all")
        state = self.anew(config)
        # What an earlier run delivered has the same names, and would be filed already.
        client = self.imap(user)
        if int(client.select("INBOX")[1][0]):
            client.store("1:*", "+FLAGS.SILENT", "(\\Deleted)")
            client.expunge()
        client.logout()
        self.deliver(user, text.message(500_001))
        self.settled(config, state)
        engine = self.engine(config, state)
        engine.sync("email")
        others, own, late = [], [], []
        count = 11
        for number in range(count):
            watched = self.watch(user)
            engine.say("deliver")
            # Until both are idle: nothing tells from outside.
            time.sleep(1.5)
            sent = self.deliver(user, text.message(500_100 + number))
            said = engine.hear()
            notified = watched()
            if said["operations"] < 1:
                sys.exit(f"nothing was filed: {said}")
            others.append(notified - sent)
            own.append(said["done"] - max(said["woken"], notified))
            late.append(said["done"] - notified)
        engine.end()
        own, late, others = (statistics.median(values) for values in (own, late, others))
        self.table.row("delivery: LMTP accepted → the server tells another IDLE client", f"{others * 1000:.0f} ms")
        self.table.row("delivery: told → the record is in the organisation", f"{late * 1000:.0f} ms", "≤ 1 s", late <= 1)
        self.table.row("delivery: Liaison's part, with the organisation's", f"{own * 1000:.0f} ms (median of {count})", "≤ 100 ms",
                       own <= 0.1)

    def watch(self, user):
        """Another client that waits. Call what it returns for the time when it was told."""
        connection = socket.create_connection(("127.0.0.1", self.dovecot.port))
        lines = connection.makefile("rb")
        lines.readline()
        connection.sendall(f"a LOGIN {user} {PASSWORD}\r\nb EXAMINE INBOX\r\nc IDLE\r\n".encode())
        while not lines.readline().startswith(b"+"):
            pass
        found = []

        def listen():
            while b"EXISTS" not in lines.readline():
                pass
            found.append(time.time())
            connection.close()

        thread = threading.Thread(target=listen)
        thread.start()

        def told():
            thread.join(30)
            return found[0]

        return told

    def deliver(self, user, text):
        with smtplib.LMTP("127.0.0.1", self.dovecot.lmtp) as server:
            server.sendmail("somebody@elsewhere.example", [user], text.replace(b"\n", b"\r\n"))
            return time.time()


WORKLOADS = ["first_look", "counted_first_look", "changes", "quiet", "memory", "dav", "delivery"]


def machine(wanted):
    memory = int(open("/proc/meminfo").readline().split()[1]) / 2**20
    model = next((line.partition(": ")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    version = lambda words: subprocess.run(words, capture_output=True, text=True).stdout.strip().split("\n")[0]
    versions = [version(["rustc", "--version"]).rpartition(" (")[0], f"Dovecot {version(['/usr/sbin/dovecot', '--version']).split()[0]}",
                version(["mbsync", "--version"]), "Radicale " + version([str(wanted.python), "-m", "radicale", "--version"]),
                version([str(wanted.python.parent / "vdirsyncer"), "--version"]).replace(", version", "")]
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB of memory, {platform.system()}, {', '.join(versions)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("/tmp/liaison-bench"),
                        help="where mailboxes and copies go: 10 GB, and whoever serves the mail must get there")
    parser.add_argument("--work", type=pathlib.Path, help="where clients keep what they have, such as /dev/shm where others keep "
                        "the disk busy; if not given, there, too")
    parser.add_argument("--liaison", type=pathlib.Path, default=ROOT / "target/dist/liaison")
    parser.add_argument("--bench", type=pathlib.Path, required=True, help="the program of benches/mailbox.rs")
    parser.add_argument("--python", type=pathlib.Path, default=ROOT / "target/python/bin/python",
                        help="the Python that has radicale and vdirsyncer")
    parser.add_argument("--only", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    parser.add_argument("--scale", type=int, default=1, help="divide all sizes by this, to try the bench itself")
    parser.add_argument("--results", type=pathlib.Path, help="the file to write")
    wanted = parser.parse_args()
    load = os.getloadavg()
    for sizes in (MAIL, DAV):
        for name in sizes:
            sizes[name] //= wanted.scale
    wanted.dir.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, HERE / "generate.py", wanted.dir, "--mail", json.dumps(MAIL), "--dav", json.dumps(DAV)],
                   check=True)
    hand_over(wanted.dir / "mail")
    bench = Bench(wanted)
    try:
        needed = [name for each in wanted.only for name in NEEDS.get(each, [])]
        for name in dict.fromkeys(needed + wanted.only):
            print(f"== {name}", flush=True)
            getattr(bench, name)()
    finally:
        bench.stop()
    after = os.getloadavg()
    text = f"""# Mailboxes on servers, beside the peers

Written by `make bench-mailbox` on {datetime.date.today()}, with the program as it is shipped (`--profile dist`). What is compared ran in turns,
{REPEATS} times, and counts with its median (mbsync with its defaults once); CPU is the client's own. Turns are how often the client spoke after the server did.

Machine: {machine(wanted)}. What clients keep was {"in memory: nobody waited for a disk" if wanted.work else "on the disk"}. Load before: {load[0]:.1f}, after: {after[0]:.1f} (the bench itself makes about 2).

{bench.table.text()}
"""
    if wanted.results:
        wanted.results.write_text(text)
    missed = [row for row in bench.table.rows if "MISSED" in row[3]]
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
