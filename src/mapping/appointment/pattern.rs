//! A recurrence in the columns of `recurringappointmentmaster`.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/recurring-appointment-partial-expansion>
//!
//! Dates are midnights of the user's zone, as all `DateTime` columns with the behaviour *user local*; so is the clock by which
//! the series repeats, since the row says none.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde_json::Value as Json;

use crate::mapping::calendar::time::{midnight, nearest_day};
use crate::mapping::column::{Columns, moment_column, read_flag, read_moment, read_number};
use crate::mapping::recurrence::{longest, starts, weekly};
use crate::mapping::{Unreadable, zone};
use crate::model::time::{Day, Days, End, Instance, Pattern, Recurrence};

const DAILY: i64 = 0;
const WEEKLY: i64 = 1;
const MONTHLY: i64 = 2;
const YEARLY: i64 = 3;

const NO_END: i64 = 1;
const OCCURRENCES: i64 = 2;
const END_DATE: i64 = 3;

/// `daysofweekmask` of Monday to Friday.
const WORK_DAYS: i64 = 62;

/// How a row repeats, and when its first occurrence starts and ends.
#[derive(Debug)]
pub struct Repeats {
    pub recurrence: Recurrence,
    pub from: Timestamp,
    pub to: Timestamp,
}

/// Reads the pattern of a row by the clock of `user`.
///
/// # Errors
/// When there is no start, the pattern is none that is documented, or it never takes place.
pub fn read(row: &Columns, user: &TimeZone) -> Result<Repeats, Unreadable> {
    let start = read_moment("starttime", row)?
        .or(read_moment("scheduledstart", row)?)
        .ok_or_else(|| unreadable("it has no start"))?;
    let civil = user.to_datetime(start);
    let civil = if read_flag("isalldayevent", row)? {
        nearest_day(civil).to_datetime(Time::midnight())
    } else {
        civil
    };
    let date = day("patternstartdate", row, user)?.unwrap_or(civil.date());
    let interval = u32::try_from(read_number("interval", row)?.unwrap_or(1).max(1))
        .map_err(|_| unreadable("its interval is out of range"))?;
    let recurrence = Recurrence {
        pattern: pattern(row, date, interval)?,
        interval,
        end: end(row, user)?,
        zone: zone::name(user),
    };
    let from = starts(date.to_datetime(civil.time()), &recurrence)
        .next()
        .and_then(|first| zone::moment(first, user))
        .ok_or_else(|| unreadable("its recurrence has no occurrence"))?;
    let to =
        from.checked_add(length(row, start)?).map_err(|_| unreadable("a time is out of range"))?;
    Ok(Repeats { recurrence, from, to })
}

/// The columns of a pattern, all of them: what does not belong to it is emptied.
pub fn write(repeats: &Repeats, user: &TimeZone) -> Columns {
    let Repeats { recurrence, from, to } = repeats;
    let first = user.to_datetime(*from).date();
    let at_midnight = |date: Date| midnight(date, user).map_or(Json::Null, moment_column);
    let place = Place::of(&recurrence.pattern);
    let work_days =
        place.kind == WEEKLY && place.mask == Some(WORK_DAYS) && recurrence.interval == 1;
    let (end_type, occurrences, end_date) = match recurrence.end {
        End::Never => (NO_END, Json::Null, Json::Null),
        End::Count(count) => (OCCURRENCES, Json::from(count), Json::Null),
        End::Until(date) => (END_DATE, Json::Null, at_midnight(date)),
    };
    [
        ("recurrencepatterntype", Json::from(place.kind)),
        ("interval", Json::from(recurrence.interval)),
        ("daysofweekmask", Json::from(place.mask)),
        ("dayofmonth", Json::from(place.day)),
        ("monthofyear", Json::from(place.month)),
        ("instance", Json::from(place.instance)),
        ("isnthmonthly", Json::from(place.kind == MONTHLY && place.instance.is_some())),
        ("isnthyearly", Json::from(place.kind == YEARLY && place.instance.is_some())),
        ("isweekdaypattern", Json::from(work_days)),
        ("firstdayofweek", Json::from(place.week_start)),
        ("patternstartdate", at_midnight(first)),
        ("patternendtype", Json::from(end_type)),
        ("occurrences", occurrences),
        ("patternenddate", end_date),
        ("starttime", moment_column(*from)),
        ("endtime", moment_column(*to)),
        ("duration", Json::from(from.duration_until(*to).as_mins())),
    ]
    .into_iter()
    .map(|(column, value)| (column.to_owned(), value))
    .collect()
}

/// A pattern's numbers.
#[derive(Default)]
struct Place {
    kind: i64,
    mask: Option<i64>,
    day: Option<u8>,
    month: Option<u8>,
    instance: Option<i64>,
    week_start: Option<i8>,
}

impl Place {
    fn of(pattern: &Pattern) -> Self {
        let mask = |days: &Days| Some(days.iter().map(|day| day.mask()).sum());
        match pattern {
            Pattern::Daily => Self { kind: DAILY, ..Self::default() },
            Pattern::Weekly { days, first } => Self {
                kind: WEEKLY,
                mask: mask(days),
                week_start: Some(first.weekday().to_sunday_zero_offset()),
                ..Self::default()
            },
            Pattern::Monthly { day } => Self { kind: MONTHLY, day: Some(*day), ..Self::default() },
            Pattern::MonthlyNth { days, instance } => Self {
                kind: MONTHLY,
                mask: mask(days),
                instance: Some(instance.number()),
                ..Self::default()
            },
            Pattern::Yearly { month, day } => {
                Self { kind: YEARLY, day: Some(*day), month: Some(*month), ..Self::default() }
            }
            Pattern::YearlyNth { month, days, instance } => Self {
                kind: YEARLY,
                mask: mask(days),
                month: Some(*month),
                instance: Some(instance.number()),
                ..Self::default()
            },
        }
    }
}

fn pattern(row: &Columns, first: Date, interval: u32) -> Result<Pattern, Unreadable> {
    let work_days = read_flag("isweekdaypattern", row)?;
    let mask = match read_number("daysofweekmask", row)? {
        Some(mask) if mask != 0 => mask,
        _ if work_days => WORK_DAYS,
        _ => Day::of(first.weekday()).mask(),
    };
    let days = Day::from_mask(mask);
    if days.is_empty() {
        return Err(unreadable("its days of the week are out of range"));
    }
    let number = |column, otherwise: i8, most| {
        let number = read_number(column, row)?.filter(|n| *n != 0).unwrap_or(otherwise.into());
        u8::try_from(number)
            .ok()
            .filter(|number| (1..=most).contains(number))
            .ok_or_else(|| unreadable("a day or month of its recurrence is out of range"))
    };
    let instance = || {
        read_number("instance", row)?
            .and_then(Instance::from_number)
            .ok_or_else(|| unreadable("its recurrence says no week of the month"))
    };
    match read_number("recurrencepatterntype", row)? {
        Some(DAILY) if !work_days => Ok(Pattern::Daily),
        Some(DAILY | WEEKLY) => {
            let start = read_number("firstdayofweek", row)?.unwrap_or(0);
            let start = Day::from_mask(1 << start.clamp(0, 6)).pop_first();
            Ok(weekly(days, start.unwrap_or(Day::of(first.weekday())), interval))
        }
        Some(MONTHLY) if read_flag("isnthmonthly", row)? => {
            Ok(Pattern::MonthlyNth { days, instance: instance()? })
        }
        Some(MONTHLY) => Ok(Pattern::Monthly { day: number("dayofmonth", first.day(), 31)? }),
        Some(YEARLY) if read_flag("isnthyearly", row)? => Ok(Pattern::YearlyNth {
            month: number("monthofyear", first.month(), 12)?,
            days,
            instance: instance()?,
        }),
        Some(YEARLY) => {
            let month = number("monthofyear", first.month(), 12)?;
            let day = number("dayofmonth", first.day(), 31)?;
            Ok(Pattern::Yearly { month, day: day.min(longest(month)) })
        }
        _ => Err(unreadable("its recurrence is of no known kind")),
    }
}

fn end(row: &Columns, user: &TimeZone) -> Result<End, Unreadable> {
    match read_number("patternendtype", row)? {
        None | Some(NO_END) => Ok(End::Never),
        Some(OCCURRENCES) => read_number("occurrences", row)?
            .and_then(|count| u32::try_from(count).ok())
            .filter(|count| *count > 0)
            .map(End::Count)
            .ok_or_else(|| unreadable("its recurrence does not say how often")),
        Some(END_DATE) => day("patternenddate", row, user)?
            .map(End::Until)
            .ok_or_else(|| unreadable("its recurrence does not say until when")),
        Some(_) => Err(unreadable("its recurrence ends in no known way")),
    }
}

/// How long an occurrence lasts.
fn length(row: &Columns, start: Timestamp) -> Result<jiff::SignedDuration, Unreadable> {
    let minutes = read_number("duration", row)?.filter(|minutes| minutes.abs() < 1_000_000_000);
    let length = read_moment("endtime", row)?
        .or(read_moment("scheduledend", row)?)
        .map(|end| start.duration_until(end))
        .or(minutes.map(jiff::SignedDuration::from_mins))
        .unwrap_or_default();
    if length.is_negative() { Err(unreadable("it ends before it starts")) } else { Ok(length) }
}

/// A day of a pattern. Midnight UTC is what programs write that know of no zone: then the date is as it stands.
fn day(column: &str, row: &Columns, user: &TimeZone) -> Result<Option<Date>, Unreadable> {
    Ok(read_moment(column, row)?.map(|moment| {
        let utc = TimeZone::UTC.to_datetime(moment);
        let is_midnight = utc.time() == Time::midnight();
        if is_midnight { utc.date() } else { user.to_datetime(moment).date() }
    }))
}

fn unreadable(reason: &str) -> Unreadable {
    Unreadable(reason.to_owned())
}
