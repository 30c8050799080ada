//! Dates relative to now, as half-open ranges of UTC moments. The organisation's calendar is UTC and its weeks begin on Sunday
//! (the default `weekstartdaycode`).

use jiff::civil::{Date, DateTime};
use jiff::{Span, Timestamp, ToSpan};

use super::QueryError;

/// A relative date condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relative {
    On(Date),
    OnOrBefore(Date),
    OnOrAfter(Date),
    /// The day so many days from today.
    Day(i8),
    Last(Unit),
    This(Unit),
    Next(Unit),
    /// The last so many units up to now.
    LastX(Unit, u32),
    /// From now on for so many units.
    NextX(Unit, u32),
    OlderThanX(Unit, u32),
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// From (inclusive) and to (exclusive), in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub from: Option<DateTime>,
    pub to: Option<DateTime>,
}

/// What a relative date means at `now`. Dates that the calendar does not hold are refused.
pub fn range(relative: Relative, now: Timestamp) -> Result<Range, QueryError> {
    bounds(relative, now).map_err(|_| QueryError::argument("The date condition is out of range."))
}

fn bounds(relative: Relative, now: Timestamp) -> Result<Range, jiff::Error> {
    let now = now.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let today = now.date();
    let between =
        |from: Date, to: Date| Range { from: Some(midnight(from)), to: Some(midnight(to)) };
    Ok(match relative {
        Relative::On(day) => between(day, day.tomorrow()?),
        Relative::OnOrBefore(day) => Range { from: None, to: Some(midnight(day.tomorrow()?)) },
        Relative::OnOrAfter(day) => Range { from: Some(midnight(day)), to: None },
        Relative::Day(offset) => {
            let day = today.checked_add(i64::from(offset).days())?;
            between(day, day.tomorrow()?)
        }
        Relative::This(unit) => {
            let start = start(unit, now)?;
            Range { from: Some(start), to: Some(start.checked_add(span(unit, 1)?)?) }
        }
        Relative::Last(unit) => {
            let start = start(unit, now)?;
            Range { from: Some(start.checked_sub(span(unit, 1)?)?), to: Some(start) }
        }
        Relative::Next(unit) => {
            let start = start(unit, now)?.checked_add(span(unit, 1)?)?;
            Range { from: Some(start), to: Some(start.checked_add(span(unit, 1)?)?) }
        }
        Relative::LastX(unit, count) => Range {
            from: Some(whole(unit, now.checked_sub(span(unit, count)?)?)),
            to: Some(now.checked_add(1.second())?),
        },
        Relative::NextX(unit, count) => {
            let end = now.checked_add(span(unit, count)?)?;
            let to = match unit {
                Unit::Minute | Unit::Hour => end.checked_add(1.second())?,
                Unit::Day | Unit::Week | Unit::Month | Unit::Year => {
                    midnight(end.date().tomorrow()?)
                }
            };
            Range { from: Some(now), to: Some(to) }
        }
        Relative::OlderThanX(unit, count) => {
            Range { from: None, to: Some(whole(unit, now.checked_sub(span(unit, count)?)?)) }
        }
    })
}

fn midnight(day: Date) -> DateTime {
    day.at(0, 0, 0, 0)
}

/// Days and longer units count from the beginning of the day.
fn whole(unit: Unit, moment: DateTime) -> DateTime {
    match unit {
        Unit::Minute | Unit::Hour => moment,
        Unit::Day | Unit::Week | Unit::Month | Unit::Year => midnight(moment.date()),
    }
}

/// The beginning of the unit that `moment` is in.
fn start(unit: Unit, moment: DateTime) -> Result<DateTime, jiff::Error> {
    let day = moment.date();
    Ok(match unit {
        Unit::Minute | Unit::Hour => moment,
        Unit::Day => midnight(day),
        Unit::Week => {
            midnight(day.checked_sub(i64::from(day.weekday().to_sunday_zero_offset()).days())?)
        }
        Unit::Month => midnight(day.first_of_month()),
        Unit::Year => midnight(day.first_of_year()),
    })
}

fn span(unit: Unit, count: u32) -> Result<Span, jiff::Error> {
    let span = Span::new();
    let count = i64::from(count);
    match unit {
        Unit::Minute => span.try_minutes(count),
        Unit::Hour => span.try_hours(count),
        Unit::Day => span.try_days(count),
        Unit::Week => span.try_weeks(count),
        Unit::Month => span.try_months(count),
        Unit::Year => span.try_years(count),
    }
}
