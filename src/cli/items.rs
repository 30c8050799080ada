//! How many items the mailbox has, and what was decided about each: every item is counted once.

use std::collections::{BTreeMap, BTreeSet};

use super::output::count;
use crate::model::{Class, ItemId, Side};
use crate::store::decision::{self, Outcome};
use crate::store::{self, Connection, mark, observation, quarantine};

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
    pub(super) fn read(
        db: &Connection,
        class: Class,
        linked: &BTreeSet<ItemId>,
    ) -> store::Result<Self> {
        let decisions = decision::all(db, class)?;
        let marks = mark::all(db, class)?;
        let mut items = Self::default();
        for (id, head) in observation::heads(db, Side::Mailbox, class)? {
            items.all += 1;
            let marked = head.uid.as_ref().and_then(|uid| marks.get(uid)).copied();
            match decisions.get(&id) {
                _ if head.problem.is_some() => items.aside += 1,
                // The user's word came after the last round.
                Some(decision)
                    if marked.is_some_and(|tracked| {
                        tracked != (decision.outcome == Outcome::Tracked)
                    }) && !linked.contains(&id) =>
                {
                    items.pending += 1;
                }
                // The link rests, both sides keep what they have.
                _ if linked.contains(&id) && marked == Some(false) => {
                    *items.skipped.entry(UNTRACKED.to_owned()).or_default() += 1;
                }
                _ if linked.contains(&id) => items.tracked += 1,
                Some(decision) => match decision.outcome {
                    Outcome::Tracked => items.tracked += 1,
                    Outcome::Skipped => {
                        *items.skipped.entry(decision.rule.clone()).or_default() += 1;
                    }
                    Outcome::Failed => items.aside += 1,
                    Outcome::Pending => items.pending += 1,
                },
                None if quarantine::get(db, Side::Mailbox, class, &id)?.is_some() => {
                    items.aside += 1;
                }
                None => items.pending += 1,
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
