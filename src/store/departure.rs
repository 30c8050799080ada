//! Leaving an organisation for another: what was learnt of the old one is forgotten, in one transaction.
//!
//! What stays is the user's own: marks on items of the mailbox, which keyword they were seen with, mails that were sent, and all
//! history. What goes is looked up again: what both sides hold, what belongs together, what the rules decided, whom addresses
//! belong to, and what was to be about records that are not there any more.

use jiff::Timestamp;
use rusqlite::Connection;

use super::error::Result;
use super::transaction::Transaction;
use super::{meta, outgoing};
use crate::model::Class;

/// Everything that follows from one organisation and can be looked up again.
const FORGOTTEN: &[&str] = &[
    "base",
    "link",
    "observation",
    "cursor",
    "decision",
    "held",
    "hold",
    "approval",
    "quarantine",
    "settled",
    "fingerprint",
    "unresolved",
    "candidate",
    "person",
    "regarding",
    // Last: what goes leaves its names here.
    "touched",
];

/// What is said of the mailbox and of this installation, whatever the organisation.
const OURS: [&str; 2] = [meta::MAILBOX, meta::INSTANCE];

/// How many pairs of a class would be released.
///
/// # Errors
/// Only the store's own.
pub fn pairs(connection: &Connection, class: Class) -> Result<u32> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM link WHERE class = ?1")?;
    Ok(statement.query_row([class.as_str()], |row| row.get(0))?)
}

/// How many mails are on their way, or may be: they belong to the organisation that wants them sent.
///
/// # Errors
/// Only the store's own.
pub fn mails(connection: &Connection) -> Result<usize> {
    let (unknown, waiting) = outgoing::waiting(connection)?;
    Ok(unknown + waiting)
}

/// Forgets the organisation.
///
/// # Errors
/// Only the store's own.
pub fn leave(tx: &Transaction<'_>, at: Timestamp) -> Result<()> {
    // The values that lost stay in the list; nobody can be asked any more.
    tx.execute("UPDATE conflict SET settled = ?1 WHERE settled = -1", [at.as_microsecond()])?;
    tx.execute("UPDATE conflict SET choice = ''", [])?;
    tx.execute(
        "UPDATE journal SET outcome = 'parked', error = 'the organisation was changed before this was known'
         WHERE outcome IN ('intended', 'unknown')",
        [],
    )?;
    for table in FORGOTTEN {
        tx.execute(&format!("DELETE FROM {table}"), [])?;
    }
    // Which folders refuse keywords is a fact of the mailbox, too.
    tx.execute("DELETE FROM meta WHERE key NOT IN (?1, ?2) AND key NOT LIKE 'keywords/%'", OURS)?;
    Ok(())
}
