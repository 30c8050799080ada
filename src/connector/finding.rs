//! What an examination of a server found, one finding a question. Only values; what to make of them is for others to say.

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
}

impl Finding {
    pub fn new(topic: Topic, grade: Grade, says: impl Into<String>) -> Self {
        Self { topic, grade, says: says.into(), hint: None }
    }

    /// That something failed, and why.
    pub fn failed(topic: Topic, error: &super::Error) -> Self {
        Self { topic, grade: Grade::Bad, says: error.message.clone(), hint: error.hint.clone() }
    }
}
