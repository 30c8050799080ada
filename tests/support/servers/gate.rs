//! A gate before a server that knows no bearer tokens: it lets in who has a token that the provider calls good.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::port::Port;
use super::process::Process;
use super::provider::Provider;
use super::{python, script};

#[derive(Debug)]
pub struct Gate {
    // First, so that it is dead before its directory goes.
    _process: Process,
    dir: TempDir,
    /// Without a slash at the end.
    pub url: String,
    _port: Port,
}

impl Gate {
    /// Before the server at this address; with a password, that one is told by it who comes.
    pub fn before(upstream: &str, provider: &Provider, password: Option<&str>) -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), Port::reserve());
        let mut command = Command::new(python());
        command.arg(script("gate.py")).args([&port.number.to_string(), upstream]);
        command.arg(provider.introspection()).args(password);
        let mut process = Process::start(command, &dir.path().join("log"));
        process.ready(|| Port::answers(port.number));
        let url = format!("http://localhost:{}", port.number);
        Self { _process: process, dir, url, _port: port }
    }

    /// A line a request: whether it was let in, the method and the path.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}
