//! People do not wait for a process that died: they change the same field again before it is back. What they said last stands
//! at the end, on both sides, and our own half-finished write is nobody's opinion.

use liaison::model::{Class, RecordId, Side};

use crate::scenario::tell;
use crate::support::cell::{self, Cell};
use crate::support::faults::{Fault, Faults, Point};
use crate::support::world::{Approval, World};

/// A story of one thing and one side: what it says first (a new thing where that is nothing), after a change, and after the
/// change that follows the crash.
struct Case {
    side: Side,
    /// The policy under which the echo would win.
    policy: &'static str,
    first: &'static str,
    then: &'static str,
    last: &'static str,
}

#[test]
fn what_people_say_after_a_crash_is_not_lost_to_our_own_write() {
    let cases = [
        (Side::Mailbox, "crm", "Berg tel=1", "tel=2", "tel=3"),
        (Side::Crm, "mailbox", "Berg tel=1", "tel=2", "tel=3"),
        (Side::Mailbox, "crm", "Berg tel=1", "tel=", "tel=3"),
        (Side::Mailbox, "crm", "-", "Berg tel=2", "tel=3"),
        (Side::Crm, "mailbox", "-", "Berg tel=2", "tel=3"),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut crashes = 0;
    for (side, policy, first, then, last) in cases {
        crashes += runtime.block_on(Case { side, policy, first, then, last }.run());
    }
    println!("{crashes} crashes with people going on");
}

/// The CRM wins, the process dies, and a person writes over what it wrote: what lost is still in the list.
#[test]
fn what_lost_before_a_crash_stays_in_the_list() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let overwritten = runtime.block_on(async {
        let settings = tell::read("contact", "case\n  with conflict=crm\n").remove(0).settings;
        let mut world = World::new(Class::Contact, settings.clone());
        world.edit(Side::Mailbox, "berg", &patch("Berg tel=1"));
        world.settle(Approval::First).await.unwrap();
        world.edit(Side::Mailbox, "berg", &patch("tel=2"));
        world.edit(Side::Crm, "berg", &patch("tel=3"));
        let before = world.snapshot();
        world.faults = Faults::none();
        world.settle(Approval::First).await.unwrap();
        let points = world.faults.points();
        let mut overwritten = 0;
        for (number, point) in points.iter().enumerate() {
            if !point.faults().contains(&Fault::Die) {
                continue;
            }
            let faults = Faults::at(number, Fault::Die);
            let mut world = World::resume(Class::Contact, &settings, &before, faults);
            while !world.faults.are_over() {
                if world.sync().await.unwrap().is_none() {
                    world.start();
                }
            }
            let place = world.keys["berg"].item.clone();
            let was_written = world.cell(Side::Mailbox, place.as_ref()) == "Berg tel=3";
            overwritten += usize::from(was_written);
            world.edit(Side::Mailbox, "berg", &patch("tel=4"));
            world.settle(Approval::First).await.unwrap();
            let kept = world.values();
            let wanted = if was_written { ["2", "4"] } else { ["3", "4"] };
            for tel in wanted {
                let value = ("telephone1".to_owned(), tel.to_owned());
                assert!(kept.contains(&value), "{tel} is lost, dead at {number} ({point})");
            }
        }
        overwritten
    });
    assert!(overwritten > 0, "nothing was written before any crash");
}

/// A card is in the CRM when the process dies, and the next listing is of a time before the card: it is not taken for new there.
#[test]
fn an_old_listing_after_a_crash_makes_no_second_card() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let settings = tell::read("contact", "case\n").remove(0).settings;
        let mut world = World::new(Class::Contact, settings);
        world.edit(Side::Mailbox, "rest", &patch("Rest"));
        world.settle(Approval::First).await.unwrap();
        world.faults = Faults::none();
        world.sync().await.unwrap();
        let quiet = world.faults.points();
        let list = quiet.iter().position(|point| *point == Point::List(Side::Mailbox)).unwrap();
        // What it shows in the second round is what there is in the first one.
        let second = quiet.len() + list;
        let old = Faults::at(second, Fault::Old);
        world.faults = old.clone();
        world.sync().await.unwrap();
        world.edit(Side::Mailbox, "berg", &patch("Berg tel=1"));
        let before = world.snapshot();
        world.faults = Faults::none();
        world.sync().await.unwrap();
        let is_made = |point: &Point| *point == Point::AfterWrite(Side::Crm, "create");
        let number = world.faults.points().iter().position(is_made).unwrap();
        let faults = Faults::at(number, Fault::Die);
        let mut world = World::resume(Class::Contact, &world.settings, &before, faults);
        assert!(world.sync().await.unwrap().is_none());
        world.start();
        world.faults = old;
        world.settle(Approval::First).await.unwrap();
        assert_eq!(world.faults.points()[second], Point::List(Side::Mailbox));
        assert_eq!(world.rows(), ["Berg tel=1 | Berg tel=1 | linked", "Rest | Rest | linked"]);
    });
}

/// A card goes because its record was deleted, the process dies before it writes that down, and the record is there again, as
/// somebody took it out of the bin: nobody deleted the card but us, and so it is made anew instead of the record being deleted.
#[test]
fn what_we_deleted_before_a_crash_is_not_what_a_person_deleted() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut world = both_ways();
        world.edit(Side::Crm, "berg", &patch("Berg tel=1"));
        world.edit(Side::Crm, "rest", &patch("Rest"));
        world.settle(Approval::First).await.unwrap();
        let record = RecordId::parse(world.keys["berg"].record.as_ref().unwrap()).unwrap();
        let row = world.ends.lock().unwrap().crm.rows[&record].clone();
        world.remove(Side::Crm, "berg");
        let mut world = die_at(world, Point::AfterWrite(Side::Mailbox, "delete")).await;
        assert_eq!(world.cell(Side::Mailbox, world.keys["berg"].item.as_ref()), "-");
        world.ends.lock().unwrap().crm.rows.insert(record, row);
        world.settle(Approval::First).await.unwrap();
        assert_eq!(world.rows(), ["Berg tel=1 | Berg tel=1 | linked", "Rest | Rest | linked"]);
    });
}

/// As before, but the next list of the mailbox is empty, which is not true: the card whose deletion was meant and not done is found
/// by a direct look, and its record is not made anew.
#[test]
fn a_list_that_lies_after_a_crash_is_no_evidence_of_a_deletion() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut world = both_ways();
        world.edit(Side::Crm, "berg", &patch("Berg tel=1"));
        world.edit(Side::Crm, "rest", &patch("Rest"));
        world.settle(Approval::First).await.unwrap();
        world.remove(Side::Crm, "berg");
        let mut world = die_at(world, Point::BeforeWrite(Side::Mailbox, "delete")).await;
        assert_eq!(world.cell(Side::Mailbox, world.keys["berg"].item.as_ref()), "Berg tel=1");
        world.faults = Faults::none();
        let before = world.snapshot();
        world.sync().await.unwrap();
        let lists = |point: &Point| *point == Point::List(Side::Mailbox);
        let number = world.faults.points().iter().position(lists).unwrap();
        let faults = Faults::at(number, Fault::Empty);
        let mut world = World::resume(Class::Contact, &world.settings, &before, faults);
        world.settle(Approval::All).await.unwrap();
        assert_eq!(world.rows(), ["Rest | Rest | linked"]);
    });
}

/// Deletions go both ways.
fn both_ways() -> World {
    let story = "case\n  with deleted_in_mailbox=propagate deleted_in_crm=propagate\n";
    World::new(Class::Contact, tell::read("contact", story).remove(0).settings)
}

/// Lets the process die where it comes by that point for the first time in a round.
async fn die_at(mut world: World, at: Point) -> World {
    let before = world.snapshot();
    world.faults = Faults::none();
    world.sync().await.unwrap();
    let number = world.faults.points().iter().position(|point| *point == at).unwrap();
    let mut world =
        World::resume(Class::Contact, &world.settings, &before, Faults::at(number, Fault::Die));
    assert!(world.sync().await.unwrap().is_none());
    world.start();
    world.faults = Faults::none();
    world
}

impl Case {
    async fn run(&self) -> usize {
        let story = format!("case\n  with conflict={}\n", self.policy);
        let settings = tell::read("contact", &story).remove(0).settings;
        let mut world = World::new(Class::Contact, settings.clone());
        world.edit(Side::Mailbox, "rest", &patch("Rest"));
        if self.first != "-" {
            world.edit(self.side, "berg", &patch(self.first));
        }
        world.settle(Approval::First).await.unwrap();
        world.edit(self.side, "berg", &patch(self.then));
        let before = world.snapshot();
        world.faults = Faults::none();
        world.settle(Approval::First).await.unwrap();
        let points = world.faults.points();
        let mut crashes = 0;
        for (number, point) in points.iter().enumerate() {
            for fault in [Fault::Die, Fault::Lost] {
                if point.faults().contains(&fault) && *point != Point::BeforeCommit {
                    let faults = Faults::at(number, fault);
                    let mut world = World::resume(Class::Contact, &settings, &before, faults);
                    self.go_on(&mut world, &format!("{fault:?} at point {number} ({point})")).await;
                    crashes += 1;
                }
            }
        }
        crashes
    }

    async fn go_on(&self, world: &mut World, what: &str) {
        while !world.faults.are_over() {
            if world.sync().await.unwrap().is_none() {
                world.start();
            }
        }
        world.edit(self.side, "berg", &patch(self.last));
        let report = world.settle(Approval::First).await.unwrap();
        let rows = world.rows();
        assert_eq!(rows[0], "Berg tel=3 | Berg tel=3 | linked", "{what} ({self:?}): {rows:?}");
        assert_eq!((rows.len(), report.conflicts), (2, 0), "{what} ({self:?})");
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} → {} → {}", self.side, self.first, self.then, self.last)
    }
}

fn patch(text: &str) -> liaison::model::Patch {
    match cell::parse(Class::Contact, text) {
        Cell::Says { patch, .. } => patch,
        Cell::Same | Cell::Gone => panic!("{text} says nothing"),
    }
}
