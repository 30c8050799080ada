//! A mailbox on an IMAP server (RFC 9051, and RFC 3501 where a server is older).
//!
//! The id of a message is `folder/validity.uid`: the folder's name as people see it, and the two numbers under which a server
//! keeps a message for good (RFC 9051 §2.3.1.1). When a server forgets its numbers, all its messages are other ones; they are
//! recognised by their `Message-ID`, and nothing is concluded from it.
//!
//! * One connection is kept open, and another one waits for what happens in the inbox. One that turns out dead is made anew, once.
//! * [`guard`] takes the server's answers apart within limits, [`session`] sends commands and believes only what was confirmed,
//!   [`look`] finds what is new, in as few turns as the server allows.
//! * Nothing is ever marked as read, and nothing is removed but by `UID EXPUNGE` of that one message.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use tokio::sync::{Mutex, MutexGuard};

use super::auth::Account;
use super::finding::Finding;
use super::net::Server;
use super::{Connector, Cursor, Error, ErrorKind, News, Portions, Result, Write, Written, maildir};
use crate::clock::Clock;
use crate::model::{Class, Document, ItemId, Listing, Uid};

mod across;
mod capability;
mod cursor;
mod examine;
mod fetch;
mod folder;
mod frame;
mod guard;
mod heard;
mod idle;
mod look;
mod name;
mod pouring;
mod read;
pub mod rehearse;
mod response;
mod search;
mod select;
mod session;
mod set;
mod sign_in;
mod token;
mod write;

use cursor::Seen;
use idle::Woken;
use look::Before;
use pouring::Pouring;
use session::Session;

/// The largest message that is read or filed, in bytes.
pub const SIZE_LIMIT: u64 = 64 << 20;

/// What is configured.
#[derive(Debug, Clone)]
pub struct Options {
    pub server: Server,
    pub account: Account,
    /// Names of folders to leave out, beside those that usually hold drafts, junk and deleted mail.
    pub leave_out: BTreeSet<String>,
    /// The only folders to look at, by their full names; all if empty.
    pub only: BTreeSet<String>,
    /// Capabilities not to believe in, for servers that announce what they cannot do: `QRESYNC`, `CONDSTORE`.
    pub hide: BTreeSet<String>,
    /// Whether to compress what is sent, where the server can (RFC 4978): good on slow lines only, since it costs the
    /// server more time than the bytes cost on others.
    pub compress: bool,
}

impl Options {
    fn leaves_out(&self, name: &str) -> bool {
        self.leave_out.iter().any(|left_out| left_out.to_lowercase() == name.to_lowercase())
    }
}

/// A mailbox on an IMAP server.
#[derive(Debug)]
pub struct Imap {
    options: Options,
    clock: Clock,
    kept: Mutex<Option<Session>>,
    /// The connection that waits for news of the inbox.
    waiting: Mutex<Option<Session>>,
    /// How the inbox was when it was last looked at: what happened since, no new connection is told.
    inbox: std::sync::Mutex<Option<Seen>>,
    /// How many waits in a row came to nothing.
    failures: AtomicU32,
    requests: Arc<AtomicU64>,
}

/// What a person wants to know of a server before relying on it.
pub async fn examine(options: &Options, clock: &Clock) -> Vec<Finding> {
    examine::examine(options, clock).await
}

impl Imap {
    /// Nothing is connected before it is needed.
    pub fn new(options: Options, clock: Clock) -> Self {
        Self {
            options,
            clock,
            kept: Mutex::default(),
            waiting: Mutex::default(),
            inbox: std::sync::Mutex::default(),
            failures: AtomicU32::default(),
            requests: Arc::default(),
        }
    }

    /// The one connection; others wait for their turn.
    async fn turn(&self, class: Class) -> Result<Turn<'_>> {
        if class != Class::Email {
            let message = format!("an IMAP server holds messages, nothing of class {class}");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(Turn { imap: self, kept: self.kept.lock().await, session: None, is_new: false })
    }
}

/// The use of the kept connection for one call. It is out of its place meanwhile: whoever gives up in the middle of a command
/// leaves none behind.
struct Turn<'a> {
    imap: &'a Imap,
    kept: MutexGuard<'a, Option<Session>>,
    session: Option<Session>,
    is_new: bool,
}

impl Turn<'_> {
    async fn session(&mut self) -> Result<&mut Session> {
        let session = if let Some(session) = self.kept.take() {
            session
        } else {
            self.is_new = true;
            sign_in::connect(&self.imap.options, &self.imap.requests).await?
        };
        Ok(self.session.insert(session))
    }

    /// Keeps the connection if it is still good. Nothing if it had died since the last call, and the work is to be done again.
    fn done<T>(&mut self, result: Result<T>) -> Option<Result<T>> {
        self.keep();
        match &result {
            Err(error) if error.kind == ErrorKind::Unreachable && self.kept.is_none() => {
                self.once_more(result)
            }
            // What it was opened with does not count any more: a token that ended, a password that was changed.
            Err(error) if error.kind == ErrorKind::Unauthorised => {
                *self.kept = None;
                self.once_more(result)
            }
            _ => Some(result),
        }
    }

    /// Nothing where the connection is an old one, so that the work is to be done again on another.
    fn once_more<T>(&self, result: Result<T>) -> Option<Result<T>> {
        self.is_new.then_some(result)
    }

    /// Puts the connection back if it is still good.
    fn keep(&mut self) {
        *self.kept = self.session.take().filter(Session::is_alive);
    }
}

#[async_trait]
impl Connector for Imap {
    async fn list(&self, class: Class) -> Result<Listing> {
        let news = self.news(class, &Cursor::new()).await?;
        let mut entries = BTreeMap::new();
        for part in news.parts.into_values() {
            entries.extend(part.into_items());
        }
        Ok(Listing { entries, completeness: news.completeness })
    }

    async fn news(&self, class: Class, since: &Cursor) -> Result<News> {
        self.look(class, Before::Seen(since)).await
    }

    async fn first(&self, class: Class) -> Result<News> {
        self.look(class, Before::Nothing).await
    }

    async fn heads(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        let mut turn = self.turn(class).await?;
        let mut pouring = Pouring::new(ids, None);
        loop {
            let poured = pouring.go(turn.session().await?).await;
            if let Some(poured) = turn.done(poured) {
                return poured.map(|()| pouring.found());
            }
        }
    }

    async fn pour(&self, class: Class, ids: &[ItemId], to: &Portions) -> Result<()> {
        let mut turn = self.turn(class).await?;
        let mut pouring = Pouring::new(ids, Some(to));
        loop {
            let poured = pouring.go(turn.session().await?).await;
            if let Some(poured) = turn.done(poured) {
                return poured;
            }
        }
    }

    async fn read(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        let mut turn = self.turn(class).await?;
        loop {
            let session = turn.session().await?;
            let documents = read::read(session, ids, SIZE_LIMIT).await;
            if let Some(documents) = turn.done(documents) {
                return documents;
            }
        }
    }

    /// A connection that died since the last call is noticed before the first write: nothing here is sent twice.
    async fn write(&self, class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        let mut turn = self.turn(class).await?;
        loop {
            let session = turn.session().await?;
            let is_there = session.run("NOOP", "ask for an answer", |_| {}).await;
            match turn.done(is_there) {
                Some(Ok(_)) => break,
                Some(Err(error)) => return Err(error),
                None => {}
            }
        }
        let session = turn.session().await?;
        let written = write::write(session, &self.options, writes).await;
        turn.keep();
        Ok(written)
    }

    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        let mut turn = self.turn(class).await?;
        loop {
            let session = turn.session().await?;
            let found = search::everywhere(session, &self.options, uids).await;
            if let Some(found) = turn.done(found) {
                return found;
            }
        }
    }

    /// What is made from a record goes to the inbox. A server gives the real id when it is there.
    fn address(&self, _class: Class, uid: &Uid) -> ItemId {
        maildir::message_id(folder::INBOX, uid)
    }

    async fn sent_place(&self, uid: &Uid) -> Result<Option<ItemId>> {
        let mut turn = self.turn(Class::Email).await?;
        loop {
            let session = turn.session().await?;
            let tree = folder::list(session, &self.options, std::iter::empty()).await;
            let place = tree
                .map(|tree| tree.for_sent().map(|folder| maildir::message_id(&folder.name, uid)));
            if let Some(place) = turn.done(place) {
                return place;
            }
        }
    }

    fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    fn source(&self) -> String {
        format!("imap {}@{}", self.options.account.user, self.options.server)
    }

    /// However often it is called, a server that is away is asked with growing pauses.
    async fn wait(&self, _class: Class) -> Result<()> {
        tokio::time::sleep(idle::rest(self.failures.load(Ordering::Relaxed))).await;
        let waited = self.wait_once().await;
        match waited {
            Ok(()) => self.failures.store(0, Ordering::Relaxed),
            Err(_) => drop(self.failures.fetch_add(1, Ordering::Relaxed)),
        }
        waited
    }
}

impl Imap {
    async fn look(&self, class: Class, before: Before<'_>) -> Result<News> {
        let mut turn = self.turn(class).await?;
        loop {
            let session = turn.session().await?;
            let news = look::news(session, &self.options, before).await;
            if let Some(news) = turn.done(news) {
                let inbox = news.as_ref().ok().and_then(|news| news.cursor.get(folder::INBOX));
                if let Some(seen) = inbox.and_then(|token| Seen::parse(token)) {
                    *self.inbox.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
                }
                return news;
            }
        }
    }

    async fn wait_once(&self) -> Result<()> {
        let mut waiting = self.waiting.lock().await;
        let mut session = if let Some(session) = waiting.take() {
            session
        } else {
            let mut session = sign_in::connect(&self.options, &self.requests).await?;
            let opened = session.open(folder::INBOX, false).await?;
            let seen = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if seen.is_some_and(|seen| !seen.is_still(&opened)) {
                *waiting = Some(session);
                return Ok(());
            }
            session
        };
        if idle::wait(&mut session, &self.clock).await? == Woken::ByNews {
            *waiting = Some(session);
        }
        Ok(())
    }
}

/// Of one answer: a message, and some room for servers that count line ends once.
fn limits() -> frame::Limits {
    frame::Limits { literals: SIZE_LIMIT + (SIZE_LIMIT >> 3), ..frame::Limits::default() }
}

/// Where a message is.
struct Place<'a> {
    folder: &'a str,
    validity: u32,
    uid: u32,
}

fn item_id(folder: &str, validity: u32, uid: u32) -> ItemId {
    ItemId::new(format!("{folder}/{validity}.{uid}"))
}

/// Nothing for an id that is none of a message on a server, such as that of one that is yet to be filed.
fn place(id: &ItemId) -> Option<Place<'_>> {
    let (folder, numbers) = id.as_str().rsplit_once('/')?;
    let (validity, uid) = numbers.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if folder.is_empty() || !digits(validity) || !digits(uid) {
        return None;
    }
    Some(Place {
        folder,
        validity: validity.parse().ok()?,
        uid: uid.parse().ok().filter(|uid| *uid > 0)?,
    })
}

#[cfg(test)]
mod tests;
