//! A record that was made offline and the item that the mailbox has of it are one thing, whichever came first.

use serde_json::json;

use super::scene::{cards, id, office};

#[test]
fn a_record_made_offline_becomes_one_item_and_stays_so() {
    let (organisation, anna) = office();
    anna.run(&["offline"]).ends(0);
    let contact = id(&anna.json(&[
        "record",
        "create",
        "contact",
        "firstname=Ann",
        "lastname=Smith",
        "emailaddress1=ann@example.com",
    ]));
    anna.run(&["online"]).ends(0);
    for _ in 0..3 {
        anna.run(&["sync", "--class", "contact"]);
        anna.run(&["approve", "--all"]);
    }
    let cards = cards(&anna);
    assert_eq!(cards.len(), 1, "{cards:?}");
    assert!(cards[0].contains(&contact), "the card's UID is made of the record's id: {}", cards[0]);
    // Edited offline, it is still the same.
    anna.run(&["offline"]).ends(0);
    anna.run(&["record", "update", "contact", &contact, "telephone1=+49 1"]).ends(0);
    anna.run(&["online"]).ends(0);
    anna.run(&["sync", "--class", "contact"]).ends(0);
    let report = anna.json(&["sync", "--class", "contact"]);
    assert_eq!(report["classes"]["contact"]["in_step"], true, "{report:#}");
    assert_eq!(self::cards(&anna).len(), 1);
    assert!(self::cards(&anna)[0].contains("+49 1"));
    assert_eq!(organisation.audit()["contact"]["creates"], 1);
}

#[test]
fn what_was_made_on_both_sides_is_paired_by_evidence() {
    let (organisation, anna) = office();
    anna.run(&["offline"]).ends(0);
    // The same person, typed into the CRM's copy and into the address book on the train.
    let contact = id(&anna.json(&[
        "record",
        "create",
        "contact",
        "firstname=Ann",
        "lastname=Smith",
        "emailaddress1=ann@example.com",
        "jobtitle=Boss",
    ]));
    anna.card("ann", "Ann Smith", "5", true);
    anna.run(&["online"]).ends(0);
    for _ in 0..3 {
        anna.run(&["sync", "--class", "contact"]);
        anna.run(&["approve", "--all"]);
    }
    let rows = organisation.rows("contacts?$select=contactid,jobtitle,telephone1");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        (&rows[0]["contactid"], &rows[0]["jobtitle"], &rows[0]["telephone1"]),
        (&json!(contact), &json!("Boss"), &json!("5"))
    );
    assert_eq!(cards(&anna).len(), 1);
    assert!(cards(&anna)[0].contains("UID:ann-uid"), "the card keeps its name");
}
