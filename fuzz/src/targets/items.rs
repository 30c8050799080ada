//! Items of a mailbox: what they say, and what is written onto them. The laws are those of the mapping's property tests, for
//! bytes that nobody made with care.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use liaison::mapping::text::{Edits, Text};
use liaison::mapping::{self, Change, Context, Lengths, Unwritable};
use liaison::model::record::PartyRef;
use liaison::model::{
    Address, Body, Class, Content, Document, Field, Fields, ItemId, Patch, Record, RecordId,
    RecordPatch, Table, Uid, Value, Version, all_of,
};
use serde_json::Value as Json;
use uuid::Uuid;

/// Users of the organisation: who may organise a meeting there.
const USERS: [&str; 2] = ["anna@example.org", "bob@example.org"];

/// A card.
///
/// # Panics
/// When a law does not hold.
pub fn vcard(bytes: &[u8]) {
    lines(bytes);
    item(Class::Contact, bytes);
}

/// A calendar with an appointment.
///
/// # Panics
/// When a law does not hold.
pub fn appointment(bytes: &[u8]) {
    lines(bytes);
    item(Class::Appointment, bytes);
}

/// A calendar with a task.
///
/// # Panics
/// When a law does not hold.
pub fn task(bytes: &[u8]) {
    lines(bytes);
    item(Class::Task, bytes);
}

/// A message.
///
/// What its head says the whole says, too; a row made of it has one line of each text and addresses that name one mailbox, and says
/// what the head does; and composed anew it says the same.
///
/// # Panics
/// When that does not hold.
pub fn email(bytes: &[u8]) {
    let context = context(bytes);
    let read = |bytes: &[u8]| mapping::email::read_item(bytes, &BTreeSet::new(), &context);
    let Ok(said) = read(bytes) else { return };
    let mut shown_whole = shown(&said.fields);
    let head = mapping::email::head(bytes, &BTreeSet::new(), &context).expect("a head");
    shown_whole.retain(|name, _| !["description", "attachments"].contains(&name.as_str()));
    assert_eq!(head.uid, said.uid);
    assert_eq!(shown(&head.fields), shown_whole, "the head says something else");
    let patch = all_of(&said.fields);
    let change = Change { uid: &said.uid, patch: &patch, whole: &said.fields };
    if let Ok(row) = mapping::email::write_record(change, None, &context) {
        for (column, value) in &row.columns {
            let text = value.as_str().unwrap_or_default();
            assert!(column == "description" || !text.contains(char::is_control), "{column}");
        }
        for party in row.parties.iter().flatten() {
            let broken = |c: char| c.is_control() || c.is_whitespace() || "<>,;".contains(c);
            assert!(!party.address.contains(broken), "{:?}", party.address);
            assert!(!party.name.contains(char::is_control), "{:?}", party.name);
        }
        let filed = kept(RecordId::new(Table::Email, Uuid::from_u128(1)), row);
        let differing = mapping::email::differing(&head, &filed, &context);
        assert_eq!(differing, Ok(Vec::new()), "filed as something else");
    }
    // Composing is for what the CRM holds; what cannot be composed is refused, with a reason.
    match mapping::email::write_item(change, None, &context) {
        Ok(composed) => {
            let again = read(&composed).expect("what we compose");
            assert_eq!(again.uid, said.uid, "composed under another name");
            let lone = String::from_utf8_lossy(&composed).replace("\r\n", "");
            assert!(!lone.contains(['\r', '\n']), "lone line ends");
        }
        Err(Unwritable(why)) => assert!(!why.is_empty()),
    }
}

/// Content lines: no edit leaves every byte.
fn lines(bytes: &[u8]) {
    if let Ok(text) = Text::parse(bytes) {
        assert_eq!(Edits::new().apply(&text), bytes, "no edit, another text");
    }
}

fn item(class: Class, bytes: &[u8]) {
    let context = context(bytes);
    let read = |bytes: &[u8]| read(class, bytes, &context);
    let said = match read(bytes) {
        Ok(said) => said,
        Err(why) => return assert!(!why.is_empty()),
    };
    let (uid, says) = (&said.uid, &said.fields);
    let write = |patch: &Patch, whole: &Fields, old: Option<&[u8]>| {
        mapping::write_item(class, Change { uid, patch, whole }, old, &context)
    };
    // Nothing changed, nothing written: not one byte, whether nothing is asked for or everything as it is.
    assert_eq!(write(&Patch::new(), says, Some(bytes)).as_deref(), Ok(bytes), "no change");
    assert_eq!(write(&all_of(says), says, Some(bytes)).as_deref(), Ok(bytes), "the same again");
    // A new item says what was written.
    match write(&all_of(says), says, None) {
        Ok(new) => {
            let again = read(&new).unwrap_or_else(|why| panic!("{why}: {}", show(&new)));
            assert_eq!(shown(&again.fields), shown(says), "made new: {}", show(&new));
        }
        Err(Unwritable(why)) => assert!(!why.is_empty()),
    }
    // The other side can say it, and what comes back changes nothing here.
    if let Ok(row) = to_row(class, uid, says, &context) {
        let back = mapping::read_record(&row, &context).expect("our own row").fields;
        let mut held = says.clone();
        held.retain(|name, value| is_held(name, value));
        assert_eq!(shown(&back), shown(&held), "through the CRM: {:?}", row.columns);
        assert_eq!(write(&all_of(&back), &back, Some(bytes)).as_deref(), Ok(bytes), "and back");
    }
    // One change says that change and nothing else, and made twice it is made once.
    changed(class, &said, bytes, &context);
}

fn changed(class: Class, said: &Content, bytes: &[u8], context: &Context) {
    let name = if class == Class::Contact { "jobtitle" } else { "subject" };
    let (field, value) = (Field::of(name), Value::text("Something, else; \\ at all\u{fc}"));
    let Some(value) = value else { return };
    let mut whole = said.fields.clone();
    whole.insert(field.clone(), value.clone());
    let patch = Patch::from([(field, Some(value))]);
    let change = Change { uid: &said.uid, patch: &patch, whole: &whole };
    let Ok(written) = mapping::write_item(class, change, Some(bytes), context) else { return };
    let again = read(class, &written, context).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(shown(&again.fields), shown(&whole), "changed: {}", show(&written));
    let twice = mapping::write_item(class, change, Some(&written), context);
    assert_eq!(twice.as_deref(), Ok(&*written), "a change that is made already");
}

/// What the CRM keeps of an item as it stands there: no firm that is none of ours, no organiser who is no user.
fn is_held(name: &Field, value: &Value) -> bool {
    match (name.as_str(), value) {
        ("parentcustomerid", _) => false,
        ("organizer", Value::People(people)) => {
            people.iter().all(|person| USERS.contains(&person.address.as_str()))
        }
        _ => true,
    }
}

fn read(class: Class, bytes: &[u8], context: &Context) -> Result<Content, String> {
    mapping::read_item(class, &document(bytes), context).map_err(|why| why.0)
}

pub(super) fn document(bytes: &[u8]) -> Document {
    Document {
        id: ItemId::new("1"),
        version: Version::new("1"),
        body: Body::Bytes(bytes.to_vec()),
        marks: BTreeSet::new(),
    }
}

/// The row that an item becomes, as a service that keeps everything has it.
fn to_row(
    class: Class,
    uid: &Uid,
    fields: &Fields,
    context: &Context,
) -> Result<Record, Unwritable> {
    let table = mapping::table(class, fields);
    let patch = all_of(fields);
    let change = Change { uid, patch: &patch, whole: fields };
    let written = mapping::write_record(table, change, None, context)?;
    Ok(kept(RecordId::new(table, Uuid::from_u128(1)), written))
}

fn kept(id: RecordId, patch: RecordPatch) -> Record {
    let mut columns = patch.columns;
    if let Some(state) = patch.state {
        columns.insert("statecode".to_owned(), Json::from(state.statecode));
        columns.insert("statuscode".to_owned(), Json::from(state.statuscode));
    }
    let mut exceptions = Vec::new();
    let mut deleted = Vec::new();
    for exception in patch.exceptions {
        let original = exception.original_start;
        let Some(said) = exception.columns else {
            deleted.push(original.to_string());
            continue;
        };
        let mut row: serde_json::Map<String, Json> = SHARED
            .iter()
            .filter_map(|column| Some(((*column).to_owned(), columns.get(*column)?.clone())))
            .collect();
        let minutes = columns.get("duration").and_then(Json::as_i64).unwrap_or(0);
        let end = original + SignedDuration::from_mins(minutes);
        row.insert("scheduledstart".to_owned(), Json::from(original.to_string()));
        row.insert("scheduledend".to_owned(), Json::from(end.to_string()));
        row.extend(said);
        row.insert("originalstartdate".to_owned(), Json::from(original.to_string()));
        row.insert("instancetypecode".to_owned(), Json::from(3));
        exceptions.push(row);
    }
    if !deleted.is_empty() {
        columns.insert("deletedexceptionslist".to_owned(), Json::from(deleted.join(",")));
    }
    let parties = patch.parties.unwrap_or_default();
    Record { id, columns, parties, exceptions, attachments: patch.attachments }
}

/// What the service fills into a new exception: the columns of the series.
const SHARED: [&str; 7] = [
    "subject",
    "location",
    "description",
    "prioritycode",
    "isalldayevent",
    "statecode",
    "statuscode",
];

/// A world; the user's zone is not always the same.
pub(super) fn context(bytes: &[u8]) -> Context {
    let zone = ["Europe/Berlin", "UTC", "Australia/Lord_Howe"][bytes.len() % 3];
    let party = |(number, address): (usize, &&str)| {
        let guid = Uuid::from_u128(number as u128 + 1);
        let target = PartyRef { table: "systemuser".to_owned(), guid };
        (Address::parse(address).expect("an address"), target)
    };
    Context {
        organisation: Uuid::from_u128(7),
        zone: TimeZone::get(zone).expect("a zone"),
        me: BTreeSet::from([Address::parse(USERS[0]).expect("an address")]),
        lengths: Lengths::default(),
        people: USERS.iter().enumerate().map(party).collect(),
        filing: BTreeMap::new(),
    }
}

/// The fields with their texts, since `Debug` of a value keeps them secret. People go by their addresses.
pub fn shown(fields: &Fields) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::People(people) => {
            people.iter().map(|person| person.address.to_string()).collect::<Vec<_>>().join(", ")
        }
        value => value.to_string(),
    };
    fields
        .iter()
        .map(|(field, value)| (field.to_string(), format!("{value:?} {}", text(value))))
        .collect()
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
