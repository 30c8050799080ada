//! Waiting until something happens in the inbox: `IDLE` (RFC 2177) on a connection of its own, which stays where it is between
//! two waits, so that nothing in between is missed. What happened is for others to find out.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::response::{Condition, Response};
use super::session::Session;
use crate::clock::Clock;
use crate::connector::Result;

/// An `IDLE` is begun anew this often. Servers may end it after 30 minutes; routers forget a silent connection much sooner.
const RENEW: Duration = Duration::from_mins(9);

/// How often the clock on the wall is looked at.
const GLANCE: Duration = Duration::from_mins(1);

/// The machine was asleep if its wall clock went on this much longer than we waited.
const ASLEEP: Duration = Duration::from_secs(30);

/// How long to wait where the server cannot tell.
const PAUSE: Duration = Duration::from_mins(2);

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// Something happened, or may have.
    ByNews,
    /// The machine was asleep: the connection is not to be trusted any more.
    BySleep,
}

/// Waits until the server says that something is new.
///
/// # Errors
/// When the connection is lost, or the server refuses.
pub(super) async fn wait(session: &mut Session, clock: &Clock) -> Result<Woken> {
    if !session.capabilities.has("IDLE") {
        tokio::time::sleep(PAUSE).await;
        return Ok(Woken::ByNews);
    }
    loop {
        let tag = session.send("IDLE").await?;
        // What happened since the last wait is told before leave is given, or with it.
        let mut is_news = false;
        loop {
            match session.hear().await? {
                Response::Continue(_) => break,
                Response::Tagged { status, .. } => return Err(status.refusal("wait for news")),
                response => is_news |= matters(&response),
            }
        }
        let woken = if is_news { Some(Woken::ByNews) } else { listen(session, clock).await? };
        if woken == Some(Woken::BySleep) {
            return Ok(Woken::BySleep);
        }
        session.say("DONE").await?;
        let mut late = false;
        session.finish(&tag, "wait for news", |response| late |= matters(&response)).await?;
        if woken.is_some() || late {
            return Ok(Woken::ByNews);
        }
    }
}

/// Listens until there is news, or it is time to begin anew.
async fn listen(session: &mut Session, clock: &Clock) -> Result<Option<Woken>> {
    let renew = Instant::now() + RENEW;
    loop {
        let (wall, began) = (clock.now(), Instant::now());
        let until = renew.min(began + GLANCE);
        match timeout_at(until, session.hear_patiently()).await {
            Ok(Ok(response)) if matters(&response) => return Ok(Some(Woken::ByNews)),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let passed =
                    Duration::try_from(clock.now().duration_since(wall)).unwrap_or_default();
                if was_asleep(passed, began.elapsed()) {
                    return Ok(Some(Woken::BySleep));
                }
                if Instant::now() >= renew {
                    return Ok(None);
                }
            }
        }
    }
}

/// Whether the machine slept, by how far the clock on the wall went on and how long we know that we waited. A wall clock that is put
/// back, or forward by little, says nothing.
fn was_asleep(wall: Duration, waited: Duration) -> bool {
    wall > waited.saturating_add(ASLEEP)
}

/// How long to let the server rest before another connection, after so many in a row that came to nothing. The first one that
/// breaks is made anew at once: most often only this connection was cut.
pub(super) fn rest(failures: u32) -> Duration {
    const FIRST: Duration = Duration::from_secs(5);
    const LONGEST: Duration = Duration::from_mins(5);
    match failures {
        0 | 1 => Duration::ZERO,
        more => FIRST.saturating_mul(2_u32.saturating_pow(more - 2)).min(LONGEST),
    }
}

/// Whether something may be new. `* OK Still here` is not.
fn matters(response: &Response) -> bool {
    match response {
        Response::Numbered { name, .. } => ["EXISTS", "EXPUNGE", "FETCH"].contains(&name.as_str()),
        Response::Data { name, .. } => name == "VANISHED" || name == "STATUS",
        Response::Status(status) => status.condition == Condition::Bye,
        Response::Continue(_) | Response::Tagged { .. } | Response::Broken(_) => false,
    }
}
