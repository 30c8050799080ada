//! Which installation keeps a mailbox and an organisation in step: written down where every installation can read it. One that
//! does not stand there writes to neither side. Nothing here decides who that should be.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::patient::patiently;
use super::{ErrorKind, Result};
use crate::model::Version;

/// One installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Made once with its state.
    pub id: Uuid,
    /// The computer that it is on, for people.
    pub host: String,
    /// Where its state is: of one place there is one state, so that another installation at the same place came after it. Empty
    /// where that is not known.
    pub place: String,
}

impl Instance {
    /// Whether this installation stands where the other one stood: the other one's state is gone.
    pub fn succeeds(&self, other: &Self) -> bool {
        self.id != other.id && !self.place.is_empty() && self.place == other.place
    }
}

/// Who syncs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// `None`: it was given up, and whoever comes next may have it.
    pub holder: Option<Instance>,
    /// Grows with each change of hands, so that a holder of once is told from the one of now.
    pub epoch: u64,
    /// Since when.
    pub since: Timestamp,
    /// When it last wrote.
    pub last_round: Option<Timestamp>,
}

/// A tenure as it was read, with the version that a change of it must name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub tenure: Tenure,
    pub version: Version,
}

/// What is known of the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// Nobody ever claimed it.
    Absent,
    There(Entry),
    /// It was not told; the reason shows when it is asked for on its own.
    Untold,
}

/// Where it is written down.
#[async_trait]
pub trait Lease: Send + Sync {
    /// Who syncs; `None` when nobody ever did.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn look(&self) -> Result<Option<Entry>>;

    /// Writes down who syncs from now on, instead of what was read.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`], [`ErrorKind::Stale`] or [`ErrorKind::Missing`] when somebody was faster;
    /// [`ErrorKind::Forbidden`] when this user can write nothing down.
    async fn put(&self, tenure: &Tenure, instead_of: Option<&Entry>) -> Result<Entry>;
}

/// Whether somebody else was faster.
pub fn is_lost_race(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Exists | ErrorKind::Stale | ErrorKind::Missing)
}

/// A lease that waits when it is told to, as [`super::patient::Patient`] does.
pub struct PatientLease {
    inner: Arc<dyn Lease>,
    /// A longer pause is handed on as an error.
    longest: Duration,
}

impl PatientLease {
    pub fn new(inner: Arc<dyn Lease>, longest: Duration) -> Self {
        Self { inner, longest }
    }
}

impl std::fmt::Debug for PatientLease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PatientLease").field("longest", &self.longest).finish_non_exhaustive()
    }
}

#[async_trait]
impl Lease for PatientLease {
    async fn look(&self) -> Result<Option<Entry>> {
        patiently(self.longest, || self.inner.look()).await
    }

    async fn put(&self, tenure: &Tenure, instead_of: Option<&Entry>) -> Result<Entry> {
        patiently(self.longest, || self.inner.put(tenure, instead_of)).await
    }
}
