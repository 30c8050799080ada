//! Whom messages name: addresses of several people wait for a choice, and records are made only where the user wants them.

use liaison::filter::people::Create;
use liaison::model::record::PartyRef;
use liaison::model::{Address, Class, Side};
use liaison::store::person::{self, Choice, Doubt};
use serde_json::{Value as Json, json};

use super::world::World;

const EMAIL: &[Class] = &[Class::Email];

fn message(name: &str, from: &str, to: &str) -> String {
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: {name}\r\nMessage-ID: <{name}@x.example>\r\n\
         Date: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\nHello\r\n"
    )
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn doubts(world: &World) -> Vec<Doubt> {
    world.store.read_blocking(person::all).unwrap()
}

/// Role, address and whom it names, of each party of the message with this subject, without those the service keeps itself.
async fn parties(world: &World, subject: &str) -> Vec<(i64, String, String)> {
    let path = format!(
        "emails?$select=subject&$filter=subject eq '{subject}'&$expand=email_activity_parties($select=participationtypemask,addressused,_partyid_value)"
    );
    let rows = world.rows(&path).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    let text = |row: &Json, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let mut parties: Vec<(i64, String, String)> = rows[0]["email_activity_parties"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let mask = row["participationtypemask"].as_i64().unwrap();
            (mask, text(row, "addressused"), text(row, "_partyid_value"))
        })
        .filter(|(mask, ..)| *mask < 8)
        .collect();
    parties.sort();
    parties
}

async fn contact(world: &World, user: &str, name: &str, mail: &str) -> String {
    let row = json!({ "lastname": name, "emailaddress1": mail });
    world.send(user, "POST", "contacts", row).await;
    let path = format!("contacts?$select=contactid&$filter=lastname eq '{name}'");
    world.rows(&path).await[0]["contactid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_several_is_settled_for_all_messages_alike() {
    let world = World::new().await;
    let one = contact(&world, "bo", "One", "info@firm.example").await;
    let two = contact(&world, "bo", "Two", "info@firm.example").await;
    let only = contact(&world, "bo", "Only", "only@firm.example").await;
    let to =
        "anna@example.org, Info <info@firm.example>, Only <only@firm.example>, x@other.example";
    world.put("mail/cur/1:2,S", &message("first", "Firm <INFO@firm.example>", to));
    world.put("mail/cur/2:2,S", &message("second", "Firm <info@firm.example>", to));
    world.first_sync(EMAIL).await;

    let open = doubts(&world);
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((open[0].address.as_str(), open[0].waiting), ("info@firm.example", 2));
    let mut names: Vec<&str> =
        open[0].candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["One", "Two"]);
    let before = parties(&world, "first").await;
    assert!(before.contains(&(1, "info@firm.example".to_owned(), String::new())), "{before:?}");
    let quiet = world.engine.crm.requests();
    assert_eq!(world.sync(EMAIL).await.operations(), 0);
    assert_eq!(world.engine.crm.requests(), quiet, "an open question costs nothing");

    let choice = Choice::Record(PartyRef::parse(&format!("contact/{two}")).unwrap());
    world
        .store
        .promise_blocking(|tx| person::choose(tx, &address("info@firm.example"), &choice))
        .unwrap();
    let report = world.sync(EMAIL).await;
    assert_eq!(report.classes[&Class::Email].updated.get(&Side::Crm), Some(&2), "{report:?}");
    for subject in ["first", "second"] {
        let after = parties(&world, subject).await;
        let of = |mask, address: &str, party: &str| (mask, address.to_owned(), party.to_owned());
        let anna = world.get("anna", "WhoAmI").await["UserId"].as_str().unwrap().to_owned();
        let mut expected = vec![
            of(1, "info@firm.example", &two),
            of(2, "anna@example.org", &anna),
            of(2, "info@firm.example", &two),
            of(2, "only@firm.example", &only),
            of(2, "x@other.example", ""),
        ];
        expected.sort();
        assert_eq!(after, expected, "{subject}");
    }
    assert_eq!(doubts(&world)[0].waiting, 0);
    assert_eq!(world.sync(EMAIL).await.operations(), 0);

    // From now on it is known.
    world.put("mail/cur/3:2,S", &message("third", "Firm <info@firm.example>", "anna@example.org"));
    assert_eq!(world.sync(EMAIL).await.operations(), 1);
    let third = parties(&world, "third").await;
    assert!(third.contains(&(1, "info@firm.example".to_owned(), two.clone())), "{third:?}");

    // Who was chosen and does not have the address any more, is meant no more.
    let row = json!({ "emailaddress1": "gone@firm.example" });
    world.send("bo", "PATCH", &format!("contacts({two})"), row).await;
    let three = contact(&world, "bo", "Three", "info@firm.example").await;
    world.put("mail/cur/4:2,S", &message("fourth", "Firm <info@firm.example>", "anna@example.org"));
    world.sync(EMAIL).await;
    let open = doubts(&world);
    assert_eq!((&open[0].choice, open[0].waiting), (&None, 1), "{open:?}");

    // The doubt can go without anybody's word.
    let closed = json!({ "statecode": 1, "statuscode": 2 });
    world.send("bo", "PATCH", &format!("contacts({three})"), closed).await;
    world.put("mail/cur/5:2,S", &message("fifth", "Firm <info@firm.example>", "anna@example.org"));
    world.sync(EMAIL).await;
    for subject in ["fourth", "fifth"] {
        let told = parties(&world, subject).await;
        assert!(told.contains(&(1, "info@firm.example".to_owned(), one.clone())), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_whom_nobody_knows_are_made_after_a_word_and_once() {
    let mut world = World::new().await;
    world.engine.settings.filing.create_people = Create::Contact;
    world.engine.settings.limits.creates_max = 2;
    let inactive = contact(&world, "bo", "Old", "old@firm.example").await;
    let closed = json!({ "statecode": 1, "statuscode": 2 });
    world.send("bo", "PATCH", &format!("contacts({inactive})"), closed).await;
    let to = "anna@example.org, bo@example.org, old@firm.example, no-reply@firm.example, dev@lists.firm.example";
    world.put("mail/cur/1:2,S", &message("first", "Nora New <nora@new.example>", to));
    let preview = world.engine.preview(Class::Email).await.unwrap();
    let (reason, lines) = preview.held_people.unwrap();
    assert!(reason.contains("first"), "{reason}");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("contact “Nora New”") && lines[0].contains("nora@new.example"));
    assert!(preview.people.is_empty());

    let held = world.sync(EMAIL).await;
    assert_eq!((held.operations(), held.classes[&Class::Email].held), (0, 2), "{held:?}");
    assert!(world.rows("contacts?$select=lastname&$filter=lastname eq 'New'").await.is_empty());
    world.approve_all();
    let report = world.sync(EMAIL).await;
    assert_eq!(report.classes[&Class::Email].created[&Side::Crm], 2, "{report:?}");
    let rows = world
        .rows("contacts?$select=contactid,firstname,emailaddress1&$filter=lastname eq 'New'")
        .await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["firstname"], "Nora");
    let nora = rows[0]["contactid"].as_str().unwrap().to_owned();
    let told = parties(&world, "first").await;
    assert!(told.contains(&(1, "nora@new.example".to_owned(), nora.clone())), "{told:?}");
    assert!(told.contains(&(2, "old@firm.example".to_owned(), inactive)), "{told:?}");
    for stranger in ["no-reply@firm.example", "dev@lists.firm.example"] {
        assert!(told.contains(&(2, stranger.to_owned(), String::new())), "{told:?}");
    }
    assert_eq!(world.rows("contacts?$select=lastname").await.len(), 2);

    // Approved once, a few come without a word; who was removed is not made again.
    world.send("admin", "DELETE", &format!("contacts({nora})"), json!({})).await;
    world.put(
        "mail/cur/2:2,S",
        &message("second", "Nora New <nora@new.example>", "anna@example.org, mia@new.example"),
    );
    let report = world.sync(EMAIL).await;
    assert_eq!(report.classes[&Class::Email].created[&Side::Crm], 2, "{report:?}");
    let names = world.rows("contacts?$select=lastname&$orderby=lastname").await;
    let names: Vec<&str> = names.iter().map(|row| row["lastname"].as_str().unwrap()).collect();
    assert_eq!(names, ["mia", "Old"]);

    // Too many wait, and the message goes; once they are approved, it is told.
    let many = "anna@example.org, a@new.example, b@new.example, c@new.example";
    world.put("mail/cur/3:2,S", &message("third", "Mia <mia@new.example>", many));
    let report = world.sync(EMAIL).await;
    assert_eq!(report.classes[&Class::Email].created[&Side::Crm], 1, "{report:?}");
    assert_eq!(report.classes[&Class::Email].held, 3, "{report:?}");
    let waiting = doubts(&world).into_iter().filter(|doubt| doubt.waiting > 0).count();
    assert_eq!(waiting, 3);
    world.approve_all();
    let report = world.sync(EMAIL).await;
    assert_eq!(report.classes[&Class::Email].created.get(&Side::Crm), Some(&3), "{report:?}");
    assert_eq!(report.classes[&Class::Email].updated.get(&Side::Crm), Some(&1), "{report:?}");
    let told = parties(&world, "third").await;
    assert_eq!(told.iter().filter(|(_, _, party)| party.is_empty()).count(), 0, "{told:?}");
    let quiet = world.sync(EMAIL).await;
    assert!(quiet.operations() == 0 && quiet.classes[&Class::Email].held == 0, "{quiet:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn colleagues_make_one_lead() {
    let mut world = World::new().await;
    let mut bo = world.colleague("bo").await;
    for engine in [&mut world.engine, &mut bo.engine] {
        engine.settings.filing.create_people = Create::Lead;
    }
    let text = message("one", "Nora New <nora@new.example>", "anna@example.org, bo@example.org");
    world.put("mail/cur/1:2,S", &text);
    bo.put("mail/cur/1:2,S", &text.replace("Nora New", "N. New").replace("one", "two"));
    // Both plan before either makes it.
    world.sync(EMAIL).await;
    bo.engine.sync(EMAIL, "test").await.unwrap();
    world.approve_all();
    world.sync(EMAIL).await;
    bo.first_sync(EMAIL).await;
    let rows = world.rows("leads?$select=leadid,lastname,emailaddress1").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    let nora = rows[0]["leadid"].as_str().unwrap();
    for subject in ["one", "two"] {
        let told = parties(&world, subject).await;
        assert!(told.contains(&(1, "nora@new.example".to_owned(), nora.to_owned())), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_told_is_listed_and_not_tried_for_ever() {
    let world = World::new().await;
    let erik = world.colleague("erik").await;
    for name in ["One", "Two"] {
        let row = json!({ "lastname": name, "emailaddress1": "info@firm.example" });
        world.send("erik", "POST", "contacts", row).await;
    }
    erik.put("mail/cur/1:2,S", &message("first", "Firm <info@firm.example>", "erik@example.org"));
    erik.first_sync(EMAIL).await;
    let read = || erik.engine.store.read_blocking(person::all).unwrap().remove(0);
    let doubt = read();
    assert_eq!((doubt.candidates.len(), doubt.waiting), (2, 1), "{doubt:?}");
    // Out of his sight, which ends at his own.
    let id = world.rows("emails?$select=activityid").await[0]["activityid"].clone();
    let anna = world.get("anna", "WhoAmI").await["UserId"].as_str().unwrap().to_owned();
    let owner = json!({ "ownerid@odata.bind": format!("/systemusers({anna})") });
    world.send("admin", "PATCH", &format!("emails({})", id.as_str().unwrap()), owner).await;
    let choice = Choice::Record(doubt.candidates[0].party.clone());
    erik.engine.store.promise_blocking(|tx| person::choose(tx, &doubt.address, &choice)).unwrap();
    let report = erik.engine.sync(EMAIL, "test").await.unwrap();
    assert_eq!(report.classes[&Class::Email].refused, 1, "{report:?}");
    assert_eq!((read().waiting, read().refused), (1, 1));
    let quiet = erik.engine.sync(EMAIL, "test").await.unwrap();
    assert_eq!(quiet.operations(), 0, "{quiet:?}");
}
