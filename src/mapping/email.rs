//! E-mail: an RFC 5322 message with MIME ⇄ an `email` row with its parties and attachments.
//!
//! A message is filed once; afterwards both sides are as good as immutable, and a change has no form here.
//!
//! * The HTML body is kept as it is; a message of plain text becomes HTML (`body::from_text`).
//! * `senton`, `inreplyto` and `conversationindex` are read-only by the documentation of `email`
//!   (<https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/email>). They are in the columns
//!   nevertheless: whoever files the message by `DeliverPromoteEmail` passes them on, whoever creates a plain row leaves
//!   them out. A record that lacks them reads without them.
//! * How an inline picture is referred to (`Content-ID`) has no column and gets lost; the picture is an attachment.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{Change, Context, Filing, Unreadable, Unwritable};
use crate::model::fields::CUT_MARK;
use crate::model::name;
use crate::model::record::{Party, PartyRef, RecordAttachment, Role, State};
use crate::model::{
    Address, Attachment, Content, Field, Fields, People, Person, Record, RecordPatch, Table,
    Traits, Value,
};

mod body;
mod compose;
mod defuse;
mod filed;
mod left_out;
mod letter;
mod message;
mod names;
mod newcomer;

pub use filed::differing;
pub use left_out::leave_out;
pub use letter::{Letter, Posting, Unfit, letter, letter_name};
pub use message::{head, read_item, read_text};
pub use names::message_id;
pub use newcomer::newcomer;

const SUBJECT: Field = Field::of("subject");
const DESCRIPTION: Field = Field::of("description");
const FROM: Field = Field::of("from");
const TO: Field = Field::of("to");
const CC: Field = Field::of("cc");
const BCC: Field = Field::of("bcc");
const MESSAGEID: Field = Field::of("messageid");
const INREPLYTO: Field = Field::of("inreplyto");
const CONVERSATIONINDEX: Field = Field::of("conversationindex");
const SENTON: Field = Field::of("senton");
const DIRECTIONCODE: Field = Field::of("directioncode");
const PRIORITYCODE: Field = Field::of("prioritycode");
const ATTACHMENTS: Field = Field::of("attachments");

/// When the activity was done: as the message's own date. Left out, it would be when the message was filed.
const ACTUALEND: &str = "actualend";

/// The roles of a message's people.
const ROLES: [(Field, Role); 4] =
    [(FROM, Role::Sender), (TO, Role::To), (CC, Role::Cc), (BCC, Role::Bcc)];

/// `prioritycode` Normal, which a message without any mark of importance has.
const NORMAL: i64 = 1;

/// What columns hold unless the metadata says otherwise.
const SUBJECT_LENGTH: usize = 200;
const ADDRESS_LENGTH: usize = 200;

/// States of a filed message (`email`: statecode 1 Completed).
const RECEIVED: State = State { statecode: 1, statuscode: 4 };
const SENT: State = State { statecode: 1, statuscode: 3 };

/// What an `email` row says.
///
/// # Errors
/// [`Unreadable`] when a column is of another type than documented.
pub fn read_record(record: &Record, context: &Context) -> Result<Content, Unreadable> {
    let columns = &record.columns;
    let mut fields = Fields::new();
    let mut put = |field: Field, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(field, value);
        }
    };
    let subject = text(columns, "subject")?.map(body::one_line);
    put(SUBJECT, subject.and_then(|text| stored(&text, limit(context, "subject"))));
    let description = text(columns, "description")?.map(body::clean);
    put(DESCRIPTION, description.and_then(|text| stored(&text, limit(context, "description"))));
    let id = text(columns, "messageid")?.and_then(message_id);
    let uid = id.unwrap_or_else(|| name::item_uid(context.organisation, record.id.guid));
    put(MESSAGEID, Value::text(uid.as_str()));
    let answered = text(columns, "inreplyto")?.and_then(message_id);
    put(INREPLYTO, answered.as_ref().and_then(|uid| Value::text(uid.as_str())));
    put(CONVERSATIONINDEX, text(columns, "conversationindex")?.and_then(names::thread_index));
    put(SENTON, moment(columns, "senton")?.map(Value::Moment));
    let outgoing = flag(columns, "directioncode")?;
    put(DIRECTIONCODE, outgoing.map(Value::Flag));
    put(PRIORITYCODE, Some(Value::Number(number(columns, "prioritycode")?.unwrap_or(NORMAL))));
    for (field, role) in ROLES {
        // Who else got a received message secretly is nobody's business, and never known.
        if role != Role::Bcc || outgoing == Some(true) {
            put(field, people(&record.parties, role));
        }
    }
    put(ATTACHMENTS, attachments(&record.attachments));
    let references = answered.into_iter().collect();
    Ok(Content { uid, fields, traits: Traits { references, ..Traits::default() } })
}

/// The row that files a message.
///
/// # Errors
/// [`Unwritable`] for changes to a row that is there.
pub fn write_record(
    change: Change<'_>,
    old: Option<&Record>,
    context: &Context,
) -> Result<RecordPatch, Unwritable> {
    if old.is_some() {
        return if change.patch.is_empty() {
            Ok(RecordPatch::default())
        } else {
            Err(Unwritable("a filed message cannot be changed".to_owned()))
        };
    }
    Ok(new_row(change, context))
}

fn new_row(change: Change<'_>, context: &Context) -> RecordPatch {
    let outgoing = change.whole.get(&DIRECTIONCODE) == Some(&Value::Flag(true));
    let mut patch = RecordPatch {
        state: Some(if outgoing { SENT } else { RECEIVED }),
        ..RecordPatch::default()
    };
    let mut parties = Vec::new();
    // The name of the message is what the row is found by, whatever else is left out.
    patch.columns.insert("messageid".to_owned(), Json::from(bracketed(change.uid.as_str())));
    for (field, value) in change.patch {
        match value {
            Some(Value::Text(text)) => {
                if let Some(json) = column(field, text, context) {
                    patch.columns.insert(field.as_str().to_owned(), json);
                }
            }
            Some(Value::Moment(moment)) => {
                patch.columns.insert(field.as_str().to_owned(), Json::from(moment.to_string()));
                if *field == SENTON {
                    // Lists are sorted by it, and who only makes a row can set no other time.
                    patch.columns.insert(ACTUALEND.to_owned(), Json::from(moment.to_string()));
                }
            }
            Some(Value::Flag(flag)) => {
                patch.columns.insert(field.as_str().to_owned(), Json::from(*flag));
            }
            Some(Value::Number(number)) => {
                patch.columns.insert(field.as_str().to_owned(), Json::from(*number));
            }
            Some(Value::People(people)) => {
                let role = ROLES.iter().find(|(known, _)| known == field).map(|(_, role)| *role);
                let role = role.filter(|role| *role != Role::Bcc || outgoing);
                parties.extend(role.iter().flat_map(|role| {
                    people.iter().filter_map(|person| party(person, *role, context))
                }));
            }
            Some(Value::Attachments(files)) => {
                patch.attachments = files.iter().map(record_attachment).collect();
            }
            // What was cut stays on the side that cut it; a message has no other kinds of values.
            Some(Value::Cut(_) | Value::Date(_) | Value::Recurrence(_) | Value::Occurrence(_))
            | None => {}
        }
    }
    parties.sort();
    patch.parties = Some(parties);
    if let Some(filing) = context.filing.get(change.uid) {
        patch.lookups = filed_with(filing);
    }
    patch
}

fn filed_with(filing: &Filing) -> BTreeMap<String, Option<PartyRef>> {
    let parent = filing.parent.map(|parent| {
        let parent = PartyRef { table: "email".to_owned(), guid: parent.guid };
        ("parentactivityid".to_owned(), Some(parent))
    });
    let regarding =
        filing.regarding.as_ref().map(|target| (regarding_property(target), Some(target.clone())));
    parent.into_iter().chain(regarding).collect()
}

/// The record that a row is about.
pub fn regarding(record: &Record) -> Option<PartyRef> {
    let text = |key: &str| record.columns.get(key).and_then(Json::as_str);
    let guid = uuid::Uuid::parse_str(text("_regardingobjectid_value")?).ok()?;
    let table = text("_regardingobjectid_value@Microsoft.Dynamics.CRM.lookuplogicalname")?;
    Some(PartyRef { table: table.to_owned(), guid })
}

/// What makes a row be about another record, or about nothing.
pub fn set_regarding(record: &Record, target: Option<&PartyRef>) -> RecordPatch {
    let lookup = match (target, regarding(record)) {
        (Some(target), _) => Some((regarding_property(target), Some(target.clone()))),
        (None, Some(now)) => Some((regarding_property(&now), None)),
        (None, None) => None,
    };
    RecordPatch { lookups: lookup.into_iter().collect(), ..RecordPatch::default() }
}

/// A lookup to one of many tables has a property for each.
/// <https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/email>
fn regarding_property(target: &PartyRef) -> String {
    format!("regardingobjectid_{}_email", target.table)
}

/// The message that a row stands for, to be sent or put back.
///
/// Without `senton` it has no `Date`, and `Bcc` is in it: whoever sends it adds the one and takes out the other.
///
/// # Errors
/// [`Unwritable`] for changes to a message that is there.
pub fn write_item(
    change: Change<'_>,
    old: Option<&[u8]>,
    _context: &Context,
) -> Result<Vec<u8>, Unwritable> {
    match old {
        Some(old) if change.patch.is_empty() => Ok(old.to_vec()),
        Some(_) => Err(Unwritable("a stored message cannot be changed".to_owned())),
        None => Ok(compose::message(change.uid, change.whole)),
    }
}

/// What a message is called in lists.
pub fn title(fields: &Fields) -> String {
    match fields.get(&SUBJECT) {
        Some(Value::Text(subject) | Value::Cut(subject)) => subject.clone(),
        _ => "(no subject)".to_owned(),
    }
}

fn limit(context: &Context, column: &str) -> Option<usize> {
    let default = (column == "subject").then_some(SUBJECT_LENGTH);
    context.lengths.of(Table::Email, column).or(default)
}

/// A text as it stands in a column of this length: cut if it fills it and ends in the mark.
fn stored(text: &str, limit: Option<usize>) -> Option<Value> {
    let value = Value::text(text)?;
    match (value, limit) {
        // One unit less where the cut would have gone through a surrogate pair.
        (Value::Text(text), Some(limit))
            if text.ends_with(CUT_MARK)
                && text.encode_utf16().count().saturating_add(1) >= limit =>
        {
            Some(Value::Cut(text))
        }
        (value, _) => Some(value),
    }
}

fn cut(text: &str, limit: Option<usize>) -> String {
    let Some(limit) = limit.filter(|limit| text.encode_utf16().count() > *limit) else {
        return text.to_owned();
    };
    let mut left = limit.saturating_sub(1);
    let mut part: String = text
        .chars()
        .take_while(|character| {
            let fits = character.len_utf16() <= left;
            left = if fits { left - character.len_utf16() } else { 0 };
            fits
        })
        .collect();
    part.push(CUT_MARK);
    part
}

fn column(field: &Field, text: &str, context: &Context) -> Option<Json> {
    match field.as_str() {
        column @ ("subject" | "description") => Some(Json::from(cut(text, limit(context, column)))),
        "inreplyto" => Some(Json::from(bracketed(text))),
        "conversationindex" => Some(Json::from(text)),
        // `messageid` is the uid, and written from that.
        _ => None,
    }
}

/// Dynamics keeps the angle brackets of RFC 5322 §3.6.4 in its columns.
fn bracketed(id: &str) -> String {
    format!("<{id}>")
}

fn people(parties: &[Party], role: Role) -> Option<Value> {
    parties
        .iter()
        .filter(|party| party.role == role)
        .filter_map(|party| names::person(&party.name, &party.address))
        .collect::<People>()
        .value()
}

/// A party for someone; nobody for an address that the column cannot hold, since a cut one is another's.
fn party(person: &Person, role: Role, context: &Context) -> Option<Party> {
    let address = person.address.as_str();
    (address.encode_utf16().count() <= ADDRESS_LENGTH).then(|| Party {
        role,
        address: address.to_owned(),
        name: person.name.clone(),
        target: context.people.get(&person.address).cloned(),
    })
}

fn attachments(files: &[RecordAttachment]) -> Option<Value> {
    let mut files: Vec<Attachment> = files
        .iter()
        .map(|file| names::attachment(&file.filename, &file.mimetype, file.bytes.clone()))
        .collect();
    files.sort();
    (!files.is_empty()).then_some(Value::Attachments(files))
}

fn record_attachment(file: &Attachment) -> RecordAttachment {
    RecordAttachment {
        filename: file.filename.clone(),
        mimetype: file.mimetype.clone(),
        bytes: file.bytes.clone(),
    }
}

fn wrong(column: &str, kind: &str) -> Unreadable {
    Unreadable(format!("column {column} is not {kind}"))
}

fn text<'a>(columns: &'a Map<String, Json>, column: &str) -> Result<Option<&'a str>, Unreadable> {
    match columns.get(column) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(column, "text")),
    }
}

fn flag(columns: &Map<String, Json>, column: &str) -> Result<Option<bool>, Unreadable> {
    match columns.get(column) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(wrong(column, "yes or no")),
    }
}

fn number(columns: &Map<String, Json>, column: &str) -> Result<Option<i64>, Unreadable> {
    match columns.get(column) {
        None | Some(Json::Null) => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or_else(|| wrong(column, "a whole number")),
    }
}

fn moment(
    columns: &Map<String, Json>,
    column: &str,
) -> Result<Option<jiff::Timestamp>, Unreadable> {
    let Some(text) = text(columns, column)? else { return Ok(None) };
    let moment: jiff::Timestamp = text.parse().map_err(|_| wrong(column, "a time"))?;
    jiff::Timestamp::from_second(moment.as_second()).map(Some).map_err(|_| wrong(column, "a time"))
}

fn is_me(context: &Context, address: &Address) -> bool {
    context.me.contains(address)
}

#[cfg(test)]
mod tests;
