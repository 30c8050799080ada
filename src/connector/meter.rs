//! Counts what is asked of a service that allows so much a day, and keeps to it. Where the count is kept is not known here.

use std::fmt::Debug;

use async_trait::async_trait;

use super::Result;

/// Asked before every request.
#[async_trait]
pub trait Meter: Send + Sync + Debug {
    /// Counts so many operations, which are about to be sent.
    ///
    /// # Errors
    /// [`super::ErrorKind::Throttled`] when they would go beyond what may be asked by now; then they were not counted, and must
    /// not be sent.
    async fn spend(&self, operations: u64) -> Result<()>;
}
