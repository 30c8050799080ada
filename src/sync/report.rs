//! What came of a sync: counts and reasons, without content.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::Engine;
use super::send::Outgoing;
use super::world::{Look, Planned};
use crate::connector::{self, Retry};
use crate::model::{Class, Selected, Side};
use crate::store::round::RoundId;
use crate::store::{self, conflict, hold, link, quarantine};

/// What came of a sync.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    pub round: Option<RoundId>,
    pub classes: BTreeMap<Class, ClassReport>,
    pub seconds: f64,
}

/// What came of one class.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClassReport {
    /// How many items and records were listed at the last look.
    pub listed: BTreeMap<Side, usize>,
    /// Remote writes that were done, by side and kind.
    pub created: BTreeMap<Side, usize>,
    pub updated: BTreeMap<Side, usize>,
    pub deleted: BTreeMap<Side, usize>,
    /// Pairs that were on both sides already.
    pub adopted: usize,
    /// Remote writes that were tried.
    pub operations: usize,
    /// Writes that were refused, and writes of which nobody knows whether they took place.
    pub refused: usize,
    pub unknown: usize,
    /// What waits, after the sync.
    pub linked: usize,
    pub released: usize,
    pub held: usize,
    pub conflicts: usize,
    pub quarantined: usize,
    /// Linked records that are in no sync filter any more, and those that could not be looked at.
    pub left: usize,
    pub hidden: usize,
    /// What each sync filter found.
    pub filters: Vec<Selected>,
    /// Writes to the CRM that the user has no right to.
    pub withheld: usize,
    /// Mails that the CRM wants sent.
    pub outgoing: Outgoing,
    /// Requests to the CRM.
    pub requests: u64,
    /// Why a side was not seen whole.
    pub partial: Vec<String>,
    /// Nothing was new, and nothing was left to do: neither side was looked at.
    pub quiet: bool,
    /// The last look led to writes again, and what came of those nobody looked at yet.
    pub unsettled: bool,
    pub error: Option<Failure>,
}

/// Why a class could not be brought in step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub message: String,
    pub hint: Option<String>,
    pub kind: Obstacle,
    /// How long the other end asked to be left alone.
    pub pause: Option<Duration>,
}

/// What stands in the way. Decides the exit code, and when the service tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Somebody must sign in.
    SignIn,
    /// Somebody must unlock the keyring.
    Locked,
    /// It passes by itself.
    Later,
    /// Another installation syncs.
    Standby,
    /// Something else that a person must look at.
    Failed,
}

impl Obstacle {
    const ALL: [Self; 5] = [Self::SignIn, Self::Locked, Self::Later, Self::Standby, Self::Failed];

    /// The word used in `--json` and in stored reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::Locked => "locked",
            Self::Later => "later",
            Self::Standby => "stands-by",
            Self::Failed => "failed",
        }
    }

    /// By its word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|obstacle| obstacle.as_str() == word)
    }
}

/// What to do about trouble that passes by itself.
const LATER: &str =
    "the next sync goes on where this one ended; if it stays so, `liaison doctor` tells more";

impl Failure {
    pub fn of(error: &connector::Error) -> Self {
        let kind = match (error.kind, error.kind.retry()) {
            (connector::ErrorKind::Unauthorised, _) => Obstacle::SignIn,
            (connector::ErrorKind::Locked, _) => Obstacle::Locked,
            (_, Retry::After(_) | Retry::Backoff) => Obstacle::Later,
            (_, Retry::Replan | Retry::Never) => Obstacle::Failed,
        };
        let passes = kind == Obstacle::Later;
        let hint = error.hint.clone().or_else(|| passes.then(|| LATER.to_owned()));
        let pause = match error.kind.retry() {
            Retry::After(pause) => Some(pause),
            Retry::Backoff | Retry::Replan | Retry::Never => None,
        };
        Self { message: error.to_string(), hint, kind, pause }
    }

    pub fn to_json(&self) -> Json {
        json!({ "kind": self.kind.as_str(), "message": self.message, "hint": self.hint })
    }
}

impl ClassReport {
    pub(super) fn failed(error: &connector::Error) -> Self {
        Self { error: Some(Failure::of(error)), ..Self::default() }
    }

    pub(super) fn looked(look: &Look, plan: &Planned) -> Self {
        Self {
            withheld: plan.withheld,
            listed: look.listed.clone(),
            partial: look.partial.values().cloned().collect(),
            left: look.absent.left,
            hidden: look.absent.hidden,
            filters: look.selected.clone(),
            ..Self::default()
        }
    }

    /// Adds a later pass: what was done adds up, what is so is as it was seen last.
    pub(super) fn add(&mut self, pass: Self) {
        for (sum, add) in [
            (&mut self.created, &pass.created),
            (&mut self.updated, &pass.updated),
            (&mut self.deleted, &pass.deleted),
        ] {
            for (side, count) in add {
                *sum.entry(*side).or_default() += count;
            }
        }
        self.adopted += pass.adopted;
        self.operations += pass.operations;
        self.refused += pass.refused;
        self.unknown += pass.unknown;
        // A pass that failed before it had looked knows nothing.
        if !pass.listed.is_empty() {
            self.listed = pass.listed;
            self.linked = pass.linked;
            self.released = pass.released;
            self.held = pass.held;
            self.conflicts = pass.conflicts;
            self.quarantined = pass.quarantined;
            self.left = pass.left;
            self.hidden = pass.hidden;
            self.filters = pass.filters;
            self.withheld = pass.withheld;
        }
        self.partial = pass.partial;
        self.error = pass.error;
    }

    /// Counts the links. A round that changed nothing knows their number from the last one.
    pub(super) async fn count_links(&mut self, engine: &Engine, class: Class) -> store::Result<()> {
        let (linked, released) = engine.store.read(move |db| link::count(db, class)).await?;
        (self.linked, self.released) = (linked as usize, released as usize);
        Ok(())
    }

    pub(super) async fn count_waiting(
        &mut self,
        engine: &Engine,
        class: Class,
    ) -> store::Result<()> {
        let (held, conflicts, quarantined) = engine
            .store
            .read(move |db| {
                let held = hold::open_holds(db)?
                    .into_iter()
                    .filter(|hold| hold.class == class)
                    .map(|hold| hold.held.len())
                    .sum();
                let quarantined = quarantine::all(db, Side::Mailbox, class)?.len()
                    + quarantine::all(db, Side::Crm, class)?.len();
                Ok((held, conflict::count_open(db, class)?, quarantined))
            })
            .await?;
        self.held = held;
        self.conflicts = conflicts as usize;
        self.quarantined = quarantined;
        Ok(())
    }

    /// Writes into the log what came of it: counts and kinds. That nothing happened is a detail.
    pub(super) fn trace(&self) {
        let (error, operations) =
            (self.error.as_ref().map(|error| error.kind.as_str()), self.operations);
        let sent = self.outgoing.sent;
        if self.in_step() && operations + sent == 0 {
            tracing::debug!(linked = self.linked, requests = self.requests, "in step as before");
            return;
        }
        let waiting = self.held + self.conflicts + self.quarantined + self.withheld;
        let (refused, unknown) = (self.refused, self.unknown);
        tracing::info!(operations, sent, waiting, refused, unknown, error, "looked at");
    }

    /// Whether nothing waits anywhere: only then is a class in step.
    pub fn in_step(&self) -> bool {
        self.error.is_none()
            && !self.unsettled
            && self.partial.is_empty()
            && self.held + self.conflicts + self.quarantined + self.refused + self.unknown == 0
            && self.withheld == 0
            && self.outgoing.unknown + self.outgoing.waiting == 0
    }

    pub fn to_json(&self) -> Json {
        let sides = |counts: &BTreeMap<Side, usize>| {
            json!({
                "mailbox": counts.get(&Side::Mailbox).copied().unwrap_or_default(),
                "crm": counts.get(&Side::Crm).copied().unwrap_or_default(),
            })
        };
        json!({
            "listed": sides(&self.listed),
            "created": sides(&self.created),
            "updated": sides(&self.updated),
            "deleted": sides(&self.deleted),
            "adopted": self.adopted,
            "operations": self.operations,
            "refused": self.refused,
            "unknown": self.unknown,
            "linked": self.linked,
            "released": self.released,
            "held": self.held,
            "conflicts": self.conflicts,
            "quarantined": self.quarantined,
            "left_filters": self.left,
            "hidden": self.hidden,
            "filters": self.filters.iter().map(|filter| {
                json!({ "name": filter.name, "origin": filter.origin.as_str(), "records": filter.rows })
            }).collect::<Vec<_>>(),
            "withheld": self.withheld,
            "outgoing": {
                "sent": self.outgoing.sent,
                "failed": self.outgoing.failed,
                "unknown": self.outgoing.unknown,
                "waiting": self.outgoing.waiting,
            },
            "requests": self.requests,
            "unsettled": self.unsettled,
            "partial": self.partial,
            "error": self.error.as_ref().map(Failure::to_json),
            "in_step": self.in_step(),
        })
    }
}

impl Report {
    pub fn to_json(&self) -> Json {
        let classes: serde_json::Map<String, Json> = self
            .classes
            .iter()
            .map(|(class, report)| (class.to_string(), report.to_json()))
            .collect();
        json!({ "round": self.round.map(|round| round.0), "classes": classes, "seconds": self.seconds })
    }

    /// Whether anything was written to either side, or sent.
    pub fn wrote(&self) -> bool {
        self.classes.values().any(|class| class.operations + class.outgoing.sent > 0)
    }

    /// Remote writes over all classes.
    pub fn operations(&self) -> usize {
        self.classes.values().map(|class| class.operations).sum()
    }
}
