//! What deletes removed and their journal rows do not say: items whole, and the global names of records.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::Result;
use super::journal::EntryId;
use super::transaction::Transaction;

/// Keeps the body that the delete of this journal row is about to remove.
///
/// # Errors
/// Only the store's own.
pub fn put(tx: &Transaction<'_>, entry: EntryId, body: &[u8]) -> Result<()> {
    tx.prepare_cached("INSERT INTO kept (entry, body) VALUES (?1, ?2)")?
        .execute(params![entry.0, body])?;
    Ok(())
}

/// The body that this delete removed.
///
/// # Errors
/// Only the store's own.
pub fn get(connection: &Connection, entry: EntryId) -> Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT body FROM kept WHERE entry = ?1")?;
    Ok(statement.query_row([entry.0], |row| row.get(0)).optional()?)
}
