//! Starts what is not ours: a terminal with a command of `liaison` in it, and the service by the hands of systemd.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use liaison::ipc::wire::NeedKind;
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use super::face::Action;

/// What could not be started: a title, and what the user can do instead.
pub(crate) type Advice = (String, String);

/// A terminal that fails sooner has not been opened.
const AT_ONCE: Duration = Duration::from_secs(3);

/// The service is ready before, or systemd says why not.
const START: Duration = Duration::from_mins(2);

/// Stays open with a shell, for the next command. The title of the shell is the command.
const STAY: &str = r#""$@"; exec "${SHELL:-sh}""#;

/// The command of `liaison` for what is to be done in a terminal; nothing for actions of other kinds.
pub(crate) fn command(action: Action) -> Option<&'static [&'static str]> {
    match action {
        Action::Review(NeedKind::Approve) => Some(&["approve"]),
        Action::Review(NeedKind::Doubt) => Some(&["outgoing"]),
        Action::Review(NeedKind::Conflict) => Some(&["conflicts"]),
        Action::Review(NeedKind::Aside) => Some(&["status"]),
        Action::Review(NeedKind::Standby) => Some(&["instance"]),
        Action::Review(NeedKind::Configuration) => Some(&["doctor"]),
        Action::Review(NeedKind::SignIn) => Some(&["auth", "login"]),
        Action::Log => Some(&["log", "--follow"]),
        Action::Ask(_) | Action::Start | Action::Quit => None,
    }
}

/// Opens a terminal with a command, and returns when it is closed.
///
/// # Errors
/// What the user can do instead, if there is no terminal.
pub(crate) async fn terminal(arguments: &[&str], flags: &[OsString]) -> Result<(), Advice> {
    let mut words: Vec<OsString> = vec![program()];
    words.extend_from_slice(flags);
    words.extend(arguments.iter().map(OsString::from));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let emulator = emulator(&path).ok_or_else(|| by_hand(arguments))?;
    let mut terminal = Command::new(&emulator.program);
    terminal.args(emulator.before).args(["sh", "-c", STAY, "liaison"]).args(&words);
    // In a group of its own: it outlives the tray.
    terminal.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let started = Instant::now();
    match terminal.spawn() {
        Ok(mut child) => match child.wait().await {
            Ok(status) if !status.success() && started.elapsed() < AT_ONCE => {
                tracing::warn!(program = ?emulator.program, %status, "no terminal was opened");
                Err(by_hand(arguments))
            }
            _ => Ok(()),
        },
        Err(error) => {
            tracing::warn!(program = ?emulator.program, %error, "no terminal was opened");
            Err(by_hand(arguments))
        }
    }
}

fn by_hand(arguments: &[&str]) -> Advice {
    let text = format!("Open a terminal and enter: liaison {}", arguments.join(" "));
    ("No terminal could be opened".to_owned(), text)
}

/// A program that opens a window with a command in it.
struct Emulator {
    program: PathBuf,
    /// What comes before the command.
    before: &'static [&'static str],
}

/// The user's choice by the rules of freedesktop.org, else that of Debian's alternatives.
fn emulator(path: &OsStr) -> Option<Emulator> {
    let known: [(&str, &[&str]); 2] =
        [("xdg-terminal-exec", &[]), ("x-terminal-emulator", &["-e"])];
    known.into_iter().find_map(|(name, before)| {
        let found =
            std::env::split_paths(path).map(|folder| folder.join(name)).find(|it| it.is_file());
        found.map(|program| Emulator { program, before })
    })
}

/// The one that was installed with this program, else that of the path.
fn program() -> OsString {
    let beside = std::env::current_exe().map(|path| path.with_file_name("liaison"));
    beside.ok().filter(|path| path.is_file()).map_or_else(|| "liaison".into(), OsString::from)
}

/// Starts the service.
///
/// # Errors
/// What systemd said, and what the user can do.
pub(crate) async fn service() -> Result<(), Advice> {
    let mut systemctl = Command::new("systemctl");
    systemctl.args(["--user", "start", "liaison.service"]).stdin(Stdio::null()).kill_on_drop(true);
    let why = match timeout(START, systemctl.output()).await {
        Ok(Ok(output)) if output.status.success() => return Ok(()),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr);
            said.lines().next().unwrap_or("systemd does not say why.").to_owned()
        }
        Ok(Err(error)) => format!("systemctl: {error}."),
        Err(_) => "systemd does not answer.".to_owned(),
    };
    let text = format!("{why}\nOpen a terminal and enter: liaison run");
    Err(("The service could not be started".to_owned(), text))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_users_terminal_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let path = std::env::join_paths([other.path(), folder.path()]).unwrap();
        assert!(emulator(&path).is_none());
        fs::write(other.path().join("x-terminal-emulator"), "").unwrap();
        assert_eq!(emulator(&path).unwrap().before, ["-e"]);
        fs::write(folder.path().join("xdg-terminal-exec"), "").unwrap();
        assert_eq!(emulator(&path).unwrap().program, folder.path().join("xdg-terminal-exec"));
    }
}
