//! Rows of any table, as they are edited by hand: plain values by column, and what a person changed of them. It knows neither
//! the wire nor which table has which columns.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

/// One row of one table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowId {
    /// The logical name: `contact`.
    pub table: String,
    pub id: Uuid,
}

impl RowId {
    pub fn new(table: impl Into<String>, id: Uuid) -> Self {
        Self { table: table.into(), id }
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table, self.id)
    }
}

/// Values by column. A lookup is an object: `{"table": "account", "id": "…", "name": "…"}`; its name is for people.
pub type Values = BTreeMap<String, Json>;

/// What a person changed in one column, and what stood there when it was changed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub base: Json,
    pub ours: Json,
}

impl fmt::Debug for Change {
    /// Values are what a person wrote.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Change")
    }
}

/// The changes of one edit, by column.
pub type Edits = BTreeMap<String, Change>;

/// The row that a lookup points to.
pub fn target(value: &Json) -> Option<RowId> {
    let table = value.get("table")?.as_str()?;
    let id = Uuid::parse_str(value.get("id")?.as_str()?).ok()?;
    Some(RowId::new(table, id))
}

/// A lookup to this row.
pub fn lookup(row: &RowId, name: Option<&str>) -> Json {
    let mut value = serde_json::json!({ "table": row.table, "id": row.id.to_string() });
    if let (Some(name), Json::Object(object)) = (name, &mut value) {
        object.insert("name".to_owned(), name.into());
    }
    value
}

/// Whether two values mean the same: an empty text is no value, `5` is `5.0`, and a lookup is the row it points to.
pub fn same(one: &Json, other: &Json) -> bool {
    let is_empty = |value: &Json| value.is_null() || value.as_str() == Some("");
    if is_empty(one) || is_empty(other) {
        return is_empty(one) && is_empty(other);
    }
    if let (Some(one), Some(other)) = (target(one), target(other)) {
        return one == other;
    }
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => {
            one == other
                || matches!((one.as_f64(), other.as_f64()), (Some(one), Some(other)) if (one - other).abs() < f64::EPSILON)
        }
        _ => one == other,
    }
}

/// A value for people, on as many lines as it has. Options are numbers here; their labels are known to the table's definition.
pub fn shown(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Object(object) => match (object.get("name").and_then(Json::as_str), target(value)) {
            (Some(name), _) => name.to_owned(),
            (None, Some(row)) => row.to_string(),
            (None, None) => value.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_means_the_same_is_the_same() {
        let account = |name: &str| json!({ "table": "account", "id": "6f0c3c1e-86a5-5b53-9a3c-2d1f5e0b7a41", "name": name });
        for (one, other, expected) in [
            (json!(null), json!(""), true),
            (json!(5), json!(5.0), true),
            (json!(5), json!(6), false),
            (json!("a"), json!("A"), false),
            (account("Contoso"), account("Contoso Ltd"), true),
            (account("Contoso"), json!(null), false),
            (json!(false), json!(null), false),
        ] {
            assert_eq!(same(&one, &other), expected, "{one} {other}");
            assert_eq!(same(&other, &one), expected, "{other} {one}");
        }
    }
}
