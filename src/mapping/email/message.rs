//! Reading a message. Whatever a sender may do to a parser, the outcome is a message or a reason.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::html::html_to_text;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{
    DateTime, Encoding, HeaderName, Message, MessageParser, MessagePart, MimeHeaders, PartType,
};

use super::super::{Context, Unreadable};
use super::defuse::{INERT, defuse};
use super::{body, names};
use crate::model::{Attachment, Content, Field, Fields, People, Person, Traits, Uid, Value};

/// Larger messages are not read.
const SIZE_LIMIT: usize = 64 << 20;

/// More parts than that serve no reader.
const PART_LIMIT: usize = 10_000;

/// A thread of more messages is found by its newest ones.
const REFERENCE_LIMIT: usize = 1000;

/// A longer field is read up to here.
const FIELD_LIMIT: usize = 1 << 20;

/// Whatever begins with none of these is something else that has a colon in a line.
const TELLTALE: [&str; 8] =
    ["From", "To", "Subject", "Date", "Message-ID", "Received", "MIME-Version", "Content-Type"];

/// Takes apart what [`head`] asks for; of other fields it only says where they stand.
static HEADS: LazyLock<MessageParser> = LazyLock::new(|| {
    MessageParser::new()
        .header_address(HeaderName::From)
        .header_address(HeaderName::To)
        .header_address(HeaderName::Cc)
        .header_address(HeaderName::Bcc)
        .header_text(HeaderName::Subject)
        .header_date(HeaderName::Date)
        .default_header_ignore()
});

/// RFC 2046 §5.2.1.
const MESSAGE: &str = "message/rfc822";

/// What a message says.
///
/// Of several `Message-ID` fields the first that holds something counts: it is what most programs show and answer to.
/// Categories stay empty, since the sender writes `Keywords`, and the user does not.
///
/// # Errors
/// [`Unreadable`] when it is no message, or too large, or built to break readers.
pub fn read_item(
    bytes: &[u8],
    marks: &BTreeSet<String>,
    context: &Context,
) -> Result<Content, Unreadable> {
    read(bytes, marks, context, |message, fields| {
        insert(fields, super::DESCRIPTION, description(message, bytes));
        insert(fields, super::ATTACHMENTS, attachments(message, bytes));
    })
}

/// As [`read_item`], but of the body only its plain text, and no files: what a message without one says is made from its HTML.
///
/// # Errors
/// As [`read_item`].
pub fn read_text(
    bytes: &[u8],
    marks: &BTreeSet<String>,
    context: &Context,
) -> Result<Content, Unreadable> {
    read(bytes, marks, context, |message, fields| {
        insert(fields, super::DESCRIPTION, plain_text(message, bytes));
    })
}

/// What the header says, and what is taken from the body.
fn read(
    bytes: &[u8],
    marks: &BTreeSet<String>,
    context: &Context,
    take: impl FnOnce(&Message<'_>, &mut Fields),
) -> Result<Content, Unreadable> {
    guarded(bytes, |defused| {
        let message = parse(defused)?;
        let mut whole = read_head(&message, bytes, marks, context)?;
        take(&message, &mut whole.fields);
        Ok(whole)
    })
}

fn parse(defused: &[u8]) -> Result<Message<'_>, Unreadable> {
    let message = MessageParser::default().parse(defused).ok_or_else(no_message)?;
    if message.parts.len() > PART_LIMIT {
        return Err(Unreadable(format!("the message has more than {PART_LIMIT} parts")));
    }
    Ok(message)
}

/// What the header of a message says: all but `description` and `attachments`, at a fraction of the cost.
///
/// `bytes` must be the whole message where it has no `Message-ID`, since its name is then made from the body too.
///
/// # Errors
/// As [`read_item`].
pub fn head(
    bytes: &[u8],
    marks: &BTreeSet<String>,
    context: &Context,
) -> Result<Content, Unreadable> {
    guarded(bytes, |defused| {
        let message = HEADS.parse_headers(defused).ok_or_else(no_message)?;
        read_head(&message, bytes, marks, context)
    })
}

fn guarded(
    bytes: &[u8],
    read: impl FnOnce(&[u8]) -> Result<Content, Unreadable>,
) -> Result<Content, Unreadable> {
    if bytes.len() > SIZE_LIMIT {
        return Err(Unreadable(format!("the message is larger than {} MiB", SIZE_LIMIT >> 20)));
    }
    let defused = defuse(bytes)?;
    catch_unwind(AssertUnwindSafe(|| read(&defused)))
        .unwrap_or_else(|_| Err(Unreadable("the message is too broken to be read".to_owned())))
}

fn no_message() -> Unreadable {
    Unreadable("not a message: it has no header".to_owned())
}

fn insert(fields: &mut Fields, field: Field, value: Option<Value>) {
    if let Some(value) = value {
        fields.insert(field, value);
    }
}

fn read_head(
    message: &Message<'_>,
    bytes: &[u8],
    marks: &BTreeSet<String>,
    context: &Context,
) -> Result<Content, Unreadable> {
    let header = Header { message, bytes };
    if !TELLTALE.iter().any(|name| header.raw(name).is_some()) {
        return Err(no_message());
    }
    let uid = header.uid();
    let answered = header.raw("In-Reply-To").map(|value| names::message_ids(&value));
    let answered = answered.unwrap_or_default();
    let from = header.people(&HeaderName::From).into_iter().next();
    let outgoing = from.as_ref().is_some_and(|person| super::is_me(context, &person.address));

    let bcc = if outgoing { header.people(&HeaderName::Bcc) } else { Vec::new() };
    let index = header.raw("Thread-Index").and_then(|index| names::thread_index(&index));
    let subject = message.subject().and_then(|text| Value::text(&body::one_line(text)));
    // In the order of their names, so that the map is built and not searched: there are very many messages.
    let fields = [
        (super::BCC, people(bcc)),
        (super::CC, people(header.people(&HeaderName::Cc))),
        (super::CONVERSATIONINDEX, index),
        (super::DIRECTIONCODE, Some(Value::Flag(outgoing))),
        (super::FROM, people(from)),
        (super::INREPLYTO, answered.first().and_then(|uid| Value::text(uid.as_str()))),
        (super::MESSAGEID, Value::text(uid.as_str())),
        (super::PRIORITYCODE, Some(Value::Number(header.priority()))),
        (super::SENTON, message.date().and_then(moment).map(Value::Moment)),
        (super::SUBJECT, subject),
        (super::TO, people(header.people(&HeaderName::To))),
    ];
    let fields = fields.into_iter().filter_map(|(field, value)| Some((field, value?))).collect();

    let newest_first = header.raw("References").map(|value| names::message_ids(&value));
    let newest_first = newest_first.unwrap_or_default().into_iter().rev();
    let mut seen = BTreeSet::new();
    let references = answered.into_iter().chain(newest_first);
    let references =
        references.filter(|uid| seen.insert(uid.clone())).take(REFERENCE_LIMIT).collect();
    let traits = Traits {
        categories: BTreeSet::new(),
        private: header.is_private(),
        marks: marks.clone(),
        references,
    };
    Ok(Content { uid, fields, traits })
}

struct Header<'a> {
    message: &'a Message<'a>,
    bytes: &'a [u8],
}

impl Header<'_> {
    /// The first field of that name as it stands there, unfolded by whoever splits it at white space.
    fn raw<'b>(&'b self, name: &'b str) -> Option<Cow<'b, str>> {
        self.raws(name).next()
    }

    fn raws<'b>(&'b self, name: &'b str) -> impl Iterator<Item = Cow<'b, str>> {
        let headers = self.message.parts.first().map(|part| part.headers.as_slice());
        headers
            .unwrap_or_default()
            .iter()
            .filter(move |header| header.name.as_str().eq_ignore_ascii_case(name))
            .map(|header| {
                let start = header.offset_start as usize;
                let end = start.saturating_add(FIELD_LIMIT).min(header.offset_end as usize);
                String::from_utf8_lossy(self.bytes.get(start..end).unwrap_or_default())
            })
            .filter(|value| !value.trim().is_empty())
    }

    fn uid(&self) -> Uid {
        self.message_id().unwrap_or_else(|| {
            let field = |name| self.raw(name).unwrap_or_default();
            let headers = self.message.parts.first().map(|part| part.headers.as_slice());
            let end = headers.and_then(<[_]>::last).map_or(0, |last| last.offset_end as usize);
            let body = self.bytes.get(end..).unwrap_or_default().trim_ascii_start();
            names::derived_id(&field("Date"), &field("From"), &field("Subject"), body)
        })
    }

    fn message_id(&self) -> Option<Uid> {
        self.raws("Message-ID").find_map(|value| names::message_id(&value))
    }

    fn people(&self, name: &HeaderName<'_>) -> Vec<Person> {
        let headers = self.message.parts.first().map(|part| part.headers.as_slice());
        headers
            .unwrap_or_default()
            .iter()
            .filter(|header| header.name == *name)
            .filter_map(|header| header.value.as_address())
            .flat_map(|list| list.iter())
            .filter_map(|one| {
                names::person(one.name().unwrap_or_default(), one.address().unwrap_or_default())
            })
            .collect()
    }

    /// RFC 2156 §5.3.6 `Importance` and `Priority`, and what Outlook made of them.
    fn priority(&self) -> i64 {
        ["Importance", "X-Priority", "X-MSMail-Priority", "Priority"]
            .iter()
            .filter_map(|name| self.raw(name))
            .find_map(|value| {
                let word = value.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
                match word.as_str() {
                    "high" | "1" | "2" | "urgent" => Some(2),
                    "normal" | "3" | "medium" => Some(super::NORMAL),
                    "low" | "4" | "5" | "non-urgent" => Some(0),
                    _ => None,
                }
            })
            .unwrap_or(super::NORMAL)
    }

    /// RFC 2156 §5.3.4.
    fn is_private(&self) -> bool {
        self.raw("Sensitivity").is_some_and(|value| {
            ["personal", "private", "company-confidential"]
                .contains(&value.trim().to_ascii_lowercase().as_str())
        })
    }
}

fn people(people: impl IntoIterator<Item = Person>) -> Option<Value> {
    people.into_iter().collect::<People>().value()
}

/// `None` for a date that is none, like 30 February.
fn moment(date: &DateTime) -> Option<Timestamp> {
    let small = |number: u8| i8::try_from(number).ok();
    let civil = civil::DateTime::new(
        i16::try_from(date.year).ok().filter(|year| *year >= 1900)?,
        small(date.month)?,
        small(date.day)?,
        small(date.hour)?,
        small(date.minute)?,
        // A leap second.
        small(date.second.min(59))?,
        0,
    );
    let sign = if date.tz_before_gmt { -1 } else { 1 };
    let offset = sign * (i32::from(date.tz_hour) * 3600 + i32::from(date.tz_minute) * 60);
    jiff::tz::Offset::from_seconds(offset).ok()?.to_timestamp(civil.ok()?).ok()
}

/// The bodies meant to be read, as HTML, in their order.
fn description(message: &Message<'_>, bytes: &[u8]) -> Option<Value> {
    let bodies: Vec<String> = message
        .html_body
        .iter()
        .filter_map(|id| message.part(*id))
        .filter_map(|part| match &part.body {
            PartType::Html(_) => Some(body::clean(&text(part, bytes))),
            PartType::Text(_) => Some(body::from_text(&text(part, bytes))),
            PartType::Binary(_)
            | PartType::InlineBinary(_)
            | PartType::Message(_)
            | PartType::Multipart(_) => None,
        })
        .filter(|html| !html.trim().is_empty())
        .collect();
    Value::text(&bodies.join("<br>\n"))
}

/// The bodies meant to be read by programs that know no HTML, in their order.
fn plain_text(message: &Message<'_>, bytes: &[u8]) -> Option<Value> {
    let bodies: Vec<String> = message
        .text_body
        .iter()
        .filter_map(|id| message.part(*id))
        .filter_map(|part| match &part.body {
            PartType::Text(_) => Some(body::from_text(&text(part, bytes))),
            PartType::Html(_) => Some(body::from_text(&html_to_text(&text(part, bytes)))),
            PartType::Binary(_)
            | PartType::InlineBinary(_)
            | PartType::Message(_)
            | PartType::Multipart(_) => None,
        })
        .filter(|text| !text.trim().is_empty())
        .collect();
    Value::text(&bodies.join("<br>\n"))
}

/// The text of a part, read from the message as it is: the parser has seen a defused one.
fn text(part: &MessagePart<'_>, bytes: &[u8]) -> String {
    let bytes = file(part, bytes);
    let charset = part.content_type().and_then(|found| found.attribute("charset"));
    match charset.and_then(|charset| charset_decoder(charset.as_bytes())) {
        Some(decode) => decode(&bytes),
        None => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

fn attachments(message: &Message<'_>, bytes: &[u8]) -> Option<Value> {
    let mut files: Vec<Attachment> = message
        .attachments
        .iter()
        .filter_map(|id| message.part(*id))
        .enumerate()
        .map(|(index, part)| attachment(part, index, bytes))
        .collect();
    files.sort();
    (!files.is_empty()).then_some(Value::Attachments(files))
}

fn attachment(part: &MessagePart<'_>, index: usize, bytes: &[u8]) -> Attachment {
    let content = file(part, bytes);
    let mimetype = match part.content_type() {
        Some(found) if found.ctype() == INERT => MESSAGE.to_owned(),
        Some(found) => format!("{}/{}", found.ctype(), found.subtype().unwrap_or_default()),
        None => "text/plain".to_owned(),
    };
    let name = part.attachment_name().map(str::to_owned).filter(|name| !name.trim().is_empty());
    let subject = || if mimetype == MESSAGE { subject_of(&content) } else { None };
    let name = name
        .or_else(subject)
        .unwrap_or_else(|| format!("attachment-{}.{}", index + 1, names::ending(&mimetype)));
    names::attachment(&name, &mimetype, content)
}

/// An attached message is called what it is about.
fn subject_of(message: &[u8]) -> Option<String> {
    let message = defuse(message).ok()?;
    let head = MessageParser::default().parse_headers(message.as_ref())?;
    // A slash in a subject begins no folder.
    let subject = body::one_line(head.subject()?).replace(['/', '\\'], "_");
    (!subject.is_empty()).then(|| format!("{subject}.eml"))
}

/// The bytes of a part as its sender had them. The parser turns texts into UTF-8, so those are decoded here.
fn file(part: &MessagePart<'_>, bytes: &[u8]) -> Vec<u8> {
    let (start, end) = (part.offset_body as usize, part.offset_end as usize);
    let raw = bytes.get(start..end).unwrap_or_default();
    let decoded = match part.encoding {
        Encoding::None => Some(raw.to_vec()),
        _ if part.is_encoding_problem => Some(raw.to_vec()),
        Encoding::Base64 => base64_decode(raw),
        Encoding::QuotedPrintable => quoted_printable_decode(raw),
    };
    match part.body {
        PartType::Binary(_) | PartType::InlineBinary(_) if part.encoding != Encoding::None => {
            part.contents().to_vec()
        }
        _ => decoded.unwrap_or_else(|| part.contents().to_vec()),
    }
}
