//! The tray as a process, and what is around it: a session with a home, a path of programs that only say what they were started
//! with, and a bus.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::support::servers::desktop::Bus;

/// How long anything may take while other tests run.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Where a user is signed in.
pub struct Session {
    pub bus: Bus,
    pub connection: zbus::Connection,
}

impl Session {
    pub async fn start() -> Self {
        let bus = Bus::start();
        let builder = zbus::connection::Builder::address(bus.address.as_str()).unwrap();
        // Nobody waits for ever for a tray that does not answer.
        let connection = builder.method_timeout(PATIENCE).build().await.unwrap();
        let session = Self { bus, connection };
        fs::create_dir(session.path("bin")).unwrap();
        session
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.bus.folder().join(below)
    }

    pub fn socket(&self) -> PathBuf {
        self.path("liaison/control.sock")
    }

    /// A program that writes down what it is started with, and ends with this code.
    pub fn stub(&self, name: &str, code: u8) {
        let path = self.path("bin").join(name);
        let text = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" >'{0}.new'\nmv '{0}.new' '{0}'\necho no luck >&2\nexit {code}\n",
            self.path(name).display()
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What a stub was started with, once it was.
    pub fn started(&self, name: &str) -> Option<Vec<String>> {
        let text = fs::read_to_string(self.path(name)).ok()?;
        Some(text.lines().map(str::to_owned).collect())
    }

    /// The command for a tray in this session.
    pub fn command(&self) -> Command {
        let mut command = tray(self.bus.folder());
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.bus.address);
        command
    }

    pub fn tray(&self) -> Tray {
        Tray::start(&mut self.command())
    }
}

/// The program, shielded from the desktop of whoever runs the tests.
pub fn tray(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_liaison-tray"));
    let path = std::env::join_paths([&home.join("bin"), Path::new("/usr/bin"), Path::new("/bin")]);
    command.env_clear().current_dir(home).env("PATH", path.unwrap());
    command.env("HOME", home).env("XDG_RUNTIME_DIR", home);
    command.stdin(Stdio::null());
    command
}

/// A tray that runs, until it is dropped.
pub struct Tray {
    child: Child,
}

impl Tray {
    pub fn start(command: &mut Command) -> Self {
        Self { child: command.spawn().unwrap() }
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How it ended.
    pub fn ended(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "the tray still runs");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Tray {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().unwrap();
    }
}

/// Waits until a condition holds.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let holds = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, holds).await;
    assert!(waited.is_ok(), "{what}: still not so");
}
