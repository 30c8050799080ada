//! Privileges and shares: what a user may do, and giving or taking single rows.

use super::{Arguments, answer, named, object};
use crate::sandbox::record::payload::Object;
use crate::sandbox::record::{reference, value};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::{self, Table};
use crate::sandbox::security::{Caller, RIGHTS, Right};
use crate::sandbox::service::message::{Reply, Request};
use crate::sandbox::store::Context;
use rusqlite::{OptionalExtension, params};
use serde_json::{Value as Json, json};

/// `RetrieveUserPrivileges`
pub(super) fn user_privileges(
    context: &Context<'_>,
    request: &Request,
    id: &str,
) -> Result<Reply, Refusal> {
    let user = Caller::load(context.connection, id)?;
    let mut rows = Vec::new();
    for (name, depth) in user.privileges() {
        let privilege: Option<String> = context
            .connection
            .prepare_cached("SELECT privilegeid FROM privilege WHERE name = ?")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        rows.push(json!({"Depth": depth.name(), "PrivilegeId": privilege, "BusinessUnitId": user.unit, "PrivilegeName": name}));
    }
    Ok(answer(request, "RetrieveUserPrivilegesResponse", json!({"RolePrivileges": rows})))
}

/// `RetrievePrincipalAccess`
pub(super) fn principal_access(
    context: &Context<'_>,
    arguments: &Arguments<'_>,
    id: &str,
) -> Result<Reply, Refusal> {
    let target = arguments.need("Target")?;
    let target: Json = serde_json::from_str(&target.replace('\'', "\""))
        .map_err(|_| Refusal::argument("The parameter 'Target' is not an entity reference."))?;
    let address = target
        .get("@odata.id")
        .and_then(Json::as_str)
        .ok_or_else(|| Refusal::argument("The parameter 'Target' has no '@odata.id'."))?;
    let (table, key) = reference::parse(address)?;
    let row = context.existing(table, &reference::resolve(context, table, &key)?)?;
    let user = Caller::load(context.connection, id)?;
    let mut rights = Vec::new();
    for right in RIGHTS {
        let writes = right != Right::Read;
        if user.allows(context.connection, right, table, &row)? && !(writes && user.accessmode == 2)
        {
            rights.push(format!("{}Access", right.name()));
        }
    }
    let rights = if rights.is_empty() { "None".to_owned() } else { rights.join(", ") };
    Ok(answer(
        arguments.request,
        "RetrievePrincipalAccessResponse",
        json!({"AccessRights": rights}),
    ))
}

/// `GrantAccess`:
/// `{"Target": …, "PrincipalAccess": {"Principal": …, "AccessMask": "ReadAccess, WriteAccess"}}`
pub(super) fn grant(context: &mut Context<'_>, body: &Object) -> Result<Reply, Refusal> {
    let access = object(body, "PrincipalAccess")?;
    let principal = principal(context, object(access, "Principal")?)?;
    let names = super::text(access, "AccessMask")?;
    let mask = names.split(',').try_fold(0, |mask, name| {
        let name = name.trim();
        let right =
            RIGHTS.into_iter().find(|right| name.strip_suffix("Access") == Some(right.name()));
        right
            .map(|right| mask | right.flag())
            .ok_or_else(|| Refusal::argument(format!("'{name}' is not an access right.")))
    })?;
    let id = shareable(context, body)?;
    context
        .connection
        .prepare_cached(
            "INSERT OR REPLACE INTO share (objectid, principalid, rights) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![id, principal, mask])?;
    context.version();
    Ok(Reply::empty())
}

/// `RevokeAccess`: `{"Target": …, "Revokee": …}`
pub(super) fn revoke(context: &mut Context<'_>, body: &Object) -> Result<Reply, Refusal> {
    let principal = principal(context, object(body, "Revokee")?)?;
    let id = shareable(context, body)?;
    context
        .connection
        .prepare_cached("DELETE FROM share WHERE objectid = ?1 AND principalid = ?2")?
        .execute([id, principal])?;
    context.version();
    Ok(Reply::empty())
}

fn principal(context: &Context<'_>, object: &Object) -> Result<String, Refusal> {
    for logical in ["systemuser", "team"] {
        let table = table(logical)?;
        if object.contains_key(table.id)
            || object
                .get("@odata.id")
                .and_then(Json::as_str)
                .is_some_and(|id| id.contains(table.set))
        {
            return named(context, table, object)?.ok_or_else(|| super::missing("Principal"));
        }
    }
    Err(super::missing("Principal"))
}

/// The row to share; the caller must be allowed to share it.
fn shareable(context: &Context<'_>, body: &Object) -> Result<String, Refusal> {
    let target = object(body, "Target")?;
    let logical = target
        .get("@odata.type")
        .and_then(Json::as_str)
        .map(|kind| kind.trim_start_matches('#').trim_start_matches("Microsoft.Dynamics.CRM."));
    let (table, id) = match (logical, target.get("@odata.id").and_then(Json::as_str)) {
        (_, Some(address)) => {
            let (table, key) = reference::parse(address)?;
            (table, reference::resolve(context, table, &key)?)
        }
        (Some(logical), None) => {
            let table = table(logical)?;
            (
                table,
                target
                    .get(table.id)
                    .and_then(Json::as_str)
                    .and_then(value::guid)
                    .ok_or_else(|| super::missing("Target"))?,
            )
        }
        (None, None) => return Err(super::missing("Target")),
    };
    let row = context.existing(table, &id)?;
    context.caller.check(context.connection, Right::Share, table, &row)?;
    Ok(id)
}

fn table(logical: &str) -> Result<&'static Table, Refusal> {
    schema::table(logical).ok_or_else(|| Refusal::no_resource(logical))
}
