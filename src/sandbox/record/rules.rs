//! What the service adds to and refuses of a row by itself: defaults, computed columns, stamps,
//! states and what a closed activity still allows.

use super::payload::Payload;
use super::{recurrence, set_lookup};
use crate::sandbox::clock;
use crate::sandbox::refusal::{self, Refusal};
use crate::sandbox::schema::{Kind, Table};
use crate::sandbox::store::{self, Context, Row};
use rusqlite::types::Value;

/// Fills what a new row leaves open, and refuses one that lacks what it needs or contradicts
/// itself.
pub fn complete(table: &Table, row: &mut Row) -> Result<(), Refusal> {
    for (column, value) in defaults(table) {
        row.entry(column.to_owned()).or_insert(value);
    }
    if table.activity {
        row.insert("activitytypecode".to_owned(), Value::Text(table.logical.to_owned()));
    }
    settle_state(table, row)?;
    let missing = table
        .columns
        .iter()
        .find(|column| column.required && matches!(row.get(column.name), None | Some(Value::Null)));
    if let Some(column) = missing {
        let message =
            format!("Required field '{}' is missing on '{}'.", column.name, table.logical);
        return Err(Refusal::new(400, refusal::INVALID_ARGUMENT, message));
    }
    let mut derived = Row::new();
    derive_into(table, row, &mut derived)?;
    row.append(&mut derived);
    if table.logical == "userquery" || table.logical == "savedquery" {
        check_fetch(row)?;
    }
    if let Some(moment) = store::text(row, "overriddencreatedon").map(str::to_owned) {
        row.insert("createdon".to_owned(), Value::Text(moment));
    }
    Ok(())
}

/// The values of columns that a create leaves out.
fn defaults(table: &Table) -> Vec<(&'static str, Value)> {
    let mut defaults = Vec::new();
    let mut number = |column: &'static str, value: i64| {
        if table.column(column).is_some() {
            defaults.push((column, Value::Integer(value)));
        }
    };
    if table.activity {
        number("prioritycode", 1);
        number("isregularactivity", 1);
        number("isbilled", 0);
        number("isworkflowcreated", 0);
        number("isalldayevent", 0);
        number("instancetypecode", i64::from(table.logical == "recurringappointmentmaster"));
        number("directioncode", 1);
        number("attachmentcount", 0);
        number("notifications", 0);
        number("readreceiptrequested", 0);
        number("deliveryreceiptrequested", 0);
        number("deliveryprioritycode", 1);
        number("isdraft", 0);
        number("ismapiprivate", 0);
        number("isonlinemeeting", 0);
    }
    for column in [
        "donotemail",
        "donotphone",
        "donotfax",
        "donotpostalmail",
        "donotbulkemail",
        "creditonhold",
        "isdisabled",
        "isdocument",
        "isdefault",
    ] {
        number(column, 0);
    }
    number("preferredcontactmethodcode", 1);
    defaults
}

/// The state and status of a new row: the first state unless the table takes one, and a status that
/// belongs to it.
fn settle_state(table: &Table, row: &mut Row) -> Result<(), Refusal> {
    let (Some(state), Some(status)) = (table.column("statecode"), table.column("statuscode"))
    else {
        return Ok(());
    };
    if matches!(state.kind, Kind::State { .. }) {
        row.entry("statecode".to_owned()).or_insert(Value::Integer(0));
    }
    let state = store::number(row, "statecode").unwrap_or_default();
    if let Some(number) = store::number(row, "statuscode") {
        belongs(table, status.kind, state, number, store::text(row, table.id).unwrap_or_default())
    } else {
        row.insert(
            "statuscode".to_owned(),
            first_status(status.kind, state).map_or(Value::Null, Value::Integer),
        );
        Ok(())
    }
}

fn first_status(kind: Kind, state: i64) -> Option<i64> {
    let Kind::Status { options } = kind else { return None };
    options
        .iter()
        .find(|(_, of, _)| i64::from(*of) == state)
        .map(|(status, _, _)| i64::from(*status))
}

fn belongs(table: &Table, kind: Kind, state: i64, status: i64, id: &str) -> Result<(), Refusal> {
    let Kind::Status { options } = kind else { return Ok(()) };
    if options.iter().any(|(number, of, _)| i64::from(*number) == status && i64::from(*of) == state)
    {
        return Ok(());
    }
    let label = match table.column("statecode").map(|column| column.kind) {
        Some(Kind::State { options }) => options
            .iter()
            .find(|(number, _)| i64::from(*number) == state)
            .map_or("?", |(_, label)| label),
        _ => "?",
    };
    let message = format!(
        "{status} is not a valid status code for state code {}State.{label} on {} with Id {id}.",
        table.schema, table.logical
    );
    Err(Refusal::new(400, refusal::INVALID_STATE, message))
}

/// A completed or cancelled activity.
pub fn closed(table: &Table, row: &Row) -> bool {
    table.activity && matches!(store::number(row, "statecode"), Some(1 | 2))
}

/// Refuses edits of a closed activity: only its state, its regarding and its owner may still
/// change.
pub fn editable(table: &Table, row: &Row, payload: &Payload) -> Result<(), Refusal> {
    if !closed(table, row)
        || payload.only(&["statecode", "statuscode", "regardingobjectid", "ownerid"])
    {
        return Ok(());
    }
    let message = format!(
        "The {} is closed and cannot be edited; only its regarding may change until it is reopened.",
        table.logical
    );
    Err(Refusal::new(400, refusal::INVALID_OPERATION, message))
}

/// Checks a change of state and completes it: a state alone brings its first status, closing sets
/// the end, reopening clears it.
pub fn transit(
    context: &Context<'_>,
    table: &Table,
    row: &Row,
    changes: &mut Row,
) -> Result<(), Refusal> {
    let Some(status) = table.column("statuscode") else { return Ok(()) };
    if !changes.contains_key("statecode") && !changes.contains_key("statuscode") {
        return Ok(());
    }
    let id = store::text(row, table.id).unwrap_or_default();
    let before = store::number(row, "statecode").unwrap_or_default();
    let after = store::number(changes, "statecode").unwrap_or(before);
    let number = match store::number(changes, "statuscode") {
        Some(number) => number,
        None if after == before => store::number(row, "statuscode").unwrap_or_default(),
        None => first_status(status.kind, after).unwrap_or_default(),
    };
    belongs(table, status.kind, after, number, id)?;
    let was = store::number(row, "statuscode");
    if table.logical == "email"
        && before == 1
        && matches!(was, Some(3 | 4))
        && (after != before || Some(number) != was)
    {
        let message =
            "An email that was sent or received cannot be reopened or given another status.";
        return Err(Refusal::new(400, refusal::INVALID_STATE, message));
    }
    changes.insert("statecode".to_owned(), Value::Integer(after));
    changes.insert("statuscode".to_owned(), Value::Integer(number));
    if table.activity && before != after {
        match after {
            1 => close(context, table, row, changes),
            0 | 3 if before == 1 || before == 2 => {
                changes.insert("actualend".to_owned(), Value::Null);
            }
            _ => {}
        }
    }
    Ok(())
}

fn close(context: &Context<'_>, table: &Table, row: &Row, changes: &mut Row) {
    if store::text(row, "actualend").is_none() && store::text(changes, "actualend").is_none() {
        changes.insert("actualend".to_owned(), Value::Text(context.time()));
    }
    if table.logical == "task" && !changes.contains_key("percentcomplete") {
        changes.insert("percentcomplete".to_owned(), Value::Integer(100));
    }
    let mailed = matches!(store::number(changes, "statuscode"), Some(3 | 4));
    if table.logical == "email" && mailed && store::text(row, "senton").is_none() {
        changes.insert("senton".to_owned(), Value::Text(context.time()));
    }
}

/// Recomputes what follows from other columns.
pub fn derive(table: &Table, row: &Row, changes: &mut Row) -> Result<(), Refusal> {
    let mut whole = row.clone();
    whole.extend(changes.iter().map(|(name, value)| (name.clone(), value.clone())));
    derive_into(table, &whole, changes)?;
    if table.logical == "userquery" || table.logical == "savedquery" {
        check_fetch(&whole)?;
    }
    let emptied = table
        .columns
        .iter()
        .find(|column| column.required && matches!(changes.get(column.name), Some(Value::Null)));
    match emptied {
        Some(column) => Err(Refusal::argument(format!(
            "Required field '{}' cannot be cleared on '{}'.",
            column.name, table.logical
        ))),
        None => Ok(()),
    }
}

fn derive_into(table: &Table, whole: &Row, changes: &mut Row) -> Result<(), Refusal> {
    let mut set = |column: &str, value: Option<String>| {
        changes.insert(column.to_owned(), value.map_or(Value::Null, Value::Text));
    };
    match table.logical {
        "contact" | "lead" => {
            set("fullname", joined(whole, &["firstname", "middlename", "lastname"], " "));
            for number in 1..=3_u8 {
                let column = format!("address{number}_composite");
                if table.column(&column).is_some() {
                    set(&column, address(whole, number));
                }
            }
            if table.column("yomifullname").is_some() {
                set(
                    "yomifullname",
                    joined(whole, &["yomifirstname", "yomimiddlename", "yomilastname"], " "),
                );
            }
        }
        "account" => (1..=2_u8)
            .for_each(|number| set(&format!("address{number}_composite"), address(whole, number))),
        "systemuser" => set("fullname", joined(whole, &["firstname", "lastname"], " ")),
        "annotation" => {
            let size = store::text(whole, "documentbody").map_or(0, decoded_size);
            changes.insert("filesize".to_owned(), Value::Integer(size));
            changes.insert("isdocument".to_owned(), Value::Integer(i64::from(size > 0)));
        }
        "activitymimeattachment" => {
            let size = store::text(whole, "body").map_or(0, decoded_size);
            changes.insert("filesize".to_owned(), Value::Integer(size));
        }
        "recurringappointmentmaster" => recurrence::derive(whole, changes)?,
        _ => {}
    }
    if table.activity {
        duration(table, whole, changes)?;
    }
    Ok(())
}

/// Bytes that a base64 text stands for.
pub fn decoded_size(text: &str) -> i64 {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    i64::try_from((text.len() / 4 * 3).saturating_sub(padding)).unwrap_or(i64::MAX)
}

fn joined(row: &Row, columns: &[&str], between: &str) -> Option<String> {
    let parts: Vec<&str> = columns.iter().filter_map(|column| store::text(row, column)).collect();
    if parts.is_empty() { None } else { Some(parts.join(between)) }
}

fn address(row: &Row, number: u8) -> Option<String> {
    let name = |part: &str| format!("address{number}_{part}");
    let lines = ["line1", "line2", "line3"].map(name);
    let street = joined(row, &[lines[0].as_str(), lines[1].as_str(), lines[2].as_str()], "\r\n");
    let place = ["city", "stateorprovince", "postalcode"].map(name);
    let place = joined(row, &[place[0].as_str(), place[1].as_str(), place[2].as_str()], ", ");
    let country = store::text(row, &name("country")).map(str::to_owned);
    let parts: Vec<String> = [street, place, country].into_iter().flatten().collect();
    if parts.is_empty() { None } else { Some(parts.join("\r\n")) }
}

/// The scheduled duration, and the one order in which a start and an end make sense.
fn duration(table: &Table, whole: &Row, changes: &mut Row) -> Result<(), Refusal> {
    let moment = |column: &str| store::text(whole, column).and_then(clock::seconds);
    let (Some(start), Some(end)) = (moment("scheduledstart"), moment("scheduledend")) else {
        return Ok(());
    };
    if end < start {
        let message = format!(
            "The end of the {} is before its start (scheduledend, scheduledstart).",
            table.logical
        );
        return Err(Refusal::new(400, "0x80043E11", message));
    }
    changes.insert("scheduleddurationminutes".to_owned(), Value::Integer((end - start) / 60));
    Ok(())
}

/// A query's `FetchXML` must be XML about the table that it says it returns.
fn check_fetch(row: &Row) -> Result<(), Refusal> {
    let Some(fetch) = store::text(row, "fetchxml") else { return Ok(()) };
    let returned = store::text(row, "returnedtypecode").unwrap_or_default();
    match crate::sandbox::query::fetchxml::parse(fetch) {
        Ok(query) if query.table.logical == returned => Ok(()),
        Ok(query) => {
            let entity = query.table.logical;
            Err(Refusal::argument(format!(
                "The query is about '{entity}', but returnedtypecode is '{returned}'."
            )))
        }
        Err(error) => Err(error.into()),
    }
}

/// Creation stamps, and those of the first modification.
pub fn stamp_created(context: &Context<'_>, row: &mut Row, version: i64) {
    let now = Value::Text(context.time());
    row.entry("createdon".to_owned()).or_insert_with(|| now.clone());
    set_lookup(row, "createdby", "systemuser", &context.caller.id);
    stamp_modified(context, row, version);
}

/// Modification stamps.
pub fn stamp_modified(context: &Context<'_>, row: &mut Row, version: i64) {
    row.insert("modifiedon".to_owned(), Value::Text(context.time()));
    set_lookup(row, "modifiedby", "systemuser", &context.caller.id);
    row.insert("versionnumber".to_owned(), Value::Integer(version));
}
