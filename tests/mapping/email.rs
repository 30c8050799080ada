//! E-mail, both ways round. A CRM that was only given a plain row does not keep `senton`, `inreplyto` and
//! `conversationindex` (they are read-only); those are the only fields that may get lost, and only then.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use liaison::clock::Clock;
use liaison::connector::Connector;
use liaison::connector::maildir::{Maildir, Options};
use liaison::mapping::{Change, Context, Lengths, email};
use liaison::model::record::{Party, RecordAttachment, Role};
use liaison::model::{
    Address, Class, Content, Field, Fields, Record, RecordId, RecordPatch, Table, Uid, all_of,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

/// What a plain `POST /emails` cannot set.
const READ_ONLY: [&str; 3] = ["senton", "inreplyto", "conversationindex"];

const ME: &str = "anna@example.org";

#[allow(clippy::disallowed_methods, reason = "how long to look is a matter of where the tests run")]
fn config() -> ProptestConfig {
    let cases = std::env::var("LIAISON_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: cases.unwrap_or(300), ..ProptestConfig::default() }
}

fn context() -> Context {
    Context {
        organisation: Uuid::from_u128(1),
        zone: TimeZone::UTC,
        me: BTreeSet::from([Address::parse(ME).unwrap()]),
        lengths: Lengths([((Table::Email, "subject".to_owned()), 4000)].into()),
        people: std::collections::BTreeMap::new(),
        filing: [].into(),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn from_the_mailbox_and_back(message in message()) {
        let read = item(&message.0);
        let row = row(file(&read));
        let filed = email::read_record(&row, &context()).unwrap();
        prop_assert_eq!(&filed.uid, &read.uid);
        same(&read.fields, &filed.fields, &[])?;
        let again = item(&compose(&filed));
        prop_assert_eq!(&again.uid, &read.uid);
        same(&read.fields, &again.fields, &[])?;

        let poor = email::read_record(&without_read_only(row), &context()).unwrap();
        same(&read.fields, &poor.fields, &READ_ONLY)?;
        same(&poor.fields, &item(&compose(&poor)).fields, &[])?;
    }

    #[test]
    fn from_the_crm_and_back(row in record()) {
        let read = email::read_record(&row.0, &context()).unwrap();
        let message = compose(&read);
        prop_assert!(message == compose(&read), "the same fields make the same bytes");
        let stored = item(&message);
        prop_assert_eq!(&stored.uid, &read.uid);
        same(&read.fields, &stored.fields, &[])?;
        let again = email::read_record(&self::row(file(&stored)), &context()).unwrap();
        prop_assert_eq!(&again.uid, &read.uid);
        same(&read.fields, &again.fields, &[])?;
        prop_assert_eq!(file(&stored), file(&again));
    }

    /// Whatever stands in a row, the message that is made of it has the header fields that we write, each once, and no other.
    #[test]
    fn a_row_cannot_smuggle_header_fields_into_a_message(row in hostile_row()) {
        let read = email::read_record(&row.0, &context()).unwrap();
        let message = String::from_utf8_lossy(&compose(&read)).into_owned();
        let head = message.split("\r\n\r\n").next().unwrap_or_default();
        let fields: Vec<String> = head
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split(':').next().unwrap_or_default().to_ascii_lowercase())
            .collect();
        let known: BTreeSet<&str> = FIELDS.into_iter().collect();
        prop_assert!(fields.iter().all(|field| known.contains(field.as_str())), "{}", head);
        prop_assert_eq!(fields.len(), fields.iter().collect::<BTreeSet<_>>().len(), "{}", head);
        let lone = message.replace("\r\n", "");
        prop_assert!(!lone.contains(['\r', '\n']), "{:?}", message);
        prop_assert!(!message.to_ascii_lowercase().contains("\nx-evil"), "{}", message);
        let again = item(message.as_bytes());
        prop_assert_eq!(again.uid, read.uid);
    }

    /// Whatever a sender writes into header fields, the row gets one line of each, and addresses that name one mailbox.
    #[test]
    fn a_message_cannot_smuggle_lines_into_a_row(fields in vec((0..FIELDS.len(), hostile()), 1..12)) {
        let mut message = String::from("Message-ID: <a@b>\r\n");
        for (field, value) in fields {
            let value = STANDARD.encode(value);
            message.push_str(&format!("{}: =?utf-8?b?{value}?= <x@y.example>\r\n", FIELDS[field]));
            message.push_str(&format!("{}: =?utf-8?b?{value}?=\r\n", FIELDS[field]));
        }
        message.push_str("\r\nbody\r\n");
        let Ok(read) = email::read_item(message.as_bytes(), &BTreeSet::new(), &context()) else {
            return Ok(());
        };
        let patch = file(&read);
        for (column, value) in &patch.columns {
            let text = value.as_str().unwrap_or_default();
            prop_assert!(column == "description" || !text.contains(char::is_control), "{column} {text:?}");
        }
        for party in patch.parties.iter().flatten() {
            let broken = |c: char| c.is_control() || c.is_whitespace() || "<>,;".contains(c);
            prop_assert!(!party.address.contains(broken), "{:?}", party.address);
            prop_assert!(!party.name.contains(char::is_control), "{:?}", party.name);
        }
    }

    #[test]
    fn the_head_says_what_the_whole_says(message in message()) {
        let mut whole = item(&message.0);
        let head = email::head(&message.0, &BTreeSet::new(), &context()).unwrap();
        whole.fields.retain(|field, _| !["description", "attachments"].contains(&field.as_str()));
        prop_assert_eq!(head, whole);
    }
}

/// The connector searches a Maildir by names that the mapping makes: both must normalise alike.
#[tokio::test]
async fn the_connector_finds_messages_by_the_names_they_are_given() {
    let directory = tempfile::tempdir().unwrap();
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir(directory.path().join(part)).unwrap();
    }
    let long = "x".repeat(300);
    let headers = [
        "Message-ID: <a@b>\r\n",
        "MESSAGE-id:<c@d> trailing\r\n",
        "Message-ID:\r\n\t<e@\r\n f>\r\n",
        "Message-ID: no-brackets@g\r\n",
        "Message-Id : <spaced@h>\r\n",
        "Message-ID: <>\r\nMessage-ID: <second@i>\r\n",
        "Message-ID: <first@j>\r\nMessage-ID: <second@j>\r\n",
        "Message-ID: <ümlaut@k>\r\n",
        "Message-ID: <broken@l\r\n",
        "Message-ID: open@n>\r\n",
        "Message-ID: >\r\nMessage-ID: <second@o>\r\n",
        &format!("Message-ID: <{long}@m>\r\n"),
    ];
    let mut expected = BTreeSet::new();
    for (number, header) in headers.iter().enumerate() {
        let message = format!("Received: x\r\n{header}Subject: y\r\n\r\nMessage-ID: <body@x>\r\n");
        std::fs::write(directory.path().join(format!("new/{number}")), &message).unwrap();
        expected.insert(item(message.as_bytes()).uid);
    }
    assert_eq!(expected.len(), headers.len());
    let options = Options { path: directory.path().to_owned(), leave_out: BTreeSet::new() };
    let uids: Vec<Uid> = expected.iter().cloned().collect();
    let found = Maildir::new(options, Clock::system()).find(Class::Email, &uids).await.unwrap();
    assert_eq!(found.into_keys().collect::<BTreeSet<Uid>>(), expected);
}

fn item(message: &[u8]) -> Content {
    email::read_item(message, &BTreeSet::new(), &context()).unwrap()
}

fn file(content: &Content) -> RecordPatch {
    let change =
        Change { uid: &content.uid, patch: &all_of(&content.fields), whole: &content.fields };
    email::write_record(change, None, &context()).unwrap()
}

fn compose(content: &Content) -> Vec<u8> {
    let change =
        Change { uid: &content.uid, patch: &all_of(&content.fields), whole: &content.fields };
    email::write_item(change, None, &context()).unwrap()
}

/// The row as a CRM that kept everything would give it back, parties in an order of its own.
fn row(patch: RecordPatch) -> Record {
    let mut parties = patch.parties.unwrap_or_default();
    parties.reverse();
    let mut attachments = patch.attachments;
    attachments.reverse();
    Record {
        id: RecordId::new(Table::Email, Uuid::from_u128(9)),
        columns: patch.columns,
        parties,
        exceptions: Vec::new(),
        attachments,
    }
}

fn without_read_only(mut row: Record) -> Record {
    row.columns.retain(|column, _| !READ_ONLY.contains(&column.as_str()));
    row
}

/// `==` of people goes by address, but names travel, too.
fn same(before: &Fields, after: &Fields, lost: &[&str]) -> Result<(), TestCaseError> {
    let names: BTreeSet<&Field> = before.keys().chain(after.keys()).collect();
    for field in names {
        let show = |fields: &Fields| fields.get(field).map(ToString::to_string);
        if lost.contains(&field.as_str()) {
            prop_assert_eq!(show(after), None, "{}", field);
        } else {
            prop_assert_eq!(before.get(field), after.get(field), "{}", field);
            prop_assert_eq!(show(before), show(after), "{}", field);
        }
    }
    Ok(())
}

fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9][a-z0-9._+-]{0,15}@[a-z0-9]{1,10}\\.[a-z]{2,4}",
        1 => Just("Jürgen@Exämple.org".to_owned()),
        1 => Just("root".to_owned()),
        1 => Just("O'Neil!#$%&*/=?^_`{|}~@x.org".to_owned()),
    ]
}

/// Someone's name: words of the world's languages, what breaks headers, or anything.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[A-Z][a-z]{1,9} [A-Z][a-z]{1,9}",
        Just("Müller, \"Jürgen\" (privat) <x>".to_owned()),
        Just("山田 太郎".to_owned()),
        Just("=?utf-8?q?no?=".to_owned()),
        Just("a\r\nBcc: b@x".to_owned()),
        any::<String>(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[ -~]{0,300}",
        "\\PC{0,200}",
        any::<String>(),
        Just("line\r\nfold\n two  spaces\ttab\rend ".to_owned()),
        Just("--\r\n--a\r\n.\r\nFrom me\r\n=3D=\r\n".to_owned()),
        Just("😀".repeat(120)),
    ]
}

fn html() -> impl Strategy<Value = String> {
    prop_oneof![
        text(),
        text()
            .prop_map(|text| format!("<html><body><p>{text}</p><img src=\"cid:a\"></body></html>")),
        Just("<p>a &amp; b</p>\n".repeat(200)),
    ]
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z0-9.+=-]{1,60}@[a-z0-9.]{1,30}", "[!-;=?-~]{1,400}"]
}

/// Moments that both a `Date` header and a column can say.
fn moment() -> impl Strategy<Value = Timestamp> {
    (-2_200_000_000_i64..30_000_000_000).prop_map(|second| Timestamp::from_second(second).unwrap())
}

fn attachment() -> impl Strategy<Value = RecordAttachment> {
    let mimetype = prop_oneof![
        Just("application/pdf"),
        Just("text/csv"),
        Just("text/html"),
        Just("text/calendar; method=REQUEST"),
        Just("IMAGE/PNG"),
        Just("message/rfc822"),
        Just("multipart/mixed"),
        Just("nonsense"),
        Just(""),
    ];
    let filename = prop_oneof![
        Just("Angebot für 山田.pdf".to_owned()),
        Just("../../etc/passwd".to_owned()),
        Just("mail.eml".to_owned()),
        "[a-z]{240,300}\\.docx",
        any::<String>(),
    ];
    let bytes = prop_oneof![vec(any::<u8>(), 0..300), text().prop_map(String::into_bytes)];
    (filename, mimetype, bytes).prop_map(|(filename, mimetype, bytes)| RecordAttachment {
        filename,
        mimetype: mimetype.to_owned(),
        bytes,
    })
}

/// A row, shown with its content.
#[derive(Clone)]
struct Row(Record);

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", Json::Object(self.0.columns.clone()))?;
        for party in &self.0.parties {
            write!(f, " {:?} {:?} {:?}", party.role, party.name, party.address)?;
        }
        for file in &self.0.attachments {
            write!(f, " {:?} {:?} {:?}", file.filename, file.mimetype, file.bytes)?;
        }
        Ok(())
    }
}

/// A row of `email`. Its direction and its sender agree, since a message has nothing but the sender to tell it by.
fn record() -> impl Strategy<Value = Row> {
    let texts =
        (text(), html(), option::of(id()), option::of(id()), option::of("[A-Za-z0-9+/=]{1,200}"));
    let others = (option::of(moment()), any::<bool>(), option::of(0..=2_i64));
    let people = vec((2..=4_i64, name(), address()), 0..8);
    (texts, others, option::of((name(), address())), people, vec(attachment(), 0..4)).prop_map(
        |((subject, description, messageid, inreplyto, index), others, sender, people, files)| {
            let (senton, outgoing, priority) = others;
            let mut columns = Map::new();
            let mut put = |column: &str, value: Json| columns.insert(column.to_owned(), value);
            put("subject", json!(subject));
            put("description", json!(description));
            put("messageid", json!(messageid.map(|id| format!("<{id}>"))));
            put("inreplyto", json!(inreplyto.map(|id| format!("<{id}>"))));
            put("conversationindex", json!(index));
            put("senton", json!(senton.map(|moment| moment.to_string())));
            put("directioncode", json!(outgoing));
            put("prioritycode", json!(priority));
            let sender = if outgoing { Some((String::new(), ME.to_owned())) } else { sender };
            let party = |role, name, address| Party { role, name, address, target: None };
            let parties = sender
                .into_iter()
                .map(|(name, address)| party(Role::Sender, name, address))
                .chain(people.into_iter().filter_map(|(mask, name, address)| {
                    Some(party(Role::from_mask(mask)?, name, address))
                }))
                .collect();
            let id = RecordId::new(Table::Email, Uuid::from_u128(9));
            Row(Record { id, columns, parties, exceptions: Vec::new(), attachments: files })
        },
    )
}

/// All header fields of a message that we write.
const FIELDS: [&str; 14] = [
    "message-id",
    "date",
    "from",
    "to",
    "cc",
    "bcc",
    "subject",
    "in-reply-to",
    "references",
    "thread-index",
    "importance",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
];

/// Text made to break out of a header field.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "\r\n",
        "\n",
        "\r",
        "\r\n\r\n",
        "X-Evil: 1",
        "Bcc: eve@x.example",
        "=?utf-8?q?=0D=0AX-Evil:_1?=",
        "=?utf-8?b?DQpYLUV2aWw6IDE=?=",
        "\u{0}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\"",
        "\\",
        "<",
        ">",
        ",",
        ";",
        "@",
        "a@b.example",
        " ",
        "\t",
        "é",
        "--",
        "; x=y",
    ];
    vec(prop::sample::select(pieces.to_vec()), 0..8).prop_map(|pieces| pieces.concat())
}

/// A row whose every text tries to.
fn hostile_row() -> impl Strategy<Value = Row> {
    let texts = (hostile(), hostile(), hostile(), hostile());
    let people = vec((1..=4_i64, hostile(), hostile()), 0..5);
    let files = vec((hostile(), hostile()), 0..3);
    (texts, people, files).prop_map(|((subject, messageid, inreplyto, index), people, files)| {
        let columns = json!({
            "subject": subject,
            "messageid": messageid,
            "inreplyto": inreplyto,
            "conversationindex": index,
            "directioncode": true,
        });
        let Json::Object(columns) = columns else { unreachable!("it is an object") };
        let party = |(mask, name, address)| {
            Some(Party { role: Role::from_mask(mask)?, name, address, target: None })
        };
        let attachments = files
            .into_iter()
            .map(|(filename, mimetype)| RecordAttachment { filename, mimetype, bytes: vec![1] })
            .collect();
        let id = RecordId::new(Table::Email, Uuid::from_u128(9));
        let parties = people.into_iter().filter_map(party).collect();
        Row(Record { id, columns, parties, exceptions: Vec::new(), attachments })
    })
}

/// A header field with text in one of the forms programs use.
fn encoded(text: &str, form: u8) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match form {
        0 => line,
        1 => format!("=?UTF-8?B?{}?=", STANDARD.encode(text)),
        _ => {
            let hex: String =
                text.bytes().map(|byte| format!("={byte:02X}")).collect::<Vec<_>>().concat();
            format!("=?utf-8?Q?{hex}?=")
        }
    }
}

/// A part with a body in one of the encodings.
fn part(declaration: &str, body: &[u8], form: u8) -> Vec<u8> {
    let (encoding, bytes) = match form {
        0 => ("8bit", body.to_vec()),
        1 => ("Base64", STANDARD.encode(body).into_bytes()),
        _ => {
            let hex: Vec<String> = body.iter().map(|byte| format!("={byte:02X}")).collect();
            let lines: Vec<String> = hex.chunks(20).map(<[String]>::concat).collect();
            ("quoted-printable", lines.join("=\r\n").into_bytes())
        }
    };
    let header =
        format!("Content-Type: {declaration}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
    [header.into_bytes(), bytes].concat()
}

fn multipart(kind: &str, boundary: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes =
        format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\n").into_bytes();
    for part in parts {
        bytes.extend(format!("\r\n--{boundary}\r\n").into_bytes());
        bytes.extend_from_slice(part);
    }
    bytes.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    bytes
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let leaf = || (text(), html(), 0..3_u8, 0..3_u8);
    let readable = (leaf(), 0..4_u8).prop_map(|((text, html, a, b), shape)| {
        let plain = part("text/plain; charset=utf-8", text.as_bytes(), a);
        let rich = part("text/html; charset=\"UTF-8\"", html.as_bytes(), b);
        match shape {
            0 => plain,
            1 => rich,
            2 => multipart("alternative", "boundary-alternative", &[plain, rich]),
            _ => part("text/plain; charset=iso-8859-1", b"caf\xe9 \xa0 f\xfcr Sie", a),
        }
    });
    let files = vec((attachment(), 0..3_u8, 0..3_u8), 0..4);
    (readable, files).prop_map(|(readable, files)| {
        if files.is_empty() {
            return readable;
        }
        let mut parts = vec![readable];
        for (number, (file, form, kind)) in files.into_iter().enumerate() {
            let declaration = match kind {
                0 => format!("{}\r\nContent-Disposition: attachment", file.mimetype),
                1 => format!("application/x-{number}; name=\"file {number}.bin\""),
                _ => "image/gif\r\nContent-Disposition: inline; filename*=utf-8''%E2%82%AC.gif"
                    .to_owned(),
            };
            parts.push(part(&declaration, &file.bytes, form));
        }
        multipart("mixed", "boundary-mixed", &parts)
    })
}

/// The bytes of a message, shown as text.
#[derive(Clone)]
struct Message(Vec<u8>);

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// A message as programs write them, more or less.
fn message() -> impl Strategy<Value = Message> {
    let names = (option::of(id()), option::of(id()), vec(id(), 0..4));
    let people = (
        option::of((name(), prop_oneof![address(), Just(ME.to_owned())])),
        vec((name(), address()), 0..4),
    );
    let rest = (option::of(moment()), 0..6_u8, 0..3_u8);
    (names, people, text(), rest, body()).prop_map(|(names, people, subject, rest, body)| {
        let (messageid, inreplyto, references) = names;
        let (from, to) = people;
        let (date, priority, form) = rest;
        let mut header = vec!["Received: by x; Fri, 21 Nov 2025 10:00:00 +0000".to_owned()];
        let mut put = |name: &str, value: String| {
            header.push(format!("{name}: {value}"));
        };
        let person = |(name, address): (String, String)| {
            let quoted = name.replace(['"', '\\'], "");
            if form == 0 {
                format!("\"{}\" <{address}>", encoded(&quoted, 0))
            } else {
                format!("{} <{address}>", encoded(&name, form))
            }
        };
        if let Some(id) = messageid {
            put("Message-ID", format!("<{id}>"));
        }
        if let Some(id) = inreplyto {
            put("In-Reply-To", format!("<{id}>"));
        }
        let references: Vec<String> = references.iter().map(|id| format!("<{id}>")).collect();
        put("References", references.join("\r\n "));
        if let Some(date) = date {
            let date = date.to_zoned(TimeZone::fixed(jiff::tz::offset(5)));
            put("Date", date.strftime("%a, %d %b %Y %H:%M:%S %z").to_string());
        }
        if let Some(from) = from {
            put("From", person(from));
        }
        if !to.is_empty() {
            put("To", to.into_iter().map(person).collect::<Vec<_>>().join(",\r\n "));
            put("Bcc", "secret@example.org".to_owned());
        }
        put("Subject", encoded(&subject, form));
        put("X-Priority", priority.to_string());
        put("MIME-Version", "1.0".to_owned());
        let header = format!("{}\r\n", header.join("\r\n"));
        Message([header.into_bytes(), body].concat())
    })
}

/// All mails that come with the parser, what its authors collected in years: to the CRM, back, and into a new message,
/// all of them say the same.
#[test]
fn every_mail_of_the_parser_is_mapped_or_refused_with_a_reason() {
    let metadata = cargo_metadata::MetadataCommand::new().exec().unwrap();
    let package = metadata.packages.iter().find(|p| p.name.as_str() == "mail-parser").unwrap();
    let mut folders = vec![package.manifest_path.parent().unwrap().join("resources")];
    let (mut mapped, mut refused) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path().to_owned());
            } else if entry.path().extension() == Some("eml") {
                let bytes = std::fs::read(entry.path()).unwrap();
                match email::read_item(&bytes, &BTreeSet::new(), &context()) {
                    Ok(read) => {
                        mapped += 1;
                        let filed = email::read_record(&row(file(&read)), &context()).unwrap();
                        same(&read.fields, &filed.fields, &[]).unwrap();
                        let again = item(&compose(&filed));
                        assert_eq!(again.uid, read.uid, "{}", entry.path());
                        same(&read.fields, &again.fields, &[]).unwrap();
                    }
                    Err(reason) => refused.push(format!("{}: {reason}", entry.path())),
                }
            }
        }
    }
    println!("{mapped} mapped, refused: {refused:#?}");
    assert!(mapped > 90 && refused.len() < 10, "{mapped} mapped, refused: {refused:#?}");
}
