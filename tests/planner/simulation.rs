//! Two sides, their links and a round, all in memory: the planner meets every mixture of states here.
//!
//! The sides are made to be correlated: one base world, perturbed twice, as two people would.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use liaison::model::fields::{Address, CUT_MARK};
use liaison::model::name;
use liaison::model::{
    Bases, Class, Content, Field, Fields, ItemId, Link, LinkId, LinkState, Patch, RecordId, Side,
    Table, Traits, Uid, Value, Version,
};
use liaison::plan::merge::apply;
use liaison::plan::settle::{After, settle};
use liaison::plan::{Action, Contest, Merge, Rules, Seen, Step, Verdict, World, plan};
use uuid::Uuid;

/// A small, fast, seeded generator: the same seed gives the same history.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.roll(of.len() as u64)).unwrap()]
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, usize::try_from(self.roll(last as u64 + 1)).unwrap());
        }
    }
}

pub const ORGANISATION: Uuid = Uuid::from_u128(0xA11CE);

/// How a link began.
enum Begun {
    New(LinkId),
    Existing,
    Failed,
}

/// What one side holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Thing {
    pub uid: Uid,
    pub fields: Fields,
    pub version: u64,
    /// Not to be judged: left the filter, or could not be looked at.
    pub hidden: Option<Seen>,
}

/// A store and two sides.
#[derive(Debug, Clone)]
pub struct Simulation {
    pub class: Class,
    pub rules: Rules,
    pub items: BTreeMap<ItemId, Thing>,
    pub records: BTreeMap<ItemId, Thing>,
    pub links: BTreeMap<LinkId, Link>,
    pub conflicts: Vec<(LinkId, Contest)>,
    pub choices: BTreeMap<(LinkId, Field), Option<Value>>,
    pub verdicts: BTreeMap<LinkId, Verdict>,
    /// Every value that a write replaced or removed, as the journal keeps it.
    pub journal: Vec<Value>,
    pub creates: BTreeMap<(Side, ItemId), usize>,
    /// What we deleted, and the other half, which must have been deleted before.
    pub deletes: BTreeMap<(Side, ItemId), ItemId>,
    pub tracked: bool,
    /// Texts longer than this are cut by the CRM.
    pub crm_holds: usize,
    clock: u64,
    next_link: i64,
}

impl Simulation {
    pub fn new(class: Class, rules: Rules) -> Self {
        Self {
            class,
            rules,
            items: BTreeMap::new(),
            records: BTreeMap::new(),
            links: BTreeMap::new(),
            conflicts: Vec::new(),
            choices: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            journal: Vec::new(),
            creates: BTreeMap::new(),
            deletes: BTreeMap::new(),
            tracked: true,
            crm_holds: 12,
            clock: 0,
            next_link: 0,
        }
    }

    pub fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub fn mailbox() -> Address {
        Address::parse("anna@example.org").unwrap()
    }

    /// What a round would see.
    pub fn world(&self) -> World {
        let mut items = self.look(&self.items);
        let mut records = self.look(&self.records);
        for link in self.links.values() {
            items.entry(link.item.clone()).or_insert(Seen::Gone);
            records.entry(link.record.clone()).or_insert(Seen::Gone);
        }
        let tracked = if self.tracked {
            self.items.keys().map(|id| (id.clone(), "all".to_owned())).collect()
        } else {
            BTreeMap::new()
        };
        let unseen = |things: &BTreeMap<ItemId, Thing>| {
            things.values().any(|thing| thing.hidden == Some(Seen::Unseen))
        };
        let partial = [(Side::Mailbox, unseen(&self.items)), (Side::Crm, unseen(&self.records))];
        World {
            class: self.class,
            organisation: ORGANISATION,
            mailbox: Self::mailbox(),
            me: BTreeSet::from([Self::mailbox()]),
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            items,
            records,
            partial: partial
                .into_iter()
                .filter_map(|(side, unseen)| unseen.then_some(side))
                .collect(),
            tracked,
            links: self.links.values().cloned().collect(),
            farewells: self.farewells(),
            choices: self.choices.clone(),
            verdicts: self.verdicts.clone(),
        }
    }

    fn farewells(&self) -> BTreeMap<ItemId, (Version, Content)> {
        let left = self
            .records
            .iter()
            .filter(|(_, thing)| thing.hidden == Some(Seen::Left) && self.class == Class::Task);
        left.map(|(id, thing)| (id.clone(), (version(thing), content(thing)))).collect()
    }

    fn look(&self, things: &BTreeMap<ItemId, Thing>) -> BTreeMap<ItemId, Seen> {
        things
            .iter()
            .filter_map(|(id, thing)| {
                let linked = self.links.values().any(|link| link.item == *id || link.record == *id);
                match &thing.hidden {
                    // What left the filter or is forbidden is only met on the way of its link.
                    Some(hidden) => linked.then(|| (id.clone(), hidden.clone())),
                    None => Some((id.clone(), here(thing))),
                }
            })
            .collect()
    }

    pub fn plan(&self) -> Vec<Step> {
        plan(&self.world(), &self.rules)
    }

    /// Carries out steps in the given order. `fails` says of each remote write whether it is refused.
    pub fn carry_out(&mut self, steps: &[Step], mut fails: impl FnMut() -> bool) {
        let trace = std::env::var("LIAISON_SEED").is_ok();
        for step in steps {
            if trace {
                println!("  plan {step}");
            }
            let link = match step.link {
                Some(link) => link,
                None => match self.begin_link(step, &mut fails) {
                    Begun::New(link) => link,
                    // It was there already: both halves are looked at in the next round.
                    Begun::Existing | Begun::Failed => continue,
                },
            };
            for contest in &step.contests {
                if !self.conflicts.contains(&(link, contest.clone())) {
                    self.conflicts.push((link, contest.clone()));
                }
            }
            match &step.action {
                Action::Merge(merge) => self.merge(step, link, merge, &mut fails),
                Action::Delete { side, expect, .. } => {
                    self.delete(link, step, *side, expect, fails());
                }
                Action::Release { gone } => {
                    self.links.get_mut(&link).unwrap().state = LinkState::Released { gone: *gone };
                }
                Action::Forget => {
                    self.links.remove(&link);
                }
            }
        }
    }

    /// A link is only made when both halves are there; a creation makes the missing one first.
    fn begin_link(&mut self, step: &Step, fails: &mut impl FnMut() -> bool) -> Begun {
        let Action::Merge(merge) = &step.action else { panic!("only a merge begins a link") };
        let origin = if step.item.is_none() { Side::Crm } else { Side::Mailbox };
        let mut existing = false;
        let (item, record) = match (&step.item, &step.record) {
            (Some(item), Some(record))
                if merge.to_record.as_ref().is_some_and(|change| change.expect.is_none()) =>
            {
                if fails() {
                    return Begun::Failed;
                }
                existing = self.records.contains_key(record);
                if !existing {
                    let fields = apply(&Fields::new(), &merge.to_record.as_ref().unwrap().patch);
                    self.create(Side::Crm, record.clone(), step.uid.clone(), &fields);
                }
                (item.clone(), record.clone())
            }
            (Some(item), Some(record)) => (item.clone(), record.clone()),
            (None, Some(record)) => {
                let item = ItemId::new(format!("{}.new", step.uid));
                if fails() {
                    return Begun::Failed;
                }
                existing = self.items.contains_key(&item);
                if !existing {
                    let fields = apply(&Fields::new(), &merge.to_item.as_ref().unwrap().patch);
                    self.create(Side::Mailbox, item.clone(), step.uid.clone(), &fields);
                }
                (item, record.clone())
            }
            (_, None) => panic!("a step always names the record: {step}"),
        };
        self.next_link += 1;
        let id = LinkId(self.next_link);
        let link = Link {
            id,
            class: self.class,
            item,
            record,
            uid: step.uid.clone(),
            origin,
            state: LinkState::Active,
            item_version: None,
            record_version: None,
            bases: Some(Box::default()),
        };
        self.links.insert(id, link);
        if existing { Begun::Existing } else { Begun::New(id) }
    }

    fn merge(
        &mut self,
        step: &Step,
        link: LinkId,
        merge: &Merge,
        fails: &mut impl FnMut() -> bool,
    ) {
        let (item, record) = {
            let link = &self.links[&link];
            (step.item.clone().unwrap_or_else(|| link.item.clone()), link.record.clone())
        };
        let record = if step.link.is_some() { step.record.clone().unwrap() } else { record };
        let before_item = step
            .item
            .as_ref()
            .and_then(|_| self.items.get(&item))
            .map(|thing| thing.fields.clone());
        let before_record = self.records.get(&record).map(|thing| thing.fields.clone());
        let record_written = self.write(Side::Crm, &record, step, merge.to_record.as_ref(), fails);
        let item_written = self.write(Side::Mailbox, &item, step, merge.to_item.as_ref(), fails);
        let created_record = merge.to_record.as_ref().is_some_and(|change| change.expect.is_none());
        let created_item = merge.to_item.as_ref().is_some_and(|change| change.expect.is_none());
        let nothing = Fields::new();
        let item_before =
            if created_item { &nothing } else { before_item.as_ref().unwrap_or(&nothing) };
        let record_before =
            if created_record { &nothing } else { before_record.as_ref().unwrap_or(&nothing) };
        let bases = self.links[&link].bases.clone().unwrap();
        let after = settle(
            &bases,
            merge,
            After { before: item_before, written: item_written.as_ref() },
            After { before: record_before, written: record_written.as_ref() },
        );
        let item_version = self.items.get(&item).map(version);
        let record_version = self.records.get(&record).map(version);
        let entry = self.links.get_mut(&link).unwrap();
        entry.item = item;
        entry.record = record;
        entry.state = LinkState::Active;
        entry.item_version = item_version.filter(|_| after.item);
        entry.record_version = record_version.filter(|_| after.record);
        entry.bases = Some(Box::new(after.bases));
        self.choices.retain(|(of, _), _| *of != link || !(after.item && after.record));
        self.verdicts.remove(&link);
    }

    /// Writes and reads back; `None` where nothing was to be written or it failed.
    fn write(
        &mut self,
        side: Side,
        id: &ItemId,
        step: &Step,
        change: Option<&liaison::plan::operation::Change>,
        fails: &mut impl FnMut() -> bool,
    ) -> Option<Fields> {
        let change = change?;
        let Some(expect) = &change.expect else {
            if step.link.is_some() {
                // A half that is made again.
                if fails() {
                    return None;
                }
                self.create(
                    side,
                    id.clone(),
                    step.uid.clone(),
                    &apply(&Fields::new(), &change.patch),
                );
            }
            return self.side(side).get(id).map(|thing| thing.fields.clone());
        };
        let thing = self.side(side).get(id)?;
        if version(thing) != *expect || fails() {
            return None;
        }
        let replaced: Vec<Value> =
            change.patch.keys().filter_map(|field| thing.fields.get(field).cloned()).collect();
        let fields = self.hold(side, &apply(&thing.fields, &change.patch));
        self.journal.extend(replaced);
        let now = self.tick();
        let thing = self.side_mut(side).get_mut(id).unwrap();
        thing.fields = fields.clone();
        thing.version = now;
        Some(fields)
    }

    fn create(&mut self, side: Side, id: ItemId, uid: Uid, fields: &Fields) {
        let fields = self.hold(side, fields);
        let version = self.tick();
        *self.creates.entry((side, id.clone())).or_default() += 1;
        self.side_mut(side).insert(id, Thing { uid, fields, version, hidden: None });
    }

    fn delete(&mut self, link: LinkId, step: &Step, side: Side, expect: &Version, fails: bool) {
        let (item, record) = (step.item.clone().unwrap(), step.record.clone().unwrap());
        let (id, other) = if side == Side::Mailbox { (item, record) } else { (record, item) };
        if fails || self.side(side).get(&id).is_some_and(|thing| version(thing) != *expect) {
            return;
        }
        if let Some(thing) = self.side_mut(side).remove(&id) {
            self.journal.extend(thing.fields.into_values());
        }
        self.deletes.insert((side, id), other);
        self.links.remove(&link);
    }

    /// What a side keeps of what it is given: the CRM cuts long texts.
    fn hold(&self, side: Side, fields: &Fields) -> Fields {
        let cut = |value: &Value| match value {
            Value::Text(text) if side == Side::Crm && text.chars().count() > self.crm_holds => {
                let part: String = text.chars().take(self.crm_holds - 1).collect();
                Value::Cut(format!("{part}{CUT_MARK}"))
            }
            other => other.clone(),
        };
        fields.iter().map(|(field, value)| (field.clone(), cut(value))).collect()
    }

    pub fn side(&self, side: Side) -> &BTreeMap<ItemId, Thing> {
        match side {
            Side::Mailbox => &self.items,
            Side::Crm => &self.records,
        }
    }

    pub fn side_mut(&mut self, side: Side) -> &mut BTreeMap<ItemId, Thing> {
        match side {
            Side::Mailbox => &mut self.items,
            Side::Crm => &mut self.records,
        }
    }

    /// Puts something new on a side, as a person would.
    pub fn put(&mut self, side: Side, name: &str, fields: Fields) -> ItemId {
        let version = self.tick();
        let (id, uid) = match side {
            Side::Mailbox => (ItemId::new(format!("{name}.vcf")), Uid::new(format!("uid-{name}"))),
            Side::Crm => {
                let guid = Uuid::new_v5(&ORGANISATION, name.as_bytes());
                (
                    RecordId::new(Table::of(self.class, &fields), guid).item_id(),
                    name::item_uid(ORGANISATION, guid),
                )
            }
        };
        self.side_mut(side).insert(id.clone(), Thing { uid, fields, version, hidden: None });
        id
    }

    /// Changes a field, as a person would.
    pub fn edit(&mut self, side: Side, id: &ItemId, patch: &Patch) {
        let version = self.tick();
        let thing = self.side_mut(side).get_mut(id).unwrap();
        thing.fields = apply(&thing.fields, patch);
        thing.version = version;
    }

    /// Rounds without faults until one writes nothing; panics when that takes more than `most`.
    pub fn settle(&mut self, most: usize) {
        for _ in 0..most {
            let steps = self.plan();
            self.carry_out(&steps, || false);
            // What was only noted may lead to a write, once.
            if !steps.iter().chain(&self.plan()).any(Step::writes) {
                return;
            }
        }
        let left = self.plan();
        let writing = left.iter().find(|step| step.writes());
        assert!(writing.is_none(), "still writing after {most} rounds: {}", writing.unwrap());
    }
}

fn here(thing: &Thing) -> Seen {
    Seen::Here { version: version(thing), content: Some(Box::new(content(thing))) }
}

fn content(thing: &Thing) -> Content {
    Content { uid: thing.uid.clone(), fields: thing.fields.clone(), traits: Traits::default() }
}

pub fn version(thing: &Thing) -> Version {
    Version::new(thing.version.to_string())
}

/// A link as it stands after both sides agreed on these.
pub fn agreed(simulation: &mut Simulation, item: &ItemId, record: &ItemId, origin: Side) -> LinkId {
    simulation.next_link += 1;
    let id = LinkId(simulation.next_link);
    let (left, right) = (simulation.items[item].clone(), simulation.records[record].clone());
    simulation.links.insert(
        id,
        Link {
            id,
            class: simulation.class,
            item: item.clone(),
            record: record.clone(),
            uid: left.uid.clone(),
            origin,
            state: LinkState::Active,
            item_version: Some(version(&left)),
            record_version: Some(version(&right)),
            bases: Some(Box::new(Bases { item: left.fields, record: right.fields })),
        },
    );
    id
}
