//! Rounds over the wire: what moves, what it costs, and that a quiet world stays quiet.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use liaison::model::{Class, Side};
use liaison::sync::Progress;
use serde_json::json;

use super::world::World;

fn card(uid: &str, name: &str, lines: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\n{lines}END:VCARD\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn all_four_classes_go_over_and_then_nothing_moves() {
    let world = World::new().await;
    world.put(
        "contacts/berg.vcf",
        &card("berg", "Berg", "TEL;TYPE=WORK:+49 30 1\r\nX-COLOUR:blue\r\n"),
    );
    world.put(
        "calendar/lunch.ics",
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:lunch\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART;TZID=Europe/Berlin:20370105T120000\r\nDTEND;TZID=Europe/Berlin:20370105T130000\r\nSUMMARY:Lunch\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n",
    );
    world.put(
        "calendar/weekly.ics",
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:weekly\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART;TZID=Europe/Berlin:20370105T090000\r\nDTEND;TZID=Europe/Berlin:20370105T093000\r\nSUMMARY:Weekly\r\n\
         RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=6\r\nEXDATE;TZID=Europe/Berlin:20370119T090000\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:weekly\r\nRECURRENCE-ID;TZID=Europe/Berlin:20370126T090000\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART;TZID=Europe/Berlin:20370126T110000\r\nDTEND;TZID=Europe/Berlin:20370126T113000\r\nSUMMARY:Weekly, later\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n",
    );
    world.put(
        "calendar/call.ics",
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VTODO\r\nUID:call\r\nDTSTAMP:20260101T000000Z\r\n\
         DUE;VALUE=DATE:20370201\r\nSUMMARY:Call back\r\nEND:VTODO\r\nEND:VCALENDAR\r\n",
    );
    world.put(
        "mail/cur/1.a:2,S",
        "From: Bo <bo@example.org>\r\nTo: anna@example.org\r\nSubject: Hello\r\nMessage-ID: <hello@example.org>\r\n\
         Date: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\nHi Anna\r\n",
    );
    let held = world.sync(&Class::ALL).await;
    for class in Class::ALL {
        assert_eq!(held.classes[&class].operations, 0, "the first sync of {class} waits");
        assert!(held.classes[&class].held > 0, "{class}: {:?}", held.classes[&class]);
    }
    world.approve_all();
    let done = world.sync(&Class::ALL).await;
    for class in Class::ALL {
        let report = &done.classes[&class];
        assert!(report.error.is_none(), "{class}: {:?}", report.error);
        assert!(report.created[&Side::Crm] >= 1, "{class}: {report:?}");
        assert_eq!(report.quarantined, 0, "{class}: {report:?}");
    }
    let quiet = world.sync(&Class::ALL).await;
    assert_eq!(quiet.operations(), 0, "{quiet:?}");
    for class in [Class::Contact, Class::Task, Class::Appointment] {
        let listed = &quiet.classes[&class].listed;
        assert_eq!(
            listed[&Side::Mailbox],
            listed[&Side::Crm],
            "{class}: what went over is in the filter"
        );
    }
    assert!(quiet.classes.values().all(liaison::sync::ClassReport::in_step), "{quiet:?}");
    assert_eq!(world.rows("contacts?$select=lastname&$filter=lastname eq 'Berg'").await.len(), 1);
    assert_eq!(world.rows("emails?$select=subject").await.len(), 1);
    let series = world.rows("recurringappointmentmasters?$select=subject").await;
    assert_eq!(series.len(), 1);
    let exceptions = world.rows("appointments?$select=subject&$filter=instancetypecode eq 3").await;
    assert_eq!(exceptions.len(), 1, "{exceptions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_change_and_meet() {
    let world = World::new().await;
    world.put(
        "contacts/berg.vcf",
        &card("berg", "Berg", "TEL;TYPE=WORK:1\r\nTITLE:Cook\r\nX-COLOUR:blue\r\n"),
    );
    world.first_sync(&[Class::Contact]).await;
    let row = world.rows("contacts?$select=contactid,telephone1&$filter=lastname eq 'Berg'").await
        [0]
    .clone();
    assert_eq!(row["telephone1"], "1");
    let id = row["contactid"].as_str().unwrap().to_owned();
    world.send("anna", "PATCH", &format!("contacts({id})"), json!({ "jobtitle": "Chef" })).await;
    world.put(
        "contacts/berg.vcf",
        &card("berg", "Berg", "TEL;TYPE=WORK:2\r\nTITLE:Cook\r\nX-COLOUR:blue\r\n"),
    );
    let report = world.sync(&[Class::Contact]).await;
    assert_eq!(report.classes[&Class::Contact].conflicts, 0, "{report:?}");
    let text = std::fs::read_to_string(world.path("contacts/berg.vcf")).unwrap();
    assert!(
        text.contains("TITLE:Chef")
            && text.contains("TEL;TYPE=WORK:2")
            && text.contains("X-COLOUR:blue"),
        "{text}"
    );
    let row = world.rows("contacts?$select=telephone1,jobtitle&$filter=lastname eq 'Berg'").await
        [0]
    .clone();
    assert_eq!((row["telephone1"].as_str(), row["jobtitle"].as_str()), (Some("2"), Some("Chef")));
    assert_eq!(world.sync(&[Class::Contact]).await.operations(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reinstall_finds_the_same_pairs() {
    let mut world = World::new().await;
    for number in 0..20 {
        world.put(
            &format!("contacts/c{number}.vcf"),
            &card(&format!("c{number}"), &format!("Name{number}"), "TEL;TYPE=CELL:1\r\n"),
        );
    }
    world
        .send("anna", "POST", "contacts", json!({ "lastname": "Fromcrm", "telephone1": "3" }))
        .await;
    world.first_sync(&[Class::Contact]).await;
    assert_eq!(world.sync(&[Class::Contact]).await.operations(), 0);
    world.forget(2).await;
    let report = world.first_sync(&[Class::Contact]).await;
    assert_eq!(report.operations(), 0, "{report:?}");
    assert_eq!(report.classes[&Class::Contact].linked, 21);
    assert_eq!(
        world.rows("contacts?$select=lastname&$filter=_ownerid_value ne null").await.len(),
        21
    );
    assert_eq!(std::fs::read_dir(world.path("contacts")).unwrap().count(), 21);
}

/// The figures that noise cannot move: requests for 10,000 new contacts, and for a round in which nothing changed.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_contacts_cost_few_requests() {
    let mut world = World::new().await;
    for number in 0..10_000 {
        let mut lines = String::new();
        write!(lines, "EMAIL:c{number}@example.com\r\nTEL;TYPE=WORK:+49 30 {number}\r\n").unwrap();
        world.put(
            &format!("contacts/c{number}.vcf"),
            &card(&format!("c{number}"), &format!("Name{number}"), &lines),
        );
    }
    world.sync(&[Class::Contact]).await;
    world.approve_all();
    world.restart().await;
    let before = world.engine.crm.requests();
    let report = world.sync(&[Class::Contact]).await;
    let new = world.engine.crm.requests() - before;
    assert_eq!(report.classes[&Class::Contact].created[&Side::Crm], 10_000, "{report:?}");
    let before = world.engine.crm.requests();
    let quiet = world.sync(&[Class::Contact]).await;
    let idle = world.engine.crm.requests() - before;
    println!(
        "10,000 new contacts: {new} requests, {:.1} s; a quiet round: {idle} requests, {:.2} s",
        report.seconds, quiet.seconds
    );
    assert_eq!(quiet.operations(), 0);
    // Each of the 25 batches is preceded by the question who syncs; that this computer does is written down twice.
    assert!(new <= 30 + 25 + 2, "{new} requests for 10,000 new contacts");
    assert!(idle <= 4, "{idle} requests for a round without changes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_keeps_its_days_across_a_clock_change() {
    let world = World::new().await;
    // Half past midnight on Mondays is still Sunday in UTC; the clock changes on the 29th of March.
    let weekly = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:night\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART;TZID=Europe/Berlin:20370316T003000\r\nDTEND;TZID=Europe/Berlin:20370316T010000\r\nSUMMARY:Night shift\r\n\
         RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=5\r\nEXDATE;TZID=Europe/Berlin:20370323T003000\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:night\r\nRECURRENCE-ID;TZID=Europe/Berlin:20370330T003000\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART;TZID=Europe/Berlin:20370330T110000\r\nDTEND;TZID=Europe/Berlin:20370330T113000\r\nSUMMARY:By day\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n";
    world.put("calendar/night.ics", weekly);
    let class = Class::Appointment;
    let done = world.first_sync(&[class]).await;
    let report = &done.classes[&class];
    assert!(report.error.is_none() && report.quarantined == 0 && report.refused == 0, "{report:?}");
    let read = || std::fs::read_to_string(world.path("calendar/night.ics")).unwrap();
    assert_eq!(read(), weekly);
    let quiet = world.sync(&[class]).await;
    assert!(quiet.operations() == 0 && quiet.classes[&class].in_step(), "{quiet:?}");
    assert_eq!(read(), weekly);

    let series = world
        .rows("recurringappointmentmasters?$select=daysofweekmask,deletedexceptionslist")
        .await;
    assert_eq!((series.len(), &series[0]["daysofweekmask"]), (1, &json!(2)), "{series:?}");
    assert_eq!(series[0]["deletedexceptionslist"], "2037-03-22T23:30:00Z");
    let exceptions =
        "appointments?$select=originalstartdate,scheduledstart&$filter=instancetypecode eq 3";
    let rows = world.rows(exceptions).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["originalstartdate"], "2037-03-29T22:30:00Z");
    assert_eq!(rows[0]["scheduledstart"], "2037-03-30T09:00:00Z");

    let moved = json!({
        "Target": {
            "@odata.type": "Microsoft.Dynamics.CRM.appointment",
            "seriesid": series[0]["activityid"],
            "scheduledstart": "2037-04-13T12:00:00Z",
            "scheduledend": "2037-04-13T12:30:00Z",
        },
        "OriginalStartDate": "2037-04-12T22:30:00Z",
        "IsDeleted": false,
    });
    let action = "appointments/Microsoft.Dynamics.CRM.CreateException";
    world.send("bo", "POST", action, moved).await;
    let report = world.sync(&[class]).await;
    assert_eq!(report.classes[&class].updated.get(&Side::Mailbox), Some(&1), "{report:?}");
    let text = read();
    for line in [
        "RECURRENCE-ID;TZID=Europe/Berlin:20370413T003000\r\n",
        "DTSTART;TZID=Europe/Berlin:20370413T140000\r\n",
        "DTEND;TZID=Europe/Berlin:20370413T143000\r\n",
        "RECURRENCE-ID;TZID=Europe/Berlin:20370330T003000\r\n",
        "EXDATE;TZID=Europe/Berlin:20370323T003000\r\n",
        "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=5\r\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert_eq!(world.sync(&[class]).await.operations(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_had_to_stop_before_the_world_came_to_rest_is_not_in_step() {
    const CARDS: usize = 20;
    let mut world = World::new().await;
    world.put("contacts/first.vcf", &card("first", "First", ""));
    assert!(world.first_sync(&[Class::Contact]).await.classes[&Class::Contact].in_step());
    // Somebody adds a card whenever something is written.
    let (folder, added) = (world.path("contacts"), AtomicUsize::new(0));
    world.engine.progress = Arc::new(move |progress| {
        let number = added
            .fetch_add(usize::from(matches!(progress, Progress::Writing { .. })), Ordering::SeqCst);
        if matches!(progress, Progress::Writing { .. }) && number < CARDS {
            let name = format!("more-{number}");
            std::fs::write(folder.join(format!("{name}.vcf")), card(&name, &name, "")).unwrap();
        }
    });
    world.put("contacts/second.vcf", &card("second", "Second", ""));
    let report = world.sync(&[Class::Contact]).await;
    let contact = &report.classes[&Class::Contact];
    assert!(contact.unsettled && !contact.in_step(), "{contact:?}");
    let mut rounds = 0;
    while !world.sync(&[Class::Contact]).await.classes[&Class::Contact].in_step() {
        rounds += 1;
        assert!(rounds < CARDS, "it never comes to rest");
    }
    assert_eq!(world.rows("contacts?$select=contactid").await.len(), CARDS + 2);
}

/// Whoever asks for it, and whether the user is asked by name or by a list: it stays theirs, and after a reinstall too.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_of_a_stranger_stays_his() {
    let anna = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@example.org\r\n";
    let list = "ATTENDEE:mailto:all@list.example\r\n";
    for guests in [anna.to_owned(), format!("{anna}{list}"), list.to_owned(), String::new()] {
        let mut world = World::new().await;
        let event = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:lunch\r\n\
             DTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Berlin:20370105T120000\r\n\
             DTEND;TZID=Europe/Berlin:20370105T130000\r\nSUMMARY:Lunch\r\n\
             ORGANIZER:mailto:carla@customer.example\r\n{guests}END:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        world.put("calendar/lunch.ics", &event);
        world.first_sync(&[Class::Appointment]).await;
        let settled = async |world: &World| {
            let quiet = world.sync(&[Class::Appointment]).await;
            let report = &quiet.classes[&Class::Appointment];
            assert_eq!((report.operations, report.linked, report.hidden), (0, 1, 0), "{report:?}");
            let verdict = world.engine.verify(Class::Appointment).await.unwrap();
            assert!(verdict.findings.is_empty() && verdict.pairs == 1, "{guests}: {verdict:?}");
            let text = std::fs::read_to_string(world.path("calendar/lunch.ics")).unwrap();
            assert_eq!(text, event);
        };
        settled(&world).await;
        world.forget(2).await;
        settled(&world).await;
    }
}
