//! When a series takes place: expansion in civil time.
//!
//! A series repeats by the calendar and the clock of its zone; each occurrence is then resolved to a moment, in a gap or an
//! overlap of the clock as RFC 5545 §3.3.5 says. What a rule looks like in text is in [`rule`].

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::zone;
use crate::model::time::{Day, Days, End, Instance, Pattern, Recurrence};

pub mod rule;
#[cfg(test)]
mod tests;

/// How many periods (days, weeks, months, years) are looked at before a series counts as ended.
const PERIODS: i64 = 100_000;

/// The starts of a series, in order: at most `limit`, none after the series' end, in the civil time of `zone`.
///
/// `first` is where the search begins. It is the first occurrence only if the pattern has it.
pub fn occurrences<'a>(
    first: Timestamp,
    recurrence: &'a Recurrence,
    zone: &'a TimeZone,
    limit: usize,
) -> impl Iterator<Item = Timestamp> + 'a {
    let start = zone.to_datetime(first);
    starts(start, recurrence).take(limit).map_while(move |civil| zone::moment(civil, zone))
}

/// The starts of a series in civil time.
pub fn starts(first: DateTime, recurrence: &Recurrence) -> impl Iterator<Item = DateTime> + '_ {
    let until = match recurrence.end {
        End::Until(date) => date,
        End::Never | End::Count(_) => Date::MAX,
    };
    let count = match recurrence.end {
        End::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
        End::Never | End::Until(_) => usize::MAX,
    };
    dates(first.date(), &recurrence.pattern, recurrence.interval)
        .take_while(move |date| *date <= until)
        .take(count)
        .map(move |date| date.to_datetime(first.time()))
}

/// The same series told by a calendar that is `days` ahead, for a zone in which its hour falls on another day.
/// `None` for days of the month: they cannot be told so.
pub fn moved(recurrence: &Recurrence, days: i64) -> Option<Recurrence> {
    if days == 0 {
        return Some(recurrence.clone());
    }
    let turned = |day: Day| Day::of(day.weekday().wrapping_add(days));
    let pattern = match &recurrence.pattern {
        Pattern::Daily => Pattern::Daily,
        Pattern::Weekly { days: on, first } => {
            weekly(on.iter().map(|day| turned(*day)).collect(), turned(*first), recurrence.interval)
        }
        Pattern::Monthly { .. }
        | Pattern::MonthlyNth { .. }
        | Pattern::Yearly { .. }
        | Pattern::YearlyNth { .. } => return None,
    };
    let end = match recurrence.end {
        End::Until(date) => End::Until(later(date, days)?),
        End::Never | End::Count(_) => recurrence.end.clone(),
    };
    Some(Recurrence { pattern, end, ..recurrence.clone() })
}

/// A weekly pattern in the one form it is compared in: where the day a week starts with makes no difference, it is Monday.
pub fn weekly(days: Days, first: Day, interval: u32) -> Pattern {
    let matters = interval > 1 && days.len() > 1;
    let first = if matters { first } else { Day::of(jiff::civil::Weekday::Monday) };
    Pattern::Weekly { days, first }
}

/// The days of a pattern from `first` on.
fn dates(first: Date, pattern: &Pattern, interval: u32) -> impl Iterator<Item = Date> + '_ {
    let interval = i64::from(interval.max(1));
    (0..PERIODS)
        .map_while(move |period| in_period(first, pattern, period.checked_mul(interval)?))
        .flatten()
        .filter(move |date| *date >= first)
}

/// The days of the `offset`-th day, week, month or year after the one of `first`; `None` after the end of the calendar.
fn in_period(first: Date, pattern: &Pattern, offset: i64) -> Option<Vec<Date>> {
    Some(match pattern {
        Pattern::Daily => vec![later(first, offset)?],
        Pattern::Weekly { days, first: week_start } => {
            let into = first.weekday().since(week_start.weekday());
            let monday = later(first, offset.checked_mul(7)?.checked_sub(i64::from(into))?)?;
            let mut dates: Vec<Date> = days
                .iter()
                .filter_map(|day| {
                    later(monday, i64::from(day.weekday().since(week_start.weekday())))
                })
                .collect();
            dates.sort_unstable();
            dates
        }
        Pattern::Monthly { day } => {
            let month = month_after(first, offset)?;
            on_day(month, *day).into_iter().collect()
        }
        Pattern::MonthlyNth { days, instance } => {
            let month = month_after(first, offset)?;
            nth(month, days, *instance).into_iter().collect()
        }
        Pattern::Yearly { month, day } => {
            on_day(month_of(first, offset, *month)?, *day).into_iter().collect()
        }
        Pattern::YearlyNth { month, days, instance } => {
            nth(month_of(first, offset, *month)?, days, *instance).into_iter().collect()
        }
    })
}

/// A day that many days later; `None` outside the calendar.
pub fn later(date: Date, days: i64) -> Option<Date> {
    /// More days than the calendar has, so that the product below stays in range.
    const CALENDAR: i64 = 8_000_000;
    if days.abs() > CALENDAR {
        return None;
    }
    date.checked_add(SignedDuration::from_hours(days * 24)).ok()
}

/// The first day of the month that many months later.
fn month_after(date: Date, months: i64) -> Option<Date> {
    let months = i64::from(date.year())
        .checked_mul(12)?
        .checked_add(i64::from(date.month()) - 1 + months)?;
    let year = i16::try_from(months.div_euclid(12)).ok()?;
    Date::new(year, i8::try_from(months.rem_euclid(12) + 1).ok()?, 1).ok()
}

/// The first day of a month, that many years later.
fn month_of(date: Date, years: i64, month: u8) -> Option<Date> {
    let year = i16::try_from(i64::from(date.year()).checked_add(years)?).ok()?;
    Date::new(year, i8::try_from(month).ok()?, 1).ok()
}

/// That day of a month, or its last.
fn on_day(month: Date, day: u8) -> Option<Date> {
    let day = i8::try_from(day).ok()?.min(month.days_in_month());
    Date::new(month.year(), month.month(), day).ok()
}

/// The most days that a month ever has.
pub fn longest(month: u8) -> u8 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The n-th of the matching days of a month.
fn nth(month: Date, days: &Days, instance: Instance) -> Option<Date> {
    let matches = |date: &Date| days.contains(&Day::of(date.weekday()));
    let mut in_month = (1..=month.days_in_month())
        .filter_map(|day| Date::new(month.year(), month.month(), day).ok());
    match instance {
        Instance::First => in_month.find(matches),
        Instance::Second => in_month.filter(matches).nth(1),
        Instance::Third => in_month.filter(matches).nth(2),
        Instance::Fourth => in_month.filter(matches).nth(3),
        Instance::Last => in_month.rfind(matches),
    }
}
