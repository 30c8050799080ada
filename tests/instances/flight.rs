//! A computer that sleeps in the middle of its work, while another one takes over: when it wakes up, it ends the batch that was
//! under way, and writes nothing more.

use std::time::{Duration, Instant};

use super::{ALL, Office, STANDBY, signal};

const CONTACTS: usize = 1600;

/// As many steps as are carried out together.
const BATCH: usize = 400;

#[test]
fn who_wakes_up_after_another_took_over_ends_its_batch_and_stops() {
    let office = Office::open(ALL);
    for number in 0..CONTACTS {
        office.here.card(&format!("c{number}"), &format!("Ann c{number}"), "0", false);
    }
    let (desk, laptop) = (office.computer("desk"), office.computer("laptop"));
    let only = ["--class", "contact"];
    desk.run(&["sync", "--class", "contact"]).ends(4);
    desk.run(&["approve", "--all"]).ends(0);
    let mut sleeper = desk.start(&[["sync"].as_slice(), &only].concat());
    let count = || office.organisation.rows("contacts?$select=contactid").len();
    let deadline = Instant::now() + Duration::from_mins(2);
    while count() == 0 {
        assert!(Instant::now() < deadline, "nothing was written in time");
        assert!(sleeper.try_wait().unwrap().is_none(), "it ended without writing anything");
        std::thread::sleep(Duration::from_millis(2));
    }
    signal("STOP", &sleeper);
    laptop.claim();
    let before = count();
    assert!(before < CONTACTS - BATCH, "it was too fast: {before}");
    signal("CONT", &sleeper);
    let ended = sleeper.wait().unwrap();
    let after = count();
    assert!(after - before <= BATCH, "{} written after the take-over", after - before);
    assert_eq!(ended.code(), Some(STANDBY));
    desk.run(&["status"]).ends(STANDBY).says("“laptop” is the computer that syncs");

    laptop.settle();
    assert_eq!((count(), office.cards().len()), (CONTACTS, CONTACTS));
    let audit = office.organisation.audit()["contact"].clone();
    assert_eq!((&audit["creates"], &audit["deleted"]), (&CONTACTS.into(), &0.into()), "{audit:#}");
    assert_eq!(audit["repeated"], serde_json::json!([]));
    desk.run(&["sync"]).ends(STANDBY);
}
