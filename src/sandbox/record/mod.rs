//! Rows: create, update, upsert and delete with the rules of the service. It decides what a write
//! does and what refuses it; it knows neither HTTP nor how rows are shown.

use crate::sandbox::refusal::{self, Refusal};
use crate::sandbox::schema::{Kind, Navigation, Ownership, Table};
use crate::sandbox::security::Right;
use crate::sandbox::store::{self, Context, Row};
use rusqlite::types::Value;

pub mod cascade;
pub mod owner;
pub mod party;
pub mod payload;
pub mod recurrence;
pub mod reference;
pub mod rules;
pub mod series;
pub mod value;

use payload::{Link, Object, Payload, Purpose};

/// What a write demands of the row as it is, from `If-Match` and `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Whatever is there: a PATCH becomes an upsert.
    None,
    /// `If-Match: *`: the row must exist.
    Exists,
    /// `If-Match: W/"…"`: the row must have that version.
    Version(String),
    /// `If-None-Match: *`: the row must not exist.
    Absent,
}

/// What an upsert did, and to which row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    Created(String),
    Updated(String),
}

impl Done {
    /// The GUID of the row.
    pub fn id(&self) -> &str {
        match self {
            Self::Created(id) | Self::Updated(id) => id,
        }
    }
}

/// Makes a row. The GUID comes from `id` (the URL), else from the body, else from the service.
pub fn create(
    context: &mut Context<'_>,
    table: &'static Table,
    body: &Object,
    id: Option<&str>,
) -> Result<String, Refusal> {
    creatable(table)?;
    context.caller.require(Right::Create, table)?;
    let mut payload = payload::read(table, body, Purpose::Create)?;
    let own = store::text(&payload.values, table.id).map(str::to_owned);
    let id = match (id, own) {
        (Some(url), Some(own)) if url != own => {
            return Err(Refusal::argument(format!(
                "The id '{own}' in the body differs from the id '{url}' in the URL."
            )));
        }
        (Some(url), _) => url.to_owned(),
        (None, Some(own)) => own,
        (None, None) => context.counters.random.guid(),
    };
    payload.values.insert(table.id.to_owned(), Value::Text(id.clone()));
    let mut row = std::mem::take(&mut payload.values);
    connect(context, table, &payload.links, &mut row)?;
    for (navigation, related) in &payload.related {
        relate(context, table, navigation, related, &mut row)?;
    }
    if table.logical == "activitymimeattachment" || table.logical == "annotation" {
        party::acceptable(context, &row)?;
    }
    if table.ownership == Ownership::Parent {
        open_parent(context, &row)?;
    }
    finish_create(context, table, row, &payload)?;
    Ok(id)
}

/// A row without an owner of its own needs one to hang on, which the caller may write and which is
/// not closed.
fn open_parent(context: &Context<'_>, row: &Row) -> Result<(), Refusal> {
    let (parent, id) = cascade::parent(row).ok_or_else(|| {
        Refusal::argument("An attachment needs an activity to hang on (objectid).")
    })?;
    let above = context.existing(parent, id)?;
    context.caller.check(context.connection, Right::Write, parent, &above)?;
    if !rules::closed(parent, &above) {
        return Ok(());
    }
    let message = format!("The {} is closed: nothing can be attached to it.", parent.logical);
    Err(Refusal::new(400, refusal::INVALID_OPERATION, message))
}

/// Makes a row of columns that the service itself has set, with the same defaults and checks.
pub fn finish_create(
    context: &mut Context<'_>,
    table: &'static Table,
    mut row: Row,
    payload: &Payload,
) -> Result<(), Refusal> {
    owner::settle(context, table, &mut row)?;
    rules::complete(table, &mut row)?;
    let version = context.version();
    rules::stamp_created(context, &mut row, version);
    if table.ownership == Ownership::User {
        context.caller.check(context.connection, Right::Create, table, &row)?;
    }
    context.insert(table, &row)?;
    let id = store::text(&row, table.id).unwrap_or_default().to_owned();
    for (collection, rows) in &payload.children {
        party::add(context, table, &id, collection, rows)?;
    }
    if table.activity {
        party::keep_system_parties(context, table, &row)?;
    }
    if table.logical == "recurringappointmentmaster" {
        series::expand(context, &id)?;
    }
    if table.logical == "activitymimeattachment" {
        party::count_attachments(context, &row)?;
    }
    Ok(())
}

/// Changes a row that must exist.
pub fn update(
    context: &mut Context<'_>,
    table: &'static Table,
    id: &str,
    body: &Object,
    condition: &Condition,
) -> Result<(), Refusal> {
    creatable(table)?;
    let row = context.existing(table, id)?;
    context.caller.check(context.connection, Right::Write, table, &row)?;
    meets(table, &row, condition)?;
    let payload = payload::read(table, body, Purpose::Update)?;
    if let Some((collection, _)) = payload.children.first() {
        let reason =
            format!("Deep update of the collection '{}' is not supported.", collection.name);
        return Err(Refusal::payload(table, reason));
    }
    if payload.is_empty() {
        return Ok(());
    }
    rules::editable(table, &row, &payload)?;
    let mut changes = payload.values.clone();
    connect(context, table, &payload.links, &mut changes)?;
    for (navigation, related) in &payload.related {
        relate(context, table, navigation, related, &mut changes)?;
    }
    owner::reassign(context, table, &row, &mut changes)?;
    change(context, table, &row, changes)
}

/// Applies changes that were checked, with all that follows from them.
pub fn change(
    context: &mut Context<'_>,
    table: &'static Table,
    row: &Row,
    mut changes: Row,
) -> Result<(), Refusal> {
    let id = store::text(row, table.id).unwrap_or_default().to_owned();
    rules::transit(context, table, row, &mut changes)?;
    rules::derive(table, row, &mut changes)?;
    if table.logical == "appointment" {
        series::becomes_exception(row, &mut changes);
    }
    let version = context.version();
    rules::stamp_modified(context, &mut changes, version);
    context.update(table, &id, &changes)?;
    if table.activity
        && ["ownerid", "regardingobjectid"].iter().any(|name| changes.contains_key(*name))
    {
        let row = context.existing(table, &id)?;
        party::keep_system_parties(context, table, &row)?;
    }
    if table.logical == "recurringappointmentmaster" {
        series::expand(context, &id)?;
    }
    Ok(())
}

/// PATCH: update or create, as the condition allows.
pub fn upsert(
    context: &mut Context<'_>,
    table: &'static Table,
    key: &reference::Key,
    body: &Object,
    condition: &Condition,
) -> Result<Done, Refusal> {
    creatable(table)?;
    let (found, fresh) = match key {
        reference::Key::Guid(id) => (context.row(table, id)?.map(|_| id.clone()), Some(id.clone())),
        reference::Key::Alternate(pairs) => (reference::find(context, table, pairs)?, None),
    };
    match (found, condition) {
        (Some(_), Condition::Absent) => Err(Refusal::duplicate()),
        (Some(id), _) => update(context, table, &id, body, condition).map(|()| Done::Updated(id)),
        (None, Condition::Exists | Condition::Version(_)) => {
            context.caller.require(Right::Write, table)?;
            Err(match fresh {
                Some(id) => Refusal::missing(table.logical, &id),
                None => Refusal::missing_key(table.logical),
            })
        }
        (None, Condition::None | Condition::Absent) => {
            let mut body = body.clone();
            if let reference::Key::Alternate(pairs) = key {
                for (name, value) in pairs {
                    body.entry(name.clone()).or_insert_with(|| value.clone().into());
                }
            }
            create(context, table, &body, fresh.as_deref()).map(Done::Created)
        }
    }
}

/// Removes a row and what goes with it.
pub fn remove(
    context: &mut Context<'_>,
    table: &'static Table,
    id: &str,
    condition: &Condition,
) -> Result<(), Refusal> {
    if table.logical == "activitypointer" || table.logical == "activityparty" {
        return Err(unsupported("Delete", table));
    }
    let row = context.existing(table, id)?;
    context.caller.check(context.connection, Right::Delete, table, &row)?;
    meets(table, &row, condition)?;
    if table.logical == "appointment" && series::belongs(&row) {
        series::forget_instance(context, &row)?;
    }
    cascade::delete(context, table, id)
}

/// Refuses when the row is not as the condition says.
pub fn meets(table: &Table, row: &Row, condition: &Condition) -> Result<(), Refusal> {
    let Condition::Version(expected) = condition else { return Ok(()) };
    if !table.optimistic {
        let message =
            format!("Optimistic concurrency isn't enabled for entity type {}.", table.logical);
        return Err(Refusal::new(400, "0x8006088D", message));
    }
    let version = store::number(row, "versionnumber").unwrap_or_default();
    if etag(version) == *expected { Ok(()) } else { Err(Refusal::version()) }
}

/// `W/"…"` of a row version.
pub fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

/// Sets lookups from addresses: the rows must exist, and the caller must be allowed to attach to
/// them.
pub fn connect(
    context: &mut Context<'_>,
    table: &'static Table,
    links: &[Link],
    row: &mut Row,
) -> Result<(), Refusal> {
    for link in links {
        let id = reference::resolve(context, link.target, &link.key)?;
        let target = context.existing(link.target, &id)?;
        if link.column != "ownerid" && link.column != "partyid" {
            attachable(context, table, link.target, &target)?;
        }
        set_lookup(row, link.column, link.target.logical, &id);
    }
    Ok(())
}

/// Writes both columns of a lookup.
pub fn set_lookup(row: &mut Row, column: &str, target: &str, id: &str) {
    row.insert(column.to_owned(), Value::Text(id.to_owned()));
    row.insert(format!("{column}_type"), Value::Text(target.to_owned()));
}

fn attachable(
    context: &Context<'_>,
    table: &'static Table,
    target: &'static Table,
    row: &Row,
) -> Result<(), Refusal> {
    if target.ownership != Ownership::User {
        return Ok(());
    }
    context.caller.require(Right::Append, table)?;
    context.caller.check(context.connection, Right::AppendTo, target, row)
}

fn relate(
    context: &mut Context<'_>,
    table: &'static Table,
    navigation: &'static Navigation,
    body: &Object,
    row: &mut Row,
) -> Result<(), Refusal> {
    let [target] = navigation.targets.as_slice() else {
        return Err(Refusal::payload(
            table,
            format!("'{}' may only be set by '@odata.bind'.", navigation.name),
        ));
    };
    let target =
        crate::sandbox::schema::table(target).ok_or_else(|| Refusal::no_resource(target))?;
    let column = table
        .column(navigation.column)
        .filter(|column| column.create && matches!(column.kind, Kind::Lookup { .. }));
    if column.is_some() {
        let id = create(context, target, body, None)?;
        set_lookup(row, navigation.column, target.logical, &id);
    }
    Ok(())
}

fn creatable(table: &Table) -> Result<(), Refusal> {
    match table.logical {
        "activitypointer" | "activityparty" | "privilege" => Err(unsupported("Create", table)),
        _ => Ok(()),
    }
}

fn unsupported(message: &str, table: &Table) -> Refusal {
    let text =
        format!("The '{message}' method does not support entities of type '{}'.", table.logical);
    Refusal::new(400, refusal::UNSUPPORTED, text)
}
