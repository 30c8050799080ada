//! Ownership: who owns a row decides its business unit, and so who may see it.

use super::set_lookup;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::{Ownership, Table};
use crate::sandbox::security::{Caller, Right};
use crate::sandbox::store::{self, Context, Row};
use rusqlite::OptionalExtension;
use rusqlite::types::Value;

/// Gives a new row its owner (the caller, unless the row names one) and the owner's business unit.
pub fn settle(
    context: &mut Context<'_>,
    table: &'static Table,
    row: &mut Row,
) -> Result<(), Refusal> {
    if table.ownership != Ownership::User {
        return Ok(());
    }
    let caller = context.caller.clone();
    match store::text(row, "ownerid").map(str::to_owned) {
        Some(owner) if owner != caller.id => {
            context.caller.require(Right::Assign, table)?;
            own(context, table, row, &owner)
        }
        _ => {
            set_lookup(row, "ownerid", "systemuser", &caller.id);
            set_lookup(row, "owninguser", "systemuser", &caller.id);
            set_lookup(row, "owningbusinessunit", "businessunit", &caller.unit);
            Ok(())
        }
    }
}

/// Checks and completes a change of owner.
pub fn reassign(
    context: &mut Context<'_>,
    table: &'static Table,
    row: &Row,
    changes: &mut Row,
) -> Result<(), Refusal> {
    if !changes.contains_key("ownerid") || table.ownership != Ownership::User {
        return Ok(());
    }
    match store::text(changes, "ownerid").map(str::to_owned) {
        None => Err(Refusal::argument("The owner of a row cannot be cleared.")),
        Some(owner) if store::text(row, "ownerid") == Some(owner.as_str()) => Ok(()),
        Some(owner) => {
            context.caller.check(context.connection, Right::Assign, table, row)?;
            own(context, table, changes, &owner)
        }
    }
}

/// Writes the owner columns. The new owner must be able to read such rows.
fn own(
    context: &Context<'_>,
    table: &'static Table,
    row: &mut Row,
    owner: &str,
) -> Result<(), Refusal> {
    let (logical, unit) = match store::text(row, "ownerid_type") {
        Some("team") => ("team", unit_of(context, "team", "teamid", owner)?),
        _ => ("systemuser", unit_of(context, "systemuser", "systemuserid", owner)?),
    };
    let unit = unit.ok_or_else(|| Refusal::missing(logical, owner))?;
    if logical == "systemuser" {
        Caller::load(context.connection, owner)?.require(Right::Read, table)?;
    }
    set_lookup(row, "ownerid", logical, owner);
    set_lookup(row, "owningbusinessunit", "businessunit", &unit);
    for (column, kind) in [("owninguser", "systemuser"), ("owningteam", "team")] {
        if kind == logical {
            set_lookup(row, column, kind, owner);
        } else {
            row.insert(column.to_owned(), Value::Null);
            row.insert(format!("{column}_type"), Value::Null);
        }
    }
    Ok(())
}

fn unit_of(
    context: &Context<'_>,
    logical: &str,
    key: &str,
    id: &str,
) -> Result<Option<String>, Refusal> {
    let sql = format!("SELECT businessunitid FROM {logical} WHERE {key} = ?");
    Ok(context.connection.prepare_cached(&sql)?.query_row([id], |row| row.get(0)).optional()?)
}
