//! All the sync filters of one class together: those of the configuration and those that the organisation keeps. Which of them
//! count, which cannot be used and why. What they find is not known here.
//!
//! * Filters add up; none can narrow another.
//! * Our own default stands in for what a person has not chosen: it steps back where the organisation keeps filters of the
//!   user's (on or off) or templates for new users. A filter for everybody does not replace it, it comes on top.
//! * What was not read or not understood leaves a doubt. As long as there is one, nothing follows from what is not listed: not
//!   that something left, nor that something is not there yet.

use uuid::Uuid;

use super::fetch::{self, Filter};
use crate::model::{Class, Origin, Selector, StoredFilter, Table, Told};

/// What the settings say of one class.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    pub class: Class,
    /// The filters of the configuration, the default among them where it is named.
    pub filters: &'a [Filter],
    /// Whether those of the organisation take part.
    pub organisation: bool,
    /// The names of those that do not, whatever their letters' case.
    pub off: &'a [String],
}

/// One filter and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub origin: Origin,
    pub name: String,
    /// The table that it says it is about.
    pub table: String,
    /// Its row, where it has one.
    pub id: Option<Uuid>,
    pub state: State,
}

/// Whether a filter counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    On(Filter),
    Off,
    /// With the reason, for the person who can mend it.
    Unusable(String),
    /// By the settings, this class goes without it.
    Unwanted,
}

impl State {
    /// The word used in the store and in `--json`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::On(_) => "on",
            Self::Off => "off",
            Self::Unusable(_) => "unusable",
            Self::Unwanted => "unwanted",
        }
    }
}

/// The filters of one class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Union {
    pub sources: Vec<Source>,
    /// Why they are not all known.
    pub doubts: Vec<String>,
}

/// Brings together what the settings and the organisation say of a class. `is_new`: the user never had filters of the own.
pub fn unite(wish: Wish<'_>, told: &Told, is_new: bool) -> Union {
    let of_class = |stored: &&StoredFilter| {
        Table::named(&stored.table).is_some_and(|table| table.class() == wish.class)
    };
    let told_own = told.own.as_deref().unwrap_or_default();
    let has_none = is_new && told.own.as_ref().is_ok_and(Vec::is_empty);
    let templates = told.templates.iter().filter(of_class).filter(|_| has_none);
    let kept: Vec<&StoredFilter> = told_own.iter().filter(of_class).chain(templates).collect();
    let steps_back = wish.organisation && (told.own.is_err() || !kept.is_empty());
    let defaults = fetch::defaults(wish.class);
    let configured =
        wish.filters.iter().filter(|filter| !(steps_back && defaults.contains(filter))).map(
            |filter| Source {
                origin: Origin::Configuration,
                name: filter.name().to_owned(),
                table: filter.table().logical_name().to_owned(),
                id: None,
                state: State::On(filter.clone()),
            },
        );
    let system = told.system.iter().flatten().filter(of_class);
    let sources: Vec<Source> =
        configured.chain(kept.into_iter().chain(system).map(|it| judge(wish, it))).collect();
    let mut doubts = Vec::new();
    if wish.organisation {
        let unread =
            [("your sync filters", &told.own), ("the system's sync filters", &told.system)];
        doubts.extend(unread.into_iter().filter_map(|(whose, read)| {
            Some(format!("{whose} could not be read: {}", read.as_ref().err()?))
        }));
    }
    doubts.extend(sources.iter().filter_map(|source| match &source.state {
        State::Unusable(reason) => {
            Some(format!("the {} cannot be used: {reason}", phrase(source.origin, &source.name)))
        }
        State::On(_) | State::Off | State::Unwanted => None,
    }));
    Union { sources, doubts }
}

fn judge(wish: Wish<'_>, stored: &StoredFilter) -> Source {
    let is_off = wish.off.iter().any(|name| name.to_lowercase() == stored.name.to_lowercase());
    let state = if !wish.organisation || is_off {
        State::Unwanted
    } else if stored.active {
        match read(wish.class, stored) {
            Ok(filter) => State::On(filter),
            Err(fetch::Invalid(reason)) => State::Unusable(reason),
        }
    } else {
        State::Off
    };
    Source {
        origin: stored.origin,
        name: stored.name.clone(),
        table: stored.table.clone(),
        id: Some(stored.id),
        state,
    }
}

/// A filter of the organisation, judged.
///
/// # Errors
/// When it cannot be used: see [`Filter::fetchxml`], and when it is about another table than it says.
pub fn read(class: Class, stored: &StoredFilter) -> Result<Filter, fetch::Invalid> {
    let filter = Filter::fetchxml(&stored.name, class, &stored.fetchxml)?;
    if filter.table().logical_name() != stored.table {
        let (says, is) = (&stored.table, filter.table().logical_name());
        return Err(fetch::Invalid(format!("it says it is about `{says}` and asks for `{is}`")));
    }
    Ok(filter)
}

/// How a filter is called in a sentence.
pub fn phrase(origin: Origin, name: &str) -> String {
    match origin {
        Origin::Configuration => format!("filter “{name}” of the configuration"),
        Origin::Own => format!("filter “{name}”"),
        Origin::System => format!("system filter “{name}”"),
        Origin::Template => format!("template “{name}”"),
    }
}

impl Union {
    /// Those that count.
    pub fn filters(&self) -> impl Iterator<Item = (&Source, &Filter)> {
        self.sources.iter().filter_map(|source| match &source.state {
            State::On(filter) => Some((source, filter)),
            State::Off | State::Unusable(_) | State::Unwanted => None,
        })
    }

    /// What to ask, each query once.
    pub fn selectors(&self) -> Vec<(Table, Selector)> {
        let mut found: Vec<(Table, Selector)> = Vec::new();
        for (source, filter) in self.filters() {
            if found.iter().all(|(_, known)| known.fetchxml != filter.as_fetchxml()) {
                let (name, fetchxml) = (source.name.clone(), filter.as_fetchxml().to_owned());
                found.push((filter.table(), Selector { name, origin: source.origin, fetchxml }));
            }
        }
        found
    }

    /// Changes when, and only when, the records that are asked for may be others.
    pub fn fingerprint(&self) -> String {
        let filters: Vec<Filter> = self.filters().map(|(_, filter)| filter.clone()).collect();
        fetch::fingerprint(&filters)
    }
}

#[cfg(test)]
mod tests;
