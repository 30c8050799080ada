//! Whom messages name: asks the CRM, plans records for people whom it does not know, and tells filed messages what was chosen for
//! addresses that were in doubt. Never guesses: what is in doubt is stored and listed.

use std::collections::{BTreeMap, BTreeSet};

use super::report::Failure;
use super::world::{Planned, Stored};
use super::{ClassReport, Engine, note};
use crate::connector;
use crate::filter::people::may_be_a_person;
use crate::mapping;
use crate::model::record::{Candidate, Identity, Newcomer, PartyRef};
use crate::model::{Address, Class, Field, ItemId, Person, Side, Value};
use crate::plan::{Action, Merge, Step};
use crate::store::hold::{self, Held, Operations};
use crate::store::journal::{self, Answer, Intent};
use crate::store::person::{self, Choice};
use crate::store::round::RoundId;
use crate::store::{self, meta};

/// Where the store keeps that records for people were approved once.
const STARTED: &str = "people/started";

/// Why the first ones wait, and why many do.
const FIRST: &str =
    "the first records for people whom the CRM does not know: look at them before they are made";
const MANY: &str = "unusually many people whom the CRM does not know";

/// What a plan of messages means for people.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What the CRM said, so that it is not asked twice.
    known: BTreeMap<Address, Identity>,
    asked: BTreeSet<Address>,
    /// Made before the messages that name them are filed.
    make: Vec<Made>,
    /// Waits for a person's word; with the reason.
    pub(super) held: Option<(&'static str, Vec<Held>)>,
    /// Of all that is planned or waits, as holds and approvals know it.
    pub(super) operations: Operations,
    waiting: BTreeSet<Address>,
}

/// A record for somebody whom the CRM does not know.
#[derive(Debug, Clone)]
struct Made {
    address: Address,
    newcomer: Newcomer,
    operation: Held,
}

impl Plan {
    /// What would be made, for the person.
    pub(super) fn lines(&self) -> Vec<String> {
        self.make.iter().map(|made| made.operation.text.clone()).collect()
    }

    /// What would wait, with the reason.
    pub(super) fn held_lines(&self) -> Option<(String, Vec<String>)> {
        let (reason, held) = self.held.as_ref()?;
        Some(((*reason).to_owned(), held.iter().map(|held| held.text.clone()).collect()))
    }
}

/// The people in what a step writes to the CRM.
fn named(step: &Step) -> impl Iterator<Item = &Person> {
    let change = match &step.action {
        Action::Merge(Merge { to_record, .. }) => to_record.as_ref(),
        Action::Delete { .. } | Action::Release { .. } | Action::Forget => None,
    };
    let values = change.into_iter().flat_map(|change| change.patch.values().flatten());
    values
        .filter_map(|value| match value {
            Value::People(people) => Some(people),
            _ => None,
        })
        .flatten()
}

impl Engine {
    /// Plans records for people, where the user wants them. Asks the CRM at most once for all.
    pub(super) async fn plan_people(&self, class: Class, planned: &Planned) -> Stored<Plan> {
        let mut plan = Plan::default();
        let Some(table) = self.settings.filing.create_people.table() else { return Ok(Ok(plan)) };
        if class != Class::Email {
            return Ok(Ok(plan));
        }
        let (doubts, approved, started) = self
            .store
            .read(|db| {
                let approved = hold::approved_keys(db, Class::Email)?;
                Ok((person::all(db)?, approved, meta::get(db, STARTED)?.is_some()))
            })
            .await?;
        let mut people: BTreeMap<Address, String> = BTreeMap::new();
        // Those in what is carried out now, and those of messages that were filed while their people waited.
        let mut now: BTreeSet<Address> = BTreeSet::new();
        for step in &planned.guarded.go {
            now.extend(named(step).map(|person| person.address.clone()));
        }
        let open =
            doubts.iter().filter(|doubt| doubt.kind == person::Kind::New && doubt.choice.is_none());
        for doubt in open {
            people.entry(doubt.address.clone()).or_default();
            now.insert(doubt.address.clone());
        }
        let held = planned.guarded.held.iter().map(|(_, step)| step);
        for person in planned.guarded.go.iter().chain(held).flat_map(named) {
            let name = people.entry(person.address.clone()).or_default();
            if name.is_empty() {
                name.clone_from(&person.name);
            }
        }
        // Who was chosen or made once, and is gone since, is not made again.
        let settled: BTreeSet<&Address> = doubts
            .iter()
            .filter(|doubt| doubt.choice.is_some())
            .map(|doubt| &doubt.address)
            .collect();
        people.retain(|address, _| {
            !self.settings.me.contains(address)
                && !settled.contains(address)
                && may_be_a_person(address)
        });
        if people.is_empty() {
            return Ok(Ok(plan));
        }
        let asked: Vec<Address> = people.keys().cloned().collect();
        plan.known = match self.crm.identify(&asked).await {
            Ok(known) => known,
            Err(error) => return Ok(Err(error)),
        };
        let known = &plan.known;
        let organisation = self.settings.organisation;
        let made: Vec<Made> = people
            .into_iter()
            .filter(|(address, _)| !known.contains_key(address))
            .filter_map(|(address, name)| made(organisation, table, address, name))
            .collect();
        plan.asked = asked.into_iter().collect();
        plan.divide(made, &now, &approved, (started, self.settings.limits.creates_max));
        Ok(Ok(plan))
    }
}

fn made(organisation: uuid::Uuid, table: &str, address: Address, name: String) -> Option<Made> {
    let person = Person { name, address: address.clone() };
    let newcomer = mapping::email::newcomer(organisation, table, &person)?;
    let key = format!("{address} | {} | - create", newcomer.record);
    let shown = if person.name.is_empty() { address.to_string() } else { person.name.clone() };
    let text =
        format!("{table} “{shown}”: create in the CRM (nobody there has the address {address})");
    let operation = Held { subject: key.clone(), digest: key.clone(), key, text };
    Some(Made { address, newcomer, operation })
}

impl Plan {
    /// What is made now, and what waits.
    fn divide(
        &mut self,
        made: Vec<Made>,
        now: &BTreeSet<Address>,
        approved: &Operations,
        (started, most): (bool, usize),
    ) {
        let operation = |made: &Made| (made.operation.key.clone(), made.operation.digest.clone());
        self.operations = made.iter().map(operation).collect();
        let is_approved = |made: &Made| approved.contains_key(&made.operation.key);
        let fresh = made.iter().filter(|made| !is_approved(made)).count();
        let stop = match (started, fresh > most) {
            (false, _) => Some(FIRST),
            (true, true) => Some(MANY),
            (true, false) => None,
        };
        let (go, wait): (Vec<Made>, Vec<Made>) =
            made.into_iter().partition(|made| stop.is_none() || is_approved(made));
        self.waiting = wait.iter().map(|made| made.address.clone()).collect();
        let held: Vec<Held> = wait.into_iter().map(|made| made.operation).collect();
        self.held = stop.filter(|_| !held.is_empty()).map(|stop| (stop, held));
        self.make = go.into_iter().filter(|made| now.contains(&made.address)).collect();
    }
}

/// What is known of addresses while steps are carried out.
#[derive(Debug, Default)]
pub(super) struct Known {
    people: BTreeMap<Address, PartyRef>,
    choices: BTreeMap<Address, Option<Choice>>,
    /// In doubt, so that a message which names them waits.
    open: BTreeSet<Address>,
}

impl Known {
    /// Takes in what the plan learnt, and makes the records that it says are to be made.
    ///
    /// # Errors
    /// When the store is lost.
    pub(super) async fn begin(
        engine: &Engine,
        round: RoundId,
        plan: Plan,
        report: &mut ClassReport,
    ) -> store::Result<(Self, BTreeSet<Address>)> {
        let choices = engine.store.read(person::choices).await?;
        let mut known = Self { choices, ..Self::default() };
        known.learn(engine, &plan.asked, plan.known).await?;
        let now = engine.clock.now();
        if !plan.waiting.is_empty() {
            let waiting = plan.waiting.clone();
            engine
                .store
                .write(move |tx| {
                    waiting.iter().try_for_each(|address| person::unknown(tx, address, now))
                })
                .await?;
            known.open.extend(plan.waiting);
        }
        if !plan.make.is_empty() {
            if let Some(failure) = engine.prove().await {
                report.error = Some(failure);
                return Ok((known, plan.asked));
            }
            known.introduce(engine, round, &plan.make, report).await?;
        }
        Ok((known, plan.asked))
    }

    /// Takes in what the CRM said of addresses. The user's choice counts as long as it is one of those who may be meant.
    ///
    /// # Errors
    /// When the store is lost.
    pub(super) async fn learn(
        &mut self,
        engine: &Engine,
        asked: &BTreeSet<Address>,
        said: BTreeMap<Address, Identity>,
    ) -> store::Result<()> {
        let mut doubtful: Vec<(Address, Vec<Candidate>)> = Vec::new();
        let mut cleared: Vec<(Address, PartyRef)> = Vec::new();
        for (address, identity) in said.into_iter().filter(|(address, _)| asked.contains(address)) {
            match (identity, self.choices.get(&address)) {
                (Identity::One(party), chosen) => {
                    if matches!(chosen, Some(None)) {
                        cleared.push((address.clone(), party.clone()));
                    }
                    self.people.insert(address, party);
                }
                (Identity::Several(_), Some(Some(Choice::Nobody))) => {}
                (Identity::Several(candidates), Some(Some(Choice::Record(party))))
                    if candidates.iter().any(|candidate| candidate.party == *party) =>
                {
                    self.people.insert(address, party.clone());
                }
                (Identity::Several(candidates), _) => {
                    self.open.insert(address.clone());
                    doubtful.push((address, candidates));
                }
            }
        }
        if doubtful.is_empty() && cleared.is_empty() {
            return Ok(());
        }
        let now = engine.clock.now();
        engine
            .store
            .write(move |tx| {
                for (address, candidates) in &doubtful {
                    person::several(tx, address, candidates, now)?;
                }
                // The doubt is gone without anybody's word.
                for (address, party) in cleared {
                    person::choose(tx, &address, &Choice::Record(party))?;
                }
                Ok(())
            })
            .await
    }

    /// Whom addresses belong to, beyond doubt or by choice.
    pub(super) fn people(&self) -> &BTreeMap<Address, PartyRef> {
        &self.people
    }

    /// The addresses in doubt among these.
    pub(super) fn in_doubt<'a>(
        &self,
        addresses: impl Iterator<Item = &'a str>,
    ) -> BTreeSet<Address> {
        addresses.filter_map(Address::parse).filter(|address| self.open.contains(address)).collect()
    }

    async fn introduce(
        &mut self,
        engine: &Engine,
        round: RoundId,
        make: &[Made],
        report: &mut ClassReport,
    ) -> store::Result<()> {
        let intents = make.iter().map(introduction).collect();
        let entries = intend(engine, round, intents).await?;
        let newcomers: Vec<Newcomer> = make.iter().map(|made| made.newcomer.clone()).collect();
        let results = match engine.crm.introduce(&newcomers).await {
            Ok(results) => results,
            Err(error) => {
                report.error = Some(Failure::of(&error));
                let all = |_| Err(connector::Error::new(error.kind, error.message.clone()));
                newcomers.iter().map(all).collect()
            }
        };
        let mut met = Vec::new();
        for (made, result) in make.iter().zip(&results) {
            count(result, report, |report| &mut report.created);
            if result.is_ok() {
                let party = made.newcomer.record.clone();
                self.people.insert(made.address.clone(), party.clone());
                met.push((made.address.clone(), party));
            }
        }
        let used: Vec<String> = make
            .iter()
            .zip(&results)
            .filter(|(_, result)| settles(result))
            .map(|(made, _)| made.operation.key.clone())
            .collect();
        let answers: Vec<Answer> = results.iter().map(note::answer).collect();
        let now = engine.clock.now();
        engine
            .store
            .write(move |tx| {
                for (entry, answer) in entries.iter().zip(&answers) {
                    journal::finish(tx, *entry, answer, now)?;
                }
                for (address, party) in met {
                    person::unknown(tx, &address, now)?;
                    person::choose(tx, &address, &Choice::Record(party))?;
                }
                meta::set(tx, STARTED, "approved")?;
                hold::consume(tx, Class::Email, &used)
            })
            .await
    }
}

/// Tells filed messages whose the addresses are that were in doubt when they were filed. Returns why the round must stop, if it
/// must.
///
/// # Errors
/// When the store is lost.
pub(super) async fn assign(
    engine: &Engine,
    round: RoundId,
    report: &mut ClassReport,
) -> store::Result<Option<Failure>> {
    let assignments = engine.store.read(person::assignments).await?;
    let mut by_record: BTreeMap<ItemId, Vec<Address>> = BTreeMap::new();
    let mut people: BTreeMap<Address, PartyRef> = BTreeMap::new();
    for assignment in assignments {
        for record in assignment.records {
            by_record.entry(record).or_default().push(assignment.address.clone());
        }
        people.insert(assignment.address, assignment.party);
    }
    if by_record.is_empty() {
        return Ok(None);
    }
    if let Some(failure) = engine.prove().await {
        return Ok(Some(failure));
    }
    let intents = by_record.iter().map(|(record, of)| assignment(record, of, &people)).collect();
    let entries = intend(engine, round, intents).await?;
    let records: Vec<ItemId> = by_record.keys().cloned().collect();
    let (results, failure) = match engine.crm.assign(&records, &people).await {
        Ok(results) => (results, None),
        Err(error) => {
            let all = |_| Err(connector::Error::new(error.kind, error.message.clone()));
            (records.iter().map(all).collect(), Some(Failure::of(&error)))
        }
    };
    for result in &results {
        count(result, report, |report| &mut report.updated);
    }
    let now = engine.clock.now();
    engine
        .store
        .write(move |tx| {
            let all = by_record.iter().zip(&results).zip(&entries);
            for (((record, addresses), result), entry) in all {
                journal::finish(tx, *entry, &note::answer(result), now)?;
                for address in addresses {
                    match result {
                        Ok(()) => person::done(tx, address, record)?,
                        Err(error) if error.kind == connector::ErrorKind::Missing => {
                            person::done(tx, address, record)?;
                        }
                        Err(error) if settles(result) => {
                            person::refused(tx, address, record, &error.message)?;
                        }
                        Err(_) => {}
                    }
                }
            }
            Ok(())
        })
        .await?;
    Ok(failure)
}

async fn intend(
    engine: &Engine,
    round: RoundId,
    intents: Vec<Intent>,
) -> store::Result<Vec<journal::EntryId>> {
    let now = engine.clock.now();
    engine.store.promise(move |tx| journal::intend(tx, round, now, &intents)).await
}

fn introduction(made: &Made) -> Intent {
    let text = |(column, value): (&String, &serde_json::Value)| {
        Some((Field::named(column), Some(Value::text(value.as_str()?)?)))
    };
    Intent {
        class: Class::Contact,
        link: None,
        item: None,
        record: Some(ItemId::new(made.newcomer.record.to_string())),
        uid: None,
        side: Side::Crm,
        action: journal::Action::Create,
        why: "a tracked message names an address that nobody in the CRM has".to_owned(),
        before: None,
        patch: made.newcomer.columns.iter().filter_map(text).collect(),
        expect: None,
        key: made.operation.key.clone(),
    }
}

fn assignment(
    record: &ItemId,
    addresses: &[Address],
    people: &BTreeMap<Address, PartyRef>,
) -> Intent {
    let whose: Vec<String> = addresses
        .iter()
        .filter_map(|address| Some(format!("{address} is {}", people.get(address)?)))
        .collect();
    let (whose, action) = (whose.join("; "), journal::Action::Update);
    note::intent(Side::Crm, action, record, whose.clone(), format!("{record}: {whose}"))
}

/// Whether a result is final, so that trying again would not change it.
fn settles(result: &connector::Result<()>) -> bool {
    use connector::ErrorKind::{Stale, Throttled, Unauthorised, Unreachable};
    match result {
        Ok(()) => true,
        Err(error) => !matches!(error.kind, Unreachable | Throttled(_) | Unauthorised | Stale),
    }
}

fn count(
    result: &connector::Result<()>,
    report: &mut ClassReport,
    done: impl Fn(&mut ClassReport) -> &mut BTreeMap<Side, usize>,
) {
    report.operations += 1;
    match result {
        Ok(()) => *done(report).entry(Side::Crm).or_default() += 1,
        Err(error) if error.kind == connector::ErrorKind::Unreachable => report.unknown += 1,
        Err(_) => report.refused += 1,
    }
}
