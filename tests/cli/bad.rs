//! What goes wrong before or around a sync: a clear sentence, the next step, the right exit code, nothing lost.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::installation::{Installation, Organisation, liaison, run};

/// Nobody listens there: the port is reserved (RFC 6335 §6).
const NOBODY: &str = "http://127.0.0.1:1";

fn alone() -> Installation {
    let here = Installation::new(NOBODY, Path::new("/nowhere"));
    here.configure(NOBODY, "echo a-token", "");
    here
}

#[test]
fn a_wrong_command_line_is_told_what_is_right() {
    let here = alone();
    here.run(&["snyc"]).ends(2).says("sync");
    here.run(&["sync", "--class", "note"]).ends(2).says("appointment");
    here.run(&["undo"]).ends(2).says("<ROUND>");
    here.run(&["approve", "3", "--all"]).ends(2).says("cannot be used with");
    here.run(&["conflicts", "settle", "1", "both"]).ends(2).says("mailbox");
}

#[test]
fn a_configuration_that_cannot_be_used_is_named_with_its_place() {
    let here = alone();
    here.configure(NOBODY, "true", "\n[sync.contact]\ntrak = \"all\"\n");
    let ran = here.run(&["status"]).ends(78);
    assert!(ran.err.contains("liaison.toml:28:1: unknown key `trak`"), "{}", ran.err);
    assert!(ran.err.contains("did you mean `track`?"), "{}", ran.err);
    assert!(!here.path("state").exists());

    let folder = tempfile::tempdir().unwrap();
    let missing = run(liaison(folder.path()).args(["sync", "--config", "none.toml"])).ends(78);
    missing.says("none.toml").says("--config");
}

#[test]
fn an_organisation_that_cannot_be_reached_is_tried_later() {
    let here = alone();
    here.card("ann", "Ann Smith", "+44 20 7946 0001", true);
    let before = here.read("mailbox/contacts/ann.vcf");
    here.run(&["sync"]).ends(75).says("organisation `test` at http://127.0.0.1:1/").says("→ ");
    assert_eq!(here.read("mailbox/contacts/ann.vcf"), before);
    // What needs no network goes on.
    here.run(&["status"]).ends(3).says("not synced yet");
}

#[test]
fn a_token_that_is_refused_or_missing_names_the_command() {
    let organisation = Organisation::serve();
    let here = Installation::new(&organisation.url, &organisation.tokens());
    here.configure(&organisation.url, "echo wrong-token", "");
    let ran = here.run(&["sync"]).ends(6).says("echo wrong-token");
    assert!(ran.err.contains("→ "), "{}", ran.err);
    here.configure(&organisation.url, "false", "");
    here.run(&["sync"]).ends(6).says("run it by hand");
}

#[test]
fn a_class_without_its_folder_stops_no_other() {
    let organisation = Organisation::serve();
    let here = Installation::new(&organisation.url, &organisation.tokens());
    here.card("ann", "Ann Smith", "+44 20 7946 0001", true);
    fs::remove_dir_all(here.path("mailbox/calendar")).unwrap();
    here.run(&["plan"]).says("mailbox/calendar").says("Ann Smith");
    here.run(&["approve", "--all"]).ends(0);
    let ran = here.run(&["sync"]).says("mailbox/calendar");
    assert_ne!(ran.code, 0);
    assert_eq!(organisation.rows("contacts?$select=lastname").len(), 1);
    here.run(&["status"]).says("failed");
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let here = alone();
    here.run(&["status"]).ends(3);
    let path = here.path("state/store.db");
    let store = rusqlite::Connection::open(&path).unwrap();
    store.pragma_update(None, "user_version", 10_000).unwrap();
    drop(store);
    let before = fs::read(&path).unwrap();
    here.run(&["status"]).ends(1).says("newer version of Liaison");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn only_one_process_writes() {
    let here = alone();
    fs::create_dir(here.path("state")).unwrap();
    let lock = fs::File::create(here.path("state/lock")).unwrap();
    lock.lock().unwrap();
    for command in [["sync"].as_slice(), &["plan"], &["undo", "1"]] {
        here.run(command).ends(7).says("at work on this state already").says("--state");
    }
    // Looking is always possible.
    here.run(&["status"]).ends(3);
    here.run(&["approve"]).ends(0);
    // A program that another test is just starting may hold the file until it runs.
    lock.unlock().unwrap();
    here.run(&["sync"]).ends(75);
}

#[test]
fn a_state_belongs_to_one_mailbox_and_one_organisation() {
    let organisation = Organisation::serve();
    let here = Installation::new(&organisation.url, &organisation.tokens());
    here.card("ann", "Ann Smith", "+44 20 7946 0001", true);
    here.run(&["plan"]).ends(4);
    here.run(&["approve", "--all"]).ends(0);
    here.run(&["sync"]).ends(0);

    let other = Organisation::serve();
    let tokens = format!("cat '{}'", other.tokens().join("anna").display());
    here.configure(&other.url, &tokens, "");
    here.run(&["sync"]).ends(78).says("this state belongs to the organisation").says("--state");
    assert_eq!(other.rows("contacts?$select=lastname").len(), 0);

    let bo = format!("cat '{}'", organisation.tokens().join("bo").display());
    here.configure(&organisation.url, &bo, "");
    here.run(&["sync"]).ends(78).says("the CRM knows you as bo@example.org").says("aliases");
    here.configure(&organisation.url, &bo, "");
    let text = here.read("liaison.toml").replace("anna@example.org", "bo@example.org");
    here.write("liaison.toml", &text);
    here.run(&["sync"]).ends(78).says("this state belongs to the mailbox anna@example.org");
}

#[test]
fn the_sandbox_serves_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    for listen in ["0.0.0.0:0", "nowhere", "127.0.0.1"] {
        let mut command = liaison(folder.path());
        command.args(["sandbox", "serve", "--dir", "x", "--listen", listen]);
        run(&mut command).ends(2).says("127.0.0.1");
    }
}

#[test]
fn what_is_not_known_is_said_so() {
    let here = alone();
    here.run(&["explain", "Nobody"]).ends(1).says("“Nobody”").says("liaison sync");
    here.run(&["history", "--round", "9"]).ends(1).says("no round 9");
    here.run(&["approve", "9"]).ends(1).says("no hold 9");
    here.run(&["conflicts", "settle", "9", "crm"]).ends(1).says("no conflict 9");
    here.run(&["track", "nobody.vcf"]).ends(1).says("nobody.vcf");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let here = alone();
    let mut child = here
        .command(&["config", "show"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
