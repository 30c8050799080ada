//! The service manager of a user: systemd, as a session of a desktop has it. It runs in namespaces of its own, where the machine
//! looks as if it had been started by systemd; everything that it starts dies with it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, is_root};
use super::program;

/// What there is to start: nothing but what a session has of itself. Units of the user are beside it.
const UNITS: [(&str, &str); 4] = [
    ("basic.target", ""),
    ("default.target", "Requires=basic.target\nAfter=basic.target\n"),
    ("graphical-session.target", "RefuseManualStart=no\n"),
    ("shutdown.target", "DefaultDependencies=no\n"),
];

/// A user manager looks for this to know that it is wanted. The first process of the namespace has to be another one: systemd
/// would take itself for the manager of a machine.
const SCRIPT: &str = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system || exit 1
/usr/lib/systemd/systemd --user --log-target=console --log-color=no &
wait $!";

#[derive(Debug)]
pub struct Manager {
    // First, so that it is dead before its directory goes.
    _process: Process,
    dir: TempDir,
}

impl Manager {
    /// For a user with this home, in a session with this bus.
    pub fn start(home: &Path, bus: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["run", "units"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let runtime = dir.path().join("run");
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
        for (name, text) in UNITS {
            let text = format!("[Unit]\nDescription={name}\n{text}");
            fs::write(dir.path().join("units").join(name), text).unwrap();
        }
        program(&["/usr/lib/systemd/systemd"]);
        let mut command = Command::new(program(&["/usr/bin/unshare"]));
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.args((!is_root()).then_some("--map-root-user"));
        command.args(["sh", "-c", SCRIPT]);
        let config = home.join(".config");
        let units = dir.path().join("units");
        let found = format!("{}/systemd/user:{}", config.display(), units.display());
        command.env("SYSTEMD_UNIT_PATH", found).env("XDG_RUNTIME_DIR", &runtime);
        command.env("HOME", home).env("XDG_CONFIG_HOME", config);
        command.env("DBUS_SESSION_BUS_ADDRESS", bus);
        let mut process = Process::start(command, &dir.path().join("log"));
        let socket = runtime.join("systemd/private");
        process.ready(|| socket.exists());
        Self { _process: process, dir }
    }

    /// `$XDG_RUNTIME_DIR` of the session.
    pub fn runtime(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// What it said about itself and what it started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}
