//! Handing a message to a submission server (RFC 6409, RFC 5321), so that what came of it is always told truly: sent, not
//! sent, or not known. It must not know who wants the message sent, nor try anything a second time.
//!
//! A server takes responsibility for a message with its answer to the final full stop. What goes wrong before the first
//! byte of that full stop leaves the message unsent, beyond doubt; afterwards only a clear answer says what happened, and
//! without one it is [`Outcome::Unknown`]: nobody may send it again before having looked for it.
//!
//! The bytes of a message are given and never touched: on the wire they differ only by the full stops that SMTP doubles.
//! Hence a message that SMTP cannot carry as it is (line ends that are not CRLF, lines over 998 bytes) is refused, not
//! mended; and so is one with a `Bcc` field, which would tell everybody: whoever freezes a message leaves it out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::auth::Account;
use super::error::Retry;
use super::finding::Finding;
use super::net::Server;
use super::{Error, ErrorKind};
use crate::clock::Clock;
use crate::model::Address;

mod dialogue;
mod examine;
mod message;
pub mod rehearse;
mod reply;
mod wire;

use dialogue::Dialogue;
use message::Letter;

/// The largest message that is submitted.
pub const SIZE_LIMIT: usize = 64 << 20;

/// How long to wait after a refusal that the server calls passing; it has its own, longer, ideas about mail that is queued.
const PAUSE: Duration = Duration::from_mins(5);

/// What is configured.
#[derive(Debug, Clone)]
pub struct Options {
    pub server: Server,
    /// Without one, nobody signs in: a server that knows this machine.
    pub account: Option<Account>,
}

/// A message to send, and to whom.
#[derive(Clone)]
pub struct Submission {
    pub from: Address,
    pub to: Vec<Address>,
    /// The message as it is to arrive: header and body, each line ended by CRLF, no `Bcc`.
    pub message: Arc<[u8]>,
    /// Whether it is to go to the others when some recipients are refused. If not, it then goes to nobody: a person who
    /// wrote to three wants to know before two have read it.
    pub partial: bool,
}

impl fmt::Debug for Submission {
    /// Keeps content and addresses out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Submission({} recipients, {} bytes)", self.to.len(), self.message.len())
    }
}

/// What came of a submission.
#[derive(Debug)]
pub enum Outcome {
    /// The server took responsibility for it.
    Sent {
        /// Who does not get it; only with [`Submission::partial`].
        refused: Vec<(Address, Reply)>,
        /// What the server said, most often with the name that it queued the message under.
        reply: Reply,
    },
    /// It was not sent to anybody, beyond doubt.
    Refused {
        /// How far it came.
        phase: Phase,
        /// Whether it is no use to try again before a person did something.
        permanent: bool,
        why: Error,
        /// The recipients that were refused, if that is why.
        recipients: Vec<(Address, Reply)>,
    },
    /// The server has it all, but its answer did not come or meant nothing.
    Unknown { phase: Phase, why: Error },
}

/// How far a submission came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Before the server was spoken to.
    Check,
    /// Until both sides agreed on how to speak: connection, greeting, TLS.
    Connect,
    SignIn,
    /// `MAIL`.
    Sender,
    /// `RCPT`.
    Recipients,
    /// `DATA`, and the message up to its final full stop.
    Message,
    /// The final full stop, and the answer to it.
    End,
}

impl Phase {
    /// The word in records and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Connect => "connect",
            Self::SignIn => "sign-in",
            Self::Sender => "sender",
            Self::Recipients => "recipients",
            Self::Message => "message",
            Self::End => "end",
        }
    }
}

/// What a server answered (RFC 5321 §4.2).
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    pub code: u16,
    /// In the server's words, one line, fit to be shown.
    pub text: String,
}

impl Reply {
    fn is_permanent(&self) -> bool {
        self.code >= 500
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

impl fmt::Debug for Reply {
    /// The text may name addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({})", self.code)
    }
}

/// A submission server.
#[derive(Debug)]
pub struct Smtp {
    options: Options,
}

impl Smtp {
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Whether this server is known to file what it is handed among the sent messages of the mailbox: that of Gmail and those of
    /// Microsoft do.
    pub fn files_itself(&self) -> bool {
        const KNOWN: [&str; 4] = [
            "smtp.gmail.com",
            "smtp.googlemail.com",
            "smtp.office365.com",
            "smtp-mail.outlook.com",
        ];
        KNOWN.contains(&self.options.server.host.trim_end_matches('.').to_lowercase().as_str())
    }

    /// Hands the message over, once. Takes as long as the server may take by RFC 5321 §4.5.3.2: some minutes each step.
    pub async fn submit(&self, submission: &Submission) -> Outcome {
        let letter = match Letter::new(submission) {
            Ok(letter) => letter,
            Err(error) => return Failure::new(Phase::Check, error).into(),
        };
        match self.open().await {
            Ok(dialogue) => dialogue.submit(&letter, submission.partial).await,
            Err(failure) => failure.into(),
        }
    }

    /// A dialogue, signed in. A secret that is refused is fetched anew once: a token expires, a password is changed.
    async fn open(&self) -> Result<Dialogue, Failure> {
        let server = &self.options.server;
        let mut dialogue = Dialogue::open(server).await?;
        let Some(account) = &self.options.account else { return Ok(dialogue) };
        let failed = |error| Failure::new(Phase::SignIn, error);
        let secret = account.secret.secret().await.map_err(failed)?;
        match dialogue.sign_in(server, account, &secret).await {
            Err(failure) if failure.error.kind == ErrorKind::Unauthorised => {
                dialogue.quit().await;
                let renewed = account.secret.renewed().await.map_err(failed)?;
                if renewed.expose() == secret.expose() {
                    return Err(failure);
                }
                // Some servers hang up on a failed sign-in.
                dialogue = Dialogue::open(server).await?;
                dialogue.sign_in(server, account, &renewed).await?;
            }
            signed_in => signed_in?,
        }
        Ok(dialogue)
    }
}

/// What an examination of the server finds, in the order of the questions; it stops at the first that is answered with no.
/// No message is sent.
pub async fn examine(options: &Options, clock: &Clock) -> Vec<Finding> {
    examine::examine(options, clock).await
}

/// Why a message was not sent.
#[derive(Debug)]
struct Failure {
    phase: Phase,
    error: Error,
    recipients: Vec<(Address, Reply)>,
}

impl Failure {
    fn new(phase: Phase, error: Error) -> Self {
        Self { phase, error, recipients: Vec::new() }
    }

    /// That the server said no.
    fn refused(phase: Phase, reply: &Reply) -> Self {
        let kind = match (reply.code, phase) {
            // RFC 4954 §6: sign in first, no such user or password, encrypt first.
            (530 | 535 | 538, _) | (500.., Phase::SignIn) => ErrorKind::Unauthorised,
            (500.., _) => ErrorKind::Rejected,
            _ => ErrorKind::Throttled(PAUSE),
        };
        let doing = match phase {
            Phase::Check | Phase::Connect => "greet the server",
            Phase::SignIn => "sign in",
            Phase::Sender => "name the sender",
            Phase::Recipients => "name a recipient",
            Phase::Message | Phase::End => "hand over the message",
        };
        let message = match phase {
            // What is said to a sign-in may quote it.
            Phase::SignIn => format!("{doing}: the server answered `{}`", reply.code),
            _ => format!("{doing}: the server answered `{reply}`"),
        };
        Self::new(phase, Error::new(kind, message))
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        Self::Refused {
            phase: failure.phase,
            permanent: failure.error.kind.retry() == Retry::Never,
            why: failure.error,
            recipients: failure.recipients,
        }
    }
}

#[cfg(test)]
mod tests;
