//! A connector whose writes pass through somebody else's hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use liaison::connector::{Connector, Result, Write, Written};
use liaison::model::record::PartyRef;
use liaison::model::{Address, Class, Document, ItemId, Listing, Uid};

/// What becomes of writes.
#[async_trait]
pub trait Hand: Send + Sync {
    async fn write(
        &self,
        inner: &dyn Connector,
        class: Class,
        writes: Vec<Write>,
    ) -> Result<Vec<Result<Written>>>;
}

/// All but its writes is as it was.
pub struct Around<H> {
    pub inner: Arc<dyn Connector>,
    pub hand: H,
}

#[async_trait]
impl<H: Hand> Connector for Around<H> {
    async fn list(&self, class: Class) -> Result<Listing> {
        self.inner.list(class).await
    }

    async fn read(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        self.inner.read(class, ids).await
    }

    async fn write(&self, class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        self.hand.write(self.inner.as_ref(), class, writes).await
    }

    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        self.inner.find(class, uids).await
    }

    fn address(&self, class: Class, uid: &Uid) -> ItemId {
        self.inner.address(class, uid)
    }

    async fn sent_place(&self, uid: &Uid) -> Result<Option<ItemId>> {
        self.inner.sent_place(uid).await
    }

    async fn resolve(&self, addresses: &[Address]) -> Result<BTreeMap<Address, PartyRef>> {
        self.inner.resolve(addresses).await
    }

    async fn wait(&self, class: Class) -> Result<()> {
        self.inner.wait(class).await
    }
}
