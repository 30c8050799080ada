//! What the installations know, by their stores.

use std::collections::{BTreeMap, BTreeSet};

use liaison::connector::outgoing::Stage;
use liaison::model::{Class, Fields, ItemId, Link, Side, Value};
use liaison::store::outgoing::{self, Mail};
use liaison::store::{Connection, Store, conflict, journal, link};

use super::Office;
use crate::simulation::history::CLASSES;
use crate::simulation::ledger::{Ledger, Sight, Thing, written};
use crate::simulation::post::mail_of;

impl Office {
    /// What is written in the list of conflicts of an installation.
    pub fn contested(&self, number: usize) -> Vec<u32> {
        let Some(store) = self.store(number) else { return Vec::new() };
        let text = |value: &Value| match value {
            Value::Text(text) | Value::Cut(text) => match written(text) {
                Sight::Token(number) => Some(number),
                Sight::Empty | Sight::Strange => None,
            },
            _ => None,
        };
        let mut tokens = Vec::new();
        for conflict in store.read_blocking(conflict::all).unwrap() {
            match &conflict.dispute {
                conflict::Dispute::Field { mailbox, crm, .. } => {
                    tokens.extend([mailbox, crm].into_iter().flatten().filter_map(text));
                }
                conflict::Dispute::Existence { kept, .. } => {
                    tokens.extend(kept.values().filter_map(text));
                }
            }
        }
        tokens
    }

    /// Whether an installation knows the other half of what stands here.
    fn knows(&self, number: usize, side: Side, class: Class, id: &ItemId) -> bool {
        let Some(store) = self.store(number) else { return false };
        store.read_blocking(|db| link_of(db, side, class, id)).unwrap().is_some()
    }

    /// Writes down which installations know the other half of what is deleted here.
    pub fn note_who_knew(&self, ledger: &mut Ledger, thing: Thing, side: Side, id: &ItemId) {
        for number in [0, 1] {
            if !self.knows(number, side, thing.0, id) {
                continue;
            }
            ledger.knew.insert((thing, side, number));
            let site = self.sites[number].lock().unwrap();
            if site.may_lose_power() {
                // What it knows has been on the disk for a while.
                site.disk.flush();
            }
        }
    }

    /// What the sync filter does not list, and is there, has left it as far as anybody can tell.
    pub(super) fn note_hidden(&self, rows: &BTreeSet<ItemId>) {
        for class in CLASSES {
            let places = self.servers.places(Side::Crm, class);
            let hidden = places.into_iter().filter(|(_, id)| rows.contains(id));
            let things = hidden.filter_map(|(thing, _)| Some((class, thing?)));
            self.ledger.lock().unwrap().left.extend(things);
        }
    }

    /// What stood here when an installation last agreed on it with what stands on the other side; nothing where it does not know that.
    pub(super) fn agreed(&self, number: usize, side: Side, class: Class, id: &ItemId) -> Fields {
        let Some(store) = self.store(number) else { return Fields::new() };
        let found = store.read_blocking(|db| {
            let link = link_of(db, side, class, id)?;
            let bases = link.map(|link| link::bases(db, &[link.id])).transpose()?;
            Ok(bases.and_then(|bases| bases.into_values().next()))
        });
        let bases = found.unwrap();
        bases
            .map(|bases| if side == Side::Crm { bases.record } else { bases.item })
            .unwrap_or_default()
    }

    /// Whether an installation wrote here, and knows no answer yet.
    pub(super) fn is_in_doubt(&self, number: usize, side: Side, id: &ItemId) -> bool {
        let Some(store) = self.store(number) else { return false };
        let open = store.read_blocking(journal::unknown).unwrap();
        open.iter().any(|entry| {
            let written = match side {
                Side::Mailbox => &entry.intent.item,
                Side::Crm => &entry.intent.record,
            };
            entry.intent.side == side && written.as_ref() == Some(id)
        })
    }

    /// The mails that a person is asked about at an installation.
    pub(super) fn asked(&self, number: usize) -> Vec<Mail> {
        let mut open = self.outgoing(number);
        open.retain(|mail| mail.state == outgoing::State::Unknown);
        open
    }

    /// The mails with which something is left to do at an installation.
    pub fn outgoing(&self, number: usize) -> Vec<Mail> {
        let store = self.store(number);
        store.map(|store| store.read_blocking(outgoing::open).unwrap()).unwrap_or_default()
    }

    /// The mails that are about to leave, as an installation knows it, and how often each has left so far.
    pub(super) fn about_to_leave(&self, number: usize) -> BTreeMap<u32, usize> {
        let mut ready = self.outgoing(number);
        ready.retain(|mail| mail.state == outgoing::State::Ready);
        let ledger = self.ledger.lock().unwrap();
        let is_ready = |mail: u32| ready.iter().any(|of| of.record == mail_of(mail).item_id());
        let mails = ledger.mails.keys().copied().filter(|mail| is_ready(*mail));
        mails.map(|mail| (mail, self.servers.handed_in(mail))).collect()
    }

    /// What is put back says of these mails that they are about to leave. Nothing contradicts it where one left since, of which the CRM
    /// was not told, and no copy was filed.
    pub(super) fn note_untold(&self, ready: &BTreeMap<u32, usize>) {
        for (mail, times) in ready {
            let is_filed = self.servers.place(Side::Mailbox, Class::Email, *mail).is_some();
            let is_told = self.servers.stage(*mail) != Stage::Sending;
            if self.servers.handed_in(*mail) > *times && !is_filed && !is_told {
                self.ledger.lock().unwrap().mails.entry(*mail).or_default().again += 1;
            }
        }
    }

    /// The store of an installation; `None` where its state folder is lost and it did not begin anew.
    pub fn store(&self, number: usize) -> Option<Store> {
        let mut site = self.sites[number].lock().unwrap();
        if site.store.is_none() && site.path.is_file() {
            site.store = Store::open(&site.path).ok();
        }
        site.store.clone()
    }

    pub fn is_forgetful(&self) -> bool {
        self.sites.iter().any(|site| site.lock().unwrap().is_forgetful)
    }
}

/// The link of what stands here.
fn link_of(
    db: &Connection,
    side: Side,
    class: Class,
    id: &ItemId,
) -> liaison::store::Result<Option<Link>> {
    match side {
        Side::Mailbox => link::by_item(db, class, id),
        Side::Crm => link::by_record(db, class, id),
    }
}

/// What a thing says on a side at the end.
pub fn says(office: &Office, side: Side, class: Class, id: &ItemId) -> Option<Fields> {
    office.hand(class).fields(side, id)?.ok()
}
