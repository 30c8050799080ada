//! Series and their exceptions.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::*;
use crate::model::fields::Occurrence;

fn exception(text: &str) -> Field {
    Field::exception(text.parse().unwrap())
}

#[test]
fn a_series_that_moves_takes_its_exceptions_along() {
    let master = format!("{DAILY}EXDATE;TZID=Europe/Berlin:20260108T100000\n");
    let events = [
        master.as_str(),
        "RECURRENCE-ID;TZID=Europe/Berlin:20260107T100000\nX-KEEP:1\nDTSTART:20260107T150000Z\nSUMMARY:S\n",
    ];
    let says = fields(&events);
    let own = says.get(&exception("2026-01-07T09:00:00Z")).cloned();
    assert!(matches!(own, Some(Value::Occurrence(Occurrence::Changed(_)))));
    let written = patched(
        &events,
        &[
            (START, at("2026-01-05T10:00:00Z")),
            (END, at("2026-01-05T11:00:00Z")),
            (exception("2026-01-07T09:00:00Z"), None),
            (exception("2026-01-07T10:00:00Z"), own),
            (exception("2026-01-08T09:00:00Z"), None),
            (exception("2026-01-08T10:00:00Z"), Some(Value::Occurrence(Occurrence::Cancelled))),
        ],
    );
    for line in [
        "DTSTART;TZID=Europe/Berlin:20260105T110000\n",
        "EXDATE;TZID=Europe/Berlin:20260108T110000\n",
        "RECURRENCE-ID;TZID=Europe/Berlin:20260107T110000\nX-KEEP:1\n",
        "SEQUENCE:1\n",
    ] {
        assert!(written.contains(line), "{line}\n{written}");
    }
    // Programs that move the series only: the same occurrences are meant.
    let moved = file(&events).replace(
        "DTSTART;TZID=Europe/Berlin:20260105T10",
        "DTSTART;TZID=Europe/Berlin:20260105T09",
    );
    let says = read_item(moved.as_bytes(), &context()).unwrap().fields;
    assert!(says.contains_key(&exception("2026-01-07T08:00:00Z")));
    assert!(says.contains_key(&exception("2026-01-08T08:00:00Z")));
}

#[test]
fn an_override_without_a_difference_follows_the_series() {
    let same = "RECURRENCE-ID;TZID=Europe/Berlin:20260107T100000\nDTSTART;TZID=Europe/Berlin:20260107T100000\nDTEND:20260107T100000Z\nSUMMARY:S\n\
        ATTENDEE;PARTSTAT=DECLINED:mailto:a@x.example\n";
    let events = [DAILY, same];
    assert_eq!(fields(&events).keys().filter(|field| field.original_start().is_some()).count(), 0);
    let written = patched(
        &events,
        &[
            (SUBJECT, text("T")),
            (START, at("2026-01-05T08:00:00Z")),
            (END, at("2026-01-05T09:00:00Z")),
        ],
    );
    assert_eq!(written.matches("SUMMARY:T").count(), 2);
    assert!(written.contains("RECURRENCE-ID;TZID=Europe/Berlin:20260107T090000\n"));
    assert!(written.contains("PARTSTAT=DECLINED"));
}

#[test]
fn exceptions_come_and_go() {
    let gone = Some(Value::Occurrence(Occurrence::Cancelled));
    let master = format!(
        "{DAILY}EXDATE;TZID=Europe/Berlin:20260108T100000,20260109T100000,20270101T120001\n"
    );
    let written = patched(
        &[&master],
        &[(exception("2026-01-08T09:00:00Z"), None), (exception("2026-01-10T09:00:00Z"), gone)],
    );
    assert!(written.contains("EXDATE;TZID=Europe/Berlin:20260109T100000,20270101T120001\n"));
    assert!(written.contains("EXDATE;TZID=Europe/Berlin:20260110T100000\n"));

    let mut own =
        by_pattern(&fields(&[DAILY]), "2026-01-07T09:00:00Z".parse().unwrap(), &context().zone);
    own.insert(LOCATION, text("elsewhere").unwrap());
    let changed = Some(Value::Occurrence(Occurrence::Changed(own)));
    let alarm = format!("{DAILY}X-KEEP:1\nBEGIN:VALARM\nTRIGGER:-PT5M\nEND:VALARM\n");
    let written = patched(&[&alarm], &[(exception("2026-01-07T09:00:00Z"), changed)]);
    assert_eq!(written.matches("X-KEEP:1").count(), 2);
    assert_eq!(written.matches("BEGIN:VALARM").count(), 2);
    assert_eq!(written.matches("RRULE").count(), 1);
    assert_eq!(written.matches("LOCATION:elsewhere").count(), 1);
}

#[test]
fn what_does_not_take_place_anyway_is_not_called_off() {
    let called_off =
        "RECURRENCE-ID:20260107T110000Z\nDTSTART:20260107T110000Z\nSUMMARY:S\nSTATUS:CANCELLED\n";
    let events = ["DTSTART:20260105T110000Z\nRRULE:FREQ=WEEKLY;BYDAY=MO\nSUMMARY:S\n", called_off];
    let exceptions = |says: &Fields| says.keys().filter_map(Field::original_start).count();
    assert_eq!(exceptions(&fields(&events)), 0);
    let written = patched(&events, &[(SUBJECT, text("T"))]);
    assert!(written.contains(called_off), "{written}");
    // A series of all days has that one too, and nobody called it off.
    let daily = fields(&["DTSTART:20260105T110000Z\nRRULE:FREQ=DAILY\nSUMMARY:S\n"]);
    let written = patched(&events, &[(RECURRENCE, daily.get(&RECURRENCE).cloned())]);
    assert!(!written.contains("CANCELLED"), "{written}");

    let mut series = row(
        Table::RecurringAppointmentMaster,
        json!({"starttime": "2026-01-05T11:00:00Z", "recurrencepatterntype": 1, "daysofweekmask": 2, "duration": 30,
            "deletedexceptionslist": "2026-01-07T11:00:00Z"}),
    );
    let one = |status| {
        let Json::Object(columns) = json!({"originalstartdate": "2026-01-08T11:00:00Z", "scheduledstart": "2026-01-08T11:00:00Z",
            "statecode": 3, "statuscode": status})
        else {
            panic!("columns")
        };
        columns
    };
    for status in [4, 5] {
        series.exceptions = vec![one(status)];
        assert_eq!(exceptions(&read_record(&series, &context()).unwrap().fields), 0);
    }
}

#[test]
fn a_new_rule_takes_along_what_it_does_not_have() {
    let weekly = "DTSTART:20260105T110000Z\nRRULE:FREQ=WEEKLY;BYDAY=MO\nSUMMARY:S\n";
    let wednesdays = "DTSTART:20260107T110000Z\nRRULE:FREQ=WEEKLY;BYDAY=WE\nSUMMARY:S\n";
    // Just as the rule has it, but for what the CRM does not hear of.
    let own = "RECURRENCE-ID:20260112T110000Z\nDTSTART:20260112T110000Z\nSUMMARY:S\nATTENDEE;PARTSTAT=DECLINED:mailto:a@x.example\n";
    let says = fields(&[wednesdays]);
    let patch = [START, END, RECURRENCE].map(|field| (field.clone(), says.get(&field).cloned()));
    let written = patched(&[weekly, own], &patch);
    assert!(!written.contains("RECURRENCE-ID"), "{written}");
    // A program left it behind: it goes on to say what the series says, and must not say anything else.
    let written = patched(&[wednesdays, own], &[(SUBJECT, text("T"))]);
    assert_eq!(written.matches("SUMMARY:T").count(), 2);
    assert_eq!(
        refusal(&[wednesdays, &own.replace("SUMMARY:S", "SUMMARY:T")]),
        "its recurrence (an occurrence that its rule does not have) has no form in the CRM"
    );
}

#[test]
fn a_series_in_another_zone_keeps_it_and_speaks_of_the_users_days() {
    let event = "DTSTART;TZID=America/New_York:20260105T200000\nDTEND;TZID=America/New_York:20260105T210000\n\
        RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20260401T035959Z\nEXDATE;TZID=America/New_York:20260316T200000\n";
    let says = fields(&[event]);
    // By the clock of Berlin: Tuesdays and Thursdays, 02:00, also in the weeks in which it is 01:00.
    let recurrence = says.get(&RECURRENCE).unwrap().to_string();
    assert_eq!(recurrence, "every 1 week(s) on Tuesday, Thursday, until 2026-04-01");
    assert!(says.contains_key(&exception("2026-03-17T01:00:00Z")));
    let written = patched(
        &[event],
        &[
            (START, at("2026-01-06T02:00:00Z")),
            (END, at("2026-01-06T03:00:00Z")),
            (exception("2026-03-17T01:00:00Z"), None),
            (exception("2026-03-17T02:00:00Z"), Some(Value::Occurrence(Occurrence::Cancelled))),
        ],
    );
    assert!(written.contains("DTSTART;TZID=America/New_York:20260105T210000\n"));
    assert!(written.contains("EXDATE;TZID=America/New_York:20260316T210000\n"));
}

#[test]
fn patterns_as_columns() {
    for (rule, expected) in [
        (
            "FREQ=DAILY;INTERVAL=3",
            json!({"recurrencepatterntype": 0, "interval": 3, "patternendtype": 1}),
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;COUNT=4",
            json!({"recurrencepatterntype": 1, "interval": 2, "daysofweekmask": 34, "firstdayofweek": 1, "patternendtype": 2, "occurrences": 4}),
        ),
        (
            "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
            json!({"recurrencepatterntype": 1, "daysofweekmask": 62, "isweekdaypattern": true}),
        ),
        (
            "FREQ=MONTHLY;UNTIL=20260501",
            json!({"recurrencepatterntype": 2, "dayofmonth": 5, "isnthmonthly": false, "patternendtype": 3, "patternenddate": "2026-04-30T22:00:00Z"}),
        ),
        (
            "FREQ=MONTHLY;BYDAY=1MO",
            json!({"recurrencepatterntype": 2, "isnthmonthly": true, "daysofweekmask": 2, "instance": 1}),
        ),
        (
            "FREQ=YEARLY",
            json!({"recurrencepatterntype": 3, "monthofyear": 1, "dayofmonth": 5, "isnthyearly": false}),
        ),
        (
            "FREQ=YEARLY;BYMONTH=1;BYDAY=1MO",
            json!({"recurrencepatterntype": 3, "monthofyear": 1, "isnthyearly": true, "instance": 1}),
        ),
    ] {
        let event = DAILY.replace("FREQ=DAILY", rule);
        let says = fields(&[&event]);
        assert_eq!(table(&says), Table::RecurringAppointmentMaster);
        let columns = write_row(table(&says), &says, &all_of(&says), None).columns;
        for (column, value) in expected.as_object().unwrap() {
            assert_eq!(columns.get(column), Some(value), "{rule}: {column}");
        }
        assert_eq!(columns["patternstartdate"], "2026-01-04T23:00:00Z");
        assert_eq!(
            (&columns["starttime"], &columns["duration"]),
            (&json!("2026-01-05T09:00:00Z"), &json!(60))
        );
        let back =
            read_record(&row(table(&says), Json::Object(columns)), &context()).unwrap().fields;
        assert_eq!(shown(&back), shown(&says));
    }
}

#[test]
fn a_pattern_begins_on_its_first_day() {
    // Made on Thursday, for Tuesdays; midnight UTC as programs write it that know of no zone.
    let columns = json!({"starttime": "2026-01-01T09:00:00Z", "endtime": "2026-01-01T09:30:00Z", "recurrencepatterntype": 1,
        "interval": 1, "daysofweekmask": 4, "patternstartdate": "2026-01-01T00:00:00Z", "patternendtype": 3, "patternenddate": "2026-02-01T00:00:00Z"});
    let says =
        read_record(&row(Table::RecurringAppointmentMaster, columns), &context()).unwrap().fields;
    assert!(says.get(&START) == at("2026-01-06T09:00:00Z").as_ref());
    assert!(says.get(&END) == at("2026-01-06T09:30:00Z").as_ref());
    assert_eq!(
        says.get(&RECURRENCE).unwrap().to_string(),
        "every 1 week(s) on Tuesday, until 2026-02-01"
    );
}

#[test]
fn deleted_occurrences_in_all_spellings() {
    let mut series =
        json!({"starttime": "2026-01-05T09:00:00Z", "recurrencepatterntype": 0, "duration": 30});
    for list in [
        "2026-01-06T09:00:00Z,2026-01-08T09:00:00Z",
        "2026-01-06T09:00:00; 2026-01-08T09:00:00.0000000Z;",
        "2026-01-06 09:00\n2026-01-08 09:00:00",
        "1/6/2026 9:00:00 AM,01/08/2026 09:00:00",
        "2026-01-06,2026-01-08",
    ] {
        series["deletedexceptionslist"] = json!(list);
        let record = row(Table::RecurringAppointmentMaster, series.clone());
        let says = read_record(&record, &context()).unwrap().fields;
        let gone: Vec<Timestamp> = says.keys().filter_map(Field::original_start).collect();
        assert_eq!(
            gone,
            ["2026-01-06T09:00:00Z", "2026-01-08T09:00:00Z"].map(|at| at.parse().unwrap()),
            "{list}"
        );
    }
    series["deletedexceptionslist"] = json!("soon");
    let error =
        read_record(&row(Table::RecurringAppointmentMaster, series), &context()).unwrap_err();
    assert_eq!(error.0, "its deleted occurrences cannot be read");
}
