//! From a [`Query`] to one SQL statement. Names of tables and columns come from the schema, every value is a bound parameter:
//! `?1` is the caller, `?2` their business unit, the rest are what the query says.
//!
//! Aliases: `t0` the table itself, `j0`, `j1`, … its joins, `e0`, `e1`, … related rows inside conditions.

use super::paging::{Key, Keyset, Window};
use super::relative::{self, Relative};
use super::value::{self, Value};
use super::{At, Compare, Count, ExpandTo, Filter, Join, Query, QueryError, Relation, Scope, Test};
use crate::sandbox::schema::{Column, Kind, Table};

/// Most conditions in one query
/// (<https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/filter-rows>).
const MAX_CONDITIONS: usize = 500;
/// Most values in one query.
const MAX_VALUES: usize = 10_000;
/// Most columns of an answer and most sort keys: `SQLite` takes 2000 of each, a lookup being two.
const MAX_COLUMNS: usize = 900;
const MAX_ORDERS: usize = 100;
/// A longer `description` is the body of an e-mail, which lives in blob storage and cannot be filtered
/// (<https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/email>).
const MAX_FILTERED: u32 = 1_048_576;

/// SQL with its parameters, and where to find what in a row.
#[derive(Debug)]
pub struct Statement {
    pub sql: String,
    pub params: Vec<Value>,
    pub layout: Layout,
}

/// Positions of the columns that follow the query's outputs. A lookup is two columns, its GUID and its type.
#[derive(Debug, Default)]
pub struct Layout {
    /// `versionnumber`, unless the query is distinct.
    pub version: Option<usize>,
    /// The primary key, unless the query is distinct.
    pub id: Option<usize>,
    /// The sort keys of the cookie.
    pub keys: Vec<usize>,
    /// The lookup of each expand that follows one, in the order of the expands.
    pub lookups: Vec<Option<usize>>,
}

/// The rows of one page and one row more.
pub fn select(query: &Query, scope: &Scope<'_>, window: &Window) -> Result<Statement, QueryError> {
    if query.outputs.len() > MAX_COLUMNS || query.order.len() > MAX_ORDERS {
        return Err(QueryError::argument("The query has too many columns or sort keys."));
    }
    let mut builder = Builder::new(scope);
    let (columns, layout) = columns(query, window.keyset.as_ref());
    let mut sql = builder.body(query, &columns)?;
    if let Some(after) = window.keyset.as_ref().and_then(|keyset| builder.after(keyset)) {
        sql.push_str(" AND ");
        sql.push_str(&after);
    }
    sql.push_str(" ORDER BY ");
    sql.push_str(&order(query, window.keyset.as_ref(), columns.len()));
    let limit = builder.bind(Value::Integer(i64::from(window.limit) + 1));
    let offset = builder.bind(Value::Integer(i64::try_from(window.offset).unwrap_or(i64::MAX)));
    let sql = format!("{sql} LIMIT {limit} OFFSET {offset}");
    builder.finish(sql, layout)
}

/// How many rows match, at most [`super::MAX_PAGE`].
pub fn total(query: &Query, scope: &Scope<'_>) -> Result<Statement, QueryError> {
    let mut builder = Builder::new(scope);
    let columns = if query.distinct { columns(query, None).0 } else { vec![String::from("1")] };
    let body = builder.body(query, &columns)?;
    let sql = format!("SELECT count(*) FROM ({body} LIMIT {})", super::MAX_PAGE);
    builder.finish(sql, Layout::default())
}

/// The aggregates of a query, in order.
pub fn aggregate(query: &Query, scope: &Scope<'_>) -> Result<Statement, QueryError> {
    let mut builder = Builder::new(scope);
    let columns: Vec<String> = query.counts.iter().map(count).collect();
    let sql = builder.body(query, &columns)?;
    builder.finish(sql, Layout::default())
}

fn count(count: &Count) -> String {
    match count.column {
        None => String::from("count(*)"),
        Some((at, column)) => {
            let distinct = if count.distinct { "DISTINCT " } else { "" };
            format!("count({distinct}{})", name("t0", at, column.name))
        }
    }
}

/// What is selected: outputs, then what [`Layout`] finds.
fn columns(query: &Query, keyset: Option<&Keyset>) -> (Vec<String>, Layout) {
    let mut columns = Vec::new();
    let mut layout = Layout::default();
    for output in &query.outputs {
        columns.push(name("t0", output.at, output.column.name));
        if matches!(output.column.kind, Kind::Lookup { .. }) {
            columns.push(type_name("t0", output.at, output.column.name));
        }
    }
    if !query.distinct {
        layout.id = Some(columns.len());
        columns.push(name("t0", At::Here, query.table.id));
        layout.version = Some(columns.len());
        columns.push(name("t0", At::Here, "versionnumber"));
    }
    for key in keyset.iter().flat_map(|keyset| &keyset.keys) {
        layout.keys.push(columns.len());
        columns.push(name("t0", At::Here, key.column.name));
    }
    for expand in &query.expands {
        let lookup = match &expand.to {
            ExpandTo::One { column, .. } | ExpandTo::Reference { column, .. } => column,
            ExpandTo::Many { .. } => {
                layout.lookups.push(None);
                continue;
            }
        };
        layout.lookups.push(Some(columns.len()));
        columns.push(name("t0", At::Here, lookup.name));
        columns.push(type_name("t0", At::Here, lookup.name));
    }
    (columns, layout)
}

/// A total order, so that pages neither repeat nor skip a row.
fn order(query: &Query, keyset: Option<&Keyset>, width: usize) -> String {
    let mut terms = Vec::new();
    if let Some(keyset) = keyset {
        for key in &keyset.keys {
            terms.push(term(&name("t0", At::Here, key.column.name), key.column, key.descending));
        }
        return terms.join(", ");
    }
    for order in &query.order {
        terms.push(term(&name("t0", order.at, order.column.name), order.column, order.descending));
    }
    if query.distinct {
        terms.extend((1..=width).map(|position| position.to_string()));
    } else {
        terms.push(name("t0", At::Here, query.table.id));
        for (index, join) in query.joins.iter().enumerate() {
            terms.push(name("t0", At::Join(index), join.table.id));
        }
    }
    terms.join(", ")
}

fn term(name: &str, column: &Column, descending: bool) -> String {
    let direction = if descending { " DESC" } else { "" };
    format!("{name}{}{direction}", collation(column))
}

/// Text is compared without case, as the service does.
fn collation(column: &Column) -> &'static str {
    match column.kind {
        Kind::Text { .. } | Kind::Memo { .. } => " COLLATE NOCASE",
        _ => "",
    }
}

fn alias(here: &str, at: At) -> String {
    match at {
        At::Here => here.to_owned(),
        At::Join(index) => format!("j{index}"),
    }
}

fn name(here: &str, at: At, column: &str) -> String {
    format!("\"{}\".\"{column}\"", alias(here, at))
}

fn type_name(here: &str, at: At, column: &str) -> String {
    format!("\"{}\".\"{column}_type\"", alias(here, at))
}

fn symbol(compare: Compare) -> &'static str {
    match compare {
        Compare::Equal => "=",
        Compare::NotEqual => "<>",
        Compare::Greater => ">",
        Compare::GreaterOrEqual => ">=",
        Compare::Less => "<",
        Compare::LessOrEqual => "<=",
    }
}

struct Builder<'a> {
    scope: &'a Scope<'a>,
    params: Vec<Value>,
    related: usize,
    conditions: usize,
}

impl<'a> Builder<'a> {
    fn new(scope: &'a Scope<'a>) -> Self {
        let params =
            vec![Value::Text(scope.user.to_owned()), Value::Text(scope.business_unit.to_owned())];
        Self { scope, params, related: 0, conditions: 0 }
    }

    fn finish(self, sql: String, layout: Layout) -> Result<Statement, QueryError> {
        if self.conditions > MAX_CONDITIONS {
            return Err(QueryError::coded(
                "0x8004430C",
                "Number of conditions in query exceeded maximum limit.",
            ));
        }
        if self.params.len() > MAX_VALUES {
            return Err(QueryError::argument("Number of values in query exceeded maximum limit."));
        }
        Ok(Statement { sql, params: self.params, layout })
    }

    fn bind(&mut self, value: Value) -> String {
        self.params.push(value);
        format!("?{}", self.params.len())
    }

    /// Everything up to and including the conditions.
    fn body(&mut self, query: &Query, columns: &[String]) -> Result<String, QueryError> {
        let distinct = if query.distinct { "DISTINCT " } else { "" };
        let mut sql = format!(
            "SELECT {distinct}{} FROM \"{}\" \"t0\"",
            columns.join(", "),
            query.table.logical
        );
        for (index, join) in query.joins.iter().enumerate() {
            sql.push_str(&self.join(index, join)?);
        }
        sql.push_str(" WHERE ");
        sql.push_str(&self.readable(query.table, "t0"));
        if let Some(filter) = &query.filter {
            sql.push_str(" AND ");
            sql.push_str(&self.filter("t0", filter)?);
        }
        Ok(sql)
    }

    fn readable(&self, table: &Table, alias: &str) -> String {
        format!("({})", (self.scope.readable)(table, alias))
    }

    fn join(&mut self, index: usize, join: &Join) -> Result<String, QueryError> {
        let own = format!("j{index}");
        let kind = if join.outer { "LEFT JOIN" } else { "JOIN" };
        let (at, parent) = join.parent;
        let mut sql = format!(
            " {kind} \"{}\" \"{own}\" ON {} = {} AND {}",
            join.table.logical,
            name(&own, At::Here, join.column.name),
            name("t0", at, parent.name),
            self.readable(join.table, &own),
        );
        if let Some(filter) = &join.filter {
            sql.push_str(" AND ");
            sql.push_str(&self.filter(&own, filter)?);
        }
        Ok(sql)
    }

    fn filter(&mut self, here: &str, filter: &Filter) -> Result<String, QueryError> {
        match filter {
            Filter::All(parts) => self.group(here, parts, " AND ", "1"),
            Filter::Any(parts) => self.group(here, parts, " OR ", "0"),
            // What is unknown because of a null counts as not matching, and so matches when negated.
            Filter::Not(inner) => Ok(format!("NOT ifnull({}, 0)", self.filter(here, inner)?)),
            Filter::Test { at, column, test } => {
                self.conditions += 1;
                self.test(&name(here, *at, column.name), column, test)
            }
            Filter::Columns { left, compare, right } => {
                self.conditions += 1;
                Ok(format!(
                    "({} {} {}{})",
                    name(here, left.0, left.1.name),
                    symbol(*compare),
                    name(here, right.0, right.1.name),
                    collation(left.1)
                ))
            }
            Filter::Related { relation, filter } => self.exists(here, relation, filter.as_deref()),
        }
    }

    fn group(
        &mut self,
        here: &str,
        parts: &[Filter],
        between: &str,
        empty: &str,
    ) -> Result<String, QueryError> {
        if parts.is_empty() {
            return Ok(empty.to_owned());
        }
        if parts.len() > MAX_CONDITIONS {
            self.conditions = parts.len();
            return Ok(empty.to_owned());
        }
        let parts: Result<Vec<String>, QueryError> =
            parts.iter().map(|part| self.filter(here, part)).collect();
        Ok(format!("({})", parts?.join(between)))
    }

    fn exists(
        &mut self,
        here: &str,
        relation: &Relation,
        filter: Option<&Filter>,
    ) -> Result<String, QueryError> {
        self.conditions += 1;
        let own = format!("e{}", self.related);
        self.related += 1;
        let (at, parent) = relation.parent;
        let mut sql = format!(
            "EXISTS (SELECT 1 FROM \"{}\" \"{own}\" WHERE {} = {} AND {}",
            relation.table.logical,
            name(&own, At::Here, relation.column.name),
            name(here, at, parent.name),
            self.readable(relation.table, &own),
        );
        if let Some(target) = relation.target {
            let target = self.bind(Value::Text(target.to_owned()));
            sql = format!("{sql} AND {} = {target}", type_name(here, at, parent.name));
        }
        if let Some(filter) = filter {
            sql.push_str(" AND ");
            sql.push_str(&self.filter(&own, filter)?);
        }
        sql.push(')');
        Ok(sql)
    }

    fn test(&mut self, name: &str, column: &Column, test: &Test) -> Result<String, QueryError> {
        let body = matches!(column.kind, Kind::Memo { max } if max > MAX_FILTERED);
        if body && column.name == "description" {
            return Err(QueryError::argument(format!(
                "The attribute '{}' cannot be used in a condition.",
                column.name
            )));
        }
        let collate = collation(column);
        Ok(match test {
            Test::Null => format!("{name} IS NULL"),
            Test::NotNull => format!("{name} IS NOT NULL"),
            Test::Is(Compare::NotEqual, value) => {
                let value = self.bind(value.clone());
                format!("({name} <> {value}{collate} OR {name} IS NULL)")
            }
            Test::Is(compare, value) => {
                let value = self.bind(value.clone());
                format!("{name} {} {value}{collate}", symbol(*compare))
            }
            Test::In(values) => format!("{name}{collate} IN ({})", self.list(values)),
            Test::NotIn(values) => {
                let list = self.list(values);
                format!("({name}{collate} NOT IN ({list}) OR {name} IS NULL)")
            }
            Test::Like(pattern) => {
                let pattern = self.bind(pattern.clone());
                format!("{name} LIKE {pattern} ESCAPE '\\'")
            }
            Test::NotLike(pattern) => {
                let pattern = self.bind(pattern.clone());
                format!("({name} NOT LIKE {pattern} ESCAPE '\\' OR {name} IS NULL)")
            }
            Test::Between(low, high) => {
                let (low, high) = (self.bind(low.clone()), self.bind(high.clone()));
                format!("{name}{collate} BETWEEN {low} AND {high}")
            }
            Test::NotBetween(low, high) => {
                let (low, high) = (self.bind(low.clone()), self.bind(high.clone()));
                format!("({name}{collate} NOT BETWEEN {low} AND {high} OR {name} IS NULL)")
            }
            Test::User => format!("{name} = ?1"),
            Test::NotUser => format!("({name} <> ?1 OR {name} IS NULL)"),
            Test::BusinessUnit => format!("{name} = ?2"),
            Test::NotBusinessUnit => format!("({name} <> ?2 OR {name} IS NULL)"),
            Test::Never => String::from("0"),
            Test::When(relative) => self.when(name, column, *relative)?,
        })
    }

    fn list(&mut self, values: &[Value]) -> String {
        let names: Vec<String> = values.iter().map(|value| self.bind(value.clone())).collect();
        names.join(", ")
    }

    fn when(
        &mut self,
        name: &str,
        column: &Column,
        relative: Relative,
    ) -> Result<String, QueryError> {
        let range = relative::range(relative, self.scope.now)?;
        let day = matches!(column.kind, Kind::Date);
        let mut parts = Vec::new();
        if let Some(from) = range.from {
            let text = if day { from.date().to_string() } else { value::stored(from) };
            let from = self.bind(Value::Text(text));
            parts.push(format!("{name} >= {from}"));
        }
        if let Some(to) = range.to {
            // A day belongs to the range if any moment of it does.
            let midnight = to.date().at(0, 0, 0, 0) == to;
            let symbol = if day && !midnight { "<=" } else { "<" };
            let text = if day { to.date().to_string() } else { value::stored(to) };
            let to = self.bind(Value::Text(text));
            parts.push(format!("{name} {symbol} {to}"));
        }
        Ok(format!("({})", parts.join(" AND ")))
    }

    /// The rows behind the last row of the page before, or `None` on the first page. Nulls sort first, as in SQL Server.
    fn after(&mut self, keyset: &Keyset) -> Option<String> {
        let last = keyset.last.as_ref()?;
        let mut sql: Option<String> = None;
        for (key, value) in keyset.keys.iter().zip(last).rev() {
            let beyond = self.beyond(key, value.as_ref());
            sql = Some(match sql {
                None => beyond,
                Some(rest) => {
                    let name = name("t0", At::Here, key.column.name);
                    let equal = match value {
                        None => format!("{name} IS NULL"),
                        Some(value) => {
                            let value = self.bind(value.clone());
                            format!("{name} = {value}{}", collation(key.column))
                        }
                    };
                    format!("({beyond} OR ({equal} AND {rest}))")
                }
            });
        }
        sql
    }

    fn beyond(&mut self, key: &Key, value: Option<&Value>) -> String {
        let name = name("t0", At::Here, key.column.name);
        match (key.descending, value) {
            (false, None) => format!("{name} IS NOT NULL"),
            (true, None) => String::from("0"),
            (false, Some(value)) => {
                let value = self.bind(value.clone());
                format!("{name} > {value}{}", collation(key.column))
            }
            (true, Some(value)) => {
                let value = self.bind(value.clone());
                format!("({name} < {value}{} OR {name} IS NULL)", collation(key.column))
            }
        }
    }
}
