//! `$expand`: which navigation properties to follow, with their own options in parentheses.

use super::super::{Expand, ExpandTo, Query, QueryError};
use super::{Aliases, read, unsupported};
use crate::sandbox::schema::{self, Navigation, Table};

/// Reads the list; every navigation property, at any depth, costs one of the budget.
pub(super) fn parse(
    table: &'static Table,
    text: &str,
    budget: &mut usize,
) -> Result<Vec<Expand>, QueryError> {
    let mut expands: Vec<Expand> = Vec::new();
    for item in split(text, ',')? {
        *budget = budget
            .checked_sub(1)
            .ok_or_else(|| QueryError::odata("The query has more than 15 $expand options."))?;
        let found = one(table, item.trim(), budget)?;
        if expands.iter().any(|expand| expand.name == found.name) {
            return Err(QueryError::odata(format!("'{}' is expanded more than once.", found.name)));
        }
        expands.push(found);
    }
    Ok(expands)
}

fn one(table: &'static Table, item: &str, budget: &mut usize) -> Result<Expand, QueryError> {
    let (name, inside) = match item.split_once('(') {
        None => (item, ""),
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(inside) => (name.trim_end(), inside),
            None => return Err(syntax(item)),
        },
    };
    let (name, reference) = match name.strip_suffix("/$ref") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let options = options(inside)?;
    if let Some(navigation) = table.navigation(name) {
        return single(table, navigation, reference, (&options, budget));
    }
    let unknown = || {
        QueryError::odata(format!(
            "Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{}'.",
            table.logical
        ))
    };
    let collection = table.collection(name).ok_or_else(unknown)?;
    if reference {
        return Err(QueryError::odata(
            "Expand with $ref is only supported on lookup type navigation property.",
        ));
    }
    let inner = schema::table(collection.table).ok_or_else(unknown)?;
    let key = inner.column(collection.key).ok_or_else(unknown)?;
    let query = read(inner, &options, &Aliases::new(), budget)?;
    Ok(Expand { name: name.to_owned(), to: ExpandTo::Many { key, query: Box::new(query) } })
}

fn single(
    table: &'static Table,
    navigation: &'static Navigation,
    reference: bool,
    (options, budget): (&[(String, String)], &mut usize),
) -> Result<Expand, QueryError> {
    let name = navigation.name.clone();
    let column = super::super::property(table, &format!("_{}_value", navigation.column))?;
    if reference {
        return match options {
            [] => {
                let targets = navigation.targets.clone();
                Ok(Expand { name, to: ExpandTo::Reference { column, targets } })
            }
            _ => Err(syntax(&name)),
        };
    }
    if let Some((option, _)) =
        options.iter().find(|(option, _)| !matches!(option.as_str(), "$select" | "$expand"))
    {
        return Err(QueryError::odata(format!(
            "The query option '{option}' can only be applied to a collection-valued navigation property."
        )));
    }
    // An owner is a user or a team: what only one of them has is read where it is.
    let mut queries: Vec<Query> = Vec::new();
    let mut refused = None;
    for target in navigation.targets.iter().filter_map(|target| schema::table(target)) {
        match read(target, options, &Aliases::new(), budget) {
            Ok(query) => queries.push(query),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    match refused {
        Some(error) if queries.is_empty() => Err(error),
        _ => Ok(Expand { name, to: ExpandTo::One { column, queries } }),
    }
}

/// `$select=a,b;$filter=…`
fn options(inside: &str) -> Result<Vec<(String, String)>, QueryError> {
    if inside.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut options = Vec::new();
    for part in split(inside, ';')? {
        let (name, value) = part.split_once('=').ok_or_else(|| syntax(part))?;
        let name = name.trim();
        match name {
            "$select" | "$filter" | "$orderby" | "$top" | "$expand" => {
                options.push((name.to_owned(), value.to_owned()));
            }
            _ => return Err(unsupported(name)),
        }
    }
    Ok(options)
}

/// Splits at a separator that stands neither in parentheses nor in quotes.
fn split(text: &str, separator: char) -> Result<Vec<&str>, QueryError> {
    let mut depth = 0_usize;
    let mut quoted = false;
    let parts = text
        .split(|c: char| {
            match c {
                '\'' => quoted = !quoted,
                '(' if !quoted => depth += 1,
                ')' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == separator && depth == 0 && !quoted
        })
        .collect();
    if depth == 0 && !quoted { Ok(parts) } else { Err(syntax(text)) }
}

fn syntax(text: &str) -> QueryError {
    QueryError::odata(format!("Term '{text}' is not valid in a $select or $expand expression."))
}
