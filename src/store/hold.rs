//! What waits for the user's word, and what the user has allowed.
//!
//! A hold never turns into writes by itself, and never grows: new operations make a new hold, so that what is approved is
//! what was shown. An approval names operations by key and digest; one that is planned differently is held again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::model::Class;

use super::encode::{read_class, read_moment};
use super::error::{Error, ErrorKind, Result};
use super::round::RoundId;
use super::transaction::Transaction;

/// The store's number of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HoldId(pub i64);

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A part of a plan that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Hold {
    pub id: HoldId,
    pub class: Class,
    /// Why, for the person.
    pub reason: String,
    pub created: Timestamp,
    pub round: RoundId,
    /// By key.
    pub held: Vec<Held>,
}

/// One operation that waits.
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    /// The operation's own name, unique within its class.
    pub key: String,
    /// What the operation is about: other operations about it wait too.
    pub subject: String,
    /// What would be done, for the person.
    pub text: String,
    /// Changes when what would be written does.
    pub digest: String,
}

impl fmt::Debug for Held {
    /// Keeps content out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held({})", self.key)
    }
}

/// Operations by key, each with the digest of what it would write.
pub type Operations = BTreeMap<String, String>;

/// Holds these operations, for this reason. Those that are held already with the same digest stay where they are; returns
/// `None` when that is all of them.
///
/// # Errors
/// Only the store's own.
pub fn hold(
    tx: &Transaction<'_>,
    class: Class,
    reason: &str,
    operations: &[Held],
    round: RoundId,
    at: Timestamp,
) -> Result<Option<HoldId>> {
    let known = held_operations(tx, class)?;
    let fresh: Vec<&Held> = operations
        .iter()
        .filter(|operation| known.get(&operation.key) != Some(&operation.digest))
        .collect();
    if fresh.is_empty() {
        return Ok(None);
    }
    tx.prepare_cached("INSERT INTO hold (class, reason, created, round) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![class.as_str(), reason, at.as_microsecond(), round.0])?;
    let id = HoldId(tx.last_insert_rowid());
    let mut statement = tx.prepare_cached(
        "INSERT INTO held (class, key, hold, subject, text, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (class, key) DO UPDATE SET
         hold = excluded.hold, subject = excluded.subject, text = excluded.text, digest = excluded.digest",
    )?;
    for operation in fresh {
        statement.execute(params![
            class.as_str(),
            operation.key,
            id.0,
            operation.subject,
            operation.text,
            operation.digest,
        ])?;
    }
    drop_empty(tx)?;
    Ok(Some(id))
}

/// All holds, oldest first, with their operations.
///
/// # Errors
/// Only the store's own.
pub fn open_holds(connection: &Connection) -> Result<Vec<Hold>> {
    let mut operations: BTreeMap<HoldId, Vec<Held>> = BTreeMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT hold, key, subject, text, digest FROM held ORDER BY hold, class, key",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        operations.entry(HoldId(row.get(0)?)).or_default().push(Held {
            key: row.get(1)?,
            subject: row.get(2)?,
            text: row.get(3)?,
            digest: row.get(4)?,
        });
    }
    let mut statement = connection
        .prepare_cached("SELECT id, class, reason, created, round FROM hold ORDER BY id")?;
    statement
        .query_and_then([], |row| {
            let id = HoldId(row.get(0)?);
            let class: String = row.get(1)?;
            Ok(Hold {
                id,
                class: read_class(&class)?,
                reason: row.get(2)?,
                created: read_moment(row.get(3)?)?,
                round: RoundId(row.get(4)?),
                held: operations.remove(&id).unwrap_or_default(),
            })
        })?
        .collect()
}

/// What waiting operations of a class are about.
///
/// # Errors
/// Only the store's own.
pub fn held_subjects(connection: &Connection, class: Class) -> Result<BTreeSet<String>> {
    let mut statement =
        connection.prepare_cached("SELECT DISTINCT subject FROM held WHERE class = ?1")?;
    statement.query_and_then([class.as_str()], |row| Ok(row.get(0)?))?.collect()
}

/// Turns a hold into approvals of exactly its operations. Returns how many.
///
/// # Errors
/// [`ErrorKind::Missing`] when there is no such hold (any more).
pub fn approve(tx: &Transaction<'_>, id: HoldId, at: Timestamp) -> Result<usize> {
    let approved = tx
        .prepare_cached(
            "INSERT INTO approval (class, key, digest, at)
             SELECT class, key, digest, ?2 FROM held WHERE hold = ?1
             ON CONFLICT (class, key) DO UPDATE SET digest = excluded.digest, at = excluded.at",
        )?
        .execute(params![id.0, at.as_microsecond()])?;
    let removed = tx.prepare_cached("DELETE FROM hold WHERE id = ?1")?.execute([id.0])?;
    if removed == 0 {
        return Err(Error::new(ErrorKind::Missing, format!("there is no hold {id}")));
    }
    Ok(approved)
}

/// The operations of a class that may be carried out: only with the very digest that was approved.
///
/// # Errors
/// Only the store's own.
pub fn approved_keys(connection: &Connection, class: Class) -> Result<Operations> {
    let mut statement = connection
        .prepare_cached("SELECT key, digest FROM approval WHERE class = ?1 ORDER BY key")?;
    statement.query_and_then([class.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Uses up approvals: in the transaction that records what came of the operations.
///
/// # Errors
/// Only the store's own.
pub fn consume(tx: &Transaction<'_>, class: Class, keys: &[String]) -> Result<()> {
    let mut statement = tx.prepare_cached("DELETE FROM approval WHERE class = ?1 AND key = ?2")?;
    for key in keys {
        statement.execute([class.as_str(), key])?;
    }
    Ok(())
}

/// Forgets holds and approvals of operations that are not planned any more, or planned differently: should they come
/// back, they are asked about again. To be called with a whole plan only.
///
/// # Errors
/// Only the store's own.
pub fn clear_obsolete(tx: &Transaction<'_>, class: Class, planned: &Operations) -> Result<()> {
    let is_obsolete = |(key, digest): &(String, String)| planned.get(key) != Some(digest);
    let mut statement = tx.prepare_cached("DELETE FROM held WHERE class = ?1 AND key = ?2")?;
    for (key, _) in held_operations(tx, class)?.into_iter().filter(is_obsolete) {
        statement.execute([class.as_str(), &key])?;
    }
    let approved = approved_keys(tx, class)?;
    let obsolete: Vec<String> =
        approved.into_iter().filter(is_obsolete).map(|(key, _)| key).collect();
    consume(tx, class, &obsolete)?;
    drop_empty(tx)
}

fn held_operations(connection: &Connection, class: Class) -> Result<Operations> {
    let mut statement =
        connection.prepare_cached("SELECT key, digest FROM held WHERE class = ?1 ORDER BY key")?;
    statement.query_and_then([class.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn drop_empty(tx: &Transaction<'_>) -> Result<()> {
    tx.prepare_cached(
        "DELETE FROM hold WHERE NOT EXISTS (SELECT 1 FROM held WHERE held.hold = hold.id)",
    )?
    .execute([])?;
    Ok(())
}
