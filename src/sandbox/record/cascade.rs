//! What goes when a row goes: activities and notes about a customer, contacts of an account,
//! parties and attachments of an activity. Parties that name a deleted customer stay, marked as
//! deleted.

use super::party;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::{self, Kind, Table};
use crate::sandbox::store::{self, Context, quoted};

/// Removes a row with everything that hangs on it.
pub fn delete(context: &mut Context<'_>, table: &'static Table, id: &str) -> Result<(), Refusal> {
    let mut waiting = vec![(table, id.to_owned())];
    let mut order = Vec::new();
    while let Some((table, id)) = waiting.pop() {
        if order
            .iter()
            .any(|(other, known): &(&Table, String)| other.logical == table.logical && *known == id)
        {
            continue;
        }
        waiting.extend(dependents(context, table, &id)?);
        order.push((table, id));
    }
    for (table, id) in order.into_iter().rev() {
        let row = context.existing(table, &id)?;
        loosen(context, table, &id)?;
        context.remove(table, &id)?;
        if table.logical == "activitymimeattachment" {
            party::count_attachments(context, &row)?;
        }
    }
    Ok(())
}

/// The lookups through which a delete goes on: regarding, parent customer, what a note or an
/// attachment hangs on.
const PARENTAL: [&str; 3] = ["regardingobjectid", "parentcustomerid", "objectid"];

fn dependents(
    context: &Context<'_>,
    target: &Table,
    id: &str,
) -> Result<Vec<(&'static Table, String)>, Refusal> {
    let mut found = Vec::new();
    for (table, column) in pointing_at(target).filter(|(_, column)| PARENTAL.contains(column)) {
        found.extend(ids(context, table, column, id)?.into_iter().map(|id| (table, id)));
    }
    if let (true, Some(appointment)) =
        (target.logical == "recurringappointmentmaster", schema::table("appointment"))
    {
        found.extend(
            ids(context, appointment, "seriesid", id)?.into_iter().map(|id| (appointment, id)),
        );
    }
    Ok(found)
}

/// Empties the other lookups that point to a row, and marks or removes parties.
fn loosen(context: &mut Context<'_>, target: &Table, id: &str) -> Result<(), Refusal> {
    if target.activity {
        context
            .connection
            .prepare_cached("DELETE FROM activityparty WHERE activityid = ?")?
            .execute([id])?;
    }
    context
        .connection
        .prepare_cached("UPDATE activityparty SET ispartydeleted = 1 WHERE partyid = ?")?
        .execute([id])?;
    context.connection.prepare_cached("DELETE FROM share WHERE objectid = ?")?.execute([id])?;
    let others: Vec<_> =
        pointing_at(target).filter(|(_, column)| !PARENTAL.contains(column)).collect();
    for (table, column) in others {
        if table.logical == "activityparty" || column == "ownerid" {
            continue;
        }
        for row in ids(context, table, column, id)? {
            let version = context.version();
            let sql = format!(
                "UPDATE {} SET {column} = NULL, {column}_type = NULL, versionnumber = ?1 WHERE {} = ?2",
                quoted(table.logical),
                table.id
            );
            context.connection.prepare_cached(&sql)?.execute(rusqlite::params![version, row])?;
        }
    }
    Ok(())
}

/// Every stored lookup that may point to that table. Stamps are left alone: users do not go.
fn pointing_at(target: &Table) -> impl Iterator<Item = (&'static Table, &'static str)> {
    let logical = target.logical;
    schema::tables().iter().filter(|table| table.logical != "activitypointer").flat_map(move |table| {
        let lookups = table.columns.iter().filter(move |column| matches!(column.kind, Kind::Lookup { targets } if targets.contains(&logical)));
        lookups.map(move |column| (table, column.name))
    })
}

fn ids(
    context: &Context<'_>,
    table: &Table,
    column: &str,
    id: &str,
) -> Result<Vec<String>, Refusal> {
    let sql = format!("SELECT {} FROM {} WHERE {column} = ?", table.id, quoted(table.logical));
    let mut statement = context.connection.prepare_cached(&sql)?;
    Ok(statement.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Whether a row may be removed at all: users, units and the organisation stay.
pub fn removable(table: &Table) -> bool {
    !matches!(
        table.logical,
        "systemuser"
            | "businessunit"
            | "organization"
            | "usersettings"
            | "role"
            | "privilege"
            | "mailbox"
    )
}

/// Removes all rows of a series but the master that a predicate in SQL selects, with their parties.
pub fn delete_instances(
    context: &mut Context<'_>,
    series: &str,
    predicate: &str,
) -> Result<(), Refusal> {
    let Some(appointment) = schema::table("appointment") else { return Ok(()) };
    let sql = format!("SELECT activityid FROM appointment WHERE seriesid = ? AND {predicate}");
    let mut statement = context.connection.prepare_cached(&sql)?;
    let instances: Vec<String> =
        statement.query_map([series], |row| row.get(0))?.collect::<Result<_, _>>()?;
    drop(statement);
    for id in instances {
        delete(context, appointment, &id)?;
    }
    Ok(())
}

/// Whether a row hangs on another that decides its rights.
pub fn parent(row: &store::Row) -> Option<(&'static Table, &str)> {
    let kind = store::text(row, "objectid_type").or_else(|| store::text(row, "activityid_type"))?;
    let id = store::text(row, "objectid").or_else(|| store::text(row, "activityid"))?;
    Some((schema::table(kind)?, id))
}
