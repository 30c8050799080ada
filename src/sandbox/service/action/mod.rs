//! Functions and actions: which name means what, on what it may be called, and how parameters are
//! read.

use super::message::{Method, Reply, Request};
use crate::sandbox::record::payload::Object;
use crate::sandbox::record::reference;
use crate::sandbox::refusal::{self, Refusal};
use crate::sandbox::schema::Table;
use crate::sandbox::store::Context;
use serde_json::{Value as Json, json};

mod access;
mod blocks;
mod calendar;
mod email;
mod filters;
mod multiple;

/// What a call is bound to.
#[derive(Debug)]
pub(super) enum Bound {
    Nothing,
    Table(&'static Table),
    Row(&'static Table, String),
}

/// A call as the path has it.
#[derive(Debug)]
pub(super) struct Call {
    pub bound: Bound,
    pub name: String,
    /// What stands between the parentheses.
    pub arguments: String,
}

/// Carries out a function or an action.
pub(super) fn call(
    context: &mut Context<'_>,
    request: &Request,
    call: &Call,
) -> Result<Reply, Refusal> {
    let done = match request.method {
        Method::Get => function(context, request, call)?,
        Method::Post => action(context, request, call)?,
        Method::Patch | Method::Put | Method::Delete => None,
    };
    done.ok_or_else(|| Refusal::no_resource(&call.name))
}

fn function(
    context: &mut Context<'_>,
    request: &Request,
    call: &Call,
) -> Result<Option<Reply>, Refusal> {
    let arguments = Arguments { request, text: &call.arguments };
    Ok(Some(match (call.name.as_str(), &call.bound) {
        ("WhoAmI", Bound::Nothing) => answer(
            request,
            "WhoAmIResponse",
            json!({
                "BusinessUnitId": context.caller.unit,
                "UserId": context.caller.id,
                "OrganizationId": context.organisation,
            }),
        ),
        ("RetrieveVersion", Bound::Nothing) => {
            answer(request, "RetrieveVersionResponse", json!({"Version": "9.2.25111.141"}))
        }
        ("CheckIncomingEmail", Bound::Nothing) => email::check_incoming(context, &arguments)?,
        ("CheckPromoteEmail", Bound::Nothing) => email::check_promote(context, &arguments)?,
        ("RetrieveUserPrivileges", Bound::Row(table, id)) if table.logical == "systemuser" => {
            access::user_privileges(context, request, id)?
        }
        ("RetrievePrincipalAccess", Bound::Row(table, id)) if table.logical == "systemuser" => {
            access::principal_access(context, &arguments, id)?
        }
        _ => return Ok(None),
    }))
}

fn action(
    context: &mut Context<'_>,
    request: &Request,
    call: &Call,
) -> Result<Option<Reply>, Refusal> {
    let body = request.object()?;
    match &call.bound {
        Bound::Nothing => unbound(context, request, &call.name, &body),
        Bound::Table(table) => on_table(context, request, &call.name, table, &body),
        Bound::Row(table, id) => on_row(context, request, &call.name, (table, id), &body),
    }
}

fn unbound(
    context: &mut Context<'_>,
    request: &Request,
    name: &str,
    body: &Object,
) -> Result<Option<Reply>, Refusal> {
    Ok(Some(match name {
        "GetTrackingTokenEmail" => email::tracking_token(context, request, body)?,
        "ResetUserFilters" => filters::reset(context, body)?,
        "Book" => calendar::book(context, request, body)?,
        "Reschedule" => calendar::reschedule(context, request, body)?,
        "AddRecurrence" => calendar::add_recurrence(context, request, body)?,
        "DeleteOpenInstances" => calendar::delete_open_instances(context, body)?,
        "GrantAccess" => access::grant(context, body)?,
        "RevokeAccess" => access::revoke(context, body)?,
        "InitializeAttachmentBlocksUpload" | "InitializeAnnotationBlocksUpload" => {
            blocks::start_upload(context, request, body)?
        }
        "UploadBlock" => blocks::upload(context, body)?,
        "CommitAttachmentBlocksUpload" => {
            blocks::commit(context, request, body, "activitymimeattachment")?
        }
        "CommitAnnotationBlocksUpload" => blocks::commit(context, request, body, "annotation")?,
        "InitializeAttachmentBlocksDownload" | "InitializeAnnotationBlocksDownload" => {
            blocks::start_download(context, request, body)?
        }
        "DownloadBlock" => blocks::download(context, request, body)?,
        _ => return Ok(None),
    }))
}

fn on_table(
    context: &mut Context<'_>,
    request: &Request,
    name: &str,
    table: &'static Table,
    body: &Object,
) -> Result<Option<Reply>, Refusal> {
    Ok(Some(match (name, table.logical) {
        ("DeliverIncomingEmail", "email") => email::deliver_incoming(context, request, body)?,
        ("CreateException", "appointment") => calendar::create_exception(context, request, body)?,
        ("CreateMultiple", _) => multiple::create(context, request, table, body)?,
        ("UpdateMultiple", _) => multiple::update(context, table, body)?,
        ("UpsertMultiple", _) => multiple::upsert(context, table, body)?,
        _ => return Ok(None),
    }))
}

fn on_row(
    context: &mut Context<'_>,
    request: &Request,
    name: &str,
    (table, id): (&'static Table, &str),
    body: &Object,
) -> Result<Option<Reply>, Refusal> {
    Ok(Some(match (name, table.logical) {
        ("SendEmail", "email") => email::send(context, request, id, body)?,
        ("DeliverPromoteEmail", "email") => email::deliver_promote(context, request, id, body)?,
        ("InstantiateFilters", "systemuser") => filters::instantiate(context, id, body)?,
        _ => return Ok(None),
    }))
}

/// A complex answer with its context.
fn answer(request: &Request, kind: &str, fields: Json) -> Reply {
    let mut body = Object::from_iter([(
        "@odata.context".to_owned(),
        format!("{}/$metadata#Microsoft.Dynamics.CRM.{kind}", request.base).into(),
    )]);
    if let Json::Object(fields) = fields {
        body.extend(fields);
    }
    Reply::json(200, &Json::Object(body))
}

/// The parameters of a function: literals in the parentheses, or aliases among the options.
#[derive(Debug)]
struct Arguments<'a> {
    request: &'a Request,
    text: &'a str,
}

impl Arguments<'_> {
    /// The value as it is spelled, without quotes around a string; `None` if missing or `null`.
    fn get(&self, name: &str) -> Option<String> {
        let mut quoted = false;
        let parts = self.text.split(move |letter: char| {
            quoted ^= letter == '\'';
            letter == ',' && !quoted
        });
        let value = parts
            .filter_map(|part| part.split_once('='))
            .find(|(known, _)| known.trim() == name)
            .map(|(_, value)| value.trim().to_owned())?;
        let value =
            if value.starts_with('@') { self.request.option(&value)?.to_owned() } else { value };
        match value.strip_prefix('\'') {
            Some(text) => text.strip_suffix('\'').map(|text| text.replace("''", "'")),
            None => (value != "null").then_some(value),
        }
    }

    /// The value, or 400 that names the parameter.
    fn need(&self, name: &str) -> Result<String, Refusal> {
        self.get(name).ok_or_else(|| missing(name))
    }
}

fn missing(name: &str) -> Refusal {
    Refusal::new(400, refusal::BAD_PAYLOAD, format!("The parameter '{name}' is missing or null."))
}

/// A text parameter of an action; null and missing are refused.
fn text<'a>(body: &'a Object, name: &str) -> Result<&'a str, Refusal> {
    body.get(name).and_then(Json::as_str).ok_or_else(|| missing(name))
}

/// An object parameter of an action.
fn object<'a>(body: &'a Object, name: &str) -> Result<&'a Object, Refusal> {
    body.get(name).and_then(Json::as_object).ok_or_else(|| missing(name))
}

/// A moment parameter of an action, in seconds.
fn moment(body: &Object, name: &str) -> Result<i64, Refusal> {
    crate::sandbox::clock::seconds(text(body, name)?).ok_or_else(|| {
        Refusal::argument(format!("The parameter '{name}' is not a DateTimeOffset."))
    })
}

/// The row that an object parameter names by its key column, `@odata.id` or nothing.
fn named(
    context: &Context<'_>,
    table: &'static Table,
    target: &Object,
) -> Result<Option<String>, Refusal> {
    if let Some(id) = target.get(table.id).and_then(Json::as_str) {
        return crate::sandbox::record::value::guid(id)
            .map(Some)
            .ok_or_else(|| Refusal::argument(format!("'{}' is not a GUID.", table.id)));
    }
    match target.get("@odata.id").and_then(Json::as_str) {
        Some(address) => {
            let (named, key) = reference::parse(address)?;
            if named.logical != table.logical {
                return Err(Refusal::argument(format!(
                    "'{address}' is not a row of '{}'.",
                    table.logical
                )));
            }
            reference::resolve(context, table, &key).map(Some)
        }
        None => Ok(None),
    }
}
