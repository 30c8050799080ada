//! One operation and its answer, whether it came as a request of its own or as a part of a batch:
//! method, path, options, headers, body.

use crate::sandbox::query::{Annotations, odata};
use crate::sandbox::record::Condition;
use crate::sandbox::record::payload::Object;
use crate::sandbox::refusal::{self, Refusal};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// HTTP methods that the service knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Patch,
    Put,
    Delete,
}

impl Method {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// The method of that name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "GET" => Some(Self::Get),
            "POST" => Some(Self::Post),
            "PATCH" | "MERGE" => Some(Self::Patch),
            "PUT" => Some(Self::Put),
            "DELETE" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// An operation.
#[derive(Clone)]
pub struct Request {
    pub method: Method,
    /// Still percent-encoded, below `/api/data/v9.x/`, without a slash at either end.
    pub path: String,
    /// Query options, decoded, in order.
    pub options: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// Where the service lives: `https://host/api/data/v9.2`.
    pub base: String,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Request {
    /// Splits a request target into path and options. `None` if it is not below `/api/data/v9.x/`;
    /// inside a batch, a relative path is below it.
    pub fn split(target: &str, relative: bool) -> Option<(String, Vec<(String, String)>)> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let below = match path.find("/api/data/v9.") {
            Some(start) => {
                let rest = path.get(start + "/api/data/v9.".len()..)?;
                let rest = rest.strip_prefix(|letter: char| letter.is_ascii_digit())?;
                rest.strip_prefix('/').or_else(|| rest.is_empty().then_some(""))?
            }
            None if relative => path,
            None => return None,
        };
        Some((below.trim_matches('/').to_owned(), odata::options(query)))
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// A query option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(option, _)| option == name).map(|(_, value)| value.as_str())
    }

    /// The body as a JSON object; an empty body is an empty object.
    pub fn object(&self) -> Result<Object, Refusal> {
        if self.body.is_empty() {
            return Ok(Object::new());
        }
        let bad = |reason: String| {
            Refusal::new(
                400,
                refusal::BAD_PAYLOAD,
                format!("Error identified in Payload provided by the user: {reason}"),
            )
        };
        match serde_json::from_slice(&self.body) {
            Ok(Json::Object(object)) => Ok(object),
            Ok(_) => Err(bad("a JSON object was expected.".to_owned())),
            Err(error) => Err(bad(format!(
                "invalid JSON at line {}, column {}.",
                error.line(),
                error.column()
            ))),
        }
    }

    /// `If-Match` and `If-None-Match`, as far as they concern writes.
    pub fn condition(&self) -> Condition {
        let unquoted = |value: &str| value.trim().to_owned();
        match (self.header("if-match").map(unquoted), self.header("if-none-match").map(unquoted)) {
            (Some(tag), _) if tag == "*" => Condition::Exists,
            (Some(tag), _) if !tag.is_empty() => Condition::Version(tag),
            (_, Some(tag)) if tag == "*" => Condition::Absent,
            _ => Condition::None,
        }
    }

    /// The annotations that the caller asked for.
    pub fn annotations(&self) -> Annotations {
        match self.preference("odata.include-annotations") {
            Some(wanted) => Annotations::new(&wanted),
            None => Annotations::default(),
        }
    }

    /// `Prefer: odata.maxpagesize`.
    pub fn page_size(&self) -> Option<u32> {
        self.preference("odata.maxpagesize")
            .and_then(|size| size.parse().ok())
            .filter(|size| *size > 0)
    }

    /// A preference by name, without quotes; a bare one is empty.
    pub fn preference(&self, name: &str) -> Option<String> {
        preferences(self.header("prefer")?)
            .into_iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }
}

/// `Prefer` is a list with commas, and commas may stand in quotes.
fn preferences(header: &str) -> Vec<(String, String)> {
    let mut quoted = false;
    let parts = header.split(move |letter: char| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    });
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_owned())
    };
    parts.map(pair).collect()
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// 204.
    pub fn empty() -> Self {
        Self { status: 204, ..Self::default() }
    }

    /// A JSON body.
    pub fn json(status: u16, body: &Json) -> Self {
        let headers = vec![("Content-Type", "application/json; odata.metadata=minimal".to_owned())];
        Self { status, headers, body: serde_json::to_vec(body).unwrap_or_default() }
    }

    /// A body of another type.
    pub fn typed(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("Content-Type", kind.to_owned())], body: body.into() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The answer that says no.
    pub fn refused(refusal: &Refusal, request: &Request) -> Self {
        let annotated = request.annotations().wants("Microsoft.PowerApps.CDS.TraceText");
        Self::json(refusal.status, &refusal.body(annotated))
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_split_below_the_version() {
        let split = |target: &str| Request::split(target, false);
        assert_eq!(split("/api/data/v9.2/contacts").unwrap().0, "contacts");
        assert_eq!(
            split("https://h:1/api/data/v9.1/contacts(1)?%24select=a+b").unwrap().1,
            [("$select".to_owned(), "a b".to_owned())]
        );
        assert_eq!(split("/api/data/v9.2").unwrap().0, "");
        assert!(split("/contacts").is_none());
        assert_eq!(Request::split("contacts", true).unwrap().0, "contacts");
    }

    #[test]
    fn preferences_keep_commas_in_quotes() {
        let header = "odata.include-annotations=\"a,b\", odata.maxpagesize=5,return=representation";
        let names: Vec<String> = preferences(header)
            .into_iter()
            .map(|(name, value)| format!("{name}:{value}"))
            .collect();
        assert_eq!(
            names,
            ["odata.include-annotations:a,b", "odata.maxpagesize:5", "return:representation"]
        );
    }
}
