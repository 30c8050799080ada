//! File operations that a crash, a full disk or another program cannot turn into a lost or half-written item.
//! Knows nothing of what the files hold; blocking, so callers go through [`blocking`].
//!
//! * What is new is written under a temporary name, flushed, and only then given its name, never over a file that is there.
//! * What is replaced is compared with what was read right before the rename. Between that look and the rename some
//!   microseconds remain in which another program's save is overwritten: no file system offers a compare-and-rename.
//! * What is removed is first moved to a private name and compared there, so that a newer file of that name cannot be hit;
//!   [`restore`] puts back what a crash left behind. Only a program that keeps writing into the open file is not seen.
//! * Symbolic links and special files are refused, not followed.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::error::{Error, ErrorKind, Result};
use crate::clock::Clock;
use crate::model::Version;

mod listing;

use listing::Identity;
pub use listing::{Names, names};

/// What all names of our own start with: programs that know vdir or Maildir skip names with a dot.
const OWN: &str = ".liaison-";
const TEMPORARY_END: &str = ".tmp";
const REMOVING: &str = ".liaison-removing-";

/// A leftover this old belongs to no write that is still going on.
const LEFTOVER: Duration = Duration::from_hours(24);

/// Runs file work off the runtime's threads.
///
/// # Errors
/// What `work` says; [`ErrorKind::Unreachable`] when it took longer than `limit` (a hanging network file system), then
/// it is unknown whether it took effect.
pub async fn blocking<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::time::timeout(limit, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(result)) => result,
        Ok(Err(broken)) => {
            Err(Error::new(ErrorKind::Local, "the file work broke off").caused_by(broken))
        }
        Err(_) => Err(Error::new(
            ErrorKind::Unreachable,
            format!("the file system did not answer within {} seconds", limit.as_secs()),
        )
        .hint("if the folder is on a network drive, check that it is reachable")),
    }
}

/// The version of a file by its content: time stamps lie, and some programs keep them on purpose.
pub fn version(bytes: &[u8]) -> Version {
    Version::new(digest(bytes))
}

/// The first half of the SHA-256 of these bytes, as 32 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let half = digest.first_chunk().copied().unwrap_or_default();
    format!("{:032x}", u128::from_be_bytes(half))
}

/// The version of a file that cannot be read; another one once somebody touched it.
pub fn unreadable_version(path: &Path) -> Version {
    let stamp = fs::symlink_metadata(path).map_or_else(
        |_| "unknown".to_owned(),
        |metadata| {
            let identity = Identity::of(&metadata);
            let modified = identity.modified.unwrap_or(Timestamp::UNIX_EPOCH);
            let (seconds, nanoseconds) = identity.changed;
            format!("{}-{modified}-{seconds}.{nanoseconds}", identity.length)
        },
    );
    Version::new(format!("unreadable-{stamp}"))
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// [`ErrorKind::Missing`], [`ErrorKind::Forbidden`], or [`ErrorKind::Rejected`] for what is too large or not a regular file.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    read_with_identity(path, limit).map(|(bytes, _)| bytes)
}

/// Reads at most the first `limit` bytes of a regular file.
///
/// # Errors
/// As [`read`], but for the size.
pub fn read_start(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let (file, _) = open(path)?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(|error| failed("read", path, error))?;
    Ok(bytes)
}

fn read_with_identity(path: &Path, limit: u64) -> Result<(Vec<u8>, Identity)> {
    let (file, metadata) = open(path)?;
    let mut bytes = Vec::new();
    // One byte more than allowed, since the file may grow while it is read.
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| failed("read", path, error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::new(
            ErrorKind::Rejected,
            format!("{} is larger than {} MiB", name_of(path), limit >> 20),
        ));
    }
    Ok((bytes, Identity::of(&metadata)))
}

fn open(path: &Path) -> Result<(File, Metadata)> {
    let metadata = fs::symlink_metadata(path).map_err(|error| failed("read", path, error))?;
    refuse_special(path, &metadata)?;
    let file = open_options().read(true).open(path).map_err(|error| failed("read", path, error))?;
    // Once more on what was really opened: the name may stand for something else by now.
    let metadata = file.metadata().map_err(|error| failed("read", path, error))?;
    refuse_special(path, &metadata)?;
    Ok((file, metadata))
}

fn refuse_special(path: &Path, metadata: &Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let what = if metadata.is_symlink() { "a symbolic link" } else { "not a regular file" };
    Err(Error::new(ErrorKind::Rejected, format!("{} is {what}", name_of(path)))
        .hint("put the file itself there"))
}

#[cfg(unix)]
fn open_options() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    // NOFOLLOW: not through a link put there meanwhile. NONBLOCK: a pipe must not hang us.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    options
}

#[cfg(not(unix))]
fn open_options() -> OpenOptions {
    OpenOptions::new()
}

/// A file that is written and flushed, but has no name that anybody looks at yet. Dropped, it is gone.
#[derive(Debug)]
pub struct Staged {
    temporary: PathBuf,
}

/// Writes `bytes` under a temporary name in `directory`.
///
/// # Errors
/// [`ErrorKind::Local`] when the disk is full or the directory cannot be written.
pub fn stage(directory: &Path, bytes: &[u8], clock: &Clock) -> Result<Staged> {
    let temporary = directory.join(format!("{OWN}{}{TEMPORARY_END}", clock.unique()));
    let staged = Staged { temporary };
    let write = || -> io::Result<()> {
        let mut file = open_options().write(true).create_new(true).open(&staged.temporary)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| unwritable(directory, error))?;
    Ok(staged)
}

impl Staged {
    /// Gives the file its name, in one step, unless that is taken.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] when there is a file of that name.
    pub fn create(self, path: &Path) -> Result<()> {
        move_without_replacing(&self.temporary, path)
    }

    /// Puts the file in the place of the one whose content has this version.
    ///
    /// # Errors
    /// [`ErrorKind::Stale`] when it has another by now, [`ErrorKind::Missing`] when it is gone.
    pub fn replace(self, path: &Path, expected: &Version, limit: u64) -> Result<()> {
        let (bytes, identity) = read_with_identity(path, limit)?;
        if version(&bytes) != *expected {
            return Err(stale(path));
        }
        let metadata =
            fs::symlink_metadata(path).map_err(|error| failed("replace", path, error))?;
        fs::set_permissions(&self.temporary, metadata.permissions())
            .map_err(|error| failed("replace", path, error))?;
        let now = fs::symlink_metadata(path).map_err(|error| failed("replace", path, error))?;
        if Identity::of(&now) != identity {
            return Err(stale(path));
        }
        fs::rename(&self.temporary, path).map_err(|error| failed("replace", path, error))?;
        sync_parent(path)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Gone already when the file got its name; what cannot be removed is swept later.
        drop(fs::remove_file(&self.temporary));
    }
}

/// Removes the file whose content has this version.
///
/// # Errors
/// [`ErrorKind::Stale`] when it has another by now, [`ErrorKind::Missing`] when it is gone.
pub fn remove(path: &Path, expected: &Version, limit: u64) -> Result<()> {
    if version(&read(path, limit)?) != *expected {
        return Err(stale(path));
    }
    let aside = path.with_file_name(format!("{REMOVING}{}", name_of(path)));
    move_without_replacing(path, &aside).map_err(|error| match error.kind {
        // Left by a crash: the next listing puts that back.
        ErrorKind::Exists => stale(path),
        _ => error,
    })?;
    let unchanged = read(&aside, limit).is_ok_and(|bytes| version(&bytes) == *expected);
    if !unchanged {
        put_back(&aside, path)?;
        return Err(stale(path));
    }
    fs::remove_file(&aside).map_err(|error| failed("remove", path, error))?;
    sync_parent(path)
}

/// Removes a file whose name says all there is to its state.
///
/// # Errors
/// [`ErrorKind::Missing`] when it is gone.
pub fn remove_named(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|error| failed("remove", path, error))?;
    sync_parent(path)
}

/// Puts back files whose removal a crash interrupted before it was certain, and sweeps temporary files a day old.
///
/// # Errors
/// When the directory cannot be read.
pub fn restore(directory: &Path, clock: &Clock) -> Result<()> {
    let limit = clock.now().checked_sub(LEFTOVER).unwrap_or(Timestamp::UNIX_EPOCH);
    for entry in fs::read_dir(directory).map_err(|error| unlistable(directory, error))? {
        let entry = entry.map_err(|error| unlistable(directory, error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Some(original) = name.strip_prefix(REMOVING) {
            put_back(&entry.path(), &directory.join(original))?;
        } else if name.starts_with(OWN) && name.ends_with(TEMPORARY_END) {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let modified = modified.ok().and_then(|time| Timestamp::try_from(time).ok());
            if modified.is_some_and(|modified| modified < limit) {
                // Another instance may sweep too: gone is gone.
                drop(fs::remove_file(entry.path()));
            }
        }
    }
    Ok(())
}

/// If the name is taken again, the newer file is what its owner last said, and takes the place of the one put aside.
fn put_back(aside: &Path, path: &Path) -> Result<()> {
    match move_without_replacing(aside, path) {
        Err(error) if error.kind == ErrorKind::Exists => {
            fs::remove_file(aside).map_err(|error| failed("remove", aside, error))
        }
        // Whoever removes it has finished, or put it back themselves.
        Err(error) if error.kind == ErrorKind::Missing => Ok(()),
        other => other,
    }
}

/// Renames a file, in one step, unless the new name is taken, and makes that lasting.
///
/// # Errors
/// [`ErrorKind::Exists`] when it is taken, [`ErrorKind::Missing`] when there is nothing to rename.
pub fn move_without_replacing(from: &Path, to: &Path) -> Result<()> {
    let moved = match rename_without_replacing(from, to) {
        // Kernels and file systems without that call answer with one of these.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput) =>
        {
            fs::hard_link(from, to).and_then(|()| fs::remove_file(from))
        }
        other => other,
    };
    moved.map_err(|error| failed("write", to, error))?;
    sync_parent(to)?;
    if from.parent() == to.parent() { Ok(()) } else { sync_parent(from) }
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn rename_without_replacing(_from: &Path, _to: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A rename is lasting only once its directory is flushed.
fn sync_parent(path: &Path) -> Result<()> {
    let Some(directory) = path.parent() else { return Ok(()) };
    sync_directory(directory).map_err(|error| unwritable(directory, error))
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

/// The path of `relative` below `root`: plain names only, so that an id never leads elsewhere.
///
/// # Errors
/// [`ErrorKind::Rejected`] for anything else.
pub fn below(root: &Path, relative: &str) -> Result<PathBuf> {
    let plain = !relative.is_empty()
        && !relative.contains(['\0', '\\'])
        && relative.split('/').all(|part| {
            let mut components = Path::new(part).components();
            matches!(components.next(), Some(Component::Normal(name)) if name == OsStr::new(part))
                && components.next().is_none()
        });
    if plain {
        Ok(root.join(relative))
    } else {
        Err(Error::new(ErrorKind::Rejected, "the name leads out of the folder"))
    }
}

fn stale(path: &Path) -> Error {
    Error::new(ErrorKind::Stale, format!("{} was changed meanwhile", name_of(path)))
}

fn unlistable(directory: &Path, error: io::Error) -> Error {
    let message = format!("cannot read the folder {}", directory.display());
    let hint = match error.kind() {
        io::ErrorKind::NotFound => {
            "check the path in the configuration, and that the drive is there"
        }
        io::ErrorKind::PermissionDenied => "give yourself permission to read it",
        _ => "check the disk",
    };
    Error::new(ErrorKind::Local, message).caused_by(error).hint(hint)
}

fn unwritable(directory: &Path, error: io::Error) -> Error {
    let message = format!("cannot write to the folder {}", directory.display());
    let hint = write_hint(&error);
    Error::new(ErrorKind::Local, message).caused_by(error).hint(hint)
}

fn write_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some disk space",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "give yourself permission to write there"
        }
        io::ErrorKind::NotFound => {
            "check the path in the configuration, and that the drive is there"
        }
        _ => "check the disk",
    }
}

fn failed(action: &str, path: &Path, error: io::Error) -> Error {
    let name = name_of(path);
    match error.kind() {
        io::ErrorKind::NotFound => Error::new(ErrorKind::Missing, format!("{name} is not there")),
        io::ErrorKind::AlreadyExists => {
            Error::new(ErrorKind::Exists, format!("{name} is there already"))
        }
        io::ErrorKind::PermissionDenied => {
            Error::new(ErrorKind::Forbidden, format!("not allowed to {action} {name}"))
                .hint("give yourself permission for the file and its folder")
        }
        io::ErrorKind::InvalidFilename => {
            Error::new(ErrorKind::Rejected, format!("the file system refuses the name {name}"))
        }
        _ => {
            let hint = write_hint(&error);
            Error::new(ErrorKind::Local, format!("cannot {action} {name}")).hint(hint)
        }
    }
    .caused_by(error)
}

/// The last part of a path, for messages: the folder is known, and may tell a name.
pub fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
