use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::*;
use crate::mapping::Lengths;
use crate::model::record::{Party, PartyRef, Role, State};
use crate::model::{Address, Patch, Person, RecordId, Uid, all_of};

mod series;

fn context() -> Context {
    let boss = PartyRef { table: "systemuser".to_owned(), guid: Uuid::from_u128(9) };
    Context {
        organisation: Uuid::from_u128(7),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        me: BTreeSet::new(),
        lengths: Lengths::default(),
        people: BTreeMap::from([(Address::parse("boss@x.example").unwrap(), boss)]),
        filing: BTreeMap::new(),
    }
}

fn file(events: &[&str]) -> String {
    let events: Vec<String> =
        events.iter().map(|lines| format!("BEGIN:VEVENT\nUID:u\n{lines}END:VEVENT\n")).collect();
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{}END:VCALENDAR\n", events.concat())
}

fn fields(events: &[&str]) -> Fields {
    read_item(file(events).as_bytes(), &context()).unwrap().fields
}

fn refusal(events: &[&str]) -> String {
    read_item(file(events).as_bytes(), &context()).unwrap_err().0
}

/// People by address: whoever has the same is the same.
fn shown(fields: &Fields) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::People(people) => {
            people.iter().map(|person| person.address.to_string()).collect::<Vec<_>>().join(", ")
        }
        value => value.to_string(),
    };
    fields.iter().map(|(field, value)| format!("{field}={}", text(value))).collect()
}

fn text(value: &str) -> Option<Value> {
    Value::text(value)
}

#[allow(clippy::unnecessary_wraps, reason = "as the tables want it")]
fn at(text: &str) -> Option<Value> {
    Some(Value::Moment(text.parse().unwrap()))
}

#[allow(clippy::unnecessary_wraps, reason = "as the tables want it")]
fn people(addresses: &[&str]) -> Option<Value> {
    let person = |address: &&str| Person {
        name: "P, Q".to_owned(),
        address: Address::parse(address).unwrap(),
    };
    Some(Value::People(addresses.iter().map(person).collect()))
}

/// The text after a patch, which says what it should.
fn patched(events: &[&str], patch: &[(Field, Option<Value>)]) -> String {
    let old = file(events);
    let patch: Patch = patch.iter().cloned().collect();
    let mut whole = fields(events);
    for (field, value) in &patch {
        whole.remove(field);
        whole.extend(value.clone().map(|value| (field.clone(), value)));
    }
    let change = Change { uid: &Uid::new("u"), patch: &patch, whole: &whole };
    let new = write_item(change, Some(old.as_bytes()), &context()).unwrap();
    let says = read_item(&new, &context()).unwrap().fields;
    assert_eq!(shown(&says), shown(&whole));
    String::from_utf8(new).unwrap()
}

fn row(table: Table, columns: Json) -> Record {
    let Json::Object(columns) = columns else { panic!("columns") };
    Record {
        id: RecordId::new(table, Uuid::from_u128(1)),
        columns,
        parties: Vec::new(),
        exceptions: Vec::new(),
        attachments: Vec::new(),
    }
}

fn write_row(table: Table, whole: &Fields, patch: &Patch, old: Option<&Record>) -> RecordPatch {
    let change = Change { uid: &Uid::new("u"), patch, whole };
    write_record(table, change, old, &context()).unwrap()
}

const DAILY: &str = "DTSTART;TZID=Europe/Berlin:20260105T100000\nDTEND;TZID=Europe/Berlin:20260105T110000\nRRULE:FREQ=DAILY\nSUMMARY:S\n";

#[test]
fn status_words() {
    for (lines, expected) in [
        ("", "busy"),
        ("TRANSP:OPAQUE\n", "busy"),
        ("TRANSP:TRANSPARENT\n", "free"),
        ("STATUS:TENTATIVE\n", "tentative"),
        ("STATUS:TENTATIVE\nTRANSP:TRANSPARENT\n", "free"),
        ("STATUS:CANCELLED\nX-MICROSOFT-CDO-BUSYSTATUS:FREE\n", "canceled"),
        ("X-MICROSOFT-CDO-BUSYSTATUS:OOF\n", "oof"),
        ("TRANSP:OPAQUE\nX-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE\n", "tentative"),
        ("STATUS:TENTATIVE\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY\n", "busy"),
        ("X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE\n", "free"),
        // One of the two was changed by a program that does not know the other.
        ("TRANSP:TRANSPARENT\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY\n", "free"),
        ("TRANSP:OPAQUE\nX-MICROSOFT-CDO-BUSYSTATUS:FREE\n", "busy"),
        ("TRANSP:TRANSPARENT\nX-LIAISON-STATUSCODE:COMPLETED\n", "completed"),
        ("TRANSP:OPAQUE\nX-LIAISON-STATUSCODE:COMPLETED\n", "busy"),
    ] {
        let event = format!("DTSTART:20260105T100000Z\n{lines}");
        assert!(fields(&[&event]).get(&STATUS) == text(expected).as_ref(), "{lines}");
        for word in ["free", "tentative", "busy", "oof", "completed", "canceled"] {
            patched(&[&event], &[(STATUS, text(word))]);
        }
    }
    for (codes, expected) in [
        (json!({"statecode": 3, "statuscode": 6}), "oof"),
        (json!({"statecode": 0, "statuscode": 100_000_001}), "free"),
        (json!({"statecode": 1, "statuscode": 100_000_001}), "completed"),
        (json!({"statecode": 3, "statuscode": 100_000_001}), "busy"),
        (json!({}), "busy"),
    ] {
        let mut record = row(Table::Appointment, codes);
        record.columns.insert("scheduledstart".to_owned(), json!("2026-01-05T10:00:00Z"));
        let said = read_record(&record, &context()).unwrap().fields;
        assert!(said.get(&STATUS) == text(expected).as_ref(), "{expected}");
    }
}

#[test]
fn times() {
    for (lines, start, end) in [
        ("DTSTART:20260105T100000Z\n", "2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z"),
        (
            "DTSTART:20260105T100000Z\nDURATION:PT90M\n",
            "2026-01-05T10:00:00Z",
            "2026-01-05T11:30:00Z",
        ),
        ("DTSTART;VALUE=DATE:20260105\n", "2026-01-04T23:00:00Z", "2026-01-05T23:00:00Z"),
        (
            "DTSTART;VALUE=DATE:20260105\nDTEND;VALUE=DATE:20260105\n",
            "2026-01-04T23:00:00Z",
            "2026-01-05T23:00:00Z",
        ),
        (
            "DTSTART;VALUE=DATE:20260328\nDURATION:P2D\n",
            "2026-03-27T23:00:00Z",
            "2026-03-29T22:00:00Z",
        ),
        // A day by the calendar is an hour shorter by the clock.
        (
            "DTSTART;TZID=Europe/Berlin:20260328T120000\nDURATION:P1D\n",
            "2026-03-28T11:00:00Z",
            "2026-03-29T10:00:00Z",
        ),
    ] {
        let says = fields(&[lines]);
        assert!(
            says.get(&START) == at(start).as_ref() && says.get(&END) == at(end).as_ref(),
            "{lines}"
        );
    }
    // Midnights of colleagues in Tokyo and New York, and the last minute of the day.
    for (start, end) in [
        ("2026-01-04T15:00:00Z", "2026-01-05T15:00:00Z"),
        ("2026-01-05T05:00:00Z", "2026-01-06T05:00:00Z"),
        ("2026-01-04T23:00:00Z", "2026-01-05T22:59:00Z"),
        ("2026-01-04T23:00:00Z", "2026-01-04T23:00:00Z"),
    ] {
        let columns = json!({"isalldayevent": true, "scheduledstart": start, "scheduledend": end});
        let says = read_record(&row(Table::Appointment, columns), &context()).unwrap().fields;
        assert!(says.get(&START) == at("2026-01-04T23:00:00Z").as_ref(), "{start}");
        assert!(says.get(&END) == at("2026-01-05T23:00:00Z").as_ref(), "{end}");
    }
}

#[test]
fn what_is_no_single_appointment_is_refused() {
    for (events, expected) in [
        (
            vec!["DTSTART:20260105T100000Z\n", "DTSTART:20260105T100000Z\n"],
            "it holds several events with one UID",
        ),
        (
            vec!["RECURRENCE-ID:20260105T100000Z\nDTSTART:20260105T100000Z\n"],
            "it holds occurrences of a series without the series",
        ),
        (
            vec![
                "DTSTART:20260105T100000Z\n",
                "RECURRENCE-ID:20260105T100000Z\nDTSTART:20260105T100000Z\n",
            ],
            "it has occurrences but does not repeat",
        ),
        (
            vec![
                "DTSTART:20260105T100000Z\nRRULE:FREQ=DAILY\n",
                "RECURRENCE-ID:20260106T100000Z\nDTSTART:20260106T100000Z\nSUMMARY:x\n",
                "RECURRENCE-ID;VALUE=DATE:20260106\nDTSTART:20260106T110000Z\n",
            ],
            "it holds one occurrence several times",
        ),
        (vec!["SUMMARY:x\n"], "it has no start"),
        (vec!["DTSTART:20260105T100000Z\nDTEND:20260105T095959Z\n"], "it ends before it starts"),
        (vec!["DTSTART:20260105T100000Z\nDURATION:-PT1H\n"], "it ends before it starts"),
        (
            vec!["DTSTART;TZID=Nowhere:20260105T100000\n"],
            "the time zone of its DTSTART is not known",
        ),
        (
            vec!["DTSTART:20260105T100000Z\nRRULE:FREQ=DAILY\nRDATE:20260106T120000Z\n"],
            "its recurrence (RDATE) has no form in the CRM",
        ),
        (
            vec!["DTSTART:20260105T100000Z\nRRULE:FREQ=DAILY\nRRULE:FREQ=DAILY\n"],
            "its recurrence (several rules) has no form in the CRM",
        ),
        (
            vec!["DTSTART;TZID=Asia/Tokyo:20260105T030000\nRRULE:FREQ=MONTHLY\n"],
            "its recurrence (by days of the month in another zone) has no form in the CRM",
        ),
        (
            vec![
                DAILY,
                "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260107T100000\nDTSTART:20260107T100000Z\n",
            ],
            "its recurrence (a change of all later occurrences) has no form in the CRM",
        ),
        (vec![], "it holds no event"),
    ] {
        assert_eq!(refusal(&events), expected);
    }
}

#[test]
fn a_new_appointment() {
    let says = Fields::from([
        (SUBJECT, text("Plan, A").unwrap()),
        (START, at("2026-01-05T09:00:00Z").unwrap()),
        (END, at("2026-01-05T10:00:00Z").unwrap()),
        (STATUS, text("oof").unwrap()),
        (ORGANIZER, people(&["boss@x.example"]).unwrap()),
        (OPTIONAL, people(&["a@x.example"]).unwrap()),
    ]);
    let change = Change { uid: &Uid::new("u;1"), patch: &all_of(&says), whole: &says };
    let written = String::from_utf8(write_item(change, None, &context()).unwrap()).unwrap();
    let expected = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Liaison//Liaison//EN",
        "BEGIN:VTIMEZONE",
        "TZID:Europe/Berlin",
        "BEGIN:DAYLIGHT",
        "DTSTART:20250330T020000",
        "TZOFFSETFROM:+0100",
        "TZOFFSETTO:+0200",
        "TZNAME:CEST",
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
        "END:DAYLIGHT",
        "BEGIN:STANDARD",
        "DTSTART:20251026T030000",
        "TZOFFSETFROM:+0200",
        "TZOFFSETTO:+0100",
        "TZNAME:CET",
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
        "END:STANDARD",
        "END:VTIMEZONE",
        "BEGIN:VEVENT",
        "UID:u\\;1",
        "DTSTAMP:20260105T090000Z",
        "DTSTART;TZID=Europe/Berlin:20260105T100000",
        "DTEND;TZID=Europe/Berlin:20260105T110000",
        "SUMMARY:Plan\\, A",
        "TRANSP:OPAQUE",
        "X-MICROSOFT-CDO-BUSYSTATUS:OOF",
        "ORGANIZER;CN=\"P, Q\";SCHEDULE-AGENT=CLIENT:mailto:boss@x.example",
        "ATTENDEE;CN=\"P, Q\";ROLE=OPT-PARTICIPANT;PARTSTAT=NEEDS-ACTION;SCHEDULE-AGEN\n T=CLIENT:mailto:a@x.example",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ];
    assert_eq!(written.replace('\r', ""), expected.join("\n"));
}

#[test]
fn guests_whom_nobody_asked_were_asked_by_the_user() {
    let anna = Address::parse("anna@x.example").unwrap();
    let context = Context { me: BTreeSet::from([anna]), ..context() };
    let organizer = |lines: &str| {
        let event = format!("DTSTART:20260105T100000Z\n{lines}");
        let says = read_item(file(&[&event]).as_bytes(), &context).unwrap().fields;
        says.get(&ORGANIZER).map(ToString::to_string)
    };
    let guest = "ATTENDEE:mailto:a@x.example\n";
    assert_eq!(organizer(guest).as_deref(), Some("anna@x.example"));
    assert_eq!(
        organizer(&format!("ORGANIZER:mailto:nobody\n{guest}")).as_deref(),
        Some("anna@x.example")
    );
    assert_eq!(
        organizer(&format!("ORGANIZER:mailto:b@x.example\n{guest}")).as_deref(),
        Some("b@x.example")
    );
    assert_eq!(organizer(""), None);
}

#[test]
fn people_who_stay_keep_their_lines() {
    let event = "DTSTART:20260105T100000Z\nORGANIZER;X=1:mailto:boss@x.example\nATTENDEE;ROLE=CHAIR:mailto:boss@x.example\n\
        ATTENDEE;PARTSTAT=ACCEPTED;X=2:mailto:a@x.example\nATTENDEE;CUTYPE=ROOM:mailto:room@x.example\nATTENDEE:mailto:b@x.example\n";
    let says = fields(&[event]);
    assert!(says.get(&REQUIRED) == people(&["a@x.example", "b@x.example"]).as_ref());
    let written =
        patched(&[event], &[(REQUIRED, people(&["a@x.example", "c@x.example"])), (OPTIONAL, None)]);
    let attendees: Vec<&str> =
        written.lines().filter(|line| line.starts_with("ATTENDEE")).collect();
    assert_eq!(
        attendees,
        [
            "ATTENDEE;ROLE=CHAIR:mailto:boss@x.example",
            "ATTENDEE;PARTSTAT=ACCEPTED;X=2:mailto:a@x.example",
            "ATTENDEE;CUTYPE=ROOM:mailto:room@x.example",
            "ATTENDEE;CN=\"P, Q\";ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;SCHEDULE-AGEN",
        ]
    );
}

#[test]
fn parties_that_stay_are_kept_and_only_users_organize() {
    let party = |role, address: &str| Party {
        role,
        address: address.to_owned(),
        name: "N".to_owned(),
        target: Some(PartyRef { table: "contact".to_owned(), guid: Uuid::from_u128(3) }),
    };
    let mut old = row(Table::Appointment, json!({"scheduledstart": "2026-01-05T10:00:00Z"}));
    old.parties = vec![
        party(Role::Organizer, "owner@x.example"),
        party(Role::Required, "a@x.example"),
        party(Role::Required, ""),
        party(Role::Optional, "owner@x.example"),
    ];
    let mut whole = read_record(&old, &context()).unwrap().fields;
    assert!(
        whole.get(&REQUIRED) == people(&["a@x.example"]).as_ref() && !whole.contains_key(&OPTIONAL)
    );
    whole.insert(REQUIRED, people(&["a@x.example", "new@x.example"]).unwrap());
    let patch = Patch::from([(REQUIRED, whole.get(&REQUIRED).cloned())]);
    let written = write_row(Table::Appointment, &whole, &patch, Some(&old)).parties.unwrap();
    let addresses: Vec<&str> = written.iter().map(|party| party.address.as_str()).collect();
    assert_eq!(
        addresses,
        ["owner@x.example", "", "owner@x.example", "a@x.example", "new@x.example"]
    );
    assert!(written[3].target.is_some() && written[4].target.is_none());

    let organizer = |address| {
        let mut whole = whole.clone();
        whole.insert(ORGANIZER, people(&[address]).unwrap());
        let parties = write_row(Table::Appointment, &whole, &all_of(&whole), None).parties.unwrap();
        parties.iter().any(|party| party.role == Role::Organizer)
    };
    assert!(organizer("boss@x.example") && !organizer("stranger@x.example"));
}

#[test]
fn descriptions() {
    let event = "DTSTART:20260105T100000Z\nX-ALT-DESC;FMTTYPE=text/html:<p>a<b>b</b></p>\n";
    assert!(fields(&[event]).get(&DESCRIPTION) == text("ab").as_ref());
    let written = patched(&[event], &[(DESCRIPTION, text("c"))]);
    assert!(written.contains("DESCRIPTION:c\n") && !written.contains("X-ALT-DESC"));
    assert!(patched(&[event], &[(SUBJECT, text("c"))]).contains("X-ALT-DESC"));
}

#[test]
fn revisions_count_what_others_must_hear_of() {
    let event = "DTSTART:20260105T100000Z\nSEQUENCE:4\n";
    assert!(patched(&[event], &[(SUBJECT, text("c"))]).contains("SEQUENCE:4\n"));
    assert!(patched(&[event], &[(LOCATION, text("c"))]).contains("SEQUENCE:5\n"));
    assert!(patched(&[event], &[(END, at("2026-01-05T11:00:00Z"))]).contains("SEQUENCE:5\n"));
}

#[test]
fn a_closed_row_is_closed_again_after_a_change() {
    let codes = json!({"scheduledstart": "2026-01-05T10:00:00Z", "statecode": 2, "statuscode": 4});
    let old = row(Table::Appointment, codes);
    let mut whole = read_record(&old, &context()).unwrap().fields;
    whole.insert(SUBJECT, text("b").unwrap());
    let patch = Patch::from([(SUBJECT, text("b"))]);
    let written = write_row(Table::Appointment, &whole, &patch, Some(&old));
    assert_eq!(written.state, Some(State { statecode: 2, statuscode: 4 }));
    assert_eq!(
        write_row(Table::Appointment, &whole, &Patch::new(), Some(&old)),
        RecordPatch::default()
    );
}

#[test]
fn rows_have_a_name_a_subject_and_one_table() {
    let says = fields(&["DTSTART:20260105T100000Z\n"]);
    let written = write_row(Table::Appointment, &says, &all_of(&says), None);
    assert_eq!(
        (&written.columns["globalobjectid"], &written.columns["subject"]),
        (&json!("u"), &json!("(no subject)"))
    );
    assert_eq!(written.state, Some(State { statecode: 3, statuscode: 5 }));
    let content =
        read_record(&row(Table::Appointment, Json::Object(written.columns)), &context()).unwrap();
    assert_eq!(content.uid, Uid::new("u"));

    let mut short = context();
    short.lengths.0.insert((Table::Appointment, "globalobjectid".to_owned()), 300);
    let (long, patch) = (Uid::new("u".repeat(301)), all_of(&says));
    let change = Change { uid: &long, patch: &patch, whole: &says };
    let written = write_record(Table::Appointment, change, None, &short).unwrap();
    assert!(!written.columns.contains_key("globalobjectid"));

    let series = fields(&[DAILY]);
    let change = Change { uid: &long, patch: &Patch::new(), whole: &series };
    assert!(write_record(Table::Appointment, change, None, &short).is_err());
    let change = Change { uid: &long, patch: &Patch::new(), whole: &says };
    assert!(write_record(Table::RecurringAppointmentMaster, change, None, &short).is_err());
}
