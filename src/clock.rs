//! The one door to time and randomness.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;

/// Tells the time and makes up what must be unguessable. Tests hand in one that stands still.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

enum Source {
    System {
        started: Instant,
    },
    /// Microseconds since the epoch, moved by hand.
    Manual(AtomicI64),
}

impl Clock {
    /// The time of the machine.
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    pub fn system() -> Self {
        Self(Arc::new(Source::System { started: Instant::now() }))
    }

    /// A clock that only moves by [`Clock::advance`].
    pub fn manual(start: Timestamp) -> Self {
        Self(Arc::new(Source::Manual(AtomicI64::new(start.as_microsecond()))))
    }

    /// The wall clock.
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    pub fn now(&self) -> Timestamp {
        match self.0.as_ref() {
            Source::System { .. } => Timestamp::now(),
            Source::Manual(micros) => Timestamp::from_microsecond(micros.load(Ordering::SeqCst))
                .unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }

    /// Time since some fixed moment that never goes backwards: for measuring.
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    pub fn monotonic(&self) -> Duration {
        match self.0.as_ref() {
            Source::System { started } => Instant::now().duration_since(*started),
            Source::Manual(micros) => Duration::from_micros(
                u64::try_from(micros.load(Ordering::SeqCst)).unwrap_or_default(),
            ),
        }
    }

    /// Time since the machine started, sleep included where the system tells: what a sleep is noticed by.
    pub fn since_boot(&self) -> Duration {
        #[cfg(target_os = "linux")]
        if let Source::System { .. } = self.0.as_ref() {
            let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
            let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
            return Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default());
        }
        self.monotonic()
    }

    /// A number between 0 and 1 that nobody can foresee: to spread what would happen at once.
    pub fn chance(&self) -> f64 {
        let (_, low) = self.unique().as_u64_pair();
        f64::from(u32::try_from(low & u64::from(u32::MAX)).unwrap_or_default())
            / f64::from(u32::MAX)
    }

    /// Moves a manual clock; the machine's own is left alone.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(micros) = self.0.as_ref() {
            micros.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }

    /// A random identity, for what must not be guessed or repeated: request ids, temporary file names.
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    pub fn unique(&self) -> Uuid {
        match self.0.as_ref() {
            Source::System { .. } => Uuid::new_v4(),
            Source::Manual(micros) => {
                Uuid::from_u64_pair(0, micros.fetch_add(1, Ordering::SeqCst).unsigned_abs())
            }
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
