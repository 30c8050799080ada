//! When the next round of a class begins if nothing happens before. Growing pauses after failures, never less than the other end
//! asked for, and never two installations in the same second.

use std::time::Duration;

use super::house::{Kind, Trouble};
use super::trigger::Cause;

/// The first pause after a failure that passes by itself.
const FIRST: Duration = Duration::from_secs(5);

/// The longest one.
const LONGEST: Duration = Duration::from_mins(15);

/// How often it is tried whether what waited for a person was done without telling.
const FOR_A_PERSON: Duration = Duration::from_hours(1);

/// How often at the least it is tried whether the keyring was unlocked. Looking costs nothing, and asks the person only once.
const UNLOCKED: Duration = Duration::from_secs(30);

/// What share of a pause is left to chance.
const JITTER: f64 = 0.1;

/// The rhythm of one class.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    interval: Duration,
    failures: u32,
}

/// When, and what may come before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) pause: Duration,
    /// What may end the pause early.
    pub(super) least: Cause,
}

impl Pace {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, failures: 0 }
    }

    /// After a round that left something to look at. Growing pauses: two who answer one another have no end.
    pub(super) fn unsettled(&mut self, chance: f64) -> Next {
        Next { pause: jittered(self.grown(), chance), least: Cause::Timer }
    }

    /// The pause after one more round that was not the last.
    fn grown(&mut self) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        FIRST.saturating_mul(factor).min(LONGEST)
    }

    /// After a round. `chance` is between 0 and 1.
    pub(super) fn after(&mut self, trouble: Option<&Trouble>, chance: f64) -> Next {
        let Some(trouble) = trouble else {
            self.failures = 0;
            return Next { pause: jittered(self.interval, chance), least: Cause::Timer };
        };
        let grown = self.grown();
        match trouble.kind {
            // Asked for a pause: not even the network's return ends it.
            Kind::Later(Some(asked)) => {
                let pause = asked + jittered(FIRST.min(asked), chance);
                Next { pause: pause.max(jittered(grown, chance)), least: Cause::Command }
            }
            Kind::Later(None) => Next { pause: jittered(grown, chance), least: Cause::Network },
            Kind::Standby => Next { pause: jittered(self.interval, chance), least: Cause::Timer },
            // A password that is refused again and again locks an account.
            Kind::SignIn | Kind::Configuration => {
                Next { pause: jittered(FOR_A_PERSON, chance), least: Cause::Command }
            }
            Kind::Locked => {
                let pause = jittered(grown, chance).min(UNLOCKED);
                Next { pause, least: Cause::Network }
            }
            Kind::Away => Next { pause: jittered(self.interval, chance), least: Cause::Command },
            Kind::Failed => {
                let pause = jittered(self.interval.max(grown), chance);
                Next { pause, least: Cause::Mailbox }
            }
        }
    }
}

fn jittered(pause: Duration, chance: f64) -> Duration {
    pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(kind: Kind) -> Trouble {
        Trouble { kind, message: String::new(), hint: None }
    }

    #[test]
    fn pauses_grow_up_to_a_limit_and_start_again_after_a_success() {
        let mut pace = Pace::new(Duration::from_mins(5));
        let later = trouble(Kind::Later(None));
        let pauses: Vec<u64> =
            (0..10).map(|_| pace.after(Some(&later), 0.5).pause.as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(pace.after(None, 0.5).pause, Duration::from_mins(5));
        assert_eq!(pace.after(Some(&later), 0.5).pause, FIRST);
    }

    #[test]
    fn what_the_other_end_asks_for_is_the_least() {
        let mut pace = Pace::new(Duration::from_secs(1));
        let asked = Duration::from_mins(7);
        for chance in [0.0, 0.3, 1.0] {
            let next = pace.after(Some(&trouble(Kind::Later(Some(asked)))), chance);
            assert!(next.pause >= asked, "{next:?}");
            assert_eq!(next.least, Cause::Command);
        }
    }

    #[test]
    fn a_refused_password_is_not_tried_again_because_mail_came() {
        let next = Pace::new(Duration::from_mins(5)).after(Some(&trouble(Kind::SignIn)), 0.5);
        assert_eq!(next, Next { pause: FOR_A_PERSON, least: Cause::Command });
    }

    #[test]
    fn a_keyring_is_looked_at_twice_a_minute_at_the_least() {
        let mut pace = Pace::new(Duration::from_mins(5));
        for _ in 0..9 {
            let next = pace.after(Some(&trouble(Kind::Locked)), 1.0);
            assert!(next.pause <= UNLOCKED, "{next:?}");
        }
    }

    #[test]
    fn chance_spreads_by_a_tenth_each_way() {
        let hour = Duration::from_hours(1);
        assert_eq!(jittered(hour, 0.0), Duration::from_mins(54));
        assert_eq!(jittered(hour, 1.0), Duration::from_mins(66));
    }
}
