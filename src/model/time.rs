//! Recurrence in the form both sides can hold: the patterns of `recurringappointmentmaster`.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/recurring-appointment-partial-expansion>

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use jiff::civil::{Date, Weekday};

/// How a series repeats. Starts and ends of the first occurrence are fields of the appointment.
///
/// Two are equal when they repeat in the same way: the zone is left out, since the CRM has no column for it.
#[derive(Debug, Clone, Eq)]
pub struct Recurrence {
    pub pattern: Pattern,
    /// Every `interval`-th day, week, month or year; at least 1.
    pub interval: u32,
    pub end: End,
    /// The IANA name of the zone whose calendar the pattern speaks of: the user's.
    pub zone: String,
}

impl Recurrence {
    fn way(&self) -> (&Pattern, u32, &End) {
        (&self.pattern, self.interval, &self.end)
    }
}

impl PartialEq for Recurrence {
    fn eq(&self, other: &Self) -> bool {
        self.way() == other.way()
    }
}

impl Ord for Recurrence {
    fn cmp(&self, other: &Self) -> Ordering {
        self.way().cmp(&other.way())
    }
}

impl PartialOrd for Recurrence {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Which days a series falls on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    Daily,
    /// On these days of every n-th week; `first` is the day a week starts with (it matters from interval 2 on).
    Weekly {
        days: Days,
        first: Day,
    },
    /// On this day of the month, 1 to 31; in shorter months on their last day.
    Monthly {
        day: u8,
    },
    /// On the n-th of these days of the month.
    MonthlyNth {
        days: Days,
        instance: Instance,
    },
    /// On this day of a month, at most as many as it ever has; on 28 February for the 29th of other years.
    Yearly {
        month: u8,
        day: u8,
    },
    YearlyNth {
        month: u8,
        days: Days,
        instance: Instance,
    },
}

/// A set of week days, never empty.
pub type Days = BTreeSet<Day>;

/// A day of the week, Sunday first as in `daysofweekmask`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u8);

impl Day {
    pub fn of(weekday: Weekday) -> Self {
        Self(u8::try_from(weekday.to_sunday_zero_offset()).unwrap_or_default())
    }

    pub fn weekday(self) -> Weekday {
        Weekday::from_sunday_zero_offset(i8::try_from(self.0).unwrap_or_default())
            .unwrap_or(Weekday::Sunday)
    }

    /// The bit of `daysofweekmask`: Sunday 1 to Saturday 64.
    pub fn mask(self) -> i64 {
        1 << self.0
    }

    /// The days of a `daysofweekmask`.
    pub fn from_mask(mask: i64) -> Days {
        (0..7).map(Self).filter(|day| mask & day.mask() != 0).collect()
    }
}

/// Which of the matching days of a month (`instance`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instance {
    First = 1,
    Second = 2,
    Third = 3,
    Fourth = 4,
    Last = 5,
}

impl Instance {
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::First, Self::Second, Self::Third, Self::Fourth, Self::Last]
            .into_iter()
            .find(|instance| instance.number() == number)
    }

    pub fn number(self) -> i64 {
        self as i64
    }
}

/// When a series ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Never,
    /// After this many occurrences, at least 1.
    Count(u32),
    /// With the last occurrence that starts on or before this day of the series' zone.
    Until(Date),
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = |days: &Days| {
            days.iter().map(|day| format!("{:?}", day.weekday())).collect::<Vec<_>>().join(", ")
        };
        write!(f, "every {} ", self.interval)?;
        match &self.pattern {
            Pattern::Daily => write!(f, "day(s)"),
            Pattern::Weekly { days: on, .. } => write!(f, "week(s) on {}", days(on)),
            Pattern::Monthly { day } => write!(f, "month(s) on day {day}"),
            Pattern::MonthlyNth { days: on, instance } => {
                write!(f, "month(s) on the {instance:?} {}", days(on))
            }
            Pattern::Yearly { month, day } => write!(f, "year(s) on {month:02}-{day:02}"),
            Pattern::YearlyNth { month, days: on, instance } => {
                write!(f, "year(s) in month {month} on the {instance:?} {}", days(on))
            }
        }?;
        match &self.end {
            End::Never => Ok(()),
            End::Count(count) => write!(f, ", {count} times"),
            End::Until(date) => write!(f, ", until {date}"),
        }
    }
}
