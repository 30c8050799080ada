//! What decides over messages as they pass: what the store knows, what the CRM was asked, and what the user's marks became.
//! It keeps nothing of a message that does not matter, and stores nothing itself.
//!
//! The CRM is only asked about messages whose decision hangs on its answer, many at a time, and about each message once: what
//! was decided stays decided, until the rules change, or what is linked or marked here.

use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::part::mark;
use crate::connector;
use crate::filter::email::{self, Automatic, Known, Verdict, folder, thread};
use crate::filter::{Mark, TRACKED_KEYWORD};
use crate::mapping::Filing;
use crate::model::record::PartyRef;
use crate::model::{
    Address, Class, Clue, Content, Filed, ItemId, Link, LinkState, RecordId, Similar, Uid,
};
use crate::store::decision::{Decision, Outcome};
use crate::store::observation::Observation;
use crate::store::round::RoundId;
use crate::store::{self, meta};

mod found;
mod twins;

pub(super) use found::{Findings, Remembered, Sifted};
use found::{RULES_KEY, inherit};
use twins::Twins;

/// So many messages wait for one question.
const ASK_AT: usize = 1000;

/// What a message is called that waits for the CRM.
const NOT_ASKED: &str = "the CRM could not be asked";
const UNREADABLE: &str = "it cannot be read";
/// What becomes of messages that are not what their names say.
const RENAMED: &str = "it is in the CRM already, under another Message-ID";
const REPEATED: &str = "another message has its Message-ID, and another date";

/// Decides over messages.
#[derive(Debug)]
pub(super) struct Sieve {
    policy: email::Policy,
    me: BTreeSet<Address>,
    /// What the store knows, with what is stored of what passed.
    remembered: Remembered,
    /// The digest of the policy.
    rules: String,
    /// Whether all that was decided before was decided by it.
    same_rules: bool,
    /// Whether all messages pass, so that what is sifted is all there is.
    pub(super) is_whole: bool,
    /// The links of items that are there, and whether they are kept in step.
    linked: BTreeMap<ItemId, bool>,
    promoted: BTreeSet<Uid>,
    known: Known,
    asked: BTreeSet<Clue>,
    asked_people: BTreeSet<Address>,
    /// They wait for the CRM.
    undecided: Vec<(ItemId, Content)>,
    twins: Twins,
    sifted: Sifted,
    findings: Findings,
    /// Why some messages passed without a decision.
    torn: Option<connector::Error>,
}

impl Sieve {
    /// # Errors
    /// When the store is lost.
    pub(super) async fn new(engine: &Engine, is_whole: bool) -> store::Result<Self> {
        let remembered = Remembered::load(engine).await?;
        let policy = engine.class(Class::Email).email;
        let mut known = Known::default();
        if policy.smart {
            known.similar = similar(engine, &remembered.links).await?;
        }
        for link in &remembered.links {
            if let Some(record) = RecordId::parse(&link.record) {
                let filed = Filed { record, regarding: None };
                known.filed.insert(Clue::Name(link.uid.clone()), filed);
            }
        }
        let linked = remembered.links.iter().map(|link| {
            let rests = remembered.marks.get(&link.uid) == Some(&false);
            (link.item.clone(), link.state == LinkState::Active && !rests)
        });
        let rules = policy.fingerprint();
        Ok(Self {
            same_rules: remembered.rules.as_ref().is_none_or(|old| *old == rules),
            rules,
            me: engine.settings.me.clone(),
            linked: linked.collect(),
            promoted: remembered.links.iter().map(|link| link.uid.clone()).collect(),
            policy,
            remembered,
            is_whole,
            known,
            asked: BTreeSet::new(),
            asked_people: BTreeSet::new(),
            undecided: Vec::new(),
            twins: Twins::default(),
            sifted: Sifted::default(),
            findings: Findings::default(),
            torn: None,
        })
    }

    /// Knows what another one was told by the CRM.
    pub(super) fn taught_by(mut self, other: Self) -> Self {
        self.known.filed.extend(other.known.filed);
        self.known.people.extend(other.known.people);
        self.known.enabled.extend(other.known.enabled);
        self.asked.extend(other.asked);
        self.asked_people.extend(other.asked_people);
        self
    }

    /// Takes in messages that were just read, with what was decided over them before. What is to be stored of them comes back.
    pub(super) async fn pass(
        &mut self,
        engine: &Engine,
        round: RoundId,
        read: &[Observation],
        old: &BTreeMap<ItemId, Decision>,
    ) -> Findings {
        let unreadable = read.iter().filter(|seen| seen.content.is_none());
        let decisions = unreadable.map(|seen| {
            let (item, rule) = (seen.id.clone(), UNREADABLE.to_owned());
            plain(item, Outcome::Failed, rule, round, engine)
        });
        self.findings.decisions.extend(decisions);
        let readable = read.iter().filter_map(|seen| Some((&seen.id, seen.content.as_ref()?)));
        for (id, content) in readable {
            self.take(engine, round, (id, content), old.get(id));
        }
        if self.undecided.len() >= ASK_AT {
            self.decide_rest(engine, round).await;
        }
        std::mem::take(&mut self.findings)
    }

    /// Takes in messages that were read before.
    pub(super) async fn pass_stored(
        &mut self,
        engine: &Engine,
        round: RoundId,
        portion: &[(ItemId, Content)],
        old: &BTreeMap<ItemId, Decision>,
    ) -> Findings {
        for (id, content) in portion {
            self.take(engine, round, (id, content), old.get(id));
        }
        if self.undecided.len() >= ASK_AT {
            self.decide_rest(engine, round).await;
        }
        std::mem::take(&mut self.findings)
    }

    /// Decides over what still waits. What is to be stored comes back.
    pub(super) async fn finish(&mut self, engine: &Engine, round: RoundId) -> Findings {
        self.decide_rest(engine, round).await;
        self.tell_twins(engine, round);
        std::mem::take(&mut self.findings)
    }

    /// Leaves out what is not what its name says. Whether a filed message is gone shows only when all have passed.
    fn tell_twins(&mut self, engine: &Engine, round: RoundId) {
        let renamed = if self.is_whole {
            self.twins.renamed(&self.remembered.prints)
        } else {
            BTreeSet::new()
        };
        let repeated = self.twins.repeated();
        let told = renamed.into_iter().map(|id| (id, Outcome::Skipped, RENAMED));
        let told = told.chain(repeated.into_iter().map(|id| (id, Outcome::Failed, REPEATED)));
        for (id, outcome, rule) in told {
            self.sifted.tracked.remove(&id);
            let decision = plain(id, outcome, rule.to_owned(), round, engine);
            self.findings.decisions.push(decision);
        }
    }

    /// What passed.
    ///
    /// # Errors
    /// When the CRM could not be asked about some of it.
    pub(super) fn sifted(self) -> connector::Result<Sifted> {
        let mut sifted = self.sifted;
        inherit(&mut sifted.filing);
        self.torn.map_or(Ok(sifted), Err)
    }

    /// Whether what passed is all there is, and still true.
    pub(super) fn holds(&self, now: &Remembered) -> bool {
        self.is_whole && self.torn.is_none() && self.remembered == *now
    }

    /// Remembers under which rules everything was decided.
    ///
    /// # Errors
    /// When the store is lost.
    pub(super) async fn remember_rules(&self, engine: &Engine) -> store::Result<()> {
        let rules = self.rules.clone();
        if self.remembered.rules.as_ref() == Some(&rules) {
            return Ok(());
        }
        engine.store.write(move |tx| meta::set(tx, RULES_KEY, &rules)).await
    }

    /// Takes in one message: decides over it, or lets it wait for the CRM.
    fn take(
        &mut self,
        engine: &Engine,
        round: RoundId,
        (id, content): (&ItemId, &Content),
        old: Option<&Decision>,
    ) {
        self.notice_keyword(engine, id, content, old.is_some());
        if self.linked.contains_key(id) || self.promoted.contains(&content.uid) {
            self.sifted.kept.insert(id.clone());
        }
        if self.linked.contains_key(id) {
            self.twins.filed(content);
            if !self.remembered.prints.contains_key(&content.uid) {
                let print = twins::print(content).map(|print| (content.uid.clone(), print));
                self.findings.prints.extend(print.clone());
                self.remembered.prints.extend(print);
            }
            return;
        }
        let verdict = self.judge(id, content);
        let is_settled = self.same_rules && old.is_some_and(|old| old.outcome == Outcome::Skipped);
        if !is_settled && self.asks(content, &verdict) {
            self.undecided.push((id.clone(), content.clone()));
        } else {
            self.decided(engine, round, id, content, verdict);
        }
    }

    /// The user's word by the keyword: set or removed since the message was last looked at.
    fn notice_keyword(&mut self, engine: &Engine, id: &ItemId, content: &Content, was_seen: bool) {
        let has = content.traits.marks.iter().any(|has| has.eq_ignore_ascii_case(TRACKED_KEYWORD));
        let had = self.remembered.tagged.contains(id);
        let uid = &content.uid;
        let said = self.remembered.marks.get(uid).copied();
        let is_linked = self.linked.get(id).copied();
        match (had, has) {
            (false, true) => {
                self.findings.tagged.insert(id.clone());
                self.remembered.tagged.insert(id.clone());
                if said == Some(false) && was_seen {
                    self.mark(engine, uid, true, is_linked.is_some().then_some(id));
                } else if said == Some(false) {
                    self.sifted.to_untag.insert(id.clone());
                }
            }
            (true, false) => {
                self.findings.untagged.insert(id.clone());
                self.remembered.tagged.remove(id);
                if is_linked == Some(true) || said == Some(true) {
                    self.mark(engine, uid, false, is_linked.is_some().then_some(id));
                }
            }
            (true, true) if said == Some(false) => {
                self.sifted.to_untag.insert(id.clone());
            }
            (false, false) if is_linked == Some(true) => {
                self.sifted.to_tag.insert(id.clone());
            }
            _ => {}
        }
    }

    fn mark(&mut self, engine: &Engine, uid: &Uid, tracked: bool, linked: Option<&ItemId>) {
        self.findings.marks.insert(uid.clone(), (tracked, engine.clock.now()));
        self.remembered.marks.insert(uid.clone(), tracked);
        if let Some(id) = linked {
            self.linked.insert(id.clone(), tracked);
        }
    }

    fn judge(&self, id: &ItemId, content: &Content) -> Verdict {
        let around =
            email::Surroundings { folder: id.collection(), me: &self.me, known: &self.known };
        email::decide(content, self.word(&content.uid), around, &self.policy)
    }

    /// What would be decided, and what the message would be about.
    pub(super) fn verdict(&self, id: &ItemId, content: &Content) -> (Verdict, Option<PartyRef>) {
        let verdict = self.judge(id, content);
        let regarding = self.filing(id, content, &verdict).regarding;
        (verdict, regarding)
    }

    fn word(&self, uid: &Uid) -> Option<Mark> {
        mark(self.remembered.marks.get(uid))
    }

    /// Whether the CRM can add something to a verdict: what the message answers, or who wrote it.
    fn asks(&self, content: &Content, verdict: &Verdict) -> bool {
        let is_open = verdict.decision.tracked || verdict.falls_through();
        let wants_parent = verdict.decision.tracked || self.policy.automatic >= Automatic::Replies;
        let is_new = |clue: &Clue| !self.asked.contains(clue);
        let wants_people = verdict.falls_through() && email::asks_for_senders(&self.policy);
        let is_stranger = |address: &Address| !self.asked_people.contains(address);
        is_open
            && ((wants_parent && self.clues(content).iter().any(is_new))
                || (wants_people && email::senders(content).iter().any(is_stranger)))
    }

    fn clues(&self, content: &Content) -> Vec<Clue> {
        thread::clues(content, &self.policy.token)
    }

    async fn decide_rest(&mut self, engine: &Engine, round: RoundId) {
        if self.undecided.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.undecided);
        if self.torn.is_none() {
            self.torn = self.ask(engine, &waiting).await.err();
        }
        for (id, content) in waiting {
            if self.torn.is_some() {
                let pending = plain(id, Outcome::Pending, NOT_ASKED.to_owned(), round, engine);
                self.findings.decisions.push(pending);
            } else {
                let verdict = self.judge(&id, &content);
                self.decided(engine, round, &id, &content, verdict);
            }
        }
    }

    /// Asks the CRM about all of these at once.
    pub(super) async fn ask(
        &mut self,
        engine: &Engine,
        messages: &[(ItemId, Content)],
    ) -> connector::Result<()> {
        let contents = || messages.iter().map(|(_, content)| content);
        let clues: BTreeSet<Clue> = contents()
            .flat_map(|content| self.clues(content))
            .filter(|clue| !self.asked.contains(clue))
            .collect();
        if !clues.is_empty() {
            let clues: Vec<Clue> = clues.into_iter().collect();
            self.known.filed.extend(engine.crm.threads(&clues).await?);
            self.asked.extend(clues);
        }
        if !email::asks_for_senders(&self.policy) {
            return Ok(());
        }
        let strangers: BTreeSet<Address> = contents()
            .flat_map(email::senders)
            .filter(|address| !self.asked_people.contains(address))
            .collect();
        let strangers: Vec<Address> = strangers.into_iter().collect();
        if strangers.is_empty() {
            return Ok(());
        }
        let people = engine.crm.resolve(&strangers).await?;
        let is_known = |address: &&Address| {
            people.get(*address).is_some_and(|party| party.table != "systemuser")
        };
        self.known.people.extend(strangers.iter().filter(is_known).cloned());
        if self.policy.automatic == Automatic::EmailEnabled {
            self.known.enabled.extend(engine.crm.enabled(&strangers).await?);
        }
        self.asked_people.extend(strangers);
        Ok(())
    }

    fn decided(
        &mut self,
        engine: &Engine,
        round: RoundId,
        id: &ItemId,
        content: &Content,
        verdict: Verdict,
    ) {
        let parent = verdict.parent.as_ref().map(|parent| parent.record);
        let outcome = if verdict.decision.tracked { Outcome::Tracked } else { Outcome::Skipped };
        let looked = verdict.looked();
        if verdict.decision.tracked {
            let filing = self.filing(id, content, &verdict);
            self.twins.tracked(id, content);
            self.sifted.kept.insert(id.clone());
            self.sifted.uids.insert(id.clone(), content.uid.clone());
            self.sifted.tracked.insert(id.clone(), verdict.decision.rule.clone());
            self.sifted.filing.entry(content.uid.clone()).or_insert(filing);
        }
        let plain = plain(id.clone(), outcome, verdict.decision.rule, round, engine);
        let parent = parent.map(RecordId::item_id);
        self.findings.decisions.push(Decision { looked, parent, ..plain });
    }

    /// What a message is filed with. The user's word beats the rule of its folder, and that what its parent is about.
    fn filing(&self, id: &ItemId, content: &Content, verdict: &Verdict) -> Filing {
        let wish = self.remembered.wishes.get(&content.uid);
        let rule = folder::rule_for(&self.policy.folders, id.collection());
        let by_rule = rule.and_then(|rule| rule.regarding.clone());
        let inherited = || verdict.parent.as_ref().and_then(|parent| parent.regarding.clone());
        let regarding = match wish {
            Some(wish) => wish.target.clone(),
            None => by_rule.or_else(inherited),
        };
        let answers = content.traits.references.first().filter(|uid| **uid != content.uid).cloned();
        Filing {
            regarding,
            is_said: wish.is_some(),
            parent: verdict.parent.as_ref().map(|parent| parent.record),
            answers,
        }
    }
}

fn plain(
    item: ItemId,
    outcome: Outcome,
    rule: String,
    round: RoundId,
    engine: &Engine,
) -> Decision {
    let (class, at) = (Class::Email, engine.clock.now());
    Decision { class, item, outcome, rule, looked: String::new(), parent: None, round, at }
}

/// What smart matching compares with: what is filed.
async fn similar(engine: &Engine, links: &[Link]) -> store::Result<Vec<Similar>> {
    let records: BTreeMap<ItemId, ItemId> =
        links.iter().map(|link| (link.item.clone(), link.record.clone())).collect();
    let items: Vec<ItemId> = records.keys().cloned().collect();
    let contents = engine
        .store
        .read(move |db| {
            let side = crate::model::Side::Mailbox;
            store::observation::contents(db, side, Class::Email, &items)
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
