//! What must outlive the process: `SQLite`, one writer, a few readers; all SQL of the program (but the sandbox's).
//!
//! One file a table, with free functions on a transaction or connection and the conversion between row and type beside
//! them, so that callers put what belongs together into one transaction. The store decides nothing: it does not know
//! what a plan, a connector or the time is. Times come as parameters.

use std::fmt;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

pub use rusqlite::Connection;

pub mod conflict;
pub mod cursor;
pub mod decision;
pub mod departure;
pub mod encode;
pub mod error;
pub mod fingerprint;
pub mod hold;
pub mod journal;
pub mod kept;
pub mod link;
pub mod mark;
pub mod meta;
pub mod migrate;
pub mod observation;
pub mod open;
pub mod outgoing;
pub mod person;
pub mod quarantine;
pub mod regarding;
pub mod replica;
pub mod round;
pub mod settled;
pub mod spent;
pub mod statistics;
pub mod tagged;
pub mod tally;
pub mod touched;
pub mod transaction;

#[cfg(test)]
mod tests;

pub use error::{Error, ErrorKind, Result};
pub use transaction::Transaction;

/// How long to wait for another process that is writing.
const PATIENCE: Duration = Duration::from_secs(10);

/// Readers beside the writer: the daemon's rounds and its control socket.
const READERS: usize = 2;

/// The stop point before a commit: what was written is rolled back.
pub const BEFORE_COMMIT: &str = "store: before commit";

/// The stop point after a commit: what was written is there, but the caller never learns it.
pub const AFTER_COMMIT: &str = "store: after commit";

/// As [`AFTER_COMMIT`], and instead of it, after a commit that waited until it was on the disk ([`Store::promise`]).
pub const AFTER_PROMISE: &str = "store: after promise";

/// A point at which a write can end as in a crash.
#[derive(Debug, Clone, Copy)]
pub struct Stop {
    /// [`BEFORE_COMMIT`], [`AFTER_COMMIT`] or [`AFTER_PROMISE`].
    pub name: &'static str,
    /// The line of the program that writes: so all of them are known, and none has to be given a name by hand.
    pub place: &'static Location<'static>,
}

/// Asked at each stop point whether to go on. A `false` ends the write with [`ErrorKind::Stopped`], as a crash at this
/// point would: for tests that walk through all of them.
pub type Probe = Arc<dyn Fn(Stop) -> bool + Send + Sync>;

/// A handle on the store; clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    probe: Option<Probe>,
}

struct Shared {
    /// `None` for a store in memory.
    path: Option<PathBuf>,
    /// Each is opened when it is needed. Before the writer, so that its connection is the last to close: that one empties and
    /// removes the write-ahead log.
    readers: [Mutex<Option<Connection>>; READERS],
    writer: Mutex<Writer>,
    /// How long connections wait for other processes.
    patience: Duration,
    /// Held to the end: tells other processes that this one is there.
    _presence: Option<open::Presence>,
}

/// The connection that writes, and how it is set.
struct Writer {
    connection: Connection,
    /// `None` where it may be set to refuse writing.
    durability: Option<Durability>,
}

impl Writer {
    fn new(connection: Connection) -> Mutex<Self> {
        Mutex::new(Self { connection, durability: None })
    }
}

/// What a commit promises.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// Survives the end of the process. A power failure may take the last moments, never the order: what was observed is
    /// looked at again.
    Process,
    /// On the disk when the call returns.
    Power,
}

impl Store {
    /// Opens the store in this file, made (as is its folder) when it is not there, and brings it up to date.
    ///
    /// # Errors
    /// [`ErrorKind::Newer`], [`ErrorKind::Foreign`], [`ErrorKind::Corrupt`]: the file is left as it is.
    /// [`ErrorKind::Busy`], [`ErrorKind::Full`], [`ErrorKind::Io`]: it may work later.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_patiently(path, PATIENCE)
    }

    /// A store that ends with its last handle. Reads wait for writes.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn in_memory() -> Result<Self> {
        let writer = open::in_memory()?;
        Ok(Self::around(Shared {
            path: None,
            readers: Default::default(),
            writer: Writer::new(writer),
            patience: Duration::ZERO,
            _presence: None,
        }))
    }

    /// The same store, with named stop points.
    #[must_use]
    pub fn with_probe(&self, probe: Probe) -> Self {
        Self { shared: Arc::clone(&self.shared), probe: Some(probe) }
    }

    /// The file; `None` for a store in memory.
    pub fn path(&self) -> Option<&Path> {
        self.shared.path.as_deref()
    }

    /// Does this work in one transaction: all of it is kept, or, on an error or a panic, nothing. For what can be
    /// looked up again; what was promised to the user goes through [`Store::promise`]. Dropping the future does not
    /// stop work that has begun.
    ///
    /// # Errors
    /// The work's own, or what became of the transaction.
    ///
    /// # Panics
    /// When the work does.
    #[track_caller]
    pub fn write<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let (store, place) = (self.clone(), Location::caller());
        aside(move || store.transact(Durability::Process, place, work))
    }

    /// As [`Store::write`], and on the disk when it returns: survives a power failure, with all that was written before.
    ///
    /// # Errors
    /// As for [`Store::write`].
    ///
    /// # Panics
    /// When the work does.
    #[track_caller]
    pub fn promise<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let (store, place) = (self.clone(), Location::caller());
        aside(move || store.transact(Durability::Power, place, work))
    }

    /// Reads from one state of the store, without waiting for writes. A connection that reads refuses to write.
    ///
    /// # Errors
    /// The work's own, or that there is no reading.
    ///
    /// # Panics
    /// When the work does.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let store = self.clone();
        aside(move || store.read_blocking(work)).await
    }

    /// [`Store::write`] for callers outside the runtime.
    ///
    /// # Errors
    /// As for [`Store::write`].
    #[track_caller]
    pub fn write_blocking<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.transact(Durability::Process, Location::caller(), work)
    }

    /// [`Store::promise`] for callers outside the runtime.
    ///
    /// # Errors
    /// As for [`Store::write`].
    #[track_caller]
    pub fn promise_blocking<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        self.transact(Durability::Power, Location::caller(), work)
    }

    /// [`Store::read`] for callers outside the runtime.
    ///
    /// # Errors
    /// As for [`Store::read`].
    pub fn read_blocking<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.look(work).map_err(|error| self.named(error))
    }

    /// Checks every page and index of the file; takes seconds on a large store.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] with the first finding.
    pub async fn verify(&self) -> Result<()> {
        self.read(open::integrity_check).await
    }

    /// A copy of it in a file of its own, which is not there yet.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub async fn copy(&self, to: &Path) -> Result<Self> {
        let path = to.to_owned();
        self.read(move |db| migrate::back_up(db, &path, &path)).await?;
        let path = to.to_owned();
        aside(move || Self::open(&path)).await
    }

    /// Gives back the memory that connections keep so as to be fast, where none is at work: what comes next takes a little longer.
    /// For a program that will wait for long.
    pub fn rest(&self) {
        if self.shared.path.is_none() {
            return;
        }
        for reader in &self.shared.readers {
            if let Ok(mut reader) = reader.try_lock() {
                *reader = None;
            }
        }
        if let Ok(writer) = self.shared.writer.try_lock() {
            // Without it, it is slower for nobody.
            drop(writer.connection.execute_batch("PRAGMA shrink_memory"));
        }
    }

    fn open_patiently(path: &Path, patience: Duration) -> Result<Self> {
        Self::open_with(path, patience, migrate::MIGRATIONS)
    }

    fn open_with(
        path: &Path,
        patience: Duration,
        migrations: &[migrate::Migration],
    ) -> Result<Self> {
        let opened = open::file(path, patience, migrations).map_err(|error| error.at(path))?;
        Ok(Self::around(Shared {
            path: Some(path.to_owned()),
            readers: Default::default(),
            writer: Writer::new(opened.writer),
            patience,
            _presence: Some(opened.presence),
        }))
    }

    fn around(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), probe: None }
    }

    fn transact<T>(
        &self,
        durability: Durability,
        place: &'static Location<'static>,
        work: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        self.commit(durability, place, work).map_err(|error| self.named(error))
    }

    fn commit<T>(
        &self,
        durability: Durability,
        place: &'static Location<'static>,
        work: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut writer = locked(&self.shared.writer);
        if writer.durability.is_none() {
            // This costs it all the statements that it has prepared.
            writer.connection.execute_batch("PRAGMA query_only = OFF")?;
        }
        if writer.durability != Some(durability) {
            // SQLite ignores a change of this inside a transaction.
            writer.connection.execute_batch(match durability {
                Durability::Process => "PRAGMA synchronous = NORMAL",
                Durability::Power => "PRAGMA synchronous = FULL",
            })?;
            writer.durability = Some(durability);
        }
        let tx = Transaction::writing(&mut writer.connection)?;
        let result = work(&tx)?;
        self.pass(Stop { name: BEFORE_COMMIT, place })?;
        tx.commit()?;
        let name = match durability {
            Durability::Process => AFTER_COMMIT,
            Durability::Power => AFTER_PROMISE,
        };
        self.pass(Stop { name, place })?;
        Ok(result)
    }

    fn look<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let Some(path) = &self.shared.path else {
            let mut writer = locked(&self.shared.writer);
            writer.durability = None;
            writer.connection.execute_batch("PRAGMA query_only = ON")?;
            return snapshot(&mut writer.connection, work);
        };
        let free = self.shared.readers.iter().find_map(|reader| match reader.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        let [first, ..] = &self.shared.readers;
        // Else the first to become so.
        let mut reader = free.unwrap_or_else(|| locked(first));
        let connection = match &mut *reader {
            Some(connection) => connection,
            closed => closed.insert(open::reader(path, self.shared.patience)?),
        };
        snapshot(connection, work)
    }

    fn pass(&self, stop: Stop) -> Result<()> {
        match &self.probe {
            Some(probe) if !probe(stop) => {
                let Stop { name, place } = stop;
                Err(Error::new(ErrorKind::Stopped, format!("stopped at “{name}” of {place}")))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn named(&self, error: Error) -> Error {
        match &self.shared.path {
            Some(path) => error.at(path),
            None => error,
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.path().unwrap_or(Path::new(":memory:")).display())
    }
}

fn snapshot<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    let tx = Transaction::reading(connection)?;
    work(&tx)
}

/// A panic in earlier work rolled its transaction back: the connection is as good as before.
fn locked<T>(connection: &Mutex<T>) -> MutexGuard<'_, T> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs on a thread that may block, or be busy for a while. A panic goes on in the caller. A runtime that has one thread only
/// does the work on it: there everything happens in one order, each time the same.
///
/// # Errors
/// The work's own, or that the program is ending.
///
/// # Panics
/// When the work does.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let handle = tokio::runtime::Handle::current();
    if handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::CurrentThread {
        return work();
    }
    match handle.spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::new(ErrorKind::Stopped, "the program is ending")),
        },
    }
}
