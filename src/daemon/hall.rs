//! What all parts of the running service share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::facts::{Beat, Facts, Pause};
use super::gate::Gate;
use super::house::{House, Stale, Survey, Tell, Trouble};
use super::trigger::{Cause, Trigger};
use crate::clock::Clock;
use crate::ipc::wire::Status;
use crate::model::Class;

/// No round is that long without the smallest progress: every call of a server has a time limit.
const STALLED: Duration = Duration::from_mins(20);

/// See the module.
pub(super) struct Hall {
    pub(super) house: Arc<dyn House>,
    pub(super) clock: Clock,
    pub(super) gate: Gate,
    /// The service ends.
    pub(super) ending: CancellationToken,
    facts: watch::Sender<Facts>,
    /// One look at what is stored at a time: an earlier one must not be told after a later one.
    looking: tokio::sync::Mutex<()>,
    triggers: BTreeMap<Class, Trigger>,
    reopen: Notify,
    /// When the round of a class last made progress.
    pulse: Mutex<BTreeMap<Class, Duration>>,
}

impl std::fmt::Debug for Hall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hall").finish_non_exhaustive()
    }
}

impl Hall {
    pub(super) fn new(house: Arc<dyn House>, clock: Clock, gate: Gate) -> Self {
        let (facts, _) = watch::channel(Facts::new(clock.now()));
        Self {
            house,
            clock,
            gate,
            ending: CancellationToken::new(),
            facts,
            looking: tokio::sync::Mutex::default(),
            triggers: Class::ALL.into_iter().map(|class| (class, Trigger::default())).collect(),
            reopen: Notify::new(),
            pulse: Mutex::new(BTreeMap::new()),
        }
    }

    /// Something happened that concerns all classes.
    pub(super) fn pull_all(&self, cause: Cause) {
        for trigger in self.triggers.values() {
            trigger.pull(cause);
        }
    }

    /// Something happened that concerns one class.
    pub(super) fn pull(&self, class: Class, cause: Cause) {
        if let Some(trigger) = self.triggers.get(&class) {
            trigger.pull(cause);
        }
    }

    /// Waits for at least this cause.
    pub(super) async fn triggered(&self, class: Class, least: Cause) -> Cause {
        match self.triggers.get(&class) {
            Some(trigger) => trigger.wait(least).await,
            None => std::future::pending().await,
        }
    }

    /// Everything is to be opened anew.
    pub(super) fn reopen(&self) {
        self.reopen.notify_one();
    }

    /// Returns when everything is to be opened anew.
    pub(super) async fn reopened(&self) {
        self.reopen.notified().await;
    }

    /// What is known, and whatever becomes known.
    pub(super) fn facts(&self) -> watch::Receiver<Facts> {
        self.facts.subscribe()
    }

    /// How things stand.
    pub(super) fn status(&self) -> Status {
        self.facts.borrow().status(self.clock.now())
    }

    /// Whether nothing could be opened: no class works.
    pub(super) fn is_closed(&self) -> bool {
        self.facts.borrow().trouble.is_some()
    }

    /// Learns something.
    pub(super) fn learn(&self, change: impl FnOnce(&mut Facts)) {
        self.facts.send_modify(change);
    }

    /// A round of a class begins.
    pub(super) fn begin(&self, class: Class) {
        self.beat(class);
        self.learn(|facts| facts.classes.entry(class).or_default().syncing = true);
    }

    /// A round of a class is over.
    pub(super) fn end(&self, class: Class, beat: Beat) {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner).remove(&class);
        self.learn(|facts| {
            facts.classes.insert(class, beat);
        });
    }

    fn beat(&self, class: Class) {
        let now = self.clock.monotonic();
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner).insert(class, now);
    }

    /// What rounds tell their progress to.
    pub(super) fn tell(self: &Arc<Self>) -> Tell {
        let hall = Arc::downgrade(self);
        Arc::new(move |progress| {
            if let Some(hall) = hall.upgrade() {
                hall.beat(progress.class());
            }
        })
    }

    /// Whether a round stands still.
    pub(super) fn is_stalled(&self) -> bool {
        let now = self.clock.monotonic();
        let pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        pulse.values().any(|last| now.saturating_sub(*last) > STALLED)
    }

    /// Looks again at what is stored.
    pub(super) async fn refresh(&self, stale: Stale) {
        let _looking = self.looking.lock().await;
        match self.house.survey(stale).await {
            Ok(survey) => {
                self.facts.send_if_modified(|facts| {
                    let changed = facts.survey != survey;
                    facts.survey = survey;
                    changed
                });
            }
            Err(trouble) => self.learn(|facts| {
                facts.survey = Survey::default();
                facts.trouble.get_or_insert(trouble);
            }),
        }
    }

    /// Returns when rounds may begin.
    pub(super) async fn unpaused(&self) {
        let mut facts = self.facts();
        loop {
            let pause = facts.borrow_and_update().paused;
            let left = match pause {
                None => return,
                Some(Pause::UntilResume) => Duration::MAX,
                Some(Pause::Until(end)) => {
                    match Duration::try_from(end.duration_since(self.clock.now())) {
                        Ok(left) if !left.is_zero() => left,
                        _ => return self.learn(|facts| facts.paused = None),
                    }
                }
            };
            // That the channel closes cannot be: this holds the other end.
            drop(tokio::time::timeout(left, facts.changed()).await);
        }
    }

    /// Why nothing can be opened, or that it can.
    pub(super) fn troubled(&self, trouble: Option<Trouble>) {
        self.learn(|facts| facts.trouble = trouble);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};

    use async_trait::async_trait;

    use super::super::house::{Front, Order, Rooms};
    use super::*;
    use crate::ipc::wire;

    /// Takes the longer to look the earlier it is asked.
    #[derive(Default)]
    struct Slow(AtomicU64);

    #[async_trait]
    impl House for Slow {
        async fn take_over(&self) -> Result<(), Trouble> {
            Ok(())
        }

        async fn open(&self, _tell: Tell) -> Result<Rooms, Trouble> {
            std::future::pending().await
        }

        async fn survey(&self, _stale: Stale) -> Result<Survey, Trouble> {
            let number = self.0.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(10 - number)).await;
            Ok(Survey { mailbox: Some(number.to_string()), ..Survey::default() })
        }

        async fn catch_up(&self) -> Result<(), Trouble> {
            Ok(())
        }

        async fn run(&self, _: Order, _: Arc<dyn Front>) -> Result<wire::Answer, wire::Failed> {
            std::future::pending().await
        }

        fn file(&self) -> &Path {
            Path::new("")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_seen_earlier_is_never_told_after_what_was_seen_later() {
        let hall = Hall::new(Arc::new(Slow::default()), Clock::system(), Gate::default());
        let looks = (0..4).map(|_| hall.refresh(Stale::Nothing));
        futures_util::future::join_all(looks).await;
        assert_eq!(hall.status().mailbox.as_deref(), Some("3"));
    }
}
