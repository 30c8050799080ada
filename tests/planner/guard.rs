//! What the guard stops and what it lets pass.

use std::collections::BTreeSet;

use liaison::model::{Class, Field, Fields, ItemId, Patch, Side, Value, Version};
use liaison::plan::guard::{Limits, Situation, Stop, guard};
use liaison::plan::operation::{Action, Change, Kind, Merge, Reason};
use liaison::plan::{DeleteRule, Rules, Step};

use super::simulation::Simulation;

/// A mailbox and CRM in step with `count` contacts, of which the first `deleted` were deleted in the CRM.
fn deleted_in_crm(count: usize, deleted: usize) -> (Simulation, Vec<Step>) {
    let rules = Rules { deleted_in_crm: DeleteRule::Propagate, ..Rules::default() };
    let mut simulation = Simulation::new(Class::Contact, rules);
    for number in 0..count {
        let name = Value::Text(format!("name{number}"));
        simulation.put(
            Side::Mailbox,
            &format!("c{number}"),
            Fields::from([(Field::of("lastname"), name)]),
        );
    }
    simulation.settle(3);
    let gone: Vec<ItemId> = simulation.records.keys().take(deleted).cloned().collect();
    for id in gone {
        simulation.records.remove(&id);
    }
    let steps = simulation.plan();
    assert_eq!(steps.len(), deleted);
    (simulation, steps)
}

fn situation(linked: usize) -> Situation {
    Situation { linked, ..Situation::default() }
}

#[test]
fn both_the_number_and_the_share_must_be_passed() {
    for (count, deleted, held) in
        [(100, 5, 0), (100, 10, 0), (100, 11, 11), (8, 5, 0), (8, 6, 6), (40, 6, 6)]
    {
        let (_, steps) = deleted_in_crm(count, deleted);
        let guarded = guard(steps, &Limits::default(), &situation(count));
        assert_eq!(guarded.held.len(), held, "{deleted} of {count}");
        assert_eq!(guarded.go.len(), deleted - held);
        assert!(
            guarded
                .held
                .iter()
                .all(|(stop, _)| *stop == Stop::TooMany(Kind::Delete, Side::Mailbox))
        );
    }
}

#[test]
fn an_emptied_side_deletes_nothing() {
    let (_, steps) = deleted_in_crm(3, 3);
    let emptied = Situation { emptied: BTreeSet::from([Side::Crm]), ..situation(3) };
    assert_eq!(guard(steps, &Limits::default(), &emptied).held.len(), 3);
}

#[test]
fn a_changed_filter_deletes_nothing() {
    let (_, steps) = deleted_in_crm(3, 1);
    let changed = Situation { filter_changed: true, ..situation(3) };
    assert_eq!(guard(steps, &Limits::default(), &changed).held.len(), 1);
}

#[test]
fn a_filter_that_finds_nothing_any_more_deletes_nothing() {
    let (_, mut steps) = deleted_in_crm(3, 1);
    let dried = Situation { filter_dried: true, ..situation(3) };
    // Gone for certain: no filter has a say in that.
    assert_eq!(guard(steps.clone(), &Limits::default(), &dried).held.len(), 0);
    steps.iter_mut().for_each(|step| step.reason = Reason::LeftFilter);
    assert_eq!(guard(steps, &Limits::default(), &dried).held[0].0, Stop::FilterDried);
}

/// Else a listing that is wrong once would end pairs for good.
#[test]
fn what_left_a_filter_that_finds_nothing_any_more_is_not_noted() {
    let (_, steps) = deleted_in_crm(3, 1);
    let action = Action::Release { gone: Side::Mailbox };
    let left = Step { action, reason: Reason::LeftFilter, ..steps[0].clone() };
    let noted =
        |situation: &Situation| guard(vec![left.clone()], &Limits::default(), situation).go.len();
    assert_eq!(noted(&situation(3)), 1);
    assert_eq!(noted(&Situation { filter_dried: true, ..situation(3) }), 0);
    assert_eq!(noted(&Situation { emptied: BTreeSet::from([Side::Crm]), ..situation(3) }), 0);
}

#[test]
fn the_first_sync_waits_for_a_person() {
    let (_, steps) = deleted_in_crm(3, 1);
    let first = Situation { first: true, ..situation(3) };
    assert_eq!(guard(steps, &Limits::default(), &first).held[0].0, Stop::First);
}

#[test]
fn an_approval_lets_exactly_its_steps_pass() {
    let (mut simulation, steps) = deleted_in_crm(20, 8);
    let approved: BTreeSet<_> = steps.iter().map(Step::key).collect();
    let one_more = simulation.records.keys().next().unwrap().clone();
    simulation.records.remove(&one_more);
    let held = steps.iter().map(Step::subject).collect();
    let guarded = guard(
        simulation.plan(),
        &Limits::default(),
        &Situation { approved, held, ..situation(20) },
    );
    assert_eq!(guarded.held.len(), 0, "one delete more is below the limit on its own");
    assert_eq!(guarded.go.len(), 9);
    let more: Vec<ItemId> = simulation.records.keys().take(6).cloned().collect();
    simulation.records.retain(|id, _| !more.contains(id));
    let approved: BTreeSet<_> = steps.iter().map(Step::key).collect();
    let guarded =
        guard(simulation.plan(), &Limits::default(), &Situation { approved, ..situation(20) });
    assert_eq!(guarded.held.len(), 7, "seven more are too many, whatever was approved before");
    assert_eq!(guarded.go.len(), 8);
}

/// There are servers that name other versions each time they are asked.
#[test]
fn an_approval_is_for_what_is_written_whatever_its_version() {
    let (_, steps) = deleted_in_crm(3, 1);
    let mut again = steps[0].clone();
    if let Action::Delete { expect, .. } = &mut again.action {
        *expect = Version::new("another");
    }
    assert_eq!(again.key(), steps[0].key());
    if let Action::Delete { says, .. } = &mut again.action {
        says.insert(Field::of("jobtitle"), Value::Text("Somebody".to_owned()));
    }
    assert_ne!(again.key(), steps[0].key());
    let change = |version: &str, old: &str, new: &str| {
        let value = |text: &str| Value::Text(text.to_owned());
        let field = Field::of("jobtitle");
        let to_item = Change {
            expect: Some(Version::new(version)),
            patch: Patch::from([(field.clone(), Some(value(new)))]),
            over: Fields::from([(field, value(old))]),
        };
        let merge = Merge { to_item: Some(to_item), ..Merge::default() };
        Step { action: Action::Merge(merge), ..steps[0].clone() }.key()
    };
    let approved = change("1", "CEO", "CTO");
    assert_eq!(change("2", "CEO", "CTO"), approved);
    assert_ne!(change("1", "CEO", "CFO"), approved);
    assert_ne!(change("1", "COO", "CTO"), approved);
}

/// Held steps never come loose because others of the hold have vanished.
#[test]
fn what_is_held_stays_held() {
    let (mut simulation, steps) = deleted_in_crm(20, 8);
    let held: BTreeSet<String> = steps.iter().map(Step::subject).collect();
    // Six of the eight come back: two deletes alone would be below every limit.
    let back: Vec<ItemId> = steps.iter().take(6).filter_map(|step| step.record.clone()).collect();
    let (donor, _) = deleted_in_crm(20, 0);
    for id in back {
        simulation.records.insert(id.clone(), donor.records[&id].clone());
    }
    let deletes: Vec<Step> = simulation
        .plan()
        .into_iter()
        .filter(|step| step.write_to(Side::Mailbox) == Some(Kind::Delete))
        .collect();
    assert_eq!(deletes.len(), 2);
    let guarded = guard(deletes, &Limits::default(), &Situation { held, ..situation(20) });
    assert_eq!(
        guarded.held.iter().map(|(stop, _)| *stop).collect::<Vec<_>>(),
        [Stop::StillHeld, Stop::StillHeld]
    );
}

#[test]
fn things_that_may_be_the_same_wait() {
    let mut simulation = Simulation::new(Class::Contact, Rules::default());
    let fields = || {
        Fields::from([
            (Field::of("lastname"), Value::Text("Berg".to_owned())),
            (Field::of("emailaddress1"), Value::Text("berg@example.com".to_owned())),
        ])
    };
    simulation.put(Side::Mailbox, "one", fields());
    simulation.put(Side::Mailbox, "two", fields());
    simulation.put(Side::Crm, "record", fields());
    let guarded = guard(simulation.plan(), &Limits::default(), &situation(10));
    assert_eq!(guarded.go.len(), 0);
    assert!(guarded.held.iter().all(|(stop, _)| *stop == Stop::Ambiguous));
    assert_eq!(guarded.held.len(), 3);
}
