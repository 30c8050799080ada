//! Takes away what a sender could use against the parser, before it sees the message. Measured on mail-parser 0.11:
//!
//! * Messages in messages become one value inside another; a million of them overflow the stack when they are dropped,
//!   and no panic can be caught then. Nobody reads them here: an attached message is a file. So their declared type is
//!   overwritten, byte for byte, and all offsets stay.
//! * A multipart without its boundary is searched to the end of the message, each time.
//! * Continued parameters (RFC 2231 §3) are joined in quadratic time.

use std::borrow::Cow;
use std::ops::Range;

use super::super::Unreadable;

/// What stands for `message` in a defused `Content-Type`.
pub(super) const INERT: &str = "xessage";

const MULTIPART_LIMIT: usize = 1000;
const FIELD_LIMIT: usize = 64 << 10;
const CONTINUATION_LIMIT: usize = 200;

/// The message with attached messages declared as plain files, and digests (RFC 2046 §5.1.5) as mixed parts.
///
/// # Errors
/// [`Unreadable`] when it is built like no real message.
pub(super) fn defuse(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Unreadable> {
    let mut result = Cow::Borrowed(bytes);
    let mut multiparts = 0;
    let mut start = 0;
    while start < bytes.len() {
        let line = line_at(bytes, start);
        let Some(name) = name_length(bytes.get(line.clone()).unwrap_or_default()) else {
            start = line.end;
            continue;
        };
        let end = field_end(bytes, line.end);
        let value = line.start.saturating_add(name)..end;
        let text = bytes.get(value.clone()).unwrap_or_default();
        let sections = text.split(|byte| *byte == b'*').count();
        if text.len() > FIELD_LIMIT || sections > CONTINUATION_LIMIT {
            return Err(Unreadable(
                "a part of the message is declared at absurd length".to_owned(),
            ));
        }
        if find(text, b"multipart", 0).is_some() {
            multiparts += 1;
        }
        if multiparts > MULTIPART_LIMIT {
            return Err(Unreadable(format!(
                "the message has more than {MULTIPART_LIMIT} multiparts"
            )));
        }
        let declared = declared_type(text);
        overwrite(&mut result, value.start, declared, b"message", INERT.as_bytes());
        overwrite(&mut result, value.start, declared, b"digest", b"mixed ");
        // The field's own continuations cannot begin another one.
        start = end;
    }
    Ok(result)
}

fn line_at(bytes: &[u8], start: usize) -> Range<usize> {
    let rest = bytes.get(start..).unwrap_or_default();
    let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
    start..start.saturating_add(length)
}

/// Behind the last line that continues the field whose first line ends here.
fn field_end(bytes: &[u8], mut end: usize) -> usize {
    while let Some(b' ' | b'\t') = bytes.get(end) {
        end = line_at(bytes, end).end;
    }
    end
}

/// The length of the name with its colon, if this line begins a field that declares a part. The parser overlooks colons
/// before a name and white space anywhere in it.
fn name_length(line: &[u8]) -> Option<usize> {
    let skipped = line
        .iter()
        .position(|byte| *byte != b':' && !byte.is_ascii_whitespace())
        .unwrap_or(line.len());
    let rest = line.get(skipped..)?;
    let colon = rest.iter().position(|byte| *byte == b':')?;
    let mut letters = rest.get(..colon)?.iter().filter(|byte| !byte.is_ascii_whitespace());
    let is_content = b"content-"
        .iter()
        .all(|expected| letters.next().is_some_and(|letter| letter.eq_ignore_ascii_case(expected)));
    is_content.then(|| skipped + colon + 1)
}

/// How much of the value may be taken for the type: up to the parameters if it is a plain `type/subtype`, else all of it.
fn declared_type(value: &[u8]) -> &[u8] {
    let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    let declared = value.get(..end).unwrap_or_default();
    let is_plain = declared.iter().all(|byte| {
        byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b"!#$&^_.+-/".contains(byte)
    });
    if is_plain { declared } else { value }
}

fn overwrite(result: &mut Cow<'_, [u8]>, offset: usize, text: &[u8], word: &[u8], by: &[u8]) {
    let mut from = 0;
    while let Some(found) = find(text, word, from) {
        let start = offset.saturating_add(found);
        if let Some(place) = result.to_mut().get_mut(start..start.saturating_add(word.len())) {
            place.copy_from_slice(by);
        }
        from = found + word.len();
    }
}

fn find(text: &[u8], word: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.windows(word.len()).position(|w| w.eq_ignore_ascii_case(word)).map(|found| from + found)
}
