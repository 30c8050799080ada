//! The recurrence pattern of a series: what is a valid one, and on which days and moments it falls.
//! Pure; days and times of day are counted in the time zone of the series' owner.

use crate::sandbox::clock;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::store::{self, Row};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rusqlite::types::Value;

/// Days after the start at which counting stops, whatever the pattern: some fifty years.
const HORIZON_DAYS: i32 = 20_000;

/// A pattern that passed [`Pattern::read`].
#[derive(Debug, Clone)]
pub struct Pattern {
    rule: Rule,
    interval: i32,
    first: Date,
    last: Option<Date>,
    occurrences: Option<usize>,
    time: Time,
    /// Seconds that one occurrence takes.
    pub length: i64,
    zone: TimeZone,
    week_starts: i32,
}

#[derive(Debug, Clone, Copy)]
enum Rule {
    Daily,
    Weekday,
    Weekly { mask: i64 },
    MonthDay { day: i8 },
    MonthNth { mask: i64, instance: i64 },
    YearDay { month: i8, day: i8 },
    YearNth { month: i8, mask: i64, instance: i64 },
}

impl Pattern {
    /// Reads the pattern columns of a master; names the column that makes no sense.
    pub fn read(row: &Row, zone: &TimeZone) -> Result<Self, Refusal> {
        let moment = |column: &str| {
            store::text(row, column)
                .and_then(clock::seconds)
                .and_then(|second| Timestamp::from_second(second).ok())
        };
        let bad = |column: &str| {
            Refusal::new(
                400,
                "0x8004E103",
                format!("The recurrence pattern is not valid: {column}."),
            )
        };
        let local = |moment: Timestamp| moment.to_zoned(zone.clone());
        let first = moment("patternstartdate")
            .map(|moment| local(moment).date())
            .ok_or_else(|| bad("patternstartdate"))?;
        let start = moment("starttime").ok_or_else(|| bad("starttime"))?;
        let length = match (store::number(row, "duration"), moment("endtime")) {
            (_, Some(end)) => end.duration_since(start).as_secs().rem_euclid(86_400 * 366),
            (Some(minutes), None) => minutes.saturating_mul(60),
            (None, None) => return Err(bad("endtime")),
        };
        let interval = store::number(row, "interval").unwrap_or(1);
        let end = store::number(row, "patternendtype").unwrap_or(1);
        let rule = Rule::read(row, &bad)?;
        Ok(Self {
            rule,
            interval: i32::try_from(interval)
                .ok()
                .filter(|interval| *interval > 0)
                .ok_or_else(|| bad("interval"))?,
            first,
            last: match (end, moment("patternenddate")) {
                (3, None) => return Err(bad("patternenddate")),
                (3, Some(moment)) => Some(local(moment).date()),
                _ => None,
            },
            occurrences: match (end, store::number(row, "occurrences")) {
                (2, Some(count @ 1..)) => usize::try_from(count).ok(),
                (2, _) => return Err(bad("occurrences")),
                _ => None,
            },
            time: local(start).time(),
            length,
            zone: zone.clone(),
            week_starts: i32::try_from(store::number(row, "firstdayofweek").unwrap_or(0))
                .unwrap_or(0),
        })
    }

    /// The starts, in seconds, in order. It ends by itself after some fifty years.
    pub fn starts(&self) -> impl Iterator<Item = i64> + '_ {
        let days = (0..HORIZON_DAYS).map_while(|days| self.first.checked_add(days.days()).ok());
        let days = days
            .take_while(|day| self.last.is_none_or(|last| *day <= last))
            .filter(|day| self.falls_on(*day));
        days.take(self.occurrences.unwrap_or(usize::MAX)).filter_map(|day| self.moment(day))
    }

    /// The last start, if the pattern ends.
    pub fn end(&self) -> Option<i64> {
        if self.last.is_some() || self.occurrences.is_some() { self.starts().last() } else { None }
    }

    fn moment(&self, day: Date) -> Option<i64> {
        day.to_datetime(self.time)
            .to_zoned(self.zone.clone())
            .ok()
            .map(|zoned| zoned.timestamp().as_second())
    }

    fn falls_on(&self, day: Date) -> bool {
        let days =
            i32::try_from(day.duration_since(self.first).as_hours() / 24).unwrap_or(i32::MAX);
        let months = (i32::from(day.year()) - i32::from(self.first.year())) * 12
            + i32::from(day.month())
            - i32::from(self.first.month());
        match self.rule {
            Rule::Daily => days % self.interval == 0,
            Rule::Weekday => in_mask(day, 62),
            Rule::Weekly { mask } => {
                in_mask(day, mask) && ((days + self.days_into_week()) / 7) % self.interval == 0
            }
            Rule::MonthDay { day: wanted } => {
                months % self.interval == 0 && day.day() == wanted.min(day.days_in_month())
            }
            Rule::MonthNth { mask, instance } => {
                months % self.interval == 0 && is_nth(day, mask, instance)
            }
            Rule::YearDay { month, day: wanted } => {
                day.month() == month
                    && day.day() == wanted.min(day.days_in_month())
                    && self.in_year(day)
            }
            Rule::YearNth { month, mask, instance } => {
                day.month() == month && is_nth(day, mask, instance) && self.in_year(day)
            }
        }
    }

    fn in_year(&self, day: Date) -> bool {
        (i32::from(day.year()) - i32::from(self.first.year())) % self.interval == 0
    }

    /// How many days the first day lies after the start of its week.
    fn days_into_week(&self) -> i32 {
        (i32::from(self.first.weekday().to_sunday_zero_offset()) - self.week_starts).rem_euclid(7)
    }
}

impl Rule {
    fn read(row: &Row, bad: &impl Fn(&str) -> Refusal) -> Result<Self, Refusal> {
        let number = |column: &str| store::number(row, column);
        let flag = |column: &str| number(column) == Some(1);
        let mask = || {
            number("daysofweekmask")
                .filter(|mask| (1..128).contains(mask))
                .ok_or_else(|| bad("daysofweekmask"))
        };
        let instance = || {
            number("instance")
                .filter(|instance| (1..=5).contains(instance))
                .ok_or_else(|| bad("instance"))
        };
        let small = |column: &str, max: i64| {
            number(column)
                .filter(|value| (1..=max).contains(value))
                .and_then(|value| i8::try_from(value).ok())
                .ok_or_else(|| bad(column))
        };
        match number("recurrencepatterntype") {
            Some(0) if flag("isweekdaypattern") => Ok(Self::Weekday),
            Some(0) => Ok(Self::Daily),
            Some(1) => Ok(Self::Weekly { mask: mask()? }),
            Some(2) if flag("isnthmonthly") => {
                Ok(Self::MonthNth { mask: mask()?, instance: instance()? })
            }
            Some(2) => Ok(Self::MonthDay { day: small("dayofmonth", 31)? }),
            Some(3) if flag("isnthyearly") => Ok(Self::YearNth {
                month: small("monthofyear", 12)?,
                mask: mask()?,
                instance: instance()?,
            }),
            Some(3) => Ok(Self::YearDay {
                month: small("monthofyear", 12)?,
                day: small("dayofmonth", 31)?,
            }),
            _ => Err(bad("recurrencepatterntype")),
        }
    }
}

/// The mask has Sunday as 1, Monday as 2, up to Saturday as 64.
fn in_mask(day: Date, mask: i64) -> bool {
    mask >> day.weekday().to_sunday_zero_offset() & 1 == 1
}

/// The first to fourth, or with 5 the last, of the days of a month that are in the mask.
fn is_nth(day: Date, mask: i64, instance: i64) -> bool {
    if !in_mask(day, mask) {
        return false;
    }
    let matches = |range: std::ops::RangeInclusive<i8>| {
        range
            .filter_map(|number| Date::new(day.year(), day.month(), number).ok())
            .filter(|other| in_mask(*other, mask))
            .count()
    };
    if instance == 5 {
        return day.day() == day.days_in_month()
            || matches(day.day() + 1..=day.days_in_month()) == 0;
    }
    i64::try_from(matches(1..=day.day())).is_ok_and(|count| count == instance)
}

/// The columns of a master that follow from its pattern; refuses a pattern that makes no sense.
pub fn derive(whole: &Row, changes: &mut Row) -> Result<(), Refusal> {
    let pattern = Pattern::read(whole, &TimeZone::UTC)?;
    changes.insert("duration".to_owned(), Value::Integer(pattern.length / 60));
    for column in ["patternstartdate", "patternenddate"] {
        let effective = column.replace("pattern", "effective");
        changes.insert(effective, whole.get(column).cloned().unwrap_or(Value::Null));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::zone;

    fn starts(columns: &[(&str, i64)], start: &str, code: i64, count: usize) -> Vec<String> {
        let mut row: Row = columns
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::Integer(*value)))
            .collect();
        for column in ["patternstartdate", "starttime"] {
            row.insert(column.to_owned(), Value::Text(start.to_owned()));
        }
        row.entry("duration".to_owned()).or_insert(Value::Integer(60));
        let pattern = Pattern::read(&row, &zone::of(code)).unwrap();
        pattern.starts().take(count).map(clock::text).collect()
    }

    #[test]
    fn weekly_on_two_days_every_other_week() {
        let columns = [("recurrencepatterntype", 1), ("interval", 2), ("daysofweekmask", 2 + 8)];
        let expected = [
            "2026-01-05T09:00:00Z",
            "2026-01-07T09:00:00Z",
            "2026-01-19T09:00:00Z",
            "2026-01-21T09:00:00Z",
        ];
        assert_eq!(starts(&columns, "2026-01-05T09:00:00Z", 92, 4), expected);
    }

    #[test]
    fn the_time_of_day_stays_when_the_clock_changes() {
        let columns = [("recurrencepatterntype", 1), ("interval", 1), ("daysofweekmask", 1)];
        assert_eq!(
            starts(&columns, "2026-03-22T09:00:00Z", 110, 2),
            ["2026-03-22T09:00:00Z", "2026-03-29T08:00:00Z"]
        );
    }

    #[test]
    fn last_weekday_of_the_month_and_the_31st_in_short_months() {
        let nth = [
            ("recurrencepatterntype", 2),
            ("interval", 1),
            ("isnthmonthly", 1),
            ("instance", 5),
            ("daysofweekmask", 62),
        ];
        assert_eq!(
            starts(&nth, "2026-01-01T08:00:00Z", 92, 3),
            ["2026-01-30T08:00:00Z", "2026-02-27T08:00:00Z", "2026-03-31T08:00:00Z"]
        );
        let day = [("recurrencepatterntype", 2), ("interval", 1), ("dayofmonth", 31)];
        assert_eq!(
            starts(&day, "2026-01-31T08:00:00Z", 92, 3),
            ["2026-01-31T08:00:00Z", "2026-02-28T08:00:00Z", "2026-03-31T08:00:00Z"]
        );
    }

    #[test]
    fn occurrences_end_a_series_and_a_bad_pattern_is_named() {
        let columns = [
            ("recurrencepatterntype", 0),
            ("interval", 1),
            ("patternendtype", 2),
            ("occurrences", 2),
        ];
        assert_eq!(starts(&columns, "2026-01-01T08:00:00Z", 92, 9).len(), 2);
        let row = Row::from([("recurrencepatterntype".to_owned(), Value::Integer(1))]);
        assert!(
            Pattern::read(&row, &TimeZone::UTC).unwrap_err().message.contains("patternstartdate")
        );
    }
}
