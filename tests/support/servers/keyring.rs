//! A desktop's keyring (gnome-keyring, a Secret Service) on a session bus of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, eventually};
use super::{bus, program};

/// A session bus with a keyring on it, or without.
#[derive(Debug)]
pub struct Keyring {
    // First, so that it is dead before its directory goes.
    daemon: Option<Process>,
    listener: Option<Process>,
    _bus: Process,
    dir: TempDir,
}

impl Keyring {
    /// A keyring that is open.
    pub fn start() -> Self {
        let mut keyring = Self::absent();
        keyring.unlock();
        keyring
    }

    /// A session where nobody keeps secrets.
    pub fn absent() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["run", "data", "home"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        fs::set_permissions(dir.path().join("run"), fs::Permissions::from_mode(0o700)).unwrap();
        let bus = bus::start(dir.path(), None);
        Self { daemon: None, listener: None, _bus: bus, dir }
    }

    /// Starts the keyring and opens it.
    pub fn unlock(&mut self) {
        self.serve("--unlock");
    }

    /// Starts the keyring anew, closed: it would have to ask for its password, and there is nobody who asks.
    pub fn lock(&mut self) {
        self.serve("");
    }

    /// The keyring goes on being there, and answers nobody any more.
    pub fn freeze(&self) {
        let id = fs::read_to_string(self.dir.path().join("id")).unwrap();
        let stopped = Command::new("kill").args(["-STOP", id.trim()]).status().unwrap();
        assert!(stopped.success());
    }

    /// How often anybody wanted it to be unlocked since it was started: each time a window asks a person.
    pub fn unlockings(&self) -> usize {
        let heard = fs::read_to_string(self.dir.path().join("heard")).unwrap_or_default();
        heard.lines().filter(|line| line.contains("member=Unlock")).count()
    }

    /// What a program of this session has in its environment.
    pub fn address(&self) -> String {
        bus::address(self.dir.path())
    }

    fn serve(&mut self, how: &str) {
        // The name must be free before another one takes it.
        (self.daemon, self.listener) = (None, None);
        eventually("the old keyring is gone", || !self.has("org.freedesktop.secrets"));
        program(&["/usr/bin/gnome-keyring-daemon"]);
        let mut command = self.on_bus("sh");
        let daemon = format!("exec gnome-keyring-daemon --foreground --components=secrets {how}");
        let line = format!("printf %s secret | sh -c 'echo $$ >\"$ID\"; {daemon}'");
        command.args(["-c", &line]).env("ID", self.dir.path().join("id"));
        self.daemon = Some(Process::start(command, &self.dir.path().join("keyring.log")));
        self.listener = Some(self.listen());
        eventually("the keyring is there", || self.has("org.freedesktop.secrets"));
    }

    /// Writes down who wants the keyring to be unlocked.
    fn listen(&self) -> Process {
        program(&["/usr/bin/dbus-monitor"]);
        let mut command = self.on_bus("/usr/bin/dbus-monitor");
        command.args(["--session", "interface='org.freedesktop.Secret.Service',member='Unlock'"]);
        let heard = self.dir.path().join("heard");
        let mut listener = Process::start(command, &heard);
        listener
            .ready(|| fs::read_to_string(&heard).is_ok_and(|text| text.contains("NameAcquired")));
        listener
    }

    fn on_bus(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = |below: &str| self.dir.path().join(below);
        command.env("DBUS_SESSION_BUS_ADDRESS", self.address());
        command.env("XDG_RUNTIME_DIR", path("run")).env("XDG_DATA_HOME", path("data"));
        command.env("HOME", path("home")).env("PATH", "/usr/bin:/bin");
        command
    }

    fn has(&self, name: &str) -> bool {
        let mut command = self.on_bus("/usr/bin/dbus-send");
        command.args(["--session", "--print-reply", "--dest=org.freedesktop.DBus", "/"]);
        command.args(["org.freedesktop.DBus.NameHasOwner", &format!("string:{name}")]);
        let output = command.output().expect("dbus-send");
        String::from_utf8_lossy(&output.stdout).contains("boolean true")
    }
}
