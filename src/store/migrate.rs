//! Brings the layout of a store up to date. The layout's version is `PRAGMA user_version`; each step is one
//! transaction, and so is the making of a new store.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, TransactionBehavior};

use super::error::{Error, ErrorKind, Result};
use super::open;

/// What leads from one version to the next: the files of `migrations/` whose number it is, one a table.
pub type Migration = &'static [&'static str];

/// All steps in order; the n-th leads to version n. A released step is never changed: add another.
pub const MIGRATIONS: &[Migration] = &[
    &[
        include_str!("migrations/0001_meta.sql"),
        include_str!("migrations/0001_round.sql"),
        include_str!("migrations/0001_observation.sql"),
        include_str!("migrations/0001_link.sql"),
        include_str!("migrations/0001_decision.sql"),
        include_str!("migrations/0001_journal.sql"),
        include_str!("migrations/0001_hold.sql"),
        include_str!("migrations/0001_conflict.sql"),
        include_str!("migrations/0001_quarantine.sql"),
        include_str!("migrations/0001_cursor.sql"),
    ],
    &[include_str!("migrations/0002_mark.sql"), include_str!("migrations/0002_kept.sql")],
    &[include_str!("migrations/0003_settled.sql")],
    &[
        include_str!("migrations/0004_decision.sql"),
        include_str!("migrations/0004_tagged.sql"),
        include_str!("migrations/0004_regarding.sql"),
        include_str!("migrations/0004_fingerprint.sql"),
        include_str!("migrations/0004_quarantine.sql"),
        include_str!("migrations/0004_person.sql"),
        include_str!("migrations/0004_outgoing.sql"),
        include_str!("migrations/0004_checks.sql"),
    ],
    &[include_str!("migrations/0005_settled.sql"), include_str!("migrations/0005_spent.sql")],
    &[
        include_str!("migrations/0006_decision.sql"),
        include_str!("migrations/0006_observation.sql"),
        include_str!("migrations/0006_touched.sql"),
        include_str!("migrations/0006_round.sql"),
    ],
    &[include_str!("migrations/0007_journal.sql")],
];

/// `LIAS`: marks the file as ours, for `file(1)` and for ourselves.
const APPLICATION_ID: i64 = 0x4C49_4153;

/// Pages copied before other processes get a turn.
const BACKUP_PAGES: i32 = 1024;

/// The version of the store's layout; 0 for an empty file.
///
/// # Errors
/// [`ErrorKind::Foreign`] when some other program made it, [`ErrorKind::Newer`] when this one is too old for it.
pub fn version(connection: &Connection, migrations: &[Migration]) -> Result<i64> {
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_empty = application == 0 && found == 0 && tables == 0;
    if !is_empty && application != APPLICATION_ID {
        return Err(Error::new(ErrorKind::Foreign, "the file belongs to another program"));
    }
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(Error::new(
            ErrorKind::Newer { found, known },
            format!("a newer Liaison wrote it (layout {found}, this version knows up to {known})"),
        ));
    }
    Ok(found)
}

/// Applies what is missing. An existing store is copied beside itself first, as `<file>.v<version>`.
///
/// # Errors
/// As for [`version`]; [`ErrorKind::Full`] and [`ErrorKind::Io`] leave the store at the last whole step.
pub fn migrate(
    connection: &mut Connection,
    path: Option<&Path>,
    migrations: &[Migration],
) -> Result<()> {
    let found = version(connection, migrations)?;
    let done = usize::try_from(found).unwrap_or_default();
    if done == migrations.len() {
        return Ok(());
    }
    if let (Some(path), true) = (path, found > 0) {
        back_up(connection, path, &backup_path(path, found))?;
    }
    let missing: Vec<(i64, &Migration)> = (1_i64..).zip(migrations).skip(done).collect();
    // A new store has nothing to lose between two steps, and the disk is waited for after each transaction.
    let at_once = if found == 0 { missing.len() } else { 1 };
    for steps in missing.chunks(at_once) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        for (step, files) in steps {
            for sql in **files {
                tx.execute_batch(sql)?;
            }
            // Neither takes a parameter.
            tx.execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {step};"
            ))?;
        }
        tx.commit()?;
    }
    Ok(())
}

/// Where the copy of a store of this version is put before it is brought up to date.
pub fn backup_path(path: &Path, version: i64) -> PathBuf {
    open::beside(path, &format!(".v{version}"))
}

/// A copy that is whole or not there: made under another name first.
///
/// # Errors
/// When the disk is full or fails.
pub fn back_up(connection: &Connection, path: &Path, to: &Path) -> Result<()> {
    let unfinished = open::beside(path, ".unfinished");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    open::create_private(&unfinished)?;
    let mut copy = Connection::open(&unfinished)?;
    Backup::new(connection, &mut copy)?.run_to_completion(BACKUP_PAGES, Duration::ZERO, None)?;
    copy.close().map_err(|(_, error)| error)?;
    File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, to)?;
    open::sync_folder_of(to)
}
