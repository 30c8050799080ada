//! What a round did to one thing on one side, all its writes taken together. Pure: from journal rows to what is to be taken back.

use std::collections::{BTreeMap, BTreeSet};

use crate::connector::{self, ErrorKind};
use crate::model::{Class, Field, Fields, ItemId, Patch, RecordId, Side, Table, Version};
use crate::store::journal::{self, Action, Entry, EntryId};

/// All that a round did to one thing on one side, taken together.
#[derive(Debug, Clone)]
pub(super) struct Net {
    pub class: Class,
    pub side: Side,
    pub id: ItemId,
    pub effect: Effect,
    pub item: Option<ItemId>,
    pub record: Option<ItemId>,
    /// What stood there before the round, as far as it is known.
    pub before: Fields,
    /// The fields that the round changed.
    pub changed: BTreeSet<Field>,
    /// What the round left there.
    pub version: Option<Version>,
    /// The last of its writes.
    pub last: EntryId,
}

/// What the writes came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Created,
    Updated,
    Deleted,
}

/// What the writes of a round come to. What was made and deleted again in one round is nothing.
pub(super) fn net(entries: Vec<Entry>) -> Vec<Net> {
    let mut nets: BTreeMap<(Class, Side, ItemId), Net> = BTreeMap::new();
    let done = |entry: &Entry| entry.outcome == journal::Outcome::Done;
    for entry in entries.into_iter().filter(done) {
        let effect = match entry.intent.action {
            Action::Create => Effect::Created,
            Action::Update => Effect::Updated,
            Action::Delete => Effect::Deleted,
            Action::Mark => continue,
        };
        let id = match entry.intent.side {
            Side::Mailbox => entry.intent.item.clone(),
            Side::Crm => entry.intent.record.clone(),
        };
        let Some(id) = id else { continue };
        let key = (entry.intent.class, entry.intent.side, id.clone());
        let Some(net) = nets.get_mut(&key) else {
            nets.insert(key, Net::of(entry, id, effect));
            continue;
        };
        match (net.effect, effect) {
            (Effect::Created, Effect::Deleted) => {
                nets.remove(&key);
            }
            (Effect::Created, Effect::Created | Effect::Updated) => {
                net.go_on(entry, Effect::Created);
            }
            (Effect::Updated, effect) => net.go_on(entry, effect),
            (Effect::Deleted, Effect::Deleted) => net.go_on(entry, Effect::Deleted),
            // Made anew under the old name: to bring back the old one would be to replace this one.
            (Effect::Deleted, Effect::Created | Effect::Updated) => net.version = None,
        }
    }
    nets.into_values().collect()
}

impl Net {
    fn of(entry: Entry, id: ItemId, effect: Effect) -> Self {
        Self {
            class: entry.intent.class,
            side: entry.intent.side,
            id,
            effect,
            item: entry.intent.item,
            record: entry.intent.record,
            before: entry.intent.before.unwrap_or_default(),
            changed: entry.intent.patch.into_keys().collect(),
            version: entry.version,
            last: entry.id,
        }
    }

    fn go_on(&mut self, entry: Entry, effect: Effect) {
        self.effect = effect;
        self.changed.extend(entry.intent.patch.into_keys());
        self.version = entry.version;
        self.last = entry.id;
    }

    /// Where it is, for the person.
    pub(super) fn place(&self) -> &'static str {
        match self.side {
            Side::Mailbox => "the mailbox",
            Side::Crm => "the CRM",
        }
    }

    /// The old values of what was changed.
    pub(super) fn back(&self) -> Patch {
        let old = |field: &Field| (field.clone(), self.before.get(field).cloned());
        self.changed.iter().map(old).collect()
    }

    /// The table of a record.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn table(&self) -> connector::Result<Table> {
        RecordId::parse(&self.id).map(|id| id.table).ok_or_else(|| {
            connector::Error::new(ErrorKind::Malformed, format!("{} is no record", self.id))
        })
    }
}
