//! An order to stop: what is being written is finished, nothing more is begun, and looking ends at once.

use std::sync::Arc;

use tokio::sync::watch;

use super::Engine;
use super::report::{Failure, Obstacle};

/// Given once, and never taken back. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<watch::Sender<State>>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    ordered: bool,
    /// How many rounds go on.
    rounds: usize,
    /// How many are writing.
    writing: usize,
}

/// Somebody writes as long as it lives.
#[derive(Debug)]
pub(super) struct Hand<'a>(&'a Stop);

/// A round goes on as long as it lives.
#[derive(Debug)]
pub(super) struct Going<'a>(&'a Stop);

impl Stop {
    /// No batch is begun any more.
    pub fn order(&self) {
        self.0.send_modify(|state| state.ordered = true);
    }

    pub fn is_ordered(&self) -> bool {
        self.0.borrow().ordered
    }

    /// Returns once it is ordered and no round goes on.
    pub async fn ended(&self) {
        self.reached(|state| state.ordered && state.rounds == 0).await;
    }

    pub(super) fn go(&self) -> Going<'_> {
        self.0.send_modify(|state| state.rounds += 1);
        Going(self)
    }

    pub(super) fn write(&self) -> Hand<'_> {
        self.0.send_modify(|state| state.writing += 1);
        Hand(self)
    }

    /// Returns once it is ordered and nobody writes.
    pub(super) async fn idle(&self) {
        self.reached(|state| state.ordered && state.writing == 0).await;
    }

    async fn reached(&self, goal: impl FnMut(&State) -> bool) {
        // It fails when the other end is gone, which this is.
        drop(self.0.subscribe().wait_for(goal).await);
    }
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.rounds = state.rounds.saturating_sub(1));
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.writing = state.writing.saturating_sub(1));
    }
}

impl Engine {
    /// Why nothing more may be begun.
    pub(super) fn stopping(&self) -> Option<Failure> {
        self.stop.is_ordered().then(|| Failure {
            message: "it was told to stop".to_owned(),
            hint: Some("the next round goes on where this one ended".to_owned()),
            kind: Obstacle::Later,
            pause: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_idle_once_it_is_ordered_and_nobody_writes() {
        let stop = Stop::default();
        let waits = |stop: Stop| async move { timeout(Duration::from_secs(9), stop.idle()).await };
        assert!(waits(stop.clone()).await.is_err(), "nobody ordered it");
        let hand = stop.write();
        stop.order();
        assert!(waits(stop.clone()).await.is_err(), "somebody writes");
        drop(hand);
        assert!(waits(stop.clone()).await.is_ok());
    }
}
