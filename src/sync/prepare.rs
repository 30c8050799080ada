//! Turns steps into writes: reads what stands there now, and lets `mapping` put the changes onto it.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::Filing;
use crate::connector::{self, Connector, Error, ErrorKind, Write, Written};
use crate::filter::content::Keep;
use crate::mapping::{self, Change, Context};
use crate::model::{
    Address, Body, Class, Content, Document, Fields, ItemId, Patch, Record, RecordId, Side, Table,
    Version, all_of, name,
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
    /// What of a message stays out of the CRM.
    pub(super) left_out: Option<String>,
    /// Addresses of a message that may be several people's: it waits to be told which.
    pub(super) in_doubt: BTreeSet<Address>,
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

    /// Whether what was to be deleted is gone, by this write or before it.
    pub(super) fn deleted(&self) -> bool {
        let is_missing = |error: &Error| error.kind == ErrorKind::Missing;
        matches!(self.write, Write::Delete { .. })
            && self.result.as_ref().is_some_and(|it| it.as_ref().err().is_none_or(is_missing))
    }

    /// Whether a write that was refused may have taken place: what carries requests may deliver one twice, and the second meets
    /// what the first made.
    pub(super) fn may_have_met_itself(&self) -> bool {
        let met = match self.write {
            Write::Create { .. } => ErrorKind::Exists,
            Write::Update { .. } => ErrorKind::Stale,
            Write::Delete { .. } | Write::Mark { .. } => return false,
        };
        let is_met = |error: &Error| error.kind == met;
        self.result.as_ref().is_some_and(|it| it.as_ref().is_err_and(is_met))
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
    pub(super) filing: &'a Filing,
    pub(super) mailbox: &'a dyn Connector,
    pub(super) crm: &'a dyn Connector,
}

impl Desk<'_> {
    /// One job a step, for as many of the first steps as fit into memory with what they need. A step that cannot be prepared
    /// says why in its job, and does not stop the others.
    ///
    /// # Errors
    /// When a side is out of service.
    pub(super) async fn jobs<'s>(&self, steps: &'s [Step]) -> connector::Result<Vec<Job<'s>>> {
        let (mut old, ready) = Old::read(self, steps).await?;
        Ok(steps.iter().take(ready).map(|step| self.job(step, &mut old)).collect())
    }

    fn job<'s>(&self, step: &'s Step, old: &mut Old) -> Job<'s> {
        let mut job = Job {
            step,
            to_record: None,
            to_item: None,
            removed: None,
            replaced: None,
            left_out: None,
            in_doubt: BTreeSet::new(),
            unwritable: None,
        };
        let prepared = match &step.action {
            Action::Merge(merge) => self.merge(&mut job, merge, old),
            Action::Delete { side, expect, .. } => delete(&mut job, *side, expect, old),
            Action::Release { .. } | Action::Forget => Ok(()),
        };
        job.unwritable = prepared.err();
        job
    }

    fn merge(&self, job: &mut Job<'_>, merge: &Merge, old: &mut Old) -> connector::Result<()> {
        if let Some(change) = &merge.to_record {
            let prepared = match self.class {
                // A message was only read for its head so far.
                Class::Email => {
                    let Filed { patch, left_out } = old.message(job.step)?;
                    job.left_out = left_out;
                    let mut filed = self.record_write(
                        job,
                        &Planned { expect: None, patch, over: Fields::new() },
                        old,
                    )?;
                    // Nobody compares messages once they are filed, and their files are large.
                    filed.patch = Patch::new();
                    filed
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
                let body = body(&all_of(&whole), None)?;
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

    /// The message that a step files, and its head.
    fn files<'s>(&'s self, step: &'s Step) -> Option<(&'s ItemId, &'s Content)> {
        let Action::Merge(Merge { to_record: Some(_), .. }) = &step.action else { return None };
        let id = step.item.as_ref()?;
        Some((id, self.world.content(Side::Mailbox, id)?))
    }

    /// What is filed of a message that was read. A reader that panics on hostile bytes only costs its own message.
    fn open(&self, document: &Document, keep: Keep) -> Option<Filed> {
        let Body::Bytes(bytes) = &document.body else { return None };
        let read = match keep {
            Keep::All => mapping::email::read_item,
            Keep::Text | Keep::Headers => mapping::email::read_text,
        };
        let read = std::panic::AssertUnwindSafe(|| read(bytes, &document.marks, self.context));
        let content = std::panic::catch_unwind(read).ok()?.ok()?;
        let mut patch = as_patch(content.fields);
        let left_out = match keep {
            Keep::All => mapping::email::leave_out(&mut patch, &self.filing.files, self.context),
            Keep::Text | Keep::Headers => Some(TEXT_ONLY.to_owned()),
        };
        Some(Filed { patch, left_out })
    }

    /// What the half said before the change: nothing, where it is made.
    fn before(&self, step: &Step, planned: &Planned, side: Side) -> Fields {
        if planned.expect.is_none() { Fields::new() } else { fields(self.world, step, side) }
    }
}

/// What stays out by the user's rules, as `explain` says it.
const HEAD_ONLY: &str = "not filed, by your settings: the body and attachments";
const TEXT_ONLY: &str = "not filed, by your settings: attachments, and how the body was written";

impl Filed {
    fn head(head: &Content) -> Self {
        let mut fields = head.fields.clone();
        fields.retain(|field, _| !BODY.contains(&field.as_str()));
        Self { patch: as_patch(fields), left_out: Some(HEAD_ONLY.to_owned()) }
    }
}

/// The fields of a message that its head does not have.
const BODY: [&str; 2] = ["description", "attachments"];

fn as_patch(fields: Fields) -> Patch {
    fields.into_iter().map(|(field, value)| (field, Some(value))).collect()
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
    messages: BTreeMap<ItemId, Filed>,
}

/// What is filed of a message.
struct Filed {
    patch: Patch,
    left_out: Option<String>,
}

/// How many messages are read at a time. They may be as large as their servers let them be.
const MESSAGES: usize = 16;

/// From so many bytes of messages on, what was read is filed before more is read.
const ENOUGH: usize = 32 << 20;

impl Old {
    /// Reads what the first of these steps need, and says how many those are.
    async fn read(desk: &Desk<'_>, steps: &[Step]) -> connector::Result<(Self, usize)> {
        let mut old =
            Self { items: BTreeMap::new(), records: BTreeMap::new(), messages: BTreeMap::new() };
        let ready = match desk.class {
            Class::Email => old.read_messages(desk, steps).await?,
            _ => steps.len(),
        };
        let steps = steps.get(..ready).unwrap_or(steps);
        let (mut items, mut records) = (Vec::new(), Vec::new());
        for step in steps {
            match &step.action {
                Action::Merge(merge) => {
                    let updates = |change: &Option<Planned>| {
                        change.as_ref().is_some_and(|change| change.expect.is_some())
                    };
                    if updates(&merge.to_item) {
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
        if !items.is_empty() {
            old.items = desk.mailbox.read(desk.class, &items).await?;
        }
        if !records.is_empty() {
            old.records = desk.crm.read(desk.class, &records).await?;
        }
        Ok((old, ready))
    }

    /// Reads messages that are to be filed, until they are enough.
    async fn read_messages(&mut self, desk: &Desk<'_>, steps: &[Step]) -> connector::Result<usize> {
        let (mut ready, mut size) = (0, 0_usize);
        for portion in steps.chunks(MESSAGES) {
            if size >= ENOUGH {
                break;
            }
            let mut wanted = BTreeMap::new();
            for (id, head) in portion.iter().filter_map(|step| desk.files(step)) {
                match desk.filing.content.keep(id.collection(), head) {
                    // Its head is known, and nothing else is even fetched.
                    Keep::Headers => drop(self.messages.insert(id.clone(), Filed::head(head))),
                    keep => drop(wanted.insert(id.clone(), keep)),
                }
            }
            let ids: Vec<ItemId> = wanted.keys().cloned().collect();
            if !ids.is_empty() {
                for (id, document) in desk.mailbox.read(desk.class, &ids).await? {
                    let (Ok(document), Some(keep)) = (document, wanted.get(&id)) else { continue };
                    if let Body::Bytes(bytes) = &document.body {
                        size = size.saturating_add(bytes.len());
                    }
                    self.messages.extend(desk.open(&document, *keep).map(|filed| (id, filed)));
                }
            }
            ready += portion.len();
        }
        Ok(ready)
    }

    /// What is filed of a message. It is asked for once.
    fn message(&mut self, step: &Step) -> connector::Result<Filed> {
        let message = step.item.as_ref().and_then(|id| self.messages.remove(id));
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
