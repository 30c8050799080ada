//! Who takes part: copies are set aside, and every unlinked item gets a decision, which is stored. Messages: [`super::sift`].

use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::stock::{Assembly, Stock};
use crate::filter::{self, Mark};
use crate::model::{Class, ItemId, Side, Uid, Version};
use crate::plan::Seen;
use crate::store;
use crate::store::decision::{self, Decision, Outcome};
use crate::store::observation;
use crate::store::quarantine::{self, Failure};
use crate::store::round::RoundId;

/// Copies are not set aside as a version that failed: whether an item is one depends on another, and is looked at each time.
const COPY_OF: &str = "copy of ";

fn copy_of(keeper: &ItemId) -> Version {
    Version::new(format!("{COPY_OF}{keeper}"))
}

impl Engine {
    /// Two items with one global name are one thing twice. The linked one, else the first, goes on; the others wait.
    pub(super) async fn set_copies_aside(
        &self,
        class: Class,
        seen: &mut Assembly,
        stored: &Stock,
    ) -> store::Result<()> {
        let linked: BTreeSet<&ItemId> = stored.links.iter().map(|link| &link.item).collect();
        let mut by_uid: BTreeMap<&Uid, Vec<&ItemId>> = BTreeMap::new();
        for (id, head) in &seen.heads {
            if let Some(uid) = &head.uid {
                by_uid.entry(uid).or_default().push(id);
            }
        }
        let mut copies: BTreeMap<ItemId, ItemId> = BTreeMap::new();
        for ids in by_uid.values() {
            let keeper = ids.iter().find(|id| linked.contains(**id)).or(ids.first());
            let Some(keeper) = keeper else { continue };
            let others = ids.iter().filter(|id| *id != keeper);
            copies.extend(others.map(|id| ((*id).clone(), (*keeper).clone())));
        }
        for id in copies.keys() {
            seen.heads.remove(id);
            if linked.contains(id) {
                seen.items.insert(id.clone(), Seen::Unseen);
            } else {
                seen.items.remove(id);
            }
        }
        // Several copies of one message (in several folders) are ordinary.
        if class == Class::Email { Ok(()) } else { self.note_copies(class, &copies, stored).await }
    }

    /// Lists the copies with their reasons, and takes those from the list that are none any more.
    async fn note_copies(
        &self,
        class: Class,
        copies: &BTreeMap<ItemId, ItemId>,
        stored: &Stock,
    ) -> store::Result<()> {
        let noted = |id: &ItemId| stored.quarantined.get(&(Side::Mailbox, id.clone()));
        let fresh: Vec<Failure> = copies
            .iter()
            .filter(|(id, keeper)| noted(id) != Some(&copy_of(keeper)))
            .map(|(id, keeper)| Failure {
                side: Side::Mailbox,
                class,
                id: id.clone(),
                version: copy_of(keeper),
                reason: format!("it has the same UID as {keeper}"),
                hint: Some("delete one of the two, or give it a UID of its own".to_owned()),
            })
            .collect();
        let over: Vec<ItemId> = stored
            .quarantined
            .iter()
            .filter(|((side, id), version)| {
                *side == Side::Mailbox
                    && version.as_str().starts_with(COPY_OF)
                    && !copies.contains_key(id)
            })
            .map(|((_, id), _)| id.clone())
            .collect();
        if fresh.is_empty() && over.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        self.store
            .write(move |tx| {
                quarantine::remove(tx, Side::Mailbox, class, &over)?;
                for failure in &fresh {
                    quarantine::put(tx, failure, now, |_| None)?;
                }
                Ok(())
            })
            .await
    }

    /// Decides which unlinked items take part, and stores the decisions. Items that do not, and are private, are left out.
    /// Messages were sifted before.
    pub(super) async fn decide(
        &self,
        class: Class,
        round: RoundId,
        seen: &mut Assembly,
        stored: &Stock,
    ) -> store::Result<BTreeMap<ItemId, String>> {
        let tracking = self.class(class).tracking;
        let linked: BTreeSet<&ItemId> = stored.links.iter().map(|link| &link.item).collect();
        let free: Vec<ItemId> =
            seen.heads.keys().filter(|id| !linked.contains(id)).cloned().collect();
        let contents = self
            .store
            .read(move |db| observation::contents(db, Side::Mailbox, class, &free))
            .await?;
        let (mut tracked, mut decisions) = (BTreeMap::new(), Vec::new());
        for (id, content) in &contents {
            let mark = mark(stored.marks.get(&content.uid));
            let decided = filter::track::decide(class, content, mark, &tracking);
            let outcome = if decided.tracked { Outcome::Tracked } else { Outcome::Skipped };
            if stored
                .decisions
                .get(id)
                .is_none_or(|old| old.outcome != outcome || old.rule != decided.rule)
            {
                let (item, rule, at) = (id.clone(), decided.rule.clone(), self.clock.now());
                let looked = String::new();
                decisions.push(Decision {
                    class,
                    item,
                    outcome,
                    rule,
                    looked,
                    parent: None,
                    names: Vec::new(),
                    round,
                    at,
                });
            }
            if decided.tracked {
                tracked.insert(id.clone(), decided.rule);
            } else if content.traits.private && !tracking.include_private {
                seen.items.remove(id);
            }
        }
        if !decisions.is_empty() {
            self.store.write(move |tx| decision::upsert(tx, &decisions)).await?;
        }
        seen.fill_in(contents);
        Ok(tracked)
    }
}

/// The user's own word.
pub(super) fn mark(tracked: Option<&bool>) -> Option<Mark> {
    tracked.map(|tracked| if *tracked { Mark::Tracked } else { Mark::Untracked })
}
