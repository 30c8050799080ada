//! Addresses of rows, as they stand in URLs, in `@odata.bind` and in `@odata.id`.

use super::value;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::{self, Table};
use crate::sandbox::store::Context;
use percent_encoding::percent_decode_str;
use rusqlite::OptionalExtension;

/// What names a row within its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// The primary key, lower case.
    Guid(String),
    /// An alternate key: columns and values.
    Alternate(Vec<(String, String)>),
}

/// Reads `/contacts(…)`, `contacts(…)` or an absolute URL of a row.
pub fn parse(address: &str) -> Result<(&'static Table, Key), Refusal> {
    let bad = || {
        Refusal::argument(format!(
            "Invalid address of a row: '{}'.",
            address.chars().take(200).collect::<String>()
        ))
    };
    let decoded = percent_decode_str(address).decode_utf8().map_err(|_| bad())?;
    let path = match decoded.find("/api/data/v9.") {
        Some(start) => {
            decoded.get(start..).and_then(|rest| rest.splitn(5, '/').nth(4)).unwrap_or_default()
        }
        None => decoded.trim_start_matches('/'),
    };
    let (set, rest) = path.split_once('(').ok_or_else(bad)?;
    let inner = rest.strip_suffix(')').ok_or_else(bad)?;
    let table = schema::by_set(set).ok_or_else(|| Refusal::no_resource(set))?;
    Ok((table, key(table, inner)?))
}

/// Reads what stands between the parentheses.
pub fn key(table: &Table, inner: &str) -> Result<Key, Refusal> {
    if let Some(id) = value::guid(inner.trim()) {
        return Ok(Key::Guid(id));
    }
    let pairs: Option<Vec<(String, String)>> = split(inner).into_iter().map(pair).collect();
    let pairs = pairs.filter(|pairs| !pairs.is_empty()).ok_or_else(|| {
        Refusal::new(
            400,
            super::super::refusal::BAD_PAYLOAD,
            "Error in query syntax: the key in the URL is neither a GUID nor an alternate key.",
        )
    })?;
    match pairs.as_slice() {
        [(name, id)] if name == table.id => value::guid(id)
            .map(Key::Guid)
            .ok_or_else(|| Refusal::argument("Invalid GUID in the key.")),
        _ => Ok(Key::Alternate(pairs)),
    }
}

/// Splits at commas outside quotes.
fn split(inner: &str) -> Vec<&str> {
    let mut quoted = false;
    inner
        .split(move |letter: char| {
            quoted ^= letter == '\'';
            letter == ',' && !quoted
        })
        .collect()
}

fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let value = match value.trim().strip_prefix('\'') {
        Some(quoted) => quoted.strip_suffix('\'')?.replace("''", "'"),
        None => value.trim().to_owned(),
    };
    Some((name.trim().to_owned(), value))
}

/// The GUID of the row that an alternate key names; `None` if there is none. A key that the table
/// does not have is refused.
pub fn find(
    context: &Context<'_>,
    table: &Table,
    pairs: &[(String, String)],
) -> Result<Option<String>, Refusal> {
    let [(name, value)] = pairs else { return Err(no_key(table)) };
    if !table.keys.contains(&name.as_str()) {
        return Err(no_key(table));
    }
    let sql = format!(
        "SELECT {} FROM {} WHERE {name} = ? COLLATE NOCASE ORDER BY createdon LIMIT 1",
        table.id, table.logical
    );
    Ok(context.connection.prepare_cached(&sql)?.query_row([value], |row| row.get(0)).optional()?)
}

fn no_key(table: &Table) -> Refusal {
    Refusal::new(
        400,
        "0x80060891",
        format!(
            "The specified key attributes are not a defined key for the {} entity",
            table.logical
        ),
    )
}

/// The GUID that a key names, or 404.
pub fn resolve(context: &Context<'_>, table: &Table, key: &Key) -> Result<String, Refusal> {
    match key {
        Key::Guid(id) => Ok(id.clone()),
        Key::Alternate(pairs) => {
            find(context, table, pairs)?.ok_or_else(|| Refusal::missing_key(table.logical))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0A1b2c3d-0000-4000-8000-00000000000F";

    #[test]
    fn every_documented_spelling_of_an_address_is_read() {
        for address in [
            format!("/contacts({ID})"),
            format!("contacts({ID})"),
            format!("https://localhost:1/api/data/v9.2/contacts({ID})"),
            format!("/api/data/v9.2/contacts(contactid={ID})"),
        ] {
            let (table, key) = parse(&address).unwrap();
            assert_eq!(
                (table.logical, key),
                ("contact", Key::Guid(ID.to_lowercase())),
                "{address}"
            );
        }
    }

    #[test]
    fn quotes_protect_commas_and_double_themselves() {
        let table = schema::table("contact").unwrap();
        let expected = vec![("emailaddress1".to_owned(), "o'x,y@example.org".to_owned())];
        assert_eq!(
            key(table, "emailaddress1='o''x,y@example.org'").unwrap(),
            Key::Alternate(expected)
        );
    }

    #[test]
    fn nonsense_is_refused_with_the_item_named() {
        assert_eq!(parse("/persons(1)").unwrap_err().status, 404);
        assert!(parse("contacts").unwrap_err().message.contains("contacts"));
        assert!(key(schema::table("contact").unwrap(), "'").is_err());
    }
}
