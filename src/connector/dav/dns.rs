//! Which host serves the calendars or contacts of a domain, by DNS (RFC 6764 §3): SRV, and TXT for the path. It must not know
//! whether the answer is to be trusted.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

use crate::connector::{Error, ErrorKind, Result};
use crate::model::Class;

/// For both questions together.
const TIME_LIMIT: Duration = Duration::from_secs(10);

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
/// [`ErrorKind::Unreachable`] when DNS gave no answer in time.
pub(super) async fn named(
    domain: &str,
    class: Class,
    name_server: Option<SocketAddr>,
) -> Result<Option<Named>> {
    let service = match class {
        Class::Contact => "_carddavs",
        Class::Task | Class::Appointment | Class::Email => "_caldavs",
    };
    let name = format!("{service}._tcp.{domain}.");
    let asked = tokio::time::timeout(TIME_LIMIT, ask(&name, name_server)).await;
    asked.map_err(|_| unreachable(&name))?
}

async fn ask(name: &str, name_server: Option<SocketAddr>) -> Result<Option<Named>> {
    let resolver = resolver(name_server).map_err(|error| unreachable(name).caused_by(error))?;
    let servers = match resolver.srv_lookup(name).await {
        Ok(servers) => servers,
        Err(error) if error.is_no_records_found() || error.is_nx_domain() => return Ok(None),
        Err(error) => return Err(unreachable(name).caused_by(error)),
    };
    let servers = servers.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(server) => Some(server),
        _ => None,
    });
    // The weight spreads load among equals; one client is no load, and a steady choice is easier to understand.
    let best = servers.min_by_key(|server| (server.priority, u16::MAX - server.weight));
    let Some(best) = best else { return Ok(None) };
    let host = best.target.to_ascii().trim_end_matches('.').to_ascii_lowercase();
    if host.is_empty() {
        return Ok(None);
    }
    let path = match resolver.txt_lookup(name).await {
        Ok(texts) => texts.answers().iter().find_map(|record| match &record.data {
            RData::TXT(text) => text.txt_data.iter().find_map(|text| path(text)),
            _ => None,
        }),
        // It is optional.
        Err(_) => None,
    };
    Ok(Some(Named { host, port: best.port, path }))
}

fn path(text: &[u8]) -> Option<String> {
    let path = str::from_utf8(text).ok()?.strip_prefix("path=")?;
    path.starts_with('/').then(|| path.to_owned())
}

fn resolver(
    name_server: Option<SocketAddr>,
) -> std::result::Result<TokioResolver, hickory_resolver::net::NetError> {
    let Some(address) = name_server else { return TokioResolver::builder_tokio()?.build() };
    let mut connection = ConnectionConfig::udp();
    connection.port = address.port();
    let server = NameServerConfig::new(address.ip(), true, vec![connection]);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build()
}

fn unreachable(name: &str) -> Error {
    Error::new(ErrorKind::Unreachable, format!("DNS gave no answer about {name}"))
        .hint("write the address of the server as `url`")
}

#[cfg(test)]
mod tests {
    use tokio::net::UdpSocket;

    use super::*;
    use crate::clock::Clock;
    use crate::connector::Connector as _;
    use crate::connector::dav::Dav;

    /// Answers questions about SRV and TXT with this data, others with "no such name".
    async fn serve(server: Option<Vec<u8>>, text: Option<Vec<u8>>) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut query = [0; 1500];
            loop {
                let (length, from) = socket.recv_from(&mut query).await.unwrap();
                let name = query[12..length].iter().position(|byte| *byte == 0).unwrap() + 13;
                let kind = query[name + 1];
                let data = if kind == 33 { &server } else { &text };
                let counts = u8::from(data.is_some());
                let flags = if data.is_some() { [0x81, 0x80] } else { [0x81, 0x83] };
                let mut answer = query[..2].to_vec();
                answer.extend(flags);
                answer.extend([0, 1, 0, counts, 0, 0, 0, 0]);
                answer.extend(&query[12..name + 4]);
                if let Some(data) = data {
                    answer.extend([0xC0, 12, 0, kind, 0, 1, 0, 0, 0, 60]);
                    answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
                    answer.extend(data);
                }
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        address
    }

    fn srv(port: u16, labels: &[&str]) -> Vec<u8> {
        let mut data = vec![0, 0, 0, 1];
        data.extend(port.to_be_bytes());
        for label in labels {
            data.push(u8::try_from(label.len()).unwrap());
            data.extend(label.bytes());
        }
        data.push(0);
        data
    }

    #[tokio::test]
    async fn dns_names_a_server_a_path_or_nothing() {
        let ask = |server| named("example.org", Class::Contact, Some(server));
        let host = srv(8443, &["DAV", "example", "org"]);
        let found = |path: Option<&str>| {
            let path = path.map(str::to_owned);
            Some(Named { host: "dav.example.org".to_owned(), port: 8443, path })
        };
        let both = serve(Some(host.clone()), Some(b"\x0apath=/dav/".to_vec())).await;
        assert_eq!(ask(both).await.unwrap(), found(Some("/dav/")));
        let other_text = serve(Some(host.clone()), Some(b"\x05path=".to_vec())).await;
        assert_eq!(ask(other_text).await.unwrap(), found(None));
        assert_eq!(ask(serve(Some(host), None).await).await.unwrap(), found(None));
        assert_eq!(ask(serve(None, None).await).await.unwrap(), None);
        // "There is no such service here" (RFC 2782).
        assert_eq!(ask(serve(Some(srv(0, &[])), None).await).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_only_dns_says_of_another_domain_is_not_believed() {
        let server = serve(Some(srv(443, &["dav", "evil", "example"])), None).await;
        let mut options = super::super::Options::new("anna@example.org", [Class::Contact]);
        options.name_server = Some(server);
        let dav = Dav::new(options, Clock::system()).unwrap();
        let error = dav.list(Class::Contact).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert!(error.hint.unwrap().contains("https://dav.evil.example/"));
        assert_eq!(dav.requests(), 0);
    }
}
