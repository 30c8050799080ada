//! What must be known before the first write, asked for then: whether writing is allowed, and whether the server writes to
//! attendees by itself.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, SERVER};

use super::client::Ask;
use super::discover::Collection;
use super::href::Base;
use super::schedule::Scheduler;
use super::{Dav, Invitations};
use crate::connector::{Result, Scope, http};
use crate::model::Class;

/// What may be done with a collection, and what follows from it.
#[derive(Debug, Clone)]
pub(super) struct Rights {
    pub(super) writable: bool,
    /// Who would write to attendees if we did not prevent it; `None` where nobody would, or may.
    pub(super) scheduler: Option<Scheduler>,
}

/// How a server presents itself (RFC 4918 §10.1).
#[derive(Debug, Clone, Default)]
pub(super) struct Manner {
    /// Whether it writes to attendees; also where it does not say what it does.
    pub(super) schedules: bool,
    /// Whether it can be told not to.
    pub(super) obeys: bool,
    /// Its clock.
    pub(super) date: Option<Timestamp>,
}

impl Manner {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let words: BTreeSet<String> = headers
            .get_all(HeaderName::from_static("dav"))
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(','))
            .map(|word| word.trim().to_ascii_lowercase())
            .filter(|word| !word.is_empty())
            .collect();
        let text = |name| headers.get(name).and_then(|header| header.to_str().ok());
        Self {
            // `calendar-schedule` is what came before RFC 6638.
            schedules: words.is_empty()
                || words.contains("calendar-auto-schedule")
                || words.contains("calendar-schedule"),
            obeys: text(SERVER).is_some_and(is_obedient),
            date: http::date(headers),
        }
    }
}

/// Cyrus from 3.6 on sends nothing because of a request with `Scheduling-Enabled: F`; a test against the real one shows it.
fn is_obedient(server: &str) -> bool {
    let version = server.split_ascii_whitespace().find_map(|word| word.strip_prefix("Cyrus-HTTP/"));
    let number = |part: Option<&str>| -> Option<u32> {
        let digits = part?.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    };
    let Some(version) = version else { return false };
    let mut parts = version.split('.');
    match (number(parts.next()), number(parts.next())) {
        (Some(major), Some(minor)) => (major, minor) >= (3, 6),
        _ => false,
    }
}

impl Dav {
    /// What may be done here. Remembered once writing is allowed; until then it may become so.
    pub(super) async fn rights(&self) -> Result<Rights> {
        let known = self.rights.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(rights) = known {
            return Ok(rights);
        }
        let collection = self.located().await?;
        self.settle(&collection);
        let scheduler = self.scheduler(&collection).await?;
        let rights = Rights { writable: collection.writable, scheduler };
        if rights.writable {
            *self.rights.lock().unwrap_or_else(PoisonError::into_inner) = Some(rights.clone());
        }
        Ok(rights)
    }

    async fn scheduler(&self, collection: &Collection) -> Result<Option<Scheduler>> {
        let is_concerned = !self.options().classes.contains(&Class::Contact)
            && self.options().invitations == Invitations::Never;
        if !is_concerned {
            return Ok(None);
        }
        let manner = self.manner(collection).await?;
        if !manner.schedules {
            return Ok(None);
        }
        let addresses = match self.addresses(collection).await {
            Ok(addresses) => addresses,
            Err(error) if error.kind.scope() == Scope::Account => return Err(error),
            // Who the user is stays unknown: then every meeting counts as the user's own.
            Err(_) => BTreeSet::new(),
        };
        Ok(Some(Scheduler { addresses, obeys: manner.obeys }))
    }

    /// How the server presents itself; where it does not, the worst is assumed.
    pub(super) async fn manner(&self, collection: &Collection) -> Result<Manner> {
        let url = Base::new(collection.url.clone()).url().clone();
        let answer = self
            .client()
            .send(&Ask::new(Method::OPTIONS, url), "ask what the server can do")
            .await?;
        if answer.status.is_success() {
            return Ok(Manner::of(&answer.headers));
        }
        Ok(Manner { schedules: true, ..Manner::of(&answer.headers) })
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn manner(headers: &[(&'static str, &'static str)]) -> Manner {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        Manner::of(&map)
    }

    #[test]
    fn a_server_that_does_not_say_so_is_taken_to_write_to_attendees() {
        assert!(manner(&[]).schedules);
        assert!(
            manner(&[("dav", "1, 2"), ("dav", "calendar-access, Calendar-Auto-Schedule")])
                .schedules
        );
        assert!(manner(&[("dav", "1, calendar-schedule")]).schedules);
        assert!(!manner(&[("dav", "1, 2, 3, calendar-access, addressbook")]).schedules);
    }

    #[test]
    fn only_what_was_tested_counts_as_obedient() {
        for (server, obeys) in [
            ("Cyrus-HTTP/3.6.1-Debian-3.6.1-4+deb12u5 Cyrus-SASL/2.1.28", true),
            ("Cyrus-HTTP/3.12", true),
            ("Cyrus-HTTP/4.0.0", true),
            ("Cyrus-HTTP/3.4.9", false),
            ("Cyrus-HTTP/x", false),
            ("nginx", false),
        ] {
            assert_eq!(manner(&[("server", server)]).obeys, obeys, "{server}");
        }
    }
}
