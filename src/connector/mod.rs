//! What talks to a mailbox or a CRM. One trait for both sides; nothing here decides what should be done.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use crate::model::record::{Identity, Newcomer, PartyRef};
use crate::model::{
    Address, Body, Class, Clue, Document, Filed, ItemId, Listing, Selected, Uid, Version,
};

pub mod auth;
pub mod dataverse;
pub mod dav;
pub mod discover;
pub mod dns;
pub mod error;
pub mod file;
pub mod finding;
pub mod folders;
pub mod header;
pub mod http;
pub mod imap;
pub mod lease;
pub mod line;
pub mod maildir;
pub mod meter;
pub mod net;
pub mod news;
pub mod oauth;
pub mod outgoing;
pub mod patient;
pub mod pop3;
pub mod pour;
pub mod records;
pub mod sasl;
#[cfg(test)]
mod scripted;
pub mod smtp;
pub mod tls;
pub mod vault;
pub mod vdir;
pub mod watch;
mod xml;

pub use error::{Error, ErrorKind, Result, Retry, Scope};
pub use news::{Cursor, News, Part};
pub use pour::{Documents, Portions};

/// One end of the sync. All calls have a time limit; a batch reports one result an item, in the order asked.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Ids and versions of everything that takes part on this side.
    ///
    /// # Errors
    /// When nothing could be listed. A listing that broke off is `Ok` and `Partial`.
    async fn list(&self, class: Class) -> Result<Listing>;

    /// What happened since `since`, at the price of what happened; everything where there is no cursor, or it is too old. A
    /// collection that is neither in the answer's parts nor in `since` holds nothing.
    ///
    /// # Errors
    /// As for [`Connector::list`].
    async fn news(&self, class: Class, _since: &Cursor) -> Result<News> {
        Ok(News::whole(self.list(class).await?))
    }

    /// Everything, for who has seen none of it: as [`Connector::news`] without a cursor, but versions may be empty, since all of it
    /// is going to be read.
    ///
    /// # Errors
    /// As for [`Connector::list`].
    async fn first(&self, class: Class) -> Result<News> {
        self.news(class, &Cursor::new()).await
    }

    /// As [`Connector::read`], but of a message the fields of its header are enough that decisions follow from (who, when, what
    /// about, its names), in their order and as they are, with the empty line after them. A connector may give the whole header,
    /// and does where its server cannot choose; what comes names the message as the whole one does. Other items come whole.
    ///
    /// # Errors
    /// As for [`Connector::read`].
    async fn heads(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        self.read(class, ids).await
    }

    /// Reads items whole. The answer has an entry for every id asked for: [`ErrorKind::Missing`] is positive evidence
    /// that the item is gone, [`ErrorKind::Forbidden`] that it cannot be judged.
    ///
    /// # Errors
    /// When the other end as a whole is out of service.
    async fn read(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>>;

    /// Reads very many items, of messages as much as [`Connector::heads`] does, and hands them on in portions, in whatever order, with
    /// an entry for every id. Where nobody takes them any more, it ends.
    ///
    /// # Errors
    /// When the other end as a whole is out of service. What was handed on before is as good as ever.
    async fn pour(&self, class: Class, ids: &[ItemId], to: &Portions) -> Result<()> {
        pour::by_windows(self, class, ids, (to, 1)).await
    }

    /// Carries out writes, one result each, in their order; one that fails does not stop the others.
    ///
    /// # Errors
    /// When the batch as a whole got no answer: then the outcome of each write is unknown and must be looked at.
    async fn write(&self, class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>>;

    /// Finds items by their global name among all that the user may see, whether or not they are listed.
    ///
    /// # Errors
    /// When the other end as a whole is out of service.
    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>>;

    /// Names what is read: a cursor means nothing to another source. Empty where there are no cursors.
    fn source(&self) -> String {
        String::new()
    }

    /// The id that a new item with this uid is to get. Those of records are derived by the plan.
    fn address(&self, _class: Class, uid: &Uid) -> ItemId {
        ItemId::new(uid.as_str())
    }

    /// The id under which a message that the user sent is to be filed; `None` where sent messages have no place.
    ///
    /// # Errors
    /// When the other end as a whole is out of service.
    async fn sent_place(&self, _uid: &Uid) -> Result<Option<ItemId>> {
        Ok(None)
    }

    /// Whom these addresses belong to, where that is beyond doubt. A mailbox knows nobody.
    ///
    /// # Errors
    /// When the other end as a whole is out of service.
    async fn resolve(&self, _addresses: &[Address]) -> Result<BTreeMap<Address, PartyRef>> {
        Ok(BTreeMap::new())
    }

    /// The messages that these clues lead to. A mailbox files nothing.
    ///
    /// # Errors
    /// When the other end as a whole is out of service.
    async fn threads(&self, _clues: &[Clue]) -> Result<BTreeMap<Clue, Filed>> {
        Ok(BTreeMap::new())
    }

    /// Which of these addresses belong to something in the CRM that is neither a user nor one of those of
    /// [`Connector::resolve`].
    ///
    /// # Errors
    /// When the other end as a whole is out of service.
    async fn enabled(&self, _addresses: &[Address]) -> Result<BTreeSet<Address>> {
        Ok(BTreeSet::new())
    }

    /// What these records are called; those that are not to be seen are left out.
    ///
    /// # Errors
    /// When the other end as a whole is out of service.
    async fn names(&self, _records: &[PartyRef]) -> Result<BTreeMap<PartyRef, String>> {
        Ok(BTreeMap::new())
    }

    /// As [`Connector::resolve`], and who could be behind those that belong to several. Who is not in the answer, nobody there has
    /// this address, active or not.
    ///
    /// # Errors
    /// When the other end as a whole is out of service.
    async fn identify(&self, addresses: &[Address]) -> Result<BTreeMap<Address, Identity>> {
        let known = self.resolve(addresses).await?;
        Ok(known.into_iter().map(|(address, party)| (address, Identity::One(party))).collect())
    }

    /// Makes records for people, one result each. Who is there already, is meant.
    ///
    /// # Errors
    /// When the batch as a whole got no answer.
    async fn introduce(&self, _newcomers: &[Newcomer]) -> Result<Vec<Result<()>>> {
        Err(Error::new(ErrorKind::Unsupported, "nobody can be introduced here"))
    }

    /// Says of filed messages whose these addresses are, where nobody had said so; nothing else of them changes. One result each.
    ///
    /// # Errors
    /// When the other end as a whole is out of service.
    async fn assign(
        &self,
        _records: &[ItemId],
        _people: &BTreeMap<Address, PartyRef>,
    ) -> Result<Vec<Result<()>>> {
        Err(Error::new(ErrorKind::Unsupported, "there are no filed messages here"))
    }

    /// How many requests were sent since the connector was made; 0 where there is no wire.
    fn requests(&self) -> u64 {
        0
    }

    /// What each filter of a class found when the class was last listed. Nothing where no filters choose.
    fn selected(&self, _class: Class) -> Vec<Selected> {
        Vec::new()
    }

    /// Returns when something may have changed: a hint, never a fact.
    ///
    /// # Errors
    /// When the watch itself broke; the caller scans.
    async fn wait(&self, class: Class) -> Result<()>;
}

/// One write. Creates never replace, updates and deletes name the version they were planned against.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// `id` is a wish on the mailbox side (the file name made from the UID) and a fact on the CRM side (the derived GUID).
    /// [`ErrorKind::Exists`] when it is there already: look at it and adopt it.
    Create { id: ItemId, body: Body },
    /// [`ErrorKind::Stale`] when the version is another by now, [`ErrorKind::Missing`] when the item is gone.
    Update { id: ItemId, version: Version, body: Body },
    /// As for `Update`.
    Delete { id: ItemId, version: Version },
    /// Sets or clears a mark that the store keeps beside the body (an IMAP keyword). [`ErrorKind::Unsupported`] where it cannot.
    /// What is read back may be the head only, as for [`Connector::heads`].
    Mark { id: ItemId, mark: String, set: bool },
}

impl Write {
    pub fn id(&self) -> &ItemId {
        match self {
            Self::Create { id, .. }
            | Self::Update { id, .. }
            | Self::Delete { id, .. }
            | Self::Mark { id, .. } => id,
        }
    }
}

/// What stands there after a write: read back, never assumed. `None` after a delete.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub id: ItemId,
    pub document: Option<Document>,
}
