//! Sends the mails that the CRM holds for this user: *Pending Send* there, then handed in by SMTP, then a copy in the mailbox and
//! *Sent*, or *Failed* with a reason, in the CRM. No mail is sent twice, and none is passed over in silence.
//!
//! A mail is frozen with its `Message-ID` before anybody is told of it, and marked as leaving on the disk before its first byte
//! leaves. Whatever ends in between leaves a state from which [`decide()`] knows what is certain. What is not, the mailbox may
//! tell; else a person is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::report::{Failure, Obstacle};
use super::{ClassReport, Engine};
use crate::connector::outgoing::{Courier, Pending, Postbox, Stage, Waiting};
use crate::connector::{self, Connector};
use crate::filter::email::token;
use crate::model::{Class, ItemId, Uid};
use crate::store;
use crate::store::outgoing::{self, Mail, State};

mod after;
pub mod decide;
mod freeze;
mod hand;

use decide::{Facts, Found, Step, decide, must_look};

/// How many mails are read, taken and told of together.
const PORTION: usize = 10;

/// What sends.
#[derive(Clone)]
pub struct Sending {
    pub postbox: Arc<dyn Postbox>,
    pub courier: Arc<dyn Courier>,
    /// How long to wait, after an answer that did not come, for the mail to show up in the mailbox.
    pub patience: Duration,
    /// What mails are given so that answers are known by it; `None` for nothing.
    pub token: Option<token::Form>,
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// What came of mails that the CRM wants sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outgoing {
    pub sent: usize,
    /// Those of which nobody got anything, for good.
    pub failed: usize,
    /// What is left: those that a person is asked about, and those that the next round goes on with.
    pub unknown: usize,
    pub waiting: usize,
}

impl Engine {
    /// Sends what waits, and finishes what was begun.
    ///
    /// # Errors
    /// When the store is lost.
    pub(super) async fn send(&self, total: &mut ClassReport) -> store::Result<()> {
        let Some(sending) = &self.sending else { return Ok(()) };
        let Some(mailbox) = self.mailbox.get(&Class::Email) else { return Ok(()) };
        let mut round = Round {
            engine: self,
            sending,
            mailbox: mailbox.as_ref(),
            strangers: false,
            place: None,
            outgoing: Outgoing::default(),
            trouble: None,
        };
        round.run().await?;
        let (unknown, waiting) = self.store.read(outgoing::waiting).await?;
        total.outgoing = Outgoing { unknown, waiting, ..round.outgoing };
        if let Some(trouble) = round.trouble {
            total.error.get_or_insert(trouble);
        }
        Ok(())
    }
}

/// One round of sending.
struct Round<'a> {
    engine: &'a Engine,
    sending: &'a Sending,
    mailbox: &'a dyn Connector,
    /// Whether mails may go to addresses that belong to no record.
    strangers: bool,
    /// Once it was asked for.
    place: Option<Place>,
    outgoing: Outgoing,
    /// The first thing that went wrong with an end as a whole.
    trouble: Option<Failure>,
}

/// The folder of sent messages, if the mailbox has one.
struct Place(Option<String>);

/// One mail in a round.
struct Job {
    record: ItemId,
    /// As it is listed, if it is.
    listed: Option<Pending>,
    stage: Stage,
    stored: Option<Mail>,
    found: Found,
    /// Where it was found.
    place: Option<ItemId>,
    fresh: bool,
    /// Whether it could not be filed in this round.
    unfiled: bool,
    /// Whether nothing more can be done with it in this round.
    stuck: bool,
}

impl Job {
    fn step(&self, engine: &Engine) -> Step {
        if self.stuck {
            return Step::Nothing;
        }
        decide(Facts {
            stored: self.stored.as_ref(),
            stage: self.stage,
            found: self.found,
            fresh: self.fresh,
            unfiled: self.unfiled,
            tenure: engine.fence.as_ref().and_then(|fence| fence.since()),
            now: engine.clock.now(),
        })
    }

    fn must_look(&self) -> bool {
        let named = self.listed.as_ref().is_some_and(|listed| listed.uid.is_some());
        must_look(self.stored.as_ref(), self.stage, named)
    }
}

impl Round<'_> {
    async fn run(&mut self) -> store::Result<()> {
        let waiting = match self.sending.postbox.waiting().await {
            Ok(waiting) => waiting,
            Err(error) => {
                self.note(&error);
                return Ok(());
            }
        };
        self.strangers = waiting.strangers;
        let refusal = waiting.refusal.clone();
        let mut jobs = self.gather(waiting).await?;
        self.look(&mut jobs).await;
        if let Some(message) = refusal {
            let hint = "in the CRM's settings of your mailbox set “Outgoing Email” to None or to Outlook, or \
                        here send = false in [sync.email]";
            let failure = Failure {
                message,
                hint: Some(hint.to_owned()),
                kind: Obstacle::Failed,
                pause: None,
            };
            self.trouble.get_or_insert(failure);
            // What left already is still brought to its end.
            jobs.retain(|job| job.stored.as_ref().is_some_and(|mail| mail.state != State::Ready));
        }
        for portion in jobs.chunks_mut(PORTION) {
            if let Some(failure) = self.engine.prove().await {
                self.trouble.get_or_insert(failure);
                return Ok(());
            }
            self.settle(portion).await?;
            self.freeze(portion).await?;
            self.take(portion).await?;
            self.submit(portion).await?;
            self.finish(portion).await?;
        }
        self.look_once_more(&mut jobs).await
    }

    /// What is listed and what is stored, together.
    async fn gather(&mut self, waiting: Waiting) -> store::Result<Vec<Job>> {
        let listed: BTreeMap<ItemId, Pending> =
            waiting.mails.into_iter().map(|mail| (mail.id.clone(), mail)).collect();
        let records: Vec<ItemId> = listed.keys().cloned().collect();
        let (mut stored, open) = self
            .engine
            .store
            .read(move |db| {
                let mut stored = BTreeMap::new();
                for record in records {
                    stored.extend(outgoing::of(db, &record)?.map(|mail| (record, mail)));
                }
                Ok((stored, outgoing::open(db)?))
            })
            .await?;
        let unlisted: Vec<ItemId> = open
            .iter()
            .map(|mail| mail.record.clone())
            .filter(|record| !listed.contains_key(record))
            .collect();
        stored.extend(open.into_iter().map(|mail| (mail.record.clone(), mail)));
        let stages = if unlisted.is_empty() {
            BTreeMap::new()
        } else {
            match self.sending.postbox.stages(&unlisted).await {
                Ok(stages) => stages,
                Err(error) => {
                    self.note(&error);
                    BTreeMap::new()
                }
            }
        };
        let known = listed.keys().chain(stages.keys()).cloned().collect::<BTreeSet<_>>();
        let job = |record: ItemId| Job {
            listed: listed.get(&record).cloned(),
            stage: listed
                .get(&record)
                .map(|mail| mail.stage)
                .or_else(|| stages.get(&record).copied())
                .unwrap_or(Stage::Gone),
            stored: stored.remove(&record),
            found: Found::Unasked,
            place: None,
            fresh: false,
            unfiled: false,
            stuck: false,
            record,
        };
        Ok(known.into_iter().map(job).collect())
    }

    /// Searches the mailbox for those that may have left.
    async fn look(&mut self, jobs: &mut [Job]) {
        // What nobody named and nobody took cannot be there.
        for job in jobs.iter_mut().filter(|job| job.stored.is_none() && !job.must_look()) {
            job.found = Found::Nowhere;
        }
        let mut names: BTreeMap<Uid, Vec<&mut Job>> = BTreeMap::new();
        for job in jobs.iter_mut().filter(|job| !job.stuck && job.must_look()) {
            let name = self.name(job);
            names.entry(name).or_default().push(job);
        }
        if names.is_empty() {
            return;
        }
        let uids: Vec<Uid> = names.keys().cloned().collect();
        let mut found = match self.mailbox.find(Class::Email, &uids).await {
            Ok(found) => found,
            Err(error) => return self.note(&error),
        };
        for (uid, jobs) in names {
            let place = found.remove(&uid);
            for job in jobs {
                job.found = if place.is_some() { Found::There } else { Found::Nowhere };
                job.place.clone_from(&place);
            }
        }
    }

    /// Those whose answer did not come in this round may show up a moment later.
    async fn look_once_more(&mut self, jobs: &mut [Job]) -> store::Result<()> {
        let is_unknown = |job: &Job| {
            job.stored.as_ref().is_some_and(|mail| mail.state == State::Unknown)
                && job.found == Found::Unasked
        };
        if !jobs.iter().any(is_unknown) {
            return Ok(());
        }
        tokio::time::sleep(self.sending.patience).await;
        for job in jobs.iter_mut() {
            job.stuck = !is_unknown(job);
        }
        self.look(jobs).await;
        for portion in jobs.chunks_mut(PORTION) {
            self.settle(portion).await?;
            self.finish(portion).await?;
        }
        Ok(())
    }

    /// Keeps what turned out about mails that may have left, and forgets those that were taken back.
    async fn settle(&mut self, jobs: &mut [Job]) -> store::Result<()> {
        self.meet_unknown(jobs).await?;
        for job in jobs.iter_mut() {
            let step = job.step(self.engine);
            let (Some(mail), now) = (&job.stored, self.engine.clock.now()) else { continue };
            let id = mail.id;
            match step {
                Step::Believe => {
                    let reason = if job.found == Found::There {
                        "it is in the mailbox"
                    } else {
                        "the CRM says so"
                    };
                    self.keep(move |tx| outgoing::sent(tx, id, reason, now)).await?;
                    self.outgoing.sent += 1;
                }
                Step::Ask => {
                    let reason = if mail.state == State::Ready {
                        "another computer had its turn after it was taken here"
                    } else {
                        "the program ended while it was being sent"
                    };
                    self.keep(move |tx| outgoing::unknown(tx, id, reason, now)).await?;
                }
                Step::Withdraw => self.keep(move |tx| outgoing::withdraw(tx, id)).await?,
                _ => continue,
            }
            self.refresh(job).await?;
        }
        Ok(())
    }

    /// On the disk when it returns.
    #[track_caller]
    fn keep<F>(&self, work: F) -> impl Future<Output = store::Result<()>> + Send + use<F>
    where
        F: FnOnce(&store::Transaction<'_>) -> store::Result<()> + Send + 'static,
    {
        self.engine.store.promise(work)
    }

    async fn refresh(&self, job: &mut Job) -> store::Result<()> {
        let record = job.record.clone();
        job.stored = self.engine.store.read(move |db| outgoing::of(db, &record)).await?;
        Ok(())
    }

    /// The `Message-ID` of a mail: the same whoever computes it.
    fn name(&self, job: &Job) -> Uid {
        if let Some(mail) = &job.stored {
            return mail.uid.clone();
        }
        let given = job.listed.as_ref().and_then(|listed| listed.uid.as_ref()).map(Uid::as_str);
        freeze::name(self.engine, &job.record, given)
    }

    fn note(&mut self, error: &connector::Error) {
        self.trouble.get_or_insert_with(|| Failure::of(error));
    }
}

/// The steps that are due, with their jobs.
fn due<'j>(jobs: &'j mut [Job], engine: &Engine, step: Step) -> Vec<&'j mut Job> {
    jobs.iter_mut().filter(|job| job.step(engine) == step).collect()
}
