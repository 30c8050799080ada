//! What becomes of a thing whose write was refused.

use std::collections::BTreeSet;

use super::prepare::Job;
use crate::connector::{Error, ErrorKind, Retry};
use crate::model::{Address, ItemId, Side};
use crate::plan::{Step, World};
use crate::store::quarantine::Failure;

/// A refusal sets the source of the write aside until it changes, or for a while. What a new look can mend is not a failure.
pub(super) fn failure(step: &Step, world: &World, error: &Error) -> Option<(Failure, Retry)> {
    match error.kind {
        ErrorKind::Rejected
        | ErrorKind::Failing
        | ErrorKind::Malformed
        | ErrorKind::Forbidden
        | ErrorKind::Unsupported => {}
        ErrorKind::Unreachable
        | ErrorKind::Throttled(_)
        | ErrorKind::Unauthorised
        | ErrorKind::Stale
        | ErrorKind::Exists
        | ErrorKind::Missing
        | ErrorKind::CursorExpired
        | ErrorKind::Local
        | ErrorKind::Locked => return None,
    }
    let source = |side, id: Option<&ItemId>| {
        id.and_then(|id| Some((side, id.clone(), world.version(side, id)?.clone())))
    };
    let (side, id, version) = source(Side::Mailbox, step.item.as_ref())
        .or_else(|| source(Side::Crm, step.record.as_ref()))?;
    let hint = error
        .hint
        .clone()
        .or_else(|| Some("change the item, or run `liaison sync --retry`".to_owned()));
    let reason = error.to_string();
    Some((Failure { side, class: step.class, id, version, reason, hint }, error.kind.retry()))
}

/// A message that was not filed for certain, where that was noted as one that waits.
pub(super) fn unfiled(job: &Job<'_>) -> Option<(ItemId, BTreeSet<Address>)> {
    let half = job.half(Side::Crm).filter(|_| !job.in_doubt.is_empty())?;
    let is_final = |error: &Error| !error.kind.leaves_open() && error.kind != ErrorKind::Exists;
    let refused = half.result.as_ref().is_some_and(|result| result.as_ref().is_err_and(is_final));
    refused.then(|| (half.write.id().clone(), job.in_doubt.clone()))
}
