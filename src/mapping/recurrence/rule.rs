//! A recurrence as the value of an `RRULE` (RFC 5545 §3.3.10), and back, as far as the CRM has a form for it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

use super::{longest, starts, weekly};
use crate::mapping::{Unreadable, zone};
use crate::model::time::{Day, Days, End, Instance, Pattern, Recurrence};

/// More occurrences than a series of the CRM may have (`occurrences` of `recurringappointmentmaster`).
const MOST: u32 = 999;

/// In the CRM the last day of February, in a rule only every fourth year.
const LEAP_DAY: (u8, u8) = (2, 29);

/// What a rule says for a series whose first occurrence starts at `first` in the civil time of `zone`
/// (for days without a time: UTC).
///
/// # Errors
/// When the rule is broken or the CRM has no form for it.
pub fn read(rule: &str, first: DateTime, zone: &TimeZone) -> Result<Recurrence, Unreadable> {
    let parts = parts(rule)?;
    let interval = match parts.get("INTERVAL") {
        Some(text) => number(text).filter(|n| *n > 0).ok_or_else(|| broken("INTERVAL"))?,
        None => 1,
    };
    let pattern = pattern(&parts, interval, first.date())?;
    let end = end(&parts, first, zone)?;
    let recurrence = Recurrence { pattern, interval, end, zone: zone::name(zone) };
    // RFC 5545 leaves undefined what a first occurrence outside the rule means; the CRM would drop it.
    if starts(first, &recurrence).next() != Some(first) {
        return Err(no_form("it starts on a day that is not one of its own"));
    }
    Ok(recurrence)
}

/// What the rule of a zone's daylight saving says: as [`read`], though the first day need not fit and all may lie before it.
pub fn read_observance(rule: &str, first: DateTime) -> Option<Recurrence> {
    let parts = parts(rule).ok()?;
    let interval = parts.get("INTERVAL").map_or(Some(1), |text| number(text)).filter(|n| *n > 0)?;
    let pattern = pattern(&parts, interval, first.date()).ok()?;
    // UNTIL is in UTC here, hours away from the civil time at most: a day more is never a transition more.
    let end = match parts.get("UNTIL") {
        Some(text) => End::Until(date_part(text)?),
        None => End::Never,
    };
    Some(Recurrence { pattern, interval, end, zone: String::new() })
}

/// How the end of a series is spelled, which must fit `DTSTART` (RFC 5545 §3.3.10).
#[derive(Debug, Clone)]
pub enum Until {
    /// `DTSTART` is a day.
    Date,
    /// `DTSTART` has no zone.
    Floating,
    /// `DTSTART` is a moment, by this zone.
    Utc(TimeZone),
}

/// The rule of a recurrence, for a series whose first occurrence starts at `first` in its civil time.
pub fn write(recurrence: &Recurrence, first: DateTime, until: &Until) -> String {
    let frequency = match &recurrence.pattern {
        Pattern::Daily => "DAILY",
        Pattern::Weekly { .. } => "WEEKLY",
        Pattern::Monthly { .. } | Pattern::MonthlyNth { .. } => "MONTHLY",
        Pattern::Yearly { .. } | Pattern::YearlyNth { .. } => "YEARLY",
    };
    let mut parts = vec![format!("FREQ={frequency}")];
    if recurrence.interval > 1 {
        parts.push(format!("INTERVAL={}", recurrence.interval));
    }
    match &recurrence.end {
        End::Never => {}
        End::Count(count) => parts.push(format!("COUNT={count}")),
        End::Until(date) => {
            parts.push(format!("UNTIL={}", until_text(date.to_datetime(first.time()), until)));
        }
    }
    match &recurrence.pattern {
        Pattern::Daily => {}
        Pattern::Weekly { days, first } => {
            parts.push(format!("BYDAY={}", codes(days)));
            if *first != Day::of(Weekday::Monday) {
                parts.push(format!("WKST={}", code(*first)));
            }
        }
        Pattern::Monthly { day: 31 } => parts.push("BYMONTHDAY=-1".to_owned()),
        // The last of these days that the month has.
        Pattern::Monthly { day: day @ 29.. } => {
            let days: Vec<String> = (28..=*day).map(|day| day.to_string()).collect();
            parts.push(format!("BYMONTHDAY={};BYSETPOS=-1", days.join(",")));
        }
        Pattern::Monthly { day } => parts.push(format!("BYMONTHDAY={day}")),
        Pattern::MonthlyNth { days, instance } => parts.push(nth_text(days, *instance)),
        Pattern::Yearly { month, day } => {
            parts.push(format!("BYMONTH={month}"));
            let day = if (*month, *day) == LEAP_DAY { "-1".to_owned() } else { day.to_string() };
            parts.push(format!("BYMONTHDAY={day}"));
        }
        Pattern::YearlyNth { month, days, instance } => {
            parts.push(format!("BYMONTH={month}"));
            parts.push(nth_text(days, *instance));
        }
    }
    parts.join(";")
}

fn until_text(last: DateTime, until: &Until) -> String {
    match until {
        Until::Date => last.strftime("%Y%m%d").to_string(),
        Until::Floating => last.strftime("%Y%m%dT%H%M%S").to_string(),
        Until::Utc(zone) => zone::moment(last, zone)
            .unwrap_or(Timestamp::MAX)
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string(),
    }
}

fn nth_text(days: &Days, instance: Instance) -> String {
    let position = if instance == Instance::Last { -1 } else { instance.number() };
    match days.iter().next() {
        Some(day) if days.len() == 1 => format!("BYDAY={position}{}", code(*day)),
        _ => format!("BYDAY={};BYSETPOS={position}", codes(days)),
    }
}

/// The parts of a rule by name, in upper case.
fn parts(rule: &str) -> Result<BTreeMap<String, String>, Unreadable> {
    let mut parts = BTreeMap::new();
    for part in rule.trim().split(';').filter(|part| !part.trim().is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| broken("RRULE"))?;
        let (name, value) = (name.trim().to_ascii_uppercase(), value.trim().to_ascii_uppercase());
        if parts.insert(name, value).is_some() {
            return Err(broken("RRULE"));
        }
    }
    Ok(parts)
}

fn pattern(
    parts: &BTreeMap<String, String>,
    interval: u32,
    first: Date,
) -> Result<Pattern, Unreadable> {
    for name in parts.keys() {
        if !KNOWN.contains(&name.as_str()) {
            return Err(no_form(name));
        }
    }
    let days = match parts.get("BYDAY") {
        Some(text) => Some(by_day(text).ok_or_else(|| broken("BYDAY"))?),
        None => None,
    };
    let place = Place {
        days,
        position: single(parts, "BYSETPOS", -366..=366)?,
        month_days: month_days(parts)?,
        month: single(parts, "BYMONTH", 1..=12)?,
    };
    match parts.get("FREQ").map(String::as_str) {
        Some("DAILY") => daily(&place, interval),
        Some("WEEKLY") => {
            let first_day = match parts.get("WKST") {
                Some(text) => day(text).ok_or_else(|| broken("WKST"))?,
                None => Day::of(Weekday::Monday),
            };
            in_week(&place, interval, first, first_day)
        }
        Some("MONTHLY") if place.month.is_none() => in_month(&place, first),
        Some("YEARLY") => in_year(&place, first),
        Some(other) => Err(no_form(&format!("FREQ={other}"))),
        None => Err(broken("FREQ")),
    }
}

const KNOWN: &[&str] =
    &["FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"];

/// The parts of a rule that say where in a period an occurrence falls.
struct Place {
    days: Option<Vec<(Option<i32>, Day)>>,
    position: Option<i32>,
    /// Ascending.
    month_days: Vec<i32>,
    month: Option<i32>,
}

fn daily(place: &Place, interval: u32) -> Result<Pattern, Unreadable> {
    let limited = place.position.is_some() || !place.month_days.is_empty() || place.month.is_some();
    match &place.days {
        None if !limited => Ok(Pattern::Daily),
        // Every day that is one of these: the same as every week on these days.
        Some(days) if !limited && interval == 1 && days.iter().all(|(nth, _)| nth.is_none()) => {
            let days = days.iter().map(|(_, day)| *day).collect();
            Ok(weekly(days, Day::of(Weekday::Monday), 1))
        }
        _ => Err(no_form("FREQ=DAILY with limits")),
    }
}

fn in_week(
    place: &Place,
    interval: u32,
    first: Date,
    week_start: Day,
) -> Result<Pattern, Unreadable> {
    if place.position.is_some() || !place.month_days.is_empty() || place.month.is_some() {
        return Err(no_form("FREQ=WEEKLY with limits"));
    }
    let days: Days = match &place.days {
        None => Days::from([Day::of(first.weekday())]),
        Some(days) if days.iter().all(|(nth, _)| nth.is_none()) => {
            days.iter().map(|(_, day)| *day).collect()
        }
        Some(_) => return Err(broken("BYDAY")),
    };
    Ok(weekly(days, week_start, interval))
}

/// A rule leaves out the months that have no such day, the CRM takes their last: from the 29th on only rules will do that say so.
fn in_month(place: &Place, first: Date) -> Result<Pattern, Unreadable> {
    const SKIPS: &str = "a day that not every month has";
    let day = |day: i32| Ok(Pattern::Monthly { day: u8::try_from(day).unwrap_or(1) });
    match (&place.days, place.month_days.as_slice(), place.position) {
        (None, [], None) if first.day() <= 28 => day(i32::from(first.day())),
        (None, [only @ 1..=28], None | Some(1 | -1)) => day(*only),
        (None, [-1], None | Some(1 | -1)) => day(31),
        (None, [28, .., last], Some(-1)) if is_run(&place.month_days) => day(*last),
        (None, [] | [29..=31], None) => Err(no_form(SKIPS)),
        (Some(days), [], position) => {
            let (days, instance) = nth_of(days, position)?;
            Ok(Pattern::MonthlyNth { days, instance })
        }
        _ => Err(no_form("BYMONTHDAY")),
    }
}

/// Whether each day is the next of the one before.
fn is_run(days: &[i32]) -> bool {
    days.iter().zip(days.iter().skip(1)).all(|(day, next)| day + 1 == *next)
}

fn in_year(place: &Place, first: Date) -> Result<Pattern, Unreadable> {
    let month = place.month.and_then(|month| u8::try_from(month).ok());
    let on = |month: u8, day: i32| match u8::try_from(day) {
        Ok(day) if (month, day) != LEAP_DAY && day <= longest(month) => {
            Ok(Pattern::Yearly { month, day })
        }
        _ => Err(no_form("a day that not every year has")),
    };
    match (&place.days, place.month_days.as_slice(), month, place.position) {
        (None, [], month, None) => {
            on(month.unwrap_or(first.month().unsigned_abs()), i32::from(first.day()))
        }
        (None, [-1], Some(month), None) => Ok(Pattern::Yearly { month, day: longest(month) }),
        (None, [day], Some(month), None) => on(month, *day),
        (Some(days), [], Some(month), position) => {
            let (days, instance) = nth_of(days, position)?;
            Ok(Pattern::YearlyNth { month, days, instance })
        }
        _ => Err(no_form("FREQ=YEARLY with BYMONTHDAY or BYDAY but no single month")),
    }
}

/// `2MO`, or several days with a position: the n-th of these days.
fn nth_of(
    days: &[(Option<i32>, Day)],
    position: Option<i32>,
) -> Result<(Days, Instance), Unreadable> {
    let numbered = match (days, position) {
        ([(Some(nth), _)], None) => *nth,
        (_, Some(position)) if days.iter().all(|(nth, _)| nth.is_none()) => position,
        _ => return Err(no_form("BYDAY")),
    };
    let instance = match numbered {
        -1 => Instance::Last,
        1..=4 => Instance::from_number(i64::from(numbered)).unwrap_or(Instance::Last),
        _ => return Err(no_form("BYSETPOS")),
    };
    Ok((days.iter().map(|(_, day)| *day).collect(), instance))
}

fn end(
    parts: &BTreeMap<String, String>,
    first: DateTime,
    zone: &TimeZone,
) -> Result<End, Unreadable> {
    match (parts.get("COUNT"), parts.get("UNTIL")) {
        (None, None) => Ok(End::Never),
        (Some(text), None) => {
            let count = number(text).filter(|n| *n > 0).ok_or_else(|| broken("COUNT"))?;
            if count > MOST {
                return Err(no_form(&format!("more than {MOST} occurrences")));
            }
            Ok(End::Count(count))
        }
        (None, Some(text)) => {
            let last = last_day(text, first, zone).ok_or_else(|| broken("UNTIL"))?;
            Ok(End::Until(last))
        }
        (Some(_), Some(_)) => Err(broken("COUNT and UNTIL")),
    }
}

/// The last day on which an occurrence may start: the day of `UNTIL`, or the one before if its hour comes too early.
fn last_day(until: &str, first: DateTime, zone: &TimeZone) -> Option<Date> {
    if !until.contains('T') {
        return date_part(until);
    }
    let last = match until.strip_suffix('Z') {
        Some(utc) => {
            let utc = DateTime::strptime("%Y%m%dT%H%M%S", utc).ok()?;
            zone.to_datetime(zone::moment(utc, &TimeZone::UTC)?)
        }
        None => DateTime::strptime("%Y%m%dT%H%M%S", until).ok()?,
    };
    if last.time() >= first.time() { Some(last.date()) } else { last.date().yesterday().ok() }
}

fn date_part(text: &str) -> Option<Date> {
    Date::strptime("%Y%m%d", text.get(..8)?).ok()
}

fn by_day(text: &str) -> Option<Vec<(Option<i32>, Day)>> {
    text.split(',')
        .map(|item| {
            let item = item.trim();
            let (nth, name) = item.split_at_checked(item.len().checked_sub(2)?)?;
            let nth = if nth.is_empty() { None } else { Some(nth.parse().ok()?) };
            Some((nth, day(name)?))
        })
        .collect()
}

/// The days of the month that a rule names, ascending.
fn month_days(parts: &BTreeMap<String, String>) -> Result<Vec<i32>, Unreadable> {
    let Some(text) = parts.get("BYMONTHDAY") else { return Ok(Vec::new()) };
    let days: Option<BTreeSet<i32>> = text
        .split(',')
        .map(|day| day.trim().parse().ok().filter(|day| *day != 0 && (-31..=31).contains(day)))
        .collect();
    days.map(|days| days.into_iter().collect()).ok_or_else(|| broken("BYMONTHDAY"))
}

/// A part that may name one value only.
fn single(
    parts: &BTreeMap<String, String>,
    name: &str,
    range: std::ops::RangeInclusive<i32>,
) -> Result<Option<i32>, Unreadable> {
    let Some(text) = parts.get(name) else { return Ok(None) };
    if text.contains(',') {
        return Err(no_form(&format!("several values of {name}")));
    }
    match text.parse() {
        Ok(value) if value != 0 && range.contains(&value) => Ok(Some(value)),
        _ => Err(broken(name)),
    }
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

const CODES: &[(&str, Weekday)] = &[
    ("SU", Weekday::Sunday),
    ("MO", Weekday::Monday),
    ("TU", Weekday::Tuesday),
    ("WE", Weekday::Wednesday),
    ("TH", Weekday::Thursday),
    ("FR", Weekday::Friday),
    ("SA", Weekday::Saturday),
];

fn day(name: &str) -> Option<Day> {
    CODES.iter().find(|(code, _)| *code == name).map(|(_, weekday)| Day::of(*weekday))
}

fn code(day: Day) -> &'static str {
    CODES.iter().find(|(_, weekday)| *weekday == day.weekday()).map_or("SU", |(code, _)| code)
}

fn codes(days: &Days) -> String {
    days.iter().map(|day| code(*day)).collect::<Vec<_>>().join(",")
}

fn no_form(what: &str) -> Unreadable {
    // Names come from the file: enough of them to be understood, no more.
    let what: String = what.chars().take(60).collect();
    Unreadable(format!("its recurrence ({what}) has no form in the CRM"))
}

fn broken(part: &str) -> Unreadable {
    Unreadable(format!("its recurrence cannot be read ({part})"))
}
