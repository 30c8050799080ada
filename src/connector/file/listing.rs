//! Listing directories that other programs work in, and telling whether something changed.

use std::fs::{self, Metadata};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::unlistable;
use crate::clock::Clock;
use crate::connector::error::{Error, ErrorKind, Result};

/// A directory changed this recently may have changed again without a new time stamp.
const COARSE: Duration = Duration::from_secs(2);

/// How often a directory that keeps changing is read again.
const PASSES: u32 = 8;

/// The names in some directories, read together.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    /// One list a directory, sorted, without names that start with a dot.
    pub directories: Vec<Vec<String>>,
    /// Why the lists may lack something.
    pub doubt: Option<String>,
}

/// Reads directories until nothing moved meanwhile: a rename between or within them during the reading can hide a file.
///
/// # Errors
/// When one of them cannot be read: never an empty list in its place.
pub fn names(directories: &[&Path], clock: &Clock) -> Result<Names> {
    let mut before: Option<Names> = None;
    for _ in 0..PASSES {
        let stamps = stamps(directories)?;
        let names = names_once(directories)?;
        let quiet = stamps == self::stamps(directories)?;
        if quiet && (is_old(&stamps, clock) || before.as_ref() == Some(&names)) {
            return Ok(names);
        }
        before = Some(names);
    }
    let mut names =
        before.unwrap_or(Names { directories: vec![Vec::new(); directories.len()], doubt: None });
    names.doubt = Some("the folder kept changing while it was read".to_owned());
    Ok(names)
}

fn names_once(directories: &[&Path]) -> Result<Names> {
    let mut names = Names { directories: Vec::with_capacity(directories.len()), doubt: None };
    for directory in directories {
        let mut list = Vec::new();
        for entry in fs::read_dir(directory).map_err(|error| unlistable(directory, error))? {
            let entry = entry.map_err(|error| unlistable(directory, error))?;
            match entry.file_name().into_string() {
                Ok(name) if name.starts_with('.') => {}
                Ok(name) => list.push(name),
                Err(_) => names.doubt = Some("a file name is not UTF-8".to_owned()),
            }
        }
        list.sort_unstable();
        names.directories.push(list);
    }
    Ok(names)
}

fn stamps(directories: &[&Path]) -> Result<Vec<Identity>> {
    directories
        .iter()
        .map(|directory| {
            let metadata = fs::metadata(directory).map_err(|error| unlistable(directory, error))?;
            if metadata.is_dir() {
                Ok(Identity::of(&metadata))
            } else {
                Err(Error::new(
                    ErrorKind::Local,
                    format!("{} is not a directory", directory.display()),
                )
                .hint("check the path in the configuration"))
            }
        })
        .collect()
}

fn is_old(stamps: &[Identity], clock: &Clock) -> bool {
    let limit = clock.now().checked_sub(COARSE).unwrap_or(Timestamp::UNIX_EPOCH);
    stamps.iter().all(|stamp| stamp.modified.is_some_and(|modified| modified < limit))
}

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    number: (u64, u64),
    pub(super) length: u64,
    pub(super) modified: Option<Timestamp>,
    pub(super) changed: (i64, i64),
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let (number, changed) = inode(metadata);
        let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
        Self { number, length: metadata.len(), modified, changed }
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> ((u64, u64), (i64, i64)) {
    use std::os::unix::fs::MetadataExt;
    ((metadata.dev(), metadata.ino()), (metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(not(unix))]
fn inode(_metadata: &Metadata) -> ((u64, u64), (i64, i64)) {
    ((0, 0), (0, 0))
}
