//! What becomes of each pair: one table over what happened to either half.

use std::collections::BTreeMap;

use super::merge::{Halves, Merged, has_attendees, merge};
use super::operation::{Action, Change, Contest, Merge, Reason, Step};
use super::pair::{Alone, Linked, Remnant, Twins};
use super::rules::{DeleteRule, OnLeave, Rules};
use super::{Seen, Verdict, World};
use crate::model::name;
use crate::model::time::End;
use crate::model::{
    Bases, Class, Content, Field, Fields, ItemId, Link, LinkState, Patch, RecordId, Side, Table,
    Value, Version,
};

/// What happened to one half of a link since both last agreed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Half<'w> {
    Same,
    Changed(&'w Content),
    Gone,
    Hidden(Hidden),
}

/// Why a half is not to be judged now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    Left,
    Unseen,
}

/// Decides about a link. `None`: there is nothing to do.
pub fn linked(world: &World, rules: &Rules, linked: &Linked<'_>) -> Option<Step> {
    let case = Case::of(world, rules, linked);
    match linked.link.state {
        LinkState::Active => case.active(),
        LinkState::Released { gone } => case.released(gone),
    }
}

/// Decides about an item and a record that were not linked and are one thing.
pub fn twins(world: &World, rules: &Rules, twins: &Twins<'_>) -> Option<Step> {
    let item = Here::of(world, Side::Mailbox, twins.item)?;
    let record = Here::of(world, Side::Crm, twins.record)?;
    let bases = Bases::default();
    let halves =
        Halves { item: &item.content.fields, record: &record.content.fields, bases: &bases };
    let merged = match world.class {
        // A message that is filed already is never written again.
        Class::Email => Merged::default(),
        _ => merge(world.class, halves, rules, &BTreeMap::new()),
    };
    Some(Step {
        class: world.class,
        link: None,
        item: Some(twins.item.clone()),
        record: Some(twins.record.clone()),
        uid: item.content.uid.clone(),
        action: Action::Merge(Merge {
            to_item: changed(merged.to_item, item.version, &item.content.fields),
            to_record: changed(merged.to_record, record.version, &record.content.fields),
            settled: merged.settled,
        }),
        reason: Reason::Twins(twins.evidence),
        contests: merged.contests,
    })
}

/// Decides about something that is on one side only.
pub fn alone(world: &World, rules: &Rules, alone: &Alone<'_>) -> Option<Step> {
    if !rules.direction.carries(alone.side) || world.partial.contains(&alone.side.other()) {
        return None;
    }
    // Whether it has a counterpart shows once everything is seen.
    if alone.ambiguous && !world.partial.is_empty() {
        return None;
    }
    let reason = match (alone.side, alone.ambiguous) {
        (Side::Mailbox, ambiguous) => {
            let rule = world.tracked.get(alone.id)?;
            if ambiguous { Reason::Ambiguous } else { Reason::Tracked(rule.clone()) }
        }
        (Side::Crm, true) => Reason::Ambiguous,
        (Side::Crm, false) => Reason::Filtered,
    };
    // Made from a record that is not to be seen: that record was deleted or left us. A copy must not bring it back.
    if alone.side == Side::Mailbox
        && name::born_in_crm(world.organisation, &alone.content.uid).is_some()
    {
        return None;
    }
    let (item, record) = match alone.side {
        Side::Mailbox => (Some(alone.id.clone()), Some(record_id(world, alone.content))),
        Side::Crm => (None, Some(alone.id.clone())),
    };
    let merge = creation(world.class, rules, alone.side.other(), &alone.content.fields);
    let (uid, action) = (alone.content.uid.clone(), Action::Merge(merge));
    Some(Step {
        class: world.class,
        link: None,
        item,
        record,
        uid,
        action,
        reason,
        contests: Vec::new(),
    })
}

/// Decides about the row that a pair no longer has: it goes, as it was to when the pair got another.
pub fn remnant(world: &World, rules: &Rules, remnant: &Remnant<'_>) -> Option<Step> {
    let Here { version, content } = Here::of(world, Side::Crm, remnant.record)?;
    let (expect, says) = (version.clone(), content.fields.clone());
    (rules.direction.carries(Side::Mailbox) && world.partial.is_empty()).then(|| Step {
        class: world.class,
        link: None,
        item: None,
        record: Some(remnant.record.clone()),
        uid: remnant.uid.clone(),
        action: Action::Delete { side: Side::Crm, expect, says },
        reason: Reason::Converted,
        contests: Vec::new(),
    })
}

/// The id of the record that an item becomes.
fn record_id(world: &World, content: &Content) -> ItemId {
    let table = Table::of(world.class, &content.fields);
    RecordId::new(table, name::record_guid(world.organisation, table, &world.mailbox, &content.uid))
        .item_id()
}

/// Makes the half on `side` out of what the other half says.
fn creation(class: Class, rules: &Rules, side: Side, source: &Fields) -> Merge {
    let (bases, nothing) = (Bases::default(), Fields::new());
    let (item, record) = match side {
        Side::Mailbox => (&nothing, source),
        Side::Crm => (source, &nothing),
    };
    let merged = merge(class, Halves { item, record, bases: &bases }, rules, &BTreeMap::new());
    let made = |patch: Patch| Some(Change { expect: None, patch, over: Fields::new() });
    match side {
        Side::Mailbox => {
            Merge { to_item: made(merged.to_item), to_record: None, settled: merged.settled }
        }
        Side::Crm => {
            Merge { to_item: None, to_record: made(merged.to_record), settled: merged.settled }
        }
    }
}

/// Changes what says this.
fn changed(patch: Patch, expect: &Version, says: &Fields) -> Option<Change> {
    let over = |field: &Field| Some((field.clone(), says.get(field)?.clone()));
    let over = patch.keys().filter_map(over).collect();
    (!patch.is_empty()).then(|| Change { expect: Some(expect.clone()), patch, over })
}

/// Something that is there and was read.
struct Here<'w> {
    version: &'w Version,
    content: &'w Content,
}

impl<'w> Here<'w> {
    fn of(world: &'w World, side: Side, id: &ItemId) -> Option<Self> {
        match world.seen(side, id) {
            Seen::Here { version, content: Some(content) } => Some(Self { version, content }),
            Seen::Here { content: None, .. } | Seen::Gone | Seen::Left | Seen::Unseen => None,
        }
    }
}

/// A link with what happened to both halves.
struct Case<'w> {
    world: &'w World,
    rules: &'w Rules,
    link: &'w Link,
    item_id: &'w ItemId,
    record_id: &'w ItemId,
    item: Half<'w>,
    record: Half<'w>,
}

impl<'w> Case<'w> {
    fn of(world: &'w World, rules: &'w Rules, linked: &Linked<'w>) -> Self {
        let link = linked.link;
        Self {
            world,
            rules,
            link,
            item_id: linked.item,
            record_id: linked.record,
            item: half(world, Side::Mailbox, linked.item, link.item_version.as_ref()),
            record: half(world, Side::Crm, linked.record, link.record_version.as_ref()),
        }
    }

    /// The table. Deleted on one side and changed on the other: what was changed stays.
    fn active(&self) -> Option<Step> {
        match (self.item, self.record) {
            (Half::Same, Half::Same) if !self.is_touched() => None,
            (Half::Same | Half::Changed(_), Half::Same | Half::Changed(_)) => self.merge(),
            (Half::Gone, Half::Same) => self.deleted(Side::Mailbox),
            (Half::Same, Half::Gone) => self.deleted(Side::Crm),
            (Half::Gone, Half::Changed(record)) if self.says_the_same(Side::Crm, record) => {
                self.deleted(Side::Mailbox)
            }
            (Half::Gone, Half::Changed(_)) => Some(self.deleted_and_changed(Side::Mailbox)),
            (Half::Changed(_), Half::Gone) => Some(self.deleted_and_changed(Side::Crm)),
            (Half::Gone, Half::Gone) => Some(self.step(Action::Forget, Reason::BothGone)),
            (Half::Gone, Half::Hidden(Hidden::Left)) => Some(match self.rules.on_leave {
                OnLeave::Keep => {
                    self.step(Action::Release { gone: Side::Mailbox }, Reason::LeftFilter)
                }
                // As if we had removed it, which perhaps we had: should it return to the filter, it is made again.
                OnLeave::Remove => self.step(Action::Forget, Reason::LeftFilter),
            }),
            (Half::Same, Half::Hidden(Hidden::Left)) => {
                self.left_filter().or_else(|| self.farewell())
            }
            // What was changed in the mailbox stays there, whatever becomes of its record.
            (Half::Changed(_), Half::Hidden(Hidden::Left)) => self.farewell(),
            // Whatever became of its record: a filed message is followed to where it is now.
            (Half::Same | Half::Changed(_), Half::Hidden(Hidden::Unseen))
                if self.world.class == Class::Email =>
            {
                self.merge()
            }
            (Half::Same | Half::Changed(_) | Half::Gone, Half::Hidden(Hidden::Unseen)) => None,
            (Half::Hidden(_), Half::Same | Half::Changed(_) | Half::Gone | Half::Hidden(_)) => None,
        }
    }

    /// One half went before, and by rule or by a conflict the other stayed.
    fn released(&self, gone: Side) -> Option<Step> {
        let verdict = self.world.verdicts.get(&self.link.id);
        match (self.half(gone), self.half(gone.other())) {
            (Half::Gone, Half::Gone) => Some(self.step(Action::Forget, Reason::BothGone)),
            (Half::Gone, Half::Same | Half::Changed(_)) => match verdict? {
                Verdict::Restore => self.restore(gone),
                Verdict::Delete => self.delete(gone.other(), Reason::Chosen),
            },
            // It is back, from a backup or by another program: both are there, so they are a pair again.
            (Half::Same | Half::Changed(_), Half::Same | Half::Changed(_)) => self.merge(),
            (Half::Same | Half::Changed(_) | Half::Hidden(_), Half::Gone | Half::Hidden(_)) => None,
            (Half::Hidden(_), Half::Same | Half::Changed(_)) => None,
            (Half::Gone, Half::Hidden(_)) => None,
        }
    }

    fn merge(&self) -> Option<Step> {
        let bases = self.link.bases.as_deref()?;
        let (item, record) = (self.says(Side::Mailbox)?, self.says(Side::Crm)?);
        let choices = self.choices();
        if self.world.class == Class::Email {
            // A filed message is never edited: only where it is may have changed.
            return self.has_moved().then(|| {
                self.step(Action::Merge(Merge::default()), Reason::Changed(Side::Mailbox))
            });
        }
        let merged = merge(self.world.class, Halves { item, record, bases }, self.rules, &choices);
        let reason = match (self.item, self.record) {
            _ if !choices.is_empty() => Reason::Chosen,
            (Half::Changed(_), Half::Changed(_)) => Reason::BothChanged,
            (Half::Changed(_), _) => Reason::Changed(Side::Mailbox),
            _ => Reason::Changed(Side::Crm),
        };
        self.merged(merged, reason)
    }

    fn merged(&self, merged: Merged, reason: Reason) -> Option<Step> {
        let to = |side, patch| Some(changed(patch, self.version(side)?, self.says(side)?));
        let action = Action::Merge(Merge {
            to_item: to(Side::Mailbox, merged.to_item)?,
            to_record: to(Side::Crm, merged.to_record)?,
            settled: merged.settled,
        });
        Some(Step { contests: merged.contests, ..self.step(action, reason) })
    }

    fn deleted(&self, on: Side) -> Option<Step> {
        let bases = self.link.bases.as_deref()?;
        if self.deletion_follows(on, bases) {
            // Seen in parts, many deletions would pass the guard as a few each time.
            if !self.world.partial.is_empty() {
                return None;
            }
            self.delete(on.other(), Reason::Deleted(on))
        } else {
            Some(self.step(Action::Release { gone: on }, Reason::Deleted(on)))
        }
    }

    fn deleted_and_changed(&self, on: Side) -> Step {
        let contest = Contest { field: None, item: None, record: None, winner: Some(on.other()) };
        let step = self.step(Action::Release { gone: on }, Reason::DeletedAndChanged(on));
        Step { contests: vec![contest], ..step }
    }

    fn delete(&self, side: Side, reason: Reason) -> Option<Step> {
        let (expect, says) = (self.version(side)?.clone(), self.says(side)?.clone());
        Some(self.step(Action::Delete { side, expect, says }, reason))
    }

    /// Makes the half that was deleted again, from what the other says now.
    fn restore(&self, gone: Side) -> Option<Step> {
        let source = self.says(gone.other())?;
        let merge = creation(self.world.class, self.rules, gone, source);
        Some(self.step(Action::Merge(merge), Reason::Chosen))
    }

    /// A task leaves the filter of open tasks by being closed: that last change is carried over, once, and nothing goes back.
    fn farewell(&self) -> Option<Step> {
        let (version, content) = self.world.farewells.get(self.record_id)?;
        if self.link.record_version.as_ref() == Some(version) || is_open(&content.fields) {
            return None;
        }
        let bases = self.link.bases.as_deref()?;
        let halves = Halves { item: self.says(Side::Mailbox)?, record: &content.fields, bases };
        let merged = merge(self.world.class, halves, self.rules, &BTreeMap::new());
        let merge = Merge {
            to_item: changed(merged.to_item, self.version(Side::Mailbox)?, halves.item),
            to_record: None,
            settled: merged.settled,
        };
        Some(Step {
            contests: merged.contests,
            ..self.step(Action::Merge(merge), Reason::LeftFilter)
        })
    }

    fn left_filter(&self) -> Option<Step> {
        let bases = self.link.bases.as_deref();
        match self.rules.on_leave {
            OnLeave::Keep => None,
            OnLeave::Remove if has_attendees(&bases?.item) => None,
            OnLeave::Remove => self.delete(Side::Mailbox, Reason::LeftFilter),
        }
    }

    /// Whether a deletion on `on` is to be followed on the other side.
    fn deletion_follows(&self, on: Side, bases: &Bases) -> bool {
        let rule = match on {
            Side::Mailbox => self.rules.deleted_in_mailbox,
            Side::Crm => self.rules.deleted_in_crm,
        };
        // What is left is what the other half said when both agreed.
        let left = match on {
            Side::Mailbox => &bases.record,
            Side::Crm => &bases.item,
        };
        self.rules.direction.carries(on)
            && match rule {
                DeleteRule::Propagate => true,
                DeleteRule::Keep => false,
                DeleteRule::ByClass => match self.world.class {
                    Class::Email => false,
                    Class::Contact => on == Side::Crm && self.link.origin == Side::Crm,
                    Class::Task => is_open(left),
                    // The CRM names nobody whom it does not know: the item may say that somebody else asks.
                    Class::Appointment => {
                        let mine = |fields: &Fields| is_mine(fields, self.world);
                        is_to_come(left, self.world) && mine(&bases.item) && mine(&bases.record)
                    }
                },
            }
    }

    fn half(&self, side: Side) -> Half<'w> {
        match side {
            Side::Mailbox => self.item,
            Side::Crm => self.record,
        }
    }

    /// The version seen now.
    fn version(&self, side: Side) -> Option<&'w Version> {
        let id = match side {
            Side::Mailbox => self.item_id,
            Side::Crm => self.record_id,
        };
        self.world.version(side, id).or(match side {
            Side::Mailbox => self.link.item_version.as_ref(),
            Side::Crm => self.link.record_version.as_ref(),
        })
    }

    /// What a half says.
    fn says(&self, side: Side) -> Option<&'w Fields> {
        let bases = self.link.bases.as_deref()?;
        Some(match side {
            Side::Mailbox => fields(self.item, &bases.item),
            Side::Crm => fields(self.record, &bases.record),
        })
    }

    fn says_the_same(&self, side: Side, content: &Content) -> bool {
        self.link.bases.as_deref().is_some_and(|bases| match side {
            Side::Mailbox => bases.item == content.fields,
            Side::Crm => bases.record == content.fields,
        })
    }

    fn has_moved(&self) -> bool {
        *self.item_id != self.link.item || *self.record_id != self.link.record
    }

    /// Whether something must be noted although neither half changed.
    fn is_touched(&self) -> bool {
        self.has_moved() || !self.choices().is_empty()
    }

    fn choices(&self) -> BTreeMap<Field, Option<Value>> {
        self.world
            .choices
            .range((self.link.id, Field::of(""))..)
            .take_while(|((link, _), _)| *link == self.link.id)
            .map(|((_, field), value)| (field.clone(), value.clone()))
            .collect()
    }

    fn step(&self, action: Action, reason: Reason) -> Step {
        Step {
            class: self.world.class,
            link: Some(self.link.id),
            item: Some(self.item_id.clone()),
            record: Some(self.record_id.clone()),
            uid: self.link.uid.clone(),
            action,
            reason,
            contests: Vec::new(),
        }
    }
}

fn half<'w>(world: &'w World, side: Side, id: &ItemId, settled: Option<&Version>) -> Half<'w> {
    match world.seen(side, id) {
        Seen::Here { version, .. } if Some(version) == settled => Half::Same,
        // Flags of a message come and go; what it says does not.
        Seen::Here { .. } if world.class == Class::Email => Half::Same,
        Seen::Here { content: Some(content), .. } => Half::Changed(content),
        Seen::Here { content: None, .. } | Seen::Unseen => Half::Hidden(Hidden::Unseen),
        Seen::Gone => Half::Gone,
        Seen::Left => Half::Hidden(Hidden::Left),
    }
}

/// What a half says: an unchanged one says what it said when both agreed.
fn fields<'w>(half: Half<'w>, base: &'w Fields) -> &'w Fields {
    match half {
        Half::Changed(content) => &content.fields,
        Half::Same | Half::Gone | Half::Hidden(_) => base,
    }
}

fn text<'a>(fields: &'a Fields, name: &'static str) -> Option<&'a str> {
    match fields.get(&Field::of(name)) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

/// A task that is neither completed nor cancelled.
fn is_open(fields: &Fields) -> bool {
    !matches!(text(fields, "statuscode"), Some("completed" | "canceled"))
}

/// An appointment that has not begun, or a series that has not ended.
fn is_to_come(fields: &Fields, world: &World) -> bool {
    let starts_later = matches!(fields.get(&Field::of("scheduledstart")), Some(Value::Moment(start)) if *start > world.now);
    let repeats = match fields.get(&Field::of("recurrence")) {
        Some(Value::Recurrence(recurrence)) => match recurrence.end {
            End::Never | End::Count(_) => true,
            End::Until(date) => date >= world.now.to_zoned(jiff::tz::TimeZone::UTC).date(),
        },
        _ => false,
    };
    starts_later || repeats
}

/// An appointment that the user organises, or that is nobody else's.
fn is_mine(fields: &Fields, world: &World) -> bool {
    match fields.get(&Field::of("organizer")) {
        Some(Value::People(organizers)) => {
            organizers.iter().any(|person| world.me.contains(&person.address))
        }
        _ => !has_attendees(fields),
    }
}
