//! What `liaison doctor` says of real servers: everything that was asked is answered, in words of the user.

use std::collections::BTreeSet;

use liaison::connector::net::Security;
use serde_json::Value as Json;

use super::office::{Alone, Office, Separate, Servers, post_office};
use crate::support::servers::dovecot::{self, Dovecot};

const TOPICS: [&str; 5] = ["reachable", "certificate", "sign-in", "rights", "strategy"];

/// What is said of a part.
fn findings<'a>(told: &'a Json, part: &str) -> &'a [Json] {
    let parts = told["parts"].as_array().unwrap();
    let serves = |one: &&Json| one["parts"].as_array().unwrap().iter().any(|name| name == part);
    let part = parts.iter().find(serves).unwrap_or_else(|| panic!("{told:#}"));
    part["findings"].as_array().unwrap()
}

fn all_is_well<S: Servers>() -> Office<S> {
    let office = Office::<S>::open("");
    let ran = office.here.run(&["doctor"]).ends(0);
    println!("{}", ran.out);
    let told = office.here.run(&["--json", "doctor"]).ends(0).json();
    assert_eq!(told["usable"], true);
    for part in ["email", "contact", "appointment", "task", "crm"] {
        let found = findings(&told, part);
        let topics: BTreeSet<&str> =
            found.iter().map(|one| one["topic"].as_str().unwrap()).collect();
        for topic in TOPICS {
            assert!(topics.contains(topic), "{part}: no {topic} in {found:#?}");
        }
        assert!(found.iter().all(|one| one["grade"] != "bad"), "{found:#?}");
        // That it took some milliseconds is another number each time; lines are broken for the eye.
        let shown = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        for one in found.iter().filter(|one| one["topic"] != "reachable") {
            let says = one["says"].as_str().unwrap();
            assert!(shown.contains(says), "only in --json: {says}");
        }
    }
    office
}

#[test]
fn dovecot_and_radicale_are_looked_at() {
    let mut office = all_is_well::<Separate>();
    office.here.run(&["doctor", "contact"]).ends(0).says("CardDAV");

    // Each part that is away is named, with what to do; the others are looked at all the same.
    office.servers.radicale.stop();
    let ran =
        office.here.run(&["doctor"]).ends(1).says("✗").says("cannot be reached").says("QRESYNC");
    println!("{}", ran.out);
    office.servers.radicale.resume();
    office.here.write(super::office::PASSWORD_FILE, "wrong\n");
    let ran = office.here.run(&["doctor"]).ends(6).says("✗ sign-in").says("cat password");
    println!("{}", ran.out);
}

#[test]
fn cyrus_alone_is_looked_at() {
    let office = all_is_well::<Alone>();
    // The calendar holds both classes, and is looked at once.
    let told = office.here.run(&["--json", "doctor"]).ends(0).json();
    assert_eq!(findings(&told, "appointment"), findings(&told, "task"));
    office.here.run(&["doctor"]).ends(0).says("\nappointment and task (CalDAV");
    office
        .here
        .run(&["doctor", "appointment"])
        .ends(0)
        .says("could send invitations, and is told not to");
}

#[test]
fn a_post_office_and_a_server_that_can_little_are_looked_at() {
    let hide = &["QRESYNC", "CONDSTORE", "IDLE", "UIDPLUS", "LIST-STATUS", "SPECIAL-USE", "MOVE"];
    let dovecot = Dovecot::start(dovecot::Options { hide, ..dovecot::Options::default() });
    let imap = dovecot.imap(Security::None);
    let sections = format!(
        "\n[mailbox.email]\nkind = \"imap\"\nhost = \"localhost\"\nport = {}\nsecurity = \"starttls\"\nca = '{}'\n\
         user = \"anna\"\npassword = {{ command = \"cat password\" }}\n",
        imap.port,
        dovecot.authority.display()
    );
    let post_office = post_office(&dovecot);
    let office = Office::at(dovecot, &sections);
    let ran = office.here.run(&["doctor", "email"]).ends(0).says("! strategy").says("STARTTLS");
    println!("{}", ran.out);
    office.lead_to(&post_office);
    let ran = office.here.run(&["doctor", "email"]).ends(0).says("POP3");
    println!("{}", ran.out);
}
