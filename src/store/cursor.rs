//! How far each collection has been read. Set in the transaction that writes what the cursor covers, never before.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::model::{Class, Side};

use super::encode::read_moment;
use super::error::Result;
use super::transaction::Transaction;

/// A place to go on reading from.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    pub side: Side,
    pub class: Class,
    /// A folder, a calendar, a filter: whatever the other end numbers on its own.
    pub collection: String,
    /// A delta link, a sync token, `UIDVALIDITY` and `MODSEQ`. Opaque.
    pub token: String,
    /// When the other end gave it: some forget old ones without saying so.
    pub taken_at: Timestamp,
}

/// The cursors of all collections of a class.
///
/// # Errors
/// Only the store's own.
pub fn all(connection: &Connection, side: Side, class: Class) -> Result<Vec<Cursor>> {
    let mut statement = connection.prepare_cached(
        "SELECT collection, token, taken_at FROM cursor
         WHERE side = ?1 AND class = ?2 ORDER BY collection",
    )?;
    statement
        .query_and_then([side.as_str(), class.as_str()], |row| from_row(side, class, row))?
        .collect()
}

/// Moves a cursor.
///
/// # Errors
/// Only the store's own.
pub fn set(tx: &Transaction<'_>, cursor: &Cursor) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO cursor (side, class, collection, token, taken_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (side, class, collection)
         DO UPDATE SET token = excluded.token, taken_at = excluded.taken_at",
    )?;
    statement.execute(params![
        cursor.side.as_str(),
        cursor.class.as_str(),
        cursor.collection,
        cursor.token,
        cursor.taken_at.as_microsecond(),
    ])?;
    Ok(())
}

/// Forgets all cursors of a class: it is listed whole the next time.
///
/// # Errors
/// Only the store's own.
pub fn clear(tx: &Transaction<'_>, side: Side, class: Class) -> Result<()> {
    tx.prepare_cached("DELETE FROM cursor WHERE side = ?1 AND class = ?2")?
        .execute([side.as_str(), class.as_str()])?;
    Ok(())
}

fn from_row(side: Side, class: Class, row: &Row<'_>) -> Result<Cursor> {
    Ok(Cursor {
        side,
        class,
        collection: row.get(0)?,
        token: row.get(1)?,
        taken_at: read_moment(row.get(2)?)?,
    })
}
