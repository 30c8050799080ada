//! How an appointment's time is shown: `statecode` and `statuscode` ⇄ `STATUS`, `TRANSP` and Outlook's `BUSYSTATUS`.

use crate::mapping::calendar::set;
use crate::mapping::text::{Component, Edits, Line, Text};
use crate::model::Value;
use crate::model::record::State;

/// What `TRANSP` cannot say of a completed appointment.
const MARK: &str = "X-LIAISON-STATUSCODE";
const BUSY_STATUS: &str = "X-MICROSOFT-CDO-BUSYSTATUS";

/// The status of an appointment.
/// <https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/appointment#BKMK_StatusCode>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    Free,
    Tentative,
    Busy,
    OutOfOffice,
    Completed,
    Canceled,
}

impl Show {
    const ALL: [Self; 6] = [
        Self::Free,
        Self::Tentative,
        Self::Busy,
        Self::OutOfOffice,
        Self::Completed,
        Self::Canceled,
    ];

    /// The word that stands in the field.
    pub fn word(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Tentative => "tentative",
            Self::Busy => "busy",
            Self::OutOfOffice => "oof",
            Self::Completed => "completed",
            Self::Canceled => "canceled",
        }
    }

    pub fn value(self) -> Value {
        Value::Text(self.word().to_owned())
    }

    /// The status that a field says; busy where it says none.
    pub fn of(value: Option<&Value>) -> Self {
        let Some(Value::Text(word)) = value else { return Self::Busy };
        Self::ALL.into_iter().find(|show| show.word() == word).unwrap_or(Self::Busy)
    }

    pub fn state(self) -> State {
        let (statecode, statuscode) = match self {
            Self::Free => (0, 1),
            Self::Tentative => (0, 2),
            Self::Completed => (1, 3),
            Self::Canceled => (2, 4),
            Self::Busy => (3, 5),
            Self::OutOfOffice => (3, 6),
        };
        State { statecode, statuscode }
    }

    /// The status of a row. Codes that an organisation added count by their state.
    pub fn of_codes(statecode: Option<i64>, statuscode: Option<i64>) -> Self {
        let known = statuscode.and_then(|code| {
            Self::ALL.into_iter().find(|show| i64::from(show.state().statuscode) == code)
        });
        known.unwrap_or(match statecode {
            Some(0) => Self::Free,
            Some(1) => Self::Completed,
            Some(2) => Self::Canceled,
            _ => Self::Busy,
        })
    }

    /// What a component says. `TRANSP` is the standard: where Outlook's own property contradicts it, another program changed
    /// one and knew nothing of the other.
    pub fn read(text: &Text<'_>, component: &Component) -> Self {
        let word = |name| {
            text.property(component, name)
                .map(|(_, line)| line.value().trim().to_ascii_uppercase())
                .unwrap_or_default()
        };
        let (status, transparency) = (word("STATUS"), word("TRANSP"));
        if status == "CANCELLED" {
            return Self::Canceled;
        }
        let by_outlook = match word(BUSY_STATUS).as_str() {
            "FREE" | "WORKINGELSEWHERE" => Some(Self::Free),
            "TENTATIVE" => Some(Self::Tentative),
            "BUSY" => Some(Self::Busy),
            "OOF" => Some(Self::OutOfOffice),
            _ => None,
        };
        let agrees = |show: &Self| match transparency.as_str() {
            "TRANSPARENT" => *show == Self::Free,
            "OPAQUE" => *show != Self::Free,
            _ => true,
        };
        match (by_outlook.filter(agrees), transparency == "TRANSPARENT") {
            (None | Some(Self::Free), true) if word(MARK) == "COMPLETED" => Self::Completed,
            (Some(show), _) => show,
            (None, true) => Self::Free,
            (None, false) if status == "TENTATIVE" => Self::Tentative,
            (None, false) => Self::Busy,
        }
    }

    /// Writes the status into a component that does not say so already.
    pub fn write(self, edits: &mut Edits, text: &Text<'_>, component: &Component) {
        if Self::read(text, component) == self {
            return;
        }
        let had = |name: &str| text.property(component, name).map(|(_, line)| line.clone());
        let with = |name: &str, value: &str| {
            Some(had(name).unwrap_or_else(|| Line::new(name, "")).with_value(value))
        };
        let status = match self {
            Self::Canceled => with("STATUS", "CANCELLED"),
            _ => had("STATUS").map(|line| line.with_value("CONFIRMED")),
        };
        set(edits, text, component, "STATUS", status);
        if self == Self::Canceled {
            return;
        }
        let free = matches!(self, Self::Free | Self::Completed);
        let transparency = if free { "TRANSPARENT" } else { "OPAQUE" };
        set(edits, text, component, "TRANSP", with("TRANSP", transparency));
        let busy = match self {
            Self::Tentative => with(BUSY_STATUS, "TENTATIVE"),
            Self::OutOfOffice => with(BUSY_STATUS, "OOF"),
            Self::Busy => had(BUSY_STATUS).map(|line| line.with_value("BUSY")),
            Self::Free | Self::Completed | Self::Canceled => {
                had(BUSY_STATUS).map(|line| line.with_value("FREE"))
            }
        };
        set(edits, text, component, BUSY_STATUS, busy);
        let mark = if self == Self::Completed { with(MARK, "COMPLETED") } else { None };
        set(edits, text, component, MARK, mark);
    }
}
