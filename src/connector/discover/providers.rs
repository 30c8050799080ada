//! Providers that very many people have, and where their services are: by the domains of their addresses, and by the hosts that
//! take the mail of their customers' own domains. Each fact from the page that is named with it. It must not know who asks.

use super::Protocol::{self, CalDav, CardDav, Imap, Pop3, Submission};
use super::{Person, Place, Service};
use crate::connector::http;
use crate::connector::net::Security::{self, StartTls, Tls};

/// A provider.
#[derive(Debug)]
pub struct Provider {
    pub name: &'static str,
    /// Where these facts stand.
    pub source: &'static str,
    /// Domains of addresses.
    domains: &'static [&'static str],
    /// How the names of the hosts end that take mail for domains of customers.
    mail_hosts: &'static [&'static str],
    services: &'static [Fact],
    /// Whether it takes no passwords at all.
    oauth_only: bool,
    /// Whether it can be signed in to by OAuth.
    oauth: bool,
    /// What a person must know before signing in.
    pub advice: Option<&'static str>,
}

type Fact = (Protocol, &'static str, u16, Security);

/// For those that have an address of the web, which has its port in it.
const WEB: (u16, Security) = (0, Tls);

const PROVIDERS: &[Provider] = &[
    Provider {
        name: "Microsoft 365",
        source: "https://support.microsoft.com/office/pop-imap-and-smtp-settings-8361e398-8af4-4e97-b147-6c6c4ac95353",
        domains: &["outlook.com", "hotmail.com", "live.com", "msn.com", "onmicrosoft.com"],
        mail_hosts: &["mail.protection.outlook.com", "olc.protection.outlook.com", "mx.microsoft"],
        services: &[
            (Imap, "outlook.office365.com", 993, Tls),
            (Pop3, "outlook.office365.com", 995, Tls),
            (Submission, "smtp.office365.com", 587, StartTls),
        ],
        oauth_only: true,
        oauth: true,
        advice: Some(
            "it takes no passwords, only sign-in by browser; it has no CalDAV and no CardDAV",
        ),
    },
    Provider {
        name: "Gmail",
        source: "https://developers.google.com/workspace/gmail/imap/imap-smtp",
        domains: &["gmail.com", "googlemail.com"],
        mail_hosts: &["google.com", "googlemail.com"],
        services: &[
            (Imap, "imap.gmail.com", 993, Tls),
            (Pop3, "pop.gmail.com", 995, Tls),
            (Submission, "smtp.gmail.com", 465, Tls),
            (
                CalDav,
                "https://apidata.googleusercontent.com/caldav/v2/%EMAILADDRESS%/user",
                WEB.0,
                WEB.1,
            ),
            (CardDav, "https://www.googleapis.com/.well-known/carddav", WEB.0, WEB.1),
        ],
        oauth_only: false,
        oauth: true,
        advice: Some(
            "for messages it wants an app password (myaccount.google.com/apppasswords); calendars and contacts \
             take only sign-in by browser",
        ),
    },
    Provider {
        name: "iCloud",
        source: "https://support.apple.com/102525",
        domains: &["icloud.com", "me.com", "mac.com"],
        mail_hosts: &["mail.icloud.com"],
        services: &[
            (Imap, "imap.mail.me.com", 993, Tls),
            (Submission, "smtp.mail.me.com", 587, StartTls),
            (CalDav, "https://caldav.icloud.com/", WEB.0, WEB.1),
            (CardDav, "https://contacts.icloud.com/", WEB.0, WEB.1),
        ],
        oauth_only: false,
        oauth: false,
        advice: Some(
            "it wants an app-specific password: account.apple.com, “Sign-In and Security”",
        ),
    },
    Provider {
        name: "Fastmail",
        source: "https://www.fastmail.com/help/technical/servernamesandports.html",
        domains: &["fastmail.com", "fastmail.fm"],
        mail_hosts: &["messagingengine.com"],
        services: &[
            (Imap, "imap.fastmail.com", 993, Tls),
            (Pop3, "pop.fastmail.com", 995, Tls),
            (Submission, "smtp.fastmail.com", 465, Tls),
            (CalDav, "https://caldav.fastmail.com/", WEB.0, WEB.1),
            (CardDav, "https://carddav.fastmail.com/", WEB.0, WEB.1),
        ],
        oauth_only: false,
        oauth: false,
        advice: Some("it wants an app password: Settings, “Privacy & Security”"),
    },
    Provider {
        name: "Yahoo",
        source: "https://help.yahoo.com/kb/SLN4075.html",
        domains: &["yahoo.com", "ymail.com", "rocketmail.com"],
        mail_hosts: &["yahoodns.net"],
        services: &[
            (Imap, "imap.mail.yahoo.com", 993, Tls),
            (Pop3, "pop.mail.yahoo.com", 995, Tls),
            (Submission, "smtp.mail.yahoo.com", 465, Tls),
        ],
        oauth_only: false,
        oauth: false,
        advice: Some("it wants an app password: Account Security"),
    },
];

impl Provider {
    /// The provider of addresses in this domain.
    pub fn of_domain(domain: &str) -> Option<&'static Self> {
        PROVIDERS
            .iter()
            .find(|provider| provider.domains.iter().any(|known| is_below(domain, known)))
    }

    /// The provider that this host takes mail for.
    pub fn of_mail_host(host: &str) -> Option<&'static Self> {
        PROVIDERS
            .iter()
            .find(|provider| provider.mail_hosts.iter().any(|known| is_below(host, known)))
    }

    pub(super) fn services(&self, person: &Person) -> impl Iterator<Item = Service> {
        self.services.iter().filter_map(move |(protocol, at, port, security)| {
            let place = match protocol {
                CalDav | CardDav => Place::Url(http::server_url(&person.fill(at)).ok()?),
                Imap | Pop3 | Submission => Place::server(at, *port, *security)?,
            };
            let is_web = matches!(protocol, CalDav | CardDav);
            // Google's calendars and contacts take bearer tokens only
            // (<https://developers.google.com/workspace/calendar/caldav/v2/guide>).
            let oauth_only = self.oauth_only || (self.oauth && is_web);
            Some(Service { protocol: *protocol, place, user: None, oauth: self.oauth, oauth_only })
        })
    }
}

fn is_below(name: &str, known: &str) -> bool {
    name == known || name.strip_suffix(known).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_known_by_its_domains_and_by_who_takes_the_mail() {
        let name = |provider: Option<&Provider>| provider.map(|provider| provider.name);
        for (domain, expected) in [
            ("gmail.com", Some("Gmail")),
            ("contoso.onmicrosoft.com", Some("Microsoft 365")),
            ("notgmail.com", None),
            ("gmail.com.evil.example", None),
        ] {
            assert_eq!(name(Provider::of_domain(domain)), expected, "{domain}");
        }
        for (host, expected) in [
            ("contoso-com.mail.protection.outlook.com", Some("Microsoft 365")),
            ("aspmx.l.google.com", Some("Gmail")),
            ("in1-smtp.messagingengine.com", Some("Fastmail")),
            ("mx.example.org", None),
        ] {
            assert_eq!(name(Provider::of_mail_host(host)), expected, "{host}");
        }
    }

    #[test]
    fn every_fact_can_be_used_and_has_a_source() {
        for provider in PROVIDERS {
            let anna = Person::parse("anna@example.org").unwrap();
            assert_eq!(
                provider.services(&anna).count(),
                provider.services.len(),
                "{}",
                provider.name
            );
            assert!(provider.source.starts_with("https://"));
        }
    }
}
