//! Names in one form: of messages, people and files.

use sha2::{Digest, Sha256};

use super::body;
use crate::model::{Address, Attachment, Person, Uid, Value};

/// `messageid` and `inreplyto` hold 320 characters. Longer names are replaced by a digest, on every side alike.
const LONGEST_ID: usize = 250;

/// An address longer than a mail server may accept (RFC 5321 §4.5.3.1) is none.
const LONGEST_ADDRESS: usize = 320;

/// `conversationindex` holds this many characters.
const LONGEST_INDEX: usize = 2048;

/// `filename` of `activitymimeattachment`.
const LONGEST_FILE_NAME: usize = 255;

const EML: &str = ".eml";
const MESSAGE: &str = "message/rfc822";
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// The name of a message: what stands between the first angle brackets of the field, or all of it where there are none
/// (old and broken programs), without white space and control characters.
pub fn message_id(value: &str) -> Option<Uid> {
    let inner = match value.split_once('<') {
        Some((_, after)) => after.split_once('>').map_or(after, |(id, _)| id),
        None => value.split('>').next().unwrap_or_default(),
    };
    if (1..=LONGEST_ID).contains(&inner.len()) && inner.bytes().all(|b| b.is_ascii_graphic()) {
        // As nearly all of them are.
        return Some(Uid::new(inner));
    }
    let id: String = inner.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    if id.is_empty() {
        return None;
    }
    if id.encode_utf16().count() <= LONGEST_ID {
        return Some(Uid::new(id));
    }
    Some(Uid::new(format!("{}@long.message-id", half_digest(id.as_bytes()))))
}

/// All names in a field like `References`, in their order.
pub(super) fn message_ids(value: &str) -> Vec<Uid> {
    if value.contains('<') {
        value.split('<').skip(1).filter_map(|id| message_id(id.split('>').next()?)).collect()
    } else {
        value.split_whitespace().filter(|word| word.contains('@')).filter_map(message_id).collect()
    }
}

/// The name of a message that brought none, by what stays when servers add header fields and flags change.
pub(super) fn derived_id(date: &str, from: &str, subject: &str, body: &[u8]) -> Uid {
    let mut digest = Sha256::new();
    for text in [date, from, subject] {
        let words: Vec<&str> = text.split_whitespace().collect();
        digest.update(words.join(" "));
        digest.update([0]);
    }
    // Stores differ in line ends, and in how many of them end a file.
    for line in body.trim_ascii_end().split(|byte| *byte == b'\n') {
        digest.update(line.strip_suffix(b"\r").unwrap_or(line));
        digest.update([b'\n']);
    }
    Uid::new(format!("{}@no.message-id", hex(&digest.finalize())))
}

fn half_digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// 128 bits are enough to tell messages apart.
fn hex(digest: &[u8]) -> String {
    format!("{:032x}", u128::from_be_bytes(digest.first_chunk().copied().unwrap_or_default()))
}

/// `Thread-Index` as a value; `None` when it is not one.
pub(super) fn thread_index(value: &str) -> Option<Value> {
    let index: String = value.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    Value::text(&index).filter(|_| index.encode_utf16().count() <= LONGEST_INDEX)
}

/// Someone by name and address; `None` where that is no address a message can carry.
pub(super) fn person(name: &str, address: &str) -> Option<Person> {
    let address = Address::parse(address)?;
    let text = address.as_str();
    let plain = text.len() <= LONGEST_ADDRESS
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || is_special(c));
    // What looks like an encoded word (RFC 2047) within a name would be decoded once more by the next reader.
    let name = body::one_line(name);
    let name = if name.contains("=?") { name.replace("=?", "= ?") } else { name };
    // Some programs give the address as its own name.
    let name = if name.eq_ignore_ascii_case(text) { String::new() } else { name };
    plain.then_some(Person { name, address })
}

/// Whether an address that is no quoted text may not have it (RFC 5322 §3.2.3); the at sign it must have.
fn is_special(c: char) -> bool {
    matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | ':' | '\\' | '"')
}

/// A file under a name and type that both sides can hold.
pub(super) fn attachment(name: &str, mimetype: &str, bytes: Vec<u8>) -> Attachment {
    let name = file_name(name);
    let mimetype = media_type(mimetype);
    // A message cannot be attached as one with its bytes kept (RFC 2046 §5.2.1 forbids to encode it), so it travels as a
    // file that is known by its name.
    let is_message = name.to_ascii_lowercase().ends_with(EML);
    if is_message && mimetype == UNKNOWN_TYPE {
        Attachment::new(name, MESSAGE, bytes)
    } else if mimetype == MESSAGE && !is_message {
        Attachment::new(file_name(&format!("{name}{EML}")), MESSAGE, bytes)
    } else {
        Attachment::new(name, mimetype, bytes)
    }
}

/// The type a file is declared as within a message.
pub(super) fn wire_type(file: &Attachment) -> &str {
    if file.mimetype == MESSAGE { UNKNOWN_TYPE } else { &file.mimetype }
}

/// The last part of a file's name without what a file system may take for something else; the ending survives a cut.
fn file_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = body::one_line(name)
        .chars()
        .map(|c| if "<>:\"|?*".contains(c) { '_' } else { c })
        .collect();
    let name = name.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let name = if name.is_empty() { "attachment" } else { name };
    let length = name.encode_utf16().count();
    if length <= LONGEST_FILE_NAME {
        return name.to_owned();
    }
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let ending = if ending.len() <= 10 { format!(".{ending}") } else { String::new() };
    let mut left = LONGEST_FILE_NAME.saturating_sub(ending.encode_utf16().count());
    let stem: String = name
        .chars()
        .take_while(|c| {
            let fits = c.len_utf16() <= left;
            left = if fits { left - c.len_utf16() } else { 0 };
            fits
        })
        .collect();
    format!("{}{ending}", stem.trim_end_matches(|c: char| c == '.' || c.is_whitespace()))
}

/// `type/subtype` in lower case. What is called a multipart and is a file all the same, is of no known type.
fn media_type(text: &str) -> String {
    let text = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let token = |part: &str| {
        (1..=127).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
    };
    match text.split_once('/') {
        Some(("multipart", _)) | None => UNKNOWN_TYPE.to_owned(),
        Some((kind, subtype)) if token(kind) && token(subtype) => text,
        Some(_) => UNKNOWN_TYPE.to_owned(),
    }
}

/// The ending for a file without a name.
pub(super) fn ending(mimetype: &str) -> &'static str {
    match media_type(mimetype).as_str() {
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "image/gif" => "gif",
        "application/pdf" => "pdf",
        "text/plain" => "txt",
        "text/html" => "html",
        "text/calendar" => "ics",
        "text/vcard" | "text/x-vcard" => "vcf",
        MESSAGE | "message/global" => "eml",
        _ => "bin",
    }
}
