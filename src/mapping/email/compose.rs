//! Writing a message. The same fields give the same bytes: the boundaries are made from the content, which also keeps
//! anybody from writing one into a body.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_builder::headers::Header;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::{BodyPart, MimePart};
use mail_parser::decoders::html::html_to_text;
use sha2::{Digest, Sha256};

use super::names;
use crate::model::{Attachment, Field, Fields, Uid, Value};

/// RFC 2045 §6.8.
const LINE: usize = 76;

/// A longer name of a picture is none.
const CONTENT_ID: usize = 200;

/// The message with this name that says this.
pub(super) fn message(uid: &Uid, fields: &Fields) -> Vec<u8> {
    let mut output = Vec::new();
    write(&mut output, "Message-ID", &MessageId::new(uid.as_str()));
    if let Some(Value::Moment(sent)) = fields.get(&super::SENTON) {
        write(&mut output, "Date", &Date::new(sent.as_second()));
    }
    for (name, field) in
        [("From", super::FROM), ("To", super::TO), ("Cc", super::CC), ("Bcc", super::BCC)]
    {
        if let Some(Value::People(people)) = fields.get(&field) {
            let people = people.iter().map(|person| {
                let name = (!person.name.is_empty()).then(|| person.name.clone());
                Address::new_address(name, person.address.as_str())
            });
            write(&mut output, name, &Address::new_list(people.collect()));
        }
    }
    if let Some(subject) = text(fields, &super::SUBJECT) {
        write(&mut output, "Subject", &Text::new(subject));
    }
    if let Some(answered) = text(fields, &super::INREPLYTO) {
        write(&mut output, "In-Reply-To", &MessageId::new(answered));
        write(&mut output, "References", &MessageId::new(answered));
    }
    if let Some(index) = text(fields, &super::CONVERSATIONINDEX) {
        write(&mut output, "Thread-Index", &Raw::new(index));
    }
    match fields.get(&super::PRIORITYCODE) {
        Some(Value::Number(0)) => write(&mut output, "Importance", &Raw::new("low")),
        Some(Value::Number(2)) => write(&mut output, "Importance", &Raw::new("high")),
        _ => {}
    }
    output.extend_from_slice(b"MIME-Version: 1.0\r\n");
    body(uid, fields).write_part(&mut output);
    output
}

fn write(output: &mut Vec<u8>, name: &str, value: &impl Header) {
    output.extend_from_slice(name.as_bytes());
    output.extend_from_slice(b": ");
    value.write_header(output, name.len() + 2);
}

fn text<'a>(fields: &'a Fields, field: &Field) -> Option<&'a str> {
    match fields.get(field) {
        Some(Value::Text(text) | Value::Cut(text)) => Some(text),
        _ => None,
    }
}

fn body<'a>(uid: &Uid, fields: &'a Fields) -> MimePart<'a> {
    let html = text(fields, &super::DESCRIPTION);
    let files = match fields.get(&super::ATTACHMENTS) {
        Some(Value::Attachments(files)) => files.as_slice(),
        _ => &[],
    };
    let boundary = boundary(uid, html.unwrap_or_default(), files);
    let (inline, files) = shown(html.unwrap_or_default(), files);
    let readable = html.map(|html| {
        let plain = MimePart::new("text/plain", html_to_text(html));
        let mut rich = MimePart::new("text/html", html);
        if !inline.is_empty() {
            let pictures = inline.into_iter().map(|(id, picture)| {
                file(picture, "inline").header("Content-ID", MessageId::new(id))
            });
            rich = multipart("related", &boundary, std::iter::once(rich).chain(pictures).collect());
        }
        multipart("alternative", &boundary, vec![plain, rich])
    });
    if files.is_empty() {
        return readable.unwrap_or_else(|| MimePart::new("text/plain", ""));
    }
    let files = files.into_iter().map(|attached| file(attached, "attachment"));
    multipart("mixed", &boundary, readable.into_iter().chain(files).collect())
}

/// The files that the text shows where it names them (`cid:picture.png` or `cid:picture.png@…`, RFC 2392), under that name, and
/// the others.
fn shown<'a>(
    html: &str,
    files: &'a [Attachment],
) -> (Vec<(String, &'a Attachment)>, Vec<&'a Attachment>) {
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    for rest in html.split("cid:").skip(1) {
        let id: String = rest
            .chars()
            .take_while(|c| c.is_ascii_graphic() && !"\"'<>()&;,\\".contains(*c))
            .take(CONTENT_ID)
            .collect();
        let name = id.split('@').next().unwrap_or_default().to_lowercase();
        if !name.is_empty() {
            named.entry(name).or_insert(id);
        }
    }
    let (mut inline, mut others) = (Vec::new(), Vec::new());
    for file in files {
        match named.remove(&file.filename.to_lowercase()) {
            Some(id) => inline.push((id, file)),
            None => others.push(file),
        }
    }
    (inline, others)
}

/// Different for each kind of multipart, none the start of another.
fn boundary(uid: &Uid, html: &str, files: &[Attachment]) -> String {
    let mut digest = Sha256::new();
    digest.update(uid.as_str());
    digest.update(html);
    for file in files {
        digest.update(&file.digest);
    }
    let digest = digest.finalize().first_chunk().copied().unwrap_or_default();
    format!("{:032x}", u128::from_be_bytes(digest))
}

fn multipart<'a>(kind: &str, boundary: &str, parts: Vec<MimePart<'a>>) -> MimePart<'a> {
    let header = ContentType::new(format!("multipart/{kind}"))
        .attribute("boundary", format!("{kind}-{boundary}"));
    MimePart::new(header, parts)
}

/// Base64 for everything, so that the bytes stay.
fn file<'a>(file: &'a Attachment, disposition: &'static str) -> MimePart<'a> {
    let mut lines = String::new();
    let encoded = STANDARD.encode(&file.bytes);
    let mut rest = encoded.as_str();
    while let Some((line, after)) = rest.split_at_checked(LINE) {
        lines.push_str(line);
        lines.push_str("\r\n");
        rest = after;
    }
    lines.push_str(rest);
    let mimetype = ContentType::new(names::wire_type(file)).attribute("name", &*file.filename);
    let disposition = ContentType::new(disposition).attribute("filename", &*file.filename);
    MimePart::new(mimetype, BodyPart::Binary(lines.into_bytes().into()))
        .header("Content-Disposition", disposition)
        .header("Content-Transfer-Encoding", Raw::new("base64"))
}
