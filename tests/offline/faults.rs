//! An organisation that asks for pauses, lets tokens expire, and loses replies after doing the work: the same end, and nothing
//! twice.

use serde_json::json;

use super::scene::{Scene, office};
use crate::cli::installation::{Installation, Organisation};

#[test]
fn pauses_expired_tokens_and_lost_replies_change_nothing() {
    let mut scene = Scene::set(7, 300);
    scene.colleagues_work();
    let batch = |fault: &str, skip: u32| {
        format!(r#"{{"fault": {fault}, "path": "$batch", "user": "anna", "skip": {skip}}}"#)
    };
    // WhoAmI and the definitions come first; then waves.
    for (skip, fault) in [
        (1, r#"{"status": {"status": 429, "code": "0x80072322", "retry_after": 1}}"#),
        (0, r#"{"status": {"status": 429, "code": "0x80072321", "retry_after": 2}}"#),
        (0, r#""drop-reply""#),
        (0, r#""unauthorized""#),
        (0, r#""cut-reply""#),
        (0, r#"{"html": {"status": 503}}"#),
        (0, r#""drop-request""#),
    ] {
        scene.organisation.steer("faults", &batch(fault, skip));
    }
    scene.organisation.steer("expire", r#"{"user": "anna"}"#);
    let report = scene.online();
    assert!(report["replay"]["stopped"].is_null(), "{report:#}");
    scene.check();
}

/// A record was made, and nobody was told: what was entered waits.
fn made_without_an_answer() -> (Organisation, Installation) {
    let (organisation, anna) = office();
    anna.run(&["offline"]).ends(0);
    anna.run(&["record", "create", "contact", "firstname=Ann", "lastname=Smith"]).ends(0);
    organisation
        .steer("faults", r#"{"fault": "drop-reply", "path": "$batch", "count": 50, "skip": 1}"#);
    anna.run(&["online"]).ends(75).says("1 edit in the outbox");
    (organisation, anna)
}

#[test]
fn without_an_answer_nothing_is_lost_and_the_next_one_settles_it() {
    let (organisation, anna) = made_without_an_answer();
    anna.run(&["outbox", "list"]).ends(0).says("looked up first");
    assert_eq!(organisation.rows("contacts?$select=fullname").len(), 1);
    let (status, _) = organisation.forget_faults();
    assert_eq!(status, 204);
    anna.run(&["online"]).ends(0);
    assert_eq!(organisation.rows("contacts?$select=fullname").len(), 1);
    assert_eq!(organisation.audit()["contact"]["creates"], 1);
    anna.run(&["outbox", "list"]).ends(0).says("nothing waits");
}

/// A colleague fills a column of it before the user does.
#[test]
fn what_a_colleague_wrote_into_a_record_whose_making_had_no_answer_stays() {
    let (organisation, anna) = made_without_an_answer();
    let there = organisation.rows("contacts?$select=fullname").remove(0);
    let contact = there["contactid"].as_str().unwrap();
    organisation.change(&format!("contacts({contact})"), r#"{"jobtitle": "Director"}"#);
    // Still without an answer: it is made on what is kept.
    anna.run(&["record", "update", "contact", contact, "jobtitle=Boss", "telephone1=1"]);
    organisation.forget_faults();
    anna.run(&["online"]).ends(5).says("1 contested");
    let there = organisation.rows("contacts?$select=jobtitle,telephone1").remove(0);
    assert_eq!((&there["jobtitle"], &there["telephone1"]), (&json!("Director"), &json!("1")));
    let collision = &anna.json(&["outbox", "list"])["collisions"][0];
    assert_eq!((&collision["ours"], &collision["theirs"]), (&json!("Boss"), &json!("Director")));
}
