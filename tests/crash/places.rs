//! Every line of the program that writes to the store, found in its text; and where it was ended there, found by running it.
//! A line that no test ever ended at fails a test: whoever adds one has its crashes tested, or says where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::faults::{Fault, Place, Point};

/// Which test ends the program at the writes of which files, all of them, before and after each commit.
const IN_CHARGE: &[(&str, &[&str])] = &[
    (
        "scenario",
        &[
            "src/sync/execute.rs",
            "src/sync/hold.rs",
            "src/sync/mod.rs",
            "src/sync/observe.rs",
            "src/sync/part.rs",
            "src/sync/record.rs",
            "src/sync/recover.rs",
            "src/sync/settled.rs",
            "src/sync/sift.rs",
        ],
    ),
    (
        "chores",
        &[
            "src/sync/people.rs",
            "src/sync/preview.rs",
            "src/sync/regard.rs",
            "src/sync/tag.rs",
            "src/sync/undo/keep.rs",
            "src/sync/undo/mod.rs",
        ],
    ),
    ("sending", &["src/sync/send/after.rs"]),
];

/// What else is written in a round, and why no test ends the program at each of it.
const BESIDE: &[(&str, &str)] = &[
    ("src/sync/fence.rs", "what was last read of who syncs: it is read again"),
    ("src/sync/send/freeze.rs", "`sending` ends the program where a mail goes its usual way"),
    ("src/sync/send/hand.rs", "the same"),
    ("src/sync/send/mod.rs", "the same"),
    ("src/sync/verify.rs", "a copy of the store that is thrown away"),
];

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    pub file: String,
    pub line: u32,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Where the program was ended, how, and how often.
#[derive(Debug, Default)]
pub struct Ended(BTreeMap<Line, BTreeMap<(bool, Fault), usize>>);

impl Line {
    pub fn of(place: Place) -> Self {
        Self { file: place.file().to_owned(), line: place.line() }
    }
}

impl Ended {
    pub fn note(&mut self, place: Place, point: Point, fault: Fault) {
        self.note_line(&Line::of(place), point, fault);
    }

    pub fn note_line(&mut self, line: &Line, point: Point, fault: Fault) {
        let before = point == Point::BeforeCommit;
        *self.0.entry(line.clone()).or_default().entry((before, fault)).or_default() += 1;
    }

    pub fn add(&mut self, other: Self) {
        for (line, ends) in other.0 {
            let of = self.0.entry(line).or_default();
            for (end, count) in ends {
                *of.entry(end).or_default() += count;
            }
        }
    }

    /// It was ended at each write of the files that this test is in charge of, by a crash and by a power loss, before the
    /// commit and after it.
    pub fn assert_all(&self, test: &str) {
        print!("{self}");
        let kinds = [
            (true, Fault::Die),
            (true, Fault::PowerLoss),
            (false, Fault::Die),
            (false, Fault::PowerLoss),
        ];
        let missed: Vec<String> = lines(test)
            .into_iter()
            .filter_map(|line| {
                let missing = |kind: &&(bool, Fault)| {
                    !self.0.get(&line).is_some_and(|ends| ends.contains_key(kind))
                };
                let missing: Vec<_> = kinds.iter().filter(missing).collect();
                (!missing.is_empty()).then(|| format!("{line}: {missing:?}"))
            })
            .collect();
        assert!(missed.is_empty(), "never ended (before the commit, how):\n{}", missed.join("\n"));
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, ends) in &self.0 {
            writeln!(f, "  {line}: {}", ends.values().sum::<usize>())?;
        }
        Ok(())
    }
}

#[test]
fn every_write_of_a_round_has_a_test_that_ends_the_program_there() {
    let of = |file: &str| IN_CHARGE.iter().any(|(_, files)| files.contains(&file));
    let known = |file: &str| of(file) || BESIDE.iter().any(|(name, _)| *name == file);
    let found = written(Path::new("src/sync"));
    assert!(found.len() > 40, "they are not found: {found:?}");
    let strange: Vec<&Line> = found.iter().filter(|line| !known(&line.file)).collect();
    assert!(strange.is_empty(), "nobody ends the program at {strange:?}");
    for (_, files) in IN_CHARGE {
        let idle = |file: &&&str| written(Path::new(**file)).is_empty();
        assert_eq!(files.iter().find(idle), None, "nothing is written there");
    }
}

/// The writes of the files that a test is in charge of.
fn lines(test: &str) -> BTreeSet<Line> {
    let (_, files) = IN_CHARGE.iter().find(|(name, _)| *name == test).unwrap();
    files.iter().flat_map(|file| written(Path::new(file))).collect()
}

/// The lines of a file, or of all files below a folder, that write to a store.
fn written(path: &Path) -> BTreeSet<Line> {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        return paths.iter().flat_map(|path| written(path)).collect();
    }
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let (sends, mut found) = (path.starts_with("src/sync/send"), BTreeSet::new());
    for call in [".write(", ".promise(", ".keep(", ".write_blocking(", ".promise_blocking("] {
        for (at, _) in text.match_indices(call) {
            let before = text[..at].trim_end();
            // What sends mail has a word of its own for it.
            let of_store = match call {
                ".keep(" => before.ends_with("self") && sends,
                _ => before.ends_with("store") && !sends,
            };
            if of_store {
                let line = u32::try_from(text[..at].lines().count()).unwrap();
                found.insert(Line { file: path.display().to_string(), line });
            }
        }
    }
    found
}
