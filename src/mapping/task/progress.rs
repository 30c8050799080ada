//! How far a task is: `statecode` and `statuscode` ⇄ `STATUS`.

use crate::mapping::calendar::set;
use crate::mapping::text::{Component, Edits, Line, Text};
use crate::model::Value;
use crate::model::record::State;

/// What `STATUS` cannot say of a task that is waiting or deferred.
const MARK: &str = "X-LIAISON-STATUSCODE";

/// The status of a task.
/// <https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/task#BKMK_StatusCode>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    NotStarted,
    InProgress,
    Waiting,
    Deferred,
    Completed,
    Canceled,
}

impl Progress {
    const ALL: [Self; 6] = [
        Self::NotStarted,
        Self::InProgress,
        Self::Waiting,
        Self::Deferred,
        Self::Completed,
        Self::Canceled,
    ];

    /// The word that stands in the field.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotStarted => "notstarted",
            Self::InProgress => "inprogress",
            Self::Waiting => "waiting",
            Self::Deferred => "deferred",
            Self::Completed => "completed",
            Self::Canceled => "canceled",
        }
    }

    pub fn value(self) -> Value {
        Value::Text(self.word().to_owned())
    }

    /// The status that a field says; not started where it says none.
    pub fn of(value: Option<&Value>) -> Self {
        let Some(Value::Text(word)) = value else { return Self::NotStarted };
        Self::ALL.into_iter().find(|progress| progress.word() == word).unwrap_or(Self::NotStarted)
    }

    pub fn state(self) -> State {
        let (statecode, statuscode) = match self {
            Self::NotStarted => (0, 2),
            Self::InProgress => (0, 3),
            Self::Waiting => (0, 4),
            Self::Deferred => (0, 7),
            Self::Completed => (1, 5),
            Self::Canceled => (2, 6),
        };
        State { statecode, statuscode }
    }

    /// The status of a row. Codes that an organisation added count by their state.
    pub fn of_codes(statecode: Option<i64>, statuscode: Option<i64>) -> Self {
        let known = statuscode.and_then(|code| {
            Self::ALL.into_iter().find(|progress| i64::from(progress.state().statuscode) == code)
        });
        known.unwrap_or(match statecode {
            Some(1) => Self::Completed,
            Some(2) => Self::Canceled,
            _ => Self::NotStarted,
        })
    }

    /// What a component says. The mark counts only beside the `STATUS` it was written with: after another program changed that,
    /// it is out of date.
    pub fn read(text: &Text<'_>, component: &Component) -> Self {
        let word = |name: &str| {
            text.property(component, name).map(|(_, line)| line.value().trim().to_ascii_uppercase())
        };
        let marked =
            |progress: Self| word(MARK).is_some_and(|mark| Some(mark.as_str()) == progress.mark());
        match word("STATUS").as_deref() {
            Some("COMPLETED") => Self::Completed,
            Some("CANCELLED") => Self::Canceled,
            Some("IN-PROCESS") if marked(Self::Waiting) => Self::Waiting,
            Some("IN-PROCESS") => Self::InProgress,
            Some("NEEDS-ACTION") if marked(Self::Deferred) => Self::Deferred,
            Some(_) => Self::NotStarted,
            None if word("COMPLETED").is_some() => Self::Completed,
            None => match word("PERCENT-COMPLETE").and_then(|percent| percent.parse::<u8>().ok()) {
                Some(100) => Self::Completed,
                Some(1..100) => Self::InProgress,
                _ => Self::NotStarted,
            },
        }
    }

    /// Writes the status, which from then on does not depend on other properties.
    pub fn write(self, edits: &mut Edits, text: &Text<'_>, component: &Component) {
        let old = |name: &str| text.property(component, name).map(|(_, line)| line.clone());
        if old("STATUS").is_some() && Self::read(text, component) == self {
            return;
        }
        let with = |name: &str, value: &str| {
            old(name).unwrap_or_else(|| Line::new(name, "")).with_value(value)
        };
        let status = match self {
            Self::NotStarted | Self::Deferred => "NEEDS-ACTION",
            Self::InProgress | Self::Waiting => "IN-PROCESS",
            Self::Completed => "COMPLETED",
            Self::Canceled => "CANCELLED",
        };
        set(edits, text, component, "STATUS", Some(with("STATUS", status)));
        set(edits, text, component, MARK, self.mark().map(|mark| with(MARK, mark)));
    }

    fn mark(self) -> Option<&'static str> {
        match self {
            Self::Waiting => Some("WAITING"),
            Self::Deferred => Some("DEFERRED"),
            Self::NotStarted | Self::InProgress | Self::Completed | Self::Canceled => None,
        }
    }
}
