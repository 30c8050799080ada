//! `link-entity`: the joins of a fetch, with their aliases, read before anything that may refer to them.

use super::super::{At, Join, QueryError};
use super::{Node, column, plain_name, required, table};
use crate::sandbox::schema::{Column, Table};

/// Most `link-entity` elements
/// (<https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/join-tables>).
const MAX_LINKS: usize = 15;

/// All joins of a fetch: those of the same position belong together.
pub(super) struct Links<'a> {
    pub(super) joins: Vec<Join>,
    pub(super) nodes: Vec<&'a Node>,
    /// Alias of each join, and the other name that conditions may use if it was not chosen.
    aliases: Vec<(String, Option<String>)>,
    /// Links of all kinds, to number those without an alias.
    seen: usize,
}

impl<'a> Links<'a> {
    /// Reads the links below an `entity`.
    pub(super) fn read(entity: &'a Node, main: &'static Table) -> Result<Self, QueryError> {
        let mut links = Self { joins: Vec::new(), nodes: Vec::new(), aliases: Vec::new(), seen: 0 };
        links.below(entity, At::Here, main)?;
        Ok(links)
    }

    /// The join that a condition's `entityname` or a `valueof` means.
    pub(super) fn find(&self, name: &str) -> Result<(At, &'static Table), QueryError> {
        self.aliases
            .iter()
            .position(|(alias, other)| alias == name || other.as_deref() == Some(name))
            .and_then(|index| Some((At::Join(index), self.joins.get(index)?.table)))
            .ok_or_else(|| {
                QueryError::coded("0x8004110A", format!("The alias '{name}' does not exist."))
            })
    }

    /// The JSON property of a column that has no alias of its own.
    pub(super) fn property(&self, at: At, column: &Column) -> String {
        let alias = match at {
            At::Here => None,
            At::Join(index) => self.aliases.get(index).map(|(alias, _)| alias.as_str()),
        };
        plain_name(alias, column)
    }

    fn below(&mut self, node: &'a Node, at: At, parent: &'static Table) -> Result<(), QueryError> {
        for child in node.children.iter().filter(|child| child.name == "link-entity") {
            self.seen += 1;
            if self.seen > MAX_LINKS {
                return Err(QueryError::coded(
                    "0x8004430D",
                    "Number of link entities in query exceeded maximum limit.",
                ));
            }
            if is_join(child) {
                self.join(child, at, parent)?;
            }
        }
        Ok(())
    }

    fn join(&mut self, node: &'a Node, at: At, parent: &'static Table) -> Result<(), QueryError> {
        let target = table(required(node, "name")?)?;
        let outer = match node.attribute("link-type") {
            None | Some("inner") => false,
            Some("outer") => true,
            Some(other) => return Err(unsupported(other)),
        };
        let alias = match node.attribute("alias").filter(|alias| !alias.is_empty()) {
            Some(alias) => {
                check_alias(alias)?;
                (alias.to_owned(), None)
            }
            None => (format!("{}{}", target.logical, self.seen), Some(target.logical.to_owned())),
        };
        if self.aliases.iter().any(|(known, _)| *known == alias.0) {
            return Err(QueryError::coded(
                "0x80041109",
                format!("The alias '{}' is used more than once.", alias.0),
            ));
        }
        let index = self.joins.len();
        self.joins.push(Join {
            table: target,
            column: column(target, required(node, "from")?)?,
            parent: (at, column(parent, required(node, "to")?)?),
            outer,
            filter: None,
        });
        self.nodes.push(node);
        self.aliases.push(alias);
        self.below(node, At::Join(index), target)
    }
}

/// Whether the link adds to the row, rather than only limiting which rows there are.
pub(super) fn is_join(node: &Node) -> bool {
    !matches!(node.attribute("link-type"), Some("exists" | "in" | "any" | "not any"))
}

/// A refusal of a kind of link that is not known here.
pub(super) fn unsupported(link_type: &str) -> QueryError {
    QueryError::coded("0x80041117", format!("The link type '{link_type}' is not supported."))
}

/// Letters, digits, underscores and dots, not beginning with a digit or dot.
pub(super) fn check_alias(alias: &str) -> Result<(), QueryError> {
    let start = alias.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if start && alias.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')) {
        return Ok(());
    }
    Err(QueryError::coded(
        "0x80041109",
        format!(
            "Invalid character specified for alias: {alias}. Only characters within the ranges [A-Z], [a-z] or [0-9] or _ are allowed.  The first character may only be in the ranges [A-Z], [a-z] or _."
        ),
    ))
}
