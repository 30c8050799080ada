//! Passwords in the keyring: open, closed, frozen, absent.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::desktop::Desktop;
use crate::cli::installation::Ran;
use crate::support::servers::PASSWORD;
use crate::support::servers::dovecot::{self, Dovecot};
use crate::support::servers::keyring::Keyring;

/// Longer than anybody is kept waiting by a keyring.
const LONGEST: Duration = Duration::from_secs(6);

fn office() -> (Desktop, Dovecot) {
    let dovecot = Dovecot::start(dovecot::Options::default());
    let desktop = Desktop::open(3600, |_| {
        format!(
            "\n[mailbox.email]\nkind = \"imap\"\nhost = \"localhost\"\nport = {}\nca = '{}'\nuser = \"anna\"\n\
             password = {{ keyring = true }}\n\
             \n[mailbox.submission]\nhost = \"localhost\"\n",
            dovecot.imaps,
            dovecot.authority.display()
        )
    });
    (desktop, dovecot)
}

fn store(desktop: &Desktop, password: &str) -> Ran {
    let mut command = desktop.command(&["auth", "login", "mailbox", "--password-stdin"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap_or(-1);
    Ran { code, out: text(output.stdout), err: text(output.stderr) }
}

/// It says so, and soon.
#[track_caller]
fn at_once(desktop: &Desktop, arguments: &[&str], says: &str) {
    let begun = Instant::now();
    let ran = desktop.run(arguments).says(says);
    let took = begun.elapsed();
    assert_ne!(ran.code, 0, "{ran:?}");
    assert!(took < LONGEST, "{took:?} until {ran:?}");
}

#[test]
fn a_password_is_stored_once_and_serves_what_shares_it() {
    let (desktop, _dovecot) = office();
    desktop.run(&["doctor", "email"]).ends(6).says("liaison auth login");
    store(&desktop, &format!("{PASSWORD}\n")).ends(0).says("email and submission");
    desktop.run(&["doctor", "email"]).ends(0);
    let shown = desktop.run(&["auth", "status"]);
    assert!(!shown.out.contains("cret"), "{shown:?}");
    shown.says("✓ email and submission (anna at localhost)");
    store(&desktop, "\n").ends(6).says("no password");
    desktop.run(&["auth", "logout", "email", "--yes"]).ends(0).says("signed out");
    desktop.run(&["doctor", "email"]).ends(6);
}

#[test]
fn a_closed_keyring_says_so_and_is_used_again_once_it_is_open() {
    let (mut desktop, _dovecot) = office();
    store(&desktop, PASSWORD).ends(0);
    desktop.sign_in();
    desktop.keyring.lock();
    at_once(&desktop, &["doctor", "email"], "the keyring is locked");
    at_once(&desktop, &["doctor", "crm"], "the keyring is locked");
    at_once(&desktop, &["auth", "login", "mailbox", "--password-stdin"], "");
    desktop.keyring.unlock();
    desktop.run(&["doctor", "email"]).ends(0);
    desktop.run(&["doctor", "crm"]).ends(0);
}

#[test]
fn a_keyring_that_hangs_or_is_missing_holds_nobody_up() {
    let (mut desktop, _dovecot) = office();
    store(&desktop, PASSWORD).ends(0);
    desktop.keyring.freeze();
    at_once(&desktop, &["doctor", "email"], "the keyring gave no answer in 5 s");
    desktop.keyring = Keyring::absent();
    at_once(&desktop, &["doctor", "email"], "there is no keyring here");
}
