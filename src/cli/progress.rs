//! How far a round has come, and who is still waited for: on a terminal, nothing elsewhere.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use crate::sync::Progress;

/// A bar on the standard error, and what to tell it. Silent where nobody looks, or where a program reads (`json`).
pub fn bar(json: bool) -> (ProgressBar, Arc<dyn Fn(Progress) + Send + Sync>) {
    let bar = if is_watched(json) { ProgressBar::new(0) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{msg:32} {wide_bar} {pos:>6}/{len:6}") {
        bar.set_style(style);
    }
    // Also where an error ends it.
    let bar = bar.with_finish(ProgressFinish::AndClear);
    let shown = bar.clone();
    (bar, Arc::new(move |progress| show(&shown, progress)))
}

/// A bar on the standard error that its owner moves. Silent where nobody looks, or where a program reads (`json`).
pub fn counter(json: bool, doing: &'static str) -> ProgressBar {
    let bar = if is_watched(json) { ProgressBar::new(0) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{msg:32} {wide_bar} {pos:>6}/{len:6}") {
        bar.set_style(style);
    }
    bar.set_message(doing);
    bar.with_finish(ProgressFinish::AndClear)
}

fn is_watched(json: bool) -> bool {
    !json && std::io::stderr().is_terminal()
}

/// A line that names who has not answered yet; it goes when this is dropped.
#[derive(Debug)]
pub struct Waiting {
    bar: ProgressBar,
    left: Mutex<Vec<&'static str>>,
}

/// How often the line moves, so that it does not look dead.
const TICK: Duration = Duration::from_millis(120);

impl Waiting {
    /// Silent where nobody looks, or where a program reads (`json`).
    pub fn new(json: bool, names: impl Iterator<Item = &'static str>) -> Self {
        let bar = if is_watched(json) { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        let waiting = Self {
            bar: bar.with_finish(ProgressFinish::AndClear),
            left: Mutex::new(names.collect()),
        };
        waiting.done("");
        waiting
    }

    /// This one has answered.
    pub fn done(&self, name: &str) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|other| *other != name);
        self.bar.set_message(format!("waiting for {}", left.join(", ")));
    }
}

fn show(bar: &ProgressBar, progress: Progress) {
    let far = |message: String, done: usize, of: usize| {
        bar.set_message(message);
        bar.set_length(u64::try_from(of).unwrap_or_default());
        bar.set_position(u64::try_from(done).unwrap_or_default());
    };
    match progress {
        Progress::Listing { class } => far(format!("{class}s: listing"), 0, 0),
        Progress::Reading { class, side, done, of } => {
            far(format!("{class}s: reading {}", side.place()), done, of);
        }
        Progress::Writing { class, done, of } => far(format!("{class}s: writing"), done, of),
        Progress::Done { class } => far(format!("{class}s: done"), 1, 1),
    }
}
