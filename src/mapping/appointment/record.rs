//! What a row of `appointment` or `recurringappointmentmaster` says, with its parties and exceptions.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::event::{first_start, whole_days};
use super::status::Show;
use super::{
    ALL_DAY, DESCRIPTION, END, LOCATION, PRIORITY, RECURRENCE, START, STATUS, SUBJECT, pattern,
    people, series::occurrence,
};
use crate::mapping::calendar::{property, subject};
use crate::mapping::column::{Columns, read_flag, read_moment, read_number, read_text};
use crate::mapping::recurrence::starts;
use crate::mapping::{Context, Lengths, Unreadable, zone};
use crate::model::fields::Occurrence;
use crate::model::link::Traits;
use crate::model::time::Recurrence;
use crate::model::{Content, Field, Fields, Record, Table, Uid, Value, name};

/// What a row says.
///
/// # Errors
/// When it has no start, ends before it starts, or repeats in no way that is documented.
pub fn read(record: &Record, context: &Context) -> Result<Content, Unreadable> {
    let row = &record.columns;
    let table = record.id.table;
    let uid = row
        .get("globalobjectid")
        .and_then(|id| id.as_str())
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .map_or_else(|| name::item_uid(context.organisation, record.id.guid), Uid::new);
    let mut fields = plain(row, table, &context.lengths)?;
    if table == Table::RecurringAppointmentMaster {
        let repeats = pattern::read(row, &context.zone)?;
        set_times(&mut fields, repeats.from, repeats.to, &context.zone)?;
        let exceptions = exceptions(record, &fields, &repeats.recurrence, context)?;
        fields.insert(RECURRENCE, Value::Recurrence(Box::new(repeats.recurrence)));
        let exceptions = exceptions.into_iter().filter_map(|exception| {
            let field = Field::exception(exception.original);
            Some((field, Value::Occurrence(exception.occurrence?)))
        });
        fields.extend(exceptions);
    } else {
        let (from, to) = times(row)?;
        set_times(&mut fields, from, to, &context.zone)?;
    }
    fields.extend(people::read_parties(&record.parties, context));
    Ok(Content { uid, fields, traits: Traits::default() })
}

/// An occurrence that has a row of its own or was deleted.
#[derive(Debug)]
pub struct Exception {
    /// The start in the pattern.
    pub original: Timestamp,
    /// `None` when it is as the pattern has it all the same.
    pub occurrence: Option<Occurrence>,
    /// What its row says.
    pub own: Fields,
}

/// The exceptions of a series whose fields these are.
///
/// # Errors
/// When one has no original start, no start, or the list of deleted ones cannot be read.
pub fn exceptions(
    record: &Record,
    series: &Fields,
    recurrence: &Recurrence,
    context: &Context,
) -> Result<Vec<Exception>, Unreadable> {
    let user = &context.zone;
    let deleted = deleted(&record.columns)?;
    let mut rows = Vec::new();
    for row in &record.exceptions {
        // Occurrences that are as the pattern has them have rows too (2); they say nothing.
        if read_number("instancetypecode", row)? == Some(2) {
            continue;
        }
        let original = read_moment("originalstartdate", row)?
            .ok_or_else(|| Unreadable("an exception has no original start".to_owned()))?;
        rows.push((original, row));
    }
    let all = rows.iter().map(|(original, _)| *original).chain(deleted.iter().copied());
    let starts = Starts::of(series, recurrence, user, all);
    let mut exceptions: BTreeMap<Timestamp, Exception> = BTreeMap::new();
    // What the pattern does not have is no occurrence: it was one before the pattern changed.
    for original in deleted.into_iter().filter_map(|original| starts.same_day(original)) {
        let occurrence = Some(Occurrence::Cancelled);
        exceptions.insert(original, Exception { original, occurrence, own: Fields::new() });
    }
    for (original, row) in rows {
        let Some(original) = starts.same_day(original) else { continue };
        let mut own = plain(row, Table::Appointment, &context.lengths)?;
        let (from, to) = times(row)?;
        set_times(&mut own, from, to, user)?;
        let occurrence = occurrence(own.clone(), series, original, user);
        exceptions.entry(original).or_insert(Exception { original, occurrence, own });
    }
    Ok(exceptions.into_values().collect())
}

/// The starts of a series on the days that its exceptions name.
struct Starts<'a> {
    on: BTreeMap<Date, DateTime>,
    user: &'a TimeZone,
}

impl<'a> Starts<'a> {
    fn of(
        series: &Fields,
        recurrence: &Recurrence,
        user: &'a TimeZone,
        originals: impl Iterator<Item = Timestamp>,
    ) -> Self {
        let days: BTreeSet<Date> = originals.map(|at| user.to_datetime(at).date()).collect();
        let on = match (first_start(series, user), days.last()) {
            (Some(first), Some(last)) => starts(first, recurrence)
                .take_while(|start| start.date() <= *last)
                .filter(|start| days.contains(&start.date()))
                .map(|start| (start.date(), start))
                .collect(),
            _ => BTreeMap::new(),
        };
        Self { on, user }
    }

    /// The start of the same day: when a series was moved, its exceptions still name the old hour.
    fn same_day(&self, original: Timestamp) -> Option<Timestamp> {
        let civil = self.on.get(&self.user.to_datetime(original).date())?;
        zone::moment(*civil, self.user)
    }
}

/// The columns that a single appointment, a series and an exception have in common.
fn plain(row: &Columns, table: Table, lengths: &Lengths) -> Result<Fields, Unreadable> {
    let text = |column| read_text(lengths, table, column, row);
    let priority = read_number("prioritycode", row)?.filter(|code| matches!(code, 0 | 2));
    let status = Show::of_codes(read_number("statecode", row)?, read_number("statuscode", row)?);
    let values = [
        (SUBJECT, subject(text("subject")?)),
        (LOCATION, text("location")?),
        (DESCRIPTION, text("description")?.and_then(property::readable)),
        (PRIORITY, priority.map(Value::Number)),
        (STATUS, Some(status.value())),
        (ALL_DAY, read_flag("isalldayevent", row)?.then_some(Value::Flag(true))),
    ];
    Ok(values.into_iter().filter_map(|(field, value)| Some((field, value?))).collect())
}

fn times(row: &Columns) -> Result<(Timestamp, Timestamp), Unreadable> {
    let from = read_moment("scheduledstart", row)?
        .ok_or_else(|| Unreadable("it has no start".to_owned()))?;
    Ok((from, read_moment("scheduledend", row)?.unwrap_or(from)))
}

fn set_times(
    fields: &mut Fields,
    from: Timestamp,
    to: Timestamp,
    user: &TimeZone,
) -> Result<(), Unreadable> {
    if to < from {
        return Err(Unreadable("it ends before it starts".to_owned()));
    }
    let (from, to) =
        if fields.contains_key(&ALL_DAY) { whole_days(from, to, user)? } else { (from, to) };
    fields.insert(START, Value::Moment(from));
    fields.insert(END, Value::Moment(to));
    Ok(())
}

/// The starts in `deletedexceptionslist`: in UTC, in any of the spellings that were seen.
fn deleted(row: &Columns) -> Result<BTreeSet<Timestamp>, Unreadable> {
    let list = row.get("deletedexceptionslist").and_then(|list| list.as_str()).unwrap_or_default();
    list.split([',', ';', '\n'])
        .map(str::trim)
        .filter(|start| !start.is_empty())
        .map(|start| {
            spelled(start)
                .ok_or_else(|| Unreadable("its deleted occurrences cannot be read".to_owned()))
        })
        .collect()
}

fn spelled(start: &str) -> Option<Timestamp> {
    const FORMS: &[&str] = &[
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
        "%m/%d/%Y %I:%M:%S %p",
        "%m/%d/%Y %H:%M:%S",
    ];
    if let Ok(moment) = start.parse::<Timestamp>() {
        return Timestamp::from_second(moment.as_second()).ok();
    }
    let bare = start.trim_end_matches('Z').trim();
    let civil =
        FORMS.iter().find_map(|form| DateTime::strptime(form, bare).ok()).or_else(|| {
            Some(Date::strptime("%Y-%m-%d", bare).ok()?.to_datetime(jiff::civil::Time::midnight()))
        })?;
    zone::moment(civil, &TimeZone::UTC)
}
