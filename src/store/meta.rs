//! Named texts: whom the store belongs to, and facts that outlive a round.

use rusqlite::{Connection, OptionalExtension};

use super::error::Result;
use super::transaction::Transaction;

/// The organisation's id.
pub const ORGANISATION: &str = "organisation";
/// The CRM user's id.
pub const USER: &str = "user";
/// The mailbox's address.
pub const MAILBOX: &str = "mailbox";
/// The time zone of the CRM user's own settings, by its Windows name, when it was last told.
pub const ZONE: &str = "zone";

/// What this installation is to others of the same user, as it was last seen: JSON.
pub const LEASE: &str = "lease";
/// The id of this installation, where its state was made, and whether it gave up syncing: JSON.
pub const INSTANCE: &str = "instance";
/// What the user may do, as it was last told: JSON.
pub const STANDING: &str = "standing";
/// How many requests a day the user's licence allows, as it was last told.
pub const BUDGET: &str = "budget";
/// Why nothing can be synced until the user does something: JSON. Not there when nothing is wrong.
pub const MISMATCH: &str = "mismatch";
/// The organisation's metadata, as it was last told: JSON.
pub const METADATA: &str = "metadata";

/// The text under this key.
///
/// # Errors
/// Only the store's own.
pub fn get(connection: &Connection, key: &str) -> Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

/// Sets the text under this key.
///
/// # Errors
/// Only the store's own.
pub fn set(tx: &Transaction<'_>, key: &str, value: &str) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?;
    statement.execute([key, value])?;
    Ok(())
}

/// Forgets the text under this key.
///
/// # Errors
/// Only the store's own.
pub fn remove(tx: &Transaction<'_>, key: &str) -> Result<()> {
    tx.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([key])?;
    Ok(())
}
