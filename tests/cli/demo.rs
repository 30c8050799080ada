//! The demo, as a newcomer starts it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::installation::{liaison, run};

/// Every file of the mailbox with its bytes.
fn mailbox(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.join("mailbox")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.display().to_string(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn the_demo_moves_every_class_and_a_second_run_makes_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let demo =
        || run(liaison(folder.path()).args(["demo", "--dir", "play", "--json"])).ends(0).json();
    let first = demo();
    assert_eq!(first["last_round_operations"], 0, "{first}");
    assert_eq!((&first["duplicates"], &first["troubles"]), (&0.into(), &serde_json::json!([])));
    for class in ["contact", "task", "appointment", "email"] {
        let figures = &first["classes"][class];
        assert!(figures["created"]["crm"].as_u64().unwrap() > 10, "{class}: {figures}");
        assert!(figures["held"].as_u64().unwrap() > 5, "{class}: {figures}");
    }
    for class in ["contact", "task", "appointment"] {
        let figures = &first["classes"][class];
        assert!(figures["created"]["mailbox"].as_u64().unwrap() > 5, "{class}: {figures}");
        assert!(figures["quarantined"].as_u64().unwrap() > 0, "{class}: {figures}");
    }
    assert!(first["classes"]["contact"]["adopted"].as_u64().unwrap() >= 10, "{first}");
    assert!(first["classes"]["contact"]["conflicts"].as_u64().unwrap() >= 1, "{first}");
    assert_eq!(first["classes"]["task"]["deleted"]["crm"], 1, "{first}");
    assert_eq!(first["classes"]["contact"]["deleted"]["mailbox"], 1, "{first}");

    let before = mailbox(&folder.path().join("play"));
    let second = demo();
    assert_eq!((&second["last_round_operations"], &second["duplicates"]), (&0.into(), &0.into()));
    for (class, figures) in second["classes"].as_object().unwrap() {
        for kind in ["created", "updated", "deleted"] {
            for side in ["mailbox", "crm"] {
                assert_eq!(figures[kind][side], 0, "{class} {kind} {side}");
            }
        }
        assert_eq!(figures["linked"], first["classes"][class]["linked"], "{class}");
    }
    assert_eq!(second["url"], first["url"], "commands that were shown still hold");
    assert_eq!(mailbox(&folder.path().join("play")), before);
}

#[test]
fn the_story_fits_a_terminal_and_ends_with_where_to_look() {
    let folder = tempfile::tempdir().unwrap();
    let told = run(liaison(folder.path()).args(["demo", "--dir", "play"])).ends(0);
    assert_eq!(told.err, "");
    for line in told.out.lines().filter(|line| !line.contains(" --")) {
        assert!(line.chars().count() <= 80 || line.contains("play"), "{line}");
    }
    for part in ["liaison sandbox serve --dir", "0 operations", "explain", "history", "the crm won"]
    {
        assert!(told.out.contains(part), "{part}: {}", told.out);
    }
    // The commands that it ends with work.
    let flags = ["--config", "play/liaison.toml", "--state", "play/state"];
    run(liaison(folder.path()).args(flags).arg("history")).ends(0).says("demo");
    run(liaison(folder.path()).args(flags).arg("status")).ends(3).says("set aside");
}
