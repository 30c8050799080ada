//! The rows of one organisation, from wherever they can be had: the organisation itself, or the copy of it. Every change goes the
//! same way: it is entered into the outbox, and replayed at once where the organisation can be reached. So the same words mean
//! the same with and without it, and nothing that was acknowledged hangs on an answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value as Json;
use uuid::Uuid;

use super::edit::{self, Parsed, Purpose};
use super::view::View;
use super::{Result, refused, view};
use crate::clock::Clock;
use crate::connector::records::{
    Action, Definition, Definitions, Found, Operation, Outcome, Records, Search,
};
use crate::connector::{self, ErrorKind};
use crate::model::row::{self, RowId, Values};
use crate::store::replica::outbox::Edit;
use crate::store::replica::{definition, refresh};
use crate::store::{self, Store, meta};

pub mod wish;

pub use wish::Wish;

/// How long what a table looks like is taken for true while it can be asked, in hours.
const DEFINITION_HOURS: i64 = 24;

/// How many names of several rows are told.
const NAMED: usize = 5;

/// A place to work with the rows of one organisation.
#[derive(Clone)]
pub struct Desk {
    pub store: Store,
    pub clock: Clock,
    /// `None` while the organisation is away.
    pub crm: Option<Arc<dyn Records>>,
    /// The one that times without a zone are meant in.
    pub zone: TimeZone,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("is_online", &self.crm.is_some()).finish_non_exhaustive()
    }
}

impl Desk {
    /// Makes sure that the copy is of this organisation and this user; notes it the first time.
    ///
    /// # Errors
    /// When it is of another.
    pub async fn pin(&self, crm: &dyn Records) -> Result<()> {
        let pins = [(meta::ORGANISATION, crm.organisation()), (meta::USER, crm.user())];
        let mismatch = self
            .store
            .write(move |tx| {
                for (key, id) in pins {
                    match meta::get(tx, key)? {
                        Some(known) if known != id.to_string() => return Ok(Some(key)),
                        Some(_) => {}
                        None => meta::set(tx, key, &id.to_string())?,
                    }
                }
                Ok(None)
            })
            .await?;
        match mismatch {
            None => Ok(()),
            Some(key) => Err(refused(
                format!("the offline copy is of another {key} than the one at this address"),
                "nothing was touched; correct the configuration, or drop the copy: `liaison offline --forget`",
            )),
        }
    }

    /// What tables look like: as kept, or asked where that is old. One that the organisation does not have is left out, and so is
    /// one that nobody ever asked about while the organisation is away.
    ///
    /// # Errors
    /// When the organisation does not answer, or the store is lost.
    pub async fn definitions(&self, tables: &[String]) -> Result<Definitions> {
        let wanted = tables.to_vec();
        let kept = self
            .store
            .read(move |db| {
                let mut kept = Vec::new();
                for table in wanted {
                    kept.extend(definition::get(db, &table)?.map(|found| (table, found)));
                }
                Ok(kept)
            })
            .await?;
        let now = self.clock.now();
        let is_fresh = |asked: Timestamp| now.duration_since(asked).as_hours() < DEFINITION_HOURS;
        let mut known = Definitions::new();
        for (table, (body, asked)) in kept {
            if (self.crm.is_none() || is_fresh(asked))
                && let Ok(definition) = serde_json::from_str(&body)
            {
                known.insert(table, definition);
            }
        }
        let missing: Vec<String> =
            tables.iter().filter(|table| !known.contains_key(*table)).cloned().collect();
        if let (Some(crm), false) = (&self.crm, missing.is_empty()) {
            let told = crm.describe(&missing).await?;
            known.extend(told.clone());
            self.store
                .write(move |tx| {
                    for (table, definition) in &told {
                        let body = serde_json::to_string(definition).unwrap_or_default();
                        definition::put(tx, table, &body, now)?;
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(known)
    }

    /// What the tables of these edits look like.
    ///
    /// # Errors
    /// As for [`Desk::definitions`], and when one of them is not known.
    pub async fn definitions_of(&self, edits: impl Iterator<Item = &Edit>) -> Result<Definitions> {
        let mut tables: Vec<String> = edits.map(|edit| edit.row.table.clone()).collect();
        tables.sort_unstable();
        tables.dedup();
        let known = self.definitions(&tables).await?;
        match tables.iter().find(|table| !known.contains_key(*table)) {
            Some(table) => Err(self.unknown_table(table)),
            None => Ok(known),
        }
    }

    /// What a table looks like.
    ///
    /// # Errors
    /// As for [`Desk::definitions_of`].
    pub async fn definition(&self, table: &str) -> Result<Definition> {
        let found = self.definitions(&[table.to_owned()]).await?.remove(table);
        found.ok_or_else(|| self.unknown_table(table))
    }

    fn unknown_table(&self, table: &str) -> super::Error {
        match self.crm {
            Some(_) => refused(
                format!("the organisation has no table `{table}`"),
                "tables go by their logical names, like `contact`",
            ),
            None => refused(
                format!("nothing is known here about the table `{table}`"),
                format!(
                    "take it along when the organisation can be reached: `liaison offline {table}`"
                ),
            ),
        }
    }

    /// One row, by GUID or name.
    ///
    /// # Errors
    /// When there is none, or several go by the name.
    pub async fn get(&self, table: &str, key: &str) -> Result<(Definition, View)> {
        let definition = self.definition(table).await?;
        let view = self.one(&definition, key).await?;
        Ok((definition, view))
    }

    pub(super) async fn one(&self, definition: &Definition, key: &str) -> Result<View> {
        if let Ok(id) = Uuid::parse_str(key) {
            let row = RowId::new(definition.logical.clone(), id);
            return match &self.crm {
                Some(crm) => self.read(crm.as_ref(), definition, &row).await,
                None => self.kept(row).await,
            };
        }
        let tables = BTreeMap::from([(definition.logical.clone(), definition.clone())]);
        self.named(&tables, key).await
    }

    /// A row of the copy.
    pub(super) async fn kept(&self, row: RowId) -> Result<View> {
        let (of, wanted) = (row.table.clone(), row.clone());
        let (found, is_taken) = self
            .store
            .read(move |db| {
                let taken = refresh::all(db)?.into_iter().any(|known| known.table == of);
                Ok((view::get(db, &wanted)?, taken))
            })
            .await?;
        let table = &row.table;
        match found {
            Some(view) if view.is_deleted => Err(refused(
                format!("{row} was deleted here"),
                "`liaison outbox list` shows the edit",
            )),
            Some(view) => Ok(view),
            None if is_taken => Err(refused(
                format!("{row} is not in the offline copy"),
                "widen the offline filter, or try again when the organisation can be reached",
            )),
            None => Err(refused(
                format!("no {table} was taken offline"),
                format!("when the organisation can be reached: `liaison offline {table}`"),
            )),
        }
    }

    /// A row of the organisation, with what waits of it over it.
    pub(super) async fn read(
        &self,
        crm: &dyn Records,
        definition: &Definition,
        row: &RowId,
    ) -> Result<View> {
        let definitions = Definitions::from([(definition.logical.clone(), definition.clone())]);
        let operation = Operation { row: row.clone(), action: Action::Read };
        let answer = crm.send(&definitions, &[operation]).await?.pop();
        let (of, wanted) = (definition.clone(), row.clone());
        match answer {
            Some(Ok(Outcome::Read(found))) => {
                Ok(self.store.read(move |db| laid_over(db, &of, wanted, found)).await?)
            }
            Some(Err(error)) if error.kind == ErrorKind::Missing => {
                // It may have been made here, and wait.
                let made = self.store.read(move |db| view::get(db, &wanted)).await?;
                let made = made.filter(|view| view.version.is_empty() && !view.is_deleted);
                made.ok_or_else(|| {
                    refused(
                        format!("there is no {row}"),
                        "`liaison record list` shows which there are",
                    )
                })
            }
            Some(Err(error)) => Err(error.into()),
            Some(Ok(_)) | None => {
                Err(connector::Error::new(ErrorKind::Malformed, "the answer is no row").into())
            }
        }
    }

    /// Rows of a table in which these columns have these values, by name; at most so many.
    ///
    /// # Errors
    /// When a column or value makes no sense, or the rows cannot be had.
    pub async fn list(
        &self,
        table: &str,
        conditions: &[(String, Json)],
        limit: usize,
    ) -> Result<(Definition, Vec<View>)> {
        let definition = self.definition(table).await?;
        let mut wanted = Values::new();
        for (column, input) in conditions {
            let readable = definition.columns.get(column).is_some_and(|column| column.read);
            let parsed = if readable {
                self.value(&any_purpose(&definition), column, input, Purpose::Update).await?
            } else {
                self.value(&definition, column, input, Purpose::Update).await?
            };
            wanted.insert(column.clone(), parsed);
        }
        let Some(crm) = &self.crm else {
            let of = definition.logical.clone();
            let views = self.store.read(move |db| view::list(db, &of)).await?;
            let fits = |view: &View| {
                wanted.iter().all(|(column, value)| {
                    row::same(view.values.get(column).unwrap_or(&Json::Null), value)
                })
            };
            return Ok((definition, views.into_iter().filter(fits).take(limit).collect()));
        };
        let spelled = |value: &Json| match row::target(value) {
            Some(row) => row.id.to_string(),
            None => match value {
                Json::Bool(on) => u8::from(*on).to_string(),
                value => row::shown(value),
            },
        };
        let all = wanted.iter().map(|(column, value)| (column.clone(), spelled(value))).collect();
        let found = crm.find(&definition, &Search { all, any: Vec::new(), limit }).await?;
        let of = definition.clone();
        let views = self
            .store
            .read(move |db| {
                let lay = |found: Found| {
                    let row = RowId::new(of.logical.clone(), found.id);
                    laid_over(db, &of, row, found)
                };
                found.into_iter().map(lay).collect::<store::Result<Vec<View>>>()
            })
            .await?;
        Ok((definition, views.into_iter().filter(|view| !view.is_deleted).collect()))
    }

    /// Rows that go by a name, of whichever of these tables.
    async fn named(&self, tables: &Definitions, name: &str) -> Result<View> {
        let mut found: Vec<View> = Vec::new();
        for definition in tables.values() {
            let any = names(definition, name);
            if let Some(crm) = &self.crm {
                let search = Search { all: Vec::new(), any, limit: NAMED + 1 };
                for row in crm.find(definition, &search).await? {
                    let called = view::name(definition, &row.values);
                    let id = RowId::new(definition.logical.clone(), row.id);
                    found.push(View::plain(id, row.version, row.values, called));
                }
                continue;
            }
            let of = definition.logical.clone();
            let views = self.store.read(move |db| view::list(db, &of)).await?;
            let says = |view: &View, (column, text): &(String, String)| {
                let value = view.values.get(column);
                value.is_some_and(|value| row::shown(value).to_lowercase() == text.to_lowercase())
            };
            let is_meant = |view: &View| {
                any.iter().any(|wanted| says(view, wanted))
                    || view.name.to_lowercase() == name.to_lowercase()
            };
            found.extend(views.into_iter().filter(is_meant));
        }
        let of = tables.keys().cloned().collect::<Vec<_>>().join(" or ");
        if found.len() > 1 {
            let listed: Vec<String> = found
                .iter()
                .take(NAMED)
                .map(|view| format!("{} ({})", view.row, view.name))
                .collect();
            return Err(refused(
                format!("“{name}” could be several: {}", listed.join(", ")),
                "write the one that is meant as TABLE/GUID",
            ));
        }
        found.pop().ok_or_else(|| {
            let here = if self.crm.is_some() { "there is" } else { "the offline copy has" };
            refused(
                format!("{here} no {of} called “{name}”"),
                "write it as it is called there, or as TABLE/GUID",
            )
        })
    }

    /// A value as its column takes it, with lookups by name resolved.
    pub(super) async fn value(
        &self,
        definition: &Definition,
        column: &str,
        input: &Json,
        purpose: Purpose,
    ) -> Result<Json> {
        match edit::value(definition, column, input, purpose, &self.zone)? {
            Parsed::Value(value) => Ok(value),
            Parsed::Named { tables, name } => {
                let tables = self.definitions(&tables).await?;
                let view = self.named(&tables, &name).await?;
                Ok(row::lookup(&view.row, Some(&view.name)))
            }
        }
    }
}

/// The columns that people may mean a row by, with the text they wrote.
fn names(definition: &Definition, text: &str) -> Vec<(String, String)> {
    let also = ["emailaddress1", "internalemailaddress", "domainname"];
    let also = also.into_iter().filter(|_| text.contains('@'));
    let columns = [definition.name.as_str()].into_iter().chain(also);
    columns
        .filter(|column| definition.columns.contains_key(*column))
        .map(|column| (column.to_owned(), text.to_owned()))
        .collect()
}

/// A table in which every column may be asked for, as conditions do.
fn any_purpose(definition: &Definition) -> Definition {
    let mut definition = definition.clone();
    for column in definition.columns.values_mut() {
        column.update = true;
    }
    definition
}

fn laid_over(
    db: &store::Connection,
    definition: &Definition,
    row: RowId,
    found: Found,
) -> store::Result<View> {
    match view::get(db, &row)? {
        Some(view) if view.waiting + view.parked > 0 => Ok(view),
        Some(_) | None => {
            let name = view::name(definition, &found.values);
            Ok(View::plain(row, found.version, found.values, name))
        }
    }
}
