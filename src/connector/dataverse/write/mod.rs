//! Writes, many in one request, each with what stands there afterwards. It must not know why something is written.
//!
//! What belongs to one record is one change set: all of it happens or nothing. A create carries the id that both sides can
//! compute, an update or delete the version it was planned against. What the service's version cannot see (parties,
//! exceptions, the state of an activity) is looked at just before.

use super::Dataverse;
use super::batch::{Operation, Part, Reply};
use super::client::chunks;
use super::error::refused;
use super::read::{judge, read_records};
use super::record::{self, Read};
use crate::connector::{Error, ErrorKind, Result, Scope, Write, Written};
use crate::model::{Body, Class, RecordId, RecordPatch, Table, Version};

pub mod parties;
pub mod steps;
pub mod upload;

/// One write, ready to be sent.
#[derive(Debug)]
struct Unit {
    /// Its place among the writes that were asked for.
    place: usize,
    id: RecordId,
    doing: Doing,
    /// All or nothing.
    steps: Vec<Operation>,
    /// What is read afterwards.
    reads: Vec<Operation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Create,
    Update,
    Delete,
}

/// What a [`Write`] asks for, as far as this side knows such a thing.
enum Asked<'a> {
    Create(RecordId, &'a RecordPatch),
    Update(RecordId, &'a Version, &'a RecordPatch),
    Delete(RecordId, &'a Version),
}

pub use steps::set_name;

type Outcomes = Vec<Option<Result<Written>>>;

/// Carries out writes, one result each.
///
/// # Errors
/// When the first request got no answer. Once one was answered, later failures are told write by write.
pub async fn write(
    dataverse: &Dataverse,
    class: Class,
    writes: &[Write],
) -> Result<Vec<Result<Written>>> {
    let asked: Vec<Result<Asked<'_>>> =
        writes.iter().map(|write| understand(class, write)).collect();
    let mut looks = looks(dataverse, &asked).await?.into_iter();
    let mut outcomes: Outcomes = writes.iter().map(|_| None).collect();
    let mut units = Vec::new();
    let mut uploads = Vec::new();
    for (place, asked) in asked.into_iter().enumerate() {
        let asked = match asked {
            Ok(Asked::Create(id, patch)) if upload::is_needed(patch) => {
                uploads.push((place, id, patch));
                continue;
            }
            asked => asked,
        };
        let unit = asked.and_then(|asked| {
            let look = must_look(dataverse, &asked).then(|| looks.next()).flatten();
            unit(dataverse, place, &asked, look)
        });
        match unit {
            Ok(unit) => units.push(unit),
            Err(error) => set(&mut outcomes, place, Err(error)),
        }
    }
    send(dataverse, units, &mut outcomes).await?;
    for (place, id, patch) in uploads {
        let outcome = upload::create(dataverse, id, patch).await;
        set(&mut outcomes, place, outcome);
    }
    let unanswered =
        || Err(Error::new(ErrorKind::Unreachable, "there was no answer to this write"));
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unanswered)).collect())
}

fn set(outcomes: &mut Outcomes, place: usize, outcome: Result<Written>) {
    if let Some(slot) = outcomes.get_mut(place) {
        *slot = Some(outcome);
    }
}

fn understand(class: Class, write: &Write) -> Result<Asked<'_>> {
    let unusable = |reason: &str| Error::new(ErrorKind::Unsupported, reason);
    let id = RecordId::parse(write.id())
        .filter(|id| id.table.class() == class)
        .ok_or_else(|| unusable("this is no id of a record of the class"))?;
    match write {
        Write::Create { body: Body::Patch(patch), .. } => Ok(Asked::Create(id, patch)),
        Write::Update { version, body: Body::Patch(patch), .. } => {
            Ok(Asked::Update(id, version, patch))
        }
        Write::Create { .. } | Write::Update { .. } => {
            Err(unusable("a record is written as a patch"))
        }
        Write::Delete { version, .. } => Ok(Asked::Delete(id, version)),
        Write::Mark { .. } => Err(unusable("records have no marks")),
    }
}

/// Whether the row must be looked at before it is written, because the service does not check all that we must know.
fn must_look(dataverse: &Dataverse, asked: &Asked<'_>) -> bool {
    let unversioned = |id: &RecordId| !dataverse.metadata.of(id.table).versioned;
    match asked {
        Asked::Create(..) => false,
        // The state decides how an activity can be written.
        Asked::Update(id, ..) => id.table != Table::Contact || unversioned(id),
        Asked::Delete(id, _) => record::has_parts(id.table) || unversioned(id),
    }
}

async fn looks(dataverse: &Dataverse, asked: &[Result<Asked<'_>>]) -> Result<Vec<Result<Read>>> {
    let ids: Vec<RecordId> = asked
        .iter()
        .filter_map(|asked| asked.as_ref().ok())
        .filter(|asked| must_look(dataverse, asked))
        .map(|asked| match asked {
            Asked::Create(id, _) | Asked::Update(id, ..) | Asked::Delete(id, _) => *id,
        })
        .collect();
    read_records(dataverse, &ids).await
}

fn unit(
    dataverse: &Dataverse,
    place: usize,
    asked: &Asked<'_>,
    look: Option<Result<Read>>,
) -> Result<Unit> {
    let metadata = &dataverse.metadata;
    let look = look.transpose()?;
    if let (Some(look), Asked::Update(_, planned, _) | Asked::Delete(_, planned)) = (&look, asked)
        && look.version() != **planned
    {
        return Err(Error::new(ErrorKind::Stale, "the record was changed meanwhile"));
    }
    let (id, doing, steps) = match asked {
        Asked::Create(id, patch) => (*id, Doing::Create, steps::create(metadata, *id, patch)?),
        Asked::Update(id, version, patch) => {
            (*id, Doing::Update, steps::update(metadata, *id, version, patch, look.as_ref())?)
        }
        Asked::Delete(id, version) => {
            (*id, Doing::Delete, vec![steps::delete(metadata, *id, version)])
        }
    };
    let answers_itself = !steps.is_empty() && !steps::has_more_than_a_row(id.table);
    let reads = if doing == Doing::Delete || answers_itself {
        Vec::new()
    } else {
        record::questions(metadata, id)
    };
    Ok(Unit { place, id, doing, steps, reads })
}

async fn send(dataverse: &Dataverse, units: Vec<Unit>, outcomes: &mut Outcomes) -> Result<()> {
    let mut requests = chunks(units, |unit| {
        let all = || unit.steps.iter().chain(&unit.reads);
        (all().count(), all().map(Operation::size).sum())
    })
    .into_iter();
    let mut answered = false;
    while let Some(units) = requests.next() {
        let failed = match dataverse.client.send(&parts(&units)).await {
            Ok(replies) => {
                answered = true;
                take(dataverse, &units, replies, outcomes);
                out_of_service(&units, outcomes)
            }
            Err(error) if !answered => return Err(error),
            // What was answered stays known.
            Err(error) => {
                refuse(&units, &error, outcomes);
                Some(error)
            }
        };
        if let Some(error) = failed {
            // The rest of the work is not even tried.
            requests.by_ref().for_each(|units| refuse(&units, &error, outcomes));
        }
    }
    Ok(())
}

fn refuse(units: &[Unit], error: &Error, outcomes: &mut Outcomes) {
    for unit in units {
        set(outcomes, unit.place, Err(Error::new(error.kind, error.message.clone())));
    }
}

/// Why the service has no time for more, if one of its answers said so.
fn out_of_service(units: &[Unit], outcomes: &Outcomes) -> Option<Error> {
    units.iter().find_map(|unit| match outcomes.get(unit.place)? {
        Some(Err(error)) if error.kind.scope() == Scope::Account => {
            Some(Error::new(error.kind, error.message.clone()))
        }
        _ => None,
    })
}

fn parts(units: &[Unit]) -> Vec<Part> {
    let mut parts = Vec::new();
    for unit in units {
        if !unit.steps.is_empty() {
            parts.push(Part::of(unit.steps.clone()));
        }
        parts.extend(unit.reads.iter().cloned().map(Part::One));
    }
    parts
}

fn take(dataverse: &Dataverse, units: &[Unit], replies: Vec<Reply>, outcomes: &mut Outcomes) {
    let mut replies = replies.into_iter();
    for unit in units {
        let done = if unit.steps.is_empty() { None } else { replies.next() };
        let read: Vec<Reply> = replies.by_ref().take(unit.reads.len()).collect();
        set(outcomes, unit.place, outcome(dataverse, unit, done, &read));
    }
}

fn outcome(
    dataverse: &Dataverse,
    unit: &Unit,
    done: Option<Reply>,
    read: &[Reply],
) -> Result<Written> {
    let now = dataverse.client.clock().now();
    let last = match done {
        Some(Reply::One(answer)) if !answer.is_success() => {
            let doing = match unit.doing {
                Doing::Create => "create",
                Doing::Update => "change",
                Doing::Delete => "delete",
            };
            let doing = format!("{doing} {}", unit.id.table.logical_name());
            return Err(of_write(unit.doing, refused(&answer, &doing, Some(unit.id.guid), now)));
        }
        Some(Reply::One(answer)) => Some(answer),
        Some(Reply::Set(answers)) => answers.into_iter().next_back(),
        None => None,
    };
    let id = unit.id.item_id();
    if unit.doing == Doing::Delete {
        return Ok(Written { id, document: None });
    }
    let row = last.and_then(|answer| record::assemble_row(unit.id, &answer));
    let read = match (read.is_empty(), row) {
        (true, Some(row)) => Ok(row),
        (true, None) => Err(Error::new(ErrorKind::Stale, "the service did not show what it wrote")),
        // Between our write and our look somebody may have written: then the row is as we wrote it, so that the next look
        // finds their change.
        (false, row) => judge(unit.id, read, now).map(|mut read| {
            if let Some(row) = row {
                read.etag = row.etag;
                read.record.columns = row.record.columns;
            }
            read
        }),
    };
    // The write is done. Who cannot see its result looks again.
    let read = read.map_err(|error| match error.kind {
        ErrorKind::Forbidden => error,
        _ => Error::new(ErrorKind::Stale, format!("written, but not read back: {}", error.message)),
    })?;
    Ok(Written { id, document: Some(read.document()) })
}

/// What a refusal means for a write.
fn of_write(doing: Doing, mut error: Error) -> Error {
    error.kind = match (doing, error.kind) {
        // The row to create is there: whatever condition failed, it was that.
        (Doing::Create, ErrorKind::Stale) => ErrorKind::Exists,
        (Doing::Create, ErrorKind::Missing) => ErrorKind::Rejected,
        (Doing::Update | Doing::Delete, ErrorKind::Exists) => ErrorKind::Rejected,
        (_, kind) => kind,
    };
    error
}

#[cfg(test)]
mod tests;
