//! OData query options: `$select`, `$filter`, `$orderby`, `$top`, `$count`, `$expand`, `$skiptoken` and parameter aliases become a
//! [`Query`]. What the real service refuses (`$skip`, `$search`, unknown properties) is refused in its words. It reads text against the
//! schema and touches no database.
//!
//! <https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/overview>

use std::collections::{BTreeMap, BTreeSet};

use super::paging::{self, Paging};
use super::{At, Compare, Dialect, Filter, Order, Output, Query, QueryError, Test, value};
use crate::sandbox::schema::{self, Table};

mod expand;
mod filter;
mod function;
mod lexer;
#[cfg(test)]
mod tests;

/// The longest set of options: what a URL inside `$batch` can carry.
const MAX_BYTES: usize = 65_536;
/// Most `$expand` options in a query
/// (<https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/join-tables>).
const MAX_EXPANDS: usize = 15;

/// Values of parameter aliases, by name with the `@`.
type Aliases = BTreeMap<String, String>;

/// Splits and decodes the part of a URL behind `?`; a plus is a space.
pub fn options(raw: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(raw.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

/// The query over all rows of a table. The options are decoded; next links lead to `{base}/{set}`. Options without `$` or `@` are
/// not for the query and pass.
pub fn parse(table: &'static Table, options: &[(String, String)]) -> Result<Query, QueryError> {
    if options.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_BYTES {
        return Err(QueryError::odata("The request URI is too long."));
    }
    let aliases: Aliases =
        options.iter().filter(|(name, _)| name.starts_with('@')).cloned().collect();
    let mut paging = Paging::default();
    let mut total = false;
    for (name, text) in options {
        match name.as_str() {
            "$count" => total = flag(text)?,
            "$skiptoken" => paging = paging::from_skip_token(text)?,
            "$select" | "$filter" | "$orderby" | "$top" | "$expand" => {}
            other if other.starts_with('$') => return Err(unsupported(other)),
            _ => {}
        }
    }
    let mut budget = MAX_EXPANDS;
    let mut query = read(table, options, &aliases, &mut budget)?;
    query.paging = paging;
    query.total = total;
    Ok(query)
}

/// The query over the rows of a collection-valued navigation property: `contacts(id)/Contact_Tasks`.
pub fn parse_collection(
    table: &'static Table,
    id: &str,
    collection: &str,
    options: &[(String, String)],
) -> Result<Query, QueryError> {
    let no_segment = || QueryError {
        status: 404,
        ..QueryError::odata(format!("Resource not found for the segment '{collection}'."))
    };
    let found = table.collection(collection).ok_or_else(no_segment)?;
    let inner = schema::table(found.table).ok_or_else(no_segment)?;
    let column = inner.column(found.key).ok_or_else(no_segment)?;
    let key = value::from_text(column, id).ok_or_else(no_segment)?;
    let mut query = parse(inner, options)?;
    let test = Test::Is(Compare::Equal, key);
    let own = Filter::Test { at: At::Here, column, test };
    query.filter = Some(match query.filter.take() {
        Some(filter) => Filter::All(vec![own, filter]),
        None => own,
    });
    let path = format!("{}({})/{collection}", table.set, id.to_ascii_lowercase());
    query.dialect = Dialect::OData { path, options: options.to_vec() };
    Ok(query)
}

/// The query for a single row: only `$select` and `$expand` make sense there.
pub fn parse_one(table: &'static Table, options: &[(String, String)]) -> Result<Query, QueryError> {
    for (name, _) in options {
        if matches!(name.as_str(), "$filter" | "$orderby" | "$top" | "$count" | "$skiptoken") {
            return Err(QueryError::odata(format!(
                "The query option '{name}' can only be applied to a collection of entities."
            )));
        }
    }
    parse(table, options)
}

/// The options that a query and an expanded collection have in common.
fn read(
    table: &'static Table,
    options: &[(String, String)],
    aliases: &Aliases,
    budget: &mut usize,
) -> Result<Query, QueryError> {
    let mut query = Query {
        table,
        outputs: super::all_columns(table),
        filter: None,
        joins: Vec::new(),
        order: Vec::new(),
        top: None,
        distinct: false,
        total: false,
        paging: Paging::default(),
        expands: Vec::new(),
        counts: Vec::new(),
        dialect: Dialect::OData { path: table.set.to_owned(), options: options.to_vec() },
    };
    let mut seen = BTreeSet::new();
    for (name, text) in options {
        if name.starts_with('$') && !seen.insert(name.as_str()) {
            return Err(QueryError::odata(format!(
                "Query option '{name}' was specified more than once, but it must be specified at most once."
            )));
        }
        match name.as_str() {
            "$select" => query.outputs = select(table, text)?,
            "$filter" => query.filter = Some(filter::parse(table, text, aliases)?),
            "$orderby" => query.order = order(table, text, aliases)?,
            "$top" => query.top = Some(top(text)?),
            "$expand" => query.expands = expand::parse(table, text, budget)?,
            _ => {}
        }
    }
    Ok(query)
}

/// The primary key comes along unasked.
fn select(table: &'static Table, text: &str) -> Result<Vec<Output>, QueryError> {
    let mut outputs: Vec<Output> = Vec::new();
    for name in text.split(',').map(str::trim) {
        if name == "*" {
            return Ok(super::all_columns(table));
        }
        let column = super::property(table, name)?;
        if !outputs.iter().any(|output| output.column.name == column.name) {
            outputs.push(Output::plain(table, column));
        }
    }
    if !outputs.iter().any(|output| output.column.name == table.id) {
        outputs.push(Output::plain(table, super::key(table)?));
    }
    Ok(outputs)
}

fn order(table: &'static Table, text: &str, aliases: &Aliases) -> Result<Vec<Order>, QueryError> {
    let mut order = Vec::new();
    for term in text.split(',') {
        let mut words = term.split_whitespace();
        let name = words.next().unwrap_or_default();
        let name = match name.strip_prefix('@') {
            Some(_) => aliases.get(name).map_or("", |value| value.trim()),
            None => name,
        };
        let descending = match (words.next(), words.next()) {
            (None | Some("asc"), None) => false,
            (Some("desc"), None) => true,
            _ => {
                return Err(QueryError::odata(format!(
                    "Syntax error in $orderby '{}'.",
                    term.trim()
                )));
            }
        };
        order.push(Order { at: At::Here, column: super::property(table, name)?, descending });
    }
    Ok(order)
}

fn top(text: &str) -> Result<u32, QueryError> {
    text.trim().parse().map_err(|_| {
        QueryError::odata(format!(
            "Invalid value '{text}' for $top query option found. The $top query option requires a non-negative integer value."
        ))
    })
}

fn flag(text: &str) -> Result<bool, QueryError> {
    match text.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(QueryError::odata(format!(
            "Invalid value '{text}' for $count query option found. Valid values are 'true' and 'false'."
        ))),
    }
}

fn unsupported(option: &str) -> QueryError {
    QueryError::odata(format!("The query parameter {option} is not supported"))
}
