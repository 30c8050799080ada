//! `[offline]`.

use std::collections::BTreeMap;

use crate::config::error::Result;
use crate::config::section::Section;
use crate::config::settings::Offline;
use crate::config::tree::{Node, Value};

pub(super) fn read(root: &mut Section<'_>) -> Result<Offline> {
    let mut section = root.section("offline")?.ok_or_else(|| root.missing("offline"))?;
    let mut tables = Vec::new();
    for node in section.list("tables")? {
        tables.push(table(&section, node, text(&section, node, "the name of a table")?)?);
    }
    let mut filters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, node) in section.section("filters")?.into_iter().flat_map(Section::all) {
        let name = table(&section, node, name.to_owned())?;
        let of_table = match &node.value {
            Value::List(nodes) => nodes.iter().collect(),
            _ => vec![node],
        };
        for node in of_table {
            let fetch = text(&section, node, "FetchXML")?;
            if !fetch.trim_start().starts_with("<fetch") {
                let error = section.reading.error(node.place, "a filter is FetchXML");
                return Err(error.hint("<fetch><entity name='contact'>…</entity></fetch>, as an Advanced Find gives it"));
            }
            filters.entry(name.clone()).or_default().push(fetch);
        }
    }
    section.finish()?;
    Ok(Offline { tables, filters })
}

fn text(section: &Section<'_>, node: &Node, what: &str) -> Result<String> {
    match &node.value {
        Value::Text(text) => Ok(text.clone()),
        _ => Err(section.reading.error(node.place, format!("this is to be {what}, in quotes"))),
    }
}

fn table(section: &Section<'_>, node: &Node, name: String) -> Result<String> {
    let is_plain = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_';
    if !name.is_empty() && name.chars().all(is_plain) {
        return Ok(name);
    }
    let error = section.reading.error(node.place, format!("`{name}` is no table"));
    Err(error.hint("tables go by their logical names, like contact"))
}
