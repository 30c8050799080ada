//! Files: who may read them, who else has them open, old and new layouts, damage.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::{on_disk, set, value};
use crate::store::migrate::{self, MIGRATIONS, Migration};
use crate::store::open::{self, beside};
use crate::store::{Error, ErrorKind, Store, locked, meta};

const SECOND: Migration = &["CREATE TABLE later (id INTEGER PRIMARY KEY AUTOINCREMENT) STRICT;"];

fn next() -> Vec<Migration> {
    [MIGRATIONS, &[SECOND]].concat()
}

fn refused(path: &Path) -> Error {
    Store::open_patiently(path, Duration::ZERO).unwrap_err()
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state").join("liaison").join("store.db");
    let store = Store::open(&path).unwrap();
    set(&store, "value").unwrap();
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(path.parent().unwrap().parent().unwrap()), 0o700);
    for suffix in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(&beside(&path, suffix)), 0o600, "{suffix}");
    }
    drop(store);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(&path).unwrap();
    set(&store, "later").unwrap();
    for suffix in ["", "-wal", "-shm"] {
        assert_eq!(mode(&beside(&path, suffix)), 0o600, "{suffix}");
    }
}

#[test]
fn closing_leaves_one_file_with_everything_in_it() {
    let (folder, store) = on_disk();
    set(&store, "value").unwrap();
    drop(store);
    let path = folder.path().join("store.db");
    assert!(!beside(&path, "-wal").exists());
    assert_eq!(value(&Store::open(&path).unwrap()).as_deref(), Some("value"));
}

#[test]
fn what_a_killed_process_committed_is_there() {
    let (folder, store) = on_disk();
    set(&store, "value").unwrap();
    // What is on the disk now is what a kill would leave.
    let path = folder.path().join("store.db");
    let copy = folder.path().join("killed.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(beside(&path, "-wal"), beside(&copy, "-wal")).unwrap();
    let killed = Store::open(&copy).unwrap();
    assert_eq!(value(&killed).as_deref(), Some("value"));
    killed.read_blocking(open::integrity_check).unwrap();
}

#[test]
fn a_second_process_reads_at_once_and_writes_in_its_turn() {
    let (folder, store) = on_disk();
    let path = folder.path().join("store.db");
    let other = Store::open_patiently(&path, Duration::ZERO).unwrap();
    set(&other, "theirs").unwrap();
    assert_eq!(value(&store).as_deref(), Some("theirs"));
    store
        .write_blocking(|tx| {
            meta::set(tx, "key", "ours")?;
            assert_eq!(value(&other).as_deref(), Some("theirs"));
            let error = set(&other, "too soon").unwrap_err();
            assert_eq!(error.kind, ErrorKind::Busy);
            Ok(())
        })
        .unwrap();
    assert_eq!(value(&other).as_deref(), Some("ours"));
    set(&other, "in turn").unwrap();
    assert_eq!(value(&store).as_deref(), Some("in turn"));
}

#[test]
fn a_store_of_a_newer_version_is_left_as_it_is() {
    let (folder, store) = on_disk();
    drop(store);
    let path = folder.path().join("store.db");
    let known = i64::try_from(MIGRATIONS.len()).unwrap();
    let found = known + 1;
    Connection::open(&path).unwrap().pragma_update(None, "user_version", found).unwrap();
    let before = fs::read(&path).unwrap();
    let error = refused(&path);
    assert_eq!(error.kind, ErrorKind::Newer { found, known });
    assert!(error.to_string().contains("store.db: a newer Liaison wrote it"), "{error}");
    assert!(error.hint().unwrap().contains("install the newer version"));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_database_of_another_program_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (id INTEGER)").unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(refused(&path).kind, ErrorKind::Foreign);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn an_upgrade_copies_the_store_beside_itself_first() {
    let (folder, store) = on_disk();
    set(&store, "value").unwrap();
    drop(store);
    let path = folder.path().join("store.db");
    let opened = open::file(&path, Duration::ZERO, &next()).unwrap();
    let known = i64::try_from(MIGRATIONS.len()).unwrap();
    assert_eq!(migrate::version(&opened.writer, &next()).unwrap(), known + 1);
    assert_eq!(meta::get(&opened.writer, "key").unwrap().as_deref(), Some("value"));
    drop(opened);
    assert_eq!(refused(&path).kind, ErrorKind::Newer { found: known + 1, known });

    let copy = migrate::backup_path(&path, known);
    #[cfg(unix)]
    assert_eq!(mode(&copy), 0o600);
    assert!(!beside(&path, ".unfinished").exists());
    assert_eq!(value(&Store::open(&copy).unwrap()).as_deref(), Some("value"));
}

#[test]
fn an_upgrade_that_fails_changes_nothing_and_can_be_repeated() {
    let (folder, store) = on_disk();
    set(&store, "value").unwrap();
    drop(store);
    let path = folder.path().join("store.db");
    let broken: Migration = &["DELETE FROM meta;", "INSERT INTO nowhere (id) VALUES (1);"];
    for _ in 0..2 {
        let steps = [MIGRATIONS, &[broken]].concat();
        let error = open::file(&path, Duration::ZERO, &steps).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Sql);
    }
    assert_eq!(value(&Store::open(&path).unwrap()).as_deref(), Some("value"));
    open::file(&path, Duration::ZERO, &next()).unwrap();
}

#[test]
fn an_upgrade_waits_until_nobody_else_has_the_store_open() {
    let (folder, store) = on_disk();
    let path = folder.path().join("store.db");
    let error = open::file(&path, Duration::ZERO, &next()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Busy);
    set(&store, "still works").unwrap();
    drop(store);
    open::file(&path, Duration::ZERO, &next()).unwrap();
}

#[test]
fn a_store_that_another_process_is_looking_over_is_waited_for() {
    let (folder, store) = on_disk();
    drop(store);
    let path = folder.path().join("store.db");
    let first = fs::File::open(beside(&path, ".lock")).unwrap();
    first.lock().unwrap();
    assert_eq!(refused(&path).kind, ErrorKind::Busy);
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| Store::open(&path));
        assert!(!opening.is_finished());
        first.unlock().unwrap();
        opening.join().unwrap().unwrap();
    });
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    fs::write(&path, "Dear Anna,\n".repeat(100)).unwrap();
    let error = refused(&path);
    assert_eq!(error.kind, ErrorKind::Corrupt);
    assert_eq!(error.path(), Some(path.as_path()));
    assert!(error.hint().unwrap().contains("liaison rebuild"));
}

#[test]
fn damage_is_found_after_an_unclean_end() {
    let (folder, store) = on_disk();
    store
        .write_blocking(|tx| {
            (0..2000).try_for_each(|n| meta::set(tx, &format!("key {n:05}"), "some text"))
        })
        .unwrap();
    drop(store);
    let path = folder.path().join("store.db");
    let mut bytes = fs::read(&path).unwrap();
    let page = bytes.windows(9).position(|window| window == b"key 01000").unwrap() / 4096 * 4096;
    bytes[page..page + 4096].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    fs::write(beside(&path, "-wal"), "left by a crash").unwrap();
    let error = refused(&path);
    assert_eq!(error.kind, ErrorKind::Corrupt);
    assert!(error.to_string().contains("store.db: the file is damaged"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = refused(&file.join("store.db"));
    assert_eq!(error.kind, ErrorKind::Io);
    assert!(error.hint().is_some());
}

#[test]
fn a_store_that_rests_lets_go_and_goes_on() {
    let (_folder, store) = on_disk();
    let is_closed = || store.shared.readers.iter().all(|reader| locked(reader).is_none());
    set(&store, "1").unwrap();
    assert_eq!(value(&store).as_deref(), Some("1"));
    assert!(!is_closed());
    store.rest();
    assert!(is_closed());
    assert_eq!(value(&store).as_deref(), Some("1"));
    set(&store, "2").unwrap();
    store.rest();
    store.promise_blocking(|tx| meta::set(tx, "key", "3")).unwrap();
    assert_eq!(value(&store).as_deref(), Some("3"));
}
