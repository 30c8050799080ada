//! From what a person or a program writes (`leadsourcecode=Web`, JSON) to values that a column takes, in the service's spelling;
//! or the reason why not, with the column named. Whom a lookup by name means is asked elsewhere.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{Error, Result, refused};
use crate::connector::records::{Column, Definition, Kind};
use crate::model::row::{self, RowId};

/// A value, as far as it can be known without looking at other rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Parsed {
    Value(Json),
    /// A row of one of these tables that people know by this name.
    Named {
        tables: Vec<String>,
        name: String,
    },
}

/// Whether a row is made or changed: some columns take a value only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Create,
    Update,
}

/// Reads a value for a column. `zone` is the one that times without a zone are meant in.
///
/// # Errors
/// When the table has no such column, or the column takes no such value.
pub fn value(
    definition: &Definition,
    name: &str,
    input: &Json,
    purpose: Purpose,
    zone: &TimeZone,
) -> Result<Parsed> {
    let column = column(definition, name)?;
    let takes = match purpose {
        Purpose::Create => column.create,
        Purpose::Update => column.update,
    };
    if !takes {
        let (logical, when) = (
            &definition.logical,
            match purpose {
                Purpose::Create => "when a row is made; change it afterwards",
                Purpose::Update => "by hand",
            },
        );
        return Err(refused(
            format!("{logical}.{name} cannot be set {when}"),
            format!("`liaison record fields {logical}` lists what can"),
        ));
    }
    let judge = Judge { definition, name, zone };
    match &column.kind {
        // An empty text is an empty column, in every kind.
        _ if input.is_null() || input.as_str().is_some_and(|text| text.trim().is_empty()) => {
            Ok(Parsed::Value(Json::Null))
        }
        Kind::Lookup { targets } => judge.lookup(input, targets.keys()),
        kind => judge.plain(kind, input).map(Parsed::Value),
    }
}

/// The state that a status belongs to: both are written together.
pub fn state_of(definition: &Definition, status: &Json) -> Option<i32> {
    let status = i32::try_from(status.as_i64()?).ok()?;
    match &definition.columns.get("statuscode")?.kind {
        Kind::Status { options } => options.get(&status).map(|(state, _)| *state),
        _ => None,
    }
}

/// What a new row must have and does not.
pub fn missing(definition: &Definition, has: impl Fn(&str) -> bool) -> Option<&str> {
    let needs = |(name, column): &(&String, &Column)| {
        column.required && column.create && matches!(column.kind, Kind::Text { .. }) && !has(name)
    };
    definition.columns.iter().find(needs).map(|(name, _)| name.as_str())
}

/// A value as people read it: options by their labels.
pub fn shown(definition: &Definition, name: &str, value: &Json) -> String {
    let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
    let label = match (definition.columns.get(name).map(|column| &column.kind), number) {
        (Some(Kind::Choice { options } | Kind::State { options }), Some(number)) => {
            options.get(&number).cloned()
        }
        (Some(Kind::Status { options }), Some(number)) => {
            options.get(&number).map(|(_, label)| label.clone())
        }
        (Some(Kind::Boolean), _) => {
            value.as_bool().map(|on| if on { "yes" } else { "no" }.to_owned())
        }
        _ => None,
    };
    label.unwrap_or_else(|| row::shown(value))
}

fn column<'a>(definition: &'a Definition, name: &str) -> Result<&'a Column> {
    definition.columns.get(name).ok_or_else(|| {
        let logical = &definition.logical;
        let near = definition
            .columns
            .keys()
            .filter(|known| known.contains(name) || name.contains(known.as_str()))
            .take(3)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        let near = if near.is_empty() { String::new() } else { format!(" (perhaps {near})") };
        refused(
            format!("{logical} has no column `{name}`{near}"),
            format!("`liaison record fields {logical}` lists them"),
        )
    })
}

struct Judge<'a> {
    definition: &'a Definition,
    name: &'a str,
    zone: &'a TimeZone,
}

impl Judge<'_> {
    fn no(&self, reason: impl std::fmt::Display, hint: impl Into<String>) -> Error {
        refused(format!("{}.{}: {reason}", self.definition.logical, self.name), hint)
    }

    fn plain(&self, kind: &Kind, input: &Json) -> Result<Json> {
        let text = match input {
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            Json::Bool(on) => on.to_string(),
            Json::Null | Json::Array(_) | Json::Object(_) => {
                return Err(
                    self.no("this is no single value", "give a text, a number or true or false")
                );
            }
        };
        match kind {
            Kind::Text { max } => self.text(text, *max),
            Kind::Integer { min, max } => self.integer(text.trim(), *min, *max),
            Kind::Number { min, max } => self.number(text.trim(), min.as_deref(), max.as_deref()),
            Kind::Boolean => self.boolean(text.trim()),
            Kind::Moment => self.moment(text.trim()),
            Kind::Day => self.day(text.trim()),
            Kind::Choice { options } | Kind::State { options } => {
                self.option(text.trim(), options.iter().map(|(value, label)| (*value, label)))
            }
            Kind::Status { options } => {
                self.option(text.trim(), options.iter().map(|(value, (_, label))| (*value, label)))
            }
            Kind::Guid => Uuid::parse_str(text.trim())
                .map(|id| id.to_string().into())
                .map_err(|_| self.no("this is no GUID", "write it with its hyphens")),
            Kind::Lookup { .. } | Kind::Other => Err(self.no(
                "it is not edited as a value",
                "parties, files and pictures are edited in the CRM or in the mailbox",
            )),
        }
    }

    fn text(&self, text: String, max: Option<u64>) -> Result<Json> {
        let long = text.encode_utf16().count() as u64;
        match max {
            Some(max) if long > max => Err(self.no(
                format_args!("the text has {long} characters, at most {max} fit"),
                "shorten it",
            )),
            _ => Ok(text.into()),
        }
    }

    fn integer(&self, text: &str, min: Option<i64>, max: Option<i64>) -> Result<Json> {
        let number: i64 =
            text.parse().map_err(|_| self.no("this is no whole number", "write it like 42"))?;
        if min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max) {
            let bound =
                |bound: Option<i64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
            return Err(
                self.no("the number is out of range", format!("{}…{}", bound(min), bound(max)))
            );
        }
        Ok(number.into())
    }

    fn number(&self, text: &str, min: Option<&str>, max: Option<&str>) -> Result<Json> {
        let number: f64 = text.parse().unwrap_or(f64::NAN);
        let json = serde_json::Number::from_f64(number)
            .ok_or_else(|| self.no("this is no number", "write it like 1234.50"))?;
        let beyond = |bound: Option<&str>, is: fn(&f64, &f64) -> bool| {
            bound.and_then(|bound| bound.parse().ok()).is_some_and(|bound: f64| is(&number, &bound))
        };
        if beyond(min, f64::lt) || beyond(max, f64::gt) {
            let (min, max) = (min.unwrap_or_default(), max.unwrap_or_default());
            return Err(self.no("the number is out of range", format!("{min}…{max}")));
        }
        Ok(Json::Number(json))
    }

    fn boolean(&self, text: &str) -> Result<Json> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(true.into()),
            "false" | "no" | "0" => Ok(false.into()),
            _ => Err(self.no("this is neither yes nor no", "write yes or no")),
        }
    }

    fn moment(&self, text: &str) -> Result<Json> {
        let local = || {
            let civil: DateTime = text.parse().ok()?;
            Some(civil.to_zoned(self.zone.clone()).ok()?.timestamp())
        };
        let moment = text
            .parse::<Timestamp>()
            .ok()
            .or_else(local)
            .and_then(|moment| moment.round(Unit::Second).ok());
        moment.map(|moment| moment.to_string().into()).ok_or_else(|| {
            self.no(
                "this is no time",
                "write 2026-03-01T10:00:00Z, or 2026-03-01T10:00 in your zone",
            )
        })
    }

    fn day(&self, text: &str) -> Result<Json> {
        let day: Date =
            text.parse().map_err(|_| self.no("this is no day", "write it like 2026-03-01"))?;
        Ok(day.to_string().into())
    }

    fn option<'a>(
        &self,
        text: &str,
        options: impl Iterator<Item = (i32, &'a String)>,
    ) -> Result<Json> {
        let options: Vec<(i32, &String)> = options.collect();
        if let Ok(number) = text.parse::<i32>()
            && options.iter().any(|(value, _)| *value == number)
        {
            return Ok(number.into());
        }
        let wanted = text.to_lowercase();
        let mut found = options.iter().filter(|(_, label)| label.to_lowercase() == wanted);
        match (found.next(), found.next()) {
            (Some((value, _)), None) => Ok((*value).into()),
            (Some(_), Some(_)) => {
                Err(self
                    .no(format_args!("several options are called “{text}”"), "write its number"))
            }
            (None, _) => {
                let known: Vec<String> =
                    options.iter().map(|(value, label)| format!("{label} ({value})")).collect();
                Err(self.no(format_args!("there is no option “{text}”"), known.join(", ")))
            }
        }
    }

    /// `account:Contoso`, `account/GUID`, a GUID, a name; or an object with `table` and `id` or `name`.
    fn lookup<'a>(
        &self,
        input: &Json,
        targets: impl Iterator<Item = &'a String>,
    ) -> Result<Parsed> {
        let mut tables: Vec<String> = targets.cloned().collect();
        let object = |key: &str| input.get(key).and_then(Json::as_str);
        let (table, text) = match input {
            Json::String(text) => match text.split_once([':', '/']) {
                Some((table, rest)) if tables.iter().any(|known| known == table.trim()) => {
                    (Some(table.trim().to_owned()), rest.trim().to_owned())
                }
                _ => (None, text.trim().to_owned()),
            },
            _ => match object("id").or_else(|| object("name")) {
                Some(text) => (object("table").map(str::to_owned), text.to_owned()),
                None => {
                    return Err(self.no("this is no row", "write TABLE:NAME, TABLE/GUID or a name"));
                }
            },
        };
        if let Some(table) = table {
            if !tables.contains(&table) {
                return Err(self.no(
                    format_args!("it does not point to {table}"),
                    format!("it points to {}", tables.join(", ")),
                ));
            }
            tables = vec![table];
        }
        match (Uuid::parse_str(&text), tables.as_slice()) {
            (Ok(id), [table]) => {
                Ok(Parsed::Value(row::lookup(&RowId::new(table.clone(), id), None)))
            }
            (Ok(_), _) => Err(self.no(
                "a GUID alone does not say of which table",
                format!(
                    "write {}",
                    tables
                        .iter()
                        .map(|table| format!("{table}/GUID"))
                        .collect::<Vec<_>>()
                        .join(" or ")
                ),
            )),
            (Err(_), _) => Ok(Parsed::Named { tables, name: text }),
        }
    }
}

#[cfg(test)]
mod tests;
