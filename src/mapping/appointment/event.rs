//! One `VEVENT`: what it says by itself, whether master or override.

use jiff::Timestamp;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;

use super::{
    ALL_DAY, DESCRIPTION, END, LOCATION, PRIORITY, START, STATUS, SUBJECT, moment, status::Show,
};
use crate::mapping::Unreadable;
use crate::mapping::calendar::time::{duration, midnight, nearest_day};
use crate::mapping::calendar::{Calendar, Form, When, property, subject};
use crate::mapping::text::Component;
use crate::model::{Fields, Value};

/// When an event takes place.
#[derive(Debug, Clone)]
pub struct Times {
    pub start: When,
    /// As [`Fields`] have them: all-day events begin and end at midnights of the user's zone.
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Times {
    pub fn is_all_day(&self) -> bool {
        self.start.form == Form::Date
    }
}

/// When an event takes place: from `DTSTART` to `DTEND`, or for its `DURATION`, else the whole day or no time at all
/// (RFC 5545 §3.6.1).
///
/// # Errors
/// When there is no start, or the end comes before it.
pub fn times(calendar: &Calendar<'_>, component: &Component) -> Result<Times, Unreadable> {
    let property = |name| calendar.text.property(component, name).map(|(_, line)| line);
    let line = property("DTSTART").ok_or_else(|| Unreadable("it has no start".to_owned()))?;
    let start = calendar.when(line)?;
    let end = match (property("DTEND"), property("DURATION")) {
        (Some(line), _) => Some(calendar.when(line)?),
        (None, Some(line)) => {
            let after = duration(line.value()).and_then(|span| start.after(span, calendar.user()));
            Some(after.ok_or_else(|| Unreadable("its duration cannot be read".to_owned()))?)
        }
        (None, None) => None,
    };
    let from = calendar.moment(&start)?;
    let to = match end {
        Some(end) => calendar.moment(&end)?,
        None => from,
    };
    if to < from {
        return Err(Unreadable("it ends before it starts".to_owned()));
    }
    if start.form == Form::Date {
        let (from, to) = whole_days(from, to, calendar.user())?;
        return Ok(Times { start, from, to });
    }
    Ok(Times { start, from, to })
}

/// The midnights around an all-day event: it lasts a day at least.
///
/// # Errors
/// When they lie outside the calendar.
pub fn whole_days(
    from: Timestamp,
    to: Timestamp,
    zone: &TimeZone,
) -> Result<(Timestamp, Timestamp), Unreadable> {
    let first = nearest_day(zone.to_datetime(from));
    let after = nearest_day(zone.to_datetime(to));
    let midnights = first
        .tomorrow()
        .ok()
        .and_then(|next| Some((midnight(first, zone)?, midnight(after.max(next), zone)?)));
    midnights.ok_or_else(|| Unreadable("a time is out of range".to_owned()))
}

/// When an occurrence that starts at `original` ends if it is as long as the first: in days, or in seconds.
pub fn end_of(series: &Fields, original: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let (start, end) = (moment(series, &START)?, moment(series, &END)?);
    if series.contains_key(&ALL_DAY) {
        let day = |at| nearest_day(zone.to_datetime(at));
        let days = day(start).until(day(end)).ok()?;
        return midnight(day(original).checked_add(days).ok()?, zone);
    }
    original.checked_add(start.duration_until(end)).ok()
}

/// The first start of a series by the user's clock. All-day series start with the day, also where its midnight is skipped.
pub fn first_start(series: &Fields, user: &TimeZone) -> Option<DateTime> {
    let civil = user.to_datetime(moment(series, &START)?);
    let all_day = series.contains_key(&ALL_DAY);
    Some(if all_day { nearest_day(civil).to_datetime(Time::midnight()) } else { civil })
}

/// What an event says, without people and recurrence.
pub fn fields(calendar: &Calendar<'_>, component: &Component, times: &Times) -> Fields {
    let text = calendar.text;
    let flag = times.is_all_day().then_some(Value::Flag(true));
    [
        (SUBJECT, subject(property::text(text, component, "SUMMARY"))),
        (LOCATION, property::text(text, component, "LOCATION")),
        (DESCRIPTION, property::description(text, component)),
        (PRIORITY, property::priority(text, component)),
        (STATUS, Some(Show::read(text, component).value())),
        (ALL_DAY, flag),
        (START, Some(Value::Moment(times.from))),
        (END, Some(Value::Moment(times.to))),
    ]
    .into_iter()
    .filter_map(|(field, value)| Some((field, value?)))
    .collect()
}
