//! Tokens that end: in the middle of a batch, before their time, and all at once.

use serde_json::json;

use super::desktop::Desktop;

const CONTACTS: usize = 60;

/// Of a round in the middle of which tokens end.
const MANY: usize = 1000;

fn furnished(lifetime: u32, contacts: usize) -> Desktop {
    let desktop = Desktop::with_contacts(lifetime);
    desktop.sign_in();
    for number in 0..contacts {
        desktop.here.card(&format!("c{number}"), &format!("Ann c{number}"), "1", false);
    }
    desktop.run(&["plan"]).ends(4);
    desktop.run(&["approve", "--all"]).ends(0);
    desktop
}

fn fault(desktop: &Desktop, order: &serde_json::Value) {
    desktop.organisation.steer("faults", &order.to_string());
}

/// Every contact is in the organisation, and none was made twice.
#[track_caller]
fn all_are_there_once(desktop: &Desktop, expected: usize) {
    let rows = desktop.organisation.rows("contacts?$select=lastname");
    let ours = rows.iter().filter(|row| row["lastname"].as_str().unwrap().starts_with('c'));
    assert_eq!(ours.count(), expected);
    let audit = desktop.organisation.audit();
    assert_eq!(audit["contact"]["repeated"].as_array().map_or(0, Vec::len), 0, "{audit}");
}

#[test]
fn a_token_that_ends_in_the_middle_of_a_batch_costs_nothing() {
    let desktop = furnished(3, MANY);
    // The organisation takes its time, so that the token of the first request is not good for the last one; and one token is
    // refused before its time.
    let slow = json!({"fault": {"delay": {"milliseconds": 900}}, "count": 200, "path": "$batch"});
    fault(&desktop, &json!({"fault": "unauthorized", "skip": 4, "path": "$batch"}));
    fault(&desktop, &slow);
    let before = desktop.provider.refreshes();
    desktop.run(&["sync"]).ends(0);
    let refreshes = desktop.provider.refreshes() - before;
    assert!(refreshes >= 3, "{refreshes} refreshes: the token was never replaced on the way");
    assert_eq!(desktop.organisation.forget_faults().0, 204);
    all_are_there_once(&desktop, MANY);
    desktop.run(&["sync"]).ends(0);
    assert_eq!(desktop.status().1, 0);
}

#[test]
fn when_all_tokens_are_dead_one_sign_in_puts_everything_right() {
    let mut desktop = furnished(3600, CONTACTS);
    desktop.run(&["sync"]).ends(0);
    desktop.here.card("later", "Ann c-later", "1", false);

    // Away is not dead: nobody is asked.
    desktop.provider.stop();
    desktop.run(&["sync"]).ends(75);
    let (status, exit) = desktop.status();
    assert_eq!((status[0]["state"].as_str(), exit), (Some("network"), 0), "{status}");

    desktop.provider.resume();
    // Who says that it is to be done now is taken at the word, once each time; nobody else tries what is known to be dead.
    for tries in 1..=2 {
        desktop.run(&["sync"]).ends(6).says("liaison auth login");
        desktop.run(&["plan"]).ends(6).says("liaison auth login");
        assert_eq!(desktop.refusals(), tries);
    }
    let (status, exit) = desktop.status();
    assert_eq!((status[0]["state"].as_str(), exit), (Some("revoked"), 6), "{status}");

    desktop.sign_in();
    desktop.run(&["sync"]).ends(0);
    all_are_there_once(&desktop, CONTACTS + 1);
    assert_eq!(desktop.status().1, 0);
}

#[test]
fn an_account_that_was_closed_for_a_while_is_good_again_when_a_person_says_so() {
    let desktop = furnished(3600, CONTACTS);
    desktop.provider.close_accounts(true);
    desktop.run(&["sync"]).ends(6).says("liaison auth login");
    desktop.provider.close_accounts(false);
    desktop.run(&["plan"]).ends(6);
    assert_eq!(desktop.status().0[0]["state"], "revoked");
    desktop.run(&["sync"]).ends(0);
    all_are_there_once(&desktop, CONTACTS);
    assert_eq!(desktop.status().1, 0);
    assert_eq!(desktop.refusals(), 1);
}

#[test]
fn that_a_sign_in_ends_soon_is_said_days_before() {
    let desktop = Desktop::with_contacts(3600);
    desktop.sign_in();
    desktop.run(&["sync"]).ends(0);
    assert_eq!(desktop.here.json(&["status"])["sign_ins_ending"], json!([]));
    let (file, mut record) = desktop.sign_in_record();
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(50);
    record["until"] = end.to_string().into();
    std::fs::write(file, record.to_string()).unwrap();
    let day = format!("ends on {}", end.strftime("%Y-%m-%d"));
    desktop.run(&["status"]).ends(0).says(&day).says("`liaison auth login test`");
    let told = desktop.here.json(&["status"]);
    assert_eq!(told["sign_ins_ending"].as_array().map(Vec::len), Some(1), "{told:#}");
    assert_eq!(told["in_step"], true, "nothing waits for that");
    desktop.run(&["sync"]).ends(0).says(&day);
}
