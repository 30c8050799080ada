//! A Dataverse-compatible organisation in `SQLite`, served on loopback.
//!
//! It is the other side of the wire, written from the documentation of the service and from nothing
//! else in this program, so that a mistake of the client's is not repeated here. What the real
//! service refuses, it refuses, with the same codes; what the real one drops in silence, it drops
//! in silence. A request is carried out in `service`, in one transaction of `store`; `record`
//! decides what a write does, `query` what a read finds, `security` who may.

/// The door to time, and how moments are written.
pub mod clock;
/// Reads: OData options and FetchXML on SQLite.
pub mod query;
/// The door to chance: ids and tokens.
pub mod random;
/// Writes: create, update, upsert and delete with their rules.
pub mod record;
/// How the organisation says no.
pub mod refusal;
/// What the tables look like.
pub mod schema;
/// Who may do what with which row.
pub mod security;
/// The socket, tokens, limits, faults and the page.
pub mod server;
/// The Web API: operations, batches, metadata, functions and actions.
pub mod service;
/// The SQLite file and its first rows.
pub mod store;
#[cfg(test)]
mod tests;
/// The time zones that user settings can name.
pub mod zone;

use clock::Clock;
use server::faults::Faults;
use server::introspect::Introspection;
use server::limits::Limits;
use server::line::{Door, Peer, tls};
use server::tokens::{Tokens, private_directory, write_private};
use server::{Server, router};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::Organisation;
use store::seed::User;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long open requests may take after the word to stop.
const GRACE: Duration = Duration::from_secs(5);

/// How to serve an organisation.
#[derive(Debug, Clone)]
pub struct Options {
    /// Holds the database, `url` and `tokens/`; made if missing.
    pub dir: PathBuf,
    /// A loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// PEM files of a certificate chain and its key: then TLS is spoken, and nothing else.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Requests a user may send in five minutes; `None` is no limit.
    pub throttle: Option<u32>,
    /// Makes ids repeatable; `None` makes them random. Tokens are random always.
    pub seed: Option<u64>,
    pub clock: Clock,
    /// Users that the organisation shall have; those missing are made at each start.
    pub users: Vec<User>,
    /// A provider whose tokens are good here too.
    pub introspection: Option<Introspection>,
}

impl Options {
    /// The defaults: a free port on 127.0.0.1, no TLS, no limit, random ids, the machine's clock,
    /// the default users.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            certificate: None,
            throttle: None,
            seed: None,
            clock: Clock::system(),
            users: User::defaults(),
            introspection: None,
        }
    }
}

/// Why an organisation could not be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} is not a loopback address; the sandbox serves this machine only")]
    NotLoopback(SocketAddr),
    #[error("the name of a user may hold letters, digits, - and _ only: '{0}'")]
    Name(String),
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    #[error("cannot use the certificate")]
    Certificate(#[source] std::io::Error),
    #[error("cannot use the directory {0}")]
    Directory(PathBuf, #[source] std::io::Error),
    #[error("cannot open the database of the organisation")]
    Database(#[from] rusqlite::Error),
    #[error("the server failed")]
    Serve(#[source] std::io::Error),
}

/// Serves until `stop` resolves; requests that are under way then are finished first.
pub async fn serve(
    options: Options,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let ready = prepare(options).await?;
    ready.run(stop).await
}

/// An organisation served within this process, for tests.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Starts to serve; it listens when this returns.
    pub async fn start(options: Options) -> Result<Running, Error> {
        let ready = prepare(options).await?;
        let (url, server) = (ready.url.clone(), ready.server.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(ready.run(async move {
            // A dropped handle stops the server as well as a word does.
            if stopped.await.is_err() {
                tracing::debug!("the handle of the sandbox was dropped");
            }
        }));
        Ok(Running { url, server, stop, task })
    }
}

/// A served organisation.
#[derive(Debug)]
pub struct Running {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    server: Arc<Server>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    /// The bearer token of a user.
    pub fn token(&self, user: &str) -> Option<String> {
        let tokens = self.server.tokens.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        tokens.of(user).map(str::to_owned)
    }

    /// Stops, and waits until the last request is answered.
    pub async fn stop(self) -> Result<(), Error> {
        if self.stop.send(()).is_err() {
            tracing::debug!("the sandbox had stopped by itself");
        }
        self.task.await.unwrap_or_else(|error| Err(Error::Serve(std::io::Error::other(error))))
    }
}

/// An organisation that listens.
struct Ready {
    url: String,
    dir: PathBuf,
    server: Arc<Server>,
    door: Door,
}

async fn prepare(options: Options) -> Result<Ready, Error> {
    if !options.listen.ip().is_loopback() {
        return Err(Error::NotLoopback(options.listen));
    }
    let names: Vec<String> = options.users.iter().map(|user| user.name.clone()).collect();
    let plain = |name: &&String| {
        !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_')
    };
    if let Some(name) = names.iter().find(|name| !plain(name)) {
        return Err(Error::Name(name.clone()));
    }
    let directory = |error| Error::Directory(options.dir.clone(), error);
    private_directory(&options.dir).map_err(directory)?;
    let tokens = Tokens::open(&options.dir.join("tokens"), &names).map_err(directory)?;
    let acceptor = options
        .certificate
        .as_ref()
        .map(|(certificate, key)| tls(certificate, key))
        .transpose()
        .map_err(Error::Certificate)?;
    let scheme = if acceptor.is_some() { "https" } else { "http" };
    let (path, clock, seed, users) = (
        options.dir.join("organisation.sqlite"),
        options.clock.clone(),
        options.seed,
        options.users,
    );
    let opened =
        tokio::task::spawn_blocking(move || Organisation::open(&path, clock, seed, &users)).await;
    let organisation = opened.map_err(|error| Error::Serve(std::io::Error::other(error)))??;
    let door = Door::open(options.listen, acceptor)
        .await
        .map_err(|error| Error::Listen(options.listen, error))?;
    let address = axum::serve::Listener::local_addr(&door).map_err(Error::Serve)?;
    let host = if scheme == "https" {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    };
    let server = Arc::new(Server {
        organisation: Mutex::new(organisation),
        tokens: Mutex::new(tokens),
        introspection: options.introspection,
        limits: Mutex::new(Limits::new(options.throttle)),
        faults: Mutex::new(Faults::default()),
        clock: options.clock,
        scheme,
    });
    let url = format!("{scheme}://{host}");
    write_private(&options.dir.join("url"), &url).map_err(directory)?;
    Ok(Ready { url, dir: options.dir.clone(), server, door })
}

impl Ready {
    async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let (late, grace) = oneshot::channel::<()>();
        let service = router(self.server).into_make_service_with_connect_info::<Peer>();
        let serving = axum::serve(self.door, service).with_graceful_shutdown(async move {
            stop.await;
            drop(late);
        });
        let served = tokio::select! {
            served = serving => served.map_err(Error::Serve),
            () = async {
                // The sender is dropped, never used: this is the moment of the word to stop.
                if grace.await.is_err() {
                    tokio::time::sleep(GRACE).await;
                }
            } => Ok(()),
        };
        if let Err(error) = std::fs::remove_file(self.dir.join("url")) {
            tracing::debug!(%error, "the url file was gone already");
        }
        served
    }
}
