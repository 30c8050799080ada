//! Takes a changed configuration over, whole or not at all: what cannot be used is told, and the one before goes on.

use std::path::Path;
use std::sync::Arc;

use notify::RecursiveMode;
use tokio::time::sleep;

use super::hall::Hall;
use crate::connector::watch::{LIMIT, Watch};

/// Watches the file until the service ends. `before` is what stood in it when it was read first.
pub(super) async fn watch(hall: Arc<Hall>, mut before: Option<Vec<u8>>) {
    let file = hall.house.file().to_owned();
    // Editors write another file and rename it: the folder is what tells.
    let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
    let watch = Watch::new(folder, RecursiveMode::NonRecursive);
    loop {
        if watch.changed().await.is_err() {
            sleep(LIMIT).await;
        }
        let now = text(&file).await;
        if now == before {
            continue;
        }
        before = now;
        if take_over(&hall).await {
            hall.reopen();
        }
    }
}

/// Takes over whatever may have changed: the configuration, and what rounds rest on besides, such as a sign-in.
pub(super) async fn now(hall: &Hall) {
    take_over(hall).await;
    hall.reopen();
}

/// Takes the configuration over as it is now; whether it can be used.
async fn take_over(hall: &Hall) -> bool {
    let trouble = hall.house.take_over().await.err();
    let good = trouble.is_none();
    if good {
        tracing::info!("the configuration is in force");
    } else {
        tracing::warn!("the configuration cannot be used; the one before stays in force");
    }
    hall.learn(|facts| facts.file = trouble);
    good
}

/// Nothing when it cannot be read: then it is another one as soon as it can.
pub(super) async fn text(file: &Path) -> Option<Vec<u8>> {
    tokio::fs::read(file).await.ok()
}
