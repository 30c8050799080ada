//! A mailbox and an organisation in memory, that real mapping code reads and writes: texts as bytes with the hash of their
//! content as version, rows with counted tags, changed as Dataverse changes them. They decide nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use liaison::connector::vdir::file_name;
use liaison::connector::{Connector, Error, ErrorKind, Result, Write, Written};
use liaison::model::record::{ExceptionPatch, PartyRef};
use liaison::model::{
    Address, Body, Class, Completeness, Document, ItemId, Listing, Record, RecordId, RecordPatch,
    Side, Table, Uid, Version,
};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A value that a plug-in of the organisation refuses in any column.
pub const REFUSED: &str = "refused";

/// Both ends; clones are snapshots.
#[derive(Debug, Clone, Default)]
pub struct Ends {
    pub mailbox: BTreeMap<ItemId, Vec<u8>>,
    pub crm: Organisation,
    /// What was deleted through a connector.
    pub deleted: Vec<(Side, ItemId)>,
}

/// The rows of an organisation.
#[derive(Debug, Clone, Default)]
pub struct Organisation {
    pub rows: BTreeMap<RecordId, Row>,
    /// Whom it knows by address.
    pub people: BTreeMap<Address, PartyRef>,
    /// The longest text a column takes; longer ones are refused.
    pub lengths: BTreeMap<(Table, String), usize>,
    tag: u64,
}

#[derive(Debug, Clone)]
pub struct Row {
    pub record: Record,
    tag: u64,
    /// It is not in the filter (any more).
    pub left: bool,
    /// The user may not look at it or change it.
    pub forbidden: bool,
}

pub type Shared = Arc<Mutex<Ends>>;

/// One end behind the trait that real connectors have.
#[derive(Debug, Clone)]
pub struct Fake {
    pub side: Side,
    pub ends: Shared,
}

#[async_trait]
impl Connector for Fake {
    async fn list(&self, class: Class) -> Result<Listing> {
        let ends = self.ends.lock().unwrap();
        let entries = match self.side {
            Side::Mailbox => {
                ends.mailbox.iter().map(|(id, bytes)| (id.clone(), version(bytes))).collect()
            }
            Side::Crm => ends.crm.list(class),
        };
        Ok(Listing { entries, completeness: Completeness::Complete })
    }

    async fn read(
        &self,
        _class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        let ends = self.ends.lock().unwrap();
        Ok(ids.iter().map(|id| (id.clone(), ends.read(self.side, id))).collect())
    }

    async fn write(&self, _class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        let mut ends = self.ends.lock().unwrap();
        Ok(writes.into_iter().map(|write| ends.write(self.side, write)).collect())
    }

    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        let ends = self.ends.lock().unwrap();
        if self.side == Side::Mailbox {
            let named = ends.mailbox.iter().filter_map(|(id, bytes)| Some((uid(bytes)?, id)));
            let wanted = named.filter(|(uid, _)| uids.contains(uid));
            return Ok(wanted.map(|(uid, id)| (uid, id.clone())).collect());
        }
        assert_eq!(class, Class::Email, "only messages are looked for in the CRM");
        let named = |uid: &Uid| {
            let is_it = |row: &&Row| {
                let id = row.record.columns.get("messageid").and_then(Json::as_str);
                !row.forbidden && id.is_some_and(|id| id.trim_matches(['<', '>']) == uid.as_str())
            };
            ends.crm.rows.values().find(is_it).map(|row| row.record.id.item_id())
        };
        Ok(uids.iter().filter_map(|uid| Some((uid.clone(), named(uid)?))).collect())
    }

    fn address(&self, class: Class, uid: &Uid) -> ItemId {
        file_name(class, uid)
    }

    async fn resolve(&self, addresses: &[Address]) -> Result<BTreeMap<Address, PartyRef>> {
        let ends = self.ends.lock().unwrap();
        let known = |address: &Address| ends.crm.people.get(address).cloned();
        Ok(addresses.iter().filter_map(|who| Some((who.clone(), known(who)?))).collect())
    }

    async fn wait(&self, _class: Class) -> Result<()> {
        Ok(())
    }
}

/// The `UID` of an item.
pub fn uid(bytes: &[u8]) -> Option<Uid> {
    let unfolded = String::from_utf8_lossy(bytes).replace("\r\n ", "");
    unfolded.lines().find_map(|line| line.strip_prefix("UID:").map(Uid::new))
}

fn version(bytes: &[u8]) -> Version {
    Version::new(format!("{:x}", Sha256::digest(bytes)))
}

fn refuse<T>(kind: ErrorKind, id: &ItemId) -> Result<T> {
    Err(Error::new(kind, format!("{id}: {kind:?}")))
}

impl Ends {
    pub fn read(&self, side: Side, id: &ItemId) -> Result<Document> {
        let (version, body) = match side {
            Side::Mailbox => match self.mailbox.get(id) {
                Some(bytes) => (version(bytes), Body::Bytes(bytes.clone())),
                None => return refuse(ErrorKind::Missing, id),
            },
            Side::Crm => match RecordId::parse(id).and_then(|id| self.crm.rows.get(&id)) {
                Some(Row { forbidden: true, .. }) => return refuse(ErrorKind::Forbidden, id),
                Some(row) => (row.version(), Body::Record(Box::new(row.record.clone()))),
                None => return refuse(ErrorKind::Missing, id),
            },
        };
        Ok(Document { id: id.clone(), version, body, marks: BTreeSet::new() })
    }

    pub fn write(&mut self, side: Side, write: Write) -> Result<Written> {
        let id = write.id().clone();
        let there = self.read(side, &id);
        let planned = match &write {
            Write::Create { .. } => None,
            Write::Update { version, .. } | Write::Delete { version, .. } => Some(version),
            Write::Mark { .. } => return refuse(ErrorKind::Unsupported, &id),
        };
        match (planned, &there) {
            (None, Err(error)) if error.kind == ErrorKind::Missing => {}
            (None, _) => return refuse(ErrorKind::Exists, &id),
            (Some(_), Err(error)) => return refuse(error.kind, &id),
            (Some(planned), Ok(there)) if *planned != there.version => {
                return refuse(ErrorKind::Stale, &id);
            }
            (Some(_), Ok(_)) => {}
        }
        match write {
            Write::Create { body, .. } | Write::Update { body, .. } => match body {
                Body::Bytes(bytes) => {
                    self.mailbox.insert(id.clone(), bytes);
                }
                Body::Patch(patch) => self.crm.put(RecordId::parse(&id).unwrap(), *patch)?,
                Body::Record(_) => return refuse(ErrorKind::Unsupported, &id),
            },
            Write::Delete { .. } | Write::Mark { .. } => {
                self.remove(side, &id);
                self.deleted.push((side, id.clone()));
                return Ok(Written { id, document: None });
            }
        }
        let document = Some(self.read(side, &id)?);
        Ok(Written { id, document })
    }

    /// Takes a thing away, as its owner does.
    pub fn remove(&mut self, side: Side, id: &ItemId) {
        match side {
            Side::Mailbox => drop(self.mailbox.remove(id)),
            Side::Crm => drop(RecordId::parse(id).and_then(|id| self.crm.rows.remove(&id))),
        }
    }
}

impl Row {
    fn version(&self) -> Version {
        Version::new(self.tag.to_string())
    }

    /// Whether the default filter of its class finds it: closed tasks and cancelled appointments are left out.
    fn is_listed(&self) -> bool {
        let state = self.record.columns.get("statecode").and_then(Json::as_i64);
        let wanted = match self.record.id.table.class() {
            Class::Contact | Class::Email => true,
            Class::Task => state == Some(0),
            Class::Appointment => state != Some(2),
        };
        wanted && !self.left && !self.forbidden
    }
}

impl Organisation {
    fn list(&self, class: Class) -> BTreeMap<ItemId, Version> {
        let listed = |(id, row): &(&RecordId, &Row)| id.table.class() == class && row.is_listed();
        self.rows.iter().filter(listed).map(|(id, row)| (id.item_id(), row.version())).collect()
    }

    /// Makes or changes a row as Dataverse does.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] for a text too long for its column, and for what the plug-in does not like.
    pub fn put(&mut self, id: RecordId, patch: RecordPatch) -> Result<()> {
        for (column, value) in &patch.columns {
            let Some(text) = value.as_str() else { continue };
            let limit = self.lengths.get(&(id.table, column.clone()));
            if text == REFUSED || limit.is_some_and(|limit| text.encode_utf16().count() > *limit) {
                return refuse(ErrorKind::Rejected, &id.item_id());
            }
        }
        self.tag += 1;
        let tag = self.tag;
        let row = self.rows.entry(id).or_insert_with(|| Row {
            record: blank(id),
            tag,
            left: false,
            forbidden: false,
        });
        row.tag = tag;
        let record = &mut row.record;
        for (column, value) in patch.columns {
            record.columns.insert(column, value);
        }
        if let Some(state) = patch.state {
            record.columns.insert("statecode".to_owned(), json!(state.statecode));
            record.columns.insert("statuscode".to_owned(), json!(state.statuscode));
        }
        if let Some(parties) = patch.parties {
            record.parties = parties;
        }
        record.attachments.extend(patch.attachments);
        for exception in patch.exceptions {
            except(record, exception);
        }
        Ok(())
    }

    /// Something about the row changed that its columns do not show.
    pub fn touch(&mut self, id: RecordId) -> Option<&mut Row> {
        self.tag += 1;
        let row = self.rows.get_mut(&id)?;
        row.tag = self.tag;
        Some(row)
    }
}

/// A new row with what the service fills in.
fn blank(id: RecordId) -> Record {
    let columns = match id.table {
        Table::Contact => json!({ "statecode": 0, "statuscode": 1 }),
        Table::Task => {
            json!({ "statecode": 0, "statuscode": 2, "prioritycode": 1, "percentcomplete": 0 })
        }
        Table::Appointment => json!({
            "statecode": 0, "statuscode": 1, "prioritycode": 1, "isalldayevent": false,
            "instancetypecode": 0,
        }),
        Table::RecurringAppointmentMaster => json!({
            "statecode": 0, "statuscode": 1, "prioritycode": 1, "isalldayevent": false,
            "instancetypecode": 1, "deletedexceptionslist": "",
        }),
        Table::Email => json!({ "statecode": 0, "statuscode": 1, "prioritycode": 1 }),
    };
    let Json::Object(mut columns) = columns else { unreachable!("an object") };
    columns.insert(id.table.id_column().to_owned(), json!(id.guid.to_string()));
    Record { id, columns, parties: Vec::new(), exceptions: Vec::new(), attachments: Vec::new() }
}

/// `CreateException`, and changes of an occurrence that has a row of its own.
fn except(series: &mut Record, patch: ExceptionPatch) {
    let start = patch.original_start;
    let is_it = |row: &Map<String, Json>| {
        let original = row.get("originalstartdate").and_then(Json::as_str);
        original.and_then(|text| text.parse().ok()) == Some(start)
    };
    let place = series.exceptions.iter().position(is_it);
    let Some(columns) = patch.columns else {
        if let Some(place) = place {
            series.exceptions.remove(place);
        }
        let list = series.columns.get("deletedexceptionslist").and_then(Json::as_str);
        let mut starts: BTreeSet<String> =
            list.unwrap_or_default().split(',').map(str::to_owned).collect();
        starts.retain(|start| !start.is_empty());
        starts.insert(start.to_string());
        let list = starts.into_iter().collect::<Vec<_>>().join(",");
        series.columns.insert("deletedexceptionslist".to_owned(), json!(list));
        return;
    };
    let place = place.unwrap_or_else(|| {
        series.exceptions.push(occurrence(series, start));
        series.exceptions.len() - 1
    });
    series.exceptions[place].extend(columns);
}

/// The row of an occurrence as the series has it.
fn occurrence(series: &Record, start: jiff::Timestamp) -> Map<String, Json> {
    const INHERITED: [&str; 7] = [
        "subject",
        "location",
        "description",
        "prioritycode",
        "statecode",
        "statuscode",
        "isalldayevent",
    ];
    let inherited = INHERITED
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), series.columns.get(*name)?.clone())));
    let guid = Uuid::new_v5(&series.id.guid, start.to_string().as_bytes());
    let own = [
        ("activityid", json!(guid.to_string())),
        ("seriesid", json!(series.id.guid.to_string())),
        ("instancetypecode", json!(3)),
        ("originalstartdate", json!(start.to_string())),
    ];
    inherited.chain(own.map(|(name, value)| (name.to_owned(), value))).collect()
}
