//! Finds out what became of writes whose answer never came, or was never written down: before anything is planned, by what
//! stands there now. Else our own write would look like somebody's change, and win over what a person did since.

use std::collections::{BTreeMap, BTreeSet};

use super::world::Stored;
use super::{Engine, undo};
use crate::connector::{self, Error, ErrorKind, Scope};
use crate::model::{
    Bases, Class, Content, Field, Fields, ItemId, Link, LinkId, LinkState, Listing, Patch, Side,
    Uid, Value,
};
use crate::plan::Reason;
use crate::store::conflict::{self, Dispute};
use crate::store::journal::{self, Action, Answer, Entry, Intent, Outcome};
use crate::store::{self, Connection, Transaction, link, observation};

/// Settles the open writes of a class after a look at both sides. What was not seen stays open.
///
/// # Errors
/// The outer when the store is lost, the inner when a side is out of service.
pub async fn run(engine: &Engine, class: Class, items: &Listing, records: &Listing) -> Stored<()> {
    let open = engine.store.read(journal::unknown).await?;
    let seen = |entry: &Entry| {
        let listing = if entry.intent.side == Side::Mailbox { items } else { records };
        let there = target(entry).is_some_and(|id| listing.entries.contains_key(id));
        (there || listing.is_complete()).then_some(there)
    };
    let open: Vec<(Entry, bool)> = open
        .into_iter()
        .filter(|entry| entry.intent.class == class)
        .filter_map(|entry| seen(&entry).map(|there| (entry, there)))
        .collect();
    if open.is_empty() {
        return Ok(Ok(()));
    }
    let gone = match gone(engine, class, &open).await {
        Ok(gone) => gone,
        Err(error) => return Ok(Err(error)),
    };
    let now = engine.clock.now();
    let work = move |tx: &Transaction<'_>| {
        let mut whereabouts = Whereabouts::default();
        for (entry, there) in &open {
            let place = whereabouts.of(tx, entry, *there)?;
            if let Some(outcome) = settle(tx, entry, place.as_ref(), &gone, now)? {
                journal::finish(tx, entry.id, &answer(outcome), now)?;
            }
        }
        Ok(())
    };
    engine.store.write(work).await.map(Ok)
}

/// Which of what was to be deleted, and is not listed, is really gone: only a direct look tells gone from hidden. `false` is there.
async fn gone(
    engine: &Engine,
    class: Class,
    open: &[(Entry, bool)],
) -> connector::Result<BTreeMap<ItemId, bool>> {
    let mut gone = BTreeMap::new();
    for side in [Side::Mailbox, Side::Crm] {
        let is_meant = |(entry, there): &&(Entry, bool)| {
            !there && entry.intent.side == side && entry.intent.action == Action::Delete
        };
        let meant: BTreeSet<ItemId> =
            open.iter().filter(is_meant).filter_map(|(entry, _)| target(entry).cloned()).collect();
        if meant.is_empty() {
            continue;
        }
        let connector = match side {
            Side::Mailbox => engine.mailbox_of(class)?,
            Side::Crm => engine.crm.as_ref(),
        };
        let meant: Vec<ItemId> = meant.into_iter().collect();
        for (id, found) in connector.read(class, &meant).await? {
            match found {
                Ok(_) => gone.insert(id, false),
                Err(error) if error.kind == ErrorKind::Missing => gone.insert(id, true),
                Err(error) if error.kind.scope() == Scope::Account => return Err(error),
                Err(_) => None,
            };
        }
    }
    Ok(gone)
}

/// What became of a write, by what stands there now, with what follows from it. `None`: nobody knows yet.
fn settle(
    tx: &Transaction<'_>,
    entry: &Entry,
    place: Option<&ItemId>,
    gone: &BTreeMap<ItemId, bool>,
    now: jiff::Timestamp,
) -> store::Result<Option<Outcome>> {
    let intent = &entry.intent;
    let found = match place {
        Some(id) => content(tx, entry, id)?,
        None => None,
    };
    if let Some(found) = &found {
        keep_contested(tx, entry, &found.fields, now)?;
    }
    Ok(Some(match (intent.action, &found) {
        (Action::Delete, _) if place.is_none() => match target(entry).and_then(|id| gone.get(id)) {
            None => return Ok(None),
            Some(false) => Outcome::Refused,
            Some(true) => {
                if !undo::is_undo(intent) {
                    part(tx, entry, now)?;
                }
                Outcome::Done
            }
        },
        (Action::Create | Action::Update, Some(content)) if took_place(entry, &content.fields) => {
            if undo::is_undo(intent) {
                undo::found(tx, intent, &content.fields)?;
            } else if intent.why != Reason::Chosen.to_string() {
                // What a person chose goes to both sides: neither had said it before.
                agree(tx, entry, &content.fields)?;
            }
            Outcome::Done
        }
        _ => Outcome::Refused,
    }))
}

/// As [`run`], of messages and what is filed of them, which no listing shows: each record is looked at by itself. A message is
/// filed once and has nothing to merge; what else was to be done to one, is done once more where it is still to be done.
///
/// # Errors
/// The outer when the store is lost, the inner when the CRM is out of service.
pub(super) async fn mail(engine: &Engine) -> Stored<()> {
    let mut open = engine.store.read(journal::unknown).await?;
    open.retain(|entry| entry.intent.class == Class::Email);
    if open.is_empty() {
        return Ok(Ok(()));
    }
    let in_crm = open.iter().filter(|entry| entry.intent.side == Side::Crm).filter_map(target);
    let records: BTreeSet<ItemId> = in_crm.cloned().collect();
    let records: Vec<ItemId> = records.into_iter().collect();
    let found = if records.is_empty() {
        BTreeMap::new()
    } else {
        match engine.crm.read(Class::Email, &records).await {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        }
    };
    let mut outcomes = Vec::new();
    for entry in open {
        let there = match target(&entry).and_then(|id| found.get(id)) {
            Some(Err(error)) if error.kind.scope() == Scope::Account => {
                return Ok(Err(Error::new(error.kind, error.message.clone())));
            }
            Some(Err(error)) if error.kind == ErrorKind::Missing => Some(false),
            Some(Ok(_)) => Some(true),
            Some(Err(_)) | None => None,
        };
        let was_done = match entry.intent.action {
            Action::Create => there == Some(true),
            Action::Delete => there == Some(false),
            Action::Update | Action::Mark => false,
        };
        outcomes.push((entry.id, if was_done { Outcome::Done } else { Outcome::Refused }));
    }
    let now = engine.clock.now();
    let work = move |tx: &Transaction<'_>| {
        outcomes
            .iter()
            .try_for_each(|(entry, outcome)| journal::finish(tx, *entry, &answer(*outcome), now))
    };
    engine.store.write(work).await.map(Ok)
}

fn target(entry: &Entry) -> Option<&ItemId> {
    match entry.intent.side {
        Side::Mailbox => entry.intent.item.as_ref(),
        Side::Crm => entry.intent.record.as_ref(),
    }
}

/// Where the items of a class stand by their names: asked for once, and only where something is not where it was.
#[derive(Default)]
struct Whereabouts(Option<BTreeMap<Uid, ItemId>>);

impl Whereabouts {
    /// Where that stands for which a write was: an item that stands elsewhere under its own name was only moved.
    fn of(&mut self, db: &Connection, entry: &Entry, there: bool) -> store::Result<Option<ItemId>> {
        let intent = &entry.intent;
        if there || intent.side == Side::Crm {
            return Ok(target(entry).filter(|_| there).cloned());
        }
        let uid = match &intent.uid {
            Some(uid) => uid.clone(),
            None => match pair_of(db, intent)? {
                Some(link) => link.uid,
                None => return Ok(None),
            },
        };
        let named = match &mut self.0 {
            Some(named) => named,
            unknown => {
                let heads = observation::heads(db, intent.side, intent.class)?;
                let named = heads.into_iter().filter_map(|(id, head)| Some((head.uid?, id)));
                unknown.insert(named.collect())
            }
        };
        Ok(named.get(&uid).cloned())
    }
}

fn content(db: &Connection, entry: &Entry, id: &ItemId) -> store::Result<Option<Content>> {
    let Intent { side, class, .. } = entry.intent;
    Ok(observation::contents(db, side, class, std::slice::from_ref(id))?.into_values().next())
}

/// The link of what was written to, where there is one.
fn pair_of(db: &Connection, intent: &Intent) -> store::Result<Option<Link>> {
    match (intent.link, &intent.item) {
        (Some(link), _) => link::get(db, link),
        (None, Some(item)) => link::by_item(db, intent.class, item),
        (None, None) => Ok(None),
    }
}

/// Whether anything of what was to be written stands there.
fn took_place(entry: &Entry, found: &Fields) -> bool {
    written(&entry.intent.patch, found).next().is_some()
}

/// The fields that say what was to be written.
fn written<'a>(
    patch: &'a Patch,
    found: &'a Fields,
) -> impl Iterator<Item = (&'a Field, Option<&'a Value>, Option<&'a Value>)> {
    patch.iter().filter_map(|(field, meant)| {
        let (meant, now) = (meant.as_ref(), found.get(field));
        let same = match (meant, now) {
            (Some(meant), Some(now)) => meant.agrees(now),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same.then_some((field, meant, now))
    })
}

/// What was written is what both sides agreed on at that moment, whatever was said since.
fn agree(tx: &Transaction<'_>, entry: &Entry, found: &Fields) -> store::Result<()> {
    let intent = &entry.intent;
    let Some(mut link) = link_of(tx, entry)? else { return Ok(()) };
    let mut bases = link.bases.take().unwrap_or_default();
    for (field, meant, now) in written(&intent.patch, found) {
        let (source, target) = match intent.side {
            Side::Mailbox => (&mut bases.record, &mut bases.item),
            Side::Crm => (&mut bases.item, &mut bases.record),
        };
        put(source, field, meant);
        put(target, field, now);
    }
    link.bases = Some(bases);
    // The bases moved without the halves being compared with them: neither counts as unchanged any more.
    link.item_version = None;
    link.record_version = None;
    match link.id {
        LinkId(0) => match link::insert(tx, &link) {
            // One half is another pair's by now: the plan says what that means.
            Err(error) if error.kind == store::ErrorKind::Exists => Ok(()),
            other => other.map(drop),
        },
        _ => link::update(tx, &link),
    }
}

/// The pair whose half was deleted is no more, and nothing of it is contested: a half that comes back is a new one, and nobody
/// deleted the other half of that.
fn part(tx: &Transaction<'_>, entry: &Entry, now: jiff::Timestamp) -> store::Result<()> {
    let Some(link) = entry.intent.link else { return Ok(()) };
    for conflict in conflict::of(tx, link)?.iter().filter(|conflict| conflict.settled.is_none()) {
        conflict::close(tx, conflict.id, conflict.choice, now)?;
    }
    link::remove(tx, &[link])
}

/// What lost a contest to this write, and does not stand there any more, stays in the list as settled: also where somebody wrote
/// over our write since. What they wrote may be contested in its turn, and would take its place.
fn keep_contested(
    tx: &Transaction<'_>,
    entry: &Entry,
    found: &Fields,
    now: jiff::Timestamp,
) -> store::Result<()> {
    let intent = &entry.intent;
    let Some(link) = pair_of(tx, intent)? else { return Ok(()) };
    for conflict in conflict::of(tx, link.id)? {
        let Dispute::Field { field, mailbox, crm } = &conflict.dispute else { continue };
        let lost = if intent.side == Side::Mailbox { mailbox } else { crm };
        let is_open = conflict.settled.is_none() && conflict.choice.is_none();
        if is_open && intent.patch.contains_key(field) && found.get(field) != lost.as_ref() {
            conflict::close(tx, conflict.id, Some(intent.side.other()), now)?;
        }
    }
    Ok(())
}

/// The link that was written for; for something that was made, the one it is to have.
fn link_of(tx: &Transaction<'_>, entry: &Entry) -> store::Result<Option<Link>> {
    let intent = &entry.intent;
    match (intent.link, intent.action) {
        (Some(id), Action::Update) => link::get(tx, id),
        (None, Action::Create) => {
            let (Some(item), Some(record)) = (&intent.item, &intent.record) else {
                return Ok(None);
            };
            // A listing that is old does not show the item, and a direct look at what the link leads to tells whether it is there.
            let Some(uid) = &intent.uid else { return Ok(None) };
            if let Some(link) = link::by_record(tx, intent.class, record)?
                && link.item == *item
                && link.bases.as_deref().is_none_or(|bases| *bases == Bases::default())
            {
                // It was there already when it was to be made.
                return Ok(Some(link));
            }
            Ok(Some(Link {
                id: LinkId(0),
                class: intent.class,
                item: item.clone(),
                record: record.clone(),
                uid: uid.clone(),
                origin: intent.side.other(),
                state: LinkState::Active,
                item_version: None,
                record_version: None,
                bases: Some(Box::new(Bases::default())),
            }))
        }
        _ => Ok(None),
    }
}

fn put(base: &mut Fields, field: &Field, value: Option<&Value>) {
    match value {
        Some(value) => base.insert(field.clone(), value.clone()),
        None => base.remove(field),
    };
}

fn answer(outcome: Outcome) -> Answer {
    let error = match outcome {
        Outcome::Done => "the answer left it open; a later look found it done",
        _ => "the answer left it open; a later look did not find it done",
    };
    Answer { outcome, id: None, after: None, version: None, error: Some(error.to_owned()) }
}
