//! Writes: create, upsert, delete, single properties, links and whole collections of parties.

use super::message::{Method, Reply, Request};
use super::read::{self, Part};
use crate::sandbox::record::payload::Object;
use crate::sandbox::record::reference::{self, Key};
use crate::sandbox::record::{self, Condition, Done, cascade, party};
use crate::sandbox::refusal::{self, Refusal};
use crate::sandbox::schema::{self, Collection, Kind, Navigation, Table};
use crate::sandbox::store::{Context, quoted};
use rusqlite::OptionalExtension;
use serde_json::{Value as Json, json};

/// `POST /contacts`
pub(super) fn create(
    context: &mut Context<'_>,
    request: &Request,
    table: &'static Table,
) -> Result<Reply, Refusal> {
    let body = request.object()?;
    no_duplicate(context, request, table, &body, None)?;
    let id = record::create(context, table, &body, None)?;
    written(context, request, table, &Done::Created(id))
}

/// `PATCH /contacts(…)`
pub(super) fn patch(
    context: &mut Context<'_>,
    request: &Request,
    table: &'static Table,
    key: &Key,
) -> Result<Reply, Refusal> {
    let body = request.object()?;
    let own = if let Key::Guid(id) = key { Some(id.as_str()) } else { None };
    no_duplicate(context, request, table, &body, own)?;
    let done = record::upsert(context, table, key, &body, &request.condition())?;
    written(context, request, table, &done)
}

fn written(
    context: &Context<'_>,
    request: &Request,
    table: &'static Table,
    done: &Done,
) -> Result<Reply, Refusal> {
    let address = format!("{}/{}({})", request.base, table.set, done.id());
    let reply = if request.preference("return").as_deref() == Some("representation") {
        let body = read::represent(context, request, table, done.id())?;
        let status = if matches!(done, Done::Created(_)) { 201 } else { 200 };
        let version = body.get("@odata.etag").and_then(Json::as_str).unwrap_or_default().to_owned();
        Reply::json(status, &Json::Object(body))
            .with("ETag", version)
            .with("Preference-Applied", "return=representation")
    } else {
        Reply::empty()
    };
    Ok(reply.with("Location", address.clone()).with("OData-EntityId", address))
}

/// Duplicate detection is off unless the caller turns it on.
fn no_duplicate(
    context: &Context<'_>,
    request: &Request,
    table: &Table,
    body: &Object,
    own: Option<&str>,
) -> Result<(), Refusal> {
    let wanted = request
        .header("mscrm.suppressduplicatedetection")
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
    let address =
        body.get("emailaddress1").and_then(Json::as_str).filter(|address| !address.is_empty());
    let (true, true, Some(address)) = (wanted, table.duplicates, address) else { return Ok(()) };
    let sql = format!(
        "SELECT {id} FROM {} WHERE emailaddress1 = ?1 COLLATE NOCASE AND {id} <> ?2 LIMIT 1",
        quoted(table.logical),
        id = table.id
    );
    let found: Option<String> = context
        .connection
        .prepare_cached(&sql)?
        .query_row([address, own.unwrap_or_default()], |row| row.get(0))
        .optional()?;
    match found {
        None => Ok(()),
        Some(_) => Err(Refusal::new(
            500,
            "0x80040333",
            "A record was not created or updated because a duplicate of the current record already exists.",
        )),
    }
}

/// `DELETE /contacts(…)`
pub(super) fn delete(
    context: &mut Context<'_>,
    request: &Request,
    table: &'static Table,
    key: &Key,
) -> Result<Reply, Refusal> {
    if !cascade::removable(table) {
        return Err(Refusal::new(
            400,
            refusal::UNSUPPORTED,
            format!("The 'Delete' method does not support entities of type '{}'.", table.logical),
        ));
    }
    let id = reference::resolve(context, table, key)?;
    record::remove(context, table, &id, &request.condition())?;
    Ok(Reply::empty())
}

/// Writes to something of a row.
pub(super) fn part(
    context: &mut Context<'_>,
    request: &Request,
    part: &Part<'_>,
) -> Result<Reply, Refusal> {
    let rest: Vec<&str> = part.rest.iter().map(String::as_str).collect();
    if let Some(collection) = part.table.collection(part.name) {
        return into_collection(context, request, part, collection, &rest);
    }
    if let Some(navigation) = part.table.navigation(part.name) {
        return link(context, request, part, navigation, &rest);
    }
    let (name, _) = super::target::parenthesised(part.name);
    if let Some(collection) = part.table.collection(name) {
        return unlink_child(context, request, part, collection, &rest);
    }
    let column =
        part.table.column(part.name).filter(|column| !matches!(column.kind, Kind::Lookup { .. }));
    let column = column.ok_or_else(|| Refusal::no_resource(part.name))?;
    let value = match request.method {
        Method::Delete => Json::Null,
        Method::Put => request
            .object()?
            .get("value")
            .cloned()
            .ok_or_else(|| Refusal::argument("The body has no 'value'."))?,
        Method::Get | Method::Post | Method::Patch => return Err(Refusal::no_resource(part.name)),
    };
    let body = Object::from_iter([(column.name.to_owned(), value)]);
    record::update(context, part.table, part.id, &body, &existing(&request.condition()))?;
    Ok(Reply::empty())
}

/// A property write never creates the row.
fn existing(condition: &Condition) -> Condition {
    match condition {
        Condition::None => Condition::Exists,
        other => other.clone(),
    }
}

fn into_collection(
    context: &mut Context<'_>,
    request: &Request,
    part: &Part<'_>,
    collection: &Collection,
    rest: &[&str],
) -> Result<Reply, Refusal> {
    let parties = collection.table == "activityparty" && part.table.activity;
    match (request.method, rest) {
        (Method::Put, []) if parties => {
            let body = request.object()?;
            let rows = body.get("value").and_then(Json::as_array).and_then(|rows| {
                rows.iter().map(|row| row.as_object().cloned()).collect::<Option<Vec<_>>>()
            });
            let rows = rows.ok_or_else(|| {
                Refusal::payload(part.table, "The property 'value' must be an array of objects.")
            })?;
            party::replace(context, part.table, part.id, &rows)?;
            Ok(Reply::empty())
        }
        (Method::Put, []) => Err(Refusal::new(
            405,
            "0x80060888",
            "Only collections of activityparty can be replaced.",
        )),
        (Method::Post, []) if parties => {
            let id = party::append(context, part.table, part.id, &request.object()?)?;
            Ok(Reply::empty()
                .with("OData-EntityId", format!("{}/activityparties({id})", request.base)))
        }
        (Method::Post, []) => {
            let table = schema::table(collection.table)
                .ok_or_else(|| Refusal::no_resource(collection.table))?;
            let navigation = back(table, part.table, collection)?;
            let mut body = request.object()?;
            body.insert(
                format!("{}@odata.bind", navigation.name),
                format!("/{}({})", part.table.set, part.id).into(),
            );
            let id = record::create(context, table, &body, None)?;
            written(context, request, table, &Done::Created(id))
        }
        (Method::Post, ["$ref"]) => {
            let body = request.object()?;
            let address = body
                .get("@odata.id")
                .and_then(Json::as_str)
                .ok_or_else(|| Refusal::argument("The body has no '@odata.id'."))?;
            let (table, key) = reference::parse(address)?;
            let id = reference::resolve(context, table, &key)?;
            let navigation = back(table, part.table, collection)?;
            let body = json!({format!("{}@odata.bind", navigation.name): format!("/{}({})", part.table.set, part.id)});
            record::update(
                context,
                table,
                &id,
                body.as_object().unwrap_or(&Object::new()),
                &Condition::Exists,
            )?;
            Ok(Reply::empty())
        }
        (Method::Delete, ["$ref"]) => {
            let address = request
                .option("$id")
                .ok_or_else(|| Refusal::argument("The option '$id' is missing."))?;
            let (table, key) = reference::parse(address)?;
            let id = reference::resolve(context, table, &key)?;
            loosen(context, part, collection, &id)
        }
        _ => Err(Refusal::no_resource(part.name)),
    }
}

/// `DELETE /accounts(…)/contact_customer_accounts(…)/$ref`
fn unlink_child(
    context: &mut Context<'_>,
    request: &Request,
    part: &Part<'_>,
    collection: &Collection,
    rest: &[&str],
) -> Result<Reply, Refusal> {
    let (_, inner) = super::target::parenthesised(part.name);
    let id = inner.and_then(record::value::guid);
    match (request.method, rest, id) {
        (Method::Delete, ["$ref"], Some(id)) => loosen(context, part, collection, &id),
        _ => Err(Refusal::no_resource(part.name)),
    }
}

fn loosen(
    context: &mut Context<'_>,
    part: &Part<'_>,
    collection: &Collection,
    id: &str,
) -> Result<Reply, Refusal> {
    let table =
        schema::table(collection.table).ok_or_else(|| Refusal::no_resource(collection.table))?;
    let navigation = back(table, part.table, collection)?;
    let body = Object::from_iter([(navigation.name.clone(), Json::Null)]);
    record::update(context, table, id, &body, &Condition::Exists)?;
    Ok(Reply::empty())
}

/// The navigation property of the child that leads back to the parent.
fn back(
    table: &'static Table,
    parent: &Table,
    collection: &Collection,
) -> Result<&'static Navigation, Refusal> {
    let found = table.navigations.iter().find(|navigation| {
        navigation.column == collection.key && navigation.targets.contains(&parent.logical)
    });
    found.ok_or_else(|| Refusal::no_resource(collection.name))
}

/// `PUT` and `DELETE` of `/contacts(…)/parentcustomerid_account/$ref`
fn link(
    context: &mut Context<'_>,
    request: &Request,
    part: &Part<'_>,
    navigation: &Navigation,
    rest: &[&str],
) -> Result<Reply, Refusal> {
    let body = match (request.method, rest) {
        (Method::Put, ["$ref"]) => {
            let body = request.object()?;
            let address = body
                .get("@odata.id")
                .cloned()
                .ok_or_else(|| Refusal::argument("The body has no '@odata.id'."))?;
            Object::from_iter([(format!("{}@odata.bind", navigation.name), address)])
        }
        (Method::Delete, ["$ref"]) => Object::from_iter([(navigation.name.clone(), Json::Null)]),
        _ => return Err(Refusal::no_resource(part.name)),
    };
    record::update(context, part.table, part.id, &body, &existing(&request.condition()))?;
    Ok(Reply::empty())
}
