//! Looks at one side: asks what happened, reads what is new or changed, and stores what was seen.
//!
//! An item that cannot be read is set aside with its reason and never stops the others. An error is never an empty list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::sieve::{Passed, Sieve};
use super::world::Stored;
use super::{Engine, Progress};
use crate::connector::{self, Connector, Cursor, Documents, ErrorKind, News, Part, Scope};
use crate::mapping::{self, Context};
use crate::model::{Body, Class, Completeness, Content, Document, ItemId, Listing, Side, Version};
use crate::store;
use crate::store::cursor;
use crate::store::decision::{self, Decision};
use crate::store::observation::{self, Observation};
use crate::store::quarantine::{self, Failure};
use crate::store::round::RoundId;

mod mail;

pub(in crate::sync) use mail::mail;
use mail::strays_key;

/// How many such portions wait before judging, and before storing.
const AHEAD: usize = 1;

/// The version of what could not be read: it is read again the next time, whether or not the other end speaks of it.
pub const UNREAD: &str = "unread";

/// What a side says happened since it was last looked at.
///
/// # Errors
/// The outer when the store is lost, the inner when the side is out of service.
pub async fn ask(
    engine: &Engine,
    connector: &dyn Connector,
    side: Side,
    class: Class,
) -> Stored<Asked> {
    let (key, source) = (source_key(side, class), connector.source());
    let (known, cursors, is_first) = engine
        .store
        .read(move |db| {
            let is_first = observation::is_empty(db, side, class)?;
            Ok((store::meta::get(db, &key)?, cursor::all(db, side, class)?, is_first))
        })
        .await?;
    let since: Cursor = if known.unwrap_or_default() == source {
        cursors.into_iter().map(|cursor| (cursor.collection, cursor.token)).collect()
    } else {
        Cursor::new()
    };
    let news = if is_first && since.is_empty() {
        connector.first(class).await
    } else {
        connector.news(class, &since).await
    };
    Ok(news.map(|news| Asked { news, since }))
}

/// Where the store keeps whose cursors it has.
fn source_key(side: Side, class: Class) -> String {
    format!("source/{side}/{class}")
}

/// What a side said, and what it was asked.
#[derive(Debug)]
pub struct Asked {
    pub news: News,
    since: Cursor,
}

/// Brings the stored observations of a side up to date with what it said. Returns what it holds now.
///
/// Reading, judging and storing go on at the same time, each a few items behind the other. The cursor moves at the end, with
/// the last of what it covers: after a crash the same is told once more.
///
/// # Errors
/// As for [`ask`].
pub(super) async fn side(looker: &Looker<'_>, asked: Asked) -> Stored<Listing> {
    let (side, class) = (looker.side, looker.class);
    let known = looker.engine.store.read(move |db| observation::versions(db, side, class)).await?;
    looker.take_in(asked, known, None).await
}

/// What a side holds, as it follows from what was known and what it said.
struct Told {
    listing: Listing,
    /// To be read: new, changed, or never read yet.
    fresh: Vec<ItemId>,
    /// Known, and not there any more.
    gone: Vec<ItemId>,
}

impl Told {
    /// `lists`: whether the listing is wanted.
    fn of(asked: Asked, known: BTreeMap<ItemId, Version>, lists: bool) -> Self {
        let Asked { news: News { parts, completeness, .. }, since } = asked;
        let complete = completeness == Completeness::Complete;
        if known.is_empty() && !lists {
            // There is nothing to compare, and very much of it.
            let fresh = parts.into_values().flat_map(Part::into_items).map(|(id, _)| id).collect();
            let listing = Listing { entries: BTreeMap::new(), completeness };
            return Self { listing, fresh, gone: Vec::new() };
        }
        let mut entries = BTreeMap::new();
        let (mut fresh, mut gone) = (Vec::new(), Vec::new());
        let mut said: BTreeMap<ItemId, Version> = BTreeMap::new();
        let mut changes: BTreeMap<String, BTreeSet<ItemId>> = BTreeMap::new();
        let mut whole: BTreeSet<String> = BTreeSet::new();
        for (name, part) in parts {
            match part {
                Part::Whole(items) => {
                    whole.insert(name);
                    said.extend(items);
                }
                Part::Changes { changed, gone } => {
                    changes.insert(name, gone);
                    said.extend(changed);
                }
            }
        }
        for (id, version) in known {
            if let Some(now) = said.remove(&id) {
                if now != version {
                    fresh.push(id.clone());
                }
                entries.insert(id, now);
                continue;
            }
            let collection = id.collection();
            let named_gone = changes.get(collection).is_some_and(|gone| gone.contains(&id));
            let untouched = since.contains_key(collection) && !whole.contains(collection);
            if named_gone || whole.contains(collection) || (!untouched && complete) {
                gone.push(id);
            } else if untouched {
                if version.as_str() == UNREAD {
                    fresh.push(id.clone());
                }
                entries.insert(id, version);
            }
        }
        fresh.extend(said.keys().cloned());
        if lists {
            entries.append(&mut said);
        }
        Self { listing: Listing { entries, completeness }, fresh, gone }
    }
}

/// Reads items and stores what they say.
pub(super) struct Looker<'a> {
    pub(super) engine: &'a Engine,
    pub(super) connector: &'a dyn Connector,
    pub(super) side: Side,
    pub(super) class: Class,
    pub(super) round: RoundId,
}

/// What some items say.
#[derive(Debug, Default)]
struct Judged {
    observations: Vec<Observation>,
    /// They went between the listing and the reading.
    gone: Vec<ItemId>,
}

/// What is corrected as items arrive, and how many there are.
struct Arrivals<'a> {
    listing: &'a mut Listing,
    gone: &'a mut Vec<ItemId>,
    count: usize,
    /// Whether none of them was ever seen before.
    is_first: bool,
}

impl Looker<'_> {
    async fn take_in(
        &self,
        asked: Asked,
        known: BTreeMap<ItemId, Version>,
        mut sieve: Option<&mut Sieve>,
    ) -> Stored<Listing> {
        let cursor = asked.news.cursor.clone();
        let moved = cursor != asked.since;
        let is_mail = sieve.is_some();
        let has_strays = asked.since.keys().any(|name| !cursor.contains_key(name));
        let is_first = known.is_empty();
        let Told { mut listing, fresh, mut gone } = Told::of(asked, known, !is_mail);
        let (read, documents) = mpsc::channel(AHEAD);
        let (said, judged) = mpsc::channel(AHEAD);
        let look =
            Arrivals { listing: &mut listing, gone: &mut gone, count: fresh.len(), is_first };
        let (poured, judged, stored) = tokio::join!(
            self.read(&fresh, read),
            self.judge(documents, said),
            self.store(judged, look, sieve.as_deref_mut())
        );
        stored?;
        if let Err(error) = judged?.and(poured) {
            return Ok(Err(error));
        }
        let last = match sieve {
            Some(sieve) => sieve.finish(self.engine, self.round).await,
            None => Passed::default(),
        };
        if moved || !gone.is_empty() || (is_mail && !fresh.is_empty()) {
            self.settle(gone, (cursor, has_strays), last).await?;
        }
        Ok(Ok(listing))
    }

    /// Reads until everything is read, the side is out of service, or nobody wants more.
    async fn read(&self, ids: &[ItemId], to: Sender<Documents>) -> connector::Result<()> {
        self.connector.pour(self.class, ids, &to).await
    }

    async fn judge(&self, mut from: Receiver<Documents>, to: Sender<Judged>) -> Stored<()> {
        let (side, class) = (self.side, self.class);
        let context = Arc::new(self.engine.context());
        while let Some(mut documents) = from.recv().await {
            if let Some(error) = of_all(&mut documents) {
                return Ok(Err(error));
            }
            let context = Arc::clone(&context);
            let judged = store::aside(move || Ok(judge(side, class, documents, &context))).await?;
            if to.send(judged).await.is_err() {
                break;
            }
        }
        Ok(Ok(()))
    }

    async fn store(
        &self,
        mut from: Receiver<Judged>,
        look: Arrivals<'_>,
        mut sieve: Option<&mut Sieve>,
    ) -> store::Result<()> {
        let (side, class, of) = (self.side, self.class, look.count);
        let mut done = 0;
        while let Some(Judged { observations, gone }) = from.recv().await {
            done += observations.len() + gone.len();
            let passed = if let Some(sieve) = &mut sieve {
                let old = if look.is_first {
                    BTreeMap::new()
                } else {
                    self.decided(&observations).await?
                };
                sieve.pass(self.engine, self.round, observations, &old).await
            } else {
                for seen in &observations {
                    look.listing.entries.insert(seen.id.clone(), seen.version.clone());
                }
                for id in &gone {
                    look.listing.entries.remove(id);
                }
                if let (Some(id), Side::Mailbox) = (gone.first(), side) {
                    // Elsewhere, perhaps: it may be what another listed item was, and that one is not gone then.
                    let doubt = format!("{id} went away while it was read");
                    look.listing.completeness = Completeness::Partial(doubt);
                }
                Passed { observations, ..Passed::default() }
            };
            look.gone.extend(gone);
            self.keep(passed).await?;
            (self.engine.progress)(Progress::Reading { class, side, done: done.min(of), of });
        }
        Ok(())
    }

    /// What was decided over these before.
    async fn decided(&self, seen: &[Observation]) -> store::Result<BTreeMap<ItemId, Decision>> {
        let (class, ids) = (self.class, seen.iter().map(|seen| seen.id.clone()));
        let ids: Vec<ItemId> = ids.collect();
        self.engine.store.read(move |db| decision::of(db, class, &ids)).await
    }

    async fn keep(&self, passed: Passed) -> store::Result<()> {
        let (side, class, round, now) =
            (self.side, self.class, self.round, self.engine.clock.now());
        self.engine
            .store
            .write(move |tx| {
                if class == Class::Email {
                    store::meta::set(tx, &strays_key(side, class), "")?;
                }
                keep(tx, (side, class, round), &passed, now)
            })
            .await
    }

    /// Forgets what is gone, stores the last decisions and moves the cursor, at once.
    async fn settle(
        &self,
        gone: Vec<ItemId>,
        (cursor, has_strays): (Cursor, bool),
        last: Passed,
    ) -> store::Result<()> {
        let (side, class, round, now) =
            (self.side, self.class, self.round, self.engine.clock.now());
        let (key, source) = (source_key(side, class), self.connector.source());
        self.engine
            .store
            .write(move |tx| {
                quarantine::remove(tx, side, class, &gone)?;
                decision::remove(tx, class, &gone)?;
                store::tagged::remove(tx, &gone.iter().cloned().collect())?;
                keep(tx, (side, class, round), &last, now)?;
                observation::remove(tx, side, class, &gone)?;
                store::meta::set(tx, &key, &source)?;
                if !has_strays {
                    store::meta::remove(tx, &strays_key(side, class))?;
                }
                cursor::clear(tx, side, class)?;
                cursor.into_iter().try_for_each(|(collection, token)| {
                    cursor::set(
                        tx,
                        &cursor::Cursor { side, class, collection, token, taken_at: now },
                    )
                })
            })
            .await
    }
}

/// Stores what was read, with what was decided over it.
fn keep(
    tx: &store::Transaction<'_>,
    (side, class, round): (Side, Class, RoundId),
    passed: &Passed,
    now: Timestamp,
) -> store::Result<()> {
    quarantine::remove(tx, side, class, passed.observations.iter().map(|seen| &seen.id))?;
    for failure in passed.observations.iter().filter_map(failure) {
        quarantine::put(tx, &failure, now, |_| None)?;
    }
    passed.store(tx, round)
}

/// An error of one item that concerns all alike.
fn of_all(documents: &mut Documents) -> Option<connector::Error> {
    let is_of_all = |document: &connector::Result<Document>| {
        document.as_ref().is_err_and(|error| error.kind.scope() == Scope::Account)
    };
    documents.extract_if(.., |_, document| is_of_all(document)).next()?.1.err()
}

/// What items say. Whatever cannot be read stays in the listing, and is read again the next time.
fn judge(side: Side, class: Class, documents: Documents, context: &Context) -> Judged {
    let mut judged = Judged::default();
    for (id, document) in documents {
        let seen = |id, version, content, problem| Observation {
            side,
            class,
            id,
            version,
            content,
            problem,
        };
        judged.observations.push(match document {
            Ok(document) => match read(class, &document, context) {
                Ok(told) => seen(document.id, document.version, Some(told), None),
                Err(problem) => seen(document.id, document.version, None, Some(problem)),
            },
            Err(error) if error.kind == ErrorKind::Missing => {
                judged.gone.push(id);
                continue;
            }
            Err(error) => seen(id, Version::new(UNREAD), None, Some(error.to_string())),
        });
    }
    judged
}

fn failure(observation: &Observation) -> Option<Failure> {
    Some(Failure {
        side: observation.side,
        class: observation.class,
        id: observation.id.clone(),
        version: observation.version.clone(),
        reason: observation.problem.clone()?,
        hint: Some(
            "correct the item where it is kept; it is read again when it changes".to_owned(),
        ),
    })
}

/// What a document says. A message is read for its head only: bodies are for those that are tracked.
///
/// # Errors
/// The reason why it cannot be judged. A reader that panics on hostile bytes only costs its own item.
pub fn read(class: Class, document: &Document, context: &Context) -> Result<Content, String> {
    let read = || match &document.body {
        Body::Record(record) => mapping::read_record(record, context),
        Body::Bytes(bytes) if class == Class::Email => {
            mapping::email::head(bytes, &document.marks, context)
        }
        Body::Bytes(_) | Body::Patch(_) => mapping::read_item(class, document, context),
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|unreadable| unreadable.to_string()),
        Err(_) => Err("its reader failed on it".to_owned()),
    }
}

#[cfg(test)]
mod tests;
