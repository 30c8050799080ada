//! Items set aside because they could not be read or written, each with its reason, so that the others go on.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Class, ItemId, Side, Version};

use super::encode::read_moment;
use super::error::Result;
use super::transaction::Transaction;

/// An item that is set aside.
#[derive(Debug, Clone, PartialEq)]
pub struct Quarantined {
    pub side: Side,
    pub class: Class,
    pub id: ItemId,
    /// The version that failed; another one is tried afresh.
    pub version: Version,
    /// Why, without content.
    pub reason: String,
    /// What the person can do about it, where that is known.
    pub hint: Option<String>,
    /// How often this version has been tried.
    pub attempts: u32,
    /// When this version failed first.
    pub since: Timestamp,
    /// When it is tried again by itself. `None`: not before it changes.
    pub due: Option<Timestamp>,
}

/// An item that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub side: Side,
    pub class: Class,
    pub id: ItemId,
    pub version: Version,
    pub reason: String,
    pub hint: Option<String>,
}

/// Sets an item aside, or counts one more attempt of the same version. `pause` says after how many attempts it rests for how long;
/// where it says nothing, the item rests until it changes.
///
/// # Errors
/// Only the store's own.
pub fn put(
    tx: &Transaction<'_>,
    failure: &Failure,
    at: Timestamp,
    pause: impl FnOnce(u32) -> Option<Duration>,
) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO quarantine (side, class, id, version, reason, hint, attempts, since)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7)
         ON CONFLICT (side, class, id) DO UPDATE SET
         attempts = CASE version WHEN excluded.version THEN attempts + 1 ELSE 1 END,
         since = CASE version WHEN excluded.version THEN since ELSE excluded.since END,
         version = excluded.version, reason = excluded.reason, hint = excluded.hint, due = NULL
         RETURNING attempts",
    )?;
    let row = params![
        failure.side.as_str(),
        failure.class.as_str(),
        failure.id.as_str(),
        failure.version.as_str(),
        failure.reason,
        failure.hint.as_deref().unwrap_or_default(),
        at.as_microsecond(),
    ];
    let attempts = statement.query_row(row, |row| row.get(0))?;
    let Some(pause) = pause(attempts) else { return Ok(()) };
    let due = at.checked_add(pause).unwrap_or(Timestamp::MAX).as_microsecond();
    let mut statement = tx.prepare_cached(
        "UPDATE quarantine SET due = ?4 WHERE side = ?1 AND class = ?2 AND id = ?3",
    )?;
    let Failure { side, class, id, .. } = failure;
    statement.execute(params![side.as_str(), class.as_str(), id.as_str(), due])?;
    Ok(())
}

/// Takes back what was due at `now`: it was tried again since, and what failed again is due later.
///
/// # Errors
/// Only the store's own.
pub fn remove_due(tx: &Transaction<'_>, class: Class, now: Timestamp) -> Result<()> {
    let mut statement =
        tx.prepare_cached("DELETE FROM quarantine WHERE class = ?1 AND due <= ?2")?;
    statement.execute(params![class.as_str(), now.as_microsecond()])?;
    Ok(())
}

/// One item, if it is set aside.
///
/// # Errors
/// Only the store's own.
pub fn get(
    connection: &Connection,
    side: Side,
    class: Class,
    id: &ItemId,
) -> Result<Option<Quarantined>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, version, reason, hint, attempts, since, due FROM quarantine
         WHERE side = ?1 AND class = ?2 AND id = ?3",
    )?;
    statement
        .query_row([side.as_str(), class.as_str(), id.as_str()], |row| {
            Ok(from_row(side, class, row))
        })
        .optional()?
        .transpose()
}

/// All that is set aside of a class on one side, by id.
///
/// # Errors
/// Only the store's own.
pub fn all(connection: &Connection, side: Side, class: Class) -> Result<Vec<Quarantined>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, version, reason, hint, attempts, since, due FROM quarantine
         WHERE side = ?1 AND class = ?2 ORDER BY id",
    )?;
    statement
        .query_and_then([side.as_str(), class.as_str()], |row| from_row(side, class, row))?
        .collect()
}

/// Takes items back: they were read or written after all, or are gone.
///
/// # Errors
/// Only the store's own.
pub fn remove<'a>(
    tx: &Transaction<'_>,
    side: Side,
    class: Class,
    ids: impl IntoIterator<Item = &'a ItemId>,
) -> Result<()> {
    // Deleting makes a table of its own for what triggers shall see, even where there is nothing; most often there is not.
    let any = "SELECT 1 FROM quarantine WHERE side = ?1 AND class = ?2 LIMIT 1";
    if !tx.prepare_cached(any)?.exists([side.as_str(), class.as_str()])? {
        return Ok(());
    }
    let mut statement =
        tx.prepare_cached("DELETE FROM quarantine WHERE side = ?1 AND class = ?2 AND id = ?3")?;
    for id in ids {
        statement.execute([side.as_str(), class.as_str(), id.as_str()])?;
    }
    Ok(())
}

fn from_row(side: Side, class: Class, row: &Row<'_>) -> Result<Quarantined> {
    let hint: String = row.get(3)?;
    Ok(Quarantined {
        side,
        class,
        id: ItemId::new(row.get::<_, String>(0)?),
        version: Version::new(row.get::<_, String>(1)?),
        reason: row.get(2)?,
        hint: (!hint.is_empty()).then_some(hint),
        attempts: row.get(4)?,
        since: read_moment(row.get(5)?)?,
        due: row.get::<_, Option<i64>>(6)?.map(read_moment).transpose()?,
    })
}
