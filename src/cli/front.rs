//! Who waits for a command: a person at this terminal, or a client of the running service.

use std::fmt;
use std::sync::Arc;

use indicatif::ProgressBar;

use super::output::{self, Page};
use super::progress;
use crate::daemon::house::{self, Tell};

/// See the module.
#[derive(Clone, Default)]
pub enum Front {
    #[default]
    Terminal,
    Client(Arc<dyn house::Front>),
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminal => "Terminal",
            Self::Client(_) => "Client",
        })
    }
}

impl Front {
    /// Shows what it is about and asks; `false` where nobody is there to answer, or a program reads (`json`).
    ///
    /// # Errors
    /// When the answer cannot be read.
    pub async fn ask(&self, about: &Page, question: &str, json: bool) -> std::io::Result<bool> {
        match self {
            Self::Terminal => output::ask(about, question, json),
            Self::Client(_) if json => Ok(false),
            Self::Client(front) => Ok(front.ask(about.as_str(), question).await),
        }
    }

    /// A bar, and what to tell it. The bar of a client is at the client's.
    pub fn bar(&self, json: bool) -> (ProgressBar, Tell) {
        match self {
            Self::Terminal => progress::bar(json),
            Self::Client(front) => {
                let front = Arc::clone(front);
                (ProgressBar::hidden(), Arc::new(move |progress| front.tell(progress)))
            }
        }
    }
}
