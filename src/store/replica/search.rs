//! The words of all rows. What a query means is decided by the caller, who hands over words, never a query in its language.

use rusqlite::{Connection, params};

use crate::store::Transaction;
use crate::store::error::Result;

/// Puts the words of a row, by its number, in the place of those it had.
///
/// # Errors
/// Only the store's own.
pub fn put(tx: &Transaction<'_>, number: i64, name: &str, words: &str) -> Result<()> {
    remove(tx, number)?;
    tx.prepare_cached("INSERT INTO search (rowid, name, words) VALUES (?1, ?2, ?3)")?
        .execute(params![number, name, words])?;
    Ok(())
}

/// Forgets the words of a row.
///
/// # Errors
/// Only the store's own.
pub fn remove(tx: &Transaction<'_>, number: i64) -> Result<()> {
    tx.prepare_cached("DELETE FROM search WHERE rowid = ?1")?.execute([number])?;
    Ok(())
}

/// The numbers of the rows that have all of these words, or words that begin so: those in whose name they are first. None where
/// there is no word.
///
/// # Errors
/// Only the store's own.
pub fn find(connection: &Connection, words: &[String], limit: u32) -> Result<Vec<i64>> {
    let query = words
        .iter()
        .map(|word| format!("\"{}\"*", word.replace('"', "\"\"")))
        .collect::<Vec<_>>()
        .join(" AND ");
    if query.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(
        "SELECT rowid FROM search WHERE search MATCH ?1 ORDER BY bm25(search, 10.0, 1.0), rowid LIMIT ?2",
    )?;
    statement.query_and_then(params![query, limit], |row| Ok(row.get(0)?))?.collect()
}
