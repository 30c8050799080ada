//! Which messages take part. They are many and few of them matter, so that they pass by in portions: each gets its decision,
//! and only those that are tracked, or belong to what is in the CRM, are kept in memory.
//!
//! In a first look they pass as they are read, and are not read back. Otherwise all that is stored passes: what was linked or
//! marked since may concern any of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::part::mark;
use super::stock::Assembly;
use super::world::Stored;
use crate::connector;
use crate::filter::email;
use crate::model::{Address, Class, Content, Fields, ItemId, Link, Side, Traits, Uid, Version};
use crate::plan::Seen;
use crate::store;
use crate::store::decision::{self, Decision, Outcome};
use crate::store::observation::{self, Observation};
use crate::store::round::RoundId;

/// How many messages are in memory at a time.
const PORTION: u32 = 1000;

/// What passed the sieve.
#[derive(Debug, Default)]
pub(super) struct Sifted {
    /// The messages to be filed, with the rule that says so.
    pub(super) tracked: BTreeMap<ItemId, String>,
    /// Their names.
    uids: BTreeMap<ItemId, Uid>,
    /// The tracked ones, and those with the name of something that is in the CRM, perhaps moved from another folder.
    pub(super) kept: BTreeSet<ItemId>,
}

/// What decisions follow from, beside the message, and what they led to until now.
#[derive(Debug)]
pub(super) struct Sieve {
    policy: email::Policy,
    known: Known,
    linked: BTreeSet<ItemId>,
    promoted: BTreeSet<Uid>,
    /// Senders that the CRM was asked about, and those of them that it knows.
    asked: BTreeSet<Address>,
    senders: BTreeSet<Address>,
    sifted: Sifted,
    /// Whether some messages passed without a decision.
    is_torn: bool,
}

/// What is stored about what was, or shall be, tracked.
#[derive(Debug, PartialEq)]
struct Known {
    links: Vec<Link>,
    marks: BTreeMap<Uid, bool>,
}

impl Engine {
    /// For the messages of a first look; nothing when some have been seen before.
    pub(super) async fn first_sieve(&self) -> store::Result<Option<Sieve>> {
        let (side, class) = (Side::Mailbox, Class::Email);
        let is_first = self.store.read(move |db| observation::is_empty(db, side, class)).await?;
        Ok(if is_first { Some(self.sieve().await?) } else { None })
    }

    async fn sieve(&self) -> store::Result<Sieve> {
        let known = self.known_messages().await?;
        Ok(Sieve {
            policy: self.class(Class::Email).email,
            linked: known.links.iter().map(|link| link.item.clone()).collect(),
            promoted: known.links.iter().map(|link| link.uid.clone()).collect(),
            known,
            asked: BTreeSet::new(),
            senders: BTreeSet::new(),
            sifted: Sifted::default(),
            is_torn: false,
        })
    }

    async fn known_messages(&self) -> store::Result<Known> {
        self.store
            .read(|db| {
                let class = Class::Email;
                Ok(Known {
                    links: store::link::all(db, class)?,
                    marks: store::mark::all(db, class)?,
                })
            })
            .await
    }

    /// Decides over every message that is not linked, and stores the decisions: unless all have passed this sieve, and nothing
    /// was tracked or untracked meanwhile.
    pub(super) async fn sift(&self, round: RoundId, passed: Option<Sieve>) -> Stored<Sifted> {
        if let Some(sieve) = passed
            && !sieve.is_torn
            && sieve.known == self.known_messages().await?
        {
            return Ok(Ok(sieve.sifted));
        }
        let mut sieve = self.sieve().await?;
        let mut coming = self.portion(String::new()).await?;
        while let Some((last, _)) = coming.0.last() {
            let after = last.as_str().to_owned();
            let (portion, old) = coming;
            let portion: Vec<_> = portion.iter().map(|(id, content)| (id, content)).collect();
            if let Err(error) = sieve.meet_senders(self, &portion).await {
                return Ok(Err(error));
            }
            let decisions = sieve.decide(self, round, &portion, &old);
            // While these are stored, the next are read.
            let (stored, next) = tokio::join!(self.store_decisions(decisions), self.portion(after));
            stored?;
            coming = next?;
        }
        Ok(Ok(sieve.sifted))
    }

    /// Some of the messages behind this one, with what was decided over them.
    async fn portion(
        &self,
        after: String,
    ) -> store::Result<(Vec<(ItemId, Content)>, BTreeMap<ItemId, Decision>)> {
        let (side, class) = (Side::Mailbox, Class::Email);
        self.store
            .read(move |db| {
                let portion = observation::contents_after(db, side, class, &after, PORTION)?;
                let old = decision::of(db, class, portion.iter().map(|(id, _)| id))?;
                Ok((portion, old))
            })
            .await
    }

    async fn store_decisions(&self, decisions: Vec<Decision>) -> store::Result<()> {
        if decisions.is_empty() {
            return Ok(());
        }
        self.store.write(move |tx| decision::upsert(tx, &decisions)).await
    }
    /// Messages that someone filed already, by whatever program, are adopted and not filed again.
    pub(super) async fn find_filed(
        &self,
        seen: &mut Assembly,
        sifted: &mut Sifted,
    ) -> connector::Result<()> {
        // Of several copies of one message, one goes on.
        sifted.tracked.retain(|id, _| seen.heads.contains_key(id));
        let uids: BTreeSet<Uid> =
            sifted.tracked.keys().filter_map(|id| sifted.uids.get(id)).cloned().collect();
        if uids.is_empty() {
            return Ok(());
        }
        let uids: Vec<Uid> = uids.into_iter().collect();
        for (uid, record) in self.crm.find(Class::Email, &uids).await? {
            let content = Content { uid, fields: Fields::new(), traits: Traits::default() };
            let here =
                Seen::Here { version: Version::new("filed"), content: Some(Box::new(content)) };
            seen.records.insert(record, here);
        }
        Ok(())
    }
}

impl Sieve {
    /// Decides over messages that were just read. The decisions are the caller's to store.
    pub(super) async fn pass(
        &mut self,
        engine: &Engine,
        round: RoundId,
        read: &[Observation],
    ) -> Vec<Decision> {
        let portion: Vec<_> =
            read.iter().filter_map(|read| Some((&read.id, read.content.as_ref()?))).collect();
        // Without the CRM there is no decision yet, but what was read is worth keeping.
        self.is_torn = self.is_torn || self.meet_senders(engine, &portion).await.is_err();
        if self.is_torn {
            return Vec::new();
        }
        self.decide(engine, round, &portion, &BTreeMap::new())
    }

    /// The decisions that differ from the old ones.
    fn decide(
        &mut self,
        engine: &Engine,
        round: RoundId,
        portion: &[(&ItemId, &Content)],
        old: &BTreeMap<ItemId, Decision>,
    ) -> Vec<Decision> {
        let (class, at) = (Class::Email, engine.clock.now());
        let mut decisions = Vec::new();
        for (id, content) in portion.iter().copied() {
            if self.linked.contains(id) || self.promoted.contains(&content.uid) {
                self.sifted.kept.insert(id.clone());
            }
            if self.linked.contains(id) {
                continue;
            }
            let around = email::Surroundings {
                folder: id.collection(),
                promoted: &self.promoted,
                known: &self.senders,
            };
            let mark = mark(self.known.marks.get(&content.uid));
            let decided = email::decide(content, mark, around, self.policy).decision;
            let outcome = if decided.tracked { Outcome::Tracked } else { Outcome::Skipped };
            if decided.tracked {
                self.sifted.kept.insert(id.clone());
                self.sifted.uids.insert(id.clone(), content.uid.clone());
                self.sifted.tracked.insert(id.clone(), decided.rule.clone());
            }
            if old.get(id).is_none_or(|old| old.outcome != outcome || old.rule != decided.rule) {
                let (item, rule) = (id.clone(), decided.rule);
                decisions.push(Decision { class, item, outcome, rule, round, at });
            }
        }
        decisions
    }

    /// Asks which senders the CRM knows, once each, and only where a rule wants it.
    async fn meet_senders(
        &mut self,
        engine: &Engine,
        portion: &[(&ItemId, &Content)],
    ) -> connector::Result<()> {
        if self.policy.automatic != email::Automatic::KnownSenders {
            return Ok(());
        }
        let strangers: BTreeSet<Address> = portion
            .iter()
            .filter(|(id, _)| !self.linked.contains(*id))
            .flat_map(|(_, content)| email::senders(content))
            .filter(|address| !self.asked.contains(address))
            .collect();
        if strangers.is_empty() {
            return Ok(());
        }
        let strangers: Vec<Address> = strangers.into_iter().collect();
        let people = engine.crm.resolve(&strangers).await?;
        let is_known = |address: &&Address| {
            people.get(*address).is_some_and(|party| party.table != "systemuser")
        };
        self.senders.extend(strangers.iter().filter(is_known).cloned());
        self.asked.extend(strangers);
        Ok(())
    }
}
