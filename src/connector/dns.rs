//! Questions to DNS: which hosts offer a service (SRV, RFC 2782), which take a domain's mail (MX, RFC 5321 §5), and texts. It must
//! not know what is made of the answers; nothing proves them.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData};

use super::{Error, ErrorKind, Result};

#[cfg(test)]
pub(super) mod scripted;

/// For one question.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Hosts that are taken from one answer: nobody has more.
const HOSTS_MAX: usize = 16;

/// A resolver.
#[derive(Debug)]
pub struct Names(TokioResolver);

/// Where a service is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// In lower case, without the dot at its end.
    pub host: String,
    pub port: u16,
}

impl Names {
    /// Asks this server, or those that the machine has.
    ///
    /// # Errors
    /// [`ErrorKind::Local`] when the machine's own cannot be found out.
    pub fn new(name_server: Option<SocketAddr>) -> Result<Self> {
        resolver(name_server).map(Self).map_err(|error| {
            Error::new(ErrorKind::Local, "this machine does not say whom to ask about names")
                .caused_by(error)
        })
    }

    /// The hosts of a service (`_imaps._tcp.example.org`), the best first. Empty where there are none, or DNS says that there is
    /// no such service.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] when DNS gave no answer in time.
    pub async fn services(&self, name: &str) -> Result<Vec<Target>> {
        let records = self.ask(name, self.0.srv_lookup(whole(name))).await?.into_iter();
        let servers = records.filter_map(|data| match data {
            RData::SRV(server) => Some(server),
            _ => None,
        });
        let mut found: Vec<_> = servers.collect();
        // The weight spreads load among equals; one client is no load, and a steady choice is easier to understand.
        found.sort_by_key(|server| (server.priority, u16::MAX - server.weight));
        let targets = found.iter().take(HOSTS_MAX);
        Ok(targets
            .filter_map(|server| Some(Target { host: host(&server.target)?, port: server.port }))
            .collect())
    }

    /// The hosts that take a domain's mail, the best first.
    ///
    /// # Errors
    /// As for [`Names::services`].
    pub async fn mail_hosts(&self, domain: &str) -> Result<Vec<String>> {
        let records = self.ask(domain, self.0.mx_lookup(whole(domain))).await?.into_iter();
        let servers = records.filter_map(|data| match data {
            RData::MX(server) => Some(server),
            _ => None,
        });
        let mut found: Vec<_> = servers.collect();
        found.sort_by_key(|server| server.preference);
        Ok(found.iter().take(HOSTS_MAX).filter_map(|server| host(&server.exchange)).collect())
    }

    /// The texts of a name.
    ///
    /// # Errors
    /// As for [`Names::services`].
    pub async fn texts(&self, name: &str) -> Result<Vec<Vec<u8>>> {
        let records = self.ask(name, self.0.txt_lookup(whole(name))).await?.into_iter();
        let texts = records.filter_map(|data| match data {
            RData::TXT(text) => Some(text.txt_data),
            _ => None,
        });
        Ok(texts.flatten().take(HOSTS_MAX).map(|text| text.to_vec()).collect())
    }

    /// What the records of an answer say; empty where there is nothing of the kind.
    async fn ask(
        &self,
        name: &str,
        asking: impl Future<Output = std::result::Result<Lookup, NetError>>,
    ) -> Result<Vec<RData>> {
        let unreachable =
            || Error::new(ErrorKind::Unreachable, format!("DNS gave no answer about {name}"));
        match tokio::time::timeout(TIME_LIMIT, asking).await {
            Ok(Ok(answer)) => {
                Ok(answer.answers().iter().map(|record| record.data.clone()).collect())
            }
            Ok(Err(error)) if error.is_no_records_found() || error.is_nx_domain() => Ok(Vec::new()),
            Ok(Err(error)) => Err(unreachable().caused_by(error)),
            Err(_) => Err(unreachable()),
        }
    }
}

/// From the root: nothing is added to it.
fn whole(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

/// `None` for the root, which stands for "not here" (RFC 2782, RFC 7505).
fn host(name: &Name) -> Option<String> {
    let host = name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

fn resolver(name_server: Option<SocketAddr>) -> std::result::Result<TokioResolver, NetError> {
    let Some(address) = name_server else { return TokioResolver::builder_tokio()?.build() };
    let mut connection = ConnectionConfig::udp();
    connection.port = address.port();
    let server = NameServerConfig::new(address.ip(), true, vec![connection]);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build()
}

#[cfg(test)]
mod tests {
    use super::scripted::{MX, SRV, mx, serve, srv};
    use super::*;

    #[tokio::test]
    async fn the_best_host_comes_first_and_the_root_is_nobody() {
        let names = serve([
            (
                "_imaps._tcp.example.org",
                SRV,
                vec![srv(20, 993, "B.example.org"), srv(5, 1993, "a.example.org")],
            ),
            ("_pop3s._tcp.example.org", SRV, vec![srv(0, 0, "")]),
            ("example.org", MX, vec![mx(10, "two.example.org"), mx(1, "ONE.example.org")]),
            ("nomail.example", MX, vec![mx(0, "")]),
        ])
        .await;
        let names = Names::new(Some(names)).unwrap();
        let target = |host: &str, port| Target { host: host.to_owned(), port };
        let found = names.services("_imaps._tcp.example.org").await.unwrap();
        assert_eq!(found, [target("a.example.org", 1993), target("b.example.org", 993)]);
        assert_eq!(names.services("_pop3s._tcp.example.org").await.unwrap(), []);
        assert_eq!(names.services("_none._tcp.example.org").await.unwrap(), []);
        let hosts = names.mail_hosts("example.org").await.unwrap();
        assert_eq!(hosts, ["one.example.org", "two.example.org"]);
        assert!(names.mail_hosts("nomail.example").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn nonsense_is_no_answer_and_no_answer_is_an_error() {
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut query = [0; 1500];
            while let Ok((_, from)) = socket.recv_from(&mut query).await {
                // An answer that ends in the middle of a name, and one that points at itself.
                let mut answer = query[..2].to_vec();
                answer.extend([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 0xC0, 12]);
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        let names = Names::new(Some(address)).unwrap();
        let error = names.mail_hosts("example.org").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert!(error.message.contains("example.org"), "{error}");
        let long = format!("{}.org", "x".repeat(300));
        assert!(names.mail_hosts(&long).await.is_err());
    }
}
