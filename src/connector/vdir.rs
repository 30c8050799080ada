//! A vdir: one directory, one file an item (<https://vdirsyncer.pimutils.org/en/stable/vdir.html>). Contacts as `.vcf`, or
//! appointments and tasks as `.ics`, which may share a directory. Looks into files only as far as it takes to tell those
//! two apart and to find a UID; what an item says is for others to judge.
//!
//! A file that cannot be read, or is neither an event nor a task, stays in the listing of every class the directory is for:
//! a task whose file broke must not look deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use notify::RecursiveMode;

use super::error::{Error, ErrorKind, Result};
use super::watch::Watch;
use super::{Connector, Write, Written, file};
use crate::clock::Clock;
use crate::model::{Body, Class, Completeness, Document, ItemId, Listing, Uid, Version};

pub(super) mod text;

/// The largest file that is read: a contact with a large photo is some MiB.
pub const SIZE_LIMIT: u64 = 16 << 20;

/// How long one call may take: 10,000 files take a second, a hanging network drive for ever.
const TIME_LIMIT: Duration = Duration::from_mins(5);

/// Reading many small files is waiting for the disk more than work.
const READERS: usize = 4;

/// The longest UID that is a file name as it is.
const LONGEST_NAME: usize = 120;

/// What is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub path: PathBuf,
    /// What the directory holds: contacts, or appointments, tasks or both.
    pub classes: BTreeSet<Class>,
}

/// A directory of items.
#[derive(Debug)]
pub struct Vdir {
    directory: Arc<Directory>,
    watch: Watch,
}

impl Vdir {
    /// # Errors
    /// [`ErrorKind::Unsupported`] for classes that cannot be kept in one directory.
    pub fn new(options: Options, clock: Clock) -> Result<Self> {
        let contacts = options.classes.contains(&Class::Contact);
        let together =
            if contacts { options.classes.len() == 1 } else { !options.classes.is_empty() };
        if !together || options.classes.contains(&Class::Email) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a vdir holds contacts, or appointments and tasks",
            )
            .hint("give each of them a directory of its own"));
        }
        let watch = Watch::new(&options.path, RecursiveMode::NonRecursive);
        let directory = Directory { path: options.path, classes: options.classes, clock };
        Ok(Self { directory: Arc::new(directory), watch })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        class: Class,
        work: impl FnOnce(&Directory) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if !self.directory.classes.contains(&class) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("{} is not for class {class}", self.directory.path.display()),
            ));
        }
        let directory = Arc::clone(&self.directory);
        file::blocking(TIME_LIMIT, move || work(&directory)).await
    }
}

/// The file name of a new item: its UID where every file system can hold that and tell it from others, else a digest of it.
pub fn file_name(class: Class, uid: &Uid) -> ItemId {
    let uid = uid.as_str();
    // Lower case only, since some file systems do not tell `A` from `a`; not short, since `con` is no file on Windows.
    let safe = (8..=LONGEST_NAME).contains(&uid.len())
        && uid.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && uid.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.@+=".contains(&byte)
        });
    let extension = extension(class);
    if safe {
        return ItemId::new(format!("{uid}.{extension}"));
    }
    ItemId::new(format!("{}.{extension}", file::digest(uid.as_bytes())))
}

fn extension(class: Class) -> &'static str {
    match class {
        Class::Contact => "vcf",
        Class::Task | Class::Appointment | Class::Email => "ics",
    }
}

#[async_trait]
impl Connector for Vdir {
    async fn list(&self, class: Class) -> Result<Listing> {
        let (names, doubt) = self
            .blocking(class, move |directory| {
                file::restore(&directory.path, &directory.clock)?;
                directory.names(class)
            })
            .await?;
        let mut entries = BTreeMap::new();
        let mut gone = false;
        let readers = names.len().div_ceil(READERS).max(1);
        let mut work = Vec::new();
        for names in names.chunks(readers) {
            let names = names.to_vec();
            work.push(self.blocking(class, move |directory| Ok(directory.look(class, names))));
        }
        for part in futures_util::future::join_all(work).await {
            let (found, vanished) = part?;
            entries.extend(found);
            gone |= vanished;
        }
        let doubt = doubt
            .or_else(|| gone.then(|| "a file disappeared while the folder was read".to_owned()));
        let completeness = doubt.map_or(Completeness::Complete, Completeness::Partial);
        Ok(Listing { entries, completeness })
    }

    async fn read(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        let ids = ids.to_vec();
        self.blocking(class, move |directory| {
            directory.check()?;
            Ok(ids.into_iter().map(|id| (id.clone(), directory.read(&id))).collect())
        })
        .await
    }

    async fn write(&self, class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        self.blocking(class, move |directory| {
            directory.check()?;
            Ok(writes.into_iter().map(|write| directory.write(write)).collect())
        })
        .await
    }

    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        let wanted: BTreeSet<Uid> = uids.iter().cloned().collect();
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.blocking(class, move |directory| directory.find(class, &wanted)).await
    }

    fn address(&self, class: Class, uid: &Uid) -> ItemId {
        file_name(class, uid)
    }

    async fn wait(&self, _class: Class) -> Result<()> {
        self.watch.changed().await
    }
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    classes: BTreeSet<Class>,
    clock: Clock,
}

impl Directory {
    /// Says that the directory itself is gone, where every file in it would seem to be.
    fn check(&self) -> Result<()> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            // The names of nothing: for the error that this is.
            _ => file::names(&[&self.path], &self.clock).map(drop),
        }
    }

    fn names(&self, class: Class) -> Result<(Vec<String>, Option<String>)> {
        let names = file::names(&[&self.path], &self.clock)?;
        let is_item = |name: &String| {
            Path::new(name)
                .extension()
                .is_some_and(|found| found.eq_ignore_ascii_case(extension(class)))
        };
        Ok((names.directories.into_iter().flatten().filter(is_item).collect(), names.doubt))
    }

    /// The files among these that are of the class, and whether one of them was gone.
    fn look(&self, class: Class, names: Vec<String>) -> (BTreeMap<ItemId, Version>, bool) {
        let mut entries = BTreeMap::new();
        let mut gone = false;
        for name in names {
            let path = self.path.join(&name);
            match file::read(&path, SIZE_LIMIT) {
                Ok(bytes) if is_of_the_other_class(class, &bytes) => {}
                Ok(bytes) => {
                    entries.insert(ItemId::new(name), file::version(&bytes));
                }
                Err(error) if error.kind == ErrorKind::Missing => gone = true,
                Err(_) => {
                    entries.insert(ItemId::new(name), file::unreadable_version(&path));
                }
            }
        }
        (entries, gone)
    }

    fn path(&self, id: &ItemId) -> Result<PathBuf> {
        let name = id.as_str();
        let known = self.classes.iter().any(|class| {
            Path::new(name)
                .extension()
                .is_some_and(|found| found.eq_ignore_ascii_case(extension(*class)))
        });
        if !known || name.starts_with('.') || name.contains('/') {
            return Err(Error::new(ErrorKind::Rejected, "not the name of an item of this folder"));
        }
        file::below(&self.path, name)
    }

    fn read(&self, id: &ItemId) -> Result<Document> {
        let bytes = file::read(&self.path(id)?, SIZE_LIMIT)?;
        Ok(Document {
            id: id.clone(),
            version: file::version(&bytes),
            body: Body::Bytes(bytes),
            marks: BTreeSet::new(),
        })
    }

    fn write(&self, write: Write) -> Result<Written> {
        let path = self.path(write.id())?;
        match write {
            Write::Create { id, body } => {
                file::stage(&self.path, &bytes(body)?, &self.clock)?.create(&path)?;
                Ok(Written { document: Some(self.read(&id)?), id })
            }
            Write::Update { id, version, body } => {
                let staged = file::stage(&self.path, &bytes(body)?, &self.clock)?;
                staged.replace(&path, &version, SIZE_LIMIT)?;
                Ok(Written { document: Some(self.read(&id)?), id })
            }
            Write::Delete { id, version } => {
                file::remove(&path, &version, SIZE_LIMIT)?;
                Ok(Written { id, document: None })
            }
            Write::Mark { .. } => {
                Err(Error::new(ErrorKind::Unsupported, "a file carries no marks beside its text"))
            }
        }
    }

    fn find(&self, class: Class, wanted: &BTreeSet<Uid>) -> Result<BTreeMap<Uid, ItemId>> {
        let mut found = BTreeMap::new();
        for name in self.names(class)?.0 {
            // What cannot be read has no name to be found by.
            let Ok(bytes) = file::read(&self.path.join(&name), SIZE_LIMIT) else { continue };
            if is_of_the_other_class(class, &bytes) {
                continue;
            }
            if let Some(uid) = text::uid(&bytes).filter(|uid| wanted.contains(uid)) {
                found.entry(uid).or_insert_with(|| ItemId::new(name));
            }
        }
        Ok(found)
    }
}

/// Of the two classes that may share a directory. What is neither belongs to both, so that it is seen.
fn is_of_the_other_class(class: Class, bytes: &[u8]) -> bool {
    match class {
        Class::Appointment => text::class(bytes) == Some(Class::Task),
        Class::Task => text::class(bytes) == Some(Class::Appointment),
        Class::Contact | Class::Email => false,
    }
}

fn bytes(body: Body) -> Result<Vec<u8>> {
    match body {
        Body::Bytes(bytes) if bytes.len() as u64 <= SIZE_LIMIT => Ok(bytes),
        Body::Bytes(_) => Err(Error::new(
            ErrorKind::Rejected,
            format!("the item is larger than {} MiB", SIZE_LIMIT >> 20),
        )),
        Body::Record(_) | Body::Patch(_) => {
            Err(Error::new(ErrorKind::Unsupported, "a folder holds files, not records"))
        }
    }
}

#[cfg(test)]
mod tests;
