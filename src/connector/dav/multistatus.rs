//! Reads what a DAV server answers to PROPFIND and REPORT (RFC 4918 §14.16, RFC 6578 §6.4), and the conditions it names when it
//! refuses (RFC 4918 §14.5). It must not know what was asked, or what the answer means.
//!
//! The answer is hostile until read: document types and entities beyond the five of XML are refused, never expanded; depth,
//! number of responses and size are bounded (the size by [`crate::connector::http::Limits`]). What is cut off is an error,
//! since half a listing would look like deletions. Properties count only when their `propstat` says that they were found.

use std::collections::BTreeSet;
use std::str;

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

use crate::connector::{Error, ErrorKind, Result, xml};

mod element;

use element::Element;

/// More than any collection that is of use holds; each costs some hundred bytes.
const RESPONSES_MAX: usize = 500_000;

/// The answers of servers nest about eight deep.
const DEPTH_MAX: usize = 32;

/// A whole answer.
#[derive(Debug, Default)]
pub struct Multistatus {
    pub responses: Vec<Response>,
    /// Where to go on, of a sync report.
    pub sync_token: Option<String>,
}

/// What is said of one resource.
#[derive(Debug, Default)]
pub struct Response {
    /// Usually one; a shared `status` may have several (RFC 4918 §14.24).
    pub hrefs: Vec<String>,
    /// The status of the resource as a whole: 404 of what is gone, 507 of a listing that goes on.
    pub status: Option<u16>,
    /// What was found.
    pub properties: Properties,
}

/// The properties we ask for, as they were spelled.
#[derive(Default)]
pub struct Properties {
    /// With its quotation marks.
    pub etag: Option<String>,
    pub content_type: Option<String>,
    /// `calendar-data` or `address-data`.
    pub data: Option<String>,
    pub display_name: Option<String>,
    pub sync_token: Option<String>,
    pub ctag: Option<String>,
    pub max_size: Option<u64>,
    /// `collection`, `calendar`, `addressbook`, `principal`, …
    pub kinds: BTreeSet<String>,
    /// `VEVENT`, `VTODO`, …; empty where the server does not say.
    pub components: BTreeSet<String>,
    /// Names of reports; `None` where the server does not say.
    pub reports: Option<BTreeSet<String>>,
    /// Names of privileges; `None` where the server does not say.
    pub privileges: Option<BTreeSet<String>>,
    pub principal: Option<String>,
    /// Where calendars or address books lie.
    pub homes: Vec<String>,
    /// By which addresses the user is invited.
    pub addresses: Vec<String>,
}

impl std::fmt::Debug for Properties {
    /// Keeps content out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Properties({:?}, {} bytes)",
            self.etag,
            self.data.as_ref().map_or(0, String::len)
        )
    }
}

impl Properties {
    /// Takes over what another `propstat` found.
    fn absorb(&mut self, other: Self) {
        self.etag = other.etag.or(self.etag.take());
        self.content_type = other.content_type.or(self.content_type.take());
        self.data = other.data.or(self.data.take());
        self.display_name = other.display_name.or(self.display_name.take());
        self.sync_token = other.sync_token.or(self.sync_token.take());
        self.ctag = other.ctag.or(self.ctag.take());
        self.max_size = other.max_size.or(self.max_size);
        self.kinds.extend(other.kinds);
        self.components.extend(other.components);
        self.reports = other.reports.or(self.reports.take());
        self.privileges = other.privileges.or(self.privileges.take());
        self.principal = other.principal.or(self.principal.take());
        self.homes.extend(other.homes);
        self.addresses.extend(other.addresses);
    }
}

/// Reads a `multistatus`.
///
/// # Errors
/// [`ErrorKind::Malformed`] for anything that is not one, whole and within the limits.
pub fn read(body: &[u8]) -> Result<Multistatus> {
    let mut state = State::default();
    walk(body, &mut state)?;
    if state.root == Some(Element::Multistatus) {
        return Ok(state.done);
    }
    Err(malformed("it is not a list of resources"))
}

/// Why a server refused.
#[derive(Debug, Default)]
pub struct Conditions {
    /// Without their namespace: `valid-sync-token`, `no-uid-conflict`, ….
    pub names: BTreeSet<String>,
    /// What stands in the way.
    pub hrefs: Vec<String>,
}

/// The conditions that an `error` names. What is no such text names none.
pub fn conditions(body: &[u8]) -> Conditions {
    let mut state = State::default();
    match walk(body, &mut state) {
        Ok(()) if state.root == Some(Element::Error) => state.conditions,
        _ => Conditions::default(),
    }
}

fn walk(body: &[u8], state: &mut State) -> Result<()> {
    let text = str::from_utf8(body).map_err(|_| malformed("it is not UTF-8"))?;
    let mut reader = NsReader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    loop {
        let event = reader.read_resolved_event();
        let (namespace, event) =
            event.map_err(|error| malformed("it is not XML").caused_by(error))?;
        match event {
            Event::Start(tag) => state.open(&namespace, &tag)?,
            Event::Empty(tag) => {
                state.open(&namespace, &tag)?;
                state.close()?;
            }
            Event::End(_) => state.close()?,
            Event::Text(text) => state.text(&text.xml10_content())?,
            Event::CData(text) => state.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let character = xml::character(&reference)
                    .ok_or_else(|| malformed("it uses an entity that XML does not have"))?;
                state.text(character.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) => return Err(malformed("it declares a document type")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return state.end(),
        }
    }
}

/// What was read so far.
#[derive(Default)]
struct State {
    done: Multistatus,
    root: Option<Element>,
    open: Vec<Element>,
    response: Response,
    /// Of the `propstat` that is open.
    found: Properties,
    status: Option<u16>,
    /// Of the innermost element whose text counts.
    text: String,
    conditions: Conditions,
}

impl State {
    fn open(&mut self, namespace: &ResolveResult<'_>, tag: &BytesStart<'_>) -> Result<()> {
        let local = tag.local_name();
        let local: &str = local.as_ref();
        let namespace = match namespace {
            ResolveResult::Bound(Namespace(name)) => name,
            ResolveResult::Unbound | ResolveResult::Unknown(_) => "",
        };
        let element = Element::named(namespace, local);
        match self.open.last() {
            None if self.root.is_some() => return Err(malformed("something follows its end")),
            None => self.root = Some(element),
            Some(parent) => self.below(*parent, element, local, tag),
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(malformed(&format!("it nests deeper than {DEPTH_MAX}")));
        }
        self.open.push(element);
        self.text.clear();
        Ok(())
    }

    fn below(&mut self, parent: Element, element: Element, local: &str, tag: &BytesStart<'_>) {
        match (parent, element) {
            (Element::Multistatus, Element::Response) => self.response = Response::default(),
            (Element::Response, Element::Propstat) => {
                self.found = Properties::default();
                self.status = None;
            }
            (Element::ResourceType, _) => {
                self.found.kinds.insert(local.to_owned());
            }
            (Element::Components, Element::Component) => {
                if let Ok(Some(name)) = tag.try_get_attribute("name") {
                    self.found.components.insert(name.value.to_ascii_uppercase());
                }
            }
            (_, Element::Reports) => self.found.reports = Some(BTreeSet::new()),
            (Element::Report, _) => {
                self.found.reports.get_or_insert_default().insert(local.to_owned());
            }
            (_, Element::Privileges) => self.found.privileges = Some(BTreeSet::new()),
            (Element::Privilege, _) => {
                self.found.privileges.get_or_insert_default().insert(local.to_owned());
            }
            (Element::Error, _) if self.open.len() == 1 => {
                self.conditions.names.insert(local.to_owned());
            }
            _ => {}
        }
    }

    fn text(&mut self, more: &str) -> Result<()> {
        match self.open.last() {
            Some(element) if element.has_text() => self.text.push_str(more),
            Some(_) => {}
            None if more.trim().is_empty() => {}
            None => return Err(malformed("text stands outside of it")),
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let Some(element) = self.open.pop() else { return Err(malformed("it ends too often")) };
        let parent = self.open.last().copied();
        match (parent, element) {
            (Some(Element::Multistatus), Element::Response) => {
                if self.done.responses.len() >= RESPONSES_MAX {
                    return Err(malformed(&format!("it has more than {RESPONSES_MAX} resources")));
                }
                self.done.responses.push(std::mem::take(&mut self.response));
            }
            (Some(Element::Response), Element::Propstat) => {
                let found = std::mem::take(&mut self.found);
                if self.status.is_some_and(|status| (200..300).contains(&status)) {
                    self.response.properties.absorb(found);
                }
            }
            (Some(Element::Response), Element::Status) => self.response.status = self.status_line(),
            (Some(Element::Propstat), Element::Status) => self.status = self.status_line(),
            (_, Element::Href) if self.root == Some(Element::Error) => {
                self.conditions.hrefs.push(self.word());
            }
            (Some(Element::Response), Element::Href) => self.response.hrefs.push(self.word()),
            (Some(Element::Principal), Element::Href) => self.found.principal = Some(self.word()),
            (Some(Element::Home), Element::Href) => self.found.homes.push(self.word()),
            (Some(Element::Addresses), Element::Href) => self.found.addresses.push(self.word()),
            (Some(Element::Multistatus), Element::SyncToken) => {
                self.done.sync_token = Some(self.word()).filter(|token| !token.is_empty());
            }
            (Some(Element::Prop), element) => self.property(element),
            _ => {}
        }
        Ok(())
    }

    fn property(&mut self, element: Element) {
        let word = || Some(self.text.trim().to_owned()).filter(|word| !word.is_empty());
        match element {
            Element::Etag => self.found.etag = word(),
            Element::ContentType => self.found.content_type = word(),
            Element::DisplayName => self.found.display_name = word(),
            Element::SyncToken => self.found.sync_token = word(),
            Element::Ctag => self.found.ctag = word(),
            Element::MaxSize => self.found.max_size = word().and_then(|word| word.parse().ok()),
            Element::Data => self.found.data = Some(std::mem::take(&mut self.text)),
            _ => {}
        }
    }

    fn word(&self) -> String {
        self.text.trim().to_owned()
    }

    /// The number in `HTTP/1.1 200 OK`.
    fn status_line(&self) -> Option<u16> {
        self.text.split_ascii_whitespace().nth(1)?.parse().ok()
    }

    fn end(&self) -> Result<()> {
        if self.root.is_some() && self.open.is_empty() {
            return Ok(());
        }
        Err(malformed("it breaks off"))
    }
}

fn malformed(reason: &str) -> Error {
    Error::new(ErrorKind::Malformed, format!("the answer of the server cannot be read: {reason}"))
}

#[cfg(test)]
mod tests;
