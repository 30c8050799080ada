//! From an address to a collection (RFC 6764, RFC 5397, RFC 4791 §6.2, RFC 6352 §7.1): the address may be that of a collection,
//! a principal or a server, a domain, or an e-mail address.
//!
//! Who gets to see the credentials: the host that the configuration names; a host that it redirects to, or refers to, over TLS,
//! since then it is the named host that says so; and a host that DNS names, but only below the domain asked for, since DNS
//! proves nothing (RFC 6764 §8). Always by https, on this machine also by http. Outside of discovery nothing is followed.

use std::collections::BTreeSet;

use reqwest::header::LOCATION;
use reqwest::{StatusCode, Url};

use super::href::Base;
use super::multistatus::{self, Multistatus, Properties};
use super::read::{ask_xml, collection_is_gone};
use super::refused::refused;
use super::{Dav, body, dns};
use crate::connector::{Error, ErrorKind, Result, Scope, http};
use crate::model::Class;

/// `.well-known`, the real root, perhaps a slash: more is a loop.
const REDIRECTS_MAX: usize = 5;

/// Principals may have several homes.
const HOMES_MAX: usize = 10;

/// Collections named in a sentence.
const NAMED_MAX: usize = 10;

/// A calendar or an address book, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    pub url: Url,
    /// As the user calls it.
    pub name: Option<String>,
    /// What it may hold.
    pub classes: BTreeSet<Class>,
    pub writable: bool,
    /// Whether it tells what changed.
    pub sync: bool,
    /// Whether it tells that something changed.
    pub ctag: bool,
    /// Who asks, as the server calls them.
    pub(super) principal: Option<String>,
}

impl Collection {
    /// `None` for what is neither a calendar nor an address book, or one that only carries invitations.
    fn of(url: Url, properties: &Properties) -> Option<Self> {
        let is = |kind: &str| properties.kinds.contains(kind);
        let classes = if is("schedule-inbox") || is("schedule-outbox") {
            return None;
        } else if is("calendar") {
            let all = [("VEVENT", Class::Appointment), ("VTODO", Class::Task)];
            let holds = |name: &str| {
                properties.components.is_empty() || properties.components.contains(name)
            };
            all.into_iter().filter(|(name, _)| holds(name)).map(|(_, class)| class).collect()
        } else if is("addressbook") {
            BTreeSet::from([Class::Contact])
        } else {
            return None;
        };
        // `bind` is what creating takes, `write-content` what changing takes (RFC 3744 §3).
        let writable = properties.privileges.as_ref().is_none_or(|may| {
            may.contains("all")
                || may.contains("write")
                || (may.contains("bind") && may.contains("write-content"))
        });
        let reports = properties.reports.as_ref();
        Some(Self {
            url,
            name: properties.display_name.clone(),
            classes,
            writable,
            sync: reports.is_some_and(|reports| reports.contains("sync-collection")),
            ctag: properties.ctag.is_some(),
            principal: properties.principal.clone(),
        })
    }

    fn suits(&self, classes: &BTreeSet<Class>) -> bool {
        classes.is_subset(&self.classes)
    }
}

/// What the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Url(Url),
    Domain(String),
}

impl Place {
    /// # Errors
    /// [`ErrorKind::Unsupported`] for what is neither an address of the web, by https or on this machine, nor a domain.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.contains("://") {
            let url = http::server_url(text).map_err(|error| {
                error.hint("an address looks like https://dav.example.org/anna/calendar/")
            })?;
            return Ok(Self::Url(url));
        }
        let domain = text.rsplit_once('@').map_or(text, |(_, domain)| domain);
        let is_domain = domain.contains('.')
            && domain.len() <= 253
            && domain.split('.').all(|label| {
                !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            });
        if is_domain {
            return Ok(Self::Domain(domain.to_lowercase()));
        }
        Err(Error::new(ErrorKind::Unsupported, "this is neither an address nor a domain")
            .hint("write `url` like https://dav.example.org/anna/calendar/, or only example.org"))
    }
}

impl Dav {
    /// The one collection that is meant, asked for.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when none suits, or several do.
    pub(super) async fn located(&self) -> Result<Collection> {
        let mut found = self.collections().await?;
        if let Place::Url(url) = &self.place {
            let base = Base::new(url.clone());
            // Exactly what was written, even if there are others.
            if let Some(at) = found.iter().position(|found| Base::new(found.url.clone()) == base) {
                return self.suited(found.swap_remove(at));
            }
        }
        found.retain(|found| found.suits(&self.options().classes));
        match found.len() {
            0 => Err(Error::new(
                ErrorKind::Unsupported,
                format!("the server has no collection for {}", self.what_for()),
            )
            .hint("make one in your calendar or contacts program, or check `url`")),
            1 => Ok(found.swap_remove(0)),
            _ => {
                let urls: Vec<&str> =
                    found.iter().take(NAMED_MAX).map(|found| found.url.as_str()).collect();
                Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("the server has {} collections for {}", found.len(), self.what_for()),
                )
                .hint(format!("write one of them as `url`: {}", urls.join(", "))))
            }
        }
    }

    fn suited(&self, collection: Collection) -> Result<Collection> {
        if collection.suits(&self.options().classes) {
            return Ok(collection);
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{} does not take {}", collection.url, self.what_for()),
        )
        .hint("choose another collection with `url`"))
    }

    fn what_for(&self) -> String {
        let classes: Vec<String> =
            self.options().classes.iter().map(|class| format!("{class}s")).collect();
        classes.join(" and ")
    }

    /// All collections that can be found from what the configuration names: the one itself, if it names one.
    ///
    /// # Errors
    /// What the last way to find them said.
    pub async fn collections(&self) -> Result<Vec<Collection>> {
        let mut failed = None;
        for start in self.starts().await? {
            match self.from(&start).await {
                Ok(found) if found.is_empty() => {}
                Ok(found) => return Ok(found),
                Err(error) if error.kind.scope() == Scope::Account => return Err(error),
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        failed.map_or(Ok(Vec::new()), Err)
    }

    /// Where to begin, the likeliest first.
    async fn starts(&self) -> Result<Vec<Url>> {
        let well_known = if self.options().classes.contains(&Class::Contact) {
            "/.well-known/carddav"
        } else {
            "/.well-known/caldav"
        };
        match &self.place {
            Place::Url(url) => {
                Ok([Some(url.clone()), url.join(well_known).ok()].into_iter().flatten().collect())
            }
            Place::Domain(domain) => {
                let mut starts = Vec::new();
                let class = self.options().classes.first().copied().unwrap_or(Class::Appointment);
                let named = dns::named(domain, class, self.options().name_server).await;
                // A resolver that does not work is no reason to give up: `.well-known` needs none of these records.
                if let Ok(Some(named)) = named {
                    let is_below =
                        named.host == *domain || named.host.ends_with(&format!(".{domain}"));
                    if !is_below {
                        return Err(Error::new(
                            ErrorKind::Unsupported,
                            format!(
                                "DNS says that {} serves {domain}, which nothing proves",
                                named.host
                            ),
                        )
                        .hint(format!(
                            "if that is right, write url = \"https://{}/\"",
                            named.host
                        )));
                    }
                    let path = named.path.as_deref().unwrap_or(well_known);
                    starts.push(web(&named.host, named.port, path)?);
                }
                starts.push(web(domain, 443, well_known)?);
                for start in &starts {
                    self.client().admit(start);
                }
                Ok(starts)
            }
        }
    }

    /// Everything from one beginning: itself, or what its principal has.
    async fn from(&self, start: &Url) -> Result<Vec<Collection>> {
        let (url, answer) = self.follow(start, body::DESCRIBE, "0").await?;
        let Some(properties) = itself(&url, answer) else { return Err(collection_is_gone()) };
        if let Some(collection) = Collection::of(url.clone(), &properties) {
            return Ok(vec![collection]);
        }
        let Some(principal) = &properties.principal else { return Ok(Vec::new()) };
        let principal = self.referred(&url, principal)?;
        let mut found = Vec::new();
        for home in self.homes(&principal).await? {
            let (home, answer) = self.follow(&home, body::DESCRIBE, "1").await?;
            for response in answer.responses {
                // With one of them unknown, another one would pass for the only one.
                if response.status.is_some_and(|status| status >= 500 || status == 423) {
                    return Err(Error::new(
                        ErrorKind::Unreachable,
                        "the server cannot tell at present which collections it has",
                    ));
                }
                let Some(href) = response.hrefs.first() else { continue };
                let Ok(url) = self.referred(&home, href) else { continue };
                found.extend(Collection::of(Base::new(url).url().clone(), &response.properties));
            }
        }
        found.sort_by(|a, b| a.url.cmp(&b.url));
        found.dedup_by(|a, b| a.url == b.url);
        Ok(found)
    }

    async fn homes(&self, principal: &Url) -> Result<Vec<Url>> {
        let body = if self.options().classes.contains(&Class::Contact) {
            body::CONTACT_HOME
        } else {
            body::CALENDAR_HOME
        };
        let (principal, answer) = self.follow(principal, body, "0").await?;
        let properties = itself(&principal, answer).unwrap_or_default();
        let homes = properties.homes.iter().take(HOMES_MAX);
        homes.map(|home| self.referred(&principal, home)).collect()
    }

    /// By which addresses a principal is invited, in lower case.
    pub(super) async fn addresses(&self, collection: &Collection) -> Result<BTreeSet<String>> {
        let Some(principal) = &collection.principal else { return Ok(BTreeSet::new()) };
        let principal = self.referred(&collection.url, principal)?;
        let (principal, answer) = self.follow(&principal, body::CALENDAR_HOME, "0").await?;
        let properties = itself(&principal, answer).unwrap_or_default();
        Ok(properties.addresses.iter().map(|address| address.to_lowercase()).collect())
    }

    /// A PROPFIND that follows redirects; also where it ended.
    async fn follow(
        &self,
        start: &Url,
        body: &'static str,
        depth: &'static str,
    ) -> Result<(Url, Multistatus)> {
        const DOING: &str = "look for the collection";
        let mut url = start.clone();
        for _ in 0..=REDIRECTS_MAX {
            let answer = self
                .client()
                .send(&ask_xml(b"PROPFIND", &url, depth).with_body(body), DOING)
                .await?;
            if answer.status == StatusCode::MULTI_STATUS {
                return Ok((url, multistatus::read(&answer.body)?));
            }
            let error = refused(&answer, DOING, self.client().clock().now());
            if !answer.status.is_redirection() {
                return Err(error);
            }
            let Some(to) = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok()) else {
                return Err(error);
            };
            url = self.referred(&url, to)?;
        }
        Err(Error::new(ErrorKind::Unsupported, "the server sends us from place to place")
            .hint("write the address of the collection as `url`"))
    }

    /// What a server refers to, if it may be asked: on the same server, or named by it over TLS.
    fn referred(&self, from: &Url, href: &str) -> Result<Url> {
        let refuse = |reason: String| {
            Err(Error::new(ErrorKind::Unsupported, reason)
                .hint("if that is the right place, write it as `url`"))
        };
        let Ok(to) = from.join(href.trim()) else {
            return refuse(format!(
                "{} refers to something that is no address",
                from.origin().ascii_serialization()
            ));
        };
        if to.origin() == from.origin() {
            return Ok(to);
        }
        let (here, there) =
            (from.origin().ascii_serialization(), to.origin().ascii_serialization());
        let to = http::server_url(to.as_str())?;
        let is_weaker = from.scheme() == "https" && to.scheme() != "https";
        let is_proven = from.scheme() == "https" || to.scheme() == "http";
        if is_weaker || !is_proven {
            return refuse(format!("{here} refers to {there}, which nothing proves"));
        }
        self.client().admit(&to);
        Ok(to)
    }
}

fn web(host: &str, port: u16, path: &str) -> Result<Url> {
    http::server_url(&format!("https://{host}:{port}{path}"))
}

/// What an answer says of the resource that was asked about. Some servers call it by another name: it is the only one then.
fn itself(url: &Url, answer: Multistatus) -> Option<Properties> {
    let base = Base::new(url.clone());
    let is_itself = |href: &String| base.member(href) == super::href::Member::Itself;
    let mut responses = answer.responses;
    let at =
        responses.iter().position(|response| response.hrefs.iter().any(is_itself)).unwrap_or(0);
    (at < responses.len()).then(|| responses.swap_remove(at).properties)
}
