//! Addresses in doubt, files that are left out, and records for people: what a person sees of them.

use super::installation::{Installation, Organisation};

fn message(name: &str, from: &str) -> String {
    format!(
        "From: {from}\r\nTo: anna@example.org\r\nSubject: {name}\r\nMessage-ID: <{name}@x.example>\r\n\
         Date: Fri, 02 Jan 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
         --m\r\nContent-Type: text/plain\r\n\r\nLook.\r\n--m\r\nContent-Type: application/octet-stream\r\n\
         Content-Disposition: attachment; filename=setup.exe\r\n\r\nMZ\r\n--m--\r\n"
    )
}

fn contact(organisation: &Organisation, number: u8, name: &str, address: &str) -> String {
    let id = format!("00000000-0000-4000-8000-0000000000{number:02}");
    let row = format!(r#"{{"lastname":"{name}","emailaddress1":"{address}"}}"#);
    organisation.change(&format!("contacts({id})"), &row);
    format!("contact/{id}")
}

#[test]
fn an_address_of_several_is_listed_and_settled_by_name() {
    let organisation = Organisation::serve();
    let here = Installation::new(&organisation.url, &organisation.tokens());
    here.configure(
        &organisation.url,
        &format!("cat '{}'", organisation.tokens().join("anna").display()),
        "[sync.email]\ntrack = \"all\"\ncreate_people = \"contact\"\n[sync.contact]\ndirection = \"off\"\n",
    );
    let one = contact(&organisation, 1, "Ann One", "info@firm.example");
    let two = contact(&organisation, 2, "Ann Two", "info@firm.example");
    here.run(&["people"]).ends(0).says("no address is in doubt");
    here.write("mailbox/mail/new/1.a", &message("offer", "Firm <info@firm.example>"));
    here.write("mailbox/mail/new/2.a", &message("hello", "Nora New <nora@new.example>"));
    here.run(&["plan"]).ends(4).says("people, would wait: the first records for people").says(
        "contact “Nora New”: create in the CRM (nobody there has the address nora@new.example)",
    );
    here.run(&["approve", "--all"]).ends(0).says("approved 3 operations");
    here.run(&["sync"]).ends(0);
    assert_eq!(
        organisation.rows("contacts?$select=lastname&$filter=lastname%20eq%20'New'").len(),
        1
    );
    here.run(&["explain", "<offer@x.example>"]).ends(0).says("not filed: setup.exe (type)");
    let explained = here.json(&["explain", "<offer@x.example>"])["written"].to_string();
    assert!(explained.contains("not filed: setup.exe (type)"), "{explained}");

    here.run(&["status"]).ends(0).says("1 address belongs to several people: `liaison people`");
    assert_eq!(here.json(&["status"])["in_step"], true, "what names it is filed all the same");
    here.run(&["people"])
        .ends(0)
        .says("info@firm.example: could be any of 2 records")
        .says(&format!("{one}  Ann One"))
        .says("1 filed message with nobody behind it");
    let settle = |who: &str| here.run(&["people", "settle", "Info@firm.example", who]);
    settle("Ann").ends(1).says("Ann does not have the address").says(&two);
    here.run(&["people", "settle", "x@firm.example", "none"]).ends(1).says("is not in doubt");
    settle("ann two").ends(0).says(&format!("belongs to Ann Two ({two})")).says("liaison sync");
    here.run(&["sync"]).ends(0);
    here.run(&["people"]).ends(0).says("no address is in doubt");
    let people = here.json(&["people", "--all"]);
    let info = &people["people"].as_array().unwrap()[0];
    assert_eq!((&info["choice"], &info["waiting"]), (&two.clone().into(), &0.into()), "{people}");
    let party = two.split_once('/').unwrap().1;
    let named =
        format!("activityparties?$select=addressused&$filter=_partyid_value%20eq%20{party}");
    assert_eq!(organisation.rows(&named).len(), 1);
    settle("none").ends(0).says("stays nobody's");
    here.run(&["status"]).ends(0).says("in step since");
}
