//! A TOML text as a tree that remembers where each value was written, and one tree laid over another.
//! Knows no setting.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::{Error, Position, Result};

/// Where something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) layer: Layer,
    /// In bytes from the start of the layer's text; see [`position`].
    pub(super) offset: usize,
}

/// The texts that make up the configuration, the stronger one last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    Default,
    File,
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    /// Of the key, where the value has one.
    pub(super) place: Place,
}

/// What settings are made of.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Table(Table),
    List(Vec<Node>),
    Text(String),
    Number(i64),
    Flag(bool),
    /// A kind of TOML value that no setting takes, by its name.
    Other(&'static str),
}

pub(super) type Table = BTreeMap<String, Node>;

impl Value {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Table(_) => "a table",
            Self::List(_) => "a list",
            Self::Text(_) => "text",
            Self::Number(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::Other(kind) => kind,
        }
    }
}

impl fmt::Display for Node {
    /// As it could stand in the file, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::Text(text) => write!(f, "{}", toml::Value::String(text.clone())),
            Value::Number(number) => write!(f, "{number}"),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Other(kind) => f.write_str(kind),
            Value::List(nodes) => {
                let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", nodes.join(", "))
            }
            Value::Table(table) => {
                let pairs = table.iter().map(|(key, node)| format!("{key} = {node}"));
                write!(f, "{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// Reads a text.
///
/// # Errors
/// When it is not TOML: where, and what was expected there.
pub(super) fn parse(text: &str, file: &Path, layer: Layer) -> Result<Table> {
    let table = DeTable::parse(text).map_err(|error| {
        // Its message may go on with a picture of the line, which would show what stands there.
        let message = error.message().lines().next().unwrap_or_default();
        let start = error.span().unwrap_or_default().start;
        Error::new(file, format!("not TOML: {message}")).at(position(text, start))
    })?;
    Ok(Parser { layer }.table(table.get_ref()))
}

/// The line and column of an offset.
pub(super) fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    Position { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 }
}

/// Lays one tree over another: tables key by key, everything else whole.
pub(super) fn overlay(base: &mut Table, over: Table) {
    for (key, node) in over {
        match (base.get_mut(&key), node) {
            (
                Some(Node { value: Value::Table(base), place }),
                Node { value: Value::Table(over), place: stronger },
            ) => {
                *place = stronger;
                overlay(base, over);
            }
            (_, node) => {
                base.insert(key, node);
            }
        }
    }
}

struct Parser {
    layer: Layer,
}

impl Parser {
    fn table(&self, table: &DeTable<'_>) -> Table {
        let pairs = table.iter().map(|(key, value)| {
            let node = Node { value: self.value(value.get_ref()), place: self.place(&key.span()) };
            (key.get_ref().to_string(), node)
        });
        pairs.collect()
    }

    /// The parser bounds the depth.
    fn value(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::Table(table) => Value::Table(self.table(table)),
            DeValue::Array(nodes) => {
                let nodes = nodes.iter().map(|node| Node {
                    value: self.value(node.get_ref()),
                    place: self.place(&node.span()),
                });
                Value::List(nodes.collect())
            }
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => {
                let digits = i64::from_str_radix(number.as_str(), number.radix());
                digits.map_or(Value::Other("too large a number"), Value::Number)
            }
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Float(_) => Value::Other("a fraction"),
            DeValue::Datetime(_) => Value::Other("a date"),
        }
    }

    fn place(&self, span: &Range<usize>) -> Place {
        Place { layer: self.layer, offset: span.start }
    }
}
