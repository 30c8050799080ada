//! What is left to do with a mail that was sent, or that nobody gets: the copy in the mailbox, the link between both, and the
//! CRM's knowledge. All of it is harmless to repeat.

use super::decide::Step;
use super::{Job, Place, Round, due};
use crate::connector::outgoing::{Stage, Verdict};
use crate::connector::{self, ErrorKind, Retry, Write, Written};
use crate::model::{Bases, Body, Class, ItemId, Link, LinkId, LinkState, Side, Uid, Version};
use crate::store;
use crate::store::link;
use crate::store::outgoing::{self, Mail, State};

/// Stands for the version of a record that a mail was sent from: it never changes any more.
const SENT: &str = "sent";

impl Round<'_> {
    /// Files copies and tells the CRM; where one cannot be done now, the other is.
    pub(super) async fn finish(&mut self, jobs: &mut [Job]) -> store::Result<()> {
        for job in due(jobs, self.engine, Step::Copy) {
            if let Some(mail) = job.stored.clone() {
                self.copy(job, &mail).await?;
                self.refresh(job).await?;
            }
        }
        self.tell(jobs).await?;
        for job in due(jobs, self.engine, Step::Close) {
            self.close(job).await?;
        }
        Ok(())
    }

    /// Files the mail among those that were sent, unless it is there, and links it with its record.
    async fn copy(&mut self, job: &mut Job, mail: &Mail) -> store::Result<()> {
        let filed = match self.file(job, mail).await {
            Ok(filed) => filed,
            Err(error) if matches!(error.kind.retry(), Retry::After(_) | Retry::Backoff) => {
                self.note(&error);
                job.unfiled = true;
                return Ok(());
            }
            Err(error) => {
                error.warn("no copy of a sent mail could be filed");
                None
            }
        };
        let link = filed.map(|(item, version)| tie(mail, item, version));
        let (id, now) = (mail.id, self.engine.clock.now());
        self.keep(move |tx| {
            if let Some(link) = link {
                match link::insert(tx, &link) {
                    // It was promoted by a rule, or linked before.
                    Err(error) if error.kind == store::ErrorKind::Exists => {}
                    other => drop(other?),
                }
            }
            outgoing::copied(tx, id, now)
        })
        .await
    }

    /// Where the mail lies, if it can be told.
    async fn file(
        &mut self,
        job: &Job,
        mail: &Mail,
    ) -> connector::Result<Option<(ItemId, Option<Version>)>> {
        let place = self.place(&mail.uid).await?;
        let lies = job.place.clone();
        if let (Some(found), Some(place)) = (&lies, &place)
            && found.collection() == place.collection()
        {
            return self.seen(found.clone()).await.map(Some);
        }
        if self.sending.courier.files_itself() || mail.size == 0 {
            return self.lies(&mail.uid).await;
        }
        let Some(place) = place else { return self.lies(&mail.uid).await };
        let id = mail.id;
        let message = self.engine.store.read(move |db| outgoing::message(db, id)).await;
        let message = message.map_err(|error| {
            connector::Error::new(ErrorKind::Local, "the mail cannot be read").caused_by(error)
        })?;
        let create = Write::Create { id: place, body: Body::Bytes(message.to_vec()) };
        let written = self.mailbox.write(Class::Email, vec![create]).await?.pop();
        match written {
            Some(Ok(Written { id, document })) => {
                Ok(Some((id, document.map(|document| document.version))))
            }
            Some(Err(error)) if error.kind == ErrorKind::Exists => self.lies(&mail.uid).await,
            Some(Err(error)) => Err(error),
            None => {
                Err(connector::Error::new(ErrorKind::Unreachable, "there was no answer to a write"))
            }
        }
    }

    async fn lies(&self, uid: &Uid) -> connector::Result<Option<(ItemId, Option<Version>)>> {
        let found = self.mailbox.find(Class::Email, std::slice::from_ref(uid)).await?.remove(uid);
        match found {
            Some(id) => self.seen(id).await.map(Some),
            None => Ok(None),
        }
    }

    async fn seen(&self, id: ItemId) -> connector::Result<(ItemId, Option<Version>)> {
        let mut heads = self.mailbox.heads(Class::Email, std::slice::from_ref(&id)).await?;
        let version = heads.remove(&id).and_then(Result::ok).map(|document| document.version);
        Ok((id, version))
    }

    /// The id that a mail gets among those that were sent. The folder is asked for once.
    async fn place(&mut self, uid: &Uid) -> connector::Result<Option<ItemId>> {
        if self.place.is_none() {
            let place = self.mailbox.sent_place(uid).await?;
            self.place = Some(Place(place.map(|place| place.collection().to_owned())));
        }
        let usual = self.mailbox.address(Class::Email, uid);
        let name = usual.as_str().rsplit('/').next().unwrap_or_default();
        let folder = self.place.as_ref().and_then(|Place(folder)| folder.as_ref());
        Ok(folder.map(|folder| ItemId::new(format!("{folder}/{name}"))))
    }

    async fn tell(&mut self, jobs: &mut [Job]) -> store::Result<()> {
        let jobs = due(jobs, self.engine, Step::Tell);
        let verdicts: Vec<(ItemId, Verdict)> = jobs
            .iter()
            .filter_map(|job| Some((job.record.clone(), verdict(job.stored.as_ref()?))))
            .collect();
        if verdicts.is_empty() {
            return Ok(());
        }
        let told = match self.sending.postbox.tell(&verdicts).await {
            Ok(told) => told,
            Err(error) => {
                self.note(&error);
                return Ok(());
            }
        };
        for (job, told) in jobs.into_iter().zip(told) {
            match told {
                Ok(()) => self.close(job).await?,
                Err(error) if error.kind == ErrorKind::Missing => self.close(job).await?,
                // It may have heard of it already, when the answer was lost: the next round asks how it stands.
                Err(error) => {
                    self.note(&error);
                    job.stuck = true;
                }
            }
        }
        Ok(())
    }

    async fn close(&self, job: &mut Job) -> store::Result<()> {
        let Some(mail) = &job.stored else { return Ok(()) };
        let (id, now) = (mail.id, self.engine.clock.now());
        self.keep(move |tx| outgoing::told(tx, id, now)).await?;
        job.stage = if mail.state == State::Sent { Stage::Sent } else { Stage::Withdrawn };
        self.refresh(job).await
    }
}

fn verdict(mail: &Mail) -> Verdict {
    if mail.state == State::Sent {
        return Verdict::Sent;
    }
    Verdict::Failed { reason: mail.reason.clone(), number: mail.failures }
}

/// The message in the mailbox and the record are one thing: it is never filed as a second one, and an answer to it belongs to it.
fn tie(mail: &Mail, item: ItemId, version: Option<Version>) -> Link {
    Link {
        id: LinkId(0),
        class: Class::Email,
        item,
        record: mail.record.clone(),
        uid: mail.uid.clone(),
        origin: Side::Crm,
        state: LinkState::Active,
        item_version: version,
        record_version: Some(Version::new(SENT)),
        bases: Some(Box::new(Bases::default())),
    }
}
