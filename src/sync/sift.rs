//! Which messages take part. They are many and few of them matter, so that they pass by in portions: each gets its decision,
//! and only those that are tracked, or belong to what is in the CRM, are kept in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::part::mark;
use super::stock::Assembly;
use super::world::Stored;
use crate::connector;
use crate::filter::email;
use crate::model::{Address, Class, Content, Fields, ItemId, Side, Traits, Uid, Version};
use crate::plan::Seen;
use crate::store;
use crate::store::decision::{self, Decision, Outcome};
use crate::store::observation;
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

/// What decisions follow from, beside the message.
struct Sieve {
    policy: email::Policy,
    linked: BTreeSet<ItemId>,
    promoted: BTreeSet<Uid>,
    marks: BTreeMap<Uid, bool>,
    /// Senders that the CRM was asked about: whether it knows them.
    senders: BTreeMap<Address, bool>,
}

impl Engine {
    /// Decides over every message that is not linked, and stores the decisions.
    pub(super) async fn sift(&self, round: RoundId) -> Stored<Sifted> {
        let (links, marks) = self
            .store
            .read(|db| {
                Ok((store::link::all(db, Class::Email)?, store::mark::all(db, Class::Email)?))
            })
            .await?;
        let mut sieve = Sieve {
            policy: self.class(Class::Email).email,
            linked: links.iter().map(|link| link.item.clone()).collect(),
            promoted: links.into_iter().map(|link| link.uid).collect(),
            marks,
            senders: BTreeMap::new(),
        };
        let mut sifted = Sifted::default();
        let mut after = String::new();
        loop {
            let (from, side) = (after.clone(), Side::Mailbox);
            let (portion, old) = self
                .store
                .read(move |db| {
                    let portion =
                        observation::contents_after(db, side, Class::Email, &from, PORTION)?;
                    let ids = portion.iter().map(|(id, _)| id);
                    let old = decision::of(db, Class::Email, ids)?;
                    Ok((portion, old))
                })
                .await?;
            let Some((last, _)) = portion.last() else { break };
            after = last.as_str().to_owned();
            if let Err(error) = self.meet_senders(&mut sieve, &portion).await {
                return Ok(Err(error));
            }
            let decisions = self.decide_portion(round, &sieve, &portion, &old, &mut sifted);
            if !decisions.is_empty() {
                self.store.write(move |tx| decision::upsert(tx, &decisions)).await?;
            }
        }
        Ok(Ok(sifted))
    }

    /// The decisions that differ from the old ones.
    fn decide_portion(
        &self,
        round: RoundId,
        sieve: &Sieve,
        portion: &[(ItemId, Content)],
        old: &BTreeMap<ItemId, Decision>,
        sifted: &mut Sifted,
    ) -> Vec<Decision> {
        let known: BTreeSet<Address> = sieve
            .senders
            .iter()
            .filter(|(_, known)| **known)
            .map(|(address, _)| address.clone())
            .collect();
        let mut decisions = Vec::new();
        for (id, content) in portion {
            if sieve.linked.contains(id) || sieve.promoted.contains(&content.uid) {
                sifted.kept.insert(id.clone());
            }
            if sieve.linked.contains(id) {
                continue;
            }
            let around = email::Surroundings {
                folder: id.collection(),
                promoted: &sieve.promoted,
                known: &known,
            };
            let mark = mark(sieve.marks.get(&content.uid));
            let decided = email::decide(content, mark, around, sieve.policy).decision;
            let outcome = if decided.tracked { Outcome::Tracked } else { Outcome::Skipped };
            if old.get(id).is_none_or(|old| old.outcome != outcome || old.rule != decided.rule) {
                let (item, rule, at) = (id.clone(), decided.rule.clone(), self.clock.now());
                decisions.push(Decision { class: Class::Email, item, outcome, rule, round, at });
            }
            if decided.tracked {
                sifted.kept.insert(id.clone());
                sifted.uids.insert(id.clone(), content.uid.clone());
                sifted.tracked.insert(id.clone(), decided.rule);
            }
        }
        decisions
    }

    /// Asks which senders the CRM knows, once each, and only where a rule wants it.
    async fn meet_senders(
        &self,
        sieve: &mut Sieve,
        portion: &[(ItemId, Content)],
    ) -> connector::Result<()> {
        if sieve.policy.automatic != email::Automatic::KnownSenders {
            return Ok(());
        }
        let strangers: BTreeSet<Address> = portion
            .iter()
            .filter(|(id, _)| !sieve.linked.contains(id))
            .flat_map(|(_, content)| email::senders(content))
            .filter(|address| !sieve.senders.contains_key(address))
            .collect();
        if strangers.is_empty() {
            return Ok(());
        }
        let strangers: Vec<Address> = strangers.into_iter().collect();
        let people = self.crm.resolve(&strangers).await?;
        for address in strangers {
            let party = people.get(&address);
            let known = party.is_some_and(|party| party.table != "systemuser");
            sieve.senders.insert(address, known);
        }
        Ok(())
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
