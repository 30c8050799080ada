//! A series and its appointments. The master is expanded into `appointment` rows
//! (`instancetypecode` 2) in a window around now, as the service does at once on create; one that
//! was changed becomes an exception (3), one that was deleted stands in `deletedexceptionslist`,
//! which here is the original starts in UTC, comma separated.

use super::recurrence::Pattern;
use super::{cascade, party, rules, set_lookup};
use crate::sandbox::clock;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::{self, Table};
use crate::sandbox::store::{self, Context, Row};
use crate::sandbox::zone;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeSet;

const DAY: i64 = 86_400;
/// How far back and ahead instances are made.
const PAST: i64 = 92 * DAY;
const FUTURE: i64 = 366 * DAY;

/// Columns that every instance takes from its master.
const SHARED: [&str; 16] = [
    "subject",
    "description",
    "location",
    "category",
    "subcategory",
    "prioritycode",
    "isalldayevent",
    "globalobjectid",
    "regardingobjectid",
    "regardingobjectid_type",
    "statecode",
    "statuscode",
    "ownerid",
    "ownerid_type",
    "owningbusinessunit",
    "owningbusinessunit_type",
];

/// Makes, refreshes and removes instances until they are what the pattern says. Exceptions and
/// deleted instances stay as long as their original start is still one of the pattern's.
pub fn expand(context: &mut Context<'_>, id: &str) -> Result<(), Refusal> {
    let master = schema::table("recurringappointmentmaster")
        .ok_or_else(|| Refusal::no_resource("recurringappointmentmasters"))?;
    let row = context.existing(master, id)?;
    let pattern = pattern(context, &row)?;
    let limit: usize = context
        .connection
        .prepare_cached("SELECT COALESCE(recurrenceexpansionsynchcreatemax, 15) FROM organization")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(|limit| usize::try_from(limit).unwrap_or(15))?;
    let window = (context.now - PAST)..(context.now + FUTURE);
    // Far exceptions must be found among the pattern's starts too, or they would be taken for strays.
    let known = rows(context, id, 3)?.into_iter().map(|(_, start)| start).chain(deleted(&row));
    let horizon = known.max().unwrap_or(window.end).max(window.end);
    let all: BTreeSet<i64> = pattern.starts().take_while(|start| *start <= horizon).collect();
    let deleted: BTreeSet<i64> =
        deleted(&row).into_iter().filter(|start| all.contains(start)).collect();
    let kept = exceptions(context, id, &all)?;
    let wanted: Vec<i64> =
        all.iter().copied().filter(|start| window.contains(start)).take(limit).collect();
    let end = pattern.end();
    let complete = wanted.len() == all.len() && end.is_some_and(|end| end <= horizon);
    let wanted: BTreeSet<i64> = wanted
        .into_iter()
        .filter(|start| !deleted.contains(start) && !kept.contains(start))
        .collect();
    let valid: BTreeSet<i64> = all
        .iter()
        .copied()
        .filter(|start| !deleted.contains(start) && !kept.contains(start))
        .collect();
    settle_instances(context, &row, &pattern, (&wanted, &valid))?;
    let mut changes = Row::new();
    let text = |starts: &BTreeSet<i64>| {
        starts.iter().copied().map(clock::text).collect::<Vec<_>>().join(",")
    };
    changes.insert(
        "deletedexceptionslist".to_owned(),
        if deleted.is_empty() { Value::Null } else { Value::Text(text(&deleted)) },
    );
    changes.insert("expansionstatecode".to_owned(), Value::Integer(if complete { 2 } else { 1 }));
    changes.insert(
        "lastexpandedinstancedate".to_owned(),
        wanted.last().map_or(Value::Null, |start| Value::Text(clock::text(*start))),
    );
    changes.insert(
        "effectiveenddate".to_owned(),
        end.map_or(Value::Null, |start| Value::Text(clock::text(start + pattern.length))),
    );
    context.update(master, id, &changes)
}

fn pattern(context: &Context<'_>, master: &Row) -> Result<Pattern, Refusal> {
    let owner = store::text(master, "ownerid").unwrap_or_default();
    let code: Option<i64> = context
        .connection
        .prepare_cached(
            "SELECT COALESCE(timezonecode, ?2) FROM usersettings WHERE systemuserid = ?1",
        )?
        .query_row(params![owner, zone::DEFAULT], |row| row.get(0))
        .optional()?;
    Pattern::read(master, &zone::of(code.unwrap_or(zone::DEFAULT)))
}

fn deleted(master: &Row) -> Vec<i64> {
    store::text(master, "deletedexceptionslist")
        .unwrap_or_default()
        .split(',')
        .filter_map(clock::seconds)
        .collect()
}

/// Original starts of the exceptions that stay; the others are removed.
fn exceptions(
    context: &mut Context<'_>,
    series: &str,
    all: &BTreeSet<i64>,
) -> Result<BTreeSet<i64>, Refusal> {
    let Some(appointment) = schema::table("appointment") else { return Ok(BTreeSet::new()) };
    let mut kept = BTreeSet::new();
    for (id, start) in rows(context, series, 3)? {
        if all.contains(&start) {
            kept.insert(start);
        } else {
            cascade::delete(context, appointment, &id)?;
        }
    }
    Ok(kept)
}

fn rows(context: &Context<'_>, series: &str, kind: i64) -> Result<Vec<(String, i64)>, Refusal> {
    let sql = "SELECT activityid, originalstartdate FROM appointment WHERE seriesid = ?1 AND instancetypecode = ?2 ORDER BY originalstartdate";
    let mut statement = context.connection.prepare_cached(sql)?;
    let found: Vec<(String, String)> = statement
        .query_map(params![series, kind], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(found.into_iter().filter_map(|(id, start)| Some((id, clock::seconds(&start)?))).collect())
}

/// Makes the wanted instances. Those that are there keep their id as long as their original start
/// is valid, even when the window has moved on.
fn settle_instances(
    context: &mut Context<'_>,
    master: &Row,
    pattern: &Pattern,
    (wanted, valid): (&BTreeSet<i64>, &BTreeSet<i64>),
) -> Result<(), Refusal> {
    let Some(appointment) = schema::table("appointment") else { return Ok(()) };
    let series = store::text(master, "activityid").unwrap_or_default();
    let mut missing = wanted.clone();
    for (id, start) in rows(context, series, 2)? {
        missing.remove(&start);
        if !valid.contains(&start) {
            cascade::delete(context, appointment, &id)?;
            continue;
        }
        let mut changes = instance(master, pattern, start);
        let version = context.version();
        rules::stamp_modified(context, &mut changes, version);
        context.update(appointment, &id, &changes)?;
        party::refresh(context, series, appointment, &id)?;
    }
    for start in missing {
        let id = context.counters.random.guid();
        insert_instance(context, appointment, master, instance(master, pattern, start), &id)?;
    }
    Ok(())
}

fn insert_instance(
    context: &mut Context<'_>,
    appointment: &'static Table,
    master: &Row,
    mut row: Row,
    id: &str,
) -> Result<(), Refusal> {
    row.insert("activityid".to_owned(), Value::Text(id.to_owned()));
    let (state, status) = (row.get("statecode").cloned(), row.get("statuscode").cloned());
    rules::complete(appointment, &mut row)?;
    row.extend(
        [("statecode", state), ("statuscode", status)]
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?))),
    );
    let version = context.version();
    rules::stamp_created(context, &mut row, version);
    context.insert(appointment, &row)?;
    party::keep_system_parties(context, appointment, &row)?;
    party::copy(context, store::text(master, "activityid").unwrap_or_default(), appointment, id)
}

/// The columns of the instance that starts there.
fn instance(master: &Row, pattern: &Pattern, start: i64) -> Row {
    let mut row: Row = SHARED
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), master.get(*name)?.clone())))
        .collect();
    let series = store::text(master, "activityid").unwrap_or_default();
    row.insert("seriesid".to_owned(), Value::Text(series.to_owned()));
    row.insert("instancetypecode".to_owned(), Value::Integer(2));
    row.insert("originalstartdate".to_owned(), Value::Text(clock::text(start)));
    row.insert("scheduledstart".to_owned(), Value::Text(clock::text(start)));
    row.insert("scheduledend".to_owned(), Value::Text(clock::text(start + pattern.length)));
    row.insert("scheduleddurationminutes".to_owned(), Value::Integer(pattern.length / 60));
    row
}

/// Whether an appointment is part of a series.
pub fn belongs(row: &Row) -> bool {
    store::text(row, "seriesid").is_some()
        && matches!(store::number(row, "instancetypecode"), Some(2 | 3))
}

/// An instance that is changed by hand becomes an exception.
pub fn becomes_exception(row: &Row, changes: &mut Row) {
    if store::number(row, "instancetypecode") == Some(2) {
        changes.insert("instancetypecode".to_owned(), Value::Integer(3));
    }
}

/// Notes a deleted instance or exception in its master, so that it does not come back.
pub fn forget_instance(context: &mut Context<'_>, row: &Row) -> Result<(), Refusal> {
    let (Some(series), Some(start)) = (
        store::text(row, "seriesid"),
        store::text(row, "originalstartdate").and_then(clock::seconds),
    ) else {
        return Ok(());
    };
    let Some(master) = schema::table("recurringappointmentmaster") else { return Ok(()) };
    let Some(found) = context.row(master, series)? else { return Ok(()) };
    let mut starts: BTreeSet<i64> = deleted(&found).into_iter().collect();
    starts.insert(start);
    let list = starts.into_iter().map(clock::text).collect::<Vec<_>>().join(",");
    let mut changes = Row::from([("deletedexceptionslist".to_owned(), Value::Text(list))]);
    let version = context.version();
    rules::stamp_modified(context, &mut changes, version);
    context.update(master, series, &changes)
}

/// `CreateException`: the occurrence with that original start becomes an exception, or is deleted.
/// Returns the id of its row.
pub fn except(
    context: &mut Context<'_>,
    series: &str,
    start: i64,
    remove: bool,
) -> Result<String, Refusal> {
    let (Some(master), Some(appointment)) =
        (schema::table("recurringappointmentmaster"), schema::table("appointment"))
    else {
        return Err(Refusal::no_resource("appointments"));
    };
    let row = context.existing(master, series)?;
    context.caller.check(
        context.connection,
        crate::sandbox::security::Right::Write,
        master,
        &row,
    )?;
    let pattern = pattern(context, &row)?;
    if !pattern.starts().take_while(|other| *other <= start).any(|other| other == start) {
        let message = format!(
            "The series has no occurrence that originally starts at {}.",
            clock::text(start)
        );
        return Err(Refusal::new(400, "0x8004E107", message));
    }
    let existing = rows(context, series, 2)?
        .into_iter()
        .chain(rows(context, series, 3)?)
        .find(|(_, other)| *other == start);
    if remove {
        let mut gone = instance(&row, &pattern, start);
        let id = existing.map_or_else(|| context.counters.random.guid(), |(id, _)| id);
        gone.insert("activityid".to_owned(), Value::Text(id.clone()));
        forget_instance(context, &gone)?;
        if context.row(appointment, &id)?.is_some() {
            cascade::delete(context, appointment, &id)?;
        }
        return Ok(id);
    }
    if let Some((id, _)) = existing {
        let changes = Row::from([("instancetypecode".to_owned(), Value::Integer(3))]);
        context.update(appointment, &id, &changes)?;
        Ok(id)
    } else {
        let id = context.counters.random.guid();
        let mut fresh = instance(&row, &pattern, start);
        fresh.insert("instancetypecode".to_owned(), Value::Integer(3));
        insert_instance(context, appointment, &row, fresh, &id)?;
        restore(context, master, &row, start)?;
        Ok(id)
    }
}

/// Takes a start off the list of deleted ones.
fn restore(
    context: &mut Context<'_>,
    master: &'static Table,
    row: &Row,
    start: i64,
) -> Result<(), Refusal> {
    let starts = deleted(row);
    if !starts.contains(&start) {
        return Ok(());
    }
    let list: Vec<String> =
        starts.into_iter().filter(|other| *other != start).map(clock::text).collect();
    let value = if list.is_empty() { Value::Null } else { Value::Text(list.join(",")) };
    let changes = Row::from([("deletedexceptionslist".to_owned(), value)]);
    context.update(master, store::text(row, "activityid").unwrap_or_default(), &changes)
}

/// Writes the caller's own values over an exception that [`except`] gave.
pub fn fill_exception(context: &mut Context<'_>, id: &str, changes: Row) -> Result<(), Refusal> {
    let Some(appointment) = schema::table("appointment") else { return Ok(()) };
    let row = context.existing(appointment, id)?;
    let mut changes = changes;
    for column in ["activityid", "seriesid", "originalstartdate", "instancetypecode"] {
        changes.remove(column);
    }
    if changes.contains_key("ownerid") {
        set_lookup(
            &mut changes,
            "ownerid",
            "systemuser",
            store::text(&row, "ownerid").unwrap_or_default(),
        );
    }
    super::change(context, appointment, &row, changes)
}
