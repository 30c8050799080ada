//! Transactions, by statements that are prepared once a connection: a round begins and ends hundreds of them.

use std::ops::Deref;

use rusqlite::Connection;

use super::error::Result;

/// What is done in it is kept together, or not at all: it is taken back unless it is committed.
#[derive(Debug)]
pub struct Transaction<'c> {
    connection: &'c Connection,
}

impl<'c> Transaction<'c> {
    /// One that reads: from one state of the store.
    ///
    /// # Errors
    /// Only the store's own.
    pub fn reading(connection: &'c mut Connection) -> Result<Self> {
        Self::begin(connection, "BEGIN")
    }

    /// One that writes, and has its turn when this returns: one that reads first and writes later can fail with no way to wait.
    ///
    /// # Errors
    /// When others write for too long.
    pub fn writing(connection: &'c mut Connection) -> Result<Self> {
        Self::begin(connection, "BEGIN IMMEDIATE")
    }

    fn begin(connection: &'c Connection, how: &str) -> Result<Self> {
        connection.prepare_cached(how)?.execute([])?;
        Ok(Self { connection })
    }

    /// Keeps what was done.
    ///
    /// # Errors
    /// When it cannot be kept: then it is taken back.
    pub fn commit(self) -> Result<()> {
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    fn take_back(&self) -> rusqlite::Result<()> {
        // Some errors take it back by themselves.
        if !self.connection.is_autocommit() {
            self.connection.prepare_cached("ROLLBACK")?.execute([])?;
        }
        Ok(())
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.take_back() {
            tracing::warn!(%error, "a transaction could not be taken back");
        }
    }
}
