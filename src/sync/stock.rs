//! What the store knows of a class, and the world as it grows out of that and two listings.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::world::{filter_key, found_key, started_key};
use crate::model::{
    Class, Content, Field, ItemId, Link, LinkId, Listing, Selected, Side, Uid, Value, Version,
};
use crate::plan::{Key, Seen, Verdict};
use crate::store::conflict::{self, Dispute};
use crate::store::decision::{self, Decision};
use crate::store::observation::{self, Head};
use crate::store::quarantine::{self, Quarantined};
use crate::store::{self, hold, link, mark, meta};

/// What the store knows of a class.
pub(super) struct Stock {
    pub(super) links: Vec<Link>,
    pub(super) items: BTreeMap<ItemId, Head>,
    pub(super) records: BTreeMap<ItemId, Head>,
    pub(super) quarantined: BTreeMap<(Side, ItemId), Version>,
    pub(super) decisions: BTreeMap<ItemId, Decision>,
    pub(super) marks: BTreeMap<Uid, bool>,
    pub(super) choices: BTreeMap<(LinkId, Field), Option<Value>>,
    pub(super) verdicts: BTreeMap<LinkId, Verdict>,
    pub(super) held: BTreeSet<String>,
    pub(super) approved: BTreeSet<Key>,
    pub(super) started: bool,
    pub(super) filter: Option<String>,
    /// How many records each sync filter found, when the class was last seen whole.
    pub(super) found: BTreeMap<String, usize>,
}

impl Stock {
    /// All of it or, of messages, only what is known of those in `kept`. What is due to be tried again is not set aside.
    pub(super) fn load(
        db: &store::Connection,
        class: Class,
        kept: Option<&BTreeSet<ItemId>>,
        now: Timestamp,
    ) -> store::Result<Self> {
        let mut quarantined = BTreeMap::new();
        for side in [Side::Mailbox, Side::Crm] {
            let is_due = |entry: &Quarantined| entry.due.is_some_and(|due| due <= now);
            for entry in quarantine::all(db, side, class)?.into_iter().filter(|it| !is_due(it)) {
                quarantined.insert((side, entry.id), entry.version);
            }
        }
        let (mut choices, mut verdicts) = (BTreeMap::new(), BTreeMap::new());
        for conflict in conflict::choices(db)? {
            let Some(choice) = conflict.choice else { continue };
            match conflict.dispute {
                Dispute::Field { field, mailbox, crm } => {
                    let value = if choice == Side::Mailbox { mailbox } else { crm };
                    choices.insert((conflict.link, field), value);
                }
                Dispute::Existence { deleted, .. } => {
                    let verdict =
                        if choice == deleted { Verdict::Delete } else { Verdict::Restore };
                    verdicts.insert(conflict.link, verdict);
                }
            }
        }
        Ok(Self {
            links: link::all(db, class)?,
            items: match kept {
                Some(kept) => observation::heads_of(db, Side::Mailbox, class, kept)?,
                None => observation::heads(db, Side::Mailbox, class)?,
            },
            records: observation::heads(db, Side::Crm, class)?,
            quarantined,
            decisions: match kept {
                // Decisions over messages were made before.
                Some(_) => BTreeMap::new(),
                None => decision::all(db, class)?,
            },
            marks: mark::all(db, class)?,
            choices,
            verdicts,
            held: hold::held_subjects(db, class)?,
            approved: hold::approved_keys(db, class)?.into_values().map(Key).collect(),
            started: meta::get(db, &started_key(class))?.is_some(),
            filter: meta::get(db, &filter_key(class))?,
            found: meta::get(db, &found_key(class))?
                .and_then(|found| serde_json::from_str(&found).ok())
                .unwrap_or_default(),
        })
    }

    /// Whether it is known that the filters of a class are these, and found this.
    pub(super) fn remembers(&self, filter: &str, selected: &[Selected]) -> bool {
        self.filter.as_deref() == Some(filter) && self.found == found(selected)
    }
}

/// What the store keeps of what sync filters found, by their names.
pub(super) fn found(selected: &[Selected]) -> BTreeMap<String, usize> {
    selected.iter().filter_map(|it| Some((it.name.clone(), it.rows?))).collect()
}

/// The world as it grows.
pub(super) struct Assembly {
    pub(super) items: BTreeMap<ItemId, Seen>,
    pub(super) records: BTreeMap<ItemId, Seen>,
    /// The readable items.
    pub(super) heads: BTreeMap<ItemId, Head>,
}

/// What must be loaded whole.
pub(super) struct Needs {
    pub(super) items: Vec<ItemId>,
    pub(super) records: Vec<ItemId>,
    pub(super) links: Vec<LinkId>,
}

impl Assembly {
    /// Takes the heads out of what the store knows.
    pub(super) fn new(stored: &mut Stock, items: &Listing, records: &Listing) -> Self {
        let mut assembly =
            Self { items: BTreeMap::new(), records: BTreeMap::new(), heads: BTreeMap::new() };
        let heads = [std::mem::take(&mut stored.items), std::mem::take(&mut stored.records)];
        let sides = [(Side::Mailbox, items), (Side::Crm, records)];
        for ((side, listing), heads) in sides.into_iter().zip(heads) {
            let linked: BTreeSet<&ItemId> =
                stored.links.iter().map(|link| link.half(side)).collect();
            let mut map = BTreeMap::new();
            for (id, head) in heads.into_iter().filter(|(id, _)| listing.entries.contains_key(id)) {
                let aside = stored.quarantined.get(&(side, id.clone())) == Some(&head.version);
                if head.uid.is_none() || head.problem.is_some() || aside {
                    if linked.contains(&id) {
                        map.insert(id, Seen::Unseen);
                    }
                    continue;
                }
                let here = Seen::Here { version: head.version.clone(), content: None };
                map.insert(id.clone(), here);
                if side == Side::Mailbox {
                    assembly.heads.insert(id, head);
                }
            }
            match side {
                Side::Mailbox => assembly.items = map,
                Side::Crm => assembly.records = map,
            }
        }
        assembly
    }

    /// Puts in what items say, where it is not in yet.
    pub(super) fn fill_in(&mut self, contents: BTreeMap<ItemId, Content>) {
        fill_in(&mut self.items, contents);
    }

    /// What the user untracked rests: neither half is judged, both keep what they have, and nothing is made a second time,
    /// since the link stays. Tracked again, it is merged with what either side said when both last agreed.
    pub(super) fn let_rest(&mut self, stored: &Stock) {
        let rests = |link: &&Link| stored.marks.get(&link.uid) == Some(&false);
        for link in stored.links.iter().filter(rests) {
            self.items.insert(link.item.clone(), Seen::Unseen);
            self.heads.remove(&link.item);
        }
    }

    pub(super) fn needs(&self, stored: &Stock) -> Needs {
        let mut quiet: (BTreeSet<&ItemId>, BTreeSet<&ItemId>) = Default::default();
        let mut links = Vec::new();
        for link in &stored.links {
            let item = settled(&self.items, &link.item, link.item_version.as_ref());
            let record = settled(&self.records, &link.record, link.record_version.as_ref());
            if item {
                quiet.0.insert(&link.item);
            }
            if record {
                quiet.1.insert(&link.record);
            }
            let chosen = stored.choices.keys().any(|(of, _)| *of == link.id)
                || stored.verdicts.contains_key(&link.id);
            if !(item && record) || chosen {
                links.push(link.id);
            }
        }
        let loud = |map: &BTreeMap<ItemId, Seen>, quiet: &BTreeSet<&ItemId>| {
            map.iter()
                .filter(|(id, seen)| {
                    matches!(seen, Seen::Here { content: None, .. }) && !quiet.contains(id)
                })
                .map(|(id, _)| id.clone())
                .collect()
        };
        Needs { items: loud(&self.items, &quiet.0), records: loud(&self.records, &quiet.1), links }
    }
}

pub(super) fn fill_in(seen: &mut BTreeMap<ItemId, Seen>, contents: BTreeMap<ItemId, Content>) {
    for (id, told) in contents {
        if let Some(Seen::Here { content: content @ None, .. }) = seen.get_mut(&id) {
            *content = Some(Box::new(told));
        }
    }
}

/// Whether an item is there in the version at which nothing was left to settle.
fn settled(seen: &BTreeMap<ItemId, Seen>, id: &ItemId, at: Option<&Version>) -> bool {
    matches!(seen.get(id), Some(Seen::Here { version, .. }) if Some(version) == at)
}
