//! A year of use, in a time that is moved by hand: people work every day, the engine keeps their mailbox and their organisation
//! in step, and what the program takes of the machine stays what it was: memory, open files, the size of its store.
//!
//! `LIAISON_ITEMS` is how many things there are (200 unless set), `LIAISON_ROUNDS` how many rounds a day has (1).

mod office;
mod shelf;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::process::Command;

use crate::support::number;
use office::Office;

const MONTH: usize = 28;
/// A year has thirteen of them.
const MONTHS: usize = 13;

/// From this month on all is as it stays: as many things come as go, and what was written half a year ago is being forgotten.
const STEADY: usize = 8;

/// So many rounds are kept at the least, whatever came of them.
const ROUNDS: u64 = 2000;

/// What there is one row of for each message that was ever filed, so that none is filed again; and for each conflict, so that
/// what lost it can be had back.
const FOR_GOOD: [&str; 5] = ["base", "conflict", "fingerprint", "link", "observation"];

/// A row of each of those takes less than this, with its indices.
const ROW: u64 = 2048;

/// What the program takes of the machine.
#[derive(Debug, Clone)]
struct Size {
    /// KiB.
    memory: u64,
    files: usize,
    /// Bytes.
    store: u64,
    rows: BTreeMap<String, u64>,
}

impl Size {
    fn of(office: &Office) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        Self {
            memory: resident.trim().trim_end_matches(" kB").parse().unwrap(),
            files: fs::read_dir("/proc/self/fd").unwrap().count(),
            store: office.size(),
            rows: office.rows(),
        }
    }

    fn for_good(&self) -> u64 {
        FOR_GOOD.iter().map(|table| self.rows[*table]).sum()
    }

    /// It has not grown since.
    fn assert_as(&self, before: &Self) {
        let grown = |before: u64, after: u64| after > before + before / 20;
        let rows = self.for_good() - before.for_good();
        assert!(!grown(before.store + rows * ROW, self.store), "the store grew");
        assert!(!grown(before.memory + 4096, self.memory), "memory grew");
        assert!(self.files <= before.files, "files were left open");
        for (table, count) in &self.rows {
            let before = before.rows[table];
            let is_fine = FOR_GOOD.contains(&table.as_str())
                || (table == "round" && *count <= ROUNDS + self.rows["conflict"])
                || !grown(before + 10, *count);
            assert!(is_fine, "{table} grew from {before} rows to {count}");
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory, files, store, rows } = self;
        write!(f, "{memory} KiB, {files} files, store {} KiB:", store / 1024)?;
        let rows = rows.iter().filter(|(_, count)| **count > 0);
        rows.into_iter().try_for_each(|(table, count)| write!(f, " {table} {count}"))
    }
}

/// Runs [`a_year`] in a process of its own: what it takes is measured.
#[test]
fn a_year_leaves_the_program_as_large_as_it_was() {
    let mut itself = Command::new(std::env::current_exe().unwrap());
    let output = itself.args(["--exact", "year::a_year", "--ignored", "--nocapture"]).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    print!("{said}");
    assert!(output.status.success() && said.contains("1 passed"), "it went wrong");
}

#[test]
#[ignore = "run by a_year_leaves_the_program_as_large_as_it_was, in a process of its own"]
fn a_year() {
    let (items, rounds) = (number("LIAISON_ITEMS", 200), number("LIAISON_ROUNDS", 1));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut office = Office::open(usize::try_from(items).unwrap());
        office.settle().await;
        let mut sizes = vec![Size::of(&office)];
        println!("{office}; {}", sizes[0]);
        for month in 1..=MONTHS {
            for _ in 0..MONTH {
                office.day(rounds).await;
            }
            sizes.push(Size::of(&office));
            println!("month {month}: {office}; {}", sizes[month]);
        }
        sizes[MONTHS].assert_as(&sizes[STEADY]);
        office.settle().await;
        office.assert_in_order().await;
    });
}
