//! An installation of the program: its clock, its disk, what runs there, and what is to happen on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Weak;

use async_trait::async_trait;
use liaison::clock::Clock;
use liaison::connector::Result;
use liaison::model::{Class, ItemId, Listing, Side};
use liaison::store::Store;
use liaison::sync::Engine;

use super::Office;
use crate::simulation::desk::Workplace;
use crate::simulation::history::Happening;
use crate::support::disk::{Disk, Files};
use crate::support::faults::{self, Death, Fault, Point, unreachable};

/// An installation.
pub struct Site {
    pub clock: Clock,
    pub(super) path: PathBuf,
    pub(super) disk: Disk,
    /// Grows when the state folder is lost: what is made then is another installation.
    pub(super) generation: u128,
    /// While it runs.
    pub(super) engine: Option<Engine>,
    /// Without stop points, where it is open: for people and for the oracle.
    pub(super) store: Option<Store>,
    pub(super) expected: Vec<(Point, u32, Happening)>,
    pub(super) death: Option<Death>,
    /// It is in the middle of a round.
    pub(super) is_busy: bool,
    pub(super) backup: Option<Backup>,
    /// Its memory was lost or is an old one.
    pub(super) is_forgetful: bool,
    pub(super) first: BTreeMap<(Side, Class), Listing>,
    /// Where its user works away from the CRM.
    pub desk: Workplace,
}

/// A state folder as it was once.
#[derive(Clone)]
pub(super) struct Backup {
    pub(super) files: Files,
    pub(super) generation: u128,
    /// The mails that were about to leave, by its store, and how often each had left until then.
    pub(super) ready: BTreeMap<u32, usize>,
}

/// The course of one installation.
pub(super) struct Way {
    pub(super) office: Weak<Office>,
    pub(super) site: usize,
}

#[async_trait]
impl faults::Course for Way {
    async fn reach(&self, point: Point) -> Result<Option<Fault>> {
        match self.office.upgrade() {
            Some(office) => office.reach(self.site, point).await,
            None => Err(unreachable()),
        }
    }

    fn first(&self, side: Side, class: Class, now: &Listing) -> Listing {
        let Some(office) = self.office.upgrade() else { return now.clone() };
        let mut site = office.sites[self.site].lock().unwrap();
        site.first.entry((side, class)).or_insert_with(|| now.clone()).clone()
    }

    fn hid(&self, side: Side, ids: BTreeSet<ItemId>) {
        if let (Side::Crm, Some(office)) = (side, self.office.upgrade()) {
            office.note_hidden(&ids);
        }
    }
}

impl Site {
    /// One that was never started.
    pub(super) fn new(path: PathBuf, clock: Clock, desk: Workplace) -> Self {
        Self {
            clock,
            disk: Disk::new(&path),
            path,
            generation: 0,
            engine: None,
            store: None,
            expected: Vec::new(),
            death: None,
            is_busy: false,
            backup: None,
            is_forgetful: false,
            first: BTreeMap::new(),
            desk,
        }
    }

    /// What is to happen here, this time.
    pub fn come_by(&mut self, point: Point) -> Option<Happening> {
        let mut now = None;
        for (number, (at, nth, _)) in self.expected.iter_mut().enumerate() {
            if *at != point {
                continue;
            }
            if *nth > 0 {
                *nth -= 1;
            } else if now.is_none() {
                now = Some(number);
            }
        }
        now.map(|number| self.expected.remove(number).2)
    }

    pub fn may_lose_power(&self) -> bool {
        let is_loss = |what: &Happening| *what == Happening::Fault(Fault::PowerLoss);
        self.expected.iter().any(|(_, _, what)| is_loss(what))
    }

    /// The program ends, and its store is closed.
    pub(super) fn end(&mut self) {
        self.engine = None;
        self.store = None;
    }
}
