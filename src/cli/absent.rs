//! Why records that were in the mailbox are not listed any more, in plain words: what left the sync filters, what cannot be
//! looked at, which filter changed, cannot be used or finds nothing. None of that deletes anything.

use serde_json::Value as Json;

use super::output::{count, short};
use super::selection::Kept;
use super::status::moment;
use crate::model::Class;

/// What the last round of a class did not see.
#[derive(Debug, Default)]
pub struct Absent {
    /// Linked records that are in no filter.
    pub left: u64,
    /// Linked records that could not be looked at.
    pub hidden: u64,
    /// Why a side was not seen whole.
    pub partial: Vec<String>,
    /// Filters that found nothing.
    empty: Vec<String>,
    /// What to do where the round failed.
    hint: Option<String>,
}

impl Absent {
    /// As the report of the round tells it.
    pub fn of(report: &Json) -> Self {
        let number = |name: &str| report.get(name).and_then(Json::as_u64).unwrap_or_default();
        let list = |name: &str| report.get(name).and_then(Json::as_array).into_iter().flatten();
        let nothing = |filter: &&Json| filter.get("records").and_then(Json::as_u64) == Some(0);
        let name = |filter: &Json| Some(filter.get("name")?.as_str()?.to_owned());
        Self {
            left: number("left_filters"),
            hidden: number("hidden"),
            partial: list("partial").filter_map(Json::as_str).map(str::to_owned).collect(),
            empty: list("filters").filter(nothing).filter_map(name).collect(),
            hint: report
                .get("error")
                .and_then(|error| Some(error.get("hint")?.as_str()?.to_owned())),
        }
    }

    /// What is to be said of a class. Nothing, where nothing is missing.
    pub fn lines(&self, filters: &Kept, class: Class) -> Vec<String> {
        let mut lines = Vec::new();
        for reason in &self.partial {
            lines.push(format!(
                "not everything was seen, so nothing is deleted: {}",
                short(reason, 400)
            ));
        }
        if !self.partial.is_empty() && filters.doubts(class).next().is_some() {
            lines.push(
                "→ mend the filter or turn it off (`liaison filter list`), or go without those of \
                 the organisation: organisation_filters = false"
                    .to_owned(),
            );
        }
        if self.left > 0 {
            let (are, their) =
                if self.left == 1 { ("is", "its item stays") } else { ("are", "their items stay") };
            lines.push(format!(
                "{} {are} in no sync filter any more (reassigned, closed or changed, or the filter \
                 was): {their}",
                records(self.left)
            ));
        }
        if self.hidden > 0 {
            lines.push(format!(
                "{} cannot be looked at any more (perhaps not yours to read): nothing is deleted",
                records(self.hidden)
            ));
        }
        if self.left + self.hidden > 0 {
            lines.extend(self.empty.iter().map(|name| format!("filter “{name}” finds nothing")));
        }
        lines.extend(self.hint.iter().map(|hint| format!("→ {hint}")));
        if let Some((at, what)) = filters.change(class) {
            lines.push(format!("sync filters changed {}: {}", moment(at), what.join(", ")));
        }
        lines
    }
}

fn records(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "record")
}
