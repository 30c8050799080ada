//! Rows of the journal for writes that no plan stands behind: keywords, what a message is about, whose an address is. They
//! change no field, so that there is nothing that `undo` could bring back.

use crate::connector::{self, ErrorKind};
use crate::model::{Class, ItemId, Patch, Side};
use crate::store::journal::{Action, Answer, Intent, Outcome};

/// What is about to be done to a message, or to the record of one.
pub(super) fn intent(side: Side, action: Action, id: &ItemId, why: String, key: String) -> Intent {
    let (item, record) = match side {
        Side::Mailbox => (Some(id.clone()), None),
        Side::Crm => (None, Some(id.clone())),
    };
    Intent {
        class: Class::Email,
        link: None,
        item,
        record,
        uid: None,
        side,
        action,
        why,
        before: None,
        patch: Patch::new(),
        expect: None,
        key,
    }
}

/// What came of it, as far as the result says.
pub(super) fn answer<T>(result: &connector::Result<T>) -> Answer {
    let outcome = match result {
        Ok(_) => Outcome::Done,
        Err(error) if error.kind == ErrorKind::Unreachable => Outcome::Unknown,
        Err(_) => Outcome::Refused,
    };
    let error = result.as_ref().err().map(ToString::to_string);
    Answer { outcome, id: None, after: None, version: None, error }
}
