//! From a server's address to a connection that is signed in. It must not know what the connection is for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_imap::{Authenticator, Client, Connection};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::capability::Capabilities;
use super::frame::{Frames, Limits};
use super::guard::{Guard, Lead};
use super::response::{Condition, Response, Status, parse};
use super::session::{SILENCE, Session, next};
use super::{Options, limits};
use crate::connector::auth::{Account, Kind};
use crate::connector::net::{CONNECT_LIMIT, Security, Server, Stream};
use crate::connector::sasl::{Exchange, Mechanism};
use crate::connector::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// Before TLS nobody has to say much.
const PLAIN_LIMITS: Limits = Limits { lines: 8 << 10, literals: 0 };

/// A server that was reached and greeted, with the protection asked for.
#[derive(Debug)]
pub(super) struct Greeted {
    client: Client<Guard>,
    pub(super) capabilities: Capabilities,
    /// It knows the user already.
    known: bool,
}

/// Connects and signs in.
pub(super) async fn connect(options: &Options, requests: &Arc<AtomicU64>) -> Result<Session> {
    let stream = options.server.connect().await?;
    let greeted = greet(options, stream).await?;
    sign_in(options, greeted, requests).await
}

/// Protects a connection as configured, and hears what the server says of itself.
pub(super) async fn greet(options: &Options, stream: TcpStream) -> Result<Greeted> {
    let server = &options.server;
    let wire: Stream = match server.security {
        Security::Tls => Box::new(server.secure(stream).await?),
        Security::StartTls => Box::new(server.secure(start_tls(server, stream).await?).await?),
        Security::None => Box::new(stream),
    };
    welcome(options, wire).await
}

/// Hears a server's greeting, unless it spoke before TLS, and its capabilities.
pub(super) async fn welcome(options: &Options, wire: Stream) -> Result<Greeted> {
    let mut client = Client::new(Guard::new(wire, limits()));
    let server = &options.server;
    let mut known = false;
    let mut capabilities = None;
    if server.security != Security::StartTls {
        let greeting = timeout(CONNECT_LIMIT, next(&mut client))
            .await
            .map_err(|_| unreachable(server, "it does not greet"))?
            .map_err(|error| unreachable(server, &error.to_string()))?;
        known = is_known(server, &greeting)?;
        capabilities = Capabilities::told(&greeting, &options.hide);
    }
    let capabilities = match capabilities {
        Some(told) => told,
        None => capabilities_of(&mut client, options).await?,
    };
    Ok(Greeted { client, capabilities, known })
}

/// What the server can do, asked for.
async fn capabilities_of(
    client: &mut Connection<Guard>,
    options: &Options,
) -> Result<Capabilities> {
    let server = &options.server;
    let (said, status) = ask(client, server, "CAPABILITY").await?;
    if status.condition != Condition::Ok {
        return Err(status.refusal("ask what the server can do"));
    }
    said.iter()
        .rev()
        .find_map(|response| Capabilities::told(response, &options.hide))
        .ok_or_else(|| malformed(server, "it does not say what it can do"))
}

fn is_known(server: &Server, greeting: &Response) -> Result<bool> {
    match greeting {
        Response::Status(status) => match status.condition {
            Condition::Ok => Ok(false),
            Condition::PreAuth => Ok(true),
            Condition::Bye => Err(status.refusal(&format!("connect to {server}"))),
            Condition::No | Condition::Bad => Err(malformed(server, "it greets with a refusal")),
        },
        _ => Err(malformed(server, "this is no IMAP server")),
    }
}

/// A command that the library leads; what was said, and how it ended.
async fn ask(
    client: &mut Connection<Guard>,
    server: &Server,
    command: &str,
) -> Result<(Vec<Response>, Status)> {
    client.get_mut().lead(Lead::Library);
    let ended = timeout(SILENCE, client.run_command_and_check_ok(command, None)).await;
    let (said, status) = heard(client);
    status.map(|status| (said, status)).ok_or_else(|| match ended {
        Ok(Err(error)) => unreachable(server, "the connection broke").caused_by(error),
        Ok(Ok(())) => malformed(server, "it ends what it never began"),
        Err(_) => unreachable(server, "no answer in time"),
    })
}

/// What was said while the library had the lead.
fn heard(client: &mut Connection<Guard>) -> (Vec<Response>, Option<Status>) {
    let guard = client.get_mut();
    guard.lead(Lead::Ours);
    let said: Vec<Response> = std::iter::from_fn(|| guard.next()).collect();
    let status = said.iter().rev().find_map(|response| match response {
        Response::Tagged { status, .. } => Some(status.clone()),
        _ => None,
    });
    (said, status)
}

/// Signs in, and makes the most of what the server can do then.
pub(super) async fn sign_in(
    options: &Options,
    greeted: Greeted,
    requests: &Arc<AtomicU64>,
) -> Result<Session> {
    let Greeted { mut client, capabilities, known } = greeted;
    let account = &options.account;
    let talk = if known {
        client.get_mut().absorb_one_command();
        client.get_mut().lead(Lead::Library);
        client.login("known", "already").await.map_err(|(error, _)| {
            unreachable(&options.server, "the connection broke").caused_by(error)
        })?
    } else {
        let secret = account.secret.secret().await?;
        match attempt(options, client, &capabilities, &secret).await {
            Ok(talk) => talk,
            // Tokens expire; a password does not change by being asked for again.
            Err((Some(client), error))
                if error.kind == ErrorKind::Unauthorised
                    && account.secret.kind() == Kind::Token =>
            {
                let secret = account.secret.renewed().await?;
                let tried = attempt(options, client, &capabilities, &secret).await;
                tried.map_err(|(_, error)| error)?
            }
            Err((_, error)) => return Err(error),
        }
    };
    settle(options, talk, requests).await
}

type Attempt = std::result::Result<async_imap::Session<Guard>, (Option<Client<Guard>>, Error)>;

/// One try; gives the connection back if the server said no.
async fn attempt(
    options: &Options,
    mut client: Client<Guard>,
    capabilities: &Capabilities,
    secret: &Secret,
) -> Attempt {
    let (server, account) = (&options.server, &options.account);
    let kind = account.secret.kind();
    let mechanism = Mechanism::choose(kind, capabilities.sign_ins())
        .filter(|mechanism| *mechanism != Mechanism::Login || capabilities.has("LOGINDISABLED"));
    client.get_mut().lead(Lead::Library);
    let mut exchange = None;
    let tried = match mechanism {
        Some(mechanism) => {
            let begun = mechanism.begin(&account.user, secret, (server.host.as_str(), server.port));
            let exchange = match begun {
                Ok(begun) => exchange.insert(begun),
                Err(error) => return Err((Some(client), error)),
            };
            let initial = capabilities.has("SASL-IR").then(|| exchange.initial()).flatten();
            let name = mechanism.as_str();
            let command = match &initial {
                Some(initial) => Secret::new(format!("{name} {}", initial.expose())),
                None => Secret::new(name),
            };
            timeout(SILENCE, client.authenticate(command.expose(), Answers(exchange))).await
        }
        None if kind == Kind::Password && !capabilities.has("LOGINDISABLED") => {
            timeout(SILENCE, client.login(&account.user, secret.expose())).await
        }
        None => return Err((Some(client), no_way_in(server, kind))),
    };
    match tried {
        Ok(Ok(talk)) => Ok(talk),
        Ok(Err((error, mut client))) => {
            let (_, status) = heard(&mut client);
            if let Some(status) = status {
                let said = exchange.as_ref().and_then(Exchange::refusal);
                return Err((Some(client), refused(server, account, &status, said)));
            }
            Err((None, unreachable(server, "the connection broke").caused_by(plainly(&error))))
        }
        Err(_) => Err((None, unreachable(server, "no answer to the sign-in"))),
    }
}

/// The library's errors quote what was said: of a sign-in, only the kind is told on.
fn plainly(error: &async_imap::error::Error) -> &'static str {
    match error {
        async_imap::error::Error::Io(_) => "the connection broke",
        async_imap::error::Error::ConnectionLost => "the server hung up",
        _ => "the answer could not be read",
    }
}

/// Lets an exchange answer for the library, which keeps base64 to itself.
struct Answers<'a>(&'a mut Exchange);

impl Authenticator for Answers<'_> {
    type Response = Vec<u8>;

    fn process(&mut self, challenge: &[u8]) -> Vec<u8> {
        // With nothing left to say an empty line makes the server end it.
        let answer = self.0.answer(&BASE64.encode(challenge)).ok();
        answer.and_then(|answer| BASE64.decode(answer.expose()).ok()).unwrap_or_default()
    }
}

fn no_way_in(server: &Server, kind: Kind) -> Error {
    let (what, hint) = match kind {
        Kind::Password => ("password", "such servers often want a token: see `auth` in the manual"),
        Kind::Token => ("token", "use a password, or an app password, if the provider has such"),
    };
    Error::new(ErrorKind::Unauthorised, format!("{server} takes no {what}")).hint(hint)
}

fn refused(server: &Server, account: &Account, status: &Status, said: Option<&str>) -> Error {
    let mut error = status.refusal(&format!("sign in at {server}"));
    let temporary = ["UNAVAILABLE", "INUSE", "SERVERBUG", "THROTTLED", "LIMIT"];
    if !temporary.iter().any(|code| status.code(code).is_some()) {
        error.kind = ErrorKind::Unauthorised;
    }
    if let Some(said) = said {
        error.message = format!("{} ({said})", error.message);
    }
    let suspect = account.secret.suspect();
    error.hint(format!("check the user's name, and {suspect}"))
}

/// After the sign-in a server may be able to do more, and wants to be told what we are able to.
async fn settle(
    options: &Options,
    mut talk: async_imap::Session<Guard>,
    requests: &Arc<AtomicU64>,
) -> Result<Session> {
    let (said, _) = heard(&mut talk);
    let told = said.iter().rev().find_map(|response| Capabilities::told(response, &options.hide));
    let capabilities = match told {
        Some(told) => told,
        None => capabilities_of(&mut talk, options).await?,
    };
    if options.compress && capabilities.has("COMPRESS=DEFLATE") {
        talk = compress(options, talk).await?;
    }
    let mut session = Session::new(talk, options.server.to_string(), Arc::clone(requests));
    session.capabilities = capabilities;
    introduce(&mut session).await?;
    Ok(session)
}

async fn compress(
    options: &Options,
    mut talk: async_imap::Session<Guard>,
) -> Result<async_imap::Session<Guard>> {
    talk.get_mut().lead(Lead::Library);
    let compressed = talk.compress(|mut deflate| {
        deflate.get_mut().lead(Lead::Through);
        Guard::new(Box::new(deflate), limits())
    });
    timeout(SILENCE, compressed)
        .await
        .map_err(|_| unreachable(&options.server, "no answer in time"))?
        .map_err(|error| unreachable(&options.server, "no compression came about").caused_by(error))
}

/// Says who we are and switches on what is wanted, in one turn. A refusal of the one is none of the other's.
async fn introduce(session: &mut Session) -> Result<()> {
    let mut tags = Vec::new();
    if session.capabilities.has("ID") {
        let version = env!("CARGO_PKG_VERSION");
        let id = format!("ID (\"name\" \"liaison\" \"version\" \"{version}\")");
        tags.push(session.send(&id).await?);
    }
    let wanted: BTreeSet<&str> = ["CONDSTORE", "QRESYNC"]
        .into_iter()
        .filter(|name| session.capabilities.has(name) && session.capabilities.has("ENABLE"))
        .collect();
    if !wanted.is_empty() {
        let wanted: Vec<&str> = wanted.into_iter().collect();
        tags.push(session.send(&format!("ENABLE {}", wanted.join(" "))).await?);
    }
    for tag in tags {
        match session.finish(&tag, "introduce ourselves", |_| {}).await {
            Err(error) if !session.is_alive() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// RFC 9051 §6.2.1, on the bare connection: nothing that came before TLS may be taken for something that came through it.
async fn start_tls(server: &Server, mut stream: TcpStream) -> Result<TcpStream> {
    let negotiated = async {
        let mut frames = Frames::new(PLAIN_LIMITS);
        let greeting = plain(server, &mut stream, &mut frames).await?;
        if is_known(server, &greeting)? {
            let error = "it knows the user before it is known itself, and so refuses TLS";
            return Err(untrusted(server, error));
        }
        stream
            .write_all(b"S1 STARTTLS\r\n")
            .await
            .map_err(|error| unreachable(server, "it hung up").caused_by(error))?;
        loop {
            match plain(server, &mut stream, &mut frames).await? {
                Response::Tagged { tag, status } if tag == "S1" => {
                    if status.condition != Condition::Ok {
                        return Err(untrusted(server, "it refuses TLS"));
                    }
                    break;
                }
                Response::Tagged { .. } | Response::Continue(_) => {
                    return Err(malformed(server, "it answers what nobody asked"));
                }
                _ => {}
            }
        }
        if frames.is_empty() {
            Ok(())
        } else {
            Err(untrusted(server, "somebody put words into the connection before TLS began"))
        }
    };
    timeout(CONNECT_LIMIT, negotiated)
        .await
        .map_err(|_| unreachable(server, "it did not begin TLS in time"))??;
    Ok(stream)
}

async fn plain(server: &Server, stream: &mut TcpStream, frames: &mut Frames) -> Result<Response> {
    let mut chunk = [0; 1024];
    loop {
        if let Some(whole) = frames.next().map_err(|what| malformed(server, &what))?
            && let Some(response) = parse(&whole).map_err(|what| malformed(server, what))?
        {
            return Ok(response);
        }
        let count = stream
            .read(&mut chunk)
            .await
            .map_err(|error| unreachable(server, "it hung up").caused_by(error))?;
        if count == 0 {
            return Err(unreachable(server, "it hung up"));
        }
        frames.push(chunk.get(..count).unwrap_or_default());
    }
}

fn unreachable(server: &Server, what: &str) -> Error {
    Error::new(ErrorKind::Unreachable, format!("{server}: {what}"))
}

fn untrusted(server: &Server, what: &str) -> Error {
    unreachable(server, what).hint("write security = \"tls\" if the server has a port for it (993)")
}

fn malformed(server: &Server, what: &str) -> Error {
    Error::new(ErrorKind::Malformed, format!("{server}: {what}"))
        .hint("check `port` and `security`: 993 is \"tls\", 143 \"starttls\"")
}
