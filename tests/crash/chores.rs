//! The work beside the stories: a message that several people can be meant by, people who are made, what a message is about, a
//! round that is taken back. The program ends at each of its writes, before and after the commit, by a crash or with the power;
//! what was asked for is asked for again, and all is as it is without that.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use liaison::filter::people::Create;
use liaison::model::record::PartyRef;
use liaison::model::{Address, Class, Uid};
use liaison::store::person::{self, Choice};
use liaison::store::{AFTER_PROMISE, Error, Probe, Store, regarding};
use serde_json::json;

use super::places::{Ended, Line};
use crate::support::disk::Disk;
use crate::support::faults::{Fault, Point};
use crate::sync::world::World;

const CLASSES: &[Class] = &[Class::Email, Class::Contact];

/// Where the chores are. What else they come by, the stories end at.
const FILES: [&str; 5] = [
    "src/sync/people.rs",
    "src/sync/preview.rs",
    "src/sync/regard.rs",
    "src/sync/tag.rs",
    "src/sync/undo/",
];

/// The end of the program: at the nth time that this line comes to this moment of a commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    line: Line,
    moment: &'static str,
    nth: usize,
}

impl End {
    fn point(&self) -> Point {
        Point::stop(self.moment)
    }
}

/// Counts where the program comes by, and ends it once.
#[derive(Debug, Default)]
struct Course {
    passed: BTreeMap<(Line, &'static str), usize>,
    planned: Option<(End, Fault)>,
    dead: bool,
}

#[test]
fn chores_end_well_wherever_the_program_ends() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (whole, ends) = runtime.block_on(Day::of(None));
    let mut ended = Ended::default();
    let mut runs = 0;
    for end in ends {
        for fault in [Fault::Die, Fault::PowerLoss] {
            ended.note_line(&end.line, end.point(), fault);
            let (day, _) = runtime.block_on(Day::of(Some((end.clone(), fault))));
            assert_eq!(day, whole, "{fault:?} at {end:?}");
            runs += 1;
        }
    }
    println!("{runs} ends of the program");
    ended.assert_all("chores");
}

/// What is there at the end of the day: people and what they say on either side, messages with who takes part and what they
/// are about, what waits.
#[derive(Debug, PartialEq, Eq)]
struct Day {
    cards: Vec<String>,
    contacts: Vec<String>,
    messages: Vec<String>,
    waiting: Vec<String>,
}

/// A day and what may happen in it.
struct Stage {
    world: World,
    course: Arc<Mutex<Course>>,
    disk: Disk,
    path: PathBuf,
}

impl Day {
    /// With the ends that are possible in it.
    async fn of(planned: Option<(End, Fault)>) -> (Self, Vec<End>) {
        let mut stage = Stage::set(planned).await;
        stage.syncs().await;
        stage.person_decides().await;
        stage.syncs().await;
        let round = stage.card_changes().await;
        stage.takes_back(round).await;
        stage.syncs().await;
        let ends = stage.course.lock().unwrap().passed.clone();
        let ends = ends.into_iter().flat_map(|((line, moment), times)| {
            (1..=times).map(move |nth| End { line: line.clone(), moment, nth })
        });
        (stage.see().await, ends.collect())
    }
}

fn message(name: &str, from: &str) -> String {
    format!(
        "From: {from}\r\nTo: anna@example.org\r\nSubject: {name}\r\nMessage-ID: <{name}@x.example>\r\n\
         Date: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\nHello\r\n"
    )
}

fn card(name: &str, phone: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:{name}-uid\r\nFN:Ann {name}\r\nN:{name};Ann;;;\r\n\
         TEL;TYPE=work,voice:{phone}\r\nEND:VCARD\r\n"
    )
}

impl Stage {
    async fn set(planned: Option<(End, Fault)>) -> Self {
        let mut world = World::new().await;
        for name in ["One", "Two"] {
            let row = json!({ "lastname": name, "emailaddress1": "info@firm.example" });
            world.send("bo", "POST", "contacts", row).await;
        }
        world.put("mail/cur/1:2,S", &message("first", "Firm <info@firm.example>"));
        world.put("mail/cur/2:2,S", &message("second", "New <new@other.example>"));
        world.put("contacts/berg.vcf", &card("Berg", "1"));
        world.engine.settings.filing.create_people = Create::Contact;
        let path = world.path("state/store.db");
        let course = Arc::new(Mutex::new(Course { planned, ..Course::default() }));
        let disk = Disk::new(&path);
        let mut stage = Self { world, course, disk, path };
        stage.disk.flush();
        stage.watch();
        stage
    }

    /// From now on it may end.
    fn watch(&mut self) {
        self.world.engine.settings.filing.create_people = Create::Contact;
        self.world.engine.store = self.world.store.with_probe(self.probe());
    }

    fn probe(&self) -> Probe {
        let (course, disk) = (Arc::clone(&self.course), self.disk.clone());
        Arc::new(move |stop| {
            let mut course = course.lock().unwrap();
            if stop.name == AFTER_PROMISE {
                disk.flush();
            }
            let line = Line::of(stop.place);
            if course.dead || !FILES.iter().any(|file| line.file.starts_with(file)) {
                return !course.dead;
            }
            let times = course.passed.entry((line.clone(), stop.name)).or_default();
            *times += 1;
            let here = End { line, moment: stop.name, nth: *times };
            course.dead = course.planned.as_ref().is_some_and(|(end, _)| *end == here);
            !course.dead
        })
    }

    /// The program is started again, if it ended.
    async fn starts_again(&mut self) -> bool {
        let fault = {
            let mut course = self.course.lock().unwrap();
            if !std::mem::take(&mut course.dead) {
                return false;
            }
            course.planned.take().map(|(_, fault)| fault)
        };
        // The last handle on the store goes.
        self.world.store = Store::in_memory().unwrap();
        self.world.engine.store = self.world.store.clone();
        self.world.engine.fence = None;
        if fault == Some(Fault::PowerLoss) {
            self.disk.restore();
        }
        self.world.store = Store::open(&self.path).unwrap();
        self.disk.flush();
        self.world.restart().await;
        self.watch();
        true
    }

    /// Until nothing is left to do, with all that waits approved.
    async fn syncs(&mut self) {
        for _ in 0..10 {
            let synced = self.world.engine.sync(CLASSES, "test").await;
            if self.starts_again().await {
                continue;
            }
            let report = synced.unwrap();
            let fine = report.classes.values().all(|class| class.error.is_none());
            assert!(fine, "{report:?}");
            if report.operations() == 0 && self.world.approve_all() == 0 {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// Which of two is meant, and what a message is about.
    async fn person_decides(&mut self) {
        let who = self.two().await;
        let info = Address::parse("info@firm.example").unwrap();
        self.world
            .store
            .promise_blocking(|tx| person::choose(tx, &info, &Choice::Record(who)))
            .unwrap();
        self.says_what_it_is_about().await;
    }

    async fn says_what_it_is_about(&self) {
        let (two, now) = (self.two().await, self.world.engine.clock.now());
        let second = Uid::new("second@x.example");
        self.world
            .store
            .promise_blocking(|tx| regarding::set(tx, &second, Some(&two), now))
            .unwrap();
        self.disk.flush();
    }

    /// Who is meant.
    async fn two(&self) -> PartyRef {
        let rows = self.world.rows("contacts?$select=contactid&$filter=lastname eq 'Two'").await;
        let id = rows[0]["contactid"].as_str().unwrap();
        PartyRef { table: "contact".to_owned(), guid: id.parse().unwrap() }
    }

    /// Somebody has a new number, somebody else is new; returns the round that brought it over.
    async fn card_changes(&mut self) -> liaison::store::round::RoundId {
        self.world.put("contacts/berg.vcf", &card("Berg", "2"));
        self.world.put("contacts/dorn.vcf", &card("Dorn", "3"));
        self.looks_first().await;
        loop {
            let synced = self.world.engine.sync(CLASSES, "test").await;
            if self.starts_again().await {
                continue;
            }
            let report = synced.unwrap();
            assert!(report.operations() > 0, "{report:?}");
            // Minutes go by. What a round did can be taken back once that is on the disk, too.
            self.disk.flush();
            return report.round.unwrap();
        }
    }

    /// What would be done? And what a message is about, is said once more.
    async fn looks_first(&mut self) {
        self.says_what_it_is_about().await;
        loop {
            let plan = self.world.engine.preview(Class::Contact).await;
            if !self.starts_again().await {
                assert_eq!(plan.unwrap().go.len(), 2);
                return;
            }
        }
    }

    /// As often as a person says so until it is done: once, unless the program ends.
    async fn takes_back(&mut self, round: liaison::store::round::RoundId) {
        loop {
            let undone = self.take_back(round).await;
            if !self.starts_again().await {
                return undone.unwrap();
            }
            // Before a person looks again, the program has.
            self.syncs().await;
        }
    }

    async fn take_back(&self, round: liaison::store::round::RoundId) -> Result<(), Error> {
        let engine = &self.world.engine;
        let plan = engine.plan_undo(round).await?.unwrap();
        engine.undo(round, plan).await.map(drop)
    }

    async fn see(&self) -> Day {
        let folder = fs::read_dir(self.world.path("contacts")).unwrap();
        let texts = folder.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        let said = |text: &str| {
            let lines =
                text.lines().filter(|line| line.starts_with("N:") || line.starts_with("TEL"));
            lines.collect::<Vec<_>>().join(" ")
        };
        let mut cards: Vec<String> = texts.map(|text| said(&text)).collect();
        cards.sort();
        let sorted = |rows: Vec<serde_json::Value>, columns: &[&str]| {
            let row = |row: &serde_json::Value| {
                columns.iter().map(|column| row[*column].to_string()).collect::<Vec<_>>().join(" ")
            };
            let mut rows: Vec<String> = rows.iter().map(row).collect();
            rows.sort();
            rows
        };
        let contacts = self.world.rows("contacts?$select=lastname,telephone1,emailaddress1").await;
        let contacts = sorted(contacts, &["lastname", "telephone1", "emailaddress1"]);
        let two = self.two().await.guid.to_string();
        let path = "emails?$select=subject,_regardingobjectid_value&$expand=email_activity_parties($select=participationtypemask,addressused,_partyid_value)";
        let mut messages = Vec::new();
        for row in self.world.rows(path).await {
            let parties = row["email_activity_parties"].as_array().unwrap();
            let who = |row: &serde_json::Value| {
                let is_two = row["_partyid_value"] == two.as_str();
                format!("{} {} {is_two}", row["participationtypemask"], row["addressused"])
            };
            let mut who: Vec<String> = parties.iter().map(who).collect();
            who.sort();
            let is_about = row["_regardingobjectid_value"] == two.as_str();
            messages.push(format!("{} {is_about} {}", row["subject"], who.join(", ")));
        }
        messages.sort();
        let doubts = self.world.store.read_blocking(person::all).unwrap();
        let waiting = doubts.iter().map(|doubt| format!("{} {}", doubt.address, doubt.waiting));
        Day { cards, contacts, messages, waiting: waiting.collect() }
    }
}
