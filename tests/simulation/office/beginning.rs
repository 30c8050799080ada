//! What is there when a history begins: a few things of each class, which both installations know.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::tz::TimeZone;
use liaison::filter::{email, track};
use liaison::mapping::Lengths;
use liaison::model::fields::Address;
use liaison::model::{Class, Table};
use liaison::plan::guard::Limits;
use liaison::plan::{ConflictPolicy, DeleteRule};
use liaison::store::{Store, replica};
use liaison::sync::{ClassSettings, Filing, Settings};

use super::{BREATH, Office};
use crate::simulation::history::{Act, CLASSES, History, OLD, What, Who};
use crate::simulation::ledger::Ledger;
use crate::simulation::nature::Nature;
use crate::simulation::servers::Content;
use crate::support::disk::{Disk, Files};
use crate::support::world::{ME, ORGANISATION, folder, me};

/// What was there when a history begins: made once.
#[derive(Debug, Clone)]
pub(super) struct Beginning {
    pub(super) content: Content,
    pub(super) ledger: Ledger,
    pub(super) stores: [Files; 2],
    pub(super) copies: [Files; 2],
    pub(super) blank: Files,
}

/// How both installations are set up.
pub(super) fn settings(history: &History) -> Settings {
    let lengths = BTreeMap::from([
        ((Table::Contact, "jobtitle".to_owned()), 12),
        ((Table::Task, "description".to_owned()), 12),
        ((Table::Appointment, "location".to_owned()), 12),
    ]);
    let mut class = ClassSettings {
        tracking: track::Policy { track: track::Track::All, ..track::Policy::default() },
        email: email::Policy { automatic: email::Automatic::All, ..email::Policy::default() },
        filter: "the usual".to_owned(),
        ..ClassSettings::default()
    };
    class.rules.conflict = history.conflict;
    class.rules.deleted_in_mailbox = history.deletes;
    class.rules.deleted_in_crm = history.deletes;
    Settings {
        organisation: ORGANISATION,
        mailbox: Address::parse(ME).unwrap(),
        me: me(),
        zone: TimeZone::UTC,
        lengths: Lengths(lengths),
        limits: Limits::default(),
        filing: Filing::default(),
        classes: CLASSES.into_iter().map(|it| (it, class.clone())).collect(),
    }
}

impl Beginning {
    /// A few things of each class that both installations know to be in step.
    pub(super) async fn make() -> Self {
        let history = History {
            seed: 0,
            conflict: ConflictPolicy::Crm,
            deletes: DeleteRule::ByClass,
            nature: Nature::default(),
            events: Vec::new(),
        };
        let blank = blank(Store::open);
        let copy = self::blank(replica::open);
        let nothing = Self {
            content: Content::default(),
            ledger: Ledger::default(),
            stores: [blank.clone(), blank.clone()],
            copies: [copy.clone(), copy],
            blank: blank.clone(),
        };
        let office = Office::with(&history, &nothing);
        for class in CLASSES {
            for thing in 0..OLD {
                let who = if thing == 0 || class == Class::Email { Who::Mail } else { Who::Crm };
                office.act(&Act { who, class, thing, what: What::Make });
            }
        }
        for round in [0, 0, 0, 1, 1, 0, 1] {
            office.pass(BREATH);
            office.round(round).await.unwrap();
        }
        for site in [0, 1] {
            office.online(site).await.unwrap();
            let mut site = office.sites[site].lock().unwrap();
            site.end();
            site.desk.store = None;
        }
        let copies = [0, 1].map(|number| office.sites[number].lock().unwrap().desk.disk.files());
        let stores = [0, 1].map(|number| office.sites[number].lock().unwrap().disk.files());
        let ledger = office.ledger.lock().unwrap().clone();
        Self { content: office.servers.content(), ledger, stores, copies, blank }
    }
}

/// A store that was just made.
fn blank(open: fn(&Path) -> liaison::store::Result<Store>) -> Files {
    let folder = folder();
    let path = folder.path().join("store");
    drop(open(&path).unwrap());
    Disk::new(&path).files()
}
