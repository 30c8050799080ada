//! `liaison sync` on real servers (Dovecot, Radicale) and an organisation, each behind a wire, killed (SIGKILL) when its first
//! request is on the wire and nobody has it yet, when that is carried out and not answered yet, when the second one is, and so on
//! until a sync comes to its end without it. Some are not killed but asleep until their connections are gone. People go on
//! working all the time. At the end everything is there, once, and says what was last said.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use liaison::model::Class;
use serde_json::{Value as Json, json};

use crate::instances::{signal, value as value_of};
use crate::servers::office::{Office, Servers as _, Wired, id, message, operations, unfolded};
use crate::support::came_to;
use crate::support::servers::elsewhere;
use crate::support::servers::process::eventually;
use crate::support::servers::proxy::{Proxy, Script};

const MORE: &str = "
[sync.contact]
track = \"all\"
[sync.email]
track = \"all\"
[guard]
updates_max = 100000
creates_max = 100000
";

/// A sync has fewer requests than that.
const MOST: u64 = 200;

/// Every so many is put to sleep instead of killed.
const SLEEPS: usize = 6;

/// Where the requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wire {
    Mail,
    Collections,
    Organisation,
}

/// What a person last said about a contact: the telephone number in the mailbox, the job in the CRM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Said {
    phone: String,
    job: String,
}

struct Scene {
    office: Office<Wired>,
    organisation: Proxy,
    said: BTreeMap<String, Said>,
    letters: usize,
    edits: usize,
    killed: usize,
    slept: usize,
}

#[test]
fn killed_at_each_request_and_each_answer_it_loses_and_doubles_nothing() {
    let mut scene = Scene::set();
    let mut points = BTreeMap::new();
    for wire in [Wire::Mail, Wire::Collections, Wire::Organisation] {
        for answered in [false, true] {
            let reached = (1..MOST).take_while(|number| scene.end_at(wire, *number, answered));
            let reached = reached.count();
            assert!(reached > 3, "{wire:?}: only {reached} requests");
            points.insert((wire, answered), reached);
        }
    }
    let Scene { killed, slept, edits, letters, .. } = &scene;
    came_to("kills", "crash::wire", u64::try_from(*killed).unwrap());
    println!("{killed} kills and {slept} sleeps at {points:?}; {edits} edits, {letters} letters");
    scene.check();
}

impl Scene {
    fn set() -> Self {
        let office = Office::<Wired>::open(MORE);
        let port = office.organisation.url.rsplit_once(':').unwrap().1.parse().unwrap();
        let organisation = Proxy::start(port, Script::default());
        let token = format!("cat '{}'", office.organisation.tokens().join("anna").display());
        let url = format!("http://127.0.0.1:{}", organisation.port);
        let sections = office.servers.sections() + MORE;
        office.here.lead_to(&url, &token, &sections);
        let said = BTreeMap::new();
        let mut scene =
            Self { office, organisation, said, letters: 0, edits: 0, killed: 0, slept: 0 };
        (0..6).for_each(|_| scene.people_work());
        scene.office.here.run(&["sync"]);
        scene.office.here.run(&["approve", "--all"]).ends(0);
        scene.office.here.run(&["sync"]).ends(0);
        scene
    }

    fn wire(&self, wire: Wire) -> &Proxy {
        match wire {
            Wire::Mail => &self.office.servers.imap,
            Wire::Collections => &self.office.servers.dav,
            Wire::Organisation => &self.organisation,
        }
    }

    /// Syncs, and ends that at the request with this number; `false` when it came to its end before.
    fn end_at(&mut self, wire: Wire, number: u64, answered: bool) -> bool {
        self.people_work();
        let mut script = Script::default();
        let point = if answered { &mut script.stall_answer } else { &mut script.stall_request };
        *point = Some(number);
        self.wire(wire).script(script);
        let mut sync = self
            .office
            .here
            .command(&["sync"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ended = false;
        eventually("the sync comes to its end, or to the point", || {
            ended = sync.try_wait().unwrap().is_some();
            ended || self.wire(wire).is_stalled()
        });
        if !ended && (self.killed + self.slept) % SLEEPS == SLEEPS - 1 {
            self.slept += 1;
            signal("STOP", &sync);
            self.free(wire);
            signal("CONT", &sync);
        } else if !ended {
            self.killed += 1;
            sync.kill().unwrap();
            self.free(wire);
        }
        sync.wait().unwrap();
        self.wire(wire).script(Script::default());
        !ended
    }

    /// The connections of the wire die, and new ones are whole.
    fn free(&self, wire: Wire) {
        self.wire(wire).script(Script::default());
        self.wire(wire).cut();
        thread::sleep(Duration::from_millis(1));
    }

    /// Somebody is made here, somebody there; somebody has a new number, somebody a new job; a letter comes in.
    fn people_work(&mut self) {
        self.edits += 1;
        let number = self.edits;
        let name = format!("N{number}");
        if number.is_multiple_of(2) {
            self.office.put(Class::Contact, &format!("{name}.vcf"), &card(&name));
        } else {
            let columns = json!({ "firstname": "Ann", "lastname": name, "telephone1": "0" });
            let row = id(u32::try_from(number).unwrap());
            self.office.make("contacts", &row, &columns);
        }
        self.said.insert(name, Said { phone: "0".to_owned(), job: String::new() });

        let name = format!("N{}", 2 * (number / 4).max(1));
        if let Some(said) = self.said.get_mut(&name) {
            said.phone = format!("+{number}");
            let (url, text) = self.office.item(Class::Contact, &format!("N:{name};"));
            let lines = unfolded(&text);
            let line = lines.lines().find(|line| line.starts_with("TEL")).unwrap().to_owned();
            let (property, _) = line.split_once(':').unwrap();
            let new = lines.replace(&line, &format!("{property}:{}", said.phone));
            let dav = elsewhere::Dav::new("anna");
            dav.put(&url, "text/vcard", new.as_bytes());
        }
        let other = 2 * (number / 5) + 1;
        if let Some(said) = self.said.get_mut(&format!("N{other}")) {
            said.job = format!("job {number}");
            let row = format!("contacts({})", id(u32::try_from(other).unwrap()));
            self.office.organisation.change(&row, &format!(r#"{{"jobtitle":"{}"}}"#, said.job));
        }
        self.letters += 1;
        let letter = message(
            &format!("letter-{number}"),
            "C <c@customer.example>",
            &format!("Letter {number}"),
            "",
        );
        self.office.servers.dovecot.deliver("anna", letter.as_bytes());
    }

    /// Syncs until nothing is left to do, and looks at everything.
    fn check(self) {
        let here = &self.office.here;
        let rests = (0..8).any(|_| {
            let report = here.json(&["sync"]);
            here.run(&["approve", "--all"]);
            operations(&report) == 0 && here.run(&["status"]).code == 0
        });
        assert!(rests, "it does not come to rest: {:?}", here.run(&["status"]));
        here.run(&["verify"]).ends(0);
        let text = |row: &Json, column: &str| row[column].as_str().unwrap_or_default().to_owned();
        let mut there = BTreeMap::new();
        for row in self.office.organisation.rows("contacts") {
            let said = Said { phone: text(&row, "telephone1"), job: text(&row, "jobtitle") };
            assert!(
                there.insert(text(&row, "lastname"), said).is_none(),
                "twice in the CRM: {row}"
            );
        }
        let mut cards = BTreeMap::new();
        for card in self.office.items(Class::Contact).into_values() {
            let value = |name| value_of(&card, name);
            let said = Said { phone: value("TEL"), job: value("TITLE") };
            let name = value("N").split(';').next().unwrap().to_owned();
            assert!(cards.insert(name, said).is_none(), "twice in the mailbox: {card}");
        }
        assert_eq!(there, self.said);
        assert_eq!(cards, self.said);
        let filed = self.office.rows("emails", "messageid");
        assert_eq!(self.office.organisation.rows("emails").len(), filed.len(), "filed twice");
        assert_eq!(filed.len(), self.letters);
        assert_eq!(self.office.servers.mail().list("INBOX").len(), self.letters);
        let audit = self.office.organisation.audit();
        for table in ["contact", "email"] {
            assert_eq!(audit[table]["repeated"], json!([]), "{audit:#}");
            assert_eq!(audit[table]["deleted"], 0, "{audit:#}");
        }
    }
}

fn card(name: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{name}-uid\r\nFN:Ann {name}\r\nN:{name};Ann;;;\r\n\
         TEL;TYPE=WORK:0\r\nX-KEPT:as it is\r\nEND:VCARD\r\n"
    )
}
