//! Bringing the copy up to date, at the price of what changed: ids and versions of the filters are compared with what is kept, and
//! only rows that are new or changed are read. A row leaves the copy only when a complete listing does not name it and nothing was
//! entered about it. Each piece is kept as it comes, so that a refresh that was cut short goes on where it ended.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::filters::{self, Chosen, NOTE_ON, NOTES};
use super::{Desk, Result, search, view};
use crate::connector::records::{Definition, Definitions, Question, Records, Versions};
use crate::model::row::RowId;
use crate::store;
use crate::store::replica::refresh::{self, Refreshed};
use crate::store::replica::{outbox, row as rows};

/// How many rows are read and kept at a time.
const AT_ONCE: usize = 2000;

/// How long what came to its end in the outbox is still shown, in hours.
const KEEP_HOURS: i64 = 30 * 24;

/// What a refresh did to one table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    pub name: String,
    /// Rows that are kept now, and how many of them were read.
    pub rows: u64,
    pub read: u64,
    /// Rows that left.
    pub left: u64,
    /// Why not everything was seen.
    pub broken: Option<String>,
}

/// What a refresh came to.
#[derive(Debug, Default)]
pub struct Report {
    pub tables: Vec<Table>,
    /// Tables that were chosen and cannot be taken along, and why.
    pub skipped: Vec<(String, String)>,
    pub requests: u64,
}

/// Told as rows come: the table, how many were read, of how many.
pub type Tell<'a> = &'a (dyn Fn(&str, u64, u64) + Send + Sync);

/// Brings these tables up to date.
///
/// # Errors
/// When the organisation is away or the store is lost; what was read before is kept.
pub async fn refresh(
    desk: &Desk,
    crm: &dyn Records,
    chosen: &Chosen,
    tell: Tell<'_>,
) -> Result<Report> {
    let before = crm.requests();
    let mut report = Report::default();
    let found = crm.offline_filters().await?;
    let mut definitions = desk.definitions(&chosen.tables).await?;
    let mut questions: Vec<(String, Question, String)> = Vec::new();
    for table in &chosen.tables {
        let filters = filters::of(table, chosen, &found);
        if !definitions.contains_key(table) {
            report.skipped.push((table.clone(), "the organisation has no such table".to_owned()));
        } else if filters.is_empty() && table != NOTES {
            report.skipped.push((table.clone(), "no offline filter says which rows".to_owned()));
        } else {
            let shown = serde_json::to_string(&filters).unwrap_or_default();
            let of = |filter| (table.clone(), Question::Filter(filter), shown.clone());
            questions.extend(filters.into_iter().map(of));
        }
    }
    let listed = list(crm, &definitions, &questions).await?;
    let mut held: BTreeSet<Uuid> = BTreeSet::new();
    for (table, (versions, shown)) in listed {
        held.extend(versions.rows.keys());
        if let Some(definition) = definitions.get(&table) {
            report.tables.push(take(desk, crm, definition, (versions, shown), tell).await?);
        }
    }
    let has_own = |table: &str| report.tables.iter().any(|done| done.name == table);
    if chosen.tables.iter().any(|table| table == NOTES)
        && !has_own(NOTES)
        && let Some(notes) = definitions.remove(NOTES)
    {
        let question =
            Question::Pointing { column: NOTE_ON.to_owned(), to: held.into_iter().collect() };
        let versions = crm.list(&[(&notes, question)]).await?.pop().unwrap_or_default();
        let shown = "on what is kept".to_owned();
        report.tables.push(take(desk, crm, &notes, (versions, shown), tell).await?);
    }
    let now = desk.clock.now();
    let long_ago = now - jiff::SignedDuration::from_hours(KEEP_HOURS);
    desk.store.write(move |tx| outbox::prune(tx, long_ago)).await?;
    report.requests = crm.requests() - before;
    Ok(report)
}

/// The union of each table's filters. One that broke off makes the whole incomplete.
async fn list(
    crm: &dyn Records,
    definitions: &Definitions,
    questions: &[(String, Question, String)],
) -> Result<BTreeMap<String, (Versions, String)>> {
    let asked: Vec<(&Definition, Question)> = questions
        .iter()
        .filter_map(|(table, question, _)| Some((definitions.get(table)?, question.clone())))
        .collect();
    let mut listed: BTreeMap<String, (Versions, String)> = BTreeMap::new();
    for (versions, (table, _, shown)) in crm.list(&asked).await?.into_iter().zip(questions) {
        let (union, _) =
            listed.entry(table.clone()).or_insert_with(|| (Versions::default(), shown.clone()));
        union.rows.extend(versions.rows);
        union.broken = union.broken.take().or(versions.broken);
    }
    Ok(listed)
}

/// Brings one table up to date.
async fn take(
    desk: &Desk,
    crm: &dyn Records,
    definition: &Definition,
    (versions, filters): (Versions, String),
    tell: Tell<'_>,
) -> Result<Table> {
    let name = definition.logical.clone();
    let of = name.clone();
    let kept: BTreeMap<Uuid, Option<String>> =
        desk.store.read(move |db| rows::versions(db, &of)).await?.into_iter().collect();
    let is_known = |id: &Uuid, version: &String| {
        kept.get(id).is_some_and(|kept| kept.as_ref() == Some(version))
    };
    let wanted: Vec<Uuid> = versions
        .rows
        .iter()
        .filter(|(id, version)| !is_known(id, version))
        .map(|(id, _)| *id)
        .collect();
    let mut table = Table { name: name.clone(), ..Table::default() };
    table.broken = versions.broken.map(|error| error.message);
    tell(&name, 0, wanted.len() as u64);
    for ids in wanted.chunks(AT_ONCE) {
        let found = crm.rows(definition, ids).await?;
        table.read += found.len() as u64;
        let definition = definition.clone();
        desk.store
            .write(move |tx| {
                for found in found {
                    let row = RowId::new(definition.logical.clone(), found.id);
                    let called = view::name(&definition, &found.values);
                    rows::put(tx, &row, &found.version, &found.values, (&called, false))?;
                    search::index(tx, &definition, &row)?;
                }
                Ok(())
            })
            .await?;
        tell(&name, table.read, wanted.len() as u64);
    }
    let gone: Vec<Uuid> = match table.broken {
        // Half a listing says nothing about what is not in it.
        Some(_) => Vec::new(),
        None => kept.keys().filter(|id| !versions.rows.contains_key(id)).copied().collect(),
    };
    let noted = Refreshed {
        table: name.clone(),
        filters,
        at: desk.clock.now(),
        broken: table.broken.clone().unwrap_or_default(),
    };
    let of = name.clone();
    (table.left, table.rows) = desk
        .store
        .write(move |tx| {
            let left = leave(tx, &of, &gone)?;
            refresh::put(tx, &noted)?;
            let counts = rows::counts(tx)?;
            let rows = counts.into_iter().find(|(table, _)| *table == of);
            Ok((left, rows.map_or(0, |(_, count)| count)))
        })
        .await?;
    Ok(table)
}

/// Forgets rows about which nothing was entered; says how many.
fn leave(tx: &store::Transaction<'_>, table: &str, gone: &[Uuid]) -> store::Result<u64> {
    let mut left = 0;
    for id in gone {
        let row = RowId::new(table, *id);
        if outbox::of_row(tx, &row)?.is_empty() {
            search::forget(tx, &row)?;
            rows::remove(tx, &row)?;
            left += 1;
        }
    }
    Ok(left)
}
