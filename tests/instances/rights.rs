//! What the user may do changes: records are reassigned, rights are lost and come back, a server takes over. Nothing is deleted
//! for it, nothing that a person said is lost, and the status says what is the matter.

use serde_json::json;

use super::{ALL, Computer, Office};

/// Two contacts on both sides: one from the mailbox, one from the CRM.
fn in_step(office: &Office) -> Computer<'_> {
    office.here.card("ann", "Ann Smith", "1", false);
    office.make("Jones");
    let desk = office.computer("desk");
    desk.settle();
    desk.run(&["status"]).ends(0);
    desk
}

fn id(office: &Office, name: &str) -> String {
    let rows = office.contacts();
    let row = rows.iter().find(|row| row["lastname"] == name).unwrap();
    row["contactid"].as_str().unwrap().to_owned()
}

fn user(office: &Office, name: &str) -> String {
    let query = format!(
        "systemusers?$select=systemuserid&$filter=internalemailaddress%20eq%20'{name}@example.org'"
    );
    let rows = office.organisation.rows(&query);
    rows[0]["systemuserid"].as_str().unwrap().to_owned()
}

fn privilege(office: &Office, name: &str, depth: Option<&str>) {
    let order = json!({ "user": "anna", "privilege": name, "depth": depth });
    office.organisation.steer("privileges", &order.to_string());
}

/// Nothing was removed anywhere.
#[track_caller]
fn all_is_there(office: &Office) {
    assert_eq!(office.cards().len(), 2);
    assert_eq!(office.organisation.audit()["contact"]["deleted"], 0);
}

#[test]
fn a_record_that_becomes_somebody_elses_leaves_its_card_where_it_is() {
    let office = Office::open(ALL);
    let desk = in_step(&office);
    let (ann, bo) = (id(&office, "Smith"), user(&office, "bo"));
    let owner = format!(r#"{{"ownerid@odata.bind":"/systemusers({bo})"}}"#);
    office.organisation.administrate(&format!("contacts({ann})"), &owner);
    desk.settle();
    all_is_there(&office);
    desk.run(&["status"]).ends(0).says("1 rests");
    // Now it is not even to be seen.
    privilege(&office, "prvReadContact", Some("Basic"));
    desk.settle();
    all_is_there(&office);
    desk.run(&["status"]).ends(0).says("1 rests");
}

#[test]
fn a_right_to_read_that_is_lost_deletes_nothing_and_turns_the_class_off() {
    let office = Office::open(ALL);
    let desk = in_step(&office);
    privilege(&office, "prvReadContact", None);
    let ran = desk.run(&["sync"]);
    assert!([1, 3].contains(&ran.code), "{ran:?}");
    ran.says("privilege");
    desk.run(&["status"]).ends(3).says("privilege");
    // It is asked what there is to be done, once, and then left alone.
    desk.run(&["sync"]).says("you may not read them in the CRM");
    desk.run(&["status"]).ends(3).says("off: you may not read them").says("prvReadContact");
    let spent = || desk.json(&["status"])["budget"]["requests"].as_u64().unwrap();
    let before = spent();
    desk.run(&["sync"]);
    assert!(spent() - before <= 4, "no errors without end");
    all_is_there(&office);
    privilege(&office, "prvReadContact", Some("Local"));
    // Known a day later, or when something else was refused.
    let store = rusqlite::Connection::open(office.state("desk").join("store.db")).unwrap();
    store.execute("DELETE FROM meta WHERE key = 'standing'", []).unwrap();
    drop(store);
    desk.settle();
    desk.run(&["status"]).ends(0);
    all_is_there(&office);
}

#[test]
fn a_user_who_may_only_read_gets_what_the_crm_says_and_keeps_what_the_mailbox_says() {
    let office = Office::open(ALL);
    let desk = in_step(&office);
    let (jones, me) = (id(&office, "Jones"), user(&office, "anna"));
    office.organisation.administrate(&format!("systemusers({me})"), r#"{"accessmode":2}"#);
    office.edit("Smith", "TEL", "2");
    office.here.card("carl", "Carl Lewis", "3", false);
    let change = format!("contacts({jones})");
    office.organisation.administrate(&change, r#"{"jobtitle":"Director"}"#);
    let report = desk.json(&["sync"]);
    let contacts = &report["classes"]["contact"];
    assert_eq!((&contacts["withheld"], &contacts["refused"]), (&json!(2), &json!(0)), "{report:#}");
    assert_eq!(super::value(&office.cards()["Jones"].1, "TITLE"), "Director");
    assert_eq!(office.contacts().len(), 2);
    desk.run(&["status"]).ends(3).says("2 you have no right to write").says("read-only");
    assert_eq!(desk.json(&["status"])["rights"]["access"], "read");
    // Again: nothing is tried, nothing is forgotten.
    assert_eq!(desk.json(&["sync"])["classes"]["contact"]["operations"], 0);

    office.organisation.administrate(&format!("systemusers({me})"), r#"{"accessmode":0}"#);
    desk.settle();
    let rows = office.contacts();
    let phone =
        |name: &str| rows.iter().find(|row| row["lastname"] == name).unwrap()["telephone1"].clone();
    assert_eq!((rows.len(), phone("Smith")), (3, json!("2")));
    desk.run(&["status"]).ends(0);
}

#[test]
fn what_may_not_be_deleted_or_changed_waits_until_it_may() {
    let office = Office::open(ALL);
    let desk = in_step(&office);
    privilege(&office, "prvWriteContact", None);
    office.edit("Smith", "TEL", "2");
    // Refused once, told, and asked what else is not allowed.
    desk.run(&["sync"]).ends(3).says("refused");
    desk.run(&["sync"]);
    let status = desk.run(&["status"]).ends(3);
    status
        .says("changes of contacts in the mailbox do not get into the CRM")
        .says("prvWriteContact");
    privilege(&office, "prvWriteContact", Some("Local"));
    let store = rusqlite::Connection::open(office.state("desk").join("store.db")).unwrap();
    store.execute("DELETE FROM meta WHERE key = 'standing'", []).unwrap();
    drop(store);
    desk.run(&["sync", "--retry"]);
    desk.settle();
    let rows = office.contacts();
    assert!(rows.iter().any(|row| row["telephone1"] == "2"), "{rows:#?}");
    all_is_there(&office);
}

#[test]
fn a_class_that_the_organisations_server_keeps_is_left_to_it() {
    let office = Office::open(ALL);
    in_step(&office);
    // That it went well is nothing that anybody can say through the API.
    let mut office = office;
    office.organisation.stop();
    for file in office.organisation.databases() {
        let sql = "UPDATE mailbox SET actdeliverymethod = 1, actstatus = 1 WHERE emailaddress = 'anna@example.org'";
        let database = rusqlite::Connection::open(file).unwrap();
        assert_eq!(database.execute(sql, []).unwrap(), 1);
    }
    office.organisation.resume();
    let desk = office.computer("desk");
    let store = rusqlite::Connection::open(office.state("desk").join("store.db")).unwrap();
    store.execute("DELETE FROM meta WHERE key = 'standing'", []).unwrap();
    drop(store);
    office.edit("Smith", "TEL", "2");
    desk.run(&["sync"]).says("synchronises contacts");
    assert!(office.contacts().iter().all(|row| row["telephone1"] != "2"));
    desk.run(&["status"]).ends(3).says("off: the organisation's own server does it");
    all_is_there(&office);
}

#[test]
fn what_a_day_allows_is_counted_and_kept_to() {
    let office = Office::open(&format!("{ALL}\n"));
    let desk = in_step(&office);
    let budget = desk.json(&["status"])["budget"].clone();
    assert_eq!(budget["allowed"], 40_000);
    let operations = budget["operations"].as_u64().unwrap();
    assert!(operations > 10, "{budget:#}");
    let text = office.here.read("liaison.toml");
    let limit = format!("sync = true\nrequests_per_day = {operations}");
    office.here.write("liaison.toml", &text.replace("sync = true", &limit));
    desk.run(&["sync"]).ends(75).says("requests of today are used");
    desk.run(&["status"]).says(&format!("{operations} of {operations} today"));
}
