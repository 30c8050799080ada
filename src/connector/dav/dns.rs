//! Which host serves the calendars or contacts of a domain, by DNS (RFC 6764 §3): SRV, and TXT for the path. It must not know
//! whether the answer is to be trusted.

use std::net::SocketAddr;

use crate::connector::Result;
use crate::connector::dns::Names;
use crate::model::Class;

/// A server that DNS names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) host: String,
    pub(super) port: u16,
    /// From the root, where DNS names one.
    pub(super) path: Option<String>,
}

/// The server of a domain; `None` where DNS names none, or says that there is none.
///
/// # Errors
/// [`crate::connector::ErrorKind::Unreachable`] when DNS gave no answer in time.
pub(super) async fn named(
    domain: &str,
    class: Class,
    name_server: Option<SocketAddr>,
) -> Result<Option<Named>> {
    let service = match class {
        Class::Contact => "_carddavs",
        Class::Task | Class::Appointment | Class::Email => "_caldavs",
    };
    let name = format!("{service}._tcp.{domain}");
    let how =
        |error: crate::connector::Error| error.hint("write the address of the server as `url`");
    let names = Names::new(name_server).map_err(how)?;
    let Some(best) = names.services(&name).await.map_err(how)?.into_iter().next() else {
        return Ok(None);
    };
    // It is optional.
    let texts = names.texts(&name).await.unwrap_or_default();
    let path = texts.iter().find_map(|text| path(text));
    Ok(Some(Named { host: best.host, port: best.port, path }))
}

fn path(text: &[u8]) -> Option<String> {
    let path = str::from_utf8(text).ok()?.strip_prefix("path=")?;
    path.starts_with('/').then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::connector::dav::Dav;
    use crate::connector::dns::scripted::{SRV, TXT, serve, srv, txt};
    use crate::connector::{Connector as _, ErrorKind};

    const SERVICE: &str = "_carddavs._tcp.example.org";

    #[tokio::test]
    async fn dns_names_a_server_a_path_or_nothing() {
        let ask = |server| named("example.org", Class::Contact, Some(server));
        let host = || (SERVICE, SRV, vec![srv(0, 8443, "DAV.example.org")]);
        let found = |path: Option<&str>| {
            let path = path.map(str::to_owned);
            Some(Named { host: "dav.example.org".to_owned(), port: 8443, path })
        };
        let both = serve([host(), (SERVICE, TXT, vec![txt("path=/dav/")])]).await;
        assert_eq!(ask(both).await.unwrap(), found(Some("/dav/")));
        let other_text = serve([host(), (SERVICE, TXT, vec![txt("path=")])]).await;
        assert_eq!(ask(other_text).await.unwrap(), found(None));
        assert_eq!(ask(serve([host()]).await).await.unwrap(), found(None));
        assert_eq!(ask(serve([]).await).await.unwrap(), None);
        // "There is no such service here" (RFC 2782).
        let none = serve([(SERVICE, SRV, vec![srv(0, 0, "")])]).await;
        assert_eq!(ask(none).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_only_dns_says_of_another_domain_is_not_believed() {
        let server = serve([(SERVICE, SRV, vec![srv(0, 443, "dav.evil.example")])]).await;
        let mut options = super::super::Options::new("anna@example.org", [Class::Contact]);
        options.name_server = Some(server);
        let dav = Dav::new(options, Clock::system()).unwrap();
        let error = dav.list(Class::Contact).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(error.hint.unwrap().contains("https://dav.evil.example/"));
        assert_eq!(dav.requests(), 0);
    }
}
