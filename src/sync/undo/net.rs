//! What a round did to one thing on one side, all its writes taken together. Pure: from journal rows to what is to be taken back.

use std::collections::{BTreeMap, BTreeSet};

use crate::connector::{self, ErrorKind};
use crate::model::{Class, Field, Fields, ItemId, Patch, RecordId, Side, Table, Uid, Version};
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
    /// The global name by its link, where there is one: a record does not always know it.
    pub uid: Option<Uid>,
    /// What it says in the mailbox, where the journal does not tell: messages.
    pub seen: Fields,
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
            uid: None,
            seen: Fields::new(),
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
        self.side.place()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;
    use crate::store::journal::{Intent, Outcome};
    use crate::store::round::RoundId;

    /// A write to the record `contact/1` that left version `v<id>`; before it the title was `t<id>`.
    fn entry(id: i64, action: Action, outcome: Outcome) -> Entry {
        let field = Field::of("jobtitle");
        let value = |text: String| Value::text(&text);
        let before = value(format!("t{id}")).map(|old| Fields::from([(field.clone(), old)]));
        Entry {
            id: EntryId(id),
            round: RoundId(1),
            intent: Intent {
                class: Class::Contact,
                link: None,
                item: Some(ItemId::new("a.vcf")),
                record: Some(ItemId::new("contact/1")),
                uid: None,
                side: Side::Crm,
                action,
                why: String::new(),
                before: before.filter(|_| action != Action::Create),
                patch: Patch::from([(field, value(format!("t{}", id + 1)))]),
                expect: None,
                key: String::new(),
            },
            attempts: 1,
            outcome,
            after: None,
            version: Some(Version::new(format!("v{id}"))),
            error: None,
            at: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_writes_of_a_round_about_one_thing_come_to_one_effect() {
        use Action::{Create, Delete, Mark, Update};
        for (actions, expected) in [
            ([Create].as_slice(), Some((Effect::Created, Some("v0")))),
            (&[Create, Update], Some((Effect::Created, Some("v1")))),
            (&[Create, Delete], None),
            (&[Update, Update, Mark], Some((Effect::Updated, Some("v1")))),
            (&[Update, Delete], Some((Effect::Deleted, Some("v1")))),
            (&[Delete, Create], Some((Effect::Deleted, None))),
            (&[Mark], None),
        ] {
            let entries = actions.iter().zip(0..);
            let entries = entries.map(|(action, id)| entry(id, *action, Outcome::Done)).collect();
            let nets = net(entries);
            let found =
                nets.first().map(|net| (net.effect, net.version.as_ref().map(Version::as_str)));
            assert_eq!(found, expected, "{actions:?}");
        }
    }

    #[test]
    fn what_goes_back_is_what_stood_there_before_the_first_of_them() {
        let entries = vec![
            entry(0, Action::Update, Outcome::Done),
            entry(1, Action::Update, Outcome::Refused),
            entry(2, Action::Update, Outcome::Done),
        ];
        let nets = net(entries);
        assert_eq!(nets[0].back()[&Field::of("jobtitle")], Value::text("t0"));
        assert_eq!(nets[0].last, EntryId(2));
    }
}
