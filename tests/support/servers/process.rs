//! A server's processes: started below a shell that kills all of them as soon as the test lets go of it. A test that
//! panics, is killed or runs into its time limit leaves nothing behind.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to answer, or to die. Other tests run at the same time.
const PATIENCE: Duration = Duration::from_mins(1);
const INTERVAL: Duration = Duration::from_millis(5);
const INTERVAL_MAX: Duration = Duration::from_millis(80);

/// The shell reads what nobody writes; its end is the end of the test. A server that ends by itself ends the shell. Signals
/// that would end the shell alone end all of them.
const SUPERVISOR: &str = r#"trap 'kill -KILL 0' HUP INT TERM
{ LD_PRELOAD="$PRELOAD" "$@" </dev/null >"$LOG" 2>&1; kill -KILL 0; } &
read -r _
kill -KILL 0"#;

/// Makes `fsync` and its like do nothing: what a killed server wrote is still there, and power cuts are not played.
const HURRY: &str = "libeatmydata.so";

/// `nobody` and `nogroup` on Debian.
const NOBODY: u32 = 65534;

/// A server that runs.
#[derive(Debug)]
pub struct Process {
    shell: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts a program; what it prints goes to `log`.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let name = Path::new(command.get_program()).file_name().unwrap_or(OsStr::new("?"));
        let name = name.to_string_lossy().into_owned();
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(SUPERVISOR).arg("sh");
        shell.arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            if let Some(value) = value {
                shell.env(key, value);
            }
        }
        if let Some(folder) = command.current_dir(".").get_current_dir() {
            shell.current_dir(folder);
        }
        shell.env("LOG", log).env("PRELOAD", HURRY).stdin(Stdio::piped()).process_group(0);
        let shell = shell.spawn().expect("a shell");
        Self { shell, name, log: log.to_owned() }
    }

    /// Waits until the server listens at a socket of the file system: the file is there a moment before anybody listens.
    pub fn listens_at(&mut self, socket: &Path) {
        self.ready(|| UnixStream::connect(socket).is_ok());
    }

    /// Waits until the server is ready.
    pub fn ready(&mut self, ready: impl Fn() -> bool) {
        let log = self.log.clone();
        let said = || fs::read_to_string(&log).unwrap_or_default();
        let until = Instant::now() + PATIENCE;
        while !ready() {
            let ended = self.shell.try_wait().unwrap().is_some();
            assert!(!ended, "{} ended at once and said:\n{}", self.name, said());
            assert!(Instant::now() < until, "{} does not answer and said:\n{}", self.name, said());
            thread::sleep(INTERVAL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = self.shell.id();
        drop(self.shell.stdin.take());
        let ended = self.shell.wait();
        let until = Instant::now() + PATIENCE;
        while is_alive(group) && Instant::now() < until {
            thread::sleep(INTERVAL);
        }
        if !thread::panicking() {
            assert!(ended.is_ok() && !is_alive(group), "{} cannot be killed", self.name);
        }
    }
}

/// Whether any process of this group still runs.
fn is_alive(group: u32) -> bool {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries.into_iter().any(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // `pid (name) state parent group …`, where a name may hold anything.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let fields: Vec<&str> = fields.split(' ').collect();
        fields.first() != Some(&"Z") && fields.get(2).is_some_and(|id| *id == group.to_string())
    })
}

/// Polls until `condition` holds; `what` is said when it does not.
#[track_caller]
pub fn eventually(what: &str, condition: impl FnMut() -> bool) {
    assert!(waited(condition), "{what}: still not so after {} s", PATIENCE.as_secs());
}

/// Polls until `condition` holds; `false` when it does not in time.
pub fn waited(condition: impl FnMut() -> bool) -> bool {
    waited_for(PATIENCE, condition)
}

/// The same, for what may take longer.
pub fn waited_for(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + patience;
    let mut pause = INTERVAL;
    while !condition() {
        if Instant::now() > until {
            return false;
        }
        thread::sleep(pause);
        // What takes its time is not to be slowed down by being asked.
        pause = (pause * 2).min(INTERVAL_MAX);
    }
    true
}

/// A command for a program that refuses to serve root: as root it runs as `nobody`.
pub fn unprivileged(program: impl AsRef<OsStr>) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]).arg(program);
    command
}

/// As [`unprivileged`], for a program that lies where only root can reach it, such as root's home.
pub fn reaching(program: impl AsRef<OsStr>) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]);
    command.args(["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]).arg(program);
    command
}

/// User and group that [`unprivileged`] programs run as, by name.
pub fn unprivileged_user() -> (String, String) {
    if is_root() {
        return ("nobody".to_owned(), "nogroup".to_owned());
    }
    let name = |option: &str| {
        let output = Command::new("id").args(["-n", option]).output().expect("id");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    (name("-u"), name("-g"))
}

/// Gives a file, or a folder with all below it, to the user of [`unprivileged`] programs.
pub fn hand_over(path: &Path) {
    if !is_root() {
        return;
    }
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            hand_over(&entry.unwrap().path());
        }
    }
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The end of a file that a server writes, for a message.
pub fn tail(path: &Path) -> String {
    let text = File::open(path).and_then(std::io::read_to_string).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
