use jiff::civil::date;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::rule::{Until, read, write};
use super::*;
use crate::mapping::zone;

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

/// The rule in its one form, for a series from Monday 5 January 2026, 09:00.
fn canonical(rule: &str) -> Result<String, String> {
    let first = date(2026, 1, 5).at(9, 0, 0, 0);
    let recurrence = read(rule, first, &berlin()).map_err(|error| error.0)?;
    Ok(write(&recurrence, first, &Until::Utc(berlin())))
}

#[test]
fn rules_have_one_form() {
    for (rule, expected) in [
        ("FREQ=DAILY", "FREQ=DAILY"),
        ("freq=daily;interval=1;count=3", "FREQ=DAILY;COUNT=3"),
        ("FREQ=DAILY;BYDAY=MO,TU", "FREQ=WEEKLY;BYDAY=MO,TU"),
        ("FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=MO"),
        ("FREQ=WEEKLY;WKST=SU;BYDAY=MO,SA", "FREQ=WEEKLY;BYDAY=MO,SA"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO"),
        (
            "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,MO",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU",
        ),
        ("FREQ=MONTHLY", "FREQ=MONTHLY;BYMONTHDAY=5"),
        ("FREQ=MONTHLY;BYDAY=1MO", "FREQ=MONTHLY;BYDAY=1MO"),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1", "FREQ=MONTHLY;BYDAY=1MO"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,SA;BYSETPOS=2", "FREQ=MONTHLY;BYDAY=MO,TU,SA;BYSETPOS=2"),
        ("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1"),
        ("FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=5"),
        ("FREQ=YEARLY;BYMONTH=1;BYDAY=1MO", "FREQ=YEARLY;BYMONTH=1;BYDAY=1MO"),
        // The last occurrence starts at 08:00 UTC.
        ("FREQ=DAILY;UNTIL=20260110T080000Z", "FREQ=DAILY;UNTIL=20260110T080000Z"),
        ("FREQ=DAILY;UNTIL=20260110T075959Z", "FREQ=DAILY;UNTIL=20260109T080000Z"),
        ("FREQ=DAILY;UNTIL=20260110", "FREQ=DAILY;UNTIL=20260110T080000Z"),
        ("FREQ=DAILY;UNTIL=20260110T235959", "FREQ=DAILY;UNTIL=20260110T080000Z"),
    ] {
        assert_eq!(canonical(rule).as_deref(), Ok(expected), "{rule}");
    }
}

#[test]
fn what_the_crm_cannot_hold_is_refused() {
    for rule in [
        "FREQ=MONTHLY;BYMONTHDAY=5,20",
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=MO",
        "FREQ=MONTHLY;BYDAY=5MO",
        "FREQ=MONTHLY;BYDAY=-2MO",
        "FREQ=MONTHLY;BYDAY=1MO,1TU",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1,2",
        "FREQ=MONTHLY;BYMONTH=1",
        "FREQ=YEARLY;BYMONTHDAY=5",
        "FREQ=YEARLY;BYDAY=1MO",
        "FREQ=YEARLY;BYMONTH=1,2",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=YEARLY;BYWEEKNO=2",
        "FREQ=YEARLY;BYYEARDAY=5",
        "FREQ=DAILY;BYHOUR=9,10",
        "FREQ=HOURLY",
        "FREQ=SECONDLY;COUNT=9",
        "FREQ=DAILY;COUNT=1000",
        "FREQ=DAILY;INTERVAL=2;BYDAY=MO",
        "FREQ=WEEKLY;BYDAY=TU",
        "FREQ=DAILY;COUNT=3;UNTIL=20270101",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=99999999999",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;UNTIL=soon",
        "FREQ=DAILY;UNTIL=2026é01",
        "FREQ=MONTHLY;BYDAY=é",
        "FREQ",
        "",
    ] {
        let error = canonical(rule).expect_err(rule);
        assert!(error.starts_with("its recurrence "), "{rule}: {error}");
    }
}

#[test]
fn late_days_of_the_month_are_told_so_that_both_sides_mean_the_last() {
    for (day, expected) in [
        (28, "FREQ=MONTHLY;BYMONTHDAY=28"),
        (29, "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1"),
        (30, "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"),
        (31, "FREQ=MONTHLY;BYMONTHDAY=-1"),
    ] {
        let first = date(2026, 1, 1).with().day(day).build().unwrap().at(9, 0, 0, 0);
        let recurrence = Recurrence {
            pattern: Pattern::Monthly { day: day.unsigned_abs() },
            interval: 1,
            end: End::Never,
            zone: String::new(),
        };
        assert_eq!(write(&recurrence, first, &Until::Date), expected);
        assert!(read(expected, first, &TimeZone::UTC) == Ok(recurrence.clone()), "{expected}");
        let february = starts(first, &recurrence).nth(1).unwrap();
        assert_eq!(february.date(), date(2026, 2, 28));
    }
    let leap = date(2024, 2, 29).at(9, 0, 0, 0);
    let yearly = read("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", leap, &TimeZone::UTC).unwrap();
    assert_eq!(yearly.pattern, Pattern::Yearly { month: 2, day: 29 });
    assert_eq!(starts(leap, &yearly).nth(1).unwrap().date(), date(2025, 2, 28));
}

/// Clock changes: the rows that other expanders get wrong.
#[test]
fn occurrences_follow_the_clock_of_the_zone() {
    let new_york = TimeZone::get("America/New_York").unwrap();
    for (start, expected) in [
        // 02:30 does not exist on 8 March: an hour later by the clock.
        (
            "2026-03-07T02:30",
            ["2026-03-07T07:30:00Z", "2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"],
        ),
        // 01:30 exists twice on 1 November: the first.
        (
            "2026-10-31T01:30",
            ["2026-10-31T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
        ),
    ] {
        let first = zone::moment(start.parse().unwrap(), &new_york).unwrap();
        let daily = read("FREQ=DAILY;COUNT=3", start.parse().unwrap(), &new_york).unwrap();
        let all: Vec<String> =
            occurrences(first, &daily, &new_york, 9).map(|start| start.to_string()).collect();
        assert_eq!(all, expected);
    }
}

#[test]
fn impossible_and_endless_series_end() {
    let first = date(2026, 1, 5).at(9, 0, 0, 0);
    let daily = read("FREQ=DAILY", first, &TimeZone::UTC).unwrap();
    assert_eq!(starts(first, &daily).count(), 100_000);
    for (pattern, interval, expected) in [
        // The calendar ends with the year 9999.
        (Pattern::Daily, 1_000_000, 3),
        (Pattern::Daily, u32::MAX, 1),
        (Pattern::Monthly { day: 5 }, u32::MAX, 1),
        (Pattern::Yearly { month: 1, day: 5 }, u32::MAX, 1),
    ] {
        let rare = Recurrence { pattern, interval, ..daily.clone() };
        assert_eq!(starts(first, &rare).count(), expected);
    }
}

#[test]
fn a_calendar_that_is_ahead_tells_the_same_days() {
    let first = date(2026, 1, 5).at(23, 0, 0, 0);
    let rule = "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=MO;UNTIL=20260301T230000";
    let series = read(rule, first, &TimeZone::UTC).unwrap();
    let ahead = moved(&series, 1).unwrap();
    let next_day = first.date().tomorrow().unwrap().at(5, 0, 0, 0);
    let expected: Vec<Date> =
        starts(first, &series).map(|start| start.date().tomorrow().unwrap()).collect();
    assert_eq!(starts(next_day, &ahead).map(DateTime::date).collect::<Vec<_>>(), expected);
    assert!(moved(&ahead, -1) == Some(series));
    let monthly = read("FREQ=MONTHLY", first, &TimeZone::UTC).unwrap();
    assert_eq!(moved(&monthly, 1), None);
}

proptest! {
    /// calcard expands in the same way where no clock changes.
    #[test]
    fn calcard_agrees_in_utc(
        start in (2020i16..2030, 1i8..=12, 1i8..=28, 0i8..24),
        rule in proptest::sample::select(vec![
            "FREQ=DAILY", "FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=MO,WE,SU", "FREQ=WEEKLY;BYDAY=TU,SU;WKST=SU", "FREQ=MONTHLY",
            "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYDAY=2TU", "FREQ=MONTHLY;BYDAY=-1FR",
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=5;BYDAY=3SA",
        ]),
        interval in 1u32..5, count in 1usize..30,
    ) {
        let (year, month, day, hour) = start;
        let from = date(year, month, day).at(hour, 0, 0, 0);
        let text = format!("{rule};INTERVAL={interval}");
        // The first day that the rule has from there on.
        let recurrence = rule::read_observance(&text, from).expect("a rule");
        let first = starts(from, &recurrence).next().expect("a day");
        let recurrence = read(&text, first, &TimeZone::UTC).expect("a rule");
        let ours: Vec<i64> = starts(first, &recurrence)
            .take(count)
            .map(|start| zone::moment(start, &TimeZone::UTC).expect("in range").as_second())
            .collect();
        let file = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:{}\r\nRRULE:{text};COUNT={count}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
            first.strftime("%Y%m%dT%H%M%SZ"),
        );
        let calendar = calcard::icalendar::ICalendar::parse(&file).expect("a calendar");
        let mut theirs: Vec<i64> = calendar
            .expand_dates(calcard::common::timezone::Tz::UTC, 100)
            .events
            .iter()
            .map(|event| event.start.timestamp())
            .collect();
        theirs.sort_unstable();
        prop_assert_eq!(ours, theirs, "{} from {}", text, first);
    }
}
