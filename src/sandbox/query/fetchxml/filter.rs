//! `filter` and `condition`, and the links that are only conditions.

use super::super::{At, Compare, Filter, QueryError, Relation, operator, value};
use super::links::{self, Links};
use super::{Node, column, required, table};
use crate::sandbox::schema::Table;

/// Reads a `filter`. The depth is bounded by that of the document.
pub(super) fn read(
    links: &Links<'_>,
    node: &Node,
    own: &'static Table,
) -> Result<Filter, QueryError> {
    let mut parts = Vec::new();
    for child in &node.children {
        parts.push(match child.name.as_str() {
            "condition" => condition(links, child, own)?,
            "filter" => read(links, child, own)?,
            "link-entity" => related(links, child, own)?,
            other => return Err(QueryError::argument(format!("Unexpected element '{other}'."))),
        });
    }
    match node.attribute("type") {
        None | Some("and") => Ok(Filter::All(parts)),
        // An empty filter limits nothing, whatever its type.
        Some("or") if parts.is_empty() => Ok(Filter::All(parts)),
        Some("or") => Ok(Filter::Any(parts)),
        Some(other) => {
            Err(QueryError::argument(format!("The filter type '{other}' is not valid.")))
        }
    }
}

/// A link of type `exists`, `in`, `any` or `not any`: it asks for rows and shows none of them.
pub(super) fn related(
    links: &Links<'_>,
    node: &Node,
    own: &'static Table,
) -> Result<Filter, QueryError> {
    let target = table(required(node, "name")?)?;
    let relation = Relation {
        table: target,
        column: column(target, required(node, "from")?)?,
        parent: (At::Here, column(own, required(node, "to")?)?),
        target: None,
    };
    let mut parts = Vec::new();
    for child in &node.children {
        match child.name.as_str() {
            "filter" => parts.push(read(links, child, target)?),
            "link-entity" if !links::is_join(child) => parts.push(related(links, child, target)?),
            other => {
                return Err(QueryError::argument(format!(
                    "A link that is a condition cannot hold the element '{other}'."
                )));
            }
        }
    }
    let filter = (!parts.is_empty()).then(|| Box::new(Filter::All(parts)));
    let found = Filter::Related { relation, filter };
    match node.attribute("link-type") {
        Some("exists" | "in" | "any") => Ok(found),
        Some("not any") => Ok(Filter::Not(Box::new(found))),
        other => Err(links::unsupported(other.unwrap_or("inner"))),
    }
}

fn condition(links: &Links<'_>, node: &Node, own: &'static Table) -> Result<Filter, QueryError> {
    let (at, source) = match node.attribute("entityname") {
        None => (At::Here, own),
        Some(name) => links.find(name)?,
    };
    let column = column(source, required(node, "attribute")?)?;
    let operator = required(node, "operator")?;
    if let Some(other) = node.attribute("valueof") {
        return compared(links, (at, column), operator, (other, own));
    }
    let mut values: Vec<String> = Vec::new();
    for child in &node.children {
        if child.name != "value" {
            return Err(QueryError::argument(format!("Unexpected element '{}'.", child.name)));
        }
        values.push(child.text.clone());
    }
    if values.is_empty()
        && let Some(value) = node.attribute("value")
    {
        values.push(value.to_owned());
    }
    let test = operator::test(operator, column, &values)?;
    Ok(Filter::Test { at, column, test })
}

/// `valueof="column"` or `valueof="alias.column"`.
fn compared(
    links: &Links<'_>,
    left: (At, &'static crate::sandbox::schema::Column),
    operator: &str,
    (other, own): (&str, &'static Table),
) -> Result<Filter, QueryError> {
    let compare = Compare::parse(operator).ok_or_else(|| {
        QueryError::argument(format!("The operator '{operator}' cannot compare two columns."))
    })?;
    let right = match other.rsplit_once('.') {
        None => (At::Here, column(own, other)?),
        Some((alias, name)) => {
            let (at, source) = links.find(alias)?;
            (at, column(source, name)?)
        }
    };
    if value::edm(left.1) != value::edm(right.1) {
        return Err(QueryError::argument("The two columns of a condition have different types."));
    }
    Ok(Filter::Columns { left, compare, right })
}
