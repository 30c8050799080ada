//! What the log and the report for a ticket must not say. Everything that is somebody's has a mark in it here: names, subjects,
//! addresses, texts, numbers, folders, hosts, secrets; none of it may be found again.

use std::fs;

use super::installation::{Installation, Organisation};

/// What names and words have in them.
const MARKS: [&str; 6] = ["quux", "zebulon", "20 7946", "s3cr3t", "127.0.0.1", "/tmp/"];

#[track_caller]
fn says_nothing(text: &str, what: &str) {
    for line in text.lines() {
        for mark in MARKS {
            assert!(!line.to_lowercase().contains(mark), "{what}: `{mark}` in: {line}");
        }
    }
}

const TASK: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//quux//\r\nBEGIN:VTODO\r\nUID:quux-1@quux.example\r\n\
DTSTAMP:20260101T000000Z\r\nSUMMARY:Quux the report\r\nDESCRIPTION:Ask Zebulon about Quux\r\nCATEGORIES:Tracked to CRM\r\n\
END:VTODO\r\nEND:VCALENDAR\r\n";

const MEETING: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//quux//\r\nBEGIN:VEVENT\r\nUID:quux-2@quux.example\r\n\
DTSTAMP:20260101T000000Z\r\nDTSTART:20270301T100000Z\r\nDTEND:20270301T110000Z\r\nSUMMARY:Lunch with Zebulon\r\n\
LOCATION:Quux Street 7946\r\nORGANIZER:mailto:anna@example.org\r\nATTENDEE;CN=Zebulon:mailto:zebulon@quux.example\r\n\
CATEGORIES:Tracked to CRM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

const MAIL: &str = "From: Zebulon Quux <zebulon@quux.example>\r\nTo: anna@example.org\r\nSubject: Offer for Quux\r\n\
Date: Fri, 02 Jan 2026 10:00:00 +0000\r\nMessage-ID: <quux-3@quux.example>\r\n\r\nCall me: +44 20 7946 0003\r\n";

/// A mailbox full of marks, and settings for it.
fn marked(organisation: &Organisation) -> Installation {
    let here = Installation::new(&organisation.url, &organisation.tokens());
    here.card("zebulon", "Zebulon Quux", "+44 20 7946 0001", true);
    here.write(
        "mailbox/contacts/broken-quux.vcf",
        "BEGIN:VCARD\r\nN:Quux;Zebulon\r\nCATEGORIES:Tracked to CRM",
    );
    here.write("mailbox/calendar/quux-task.ics", TASK);
    here.write("mailbox/calendar/quux-meeting.ics", MEETING);
    here.write("mailbox/mail/new/1.M1P1.quux", MAIL);
    here.configure(
        &organisation.url,
        &format!("echo s3cr3t >&2; cat '{}'", organisation.tokens().join("anna").display()),
        r#"
[mailbox.submission]
host = "smtp.quux.example"
user = "zebulon@quux.example"
password = { command = "echo s3cr3t-of-quux" }

[sync.email]
track = "all"
block = ["nobody@quux.example"]
folders = ["Quux/Customers"]

[sync.contact]
filters = ["default", { name = "the Quux customers", where = ["lastname eq Quux"] }]
"#,
    );
    organisation.change(
        "contacts(6f0c3c1e-86a5-5b53-9a3c-2d1f5e0b7a42)",
        r#"{"firstname":"Zebulon","lastname":"Quux of the CRM","telephone1":"+44 20 7946 0002"}"#,
    );
    here
}

/// A round in every class with all that can happen in one.
fn rounds(here: &Installation, organisation: &Organisation) -> String {
    let mut said = String::new();
    let mut run = |arguments: &[&str]| {
        let ran = super::installation::run(here.command(arguments).env("LIAISON_LOG", "info"));
        assert!(ran.code != 1 && ran.code != 2, "{arguments:?}: {ran:?}");
        said.push_str(&ran.err);
    };
    run(&["plan"]);
    run(&["approve", "--all"]);
    run(&["sync"]);
    // Both sides change one field; the other side refuses, then breaks down.
    here.card("zebulon", "Zebulon Quux", "+44 20 7946 0004", true);
    let row =
        organisation.rows("contacts?$select=contactid&$filter=lastname%20eq%20'Quux'")[0].clone();
    let path = format!("contacts({})", row["contactid"].as_str().unwrap());
    organisation.change(&path, r#"{"telephone1":"+44 20 7946 0005"}"#);
    run(&["sync"]);
    fs::remove_file(here.path("mailbox/calendar/quux-task.ics")).unwrap();
    organisation.steer("faults", r#"{"fault":"drop-reply","path":"$batch","skip":1}"#);
    run(&["sync"]);
    organisation.forget_faults();
    run(&["sync"]);
    run(&["untrack", "Zebulon Quux"]);
    run(&["sync"]);
    said
}

#[test]
fn the_log_of_full_rounds_holds_no_content() {
    let organisation = Organisation::serve();
    let here = marked(&organisation);
    let said = rounds(&here, &organisation);
    assert!(said.contains("round{id=") && said.contains("class{class=\"email\"}"), "{said}");
    assert!(said.matches("ended").count() >= 5 && said.contains("error=\"later\""), "{said}");
    let log: Vec<&str> = said.lines().filter(|line| line.contains("liaison::")).collect();
    says_nothing(&log.join("\n"), "the log");

    here.card("zebulon", "Zebulon Quux", "+44 20 7946 0009", true);
    here.run(&["track", "Zebulon Quux"]).ends(0);
    let details = here.run(&["sync", "-vv"]).err;
    assert!(details.contains("item{item=\"zebulon.vcf\""), "{details}");
    says_nothing(&details.replace("zebulon.vcf", ""), "the details");
}

#[test]
fn the_report_for_a_ticket_holds_nothing_that_is_anybodys() {
    let organisation = Organisation::serve();
    let here = marked(&organisation);
    rounds(&here, &organisation);
    here.run(&["offline", "contact"]).ends(0);
    here.run(&["online"]).ends(0);
    fs::create_dir_all(here.path("state/log")).unwrap();
    here.write(
        "state/log/1.log",
        "{\"timestamp\":\"2026-11-22T08:00:00Z\",\"level\":\"WARN\",\"target\":\"liaison::sync\",\"fields\":{\
         \"message\":\"the server refused Zebulon Quux <zebulon@quux.example>, \\\"Lunch\\\", s3cr3t\",\"kind\":\"rejected\"},\
         \"spans\":[{\"id\":7,\"name\":\"round\"}]}\n\
         {\"timestamp\":\"2026-11-22T08:00:01Z\",\"level\":\"DEBUG\",\"fields\":{\"message\":\"quux\"}}\nbroken quux\n",
    );
    let ran = here.run(&["doctor", "--bundle", "report.txt"]).ends(0);
    assert!(ran.out.contains("written: report.txt"), "{}", ran.out);
    let report = here.read("report.txt");
    says_nothing(&report, "the report");
    // A host that stands in it is the same word everywhere, and what the program says is still there.
    for part in [
        "liaison::sync",
        "the server refused",
        "kind",
        "sync.email.track = \"all\"",
        "== Last rounds",
        "\"topic\": \"reachable\"",
        "linked",
        " journal\n",
        "2026-11-22T08:00:00Z WARN",
    ] {
        assert!(report.contains(part), "{part}:\n{report}");
    }
    assert!(!report.contains("could not be had"), "{report}");
    here.run(&["doctor", "--bundle", "report.txt"]).ends(1).says("is there already");
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(here.path("report.txt")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    // Without anything that works there is a report all the same.
    here.write(
        "liaison.toml",
        "[organisation.quux]\nurl = \"https://s3cr3t.quux.example\"\nsinc = true\n",
    );
    here.run(&["doctor", "--bundle", "broken.txt"]).ends(0);
    let report = here.read("broken.txt");
    says_nothing(&report, "the report of what is broken");
    assert!(report.contains("could not be had"), "{report}");
}
