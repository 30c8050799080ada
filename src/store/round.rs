//! Rounds: when, why, and what came of it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::encode::read_moment;
use super::error::{Error, ErrorKind, Result};
use super::journal;
use super::transaction::Transaction;

/// The store's number of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoundId(pub i64);

impl fmt::Display for RoundId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A round as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    pub id: RoundId,
    pub started: Timestamp,
    /// `None` while it runs, and for one that a crash ended.
    pub finished: Option<Timestamp>,
    /// Why it ran.
    pub trigger: String,
    /// Counts and reasons, without content; `null` until it is finished.
    pub report: serde_json::Value,
}

/// How many rounds are kept that led to nothing. A service has some hundred a day.
const KEPT: i64 = 2000;

/// For how long is kept what rounds wrote: half a year. What was contested is kept for good.
const HISTORY: SignedDuration = SignedDuration::from_hours(183 * 24);

/// Records that a round begins, and forgets old ones: what they wrote when it is very old, and one that led to nothing.
///
/// # Errors
/// Only the store's own.
pub fn start(tx: &Transaction<'_>, trigger: &str, at: Timestamp) -> Result<RoundId> {
    tx.prepare_cached("INSERT INTO round (started, trigger) VALUES (?1, ?2)")?
        .execute(params![at.as_microsecond(), trigger])?;
    let id = tx.last_insert_rowid();
    let long_ago = at.checked_sub(HISTORY).unwrap_or(Timestamp::MIN);
    let mut old = journal::forget(tx, long_ago)?;
    old.insert(RoundId(id - KEPT));
    let mut statement = tx.prepare_cached(
        "DELETE FROM round WHERE id = ?1 AND id <= ?2
         AND NOT EXISTS (SELECT 1 FROM journal WHERE round = ?1)
         AND NOT EXISTS (SELECT 1 FROM hold WHERE round = ?1)
         AND NOT EXISTS (SELECT 1 FROM conflict WHERE round = ?1)",
    )?;
    for round in old {
        statement.execute([round.0, id - KEPT])?;
    }
    Ok(RoundId(id))
}

/// Records how a round ended.
///
/// # Errors
/// [`ErrorKind::Missing`] when there is no such round, or it is finished already.
pub fn finish(
    tx: &Transaction<'_>,
    id: RoundId,
    report: &serde_json::Value,
    at: Timestamp,
) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE round SET finished = ?2, report = ?3 WHERE id = ?1 AND finished = -1",
    )?;
    match statement.execute(params![id.0, at.as_microsecond(), report.to_string()])? {
        0 => Err(Error::new(ErrorKind::Missing, format!("no round {id} is under way"))),
        _ => Ok(()),
    }
}

/// One round.
///
/// # Errors
/// Only the store's own.
pub fn get(connection: &Connection, id: RoundId) -> Result<Option<Round>> {
    let mut statement = connection
        .prepare_cached("SELECT id, started, finished, trigger, report FROM round WHERE id = ?1")?;
    statement.query_row([id.0], |row| Ok(from_row(row))).optional()?.transpose()
}

/// The latest rounds, newest first.
///
/// # Errors
/// Only the store's own.
pub fn latest(connection: &Connection, limit: u32) -> Result<Vec<Round>> {
    let mut found = Vec::new();
    backwards(connection, limit, |round| {
        found.push(round);
        true
    })?;
    Ok(found)
}

/// Hands over the latest rounds, newest first and at most so many, until `each` has seen enough and says so by `false`.
///
/// # Errors
/// Only the store's own.
pub fn backwards(
    connection: &Connection,
    limit: u32,
    mut each: impl FnMut(Round) -> bool,
) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT id, started, finished, trigger, report FROM round ORDER BY id DESC LIMIT ?1",
    )?;
    for round in statement.query_and_then([limit], from_row)? {
        if !each(round?) {
            break;
        }
    }
    Ok(())
}

fn from_row(row: &Row<'_>) -> Result<Round> {
    let finished: i64 = row.get(2)?;
    let report: String = row.get(4)?;
    Ok(Round {
        id: RoundId(row.get(0)?),
        started: read_moment(row.get(1)?)?,
        finished: if finished == -1 { None } else { Some(read_moment(finished)?) },
        trigger: row.get(3)?,
        report: if report.is_empty() {
            serde_json::Value::Null
        } else {
            serde_json::from_str(&report)
                .map_err(|_| super::encode::unreadable("report of a round"))?
        },
    })
}
