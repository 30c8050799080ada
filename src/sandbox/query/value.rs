//! Values: what a query says, as the type of its column asks, ready to be bound as an SQL parameter. It knows the storage
//! convention (GUIDs in lower case, moments in UTC seconds, booleans as numbers) and nothing of SQL.

use std::fmt;

use jiff::{Timestamp, civil};

use super::Compare;
use crate::sandbox::schema::{self, Column, Kind, Table};

/// One SQL parameter.
#[derive(Clone, PartialEq)]
pub enum Value {
    Text(String),
    Integer(i64),
    Real(f64),
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Text(_) => "Text",
            Self::Integer(_) => "Integer",
            Self::Real(_) => "Real",
        })
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Text(text) => text.to_sql(),
            Self::Integer(number) => number.to_sql(),
            Self::Real(number) => number.to_sql(),
        }
    }
}

/// A literal of `$filter`.
#[derive(Clone, PartialEq)]
pub enum Literal {
    Null,
    Boolean(bool),
    /// In quotes.
    Text(String),
    /// Without quotes: a number, GUID, date or moment.
    Word(String),
}

impl fmt::Debug for Literal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Null => "Null",
            Self::Boolean(_) => "Boolean",
            Self::Text(_) => "Text",
            Self::Word(_) => "Word",
        })
    }
}

/// The value of a literal other than `null` for that column, or `None` when the types do not fit.
pub fn from_literal(column: &Column, literal: &Literal) -> Option<Value> {
    match (column.kind, literal) {
        (Kind::Text { .. } | Kind::Memo { .. } | Kind::EntityName, Literal::Text(text)) => {
            Some(Value::Text(text.clone()))
        }
        // The service takes a GUID in quotes as well as without.
        (
            Kind::Key | Kind::Guid | Kind::Lookup { .. },
            Literal::Word(word) | Literal::Text(word),
        ) => guid(word).map(Value::Text),
        (Kind::Boolean, Literal::Boolean(flag)) => Some(Value::Integer(i64::from(*flag))),
        (
            Kind::Integer { .. }
            | Kind::BigInt
            | Kind::Picklist { .. }
            | Kind::State { .. }
            | Kind::Status { .. },
            Literal::Word(word),
        ) => number(word),
        (Kind::DateTime, Literal::Word(word)) => moment(word).map(Value::Text),
        (Kind::Date, Literal::Word(word)) => date(word).map(|day| Value::Text(day.to_string())),
        _ => None,
    }
}

/// The value of `FetchXML` text or of a string parameter for that column, or `None` when it is not of that type.
pub fn from_text(column: &Column, text: &str) -> Option<Value> {
    match column.kind {
        Kind::Text { .. } | Kind::Memo { .. } => Some(Value::Text(text.to_owned())),
        // Saved queries name tables by their code as well: `activitytypecode` 4202.
        Kind::EntityName => {
            let code = text.trim().parse::<i32>().ok();
            let table = schema::tables().iter().find(|table| Some(table.code) == code);
            Some(Value::Text(table.map_or(text, |table| table.logical).to_owned()))
        }
        Kind::Key | Kind::Guid | Kind::Lookup { .. } => {
            let bare = text.trim();
            let bare =
                bare.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(bare);
            guid(bare).map(Value::Text)
        }
        Kind::Boolean => match text.trim().to_ascii_lowercase().as_str() {
            "1" | "true" => Some(Value::Integer(1)),
            "0" | "false" => Some(Value::Integer(0)),
            _ => None,
        },
        Kind::Integer { .. }
        | Kind::BigInt
        | Kind::Picklist { .. }
        | Kind::State { .. }
        | Kind::Status { .. } => number(text.trim()),
        Kind::DateTime => moment(text.trim()).map(Value::Text),
        Kind::Date => date(text.trim()).map(|day| Value::Text(day.to_string())),
        Kind::Binary => None,
    }
}

/// The name of the column as a Web API property.
pub fn property_name(column: &Column) -> String {
    match column.kind {
        Kind::Lookup { .. } => format!("_{}_value", column.name),
        _ => column.name.to_owned(),
    }
}

/// The readable column behind a Web API property.
pub fn by_property(table: &'static Table, name: &str) -> Option<&'static Column> {
    let lookup = name.strip_prefix('_').and_then(|rest| rest.strip_suffix("_value"));
    table.columns.iter().filter(|column| column.read).find(|column| match column.kind {
        Kind::Lookup { .. } => lookup == Some(column.name),
        _ => column.name == name,
    })
}

/// The `Edm` type of a column, for error messages.
pub fn edm(column: &Column) -> &'static str {
    match column.kind {
        Kind::Key | Kind::Guid | Kind::Lookup { .. } => "Edm.Guid",
        Kind::Text { .. } | Kind::Memo { .. } | Kind::EntityName => "Edm.String",
        Kind::Integer { .. } | Kind::Picklist { .. } | Kind::State { .. } | Kind::Status { .. } => {
            "Edm.Int32"
        }
        Kind::BigInt => "Edm.Int64",
        Kind::Boolean => "Edm.Boolean",
        Kind::DateTime => "Edm.DateTimeOffset",
        Kind::Date => "Edm.Date",
        Kind::Binary => "Edm.Binary",
    }
}

/// The `Edm` type of a literal, for error messages.
pub fn edm_literal(literal: &Literal) -> &'static str {
    match literal {
        Literal::Null => "<null>",
        Literal::Boolean(_) => "Edm.Boolean",
        Literal::Text(_) => "Edm.String",
        Literal::Word(word) if guid(word).is_some() => "Edm.Guid",
        Literal::Word(word) if number(word).is_some() => "Edm.Int32",
        Literal::Word(word) if date(word).is_some() => "Edm.DateTimeOffset",
        Literal::Word(_) => "Edm.Untyped",
    }
}

/// Whether a bare word can be a literal at all.
pub fn is_literal(word: &str) -> bool {
    guid(word).is_some() || number(word).is_some() || date(word).is_some()
}

/// The name of a comparison in `OData` error messages.
pub fn operator_kind(compare: Compare) -> &'static str {
    match compare {
        Compare::Equal => "Equal",
        Compare::NotEqual => "NotEqual",
        Compare::Greater => "GreaterThan",
        Compare::GreaterOrEqual => "GreaterThanOrEqual",
        Compare::Less => "LessThan",
        Compare::LessOrEqual => "LessThanOrEqual",
    }
}

/// A day: `2026-01-02`, or the UTC day of a moment.
pub fn date(text: &str) -> Option<civil::Date> {
    match text.parse::<Timestamp>() {
        Ok(moment) => Some(moment.to_zoned(jiff::tz::TimeZone::UTC).date()),
        Err(_) => local(text).map(civil::DateTime::date),
    }
}

/// Eight-four-four-four-twelve hexadecimal digits, in lower case.
fn guid(text: &str) -> Option<String> {
    if text.len() != 36 {
        return None;
    }
    uuid::Uuid::try_parse(text).ok().map(|id| id.hyphenated().to_string())
}

/// A whole number where it is one, so that large ones stay exact.
fn number(text: &str) -> Option<Value> {
    let digits =
        text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E'));
    if !digits {
        return None;
    }
    match text.parse::<i64>() {
        Ok(whole) => Some(Value::Integer(whole)),
        Err(_) => text.parse::<f64>().ok().filter(|real| real.is_finite()).map(Value::Real),
    }
}

/// A moment as it is stored, cut to seconds. Without a zone it is taken as UTC, without a time as midnight.
fn moment(text: &str) -> Option<String> {
    let civil = match text.parse::<Timestamp>() {
        Ok(moment) => moment.to_zoned(jiff::tz::TimeZone::UTC).datetime(),
        Err(_) => local(text)?,
    };
    Some(stored(civil))
}

/// The text form of a UTC moment in the database.
pub fn stored(moment: civil::DateTime) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A date with or without time, without a zone.
fn local(text: &str) -> Option<civil::DateTime> {
    match text.parse::<civil::Date>() {
        Ok(day) if text.len() == 10 => Some(day.at(0, 0, 0, 0)),
        _ => text.parse::<civil::DateTime>().ok().filter(|_| !text.contains('[')),
    }
}
