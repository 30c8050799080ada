//! Why a round begins. A trigger holds one cause: however many come while a round runs, one more round follows.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// It was time.
    Timer,
    /// The mailbox may have changed.
    Mailbox,
    /// The network came back, or the computer woke up.
    Network,
    /// A person did something: also what waits for a person is tried.
    Command,
}

impl Cause {
    /// As it stands in the history of rounds.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Timer => "timer",
            Self::Mailbox => "mailbox",
            Self::Network => "network",
            Self::Command => "command",
        }
    }
}

/// Room for one cause.
#[derive(Debug, Default)]
pub(super) struct Trigger {
    cause: Mutex<Option<Cause>>,
    pulled: Notify,
}

impl Trigger {
    /// Something happened. The strongest cause stays.
    pub(super) fn pull(&self, cause: Cause) {
        let mut waiting = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = (*waiting).max(Some(cause));
        self.pulled.notify_one();
    }

    /// Waits for at least this cause, and takes it. A weaker one stays until a stronger one comes.
    pub(super) async fn wait(&self, least: Cause) -> Cause {
        loop {
            if let Some(cause) = self.take(least) {
                return cause;
            }
            self.pulled.notified().await;
        }
    }

    fn take(&self, least: Cause) -> Option<Cause> {
        let mut waiting = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.take_if(|cause| *cause >= least)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one_round_with_the_strongest_cause() {
        let trigger = Trigger::default();
        for cause in [Cause::Mailbox, Cause::Command, Cause::Timer] {
            trigger.pull(cause);
        }
        assert_eq!(trigger.wait(Cause::Timer).await, Cause::Command);
        let again = timeout(Duration::from_mins(1), trigger.wait(Cause::Timer)).await;
        assert!(again.is_err(), "one burst led to two rounds");
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_for_a_person_is_not_tried_for_less() {
        let trigger = Trigger::default();
        trigger.pull(Cause::Mailbox);
        let early = timeout(Duration::from_mins(1), trigger.wait(Cause::Command)).await;
        assert!(early.is_err());
        trigger.pull(Cause::Command);
        assert_eq!(trigger.wait(Cause::Command).await, Cause::Command);
    }
}
