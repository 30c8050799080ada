//! The words of one response: atoms, strings, lists. Takes whatever a server may send: it never recurses, copies nothing, and
//! knows nothing of what the words mean.

use std::fmt;

use bytes::Bytes;

/// How deep lists may be nested. Real answers stay below ten.
const DEPTH: usize = 64;

/// How many words there is room for in an outer list at first: as many as are said of a message.
const WORDS: usize = 8;

/// One value.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word as it stands: a name, a number, a flag, `NIL`, `BODY[HEADER.FIELDS (FROM)]`.
    Atom(Bytes),
    /// A quoted string without its quotes, or a literal.
    Text(Bytes),
    List(Vec<Token>),
}

impl Token {
    /// What an atom or a text says, as long as it is UTF-8.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Atom(bytes) | Self::Text(bytes) => std::str::from_utf8(bytes).ok(),
            Self::List(_) => None,
        }
    }

    pub(super) fn number<T: std::str::FromStr>(&self) -> Option<T> {
        match self {
            Self::Atom(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            Self::Text(_) | Self::List(_) => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(inner) => Some(inner),
            Self::Atom(_) | Self::Text(_) => None,
        }
    }

    pub(super) fn is_atom(&self, name: &str) -> bool {
        matches!(self, Self::Atom(bytes) if bytes.eq_ignore_ascii_case(name.as_bytes()))
    }
}

impl fmt::Debug for Token {
    /// Keeps content out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Atom(bytes) => write!(f, "Atom({})", bytes.len()),
            Self::Text(bytes) => write!(f, "Text({})", bytes.len()),
            Self::List(inner) => write!(f, "List({})", inner.len()),
        }
    }
}

/// The values of a whole response from `start` on; its literals are in it.
///
/// # Errors
/// Why it cannot be read, without content.
pub(super) fn tokens(whole: &Bytes, start: usize) -> Result<Vec<Token>, &'static str> {
    let mut at = start;
    let mut open: Vec<Vec<Token>> = Vec::new();
    let mut current = Vec::new();
    while let Some(byte) = whole.get(at).copied() {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'(' => {
                if open.len() >= DEPTH {
                    return Err("lists are nested too deep");
                }
                let room = if open.is_empty() { WORDS } else { 0 };
                open.push(std::mem::replace(&mut current, Vec::with_capacity(room)));
                at += 1;
            }
            b')' => {
                let mut outer = open.pop().ok_or("a list ends that never began")?;
                outer.push(Token::List(std::mem::take(&mut current)));
                current = outer;
                at += 1;
            }
            b'"' => {
                let (text, end) = quoted(whole, at + 1)?;
                current.push(Token::Text(text));
                at = end;
            }
            b'{' | b'~' => {
                let (word, end) = literal_or_atom(whole, at)?;
                current.push(word);
                at = end;
            }
            _ => {
                let end = atom(whole, at);
                current.push(Token::Atom(whole.slice(at..end)));
                at = end;
            }
        }
    }
    if open.is_empty() { Ok(current) } else { Err("a list does not end") }
}

/// A quoted string from behind its first quote, and where it ends. Some servers put 8-bit text in: it is taken as it stands.
fn quoted(whole: &Bytes, start: usize) -> Result<(Bytes, usize), &'static str> {
    let mut escaped: Option<Vec<u8>> = None;
    let mut at = start;
    while let Some(byte) = whole.get(at).copied() {
        match byte {
            b'"' => {
                let text = escaped.map_or_else(|| whole.slice(start..at), Bytes::from);
                return Ok((text, at + 1));
            }
            b'\\' => {
                let sofar = || whole.get(start..at).unwrap_or_default().to_vec();
                let text = escaped.get_or_insert_with(sofar);
                text.extend(whole.get(at + 1).copied());
                at += 2;
            }
            b'\r' | b'\n' => break,
            _ => {
                if let Some(text) = &mut escaped {
                    text.push(byte);
                }
                at += 1;
            }
        }
    }
    Err("a quoted string does not end")
}

fn literal_or_atom(whole: &Bytes, start: usize) -> Result<(Token, usize), &'static str> {
    if let Some((octets, end)) = literal(whole, start) {
        let text = (end <= whole.len()).then(|| whole.slice(octets..end));
        return Ok((Token::Text(text.ok_or("a literal is cut off")?), end));
    }
    let end = atom(whole, start);
    Ok((Token::Atom(whole.slice(start..end)), end))
}

/// Where the octets of a literal that is announced here begin and end: `{5}`, `{5+}` (RFC 7888), `~{5}` (RFC 3516).
fn literal(whole: &Bytes, start: usize) -> Option<(usize, usize)> {
    let rest = whole.get(start..)?;
    let line = memchr::memchr(b'\n', rest)?;
    let length = announced(rest.get(..line)?)?;
    // Only what closes the line is an announcement.
    let octets = start + line + 1;
    let prefix = usize::from(rest.first() == Some(&b'~'));
    let alone = rest.get(prefix + 1..line)?.iter().all(|byte| !b"{ (\"".contains(byte));
    alone.then(|| (octets, octets.saturating_add(usize::try_from(length).unwrap_or(usize::MAX))))
}

/// How long a literal the end of a line announces, if it does.
pub(super) fn announced(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let inner = line.strip_suffix(b"}")?;
    let inner = inner.strip_suffix(b"+").unwrap_or(inner);
    let digits = inner.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, digits) = inner.split_at_checked(inner.len().checked_sub(digits)?)?;
    if digits.is_empty() || !before.ends_with(b"{") {
        return None;
    }
    // More digits than fit are more octets than anybody takes.
    Some(std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX))
}

/// Where an atom ends. What stands in the brackets of a section (`BODY[HEADER.FIELDS (FROM)]<0>`) belongs to it.
fn atom(whole: &Bytes, start: usize) -> usize {
    let rest = whole.get(start..).unwrap_or_default();
    let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'(' | b')' | b'"');
    let plain = rest.iter().position(ends).unwrap_or(rest.len());
    let head = rest.get(..plain).unwrap_or_default();
    let bracket = head.iter().position(|byte| *byte == b'[');
    let is_section = bracket.is_some_and(|bracket| {
        let name = head.get(..bracket).unwrap_or_default();
        let sections: [&[u8]; 3] = [b"BODY", b"BINARY", b"BINARY.SIZE"];
        sections.iter().any(|section| name.eq_ignore_ascii_case(section))
    });
    if !is_section || head.contains(&b']') {
        return start + plain.max(1);
    }
    let line = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let section = rest.get(..line).unwrap_or_default();
    match section.iter().position(|byte| *byte == b']') {
        Some(close) => {
            let after = rest.get(close..).unwrap_or_default();
            start + close + after.iter().position(ends).unwrap_or(after.len())
        }
        None => start + plain.max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, &'static str> {
        tokens(&Bytes::copy_from_slice(text.as_bytes()), 0).map(|found| show(&found))
    }

    fn show(tokens: &[Token]) -> String {
        let one = |token: &Token| match token {
            Token::Atom(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Token::Text(bytes) => format!("'{}'", String::from_utf8_lossy(bytes)),
            Token::List(inner) => format!("({})", show(inner)),
        };
        tokens.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn atoms_strings_literals_and_lists() {
        for (text, expected) in [
            ("UID 7 FLAGS (\\Seen $CrmTracked)", "UID 7 FLAGS (\\Seen $CrmTracked)"),
            ("\"a \\\"b\\\\\" \"\"", "'a \"b\\' ''"),
            ("BODY[] {5}\r\na\r\n) )", "BODY[] 'a\r\n) ' )"),
            ("X ~{3+}\r\n\0\u{1}\"", "X '\0\u{1}\"'"),
            ("BODY[HEADER.FIELDS (FROM TO)]<0> NIL", "BODY[HEADER.FIELDS (FROM TO)]<0> NIL"),
            ("(OIB-Seen-[Gmail]/All a[b {c) (()())", "(OIB-Seen-[Gmail]/All a[b {c) (() ())"),
            ("INTERNALDATE NIL", "INTERNALDATE NIL"),
            ("{x}\r\n~ {}", "{x} ~ {}"),
            ("", ""),
        ] {
            let read = read(text);
            if text.starts_with("BODY[] ") {
                assert!(read.is_err(), "the list that ends there never began");
            } else {
                assert_eq!(read.as_deref(), Ok(expected), "{text}");
            }
        }
        assert_eq!(read("(BODY[] {5}\r\na\r\n) )").as_deref(), Ok("(BODY[] 'a\r\n) ')"));
    }

    #[test]
    fn what_is_broken_is_said_and_what_is_deep_is_refused() {
        for (text, reason) in [
            ("(a", "a list does not end"),
            ("a)", "a list ends that never began"),
            ("\"a", "a quoted string does not end"),
            ("\"a\r\n\"", "a quoted string does not end"),
            ("\"\\", "a quoted string does not end"),
            ("{9}\r\nabc", "a literal is cut off"),
            ("{99999999999999999999}\r\n", "a literal is cut off"),
        ] {
            assert_eq!(read(text), Err(reason), "{text}");
        }
        assert!(read(&format!("{}{}", "(".repeat(64), ")".repeat(64))).is_ok());
        let deep = format!("{}{}", "(".repeat(400), ")".repeat(400));
        assert_eq!(read(&deep), Err("lists are nested too deep"));
    }

    #[test]
    fn any_part_of_a_response_is_read_or_refused() {
        let whole = "(UID 7 FLAGS (\\Seen) BODY[HEADER.FIELDS (\"A\" B)] {6}\r\na\r\n\"()x \"q\\\"\" [x ~{2}\r\n{})";
        for end in 0..whole.len() {
            for start in 0..end {
                let part = Bytes::copy_from_slice(&whole.as_bytes()[start..end]);
                // Whatever comes of it: it ends, and does not panic.
                drop(tokens(&part, 0));
            }
        }
        assert!(read(whole).is_ok(), "{:?}", read(whole));
    }

    #[test]
    fn the_end_of_a_line_announces_a_literal() {
        for (line, expected) in [
            ("* 1 FETCH (BODY[] {12}\r", Some(12)),
            ("{0}", Some(0)),
            ("~{7+}\r", Some(7)),
            ("{184467440737095516160}", Some(u64::MAX)),
            ("{}", None),
            ("{-1}", None),
            ("12}", None),
            ("{12} ", None),
            ("", None),
        ] {
            assert_eq!(announced(line.as_bytes()), expected, "{line:?}");
        }
    }
}
