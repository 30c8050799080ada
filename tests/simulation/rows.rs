//! The organisation as somebody sees it who works with its rows: what a copy is filled from, and where what was entered away from
//! it goes. What took place is noted by what was written.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use liaison::connector::records::{
    Action, Column, Definition, Definitions, Found, Kind, Operation, Outcome, Question, Records,
    Search, Versions,
};
use liaison::connector::{Error, ErrorKind, Result};
use liaison::model::row::Values;
use liaison::model::{Body, Class, ItemId, RecordId, RecordPatch, RowId, Side, Table};
use uuid::Uuid;

use super::office::Office;
use super::servers::Servers;
use crate::support::faults::{Fault, Point, throttled, unreachable};
use crate::support::world::ORGANISATION;

/// The tables that are taken along.
pub const TABLES: [(&str, Class); 3] =
    [("contact", Class::Contact), ("task", Class::Task), ("appointment", Class::Appointment)];

/// The column that a row of a class is known by.
pub fn title(class: Class) -> &'static str {
    if class == Class::Contact { "lastname" } else { "subject" }
}

/// The row of a copy that goes by this id in the CRM.
pub fn row_of(id: &ItemId) -> Option<RowId> {
    let record = RecordId::parse(id)?;
    let table = TABLES.iter().find(|(_, class)| *class == record.table.class())?.0;
    Some(RowId::new(table, record.guid))
}

pub fn record_of(row: &RowId) -> RecordId {
    let table = match row.table.as_str() {
        "contact" => Table::Contact,
        "task" => Table::Task,
        _ => Table::Appointment,
    };
    RecordId::new(table, row.id)
}

/// What a table looks like.
pub fn definition(table: &str) -> Option<Definition> {
    let (_, class) = TABLES.iter().find(|(name, _)| *name == table)?;
    let title = title(*class);
    let texts = super::history::fields(*class).iter().chain([&title]);
    let times: &[&str] = match class {
        Class::Contact | Class::Email => &[],
        Class::Task => &["scheduledend"],
        Class::Appointment => &["scheduledstart", "scheduledend"],
    };
    let column = |name: &str, kind| {
        let required = name == title;
        let column = Column { kind, create: true, update: true, read: true, required };
        (name.to_owned(), column)
    };
    let texts = texts.map(|name| column(name, Kind::Text { max: None }));
    Some(Definition {
        logical: table.to_owned(),
        set: format!("{table}s"),
        id: if *class == Class::Contact { "contactid" } else { "activityid" }.to_owned(),
        name: title.to_owned(),
        versioned: true,
        columns: texts.chain(times.iter().map(|name| column(name, Kind::Moment))).collect(),
    })
}

/// The rows as one installation gets to them.
pub struct Rows {
    pub site: usize,
    pub all: Arc<Servers>,
    pub office: Weak<Office>,
}

impl Rows {
    async fn reach(&self, point: Point) -> Result<Option<Fault>> {
        match self.office.upgrade() {
            Some(office) => office.reach_desk(self.site, point).await,
            None => Err(unreachable()),
        }
    }

    fn found(&self, row: &RowId) -> Result<Found> {
        let document = self.all.crm.lock().unwrap().read(Side::Crm, &record_of(row).item_id())?;
        let Body::Record(record) = document.body else {
            return Err(Error::new(ErrorKind::Malformed, "no row"));
        };
        let columns = definition(&row.table).map(|of| of.columns).unwrap_or_default();
        let values = record.columns.into_iter();
        let values = values.filter(|(name, value)| columns.contains_key(name) && !value.is_null());
        let version = document.version.as_str().to_owned();
        Ok(Found { id: row.id, version, values: values.collect() })
    }

    /// All or nothing, by the version that it was made on.
    fn carry_out(&self, operation: &Operation) -> Result<Outcome> {
        let row = &operation.row;
        let there = self.found(row);
        let refuse = |kind| Err(Error::new(kind, format!("{row}: {kind:?}")));
        match (&operation.action, &there) {
            (Action::Read, _) => return there.map(Outcome::Read),
            (Action::Create(_), Ok(_)) => return refuse(ErrorKind::Exists),
            (Action::Update { .. } | Action::Delete { .. }, Err(error)) => {
                return refuse(error.kind);
            }
            (Action::Update { version, .. } | Action::Delete { version }, Ok(found))
                if *version != found.version =>
            {
                return refuse(ErrorKind::Stale);
            }
            _ => {}
        }
        let id = record_of(row);
        match &operation.action {
            Action::Create(values) | Action::Update { values, .. } => self.put(id, values)?,
            _ => self.all.crm.lock().unwrap().remove(Side::Crm, &id.item_id()),
        }
        if let Some(office) = self.office.upgrade() {
            office.took_place(self.site, operation, there.ok().as_ref());
        }
        match &operation.action {
            Action::Delete { .. } => Ok(Outcome::Deleted),
            _ => self.found(row).map(|found| Outcome::Written(found.version)),
        }
    }

    fn put(&self, id: RecordId, values: &Values) -> Result<()> {
        let columns = values.iter().map(|(name, value)| (name.clone(), value.clone()));
        let patch = RecordPatch { columns: columns.collect(), ..RecordPatch::default() };
        self.all.crm.lock().unwrap().crm.put(id, patch)?;
        self.all.saved(&id.item_id());
        Ok(())
    }

    async fn one(&self, operation: &Operation) -> Result<Result<Outcome>> {
        let kind = match operation.action {
            Action::Read => {
                return Ok(match self.reach(Point::Look).await? {
                    Some(Fault::Throttled) => Err(throttled()),
                    Some(_) => Err(unreachable()),
                    None => self.carry_out(operation),
                });
            }
            Action::Create(_) => "create",
            Action::Update { .. } => "update",
            Action::Delete { .. } => "delete",
        };
        match self.reach(Point::BeforeEdit(kind)).await? {
            // A create never meets another version.
            Some(Fault::Stale) if kind != "create" => {
                return Ok(Err(Error::new(ErrorKind::Stale, "not now")));
            }
            Some(Fault::Throttled | Fault::Stale) => return Ok(Err(throttled())),
            Some(Fault::Refused) => {
                return Ok(Err(Error::new(ErrorKind::Rejected, "a plug-in does not like it")));
            }
            _ => {}
        }
        let done = self.carry_out(operation);
        self.reach(Point::AfterEdit(kind)).await?;
        Ok(done)
    }
}

#[async_trait]
impl Records for Rows {
    fn organisation(&self) -> Uuid {
        ORGANISATION
    }

    fn user(&self) -> Uuid {
        Uuid::from_u128(7)
    }

    async fn describe(&self, tables: &[String]) -> Result<Definitions> {
        let known = |table: &String| Some((table.clone(), definition(table)?));
        Ok(tables.iter().filter_map(known).collect())
    }

    async fn offline_filters(&self) -> Result<BTreeMap<String, Vec<String>>> {
        Ok(TABLES.map(|(table, _)| (table.to_owned(), vec!["all".to_owned()])).into())
    }

    async fn list(&self, questions: &[(&Definition, Question)]) -> Result<Vec<Versions>> {
        let fault = self.reach(Point::CopyList).await?;
        if fault == Some(Fault::Unreachable) {
            return Err(unreachable());
        }
        let mut lists = Vec::new();
        for (definition, _) in questions {
            let rows: Vec<RecordId> = {
                let ends = self.all.crm.lock().unwrap();
                ends.crm.rows.keys().copied().collect()
            };
            let of_table = rows.iter().filter_map(|id| row_of(&id.item_id()));
            let of_table = of_table.filter(|row| row.table == definition.logical);
            let mut listed: BTreeMap<Uuid, String> =
                of_table.filter_map(|row| Some((row.id, self.found(&row).ok()?.version))).collect();
            let mut broken = None;
            if fault == Some(Fault::Cut) {
                let half = listed.len() / 2;
                listed = listed.into_iter().take(half).collect();
                broken = Some(unreachable());
            }
            lists.push(Versions { rows: listed, broken });
        }
        Ok(lists)
    }

    async fn rows(&self, definition: &Definition, ids: &[Uuid]) -> Result<Vec<Found>> {
        if self.reach(Point::CopyRows).await?.is_some() {
            return Err(unreachable());
        }
        let row = |id: &Uuid| RowId::new(definition.logical.clone(), *id);
        Ok(ids.iter().filter_map(|id| self.found(&row(id)).ok()).collect())
    }

    async fn find(&self, _definition: &Definition, _search: &Search) -> Result<Vec<Found>> {
        Err(Error::new(ErrorKind::Unsupported, "rows go by their ids here"))
    }

    async fn send(
        &self,
        _definitions: &Definitions,
        operations: &[Operation],
    ) -> Result<Vec<Result<Outcome>>> {
        let fault = self.reach(Point::Wave).await?;
        match fault {
            Some(Fault::Unreachable) => return Err(unreachable()),
            Some(Fault::Throttled) => return Err(throttled()),
            Some(Fault::Twice) => {
                operations.iter().for_each(|operation| drop(self.carry_out(operation)));
            }
            _ => {}
        }
        let mut done = Vec::new();
        for operation in operations {
            done.push(self.one(operation).await?);
        }
        if fault == Some(Fault::Lost) {
            return Err(unreachable());
        }
        if let Some(office) = self.office.upgrade() {
            office.answered(self.site, operations, &done);
        }
        Ok(done)
    }

    fn requests(&self) -> u64 {
        0
    }
}
