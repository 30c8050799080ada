//! Looks at one side: asks what happened, reads what is new or changed, and stores what was seen.
//!
//! An item that cannot be read is set aside with its reason and never stops the others. An error is never an empty list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::sieve::{Findings, Sieve};
use super::world::Stored;
use super::{Engine, Progress};
use crate::connector::{self, Connector, Cursor, ErrorKind, News, Part, Scope};
use crate::mapping::{self, Context};
use crate::model::{Body, Class, Completeness, Content, Document, ItemId, Listing, Side, Version};
use crate::store::cursor;
use crate::store::decision::{self, Decision};
use crate::store::observation::{self, Observation};
use crate::store::quarantine::{self, Failure};
use crate::store::round::RoundId;
use crate::store::{self};

/// How many items are read at a time: bounds memory, and what a crash makes us read again.
const CHUNK: usize = 500;

/// How many heads of messages are asked for at a time: the server goes on while the last ones are judged and stored. They go on
/// in portions as above.
const HEADS: usize = 2000;

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
    let (known, cursors) = engine
        .store
        .read(move |db| Ok((store::meta::get(db, &key)?, cursor::all(db, side, class)?)))
        .await?;
    let since: Cursor = if known.unwrap_or_default() == source {
        cursors.into_iter().map(|cursor| (cursor.collection, cursor.token)).collect()
    } else {
        Cursor::new()
    };
    Ok(connector.news(class, &since).await.map(|news| Asked { news, since }))
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

/// Brings the stored observations of a side up to date with what it said. Returns what it holds now. Whatever is read passes
/// the sieve, if there is one.
///
/// Reading, judging and storing go on at the same time, each a few items behind the other. The cursor moves at the end, with
/// the last of what it covers: after a crash the same is told once more.
///
/// # Errors
/// As for [`ask`].
pub(super) async fn side(
    looker: &Looker<'_>,
    asked: Asked,
    mut sieve: Option<&mut Sieve>,
) -> Stored<Listing> {
    let (engine, side, class) = (looker.engine, looker.side, looker.class);
    let known = engine.store.read(move |db| observation::versions(db, side, class)).await?;
    let cursor = asked.news.cursor.clone();
    let moved = cursor != asked.since;
    let Told { mut listing, fresh, mut gone } = Told::of(asked, known);
    let (read, documents) = mpsc::channel(AHEAD);
    let (said, judged) = mpsc::channel(AHEAD);
    let look = Arrivals { listing: &mut listing, gone: &mut gone, count: fresh.len() };
    let ((), (), stored) = tokio::join!(
        looker.read(&fresh, read),
        looker.judge(documents, said),
        looker.store(judged, look, sieve.as_deref_mut())
    );
    if let Err(error) = stored? {
        return Ok(Err(error));
    }
    let findings = match sieve {
        Some(sieve) => sieve.finish(engine, looker.round).await,
        None => Findings::default(),
    };
    if moved || !gone.is_empty() || !findings.is_empty() {
        looker.settle(gone, cursor, findings).await?;
    }
    Ok(Ok(listing))
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
    fn of(asked: Asked, known: BTreeMap<ItemId, Version>) -> Self {
        let Asked { news: News { parts, completeness, .. }, since } = asked;
        let complete = completeness == Completeness::Complete;
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
        entries.extend(said);
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

type Documents = BTreeMap<ItemId, connector::Result<Document>>;

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
}

impl Looker<'_> {
    /// Reads until everything is read, the side is out of service, or nobody wants more.
    async fn read(&self, ids: &[ItemId], to: Sender<connector::Result<Documents>>) {
        let at_once = if self.class == Class::Email { HEADS } else { CHUNK };
        for ids in ids.chunks(at_once) {
            let mut documents = match self.documents(ids).await {
                Ok(documents) => documents,
                // Nobody left to tell is no trouble.
                Err(error) => return drop(to.send(Err(error)).await),
            };
            while !documents.is_empty() {
                let next = documents.keys().nth(CHUNK).cloned();
                let rest = next.map(|next| documents.split_off(&next)).unwrap_or_default();
                if to.send(Ok(std::mem::replace(&mut documents, rest))).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn judge(
        &self,
        mut from: Receiver<connector::Result<Documents>>,
        to: Sender<Stored<Judged>>,
    ) {
        let (side, class) = (self.side, self.class);
        let context = Arc::new(self.engine.context());
        while let Some(documents) = from.recv().await {
            let context = Arc::clone(&context);
            let judged = match documents {
                Ok(documents) => {
                    store::aside(move || Ok(Ok(judge(side, class, documents, &context)))).await
                }
                Err(error) => Ok(Err(error)),
            };
            if to.send(judged).await.is_err() {
                return;
            }
        }
    }

    async fn store(
        &self,
        mut from: Receiver<Stored<Judged>>,
        look: Arrivals<'_>,
        mut sieve: Option<&mut Sieve>,
    ) -> Stored<()> {
        let (side, class, of) = (self.side, self.class, look.count);
        let mut done = 0;
        while let Some(judged) = from.recv().await {
            let judged = match judged? {
                Ok(judged) => judged,
                Err(error) => return Ok(Err(error)),
            };
            for observation in &judged.observations {
                look.listing.entries.insert(observation.id.clone(), observation.version.clone());
            }
            for id in &judged.gone {
                look.listing.entries.remove(id);
            }
            look.gone.extend(judged.gone);
            let findings = match &mut sieve {
                Some(sieve) => {
                    let old = self.decided(&judged.observations).await?;
                    sieve.pass(self.engine, self.round, &judged.observations, &old).await
                }
                None => Findings::default(),
            };
            self.keep(judged.observations, findings).await?;
            done = (done + CHUNK).min(of);
            (self.engine.progress)(Progress::Reading { class, side, done, of });
        }
        Ok(Ok(()))
    }

    /// Enough of each item to know what it says: of messages, only the head. One without a `Message-ID` is named by all of it.
    async fn documents(&self, ids: &[ItemId]) -> connector::Result<Documents> {
        let mut documents = match self.class {
            Class::Email => self.connector.heads(self.class, ids).await?,
            _ => self.connector.read(self.class, ids).await?,
        };
        let nameless = |document: &Document| match &document.body {
            Body::Bytes(head) => {
                self.class == Class::Email && connector::header::message_id(head).is_none()
            }
            Body::Record(_) | Body::Patch(_) => false,
        };
        let nameless: Vec<ItemId> = documents
            .iter()
            .filter(|(_, document)| document.as_ref().is_ok_and(nameless))
            .map(|(id, _)| id.clone())
            .collect();
        if !nameless.is_empty() {
            documents.extend(self.connector.read(self.class, &nameless).await?);
        }
        let is_of_all = |document: &connector::Result<Document>| {
            document.as_ref().is_err_and(|error| error.kind.scope() == Scope::Account)
        };
        let of_all = documents.extract_if(.., |_, document| is_of_all(document)).next();
        match of_all {
            Some((_, Err(error))) => Err(error),
            Some(_) | None => Ok(documents),
        }
    }

    /// What was decided over these before.
    async fn decided(&self, seen: &[Observation]) -> store::Result<BTreeMap<ItemId, Decision>> {
        let (class, ids) = (self.class, seen.iter().map(|seen| seen.id.clone()));
        let ids: Vec<ItemId> = ids.collect();
        self.engine.store.read(move |db| decision::of(db, class, &ids)).await
    }

    async fn keep(&self, observations: Vec<Observation>, findings: Findings) -> store::Result<()> {
        let (side, class, round, now) =
            (self.side, self.class, self.round, self.engine.clock.now());
        self.engine
            .store
            .write(move |tx| {
                let read = observations.iter().map(|seen| &seen.id);
                quarantine::remove(tx, side, class, read)?;
                for failure in observations.iter().filter_map(failure) {
                    quarantine::put(tx, &failure, now, |_| None)?;
                }
                observation::upsert(tx, round, &observations)?;
                findings.store(tx)
            })
            .await
    }

    /// Forgets what is gone, stores the last decisions and moves the cursor, at once.
    async fn settle(
        &self,
        gone: Vec<ItemId>,
        cursor: Cursor,
        findings: Findings,
    ) -> store::Result<()> {
        let (side, class, now) = (self.side, self.class, self.engine.clock.now());
        let (key, source) = (source_key(side, class), self.connector.source());
        self.engine
            .store
            .write(move |tx| {
                quarantine::remove(tx, side, class, &gone)?;
                decision::remove(tx, class, &gone)?;
                store::tagged::remove(tx, &gone.iter().cloned().collect())?;
                findings.store(tx)?;
                observation::remove(tx, side, class, &gone)?;
                store::meta::set(tx, &key, &source)?;
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
