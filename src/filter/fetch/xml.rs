//! XML of bounded size and depth as a tree, and back in one spelling. Knows nothing of queries.

use std::collections::BTreeMap;
use std::fmt;

use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::Invalid;

const BYTES_MAX: usize = 64 * 1024;
const DEPTH_MAX: usize = 16;

/// An element. Attributes are kept by name, so that their order makes no difference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) children: Vec<Element>,
    /// All text directly inside, joined and trimmed.
    pub(super) text: String,
}

impl Element {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    #[must_use]
    pub(super) fn with(mut self, attribute: &str, value: &str) -> Self {
        self.attributes.insert(attribute.to_owned(), value.to_owned());
        self
    }

    #[must_use]
    pub(super) fn holding(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}", self.name)?;
        for (name, value) in &self.attributes {
            write!(f, " {name}=\"{}\"", written(value))?;
        }
        if self.children.is_empty() && self.text.is_empty() {
            return f.write_str("/>");
        }
        write!(f, ">{}", written(&self.text))?;
        self.children.iter().try_for_each(|child| write!(f, "{child}"))?;
        write!(f, "</{}>", self.name)
    }
}

/// A value with its escapes. Readers turn white space other than a blank into a blank unless it is escaped.
fn written(value: &str) -> String {
    escape(value).replace('\t', "&#9;").replace('\n', "&#10;").replace('\r', "&#13;")
}

/// Reads one element.
///
/// # Errors
/// [`Invalid`] when the text is too large or too deep, not well-formed, or brings a DTD of its own.
pub(super) fn parse(text: &str) -> Result<Element, Invalid> {
    if text.len() > BYTES_MAX {
        return Err(Invalid(format!("a filter has at most {} KiB", BYTES_MAX / 1024)));
    }
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root: Option<Element> = None;
    loop {
        match reader.read_event().map_err(broken)? {
            Event::Start(start) => {
                if open.len() >= DEPTH_MAX {
                    return Err(Invalid(format!("a filter is at most {DEPTH_MAX} levels deep")));
                }
                open.push(element(&start)?);
            }
            Event::Empty(start) => close(element(&start)?, &mut open, &mut root)?,
            Event::End(_) => {
                if let Some(closed) = open.pop() {
                    close(closed, &mut open, &mut root)?;
                }
            }
            Event::Text(text) => say(&text.xml_content(XmlVersion::Implicit1_0), &mut open)?,
            Event::CData(text) => say(&text.xml_content(XmlVersion::Implicit1_0), &mut open)?,
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(broken)?;
                let named = resolve_predefined_entity(&reference).map(str::to_owned);
                let Some(text) = character.map(String::from).or(named) else {
                    return Err(Invalid("an entity that XML does not know".to_owned()));
                };
                say(&text, &mut open)?;
            }
            Event::DocType(_) => return Err(Invalid("a filter has no DTD".to_owned())),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    match (open.last(), root) {
        (Some(element), _) => Err(Invalid(format!("`{}` is not closed", element.name))),
        (None, Some(root)) => Ok(root),
        (None, None) => Err(Invalid("there is no element".to_owned())),
    }
}

fn broken(error: impl fmt::Display) -> Invalid {
    Invalid(format!("not well-formed XML: {error}"))
}

fn element(start: &BytesStart<'_>) -> Result<Element, Invalid> {
    let mut element = Element::new(plain_name(start.name().as_ref())?);
    for attribute in start.attributes() {
        let attribute = attribute.map_err(broken)?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(broken)?;
        let name = plain_name(attribute.key.as_ref())?;
        element.attributes.insert(name.to_owned(), printable(&value)?.to_owned());
    }
    Ok(element)
}

/// Element and attribute names that queries use: letters, digits, `-` and `_`.
fn plain_name(name: &str) -> Result<&str, Invalid> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.bytes().all(plain) {
        Ok(name)
    } else {
        Err(Invalid("a name that queries do not use".to_owned()))
    }
}

/// XML 1.0 has no form for most control characters, escaped or not.
fn printable(text: &str) -> Result<&str, Invalid> {
    let control = |sign: char| sign.is_control() || matches!(sign, '\u{fffe}' | '\u{ffff}');
    if text.contains(|sign: char| control(sign) && !matches!(sign, '\t' | '\n' | '\r')) {
        return Err(Invalid("a control character in a value".to_owned()));
    }
    Ok(text)
}

fn say(text: &str, open: &mut [Element]) -> Result<(), Invalid> {
    match open.last_mut() {
        Some(element) => element.text.push_str(printable(text)?),
        None if text.trim().is_empty() => {}
        None => return Err(Invalid("text outside of the element".to_owned())),
    }
    Ok(())
}

fn close(
    mut closed: Element,
    open: &mut [Element],
    root: &mut Option<Element>,
) -> Result<(), Invalid> {
    closed.text = String::from(closed.text.trim());
    match open.last_mut() {
        Some(parent) => parent.children.push(closed),
        None if root.is_none() => *root = Some(closed),
        None => return Err(Invalid("more than one element".to_owned())),
    }
    Ok(())
}
