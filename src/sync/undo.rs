//! Takes back what a round wrote: the inverse of each write in the journal, if the thing is still as the round left it. What
//! came after stays. Links and bases are set so that the next sync plans nothing from it. Messages are never touched; the
//! records that they were filed as are.

use std::collections::{BTreeMap, BTreeSet};

use super::record::read_back;
use super::{Engine, describe, observe, record};
use crate::connector::{self, ErrorKind, Write, Written};
use crate::mapping::{self, Change, Context};
use crate::model::{
    Address, Bases, Body, Class, Content, Document, Field, Fields, ItemId, Link, LinkId, LinkState,
    Patch, RecordId, Side, Uid, Value, Version, name,
};
use crate::plan::merge::apply;
use crate::store::journal::{self, Action, Entry, EntryId, Intent};
use crate::store::observation::{self, Observation};
use crate::store::round::{self, RoundId};
use crate::store::{self, Transaction, kept, link};

/// What taking back a round comes to.
#[derive(Debug, Clone, Default)]
pub struct Undo {
    pub inverses: Vec<Inverse>,
    /// What stays as it is, each with the reason, in a line for the person.
    pub skipped: Vec<String>,
}

/// One write that takes back what was done to one thing on one side.
#[derive(Debug, Clone)]
pub struct Inverse {
    /// For the person.
    pub line: String,
    net: Net,
    uid: Uid,
    write: Write,
    /// What stands there now; `None` when nothing does.
    now: Option<Fields>,
    patch: Patch,
    /// The body that is about to be removed.
    removed: Option<Vec<u8>>,
}

/// What came of an inverse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Refused(String),
    /// No answer: whether it was done is seen at the next sync.
    Unknown(String),
}

/// What came of taking back a round.
#[derive(Debug, Clone)]
pub struct Undone {
    /// The round that the inverse writes are.
    pub round: RoundId,
    pub outcomes: Vec<(Inverse, Outcome)>,
    pub plan: Undo,
}

impl Engine {
    /// What taking back this round would do now. Writes nothing.
    ///
    /// # Errors
    /// The outer when the store is lost, the inner when a side is out of service.
    pub async fn plan_undo(&self, round: RoundId) -> store::Result<connector::Result<Undo>> {
        let entries = self.store.read(move |db| journal::of_round(db, round)).await?;
        let nets = net(entries);
        let mut planner = Planner { engine: self, context: self.context(), undo: Undo::default() };
        if let Err(error) = planner.meet(&nets).await {
            return Ok(Err(error));
        }
        for ((side, class), nets) in grouped(nets, |net| (net.side, net.class)) {
            let ids: Vec<ItemId> = nets.iter().map(|net| net.id.clone()).collect();
            let connector = match self.end(class, side) {
                Ok(connector) => connector,
                Err(error) => return Ok(Err(error)),
            };
            let mut found = match connector.read(class, &ids).await {
                Ok(found) => found,
                Err(error) => return Ok(Err(error)),
            };
            for net in nets {
                let removed = match net.effect {
                    Effect::Deleted => {
                        let entry = net.last;
                        self.store.read(move |db| kept::get(db, entry)).await?
                    }
                    Effect::Created | Effect::Updated => None,
                };
                let here = found.remove(&net.id);
                planner.plan(net, here, removed);
            }
        }
        Ok(Ok(planner.undo))
    }

    /// Takes it back, as a round of its own.
    ///
    /// # Errors
    /// When the store is lost. A write that fails is part of the answer.
    pub async fn undo(&self, round: RoundId, plan: Undo) -> store::Result<Undone> {
        let (now, trigger) = (self.clock.now(), format!("undo {round}"));
        let started = self.store.write(move |tx| round::start(tx, &trigger, now)).await?;
        let mut outcomes = Vec::new();
        let of = |inverse: &Inverse| (inverse.net.side, inverse.net.class);
        for ((side, class), inverses) in grouped(plan.inverses.clone(), of) {
            let entries = intend(self, started, round, &inverses).await?;
            let writes = inverses.iter().map(|inverse| inverse.write.clone()).collect();
            let results = match self.end(class, side) {
                Ok(connector) => connector.write(class, writes).await,
                Err(error) => Err(error),
            };
            let results = results.unwrap_or_else(|error| {
                let unknown = |_| Err(connector::Error::new(error.kind, error.to_string()));
                inverses.iter().map(unknown).collect()
            });
            let done: Vec<Done> = inverses
                .into_iter()
                .zip(entries)
                .zip(results)
                .map(|((inverse, entry), result)| Done { inverse, entry, result })
                .collect();
            outcomes.extend(done.iter().map(|done| (done.inverse.clone(), done.outcome())));
            commit(self, started, done).await?;
        }
        let count = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Done).count();
        let report = serde_json::json!({ "undone": count, "of": outcomes.len() });
        let now = self.clock.now();
        self.store.write(move |tx| round::finish(tx, started, &report, now)).await?;
        Ok(Undone { round: started, outcomes, plan })
    }

    fn end(&self, class: Class, side: Side) -> connector::Result<&dyn connector::Connector> {
        match side {
            Side::Crm => Ok(self.crm.as_ref()),
            Side::Mailbox => self.mailbox.get(&class).map(AsRef::as_ref).ok_or_else(|| {
                let message = format!("no mailbox is configured for {class}s");
                connector::Error::new(ErrorKind::Unsupported, message)
            }),
        }
    }
}

/// All that a round did to one thing on one side, taken together.
#[derive(Debug, Clone)]
struct Net {
    class: Class,
    side: Side,
    id: ItemId,
    effect: Effect,
    item: Option<ItemId>,
    record: Option<ItemId>,
    /// What stood there before the round, as far as it is known.
    before: Fields,
    /// The fields that the round changed.
    changed: BTreeSet<Field>,
    /// What the round left there.
    version: Option<Version>,
    /// The last of its writes.
    last: EntryId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Created,
    Updated,
    Deleted,
}

/// What the writes of a round come to. What was made and deleted again in one round is nothing.
fn net(entries: Vec<Entry>) -> Vec<Net> {
    let mut nets: BTreeMap<(Class, Side, ItemId), Net> = BTreeMap::new();
    let done = |entry: &Entry| entry.outcome == journal::Outcome::Done;
    for entry in entries.into_iter().filter(done) {
        let effect = match entry.intent.action {
            Action::Create => Effect::Created,
            Action::Update => Effect::Updated,
            Action::Delete => Effect::Deleted,
            Action::Mark => continue,
        };
        let id = match entry.intent.side {
            Side::Mailbox => entry.intent.item.clone(),
            Side::Crm => entry.intent.record.clone(),
        };
        let Some(id) = id else { continue };
        let key = (entry.intent.class, entry.intent.side, id.clone());
        let Some(net) = nets.get_mut(&key) else {
            nets.insert(key, Net::of(entry, id, effect));
            continue;
        };
        match (net.effect, effect) {
            (Effect::Created, Effect::Deleted) => {
                nets.remove(&key);
            }
            (Effect::Created, Effect::Created | Effect::Updated) => {
                net.go_on(entry, Effect::Created)
            }
            (Effect::Updated, effect) => net.go_on(entry, effect),
            (Effect::Deleted, Effect::Deleted) => net.go_on(entry, Effect::Deleted),
            // Made anew under the old name: to bring back the old one would be to replace this one.
            (Effect::Deleted, Effect::Created | Effect::Updated) => net.version = None,
        }
    }
    nets.into_values().collect()
}

impl Net {
    fn of(entry: Entry, id: ItemId, effect: Effect) -> Self {
        Self {
            class: entry.intent.class,
            side: entry.intent.side,
            id,
            effect,
            item: entry.intent.item,
            record: entry.intent.record,
            before: entry.intent.before.unwrap_or_default(),
            changed: entry.intent.patch.into_keys().collect(),
            version: entry.version,
            last: entry.id,
        }
    }

    fn go_on(&mut self, entry: Entry, effect: Effect) {
        self.effect = effect;
        self.changed.extend(entry.intent.patch.into_keys());
        self.version = entry.version;
        self.last = entry.id;
    }

    fn place(&self) -> &'static str {
        match self.side {
            Side::Mailbox => "the mailbox",
            Side::Crm => "the CRM",
        }
    }

    /// The old values of what was changed.
    fn back(&self) -> Patch {
        let old = |field: &Field| (field.clone(), self.before.get(field).cloned());
        self.changed.iter().map(old).collect()
    }

    fn table(&self) -> connector::Result<crate::model::Table> {
        RecordId::parse(&self.id).map(|id| id.table).ok_or_else(|| {
            connector::Error::new(ErrorKind::Malformed, format!("{} is no record", self.id))
        })
    }
}

struct Planner<'e> {
    engine: &'e Engine,
    context: Context,
    undo: Undo,
}

/// What stands there, and what it says.
struct Here {
    document: Document,
    content: Content,
}

impl Planner<'_> {
    /// Asks the CRM whom the people in the old values are.
    async fn meet(&mut self, nets: &[Net]) -> connector::Result<()> {
        let people = nets.iter().filter(|net| net.side == Side::Crm).flat_map(|net| {
            net.before.values().filter_map(|value| match value {
                Value::People(people) => Some(people),
                _ => None,
            })
        });
        let wanted: BTreeSet<Address> =
            people.flatten().map(|person| person.address.clone()).collect();
        if !wanted.is_empty() {
            let wanted: Vec<Address> = wanted.into_iter().collect();
            self.context.people = self.engine.crm.resolve(&wanted).await?;
        }
        Ok(())
    }

    fn plan(
        &mut self,
        net: Net,
        here: Option<connector::Result<Document>>,
        removed: Option<Vec<u8>>,
    ) {
        let title = match &here {
            Some(Ok(document)) => observe::read(net.class, document, &self.context)
                .map(|content| describe::title(net.class, &content.fields)),
            _ => Ok(describe::title(net.class, &net.before)),
        };
        let title = title.unwrap_or_else(|_| net.id.to_string());
        let named = format!("{} “{title}”", net.class);
        let planned = match (net.effect, here) {
            (Effect::Deleted, Some(Err(error))) if error.kind == ErrorKind::Missing => {
                self.restore(&net, removed)
            }
            (Effect::Deleted, Some(Ok(_))) => Err("it is there again".to_owned()),
            (Effect::Created | Effect::Updated, Some(Ok(document))) => {
                self.unchanged(&net, document).and_then(|here| match net.effect {
                    Effect::Updated => self.revert(&net, &here),
                    Effect::Created | Effect::Deleted => Ok(remove(&net, here)),
                })
            }
            (_, Some(Err(error))) if error.kind == ErrorKind::Missing => {
                Err("it is gone by now".to_owned())
            }
            (_, Some(Err(error))) => Err(error.to_string()),
            (_, None) => Err("it was not told what stands there".to_owned()),
        };
        match planned {
            Ok(inverse) => {
                let line = format!("{named}: {}", inverse.line);
                self.undo.inverses.push(Inverse { line, net, ..inverse });
            }
            Err(reason) => {
                self.undo.skipped.push(format!("{named} in {}: {reason}", net.place()));
            }
        }
    }

    /// What stands there, if it is what the round left.
    fn unchanged(&self, net: &Net, document: Document) -> Result<Here, String> {
        match &net.version {
            Some(version) if *version == document.version => {}
            Some(_) => return Err("it changed since".to_owned()),
            None => return Err("it is not known what the round left there".to_owned()),
        }
        let content = observe::read(net.class, &document, &self.context)?;
        Ok(Here { document, content })
    }

    /// Writes the old values of the fields that the round changed.
    fn revert(&self, net: &Net, here: &Here) -> Result<Inverse, String> {
        let patch = net.back();
        let whole = apply(&here.content.fields, &patch);
        let uid = here.content.uid.clone();
        let change = Change { uid: &uid, patch: &patch, whole: &whole };
        let body = match &here.document.body {
            Body::Bytes(bytes) => {
                mapping::write_item(net.class, change, Some(bytes), &self.context).map(Body::Bytes)
            }
            Body::Record(record) => {
                let table = net.table().map_err(|error| error.to_string())?;
                mapping::write_record(table, change, Some(record), &self.context)
                    .map(|patch| Body::Patch(Box::new(patch)))
            }
            Body::Patch(_) => return Err("it was not read whole".to_owned()),
        };
        let body = body.map_err(|unwritable| unwritable.to_string())?;
        let (id, version) = (net.id.clone(), here.document.version.clone());
        let names: Vec<&str> = patch.keys().map(Field::as_str).collect();
        let line = format!("{} as before in {}", names.join(", "), net.place());
        let now = Some(here.content.fields.clone());
        let write = Write::Update { id, version, body };
        Ok(Inverse { line, net: net.clone(), uid, write, now, patch, removed: None })
    }

    /// Makes again what was deleted, under its old name.
    fn restore(&self, net: &Net, kept: Option<Vec<u8>>) -> Result<Inverse, String> {
        let Some(kept) = kept else { return Err("what was deleted was not kept".to_owned()) };
        let patch: Patch =
            net.before.iter().map(|(field, value)| (field.clone(), Some(value.clone()))).collect();
        let (uid, body) = match net.side {
            Side::Mailbox => {
                let document = Document {
                    id: net.id.clone(),
                    version: Version::new(""),
                    body: Body::Bytes(kept.clone()),
                    marks: BTreeSet::new(),
                };
                let content = observe::read(net.class, &document, &self.context)?;
                (content.uid, Body::Bytes(kept))
            }
            Side::Crm => {
                let uid = Uid::new(String::from_utf8_lossy(&kept));
                let change = Change { uid: &uid, patch: &patch, whole: &net.before };
                let table = net.table().map_err(|error| error.to_string())?;
                let body = mapping::write_record(table, change, None, &self.context)
                    .map_err(|unwritable| unwritable.to_string())?;
                (uid, Body::Patch(Box::new(body)))
            }
        };
        let line = format!("make again in {}", net.place());
        let write = Write::Create { id: net.id.clone(), body };
        Ok(Inverse { line, net: net.clone(), uid, write, now: None, patch, removed: None })
    }
}

/// Deletes what the round made.
fn remove(net: &Net, here: Here) -> Inverse {
    let (id, version) = (net.id.clone(), here.document.version);
    let removed = match here.document.body {
        Body::Bytes(bytes) => Some(bytes),
        Body::Record(_) | Body::Patch(_) => Some(here.content.uid.as_str().as_bytes().to_vec()),
    };
    Inverse {
        line: format!("delete in {}", net.place()),
        net: net.clone(),
        uid: here.content.uid,
        write: Write::Delete { id, version },
        now: Some(here.content.fields),
        patch: Patch::new(),
        removed,
    }
}

/// Writes the intents into the journal. On the disk when it returns.
async fn intend(
    engine: &Engine,
    started: RoundId,
    of: RoundId,
    inverses: &[Inverse],
) -> store::Result<Vec<EntryId>> {
    let intents: Vec<Intent> = inverses.iter().map(|inverse| inverse.intent(of)).collect();
    let removed: Vec<Option<Vec<u8>>> =
        inverses.iter().map(|inverse| inverse.removed.clone()).collect();
    let now = engine.clock.now();
    engine
        .store
        .promise(move |tx| {
            let ids = journal::intend(tx, started, now, &intents)?;
            for (id, removed) in ids.iter().zip(&removed) {
                if let Some(body) = removed {
                    kept::put(tx, *id, body)?;
                }
            }
            Ok(ids)
        })
        .await
}

impl Inverse {
    fn intent(&self, of: RoundId) -> Intent {
        let net = &self.net;
        let (action, expect) = match &self.write {
            Write::Create { .. } => (Action::Create, None),
            Write::Update { version, .. } => (Action::Update, Some(version.clone())),
            Write::Delete { version, .. } => (Action::Delete, Some(version.clone())),
            Write::Mark { .. } => (Action::Mark, None),
        };
        // As in a sync, the body of a message stays out of the journal.
        let quiet = net.class == Class::Email;
        Intent {
            class: net.class,
            link: None,
            item: net.item.clone(),
            record: net.record.clone(),
            side: net.side,
            action,
            why: format!("undo of round {of}"),
            before: self.now.clone().map(|now| if quiet { Fields::new() } else { now }),
            patch: if quiet { Patch::new() } else { self.patch.clone() },
            expect,
            key: format!("undo {}", net.last),
        }
    }
}

/// An inverse that was tried.
struct Done {
    inverse: Inverse,
    entry: EntryId,
    result: connector::Result<Written>,
}

impl Done {
    fn outcome(&self) -> Outcome {
        match &self.result {
            Ok(_) => Outcome::Done,
            Err(error) if error.kind == ErrorKind::Unreachable => {
                Outcome::Unknown(error.to_string())
            }
            Err(error) => Outcome::Refused(error.to_string()),
        }
    }
}

async fn commit(engine: &Engine, round: RoundId, done: Vec<Done>) -> store::Result<()> {
    let (context, now) = (engine.context(), engine.clock.now());
    engine
        .store
        .write(move |tx| {
            for Done { inverse, entry, result } in &done {
                let answer = record::answer(inverse.net.class, Some(result), &context);
                journal::finish(tx, *entry, &answer, now)?;
                if let Ok(written) = result {
                    settle(tx, round, inverse, written, &context)?;
                }
            }
            Ok(())
        })
        .await
}

/// Sets link, bases and observation as the other end now is, so that nothing follows from it.
fn settle(
    tx: &Transaction<'_>,
    round: RoundId,
    inverse: &Inverse,
    written: &Written,
    context: &Context,
) -> store::Result<()> {
    let net = &inverse.net;
    let (class, side) = (net.class, net.side);
    let fields = read_back(class, written, context);
    match (&written.document, &fields) {
        (Some(document), Some(_)) => {
            let content = observe::read(class, document, context).ok();
            let (id, version) = (document.id.clone(), document.version.clone());
            let seen = Observation { side, class, id, version, content, problem: None };
            observation::upsert(tx, round, &[seen])?;
        }
        _ => observation::remove(tx, side, class, std::slice::from_ref(&net.id))?,
    }
    let link = match side {
        Side::Mailbox => link::by_item(tx, class, &net.id)?,
        Side::Crm => link::by_record(tx, class, &net.id)?,
    };
    let version = written.document.as_ref().map(|document| document.version.clone());
    match (net.effect, link) {
        (Effect::Created, Some(mut link)) => {
            link.state = LinkState::Released { gone: side };
            link::update(tx, &link)
        }
        (Effect::Updated | Effect::Deleted, Some(mut link)) => {
            let mut bases = link.bases.as_deref().cloned().unwrap_or_default();
            let base = if side == Side::Mailbox { &mut bases.item } else { &mut bases.record };
            let fields = fields.unwrap_or_default();
            *base = apply(base, &taken(&inverse.patch, &fields));
            let settled = version.filter(|_| *base == fields);
            match side {
                Side::Mailbox => link.item_version = settled,
                Side::Crm => link.record_version = settled,
            }
            link.bases = Some(Box::new(bases));
            link::update(tx, &link)
        }
        (Effect::Deleted, None) => restored(tx, inverse, fields, version, context),
        (Effect::Created | Effect::Updated, None) => Ok(()),
    }
}

/// What was read back of the fields that were written.
fn taken(patch: &Patch, fields: &Fields) -> Patch {
    patch.keys().map(|field| (field.clone(), fields.get(field).cloned())).collect()
}

/// The link of what was made again. Its other half went before, and that is remembered: else the next sync would follow that
/// deletion a second time. When the other half comes back, both are a pair again.
fn restored(
    tx: &Transaction<'_>,
    inverse: &Inverse,
    fields: Option<Fields>,
    version: Option<Version>,
    context: &Context,
) -> store::Result<()> {
    let net = &inverse.net;
    let (Some(item), Some(record)) = (net.item.clone(), net.record.clone()) else { return Ok(()) };
    let fields = fields.unwrap_or_default();
    let born_in_crm = name::born_in_crm(context.organisation, &inverse.uid).is_some();
    let (item_version, record_version) = match net.side {
        Side::Mailbox => (version, None),
        Side::Crm => (None, version),
    };
    let link = Link {
        id: LinkId(0),
        class: net.class,
        item,
        record,
        uid: inverse.uid.clone(),
        origin: if born_in_crm { Side::Crm } else { Side::Mailbox },
        state: LinkState::Released { gone: net.side.other() },
        item_version,
        record_version,
        bases: Some(Box::new(Bases { item: fields.clone(), record: fields })),
    };
    match link::insert(tx, &link) {
        // One half belongs to another pair by now: this one stays alone.
        Err(error) if error.kind == store::ErrorKind::Exists => Ok(()),
        done => done.map(drop),
    }
}

fn grouped<T, K: Ord>(all: Vec<T>, key: impl Fn(&T) -> K) -> BTreeMap<K, Vec<T>> {
    let mut groups: BTreeMap<K, Vec<T>> = BTreeMap::new();
    for one in all {
        groups.entry(key(&one)).or_default().push(one);
    }
    groups
}
