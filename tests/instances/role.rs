//! Who syncs: the first that does, then whoever claims it. The others look, and keep what is decided.

use super::{ALL, Office, STANDBY};

#[test]
fn the_first_syncs_and_the_second_looks_until_it_is_told_to() {
    let office = Office::open(ALL);
    office.here.card("ann", "Ann Smith", "1", false);
    let (desk, laptop) = (office.computer("desk"), office.computer("laptop"));
    desk.run(&["instance", "status"]).ends(0).says("no computer syncs yet");
    desk.settle();
    desk.run(&["instance", "status"]).ends(0).says("this computer syncs");
    desk.run(&["status"]).ends(0).says("this one syncs");

    // The second one notices that all is there, and writes nothing.
    office.here.card("bob", "Bob Jones", "2", false);
    let report = laptop.run(&["sync"]).ends(STANDBY);
    report.says("“desk” is the computer that syncs").says("liaison instance claim");
    assert_eq!(office.contacts().len(), 1);
    laptop.run(&["status"]).ends(STANDBY).says("“desk” is the computer that syncs");
    let told = laptop.json(&["status"]);
    assert_eq!((&told["instance"]["role"], &told["in_step"]), (&"stands-by".into(), &false.into()));
    assert_eq!(told["instance"]["holder"]["host"], "desk");
    assert_eq!(told["classes"]["contact"]["linked"], 1, "{told:#}");
    laptop.run(&["untrack", "Bob Jones"]).ends(0);
    laptop.run(&["explain", "Bob Jones"]).ends(0).says("untracked");
    laptop.run(&["track", "Bob Jones"]).ends(0);

    // Asked, nobody is there to answer.
    laptop.run(&["instance", "claim"]).ends(4).says("desk").says("--yes");
    laptop.claim();
    laptop.settle();
    assert_eq!(office.contacts().len(), 2);
    desk.run(&["sync"]).ends(STANDBY).says("“laptop” is the computer that syncs");
    desk.run(&["instance", "release"]).ends(1).says("not the one");

    // Given up, it is free for whoever syncs next, but not for who gave it up.
    laptop.run(&["instance", "release"]).ends(0);
    laptop.run(&["sync"]).ends(STANDBY).says("gave up");
    desk.settle();
    laptop.run(&["sync"]).ends(STANDBY).says("“desk” is the computer that syncs");
    let row = office.organisation.rows("userqueries?$filter=statecode%20eq%201");
    assert_eq!(row.len(), 1, "one row, which shows nowhere: {row:#?}");
    assert_eq!(office.organisation.audit()["contact"]["repeated"], serde_json::json!([]));
}

#[test]
fn a_copied_state_does_not_count_as_the_computer_that_it_was_copied_from() {
    let office = Office::open(ALL);
    office.here.card("ann", "Ann Smith", "1", false);
    let (desk, copy) = (office.computer("desk"), office.computer("copy"));
    desk.settle();
    let (from, to) = (office.state("desk"), office.state("copy"));
    std::fs::create_dir(&to).unwrap();
    for file in std::fs::read_dir(from).unwrap().map(|file| file.unwrap()) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
    office.edit("Smith", "TEL", "2");
    copy.run(&["sync"]).ends(STANDBY).says("made on “desk”").says("claim");
    assert_eq!(office.contacts()[0]["telephone1"], "1");
    copy.claim();
    copy.settle();
    assert_eq!(office.contacts()[0]["telephone1"], "2");
    desk.run(&["sync"]).ends(STANDBY).says("“copy” is the computer that syncs");
}

#[test]
fn who_syncs_costs_a_quiet_round_nothing() {
    let office = Office::open(ALL);
    let desk = office.computer("desk");
    desk.settle();
    let spent = || desk.json(&["status"])["budget"]["requests"].as_u64().unwrap();
    let before = spent();
    let report = desk.json(&["sync"]);
    let rounds: u64 = ["contact", "task", "appointment", "email"]
        .map(|class| report["classes"][class]["requests"].as_u64().unwrap())
        .iter()
        .sum();
    // One request is the one with which the program connects: who syncs is asked with it.
    assert_eq!(spent() - before, rounds + 1, "{report:#}");
}
