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
use crate::model::{Address, Class, Clue, Content, Filed, ItemId, LinkState, RecordId, Uid};
use crate::store;
use crate::store::decision::{self, Decision, Outcome};
use crate::store::observation::Observation;
use crate::store::round::RoundId;

mod found;
mod twins;

use found::{Findings, digest, inherit, plain, similar};
pub(super) use found::{Passed, RULES_KEY, Remembered, Sifted};
use twins::Twins;

/// So many messages wait for one question.
const ASK_AT: usize = 1000;

/// So many clues are remembered as asked: to ask for one once more costs less than to remember them all.
const ASKED: usize = 20_000;

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
    /// Whether it keeps what a plan follows from.
    gathers: bool,
    /// Whether nothing was known before the messages that are read now.
    is_first: bool,
    /// The links of items that are there, and whether they are kept in step.
    linked: BTreeMap<ItemId, bool>,
    promoted: BTreeSet<Uid>,
    known: Known,
    asked: BTreeSet<Clue>,
    asked_people: BTreeSet<Address>,
    /// The clues that led somewhere, as the CRM said when it was asked.
    learned: BTreeSet<Clue>,
    /// They wait for the CRM, with their clues.
    undecided: Vec<(Observation, Vec<Clue>)>,
    twins: Twins,
    sifted: Sifted,
    passed: Passed,
    /// Names that stay touched.
    again: BTreeSet<Uid>,
    /// The names of linked messages that are not where they were.
    astray: BTreeMap<Uid, bool>,
    /// Why some messages passed without a decision.
    torn: Option<connector::Error>,
}

impl Sieve {
    /// # Errors
    /// When the store is lost.
    pub(super) async fn new(engine: &Engine, gathers: bool) -> store::Result<Self> {
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
        let rules = digest(&policy, &engine.settings.me);
        Ok(Self {
            same_rules: remembered.rules.as_ref().is_none_or(|old| *old == rules),
            rules,
            me: engine.settings.me.clone(),
            linked: linked.collect(),
            promoted: remembered.links.iter().map(|link| link.uid.clone()).collect(),
            policy,
            remembered,
            gathers,
            is_first: false,
            known,
            asked: BTreeSet::new(),
            asked_people: BTreeSet::new(),
            learned: BTreeSet::new(),
            undecided: Vec::new(),
            twins: Twins::default(),
            sifted: Sifted::default(),
            passed: Passed::default(),
            again: BTreeSet::new(),
            astray: BTreeMap::new(),
            torn: None,
        })
    }

    /// Whether all messages are to be decided over again: the rules are others, or compare each message with all that are filed.
    pub(super) fn starts_over(&self) -> bool {
        !self.is_first && (self.policy.smart || self.new_rules().is_some())
    }

    /// Digests of what the CRM said leads somewhere: messages that were left out may say the same.
    pub(super) fn learned(&self) -> BTreeSet<u32> {
        self.learned.iter().map(|clue| decision::short(clue.as_str())).collect()
    }

    /// The same, where nothing was known before.
    pub(super) fn first(self, is_first: bool) -> Self {
        Self { is_first, ..self }
    }

    /// The same, where these linked messages are not where they were.
    pub(super) fn missing(self, astray: BTreeMap<Uid, bool>) -> Self {
        Self { astray, ..self }
    }

    /// Knows what another one was told by the CRM.
    pub(super) fn taught_by(mut self, other: Self) -> Self {
        self.known.filed.extend(other.known.filed);
        self.known.people.extend(other.known.people);
        self.known.enabled.extend(other.known.enabled);
        self.learned.extend(other.learned);
        self.is_first = other.is_first;
        self.asked.extend(other.asked);
        self.asked_people.extend(other.asked_people);
        self
    }

    /// Takes in messages, with what was decided over them before. Those that are decided over come back, perhaps later.
    pub(super) async fn pass(
        &mut self,
        engine: &Engine,
        round: RoundId,
        read: Vec<Observation>,
        old: &BTreeMap<ItemId, Decision>,
    ) -> Passed {
        for seen in read {
            let old = old.get(&seen.id);
            self.take(engine, round, seen, old);
        }
        if self.undecided.len() >= ASK_AT {
            self.decide_rest(engine, round).await;
        }
        std::mem::take(&mut self.passed)
    }

    /// Decides over what still waits, and lets it go.
    pub(super) async fn finish(&mut self, engine: &Engine, round: RoundId) -> Passed {
        self.decide_rest(engine, round).await;
        std::mem::take(&mut self.passed)
    }

    /// The filed messages that the tracked ones may be mistaken for.
    pub(super) fn twins_of_tracked(&self) -> Vec<ItemId> {
        let wanted = self.twins.wanted(&self.remembered.prints);
        let links = self.remembered.links.iter().filter(|link| wanted.contains(&link.uid));
        links.map(|link| link.item.clone()).collect()
    }

    /// Leaves out what is not what its name says. `filed` are those of [`Self::twins_of_tracked`] that are there.
    pub(super) fn tell_twins<'a>(
        &mut self,
        engine: &Engine,
        round: RoundId,
        filed: impl Iterator<Item = &'a Content>,
    ) {
        filed.for_each(|content| self.twins.filed(content));
        let renamed = self.twins.renamed(&self.remembered.prints);
        let repeated = self.twins.repeated();
        let told = renamed.into_iter().map(|id| (id, Outcome::Skipped, RENAMED));
        let told = told.chain(repeated.into_iter().map(|id| (id, Outcome::Failed, REPEATED)));
        for (id, outcome, rule) in told {
            self.sifted.tracked.remove(&id);
            let mut names = Vec::new();
            if let Some(content) = self.sifted.contents.remove(&id) {
                names.push(decision::short(content.uid.as_str()));
                if outcome == Outcome::Skipped {
                    // The one that it is taken for may come back.
                    self.look_again(&content.uid);
                }
            }
            let decision = plain(id, outcome, rule.to_owned(), round, engine);
            self.passed.findings.decisions.push(Decision { names, ..decision });
        }
    }

    /// What is to be stored when all have passed.
    pub(super) fn last(&mut self) -> Findings {
        let mut last = std::mem::take(&mut self.passed).findings;
        last.touched.append(&mut self.again);
        last
    }

    /// What passed.
    ///
    /// # Errors
    /// When the CRM could not be asked about some of it.
    pub(super) fn sifted(self) -> connector::Result<Sifted> {
        let mut sifted = self.sifted;
        inherit(&mut sifted.filing);
        for (id, is_active) in self.linked {
            if is_active && !self.remembered.tagged.contains(&id) {
                sifted.to_tag.insert(id.clone());
            }
            sifted.kept.insert(id);
        }
        self.torn.map_or(Ok(sifted), Err)
    }

    /// The rules under which everything was decided, if they are others than before.
    pub(super) fn new_rules(&self) -> Option<String> {
        (self.remembered.rules.as_ref() != Some(&self.rules)).then(|| self.rules.clone())
    }

    /// Takes in one message: decides over it, or lets it wait for the CRM.
    fn take(&mut self, engine: &Engine, round: RoundId, seen: Observation, old: Option<&Decision>) {
        let Some(content) = &seen.content else {
            let (item, rule) = (seen.id.clone(), UNREADABLE.to_owned());
            let decision = plain(item, Outcome::Failed, rule, round, engine);
            self.passed.findings.decisions.push(decision);
            self.let_pass(seen);
            return;
        };
        self.notice_keyword(engine, &seen.id, content, old.is_some());
        if self.linked.contains_key(&seen.id) {
            if !self.remembered.prints.contains_key(&content.uid) {
                let print = twins::print(content).map(|print| (content.uid.clone(), print));
                self.passed.findings.prints.extend(print.clone());
                self.remembered.prints.extend(print);
            }
            self.let_pass(seen);
            return;
        }
        if self.promoted.contains(&content.uid) {
            self.sifted.kept.insert(seen.id.clone());
            if !self.gathers || self.astray.contains_key(&content.uid) {
                // Until it is known what became of the linked one.
                self.look_again(&content.uid);
            }
        }
        let verdict = self.judge(&seen.id, content);
        let is_settled = self.same_rules && old.is_some_and(|old| old.outcome == Outcome::Skipped);
        let clues = self.clues_to_parent(content, &verdict);
        if !is_settled && self.asks(content, &verdict, &clues) {
            self.undecided.push((seen, clues));
        } else {
            self.decided(engine, round, seen, (verdict, &clues));
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
                self.passed.findings.tagged.insert(id.clone());
                self.remembered.tagged.insert(id.clone());
                if said == Some(false) && was_seen {
                    self.mark(engine, uid, true, is_linked.is_some().then_some(id));
                } else if said == Some(false) {
                    self.untag(id, uid);
                }
            }
            (true, false) => {
                self.passed.findings.untagged.insert(id.clone());
                self.remembered.tagged.remove(id);
                if is_linked == Some(true) || said == Some(true) {
                    self.mark(engine, uid, false, is_linked.is_some().then_some(id));
                }
            }
            (true, true) if said == Some(false) => self.untag(id, uid),
            _ => {}
        }
    }

    /// Until it is seen without its keyword, it is looked at again.
    fn untag(&mut self, id: &ItemId, uid: &Uid) {
        self.sifted.to_untag.insert(id.clone());
        self.look_again(uid);
    }

    /// Something happened to a name. While this gathers, what was touched before is only taken back at its end.
    fn look_again(&mut self, uid: &Uid) {
        let again = if self.gathers { &mut self.again } else { &mut self.passed.findings.touched };
        again.insert(uid.clone());
    }

    fn mark(&mut self, engine: &Engine, uid: &Uid, tracked: bool, linked: Option<&ItemId>) {
        self.passed.findings.marks.insert(uid.clone(), (tracked, engine.clock.now()));
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
    fn asks(&self, content: &Content, verdict: &Verdict, clues: &[Clue]) -> bool {
        let is_open = verdict.decision.tracked || verdict.falls_through();
        let is_new = |clue: &Clue| !self.asked.contains(clue);
        let wants_people = verdict.falls_through() && email::asks_for_senders(&self.policy);
        let is_stranger = |address: &Address| !self.asked_people.contains(address);
        is_open
            && (clues.iter().any(is_new)
                || (wants_people && email::senders(content).iter().any(is_stranger)))
    }

    /// The clues of a message for which it matters whether it answers another one.
    fn clues_to_parent(&self, content: &Content, verdict: &Verdict) -> Vec<Clue> {
        let may_be_tracked = verdict.falls_through() && self.policy.automatic >= Automatic::Replies;
        if verdict.decision.tracked || may_be_tracked {
            thread::clues(content, &self.policy.token)
        } else {
            Vec::new()
        }
    }

    async fn decide_rest(&mut self, engine: &Engine, round: RoundId) {
        if self.undecided.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.undecided);
        if self.torn.is_none() {
            let senders = waiting.iter().filter_map(|(seen, _)| seen.content.as_ref());
            let senders = self.senders(senders);
            let clues = waiting.iter().flat_map(|(_, clues)| clues).cloned().collect();
            self.torn = self.ask(engine, clues, senders).await.err();
        }
        for (seen, clues) in waiting {
            if let (None, Some(content)) = (&self.torn, &seen.content) {
                let verdict = self.judge(&seen.id, content);
                self.decided(engine, round, seen, (verdict, &clues));
            } else {
                let (id, rule) = (seen.id.clone(), NOT_ASKED.to_owned());
                let pending = plain(id, Outcome::Pending, rule, round, engine);
                self.passed.findings.decisions.push(pending);
                self.let_pass(seen);
            }
        }
    }

    /// Asks the CRM about these messages.
    pub(super) async fn ask_about(
        &mut self,
        engine: &Engine,
        contents: &[&Content],
    ) -> connector::Result<()> {
        let clues = contents.iter().flat_map(|content| thread::clues(content, &self.policy.token));
        let (clues, senders) = (clues.collect(), self.senders(contents.iter().copied()));
        self.ask(engine, clues, senders).await
    }

    /// Who wrote these, as far as anything hangs on it.
    fn senders<'a>(&self, contents: impl Iterator<Item = &'a Content>) -> BTreeSet<Address> {
        if email::asks_for_senders(&self.policy) {
            contents.flat_map(email::senders).collect()
        } else {
            BTreeSet::new()
        }
    }

    /// Asks the CRM about all of these at once.
    async fn ask(
        &mut self,
        engine: &Engine,
        mut clues: BTreeSet<Clue>,
        mut strangers: BTreeSet<Address>,
    ) -> connector::Result<()> {
        clues.retain(|clue| !self.asked.contains(clue));
        if !clues.is_empty() {
            let clues: Vec<Clue> = clues.into_iter().collect();
            let filed = engine.crm.threads(&clues).await?;
            self.learned.extend(filed.keys().cloned());
            self.known.filed.extend(filed);
            if self.asked.len() > ASKED {
                self.asked.clear();
            }
            self.asked.extend(clues);
        }
        strangers.retain(|address| !self.asked_people.contains(address));
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
        mut seen: Observation,
        (verdict, clues): (Verdict, &[Clue]),
    ) {
        let Some(content) = &seen.content else { return };
        let id = seen.id.clone();
        // What happens to a message of one of these names may change the decision.
        let names = std::iter::once(content.uid.as_str()).chain(clues.iter().map(Clue::as_str));
        let names = names.map(decision::short).collect();
        let parent = verdict.parent.as_ref().map(|parent| parent.record.item_id());
        let outcome = if verdict.decision.tracked { Outcome::Tracked } else { Outcome::Skipped };
        let looked = verdict.looked();
        if verdict.decision.tracked && self.gathers {
            let filing = self.filing(&id, content, &verdict);
            self.twins.tracked(&id, content);
            self.sifted.filing.entry(content.uid.clone()).or_insert(filing);
            self.sifted.kept.insert(id.clone());
            self.sifted.contents.extend(seen.content.take().map(|content| (id.clone(), content)));
            self.sifted.tracked.insert(id.clone(), verdict.decision.rule.clone());
        }
        let plain = plain(id, outcome, verdict.decision.rule, round, engine);
        self.passed.findings.decisions.push(Decision { looked, parent, names, ..plain });
        self.let_pass(seen);
    }

    /// Hands on what is to be stored. What is gathered was stored when it was read.
    fn let_pass(&mut self, seen: Observation) {
        if !self.gathers {
            self.passed.observations.push(seen);
        }
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
