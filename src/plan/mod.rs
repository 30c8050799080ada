//! What to do so that both sides say the same again. Pure: the same world gives the same plan.
//!
//! [`pair()`](pair::pair) finds what belongs together, [`decide`] says what becomes of each pair,
//! [`merge()`](merge::merge) works out the fields, [`guard()`](guard::guard) stops what a person should see first, and after the writes
//! [`settle()`](settle::settle) says what both sides now agree on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use uuid::Uuid;

use crate::model::fields::Direction;
use crate::model::{Address, Class, Content, Field, ItemId, Link, LinkId, Side, Value, Version};

pub mod decide;
pub mod guard;
pub mod merge;
pub mod operation;
pub mod pair;
pub mod patch;
pub mod rules;
pub mod settle;

pub use operation::{Action, Contest, Key, Merge, Reason, Step};
pub use rules::{ConflictPolicy, DeleteRule, OnLeave, Rules};

/// Everything a plan follows from.
#[derive(Debug, Clone)]
pub struct World {
    pub class: Class,
    pub organisation: Uuid,
    /// The address of the mailbox: part of the names of contacts and tasks.
    pub mailbox: Address,
    /// The user's own addresses, to tell an organiser from a guest.
    pub me: BTreeSet<Address>,
    pub now: Timestamp,
    /// What the mailbox holds. An id that is not in it was not looked at.
    pub items: BTreeMap<ItemId, Seen>,
    /// What the CRM holds: the records of the sync filter, and those of the links, looked at one by one.
    pub records: BTreeMap<ItemId, Seen>,
    /// The sides of which not everything was seen. Nothing new is made there: it may stand where we did not look.
    pub partial: BTreeSet<Side>,
    /// The items that take part, with the rule that says so.
    pub tracked: BTreeMap<ItemId, String>,
    pub links: Vec<Link>,
    /// What closed tasks said when they left the sync filter: that they were closed still goes to the mailbox.
    pub farewells: BTreeMap<ItemId, (Version, Content)>,
    /// What a person decided about contested fields; `None` empties the field.
    pub choices: BTreeMap<(LinkId, Field), Option<Value>>,
    /// What a person decided about things deleted on one side and changed on the other.
    pub verdicts: BTreeMap<LinkId, Verdict>,
}

/// What was seen of one item or record.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// It is there. `content` may be left out when `version` is the one its link was settled at.
    Here { version: Version, content: Option<Box<Content>> },
    /// It is gone, by positive evidence.
    Gone,
    /// It left the sync filter: there, but not ours to judge any more.
    Left,
    /// It could not be looked at: unreadable, forbidden, or listed in part only.
    Unseen,
}

/// A person's word on something deleted on one side and changed on the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Make it again where it was deleted.
    Restore,
    /// Delete it on the other side too.
    Delete,
}

/// The plan of one class: steps in a stable order, each about one thing.
pub fn plan(world: &World, rules: &Rules) -> Vec<Step> {
    if rules.direction == Direction::None {
        return Vec::new();
    }
    let pairs = pair::pair(world);
    let mut steps: Vec<Step> =
        pairs.linked.iter().filter_map(|linked| decide::linked(world, rules, linked)).collect();
    steps.extend(pairs.twins.iter().filter_map(|twins| decide::twins(world, rules, twins)));
    steps.extend(pairs.alone.iter().filter_map(|alone| decide::alone(world, rules, alone)));
    steps.extend(pairs.remnants.iter().filter_map(|row| decide::remnant(world, rules, row)));
    steps.sort_by(|one, two| (&one.record, &one.item).cmp(&(&two.record, &two.item)));
    steps
}

impl World {
    /// What was seen at `id`; what was not looked at is [`Seen::Unseen`].
    pub fn seen(&self, side: Side, id: &ItemId) -> &Seen {
        let map = match side {
            Side::Mailbox => &self.items,
            Side::Crm => &self.records,
        };
        map.get(id).unwrap_or(&Seen::Unseen)
    }

    /// A link by its number.
    pub fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.iter().find(|link| link.id == id)
    }

    /// The content at `id`, where it was read.
    pub fn content(&self, side: Side, id: &ItemId) -> Option<&Content> {
        match self.seen(side, id) {
            Seen::Here { content, .. } => content.as_deref(),
            Seen::Left => self.farewells.get(id).map(|(_, content)| content),
            Seen::Gone | Seen::Unseen => None,
        }
    }

    /// The version at `id`, where it was looked at.
    pub fn version(&self, side: Side, id: &ItemId) -> Option<&Version> {
        match self.seen(side, id) {
            Seen::Here { version, .. } => Some(version),
            Seen::Left => self.farewells.get(id).map(|(version, _)| version),
            Seen::Gone | Seen::Unseen => None,
        }
    }
}
