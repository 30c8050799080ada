//! What was asked of each organisation on each day.

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::Result;
use super::transaction::Transaction;

/// How many days are kept.
const DAYS: i64 = 31;

/// What was asked on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    pub requests: u32,
    /// What the licence counts.
    pub operations: u32,
}

/// What was asked on this day (UTC).
///
/// # Errors
/// Only the store's own.
pub fn of(connection: &Connection, organisation: &str, day: Date) -> Result<Spent> {
    let mut statement = connection.prepare_cached(
        "SELECT requests, operations FROM spent WHERE organisation = ?1 AND day = ?2",
    )?;
    let spent = statement
        .query_row(params![organisation, day.to_string()], |row| {
            Ok(Spent { requests: row.get(0)?, operations: row.get(1)? })
        })
        .optional()?;
    Ok(spent.unwrap_or_default())
}

/// Counts one request with so many operations. Days long past are forgotten.
///
/// # Errors
/// Only the store's own.
pub fn add(tx: &Transaction<'_>, organisation: &str, day: Date, operations: u32) -> Result<()> {
    let changed = tx
        .prepare_cached(
            "UPDATE spent SET requests = requests + 1, operations = operations + ?3
             WHERE organisation = ?1 AND day = ?2",
        )?
        .execute(params![organisation, day.to_string(), operations])?;
    if changed == 0 {
        tx.prepare_cached(
            "INSERT INTO spent (organisation, day, requests, operations) VALUES (?1, ?2, 1, ?3)",
        )?
        .execute(params![organisation, day.to_string(), operations])?;
        let oldest = day.saturating_sub(jiff::Span::new().days(DAYS));
        tx.prepare_cached("DELETE FROM spent WHERE day < ?1")?.execute([oldest.to_string()])?;
    }
    Ok(())
}
