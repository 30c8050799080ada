//! Wakes up when a directory tree may have changed. A hint and nothing more: events get lost when many come at once,
//! so the scan is the truth, and after [`LIMIT`] without an event it is time for one anyhow.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::error::{Error, ErrorKind, Result};

/// How long to wait for an event at most.
pub const LIMIT: Duration = Duration::from_mins(10);

/// A burst is over when nothing happened for this long,
const QUIET: Duration = Duration::from_millis(300);

/// but is not waited for longer than this many times [`QUIET`].
const BURST: u32 = 10;

/// Watches one directory from the first [`Watch::changed`] on, so that nothing between two calls is missed.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    mode: RecursiveMode,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    signal: Arc<Signal>,
    /// Watches until it is dropped.
    _watcher: RecommendedWatcher,
}

#[derive(Debug, Default)]
struct Signal {
    changed: Notify,
    /// The watcher is of no use any more: it lost events, or what it watches is gone.
    broken: AtomicBool,
}

impl Watch {
    pub fn new(path: impl Into<PathBuf>, mode: RecursiveMode) -> Self {
        Self { path: path.into(), mode, running: Mutex::new(None) }
    }

    /// Returns once something may have changed since the last call, and the burst is over; after [`LIMIT`] anyhow.
    ///
    /// # Errors
    /// [`ErrorKind::Local`] when the directory cannot be watched: scan instead.
    pub async fn changed(&self) -> Result<()> {
        let signal = self.signal()?;
        if timeout(LIMIT, signal.changed.notified()).await.is_err() {
            self.stop();
            return Ok(());
        }
        for _ in 0..BURST {
            if timeout(QUIET, signal.changed.notified()).await.is_err() {
                break;
            }
        }
        if signal.broken.load(Ordering::Acquire) {
            self.stop();
        }
        Ok(())
    }

    fn signal(&self) -> Result<Arc<Signal>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.as_ref() {
            return Ok(Arc::clone(&running.signal));
        }
        let signal = Arc::new(Signal::default());
        let watcher = start(&self.path, self.mode, Arc::clone(&signal)).map_err(|error| {
            Error::new(ErrorKind::Local, format!("cannot watch the folder {}", self.path.display()))
                .caused_by(error)
                .hint("it is scanned every ten minutes instead")
        })?;
        *running = Some(Running { signal: Arc::clone(&signal), _watcher: watcher });
        Ok(signal)
    }

    /// The next call starts afresh.
    fn stop(&self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn start(
    path: &Path,
    mode: RecursiveMode,
    signal: Arc<Signal>,
) -> notify::Result<RecommendedWatcher> {
    let root = path.to_owned();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        match event {
            Ok(event) if event.need_rescan() || loses(&event, &root) => {
                signal.broken.store(true, Ordering::Release);
            }
            Ok(event) if !matters(&event) => return,
            Ok(_) => {}
            Err(_) => signal.broken.store(true, Ordering::Release),
        }
        signal.changed.notify_one();
    })?;
    watcher.watch(path, mode)?;
    Ok(watcher)
}

/// The directory itself went away: its watch sees nothing any more, even if it comes back.
fn loses(event: &Event, root: &Path) -> bool {
    matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(_))
        && event.paths.iter().any(|path| path == root)
}

/// Reading is no change, and what happens under a name with a dot or in a Maildir's `tmp` nobody looks at.
fn matters(event: &Event) -> bool {
    let reading = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    };
    !reading
        && !event.paths.iter().all(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Maildir++ folders start with a dot as well, but are directories.
            let hidden = name.starts_with('.') && !path.is_dir();
            hidden || path.parent().is_some_and(|parent| parent.ends_with("tmp"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_file_wakes_and_reading_does_not() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.ics"), "x").unwrap();
        let watch = Watch::new(directory.path(), RecursiveMode::NonRecursive);
        watch.signal().unwrap();
        std::fs::read(directory.path().join("a.ics")).unwrap();
        std::fs::write(directory.path().join(".liaison-1.tmp"), "x").unwrap();
        let idle = timeout(Duration::from_millis(500), watch.changed()).await;
        assert!(idle.is_err(), "reading and temporary files are no change");
        std::fs::write(directory.path().join("b.ics"), "x").unwrap();
        timeout(Duration::from_secs(20), watch.changed()).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_removed_directory_wakes_and_then_cannot_be_watched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("calendar");
        std::fs::create_dir(&path).unwrap();
        let watch = Watch::new(&path, RecursiveMode::NonRecursive);
        watch.signal().unwrap();
        std::fs::remove_dir(&path).unwrap();
        timeout(Duration::from_secs(20), watch.changed()).await.unwrap().unwrap();
        assert_eq!(watch.changed().await.unwrap_err().kind, ErrorKind::Local);
    }
}
