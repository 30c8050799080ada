//! Which messages take part. They are many and few of them matter, so that they pass a [`Sieve`] in portions: each gets its
//! decision, and only those that are tracked, or belong to what is in the CRM, are kept in memory.
//!
//! What is read passes as it comes, and its decisions are stored with it. In a first look that is all there is. Otherwise all
//! that is stored passes once more: what was linked or marked since may concern any of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::sieve::{Findings, Remembered, Sieve, Sifted};
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
use crate::store::observation;
use crate::store::round::RoundId;

/// How many messages are in memory at a time.
const PORTION: u32 = 1000;

impl Engine {
    /// For messages as they are read.
    pub(super) async fn sieve(&self) -> store::Result<Sieve> {
        let (side, class) = (Side::Mailbox, Class::Email);
        let is_first = self.store.read(move |db| observation::is_empty(db, side, class)).await?;
        Sieve::new(self, is_first).await
    }

    /// Decides over every message that is not linked, and stores the decisions: unless all have passed this sieve, and nothing
    /// was tracked or untracked meanwhile.
    pub(super) async fn sift(&self, round: RoundId, passed: Sieve) -> Stored<Sifted> {
        if passed.holds(&Remembered::load(self).await?) {
            passed.remember_rules(self).await?;
            return Ok(passed.sifted());
        }
        let mut sieve = Sieve::new(self, true).await?.taught_by(passed);
        let mut coming = self.portion(String::new()).await?;
        while let Some((last, _)) = coming.0.last() {
            let after = last.as_str().to_owned();
            let (portion, old) = coming;
            let findings = sieve.pass_stored(self, round, &portion, &old).await;
            // While these are stored, the next are read.
            let (stored, next) = tokio::join!(self.store_findings(findings), self.portion(after));
            stored?;
            coming = next?;
        }
        let findings = sieve.finish(self, round).await;
        self.store_findings(findings).await?;
        sieve.remember_rules(self).await?;
        Ok(sieve.sifted())
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

    async fn store_findings(&self, findings: Findings) -> store::Result<()> {
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
        let readable: Vec<(ItemId, Content)> =
            read.iter().filter_map(|read| read.as_ref().ok()).cloned().collect();
        let mut sieve = Sieve::new(self, false).await?;
        sieve.ask(self, &readable).await?;
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
