//! The walls of the house: who may import whom, what pure modules may not name, how long a file may be.
//! A rule that no test checks is already broken.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

mod scan;

/// What each module may import besides itself. `main` and `tray` are the binaries.
const WALLS: &[(&str, &[&str])] = &[
    ("lib", &[]),
    ("main", &["cli"]),
    ("liaison-tray", &["ipc"]),
    ("model", &[]),
    ("mapping", &["model"]),
    ("filter", &["model"]),
    ("plan", &["model"]),
    ("clock", &[]),
    ("secret", &[]),
    ("connector", &["model", "clock", "secret"]),
    ("store", &["model", "clock"]),
    ("sync", &["model", "mapping", "filter", "plan", "connector", "store", "clock"]),
    ("offline", &["model", "mapping", "plan", "connector", "store", "clock"]),
    ("config", &["model", "filter", "plan", "connector"]),
    // Its own wire types: a change of ours must not change the protocol.
    ("ipc", &[]),
    // The other side of the wire must not share our mistakes.
    ("sandbox", &[]),
    (
        "daemon",
        &[
            "model",
            "mapping",
            "filter",
            "plan",
            "clock",
            "secret",
            "connector",
            "store",
            "sync",
            "offline",
            "config",
            "ipc",
        ],
    ),
    (
        // Without a daemon the command line runs the rounds itself.
        "cli",
        &[
            "config",
            "ipc",
            "daemon",
            "connector",
            "sandbox",
            "sync",
            "offline",
            "store",
            "mapping",
            "model",
            "clock",
            "secret",
            "filter",
            "plan",
        ],
    ),
];

/// Modules that decide: no I/O, no clock, not async.
const PURE: &[&str] = &["model", "mapping", "filter", "plan"];

/// Paths that pure modules may not name, by their end or whole.
const BANNED: &[&[&str]] = &[
    &["tokio"],
    &["std", "fs"],
    &["std", "net"],
    &["std", "env"],
    &["std", "process"],
    &["SystemTime"],
    &["Instant", "now"],
    &["Timestamp", "now"],
    &["Zoned", "now"],
];

/// Neighbouring tokens that pure modules may not contain.
const BANNED_TOKENS: &[&[&str]] =
    &[&["async", "fn"], &["println", "!"], &["print", "!"], &["eprintln", "!"], &["eprint", "!"]];

const LINES_MAX: usize = 500;

/// Files that may be longer, how long, and why.
const LONG: &[(&str, usize, &str)] = &[];

#[test]
fn modules_import_only_what_they_may() {
    let found: Vec<String> =
        sources("src").into_iter().flat_map(|(path, source)| judge(&path, &source)).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn files_stay_short_enough_to_read() {
    let mut found = Vec::new();
    for (path, source) in sources("src") {
        let lines = source.lines().count();
        let excused = LONG.iter().find(|(excused, ..)| *excused == path);
        let limit = excused.map_or(LINES_MAX, |(_, limit, _)| *limit);
        if lines > limit && !is_test(&path) {
            found.push(format!("{path}: {lines} lines, at most {limit}: split it"));
        }
        if excused.is_some() && lines <= LINES_MAX {
            found.push(format!("{path}: no longer needs its exception"));
        }
    }
    for (path, _, reason) in LONG {
        assert!(Path::new(ROOT).join(path).exists(), "{path} ({reason}) is gone");
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn no_test_file_is_forgotten() {
    let present: BTreeSet<String> = sources("tests").into_iter().map(|(path, _)| path).collect();
    let mut reached = BTreeSet::from(["tests/it.rs".to_owned()]);
    let mut to_read = vec![("tests/it.rs".to_owned(), "tests".to_owned())];
    while let Some((file, folder)) = to_read.pop() {
        for name in modules(&read(&Path::new(ROOT).join(&file))) {
            let below = format!("{folder}/{name}");
            for file in [format!("{below}.rs"), format!("{below}/mod.rs")] {
                if present.contains(&file) && reached.insert(file.clone()) {
                    to_read.push((file, below.clone()));
                }
            }
        }
    }
    let forgotten: Vec<&String> = present.difference(&reached).collect();
    assert!(forgotten.is_empty(), "not reached from tests/it.rs: {forgotten:?}");
}

#[test]
fn the_readme_fits_in_one_sitting() {
    let path = Path::new(ROOT).join("README.md");
    if path.exists() {
        let lines = read(&path).lines().count();
        assert!(lines <= 200, "README.md has {lines} lines, at most 200");
    }
}

#[test]
fn the_default_configuration_names_every_setting() {
    let home = Some(Path::new("/home/anna"));
    let load = |without: &str| {
        let text = uncommented(without);
        let loaded = liaison::config::parse(&text, Path::new("/default.toml"), home);
        loaded.unwrap_or_else(|error| panic!("{error} {:?}", error.hint)).effective
    };
    // One or the other makes a certificate good.
    let all: Vec<_> = ["ca", "pin"].into_iter().flat_map(load).collect();
    let named: BTreeSet<&str> = all
        .iter()
        .filter(|setting| matches!(setting.origin, liaison::config::Origin::File { .. }))
        .map(|setting| setting.key.as_str())
        .collect();
    for setting in &all {
        let key = setting.key.as_str();
        // What the sections of servers have in common is shown in one of them.
        let last = key.rsplit_once('.').map_or(key, |(_, last)| last);
        let shared = key.starts_with("mailbox.")
            && named.iter().any(|other| {
                other.starts_with("mailbox.")
                    && other.rsplit_once('.').is_some_and(|it| it.1 == last)
            });
        assert!(named.contains(key) || shared, "config/default.toml says nothing about `{key}`");
    }
    assert!(named.len() > 50, "{}", named.len());
}

/// The default configuration with its examples, but for those of one key. Settings without a default stand behind a bare `#`;
/// comments behind `# `.
fn uncommented(without: &str) -> String {
    let mut text = String::new();
    let mut sections = BTreeSet::new();
    let mut is_other_example = false;
    for line in liaison::config::DEFAULT.lines() {
        let example =
            line.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with(' '));
        let shown = example.unwrap_or(line);
        if shown.starts_with('[') {
            // A section that stands there twice is shown with another kind of server.
            is_other_example = !sections.insert(shown.to_owned());
        }
        if is_other_example || key_of(shown) == Some(without) {
            continue;
        }
        // An example may show a key that stands above with its default: then only the example counts.
        if let Some(above) = example.and_then(key_of)
            && let Some((before, last)) = text.trim_end().rsplit_once('\n')
            && key_of(last) == Some(above)
        {
            text = format!("{before}\n");
        }
        text.push_str(&shown.replace("pin = \"…\"", &format!("pin = \"{}\"", "00".repeat(32))));
        text.push('\n');
    }
    text
}

#[test]
fn the_example_configurations_load() {
    let folder = Path::new(ROOT).join("config/examples");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let loaded = liaison::config::load(&path, Some(Path::new("/home/anna")));
        let loaded = loaded.unwrap_or_else(|error| panic!("{error} {:?}", error.hint));
        assert_eq!(loaded.settings.classes().count(), 4, "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 3);
}

fn key_of(line: &str) -> Option<&str> {
    line.split_once(" = ").map(|(key, _)| key)
}

#[test]
fn the_scanner_sees_what_breaks_a_wall() {
    let bad = r##"
        //! crate::store is only spoken of here, and so is tokio.
        use std::{fmt, fs::File, net};
        use crate::{model::{Class, Side}, store::Store};
        /* crate::sync /* nested crate::sync */ crate::sync */
        const TEXT: &str = "crate::sync::Engine \" tokio::spawn";
        const RAW: &str = r#"crate::sync "quoted" println!()"#;
        fn quote<'a>(c: &'a char) -> bool { *c == '"' || *c == '\'' || *c == 'x' }
        async fn wait() { println!("{}", super::plan::now(std::time::Instant::now())); }
        #[cfg(test)]
        mod tests {
            use super::super::connector::Error;
            use super::wait;
        }
    "##;
    let mut found = judge("src/filter/mod.rs", bad);
    found.sort();
    let expected = [
        "src/filter/mod.rs:12: filter must not import connector",
        "src/filter/mod.rs:3: filter is pure and must not name std::fs",
        "src/filter/mod.rs:3: filter is pure and must not name std::net",
        "src/filter/mod.rs:4: filter must not import store",
        "src/filter/mod.rs:9: filter is pure and must not name Instant::now",
        "src/filter/mod.rs:9: filter is pure and must not name async fn",
        "src/filter/mod.rs:9: filter is pure and must not name println!",
        "src/filter/mod.rs:9: filter must not import plan",
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_scanner_lets_pass_what_is_allowed() {
    let good = "use std::collections::BTreeMap;\nuse crate::model::{Class, Side};\npub(crate) mod a { use super::super::b; }\n";
    assert_eq!(judge("src/filter/fetch.rs", good), Vec::<String>::new());
    assert_eq!(judge("src/main.rs", "fn main() { liaison::cli::run() }"), Vec::<String>::new());
    let tray = "use crate::store; use super::icon; use liaison::ipc::wire;";
    assert_eq!(judge("src/bin/liaison-tray/link.rs", tray), Vec::<String>::new());
}

#[test]
fn the_scanner_has_no_back_door() {
    for (path, source, expected) in [
        ("src/model/a.rs", "use crate::*;", "model must not import *"),
        ("src/model/a.rs", "use crate as root;", "model must not rename the crate"),
        ("src/model/a.rs", "extern crate self as me;", "model must not rename the crate"),
        ("src/model/a/b.rs", "use super::super::super::store;", "model must not import store"),
        ("src/model/a.rs", "use tokio as t;", "model is pure and must not name tokio"),
        ("src/model/a.rs", "fn f(_: <crate::store::S as T>::X) {}", "model must not import store"),
        ("src/sandbox/a.rs", "use crate::clock::Clock;", "sandbox must not import clock"),
        ("src/main.rs", "use liaison::store;", "main must not import store"),
        ("src/bin/liaison-tray/main.rs", "use liaison::cli;", "liaison-tray must not import cli"),
        ("src/bin/liaison-tray/a/b.rs", "use liaison::{ipc, store};", "must not import store"),
        ("src/bin/other/main.rs", "", "other has no place in the walls: add it to WALLS"),
        ("src/extra/a.rs", "", "extra has no place in the walls: add it to WALLS"),
    ] {
        let found = judge(path, source);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        assert!(found[0].ends_with(expected), "{source}: {found:?}");
    }
}

/// What a source file does that its module may not.
fn judge(path: &str, source: &str) -> Vec<String> {
    let module = module_of(path);
    let top = binary_of(path).or_else(|| module.first().cloned());
    let top = top.unwrap_or_else(|| root_name(path));
    let Some((_, allowed)) = WALLS.iter().find(|(name, _)| *name == top) else {
        return vec![format!("{path}: {top} has no place in the walls: add it to WALLS")];
    };
    let tokens = scan::tokens(source);
    let paths = scan::paths(&tokens, &module);
    let mut found = BTreeSet::new();
    for used in &paths {
        let from_root = match used.segments[0].as_str() {
            "liaison" => true,
            // The crate of a binary has no part of the library.
            "crate" => binary_of(path).is_none(),
            _ => false,
        };
        if let Some(other) = used.segments.get(1).filter(|_| from_root)
            && *other != top
            && !allowed.contains(&other.as_str())
        {
            found.insert(format!("{path}:{}: {top} must not import {other}", used.line));
        }
        if PURE.contains(&top.as_str()) {
            for banned in BANNED.iter().filter(|banned| names(&used.segments, banned)) {
                let banned = banned.join("::");
                found.insert(format!(
                    "{path}:{}: {top} is pure and must not name {banned}",
                    used.line
                ));
            }
        }
    }
    for (at, token) in tokens.iter().enumerate() {
        let follows = |words: &[&str]| {
            words.iter().enumerate().all(|(offset, word)| {
                tokens.get(at + offset).is_some_and(|token| token.text == *word)
            })
        };
        if follows(&["crate", "as"]) || follows(&["extern", "crate"]) {
            found.insert(format!("{path}:{}: {top} must not rename the crate", token.line));
        }
        for banned in BANNED_TOKENS.iter().filter(|banned| follows(banned)) {
            if PURE.contains(&top.as_str()) {
                let banned = banned.join(" ").replace(" !", "!");
                found.insert(format!(
                    "{path}:{}: {top} is pure and must not name {banned}",
                    token.line
                ));
            }
        }
    }
    found.into_iter().collect()
}

/// Whether a path contains the banned segments one after the other.
fn names(segments: &[String], banned: &[&str]) -> bool {
    segments.windows(banned.len()).any(|window| window.iter().eq(banned.iter()))
}

/// Whose own crate a file is of: `src/bin/liaison-tray/icon.rs` is of `liaison-tray`.
fn binary_of(path: &str) -> Option<String> {
    let (name, _) = path.strip_prefix("src/bin/")?.split_once('/')?;
    Some(name.to_owned())
}

/// `src/mapping/contact.rs` is `mapping::contact`; the roots of the crates are nothing.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    let root = binary_of(path).map(|name| format!("bin/{name}/"));
    let inside = inside.trim_start_matches(root.as_deref().unwrap_or_default());
    if matches!(inside, "lib" | "main") {
        return Vec::new();
    }
    inside.trim_end_matches("/mod").split('/').map(str::to_owned).collect()
}

fn root_name(path: &str) -> String {
    Path::new(path).file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The modules that a file declares in files of their own.
fn modules(source: &str) -> Vec<String> {
    let tokens = scan::tokens(source);
    let declared =
        tokens.windows(3).filter(|window| window[0].text == "mod" && window[2].text == ";");
    declared.map(|window| window[1].text.clone()).collect()
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Every Rust file below a folder of the package: its path from there, and its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut folders = vec![Path::new(ROOT).join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(ROOT).unwrap().to_str().unwrap();
                found.push((inside.replace('\\', "/"), read(&path)));
            }
        }
    }
    found.sort();
    found
}

fn read(path: &PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
