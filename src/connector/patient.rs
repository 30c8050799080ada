//! A connector that waits when it is told to. Only a pause that the other end asked for, and only up to a limit:
//! everything else is for the engine to decide.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Connector, Cursor, Error, ErrorKind, News, Result, Write, Written};
use crate::model::record::{Identity, Newcomer, PartyRef};
use crate::model::{Address, Class, Clue, Document, Filed, ItemId, Listing, Uid};

/// How often one call is repeated.
const ATTEMPTS: usize = 6;

/// Waits out `Retry-After` and asks again. A refused request had no effect, so that repeating it is safe.
pub struct Patient {
    inner: Arc<dyn Connector>,
    /// A longer pause is handed on as an error.
    longest: Duration,
}

impl Patient {
    pub fn new(inner: Arc<dyn Connector>, longest: Duration) -> Self {
        Self { inner, longest }
    }

    async fn wait_out(&self, error: Error, attempt: &mut usize) -> Result<()> {
        wait_out(self.longest, error, attempt).await
    }
}

/// Waits if that is what the error asks for, and not for longer than `longest`; else hands it on.
pub(super) async fn wait_out(longest: Duration, error: Error, attempt: &mut usize) -> Result<()> {
    match error.kind {
        ErrorKind::Throttled(pause) if pause <= longest && *attempt < ATTEMPTS => {
            tracing::warn!(seconds = pause.as_secs_f64(), attempt, "asked to wait");
            tokio::time::sleep(pause).await;
            *attempt += 1;
            Ok(())
        }
        _ => Err(error),
    }
}

impl std::fmt::Debug for Patient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Patient").field("longest", &self.longest).finish_non_exhaustive()
    }
}

#[async_trait]
impl Connector for Patient {
    async fn list(&self, class: Class) -> Result<Listing> {
        let mut attempt = 1;
        loop {
            match self.inner.list(class).await {
                Err(error) => self.wait_out(error, &mut attempt).await?,
                done => return done,
            }
        }
    }

    async fn news(&self, class: Class, since: &Cursor) -> Result<News> {
        let mut attempt = 1;
        loop {
            match self.inner.news(class, since).await {
                Err(error) => self.wait_out(error, &mut attempt).await?,
                done => return done,
            }
        }
    }

    async fn heads(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        let mut attempt = 1;
        loop {
            match self.inner.heads(class, ids).await {
                Err(error) => self.wait_out(error, &mut attempt).await?,
                done => return done,
            }
        }
    }

    async fn read(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        let mut attempt = 1;
        loop {
            match self.inner.read(class, ids).await {
                Err(error) => self.wait_out(error, &mut attempt).await?,
                done => return done,
            }
        }
    }

    async fn write(&self, class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        let mut attempt = 1;
        loop {
            match self.inner.write(class, writes.clone()).await {
                Err(error) => self.wait_out(error, &mut attempt).await?,
                done => return done,
            }
        }
    }

    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        let mut attempt = 1;
        loop {
            match self.inner.find(class, uids).await {
                Err(error) => self.wait_out(error, &mut attempt).await?,
                done => return done,
            }
        }
    }

    fn source(&self) -> String {
        self.inner.source()
    }

    fn address(&self, class: Class, uid: &Uid) -> ItemId {
        self.inner.address(class, uid)
    }

    async fn threads(&self, clues: &[Clue]) -> Result<BTreeMap<Clue, Filed>> {
        let mut attempt = 1;
        loop {
            match self.inner.threads(clues).await {
                Err(error) => self.wait_out(error, &mut attempt).await?,
                done => return done,
            }
        }
    }

    async fn enabled(&self, addresses: &[Address]) -> Result<BTreeSet<Address>> {
        let mut attempt = 1;
        loop {
            match self.inner.enabled(addresses).await {
                Err(error) => self.wait_out(error, &mut attempt).await?,
                done => return done,
            }
        }
    }

    async fn names(&self, records: &[PartyRef]) -> Result<BTreeMap<PartyRef, String>> {
        let mut attempt = 1;
        loop {
            match self.inner.names(records).await {
                Err(error) => self.wait_out(error, &mut attempt).await?,
                done => return done,
            }
        }
    }

    async fn resolve(&self, addresses: &[Address]) -> Result<BTreeMap<Address, PartyRef>> {
        let mut attempt = 1;
        loop {
            match self.inner.resolve(addresses).await {
                Err(error) => self.wait_out(error, &mut attempt).await?,
                done => return done,
            }
        }
    }

    async fn identify(&self, addresses: &[Address]) -> Result<BTreeMap<Address, Identity>> {
        let mut attempt = 1;
        loop {
            match self.inner.identify(addresses).await {
                Err(error) => self.wait_out(error, &mut attempt).await?,
                done => return done,
            }
        }
    }

    async fn introduce(&self, newcomers: &[Newcomer]) -> Result<Vec<Result<()>>> {
        let mut attempt = 1;
        loop {
            match self.inner.introduce(newcomers).await {
                Err(error) => self.wait_out(error, &mut attempt).await?,
                done => return done,
            }
        }
    }

    async fn assign(
        &self,
        records: &[ItemId],
        people: &BTreeMap<Address, PartyRef>,
    ) -> Result<Vec<Result<()>>> {
        let mut attempt = 1;
        loop {
            match self.inner.assign(records, people).await {
                Err(error) => self.wait_out(error, &mut attempt).await?,
                done => return done,
            }
        }
    }

    fn requests(&self) -> u64 {
        self.inner.requests()
    }

    async fn wait(&self, class: Class) -> Result<()> {
        self.inner.wait(class).await
    }
}
