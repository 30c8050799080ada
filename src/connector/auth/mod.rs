//! What opens the door at another end: one type for passwords and bearer tokens, wherever they come from. It must not know what
//! they open, and never shows or keeps one anywhere but in memory.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::oauth::{self, Wanted};
use super::vault::{Entry, Vault};
use super::{Error, ErrorKind, Result};
use crate::secret::Secret;

mod command;
mod systemd;

use command::Command;

/// Who signs in at a mail or DAV server, and with what.
#[derive(Debug, Clone)]
pub struct Account {
    pub user: String,
    pub secret: Arc<Credential>,
}

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bearer token: expires, and is fetched anew then.
    Token,
    Password,
}

/// A password or token that can be had, and the one that was had last.
pub struct Credential {
    kind: Kind,
    source: Source,
    /// Of a token from a sign-in: the one handed out last, so that it is known which one was refused.
    last: Mutex<Option<Secret>>,
}

/// Where it comes from.
enum Source {
    Command(Command),
    Keyring(Arc<dyn Vault>, Entry),
    Systemd { name: String, folder: Option<PathBuf> },
    OAuth(Arc<oauth::Session>, Wanted),
}

impl fmt::Debug for Credential {
    /// A command line may hold what must not be seen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential")
    }
}

impl Credential {
    /// What a command prints; `line` is for the system's shell.
    pub fn command(kind: Kind, line: impl Into<String>) -> Self {
        Self::of(kind, Source::Command(Command::new(kind, line)))
    }

    /// A password in the keyring, put there by [`Vault::put`].
    pub fn keyring(vault: Arc<dyn Vault>, entry: Entry) -> Self {
        Self::of(Kind::Password, Source::Keyring(vault, entry))
    }

    /// A file that systemd made for this service (`LoadCredentialEncrypted=`); `folder` is `$CREDENTIALS_DIRECTORY`.
    /// <https://systemd.io/CREDENTIALS/>
    pub fn systemd(kind: Kind, name: impl Into<String>, folder: Option<PathBuf>) -> Self {
        Self::of(kind, Source::Systemd { name: name.into(), folder })
    }

    /// Tokens of a sign-in at a provider.
    pub fn oauth(session: Arc<oauth::Session>, wanted: Wanted) -> Self {
        Self::of(Kind::Token, Source::OAuth(session, wanted))
    }

    fn of(kind: Kind, source: Source) -> Self {
        Self { kind, source, last: Mutex::default() }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What to look at where the secret is not accepted; ends a sentence that begins with *check*.
    pub fn suspect(&self) -> String {
        match &self.source {
            Source::Command(command) => format!("what this command prints: {}", command.line()),
            Source::Keyring(..) => {
                "the password in the keyring; `liaison auth login` stores another one".to_owned()
            }
            Source::Systemd { name, .. } => format!("the systemd credential `{name}`"),
            Source::OAuth(session, _) => {
                format!(
                    "as whom you signed in ({}); `liaison auth login` does it anew",
                    session.who()
                )
            }
        }
    }

    /// The secret. Fetched the first time only, a token of a sign-in also when the last one is about to expire.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorised`] when a person must do something before there is one, [`ErrorKind::Locked`] while the keyring is
    /// out of reach, [`ErrorKind::Local`] when what it holds cannot be used, [`ErrorKind::Unreachable`] and [`ErrorKind::Throttled`] when the provider is.
    pub async fn secret(&self) -> Result<Secret> {
        if let Source::OAuth(session, wanted) = &self.source {
            return Ok(self.keep(session.token(wanted).await?));
        }
        match self.last() {
            Some(secret) => Ok(secret),
            None => self.renewed().await,
        }
    }

    /// Fetches it again, after the one of [`Credential::secret`] was refused: tokens expire in the middle of a run.
    ///
    /// # Errors
    /// As for [`Credential::secret`].
    pub async fn renewed(&self) -> Result<Secret> {
        let secret = match &self.source {
            Source::Command(command) => command.run().await?,
            Source::Keyring(vault, entry) => vault.get(entry).await?.ok_or_else(|| {
                let missing = format!("the keyring has no {}", entry.label());
                Error::new(ErrorKind::Unauthorised, missing).hint("store it: `liaison auth login`")
            })?,
            Source::Systemd { name, folder } => {
                systemd::read(self.kind, name, folder.as_deref()).await?
            }
            Source::OAuth(session, wanted) => session.another_token(wanted, self.last()).await?,
        };
        Ok(self.keep(secret))
    }

    fn last(&self) -> Option<Secret> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, secret: Secret) -> Secret {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(secret.clone());
        secret
    }
}

impl Kind {
    /// What a person calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Password => "password",
        }
    }

    /// The secret in a text that a command printed or a file holds; `None` where it is none.
    fn find_in(self, text: &str) -> Option<Secret> {
        let secret = match self {
            Self::Token => text.trim(),
            // The first line, as `pass` has it; a password may begin or end with a blank.
            Self::Password => text.lines().next().unwrap_or_default(),
        };
        let fits = match self {
            Self::Token => secret.bytes().all(|byte| byte.is_ascii_graphic()),
            Self::Password => !secret.chars().any(char::is_control),
        };
        (fits && !secret.is_empty()).then(|| Secret::new(secret))
    }
}

/// Tokens have a few kilobytes; more is none.
const SIZE_LIMIT: u64 = 64 << 10;

#[cfg(test)]
mod tests;
