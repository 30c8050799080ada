//! `liaison run`: the service.

use std::sync::Arc;

use serde_json::json;

use super::keeper::{Keeper, Within};
use super::output::{Answer, Page};
use super::{Installation, lock, logging};
use crate::daemon::{self, Gate, Options};
use crate::ipc;

/// Keep both sides in step, day after day
///
/// Runs until it is ended; usually the system starts it when you log in (`liaison service install`). Rounds begin when mail comes,
/// when a file or the network changes, and from time to time. Everything else goes on as without it: commands ask the running
/// service by themselves.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison run -v")]
pub struct Run {}

impl Run {
    /// # Errors
    /// When the configuration cannot be used, another process is at work on this state, or the socket cannot be opened.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        here.load()?;
        let lock = lock::Lock::take(&here.lock_file()?)?;
        logging::service(here)?;
        let store = here.store().await?;
        let gate = Gate::default();
        let within = Arc::new(Within::new(gate.clone(), store));
        let house = Arc::new(Keeper::new(here.clone(), within));
        let socket = ipc::socket(&here.directories.runtime);
        daemon::run(house, Options { socket, clock: here.clock.clone(), gate }).await?;
        drop(lock);
        Ok(Answer::new(Page::default(), json!({ "ended": true })))
    }
}
