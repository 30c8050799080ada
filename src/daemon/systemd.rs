//! What the service manager is told: that the service is ready, how things stand, and that it is alive. Without one, nothing.

use std::sync::Arc;

#[cfg(target_os = "linux")]
use sd_notify::NotifyState;

use super::hall::Hall;

/// Rounds are about to begin, and the socket is there.
pub(super) fn ready() {
    #[cfg(target_os = "linux")]
    notify(&[NotifyState::Ready]);
}

/// The service ends.
pub(super) fn stopping() {
    #[cfg(target_os = "linux")]
    notify(&[NotifyState::Stopping]);
}

/// Tells how things stand, whenever that changes.
pub(super) async fn tell(hall: Arc<Hall>) {
    let mut facts = hall.facts();
    let mut last = String::new();
    loop {
        let sentence = facts.borrow_and_update().status(hall.clock.now()).sentence;
        if sentence != last {
            #[cfg(target_os = "linux")]
            notify(&[NotifyState::Status(&sentence)]);
            last = sentence;
        }
        if facts.changed().await.is_err() {
            return;
        }
    }
}

/// Says that the service is alive, as long as no round stands still. The service manager starts it again when that is not said.
#[cfg(target_os = "linux")]
pub(super) async fn watchdog(hall: Arc<Hall>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    loop {
        if hall.is_stalled() {
            tracing::error!(
                "a round stands still: the service manager is not told that all is well"
            );
        } else {
            notify(&[NotifyState::Watchdog]);
        }
        tokio::time::sleep(limit / 3).await;
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) async fn watchdog(_hall: Arc<Hall>) {}

#[cfg(target_os = "linux")]
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
