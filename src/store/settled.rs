//! Whether anything was left to do when a class was last looked at. Triggers of the layout forget it with every change of
//! links, marks, holds, approvals, conflicts and of what is set aside, so that no command can leave it standing.

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::Class;

use super::error::Result;
use super::transaction::Transaction;

/// Nothing was left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// A digest of the settings that were in force.
    pub settings: String,
    /// How many items were listed.
    pub listed: u32,
    /// How many links there are that are kept in step, and how many that are released.
    pub linked: u32,
    pub released: u32,
}

/// Whether and how a class is settled.
///
/// # Errors
/// Only the store's own.
pub fn get(connection: &Connection, class: Class) -> Result<Option<Settled>> {
    let mut statement = connection.prepare_cached(
        "SELECT settings, listed, linked, released FROM settled WHERE class = ?1",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Settled {
            settings: row.get(0)?,
            listed: row.get(1)?,
            linked: row.get(2)?,
            released: row.get(3)?,
        })
    };
    Ok(statement.query_row([class.as_str()], read).optional()?)
}

/// Records that nothing is left to do.
///
/// # Errors
/// Only the store's own.
pub fn set(tx: &Transaction<'_>, class: Class, settled: &Settled) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO settled (class, settings, listed, linked, released)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        class.as_str(),
        settled.settings,
        settled.listed,
        settled.linked,
        settled.released
    ])?;
    Ok(())
}
