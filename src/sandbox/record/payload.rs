//! From a JSON body to what it asks for: column values, links, clears and rows to be made along
//! with it. Names are case sensitive, as they are in the service; a name that the table does not
//! have is refused, a column not valid for the operation is dropped in silence.

use super::reference::{self, Key};
use super::value;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::{Collection, Kind, Navigation, Table};
use crate::sandbox::store::Row;
use rusqlite::types::Value;
use serde_json::{Map, Value as Json};

/// A JSON object.
pub type Object = Map<String, Json>;

/// Whether columns must be valid for create or for update. `Service` is the service writing for
/// itself: nothing is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Create,
    Update,
    Service,
}

/// A link to be made: which lookup, to a row of which tables.
#[derive(Debug, Clone)]
pub struct Link {
    pub column: &'static str,
    pub key: Key,
    /// The table that the address names.
    pub target: &'static Table,
}

/// What a body asks for.
#[derive(Debug, Default)]
pub struct Payload {
    /// Values by SQL column; cleared lookups are here too, with both their columns null.
    pub values: Row,
    pub links: Vec<Link>,
    /// Rows of collections, such as parties.
    pub children: Vec<(&'static Collection, Vec<Object>)>,
    /// A row to be made for a lookup.
    pub related: Vec<(&'static Navigation, Object)>,
}

impl Payload {
    /// Nothing that would change a row.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
            && self.links.is_empty()
            && self.children.is_empty()
            && self.related.is_empty()
    }

    /// Whether the only columns it names are among those.
    pub fn only(&self, columns: &[&str]) -> bool {
        self.children.is_empty()
            && self.related.iter().all(|(navigation, _)| columns.contains(&navigation.column))
            && self.links.iter().all(|link| columns.contains(&link.column))
            && self.values.keys().all(|name| columns.contains(&name.trim_end_matches("_type")))
    }
}

/// Reads a body for that table.
pub fn read(table: &'static Table, body: &Object, purpose: Purpose) -> Result<Payload, Refusal> {
    let mut payload = Payload::default();
    for (name, json) in body {
        if let Some(navigation) = name.strip_suffix("@odata.bind") {
            bind(table, navigation, json, purpose, &mut payload)?;
        } else if !name.contains('@') {
            property(table, name, json, purpose, &mut payload)?;
        }
    }
    Ok(payload)
}

fn property(
    table: &'static Table,
    name: &str,
    json: &Json,
    purpose: Purpose,
    payload: &mut Payload,
) -> Result<(), Refusal> {
    if let Some(column) =
        table.column(name).filter(|column| !matches!(column.kind, Kind::Lookup { .. }))
    {
        let valid = match purpose {
            Purpose::Create => column.create,
            Purpose::Update => column.update,
            Purpose::Service => true,
        };
        if valid {
            payload.values.insert(name.to_owned(), value::convert(table, column, json)?);
        }
        return Ok(());
    }
    if let Some(navigation) = table.navigation(name) {
        match json {
            Json::Null => clear(table, navigation, purpose, payload),
            Json::Object(row) => payload.related.push((navigation, row.clone())),
            _ => {
                return Err(Refusal::payload(
                    table,
                    format!("The property '{name}' must be an object, null or an '@odata.bind'."),
                ));
            }
        }
        return Ok(());
    }
    if let Some(collection) = table.collection(name) {
        let rows = json.as_array().and_then(|rows| {
            rows.iter().map(|row| row.as_object().cloned()).collect::<Option<Vec<_>>>()
        });
        let rows = rows.ok_or_else(|| {
            Refusal::payload(table, format!("The property '{name}' must be an array of objects."))
        })?;
        payload.children.push((collection, rows));
        return Ok(());
    }
    let lookup = name.strip_prefix('_').and_then(|name| name.strip_suffix("_value"));
    if lookup.is_some_and(|name| table.column(name).is_some()) {
        let reason = "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.";
        return Err(Refusal::payload(table, reason));
    }
    Err(Refusal::payload(
        table,
        format!(
            "Invalid property '{name}' was found in entity 'Microsoft.Dynamics.CRM.{}'.",
            table.logical
        ),
    ))
}

fn clear(
    table: &'static Table,
    navigation: &'static Navigation,
    purpose: Purpose,
    payload: &mut Payload,
) {
    if writable(table, navigation, purpose) {
        payload.values.insert(navigation.column.to_owned(), Value::Null);
        payload.values.insert(format!("{}_type", navigation.column), Value::Null);
    }
}

fn writable(table: &Table, navigation: &Navigation, purpose: Purpose) -> bool {
    table.column(navigation.column).is_some_and(|column| match purpose {
        Purpose::Create => column.create,
        Purpose::Update => column.update,
        Purpose::Service => true,
    })
}

fn bind(
    table: &'static Table,
    name: &str,
    json: &Json,
    purpose: Purpose,
    payload: &mut Payload,
) -> Result<(), Refusal> {
    let Some(navigation) = table.navigation(name) else {
        return Err(Refusal::payload(
            table,
            format!(
                "An undeclared property '{name}' which only has property annotations in the payload but no property value was found in the payload. \
                 In OData, only declared navigation properties and declared named streams can be represented as properties without values."
            ),
        ));
    };
    if json.is_null() {
        clear(table, navigation, purpose, payload);
        return Ok(());
    }
    let address = json
        .as_str()
        .ok_or_else(|| Refusal::payload(table, format!("'{name}@odata.bind' must be a string.")))?;
    let (target, key) = reference::parse(address)?;
    if !navigation.targets.contains(&target.logical) {
        let reason =
            format!("'{name}@odata.bind' cannot point to an entity of type '{}'.", target.logical);
        return Err(Refusal::payload(table, reason));
    }
    if writable(table, navigation, purpose) {
        payload.links.push(Link { column: navigation.column, key, target });
    }
    Ok(())
}
