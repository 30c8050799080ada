//! Messages with files that are too large for one request: created open, filled block by block, then closed. What was begun
//! and not finished is taken up again, since a message that is still open was never promised to anybody.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/attachment-annotation-files>

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::{Doing, Unit, outcome, parts, steps};
use crate::connector::dataverse::Dataverse;
use crate::connector::dataverse::batch::{Answer, MAX_BODY, Method, Operation, Part, Reply};
use crate::connector::dataverse::error::refused;
use crate::connector::dataverse::read::read_records;
use crate::connector::dataverse::record;
use crate::connector::{Error, ErrorKind, Result, Written};
use crate::model::record::RecordAttachment;
use crate::model::{RecordId, RecordPatch};

/// A file of this size (4 MB) still goes into a request as it is.
const INLINE: usize = 4 << 20;

/// One block: base64 makes four bytes of three, and a block may have 4 MB.
const BLOCK: usize = 3 << 20;

/// Whether the files of a record do not fit into one request.
pub fn is_needed(patch: &RecordPatch) -> bool {
    let sizes = || patch.attachments.iter().map(|file| file.bytes.len());
    sizes().any(|size| size > INLINE) || sizes().sum::<usize>() / 3 * 4 > MAX_BODY
}

/// Creates a record with large files.
///
/// # Errors
/// [`ErrorKind::Exists`] when the record is there and closed; else what was refused.
pub async fn create(dataverse: &Dataverse, id: RecordId, patch: &RecordPatch) -> Result<Written> {
    let metadata = &dataverse.metadata;
    let row = steps::create_row(metadata, id, patch)?;
    let begun = match one(dataverse, id, row).await {
        Ok(_) => BTreeSet::new(),
        Err(error) if matches!(error.kind, ErrorKind::Exists | ErrorKind::Stale) => {
            begun(dataverse, id).await?
        }
        Err(error) => return Err(super::of_write(Doing::Create, error)),
    };
    for file in patch.attachments.iter().filter(|file| !begun.contains(&key(file))) {
        if file.bytes.len() > INLINE {
            in_blocks(dataverse, id, file).await?;
        } else {
            one(dataverse, id, steps::attach(metadata, id, file)).await?;
        }
    }
    let close =
        patch.state.map(|state| steps::set_state(metadata, id, state).header("If-Match", "*"));
    let unit = Unit {
        place: 0,
        id,
        doing: Doing::Update,
        steps: steps::showing(close.into_iter().collect(), metadata, id),
        reads: record::questions(metadata, id),
    };
    let mut replies = dataverse.client.send(&parts(std::slice::from_ref(&unit))).await?.into_iter();
    let done = if unit.steps.is_empty() { None } else { replies.next() };
    outcome(dataverse, &unit, done, &replies.collect::<Vec<_>>())
}

/// The files that an open message has already.
async fn begun(dataverse: &Dataverse, id: RecordId) -> Result<BTreeSet<(String, String)>> {
    let exists = || Error::new(ErrorKind::Exists, "a record with this id is there already");
    let read = read_records(dataverse, &[id]).await?.pop().unwrap_or_else(|| Err(exists()))?;
    if read.record.columns.get("statecode").and_then(Json::as_i64) != Some(0) {
        return Err(exists());
    }
    Ok(read.record.attachments.iter().map(key).collect())
}

fn key(file: &RecordAttachment) -> (String, String) {
    (file.filename.clone(), file.mimetype.clone())
}

/// The file shows up with its last step only: half a file never stands in the CRM.
async fn in_blocks(dataverse: &Dataverse, id: RecordId, file: &RecordAttachment) -> Result<()> {
    let mut target = steps::attachment_row(&dataverse.metadata, id, file);
    target.insert("@odata.type".to_owned(), json!("Microsoft.Dynamics.CRM.activitymimeattachment"));
    let call = |action: &str, body: &Json| Operation::new(Method::Post, action).body(body);
    let begin = call("InitializeAttachmentBlocksUpload", &json!({ "Target": target }));
    let token = one(dataverse, id, begin)
        .await?
        .json()
        .and_then(|json| json.get("FileContinuationToken")?.as_str().map(str::to_owned))
        .ok_or_else(|| Error::new(ErrorKind::Malformed, "the service gave no token for a file"))?;
    let mut blocks = Vec::new();
    for (number, block) in file.bytes.chunks(BLOCK).enumerate() {
        let block_id = STANDARD.encode(format!("{number:08}"));
        let body = json!({
            "BlockId": block_id,
            "BlockData": STANDARD.encode(block),
            "FileContinuationToken": token,
        });
        one(dataverse, id, call("UploadBlock", &body)).await?;
        blocks.push(block_id);
    }
    let body = json!({ "Target": target, "BlockList": blocks, "FileContinuationToken": token });
    one(dataverse, id, call("CommitAttachmentBlocksUpload", &body)).await?;
    Ok(())
}

async fn one(dataverse: &Dataverse, id: RecordId, operation: Operation) -> Result<Answer> {
    match dataverse.client.send(&[Part::One(operation)]).await?.pop() {
        Some(Reply::One(answer)) if answer.is_success() => Ok(answer),
        Some(Reply::One(answer)) => {
            let now = dataverse.client.clock().now();
            Err(refused(&answer, "file a message", Some(id.guid), now))
        }
        _ => Err(Error::new(ErrorKind::Unreachable, "there was no answer")),
    }
}
