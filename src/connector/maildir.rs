//! A Maildir tree (<https://cr.yp.to/proto/maildir.html>): Maildir++ folders (`.Sub.Folder`) as well as plain nested ones
//! (`Sub/Folder`). A message is a file that never changes; its name carries its flags, and a letter stands for a keyword
//! as Dovecot writes it (`dovecot-keywords`).
//!
//! The id of a message is `folder/unique`: the folder's path below the root (`INBOX` for the root itself) and the file
//! name without flags. Other programs rename messages all the time, so a name is looked up right before it is used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use notify::RecursiveMode;

use super::error::{Error, ErrorKind, Result};
use super::watch::Watch;
use super::{Connector, Write, Written, file, header};
use crate::clock::Clock;
use crate::model::{Body, Class, Completeness, Document, ItemId, Listing, Uid};

mod flags;
mod folder;
mod keywords;

use flags::Name;
use folder::Folder;

/// The largest message that is read.
pub const SIZE_LIMIT: u64 = 64 << 20;

/// How much of a message is searched for its `Message-ID`.
const HEADER_LIMIT: u64 = 256 << 10;

/// How long one call may take.
const TIME_LIMIT: Duration = Duration::from_mins(5);

/// How often a message that was renamed meanwhile is looked up again.
const ATTEMPTS: u32 = 5;

/// What is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The root of the tree.
    pub path: PathBuf,
    /// Names of folders to leave out, beside those that usually hold drafts, junk and deleted mail.
    pub leave_out: BTreeSet<String>,
}

/// A tree of Maildir folders.
#[derive(Debug)]
pub struct Maildir {
    tree: Arc<Tree>,
    watch: Watch,
}

impl Maildir {
    pub fn new(options: Options, clock: Clock) -> Self {
        let watch = Watch::new(&options.path, RecursiveMode::Recursive);
        Self { tree: Arc::new(Tree { options, clock }), watch }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        class: Class,
        work: impl FnOnce(&Tree) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if class != Class::Email {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("a Maildir holds messages, nothing of class {class}"),
            ));
        }
        let tree = Arc::clone(&self.tree);
        file::blocking(TIME_LIMIT, move || work(&tree)).await
    }
}

/// The id of a message that is to be put into a folder: always the same for one UID, so that doing it twice is seen.
pub fn message_id(folder: &str, uid: &Uid) -> ItemId {
    ItemId::new(format!("{folder}/{}.liaison", file::digest(uid.as_str().as_bytes())))
}

#[async_trait]
impl Connector for Maildir {
    async fn list(&self, class: Class) -> Result<Listing> {
        self.blocking(class, Tree::list).await
    }

    async fn read(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        let ids = ids.to_vec();
        self.blocking(class, move |tree| tree.read_all(ids)).await
    }

    async fn write(&self, class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        self.blocking(class, move |tree| {
            tree.check()?;
            let mut seen = Folders::new();
            Ok(writes.into_iter().map(|write| tree.write(write, &mut seen)).collect())
        })
        .await
    }

    /// Looks in the folders that are listed first, then in junk and deleted mail; a draft is no message yet.
    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        let wanted: BTreeSet<Uid> = uids.iter().cloned().collect();
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.blocking(class, move |tree| tree.find(&wanted)).await
    }

    /// What is made from a record goes to the inbox.
    fn address(&self, _class: Class, uid: &Uid) -> ItemId {
        message_id(folder::INBOX, uid)
    }

    async fn sent_place(&self, uid: &Uid) -> Result<Option<ItemId>> {
        let tree = self.blocking(Class::Email, |tree| {
            Ok(folder::tree(&tree.options)?.for_sent(&tree.options))
        });
        Ok(Some(message_id(&tree.await?, uid)))
    }

    async fn wait(&self, _class: Class) -> Result<()> {
        self.watch.changed().await
    }
}

/// What one look at each folder showed: it saves a look for each of many messages.
type Folders = BTreeMap<String, BTreeMap<String, Name>>;

#[derive(Debug)]
struct Tree {
    options: Options,
    clock: Clock,
}

impl Tree {
    /// Says that the root itself is gone, where every message in it would seem to be.
    fn check(&self) -> Result<()> {
        folder::tree(&self.options).map(drop)
    }

    fn list(&self) -> Result<Listing> {
        let tree = folder::tree(&self.options)?;
        let mut entries = BTreeMap::new();
        let mut doubt = tree.doubt;
        for folder in tree.folders.iter().filter(|folder| folder.is_listed(&self.options)) {
            match self.messages(folder) {
                Ok((messages, doubtful)) => {
                    entries.extend(
                        messages.into_values().map(|name| (name.id(folder), name.version())),
                    );
                    doubt = doubt.or(doubtful);
                }
                // One folder must not stop the others, but nothing may be concluded from its absence.
                Err(error) => doubt = Some(error.message),
            }
        }
        let completeness = doubt.map_or(Completeness::Complete, Completeness::Partial);
        Ok(Listing { entries, completeness })
    }

    /// The messages of a folder by their unique names, and why some may be missing.
    fn messages(&self, folder: &Folder) -> Result<(BTreeMap<String, Name>, Option<String>)> {
        let tmp = folder.path.join("tmp");
        if tmp.is_dir() {
            file::restore(&tmp, &self.clock)?;
        }
        let keywords = keywords::read(&folder.path)?;
        let (new, cur) = (folder.path.join("new"), folder.path.join("cur"));
        let names = file::names(&[&new, &cur], &self.clock)?;
        let mut messages = BTreeMap::new();
        // `cur` comes last and wins: a program that died between link and unlink leaves both.
        for (directory, list) in [new, cur].iter().zip(names.directories) {
            for name in list {
                let name = Name::parse(directory, &name, &keywords);
                messages.insert(name.unique.clone(), name);
            }
        }
        Ok((messages, names.doubt))
    }

    fn read_all(&self, ids: Vec<ItemId>) -> Result<BTreeMap<ItemId, Result<Document>>> {
        self.check()?;
        let mut folders: BTreeMap<String, Result<BTreeMap<String, Name>>> = BTreeMap::new();
        let mut documents = BTreeMap::new();
        for id in ids {
            let document = Folder::of(&self.options, &id).and_then(|(folder, unique)| {
                let messages = folders
                    .entry(folder.id.clone())
                    .or_insert_with(|| self.messages(&folder).map(|(messages, _)| messages));
                // What one look at the folder shows saves a look for each message; in doubt there is another look.
                let known = messages.as_ref().ok().and_then(|messages| messages.get(&unique));
                match known.map(|name| document(&folder, name)) {
                    Some(Ok(document)) => Ok(document),
                    _ => self.read(&id),
                }
            });
            documents.insert(id, document);
        }
        Ok(documents)
    }

    fn read(&self, id: &ItemId) -> Result<Document> {
        self.with_name(id, |folder, name| document(folder, &name))
    }

    /// Does something with a message under the name it has now; once more if it was renamed meanwhile.
    fn with_name<T>(
        &self,
        id: &ItemId,
        mut work: impl FnMut(&Folder, Name) -> Result<T>,
    ) -> Result<T> {
        let (folder, unique) = Folder::of(&self.options, id)?;
        for _ in 0..ATTEMPTS {
            let (mut messages, doubt) = self.messages(&folder).map_err(|error| {
                // A folder that is gone took its messages along; one that cannot be read may still have them.
                if folder.path.is_dir() || self.check().is_err() { error } else { missing(id) }
            })?;
            let Some(name) = messages.remove(&unique) else {
                if doubt.is_none() {
                    return Err(missing(id));
                }
                continue;
            };
            match work(&folder, name) {
                Err(error) if error.kind == ErrorKind::Missing => {}
                done => return done,
            }
        }
        Err(Error::new(ErrorKind::Local, format!("{unique} kept being renamed")))
    }

    fn write(&self, write: Write, seen: &mut Folders) -> Result<Written> {
        match write {
            Write::Create { id, body } => {
                self.deliver(&id, &bytes(body)?)?;
                Ok(Written { document: Some(self.read(&id)?), id })
            }
            Write::Mark { id, mark, set } => {
                let document = match self.mark_seen(&id, &mark, set, seen) {
                    Some(Ok(document)) => document,
                    // It was renamed meanwhile, or is new: it is looked for.
                    Some(Err(_)) | None => self.with_name(&id, |folder, name| {
                        let name = self.mark(folder, &name, &mark, set)?;
                        document(folder, &name)
                    })?,
                };
                Ok(Written { document: Some(document), id })
            }
            Write::Delete { id, version } => {
                self.with_name(&id, |_, name| {
                    if name.version() != version {
                        let message = format!("{} was marked meanwhile", name.unique);
                        return Err(Error::new(ErrorKind::Stale, message));
                    }
                    // The name is the version: a message marked meanwhile is not found under it.
                    file::remove_named(&name.path)
                })?;
                Ok(Written { id, document: None })
            }
            Write::Update { .. } => {
                Err(Error::new(ErrorKind::Unsupported, "a stored message cannot be changed"))
            }
        }
    }

    /// Stores a message as seen: it is the user's own doing, and nothing to be told about.
    fn deliver(&self, id: &ItemId, bytes: &[u8]) -> Result<()> {
        let (folder, unique) = Folder::of(&self.options, id)?;
        folder.make()?;
        if self.messages(&folder)?.0.contains_key(&unique) {
            return Err(Error::new(ErrorKind::Exists, format!("{unique} is there already")));
        }
        let staged = file::stage(&folder.path.join("tmp"), bytes, &self.clock)?;
        staged.create(&folder.path.join("cur").join(flags::seen(&unique)))
    }

    /// Marks a message under the name that it had when its folder was looked at.
    fn mark_seen(
        &self,
        id: &ItemId,
        mark: &str,
        set: bool,
        seen: &mut Folders,
    ) -> Option<Result<Document>> {
        let (folder, unique) = Folder::of(&self.options, id).ok()?;
        if !seen.contains_key(&folder.id) {
            let (messages, _) = self.messages(&folder).ok()?;
            seen.insert(folder.id.clone(), messages);
        }
        let name = seen.get_mut(&folder.id)?.remove(&unique)?;
        Some(self.mark(&folder, &name, mark, set).and_then(|name| document(&folder, &name)))
    }

    /// Returns the name that the message has then.
    fn mark(&self, folder: &Folder, name: &Name, mark: &str, set: bool) -> Result<Name> {
        let letter = match flags::letter(mark) {
            Some(letter) => Some(letter),
            None if set => Some(keywords::letter(&folder.path, mark, &self.clock)?),
            None => keywords::known(&keywords::read(&folder.path)?, mark),
        };
        // A keyword that has no letter is on no message.
        let Some(letter) = letter else { return Ok(name.clone()) };
        let (cur, file) = (folder.path.join("cur"), name.with(letter, set));
        let target = cur.join(&file);
        if name.has(letter) == set || target == name.path {
            return Ok(name.clone());
        }
        file::move_without_replacing(&name.path, &target)?;
        Ok(Name::parse(&cur, &file, &keywords::read(&folder.path)?))
    }

    fn find(&self, wanted: &BTreeSet<Uid>) -> Result<BTreeMap<Uid, ItemId>> {
        let tree = folder::tree(&self.options)?;
        let (listed, other): (Vec<_>, Vec<_>) = tree
            .folders
            .into_iter()
            .filter(|folder| !folder.holds_drafts())
            .partition(|folder| folder.is_listed(&self.options));
        let mut found = BTreeMap::new();
        for folder in listed.iter().chain(&other) {
            for name in self.messages(folder)?.0.into_values() {
                // What cannot be read has no name to be found by.
                let Ok(start) = file::read_start(&name.path, HEADER_LIMIT) else { continue };
                if let Some(uid) = header::message_id(&start).filter(|uid| wanted.contains(uid)) {
                    found.entry(uid).or_insert_with(|| name.id(folder));
                }
            }
        }
        Ok(found)
    }
}

fn document(folder: &Folder, name: &Name) -> Result<Document> {
    Ok(Document {
        id: name.id(folder),
        version: name.version(),
        body: Body::Bytes(file::read(&name.path, SIZE_LIMIT)?),
        marks: name.marks(),
    })
}

fn bytes(body: Body) -> Result<Vec<u8>> {
    match body {
        Body::Bytes(bytes) if bytes.len() as u64 <= SIZE_LIMIT => Ok(bytes),
        Body::Bytes(_) => Err(Error::new(
            ErrorKind::Rejected,
            format!("the message is larger than {} MiB", SIZE_LIMIT >> 20),
        )),
        Body::Record(_) | Body::Patch(_) => {
            Err(Error::new(ErrorKind::Unsupported, "a Maildir holds messages, not records"))
        }
    }
}

fn missing(id: &ItemId) -> Error {
    Error::new(ErrorKind::Missing, format!("{id} is not there"))
}

#[cfg(test)]
mod tests;
