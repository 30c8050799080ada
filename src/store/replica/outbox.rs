//! Edits that were acknowledged, in the order of entry, until they are written to the organisation.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::model::row::{Edits, RowId};
use crate::store::Transaction;
use crate::store::encode::{read_moment, unreadable};
use crate::store::error::Result;

/// What an edit does to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Create,
    Update,
    Delete,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Delete];

    /// The word used in the store and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// How far an edit has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It can be sent.
    Waiting,
    /// It was sent without an answer, or the row was changed there meanwhile: the row is looked at first.
    Look,
    /// A person has to say what becomes of it.
    Parked,
    /// It is there, or became a collision.
    Done,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Look, Self::Parked, Self::Done];

    /// The word used in the store and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Look => "look",
            Self::Parked => "parked",
            Self::Done => "done",
        }
    }
}

/// One edit.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// Its place in the order of entry.
    pub number: i64,
    pub row: RowId,
    pub kind: Kind,
    /// The version it was made on; empty on a row that is not there yet.
    pub version: String,
    pub edits: Edits,
    /// What people know the row by.
    pub name: String,
    pub state: State,
    pub attempts: u32,
    /// Why it is parked; empty otherwise.
    pub reason: String,
    pub entered: Timestamp,
}

const COLUMNS: &str =
    "number, tbl, id, kind, version, edits, name, state, attempts, reason, entered";

/// Adds an edit at the end; its number is given. What it says of its number is passed over.
///
/// # Errors
/// Only the store's own.
pub fn add(tx: &Transaction<'_>, edit: &Edit) -> Result<i64> {
    tx.prepare_cached(
        "INSERT INTO outbox (tbl, id, kind, version, edits, name, state, attempts, reason, entered)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        edit.row.table,
        edit.row.id.to_string(),
        edit.kind.as_str(),
        edit.version,
        encoded(&edit.edits)?,
        edit.name,
        edit.state.as_str(),
        edit.attempts,
        edit.reason,
        edit.entered.as_microsecond()
    ])?;
    Ok(tx.last_insert_rowid())
}

/// Writes an edit back as it is now.
///
/// # Errors
/// Only the store's own.
pub fn update(tx: &Transaction<'_>, edit: &Edit) -> Result<()> {
    tx.prepare_cached(
        "UPDATE outbox SET version = ?2, edits = ?3, name = ?4, state = ?5, attempts = ?6, reason = ?7
         WHERE number = ?1",
    )?
    .execute(params![
        edit.number,
        edit.version,
        encoded(&edit.edits)?,
        edit.name,
        edit.state.as_str(),
        edit.attempts,
        edit.reason
    ])?;
    Ok(())
}

/// Notes that these edits are about to be sent.
///
/// # Errors
/// Only the store's own.
pub fn sending(tx: &Transaction<'_>, numbers: &[i64]) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE outbox SET state = 'look', attempts = attempts + 1 WHERE number = ?1",
    )?;
    for number in numbers {
        statement.execute([number])?;
    }
    Ok(())
}

/// An edit came to its end.
///
/// # Errors
/// Only the store's own.
pub fn done(tx: &Transaction<'_>, number: i64, at: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "UPDATE outbox SET state = 'done', reason = '', settled = ?2 WHERE number = ?1",
    )?
    .execute(params![number, at.as_microsecond()])?;
    Ok(())
}

/// A row has another version now by our own write: the edits of it that wait were made on what we wrote.
///
/// # Errors
/// Only the store's own.
pub fn rebase(tx: &Transaction<'_>, row: &RowId, from: &str, to: &str) -> Result<()> {
    tx.prepare_cached(
        "UPDATE outbox SET version = ?4
         WHERE tbl = ?1 AND id = ?2 AND version = ?3 AND state <> 'done'",
    )?
    .execute([&row.table, &row.id.to_string(), from, to])?;
    Ok(())
}

/// Forgets an edit.
///
/// # Errors
/// Only the store's own.
pub fn remove(tx: &Transaction<'_>, number: i64) -> Result<()> {
    tx.prepare_cached("DELETE FROM outbox WHERE number = ?1")?.execute([number])?;
    Ok(())
}

/// Forgets what was done before that moment.
///
/// # Errors
/// Only the store's own.
pub fn prune(tx: &Transaction<'_>, before: Timestamp) -> Result<()> {
    tx.prepare_cached("DELETE FROM outbox WHERE state = 'done' AND settled < ?1")?
        .execute([before.as_microsecond()])?;
    Ok(())
}

/// An edit, whatever became of it.
///
/// # Errors
/// Only the store's own.
pub fn get(connection: &Connection, number: i64) -> Result<Option<Edit>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE number = ?1"))?;
    statement.query_row([number], |row| Ok(read(row))).optional()?.transpose()
}

/// The edits that did not come to their end, in the order of entry, at most so many.
///
/// # Errors
/// Only the store's own.
pub fn open(connection: &Connection, limit: u32) -> Result<Vec<Edit>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE state <> 'done' ORDER BY number LIMIT ?1"
    ))?;
    statement.query_and_then([limit], read)?.collect()
}

/// Of those that did not come to their end, the ones entered after this, in the order of entry, at most so many.
///
/// # Errors
/// Only the store's own.
pub fn open_after(connection: &Connection, number: i64, limit: u32) -> Result<Vec<Edit>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE state <> 'done' AND number > ?1 ORDER BY number LIMIT ?2"
    ))?;
    statement.query_and_then(params![number, limit], read)?.collect()
}

/// How many did not come to their end, up to this one.
///
/// # Errors
/// Only the store's own.
pub fn count_until(connection: &Connection, number: i64) -> Result<usize> {
    let sql = "SELECT count(*) FROM outbox WHERE state <> 'done' AND number <= ?1";
    let count: i64 = connection.prepare_cached(sql)?.query_row([number], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Those of one row, in the order of entry.
///
/// # Errors
/// Only the store's own.
pub fn of_row(connection: &Connection, row: &RowId) -> Result<Vec<Edit>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE state <> 'done' AND tbl = ?1 AND id = ?2 ORDER BY number"
    ))?;
    statement.query_and_then([&row.table, &row.id.to_string()], read)?.collect()
}

/// Those of one table, in the order of entry.
///
/// # Errors
/// Only the store's own.
pub fn of_table(connection: &Connection, table: &str) -> Result<Vec<Edit>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE state <> 'done' AND tbl = ?1 ORDER BY number"
    ))?;
    statement.query_and_then([table], read)?.collect()
}

/// What came to its end, the last first, at most so many.
///
/// # Errors
/// Only the store's own.
pub fn settled(connection: &Connection, limit: u32) -> Result<Vec<Edit>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM outbox WHERE state = 'done' ORDER BY number DESC LIMIT ?1"
    ))?;
    statement.query_and_then([limit], read)?.collect()
}

/// How many edits wait for the organisation, and how many for a person.
///
/// # Errors
/// Only the store's own.
pub fn count(connection: &Connection) -> Result<(u64, u64)> {
    let (open, parked): (i64, i64) = connection.query_row(
        "SELECT count(*), coalesce(sum(state = 'parked'), 0) FROM outbox WHERE state <> 'done'",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    Ok((number(open - parked), number(parked)))
}

fn encoded(edits: &Edits) -> Result<String> {
    serde_json::to_string(edits).map_err(|_| unreadable("edits"))
}

fn read(row: &Row<'_>) -> Result<Edit> {
    let (table, id): (String, String) = (row.get(1)?, row.get(2)?);
    let (kind, edits, state): (String, String, String) = (row.get(3)?, row.get(5)?, row.get(7)?);
    let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
    let state = State::ALL.into_iter().find(|known| known.as_str() == state);
    Ok(Edit {
        number: row.get(0)?,
        row: RowId::new(table, Uuid::parse_str(&id).map_err(|_| unreadable("id"))?),
        kind: kind.ok_or_else(|| unreadable("kind"))?,
        version: row.get(4)?,
        edits: serde_json::from_str(&edits).map_err(|_| unreadable("edits"))?,
        name: row.get(6)?,
        state: state.ok_or_else(|| unreadable("state"))?,
        attempts: row.get(8)?,
        reason: row.get(9)?,
        entered: read_moment(row.get(10)?)?,
    })
}
