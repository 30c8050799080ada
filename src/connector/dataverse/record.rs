//! How a record is read: which questions to ask for it, and what the answers make. It must not know what columns mean.
//!
//! The version of an appointment or a series is its entity tag and a digest of its parties and exceptions: those change
//! without moving the tag of the row they belong to. A listing and a read make it in the same way.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::batch::{Answer, Operation};
use super::metadata::{Metadata, TableMetadata};
use super::odata::{self, LOOKUP_TABLE};
use crate::connector::{Error, ErrorKind, Result};
use crate::model::fields::field_rules;
use crate::model::record::{Party, PartyRef, RecordAttachment, Role};
use crate::model::{Body, Document, Record, RecordId, Table, Version};

/// A record as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    pub record: Record,
    /// The row's own tag, which `If-Match` takes.
    pub etag: String,
    /// What [`version`] adds to it.
    pub parts: Parts,
}

impl Read {
    /// The version that a listing would show.
    pub fn version(&self) -> Version {
        version(self.record.id.table, &self.etag, &self.parts)
    }

    pub fn document(self) -> Document {
        let version = self.version();
        let id = self.record.id.item_id();
        Document { id, version, body: Body::Record(Box::new(self.record)), marks: BTreeSet::new() }
    }
}

/// Ids and versions of the rows that belong to a record: parties and exceptions.
pub type Parts = BTreeSet<(Uuid, String)>;

const SEPARATOR: char = '+';

/// Whether changes can hide from the row's own tag.
pub fn has_parts(table: Table) -> bool {
    matches!(table, Table::Appointment | Table::RecurringAppointmentMaster)
}

/// The version of a record: its tag, and a digest of its parts where it has any.
pub fn version(table: Table, etag: &str, parts: &Parts) -> Version {
    if !has_parts(table) {
        return Version::new(etag);
    }
    let mut digest = Sha256::new();
    for (id, version) in parts {
        digest.update(id.as_bytes());
        digest.update(version.as_bytes());
        digest.update([0]);
    }
    let mut text = format!("{etag}{SEPARATOR}");
    for byte in digest.finalize().iter().take(8) {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    Version::new(text)
}

/// The part of a version that `If-Match` takes.
pub fn etag_of(table: Table, version: &Version) -> &str {
    match version.as_str().rsplit_once(SEPARATOR) {
        Some((etag, _)) if has_parts(table) => etag,
        _ => version.as_str(),
    }
}

/// The address of a row, below the root of the Web API.
pub fn path(metadata: &Metadata, id: RecordId) -> String {
    format!("{}({})", metadata.of(id.table).entity_set, id.guid)
}

/// The questions that read one record.
pub fn questions(metadata: &Metadata, id: RecordId) -> Vec<Operation> {
    let table = metadata.of(id.table);
    let mut row = format!("{}?$select={}", path(metadata, id), select(id.table, table));
    if let Some(expand) = expand(id.table) {
        row.push_str("&$expand=");
        row.push_str(expand);
    }
    let mut questions = vec![odata::get(row)];
    if id.table == Table::RecurringAppointmentMaster {
        let appointments = metadata.of(Table::Appointment);
        questions.push(odata::get(format!(
            "{}?$select={}&$filter=seriesid%20eq%20{}%20and%20instancetypecode%20eq%203",
            appointments.entity_set,
            select(Table::Appointment, appointments),
            id.guid
        )));
    }
    questions
}

/// How many [`questions`] there are.
pub fn question_count(table: Table) -> usize {
    if table == Table::RecurringAppointmentMaster { 2 } else { 1 }
}

/// What the answers to [`questions`] make, which are successes.
///
/// # Errors
/// [`ErrorKind::Malformed`] when an answer is no row, is another row, or is not whole.
pub fn assemble(id: RecordId, answers: &[&Answer]) -> Result<Read> {
    let unclear =
        || Error::new(ErrorKind::Malformed, format!("the answer for {id} makes no sense"));
    let mut answers = answers.iter();
    let row = answers.next().and_then(|answer| answer.json());
    let Some(Json::Object(mut columns)) = row else { return Err(unclear()) };
    let etag = row_of(id, &columns).ok_or_else(unclear)?;
    let mut parts = Parts::new();
    let parties = match take_expanded(&mut columns, "_activity_parties").map_err(|()| unclear())? {
        Some(rows) => {
            parts.extend(rows.iter().filter_map(|row| part(row, "activitypartyid")));
            rows.iter().filter_map(party).collect()
        }
        None => Vec::new(),
    };
    let attachments = take_expanded(&mut columns, "_activity_mime_attachment")
        .map_err(|()| unclear())?
        .map(|rows| rows.iter().map(attachment).collect())
        .unwrap_or_default();
    let mut exceptions = Vec::new();
    if id.table == Table::RecurringAppointmentMaster {
        let answer = answers.next().and_then(|answer| answer.json()).ok_or_else(unclear)?;
        if answer.get("@odata.nextLink").is_some() {
            return Err(unclear());
        }
        exceptions = odata::rows(answer).ok_or_else(unclear)?;
        parts.extend(exceptions.iter().filter_map(|row| part(row, "activityid")));
    }
    columns.remove("@odata.context");
    let record = Record { id, columns, parties, exceptions, attachments };
    Ok(Read { record, etag, parts })
}

/// What a write showed of the row alone; `None` when it showed nothing.
pub fn assemble_row(id: RecordId, answer: &Answer) -> Option<Read> {
    let Json::Object(mut columns) = answer.json()? else { return None };
    let etag = row_of(id, &columns)?;
    columns.remove("@odata.context");
    let record = Record {
        id,
        columns,
        parties: Vec::new(),
        exceptions: Vec::new(),
        attachments: Vec::new(),
    };
    Some(Read { record, etag, parts: Parts::new() })
}

/// The tag of a row, if it is the one that was asked for.
pub fn row_of(id: RecordId, columns: &Map<String, Json>) -> Option<String> {
    let is_it = odata::guid(columns, id.table.id_column()) == Some(id.guid);
    is_it.then(|| odata::row_version(columns)).flatten()
}

/// Id and version of a row that belongs to a record.
pub fn part(row: &Map<String, Json>, id: &str) -> Option<(Uuid, String)> {
    Some((odata::guid(row, id)?, odata::row_version(row).unwrap_or_default()))
}

/// Takes an expanded collection out of a row. A collection that goes on elsewhere is not whole.
fn take_expanded(
    columns: &mut Map<String, Json>,
    suffix: &str,
) -> Result<Option<Vec<Map<String, Json>>>, ()> {
    let Some(name) = columns.keys().find(|name| name.ends_with(suffix)).cloned() else {
        return Ok(None);
    };
    if columns.remove(&format!("{name}@odata.nextLink")).is_some() {
        return Err(());
    }
    let rows = columns.remove(&name).unwrap_or_default();
    odata::rows(serde_json::json!({ "value": rows })).map(Some).ok_or(())
}

fn party(row: &Map<String, Json>) -> Option<Party> {
    let text = |name: &str| row.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let role = Role::from_mask(row.get("participationtypemask")?.as_i64()?)?;
    let table = text(&format!("_partyid_value{LOOKUP_TABLE}"));
    // The service keeps a row of its own for an address that it could not resolve.
    let resolved = !table.is_empty() && table != "unresolvedaddress";
    let target =
        odata::lookup(row, "partyid").filter(|_| resolved).map(|guid| PartyRef { table, guid });
    let name = text(&format!("_partyid_value{}", odata::FORMATTED));
    Some(Party { role, address: text("addressused"), name, target })
}

fn attachment(row: &Map<String, Json>) -> RecordAttachment {
    let text = |name: &str| row.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    RecordAttachment { filename: text("filename"), mimetype: text("mimetype"), bytes: Vec::new() }
}

fn expand(table: Table) -> Option<&'static str> {
    match table {
        Table::Contact | Table::Task => None,
        Table::Appointment => Some(
            "appointment_activity_parties($select=activitypartyid,participationtypemask,addressused,_partyid_value,versionnumber)",
        ),
        Table::RecurringAppointmentMaster => Some(
            "recurringappointmentmaster_activity_parties($select=activitypartyid,participationtypemask,addressused,_partyid_value,versionnumber)",
        ),
        Table::Email => Some(
            "email_activity_parties($select=activitypartyid,participationtypemask,addressused,_partyid_value,versionnumber),\
             email_activity_mime_attachment($select=filename,mimetype)",
        ),
    }
}

/// The columns that make up a record beside the fields that have rules.
const CONTACT: &[&str] = &["fullname", "parentcustomerid"];
const ACTIVITY: &[&str] = &["regardingobjectid"];
const APPOINTMENT: &[&str] =
    &["globalobjectid", "instancetypecode", "seriesid", "originalstartdate", "ismapiprivate"];
const SERIES: &[&str] = &[
    "recurrencepatterntype",
    "interval",
    "daysofweekmask",
    "dayofmonth",
    "monthofyear",
    "instance",
    "isnthmonthly",
    "isnthyearly",
    "isweekdaypattern",
    "firstdayofweek",
    "patternstartdate",
    "patternenddate",
    "patternendtype",
    "occurrences",
    "starttime",
    "endtime",
    "duration",
    "effectivestartdate",
    "effectiveenddate",
    "deletedexceptionslist",
];
const EMAIL: &[&str] = &["sender", "torecipients", "actualstart", "actualend"];
const COMMON: &[&str] = &["statecode", "statuscode", "ownerid", "createdon", "modifiedon"];

/// Whether a column is part of the pattern of a series.
pub fn is_pattern(column: &str) -> bool {
    SERIES.contains(&column)
}

/// `$select`: the columns that mapping reads and that this organisation has.
pub fn select(table: Table, metadata: &TableMetadata) -> String {
    let own: [&[&str]; 2] = match table {
        Table::Contact => [CONTACT, &[]],
        Table::Task => [ACTIVITY, &[]],
        Table::Appointment => [ACTIVITY, APPOINTMENT],
        Table::RecurringAppointmentMaster => [APPOINTMENT, SERIES],
        Table::Email => [ACTIVITY, EMAIL],
    };
    let ruled = field_rules(table.class()).iter().map(|rule| rule.name);
    let names = ruled.chain(own.into_iter().flatten().copied()).chain(COMMON.iter().copied());
    let mut columns: BTreeSet<String> = names.filter_map(|name| readable(metadata, name)).collect();
    columns.insert(table.id_column().to_owned());
    columns.into_iter().collect::<Vec<_>>().join(",")
}

/// How a column is spelled in `$select`; `None` when it is not there or is no plain column.
fn readable(metadata: &TableMetadata, name: &str) -> Option<String> {
    let column = metadata.columns.get(name).filter(|column| column.read)?;
    match column.kind.as_str() {
        "PartyList" => None,
        "Lookup" | "Customer" | "Owner" => Some(format!("_{name}_value")),
        _ => Some(name.to_owned()),
    }
}

#[cfg(test)]
mod tests;
