//! What messages are about, by the user's word.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::model::Uid;
use crate::model::record::PartyRef;

use super::encode::unreadable;
use super::error::Result;
use super::transaction::Transaction;

/// The user's word on one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// `None`: it is about nothing.
    pub target: Option<PartyRef>,
    /// Whether the record says so.
    pub done: bool,
}

/// Records what a message is about. The last word counts.
///
/// # Errors
/// Only the store's own.
pub fn set(
    tx: &Transaction<'_>,
    uid: &Uid,
    target: Option<&PartyRef>,
    at: Timestamp,
) -> Result<()> {
    let target = target.map(ToString::to_string).unwrap_or_default();
    tx.prepare_cached(
        "INSERT INTO regarding (uid, target, at) VALUES (?1, ?2, ?3)
         ON CONFLICT (uid) DO UPDATE SET target = excluded.target, at = excluded.at, done = 0",
    )?
    .execute(params![uid.as_str(), target, at.as_microsecond()])?;
    Ok(())
}

/// The record says so, unless the user has said something else meanwhile.
///
/// # Errors
/// Only the store's own.
pub fn done(tx: &Transaction<'_>, uid: &Uid, target: Option<&PartyRef>) -> Result<()> {
    let target = target.map(ToString::to_string).unwrap_or_default();
    tx.prepare_cached("UPDATE regarding SET done = 1 WHERE uid = ?1 AND target = ?2 AND done = 0")?
        .execute(params![uid.as_str(), target])?;
    Ok(())
}

/// All of them.
///
/// # Errors
/// Only the store's own.
pub fn all(connection: &Connection) -> Result<BTreeMap<Uid, Wish>> {
    let mut statement = connection.prepare_cached("SELECT uid, target, done FROM regarding")?;
    statement.query_and_then([], wish)?.collect()
}

fn wish(row: &Row<'_>) -> Result<(Uid, Wish)> {
    let target: String = row.get(1)?;
    let target = if target.is_empty() {
        None
    } else {
        Some(PartyRef::parse(&target).ok_or_else(|| unreadable("regarding"))?)
    };
    Ok((Uid::new(row.get::<_, String>(0)?), Wish { target, done: row.get(2)? }))
}
