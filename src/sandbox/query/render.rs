//! Rows as OData JSON: which property a column becomes, how its value is written, and the annotations that were asked for. It reads
//! one row after another and, for the formatted value of a lookup, the name of the row it points to.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde_json::{Map, Value as Json};

use super::{Annotations, Output, QueryError, Scope};
use crate::sandbox::schema::{self, Column, Kind, Table};

/// Renders the rows of one answer.
pub struct Renderer<'a> {
    connection: &'a Connection,
    scope: &'a Scope<'a>,
    /// Write empty columns as `null` instead of leaving them out.
    nulls: bool,
    /// Names of lookups that were read already, by table and id.
    names: BTreeMap<(String, String), Option<String>>,
}

impl std::fmt::Debug for Renderer<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Renderer").field("nulls", &self.nulls).finish_non_exhaustive()
    }
}

impl<'a> Renderer<'a> {
    /// A renderer that writes empty columns as `null`.
    pub fn new(connection: &'a Connection, scope: &'a Scope<'a>) -> Self {
        Self { connection, scope, nulls: true, names: BTreeMap::new() }
    }

    /// A renderer that leaves empty columns out, as answers to `FetchXML` do.
    pub fn without_nulls(connection: &'a Connection, scope: &'a Scope<'a>) -> Self {
        Self { nulls: false, ..Self::new(connection, scope) }
    }

    /// The properties of a row whose columns are the outputs in order; a lookup takes two columns, its GUID and its type.
    pub fn row(
        &mut self,
        outputs: &[Output],
        row: &Row<'_>,
    ) -> Result<Map<String, Json>, QueryError> {
        let mut object = Map::new();
        let mut position = 0;
        for output in outputs {
            let found = row.get_ref(position)?;
            position += 1;
            let mut target = None;
            if matches!(output.column.kind, Kind::Lookup { .. }) {
                target = row.get::<_, Option<String>>(position)?;
                position += 1;
            }
            let value = json(output.column, found);
            if value.is_null() && !self.nulls {
                continue;
            }
            if !value.is_null() {
                self.annotate(output, &value, target.as_deref(), &mut object)?;
            }
            object.insert(output.name.clone(), value);
        }
        Ok(object)
    }

    fn annotate(
        &mut self,
        output: &Output,
        value: &Json,
        target: Option<&str>,
        object: &mut Map<String, Json>,
    ) -> Result<(), QueryError> {
        let wanted = self.scope.annotations;
        let mut put = |annotation: &str, text: String| {
            object.insert(format!("{}@{annotation}", output.name), Json::String(text));
        };
        if let Some(target) = target {
            if wanted.wants(Annotations::LOOKUP) {
                put(Annotations::LOOKUP, target.to_owned());
            }
            if wanted.wants(Annotations::NAVIGATION)
                && let Some(name) = navigation(output.table, output.column, target)
            {
                put(Annotations::NAVIGATION, name.to_owned());
            }
        }
        if wanted.wants(Annotations::FORMATTED) {
            let formatted = match (target, value) {
                (Some(target), Json::String(id)) => self.name(target, id)?,
                _ => formatted(output.column, value),
            };
            if let Some(text) = formatted {
                put(Annotations::FORMATTED, text);
            }
        }
        Ok(())
    }

    /// The primary name of a row.
    fn name(&mut self, target: &str, id: &str) -> Result<Option<String>, QueryError> {
        let key = (target.to_owned(), id.to_owned());
        if let Some(known) = self.names.get(&key) {
            return Ok(known.clone());
        }
        let name = match schema::table(target) {
            None => None,
            Some(table) => {
                let sql = format!(
                    "SELECT \"t0\".\"{}\" FROM \"{}\" \"t0\" WHERE \"t0\".\"{}\" = ?1",
                    table.primary_name, table.logical, table.id
                );
                let mut statement = self.connection.prepare_cached(&sql)?;
                statement
                    .query_row([id], |row| row.get::<_, Option<String>>(0))
                    .optional()?
                    .flatten()
            }
        };
        self.names.insert(key, name.clone());
        Ok(name)
    }
}

/// The navigation property of a lookup that points to that table.
fn navigation(table: &'static Table, column: &Column, target: &str) -> Option<&'static str> {
    table
        .navigations
        .iter()
        .find(|navigation| navigation.column == column.name && navigation.targets.contains(&target))
        .map(|navigation| navigation.name.as_str())
}

/// A stored value as JSON.
fn json(column: &Column, stored: ValueRef<'_>) -> Json {
    match (column.kind, stored) {
        (_, ValueRef::Null) => Json::Null,
        (Kind::Boolean, ValueRef::Integer(number)) => Json::Bool(number != 0),
        (_, ValueRef::Integer(number)) => Json::from(number),
        (_, ValueRef::Real(number)) => Json::from(number),
        (_, ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => {
            Json::String(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}

/// What people read: labels, `Yes` and `No`, dates in the American order of the base language 1033, in UTC.
fn formatted(column: &Column, value: &Json) -> Option<String> {
    let number = || value.as_i64().and_then(|number| i32::try_from(number).ok());
    match column.kind {
        Kind::Picklist { options } | Kind::State { options } => {
            let number = number()?;
            options.iter().find(|option| option.0 == number).map(|option| option.1.to_owned())
        }
        Kind::Status { options } => {
            let number = number()?;
            options.iter().find(|option| option.0 == number).map(|option| option.2.to_owned())
        }
        Kind::Boolean => value.as_bool().map(|flag| if flag { "Yes" } else { "No" }.to_owned()),
        Kind::DateTime => {
            let moment = value.as_str()?.parse::<jiff::Timestamp>().ok()?;
            Some(moment.strftime("%-m/%-d/%Y %-I:%M %p").to_string())
        }
        Kind::Date => {
            let day = value.as_str()?.parse::<jiff::civil::Date>().ok()?;
            Some(day.strftime("%-m/%-d/%Y").to_string())
        }
        Kind::EntityName => schema::table(value.as_str()?).map(|table| table.schema.to_owned()),
        Kind::Key
        | Kind::Guid
        | Kind::Text { .. }
        | Kind::Memo { .. }
        | Kind::Integer { .. }
        | Kind::BigInt
        | Kind::Lookup { .. }
        | Kind::Binary => None,
    }
}
