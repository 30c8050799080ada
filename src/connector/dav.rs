//! Calendars and address books on a server: `CalDAV` (RFC 4791) and `CardDAV` (RFC 6352), one collection a connector.
//!
//! Ids are the file names of items, percent-decoded; versions their `ETag`s; one collection has the name "". A calendar may hold
//! events and tasks at once: [`kinds`] tells them apart. What an item says is for others to judge, but for two
//! things: its UID, and whom the server would write to because of it ([`schedule`]).
//!
//! On [`http`](super::http) and quick-xml rather than on libdav, which brings a second HTTP client, a second TLS configuration and
//! a second resolver with time limits and retries of their own, and reads answers into a tree: a listing of 10,000 items is
//! streamed here. What is left to write is small, and is mostly about how servers differ.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::auth::Account;
use super::error::{Error, ErrorKind, Result};
use super::http::{Http, Limits};
use super::tls::{self, Trust};
use super::{Connector, Cursor, News, Part, Portions, Write, Written, pour, vdir};
use crate::clock::Clock;
use crate::model::{Class, Document, ItemId, Listing, Uid};

mod body;
mod client;
mod cursor;
mod digest;
mod discover;
mod dns;
mod examine;
mod find;
mod href;
mod kinds;
mod line;
mod listing;
pub mod multistatus;
mod read;
mod refused;
mod rights;
mod schedule;
mod write;

pub use discover::Collection;
pub use examine::examine;

use client::Client;
use discover::Place;
use href::Base;

/// What is configured.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address of a collection, a principal or a server; or only a domain or an e-mail address.
    pub url: String,
    /// What the collection is for: contacts, or appointments, tasks or both.
    pub classes: BTreeSet<Class>,
    pub trust: Trust,
    /// Who signs in; `None` for a server on this machine that wants nobody to.
    pub account: Option<Account>,
    pub limits: Limits,
    pub invitations: Invitations,
    /// How often to look, since servers do not say that something changed.
    pub pause: Duration,
    pub hide: Hide,
    /// Whom to ask about domains; `None`: as the machine has it.
    pub name_server: Option<SocketAddr>,
}

impl Options {
    /// The usual: no account, the platform's trust, no invitations, a look every quarter of an hour.
    pub fn new(url: impl Into<String>, classes: impl IntoIterator<Item = Class>) -> Self {
        Self {
            url: url.into(),
            classes: classes.into_iter().collect(),
            trust: Trust::Platform,
            account: None,
            limits: Limits::default(),
            invitations: Invitations::Never,
            pause: Duration::from_mins(15),
            hide: Hide::default(),
            name_server: None,
        }
    }
}

/// Whether the server may write to attendees because of what we do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Invitations {
    /// What would make it write is changed so that it does not, or refused.
    #[default]
    Never,
    /// Items are written as they are; the server does as it likes.
    Allowed,
}

/// What to do without, as with a server that does not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hide {
    /// The report of what changed.
    pub sync: bool,
    /// The tag of the collection.
    pub ctag: bool,
}

/// A calendar or an address book.
#[derive(Debug)]
pub struct Dav {
    options: Options,
    place: Place,
    client: Client,
    /// The collection, and whether the server said that it is one.
    base: Mutex<Option<(Base, bool)>>,
    known: Mutex<kinds::Known>,
    /// Asked for before the first write.
    rights: Mutex<Option<rights::Rights>>,
}

impl Dav {
    /// # Errors
    /// [`ErrorKind::Unsupported`] for classes that cannot be kept in one collection or an address that cannot be used;
    /// [`ErrorKind::Local`] when the certificates to trust cannot be read.
    pub fn new(options: Options, clock: Clock) -> Result<Self> {
        let contacts = options.classes.contains(&Class::Contact);
        let together =
            if contacts { options.classes.len() == 1 } else { !options.classes.is_empty() };
        if !together || options.classes.contains(&Class::Email) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a collection holds contacts, or appointments and tasks",
            )
            .hint("give each of them a collection of its own"));
        }
        let place = Place::parse(&options.url)?;
        let http = Http::new(&tls::client_config(&options.trust)?, options.limits)?;
        let client = Client::new(http, options.account.clone(), clock);
        let mut base = None;
        if let Place::Url(url) = &place {
            client.admit(url);
            // A server has its root; whatever has a path may be the collection, and usually is.
            base = (url.path() != "/").then(|| (Base::new(url.clone()), false));
        }
        let (base, known, rights) = (Mutex::new(base), Mutex::default(), Mutex::default());
        Ok(Self { options, place, client, base, known, rights })
    }

    /// Whether the configuration names just this collection.
    fn names(&self, base: &Base) -> bool {
        matches!(&self.place, Place::Url(url) if Base::new(url.clone()) == *base)
    }

    fn options(&self) -> &Options {
        &self.options
    }

    fn client(&self) -> &Client {
        &self.client
    }

    /// The collection, and whether the server said that it is one. The first look at it would show that it is not.
    async fn base(&self) -> Result<(Base, bool)> {
        let known = self.base.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(base) => Ok(base),
            None => Ok((self.locate().await?, true)),
        }
    }

    /// Finds the collection by asking.
    async fn locate(&self) -> Result<Base> {
        let collection = self.located().await?;
        Ok(self.settle(&collection))
    }

    /// Remembers the collection.
    fn settle(&self, collection: &Collection) -> Base {
        let base = Base::new(collection.url.clone());
        *self.base.lock().unwrap_or_else(PoisonError::into_inner) = Some((base.clone(), true));
        base
    }

    fn check(&self, class: Class) -> Result<()> {
        if self.options.classes.contains(&class) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{} is not for class {class}", self.options.url),
        ))
    }
}

#[async_trait]
impl Connector for Dav {
    async fn list(&self, class: Class) -> Result<Listing> {
        let News { parts, completeness, .. } = self.news(class, &Cursor::new()).await?;
        let entries = parts.into_values().flat_map(|part| match part {
            Part::Whole(entries) | Part::Changes { changed: entries, .. } => entries,
        });
        Ok(Listing { entries: entries.collect(), completeness })
    }

    async fn news(&self, class: Class, since: &Cursor) -> Result<News> {
        self.check(class)?;
        self.look(class, since).await
    }

    async fn read(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        self.check(class)?;
        let mut documents: BTreeMap<_, _> = ids
            .iter()
            .filter_map(|id| self.waiting(id))
            .map(|document| (document.id.clone(), Ok(document)))
            .collect();
        let ids: Vec<ItemId> =
            ids.iter().filter(|id| !documents.contains_key(*id)).cloned().collect();
        if !ids.is_empty() {
            let (base, _) = self.base().await?;
            documents.extend(self.documents(class, &base, &ids).await?);
        }
        Ok(documents)
    }

    async fn pour(&self, class: Class, ids: &[ItemId], to: &Portions) -> Result<()> {
        pour::by_windows(self, class, ids, (to, read::CHUNKS)).await
    }

    async fn write(&self, class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        self.check(class)?;
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        self.carry_out(class, writes).await
    }

    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        self.check(class)?;
        self.found(class, uids).await
    }

    fn address(&self, class: Class, uid: &Uid) -> ItemId {
        vdir::file_name(class, uid)
    }

    fn requests(&self) -> u64 {
        self.client.requests()
    }

    fn source(&self) -> String {
        format!("dav {}", self.options.url)
    }

    async fn wait(&self, _class: Class) -> Result<()> {
        tokio::time::sleep(self.options.pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;
