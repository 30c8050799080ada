//! `FetchXML`: a user's filter reduced to ids and versions, and the pages of its answer. It must not know what the ids are for.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/page-results>

use quick_xml::XmlVersion;
use quick_xml::escape::escape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde_json::Value as Json;

use super::odata::{encode_query, percent_decode};
use crate::connector::{Error, ErrorKind, Result};

/// The most rows that the service puts on a page.
pub const PAGE: usize = 5000;

/// A query that can be asked for one page after the other.
#[derive(Clone, PartialEq)]
pub struct Fetch {
    entity: Node,
    distinct: bool,
}

/// A filter as it is given from outside is small; more is a mistake or an attack.
const LONGEST: usize = 256 << 10;
const DEEPEST: usize = 32;

impl Fetch {
    /// A user's filter on `table`, as a query for `columns`: conditions and links stay, columns and orders go, and the rows come
    /// in the order of their id, so that pages neither overlap nor leave gaps.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when it is no `FetchXML`, is about another table, or cannot be followed (`top`, `aggregate`).
    pub fn reduced(fetch_xml: &str, table: &str, id: &str, columns: &[&str]) -> Result<Self> {
        let refuse = |reason: &str| {
            Error::new(
                ErrorKind::Unsupported,
                format!("the {table} filter cannot be used: {reason}"),
            )
            .hint("a filter is FetchXML over one table, as an Advanced Find gives it")
        };
        let fetch = parse(fetch_xml).map_err(|reason| refuse(&reason))?;
        if fetch.name != "fetch" {
            return Err(refuse("it is no FetchXML"));
        }
        if fetch.attribute("top").is_some() || fetch.attribute("aggregate") == Some("true") {
            return Err(refuse("with top or aggregate it does not say which rows take part"));
        }
        let mut entities = fetch.children.into_iter().filter(|child| child.name == "entity");
        let (Some(entity), None) = (entities.next(), entities.next()) else {
            return Err(refuse("it does not name one table"));
        };
        if entity.attribute("name") != Some(table) {
            return Err(refuse("it is about another table"));
        }
        let entity = reduce(entity);
        // A link may find a row several times.
        let distinct = entity.children.iter().any(|child| child.name == "link-entity");
        Ok(Self::complete(entity, distinct, id, columns))
    }

    /// `columns` of the rows of `table` whose `column` is one of `values`.
    pub fn by_values(table: &str, id: &str, columns: &[&str], filter: Condition) -> Self {
        let entity = Node::new("entity").with("name", table).child(filter.0);
        Self::complete(entity, false, id, columns)
    }

    fn complete(mut entity: Node, distinct: bool, id: &str, columns: &[&str]) -> Self {
        let mut children: Vec<Node> =
            columns.iter().map(|column| Node::new("attribute").with("name", *column)).collect();
        children.push(Node::new("order").with("attribute", id));
        children.append(&mut entity.children);
        entity.children = children;
        Self { entity, distinct }
    }

    /// The same query with one more condition.
    #[must_use]
    pub fn and(mut self, condition: Condition) -> Self {
        self.entity.children.push(condition.0);
        self
    }

    /// The same query with columns of the row of another table that has the same value in `column`, if there is one. They are
    /// named `alias.column` in the answer.
    #[must_use]
    pub fn with_linked(mut self, table: &str, column: &str, alias: &str, columns: &[&str]) -> Self {
        let link = Node::new("link-entity")
            .with("name", table)
            .with("from", column)
            .with("to", column)
            .with("link-type", "outer")
            .with("alias", alias);
        let named = |column: &&str| Node::new("attribute").with("name", *column);
        self.entity.children.push(columns.iter().map(named).fold(link, Node::child));
        self
    }

    /// The path of a page, below the root of the Web API.
    pub fn path(&self, entity_set: &str, page: &Page) -> String {
        let of_page = [("count", PAGE.to_string()), ("page", page.number.to_string())];
        let cookie = page.cookie.as_ref().map(|cookie| ("paging-cookie", cookie.clone()));
        self.asked(entity_set, of_page.into_iter().chain(cookie))
    }

    /// The path of one row, whichever: to see whether the service takes the query.
    pub fn path_of_one(&self, entity_set: &str) -> String {
        self.asked(entity_set, [("top", "1".to_owned())])
    }

    /// The path of at most so many rows.
    pub fn path_of_first(&self, entity_set: &str, limit: usize) -> String {
        self.asked(entity_set, [("top", limit.clamp(1, PAGE).to_string())])
    }

    fn asked(
        &self,
        entity_set: &str,
        attributes: impl IntoIterator<Item = (&'static str, String)>,
    ) -> String {
        let distinct = self.distinct.then(|| ("distinct", "true".to_owned()));
        let fetch = Node::new("fetch").with("version", "1.0").with("mapping", "logical");
        let fetch = attributes
            .into_iter()
            .chain(distinct)
            .fold(fetch, |fetch, (name, value)| fetch.with(name, value));
        let mut xml = String::new();
        // The values that are asked for may be very many: they are not copied first.
        fetch.begin(&mut xml);
        xml.push('>');
        self.entity.write(&mut xml);
        xml.push_str("</fetch>");
        format!("{entity_set}?fetchXml={}", encode_query(&xml))
    }
}

impl std::fmt::Debug for Fetch {
    /// Values in conditions may be addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fetch({})", self.entity.attribute("name").unwrap_or_default())
    }
}

/// A `filter` element.
#[derive(Clone, PartialEq)]
pub struct Condition(Node);

impl Condition {
    /// `column` is one of `values`.
    pub fn is_in<T: Into<String>>(column: &str, values: impl IntoIterator<Item = T>) -> Self {
        let condition = Node::new("condition").with("attribute", column).with("operator", "in");
        let values = values.into_iter().map(|value| Node::new("value").text(value));
        Self(Node::new("filter").with("type", "and").child(values.fold(condition, Node::child)))
    }

    /// `column` is `value`.
    pub fn equals(column: &str, value: impl Into<String>) -> Self {
        Self::operator(column, "eq").with_value(value)
    }

    /// `column` begins with `value`, letter by letter.
    pub fn begins(column: &str, value: &str) -> Self {
        // Signs that stand for others in a pattern of SQL.
        let literal = value.chars().map(|c| match c {
            '%' | '_' | '[' => format!("[{c}]"),
            other => other.to_string(),
        });
        Self::operator(column, "begins-with").with_value(literal.collect::<String>())
    }

    /// A condition without a value, such as `eq-userid`.
    pub fn operator(column: &str, operator: &str) -> Self {
        let condition = Node::new("condition").with("attribute", column).with("operator", operator);
        Self(Node::new("filter").with("type", "and").child(condition))
    }

    /// Any of several.
    pub fn any(of: impl IntoIterator<Item = Self>) -> Self {
        let filter = Node::new("filter").with("type", "or");
        Self(of.into_iter().fold(filter, |filter, condition| filter.child(condition.0)))
    }

    /// All of several.
    pub fn all(of: impl IntoIterator<Item = Self>) -> Self {
        let filter = Node::new("filter").with("type", "and");
        Self(of.into_iter().fold(filter, |filter, condition| filter.child(condition.0)))
    }

    fn with_value(mut self, value: impl Into<String>) -> Self {
        if let Some(condition) = self.0.children.pop() {
            self.0.children.push(condition.with("value", value));
        }
        self
    }
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Condition")
    }
}

/// Which page to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    number: usize,
    cookie: Option<String>,
}

impl Page {
    pub fn first() -> Self {
        Self { number: 1, cookie: None }
    }

    /// The page after this one, by the annotations of the answer; `None` when it was the last.
    ///
    /// # Errors
    /// A sentence when the answer does not say clearly whether there is more, or leads back to a page that was seen.
    pub fn next(&self, answer: &Json, rows: usize) -> Result<Option<Self>, &'static str> {
        let more = match answer.get("@Microsoft.Dynamics.CRM.morerecords") {
            Some(Json::Bool(more)) => *more,
            Some(Json::String(more)) => more.eq_ignore_ascii_case("true"),
            Some(_) => return Err("the service does not say whether there are more pages"),
            None if rows < PAGE && answer.get("@odata.nextLink").is_none() => false,
            None => return Err("the service does not say whether there are more pages"),
        };
        if rows == 0 && self.number > 1 {
            return Err("the service promised more pages and gave nothing");
        }
        if !more {
            return Ok(None);
        }
        if rows == 0 {
            return Err("the service gave an empty page and promised more");
        }
        // Some queries come without a cookie; then the number of the page is all there is.
        let cookie = answer
            .get("@Microsoft.Dynamics.CRM.fetchxmlpagingcookie")
            .and_then(Json::as_str)
            .and_then(cookie);
        if cookie.is_some() && cookie == self.cookie {
            return Err("the service gave the same page again");
        }
        Ok(Some(Self { number: self.number + 1, cookie }))
    }
}

/// The attribute `pagingcookie` of the cookie element, which is encoded twice.
fn cookie(annotation: &str) -> Option<String> {
    let encoded = parse(annotation).ok()?.attribute("pagingcookie")?.to_owned();
    Some(percent_decode(&percent_decode(&encoded)))
}

fn reduce(mut node: Node) -> Node {
    node.children
        .retain(|child| !matches!(child.name.as_str(), "attribute" | "all-attributes" | "order"));
    node.children = node.children.into_iter().map(reduce).collect();
    node
}

/// An element.
#[derive(Clone, PartialEq)]
struct Node {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Node>,
    text: String,
}

impl Node {
    fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            attributes: Vec::new(),
            children: Vec::new(),
            text: String::new(),
        }
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.attributes.push((name.to_owned(), value.into()));
        self
    }

    fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What it begins with, up to its attributes.
    fn begin(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.extend([" ", name, "=\"", &escape(value.as_str()), "\""]);
        }
    }

    /// Bounded by [`DEEPEST`], which the reader checks.
    fn write(&self, out: &mut String) {
        self.begin(out);
        if self.children.is_empty() && self.text.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        out.push_str(&escape(self.text.as_str()));
        for child in &self.children {
            child.write(out);
        }
        out.extend(["</", &self.name, ">"]);
    }
}

/// Reads one element with all in it.
fn parse(xml: &str) -> Result<Node, String> {
    if xml.len() > LONGEST {
        return Err("it is too long".to_owned());
    }
    let mut reader = Reader::from_str(xml);
    let mut open: Vec<Node> = Vec::new();
    loop {
        let closed = match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) => {
                if open.len() >= DEEPEST {
                    return Err("it is nested too deeply".to_owned());
                }
                open.push(element(&tag)?);
                None
            }
            Event::Empty(tag) => Some(element(&tag)?),
            Event::End(_) => Some(open.pop().ok_or("it is not well-formed")?),
            Event::Text(text) => {
                append(&mut open, &text);
                None
            }
            Event::CData(text) => {
                append(&mut open, &text);
                None
            }
            Event::GeneralRef(name) => {
                let text = quick_xml::escape::unescape(&format!("&{};", &*name))
                    .map_err(|error| error.to_string())?
                    .into_owned();
                append(&mut open, &text);
                None
            }
            Event::DocType(_) => return Err("it declares a document type".to_owned()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => None,
            Event::Eof => return Err("it ends too early".to_owned()),
        };
        if let Some(mut node) = closed {
            node.text = node.text.trim().into();
            match open.last_mut() {
                Some(parent) => parent.children.push(node),
                None => return Ok(node),
            }
        }
    }
}

fn append(open: &mut [Node], text: &str) {
    if let Some(node) = open.last_mut() {
        node.text.push_str(text);
    }
}

fn element(tag: &BytesStart<'_>) -> Result<Node, String> {
    let mut node = Node::new(tag.name().into_inner());
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| error.to_string())?;
        node.attributes.push((attribute.key.into_inner().to_owned(), value.into_owned()));
    }
    Ok(node)
}

#[cfg(test)]
mod tests;
