//! Keeps the list of conflicts true: lists what is contested, and closes what is not any more.

use super::record::Outcome;
use crate::model::{Fields, LinkId, Side};
use crate::plan::{Action, Contest, Reason, Step};
use crate::store::conflict::{self, Conflict, Dispute, Finding};
use crate::store::round::RoundId;
use crate::store::{self, Transaction};

/// Lists what is contested, and closes what is not any more.
pub(super) fn list(
    tx: &Transaction<'_>,
    outcome: &Outcome,
    link: Option<LinkId>,
    open: &[Conflict],
    (round, now): (RoundId, jiff::Timestamp),
) -> store::Result<()> {
    let Some(link) = link else { return Ok(()) };
    let step = &outcome.step;
    for contest in
        step.contests.iter().filter(|contest| outcome.complete || contest.winner.is_none())
    {
        let finding = Finding {
            link,
            dispute: dispute(step, contest, &outcome.kept),
            winner: contest.winner,
        };
        let id = conflict::upsert(tx, &finding, round, now)?;
        if let (Some(winner), Some(_)) = (contest.winner, &contest.field) {
            conflict::close(tx, id, Some(winner), now)?;
        }
    }
    if !outcome.complete {
        return Ok(());
    }
    for old in conflict::of(tx, link)?.into_iter().filter(|old| old.choice.is_some()) {
        if step.reason == Reason::Chosen {
            conflict::close(tx, old.id, old.choice, now)?;
        }
    }
    for old in open.iter().filter(|old| old.link == link) {
        let still = step.contests.iter().any(|contest| match &old.dispute {
            Dispute::Field { field, .. } => contest.field.as_ref() == Some(field),
            Dispute::Existence { .. } => contest.field.is_none(),
        });
        if !still && step.reason != Reason::Chosen {
            conflict::close(tx, old.id, None, now)?;
        }
    }
    Ok(())
}

fn dispute(step: &Step, contest: &Contest, kept: &Fields) -> Dispute {
    if let Some(field) = &contest.field {
        let (mailbox, crm) = (contest.item.clone(), contest.record.clone());
        return Dispute::Field { field: field.clone(), mailbox, crm };
    }
    let deleted = match step.action {
        Action::Release { gone } => gone,
        Action::Merge(_) | Action::Delete { .. } | Action::Forget => Side::Crm,
    };
    Dispute::Existence { deleted, kept: kept.clone() }
}
