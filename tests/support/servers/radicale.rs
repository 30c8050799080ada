//! Radicale: CalDAV and CardDAV, HTTP with Basic authentication.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::port::Port;
use super::process::Process;
use super::{PASSWORD, elsewhere, python};

/// A Radicale that runs. Users anna, bob and carol have the collections `contacts`, `calendar` (events and tasks) and `tasks`
/// (tasks only).
#[derive(Debug)]
pub struct Radicale {
    // First, so that it is dead before its directory goes.
    process: Option<Process>,
    /// Without a slash at the end.
    pub url: String,
    dir: TempDir,
    port: Port,
}

impl Radicale {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = Port::reserve();
        let path = dir.path().display();
        let users = ["anna", "bob", "carol"];
        fs::write(
            dir.path().join("users"),
            users.map(|user| format!("{user}:{PASSWORD}\n")).concat(),
        )
        .unwrap();
        let config = format!(
            "[server]\nhosts = 127.0.0.1:{}\nmax_connections = 50\n\
             [auth]\ntype = htpasswd\nhtpasswd_filename = {path}/users\nhtpasswd_encryption = plain\ndelay = 0\n\
             [rights]\ntype = owner_only\n\
             [storage]\nfilesystem_folder = {path}/data\n\
             [logging]\nlevel = info\n",
            port.number
        );
        fs::write(dir.path().join("config"), config).unwrap();
        for user in users {
            for (name, tag, components) in [
                ("contacts", "VADDRESSBOOK", ""),
                ("calendar", "VCALENDAR", "VEVENT,VTODO"),
                ("tasks", "VCALENDAR", "VTODO"),
            ] {
                let folder = dir.path().join("data/collection-root").join(user).join(name);
                fs::create_dir_all(&folder).unwrap();
                let components = if components.is_empty() {
                    String::new()
                } else {
                    format!(r#", "C:supported-calendar-component-set": "{components}""#)
                };
                let properties =
                    format!(r#"{{"tag": "{tag}", "D:displayname": "{name}"{components}}}"#);
                fs::write(folder.join(".Radicale.props"), properties).unwrap();
            }
        }
        let url = format!("http://localhost:{}", port.number);
        let mut radicale = Self { process: None, url, dir, port };
        radicale.resume();
        radicale
    }

    /// It dies at once; what it keeps stays for [`Radicale::resume`].
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts again what was stopped, with the same data on the same port.
    pub fn resume(&mut self) {
        let mut command = Command::new(python());
        command.args(["-m", "radicale", "--config"]).arg(self.dir.path().join("config"));
        let mut process = Process::start(command, &self.dir.path().join("printed"));
        process.ready(|| Port::answers(self.port.number));
        self.process = Some(process);
    }

    /// The URL of one of a user's collections, with a slash at the end.
    pub fn collection(&self, user: &str, name: &str) -> String {
        format!("{}/{user}/{name}/", self.url)
    }

    /// Another client of this user.
    pub fn elsewhere(&self, user: &str) -> elsewhere::Dav {
        elsewhere::Dav::new(user)
    }

    /// What it wrote about itself.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("printed")).unwrap_or_default()
    }
}
