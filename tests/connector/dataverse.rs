//! The Dataverse connector against an organisation, over HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use liaison::clock::Clock;
use liaison::connector::dataverse::Dataverse;
use liaison::connector::dataverse::batch::{Method, Operation};
use liaison::connector::{Connector, Error, ErrorKind, Write, Written};
use liaison::model::record::{ExceptionPatch, Party, PartyRef, RecordAttachment, Role, State};
use liaison::model::{
    Address, Body, Class, Document, ItemId, Record, RecordId, RecordPatch, Table, Uid, Version,
};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::connector::organisation::Organisation;

mod appointments;
mod examine;
mod lease;
mod messages;
mod rows;
mod service;

fn id(table: Table, number: u128) -> ItemId {
    RecordId::new(table, Uuid::from_u128(0x6000_0000_0000_4000_8000_0000_0000_0000 + number))
        .item_id()
}

fn columns(columns: Json) -> Map<String, Json> {
    let Json::Object(columns) = columns else { panic!("not an object") };
    columns
}

fn patch(of: Json) -> RecordPatch {
    RecordPatch { columns: columns(of), ..RecordPatch::default() }
}

fn create(id: &ItemId, patch: RecordPatch) -> Write {
    Write::Create { id: id.clone(), body: Body::Patch(Box::new(patch)) }
}

fn update(id: &ItemId, version: &Version, patch: RecordPatch) -> Write {
    Write::Update { id: id.clone(), version: version.clone(), body: Body::Patch(Box::new(patch)) }
}

fn delete(id: &ItemId, version: &Version) -> Write {
    Write::Delete { id: id.clone(), version: version.clone() }
}

async fn write(crm: &Dataverse, class: Class, write: Write) -> Result<Written, Error> {
    let mut written = crm.write(class, vec![write]).await.unwrap();
    assert_eq!(written.len(), 1);
    written.pop().unwrap()
}

async fn document(crm: &Dataverse, class: Class, id: &ItemId) -> Document {
    crm.read(class, std::slice::from_ref(id)).await.unwrap().remove(id).unwrap().unwrap()
}

async fn kind_of_read(crm: &Dataverse, class: Class, id: &ItemId) -> ErrorKind {
    crm.read(class, std::slice::from_ref(id)).await.unwrap().remove(id).unwrap().unwrap_err().kind
}

fn record(document: &Document) -> &Record {
    let Body::Record(record) = &document.body else { panic!("not a record") };
    record
}

fn column<'a>(document: &'a Document, name: &str) -> &'a Json {
    record(document).columns.get(name).unwrap_or(&Json::Null)
}

fn party(role: Role, address: &str, target: Option<(&str, Uuid)>) -> Party {
    let target = target.map(|(table, guid)| PartyRef { table: table.to_owned(), guid });
    Party { role, address: address.to_owned(), name: String::new(), target }
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}
