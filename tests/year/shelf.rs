//! A mailbox in memory that tells what is new, as servers do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use liaison::connector::{Connector, Cursor, News, Part, Result, Write, Written};
use liaison::model::{Class, Completeness, Document, ItemId, Listing, Side, Uid, Version};

use crate::support::fake::{Fake, Shared};

/// What happened to the things of a mailbox, in order. What the reader has noted is forgotten.
#[derive(Debug, Default)]
struct Log {
    first: usize,
    ids: Vec<ItemId>,
}

/// The things of one class. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Shelf {
    pub ends: Shared,
    /// The keywords of messages.
    marks: Arc<Mutex<BTreeMap<ItemId, BTreeSet<String>>>>,
    collections: &'static [&'static str],
    log: Arc<Mutex<Log>>,
}

impl Shelf {
    pub fn of(class: Class) -> Self {
        let collections: &[&str] =
            if class == Class::Email { &["INBOX", "Archive"] } else { &[""] };
        Self { ends: Shared::default(), marks: Arc::default(), collections, log: Arc::default() }
    }

    /// Something happened to this one.
    pub fn note(&self, id: &ItemId) {
        self.log.lock().unwrap().ids.push(id.clone());
    }

    /// A message goes to another folder, with its keywords.
    pub fn rename(&self, id: &ItemId, new: &ItemId) {
        let mut ends = self.ends.lock().unwrap();
        let bytes = ends.mailbox.remove(id).unwrap();
        ends.mailbox.insert(new.clone(), bytes);
        let mut marks = self.marks.lock().unwrap();
        if let Some(of) = marks.remove(id) {
            marks.insert(new.clone(), of);
        }
        drop((ends, marks));
        self.note(id);
        self.note(new);
    }

    pub fn remove(&self, id: &ItemId) {
        self.ends.lock().unwrap().remove(Side::Mailbox, id);
        self.marks.lock().unwrap().remove(id);
        self.note(id);
    }

    /// As it is with its keywords, which are part of its version.
    fn marked(&self, document: Document) -> Document {
        let marks = self.marks.lock().unwrap().get(&document.id).cloned().unwrap_or_default();
        if marks.is_empty() {
            return document;
        }
        let words: Vec<&str> = marks.iter().map(String::as_str).collect();
        let version = Version::new(format!("{}+{}", document.version, words.join("+")));
        Document { version, marks, ..document }
    }

    fn mark(&self, id: &ItemId, mark: &str, set: bool) -> Result<Written> {
        let document = self.ends.lock().unwrap().read(Side::Mailbox, id)?;
        let mut marks = self.marks.lock().unwrap();
        let of = marks.entry(id.clone()).or_default();
        if set {
            of.insert(mark.to_owned());
        } else {
            of.remove(mark);
        }
        drop(marks);
        Ok(Written { id: id.clone(), document: Some(self.marked(document)) })
    }

    pub fn count(&self) -> usize {
        self.ends.lock().unwrap().mailbox.len()
    }

    fn fake(&self) -> Fake {
        Fake { side: Side::Mailbox, ends: Arc::clone(&self.ends) }
    }

    fn cursor(&self, log: &Log) -> Cursor {
        let end = (log.first + log.ids.len()).to_string();
        self.collections.iter().map(|name| ((*name).to_owned(), end.clone())).collect()
    }
}

#[async_trait]
impl Connector for Shelf {
    async fn list(&self, class: Class) -> Result<Listing> {
        let mut listing = self.fake().list(class).await?;
        let ids: Vec<ItemId> = self.marks.lock().unwrap().keys().cloned().collect();
        for id in ids {
            let document = self.ends.lock().unwrap().read(Side::Mailbox, &id)?;
            listing.entries.insert(id, self.marked(document).version);
        }
        Ok(listing)
    }

    async fn news(&self, class: Class, since: &Cursor) -> Result<News> {
        let Some(seen) = since.values().next() else {
            let whole = News::whole(self.list(class).await?);
            return Ok(News { cursor: self.cursor(&self.log.lock().unwrap()), ..whole });
        };
        let (ids, cursor) = {
            let mut log = self.log.lock().unwrap();
            let noted = seen.parse::<usize>().unwrap() - log.first;
            log.ids.drain(..noted);
            log.first += noted;
            (log.ids.iter().cloned().collect::<BTreeSet<_>>(), self.cursor(&log))
        };
        let mut parts: BTreeMap<String, Part> = BTreeMap::new();
        let ends = self.ends.lock().unwrap();
        for id in ids {
            let nothing = Part::Changes { changed: BTreeMap::new(), gone: BTreeSet::new() };
            let part = parts.entry(id.collection().to_owned()).or_insert(nothing);
            let Part::Changes { changed, gone } = part else { unreachable!("only changes") };
            match ends.read(Side::Mailbox, &id) {
                Ok(document) => drop(changed.insert(id, self.marked(document).version)),
                Err(_) => drop(gone.insert(id)),
            }
        }
        Ok(News { parts, cursor, completeness: Completeness::Complete })
    }

    async fn read(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        let read = self.fake().read(class, ids).await?;
        Ok(read.into_iter().map(|(id, it)| (id, it.map(|it| self.marked(it)))).collect())
    }

    async fn write(&self, class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        writes.iter().for_each(|write| self.note(write.id()));
        let mut results = Vec::new();
        for write in writes {
            results.push(match write {
                Write::Mark { id, mark, set } => self.mark(&id, &mark, set),
                write => self.fake().write(class, vec![write]).await?.remove(0),
            });
        }
        Ok(results)
    }

    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        self.fake().find(class, uids).await
    }

    fn source(&self) -> String {
        "a shelf".to_owned()
    }

    fn address(&self, class: Class, uid: &Uid) -> ItemId {
        self.fake().address(class, uid)
    }

    async fn wait(&self, _class: Class) -> Result<()> {
        Ok(())
    }
}
