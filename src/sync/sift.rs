//! Which messages take part. They are many and few of them matter, so that they pass a [`Sieve`] in portions: each gets its
//! decision, and only those that are tracked, or belong to what is in the CRM, are kept in memory.
//!
//! What is read passes as it comes, and is stored with its decision. Then those pass that a plan follows from: the ones that are to
//! be filed, and the ones that something happened to. A message that was left out may answer one that was filed since, and is
//! found by what it refers to ([`decision::naming`]). When the rules are others, all pass.

use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::sieve::{Passed, RULES_KEY, Sieve, Sifted};
use super::stock::Assembly;
use super::world::Stored;
use crate::connector;
use crate::filter::email::Verdict;
use crate::mapping;
use crate::model::record::PartyRef;
use crate::model::{Class, Content, Fields, ItemId, Side, Traits, Uid, Version};
use crate::plan::Seen;
use crate::store;
use crate::store::decision::{self, Decision};
use crate::store::observation::{self, Observation};
use crate::store::round::RoundId;
use crate::store::{link, touched};

/// How many messages are in memory at a time.
const PORTION: usize = 1000;

/// Whom to look at.
struct Concerned {
    ids: Vec<ItemId>,
    /// The names to which something happened, as far as this look takes account of it.
    touched: BTreeSet<Uid>,
    /// The names of linked messages that are not where they were.
    astray: BTreeMap<Uid, bool>,
}

impl Engine {
    /// For messages as they are read.
    pub(super) async fn sieve(&self) -> store::Result<Sieve> {
        let (side, class) = (Side::Mailbox, Class::Email);
        let is_first = self.store.read(move |db| observation::is_empty(db, side, class)).await?;
        Ok(Sieve::new(self, false).await?.first(is_first))
    }

    /// Gathers what a plan follows from, and decides once more over what may have changed. `passed` is what was read.
    pub(super) async fn sift(&self, round: RoundId, passed: Sieve) -> Stored<Sifted> {
        let sieve = Sieve::new(self, true).await?.taught_by(passed);
        let Concerned { ids, touched, astray } = self.concerned(&sieve).await?;
        let mut sieve = sieve.missing(astray);
        for ids in ids.chunks(PORTION) {
            let (portion, old) = self.portion(ids).await?;
            let passed = sieve.pass(self, round, portion, &old).await;
            self.store_findings(passed).await?;
        }
        let passed = sieve.finish(self, round).await;
        self.store_findings(passed).await?;
        let (side, class, twins) = (Side::Mailbox, Class::Email, sieve.twins_of_tracked());
        let filed =
            self.store.read(move |db| observation::contents(db, side, class, &twins)).await?;
        sieve.tell_twins(self, round, filed.values());
        let last = sieve.last();
        let rules = sieve.new_rules();
        self.store
            .write(move |tx| {
                touched::remove(tx, &touched)?;
                last.store(tx)?;
                rules.map_or(Ok(()), |rules| store::meta::set(tx, RULES_KEY, &rules))
            })
            .await?;
        Ok(sieve.sifted())
    }

    /// The messages that are to be filed or wait for a decision, and those that something happened to.
    async fn concerned(&self, sieve: &Sieve) -> store::Result<Concerned> {
        let (starts_over, mut digests) = (sieve.starts_over(), sieve.learned());
        self.store
            .read(move |db| {
                let touched = touched::all(db)?;
                let astray = link::astray(db, Class::Email)?;
                if starts_over {
                    let ids = observation::versions(db, Side::Mailbox, Class::Email)?;
                    return Ok(Concerned { ids: ids.into_keys().collect(), touched, astray });
                }
                let mut ids = decision::open(db)?;
                let moved = astray.iter().filter(|(_, is_old)| !**is_old).map(|(uid, _)| uid);
                digests
                    .extend(touched.iter().chain(moved).map(|uid| decision::short(uid.as_str())));
                if !digests.is_empty() {
                    ids.extend(decision::naming(db, &digests)?);
                }
                Ok(Concerned { ids: ids.into_iter().collect(), touched, astray })
            })
            .await
    }

    /// Some messages, with what was decided over them.
    async fn portion(
        &self,
        ids: &[ItemId],
    ) -> store::Result<(Vec<Observation>, BTreeMap<ItemId, Decision>)> {
        let (side, class, ids) = (Side::Mailbox, Class::Email, ids.to_vec());
        self.store
            .read(move |db| {
                let portion = observation::of(db, side, class, &ids)?;
                Ok((portion, decision::of(db, class, &ids)?))
            })
            .await
    }

    async fn store_findings(&self, passed: Passed) -> store::Result<()> {
        let findings = passed.findings;
        if findings.is_empty() {
            return Ok(());
        }
        self.store.write(move |tx| findings.store(tx)).await
    }

    /// What the rules would do with messages in this folder, and what each would be about. Stores nothing.
    ///
    /// # Errors
    /// When the store is lost or the CRM gives no answer; within, why a message cannot be judged.
    pub async fn try_rules(
        &self,
        folder: &str,
        messages: &[Vec<u8>],
    ) -> anyhow::Result<Vec<Result<(Verdict, Option<PartyRef>), String>>> {
        let context = self.context();
        let read = |(number, bytes): (usize, &Vec<u8>)| {
            let id = ItemId::new(format!("{folder}/{number}"));
            let told = mapping::email::head(bytes, &BTreeSet::new(), &context);
            told.map(|told| (id, told)).map_err(|unreadable| unreadable.to_string())
        };
        let read: Vec<Result<(ItemId, Content), String>> =
            messages.iter().enumerate().map(read).collect();
        let readable: Vec<&Content> = read.iter().flatten().map(|(_, content)| content).collect();
        let mut sieve = Sieve::new(self, false).await?;
        sieve.ask_about(self, &readable).await?;
        Ok(read
            .into_iter()
            .map(|read| read.map(|(id, content)| sieve.verdict(&id, &content)))
            .collect())
    }

    /// Messages that someone filed already, by whatever program, are adopted and not filed again.
    pub(super) async fn find_filed(
        &self,
        seen: &mut Assembly,
        sifted: &mut Sifted,
    ) -> connector::Result<()> {
        // Of several copies of one message, one goes on.
        sifted.tracked.retain(|id, _| seen.heads.contains_key(id));
        let contents = sifted.tracked.keys().filter_map(|id| sifted.contents.get(id));
        let uids: BTreeSet<Uid> = contents.map(|content| content.uid.clone()).collect();
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
