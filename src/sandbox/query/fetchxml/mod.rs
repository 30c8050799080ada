//! FetchXML: the XML becomes a [`Query`]. It reads elements and attributes against the schema; what the operators of conditions mean is
//! decided in `operator`.
//!
//! <https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/reference>

use super::paging::{self, Paging};
use super::value;
use super::xml::{self, Node};
use super::{At, Count, Dialect, Filter, MAX_PAGE, Order, Output, Query, QueryError};
use crate::sandbox::schema::{self, Column, Table};
use links::Links;

mod filter;
mod links;
#[cfg(test)]
mod tests;

/// The query that the XML describes. Its table is the `entity`; whether that fits the address is for the caller to check.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    let fetch = xml::parse(text)
        .map_err(|reason| QueryError::argument(format!("Invalid XML: {reason}")))?;
    let entity = match fetch.children.as_slice() {
        [entity] if fetch.name == "fetch" && entity.name == "entity" => entity,
        _ => return Err(QueryError::argument("A 'fetch' holds exactly one 'entity'.")),
    };
    let table = table(required(entity, "name")?)?;
    let links = Links::read(entity, table)?;
    let aggregate = flag(&fetch, "aggregate")?;
    let distinct = flag(&fetch, "distinct")?;

    let mut parts = Parts { aggregate, ..Parts::default() };
    let own = parts.element(&links, entity, (At::Here, table))?;
    if parts.outputs.is_empty() && !aggregate {
        parts.outputs = super::all_columns(table);
    }
    let mut joins = links.joins.clone();
    for (index, (node, join)) in links.nodes.iter().zip(&mut joins).enumerate() {
        join.filter = parts.element(&links, node, (At::Join(index), join.table))?;
    }
    if !distinct && !aggregate {
        parts.key(table)?;
    }
    let top = positive(&fetch, "top")?;
    if top.is_some_and(|top| top > MAX_PAGE) {
        return Err(QueryError::argument("The 'top' attribute cannot exceed 5000."));
    }
    let paging = paging(&fetch)?;
    if top.is_some() && (paging.number.is_some() || paging.size.is_some()) {
        return Err(QueryError::argument("The 'top' attribute cannot be used with paging."));
    }
    if aggregate && parts.counts.is_empty() {
        return Err(QueryError::argument("An aggregate query needs an aggregate attribute."));
    }
    Ok(Query {
        table,
        outputs: parts.outputs,
        filter: own,
        joins,
        order: parts.order,
        top,
        distinct,
        total: flag(&fetch, "returntotalrecordcount")?,
        paging,
        expands: Vec::new(),
        counts: parts.counts,
        dialect: Dialect::FetchXml,
    })
}

/// What the elements of all sources add up to.
#[derive(Default)]
struct Parts {
    aggregate: bool,
    outputs: Vec<Output>,
    order: Vec<Order>,
    counts: Vec<Count>,
}

impl Parts {
    /// Reads the children of an `entity` or `link-entity`; its conditions come back.
    fn element(
        &mut self,
        links: &Links<'_>,
        node: &Node,
        (at, table): (At, &'static Table),
    ) -> Result<Option<Filter>, QueryError> {
        let mut filters = Vec::new();
        for child in &node.children {
            match child.name.as_str() {
                "attribute" => self.attribute(links, child, (at, table))?,
                "all-attributes" => {
                    for column in table.columns.iter().filter(|column| column.read) {
                        let name = links.property(at, column);
                        self.output(Output { at, table, column, name })?;
                    }
                }
                "order" => {
                    let column = column(table, required(child, "attribute")?)?;
                    let descending = flag(child, "descending")?;
                    self.order.push(Order { at, column, descending });
                }
                "filter" => filters.push(filter::read(links, child, table)?),
                "link-entity" if links::is_join(child) => {}
                "link-entity" => filters.push(filter::related(links, child, table)?),
                other => {
                    return Err(QueryError::argument(format!("Unexpected element '{other}'.")));
                }
            }
        }
        Ok((!filters.is_empty()).then_some(Filter::All(filters)))
    }

    fn attribute(
        &mut self,
        links: &Links<'_>,
        node: &Node,
        (at, table): (At, &'static Table),
    ) -> Result<(), QueryError> {
        let column = column(table, required(node, "name")?)?;
        let alias = node.attribute("alias");
        if let Some(alias) = alias {
            links::check_alias(alias)?;
        }
        if !self.aggregate {
            let name = alias.map_or_else(|| links.property(at, column), str::to_owned);
            return self.output(Output { at, table, column, name });
        }
        let alias = alias
            .ok_or_else(|| QueryError::coded("0x8004110B", "An aggregate needs an alias."))?
            .to_owned();
        let distinct = flag(node, "distinct")?;
        match node.attribute("aggregate") {
            Some("count") => self.counts.push(Count { alias, column: None, distinct: false }),
            Some("countcolumn") => {
                self.counts.push(Count { alias, column: Some((at, column)), distinct });
            }
            _ => {
                return Err(QueryError::coded(
                    "0x80041107",
                    "Only the aggregates 'count' and 'countcolumn' are supported.",
                ));
            }
        }
        Ok(())
    }

    fn output(&mut self, output: Output) -> Result<(), QueryError> {
        match self.outputs.iter().find(|known| known.name == output.name) {
            None => self.outputs.push(output),
            Some(known) if known.at == output.at && known.column.name == output.column.name => {}
            Some(known) => {
                return Err(QueryError::coded(
                    "0x80041109",
                    format!("The alias '{}' is used more than once.", known.name),
                ));
            }
        }
        Ok(())
    }

    /// The primary key comes along unasked.
    fn key(&mut self, table: &'static Table) -> Result<(), QueryError> {
        self.output(Output::plain(table, super::key(table)?))
    }
}

fn paging(fetch: &Node) -> Result<Paging, QueryError> {
    let cookie = fetch.attribute("paging-cookie").filter(|text| !text.is_empty());
    Ok(Paging {
        number: positive(fetch, "page")?,
        size: positive(fetch, "count")?,
        cookie: cookie.map(paging::from_attribute).transpose()?,
    })
}

fn table(name: &str) -> Result<&'static Table, QueryError> {
    schema::table(name).ok_or_else(|| {
        QueryError::coded(
            "0x80041102",
            format!(
                "The entity with a name = '{name}' with namemapping = 'Logical' was not found in the MetadataCache."
            ),
        )
    })
}

fn column(table: &'static Table, name: &str) -> Result<&'static Column, QueryError> {
    table.column(name).filter(|column| column.read).ok_or_else(|| {
        QueryError::coded(
            "0x80041103",
            format!(
                "'{}' entity doesn't contain attribute with Name = '{name}' and NameMapping = 'Logical'.",
                table.schema
            ),
        )
    })
}

fn required<'a>(node: &'a Node, name: &str) -> Result<&'a str, QueryError> {
    node.attribute(name).ok_or_else(|| {
        QueryError::argument(format!("The element '{}' needs the attribute '{name}'.", node.name))
    })
}

fn flag(node: &Node, name: &str) -> Result<bool, QueryError> {
    match node.attribute(name) {
        None => Ok(false),
        Some(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(QueryError::argument(format!("The attribute '{name}' is not a boolean."))),
        },
    }
}

fn positive(node: &Node, name: &str) -> Result<Option<u32>, QueryError> {
    let Some(text) = node.attribute(name) else { return Ok(None) };
    match text.parse::<u32>() {
        Ok(number) if number > 0 => Ok(Some(number)),
        _ => Err(QueryError::coded(
            "0x8004110C",
            format!("The attribute '{name}' must be a positive integer."),
        )),
    }
}

/// The name of a property when no alias is given.
fn plain_name(link: Option<&str>, column: &Column) -> String {
    match link {
        None => value::property_name(column),
        Some(alias) => format!("{alias}.{}", column.name),
    }
}
