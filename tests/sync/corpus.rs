//! Files that nobody here wrote: the test resources of two parsers, put into a mailbox and synced until nothing moves.
//! Whatever they hold, each ends linked, set aside with its reason, or left out by a rule.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use liaison::model::{Class, ItemId, LinkState, Side};
use liaison::store::{decision, journal, link, observation, quarantine, round};
use liaison::sync::verify::{Finding, Kind};

use super::world::World;
use crate::support::resources::{self, has_extension};

/// Far above what the work takes, far below what a person would wait for.
const TIME_LIMIT: Duration = Duration::from_mins(8);

/// Where a file of a class ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Linked,
    SetAside(String),
    LeftOut(String),
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_two_parsers_ends_somewhere() {
    let watch = Watch::start();
    let mut world = World::new().await;
    let put = fill(&world);
    let before = contents(&world, put.keys());

    world.first_sync(&Class::ALL).await;
    let quiet = settle(&world).await;
    assert!(quiet.classes.values().all(|class| class.error.is_none()), "{quiet:?}");
    assert!(quiet.classes.values().all(|class| class.held == 0), "{quiet:?}");

    let ends = ends(&world, &put).await;
    let counts = count(&ends);
    for ((class, end), count) in &counts {
        println!("{count:5} {class:11} {end}");
    }
    // Linked, set aside, left out. The versions of both crates are locked, so these change only with the mapping.
    let expected = [
        (Class::Contact, [161, 82, 1]),
        (Class::Task, [23, 177, 1]),
        (Class::Appointment, [310, 644, 6]),
        (Class::Email, [106, 6, 1]),
    ];
    assert_eq!(totals(&ends), BTreeMap::from(expected));

    let files: BTreeSet<&String> = ends.keys().map(|(_, file)| file).collect();
    assert_eq!(files.len(), put.len(), "every file ends somewhere");
    assert_eq!(counts.values().sum::<usize>(), ends.len());

    // Messages get a keyword, which is no part of their bytes.
    let written = written_to(&world, Side::Mailbox).into_iter();
    let written: BTreeSet<String> = written.filter(|file| !file.starts_with("mail/")).collect();
    println!("{} files in all, {} of them written to", put.len(), written.len());
    for (file, bytes) in contents(&world, put.keys()) {
        assert!(written.contains(&file) || before[&file] == bytes, "{file} lost bytes");
    }
    assert!(written.is_empty(), "a mailbox that was only looked at was written to: {written:?}");

    // What is there twice by its UID is named; nothing else is wrong, and nothing is done to it after a reinstall.
    verify(&world).await;
    world.forget(2).await;
    let again = world.first_sync(&Class::ALL).await;
    for (class, [linked, ..]) in expected {
        let report = &again.classes[&class];
        assert_eq!((report.linked, report.updated.len()), (linked, 0), "{class}: {report:?}");
    }
    settle(&world).await;
    assert!(written_to(&world, Side::Mailbox).is_empty(), "a reinstall wrote to the mailbox");
    verify(&world).await;
    watch.stop();
}

/// Copies the resources into the mailbox under names of their own; returns where each came from.
fn fill(world: &World) -> BTreeMap<String, PathBuf> {
    let mut put = BTreeMap::new();
    let mut copy = |target: String, from: PathBuf| {
        fs::copy(&from, world.path(&target)).unwrap();
        assert!(put.insert(target, from).is_none());
    };
    for (extension, folder) in [("ics", "calendar"), ("vcf", "contacts")] {
        let files = resources::files("calcard", |path| has_extension(path, extension));
        for (number, from) in files.into_iter().enumerate() {
            copy(format!("{folder}/{number:04}-{}", name_of(&from)), from);
        }
    }
    let is_message = |path: &Path| {
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
        has_extension(path, "eml") || folder == "cur" || folder == "new"
    };
    for (number, from) in resources::files("mail-parser", is_message).into_iter().enumerate() {
        let name = name_of(&from).replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        copy(format!("mail/cur/{number:04}-{name}:2,S"), from);
    }
    put
}

/// Where a file is now: a message that is filed gets a keyword, which stands in its name.
fn placed(world: &World, name: &str) -> PathBuf {
    let path = world.path(name);
    let Some((stem, _)) = name.rsplit_once(":2,").filter(|_| !path.exists()) else { return path };
    let (folder, stem) = stem.rsplit_once('/').unwrap();
    let stem = format!("{stem}:2,");
    let files = fs::read_dir(world.path(folder)).unwrap().map(|file| file.unwrap().path());
    let mut found = files.filter(|file| name_of(file).starts_with(&stem));
    found.next().unwrap_or_else(|| panic!("{name} is gone"))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn contents<'a>(
    world: &World,
    names: impl Iterator<Item = &'a String>,
) -> BTreeMap<String, Vec<u8>> {
    names.map(|name| (name.clone(), fs::read(placed(world, name)).unwrap())).collect()
}

/// Syncs once more, which must find nothing to do.
async fn settle(world: &World) -> liaison::sync::Report {
    let report = world.sync(&Class::ALL).await;
    assert_eq!(report.operations(), 0, "{report:?}");
    report
}

/// Compares both sides: all that may be found is that of some things there are several.
async fn verify(world: &World) {
    for class in Class::ALL {
        let verdict = world.engine.verify(class).await.unwrap();
        let findings = verdict.findings.iter().filter(|found| found.kind != Kind::Duplicate);
        assert_eq!(findings.collect::<Vec<_>>(), Vec::<&Finding>::new());
        assert!(verdict.pairs > 0 && verdict.error.is_none(), "{verdict:?}");
    }
}

/// Where each file ended, for every class whose listing shows it: exactly one end each.
async fn ends(world: &World, put: &BTreeMap<String, PathBuf>) -> BTreeMap<(Class, String), End> {
    let mut ends = BTreeMap::new();
    for class in Class::ALL {
        let listing = world.engine.mailbox[&class].list(class).await.unwrap();
        assert!(listing.is_complete(), "{class}: {:?}", listing.completeness);
        for id in listing.entries.keys() {
            let file = file_of(class, id);
            assert!(put.contains_key(&file), "{file} was put there by the sync");
            ends.insert((class, file), end(world, class, id));
        }
    }
    ends
}

fn file_of(class: Class, id: &ItemId) -> String {
    match class {
        Class::Contact => format!("contacts/{id}"),
        Class::Task | Class::Appointment => format!("calendar/{id}"),
        Class::Email => format!("mail/cur/{}:2,S", id.as_str().strip_prefix("INBOX/").unwrap()),
    }
}

fn end(world: &World, class: Class, id: &ItemId) -> End {
    let (link, aside, decision, copied) = world
        .store
        .read_blocking(|db| {
            let link = link::by_item(db, class, id)?;
            let heads = observation::heads(db, Side::Mailbox, class)?;
            let uid = heads.get(id).and_then(|head| head.uid.clone());
            let copied = link::all(db, class)?
                .into_iter()
                .any(|link| Some(&link.uid) == uid.as_ref() && link.item != *id);
            let aside = quarantine::get(db, Side::Mailbox, class, id)?;
            Ok((link, aside, decision::get(db, class, id)?, copied))
        })
        .unwrap();
    let skipped = decision.filter(|decision| decision.outcome == decision::Outcome::Skipped);
    match (link, aside, skipped) {
        (Some(link), None, None) if link.state == LinkState::Active => End::Linked,
        (None, Some(aside), None) => {
            assert!(!aside.reason.is_empty(), "{id} was set aside without a reason");
            assert_ne!(aside.reason, "its reader failed on it", "{id} makes a reader panic");
            End::SetAside(aside.reason)
        }
        (None, None, Some(skipped)) => End::LeftOut(skipped.rule),
        // One message in two folders is ordinary.
        (None, None, None) if copied && class == Class::Email => {
            End::LeftOut("a copy of a message that is linked".to_owned())
        }
        odd => panic!("{class} {id} ended nowhere, or twice: {odd:?}"),
    }
}

/// How many files ended how; reasons that name another file are counted together.
fn count(ends: &BTreeMap<(Class, String), End>) -> BTreeMap<(Class, String), usize> {
    let mut counts = BTreeMap::new();
    for ((class, _), end) in ends {
        let end = match end {
            End::Linked => "linked".to_owned(),
            End::SetAside(reason) if reason.starts_with("it has the same UID as ") => {
                "set aside: it has the same UID as another".to_owned()
            }
            End::SetAside(reason) => format!("set aside: {reason}"),
            End::LeftOut(rule) => format!("left out: {rule}"),
        };
        *counts.entry((*class, end)).or_default() += 1;
    }
    counts
}

/// How many files of each class ended linked, set aside and left out.
fn totals(ends: &BTreeMap<(Class, String), End>) -> BTreeMap<Class, [usize; 3]> {
    let mut totals = BTreeMap::new();
    for ((class, _), end) in ends {
        let total: &mut [usize; 3] = totals.entry(*class).or_default();
        match end {
            End::Linked => total[0] += 1,
            End::SetAside(_) => total[1] += 1,
            End::LeftOut(_) => total[2] += 1,
        }
    }
    totals
}

/// The files of a side that the journal says were written to.
fn written_to(world: &World, side: Side) -> BTreeSet<String> {
    let entries = world
        .store
        .read_blocking(|db| {
            let mut entries = Vec::new();
            for round in round::latest(db, u32::MAX)? {
                entries.extend(journal::of_round(db, round.id)?);
            }
            Ok(entries)
        })
        .unwrap();
    entries
        .into_iter()
        .filter(|entry| entry.intent.side == side)
        .filter_map(|entry| Some(file_of(entry.intent.class, entry.intent.item.as_ref()?)))
        .collect()
}

/// Ends the whole process when the work takes too long: a loop that never yields cannot be stopped, only reported.
struct Watch(mpsc::Sender<()>);

impl Watch {
    fn start() -> Self {
        let (done, wait) = mpsc::channel();
        std::thread::spawn(move || {
            if wait.recv_timeout(TIME_LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("a file of the corpus hangs: not done in {} s", TIME_LIMIT.as_secs());
                std::process::abort();
            }
        });
        Self(done)
    }

    fn stop(self) {
        self.0.send(()).unwrap();
    }
}
