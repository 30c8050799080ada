//! What taking back changes in the store: the journal before, then link, bases and observation as the other end now is, so that
//! nothing follows from it.

use jiff::Timestamp;

use super::net::Effect;
use super::{Inverse, Outcome};
use crate::connector::{self, Write, Written};
use crate::mapping::Context;
use crate::model::{
    Bases, Class, Fields, ItemId, Link, LinkId, LinkState, Patch, Side, Version, name,
};
use crate::plan::merge::apply;
use crate::store::journal::{self, Action, EntryId, Intent};
use crate::store::observation::{self, Observation};
use crate::store::round::RoundId;
use crate::store::{self, Connection, Transaction, kept, link, mark};
use crate::sync::{Engine, observe, record};

/// Writes the intents into the journal. On the disk when it returns.
pub(super) async fn intend(
    engine: &Engine,
    started: RoundId,
    of: RoundId,
    inverses: &[Inverse],
) -> store::Result<Vec<EntryId>> {
    let intents: Vec<Intent> = inverses.iter().map(|inverse| inverse.intent(of)).collect();
    let (inverses, now) = (inverses.to_vec(), engine.clock.now());
    engine
        .store
        .promise(move |tx| {
            let ids = journal::intend(tx, started, now, &intents)?;
            for (id, inverse) in ids.iter().zip(&inverses) {
                if let Some(body) = &inverse.removed {
                    kept::put(tx, *id, body)?;
                }
                if inverse.net.effect == Effect::Created {
                    let_go(tx, inverse, now)?;
                }
            }
            Ok(ids)
        })
        .await
}

/// The link of what stands at this id.
///
/// # Errors
/// When the store is lost.
pub(super) fn link_of(
    db: &Connection,
    class: Class,
    side: Side,
    id: &ItemId,
) -> store::Result<Option<Link>> {
    match side {
        Side::Mailbox => link::by_item(db, class, id),
        Side::Crm => link::by_record(db, class, id),
    }
}

/// What is about to be deleted takes no part any more, and that is known before it is deleted: should we never learn what came
/// of it, the next sync must not take it for a deletion to be followed. An item is as if the user had untracked it; of a
/// record it is remembered that its item is gone.
fn let_go(tx: &Transaction<'_>, inverse: &Inverse, now: Timestamp) -> store::Result<()> {
    let net = &inverse.net;
    let Some(mut link) = link_of(tx, net.class, net.side, &net.id)? else { return Ok(()) };
    match net.side {
        Side::Crm => mark::set(tx, net.class, &link.uid, false, now),
        Side::Mailbox => {
            link.state = LinkState::Released { gone: Side::Mailbox };
            link::update(tx, &link)
        }
    }
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
            uid: None,
            side: net.side,
            action,
            why: format!("undo of round {of}"),
            before: self.now.clone().map(|now| if quiet { Fields::new() } else { now }),
            patch: if quiet { Patch::new() } else { self.patch.clone() },
            expect,
            key: format!("{KEY}{}", net.last),
        }
    }
}

/// How the names of these operations begin.
const KEY: &str = "undo ";

/// Whether this was to take something back.
pub(in crate::sync) fn is_undo(intent: &Intent) -> bool {
    intent.key.starts_with(KEY)
}

/// A change that was taken back, as a later look finds it, without an answer: as after an answer, nothing follows from it.
///
/// # Errors
/// When the store is lost.
pub(in crate::sync) fn found(
    tx: &Transaction<'_>,
    intent: &Intent,
    found: &Fields,
) -> store::Result<()> {
    let (class, side) = (intent.class, intent.side);
    let id = if side == Side::Mailbox { &intent.item } else { &intent.record };
    let Some(id) = id else { return Ok(()) };
    let Some(mut link) = link_of(tx, class, side, id)? else { return Ok(()) };
    agree(&mut link, side, &intent.patch, found);
    link::update(tx, &link)
}

/// What was written joins the base of its side; returns whether that says all there is.
fn agree(link: &mut Link, side: Side, patch: &Patch, found: &Fields) -> bool {
    let mut bases = link.bases.take().unwrap_or_default();
    let base = if side == Side::Mailbox { &mut bases.item } else { &mut bases.record };
    *base = apply(base, &taken(patch, found));
    let is_all = base == found;
    link.bases = Some(bases);
    match side {
        Side::Mailbox => link.item_version = None,
        Side::Crm => link.record_version = None,
    }
    is_all
}

/// An inverse that was tried.
pub(super) struct Done {
    pub inverse: Inverse,
    pub entry: EntryId,
    pub result: connector::Result<Written>,
}

impl Done {
    pub(super) fn outcome(&self) -> Outcome {
        match &self.result {
            Ok(_) => Outcome::Done,
            Err(error) if error.kind.leaves_open() => Outcome::Unknown(error.to_string()),
            Err(error) => Outcome::Refused(error.to_string()),
        }
    }
}

pub(super) async fn commit(engine: &Engine, round: RoundId, done: Vec<Done>) -> store::Result<()> {
    let (context, now) = (engine.context(), engine.clock.now());
    engine
        .store
        .write(move |tx| {
            for Done { inverse, entry, result } in &done {
                let answer = record::answer(inverse.net.class, Some(result), &context);
                journal::finish(tx, *entry, &answer, now)?;
                match result {
                    Ok(written) => settle(tx, (round, now), inverse, written, &context)?,
                    // It stays, and takes part as before.
                    Err(error) if !error.kind.leaves_open() => {
                        if inverse.net.effect == Effect::Created && inverse.net.side == Side::Crm {
                            mark::set(tx, inverse.net.class, &inverse.uid, true, now)?;
                        }
                    }
                    Err(_) => {}
                }
            }
            Ok(())
        })
        .await
}

/// Sets link, bases and observation as the other end now is, so that nothing follows from it.
fn settle(
    tx: &Transaction<'_>,
    (round, now): (RoundId, Timestamp),
    inverse: &Inverse,
    written: &Written,
    context: &Context,
) -> store::Result<()> {
    let net = &inverse.net;
    let (class, side) = (net.class, net.side);
    let fields = record::read_back(class, written, context);
    match (&written.document, &fields) {
        (Some(document), Some(_)) => {
            let (id, version) = (document.id.clone(), document.version.clone());
            let says = observe::read(class, document, context).ok();
            let seen = Observation { side, class, id, version, content: says, problem: None };
            observation::upsert(tx, round, &[seen])?;
        }
        _ => observation::remove(tx, side, class, std::slice::from_ref(&net.id))?,
    }
    let link = link_of(tx, class, side, &net.id)?;
    let version = written.document.as_ref().map(|document| document.version.clone());
    match (net.effect, link) {
        // Untracked, with nothing on the other side: tracked again, it is made again.
        (Effect::Created, Some(link)) if side == Side::Crm => link::remove(tx, &[link.id]),
        (Effect::Created, Some(_)) => Ok(()),
        (Effect::Updated | Effect::Deleted, Some(mut link)) => {
            let is_all = agree(&mut link, side, &inverse.patch, &fields.unwrap_or_default());
            let settled = version.filter(|_| is_all);
            match side {
                Side::Mailbox => link.item_version = settled,
                Side::Crm => link.record_version = settled,
            }
            link::update(tx, &link)
        }
        (Effect::Deleted, None) => {
            if mark::all(tx, class)?.get(&inverse.uid) == Some(&false) {
                mark::set(tx, class, &inverse.uid, true, now)?;
            }
            restored(tx, inverse, fields, version, context)
        }
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
