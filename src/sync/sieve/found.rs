//! What is known when messages pass a sieve, and what is found out about them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::filter::email::{self, thread};
use crate::mapping::Filing;
use crate::model::{Address, Class, Content, ItemId, Link, RecordId, Side, Similar, Uid};
use crate::store::decision::{self, Decision, Outcome};
use crate::store::observation::Observation;
use crate::store::regarding::Wish;
use crate::store::round::RoundId;
use crate::store::{self, fingerprint, meta, observation, tagged, touched};
use crate::sync::Engine;

/// Where the store keeps what the rules were when all messages were last decided over.
pub(in crate::sync) const RULES_KEY: &str = "rules/email";

/// What passed the sieve.
#[derive(Debug, Default)]
pub(in crate::sync) struct Sifted {
    /// The messages to be filed, with the rule that says so.
    pub(in crate::sync) tracked: BTreeMap<ItemId, String>,
    /// What they say.
    pub(in crate::sync) contents: BTreeMap<ItemId, Content>,
    /// The tracked ones, those that are linked, and those with the name of something that is in the CRM, perhaps moved from
    /// another folder.
    pub(in crate::sync) kept: BTreeSet<ItemId>,
    /// What the tracked ones are filed with.
    pub(in crate::sync) filing: BTreeMap<Uid, Filing>,
    /// Linked ones without the keyword, and ones that the user left out and that still have it.
    pub(in crate::sync) to_tag: BTreeSet<ItemId>,
    pub(in crate::sync) to_untag: BTreeSet<ItemId>,
}

/// Messages that passed, and what is to be stored with them: none is, before there is a decision over it.
#[derive(Debug, Default)]
pub(in crate::sync) struct Passed {
    pub(in crate::sync) observations: Vec<Observation>,
    pub(in crate::sync) findings: Findings,
}

impl Passed {
    /// # Errors
    /// Only the store's own.
    pub(in crate::sync) fn store(
        &self,
        tx: &store::Transaction<'_>,
        round: RoundId,
    ) -> store::Result<()> {
        observation::upsert(tx, round, &self.observations)?;
        self.findings.store(tx)
    }
}

/// What is to be stored of messages that passed.
#[derive(Debug, Default)]
pub(in crate::sync) struct Findings {
    pub(in crate::sync) decisions: Vec<Decision>,
    /// What the user said by setting or removing the keyword.
    pub(in crate::sync) marks: BTreeMap<Uid, (bool, Timestamp)>,
    pub(in crate::sync) tagged: BTreeSet<ItemId>,
    pub(in crate::sync) untagged: BTreeSet<ItemId>,
    /// What filed messages look like.
    pub(in crate::sync) prints: BTreeMap<Uid, String>,
    /// Names that are to be looked at again.
    pub(in crate::sync) touched: BTreeSet<Uid>,
}

impl Findings {
    pub(in crate::sync) fn is_empty(&self) -> bool {
        self.decisions.is_empty()
            && self.marks.is_empty()
            && self.tagged.is_empty()
            && self.untagged.is_empty()
            && self.prints.is_empty()
            && self.touched.is_empty()
    }

    /// # Errors
    /// Only the store's own.
    pub(in crate::sync) fn store(&self, tx: &store::Transaction<'_>) -> store::Result<()> {
        decision::upsert(tx, &self.decisions)?;
        tagged::add(tx, &self.tagged)?;
        tagged::remove(tx, &self.untagged)?;
        fingerprint::add(tx, &self.prints)?;
        touched::add(tx, &self.touched)?;
        self.marks
            .iter()
            .try_for_each(|(uid, (said, at))| store::mark::set(tx, Class::Email, uid, *said, *at))
    }
}

/// What the store knows that decisions follow from.
#[derive(Debug)]
pub(in crate::sync) struct Remembered {
    pub(in crate::sync) links: Vec<Link>,
    pub(in crate::sync) marks: BTreeMap<Uid, bool>,
    pub(in crate::sync) tagged: BTreeSet<ItemId>,
    pub(in crate::sync) wishes: BTreeMap<Uid, Wish>,
    pub(in crate::sync) rules: Option<String>,
    pub(in crate::sync) prints: BTreeMap<Uid, String>,
}

impl Remembered {
    /// # Errors
    /// When the store is lost.
    pub(in crate::sync) async fn load(engine: &Engine) -> store::Result<Self> {
        engine
            .store
            .read(|db| {
                let class = Class::Email;
                Ok(Self {
                    links: store::link::all(db, class)?,
                    marks: store::mark::all(db, class)?,
                    tagged: tagged::all(db)?,
                    wishes: store::regarding::all(db)?,
                    rules: meta::get(db, RULES_KEY)?,
                    prints: fingerprint::all(db)?,
                })
            })
            .await
    }
}

/// What is filed in one go with what it answers is about the same.
pub(super) fn inherit(filing: &mut BTreeMap<Uid, Filing>) {
    let heirs: Vec<Uid> = filing
        .iter()
        .filter(|(_, of)| of.regarding.is_none() && !of.is_said)
        .map(|(uid, _)| uid.clone())
        .collect();
    for uid in heirs {
        let mut met = BTreeSet::from([uid.clone()]);
        let mut next = filing.get(&uid).and_then(|of| of.answers.clone());
        while let Some(parent) = next.take().filter(|parent| met.insert(parent.clone())) {
            let Some(of) = filing.get(&parent) else { break };
            if of.regarding.is_some() || of.is_said {
                let regarding = of.regarding.clone();
                if let Some(heir) = filing.get_mut(&uid) {
                    heir.regarding = regarding;
                }
                break;
            }
            next.clone_from(&of.answers);
        }
    }
}

/// A decision that says no more than this.
pub(super) fn plain(
    item: ItemId,
    outcome: Outcome,
    rule: String,
    round: RoundId,
    engine: &Engine,
) -> Decision {
    let (class, at) = (Class::Email, engine.clock.now());
    let (looked, names) = (String::new(), Vec::new());
    Decision { class, item, outcome, rule, looked, parent: None, names, round, at }
}

/// Differs when messages may be decided over differently.
pub(super) fn digest(policy: &email::Policy, me: &BTreeSet<Address>) -> String {
    let me: Vec<&str> = me.iter().map(Address::as_str).collect();
    format!("{:x}", Sha256::digest(format!("{} {me:?}", policy.fingerprint())))
}

/// What smart matching compares with: what is filed.
pub(super) async fn similar(engine: &Engine, links: &[Link]) -> store::Result<Vec<Similar>> {
    let records: BTreeMap<ItemId, ItemId> =
        links.iter().map(|link| (link.item.clone(), link.record.clone())).collect();
    let items: Vec<ItemId> = records.keys().cloned().collect();
    let contents = engine
        .store
        .read(move |db| {
            let side = Side::Mailbox;
            observation::contents(db, side, Class::Email, &items)
        })
        .await?;
    let similar = contents.into_iter().filter_map(|(id, content)| {
        Some(Similar {
            record: RecordId::parse(records.get(&id)?)?,
            subject: thread::subject(&content).unwrap_or_default().to_owned(),
            people: thread::people(&content).into_iter().collect(),
        })
    });
    Ok(similar.collect())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::record::PartyRef;

    #[test]
    fn what_is_filed_together_is_about_the_same() {
        let account = PartyRef { table: "account".to_owned(), guid: Uuid::from_u128(1) };
        let of = |answers: Option<&str>, regarding: Option<&PartyRef>, is_said| Filing {
            regarding: regarding.cloned(),
            is_said,
            parent: None,
            answers: answers.map(Uid::new),
        };
        let mut filing = BTreeMap::from([
            (Uid::new("a"), of(None, Some(&account), false)),
            (Uid::new("b"), of(Some("a"), None, false)),
            (Uid::new("c"), of(Some("b"), None, false)),
            (Uid::new("d"), of(Some("c"), None, true)),
            (Uid::new("e"), of(Some("d"), None, false)),
            // A circle ends.
            (Uid::new("x"), of(Some("y"), None, false)),
            (Uid::new("y"), of(Some("x"), None, false)),
        ]);
        inherit(&mut filing);
        let about: Vec<&str> = filing
            .iter()
            .filter(|(_, of)| of.regarding.is_some())
            .map(|(uid, _)| uid.as_str())
            .collect();
        assert_eq!(about, ["a", "b", "c"]);
    }
}
