//! What both sides changed differently. Both values are kept: while nobody has decided, and after.

use std::fmt;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Class, Field, Fields, LinkId, Side, Value};

use super::encode::{
    read_fields, read_moment, read_side_or_none, read_value, unreadable, write_fields, write_value,
};
use super::error::{Error, ErrorKind, Result};
use super::round::RoundId;
use super::transaction::Transaction;

/// The store's number of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConflictId(pub i64);

impl fmt::Display for ConflictId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What the sides disagree about.
#[derive(Debug, Clone, PartialEq)]
pub enum Dispute {
    /// The value of one field; `None` is empty.
    Field { field: Field, mailbox: Option<Value>, crm: Option<Value> },
    /// One side was deleted while the other changed to this.
    Existence { deleted: Side, kept: Fields },
}

/// A conflict as it is found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub link: LinkId,
    pub dispute: Dispute,
    /// Whose value the class's policy took; `None` leaves it to the user.
    pub winner: Option<Side>,
}

/// A conflict as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    pub id: ConflictId,
    pub link: LinkId,
    pub dispute: Dispute,
    /// Whose value stands on both sides. `None` while it is open, and when the sides came to agree by themselves.
    pub winner: Option<Side>,
    /// Whose value the user wants, until that is carried out.
    pub choice: Option<Side>,
    pub created: Timestamp,
    /// `None` while it is open.
    pub settled: Option<Timestamp>,
    pub round: RoundId,
}

/// Records a conflict. One that is open already about the same thing takes the new values and keeps its number, unless
/// they are new to the user who has chosen: then the choice is dropped and asked for again.
///
/// # Errors
/// Only the store's own.
pub fn upsert(
    tx: &Transaction<'_>,
    finding: &Finding,
    round: RoundId,
    at: Timestamp,
) -> Result<ConflictId> {
    let (field, mailbox, crm) = columns(&finding.dispute)?;
    let settled = finding.winner.map_or(-1, |_| at.as_microsecond());
    let mut statement = tx.prepare_cached(
        "INSERT INTO conflict (link, field, mailbox, crm, winner, created, settled, round)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (link, field) WHERE settled = -1 DO UPDATE SET
         choice = CASE WHEN mailbox = excluded.mailbox AND crm = excluded.crm THEN choice ELSE '' END,
         mailbox = excluded.mailbox, crm = excluded.crm, round = excluded.round
         RETURNING id",
    )?;
    let id = statement.query_row(
        params![
            finding.link.0,
            field,
            mailbox,
            crm,
            finding.winner.map_or("", Side::as_str),
            at.as_microsecond(),
            settled,
            round.0,
        ],
        |row| row.get(0),
    )?;
    Ok(ConflictId(id))
}

/// Those that nobody has decided yet, oldest first.
///
/// # Errors
/// Only the store's own.
pub fn open(connection: &Connection) -> Result<Vec<Conflict>> {
    // `+`: the few that are open are sorted, rather than the whole history read in order.
    let mut statement = connection.prepare_cached(
        "SELECT id, link, field, mailbox, crm, winner, choice, created, settled, round
         FROM conflict WHERE settled = -1 ORDER BY +id",
    )?;
    statement.query_and_then([], from_row)?.collect()
}

/// How many conflicts of a class are open.
///
/// # Errors
/// Only the store's own.
pub fn count_open(connection: &Connection, class: Class) -> Result<u32> {
    // `CROSS`: from the few that are open to their links, not the other way round.
    let mut statement = connection.prepare_cached(
        "SELECT COUNT(*) FROM conflict CROSS JOIN link ON link.id = conflict.link
         WHERE conflict.settled = -1 AND link.class = ?1",
    )?;
    Ok(statement.query_row([class.as_str()], |row| row.get(0))?)
}

/// All there ever were, oldest first.
///
/// # Errors
/// Only the store's own.
pub fn all(connection: &Connection) -> Result<Vec<Conflict>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, link, field, mailbox, crm, winner, choice, created, settled, round
         FROM conflict ORDER BY id",
    )?;
    statement.query_and_then([], from_row)?.collect()
}

/// All there ever were about one link, oldest first.
///
/// # Errors
/// Only the store's own.
pub fn of(connection: &Connection, link: LinkId) -> Result<Vec<Conflict>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, link, field, mailbox, crm, winner, choice, created, settled, round
         FROM conflict WHERE link = ?1 ORDER BY id",
    )?;
    statement.query_and_then([link.0], from_row)?.collect()
}

/// One conflict.
///
/// # Errors
/// Only the store's own.
pub fn get(connection: &Connection, id: ConflictId) -> Result<Option<Conflict>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, link, field, mailbox, crm, winner, choice, created, settled, round
         FROM conflict WHERE id = ?1",
    )?;
    statement.query_row([id.0], |row| Ok(from_row(row))).optional()?.transpose()
}

/// Records whose value the user wants: of an open conflict, or to flip a settled one. The next round carries it out.
///
/// # Errors
/// [`ErrorKind::Missing`] when there is no such conflict.
pub fn choose(tx: &Transaction<'_>, id: ConflictId, side: Side) -> Result<()> {
    let changed = tx
        .prepare_cached("UPDATE conflict SET choice = ?2 WHERE id = ?1")?
        .execute(params![id.0, side.as_str()])?;
    found(changed, id)
}

/// Those whose choice waits to be carried out, oldest first.
///
/// # Errors
/// Only the store's own.
pub fn choices(connection: &Connection) -> Result<Vec<Conflict>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, link, field, mailbox, crm, winner, choice, created, settled, round
         FROM conflict WHERE choice <> '' ORDER BY +id",
    )?;
    statement.query_and_then([], from_row)?.collect()
}

/// Settles a conflict: the value of `winner` stands on both sides, or, with `None`, the sides came to agree by themselves.
/// Both values stay on record.
///
/// # Errors
/// [`ErrorKind::Missing`] when there is no such conflict.
pub fn close(
    tx: &Transaction<'_>,
    id: ConflictId,
    winner: Option<Side>,
    at: Timestamp,
) -> Result<()> {
    let changed = tx
        .prepare_cached("UPDATE conflict SET winner = ?2, choice = '', settled = ?3 WHERE id = ?1")?
        .execute(params![id.0, winner.map_or("", Side::as_str), at.as_microsecond()])?;
    found(changed, id)
}

/// The field of a dispute about existence.
const WHOLE: &str = "*";

fn columns(dispute: &Dispute) -> Result<(&str, String, String)> {
    Ok(match dispute {
        Dispute::Field { field, mailbox, crm } => {
            (field.as_str(), write_value(mailbox.as_ref())?, write_value(crm.as_ref())?)
        }
        Dispute::Existence { deleted: Side::Mailbox, kept } => {
            (WHOLE, String::new(), write_fields(kept)?)
        }
        Dispute::Existence { deleted: Side::Crm, kept } => {
            (WHOLE, write_fields(kept)?, String::new())
        }
    })
}

fn dispute(field: String, mailbox: &str, crm: &str) -> Result<Dispute> {
    if field != WHOLE {
        return Ok(Dispute::Field {
            field: Field::named(field),
            mailbox: read_value(mailbox)?,
            crm: read_value(crm)?,
        });
    }
    match (mailbox, crm) {
        ("", kept) => Ok(Dispute::Existence { deleted: Side::Mailbox, kept: read_fields(kept)? }),
        (kept, "") => Ok(Dispute::Existence { deleted: Side::Crm, kept: read_fields(kept)? }),
        _ => Err(unreadable("conflict")),
    }
}

fn from_row(row: &Row<'_>) -> Result<Conflict> {
    let text = |index: usize| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
    let settled: i64 = row.get(8)?;
    Ok(Conflict {
        id: ConflictId(row.get(0)?),
        link: LinkId(row.get(1)?),
        dispute: dispute(row.get(2)?, text(3)?, text(4)?)?,
        winner: read_side_or_none(text(5)?)?,
        choice: read_side_or_none(text(6)?)?,
        created: read_moment(row.get(7)?)?,
        settled: if settled == -1 { None } else { Some(read_moment(settled)?) },
        round: RoundId(row.get(9)?),
    })
}

fn found(changed: usize, id: ConflictId) -> Result<()> {
    if changed == 0 {
        return Err(Error::new(ErrorKind::Missing, format!("there is no conflict {id}")));
    }
    Ok(())
}
