//! Which operations make one write, in their order. Pure: it must not send anything.
//!
//! * A create names its row and never replaces: `PATCH` with `If-None-Match: *`; with parties `POST` with the id in the body,
//!   since only `POST` is documented to take them along. Both answer 412 when the row is there.
//! * An activity cannot be created closed, and a closed one cannot be edited: open, change, close.
//! * A message is created and then closed rather than promoted (`DeliverPromoteEmail`): that action has no condition against
//!   a second call and takes neither `inreplyto` nor parties that are resolved already.
//!   <https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/deliverpromoteemail>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};

use crate::connector::dataverse::batch::{Method, Operation};
use crate::connector::dataverse::metadata::Metadata;
use crate::connector::dataverse::odata::{self, etag, returning};
use crate::connector::dataverse::record::{self, Read, etag_of};
use crate::connector::{Error, ErrorKind, Result};
use crate::model::record::{ExceptionPatch, Party, RecordAttachment, State};
use crate::model::{RecordId, RecordPatch, Table, Version};

/// Whether a record is more than its row: then it is read after it was written.
pub fn has_more_than_a_row(table: Table) -> bool {
    !matches!(table, Table::Contact | Table::Task)
}

/// Creates a record with all that belongs to it.
///
/// # Errors
/// [`ErrorKind::Rejected`] when a party cannot be named.
pub fn create(metadata: &Metadata, id: RecordId, patch: &RecordPatch) -> Result<Vec<Operation>> {
    let mut steps = vec![create_row(metadata, id, patch)?];
    for file in &patch.attachments {
        steps.push(attach(metadata, id, file));
    }
    for exception in &patch.exceptions {
        steps.push(create_exception(metadata, id, exception));
    }
    let table = metadata.of(id.table);
    if let Some(state) = patch.state.filter(|state| *state != table.open(id.table)) {
        steps.push(set_state(metadata, id, state).header("If-Match", "*"));
    }
    Ok(showing(steps, metadata, id))
}

/// The row alone, open.
///
/// # Errors
/// [`ErrorKind::Rejected`] when a party cannot be named.
pub fn create_row(metadata: &Metadata, id: RecordId, patch: &RecordPatch) -> Result<Operation> {
    let mut row = columns(metadata, id.table, patch, true);
    let parties = patch.parties.as_deref().unwrap_or_default();
    if parties.is_empty() {
        return Ok(Operation::new(Method::Patch, record::path(metadata, id))
            .header("If-None-Match", "*")
            .body(&Json::Object(row)));
    }
    row.insert(id.table.id_column().to_owned(), json!(id.guid.to_string()));
    row.insert(party_collection(id.table), party_rows(parties)?);
    let set = &metadata.of(id.table).entity_set;
    Ok(Operation::new(Method::Post, set).body(&Json::Object(row)))
}

/// Changes a record. `look` is the record as it stands, of the version that is planned against; it may be left out only where
/// the table has no states that forbid changes, no parts, and versions.
///
/// # Errors
/// [`ErrorKind::Rejected`] when a party cannot be named.
pub fn update(
    metadata: &Metadata,
    id: RecordId,
    version: &Version,
    patch: &RecordPatch,
    look: Option<&Read>,
) -> Result<Vec<Operation>> {
    let columns = columns(metadata, id.table, patch, false);
    let parts = patch.parties.is_some() || !patch.exceptions.is_empty();
    let closed =
        look.and_then(|look| closed(id.table, look)).filter(|_| parts || !columns.is_empty());
    let row = |body: Map<String, Json>| {
        Operation::new(Method::Patch, record::path(metadata, id)).body(&Json::Object(body))
    };
    let mut steps = Vec::new();
    if closed.is_some() {
        steps.push(set_state(metadata, id, metadata.of(id.table).open(id.table)));
    }
    if !columns.is_empty() {
        steps.push(row(columns));
    } else if parts && closed.is_none() {
        // The version guards the row only: a write that changes nothing makes it guard the rest of the change set.
        let subject = look.and_then(|look| look.record.columns.get("subject")).cloned();
        steps.push(row(Map::from_iter([("subject".to_owned(), subject.unwrap_or_default())])));
    }
    let own = steps.len();
    if let Some(parties) = &patch.parties {
        let all = parties_of(metadata, id);
        let body = json!({ "value": party_rows(parties)? });
        steps.push(Operation::new(Method::Put, all).body(&body));
    }
    // With a new pattern the service makes its occurrences anew: no row that was seen counts any more.
    let anew = patch.columns.keys().any(|column| record::is_pattern(column));
    let rows = look.filter(|_| !anew).map(|look| look.record.exceptions.as_slice());
    for exception in &patch.exceptions {
        steps.push(change_exception(metadata, id, exception, rows.unwrap_or_default()));
    }
    let state = patch.state.or(closed);
    steps.extend(state.map(|state| set_state(metadata, id, state)));
    let guard = if metadata.of(id.table).versioned {
        etag(etag_of(id.table, version))
    } else {
        // Compared just before; at least a row that is gone stays gone.
        "*".to_owned()
    };
    let last = steps.len().saturating_sub(1);
    let steps = steps.into_iter().enumerate().map(|(number, step)| match number {
        0 => step.header("If-Match", guard.clone()),
        _ if number < own || (number == last && state.is_some()) => step.header("If-Match", "*"),
        _ => step,
    });
    Ok(showing(steps.collect(), metadata, id))
}

/// Deletes a record of a version.
pub fn delete(metadata: &Metadata, id: RecordId, version: &Version) -> Operation {
    let guard = if metadata.of(id.table).versioned {
        etag(etag_of(id.table, version))
    } else {
        "*".to_owned()
    };
    Operation::new(Method::Delete, record::path(metadata, id)).header("If-Match", guard)
}

/// State and status, which belong together.
pub fn set_state(metadata: &Metadata, id: RecordId, state: State) -> Operation {
    let body = json!({ "statecode": state.statecode, "statuscode": state.statuscode });
    Operation::new(Method::Patch, record::path(metadata, id)).body(&body)
}

/// Adds a file to a message that is open.
pub fn attach(metadata: &Metadata, id: RecordId, file: &RecordAttachment) -> Operation {
    let mut row = attachment_row(metadata, id, file);
    row.insert("body".to_owned(), json!(STANDARD.encode(&file.bytes)));
    Operation::new(Method::Post, "activitymimeattachments").body(&Json::Object(row))
}

/// A file without its content.
pub fn attachment_row(
    metadata: &Metadata,
    id: RecordId,
    file: &RecordAttachment,
) -> Map<String, Json> {
    let table = id.table.logical_name();
    Map::from_iter([
        (format!("objectid_{table}@odata.bind"), json!(format!("/{}", record::path(metadata, id)))),
        ("objecttypecode".to_owned(), json!(table)),
        ("subject".to_owned(), json!(file.filename)),
        ("filename".to_owned(), json!(file.filename)),
        ("mimetype".to_owned(), json!(file.mimetype)),
    ])
}

/// The last step that writes the row also shows it, so that nobody's later change is taken for ours.
pub fn showing(mut steps: Vec<Operation>, metadata: &Metadata, id: RecordId) -> Vec<Operation> {
    let row = record::path(metadata, id);
    let set = &metadata.of(id.table).entity_set;
    let shows = |step: &Operation| {
        (step.method == Method::Patch && step.path == row)
            || (step.method == Method::Post && step.path == *set)
    };
    if let Some(mut last) = steps.pop_if(|step| shows(step)) {
        last.path =
            format!("{}?$select={}", last.path, record::select(id.table, metadata.of(id.table)));
        steps.push(returning(last));
    }
    steps
}

/// The columns that the service takes. What it would drop in silence is not even sent.
fn columns(
    metadata: &Metadata,
    table: Table,
    patch: &RecordPatch,
    creating: bool,
) -> Map<String, Json> {
    let taken = |key: &String| metadata.of(table).takes(key, creating);
    let columns = patch.columns.iter().filter(|(key, _)| taken(key));
    // On a create, empty is what a column is anyway.
    let told = columns.filter(|(_, value)| !creating || !value.is_null());
    let mut row: Map<String, Json> =
        told.map(|(key, value)| (key.clone(), value.clone())).collect();
    for (property, target) in &patch.lookups {
        match target {
            Some(target) => {
                let bind = format!("/{}({})", set_name(&target.table), target.guid);
                row.insert(format!("{property}@odata.bind"), json!(bind));
            }
            None if creating => {}
            None => {
                row.insert(property.clone(), Json::Null);
            }
        }
    }
    row
}

/// The state to go back to, if the record is closed and can be reopened. A message that was sent or received cannot.
fn closed(table: Table, look: &Read) -> Option<State> {
    let number = |column: &str| {
        let number = look.record.columns.get(column).and_then(Json::as_i64)?;
        i32::try_from(number).ok()
    };
    let state = State { statecode: number("statecode")?, statuscode: number("statuscode")? };
    let closed = match table {
        Table::Contact | Table::Email => false,
        // 1 completed, 2 cancelled; 3 (scheduled) can be edited.
        Table::Task | Table::Appointment | Table::RecurringAppointmentMaster => {
            matches!(state.statecode, 1 | 2)
        }
    };
    closed.then_some(state)
}

fn party_collection(table: Table) -> String {
    format!("{}_activity_parties", table.logical_name())
}

/// The path of all parties of an activity.
pub fn parties_of(metadata: &Metadata, id: RecordId) -> String {
    format!("{}/{}", record::path(metadata, id), party_collection(id.table))
}

/// Parties as they are written.
///
/// # Errors
/// [`ErrorKind::Rejected`] when one cannot be named.
pub fn party_rows(parties: &[Party]) -> Result<Json> {
    parties.iter().map(party_row).collect::<Result<Vec<Json>>>().map(Json::Array)
}

fn party_row(party: &Party) -> Result<Json> {
    let mut row = Map::new();
    row.insert("participationtypemask".to_owned(), json!(party.role.mask()));
    if !party.address.is_empty() {
        row.insert("addressused".to_owned(), json!(party.address));
    }
    if let Some(target) = &party.target {
        let set = party_set(&target.table).ok_or_else(|| {
            Error::new(
                ErrorKind::Rejected,
                format!("a {} cannot take part in an activity", target.table),
            )
        })?;
        row.insert(
            format!("partyid_{}@odata.bind", target.table),
            json!(format!("/{set}({})", target.guid)),
        );
    }
    Ok(Json::Object(row))
}

/// The set of a table by the rule that names sets where nobody names them otherwise (`EntitySetName`).
pub fn set_name(table: &str) -> String {
    let ends = |endings: &[&str]| endings.iter().any(|ending| table.ends_with(ending));
    match table.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if ends(&["s", "x", "ch", "sh"]) => format!("{table}es"),
        _ => format!("{table}s"),
    }
}

/// The set of a table that can be a party.
pub fn party_set(table: &str) -> Option<&'static str> {
    match table {
        "systemuser" => Some("systemusers"),
        "contact" => Some("contacts"),
        "account" => Some("accounts"),
        "lead" => Some("leads"),
        "queue" => Some("queues"),
        "knowledgearticle" => Some("knowledgearticles"),
        "entitlement" => Some("entitlements"),
        _ => None,
    }
}

/// Changes or cancels an occurrence: through its own row where it has one already.
fn change_exception(
    metadata: &Metadata,
    series: RecordId,
    patch: &ExceptionPatch,
    rows: &[Map<String, Json>],
) -> Operation {
    let Some((id, version)) = exception_row(rows, patch.original_start) else {
        return create_exception(metadata, series, patch);
    };
    let guard = if metadata.of(id.table).versioned { etag(&version) } else { "*".to_owned() };
    let row = record::path(metadata, id);
    match &patch.columns {
        Some(columns) => Operation::new(Method::Patch, row).body(&Json::Object(columns.clone())),
        None => Operation::new(Method::Delete, row),
    }
    .header("If-Match", guard)
}

/// Occurrences are a day apart at least, but a series may have been moved to another hour and its exceptions still name the
/// old one.
const SAME_OCCURRENCE: SignedDuration = SignedDuration::from_hours(12);

/// The row of an exception, with its version.
fn exception_row(rows: &[Map<String, Json>], original: Timestamp) -> Option<(RecordId, String)> {
    let candidates = rows.iter().filter_map(|row| {
        let start: Timestamp = row.get("originalstartdate")?.as_str()?.parse().ok()?;
        Some((start.duration_since(original).abs(), row))
    });
    let (_, row) =
        candidates.filter(|(apart, _)| *apart < SAME_OCCURRENCE).min_by_key(|(apart, _)| *apart)?;
    let guid = odata::guid(row, "activityid")?;
    Some((RecordId::new(Table::Appointment, guid), odata::row_version(row)?))
}

/// `CreateException`, for an occurrence that was as the pattern has it until now.
/// <https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/createexception>
fn create_exception(metadata: &Metadata, series: RecordId, patch: &ExceptionPatch) -> Operation {
    let mut target = patch.columns.clone().unwrap_or_default();
    target.insert("@odata.type".to_owned(), json!("Microsoft.Dynamics.CRM.appointment"));
    target.insert("seriesid".to_owned(), json!(series.guid.to_string()));
    let body = json!({
        "Target": target,
        "OriginalStartDate": patch.original_start.to_string(),
        "IsDeleted": patch.columns.is_none(),
    });
    let set = &metadata.of(Table::Appointment).entity_set;
    Operation::new(Method::Post, format!("{set}/Microsoft.Dynamics.CRM.CreateException"))
        .body(&body)
}
