//! Reads: lists by `OData` options, `FetchXML`, saved or user query; single rows; single properties
//! and what a row is linked to.

use super::message::{Reply, Request};
use super::{delta, scoped, sql};
use crate::sandbox::query::{self, Page, Query, fetchxml, odata};
use crate::sandbox::record::reference::{self, Key};
use crate::sandbox::record::{etag, value};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::{self, Kind, Navigation, Table};
use crate::sandbox::security::Right;
use crate::sandbox::store::{self, Context, Row};
use base64::Engine as _;
use rusqlite::types::Value;
use serde_json::{Map, Value as Json, json};

/// Something of a row: a property, a navigation property, and what follows it.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub table: &'static Table,
    pub id: &'a str,
    pub name: &'a str,
    pub rest: &'a [String],
}

/// The rows of a table.
pub(super) fn list(
    context: &Context<'_>,
    request: &Request,
    table: &'static Table,
) -> Result<Reply, Refusal> {
    context.caller.require(Right::Read, table)?;
    if delta::wanted(request) {
        return delta::list(context, request, table);
    }
    if let Some(statement) = request.option("sql") {
        let options = sql::options(statement, table)?;
        return answer(context, request, &odata::parse(table, &options)?);
    }
    let named = |name: &str| {
        request
            .options
            .iter()
            .find(|(option, _)| option.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
    };
    let fetch = match (named("fetchXml"), named("savedQuery"), named("userQuery")) {
        (Some(fetch), _, _) => Some(fetch),
        (None, Some(id), _) => Some(stored(context, "savedquery", &id)?),
        (None, None, Some(id)) => Some(stored(context, "userquery", &id)?),
        (None, None, None) => None,
    };
    let query = match fetch {
        Some(fetch) => fetchxml::parse(&fetch)?,
        None => odata::parse(table, &request.options)?,
    };
    if query.table.logical != table.logical {
        let message = format!(
            "The entity '{}' of the query does not match the entity set '{}'.",
            query.table.logical, table.set
        );
        return Err(Refusal::new(400, "0x8006088a", message));
    }
    answer(context, request, &query)
}

/// The `FetchXML` of a saved or user query that the caller may read.
fn stored(context: &Context<'_>, logical: &str, id: &str) -> Result<String, Refusal> {
    let table = schema::table(logical).ok_or_else(|| Refusal::no_resource(logical))?;
    let id = value::guid(id.trim_matches(|letter| letter == '{' || letter == '}'))
        .ok_or_else(|| Refusal::argument("The id of the query is not a GUID."))?;
    let row = readable(context, table, &id)?;
    store::text(&row, "fetchxml")
        .map(str::to_owned)
        .ok_or_else(|| Refusal::argument("The query has no FetchXML."))
}

/// Runs a query and wraps its page.
fn answer(context: &Context<'_>, request: &Request, query: &Query) -> Result<Reply, Refusal> {
    let page = scoped(context, request, |scope| Ok(query::run(context.connection, query, scope)?))?;
    Ok(Reply::json(200, &envelope(request, query.table, page)))
}

fn envelope(request: &Request, table: &Table, page: Page) -> Json {
    let annotations = request.annotations();
    let mut body = Map::new();
    body.insert("@odata.context".into(), context_url(request, table, false).into());
    if let Some(count) = page.count {
        body.insert("@odata.count".into(), count.into());
        if annotations.wants("Microsoft.Dynamics.CRM.totalrecordcount") {
            body.insert("@Microsoft.Dynamics.CRM.totalrecordcount".into(), count.into());
            body.insert(
                "@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded".into(),
                false.into(),
            );
        }
    }
    if let Some(cookie) =
        page.cookie.filter(|_| annotations.wants("Microsoft.Dynamics.CRM.fetchxmlpagingcookie"))
    {
        body.insert("@Microsoft.Dynamics.CRM.fetchxmlpagingcookie".into(), cookie.into());
    }
    if annotations.wants("Microsoft.Dynamics.CRM.morerecords") {
        body.insert("@Microsoft.Dynamics.CRM.morerecords".into(), page.more.into());
    }
    body.insert("value".into(), page.rows.into_iter().map(Json::Object).collect());
    if let Some(link) = page.next_link {
        body.insert("@odata.nextLink".into(), link.into());
    }
    Json::Object(body)
}

fn context_url(request: &Request, table: &Table, single: bool) -> String {
    let selected =
        request.option("$select").map(|select| format!("({select})")).unwrap_or_default();
    let entity = if single { "/$entity" } else { "" };
    format!("{}/$metadata#{}{selected}{entity}", request.base, table.set)
}

/// `/$count`: a bare number.
pub(super) fn count(
    context: &Context<'_>,
    request: &Request,
    table: &'static Table,
) -> Result<Reply, Refusal> {
    context.caller.require(Right::Read, table)?;
    if request.option("$deltatoken").is_some() {
        return delta::count(context, request, table);
    }
    let query = odata::parse(table, &request.options)?;
    let count =
        scoped(context, request, |scope| Ok(query::count(context.connection, &query, scope)?))?;
    Ok(Reply::typed(200, "text/plain", count.to_string()))
}

/// One row.
pub(super) fn row(
    context: &Context<'_>,
    request: &Request,
    table: &'static Table,
    key: &Key,
) -> Result<Reply, Refusal> {
    let id = reference::resolve(context, table, key)?;
    let row = readable(context, table, &id)?;
    let version = etag(store::number(&row, "versionnumber").unwrap_or_default());
    let conditional = table.optimistic
        && request.option("$expand").is_none()
        && request.preference("odata.include-annotations").is_none();
    if conditional && request.header("if-none-match") == Some(version.as_str()) {
        return Ok(Reply { status: 304, ..Reply::default() });
    }
    let body = represent(context, request, table, &id)?;
    Ok(Reply::json(200, &Json::Object(body)).with("ETag", version))
}

/// A row as JSON with `$select` and `$expand` of the request.
pub(super) fn represent(
    context: &Context<'_>,
    request: &Request,
    table: &'static Table,
    id: &str,
) -> Result<Map<String, Json>, Refusal> {
    let found = scoped(context, request, |scope| {
        Ok(query::one(context.connection, table, id, &request.options, scope)?)
    })?;
    let row = found.ok_or_else(|| Refusal::missing(table.logical, id))?;
    let mut body = Map::new();
    body.insert("@odata.context".into(), context_url(request, table, true).into());
    body.extend(row);
    Ok(body)
}

/// The row as stored: 404 if there is none, 403 if the caller may not read it.
pub(super) fn readable(
    context: &Context<'_>,
    table: &'static Table,
    id: &str,
) -> Result<Row, Refusal> {
    context.caller.require(Right::Read, table)?;
    let row = context.existing(table, id)?;
    context.caller.check(context.connection, Right::Read, table, &row)?;
    Ok(row)
}

/// A property of a row, or what it is linked to.
pub(super) fn part(
    context: &Context<'_>,
    request: &Request,
    part: &Part<'_>,
) -> Result<Reply, Refusal> {
    let row = readable(context, part.table, part.id)?;
    let rest: Vec<&str> = part.rest.iter().map(String::as_str).collect();
    if let Some(navigation) = part.table.navigation(part.name) {
        return linked(context, request, &row, navigation, &rest);
    }
    if part.table.collection(part.name).is_some() {
        return collection(context, request, part, &rest);
    }
    let column = part
        .table
        .column(part.name)
        .filter(|column| column.read)
        .ok_or_else(|| Refusal::no_resource(part.name))?;
    if rest == ["$value"] {
        return Ok(raw(column.kind, row.get(part.name)));
    }
    if !rest.is_empty() || matches!(column.kind, Kind::Lookup { .. }) {
        return Err(Refusal::no_resource(part.name));
    }
    let request =
        Request { options: vec![("$select".to_owned(), part.name.to_owned())], ..request.clone() };
    let body = represent(context, &request, part.table, part.id)?;
    match body.get(part.name) {
        None | Some(Json::Null) => Ok(Reply::empty()),
        Some(value) => {
            let url =
                format!("{}/$metadata#{}({})/{}", request.base, part.table.set, part.id, part.name);
            Ok(Reply::json(200, &json!({"@odata.context": url, "value": value})))
        }
    }
}

/// `$value`: files come as their base64 text unless they are images.
fn raw(kind: Kind, value: Option<&Value>) -> Reply {
    match (kind, value) {
        (_, None | Some(Value::Null)) => Reply::empty(),
        (Kind::Binary, Some(Value::Text(text)))
            if text.starts_with("iVBOR") || text.starts_with("/9j/") =>
        {
            match base64::engine::general_purpose::STANDARD.decode(text) {
                Ok(bytes) => Reply::typed(200, "application/octet-stream", bytes),
                Err(_) => Reply::typed(200, "text/plain", text.clone()),
            }
        }
        (_, Some(Value::Text(text))) => Reply::typed(200, "text/plain", text.clone()),
        (_, Some(Value::Integer(number))) => Reply::typed(200, "text/plain", number.to_string()),
        (_, Some(Value::Real(_) | Value::Blob(_))) => Reply::empty(),
    }
}

fn linked(
    context: &Context<'_>,
    request: &Request,
    row: &Row,
    navigation: &Navigation,
    rest: &[&str],
) -> Result<Reply, Refusal> {
    let target = store::text(row, &format!("{}_type", navigation.column))
        .filter(|kind| navigation.targets.contains(kind))
        .and_then(schema::table);
    let (Some(target), Some(id)) = (target, store::text(row, navigation.column)) else {
        return Ok(Reply::empty());
    };
    match rest {
        ["$ref"] => Ok(Reply::json(
            200,
            &json!({
                "@odata.context": format!("{}/$metadata#$ref", request.base),
                "@odata.id": format!("{}/{}({id})", request.base, target.set),
            }),
        )),
        [] => {
            readable(context, target, id)?;
            represent(context, request, target, id)
                .map(|body| Reply::json(200, &Json::Object(body)))
        }
        _ => Err(Refusal::no_resource(&rest.join("/"))),
    }
}

fn collection(
    context: &Context<'_>,
    request: &Request,
    part: &Part<'_>,
    rest: &[&str],
) -> Result<Reply, Refusal> {
    let query = odata::parse_collection(part.table, part.id, part.name, &request.options)?;
    match rest {
        [] => answer(context, request, &query),
        ["$count"] => {
            let count = scoped(context, request, |scope| {
                Ok(query::count(context.connection, &query, scope)?)
            })?;
            Ok(Reply::typed(200, "text/plain", count.to_string()))
        }
        ["$ref"] => {
            let page = scoped(context, request, |scope| {
                Ok(query::run(context.connection, &query, scope)?)
            })?;
            let address = |row: &Map<String, Json>| {
                let id = row.get(query.table.id).and_then(Json::as_str).unwrap_or_default();
                json!({"@odata.id": format!("{}/{}({id})", request.base, query.table.set)})
            };
            let rows: Vec<Json> = page.rows.iter().map(address).collect();
            Ok(Reply::json(
                200,
                &json!({"@odata.context": format!("{}/$metadata#Collection($ref)", request.base), "value": rows}),
            ))
        }
        _ => Err(Refusal::no_resource(&rest.join("/"))),
    }
}
