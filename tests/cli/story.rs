//! What a person does with the program from the first plan to taking a round back.

use std::fs;

use serde_json::Value as Json;

use super::installation::{Installation, Organisation};

const TASK: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//\r\nBEGIN:VTODO\r\nUID:report-1@example.org\r\n\
DTSTAMP:20260101T000000Z\r\nSUMMARY:Write the report\r\nCATEGORIES:Tracked to CRM\r\nDUE;VALUE=DATE:20260301\r\n\
END:VTODO\r\nEND:VCALENDAR\r\n";

const MAIL: &str = "From: Ann Smith <ann@example.com>\r\nTo: anna@example.org\r\nSubject: Your offer\r\n\
Date: Fri, 02 Jan 2026 10:00:00 +0000\r\nMessage-ID: <offer-1@example.com>\r\n\r\nThank you.\r\n";

fn furnished(organisation: &Organisation) -> Installation {
    let here = Installation::new(&organisation.url, &organisation.tokens());
    here.card("ann", "Ann Smith", "+44 20 7946 0001", true);
    here.card("bob", "Bob Jones", "+44 20 7946 0002", false);
    here.write("mailbox/calendar/report.ics", TASK);
    here.write("mailbox/calendar/call.ics", &TASK.replace("report", "call"));
    here.write("mailbox/mail/new/1.M1P1.host", MAIL);
    here
}

fn operations(json: &Json) -> u64 {
    let classes = json["classes"].as_object().unwrap();
    classes.values().map(|class| class["operations"].as_u64().unwrap()).sum()
}

/// A mailbox whose first plan was approved and carried out.
fn in_step(organisation: &Organisation) -> Installation {
    let here = furnished(organisation);
    here.run(&["plan"]).ends(4);
    here.run(&["approve", "--all"]).ends(0);
    here.run(&["sync"]).ends(0);
    here
}

#[test]
fn nothing_is_written_before_it_was_approved() {
    let organisation = Organisation::serve();
    let here = furnished(&organisation);
    here.run(&["status"]).ends(3).says("not synced yet").says("liaison plan");
    here.run(&["plan"])
        .ends(4)
        .says("contact “Ann Smith”: create in the CRM")
        .says("approve --all");
    here.run(&["sync", "--dry-run"]).ends(4);
    here.run(&["sync"]).ends(4).says("wait for your word");
    assert_eq!(organisation.rows("contacts?$select=lastname").len(), 0);
    here.run(&["approve"]).ends(4).says("hold 1").says("create 1 in the CRM");
    here.run(&["explain", "Ann Smith"]).ends(0).says("category `Tracked to CRM`").says("hold 1");
    here.run(&["approve", "1"]).ends(0).says("approved 1 operation");
    here.run(&["status"]).ends(4).says("1 decision waits to be carried out");
    here.run(&["approve", "--all"]).ends(0);
    here.run(&["sync"]).ends(0).says("everything is in step");
    assert_eq!(organisation.rows("contacts?$select=lastname").len(), 1);
    assert_eq!(organisation.rows("tasks?$select=subject").len(), 2);
    here.run(&["status"]).ends(0).says("in step since");
    assert_eq!(operations(&here.json(&["sync"])), 0);
    let status = here.json(&["status"]);
    assert_eq!(status["in_step"], true);
    let emails = &status["classes"]["email"]["items"];
    assert_eq!((&emails["all"], &emails["skipped"]["no rule tracks it"]), (&1.into(), &1.into()));
}

#[test]
fn a_lost_state_finds_the_same_pairs() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let before = here.read("mailbox/contacts/ann.vcf");
    fs::remove_dir_all(here.path("state")).unwrap();
    here.run(&["plan"]).ends(0);
    here.run(&["sync"]).ends(0);
    assert_eq!(here.read("mailbox/contacts/ann.vcf"), before);
    assert_eq!(organisation.rows("contacts?$select=lastname").len(), 1);
    assert_eq!(organisation.rows("tasks?$select=subject").len(), 2);
}

#[test]
fn edits_meet_and_a_round_is_taken_back() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let record = organisation.rows("contacts?$select=contactid")[0]["contactid"].clone();
    let path = format!("contacts({})", record.as_str().unwrap());
    organisation.change(&path, r#"{"jobtitle":"Director"}"#);
    here.card("ann", "Ann Smith", "+44 20 7946 0099", true);
    let before = here.read("mailbox/contacts/ann.vcf");
    let report = here.json(&["sync"]);
    assert_eq!(operations(&report), 2, "{report}");
    let round = report["round"].to_string();
    let card = here.read("mailbox/contacts/ann.vcf");
    assert!(card.contains("TITLE:Director") && card.contains("X-KEPT:as it is"), "{card}");
    let phone = || organisation.rows("contacts?$select=telephone1")[0]["telephone1"].clone();
    assert_eq!(phone(), "+44 20 7946 0099");

    here.run(&["explain", "ann.vcf"])
        .ends(0)
        .says("both sides agree")
        .says("telephone1: “+44 20 7946 0001” → “+44 20 7946 0099”");
    here.run(&["explain", record.as_str().unwrap()]).ends(0).says("ann.vcf");
    here.run(&["explain", "ann-uid"]).ends(0).says("ann.vcf");
    here.run(&["history", "Ann Smith"]).ends(0).says("create in the CRM, done");
    here.run(&["history"]).ends(0).says("2 updates");
    here.run(&["history", "--round", &round]).ends(0).says("jobtitle: (empty) → “Director”");

    here.run(&["undo", &round]).ends(0).says("telephone1 as before in the CRM").says("--yes");
    assert_eq!(phone(), "+44 20 7946 0099");
    here.run(&["undo", &round, "--yes"]).ends(0).says("took back 2 of 2");
    assert_eq!(phone(), "+44 20 7946 0001");
    assert_eq!(here.read("mailbox/contacts/ann.vcf"), before);
    assert_eq!(operations(&here.json(&["sync"])), 0);
    here.run(&["undo", &round]).ends(0).says("it changed since");
}

#[test]
fn what_was_made_and_deleted_comes_and_goes_by_undo() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let tasks = || organisation.rows("tasks?$select=subject").len();
    fs::remove_file(here.path("mailbox/calendar/report.ics")).unwrap();
    let deleted = here.json(&["sync"])["round"].to_string();
    assert_eq!(tasks(), 1);
    let undone = here.json(&["undo", &deleted, "--yes"]);
    assert_eq!((tasks(), &undone["outcomes"][0]["outcome"]), (2, &"done".into()), "{undone}");
    assert_eq!(operations(&here.json(&["sync"])), 0);
    // Taking back is a round like others.
    let again = undone["undo_round"].to_string();
    here.run(&["undo", &again, "--yes"]).ends(0);
    assert_eq!(tasks(), 1);
    assert_eq!(operations(&here.json(&["sync"])), 0);
}

#[test]
fn a_first_round_is_taken_back_and_made_again_on_demand() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let card = here.read("mailbox/contacts/ann.vcf");
    let there = || {
        let count = |set: &str| organisation.rows(&format!("{set}?$select=createdon")).len();
        (count("contacts"), count("tasks"))
    };
    let rounds = here.json(&["history"]);
    let first = rounds["rounds"][0]["round"].to_string();
    let undone = here.json(&["undo", &first, "--yes"]);
    assert_eq!((there(), undone["outcomes"].as_array().unwrap().len()), ((0, 0), 3), "{undone}");
    assert_eq!(operations(&here.json(&["sync"])), 0);
    assert_eq!(here.read("mailbox/contacts/ann.vcf"), card);
    here.run(&["explain", "ann.vcf"]).ends(0).says("you untracked it");
    here.run(&["track", "ann.vcf"]).ends(0);
    assert_eq!(operations(&here.json(&["sync"])), 1);
    assert_eq!(there(), (1, 0));
    // The rest comes back by taking back that it was taken back.
    let round = undone["undo_round"].to_string();
    here.run(&["undo", &round, "--yes"]).ends(0).says("took back 2 of 2").says("it is there again");
    assert_eq!(there(), (1, 2));
    assert_eq!(operations(&here.json(&["sync"])), 0);
    here.run(&["explain", "task:report.ics"]).ends(0).says("both sides agree");
}

#[test]
fn what_was_contested_is_flipped_by_a_word() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let record = organisation.rows("contacts?$select=contactid")[0]["contactid"].clone();
    let path = format!("contacts({})", record.as_str().unwrap());
    organisation.change(&path, r#"{"telephone1":"+44 20 7946 0777"}"#);
    here.card("ann", "Ann Smith", "+44 20 7946 0888", true);
    here.run(&["sync"]).ends(0);
    assert!(here.read("mailbox/contacts/ann.vcf").contains("0777"));
    here.run(&["conflicts"]).ends(0).says("no conflict waits");
    here.run(&["conflicts", "--all"]).ends(0).says("0777").says("0888").says("the crm won");
    here.run(&["conflicts", "settle", "1", "mailbox"]).ends(0).says("liaison sync");
    here.run(&["status"]).says("1 decision waits");
    here.run(&["sync"]).ends(0);
    assert!(here.read("mailbox/contacts/ann.vcf").contains("0888"));
    let phone = organisation.rows("contacts?$select=telephone1")[0]["telephone1"].clone();
    assert_eq!(phone, "+44 20 7946 0888");
    here.run(&["conflicts", "--all"]).ends(0).says("the mailbox won");
    assert_eq!(operations(&here.json(&["sync"])), 0);
}

#[test]
fn a_mark_beats_the_rules_and_untracking_deletes_nothing() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let contacts = || organisation.rows("contacts?$select=lastname").len();
    here.run(&["explain", "bob.vcf"]).ends(0).says("no: not in category `Tracked to CRM`");
    here.run(&["track", "bob.vcf", "<offer-1@example.com>"]).ends(0).says("Bob Jones");
    here.run(&["status"]).ends(3).says("not decided");
    // The first message ever waits as the first of every class does.
    here.run(&["sync"]).ends(4).says("1 operation waits for your word");
    here.run(&["approve", "--all"]).ends(0);
    here.run(&["sync"]).ends(0);
    assert_eq!((contacts(), organisation.rows("emails?$select=subject").len()), (2, 1));
    here.run(&["explain", "Your offer"]).ends(0).says("you track it").says("mark");

    here.run(&["untrack", "Ann Smith"]).ends(0).says("both sides keep what they have");
    here.card("ann", "Ann Smith", "+44 20 7946 0099", true);
    assert_eq!(operations(&here.json(&["sync"])), 0);
    assert_eq!(contacts(), 2);
    here.run(&["explain", "ann.vcf"]).ends(0).says("it rests");
    // Tracked again, what changed meanwhile goes over.
    here.run(&["track", "ann.vcf"]).ends(0);
    assert_eq!(operations(&here.json(&["sync"])), 1);
    assert_eq!(contacts(), 2);
}

#[test]
fn what_was_refused_waits_with_its_reason_and_is_tried_again_on_demand() {
    let organisation = Organisation::serve();
    let here = in_step(&organisation);
    let upside_down =
        TASK.replace("report", "late").replace("DUE;", "DTSTART;VALUE=DATE:20260401\r\nDUE;");
    here.write("mailbox/calendar/late.ics", &upside_down);
    here.run(&["sync"]).ends(3).says("1 write refused").says("1 item is set aside");
    here.run(&["status"]).ends(3).says("late.ics: create task: refused").says("sync --retry");
    assert_eq!(operations(&here.json(&["sync"])), 0);
    assert_eq!(operations(&here.json(&["sync", "--retry"])), 1);
    // It is in a folder for appointments and tasks, and broken, it may be either.
    here.write("mailbox/calendar/broken.ics", "no calendar");
    here.run(&["sync"]).ends(3);
    here.run(&["explain", "broken.ics"]).ends(1).says("fits 2 things").says("task:broken.ics");
    here.run(&["explain", "task:broken.ics"]).ends(0).says("set aside in the mailbox");
    fs::remove_file(here.path("mailbox/calendar/broken.ics")).unwrap();
    here.write("mailbox/calendar/late.ics", &TASK.replace("report", "late"));
    here.run(&["sync"]).ends(0);
    here.run(&["status"]).ends(0);
}

#[test]
fn settings_are_shown_with_where_they_come_from() {
    let here = Installation::new("http://127.0.0.1:1", std::path::Path::new("/nowhere"));
    here.run(&["config", "show"])
        .ends(0)
        .says("sync.contact.track")
        .says("# default")
        .says("# line 8");
    let json = here.json(&["config", "show"]);
    assert_eq!(json["mailbox.address"]["value"], "\"anna@example.org\"");
    assert_eq!(json["guard.deletes_max"]["origin"], "default");
    here.run(&["config", "path"]).ends(0).says("liaison.toml").says("state");
}
