//! Keeps the list of conflicts true: lists what is contested, and closes what is not any more.

use super::record::Outcome;
use crate::model::{Fields, ItemId, Link, LinkId, LinkState, Side};
use crate::plan::{Action, Contest, Reason, Step};
use crate::store::conflict::{self, Conflict, Dispute, Finding};
use crate::store::round::RoundId;
use crate::store::{self, Transaction, link};

/// Lists what is contested before the value that loses is written over: after a crash both sides agree, and nobody could
/// tell any more. A pair that has no link yet gets one without a common past, as if the next look had to merge it.
pub(super) fn announce(
    tx: &Transaction<'_>,
    step: &Step,
    (round, now): (RoundId, jiff::Timestamp),
) -> store::Result<()> {
    let link = match (step.link, &step.item, &step.record) {
        (Some(link), ..) => link,
        (None, Some(item), Some(record)) => {
            let pair = pair(step, item.clone(), record.clone(), Side::Mailbox);
            match link::insert(tx, &pair) {
                Ok(link) => link,
                Err(error) if error.kind == store::ErrorKind::Exists => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        _ => return Ok(()),
    };
    for contest in step.contests.iter().filter(|contest| contest.field.is_some()) {
        let dispute = dispute(step, contest, &Fields::new());
        conflict::upsert(tx, &Finding { link, dispute, winner: None }, round, now)?;
    }
    Ok(())
}

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
            // One about a field is open since before the write.
            winner: contest.winner.filter(|_| contest.field.is_none()),
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

/// A link without a common past.
pub(super) fn pair(step: &Step, item: ItemId, record: ItemId, origin: Side) -> Link {
    Link {
        id: step.link.unwrap_or(LinkId(0)),
        class: step.class,
        item,
        record,
        uid: step.uid.clone(),
        origin,
        state: LinkState::Active,
        item_version: None,
        record_version: None,
        bases: Some(Box::default()),
    }
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
