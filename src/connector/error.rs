//! What can go wrong with the other end, how much is out of service, and when to try again.
//! This is the only place that decides about retries: by kind, never by text.

use std::time::Duration;
use std::{fmt, io};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// No answer, or none that makes sense. Whether the request had an effect is unknown.
    Unreachable,
    /// The other end asked for a pause of at least this long (429, 503 with `Retry-After`).
    Throttled(Duration),
    /// The sign-in is not accepted.
    Unauthorised,
    /// Signed in, but not allowed to do this.
    Forbidden,
    /// It is not the version the operation was planned against (412).
    Stale,
    /// Something with this name is there already (412 on a create).
    Exists,
    /// It is not there (404, 410, ENOENT). Positive evidence.
    Missing,
    /// The other end understood and refused: too long, invalid, read-only, full.
    Rejected,
    /// It breaks down over this one thing, or has it locked, and goes on answering otherwise (500, 423). Whether the request had
    /// an effect is unknown.
    Failing,
    /// The cursor is too old or unknown: list everything.
    CursorExpired,
    /// The answer could not be understood.
    Malformed,
    /// This end cannot do that at all.
    Unsupported,
    /// The disk, not the other end: no space, no permission, an I/O error.
    Local,
    /// The keyring is locked, not there or silent: a person unlocks it or logs in to the desktop, and it goes on by itself.
    Locked,
}

/// How much is out of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Item,
    Collection,
    Account,
}

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Look again and plan again, at once.
    Replan,
    /// Not before this long.
    After(Duration),
    /// Later, with growing pauses; one item not more often than [`Retry::pause`] says.
    Backoff,
    /// Not before a person did something.
    Never,
}

impl ErrorKind {
    pub fn scope(self) -> Scope {
        match self {
            Self::Stale
            | Self::Exists
            | Self::Missing
            | Self::Rejected
            | Self::Failing
            | Self::Malformed
            | Self::Forbidden => Scope::Item,
            Self::CursorExpired | Self::Unsupported | Self::Local => Scope::Collection,
            Self::Unreachable | Self::Throttled(_) | Self::Unauthorised | Self::Locked => {
                Scope::Account
            }
        }
    }

    /// Whether what was asked for may have been done all the same.
    pub fn leaves_open(self) -> bool {
        matches!(self, Self::Unreachable | Self::Failing)
    }

    /// The word for it in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Throttled(_) => "throttled",
            Self::Unauthorised => "unauthorised",
            Self::Forbidden => "forbidden",
            Self::Stale => "stale",
            Self::Exists => "exists",
            Self::Missing => "missing",
            Self::Rejected => "rejected",
            Self::Failing => "failing",
            Self::CursorExpired => "cursor expired",
            Self::Malformed => "malformed",
            Self::Unsupported => "unsupported",
            Self::Local => "local",
            Self::Locked => "locked",
        }
    }

    pub fn retry(self) -> Retry {
        match self {
            Self::Stale | Self::Exists | Self::Missing | Self::CursorExpired => Retry::Replan,
            Self::Throttled(pause) => Retry::After(pause),
            Self::Unreachable | Self::Failing | Self::Local | Self::Locked => Retry::Backoff,
            Self::Unauthorised
            | Self::Forbidden
            | Self::Rejected
            | Self::Malformed
            | Self::Unsupported => Retry::Never,
        }
    }
}

/// How often one item is tried before a person has to look at it: for almost four days.
const TRIES: u32 = 8;

/// After its first failure.
const FIRST_PAUSE: Duration = Duration::from_mins(1);

impl Retry {
    /// How long to let one item rest that has failed this often in the same version. `None`: it is not tried again by itself.
    pub fn pause(self, failures: u32) -> Option<Duration> {
        match self {
            Self::Replan => Some(Duration::ZERO),
            Self::After(pause) => Some(pause),
            Self::Backoff if failures < TRIES => {
                Some(FIRST_PAUSE * 4_u32.pow(failures.saturating_sub(1)))
            }
            Self::Backoff | Self::Never => None,
        }
    }
}

/// An error of a connector: kind for the machine, sentence for the person, cause for the log.
#[derive(Debug)]
pub struct Error {
    pub kind: ErrorKind,
    /// What we were doing and what came back, lower case, without content and without secrets.
    pub message: String,
    /// What the person can do about it, where that is known.
    pub hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Warns in the log that something was not done. What the other end said about it only stands among the details: servers
    /// like to repeat what they were sent.
    pub fn warn(&self, what: &'static str) {
        tracing::warn!(kind = self.kind.as_str(), "{what}");
        tracing::debug!(error = %self, "{what}");
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn std::error::Error + 'static))
    }
}

/// A chain of causes is short; the bound only guards against a loop.
const DEEPEST: usize = 16;

/// An error and what caused it, outermost first.
pub fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| below(*error)).take(DEEPEST)
}

/// An I/O error hides what it carries from `source`.
fn below<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a (dyn std::error::Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(outer) => outer.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static)),
        None => error.source(),
    }
}

/// What the system said, in an error or in what caused it: `Connection refused`.
pub fn system_word(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let said = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last()?;
    let text = said.to_string();
    let plain = text.split_once(" (os error").map_or(text.as_str(), |(plain, _)| plain);
    Some(plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let pauses: Vec<Duration> =
            (1..).map_while(|failures| Retry::Backoff.pause(failures)).collect();
        assert_eq!(pauses.first(), Some(&Duration::from_mins(1)));
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]), "{pauses:?}");
        let all: Duration = pauses.iter().sum();
        assert!((Duration::from_hours(72)..Duration::from_hours(120)).contains(&all), "{all:?}");
        assert_eq!(Retry::Backoff.pause(u32::MAX), None);
        assert_eq!(Retry::Never.pause(1), None);
    }
}
