//! What any table looks like: columns with their types and limits, options with their labels, where lookups point and how they
//! are spelled. Asked in one request for several tables. It must not know rows.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api>

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::super::batch::{Answer, Method, Operation, Reply};
use super::super::error::refused;
use super::super::odata::rows;
use crate::connector::records::{Column, Definition, Definitions, Kind, Target};
use crate::connector::{Error, ErrorKind, Result};

type Object = Map<String, Json>;

/// The kinds of columns that have limits or options, and what is asked of each.
const TYPED: &[(&str, &str)] = &[
    ("String", "$select=LogicalName,MaxLength"),
    ("Memo", "$select=LogicalName,MaxLength"),
    ("Integer", "$select=LogicalName,MinValue,MaxValue"),
    ("Decimal", "$select=LogicalName,MinValue,MaxValue"),
    ("Double", "$select=LogicalName,MinValue,MaxValue"),
    ("Money", "$select=LogicalName,MinValue,MaxValue"),
    ("DateTime", "$select=LogicalName,DateTimeBehavior"),
    ("Picklist", "$select=LogicalName&$expand=OptionSet,GlobalOptionSet"),
    ("State", "$select=LogicalName&$expand=OptionSet"),
    ("Status", "$select=LogicalName&$expand=OptionSet"),
];

/// Beside those of [`TYPED`]: the table with its columns, and where its lookups point.
const OTHERS: usize = 2;

/// The names in URLs of all tables: lookups are set by the name of the table that they point to.
const SETS: &str = "EntityDefinitions?$select=LogicalName,EntitySetName";

/// The questions for these tables.
pub fn questions(tables: &[String]) -> Vec<Operation> {
    let ask = |path: String| Operation::new(Method::Get, path);
    let about = |table: &String| {
        let root = format!("EntityDefinitions(LogicalName='{}')", plain(table));
        let table = format!(
            "{root}?$select=LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute,IsOptimisticConcurrencyEnabled\
             &$expand=Attributes($select=LogicalName,AttributeType,AttributeOf,IsValidForCreate,IsValidForUpdate,IsValidForRead,RequiredLevel)"
        );
        let lookups = format!(
            "{root}/ManyToOneRelationships?$select=ReferencingAttribute,ReferencedEntity,ReferencingEntityNavigationPropertyName"
        );
        let typed = TYPED.iter().map(move |(kind, options)| {
            format!("{root}/Attributes/Microsoft.Dynamics.CRM.{kind}AttributeMetadata?{options}")
        });
        [table, lookups].into_iter().chain(typed).map(ask).collect::<Vec<_>>()
    };
    [ask(SETS.to_owned())].into_iter().chain(tables.iter().flat_map(about)).collect()
}

/// What the answers say. A table that is not there is left out.
///
/// # Errors
/// When the service refuses to tell, or makes no sense.
pub fn read(tables: &[String], replies: &[Reply], now: Timestamp) -> Result<Definitions> {
    let Some((sets, replies)) = replies.split_first() else { return Err(unclear("tables")) };
    let sets: BTreeMap<String, String> = list("tables", sets, now)?
        .iter()
        .filter_map(|row| Some((text(row, "LogicalName")?, text(row, "EntitySetName")?)))
        .filter(|(_, set)| plain(set) == *set)
        .collect();
    let mut definitions = Definitions::new();
    for (table, replies) in tables.iter().zip(replies.chunks(TYPED.len() + OTHERS)) {
        let [definition, lookups, typed @ ..] = replies else { return Err(unclear(table)) };
        match one(definition) {
            Some(answer) if answer.status == 404 => continue,
            _ => {}
        }
        let lookups = targets(&list(table, lookups, now)?, &sets);
        let mut details: BTreeMap<String, Object> = BTreeMap::new();
        for reply in typed {
            for row in list(table, reply, now)? {
                details.extend(text(&row, "LogicalName").map(|name| (name, row)));
            }
        }
        let definition = object(table, definition, now)?;
        definitions.insert(table.clone(), assemble(table, &definition, &details, &lookups)?);
    }
    Ok(definitions)
}

type Lookups = BTreeMap<String, BTreeMap<String, Target>>;

/// Where lookups point. An owner is a user or a team, whatever the service calls it.
fn targets(relationships: &[Object], sets: &BTreeMap<String, String>) -> Lookups {
    let mut found = Lookups::new();
    for row in relationships {
        let (Some(column), Some(table), Some(navigation)) = (
            text(row, "ReferencingAttribute"),
            text(row, "ReferencedEntity"),
            text(row, "ReferencingEntityNavigationPropertyName"),
        ) else {
            continue;
        };
        let tables = match table.as_str() {
            "owner" => vec!["systemuser".to_owned(), "team".to_owned()],
            _ => vec![table],
        };
        for table in tables {
            if let Some(set) = sets.get(&table) {
                let target = Target { navigation: navigation.clone(), set: set.clone() };
                found.entry(column.clone()).or_default().insert(table, target);
            }
        }
    }
    found
}

fn assemble(
    table: &str,
    definition: &Object,
    details: &BTreeMap<String, Object>,
    lookups: &Lookups,
) -> Result<Definition> {
    let named = |name: &str| {
        text(definition, name).filter(|text| plain(text) == *text).ok_or_else(|| unclear(table))
    };
    let Some(Json::Array(attributes)) = definition.get("Attributes") else {
        return Err(unclear(table));
    };
    let none = Object::new();
    let mut columns = BTreeMap::new();
    for attribute in attributes.iter().filter_map(Json::as_object) {
        let Some(name) = text(attribute, "LogicalName").filter(|name| plain(name) == *name) else {
            continue;
        };
        // What only belongs to another column (the name of a lookup) is told with that one.
        if text(attribute, "AttributeOf").is_some() {
            continue;
        }
        let sort = text(attribute, "AttributeType").unwrap_or_default();
        let kind = kind(&sort, details.get(&name).unwrap_or(&none), lookups.get(&name));
        let level = attribute.get("RequiredLevel").and_then(|level| level.get("Value"));
        let level = level.and_then(Json::as_str).unwrap_or_default();
        let column = Column {
            kind,
            create: flag(attribute, "IsValidForCreate"),
            update: flag(attribute, "IsValidForUpdate"),
            read: flag(attribute, "IsValidForRead"),
            required: matches!(level, "SystemRequired" | "ApplicationRequired"),
        };
        columns.insert(name, column);
    }
    Ok(Definition {
        logical: table.to_owned(),
        set: named("EntitySetName")?,
        id: named("PrimaryIdAttribute")?,
        name: named("PrimaryNameAttribute")?,
        versioned: flag(definition, "IsOptimisticConcurrencyEnabled"),
        columns,
    })
}

fn kind(sort: &str, details: &Object, targets: Option<&BTreeMap<String, Target>>) -> Kind {
    let integer = |name: &str| details.get(name).and_then(Json::as_i64);
    let number =
        |name: &str| details.get(name).filter(|limit| limit.is_number()).map(Json::to_string);
    match sort {
        "String" | "Memo" => Kind::Text { max: details.get("MaxLength").and_then(Json::as_u64) },
        "Integer" | "BigInt" => {
            Kind::Integer { min: integer("MinValue"), max: integer("MaxValue") }
        }
        "Decimal" | "Double" | "Money" => {
            Kind::Number { min: number("MinValue"), max: number("MaxValue") }
        }
        "Boolean" => Kind::Boolean,
        "DateTime" => {
            let behaviour = details.get("DateTimeBehavior").and_then(|value| value.get("Value"));
            match behaviour.and_then(Json::as_str) {
                Some("DateOnly") => Kind::Day,
                _ => Kind::Moment,
            }
        }
        "Picklist" => Kind::Choice { options: options(details, |_, label| label) },
        "State" => Kind::State { options: options(details, |_, label| label) },
        "Status" => Kind::Status {
            options: options(details, |option, label| {
                (small(option.get("State")).unwrap_or_default(), label)
            }),
        },
        "Lookup" | "Owner" | "Customer" => {
            Kind::Lookup { targets: targets.cloned().unwrap_or_default() }
        }
        "Uniqueidentifier" => Kind::Guid,
        "EntityName" => Kind::Text { max: None },
        _ => Kind::Other,
    }
}

/// The options of a column, by value, with the label in the user's language.
fn options<T>(details: &Object, make: impl Fn(&Json, String) -> T) -> BTreeMap<i32, T> {
    let set = |name: &str| details.get(name)?.get("Options")?.as_array();
    let options = set("OptionSet").or_else(|| set("GlobalOptionSet"));
    options
        .into_iter()
        .flatten()
        .filter_map(|option| {
            let label = option.get("Label")?.get("UserLocalizedLabel")?.get("Label")?.as_str()?;
            Some((small(option.get("Value"))?, make(option, label.to_owned())))
        })
        .collect()
}

fn small(value: Option<&Json>) -> Option<i32> {
    value.and_then(Json::as_i64).and_then(|number| i32::try_from(number).ok())
}

fn one(reply: &Reply) -> Option<&Answer> {
    match reply {
        Reply::One(answer) => Some(answer),
        Reply::Set(_) => None,
    }
}

fn object(table: &str, reply: &Reply, now: Timestamp) -> Result<Object> {
    let answer = one(reply).ok_or_else(|| unclear(table))?;
    if !answer.is_success() {
        return Err(refused(answer, &format!("read the definition of {table}"), None, now));
    }
    match answer.json() {
        Some(Json::Object(object)) => Ok(object),
        _ => Err(unclear(table)),
    }
}

fn list(table: &str, reply: &Reply, now: Timestamp) -> Result<Vec<Object>> {
    rows(Json::Object(object(table, reply, now)?)).ok_or_else(|| unclear(table))
}

fn unclear(table: &str) -> Error {
    Error::new(ErrorKind::Malformed, format!("the definition of {table} makes no sense"))
}

fn text(row: &Object, name: &str) -> Option<String> {
    row.get(name)?.as_str().map(str::to_owned)
}

/// What may stand in a path: letters, digits and `_`.
fn plain(name: &str) -> String {
    name.chars().filter(|sign| sign.is_ascii_alphanumeric() || *sign == '_').collect()
}

/// A flag as such, or as a managed property (`{"Value": true, …}`).
fn flag(of: &Object, name: &str) -> bool {
    match of.get(name) {
        Some(Json::Object(managed)) => managed.get("Value").and_then(Json::as_bool),
        other => other.and_then(Json::as_bool),
    }
    .unwrap_or_default()
}
