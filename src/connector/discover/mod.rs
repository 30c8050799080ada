//! From an e-mail address to where the mailbox may be: what the domain itself says (Thunderbird's description, SRV of RFC 6186 and
//! RFC 6764, `.well-known`), what is known of its provider, and likely names, tried. Candidates with where each came from; who
//! chooses among them, and whether they work, is for others to say.
//!
//! Nothing is ever signed in to: no secret is at hand here. What is asked goes by https only (on this machine also by http), within
//! one deadline, and the whole address is told to nobody but the domain itself.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reqwest::Url;

use super::net::Security;
use super::tls::Trust;
use super::{Error, ErrorKind, Result};
use crate::model::Address;

mod autoconfig;
pub mod organisations;
mod probe;
mod providers;
#[cfg(test)]
mod tests;

pub use providers::Provider;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    Imap,
    Pop3,
    Submission,
    CardDav,
    CalDav,
}

/// Where it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Server { host: String, port: u16, security: Security },
    Url(Url),
}

impl Place {
    /// `None` for what is no name of a host.
    fn server(host: &str, port: u16, security: Security) -> Option<Self> {
        let label = |label: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            !label.is_empty() && label.len() <= 63 && label.chars().all(plain) && label != "-"
        };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_name = host.len() <= 253 && host.split('.').all(label);
        is_name.then_some(Self::Server { host, port, security })
    }

    /// The host, without its port.
    pub fn host(&self) -> &str {
        match self {
            Self::Server { host, .. } => host,
            Self::Url(url) => url.host_str().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server { host, port, security } => {
                let security = if *security == Security::Tls { "TLS" } else { "STARTTLS" };
                write!(f, "{host}:{port} ({security})")
            }
            Self::Url(url) => f.write_str(url.as_str()),
        }
    }
}

/// A service that somebody describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub protocol: Protocol,
    pub place: Place,
    /// Who signs in, where it says so.
    pub user: Option<String>,
    /// Whether it takes OAuth.
    pub oauth: bool,
    /// Whether it takes nothing else.
    pub oauth_only: bool,
}

/// Who said so; the more believable first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The domain describes it, over TLS.
    Domain,
    /// Thunderbird's list of providers.
    List,
    /// The table in this program.
    Known,
    /// The hosts that take the domain's mail are a provider's that is known.
    MailHost,
    /// DNS names it.
    Dns,
    /// Nobody: the name is a usual one, and a server answered.
    Guess,
}

impl Source {
    /// In words, behind "found ".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Domain => "as its domain describes it",
            Self::List => "in Thunderbird's list of providers",
            Self::Known => "as this provider is known",
            Self::MailHost => "by the provider that takes the domain's mail",
            Self::Dns => "by DNS",
            Self::Guess => "by trying usual names",
        }
    }
}

/// A service that may be the mailbox's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub service: Service,
    pub source: Source,
    /// Whether something better than an answer of DNS says that this host serves the domain. Where it is not, a person must say
    /// so before a secret goes there (RFC 6186 §6, RFC 6764 §8).
    pub proven: bool,
}

/// What was asked, and what came of it.
#[derive(Debug)]
pub struct Asked {
    /// In words.
    pub what: String,
    /// How many services it told.
    pub told: Result<usize>,
}

/// What was found out about an address.
#[derive(Debug, Default)]
pub struct Found {
    /// By protocol; the likeliest first.
    pub candidates: Vec<Candidate>,
    pub provider: Option<&'static Provider>,
    pub asked: Vec<Asked>,
}

impl Found {
    /// The candidates of a protocol, the likeliest first.
    pub fn of(&self, protocol: Protocol) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(move |candidate| candidate.service.protocol == protocol)
    }
}

/// Whom to ask, and how long. Tests have a world of their own.
#[derive(Debug, Clone)]
pub struct World {
    /// `None`: as the machine has it.
    pub name_server: Option<SocketAddr>,
    /// Where a domain describes itself, in [`Person::fill`]'s words; the address is added as a query to those with `true`.
    pub descriptions: Vec<(String, bool)>,
    /// Whether DNS is asked.
    pub dns: bool,
    /// Where the list of providers is, if it is asked.
    pub list: Option<String>,
    /// Where a domain's `.well-known` is, if it is asked.
    pub well_known: Option<String>,
    /// Names to try.
    pub guesses: Vec<Guess>,
    pub trust: Trust,
    /// For everything together.
    pub limit: Duration,
}

/// A name that is usual for a service.
#[derive(Debug, Clone)]
pub struct Guess {
    pub protocol: Protocol,
    /// In [`Person::fill`]'s words.
    pub host: String,
    pub port: u16,
}

impl Default for World {
    /// The Internet as it is.
    fn default() -> Self {
        let guess = |protocol, name: &str, port| Guess {
            protocol,
            host: format!("{name}.%EMAILDOMAIN%"),
            port,
        };
        Self {
            name_server: None,
            descriptions: vec![
                ("https://autoconfig.%EMAILDOMAIN%/mail/config-v1.1.xml".to_owned(), true),
                (
                    "https://%EMAILDOMAIN%/.well-known/autoconfig/mail/config-v1.1.xml".to_owned(),
                    false,
                ),
            ],
            dns: true,
            list: Some("https://autoconfig.thunderbird.net/v1.1/%EMAILDOMAIN%".to_owned()),
            well_known: Some("https://%EMAILDOMAIN%".to_owned()),
            guesses: vec![
                guess(Protocol::Imap, "imap", 993),
                guess(Protocol::Imap, "mail", 993),
                guess(Protocol::Pop3, "pop", 995),
                guess(Protocol::Submission, "smtp", 465),
                guess(Protocol::Submission, "mail", 465),
            ],
            trust: Trust::Platform,
            limit: Duration::from_secs(15),
        }
    }
}

impl World {
    /// Nobody but this description is asked.
    pub fn described_at(url: &str) -> Self {
        Self {
            descriptions: vec![(url.to_owned(), false)],
            dns: false,
            list: None,
            well_known: None,
            guesses: Vec::new(),
            ..Self::default()
        }
    }
}

/// The person whose mailbox is looked for.
#[derive(Debug, Clone)]
pub struct Person {
    address: String,
    local: String,
    domain: String,
}

impl Person {
    /// # Errors
    /// [`ErrorKind::Unsupported`] for what is no e-mail address with a domain.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = || {
            Error::new(ErrorKind::Unsupported, "this is no e-mail address")
                .hint("write it like this: anna@example.org")
        };
        Address::parse(text).ok_or_else(refuse)?;
        let (local, domain) = text.trim().rsplit_once('@').ok_or_else(refuse)?;
        if local.is_empty() || local.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(refuse());
        }
        // Other letters than those of ASCII as DNS has them.
        let domain = Url::parse(&format!("https://{domain}/")).ok();
        let is_bare = |url: &Url| {
            (url.path(), url.query(), url.fragment(), url.port()) == ("/", None, None, None)
        };
        let domain = domain.filter(is_bare).and_then(|url| Some(url.host_str()?.to_owned()));
        let domain = domain.ok_or_else(refuse)?;
        if Place::server(&domain, 1, Security::Tls).is_none() {
            return Err(refuse());
        }
        Ok(Self { address: format!("{local}@{domain}"), local: local.to_owned(), domain })
    }

    /// The part behind the `@`, in lower case.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Puts the address, its parts, in the places that descriptions of providers keep for them.
    fn fill(&self, text: &str) -> String {
        text.replace("%EMAILADDRESS%", &self.address)
            .replace("%EMAILLOCALPART%", &self.local)
            .replace("%EMAILDOMAIN%", &self.domain)
    }
}

/// Asks everybody at once, and gives what came in time: what was not answered is among [`Found::asked`], with the reason.
///
/// # Errors
/// When the address is none, or nothing can be asked from this machine.
pub async fn discover(address: &str, world: &World) -> Result<Found> {
    let person = Person::parse(address)?;
    let probe = probe::Probe::new(&person, world)?;
    let mut found = Found { provider: Provider::of_domain(person.domain()), ..Found::default() };
    if let Some(provider) = found.provider {
        found.take(provider.services(&person), Source::Known, &person);
    }
    let deadline = tokio::time::sleep(world.limit);
    tokio::pin!(deadline);
    let mut asking: FuturesUnordered<_> = probe.questions().into_iter().collect();
    let mut open: Vec<String> = asking.iter().map(|question| question.what.clone()).collect();
    loop {
        tokio::select! {
            answer = asking.next() => {
                let Some(probe::Answer { what, told }) = answer else { break };
                open.retain(|other| *other != what);
                let told = told.map(|told| {
                    found.provider = found.provider.or(told.provider);
                    found.take(told.services, told.source, &person)
                });
                found.asked.push(Asked { what, told });
            }
            () = &mut deadline => {
                let late = open.drain(..).map(|what| {
                    let message = format!("no answer within {} s", world.limit.as_secs());
                    Asked { what, told: Err(Error::new(ErrorKind::Unreachable, message)) }
                });
                found.asked.extend(late);
                break;
            }
        }
    }
    found.asked.sort_by(|one, other| one.what.cmp(&other.what));
    found
        .candidates
        .sort_by_key(|candidate| (candidate.service.protocol, !candidate.proven, candidate.source));
    Ok(found)
}

impl Found {
    /// Takes over what nobody better said before. How many services were told.
    fn take(
        &mut self,
        services: impl IntoIterator<Item = Service>,
        source: Source,
        person: &Person,
    ) -> usize {
        let mut told = 0;
        for service in services {
            told += 1;
            let host = service.place.host();
            let is_below = host == person.domain || host.ends_with(&format!(".{}", person.domain));
            let candidate =
                Candidate { proven: source != Source::Dns || is_below, source, service };
            let same = |known: &Candidate| {
                known.service.protocol == candidate.service.protocol
                    && known.service.place == candidate.service.place
            };
            match self.candidates.iter().position(same) {
                None => self.candidates.push(candidate),
                Some(at) => {
                    if let Some(known) = self.candidates.get_mut(at).filter(|known| {
                        (!known.proven, known.source) > (!candidate.proven, candidate.source)
                    }) {
                        *known = candidate;
                    }
                }
            }
        }
        told
    }
}
