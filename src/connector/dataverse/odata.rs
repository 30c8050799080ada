//! The spelling of `OData`: entity tags, query strings, annotations, lookups. It must not know what is asked.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview>

use std::str;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::batch::{Method, Operation};

/// What a row is annotated with when we read it: display names (the account of a contact) and the tables of lookups.
pub const FORMATTED: &str = "@OData.Community.Display.V1.FormattedValue";
pub const LOOKUP_TABLE: &str = "@Microsoft.Dynamics.CRM.lookuplogicalname";

const ANNOTATIONS: &str = "odata.include-annotations=\"OData.Community.Display.V1.FormattedValue,Microsoft.Dynamics.CRM.lookuplogicalname\"";
const PAGING: &str = "odata.include-annotations=\"Microsoft.Dynamics.CRM.fetchxmlpagingcookie,Microsoft.Dynamics.CRM.morerecords,Microsoft.Dynamics.CRM.lookuplogicalname\"";

/// A `GET` of rows with their annotations.
pub fn get(path: impl Into<String>) -> Operation {
    Operation::new(Method::Get, path).header("Prefer", ANNOTATIONS)
}

/// A `GET` of a page of `FetchXML`.
pub fn get_page(path: impl Into<String>) -> Operation {
    Operation::new(Method::Get, path).header("Prefer", PAGING)
}

/// A write that answers with the row as it then stands.
pub fn returning(operation: Operation) -> Operation {
    operation.header("Prefer", format!("return=representation,{ANNOTATIONS}"))
}

/// What stands between `W/"` and `"` of an entity tag; other spellings are kept as they are.
pub fn etag_value(etag: &str) -> &str {
    let strong = etag.strip_prefix("W/").unwrap_or(etag);
    strong.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(etag)
}

/// The inverse of [`etag_value`], for `If-Match`. A value that would break out of its quotes matches nothing.
pub fn etag(value: &str) -> String {
    let safe = value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if safe { format!("W/\"{value}\"") } else { "W/\"0\"".to_owned() }
}

/// The version of a row: its entity tag, or the column it is made of where a query gave no tag.
pub fn row_version(row: &Map<String, Json>) -> Option<String> {
    let etag = row.get("@odata.etag").and_then(Json::as_str).map(etag_value);
    match (etag, row.get("versionnumber")) {
        (Some(etag), _) => Some(etag.to_owned()),
        (None, Some(Json::Number(number))) => Some(number.to_string()),
        (None, Some(Json::String(text))) => Some(text.clone()),
        (None, _) => None,
    }
}

/// A GUID in a column.
pub fn guid(row: &Map<String, Json>, column: &str) -> Option<Uuid> {
    Uuid::parse_str(row.get(column)?.as_str()?).ok()
}

/// A GUID in a lookup, which `OData` spells `_x_value`. `FetchXML` answers have been seen with either spelling.
pub fn lookup(row: &Map<String, Json>, column: &str) -> Option<Uuid> {
    guid(row, &format!("_{column}_value")).or_else(|| guid(row, column))
}

/// The rows of an answer: its `value`.
pub fn rows(answer: Json) -> Option<Vec<Map<String, Json>>> {
    let Json::Object(mut answer) = answer else { return None };
    let Json::Array(rows) = answer.remove("value")? else { return None };
    rows.into_iter()
        .map(|row| match row {
            Json::Object(row) => Some(row),
            _ => None,
        })
        .collect()
}

/// What may stand in a query value as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Encodes the value of a query option.
pub fn encode_query(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

/// Decodes once; bytes that are no text become U+FFFD.
pub fn percent_decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_go_there_and_back_and_never_break_out() {
        for value in ["2345", "a-b"] {
            assert_eq!(etag_value(&etag(value)), value);
        }
        assert_eq!(etag_value("\"7\""), "7");
        assert_eq!(etag_value("odd"), "odd");
        assert_eq!(etag("1\"\r\nX: y"), "W/\"0\"");
        assert_eq!(etag("*"), "W/\"*\"");
    }
}
