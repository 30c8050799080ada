//! Where one response of a server ends: at the end of a line that announces no literal. It must not know what is in it, and
//! keeps nothing that is larger than allowed, whatever is announced.

use bytes::{Bytes, BytesMut};

use super::token;

/// How much one response may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Its lines together, in bytes, without literals.
    pub(super) lines: usize,
    /// Its literals together, in bytes.
    pub(super) literals: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { lines: 1 << 20, literals: 64 << 20 }
    }
}

/// Cuts what arrives into responses.
#[derive(Debug, Default)]
pub(super) struct Frames {
    limits: Limits,
    buffer: BytesMut,
    /// Where the current line of the first response begins, and up to where it was searched for its end.
    line: usize,
    searched: usize,
    /// What the response has so far.
    lines: usize,
    literals: u64,
}

impl Frames {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether nothing is there, not even the beginning of a response.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Whatever arrived and belongs to no response yet.
    pub(super) fn take_rest(&mut self) -> Bytes {
        let rest = self.buffer.split().freeze();
        self.begin();
        rest
    }

    /// The next response with all its literals and line ends, if it is there whole.
    ///
    /// # Errors
    /// When it is larger than allowed. What comes after cannot be understood any more.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, String> {
        loop {
            // The octets of a literal may not be here yet.
            let Some(unsearched) = self.buffer.get(self.searched..) else { return Ok(None) };
            let end = memchr::memchr(b'\n', unsearched).map(|at| self.searched + at);
            let upto = end.unwrap_or(self.buffer.len());
            let line = self.buffer.get(self.line..upto).unwrap_or_default();
            let limit = self.limits.lines;
            if self.lines.saturating_add(line.len()) > limit {
                return Err(format!("it sends a line of more than {limit} bytes"));
            }
            let Some(end) = end else {
                self.searched = upto;
                return Ok(None);
            };
            let first = self.lines == 0;
            self.lines += line.len() + 1;
            let announced = token::announced(line).filter(|_| !first || has_data(line));
            let Some(length) = announced else {
                let response = self.buffer.split_to(end + 1).freeze();
                self.begin();
                return Ok(Some(response));
            };
            self.literals = self.literals.saturating_add(length);
            let fits =
                usize::try_from(length).ok().filter(|_| self.literals <= self.limits.literals);
            let Some(length) = fits else {
                let limit = self.limits.literals;
                return Err(format!(
                    "it announces {} bytes, at most {limit} are taken",
                    self.literals
                ));
            };
            self.line = end + 1 + length;
            self.searched = self.line;
        }
    }

    fn begin(&mut self) {
        (self.line, self.searched, self.lines, self.literals) = (0, 0, 0, 0);
    }
}

/// Whether the response that this line begins can hold literals. A sentence for people cannot, whatever it ends with.
fn has_data(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"* ") else { return false };
    let word = rest.split(|byte| *byte == b' ').next().unwrap_or_default();
    let sentences: [&[u8]; 5] = [b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"];
    !sentences.iter().any(|sentence| word.eq_ignore_ascii_case(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALOGUE: &str =
        "* OK ready {3}\r\n* 1 FETCH (A {4}\r\nx\r\ny B {2}\r\n\r\n)\r\n+ \r\nA1 NO [X] {1}\n";

    fn cut(pieces: &[&[u8]]) -> Vec<String> {
        let mut frames = Frames::new(Limits::default());
        let mut found = Vec::new();
        for piece in pieces {
            frames.push(piece);
            while let Some(frame) = frames.next().unwrap() {
                found.push(String::from_utf8(frame.to_vec()).unwrap());
            }
        }
        assert!(frames.is_empty());
        found
    }

    #[test]
    fn responses_are_the_same_however_they_arrive() {
        let expected = [
            "* OK ready {3}\r\n",
            "* 1 FETCH (A {4}\r\nx\r\ny B {2}\r\n\r\n)\r\n",
            "+ \r\n",
            "A1 NO [X] {1}\n",
        ];
        let bytes = DIALOGUE.as_bytes();
        assert_eq!(cut(&[bytes]), expected);
        assert_eq!(cut(&bytes.chunks(1).collect::<Vec<_>>()), expected);
        for at in 0..bytes.len() {
            assert_eq!(cut(&[&bytes[..at], &bytes[at..]]), expected, "cut at {at}");
        }
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_there() {
        let limits = Limits { lines: 100, literals: 1000 };
        for hostile in ["* 1 FETCH (BODY[] {1000000000}\r\n", "* X {600}\r\n"] {
            let mut frames = Frames::new(limits);
            frames.push(hostile.as_bytes());
            frames.push(&[b'a'; 600]);
            frames.push(b" {600}\r\n");
            assert!(frames.next().unwrap_err().contains("at most 1000"), "{hostile}");
        }
        let mut frames = Frames::new(limits);
        frames.push(&[b'a'; 101]);
        assert!(frames.next().unwrap_err().contains("more than 100"));
        // Many short lines with empty literals are one long line.
        let mut frames = Frames::new(limits);
        frames.push("* X ".as_bytes());
        for _ in 0..40 {
            frames.push(b"{0}\r\n");
        }
        assert!(frames.next().unwrap_err().contains("more than 100"));
    }
}
