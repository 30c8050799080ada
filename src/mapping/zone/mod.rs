//! Which zone a name in a file means, and how a zone is written into a file.
//!
//! jiff's database is the one authority on clocks. A name leads to one of its zones directly, by the table of Windows names,
//! or by comparing what the file's own `VTIMEZONE` does with what the zones do (RFC 5545 §3.6.5).

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::model::time::{Instance, Pattern, Recurrence};

use super::recurrence::starts;

pub mod vtimezone;
pub mod windows;

#[cfg(test)]
mod tests;

/// The zone of a name: IANA, IANA behind a vendor's prefix, Windows, or as Outlook shows it. `None` for anything else.
pub fn named(name: &str) -> Option<TimeZone> {
    const LONGEST: usize = 200;
    let name = name.trim();
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    iana(name)
        .or_else(|| iana(&tail(name, 3)?))
        .or_else(|| iana(&tail(name, 2)?))
        // `Europe_Berlin`, `US-Eastern`.
        .or_else(|| iana(&name.replacen(['_', '-'], "/", 1)))
        .or_else(|| iana(windows::iana(name)?))
}

/// The zone of a name as Outlook shows it: `(UTC+01:00) Amsterdam, Berlin, Bern`, `Eastern Time (US & Canada)`.
pub fn displayed(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    let (offset, places) = match name.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((offset, places)) => (Some(shown_offset(offset)?), places.trim()),
        None => (None, name),
    };
    let country = places.split('(').next().unwrap_or_default().trim();
    let windows = country.strip_suffix(" Time").map(|of| format!("{of} Standard Time"));
    if let Some(zone) = windows.and_then(|name| iana(windows::iana(&name)?)) {
        return Some(zone);
    }
    // Any city of the list will do whose clock shows the offset in winter.
    let offset = offset?;
    places.split(',').find_map(|city| {
        let city = city.trim().replace(' ', "_");
        let name = jiff::tz::db().available().map(|name| name.to_string()).find(|name| {
            name.rsplit_once('/').is_some_and(|(_, last)| last.eq_ignore_ascii_case(&city))
        })?;
        iana(&name).filter(|zone| standard_offset(zone) == offset)
    })
}

/// The name by which a zone is found again; `UTC` for those without one.
pub fn name(zone: &TimeZone) -> String {
    zone.iana_name().unwrap_or("UTC").to_owned()
}

/// Whether the zone is UTC under any of its names.
pub fn is_utc(zone: &TimeZone) -> bool {
    matches!(zone.iana_name(), None | Some("UTC" | "Etc/UTC" | "Etc/UCT" | "Zulu" | "Etc/Zulu"))
        && zone.to_fixed_offset().is_ok_and(|offset| offset == Offset::UTC)
}

/// A civil time as a moment: after a gap by the offset before it, in an overlap the first (RFC 5545 §3.3.5).
pub fn moment(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(civil).compatible().ok()
}

/// One sub-component of a `VTIMEZONE`: from when on which offset holds.
#[derive(Debug, Clone)]
pub struct Observance {
    /// The onset in civil time before it, as are `more`.
    pub start: DateTime,
    pub from: Offset,
    pub to: Offset,
    pub rule: Option<Recurrence>,
    /// `RDATE`s.
    pub more: Vec<DateTime>,
}

/// The zone whose clock does what the observances say, in the four years around a moment: `likely` if it does, else one of the
/// common ones, else any. Where none does, a zone of the observances' own.
pub fn of_observances(
    observances: &[Observance],
    around: Timestamp,
    likely: &TimeZone,
) -> Option<TimeZone> {
    let window = Window::around(around)?;
    let wanted = window.of_observances(observances)?;
    let fits = |zone: &TimeZone| window.of_zone(zone) == wanted;
    if fits(likely) && likely.iana_name().is_some() {
        return Some(likely.clone());
    }
    windows::all()
        .filter_map(iana)
        .find(fits)
        .or_else(|| jiff::tz::db().available().filter_map(|name| iana(name.as_str())).find(fits))
        .or_else(|| Some(own(observances, &wanted, around)))
}

/// What a clock does over some years: the offset at first, then each change.
#[derive(PartialEq)]
struct Changes {
    first: Offset,
    then: Vec<(Timestamp, Offset)>,
}

struct Window {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    fn around(moment: Timestamp) -> Option<Self> {
        const TWO_YEARS: SignedDuration = SignedDuration::from_hours(24 * 730);
        Some(Self {
            from: moment.checked_sub(TWO_YEARS).ok()?,
            to: moment.checked_add(TWO_YEARS).ok()?,
        })
    }

    fn of_zone(&self, zone: &TimeZone) -> Changes {
        let first = zone.to_offset(self.from);
        let mut before = first;
        let then = zone
            .following(self.from)
            .take_while(|change| change.timestamp() < self.to)
            .map(|change| (change.timestamp(), change.offset()))
            .filter(|(_, offset)| std::mem::replace(&mut before, *offset) != *offset)
            .collect();
        Changes { first, then }
    }

    fn of_observances(&self, observances: &[Observance]) -> Option<Changes> {
        let end = Offset::UTC.to_datetime(self.to);
        let mut onsets: Vec<(Timestamp, Offset, Offset)> = Vec::new();
        for observance in observances {
            let by_rule = observance
                .rule
                .iter()
                .flat_map(|rule| starts(observance.start, rule))
                .take_while(|start| *start < end);
            let all = std::iter::once(observance.start)
                .chain(observance.more.iter().copied())
                .chain(by_rule);
            onsets.extend(all.filter_map(|start| {
                Some((observance.from.to_timestamp(start).ok()?, observance.from, observance.to))
            }));
        }
        onsets.sort_unstable();
        let first = onsets
            .iter()
            .rfind(|(at, ..)| *at <= self.from)
            .map(|(_, _, to)| *to)
            .or_else(|| onsets.first().map(|(_, from, _)| *from))?;
        let mut before = first;
        let then = onsets
            .iter()
            .filter(|(at, ..)| *at > self.from && *at < self.to)
            .map(|(at, _, to)| (*at, *to))
            .filter(|(_, to)| std::mem::replace(&mut before, *to) != *to)
            .collect();
        Some(Changes { first, then })
    }
}

/// A zone made of the observances alone: with daylight saving by rule where they have one, else the offset at that moment.
fn own(observances: &[Observance], changes: &Changes, around: Timestamp) -> TimeZone {
    let in_force =
        changes.then.iter().rfind(|(at, _)| *at <= around).map_or(changes.first, |(_, to)| *to);
    by_rules(observances).unwrap_or_else(|| TimeZone::fixed(in_force))
}

/// As a POSIX rule, if the newest observances are one for standard and one for daylight saving time.
fn by_rules(observances: &[Observance]) -> Option<TimeZone> {
    let newest = |daylight: bool| {
        observances
            .iter()
            .filter(|observance| (observance.to > observance.from) == daylight)
            .max_by_key(|observance| observance.start)
    };
    let (summer, winter) = (newest(true)?, newest(false)?);
    let text = format!(
        "STD{}DST{},{},{}",
        posix_offset(winter.to),
        posix_offset(summer.to),
        posix_onset(summer)?,
        posix_onset(winter)?
    );
    TimeZone::posix(&text).ok()
}

fn posix_offset(offset: Offset) -> String {
    let west = -offset.seconds();
    let (sign, seconds) = (if west < 0 { "-" } else { "" }, west.abs());
    format!("{sign}{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn posix_onset(observance: &Observance) -> Option<String> {
    match observance.rule.as_ref()? {
        Recurrence {
            pattern: Pattern::YearlyNth { month, days, instance },
            interval: 1,
            end: crate::model::time::End::Never,
            ..
        } if days.len() == 1 => {
            let day = days.iter().next()?.weekday().to_sunday_zero_offset();
            let week = match instance {
                Instance::Last => 5,
                _ => instance.number(),
            };
            Some(format!("M{month}.{week}.{day}/{}", observance.start.time().strftime("%H:%M:%S")))
        }
        _ => None,
    }
}

fn iana(name: &str) -> Option<TimeZone> {
    if name.eq_ignore_ascii_case("Etc/Unknown") {
        return None;
    }
    TimeZone::get(name).ok()
}

/// The last parts of a name: `Europe/Berlin` of `/mozilla.org/20070129_1/Europe/Berlin`.
fn tail(name: &str, parts: usize) -> Option<String> {
    let mut all: Vec<&str> = name.split('/').collect();
    let cut = all.len().checked_sub(parts).filter(|cut| *cut > 0)?;
    Some(all.split_off(cut).join("/"))
}

/// `UTC+01:00`, `GMT-08.00`, `UTC`.
fn shown_offset(text: &str) -> Option<Offset> {
    let digits = text.strip_prefix("UTC").or_else(|| text.strip_prefix("GMT"))?;
    if digits.is_empty() {
        return Some(Offset::UTC);
    }
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, digits.strip_prefix('+')?),
    };
    let (hours, minutes) = digits.split_once([':', '.'])?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..=14).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// The smaller of the offsets in January and July 2025.
fn standard_offset(zone: &TimeZone) -> Offset {
    const JANUARY: i64 = 1_736_942_400;
    const JULY: i64 = 1_752_580_800;
    let at = |second| zone.to_offset(Timestamp::from_second(second).unwrap_or_default());
    at(JANUARY).min(at(JULY))
}
