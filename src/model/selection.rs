//! Which records a person, an administrator and this configuration want in the mailbox: sync filters as plain values. What is
//! in their `FetchXML` is not known here.

use std::collections::BTreeMap;
use std::fmt;

use uuid::Uuid;

use super::{Class, Table};

/// Where a sync filter is kept, and so who may change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In the configuration of this installation.
    Configuration,
    /// In the organisation, one of the user's own.
    Own,
    /// In the organisation, for everybody. Only an administrator may change it.
    System,
    /// In the organisation, what new users are given; in force as long as the user has none.
    Template,
}

impl Origin {
    /// The word used in the store and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Own => "own",
            Self::System => "system",
            Self::Template => "template",
        }
    }
}

/// A sync filter as the organisation keeps it: a row of `userquery` or `savedquery`.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredFilter {
    pub id: Uuid,
    pub origin: Origin,
    pub name: String,
    /// The logical name of the table that it says it is about: any table, not only those that are synced.
    pub table: String,
    /// As it stands there: foreign text, not yet judged.
    pub fetchxml: String,
    pub active: bool,
    /// What a change of it must name.
    pub version: Option<String>,
}

impl fmt::Debug for StoredFilter {
    /// Values in conditions may be addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredFilter({} {} {})", self.origin.as_str(), self.table, self.id)
    }
}

/// The sync filters that the organisation told of. What could not be read says why: it is never the same as none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The user's own, active or not.
    pub own: Result<Vec<StoredFilter>, String>,
    /// Those for everybody.
    pub system: Result<Vec<StoredFilter>, String>,
    /// What new users are given.
    pub templates: Vec<StoredFilter>,
}

impl Default for Told {
    fn default() -> Self {
        Self { own: Ok(Vec::new()), system: Ok(Vec::new()), templates: Vec::new() }
    }
}

/// One query that says which records take part.
#[derive(Clone, PartialEq, Eq)]
pub struct Selector {
    /// What people call it.
    pub name: String,
    pub origin: Origin,
    /// Judged, and in its canonical form.
    pub fetchxml: String,
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({})", self.origin.as_str())
    }
}

/// Everything that says which records take part: the records of a class are the union.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    pub selectors: BTreeMap<Table, Vec<Selector>>,
    /// Why it is not all known: from what such a class's listing lacks, nothing follows.
    pub doubts: BTreeMap<Class, Vec<String>>,
}

/// What one filter found when it was last asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    pub name: String,
    pub origin: Origin,
    /// How many records; not told where its answer broke off.
    pub rows: Option<usize>,
}
