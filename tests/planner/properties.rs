//! What must hold in every world. A failure names its seed; `LIAISON_SEED=n` runs that world alone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use liaison::model::fields::Direction;
use liaison::model::{Class, Field, Fields, ItemId, Link, LinkState, Patch, Side, Value};
use liaison::plan::{Action, ConflictPolicy, OnLeave, Rules, Seen, Step};

use super::simulation::{Dice, Simulation, agreed};

/// How many worlds a property is tried on, over all classes.
fn worlds() -> u64 {
    std::env::var("LIAISON_WORLDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4_000)
}

fn for_each_world(class: Class, check: impl Fn(u64)) {
    if let Some(seed) = std::env::var("LIAISON_SEED").ok().and_then(|text| text.parse().ok()) {
        return check(seed);
    }
    for seed in 0..worlds() / 4 {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(seed)));
        if let Err(panic) = outcome {
            eprintln!(
                "world {seed} of class {class} failed; run it alone with LIAISON_SEED={seed}"
            );
            std::panic::resume_unwind(panic);
        }
    }
    println!(
        "{} worlds of class {class}, seeds 0 to {}",
        worlds() / 4,
        (worlds() / 4).saturating_sub(1)
    );
}

#[test]
fn contacts_hold_in_every_world() {
    for_each_world(Class::Contact, |seed| live_through(Class::Contact, seed));
}

#[test]
fn tasks_hold_in_every_world() {
    for_each_world(Class::Task, |seed| live_through(Class::Task, seed));
}

#[test]
fn appointments_hold_in_every_world() {
    for_each_world(Class::Appointment, |seed| live_through(Class::Appointment, seed));
}

#[test]
fn messages_hold_in_every_world() {
    for_each_world(Class::Email, |seed| live_through(Class::Email, seed));
}

/// One history: two sides that agreed once, people on both, rounds in which writes fail, then quiet.
fn live_through(class: Class, seed: u64) {
    let mut history = History::begin(class, seed);
    for _ in 0..history.dice.roll(4) {
        history.people_act();
        history.round_with_faults();
    }
    history.people_act();
    history.everything_comes_back_into_sight();
    history.simulation.settle(5);
    history.check_quiet();
    history.check_no_duplicate();
    history.check_no_wrongful_delete();
    history.check_no_lost_update();
    history.check_direction();
}

/// A simulation, and what the people in it did.
struct History {
    simulation: Simulation,
    dice: Dice,
    tokens: u64,
    /// Tokens that a person wrote and that nobody who saw them has replaced: token → the side it was written on.
    alive: BTreeMap<String, Side>,
    /// What people deleted: uid or id of the thing, by side.
    deleted: BTreeSet<(Side, ItemId)>,
    /// As it was when the sides were still alone: for one-way rules.
    source_before: Option<(Side, BTreeMap<ItemId, Fields>)>,
}

impl History {
    fn begin(class: Class, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let rules = rules(&mut dice);
        let mut simulation = Simulation::new(class, rules);
        simulation.tracked = dice.chance(80);
        let mut history = Self {
            simulation,
            dice,
            tokens: 0,
            alive: BTreeMap::new(),
            deleted: BTreeSet::new(),
            source_before: None,
        };
        for number in 0..=history.dice.roll(5) {
            history.begin_thing(number);
        }
        history
    }

    /// A pair that agreed, something on one side, or twins that do not know of each other.
    fn begin_thing(&mut self, number: u64) {
        let fields = self.fields();
        let name = format!("thing{number}");
        match self.dice.roll(6) {
            0 => {
                self.simulation.put(Side::Mailbox, &name, fields);
            }
            1 => {
                self.simulation.put(Side::Crm, &name, fields);
            }
            2 => {
                // Twins by evidence, possibly several alike.
                let other =
                    if self.dice.chance(50) { fields.clone() } else { self.same_evidence(&fields) };
                self.simulation.put(Side::Mailbox, &name, fields);
                self.simulation.put(Side::Crm, &name, other);
            }
            // A mailbox-born or CRM-born pair that was in step and lost its link, as after a reinstall.
            3 | 4 => self.pair(number, true),
            _ => self.pair(number, false),
        }
    }

    /// Lets the planner itself make a pair, so that names and bases are what they would be.
    fn pair(&mut self, number: u64, amnesia: bool) {
        let fields = self.fields();
        let mut nursery = Simulation::new(self.simulation.class, Rules::default());
        let side = if self.simulation.class == Class::Email || self.dice.chance(50) {
            Side::Mailbox
        } else {
            Side::Crm
        };
        nursery.put(side, &format!("pair{number}"), fields);
        nursery.settle(5);
        let (item, thing) = nursery.items.pop_first().unwrap();
        let (record, row) = nursery.records.pop_first().unwrap();
        let mut thing = thing;
        let mut row = row;
        thing.version = self.simulation.tick();
        row.version = self.simulation.tick();
        self.simulation.items.insert(item.clone(), thing);
        self.simulation.records.insert(record.clone(), row);
        if !amnesia {
            agreed(&mut self.simulation, &item, &record, side);
        }
    }

    fn fields(&mut self) -> Fields {
        let mut fields = Fields::new();
        for name in names(self.simulation.class) {
            if self.dice.chance(70) {
                let value = self.value(name, None);
                fields.insert(Field::of(name), value);
            }
        }
        let first = names(self.simulation.class)[0];
        fields.entry(Field::of(first)).or_insert_with(|| Value::Text("same".to_owned()));
        fields
    }

    /// As `fields`, but only what the evidence looks at is kept.
    fn same_evidence(&mut self, fields: &Fields) -> Fields {
        let mut other = self.fields();
        for name in [
            "firstname",
            "middlename",
            "lastname",
            "emailaddress1",
            "subject",
            "scheduledstart",
            "scheduledend",
        ] {
            match fields.get(&Field::of(name)) {
                Some(value) => other.insert(Field::of(name), value.clone()),
                None => other.remove(&Field::of(name)),
            };
        }
        other
    }

    /// A value; with `side`, one that a person writes there and that must not be lost.
    fn value(&mut self, name: &'static str, side: Option<Side>) -> Value {
        if name.starts_with("scheduled") {
            let hours = i64::try_from(self.dice.roll(2_000)).unwrap() - 1_000;
            return Value::Moment(Timestamp::from_second(1_800_000_000 + hours * 3_600).unwrap());
        }
        if name == "statuscode" {
            let words = if self.simulation.class == Class::Task {
                ["notstarted", "completed"]
            } else {
                ["busy", "free"]
            };
            return Value::Text((*self.dice.pick(&words)).to_owned());
        }
        self.tokens += 1;
        let Some(side) = side else {
            return Value::Text((*self.dice.pick(&["same", "other", "third"])).to_owned());
        };
        let token = format!("t{}.", self.tokens);
        self.alive.insert(token.clone(), side);
        let long = self.dice.chance(15);
        Value::Text(if long {
            format!("{token} and much more than the CRM can hold")
        } else {
            token
        })
    }

    /// People on both sides change, delete, make and hide things.
    fn people_act(&mut self) {
        for side in [Side::Mailbox, Side::Crm] {
            let ids: Vec<ItemId> = self.simulation.side(side).keys().cloned().collect();
            for id in ids {
                match self.dice.roll(10) {
                    0..=2 => self.person_edits(side, &id),
                    3 => self.person_deletes(side, &id),
                    4 => self.hide(side, &id),
                    _ => {}
                }
            }
        }
        if self.dice.chance(20) {
            self.tokens += 1;
            let side = if self.dice.chance(50) { Side::Mailbox } else { Side::Crm };
            let (name, fields) = (format!("late{}", self.tokens), self.fields());
            self.simulation.put(side, &name, fields);
        }
    }

    fn person_edits(&mut self, side: Side, id: &ItemId) {
        if self.simulation.class == Class::Email {
            return;
        }
        let name = *self.dice.pick(names(self.simulation.class));
        let clear = self.dice.chance(15) && name != names(self.simulation.class)[0];
        let field = Field::of(name);
        self.forget_seen(side, id, Some(&field));
        let value = if clear { None } else { Some(self.value(name, Some(side))) };
        self.tell(&format!(
            "edits {name} of {id} in the {side}: {}",
            value.as_ref().map(ToString::to_string).unwrap_or_default()
        ));
        self.simulation.edit(side, id, &Patch::from([(field, value)]));
    }

    fn person_deletes(&mut self, side: Side, id: &ItemId) {
        self.forget_seen(side, id, None);
        self.tell(&format!("deletes {id} in the {side}"));
        self.simulation.side_mut(side).remove(id);
        self.deleted.insert((side, id.clone()));
    }

    fn tell(&self, what: &str) {
        if std::env::var("LIAISON_SEED").is_ok() {
            println!("somebody {what}");
        }
    }

    fn hide(&mut self, side: Side, id: &ItemId) {
        let hidden = match side {
            Side::Mailbox => Seen::Unseen,
            Side::Crm => (*self.dice.pick(&[Seen::Left, Seen::Unseen])).clone(),
        };
        self.tell(&format!("hides {id} in the {side}: {hidden:?}"));
        self.simulation.side_mut(side).get_mut(id).unwrap().hidden = Some(hidden);
    }

    /// Whoever replaces a value has seen it: its tokens need not survive.
    fn forget_seen(&mut self, side: Side, id: &ItemId, field: Option<&Field>) {
        let thing = &self.simulation.side(side)[id];
        let seen: Vec<String> = thing
            .fields
            .iter()
            .filter(|(name, _)| field.is_none_or(|field| field == *name))
            .map(|(_, value)| value.to_string())
            .collect();
        self.alive.retain(|token, _| !seen.iter().any(|text| text.contains(token.as_str())));
    }

    fn round_with_faults(&mut self) {
        let mut steps = self.simulation.plan();
        self.dice.shuffle(&mut steps);
        let cut = usize::try_from(self.dice.roll(steps.len() as u64 + 1)).unwrap();
        if self.dice.chance(30) {
            steps.truncate(cut);
        }
        let mut faults = self.dice.clone();
        self.simulation.carry_out(&steps, || faults.chance(25));
        self.dice.roll(2);
    }

    fn everything_comes_back_into_sight(&mut self) {
        let some_stay_away = self.dice.chance(50);
        for side in [Side::Mailbox, Side::Crm] {
            for thing in self.simulation.side_mut(side).values_mut() {
                if !(some_stay_away && thing.hidden == Some(Seen::Left)) {
                    thing.hidden = None;
                }
            }
        }
    }

    fn check_quiet(&self) {
        let left = self.simulation.plan();
        assert!(
            !left.iter().any(Step::writes),
            "a quiet world plans {}",
            left.iter().find(|step| step.writes()).unwrap()
        );
        let mut again = self.simulation.clone();
        again.carry_out(&left, || false);
        assert_eq!(again.items, self.simulation.items);
        assert_eq!(again.records, self.simulation.records);
    }

    fn check_no_duplicate(&self) {
        let mut uids = BTreeSet::new();
        for (id, thing) in &self.simulation.items {
            assert!(uids.insert(&thing.uid), "two items are {}, one of them {id}", thing.uid);
        }
        for ((side, id), count) in &self.simulation.creates {
            let by_hand = self.deleted.contains(&(*side, id.clone()))
                || self.simulation.deletes.contains_key(&(*side, id.clone()));
            assert!(*count <= 1 || by_hand, "{id} was created {count} times in the {side}");
        }
        let mut halves = BTreeSet::new();
        for link in self.simulation.links.values() {
            assert!(halves.insert((Side::Mailbox, &link.item)), "two links lead to {}", link.item);
            assert!(halves.insert((Side::Crm, &link.record)), "two links lead to {}", link.record);
        }
    }

    /// Every delete we made follows one that a person made of the other half, or a departure where that is the rule.
    fn check_no_wrongful_delete(&self) {
        for ((side, id), other) in &self.simulation.deletes {
            let by_leave =
                *side == Side::Mailbox && self.simulation.rules.on_leave == OnLeave::Remove;
            assert!(
                by_leave || self.deleted.contains(&(side.other(), other.clone())),
                "{id} was deleted in the {side}, and nobody deleted {other}"
            );
        }
    }

    fn check_no_lost_update(&self) {
        if self.simulation.rules.direction != Direction::TwoWay {
            return;
        }
        for (token, side) in &self.alive {
            let listed = self.simulation.conflicts.iter().any(|(_, contest)| {
                [&contest.item, &contest.record]
                    .into_iter()
                    .flatten()
                    .any(|value| value.to_string().contains(token))
            });
            let at = |side| self.holder(side, token);
            let (here, there) = (at(*side), at(side.other()));
            assert!(
                listed || here.is_some() || there.is_some(),
                "{token}, written in the {side}, is nowhere"
            );
            if listed {
                continue;
            }
            if let Some((_, link)) =
                here.or(there).and_then(|id| self.link_of(id).map(|link| (id, link)))
            {
                let whole = link.state == LinkState::Active && self.in_sight(link);
                assert!(
                    !whole || (here.is_some() && there.is_some()),
                    "{token} is on one side only, seed of {side}"
                );
            }
        }
    }

    fn holder(&self, side: Side, token: &str) -> Option<&ItemId> {
        self.simulation
            .side(side)
            .iter()
            .find(|(_, thing)| thing.fields.values().any(|value| value.to_string().contains(token)))
            .map(|(id, _)| id)
    }

    fn link_of(&self, id: &ItemId) -> Option<&Link> {
        self.simulation.links.values().find(|link| link.item == *id || link.record == *id)
    }

    fn in_sight(&self, link: &Link) -> bool {
        let visible = |things: &BTreeMap<ItemId, super::simulation::Thing>, id: &ItemId| {
            things.get(id).is_some_and(|thing| thing.hidden.is_none())
        };
        visible(&self.simulation.items, &link.item)
            && visible(&self.simulation.records, &link.record)
    }

    /// One-way never writes to the source.
    fn check_direction(&self) {
        let source = match self.simulation.rules.direction {
            Direction::ToCrm => Side::Mailbox,
            Direction::ToMailbox => Side::Crm,
            Direction::TwoWay | Direction::None => return,
        };
        assert!(self.source_before.is_none());
        assert!(
            !self.simulation.creates.keys().any(|(side, _)| *side == source),
            "something was created on the source side {source}"
        );
    }
}

fn rules(dice: &mut Dice) -> Rules {
    let direction = match dice.roll(8) {
        0 => Direction::ToCrm,
        1 => Direction::ToMailbox,
        _ => Direction::TwoWay,
    };
    let conflict = *dice.pick(&[ConflictPolicy::Crm, ConflictPolicy::Mailbox, ConflictPolicy::Ask]);
    let on_leave = if dice.chance(15) { OnLeave::Remove } else { OnLeave::Keep };
    Rules { direction, conflict, on_leave, ..Rules::default() }
}

/// The fields that people in these worlds touch; the first is always there.
fn names(class: Class) -> &'static [&'static str] {
    match class {
        Class::Contact => {
            &["lastname", "firstname", "emailaddress1", "telephone1", "jobtitle", "description"]
        }
        Class::Task => &["subject", "description", "scheduledend", "statuscode"],
        Class::Appointment => {
            &["subject", "location", "description", "scheduledstart", "statuscode"]
        }
        Class::Email => &["subject", "description"],
    }
}

/// A field changed on one side only ends with that side's value, whatever the policy and however often rounds fail.
#[test]
fn a_change_on_one_side_ends_on_both() {
    for side in [Side::Mailbox, Side::Crm] {
        for policy in [ConflictPolicy::Crm, ConflictPolicy::Mailbox, ConflictPolicy::Ask] {
            let rules = Rules { conflict: policy, ..Rules::default() };
            let mut simulation = Simulation::new(Class::Contact, rules);
            let text = |text: &str| Value::Text(text.to_owned());
            simulation.put(
                Side::Mailbox,
                "a",
                Fields::from([
                    (Field::of("lastname"), text("old")),
                    (Field::of("jobtitle"), text("same")),
                ]),
            );
            simulation.settle(5);
            let id = simulation.side(side).keys().next().unwrap().clone();
            simulation.edit(side, &id, &Patch::from([(Field::of("lastname"), Some(text("new")))]));
            simulation.settle(2);
            for side in [Side::Mailbox, Side::Crm] {
                let thing = simulation.side(side).values().next().unwrap();
                assert_eq!(thing.fields[&Field::of("lastname")], text("new"));
                assert_eq!(thing.fields[&Field::of("jobtitle")], text("same"));
            }
        }
    }
}

/// A contested field does not hold up the others, and a choice made later ends on both sides.
#[test]
fn a_choice_settles_an_open_conflict() {
    let mut simulation = Simulation::new(
        Class::Contact,
        Rules { conflict: ConflictPolicy::Ask, ..Rules::default() },
    );
    let text = |text: &str| Value::Text(text.to_owned());
    simulation.put(Side::Mailbox, "a", Fields::from([(Field::of("lastname"), text("old"))]));
    simulation.settle(5);
    let (item, record) = (
        simulation.items.keys().next().unwrap().clone(),
        simulation.records.keys().next().unwrap().clone(),
    );
    let last = Field::of("lastname");
    simulation.edit(
        Side::Mailbox,
        &item,
        &Patch::from([(last.clone(), Some(text("mine"))), (Field::of("fax"), Some(text("1")))]),
    );
    simulation.edit(Side::Crm, &record, &Patch::from([(last.clone(), Some(text("theirs")))]));
    simulation.settle(3);
    assert_eq!(simulation.items[&item].fields[&last], text("mine"));
    assert_eq!(simulation.records[&record].fields[&last], text("theirs"));
    assert_eq!(simulation.records[&record].fields[&Field::of("fax")], text("1"));
    let link = *simulation.links.keys().next().unwrap();
    simulation.choices.insert((link, last.clone()), Some(text("mine")));
    simulation.settle(3);
    assert_eq!(simulation.records[&record].fields[&last], text("mine"));
    assert!(simulation.choices.is_empty());
}

/// A text that the CRM holds in part only never replaces the whole one.
#[test]
fn a_cut_text_is_never_written_back() {
    let mut simulation = Simulation::new(Class::Contact, Rules::default());
    let note = Field::of("description");
    let whole = Value::Text("a text that is much longer than the CRM can hold".to_owned());
    let name = (Field::of("lastname"), Value::Text("n".to_owned()));
    let item =
        simulation.put(Side::Mailbox, "a", Fields::from([name, (note.clone(), whole.clone())]));
    simulation.settle(5);
    let record = simulation.records.keys().next().unwrap().clone();
    assert!(matches!(simulation.records[&record].fields[&note], Value::Cut(_)));
    let edited = Value::Cut("a txt that i…".to_owned());
    simulation.edit(Side::Crm, &record, &Patch::from([(note.clone(), Some(edited.clone()))]));
    simulation.settle(3);
    assert_eq!(simulation.items[&item].fields[&note], whole);
    assert!(
        simulation.conflicts.iter().any(|(_, contest)| contest.record.as_ref() == Some(&edited))
    );
    // After a reinstall the part and the whole are still one value.
    simulation.links.clear();
    simulation.edit(
        Side::Crm,
        &record,
        &Patch::from([(note.clone(), Some(Value::Cut("a text that…".to_owned())))]),
    );
    simulation.settle(3);
    assert_eq!(simulation.items[&item].fields[&note], whole);
}

/// The same world gives the same plan, to the byte.
#[test]
fn the_plan_is_a_function_of_the_world() {
    for seed in 0..200 {
        let mut history = History::begin(Class::Contact, seed);
        history.people_act();
        let (one, two) = (history.simulation.plan(), history.simulation.clone().plan());
        assert_eq!(one, two);
        let keys: BTreeSet<_> = one.iter().map(Step::key).collect();
        assert_eq!(keys.len(), one.len(), "two steps of one plan have one key");
        assert!(
            one.iter().all(|step| !matches!(step.action, Action::Forget) || step.link.is_some())
        );
    }
}
