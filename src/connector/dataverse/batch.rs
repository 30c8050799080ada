//! `$batch`: many operations in one request, many answers in one reply. It writes and reads multipart and must not know what
//! an operation means.
//!
//! The reader takes what is seen in the wild (line feeds alone, missing blank lines, `HTTP/ 1.1 200 OK`, quoted boundaries),
//! but never half an answer: without its last boundary a reply is cut, and nothing in it counts.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/webapi/execute-batch-operations-using-web-api>

use std::fmt;

use bytes::Bytes;
use serde_json::Value as Json;

/// The most operations that one request may hold.
pub const MAX_OPERATIONS: usize = 1000;

/// How large we let a request grow, in bytes. One operation that is larger still goes alone.
pub const MAX_BODY: usize = 8 << 20;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Patch,
    Put,
    Delete,
}

impl Method {
    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// One operation of a batch.
#[derive(Clone, PartialEq)]
pub struct Operation {
    pub method: Method,
    /// Below the root of the Web API, encoded: `contacts(…)?$select=…`.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Option<Vec<u8>>,
}

impl Operation {
    /// An operation without headers and body.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: None }
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: &Json) -> Self {
        self.body = Some(body.to_string().into_bytes());
        self
    }

    /// About how many bytes it takes on the wire.
    pub fn size(&self) -> usize {
        let headers: usize =
            self.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        256 + self.path.len() + headers + self.body.as_ref().map_or(0, Vec::len)
    }
}

impl fmt::Debug for Operation {
    /// The path holds ids, and addresses in a filter: only its first part is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = self.path.split(['(', '?', '/']).next().unwrap_or_default();
        write!(f, "{} {set}", self.method.as_str())
    }
}

/// A member of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    One(Operation),
    /// All or nothing. No `GET`s, never empty.
    ChangeSet(Vec<Operation>),
}

impl Part {
    /// The operations that belong together: a change set only where there are several.
    pub fn of(mut operations: Vec<Operation>) -> Self {
        match operations.pop() {
            Some(only) if operations.is_empty() => Self::One(only),
            Some(last) => {
                operations.push(last);
                Self::ChangeSet(operations)
            }
            None => Self::ChangeSet(operations),
        }
    }

    /// How many operations count against [`MAX_OPERATIONS`].
    pub fn operations(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::ChangeSet(operations) => operations.len(),
        }
    }

    /// About how many bytes it takes on the wire.
    pub fn size(&self) -> usize {
        match self {
            Self::One(operation) => operation.size(),
            Self::ChangeSet(operations) => {
                512 + operations.iter().map(Operation::size).sum::<usize>()
            }
        }
    }
}

/// The answer to one operation.
#[derive(Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Answer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of that name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `None` when it is something else.
    pub fn json(&self) -> Option<Json> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// What came back for a [`Part`].
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Of a single operation, or the one failure of a change set.
    One(Answer),
    /// Of a change set that was carried out, in the order of its operations.
    Set(Vec<Answer>),
}

/// Why a reply cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Garbled {
    #[error("the reply to a batch was cut off")]
    Cut,
    #[error("the reply to a batch has a part that is no answer")]
    Part,
    #[error("the reply to a batch does not have one answer an operation")]
    Count,
}

/// The body of a request. `root` is the path of the Web API with slashes at both ends, `boundary` must not occur in any body.
pub fn encode(parts: &[Part], root: &str, boundary: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(Part::size).sum::<usize>() + 128);
    for (number, part) in parts.iter().enumerate() {
        out.extend_from_slice(format!("--batch_{boundary}\r\n").as_bytes());
        match part {
            Part::One(operation) => encode_operation(operation, None, root, &mut out),
            Part::ChangeSet(operations) => {
                let inner = format!("changeset_{boundary}_{number}");
                out.extend_from_slice(
                    format!("Content-Type: multipart/mixed; boundary={inner}\r\n\r\n").as_bytes(),
                );
                for (id, operation) in operations.iter().enumerate() {
                    out.extend_from_slice(format!("--{inner}\r\n").as_bytes());
                    encode_operation(operation, Some(id + 1), root, &mut out);
                }
                out.extend_from_slice(format!("--{inner}--\r\n").as_bytes());
            }
        }
    }
    out.extend_from_slice(format!("--batch_{boundary}--\r\n").as_bytes());
    out
}

/// What every operation says of itself.
const COMMON: [&str; 3] =
    ["Accept: application/json", "OData-Version: 4.0", "OData-MaxVersion: 4.0"];

fn encode_operation(operation: &Operation, id: Option<usize>, root: &str, out: &mut Vec<u8>) {
    let mut lines = vec![
        "Content-Type: application/http".to_owned(),
        "Content-Transfer-Encoding: binary".to_owned(),
    ];
    lines.extend(id.map(|id| format!("Content-ID: {id}")));
    lines.push(String::new());
    lines.push(format!("{} {root}{} HTTP/1.1", operation.method.as_str(), operation.path));
    lines.extend(COMMON.map(str::to_owned));
    lines.extend(operation.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.extend(
        operation.body.is_some().then(|| "Content-Type: application/json; type=entry".to_owned()),
    );
    lines.push("\r\n".to_owned());
    out.extend_from_slice(lines.join("\r\n").as_bytes());
    if let Some(body) = &operation.body {
        out.extend_from_slice(body);
    }
    out.extend_from_slice(b"\r\n");
}

/// Reads a reply to `parts`: one [`Reply`] a part, in their order.
///
/// # Errors
/// [`Garbled`] unless everything is there; nothing of such a reply may be used.
pub fn decode(content_type: &str, body: &Bytes, parts: &[Part]) -> Result<Vec<Reply>, Garbled> {
    let boundary = boundary(content_type).ok_or(Garbled::Part)?;
    let replies: Vec<Reply> =
        split(body, &boundary)?.iter().map(decode_part).collect::<Result<_, _>>()?;
    let fits = |(part, reply): (&Part, &Reply)| match (part, reply) {
        (Part::One(_), Reply::One(_)) => true,
        (Part::One(_), Reply::Set(_)) => false,
        (Part::ChangeSet(_), Reply::One(failure)) => !failure.is_success(),
        (Part::ChangeSet(operations), Reply::Set(answers)) => operations.len() == answers.len(),
    };
    let complete = replies.len() == parts.len() && parts.iter().zip(&replies).all(fits);
    if complete { Ok(replies) } else { Err(Garbled::Count) }
}

fn decode_part(part: &Bytes) -> Result<Reply, Garbled> {
    let mut lines = Lines::new(part);
    while let Some((start, line)) = lines.next() {
        if line.starts_with(b"HTTP/") {
            return decode_answer(&part.slice(start..)).map(Reply::One);
        }
        let text = String::from_utf8_lossy(line);
        let Some((name, value)) = text.split_once(':') else { continue };
        if !name.trim().eq_ignore_ascii_case("content-type") {
            continue;
        }
        if let Some(inner) = boundary(value) {
            let answers: Vec<Answer> =
                split(part, &inner)?.iter().map(decode_answer).collect::<Result<_, _>>()?;
            // A failed change set has one answer, whether or not it stands in a part of its own.
            let failure = answers.iter().find(|answer| !answer.is_success()).cloned();
            return Ok(failure.map_or(Reply::Set(answers), Reply::One));
        }
    }
    Err(Garbled::Part)
}

fn decode_answer(part: &Bytes) -> Result<Answer, Garbled> {
    let mut lines = Lines::new(part);
    let status = loop {
        let (_, line) = lines.next().ok_or(Garbled::Part)?;
        if line.starts_with(b"HTTP/") {
            break status(line).ok_or(Garbled::Part)?;
        }
    };
    let mut headers = Vec::new();
    let mut body = part.len();
    while let Some((start, line)) = lines.next() {
        if line.is_empty() {
            body = lines.position;
            break;
        }
        let text = String::from_utf8_lossy(line);
        let Some((name, value)) = text.split_once(':').filter(|(name, _)| is_header_name(name))
        else {
            // The blank line is missing: the body starts here.
            body = start;
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let body = part.slice(body.min(part.len())..);
    let blank = body.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    let body = body.slice(..body.len() - blank);
    Ok(Answer { status, headers, body })
}

/// `HTTP/1.1 412 Precondition Failed`, also with a space after the slash.
fn status(line: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(line);
    let code = text.split_whitespace().find(|word| word.len() == 3 && !word.contains('.'))?;
    code.parse().ok().filter(|code| (100..600).contains(code))
}

fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The boundary of a multipart content type, quoted or not.
fn boundary(content_type: &str) -> Option<String> {
    let mut fields = content_type.split(';').map(str::trim);
    let kind = fields.next()?;
    if !kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("multipart/")) {
        return None;
    }
    let value = fields.find_map(|field| {
        let (name, value) = field.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    (!value.is_empty() && value.len() <= 200).then(|| value.to_owned())
}

/// What stands between the boundaries.
fn split(body: &Bytes, boundary: &str) -> Result<Vec<Bytes>, Garbled> {
    let mut parts = Vec::new();
    let mut open: Option<usize> = None;
    let mut lines = Lines::new(body);
    while let Some((start, line)) = lines.next() {
        let rest = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary.as_bytes()));
        let Some(rest) = rest else { continue };
        let last = match rest.trim_ascii_end() {
            b"" => false,
            b"--" => true,
            // The boundary of something else, which begins with the same letters.
            _ => continue,
        };
        if let Some(from) = open.replace(lines.position) {
            parts.push(body.slice(from..start));
        }
        if last {
            return Ok(parts);
        }
    }
    Err(Garbled::Cut)
}

/// Lines with the place they start at, without their ends.
struct Lines<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    fn next(&mut self) -> Option<(usize, &'a [u8])> {
        let start = self.position;
        let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        self.position = (start + line.len() + 1).min(self.bytes.len());
        Some((start, line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

#[cfg(test)]
mod tests;
