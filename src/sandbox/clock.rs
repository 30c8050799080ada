//! The one door to time, and the text in which moments are stored. Moments are whole seconds since
//! 1970, in UTC.

use jiff::Timestamp;
use jiff::civil::Date;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Where the organisation takes the time from.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `seconds` until it is moved; clones move together.
    pub fn manual(seconds: i64) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(seconds))))
    }

    /// Seconds since 1970.
    #[allow(
        clippy::disallowed_methods,
        reason = "the sandbox is another program in spirit: this is its own door to time"
    )]
    pub fn now(&self) -> i64 {
        match &self.0 {
            Source::System => Timestamp::now().as_second(),
            Source::Manual(seconds) => seconds.load(Ordering::Relaxed),
        }
    }

    /// Moves a manual clock; the machine's clock stays as it is.
    pub fn advance(&self, seconds: i64) {
        match &self.0 {
            Source::System => {}
            Source::Manual(now) => {
                now.fetch_add(seconds, Ordering::Relaxed);
            }
        }
    }
}

/// `2026-01-02T10:00:00Z`. Moments outside jiff's range become the nearest end of it.
pub fn text(seconds: i64) -> String {
    let moment = Timestamp::from_second(seconds).unwrap_or(if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    });
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Seconds of an `Edm.DateTimeOffset`, or of a bare day taken as its midnight in UTC; fractions are
/// dropped.
pub fn seconds(text: &str) -> Option<i64> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment.as_second());
    }
    text.parse::<Date>()
        .ok()
        .filter(|_| text.len() == 10)?
        .in_tz("UTC")
        .ok()
        .map(|day| day.timestamp().as_second())
}

/// `1980-02-03`, of a day or of a moment's day in UTC.
pub fn day(text: &str) -> Option<String> {
    let date = match text.parse::<Date>() {
        Ok(date) if text.len() == 10 => date,
        _ => Timestamp::from_second(seconds(text)?).ok()?.in_tz("UTC").ok()?.date(),
    };
    Some(date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_normalised_to_seconds_in_utc() {
        assert_eq!(
            seconds("2026-01-02T11:00:00.9+01:00").map(text).as_deref(),
            Some("2026-01-02T10:00:00Z")
        );
        assert_eq!(seconds("2026-01-02").map(text).as_deref(), Some("2026-01-02T00:00:00Z"));
        assert_eq!(seconds("2026-01-02T11:00:00"), None);
        assert_eq!(day("1980-02-03").as_deref(), Some("1980-02-03"));
        assert_eq!(day("1980-02-03T23:00:00Z").as_deref(), Some("1980-02-03"));
        assert_eq!(day("soon"), None);
    }
}
