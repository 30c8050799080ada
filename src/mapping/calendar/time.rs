//! `DATE` and `DATE-TIME` values in their four forms (RFC 5545 §3.3.4, §3.3.5), and durations.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};

use super::Calendar;
use crate::mapping::text::Line;
use crate::mapping::{Unreadable, zone};

/// How a time is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// A day, `VALUE=DATE`.
    Date,
    /// A time without a zone: by the clock of whoever reads it.
    Floating,
    Utc,
    /// By the clock of the zone that the file calls so.
    Zoned {
        tzid: String,
        zone: TimeZone,
    },
}

/// A time as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct When {
    pub civil: DateTime,
    pub form: Form,
}

impl When {
    /// The moment that is meant, where `user` is the zone of days and of times without one.
    pub fn moment(&self, user: &TimeZone) -> Option<Timestamp> {
        zone::moment(self.civil, &self.form.zone(user))
    }

    /// This time and a duration after it: days by the calendar, hours by the clock (RFC 5545 §3.3.6).
    pub fn after(&self, duration: Span, user: &TimeZone) -> Option<Self> {
        let zone = self.form.zone(user);
        let start = zone.to_ambiguous_zoned(self.civil).compatible().ok()?;
        let civil = start.checked_add(duration).ok()?.datetime();
        Some(Self { civil, form: self.form.clone() })
    }
}

impl Form {
    /// The zone by whose clock the time is written.
    pub fn zone(&self, user: &TimeZone) -> TimeZone {
        match self {
            Self::Date | Self::Floating => user.clone(),
            Self::Utc => TimeZone::UTC,
            Self::Zoned { zone, .. } => zone.clone(),
        }
    }

    /// For new times of a user in this zone.
    pub fn of(user: &TimeZone) -> Self {
        match user.iana_name() {
            Some(name) if !zone::is_utc(user) => {
                Self::Zoned { tzid: name.to_owned(), zone: user.clone() }
            }
            _ => Self::Utc,
        }
    }

    /// The value of a moment in this form.
    pub fn value(&self, moment: Timestamp, user: &TimeZone) -> String {
        let civil = self.zone(user).to_datetime(moment);
        match self {
            Self::Date => nearest_day(civil).strftime("%Y%m%d").to_string(),
            Self::Floating | Self::Zoned { .. } => civil.strftime("%Y%m%dT%H%M%S").to_string(),
            Self::Utc => civil.strftime("%Y%m%dT%H%M%SZ").to_string(),
        }
    }

    /// A moment as a property of this form; in UTC where the form has no way to tell it (the second of two equal hours).
    pub fn line(&self, name: &str, moment: Timestamp, user: &TimeZone) -> Line {
        self.written(Line::new(name, ""), moment, user)
    }

    /// As [`Form::line`], keeping the parameters of a line that says something else about the time.
    pub fn written(&self, line: Line, moment: Timestamp, user: &TimeZone) -> Line {
        if !matches!(self, Self::Date) {
            let zone = self.zone(user);
            if zone::moment(zone.to_datetime(moment), &zone) != Some(moment) {
                return Self::Utc.marked(line).with_value(Self::Utc.value(moment, user));
            }
        }
        self.marked(line).with_value(self.value(moment, user))
    }

    /// A line with the parameters that this form has; as spelled where they are right already.
    fn marked(&self, line: Line) -> Line {
        let tzid = match self {
            Self::Zoned { tzid, .. } => Some(tzid.as_str()),
            Self::Date | Self::Floating | Self::Utc => None,
        };
        let is_date = line.param("VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("DATE"));
        let line = match (is_date, matches!(self, Self::Date)) {
            (false, true) => line.without_param("VALUE").with_param("VALUE", "DATE"),
            (true, false) => line.without_param("VALUE"),
            (true, true) | (false, false) => line,
        };
        if line.param("TZID") == tzid {
            return line;
        }
        let line = line.without_param("TZID");
        match tzid {
            Some(tzid) => line.with_param("TZID", tzid),
            None => line,
        }
    }
}

/// Reads one value of a property.
///
/// # Errors
/// When it is no time or in a zone that nobody knows.
pub fn read(line: &Line, value: &str, calendar: &Calendar<'_>) -> Result<When, Unreadable> {
    let value = value.trim();
    let broken = || Unreadable(format!("its {} is not a time", line.name()));
    if value.len() == 8 {
        if !is_of_digits(value) {
            return Err(broken());
        }
        let date = Date::strptime("%Y%m%d", value).map_err(|_| broken())?;
        return Ok(When { civil: date.to_datetime(Time::midnight()), form: Form::Date });
    }
    let (text, utc) = match value.strip_suffix(['Z', 'z']) {
        Some(text) => (text, true),
        None => (value, false),
    };
    let civil = civil(text).ok_or_else(broken)?;
    let form = match line.param("TZID").map(str::trim).filter(|tzid| !tzid.is_empty()) {
        _ if utc => Form::Utc,
        None => Form::Floating,
        Some(tzid) => match calendar.zone(tzid, civil) {
            Some(zone) => Form::Zoned { tzid: tzid.to_owned(), zone },
            None => {
                return Err(Unreadable(format!(
                    "the time zone of its {} is not known",
                    line.name()
                )));
            }
        },
    };
    Ok(When { civil, form })
}

fn civil(text: &str) -> Option<DateTime> {
    // A leap second counts as the one before it.
    let text = match text.strip_suffix("60") {
        Some(minute) if text.len() == 15 => format!("{minute}59"),
        _ => text.to_owned(),
    };
    if text.len() != 15 || !is_of_digits(&text) {
        return None;
    }
    DateTime::strptime("%Y%m%dT%H%M%S", &text).ok()
}

/// All but what stands between date and time: signs and blanks make another year of it than the four digits of RFC 5545 §3.3.4.
fn is_of_digits(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| at == 8 || byte.is_ascii_digit())
}

/// A duration; `None` when it is none.
pub fn duration(text: &str) -> Option<Span> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    if !text.trim_start_matches('-').starts_with(['P', 'p']) {
        return None;
    }
    text.parse().ok()
}

/// The day whose midnight is nearest. All-day times of colleagues are midnights of *their* zones: up to twelve hours away.
pub fn nearest_day(civil: DateTime) -> Date {
    if civil.hour() < 12 {
        return civil.date();
    }
    civil.date().checked_add(1.day()).unwrap_or(civil.date())
}

/// The moment at which a day begins.
pub fn midnight(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    zone::moment(date.to_datetime(Time::midnight()), zone)
}

/// Whether a moment is the beginning of a day.
pub fn is_midnight(moment: Timestamp, zone: &TimeZone) -> bool {
    midnight(zone.to_datetime(moment).date(), zone) == Some(moment)
}
