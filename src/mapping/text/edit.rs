//! Changes to a file's lines, written into its old bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Line, Text};

/// The longest physical line in octets, without its line end (RFC 5545 §3.1, RFC 6350 §3.2).
const FOLD_AT: usize = 75;

/// Changes to a [`Text`]. Lines are named by their index in it throughout: changes do not move each other.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    /// New content of a line.
    replaced: BTreeMap<usize, Line>,
    removed: BTreeSet<usize>,
    /// New lines before that of the index, in the order they were given.
    inserted: BTreeMap<usize, Vec<Line>>,
}

impl Edits {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn is_empty(&self) -> bool {
        self.replaced.is_empty() && self.removed.is_empty() && self.inserted.is_empty()
    }

    /// Puts another line in the place of one.
    pub fn replace(&mut self, index: usize, line: Line) {
        self.replaced.insert(index, line);
    }

    /// Takes lines out: one (`index..index + 1`) or a whole component.
    pub fn remove(&mut self, lines: Range<usize>) {
        self.removed.extend(lines);
    }

    /// Puts lines before the one at `index`, after those that were put there earlier.
    pub fn insert(&mut self, index: usize, lines: impl IntoIterator<Item = Line>) {
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_some() {
            self.inserted.entry(index).or_default().extend(lines);
        }
    }

    /// The new file. Lines that were not touched keep their bytes; without changes it is the old file.
    pub fn apply(&self, text: &Text<'_>) -> Vec<u8> {
        let line_end = text.line_end();
        let start = text.spans.first().map_or(text.bytes.len(), |span| span.range.start);
        let mut bytes = text.bytes.get(..start).unwrap_or_default().to_vec();
        // An old line that would take up whatever comes after it, but for the line it had.
        let mut open_before = None;
        for index in 0..=text.lines.len() {
            let inserted = self.inserted.get(&index).into_iter().flatten();
            let replaced = self.replaced.get(&index).filter(|_| !self.removed.contains(&index));
            for line in inserted.chain(replaced) {
                if open_before.take().is_some() {
                    bytes.extend_from_slice(line_end.as_bytes());
                }
                write_line(&mut bytes, line, line_end);
            }
            if replaced.is_some() || self.removed.contains(&index) {
                continue;
            }
            if open_before.take().is_some_and(|next| next != index) {
                bytes.extend_from_slice(line_end.as_bytes());
            }
            bytes.extend_from_slice(text.raw(index));
            open_before = text.is_open(index).then_some(index + 1);
        }
        bytes
    }
}

/// Lines as a new file, with CRLF.
pub fn render(lines: &[Line]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        write_line(&mut bytes, line, "\r\n");
    }
    bytes
}

fn write_line(bytes: &mut Vec<u8>, line: &Line, line_end: &str) {
    if line.is_quoted_printable() {
        write_quoted_printable(bytes, line, line_end);
        return;
    }
    let mut width = 0;
    let head = line.head();
    // A line end in a value would begin another line: it is written as TEXT has it.
    let value = line.value().replace("\r\n", "\\n").replace(['\r', '\n'], "\\n");
    let colon = if line.name().is_empty() { "" } else { ":" };
    for c in [head.as_ref(), colon, value.as_str()].into_iter().flat_map(str::chars) {
        if width + c.len_utf8() > FOLD_AT {
            bytes.extend_from_slice(line_end.as_bytes());
            bytes.push(b' ');
            width = 1;
        }
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        width += c.len_utf8();
    }
    bytes.extend_from_slice(line_end.as_bytes());
}

/// RFC 2045 §6.7, with soft line breaks instead of folding. The separators of structured values stay plain.
fn write_quoted_printable(bytes: &mut Vec<u8>, line: &Line, line_end: &str) {
    let head = line.head();
    bytes.extend_from_slice(head.as_bytes());
    bytes.push(b':');
    let mut width = head.len() + 1;
    let value = line.value().replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
    for byte in value.bytes() {
        // A blank that begins a line would be taken for folding and one that ends it gets lost on the way; a line must not
        // look like the BEGIN or END of a component.
        let plain = match byte {
            b' ' => (1..FOLD_AT - 1).contains(&width),
            b'B' | b'b' | b'E' | b'e' => width > 0 && width < FOLD_AT,
            b'=' => false,
            _ => byte.is_ascii_graphic(),
        };
        let token = if plain { char::from(byte).to_string() } else { format!("={byte:02X}") };
        if width + token.len() > FOLD_AT {
            bytes.push(b'=');
            bytes.extend_from_slice(line_end.as_bytes());
            width = 0;
        }
        bytes.extend_from_slice(token.as_bytes());
        width += token.len();
    }
    bytes.extend_from_slice(line_end.as_bytes());
}
