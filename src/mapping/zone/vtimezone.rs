//! A zone as a `VTIMEZONE` (RFC 5545 §3.6.5), and one read for its observances.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::{Observance, moment};
use crate::mapping::recurrence::rule;
use crate::mapping::text::{Component, Line, Text};

/// The observances of a `VTIMEZONE`; those that cannot be read are left out.
pub fn read(text: &Text<'_>, component: &Component) -> Vec<Observance> {
    component
        .children
        .iter()
        .filter(|child| matches!(child.name.as_str(), "STANDARD" | "DAYLIGHT"))
        .filter_map(|child| observance(text, child))
        .collect()
}

/// The lines of a `VTIMEZONE` that is right for what starts at `start` and for years after it.
///
/// A zone whose clock changes by the same rule each year gets that rule; any other its changes of ten years, one by one.
pub fn write(zone: &TimeZone, tzid: &str, start: Timestamp) -> Vec<Line> {
    let begin = |name: &str| Line::new("BEGIN", name);
    let end = |name: &str| Line::new("END", name);
    let mut lines = vec![begin("VTIMEZONE"), Line::new("TZID", tzid)];
    let changes = changes(zone, start);
    let blocks = match yearly(&changes) {
        Some(rules) => rules,
        None => one_by_one(zone, &changes, start),
    };
    for block in blocks {
        let name = if block.change.daylight { "DAYLIGHT" } else { "STANDARD" };
        lines.push(begin(name));
        let onset = block.change.civil.strftime("%Y%m%dT%H%M%S").to_string();
        lines.push(Line::new("DTSTART", onset));
        lines.push(Line::new("TZOFFSETFROM", offset_text(block.change.from)));
        lines.push(Line::new("TZOFFSETTO", offset_text(block.change.to)));
        lines.push(Line::new("TZNAME", block.change.abbreviation));
        lines.extend(block.rule.map(|rule| Line::new("RRULE", rule)));
        lines.push(end(name));
    }
    lines.push(end("VTIMEZONE"));
    lines
}

/// A change of a zone's clock.
#[derive(Clone)]
struct Change {
    /// The civil time before it at which it happens.
    civil: DateTime,
    from: Offset,
    to: Offset,
    daylight: bool,
    abbreviation: String,
}

struct Block {
    change: Change,
    rule: Option<String>,
}

/// The changes from a year before `start` to nine years after.
fn changes(zone: &TimeZone, start: Timestamp) -> Vec<Change> {
    const YEAR: SignedDuration = SignedDuration::from_hours(24 * 366);
    let first = start.saturating_sub(YEAR).unwrap_or(start);
    let last = start.saturating_add(YEAR * 9).unwrap_or(start);
    let mut before = zone.to_offset(first);
    let mut changes = Vec::new();
    for change in zone.following(first).take_while(|change| change.timestamp() < last) {
        let (from, to) = (std::mem::replace(&mut before, change.offset()), change.offset());
        if from != to {
            changes.push(Change {
                civil: from.to_datetime(change.timestamp()),
                from,
                to,
                daylight: change.dst().is_dst(),
                abbreviation: change.abbreviation().to_owned(),
            });
        }
    }
    changes
}

/// One rule for summer and one for winter, if every year of `changes` goes by them.
fn yearly(changes: &[Change]) -> Option<Vec<Block>> {
    const YEARS: usize = 8;
    let mut kinds: BTreeMap<(i32, i32), Vec<&Change>> = BTreeMap::new();
    for change in changes {
        kinds.entry((change.from.seconds(), change.to.seconds())).or_default().push(change);
    }
    if kinds.len() != 2 {
        return None;
    }
    kinds
        .values()
        .map(|changes| {
            let first = *changes.first()?;
            let same = changes.iter().all(|change| {
                change.civil.month() == first.civil.month()
                    && change.civil.weekday() == first.civil.weekday()
                    && change.civil.time() == first.civil.time()
            });
            let all = |test: fn(DateTime) -> i8| {
                changes.iter().all(|change| test(change.civil) == test(first.civil))
            };
            let nth = match () {
                () if !same || changes.len() < YEARS => return None,
                () if is_last(first.civil) == 1 && all(is_last) => -1,
                () if all(week) => week(first.civil),
                () => return None,
            };
            let day =
                DAYS.get(usize::try_from(first.civil.weekday().to_monday_zero_offset()).ok()?)?;
            let rule = format!("FREQ=YEARLY;BYMONTH={};BYDAY={nth}{day}", first.civil.month());
            Some(Block { change: first.clone(), rule: Some(rule) })
        })
        .collect()
}

const DAYS: &[&str] = &["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// The which of its week days in the month a day is.
fn week(civil: DateTime) -> i8 {
    (civil.day() - 1) / 7 + 1
}

fn is_last(civil: DateTime) -> i8 {
    i8::from(civil.day() + 7 > civil.date().days_in_month())
}

/// What held before, then each change.
fn one_by_one(zone: &TimeZone, changes: &[Change], start: Timestamp) -> Vec<Block> {
    let long_ago = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    let at_first = match changes.first() {
        // Just before the change: whatever holds then.
        Some(change) => moment(change.civil, &TimeZone::fixed(change.from))
            .and_then(|at| at.checked_sub(SignedDuration::from_secs(1)).ok())
            .unwrap_or(start),
        None => start,
    };
    let info = zone.to_offset_info(at_first);
    let first = Change {
        civil: long_ago,
        from: info.offset(),
        to: info.offset(),
        daylight: false,
        abbreviation: info.abbreviation().to_owned(),
    };
    let later = changes.iter().filter(|change| change.civil > long_ago).cloned();
    std::iter::once(first).chain(later).map(|change| Block { change, rule: None }).collect()
}

fn offset_text(offset: Offset) -> String {
    let seconds = offset.seconds();
    let (sign, seconds) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
    let text = format!("{sign}{:02}{:02}", seconds / 3600, seconds / 60 % 60);
    if seconds % 60 == 0 { text } else { format!("{text}{:02}", seconds % 60) }
}

fn observance(text: &Text<'_>, component: &Component) -> Option<Observance> {
    let value = |name: &str| text.property(component, name).map(|(_, line)| line.value().trim());
    let start = civil(value("DTSTART")?)?;
    let more = text
        .properties(component)
        .filter(|(_, line)| line.is("RDATE"))
        .flat_map(|(_, line)| line.value().split(','))
        .filter_map(civil)
        .collect();
    Some(Observance {
        start,
        from: offset(value("TZOFFSETFROM")?)?,
        to: offset(value("TZOFFSETTO")?)?,
        rule: value("RRULE").and_then(|rule| rule::read_observance(rule, start)),
        more,
    })
}

fn civil(text: &str) -> Option<DateTime> {
    DateTime::strptime("%Y%m%dT%H%M%S", text.trim().trim_end_matches('Z')).ok()
}

/// `+0100`, `-073000`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => (1, text),
    };
    let pair = |at: usize| digits.get(at..at + 2)?.parse::<i32>().ok();
    let seconds = pair(0)? * 3600 + pair(2)? * 60 + pair(4).unwrap_or(0);
    Offset::from_seconds(sign * seconds).ok()
}
