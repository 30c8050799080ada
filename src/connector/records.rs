//! Rows of any table of an organisation: what working with records needs of a CRM, online or to fill and replay an offline copy.
//! What the tables look like comes from the organisation; how it is asked is the implementation's. Nothing here decides what
//! should be written.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Error, Result};
use crate::model::row::{RowId, Values};

/// The most operations that one [`Records::send`] takes.
pub const MAX_OPERATIONS: usize = 1000;

/// One table, as the organisation describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    pub logical: String,
    /// The name in URLs.
    pub set: String,
    /// The column of the row's id.
    pub id: String,
    /// The column that people know a row by.
    pub name: String,
    /// Whether the service checks the version of what is written.
    pub versioned: bool,
    pub columns: BTreeMap<String, Column>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub kind: Kind,
    pub create: bool,
    pub update: bool,
    pub read: bool,
    /// Whether there is no row without it.
    pub required: bool,
}

/// What a column holds, with what limits its values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text, at most so many UTF-16 units.
    Text {
        max: Option<u64>,
    },
    Integer {
        min: Option<i64>,
        max: Option<i64>,
    },
    /// Money, decimals and floating numbers. The limits are texts, since they may have fractions.
    Number {
        min: Option<String>,
        max: Option<String>,
    },
    Boolean,
    /// A moment.
    Moment,
    /// A day without a zone.
    Day,
    /// One of these options, with their labels.
    Choice {
        options: BTreeMap<i32, String>,
    },
    /// `statecode`.
    State {
        options: BTreeMap<i32, String>,
    },
    /// `statuscode`: each with its state.
    Status {
        options: BTreeMap<i32, (i32, String)>,
    },
    /// A row of one of these tables.
    Lookup {
        targets: BTreeMap<String, Target>,
    },
    Guid,
    /// Something that is not edited as a value (parties, images, files).
    Other,
}

/// How a lookup points to one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The name of the lookup when it is set to this table.
    pub navigation: String,
    /// The other table's name in URLs.
    pub set: String,
}

impl Definition {
    /// The columns that a copy of a row keeps: what can be read as a value.
    pub fn kept(&self) -> impl Iterator<Item = (&str, &Column)> {
        let is_kept = |(name, column): &(&String, &Column)| {
            column.read
                && column.kind != Kind::Other
                && **name != self.id
                && **name != "versionnumber"
        };
        self.columns.iter().filter(is_kept).map(|(name, column)| (name.as_str(), column))
    }
}

/// A row as it stands there.
#[derive(Clone, PartialEq)]
pub struct Found {
    pub id: Uuid,
    pub version: String,
    pub values: Values,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Found({}, {})", self.id, self.version)
    }
}

/// Ids and versions of what a question finds. `broken` says why it is not everything.
#[derive(Debug, Default)]
pub struct Versions {
    pub rows: BTreeMap<Uuid, String>,
    pub broken: Option<Error>,
}

/// What is to be listed.
#[derive(Clone)]
pub enum Question {
    /// The rows of a filter, in `FetchXML`.
    Filter(String),
    /// The rows whose lookup in this column is one of these.
    Pointing { column: String, to: Vec<Uuid> },
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Filter(_) => "Filter",
            Self::Pointing { .. } => "Pointing",
        })
    }
}

/// One operation on one row. Creates never replace, updates and deletes name the version they were made on.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    pub row: RowId,
    pub action: Action,
}

/// What to do with a row.
#[derive(Clone, PartialEq)]
pub enum Action {
    Read,
    Create(Values),
    Update { version: String, values: Values },
    Delete { version: String },
}

impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Read => "Read",
            Self::Create(_) => "Create",
            Self::Update { .. } => "Update",
            Self::Delete { .. } => "Delete",
        })
    }
}

/// What came of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The row, as it was asked for.
    Read(Found),
    /// Written; this is its version now.
    Written(String),
    Deleted,
}

/// Tables by their logical names.
pub type Definitions = BTreeMap<String, Definition>;

/// The rows of one organisation, as its user sees them. All calls have a time limit.
#[async_trait]
pub trait Records: Send + Sync {
    fn organisation(&self) -> Uuid;

    /// The user that we are signed in as.
    fn user(&self) -> Uuid;

    /// What tables look like. One that the organisation does not have is left out.
    ///
    /// # Errors
    /// When the organisation gave no answer, or one that makes no sense.
    async fn describe(&self, tables: &[String]) -> Result<Definitions>;

    /// The user's and the system's offline filters, by table, in `FetchXML`.
    ///
    /// # Errors
    /// When the organisation gave no answer.
    async fn offline_filters(&self) -> Result<BTreeMap<String, Vec<String>>>;

    /// Ids and versions, one answer a question.
    ///
    /// # Errors
    /// When the organisation gave no answer at all.
    async fn list(&self, questions: &[(&Definition, Question)]) -> Result<Vec<Versions>>;

    /// Rows by their ids. That one is not in the answer says nothing about it.
    ///
    /// # Errors
    /// When the organisation gave no answer.
    async fn rows(&self, definition: &Definition, ids: &[Uuid]) -> Result<Vec<Found>>;

    /// Rows in which each of these columns has one of these values, or of which one of `any` has it; at most `limit`, by name.
    ///
    /// # Errors
    /// When the organisation gave no answer, or refuses the question.
    async fn find(&self, definition: &Definition, search: &Search) -> Result<Vec<Found>>;

    /// Carries out operations in one request, in this order; one that fails does not stop the others. At most
    /// [`MAX_OPERATIONS`].
    ///
    /// # Errors
    /// When no whole answer came. Where the kind leaves it open ([`super::ErrorKind::leaves_open`]), the outcome of each
    /// operation is unknown; otherwise nothing was done.
    async fn send(
        &self,
        definitions: &Definitions,
        operations: &[Operation],
    ) -> Result<Vec<Result<Outcome>>>;

    /// How many requests were sent so far.
    fn requests(&self) -> u64;
}

/// What rows to find.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// All of these: a column and the text of its value; an empty one finds rows without a value.
    pub all: Vec<(String, String)>,
    /// At least one of these, if there are any.
    pub any: Vec<(String, String)>,
    pub limit: usize,
}
