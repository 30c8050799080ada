use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use uuid::Uuid;

use super::super::Lengths;
use super::*;
use crate::model::record::PartyRef;
use crate::model::{Patch, RecordId, Uid, all_of};

fn context() -> Context {
    let address = |text| Address::parse(text).unwrap();
    let bob = PartyRef { table: "contact".to_owned(), guid: Uuid::from_u128(7) };
    Context {
        organisation: Uuid::from_u128(1),
        zone: TimeZone::UTC,
        me: [address("anna@example.org")].into(),
        lengths: Lengths([((Table::Email, "subject".to_owned()), 20)].into()),
        people: [(address("bob@example.com"), bob)].into(),
        filing: [].into(),
    }
}

fn read(text: &str) -> Content {
    read_item(text.replace('\n', "\r\n").as_bytes(), &BTreeSet::new(), &context()).unwrap()
}

fn field(content: &Content, name: &str) -> String {
    content.fields.get(&Field::named(name)).map(ToString::to_string).unwrap_or_default()
}

fn files(content: &Content) -> Vec<(String, String, Vec<u8>)> {
    match content.fields.get(&ATTACHMENTS) {
        Some(Value::Attachments(files)) => files
            .iter()
            .map(|file| (file.filename.clone(), file.mimetype.clone(), file.bytes.clone()))
            .collect(),
        _ => Vec::new(),
    }
}

fn file_row(content: &Content) -> RecordPatch {
    let patch = all_of(&content.fields);
    let change = Change { uid: &content.uid, patch: &patch, whole: &content.fields };
    write_record(change, None, &context()).unwrap()
}

const RICH: &str = "Message-ID: <One@Example.org>
Date: Fri, 21 Nov 2025 10:00:59 +0100
From: =?utf-8?q?B=C3=B6b?= <BOB@example.com>
To: Anna <anna@example.org>, team: c@x.org, d@x.org;
Cc: undisclosed-recipients:;
Bcc: secret@example.org
Subject: =?utf-8?b?w4RyZ2Vy?=
 and   more
In-Reply-To: <r1@x> <r2@x>
References: <r0@x> <r1@x>
Thread-Index: AQHa
 BBBB
X-Priority: 1 (Highest)
Sensitivity: Private
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: multipart/alternative; boundary=a

--a

plain
--a
Content-Type: text/html; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

<p>caf=E9=
</p>
--a--
--b
Content-Type: application/pdf; name=x
Content-Disposition: attachment; filename*0*=utf-8''r%C3%A9; filename*1=\"sum.pdf\"
Content-Transfer-Encoding: base64

AAEC
--b
Content-Type: message/rfc822

Subject: inner/one
Content-Type: text/plain

hi
--b
Content-Type: text/csv; charset=iso-8859-1; name=\"../../t.csv\"
Content-Transfer-Encoding: 8bit

1;2
--b
Content-Type: image/png
Content-ID: <pic>
Content-Disposition: inline
Content-Transfer-Encoding: base64

/w==
--b--
";

#[test]
fn a_rich_message_says_what_it_says() {
    let content = read(RICH);
    assert_eq!(content.uid, Uid::new("One@Example.org"));
    for (name, expected) in [
        ("subject", "Ärger and more"),
        ("description", "<p>café</p>"),
        ("from", "Böb <bob@example.com>"),
        ("to", "Anna <anna@example.org>, c@x.org, d@x.org"),
        ("cc", ""),
        ("bcc", ""),
        ("messageid", "One@Example.org"),
        ("inreplyto", "r1@x"),
        ("conversationindex", "AQHaBBBB"),
        ("senton", "2025-11-21T09:00:59Z"),
        ("directioncode", "no"),
        ("prioritycode", "2"),
    ] {
        assert_eq!(field(&content, name), expected, "{name}");
    }
    assert!(content.traits.private);
    assert_eq!(content.traits.references, ["r1@x", "r2@x", "r0@x"].map(Uid::new));
    let expected = [
        ("attachment-4.png", "image/png", &b"\xff"[..]),
        (
            "inner_one.eml",
            "message/rfc822",
            b"Subject: inner/one\r\nContent-Type: text/plain\r\n\r\nhi",
        ),
        ("résum.pdf", "application/pdf", b"\0\x01\x02"),
        ("t.csv", "text/csv", b"1;2"),
    ];
    assert_eq!(files(&content), expected.map(|(n, t, b)| (n.to_owned(), t.to_owned(), b.to_vec())));
}

#[test]
fn the_head_agrees_with_the_whole() {
    let bytes = RICH.replace('\n', "\r\n");
    let marks = BTreeSet::from(["\\Seen".to_owned()]);
    let mut whole = read_item(bytes.as_bytes(), &marks, &context()).unwrap();
    let head = head(bytes.as_bytes(), &marks, &context()).unwrap();
    whole.fields.retain(|field, _| *field != DESCRIPTION && *field != ATTACHMENTS);
    assert_eq!(head, whole);
    assert_eq!(head.traits.marks, marks);
}

#[test]
fn plain_text_becomes_html_that_looks_the_same() {
    for (text, html) in [
        ("a\nb", "a<br>\nb"),
        ("  <b> & \"c\"", "&nbsp; &lt;b&gt; &amp; &quot;c&quot;"),
        ("a   b\n c\n\n", "a &nbsp; b<br>\n&nbsp;c"),
        ("a\tb\u{0}\u{7}", "a&nbsp;&nbsp;&nbsp; b"),
        ("\n \n", ""),
    ] {
        assert_eq!(body::from_text(text), html, "{text:?}");
    }
    let content = read("Subject: x\nContent-Type: text/plain\n\nhello <you>\n\n");
    assert_eq!(field(&content, "description"), "hello &lt;you&gt;");
}

#[test]
fn message_ids_have_one_form() {
    for (value, expected) in [
        (" <a@b> (comment)", Some("a@b")),
        ("a@b", Some("a@b")),
        ("<a @\r\n b", Some("a@b")),
        ("<>", None),
        (" \r\n", None),
    ] {
        assert_eq!(message_id(value), expected.map(Uid::new), "{value:?}");
    }
    let long = message_id(&format!("<{}@x>", "a".repeat(300))).unwrap();
    assert!(long.as_str().ends_with("@long.message-id"));
    let twice = read("Message-ID: <>\nMessage-ID: <first@x>\nMessage-ID: <second@x>\n\n");
    assert_eq!(twice.uid, Uid::new("first@x"));
}

#[test]
fn a_message_without_a_name_keeps_the_one_it_is_given() {
    let message =
        "Date: Fri, 21 Nov 2025 10:00:00 +0100\nFrom: a@x\nSubject: long\n line\n\nbody\n";
    let uid = read(message).uid;
    assert!(uid.as_str().ends_with("@no.message-id"), "{uid}");
    for same in [
        format!("Received: from y\nX-Keywords: k\n{message}"),
        message.replace("long\n line", "long line"),
        format!("{message}\n\n"),
    ] {
        assert_eq!(read(&same).uid, uid);
    }
    let bare = read_item(message.as_bytes(), &BTreeSet::new(), &context()).unwrap();
    assert_eq!(bare.uid, uid, "line ends");
    assert_eq!(head(message.as_bytes(), &BTreeSet::new(), &context()).unwrap().uid, uid);
    for other in [message.replace("body", "else"), message.replace("a@x", "b@x")] {
        assert_ne!(read(&other).uid, uid);
    }
}

#[test]
fn broken_dates_are_no_dates() {
    for (date, expected) in [
        ("Fri, 21 Nov 2025 10:00:60 -0230", "2025-11-21T12:30:59Z"),
        ("30 Feb 2025 10:00:00 +0000", ""),
        ("21 Nov 2025 25:00:00 +0000", ""),
        ("yesterday", ""),
        ("", ""),
    ] {
        assert_eq!(
            field(&read(&format!("Subject: x\nDate: {date}\n\n")), "senton"),
            expected,
            "{date}"
        );
    }
}

#[test]
fn direction_follows_from_and_only_senders_know_bcc() {
    let sent = "From: Anna <ANNA@example.org>\nTo: bob@example.com\nBcc: c@x.org\nSubject: x\n\n";
    let content = read(sent);
    assert_eq!(field(&content, "directioncode"), "yes");
    assert_eq!(field(&content, "bcc"), "c@x.org");
    let patch = file_row(&content);
    assert_eq!(patch.state, Some(SENT));
    let parties: Vec<(Role, &str, bool)> = patch
        .parties
        .iter()
        .flatten()
        .map(|party| (party.role, party.address.as_str(), party.target.is_some()))
        .collect();
    let expected = [
        (Role::Sender, "anna@example.org", false),
        (Role::To, "bob@example.com", true),
        (Role::Bcc, "c@x.org", false),
    ];
    assert_eq!(parties, expected);
    assert_eq!(file_row(&read(&sent.replace("ANNA", "eve"))).state, Some(RECEIVED));
}

#[test]
fn header_fields_cannot_be_smuggled_in() {
    let content =
        read("Subject: =?utf-8?q?a=0D=0ABcc:_x@y=00=07?=\nFrom: =?utf-8?q?=0Ab?= <a@x>\n\n");
    assert_eq!(field(&content, "subject"), "a Bcc: x@y");
    assert_eq!(field(&content, "from"), "b <a@x>");
    let change = Change { uid: &content.uid, patch: &Patch::new(), whole: &content.fields };
    let written = String::from_utf8(write_item(change, None, &context()).unwrap()).unwrap();
    assert!(!written.contains("\nBcc"), "{written}");
}

#[test]
fn long_subjects_are_cut_with_a_mark_and_known_as_cut() {
    for (subject, column, is_cut) in [
        ("exactly twenty chars", "exactly twenty chars", false),
        ("one more than twenty!", "one more than twent…", true),
        ("surrogate pair at 😀😀😀", "surrogate pair at …", true),
    ] {
        let content = read(&format!("Message-ID: <a@b>\nSubject: {subject}\n\n"));
        let patch = file_row(&content);
        assert_eq!(patch.columns["subject"], column);
        assert_eq!(patch.columns["messageid"], "<a@b>");
        let record = row(patch);
        let back = read_record(&record, &context()).unwrap();
        assert_eq!(matches!(back.fields[&SUBJECT], Value::Cut(_)), is_cut, "{subject}");
        assert!(back.fields[&SUBJECT].agrees(&content.fields[&SUBJECT]));
        assert_eq!(title(&back.fields), column);
    }
    assert_eq!(title(&Fields::new()), "(no subject)");
}

fn row(patch: RecordPatch) -> Record {
    Record {
        id: RecordId::new(Table::Email, Uuid::from_u128(9)),
        columns: patch.columns,
        parties: patch.parties.unwrap_or_default(),
        exceptions: Vec::new(),
        attachments: patch.attachments,
    }
}

#[test]
fn a_row_without_a_message_id_has_the_name_its_item_would_get() {
    let content = read_record(&row(RecordPatch::default()), &context()).unwrap();
    assert_eq!(name::born_in_crm(context().organisation, &content.uid), Some(Uuid::from_u128(9)));
}

#[test]
fn columns_of_other_types_are_named() {
    for (column, value) in [
        ("subject", Json::from(1)),
        ("senton", Json::from("yesterday")),
        ("directioncode", Json::from("true")),
        ("prioritycode", Json::from(1.5)),
    ] {
        let mut record = row(RecordPatch::default());
        record.columns.insert(column.to_owned(), value);
        let Unreadable(reason) = read_record(&record, &context()).unwrap_err();
        assert!(reason.contains(column), "{reason}");
    }
}

#[test]
fn nothing_is_changed_once_it_is_filed() {
    let content = read(RICH);
    let record = row(file_row(&content));
    let patch: Patch = [(SUBJECT, Value::text("other"))].into();
    let fields = &content.fields;
    let change = Change { uid: &content.uid, patch: &patch, whole: fields };
    assert!(write_record(change, Some(&record), &context()).is_err());
    assert!(write_item(change, Some(b"old"), &context()).is_err());
    let empty = Patch::new();
    let none = Change { uid: &content.uid, patch: &empty, whole: fields };
    assert_eq!(write_item(none, Some(b"old"), &context()).unwrap(), b"old");
    assert_eq!(write_record(none, Some(&record), &context()).unwrap(), RecordPatch::default());
}

#[test]
fn a_row_is_compared_with_the_message_that_it_was_filed_from() {
    let sent = read(
        "Date: Fri, 2 Jan 2026 10:00:00 +0000\nFrom: anna@example.org\nTo: bob@example.com\nBcc: c@x.org\nSubject: a subject of many words\n\n",
    );
    let differing = |row: &Record| differing(&sent, row, &context()).unwrap();
    let filed = row(file_row(&sent));
    assert_eq!(differing(&filed), [""; 0]);
    let changed = |column: &str, value: Json| {
        let mut row = filed.clone();
        row.columns.insert(column.to_owned(), value);
        row
    };
    assert_eq!(differing(&changed("subject", "a subject of few".into())), ["subject"]);
    assert_eq!(differing(&changed(ACTUALEND, "2026-01-02T10:00:01Z".into())), [ACTUALEND]);
    let mut without = filed.clone();
    without.parties.retain(|party| party.role != Role::To);
    assert_eq!(differing(&without), ["to"]);
    // A colleague who got it filed it as coming in, and saw nobody who got it blindly.
    let mut theirs = changed("directioncode", false.into());
    assert_eq!(differing(&theirs), ["bcc", "directioncode"]);
    let user = PartyRef { table: "systemuser".to_owned(), guid: Uuid::from_u128(8) };
    let is_to = |party: &&mut Party| party.role == Role::To;
    theirs.parties.iter_mut().find(is_to).unwrap().target = Some(user);
    assert_eq!(differing(&theirs), [""; 0]);
}

#[test]
fn what_is_no_message_is_refused_with_a_reason() {
    for bytes in [&b""[..], b"\r\n\r\n", b"hello", b"\0\0\0", b"BEGIN:VCARD\r\nEND:VCARD\r\n"] {
        assert!(read_item(bytes, &BTreeSet::new(), &context()).is_err(), "{bytes:?}");
        assert!(head(bytes, &BTreeSet::new(), &context()).is_err());
    }
}

/// Each of these would overflow the stack or take minutes without the measures of `defuse`.
#[test]
fn messages_built_to_break_readers_do_not() {
    let nested = |declaration: &str| format!("Subject: x\n{}", declaration.repeat(200_000));
    let encoded = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        nested("Content-Type: message/rfc822\n\n"),
    );
    let mut continued = "Subject: x\nContent-Type: text/plain".to_owned();
    for number in 0..100_000 {
        write!(continued, ";\n a*{number}=xxxxxxxxxx").unwrap();
    }
    let unfinished = "--a\nContent-Type: multipart/mixed; boundary=b\n\n".repeat(200_000);
    let bombs = [
        nested("Content-Type: message/rfc822\n\n"),
        nested("Content-Type:\n message/rfc822\n\n"),
        nested("::Con tent-Type : x\n (;)\"MESSAGE / GLOBAL\n\n"),
        nested("Content-Type: multipart/digest; boundary=a\n\n--a\n\n"),
        format!(
            "Subject: x\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{encoded}"
        ),
        format!("Subject: x\nContent-Type: multipart/mixed; boundary=a\n\n{unfinished}"),
        continued,
        format!("Subject: x\nReferences: {}\n\n", "<a@b>".repeat(200_000)),
        format!("To: {}\nSubject: x\n\n", "a@b,".repeat(200_000)),
        format!("Subject: x\nContent-Type: text/html\n\n{}", "<!--<a".repeat(200_000)),
    ];
    for (number, bomb) in bombs.iter().enumerate() {
        match read_item(bomb.as_bytes(), &BTreeSet::new(), &context()) {
            Ok(content) => {
                assert_eq!(field(&content, "subject"), "x", "{number}");
                let change =
                    Change { uid: &content.uid, patch: &Patch::new(), whole: &content.fields };
                assert!(!write_item(change, None, &context()).unwrap().is_empty());
            }
            Err(Unreadable(reason)) => assert!(reason.contains("message"), "{reason}"),
        }
    }
}

#[test]
fn text_about_messages_is_left_as_it_is() {
    let text = "Content-Type: message/rfc822; multipart/digest";
    let content = read(&format!("Subject: x\nContent-Type: text/plain\n\n{text}\n"));
    assert_eq!(field(&content, "description"), text);
}

/// To the CRM, back, and into a new message: the same is said.
fn again(read: &Content, source: &str) {
    let lengths = Lengths([((Table::Email, "subject".to_owned()), 2000)].into());
    let world = Context { lengths, ..context() };
    let patch = all_of(&read.fields);
    let change = Change { uid: &read.uid, patch: &patch, whole: &read.fields };
    let record = row(write_record(change, None, &world).unwrap());
    let filed = read_record(&record, &world).unwrap();
    assert_eq!(difference(&read.fields, &filed.fields), Vec::<String>::new(), "{source}");
    let change = Change { uid: &filed.uid, patch: &patch, whole: &filed.fields };
    let written = write_item(change, None, &world).unwrap();
    let back = read_item(&written, &BTreeSet::new(), &world).unwrap();
    assert_eq!(back.uid, read.uid, "{source}");
    assert_eq!(difference(&filed.fields, &back.fields), Vec::<String>::new(), "{source}");
}

fn difference(a: &Fields, b: &Fields) -> Vec<String> {
    let names: BTreeSet<&Field> = a.keys().chain(b.keys()).collect();
    names
        .into_iter()
        .filter(|field| a.get(field) != b.get(field))
        .map(|field| {
            let show = |fields: &Fields| fields.get(field).map(ToString::to_string);
            format!("{field}: {:?} / {:?}", show(a), show(b))
        })
        .collect()
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        drop(read_item(&bytes, &BTreeSet::new(), &context()));
        drop(head(&bytes, &BTreeSet::new(), &context()));
    }

    /// Pieces of mails in any order reach deeper than bytes do.
    #[test]
    fn any_pieces_of_mail_are_read_or_refused(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)
    ) {
        let text = pieces.concat();
        if let Ok(content) = read_item(text.as_bytes(), &BTreeSet::new(), &context()) {
            again(&content, "pieces");
        }
    }
}

const PIECES: &[&str] = &[
    "Subject: x\r\n",
    "From: a@x\r\n",
    "\r\n",
    "\n",
    "\r",
    "--a\r\n",
    "--a--\r\n",
    "--b\n",
    "--b--\n",
    "Content-Type: multipart/mixed; boundary=a\r\n",
    "Content-Type: multipart/alternative; boundary=b\n",
    "Content-Type: multipart/digest; boundary=\"a\"\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Type: text/html; charset=utf-16\r\n",
    "Content-Type: text/plain; charset=\"iso-2022-jp\"\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Transfer-Encoding: quoted-printable\n",
    "Content-Disposition: attachment; filename*=utf-8''%e2%82%\r\n",
    "=?utf-8?q?=e4?=",
    "=?",
    "?=",
    "AAEC",
    "=C3=A9=\r\n",
    "<p>x</p>",
    " ",
    "\t",
    "\0",
    "\u{feff}",
    "é",
    "Date: 31 Feb 99 99:99 +9999\r\n",
    "To: \"a\\\"b\" <@x:y@z>, g:;, =?x?= <é@ü>\r\n",
    "Message-ID: <a@b\r\n",
    "References: <<a@b>> <c\r\n",
    "--",
    "-",
];
