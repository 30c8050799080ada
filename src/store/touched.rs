//! Names to which something happened since messages were last decided over. Most are entered by the store itself, with the link or
//! the mark that changed.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::model::Uid;

use super::error::Result;
use super::transaction::Transaction;

/// All of them.
///
/// # Errors
/// Only the store's own.
pub fn all(connection: &Connection) -> Result<BTreeSet<Uid>> {
    let mut statement = connection.prepare_cached("SELECT name FROM touched")?;
    let rows = statement.query_map([], |row| Ok(Uid::new(row.get::<_, String>(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Something happened to these.
///
/// # Errors
/// Only the store's own.
pub fn add(tx: &Transaction<'_>, names: &BTreeSet<Uid>) -> Result<()> {
    let mut statement = tx.prepare_cached("INSERT OR IGNORE INTO touched (name) VALUES (?1)")?;
    names.iter().try_for_each(|name| statement.execute([name.as_str()]).map(drop))?;
    Ok(())
}

/// What these concern was decided over.
///
/// # Errors
/// Only the store's own.
pub fn remove(tx: &Transaction<'_>, names: &BTreeSet<Uid>) -> Result<()> {
    let mut statement = tx.prepare_cached("DELETE FROM touched WHERE name = ?1")?;
    names.iter().try_for_each(|name| statement.execute([name.as_str()]).map(drop))?;
    Ok(())
}
