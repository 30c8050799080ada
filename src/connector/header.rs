//! The one header field that a mail store is searched for. The reader of whole messages knows the same rule; it is checked
//! against this one by a test.

use crate::connector::file;
use crate::model::Uid;

/// Longer names do not fit the CRM's column, and are replaced by a digest.
const LONGEST: usize = 250;

/// The normalised `Message-ID` of a message: what stands between the angle brackets of the first field that has any.
pub fn message_id(start: &[u8]) -> Option<Uid> {
    let mut value: Option<Vec<u8>> = None;
    for line in lines(start) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(b' ' | b'\t') = line.first() {
            if let Some(value) = &mut value {
                value.extend_from_slice(line);
            }
            continue;
        }
        if let Some(uid) = value.take().and_then(|value| normalised(&value)) {
            return Some(uid);
        }
        if line.is_empty() {
            return None;
        }
        value = field_value(line);
    }
    value.and_then(|value| normalised(&value))
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = memchr::memchr(b'\n', text);
        rest = end.and_then(|end| text.get(end + 1..));
        text.get(..end.unwrap_or(text.len()))
    })
}

fn field_value(line: &[u8]) -> Option<Vec<u8>> {
    // Most lines are told by their first sign.
    line.first().filter(|first| first.eq_ignore_ascii_case(&b'M'))?;
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = line.get(..colon)?.trim_ascii_end();
    name.eq_ignore_ascii_case(b"Message-ID")
        .then(|| line.get(colon + 1..).unwrap_or_default().to_vec())
}

fn normalised(value: &[u8]) -> Option<Uid> {
    let value = String::from_utf8_lossy(value);
    let inner = match value.split_once('<') {
        Some((_, after)) => after.split_once('>').map_or(after, |(id, _)| id),
        None => value.split('>').next().unwrap_or_default(),
    };
    if (1..=LONGEST).contains(&inner.len()) && inner.bytes().all(|byte| byte.is_ascii_graphic()) {
        // As nearly all of them are.
        return Some(Uid::new(inner));
    }
    let id: String = inner
        .chars()
        .filter(|character| !character.is_whitespace() && !character.is_control())
        .collect();
    if id.is_empty() {
        return None;
    }
    if id.encode_utf16().count() <= LONGEST {
        return Some(Uid::new(id));
    }
    Some(Uid::new(format!("{}@long.message-id", file::digest(id.as_bytes()))))
}
