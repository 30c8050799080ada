//! The running service, and those who speak with it as other programs would: by the documented lines, not by our own client.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::cli::installation::Installation;
use crate::support::servers::process::{eventually, waited_for};

/// Longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// `liaison run`.
pub struct Service {
    child: Child,
    pub socket: PathBuf,
}

impl Service {
    /// Starts it and waits until it answers.
    pub fn start(here: &Installation) -> Self {
        Self::start_as(here, here.command(&["run", "-v"]))
    }

    /// Starts it by this command.
    pub fn start_as(here: &Installation, mut command: Command) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(here.path("log"));
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let mut service = Self { child, socket: here.path("state/run/control.sock") };
        eventually("the service answers", || {
            let ended = service.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", here.read("log"));
            UnixStream::connect(&service.socket).is_ok()
        });
        service
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn client(&self) -> Client {
        Client::hello(&self.socket)
    }

    /// How things stand.
    pub fn status(&self) -> Json {
        self.client().ask(&json!("status"))["status"].clone()
    }

    /// Waits until the service says that it is in this state, and returns all that it says.
    #[track_caller]
    pub fn reaches(&self, state: &str) -> Json {
        self.reaches_within(PATIENCE, state)
    }

    /// The same, where that may take longer.
    #[track_caller]
    pub fn reaches_within(&self, patience: Duration, state: &str) -> Json {
        let mut status = Json::Null;
        let reached = waited_for(patience, || {
            status = self.status();
            status["state"] == state
        });
        assert!(reached, "it is not {state}: {status:#}");
        status
    }

    /// Kills it, whatever it is doing.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Ends it as the system does, and tells how it ended and how long that took.
    pub fn end(&mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        self.signal("-TERM");
        let mut code = None;
        eventually("the service ends", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        (code.and_then(|code| code.code()), start.elapsed())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.kill();
        }
    }
}

/// A program that speaks the protocol.
pub struct Client {
    reader: BufReader<UnixStream>,
    last: u64,
}

impl Client {
    /// Connected, and nothing said.
    pub fn silent(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { reader: BufReader::new(stream), last: 0 }
    }

    pub fn hello(socket: &Path) -> Self {
        let mut client = Self::silent(socket);
        let answer = client.ask(&json!({ "hello": { "version": 1, "program": "test" } }));
        assert_eq!(answer["welcome"]["version"], 1, "{answer}");
        client
    }

    pub fn write(&mut self, bytes: &[u8]) {
        // The service may have hung up already; why, is read.
        match self.reader.get_mut().write_all(bytes) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => panic!("{error}"),
            _ => {}
        }
    }

    /// Sends a request and returns its number.
    pub fn send(&mut self, call: &Json) -> u64 {
        self.last += 1;
        let line = json!({ "id": self.last, "do": call });
        self.write(format!("{line}\n").as_bytes());
        self.last
    }

    /// The next line; nothing when the service ended the connection.
    pub fn next(&mut self) -> Option<Json> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap_or_else(|it| panic!("{it}: {line}"))),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// What came of a request.
    #[track_caller]
    pub fn ask(&mut self, call: &Json) -> Json {
        let answer = self.end_of(call);
        assert!(answer.get("done").is_some(), "{call}: {answer}");
        answer["done"].clone()
    }

    /// The line that ends a request.
    #[track_caller]
    pub fn end_of(&mut self, call: &Json) -> Json {
        let id = self.send(call);
        loop {
            let line = self.next().unwrap_or_else(|| panic!("{call}: the connection ended"));
            let ends = line.get("done").is_some() || line.get("failed").is_some();
            if line["id"] == id && ends {
                return line;
            }
        }
    }
}
