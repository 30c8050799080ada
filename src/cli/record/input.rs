//! What is written on the command line or in a file, as columns and values. It must not know which columns there are.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::usage;

/// More is a mistake.
const LARGEST: u64 = 256 << 20;

/// `COLUMN=VALUE`, each column once. An empty value empties the column.
///
/// # Errors
/// When something is written otherwise.
pub fn assignments(written: &[String]) -> anyhow::Result<BTreeMap<String, Json>> {
    let mut values = BTreeMap::new();
    for text in written {
        let Some((column, value)) = text.split_once('=').filter(|(column, _)| !column.is_empty())
        else {
            return Err(usage(
                format!("`{text}` is no COLUMN=VALUE"),
                "write it like lastname=Smith, with quotes where the shell needs them",
            ));
        };
        let column = column.trim().to_owned();
        if values.insert(column.clone(), Json::String(value.to_owned())).is_some() {
            return Err(usage(format!("`{column}` is there twice"), "name each column once"));
        }
    }
    Ok(values)
}

/// The members of a file: a JSON list, one object, or one value a line. `-` is the standard input.
///
/// # Errors
/// When it cannot be read or is something else.
pub fn members(from: &Path) -> anyhow::Result<Vec<Json>> {
    let mut text = String::new();
    let named = || format!("{} cannot be read", from.display());
    if from == Path::new("-") {
        std::io::stdin().take(LARGEST + 1).read_to_string(&mut text).with_context(named)?;
    } else {
        let file = std::fs::File::open(from).with_context(named)?;
        file.take(LARGEST + 1).read_to_string(&mut text).with_context(named)?;
    }
    if text.len() as u64 > LARGEST {
        return Err(usage("there is too much to read", "cut it into several files"));
    }
    let mut found = Vec::new();
    for value in serde_json::Deserializer::from_str(&text).into_iter::<Json>() {
        let value = value.map_err(|error| {
            usage(format!("this is no JSON: {error}"), "give a list of objects, or one a line")
        })?;
        match value {
            Json::Array(values) => found.extend(values),
            value => found.push(value),
        }
    }
    Ok(found)
}

/// An object of columns, and the id in it: under `id`, or the table's own id column.
///
/// # Errors
/// When it is no object.
pub fn object(
    table: &str,
    member: Json,
) -> anyhow::Result<(Option<String>, BTreeMap<String, Json>)> {
    let Json::Object(object) = member else {
        return Err(usage("a record is an object of columns", "like {\"lastname\": \"Smith\"}"));
    };
    let mut object: Map<String, Json> = object;
    let keys = ["id".to_owned(), format!("{table}id"), "activityid".to_owned()];
    let id = keys.iter().find_map(|key| object.remove(key));
    let id = id.and_then(|id| id.as_str().map(str::to_owned));
    Ok((id, object.into_iter().collect()))
}

/// An id that the caller chose.
///
/// # Errors
/// When it is none.
pub fn guid(text: &str) -> anyhow::Result<Uuid> {
    Uuid::parse_str(text)
        .map_err(|_| usage(format!("`{text}` is no GUID"), "write it with its hyphens"))
}
