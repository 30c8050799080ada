//! Addresses that belong to several people, or to nobody yet: who may be meant, what the user chose, and which filed messages wait.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::record::{Candidate, PartyRef};
use crate::model::{Address, ItemId};

use super::encode::{read_moment, unreadable};
use super::error::{Error, ErrorKind, Result};
use super::transaction::Transaction;

/// Why it is not known whose an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It may be any of the candidates.
    Several,
    /// Nobody in the CRM has it, and a record may be made.
    New,
}

impl Kind {
    /// The word used in the store and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Several => "several",
            Self::New => "new",
        }
    }
}

/// What was chosen for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// It stays unresolved, for good.
    Nobody,
    Record(PartyRef),
}

const NOBODY: &str = "none";

impl Choice {
    fn to_text(&self) -> String {
        match self {
            Self::Nobody => NOBODY.to_owned(),
            Self::Record(party) => party.to_string(),
        }
    }

    fn read(text: &str) -> Result<Option<Self>> {
        match text {
            "" => Ok(None),
            NOBODY => Ok(Some(Self::Nobody)),
            record => {
                let party = PartyRef::parse(record).ok_or_else(|| unreadable("choice"))?;
                Ok(Some(Self::Record(party)))
            }
        }
    }
}

/// An address, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubt {
    pub address: Address,
    pub kind: Kind,
    pub choice: Option<Choice>,
    pub candidates: Vec<Candidate>,
    /// Filed messages that have it unresolved.
    pub waiting: u32,
    /// Those of them that the organisation does not let be changed.
    pub refused: u32,
    pub noted: Timestamp,
}

/// Filed messages that can be told whose an address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub address: Address,
    pub party: PartyRef,
    pub records: Vec<ItemId>,
}

/// Notes that an address belongs to several. A choice stays as long as it is among them.
///
/// # Errors
/// Only the store's own.
pub fn several(
    tx: &Transaction<'_>,
    address: &Address,
    candidates: &[Candidate],
    at: Timestamp,
) -> Result<()> {
    put(tx, address, Kind::Several, at)?;
    tx.prepare_cached("DELETE FROM candidate WHERE address = ?1")?.execute([address.as_str()])?;
    let mut statement =
        tx.prepare_cached("INSERT INTO candidate (address, record, name) VALUES (?1, ?2, ?3)")?;
    for candidate in candidates {
        let record = candidate.party.to_string();
        statement.execute(params![address.as_str(), record, candidate.name])?;
    }
    tx.prepare_cached(
        "UPDATE person SET choice = '' WHERE address = ?1 AND choice NOT IN ('', 'none')
         AND choice NOT IN (SELECT record FROM candidate WHERE address = ?1)",
    )?
    .execute([address.as_str()])?;
    Ok(())
}

/// Notes that nobody has an address.
///
/// # Errors
/// Only the store's own.
pub fn unknown(tx: &Transaction<'_>, address: &Address, at: Timestamp) -> Result<()> {
    put(tx, address, Kind::New, at)
}

fn put(tx: &Transaction<'_>, address: &Address, kind: Kind, at: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO person (address, kind, noted) VALUES (?1, ?2, ?3)
         ON CONFLICT (address) DO UPDATE SET kind = excluded.kind WHERE kind <> excluded.kind",
    )?
    .execute(params![address.as_str(), kind.as_str(), at.as_microsecond()])?;
    Ok(())
}

/// Chooses. What was refused before is tried again.
///
/// # Errors
/// [`ErrorKind::Missing`] when the address is not among those in doubt.
pub fn choose(tx: &Transaction<'_>, address: &Address, choice: &Choice) -> Result<()> {
    let changed = tx
        .prepare_cached("UPDATE person SET choice = ?2 WHERE address = ?1")?
        .execute([address.as_str(), &choice.to_text()])?;
    if changed == 0 {
        return Err(Error::new(ErrorKind::Missing, "this address is in no doubt"));
    }
    tx.prepare_cached("UPDATE unresolved SET refused = '' WHERE address = ?1")?
        .execute([address.as_str()])?;
    Ok(())
}

/// Notes that a filed message has an address unresolved.
///
/// # Errors
/// Only the store's own.
pub fn wait(tx: &Transaction<'_>, address: &Address, record: &ItemId) -> Result<()> {
    tx.prepare_cached("INSERT OR IGNORE INTO unresolved (address, record) VALUES (?1, ?2)")?
        .execute([address.as_str(), record.as_str()])?;
    Ok(())
}

/// A filed message waits no longer: it says who it is, or is gone.
///
/// # Errors
/// Only the store's own.
pub fn done(tx: &Transaction<'_>, address: &Address, record: &ItemId) -> Result<()> {
    tx.prepare_cached("DELETE FROM unresolved WHERE address = ?1 AND record = ?2")?
        .execute([address.as_str(), record.as_str()])?;
    Ok(())
}

/// A filed message stays as it is, for this reason.
///
/// # Errors
/// Only the store's own.
pub fn refused(
    tx: &Transaction<'_>,
    address: &Address,
    record: &ItemId,
    reason: &str,
) -> Result<()> {
    tx.prepare_cached("UPDATE unresolved SET refused = ?3 WHERE address = ?1 AND record = ?2")?
        .execute([address.as_str(), record.as_str(), reason])?;
    Ok(())
}

/// All addresses that are or were in doubt.
///
/// # Errors
/// Only the store's own.
pub fn all(connection: &Connection) -> Result<Vec<Doubt>> {
    let mut statement = connection.prepare_cached(
        "SELECT address, kind, choice, noted,
         (SELECT count(*) FROM unresolved WHERE unresolved.address = person.address),
         (SELECT count(*) FROM unresolved WHERE unresolved.address = person.address AND refused <> '')
         FROM person ORDER BY address",
    )?;
    let mut doubts: Vec<Doubt> = statement
        .query_and_then([], |row| {
            let (address, kind, choice): (String, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let kind = [Kind::Several, Kind::New].into_iter().find(|known| known.as_str() == kind);
            Ok(Doubt {
                address: Address::parse(&address).ok_or_else(|| unreadable("address"))?,
                kind: kind.ok_or_else(|| unreadable("kind"))?,
                choice: Choice::read(&choice)?,
                candidates: Vec::new(),
                waiting: row.get(4)?,
                refused: row.get(5)?,
                noted: read_moment(row.get(3)?)?,
            })
        })?
        .collect::<Result<_>>()?;
    let mut statement = connection.prepare_cached(
        "SELECT record, name FROM candidate WHERE address = ?1 ORDER BY name, record",
    )?;
    for doubt in &mut doubts {
        doubt.candidates = statement
            .query_and_then([doubt.address.as_str()], |row| {
                let record: String = row.get(0)?;
                let party = PartyRef::parse(&record).ok_or_else(|| unreadable("candidate"))?;
                Ok(Candidate { party, name: row.get(1)? })
            })?
            .collect::<Result<_>>()?;
    }
    Ok(doubts)
}

/// How many addresses belong to several people, and nobody chose.
///
/// # Errors
/// Only the store's own.
pub fn open(connection: &Connection) -> Result<u32> {
    let count = connection
        .prepare_cached("SELECT count(*) FROM person WHERE kind = 'several' AND choice = ''")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(count.unwrap_or_default())
}

/// What was chosen, by address.
///
/// # Errors
/// Only the store's own.
pub fn choices(connection: &Connection) -> Result<BTreeMap<Address, Option<Choice>>> {
    let mut statement = connection.prepare_cached("SELECT address, choice FROM person")?;
    statement
        .query_and_then([], |row| {
            let (address, choice): (String, String) = (row.get(0)?, row.get(1)?);
            let address = Address::parse(&address).ok_or_else(|| unreadable("address"))?;
            Ok((address, Choice::read(&choice)?))
        })?
        .collect()
}

/// What is left to be said to filed messages, now that somebody chose.
///
/// # Errors
/// Only the store's own.
pub fn assignments(connection: &Connection) -> Result<Vec<Assignment>> {
    let mut records = connection.prepare_cached(
        "SELECT record FROM unresolved WHERE address = ?1 AND refused = '' ORDER BY record",
    )?;
    let mut found = Vec::new();
    for (address, choice) in choices(connection)? {
        let Some(Choice::Record(party)) = choice else { continue };
        let records: Vec<ItemId> = records
            .query_and_then([address.as_str()], |row| Ok(ItemId::new(row.get::<_, String>(0)?)))?
            .collect::<Result<_>>()?;
        if !records.is_empty() {
            found.push(Assignment { address, party, records });
        }
    }
    Ok(found)
}
