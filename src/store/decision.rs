//! Tracked or not, and by which rule: the answer for each item ever looked at.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Class, ItemId};

use super::encode::{read_moment, unreadable};
use super::error::Result;
use super::round::RoundId;
use super::transaction::Transaction;

/// What was decided about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Tracked,
    Skipped,
    /// To be decided when more is known.
    Pending,
    /// It could not be looked at.
    Failed,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Tracked, Self::Skipped, Self::Pending, Self::Failed];

    /// The word used in the store and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tracked => "tracked",
            Self::Skipped => "skipped",
            Self::Pending => "pending",
            Self::Failed => "failed",
        }
    }

    fn named(word: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
            .ok_or_else(|| unreadable("decision"))
    }
}

/// A decision and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub class: Class,
    pub item: ItemId,
    pub outcome: Outcome,
    /// The rule that won, as `explain` shows it.
    pub rule: String,
    /// What each rule said, a letter each; only of messages.
    pub looked: String,
    /// The record of the message that this one answers.
    pub parent: Option<ItemId>,
    /// Digests ([`short`]) of what it is called and of what else the decision hangs on; only of messages.
    pub names: Vec<u32>,
    pub round: RoundId,
    pub at: Timestamp,
}

/// A digest of a name, the same in all releases (FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>). Names are many and
/// long, and two with one digest cost no more than a look in vain.
pub fn short(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Records decisions; a new one replaces the old, unless it says the same: then the old one stays, with its time.
///
/// # Errors
/// Only the store's own.
pub fn upsert(tx: &Transaction<'_>, decisions: &[Decision]) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO decision (class, item, outcome, rule, round, at, looked, parent, names)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (class, item) DO UPDATE SET
         outcome = excluded.outcome, rule = excluded.rule, looked = excluded.looked, parent = excluded.parent,
         round = iif((outcome, rule, looked, parent) = (excluded.outcome, excluded.rule, excluded.looked, excluded.parent),
            round, excluded.round),
         at = iif((outcome, rule, looked, parent) = (excluded.outcome, excluded.rule, excluded.looked, excluded.parent),
            at, excluded.at),
         names = excluded.names
         WHERE outcome <> excluded.outcome OR rule <> excluded.rule
            OR looked <> excluded.looked OR parent <> excluded.parent OR names <> excluded.names",
    )?;
    for decision in decisions {
        statement.execute(params![
            decision.class.as_str(),
            decision.item.as_str(),
            decision.outcome.as_str(),
            decision.rule,
            decision.round.0,
            decision.at.as_microsecond(),
            decision.looked,
            decision.parent.as_ref().map_or("", ItemId::as_str),
            spelled(&decision.names),
        ])?;
    }
    Ok(())
}

/// The decision about one item.
///
/// # Errors
/// Only the store's own.
pub fn get(connection: &Connection, class: Class, item: &ItemId) -> Result<Option<Decision>> {
    let mut statement = connection.prepare_cached(
        "SELECT item, outcome, rule, round, at, looked, parent, names FROM decision WHERE class = ?1 AND item = ?2",
    )?;
    statement
        .query_row([class.as_str(), item.as_str()], |row| Ok(from_row(class, row)))
        .optional()?
        .transpose()
}

/// The decisions about these items.
///
/// # Errors
/// Only the store's own.
pub fn of<'a>(
    connection: &Connection,
    class: Class,
    items: impl IntoIterator<Item = &'a ItemId>,
) -> Result<BTreeMap<ItemId, Decision>> {
    let mut found = BTreeMap::new();
    for item in items {
        found.extend(get(connection, class, item)?.map(|decision| (item.clone(), decision)));
    }
    Ok(found)
}

/// All decisions of a class, by item.
///
/// # Errors
/// Only the store's own.
pub fn all(connection: &Connection, class: Class) -> Result<BTreeMap<ItemId, Decision>> {
    let mut statement = connection.prepare_cached(
        "SELECT item, outcome, rule, round, at, looked, parent, names FROM decision WHERE class = ?1 ORDER BY item",
    )?;
    statement
        .query_and_then([class.as_str()], |row| {
            from_row(class, row).map(|decision| (decision.item.clone(), decision))
        })?
        .collect()
}

/// The messages that are not linked, and over which the last word is not spoken, or that are to be filed.
///
/// # Errors
/// Only the store's own.
pub fn open(connection: &Connection) -> Result<BTreeSet<ItemId>> {
    let mut statement = connection.prepare_cached(
        "SELECT item FROM decision INDEXED BY decision_open WHERE class = 'email' AND outcome <> 'skipped'
         AND NOT EXISTS (SELECT 1 FROM link WHERE link.class = 'email' AND link.item = decision.item)",
    )?;
    let rows = statement.query_map([], |row| Ok(ItemId::new(row.get::<_, String>(0)?)))?;
    Ok(rows.collect::<std::result::Result<_, _>>()?)
}

/// The messages that one of these digests concerns. It reads all digests, which are few bytes a message: to keep them in order
/// would cost more when messages are first seen than is ever saved.
///
/// # Errors
/// Only the store's own.
pub fn naming(connection: &Connection, digests: &BTreeSet<u32>) -> Result<BTreeSet<ItemId>> {
    let mut statement = connection.prepare_cached(
        "SELECT names, item FROM decision WHERE class = 'email' AND names <> x''",
    )?;
    let mut rows = statement.query([])?;
    let mut found = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let names = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        let (names, _) = names.as_chunks::<4>();
        if names.iter().any(|name| digests.contains(&u32::from_le_bytes(*name))) {
            found.insert(ItemId::new(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?));
        }
    }
    Ok(found)
}

/// Forgets the decisions about items that are gone.
///
/// # Errors
/// Only the store's own.
pub fn remove(tx: &Transaction<'_>, class: Class, items: &[ItemId]) -> Result<()> {
    let mut statement = tx.prepare_cached("DELETE FROM decision WHERE class = ?1 AND item = ?2")?;
    for item in items {
        statement.execute([class.as_str(), item.as_str()])?;
    }
    Ok(())
}

fn spelled(names: &[u32]) -> Vec<u8> {
    names.iter().flat_map(|name| name.to_le_bytes()).collect()
}

fn from_row(class: Class, row: &Row<'_>) -> Result<Decision> {
    let outcome: String = row.get(1)?;
    let names = row.get_ref(7)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(Decision {
        class,
        item: ItemId::new(row.get::<_, String>(0)?),
        outcome: Outcome::named(&outcome)?,
        rule: row.get(2)?,
        round: RoundId(row.get(3)?),
        at: read_moment(row.get(4)?)?,
        looked: row.get(5)?,
        names: names.as_chunks().0.iter().map(|name| u32::from_le_bytes(*name)).collect(),
        parent: Some(row.get::<_, String>(6)?).filter(|id| !id.is_empty()).map(ItemId::new),
    })
}
