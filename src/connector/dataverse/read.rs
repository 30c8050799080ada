//! Records read whole, by id, many in one request. It must not know why they are read.

use std::collections::BTreeMap;

use super::Dataverse;
use super::batch::{Answer, Part, Reply};
use super::error::refused;
use super::record::{self, Read};
use crate::connector::{Error, ErrorKind, Result};
use crate::model::{Class, Document, ItemId, RecordId, Table};

/// How many records are asked for at once, by what they may weigh.
fn at_once(class: Class) -> usize {
    match class {
        Class::Contact | Class::Task => 1000,
        Class::Appointment => 500,
        Class::Email => 50,
    }
}

/// Reads records; one entry for every id.
///
/// # Errors
/// When the organisation as a whole gave no answer.
pub async fn read(
    dataverse: &Dataverse,
    class: Class,
    ids: &[ItemId],
) -> Result<BTreeMap<ItemId, Result<Document>>> {
    let mut documents = BTreeMap::new();
    let mut records = Vec::new();
    for id in ids {
        let record = RecordId::parse(id).filter(|record| record.table.class() == class);
        records.extend(record);
        if record.is_none() {
            let error = Error::new(ErrorKind::Malformed, format!("this is no {class} of the CRM"));
            documents.insert(id.clone(), Err(error));
        }
    }
    records.sort_unstable();
    records.dedup();
    let mut waiting: Vec<Vec<RecordId>> =
        records.chunks(at_once(class)).rev().map(<[RecordId]>::to_vec).collect();
    while let Some(mut chunk) = waiting.pop() {
        match read_records(dataverse, &chunk).await {
            Ok(reads) => {
                let reads = chunk.into_iter().zip(reads);
                documents.extend(reads.map(|(id, read)| (id.item_id(), read.map(Read::document))));
            }
            // Too much at once, for this end or the other.
            Err(error) if error.kind == ErrorKind::Rejected && chunk.len() > 1 => {
                waiting.push(chunk.split_off(chunk.len() / 2));
                waiting.push(chunk);
            }
            Err(error) if error.kind == ErrorKind::Rejected => {
                documents.extend(chunk.pop().map(|id| (id.item_id(), Err(error))));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(documents)
}

/// Reads records, in the order asked.
///
/// # Errors
/// When the organisation as a whole gave no answer.
pub async fn read_records(dataverse: &Dataverse, ids: &[RecordId]) -> Result<Vec<Result<Read>>> {
    let parts = ids
        .iter()
        .flat_map(|id| record::questions(&dataverse.metadata, *id))
        .map(Part::One)
        .collect();
    let mut replies = dataverse.client.read(parts).await?.into_iter();
    let now = dataverse.client.clock().now();
    Ok(ids
        .iter()
        .map(|id| {
            let replies: Vec<Reply> =
                replies.by_ref().take(record::question_count(id.table)).collect();
            judge(*id, &replies, now)
        })
        .collect())
}

/// What the replies to the questions for one record make.
///
/// # Errors
/// [`ErrorKind::Missing`] only when the service said so of this very record.
pub fn judge(id: RecordId, replies: &[Reply], now: jiff::Timestamp) -> Result<Read> {
    let answers: Vec<&Answer> = replies
        .iter()
        .filter_map(|reply| match reply {
            Reply::One(answer) => Some(answer),
            Reply::Set(_) => None,
        })
        .collect();
    for (number, answer) in answers.iter().enumerate() {
        if !answer.is_success() {
            let error = refused(answer, &format!("read {}", noun(id.table)), Some(id.guid), now);
            // Only the row itself can tell that it is gone, not the rows that belong to it.
            return Err(match error.kind {
                ErrorKind::Missing | ErrorKind::Stale if number > 0 => {
                    Error::new(ErrorKind::Malformed, error.message)
                }
                ErrorKind::Stale | ErrorKind::Exists => {
                    Error::new(ErrorKind::Malformed, error.message)
                }
                _ => error,
            });
        }
    }
    record::assemble(id, &answers)
}

fn noun(table: Table) -> &'static str {
    table.logical_name()
}
