//! Which messages had the keyword of tracked ones when they were last looked at.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::model::ItemId;

use super::error::Result;
use super::transaction::Transaction;

/// All of them.
///
/// # Errors
/// Only the store's own.
pub fn all(connection: &Connection) -> Result<BTreeSet<ItemId>> {
    let mut statement = connection.prepare_cached("SELECT item FROM tagged")?;
    let rows = statement.query_map([], |row| Ok(ItemId::new(row.get::<_, String>(0)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// These have it.
///
/// # Errors
/// Only the store's own.
pub fn add(tx: &Transaction<'_>, items: &BTreeSet<ItemId>) -> Result<()> {
    let mut statement = tx.prepare_cached("INSERT OR IGNORE INTO tagged (item) VALUES (?1)")?;
    items.iter().try_for_each(|item| statement.execute([item.as_str()]).map(drop))?;
    Ok(())
}

/// These have it no more, or are gone.
///
/// # Errors
/// Only the store's own.
pub fn remove(tx: &Transaction<'_>, items: &BTreeSet<ItemId>) -> Result<()> {
    let mut statement = tx.prepare_cached("DELETE FROM tagged WHERE item = ?1")?;
    items.iter().try_for_each(|item| statement.execute([item.as_str()]).map(drop))?;
    Ok(())
}
