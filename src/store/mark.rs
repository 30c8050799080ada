//! The user's own word on what takes part, by the item's global name.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::model::{Class, Uid};

use super::error::Result;
use super::transaction::Transaction;

/// Records that the user tracks an item (`true`) or leaves it out. The last word counts.
///
/// # Errors
/// Only the store's own.
pub fn set(
    tx: &Transaction<'_>,
    class: Class,
    uid: &Uid,
    tracked: bool,
    at: Timestamp,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO mark (class, uid, tracked, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (class, uid) DO UPDATE SET tracked = excluded.tracked, at = excluded.at",
    )?
    .execute(params![class.as_str(), uid.as_str(), tracked, at.as_microsecond()])?;
    Ok(())
}

/// All marks of a class: `true` where the user tracks the item.
///
/// # Errors
/// Only the store's own.
pub fn all(connection: &Connection, class: Class) -> Result<BTreeMap<Uid, bool>> {
    let mut statement =
        connection.prepare_cached("SELECT uid, tracked FROM mark WHERE class = ?1")?;
    let rows = statement
        .query_map([class.as_str()], |row| Ok((Uid::new(row.get::<_, String>(0)?), row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
