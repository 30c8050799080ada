//! One HTTP client with limits on everything: time, size, redirects (none), schemes (https, or loopback). It must not know
//! what is asked, and never logs a body or a header.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use jiff::{Timestamp, fmt::rfc2822};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Request, StatusCode, Url};
use rustls::ClientConfig;
use url::Host;

use super::tls::Untrusted;
use super::{Error, ErrorKind, Result};

/// How long and how much.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// To be connected.
    pub connect: Duration,
    /// From the first byte sent to the last byte read.
    pub request: Duration,
    /// The largest answer, after decompression, in bytes.
    pub answer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            request: Duration::from_mins(5),
            answer: 128 << 20,
        }
    }
}

/// An answer, whole.
#[derive(Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// The client.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    /// For this machine: no proxy leads here.
    local: reqwest::Client,
    limits: Limits,
}

impl Http {
    /// A client with the given trust and limits.
    ///
    /// # Errors
    /// [`ErrorKind::Local`] when the client cannot be made.
    pub fn new(tls: &ClientConfig, limits: Limits) -> Result<Self> {
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(concat!("liaison/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                .referer(false)
                .connect_timeout(limits.connect)
                .timeout(limits.request)
                .pool_idle_timeout(Duration::from_secs(90))
        };
        let failed = |error| Error::new(ErrorKind::Local, "set up HTTP").caused_by(error);
        let client = builder().build().map_err(failed)?;
        let local = builder().no_proxy().build().map_err(failed)?;
        Ok(Self { client, local, limits })
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] when no whole answer came: then the effect is unknown. [`ErrorKind::Rejected`] when the
    /// answer is larger than the limit.
    pub async fn send(&self, request: Request) -> Result<Answer> {
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let is_local = request.url().host().is_some_and(|host| is_loopback(&host));
        let client = if is_local { &self.local } else { &self.client };
        let response = client.execute(request).await.map_err(|error| transport(&host, error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = BytesMut::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| transport(&host, error))?;
            if body.len() + chunk.len() > self.limits.answer {
                let limit = self.limits.answer;
                let message = format!("the answer of {host} is larger than {limit} bytes");
                return Err(Error::new(ErrorKind::Rejected, message));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: body.freeze() })
    }
}

/// The address of a server: https, or http on this machine; no name or password in it.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for anything else, with what to write instead.
pub fn server_url(text: &str) -> Result<Url> {
    let refuse = |reason: &str| {
        Error::new(ErrorKind::Unsupported, format!("this address cannot be used: {reason}"))
            .hint("an address looks like https://contoso.crm4.dynamics.com")
    };
    let mut url = Url::parse(text.trim()).map_err(|error| refuse(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it holds a user name or a password"));
    }
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => {}
        ("http", Some(host)) if is_loopback(&host) => {}
        ("http", Some(_)) => return Err(refuse("only https is safe")),
        _ => return Err(refuse("it is not a web address")),
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// Whether a host is this machine, whatever a resolver says.
pub fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// The longest pause that is believed: an absurd `Retry-After` must not stop the sync for good.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// The pause that an answer asks for.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    pause(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

/// The value of `Retry-After`: seconds (some servers send fractions) or a date, at most a day (RFC 9110 §10.2.3).
pub fn pause(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let pause = if let Ok(seconds) = value.parse::<f64>() {
        let longest = LONGEST_PAUSE.as_secs_f64();
        // A comparison with NaN is false.
        let seconds = if seconds > longest { longest } else { seconds };
        Duration::try_from_secs_f64(seconds).ok()?
    } else {
        let until = rfc2822::parse(value).ok()?.timestamp();
        Duration::try_from(until.duration_since(now)).unwrap_or_default()
    };
    Some(pause.min(LONGEST_PAUSE))
}

fn transport(host: &str, error: reqwest::Error) -> Error {
    let error = error.without_url();
    let failed = if let Some(untrusted) = Untrusted::of(&error) {
        untrusted.refusal(host)
    } else {
        let message = if error.is_timeout() {
            format!("{host} gave no answer in time")
        } else if error.is_connect() {
            format!("{host} cannot be reached")
        } else {
            format!("the connection to {host} broke off")
        };
        Error::new(ErrorKind::Unreachable, message)
    };
    failed.caused_by(error)
}

/// When the server gave an answer, by its own clock.
pub fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE)?.to_str().ok()?;
    Some(rfc2822::parse(date).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_this_machine() {
        for good in [
            "https://contoso.crm4.dynamics.com",
            "http://127.0.0.1:8080/",
            "http://[::1]:1",
            "http://localhost:2",
        ] {
            assert!(server_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://contoso.crm4.dynamics.com",
            "https://anna:secret@example.org",
            "ftp://x",
            "contoso",
            "",
            "http://localhost.example.org",
        ] {
            let error = server_url(bad).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unsupported, "{bad}");
            assert!(!error.message.contains("secret"));
        }
    }

    #[test]
    fn a_pause_in_seconds_or_as_a_date() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let seconds = |value| pause(value, now).map(|pause| pause.as_secs());
        assert_eq!(seconds("17"), Some(17));
        assert_eq!(seconds(" 2.5 "), Some(2));
        assert_eq!(seconds("Sun, 01 Mar 2026 12:01:00 GMT"), Some(60));
        assert_eq!(seconds("Sun, 01 Mar 2026 11:00:00 GMT"), Some(0));
        assert_eq!(seconds("999999999999"), Some(24 * 3600));
        assert_eq!(seconds("inf"), Some(24 * 3600));
        assert_eq!(seconds("-3"), None);
        assert_eq!(seconds("NaN"), None);
        assert_eq!(seconds("soon"), None);
    }
}
