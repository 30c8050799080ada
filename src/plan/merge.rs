//! Three-way merge, field by field. Each side is compared with what *it* said when both last agreed,
//! so that a side which cannot hold a value as given does not seem to have changed it.

use std::collections::{BTreeMap, BTreeSet};

use super::operation::Contest;
use super::rules::{ConflictPolicy, Rules};
use crate::model::{Bases, Class, Field, Fields, Patch, Side, Value};

/// What to write where, and what is contested.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Merged {
    pub to_item: Patch,
    pub to_record: Patch,
    pub settled: BTreeSet<Field>,
    pub contests: Vec<Contest>,
}

/// Both halves as they are, and what they said when they last agreed.
#[derive(Debug, Clone, Copy)]
pub struct Halves<'a> {
    pub item: &'a Fields,
    pub record: &'a Fields,
    pub bases: &'a Bases,
}

/// Merges all fields. `choices` are values that a person settled on: they go to both sides.
pub fn merge(
    class: Class,
    halves: Halves<'_>,
    rules: &Rules,
    choices: &BTreeMap<Field, Option<Value>>,
) -> Merged {
    let mut merged = Merged::default();
    for field in fields_of(halves, choices) {
        let contender = Contender {
            field: &field,
            item: halves.item.get(&field),
            record: halves.record.get(&field),
            item_changed: halves.item.get(&field) != halves.bases.item.get(&field),
            record_changed: halves.record.get(&field) != halves.bases.record.get(&field),
        };
        let outcome = match choices.get(&field) {
            Some(choice) => Outcome::Chosen(choice.clone()),
            None if is_unnamed(&field, halves.record)
                && !halves.bases.item.contains_key(&field) =>
            {
                Outcome::Settled
            }
            None => contender.merge(class, rules),
        };
        merged.take(&contender, outcome);
    }
    merged
}

/// Whether this field of a record is the organizer of a meeting that a stranger asked for: guests come, and the CRM names nobody
/// who asked them, since it can name its own users only. That says nothing against what the item says.
pub fn is_unnamed(field: &Field, record: &Fields) -> bool {
    field.as_str() == "organizer" && !record.contains_key(field) && has_attendees(record)
}

/// Whether an appointment has guests.
pub fn has_attendees(fields: &Fields) -> bool {
    ["requiredattendees", "optionalattendees"]
        .into_iter()
        .any(|name| fields.contains_key(&Field::of(name)))
}

/// One field of both halves.
struct Contender<'a> {
    field: &'a Field,
    item: Option<&'a Value>,
    record: Option<&'a Value>,
    item_changed: bool,
    record_changed: bool,
}

enum Outcome {
    /// Nothing happened to this field.
    Still,
    /// Both agree, or by rule need not.
    Settled,
    /// This side's value goes to the other.
    From(Side),
    /// As `From`, and the other side's change is kept in the list of conflicts.
    Won(Side),
    /// Nothing is written until a person decides.
    Open,
    /// This value goes to the sides that do not have it.
    Chosen(Option<Value>),
}

impl Contender<'_> {
    fn merge(&self, class: Class, rules: &Rules) -> Outcome {
        let carries = |side| rules.carries(class, self.field, side);
        match (self.item_changed, self.record_changed) {
            (false, false) => Outcome::Still,
            _ if self.agree() => Outcome::Settled,
            (true, false) if carries(Side::Mailbox) => self.from(Side::Mailbox),
            (false, true) if carries(Side::Crm) => self.from(Side::Crm),
            (true, false) | (false, true) => Outcome::Settled,
            (true, true) => match (carries(Side::Mailbox), carries(Side::Crm)) {
                (true, true) => self.contest(rules.conflict),
                (true, false) => self.won(Side::Mailbox),
                (false, true) => self.won(Side::Crm),
                (false, false) => Outcome::Settled,
            },
        }
    }

    fn agree(&self) -> bool {
        match (self.item, self.record) {
            (Some(item), Some(record)) => item.agrees(record),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// A text that a side holds only in part must not replace the whole one: a person has to look.
    fn from(&self, side: Side) -> Outcome {
        if self.is_cut(side) { Outcome::Open } else { Outcome::From(side) }
    }

    fn contest(&self, policy: ConflictPolicy) -> Outcome {
        let winner = match policy {
            ConflictPolicy::Ask => return Outcome::Open,
            ConflictPolicy::Crm => Side::Crm,
            ConflictPolicy::Mailbox => Side::Mailbox,
        };
        if self.is_cut(winner) { Outcome::Won(winner.other()) } else { Outcome::Won(winner) }
    }

    /// The only way this field travels decides; the change that lost is kept in the list all the same.
    fn won(&self, side: Side) -> Outcome {
        if self.is_cut(side) { Outcome::Open } else { Outcome::Won(side) }
    }

    fn value(&self, side: Side) -> Option<&Value> {
        match side {
            Side::Mailbox => self.item,
            Side::Crm => self.record,
        }
    }

    fn is_cut(&self, side: Side) -> bool {
        matches!(self.value(side), Some(Value::Cut(_)))
    }
}

impl Merged {
    fn take(&mut self, of: &Contender<'_>, outcome: Outcome) {
        match outcome {
            Outcome::Still => {}
            Outcome::Settled => {
                self.settled.insert(of.field.clone());
            }
            Outcome::From(side) => self.put(side.other(), of.field, of.value(side).cloned()),
            Outcome::Won(winner) => {
                self.contests.push(contest(of, Some(winner)));
                self.put(winner.other(), of.field, of.value(winner).cloned());
            }
            Outcome::Open => self.contests.push(contest(of, None)),
            Outcome::Chosen(choice) => {
                for side in [Side::Mailbox, Side::Crm] {
                    if of.value(side) != choice.as_ref() {
                        self.put(side, of.field, choice.clone());
                    }
                }
                self.settled.insert(of.field.clone());
            }
        }
    }

    fn put(&mut self, to: Side, field: &Field, value: Option<Value>) {
        let patch = match to {
            Side::Mailbox => &mut self.to_item,
            Side::Crm => &mut self.to_record,
        };
        patch.insert(field.clone(), value);
    }
}

fn contest(of: &Contender<'_>, winner: Option<Side>) -> Contest {
    Contest {
        field: Some(of.field.clone()),
        item: of.item.cloned(),
        record: of.record.cloned(),
        winner,
    }
}

fn fields_of(halves: Halves<'_>, choices: &BTreeMap<Field, Option<Value>>) -> BTreeSet<Field> {
    [halves.item, halves.record, &halves.bases.item, &halves.bases.record]
        .into_iter()
        .flat_map(BTreeMap::keys)
        .chain(choices.keys())
        .cloned()
        .collect()
}

/// The fields of a side once a patch is applied.
pub fn apply(fields: &Fields, patch: &Patch) -> Fields {
    let mut whole = fields.clone();
    for (field, value) in patch {
        match value {
            Some(value) => whole.insert(field.clone(), value.clone()),
            None => whole.remove(field),
        };
    }
    whole
}
