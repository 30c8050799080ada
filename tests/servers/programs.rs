//! Anna works with programs of other people, on copies of her mailbox that they bring in step with the servers: `mbsync` for
//! messages, `vdirsyncer` with `khal`, `todo` and `khard` for all else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use liaison::model::Class;
use serde_json::json;

use super::office::{Office, PASSWORD_FILE, Separate, Servers, id, message, unfolded};
use crate::support::servers::python;

const KNOWN_SENDERS: &str = "\n[sync.email]\ntrack = \"known-senders\"\n";

/// A computer of hers.
struct Desk {
    home: tempfile::TempDir,
}

impl Desk {
    fn new(office: &Office<Separate>) -> Self {
        let desk = Self { home: tempfile::tempdir().unwrap() };
        let home = desk.home.path().display();
        for folder in ["mail", "contacts", "calendar", "tasks", "status"] {
            fs::create_dir(desk.path(folder)).unwrap();
        }
        let password = office.here.path(PASSWORD_FILE).display().to_string();
        desk.write(
            "mbsyncrc",
            &format!(
                "IMAPAccount anna\nHost localhost\nPort {}\nUser anna\nPassCmd \"cat {password}\"\nSSLType None\nAuthMechs LOGIN\n\n\
                 IMAPStore far\nAccount anna\n\nMaildirStore near\nPath {home}/mail/\nInbox {home}/mail/INBOX\n\
                 SubFolders Verbatim\n\nChannel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n",
                office.servers.dovecot.imap
            ),
        );
        let mut pairs = format!("[general]\nstatus_path = \"{home}/status/\"\n");
        for (name, kind, end, class) in [
            ("contacts", "carddav", ".vcf", Class::Contact),
            ("calendar", "caldav", ".ics", Class::Appointment),
            ("tasks", "caldav", ".ics", Class::Task),
        ] {
            let url = office.servers.collection(class);
            let pair = format!(
                "\n[pair {name}]\na = \"{name}_near\"\nb = \"{name}_far\"\ncollections = null\n\
                 \n[storage {name}_near]\ntype = \"filesystem\"\npath = \"{home}/{name}/\"\nfileext = \"{end}\"\n\
                 \n[storage {name}_far]\ntype = \"{kind}\"\nurl = \"{url}\"\nusername = \"anna\"\n\
                 password.fetch = [\"command\", \"cat\", \"{password}\"]\n"
            );
            pairs.push_str(&pair);
        }
        desk.write("vdirsyncer", &pairs);
        let formats = "timeformat = %H:%M\ndateformat = %Y-%m-%d\nlongdateformat = %Y-%m-%d\n\
                       datetimeformat = %Y-%m-%d %H:%M\nlongdatetimeformat = %Y-%m-%d %H:%M\n\
                       local_timezone = Europe/Berlin\ndefault_timezone = Europe/Berlin\n";
        desk.write(
            "khal",
            &format!(
                "[calendars]\n[[work]]\npath = {home}/calendar\n[locale]\n{formats}[default]\ndefault_calendar = work\n\
                 [sqlite]\npath = {home}/khal.db\n"
            ),
        );
        desk.write(
            "todoman.py",
            &format!(
                "path = \"{home}/tasks*\"\ndate_format = \"%Y-%m-%d\"\ntime_format = \"%H:%M\"\ndefault_list = \"tasks\"\n\
                 cache_path = \"{home}/todo.db\"\n"
            ),
        );
        desk.write(
            "khard",
            &format!(
                "[addressbooks]\n[[work]]\npath = {home}/contacts\n[general]\neditor = true\nmerge_editor = true\n\
                 [vcard]\npreferred_version = 3.0\n"
            ),
        );
        // To whatever they ask.
        desk.write("yes", "yes\n");
        desk.run("vdirsyncer", &["discover"]);
        desk
    }

    fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }

    fn write(&self, below: &str, text: &str) {
        fs::write(self.path(below), text).unwrap();
    }

    /// One of the programs with its configuration, to its end.
    #[track_caller]
    fn run(&self, name: &str, arguments: &[&str]) -> String {
        let installed = python().parent().unwrap().join(name);
        let program = if name == "mbsync" { Path::new("/usr/bin/mbsync") } else { &installed };
        let mut command = Command::new(program);
        match name {
            "mbsync" => drop(command.arg("-c").arg(self.path("mbsyncrc"))),
            "todo" => {}
            _ => drop(command.arg("-c").arg(self.path(name))),
        }
        let output = command
            .args(arguments)
            .env("HOME", self.home.path())
            .env("TODOMAN_CONFIG", self.path("todoman.py"))
            .env("PYTHONIOENCODING", "utf-8")
            .stdin(fs::File::open(self.path("yes")).unwrap())
            .output()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; install.sh installs it", program.display())
            });
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{name} {arguments:?}: {said}");
        said
    }

    /// Brings the copies in step with the servers.
    #[track_caller]
    fn sync(&self) -> String {
        self.run("mbsync", &["-a"]);
        self.run("vdirsyncer", &["sync"])
    }

    /// The file of a folder that holds these words, and its text with lines unfolded.
    #[track_caller]
    fn file(&self, folder: &str, words: &str) -> (PathBuf, String) {
        let files = fs::read_dir(self.path(folder)).unwrap().map(|file| file.unwrap().path());
        let mut found = files.filter(|path| path.is_file()).filter_map(|path| {
            let text = unfolded(&fs::read_to_string(&path).unwrap());
            text.contains(words).then_some((path, text))
        });
        let one = found.next().unwrap_or_else(|| panic!("no file in {folder} says “{words}”"));
        assert_eq!(found.next(), None, "two files in {folder} say “{words}”");
        one
    }

    /// Changes one thing in a file, as an editor does.
    #[track_caller]
    fn edit(&self, folder: &str, words: &str, instead: &str) {
        let (path, text) = self.file(folder, words);
        fs::write(path, text.replace(words, instead)).unwrap();
    }

    fn card(&self, phone: &str) -> String {
        let path = self.path("card.yaml");
        let text = format!(
            "First name: Kaspar\nLast name: Hard\nEmail:\n    work: kaspar@customer.example\n\
             Phone:\n    work: \"{phone}\"\nNote: line one\nCategories:\n    - Tracked to CRM\n"
        );
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

/// What they made reaches the CRM.
fn made_there(office: &Office<Separate>, desk: &Desk) {
    desk.run("khard", &["new", "-a", "work", "-i", &desk.card("+49 30 7")]);
    let when = ["2037-03-02", "10:00", "11:00"];
    let meeting =
        ["new", "-l", "Room 7", "-g", "Tracked to CRM", "-m", "15m", when[0], when[1], when[2]];
    desk.run("khal", &[meeting.as_slice(), &["Planning", "::", "Bring the numbers"]].concat());
    desk.run("todo", &["new", "--due", "2037-04-01", "-c", "Tracked to CRM", "Write it down"]);
    desk.edit("contacts", "FN:Kaspar Hard", "X-KEPT;X-HOW=well:as it is\r\nFN:Kaspar Hard");
    desk.sync();
    office.first_sync();

    let contact = &office.organisation.rows("contacts")[0];
    assert_eq!(
        (&contact["lastname"], &contact["telephone1"]),
        (&json!("Hard"), &json!("+49 30 7"))
    );
    let meeting = &office.organisation.rows("appointments")[0];
    assert_eq!((&meeting["subject"], &meeting["location"]), (&json!("Planning"), &json!("Room 7")));
    assert_eq!(meeting["scheduledstart"], "2037-03-02T09:00:00Z");
    assert_eq!(office.organisation.rows("tasks")[0]["subject"], "Write it down");
}

/// What the CRM changed reaches them, and they lose nothing by it.
fn changed_in_the_crm(office: &Office<Separate>, desk: &Desk) {
    let row = |set: &str, key: &str| {
        let row = &office.organisation.rows(set)[0];
        format!("{set}({})", row[key].as_str().unwrap())
    };
    office.organisation.change(&row("contacts", "contactid"), r#"{"jobtitle":"Director"}"#);
    office.organisation.change(&row("appointments", "activityid"), r#"{"location":"Room 8"}"#);
    office.organisation.change(&row("tasks", "activityid"), r#"{"subject":"Write it up"}"#);
    office.make(
        "tasks",
        &id(1),
        &json!({ "subject": "Call Kaspar", "scheduledend": "2037-02-01T00:00:00Z" }),
    );
    assert_eq!(office.sync(), 4);
    desk.sync();
    let card = desk.file("contacts", "Kaspar").1;
    assert!(
        card.contains("TITLE:Director") && card.contains("X-KEPT;X-HOW=well:as it is"),
        "{card}"
    );
    let planning = desk.file("calendar", "Planning").1;
    assert!(
        planning.contains("LOCATION:Room 8") && planning.contains("TRIGGER:-PT15M"),
        "{planning}"
    );
    let shown =
        desk.run("khal", &["list", "--format", "{title} at {location}", "2037-03-02", "1d"]);
    assert!(shown.contains("Planning at Room 8"), "{shown}");
    let shown = desk.run("todo", &["list"]);
    assert!(shown.contains("Write it up") && shown.contains("Call Kaspar"), "{shown}");
    let shown = desk.run("khard", &["show", "Kaspar"]);
    assert!(shown.contains("Director"), "{shown}");
}

/// What they changed reaches the CRM.
fn changed_there(office: &Office<Separate>, desk: &Desk) {
    desk.run("khard", &["edit", "-i", &desk.card("+49 30 8"), "--format", "yaml", "Kaspar"]);
    desk.edit("calendar", "SUMMARY:Planning", "SUMMARY:Planning again");
    let list = desk.run("todo", &["list"]);
    let line = list.lines().find(|line| line.contains("Call Kaspar")).unwrap();
    let number = line.split_whitespace().find(|word| word.parse::<u32>().is_ok()).unwrap();
    desk.run("todo", &["done", number]);
    let mail =
        message("asked", "Kaspar Hard <kaspar@customer.example>", "A question", "X-Odd: yes\n");
    desk.write("mail/INBOX/cur/1700000000.1_1.desk:2,S", &mail.replace("\r\n", "\n"));
    desk.sync();
    assert_eq!(office.servers.mail().list("INBOX").len(), 1);
    // All but the first message ever, which waits as the first of every class does.
    office.here.run(&["sync"]).ends(4).says("1 operation waits for your word");
    office.here.run(&["approve", "--all"]).ends(0);
    assert_eq!(office.sync(), 1);
    assert_eq!(office.organisation.rows("contacts")[0]["telephone1"], "+49 30 8");
    assert_eq!(office.organisation.rows("appointments")[0]["subject"], "Planning again");
    let tasks = office.rows("tasks", "subject");
    assert_eq!(
        (&tasks["Call Kaspar"]["statecode"], &tasks["Write it up"]["statecode"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(office.organisation.rows("emails")[0]["subject"], "A question");
    office.is_quiet();
}

/// Filed in another folder there, which `mbsync` does by a copy and a removal.
fn filed_there(office: &Office<Separate>, desk: &Desk) {
    desk.sync();
    let (from, _) = desk.file("mail/INBOX/cur", "asked@customer.example");
    fs::rename(from, desk.path("mail/Archive/cur/1700000001.1_1.desk:2,S")).unwrap();
    desk.run("mbsync", &["-a"]);
    assert!(office.servers.mail().list("INBOX").is_empty());
    assert_eq!(office.servers.mail().list("Archive").len(), 1);
    office.is_quiet();
    let moved = office.explain("A question");
    assert!(moved["item"].as_str().unwrap().starts_with("Archive/"), "{moved:#}");
    assert_eq!(
        (moved["linked"].clone(), office.organisation.rows("emails").len()),
        (json!(true), 1)
    );
}

#[test]
fn programs_of_other_people_and_the_crm_meet_on_the_servers() {
    let office = Office::<Separate>::open(KNOWN_SENDERS);
    let desk = Desk::new(&office);
    made_there(&office, &desk);
    changed_in_the_crm(&office, &desk);
    changed_there(&office, &desk);
    filed_there(&office, &desk);

    // Nobody makes work for the other one any more.
    desk.sync();
    let said = desk.sync();
    assert!(!said.contains("Copying") && !said.contains("Deleting"), "{said}");
    office.is_quiet();
}
