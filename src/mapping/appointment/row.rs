//! What to write to a row of `appointment` or `recurringappointmentmaster`, its parties and its exceptions.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::event::first_start;
use super::pattern::{self, Repeats};
use super::record::{self, exceptions};
use super::status::Show;
use super::{
    ALL_DAY, DESCRIPTION, END, LOCATION, PRIORITY, RECURRENCE, START, STATUS, SUBJECT, by_pattern,
    moment, people,
};
use crate::mapping::calendar::NO_SUBJECT;
use crate::mapping::column::{Columns, closed, moment_column, set_text};
use crate::mapping::recurrence::starts;
use crate::mapping::{Change, Context, Lengths, Unwritable, zone};
use crate::model::fields::Occurrence;
use crate::model::record::{ExceptionPatch, Party, State};
use crate::model::time::Recurrence;
use crate::model::{Field, Fields, Patch, Record, RecordPatch, Table, Uid, Value};

/// What to write to a row.
///
/// # Errors
/// When a single appointment would have to become a series or the other way round, or there is no start.
pub fn write(
    table: Table,
    change: Change<'_>,
    old: Option<&Record>,
    context: &Context,
) -> Result<RecordPatch, Unwritable> {
    let Change { uid, patch, whole } = change;
    let recurrence = match (whole.get(&RECURRENCE), table) {
        (Some(Value::Recurrence(recurrence)), Table::RecurringAppointmentMaster) => {
            Some(recurrence)
        }
        (None, Table::Appointment) => None,
        (Some(_), _) => {
            return Err(Unwritable(
                "a single appointment of the CRM cannot become a series".to_owned(),
            ));
        }
        (None, _) => {
            return Err(Unwritable(
                "a series of the CRM cannot become a single appointment".to_owned(),
            ));
        }
    };
    let touched = |field: &Field| patch.contains_key(field);
    let mut columns = plain(whole, touched, table, &context.lengths);
    if old.is_none() {
        columns.extend(identity(uid, table, &context.lengths));
        columns.entry("subject").or_insert_with(|| Json::from(NO_SUBJECT));
    }
    if [START, END, ALL_DAY, RECURRENCE].iter().any(touched) {
        columns.extend(match recurrence {
            Some(recurrence) => repeats(whole, recurrence, old.is_none(), context)?,
            None => times(whole)?,
        });
    }
    let exceptions = match recurrence {
        Some(recurrence) => exception_patches(patch, whole, recurrence, old, context)?,
        None => Vec::new(),
    };
    let parties = match old {
        Some(_) if !people::touched(patch) => None,
        old => {
            let old = old.map_or(&[][..], |old| &old.parties);
            let set = |parties: &[Party]| parties.iter().cloned().collect::<BTreeSet<_>>();
            Some(people::parties(whole, old, context)).filter(|parties| set(parties) != set(old))
        }
    };
    let writes = !columns.is_empty() || parties.is_some() || !exceptions.is_empty();
    let state = state(patch, whole, old, writes)?;
    Ok(RecordPatch { columns, state, parties, exceptions, ..RecordPatch::default() })
}

/// The name by which every attendee finds the same row. An over-long one is left out: cut it would be another.
fn identity(uid: &Uid, table: Table, lengths: &Lengths) -> Option<(String, Json)> {
    let length = uid.as_str().encode_utf16().count();
    let fits = lengths.of(table, "globalobjectid").is_none_or(|most| length <= most);
    fits.then(|| ("globalobjectid".to_owned(), Json::from(uid.as_str())))
}

/// The columns that a single appointment, a series and an exception have in common.
fn plain(
    whole: &Fields,
    touched: impl Fn(&Field) -> bool,
    table: Table,
    lengths: &Lengths,
) -> Columns {
    let mut columns = Columns::new();
    for (field, empty) in
        [(SUBJECT, Json::from(NO_SUBJECT)), (LOCATION, Json::Null), (DESCRIPTION, Json::Null)]
    {
        if touched(&field) {
            let place = (table, field.as_str());
            set_text(&mut columns, lengths, place, whole.get(&field), empty);
        }
    }
    if touched(&PRIORITY) {
        let code = match whole.get(&PRIORITY) {
            Some(Value::Number(code)) => *code,
            _ => 1,
        };
        columns.insert("prioritycode".to_owned(), Json::from(code));
    }
    if touched(&ALL_DAY) {
        let flag = whole.contains_key(&ALL_DAY);
        columns.insert("isalldayevent".to_owned(), Json::from(flag));
    }
    columns
}

fn times(whole: &Fields) -> Result<Columns, Unwritable> {
    let (from, to) = span(whole)?;
    Ok([("scheduledstart", from), ("scheduledend", to)]
        .into_iter()
        .map(|(column, moment)| (column.to_owned(), moment_column(moment)))
        .collect())
}

fn repeats(
    whole: &Fields,
    recurrence: &Recurrence,
    create: bool,
    context: &Context,
) -> Result<Columns, Unwritable> {
    let (from, to) = span(whole)?;
    let first = first_start(whole, &context.zone);
    if first.and_then(|first| starts(first, recurrence).next()) != first {
        return Err(Unwritable("it starts on a day that its recurrence does not have".to_owned()));
    }
    let repeats = Repeats { recurrence: recurrence.clone(), from, to };
    let mut columns = pattern::write(&repeats, &context.zone);
    columns.retain(|_, value| !create || !value.is_null());
    Ok(columns)
}

fn span(whole: &Fields) -> Result<(Timestamp, Timestamp), Unwritable> {
    let from = moment(whole, &START).ok_or_else(|| Unwritable("it has no start".to_owned()))?;
    let to = moment(whole, &END).unwrap_or(from);
    if to < from {
        return Err(Unwritable("it would end before it starts".to_owned()));
    }
    Ok((from, to))
}

/// The state to end in. A closed row refuses changes: it is named also where only other columns change, so that the row is
/// closed again after them.
fn state(
    patch: &Patch,
    whole: &Fields,
    old: Option<&Record>,
    writes: bool,
) -> Result<Option<State>, Unwritable> {
    match old {
        Some(old) if !patch.contains_key(&STATUS) => Ok(closed(&old.columns)?.filter(|_| writes)),
        Some(_) | None => Ok(Some(Show::of(whole.get(&STATUS)).state())),
    }
}

/// The occurrences to change: those of the patch; those that have a row of their own but are as the pattern has them, which they
/// stay when the series changes; and all of them when the pattern is written, since the service then makes its occurrences anew.
fn exception_patches(
    patch: &Patch,
    whole: &Fields,
    recurrence: &Recurrence,
    old: Option<&Record>,
    context: &Context,
) -> Result<Vec<ExceptionPatch>, Unwritable> {
    let there = match old {
        Some(old) => there(old, context)?,
        None => Vec::new(),
    };
    let anew = [START, END, ALL_DAY, RECURRENCE].iter().any(|field| patch.contains_key(field));
    let named = patch.keys().chain(whole.keys().filter(|_| anew)).filter_map(Field::original_start);
    let all: BTreeSet<Timestamp> =
        named.chain(there.iter().map(|exception| exception.original)).collect();
    let takes_place = take_place(whole, recurrence, &all, context);
    let mut patches = Vec::new();
    for original in all {
        let row = there.iter().find(|exception| exception.original == original);
        let ordinary = by_pattern(whole, original, &context.zone);
        let touched = |fields: &Fields, field: &Field| {
            ordinary.get(field) != fields.get(field)
                || match row {
                    Some(row) => row.own.get(field) != fields.get(field),
                    // A series gets its state when all of it is there: what is made before does not inherit it.
                    None => old.is_none() && *field == STATUS,
                }
        };
        let key = Field::exception(original);
        let asked = anew || patch.contains_key(&key);
        let columns = match whole.get(&key) {
            Some(Value::Occurrence(Occurrence::Cancelled)) if asked => None,
            Some(Value::Occurrence(Occurrence::Changed(fields))) if asked => {
                Some(occurrence_columns(fields, |field| touched(fields, field), context)?)
            }
            // Back to the pattern. One that has no such start any more took the occurrence along.
            None if takes_place.contains(&original) => {
                let columns =
                    occurrence_columns(&ordinary, |field| touched(&ordinary, field), context)?;
                if columns.is_empty() {
                    continue;
                }
                Some(columns)
            }
            Some(_) | None => continue,
        };
        patches.push(ExceptionPatch { original_start: original, columns });
    }
    Ok(patches)
}

/// The exceptions that a row has now.
fn there(old: &Record, context: &Context) -> Result<Vec<record::Exception>, Unwritable> {
    let says = record::read(old, context)?.fields;
    match says.get(&RECURRENCE) {
        Some(Value::Recurrence(recurrence)) => Ok(exceptions(old, &says, recurrence, context)?),
        _ => Ok(Vec::new()),
    }
}

/// Which of these starts the series has.
fn take_place(
    whole: &Fields,
    recurrence: &Recurrence,
    originals: &BTreeSet<Timestamp>,
    context: &Context,
) -> BTreeSet<Timestamp> {
    let (Some(first), Some(last)) = (first_start(whole, &context.zone), originals.last()) else {
        return BTreeSet::new();
    };
    starts(first, recurrence)
        .map_while(|civil| zone::moment(civil, &context.zone))
        .take_while(|start| start <= last)
        .filter(|start| originals.contains(start))
        .collect()
}

/// The columns of one occurrence. State and status stand among them, since an exception has no other place for them.
fn occurrence_columns(
    fields: &Fields,
    touched: impl Fn(&Field) -> bool,
    context: &Context,
) -> Result<Columns, Unwritable> {
    let mut columns = plain(fields, &touched, Table::Appointment, &context.lengths);
    if [START, END, ALL_DAY].iter().any(&touched) {
        columns.extend(times(fields)?);
    }
    if touched(&STATUS) {
        let state = Show::of(fields.get(&STATUS)).state();
        columns.insert("statecode".to_owned(), Json::from(state.statecode));
        columns.insert("statuscode".to_owned(), Json::from(state.statuscode));
    }
    Ok(columns)
}
