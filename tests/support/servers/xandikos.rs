//! Xandikos: CalDAV and CardDAV on Git, HTTP without any authentication.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::port::Port;
use super::process::Process;
use super::{elsewhere, python};

/// A Xandikos that runs. Its one user anna has the calendar `calendar` and the address book `contacts`.
#[derive(Debug)]
pub struct Xandikos {
    // First, so that it is dead before its directory goes.
    process: Option<Process>,
    /// Without a slash at the end.
    pub url: String,
    dir: TempDir,
    port: Port,
}

impl Xandikos {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        let port = Port::reserve();
        let url = format!("http://localhost:{}", port.number);
        let mut xandikos = Self { process: None, url, dir, port };
        xandikos.resume();
        xandikos
    }

    /// It dies at once; what it keeps stays for [`Xandikos::resume`].
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts again what was stopped, with the same data on the same port.
    pub fn resume(&mut self) {
        let mut command = Command::new(python());
        command.args(["-m", "xandikos", "serve", "--defaults", "--listen-address", "127.0.0.1"]);
        command.args(["--port", &self.port.number.to_string()]);
        command.args(["--current-user-principal", "/anna/", "--directory"]);
        command.arg(self.dir.path().join("data"));
        let mut process = Process::start(command, &self.dir.path().join("printed"));
        process.ready(|| Port::answers(self.port.number));
        self.process = Some(process);
    }

    /// The URL of anna's events and tasks, with a slash at the end.
    pub fn calendar(&self) -> String {
        format!("{}/anna/calendars/calendar/", self.url)
    }

    /// The URL of anna's contacts, with a slash at the end.
    pub fn address_book(&self) -> String {
        format!("{}/anna/contacts/addressbook/", self.url)
    }

    /// Another client.
    pub fn elsewhere(&self) -> elsewhere::Dav {
        elsewhere::Dav::new("anna")
    }

    /// What it wrote about itself.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("printed")).unwrap_or_default()
    }
}
