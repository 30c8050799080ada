//! Service protection: requests of each user in a sliding window of five minutes, and counters of
//! everything that was asked.

use crate::sandbox::refusal::Refusal;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, VecDeque};

/// The window, in seconds.
const WINDOW: i64 = 300;

/// The budget and what was used of it.
#[derive(Debug, Default)]
pub struct Limits {
    /// Requests a user may send in the window; `None` is no limit.
    budget: Option<u32>,
    recent: BTreeMap<String, VecDeque<i64>>,
    counts: BTreeMap<String, Counts>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    plain: u64,
    batch: u64,
    operations: u64,
    throttled: u64,
    failed: u64,
}

/// A request over the budget, and when to come back.
#[derive(Debug)]
pub struct Throttled {
    pub refusal: Refusal,
    /// Seconds.
    pub retry_after: i64,
}

impl Limits {
    /// With that budget.
    pub fn new(budget: Option<u32>) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Changes the budget.
    pub fn set_budget(&mut self, budget: Option<u32>) {
        self.budget = budget;
    }

    /// Takes one request off the user's budget; says what remains.
    pub fn admit(&mut self, user: &str, now: i64) -> Result<Option<u32>, Throttled> {
        let Some(budget) = self.budget else { return Ok(None) };
        let recent = self.recent.entry(user.to_owned()).or_default();
        while recent.front().is_some_and(|at| *at <= now - WINDOW) {
            recent.pop_front();
        }
        let spent = u32::try_from(recent.len()).unwrap_or(u32::MAX);
        if spent >= budget {
            let oldest = recent.front().copied().unwrap_or(now);
            self.counts.entry(user.to_owned()).or_default().throttled += 1;
            let message = format!(
                "Number of requests exceeded the limit of {budget} over time window of {WINDOW} seconds."
            );
            let refusal = Refusal::new(429, "0x80072322", message);
            return Err(Throttled { refusal, retry_after: (oldest + WINDOW - now).max(1) });
        }
        recent.push_back(now);
        Ok(Some(budget - spent - 1))
    }

    /// Counts a request and the operations that it carried.
    pub fn count(&mut self, user: &str, batch: bool, operations: usize) {
        let counts = self.counts.entry(user.to_owned()).or_default();
        if batch {
            counts.batch += 1;
            counts.operations += u64::try_from(operations).unwrap_or(u64::MAX);
        } else {
            counts.plain += 1;
        }
    }

    /// Counts a request that a fault took the place of.
    pub fn count_fault(&mut self, user: &str) {
        self.counts.entry(user.to_owned()).or_default().failed += 1;
    }

    /// All counters by user, and their sum.
    pub fn report(&self) -> Json {
        let row = |counts: &Counts| {
            json!({
                "plain": counts.plain,
                "batch": counts.batch,
                "operations": counts.operations,
                "throttled": counts.throttled,
                "faults": counts.failed,
                "requests": counts.plain + counts.batch,
            })
        };
        let total = self.counts.values().fold(Counts::default(), |sum, counts| Counts {
            plain: sum.plain + counts.plain,
            batch: sum.batch + counts.batch,
            operations: sum.operations + counts.operations,
            throttled: sum.throttled + counts.throttled,
            failed: sum.failed + counts.failed,
        });
        let users: BTreeMap<&String, Json> =
            self.counts.iter().map(|(name, counts)| (name, row(counts))).collect();
        json!({"users": users, "total": row(&total)})
    }

    /// Starts counting from nothing.
    pub fn reset(&mut self) {
        self.counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let mut limits = Limits::new(Some(2));
        assert_eq!(limits.admit("anna", 0).unwrap(), Some(1));
        assert_eq!(limits.admit("anna", 100).unwrap(), Some(0));
        let throttled = limits.admit("anna", 200).unwrap_err();
        assert_eq!((throttled.retry_after, throttled.refusal.code), (100, "0x80072322"));
        assert!(limits.admit("bo", 200).is_ok());
        assert!(limits.admit("anna", 300).is_ok());
    }
}
