use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use mail_parser::{MessageParser, MimeHeaders};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::super::super::Lengths;
use super::*;
use crate::model::record::{PartyRef, RecordAttachment};
use crate::model::{RecordId, Table};

const ME: Uuid = Uuid::from_u128(9);
const RECORD: Uuid = Uuid::from_u128(5);
const ORGANISATION: Uuid = Uuid::from_u128(1);

fn context() -> Context {
    Context {
        organisation: ORGANISATION,
        zone: TimeZone::UTC,
        me: [Address::parse("anna@example.org").unwrap()].into(),
        lengths: Lengths([].into()),
        people: [].into(),
        filing: [].into(),
    }
}

fn party(role: Role, name: &str, address: &str, target: bool) -> Party {
    let target = target.then(|| PartyRef { table: "contact".to_owned(), guid: RECORD });
    Party { role, address: address.to_owned(), name: name.to_owned(), target }
}

fn record(columns: &Json, parties: Vec<Party>) -> Record {
    let mut all: Map<String, Json> = [
        ("directioncode".to_owned(), json!(true)),
        ("_ownerid_value".to_owned(), json!(ME.to_string())),
    ]
    .into_iter()
    .collect();
    all.extend(columns.as_object().unwrap().clone());
    let id = RecordId::new(Table::Email, RECORD);
    Record { id, columns: all, parties, exceptions: Vec::new(), attachments: Vec::new() }
}

fn anna() -> Party {
    party(Role::Sender, "Anna", "anna@example.org", true)
}

fn made(record: &Record, strangers: bool) -> Result<Letter, Unfit> {
    let context = context();
    let mailbox = Address::parse("anna@example.org").unwrap();
    let at = "2027-06-01T12:00:00Z".parse().unwrap();
    let posting = Posting { context: &context, mailbox: &mailbox, strangers, at };
    let uid = letter_name(ORGANISATION, RECORD, None);
    letter(record, &uid, &posting, str::to_owned)
}

fn text(letter: &Letter) -> String {
    String::from_utf8(letter.message.clone()).unwrap()
}

#[test]
fn everything_that_a_record_says_is_in_the_message_but_who_gets_it_secretly() {
    let mut record = record(
        &json!({
            "subject": "Grüße", "description": "<p>Hé</p><img src=\"cid:logo.png@01\"><img src='data:image/gif;base64,R0lGODlh'>",
            "inreplyto": "<one@x>", "prioritycode": 2,
        }),
        vec![
            anna(),
            party(Role::To, "Bo \"the\" Berg", "bo@example.com", true),
            party(Role::Cc, "", "c@b\u{fc}cher.example", true),
            party(Role::Bcc, "Hidden", "hidden@example.com", true),
            party(Role::To, "Bo again", "BO@example.com", true),
        ],
    );
    let file = |name: &str, kind: &str| RecordAttachment {
        filename: name.to_owned(),
        mimetype: kind.to_owned(),
        bytes: b"bytes".to_vec(),
    };
    record.attachments = vec![file("logo.png", "image/png"), file("Ü.pdf", "application/pdf")];
    let letter = made(&record, true).unwrap();
    let text = text(&letter);
    assert!(!text.to_lowercase().contains("hidden") && !text.to_lowercase().contains("bcc"));
    let to: Vec<&str> = letter.to.iter().map(Address::as_str).collect();
    assert_eq!(to, ["bo@example.com", "c@b\u{fc}cher.example", "hidden@example.com"]);
    let message = MessageParser::new().parse(&letter.message).unwrap();
    assert_eq!(message.subject(), Some("Grüße"));
    assert_eq!(message.message_id().unwrap(), format!("{RECORD}@{ORGANISATION}.liaison"));
    assert_eq!(message.date().unwrap().to_rfc3339(), "2027-06-01T12:00:00Z");
    assert!(text.contains("xn--bcher-kva.example") && text.contains("Importance: high"));
    assert_eq!(message.in_reply_to().as_text(), Some("one@x"));
    assert!(message.body_text(0).unwrap().contains("Hé"));
    let ids: Vec<_> = message.parts.iter().filter_map(|part| part.content_id()).collect();
    assert_eq!(ids, ["picture-0.gif", "logo.png@01"]);
    let html = message.body_html(0).unwrap();
    assert!(html.contains("cid:picture-0.gif") && html.contains("cid:logo.png@01"));
    let names: Vec<_> = message.attachments().filter_map(|part| part.attachment_name()).collect();
    assert!(names.contains(&"Ü.pdf"), "{names:?}");
    assert_eq!(made(&record, true).unwrap(), letter, "the same record makes the same bytes");
}

#[test]
fn it_goes_to_everybody_or_to_nobody() {
    let to = |address: &str, target| party(Role::To, "Somebody", address, target);
    let unsendable = |parties: Vec<Party>, strangers, word: &str| {
        let unfit = made(&record(&json!({}), parties), strangers).unwrap_err();
        let Unfit::Unsendable(reason) = unfit else { panic!("{unfit:?}") };
        assert!(reason.contains(word), "{reason}");
    };
    unsendable(vec![anna()], true, "no recipients");
    unsendable(vec![anna(), to("bo@x.org", true), to("", true)], true, "Somebody");
    for bad in
        ["bo", "a b@x.org", "@x.org", "bo@", "a@b@x.org", "bo@x.org\r\nRCPT TO:<e@x>", "bo@x y"]
    {
        unsendable(vec![anna(), to("bo@x.org", true), to(bad, true)], true, "written to");
    }
    unsendable(vec![anna(), to("bo@x.org", false)], false, "unresolved");
    assert!(made(&record(&json!({}), vec![anna(), to("bo@x.org", false)]), true).is_ok());
    unsendable(vec![to("bo@x.org", true)], true, "sender");
    unsendable(vec![anna(), anna(), to("bo@x.org", true)], true, "sender");
    let other = party(Role::Sender, "Sales", "sales@example.org", true);
    let unfit = made(&record(&json!({}), vec![other, to("bo@x.org", true)]), true);
    assert_eq!(unfit, Err(Unfit::NotMine));
    // The user, by whatever address the CRM knows.
    let target = Some(PartyRef { table: "systemuser".to_owned(), guid: ME });
    let own = Party { target, ..party(Role::Sender, "Anna", "a.andersson@contoso.com", true) };
    let letter = made(&record(&json!({}), vec![own, to("bo@x.org", true)]), true).unwrap();
    assert_eq!(letter.from.as_str(), "anna@example.org");
}

#[test]
fn a_mail_has_one_name_for_ever() {
    let own = format!("{RECORD}@{ORGANISATION}.liaison");
    let name = |given| letter_name(ORGANISATION, RECORD, given).as_str().to_owned();
    assert_eq!(name(None), own);
    assert_eq!(name(Some("<given@x>")), "given@x");
    for odd in
        ["", "<>", "no-at", "<a@b@c>", "<ü@x>", "<a@x\r\nBcc: e@x>", "<a b@x>\u{0}", "<a(c)@x>"]
    {
        let given = name(Some(odd));
        assert!(given == own || given.bytes().all(|b| b.is_ascii_graphic()), "{odd:?} {given}");
        assert!(!given.contains(['\r', '\n', '<', '>']));
    }
}

proptest! {
    #[test]
    fn nothing_in_a_record_adds_a_field_a_recipient_or_a_line_that_is_too_long(
        subject in ".{0,300}|(\\PC|\r|\n|\r\n|Bcc: e@x){0,40}",
        name in ".{0,80}|(\\PC|\r\n|>|<|\"|,){0,40}",
        user in "[a-z\"<>,;: \r\n@.ü]{1,12}",
        body in "(\\PC|\r|\n|\0|\\.|--|x{200}){0,60}",
        reply in ".{0,60}",
        index in ".{0,60}|[a-zA-Z]{0,2000}",
        file in ".{0,60}",
    ) {
        let columns = json!({
            "subject": subject, "description": body, "inreplyto": reply, "conversationindex": index,
        });
        let parties = vec![
            party(Role::Sender, &name, "anna@example.org", true),
            party(Role::To, &name, "bo@example.com", true),
            party(Role::Cc, &name, &format!("{user}@example.com"), true),
        ];
        let mut record = record(&columns, parties);
        let file = RecordAttachment { filename: file, mimetype: name, bytes: vec![0, 13, 10, 255] };
        record.attachments.push(file);
        let Ok(letter) = made(&record, true) else { return Ok(()) };
        prop_assert!(letter.message.ends_with(b"\r\n"));
        let mut header = Vec::new();
        let mut in_header = true;
        for line in letter.message.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r\n");
            prop_assert!(line.is_some(), "a bare line feed");
            let line = line.unwrap();
            prop_assert!(line.len() <= 998 && !line.contains(&b'\r') && !line.contains(&0));
            in_header &= !line.is_empty();
            if in_header && !line.starts_with(b" ") && !line.starts_with(b"\t") {
                let colon = line.iter().position(|byte| *byte == b':');
                prop_assert!(colon.is_some(), "{:?}", String::from_utf8_lossy(line));
                header.push(String::from_utf8_lossy(&line[..colon.unwrap()]).into_owned());
            }
        }
        let known: BTreeSet<&str> = [
            "Message-ID", "Date", "From", "To", "Cc", "Subject", "In-Reply-To", "References", "Thread-Index",
            "Importance", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
        ].into();
        let distinct: BTreeSet<&str> = header.iter().map(String::as_str).collect();
        prop_assert!(distinct.is_subset(&known), "{distinct:?}");
        prop_assert_eq!(distinct.len(), header.len());
        let message = MessageParser::new().parse(&letter.message).unwrap();
        let addresses = |list: Option<&mail_parser::Address<'_>>| -> BTreeSet<String> {
            list.map(|list| list.iter().filter_map(|one| one.address.as_ref()).map(|one| one.to_lowercase()).collect())
                .unwrap_or_default()
        };
        let mut shown = addresses(message.to());
        shown.extend(addresses(message.cc()));
        let meant: BTreeSet<String> = letter.to.iter().map(|address| address.as_str().to_owned()).collect();
        prop_assert_eq!(shown, meant);
        prop_assert_eq!(addresses(message.from()).len(), 1);
    }
}
