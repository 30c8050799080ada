//! Stores what the guard stopped, so that a person can look at it and approve exactly that.

use std::collections::BTreeMap;

use super::world::{Look, Planned};
use super::{Engine, describe, people};
use crate::model::Class;
use crate::plan::Step;
use crate::store;
use crate::store::hold::{self, Held, Operations};
use crate::store::round::RoundId;

/// Records the held part of a plan and forgets holds of what is not planned any more.
///
/// # Errors
/// When the store is lost.
pub(super) async fn record(
    engine: &Engine,
    class: Class,
    round: RoundId,
    look: &Look,
    planned: &Planned,
    people: &people::Plan,
) -> store::Result<()> {
    let mut by_reason: BTreeMap<String, Vec<Held>> = BTreeMap::new();
    let mut operations = Operations::new();
    for (stop, step) in &planned.guarded.held {
        let (subject, digest) = (step.subject(), step.key().0);
        let text = describe::step(step, &look.world);
        if step.writes() {
            operations.insert(subject.clone(), digest.clone());
        }
        by_reason.entry(stop.to_string()).or_default().push(Held {
            key: subject.clone(),
            subject,
            text,
            digest,
        });
    }
    if let Some((reason, held)) = &people.held {
        by_reason.insert((*reason).to_owned(), held.clone());
    }
    let situation = &look.situation;
    if by_reason.is_empty() && situation.held.is_empty() && situation.approved.is_empty() {
        return Ok(());
    }
    let going = planned.guarded.go.iter().filter(|step| step.writes());
    operations.extend(going.map(|step| (step.subject(), step.key().0)));
    operations.extend(people.operations.clone());
    let (whole, now) = (planned.whole, engine.clock.now());
    engine
        .store
        .promise(move |tx| {
            // Only a whole look shows that something is not planned any more.
            if whole {
                hold::clear_obsolete(tx, class, &operations)?;
            }
            for (reason, held) in &by_reason {
                hold::hold(tx, class, reason, held, round, now)?;
            }
            Ok(())
        })
        .await
}

/// The names of operations whose approvals are used up.
pub fn names<'a>(steps: impl Iterator<Item = &'a Step>) -> Vec<String> {
    steps.map(Step::subject).collect()
}
