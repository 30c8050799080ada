//! What the organisation's tables look like, as text of the caller's.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::store::Transaction;
use crate::store::encode::read_moment;
use crate::store::error::Result;

/// Keeps the description of a table.
///
/// # Errors
/// Only the store's own.
pub fn put(tx: &Transaction<'_>, table: &str, body: &str, asked: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO definition (tbl, body, asked) VALUES (?1, ?2, ?3)
         ON CONFLICT (tbl) DO UPDATE SET body = excluded.body, asked = excluded.asked",
    )?
    .execute(params![table, body, asked.as_microsecond()])?;
    Ok(())
}

/// The description of a table, and when it was asked for.
///
/// # Errors
/// Only the store's own.
pub fn get(connection: &Connection, table: &str) -> Result<Option<(String, Timestamp)>> {
    let found: Option<(String, i64)> = connection
        .prepare_cached("SELECT body, asked FROM definition WHERE tbl = ?1")?
        .query_row([table], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    found.map(|(body, asked)| Ok((body, read_moment(asked)?))).transpose()
}
