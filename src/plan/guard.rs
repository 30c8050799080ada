//! What a person should see before it happens. This is the page to read when nothing was deleted last night.

use std::collections::BTreeSet;
use std::fmt;

use super::operation::{Key, Kind, Reason, Step};
use crate::model::{Class, Side};

/// From where on a plan waits for a person. A limit is passed when *both* the number and the share are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub deletes_max: usize,
    pub deletes_percent: usize,
    pub updates_max: usize,
    pub updates_percent: usize,
    pub creates_max: usize,
    pub creates_percent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deletes_max: 5,
            deletes_percent: 10,
            updates_max: 50,
            updates_percent: 50,
            creates_max: 200,
            creates_percent: 100,
        }
    }
}

/// What the guard knows besides the plan.
#[derive(Debug, Clone, Default)]
pub struct Situation {
    /// Nothing of this class was ever approved.
    pub first: bool,
    /// How many links the class has.
    pub linked: usize,
    /// A side that lists nothing now although links lead there.
    pub emptied: BTreeSet<Side>,
    /// The settings that say what takes part are not those of the last round.
    pub filter_changed: bool,
    /// A sync filter that found something before finds nothing now.
    pub filter_dried: bool,
    /// Subjects of steps that wait for a person already.
    pub held: BTreeSet<String>,
    /// Exactly what a person approved.
    pub approved: BTreeSet<Key>,
}

/// A plan after the guard.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Guarded {
    /// To be carried out.
    pub go: Vec<Step>,
    /// Waits for a person, with the reason.
    pub held: Vec<(Stop, Step)>,
}

/// Why a step waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    First,
    TooMany(Kind, Side),
    Emptied(Side),
    FilterChanged,
    FilterDried,
    Ambiguous,
    /// It was held before: what is held never comes loose by itself.
    StillHeld,
}

/// Divides a plan. Steps that write nothing go: they only note what is so. That something left the filter is not so certain where
/// that suddenly finds nothing: it is noted once the filter finds something again.
pub fn guard(mut steps: Vec<Step>, limits: &Limits, situation: &Situation) -> Guarded {
    if situation.filter_dried || situation.emptied.contains(&Side::Crm) {
        steps.retain(|step| step.writes() || step.reason != Reason::LeftFilter);
    }
    // A key is made of all that would be written: no use where nothing is approved.
    let is_approved =
        |step: &Step| !situation.approved.is_empty() && situation.approved.contains(&step.key());
    let writing: Vec<&Step> =
        steps.iter().filter(|step| step.writes() && !is_approved(step)).collect();
    let excessive: BTreeSet<(Kind, Side)> = [Kind::Create, Kind::Update, Kind::Delete]
        .into_iter()
        .flat_map(|kind| [(kind, Side::Mailbox), (kind, Side::Crm)])
        .filter(|(kind, side)| {
            let count = writing.iter().filter(|step| step.write_to(*side) == Some(*kind)).count();
            limits.passed(*kind, count, situation.linked)
        })
        .collect();
    let mut guarded = Guarded::default();
    for step in steps {
        let stop = if step.writes() && !is_approved(&step) {
            stop(&step, &excessive, situation)
        } else {
            None
        };
        match stop {
            Some(stop) => guarded.held.push((stop, step)),
            None => guarded.go.push(step),
        }
    }
    guarded
}

fn stop(step: &Step, excessive: &BTreeSet<(Kind, Side)>, situation: &Situation) -> Option<Stop> {
    let writes = |kind| {
        [Side::Mailbox, Side::Crm]
            .into_iter()
            .find(|side| step.write_to(*side) == Some(kind))
            .map(|side| (kind, side))
    };
    // Before the first sync: who approves a whole plan has not yet said what is the same as what.
    if step.reason == Reason::Ambiguous {
        return Some(Stop::Ambiguous);
    }
    if situation.first {
        return Some(Stop::First);
    }
    if let Some((_, side)) = writes(Kind::Create)
        && situation.emptied.contains(&side)
    {
        return Some(Stop::Emptied(side));
    }
    if let Some((_, side)) = writes(Kind::Delete) {
        if situation.emptied.contains(&side.other()) {
            return Some(Stop::Emptied(side.other()));
        }
        if situation.filter_changed {
            return Some(Stop::FilterChanged);
        }
        if situation.filter_dried && step.reason == Reason::LeftFilter {
            return Some(Stop::FilterDried);
        }
    }
    // Of messages, the rules say what is made: a person sees first what a change of them brings.
    if step.class == Class::Email && writes(Kind::Create).is_some() && situation.filter_changed {
        return Some(Stop::FilterChanged);
    }
    if let Some((kind, side)) = [Kind::Delete, Kind::Update, Kind::Create]
        .into_iter()
        .flat_map(|kind| [(kind, Side::Crm), (kind, Side::Mailbox)])
        .find(|(kind, side)| {
            step.write_to(*side) == Some(*kind) && excessive.contains(&(*kind, *side))
        })
    {
        return Some(Stop::TooMany(kind, side));
    }
    situation.held.contains(&step.subject()).then_some(Stop::StillHeld)
}

impl Limits {
    fn passed(&self, kind: Kind, count: usize, linked: usize) -> bool {
        let (max, percent) = match kind {
            Kind::Create => (self.creates_max, self.creates_percent),
            Kind::Update => (self.updates_max, self.updates_percent),
            Kind::Delete => (self.deletes_max, self.deletes_percent),
        };
        count > max && count.saturating_mul(100) > linked.saturating_mul(percent)
    }
}

impl Stop {
    /// The word used in the store and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::TooMany(..) => "too-many",
            Self::Emptied(_) => "emptied",
            Self::FilterChanged => "filter-changed",
            Self::FilterDried => "filter-dried",
            Self::Ambiguous => "ambiguous",
            Self::StillHeld => "still-held",
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => {
                f.write_str("the first sync of this class: look at it before it happens")
            }
            Self::TooMany(kind, side) => {
                write!(f, "unusually many {}s in the {side}", kind.as_str())
            }
            Self::Emptied(side) => write!(f, "the {side} suddenly lists nothing"),
            Self::FilterChanged => {
                f.write_str("the sync filter changed: nothing is deleted on that ground")
            }
            Self::FilterDried => f.write_str("a sync filter suddenly finds nothing"),
            Self::Ambiguous => {
                f.write_str("much like something on the other side: is it the same?")
            }
            Self::StillHeld => f.write_str("held before and not approved since"),
        }
    }
}
