//! What an answer means for an edit. Pure: the edit and what came back in, a verdict out. An edit whose fate is not known is
//! looked at, never repeated; a colleague's value is never overwritten, and the user's never lost.

use crate::connector::records::{Found, Outcome};
use crate::connector::{Error, ErrorKind, Result};
use crate::model::row::{Edits, same};
use crate::plan::patch::{self, Collision};
use crate::store::replica::outbox::{Edit, Kind};

/// What becomes of an edit.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// It is there, in this version.
    There { version: String },
    /// The row is gone, as it should be.
    Gone,
    /// The row is there already and says so, perhaps with what colleagues added: nothing is to be written.
    Agreed { found: Found, collisions: Vec<Collision> },
    /// What is left of it goes out again, made on what stands there now.
    Again { found: Found, rest: Edits, collisions: Vec<Collision> },
    /// It had no effect, and may be sent as it is.
    Unsent,
    /// The row must be looked at before anything else.
    Look,
    /// A person has to say what becomes of it. `version` is the one that was seen, if that is new.
    Park { reason: String, found: Option<Found> },
}

/// What the answer to a write means.
pub fn written(edit: &Edit, answer: Result<Outcome>) -> Verdict {
    let error = match answer {
        Ok(Outcome::Written(version)) => return Verdict::There { version },
        Ok(Outcome::Deleted) => return Verdict::Gone,
        Ok(Outcome::Read(_)) => return Verdict::Look,
        Err(error) => error,
    };
    match error.kind {
        ErrorKind::Missing if edit.kind == Kind::Delete => Verdict::Gone,
        ErrorKind::Stale | ErrorKind::Exists | ErrorKind::Missing => Verdict::Look,
        kind if kind.leaves_open() || kind == ErrorKind::Malformed => Verdict::Look,
        ErrorKind::Throttled(_) | ErrorKind::Unauthorised => Verdict::Unsent,
        _ => park(&error),
    }
}

/// What a look at the row means for an edit that waits for it.
pub fn looked(edit: &Edit, answer: Result<Outcome>) -> Verdict {
    let found = match answer {
        Ok(Outcome::Read(found)) => found,
        Ok(Outcome::Written(_) | Outcome::Deleted) => return Verdict::Look,
        Err(error) => return unseen(edit, &error),
    };
    match edit.kind {
        // Nobody else makes a row of this id: it is ours, whatever was done to it since.
        Kind::Create => Verdict::Agreed { found, collisions: Vec::new() },
        Kind::Delete if found.version == edit.version => Verdict::Unsent,
        Kind::Delete => Verdict::Park {
            reason: "a colleague changed it after you deleted it".to_owned(),
            found: Some(found),
        },
        Kind::Update if found.version == edit.version => Verdict::Unsent,
        Kind::Update => {
            let merged = patch::merge(&edit.edits, &found.values);
            match merged.rest.is_empty() {
                true => Verdict::Agreed { found, collisions: merged.collisions },
                false => {
                    Verdict::Again { found, rest: merged.rest, collisions: merged.collisions }
                }
            }
        }
    }
}

fn unseen(edit: &Edit, error: &Error) -> Verdict {
    match (error.kind, edit.kind) {
        (ErrorKind::Missing, Kind::Create) => Verdict::Unsent,
        (ErrorKind::Missing, Kind::Delete) => Verdict::Gone,
        (ErrorKind::Missing, Kind::Update) => Verdict::Park {
            reason: "a colleague deleted the record that you changed".to_owned(),
            found: None,
        },
        (ErrorKind::Throttled(_) | ErrorKind::Unauthorised, _) => Verdict::Look,
        (kind, _) if kind.leaves_open() => Verdict::Look,
        _ => park(error),
    }
}

fn park(error: &Error) -> Verdict {
    let said = std::error::Error::source(error).map(|said| format!(": {said}"));
    Verdict::Park { reason: format!("{}{}", error.message, said.unwrap_or_default()), found: None }
}

/// Whether a row that was found says all that an edit says: then edits of the same row that were made on it may follow.
pub fn says(found: &Found, edits: &Edits) -> bool {
    edits.iter().all(|(column, change)| {
        same(found.values.get(column).unwrap_or(&serde_json::Value::Null), &change.ours)
    })
}
