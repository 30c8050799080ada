//! Three computers take over from one another at random while people go on working on both sides; some sleep in the middle and
//! wake up later. At the end there is one record an item, nothing is lost, and nothing was made twice.
//!
//! `LIAISON_TAKEOVERS` is how often (20 unless set), `LIAISON_SEED` in which order; both are printed.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::time::Duration;

use serde_json::json;

use super::{ALL, Computer, Office, STANDBY, signal, value};
use crate::planner::simulation::Dice;
use crate::support::number;

const COMPUTERS: [&str; 3] = ["desk", "laptop", "old"];
const FROM_MAILBOX: usize = 40;
const FROM_CRM: usize = 20;
const EDITS: usize = 6;

/// The longest time after which a sync is stopped.
const MOMENT_MS: u64 = 600;

/// What people last said, and all that they said.
#[derive(Default)]
struct Said {
    last: BTreeMap<(String, &'static str), String>,
    number: usize,
}

struct Scene<'o> {
    office: &'o Office,
    dice: Dice,
    said: Said,
    made: usize,
}

#[test]
fn computers_take_over_from_one_another_at_random() {
    let (times, seed) = (number("LIAISON_TAKEOVERS", 20), number("LIAISON_SEED", 7));
    println!("seed {seed}, {times} take-overs");
    let office = Office::open(ALL);
    let computers = COMPUTERS.map(|name| office.computer(name));
    let mut scene =
        Scene { office: &office, dice: Dice::new(seed), said: Said::default(), made: 0 };
    for _ in 0..FROM_MAILBOX {
        scene.card();
    }
    for _ in 0..FROM_CRM {
        scene.record();
    }
    let mut holder = 0;
    computers[holder].settle();
    let mut slept = 0;
    for _ in 0..times {
        scene.people_work();
        let sleeper = scene.dice.chance(60).then(|| scene.sleep(&computers[holder])).flatten();
        slept += usize::from(sleeper.is_some());
        let next = (holder + 1 + usize::try_from(scene.dice.roll(2)).unwrap()) % COMPUTERS.len();
        computers[next].claim();
        scene.people_work();
        if scene.dice.chance(50) {
            computers[next].settle();
        } else {
            computers[next].run(&["sync"]);
        }
        if let Some(sleeper) = sleeper {
            wake(sleeper);
        }
        let code = computers[holder].run(&["sync"]).code;
        assert_eq!(code, STANDBY, "{} did not stop", COMPUTERS[holder]);
        holder = next;
    }
    computers[holder].settle();
    println!("{slept} of them while the other one slept");
    scene.check(&computers);
}

impl Scene<'_> {
    fn card(&mut self) {
        let name = format!("m{}", self.made);
        self.made += 1;
        self.office.here.card(&name, &format!("Ann {name}"), "0", false);
        self.said.last.insert((name, "phone"), "0".to_owned());
    }

    fn record(&mut self) {
        let name = format!("c{}", self.made);
        self.made += 1;
        self.office.make(&name);
        self.said.last.insert((name, "phone"), "0".to_owned());
    }

    /// Phones change in the mailbox, jobs in the CRM; somebody new comes on either side.
    fn people_work(&mut self) {
        let cards: Vec<String> = self.office.cards().into_keys().collect();
        for _ in 0..EDITS {
            let name = self.dice.pick(&cards).clone();
            let phone = self.said.something();
            self.office.edit(&name, "TEL", &phone);
            self.said.last.insert((name, "phone"), phone);
        }
        let rows = self.office.contacts();
        for _ in 0..EDITS {
            let row = self.dice.pick(&rows);
            let (id, job) = (row["contactid"].as_str().unwrap(), self.said.something());
            let columns = format!(r#"{{"jobtitle":"{job}"}}"#);
            self.office.organisation.change(&format!("contacts({id})"), &columns);
            let name = row["lastname"].as_str().unwrap().to_owned();
            self.said.last.insert((name, "job"), job);
        }
        self.card();
        self.record();
    }

    /// A sync that falls asleep at a random moment; `None` when it was done before.
    fn sleep(&mut self, computer: &Computer<'_>) -> Option<Child> {
        let mut child = computer.start(&["sync"]);
        // Not to wait for something: this is the random moment.
        std::thread::sleep(Duration::from_millis(self.dice.roll(MOMENT_MS)));
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        signal("STOP", &child);
        Some(child)
    }

    fn check(&self, computers: &[Computer<'_>]) {
        let cards = self.office.cards();
        let mut rows = BTreeMap::new();
        for row in self.office.contacts() {
            let name = row["lastname"].as_str().unwrap().to_owned();
            assert!(rows.insert(name, row.clone()).is_none(), "twice in the CRM: {row}");
        }
        let names: BTreeSet<&String> = self.said.last.keys().map(|(name, _)| name).collect();
        assert_eq!(cards.keys().collect::<BTreeSet<_>>(), names, "in the mailbox");
        assert_eq!(rows.keys().collect::<BTreeSet<_>>(), names, "in the CRM");
        let lists: Vec<String> =
            computers.iter().map(|one| one.run(&["--json", "conflicts", "--all"]).out).collect();
        for ((name, what), said) in &self.said.last {
            let (property, column) =
                if *what == "phone" { ("TEL", "telephone1") } else { ("TITLE", "jobtitle") };
            let here = value(&cards[name].1, property);
            let there = rows[name][column].as_str().unwrap_or_default();
            assert_eq!(here, there, "{what} of {name} differs");
            let listed = lists.iter().any(|list| list.contains(&format!("\"{said}\"")));
            assert!(here == *said || listed, "{what} of {name} is {here}; {said} is lost");
        }
        let audit = self.office.organisation.audit()["contact"].clone();
        assert_eq!(audit["repeated"], json!([]));
        assert_eq!((&audit["deleted"], &audit["creates"]), (&json!(0), &json!(names.len())));
    }
}

impl Said {
    fn something(&mut self) -> String {
        self.number += 1;
        format!("+{}", self.number)
    }
}

/// It goes on with what was under way, and ends.
fn wake(mut sleeper: Child) {
    signal("CONT", &sleeper);
    let ended = sleeper.wait().unwrap();
    assert!(ended.code().is_some(), "{ended}");
}
