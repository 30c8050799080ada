//! `$filter`: a recursive descent over its tokens, straight into a [`Filter`] whose columns and values fit the schema.
//!
//! <https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows>

use super::super::value::{self, Literal};
use super::super::{At, Compare, Filter, QueryError, Relation, Test, key, operator, property};
use super::Aliases;
use super::function;
use super::lexer::{self, Kind, Token};
use crate::sandbox::schema::{self, Column, Table};

/// How deep parentheses, `not` and lambdas may nest.
const MAX_DEPTH: usize = 64;
const NAMESPACE: &str = "Microsoft.Dynamics.CRM.";

/// Reads the whole text as one condition on the table.
pub(super) fn parse(
    table: &'static Table,
    text: &str,
    aliases: &Aliases,
) -> Result<Filter, QueryError> {
    let tokens = lexer::tokens(text, aliases)?;
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), text, depth: 0 };
    let filter = parser.any(&Subject { table, variable: None })?;
    match parser.tokens.peek() {
        None => Ok(filter),
        Some(_) => Err(parser.syntax()),
    }
}

/// What names in an expression belong to: the table itself, or a lambda's variable.
struct Subject {
    table: &'static Table,
    variable: Option<String>,
}

/// A path of names, resolved.
struct Path {
    /// The lookups that were followed, from the outside in.
    relations: Vec<Relation>,
    end: End,
}

enum End {
    Column(&'static Column),
    /// The name of a lambda operator behind a collection.
    Lambda {
        all: bool,
        inner: &'static Table,
    },
}

enum Operand {
    Literal(Literal),
    Path(Path),
}

struct Parser<'a> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    text: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self, subject: &Subject) -> Result<Filter, QueryError> {
        let first = self.all(subject)?;
        let mut parts = vec![first];
        while self.keyword("or") {
            parts.push(self.all(subject)?);
        }
        Ok(joined(parts, Filter::Any))
    }

    fn all(&mut self, subject: &Subject) -> Result<Filter, QueryError> {
        let first = self.unary(subject)?;
        let mut parts = vec![first];
        while self.keyword("and") {
            parts.push(self.unary(subject)?);
        }
        Ok(joined(parts, Filter::All))
    }

    fn unary(&mut self, subject: &Subject) -> Result<Filter, QueryError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(QueryError::odata("The expression is nested too deeply."));
        }
        let filter = if self.keyword("not") {
            Filter::Not(Box::new(self.unary(subject)?))
        } else if self.sign('(') {
            let inner = self.any(subject)?;
            self.expect(')')?;
            inner
        } else {
            self.predicate(subject)?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn predicate(&mut self, subject: &Subject) -> Result<Filter, QueryError> {
        let word = match self.tokens.peek() {
            Some(Token { kind: Kind::Word(word), .. }) => word.clone(),
            Some(Token { kind: Kind::Text(_), .. }) => String::new(),
            _ => return Err(self.syntax()),
        };
        match word.as_str() {
            "contains" => self.matching(subject, true, true),
            "startswith" => self.matching(subject, false, true),
            "endswith" => self.matching(subject, true, false),
            name if name.starts_with(NAMESPACE) => self.function(subject),
            _ => self.comparison(subject),
        }
    }

    /// `contains(name,'x')` and its like.
    fn matching(
        &mut self,
        subject: &Subject,
        before: bool,
        after: bool,
    ) -> Result<Filter, QueryError> {
        self.tokens.next();
        self.expect('(')?;
        let path = self.path(subject)?;
        self.expect(',')?;
        let Operand::Literal(Literal::Text(wanted)) = self.operand(subject)? else {
            return Err(self.syntax());
        };
        self.expect(')')?;
        let End::Column(column) = path.end else { return Err(self.syntax()) };
        if !matches!(column.kind, schema::Kind::Text { .. } | schema::Kind::Memo { .. }) {
            return Err(QueryError::odata(format!(
                "No function signature for the function matches the argument '{}' of type {}.",
                column.name,
                value::edm(column)
            )));
        }
        let test = Test::Like(operator::pattern(before, &wanted, after)?);
        Ok(within(path.relations, Filter::Test { at: At::Here, column, test }))
    }

    fn comparison(&mut self, subject: &Subject) -> Result<Filter, QueryError> {
        let left = self.operand(subject)?;
        if let Operand::Path(Path { relations, end: End::Lambda { all, inner } }) = left {
            return self.lambda(relations, all, inner);
        }
        let Some(Token { kind: Kind::Word(word), .. }) = self.tokens.next() else {
            return Err(self.syntax());
        };
        if word == "in" {
            return self.list(left, subject);
        }
        let compare = Compare::parse(&word).ok_or_else(|| self.syntax())?;
        match (left, self.operand(subject)?) {
            (Operand::Path(path), Operand::Literal(literal)) => is(path, compare, &literal),
            (Operand::Literal(literal), Operand::Path(path)) => {
                is(path, compare.flipped(), &literal)
            }
            (Operand::Path(left), Operand::Path(right)) => columns(&left, compare, &right),
            (Operand::Literal(_), Operand::Literal(_)) => {
                Err(QueryError::odata("A comparison needs a property on one of its sides."))
            }
        }
    }

    /// `x in (1,2)`
    fn list(&mut self, left: Operand, subject: &Subject) -> Result<Filter, QueryError> {
        let Operand::Path(Path { relations, end: End::Column(column) }) = left else {
            return Err(self.syntax());
        };
        self.expect('(')?;
        let mut values = Vec::new();
        loop {
            let Operand::Literal(literal) = self.operand(subject)? else {
                return Err(self.syntax());
            };
            values.push(typed(column, &literal, Compare::Equal)?);
            if !self.sign(',') {
                break;
            }
        }
        self.expect(')')?;
        let test = Test::In(values);
        Ok(within(relations, Filter::Test { at: At::Here, column, test }))
    }

    /// `collection/any(v:v/name eq 1)`, behind its name.
    fn lambda(
        &mut self,
        mut relations: Vec<Relation>,
        all: bool,
        inner: &'static Table,
    ) -> Result<Filter, QueryError> {
        self.expect('(')?;
        let Some(relation) = relations.pop() else { return Err(self.syntax()) };
        if !all && self.sign(')') {
            return Ok(within(relations, Filter::Related { relation, filter: None }));
        }
        let Some(Token { kind: Kind::Word(variable), .. }) = self.tokens.next() else {
            return Err(self.syntax());
        };
        self.expect(':')?;
        self.depth += 1;
        let body = self.any(&Subject { table: inner, variable: Some(variable) })?;
        self.depth -= 1;
        self.expect(')')?;
        let found = if all {
            // None that does not match.
            let body = Some(Box::new(Filter::Not(Box::new(body))));
            Filter::Not(Box::new(Filter::Related { relation, filter: body }))
        } else {
            Filter::Related { relation, filter: Some(Box::new(body)) }
        };
        Ok(within(relations, found))
    }

    /// `Microsoft.Dynamics.CRM.In(PropertyName='x',PropertyValues=['a','b'])`
    fn function(&mut self, subject: &Subject) -> Result<Filter, QueryError> {
        let Some(Token { kind: Kind::Word(word), .. }) = self.tokens.next() else {
            return Err(self.syntax());
        };
        let name = word.strip_prefix(NAMESPACE).unwrap_or_default();
        let operator = function::operator(name).ok_or_else(|| {
            QueryError::odata(format!("The query function '{word}' is not supported."))
        })?;
        self.expect('(')?;
        let mut column = None;
        let mut values = Vec::new();
        loop {
            let Some(Token { kind: Kind::Word(parameter), .. }) = self.tokens.next() else {
                return Err(self.syntax());
            };
            self.expect('=')?;
            match parameter.as_str() {
                "PropertyName" => column = Some(self.property_name(subject)?),
                "PropertyValue" | "PropertyValue1" | "PropertyValue2" => values.push(self.plain()?),
                "PropertyValues" => values.extend(self.array()?),
                _ => return Err(self.syntax()),
            }
            if !self.sign(',') {
                break;
            }
        }
        self.expect(')')?;
        let column = column.ok_or_else(|| self.syntax())?;
        let test = operator::test(operator, column, &values)?;
        Ok(Filter::Test { at: At::Here, column, test })
    }

    /// Query functions take the logical name, so a lookup is `ownerid`.
    fn property_name(&mut self, subject: &Subject) -> Result<&'static Column, QueryError> {
        let name = self.plain()?;
        match subject.table.column(&name) {
            Some(column) if column.read => Ok(column),
            _ => property(subject.table, &name),
        }
    }

    fn plain(&mut self) -> Result<String, QueryError> {
        match self.tokens.next() {
            Some(Token { kind: Kind::Text(text) | Kind::Word(text), .. }) => Ok(text),
            _ => Err(self.syntax()),
        }
    }

    fn array(&mut self) -> Result<Vec<String>, QueryError> {
        self.expect('[')?;
        let mut values = vec![self.plain()?];
        while self.sign(',') {
            values.push(self.plain()?);
        }
        self.expect(']')?;
        Ok(values)
    }

    fn operand(&mut self, subject: &Subject) -> Result<Operand, QueryError> {
        let literal = match self.tokens.peek() {
            Some(Token { kind: Kind::Text(text), .. }) => Literal::Text(text.clone()),
            Some(Token { kind: Kind::Word(word), .. }) => match word.as_str() {
                "null" => Literal::Null,
                "true" => Literal::Boolean(true),
                "false" => Literal::Boolean(false),
                other if value::is_literal(other) => Literal::Word(other.to_owned()),
                _ => return self.path(subject).map(Operand::Path),
            },
            _ => return Err(self.syntax()),
        };
        self.tokens.next();
        Ok(Operand::Literal(literal))
    }

    /// `name`, `lookup/name`, `variable/name`, `collection/any`.
    fn path(&mut self, subject: &Subject) -> Result<Path, QueryError> {
        let mut name = self.name()?;
        if let Some(variable) = &subject.variable {
            if name != *variable {
                return Err(QueryError::odata(format!(
                    "'{name}' does not belong to the range variable '{variable}'."
                )));
            }
            self.expect('/')?;
            name = self.name()?;
        }
        let mut table = subject.table;
        let mut relations = Vec::new();
        while self.sign('/') {
            let next = self.name()?;
            if let Some(collection) = table.collection(&name) {
                let all = match next.as_str() {
                    "any" => false,
                    "all" => true,
                    _ => return Err(self.syntax()),
                };
                let (inner, relation) = children(table, collection)?;
                relations.push(relation);
                return Ok(Path { relations, end: End::Lambda { all, inner } });
            }
            let relation = parent(table, &name)?;
            table = relation.table;
            relations.push(relation);
            name = next;
        }
        Ok(Path { relations, end: End::Column(property(table, &name)?) })
    }

    fn name(&mut self) -> Result<String, QueryError> {
        match self.tokens.next() {
            Some(Token { kind: Kind::Word(word), .. }) => Ok(word),
            _ => Err(self.syntax()),
        }
    }

    /// Takes the word if it is next.
    fn keyword(&mut self, word: &str) -> bool {
        self.tokens
            .next_if(|token| matches!(&token.kind, Kind::Word(found) if found == word))
            .is_some()
    }

    fn sign(&mut self, sign: char) -> bool {
        self.tokens.next_if(|token| token.kind == Kind::Sign(sign)).is_some()
    }

    fn expect(&mut self, sign: char) -> Result<(), QueryError> {
        if self.sign(sign) { Ok(()) } else { Err(self.syntax()) }
    }

    fn syntax(&mut self) -> QueryError {
        let end = self.text.chars().count();
        let position = self.tokens.peek().map_or(end, |token| token.position);
        QueryError::odata(format!("Syntax error at position {position} in '{}'.", self.text))
    }
}

fn joined(mut parts: Vec<Filter>, group: fn(Vec<Filter>) -> Filter) -> Filter {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            parts.push(last);
            group(parts)
        }
        (_, None) => group(parts),
    }
}

/// The condition, asked of what the lookups lead to.
fn within(relations: Vec<Relation>, filter: Filter) -> Filter {
    relations
        .into_iter()
        .rev()
        .fold(filter, |inner, relation| Filter::Related { relation, filter: Some(Box::new(inner)) })
}

fn is(path: Path, compare: Compare, literal: &Literal) -> Result<Filter, QueryError> {
    let End::Column(column) = path.end else {
        return Err(QueryError::odata("A collection cannot be compared."));
    };
    let test = match (literal, compare) {
        (Literal::Null, Compare::Equal) => Test::Null,
        (Literal::Null, Compare::NotEqual) => Test::NotNull,
        // Nothing is greater or less than null.
        (Literal::Null, _) => Test::Never,
        _ => Test::Is(compare, typed(column, literal, compare)?),
    };
    Ok(within(path.relations, Filter::Test { at: At::Here, column, test }))
}

fn columns(left: &Path, compare: Compare, right: &Path) -> Result<Filter, QueryError> {
    let (End::Column(one), End::Column(two)) = (&left.end, &right.end) else {
        return Err(QueryError::odata("A collection cannot be compared."));
    };
    if !left.relations.is_empty() || !right.relations.is_empty() {
        return Err(QueryError::odata("Only columns of the same row can be compared."));
    }
    if value::edm(one) != value::edm(two) {
        return Err(mismatch(value::edm(one), value::edm(two), compare));
    }
    Ok(Filter::Columns { left: (At::Here, one), compare, right: (At::Here, two) })
}

fn typed(column: &Column, literal: &Literal, compare: Compare) -> Result<value::Value, QueryError> {
    value::from_literal(column, literal)
        .ok_or_else(|| mismatch(value::edm(column), value::edm_literal(literal), compare))
}

fn mismatch(left: &str, right: &str, compare: Compare) -> QueryError {
    QueryError::odata(format!(
        "A binary operator with incompatible types was detected. Found operand types '{left}' and '{right}' for operator kind '{}'.",
        value::operator_kind(compare)
    ))
}

/// From a row to the row that a single-valued navigation property leads to.
fn parent(table: &'static Table, name: &str) -> Result<Relation, QueryError> {
    let unknown = || {
        QueryError::odata(format!(
            "Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{}'.",
            table.logical
        ))
    };
    let navigation = table.navigation(name).ok_or_else(unknown)?;
    // Of an owner's two tables the first is meant: users.
    let target = navigation.targets.first().and_then(|target| schema::table(target));
    let target = target.ok_or_else(unknown)?;
    let column = table.column(navigation.column).ok_or_else(unknown)?;
    Ok(Relation {
        table: target,
        column: key(target)?,
        parent: (At::Here, column),
        target: Some(target.logical),
    })
}

/// From a row to the rows of a collection.
fn children(
    table: &'static Table,
    collection: &'static schema::Collection,
) -> Result<(&'static Table, Relation), QueryError> {
    let unknown = || QueryError::odata(format!("'{}' cannot be queried.", collection.name));
    let inner = schema::table(collection.table).ok_or_else(unknown)?;
    let column = inner.column(collection.key).ok_or_else(unknown)?;
    let relation = Relation { table: inner, column, parent: (At::Here, key(table)?), target: None };
    Ok((inner, relation))
}
