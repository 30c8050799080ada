//! A small XML tree for FetchXML and paging cookies. It refuses document types and entities of one's own, and bounds size, depth and
//! number of elements.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

/// The longest document: what a URL inside `$batch` can carry.
const MAX_BYTES: usize = 65_536;
const MAX_DEPTH: usize = 64;
const MAX_ELEMENTS: usize = 10_000;

/// One element.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Node>,
    /// All text directly inside.
    pub(super) text: String,
}

impl Node {
    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The root element of a document, or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("The document is longer than {MAX_BYTES} bytes."));
    }
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Node> = Vec::new();
    let mut root: Option<Node> = None;
    let mut elements = 0_usize;
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        if matches!(event, Event::Start(_) | Event::Empty(_)) {
            elements += 1;
            if elements > MAX_ELEMENTS || open.len() >= MAX_DEPTH || root.is_some() {
                return Err(String::from("Too many, too deep or several root elements."));
            }
        }
        match event {
            Event::Start(start) => open.push(node(&start)?),
            Event::Empty(start) => close(node(&start)?, &mut open, &mut root),
            // The reader has checked that the names match.
            Event::End(_) => match open.pop() {
                Some(done) => close(done, &mut open, &mut root),
                None => return Err(String::from("An end tag without its start tag.")),
            },
            Event::Text(text) => add(&text.xml10_content(), &mut open)?,
            Event::CData(text) => add(&text.xml10_content(), &mut open)?,
            Event::GeneralRef(entity) => {
                let resolved = match entity.resolve_char_ref().map_err(|error| error.to_string())? {
                    Some(character) => character.to_string(),
                    None => resolve_predefined_entity(&entity.into_inner())
                        .map(str::to_owned)
                        .ok_or("Entities of one's own are not allowed.")?,
                };
                add(&resolved, &mut open)?;
            }
            Event::DocType(_) => return Err(String::from("A document type is not allowed.")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    match root {
        Some(root) if open.is_empty() => Ok(root),
        _ => Err(String::from("The document ends too early.")),
    }
}

fn node(start: &BytesStart<'_>) -> Result<Node, String> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| error.to_string())?;
        attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    let name = start.name().as_ref().to_owned();
    Ok(Node { name, attributes, children: Vec::new(), text: String::new() })
}

fn close(done: Node, open: &mut [Node], root: &mut Option<Node>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(done),
        None => *root = Some(done),
    }
}

fn add(text: &str, open: &mut [Node]) -> Result<(), String> {
    match open.last_mut() {
        Some(parent) => parent.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(String::from("Text outside the root element.")),
    }
    Ok(())
}
