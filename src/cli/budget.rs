//! How much may be asked of an organisation in a day, and keeping to it: what a licence allows is counted by the day (UTC) in the
//! store, before each request. When most of it is used, the rest is spread over what is left of the day.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::clock::Clock;
use crate::connector::meter::Meter;
use crate::connector::{Error, ErrorKind, Result};
use crate::store::spent::{self, Spent};
use crate::store::{self, Store};

const DAY: u64 = 86_400;

/// The allowance of one organisation.
#[derive(Debug)]
pub struct Budget {
    store: Store,
    clock: Clock,
    organisation: String,
    limit: AtomicU64,
}

impl Budget {
    /// `organisation` is what it is counted under.
    pub fn new(store: Store, clock: Clock, organisation: String, limit: u64) -> Self {
        Self { store, clock, organisation, limit: AtomicU64::new(limit) }
    }

    /// Sets how many operations a day are allowed.
    pub fn allow(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }
}

#[async_trait]
impl Meter for Budget {
    async fn spend(&self, operations: u64) -> Result<()> {
        let (day, second) = day(self.clock.now());
        let (limit, organisation) = (self.limit.load(Ordering::Relaxed), self.organisation.clone());
        let counted = self.store.write(move |tx| {
            let spent = u64::from(spent::of(tx, &organisation, day)?.operations);
            let pause = pause(limit, spent, operations, second);
            if pause.is_none() {
                let operations = u32::try_from(operations).unwrap_or(u32::MAX);
                spent::add(tx, &organisation, day, operations)?;
            }
            Ok(pause.map(|pause| (spent, pause)))
        });
        match counted.await {
            Ok(None) => Ok(()),
            Ok(Some((spent, pause))) => {
                let message = format!(
                    "{spent} of the {limit} requests of today are used: the rest is spread over the day"
                );
                let hint = "the next sync goes on; a licence that allows more is told by \
                            `requests_per_day` in [organisation.NAME]";
                Err(Error::new(ErrorKind::Throttled(pause), message).hint(hint))
            }
            Err(error) => {
                let message = "what was asked today cannot be counted";
                Err(Error::new(ErrorKind::Local, message).caused_by(error))
            }
        }
    }
}

/// What was asked of an organisation today.
///
/// # Errors
/// When the store is lost.
pub fn today(db: &store::Connection, organisation: &str, now: Timestamp) -> store::Result<Spent> {
    spent::of(db, organisation, day(now).0)
}

/// The day in UTC, and the second of it.
fn day(now: Timestamp) -> (Date, u64) {
    let now = now.to_zoned(TimeZone::UTC);
    let second =
        i64::from(now.hour()) * 3600 + i64::from(now.minute()) * 60 + i64::from(now.second());
    (now.date(), second.unsigned_abs())
}

/// How long to wait before so many operations more: four fifths of the limit may be used at any time, and all of it in step with
/// the day. A day that nothing was asked on begins with whatever it is.
fn pause(limit: u64, spent: u64, operations: u64, second: u64) -> Option<Duration> {
    let wanted = spent.saturating_add(operations);
    let freely = limit / 5 * 4;
    if wanted <= freely || spent == 0 || limit == 0 {
        return None;
    }
    // The moment of the day from which on so much may have been used.
    let from = wanted.saturating_mul(DAY).div_ceil(limit).min(DAY);
    (from > second).then(|| Duration::from_secs(from - second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_spread_over_the_day_and_nothing_goes_beyond_the_limit() {
        let seconds = |spent, operations, second| {
            pause(1000, spent, operations, second).map(|pause| pause.as_secs())
        };
        assert_eq!(seconds(0, 800, 0), None);
        assert_eq!(seconds(700, 100, 0), None);
        assert_eq!(seconds(800, 100, DAY / 2), Some(DAY / 10 * 4));
        assert_eq!(seconds(800, 100, DAY / 10 * 9), None);
        // Beyond the limit: tomorrow.
        assert_eq!(seconds(1000, 1, DAY - 60), Some(60));
        // Nothing could ever be asked where one request is more than a day allows.
        assert_eq!(seconds(0, 5000, 0), None);
        assert_eq!(pause(0, 5, 5, 0), None, "no limit");
    }

    #[tokio::test]
    async fn a_day_is_counted_whoever_asks_and_the_next_begins_anew() {
        let clock = Clock::manual("2026-03-01T23:59:00Z".parse().unwrap());
        let store = Store::in_memory().unwrap();
        let budget = || Budget::new(store.clone(), clock.clone(), "here".to_owned(), 10);
        for operations in [2, 2, 2, 2, 1] {
            budget().spend(operations).await.unwrap();
        }
        let refused = budget().spend(1).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Throttled(Duration::from_mins(1)));
        let of = |now| store.read_blocking(|db| today(db, "here", now)).unwrap();
        assert_eq!(of(clock.now()), Spent { requests: 5, operations: 9 });
        clock.advance(Duration::from_mins(1));
        budget().spend(1).await.unwrap();
        assert_eq!(of(clock.now()), Spent { requests: 1, operations: 1 });
    }
}
