//! An `OpenID` provider, and a person with a browser who signs in there.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::port::Port;
use super::process::Process;
use super::{missing, program, python, root, script};

/// What the provider registered the program as.
pub const CLIENT: &str = "liaison-test";

/// A provider that runs. Access tokens are opaque: who gets one asks whose it is.
#[derive(Debug)]
pub struct Provider {
    // First, so that it is dead before its directory goes.
    process: Option<Process>,
    dir: TempDir,
    port: Port,
    /// How long access tokens are good, in seconds.
    lifetime: u32,
}

impl Provider {
    pub fn start(lifetime: u32) -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), Port::reserve());
        let mut provider = Self { process: None, dir, port, lifetime };
        provider.resume();
        provider
    }

    /// As after a power cut: it forgets every token it ever gave.
    pub fn stop(&mut self) {
        self.process = None;
    }

    pub fn resume(&mut self) {
        let modules = root().join("target/servers/oidc/node_modules");
        let modules = std::env::var_os("LIAISON_OIDC").map_or(modules, PathBuf::from);
        if !modules.join("oidc-provider").exists() {
            missing("the OpenID provider");
        }
        let mut command = Command::new(program(&["/usr/bin/node", "/usr/local/bin/node"]));
        command.arg(script("provider.mjs")).env("MODULES", modules);
        command.env("PORT", self.port.number.to_string());
        command.env("AT_TTL", self.lifetime.to_string()).env("ORDERS", self.dir.path());
        let mut process = Process::start(command, &self.dir.path().join("log"));
        process.ready(|| Port::answers(self.port.number));
        self.process = Some(process);
    }

    /// Closes all accounts, or opens them again: refresh tokens are refused meanwhile, and good afterwards.
    pub fn close_accounts(&self, closed: bool) {
        self.order("closed", closed);
    }

    /// Whether codes that are typed in elsewhere are good for a second only.
    pub fn brief_codes(&self, brief: bool) {
        self.order("brief", brief);
    }

    fn order(&self, what: &str, stands: bool) {
        let file = self.dir.path().join(what);
        if stands { fs::write(file, "") } else { fs::remove_file(file) }.unwrap();
    }

    /// Without a slash at the end.
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number)
    }

    /// Where a server asks whose a token is, with what it is let in by.
    pub fn introspection(&self) -> String {
        format!("http://rs:rs-secret@127.0.0.1:{}/token/introspection", self.port.number)
    }

    /// How often it gave tokens for a refresh token since it was started.
    pub fn refreshes(&self) -> usize {
        let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        log.lines().filter(|line| line.starts_with("granted refresh_token")).count()
    }

    /// What it said about itself.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

/// A person opens an address, signs in under this name and agrees, or denies; what the last page said.
pub fn visit(url: &str, user: &str, agrees: bool) -> String {
    let mut command = Command::new(python());
    command.arg(script("visitor.py")).args([url, user]);
    command.args((!agrees).then_some("deny"));
    let output = command.stdin(Stdio::null()).output().expect("Python");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the visitor is lost: {said}");
    String::from_utf8(output.stdout).unwrap()
}
