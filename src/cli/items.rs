//! How many items the mailbox has, and what was decided about each: every item is counted once.

use std::collections::BTreeMap;

use super::output::count;
use crate::model::Class;
use crate::store::tally::{self, Place};
use crate::store::{self, Connection};

/// The rule by which a message that is in the CRM is counted among those left out.
const UNTRACKED: &str = "you untracked it";

/// Every item of the mailbox, in exactly one of these.
#[derive(Debug, Clone, Default)]
pub(super) struct Items {
    pub(super) all: usize,
    pub(super) tracked: usize,
    pub(super) skipped: BTreeMap<String, usize>,
    pub(super) aside: usize,
    pub(super) pending: usize,
}

impl Items {
    /// Counts them.
    ///
    /// # Errors
    /// When the store is lost.
    pub(super) fn read(db: &Connection, class: Class) -> store::Result<Self> {
        let mut items = Self::default();
        for (place, number) in tally::count(db, class)? {
            items.all += number;
            match place {
                Place::Tracked => items.tracked += number,
                Place::Skipped(rule) => *items.skipped.entry(rule).or_default() += number,
                // The link rests, both sides keep what they have.
                Place::Untracked => {
                    *items.skipped.entry(UNTRACKED.to_owned()).or_default() += number;
                }
                Place::Aside => items.aside += number,
                Place::Pending => items.pending += number,
            }
        }
        Ok(items)
    }

    /// What the numbers come to.
    pub(super) fn sentence(&self) -> String {
        let mut parts = vec![format!("{} tracked", self.tracked)];
        parts
            .extend(self.skipped.iter().map(|(rule, number)| format!("{number} skipped ({rule})")));
        for (number, word) in [(self.aside, "set aside"), (self.pending, "not decided")] {
            if number > 0 {
                parts.push(format!("{number} {word}"));
            }
        }
        format!("{} = {}", count(self.all, "message"), parts.join(" + "))
    }
}
