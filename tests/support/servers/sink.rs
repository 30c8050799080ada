//! A mail server that keeps what it is sent and delivers nothing, with faults by recipient: `temp@` is refused for now
//! (451), `perm@` for good (550), `slow@` is answered late, `drop@` is taken and the answer is lost.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use liaison::connector::net::{Security, Server};
use tempfile::TempDir;

use super::port::Port;
use super::process::{Process, eventually};
use super::{PASSWORD, certificate, python, script, server};

#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether nothing is taken before a sign-in as anna.
    pub auth: bool,
    /// After how many seconds it answers for `slow@`.
    pub slow: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { auth: true, slow: 10 }
    }
}

/// A sink that runs.
#[derive(Debug)]
pub struct Sink {
    // First, so that it is dead before its directory goes.
    process: Option<Process>,
    /// Without TLS, or with STARTTLS.
    pub smtp: u16,
    /// With TLS from the start.
    pub smtps: u16,
    /// The authority that signed its certificate.
    pub authority: PathBuf,
    options: Options,
    dir: TempDir,
    _ports: [Port; 2],
}

impl Sink {
    pub fn start(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("taken")).unwrap();
        let authority = certificate::make(dir.path());
        let ports = [Port::reserve(), Port::reserve()];
        let [smtp, smtps] = [&ports[0], &ports[1]].map(|port| port.number);
        let mut sink = Self { process: None, smtp, smtps, authority, options, dir, _ports: ports };
        sink.resume();
        sink
    }

    /// It dies at once; what it took stays.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts again what was stopped, on the same ports.
    pub fn resume(&mut self) {
        let dir = self.dir.path();
        let mut command = Command::new(python());
        command.arg(script("sink.py")).arg("--folder").arg(dir.join("taken"));
        command.args(["--port", &self.smtp.to_string(), "--tls-port", &self.smtps.to_string()]);
        command.arg("--certificate").arg(dir.join("server.pem"));
        command.arg("--key").arg(dir.join("server.key"));
        command.args(["--slow", &self.options.slow.to_string()]);
        if self.options.auth {
            command.args(["--auth", "anna", "--password", PASSWORD]);
        }
        let mut process = Process::start(command, &dir.join("printed"));
        process.ready(|| Port::answers(self.smtp) && Port::answers(self.smtps));
        self.process = Some(process);
    }

    /// How a client reaches it.
    pub fn smtp(&self, security: Security) -> Server {
        let port = if security == Security::Tls { self.smtps } else { self.smtp };
        server(port, security, &self.authority)
    }

    /// The messages that it took, in their order, each below its envelope: `X-Envelope-From`, `X-Envelope-To`.
    pub fn taken(&self) -> Vec<Vec<u8>> {
        let entries = fs::read_dir(self.dir.path().join("taken")).unwrap();
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "eml"))
            .collect();
        paths.sort();
        paths.iter().map(|path| fs::read(path).unwrap()).collect()
    }

    /// Waits until it took as many messages.
    pub fn await_taken(&self, count: usize) -> Vec<Vec<u8>> {
        eventually("the sink takes a message", || self.taken().len() >= count);
        self.taken()
    }

    /// What it printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("printed")).unwrap_or_default()
    }
}
