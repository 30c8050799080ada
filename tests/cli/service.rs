//! `liaison service`, before a service manager that writes down what it is told.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::installation::{Installation, Ran, run};

/// An installation with a `systemctl` of its own.
struct Session {
    here: Installation,
}

impl Session {
    /// `answers` is the body of its script, after the call is written down.
    fn open(answers: &str) -> Self {
        let here = Installation::new("http://127.0.0.1:1", Path::new("/nowhere"));
        fs::create_dir(here.path("bin")).unwrap();
        let calls = here.path("calls");
        let script = format!("#!/bin/sh\necho \"$*\" >> '{}'\n{answers}\n", calls.display());
        here.write("bin/systemctl", &script);
        fs::set_permissions(here.path("bin/systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
        Self { here }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.here.command(arguments);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.here.path("bin").display()));
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    /// What it was told since the last time.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.here.path("calls")).unwrap_or_default();
        drop(fs::remove_file(self.here.path("calls")));
        calls.lines().map(|call| call.trim_start_matches("--user ").to_owned()).collect()
    }

    fn unit(&self) -> Option<String> {
        fs::read_to_string(self.here.path(".config/systemd/user/liaison.service")).ok()
    }
}

const GREETING: &str = "show --property=Version";

#[test]
fn it_is_installed_with_its_configuration_and_state_and_goes_without_a_trace() {
    let session = Session::open("exit 0");
    session.run(&["service", "install"]).ends(0).says("the service runs").says("liaison log -f");
    let unit = session.unit().unwrap();
    let home = session.here.path("");
    let home = home.to_str().unwrap().trim_end_matches('/');
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let program = env!("CARGO_BIN_EXE_liaison");
    assert_eq!(line, format!("{program} run --config {home}/liaison.toml --state {home}/state"));
    assert_eq!(
        session.calls(),
        [
            GREETING,
            "daemon-reload",
            "enable liaison.service",
            "restart liaison.service",
            "enable liaison-tray.service",
            "restart liaison-tray.service"
        ]
    );
    session.run(&["service", "stop"]).ends(0);
    session.run(&["service", "start"]).ends(0);
    assert_eq!(
        session.calls(),
        [
            GREETING,
            "stop liaison-tray.service",
            "stop liaison.service",
            GREETING,
            "start liaison.service",
            "start liaison-tray.service"
        ]
    );
    session.run(&["uninstall"]).ends(0).says("liaison.service").says("--yes");
    assert!(session.unit().is_some());
    session.run(&["service", "uninstall"]).ends(0);
    assert_eq!(session.unit(), None);
    let calls = session.calls();
    assert!(calls.iter().any(|call| call == "disable liaison.service"), "{calls:?}");
    assert_eq!(calls.last().unwrap(), "daemon-reload");
    session.run(&["service", "uninstall"]).ends(0);
}

#[test]
fn without_a_manager_it_is_left_to_the_next_session_and_it_says_what_to_do() {
    let session = Session::open("echo 'Failed to connect to bus: No medium found' >&2; exit 1");
    let ran = session.run(&["service", "install"]).ends(3);
    for part in
        ["next session", "no service manager", "No medium found", "enable-linger", "liaison run"]
    {
        assert!(ran.out.contains(part) || ran.err.contains(part), "{part}: {ran:?}");
    }
    assert_eq!(ran.out.matches("written: ").count(), 3, "{}", ran.out);
    let units = session.here.path(".config/systemd/user");
    for (target, unit) in
        [("default", "liaison.service"), ("graphical-session", "liaison-tray.service")]
    {
        let link = units.join(format!("{target}.target.wants")).join(unit);
        assert_eq!(fs::read_link(&link).unwrap(), units.join(unit), "{}", link.display());
        fs::metadata(&link).unwrap();
    }
    session.run(&["service", "uninstall"]).ends(0);
    assert_eq!(session.unit(), None);
    session.run(&["service", "status"]).ends(1).says("no service manager");
    session.run(&["service", "install", "--no-start"]).ends(0).says("written: ");
    assert!(session.unit().is_some());
    session.run(&["service", "uninstall"]).ends(0);
    assert_eq!(session.unit(), None);
}

#[test]
fn how_it_is_is_told_in_the_words_of_the_manager() {
    let told = "printf 'LoadState=loaded\\nActiveState=active\\nStatusText=in step\\nMainPID=7\\n'";
    let session = Session::open(told);
    session.run(&["service", "status"]).ends(0).says("the service runs").says("in step");
    let json = session.run(&["service", "status", "--json"]).ends(0).json();
    assert_eq!((&json["active"], &json["manager"]["MainPID"]), (&true.into(), &"7".into()));

    let failed =
        Session::open("printf 'LoadState=loaded\\nActiveState=failed\\nResult=watchdog\\n'");
    failed.run(&["service", "status"]).ends(1).says("does not run").says("watchdog");
    let gone = Session::open("printf 'LoadState=not-found\\nActiveState=inactive\\n'");
    gone.run(&["service", "status"]).ends(1).says("not installed").says("liaison service install");
}

#[test]
fn what_the_manager_cannot_do_is_an_error() {
    let session =
        Session::open("case \"$*\" in *restart*) echo 'Job failed: timeout' >&2; exit 1;; esac");
    let ran = session.run(&["service", "install"]).ends(1);
    assert!(
        ran.err.contains("restart liaison.service") && ran.err.contains("Job failed"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("liaison log"), "{}", ran.err);
}
