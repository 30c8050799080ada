//! Filters and records that somebody changes on purpose: what enters and what leaves.

use serde_json::json;

use super::stage::{Stage, named, sorted};

const REMOVE: &str = "\n[sync.contact]\non_leave = \"remove\"\n";

#[test]
fn own_filters_and_those_for_everybody_add_up() {
    let stage = Stage::new("").with_contacts(&["Abel", "Bach"]);
    stage.contact("bo", "Everybody");
    stage.contact("bo", "Nobody");
    stage.sync().ends(0);
    assert_eq!(stage.items(), sorted(&["Abel", "Bach"]));
    stage.system("VIPs", "contact", &named(&["Everybody", "Abel"]));
    stage.sync().ends(0);
    assert_eq!(stage.items(), sorted(&["Abel", "Bach", "Everybody"]));
    stage.says(&["“VIPs” is new"]);
    let list = stage.here.json(&["filter", "list"]);
    let filter = |name: &str| {
        let all = list["filters"].as_array().unwrap();
        all.iter().find(|filter| filter["name"] == name).unwrap_or_else(|| panic!("{list}")).clone()
    };
    assert_eq!(
        (&filter("VIPs")["origin"], &filter("VIPs")["records"]),
        (&"system".into(), &2.into())
    );
    let own = filter("My Outlook Contacts");
    assert_eq!(
        (&own["origin"], &own["records"], &own["state"]),
        (&"own".into(), &2.into(), &"on".into())
    );
    // Bo has a filter of the own, which is none of ours.
    assert_eq!(
        list["filters"].as_array().unwrap().iter().filter(|it| it["class"] == "contact").count(),
        2
    );
    stage.configure("\n[sync.contact]\norganisation_filters = false\n");
    stage.sync().ends(0);
    assert_eq!(stage.items(), sorted(&["Abel", "Bach", "Everybody"]));
    stage.says(&[
        "“VIPs” takes no part any more",
        "1 record is in no sync filter any more",
        "its item stays",
    ]);
}

#[test]
fn an_edited_filter_takes_nothing_out_of_the_mailbox() {
    let stage = Stage::new("").with_contacts(&["Abel", "Bach", "Cage"]);
    stage.edit_own(&named(&["Abel"]));
    let preview = stage.here.json(&["filter", "preview"])["classes"]["contact"].clone();
    let names: Vec<_> =
        preview["leave"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names.len(), 2, "{preview}");
    assert!(names.contains(&"N Bach".into()), "{preview}");
    assert_eq!(preview["leave"][0]["in_mailbox"], true);
    stage.sync().ends(0);
    assert_eq!(stage.items(), sorted(&["Abel", "Bach", "Cage"]));
    stage.says(&[
        "“My Outlook Contacts” was edited",
        "2 records are in no sync filter any more",
        "their items stay",
    ]);
    assert_eq!(stage.json()["left_filters"], 2);
    assert_eq!(stage.json()["in_step"], true);
    // Wider again: the same pairs, nothing twice.
    stage.edit_own(&named(&["Abel", "Bach", "Cage"]));
    stage.sync().ends(0);
    assert_eq!(stage.items(), sorted(&["Abel", "Bach", "Cage"]));
    assert_eq!(stage.json()["left_filters"], 0);
    stage.change(
        "anna",
        &format!("contacts({})", stage.id_of("Bach")),
        &json!({"lastname": "Bachmann"}),
    );
    stage.edit_own(&named(&["Abel", "Bachmann", "Cage"]));
    stage.sync().ends(0);
    assert_eq!(stage.items(), sorted(&["Abel", "Bachmann", "Cage"]));
}

#[test]
fn a_filter_that_is_turned_off_or_deleted_leaves_the_class_as_it_is() {
    let stage = Stage::new("").with_contacts(&["Abel", "Bach"]);
    let own = stage.own();
    stage.here.run(&["filter", "disable", "my outlook contacts"]).ends(0).says("turned off");
    stage.sync().ends(1).says("no filter selects any contact");
    assert_eq!(stage.items(), sorted(&["Abel", "Bach"]));
    stage.says(&[
        "no filter selects any contact",
        "“My Outlook Contacts” was turned off",
        "liaison filter list",
    ]);
    stage.here.run(&["filter", "enable", "My Outlook Contacts"]).ends(0);
    stage.sync().ends(0);
    stage.says(&["in step since", "was turned on"]);
    // Deleted on purpose: it does not come back by itself, and neither does a template.
    let (status, body) = stage.ask("anna", "DELETE", &format!("userqueries({own})"), &json!(null));
    assert_eq!(status, 204, "{body}");
    stage.contact("anna", "Late");
    stage.system("Some", "contact", &named(&["Abel"]));
    stage.configure("\n[sync.contact]\nfilters = []\n");
    stage.sync().ends(0);
    assert_eq!(stage.items(), sorted(&["Abel", "Bach"]));
    stage.says(&["“My Outlook Contacts” is gone", "1 record is in no sync filter any more"]);
}

#[test]
fn a_new_user_gets_the_filters_for_new_users_once_the_first_sync_is_allowed() {
    let stage = Stage::new("");
    let all = "userqueries?$select=userqueryid&$filter=querytype%20eq%20256";
    let clear = || {
        for filter in stage.rows("anna", all) {
            let path = format!("userqueries({})", filter["userqueryid"].as_str().unwrap());
            assert_eq!(stage.ask("anna", "DELETE", &path, &json!(null)).0, 204);
        }
    };
    clear();
    stage.contact("anna", "Abel");
    stage.contact("bo", "Bach");
    let list = stage.here.json(&["filter", "list"]);
    assert_eq!(list["filters"][0]["origin"], "template", "{list}");
    stage.here.run(&["plan"]).ends(4);
    assert!(stage.rows("anna", all).is_empty(), "nothing is written before it was allowed");
    stage.here.run(&["approve", "--all"]).ends(0);
    stage.here.run(&["sync"]).ends(0);
    assert_eq!(stage.items(), ["Abel"]);
    stage.here.run(&["sync"]).ends(0);
    let made = stage.rows("anna", all).len();
    assert_eq!(made, 5);
    stage.here.run(&["sync"]).ends(0);
    assert_eq!(stage.rows("anna", all).len(), made);
    // All of them deleted is a choice.
    clear();
    stage.here.run(&["sync"]);
    assert!(stage.rows("anna", all).is_empty());
    assert_eq!(stage.items(), ["Abel"]);
}

#[test]
fn what_goes_to_a_colleague_stays_in_the_mailbox_whether_it_can_be_read_or_not() {
    let stage = Stage::new("").with_contacts(&["Abel", "Bach", "Cage"]);
    stage.assign("Bach", "bo");
    stage.sync().ends(0);
    assert_eq!(stage.items(), sorted(&["Abel", "Bach", "Cage"]));
    stage.says(&["1 record is in no sync filter any more (reassigned", "its item stays"]);
    stage.here.run(&["explain", "N Bach"]).ends(0).says("its record is in no sync filter");
    stage.privilege(&json!({"user": "anna", "privilege": "prvReadContact", "depth": "Basic"}));
    stage.sync();
    assert_eq!(stage.items(), sorted(&["Abel", "Bach", "Cage"]));
    stage.says(&["1 record cannot be looked at any more", "nothing is deleted"]);
    assert_eq!((&stage.json()["left_filters"], &stage.json()["hidden"]), (&0.into(), &1.into()));
    // Back again: the old pair goes on.
    stage.assign("Bach", "anna");
    stage.change(
        "anna",
        &format!("contacts({})", stage.id_of("Bach")),
        &json!({"jobtitle": "Back"}),
    );
    stage.sync().ends(0);
    assert_eq!(stage.items(), sorted(&["Abel", "Bach", "Cage"]));
    assert_eq!(stage.json()["hidden"], 0);
}

#[test]
fn what_is_to_be_removed_on_leaving_waits_for_a_word_when_the_filter_changed() {
    let stage = Stage::new(REMOVE).with_contacts(&["Abel", "Bach", "Cage"]);
    stage.edit_own(&named(&["Abel"]));
    stage.here.run(&["filter", "preview"]).ends(0).says("its item would go, once you allow it");
    stage.sync().ends(4);
    stage.sync().ends(4);
    assert_eq!(stage.items(), sorted(&["Abel", "Bach", "Cage"]));
    stage.says(&["2 held", "was edited"]);
    stage.here.run(&["approve"]).says("the sync filter changed");
    stage.here.run(&["approve", "--all"]).ends(0);
    stage.sync().ends(0);
    assert_eq!(stage.items(), ["Abel"]);
    assert_eq!(stage.rows("anna", "contacts?$select=lastname").len(), 3, "the records stay");
}

#[test]
fn a_filter_that_suddenly_finds_nothing_removes_nothing() {
    let stage = Stage::new(REMOVE);
    stage.system("Abels", "contact", &named(&["Abel"]));
    let stage = stage.with_contacts(&["Abel", "Bach"]);
    // One of two: Bach leaves, and with him all that the filter found.
    stage.edit_own(&named(&["Bach"]));
    stage.sync().ends(0);
    stage.change(
        "admin",
        &format!("contacts({})", stage.id_of("Bach")),
        &json!({"lastname": "Bachmann"}),
    );
    stage.sync().ends(4);
    assert_eq!(stage.items().len(), 2);
    stage.here.run(&["approve"]).says("a sync filter suddenly finds nothing");
    stage.says(&["1 held", "filter “My Outlook Contacts” finds nothing"]);
    // All: the other leaves too.
    stage.change(
        "admin",
        &format!("contacts({})", stage.id_of("Abel")),
        &json!({"lastname": "Abelson"}),
    );
    stage.sync().ends(4);
    stage.sync().ends(4);
    assert_eq!(stage.items().len(), 2);
    stage.here.run(&["approve"]).says("suddenly lists nothing");
    stage.says(&[
        "held",
        "2 records are in no sync filter any more",
        "filter “Abels” finds nothing",
    ]);
}
