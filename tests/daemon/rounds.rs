//! Rounds begin by themselves, one class does not wait for another, and what goes away comes back.

use std::fs;

use serde_json::json;

use super::service::Service;
use crate::cli::installation::{Installation, Organisation};
use crate::support::servers::process::eventually;

/// Anna's folders and her organisation, with all first plans approved.
pub fn in_step(organisation: &Organisation) -> Installation {
    let here = Installation::new(&organisation.url, &organisation.tokens());
    here.card("ann", "Ann Smith", "+49 30 1", true);
    here.run(&["sync"]).ends(4);
    here.run(&["approve", "--all"]).ends(0);
    here.run(&["sync"]).ends(0);
    here
}

fn contacts(organisation: &Organisation) -> Vec<String> {
    let rows = organisation.rows("contacts?$select=fullname,telephone1&$orderby=fullname");
    rows.iter().map(|row| format!("{} {}", row["fullname"], row["telephone1"])).collect()
}

#[test]
fn what_is_saved_in_the_mailbox_appears_in_the_crm_by_itself() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let service = Service::start(&here);
    service.reaches("in-step");
    here.card("ann", "Ann Smith", "+49 30 2", true);
    here.card("bob", "Bob Brown", "+49 30 3", true);
    eventually("both are in the CRM", || {
        contacts(&organisation) == ["\"Ann Smith\" \"+49 30 2\"", "\"Bob Brown\" \"+49 30 3\""]
    });
    let status = service.reaches("in-step");
    assert_eq!(status["classes"][0]["linked"], 2, "{status:#}");
    here.run(&["status"]).ends(0).says("everything is in step");
}

#[test]
fn what_changes_in_the_crm_is_found_in_time() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let text = here.read("liaison.toml");
    here.write("liaison.toml", &format!("{text}\n[service]\ninterval = 1\n"));
    let _service = Service::start(&here);
    let id = organisation.rows("contacts?$select=contactid")[0]["contactid"].clone();
    let path = format!("contacts({})", id.as_str().unwrap());
    organisation.change(&path, r#"{"telephone1":"+49 30 9"}"#);
    eventually("it is in the card", || here.read("mailbox/contacts/ann.vcf").contains("+49 30 9"));
}

#[test]
fn an_organisation_that_goes_away_and_comes_back_loses_nothing() {
    let mut organisation = Organisation::serve();
    let here = in_step(&organisation);
    let service = Service::start(&here);
    service.reaches("in-step");
    organisation.stop();
    here.card("ann", "Ann Smith", "+49 30 2", true);
    let status = service.reaches("offline");
    assert!(status["needs"].as_array().unwrap().is_empty(), "nobody can do anything: {status:#}");
    here.run(&["status"]).ends(75);
    organisation.resume();
    eventually("it is in the CRM", || contacts(&organisation) == ["\"Ann Smith\" \"+49 30 2\""]);
    service.reaches("in-step");
}

#[test]
fn a_refused_sign_in_is_asked_for_once_and_tried_again_when_told() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let token = organisation.tokens().join("anna");
    let right = fs::read_to_string(&token).unwrap();
    fs::write(&token, "wrong").unwrap();
    let service = Service::start(&here);
    let status = service.reaches("sign-in");
    assert_eq!(status["needs"].as_array().unwrap().len(), 1, "{status:#}");
    assert_eq!(status["needs"][0]["kind"], "sign-in");
    here.run(&["status"]).ends(6);
    fs::write(&token, right).unwrap();
    service.client().ask(&json!("reload"));
    service.reaches("in-step");
}

#[test]
fn a_changed_configuration_is_taken_over_whole_or_not_at_all() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let service = Service::start(&here);
    service.reaches("in-step");
    let text = here.read("liaison.toml");
    here.write("liaison.toml", &format!("{text}\n[service]\ninterval = 0\n"));
    let status = service.reaches("held");
    assert_eq!(status["needs"][0]["kind"], "configuration", "{status:#}");
    // The one before is still in force.
    here.card("ann", "Ann Smith", "+49 30 4", true);
    eventually("it is in the CRM", || contacts(&organisation) == ["\"Ann Smith\" \"+49 30 4\""]);
    here.run(&["sync"]).ends(0);
    service.client().ask(&json!("reload"));
    here.card("ann", "Ann Smith", "+49 30 5", true);
    eventually("that, too", || contacts(&organisation) == ["\"Ann Smith\" \"+49 30 5\""]);
    let status = service.reaches("held");
    assert_eq!(status["organisation"], "test", "{status:#}");
    here.write("liaison.toml", &format!("{text}\n[sync.contact]\ntrack = \"all\"\n"));
    service.reaches("in-step");
    here.card("bob", "Bob Brown", "+49 30 5", false);
    eventually("everybody is tracked", || contacts(&organisation).len() == 2);
}

#[test]
fn nothing_begins_while_it_is_paused() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let service = Service::start(&here);
    service.reaches("in-step");
    let mut client = service.client();
    client.ask(&json!({ "pause": {} }));
    service.reaches("paused");
    here.card("ann", "Ann Smith", "+49 30 6", true);
    // A command is a person's word, and passes.
    here.run(&["explain", "Ann Smith"]).ends(0);
    assert_eq!(contacts(&organisation), ["\"Ann Smith\" \"+49 30 1\""]);
    client.ask(&json!("resume"));
    eventually("it is in the CRM", || contacts(&organisation) == ["\"Ann Smith\" \"+49 30 6\""]);
}

#[test]
fn who_goes_offline_is_left_alone_until_they_come_back() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let service = Service::start(&here);
    service.reaches("in-step");
    here.run(&["offline", "contact"]).ends(0);
    service.reaches("offline");
    here.run(&["record", "update", "contact", "Ann Smith", "telephone1=+49 30 7"]).ends(0);
    assert_eq!(contacts(&organisation), ["\"Ann Smith\" \"+49 30 1\""]);
    here.run(&["online"]).ends(0);
    eventually("it is in the card", || here.read("mailbox/contacts/ann.vcf").contains("+49 30 7"));
    service.reaches("in-step");
}
