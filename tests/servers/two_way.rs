//! All four classes both ways: what the organisation changes is on the servers, what another program changes there is in the
//! organisation, and what nobody here understands stays as it was.

use std::fs;

use liaison::model::Class;
use serde_json::{Value as Json, json};

use super::office::{Alone, Office, Separate, Servers, appointment, id, message};

/// What other programs write and the CRM has no room for.
const PHOTO: &str = "PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const ALARM: &str =
    "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Soon\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\n";

fn card() -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:berg\r\nFN:Berta Berg\r\nN:Berg;Berta;;;\r\n\
         EMAIL;TYPE=WORK:berta@customer.example\r\nTEL;TYPE=WORK:+49 30 1\r\nX-KEPT;X-HOW=well:as it is\r\n{PHOTO}\r\n\
         CATEGORIES:Tracked to CRM\r\nEND:VCARD\r\n"
    )
}

fn calendar(components: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Somebody//Else//EN\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n\
         BEGIN:STANDARD\r\nDTSTART:19961027T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n\
         RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\n\
         BEGIN:DAYLIGHT\r\nDTSTART:19810329T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n\
         RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n{components}END:VCALENDAR\r\n"
    )
}

fn event(uid: &str, day: &str, summary: &str, more: &str) -> String {
    format!(
        "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Berlin:{day}T120000\r\n\
         DTEND;TZID=Europe/Berlin:{day}T130000\r\nSUMMARY:{summary}\r\nCATEGORIES:Tracked to CRM\r\n\
         X-KEPT;X-HOW=well:as it is\r\n{more}{ALARM}END:VEVENT\r\n"
    )
}

/// Every Monday, one of them later.
fn series() -> String {
    let master =
        event("weekly", "20370105", "Weekly round", "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=6\r\n");
    let moved = "RECURRENCE-ID;TZID=Europe/Berlin:20370119T120000\r\n";
    let exception = event("weekly", "20370119", "Weekly round", moved)
        .replace("20370119T120000\r\nDTEND", "20370119T150000\r\nDTEND")
        .replace("20370119T130000", "20370119T160000");
    calendar(&(master + &exception))
}

const TASK: &str = "BEGIN:VTODO\r\nUID:report\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Write the report\r\n\
    DUE;VALUE=DATE:20370301\r\nCATEGORIES:Tracked to CRM\r\nX-KEPT;X-HOW=well:as it is\r\nEND:VTODO\r\n";

/// Something of each class on both sides.
fn furnish<S: Servers>(office: &Office<S>) {
    office.put(Class::Contact, "berg.vcf", &card());
    let friend = card()
        .replace("berg", "friend")
        .replace("Berta", "Frida")
        .replace("Tracked to CRM", "Friends");
    office.put(Class::Contact, "friend.vcf", &friend);
    office.put(
        Class::Appointment,
        "lunch.ics",
        &calendar(&event("lunch", "20370105", "Lunch", "")),
    );
    office.put(Class::Appointment, "weekly.ics", &series());
    office.put(Class::Task, "report.ics", &calendar(TASK));
    let mail = office.servers.mail();
    let offer = message("offer", "Berta <berta@customer.example>", "Your offer", "");
    mail.append("INBOX", offer.as_bytes(), &["$CrmTracked", r"\Seen"]);
    mail.append(
        "INBOX",
        message("news", "News <news@elsewhere.example>", "News", "").as_bytes(),
        &[],
    );

    office.make(
        "contacts",
        &id(1),
        &json!({ "firstname": "Conrad", "lastname": "Crm", "emailaddress1": "conrad@customer.example", "mobilephone": "+49 171 1" }),
    );
    office.make(
        "tasks",
        &id(2),
        &json!({ "subject": "Call Conrad", "scheduledend": "2037-02-01T00:00:00Z" }),
    );
    office.make(
        "appointments",
        &id(3),
        &appointment(&office.anna(), "Visit", "2037-01-07T09:00:00Z", "2037-01-07T10:00:00Z"),
    );
}

/// What the organisation has of a thing.
fn column<S>(office: &Office<S>, set: &str, filter: &str, column: &str) -> Json {
    let rows = office.organisation.rows(set);
    let mut found = rows.iter().filter(|row| row.to_string().contains(filter));
    let row = found.next().unwrap_or_else(|| panic!("no “{filter}” in {rows:#?}"));
    assert_eq!(found.next(), None, "“{filter}” is there twice");
    row[column].clone()
}

fn path<S>(office: &Office<S>, set: &str, key: &str, filter: &str) -> String {
    format!("{set}({})", column(office, set, filter, key).as_str().unwrap())
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no “{part}” in\n{text}");
    }
}

/// What came over at the first sync, in both directions.
fn everything_is_there<S: Servers>(office: &Office<S>) {
    let rows = |set: &str| office.organisation.rows(set).len();
    assert_eq!((rows("contacts"), rows("tasks"), rows("emails")), (2, 2, 1));
    assert_eq!(rows("recurringappointmentmasters"), 1);
    assert_eq!(column(office, "contacts", "Berta", "telephone1"), "+49 30 1");
    assert_eq!(column(office, "emails", "Your offer", "messageid"), "<offer@customer.example>");
    let lunch = column(office, "appointments", "Lunch", "scheduledstart");
    assert_eq!(lunch, "2037-01-05T11:00:00Z");
    let moved = column(office, "appointments", "2037-01-19T14:00:00Z", "instancetypecode");
    assert_eq!(moved, 3, "an exception");

    has(&office.item(Class::Contact, "Conrad").1, &["+49 171 1", "conrad@customer.example"]);
    has(&office.item(Class::Task, "Call Conrad").1, &["20370201"]);
    has(&office.item(Class::Appointment, "SUMMARY:Visit").1, &["20370107T1"]);
}

/// Colleagues and Anna herself work in the CRM.
fn the_crm_changes<S: Servers>(office: &Office<S>) {
    let change = |set: &str, key: &str, filter: &str, columns: &str| {
        office.organisation.change(&path(office, set, key, filter), columns);
    };
    change("contacts", "contactid", "Berta", r#"{"jobtitle":"Director","telephone1":"+49 30 2"}"#);
    change("tasks", "activityid", "Write the report", r#"{"subject":"Write both reports"}"#);
    change("appointments", "activityid", "Lunch", r#"{"location":"Room 9"}"#);
    change("recurringappointmentmasters", "activityid", "Weekly", r#"{"location":"Room 1"}"#);
    assert_eq!(office.sync(), 4);
    let kept = "X-KEPT;X-HOW=well:as it is";
    let card = office.item(Class::Contact, "Berta").1;
    has(&card, &["TITLE:Director", "+49 30 2", kept, PHOTO]);
    let (_, series) = office.item(Class::Appointment, "Weekly round");
    has(&series, &["Room 1", kept, "RRULE:FREQ=WEEKLY", "RECURRENCE-ID"]);
    assert_eq!(series.matches("TRIGGER:-PT15M").count(), 2, "{series}");
    has(
        &office.item(Class::Appointment, "Lunch").1,
        &["Room 9", kept, "TRIGGER:-PT15M", "DTSTART;TZID=Europe/Berlin"],
    );
    has(&office.item(Class::Task, "Write both reports").1, &[kept]);
    office.is_quiet();
}

/// Other programs work in the mailbox.
fn the_mailbox_changes<S: Servers>(office: &Office<S>) {
    office.edit(Class::Contact, "+49 171 1", "+49 171 2");
    office.edit(Class::Contact, "FN:Berta Berg", "NOTE:Likes tea\r\nFN:Berta Berg");
    office.edit(Class::Task, "SUMMARY:Call Conrad", "X-NEW:here\r\nSUMMARY:Call Conrad today");
    office.edit(Class::Appointment, "SUMMARY:Lunch", "SUMMARY:Long lunch");
    office.edit(Class::Appointment, "RECURRENCE-ID", "LOCATION:Cellar\r\nRECURRENCE-ID");
    let answer = message(
        "answer",
        "Anna <anna@example.org>",
        "Re: Your offer",
        "In-Reply-To: <offer@customer.example>\n",
    );
    office.servers.mail().append("Sent", answer.as_bytes(), &[r"\Seen"]);
    assert!(office.sync() >= 5);
    assert_eq!(column(office, "contacts", "Conrad", "mobilephone"), "+49 171 2");
    assert_eq!(column(office, "contacts", "Berta", "description"), "Likes tea");
    assert_eq!(column(office, "tasks", "Call Conrad", "subject"), "Call Conrad today");
    assert_eq!(column(office, "appointments", "Long lunch", "location"), "Room 9");
    assert_eq!(column(office, "appointments", "2037-01-19T14:00:00Z", "location"), "Cellar");
    assert_eq!(column(office, "emails", "Re: Your offer", "directioncode"), true);
    assert_eq!(office.organisation.rows("emails").len(), 2);
    office.is_quiet();
    has(&office.item(Class::Task, "Call Conrad today").1, &["X-NEW:here"]);
}

/// Things go, on either side.
fn something_is_deleted<S: Servers>(office: &Office<S>) {
    office.remove(Class::Task, "Write both reports");
    office.remove(Class::Appointment, "Long lunch");
    office.organisation.delete(&format!("contacts({})", id(1)));
    office.organisation.delete(&format!("appointments({})", id(3)));
    office.servers.mail().delete("INBOX", "<offer@customer.example>");
    assert_eq!(office.sync(), 4);
    let names =
        |set: &str, key: &str| -> Vec<String> { office.rows(set, key).into_keys().collect() };
    assert_eq!(names("tasks", "subject"), ["Call Conrad today"]);
    assert_eq!(names("contacts", "lastname"), ["Berg"]);
    assert_eq!(office.organisation.rows("emails").len(), 2, "the record of a message stays");
    let cards = office.items(Class::Contact);
    assert!(cards.len() == 2 && !cards.values().any(|text| text.contains("Conrad")), "{cards:#?}");
    let calendar = office.items(Class::Appointment);
    assert!(!calendar.values().any(|text| text.contains("Visit")), "{calendar:#?}");
    office.is_quiet();
}

/// The last round is taken back, and taken back again.
fn what_was_deleted_comes_back<S: Servers>(office: &Office<S>) {
    let rounds = office.here.json(&["history"])["rounds"].clone();
    let wrote = |round: &&Json| round["writes"].as_u64().unwrap() > 0;
    let last =
        rounds.as_array().unwrap().iter().filter(wrote).max_by_key(|round| round["round"].as_u64());
    let round = last.unwrap()["round"].to_string();
    let undone = office.here.run(&["--json", "undo", &round, "--yes"]).ends(0).json();
    let outcomes = undone["outcomes"].as_array().unwrap();
    assert!(outcomes.iter().all(|one| one["outcome"] == "done"), "{undone:#}");
    office.is_quiet();
    assert_eq!(office.rows("tasks", "subject").len(), 2);
    has(&office.item(Class::Contact, "Conrad").1, &["+49 171 2"]);
    has(&office.item(Class::Appointment, "SUMMARY:Visit").1, &["20370107T1"]);
    let again = undone["undo_round"].to_string();
    office.here.run(&["undo", &again, "--yes"]).ends(0);
    office.is_quiet();
    assert_eq!(office.rows("tasks", "subject").len(), 1);
    assert!(!office.items(Class::Appointment).values().any(|text| text.contains("Visit")));
}

fn kept_in_step<S: Servers>() {
    let office = Office::<S>::open("");
    furnish(&office);
    office.first_sync();
    everything_is_there(&office);
    the_crm_changes(&office);
    office.is_in_order();
    the_mailbox_changes(&office);
    office.is_in_order();
    something_is_deleted(&office);
    office.is_in_order();
    what_was_deleted_comes_back(&office);
    office.is_in_order();

    // Whatever is forgotten here, the servers know who belongs to whom.
    fs::remove_dir_all(office.here.path("state")).unwrap();
    let before = [Class::Contact, Class::Appointment, Class::Task].map(|class| office.items(class));
    office.here.run(&["plan"]).ends(0);
    office.is_quiet();
    let after = [Class::Contact, Class::Appointment, Class::Task].map(|class| office.items(class));
    assert_eq!(before, after);
}

#[test]
fn dovecot_and_radicale_are_kept_in_step() {
    kept_in_step::<Separate>();
}

#[test]
fn cyrus_alone_is_kept_in_step() {
    kept_in_step::<Alone>();
}
