//! Who takes part: which records the CRM side lists (`fetch`, `union`), and which items of the mailbox are tracked
//! (`track` for contacts, tasks and appointments, `email` for messages; `content` and `people`: what goes along with
//! one; `folder` and `pattern`: how rules name folders and people).
//!
//! Pure: what is known about the world comes in as values. Nothing here says what is done with a thing that takes part.

pub mod content;
pub mod email;
pub mod fetch;
pub mod folder;
pub mod pattern;
pub mod people;
pub mod track;
pub mod union;

/// What the user said about one item by command. It beats every rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    Tracked,
    Untracked,
}

/// Whether an item of the mailbox takes part, and by which rule: the first that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub tracked: bool,
    /// A short phrase for people, without content, and the same for all items that the rule decides.
    pub rule: String,
}

impl Decision {
    fn tracked(rule: impl Into<String>) -> Self {
        Self { tracked: true, rule: rule.into() }
    }

    fn skipped(rule: impl Into<String>) -> Self {
        Self { tracked: false, rule: rule.into() }
    }

    fn marked(mark: Mark) -> Self {
        match mark {
            Mark::Tracked => Self::tracked("you track it"),
            Mark::Untracked => Self::skipped("you untracked it"),
        }
    }
}

/// The category that tracks an item unless the configuration names another.
pub const TRACKED_CATEGORY: &str = "Tracked to CRM";

/// The keyword that tracks a message, and that a tracked message is given.
pub const TRACKED_KEYWORD: &str = "$CrmTracked";

/// The rule that decides over private items and messages.
const PRIVATE: &str = "private items stay out";
