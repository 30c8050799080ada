//! Mails that a CRM wants sent: what waits, taking it, and telling what came of it; and whoever hands them in. Nothing here
//! decides whether something is sent.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Result;
use super::smtp::{Outcome, Smtp, Submission};
use crate::model::{ItemId, Record, Uid, Version};

/// How a mail stands in the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It waits to be sent.
    Pending,
    /// Somebody took it to send it.
    Sending,
    Sent,
    /// It is to be sent no more: a draft again, cancelled, or failed.
    Withdrawn,
    /// There is no such record.
    Gone,
}

/// A mail that waits, or was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub id: ItemId,
    pub version: Version,
    /// [`Stage::Pending`] or [`Stage::Sending`].
    pub stage: Stage,
    /// The `Message-ID` that the record has already.
    pub uid: Option<Uid>,
}

/// What waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    pub mails: Vec<Pending>,
    /// Why nothing may be sent from here: somebody else does it.
    pub refusal: Option<String>,
    /// Whether a mail may go to an address that belongs to no record.
    pub strangers: bool,
}

/// A mail that is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    pub id: ItemId,
    pub version: Version,
    pub uid: Uid,
    /// The tracking token that its subject gets.
    pub token: Option<String>,
}

/// What came of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Sent,
    /// Nobody got it, for this reason. The number tells one failure of a mail from the next.
    Failed {
        reason: String,
        number: u32,
    },
}

/// The outgoing side of a CRM, as its user sees it. All calls have a time limit; lists of results are in the order asked.
#[async_trait]
pub trait Postbox: Send + Sync {
    /// All mails of this user that wait to be sent or were taken, in one request.
    ///
    /// # Errors
    /// When they could not all be listed.
    async fn waiting(&self) -> Result<Waiting>;

    /// Mails whole, with the bytes of their files; of an older version none.
    ///
    /// # Errors
    /// When the other end as a whole is out of service.
    async fn read(&self, ids: &[ItemId]) -> Result<BTreeMap<ItemId, Result<(Version, Record)>>>;

    /// Marks waiting mails as taken, under their `Message-ID`. [`super::ErrorKind::Stale`] for one that changed meanwhile.
    ///
    /// # Errors
    /// When there was no answer: then how they stand is to be looked at.
    async fn take(&self, mails: &[Take]) -> Result<Vec<Result<()>>>;

    /// How mails stand that are not listed.
    ///
    /// # Errors
    /// When the other end as a whole is out of service.
    async fn stages(&self, ids: &[ItemId]) -> Result<BTreeMap<ItemId, Stage>>;

    /// Writes into records what came of their mails. Harmless to repeat.
    ///
    /// # Errors
    /// When there was no answer.
    async fn tell(&self, verdicts: &[(ItemId, Verdict)]) -> Result<Vec<Result<()>>>;
}

/// Whoever hands mails in.
#[async_trait]
pub trait Courier: Send + Sync {
    /// Hands a mail over, once.
    async fn submit(&self, submission: &Submission) -> Outcome;

    /// Whether the server puts what it is handed into the mailbox's folder of sent mails itself: then nobody else may.
    fn files_itself(&self) -> bool;
}

#[async_trait]
impl Courier for Smtp {
    async fn submit(&self, submission: &Submission) -> Outcome {
        Self::submit(self, submission).await
    }

    fn files_itself(&self) -> bool {
        self.files_itself()
    }
}
