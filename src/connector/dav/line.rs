//! The lines of a calendar text (RFC 5545 §3.1): unfolded to be looked at, and folded again where one was changed. All other
//! bytes stay as they are. It must not know what a line means, but for which component it is in.

use std::borrow::Cow;

use crate::connector::{Error, ErrorKind, Result};

/// Octets a line, without its end.
const LONGEST: usize = 75;

/// One unfolded line, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Line {
    name: Vec<u8>,
    /// Each as it is spelled, without the semicolon.
    parameters: Vec<Vec<u8>>,
    /// `None`: there is no colon outside of quotation marks.
    value: Option<Vec<u8>>,
}

impl Line {
    fn of(line: &[u8]) -> Self {
        let end = line.iter().position(|byte| matches!(byte, b':' | b';')).unwrap_or(line.len());
        let (name, mut rest) = line.split_at_checked(end).unwrap_or((line, &[]));
        let mut parameters = Vec::new();
        let mut value = None;
        while let Some((separator, after)) = rest.split_first() {
            if *separator == b':' {
                value = Some(after.to_owned());
                break;
            }
            let (parameter, next) =
                after.split_at_checked(end_of_parameter(after)).unwrap_or((after, &[]));
            parameters.push(parameter.to_owned());
            rest = next;
        }
        Self { name: name.trim_ascii().to_owned(), parameters, value }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Whether it has a value, as every line must.
    pub(super) fn is_whole(&self) -> bool {
        self.value.is_some()
    }

    pub(super) fn value(&self) -> &[u8] {
        self.value.as_deref().unwrap_or_default()
    }

    /// The values of a parameter, without quotation marks: one, unless the line breaks the rules.
    pub(super) fn parameter(&self, name: &str) -> Vec<Vec<u8>> {
        let values = self.parameters.iter().filter_map(|parameter| value_of(parameter, name));
        values.map(|value| value.iter().copied().filter(|byte| *byte != b'"').collect()).collect()
    }

    /// Takes a parameter away; whether it was there.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let before = self.parameters.len();
        self.parameters.retain(|parameter| value_of(parameter, name).is_none());
        self.parameters.len() < before
    }

    /// Sets a parameter to a word, as the last one.
    pub(super) fn set(&mut self, name: &str, word: &str) {
        self.remove(name);
        self.parameters.push(format!("{name}={word}").into_bytes());
    }

    /// The line as it is stored, folded, with its end.
    fn written(&self) -> Vec<u8> {
        let mut line = self.name.clone();
        for parameter in &self.parameters {
            line.push(b';');
            line.extend_from_slice(parameter);
        }
        line.push(b':');
        line.extend_from_slice(self.value());
        folded(&line)
    }
}

/// Up to the next separator that is not quoted.
fn end_of_parameter(text: &[u8]) -> usize {
    let mut is_quoted = false;
    let end = text.iter().position(|byte| {
        is_quoted ^= *byte == b'"';
        !is_quoted && matches!(byte, b':' | b';')
    });
    end.unwrap_or(text.len())
}

fn value_of<'a>(parameter: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let end = parameter.iter().position(|byte| *byte == b'=')?;
    let (found, value) = parameter.split_at_checked(end)?;
    found
        .trim_ascii()
        .eq_ignore_ascii_case(name.as_bytes())
        .then(|| value.get(1..).unwrap_or_default())
}

/// Splits a long line, never within a character.
fn folded(line: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(line.len() + line.len() / 25 + 2);
    let mut length = 0;
    for character in line.chunk_by(|_, next| next & 0xC0 == 0x80) {
        if length + character.len() > LONGEST {
            result.extend_from_slice(b"\r\n ");
            length = 1;
        }
        result.extend_from_slice(character);
        length += character.len();
    }
    result.extend_from_slice(b"\r\n");
    result
}

/// The lines of each event, task or entry, without those of the alarms in it.
pub(super) fn components(text: &[u8]) -> Vec<Vec<Line>> {
    let mut components = Vec::new();
    let mut place = Place::default();
    for raw in raw_lines(text) {
        let line = Line::of(&unfolded(raw));
        match place.step(&line) {
            Step::Began => components.push(Vec::new()),
            Step::Outside => {}
            Step::Inside => {
                if let Some(component) = components.last_mut() {
                    component.push(line);
                }
            }
        }
    }
    components
}

/// The text with other lines where `edit` gives one. Only lines of events, tasks and entries are shown to it, not those of alarms.
///
/// # Errors
/// What `edit` says; [`ErrorKind::Rejected`] for a text that another reader may split into other lines.
pub(super) fn edited(text: &[u8], edit: impl Fn(&Line) -> Result<Option<Line>>) -> Result<Vec<u8>> {
    let is_half = |pair: &[u8]| matches!(pair, [b'\r', next] if *next != b'\n');
    if text.windows(2).any(is_half) {
        return Err(Error::new(ErrorKind::Rejected, "the text has a line that ends only half"));
    }
    let mut result = Vec::with_capacity(text.len() + 256);
    let mut place = Place::default();
    for raw in raw_lines(text) {
        let line = Line::of(&unfolded(raw));
        let other = match place.step(&line) {
            Step::Inside => edit(&line)?,
            Step::Began | Step::Outside => None,
        };
        match other {
            Some(other) => result.extend_from_slice(&other.written()),
            None => result.extend_from_slice(raw),
        }
    }
    Ok(result)
}

/// Where in a text we are.
#[derive(Debug, Default)]
struct Place {
    /// How deep inside an event, task or entry; 1 is right in it.
    depth: u32,
}

enum Step {
    /// An event, task or entry begins here.
    Began,
    Inside,
    Outside,
}

impl Place {
    fn step(&mut self, line: &Line) -> Step {
        if line.is("BEGIN") {
            let name = line.value().trim_ascii();
            let is_outermost = self.depth == 0
                && [&b"VEVENT"[..], b"VTODO", b"VJOURNAL", b"VFREEBUSY", b"VPOLL"]
                    .iter()
                    .any(|known| name.eq_ignore_ascii_case(known));
            if is_outermost || self.depth > 0 {
                self.depth = self.depth.saturating_add(1);
            }
            return if is_outermost { Step::Began } else { Step::Outside };
        }
        if line.is("END") {
            self.depth = self.depth.saturating_sub(1);
            return Step::Outside;
        }
        if self.depth == 1 { Step::Inside } else { Step::Outside }
    }
}

/// Each line with its continuations and its end.
fn raw_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = 0;
        loop {
            let more = rest.get(end..).unwrap_or_default();
            let length =
                more.iter().position(|byte| *byte == b'\n').map_or(more.len(), |at| at + 1);
            end += length;
            if length == 0 || !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (line, after) = rest.split_at_checked(end)?;
        rest = after;
        (!line.is_empty()).then_some(line)
    })
}

fn unfolded(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut parts = raw.split_inclusive(|byte| *byte == b'\n').map(without_end);
    let mut line = Cow::Borrowed(parts.next().unwrap_or_default());
    for part in parts {
        line.to_mut().extend_from_slice(part.get(1..).unwrap_or_default());
    }
    if let Some(rest) = line.strip_prefix(b"\xef\xbb\xbf") {
        line = Cow::Owned(rest.to_owned());
    }
    line
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
