//! Files in blocks: upload and download of attachments and notes that are too large for one body. A
//! finished upload makes a new row; it never changes one.

use super::{answer, named, object, text};
use crate::sandbox::record::payload::Object;
use crate::sandbox::record::{self, rules};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::{self, Table};
use crate::sandbox::security::Right;
use crate::sandbox::service::message::{Reply, Request};
use crate::sandbox::store::{self, Context};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{OptionalExtension, params};
use serde_json::{Value as Json, json};

/// Decoded bytes of one block.
const MAX_BLOCK: usize = 4 * 1024 * 1024;
const MAX_BLOCK_ID: usize = 64;

/// `InitializeAttachmentBlocksUpload`
pub(super) fn start_upload(
    context: &mut Context<'_>,
    request: &Request,
    body: &Object,
) -> Result<Reply, Refusal> {
    let target = object(body, "Target")?;
    let token = remember(context, &Json::Object(target.clone()))?;
    Ok(answer(
        request,
        "InitializeAttachmentBlocksUploadResponse",
        json!({"FileContinuationToken": token}),
    ))
}

/// `UploadBlock`
pub(super) fn upload(context: &mut Context<'_>, body: &Object) -> Result<Reply, Refusal> {
    let (token, block, data) =
        (text(body, "FileContinuationToken")?, text(body, "BlockId")?, text(body, "BlockData")?);
    target(context, token)?;
    if STANDARD.decode(block).ok().is_none_or(|id| id.is_empty() || id.len() > MAX_BLOCK_ID) {
        return Err(Refusal::argument("The BlockId must be base64 of 1 to 64 bytes."));
    }
    let bytes =
        STANDARD.decode(data).map_err(|_| Refusal::argument("The BlockData is not base64."))?;
    if bytes.len() > MAX_BLOCK {
        return Err(Refusal::new(413, "0x80090005", "A block may have at most 4 MB."));
    }
    context
        .connection
        .prepare_cached(
            "INSERT OR REPLACE INTO upload_block (token, block, data) VALUES (?1, ?2, ?3)",
        )?
        .execute([token, block, data])?;
    context.version();
    Ok(Reply::empty())
}

/// `CommitAttachmentBlocksUpload` and `CommitAnnotationBlocksUpload`
pub(super) fn commit(
    context: &mut Context<'_>,
    request: &Request,
    body: &Object,
    logical: &str,
) -> Result<Reply, Refusal> {
    let token = text(body, "FileContinuationToken")?.to_owned();
    let mut row = target(context, &token)?;
    row.extend(object(body, "Target")?.clone());
    let blocks = body
        .get("BlockList")
        .and_then(Json::as_array)
        .ok_or_else(|| super::missing("BlockList"))?;
    let mut bytes = Vec::new();
    for block in blocks {
        let data: Option<String> = context
            .connection
            .prepare_cached("SELECT data FROM upload_block WHERE token = ?1 AND block = ?2")?
            .query_row(params![token, block.as_str().unwrap_or_default()], |row| row.get(0))
            .optional()?;
        let data = data.ok_or_else(|| {
            Refusal::argument("The BlockList names a block that was not uploaded.")
        })?;
        bytes.extend(
            STANDARD.decode(data).map_err(|_| Refusal::argument("A block is not base64."))?,
        );
    }
    let table = table(logical)?;
    let column = if logical == "annotation" { "documentbody" } else { "body" };
    row.insert(column.to_owned(), STANDARD.encode(&bytes).into());
    if row.remove(table.id).is_some_and(|id| id.as_str().is_some_and(|id| !id.is_empty())) {
        return Err(Refusal::argument(
            "An upload in blocks makes a new row; it cannot change one.",
        ));
    }
    let id = record::create(context, table, &row, None)?;
    forget(context, &token)?;
    let name = if logical == "annotation" { "AnnotationId" } else { "ActivityMimeAttachmentId" };
    Ok(answer(
        request,
        "CommitAttachmentBlocksUploadResponse",
        json!({name: id, "FileSizeInBytes": bytes.len()}),
    ))
}

/// `InitializeAttachmentBlocksDownload`
pub(super) fn start_download(
    context: &mut Context<'_>,
    request: &Request,
    body: &Object,
) -> Result<Reply, Refusal> {
    let wanted = object(body, "Target")?;
    let logical =
        if wanted.contains_key("annotationid") { "annotation" } else { "activitymimeattachment" };
    let table = table(logical)?;
    let id = named(context, table, wanted)?.ok_or_else(|| super::missing(table.id))?;
    let row = context.existing(table, &id)?;
    context.caller.check(context.connection, Right::Read, table, &row)?;
    let token = remember(context, &json!({"table": logical, "id": id}))?;
    let size = file(&row).map_or(0, rules::decoded_size);
    Ok(answer(
        request,
        "InitializeAttachmentBlocksDownloadResponse",
        json!({
            "FileContinuationToken": token,
            "FileSizeInBytes": size,
            "FileName": store::text(&row, "filename"),
            "IsChunkingSupported": true,
        }),
    ))
}

/// `DownloadBlock`
pub(super) fn download(
    context: &mut Context<'_>,
    request: &Request,
    body: &Object,
) -> Result<Reply, Refusal> {
    let wanted = target(context, text(body, "FileContinuationToken")?)?;
    let named = |name: &str| {
        wanted
            .get(name)
            .and_then(Json::as_str)
            .ok_or_else(|| Refusal::argument("The token is not one of a download."))
    };
    let table = table(named("table")?)?;
    let row = context.existing(table, named("id")?)?;
    let number = |name: &str| {
        body.get(name).and_then(Json::as_u64).and_then(|number| usize::try_from(number).ok())
    };
    let offset = number("Offset").unwrap_or(0);
    let length = number("BlockLength").unwrap_or(MAX_BLOCK).min(MAX_BLOCK);
    let bytes = STANDARD.decode(file(&row).unwrap_or_default()).unwrap_or_default();
    let block: Vec<u8> = bytes.into_iter().skip(offset).take(length).collect();
    Ok(answer(request, "DownloadBlockResponse", json!({"Data": STANDARD.encode(block)})))
}

fn file(row: &store::Row) -> Option<&str> {
    store::text(row, "body").or_else(|| store::text(row, "documentbody"))
}

fn table(logical: &str) -> Result<&'static Table, Refusal> {
    schema::table(logical).ok_or_else(|| Refusal::no_resource(logical))
}

fn remember(context: &mut Context<'_>, target: &Json) -> Result<String, Refusal> {
    let token = context.counters.random.guid();
    context
        .connection
        .prepare_cached("INSERT INTO upload (token, target) VALUES (?1, ?2)")?
        .execute(params![token, target.to_string()])?;
    context.version();
    Ok(token)
}

fn target(context: &Context<'_>, token: &str) -> Result<Object, Refusal> {
    let target: Option<String> = context
        .connection
        .prepare_cached("SELECT target FROM upload WHERE token = ?")?
        .query_row([token], |row| row.get(0))
        .optional()?;
    let target = target.and_then(|target| serde_json::from_str(&target).ok());
    target.ok_or_else(|| Refusal::argument("The FileContinuationToken is unknown."))
}

fn forget(context: &Context<'_>, token: &str) -> Result<(), Refusal> {
    context.connection.prepare_cached("DELETE FROM upload WHERE token = ?")?.execute([token])?;
    context
        .connection
        .prepare_cached("DELETE FROM upload_block WHERE token = ?")?
        .execute([token])?;
    Ok(())
}
