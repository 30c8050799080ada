//! What a person wants changed, from words to an entry in the outbox: checked as a whole first, entered as a whole or not at all.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use uuid::Uuid;

use super::Desk;
use crate::connector::records::Definition;
use crate::model::row::{RowId, Values};
use crate::offline::edit::{self, Purpose};
use crate::offline::outbox::{self, Draft, Entered};
use crate::offline::{Result, refused, search};
use crate::store;
use crate::store::replica::{refresh, row as rows};

/// What a person wants changed, as it was written.
#[derive(Clone)]
pub enum Wish {
    Create {
        id: Option<Uuid>,
        values: BTreeMap<String, Json>,
    },
    /// `row` is a GUID or a name.
    Update {
        row: String,
        values: BTreeMap<String, Json>,
    },
    Delete {
        row: String,
    },
}

impl std::fmt::Debug for Wish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Create { .. } => "Create",
            Self::Update { .. } => "Update",
            Self::Delete { .. } => "Delete",
        })
    }
}

impl Desk {
    /// What a person wrote, as the columns of the table take it.
    ///
    /// # Errors
    /// When a column or value makes no sense: then nothing was entered.
    pub async fn values(
        &self,
        definition: &Definition,
        written: &BTreeMap<String, Json>,
        purpose: Purpose,
    ) -> Result<Values> {
        let mut values = Values::new();
        for (column, input) in written {
            values.insert(column.clone(), self.value(definition, column, input, purpose).await?);
        }
        // A status and its state go together.
        if purpose == Purpose::Update
            && !values.contains_key("statecode")
            && let Some(state) =
                values.get("statuscode").and_then(|it| edit::state_of(definition, it))
        {
            values.insert("statecode".to_owned(), state.into());
        }
        Ok(values)
    }

    /// Enters what a person wants, all of it or nothing. It survives whatever comes once this returns; it is not there yet.
    ///
    /// # Errors
    /// When something of it cannot be done: then nothing was entered.
    pub async fn enter(&self, table: &str, wishes: Vec<Wish>) -> Result<Vec<Entered>> {
        let definition = self.definition(table).await?;
        let mut drafts = Vec::with_capacity(wishes.len());
        for wish in wishes {
            drafts.push(self.draft(&definition, wish).await?);
        }
        let now = self.clock.now();
        let entered = self
            .store
            .promise(move |tx| {
                let mut entered = Vec::with_capacity(drafts.len());
                for draft in drafts {
                    match outbox::enter(tx, &definition, draft, now)? {
                        // Nothing of it counts when one is not known.
                        Entered::Unknown { row } => return Err(unknown(&row)),
                        done => entered.push(done),
                    }
                }
                Ok(entered)
            })
            .await?;
        Ok(entered)
    }

    async fn draft(&self, definition: &Definition, wish: Wish) -> Result<Draft> {
        Ok(match wish {
            Wish::Create { id, values } => {
                let values = self.values(definition, &values, Purpose::Create).await?;
                let has = |column: &str| values.get(column).is_some_and(|value| !value.is_null());
                if let Some(column) = edit::missing(definition, has) {
                    let logical = &definition.logical;
                    return Err(refused(
                        format!("a new {logical} needs `{column}`"),
                        format!("add {column}=…"),
                    ));
                }
                Draft::Create { id: id.unwrap_or_else(|| self.clock.unique()), values }
            }
            Wish::Update { row, values } => {
                let values = self.values(definition, &values, Purpose::Update).await?;
                Draft::Update { row: self.base(definition, &row).await?, values }
            }
            Wish::Delete { row } => Draft::Delete { row: self.base(definition, &row).await? },
        })
    }

    /// The row that is meant, with what stands there now kept as the base of an edit.
    async fn base(&self, definition: &Definition, key: &str) -> Result<RowId> {
        let Some(crm) = &self.crm else {
            return match Uuid::parse_str(key) {
                Ok(id) => {
                    let row = RowId::new(definition.logical.clone(), id);
                    Ok(self.kept(row).await?.row)
                }
                Err(_) => Ok(self.one(definition, key).await?.row),
            };
        };
        let row = match Uuid::parse_str(key) {
            Ok(id) => RowId::new(definition.logical.clone(), id),
            Err(_) => self.one(definition, key).await?.row,
        };
        let wanted = row.clone();
        let waits = self
            .store
            .read(move |db| {
                store::replica::outbox::of_row(db, &wanted).map(|open| !open.is_empty())
            })
            .await?;
        if waits {
            // What was entered was made on what is kept.
            return Ok(row);
        }
        let seen = self.read(crm.as_ref(), definition, &row).await?;
        let (definition, kept) = (definition.clone(), row.clone());
        self.store
            .write(move |tx| {
                rows::put(tx, &kept, &seen.version, &seen.values, (&seen.name, false))?;
                search::index(tx, &definition, &kept)
            })
            .await?;
        Ok(row)
    }

    /// Forgets rows that were only kept as the base of an edit, and of whose table no copy is kept.
    ///
    /// # Errors
    /// When the store is lost.
    pub async fn tidy(&self, entered: &[Entered]) -> Result<()> {
        let rows: Vec<RowId> = entered.iter().map(|entered| entered.row().clone()).collect();
        self.store
            .write(move |tx| {
                let taken = refresh::all(tx)?;
                for row in rows {
                    let is_taken = taken.iter().any(|known| known.table == row.table);
                    if !is_taken && store::replica::outbox::of_row(tx, &row)?.is_empty() {
                        search::forget(tx, &row)?;
                        rows::remove(tx, &row)?;
                    }
                }
                Ok(())
            })
            .await?;
        Ok(())
    }
}

fn unknown(row: &RowId) -> store::Error {
    store::Error::new(store::ErrorKind::Missing, format!("{row} is not known here, or was deleted"))
}
