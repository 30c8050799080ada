//! Makes records for people, and says of filed messages who is meant. It must not know who decided that.
//!
//! A message that was sent or received is closed for good, but whom an unresolved address belongs to can still be said, as people
//! do in the form of the message. Parties have no write of their own: all of them are written as they were read a moment ago, with
//! the one that is known now. An organisation may refuse; then the message stays as it is.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Doing, of_write, steps};
use crate::connector::dataverse::Dataverse;
use crate::connector::dataverse::batch::{Method, Operation, Part, Reply};
use crate::connector::dataverse::client::chunks;
use crate::connector::dataverse::error::refused;
use crate::connector::dataverse::read::read_records;
use crate::connector::{Error, ErrorKind, Result};
use crate::model::record::{Newcomer, Party, PartyRef};
use crate::model::{Address, ItemId, RecordId, Table};

/// How many messages are read at a time.
const AT_ONCE: usize = 200;

/// Makes records for people; one that is there already is as good as made.
///
/// # Errors
/// When the first request got no answer.
pub async fn introduce(dataverse: &Dataverse, newcomers: &[Newcomer]) -> Result<Vec<Result<()>>> {
    let operations: Vec<Result<Operation>> = newcomers
        .iter()
        .map(|newcomer| {
            let record = &newcomer.record;
            let set = steps::party_set(&record.table).ok_or_else(|| {
                Error::new(ErrorKind::Unsupported, format!("no {} can be made", record.table))
            })?;
            Ok(Operation::new(Method::Patch, format!("{set}({})", record.guid))
                .header("If-None-Match", "*")
                .body(&Json::Object(newcomer.columns.clone())))
        })
        .collect();
    let mut results = carry_out(dataverse, operations, Doing::Create).await?;
    for result in &mut results {
        if matches!(result, Err(error) if error.kind == ErrorKind::Exists) {
            *result = Ok(());
        }
    }
    Ok(results)
}

/// Says whose unresolved addresses are. A message that is as it should be already is not written.
///
/// # Errors
/// When the organisation gave no answer.
pub async fn assign(
    dataverse: &Dataverse,
    records: &[ItemId],
    people: &BTreeMap<Address, PartyRef>,
) -> Result<Vec<Result<()>>> {
    let mut results = Vec::with_capacity(records.len());
    for records in records.chunks(AT_ONCE) {
        let ids: Vec<Option<RecordId>> = records
            .iter()
            .map(|id| RecordId::parse(id).filter(|id| id.table == Table::Email))
            .collect();
        let known: Vec<RecordId> = ids.iter().copied().flatten().collect();
        let mut reads = read_records(dataverse, &known).await?.into_iter();
        let mut operations = Vec::new();
        for id in ids {
            let read = id.and_then(|id| Some((id, reads.next()?)));
            let operation = match read {
                Some((id, Ok(read))) => named(read.record.parties, people)
                    .map(|parties| write_all(dataverse, id, &parties))
                    .transpose(),
                Some((_, Err(error))) => Err(error),
                None => Err(Error::new(ErrorKind::Malformed, "this is no message of the CRM")),
            };
            operations.push(operation);
        }
        results.append(&mut carry_out_some(dataverse, operations).await?);
    }
    Ok(results)
}

/// The parties with those named who are known now; `None` if that changes nothing.
fn named(mut parties: Vec<Party>, people: &BTreeMap<Address, PartyRef>) -> Option<Vec<Party>> {
    let mut changed = false;
    for party in parties.iter_mut().filter(|party| party.target.is_none()) {
        let target = Address::parse(&party.address).and_then(|address| people.get(&address));
        changed |= target.is_some();
        party.target = target.cloned();
    }
    changed.then_some(parties)
}

fn write_all(dataverse: &Dataverse, id: RecordId, parties: &[Party]) -> Result<Operation> {
    let path = steps::parties_of(&dataverse.metadata, id);
    let body = json!({ "value": steps::party_rows(parties)? });
    Ok(Operation::new(Method::Put, path).body(&body))
}

async fn carry_out_some(
    dataverse: &Dataverse,
    operations: Vec<Result<Option<Operation>>>,
) -> Result<Vec<Result<()>>> {
    let mut results: Vec<Option<Result<()>>> = Vec::new();
    let mut writes = Vec::new();
    for operation in operations {
        results.push(match operation {
            Ok(None) => Some(Ok(())),
            Ok(Some(operation)) => {
                writes.push(Ok(operation));
                None
            }
            Err(error) => Some(Err(error)),
        });
    }
    let mut done = carry_out(dataverse, writes, Doing::Update).await?.into_iter();
    let unanswered = || Err(Error::new(ErrorKind::Unreachable, "there was no answer"));
    Ok(results
        .into_iter()
        .map(|result| result.or_else(|| done.next()).unwrap_or_else(unanswered))
        .collect())
}

/// Sends operations that do not depend on each other, one result each.
async fn carry_out(
    dataverse: &Dataverse,
    operations: Vec<Result<Operation>>,
    doing: Doing,
) -> Result<Vec<Result<()>>> {
    let mut results: Vec<Result<()>> = Vec::new();
    let mut writes = Vec::new();
    for (place, operation) in operations.into_iter().enumerate() {
        match operation {
            Ok(operation) => {
                writes.push((place, operation));
                results.push(Err(Error::new(ErrorKind::Unreachable, "there was no answer")));
            }
            Err(error) => results.push(Err(error)),
        }
    }
    let now = dataverse.client.clock().now();
    let mut answered = false;
    for writes in chunks(writes, |(_, operation)| (1, operation.size())) {
        let parts: Vec<Part> =
            writes.iter().map(|(_, operation)| Part::One(operation.clone())).collect();
        let replies = match dataverse.client.send(&parts).await {
            Ok(replies) => replies,
            Err(error) if !answered => return Err(error),
            // What was answered stays known; the rest is tried another time.
            Err(_) => break,
        };
        answered = true;
        for ((place, _), reply) in writes.iter().zip(replies) {
            let result = match reply {
                Reply::One(answer) if answer.is_success() => Ok(()),
                Reply::One(answer) => {
                    Err(of_write(doing, refused(&answer, "say who is meant", None, now)))
                }
                Reply::Set(_) => Err(Error::new(ErrorKind::Malformed, "the answer makes no sense")),
            };
            if let Some(slot) = results.get_mut(*place) {
                *slot = result;
            }
        }
    }
    Ok(results)
}
