//! `liaison verify`: it finds nothing where all is well, notices every kind of damage, and leaves no trace.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;

use rusqlite::Connection;
use serde_json::{Value as Json, json};

use super::installation::{Installation, Organisation};

const MAIL: &str = "From: Ann Smith <ann@example.com>\r\nTo: anna@example.org\r\nSubject: Your offer\r\n\
Date: Fri, 02 Jan 2026 10:00:00 +0000\r\nMessage-ID: <offer-1@example.com>\r\n\r\nThank you.\r\n";

fn event(uid: &str, summary: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20300101T000000Z\r\nDTSTART:20300105T100000Z\r\nDTEND:20300105T110000Z\r\n\
         SUMMARY:{summary}\r\nCATEGORIES:Tracked to CRM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// Two contacts, an appointment and a message, in step.
struct Scene {
    organisation: Organisation,
    here: Installation,
}

impl Scene {
    fn set() -> Self {
        let organisation = Organisation::serve();
        let here = Installation::new(&organisation.url, &organisation.tokens());
        here.card("ann", "Ann Smith", "+44 20 7946 0001", true);
        here.card("bob", "Bob Jones", "+44 20 7946 0002", true);
        here.write("mailbox/calendar/visit.ics", &event("visit@example.org", "Visit"));
        here.write("mailbox/mail/new/1.M1P1.host", MAIL);
        here.run(&["plan"]).ends(4);
        here.run(&["approve", "--all"]).ends(0);
        here.run(&["sync"]).ends(0);
        here.run(&["track", "<offer-1@example.com>"]).ends(0);
        here.run(&["plan"]);
        here.run(&["approve", "--all"]).ends(0);
        here.run(&["sync"]).ends(0);
        assert_eq!(organisation.rows("emails").len(), 1);
        let scene = Self { organisation, here };
        scene.in_order();
        scene
    }

    #[track_caller]
    fn in_order(&self) {
        self.here.run(&["verify"]).ends(0).says("everything is as it should be");
    }

    /// The kinds of what is found; the exit code agrees, and no trace is left.
    #[track_caller]
    fn kinds(&self) -> BTreeSet<String> {
        let ran = self.here.run(&["verify", "--json"]).ends(9);
        let found = ran.json();
        assert_eq!(found["in_order"], false);
        assert!(!self.here.path("state/verify.db").exists());
        kinds(&found)
    }

    #[track_caller]
    fn finds(&self, kinds: &[&str]) {
        let found = self.kinds();
        for kind in kinds {
            assert!(found.contains(*kind), "no `{kind}` in {found:?}");
        }
    }

    /// As many rows as the statement says it changes.
    #[track_caller]
    fn store(&self, sql: &str) {
        let store = Connection::open(self.here.path("state/store.db")).unwrap();
        assert_ne!(store.execute(sql, []).unwrap(), 0, "{sql}");
    }

    fn row(&self, set: &str, key: &str, filter: &str) -> String {
        let rows = self.organisation.rows(set);
        let row = rows.iter().find(|row| row.to_string().contains(filter)).unwrap();
        format!("{set}({})", row[key].as_str().unwrap())
    }
}

fn kinds(found: &Json) -> BTreeSet<String> {
    let classes = found["classes"].as_object().unwrap().values();
    classes
        .flat_map(|class| class["findings"].as_array().unwrap())
        .map(|finding| finding["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn nothing_is_found_where_all_is_well_and_nothing_is_touched() {
    let scene = Scene::set();
    let (audit, card) = (scene.organisation.audit(), scene.here.read("mailbox/contacts/ann.vcf"));
    let found = scene.here.run(&["verify", "--json"]).ends(0).json();
    assert_eq!((&found["in_order"], &found["damage"]), (&true.into(), &Json::Null));
    let pairs = |class: &str| found["classes"][class]["pairs"].clone();
    assert_eq!((pairs("contact"), pairs("appointment")), (json!(2), json!(1)), "{found:#}");
    assert_eq!(scene.organisation.audit(), audit);
    assert_eq!(scene.here.read("mailbox/contacts/ann.vcf"), card);
    scene.here.run(&["sync"]).ends(0).says("0 operations");
    scene.here.run(&["verify", "--class", "contact"]).ends(0).says("2 pairs compared");
}

#[test]
fn what_was_never_synced_waits() {
    let organisation = Organisation::serve();
    let here = Installation::new(&organisation.url, &organisation.tokens());
    here.card("ann", "Ann Smith", "+44 20 7946 0001", true);
    let found = here.run(&["verify", "--json"]).ends(9).json();
    assert_eq!(kinds(&found), BTreeSet::from(["held".to_owned()]));
    assert_eq!(organisation.rows("contacts").len(), 0);
    here.run(&["status"]).ends(3).says("not synced yet");
}

#[test]
fn what_changed_on_a_side_is_noticed_until_it_is_carried_over() {
    let scene = Scene::set();
    scene.here.card("ann", "Ann Smith", "+44 20 7946 0099", true);
    scene.here.card("new", "Nora New", "+44 20 7946 0003", true);
    assert_eq!(scene.kinds(), ["changed", "unlinked"].map(str::to_owned).into());
    scene.here.run(&["verify"]).ends(9).says("liaison sync").says("Nora New");
    scene.here.run(&["sync"]).ends(0);
    scene.in_order();
    scene
        .organisation
        .change(&scene.row("contacts", "contactid", "Smith"), r#"{"jobtitle":"Director"}"#);
    scene.finds(&["changed"]);
}

#[test]
fn what_is_gone_is_noticed() {
    let scene = Scene::set();
    scene.organisation.delete(&scene.row("contacts", "contactid", "Jones"));
    scene.finds(&["gone"]);
    scene.here.run(&["sync"]).ends(0);
    scene.in_order();
    fs::remove_file(scene.here.path("mailbox/contacts/ann.vcf")).unwrap();
    scene.finds(&["gone"]);
}

#[test]
fn a_filed_message_that_is_gone_is_noticed() {
    let scene = Scene::set();
    scene.organisation.delete(&scene.row("emails", "activityid", "Your offer"));
    scene.finds(&["gone"]);
}

#[test]
fn a_record_that_says_something_else_than_its_message_is_noticed() {
    let mut scene = Scene::set();
    let file = scene.organisation.databases().pop().unwrap();
    let mut named = String::new();
    // The service lets nobody edit a filed message: what it holds is damaged where it is kept.
    for (column, sql) in [
        ("subject", "UPDATE email SET subject = 'Your order'"),
        (
            "from",
            "UPDATE activityparty SET addressused = 'eve@example.com' WHERE participationtypemask = 1",
        ),
        ("to", "DELETE FROM activityparty WHERE participationtypemask = 2"),
        ("directioncode", "UPDATE email SET directioncode = 1 - directioncode"),
        ("prioritycode", "UPDATE email SET prioritycode = 2"),
        ("actualend", "UPDATE email SET actualend = '2026-01-02T10:00:01Z'"),
    ] {
        scene.organisation.stop();
        assert_ne!(Connection::open(&file).unwrap().execute(sql, []).unwrap(), 0, "{sql}");
        scene.organisation.resume();
        named = if named.is_empty() { column.to_owned() } else { format!("{named}, {column}") };
        let said = format!("message “Your offer”: the CRM says another {named}\n");
        scene.here.run(&["verify"]).ends(9).says(&said);
    }
    assert_eq!(scene.kinds(), ["differs".to_owned()].into());
}

#[test]
fn what_a_message_is_about_waits_until_the_crm_says_so() {
    let scene = Scene::set();
    let about = scene.row("contacts", "contactid", "Smith").replace("contacts(", "contact/");
    scene.here.run(&["regarding", about.trim_end_matches(')'), "<offer-1@example.com>"]).ends(0);
    assert_eq!(scene.kinds(), ["changed".to_owned()].into());
    scene.here.run(&["sync"]).ends(0);
    scene.in_order();
}

#[test]
fn a_pair_that_says_two_things_is_noticed_though_the_store_believes_otherwise() {
    let scene = Scene::set();
    let row = scene.row("contacts", "contactid", "Smith");
    scene.organisation.change(&row, r#"{"telephone1":"+44 20 7946 9999"}"#);
    scene.store("UPDATE base SET record = replace(record, '7946 0001', '7946 9999') WHERE record LIKE '%7946 0001%'");
    scene.here.run(&["sync"]).ends(0).says("0 operations");
    assert_eq!(scene.kinds(), ["differs".to_owned()].into());
    scene.here.run(&["verify"]).ends(9).says("telephone1 differs").says("Ann Smith");
}

#[test]
fn what_is_there_twice_is_noticed() {
    let scene = Scene::set();
    let card = scene.here.read("mailbox/contacts/ann.vcf");
    scene.here.write("mailbox/contacts/copy.vcf", &card);
    scene.finds(&["duplicate"]);
}

#[test]
fn links_at_odds_are_noticed() {
    let scene = Scene::set();
    scene.store("UPDATE link SET uid = 'bob-uid' WHERE uid = 'ann-uid'");
    scene.finds(&["double"]);
    scene.store("UPDATE link SET uid = 'ann-uid' WHERE item LIKE '%ann%'");
    scene.in_order();
    // A second record of the same person, and the link leads there.
    let body = r#"{"contactid":"11111111-0000-0000-0000-000000000001","firstname":"Ann","lastname":"Smith"}"#;
    let (status, said) = scene.organisation.request("POST", "contacts", body);
    assert_eq!(status, 204, "{said}");
    scene.store("UPDATE link SET record = 'contact/11111111-0000-0000-0000-000000000001' WHERE uid = 'ann-uid'");
    scene.finds(&["misnamed"]);
}

#[test]
fn a_write_without_an_answer_is_noticed() {
    let scene = Scene::set();
    scene.store("UPDATE journal SET outcome = 'unknown' WHERE id = 1");
    scene.finds(&["unanswered"]);
    scene.here.run(&["sync"]).ends(0);
    scene.in_order();
}

#[test]
fn what_nobody_can_see_is_not_taken_for_well() {
    let mut scene = Scene::set();
    scene.organisation.stop();
    let found = scene.here.run(&["verify"]);
    assert_eq!(found.code, 75, "{found:?}");
    scene.organisation.resume();
    scene.in_order();
}

#[test]
fn a_damaged_store_is_noticed() {
    let scene = Scene::set();
    let path = scene.here.path("state/store.db");
    let (page, size): (u64, u64) = {
        let store = Connection::open(&path).unwrap();
        let _: i64 =
            store.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        let page =
            "SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'link' LIMIT 1";
        let number = |sql: &str| store.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
        (number(page).into(), number("PRAGMA page_size").into())
    };
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    // The end of the page, where its entries stand.
    file.write_all_at(&[0x55; 64], page * size - 64).unwrap();
    let found = scene.here.run(&["verify", "--json"]).ends(9).json();
    assert!(found["damage"].as_str().is_some_and(|damage| damage.contains("damaged")), "{found:#}");
    scene.here.run(&["verify"]).ends(9).says("store        damaged");
}
