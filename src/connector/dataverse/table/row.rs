//! One row on the wire: its values as requests, and answers as values. It must not know which rows there are.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::super::batch::{Answer, Method, Operation as Sent};
use super::super::error::refused;
use super::super::odata::{self, FORMATTED, LOOKUP_TABLE};
use crate::connector::records::{Action, Definition, Found, Kind, Operation, Outcome};
use crate::connector::{Error, ErrorKind, Result};
use crate::model::row::{self, RowId, Values};

/// The columns of a query for whole rows, by their logical names.
pub fn columns(definition: &Definition) -> Vec<String> {
    let own = [definition.id.clone(), "versionnumber".to_owned()];
    own.into_iter().chain(definition.kept().map(|(name, _)| name.to_owned())).collect()
}

/// A row of an answer; `None` where it has no id or version.
pub fn read(definition: &Definition, row: &Map<String, Json>) -> Option<Found> {
    let id = odata::guid(row, &definition.id)?;
    let version = odata::row_version(row)?;
    let mut values = Values::new();
    for (name, column) in definition.kept() {
        let value = match &column.kind {
            Kind::Lookup { targets } => lookup(row, name, targets.keys().next()),
            _ => row.get(name).filter(|value| !value.is_null()).cloned(),
        };
        if let Some(value) = value {
            values.insert(name.to_owned(), value);
        }
    }
    Some(Found { id, version, values })
}

fn lookup(row: &Map<String, Json>, name: &str, only: Option<&String>) -> Option<Json> {
    let key = format!("_{name}_value");
    let id = odata::lookup(row, name)?;
    let annotation = |what: &str| {
        let found = row.get(&format!("{key}{what}")).or_else(|| row.get(&format!("{name}{what}")));
        found.and_then(Json::as_str)
    };
    let table = annotation(LOOKUP_TABLE).or(only.map(String::as_str))?;
    Some(row::lookup(&RowId::new(table, id), annotation(FORMATTED)))
}

/// The request of an operation.
pub fn request(definition: &Definition, operation: &Operation) -> Sent {
    let path = format!("{}({})", definition.set, operation.row.id);
    // The answer to a write is the new version and nothing else.
    let briefly = format!("{path}?$select={}", definition.id);
    let matching = |sent: Sent, version: &str| {
        let tag = if definition.versioned { odata::etag(version) } else { "*".to_owned() };
        sent.header("If-Match", tag)
    };
    match &operation.action {
        Action::Read => odata::get(format!("{path}?$select={}", selected(definition))),
        Action::Create(values) => Sent::new(Method::Patch, briefly)
            .header("If-None-Match", "*")
            .header("Prefer", "return=representation")
            .body(&body(definition, values)),
        Action::Update { version, values } => matching(Sent::new(Method::Patch, briefly), version)
            .header("Prefer", "return=representation")
            .body(&body(definition, values)),
        Action::Delete { version } => matching(Sent::new(Method::Delete, path), version),
    }
}

fn selected(definition: &Definition) -> String {
    let spelled = |(name, column): (&str, &_)| match column {
        crate::connector::records::Column { kind: Kind::Lookup { .. }, .. } => {
            format!("_{name}_value")
        }
        _ => name.to_owned(),
    };
    let names: Vec<String> =
        [definition.id.clone()].into_iter().chain(definition.kept().map(spelled)).collect();
    names.join(",")
}

/// Lookups are set by the name of the lookup for that table, and cleared by any of them.
/// <https://learn.microsoft.com/power-apps/developer/data-platform/webapi/associate-disassociate-entities-using-web-api>
fn body(definition: &Definition, values: &Values) -> Json {
    let mut body = Map::new();
    for (name, value) in values {
        let Some(Kind::Lookup { targets }) =
            definition.columns.get(name).map(|column| &column.kind)
        else {
            body.insert(name.clone(), value.clone());
            continue;
        };
        match row::target(value) {
            Some(to) => {
                if let Some(target) = targets.get(&to.table) {
                    let bind = format!("{}@odata.bind", target.navigation);
                    body.insert(bind, format!("/{}({})", target.set, to.id).into());
                }
            }
            None => {
                if let Some(target) = targets.values().next() {
                    body.insert(format!("{}@odata.bind", target.navigation), Json::Null);
                }
            }
        }
    }
    Json::Object(body)
}

/// What an answer says.
///
/// # Errors
/// The refusal, by its kind: [`ErrorKind::Missing`] only when it was said of this very row.
pub fn outcome(
    definition: &Definition,
    operation: &Operation,
    answer: &Answer,
    now: Timestamp,
) -> Result<Outcome> {
    let doing = match &operation.action {
        Action::Read => "read",
        Action::Create(_) => "create",
        Action::Update { .. } => "change",
        Action::Delete { .. } => "delete",
    };
    if !answer.is_success() {
        let doing = format!("{doing} {}", definition.logical);
        let error = refused(answer, &doing, Some(operation.row.id), now);
        let is_create = matches!(operation.action, Action::Create(_));
        return Err(match error.kind {
            // A create that names a version means that the row is there already.
            ErrorKind::Stale if is_create => Error::new(ErrorKind::Exists, error.message),
            // What a new row refers to is not there: the row itself cannot be missing.
            ErrorKind::Missing if is_create => Error::new(ErrorKind::Rejected, error.message),
            _ => error,
        });
    }
    let unclear = || Error::new(ErrorKind::Malformed, format!("{doing}: the answer is unclear"));
    let json = || match answer.json() {
        Some(Json::Object(row)) => Some(row),
        _ => None,
    };
    match &operation.action {
        Action::Delete { .. } => Ok(Outcome::Deleted),
        Action::Read => {
            let found = json().and_then(|row| read(definition, &row)).ok_or_else(unclear)?;
            Ok(Outcome::Read(found))
        }
        Action::Create(_) | Action::Update { .. } => {
            let version = json().and_then(|row| odata::row_version(&row));
            let tag = || answer.header("etag").map(|tag| odata::etag_value(tag).to_owned());
            version.or_else(tag).map(Outcome::Written).ok_or_else(unclear)
        }
    }
}
