//! Messages that are somewhere else than before, or have other numbers: they are the same messages, and the CRM hears nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::office::{Office, message, messages, operations, post_office};
use crate::support::servers::dovecot::{self, Dovecot};

const ALL: &str = "\n[sync.email]\ntrack = \"all\"\n";
const COUNT: usize = 12;

/// `Customers/A "B" & Söhne`, as servers write it (RFC 3501 §5.1.3).
const SONS: &str = r#"Customers/A "B" &- S&APY-hne"#;

fn letter(number: usize) -> Vec<u8> {
    let more = if number % 3 == 2 {
        format!("In-Reply-To: <letter-{}@customer.example>\n", number - 1)
    } else {
        String::new()
    };
    let from = format!("Customer {number} <customer{number}@customer.example>");
    message(&format!("letter-{number}"), &from, &format!("Letter {number}"), &more).into_bytes()
}

fn message_id(number: usize) -> String {
    format!("<letter-{number}@customer.example>")
}

/// A mailbox with messages in the inbox that are in the CRM too.
fn furnished(sections: impl Fn(&Dovecot) -> String) -> Office<Dovecot> {
    let dovecot = Dovecot::start(dovecot::Options::default());
    let letters: Vec<Vec<u8>> = (0..COUNT).map(letter).collect();
    let letters: Vec<&[u8]> = letters.iter().map(Vec::as_slice).collect();
    dovecot.elsewhere("anna").append_all("INBOX", &letters, &[]);
    let sections = sections(&dovecot) + ALL;
    let office = Office::at(dovecot, &sections);
    office.first_sync();
    assert_eq!(office.organisation.rows("emails").len(), COUNT);
    office
}

/// Where each message is, as its link says.
fn places(office: &Office<Dovecot>) -> BTreeMap<usize, String> {
    let place = |number| {
        let told = office.explain(&message_id(number));
        assert_eq!(told["linked"], json!(true), "{told:#}");
        (number, told["item"].as_str().unwrap().to_owned())
    };
    (0..COUNT).map(place).collect()
}

fn differ(before: &BTreeMap<usize, String>, after: &BTreeMap<usize, String>) -> BTreeSet<usize> {
    after.keys().filter(|number| before[number] != after[number]).copied().collect()
}

/// All that can be seen of the organisation's messages, with when and by whom they were last written.
fn records(office: &Office<Dovecot>) -> Vec<Json> {
    office.organisation.rows("emails")
}

#[test]
fn messages_with_new_numbers_are_recognised_without_a_write() {
    let mut office = furnished(|dovecot| messages(dovecot, dovecot.imaps));
    let (records_before, places_before) = (records(&office), places(&office));
    let written = office.written("crm").len();
    office.servers.renumber("anna");

    office.is_quiet();
    let places_after = places(&office);
    assert_eq!(differ(&places_before, &places_after).len(), COUNT, "{places_after:?}");
    assert_eq!(records(&office), records_before);
    assert_eq!(office.written("crm").len(), written);

    // The links are good for what comes then.
    let anna = office.servers.elsewhere("anna");
    anna.append("INBOX", &letter(COUNT), &[]);
    anna.delete("INBOX", &message_id(0));
    assert_eq!(office.sync(), 1);
    assert_eq!(records(&office).len(), COUNT + 1);
    office.is_quiet();
}

#[test]
fn a_folder_that_was_made_anew_with_the_same_messages_is_recognised_without_a_write() {
    let office = furnished(|dovecot| messages(dovecot, dovecot.imaps));
    let anna = office.servers.elsewhere("anna");
    anna.create_folder("Customers");
    for number in 0..COUNT {
        anna.relocate("INBOX", &message_id(number), "Customers");
    }
    office.is_quiet();
    let (records_before, places_before) = (records(&office), places(&office));
    assert!(
        places_before.values().all(|place| place.starts_with("Customers/")),
        "{places_before:?}"
    );

    anna.delete_folder("Customers");
    anna.create_folder("Customers");
    // In another order.
    let letters: Vec<Vec<u8>> = (0..COUNT).rev().map(letter).collect();
    let letters: Vec<&[u8]> = letters.iter().map(Vec::as_slice).collect();
    anna.append_all("Customers", &letters, &[]);
    office.is_quiet();
    assert_eq!(differ(&places_before, &places(&office)).len(), COUNT);
    assert_eq!(records(&office), records_before);

    // A copy of a message is the same message.
    anna.append("INBOX", &letter(3), &[]);
    office.is_quiet();
    assert_eq!(records(&office), records_before);
}

#[test]
fn a_message_that_was_moved_keeps_its_record() {
    let office = furnished(|dovecot| messages(dovecot, dovecot.imaps));
    let (records_before, places_before) = (records(&office), places(&office));
    let anna = office.servers.elsewhere("anna");
    anna.relocate("INBOX", &message_id(1), "Archive");
    anna.create_folder(SONS);
    anna.relocate("INBOX", &message_id(2), SONS);
    // Nobody looks at what was deleted; the record stays.
    anna.relocate("INBOX", &message_id(3), "Trash");
    anna.delete("INBOX", &message_id(4));
    office.is_quiet();
    let told = [1, 2].map(|number| office.explain(&message_id(number)));
    let places: Vec<&str> = told.iter().map(|told| told["item"].as_str().unwrap()).collect();
    assert!(places[0].starts_with("Archive/"), "{places:?}");
    assert!(places[1].starts_with("Customers/A \"B\" & Söhne/"), "{places:?}");
    assert!(told.iter().all(|told| told["linked"] == true), "{told:#?}");
    assert_eq!(records(&office), records_before);

    // Back again, from wherever.
    anna.relocate("Archive", &message_id(1), "INBOX");
    anna.relocate("Trash", &message_id(3), "INBOX");
    office.is_quiet();
    assert_eq!(records(&office), records_before);
    let back = office.explain(&message_id(1));
    assert_ne!(back["item"], json!(places_before[&1]));
    assert_eq!(back["linked"], json!(true));
}

#[test]
fn a_post_office_is_emptied_into_the_crm_once_whatever_the_messages_are_called() {
    let mut office = furnished(post_office);
    let (records_before, places_before) = (records(&office), places(&office));
    // Another program takes some away: all that follow are counted differently from then on.
    let anna = office.servers.elsewhere("anna");
    anna.delete("INBOX", &message_id(0));
    anna.append("INBOX", &letter(COUNT), &[]);
    assert_eq!(office.sync(), 1);
    assert_eq!(records(&office).len(), COUNT + 1);
    office.is_quiet();

    // The server gives all of them other names.
    office.servers.renumber("anna");
    office.is_quiet();
    let records = records(&office);
    assert_eq!(records.len(), COUNT + 1);
    assert!(records_before.iter().all(|record| records.contains(record)));
    let told = office.explain(&message_id(5));
    assert_ne!(told["item"], json!(places_before[&5]));
    assert_eq!(told["linked"], json!(true), "{told:#}");
    // Nothing was taken out of it.
    assert_eq!(office.servers.elsewhere("anna").list("INBOX").len(), COUNT);
    let report = office.here.json(&["sync"]);
    assert_eq!(operations(&report), 0);
}
