use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde_json::{Map, json};
use uuid::Uuid;

use super::*;
use crate::mapping::Lengths;
use crate::model::{Patch, RecordId};

fn context() -> Context {
    Context {
        organisation: Uuid::from_u128(7),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        me: BTreeSet::new(),
        lengths: Lengths::default(),
        people: BTreeMap::new(),
        filing: BTreeMap::new(),
    }
}

fn file(lines: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTODO\nUID:u\n{lines}END:VTODO\nEND:VCALENDAR\n")
}

fn says(lines: &str) -> Vec<String> {
    let content = read_item(file(lines).as_bytes(), &context()).unwrap();
    content.fields.iter().map(|(field, value)| format!("{field}={value}")).collect()
}

fn text(value: &str) -> Option<Value> {
    Value::text(value)
}

/// The lines of the task after a patch.
fn patched(lines: &str, patch: &[(Field, Option<Value>)]) -> String {
    let old = file(lines);
    let patch: Patch = patch.iter().cloned().collect();
    let mut whole = read_item(old.as_bytes(), &context()).unwrap().fields;
    for (field, value) in &patch {
        whole.remove(field);
        whole.extend(value.clone().map(|value| (field.clone(), value)));
    }
    let change = Change { uid: &Uid::new("u"), patch: &patch, whole: &whole };
    let new =
        String::from_utf8(write_item(change, Some(old.as_bytes()), &context()).unwrap()).unwrap();
    let inside = new.split_once("UID:u\n").and_then(|(_, rest)| rest.split_once("END:VTODO"));
    inside.unwrap().0.to_owned()
}

fn row(columns: serde_json::Value) -> Record {
    let serde_json::Value::Object(columns) = columns else { panic!("columns") };
    Record {
        id: RecordId::new(Table::Task, Uuid::from_u128(1)),
        columns,
        parties: Vec::new(),
        exceptions: Vec::new(),
        attachments: Vec::new(),
    }
}

#[test]
fn status_words() {
    for (lines, expected) in [
        ("", "notstarted"),
        ("STATUS:NEEDS-ACTION\n", "notstarted"),
        ("STATUS:IN-PROCESS\n", "inprogress"),
        ("STATUS:COMPLETED\n", "completed"),
        ("STATUS:CANCELLED\n", "canceled"),
        ("STATUS:IN-PROCESS\nX-LIAISON-STATUSCODE:WAITING\n", "waiting"),
        ("STATUS:NEEDS-ACTION\nX-LIAISON-STATUSCODE:DEFERRED\n", "deferred"),
        // Another program went on without knowing the mark.
        ("STATUS:COMPLETED\nX-LIAISON-STATUSCODE:WAITING\n", "completed"),
        ("STATUS:IN-PROCESS\nX-LIAISON-STATUSCODE:DEFERRED\n", "inprogress"),
        ("COMPLETED:20260105T100000Z\n", "completed"),
    ] {
        assert!(says(lines).contains(&format!("statuscode={expected}")), "{lines}");
    }
    for (codes, expected) in [
        (json!({"statecode": 0, "statuscode": 4}), "waiting"),
        (json!({"statecode": 1, "statuscode": 100_000_001}), "completed"),
        (json!({"statecode": 2, "statuscode": 100_000_001}), "canceled"),
        (json!({"statecode": 0, "statuscode": 100_000_001}), "notstarted"),
        (json!({}), "notstarted"),
    ] {
        let fields = read_record(&row(codes), &context()).unwrap().fields;
        assert!(fields.get(&STATUS) == text(expected).as_ref(), "{expected}");
    }
}

#[test]
fn an_open_task_has_no_end() {
    let open = json!({"statecode": 0, "statuscode": 2, "actualend": "2026-01-05T10:00:00Z"});
    assert!(!read_record(&row(open), &context()).unwrap().fields.contains_key(&ACTUAL_END));
    assert_eq!(
        patched(
            "STATUS:COMPLETED\nCOMPLETED:20260105T100000Z\nX-KEEP:1\n",
            &[(STATUS, text("inprogress")), (PERCENT, None), (ACTUAL_END, None)]
        ),
        "STATUS:IN-PROCESS\nX-KEEP:1\n"
    );
    let done = row(json!({"statecode": 1, "statuscode": 5, "actualend": "2026-01-05T10:00:00Z"}));
    let patch = Patch::from([(STATUS, text("notstarted")), (ACTUAL_END, None)]);
    let whole = Fields::from([(STATUS, text("notstarted").unwrap())]);
    let change = Change { uid: &Uid::new("u"), patch: &patch, whole: &whole };
    let written = write_record(change, Some(&done), &context()).unwrap();
    assert_eq!(written.columns, Map::from_iter([("actualend".to_owned(), Json::Null)]));
    assert_eq!(written.state, Some(State { statecode: 0, statuscode: 2 }));
}

#[test]
fn a_closed_row_is_closed_again_after_a_change() {
    let done = row(json!({"statecode": 1, "statuscode": 100_000_001, "subject": "a"}));
    let patch = Patch::from([(SUBJECT, text("b"))]);
    let whole = Fields::from([(SUBJECT, text("b").unwrap()), (STATUS, text("completed").unwrap())]);
    let change = Change { uid: &Uid::new("u"), patch: &patch, whole: &whole };
    let written = write_record(change, Some(&done), &context()).unwrap();
    assert_eq!(written.state, Some(State { statecode: 1, statuscode: 100_000_001 }));
}

#[test]
fn days_stay_days() {
    let midnight = |text: &str| Some(Value::Moment(text.parse().unwrap()));
    let dates = "DTSTART;VALUE=DATE:20260105\nDUE;VALUE=DATE:20260107\n";
    for (lines, patch, expected) in [
        (
            dates,
            (END, midnight("2026-01-07T23:00:00Z")),
            "DTSTART;VALUE=DATE:20260105\nDUE;VALUE=DATE:20260108\n",
        ),
        (
            dates,
            (END, midnight("2026-01-07T15:00:00Z")),
            "DTSTART;TZID=Europe/Berlin:20260105T000000\nDUE;TZID=Europe/Berlin:20260107T160000\n",
        ),
        (
            "DUE:20260107T150000Z\n",
            (END, midnight("2026-01-07T23:00:00Z")),
            "DUE:20260107T230000Z\n",
        ),
        ("DUE;X=1:20260107T150000Z\n", (END, None), ""),
        (
            "DTSTART:20260105T090000Z\nDURATION:PT2H\n",
            (START, midnight("2026-01-05T08:00:00Z")),
            "DTSTART:20260105T080000Z\nDUE;TZID=Europe/Berlin:20260105T120000\n",
        ),
    ] {
        let written = patched(lines, &[patch]).replace("SEQUENCE:1\n", "");
        assert_eq!(written, expected);
    }
}

#[test]
fn what_is_no_single_task_is_refused() {
    for (lines, expected) in [
        ("RRULE:FREQ=DAILY\n", "a recurring task has no form in the CRM"),
        ("END:VTODO\nBEGIN:VTODO\nUID:u\n", "it holds several tasks with one UID"),
        ("END:VTODO\nBEGIN:VTODO\nUID:v\n", "it holds items with different UIDs"),
        ("END:VTODO\nBEGIN:VTODO\n", "it has no UID"),
        ("DUE:soon\n", "its DUE is not a time"),
    ] {
        let error = read_item(file(lines).as_bytes(), &context()).unwrap_err();
        assert_eq!(error.0, expected);
    }
}

#[test]
fn a_missing_subject_is_none_on_both_sides() {
    let change = Change { uid: &Uid::new("u"), patch: &Patch::new(), whole: &Fields::new() };
    let written = write_record(change, None, &context()).unwrap();
    assert_eq!(written.columns["subject"], "(no subject)");
    let said = read_record(&row(Json::Object(written.columns)), &context()).unwrap();
    assert!(!said.fields.contains_key(&SUBJECT));
    assert_eq!(title(&said.fields), "(no subject)");
}
