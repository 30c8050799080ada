//! What takes part: ids and versions of everything that the filters of a class find. It must not know why a record is in a
//! filter, and never takes half an answer for a whole one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::Dataverse;
use super::batch::{Part, Reply};
use super::client::Client;
use super::error::refused;
use super::fetch::{Condition, Fetch, Page};
use super::odata;
use super::record::{self, Parts};
use crate::connector::{Error, ErrorKind, Result};
use crate::model::{
    Class, Completeness, ItemId, Listing, RecordId, Selected, Selection, Selector, Table, Version,
};

/// A page has at most 5,000 short rows, about a megabyte: so many are asked for in one request.
const PAGES_AT_ONCE: usize = 20;

/// More pages than this (ten million rows) is a service that repeats itself.
const MOST_PAGES: usize = 2000;

/// How many records' parts are asked for in one query, so that mostly one page holds them all.
const PARENTS_AT_ONCE: usize = 500;

/// A query of this program.
pub type Query = Asked<'static>;

/// A query, and the table whose set it goes to.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    pub entity_set: String,
    /// The id column of its rows: every row must have one.
    pub id: &'a str,
    pub fetch: Fetch,
}

/// What a query found. `broken` says why it is not everything.
#[derive(Debug, Default)]
pub struct Found {
    pub rows: Vec<Map<String, Json>>,
    pub broken: Option<Error>,
}

/// Rows by the table they are of, each with its tag.
pub type Rows = BTreeMap<RecordId, String>;

/// What is asked, and for which filter.
pub(super) struct ByFilter<'a> {
    pub table: Table,
    selector: &'a Selector,
    pub query: Query,
}

/// Lists a class, and tells what each of its filters found.
///
/// # Errors
/// As for [`choose`].
pub async fn list(
    dataverse: &Dataverse,
    class: Class,
    selection: &Selection,
) -> Result<(Listing, Vec<Selected>)> {
    let Chosen { rows, selected, mut reasons } = choose(dataverse, class, selection).await?;
    let (parts, broken) = parts(dataverse, &rows).await?;
    reasons.extend(broken);
    let entries = entries(&rows, &parts);
    let completeness = if reasons.is_empty() {
        Completeness::Complete
    } else {
        Completeness::Partial(reasons.join("; "))
    };
    Ok((Listing { entries, completeness }, selected))
}

/// What the filters of a class choose.
#[derive(Debug)]
pub struct Chosen {
    pub rows: Rows,
    pub selected: Vec<Selected>,
    /// Why it is not everything.
    pub reasons: Vec<String>,
}

/// Asks which records the filters of a class choose.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for e-mail, which no filter selects, and for a class that is known to have no filter: an empty
/// listing would look as if everything were gone. Otherwise when no filter gave anything.
pub async fn choose(dataverse: &Dataverse, class: Class, selection: &Selection) -> Result<Chosen> {
    let asked = filters(dataverse, class, selection)?;
    let found = run(dataverse, asked.iter().map(|asked| asked.query.clone()).collect()).await?;
    let (mut rows, mut selected) = (Rows::new(), Vec::new());
    let mut reasons = selection.doubts.get(&class).cloned().unwrap_or_default();
    let mut failures = Vec::new();
    let count = asked.len();
    for (ByFilter { table, selector, .. }, found) in asked.into_iter().zip(found) {
        let whole = found.broken.is_none();
        selected.push(Selected {
            name: selector.name.clone(),
            origin: selector.origin,
            rows: whole.then_some(found.rows.len()),
        });
        if let Some(error) = found.broken.map(|error| named(error, selector)) {
            reasons.push(error.message.clone());
            failures.extend(found.rows.is_empty().then_some(error));
        }
        for row in &found.rows {
            match (odata::guid(row, table.id_column()), odata::row_version(row)) {
                (Some(guid), Some(etag)) => {
                    rows.insert(RecordId::new(table, guid), etag);
                }
                _ => reasons.push("a row came without its version".to_owned()),
            }
        }
    }
    if failures.len() == count
        && let Some(failure) = failures.into_iter().next()
    {
        return Err(failure);
    }
    reasons.dedup();
    Ok(Chosen { rows, selected, reasons })
}

/// An error with the filter that it is about.
fn named(error: Error, selector: &Selector) -> Error {
    if selector.name.is_empty() {
        return error;
    }
    let message = format!("filter “{}”: {}", selector.name, error.message);
    let told = Error::new(error.kind, message);
    match error.hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

fn entries(rows: &Rows, parts: &BTreeMap<Uuid, Parts>) -> BTreeMap<ItemId, Version> {
    let none = Parts::new();
    rows.iter()
        .map(|(id, etag)| {
            let parts = parts.get(&id.guid).unwrap_or(&none);
            (id.item_id(), record::version(id.table, etag, parts))
        })
        .collect()
}

/// What a class's filters ask, each of its table.
///
/// # Errors
/// As for [`choose`], and when a filter cannot be used.
pub(super) fn filters<'a>(
    dataverse: &Dataverse,
    class: Class,
    selection: &'a Selection,
) -> Result<Vec<ByFilter<'a>>> {
    if class == Class::Email {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "e-mails are found by Message-ID, not listed",
        ));
    }
    let mut asked = Vec::new();
    for table in Table::ALL.into_iter().filter(|table| table.class() == class) {
        for selector in selection.selectors.get(&table).into_iter().flatten() {
            let id = table.id_column();
            let columns = [id, "versionnumber"];
            let fetch = Fetch::reduced(&selector.fetchxml, table.logical_name(), id, &columns);
            let mut fetch = fetch.map_err(|error| named(error, selector))?;
            if table == Table::Appointment {
                fetch = fetch.and(single_appointments());
            }
            let entity_set = dataverse.metadata.of(table).entity_set.clone();
            asked.push(ByFilter { table, selector, query: Query { entity_set, id, fetch } });
        }
    }
    // What is not known may well be a filter.
    if asked.is_empty() && !selection.doubts.contains_key(&class) {
        return Err(Error::new(ErrorKind::Unsupported, format!("no filter selects any {class}"))
            .hint("a class without a filter does not take part: `liaison filter list`"));
    }
    Ok(asked)
}

/// Occurrences of a series are rows of `appointment` too; they belong to their master.
fn single_appointments() -> Condition {
    Condition::any([
        Condition::operator("instancetypecode", "null"),
        Condition::is_in("instancetypecode", ["0"]),
    ])
}

/// Parties and exceptions of appointments and series, by their parent. The text says why they are not all there.
async fn parts(
    dataverse: &Dataverse,
    rows: &Rows,
) -> Result<(BTreeMap<Uuid, Parts>, Option<String>)> {
    let with_parts: Vec<RecordId> =
        rows.keys().copied().filter(|id| record::has_parts(id.table)).collect();
    let masters: Vec<RecordId> = with_parts
        .iter()
        .copied()
        .filter(|id| id.table == Table::RecurringAppointmentMaster)
        .collect();
    let parties = with_parts.chunks(PARENTS_AT_ONCE).map(parties_of);
    let exceptions = masters.chunks(PARENTS_AT_ONCE).map(|ids| exceptions_of(dataverse, ids));
    let (queries, parents): (Vec<Query>, Vec<&str>) = parties
        .map(|query| (query, "activityid"))
        .chain(exceptions.map(|query| (query, "seriesid")))
        .unzip();
    let ids: Vec<&'static str> = queries.iter().map(|query| query.id).collect();
    let mut parts: BTreeMap<Uuid, Parts> = BTreeMap::new();
    let mut reason = None;
    for ((found, parent), id) in run(dataverse, queries).await?.into_iter().zip(parents).zip(ids) {
        if let Some(error) = found.broken {
            reason.get_or_insert(error.message);
        }
        for row in &found.rows {
            if let (Some(parent), Some(part)) = (odata::lookup(row, parent), record::part(row, id))
            {
                parts.entry(parent).or_default().insert(part);
            }
        }
    }
    Ok((parts, reason))
}

fn parties_of(ids: &[RecordId]) -> Query {
    let id = "activitypartyid";
    let of = Condition::is_in("activityid", ids.iter().map(|id| id.guid.to_string()));
    let fetch = Fetch::by_values("activityparty", id, &[id, "versionnumber", "activityid"], of);
    Query { entity_set: "activityparties".to_owned(), id, fetch }
}

fn exceptions_of(dataverse: &Dataverse, masters: &[RecordId]) -> Query {
    let id = "activityid";
    let of = Condition::all([
        Condition::is_in("seriesid", masters.iter().map(|id| id.guid.to_string())),
        Condition::equals("instancetypecode", "3"),
    ]);
    let fetch = Fetch::by_values("appointment", id, &[id, "versionnumber", "seriesid"], of);
    let entity_set = dataverse.metadata.of(Table::Appointment).entity_set.clone();
    Query { entity_set, id, fetch }
}

/// Runs queries side by side, page by page, many pages in one request.
///
/// # Errors
/// When the first request got no answer. What breaks later is told by [`Found::broken`].
pub async fn run(dataverse: &Dataverse, queries: Vec<Query>) -> Result<Vec<Found>> {
    pages(&dataverse.client, queries).await
}

/// As [`run`], for whatever tables.
///
/// # Errors
/// As for [`run`].
pub async fn pages(client: &Client, queries: Vec<Asked<'_>>) -> Result<Vec<Found>> {
    let mut found: Vec<Found> = queries.iter().map(|_| Found::default()).collect();
    let mut seen: Vec<BTreeSet<Uuid>> = queries.iter().map(|_| BTreeSet::new()).collect();
    let mut waiting: Vec<(usize, Page)> =
        (0..queries.len()).map(|query| (query, Page::first())).collect();
    let mut pages = 0;
    while !waiting.is_empty() {
        let rest = waiting.split_off(waiting.len().min(PAGES_AT_ONCE));
        let parts: Vec<Part> = waiting
            .iter()
            .filter_map(|(query, page)| Some((queries.get(*query)?, page)))
            .map(|(query, page)| {
                Part::One(odata::get_page(query.fetch.path(&query.entity_set, page)))
            })
            .collect();
        let first_request = pages == 0;
        pages += parts.len();
        let replies = match client.read(parts).await {
            Ok(replies) => replies,
            Err(error) if first_request => return Err(error),
            Err(error) => {
                break_off(&mut found, waiting.iter().chain(&rest), &error);
                return Ok(found);
            }
        };
        let mut next = rest;
        for ((query, page), reply) in waiting.into_iter().zip(replies) {
            let (Some(found), Some(seen), Some(asked)) =
                (found.get_mut(query), seen.get_mut(query), queries.get(query))
            else {
                continue;
            };
            match take_page(client, asked, &page, reply, (found, seen)) {
                Ok(Some(_)) if pages >= MOST_PAGES => found.broken = Some(endless()),
                Ok(Some(page)) => next.push((query, page)),
                Ok(None) => {}
                Err(error) => found.broken = Some(error),
            }
        }
        waiting = next;
    }
    Ok(found)
}

fn endless() -> Error {
    Error::new(ErrorKind::Malformed, "the service gave more pages than there can be")
}

fn break_off<'a>(
    found: &mut [Found],
    waiting: impl Iterator<Item = &'a (usize, Page)>,
    error: &Error,
) {
    for (query, _) in waiting {
        if let Some(found) = found.get_mut(*query) {
            found.broken = Some(Error::new(error.kind, error.message.clone()));
        }
    }
}

/// Adds the rows of a page that were not seen yet; gives the next page.
fn take_page(
    client: &Client,
    query: &Asked<'_>,
    page: &Page,
    reply: Reply,
    (found, seen): (&mut Found, &mut BTreeSet<Uuid>),
) -> Result<Option<Page>> {
    let unclear = |reason: &str| Error::new(ErrorKind::Malformed, reason);
    let Reply::One(answer) = reply else { return Err(unclear("a page is no page")) };
    if !answer.is_success() {
        let error = refused(&answer, "list", None, client.clock().now());
        // A list speaks of no row in particular: nothing is gone.
        return Err(match error.kind {
            ErrorKind::Missing | ErrorKind::Stale | ErrorKind::Exists => {
                Error::new(ErrorKind::Malformed, error.message)
            }
            _ => error,
        });
    }
    let json = answer.json().ok_or_else(|| unclear("a page is no JSON"))?;
    let count = json.get("value").and_then(Json::as_array).map_or(0, Vec::len);
    let next = page.next(&json, count).map_err(unclear);
    let rows = odata::rows(json).ok_or_else(|| unclear("a page has no rows"))?;
    let before = found.rows.len();
    for row in rows {
        let id = odata::guid(&row, query.id).ok_or_else(|| unclear("a row has no id"))?;
        if seen.insert(id) {
            found.rows.push(row);
        }
    }
    match next? {
        Some(_) if found.rows.len() == before => {
            Err(unclear("the service gave the same page again"))
        }
        next => Ok(next),
    }
}
