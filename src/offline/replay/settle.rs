//! What an answer means for an edit. Pure: the edit and what came back in, a verdict out. An edit whose fate is not known is
//! looked at, never repeated; a colleague's value is never overwritten, and the user's never lost.

use serde_json::Value as Json;

use crate::connector::records::{Column, Definition, Found, Kind as Kinds, Outcome};
use crate::connector::{Error, ErrorKind, Result};
use crate::model::row::{Edits, Values, same};
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
            let (rest, collisions) = (merged.rest, merged.collisions);
            if rest.is_empty() {
                Verdict::Agreed { found, collisions }
            } else {
                Verdict::Again { found, rest, collisions }
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
    edits.iter().all(|(column, change)| agree(found.values.get(column), Some(&change.ours)))
}

/// Whether all that an edit changes is still what it was made on.
pub fn stands(edits: &Edits, values: &Values) -> bool {
    edits.iter().all(|(column, change)| agree(values.get(column), Some(&change.base)))
}

/// Whether nobody changed anything of a row since it was seen that people can change. What a new row says besides what it was made
/// with, the service may have filled in; it makes no texts.
pub fn is_untouched(definition: &Definition, is_new: bool, seen: &Values, found: &Values) -> bool {
    let counts =
        |column: &Column| column.update && (!is_new || matches!(column.kind, Kinds::Text { .. }));
    let columns = definition.columns.iter().filter(|(_, column)| counts(column));
    columns.map(|(name, _)| name).all(|name| agree(seen.get(name), found.get(name)))
}

fn agree(one: Option<&Json>, other: Option<&Json>) -> bool {
    same(one.unwrap_or(&Json::Null), other.unwrap_or(&Json::Null))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use serde_json::{Value as Json, json};
    use uuid::Uuid;

    use super::*;
    use crate::model::RowId;
    use crate::model::row::{Change, Values};
    use crate::store::replica::outbox::State;

    fn edit(kind: Kind) -> Edit {
        let change = Change { base: json!("old"), ours: json!("ours") };
        Edit {
            number: 1,
            row: RowId::new("contact", Uuid::nil()),
            kind,
            version: "1".to_owned(),
            edits: Edits::from([("jobtitle".to_owned(), change)]),
            name: String::new(),
            state: State::Look,
            attempts: 1,
            reason: String::new(),
            entered: Timestamp::UNIX_EPOCH,
        }
    }

    fn found(version: &str, job: &Json) -> Outcome {
        let values = Values::from([("jobtitle".to_owned(), job.clone())]);
        Outcome::Read(Found { id: Uuid::nil(), version: version.to_owned(), values })
    }

    fn word(verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::There { .. } => "there",
            Verdict::Gone => "gone",
            Verdict::Agreed { collisions, .. } if collisions.is_empty() => "agreed",
            Verdict::Agreed { .. } => "contested",
            Verdict::Again { .. } => "again",
            Verdict::Unsent => "unsent",
            Verdict::Look => "look",
            Verdict::Park { .. } => "parked",
        }
    }

    #[test]
    fn an_answer_that_leaves_it_open_is_looked_up_and_never_repeated() {
        let refused = |kind| Err(Error::new(kind, "no"));
        for (kind, error, expected) in [
            (Kind::Create, ErrorKind::Unreachable, "look"),
            (Kind::Update, ErrorKind::Failing, "look"),
            (Kind::Update, ErrorKind::Malformed, "look"),
            (Kind::Create, ErrorKind::Exists, "look"),
            (Kind::Update, ErrorKind::Stale, "look"),
            (Kind::Update, ErrorKind::Missing, "look"),
            (Kind::Delete, ErrorKind::Stale, "look"),
            (Kind::Delete, ErrorKind::Missing, "gone"),
            (Kind::Update, ErrorKind::Throttled(Duration::ZERO), "unsent"),
            (Kind::Update, ErrorKind::Unauthorised, "unsent"),
            (Kind::Update, ErrorKind::Forbidden, "parked"),
            (Kind::Create, ErrorKind::Rejected, "parked"),
        ] {
            let verdict = written(&edit(kind), refused(error));
            assert_eq!(word(&verdict), expected, "{kind:?} {error:?}");
        }
    }

    #[test]
    fn a_look_decides_from_what_is_there() {
        let missing = || Err(Error::new(ErrorKind::Missing, "no"));
        let (old, ours, theirs) = (json!("old"), json!("ours"), json!("theirs"));
        for (kind, answer, expected) in [
            (Kind::Create, missing(), "unsent"),
            (Kind::Create, Ok(found("7", &theirs)), "agreed"),
            (Kind::Update, Ok(found("1", &old)), "unsent"),
            (Kind::Update, Ok(found("2", &old)), "again"),
            (Kind::Update, Ok(found("2", &ours)), "agreed"),
            (Kind::Update, Ok(found("2", &theirs)), "contested"),
            (Kind::Update, missing(), "parked"),
            (Kind::Delete, Ok(found("1", &old)), "unsent"),
            (Kind::Delete, Ok(found("2", &old)), "parked"),
            (Kind::Delete, missing(), "gone"),
            (Kind::Update, Err(Error::new(ErrorKind::Unreachable, "no")), "look"),
            (Kind::Update, Err(Error::new(ErrorKind::Forbidden, "no")), "parked"),
        ] {
            let told = format!("{kind:?} {answer:?}");
            assert_eq!(word(&looked(&edit(kind), answer)), expected, "{told}");
        }
    }

    #[test]
    fn later_edits_follow_only_where_nobody_changed_anything() {
        let column =
            |kind| Column { kind, create: true, update: true, read: true, required: false };
        let columns = [
            ("jobtitle", column(Kinds::Text { max: None })),
            ("telephone1", column(Kinds::Text { max: None })),
            ("statecode", column(Kinds::Boolean)),
        ];
        let definition = Definition {
            logical: "contact".to_owned(),
            set: "contacts".to_owned(),
            id: "contactid".to_owned(),
            name: "fullname".to_owned(),
            versioned: true,
            columns: columns.map(|(name, column)| (name.to_owned(), column)).into(),
        };
        let says = |values: &[(&str, Json)]| -> Values {
            values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
        };
        let seen = says(&[("jobtitle", json!("old"))]);
        let filled = says(&[("jobtitle", json!("old")), ("statecode", json!(false))]);
        let theirs = says(&[("jobtitle", json!("old")), ("telephone1", json!("7"))]);
        for (is_new, found, expected) in [
            (false, &seen, true),
            (false, &filled, false),
            (true, &filled, true),
            (true, &theirs, false),
            (false, &theirs, false),
        ] {
            assert_eq!(is_untouched(&definition, is_new, &seen, found), expected, "{found:?}");
        }
        let edits = edit(Kind::Update).edits;
        assert!(stands(&edits, &theirs));
        assert!(!stands(&edits, &says(&[("jobtitle", json!("theirs"))])));
    }
}
