//! One session with a POP3 server: greeting, TLS, sign-in, commands, good-bye. It must not know what messages are called.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::reply::{self, Capabilities, Numbered, Refusal, Status};
use super::{Options, SIZE_LIMIT};
use crate::connector::auth::{Account, Kind};
use crate::connector::line::{Lines, excess};
use crate::connector::net::{Security, Server, Stream};
use crate::connector::sasl::Mechanism;
use crate::connector::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// How long a server may be silent in the middle of something.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a good-bye may take: nothing hangs on it.
const FAREWELL: Duration = Duration::from_secs(5);

/// RFC 2449 §4 has 512 bytes for an answer and 255 for a command; tokens are longer than either.
const LINE_LIMIT: usize = 16 << 10;
const COMMAND_LIMIT: usize = 255;

/// More capabilities than these are none.
const CAPABILITIES: usize = 128;

/// The longest head of a message.
const HEAD_LIMIT: usize = 1 << 20;

/// How many commands go ahead of their answers, where the server takes that (RFC 2449 §6.6).
pub(super) const WINDOW: usize = 64;

/// A session, signed in.
#[derive(Debug)]
pub(super) struct Session {
    lines: Lines<Stream>,
    capabilities: Capabilities,
    /// Whether heads come without bodies.
    top: bool,
    requests: u64,
}

/// A message or its head, or why there is none: one that cannot be read does not stop the others.
pub(super) type Answer = Result<Vec<u8>>;

impl Session {
    /// Connects and signs in.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorised`] when the server does not let the user in, [`ErrorKind::Throttled`] when not now.
    pub(super) async fn open(options: &Options, secret: &Secret) -> Result<Self> {
        let mut session = Self::connect(&options.server).await?;
        session.sign_in(&options.server, &options.account, secret).await?;
        Ok(session)
    }

    /// A protected connection that was greeted.
    pub(super) async fn connect(server: &Server) -> Result<Self> {
        let tcp = server.connect().await?;
        match server.security {
            Security::None => Self::greeted(Box::new(tcp)).await,
            Security::Tls => Self::greeted(Box::new(server.secure(tcp).await?)).await,
            Security::StartTls => {
                let mut lines = Lines::new(tcp, PATIENCE);
                greeting(&mut lines).await?;
                // What a server says before TLS may be anybody's words: only its yes to TLS counts.
                if let Err(refusal) = ask(&mut lines, "STLS").await?.verdict()? {
                    let error = refusal.error(ErrorKind::Unsupported, "begin TLS");
                    return Err(
                        error.hint("with security = \"tls\" most servers listen on port 995")
                    );
                }
                let stream: Stream = Box::new(lines.secure(server).await?);
                Self::capable(Lines::new(stream, PATIENCE)).await
            }
        }
    }

    /// On a connection that is as protected as it will be.
    pub(super) async fn greeted(stream: Stream) -> Result<Self> {
        let mut lines = Lines::new(stream, PATIENCE);
        greeting(&mut lines).await?;
        Self::capable(lines).await
    }

    async fn capable(mut lines: Lines<Stream>) -> Result<Self> {
        let mut capabilities = Capabilities::default();
        if ask(&mut lines, "CAPA").await? == Status::Ok {
            let mut named = Vec::new();
            while let Some(line) = listed(&mut lines).await? {
                if named.len() == CAPABILITIES {
                    return Err(wrong("the server names its capabilities without end"));
                }
                named.push(line);
            }
            capabilities = Capabilities::parse(&named);
        }
        let top = capabilities.has("TOP") != Some(false);
        Ok(Self { lines, capabilities, top, requests: 1 })
    }

    pub(super) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// Signs in by the best way that both sides know.
    ///
    /// # Errors
    /// As for [`Session::open`].
    pub(super) async fn sign_in(
        &mut self,
        server: &Server,
        account: &Account,
        secret: &Secret,
    ) -> Result<()> {
        let kind = account.secret.kind();
        // `USER` and `PASS` are what LOGIN is, without its encoding.
        let offered = self.capabilities.sasl().filter(|name| !name.eq_ignore_ascii_case("LOGIN"));
        let answer = match (Mechanism::choose(kind, offered), kind) {
            (Some(mechanism), _) => self.authenticate(mechanism, server, account, secret).await?,
            (None, Kind::Password) => self.user_and_password(&account.user, secret).await?,
            (None, Kind::Token) => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("{server} offers no way to sign in with a token"),
                )
                .hint("POP3 by token needs SASL XOAUTH2 or OAUTHBEARER; try a password, or kind = \"imap\""));
            }
        };
        match answer {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.turned_away(&refusal, &account.user)),
        }
    }

    /// RFC 3206 §4: a server that knows `[AUTH]` means something else when it does not say it.
    fn turned_away(&self, refusal: &Refusal, user: &str) -> Error {
        let otherwise = match self.capabilities.has("AUTH-RESP-CODE") {
            Some(true) => ErrorKind::Throttled(Duration::from_mins(1)),
            Some(false) | None => ErrorKind::Unauthorised,
        };
        let mut error = refusal.error(otherwise, &format!("sign in as {user}"));
        if let (ErrorKind::Throttled(pause), Some(delay)) =
            (error.kind, self.capabilities.login_delay())
        {
            error.kind = ErrorKind::Throttled(pause.max(delay));
        }
        error
    }

    async fn authenticate(
        &mut self,
        mechanism: Mechanism,
        server: &Server,
        account: &Account,
        secret: &Secret,
    ) -> Result<Result<(), Refusal>> {
        let mut exchange = mechanism.begin(&account.user, secret, (&server.host, server.port))?;
        let bare = format!("AUTH {}", mechanism.as_str());
        // RFC 5034 §4: what makes the command too long waits until it is asked for.
        let initial = mechanism
            .begin(&account.user, secret, (&server.host, server.port))?
            .initial()
            .map(|initial| Secret::new(format!("{bare} {}", initial.expose())))
            .filter(|command| command.expose().len() + 2 <= COMMAND_LIMIT);
        let first = match &initial {
            Some(command) => {
                drop(exchange.initial());
                command.expose()
            }
            None => bare.as_str(),
        };
        let mut status = self.ask(first).await?;
        loop {
            match status {
                Status::Ok => return Ok(Ok(())),
                Status::No(refusal) => return Ok(Err(refusal)),
                Status::Challenge(challenge) => {
                    let answer = exchange.answer(&challenge)?;
                    status = self.ask(answer.expose()).await?;
                }
            }
        }
    }

    async fn user_and_password(
        &mut self,
        user: &str,
        secret: &Secret,
    ) -> Result<Result<(), Refusal>> {
        if user.is_empty() || user.contains(char::is_control) {
            return Err(Error::new(ErrorKind::Unauthorised, "the user's name is none"));
        }
        if let Err(refusal) = self.ask(&format!("USER {user}")).await?.verdict()? {
            return Ok(Err(refusal));
        }
        let command = Secret::new(format!("PASS {}", secret.expose()));
        self.ask(command.expose()).await?.verdict()
    }

    /// All messages by number and unique id, in the server's order.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when the server has no unique ids: then nothing tells a new message from an old one.
    pub(super) async fn uidl(&mut self) -> Result<Vec<(u32, String)>> {
        if let Err(refusal) = self.ask("UIDL").await?.verdict()? {
            let error =
                refusal.error(ErrorKind::Unsupported, "list the messages by unique id (UIDL)");
            return Err(error
                .hint("without unique ids nothing tells a new message from an old one: use IMAP"));
        }
        Ok(self.numbered(reply::uidl).await?.into_iter().collect())
    }

    /// How large the server says that each message is, in bytes.
    pub(super) async fn sizes(&mut self) -> Result<BTreeMap<u32, u64>> {
        match self.ask("LIST").await?.verdict()? {
            Err(refusal) => Err(refusal.error(ErrorKind::Unreachable, "list the sizes")),
            Ok(()) => self.numbered(reply::size).await,
        }
    }

    async fn numbered<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> Result<BTreeMap<u32, T>> {
        let mut numbered = Numbered::new();
        while let Some(line) = listed(&mut self.lines).await? {
            numbered.push(&line, &read)?;
        }
        Ok(numbered.into_map())
    }

    /// The heads of these messages, at most [`WINDOW`], in this order, each up to the empty line that ends it.
    pub(super) async fn heads(&mut self, numbers: &[u32]) -> Result<Vec<Answer>> {
        let top = self.top;
        let command =
            |number| if top { format!("TOP {number} 0") } else { format!("RETR {number}") };
        let ahead = self.ahead(numbers.iter().copied().map(command)).await?;
        let mut heads = Vec::new();
        for number in numbers {
            if !ahead {
                self.send(&command(*number)).await?;
            }
            let mut head = self.answer(if top { HEAD_LIMIT } else { SIZE_LIMIT }).await?;
            // A server that names no capabilities is tried once.
            if head.is_err() && top && !ahead && self.capabilities.has("TOP").is_none() {
                self.send(&format!("RETR {number}")).await?;
                head = self.answer(SIZE_LIMIT).await?;
            }
            heads.push(head.map(cut));
        }
        Ok(heads)
    }

    /// Asks for these messages ahead, where the server takes that. Each must be taken by [`Session::message`], in this order.
    pub(super) async fn ask_for(&mut self, numbers: &[u32]) -> Result<()> {
        self.ahead(numbers.iter().map(|number| format!("RETR {number}"))).await.map(drop)
    }

    /// The next message that was asked for.
    pub(super) async fn message(&mut self, number: u32) -> Result<Answer> {
        if !self.is_pipelining() {
            self.send(&format!("RETR {number}")).await?;
        }
        self.answer(SIZE_LIMIT).await
    }

    /// Says good-bye. Nothing was marked for deletion, so nothing hangs on it.
    pub(super) async fn quit(&mut self) {
        drop(tokio::time::timeout(FAREWELL, self.ask("QUIT")).await);
    }

    fn is_pipelining(&self) -> bool {
        self.capabilities.has("PIPELINING") == Some(true)
    }

    async fn ahead(&mut self, commands: impl Iterator<Item = String>) -> Result<bool> {
        if !self.is_pipelining() {
            return Ok(false);
        }
        let mut batch = String::new();
        for command in commands {
            batch.push_str(&command);
            batch.push_str("\r\n");
            self.requests += 1;
        }
        self.lines.send(batch.as_bytes()).await?;
        Ok(true)
    }

    async fn send(&mut self, command: &str) -> Result<()> {
        self.requests += 1;
        send(&mut self.lines, command).await
    }

    async fn ask(&mut self, command: &str) -> Result<Status> {
        self.requests += 1;
        ask(&mut self.lines, command).await
    }

    /// A status and, if it is good, the lines that follow it: up to a lone full stop, with doubled ones made single (RFC 1939 §3).
    pub(super) async fn answer(&mut self, limit: usize) -> Result<Answer> {
        match status(&mut self.lines).await?.verdict()? {
            // Whatever it is, another message may do, and this one another time.
            Err(refusal) => Ok(Err(refusal.error(ErrorKind::Rejected, "read a message"))),
            Ok(()) => self.body(limit).await,
        }
    }

    async fn body(&mut self, limit: usize) -> Result<Answer> {
        let mut bytes = Vec::new();
        let mut too_large = false;
        // Only a full stop at the beginning of a line means anything, and only CRLF ends one.
        let mut begins = true;
        let mut over = 0_usize;
        loop {
            if too_large {
                over += bytes.len();
                bytes.clear();
            }
            if over > excess(limit) {
                return Err(wrong("the server sent a message without end"));
            }
            let start = bytes.len();
            // The lone full stop must always fit.
            let cut = self.lines.line_into(&mut bytes, limit + 3 - start).await?;
            let line = bytes.get(start..).unwrap_or_default();
            if begins && line == b".\r\n" {
                bytes.truncate(start);
                return Ok(if too_large { Err(self::too_large()) } else { Ok(bytes) });
            }
            let stuffed = begins && line.first() == Some(&b'.');
            begins = cut || line.ends_with(b"\r\n");
            if stuffed {
                bytes.drain(start..=start);
            }
            too_large |= cut || bytes.len() > limit;
        }
    }
}

pub(super) fn too_large() -> Error {
    Error::new(ErrorKind::Rejected, format!("the message is larger than {} MiB", SIZE_LIMIT >> 20))
}

/// A message up to the empty line that ends its head.
fn cut(mut message: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if line == b"\r\n" || line == b"\n" {
            break;
        }
    }
    message.truncate(at);
    message
}

async fn greeting<S: AsyncRead + AsyncWrite + Unpin>(lines: &mut Lines<S>) -> Result<()> {
    let verdict = status(lines).await?.verdict()?;
    verdict.map_err(|refusal| refusal.error(ErrorKind::Unreachable, "be let in"))
}

async fn ask<S>(lines: &mut Lines<S>, command: &str) -> Result<Status>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    send(lines, command).await?;
    status(lines).await
}

async fn send<S>(lines: &mut Lines<S>, command: &str) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let line = Secret::new(format!("{command}\r\n"));
    lines.send(line.expose().as_bytes()).await
}

async fn status<S: AsyncRead + AsyncWrite + Unpin>(lines: &mut Lines<S>) -> Result<Status> {
    Status::parse(&lines.line(LINE_LIMIT).await?)
}

/// The next line of a listing, until its end.
async fn listed<S>(lines: &mut Lines<S>) -> Result<Option<String>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let line = lines.line(LINE_LIMIT).await?;
    if line == "." {
        return Ok(None);
    }
    Ok(Some(line.strip_prefix('.').map_or_else(|| line.clone(), str::to_owned)))
}

fn wrong(message: &str) -> Error {
    Error::new(ErrorKind::Unreachable, message)
}
