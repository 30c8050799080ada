//! What `liaison doctor` finds on an installation, and what it ends with.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use super::installation::{Installation, Organisation};

/// Nobody listens there: the port is reserved (RFC 6335 §6).
const NOBODY: &str = "http://127.0.0.1:1";

fn part<'a>(told: &'a Json, name: &str) -> &'a Json {
    let parts = told["parts"].as_array().unwrap();
    let serves = |part: &&Json| part["parts"].as_array().unwrap().iter().any(|one| one == name);
    parts.iter().find(serves).unwrap_or_else(|| panic!("no {name}: {told}"))
}

fn grade<'a>(part: &'a Json, topic: &str) -> Vec<&'a str> {
    let findings = part["findings"].as_array().unwrap().iter();
    let of = findings.filter(|finding| finding["topic"] == topic);
    of.map(|finding| finding["grade"].as_str().unwrap()).collect()
}

#[test]
fn what_can_be_used_is_said_part_by_part() {
    let organisation = Organisation::serve();
    let here = Installation::new(&organisation.url, &organisation.tokens());
    let ran = here.run(&["doctor"]).ends(0);
    assert!(ran.out.lines().all(|line| line.chars().count() <= 80), "{}", ran.out);
    let heads: Vec<&str> =
        ran.out.lines().filter(|line| line.ends_with(')') && !line.starts_with(' ')).collect();
    let names: Vec<&str> = heads.iter().filter_map(|line| line.split(" (").next()).collect();
    assert_eq!(names, ["email", "contact", "appointment and task", "crm"], "{}", ran.out);
    assert!(ran.out.ends_with("within limits: see the lines with !\n"), "{}", ran.out);
    assert_eq!(ran.err, "");

    let told = here.json(&["doctor"]);
    assert_eq!((&told["version"], &told["usable"]), (&1.into(), &true.into()));
    let crm = part(&told, "crm");
    for topic in ["reachable", "sign-in", "clock", "strategy"] {
        assert_eq!(grade(crm, topic), ["good"], "{topic} {crm}");
    }
    assert_eq!(grade(crm, "certificate"), ["limited"]);
    for topic in ["rights", "capabilities"] {
        assert!(grade(crm, topic).iter().all(|grade| *grade == "good"), "{crm}");
    }
    assert_eq!(grade(crm, "feature"), [""; 0]);

    let only = here.json(&["doctor", "tasks", "crm"]);
    assert_eq!(only["parts"].as_array().unwrap().len(), 2);
    assert!(!here.path("state").exists(), "it writes nothing");
}

#[test]
fn a_refused_token_is_a_matter_of_signing_in() {
    let organisation = Organisation::serve();
    let here = Installation::new(&organisation.url, &organisation.tokens());
    here.configure(&organisation.url, "echo wrong-token", "");
    let told = here.run(&["doctor", "--json"]).ends(6).json();
    let crm = part(&told, "crm");
    assert_eq!((grade(crm, "reachable"), grade(crm, "sign-in")), (vec!["good"], vec!["bad"]));
    assert_eq!(told["usable"], false);
    here.run(&["doctor", "crm"]).ends(6).says("echo wrong-token");
    here.run(&["doctor", "email"]).ends(0);

    // Somebody else's token opens the organisation, but not for this mailbox.
    let bo = format!("cat '{}'", organisation.tokens().join("bo").display());
    here.configure(&organisation.url, &bo, "");
    here.run(&["doctor", "crm"]).ends(1).says("signed in as bo@example.org").says("aliases");
}

#[test]
fn what_is_not_there_is_said_and_the_rest_is_looked_at() {
    let here = Installation::new(NOBODY, Path::new("/nowhere"));
    here.configure(NOBODY, "echo a-token", "");
    fs::remove_dir_all(here.path("mailbox/contacts")).unwrap();
    let told = here.run(&["doctor", "--json"]).ends(1).json();
    assert_eq!(grade(part(&told, "crm"), "reachable"), ["bad"]);
    assert_eq!(grade(part(&told, "contact"), "reachable"), ["bad"]);
    assert_eq!(grade(part(&told, "email"), "reachable"), ["good"]);
    here.run(&["doctor", "crm"]).ends(1).says("127.0.0.1 cannot be reached").says("refused");
    here.run(&["doctor", "contact"]).ends(1).says("mailbox/contacts").says("→ make it");
}

#[test]
fn a_part_that_is_not_there_is_told_before_anything_is_asked() {
    let here = Installation::new(NOBODY, Path::new("/nowhere"));
    here.run(&["doctor", "emial"]).ends(2).says("email").says("submission");
    let ran = here.run(&["doctor", "submission"]).ends(78).says("no part `submission`");
    assert!(ran.err.contains("it has: email, contact, appointment, task, crm"), "{}", ran.err);
}
