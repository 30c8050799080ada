//! Carries out the steps that the guard let pass: writes in batches, each intent in the journal before its first byte
//! is sent, each outcome committed with what it changes. A write without an answer is *unknown*: the next look tells.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{self, Outcome};
use super::report::Failure;
use super::world::{Look, Planned};
use super::{ClassReport, Engine, Progress, observe};
use crate::connector::{self, Connector, Error, ErrorKind, Scope, Write, Written};
use crate::mapping::{self, Change, Context};
use crate::model::record::PartyRef;
use crate::model::{
    Address, Body, Class, Document, Fields, ItemId, Patch, Record, RecordId, Side, Table, Value,
    Version, name,
};
use crate::plan::merge::apply;
use crate::plan::{Action, Merge, Step, World};
use crate::store;
use crate::store::round::RoundId;

/// How many steps are in flight at a time. A crash leaves at most these to be looked at again.
const BATCH: usize = 400;

/// Carries out a plan.
///
/// # Errors
/// When the store is lost.
pub async fn run(
    engine: &Engine,
    class: Class,
    round: RoundId,
    look: &Look,
    planned: Planned,
    report: &mut ClassReport,
) -> store::Result<()> {
    let (writing, local): (Vec<Step>, Vec<Step>) =
        planned.guarded.go.into_iter().partition(Step::writes);
    let mut executor = Executor {
        engine,
        class,
        round,
        world: &look.world,
        context: engine.context(),
        asked: BTreeSet::new(),
    };
    executor.note(local, report).await?;
    let of = writing.len();
    for (number, batch) in writing.chunks(BATCH).enumerate() {
        let failure = executor.batch(batch, report).await?;
        (engine.progress)(Progress::Writing {
            class,
            done: (number * BATCH + batch.len()).min(of),
            of,
        });
        if let Some(failure) = failure {
            report.error = Some(failure);
            break;
        }
    }
    Ok(())
}

/// A step on its way.
pub(super) struct Job<'a> {
    pub step: &'a Step,
    pub to_record: Option<Prepared>,
    pub to_item: Option<Prepared>,
    /// What a delete is about to remove.
    pub removed: Option<Vec<u8>>,
    /// The row that a conversion between tables leaves behind.
    pub replaced: Option<(ItemId, Version)>,
    /// Why the step could not even be prepared.
    pub unwritable: Option<Error>,
}

/// A write and what came of it.
pub(super) struct Prepared {
    pub write: Write,
    pub patch: Patch,
    /// `None` until it was tried.
    pub result: Option<connector::Result<Written>>,
}

struct Executor<'a> {
    engine: &'a Engine,
    class: Class,
    round: RoundId,
    world: &'a World,
    context: Context,
    /// Addresses that the CRM was asked about.
    asked: BTreeSet<Address>,
}

impl Executor<'_> {
    /// Steps without a remote write.
    async fn note(&self, steps: Vec<Step>, report: &mut ClassReport) -> store::Result<()> {
        let outcomes: Vec<Outcome> =
            steps.iter().map(|step| Outcome::noted(step, self.world)).collect();
        report.adopted += outcomes.iter().filter(|outcome| outcome.adopts()).count();
        record::commit(self.engine, self.class, self.round, outcomes).await
    }

    /// One batch: prepare, write down, write, read back, commit. Returns why the round must stop, if it must.
    async fn batch(
        &mut self,
        steps: &[Step],
        report: &mut ClassReport,
    ) -> store::Result<Option<Failure>> {
        if let Err(error) = self.resolve(steps).await {
            return Ok(Some(Failure::of(&error)));
        }
        let mut jobs = match self.prepare(steps).await {
            Ok(jobs) => jobs,
            Err(error) => return Ok(Some(Failure::of(&error))),
        };
        let entries =
            record::intend(self.engine, self.class, self.round, &jobs, self.world).await?;
        let mut failure = self.send(&mut jobs, Side::Crm).await;
        if failure.is_none() {
            failure = self.send(&mut jobs, Side::Mailbox).await;
        }
        let mut outcomes = Vec::new();
        for (job, entries) in jobs.into_iter().zip(entries) {
            count(&job, report);
            outcomes.push(Outcome::of(job, entries, self.world, &self.context));
        }
        record::commit(self.engine, self.class, self.round, outcomes).await?;
        Ok(failure)
    }

    /// Asks the CRM whom the people in these steps are.
    async fn resolve(&mut self, steps: &[Step]) -> connector::Result<()> {
        let people = steps.iter().filter_map(|step| match &step.action {
            Action::Merge(Merge { to_record: Some(change), .. }) => Some(change.patch.values()),
            _ => None,
        });
        let wanted: Vec<Address> = people
            .flatten()
            .filter_map(|value| match value {
                Some(Value::People(people)) => {
                    Some(people.iter().map(|person| person.address.clone()))
                }
                _ => None,
            })
            .flatten()
            .filter(|address| self.asked.insert(address.clone()))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let found: BTreeMap<Address, PartyRef> = self.engine.crm.resolve(&wanted).await?;
        self.context.people.extend(found);
        Ok(())
    }

    async fn prepare<'s>(&self, steps: &'s [Step]) -> connector::Result<Vec<Job<'s>>> {
        let old = Old::read(self, steps).await?;
        Ok(steps.iter().map(|step| self.job(step, &old)).collect())
    }

    fn job<'s>(&self, step: &'s Step, old: &Old) -> Job<'s> {
        let mut job = Job {
            step,
            to_record: None,
            to_item: None,
            removed: None,
            replaced: None,
            unwritable: None,
        };
        let prepared = match &step.action {
            Action::Merge(merge) => self.merge(&mut job, step, merge, old),
            Action::Delete { side, expect } => self.delete(&mut job, step, *side, expect, old),
            Action::Release { .. } | Action::Forget => Ok(()),
        };
        job.unwritable = prepared.err();
        job
    }

    fn merge(
        &self,
        job: &mut Job<'_>,
        step: &Step,
        merge: &Merge,
        old: &Old,
    ) -> connector::Result<()> {
        if let Some(change) = &merge.to_record {
            let id = step.record.as_ref().ok_or_else(|| nowhere(step))?;
            let fields = self.fields(step, Side::Crm);
            let patch =
                if self.class == Class::Email { old.whole(step)? } else { change.patch.clone() };
            let base = if change.expect.is_some() { fields } else { Fields::new() };
            job.to_record = Some(self.record_write(
                job,
                step,
                id,
                change.expect.as_ref(),
                (&patch, &base),
                old,
            )?);
        }
        if let Some(change) = &merge.to_item {
            let base = if change.expect.is_some() {
                self.fields(step, Side::Mailbox)
            } else {
                Fields::new()
            };
            job.to_item =
                Some(self.item_write(step, change.expect.as_ref(), (&change.patch, &base), old)?);
        }
        Ok(())
    }

    fn record_write(
        &self,
        job: &mut Job<'_>,
        step: &Step,
        id: &ItemId,
        expect: Option<&Version>,
        (patch, base): (&Patch, &Fields),
        old: &Old,
    ) -> connector::Result<Prepared> {
        let whole = apply(base, patch);
        let address = RecordId::parse(id).ok_or_else(|| nowhere(step))?;
        let table = Table::of(self.class, &whole);
        let change = |patch| Change { uid: &step.uid, patch, whole: &whole };
        let body = |table, patch, old: Option<&Record>| {
            mapping::write_record(table, change(patch), old, &self.context)
                .map(|patch| Body::Patch(Box::new(patch)))
                .map_err(|unwritable| Error::new(ErrorKind::Rejected, unwritable.to_string()))
        };
        let write = match expect {
            None => Write::Create { id: id.clone(), body: body(table, patch, None)? },
            Some(version) if table == address.table => {
                let record = old.record(id)?;
                Write::Update {
                    id: id.clone(),
                    version: version.clone(),
                    body: body(table, patch, record)?,
                }
            }
            Some(version) => {
                // A single appointment became a series, or the other way round: that is another table, hence another row.
                let guid =
                    name::converted_guid(self.engine.settings.organisation, table, address.guid);
                let all: Patch = whole
                    .iter()
                    .map(|(field, value)| (field.clone(), Some(value.clone())))
                    .collect();
                job.replaced = Some((id.clone(), version.clone()));
                Write::Create {
                    id: RecordId::new(table, guid).item_id(),
                    body: body(table, &all, None)?,
                }
            }
        };
        Ok(Prepared { write, patch: patch.clone(), result: None })
    }

    fn item_write(
        &self,
        step: &Step,
        expect: Option<&Version>,
        (patch, base): (&Patch, &Fields),
        old: &Old,
    ) -> connector::Result<Prepared> {
        let whole = apply(base, patch);
        let change = Change { uid: &step.uid, patch, whole: &whole };
        let body = |old: Option<&[u8]>| {
            mapping::write_item(self.class, change, old, &self.context)
                .map(Body::Bytes)
                .map_err(|unwritable| Error::new(ErrorKind::Rejected, unwritable.to_string()))
        };
        let write = match (expect, &step.item) {
            (Some(version), Some(id)) => {
                let bytes = old.bytes(id, version)?;
                Write::Update { id: id.clone(), version: version.clone(), body: body(Some(bytes))? }
            }
            _ => {
                let id = self.mailbox()?.address(self.class, &step.uid);
                Write::Create { id, body: body(None)? }
            }
        };
        Ok(Prepared { write, patch: patch.clone(), result: None })
    }

    fn delete(
        &self,
        job: &mut Job<'_>,
        step: &Step,
        side: Side,
        expect: &Version,
        old: &Old,
    ) -> connector::Result<()> {
        let id = match side {
            Side::Mailbox => step.item.as_ref(),
            Side::Crm => step.record.as_ref(),
        };
        let id = id.ok_or_else(|| nowhere(step))?.clone();
        if side == Side::Mailbox {
            job.removed = Some(old.bytes(&id, expect)?.to_vec());
        }
        let write = Write::Delete { id, version: expect.clone() };
        let prepared = Some(Prepared { write, patch: Patch::new(), result: None });
        match side {
            Side::Mailbox => job.to_item = prepared,
            Side::Crm => job.to_record = prepared,
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
        let connector = match self.connector(side) {
            Ok(connector) => connector,
            Err(error) => return Some(Failure::of(&error)),
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

    /// The row in the other table goes once the new one stands. Should this fail, the next round meets both and tries again.
    async fn clear_replaced(&self, jobs: &[Job<'_>]) {
        let deletes: Vec<Write> = jobs
            .iter()
            .filter(|job| {
                job.half(Side::Crm).is_some_and(|half| matches!(half.result, Some(Ok(_))))
            })
            .filter_map(|job| job.replaced.clone())
            .map(|(id, version)| Write::Delete { id, version })
            .collect();
        if deletes.is_empty() {
            return;
        }
        if let Err(error) = self.engine.crm.write(self.class, deletes).await {
            tracing::warn!(%error, "the rows that series replaced are still there");
        }
    }

    /// What a side of the step says: what was read, or what it said when both agreed.
    fn fields(&self, step: &Step, side: Side) -> Fields {
        fields(self.world, step, side)
    }

    fn mailbox(&self) -> connector::Result<&dyn Connector> {
        self.engine.mailbox.get(&self.class).map(AsRef::as_ref).ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                format!("no mailbox is configured for {}s", self.class),
            )
        })
    }

    fn connector(&self, side: Side) -> connector::Result<&dyn Connector> {
        match side {
            Side::Mailbox => self.mailbox(),
            Side::Crm => Ok(self.engine.crm.as_ref()),
        }
    }
}

/// What a side of a step says: what was read in this look, else what it said when both agreed.
pub(super) fn fields(world: &World, step: &Step, side: Side) -> Fields {
    let id = match side {
        Side::Mailbox => step.item.as_ref(),
        Side::Crm => step.record.as_ref(),
    };
    if let Some(content) = id.and_then(|id| world.content(side, id)) {
        return content.fields.clone();
    }
    let bases = step
        .link
        .and_then(|id| world.links.iter().find(|link| link.id == id))
        .and_then(|link| link.bases.as_ref());
    match (bases, side) {
        (Some(bases), Side::Mailbox) => bases.item.clone(),
        (Some(bases), Side::Crm) => bases.record.clone(),
        (None, _) => Fields::new(),
    }
}

fn nowhere(step: &Step) -> Error {
    Error::new(ErrorKind::Malformed, format!("{step}: it has no address to write to"))
}

impl Job<'_> {
    pub(super) fn half(&self, side: Side) -> Option<&Prepared> {
        match side {
            Side::Mailbox => self.to_item.as_ref(),
            Side::Crm => self.to_record.as_ref(),
        }
    }

    fn half_mut(&mut self, side: Side) -> Option<&mut Prepared> {
        match side {
            Side::Mailbox => self.to_item.as_mut(),
            Side::Crm => self.to_record.as_mut(),
        }
    }

    /// Whether this half is to be sent: not when the step could not be prepared, or its other half was refused.
    fn is_ready(&self, side: Side) -> bool {
        let other_failed =
            self.half(side.other()).is_some_and(|half| matches!(half.result, Some(Err(_))));
        self.unwritable.is_none() && !other_failed && self.half(side).is_some()
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
                ErrorKind::Unreachable => report.unknown += 1,
                ErrorKind::Exists
                | ErrorKind::Stale
                | ErrorKind::Missing
                | ErrorKind::Throttled(_) => {}
                _ => report.refused += 1,
            },
        }
    }
    if matches!(job.step.reason, crate::plan::Reason::Twins(_)) {
        report.adopted += 1;
    }
    if job.unwritable.is_some() {
        report.refused += 1;
    }
}

/// What stands there now, for writes that go onto it.
struct Old {
    items: BTreeMap<ItemId, connector::Result<Document>>,
    records: BTreeMap<ItemId, connector::Result<Document>>,
    /// What messages say in whole.
    messages: BTreeMap<ItemId, Patch>,
}

impl Old {
    async fn read(executor: &Executor<'_>, steps: &[Step]) -> connector::Result<Self> {
        let (mut items, mut records) = (Vec::new(), Vec::new());
        for step in steps {
            match &step.action {
                Action::Merge(merge) => {
                    let updates = |change: &Option<crate::plan::operation::Change>| {
                        change.as_ref().is_some_and(|change| change.expect.is_some())
                    };
                    let files = executor.class == Class::Email && merge.to_record.is_some();
                    if updates(&merge.to_item) || files {
                        items.extend(step.item.clone());
                    }
                    if updates(&merge.to_record) {
                        records.extend(step.record.clone());
                    }
                }
                Action::Delete { side: Side::Mailbox, .. } => items.extend(step.item.clone()),
                Action::Delete { .. } | Action::Release { .. } | Action::Forget => {}
            }
        }
        let mut old =
            Self { items: BTreeMap::new(), records: BTreeMap::new(), messages: BTreeMap::new() };
        if !items.is_empty() {
            old.items = executor.mailbox()?.read(executor.class, &items).await?;
        }
        if !records.is_empty() {
            old.records = executor.engine.crm.read(executor.class, &records).await?;
        }
        if executor.class == Class::Email {
            old.open_messages(&executor.context);
        }
        Ok(old)
    }

    fn open_messages(&mut self, context: &Context) {
        for (id, document) in &self.items {
            let Ok(document) = document else { continue };
            let read = std::panic::AssertUnwindSafe(|| {
                mapping::read_item(Class::Email, document, context)
            });
            if let Ok(Ok(content)) = std::panic::catch_unwind(read) {
                let patch =
                    content.fields.into_iter().map(|(field, value)| (field, Some(value))).collect();
                self.messages.insert(id.clone(), patch);
            }
        }
    }

    /// A message in whole, for filing.
    fn whole(&self, step: &Step) -> connector::Result<Patch> {
        let message = step.item.as_ref().and_then(|id| self.messages.get(id));
        message.cloned().ok_or_else(|| {
            Error::new(ErrorKind::Stale, format!("{step}: the message went away or cannot be read"))
        })
    }

    fn bytes(&self, id: &ItemId, version: &Version) -> connector::Result<&[u8]> {
        match self.items.get(id) {
            Some(Ok(Document { version: now, body: Body::Bytes(bytes), .. })) if now == version => {
                Ok(bytes)
            }
            Some(Ok(_)) => {
                Err(Error::new(ErrorKind::Stale, format!("{id} changed while we looked at it")))
            }
            Some(Err(error)) => Err(Error::new(error.kind, error.to_string())),
            None => {
                Err(Error::new(ErrorKind::Missing, format!("{id} went away while we looked at it")))
            }
        }
    }

    fn record(&self, id: &ItemId) -> connector::Result<Option<&Record>> {
        match self.records.get(id) {
            Some(Ok(Document { body: Body::Record(record), .. })) => Ok(Some(record)),
            Some(Ok(_)) | None => Ok(None),
            Some(Err(error)) => Err(Error::new(error.kind, error.to_string())),
        }
    }
}

/// What a written document says, as it was read back.
pub(super) fn read_back(class: Class, written: &Written, context: &Context) -> Option<Fields> {
    let document = written.document.as_ref()?;
    observe::read(class, document, context).ok().map(|content| content.fields)
}
