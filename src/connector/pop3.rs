//! A POP3 mailbox (RFC 1939, 2449), to receive from only. There is one folder, nothing can be marked, and nothing is ever
//! deleted: `DELE` is not in the vocabulary.
//!
//! A message is known by its unique id (UIDL), and its item id is `INBOX/` with that, percent-encoded. Where a broken server
//! gives one unique id to several messages, their `Message-ID`s tell them apart ([`names`]). A server that was set up
//! anew may number everything anew: then all messages come under new ids, and it is for the engine to see by their
//! `Message-ID`s that they are the old ones.
//!
//! A session locks the mailbox (RFC 1939 §4), so each call has one of its own, which is over when the call is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::auth::Account;
use super::finding::Finding;
use super::net::Server;
use super::{
    Connector, Cursor, Error, ErrorKind, News, Part, Result, Write, Written, file, header,
};
use crate::clock::Clock;
use crate::model::{Body, Class, Completeness, Document, ItemId, Listing, Uid, Version};

mod examine;
mod names;
pub mod rehearse;
mod reply;
mod session;

use names::{INBOX, Names};
use session::{Session, WINDOW};

/// The largest message that is read.
pub const SIZE_LIMIT: usize = 64 << 20;

/// How long one call may keep the mailbox locked. RFC 1939 §3 lets a server wait ten minutes for a word.
const SESSION_LIMIT: Duration = Duration::from_mins(10);

/// How many heads are searched for a `Message-ID`, the newest first: some minutes on a slow line.
const SEARCH_LIMIT: usize = 10_000;

/// A server has no way to tell that something came.
const PAUSE: Duration = Duration::from_mins(5);

/// What is configured.
#[derive(Debug, Clone)]
pub struct Options {
    pub server: Server,
    pub account: Account,
}

/// A mailbox on a POP3 server.
#[derive(Debug)]
pub struct Pop3 {
    options: Options,
    requests: AtomicU64,
}

impl Pop3 {
    pub fn new(options: Options) -> Self {
        Self { options, requests: AtomicU64::new(0) }
    }

    /// A session, signed in. A secret that is refused is fetched anew once: a token expires, a password is changed.
    async fn open(&self) -> Result<Session> {
        let secret = self.options.account.secret.secret().await?;
        match Session::open(&self.options, &secret).await {
            Err(error) if error.kind == ErrorKind::Unauthorised => {
                let renewed = self.options.account.secret.renewed().await?;
                if renewed.expose() == secret.expose() {
                    return Err(error);
                }
                Session::open(&self.options, &renewed).await
            }
            opened => opened,
        }
    }

    /// One session for this work, within the time limit.
    async fn within<T>(&self, class: Class, work: impl Future<Output = Result<T>>) -> Result<T> {
        if class != Class::Email {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("a POP3 server holds messages, nothing of class {class}"),
            ));
        }
        let minutes = SESSION_LIMIT.as_secs() / 60;
        tokio::time::timeout(SESSION_LIMIT, work).await.map_err(|_| {
            let server = &self.options.server;
            Error::new(ErrorKind::Unreachable, format!("{server} was not done in {minutes} min"))
        })?
    }

    /// Ends a session properly, whatever came of it; one that broke is over.
    async fn close<T>(&self, mut session: Session, done: Result<T>) -> Result<T> {
        if !done.as_ref().is_err_and(|error| error.kind == ErrorKind::Unreachable) {
            session.quit().await;
        }
        self.requests.fetch_add(session.requests(), Ordering::Relaxed);
        done
    }

    /// Reads messages one by one into what is known of each, so that a session that breaks off has not been in vain.
    async fn fetch(
        &self,
        class: Class,
        ids: &[ItemId],
        whole: bool,
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        let mut documents = BTreeMap::new();
        if ids.is_empty() {
            return Ok(documents);
        }
        let reading = async {
            let mut session = self.open().await?;
            let read = read_into(&mut session, ids, whole, &mut documents).await;
            self.close(session, read).await
        };
        let broken = self.within(class, reading).await;
        if let Err(error) = broken {
            if !documents.values().any(Result::is_ok) {
                return Err(error);
            }
            for id in ids {
                let again = || Err(Error::new(error.kind, error.message.clone()));
                documents.entry(id.clone()).or_insert_with(again);
            }
        }
        Ok(documents)
    }
}

/// What an examination of the server finds, in the order of the questions; it stops at the first that is answered with no.
pub async fn examine(options: &Options, clock: &Clock) -> Vec<Finding> {
    examine::examine(options, clock).await
}

#[async_trait]
impl Connector for Pop3 {
    async fn list(&self, class: Class) -> Result<Listing> {
        let listing = self.news(class, &Cursor::new()).await?;
        let entries = listing.parts.into_values().flat_map(|part| match part {
            Part::Whole(entries) | Part::Changes { changed: entries, .. } => entries,
        });
        Ok(Listing { entries: entries.collect(), completeness: listing.completeness })
    }

    /// All or nothing: the server can only list everything, and if that is what it listed the last time, nothing happened.
    async fn news(&self, class: Class, since: &Cursor) -> Result<News> {
        self.within(class, async {
            let mut session = self.open().await?;
            let news = news(&mut session, since).await;
            self.close(session, news).await
        })
        .await
    }

    async fn heads(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        self.fetch(class, ids, false).await
    }

    async fn read(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        self.fetch(class, ids, true).await
    }

    async fn write(&self, _class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        let refused = || {
            Error::new(ErrorKind::Unsupported, "a POP3 mailbox can only be received from")
                .hint("with kind = \"imap\" messages can be marked and stored, too")
        };
        Ok(writes.iter().map(|_| Err(refused())).collect())
    }

    /// Looks through the heads of the newest 10,000 messages: a server cannot search.
    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        if uids.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.within(class, async {
            let mut session = self.open().await?;
            let found = find(&mut session, uids.iter().cloned().collect()).await;
            self.close(session, found).await
        })
        .await
    }

    /// The address of a new message; nothing can be stored under it.
    fn address(&self, _class: Class, uid: &Uid) -> ItemId {
        ItemId::new(format!("{INBOX}/{}", file::digest(uid.as_str().as_bytes())))
    }

    fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    fn source(&self) -> String {
        format!("pop3 {}@{}", self.options.account.user, self.options.server)
    }

    async fn wait(&self, _class: Class) -> Result<()> {
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

async fn news(session: &mut Session, since: &Cursor) -> Result<News> {
    let uidl = session.uidl().await?;
    let cursor = Cursor::from([(INBOX.to_owned(), names::token(&uidl))]);
    if cursor.get(INBOX) == since.get(INBOX) {
        return Ok(News { parts: BTreeMap::new(), cursor, completeness: Completeness::Complete });
    }
    let names = tell_apart(session, &uidl).await?;
    let entries = names.newest().map(|(_, id)| (id, Version::new(""))).collect();
    let parts = BTreeMap::from([(INBOX.to_owned(), Part::Whole(entries))]);
    Ok(match names.doubt() {
        None => News { parts, cursor, completeness: Completeness::Complete },
        // What is left out is to be looked at, and told of, each time.
        Some(doubt) => {
            News { parts, cursor: Cursor::new(), completeness: Completeness::Partial(doubt) }
        }
    })
}

async fn find(session: &mut Session, mut wanted: BTreeSet<Uid>) -> Result<BTreeMap<Uid, ItemId>> {
    let uidl = session.uidl().await?;
    let names = tell_apart(session, &uidl).await?;
    let newest: Vec<(u32, ItemId)> = names.newest().take(SEARCH_LIMIT).collect();
    let mut found = BTreeMap::new();
    for window in newest.chunks(WINDOW) {
        if wanted.is_empty() {
            break;
        }
        let numbers: Vec<u32> = window.iter().map(|(number, _)| *number).collect();
        for ((_, id), head) in window.iter().zip(session.heads(&numbers).await?) {
            // What cannot be read has no name to be found by.
            let uid = head.ok().and_then(|head| header::message_id(&head));
            if let Some(uid) = uid.filter(|uid| wanted.remove(uid)) {
                found.insert(uid, id.clone());
            }
        }
    }
    Ok(found)
}

/// The names of all messages; of those that share a unique id the heads are looked at.
async fn tell_apart(session: &mut Session, uidl: &[(u32, String)]) -> Result<Names> {
    let mut message_ids = BTreeMap::new();
    for window in names::repeated(uidl).chunks(WINDOW) {
        for (number, head) in window.iter().zip(session.heads(window).await?) {
            if let Some(uid) = head.ok().and_then(|head| header::message_id(&head)) {
                message_ids.insert(*number, uid);
            }
        }
    }
    Ok(Names::new(uidl, &message_ids))
}

/// Reads messages into `documents`, one by one: what was read stays read if the session breaks off.
async fn read_into(
    session: &mut Session,
    ids: &[ItemId],
    whole: bool,
    documents: &mut BTreeMap<ItemId, Result<Document>>,
) -> Result<()> {
    let uidl = session.uidl().await?;
    let names = tell_apart(session, &uidl).await?;
    let mut messages = Vec::new();
    for id in ids.iter().collect::<BTreeSet<_>>() {
        match names.number(id) {
            Ok(number) => messages.push((number, id.clone())),
            Err(error) => drop(documents.insert(id.clone(), Err(error))),
        }
    }
    messages.sort_unstable();
    let sizes =
        if whole && !messages.is_empty() { session.sizes().await? } else { BTreeMap::new() };
    messages.retain(|(number, id)| {
        let fits = sizes.get(number).is_none_or(|size| *size <= SIZE_LIMIT as u64);
        if !fits {
            documents.insert(id.clone(), Err(session::too_large()));
        }
        fits
    });
    for window in messages.chunks(WINDOW) {
        let numbers: Vec<u32> = window.iter().map(|(number, _)| *number).collect();
        if whole {
            session.ask_for(&numbers).await?;
            for (number, id) in window {
                let body = session.message(*number).await?;
                documents.insert(id.clone(), body.map(|body| document(id, body)));
            }
        } else {
            for ((_, id), head) in window.iter().zip(session.heads(&numbers).await?) {
                documents.insert(id.clone(), head.map(|head| document(id, head)));
            }
        }
    }
    Ok(())
}

fn document(id: &ItemId, bytes: Vec<u8>) -> Document {
    Document {
        id: id.clone(),
        version: Version::new(""),
        body: Body::Bytes(bytes),
        marks: BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests;
