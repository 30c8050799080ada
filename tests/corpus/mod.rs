//! What the fuzzers run on, run as tests: the inputs that reach all that is reached, those that once found something, and some
//! that the grammars make. A target that stands still, panics or breaks a law fails here.
//!
//! `LIAISON_SEED` chooses what the grammars make, `LIAISON_MADE` how much for each target (300); both are printed.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

#[path = "../../fuzz/src/targets/mod.rs"]
pub mod targets;

use targets::TARGETS;
use targets::grammar::{self, Dice};

/// The most that the inputs may take together, in bytes.
const CORPUS_MAX: u64 = 2 << 20;

fn inputs(kind: &str, target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(target);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs a target; says on which input it failed.
fn run(target: targets::Target, what: &str, bytes: &[u8]) -> bool {
    let is_fine = catch_unwind(AssertUnwindSafe(|| target(bytes))).is_ok();
    if !is_fine {
        println!("{what}: {}", String::from_utf8_lossy(bytes).escape_debug());
    }
    is_fine
}

#[test]
fn what_was_once_found_stays_found() {
    let mut count = 0;
    let mut failed = Vec::new();
    for (name, target) in TARGETS {
        for path in inputs("found", name) {
            count += 1;
            if !run(*target, name, &fs::read(&path).unwrap()) {
                failed.push(path);
            }
        }
    }
    println!("{count} inputs");
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn the_corpus_is_small_and_nothing_in_it_breaks_a_law() {
    let (mut size, mut failed) = (0, Vec::new());
    for (name, target) in TARGETS {
        let files = inputs("corpus", name);
        assert!(!files.is_empty(), "{name} has no corpus");
        for path in files {
            let bytes = fs::read(&path).unwrap();
            size += bytes.len() as u64;
            if !run(*target, name, &bytes) {
                failed.push(path);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(size <= CORPUS_MAX, "{size} bytes, at most {CORPUS_MAX}: fuzz/run.sh --minimise");
}

#[test]
fn what_the_grammars_make_breaks_no_law() {
    let number = |name, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (seed, count): (u64, u64) = (number("LIAISON_SEED", 7), number("LIAISON_MADE", 300));
    println!("seed {seed}, {count} inputs for each target");
    let mut failed = Vec::new();
    for (name, target) in TARGETS {
        let mut old = Vec::new();
        for number in 0..count {
            let mut dice = Dice::new(seed.wrapping_mul(1 << 32) + number);
            let made = grammar::input(name, &mut dice);
            let spliced = grammar::spliced(name, &old, &mut dice);
            if !(run(*target, name, &made) && run(*target, name, &spliced)) {
                failed.push(format!("{name} {number}"));
            }
            old = made;
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_target_can_be_fuzzed() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("\nname = \"{name}\"\n")), "{name}");
        let run = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(run.contains(&format!("::{name}(bytes)")), "{name}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}

/// The fuzzers are built from a lock file of their own, which nothing else brings up to date.
#[test]
fn the_fuzzers_lock_what_the_product_needs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| -> toml::Table {
        toml::from_str(&fs::read_to_string(root.join(file)).unwrap()).unwrap()
    };
    let (manifest, lock) = (read("Cargo.toml"), read("fuzz/Cargo.lock"));
    let targets = manifest["target"].as_table().unwrap().values();
    let tables = targets.filter_map(|target| target.get("dependencies"));
    let needed = tables.chain(manifest.get("dependencies"));
    let needed: BTreeSet<&str> =
        needed.flat_map(|table| table.as_table().unwrap().keys()).map(String::as_str).collect();
    let packages = lock["package"].as_array().unwrap();
    let product = packages.iter().find(|package| package["name"].as_str() == Some("liaison"));
    let locked = product.unwrap()["dependencies"].as_array().unwrap().iter();
    let locked: BTreeSet<&str> =
        locked.filter_map(|name| name.as_str()?.split(' ').next()).collect();
    assert_eq!(locked, needed, "cargo update --workspace, in fuzz/");
}
