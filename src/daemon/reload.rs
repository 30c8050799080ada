//! Takes a changed configuration over, whole or not at all: what cannot be used is told, and the one before goes on.

use std::path::Path;
use std::sync::Arc;

use notify::RecursiveMode;
use tokio::time::sleep;

use super::hall::Hall;
use crate::connector::watch::{LIMIT, Watch};

/// Watches the file until the service ends.
pub(super) async fn watch(hall: Arc<Hall>) {
    let file = hall.house.file().to_owned();
    // Editors write another file and rename it: the folder is what tells.
    let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
    let watch = Watch::new(folder, RecursiveMode::NonRecursive);
    let mut before = text(&file).await;
    loop {
        if watch.changed().await.is_err() {
            sleep(LIMIT).await;
        }
        let now = text(&file).await;
        if now == before {
            continue;
        }
        before = now;
        match hall.house.check().await {
            Ok(()) => {
                tracing::info!("the configuration changed and is in force");
                hall.learn(|facts| facts.file = None);
                hall.reopen();
            }
            Err(trouble) => {
                tracing::warn!(
                    "the configuration changed and cannot be used; the one before stays in force"
                );
                hall.learn(|facts| facts.file = Some(trouble));
            }
        }
    }
}

/// Nothing when it cannot be read: then it is another one as soon as it can.
async fn text(file: &Path) -> Option<Vec<u8>> {
    tokio::fs::read(file).await.ok()
}
