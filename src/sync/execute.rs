//! Carries out the steps that the guard let pass: writes in batches, each intent in the journal before its first byte
//! is sent, each outcome committed with what it changes. A write without an answer is *unknown*: the next look tells.

use std::collections::BTreeSet;

use super::people::{self, Known};
use super::prepare::{Desk, Job, Prepared};
use super::record::{self, Outcome};
use super::report::Failure;
use super::world::{Look, Planned, Stored};
use super::{ClassReport, Engine, Progress};
use crate::connector::{self, Connector, Error, ErrorKind, Scope, Write};
use crate::mapping::Context;
use crate::model::record::PartyRef;
use crate::model::{Address, Body, Class, ItemId, Side, Value};
use crate::plan::{Action, Merge, Reason, Step, World};
use crate::store::round::RoundId;
use crate::store::{self, quarantine};

/// How many steps are in flight at a time. A crash leaves at most these to be looked at again.
const BATCH: usize = 400;

/// Carries out a plan.
///
/// # Errors
/// When the store is lost.
pub(super) async fn run(
    engine: &Engine,
    class: Class,
    round: RoundId,
    look: &Look,
    (planned, people): (Planned, people::Plan),
    report: &mut ClassReport,
) -> store::Result<()> {
    let Some(mailbox) = engine.mailbox.get(&class) else { return Ok(()) };
    let (writing, local): (Vec<Step>, Vec<Step>) =
        planned.guarded.go.into_iter().partition(Step::writes);
    let (known, asked) = Known::begin(engine, round, people, report).await?;
    if report.error.is_some() {
        return Ok(());
    }
    let mut executor = Executor {
        engine,
        mailbox: mailbox.as_ref(),
        class,
        round,
        world: &look.world,
        context: Context { filing: look.filing.clone(), ..engine.context() },
        known,
        asked,
    };
    note(engine, (class, round), &look.world, &local, report).await?;
    let of = writing.len();
    let mut rest = writing.as_slice();
    while !rest.is_empty() {
        let batch = rest.get(..BATCH).unwrap_or(rest);
        let (done, failure) = executor.batch(batch, report).await?;
        rest = rest.get(done..).unwrap_or_default();
        (engine.progress)(Progress::Writing { class, done: of.saturating_sub(rest.len()), of });
        if let Some(failure) = failure {
            report.error = Some(failure);
            return Ok(());
        }
    }
    if report.error.is_none() {
        let now = look.world.now;
        engine.store.write(move |tx| quarantine::remove_due(tx, class, now)).await?;
    }
    if class == Class::Email
        && let Some(failure) = people::assign(engine, round, report).await?
    {
        report.error = Some(failure);
    }
    Ok(())
}

/// Notes what follows from steps without a remote write.
///
/// # Errors
/// When the store is lost.
pub(super) async fn note(
    engine: &Engine,
    (class, round): (Class, RoundId),
    world: &World,
    steps: &[Step],
    report: &mut ClassReport,
) -> store::Result<()> {
    let outcomes: Vec<Outcome> = steps.iter().map(|step| Outcome::noted(step, world)).collect();
    report.adopted += outcomes.iter().filter(|outcome| outcome.adopts()).count();
    record::commit(engine, class, round, outcomes).await
}

struct Executor<'a> {
    engine: &'a Engine,
    mailbox: &'a dyn Connector,
    class: Class,
    round: RoundId,
    world: &'a World,
    context: Context,
    known: Known,
    /// Addresses that the CRM was asked about.
    asked: BTreeSet<Address>,
}

impl Executor<'_> {
    /// One batch: prepare, write down, write, read back, commit. Returns how many of the steps that were, and why the round must
    /// stop, if it must.
    async fn batch(
        &mut self,
        steps: &[Step],
        report: &mut ClassReport,
    ) -> store::Result<(usize, Option<Failure>)> {
        if let Err(error) = self.resolve(steps).await? {
            return Ok((0, Some(Failure::of(&error))));
        }
        if let Err(error) = self.check_regarding(steps).await {
            return Ok((0, Some(Failure::of(&error))));
        }
        let desk = Desk {
            class: self.class,
            organisation: self.engine.settings.organisation,
            world: self.world,
            context: &self.context,
            filing: &self.engine.settings.filing,
            mailbox: self.mailbox,
            crm: self.engine.crm.as_ref(),
        };
        let mut jobs = match desk.jobs(steps).await {
            Ok(jobs) => jobs,
            Err(error) => return Ok((0, Some(Failure::of(&error)))),
        };
        for job in &mut jobs {
            job.in_doubt = self.in_doubt(job);
        }
        let both = |side| jobs.iter().any(|job| job.is_ready(side));
        let both_sides = both(Side::Crm) && both(Side::Mailbox);
        if let Some(failure) = self.engine.prove().await {
            return Ok((0, Some(failure)));
        }
        let entries =
            record::intend(self.engine, self.class, self.round, &jobs, self.world).await?;
        let mut failure = self.send(&mut jobs, Side::Crm).await;
        if failure.is_none() && both_sides {
            failure = self.engine.prove().await;
        }
        if failure.is_none() {
            failure = self.send(&mut jobs, Side::Mailbox).await;
        }
        let mut outcomes = Vec::new();
        for (job, entries) in jobs.iter().zip(&entries) {
            count(job, report);
            trace(job);
            outcomes.push(Outcome::of(job, entries, self.world, &self.context));
        }
        record::commit(self.engine, self.class, self.round, outcomes).await?;
        Ok((jobs.len(), failure))
    }

    /// Asks the CRM whom the people in these steps are, and the user: appointments need an organiser.
    async fn resolve(&mut self, steps: &[Step]) -> Stored<()> {
        let mut wanted: BTreeSet<Address> = BTreeSet::new();
        for step in steps {
            let Action::Merge(Merge { to_record: Some(change), .. }) = &step.action else {
                continue;
            };
            for value in change.patch.values().flatten() {
                if let Value::People(people) = value {
                    wanted.extend(people.iter().map(|person| person.address.clone()));
                }
            }
            if self.class == Class::Appointment {
                wanted.extend(self.context.me.iter().cloned());
            }
        }
        wanted.retain(|address| self.asked.insert(address.clone()));
        if !wanted.is_empty() {
            let addresses: Vec<Address> = wanted.iter().cloned().collect();
            match self.engine.crm.identify(&addresses).await {
                Ok(said) => self.known.learn(self.engine, &wanted, said).await?,
                Err(error) => return Ok(Err(error)),
            }
        }
        self.context.people.clone_from(self.known.people());
        Ok(Ok(()))
    }

    /// The addresses in doubt of a message that is to be filed.
    fn in_doubt(&self, job: &Job<'_>) -> BTreeSet<Address> {
        match job.half(Side::Crm).map(|half| &half.write) {
            Some(Write::Create { body: Body::Patch(patch), .. }) if self.class == Class::Email => {
                let parties = patch.parties.iter().flatten();
                let nobody = parties.filter(|party| party.target.is_none());
                self.known.in_doubt(nobody.map(|party| party.address.as_str()))
            }
            _ => BTreeSet::new(),
        }
    }

    /// A message is filed as being about nothing where the record is not there, since a rule may name one that was deleted.
    async fn check_regarding(&mut self, steps: &[Step]) -> connector::Result<()> {
        let filing = steps.iter().filter_map(|step| self.context.filing.get(&step.uid));
        let targets: BTreeSet<PartyRef> = filing.filter_map(|of| of.regarding.clone()).collect();
        let targets: Vec<PartyRef> = targets.into_iter().collect();
        if targets.is_empty() {
            return Ok(());
        }
        let there = self.engine.crm.names(&targets).await?;
        for target in targets.iter().filter(|target| !there.contains_key(target)) {
            tracing::warn!(record = %target, "messages are filed without the record that they are about: it is not there");
            for filing in self.context.filing.values_mut() {
                filing.regarding = filing.regarding.take().filter(|other| other != target);
            }
        }
        Ok(())
    }

    /// Sends what goes to one side. A batch without an answer leaves every write of it unknown.
    async fn send(&self, jobs: &mut [Job<'_>], side: Side) -> Option<Failure> {
        let ready: Vec<usize> = jobs
            .iter()
            .enumerate()
            .filter(|(_, job)| job.is_ready(side))
            .map(|(index, _)| index)
            .collect();
        let writes: Vec<Write> = ready
            .iter()
            .filter_map(|index| jobs.get(*index)?.half(side))
            .map(|half| half.write.clone())
            .collect();
        if writes.is_empty() {
            return None;
        }
        let connector = match side {
            Side::Mailbox => self.mailbox,
            Side::Crm => self.engine.crm.as_ref(),
        };
        let (results, failure) = match connector.write(self.class, writes).await {
            Ok(results) => (results, None),
            Err(error) => {
                let unknown = |_| Err(Error::new(error.kind, error.to_string()));
                (ready.iter().map(unknown).collect(), Some(Failure::of(&error)))
            }
        };
        let stop = results.iter().find_map(|result| match result {
            Err(error) if error.kind.scope() == Scope::Account => Some(Failure::of(error)),
            _ => None,
        });
        for (index, result) in ready.into_iter().zip(results) {
            if let Some(half) = jobs.get_mut(index).and_then(|job| job.half_mut(side)) {
                half.result = Some(result);
            }
        }
        if side == Side::Crm && failure.is_none() {
            self.clear_replaced(jobs).await;
        }
        failure.or(stop)
    }

    /// The row in the other table goes once the new one stands. Should this fail, the next look meets both by their
    /// global id and the old one is taken for deleted by nobody: it stays in the CRM, listed by the log.
    async fn clear_replaced(&self, jobs: &[Job<'_>]) {
        let stands = |job: &&Job<'_>| {
            job.half(Side::Crm).is_some_and(|half| match &half.result {
                Some(Ok(_)) => true,
                Some(Err(error)) => error.kind == ErrorKind::Exists,
                None => false,
            })
        };
        let deletes: Vec<Write> = jobs
            .iter()
            .filter(stands)
            .filter_map(|job| job.replaced.clone())
            .map(|(id, version)| Write::Delete { id, version })
            .collect();
        if deletes.is_empty() {
            return;
        }
        if let Err(error) = self.engine.crm.write(self.class, deletes).await {
            error.warn("the rows that series replaced are still there");
        }
    }
}

/// What came of a step, for the details of the log: by ids, never by what anything says.
fn trace(job: &Job<'_>) {
    let id = |id: &Option<ItemId>| id.as_ref().map(ToString::to_string).unwrap_or_default();
    let (item, record) = (id(&job.step.item), id(&job.step.record));
    let _item = tracing::debug_span!("item", item, record).entered();
    for side in [Side::Crm, Side::Mailbox] {
        let Some(Prepared { result, .. }) = job.half(side) else { continue };
        match result {
            Some(Ok(_)) => tracing::debug!(side = side.as_str(), "written"),
            Some(Err(error)) => tracing::debug!(side = side.as_str(), %error, "not written"),
            None => tracing::debug!(side = side.as_str(), "not tried"),
        }
    }
    if let Some(error) = &job.unwritable {
        tracing::debug!(%error, "cannot be written");
    }
}

fn count(job: &Job<'_>, report: &mut ClassReport) {
    for side in [Side::Crm, Side::Mailbox] {
        let Some(Prepared { write, result: Some(result), .. }) = job.half(side) else { continue };
        report.operations += 1;
        match result {
            Ok(_) => {
                let counts = match write {
                    Write::Create { .. } => &mut report.created,
                    Write::Update { .. } | Write::Mark { .. } => &mut report.updated,
                    Write::Delete { .. } => &mut report.deleted,
                };
                *counts.entry(side).or_default() += 1;
            }
            Err(error) => match error.kind {
                _ if error.kind.leaves_open() => report.unknown += 1,
                // A new look mends these.
                ErrorKind::Exists
                | ErrorKind::Stale
                | ErrorKind::Missing
                | ErrorKind::Throttled(_) => {}
                _ => report.refused += 1,
            },
        }
    }
    report.adopted += usize::from(matches!(job.step.reason, Reason::Twins(_)));
    report.refused += usize::from(job.unwritable.is_some());
}
