//! `$batch`: multipart bodies in and out. Parts run in order; a change set is all or nothing;
//! without `odata.continue-on-error` the first failure ends the batch, and what ran before it
//! stays.

use super::message::{Method, Reply, Request};
use super::perform;
use crate::sandbox::refusal::{self, Refusal};
use crate::sandbox::store::Context;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Operations in one batch.
const MAX_OPERATIONS: usize = 1000;
/// A URL inside a batch may have this many characters.
const MAX_URL: usize = 65_536;

/// A parsed batch.
#[derive(Debug)]
pub struct Batch {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    One(Operation),
    Set(Vec<Operation>),
}

#[derive(Debug)]
struct Operation {
    request: Request,
    content_id: Option<String>,
}

/// Whether the path is that of a batch.
pub fn is_batch(request: &Request) -> bool {
    request.method == Method::Post && request.path == "$batch"
}

impl Batch {
    /// Reads the body of a batch; tolerates bare line feeds.
    pub fn read(request: &Request) -> Result<Self, Refusal> {
        let boundary = boundary(request.header("content-type").unwrap_or_default())?;
        let parts = split(&request.body, &boundary)?
            .into_iter()
            .map(|part| Part::read(part, request))
            .collect::<Result<Vec<_>, _>>()?;
        let batch = Self { parts: parts.into_iter().flatten().collect() };
        if batch.operations() > MAX_OPERATIONS {
            let message = format!(
                "The batch holds {} operations, more than the maximum of {MAX_OPERATIONS}.",
                batch.operations()
            );
            return Err(Refusal::new(400, refusal::INVALID_ARGUMENT, message));
        }
        Ok(batch)
    }

    /// How many operations it holds.
    pub fn operations(&self) -> usize {
        self.parts
            .iter()
            .map(|part| if let Part::Set(operations) = part { operations.len() } else { 1 })
            .sum()
    }

    /// Runs it. `perform` carries out what stands alone.
    pub fn run(
        self,
        context: &mut Context<'_>,
        outer: &Request,
        perform: &mut dyn FnMut(&mut Context<'_>, &Request) -> Reply,
    ) -> Reply {
        let go_on =
            outer.preference("odata.continue-on-error").is_some_and(|value| value != "false");
        let boundary = format!("batchresponse_{}", context.counters.random.guid());
        let mut body = Vec::new();
        let mut failed = false;
        for part in self.parts {
            match part {
                Part::One(operation) => {
                    let reply = perform(context, &operation.request);
                    failed |= reply.status >= 400;
                    write_part(&mut body, &boundary, operation.content_id.as_deref(), &reply);
                }
                Part::Set(operations) => match run_set(context, operations) {
                    Ok(replies) => {
                        let inner = format!("changesetresponse_{}", context.counters.random.guid());
                        put(
                            &mut body,
                            &format!(
                                "--{boundary}\r\nContent-Type: multipart/mixed; boundary={inner}\r\n\r\n"
                            ),
                        );
                        for (id, reply) in &replies {
                            write_part(&mut body, &inner, id.as_deref(), reply);
                        }
                        put(&mut body, &format!("--{inner}--\r\n"));
                    }
                    Err((id, reply)) => {
                        failed = true;
                        write_part(&mut body, &boundary, id.as_deref(), &reply);
                    }
                },
            }
            if failed && !go_on {
                break;
            }
        }
        put(&mut body, &format!("--{boundary}--\r\n"));
        let status = if failed && !go_on { 400 } else { 200 };
        Reply::typed(status, &format!("multipart/mixed; boundary={boundary}"), body)
    }
}

type Answer = (Option<String>, Reply);

/// All of a change set, or the first refusal in it.
fn run_set(context: &mut Context<'_>, operations: Vec<Operation>) -> Result<Vec<Answer>, Answer> {
    let mut refused = None;
    let mut replies = Vec::new();
    let done = context.atomic(|context| {
        let mut known = BTreeMap::new();
        for operation in operations {
            let mut request = operation.request;
            let reply = match refer(&mut request, &known) {
                Ok(()) => perform(context, &request),
                Err(refusal) => Reply::refused(&refusal, &request),
            };
            if reply.status >= 400 {
                refused = Some((operation.content_id, reply));
                return Err(Refusal::argument("A change set is all or nothing."));
            }
            if let (Some(id), Some(address)) = (&operation.content_id, entity(&reply, &request)) {
                known.insert(id.clone(), address);
            }
            replies.push((operation.content_id, reply));
        }
        Ok(())
    });
    match (done, refused) {
        (_, Some(refused)) => Err(refused),
        (Ok(()), None) => Ok(replies),
        (Err(refusal), None) => Err((None, Reply::json(refusal.status, &refusal.body(false)))),
    }
}

/// `contacts(…)` of what an operation wrote.
fn entity(reply: &Reply, request: &Request) -> Option<String> {
    let address = reply.header("OData-EntityId").map(|address| {
        address.strip_prefix(&request.base).unwrap_or(address).trim_start_matches('/').to_owned()
    });
    address.or_else(|| Some(request.path.clone()))
}

/// Puts what `$1` stands for into the URL and the links of an operation.
fn refer(request: &mut Request, known: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if let Some(rest) = request
        .path
        .strip_prefix('$')
        .filter(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
    {
        let (id, below) =
            rest.split_once('/').map_or((rest, None), |(id, below)| (id, Some(below)));
        let address = lookup(known, id)?;
        request.path =
            below.map_or_else(|| address.to_owned(), |below| format!("{address}/{below}"));
    }
    if request.body.contains(&b'$')
        && let Ok(mut body) = serde_json::from_slice::<Json>(&request.body)
    {
        refer_in(&mut body, known)?;
        request.body = serde_json::to_vec(&body).unwrap_or_default();
    }
    Ok(())
}

fn refer_in(body: &mut Json, known: &BTreeMap<String, String>) -> Result<(), Refusal> {
    match body {
        Json::Object(fields) => {
            for (name, value) in fields {
                let id = value
                    .as_str()
                    .and_then(|text| text.trim_start_matches('/').strip_prefix('$'))
                    .map(str::to_owned);
                match id.filter(|_| name.ends_with("@odata.bind") || name == "@odata.id") {
                    Some(id) => *value = format!("/{}", lookup(known, &id)?).into(),
                    None => refer_in(value, known)?,
                }
            }
            Ok(())
        }
        Json::Array(items) => items.iter_mut().try_for_each(|item| refer_in(item, known)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Ok(()),
    }
}

fn lookup<'a>(known: &'a BTreeMap<String, String>, id: &str) -> Result<&'a str, Refusal> {
    known.get(id).map(String::as_str).ok_or_else(|| {
        Refusal::new(
            400,
            refusal::BAD_PAYLOAD,
            format!("Content-ID Reference: '${id}' does not exist in the batch context."),
        )
    })
}

impl Part {
    /// `None` for an empty change set, which is passed over.
    fn read(bytes: &[u8], outer: &Request) -> Result<Option<Self>, Refusal> {
        let (headers, body) = headers(bytes)?;
        let kind = headers.get("content-type").map(String::as_str).unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with("multipart/mixed") {
            return Operation::read(&headers, body, outer)
                .map(|operation| Some(Self::One(operation)));
        }
        let mut operations = Vec::new();
        for part in split(body, &boundary(kind)?)? {
            let (headers, body) = self::headers(part)?;
            let operation = Operation::read(&headers, body, outer)?;
            if operation.request.method == Method::Get {
                return Err(bad("A change set may not hold GET requests."));
            }
            operations.push(operation);
        }
        Ok((!operations.is_empty()).then_some(Self::Set(operations)))
    }
}

impl Operation {
    fn read(
        part: &BTreeMap<String, String>,
        bytes: &[u8],
        outer: &Request,
    ) -> Result<Self, Refusal> {
        let (line, rest) = next_line(bytes);
        let mut words = line.split_ascii_whitespace();
        let method = words
            .next()
            .and_then(Method::parse)
            .ok_or_else(|| bad("A part of the batch has no request line."))?;
        let target = words.next().ok_or_else(|| bad("A request line in the batch has no URL."))?;
        if target.len() > MAX_URL {
            return Err(Refusal::new(414, refusal::NO_RESOURCE, "A URL in the batch is too long."));
        }
        let (path, options) = Request::split(target, true)
            .ok_or_else(|| bad("A URL in the batch is not that of this service."))?;
        if path == "$batch" {
            return Err(bad("A batch may not hold a batch."));
        }
        let (headers, body) = headers(rest)?;
        let content_id = headers.get("content-id").or_else(|| part.get("content-id")).cloned();
        let request = Request {
            method,
            path,
            options,
            headers,
            body: body.to_vec(),
            base: outer.base.clone(),
        };
        Ok(Self { request, content_id })
    }
}

fn bad(message: &str) -> Refusal {
    Refusal::new(400, refusal::BAD_PAYLOAD, message)
}

fn boundary(kind: &str) -> Result<String, Refusal> {
    let parameter = kind.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then(|| value.trim().trim_matches('"').to_owned())
    });
    parameter.filter(|boundary| !boundary.is_empty()).ok_or_else(|| {
        Refusal::new(
            415,
            refusal::BAD_PAYLOAD,
            "The Content-Type of a batch must be multipart/mixed with a boundary.",
        )
    })
}

/// The parts between the boundaries, without the line ends that belong to them.
fn split<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<&'a [u8]>, Refusal> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut start: Option<usize> = None;
    let mut position = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        let end = text.strip_prefix(delimiter.as_bytes());
        if end.is_some_and(|rest| rest.is_empty() || rest == b"--") {
            if let Some(part) = start.and_then(|start| body.get(start..position)) {
                parts.push(without_line_end(part));
            }
            if end == Some(b"--") {
                return Ok(parts);
            }
            start = Some(position + line.len());
        }
        position += line.len();
    }
    Err(bad("The batch has no closing boundary."))
}

fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

/// The first line as text, and what follows it.
fn next_line(bytes: &[u8]) -> (String, &[u8]) {
    let (line, rest) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            (bytes.get(..end).unwrap_or_default(), bytes.get(end + 1..).unwrap_or_default())
        }
        None => (bytes, &[][..]),
    };
    (String::from_utf8_lossy(line.trim_ascii()).into_owned(), rest)
}

/// Headers up to the empty line, names in lower case, and what follows.
fn headers(bytes: &[u8]) -> Result<(BTreeMap<String, String>, &[u8]), Refusal> {
    let mut headers = BTreeMap::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (line, after) = next_line(rest);
        if line.is_empty() {
            return Ok((headers, after));
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(bad("A header in the batch has no colon."));
        };
        headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        rest = after;
    }
    Ok((headers, rest))
}

fn put(body: &mut Vec<u8>, text: &str) {
    body.extend_from_slice(text.as_bytes());
}

fn write_part(body: &mut Vec<u8>, boundary: &str, content_id: Option<&str>, reply: &Reply) {
    put(
        body,
        &format!(
            "--{boundary}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
        ),
    );
    if let Some(id) = content_id {
        put(body, &format!("Content-ID: {id}\r\n"));
    }
    put(body, &format!("\r\nHTTP/1.1 {} {}\r\n", reply.status, reason(reply.status)));
    for (name, value) in &reply.headers {
        put(body, &format!("{name}: {value}\r\n"));
    }
    put(body, "OData-Version: 4.0\r\n\r\n");
    body.extend_from_slice(&reply.body);
    put(body, "\r\n");
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        412 => "Precondition Failed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_split_with_either_line_end() {
        for end in ["\r\n", "\n"] {
            let body = ["--b", "A: 1", "", "x", "y", "--b", "", "z", "--b--", ""].join(end);
            let parts = split(body.as_bytes(), "b").unwrap();
            assert_eq!(parts.len(), 2);
            let (headers, rest) = headers(parts[0]).unwrap();
            assert_eq!(headers["a"], "1");
            assert_eq!(String::from_utf8_lossy(rest), format!("x{end}y"));
        }
    }

    #[test]
    fn a_batch_without_end_or_boundary_is_refused() {
        assert!(split(b"--b\r\nA: 1\r\n\r\nx", "b").is_err());
        assert_eq!(boundary("multipart/mixed").unwrap_err().status, 415);
        assert_eq!(boundary("multipart/mixed; boundary=\"b c\"").unwrap(), "b c");
    }
}
