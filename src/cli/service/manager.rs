//! The service managers: where each wants its files, what it is told so that the service is there, starts, stops and goes, and
//! what its answers mean. Only `run` does anything.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::text::{self, Places};
use crate::cli::{Exit, Stop};

/// How long a manager may take to answer, unless it waits for the service.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long until the service must be up, or down: longer than its manager gives it.
const LONGER: Duration = Duration::from_secs(90);

/// The names of the units, and of the file for desktops.
const UNIT: &str = "liaison.service";
const TRAY_UNIT: &str = "liaison-tray.service";
const AUTOSTART: &str = "liaison-tray.desktop";

/// The label for launchd, and the name of its file.
const LABEL: &str = "org.liaison.service";

/// The name of the task on Windows.
const TASK: &str = "Liaison";

/// Where a package puts the units, and the programs that they start.
const PACKAGED_UNITS: &str = "/usr/lib/systemd/user";
const PACKAGED_PROGRAM: &str = "/usr/bin/liaison";

/// What starts programs for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    Systemd,
    Launchd,
    Tasks,
}

/// What is wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Start it now and with each session.
    Install,
    Uninstall,
    Start,
    Stop,
}

/// A command for a manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub words: Vec<String>,
    patience: Duration,
    /// Whether it does not matter if it fails.
    optional: bool,
}

/// How the service is, in the manager's words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub installed: bool,
    pub active: bool,
    /// What the manager says of it: what, and how it is.
    pub says: Vec<(String, String)>,
}

/// Where the files of the user lie, and who that is.
#[derive(Debug, Clone)]
pub struct Home {
    /// On Linux `~/.config`.
    pub config: PathBuf,
    pub home: PathBuf,
    pub state: PathBuf,
    /// The number of the user, where users have one.
    pub user: u32,
}

impl Order {
    fn new(words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Self { words, patience: PATIENCE, optional: false }
    }

    fn long(self) -> Self {
        Self { patience: LONGER, ..self }
    }

    /// It does not matter if it fails.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { optional: true, ..self }
    }
}

impl Manager {
    /// That of this platform.
    pub fn here() -> Self {
        if cfg!(target_os = "macos") {
            Self::Launchd
        } else if cfg!(windows) {
            Self::Tasks
        } else {
            Self::Systemd
        }
    }

    /// The files it needs, and their texts. None where a package brought what is needed.
    pub fn files(self, places: &Places, home: &Home) -> Vec<(PathBuf, String)> {
        match self {
            Self::Systemd if is_packaged(places) => Vec::new(),
            Self::Systemd => {
                let mut files = vec![(units(home).join(UNIT), text::unit(places))];
                if let Some(tray) = &places.tray {
                    files.push((units(home).join(TRAY_UNIT), text::tray_unit(places, tray)));
                    files.push((autostart(home), text::autostart(places, tray)));
                }
                files
            }
            Self::Launchd => vec![(plist(home), text::plist(places))],
            Self::Tasks => vec![(task(home), text::task(places))],
        }
    }

    /// All files that were ever written for it, and the links by which it starts the service.
    pub fn traces(self, home: &Home) -> Vec<PathBuf> {
        let linked = |target: &str, unit: &str| units(home).join(target).join(unit);
        match self {
            Self::Systemd => vec![
                linked("default.target.wants", UNIT),
                linked("graphical-session.target.wants", TRAY_UNIT),
                units(home).join(UNIT),
                units(home).join(TRAY_UNIT),
                autostart(home),
            ],
            Self::Launchd => vec![plist(home)],
            Self::Tasks => vec![task(home)],
        }
    }

    /// Where it finds what it is to start with a session, and what it starts: what it would write itself. None where a file does
    /// not suffice.
    pub fn links(self, places: &Places, home: &Home) -> Vec<(PathBuf, PathBuf)> {
        if self != Self::Systemd {
            return Vec::new();
        }
        let folder = if is_packaged(places) { PathBuf::from(PACKAGED_UNITS) } else { units(home) };
        let link =
            |target: &str, unit: &str| (units(home).join(target).join(unit), folder.join(unit));
        let tray = places.tray.as_ref().map(|_| link("graphical-session.target.wants", TRAY_UNIT));
        std::iter::once(link("default.target.wants", UNIT)).chain(tray).collect()
    }

    /// Whether there is a manager to talk to.
    pub fn greeting(self, home: &Home) -> Order {
        match self {
            Self::Systemd => Order::new(&["systemctl", "--user", "show", "--property=Version"]),
            Self::Launchd => Order::new(&["launchctl", "print", &format!("gui/{}", home.user)]),
            Self::Tasks => Order::new(&["schtasks", "/Query"]),
        }
    }

    /// What it is told.
    pub fn orders(self, wish: Wish, home: &Home, has_tray: bool) -> Vec<Order> {
        match self {
            Self::Systemd => systemd(wish, has_tray),
            Self::Launchd => launchd(wish, home),
            Self::Tasks => tasks(wish, home),
        }
    }

    /// Makes it read the files again, where it keeps them in mind.
    pub fn reload(self) -> Option<Order> {
        match self {
            Self::Systemd => Some(Order::new(&["systemctl", "--user", "daemon-reload"])),
            Self::Launchd | Self::Tasks => None,
        }
    }

    /// How it is asked after the service.
    pub fn question(self, home: &Home) -> Order {
        const ASKED: &str = "--property=LoadState,ActiveState,SubState,UnitFileState,MainPID,StatusText,\
                             NRestarts,Result,ExecMainStatus,FragmentPath,ActiveEnterTimestamp";
        match self {
            Self::Systemd => Order::new(&["systemctl", "--user", "show", UNIT, ASKED]),
            Self::Launchd => Order::new(&["launchctl", "print", &target(home)]),
            Self::Tasks => Order::new(&["schtasks", "/Query", "/TN", TASK, "/FO", "LIST", "/V"]),
        }
    }

    /// What its answer means; `None`: it does not know the service.
    pub fn understand(self, answer: Option<&str>) -> State {
        let Some(answer) = answer else { return State::default() };
        let sign = match self {
            Self::Systemd => "=",
            Self::Launchd => " = ",
            Self::Tasks => ":",
        };
        let mut state = State::default();
        for line in answer.lines() {
            let Some((key, value)) = line.split_once(sign) else { continue };
            let (key, value) = (key.trim(), value.trim());
            match (self, key, value) {
                (Self::Systemd, "LoadState", "loaded") => state.installed = true,
                (Self::Systemd, "ActiveState", "active")
                | (Self::Launchd, "state", "running")
                | (Self::Tasks, "Status", "Running") => state.active = true,
                _ => {}
            }
            if !value.is_empty() && !key.contains(char::is_whitespace) {
                state.says.push((key.to_owned(), value.to_owned()));
            }
        }
        state.installed |= self != Self::Systemd;
        state
    }
}

/// Whether a package brought the units for just this.
fn is_packaged(places: &Places) -> bool {
    places.program == Path::new(PACKAGED_PROGRAM)
        && places.config.is_none()
        && places.state.is_none()
        && Path::new(PACKAGED_UNITS).join(UNIT).exists()
}

fn units(home: &Home) -> PathBuf {
    home.config.join("systemd/user")
}

fn autostart(home: &Home) -> PathBuf {
    home.config.join("autostart").join(AUTOSTART)
}

fn plist(home: &Home) -> PathBuf {
    home.home.join("Library/LaunchAgents").join(format!("{LABEL}.plist"))
}

fn task(home: &Home) -> PathBuf {
    home.state.join("service.xml")
}

fn target(home: &Home) -> String {
    format!("gui/{}/{LABEL}", home.user)
}

/// The panel is not there in every session, so the program for it may fail.
fn systemd(wish: Wish, has_tray: bool) -> Vec<Order> {
    let order = |words: &[&str]| Order::new(&[&["systemctl", "--user"], words].concat());
    let tray =
        |words: &[&str]| has_tray.then(|| order(&[words, &[TRAY_UNIT]].concat()).long().optional());
    let orders: Vec<Option<Order>> = match wish {
        Wish::Install => vec![
            Manager::Systemd.reload(),
            Some(order(&["enable", UNIT])),
            // Starts it, too, and takes a changed unit into account where it runs already.
            Some(order(&["restart", UNIT]).long()),
            tray(&["enable"]),
            tray(&["restart"]),
        ],
        Wish::Uninstall => vec![
            tray(&["disable", "--now"]),
            Some(order(&["stop", UNIT]).long().optional()),
            Some(order(&["disable", UNIT]).optional()),
        ],
        Wish::Start => vec![Some(order(&["start", UNIT]).long()), tray(&["start"])],
        Wish::Stop => vec![tray(&["stop"]), Some(order(&["stop", UNIT]).long())],
    };
    orders.into_iter().flatten().collect()
}

fn launchd(wish: Wish, home: &Home) -> Vec<Order> {
    let (target, domain) = (target(home), format!("gui/{}", home.user));
    let order = |words: &[&str]| Order::new(&[&["launchctl"], words].concat()).long();
    match wish {
        Wish::Install => vec![
            order(&["bootout", &target]).optional(),
            order(&["bootstrap", &domain, &plist(home).display().to_string()]),
        ],
        Wish::Uninstall => vec![order(&["bootout", &target]).optional()],
        Wish::Start => vec![order(&["kickstart", &target])],
        Wish::Stop => vec![order(&["kill", "SIGTERM", &target])],
    }
}

fn tasks(wish: Wish, home: &Home) -> Vec<Order> {
    let file = task(home).display().to_string();
    let order = |words: &[&str]| Order::new(&[&["schtasks"], words].concat());
    match wish {
        Wish::Install => vec![
            order(&["/Create", "/F", "/TN", TASK, "/XML", &file]),
            order(&["/Run", "/TN", TASK]),
        ],
        Wish::Uninstall => vec![
            order(&["/End", "/TN", TASK]).optional(),
            order(&["/Delete", "/F", "/TN", TASK]).optional(),
        ],
        Wish::Start => vec![order(&["/Run", "/TN", TASK])],
        Wish::Stop => vec![order(&["/End", "/TN", TASK])],
    }
}

/// Gives an order and waits for the answer.
///
/// # Errors
/// When the manager is not there, takes too long, or cannot do it, unless that does not matter.
pub async fn run(order: &Order) -> anyhow::Result<String> {
    let Some((program, arguments)) = order.words.split_first() else { return Ok(String::new()) };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let words = order.words.join(" ");
    let failed = |why: String| {
        let hint = "`liaison service status` tells how it is, `liaison log` what it wrote";
        Stop::new(Exit::Failed, format!("`{words}` {why}"), hint)
    };
    let told = match tokio::time::timeout(order.patience, command.output()).await {
        Err(_) if order.optional => return Ok(String::new()),
        Err(_) => {
            return Err(
                failed(format!("has not ended after {} s", order.patience.as_secs())).into()
            );
        }
        Ok(Err(_)) if order.optional => return Ok(String::new()),
        Ok(Err(error)) => return Err(failed(format!("cannot be run: {error}")).into()),
        Ok(Ok(told)) => told,
    };
    if told.status.success() || order.optional {
        return Ok(String::from_utf8_lossy(&told.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&told.stderr);
    let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
    Err(failed(format!("failed: {}", crate::cli::output::short(said, 300))).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> Home {
        Home {
            config: "/home/anna/.config".into(),
            home: "/home/anna".into(),
            state: "/home/anna/.local/state/liaison".into(),
            user: 501,
        }
    }

    #[test]
    fn each_manager_is_told_what_it_understands() {
        let mut told = String::new();
        for manager in [Manager::Systemd, Manager::Launchd, Manager::Tasks] {
            told.push_str(&format!("{manager:?}\n"));
            for wish in [Wish::Install, Wish::Uninstall, Wish::Start, Wish::Stop] {
                for order in manager.orders(wish, &home(), true) {
                    let optional = if order.optional { " (may fail)" } else { "" };
                    told.push_str(&format!("  {wish:?}: {}{optional}\n", order.words.join(" ")));
                }
            }
            for trace in manager.traces(&home()) {
                told.push_str(&format!("  {}\n", trace.display()));
            }
        }
        insta::assert_snapshot!(told);
    }

    #[test]
    fn what_is_written_is_known_when_it_is_to_go() {
        let places = Places {
            program: "/opt/liaison".into(),
            tray: Some("/opt/liaison-tray".into()),
            config: None,
            state: None,
        };
        for manager in [Manager::Systemd, Manager::Launchd, Manager::Tasks] {
            let traces = manager.traces(&home());
            let files = manager.files(&places, &home());
            assert!(files.iter().all(|(file, _)| traces.contains(file)), "{files:?} {traces:?}");
        }
    }

    #[test]
    fn what_the_managers_answer_is_understood() {
        let systemd =
            "LoadState=loaded\nActiveState=active\nStatusText=in step\nMainPID=7\nResult=\n";
        let state = Manager::Systemd.understand(Some(systemd));
        assert!(state.installed && state.active);
        assert!(state.says.contains(&("StatusText".to_owned(), "in step".to_owned())));
        assert_eq!(state.says.len(), 4, "{state:?}");
        let gone = Manager::Systemd.understand(Some("LoadState=not-found\nActiveState=inactive\n"));
        assert!(!gone.installed && !gone.active);
        let mac = "gui/501/org.liaison.service = {\n\tstate = running\n\tpid = 7\n}\n";
        assert!(Manager::Launchd.understand(Some(mac)).active);
        let windows = "TaskName:  \\Liaison\r\nStatus:    Ready\r\n";
        let state = Manager::Tasks.understand(Some(windows));
        assert!(state.installed && !state.active);
        assert_eq!(Manager::Tasks.understand(None), State::default());
    }

    #[tokio::test]
    async fn a_manager_that_does_not_answer_is_given_up() {
        let never = Order { patience: Duration::from_millis(50), ..Order::new(&["sleep", "60"]) };
        let error = run(&never).await.unwrap_err();
        assert!(error.to_string().contains("has not ended"), "{error}");
        assert_eq!(run(&never.optional()).await.unwrap(), "");
        let error = run(&Order::new(&["/nowhere/systemctl"])).await.unwrap_err();
        assert!(error.to_string().contains("cannot be run"), "{error}");
        let error = run(&Order::new(&["sh", "-c", "echo why >&2; exit 3"])).await.unwrap_err();
        assert!(error.to_string().ends_with("failed: why"), "{error}");
    }
}
