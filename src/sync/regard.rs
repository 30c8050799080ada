//! Carries out the user's word on what messages are about, where their records do not say so yet. A rule has no say here: it
//! counts when a message is filed, and never again.

use std::collections::BTreeMap;

use super::{Engine, note};
use crate::connector::{self, ErrorKind, Scope, Write};
use crate::mapping::email;
use crate::model::record::PartyRef;
use crate::model::{Body, Class, Document, ItemId, LinkState, Record, Side, Uid};
use crate::store::journal::{self, Action, Answer, Intent};
use crate::store::round::RoundId;
use crate::store::{self, quarantine, regarding};

/// What a record is to be about.
struct Wanted {
    uid: Uid,
    target: Option<PartyRef>,
}

impl Engine {
    /// Brings records in step with what the user said. What the CRM refuses is listed with its reason.
    ///
    /// # Errors
    /// When the store is lost.
    pub(super) async fn regard(&self, round: RoundId) -> store::Result<()> {
        let wanted = self.wanted().await?;
        if wanted.is_empty() {
            return Ok(());
        }
        let ids: Vec<ItemId> = wanted.keys().cloned().collect();
        let read = match self.crm.read(Class::Email, &ids).await {
            Ok(read) => read,
            Err(error) => {
                error.warn("what messages are about could not be looked at");
                return Ok(());
            }
        };
        let (mut writes, mut done) = (Vec::new(), Vec::new());
        for (id, document) in read {
            let Some(wanted) = wanted.get(&id) else { continue };
            match document {
                Ok(Document { body: Body::Record(record), version, .. }) => {
                    if email::regarding(&record) == wanted.target {
                        done.push(wanted);
                    } else {
                        let body = patch(&record, wanted.target.as_ref());
                        writes.push((wanted, Write::Update { id, version, body }));
                    }
                }
                // What is not there can be about nothing.
                Ok(_) => done.push(wanted),
                Err(error) if error.kind == ErrorKind::Missing => done.push(wanted),
                Err(_) => {}
            }
        }
        self.note_done(&done).await?;
        self.set_regarding(round, writes).await
    }

    /// The records whose message the user has spoken of, and that were not seen to follow.
    async fn wanted(&self) -> store::Result<BTreeMap<ItemId, Wanted>> {
        self.store
            .read(|db| {
                let wishes = regarding::all(db)?;
                let open = |uid: &Uid| wishes.get(uid).filter(|wish| !wish.done);
                let links = store::link::all(db, Class::Email)?;
                let links = links
                    .into_iter()
                    .filter(|link| link.state != LinkState::Released { gone: Side::Crm });
                Ok(links
                    .filter_map(|link| {
                        let target = open(&link.uid)?.target.clone();
                        Some((link.record, Wanted { uid: link.uid, target }))
                    })
                    .collect())
            })
            .await
    }

    async fn note_done(&self, done: &[&Wanted]) -> store::Result<()> {
        let done: Vec<_> =
            done.iter().map(|wanted| (wanted.uid.clone(), wanted.target.clone())).collect();
        if done.is_empty() {
            return Ok(());
        }
        self.store
            .write(move |tx| {
                done.iter().try_for_each(|(uid, target)| regarding::done(tx, uid, target.as_ref()))
            })
            .await
    }

    async fn set_regarding(
        &self,
        round: RoundId,
        writes: Vec<(&Wanted, Write)>,
    ) -> store::Result<()> {
        if writes.is_empty() {
            return Ok(());
        }
        if let Some(failure) = self.prove().await {
            tracing::warn!(kind = failure.kind.as_str(), "what messages are about was not written");
            return Ok(());
        }
        let (wanted, writes): (Vec<&Wanted>, Vec<Write>) = writes.into_iter().unzip();
        let intents: Vec<Intent> =
            wanted.iter().zip(&writes).map(|(wanted, write)| intent(wanted, write)).collect();
        let now = self.clock.now();
        let entries =
            self.store.promise(move |tx| journal::intend(tx, round, now, &intents)).await?;
        let ids: Vec<ItemId> = writes.iter().map(|write| write.id().clone()).collect();
        let results = match self.crm.write(Class::Email, writes).await {
            Ok(results) => results,
            Err(error) => {
                let failed = |_| Err(connector::Error::new(error.kind, error.to_string()));
                ids.iter().map(failed).collect()
            }
        };
        let outcomes: Vec<_> = wanted
            .iter()
            .map(|wanted| (wanted.uid.clone(), wanted.target.clone()))
            .zip(entries)
            .zip(ids.into_iter().zip(results))
            .collect();
        let now = self.clock.now();
        self.store
            .write(move |tx| {
                for (((uid, target), entry), (id, result)) in outcomes {
                    let answer = Answer { id: Some(id.clone()), ..note::answer(&result) };
                    journal::finish(tx, entry, &answer, now)?;
                    match result {
                        Ok(_) => regarding::done(tx, &uid, target.as_ref())?,
                        Err(error) if is_final(&error) => {
                            quarantine::put(tx, &refused(id, &error), now, |_| None)?;
                            regarding::done(tx, &uid, target.as_ref())?;
                        }
                        // The next sync looks again.
                        Err(_) => {}
                    }
                }
                Ok(())
            })
            .await
    }
}

fn patch(record: &Record, target: Option<&PartyRef>) -> Body {
    Body::Patch(Box::new(email::set_regarding(record, target)))
}

/// Whether it is no use to try again before a person did something.
fn is_final(error: &connector::Error) -> bool {
    error.kind.scope() == Scope::Item
        && error.kind.retry() == connector::Retry::Never
        && error.kind != ErrorKind::Stale
}

fn refused(id: ItemId, error: &connector::Error) -> quarantine::Failure {
    quarantine::Failure {
        side: Side::Crm,
        class: Class::Email,
        version: crate::model::Version::new("regarding"),
        id,
        reason: format!("it cannot be about the record that you named: {error}"),
        hint: Some("name another one: `liaison regarding MESSAGE RECORD`".to_owned()),
    }
}

fn intent(wanted: &Wanted, write: &Write) -> Intent {
    let target = wanted.target.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let (id, why) = (write.id(), format!("you said it is about {target}"));
    note::intent(Side::Crm, Action::Mark, id, why, format!("regarding {id} {target}"))
}
