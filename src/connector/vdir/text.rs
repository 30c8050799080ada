//! The little that a vdir must see of its files: which class, and the UID (RFC 5545 §3.1, RFC 6350 §3.2).

use std::borrow::Cow;

use crate::model::{Class, Uid};

/// The class of the first component or card that has one; `None` for what is neither.
pub(in crate::connector) fn class(bytes: &[u8]) -> Option<Class> {
    lines(bytes).find_map(|line| component_class(begin(line)?))
}

/// The UID of the first component or card of a class, unescaped; `None` where it has none.
pub(in crate::connector) fn uid(bytes: &[u8]) -> Option<Uid> {
    // How deep we are inside the component, alarms and the like being deeper.
    let mut depth = 0_u32;
    let mut rest = bytes;
    while !rest.is_empty() {
        let (line, after) = unfolded(rest);
        rest = after;
        if let Some(name) = begin(&line) {
            if depth > 0 || component_class(name).is_some() {
                depth += 1;
            }
        } else if starts_with(&line, b"END:") && depth > 0 {
            depth -= 1;
            if depth == 0 {
                return None;
            }
        } else if depth == 1
            && let Some(value) = uid_value(&line)
        {
            return Some(value);
        }
    }
    None
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).split(|byte| *byte == b'\n')
}

fn begin(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii_end().strip_prefix(b"\xef\xbb\xbf").unwrap_or(line.trim_ascii_end());
    starts_with(line, b"BEGIN:").then(|| line.get(6..)).flatten()
}

fn component_class(name: &[u8]) -> Option<Class> {
    [(&b"VEVENT"[..], Class::Appointment), (b"VTODO", Class::Task), (b"VCARD", Class::Contact)]
        .into_iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known))
        .map(|(_, class)| class)
}

fn starts_with(line: &[u8], word: &[u8]) -> bool {
    line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// The first content line with its continuations, and what follows it.
fn unfolded(bytes: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let (line, mut rest) = split_line(bytes);
    let mut line = Cow::Borrowed(line);
    while let Some(b' ' | b'\t') = rest.first() {
        let (more, after) = split_line(rest);
        line.to_mut().extend_from_slice(more.get(1..).unwrap_or_default());
        rest = after;
    }
    (line, rest)
}

fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let line = bytes.get(..end).unwrap_or_default();
    let rest = bytes.get(end.saturating_add(1)..).unwrap_or_default();
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

fn uid_value(line: &[u8]) -> Option<Uid> {
    let line = std::str::from_utf8(line).ok()?;
    let (name, value) = line.split_once(':')?;
    let name = name.split(';').next()?;
    // A vCard may group its properties: `item1.UID`.
    let name = name.rsplit('.').next()?;
    if !name.eq_ignore_ascii_case("UID") {
        return None;
    }
    let value = unescaped(value);
    let value = value.trim();
    (!value.is_empty()).then(|| Uid::new(value))
}

fn unescaped(value: &str) -> String {
    let mut result = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n' | 'N') => result.push('\n'),
                Some(other) => result.push(other),
                None => result.push('\\'),
            },
            other => result.push(other),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_uids() {
        let table: [(&str, Option<Class>, Option<&str>); 9] = [
            (
                "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:a\r\n",
                Some(Class::Appointment),
                Some("a"),
            ),
            (
                "\u{feff}begin:vcard\nitem1.UID;VALUE=text:urn:uuid:1\nend:vcard\n",
                Some(Class::Contact),
                Some("urn:uuid:1"),
            ),
            (
                "BEGIN:VCALENDAR\nUID:calendar\nBEGIN:VTODO\nBEGIN:VALARM\nUID:alarm\nEND:VALARM\nUID:a\\,b\n",
                Some(Class::Task),
                Some("a,b"),
            ),
            (
                "BEGIN:VEVENT\r\nUI\r\n D:long\r\n er\r\nEND:VEVENT\r\n",
                Some(Class::Appointment),
                Some("longer"),
            ),
            (
                "BEGIN:VEVENT\nEND:VEVENT\nBEGIN:VEVENT\nUID:second\n",
                Some(Class::Appointment),
                None,
            ),
            (
                "BEGIN:VEVENT\nDESCRIPTION:x\n BEGIN:VTODO\nUID:a\n",
                Some(Class::Appointment),
                Some("a"),
            ),
            ("BEGIN:VJOURNAL\nUID:a\nEND:VJOURNAL\n", None, None),
            ("UID:\u{1}", None, None),
            ("", None, None),
        ];
        for (text, expected, name) in table {
            assert_eq!(class(text.as_bytes()), expected, "{text}");
            assert_eq!(uid(text.as_bytes()), name.map(Uid::new), "{text}");
        }
    }
}
