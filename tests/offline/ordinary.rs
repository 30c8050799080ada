//! The record commands, online and offline alike.

use serde_json::json;

use super::scene::{id, office};
use crate::cli::installation::Organisation;

#[test]
fn a_record_is_worked_with_alike_online_and_offline() {
    let (_organisation, anna) = office();
    anna.run(&["record", "create", "account", "name=Contoso"]).ends(0).says("created");
    for place in ["online", "offline"] {
        let name = format!("Ann {place}");
        let created = anna.json(&[
            "record",
            "create",
            "contact",
            "firstname=Ann",
            &format!("lastname={place}"),
            "parentcustomerid=account:contoso",
            "gendercode=female",
            "birthdate=1980-02-03",
            "donotemail=yes",
        ]);
        assert_eq!(created["online"], place == "online", "{created:#}");
        let waits = if place == "online" { "done" } else { "waiting" };
        assert_eq!(created["records"][0]["outcome"], waits, "{created:#}");
        let contact = anna.json(&["record", "get", "contact", &name]);
        assert_eq!(contact["id"], created["records"][0]["id"]);
        assert_eq!(contact["values"]["parentcustomerid"]["name"], "Contoso");
        assert_eq!(contact["values"]["birthdate"], "1980-02-03");
        assert_eq!(contact["values"]["donotemail"], true);
        assert_eq!(contact["labels"]["gendercode"], "Female");
        anna.run(&["record", "update", "contact", &name, "jobtitle=Boss", "gendercode="])
            .ends(0)
            .says(&name);
        let contact = anna.json(&["record", "get", "contact", &name]);
        assert_eq!(contact["values"]["jobtitle"], "Boss");
        assert!(contact["values"]["gendercode"].is_null(), "{contact:#}");
        let same = anna.json(&["record", "update", "contact", &name, "jobtitle=Boss"]);
        assert_eq!(same["records"][0]["outcome"], "nothing");
        let list = anna.json(&["record", "list", "contact", "jobtitle=Boss"]);
        assert_eq!(
            list["records"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| row["name"] == name.as_str())
                .count(),
            1
        );
        let task = anna.json(&[
            "record",
            "create",
            "task",
            "subject=Call",
            &format!("regardingobjectid=contact:{name}"),
        ]);
        anna.run(&["record", "update", "task", &id(&task), "statuscode=Completed"]).ends(0);
        assert_eq!(
            anna.json(&["record", "get", "task", &id(&task)])["labels"]["statecode"],
            "Completed"
        );
        anna.run(&["record", "delete", "task", &id(&task)]).ends(0);
        anna.run(&["record", "get", "task", &id(&task)]).ends(1);
        if place == "online" {
            anna.run(&["offline"]).ends(0).says("contact");
            let status = anna.json(&["status"]);
            assert_eq!(
                (&status["copies"][0]["offline"], &status["in_step"]),
                (&json!(true), &json!(false))
            );
        }
    }
    anna.run(&["sync"]).ends(75).says("you are offline");
    anna.run(&["online"]).ends(0);
    let contact = anna.json(&["record", "get", "contact", "Ann offline"]);
    assert_eq!(
        (&contact["online"], &contact["values"]["jobtitle"]),
        (&json!(true), &json!("Boss"))
    );
    anna.run(&["outbox", "list"]).ends(0).says("nothing waits");
}

#[test]
fn what_cannot_be_done_is_said_at_once_with_the_column() {
    let (organisation, anna) = office();
    for name in ["Ann Smith", "Ann Smith", "Bob Jones"] {
        let (first, last) = name.split_once(' ').unwrap();
        anna.run(&[
            "record",
            "create",
            "contact",
            &format!("firstname={first}"),
            &format!("lastname={last}"),
        ])
        .ends(0);
    }
    for offline in [false, true] {
        for (arguments, part) in [
            (["create", "contact", "lastnam=Smith"].as_slice(), "contact has no column `lastnam`"),
            (&["create", "contact", "gendercode=other"], "contact.gendercode: there is no option"),
            (&["create", "contact", "birthdate=soon"], "contact.birthdate: this is no day"),
            (&["create", "contact", "fullname=Ann"], "contact.fullname cannot be set"),
            (
                &["create", "contact", "parentcustomerid=account:Nobody"],
                "no account called “Nobody”",
            ),
            (
                &["create", "task", "subject=Call", "regardingobjectid=contact:Ann Smith"],
                "“Ann Smith” could be several",
            ),
            (&["create", "contact", "parentcustomerid=lead:x"], "no account or contact called"),
            (&["create", "contact", "lastname"], "`lastname` is no COLUMN=VALUE"),
            (&["update", "contact", "Ann Smith", "jobtitle=x"], "could be several"),
            (
                &["update", "contact", "6f0c3c1e-86a5-5b53-9a3c-2d1f5e0b7a41", "jobtitle=x"],
                "6f0c3c1e",
            ),
            (&["get", "nonsense", "x"], "`nonsense`"),
        ] {
            let ran = anna.run(&[["record"].as_slice(), arguments].concat());
            assert!(matches!(ran.code, 1 | 2), "{arguments:?} {ran:?}");
            ran.says(part);
        }
        let long = format!("jobtitle={}", "x".repeat(101));
        anna.run(&["record", "update", "contact", "Bob Jones", &long])
            .ends(1)
            .says("contact.jobtitle: the text has 101 characters, at most 100 fit");
        if !offline {
            anna.run(&["offline", "contact", "account"]).ends(0);
        }
    }
    anna.run(&["outbox", "list"]).ends(0).says("nothing waits");
    // A table that was not taken along.
    anna.run(&["record", "get", "lead", "6f0c3c1e-86a5-5b53-9a3c-2d1f5e0b7a41"])
        .ends(1)
        .says("liaison offline lead");
    drop(organisation);
}

#[test]
fn the_copy_is_used_by_itself_while_the_crm_is_away() {
    let (mut organisation, anna) = office();
    anna.run(&["record", "create", "contact", "firstname=Ann", "lastname=Smith"]).ends(0);
    // Without a copy there is nothing to work with.
    anna.run(&["offline"]).ends(0);
    anna.run(&["online"]).ends(0);
    organisation.stop();
    anna.run(&["record", "get", "contact", "Ann Smith"]).ends(0).says("cannot be reached");
    anna.run(&["record", "update", "contact", "Ann Smith", "jobtitle=Boss"])
        .ends(0)
        .says("waits in the outbox");
    anna.run(&["online"]).ends(75);
    organisation.resume();
    // The next command replays.
    let contact = anna.json(&["record", "get", "contact", "Ann Smith"]);
    assert_eq!((&contact["online"], &contact["waiting"]), (&json!(true), &json!(0)), "{contact:#}");
    assert_eq!(organisation.rows("contacts?$select=jobtitle")[0]["jobtitle"], "Boss");
}

#[test]
fn what_was_entered_and_never_sent_becomes_one_edit() {
    let (organisation, anna) = office();
    anna.run(&["record", "create", "account", "name=Contoso"]).ends(0);
    anna.run(&["offline"]).ends(0);
    anna.run(&["record", "create", "contact", "firstname=Ann", "lastname=Smith"]).ends(0);
    anna.run(&["record", "update", "contact", "Ann Smith", "jobtitle=Clerk"]).ends(0);
    anna.run(&["record", "update", "contact", "Ann Smith", "jobtitle=Boss", "lastname=Miller"])
        .ends(0);
    let edits = anna.json(&["outbox", "list"])["edits"].take();
    assert_eq!(edits.as_array().unwrap().len(), 1, "{edits:#}");
    assert_eq!((&edits[0]["kind"], &edits[0]["name"]), (&json!("create"), &json!("Ann Miller")));
    // What refers to something that is made later stays behind it.
    anna.run(&["record", "create", "account", "name=Fabrikam"]).ends(0);
    anna.run(&["record", "update", "contact", "Ann Miller", "parentcustomerid=account:Fabrikam"])
        .ends(0);
    let edits = anna.json(&["outbox", "list"])["edits"].take();
    let kinds: Vec<&str> =
        edits.as_array().unwrap().iter().map(|edit| edit["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["create", "create", "update"]);
    // What was never there is gone without a word to anybody.
    let gone = anna.json(&["record", "create", "contact", "firstname=No", "lastname=Body"]);
    anna.run(&["record", "delete", "contact", &id(&gone)]).ends(0).says("never sent");
    anna.run(&["online"]).ends(0).says("3 edits there");
    let contacts = organisation.rows("contacts?$select=fullname,jobtitle,_parentcustomerid_value");
    assert_eq!(contacts.len(), 1);
    assert_eq!(
        (&contacts[0]["fullname"], &contacts[0]["jobtitle"]),
        (&json!("Ann Miller"), &json!("Boss"))
    );
    assert!(contacts[0]["_parentcustomerid_value"].is_string());
}

#[test]
fn every_organisation_has_a_copy_and_an_outbox_of_its_own() {
    let (organisation, anna) = office();
    let other = Organisation::serve();
    let token = |of: &Organisation| format!("cat '{}'", of.tokens().join("anna").display());
    let second = format!(
        "\n[organisation.other]\nurl = \"{}\"\nauth = {{ kind = \"token\", command = \"{}\" }}\n",
        other.url,
        token(&other)
    );
    anna.configure(&organisation.url, &token(&organisation), &second);
    anna.run(&["record", "list", "account", "--org", "nobody"])
        .ends(2)
        .says("there are: other, test");
    anna.run(&["offline", "account", "--org", "other"]).ends(0);
    anna.run(&["record", "create", "account", "name=There", "--org", "other"])
        .ends(0)
        .says("waits");
    anna.run(&["record", "create", "account", "name=Here"]).ends(0).says("created");
    anna.run(&["search", "there", "--org", "other"]).ends(0).says("There");
    anna.run(&["outbox", "list"]).ends(0).says("nothing waits");
    // Only the organisation that the mailbox goes with holds up its sync.
    assert_ne!(anna.run(&["plan"]).code, 75);
    anna.run(&["online", "--org", "other"]).ends(0).says("1 edits there");
    assert_eq!(other.rows("accounts?$select=name")[0]["name"], "There");
    assert_eq!(organisation.rows("accounts?$select=name")[0]["name"], "Here");
    // Another organisation behind the same name is noticed before anything is written.
    anna.configure(&other.url, &token(&other), "");
    anna.run(&["record", "create", "account", "name=Wrong"]).ends(1).says("another organisation");
}
