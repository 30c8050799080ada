//! Opens what rounds need, lets every class work, and begins anew when something changed that all of them rest on.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::facts::Beat;
use super::hall::Hall;
use super::house::{Kind, Rooms, Stale, Trouble};
use super::pace::Pace;
use super::trigger::Cause;
use super::{network, worker};
use crate::sync::stop::Stop;

/// What is written is finished within this.
pub(super) const FINISH: Duration = Duration::from_secs(30);

/// How often everything is opened anew: rights, filters and lengths of the organisation change.
const RENEW: Duration = Duration::from_hours(1);

/// How often it is tried again while nothing can be opened, before the interval of the settings is known.
const AGAIN: Duration = Duration::from_mins(5);

/// Rounds until the service ends.
pub(super) async fn keep(hall: Arc<Hall>) {
    let mut pace = Pace::new(AGAIN);
    while !hall.ending.is_cancelled() {
        match hall.house.open(hall.tell()).await {
            Ok(rooms) => {
                pace = Pace::new(AGAIN);
                hall.troubled(None);
                let stop = rooms.engine.stop.clone();
                let mut work = begin(&hall, &rooms);
                tokio::select! {
                    () = hall.reopened() => {}
                    () = hall.ending.cancelled() => {}
                    () = sleep(RENEW) => {}
                }
                end(&mut work, &stop).await;
            }
            Err(trouble) => wait(&hall, trouble, &mut pace).await,
        }
    }
}

/// Lets every class work, and catch up with what was entered while the organisation was away.
fn begin(hall: &Arc<Hall>, rooms: &Rooms) -> Work {
    hall.learn(|facts| {
        facts.classes = rooms.classes.iter().map(|class| (*class, Beat::default())).collect();
    });
    let mut work = Work { rounds: JoinSet::new(), beside: JoinSet::new() };
    for class in &rooms.classes {
        work.rounds.spawn(worker::work(Arc::clone(hall), *class, rooms.clone()));
        work.beside.spawn(worker::watch(Arc::clone(hall), *class, rooms.engine.clone()));
    }
    work.beside.spawn(catch_up(Arc::clone(hall), rooms.interval));
    work.beside.spawn(listen(Arc::clone(hall)));
    work
}

struct Work {
    rounds: JoinSet<()>,
    /// What may be dropped at any moment.
    beside: JoinSet<()>,
}

/// What is being written is finished, nothing else.
async fn end(work: &mut Work, stop: &Stop) {
    work.beside.abort_all();
    stop.order();
    if timeout(FINISH, stop.ended()).await.is_err() {
        tracing::warn!(
            "a write took too long to be waited for; what came of it is looked at later"
        );
    }
    work.rounds.shutdown().await;
}

/// Nothing can be opened: tells why, and waits until that may have changed.
async fn wait(hall: &Hall, trouble: Trouble, pace: &mut Pace) {
    tracing::warn!(kind = ?trouble.kind, "no round can begin");
    let next = pace.after(Some(&trouble), hall.clock.chance());
    let kind = trouble.kind;
    let woken = async {
        match kind {
            Kind::Later(None) => network::changed(&hall.clock).await,
            _ => std::future::pending().await,
        }
    };
    hall.troubled(Some(trouble));
    hall.refresh(Stale::All).await;
    tokio::select! {
        () = hall.reopened() => {}
        () = hall.ending.cancelled() => {}
        () = woken => {}
        () = sleep(next.pause) => {}
    }
}

/// Sends what was entered while the organisation was away.
async fn catch_up(hall: Arc<Hall>, interval: Duration) {
    let mut pace = Pace::new(interval);
    let mut facts = hall.facts();
    loop {
        let waits = facts.wait_for(|facts| facts.survey.outbox && !facts.survey.offline).await;
        if waits.map(drop).is_err() {
            return;
        }
        let trouble = hall.house.catch_up().await.err();
        hall.refresh(Stale::All).await;
        sleep(pace.after(trouble.as_ref(), hall.clock.chance()).pause).await;
    }
}

/// Lets every class look when the network came back or the computer woke up.
async fn listen(hall: Arc<Hall>) {
    loop {
        network::changed(&hall.clock).await;
        hall.pull_all(Cause::Network);
    }
}
