//! What filed messages look like, whatever they are called.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::model::Uid;

use super::error::Result;
use super::transaction::Transaction;

/// All of them, by name.
///
/// # Errors
/// Only the store's own.
pub fn all(connection: &Connection) -> Result<BTreeMap<Uid, String>> {
    let mut statement = connection.prepare_cached("SELECT uid, digest FROM fingerprint")?;
    let rows =
        statement.query_map([], |row| Ok((Uid::new(row.get::<_, String>(0)?), row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Remembers some.
///
/// # Errors
/// Only the store's own.
pub fn add(tx: &Transaction<'_>, prints: &BTreeMap<Uid, String>) -> Result<()> {
    let mut statement =
        tx.prepare_cached("INSERT OR REPLACE INTO fingerprint (uid, digest) VALUES (?1, ?2)")?;
    prints
        .iter()
        .try_for_each(|(uid, digest)| statement.execute([uid.as_str(), digest]).map(drop))?;
    Ok(())
}
