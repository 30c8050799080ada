//! Signing in with the browser of this machine: the provider sends it back to an address that only we listen at (RFC 8252 §7.3),
//! with a code that only we can redeem (RFC 7636).

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use super::page::Visit;
use super::refusal::Refusal;
use super::session::Session;
use super::wire::Trouble;
use super::{Provider, Wanted, sign_in_needed};
use crate::connector::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// How long a person may take.
const TIME_LIMIT: Duration = Duration::from_mins(10);

/// How many connections are listened to at a time: a browser opens a few.
const VISITS: usize = 16;

/// A sign-in that waits for the browser to come back.
#[derive(Debug)]
pub struct Browser {
    session: Arc<Session>,
    wanted: Vec<Wanted>,
    listeners: Vec<TcpListener>,
    url: Url,
    redirect: String,
    state: String,
    verifier: Secret,
}

/// What the browser brought.
enum Brought {
    Code(String),
    Refused(Refusal),
    /// It is not what was waited for.
    Nothing(&'static str),
}

impl Session {
    /// Begins a sign-in for all of this: listens, and says where the browser must go.
    ///
    /// # Errors
    /// When the provider cannot be asked, or nothing can be listened at.
    pub async fn browser(self: &Arc<Self>, wanted: Vec<Wanted>) -> Result<Browser> {
        let wire = self.wire().await?;
        let deaf = |error| {
            Error::new(ErrorKind::Local, "this machine cannot listen for its browser")
                .caused_by(error)
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(deaf)?;
        let port = listener.local_addr().map_err(deaf)?.port();
        let mut listeners = vec![listener];
        // Microsoft lets the port vary for the name only; a browser may take it for either address.
        let redirect = if matches!(self.identity.provider, Provider::Entra { .. }) {
            listeners.extend(TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok());
            format!("http://localhost:{port}")
        } else {
            format!("http://127.0.0.1:{port}/callback")
        };
        let state = wire.clock().unique().simple().to_string();
        let (url, verifier) = wire.authorize(&self.identity, &wanted, &redirect, &state)?;
        let session = Arc::clone(self);
        Ok(Browser { session, wanted, listeners, url, redirect, state, verifier })
    }
}

impl Browser {
    /// Where the person signs in.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Waits for the person, ten minutes at most, and keeps the sign-in.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorised`] when the provider or the person says no, or nobody comes back; as for
    /// [`Session::token`] else.
    pub async fn finish(self) -> Result<()> {
        let waited = tokio::time::timeout(TIME_LIMIT, self.come_back()).await;
        let (visit, brought) = waited.map_err(|_| {
            sign_in_needed(&self.session.identity, "was not finished in ten minutes")
        })??;
        let done = match brought {
            Ok(code) => self.redeem(code).await,
            Err(refusal) => Err(self.session.refused(&refusal)),
        };
        let (title, text) = if done.is_ok() {
            ("You are signed in", "You can close this page and go back to Liaison.")
        } else {
            ("The sign-in did not succeed", "Liaison says why, where you started the sign-in.")
        };
        visit.answer("200 OK", title, text).await;
        done
    }

    async fn redeem(&self, code: String) -> Result<()> {
        let Some(first) = self.wanted.first() else {
            return Err(Error::new(ErrorKind::Unsupported, "nothing wants this sign-in"));
        };
        let wire = self.session.wire().await?;
        let given = wire.redeem(code, &self.verifier, &self.redirect, first).await;
        let tokens = given.map_err(|trouble| match trouble {
            Trouble::Refused(refusal) => self.session.refused(&refusal),
            Trouble::Away(error) => error,
        })?;
        self.session.begin(first, tokens).await
    }

    /// Whoever else knocks is shown a page, and does not end the wait.
    async fn come_back(&self) -> Result<(Visit, std::result::Result<String, Refusal>)> {
        let mut visits = JoinSet::new();
        let expected = self.session.wire().await?.endpoints.clone();
        let answers = (expected.issuer.as_deref(), expected.tells_issuer);
        loop {
            tokio::select! {
                stream = accept(&self.listeners), if visits.len() < VISITS => {
                    visits.spawn(Visit::read(stream?));
                }
                Some(visit) = visits.join_next() => {
                    let Ok(Some(visit)) = visit else { continue };
                    match self.judge(&visit, answers) {
                        Brought::Code(code) => return Ok((visit, Ok(code))),
                        Brought::Refused(refusal) => return Ok((visit, Err(refusal))),
                        Brought::Nothing(why) => visit.answer("404 Not Found", "Not here", why).await,
                    }
                }
            }
        }
    }

    /// RFC 6749 §4.1.2, and RFC 9207 for who answers.
    fn judge(&self, visit: &Visit, (issuer, tells_issuer): (Option<&str>, bool)) -> Brought {
        let path = Url::parse(&self.redirect).map(|url| url.path().to_owned());
        if path.as_deref().ok() != Some(visit.target.path()) {
            return Brought::Nothing("There is nothing at this address.");
        }
        if visit.parameter("state").as_deref() != Some(self.state.as_str()) {
            return Brought::Nothing("This is not the sign-in that Liaison waits for.");
        }
        let teller = visit.parameter("iss");
        let is_other = match (teller.as_deref(), issuer) {
            (Some(teller), Some(issuer)) => teller != issuer,
            (None, Some(_)) => tells_issuer,
            // Microsoft does not say what it is called for this tenant; others do not speak for it.
            (Some(teller), None) => !teller.starts_with("https://login.microsoftonline.com/"),
            (None, None) => false,
        };
        if is_other {
            return Brought::Nothing("This answer comes from another provider than the one asked.");
        }
        if let Some(error) = visit.parameter("error") {
            let error_description = visit.parameter("error_description");
            return Brought::Refused(Refusal { error, error_description, suberror: None });
        }
        match visit.parameter("code").filter(|code| !code.is_empty()) {
            Some(code) => Brought::Code(code),
            None => Brought::Nothing("This answer has no code in it."),
        }
    }
}

/// The next connection at any of them.
async fn accept(listeners: &[TcpListener]) -> Result<TcpStream> {
    let accepted = listeners.iter().map(|listener| Box::pin(listener.accept()));
    let (accepted, ..) = futures_util::future::select_all(accepted).await;
    accepted.map(|(stream, _)| stream).map_err(|error| {
        Error::new(ErrorKind::Local, "this machine cannot listen for its browser").caused_by(error)
    })
}
