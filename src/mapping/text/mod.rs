//! Content lines: what iCalendar (RFC 5545 §3.1) and vCard (RFC 6350 §3, RFC 2426, vCard 2.1) are made of.
//!
//! A file is read into logical lines and a tree of components, and edited line by line *in the old bytes*: what is not
//! touched keeps every byte, also where it is not well-formed. This module decides how text is cut, unfolded, quoted and
//! escaped; it knows no property and no item.
//!
//! ```text
//! bytes ── parse ──▶ Text { lines, components } ── Edits ──▶ bytes
//! ```

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::{Unreadable, Unwritable};

mod edit;
mod line;
mod value;

#[cfg(test)]
mod tests;

pub use edit::{Edits, render};
pub use line::{Line, Param};
pub use value::{escape, escape_backslashes, join, list, split, unescape, unescape_separators};

/// How deep components may be nested.
pub const MAX_DEPTH: usize = 32;
/// How many bytes, logical lines and components one file may have.
pub const MAX_BYTES: usize = 64 << 20;
pub const MAX_LINES: usize = 500_000;
pub const MAX_COMPONENTS: usize = 50_000;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file, cut into logical lines and components. Lines are addressed by their index.
#[derive(Clone)]
pub struct Text<'a> {
    bytes: &'a [u8],
    spans: Vec<Span>,
    lines: Vec<Line>,
    components: Vec<Component>,
}

/// `BEGIN:NAME` to `END:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// In upper case.
    pub name: String,
    /// Indices of its lines, `BEGIN` and `END` included.
    pub lines: Range<usize>,
    /// The components in it, in the order of the file.
    pub children: Vec<Component>,
}

/// Why a file cannot be read as content lines, and where. Says nothing of what is in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Malformed {
    /// The physical line, from 1.
    pub line: usize,
    pub reason: &'static str,
}

/// Where a logical line stands in the file.
#[derive(Debug, Clone)]
struct Span {
    /// Its raw bytes, with folding and line end.
    range: Range<usize>,
    number: usize,
}

impl<'a> Text<'a> {
    /// Cuts a file into lines and components. Lines that are no content lines are kept, without a name.
    ///
    /// # Errors
    /// [`Malformed`] when `BEGIN` and `END` do not match up or the file exceeds the limits of this module.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_BYTES {
            return Err(Malformed { line: 1, reason: "the file is too long" });
        }
        let (mut spans, mut lines) = (Vec::new(), Vec::new());
        let mut rest = Physical::of(bytes);
        while let Some((span, content)) = rest.next_logical() {
            if lines.len() == MAX_LINES {
                return Err(Malformed { line: span.number, reason: "too many lines" });
            }
            lines.push(Line::parse(&content));
            spans.push(span);
        }
        let components = tree(&lines, &spans)?;
        Ok(Self { bytes, spans, lines, components })
    }

    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The components that are in no other.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// A line's own bytes, with folding and line end. Empty when there is no such line.
    pub fn raw(&self, index: usize) -> &'a [u8] {
        self.spans
            .get(index)
            .and_then(|span| self.bytes.get(span.range.clone()))
            .unwrap_or_default()
    }

    /// Whether a line is not finished: it has no line end, or ends in a soft line break that nothing follows.
    fn is_open(&self, index: usize) -> bool {
        let raw = self.raw(index);
        let broken = || self.lines.get(index).is_some_and(Line::is_quoted_printable);
        !raw.is_empty()
            && (!raw.ends_with(b"\n") || (broken() && raw.trim_ascii_end().ends_with(b"=")))
    }

    /// The physical line on which a logical line starts, from 1.
    pub fn number(&self, index: usize) -> usize {
        self.spans.get(index).map_or(0, |span| span.number)
    }

    /// The properties of a component itself, without those of its children, with their indices.
    pub fn properties(&self, component: &Component) -> impl Iterator<Item = (usize, &Line)> {
        let inside = component.lines.start.saturating_add(1)..component.lines.end.saturating_sub(1);
        let mut children = component.children.iter().peekable();
        inside
            .filter(move |index| {
                while children.next_if(|child| child.lines.end <= *index).is_some() {}
                children.peek().is_none_or(|child| !child.lines.contains(index))
            })
            .filter_map(|index| Some((index, self.lines.get(index)?)))
            .filter(|(_, line)| !line.name().is_empty())
    }

    /// The first property of this name (upper case) that a component has itself.
    pub fn property(&self, component: &Component, name: &str) -> Option<(usize, &Line)> {
        self.properties(component).find(|(_, line)| line.is(name))
    }

    /// The line end of the file: that of its first line, or CRLF.
    pub fn line_end(&self) -> &'static str {
        match self.bytes.iter().position(|byte| *byte == b'\n') {
            Some(at) if at == 0 || self.bytes.get(at - 1) != Some(&b'\r') => "\n",
            _ => "\r\n",
        }
    }
}

impl fmt::Debug for Text<'_> {
    /// Keeps content out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes, {} lines)", self.bytes.len(), self.lines.len())
    }
}

impl From<Malformed> for Unreadable {
    fn from(malformed: Malformed) -> Self {
        Self(malformed.to_string())
    }
}

impl From<Malformed> for Unwritable {
    fn from(malformed: Malformed) -> Self {
        Self(malformed.to_string())
    }
}

/// Pairs `BEGIN` and `END`, with a stack of its own instead of recursion.
fn tree(lines: &[Line], spans: &[Span]) -> Result<Vec<Component>, Malformed> {
    let mut roots = Vec::new();
    let mut open: Vec<Component> = Vec::new();
    let mut count = 0;
    for (index, (line, span)) in lines.iter().zip(spans).enumerate() {
        let fail = |reason| Err(Malformed { line: span.number, reason });
        let name = || line.value().trim().to_ascii_uppercase();
        if line.is("BEGIN") {
            count += 1;
            if count > MAX_COMPONENTS {
                return fail("too many components");
            }
            if open.len() == MAX_DEPTH {
                return fail("components are nested too deep");
            }
            open.push(Component { name: name(), lines: index..index, children: Vec::new() });
        } else if line.is("END") {
            let Some(mut done) = open.pop() else { return fail("END without BEGIN") };
            if done.name != name() {
                return fail("END of another component than the one that was begun");
            }
            done.lines.end = index + 1;
            open.last_mut().map_or(&mut roots, |parent| &mut parent.children).push(done);
        }
    }
    match open.last().and_then(|component| spans.get(component.lines.start)) {
        Some(begin) => Err(Malformed { line: begin.number, reason: "BEGIN without END" }),
        None => Ok(roots),
    }
}

/// What is still to be cut.
struct Physical<'a> {
    bytes: &'a [u8],
    at: usize,
    number: usize,
}

impl<'a> Physical<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let at = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Self { bytes, at, number: 1 }
    }

    /// The next line with all that continues it: lines that begin with a blank or tab (RFC 5545 §3.1), and those after a
    /// soft line break of quoted-printable (vCard 2.1). Joined as bytes, since a fold may split a character.
    fn next_logical(&mut self) -> Option<(Span, Cow<'a, [u8]>)> {
        let (start, number) = (self.at, self.number);
        let mut content = Cow::Borrowed(self.take_line()?);
        let mut quoted_printable = None;
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t') => {
                    let more = self.take_line().and_then(|line| line.get(1..)).unwrap_or_default();
                    content.to_mut().extend_from_slice(more);
                }
                Some(_) if content.ends_with(b"=") && !self.at_boundary() => {
                    let parse = || Line::parse(&content).is_quoted_printable();
                    if !*quoted_printable.get_or_insert_with(parse) {
                        break;
                    }
                    content.to_mut().pop();
                    let more = self.take_line().unwrap_or_default();
                    content.to_mut().extend_from_slice(more);
                }
                _ => break,
            }
        }
        Some((Span { range: start..self.at, number }, content))
    }

    /// One physical line without its end.
    fn take_line(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let end = rest.iter().position(|byte| *byte == b'\n');
        self.at += end.map_or(rest.len(), |end| end + 1);
        let mut line = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
        while let Some(shorter) = line.strip_suffix(b"\r") {
            line = shorter;
        }
        self.number += 1;
        Some(line)
    }

    /// Whether a component begins or ends here: text that was cut off in a soft line break must not swallow that.
    fn at_boundary(&self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        [b"END:".as_slice(), b"BEGIN:"].iter().any(|word| {
            rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        })
    }
}
