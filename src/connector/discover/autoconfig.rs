//! Reads the description of a mail provider that Thunderbird defined and many domains serve
//! (<https://wiki.mozilla.org/Thunderbird:Autoconfiguration:ConfigFileFormat>): servers for messages, and where calendars and
//! address books are. It must not know where the text came from.
//!
//! The text is hostile until read: document types and unknown entities are refused, depth, texts and lists are bounded, and names
//! of servers and addresses are checked. What is described and cannot be used (another protocol, no protection) is left out.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{Person, Place, Protocol, Service};
use crate::connector::net::Security;
use crate::connector::{Error, ErrorKind, Result, http, xml};

const DEPTH_MAX: usize = 16;

/// The longest text of an element that counts.
const TEXT_MAX: usize = 1024;

/// Providers describe a handful.
const SERVICES_MAX: usize = 32;

/// All usable services, in the order of the text, which is the provider's order of preference.
///
/// # Errors
/// [`ErrorKind::Malformed`] for what is not such a description, whole and within the limits.
pub(super) fn read(text: &[u8], person: &Person) -> Result<Vec<Service>> {
    let text = str::from_utf8(text).map_err(|_| malformed("it is not UTF-8"))?;
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut state = State {
        person,
        open: Vec::new(),
        is_config: false,
        current: None,
        text: String::new(),
        found: Vec::new(),
    };
    loop {
        match reader.read_event().map_err(|error| malformed("it is not XML").caused_by(error))? {
            Event::Start(tag) => state.open(&tag)?,
            Event::Empty(tag) => {
                state.open(&tag)?;
                state.close();
            }
            Event::End(_) => state.close(),
            Event::Text(text) => state.text(&text.xml10_content())?,
            Event::CData(text) => state.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let character = xml::character(&reference)
                    .ok_or_else(|| malformed("it uses an entity that XML does not have"))?;
                state.text(character.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) => return Err(malformed("it declares a document type")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof if state.is_config && state.open.is_empty() => return Ok(state.found),
            Event::Eof => return Err(malformed("it is no description of a provider")),
        }
    }
}

/// A service that is being described.
#[derive(Default)]
struct Described {
    /// `imap`, `smtp`, `caldav`, …
    kind: String,
    host: String,
    port: String,
    socket: String,
    user: String,
    url: String,
    oauth: bool,
    password: bool,
}

struct State<'a> {
    person: &'a Person,
    open: Vec<String>,
    is_config: bool,
    current: Option<Described>,
    text: String,
    found: Vec<Service>,
}

impl State<'_> {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<()> {
        let name = tag.local_name().as_ref().to_ascii_lowercase();
        if self.open.is_empty() {
            self.is_config = name == "clientconfig";
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(malformed("it nests too deep"));
        }
        let is_service = matches!(
            name.as_str(),
            "incomingserver" | "outgoingserver" | "addressbook" | "calendar"
        );
        if is_service && self.current.is_none() {
            let kind = tag.try_get_attribute("type").ok().flatten();
            let kind = kind.map(|kind| kind.value.to_ascii_lowercase()).unwrap_or_default();
            self.current = Some(Described { kind, ..Described::default() });
        }
        self.open.push(name);
        self.text.clear();
        Ok(())
    }

    fn close(&mut self) {
        let Some(name) = self.open.pop() else { return };
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        let Some(current) = &mut self.current else { return };
        match name.as_str() {
            "hostname" => text.clone_into(&mut current.host),
            "port" => text.clone_into(&mut current.port),
            "sockettype" => text.clone_into(&mut current.socket),
            "username" => text.clone_into(&mut current.user),
            "serverurl" => text.clone_into(&mut current.url),
            "authentication" => {
                let is_oauth = text.eq_ignore_ascii_case("oauth2");
                current.oauth |= is_oauth;
                current.password |= text.starts_with("password-")
                    || matches!(text.to_ascii_lowercase().as_str(), "plain" | "basic");
            }
            "incomingserver" | "outgoingserver" | "addressbook" | "calendar" => {
                let described = self.current.take();
                let service = described.and_then(|described| described.service(self.person));
                self.found.extend(service.filter(|_| self.found.len() < SERVICES_MAX));
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) -> Result<()> {
        if self.open.is_empty() {
            return if text.trim().is_empty() {
                Ok(())
            } else {
                Err(malformed("it is no description of a provider"))
            };
        }
        if self.current.is_some() {
            if self.text.len() + text.len() > TEXT_MAX {
                return Err(malformed("it holds a text that is too long"));
            }
            self.text.push_str(text);
        }
        Ok(())
    }
}

impl Described {
    /// `None` for what we do not speak, and for what would go unprotected.
    fn service(self, person: &Person) -> Option<Service> {
        let protocol = match self.kind.as_str() {
            "imap" => Protocol::Imap,
            "pop3" => Protocol::Pop3,
            "smtp" => Protocol::Submission,
            "caldav" => Protocol::CalDav,
            "carddav" => Protocol::CardDav,
            _ => return None,
        };
        let place = if matches!(protocol, Protocol::CalDav | Protocol::CardDav) {
            Place::Url(http::server_url(&person.fill(&self.url)).ok()?)
        } else {
            let security = match self.socket.to_ascii_lowercase().as_str() {
                "ssl" => Security::Tls,
                "starttls" => Security::StartTls,
                _ => return None,
            };
            let port: u16 = self.port.parse().ok().filter(|port| *port > 0)?;
            Place::server(&person.fill(&self.host), port, security)?
        };
        let user = Some(person.fill(&self.user)).filter(|user| {
            !user.is_empty() && !user.contains(char::is_control) && !user.contains('%')
        });
        let oauth_only = self.oauth && !self.password;
        Some(Service { protocol, place, user, oauth: self.oauth, oauth_only })
    }
}

fn malformed(reason: &str) -> Error {
    let message = format!("the description of the mail provider cannot be used: {reason}");
    Error::new(ErrorKind::Malformed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna() -> Person {
        Person::parse("Anna@Example.org").unwrap()
    }

    const TEXT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="example.org">
    <domain>example.org</domain>
    <displayName>Post &amp; more</displayName>
    <incomingServer type="imap">
      <hostname>imap.%EMAILDOMAIN%</hostname> <port>993</port> <socketType>SSL</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>OAuth2</authentication> <authentication>password-cleartext</authentication>
    </incomingServer>
    <incomingServer type="imap">
      <hostname>plain.example.org</hostname> <port>143</port> <socketType>plain</socketType>
    </incomingServer>
    <incomingServer type="exchange"><hostname>x</hostname></incomingServer>
    <outgoingServer type="smtp">
      <hostname>smtp.example.org</hostname> <port>587</port> <socketType>STARTTLS</socketType>
      <username>%EMAILLOCALPART%</username> <authentication>OAuth2</authentication>
    </outgoingServer>
  </emailProvider>
  <addressBook type="carddav"><serverURL>https://dav.example.org/&#x7e;x/</serverURL></addressBook>
  <calendar type="caldav"><serverURL>http://dav.example.org/</serverURL></calendar>
</clientConfig>"#;

    #[test]
    fn what_can_be_used_is_read_and_the_rest_is_left_out() {
        let found = read(TEXT.as_bytes(), &anna()).unwrap();
        let server = |host, port, security| Place::server(host, port, security).unwrap();
        let [imap, smtp, cards] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(imap.protocol, Protocol::Imap);
        assert_eq!(imap.place, server("imap.example.org", 993, Security::Tls));
        assert_eq!(imap.user.as_deref(), Some("Anna@example.org"));
        assert!(imap.oauth && !imap.oauth_only);
        assert_eq!(smtp.place, server("smtp.example.org", 587, Security::StartTls));
        assert_eq!((smtp.user.as_deref(), smtp.oauth_only), (Some("Anna"), true));
        let Place::Url(url) = &cards.place else { panic!("{cards:?}") };
        assert_eq!(
            (cards.protocol, url.as_str()),
            (Protocol::CardDav, "https://dav.example.org/~x/")
        );
    }

    #[test]
    fn hostile_texts_are_refused_with_a_reason() {
        let deep = format!("<clientConfig>{}", "<a>".repeat(100));
        let long = format!("<clientConfig><calendar type='caldav'><serverURL>{}", "x".repeat(5000));
        for (text, reason) in [
            ("", "no description"),
            ("<html><body>404</body></html>", "no description"),
            ("hello", "no description"),
            ("<clientConfig>", "no description"),
            ("<clientConfig></wrong>", "not XML"),
            ("<!DOCTYPE x [<!ENTITY a \"b\">]><clientConfig>&a;</clientConfig>", "document type"),
            ("<clientConfig>&lol;</clientConfig>", "entity"),
            (&deep, "too deep"),
            (&long, "too long"),
        ] {
            let error = read(text.as_bytes(), &anna()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Malformed);
            assert!(error.message.contains(reason), "{text}: {error}");
        }
        assert!(read(b"<clientConfig>\xff</clientConfig>", &anna()).is_err());
        let many = "<calendar type='caldav'><serverURL>https://x.example</serverURL></calendar>"
            .repeat(500);
        let many = format!("<clientConfig>{many}</clientConfig>");
        assert_eq!(read(many.as_bytes(), &anna()).unwrap().len(), SERVICES_MAX);
    }

    #[test]
    fn names_of_servers_that_are_none_are_left_out() {
        for host in ["", "a b", "a/b", "a@b", "-", "x:1", "%EMAILHOST%", "a..b", &"x".repeat(300)] {
            let text = format!(
                "<clientConfig><incomingServer type='imap'><hostname>{host}</hostname><port>993</port>\
                 <socketType>SSL</socketType></incomingServer></clientConfig>"
            );
            assert_eq!(read(text.as_bytes(), &anna()).unwrap(), [], "{host}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            drop(read(&bytes, &anna()));
        }
    }
}
