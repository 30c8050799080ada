//! Looks at one side: lists it, reads what is new or changed, and stores what was seen.
//!
//! An item that cannot be read is set aside with its reason and never stops the others. An error is never an empty list.

use std::collections::{BTreeMap, BTreeSet};

use super::{Engine, Progress};
use crate::connector::{self, Connector, ErrorKind, Scope};
use crate::mapping::{self, Context};
use crate::model::{Body, Class, Content, Document, ItemId, Listing, Side, Version};
use crate::store::observation::{self, Observation};
use crate::store::quarantine::{self, Failure};
use crate::store::round::RoundId;
use crate::store::{self};

/// How many items are read at a time: bounds memory, and what a crash makes us read again.
const CHUNK: usize = 500;

/// Lists a side and brings the stored observations up to date with it. Returns the listing.
///
/// # Errors
/// The outer when the store is lost, the inner when the side is out of service.
pub async fn side(
    engine: &Engine,
    connector: &dyn Connector,
    side: Side,
    class: Class,
    round: RoundId,
) -> store::Result<connector::Result<Listing>> {
    let mut listing = match connector.list(class).await {
        Ok(listing) => listing,
        Err(error) => return Ok(Err(error)),
    };
    let known = engine.store.read(move |db| observation::versions(db, side, class)).await?;
    let fresh: Vec<ItemId> = listing
        .entries
        .iter()
        .filter(|(id, version)| known.get(*id) != Some(*version))
        .map(|(id, _)| id.clone())
        .collect();
    let looker = Looker { engine, connector, side, class, round, context: engine.context() };
    let mut done = 0;
    for chunk in fresh.chunks(CHUNK) {
        match looker.read(chunk).await? {
            Ok(seen) => {
                for (id, version) in seen {
                    match version {
                        Some(version) => listing.entries.insert(id, version),
                        // It went between the listing and the reading.
                        None => listing.entries.remove(&id),
                    };
                }
            }
            Err(error) => return Ok(Err(error)),
        }
        done += chunk.len();
        (engine.progress)(Progress::Reading { class, side, done, of: fresh.len() });
    }
    if listing.is_complete() {
        looker
            .forget(known.keys().filter(|id| !listing.entries.contains_key(*id)).cloned().collect())
            .await?;
    }
    Ok(Ok(listing))
}

/// Reads items and stores what they say.
struct Looker<'a> {
    engine: &'a Engine,
    connector: &'a dyn Connector,
    side: Side,
    class: Class,
    round: RoundId,
    context: Context,
}

impl Looker<'_> {
    /// Returns the version that was read of each item, `None` for one that is gone.
    async fn read(
        &self,
        ids: &[ItemId],
    ) -> store::Result<connector::Result<BTreeMap<ItemId, Option<Version>>>> {
        let documents = match self.connector.read(self.class, ids).await {
            Ok(documents) => documents,
            Err(error) => return Ok(Err(error)),
        };
        let mut seen = BTreeMap::new();
        let (mut observations, mut failures) = (Vec::new(), Vec::new());
        for (id, document) in documents {
            let observation = match document {
                Ok(document) => self.observe(&document),
                Err(error) if error.kind == ErrorKind::Missing => {
                    seen.insert(id, None);
                    continue;
                }
                Err(error) if error.kind.scope() == Scope::Account => return Ok(Err(error)),
                Err(error) => self.problem(&id, Version::new("unread"), error.to_string()),
            };
            if let Some(problem) = &observation.problem {
                failures.push(self.failure(&observation, problem));
            }
            seen.insert(id, Some(observation.version.clone()));
            observations.push(observation);
        }
        self.keep(observations, failures).await?;
        Ok(Ok(seen))
    }

    fn observe(&self, document: &Document) -> Observation {
        match read(self.class, document, &self.context) {
            Ok(content) => Observation {
                side: self.side,
                class: self.class,
                id: document.id.clone(),
                version: document.version.clone(),
                content: Some(content),
                problem: None,
            },
            Err(problem) => self.problem(&document.id, document.version.clone(), problem),
        }
    }

    fn problem(&self, id: &ItemId, version: Version, problem: String) -> Observation {
        let (side, class) = (self.side, self.class);
        Observation { side, class, id: id.clone(), version, content: None, problem: Some(problem) }
    }

    fn failure(&self, observation: &Observation, problem: &str) -> Failure {
        Failure {
            side: self.side,
            class: self.class,
            id: observation.id.clone(),
            version: observation.version.clone(),
            reason: problem.to_owned(),
            hint: Some(
                "correct the item where it is kept; it is read again when it changes".to_owned(),
            ),
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
                    quarantine::put(tx, failure, now)?;
                }
                observation::upsert(tx, round, &observations)
            })
            .await
    }

    async fn forget(&self, gone: BTreeSet<ItemId>) -> store::Result<()> {
        if gone.is_empty() {
            return Ok(());
        }
        let (side, class) = (self.side, self.class);
        let gone: Vec<ItemId> = gone.into_iter().collect();
        self.engine
            .store
            .write(move |tx| {
                quarantine::remove(tx, side, class, &gone)?;
                store::decision::remove(tx, class, &gone)?;
                observation::remove(tx, side, class, &gone)
            })
            .await
    }
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
