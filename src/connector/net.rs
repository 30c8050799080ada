//! Connections to servers that speak lines: TCP with time limits and keep-alive, TLS from the start or after a STARTTLS. It
//! must not know what is said on them.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls::{self, Trust, Untrusted};
use super::{Error, ErrorKind, Result};

/// To find, reach and greet a server.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// A dead peer is noticed after about three minutes of silence, also in IDLE.
const KEEPALIVE: Duration = Duration::from_mins(1);
const KEEPALIVE_PROBES: u32 = 4;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS before the first word of any importance; without it, nothing is said.
    StartTls,
    /// Not at all: only to this machine.
    None,
}

impl Security {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::StartTls => "starttls",
            Self::None => "none",
        }
    }
}

/// Where a server is and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub trust: Trust,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Whatever bytes travel on.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + fmt::Debug> Wire for T {}

/// A connection, protected or not.
pub type Stream = Box<dyn Wire>;

impl Server {
    /// A TCP connection: each address in turn, within one time limit. For [`Security::Tls`], follow with [`Server::secure`].
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`], or [`ErrorKind::Unsupported`] for an unprotected connection to another machine.
    pub async fn connect(&self) -> Result<TcpStream> {
        let connected = tokio::time::timeout(CONNECT_LIMIT, self.reach()).await;
        connected.map_err(|_| {
            let seconds = CONNECT_LIMIT.as_secs();
            unreachable(format!("{self} did not answer within {seconds} s"))
        })?
    }

    async fn reach(&self) -> Result<TcpStream> {
        let found = lookup_host((self.host.as_str(), self.port)).await;
        let addresses: Vec<SocketAddr> = found
            .map_err(|error| unreachable(format!("{} is not known", self.host)).caused_by(error))?
            .collect();
        if self.security == Security::None && !addresses.iter().all(|to| to.ip().is_loopback()) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("{self} is another machine, and `security = \"none\"` protects nothing"),
            )
            .hint("write security = \"tls\" or \"starttls\""));
        }
        let mut last = None;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    self.keep_alive(&stream)?;
                    return Ok(stream);
                }
                Err(error) => last = Some(error),
            }
        }
        let error = unreachable(format!("{self} cannot be reached"));
        Err(match last {
            Some(cause) => error.caused_by(cause),
            None => error,
        })
    }

    fn keep_alive(&self, stream: &TcpStream) -> Result<()> {
        let times = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_INTERVAL);
        #[cfg(not(windows))]
        let times = times.with_retries(KEEPALIVE_PROBES);
        SockRef::from(stream)
            .set_tcp_keepalive(&times)
            .and_then(|()| stream.set_nodelay(true))
            .map_err(|error| unreachable(format!("{self} hung up")).caused_by(error))
    }

    /// TLS on a connection, with the server's certificate judged by [`Server::trust`].
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] when no trusted connection comes about.
    pub async fn secure(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(self.host.clone()).map_err(|error| {
            unreachable(format!("{} is no name of a server", self.host)).caused_by(error)
        })?;
        let connector = TlsConnector::from(Arc::new(tls::client_config(&self.trust)?));
        let secured = tokio::time::timeout(CONNECT_LIMIT, connector.connect(name, stream)).await;
        secured
            .map_err(|_| unreachable(format!("{self} did not agree on TLS in time")))?
            .map_err(|error| self.unsecured(error))
    }

    fn unsecured(&self, error: std::io::Error) -> Error {
        let failed = Untrusted::of(&error).map_or_else(
            || {
                unreachable(format!("no protected connection to {self}: {error}")).hint(
                    "check `port` and `security`: 993, 995 and 465 are \"tls\"; 143, 110 and 587 \"starttls\"",
                )
            },
            |untrusted| untrusted.refusal(self),
        );
        failed.caused_by(error)
    }
}

fn unreachable(message: String) -> Error {
    Error::new(ErrorKind::Unreachable, message)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::connector::tls::{Fingerprint, Untrusted};

    /// Takes one connection with a certificate that nobody signed; gives what it was told on it.
    async fn told(
        trust: impl FnOnce(Fingerprint) -> Trust,
    ) -> (Fingerprint, Result<()>, Option<String>) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let print = Fingerprint::of(&certificate);
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = async {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut stream = TlsAcceptor::from(Arc::new(config)).accept(tcp).await.ok()?;
            let mut heard = String::new();
            stream.read_to_string(&mut heard).await.ok()?;
            Some(heard)
        };
        let host = "localhost".to_owned();
        let server = Server { host, port, security: Security::Tls, trust: trust(print) };
        let asking = async {
            let tcp = server.connect().await?;
            let mut stream = server.secure(tcp).await?;
            stream.write_all(b"hello").await.unwrap();
            stream.shutdown().await.unwrap();
            Ok(())
        };
        let (asked, heard) = tokio::join!(asking, serving);
        (print, asked, heard)
    }

    #[tokio::test]
    async fn a_refused_certificate_is_named_and_nothing_is_said_to_it() {
        let (print, asked, heard) = told(|_| Trust::Platform).await;
        let error = asked.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert!(error.message.contains("is not trusted: "), "{error}");
        assert!(error.hint.as_ref().unwrap().contains(&format!("pin=\"{print}\"")), "{error:?}");
        assert_eq!(Untrusted::of(&error).unwrap().fingerprint, print);
        assert_eq!(heard, None);

        let (_, asked, heard) = told(Trust::Pin).await;
        asked.unwrap();
        assert_eq!(heard.as_deref(), Some("hello"));

        let other = Fingerprint::parse(&"00".repeat(32)).unwrap();
        let (print, asked, heard) = told(|_| Trust::Pin(other)).await;
        let error = asked.unwrap_err();
        assert!(error.message.ends_with("it is not the one in `pin`"), "{error}");
        assert_eq!(Untrusted::of(&error).unwrap().fingerprint, print);
        assert_eq!(heard, None);
    }

    #[tokio::test]
    async fn what_is_no_tls_is_no_matter_of_certificates() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = "localhost".to_owned();
        let server = Server { host, port, security: Security::Tls, trust: Trust::Platform };
        let asking = async { server.secure(server.connect().await?).await };
        let serving = async {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.write_all(b"+OK who is there?\r\n").await.unwrap();
            tcp
        };
        let (asked, _tcp) = tokio::join!(asking, serving);
        let error = asked.unwrap_err();
        assert!(Untrusted::of(&error).is_none());
        assert!(error.hint.unwrap().contains("`security`"));
    }
}
