//! Tasks: a `VTODO` ⇄ a row of `task`.
//!
//! What both sides say in one way:
//! * `statuscode` is always there, as a word ([`progress::Progress`]).
//! * `actualend` counts only for a completed task: a row with one that lies in the past completes itself, and a task that is
//!   reopened must lose it.
//! * `percentcomplete` is there when it is not zero; a completed task that does not say it is at 100, as the service has it.
//! * `prioritycode` is there when it is not normal, a subject when it is not [`NO_SUBJECT`].
//! * Days without a time are midnights of the user's zone; a file that has days keeps days as long as the times are midnights.

use jiff::Timestamp;
use serde_json::Value as Json;

use super::calendar::{self, Calendar, Form, NO_SUBJECT, property, subject};
use super::column::{
    Columns, closed, moment_column, read_moment, read_number, read_text, set_text,
};
use super::text::{Component, Edits, Line, Text, escape, render};
use super::{Change, Context, Unreadable, Unwritable};
use crate::model::link::Traits;
use crate::model::record::State;
use crate::model::{Content, Field, Fields, Record, RecordPatch, Table, Uid, Value, name};

use progress::Progress;

pub mod progress;
pub mod times;

#[cfg(test)]
mod tests;

const SUBJECT: Field = Field::of("subject");
const DESCRIPTION: Field = Field::of("description");
const START: Field = Field::of("scheduledstart");
const END: Field = Field::of("scheduledend");
const ACTUAL_END: Field = Field::of("actualend");
const PERCENT: Field = Field::of("percentcomplete");
const PRIORITY: Field = Field::of("prioritycode");
const STATUS: Field = Field::of("statuscode");

/// What an iCalendar object says.
///
/// # Errors
/// When it is not one task, or one that recurs.
pub fn read_item(bytes: &[u8], context: &Context) -> Result<Content, Unreadable> {
    let text = Text::parse(bytes)?;
    let calendar = Calendar::of(&text, &context.zone)?;
    let (uid, task) = only_task(&calendar)?;
    let times = times::read(&calendar, task)?;
    let progress = Progress::read(&text, task);
    let done = match text.property(task, "COMPLETED") {
        Some((_, line)) if progress == Progress::Completed => {
            Some(calendar.moment(&calendar.when(line)?)?)
        }
        _ => None,
    };
    let fields = fields([
        (SUBJECT, subject(property::text(&text, task, "SUMMARY"))),
        (DESCRIPTION, property::description(&text, task)),
        (START, times.start.map(Value::Moment)),
        (END, times.due.map(Value::Moment)),
        (ACTUAL_END, done.map(Value::Moment)),
        (PERCENT, percentage(percent(&text, task), progress)),
        (PRIORITY, property::priority(&text, task)),
        (STATUS, Some(progress.value())),
    ]);
    Ok(Content { uid, fields, traits: calendar::traits(&text, task) })
}

/// What a row says.
///
/// # Errors
/// When a column is of another type than documented.
pub fn read_record(record: &Record, context: &Context) -> Result<Content, Unreadable> {
    let row = &record.columns;
    let text = |column| read_text(&context.lengths, Table::Task, column, row);
    let moment = |column| read_moment(column, row).map(|at| at.map(Value::Moment));
    let progress =
        Progress::of_codes(read_number("statecode", row)?, read_number("statuscode", row)?);
    let priority = read_number("prioritycode", row)?.filter(|code| matches!(code, 0 | 2));
    let fields = fields([
        (SUBJECT, subject(text("subject")?)),
        (DESCRIPTION, text("description")?.and_then(property::readable)),
        (START, moment("scheduledstart")?),
        (END, moment("scheduledend")?),
        (ACTUAL_END, moment("actualend")?.filter(|_| progress == Progress::Completed)),
        (PERCENT, percentage(read_number("percentcomplete", row)?, progress)),
        (PRIORITY, priority.map(Value::Number)),
        (STATUS, Some(progress.value())),
    ]);
    let uid = name::item_uid(context.organisation, record.id.guid);
    Ok(Content { uid, fields, traits: Traits::default() })
}

/// The changes written onto the old text, or a new object.
///
/// # Errors
/// When `old` is not what [`read_item`] reads.
pub fn write_item(
    change: Change<'_>,
    old: Option<&[u8]>,
    context: &Context,
) -> Result<Vec<u8>, Unwritable> {
    let Some(old) = old else {
        return write_onto(&bare(change.uid, change.whole), change, context);
    };
    let patch = calendar::changes(change.patch, &read_item(old, context)?.fields);
    if patch.is_empty() {
        return Ok(old.to_vec());
    }
    write_onto(old, Change { patch: &patch, ..change }, context)
}

/// What to write to a row.
///
/// # Errors
/// When the state of `old` cannot be read.
pub fn write_record(
    change: Change<'_>,
    old: Option<&Record>,
    context: &Context,
) -> Result<RecordPatch, Unwritable> {
    let Change { patch, whole, .. } = change;
    let touched = |field: &Field| patch.contains_key(field);
    let mut columns = Columns::new();
    for (field, empty) in [(SUBJECT, Json::from(NO_SUBJECT)), (DESCRIPTION, Json::Null)] {
        if touched(&field) || (field == SUBJECT && old.is_none()) {
            let place = (Table::Task, field.as_str());
            set_text(&mut columns, &context.lengths, place, whole.get(&field), empty);
        }
    }
    let mut set = |field: &Field, otherwise: Json| {
        let value = match whole.get(field) {
            Some(Value::Moment(moment)) => moment_column(*moment),
            Some(Value::Number(number)) => Json::from(*number),
            _ => otherwise,
        };
        columns.insert(field.as_str().to_owned(), value);
    };
    for field in [START, END, PERCENT] {
        if touched(&field) {
            set(&field, Json::Null);
        }
    }
    if touched(&PRIORITY) {
        set(&PRIORITY, Json::from(1));
    }
    let progress = Progress::of(whole.get(&STATUS));
    if progress == Progress::Completed {
        if touched(&ACTUAL_END) {
            set(&ACTUAL_END, Json::Null);
        }
    } else if old.is_some_and(|old| old.columns.get("actualend").is_some_and(|end| !end.is_null()))
        && touched(&STATUS)
    {
        columns.insert(ACTUAL_END.as_str().to_owned(), Json::Null);
    }
    let state = state(change, old, !columns.is_empty())?;
    Ok(RecordPatch { columns, state, ..RecordPatch::default() })
}

/// What a list shows a task as.
pub fn title(fields: &Fields) -> String {
    calendar::title(fields)
}

fn fields<const N: usize>(values: [(Field, Option<Value>); N]) -> Fields {
    values.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
}

/// What a component says itself about how far it is.
fn percent(text: &Text<'_>, task: &Component) -> Option<i64> {
    let (_, line) = text.property(task, "PERCENT-COMPLETE")?;
    line.value().trim().parse().ok()
}

fn percentage(number: Option<i64>, progress: Progress) -> Option<Value> {
    let completed = (progress == Progress::Completed).then_some(100);
    number.filter(|number| (1..=100).contains(number)).or(completed).map(Value::Number)
}

fn only_task<'a>(calendar: &Calendar<'a>) -> Result<(Uid, &'a Component), Unreadable> {
    let tasks = calendar.components("VTODO");
    let task = match tasks.as_slice() {
        [] => return Err(Unreadable("it holds no task".to_owned())),
        [first, ..] => *first,
    };
    let uid = calendar::uid(calendar.text, &tasks)?;
    let recurs =
        |line: &Line| matches!(line.name(), "RRULE" | "RDATE" | "EXRULE" | "RECURRENCE-ID");
    if tasks.iter().any(|task| calendar.text.properties(task).any(|(_, line)| recurs(line))) {
        return Err(Unreadable("a recurring task has no form in the CRM".to_owned()));
    }
    if tasks.len() > 1 {
        return Err(Unreadable("it holds several tasks with one UID".to_owned()));
    }
    Ok((uid, task))
}

/// A task that says nothing yet.
///
/// `DTSTAMP` must be there and a writer has no clock: it is the start or the due time, so that the same record makes the same
/// text, or the epoch.
fn bare(uid: &Uid, whole: &Fields) -> Vec<u8> {
    let stamp = [&START, &END]
        .into_iter()
        .find_map(|field| moment(whole, field))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let properties = vec![
        Line::new("UID", escape(uid.as_str())),
        Form::Utc.line("DTSTAMP", stamp, &jiff::tz::TimeZone::UTC),
    ];
    render(&calendar::skeleton("VTODO", Vec::new(), properties))
}

fn write_onto(old: &[u8], change: Change<'_>, context: &Context) -> Result<Vec<u8>, Unwritable> {
    let text = Text::parse(old)?;
    let calendar = Calendar::of(&text, &context.zone)?;
    let (_, task) = only_task(&calendar)?;
    let Change { patch, whole, .. } = change;
    let touched = |field: &Field| patch.contains_key(field);
    let mut edits = Edits::new();
    if touched(&SUBJECT) {
        property::set_text(&mut edits, &text, task, "SUMMARY", whole.get(&SUBJECT));
    }
    if touched(&DESCRIPTION) {
        property::set_description(&mut edits, &text, task, whole.get(&DESCRIPTION));
    }
    if touched(&START) || touched(&END) {
        times::write(&mut edits, &calendar, task, patch, whole)?;
        calendar::bump_sequence(&mut edits, &text, task);
    }
    if touched(&PRIORITY) {
        property::set_priority(&mut edits, &text, task, whole.get(&PRIORITY));
    }
    let progress = Progress::of(whole.get(&STATUS));
    let says = whole.get(&PERCENT);
    if says != percentage(percent(&text, task), progress).as_ref() {
        let line = says.map(|says| {
            let old = text.property(task, "PERCENT-COMPLETE").map(|(_, line)| line.clone());
            let line = old.unwrap_or_else(|| Line::new("PERCENT-COMPLETE", ""));
            line.with_value(says.to_string())
        });
        calendar::set(&mut edits, &text, task, "PERCENT-COMPLETE", line);
    }
    if touched(&STATUS) || touched(&PERCENT) || touched(&ACTUAL_END) {
        progress.write(&mut edits, &text, task);
    }
    if touched(&STATUS) || touched(&ACTUAL_END) {
        let end = moment(whole, &ACTUAL_END).filter(|_| progress == Progress::Completed);
        let line = end.map(|end| {
            let old = text.property(task, "COMPLETED").map(|(_, line)| line.clone());
            let line = old.unwrap_or_else(|| Line::new("COMPLETED", ""));
            Form::Utc.written(line, end, &context.zone)
        });
        calendar::set(&mut edits, &text, task, "COMPLETED", line);
    }
    Ok(edits.apply(&text))
}

/// The state to end in, also where only other columns of a closed row change.
fn state(
    change: Change<'_>,
    old: Option<&Record>,
    writes: bool,
) -> Result<Option<State>, Unwritable> {
    match old {
        Some(old) if !change.patch.contains_key(&STATUS) => {
            Ok(closed(&old.columns)?.filter(|_| writes))
        }
        Some(_) | None => Ok(Some(Progress::of(change.whole.get(&STATUS)).state())),
    }
}

fn moment(fields: &Fields, field: &Field) -> Option<Timestamp> {
    match fields.get(field) {
        Some(Value::Moment(moment)) => Some(*moment),
        _ => None,
    }
}
