//! The rounds of one class, one after the other, however the others fare.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use super::facts::Beat;
use super::hall::Hall;
use super::house::{Kind, Rooms, Stale, Trouble};
use super::pace::{Next, Pace};
use super::trigger::Cause;
use crate::model::Class;
use crate::store;
use crate::sync::Engine;

/// The least pause between two rounds of a class: what a program writes bit by bit is one round.
const BREATH: Duration = Duration::from_millis(500);

/// After a watch that broke.
const WATCH_AGAIN: Duration = Duration::from_mins(1);

/// Rounds of one class until they are told to stop.
pub(super) async fn work(hall: Arc<Hall>, class: Class, rooms: Rooms) {
    let mut pace = Pace::new(rooms.interval);
    let mut cause = Cause::Timer;
    while !rooms.engine.stop.is_ordered() {
        hall.unpaused().await;
        let next = round(&hall, class, &rooms.engine, &mut pace, cause).await;
        cause = rest(&hall, class, next).await;
    }
}

async fn round(hall: &Hall, class: Class, engine: &Engine, pace: &mut Pace, cause: Cause) -> Next {
    let _pass = hall.gate.beside().await;
    hall.begin(class);
    let (trouble, unsettled, stale) = match whole(engine.sync(&[class], cause.as_str())).await {
        Ok(Ok(report)) => {
            let report = report.classes.get(&class);
            let quiet = report.is_some_and(|report| report.quiet);
            let unsettled = report.is_some_and(|report| report.unsettled);
            let trouble = report.and_then(|report| report.error.as_ref().map(Trouble::of));
            (trouble, unsettled, if quiet { Stale::Nothing } else { Stale::Class(class) })
        }
        Ok(Err(error)) => (Some(of_store(&error)), false, Stale::Class(class)),
        Err(trouble) => (Some(trouble), false, Stale::Class(class)),
    };
    if let Some(trouble) = &trouble {
        tracing::warn!(%class, kind = ?trouble.kind, "a round ended early");
    }
    let chance = hall.clock.chance();
    let next = match &trouble {
        None if unsettled => pace.unsettled(chance),
        trouble => pace.after(trouble.as_ref(), chance),
    };
    hall.refresh(stale).await;
    let next_round = after(hall.clock.now(), next.pause);
    hall.end(class, Beat { syncing: false, looked: true, trouble, next: next_round });
    next
}

/// What comes of a round, or of a command. One that breaks off by a fault of the program is trouble like any other: else its class
/// would stand still, or a client wait for ever.
pub(super) async fn whole<T>(work: impl Future<Output = T>) -> Result<T, Trouble> {
    AssertUnwindSafe(Box::pin(work)).catch_unwind().await.map_err(|_| Trouble {
        kind: Kind::Failed,
        message: "it broke off: this is a fault of Liaison itself".to_owned(),
        hint: Some(
            "please report it, with the file that `liaison doctor --bundle FILE` makes".to_owned(),
        ),
    })
}

/// Waits for the next round.
async fn rest(hall: &Hall, class: Class, next: Next) -> Cause {
    sleep(BREATH.min(next.pause)).await;
    tokio::select! {
        cause = hall.triggered(class, next.least) => cause,
        () = sleep(next.pause.saturating_sub(BREATH)) => Cause::Timer,
    }
}

/// Pulls the trigger of a class whenever its mailbox may have changed.
pub(super) async fn watch(hall: Arc<Hall>, class: Class, engine: Engine) {
    let Some(mailbox) = engine.mailbox.get(&class) else { return };
    loop {
        match mailbox.wait(class).await {
            Ok(()) => hall.pull(class, Cause::Mailbox),
            Err(error) => {
                tracing::debug!(%class, %error, "the mailbox cannot be watched");
                sleep(WATCH_AGAIN).await;
                // What happened meanwhile nobody told.
                hall.pull(class, Cause::Mailbox);
            }
        }
    }
}

fn of_store(error: &store::Error) -> Trouble {
    let kind = match error.kind {
        store::ErrorKind::Busy | store::ErrorKind::Full => Kind::Later(None),
        _ => Kind::Failed,
    };
    Trouble { kind, message: error.to_string(), hint: error.hint().map(str::to_owned) }
}

fn after(now: Timestamp, pause: Duration) -> Option<Timestamp> {
    now.checked_add(SignedDuration::try_from(pause).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_round_that_breaks_off_is_trouble_and_no_end() {
        assert_eq!(whole(async { 7 }).await, Ok(7));
        let trouble = whole(async { assert_eq!(1, 2) }).await.unwrap_err();
        assert_eq!(trouble.kind, Kind::Failed);
    }
}
