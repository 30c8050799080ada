//! Writes down what is about to be done and what came of it: the journal before, then links, bases, observations and
//! conflicts together in one transaction. All that a step changes in the store is on this page.

use std::collections::BTreeSet;

use super::prepare::{Job, Prepared, fields};
use super::world::started_key;
use super::{Engine, aside, contest, hold as names, observe};
use crate::connector::{ErrorKind, Result as Sent, Retry, Write, Written};
use crate::mapping::Context;
use crate::model::{Address, Bases, Class, Fields, ItemId, Link, LinkId, LinkState, Side, Version};
use crate::plan::operation;
use crate::plan::settle::{After, Settled, settle};
use crate::plan::{Action, Merge, Reason, Step, World};
use crate::store::conflict;
use crate::store::journal::{self, Answer, EntryId, Intent};
use crate::store::observation::{self, Observation};
use crate::store::quarantine::{self, Failure};
use crate::store::round::RoundId;
use crate::store::{self, Transaction, hold, kept, link, meta, person};

/// The journal rows of one step, by the side they write to.
#[derive(Debug, Clone, Default)]
pub struct Entries {
    pub record: Option<EntryId>,
    pub item: Option<EntryId>,
}

/// What came of a step, ready to be stored.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub(super) step: Step,
    answers: Vec<(EntryId, Answer)>,
    change: Change,
    observations: Vec<Observation>,
    /// What was deleted.
    removed: Option<(Side, ItemId)>,
    /// What is set aside, and when it is to be tried again.
    failure: Option<(Failure, Retry)>,
    /// Whether everything the step wanted was done.
    pub(super) complete: bool,
    /// The other half's fields of a thing that was deleted on one side and changed on the other.
    pub(super) kept: Fields,
    /// A message that was not filed, and its addresses of which nobody knows whose they are: it waits no longer.
    unfiled: Option<(ItemId, BTreeSet<Address>)>,
}

/// What becomes of the link.
#[derive(Debug, Clone)]
enum Change {
    Nothing,
    Put(Link),
    Release(LinkId, Side),
    Remove(LinkId),
}

/// Writes the intents of a batch into the journal. On the disk when it returns.
///
/// # Errors
/// When the store is lost.
pub(super) async fn intend(
    engine: &Engine,
    class: Class,
    round: RoundId,
    jobs: &[Job<'_>],
    world: &World,
) -> store::Result<Vec<Entries>> {
    let mut intents = Vec::new();
    let mut places = Vec::new();
    for (number, job) in jobs.iter().enumerate().filter(|(_, job)| job.unwritable.is_none()) {
        for side in [Side::Crm, Side::Mailbox] {
            if let Some(half) = job.half(side) {
                intents.push(intent(class, job, half, side, world));
                places.push((number, side, removed(job, half, side)));
            }
        }
    }
    let now = engine.clock.now();
    let count = jobs.len();
    // Before it is filed: should nobody learn that it was, it would never be told.
    let waits: Vec<(ItemId, BTreeSet<Address>)> = jobs
        .iter()
        .filter(|job| job.unwritable.is_none() && !job.in_doubt.is_empty())
        .filter_map(|job| Some((job.half(Side::Crm)?.write.id().clone(), job.in_doubt.clone())))
        .collect();
    let contested: Vec<Step> = jobs
        .iter()
        .filter(|job| job.unwritable.is_none() && !job.step.contests.is_empty())
        .map(|job| job.step.clone())
        .collect();
    engine
        .store
        .promise(move |tx| {
            let ids = journal::intend(tx, round, now, &intents)?;
            for step in &contested {
                contest::announce(tx, step, (round, now))?;
            }
            for (record, addresses) in &waits {
                addresses.iter().try_for_each(|address| person::wait(tx, address, record))?;
            }
            let mut entries = vec![Entries::default(); count];
            for (id, (number, side, removed)) in ids.into_iter().zip(places) {
                if let Some(body) = removed {
                    kept::put(tx, id, &body)?;
                }
                let Some(of) = entries.get_mut(number) else { continue };
                match side {
                    Side::Crm => of.record = Some(id),
                    Side::Mailbox => of.item = Some(id),
                }
            }
            Ok(entries)
        })
        .await
}

/// What a delete is about to remove and its journal row does not say: the item itself, or the global name of a record.
fn removed(job: &Job<'_>, half: &Prepared, side: Side) -> Option<Vec<u8>> {
    match (&half.write, side) {
        (Write::Delete { .. }, Side::Mailbox) => job.removed.clone(),
        (Write::Delete { .. }, Side::Crm) => Some(job.step.uid.as_str().as_bytes().to_vec()),
        (Write::Create { .. } | Write::Update { .. } | Write::Mark { .. }, _) => None,
    }
}

fn intent(class: Class, job: &Job<'_>, half: &Prepared, side: Side, world: &World) -> Intent {
    let step = job.step;
    let (action, expect) = match &half.write {
        Write::Create { .. } => (journal::Action::Create, None),
        Write::Update { version, .. } => (journal::Action::Update, Some(version.clone())),
        Write::Delete { version, .. } => (journal::Action::Delete, Some(version.clone())),
        Write::Mark { .. } => (journal::Action::Mark, None),
    };
    let (mut item, mut record) = (step.item.clone(), step.record.clone());
    match side {
        Side::Mailbox => item = Some(half.write.id().clone()),
        Side::Crm => record = Some(half.write.id().clone()),
    }
    // The body of a message stays out of the journal: the message itself is kept on both sides.
    let patch = if class == Class::Email { crate::model::Patch::new() } else { half.patch.clone() };
    Intent {
        class,
        link: step.link,
        item,
        record,
        uid: (action == journal::Action::Create).then(|| step.uid.clone()),
        side,
        action,
        why: match &job.left_out {
            Some(left_out) => format!("{}; {left_out}", step.reason),
            None => step.reason.to_string(),
        },
        before: (action != journal::Action::Create).then(|| fields(world, step, side)),
        patch,
        expect,
        key: step.key().0,
    }
}

impl Outcome {
    /// Of a step without a remote write.
    pub(super) fn noted(step: &Step, world: &World) -> Self {
        let change = match &step.action {
            Action::Merge(merge) => {
                Change::Put(merged(step, merge, world, (None, None), (None, None)))
            }
            Action::Release { gone } => {
                step.link.map_or(Change::Nothing, |link| Change::Release(link, *gone))
            }
            Action::Forget | Action::Delete { .. } => {
                step.link.map_or(Change::Nothing, Change::Remove)
            }
        };
        Self {
            step: step.clone(),
            answers: Vec::new(),
            change,
            observations: Vec::new(),
            removed: None,
            failure: None,
            complete: true,
            kept: match &step.action {
                Action::Release { gone } => fields(world, step, gone.other()),
                _ => Fields::new(),
            },
            unfiled: None,
        }
    }

    pub(super) fn adopts(&self) -> bool {
        matches!(self.step.reason, Reason::Twins(_))
    }

    /// Of a step whose writes were tried.
    pub(super) fn of(job: &Job<'_>, entries: &Entries, world: &World, context: &Context) -> Self {
        let step = job.step;
        let mut outcome = Self {
            step: step.clone(),
            answers: Vec::new(),
            change: Change::Nothing,
            observations: Vec::new(),
            removed: None,
            failure: job.unwritable.as_ref().and_then(|error| aside::failure(step, world, error)),
            complete: job.unwritable.is_none(),
            kept: Fields::new(),
            unfiled: aside::unfiled(job),
        };
        for (side, half, entry) in [
            (Side::Crm, &job.to_record, entries.record),
            (Side::Mailbox, &job.to_item, entries.item),
        ] {
            let (Some(half), Some(entry)) = (half, entry) else { continue };
            outcome.take(side, half, entry, world, context);
        }
        if job.unwritable.is_none() {
            outcome.change = outcome.link(job, world, context);
        }
        outcome
    }

    fn take(
        &mut self,
        side: Side,
        half: &Prepared,
        entry: EntryId,
        world: &World,
        context: &Context,
    ) {
        let class = self.step.class;
        self.complete &= matches!(half.result, Some(Ok(_)));
        if let Some(Ok(Written { document: Some(document), .. })) = &half.result
            && let Ok(content) = observe::read(class, document, context)
        {
            let (id, version) = (document.id.clone(), document.version.clone());
            self.observations.push(Observation {
                side,
                class,
                id,
                version,
                content: Some(content),
                problem: None,
            });
        }
        if half.deleted() {
            self.removed = Some((side, half.write.id().clone()));
        }
        if let Some(Err(error)) = &half.result
            && self.failure.is_none()
        {
            self.failure = aside::failure(&self.step, world, error);
        }
        let answer = answer(class, half.result.as_ref(), context);
        let open = half.may_have_met_itself().then_some(journal::Outcome::Unknown);
        let outcome = open.unwrap_or(answer.outcome);
        self.answers.push((entry, Answer { outcome, ..answer }));
    }

    fn link(&self, job: &Job<'_>, world: &World, context: &Context) -> Change {
        let step = &self.step;
        let done = |half: &Option<Prepared>| {
            half.as_ref().and_then(|half| half.result.as_ref()?.as_ref().ok().cloned())
        };
        let existed = |half: &Option<Prepared>| {
            half.as_ref().is_some_and(|half| {
                matches!(&half.write, Write::Create { .. })
                    && matches!(&half.result, Some(Err(error)) if error.kind == ErrorKind::Exists)
            })
        };
        match &step.action {
            Action::Merge(merge) => {
                let (record, item) = (done(&job.to_record), done(&job.to_item));
                if existed(&job.to_record) || existed(&job.to_item) {
                    return self.meet(job);
                }
                let creates_record =
                    merge.to_record.as_ref().is_some_and(|change| change.expect.is_none());
                let creates_item =
                    merge.to_item.as_ref().is_some_and(|change| change.expect.is_none());
                if (creates_record && record.is_none()) || (creates_item && item.is_none()) {
                    return Change::Nothing;
                }
                let fields = |written: &Option<Written>| {
                    written.as_ref().and_then(|written| read_back(step.class, written, context))
                };
                let (item_fields, record_fields) = (fields(&item), fields(&record));
                let mut link = merged(
                    step,
                    merge,
                    world,
                    (item.as_ref(), item_fields.as_ref()),
                    (record.as_ref(), record_fields.as_ref()),
                );
                if let (Some(written), Some(_)) = (&record, &job.replaced) {
                    link.record = written.id.clone();
                }
                Change::Put(link)
            }
            Action::Delete { side, .. } => {
                let half = if *side == Side::Crm { &job.to_record } else { &job.to_item };
                match step.link {
                    Some(link) if half.as_ref().is_some_and(Prepared::deleted) => {
                        Change::Remove(link)
                    }
                    _ => Change::Nothing,
                }
            }
            Action::Release { .. } | Action::Forget => Change::Nothing,
        }
    }

    /// What was to be made is there already: a pair without a common past. The next look merges it.
    fn meet(&self, job: &Job<'_>) -> Change {
        let address = |half: &Option<Prepared>, known: &Option<ItemId>| match half {
            Some(Prepared { write: Write::Create { id, .. }, .. }) => Some(id.clone()),
            _ => known.clone(),
        };
        let item = address(&job.to_item, &self.step.item);
        let record = address(&job.to_record, &self.step.record);
        let (Some(item), Some(record)) = (item, record) else { return Change::Nothing };
        let origin = if job.to_item.is_some() { Side::Crm } else { Side::Mailbox };
        Change::Put(contest::pair(&self.step, item, record, origin))
    }
}

/// The link after a merge.
fn merged(
    step: &Step,
    merge: &Merge,
    world: &World,
    item: (Option<&Written>, Option<&Fields>),
    record: (Option<&Written>, Option<&Fields>),
) -> Link {
    let old = step.link.and_then(|id| world.link(id));
    let creates = |change: &Option<operation::Change>| {
        change.as_ref().is_some_and(|change| change.expect.is_none())
    };
    let before =
        |side, created: bool| if created { Fields::new() } else { fields(world, step, side) };
    let item_before = before(Side::Mailbox, creates(&merge.to_item));
    let record_before = before(Side::Crm, creates(&merge.to_record));
    let bases = old.and_then(|link| link.bases.as_deref()).cloned().unwrap_or_default();
    let settled = match step.class {
        // A message is filed once: there is nothing to compare afterwards.
        Class::Email => Settled { bases: Bases::default(), item: true, record: true },
        _ => settle(
            &bases,
            merge,
            After { before: &item_before, written: item.1 },
            After { before: &record_before, written: record.1 },
        ),
    };
    let version = |side, written: Option<&Written>, id: Option<&ItemId>| match written {
        Some(written) => written.document.as_ref().map(|document| document.version.clone()),
        None => id.and_then(|id| seen(world, side, id)),
    };
    let known = |written: Option<&Written>, id: &Option<ItemId>| {
        written
            .map(|written| written.id.clone())
            .or_else(|| id.clone())
            .unwrap_or_else(|| ItemId::new(""))
    };
    Link {
        id: step.link.unwrap_or(LinkId(0)),
        class: step.class,
        item: known(item.0, &step.item),
        record: known(record.0, &step.record),
        uid: step.uid.clone(),
        origin: old.map_or_else(
            || if creates(&merge.to_item) { Side::Crm } else { Side::Mailbox },
            |link| link.origin,
        ),
        state: LinkState::Active,
        item_version: version(Side::Mailbox, item.0, step.item.as_ref()).filter(|_| settled.item),
        record_version: version(Side::Crm, record.0, step.record.as_ref())
            .filter(|_| settled.record),
        bases: Some(Box::new(settled.bases)),
    }
}

fn seen(world: &World, side: Side, id: &ItemId) -> Option<Version> {
    world.version(side, id).cloned()
}

pub(super) fn answer(class: Class, result: Option<&Sent<Written>>, context: &Context) -> Answer {
    let (outcome, error) = match result {
        Some(Ok(_)) => (journal::Outcome::Done, None),
        Some(Err(error)) if error.kind.leaves_open() => {
            (journal::Outcome::Unknown, Some(error.to_string()))
        }
        Some(Err(error)) => (journal::Outcome::Refused, Some(error.to_string())),
        None => (
            journal::Outcome::Refused,
            Some("not tried: the other half of the step was refused".to_owned()),
        ),
    };
    let written = result.and_then(|result| result.as_ref().ok());
    Answer {
        outcome,
        id: written.map(|written| written.id.clone()),
        after: written
            .filter(|_| class != Class::Email)
            .and_then(|written| read_back(class, written, context)),
        version: written
            .and_then(|written| written.document.as_ref())
            .map(|document| document.version.clone()),
        error,
    }
}

/// Stores what came of steps: all of it, or nothing.
///
/// # Errors
/// When the store is lost.
pub(super) async fn commit(
    engine: &Engine,
    class: Class,
    round: RoundId,
    outcomes: Vec<Outcome>,
) -> store::Result<()> {
    if outcomes.is_empty() {
        return Ok(());
    }
    let now = engine.clock.now();
    let work = move |tx: &Transaction<'_>| {
        let pending = conflict::open(tx)?;
        for outcome in &outcomes {
            for (entry, answer) in &outcome.answers {
                journal::finish(tx, *entry, answer, now)?;
            }
            observation::upsert(tx, round, &outcome.observations)?;
            if let Some((side, id)) = &outcome.removed {
                // A listing from before must not show it again.
                observation::remove(tx, *side, class, std::slice::from_ref(id))?;
            }
            if let Some((failure, retry)) = &outcome.failure {
                quarantine::put(tx, failure, now, |failures| retry.pause(failures))?;
            }
            if let Some((record, addresses)) = &outcome.unfiled {
                addresses.iter().try_for_each(|address| person::done(tx, address, record))?;
            }
            let link = put(tx, outcome)?;
            contest::list(tx, outcome, link, &pending, (round, now))?;
        }
        let approved = hold::approved_keys(tx, class)?;
        let done: Vec<&Step> = outcomes
            .iter()
            .filter(|outcome| outcome.complete)
            .map(|outcome| &outcome.step)
            .collect();
        if done.iter().any(|step| approved.contains_key(&step.subject())) {
            meta::set(tx, &started_key(class), "approved")?;
        }
        hold::consume(tx, class, &names::names(done.into_iter()))
    };
    engine.store.write(work).await
}

fn put(tx: &Transaction<'_>, outcome: &Outcome) -> store::Result<Option<LinkId>> {
    match &outcome.change {
        Change::Nothing => Ok(outcome.step.link),
        Change::Put(new) if new.id == LinkId(0) => match link::insert(tx, new) {
            Ok(id) => Ok(Some(id)),
            // Linked when it was contested; or its half belongs to another pair: that is a copy, and stays alone.
            Err(error) if error.kind == store::ErrorKind::Exists => {
                let old = link::by_item(tx, new.class, &new.item)?;
                let Some(old) = old.filter(|old| old.record == new.record) else { return Ok(None) };
                link::update(tx, &Link { id: old.id, ..new.clone() })?;
                Ok(Some(old.id))
            }
            Err(error) => Err(error),
        },
        Change::Put(changed) => match link::update(tx, changed) {
            // Where it was to lead is another pair's: it stays as it is, and nobody else has to wait for that.
            Ok(()) => Ok(Some(changed.id)),
            Err(error) if error.kind == store::ErrorKind::Exists => Ok(Some(changed.id)),
            Err(error) => Err(error),
        },
        Change::Release(id, gone) => {
            let Some(mut link) = link::get(tx, *id)? else { return Ok(None) };
            link.state = LinkState::Released { gone: *gone };
            // What stays may have moved.
            if let (Some(item), Some(record)) = (&outcome.step.item, &outcome.step.record) {
                link.item.clone_from(item);
                link.record.clone_from(record);
            }
            link::update(tx, &link)?;
            Ok(Some(*id))
        }
        Change::Remove(id) => {
            link::remove(tx, &[*id])?;
            Ok(Some(*id))
        }
    }
}

/// What a written document says, as it was read back.
pub(super) fn read_back(class: Class, written: &Written, context: &Context) -> Option<Fields> {
    let document = written.document.as_ref()?;
    observe::read(class, document, context).ok().map(|content| content.fields)
}
