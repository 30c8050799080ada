//! Takes back what a round wrote: the inverse of each write in the journal, if the thing is still as the round left it. What
//! came after stays. Links and bases are set so that the next sync plans nothing from it. Messages are never touched; the
//! records that they were filed as are.

use std::collections::BTreeMap;

use super::Engine;
use crate::connector::{self, ErrorKind, Write};
use crate::model::{Class, Fields, ItemId, Patch, Side, Uid};
use crate::store::round::{self, RoundId};
use crate::store::{self, journal, kept, observation};

mod invert;
mod keep;
mod net;

use invert::Planner;
use keep::Done;
pub(super) use keep::{found, is_undo};
use net::Net;

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
        let nets = net::net(entries);
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
            for mut net in nets {
                let (entry, id) = (net.last, net.id.clone());
                let items: Vec<ItemId> = net.item.iter().cloned().collect();
                let known = move |db: &store::Connection| {
                    let seen = observation::contents(db, Side::Mailbox, class, &items)?;
                    let fields = seen.into_values().next().map(|content| content.fields);
                    Ok((kept::get(db, entry)?, keep::link_of(db, class, side, &id)?, fields))
                };
                let (removed, link, seen) = self.store.read(known).await?;
                net.uid = link.map(|link| link.uid);
                net.seen = seen.unwrap_or_default();
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
            if let Some(failure) = self.prove().await {
                let refused = |inverse| (inverse, Outcome::Refused(failure.message.clone()));
                outcomes.extend(inverses.into_iter().map(refused));
                continue;
            }
            let entries = keep::intend(self, started, round, &inverses).await?;
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
            keep::commit(self, started, done).await?;
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

fn grouped<T, K: Ord>(all: Vec<T>, key: impl Fn(&T) -> K) -> BTreeMap<K, Vec<T>> {
    let mut groups: BTreeMap<K, Vec<T>> = BTreeMap::new();
    for one in all {
        groups.entry(key(&one)).or_default().push(one);
    }
    groups
}
