//! Turning records into mails, and keeping them; and telling the CRM that they are about to be sent.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use super::decide::{Found, Step};
use super::{Job, Round, due};
use crate::connector::outgoing::{Stage, Take};
use crate::connector::{Error, ErrorKind, Scope};
use crate::mapping::email::{self, Letter, Posting, Unfit};
use crate::model::{ItemId, Record, RecordId, Uid};
use crate::store;
use crate::store::outgoing::{self, Frozen, State};
use crate::sync::Engine;

/// What a mail is called of which nothing but its record is known.
const UNTITLED: &str = "(not readable)";

/// What became of reading a record.
enum Made {
    Whole(Letter),
    /// It cannot be sent.
    Not(String),
    /// It is none of ours, or not to be judged now.
    Left,
}

pub(super) fn name(engine: &Engine, record: &ItemId, given: Option<&str>) -> Uid {
    let guid = RecordId::parse(record).map(|record| record.guid).unwrap_or_default();
    email::letter_name(engine.settings.organisation, guid, given)
}

impl Round<'_> {
    /// Freezes what is to be sent, all in one transaction.
    pub(super) async fn freeze(&mut self, jobs: &mut [Job]) -> store::Result<()> {
        let mut jobs = due(jobs, self.engine, Step::Freeze);
        let made = self.make(&mut jobs).await;
        let now = self.engine.clock.now();
        let mut work = Vec::new();
        for (job, made) in jobs.iter_mut().zip(made) {
            job.fresh = true;
            match made {
                Made::Whole(letter) => work.push((self.frozen(job, Some(letter)), None)),
                Made::Not(reason) => work.push((self.frozen(job, None), Some(reason))),
                Made::Left => job.stuck = true,
            }
        }
        if work.is_empty() {
            return Ok(());
        }
        self.outgoing.failed += work.iter().filter(|(_, reason)| reason.is_some()).count();
        self.keep(move |tx| {
            for (frozen, reason) in &work {
                match reason {
                    None => outgoing::freeze(tx, frozen, now)?,
                    Some(reason) => outgoing::freeze_refused(tx, frozen, reason, now)?,
                };
            }
            Ok(())
        })
        .await?;
        for job in jobs.into_iter().filter(|job| !job.stuck) {
            self.refresh(job).await?;
        }
        Ok(())
    }

    /// Mails that may have been sent, by what the CRM says, and that this store knows nothing of.
    pub(super) async fn meet_unknown(&mut self, jobs: &mut [Job]) -> store::Result<()> {
        let engine = self.engine;
        let mut jobs: Vec<&mut Job> = jobs
            .iter_mut()
            .filter(|job| {
                job.stored.is_none() && matches!(job.step(engine), Step::Believe | Step::Ask)
            })
            .collect();
        let made = self.make(&mut jobs).await;
        for (job, made) in jobs.into_iter().zip(made) {
            let frozen = match made {
                Made::Whole(letter) => self.frozen(job, Some(letter)),
                Made::Not(_) => self.frozen(job, None),
                Made::Left => {
                    job.stuck = true;
                    continue;
                }
            };
            let is_there = job.found == Found::There;
            let now = self.engine.clock.now();
            self.keep(move |tx| {
                let how = if is_there {
                    (State::Sending, "")
                } else {
                    (
                        State::Unknown,
                        "the CRM says that it was being sent, and nothing here knows of that",
                    )
                };
                outgoing::adopt(tx, &frozen, how, now).map(drop)
            })
            .await?;
            self.refresh(job).await?;
        }
        Ok(())
    }

    /// Tells the CRM what is about to be sent. What changed meanwhile is left to the next round.
    pub(super) async fn take(&mut self, jobs: &mut [Job]) -> store::Result<()> {
        let jobs = due(jobs, self.engine, Step::Take);
        let take = |job: &Job| {
            let listed = job.listed.as_ref()?;
            let (id, version) = (listed.id.clone(), listed.version.clone());
            Some(Take { token: self.token(&id), id, version, uid: self.name(job) })
        };
        let (mut ready, mut takes) = (Vec::new(), Vec::new());
        for job in jobs {
            if let Some(take) = take(job) {
                takes.push(take);
                ready.push(job);
            }
        }
        if takes.is_empty() {
            return Ok(());
        }
        match self.sending.postbox.take(&takes).await {
            Ok(results) => {
                for (job, result) in ready.into_iter().zip(results) {
                    match result {
                        Ok(()) => {
                            job.stage = Stage::Sending;
                            // It was only just frozen: nothing of it can have left.
                            job.found = Found::Nowhere;
                        }
                        Err(error) => {
                            job.stuck = true;
                            if error.kind != ErrorKind::Stale && error.kind != ErrorKind::Missing {
                                self.note(&error);
                            }
                        }
                    }
                }
            }
            Err(error) => {
                self.note(&error);
                for job in ready {
                    job.stuck = true;
                }
            }
        }
        Ok(())
    }

    async fn make(&mut self, jobs: &mut [&mut Job]) -> Vec<Made> {
        if jobs.is_empty() {
            return Vec::new();
        }
        let ids: Vec<ItemId> = jobs.iter().map(|job| job.record.clone()).collect();
        let mut read = match self.sending.postbox.read(&ids).await {
            Ok(read) => read,
            Err(error) => {
                self.note(&error);
                return jobs.iter().map(|_| Made::Left).collect();
            }
        };
        let mut made = Vec::new();
        for job in jobs.iter() {
            made.push(match read.remove(&job.record) {
                Some(Ok((version, record))) => {
                    let is_same =
                        job.listed.as_ref().is_none_or(|listed| listed.version == version);
                    if is_same { self.compose(job, &record) } else { Made::Left }
                }
                Some(Err(error)) => self.unreadable(&error),
                None => Made::Left,
            });
        }
        made
    }

    fn unreadable(&mut self, error: &Error) -> Made {
        match error.kind {
            ErrorKind::Rejected => Made::Not(error.to_string()),
            kind => {
                if kind.scope() == Scope::Account {
                    self.note(error);
                }
                Made::Left
            }
        }
    }

    fn compose(&self, job: &Job, record: &Record) -> Made {
        let context = self.engine.context();
        let posting = Posting {
            context: &context,
            mailbox: &self.engine.settings.mailbox,
            strangers: self.strangers,
            at: self.engine.clock.now(),
        };
        let uid = self.name(job);
        let token = self.token(&job.record);
        let subject = |given: &str| match (&self.sending.token, &token) {
            (Some(form), Some(token)) => form.append(given, token),
            _ => given.to_owned(),
        };
        let compose = AssertUnwindSafe(|| email::letter(record, &uid, &posting, subject));
        match std::panic::catch_unwind(compose) {
            Ok(Ok(letter)) => Made::Whole(letter),
            Ok(Err(Unfit::NotMine)) => Made::Left,
            Ok(Err(Unfit::Unsendable(reason))) => Made::Not(reason),
            Err(_) => Made::Not("no message can be made of it".to_owned()),
        }
    }

    /// The token of a record, if mails get one.
    fn token(&self, record: &ItemId) -> Option<String> {
        let record = RecordId::parse(record)?;
        self.sending.token.as_ref().map(|form| form.of(record.guid))
    }

    fn frozen(&self, job: &Job, letter: Option<Letter>) -> Frozen {
        let (record, uid) = (job.record.clone(), self.name(job));
        match letter {
            Some(Letter { message, from, to, title }) => {
                let message: Arc<[u8]> = message.into();
                Frozen { record, uid, title, sender: from, recipients: to, message }
            }
            None => Frozen {
                record,
                uid,
                title: UNTITLED.to_owned(),
                sender: self.engine.settings.mailbox.clone(),
                recipients: Vec::new(),
                message: Arc::default(),
            },
        }
    }
}
