//! From a path to connections that are safe to use: who may read the files, who else has them open, whether they are whole.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::{Error, ErrorKind, Result};
use super::migrate::{self, MIGRATIONS, Migration};

/// Prepared statements kept a connection: about as many as there are.
const STATEMENTS: usize = 96;

/// The write-ahead log is cut back to this many bytes after a checkpoint.
const LOG_BYTES_MAX: i64 = 16 << 20;

/// It is moved into the file when it has so many pages of 4 KiB: each time, the disk is waited for.
const LOG_PAGES: i64 = 4000;

/// Between two looks at a lock that another process holds: there is no way to wait for it with a limit.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// What [`file()`] hands over.
#[derive(Debug)]
pub struct Opened {
    pub writer: Connection,
    pub presence: Presence,
}

/// A lock beside the store that every process holds (shared) as long as it has the store open. Whoever gets it alone knows
/// that it is the first, and may judge what a crash left and change the layout.
#[derive(Debug)]
pub struct Presence {
    file: File,
    is_alone: bool,
}

/// Opens the store in this file and brings it up to date. Waits for other processes no longer than `patience`.
///
/// # Errors
/// As for [`super::Store::open`].
pub fn file(path: &Path, patience: Duration, migrations: &[Migration]) -> Result<Opened> {
    if let Some(folder) = path.parent() {
        create_private_folder(folder)?;
    }
    let mut presence = Presence::announce(&beside(path, ".lock"), patience)?;
    let log = beside(path, "-wal");
    let shared_memory = beside(path, "-shm");
    match create_private(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    for file in [path, &log, &shared_memory] {
        make_private(file)?;
    }
    // The last to close a store empties the log. That it is there means that nobody came to close it.
    let is_unclean =
        presence.is_alone && fs::metadata(&log).is_ok_and(|metadata| metadata.len() > 0);

    let mut writer = connect(path, patience)?;
    let found = migrate::version(&writer, migrations)?;
    if is_unclean {
        quick_check(&writer)?;
    }
    use_log(&writer)?;
    if usize::try_from(found).unwrap_or_default() < migrations.len() {
        if !presence.is_alone {
            return Err(Error::new(
                ErrorKind::Busy,
                "it is to be brought up to date, and another Liaison has it open",
            ));
        }
        migrate::migrate(&mut writer, Some(path), migrations)?;
    }
    presence.share(patience)?;
    // A newer program may have been quicker.
    migrate::version(&writer, migrations)?;
    Ok(Opened { writer, presence })
}

/// A store that is gone when it is closed.
///
/// # Errors
/// When there is not enough memory.
pub fn in_memory() -> Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    prepare(&connection, Duration::ZERO)?;
    migrate::migrate(&mut connection, None, MIGRATIONS)?;
    Ok(connection)
}

/// Checks every page and every index.
///
/// # Errors
/// [`ErrorKind::Corrupt`] with the first finding.
pub fn integrity_check(connection: &Connection) -> Result<()> {
    healthy(connection, "PRAGMA integrity_check(1)")
}

/// The name of a file beside the store.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Deletes a store that nobody has open, with all that stands beside it. What is not there is gone already.
///
/// # Errors
/// The first file that stays; the others are gone all the same.
pub fn remove(path: &Path) -> Result<()> {
    let mut ended = Ok(());
    for suffix in ["", "-wal", "-shm", ".lock", ".unfinished"] {
        let file = beside(path, suffix);
        if let Err(error) = fs::remove_file(&file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            ended = ended.and(Err(Error::from(error).at(&file)));
        }
    }
    ended
}

/// Makes an empty file that only its owner can read. The log and the shared memory beside a store get the same mode.
///
/// # Errors
/// When it is there already, or the folder refuses.
pub fn create_private(path: &Path) -> std::io::Result<()> {
    private(OpenOptions::new().write(true).create_new(true)).open(path).map(drop)
}

/// Puts the names in a file's folder on the disk.
///
/// # Errors
/// When the disk fails.
#[cfg(unix)]
pub fn sync_folder_of(path: &Path) -> Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => Ok(File::open(folder)?.sync_all()?),
        None => Ok(File::open(".")?.sync_all()?),
    }
}

/// Folders cannot be flushed on this system; renames are journalled by it.
#[cfg(not(unix))]
pub fn sync_folder_of(_path: &Path) -> Result<()> {
    Ok(())
}

impl Presence {
    fn announce(path: &Path, patience: Duration) -> Result<Self> {
        let file = private(OpenOptions::new().read(true).write(true).create(true).truncate(false))
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, is_alone: true }),
            Err(TryLockError::WouldBlock) => {
                join(&file, patience)?;
                Ok(Self { file, is_alone: false })
            }
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    fn share(&mut self, patience: Duration) -> Result<()> {
        if self.is_alone {
            // Not every system turns one kind of lock into the other.
            self.file.unlock()?;
            self.is_alone = false;
            join(&self.file, patience)?;
        }
        Ok(())
    }
}

/// Waits while the first looks the store over: moments, or seconds after a crash or for an upgrade.
fn join(file: &File, patience: Duration) -> Result<()> {
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if waited < patience => {
                std::thread::park_timeout(LOCK_PAUSE);
                waited += LOCK_PAUSE;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    ErrorKind::Busy,
                    "another Liaison is checking it or bringing it up to date",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

/// A connection that reads a store which is open.
///
/// # Errors
/// When the file cannot be read.
pub fn reader(path: &Path, patience: Duration) -> Result<Connection> {
    let connection = connect(path, patience)?;
    // What is read is looked up by key, or once from end to end: half of SQLite's usual room for pages is enough.
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -1000")?;
    Ok(connection)
}

fn connect(path: &Path, patience: Duration) -> Result<Connection> {
    // Not by the default flags: they would take a name that starts with `file:` for a URI.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection, patience)?;
    Ok(connection)
}

fn prepare(connection: &Connection, patience: Duration) -> Result<()> {
    connection.busy_timeout(patience)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Plans go by the tables alone: else a statement is prepared anew for each value that it is asked with.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // `temp_store`: content stays out of temporary files. `trusted_schema`: a tampered file runs no functions.
    // `fullfsync`: elsewhere `fsync` is enough, on macOS it is not.
    connection.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA fullfsync = ON; PRAGMA cell_size_check = ON",
    )?;
    Ok(())
}

fn use_log(connection: &Connection) -> Result<()> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::new(ErrorKind::Io, "this file system cannot hold it"));
    }
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    Ok(())
}

fn quick_check(connection: &Connection) -> Result<()> {
    healthy(connection, "PRAGMA quick_check(1)")
}

fn healthy(connection: &Connection, check: &'static str) -> Result<()> {
    let finding: String = connection.query_row(check, [], |row| row.get(0))?;
    if finding == "ok" {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Corrupt, format!("the file is damaged: {finding}")))
}

#[cfg(unix)]
fn create_private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    Ok(DirBuilder::new().recursive(true).mode(0o700).create(folder)?)
}

#[cfg(not(unix))]
fn create_private_folder(folder: &Path) -> Result<()> {
    Ok(DirBuilder::new().recursive(true).create(folder)?)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

/// The state folder of a user is private here by inheritance.
#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Changes the mode by name: to open and close a file that is in use as a database would drop its locks.
#[cfg(unix)]
fn make_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o600))?)
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn make_private(_path: &Path) -> Result<()> {
    Ok(())
}
