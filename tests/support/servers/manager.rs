//! The service manager of a user: systemd, as a session of a desktop has it. It runs where the machine looks as if it had been
//! started by systemd, and in a control group of its own: it takes over everything that is beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, eventually, is_root};
use super::program;

/// What there is to start: nothing but what a session has of itself. Units of the user are beside it.
const UNITS: [&str; 3] = ["basic.target", "default.target", "shutdown.target"];

/// Whatever it started ends when it does, however it ends. A user manager looks for the folder in `/run` to know that it is wanted.
const SCRIPT: &str = r#"name="$1"
for folder in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ -w "$folder/cgroup.procs" ] && mkdir "$folder/$name" && echo 0 >"$folder/$name/cgroup.procs"
done 2>/dev/null
grep -q "^0::/$name\$" /proc/self/cgroup || { echo "no control group is to be had"; exit 1; }
for folder in /sys/fs/cgroup /sys/fs/cgroup/unified; do
  [ -e "$folder/$name/cgroup.kill" ] && end="$folder/$name/cgroup.kill"
done
setsid sh -c 'while kill -0 "$1"; do sleep 0.1; done; echo 1 >"$2"' end "$$" "$end" &
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system || exit 1
exec /usr/lib/systemd/systemd --user --log-target=console --log-color=no"#;

#[derive(Debug)]
pub struct Manager {
    // Dropped in this order.
    _process: Process,
    _group: Group,
    dir: TempDir,
}

/// The control group, in each hierarchy that there is.
#[derive(Debug)]
struct Group(String);

impl Manager {
    /// For a user with this home, in a session with this bus.
    pub fn start(home: &Path, bus: &str) -> Self {
        assert!(is_root(), "only root gives a service manager a control group of its own");
        let dir = tempfile::tempdir().unwrap();
        let (runtime, units) = (dir.path().join("run"), dir.path().join("units"));
        fs::create_dir(&runtime).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
        fs::create_dir(&units).unwrap();
        for name in UNITS {
            fs::write(units.join(name), format!("[Unit]\nDescription={name}\n")).unwrap();
        }
        let unique = dir.path().file_name().unwrap().to_string_lossy();
        let group = Group(format!("liaison-test-{}", unique.trim_start_matches('.')));
        program(&["/usr/lib/systemd/systemd"]);
        let mut command = Command::new(program(&["/usr/bin/unshare"]));
        command.args(["--mount", "sh", "-c", SCRIPT, "manager", &group.0]);
        let config = home.join(".config");
        let found = format!("{}/systemd/user:{}", config.display(), units.display());
        command.env("SYSTEMD_UNIT_PATH", found).env("XDG_RUNTIME_DIR", &runtime);
        command.env("HOME", home).env("XDG_CONFIG_HOME", config);
        command.env("DBUS_SESSION_BUS_ADDRESS", bus);
        let mut process = Process::start(command, &dir.path().join("log"));
        process.listens_at(&runtime.join("systemd/private"));
        Self { _process: process, _group: group, dir }
    }

    /// `$XDG_RUNTIME_DIR` of the session.
    pub fn runtime(&self) -> PathBuf {
        self.dir.path().join("run")
    }
}

impl Group {
    fn folders(&self) -> Vec<PathBuf> {
        let root = Path::new("/sys/fs/cgroup");
        let below = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
        let all = below.chain([root.to_owned()]).map(|folder| folder.join(&self.0));
        all.filter(|folder| folder.is_dir()).collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            eventually("the control group is empty", || self.folders().iter().all(|it| remove(it)));
        }
    }
}

/// Removes a control group with all below it, if nobody is in it any more.
fn remove(group: &Path) -> bool {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove(&entry.path());
        }
    }
    fs::remove_dir(group).is_ok()
}
