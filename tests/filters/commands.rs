//! `liaison filter`: what a person sees and does.

use std::fs;

use serde_json::json;

use super::stage::{Stage, named, sorted};

#[test]
fn filters_are_added_shown_tried_changed_and_switched() {
    let stage = Stage::new("").with_contacts(&["Abel"]);
    let here = &stage.here;
    stage.contact("bo", "Bach");
    stage.contact("bo", "Cage");
    here.run(&["filter", "preview", "--class", "contact", "--where", "lastname eq Bach"])
        .ends(0)
        .says("1 record would enter, 0 records would leave")
        .says("+ N Bach");
    assert_eq!(stage.items(), ["Abel"]);
    let filters = "userqueries?$select=name,fetchxml&$filter=querytype%20eq%20256";
    let before = stage.rows("anna", filters).len();
    here.run(&["filter", "add", "contact", "Town", "--where", "lastname eq Bach"])
        .ends(0)
        .says("added");
    assert_eq!(stage.rows("anna", filters).len(), before + 1);
    here.run(&["filter", "add", "contact", "town", "--where", "lastname eq Cage"])
        .ends(1)
        .says("you have a filter “town” for contacts already");
    here.run(&["filter", "show", "Town"]).ends(0).says("yours").says("1 record").says("eq");
    here.run(&["filter", "preview"]).ends(0).says("+ N Bach");
    stage.sync().ends(0);
    assert_eq!(stage.items(), sorted(&["Abel", "Bach"]));
    here.run(&["filter", "preview", "Town", "--where", "lastname eq Cage"])
        .ends(0)
        .says("+ N Cage")
        .says("- N Bach  (its item stays)");
    fs::write(here.path("cage.xml"), named(&["Cage"])).unwrap();
    here.run(&["filter", "edit", "Town", "--fetchxml", "cage.xml", "--rename", "City"]).ends(0);
    here.run(&["filter", "show", "Town"]).ends(1).says("no filter is called");
    stage.sync().ends(0);
    assert_eq!(stage.items(), sorted(&["Abel", "Bach", "Cage"]));
    here.run(&["filter", "disable", "City"]).ends(0).says("filter “City” turned off");
    here.run(&["filter", "preview", "City"]).ends(0).says("1 record would enter");
    let row = stage
        .rows("anna", "userqueries?$select=name,statecode,statuscode&$filter=name%20eq%20'City'");
    assert_eq!((&row[0]["statecode"], &row[0]["statuscode"]), (&1.into(), &2.into()));
    here.run(&["filter", "reset"]).ends(4).says("would go").says("City").says("--yes");
    here.run(&["filter", "reset", "--yes"]).ends(0);
    assert_eq!(stage.rows("anna", filters).len(), before);
    stage.sync().ends(0);
    assert_eq!(stage.items(), sorted(&["Abel", "Bach", "Cage"]));
}

#[test]
fn what_is_not_ones_own_is_refused_with_the_reason() {
    let stage = Stage::new(
        "\n[sync.contact]\nfilters = [{ name = \"mine\", where = [\"lastname eq Abel\"] }]\n",
    );
    stage.system("Everybody's", "contact", &named(&["Abel"]));
    let here = &stage.here;
    for (arguments, says) in [
        (vec!["filter", "disable", "Everybody's"], "administrator made it for everybody"),
        (vec!["filter", "enable", "mine"], "kept in the configuration"),
        (vec!["filter", "edit", "mine", "--where", "lastname eq B"], "kept in the configuration"),
        (vec!["filter", "disable", "nothing"], "no filter is called “nothing”"),
    ] {
        here.run(&arguments).ends(1).says(says);
    }
    here.run(&["filter", "edit", "mine"]).ends(2).says("nothing is to be changed");
    here.run(&["filter", "add", "contact", "x", "--where", "lastname is Abel"])
        .ends(2)
        .says("unknown operator");
    here.run(&["filter", "add", "appointment", "x", "--where", "subject eq x"])
        .ends(2)
        .says("which table");
    here.run(&["filter", "add", "contact", "x", "--where", "nosuchcolumn eq 1"]).ends(1);
    let top = "<fetch top=\"1\"><entity name=\"contact\"/></fetch>";
    fs::write(here.path("top.xml"), top).unwrap();
    here.run(&["filter", "add", "contact", "x", "--fetchxml", "top.xml"])
        .ends(2)
        .says("take out `top`");
    let mine = here.json(&["filter", "show", "mine"]);
    assert_eq!((&mine["origin"], &mine["records"]), (&json!("configuration"), &json!(0)), "{mine}");
}
