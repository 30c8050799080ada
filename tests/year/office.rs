//! What people do in a day, and the program that keeps up with it. The number of things stays as it is: for each that is made, the
//! oldest one goes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use liaison::clock::Clock;
use liaison::connector::Connector;
use liaison::filter::{email, track};
use liaison::mapping::{Context, Lengths};
use liaison::model::record::PartyRef;
use liaison::model::{
    Address, Class, Field, ItemId, Link, LinkState, Patch, Person, Side, Uid, Value,
};
use liaison::plan::guard::Limits;
use liaison::store::{Store, link};
use liaison::sync::{ClassSettings, Engine, Filing, Report, Settings};
use tempfile::TempDir;
use uuid::Uuid;

use super::shelf::Shelf;
use crate::planner::simulation::Dice;
use crate::support::fake::{Fake, Shared};
use crate::support::hand::{self, Hand};
use crate::support::world::{Approval, ME, ORGANISATION, approve, folder, me};

const NOW: &str = "2027-06-01T06:00:00Z";
const CLASSES: [Class; 4] = [Class::Contact, Class::Task, Class::Appointment, Class::Email];
const BOTH: [Side; 2] = [Side::Mailbox, Side::Crm];

/// Of ten things, eight are messages; in so many days each of them makes room for another.
const STAY: usize = 160;

/// So many customers write; each fifth message is from one of them.
const CUSTOMERS: usize = 100;

/// What one day needs at the most to come to rest.
const ROUNDS: usize = 20;

pub struct Office {
    clock: Clock,
    dice: Dice,
    shelves: BTreeMap<Class, Shelf>,
    crm: Shared,
    engine: Engine,
    path: PathBuf,
    /// The messages that are there, the oldest first.
    messages: VecDeque<ItemId>,
    made: usize,
    rounds: usize,
    operations: usize,
    _folder: TempDir,
}

impl fmt::Display for Office {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: usize = self.shelves.values().map(Shelf::count).sum();
        let records = self.crm.lock().unwrap().crm.rows.len();
        let (rounds, operations) = (self.rounds, self.operations);
        write!(f, "{items} items, {records} records, {rounds} rounds, {operations} writes")
    }
}

fn text(field: &'static str, text: impl Into<String>) -> (Field, Option<Value>) {
    (Field::of(field), Some(Value::Text(text.into())))
}

fn moment(field: &'static str, at: Timestamp) -> (Field, Option<Value>) {
    (Field::of(field), Some(Value::Moment(at)))
}

fn from(address: &str) -> (Field, Option<Value>) {
    let person = Person { name: String::new(), address: Address::parse(address).unwrap() };
    (Field::of("from"), Some(Value::People(std::iter::once(person).collect())))
}

fn customer(number: usize) -> String {
    format!("customer-{number}@customer.example")
}

fn settings() -> Settings {
    let class = |class| {
        let settings = ClassSettings {
            tracking: track::Policy { track: track::Track::All, ..track::Policy::default() },
            email: email::Policy {
                automatic: email::Automatic::KnownSenders,
                ..email::Policy::default()
            },
            filter: "the usual".to_owned(),
            ..ClassSettings::default()
        };
        (class, settings)
    };
    Settings {
        organisation: ORGANISATION,
        mailbox: Address::parse(ME).unwrap(),
        me: me(),
        zone: TimeZone::UTC,
        lengths: Lengths::default(),
        limits: Limits::default(),
        filing: Filing::default(),
        classes: CLASSES.map(class).into(),
    }
}

impl Office {
    /// So many things, all of them still only where they were made.
    pub fn open(items: usize) -> Self {
        let folder = folder();
        let path = folder.path().join("store.sqlite3");
        let clock = Clock::manual(NOW.parse().unwrap());
        let shelves: BTreeMap<Class, Shelf> = CLASSES.map(|class| (class, Shelf::of(class))).into();
        let crm = Shared::default();
        for number in 0..CUSTOMERS {
            let guid = Uuid::from_u128(0xC0_5700_0000 + number as u128);
            let party = PartyRef { table: "contact".to_owned(), guid };
            let address = Address::parse(&customer(number)).unwrap();
            crm.lock().unwrap().crm.people.insert(address, party);
        }
        let mailbox = |(class, shelf): (&Class, &Shelf)| {
            (*class, Arc::new(shelf.clone()) as Arc<dyn Connector>)
        };
        let engine = Engine {
            mailbox: shelves.iter().map(mailbox).collect(),
            crm: Arc::new(Fake { side: Side::Crm, ends: Arc::clone(&crm) }),
            store: Store::open(&path).unwrap(),
            clock: clock.clone(),
            settings: settings(),
            fence: None,
            stop: liaison::sync::stop::Stop::default(),
            sending: None,
            progress: Arc::new(|_| ()),
        };
        let mut office = Self {
            clock,
            dice: Dice::new(7),
            shelves,
            crm,
            engine,
            path,
            messages: VecDeque::new(),
            made: 0,
            rounds: 0,
            operations: 0,
            _folder: folder,
        };
        (0..items * 8 / 10).for_each(|_| office.message_comes());
        for (class, part) in [(Class::Contact, 10), (Class::Task, 20), (Class::Appointment, 20)] {
            (0..items / part).for_each(|_| office.make(class));
        }
        office
    }

    /// People work, and so many rounds follow through the day.
    pub async fn day(&mut self, rounds: u64) {
        for class in [Class::Contact, Class::Task, Class::Appointment] {
            self.people_work(class);
        }
        for _ in 0..self.messages.len().div_ceil(STAY) {
            self.message_comes();
            self.message_goes();
            self.message_moves();
        }
        self.records_go();
        for _ in 0..rounds {
            self.clock.advance(Duration::from_hours(24) / u32::try_from(rounds).unwrap());
            self.round().await;
            approve(&self.engine.store, self.clock.now(), Approval::All);
        }
        self.crm.lock().unwrap().deleted.clear();
        self.shelves.values().for_each(|shelf| shelf.ends.lock().unwrap().deleted.clear());
    }

    /// Until nothing is left to do.
    pub async fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let report = self.round().await;
            let approved = approve(&self.engine.store, self.clock.now(), Approval::All);
            if report.operations() == 0 && approved == 0 {
                return;
            }
        }
        panic!("it does not come to rest: {self}");
    }

    async fn round(&mut self) -> Report {
        let report = self.engine.sync(&CLASSES, "timer").await.unwrap();
        for (class, of) in &report.classes {
            assert!(of.error.is_none() && of.partial.is_empty(), "{class}: {of:?}");
        }
        self.rounds += 1;
        self.operations += report.operations();
        report
    }

    /// The bytes of the store, with what waits to be joined to it.
    pub fn size(&self) -> u64 {
        let length = |end: &str| {
            let path = format!("{}{end}", self.path.display());
            std::fs::metadata(path).map_or(0, |file| file.len())
        };
        length("") + length("-wal")
    }

    /// How many rows each table of the store has.
    pub fn rows(&self) -> BTreeMap<String, u64> {
        let database = rusqlite::Connection::open(&self.path).unwrap();
        let mut names = database
            .prepare(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            )
            .unwrap();
        let names: Vec<String> =
            names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let count = |name: String| {
            let sql = format!("SELECT count(*) FROM {name}");
            let count: i64 = database.query_row(&sql, [], |row| row.get(0)).unwrap();
            (name, u64::try_from(count).unwrap())
        };
        names.into_iter().map(count).collect()
    }

    /// Both sides, read from beginning to end, say what the store believes.
    pub async fn assert_in_order(&self) {
        self.engine.store.verify().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let copy = self.engine.store.copy(&folder.path().join("copy")).await.unwrap();
        let engine = self.engine.on_a_copy(copy);
        for class in CLASSES {
            let verdict = engine.verify(class).await.unwrap();
            assert!(verdict.error.is_none(), "{class}: {:?}", verdict.error);
            assert!(verdict.findings.is_empty(), "{class}: {:#?}", verdict.findings);
        }
    }

    fn hand(&self, class: Class) -> Hand {
        let context = Context {
            organisation: ORGANISATION,
            zone: TimeZone::UTC,
            me: me(),
            lengths: Lengths::default(),
            people: BTreeMap::new(),
            filing: BTreeMap::new(),
        };
        let (mailbox, crm) = (Arc::clone(&self.shelves[&class].ends), Arc::clone(&self.crm));
        Hand { class, mailbox, crm, context }
    }

    fn edit(
        &self,
        side: Side,
        class: Class,
        key: &str,
        id: Option<&ItemId>,
        patch: &Patch,
    ) -> ItemId {
        let id = self.hand(class).edit(side, key, id, patch);
        if side == Side::Mailbox {
            self.shelves[&class].note(&id);
        }
        id
    }

    fn remove(&self, side: Side, class: Class, id: &ItemId) {
        if side == Side::Mailbox {
            self.shelves[&class].remove(id);
        } else {
            self.crm.lock().unwrap().remove(side, id);
        }
    }

    /// A new thing, on one side or the other.
    fn make(&mut self, class: Class) {
        self.made += 1;
        let (number, now) = (self.made, self.clock.now());
        let days = |days: i64| now + SignedDuration::from_hours(24 * days);
        let patch = match class {
            Class::Contact => Patch::from([
                text("lastname", format!("Berg {number}")),
                text("emailaddress1", format!("berg-{number}@elsewhere.example")),
            ]),
            Class::Task => Patch::from([
                text("subject", format!("Call {number}")),
                moment("scheduledend", days(7)),
            ]),
            Class::Appointment | Class::Email => Patch::from([
                text("subject", format!("Meeting {number}")),
                moment("scheduledstart", days(3)),
                moment("scheduledend", days(3) + SignedDuration::from_hours(1)),
            ]),
        };
        let side = BOTH[number % 2];
        self.edit(side, class, &format!("{class}-{number}"), None, &patch);
    }

    /// Some are made, some change on one side or on both, some are done, and the oldest ones go: from one side at first, and where
    /// they were left standing on the other, from there.
    fn people_work(&mut self, class: Class) {
        let mut links = self.links(class);
        links.sort_by_key(|link| link.id);
        let (there, left): (Vec<Link>, Vec<Link>) =
            links.into_iter().partition(|link| link.state == LinkState::Active);
        for link in left {
            BOTH.iter().for_each(|side| self.remove(*side, class, link.half(*side)));
        }
        let share = there.len().div_ceil(200);
        for (number, link) in there.iter().take(share).enumerate() {
            self.remove(BOTH[number % 2], class, link.half(BOTH[number % 2]));
        }
        (0..share).for_each(|_| self.make(class));
        let Some(there) = there.get(share..).filter(|there| !there.is_empty()) else { return };
        for number in 0..4 * share {
            let link = self.dice.pick(there).clone();
            let word = format!("said on {} of {number}", self.clock.now());
            let field = if class == Class::Contact { "jobtitle" } else { "description" };
            let sides =
                if self.dice.chance(2) { &BOTH[..] } else { &BOTH[number % 2..=number % 2] };
            for side in sides {
                let patch = Patch::from([text(field, format!("{word} in the {side}"))]);
                if self.hand(class).fields(*side, link.half(*side)).is_some() {
                    self.edit(*side, class, "", Some(link.half(*side)), &patch);
                }
            }
            if class == Class::Task && number % 4 == 1 {
                let done = Patch::from([
                    text("statuscode", "completed"),
                    (Field::of("percentcomplete"), Some(Value::Number(100))),
                ]);
                if self.hand(class).fields(Side::Mailbox, &link.item).is_some() {
                    self.edit(Side::Mailbox, class, "", Some(&link.item), &done);
                }
            }
        }
    }

    fn links(&self, class: Class) -> Vec<Link> {
        self.engine.store.read_blocking(|db| link::all(db, class)).unwrap()
    }

    fn message_comes(&mut self) {
        self.made += 1;
        let number = self.made;
        let sender = if number.is_multiple_of(5) {
            customer(number % CUSTOMERS)
        } else {
            format!("stranger-{number}@elsewhere.example")
        };
        let patch = Patch::from([text("subject", format!("News {number}")), from(&sender)]);
        let id = self.edit(Side::Mailbox, Class::Email, &format!("m{number}"), None, &patch);
        self.messages.push_back(id);
    }

    fn message_goes(&mut self) {
        if let Some(id) = self.messages.pop_front() {
            self.remove(Side::Mailbox, Class::Email, &id);
        }
    }

    fn message_moves(&mut self) {
        let number = usize::try_from(self.dice.roll(self.messages.len() as u64)).unwrap();
        let id = self.messages[number].clone();
        let Some(name) = id.as_str().strip_prefix("INBOX/") else { return };
        let new = ItemId::new(format!("Archive/{name}"));
        self.shelves[&Class::Email].rename(&id, &new);
        self.messages[number] = new;
    }

    /// The organisation clears away what is filed of messages that are no more.
    fn records_go(&mut self) {
        let name = |id: &ItemId| hand::uid(id.as_str().rsplit('/').next().unwrap());
        let there: BTreeSet<Uid> = self.messages.iter().map(name).collect();
        for link in self.links(Class::Email) {
            if !there.contains(&link.uid) {
                self.remove(Side::Crm, Class::Email, &link.record);
            }
        }
    }
}
