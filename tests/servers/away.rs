//! Servers that go away in the middle of a sync and come back, and a password that is none: it is said what is the matter,
//! nothing is lost or doubled by it, and the next sync goes on where this one ended.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use liaison::model::Class;
use serde_json::{Value as Json, json};

use super::office::{Office, PASSWORD_FILE, Servers, Wired, failure, id, message};
use crate::cli::installation::Ran;
use crate::support::servers::process::eventually;
use crate::support::servers::proxy::Script;
use crate::support::servers::{PASSWORD, elsewhere};

const RECORDS: u32 = 40;
const CARDS: usize = 5;
const LETTERS: usize = 150;

const ALL: &str = "\n[sync.email]\ntrack = \"all\"\n";

fn furnished() -> Office<Wired> {
    let office = Office::<Wired>::open(ALL);
    for number in 0..RECORDS {
        let columns = json!({ "firstname": "Conrad", "lastname": format!("Crm {number}") });
        office.make("contacts", &id(number), &columns);
    }
    for number in 0..CARDS {
        let card = format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:card-{number}\r\nFN:Berta Box {number}\r\nN:Box {number};Berta;;;\r\n\
             CATEGORIES:Tracked to CRM\r\nEND:VCARD\r\n"
        );
        office.put(Class::Contact, &format!("card-{number}.vcf"), &card);
    }
    let letters: Vec<Vec<u8>> = (0..LETTERS)
        .map(|number| {
            let text = message(
                &format!("letter-{number}"),
                "C <c@customer.example>",
                &format!("Letter {number}"),
                "",
            );
            (text + &"A line that makes it longer.\r\n".repeat(60)).into_bytes()
        })
        .collect();
    let letters: Vec<&[u8]> = letters.iter().map(Vec::as_slice).collect();
    office.servers.mail().append_all("INBOX", &letters, &[]);
    office.here.run(&["plan"]).ends(4);
    office.here.run(&["approve", "--all"]).ends(0);
    office
}

/// A sync of this class that runs meanwhile.
fn syncing(office: &Office<Wired>, class: &str) -> Child {
    let mut command = office.here.command(&["--json", "sync", "--class", class]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The names of all contacts, each there once.
fn names(rows: &[Json]) -> BTreeSet<String> {
    let names: BTreeSet<String> =
        rows.iter().map(|row| row["lastname"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), rows.len(), "something is there twice");
    names
}

#[test]
fn a_calendar_server_that_goes_away_while_it_is_written_to() {
    let mut office = furnished();
    // The wire falls silent before it has brought everything: the sync cannot end before its server does.
    office.servers.dav.script(Script { stall_received: Some(4_000), ..Script::default() });
    let child = syncing(&office, "contact");
    let count = |office: &Office<Wired>| {
        elsewhere::Dav::new("anna").list(&office.servers.collection(Class::Contact)).len()
    };
    eventually("something was written", || count(&office) >= CARDS + 3);
    let arrived = count(&office);
    office.servers.radicale.stop();
    office.servers.dav.cut();
    office.servers.dav.script(Script::default());
    let report = ended(child).ends(75).json();
    assert!(!failure(&report, "contact").is_empty(), "{report:#}");
    assert!(arrived < CARDS + RECORDS as usize, "it was over already: {arrived}");

    // Still away: nothing is concluded from it.
    let ran = office
        .here
        .run(&["sync", "--class", "contact"])
        .ends(75)
        .says("contacts: ")
        .says("localhost");
    assert!(!ran.out.contains("deleted"), "{}", ran.out);
    office.here.run(&["status"]).ends(3).says("failed").says("localhost");
    let there = names(&office.organisation.rows("contacts"));
    assert!(there.len() >= RECORDS as usize, "{there:?}");

    office.servers.radicale.resume();
    office.sync();
    office.is_quiet();
    let there = names(&office.organisation.rows("contacts"));
    assert_eq!(there.len(), CARDS + RECORDS as usize);
    let cards = office.items(Class::Contact);
    assert_eq!(cards.len(), there.len(), "{cards:#?}");
    for name in there {
        assert_eq!(
            cards.values().filter(|text| text.contains(&format!("N:{name};"))).count(),
            1,
            "{name}"
        );
    }
}

#[test]
fn a_program_that_is_killed_while_it_writes() {
    let office = furnished();
    office.servers.dav.script(Script { stall_received: Some(4_000), ..Script::default() });
    let mut child = syncing(&office, "contact");
    let count =
        || elsewhere::Dav::new("anna").list(&office.servers.collection(Class::Contact)).len();
    eventually("something was written", || count() >= CARDS + 3);
    child.kill().unwrap();
    child.wait().unwrap();
    office.servers.dav.cut();
    office.servers.dav.script(Script::default());
    let arrived = count();
    assert!(arrived < CARDS + RECORDS as usize, "it was over already: {arrived}");

    office.here.run(&["status"]).says("the last round did not end");
    office.sync();
    office.is_quiet();
    assert_eq!(names(&office.organisation.rows("contacts")).len(), CARDS + RECORDS as usize);
    assert_eq!(count(), CARDS + RECORDS as usize);
}

#[test]
fn a_mail_server_that_goes_away_while_it_is_read() {
    let mut office = furnished();
    office.here.run(&["sync", "--class", "contact"]).ends(0);
    office.servers.imap.script(Script { stall_received: Some(120_000), ..Script::default() });
    office.servers.imap.forget();
    let child = syncing(&office, "email");
    eventually("something was read", || office.servers.imap.counted().received >= 120_000);
    office.servers.dovecot.stop();
    office.servers.imap.cut();
    office.servers.imap.script(Script::default());
    let report = ended(child).ends(75).json();
    assert!(!failure(&report, "email").is_empty(), "{report:#}");

    // The others go on without it, and nothing is deleted anywhere.
    office.organisation.change(&format!("contacts({})", id(1)), r#"{"jobtitle":"Director"}"#);
    let report = office.here.run(&["--json", "sync"]).ends(75).json();
    assert_eq!(report["classes"]["contact"]["updated"]["mailbox"], 1, "{report:#}");
    assert!(failure(&report, "email").contains("localhost"), "{report:#}");
    let before = office.organisation.rows("emails").len();
    assert!(before < LETTERS, "it was over already: {before}");

    office.servers.dovecot.resume();
    office.sync();
    office.is_quiet();
    let messages = office.rows("emails", "messageid");
    assert_eq!((messages.len(), office.organisation.rows("emails").len()), (LETTERS, LETTERS));
    assert_eq!(office.servers.mail().list("INBOX").len(), LETTERS);
}

#[test]
fn a_password_that_is_refused_is_named_and_costs_nothing() {
    let office = furnished();
    office.here.run(&["sync"]).ends(0);
    office.here.write(PASSWORD_FILE, "wrong\n");
    for class in ["email", "contact", "task"] {
        let ran = office.here.run(&["sync", "--class", class]).ends(6).says("cat password");
        assert!(ran.out.contains("  → ") && !ran.out.contains("wrong"), "{}", ran.out);
    }
    office.here.run(&["sync"]).ends(6);
    office.here.run(&["status"]).ends(3).says("failed");
    office.here.run(&["doctor"]).ends(6);

    office.here.write(PASSWORD_FILE, &format!("{PASSWORD}\n"));
    office.is_quiet();
    let there = names(&office.organisation.rows("contacts"));
    assert_eq!(there.len(), CARDS + RECORDS as usize);
    assert_eq!(office.organisation.rows("emails").len(), LETTERS);
}
