//! The copy: what it holds, that it is brought up to date at the price of what changed, and that it can be searched and wiped.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value as Json, json};

use super::scene::{id, office};

fn table<'a>(report: &'a Json, name: &str) -> &'a Json {
    let tables = report["refresh"]["tables"].as_array().unwrap();
    tables
        .iter()
        .find(|table| table["table"] == name)
        .unwrap_or_else(|| panic!("{name}: {report:#}"))
}

#[test]
fn only_what_changed_is_read_and_only_a_whole_listing_removes() {
    let (organisation, anna) = office();
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(id(&anna.json(&[
            "record",
            "create",
            "contact",
            "firstname=Ann",
            &format!("lastname=C{number:02}"),
        ])));
    }
    let note = format!(
        r#"{{"subject": "Bridge", "notetext": "the tender", "objectid_contact@odata.bind": "/contacts({})"}}"#,
        ids[3]
    );
    assert_eq!(organisation.request("POST", "annotations", &note).0, 204);
    let first = anna.json(&["offline"]);
    assert_eq!(
        (&table(&first, "contact")["read"], &table(&first, "annotation")["rows"]),
        (&json!(20), &json!(1)),
        "{first:#}"
    );
    organisation.change(&format!("contacts({})", ids[0]), r#"{"jobtitle": "Boss"}"#);
    organisation.delete(&format!("contacts({})", ids[1]));
    let second = anna.json(&["online"]);
    let contacts = table(&second, "contact");
    assert_eq!(
        (&contacts["read"], &contacts["left"], &contacts["rows"]),
        (&json!(1), &json!(1), &json!(19)),
        "{second:#}"
    );
    // A listing that is refused removes nothing.
    organisation.delete(&format!("contacts({})", ids[2]));
    let grant = |depth: &str| {
        format!(r#"{{"user": "anna", "privilege": "prvReadContact", "depth": {depth}}}"#)
    };
    organisation.steer("privileges", &grant("null"));
    let third = anna.json(&["online"]);
    assert!(table(&third, "contact")["broken"].is_string(), "{third:#}");
    organisation.steer("privileges", &grant("\"Global\""));
    let rows = anna.json(&["search", "Ann"]);
    assert!(rows["records"].as_array().unwrap().len() >= 19, "{third:#} {rows:#}");
    let fourth = anna.json(&["online"]);
    assert_eq!(table(&fourth, "contact")["rows"], 18, "{fourth:#}");
}

#[test]
fn words_are_found_wherever_they_stand_and_no_query_breaks_it() {
    let (_organisation, anna) = office();
    anna.run(&["search", "x"]).ends(1).says("nothing of `test` was taken along");
    anna.run(&[
        "record",
        "create",
        "account",
        "name=Müller Brückenbau",
        "description=<p>Die <b>Ausschreibung</b></p>",
    ])
    .ends(0);
    anna.run(&[
        "record",
        "create",
        "contact",
        "firstname=Ann",
        "lastname=Smith",
        "jobtitle=Bridge builder",
    ])
    .ends(0);
    anna.run(&["offline"]).ends(0);
    anna.run(&["record", "create", "task", "subject=Send the tender"]).ends(0);
    let names = |words: &[&str]| -> Vec<String> {
        let found = anna.json(&[["search"].as_slice(), words].concat());
        found["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&["bruck"]), ["Müller Brückenbau"]);
    assert_eq!(names(&["AUSSCHREIB", "muller"]), ["Müller Brückenbau"]);
    assert_eq!(names(&["build", "smi"]), ["Ann Smith"]);
    assert_eq!(names(&["tend"]), ["Send the tender"]);
    assert_eq!(names(&["uilder"]), [] as [&str; 0]);
    anna.run(&["record", "update", "contact", "Ann Smith", "jobtitle=Painter"]).ends(0);
    assert_eq!(names(&["build", "smi"]), [] as [&str; 0]);
    assert_eq!(names(&["painter"]), ["Ann Smith"]);
    anna.run(&["record", "delete", "contact", "Ann Smith"]).ends(0);
    assert_eq!(names(&["painter"]), [] as [&str; 0]);
    for hostile in [
        "\"",
        "' OR 1=1 --",
        "a* NEAR b",
        "name:x",
        "(((",
        "{}",
        "^a",
        "\u{7f}",
        "-",
        "AND",
        "😀",
        "a\" OR \"b",
    ] {
        anna.run(&["search", "--", hostile]).ends(0);
    }
}

#[test]
fn filters_of_the_organisation_and_of_the_settings_say_what_is_taken_along() {
    let (organisation, anna) = office();
    for (name, city) in [("A", "Berlin"), ("B", "Paris"), ("C", "Rome")] {
        anna.run(&[
            "record",
            "create",
            "contact",
            "firstname=Ann",
            &format!("lastname={name}"),
            &format!("address1_city={city}"),
        ])
        .ends(0);
    }
    // What the organisation gave every user does not narrow anything.
    for row in organisation.rows("userqueries?$select=userqueryid&$filter=querytype%20eq%2016") {
        organisation.delete(&format!("userqueries({})", row["userqueryid"].as_str().unwrap()));
    }
    let filter = |city: &str| {
        format!(
            "<fetch><entity name='contact'><filter><condition attribute='address1_city' operator='eq' value='{city}'/></filter></entity></fetch>"
        )
    };
    let query = json!({ "name": "Berlin", "querytype": 16, "returnedtypecode": "contact", "fetchxml": filter("Berlin") });
    let (status, body) = organisation.request("POST", "userqueries", &query.to_string());
    assert_eq!(status, 204, "{body}");
    anna.configure(
        &organisation.url,
        &format!("cat '{}'", organisation.tokens().join("anna").display()),
        &format!("\n[offline]\ntables = [\"contact\", \"phonecall\", \"nonsense\"]\n[offline.filters]\ncontact = \"{}\"\n", filter("Paris")),
    );
    let report = anna.json(&["offline"]);
    assert_eq!(table(&report, "contact")["rows"], 2, "{report:#}");
    assert_eq!(report["refresh"]["skipped"].as_array().unwrap().len(), 2, "{report:#}");
    let list = anna.json(&["record", "list", "contact"]);
    let names: Vec<&str> = list["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Ann A", "Ann B"]);
}

#[test]
fn the_copy_is_private_goes_back_by_itself_and_is_wiped_on_demand() {
    let (_organisation, anna) = office();
    anna.run(&["record", "create", "contact", "firstname=Ann", "lastname=Smith"]).ends(0);
    anna.run(&["offline", "--for", "soon"]).ends(2).says("no duration");
    anna.run(&["offline", "--for", "1s", "contact"]).ends(0);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while anna.json(&["record", "get", "contact", "Ann Smith"])["online"] == false {
        assert!(std::time::Instant::now() < deadline, "it stays offline");
    }
    for entry in fs::read_dir(anna.path("state/offline")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
    anna.run(&["offline", "contact"]).ends(0);
    anna.run(&["record", "update", "contact", "Ann Smith", "jobtitle=Boss"]).ends(0);
    anna.run(&["offline", "--forget"]).ends(4).says("1 edit wait");
    anna.run(&["offline", "--forget", "--drop-outbox"]).ends(0).says("deleted");
    assert!(!anna.path("state/offline/test.db").exists());
    anna.run(&["search", "Ann"]).ends(1);
}
