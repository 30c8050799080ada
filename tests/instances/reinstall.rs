//! The state is deleted at random moments, in the middle of a sync too: what is set up anew finds the same pairs, makes nothing
//! twice and deletes nothing.
//!
//! `LIAISON_REINSTALLS` is how often (50 unless set), `LIAISON_SEED` at which moments; both are printed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::{ALL, Computer, Office, value};
use crate::planner::simulation::Dice;
use crate::support::number;

const FROM_MAILBOX: usize = 20;
const FROM_CRM: usize = 10;

/// The longest time after which a sync is killed.
const MOMENT_MS: u64 = 400;

#[test]
fn a_state_that_is_lost_at_any_moment_costs_nothing() {
    let (times, seed) = (number("LIAISON_REINSTALLS", 50), number("LIAISON_SEED", 7));
    println!("seed {seed}, {times} reinstallations");
    let mut dice = Dice::new(seed);
    let office = Office::open(ALL);
    for number in 0..FROM_MAILBOX {
        office.here.card(&format!("m{number}"), &format!("Ann m{number}"), "0", false);
    }
    (0..FROM_CRM).for_each(|number| office.make(&format!("c{number}")));
    let desk = office.computer("desk");
    let mut made = FROM_MAILBOX + FROM_CRM;
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for time in 0..times {
        // Somebody new on either side, so that there is something to do.
        office.here.card(&format!("x{time}"), &format!("Ann x{time}"), "0", false);
        office.make(&format!("y{time}"));
        made += 2;
        let lasts = Duration::from_millis(dice.roll(MOMENT_MS));
        set_up(&desk, dice.chance(80).then_some(lasts));
        drop(std::fs::remove_dir_all(office.state("desk")));
        for (name, id) in pairs(&office, &desk) {
            let before = known.entry(name.clone()).or_insert_with(|| id.clone());
            assert_eq!(*before, id, "{name} has another record");
        }
    }
    set_up(&desk, None);
    assert_eq!((office.contacts().len(), office.cards().len()), (made, made));
    let audit = office.organisation.audit()["contact"].clone();
    assert_eq!(audit["repeated"], json!([]));
    assert_eq!((&audit["deleted"], &audit["creates"]), (&json!(0), &json!(made)), "{audit:#}");
    let status = desk.json(&["status"]);
    let contacts = &status["classes"]["contact"];
    assert_eq!((&contacts["linked"], &status["in_step"]), (&json!(made), &json!(true)));
}

/// As a person does it who begins anew; the last sync is killed after a time.
fn set_up(desk: &Computer<'_>, lasts: Option<Duration>) {
    desk.run(&["plan"]);
    desk.run(&["approve", "--all"]).ends(0);
    let Some(lasts) = lasts else { return desk.settle() };
    let mut sync = desk.start(&["sync"]);
    std::thread::sleep(lasts);
    sync.kill().unwrap();
    sync.wait().unwrap();
}

/// Which record each person has who is on both sides; one at most, and one card.
fn pairs(office: &Office, desk: &Computer<'_>) -> BTreeMap<String, String> {
    let cards = office.cards();
    let mut pairs = BTreeMap::new();
    for row in office.contacts() {
        let name = row["lastname"].as_str().unwrap().to_owned();
        if cards.get(&name).is_some_and(|(_, text)| !value(text, "UID").is_empty()) {
            let id = row["contactid"].as_str().unwrap().to_owned();
            assert!(pairs.insert(name.clone(), id).is_none(), "{}: {name} is twice", desk.name);
        }
    }
    pairs
}
