//! One dialogue with a submission server, phase by phase, each with its time limit (RFC 5321 §4.5.3.2). It must not know what
//! is made of the outcome.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Ehlo, Mail, Quit, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use tokio::net::TcpStream;

use super::message::Letter;
use super::reply::{self, LINE_LIMIT, LINES};
use super::wire::{Carrier, Guard, Tally};
use super::{Failure, Outcome, Phase, Reply};
use crate::connector::auth::Account;
use crate::connector::line::Lines;
use crate::connector::net::{Security, Server};
use crate::connector::sasl::Mechanism;
use crate::connector::{Error, ErrorKind};
use crate::model::Address;
use crate::secret::Secret;

/// For the greeting and each command.
const COMMAND: Duration = Duration::from_mins(5);
/// For `DATA`.
const DATA: Duration = Duration::from_mins(2);
/// For each piece of the message to be taken.
const BLOCK: Duration = Duration::from_mins(3);
/// For the answer to the final full stop.
const END: Duration = Duration::from_mins(10);
/// For a good-bye, which nothing hangs on.
const FAREWELL: Duration = Duration::from_secs(5);

/// RFC 4954 §4: an initial response must fit into a command of this length.
const COMMAND_LIMIT: usize = 512;

/// A dialogue that may carry a message.
pub(super) struct Dialogue {
    connection: AsyncSmtpConnection,
    tally: Arc<Tally>,
    extensions: BTreeMap<String, String>,
}

impl fmt::Debug for Dialogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialogue").field("extensions", &self.extensions).finish_non_exhaustive()
    }
}

impl Dialogue {
    /// Connects, protects the connection, and greets.
    pub(super) async fn open(server: &Server) -> Result<Self, Failure> {
        let failed = |error| Failure::new(Phase::Connect, error);
        let tcp = server.connect().await.map_err(failed)?;
        let hello = hello(&tcp);
        let tally = Arc::new(Tally::default());
        let guard = match server.security {
            Security::None => Guard::new(Box::new(tcp), Arc::clone(&tally)),
            Security::Tls => {
                let stream: Box<dyn Carrier> = Box::new(server.secure(tcp).await.map_err(failed)?);
                Guard::new(stream, Arc::clone(&tally))
            }
            Security::StartTls => {
                let lines = Lines::new(tcp, COMMAND);
                let lines = start_tls(server, lines, &hello).await?;
                Guard::greeted(Box::new(lines.secure(server).await.map_err(failed)?), tally.clone())
            }
        };
        Self::greet(guard, tally, hello).await
    }

    /// Greets on a connection that is as protected as it will be.
    pub(super) async fn greet(
        guard: Guard,
        tally: Arc<Tally>,
        hello: ClientId,
    ) -> Result<Self, Failure> {
        let connecting = AsyncSmtpConnection::connect_with_transport(Box::new(guard), &hello);
        let connection = within(&tally, Phase::Connect, COMMAND * 2, connecting).await?;
        let mut dialogue = Self { connection, tally, extensions: BTreeMap::new() };
        // Lettre keeps nothing of sizes and of mechanisms that it does not know, so it is asked for once more.
        let known = dialogue.command(Phase::Connect, COMMAND, Ehlo::new(hello)).await?;
        dialogue.extensions = known.message().skip(1).map(extension).collect();
        Ok(dialogue)
    }

    /// What the server can do, by name; with parameters.
    pub(super) fn extensions(&self) -> &BTreeMap<String, String> {
        &self.extensions
    }

    /// The largest message that the server takes, if it says so (RFC 1870 §4: 0 is no limit).
    pub(super) fn size_limit(&self) -> Option<u64> {
        self.extensions.get("SIZE")?.parse().ok().filter(|limit| *limit > 0)
    }

    /// Signs in by the best mechanism that both sides know (RFC 4954).
    pub(super) async fn sign_in(
        &mut self,
        server: &Server,
        account: &Account,
        secret: &Secret,
    ) -> Result<(), Failure> {
        let failed = |error| Failure::new(Phase::SignIn, error);
        let kind = account.secret.kind();
        let offered = self.extensions.get("AUTH").map_or("", String::as_str);
        let mechanism = Mechanism::choose(kind, offered.split(' ')).ok_or_else(|| {
            let message = format!("{server} offers no way to sign in that fits (AUTH {offered})");
            failed(Error::new(ErrorKind::Unsupported, message))
        })?;
        let begin = || mechanism.begin(&account.user, secret, (&server.host, server.port));
        let mut exchange = begin().map_err(failed)?;
        let bare = format!("AUTH {}", mechanism.as_str());
        let short = |initial: &Secret| bare.len() + initial.expose().len() + 3 <= COMMAND_LIMIT;
        // What does not fit into the command waits until it is asked for.
        let first = match begin().map_err(failed)?.initial().filter(short) {
            Some(initial) => {
                drop(exchange.initial());
                Secret::new(format!("{bare} {}", initial.expose()))
            }
            None => Secret::new(bare),
        };
        let mut response = self.command(Phase::SignIn, COMMAND, Line(first)).await?;
        while response.has_code(334) {
            let challenge = response.first_line().unwrap_or_default();
            let answer = exchange.answer(challenge).map_err(failed)?;
            response = self.command(Phase::SignIn, COMMAND, Line(answer)).await?;
        }
        expect(Phase::SignIn, 2, &response)
    }

    /// Hands the message over, and leaves.
    pub(super) async fn submit(mut self, letter: &Letter<'_>, partial: bool) -> Outcome {
        let outcome = self.hand_over(letter, partial).await.unwrap_or_else(Into::into);
        // With a server that does not answer, or not to what was said, a good-bye is idle.
        let lost = match &outcome {
            Outcome::Sent { .. } => false,
            Outcome::Refused { why, .. } => why.kind == ErrorKind::Unreachable,
            Outcome::Unknown { .. } => true,
        };
        if !lost {
            self.quit().await;
        }
        outcome
    }

    async fn hand_over(&mut self, letter: &Letter<'_>, partial: bool) -> Result<Outcome, Failure> {
        let parameters = self.parameters(letter)?;
        let mail = Mail::new(Some(letter.from.clone()), parameters);
        expect(Phase::Sender, 2, &self.command(Phase::Sender, COMMAND, mail).await?)?;
        let refused = self.recipients(letter, partial).await?;
        let data = self.command(Phase::Message, DATA, Data).await?;
        if !data.has_code(354) {
            return Err(out_of_step(Phase::Message));
        }
        self.message(letter.body, refused).await
    }

    /// What is to be said of the message beforehand.
    fn parameters(&self, letter: &Letter<'_>) -> Result<Vec<MailParameter>, Failure> {
        let has = |name: &str| self.extensions.contains_key(name);
        let lacks =
            |what: String| Err(Failure::new(Phase::Sender, Error::new(ErrorKind::Rejected, what)));
        let mut parameters = Vec::new();
        if let Some(limit) = self.size_limit().filter(|limit| letter.size as u64 > *limit) {
            let size = letter.size;
            return lacks(format!("the message has {size} bytes, the server takes {limit}"));
        }
        if has("SIZE") {
            parameters.push(MailParameter::Size(letter.size));
        }
        if letter.international {
            if !has("SMTPUTF8") {
                return lacks(
                    "the server takes no letters beyond ASCII in addresses and header \
                              (SMTPUTF8)"
                        .to_owned(),
                );
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if letter.eight_bit {
            if !has("8BITMIME") {
                return lacks("the server takes no messages beyond ASCII (8BITMIME)".to_owned());
            }
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }

    /// Names all recipients: who was refused, if the others are to get it in spite of that.
    async fn recipients(
        &mut self,
        letter: &Letter<'_>,
        partial: bool,
    ) -> Result<Vec<(Address, Reply)>, Failure> {
        let mut refused: Vec<(Address, Reply)> = Vec::new();
        for (address, mailbox) in &letter.to {
            let named = self.connection.command(Rcpt::new(mailbox.clone(), Vec::new()));
            match tokio::time::timeout(COMMAND, named).await {
                Ok(Ok(response)) => expect(Phase::Recipients, 2, &response)?,
                Ok(Err(error)) => match reply_of(&error) {
                    Some(reply) => refused.push((address.clone(), reply)),
                    None => return Err(broken(&self.tally, Phase::Recipients, error)),
                },
                Err(_) => return Err(late(Phase::Recipients, COMMAND)),
            }
        }
        let some_permanent = refused.iter().find(|(_, reply)| reply.is_permanent());
        let some_passing = refused.iter().find(|(_, reply)| !reply.is_permanent());
        let decisive = match (partial, refused.len() == letter.to.len()) {
            (true, false) => None,
            // With the rest going ahead, each that may still be let in is worth another try.
            (true, true) => some_passing.or(some_permanent),
            (false, _) => some_permanent.or(some_passing),
        };
        let Some((_, reply)) = decisive else { return Ok(refused) };
        let mut failure = Failure::refused(Phase::Recipients, reply);
        failure.recipients = refused;
        Err(failure)
    }

    /// Writes the message and its final full stop, and waits for the answer.
    async fn message(
        &mut self,
        body: &[u8],
        refused: Vec<(Address, Reply)>,
    ) -> Result<Outcome, Failure> {
        let tally = Arc::clone(&self.tally);
        tally.begin_message();
        let mut seen = tally.written();
        let mut sending = std::pin::pin!(self.connection.message(body));
        let answer = loop {
            let patience = if tally.has_ended() { END } else { BLOCK };
            match tokio::time::timeout(patience, &mut sending).await {
                Ok(answer) => break Some(answer),
                Err(_) if tally.written() == seen => break None,
                Err(_) => seen = tally.written(),
            }
        };
        match answer {
            Some(Ok(response)) if expect(Phase::End, 2, &response).is_ok() => {
                Ok(Outcome::Sent { refused, reply: Reply::of(&response) })
            }
            Some(Ok(_)) => Ok(unknown(Error::new(
                ErrorKind::Unreachable,
                "the server answered the end of the message with something that is no answer to it",
            ))),
            Some(Err(error)) => match reply_of(&error) {
                Some(reply) => Err(Failure::refused(Phase::End, &reply)),
                None if tally.has_ended() => Ok(unknown(lost(error))),
                None => Err(broken(&tally, Phase::Message, error)),
            },
            None if tally.has_ended() => Ok(unknown(late(Phase::End, END).error)),
            None => Err(late(Phase::Message, BLOCK)),
        }
    }

    /// Says good-bye.
    pub(super) async fn quit(&mut self) {
        drop(tokio::time::timeout(FAREWELL, self.connection.command(Quit)).await);
    }

    async fn command(
        &mut self,
        phase: Phase,
        limit: Duration,
        command: impl fmt::Display,
    ) -> Result<Response, Failure> {
        let tally = Arc::clone(&self.tally);
        within(&tally, phase, limit, self.connection.command(command)).await
    }
}

/// A command of our own, which may hold a secret.
struct Line(Secret);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\r\n", self.0.expose())
    }
}

/// Asks for TLS on a connection that the server is about to greet.
pub(super) async fn start_tls<S>(
    server: &Server,
    mut lines: Lines<S>,
    hello: &ClientId,
) -> Result<Lines<S>, Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    hear(&mut lines).await?;
    ask(&mut lines, &format!("EHLO {hello}\r\n")).await?;
    // Whether it is offered may be anybody's word; that it is done is what counts.
    if let Err(failure) = ask(&mut lines, "STARTTLS\r\n").await {
        if failure.error.kind != ErrorKind::Rejected {
            return Err(failure);
        }
        let message = format!("{server} does not begin TLS, and without it nothing is said");
        let error = Error::new(ErrorKind::Unsupported, message)
            .hint("with security = \"tls\" most servers listen on port 465");
        return Err(Failure::new(Phase::Connect, error));
    }
    Ok(lines)
}

async fn ask<S>(lines: &mut Lines<S>, command: &str) -> Result<(), Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let failed = |error| Failure::new(Phase::Connect, error);
    if lines.is_ahead() {
        return Err(out_of_step(Phase::Connect));
    }
    lines.send(command.as_bytes()).await.map_err(failed)?;
    hear(lines).await
}

/// An answer that is a yes.
async fn hear<S>(lines: &mut Lines<S>) -> Result<(), Failure>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let failed = |error| Failure::new(Phase::Connect, error);
    for _ in 0..LINES {
        let line = lines.line(LINE_LIMIT).await.map_err(failed)?;
        match reply::line(&line) {
            None => return Err(out_of_step(Phase::Connect)),
            Some((_, false)) => {}
            Some((reply, true)) if (200..300).contains(&reply.code) => return Ok(()),
            Some((reply, true)) => return Err(Failure::refused(Phase::Connect, &reply)),
        }
    }
    Err(out_of_step(Phase::Connect))
}

/// What a step gives within its time.
async fn within<T>(
    tally: &Tally,
    phase: Phase,
    limit: Duration,
    step: impl Future<Output = Result<T, SmtpError>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(limit, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(match reply_of(&error) {
            Some(reply) => Failure::refused(phase, &reply),
            None => broken(tally, phase, error),
        }),
        Err(_) => Err(late(phase, limit)),
    }
}

/// How we call ourselves: by address, since the name of this machine is nobody's business (RFC 5321 §4.1.4).
fn hello(tcp: &TcpStream) -> ClientId {
    match tcp.local_addr().map(|address| address.ip()) {
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Ipv4(Ipv4Addr::LOCALHOST),
    }
}

/// A line of the answer to `EHLO`. `AUTH=` is how old servers began theirs.
fn extension(line: &str) -> (String, String) {
    let (name, parameters) = line.split_once([' ', '=']).unwrap_or((line, ""));
    (name.to_ascii_uppercase(), parameters.trim().to_owned())
}

/// That the answer is of the class that is due (RFC 5321 §4.2.1); lettre takes any that is no refusal.
fn expect(phase: Phase, class: u16, response: &Response) -> Result<(), Failure> {
    if u16::from(response.code()) / 100 == class { Ok(()) } else { Err(out_of_step(phase)) }
}

impl Reply {
    fn of(response: &Response) -> Self {
        let lines: Vec<&str> = response.message().collect();
        Self::new(response.code().into(), &lines.join(" "))
    }
}

/// The server's clear no, if that is what failed.
fn reply_of(error: &SmtpError) -> Option<Reply> {
    let code = error.status()?;
    let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    Some(Reply::new(code.into(), &text))
}

/// That the connection broke; if the server said no on its way out, that is why.
fn broken(tally: &Tally, phase: Phase, error: SmtpError) -> Failure {
    let said = tally.out_of_turn().unwrap_or_default();
    match said.lines().next().and_then(reply::line) {
        Some((reply, _)) if reply.code >= 400 => Failure::refused(phase, &reply),
        _ => Failure::new(phase, lost(error)),
    }
}

fn lost(error: SmtpError) -> Error {
    Error::new(ErrorKind::Unreachable, "the connection to the submission server broke")
        .caused_by(error)
}

fn late(phase: Phase, limit: Duration) -> Failure {
    let message = format!("the submission server said nothing for {} s", limit.as_secs());
    Failure::new(phase, Error::new(ErrorKind::Unreachable, message))
}

fn out_of_step(phase: Phase) -> Failure {
    let message = "the submission server answered something that was not asked";
    Failure::new(phase, Error::new(ErrorKind::Unreachable, message))
}

fn unknown(why: Error) -> Outcome {
    Outcome::Unknown { phase: Phase::End, why }
}
