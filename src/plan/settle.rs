//! What both sides agree on after the writes of a merge. Only what was read back counts.

use super::operation::Merge;
use crate::model::{Bases, Field, Fields};

/// One side after the writes.
#[derive(Debug, Clone, Copy)]
pub struct After<'a> {
    /// What the side said before.
    pub before: &'a Fields,
    /// What was read back after the write; `None` where nothing was written or the write failed.
    pub written: Option<&'a Fields>,
}

impl<'a> After<'a> {
    fn now(self) -> &'a Fields {
        self.written.unwrap_or(self.before)
    }
}

/// The new agreement.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    pub bases: Bases,
    /// Nothing is left to settle with this side as it stands: its version may be remembered.
    pub item: bool,
    pub record: bool,
}

/// Works out the agreement after a merge.
///
/// A written field joins both bases: on the source as it was read, on the target as it was *read back*, so that a side which
/// keeps less than it was given does not seem to have changed it. What else moved on the target while we wrote (a plug-in) is
/// not in the base and comes over in the next round.
pub fn settle(bases: &Bases, merge: &Merge, item: After<'_>, record: After<'_>) -> Settled {
    let mut new = bases.clone();
    for field in &merge.settled {
        copy(&mut new.item, item.before, field);
        copy(&mut new.record, record.before, field);
    }
    if let (Some(change), Some(written)) = (&merge.to_record, record.written) {
        for field in change.patch.keys() {
            copy(&mut new.item, item.before, field);
            copy(&mut new.record, written, field);
        }
    }
    if let (Some(change), Some(written)) = (&merge.to_item, item.written) {
        for field in change.patch.keys() {
            copy(&mut new.item, written, field);
            let wrote_both = record.written.is_some()
                && merge.to_record.as_ref().is_some_and(|other| other.patch.contains_key(field));
            if !wrote_both {
                copy(&mut new.record, record.before, field);
            }
        }
    }
    Settled { item: new.item == *item.now(), record: new.record == *record.now(), bases: new }
}

fn copy(base: &mut Fields, from: &Fields, field: &Field) {
    match from.get(field) {
        Some(value) => base.insert(field.clone(), value.clone()),
        None => base.remove(field),
    };
}
