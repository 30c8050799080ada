//! Finds out what became of writes whose answer never came, or was never written down: before anything is planned, by what
//! stands there now. Else our own write would look like somebody's change, and win over what a person did since.

use super::Engine;
use crate::model::{
    Bases, Class, Content, Field, Fields, Link, LinkId, LinkState, Listing, Patch, Side, Value,
};
use crate::plan::Reason;
use crate::store::conflict::{self, Dispute};
use crate::store::journal::{self, Action, Answer, Entry, Outcome};
use crate::store::{self, Connection, Transaction, link, observation};

/// Settles the open writes of a class after a look at both sides. What was not seen stays open.
///
/// # Errors
/// When the store is lost.
pub async fn run(
    engine: &Engine,
    class: Class,
    items: &Listing,
    records: &Listing,
) -> store::Result<()> {
    // A message is filed once and has nothing to merge.
    if class == Class::Email {
        return Ok(());
    }
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
        return Ok(());
    }
    let now = engine.clock.now();
    engine
        .store
        .write(move |tx| {
            for (entry, there) in &open {
                let found = if *there { content(tx, entry, entry.intent.side)? } else { None };
                if let Some(found) = &found {
                    keep_contested(tx, entry, &found.fields, now)?;
                }
                let outcome = match (entry.intent.action, &found) {
                    (Action::Delete, _) if !there => Outcome::Done,
                    (Action::Create | Action::Update, Some(content))
                        if took_place(entry, &content.fields) =>
                    {
                        // What a person chose goes to both sides: neither had said it before.
                        if entry.intent.why != Reason::Chosen.to_string() {
                            agree(tx, entry, &content.fields)?;
                        }
                        Outcome::Done
                    }
                    _ => Outcome::Refused,
                };
                journal::finish(tx, entry.id, &answer(outcome), now)?;
            }
            Ok(())
        })
        .await
}

fn target(entry: &Entry) -> Option<&crate::model::ItemId> {
    match entry.intent.side {
        Side::Mailbox => entry.intent.item.as_ref(),
        Side::Crm => entry.intent.record.as_ref(),
    }
}

fn content(db: &Connection, entry: &Entry, side: Side) -> store::Result<Option<Content>> {
    let id = match side {
        Side::Mailbox => entry.intent.item.clone(),
        Side::Crm => entry.intent.record.clone(),
    };
    let ids: Vec<_> = id.into_iter().collect();
    Ok(observation::contents(db, side, entry.intent.class, &ids)?.into_values().next())
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

/// What lost a contest to this write, and does not stand there any more, stays in the list as settled: also where somebody wrote
/// over our write since. What they wrote may be contested in its turn, and would take its place.
fn keep_contested(
    tx: &Transaction<'_>,
    entry: &Entry,
    found: &Fields,
    now: jiff::Timestamp,
) -> store::Result<()> {
    let intent = &entry.intent;
    let link = match (intent.link, &intent.item) {
        (None, Some(item)) => link::by_item(tx, intent.class, item)?.map(|link| link.id),
        (known, _) => known,
    };
    let Some(link) = link else { return Ok(()) };
    for conflict in conflict::of(tx, link)? {
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
            let Some(content) = content(tx, entry, Side::Mailbox)? else { return Ok(None) };
            Ok(Some(Link {
                id: LinkId(0),
                class: intent.class,
                item: item.clone(),
                record: record.clone(),
                uid: content.uid,
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
        Outcome::Done => "there was no answer; a later look found it done",
        _ => "there was no answer; a later look did not find it done",
    };
    Answer { outcome, id: None, after: None, version: None, error: Some(error.to_owned()) }
}
