use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const LIMIT: u64 = 1 << 20;

fn clock() -> Clock {
    Clock::system()
}

fn create(path: &Path, bytes: &[u8]) -> Result<()> {
    stage(path.parent().unwrap(), bytes, &clock())?.create(path)
}

fn visible(directory: &Path) -> Vec<String> {
    names(&[directory], &clock()).unwrap().directories.remove(0)
}

fn all(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn a_create_never_replaces() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ics");
    create(&path, b"first").unwrap();
    assert_eq!(create(&path, b"second").unwrap_err().kind, ErrorKind::Exists);
    assert_eq!(read(&path, LIMIT).unwrap(), b"first");
    assert_eq!(all(directory.path()), 1, "no temporary file stays");
}

#[test]
fn a_crash_before_the_name_is_given_leaves_nothing_to_see() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::manual("2020-01-01T00:00:00Z".parse().unwrap());
    std::mem::forget(stage(directory.path(), b"half", &clock).unwrap());
    assert_eq!(visible(directory.path()), Vec::<String>::new());
    restore(directory.path(), &clock).unwrap();
    assert_eq!(all(directory.path()), 1, "it may belong to a write that is going on");
    let tomorrow = Clock::manual(Clock::system().now() + LEFTOVER + Duration::from_mins(1));
    restore(directory.path(), &tomorrow).unwrap();
    assert_eq!(all(directory.path()), 0);
}

#[test]
fn only_own_leftovers_are_swept() {
    let directory = tempfile::tempdir().unwrap();
    for name in [".other.tmp", "b.tmp", "a.ics", ".liaison-keep"] {
        fs::write(directory.path().join(name), "x").unwrap();
    }
    let tomorrow = Clock::manual(Clock::system().now() + LEFTOVER + Duration::from_mins(1));
    restore(directory.path(), &tomorrow).unwrap();
    assert_eq!(all(directory.path()), 4);
}

#[test]
fn a_replace_wants_the_content_it_was_planned_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ics");
    let replace = |bytes: &[u8], expected: &[u8]| {
        stage(directory.path(), bytes, &clock())?.replace(&path, &version(expected), LIMIT)
    };
    assert_eq!(replace(b"new", b"old").unwrap_err().kind, ErrorKind::Missing);
    create(&path, b"old").unwrap();
    replace(b"new", b"old").unwrap();
    assert_eq!(read(&path, LIMIT).unwrap(), b"new");
    assert_eq!(replace(b"newer", b"old").unwrap_err().kind, ErrorKind::Stale);
    assert_eq!(read(&path, LIMIT).unwrap(), b"new");
    assert_eq!(all(directory.path()), 1);
}

#[test]
fn a_removal_wants_it_too_and_a_crash_in_it_is_undone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ics");
    create(&path, b"old").unwrap();
    assert_eq!(remove(&path, &version(b"other"), LIMIT).unwrap_err().kind, ErrorKind::Stale);
    assert_eq!(read(&path, LIMIT).unwrap(), b"old");

    let aside = directory.path().join(format!("{REMOVING}a.ics"));
    fs::rename(&path, &aside).unwrap();
    restore(directory.path(), &clock()).unwrap();
    assert_eq!(read(&path, LIMIT).unwrap(), b"old", "put back after a crash");

    fs::write(&aside, b"older").unwrap();
    restore(directory.path(), &clock()).unwrap();
    assert_eq!(read(&path, LIMIT).unwrap(), b"old", "never over a newer file");
    assert_eq!(all(directory.path()), 1);

    remove(&path, &version(b"old"), LIMIT).unwrap();
    assert_eq!(remove(&path, &version(b"old"), LIMIT).unwrap_err().kind, ErrorKind::Missing);
    assert_eq!(all(directory.path()), 0);
}

#[cfg(unix)]
#[test]
fn links_pipes_directories_and_large_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("large.ics"), vec![b'x'; 100]).unwrap();
    std::os::unix::fs::symlink(at("large.ics"), at("link.ics")).unwrap();
    fs::create_dir(at("directory.ics")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(at("pipe.ics")).status().unwrap();
    assert!(made.success());
    for name in ["large.ics", "link.ics", "directory.ics", "pipe.ics"] {
        let error = read(&at(name), 99).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected, "{name}");
        assert!(error.message.starts_with(name), "{error}");
    }
    assert_eq!(read_start(&at("large.ics"), 10).unwrap().len(), 10);
}

#[test]
fn an_id_never_leads_out_of_the_folder() {
    let root = Path::new("/mail");
    for name in
        ["", "..", ".", "../x", "a/../b", "/etc/passwd", "a//b", "a/.", "a\\b", "a\0b", "a/"]
    {
        assert_eq!(below(root, name).unwrap_err().kind, ErrorKind::Rejected, "{name:?}");
    }
    for name in ["a.ics", ".Sub.Folder", "a/b", "...", "-rf"] {
        assert_eq!(below(root, name).unwrap(), root.join(name));
    }
}

#[test]
fn what_is_no_directory_has_no_empty_listing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [file, directory.path().join("gone")] {
        let error = names(&[&path], &clock()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Local);
        assert!(error.hint.is_some());
        assert_eq!(stage(&path, b"x", &clock()).unwrap_err().kind, ErrorKind::Local);
    }
}

/// Another program renames a file between two directories all the time: a listing has it, or says that it may be missing.
#[test]
fn a_renamed_file_is_listed_or_the_listing_is_in_doubt() {
    let directory = tempfile::tempdir().unwrap();
    let (new, cur) = (directory.path().join("new"), directory.path().join("cur"));
    for directory in [&new, &cur] {
        fs::create_dir(directory).unwrap();
        for number in 0..200 {
            fs::write(directory.join(format!("filler-{number}")), "").unwrap();
        }
    }
    fs::write(new.join("moving"), "").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mover = {
        let (new, cur, stop) = (new.join("moving"), cur.join("moving"), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                fs::rename(&new, &cur).unwrap();
                fs::rename(&cur, &new).unwrap();
            }
        })
    };
    for _ in 0..50 {
        let names = names(&[&new, &cur], &clock()).unwrap();
        let seen = names.directories.iter().flatten().any(|name| name == "moving");
        assert!(seen || names.doubt.is_some());
    }
    stop.store(true, Ordering::Relaxed);
    mover.join().unwrap();
    assert!(names(&[&new, &cur], &clock()).unwrap().doubt.is_none());
}

/// Writers that race for one name: one wins, and its bytes stand there.
#[test]
fn of_two_creates_at_once_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..50 {
        let path = directory.path().join(format!("{round}.ics"));
        let outcomes: Vec<Result<()>> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4_u8)
                .map(|writer| {
                    let path = &path;
                    scope.spawn(move || create(path, &[writer; 10]))
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let winner = outcomes.iter().position(Result::is_ok).unwrap();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert_eq!(read(&path, LIMIT).unwrap(), [u8::try_from(winner).unwrap(); 10]);
    }
    assert_eq!(all(directory.path()), 50);
}
