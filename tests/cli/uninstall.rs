//! `liaison uninstall`: what it leaves on both sides, and what it does not do before it was told twice.

use std::collections::BTreeMap;
use std::fs;

use super::installation::{Installation, Organisation};

/// All files of the mailbox.
fn mailbox(here: &Installation) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for folder in ["contacts", "calendar", "mail/cur", "mail/new"] {
        for entry in fs::read_dir(here.path("mailbox").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            files.insert(path.display().to_string(), fs::read_to_string(&path).unwrap());
        }
    }
    files
}

/// What the organisation has of Anna's.
fn records(organisation: &Organisation) -> [usize; 2] {
    [organisation.rows("contacts").len(), organisation.rows("tasks").len()]
}

fn in_step(organisation: &Organisation) -> Installation {
    let here = Installation::new(&organisation.url, &organisation.tokens());
    here.card("ann", "Ann Smith", "+44 20 7946 0001", true);
    here.card("bob", "Bob Jones", "+44 20 7946 0002", true);
    organisation
        .change("tasks(6f0c3c1e-86a5-5b53-9a3c-2d1f5e0b7a42)", r#"{"subject":"Write the report"}"#);
    here.run(&["plan"]).ends(4);
    here.run(&["approve", "--all"]).ends(0);
    here.run(&["sync"]).ends(0);
    here
}

#[test]
fn both_sides_keep_what_they_have_and_a_new_start_finds_the_same_pairs() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    here.run(&["offline", "contact"]).ends(0);
    here.run(&["online"]).ends(0);
    here.write("state/notes.txt", "somebody else's");
    let (items, rows) = (mailbox(&here), records(&organisation));
    assert_eq!((items.len(), rows), (3, [2, 1]));

    let told = here
        .run(&["uninstall", "--unlink"])
        .ends(0)
        .says("2 contacts, 1 task")
        .says("offline copy");
    assert!(told.out.lines().all(|line| line.chars().count() <= 160), "{}", told.out);
    assert!(here.path("state/store.db").exists());
    here.run(&["instance", "status"]).ends(0).says("this computer syncs");

    here.run(&["uninstall", "--unlink", "--yes"]).ends(0).says("keep what they have");
    let left: Vec<_> =
        fs::read_dir(here.path("state")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["notes.txt"]);
    assert!(here.path("liaison.toml").exists());
    assert_eq!((mailbox(&here), records(&organisation)), (items.clone(), rows));
    here.run(&["uninstall", "--unlink", "--yes"]).ends(0);

    // A new computer is not told that another one syncs, and makes nothing twice.
    let other = |arguments: &[&str]| {
        let mut command = super::installation::liaison(&here.path(""));
        command.args(["--config", "liaison.toml", "--state", "other"]).args(arguments);
        super::installation::run(&mut command)
    };
    other(&["instance", "status"]).ends(0);
    let plan = other(&["plan", "--json"]).ends(0).json();
    let classes = plan["classes"].as_object().unwrap();
    assert!(classes.values().all(|class| class["go"] == serde_json::json!([])), "{plan:#}");
    other(&["sync"]).ends(0);
    assert_eq!((mailbox(&here), records(&organisation)), (items, rows));
}

#[test]
fn what_is_nowhere_else_stops_it() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    here.run(&["offline", "contact"]).ends(0);
    here.run(&["record", "create", "contact", "lastname=Kept"]).ends(0);
    here.run(&["uninstall", "--unlink"]).ends(4).says("1 edits not sent").says("--drop-outbox");
    here.run(&["uninstall", "--unlink", "--yes"]).ends(4).says("1 edits not sent");
    assert!(here.path("state/store.db").exists());
    let copy = fs::read_dir(here.path("state/offline")).unwrap().count();
    assert!(copy > 0);
    // It is offline, so that the role cannot be given up either.
    here.run(&["uninstall", "--unlink", "--yes", "--drop-outbox"]).ends(75).says("--without-crm");
    here.run(&["uninstall", "--unlink", "--yes", "--drop-outbox", "--without-crm"]).ends(0);
    assert!(!here.path("state").exists());
    assert_eq!(organisation.rows("contacts").len(), 2);
}

#[test]
fn an_organisation_that_is_gone_does_not_keep_anybody() {
    let mut organisation = Organisation::serve();
    let here = in_step(&organisation);
    organisation.stop();
    let ran = here.run(&["uninstall", "--unlink", "--yes"]);
    assert_ne!(ran.code, 0);
    assert!(
        ran.err.contains("--without-crm") && here.path("state/store.db").exists(),
        "{}",
        ran.err
    );
    // Not even a configuration is needed.
    fs::remove_file(here.path("liaison.toml")).unwrap();
    here.run(&["uninstall", "--unlink", "--yes", "--without-crm"]).ends(0);
    assert!(!here.path("state").exists());
    organisation.resume();
}
