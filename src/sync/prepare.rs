//! Turns steps into writes: reads what stands there now, and lets `mapping` put the changes onto it.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::connector::{self, Connector, Error, ErrorKind, Write, Written};
use crate::mapping::{self, Change, Context};
use crate::model::{
    Body, Class, Document, Fields, ItemId, Patch, Record, RecordId, Side, Table, Version, name,
};
use crate::plan::merge::apply;
use crate::plan::operation::Change as Planned;
use crate::plan::{Action, Merge, Step, World};

/// A step on its way.
pub(super) struct Job<'a> {
    pub(super) step: &'a Step,
    pub(super) to_record: Option<Prepared>,
    pub(super) to_item: Option<Prepared>,
    /// What a delete is about to remove.
    pub(super) removed: Option<Vec<u8>>,
    /// The row that a conversion between tables leaves behind.
    pub(super) replaced: Option<(ItemId, Version)>,
    /// Why the step could not even be prepared.
    pub(super) unwritable: Option<Error>,
}

/// A write and what came of it.
pub(super) struct Prepared {
    pub(super) write: Write,
    pub(super) patch: Patch,
    /// `None` until it was tried.
    pub(super) result: Option<connector::Result<Written>>,
}

impl Prepared {
    fn of(write: Write, patch: &Patch) -> Self {
        Self { write, patch: patch.clone(), result: None }
    }
}

impl Job<'_> {
    pub(super) fn half(&self, side: Side) -> Option<&Prepared> {
        match side {
            Side::Mailbox => self.to_item.as_ref(),
            Side::Crm => self.to_record.as_ref(),
        }
    }

    pub(super) fn half_mut(&mut self, side: Side) -> Option<&mut Prepared> {
        match side {
            Side::Mailbox => self.to_item.as_mut(),
            Side::Crm => self.to_record.as_mut(),
        }
    }

    /// Whether this half is to be sent: not when the step could not be prepared, or its other half was refused.
    pub(super) fn is_ready(&self, side: Side) -> bool {
        let other_failed =
            self.half(side.other()).is_some_and(|half| matches!(half.result, Some(Err(_))));
        self.unwritable.is_none() && !other_failed && self.half(side).is_some()
    }
}

/// Where writes are made ready.
pub(super) struct Desk<'a> {
    pub(super) class: Class,
    pub(super) organisation: Uuid,
    pub(super) world: &'a World,
    pub(super) context: &'a Context,
    pub(super) mailbox: &'a dyn Connector,
    pub(super) crm: &'a dyn Connector,
}

impl Desk<'_> {
    /// One job a step. A step that cannot be prepared says why in its job, and does not stop the others.
    ///
    /// # Errors
    /// When a side is out of service.
    pub(super) async fn jobs<'s>(&self, steps: &'s [Step]) -> connector::Result<Vec<Job<'s>>> {
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
            Action::Merge(merge) => self.merge(&mut job, merge, old),
            Action::Delete { side, expect } => delete(&mut job, *side, expect, old),
            Action::Release { .. } | Action::Forget => Ok(()),
        };
        job.unwritable = prepared.err();
        job
    }

    fn merge(&self, job: &mut Job<'_>, merge: &Merge, old: &Old) -> connector::Result<()> {
        if let Some(change) = &merge.to_record {
            let prepared = match self.class {
                // A message was only read for its head so far; it is filed whole.
                Class::Email => {
                    let patch = old.whole(job.step)?.clone();
                    self.record_write(job, &Planned { expect: None, patch }, old)?
                }
                _ => self.record_write(job, change, old)?,
            };
            job.to_record = Some(prepared);
        }
        if let Some(change) = &merge.to_item {
            job.to_item = Some(self.item_write(job.step, change, old)?);
        }
        Ok(())
    }

    fn record_write(
        &self,
        job: &mut Job<'_>,
        planned: &Planned,
        old: &Old,
    ) -> connector::Result<Prepared> {
        let id = job.step.record.as_ref().ok_or_else(|| nowhere(job.step))?;
        let address = RecordId::parse(id).ok_or_else(|| nowhere(job.step))?;
        let whole = apply(&self.before(job.step, planned, Side::Crm), &planned.patch);
        let table = Table::of(self.class, &whole);
        let body = |patch: &Patch, old: Option<&Record>| {
            let change = Change { uid: &job.step.uid, patch, whole: &whole };
            mapping::write_record(table, change, old, self.context)
                .map(|patch| Body::Patch(Box::new(patch)))
                .map_err(|unwritable| Error::new(ErrorKind::Rejected, unwritable.to_string()))
        };
        let write = match &planned.expect {
            None => Write::Create { id: id.clone(), body: body(&planned.patch, None)? },
            Some(version) if table == address.table => Write::Update {
                id: id.clone(),
                version: version.clone(),
                body: body(&planned.patch, old.record(id)?)?,
            },
            Some(version) => {
                // A single appointment became a series, or the other way round: another table, hence another row.
                let guid = name::converted_guid(self.organisation, table, address.guid);
                let all: Patch = whole
                    .iter()
                    .map(|(field, value)| (field.clone(), Some(value.clone())))
                    .collect();
                let body = body(&all, None)?;
                job.replaced = Some((id.clone(), version.clone()));
                Write::Create { id: RecordId::new(table, guid).item_id(), body }
            }
        };
        Ok(Prepared::of(write, &planned.patch))
    }

    fn item_write(&self, step: &Step, planned: &Planned, old: &Old) -> connector::Result<Prepared> {
        let whole = apply(&self.before(step, planned, Side::Mailbox), &planned.patch);
        let change = Change { uid: &step.uid, patch: &planned.patch, whole: &whole };
        let body = |old: Option<&[u8]>| {
            mapping::write_item(self.class, change, old, self.context)
                .map(Body::Bytes)
                .map_err(|unwritable| Error::new(ErrorKind::Rejected, unwritable.to_string()))
        };
        let write = match (&planned.expect, &step.item) {
            (Some(version), Some(id)) => {
                let body = body(Some(old.bytes(id, version)?))?;
                Write::Update { id: id.clone(), version: version.clone(), body }
            }
            _ => {
                Write::Create { id: self.mailbox.address(self.class, &step.uid), body: body(None)? }
            }
        };
        Ok(Prepared::of(write, &planned.patch))
    }

    /// What the half said before the change: nothing, where it is made.
    fn before(&self, step: &Step, planned: &Planned, side: Side) -> Fields {
        if planned.expect.is_none() { Fields::new() } else { fields(self.world, step, side) }
    }
}

fn delete(job: &mut Job<'_>, side: Side, expect: &Version, old: &Old) -> connector::Result<()> {
    let id = match side {
        Side::Mailbox => job.step.item.as_ref(),
        Side::Crm => job.step.record.as_ref(),
    };
    let id = id.ok_or_else(|| nowhere(job.step))?.clone();
    if side == Side::Mailbox {
        job.removed = Some(old.bytes(&id, expect)?.to_vec());
    }
    let write = Write::Delete { id, version: expect.clone() };
    let prepared = Some(Prepared::of(write, &Patch::new()));
    match side {
        Side::Mailbox => job.to_item = prepared,
        Side::Crm => job.to_record = prepared,
    }
    Ok(())
}

fn nowhere(step: &Step) -> Error {
    Error::new(ErrorKind::Malformed, format!("{step}: it has no address to write to"))
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
    let bases = step.link.and_then(|id| world.link(id)).and_then(|link| link.bases.as_ref());
    match (bases, side) {
        (Some(bases), Side::Mailbox) => bases.item.clone(),
        (Some(bases), Side::Crm) => bases.record.clone(),
        (None, _) => Fields::new(),
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
    async fn read(desk: &Desk<'_>, steps: &[Step]) -> connector::Result<Self> {
        let (mut items, mut records) = (Vec::new(), Vec::new());
        for step in steps {
            match &step.action {
                Action::Merge(merge) => {
                    let updates = |change: &Option<Planned>| {
                        change.as_ref().is_some_and(|change| change.expect.is_some())
                    };
                    let files = desk.class == Class::Email && merge.to_record.is_some();
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
            old.items = desk.mailbox.read(desk.class, &items).await?;
        }
        if !records.is_empty() {
            old.records = desk.crm.read(desk.class, &records).await?;
        }
        if desk.class == Class::Email {
            old.open_messages(desk.context);
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
    fn whole(&self, step: &Step) -> connector::Result<&Patch> {
        let message = step.item.as_ref().and_then(|id| self.messages.get(id));
        message.ok_or_else(|| {
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
            None => Err(Error::new(ErrorKind::Missing, format!("{id} went away meanwhile"))),
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
