//! `liaison sync` on 500 items, killed (SIGKILL) at random moments, with the organisation in another process. Between the
//! kills people go on working on both sides. At the end everything is there, once, and says what was last said.
//!
//! `LIAISON_KILLS` is how often (20 unless set; CI says 400), `LIAISON_SEED` which moments; both are printed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use uuid::Uuid;

use crate::cli::installation::{Installation, Organisation};
use crate::planner::simulation::Dice;
use crate::support::{came_to, number};

const FROM_MAILBOX: usize = 250;
const FROM_CRM: usize = 150;
const TASKS: usize = 50;
const APPOINTMENTS: usize = 50;

/// How many contacts people change between two kills, on each side.
const EDITS: usize = 10;

/// So often a sync may be started again without being killed in time.
const PATIENCE: usize = 10;

/// So many kills an installation has: more take all the requests that it may make in a day.
const A_DAY: usize = 400;

const CLASSES: [&str; 6] = ["--class", "contact", "--class", "task", "--class", "appointment"];

/// What a person last said about a contact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Said {
    phone: String,
    job: String,
}

struct Scene {
    organisation: Organisation,
    installation: Installation,
    dice: Dice,
    said: BTreeMap<String, Said>,
    edits: usize,
}

#[test]
fn nothing_is_lost_or_doubled_by_kills_at_random_moments() {
    let (kills, seed) = (number("LIAISON_KILLS", 20), number("LIAISON_SEED", 7));
    for before in (0..kills).step_by(A_DAY) {
        killed_so_often((kills - before).min(A_DAY as u64), seed + before);
    }
}

fn killed_so_often(kills: u64, seed: u64) {
    let mut scene = Scene::set(seed);
    let begun = Instant::now();
    let mut lasts = Duration::from_secs(2);
    let (mut killed, mut finished) = (0, 0);
    while killed < kills {
        match scene.kill(lasts) {
            None => {
                killed += 1;
                finished = 0;
                if killed % 3 == 0 {
                    scene.people_work();
                }
            }
            Some(lasted) => {
                // It had less to do than the ones before; the next moment is chosen within what it took.
                lasts = lasted + lasted / 10;
                finished += 1;
                assert!(finished < PATIENCE, "no sync lasts long enough to be killed");
                scene.people_work();
            }
        }
    }
    let syncs = scene.settle();
    scene.installation.run(&[["verify"].as_slice(), &CLASSES].concat()).ends(0);
    let each = begun.elapsed() / u32::try_from(killed).unwrap();
    let edits = scene.edits;
    println!(
        "seed {seed}: {killed} kills, {each:.0?} each, {edits} edits, {syncs} syncs to come to rest"
    );
    came_to("kills", "crash::kill", killed);
    scene.check();
}

impl Scene {
    /// 500 items, none of them synced; their first sync is approved.
    fn set(seed: u64) -> Self {
        let organisation = Organisation::serve();
        let installation = Installation::new(&organisation.url, &organisation.tokens());
        installation.configure(
            &organisation.url,
            &format!("cat '{}'", organisation.tokens().join("anna").display()),
            "
[sync.contact]
track = \"all\"
[sync.task]
track = \"all\"
[sync.appointment]
track = \"all\"
[guard]
updates_max = 100000
creates_max = 100000
",
        );
        let dice = Dice::new(seed);
        let mut scene = Self { organisation, installation, dice, said: BTreeMap::new(), edits: 0 };
        scene.furnish();
        scene.installation.json(&[["plan"].as_slice(), &CLASSES].concat());
        scene.installation.run(&["approve", "--all"]).ends(0);
        scene
    }

    fn furnish(&mut self) {
        for number in 0..FROM_MAILBOX {
            let name = format!("m{number}");
            self.installation.card(&name, &format!("Ann {name}"), "0", false);
            self.said.insert(name, Said { phone: "0".to_owned(), job: String::new() });
        }
        for number in 0..FROM_CRM {
            let name = format!("c{number}");
            let row = format!("contacts({})", Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()));
            let columns = format!(r#"{{"firstname":"Ann","lastname":"{name}","telephone1":"0"}}"#);
            self.organisation.change(&row, &columns);
            self.said.insert(name, Said { phone: "0".to_owned(), job: String::new() });
        }
        for number in 0..TASKS {
            self.calendar(&format!("task{number}"), "VTODO", "DUE:20300105T100000Z");
        }
        for number in 0..APPOINTMENTS {
            let times = "DTSTART:20300105T100000Z\r\nDTEND:20300105T110000Z";
            self.calendar(&format!("meeting{number}"), "VEVENT", times);
        }
    }

    fn calendar(&self, name: &str, kind: &str, times: &str) {
        self.installation.write(
            &format!("mailbox/calendar/{name}.ics"),
            &format!(
                "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:{kind}\r\n\
                 UID:{name}@example.org\r\nDTSTAMP:20300101T000000Z\r\n{times}\r\n\
                 SUMMARY:{name}\r\nEND:{kind}\r\nEND:VCALENDAR\r\n"
            ),
        );
    }

    /// Starts a sync and kills it at a random moment of the time that one lasts. `Some` with how long it took when it ended
    /// before.
    fn kill(&mut self, lasts: Duration) -> Option<Duration> {
        let millis = u64::try_from(lasts.as_millis()).unwrap().max(2);
        let moment = Duration::from_millis(self.dice.roll(millis));
        let started = Instant::now();
        let mut sync = self
            .installation
            .command(&[["sync", "--json"].as_slice(), &CLASSES].concat())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Not to wait for something: this is the random moment.
        while started.elapsed() < moment {
            if sync.try_wait().unwrap().is_some() {
                return Some(started.elapsed());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        sync.kill().unwrap();
        let died = std::os::unix::process::ExitStatusExt::signal(&sync.wait().unwrap());
        if died == Some(9) { None } else { Some(started.elapsed()) }
    }

    /// People change telephone numbers in the mailbox and jobs in the CRM.
    fn people_work(&mut self) {
        let rows = self.contacts();
        for _ in 0..EDITS {
            self.edits += 1;
            let number = self.dice.roll(FROM_MAILBOX as u64);
            let (name, phone) = (format!("m{number}"), format!("+{}", self.edits));
            let path = self.installation.path(&format!("mailbox/contacts/{name}.vcf"));
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.split_inclusive("\r\n").map(|line| match line.split_once(':') {
                Some((name, _)) if name.starts_with("TEL") => format!("{name}:{phone}\r\n"),
                _ => line.to_owned(),
            });
            let new: String = lines.collect();
            // As editors do it: nobody ever sees half a file.
            let beside = self.installation.path("mailbox/edited");
            fs::write(&beside, new).unwrap();
            fs::rename(&beside, &path).unwrap();
            self.said.get_mut(&name).unwrap().phone = phone;
        }
        for _ in 0..EDITS {
            self.edits += 1;
            let row = &rows[usize::try_from(self.dice.roll(rows.len() as u64)).unwrap()];
            let job = format!("job {}", self.edits);
            let id = row["contactid"].as_str().unwrap();
            self.organisation
                .change(&format!("contacts({id})"), &format!(r#"{{"jobtitle":"{job}"}}"#));
            self.said.get_mut(row["lastname"].as_str().unwrap()).unwrap().job = job;
        }
    }

    fn contacts(&self) -> Vec<Json> {
        self.organisation.rows("contacts?$select=lastname,telephone1,jobtitle")
    }

    /// Syncs until nothing is left to do; returns how often.
    fn settle(&self) -> usize {
        for syncs in 1..=PATIENCE {
            let report = self.installation.json(&[["sync"].as_slice(), &CLASSES].concat());
            let classes = report["classes"].as_object().unwrap();
            let sum = |what: &str| -> u64 {
                classes.values().map(|class| class[what].as_u64().unwrap()).sum()
            };
            assert!(classes.values().all(|class| class["error"].is_null()), "{report:#}");
            if sum("held") > 0 {
                self.installation.run(&["approve", "--all"]).ends(0);
            } else if sum("operations") == 0 {
                assert!(classes.values().all(|class| class["in_step"] == true), "{report:#}");
                return syncs;
            }
        }
        panic!("it does not come to rest");
    }

    fn check(mut self) {
        let mut here = BTreeMap::new();
        for (path, text) in files(&self.installation.path("mailbox/contacts")) {
            let value = |name: &str| {
                let lines = text.lines().filter_map(|line| line.split_once(':'));
                let mut of = lines.filter(|(key, _)| key.split(';').next() == Some(name));
                of.next().map(|(_, value)| value.to_owned()).unwrap_or_default()
            };
            let name = value("N").split(';').next().unwrap_or_default().to_owned();
            let said = Said { phone: value("TEL"), job: value("TITLE") };
            let twice = here.insert(name.clone(), said);
            assert!(twice.is_none(), "{name} is twice in the mailbox: {}", path.display());
        }
        let mut there = BTreeMap::new();
        for row in self.contacts() {
            let text = |column: &str| row[column].as_str().unwrap_or_default().to_owned();
            let said = Said { phone: text("telephone1"), job: text("jobtitle") };
            assert!(there.insert(text("lastname"), said).is_none(), "twice in the CRM: {row}");
        }
        for (name, said) in &self.said {
            assert_eq!(here.get(name), Some(said), "{name} in the mailbox");
            assert_eq!(there.get(name), Some(said), "{name} in the CRM");
        }
        assert_eq!((here.len(), there.len()), (self.said.len(), self.said.len()));
        self.check_calendar("tasks", "task", TASKS);
        self.check_calendar("appointments", "meeting", APPOINTMENTS);
        self.organisation.stop();
        intact(&self.installation.path("state/store.db"));
        let databases = self.organisation.databases();
        assert_eq!(databases.len(), 1, "{databases:?}");
        for file in databases {
            intact(&file);
        }
    }

    fn check_calendar(&self, set: &str, prefix: &str, count: usize) {
        let mut there: Vec<String> = self
            .organisation
            .rows(&format!("{set}?$select=subject"))
            .iter()
            .map(|row| row["subject"].as_str().unwrap().to_owned())
            .filter(|subject| subject.starts_with(prefix))
            .collect();
        there.sort();
        let mut here: Vec<String> = files(&self.installation.path("mailbox/calendar"))
            .into_iter()
            .filter_map(|(_, text)| {
                let subject = text.lines().find_map(|line| line.strip_prefix("SUMMARY:"))?;
                subject.starts_with(prefix).then(|| subject.to_owned())
            })
            .collect();
        here.sort();
        let mut expected: Vec<String> =
            (0..count).map(|number| format!("{prefix}{number}")).collect();
        expected.sort();
        assert_eq!(here, expected, "in the mailbox");
        assert_eq!(there, expected, "in the CRM");
    }
}

/// Every item of a folder. What a killed process was about to put there is swept when it is a day old.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_item = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        !(name.starts_with(".liaison-") && name.ends_with(".tmp"))
    };
    paths.filter(is_item).map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

fn intact(file: &Path) {
    let database = rusqlite::Connection::open(file).unwrap();
    let check = "PRAGMA integrity_check";
    let found: String = database.query_row(check, [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok", "{}", file.display());
}
