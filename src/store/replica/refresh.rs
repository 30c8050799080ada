//! When each table of the copy was last brought up to date.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::store::Transaction;
use crate::store::encode::read_moment;
use crate::store::error::Result;

/// One table's last refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    pub table: String,
    /// By what filters, as the caller wrote them.
    pub filters: String,
    pub at: Timestamp,
    /// Why not everything was seen; empty when all was.
    pub broken: String,
}

/// Notes a refresh.
///
/// # Errors
/// Only the store's own.
pub fn put(tx: &Transaction<'_>, refreshed: &Refreshed) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO refresh (tbl, filters, at, broken) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (tbl) DO UPDATE SET
         filters = excluded.filters, at = excluded.at, broken = excluded.broken",
    )?
    .execute(params![
        refreshed.table,
        refreshed.filters,
        refreshed.at.as_microsecond(),
        refreshed.broken
    ])?;
    Ok(())
}

/// The last refresh of every table that was ever chosen.
///
/// # Errors
/// Only the store's own.
pub fn all(connection: &Connection) -> Result<Vec<Refreshed>> {
    let mut statement =
        connection.prepare_cached("SELECT tbl, filters, at, broken FROM refresh ORDER BY tbl")?;
    statement
        .query_and_then([], |row| {
            Ok(Refreshed {
                table: row.get(0)?,
                filters: row.get(1)?,
                at: read_moment(row.get(2)?)?,
                broken: row.get(3)?,
            })
        })?
        .collect()
}
