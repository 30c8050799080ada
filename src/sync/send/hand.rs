//! Handing mails in, one after the other. Each is on the disk as leaving before its first byte leaves, and what came of it is
//! before anything else happens.

use std::time::Duration;

use super::decide::Step;
use super::{Job, Round, due};
use crate::connector::outgoing::Stage;
use crate::connector::smtp::{Outcome, Phase, Reply, Submission};
use crate::connector::{Error, ErrorKind, Retry};
use crate::model::Address;
use crate::store;
use crate::store::outgoing::{self, Mail};

/// After this many attempts a mail is given up: within a day, by the pauses between them.
const ATTEMPTS: u32 = 12;

/// The first pause, which doubles, and the longest.
const PAUSE: Duration = Duration::from_mins(5);
const LONGEST: Duration = Duration::from_hours(4);

/// What came of an attempt.
enum Came {
    Sent,
    Refused(String),
    Later(String, Duration),
    /// It is not the mail's fault: the server does not talk to us at all.
    Closed(Error),
    Unknown(String),
}

impl Round<'_> {
    pub(super) async fn submit(&mut self, jobs: &mut [Job]) -> store::Result<()> {
        for job in due(jobs, self.engine, Step::Submit) {
            let Some(mail) = job.stored.clone() else { continue };
            // Mails go out one by one, and each takes its time.
            if let Some(failure) = self.engine.prove().await {
                self.trouble.get_or_insert(failure);
                return Ok(());
            }
            if !self.submit_one(&mail).await? {
                return Ok(());
            }
            self.refresh(job).await?;
            job.found = super::Found::Unasked;
            // Its record is listed as taken, whatever it was when the round began.
            job.stage = Stage::Sending;
            let is_ready =
                job.stored.as_ref().is_some_and(|mail| mail.state == super::State::Ready);
            job.stuck = is_ready;
        }
        Ok(())
    }

    /// Whether the server is there for the next one.
    async fn submit_one(&mut self, mail: &Mail) -> store::Result<bool> {
        let id = mail.id;
        let message = self.engine.store.read(move |db| outgoing::message(db, id)).await?;
        let now = self.engine.clock.now();
        self.keep(move |tx| outgoing::begin(tx, id, now)).await?;
        let submission = Submission {
            from: mail.sender.clone(),
            to: mail.recipients.clone(),
            message,
            partial: false,
        };
        let outcome = self.sending.courier.submit(&submission).await;
        let now = self.engine.clock.now();
        let came = judge(outcome, mail.attempts.saturating_add(1));
        tracing::debug!(mail = id.0, came = came.word(), "submitted");
        match came {
            Came::Sent => {
                self.keep(move |tx| outgoing::sent(tx, id, "", now)).await?;
                self.outgoing.sent += 1;
            }
            Came::Refused(reason) => {
                self.keep(move |tx| outgoing::refused(tx, id, &reason, now)).await?;
                self.outgoing.failed += 1;
            }
            Came::Later(reason, pause) => {
                let due = now.checked_add(pause).unwrap_or(now);
                self.keep(move |tx| outgoing::postpone(tx, id, (&reason, due), true, now)).await?;
            }
            Came::Closed(error) => {
                self.note(&error);
                let reason = error.to_string();
                self.keep(move |tx| outgoing::postpone(tx, id, (&reason, now), false, now)).await?;
                return Ok(false);
            }
            Came::Unknown(reason) => {
                self.keep(move |tx| outgoing::unknown(tx, id, &reason, now)).await?;
            }
        }
        Ok(true)
    }
}

impl Came {
    fn word(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused(_) => "refused",
            Self::Later(..) => "later",
            Self::Closed(_) => "closed",
            Self::Unknown(_) => "unknown",
        }
    }
}

fn judge(outcome: Outcome, attempt: u32) -> Came {
    match outcome {
        Outcome::Sent { .. } => Came::Sent,
        Outcome::Unknown { why, .. } => Came::Unknown(why.to_string()),
        Outcome::Refused { phase, permanent, why, recipients } => {
            let closed = matches!(phase, Phase::Connect | Phase::SignIn)
                || why.kind == ErrorKind::Unauthorised;
            if closed {
                return Came::Closed(why);
            }
            let reason = reason(&why, &recipients);
            if permanent {
                Came::Refused(reason)
            } else if attempt >= ATTEMPTS {
                Came::Refused(format!("given up after {attempt} attempts: {reason}"))
            } else {
                Came::Later(reason, pause(&why, attempt))
            }
        }
    }
}

fn reason(why: &Error, recipients: &[(Address, Reply)]) -> String {
    if recipients.is_empty() {
        return why.to_string();
    }
    let refused: Vec<String> =
        recipients.iter().map(|(address, reply)| format!("{address} ({reply})")).collect();
    format!("nobody got it, because these were refused: {}", refused.join(", "))
}

fn pause(why: &Error, attempt: u32) -> Duration {
    let doubled = 2_u32
        .checked_pow(attempt.saturating_sub(1))
        .map_or(LONGEST, |times| PAUSE.checked_mul(times).unwrap_or(LONGEST));
    let asked = match why.kind.retry() {
        Retry::After(pause) => pause,
        Retry::Replan | Retry::Backoff | Retry::Never => Duration::ZERO,
    };
    doubled.min(LONGEST).max(asked)
}
