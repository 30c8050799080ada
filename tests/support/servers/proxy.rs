//! A wire with faults: stands between a client and a server, cuts it, holds it up, slows it down, and counts what goes by.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What happens to the connections. The counts of bytes are those of one connection, but where it says otherwise.
#[derive(Debug, Clone, Copy, Default)]
pub struct Script {
    /// The connection is cut after this many bytes from the client.
    pub cut_sent: Option<u64>,
    /// The connection is cut after this many bytes from the server.
    pub cut_received: Option<u64>,
    /// After this many bytes from the server, over all connections since the script was set, nothing goes either way on any of
    /// them any more, and nobody hangs up.
    pub stall_received: Option<u64>,
    /// The same, when the client speaks for this time after the server did, over all connections since the script was set: nothing
    /// of that passes.
    pub stall_request: Option<u64>,
    /// The same, but the server gets that, and its answer does not pass.
    pub stall_answer: Option<u64>,
    /// What each direction is late by, however much is on its way.
    pub latency: Duration,
    /// Only this many connections are so; those that follow are whole. 0: all.
    pub connections: usize,
}

/// What went by, over all connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    pub connections: usize,
    /// Bytes from the client.
    pub sent: u64,
    /// Bytes from the server.
    pub received: u64,
    /// How often the client spoke after the server did, or at the beginning: how often somebody waited for the way there and
    /// back. The handshake of TCP is not counted.
    pub round_trips: u64,
}

/// A proxy that runs until it is dropped; connections die with it.
#[derive(Debug)]
pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    script: Script,
    counted: Counted,
    /// Connections since the script was set.
    scripted: usize,
    /// Of this script: what came from the server over all its connections, and whether they are stalled.
    stall: Arc<Mutex<Stall>>,
    open: Vec<TcpStream>,
    closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Sent,
    Received,
}

/// What the connections of a script know of each other.
#[derive(Debug, Default)]
struct Stall {
    received: u64,
    requests: u64,
    /// What comes from the server now is the answer that does not pass.
    answered: bool,
    stalled: bool,
}

impl Stall {
    /// How much of these bytes may pass. `speaks`: the other end spoke before.
    fn admit(
        &mut self,
        script: &Script,
        (direction, speaks): (Direction, bool),
        length: usize,
    ) -> usize {
        match direction {
            Direction::Sent => {
                self.requests += u64::from(speaks);
                self.stalled |= speaks && script.stall_request == Some(self.requests);
                self.answered |= speaks && script.stall_answer == Some(self.requests);
                if self.stalled { 0 } else { length }
            }
            Direction::Received => {
                let limit = if self.answered { Some(0) } else { script.stall_received };
                let Some(limit) = limit else { return length };
                let room = usize::try_from(limit.saturating_sub(self.received));
                let length = length.min(room.unwrap_or(usize::MAX));
                self.received += u64::try_from(length).unwrap();
                self.stalled |= self.received >= limit;
                length
            }
        }
    }
}

/// What two directions of a connection know of each other, and of the others.
#[derive(Debug, Default)]
struct Connection {
    last: Mutex<Option<Direction>>,
    stall: Arc<Mutex<Stall>>,
}

impl Connection {
    fn is_stalled(&self) -> bool {
        self.stall.lock().unwrap().stalled
    }

    /// Whether the other end spoke before, or nobody.
    fn turns(&self, direction: Direction) -> bool {
        self.last.lock().unwrap().replace(direction) != Some(direction)
    }

    /// How much of these bytes may pass now; `None` when nothing does any more.
    fn admit(&self, script: &Script, direction: Direction, length: usize) -> Option<(usize, bool)> {
        let mut stall = self.stall.lock().unwrap();
        if stall.stalled {
            return None;
        }
        let speaks = self.turns(direction);
        Some((stall.admit(script, (direction, speaks), length), speaks))
    }
}

impl Proxy {
    /// To a port of this machine.
    pub fn start(target: u16, script: Script) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, target));
        let state = Mutex::new(State { script, ..State::default() });
        let shared = Arc::new(Shared { target, state });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { continue };
                if accepting.state.lock().unwrap().closed {
                    return;
                }
                accepting.connect(client);
            }
        });
        Self { port, shared }
    }

    /// From now on; connections that are open go on as they were.
    pub fn script(&self, script: Script) {
        let mut state = self.shared.state.lock().unwrap();
        state.script = script;
        state.scripted = 0;
        state.stall = Arc::default();
    }

    /// What went by since the start, or since [`Proxy::forget`].
    pub fn counted(&self) -> Counted {
        self.shared.state.lock().unwrap().counted
    }

    /// Whether nothing goes any way any more, as the script wants it.
    pub fn is_stalled(&self) -> bool {
        self.shared.state.lock().unwrap().stall.lock().unwrap().stalled
    }

    /// Counts from nothing again.
    pub fn forget(&self) {
        self.shared.state.lock().unwrap().counted = Counted::default();
    }

    /// Cuts all connections that are open.
    pub fn cut(&self) {
        for stream in self.shared.state.lock().unwrap().open.drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().closed = true;
        self.cut();
        // Wakes the thread that accepts.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

impl Shared {
    #[allow(clippy::needless_pass_by_value, reason = "the connection ends here")]
    fn connect(self: &Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(self.target) else { return };
        drop((client.set_nodelay(true), server.set_nodelay(true)));
        let (script, stall) = {
            let mut state = self.state.lock().unwrap();
            state.counted.connections += 1;
            state.scripted += 1;
            state.open.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
            let over = state.script.connections != 0 && state.scripted > state.script.connections;
            let script = if over { Script::default() } else { state.script };
            (script, Arc::clone(&state.stall))
        };
        let connection = Arc::new(Connection { stall, ..Connection::default() });
        for direction in [Direction::Sent, Direction::Received] {
            let (client, server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let (shared, connection) = (Arc::clone(self), Arc::clone(&connection));
            thread::spawn(move || match direction {
                Direction::Sent => shared.carry(&client, &server, script, direction, &connection),
                Direction::Received => {
                    shared.carry(&server, &client, script, direction, &connection);
                }
            });
        }
    }

    /// Carries bytes one way until the end.
    fn carry(
        &self,
        mut from: &TcpStream,
        to: &TcpStream,
        script: Script,
        direction: Direction,
        connection: &Connection,
    ) {
        let cut = match direction {
            Direction::Sent => script.cut_sent,
            Direction::Received => script.cut_received,
        };
        let (later, due) = std::sync::mpsc::channel::<(Instant, Vec<u8>)>();
        let mut late = to.try_clone().unwrap();
        let writer = thread::spawn(move || {
            for (at, bytes) in due {
                thread::sleep(at.saturating_duration_since(Instant::now()));
                if late.write_all(&bytes).is_err() {
                    return;
                }
            }
        });
        let (mut passed, mut buffer) = (0_u64, [0; 16 << 10]);
        let is_cut = loop {
            let length = match from.read(&mut buffer) {
                Ok(0) => break false,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break false,
            };
            let room = cut.map_or(u64::MAX, |limit| limit - passed);
            let length = length.min(usize::try_from(room).unwrap_or(usize::MAX));
            passed += u64::try_from(length).unwrap();
            let Some((length, speaks)) = connection.admit(&script, direction, length) else {
                continue;
            };
            self.count(direction, length, speaks);
            drop(later.send((Instant::now() + script.latency, buffer[..length].to_vec())));
            if cut == Some(passed) {
                break true;
            }
        };
        drop(later);
        drop(writer.join());
        if is_cut {
            drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
        } else if !connection.is_stalled() {
            drop(to.shutdown(Shutdown::Write));
        }
    }

    fn count(&self, direction: Direction, length: usize, speaks: bool) {
        let length = u64::try_from(length).unwrap();
        let mut state = self.state.lock().unwrap();
        match direction {
            Direction::Sent => {
                state.counted.sent += length;
                state.counted.round_trips += u64::from(speaks);
            }
            Direction::Received => state.counted.received += length,
        }
    }
}
