//! `CreateMultiple`, `UpdateMultiple`, `UpsertMultiple`: many rows of one table, all or nothing,
//! without etags.

use super::{answer, named};
use crate::sandbox::record::payload::Object;
use crate::sandbox::record::reference::{self, Key};
use crate::sandbox::record::{self, Condition};
use crate::sandbox::refusal::{self, Refusal};
use crate::sandbox::schema::Table;
use crate::sandbox::service::message::{Reply, Request};
use crate::sandbox::store::Context;
use serde_json::{Value as Json, json};

/// Rows of one call.
const MAX_TARGETS: usize = 1000;

/// `CreateMultiple`
pub(super) fn create(
    context: &mut Context<'_>,
    request: &Request,
    table: &'static Table,
    body: &Object,
) -> Result<Reply, Refusal> {
    let mut ids = Vec::new();
    for target in targets(table, body)? {
        ids.push(record::create(context, table, target, None)?);
    }
    Ok(answer(request, "CreateMultipleResponse", json!({"Ids": ids})))
}

/// `UpdateMultiple`
pub(super) fn update(
    context: &mut Context<'_>,
    table: &'static Table,
    body: &Object,
) -> Result<Reply, Refusal> {
    for target in targets(table, body)? {
        let id = named(context, table, target)?.ok_or_else(|| super::missing(table.id))?;
        record::update(context, table, &id, target, &Condition::Exists)?;
    }
    Ok(Reply::empty())
}

/// `UpsertMultiple`: a target is named by its key column or by `@odata.id`, which may hold an
/// alternate key.
pub(super) fn upsert(
    context: &mut Context<'_>,
    table: &'static Table,
    body: &Object,
) -> Result<Reply, Refusal> {
    for target in targets(table, body)? {
        let key = match target.get("@odata.id").and_then(Json::as_str) {
            Some(address) => Some(reference::parse(address)?.1),
            None => named(context, table, target)?.map(Key::Guid),
        };
        match key {
            Some(key) => {
                record::upsert(context, table, &key, target, &Condition::None).map(|_| ())?;
            }
            None => record::create(context, table, target, None).map(|_| ())?,
        }
    }
    Ok(Reply::empty())
}

fn targets<'a>(table: &Table, body: &'a Object) -> Result<Vec<&'a Object>, Refusal> {
    if table.logical == "email" || table.logical == "activitypointer" {
        let message =
            format!("The message is not supported for entities of type '{}'.", table.logical);
        return Err(Refusal::new(400, refusal::UNSUPPORTED, message));
    }
    let targets =
        body.get("Targets").and_then(Json::as_array).ok_or_else(|| super::missing("Targets"))?;
    if targets.is_empty() || targets.len() > MAX_TARGETS {
        return Err(Refusal::argument(format!("'Targets' must hold 1 to {MAX_TARGETS} rows.")));
    }
    let kind = format!("Microsoft.Dynamics.CRM.{}", table.logical);
    let target = |target: &'a Json| {
        let typed = target
            .get("@odata.type")
            .and_then(Json::as_str)
            .is_some_and(|named| named.trim_start_matches('#') == kind);
        target.as_object().filter(|_| typed).ok_or_else(|| {
            Refusal::payload(table, format!("Each of 'Targets' needs the '@odata.type' {kind}."))
        })
    };
    targets.iter().map(target).collect()
}
