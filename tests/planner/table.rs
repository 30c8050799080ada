//! The whole 4 × 4 table as one page that can be reviewed: `table.txt`.

use std::fmt::Write as _;

use liaison::model::fields::Direction;
use liaison::model::{Class, Field, Fields, ItemId, Patch, Side, Value};
use liaison::plan::{Rules, Seen};

use super::simulation::Simulation;

const STATES: [&str; 4] = ["same", "changed", "gone", "hidden"];

#[test]
fn the_table_is_as_reviewed() {
    let mut page = String::new();
    for class in Class::ALL {
        for (name, direction) in [
            ("two-way", Direction::TwoWay),
            ("to-crm", Direction::ToCrm),
            ("to-mailbox", Direction::ToMailbox),
        ] {
            for origin in [Side::Mailbox, Side::Crm] {
                if class == Class::Email && origin == Side::Crm {
                    continue;
                }
                writeln!(page, "{class}, {name}, made in the {origin}").unwrap();
                for mailbox in STATES {
                    for crm in STATES {
                        let outcome = outcome(class, direction, origin, mailbox, crm);
                        writeln!(page, "  mailbox {mailbox:<8} crm {crm:<8} {outcome}").unwrap();
                    }
                }
            }
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/planner/table.txt");
    if std::env::var("LIAISON_UPDATE").is_ok() {
        std::fs::write(path, &page).unwrap();
    }
    let reviewed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == reviewed,
        "the table changed; look at it, then run with LIAISON_UPDATE=1:\n{page}"
    );
}

fn outcome(class: Class, direction: Direction, origin: Side, mailbox: &str, crm: &str) -> String {
    let mut simulation = Simulation::new(class, Rules::default());
    let name = if class == Class::Contact { "lastname" } else { "subject" };
    let mut fields = Fields::from([(Field::of(name), Value::Text("name".to_owned()))]);
    if class == Class::Appointment {
        let start = jiff::Timestamp::from_second(1_900_000_000).unwrap();
        fields.insert(Field::of("scheduledstart"), Value::Moment(start));
    }
    simulation.put(origin, "thing", fields);
    simulation.settle(3);
    simulation.rules.direction = direction;
    for (side, state) in [(Side::Mailbox, mailbox), (Side::Crm, crm)] {
        let id: ItemId = simulation.side(side).keys().next().unwrap().clone();
        match state {
            "changed" => {
                let value = Value::Text(format!("from {side}"));
                simulation.edit(side, &id, &Patch::from([(Field::of(name), Some(value))]));
            }
            "gone" => {
                simulation.side_mut(side).remove(&id);
            }
            "hidden" => {
                let seen = if side == Side::Crm { Seen::Left } else { Seen::Unseen };
                simulation.side_mut(side).get_mut(&id).unwrap().hidden = Some(seen);
            }
            _ => {}
        }
    }
    let steps = simulation.plan();
    let Some(step) = steps.first() else { return "nothing".to_owned() };
    let mut words = Vec::new();
    for side in [Side::Mailbox, Side::Crm] {
        if let Some(kind) = step.write_to(side) {
            words.push(format!("{} in {side}", kind.as_str()));
        }
    }
    if words.is_empty() {
        words.push(match step.action {
            liaison::plan::Action::Release { .. } => "release".to_owned(),
            liaison::plan::Action::Forget => "forget".to_owned(),
            _ => "note".to_owned(),
        });
    }
    if !step.contests.is_empty() {
        words.push("conflict listed".to_owned());
    }
    words.join(", ")
}
