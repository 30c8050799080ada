//! Reads: OData query options and FetchXML become one `Query`, which is run on SQLite and rendered as OData JSON.
//!
//! It decides what a query means. It knows the schema and the storage convention, but neither HTTP nor privileges: what a user may
//! see comes in as an SQL predicate, the time as a value.
//!
//! Text is compared with `COLLATE NOCASE` and `LIKE`, so letters outside ASCII are compared with case; the real
//! service ignores their case and accents too.

use std::fmt;

use serde_json::{Map, Value as Json};

use crate::sandbox::schema::{Column, Table};

/// Running queries.
mod execute;
/// FetchXML.
pub mod fetchxml;
/// OData query options.
pub mod odata;
/// The condition operators that both languages share.
pub mod operator;
/// Paging cookies and skip tokens.
pub mod paging;
/// Dates relative to now.
pub mod relative;
/// Rows as OData JSON.
pub mod render;
/// From a query to SQL with parameters.
pub mod sql;
#[cfg(test)]
mod tests;
/// Typed values for SQL.
pub mod value;
/// A small XML tree.
mod xml;

pub use execute::{count, one, run};

use paging::Paging;
use relative::Relative;
use value::Value;

/// Most rows that one answer holds, and the largest total that is counted
/// (<https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/page-results>).
pub const MAX_PAGE: u32 = 5000;

/// Everything about the caller and the request that a query depends on.
pub struct Scope<'a> {
    /// `systemuserid` of the caller, lower case.
    pub user: &'a str,
    /// `businessunitid` of the caller, lower case.
    pub business_unit: &'a str,
    /// Where the service lives, without a slash at the end: `https://host/api/data/v9.2`.
    pub base: &'a str,
    pub annotations: &'a Annotations,
    /// `Prefer: odata.maxpagesize`, if sent. Above [`MAX_PAGE`] it counts as [`MAX_PAGE`].
    pub page_size: Option<u32>,
    pub now: jiff::Timestamp,
    /// An SQL predicate: may the caller read the row of this table that has this alias? `?1` in it is `user`, `?2` is `business_unit`.
    pub readable: &'a dyn Fn(&Table, &str) -> String,
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Scope").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Which annotations the caller asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations(Vec<String>);

impl Annotations {
    /// Formatted values of option sets, booleans, dates and lookups.
    pub const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
    /// The table a lookup points to.
    pub const LOOKUP: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";
    /// The navigation property of a lookup.
    pub const NAVIGATION: &str = "Microsoft.Dynamics.CRM.associatednavigationproperty";

    /// Takes the value of `Prefer: odata.include-annotations` without its quotes: names separated by commas, a `*` at the end
    /// of a name stands for the rest.
    pub fn new(preference: &str) -> Self {
        Self(preference.split(',').map(|name| name.trim().to_owned()).collect())
    }

    /// Whether the annotation of that full name was asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => pattern == name,
        })
    }
}

/// One page of an answer.
#[derive(Default)]
pub struct Page {
    pub rows: Vec<Map<String, Json>>,
    /// `@odata.nextLink`, for `OData` queries.
    pub next_link: Option<String>,
    /// How many rows match in all, at most [`MAX_PAGE`], if the query asked.
    pub count: Option<u64>,
    /// `@Microsoft.Dynamics.CRM.fetchxmlpagingcookie`, for `FetchXML`; queries that can only be paged by number have none.
    pub cookie: Option<String>,
    /// `@Microsoft.Dynamics.CRM.morerecords`.
    pub more: bool,
}

impl fmt::Debug for Page {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Page")
            .field("rows", &self.rows.len())
            .field("more", &self.more)
            .finish_non_exhaustive()
    }
}

/// What to read, in terms of the schema.
#[derive(Debug, Clone)]
pub struct Query {
    pub table: &'static Table,
    pub outputs: Vec<Output>,
    pub filter: Option<Filter>,
    /// In order: a join may only refer to those before it.
    pub joins: Vec<Join>,
    pub order: Vec<Order>,
    pub top: Option<u32>,
    pub distinct: bool,
    /// Whether the total is wanted too.
    pub total: bool,
    pub paging: Paging,
    pub expands: Vec<Expand>,
    /// If not empty, the answer is one row of these.
    pub counts: Vec<Count>,
    pub dialect: Dialect,
}

/// The language a query came in: it decides how pages are linked and how empty columns look.
#[derive(Clone)]
pub enum Dialect {
    /// Next links are `{base}/{path}?{options}&$skiptoken=…`; empty columns are `null`.
    OData { path: String, options: Vec<(String, String)> },
    /// Pages have a cookie; empty columns are left out.
    FetchXml,
}

impl fmt::Debug for Dialect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::OData { .. } => "OData",
            Self::FetchXml => "FetchXml",
        })
    }
}

/// A row source of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The table whose filter, order or output this is.
    Here,
    /// The join of that position in [`Query::joins`].
    Join(usize),
}

/// One column of the answer.
#[derive(Debug, Clone)]
pub struct Output {
    pub at: At,
    pub table: &'static Table,
    pub column: &'static Column,
    /// The JSON property: `subject`, `_ownerid_value`, `alias.subject`.
    pub name: String,
}

impl Output {
    /// The column under its own name in the Web API: a lookup `x` is `_x_value`.
    pub fn plain(table: &'static Table, column: &'static Column) -> Self {
        Self { at: At::Here, table, column, name: value::property_name(column) }
    }
}

/// A condition.
#[derive(Debug, Clone)]
pub enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Test {
        at: At,
        column: &'static Column,
        test: Test,
    },
    /// Two columns compared.
    Columns {
        left: (At, &'static Column),
        compare: Compare,
        right: (At, &'static Column),
    },
    /// A related row exists that matches.
    Related {
        relation: Relation,
        filter: Option<Box<Filter>>,
    },
}

/// Where the rows of [`Filter::Related`] are.
#[derive(Debug, Clone)]
pub struct Relation {
    pub table: &'static Table,
    /// The column of `table` that equals `parent`.
    pub column: &'static Column,
    pub parent: (At, &'static Column),
    /// Follow the parent's lookup only when it points to this table.
    pub target: Option<&'static str>,
}

/// What is asked of one column.
#[derive(Debug, Clone)]
pub enum Test {
    Null,
    NotNull,
    Is(Compare, Value),
    In(Vec<Value>),
    NotIn(Vec<Value>),
    /// A pattern for SQL `LIKE` with `\` as the escape.
    Like(Value),
    NotLike(Value),
    Between(Value, Value),
    NotBetween(Value, Value),
    User,
    NotUser,
    BusinessUnit,
    NotBusinessUnit,
    /// No row matches: the teams of the caller are not part of the [`Scope`].
    Never,
    When(Relative),
}

/// The comparison operators of both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Compare {
    /// `OData` and `FetchXML` spell them alike.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Equal,
            "ne" => Self::NotEqual,
            "gt" => Self::Greater,
            "ge" => Self::GreaterOrEqual,
            "lt" => Self::Less,
            "le" => Self::LessOrEqual,
            _ => return None,
        })
    }

    /// The operator that means the same with its sides swapped.
    #[must_use]
    pub fn flipped(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
        }
    }
}

/// A `FetchXML` `link-entity` that is part of the row.
#[derive(Debug, Clone)]
pub struct Join {
    pub table: &'static Table,
    /// The column of `table` that equals `parent`.
    pub column: &'static Column,
    pub parent: (At, &'static Column),
    pub outer: bool,
    pub filter: Option<Filter>,
}

/// One sort key.
#[derive(Debug, Clone)]
pub struct Order {
    pub at: At,
    pub column: &'static Column,
    pub descending: bool,
}

/// A navigation property to follow for each row.
#[derive(Debug, Clone)]
pub struct Expand {
    /// The navigation property.
    pub name: String,
    pub to: ExpandTo,
}

/// What an [`Expand`] leads to.
#[derive(Debug, Clone)]
pub enum ExpandTo {
    /// The row a lookup points to, with the query for each table it may be in.
    One { column: &'static Column, queries: Vec<Query> },
    /// `$ref`: only the address of that row.
    Reference { column: &'static Column, targets: Vec<&'static str> },
    /// The rows whose `key` points here.
    Many { key: &'static Column, query: Box<Query> },
}

/// `aggregate="count"` or `"countcolumn"`.
#[derive(Debug, Clone)]
pub struct Count {
    pub alias: String,
    /// Count only rows where this column is not null; without it, all rows.
    pub column: Option<(At, &'static Column)>,
    pub distinct: bool,
}

/// A refusal, as the service words it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub struct QueryError {
    /// HTTP status.
    pub status: u16,
    /// Hexadecimal, as in the error body.
    pub code: &'static str,
    pub message: String,
}

impl QueryError {
    /// A bad `OData` request: unknown property, bad syntax, unsupported option.
    pub fn odata(message: impl Into<String>) -> Self {
        Self { status: 400, code: "0x80060888", message: message.into() }
    }

    /// `InvalidArgument`.
    pub fn argument(message: impl Into<String>) -> Self {
        Self { status: 400, code: "0x80040203", message: message.into() }
    }

    /// A refusal with a code of its own.
    pub fn coded(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into() }
    }
}

impl From<rusqlite::Error> for QueryError {
    /// The database itself failed; the message of `SQLite` names SQL only, never a value.
    fn from(error: rusqlite::Error) -> Self {
        Self { status: 500, code: "0x80040216", message: format!("SQL failed: {error}") }
    }
}

/// The property of a table as `OData` spells it: `_x_value` for a lookup `x`, else the column's name.
pub fn property(table: &'static Table, name: &str) -> Result<&'static Column, QueryError> {
    value::by_property(table, name).ok_or_else(|| {
        QueryError::odata(format!(
            "Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{}'.",
            table.logical
        ))
    })
}

/// All columns of a table that can be read.
pub fn all_columns(table: &'static Table) -> Vec<Output> {
    table
        .columns
        .iter()
        .filter(|column| column.read)
        .map(|column| Output::plain(table, column))
        .collect()
}

/// The primary key of a table.
pub fn key(table: &'static Table) -> Result<&'static Column, QueryError> {
    property(table, table.id)
}
