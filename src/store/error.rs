//! What can go wrong with the store, and what the person can do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode, ffi};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The disk has no room left. Nothing was changed.
    Full,
    /// A newer version of the program wrote the store.
    Newer {
        /// The version of the store's layout.
        found: i64,
        /// The newest layout that this program knows.
        known: i64,
    },
    /// What stands in the file cannot be what was written.
    Corrupt,
    /// The file is a database of some other program.
    Foreign,
    /// Another process kept the store locked for too long.
    Busy,
    /// A row with this key is there already. The rest of the transaction stands.
    Exists,
    /// There is no such row, or it is past being changed.
    Missing,
    /// The program was told to stop at this point (see [`super::Probe`]), or is ending: whether the write took place
    /// is to be looked at.
    Stopped,
    /// The file or its folder cannot be reached, made or written.
    Io,
    /// A statement failed for another reason: a bug.
    Sql,
}

/// An error of the store: kind for the machine, sentence for the person, cause for the log. Holds no content.
#[derive(Debug)]
pub struct Error {
    pub kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), path: None, source: None }
    }

    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Names the file, unless one is named already.
    #[must_use]
    pub fn at(mut self, path: &Path) -> Self {
        self.path.get_or_insert_with(|| path.to_owned());
        self
    }

    /// The file concerned, where it is known.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What the person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self.kind {
            ErrorKind::Full => {
                Some("free some space and try again: everything done before is kept")
            }
            ErrorKind::Newer { .. } => Some(
                "install the newer version of Liaison again, or put back the copy that it made beside the store before it upgraded",
            ),
            ErrorKind::Corrupt => Some(
                "stop Liaison, keep the file for inspection under another name, and run `liaison rebuild`: links are found again on both sides",
            ),
            ErrorKind::Foreign => Some("choose another state directory"),
            ErrorKind::Busy => Some("another Liaison is at work: wait for it, or stop it"),
            ErrorKind::Io => {
                Some("check that the folder exists, is on a local disk and belongs to you")
            }
            ErrorKind::Exists | ErrorKind::Missing | ErrorKind::Stopped | ErrorKind::Sql => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "store {}: {}", path.display(), self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn std::error::Error + 'static))
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let (kind, message) = match error.sqlite_error() {
            Some(code) => classify(*code),
            None if is_unreadable(&error) => {
                (ErrorKind::Corrupt, "a value is not of the type that was written")
            }
            None => (ErrorKind::Sql, "a statement failed"),
        };
        Self::new(kind, message).caused_by(error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let (kind, message) = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                (ErrorKind::Full, "the disk is full")
            }
            _ => (ErrorKind::Io, "the file cannot be reached"),
        };
        Self::new(kind, message).caused_by(error)
    }
}

fn classify(error: ffi::Error) -> (ErrorKind, &'static str) {
    // The shared memory file beside the store could not be made longer: no room, though SQLite calls it an I/O error.
    if error.extended_code == ffi::SQLITE_IOERR_SHMSIZE {
        return (ErrorKind::Full, "the disk is full");
    }
    let is_key = matches!(
        error.extended_code,
        ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_ROWID
    );
    match error.code {
        ErrorCode::DiskFull => (ErrorKind::Full, "the disk is full"),
        ErrorCode::DatabaseCorrupt => (ErrorKind::Corrupt, "the file is damaged"),
        ErrorCode::NotADatabase => (ErrorKind::Corrupt, "the file is not a database"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            (ErrorKind::Busy, "the store is locked by another process")
        }
        ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::PermissionDenied
        | ErrorCode::ReadOnly => (ErrorKind::Io, "the file cannot be read or written"),
        ErrorCode::ConstraintViolation if is_key => {
            (ErrorKind::Exists, "a row with this key is there already")
        }
        _ => (ErrorKind::Sql, "a statement failed"),
    }
}

fn is_unreadable(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
    )
}
