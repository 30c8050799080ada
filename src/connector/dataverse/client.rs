//! The one way to the organisation: every request is a `$batch`. It adds the token, counts, keeps to the limits, and turns an
//! answer that is no answer into an error. It must not know tables or records.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Request, Url};

use super::batch::{self, MAX_BODY, MAX_OPERATIONS, Part, Reply};
use super::error::{refused, refused_whole};
use crate::clock::Clock;
use crate::connector::auth::Credential;
use crate::connector::http::{self, Http};
use crate::connector::meter::Meter;
use crate::connector::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// What was asked of the organisation so far. Requests are what a round trip costs, operations what the licence counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Requests {
    pub requests: u64,
    pub operations: u64,
}

/// What two clocks said when an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    pub theirs: Timestamp,
    pub ours: Timestamp,
}

/// The Web API of one organisation.
#[derive(Debug)]
pub struct Client {
    http: Http,
    /// `…/api/data/v9.2/`
    root: Url,
    bearer: Arc<Credential>,
    clock: Clock,
    requests: AtomicU64,
    operations: AtomicU64,
    clocks: Mutex<Option<Clocks>>,
    meter: Option<Arc<dyn Meter>>,
}

impl Client {
    /// `url` is the organisation's address, as in a browser.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when the address cannot be used.
    pub fn new(http: Http, url: &str, bearer: Arc<Credential>, clock: Clock) -> Result<Self> {
        let url = http::server_url(url)?;
        let root = format!("{}/api/data/v9.2/", url.as_str().trim_end_matches('/'));
        let root = Url::parse(&root).map_err(|error| {
            Error::new(ErrorKind::Unsupported, "this address cannot be used").caused_by(error)
        })?;
        let (requests, operations) = (AtomicU64::new(0), AtomicU64::new(0));
        let clocks = Mutex::default();
        let meter = None;
        Ok(Self { http, root, bearer, clock, requests, operations, clocks, meter })
    }

    /// The same, with every request told to this meter before it is sent.
    #[must_use]
    pub fn within(self, meter: Option<Arc<dyn Meter>>) -> Self {
        Self { meter, ..self }
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What was asked so far.
    pub fn requests(&self) -> Requests {
        Requests {
            requests: self.requests.load(Ordering::Relaxed),
            operations: self.operations.load(Ordering::Relaxed),
        }
    }

    /// The clocks at the last answer that told the time.
    pub fn clocks(&self) -> Option<Clocks> {
        *self.clocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends parts in as few requests as the limits allow; one reply a part.
    ///
    /// # Errors
    /// When one of the requests got no answer, or an answer that says that the service as a whole has no time: nothing of the
    /// replies is given then. Only for reading.
    pub async fn read(&self, parts: Vec<Part>) -> Result<Vec<Reply>> {
        let mut replies = Vec::with_capacity(parts.len());
        for chunk in chunks(parts, |part| (part.operations(), part.size())) {
            for reply in self.send(&chunk).await? {
                match reply {
                    Reply::One(answer) if out_of_service(answer.status) => {
                        return Err(refused(&answer, "read", None, self.clock.now()));
                    }
                    reply => replies.push(reply),
                }
            }
        }
        Ok(replies)
    }

    /// Sends one request, at most [`MAX_OPERATIONS`] large; one reply a part. A token that is not accepted is renewed once.
    ///
    /// # Errors
    /// When no whole answer came. Then the outcome of each part is unknown.
    pub async fn send(&self, parts: &[Part]) -> Result<Vec<Reply>> {
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let boundary = self.clock.unique().simple().to_string();
        let body = batch::encode(parts, self.root.path(), &boundary);
        let operations = parts.iter().map(Part::operations).sum();
        let token = self.bearer.secret().await?;
        let mut answer = self.post(&body, &boundary, &token, operations).await?;
        if answer.status == 401 {
            let token = self.bearer.renewed().await?;
            answer = self.post(&body, &boundary, &token, operations).await?;
        }
        let content_type = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let multipart = content_type.filter(|kind| kind.starts_with("multipart/"));
        match multipart {
            // A service that does not know `continue-on-error` answers 400 with the answers up to the first refusal.
            Some(kind) if matches!(answer.status.as_u16(), 200..=299 | 400) => {
                batch::decode(kind, &answer.body, parts).map_err(|garbled| {
                    let host = self.root.host_str().unwrap_or_default();
                    Error::new(ErrorKind::Unreachable, format!("{host}: {garbled}"))
                })
            }
            _ => Err(refused_whole(&answer, &self.bearer.suspect(), self.clock.now())),
        }
    }

    async fn post(
        &self,
        body: &[u8],
        boundary: &str,
        token: &Secret,
        operations: usize,
    ) -> Result<http::Answer> {
        let url = self.root.join("$batch").map_err(|error| {
            Error::new(ErrorKind::Unsupported, "this address cannot be used").caused_by(error)
        })?;
        let mut request = Request::new(Method::POST, url);
        *request.headers_mut() = headers(boundary, token)?;
        *request.body_mut() = Some(body.to_vec().into());
        if let Some(meter) = &self.meter {
            meter.spend(operations as u64).await?;
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.operations.fetch_add(operations as u64, Ordering::Relaxed);
        let started = self.clock.monotonic();
        let answer = self.http.send(request).await;
        let ms = self.clock.monotonic().saturating_sub(started).as_millis();
        if let Some(theirs) = answer.as_ref().ok().and_then(|answer| http::date(&answer.headers)) {
            let told = Some(Clocks { theirs, ours: self.clock.now() });
            *self.clocks.lock().unwrap_or_else(PoisonError::into_inner) = told;
        }
        let status = answer.as_ref().map_or(0, |answer| answer.status.as_u16());
        tracing::debug!(method = "POST", path = "$batch", operations, status, ms, "request");
        answer
    }
}

/// Whether an answer speaks of the service rather than of the row.
pub fn out_of_service(status: u16) -> bool {
    matches!(status, 401 | 429 | 502..=504)
}

/// Cuts a list into requests. `weigh` tells operations and bytes of one member; members are never torn apart.
pub fn chunks<T>(members: Vec<T>, weigh: impl Fn(&T) -> (usize, usize)) -> Vec<Vec<T>> {
    let mut chunks: Vec<Vec<T>> = Vec::new();
    let (mut operations, mut bytes) = (0, 0);
    for member in members {
        let (more_operations, more_bytes) = weigh(&member);
        operations += more_operations;
        bytes += more_bytes;
        match chunks.last_mut() {
            Some(chunk) if operations <= MAX_OPERATIONS && bytes <= MAX_BODY => chunk.push(member),
            _ => {
                chunks.push(vec![member]);
                (operations, bytes) = (more_operations, more_bytes);
            }
        }
    }
    chunks
}

fn headers(boundary: &str, token: &Secret) -> Result<HeaderMap> {
    let unusable = |_| Error::new(ErrorKind::Unauthorised, "the token cannot be sent");
    let mut bearer =
        HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(unusable)?;
    bearer.set_sensitive(true);
    let kind = format!("multipart/mixed; boundary=\"batch_{boundary}\"");
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, bearer);
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(&kind).map_err(unusable)?);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert("Prefer", HeaderValue::from_static("odata.continue-on-error"));
    headers.insert("OData-Version", HeaderValue::from_static("4.0"));
    headers.insert("OData-MaxVersion", HeaderValue::from_static("4.0"));
    // Otherwise the service may answer an expansion from its cache.
    headers.insert("If-None-Match", HeaderValue::from_static("null"));
    Ok(headers)
}

#[cfg(test)]
mod tests;
