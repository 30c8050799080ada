//! `liaison demo`.

/// The mailbox and the organisation that the demo works on.
pub mod world;

use super::{Answer, Common, Page};
/// The whole main job
#[derive(Debug, clap::Args)]
pub struct Demo {}
impl Demo {
    /// # Errors
    /// x
    pub async fn run(self, _common: &Common) -> anyhow::Result<Answer> {
        tokio::task::yield_now().await;
        Ok(Answer::new(Page::default(), serde_json::Value::Null))
    }
}
