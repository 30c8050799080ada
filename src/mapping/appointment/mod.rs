//! Appointments: a `VEVENT` with its series and exceptions ⇄ a row of `appointment` or `recurringappointmentmaster`.
//!
//! ```text
//! iCalendar text ── event, series ──▶ Fields ── row, pattern ──▶ columns, state, parties, exceptions
//!               ◀── edit ───────────        ◀── record ───────
//! ```
//!
//! One iCalendar object is one thing: the master, its overrides (`RECURRENCE-ID`) and what was taken out (`EXDATE`). The
//! fields are those of [`crate::model::fields::field_rules`]; an occurrence that is not as the pattern has it is a field of
//! its own, named by the start it has in the pattern.
//!
//! What both sides say in one way:
//! * `statuscode` is always there, as a word ([`status::Show`]); an ordinary event is `busy`.
//! * `prioritycode` is there when it is not normal, `isalldayevent` when it is set, a subject when it is not
//!   [`NO_SUBJECT`](super::calendar::NO_SUBJECT).
//! * All-day starts and ends are midnights of the user's zone; the end is the day after the last.
//! * A pattern speaks of the days of the user's zone. The zone itself is not carried: the CRM has no column for it, and an
//!   item keeps the one it has.
//! * An occurrence that is cancelled does not take place, in whatever way a side says so.
//! * What the pattern does not have is no occurrence: to call it off says nothing, and an override that says something else than
//!   the series does has no form in the CRM.

use super::{Change, Context, Unreadable, Unwritable};
use crate::model::{Content, Field, Fields, Record, RecordPatch, Table, Value};

pub mod edit;
pub mod event;
pub mod exceptions;
pub mod people;
pub mod record;
pub mod row;
pub mod series;
pub mod status;

pub mod pattern;
#[cfg(test)]
mod tests;

const SUBJECT: Field = Field::of("subject");
const LOCATION: Field = Field::of("location");
const DESCRIPTION: Field = Field::of("description");
const START: Field = Field::of("scheduledstart");
const END: Field = Field::of("scheduledend");
const ALL_DAY: Field = Field::of("isalldayevent");
const PRIORITY: Field = Field::of("prioritycode");
const STATUS: Field = Field::of("statuscode");
const ORGANIZER: Field = Field::of("organizer");
const REQUIRED: Field = Field::of("requiredattendees");
const OPTIONAL: Field = Field::of("optionalattendees");
const RECURRENCE: Field = Field::of("recurrence");

/// What an iCalendar object says.
///
/// # Errors
/// When it is not one appointment, or the CRM has no form for how it repeats.
pub fn read_item(bytes: &[u8], context: &Context) -> Result<Content, Unreadable> {
    series::read(bytes, context)
}

/// What a row says, with its parties and exceptions.
///
/// # Errors
/// When it has no start, ends before it starts, or repeats in no way that is documented.
pub fn read_record(record: &Record, context: &Context) -> Result<Content, Unreadable> {
    record::read(record, context)
}

/// The changes written onto the old text, or a new object.
///
/// # Errors
/// When `old` is not what [`read_item`] reads, or a change has no form in it.
pub fn write_item(
    change: Change<'_>,
    old: Option<&[u8]>,
    context: &Context,
) -> Result<Vec<u8>, Unwritable> {
    edit::write(change, old, context)
}

/// What to write to a row, its parties and its exceptions.
///
/// # Errors
/// When a single appointment would have to become a series or a series a single appointment: they are rows of two tables.
pub fn write_record(
    table: Table,
    change: Change<'_>,
    old: Option<&Record>,
    context: &Context,
) -> Result<RecordPatch, Unwritable> {
    row::write(table, change, old, context)
}

/// The table of an appointment: a series has one of its own.
pub fn table(fields: &Fields) -> Table {
    if fields.contains_key(&RECURRENCE) {
        Table::RecurringAppointmentMaster
    } else {
        Table::Appointment
    }
}

/// What a list shows an appointment as.
pub fn title(fields: &Fields) -> String {
    super::calendar::title(fields)
}

/// What an occurrence says when it is as the pattern has it: the fields that an occurrence can have of its own.
fn by_pattern(series: &Fields, original: jiff::Timestamp, zone: &jiff::tz::TimeZone) -> Fields {
    let mut fields: Fields = [&SUBJECT, &LOCATION, &DESCRIPTION, &ALL_DAY, &PRIORITY, &STATUS]
        .into_iter()
        .filter_map(|field| Some((field.clone(), series.get(field)?.clone())))
        .collect();
    fields.insert(START, Value::Moment(original));
    let end = event::end_of(series, original, zone).unwrap_or(original);
    fields.insert(END, Value::Moment(end));
    fields
}

/// The moment that a field holds.
fn moment(fields: &Fields, field: &Field) -> Option<jiff::Timestamp> {
    match fields.get(field) {
        Some(Value::Moment(moment)) => Some(*moment),
        _ => None,
    }
}
