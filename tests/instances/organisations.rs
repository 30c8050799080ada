//! Another organisation: by the user's word, or behind the same address by mistake.

use serde_json::json;

use super::{ALL, Office};
use crate::cli::installation::Organisation;

fn in_step(office: &Office) {
    office.here.card("ann", "Ann Smith", "1", false);
    office.make("Jones");
    office.computer("desk").settle();
}

#[test]
fn an_organisation_is_changed_by_a_command_that_says_what_it_means() {
    let office = Office::open(ALL);
    in_step(&office);
    let desk = office.computer("desk");
    let other = Organisation::serve();
    let token = format!("cat '{}'", other.tokens().join("anna").display());
    let before = office.here.read("liaison.toml");
    desk.run(&["org", "add", "other", "--url", &other.url, "--auth-command", &token]).ends(0);
    assert!(
        office.here.read("liaison.toml").starts_with(&before[..before.find("[mailbox]").unwrap()])
    );
    let listed = desk.json(&["org", "list"]);
    let names: Vec<&str> = listed["organisations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["other", "test"]);
    desk.run(&["org", "add", "other", "--url", &other.url, "--auth-command", "x"]).ends(78);
    desk.run(&["org", "add", "bad", "--url", "http://example.org", "--auth-command", "x"]).ends(78);
    desk.run(&["org", "remove", "test"]).ends(1).says("org use");
    desk.run(&["org", "use", "nobody"]).ends(78);

    desk.run(&["untrack", "Ann Smith"]).ends(0);
    desk.run(&["org", "use", "other"]).ends(4).says("2 contact pairs").says("--yes");
    desk.run(&["status"]).says("test");
    desk.run(&["org", "use", "other", "--yes"]).ends(0).says("2 contact pairs");
    desk.run(&["org", "use", "other", "--yes"]).ends(0).says("already");
    desk.run(&["sync"]).ends(4).says("for your word");
    assert_eq!(other.rows("contacts?$select=contactid").len(), 0, "nothing before it was approved");
    desk.settle();
    // Whoever was untracked stays so; both sides keep what they have.
    let names: Vec<_> = other.rows("contacts?$select=lastname");
    assert!(names.iter().all(|row| row["lastname"] != "Smith"), "{names:#?}");
    assert_eq!((office.contacts().len(), office.cards().len()), (2, 2));
    assert_eq!(office.organisation.audit()["contact"]["deleted"], 0);
    desk.run(&["org", "remove", "test"]).ends(0);
    assert_eq!(desk.json(&["org", "list"])["organisations"].as_array().unwrap().len(), 1);
}

#[test]
fn another_organisation_behind_the_same_address_stops_before_the_first_write() {
    let mut office = Office::open(ALL);
    in_step(&office);
    let address = office.organisation.url.strip_prefix("http://").unwrap().to_owned();
    office.organisation.stop();
    office.organisation = Organisation::serve_at(&address);
    office.configure(ALL);
    let desk = office.computer("desk");
    desk.run(&["sync"]).ends(78).says("belongs to the organisation").says("liaison org use test");
    desk.run(&["status"]).ends(78).says("belongs to the organisation").says("liaison org use test");
    let told = desk.json(&["status"]);
    assert!(told["mismatch"]["message"].as_str().unwrap().contains("organisation"), "{told:#}");
    assert_eq!((office.contacts().len(), office.cards().len()), (0, 2));
    // It was no mistake: the same name, another organisation.
    desk.run(&["org", "use", "test", "--yes"]).ends(0).says("2 contact pairs");
    desk.settle();
    desk.run(&["status"]).ends(0);
    assert_eq!((office.contacts().len(), office.cards().len()), (2, 2));
}

#[test]
fn another_users_token_stops_before_the_first_write() {
    let office = Office::open(ALL);
    in_step(&office);
    let desk = office.computer("desk");
    let token = office.organisation.tokens().join("bo");
    let command = format!("cat '{}'", token.display());
    office.here.configure(&office.organisation.url, &command, ALL);
    office.edit("Smith", "TEL", "2");
    desk.run(&["sync"]).ends(78).says("the CRM knows you as bo@example.org");
    desk.run(&["status"]).ends(78).says("the CRM knows you as bo@example.org").says("sign in as");
    office.configure(ALL);
    desk.settle();
    desk.run(&["status"]).ends(0);
    let rows = office.contacts();
    assert!(rows.iter().any(|row| row["telephone1"] == json!("2")), "{rows:#?}");
}
