use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::steps::{create, delete, update};
use super::*;
use crate::connector::dataverse::batch::Method;
use crate::connector::dataverse::metadata::Metadata;
use crate::model::Record;
use crate::model::record::{ExceptionPatch, Party, Role, State};

fn metadata(versioned: bool) -> Metadata {
    let column = |update: bool| json!({"kind": "String", "create": true, "update": update, "read": true, "length": 200});
    let table = |table: Table| {
        let metadata = json!({
            "entity_set": format!("{}s", table.logical_name()),
            "versioned": versioned,
            "columns": {"subject": column(true), "messageid": column(false)},
            "default_status": {"0": 1},
            "state_of": {},
        });
        (table.logical_name().to_owned(), metadata)
    };
    let tables: Map<String, Json> = Table::ALL.into_iter().map(table).collect();
    let organisation = Uuid::nil();
    Metadata::kept(
        &json!({"organisation": organisation.to_string(), "tables": tables}),
        organisation,
    )
    .unwrap()
}

fn look(id: RecordId, statecode: i32) -> Read {
    let Json::Object(columns) =
        json!({"subject": "As it is", "statecode": statecode, "statuscode": 4})
    else {
        panic!()
    };
    let Json::Object(exception) = json!({
        "activityid": Uuid::from_u128(77).to_string(), "originalstartdate": "2026-03-01T09:00:00Z", "@odata.etag": "W/\"5\"",
    }) else {
        panic!()
    };
    let exceptions = vec![exception];
    let record = Record { id, columns, parties: vec![], exceptions, attachments: vec![] };
    Read { record, etag: "100".to_owned(), parts: record::Parts::new() }
}

fn header<'a>(operation: &'a Operation, name: &str) -> Option<&'a str> {
    operation.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

fn body(operation: &Operation) -> Json {
    serde_json::from_slice(operation.body.as_deref().unwrap_or(b"null")).unwrap()
}

fn guest() -> Party {
    Party {
        role: Role::Required,
        address: "guest@example.com".into(),
        name: String::new(),
        target: None,
    }
}

fn any_patch() -> impl Strategy<Value = RecordPatch> {
    let start = "2026-03-01T09:00:00Z".parse().unwrap();
    let exception = prop_oneof![Just(None), Just(Some(Map::new()))]
        .prop_map(move |columns| ExceptionPatch { original_start: start, columns });
    (
        any::<bool>(),
        any::<bool>(),
        proptest::option::of(0..4),
        proptest::collection::vec(exception, 0..2),
    )
        .prop_map(|(subject, parties, state, exceptions)| RecordPatch {
            columns: subject.then(|| ("subject".to_owned(), json!("New"))).into_iter().collect(),
            state: state.map(|statecode| State { statecode, statuscode: 5 }),
            parties: parties.then(|| vec![guest()]),
            exceptions,
            attachments: vec![],
            lookups: std::collections::BTreeMap::new(),
        })
}

proptest! {
    /// A PATCH without a condition is an upsert and would bring a deleted row back.
    #[test]
    fn every_change_of_a_row_has_a_condition(patch in any_patch(), table in 0usize..5, statecode in 0..4, versioned: bool) {
        let id = RecordId::new(Table::ALL[table], Uuid::from_u128(7));
        let metadata = metadata(versioned);
        let version = record::version(id.table, "100", &record::Parts::new());
        let updated = update(&metadata, id, &version, &patch, Some(&look(id, statecode))).unwrap();
        let created = create(&metadata, id, &patch).unwrap();
        for step in updated.iter().chain(&created).chain([&delete(&metadata, id, &version)]) {
            if matches!(step.method, Method::Patch | Method::Delete) {
                let conditions = [header(step, "If-Match"), header(step, "If-None-Match")];
                prop_assert_eq!(conditions.iter().flatten().count(), 1, "{:?}", step);
            }
        }
        let guard = if versioned { "W/\"100\"" } else { "*" };
        if let Some(first) = updated.first() {
            prop_assert_eq!(header(first, "If-Match"), Some(guard));
            prop_assert_eq!(first.method, Method::Patch);
        }
        if let Some(first) = created.first() {
            let named = header(first, "If-None-Match") == Some("*") || body(first)[id.table.id_column()] == id.guid.to_string();
            prop_assert!(named);
        }
    }

    /// A closed activity is open while it is changed, and closed afterwards.
    #[test]
    fn a_closed_activity_is_closed_again(patch in any_patch(), statecode in 1..3) {
        let id = RecordId::new(Table::Appointment, Uuid::from_u128(7));
        let version = record::version(id.table, "100", &record::Parts::new());
        let steps = update(&metadata(true), id, &version, &patch, Some(&look(id, statecode))).unwrap();
        let states: Vec<i64> = steps.iter().filter_map(|step| body(step)["statecode"].as_i64()).collect();
        let touches = !patch.columns.is_empty() || patch.parties.is_some() || !patch.exceptions.is_empty();
        let last = patch.state.map_or(statecode, |state| state.statecode);
        let expected: Vec<i64> = match (touches, patch.state) {
            (true, _) => vec![0, i64::from(last)],
            (false, Some(_)) => vec![i64::from(last)],
            (false, None) => vec![],
        };
        prop_assert_eq!(states, expected);
        if let (true, Some(last)) = (touches, steps.last()) {
            prop_assert!(!body(last)["statecode"].is_null());
        }
    }
}

#[test]
fn what_cannot_be_written_is_not_sent() {
    let id = RecordId::new(Table::Email, Uuid::from_u128(7));
    let Json::Object(columns) =
        json!({"messageid": "<a@b>", "subject": null, "ownerid@odata.bind": "/systemusers(1)"})
    else {
        panic!()
    };
    let patch = RecordPatch { columns, ..RecordPatch::default() };
    let created = create(&metadata(true), id, &patch).unwrap();
    assert_eq!(
        body(&created[0]),
        json!({"messageid": "<a@b>", "ownerid@odata.bind": "/systemusers(1)"})
    );
    let updated = update(&metadata(true), id, &Version::new("1"), &patch, None).unwrap();
    assert_eq!(
        body(&updated[0]),
        json!({"subject": null, "ownerid@odata.bind": "/systemusers(1)"})
    );
}

#[test]
fn a_condition_that_failed_on_a_create_means_that_it_is_there() {
    let kind = |doing, kind| of_write(doing, Error::new(kind, "")).kind;
    assert_eq!(kind(Doing::Create, ErrorKind::Stale), ErrorKind::Exists);
    assert_eq!(kind(Doing::Create, ErrorKind::Missing), ErrorKind::Rejected);
    assert_eq!(kind(Doing::Update, ErrorKind::Stale), ErrorKind::Stale);
    assert_eq!(kind(Doing::Update, ErrorKind::Missing), ErrorKind::Missing);
    assert_eq!(kind(Doing::Update, ErrorKind::Exists), ErrorKind::Rejected);
    assert_eq!(kind(Doing::Delete, ErrorKind::Forbidden), ErrorKind::Forbidden);
}

#[test]
fn a_party_of_an_unknown_table_is_refused() {
    let id = RecordId::new(Table::Appointment, Uuid::from_u128(7));
    let target = Some(crate::model::record::PartyRef { table: "x(1)/y".into(), guid: Uuid::nil() });
    let patch =
        RecordPatch { parties: Some(vec![Party { target, ..guest() }]), ..RecordPatch::default() };
    assert_eq!(create(&metadata(true), id, &patch).unwrap_err().kind, ErrorKind::Rejected);
}

#[test]
fn an_occurrence_is_changed_through_its_own_row_unless_the_pattern_changes() {
    let id = RecordId::new(Table::RecurringAppointmentMaster, Uuid::from_u128(7));
    let version = record::version(id.table, "100", &record::Parts::new());
    let steps = |start: &str, pattern: bool, columns: Option<Map<String, Json>>| {
        let patch = RecordPatch {
            columns: pattern
                .then(|| ("starttime".to_owned(), json!("2026-03-01T10:00:00Z")))
                .into_iter()
                .collect(),
            exceptions: vec![ExceptionPatch { original_start: start.parse().unwrap(), columns }],
            ..RecordPatch::default()
        };
        update(&metadata(true), id, &version, &patch, Some(&look(id, 3))).unwrap()
    };
    let row = format!("appointments({})", Uuid::from_u128(77));
    let action = "appointments/Microsoft.Dynamics.CRM.CreateException";
    let path = |start: &str, pattern: bool, columns: Option<Map<String, Json>>| {
        let step = steps(start, pattern, columns).pop().unwrap();
        (step.method, step.path)
    };
    let some = || Some(Map::new());
    assert_eq!(path("2026-03-01T09:00:00Z", false, some()), (Method::Patch, row.clone()));
    assert_eq!(path("2026-03-01T09:00:00Z", false, None), (Method::Delete, row.clone()));
    assert_eq!(path("2026-03-01T11:00:00Z", false, some()), (Method::Patch, row));
    assert_eq!(path("2026-03-02T09:00:00Z", false, some()), (Method::Post, action.to_owned()));
    assert_eq!(path("2026-03-01T09:00:00Z", true, some()), (Method::Post, action.to_owned()));
    assert_eq!(path("2026-03-01T09:00:00Z", true, None), (Method::Post, action.to_owned()));
    let created = body(steps("2026-03-02T09:00:00Z", false, None).last().unwrap());
    assert_eq!(created["IsDeleted"], true);
    assert_eq!(created["OriginalStartDate"], "2026-03-02T09:00:00Z");
    assert_eq!(created["Target"]["seriesid"], id.guid.to_string());
    // Without columns of its own the change set still begins with a write that checks the version.
    let first = &steps("2026-03-02T09:00:00Z", false, None)[0];
    assert_eq!(body(first), json!({"subject": "As it is"}));
    assert_eq!(header(first, "If-Match"), Some("W/\"100\""));
}
