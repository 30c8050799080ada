//! Requests to a DAV server: signed in, counted, within limits. It must not know calendars or address books.
//!
//! * A password is sent as *basic* at once, which saves a round trip a connection; a server that offers only *digest* is
//!   answered so from then on. A token goes as *bearer* and is made anew once when it is not accepted.
//! * Nothing is sent to a server that was not named: neither by the configuration, nor, during discovery, by a server that was
//!   named and proved itself by TLS. Redirects are the caller's to follow; while syncing nobody does.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, Request, StatusCode, Url};

use super::digest::{self, Digest};
use super::refused::refused;
use crate::clock::Clock;
use crate::connector::auth::{Account, Kind};
use crate::connector::http::{Answer, Http};
use crate::connector::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// One request.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
}

impl std::fmt::Debug for Ask {
    /// Keeps content out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Ask({} {}, {} bytes)",
            self.method,
            self.url,
            self.body.as_ref().map_or(0, Bytes::len)
        )
    }
}

impl Ask {
    pub(super) fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: None }
    }

    pub(super) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    pub(super) fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }
}

/// How the password is shown.
#[derive(Debug, Clone)]
enum Scheme {
    Basic,
    Digest(Digest),
}

/// The way to one server.
#[derive(Debug)]
pub(super) struct Client {
    http: Http,
    account: Option<Account>,
    scheme: Mutex<Scheme>,
    /// Who may see the credentials: scheme, host and port.
    known: Mutex<BTreeSet<String>>,
    clock: Clock,
    requests: AtomicU64,
}

impl Client {
    /// Without an account nothing is shown to anybody.
    pub(super) fn new(http: Http, account: Option<Account>, clock: Clock) -> Self {
        Self {
            http,
            account,
            scheme: Mutex::new(Scheme::Basic),
            known: Mutex::default(),
            clock,
            requests: AtomicU64::new(0),
        }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Names a server as one that may be asked.
    pub(super) fn admit(&self, url: &Url) {
        let origin = url.origin().ascii_serialization();
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(origin);
    }

    /// Asks and hands back the answer, whatever its status, but for those that concern every request alike.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorised`], [`ErrorKind::Throttled`], [`ErrorKind::Unsupported`] for a server nobody named, and what
    /// [`Http::send`] says.
    pub(super) async fn send(&self, ask: &Ask, doing: &str) -> Result<Answer> {
        self.is_admitted(&ask.url)?;
        let answer = self.once(ask, self.authorisation(ask, false).await?).await?;
        let answer = match answer.status {
            StatusCode::UNAUTHORIZED => match self.again(ask, &answer).await? {
                Some(authorisation) => self.once(ask, Some(authorisation)).await?,
                None => answer,
            },
            _ => answer,
        };
        match answer.status {
            StatusCode::UNAUTHORIZED => Err(self.not_let_in(&ask.url, &answer)),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Err(refused(&answer, doing, self.clock.now()))
            }
            _ => Ok(answer),
        }
    }

    /// That the sign-in failed, whatever was asked.
    fn not_let_in(&self, url: &Url, answer: &Answer) -> Error {
        let host = url.host_str().unwrap_or_default();
        let error = refused(answer, &format!("sign in at {host}"), self.clock.now());
        let Some(account) = &self.account else { return error };
        let suspect = account.secret.suspect();
        error.hint(format!("check the user's name, and {suspect}"))
    }

    fn is_admitted(&self, url: &Url) -> Result<()> {
        let origin = url.origin().ascii_serialization();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&origin) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{origin} is not the server that was named"),
        )
        .hint("if it is the right one, write its address as `url`"))
    }

    async fn once(&self, ask: &Ask, authorisation: Option<HeaderValue>) -> Result<Answer> {
        let mut request = Request::new(ask.method.clone(), ask.url.clone());
        *request.headers_mut() = ask.headers.clone();
        if let Some(mut authorisation) = authorisation {
            authorisation.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, authorisation);
        }
        *request.body_mut() = ask.body.clone().map(Into::into);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.http.send(request).await
    }

    async fn authorisation(&self, ask: &Ask, renew: bool) -> Result<Option<HeaderValue>> {
        let Some(account) = &self.account else { return Ok(None) };
        let secret =
            if renew { account.secret.renewed().await? } else { account.secret.secret().await? };
        let value = match account.secret.kind() {
            Kind::Token => format!("Bearer {}", secret.expose()),
            Kind::Password => self.proof(ask, &account.user, &secret),
        };
        HeaderValue::from_str(&value).map(Some).map_err(|_| {
            Error::new(
                ErrorKind::Unauthorised,
                "the user name or the token cannot be sent in a header",
            )
        })
    }

    fn proof(&self, ask: &Ask, user: &str, password: &Secret) -> String {
        let mut scheme = self.scheme.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *scheme {
            Scheme::Basic => {
                let pair = format!("{user}:{}", password.expose());
                format!("Basic {}", STANDARD.encode(pair))
            }
            Scheme::Digest(digest) => {
                let uri = match ask.url.query() {
                    Some(query) => format!("{}?{query}", ask.url.path()),
                    None => ask.url.path().to_owned(),
                };
                let nonce = self.clock.unique().simple().to_string();
                digest.authorisation(user, password, ask.method.as_str(), &uri, &nonce)
            }
        }
    }

    /// What to show instead, after a 401: only where something can be different.
    async fn again(&self, ask: &Ask, answer: &Answer) -> Result<Option<HeaderValue>> {
        match self.account.as_ref().map(|account| account.secret.kind()) {
            None => Ok(None),
            Some(Kind::Token) => self.authorisation(ask, true).await,
            Some(Kind::Password) => {
                if !self.changes_to_digest(answer) {
                    return Ok(None);
                }
                self.authorisation(ask, false).await
            }
        }
    }

    /// Takes up a digest: the first one where basic is not offered, or a new nonce where the old one was only too old.
    fn changes_to_digest(&self, answer: &Answer) -> bool {
        let offered: Vec<digest::Challenge> = answer
            .headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(digest::challenges)
            .collect();
        let Some(digest) = Digest::of(&offered) else { return false };
        let mut scheme = self.scheme.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = match &*scheme {
            Scheme::Basic => offered.iter().all(|challenge| challenge.scheme != "basic"),
            // Without `stale`, some servers simply forget; another nonce than ours is as good a sign.
            Scheme::Digest(old) => {
                offered.iter().any(digest::Challenge::is_stale) || !old.has_nonce_of(&digest)
            }
        };
        if is_due {
            *scheme = Scheme::Digest(digest);
        }
        is_due
    }
}
