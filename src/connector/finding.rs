//! What an examination of a server found, one finding a question. Only values; what to make of them is for others to say.

use jiff::{SignedDuration, Timestamp};

use super::error::system_word;
use super::tls::{Fingerprint, Trust, Untrusted};
use super::{Error, ErrorKind};

/// A clock further off than this makes "which is newer" a guess.
const CLOCK_MAX: SignedDuration = SignedDuration::from_secs(60);

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Whether the server answers at all.
    Reachable,
    /// Whether the connection is protected, and by whose certificate.
    Certificate,
    /// What the server can do.
    Capabilities,
    /// Whether it lets this user in.
    SignIn,
    /// What the user may do there: read, write, make folders.
    Rights,
    /// How far its clock is from ours.
    Clock,
    /// How changes will be found.
    Strategy,
    /// A feature that cannot be had here, or only partly, and what is missing for it.
    Feature,
}

impl Topic {
    /// The word in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::Certificate => "certificate",
            Self::Capabilities => "capabilities",
            Self::SignIn => "sign-in",
            Self::Rights => "rights",
            Self::Clock => "clock",
            Self::Strategy => "strategy",
            Self::Feature => "feature",
        }
    }
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    Good,
    /// Works, but not fully.
    Limited,
    /// Does not work.
    Bad,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub topic: Topic,
    pub grade: Grade,
    /// In plain words, without content and without secrets.
    pub says: String,
    /// What the person can do about it.
    pub hint: Option<String>,
    /// The certificate that is not trusted, where that is what is wrong.
    pub untrusted: Option<Fingerprint>,
}

impl Finding {
    pub fn new(topic: Topic, grade: Grade, says: impl Into<String>) -> Self {
        Self { topic, grade, says: says.into(), hint: None, untrusted: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// That something failed, and why.
    pub fn failed(topic: Topic, error: &Error) -> Self {
        let untrusted = Untrusted::of(error).map(|untrusted| untrusted.fingerprint);
        let (says, hint) = (error.message.clone(), error.hint.clone());
        Self { topic, grade: Grade::Bad, says, hint, untrusted }
    }

    /// That no connection came about: for its certificate, or for what the system says.
    pub fn unreached(error: &Error) -> Self {
        if Untrusted::of(error).is_some() {
            return Self::failed(Topic::Certificate, error);
        }
        let mut finding = Self::failed(Topic::Reachable, error);
        if error.kind == ErrorKind::Unreachable {
            if let Some(word) = system_word(error).filter(|word| !finding.says.contains(word)) {
                finding.says = format!("{}: {word}", finding.says);
            }
            finding.hint.get_or_insert_with(|| {
                "check the address in the configuration, the network and the firewall".to_owned()
            });
        }
        finding
    }

    /// How a connection is protected: `by` is `TLS`, `TLS, begun with STARTTLS`.
    pub fn protected(by: &str, trust: &Trust) -> Self {
        let says = format!("protected by {by}; {}", trust.accepted());
        Self::new(Topic::Certificate, Grade::Good, says)
    }

    /// Nothing protects the connection.
    pub fn unprotected() -> Self {
        let says = "not protected, which is only possible on this machine";
        Self::new(Topic::Certificate, Grade::Limited, says)
    }

    /// How far a server's clock is from ours.
    pub fn clock(theirs: Timestamp, ours: Timestamp) -> Self {
        let difference = theirs.duration_since(ours);
        let seconds = difference.as_secs().unsigned_abs();
        if difference.abs() <= CLOCK_MAX {
            let says = format!("the clocks are {seconds} s apart");
            return Self::new(Topic::Clock, Grade::Good, says);
        }
        let which = if difference.is_positive() { "ahead of" } else { "behind" };
        let says = format!("the server's clock is {seconds} s {which} that of this machine");
        Self::new(Topic::Clock, Grade::Limited, says)
            .hint("let both machines take their time from the network")
    }
}
