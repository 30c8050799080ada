//! Signing in at a provider by OAuth 2: once in the browser or with a code, then by refresh tokens for as long as the provider
//! allows. It must not know what the tokens open; who wants one says which scopes it takes.
//!
//! One sign-in serves everything of one user at one provider ([`Identity`]). Its refresh token lies in the keyring; access
//! tokens only in memory, one for each set of scopes ([`Wanted`]).

use std::fmt;

use sha2::{Digest as _, Sha256};
use url::Url;

use super::{Error, ErrorKind};

mod browser;
mod device;
mod endpoints;
mod exclusive;
mod page;
mod record;
mod refusal;
mod session;
#[cfg(test)]
mod tests;
mod wire;

pub use browser::Browser;
pub use device::Device;
pub use record::Standing;
pub use session::{Keep, Session};

/// Who gives tokens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// Microsoft's identity platform; the tenant is a domain, an id, or `organizations`.
    Entra { tenant: String },
    /// Anybody who describes himself at `.well-known/openid-configuration` below this address.
    Issuer(Url),
}

/// Whose sign-in, where, and for which application.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    pub provider: Provider,
    /// As the provider registered this application.
    pub client_id: String,
    /// As whom to sign in: suggested to the provider, which decides.
    pub user: String,
}

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    pub scopes: Vec<String>,
    /// RFC 8707, for providers that want it.
    pub resource: Option<String>,
}

/// What opens with a token: decides what is asked for where the configuration does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// A Dataverse organisation at this address.
    Organisation(&'a Url),
    Imap,
    Pop3,
    Submission,
    /// A calendar or address book.
    Dav,
}

impl Provider {
    /// The scopes that a token for this must have; `None` where only the user can know.
    /// <https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth>
    pub fn scopes(&self, purpose: Purpose<'_>) -> Option<Vec<String>> {
        let Self::Entra { .. } = self else { return Some(Vec::new()) };
        let exchange = |right: &str| Some(vec![format!("https://outlook.office.com/{right}")]);
        match purpose {
            Purpose::Organisation(url) => {
                let root = url.as_str().trim_end_matches('/');
                Some(vec![format!("{root}/user_impersonation")])
            }
            Purpose::Imap => exchange("IMAP.AccessAsUser.All"),
            Purpose::Pop3 => exchange("POP.AccessAsUser.All"),
            Purpose::Submission => exchange("SMTP.Send"),
            Purpose::Dav => None,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entra { tenant } => write!(f, "Microsoft ({tenant})"),
            Self::Issuer(url) => f.write_str(url.as_str().trim_end_matches('/')),
        }
    }
}

impl Identity {
    /// Tells this sign-in from all others, in letters that fit a file's name.
    pub fn key(&self) -> String {
        let mut sum = Sha256::new();
        for part in [&self.provider.to_string(), &self.client_id, &self.user] {
            sum.update((part.len() as u64).to_be_bytes());
            sum.update(part);
        }
        sum.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.user, self.provider)
    }
}

/// That a person must sign in before anything goes on.
fn sign_in_needed(identity: &Identity, why: &str) -> Error {
    Error::new(ErrorKind::Unauthorised, format!("the sign-in of {identity} {why}"))
        .hint("sign in: `liaison auth login`")
}
