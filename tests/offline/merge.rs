//! What colleagues did meanwhile: merged column by column, and never overwritten.

use serde_json::json;

use super::scene::{id, office};
use crate::cli::installation::{Installation, Organisation};

#[test]
fn columns_that_nobody_else_touched_go_and_a_colleague_s_value_stays() {
    let (organisation, anna) = office();
    let contact = id(&anna.json(&[
        "record",
        "create",
        "contact",
        "firstname=Ann",
        "lastname=Smith",
        "jobtitle=Clerk",
    ]));
    anna.run(&["offline"]).ends(0);
    anna.run(&[
        "record",
        "update",
        "contact",
        &contact,
        "jobtitle=Boss",
        "telephone1=1",
        "department=Sales",
    ])
    .ends(0);
    let row = format!("contacts({contact})");
    organisation
        .change(&row, r#"{"jobtitle": "Director", "department": "Sales", "nickname": "A"}"#);
    anna.run(&["online"]).ends(5).says("1 contested");
    let there =
        organisation.rows("contacts?$select=jobtitle,telephone1,department,nickname")[0].clone();
    let values = ["jobtitle", "telephone1", "department", "nickname"]
        .map(|column| there[column].as_str().unwrap().to_owned());
    assert_eq!(values, ["Director", "1", "Sales", "A"]);
    let outbox = anna.json(&["outbox", "list"]);
    assert_eq!(outbox["edits"], json!([]));
    let collision = &outbox["collisions"][0];
    assert_eq!(
        (&collision["column"], &collision["base"], &collision["ours"], &collision["theirs"]),
        (&json!("jobtitle"), &json!("Clerk"), &json!("Boss"), &json!("Director"))
    );
    anna.run(&["conflicts"]).says("liaison outbox settle 1 mine");
    // One command flips it.
    anna.run(&["outbox", "settle", "1", "mine"]).ends(0);
    anna.run(&["online"]).ends(0);
    assert_eq!(organisation.rows("contacts?$select=jobtitle")[0]["jobtitle"], "Boss");
    anna.run(&["outbox", "list"]).says("nothing waits");
}

#[test]
fn a_second_edit_does_not_slip_past_a_collision_of_the_first() {
    let (organisation, anna) = office();
    let contact = id(&anna.json(&[
        "record",
        "create",
        "contact",
        "firstname=Ann",
        "lastname=Smith",
        "jobtitle=Clerk",
    ]));
    anna.run(&["offline"]).ends(0);
    anna.run(&["record", "update", "contact", &contact, "jobtitle=Boss"]).ends(0);
    let account = id(&anna.json(&["record", "create", "account", "name=Contoso"]));
    // It refers to what was made after the first one, so it is an edit of its own.
    let customer = format!("parentcustomerid=account/{account}");
    anna.run(&["record", "update", "contact", &contact, "jobtitle=Chief", &customer]).ends(0);
    assert_eq!(anna.json(&["outbox", "list"])["edits"].as_array().unwrap().len(), 3);
    organisation.change(&format!("contacts({contact})"), r#"{"jobtitle": "Director"}"#);
    anna.run(&["online"]).ends(5);
    let there = organisation.rows("contacts?$select=jobtitle,_parentcustomerid_value")[0].clone();
    assert_eq!(there["jobtitle"], "Director");
    assert_eq!(there["_parentcustomerid_value"], account.as_str());
    let collisions = anna.json(&["outbox", "list"])["collisions"].take();
    let ours: Vec<&str> = collisions
        .as_array()
        .unwrap()
        .iter()
        .map(|found| found["ours"].as_str().unwrap())
        .collect();
    assert_eq!(ours, ["Boss", "Chief"]);
}

#[test]
fn what_rests_on_an_edit_follows_when_that_is_corrected_and_dropped() {
    let (organisation, anna) = office();
    let contact = ["record", "create", "contact", "lastname=Smith", "jobtitle=Clerk"];
    let contact = id(&anna.json(&contact));
    anna.run(&["offline"]).ends(0);
    anna.run(&["record", "update", "contact", &contact, "jobtitle=Boss"]).ends(0);
    let account = id(&anna.json(&["record", "create", "account", "name=Contoso"]));
    let customer = format!("parentcustomerid=account/{account}");
    anna.run(&["record", "update", "contact", &contact, "jobtitle=Chief", &customer]).ends(0);
    let first = anna.json(&["outbox", "list"])["edits"][0]["edit"].to_string();
    anna.run(&["outbox", "edit", &first, "jobtitle=Head"]).ends(0);
    anna.run(&["outbox", "drop", &first]).ends(0);
    // The second one now stands on what the organisation says: a colleague's other column is no dispute.
    organisation.change(&format!("contacts({contact})"), r#"{"telephone1": "5"}"#);
    anna.run(&["online"]).ends(0);
    let there = organisation.rows("contacts?$select=jobtitle,telephone1")[0].clone();
    assert_eq!((&there["jobtitle"], &there["telephone1"]), (&json!("Chief"), &json!("5")));
    assert_eq!(anna.json(&["outbox", "list"])["collisions"], json!([]));
}

#[test]
fn deleted_on_one_side_and_changed_on_the_other_waits_for_a_person() {
    let (organisation, anna) = office();
    let make = |name: &str| {
        id(&anna.json(&[
            "record",
            "create",
            "contact",
            "firstname=Ann",
            &format!("lastname={name}"),
        ]))
    };
    let (edited, deleted, both) = (make("Edited"), make("Deleted"), make("Both"));
    anna.run(&["offline"]).ends(0);
    anna.run(&["record", "update", "contact", &edited, "jobtitle=Boss"]).ends(0);
    anna.run(&["record", "delete", "contact", &deleted, &both]).ends(0);
    organisation.delete(&format!("contacts({edited})"));
    organisation.delete(&format!("contacts({both})"));
    organisation.change(&format!("contacts({deleted})"), r#"{"telephone1": "5"}"#);
    anna.run(&["online"]).ends(3);
    let outbox = anna.json(&["outbox", "list"]);
    let parked: Vec<(&str, &str)> = outbox["edits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edit| (edit["name"].as_str().unwrap(), edit["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(
        parked,
        [
            ("Ann Edited", "a colleague deleted the record that you changed"),
            ("Ann Deleted", "a colleague changed it after you deleted it"),
        ]
    );
    assert_eq!(organisation.rows("contacts?$select=telephone1").len(), 1);
    // The user's word: delete it all the same, and forget the other.
    let number = |place: usize| outbox["edits"][place]["edit"].to_string();
    anna.run(&["outbox", "drop", &number(0)]).ends(0);
    anna.run(&["outbox", "retry", &number(1)]).ends(0);
    anna.run(&["online"]).ends(0);
    assert_eq!(organisation.rows("contacts?$select=telephone1").len(), 0);
}

#[test]
fn what_is_refused_waits_with_its_reason_and_so_does_what_rests_on_it() {
    let (organisation, anna) = office();
    anna.run(&["offline"]).ends(0);
    let account = id(&anna.json(&["record", "create", "account", "name=Contoso"]));
    let contact = id(&anna.json(&[
        "record",
        "create",
        "contact",
        "firstname=Ann",
        "lastname=Smith",
        &format!("parentcustomerid=account/{account}"),
    ]));
    anna.run(&[
        "record",
        "create",
        "task",
        "subject=Call",
        &format!("regardingobjectid=contact/{contact}"),
    ])
    .ends(0);
    anna.run(&["record", "create", "lead", "firstname=Bob", "lastname=Jones"]).ends(0);
    organisation
        .steer("privileges", r#"{"user": "anna", "privilege": "prvCreateAccount", "depth": null}"#);
    anna.run(&["online"]).ends(3).says("1 edits there");
    let outbox = anna.json(&["outbox", "list"]);
    let edits = outbox["edits"].as_array().unwrap();
    assert_eq!(edits.len(), 3, "{outbox:#}");
    assert!(edits[0]["reason"].as_str().unwrap().contains("privilege"), "{outbox:#}");
    assert_eq!(
        (&edits[1]["waits_for"], &edits[2]["waits_for"]),
        (&edits[0]["edit"], &edits[0]["edit"])
    );
    anna.run(&["outbox", "list"]).ends(0).says("waits for edit");
    anna.run(&["outbox", "drop", &edits[0]["edit"].to_string()]).ends(1).says("refers to the row");
    organisation.steer(
        "privileges",
        r#"{"user": "anna", "privilege": "prvCreateAccount", "depth": "Global"}"#,
    );
    anna.run(&["outbox", "edit", &edits[0]["edit"].to_string(), "name=Contoso Ltd"]).ends(0);
    anna.run(&["online"]).ends(0).says("3 edits there");
    assert_eq!(organisation.rows("accounts?$select=name")[0]["name"], "Contoso Ltd");
    assert_eq!(
        organisation.rows("tasks?$select=_regardingobjectid_value")[0]["_regardingobjectid_value"],
        contact.as_str()
    );
}

/// A contact that anna changed and was refused, while a colleague wrote into the same column; she wants it sent once more, with the
/// copy brought up to date.
fn refused_and_sent_again() -> (Organisation, Installation, String) {
    let (organisation, anna) = office();
    let contact = id(&anna.json(&["record", "create", "contact", "lastname=Smith"]));
    anna.run(&["offline"]).ends(0);
    anna.run(&["record", "update", "contact", &contact, "jobtitle=Boss"]).ends(0);
    organisation.change(&format!("contacts({contact})"), r#"{"jobtitle": "Director"}"#);
    let may_write = |depth: &str| {
        let privilege =
            format!(r#"{{"user": "anna", "privilege": "prvWriteContact", "depth": {depth}}}"#);
        organisation.steer("privileges", &privilege);
    };
    may_write("null");
    anna.run(&["online"]).ends(3);
    may_write(r#""Global""#);
    anna.run(&["offline"]).ends(3);
    let parked = anna.json(&["outbox", "list"])["edits"][0]["edit"].to_string();
    anna.run(&["outbox", "retry", &parked]).ends(0);
    (organisation, anna, contact)
}

#[test]
fn a_further_change_does_not_go_over_what_a_colleague_wrote_below_the_first() {
    let (organisation, anna, contact) = refused_and_sent_again();
    anna.run(&["record", "update", "contact", &contact, "jobtitle=Chief"]).ends(0);
    anna.run(&["online"]).ends(5).says("2 contested");
    assert_eq!(organisation.rows("contacts?$select=jobtitle")[0]["jobtitle"], "Director");
}

#[test]
fn a_deletion_does_not_take_along_what_a_colleague_wrote_below_a_change() {
    let (organisation, anna, contact) = refused_and_sent_again();
    anna.run(&["record", "delete", "contact", &contact]).ends(0);
    anna.run(&["online"]).ends(3).says("1 contested, 1 refused");
    assert_eq!(organisation.rows("contacts?$select=jobtitle")[0]["jobtitle"], "Director");
}

#[test]
fn what_is_contested_of_a_record_that_is_to_go_stays_in_the_list() {
    let (_organisation, anna, contact) = refused_and_sent_again();
    anna.run(&["online"]).ends(5).says("1 contested");
    anna.run(&["offline"]).ends(0);
    anna.run(&["record", "delete", "contact", &contact]).ends(0);
    anna.run(&["outbox", "settle", "1", "mine"]).ends(1).says("is deleted");
    anna.run(&["outbox", "list"]).says("collision 1");
    anna.run(&["outbox", "settle", "1", "theirs"]).ends(0);
}
