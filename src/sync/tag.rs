//! Gives the keyword of tracked messages to those that are in the CRM, so that any mail program shows it, and takes it from
//! those that the user left out. Where the mailbox keeps no keywords, nothing happens, and nothing else depends on it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Engine, note, observe};
use crate::connector::{self, Connector, ErrorKind, Write, Written};
use crate::filter::TRACKED_KEYWORD;
use crate::model::{Class, ItemId, Side};
use crate::store::journal::{self, Action, Answer, Intent, Outcome};
use crate::store::observation::Observation;
use crate::store::round::RoundId;
use crate::store::{self, meta, observation, tagged};

/// How many messages are marked in one go.
const BATCH: usize = 500;

/// Where the store keeps that a collection of this source takes no keywords.
fn refuses_key(collection: &str) -> String {
    format!("keywords/{collection}")
}

impl Engine {
    /// Sets and clears the keyword. A message that cannot be marked stays as it is, and is tried again when it is looked at.
    ///
    /// # Errors
    /// When the store is lost.
    pub(super) async fn tag(
        &self,
        round: RoundId,
        to_tag: &BTreeSet<ItemId>,
        to_untag: &BTreeSet<ItemId>,
    ) -> store::Result<()> {
        let Some(mailbox) = self.mailbox.get(&Class::Email) else { return Ok(()) };
        let to_tag = self.taking_keywords(mailbox.as_ref(), to_tag).await?;
        for (ids, set) in [(to_tag, true), (to_untag.iter().cloned().collect(), false)] {
            for ids in ids.chunks(BATCH) {
                if !self.tag_some(mailbox.as_ref(), round, ids, set).await? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Those in collections that are not known to refuse keywords.
    pub(super) async fn taking_keywords(
        &self,
        mailbox: &dyn Connector,
        ids: &BTreeSet<ItemId>,
    ) -> store::Result<Vec<ItemId>> {
        let mut by_collection: BTreeMap<String, Vec<ItemId>> = BTreeMap::new();
        for id in ids {
            by_collection.entry(id.collection().to_owned()).or_default().push(id.clone());
        }
        let source = mailbox.source();
        self.store
            .read(move |db| {
                let mut taking = Vec::new();
                for (collection, ids) in by_collection {
                    if meta::get(db, &refuses_key(&collection))?.as_deref() != Some(&source) {
                        taking.extend(ids);
                    }
                }
                Ok(taking)
            })
            .await
    }

    /// Whether to go on.
    async fn tag_some(
        &self,
        mailbox: &dyn Connector,
        round: RoundId,
        ids: &[ItemId],
        set: bool,
    ) -> store::Result<bool> {
        if let Some(failure) = self.prove().await {
            tracing::warn!(kind = failure.kind.as_str(), "messages were not marked");
            return Ok(false);
        }
        let (now, intents) = (self.clock.now(), ids.iter().map(|id| intent(id, set)).collect());
        let intents: Vec<Intent> = intents;
        let entries = self.store.write(move |tx| journal::intend(tx, round, now, &intents)).await?;
        let mark =
            |id: &ItemId| Write::Mark { id: id.clone(), mark: TRACKED_KEYWORD.to_owned(), set };
        let results = match mailbox.write(Class::Email, ids.iter().map(mark).collect()).await {
            Ok(results) => results,
            Err(error) => {
                error.warn("messages could not be marked");
                ids.iter().map(|_| Err(connector::Error::new(error.kind, String::new()))).collect()
            }
        };
        let goes_on = results.iter().any(Result::is_ok);
        let (source, context, now) = (mailbox.source(), self.context(), self.clock.now());
        let outcomes: Vec<_> = ids.iter().cloned().zip(entries).zip(results).collect();
        self.store
            .write(move |tx| {
                for ((id, entry), result) in outcomes {
                    journal::finish(tx, entry, &answer(&id, &result), now)?;
                    match result {
                        Ok(written) => marked(tx, round, id, set, &written, &context)?,
                        Err(error) if error.kind == ErrorKind::Unsupported => {
                            meta::set(tx, &refuses_key(id.collection()), &source)?;
                        }
                        Err(_) => {}
                    }
                }
                Ok(())
            })
            .await?;
        Ok(goes_on)
    }
}

/// Remembers what was set, so that it is not taken for the user's doing, and what the message is like now.
fn marked(
    tx: &store::Transaction<'_>,
    round: RoundId,
    id: ItemId,
    set: bool,
    written: &Written,
    context: &crate::mapping::Context,
) -> store::Result<()> {
    let (side, class, ids) = (Side::Mailbox, Class::Email, BTreeSet::from([id.clone()]));
    if set {
        tagged::add(tx, &ids)?;
    } else {
        tagged::remove(tx, &ids)?;
    }
    let Some(document) = written.document.as_ref().filter(|document| document.id == id) else {
        return Ok(());
    };
    let Ok(told) = observe::read(class, document, context) else { return Ok(()) };
    let version = document.version.clone();
    let now = Observation { side, class, id, version, content: Some(told), problem: None };
    observation::upsert(tx, round, &[now])
}

fn intent(id: &ItemId, set: bool) -> Intent {
    let why = if set { "it is in the CRM" } else { "you untracked it" };
    note::intent(Side::Mailbox, Action::Mark, id, why.to_owned(), format!("mark {id} {set}"))
}

fn answer(id: &ItemId, result: &connector::Result<Written>) -> Answer {
    let document = result.as_ref().ok().and_then(|written| written.document.as_ref());
    Answer {
        // Setting a mark twice is setting it once: nothing is left open.
        outcome: if result.is_ok() { Outcome::Done } else { Outcome::Refused },
        id: Some(id.clone()),
        version: document.map(|document| document.version.clone()),
        ..note::answer(result)
    }
}
