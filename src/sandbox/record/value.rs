//! From a JSON value to a stored value, by the column's type: the refusals here are the ones that
//! the real service gives for bad values.

use crate::sandbox::clock;
use crate::sandbox::refusal::{self, Refusal};
use crate::sandbox::schema::{self, Column, Kind, Table};
use base64::Engine as _;
use rusqlite::types::Value;
use serde_json::Value as Json;

/// 1753-01-01T00:00:00Z, the first moment that the service stores.
const FIRST_MOMENT: i64 = -6_847_804_800;

/// The stored form of `json` for that column, or the reason why it has none.
pub fn convert(table: &Table, column: &Column, json: &Json) -> Result<Value, Refusal> {
    if json.is_null() {
        return Ok(Value::Null);
    }
    match column.kind {
        Kind::Key | Kind::Guid => guid(text(table, column, json, "Edm.Guid")?)
            .map(Value::Text)
            .ok_or_else(|| mismatch(table, column, "Edm.Guid")),
        Kind::Text { max } | Kind::Memo { max } => {
            string(table, column, text(table, column, json, "Edm.String")?, max)
        }
        Kind::Integer { min, max } => number(table, column, json, min, max),
        Kind::BigInt => {
            json.as_i64().map(Value::Integer).ok_or_else(|| mismatch(table, column, "Edm.Int64"))
        }
        Kind::Boolean => json
            .as_bool()
            .map(|on| Value::Integer(i64::from(on)))
            .ok_or_else(|| mismatch(table, column, "Edm.Boolean")),
        Kind::DateTime => moment(table, column, text(table, column, json, "Edm.DateTimeOffset")?),
        Kind::Date => clock::day(text(table, column, json, "Edm.Date")?)
            .map(Value::Text)
            .ok_or_else(|| mismatch(table, column, "Edm.Date")),
        Kind::Picklist { options } | Kind::State { options } => {
            option(table, column, json, options.iter().map(|(value, _)| *value))
        }
        Kind::Status { options } => {
            option(table, column, json, options.iter().map(|(status, _, _)| *status))
        }
        Kind::Lookup { .. } => Err(Refusal::payload(
            table,
            "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.",
        )),
        Kind::Binary => {
            let text = text(table, column, json, "Edm.Binary")?;
            match base64::engine::general_purpose::STANDARD.decode(text) {
                Ok(_) => Ok(Value::Text(text.to_owned())),
                Err(_) => Err(mismatch(table, column, "Edm.Binary")),
            }
        }
        Kind::EntityName => {
            let name = text(table, column, json, "Edm.String")?;
            match schema::table(name) {
                Some(_) => Ok(Value::Text(name.to_owned())),
                None => Err(Refusal::argument(format!(
                    "The entity with a name = '{name}' was not found in the MetadataCache."
                ))),
            }
        }
    }
}

/// A GUID in lower case with hyphens. Any casing is taken, braces are not.
pub fn guid(text: &str) -> Option<String> {
    if text.len() != 36 {
        return None;
    }
    text.parse::<uuid::Uuid>().ok().map(|id| id.hyphenated().to_string())
}

fn text<'a>(
    table: &Table,
    column: &Column,
    json: &'a Json,
    sort: &str,
) -> Result<&'a str, Refusal> {
    json.as_str().ok_or_else(|| mismatch(table, column, sort))
}

fn mismatch(table: &Table, column: &Column, sort: &str) -> Refusal {
    let name = column.name;
    Refusal::payload(
        table,
        format!("Cannot convert the value of property '{name}' to the expected type '{sort}'."),
    )
}

fn string(table: &Table, column: &Column, text: &str, max: u32) -> Result<Value, Refusal> {
    if text.len() > max as usize && text.encode_utf16().count() > max as usize {
        let (name, logical) = (column.name, table.logical);
        let message = format!(
            "A validation error occurred.  The length of the '{name}' attribute of the '{logical}' entity exceeded the maximum allowed length of '{max}'."
        );
        return Err(Refusal::new(400, refusal::TOO_LONG, message));
    }
    // The service keeps no empty strings: they are empty columns.
    Ok(if text.is_empty() { Value::Null } else { Value::Text(text.to_owned()) })
}

fn number(
    table: &Table,
    column: &Column,
    json: &Json,
    min: i64,
    max: i64,
) -> Result<Value, Refusal> {
    let number = json.as_i64().ok_or_else(|| mismatch(table, column, "Edm.Int32"))?;
    if (min..=max).contains(&number) {
        return Ok(Value::Integer(number));
    }
    let (name, logical) = (column.name, table.logical);
    let message = format!(
        "A validation error occurred.  The value {number} of '{name}' on record of type '{logical}' is outside the valid range. Accepted Values: {min} to {max}."
    );
    Err(Refusal::new(400, refusal::OUT_OF_RANGE, message))
}

fn option(
    table: &Table,
    column: &Column,
    json: &Json,
    options: impl Iterator<Item = i32>,
) -> Result<Value, Refusal> {
    let number = json.as_i64().ok_or_else(|| mismatch(table, column, "Edm.Int32"))?;
    let options: Vec<String> = options.map(|value| value.to_string()).collect();
    if options.contains(&number.to_string()) {
        return Ok(Value::Integer(number));
    }
    let (name, logical) = (column.name, table.logical);
    let message = format!(
        "A validation error occurred.  The value {number} of '{name}' on record of type '{logical}' is outside the valid range. Accepted Values: {}",
        options.join(",")
    );
    Err(Refusal::new(400, refusal::OUT_OF_RANGE, message))
}

fn moment(table: &Table, column: &Column, text: &str) -> Result<Value, Refusal> {
    let seconds =
        clock::seconds(text).ok_or_else(|| mismatch(table, column, "Edm.DateTimeOffset"))?;
    if seconds < FIRST_MOMENT {
        let message = format!(
            "DateTime is less than minumum value supported by CrmDateTime. Actual value: {}, Minimum value supported: 01/01/1753 00:00:00",
            clock::text(seconds)
        );
        return Err(Refusal::new(400, "0x80040239", message));
    }
    Ok(Value::Text(clock::text(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(logical: &str, column: &str, value: &Json) -> Refusal {
        let table = schema::table(logical).unwrap();
        convert(table, table.column(column).unwrap(), value).unwrap_err()
    }

    #[test]
    fn length_is_counted_in_utf16_units_and_named_in_the_refusal() {
        let task = schema::table("task").unwrap();
        let subject = task.column("subject").unwrap();
        assert!(convert(task, subject, &json!("é".repeat(200))).is_ok());
        assert!(convert(task, subject, &json!("😀".repeat(101))).is_err());
        let refused = refused("task", "subject", &json!("x".repeat(201)));
        assert_eq!(refused.code, "0x80044331");
        assert_eq!(
            refused.message,
            "A validation error occurred.  The length of the 'subject' attribute of the 'task' entity exceeded the maximum allowed length of '200'."
        );
    }

    #[test]
    fn values_of_another_type_or_range_are_refused() {
        assert_eq!(refused("contact", "gendercode", &json!(9)).code, "0x80044330");
        assert_eq!(refused("task", "percentcomplete", &json!(101)).code, "0x80044330");
        assert_eq!(refused("contact", "firstname", &json!(1)).code, "0x80048d19");
        assert_eq!(refused("contact", "birthdate", &json!("soon")).code, "0x80048d19");
        assert_eq!(
            refused("task", "scheduledend", &json!("1600-01-01T00:00:00Z")).code,
            "0x80040239"
        );
    }

    #[test]
    fn an_empty_string_is_an_empty_column() {
        let task = schema::table("task").unwrap();
        assert_eq!(
            convert(task, task.column("subject").unwrap(), &json!("")).unwrap(),
            Value::Null
        );
    }
}
