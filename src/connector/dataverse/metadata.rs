//! What the organisation says about its tables: set names, columns, lengths, states. Asked at run time, in one request, and
//! made to be kept for a day. It must not know records.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api>

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::batch::{Answer, Method, Operation, Reply};
use super::error::refused;
use super::odata::rows;
use crate::connector::{Error, ErrorKind, Result};
use crate::model::Table;
use crate::model::record::State;

/// The tables of one organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Whose tables these are: a copy of another organisation is worth nothing.
    organisation: String,
    tables: BTreeMap<String, TableMetadata>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TableMetadata {
    /// The name in URLs.
    pub entity_set: String,
    /// Whether the service checks `If-Match` (`IsOptimisticConcurrencyEnabled`).
    pub versioned: bool,
    pub columns: BTreeMap<String, Column>,
    /// The status that belongs to each state by default.
    default_status: BTreeMap<i32, i32>,
    /// The state that each status belongs to.
    state_of: BTreeMap<i32, i32>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// `AttributeType`: `String`, `Lookup`, `PartyList`, …
    pub kind: String,
    pub create: bool,
    pub update: bool,
    pub read: bool,
    /// The longest text, in UTF-16 units.
    pub length: Option<usize>,
}

impl Metadata {
    /// What was kept of an earlier run; `None` when it is of another organisation, another version of this program, or broken.
    pub fn kept(json: &Json, organisation: Uuid) -> Option<Self> {
        let metadata: Self = serde_json::from_value(json.clone()).ok()?;
        let whole =
            Table::ALL.iter().all(|table| metadata.tables.contains_key(table.logical_name()));
        (metadata.organisation == organisation.to_string() && whole).then_some(metadata)
    }

    /// To be kept, at most for a day.
    pub fn to_json(&self) -> Json {
        serde_json::to_value(self).unwrap_or(Json::Null)
    }

    /// The questions to ask: five for each table.
    pub fn questions() -> Vec<Operation> {
        Table::ALL.into_iter().flat_map(questions_about).collect()
    }

    /// What the answers to [`Metadata::questions`] say.
    ///
    /// # Errors
    /// When a table or its lengths could not be read, or the answers make no sense.
    pub fn read(organisation: Uuid, replies: &[Reply], now: Timestamp) -> Result<Self> {
        let mut tables = BTreeMap::new();
        for (table, replies) in Table::ALL.into_iter().zip(replies.chunks(QUESTIONS)) {
            let [
                Reply::One(columns),
                Reply::One(texts),
                Reply::One(memos),
                Reply::One(states),
                Reply::One(statuses),
            ] = replies
            else {
                return Err(unclear(table));
            };
            let mut metadata = table_metadata(table, object(table, columns, now)?)?;
            for answer in [texts, memos] {
                add_lengths(&mut metadata, &list(table, answer, now)?);
            }
            // Not every service tells the options; the built-in ones are known.
            let states = list(table, states, now).unwrap_or_default();
            let statuses = list(table, statuses, now).unwrap_or_default();
            add_options(&mut metadata, &states, &statuses);
            tables.insert(table.logical_name().to_owned(), metadata);
        }
        if tables.len() != Table::ALL.len() {
            return Err(unclear(Table::Contact));
        }
        Ok(Self { organisation: organisation.to_string(), tables })
    }

    /// A table; an empty one when it is not known, which [`Metadata::read`] and [`Metadata::kept`] rule out.
    pub fn of(&self, table: Table) -> &TableMetadata {
        static NONE: TableMetadata = TableMetadata {
            entity_set: String::new(),
            versioned: false,
            columns: BTreeMap::new(),
            default_status: BTreeMap::new(),
            state_of: BTreeMap::new(),
        };
        self.tables.get(table.logical_name()).unwrap_or(&NONE)
    }

    /// The longest text that each column takes, in UTF-16 units.
    pub fn lengths(&self) -> BTreeMap<(Table, String), usize> {
        Table::ALL
            .into_iter()
            .flat_map(|table| {
                let columns = self.of(table).columns.iter();
                columns
                    .filter_map(move |(name, column)| Some(((table, name.clone()), column.length?)))
            })
            .collect()
    }
}

impl TableMetadata {
    /// Whether a key of a row to write is worth sending: what is no plain column (`x@odata.bind`) is for the service to judge.
    pub fn takes(&self, key: &str, creating: bool) -> bool {
        self.columns
            .get(key)
            .is_none_or(|column| if creating { column.create } else { column.update })
    }

    /// How the row is reopened: its first state, with the status that belongs to it.
    pub fn open(&self, table: Table) -> State {
        let built_in = if table == Table::Task { 2 } else { 1 };
        State { statecode: 0, statuscode: self.default_status.get(&0).copied().unwrap_or(built_in) }
    }

    /// The state that a status belongs to, where the organisation told.
    pub fn state_of(&self, statuscode: i32) -> Option<i32> {
        self.state_of.get(&statuscode).copied()
    }
}

const QUESTIONS: usize = 5;

fn questions_about(table: Table) -> [Operation; QUESTIONS] {
    let root = format!("EntityDefinitions(LogicalName='{}')", table.logical_name());
    let ask = |path: String| Operation::new(Method::Get, path);
    let typed = |kind: &str, select: &str| {
        ask(format!(
            "{root}/Attributes/Microsoft.Dynamics.CRM.{kind}AttributeMetadata?$select={select}"
        ))
    };
    [
        ask(format!(
            "{root}?$select=LogicalName,EntitySetName,PrimaryIdAttribute,IsOptimisticConcurrencyEnabled\
             &$expand=Attributes($select=LogicalName,AttributeType,IsValidForCreate,IsValidForUpdate,IsValidForRead)"
        )),
        typed("String", "LogicalName,MaxLength"),
        typed("Memo", "LogicalName,MaxLength"),
        typed("State", "LogicalName&$expand=OptionSet"),
        typed("Status", "LogicalName&$expand=OptionSet"),
    ]
}

fn object(table: Table, answer: &Answer, now: Timestamp) -> Result<Map<String, Json>> {
    if !answer.is_success() {
        let doing = format!("read the definition of {}", table.logical_name());
        return Err(refused(answer, &doing, None, now));
    }
    match answer.json() {
        Some(Json::Object(object)) => Ok(object),
        _ => Err(unclear(table)),
    }
}

fn list(table: Table, answer: &Answer, now: Timestamp) -> Result<Vec<Map<String, Json>>> {
    rows(Json::Object(object(table, answer, now)?)).ok_or_else(|| unclear(table))
}

fn unclear(table: Table) -> Error {
    let name = table.logical_name();
    Error::new(ErrorKind::Malformed, format!("the definition of {name} makes no sense"))
}

fn table_metadata(table: Table, mut definition: Map<String, Json>) -> Result<TableMetadata> {
    let text =
        |name: &str| definition.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let entity_set = text("EntitySetName");
    let plain = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    // The set name goes into URLs; the id column is part of how records are addressed.
    if !plain(&entity_set) || text("PrimaryIdAttribute") != table.id_column() {
        return Err(unclear(table));
    }
    let versioned = flag(&definition, "IsOptimisticConcurrencyEnabled");
    let Some(Json::Array(attributes)) = definition.remove("Attributes") else {
        return Err(unclear(table));
    };
    let columns = attributes
        .iter()
        .filter_map(Json::as_object)
        .filter_map(|attribute| {
            let name = attribute.get("LogicalName")?.as_str().filter(|name| plain(name))?;
            let kind = attribute.get("AttributeType").and_then(Json::as_str).unwrap_or_default();
            let column = Column {
                kind: kind.to_owned(),
                create: flag(attribute, "IsValidForCreate"),
                update: flag(attribute, "IsValidForUpdate"),
                read: flag(attribute, "IsValidForRead"),
                length: None,
            };
            Some((name.to_owned(), column))
        })
        .collect();
    Ok(TableMetadata { entity_set, versioned, columns, ..TableMetadata::default() })
}

/// A flag as such, or as a managed property (`{"Value": true, …}`).
fn flag(of: &Map<String, Json>, name: &str) -> bool {
    match of.get(name) {
        Some(Json::Object(managed)) => managed.get("Value").and_then(Json::as_bool),
        other => other.and_then(Json::as_bool),
    }
    .unwrap_or_default()
}

fn add_lengths(metadata: &mut TableMetadata, attributes: &[Map<String, Json>]) {
    for attribute in attributes {
        let name = attribute.get("LogicalName").and_then(Json::as_str).unwrap_or_default();
        let length = attribute.get("MaxLength").and_then(Json::as_u64);
        if let Some(column) = metadata.columns.get_mut(name) {
            column.length = length.and_then(|length| usize::try_from(length).ok());
        }
    }
}

fn add_options(
    metadata: &mut TableMetadata,
    states: &[Map<String, Json>],
    statuses: &[Map<String, Json>],
) {
    metadata.default_status = options(states, "statecode", "DefaultStatus");
    metadata.state_of = options(statuses, "statuscode", "State");
}

/// The options of a column: value and one of its properties.
fn options(attributes: &[Map<String, Json>], column: &str, property: &str) -> BTreeMap<i32, i32> {
    let number = |option: &Json, name: &str| {
        option.get(name).and_then(Json::as_i64).and_then(|number| i32::try_from(number).ok())
    };
    attributes
        .iter()
        .filter(|attribute| attribute.get("LogicalName").and_then(Json::as_str) == Some(column))
        .filter_map(|attribute| attribute.get("OptionSet")?.get("Options")?.as_array())
        .flatten()
        .filter_map(|option| Some((number(option, "Value")?, number(option, property)?)))
        .collect()
}

#[cfg(test)]
mod tests;
