//! A connector that waits when it is told to. Only a pause that the other end asked for, and only up to a limit:
//! everything else is for the engine to decide.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Connector, Cursor, Error, ErrorKind, News, Result, Write, Written};
use crate::model::record::{Identity, Newcomer, PartyRef};
use crate::model::{Address, Class, Clue, Document, Filed, ItemId, Listing, Selected, Uid};

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

    async fn ask<T, F>(&self, call: impl Fn() -> F + Send) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T>> + Send,
    {
        patiently(self.longest, call).await
    }
}

/// Asks until there is an answer other than a pause that is worth waiting for: one of at most `longest`.
pub(super) async fn patiently<T, F>(longest: Duration, call: impl Fn() -> F + Send) -> Result<T>
where
    T: Send,
    F: Future<Output = Result<T>> + Send,
{
    let mut attempt = 1;
    loop {
        match call().await {
            Err(Error { kind: ErrorKind::Throttled(pause), .. })
                if pause <= longest && attempt < ATTEMPTS =>
            {
                tracing::warn!(seconds = pause.as_secs_f64(), attempt, "asked to wait");
                tokio::time::sleep(pause).await;
                attempt += 1;
            }
            done => return done,
        }
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
        self.ask(|| self.inner.list(class)).await
    }

    async fn news(&self, class: Class, since: &Cursor) -> Result<News> {
        self.ask(|| self.inner.news(class, since)).await
    }

    async fn first(&self, class: Class) -> Result<News> {
        self.ask(|| self.inner.first(class)).await
    }

    async fn heads(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        self.ask(|| self.inner.heads(class, ids)).await
    }

    async fn read(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        self.ask(|| self.inner.read(class, ids)).await
    }

    async fn write(&self, class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        self.ask(|| self.inner.write(class, writes.clone())).await
    }

    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        self.ask(|| self.inner.find(class, uids)).await
    }

    fn source(&self) -> String {
        self.inner.source()
    }

    fn address(&self, class: Class, uid: &Uid) -> ItemId {
        self.inner.address(class, uid)
    }

    async fn threads(&self, clues: &[Clue]) -> Result<BTreeMap<Clue, Filed>> {
        self.ask(|| self.inner.threads(clues)).await
    }

    async fn enabled(&self, addresses: &[Address]) -> Result<BTreeSet<Address>> {
        self.ask(|| self.inner.enabled(addresses)).await
    }

    async fn names(&self, records: &[PartyRef]) -> Result<BTreeMap<PartyRef, String>> {
        self.ask(|| self.inner.names(records)).await
    }

    async fn resolve(&self, addresses: &[Address]) -> Result<BTreeMap<Address, PartyRef>> {
        self.ask(|| self.inner.resolve(addresses)).await
    }

    async fn identify(&self, addresses: &[Address]) -> Result<BTreeMap<Address, Identity>> {
        self.ask(|| self.inner.identify(addresses)).await
    }

    async fn introduce(&self, newcomers: &[Newcomer]) -> Result<Vec<Result<()>>> {
        self.ask(|| self.inner.introduce(newcomers)).await
    }

    async fn assign(
        &self,
        records: &[ItemId],
        people: &BTreeMap<Address, PartyRef>,
    ) -> Result<Vec<Result<()>>> {
        self.ask(|| self.inner.assign(records, people)).await
    }

    fn requests(&self) -> u64 {
        self.inner.requests()
    }

    fn selected(&self, class: Class) -> Vec<Selected> {
        self.inner.selected(class)
    }

    async fn wait(&self, class: Class) -> Result<()> {
        self.inner.wait(class).await
    }
}
