//! The help texts, as a person reads them.

use super::installation::{liaison, run};

const COMMANDS: [&str; 65] = [
    "setup",
    "demo",
    "run",
    "sync",
    "plan",
    "approve",
    "status",
    "verify",
    "conflicts",
    "conflicts settle",
    "people",
    "people settle",
    "explain",
    "history",
    "undo",
    "outgoing",
    "outgoing sent",
    "outgoing again",
    "track",
    "untrack",
    "regarding",
    "record",
    "record list",
    "record get",
    "record fields",
    "record create",
    "record update",
    "record delete",
    "search",
    "offline",
    "online",
    "outbox",
    "outbox list",
    "outbox show",
    "outbox retry",
    "outbox edit",
    "outbox drop",
    "outbox settle",
    "filter",
    "filter list",
    "filter show",
    "filter add",
    "filter edit",
    "filter enable",
    "filter disable",
    "filter reset",
    "filter preview",
    "filter test",
    "auth",
    "auth login",
    "auth status",
    "auth logout",
    "config",
    "doctor",
    "log",
    "service",
    "service install",
    "service uninstall",
    "service status",
    "service start",
    "service stop",
    "uninstall",
    "sandbox",
    "sandbox serve",
    "completions",
];

#[test]
fn the_help_reads_as_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = run(liaison(folder.path()).arg("--help")).ends(0).out;
    for command in COMMANDS {
        let help = run(liaison(folder.path()).args(command.split(' ')).arg("--help")).ends(0).out;
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        // What every command understands is shown once.
        let own = help.split("\nCommon options:").next().unwrap().to_owned();
        let examples = help.split_once("\nExample").map_or("", |(_, examples)| examples);
        all.extend(["\n\n=== liaison ", command, "\n", &own, "\nExample", examples]);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn every_command_has_a_page_in_the_manual() {
    let folder = tempfile::tempdir().unwrap();
    run(liaison(folder.path()).args(["man", "manual"])).ends(0);
    for command in COMMANDS {
        let page = format!("manual/man1/liaison-{}.1", command.replace(' ', "-"));
        assert!(folder.path().join(&page).exists(), "{page}");
    }
    assert!(folder.path().join("manual/man5/liaison.toml.5").exists());
}

#[test]
fn every_shell_can_be_completed() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        run(liaison(folder.path()).args(["completions", shell])).ends(0).says("untrack");
    }
}

#[test]
fn the_version_is_data() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(liaison(folder.path()).arg("--version")).ends(0);
    assert_eq!(ran.out, format!("liaison {}\n", env!("CARGO_PKG_VERSION")));
}
