//! A day with compressed timers: everything that happens to a laptop in a day, and a service that comes through it by itself.
//! `LIAISON_MESSAGES` is how many messages the mailbox has (2,000 unless set), `LIAISON_LINKED` how many cards are in step (300).

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::cli::installation::{Installation, Organisation, run};
use crate::servers::office;
use crate::support::number;
use crate::support::servers::PASSWORD;
use crate::support::servers::dovecot::{self, Dovecot};
use crate::support::servers::keyring::Keyring;
use crate::support::servers::process::eventually;
use crate::support::servers::proxy::{Proxy, Script};

use super::disk::{fill, move_state, run_on_a_small_disk, small_disk};
use super::service::Service;

/// How long the first look at everything may take.
const FIRST: Duration = Duration::from_mins(10);

/// Anna's computer, and what is around it.
struct Day {
    // Before the servers: nothing asks them any more when they go.
    service: Service,
    here: Installation,
    organisation: Organisation,
    wire: Proxy,
    dovecot: Dovecot,
    keyring: Keyring,
    /// Where the state is.
    disk: PathBuf,
    /// How many things happened.
    number: usize,
}

/// How many messages there are, and how many cards.
fn sizes() -> (u64, u64) {
    (number("LIAISON_MESSAGES", 2000), number("LIAISON_LINKED", 300))
}

/// A command of a session that has a keyring.
fn command(here: &Installation, keyring: &Keyring, arguments: &[&str]) -> Command {
    let mut command = here.command(arguments);
    command.env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
    command
}

/// Keeps the password of the mailbox in the keyring.
fn sign_in(here: &Installation, keyring: &Keyring) {
    let arguments = ["auth", "login", "mailbox", "--password-stdin"];
    let mut child = command(here, keyring, &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn message(subject: &str, from: &str) -> Vec<u8> {
    format!(
        "Message-ID: <{subject}@elsewhere.invalid>\r\nDate: Sun, 22 Nov 2026 08:00:00 +0000\r\n\
         From: {from}\r\nTo: anna@example.org\r\nSubject: {subject}\r\n\r\nHello.\r\n"
    )
    .into_bytes()
}

impl Day {
    fn begin() -> Self {
        let (messages, linked) = sizes();
        println!("{messages} messages, {linked} cards");
        let (keyring, disk) = (Keyring::start(), small_disk());
        let organisation = Organisation::serve();
        let dovecot = Dovecot::start(dovecot::Options::default());
        let old = |number| message(&format!("old-{number}"), "nobody@elsewhere.invalid");
        dovecot.seed("anna", "INBOX", (0..messages).map(old));
        let wire = Proxy::start(dovecot.imaps, Script::default());
        let here = Installation::new(&organisation.url, &organisation.tokens());
        move_state(&here, &disk);
        let token = format!("cat '{}'", organisation.tokens().join("anna").display());
        let sections = format!(
            "{}\n[mailbox.contacts]\nkind = \"vdir\"\npath = \"mailbox/contacts\"\n\
             [sync.email]\ntrack = \"known-senders\"\n[guard]\ncreates_max = 1000\n\
             [service]\ninterval = 2\n",
            office::messages(&dovecot, wire.port)
                .replace("{ command = \"cat password\" }", "{ keyring = true }")
        );
        here.lead_to(&organisation.url, &token, &sections);
        for number in 0..linked {
            here.card(&format!("c{number}"), &format!("Ann N{number}"), "+49 30 1", true);
        }
        sign_in(&here, &keyring);
        let service = Service::start_as(&here, command(&here, &keyring, &["run", "-v"]));
        let mut day = Self { service, here, organisation, wire, dovecot, keyring, disk, number: 0 };
        day.service.reaches_within(FIRST, "held");
        day.here.run(&["approve", "--all"]).ends(0);
        day.service.reaches_within(FIRST, "in-step");
        // The first mail that takes part waits for a person's word, too.
        let first = day.happens();
        day.service.reaches_within(FIRST, "held");
        day.here.run(&["approve", "--all"]).ends(0);
        day.arrives(&first);
        assert_eq!(day.service.reaches("in-step")["classes"][0]["linked"], linked);
        day.goes_on();
        day
    }

    /// A card is changed and a mail comes in.
    fn happens(&mut self) -> (String, String) {
        self.number += 1;
        let (phone, subject) = (format!("4931{}", self.number), format!("day-{}", self.number));
        self.here.card("c0", "Ann N0", &phone, true);
        self.dovecot.deliver("anna", &message(&subject, "c0@example.com"));
        (phone, subject)
    }

    /// Both have arrived.
    #[track_caller]
    fn arrives(&self, (phone, subject): &(String, String)) {
        let count = |query: String| self.organisation.rows(&query).len();
        eventually(&format!("{phone} is in the CRM"), || {
            count(format!("contacts?$select=contactid&$filter=telephone1%20eq%20'{phone}'")) == 1
        });
        eventually(&format!("the mail {subject} is in the CRM"), || {
            count(format!("emails?$select=activityid&$filter=subject%20eq%20'{subject}'")) == 1
        });
    }

    #[track_caller]
    fn goes_on(&mut self) {
        let what = self.happens();
        self.arrives(&what);
        self.service.reaches("in-step");
    }

    /// What the service holds in memory, in KiB.
    fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.service.id());
        let status = fs::read_to_string(Path::new(&path)).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.service.id())).unwrap().count()
    }

    fn network_goes_and_comes(&mut self) {
        self.wire.script(Script { cut_received: Some(0), ..Script::default() });
        self.wire.cut();
        self.organisation.stop();
        let what = self.happens();
        self.service.reaches("offline");
        self.wire.script(Script::default());
        self.organisation.resume();
        self.arrives(&what);
        self.service.reaches("in-step");
    }

    fn computer_sleeps(&mut self) {
        self.service.signal("-STOP");
        let what = self.happens();
        // Connections die while a computer sleeps.
        self.wire.cut();
        std::thread::sleep(Duration::from_secs(2));
        self.service.signal("-CONT");
        self.arrives(&what);
        self.service.reaches("in-step");
    }

    fn servers_start_again(&mut self) {
        self.dovecot.stop();
        self.organisation.stop();
        self.service.reaches("offline");
        self.dovecot.resume();
        self.organisation.resume();
        self.goes_on();
    }

    fn settings_change(&mut self) {
        let text = self.here.read("liaison.toml");
        self.here.write("liaison.toml", &text.replace("interval = 2", "interval = 0"));
        self.service.reaches("held");
        self.here.write("liaison.toml", &format!("{text}\n# mine\n"));
        self.service.reaches("in-step");
        self.goes_on();
    }

    fn a_pause_is_asked_for(&mut self) {
        self.organisation.steer(
            "faults",
            r#"{"fault":{"status":{"status":429,"code":"0x80072322","retry_after":1}},"path":"$batch"}"#,
        );
        self.goes_on();
        drop(self.organisation.forget_faults());
    }

    /// What the log of the store had grown to would be written over, which takes nothing from the disk.
    fn shorten_the_log(&self) {
        let store = Connection::open(self.here.path("state/store.db")).unwrap();
        store.busy_timeout(FIRST).unwrap();
        let shorten = "PRAGMA wal_checkpoint(TRUNCATE)";
        eventually("the log of the store is empty", || {
            store.query_row(shorten, [], |row| row.get::<_, i64>(0)).unwrap() == 0
        });
    }

    fn the_disk_is_full(&mut self) {
        self.shorten_the_log();
        let ballast = fill(&self.disk);
        let what = self.happens();
        let status = self.service.reaches("offline");
        assert!(status["sentence"].as_str().unwrap().contains("full"), "{status:#}");
        fs::remove_file(ballast).unwrap();
        self.arrives(&what);
        self.service.reaches("in-step");
    }

    fn the_keyring_is_locked(&mut self) {
        self.keyring.lock();
        self.goes_on();
        // Until then it knew the password.
        let text = self.here.read("liaison.toml");
        self.here.write("liaison.toml", &format!("{text}\n# mine, too\n"));
        let what = self.happens();
        let status = self.service.reaches("sign-in");
        assert!(status["sentence"].as_str().unwrap().contains("keyring is locked"), "{status:#}");
        self.keyring.unlock();
        self.arrives(&what);
        self.service.reaches("in-step");
    }

    fn burst(&mut self) {
        for _ in 0..50 {
            self.happens();
        }
        self.goes_on();
    }
}

#[test]
fn a_day_in_two_minutes() {
    let size = 64 + sizes().0 / 250;
    print!("{}", run_on_a_small_disk("daemon::day::a_day", size));
}

#[test]
#[ignore = "run by a_day_in_two_minutes, on a disk of its own"]
fn a_day() {
    let mut day = Day::begin();
    let pass = |day: &mut Day| {
        for (what, step) in [
            ("the network goes and comes", Day::network_goes_and_comes as fn(&mut Day)),
            ("the computer sleeps", Day::computer_sleeps),
            ("servers start again", Day::servers_start_again),
            ("settings change", Day::settings_change),
            ("the organisation asks for a pause", Day::a_pause_is_asked_for),
            ("the disk is full", Day::the_disk_is_full),
            ("the keyring is locked", Day::the_keyring_is_locked),
            ("much happens", Day::burst),
        ] {
            let began = Instant::now();
            step(day);
            let took = began.elapsed().as_secs();
            println!("{what}: {took} s, {} KiB, {} files", day.memory(), day.files());
        }
    };
    pass(&mut day);
    let (memory, files) = (day.memory(), day.files());
    pass(&mut day);
    pass(&mut day);
    println!("memory {memory} KiB after the first pass, {} after the third", day.memory());
    assert!(day.memory() < memory + memory / 4 + 8192, "{memory} KiB grew to {}", day.memory());
    assert!(day.files() <= files + 4, "{files} files became {}", day.files());
    let audit = day.organisation.audit();
    assert_eq!(audit["contact"]["deleted"], 0, "{audit}");
    assert_eq!(audit["email"]["creates"], day.number, "{audit}");
    assert_eq!(audit["email"]["deleted"], 0, "{audit}");
    // The service does it between two rounds.
    day.here.run(&["verify"]).ends(0);
    let (code, _) = day.service.end();
    assert_eq!(code, Some(0));
    let alone = |arguments: &[&str]| run(&mut command(&day.here, &day.keyring, arguments));
    alone(&["verify"]).ends(0);
    alone(&["sync"]).ends(0).says("0 operations");
}
