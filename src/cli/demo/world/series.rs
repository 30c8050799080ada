//! Series of appointments (RFC 5545 §3.8.5): by day, week, month and year, with days left out and days moved. Each rule follows from its start, so that
//! the start is always the first of the series. It must not know where they are kept.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{Span, ToSpan};

use super::calendar::{
    BERLIN, Entry, NEW_YORK, ROOMS, TOKYO, WINDOWS_BERLIN, WINDOWS_NEW_YORK, WINDOWS_TOKYO, Zone,
    categories, day, days_from, head, local, quoted, stamp,
};
use super::text::{CRLF, Lines};
use super::{id, pick};

/// What it is called, when it first takes place, how it goes on, and what is different about it.
#[derive(Debug)]
struct Series {
    subject: &'static str,
    zone: Zone,
    start: DateTime,
    rule: String,
    /// Days from the first occurrence that are left out.
    left_out: Vec<i64>,
    /// Days from the first occurrence, to how many hours later it is moved.
    moved: Vec<(i64, i64)>,
    tracked: bool,
}

/// The 14 series.
pub fn entries(today: Date) -> Vec<Entry> {
    let all = weekly(today).into_iter().chain(others(today));
    all.enumerate().map(|(number, series)| entry(number, &series)).collect()
}

impl Series {
    fn new(subject: &'static str, zone: Zone, start: DateTime, rule: impl Into<String>) -> Self {
        let rule = rule.into();
        Self { subject, zone, start, rule, left_out: Vec::new(), moved: Vec::new(), tracked: true }
    }

    fn without(mut self, days: &[i64]) -> Self {
        self.left_out = days.to_vec();
        self
    }

    fn moving(mut self, days: &[(i64, i64)]) -> Self {
        self.moved = days.to_vec();
        self
    }
}

/// The first such day in the last two weeks.
fn on(today: Date, weekday: Weekday, hour: i8) -> DateTime {
    let date = days_from(today, -14).nth_weekday(1, weekday).unwrap_or(today);
    date.to_datetime(Time::constant(hour, 0, 0, 0))
}

fn weekly(today: Date) -> Vec<Series> {
    let monday = on(today, Weekday::Monday, 9);
    let tuesday = on(today, Weekday::Tuesday, 14);
    let friday = on(today, Weekday::Friday, 11);
    let until = day(days_from(tuesday.date(), 70));
    let choir =
        Series::new("Choir", BERLIN, on(today, Weekday::Thursday, 19), "FREQ=WEEKLY;BYDAY=TH");
    vec![
        Series::new("Wochenbesprechung", BERLIN, monday, "FREQ=WEEKLY;BYDAY=MO;COUNT=12")
            .without(&[7, 21])
            .moving(&[(14, 3)]),
        Series::new("Stand-up", BERLIN, monday, "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=18"),
        Series::new(
            "Pipeline review",
            NEW_YORK,
            tuesday,
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;COUNT=8",
        )
        .moving(&[(14, 24), (28, -2)]),
        // Two in the afternoon is five in the morning in UTC, in which an end is written.
        Series::new(
            "週次定例",
            TOKYO,
            tuesday,
            format!("FREQ=WEEKLY;BYDAY=TU;UNTIL={until}T050000Z"),
        ),
        Series::new("Jour fixe", WINDOWS_BERLIN, friday, "FREQ=WEEKLY;BYDAY=FR"),
        Series::new("주간 회의", WINDOWS_TOKYO, friday, "FREQ=WEEKLY;BYDAY=FR;COUNT=9")
            .without(&[14])
            .moving(&[(7, 1)]),
        Series { tracked: false, ..choir },
    ]
}

fn others(today: Date) -> Vec<Series> {
    let monday = on(today, Weekday::Monday, 9);
    let friday = on(today, Weekday::Friday, 11);
    let second = nth_of_month(on(today, Weekday::Tuesday, 14), 2, Weekday::Tuesday);
    let last = nth_of_month(friday, -1, Weekday::Friday);
    let (month, year_month) = (second.month(), monday.month());
    vec![
        Series::new("Daily check", BERLIN, monday, "FREQ=DAILY;COUNT=10").without(&[3]),
        Series::new("Every third day", NEW_YORK, friday, "FREQ=DAILY;INTERVAL=3;COUNT=6"),
        Series::new(
            "Monatsabschluss",
            BERLIN,
            on_day(monday, 15),
            "FREQ=MONTHLY;BYMONTHDAY=15;COUNT=6",
        ),
        Series::new("Board", WINDOWS_NEW_YORK, second, "FREQ=MONTHLY;BYDAY=2TU;COUNT=5"),
        Series::new("Réunion mensuelle", BERLIN, last, "FREQ=MONTHLY;BYDAY=-1FR;COUNT=6"),
        Series::new(
            "Годовой отчёт",
            BERLIN,
            on_day(monday, 20),
            format!("FREQ=YEARLY;BYMONTH={year_month};BYMONTHDAY=20;COUNT=4"),
        ),
        Series::new(
            "Hauptversammlung",
            BERLIN,
            second,
            format!("FREQ=YEARLY;BYMONTH={month};BYDAY=2TU;COUNT=3"),
        ),
    ]
}

/// That day of the month, at the same time.
fn on_day(start: DateTime, day: i8) -> DateTime {
    start.with().day(day).build().unwrap_or(start)
}

/// That weekday of the month, at the same time.
fn nth_of_month(start: DateTime, nth: i8, weekday: Weekday) -> DateTime {
    start
        .date()
        .nth_weekday_of_month(nth, weekday)
        .map_or(start, |date| date.to_datetime(start.time()))
}

fn entry(number: usize, series: &Series) -> Entry {
    let mut lines = Lines::new(CRLF);
    let uid = format!("{}@example.org", id(&format!("series {number}")));
    let zone = quoted(series.zone.name);
    let hour = |start: DateTime| start.checked_add(1.hour()).unwrap_or(start);
    let at = |days| days_from(series.start.date(), days).to_datetime(series.start.time());
    head(&mut lines, Some(series.zone));
    lines.add("BEGIN", "VEVENT");
    lines.add("UID", &uid);
    stamp(&mut lines);
    lines.add(&format!("DTSTART;TZID={zone}"), &local(series.start));
    lines.add(&format!("DTEND;TZID={zone}"), &local(hour(series.start)));
    lines.add("RRULE", &series.rule);
    for days in &series.left_out {
        lines.add(&format!("EXDATE;TZID={zone}"), &local(at(*days)));
    }
    lines.add("SUMMARY", series.subject);
    lines.add("LOCATION", pick(&ROOMS, number));
    categories(&mut lines, series.tracked);
    lines.add("END", "VEVENT");
    for (days, later) in &series.moved {
        let start = at(*days).checked_add(Span::new().hours(*later)).unwrap_or(at(*days));
        lines.add("BEGIN", "VEVENT");
        lines.add("UID", &uid);
        stamp(&mut lines);
        lines.add(&format!("RECURRENCE-ID;TZID={zone}"), &local(at(*days)));
        lines.add(&format!("DTSTART;TZID={zone}"), &local(start));
        lines.add(&format!("DTEND;TZID={zone}"), &local(hour(start)));
        lines.add("SUMMARY", &format!("{} (moved)", series.subject));
        lines.add("LOCATION", "Upstairs");
        categories(&mut lines, series.tracked);
        lines.add("END", "VEVENT");
    }
    lines.add("END", "VCALENDAR");
    Entry { file: format!("series-{number:02}.ics"), text: lines.finish(), tracked: series.tracked }
}
