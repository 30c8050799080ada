//! Filters that cannot be read, cannot be used or are not answered to the end: what they would have listed is not known, so
//! nothing follows from its absence.

use serde_json::json;

use super::stage::{Stage, named, sorted};

const ALL: [&str; 3] = ["Abel", "Bach", "Cage"];

#[test]
fn a_page_that_never_comes_is_not_an_end() {
    let stage = Stage::new("\n[sync.contact]\non_leave = \"remove\"\n").with_contacts(&ALL);
    for order in [
        json!({"fault": "torn-page", "inside": true, "path": "contacts?fetchXml="}),
        json!({"fault": {"status": {"status": 500}}, "inside": true, "path": "contacts?fetchXml="}),
        json!({"fault": "cut-reply", "path": "$batch", "skip": 1}),
    ] {
        stage.fault(&order);
        let ran = stage.sync();
        assert_ne!(ran.code, 0, "{order}: {ran:?}");
        assert_eq!(stage.items(), sorted(&ALL), "{order}");
        let state = stage.json();
        assert_eq!(state["in_step"], false, "{order}: {state}");
        stage.sync().ends(0);
    }
    stage.fault(&json!({"fault": "torn-page", "inside": true, "path": "contacts?fetchXml="}));
    stage.sync().ends(3).says("not everything was seen");
    stage.says(&[
        "not everything was seen, so nothing is deleted: filter “My Outlook Contacts”",
        "the service promised more pages and gave nothing",
    ]);
}

#[test]
fn filters_that_could_not_be_read_are_not_the_same_as_none() {
    let stage = Stage::new("\n[sync.contact]\ntrack = \"all\"\n");
    stage.contact("anna", "Outside");
    stage.edit_own(&named(&ALL));
    let stage = stage.with_contacts(&ALL);
    for set in ["userqueries?", "savedqueries?"] {
        stage.fault(&json!({"fault": {"status": {"status": 403, "code": "0x80040220"}}, "inside": true, "path": set}));
        stage.here.card("new", "Nora New", "+49 1", false);
        stage.sync().ends(3);
        // Neither gone, nor made, nor brought in by a default that is wider than what was chosen.
        assert!(!stage.items().contains(&"Outside".to_owned()));
        assert_eq!(stage.items().len(), 4);
        assert_eq!(stage.rows("anna", "contacts?$select=lastname").len(), 4);
        stage.says(&[
            "sync filters could not be read",
            "the user lacks a privilege",
            "nothing is deleted",
        ]);
        stage.here.run(&["filter", "list"]).ends(0);
    }
    stage.sync();
    stage.here.run(&["approve", "--all"]);
    stage.sync();
    assert_eq!(stage.rows("anna", "contacts?$select=lastname").len(), 5);
    assert!(!stage.items().contains(&"Outside".to_owned()));
}

#[test]
fn a_filter_that_cannot_be_used_is_named_and_stops_nothing_else() {
    let stage = Stage::new("\n[sync.contact]\non_leave = \"remove\"\n").with_contacts(&ALL);
    stage.system("Ten", "contact", "<fetch top=\"10\"><entity name=\"contact\"><attribute name=\"contactid\"/></entity></fetch>");
    stage.change(
        "anna",
        &format!("contacts({})", stage.id_of("Bach")),
        &json!({"jobtitle": "Composer"}),
    );
    stage.sync().ends(3);
    assert_eq!(stage.items(), sorted(&ALL));
    stage.says(&[
        "the system filter “Ten” cannot be used",
        "take out `top`",
        "liaison filter list",
    ]);
    assert_eq!(stage.json()["filters"]["doubts"].as_array().unwrap().len(), 1);
    stage.here.run(&["filter", "list"]).ends(0).says("broken").says("take out `top`");
    let card = |part: &str| {
        let files = std::fs::read_dir(stage.here.path("mailbox/contacts")).unwrap();
        files
            .into_iter()
            .any(|file| std::fs::read_to_string(file.unwrap().path()).unwrap().contains(part))
    };
    assert!(card("Composer"), "the others go on");
    // Own, huge, and in place of one that worked.
    let many: String = (0..600)
        .map(|n| format!("<condition attribute=\"lastname\" operator=\"eq\" value=\"n{n}\"/>"))
        .collect();
    stage.edit_own(&format!(
        "<fetch><entity name=\"contact\"><attribute name=\"contactid\"/><filter type=\"or\">{many}</filter></entity></fetch>"
    ));
    let ran = stage.sync();
    assert_ne!(ran.code, 0);
    assert_eq!(stage.items(), sorted(&ALL));
    stage.says(&[
        "the filter “My Outlook Contacts” cannot be used",
        "500 `condition`",
        "cannot be used any more",
    ]);
    stage
        .here
        .run(&["doctor", "crm"])
        .says("the sync filter “Ten”")
        .says("does not say which rows take part");
}

#[test]
fn a_filter_on_another_table_is_shown_and_does_nothing() {
    let stage = Stage::new("").with_contacts(&ALL);
    stage.system(
        "Firms",
        "account",
        "<fetch><entity name=\"account\"><attribute name=\"accountid\"/></entity></fetch>",
    );
    stage.sync().ends(0);
    assert_eq!(stage.items(), sorted(&ALL));
    assert_eq!(stage.json()["in_step"], true);
    stage.here.run(&["filter", "list"]).ends(0).says("about what is not synced here").says("Firms");
}
