//! Signing in by SASL (RFC 4422), the client's half: which mechanism fits, what to say first, what to answer. It must not know
//! which protocol carries it: challenges come in and answers go out in base64, as IMAP, POP3 and SMTP all have them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::auth::Kind;
use super::{Error, ErrorKind, Result};
use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// No mechanism here needs more than two; a server that goes on asking must not keep us.
const CHALLENGES: u32 = 4;

/// The longest challenge that is looked at: they are short, or the JSON of a refusal.
const CHALLENGE_LIMIT: usize = 8 << 10;

/// How to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616: name and password in one.
    Plain,
    /// draft-murchison-sasl-login: name, then password. Old, but all that some servers offer.
    Login,
    /// <https://developers.google.com/workspace/gmail/imap/xoauth2-protocol>: a bearer token.
    XOAuth2,
    /// RFC 7628: a bearer token, by the standard.
    OAuthBearer,
}

impl Mechanism {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }

    /// The best mechanism for this kind of secret among those that a server names, in upper or lower case.
    pub fn choose<'a>(kind: Kind, offered: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let fitting = match kind {
            Kind::Password => [Self::Plain, Self::Login],
            Kind::Token => [Self::OAuthBearer, Self::XOAuth2],
        };
        let offered: Vec<&str> = offered.into_iter().collect();
        fitting.into_iter().find(|mechanism| {
            offered.iter().any(|name| name.eq_ignore_ascii_case(mechanism.as_str()))
        })
    }

    /// The exchange for this user, at the server of this name and port (OAUTHBEARER tells them to the server).
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorised`] for a name or secret that the mechanism cannot carry.
    pub fn begin(self, user: &str, secret: &Secret, (host, port): (&str, u16)) -> Result<Exchange> {
        let carries = |text: &str| !text.contains(['\0', '\u{1}']);
        if user.is_empty() || !carries(user) || !carries(secret.expose()) {
            return Err(Error::new(
                ErrorKind::Unauthorised,
                "the user's name or secret is empty or holds control characters",
            ));
        }
        let secret = secret.expose();
        let messages = match self {
            Self::Plain => vec![format!("\0{user}\0{secret}")],
            Self::Login => vec![user.to_owned(), secret.to_owned()],
            Self::XOAuth2 => vec![format!("user={user}\u{1}auth=Bearer {secret}\u{1}\u{1}")],
            Self::OAuthBearer => {
                // RFC 5801 §4: a comma ends the name, an equals sign begins an escape.
                let user = user.replace('=', "=3D").replace(',', "=2C");
                vec![format!(
                    "n,a={user},\u{1}host={host}\u{1}port={port}\u{1}auth=Bearer {secret}\u{1}\u{1}"
                )]
            }
        };
        let messages = messages.into_iter().map(Secret::new).collect();
        Ok(Exchange { mechanism: self, messages, said: 0, challenges: 0, refusal: None })
    }
}

/// One sign-in under way.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    /// What is to be said, in turn.
    messages: Vec<Secret>,
    said: usize,
    challenges: u32,
    refusal: Option<String>,
}

impl Exchange {
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// What to send along with the mechanism's name, in base64, where the protocol allows it and the server need not speak
    /// first. Once asked for, it must be sent. Where it is not, the server asks with an empty challenge instead.
    pub fn initial(&mut self) -> Option<Secret> {
        match self.mechanism {
            Mechanism::Login => None,
            Mechanism::Plain | Mechanism::XOAuth2 | Mechanism::OAuthBearer => self.next(),
        }
    }

    /// The answer to a challenge, both in base64. A bearer token that is refused comes as a challenge, which wants an answer
    /// without meaning before the server says *no* (RFC 7628 §3.2.3).
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorised`] when the server asks for more than the mechanism knows.
    pub fn answer(&mut self, challenge: &str) -> Result<Secret> {
        self.challenges += 1;
        if self.challenges > CHALLENGES || challenge.len() > CHALLENGE_LIMIT {
            return Err(self.lost());
        }
        if let Some(message) = self.next() {
            return Ok(message);
        }
        self.refusal = Some(status(challenge).unwrap_or_else(|| "refused".to_owned()));
        match self.mechanism {
            Mechanism::XOAuth2 => Ok(Secret::new("")),
            Mechanism::OAuthBearer => Ok(Secret::new(BASE64.encode("\u{1}"))),
            Mechanism::Plain | Mechanism::Login => Err(self.lost()),
        }
    }

    /// What the server said against the token, in a word, if it did.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    fn next(&mut self) -> Option<Secret> {
        let message = self.messages.get(self.said)?;
        self.said += 1;
        Some(Secret::new(BASE64.encode(message.expose())))
    }

    fn lost(&self) -> Error {
        let mechanism = self.mechanism.as_str();
        Error::new(
            ErrorKind::Unauthorised,
            format!("the server asks for more than {mechanism} has to say"),
        )
    }
}

/// The `status` of a refusal in JSON: a word such as `invalid_token`, or a number.
fn status(challenge: &str) -> Option<String> {
    let bytes = BASE64.decode(challenge.trim()).ok()?;
    let json: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    let status = json.get("status")?;
    let word = status.as_str().map_or_else(|| status.to_string(), str::to_owned);
    let plain = word.len() <= 64
        && !word.is_empty()
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    plain.then_some(word)
}
