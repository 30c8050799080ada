//! Working with rows of the CRM, with it or without: a copy of what the user chose ([`replica`]), what was entered ([`outbox`]),
//! both together as the user sees them ([`view`]), and how what was entered gets there ([`mod@replay`]). It is apart from the
//! sync of the mailbox: neither waits for the other. It must not know SQL, the wire or the terminal.

use crate::connector;
use crate::store;

/// The rows of one organisation, from wherever they can be had.
pub mod desk;
/// From what a person writes to values that a table takes.
pub mod edit;
/// What the copy holds, and when it is brought up to date.
pub mod filters;
/// Entering edits, and what a person does about those that wait.
pub mod outbox;
/// Sending what waits, and settling what came of it.
pub mod replay;
/// Bringing the copy up to date.
pub mod replica;
/// Words and the rows that have them.
pub mod search;
/// The copy with what was entered over it.
pub mod view;

pub use desk::Desk;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Crm(#[from] connector::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What was asked for cannot be done as it was asked for.
    #[error("{message}")]
    Refused { message: String, hint: String },
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal with its next step.
pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Refused { message: message.into(), hint: hint.into() }
}
