//! A mailbox, an organisation, a store and a clock: a place where rounds run, crash, and run again. What is in it can be
//! taken down and put back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::tz::TimeZone;
use liaison::clock::Clock;
use liaison::connector::Connector;
use liaison::mapping::Context;
use liaison::model::fields::Address;
use liaison::model::{Class, Fields, ItemId, Link, LinkState, Patch, RecordId, Side};
use liaison::plan::guard::Stop;
use liaison::store::{AFTER_PROMISE, Probe, Store, conflict, hold, link, mark};
use liaison::sync::{ClassReport, Engine, Settings};
use tempfile::TempDir;
use uuid::Uuid;

use super::cell;
use super::disk::Disk;
use super::fake::{Ends, Fake, Shared};
use super::faults::{Death, Faults, Faulty};
use super::hand::{Hand, uid};

pub const ORGANISATION: Uuid = Uuid::from_u128(0xC0_07A1_C0DE);
pub const ME: &str = "anna@example.org";
const STORE: &str = "store.sqlite3";
/// When every story begins.
const NOW: &str = "2027-06-01T12:00:00Z";

/// More syncs than this in a row are no coming to rest.
const SYNCS: usize = 8;

/// What the person approves when asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    Nothing,
    /// The first sync of a class.
    First,
    All,
}

/// See the module.
#[derive(Debug)]
pub struct World {
    pub class: Class,
    pub settings: Settings,
    pub ends: Shared,
    pub clock: Clock,
    /// Where the things of the story are, by the name they have in it.
    pub keys: BTreeMap<String, Place>,
    pub faults: Faults,
    store: Option<Store>,
    disk: Disk,
    folder: TempDir,
}

/// Where the halves of a thing are.
#[derive(Debug, Clone, Default)]
pub struct Place {
    pub item: Option<ItemId>,
    pub record: Option<ItemId>,
}

impl Place {
    pub fn of(&self, side: Side) -> Option<&ItemId> {
        match side {
            Side::Mailbox => self.item.as_ref(),
            Side::Crm => self.record.as_ref(),
        }
    }
}

/// A world at a moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub ends: Ends,
    store: Option<Vec<u8>>,
    now: jiff::Timestamp,
    keys: BTreeMap<String, Place>,
}

impl Snapshot {
    /// The same, but the whole state directory is gone.
    pub fn without_store(&self) -> Self {
        Self { store: None, ..self.clone() }
    }

    /// What both sides hold now, and the store of an earlier moment: a backup was put back.
    pub fn with_store_of(&self, earlier: &Self) -> Self {
        Self { store: earlier.store.clone(), ..self.clone() }
    }
}

impl World {
    pub fn new(class: Class, settings: Settings) -> Self {
        let folder = folder();
        let ends = Ends::default();
        let mut world = Self {
            class,
            settings,
            ends: Arc::new(Mutex::new(ends)),
            clock: Clock::manual(NOW.parse().unwrap()),
            keys: BTreeMap::new(),
            faults: Faults::none(),
            store: None,
            disk: Disk::new(&folder.path().join(STORE)),
            folder,
        };
        let lengths = world.settings.lengths.0.clone();
        world.ends.lock().unwrap().crm.lengths = lengths;
        world.start();
        world.disk.flush();
        world
    }

    /// A world as it was at a moment, where `faults` happen.
    pub fn resume(class: Class, settings: &Settings, from: &Snapshot, faults: Faults) -> Self {
        let folder = folder();
        let mut world = Self {
            class,
            settings: settings.clone(),
            ends: Arc::new(Mutex::new(from.ends.clone())),
            clock: Clock::manual(from.now),
            keys: from.keys.clone(),
            faults,
            store: None,
            disk: Disk::new(&folder.path().join(STORE)),
            folder,
        };
        if let Some(bytes) = &from.store {
            std::fs::write(world.path(), bytes).unwrap();
        }
        world.start();
        world.disk.flush();
        world
    }

    pub fn snapshot(&mut self) -> Snapshot {
        // The last handle empties the log into the file.
        drop(self.store.take());
        let store = std::fs::read(self.path()).ok();
        self.start();
        let ends = self.ends.lock().unwrap().clone();
        Snapshot { ends, store, now: self.clock.now(), keys: self.keys.clone() }
    }

    /// Loses the state directory.
    pub fn forget(&mut self) {
        drop(self.store.take());
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        self.start();
    }

    /// Begins with what the store says.
    pub fn start(&mut self) {
        drop(self.store.take());
        self.store = Some(Store::open(&self.path()).unwrap());
    }

    pub fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(STORE)
    }

    fn engine(&self) -> Engine {
        let end = |side| -> Arc<dyn Connector> {
            let inner = Arc::new(Fake { side, ends: Arc::clone(&self.ends) });
            Arc::new(Faulty { side, inner, course: Arc::new(self.faults.clone()) })
        };
        Engine {
            mailbox: BTreeMap::from([(self.class, end(Side::Mailbox))]),
            crm: end(Side::Crm),
            store: self.store().with_probe(self.probe()),
            clock: self.clock.clone(),
            settings: self.settings.clone(),
            fence: None,
            stop: liaison::sync::stop::Stop::default(),
            sending: None,
            progress: Arc::new(|_| ()),
        }
    }

    /// The stop points of the store; what is promised is on the disk.
    fn probe(&self) -> Probe {
        let (faults, flushes) = (self.faults.probe(), self.faults.may_lose_power());
        let disk = self.disk.clone();
        Arc::new(move |stop| {
            if flushes && stop.name == AFTER_PROMISE {
                disk.flush();
            }
            faults(stop)
        })
    }

    /// One sync; `None` when the process died in it.
    ///
    /// # Errors
    /// When the engine gave up although nothing is wrong with the store.
    pub async fn sync(&mut self) -> Result<Option<ClassReport>, String> {
        self.clock.advance(Duration::from_mins(1));
        let result = self.engine().sync(&[self.class], "test").await;
        if let Some(death) = self.faults.take_death() {
            drop(self.store.take());
            if death == Death::Power {
                self.disk.restore();
            }
            return Ok(None);
        }
        let report = result.map_err(|error| format!("the sync failed: {error}"))?;
        Ok(Some(report.classes[&self.class].clone()))
    }

    /// Syncs, approves and starts again after a crash, until nothing happens any more.
    ///
    /// # Errors
    /// When it does not come to rest.
    pub async fn settle(&mut self, approval: Approval) -> Result<ClassReport, String> {
        for _ in 0..SYNCS {
            let calm = self.faults.are_over();
            let Some(report) = self.sync().await? else {
                self.start();
                continue;
            };
            let approved = self.approve(approval);
            let rests = calm && report.error.is_none() && report.partial.is_empty();
            if rests && report.operations == 0 && report.adopted == 0 && approved == 0 {
                self.follow();
                return Ok(report);
            }
        }
        Err(format!("no rest after {SYNCS} syncs"))
    }

    /// Approves what waits; returns how many operations that were.
    pub fn approve(&self, approval: Approval) -> usize {
        approve(self.store(), self.clock.now(), approval)
    }

    /// Chooses this side in everything that is contested, open or not.
    pub fn choose(&self, side: Side) {
        let choose = |tx: &liaison::store::Transaction<'_>| {
            for conflict in conflict::all(tx)? {
                conflict::choose(tx, conflict.id, side)?;
            }
            Ok(())
        };
        self.store().promise_blocking(choose).unwrap();
    }

    /// The user's word on whether a thing takes part.
    pub fn mark(&self, key: &str, tracked: bool) {
        let (class, now) = (self.class, self.clock.now());
        let set =
            |tx: &liaison::store::Transaction<'_>| mark::set(tx, class, &uid(key), tracked, now);
        self.store().promise_blocking(set).unwrap();
    }

    /// Finds the other halves of things through their links.
    fn follow(&mut self) {
        let class = self.class;
        let links = self.store().read_blocking(|db| link::all(db, class)).unwrap();
        for place in self.keys.values_mut() {
            let is_its = |link: &&Link| {
                place.item.as_ref() == Some(&link.item)
                    || place.record.as_ref() == Some(&link.record)
            };
            if let Some(link) = links.iter().find(is_its) {
                place.item = Some(link.item.clone());
                place.record = Some(link.record.clone());
            }
        }
    }

    pub fn context(&self) -> Context {
        Context {
            organisation: ORGANISATION,
            zone: TimeZone::UTC,
            me: self.settings.me.clone(),
            lengths: self.settings.lengths.clone(),
            people: self.ends.lock().unwrap().crm.people.clone(),
            filing: BTreeMap::new(),
        }
    }

    /// What stands at `id`, if it can be read.
    fn fields(&self, side: Side, id: &ItemId) -> Option<Result<Fields, String>> {
        self.hand().fields(side, id)
    }

    fn hand(&self) -> Hand {
        Hand {
            class: self.class,
            mailbox: Arc::clone(&self.ends),
            crm: Arc::clone(&self.ends),
            context: self.context(),
        }
    }

    /// What a thing of the story says on a side.
    pub fn says(&self, side: Side, key: &str) -> Option<Fields> {
        let id = self.keys.get(key)?.of(side)?;
        self.fields(side, id)?.ok()
    }

    /// A person takes a thing away.
    pub fn remove(&mut self, side: Side, key: &str) {
        if let Some(id) = self.keys.get(key).and_then(|place| place.of(side)) {
            self.ends.lock().unwrap().remove(side, id);
        }
    }

    /// A thing as its owner sees it; `-` when it is not there.
    pub fn cell(&self, side: Side, id: Option<&ItemId>) -> String {
        match id.and_then(|id| self.fields(side, id)) {
            Some(Ok(fields)) => cell::show(self.class, &fields),
            Some(Err(_)) => "broken".to_owned(),
            None => "-".to_owned(),
        }
    }

    /// All things on both sides, a line a pair or what stands alone, in the order of their words.
    pub fn rows(&self) -> Vec<String> {
        let class = self.class;
        let links = self.store().read_blocking(|db| link::all(db, class)).unwrap();
        let (mut items, mut records) = self.ids();
        let mut rows = Vec::new();
        for link in &links {
            items.remove(&link.item);
            records.remove(&link.record);
            let word = match link.state {
                LinkState::Active => "linked",
                LinkState::Released { .. } => "kept",
            };
            let item = self.cell(Side::Mailbox, Some(&link.item));
            rows.push(format!("{item} | {} | {word}", self.cell(Side::Crm, Some(&link.record))));
        }
        for item in items {
            rows.push(format!("{} | - | alone", self.cell(Side::Mailbox, Some(&item))));
        }
        for record in records {
            rows.push(format!("- | {} | alone", self.cell(Side::Crm, Some(&record))));
        }
        rows.sort();
        rows
    }

    fn ids(&self) -> (BTreeSet<ItemId>, BTreeSet<ItemId>) {
        let ends = self.ends.lock().unwrap();
        let items = ends.mailbox.keys().cloned().collect();
        (items, ends.crm.rows.keys().map(|id| id.item_id()).collect())
    }

    /// The halves that are linked, where both are there.
    pub fn pairs(&self) -> BTreeSet<(ItemId, ItemId)> {
        let class = self.class;
        let links = self.store().read_blocking(|db| link::all(db, class)).unwrap();
        let (items, records) = self.ids();
        links
            .into_iter()
            .filter(|link| link.state == LinkState::Active)
            .filter(|link| items.contains(&link.item) && records.contains(&link.record))
            .map(|link| (link.item, link.record))
            .collect()
    }

    /// How many things of each title a side holds.
    pub fn titles(&self, side: Side) -> BTreeMap<String, usize> {
        let (items, records) = self.ids();
        let ids = if side == Side::Mailbox { items } else { records };
        let mut titles = BTreeMap::new();
        for id in ids {
            let Some(Ok(fields)) = self.fields(side, &id) else { continue };
            *titles.entry(liaison::sync::describe::title(self.class, &fields)).or_default() += 1;
        }
        titles
    }

    /// Every value that stands on a side, or is kept in the list of conflicts.
    pub fn values(&self) -> BTreeSet<(String, String)> {
        let (items, records) = self.ids();
        let mut values = BTreeSet::new();
        for (side, ids) in [(Side::Mailbox, items), (Side::Crm, records)] {
            for id in ids {
                let Some(Ok(fields)) = self.fields(side, &id) else { continue };
                values.extend(
                    fields.iter().map(|(name, value)| (name.to_string(), value.to_string())),
                );
            }
        }
        for conflict in self.store().read_blocking(conflict::all).unwrap() {
            match conflict.dispute {
                conflict::Dispute::Field { field, mailbox, crm } => {
                    let both = [mailbox, crm].into_iter().flatten();
                    values.extend(both.map(|value| (field.to_string(), value.to_string())));
                }
                conflict::Dispute::Existence { kept, .. } => {
                    values.extend(
                        kept.iter().map(|(name, value)| (name.to_string(), value.to_string())),
                    );
                }
            }
        }
        values
    }

    /// A person makes a thing on one side, or changes it.
    pub fn edit(&mut self, side: Side, key: &str, patch: &Patch) {
        let id = self.keys.get(key).and_then(|place| place.of(side)).cloned();
        let id = self.hand().edit(side, key, id.as_ref(), patch);
        let place = self.keys.entry(key.to_owned()).or_default();
        match side {
            Side::Mailbox => place.item = Some(id),
            Side::Crm => place.record = Some(id),
        }
    }

    /// Something happens to a thing that is not in what it says.
    ///
    /// # Panics
    /// When nobody knows what the word means.
    pub fn happen(&mut self, side: Side, key: &str, what: &str) {
        let place = self.keys[key].clone();
        let id = place.of(side).cloned().unwrap_or_else(|| panic!("{key} is not in the {side}"));
        let mut ends = self.ends.lock().unwrap();
        match (side, what) {
            (Side::Crm, "left") => ends.crm.touch(row(&id)).unwrap().left = true,
            (Side::Crm, "back") => ends.crm.touch(row(&id)).unwrap().left = false,
            (Side::Crm, "forbidden") => ends.crm.touch(row(&id)).unwrap().forbidden = true,
            (Side::Crm, "touched") => drop(ends.crm.touch(row(&id))),
            (Side::Mailbox, "broken") => drop(ends.mailbox.insert(id, b"BEGIN:NOTHING".to_vec())),
            (Side::Mailbox, "copied") => {
                let bytes = ends.mailbox[&id].clone();
                ends.mailbox.insert(ItemId::new(format!("copy-of-{id}")), bytes);
            }
            (Side::Mailbox, "renamed" | "junk" | "archived") => {
                let bytes = ends.mailbox.remove(&id).unwrap();
                let new = ItemId::new(match what {
                    "junk" => format!("Junk/{key}"),
                    "archived" => format!("Archive/{key}"),
                    _ => format!("renamed-{id}"),
                });
                ends.mailbox.insert(new.clone(), bytes);
                drop(ends);
                self.keys.entry(key.to_owned()).or_default().item = Some(new);
            }
            (Side::Mailbox, "private") => add_line(&mut ends, &id, "CLASS:PRIVATE"),
            (Side::Mailbox, "tracked") => add_line(&mut ends, &id, "CATEGORIES:Tracked to CRM"),
            _ => panic!("nothing in the {side} can be {what}"),
        }
    }
}

/// Approves what waits in a store; returns how many operations that were.
pub fn approve(store: &Store, now: jiff::Timestamp, approval: Approval) -> usize {
    let holds = store.read_blocking(hold::open_holds).unwrap();
    let first = Stop::First.to_string();
    holds
        .iter()
        .filter(|hold| match approval {
            Approval::Nothing => false,
            Approval::First => hold.reason == first,
            Approval::All => true,
        })
        .map(|hold| store.promise_blocking(|tx| hold::approve(tx, hold.id, now)).unwrap())
        .sum()
}

fn row(id: &ItemId) -> RecordId {
    RecordId::parse(id).unwrap()
}

/// Writes a property where the item's other ones end.
pub fn add_line(ends: &mut Ends, id: &ItemId, line: &str) {
    let text = String::from_utf8(ends.mailbox[id].clone()).unwrap();
    let end = ["END:VCARD", "END:VTODO", "END:VEVENT"];
    let place = end.iter().find_map(|end| text.find(end)).unwrap();
    let new = format!("{}{line}\r\n{}", &text[..place], &text[place..]);
    ends.mailbox.insert(id.clone(), new.into_bytes());
}

/// The user's addresses.
pub fn me() -> BTreeSet<Address> {
    Address::parse(ME).into_iter().collect()
}

/// In memory where the machine has such a place: thousands of stores come and go.
pub fn folder() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap()
}
