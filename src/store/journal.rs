//! Every remote write: what was intended, before it is tried, and what came of it. A row that has its outcome never changes
//! again, and is forgotten when it is old.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Class, Fields, ItemId, LinkId, Patch, Side, Uid, Version};

use super::encode::{
    read_class, read_fields, read_moment, read_patch, read_side, unreadable, write_fields,
    write_patch,
};
use super::error::{Error, ErrorKind, Result};
use super::round::RoundId;
use super::transaction::Transaction;

/// The store's number of a journal row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryId(pub i64);

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What is done to the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Create,
    Update,
    Delete,
    Mark,
}

impl Action {
    const ALL: [Self; 4] = [Self::Create, Self::Update, Self::Delete, Self::Mark];

    /// The word used in the store and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Mark => "mark",
        }
    }
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Written down, not answered yet. After a crash: look before anything else.
    Intended,
    Done,
    Refused,
    /// The other end gave no answer: whether it took place is to be looked at.
    Unknown,
    /// Given up until a person did something.
    Parked,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Intended, Self::Done, Self::Refused, Self::Unknown, Self::Parked];

    /// The word used in the store and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Parked => "parked",
        }
    }
}

/// A write that is about to be tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Intent {
    pub class: Class,
    pub link: Option<LinkId>,
    pub item: Option<ItemId>,
    pub record: Option<ItemId>,
    /// The global name of the pair to which one half is made: by it, the pair is recognised though nobody saw its item since.
    pub uid: Option<Uid>,
    /// The side that is written to.
    pub side: Side,
    pub action: Action,
    /// The rule it follows from, for the person.
    pub why: String,
    /// What stood there; `None` when nothing did.
    pub before: Option<Fields>,
    pub patch: Patch,
    /// The version it was planned against.
    pub expect: Option<Version>,
    /// The operation's own name, the same at each attempt.
    pub key: String,
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub outcome: Outcome,
    /// Where the thing stands now on the side that was written to, if the other end said so.
    pub id: Option<ItemId>,
    /// What stands there now, as it was read back.
    pub after: Option<Fields>,
    pub version: Option<Version>,
    /// Why it was not done, without content.
    pub error: Option<String>,
}

/// A row of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub id: EntryId,
    pub round: RoundId,
    /// With the address that the other end gave, once it did.
    pub intent: Intent,
    /// How often in a row this operation has been tried, with this one.
    pub attempts: u32,
    pub outcome: Outcome,
    /// What stood there afterwards; `None` when nothing did, or nobody knows.
    pub after: Option<Fields>,
    pub version: Option<Version>,
    pub error: Option<String>,
    /// When it was intended; when it was answered, once it is.
    pub at: Timestamp,
}

/// Writes down what is about to be tried, and counts the attempt. Returns the rows' numbers, in order.
///
/// # Errors
/// Only the store's own.
pub fn intend(
    tx: &Transaction<'_>,
    round: RoundId,
    at: Timestamp,
    intents: &[Intent],
) -> Result<Vec<EntryId>> {
    // An operation that was done and comes again (a field set, changed back, set again) starts from one.
    let mut statement = tx.prepare_cached(
        "INSERT INTO journal (round, class, link, item, record, side, action, why, before, patch, expect, key, attempts, outcome, at, uid)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,
         1 + coalesce((SELECT CASE outcome WHEN 'done' THEN 0 ELSE attempts END
         FROM journal WHERE key = ?12 ORDER BY id DESC LIMIT 1), 0),
         'intended', ?13, ?14)",
    )?;
    let mut ids = Vec::with_capacity(intents.len());
    for intent in intents {
        statement.execute(params![
            round.0,
            intent.class.as_str(),
            intent.link.map_or(0, |link| link.0),
            intent.item.as_ref().map_or("", ItemId::as_str),
            intent.record.as_ref().map_or("", ItemId::as_str),
            intent.side.as_str(),
            intent.action.as_str(),
            intent.why,
            write_or_none(intent.before.as_ref())?,
            write_patch(&intent.patch)?,
            intent.expect.as_ref().map_or("", Version::as_str),
            intent.key,
            at.as_microsecond(),
            intent.uid.as_ref().map_or("", Uid::as_str),
        ])?;
        ids.push(EntryId(tx.last_insert_rowid()));
    }
    Ok(ids)
}

/// Writes down what came of a write.
///
/// # Errors
/// [`ErrorKind::Missing`] when there is no such row, or it has its outcome.
pub fn finish(tx: &Transaction<'_>, id: EntryId, answer: &Answer, at: Timestamp) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE journal SET outcome = ?2, after = ?3, result = ?4, error = ?5, at = ?6,
         item = CASE WHEN side = 'mailbox' AND ?7 <> '' THEN ?7 ELSE item END,
         record = CASE WHEN side = 'crm' AND ?7 <> '' THEN ?7 ELSE record END
         WHERE id = ?1 AND outcome IN ('intended', 'unknown')",
    )?;
    let changed = statement.execute(params![
        id.0,
        answer.outcome.as_str(),
        write_or_none(answer.after.as_ref())?,
        answer.version.as_ref().map_or("", Version::as_str),
        answer.error.as_deref().unwrap_or_default(),
        at.as_microsecond(),
        answer.id.as_ref().map_or("", ItemId::as_str),
    ])?;
    if changed == 0 {
        return Err(Error::new(ErrorKind::Missing, format!("no journal row {id} is open")));
    }
    Ok(())
}

/// All that was ever done about an item or a record, oldest first.
///
/// # Errors
/// Only the store's own.
pub fn of(connection: &Connection, class: Class, side: Side, id: &ItemId) -> Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(match side {
        Side::Mailbox => {
            "SELECT id, round, class, link, item, record, side, action, why, before, patch, expect, key, attempts, outcome, after, result, error, at, uid
             FROM journal WHERE class = ?1 AND item = ?2 ORDER BY id"
        }
        Side::Crm => {
            "SELECT id, round, class, link, item, record, side, action, why, before, patch, expect, key, attempts, outcome, after, result, error, at, uid
             FROM journal WHERE class = ?1 AND record = ?2 ORDER BY id"
        }
    })?;
    statement.query_and_then([class.as_str(), id.as_str()], from_row)?.collect()
}

/// All that a round did, in order.
///
/// # Errors
/// Only the store's own.
pub fn of_round(connection: &Connection, round: RoundId) -> Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, round, class, link, item, record, side, action, why, before, patch, expect, key, attempts, outcome, after, result, error, at, uid
         FROM journal WHERE round = ?1 ORDER BY id",
    )?;
    statement.query_and_then([round.0], from_row)?.collect()
}

/// The writes of which nobody knows whether they took place: those without an answer, and those a crash left.
///
/// # Errors
/// Only the store's own.
pub fn unknown(connection: &Connection) -> Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, round, class, link, item, record, side, action, why, before, patch, expect, key, attempts, outcome, after, result, error, at, uid
         FROM journal WHERE outcome IN ('intended', 'unknown') ORDER BY id",
    )?;
    statement.query_and_then([], from_row)?.collect()
}

/// Whether of any write of a class nobody knows whether it took place.
///
/// # Errors
/// Only the store's own.
pub fn is_open(connection: &Connection, class: Class) -> Result<bool> {
    // `+`: by the index of the few that are open.
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM journal WHERE outcome IN ('intended', 'unknown') AND +class = ?1 LIMIT 1",
    )?;
    Ok(statement.exists([class.as_str()])?)
}

/// How many rows one round forgets.
const FORGOTTEN: u32 = 500;

/// Forgets the oldest rows that have their outcome, those that had it before this moment and not all at once, with what
/// deletes removed. Returns their rounds.
///
/// # Errors
/// Only the store's own.
pub(super) fn forget(tx: &Transaction<'_>, before: Timestamp) -> Result<BTreeSet<RoundId>> {
    // Rows are as old as their numbers: nearly always, one look is enough.
    let mut oldest = tx.prepare_cached(
        "SELECT at FROM journal WHERE outcome NOT IN ('intended', 'unknown') ORDER BY id LIMIT 1",
    )?;
    let oldest: Option<i64> = oldest.query_row([], |row| row.get(0)).optional()?;
    if oldest.is_none_or(|at| at >= before.as_microsecond()) {
        return Ok(BTreeSet::new());
    }
    let mut statement = tx.prepare_cached(
        "DELETE FROM journal WHERE at < ?1 AND id IN (
         SELECT id FROM journal WHERE outcome NOT IN ('intended', 'unknown') ORDER BY id LIMIT ?2)
         RETURNING round",
    )?;
    let rounds = statement
        .query_map(params![before.as_microsecond(), FORGOTTEN], |row| Ok(RoundId(row.get(0)?)))?;
    Ok(rounds.collect::<std::result::Result<_, _>>()?)
}

fn from_row(row: &Row<'_>) -> Result<Entry> {
    let text = |index: usize| row.get::<_, String>(index);
    let link: i64 = row.get(3)?;
    let action = text(7)?;
    let outcome = text(14)?;
    Ok(Entry {
        id: EntryId(row.get(0)?),
        round: RoundId(row.get(1)?),
        intent: Intent {
            class: read_class(&text(2)?)?,
            link: (link != 0).then_some(LinkId(link)),
            item: some(text(4)?).map(ItemId::new),
            record: some(text(5)?).map(ItemId::new),
            uid: some(text(19)?).map(Uid::new),
            side: read_side(&text(6)?)?,
            action: Action::ALL
                .into_iter()
                .find(|known| known.as_str() == action)
                .ok_or_else(|| unreadable("action"))?,
            why: text(8)?,
            before: some(text(9)?).map(|fields| read_fields(&fields)).transpose()?,
            patch: read_patch(&text(10)?)?,
            expect: some(text(11)?).map(Version::new),
            key: text(12)?,
        },
        attempts: row.get(13)?,
        outcome: Outcome::ALL
            .into_iter()
            .find(|known| known.as_str() == outcome)
            .ok_or_else(|| unreadable("outcome"))?,
        after: some(text(15)?).map(|fields| read_fields(&fields)).transpose()?,
        version: some(text(16)?).map(Version::new),
        error: some(text(17)?),
        at: read_moment(row.get(18)?)?,
    })
}

fn write_or_none(fields: Option<&Fields>) -> Result<String> {
    fields.map_or_else(|| Ok(String::new()), write_fields)
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
