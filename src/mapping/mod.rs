//! What each side's text or row means: THE place where an item becomes a record, and back.
//!
//! Reading brings both sides into the same [`Fields`]; writing puts changes onto the text or row that is there, so that
//! what is not mapped survives. Nothing here does I/O or knows which side should win.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::model::record::PartyRef;
use crate::model::{
    Address, Body, Class, Content, Document, Fields, Patch, Record, RecordId, RecordPatch, Table,
    Uid,
};

pub mod appointment;
pub mod calendar;
pub mod column;
pub mod contact;
pub mod email;
pub mod recurrence;
pub mod task;
pub mod text;
pub mod zone;

/// What readers and writers must know about the world.
#[derive(Debug, Clone)]
pub struct Context {
    pub organisation: Uuid,
    /// The zone of the user, for all-day items and times without a zone.
    pub zone: TimeZone,
    /// The user's own addresses.
    pub me: BTreeSet<Address>,
    pub lengths: Lengths,
    /// Whom addresses belong to, as far as the CRM could tell without doubt. Used for parties.
    pub people: BTreeMap<Address, PartyRef>,
    /// What messages are filed with.
    pub filing: BTreeMap<Uid, Filing>,
}

/// What a message is filed with besides what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filing {
    /// The record that it is about.
    pub regarding: Option<PartyRef>,
    /// Whether the user said what it is about, or that it is about nothing.
    pub is_said: bool,
    /// The message in the CRM that it answers.
    pub parent: Option<RecordId>,
    /// The name of the message that it answers, filed or not.
    pub answers: Option<Uid>,
}

/// The longest text that a column takes (`MaxLength` of its metadata), in UTF-16 code units, by table and column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lengths(pub BTreeMap<(Table, String), usize>);

impl Lengths {
    pub fn of(&self, table: Table, column: &str) -> Option<usize> {
        self.0.get(&(table, column.to_owned())).copied()
    }
}

/// Why an item cannot be mapped: a sentence for the person, lower case, without content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// Why changes cannot be written onto an item or into a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unwritable(pub String);

impl From<Unreadable> for Unwritable {
    /// What the reader cannot read, the writer cannot write onto.
    fn from(unreadable: Unreadable) -> Self {
        Self(unreadable.0)
    }
}

/// A change to write.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    pub uid: &'a Uid,
    /// The changed fields; on a create all of them.
    pub patch: &'a Patch,
    /// What the side says once the change is made: for values that one column or property shares.
    pub whole: &'a Fields,
}

/// What a mailbox item says.
///
/// # Errors
/// [`Unreadable`] when it is no item of the class or not well-formed enough to be judged; never panics on hostile bytes.
pub fn read_item(
    class: Class,
    document: &Document,
    context: &Context,
) -> Result<Content, Unreadable> {
    let Body::Bytes(bytes) = &document.body else {
        return Err(Unreadable("not a mailbox item".to_owned()));
    };
    match class {
        Class::Contact => contact::read_item(bytes, context),
        Class::Task => task::read_item(bytes, context),
        Class::Appointment => appointment::read_item(bytes, context),
        Class::Email => email::read_item(bytes, &document.marks, context),
    }
}

/// What a record says. Its uid is the one its item has or would get.
///
/// # Errors
/// [`Unreadable`] when a column that must be there is missing or of another type than documented.
pub fn read_record(record: &Record, context: &Context) -> Result<Content, Unreadable> {
    match record.id.table.class() {
        Class::Contact => contact::read_record(record, context),
        Class::Task => task::read_record(record, context),
        Class::Appointment => appointment::read_record(record, context),
        Class::Email => email::read_record(record, context),
    }
}

/// The new text of an item: `change` written onto `old`, or a new item. Without a change the result is `old`, byte for byte.
///
/// # Errors
/// [`Unwritable`] when a value has no form in the mailbox or `old` is not what the reader took it for.
pub fn write_item(
    class: Class,
    change: Change<'_>,
    old: Option<&[u8]>,
    context: &Context,
) -> Result<Vec<u8>, Unwritable> {
    match class {
        Class::Contact => contact::write_item(change, old, context),
        Class::Task => task::write_item(change, old, context),
        Class::Appointment => appointment::write_item(change, old, context),
        Class::Email => email::write_item(change, old, context),
    }
}

/// What to write to a record: a whole new one where `old` is `None`, else the changed columns.
///
/// # Errors
/// [`Unwritable`] when a value has no form in the CRM.
pub fn write_record(
    table: Table,
    change: Change<'_>,
    old: Option<&Record>,
    context: &Context,
) -> Result<RecordPatch, Unwritable> {
    match table.class() {
        Class::Contact => contact::write_record(change, old, context),
        Class::Task => task::write_record(change, old, context),
        Class::Appointment => appointment::write_record(table, change, old, context),
        Class::Email => email::write_record(change, old, context),
    }
}

/// The table that an item with these fields becomes a row of.
pub fn table(class: Class, fields: &Fields) -> Table {
    match class {
        Class::Contact => Table::Contact,
        Class::Task => Table::Task,
        Class::Appointment => appointment::table(fields),
        Class::Email => Table::Email,
    }
}
