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
