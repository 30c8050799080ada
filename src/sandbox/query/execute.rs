//! Runs queries: pages, totals, aggregates, expanded navigation properties, single rows. What a query means is decided
//! elsewhere; here is only the order of the reads.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde_json::{Map, Value as Json};

use super::paging::{self, KeyTexts};
use super::render::Renderer;
use super::sql::{self, Layout, Statement};
use super::value::Value;
use super::{
    At, Compare, Dialect, Expand, ExpandTo, Filter, Page, Query, QueryError, Scope, Test, odata,
};
use crate::sandbox::schema::{self, Column, Table};

/// One page of the query's answer.
pub fn run(connection: &Connection, query: &Query, scope: &Scope<'_>) -> Result<Page, QueryError> {
    if !query.counts.is_empty() {
        return aggregate(connection, query, scope);
    }
    let window = paging::window(query, scope)?;
    let built = sql::select(query, scope, &window)?;
    let mut renderer = match query.dialect {
        Dialect::OData { .. } => Renderer::new(connection, scope),
        Dialect::FetchXml => Renderer::without_nulls(connection, scope),
    };
    let mut page = Page::default();
    let mut ends: Option<(KeyTexts, KeyTexts)> = None;
    let mut statement = connection.prepare_cached(&built.sql)?;
    bind(&mut statement, &built)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        if page.rows.len() >= window.limit as usize {
            page.more = window.paged;
            break;
        }
        let keys = key_texts(&built.layout, row)?;
        ends = Some(match ends {
            None => (keys.clone(), keys),
            Some((first, _)) => (first, keys),
        });
        let mut object = renderer.row(&query.outputs, row)?;
        if let Some(position) = built.layout.version {
            let version: i64 = row.get(position)?;
            object.insert(String::from("@odata.etag"), Json::String(etag(version)));
        }
        expand(connection, query, scope, (&built.layout, row), &mut object)?;
        page.rows.push(object);
    }
    if page.more
        && let Some((first, last)) = ends
    {
        let cookie = paging::cookie(&window, &first, &last);
        match &query.dialect {
            Dialect::OData { path, options } => {
                let token = cookie.unwrap_or_else(|| paging::numbered(&window));
                page.next_link = Some(paging::next_link(scope.base, path, options, &token));
            }
            Dialect::FetchXml => page.cookie = cookie,
        }
    }
    if query.total {
        page.count = Some(count(connection, query, scope)?);
    }
    Ok(page)
}

/// How many rows match, at most [`super::MAX_PAGE`]: `/$count`.
pub fn count(connection: &Connection, query: &Query, scope: &Scope<'_>) -> Result<u64, QueryError> {
    let built = sql::total(query, scope)?;
    let mut statement = connection.prepare_cached(&built.sql)?;
    bind(&mut statement, &built)?;
    let mut rows = statement.raw_query();
    let total = match rows.next()? {
        Some(row) => row.get::<_, i64>(0)?,
        None => 0,
    };
    Ok(u64::try_from(total).unwrap_or(0))
}

/// The row of that id with `$select` and `$expand`, or `None` if there is none that the caller may read.
pub fn one(
    connection: &Connection,
    table: &'static Table,
    id: &str,
    options: &[(String, String)],
    scope: &Scope<'_>,
) -> Result<Option<Map<String, Json>>, QueryError> {
    let mut query = odata::parse_one(table, options)?;
    query.filter = Some(is(super::key(table)?, id));
    let scope = Scope { page_size: None, ..*scope };
    Ok(run(connection, &query, &scope)?.rows.into_iter().next())
}

/// The etag of a row version.
fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

fn is(column: &'static Column, id: &str) -> Filter {
    let test = Test::Is(Compare::Equal, Value::Text(id.to_ascii_lowercase()));
    Filter::Test { at: At::Here, column, test }
}

fn aggregate(
    connection: &Connection,
    query: &Query,
    scope: &Scope<'_>,
) -> Result<Page, QueryError> {
    let built = sql::aggregate(query, scope)?;
    let mut statement = connection.prepare_cached(&built.sql)?;
    bind(&mut statement, &built)?;
    let mut rows = statement.raw_query();
    let mut page = Page::default();
    while let Some(row) = rows.next()? {
        let mut object = Map::new();
        for (position, count) in query.counts.iter().enumerate() {
            object.insert(count.alias.clone(), Json::from(row.get::<_, i64>(position)?));
        }
        page.rows.push(object);
    }
    Ok(page)
}

/// Binds as many parameters as the statement names: it need not mention the caller.
fn bind(statement: &mut rusqlite::Statement<'_>, built: &Statement) -> Result<(), QueryError> {
    let named = statement.parameter_count();
    for (index, value) in built.params.iter().enumerate().take(named) {
        statement.raw_bind_parameter(index + 1, value)?;
    }
    Ok(())
}

fn key_texts(layout: &Layout, row: &Row<'_>) -> Result<KeyTexts, QueryError> {
    let mut texts = Vec::with_capacity(layout.keys.len());
    for position in &layout.keys {
        texts.push(match row.get_ref(*position)? {
            ValueRef::Null => None,
            ValueRef::Integer(number) => Some(number.to_string()),
            ValueRef::Real(number) => Some(number.to_string()),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                Some(String::from_utf8_lossy(bytes).into_owned())
            }
        });
    }
    Ok(texts)
}

fn expand(
    connection: &Connection,
    query: &Query,
    scope: &Scope<'_>,
    (layout, row): (&Layout, &Row<'_>),
    object: &mut Map<String, Json>,
) -> Result<(), QueryError> {
    for (expand, position) in query.expands.iter().zip(&layout.lookups) {
        let lookup = match position {
            None => None,
            Some(position) => {
                let id: Option<String> = row.get(*position)?;
                let table: Option<String> = row.get(*position + 1)?;
                id.zip(table)
            }
        };
        match &expand.to {
            ExpandTo::One { queries, .. } => {
                let found = match lookup {
                    Some((id, table)) => related(connection, queries, scope, (&id, &table))?,
                    None => None,
                };
                object.insert(expand.name.clone(), found.map_or(Json::Null, Json::Object));
            }
            ExpandTo::Reference { targets, .. } => {
                let address = lookup
                    .filter(|(_, table)| targets.contains(&table.as_str()))
                    .and_then(|(id, table)| Some((id, schema::table(&table)?)))
                    .map(|(id, table)| {
                        serde_json::json!({"@odata.id": format!("{}/{}({id})", scope.base, table.set)})
                    });
                object.insert(expand.name.clone(), address.unwrap_or(Json::Null));
            }
            ExpandTo::Many { key, query: inner } => {
                let id: Option<String> = match layout.id {
                    Some(position) => row.get(position)?,
                    None => None,
                };
                if let Some(id) = id {
                    collection(connection, scope, (query, expand, key, inner), (&id, object))?;
                }
            }
        }
    }
    Ok(())
}

/// The row a lookup points to, if it is one of those tables and may be read.
fn related(
    connection: &Connection,
    queries: &[Query],
    scope: &Scope<'_>,
    (id, table): (&str, &str),
) -> Result<Option<Map<String, Json>>, QueryError> {
    let Some(query) = queries.iter().find(|query| query.table.logical == table) else {
        return Ok(None);
    };
    let mut query = query.clone();
    query.filter = Some(is(super::key(query.table)?, id));
    let scope = Scope { page_size: None, ..*scope };
    let found = run(connection, &query, &scope)?.rows.into_iter().next();
    // Rows behind a lookup come without their etag.
    Ok(found.map(|mut object| {
        object.remove("@odata.etag");
        object
    }))
}

fn collection(
    connection: &Connection,
    scope: &Scope<'_>,
    (outer, expand, key, inner): (&Query, &Expand, &'static Column, &Query),
    (id, object): (&str, &mut Map<String, Json>),
) -> Result<(), QueryError> {
    let mut query = inner.clone();
    let own = is(key, id);
    query.filter = Some(match query.filter.take() {
        Some(filter) => Filter::All(vec![own, filter]),
        None => own,
    });
    if let Dialect::OData { path, .. } = &mut query.dialect {
        *path = format!("{}({id})/{}", outer.table.set, expand.name);
    }
    let page = run(connection, &query, scope)?;
    let rows = page.rows.into_iter().map(Json::Object).collect();
    object.insert(expand.name.clone(), Json::Array(rows));
    if let Some(link) = page.next_link {
        object.insert(format!("{}@odata.nextLink", expand.name), Json::String(link));
    }
    Ok(())
}
