//! Looks at one side: asks what happened, reads what is new or changed, and stores what was seen.
//!
//! An item that cannot be read is set aside with its reason and never stops the others. An error is never an empty list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::world::Stored;
use super::{Engine, Progress};
use crate::connector::{self, Connector, Cursor, ErrorKind, News, Part, Scope};
use crate::mapping::{self, Context};
use crate::model::{Body, Class, Completeness, Content, Document, ItemId, Listing, Side, Version};
use crate::store::cursor;
use crate::store::observation::{self, Observation};
use crate::store::quarantine::{self, Failure};
use crate::store::round::RoundId;
use crate::store::{self};

/// How many items are read at a time: bounds memory, and what a crash makes us read again.
const CHUNK: usize = 500;

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

/// Brings the stored observations of a side up to date with what it said. Returns what it holds now.
///
/// The cursor moves at the end, with the last of what it covers: after a crash the same is told once more.
///
/// # Errors
/// As for [`ask`].
pub async fn side(
    engine: &Engine,
    connector: &dyn Connector,
    side: Side,
    class: Class,
    round: RoundId,
    asked: Asked,
) -> Stored<Listing> {
    let known = engine.store.read(move |db| observation::versions(db, side, class)).await?;
    let cursor = asked.news.cursor.clone();
    let moved = cursor != asked.since;
    let Told { mut listing, fresh, mut gone } = Told::of(asked, known);
    let looker = Looker { engine, connector, side, class, round };
    let context = Arc::new(engine.context());
    let mut done = 0;
    let mut chunks = fresh.chunks(CHUNK);
    let mut coming = looker.documents(chunks.next()).await;
    while done < fresh.len() {
        let documents = match coming {
            Ok(documents) => documents,
            Err(error) => return Ok(Err(error)),
        };
        // While these are taken in, the next are on their way.
        let (seen, next) =
            tokio::join!(looker.take_in(documents, &context), looker.documents(chunks.next()));
        coming = next;
        for (id, version) in seen? {
            if let Some(version) = version {
                listing.entries.insert(id, version);
            } else {
                // It went between the listing and the reading.
                listing.entries.remove(&id);
                gone.push(id);
            }
        }
        done = (done + CHUNK).min(fresh.len());
        (engine.progress)(Progress::Reading { class, side, done, of: fresh.len() });
    }
    if moved || !gone.is_empty() {
        looker.settle(gone, cursor).await?;
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
struct Looker<'a> {
    engine: &'a Engine,
    connector: &'a dyn Connector,
    side: Side,
    class: Class,
    round: RoundId,
}

type Documents = BTreeMap<ItemId, connector::Result<Document>>;

impl Looker<'_> {
    /// Returns the version that was read of each item, `None` for one that is gone.
    async fn take_in(
        &self,
        documents: Documents,
        context: &Arc<Context>,
    ) -> store::Result<BTreeMap<ItemId, Option<Version>>> {
        let (side, class, context) = (self.side, self.class, Arc::clone(context));
        let judge = move || {
            let judge = |(id, document): (ItemId, connector::Result<Document>)| {
                let observation = match document {
                    Ok(document) => Some(observe(side, class, &document, &context)),
                    Err(error) if error.kind == ErrorKind::Missing => None,
                    Err(error) => {
                        let (version, problem) = (Version::new(UNREAD), Some(error.to_string()));
                        let id = id.clone();
                        Some(Observation { side, class, id, version, content: None, problem })
                    }
                };
                (id, observation)
            };
            documents.into_iter().map(judge).collect::<Vec<_>>()
        };
        let judged = store::aside(move || Ok(judge())).await?;
        let (mut seen, mut observations, mut failures) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (id, observation) in judged {
            seen.insert(id, observation.as_ref().map(|observation| observation.version.clone()));
            let Some(observation) = observation else { continue };
            failures.extend(failure(&observation));
            observations.push(observation);
        }
        self.keep(observations, failures).await?;
        Ok(seen)
    }

    /// Enough of each item to know what it says: of messages, only the head. One without a `Message-ID` is named by all of it.
    async fn documents(&self, ids: Option<&[ItemId]>) -> connector::Result<Documents> {
        let Some(ids) = ids else { return Ok(Documents::new()) };
        let mut documents = match self.class {
            Class::Email => self.connector.heads(self.class, ids).await?,
            _ => self.connector.read(self.class, ids).await?,
        };
        let nameless = |document: &Document| match &document.body {
            Body::Bytes(head) => self.class == Class::Email && !mapping::email::has_name(head),
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

    async fn keep(
        &self,
        observations: Vec<Observation>,
        failures: Vec<Failure>,
    ) -> store::Result<()> {
        let (side, class, round, now) =
            (self.side, self.class, self.round, self.engine.clock.now());
        self.engine
            .store
            .write(move |tx| {
                let read: Vec<ItemId> = observations.iter().map(|seen| seen.id.clone()).collect();
                quarantine::remove(tx, side, class, &read)?;
                for failure in &failures {
                    quarantine::put(tx, failure, now, |_| None)?;
                }
                observation::upsert(tx, round, &observations)
            })
            .await
    }

    /// Forgets what is gone and moves the cursor, at once.
    async fn settle(&self, gone: Vec<ItemId>, cursor: Cursor) -> store::Result<()> {
        let (side, class, now) = (self.side, self.class, self.engine.clock.now());
        let (key, source) = (source_key(side, class), self.connector.source());
        self.engine
            .store
            .write(move |tx| {
                quarantine::remove(tx, side, class, &gone)?;
                store::decision::remove(tx, class, &gone)?;
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

/// An item as it was read.
fn observe(side: Side, class: Class, document: &Document, context: &Context) -> Observation {
    let (id, version) = (document.id.clone(), document.version.clone());
    let seen = |content, problem| Observation { side, class, id, version, content, problem };
    match read(class, document, context) {
        Ok(told) => seen(Some(told), None),
        Err(problem) => seen(None, Some(problem)),
    }
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
