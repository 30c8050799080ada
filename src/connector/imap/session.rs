//! A connection that is signed in: commands go out, as many as wanted before the first answer is read, and each is done only
//! when the server says so by its tag. It must not know what is looked for.
//!
//! * A refused command is an error, whatever data came before. A closed connection is one, too.
//! * What cannot be read is counted, not skipped: who concludes from absence has to ask for it.
//! * No command waits for ever, nor as long as a server cares to send a byte now and then.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_imap::Connection;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::capability::Capabilities;
use super::guard::{Guard, Nonsense};
use super::name::Piece;
use super::response::{Condition, Response, Status};
use super::select::Selected;
use crate::connector::{Error, ErrorKind, Result};

/// How long the server may be silent.
pub(super) const SILENCE: Duration = Duration::from_mins(1);

/// How long one command may take, however busy the server seems.
const LONGEST: Duration = Duration::from_mins(15);

/// A signed-in connection.
#[derive(Debug)]
pub(super) struct Session {
    talk: async_imap::Session<Guard>,
    pub(super) capabilities: Capabilities,
    /// The folder that is open.
    pub(super) selected: Option<Selected>,
    pub(super) server: String,
    requests: Arc<AtomicU64>,
    /// What came while a literal waited for leave.
    early: VecDeque<Response>,
    /// Commands that were done before anybody asked.
    done: BTreeMap<String, Status>,
    /// What the server said when it took its leave.
    parting: Option<String>,
    alive: bool,
}

/// A command that was sent.
#[derive(Debug)]
pub(super) struct Tag(String);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) status: Status,
    /// Why some of the data could not be read.
    pub(super) broken: Option<&'static str>,
}

impl Session {
    pub(super) fn new(
        talk: async_imap::Session<Guard>,
        server: String,
        requests: Arc<AtomicU64>,
    ) -> Self {
        Self {
            talk,
            capabilities: Capabilities::default(),
            selected: None,
            server,
            requests,
            early: VecDeque::new(),
            done: BTreeMap::new(),
            parting: None,
            alive: true,
        }
    }

    /// Whether the connection can still be used.
    pub(super) fn is_alive(&self) -> bool {
        self.alive
    }

    /// Gives the connection up, with whatever is still said on it.
    pub(super) fn abandon(&mut self) {
        self.alive = false;
    }

    /// Sends a command and waits for its end; `doing` is for the error, `each` gets the data.
    pub(super) async fn run(
        &mut self,
        command: &str,
        doing: &str,
        each: impl FnMut(Response) + Send,
    ) -> Result<Done> {
        let tag = self.send(command).await?;
        self.finish(&tag, doing, each).await
    }

    /// Sends a command and does not wait.
    pub(super) async fn send(&mut self, command: &str) -> Result<Tag> {
        if !self.alive {
            return Err(self.lost("the connection is gone"));
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        match timeout(SILENCE, self.talk.run_command(command)).await {
            Ok(Ok(tag)) => Ok(Tag(tag.0)),
            Ok(Err(error)) => Err(self.lost("the connection broke").caused_by(error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Sends a command that may hold literals. Where the server wants to give leave to each, this waits for that.
    pub(super) async fn send_pieces(&mut self, pieces: &[Piece]) -> Result<Tag> {
        let mut lines = vec![(String::new(), None)];
        for piece in pieces {
            match (piece, lines.last_mut()) {
                (Piece::Text(text), Some((line, None))) => line.push_str(text),
                (Piece::Text(text), _) => lines.push((text.clone(), None)),
                (Piece::Literal(octets), Some((line, literal @ None))) => {
                    let plus = if self.capabilities.takes_literal(octets.len()) { "+" } else { "" };
                    *line = format!("{line}{{{}{plus}}}", octets.len());
                    *literal = Some(octets);
                }
                (Piece::Literal(_), _) => {}
            }
        }
        // Whatever follows a literal continues its line, be it only with the end.
        if lines.last().is_some_and(|(_, literal)| literal.is_some()) {
            lines.push((String::new(), None));
        }
        let mut lines = lines.into_iter();
        let (first, mut literal) = lines.next().unwrap_or_default();
        let tag = self.send(&first).await?;
        for (line, next) in lines {
            let octets = literal.take().map_or(&[][..], Vec::as_slice);
            if !self.capabilities.takes_literal(octets.len()) && !self.has_leave(&tag).await? {
                break;
            }
            let sent = async {
                self.talk.get_mut().write_all(octets).await?;
                self.talk.run_command_untagged(&line).await.map_err(io::Error::other)
            };
            match timeout(LONGEST, sent).await {
                Ok(Ok(())) => literal = next,
                Ok(Err(error)) => return Err(self.lost("the connection broke").caused_by(error)),
                Err(_) => return Err(self.silent()),
            }
        }
        Ok(tag)
    }

    /// Whether the server wants the literal, or refuses the command as it is.
    async fn has_leave(&mut self, tag: &Tag) -> Result<bool> {
        let mut early = VecDeque::new();
        let leave = loop {
            match self.hear().await? {
                Response::Continue(_) => break true,
                response => {
                    let refused =
                        matches!(&response, Response::Tagged { tag: done, .. } if *done == tag.0);
                    early.push_back(response);
                    if refused {
                        break false;
                    }
                }
            }
        };
        self.early = early;
        Ok(leave)
    }

    /// Waits for the end of a command.
    ///
    /// # Errors
    /// When the server refuses it ([`Status::refusal`]), or does not answer.
    pub(super) async fn finish(
        &mut self,
        tag: &Tag,
        doing: &str,
        mut each: impl FnMut(Response) + Send,
    ) -> Result<Done> {
        let finished = timeout(LONGEST, async {
            let mut broken = None;
            loop {
                if let Some(status) = self.done.remove(&tag.0) {
                    return Ok(Done { status, broken });
                }
                match self.hear().await? {
                    Response::Tagged { tag: done, status } => {
                        self.done.insert(done, status);
                    }
                    Response::Broken(why) => broken = Some(why),
                    response => each(response),
                }
            }
        });
        let done: Done = match finished.await {
            Ok(done) => done?,
            Err(_) => return Err(self.silent()),
        };
        match done.status.condition {
            Condition::Ok => Ok(done),
            _ => Err(done.status.refusal(doing)),
        }
    }

    /// Whether a command ended out of turn: then it is unknown whose data was whose.
    pub(super) fn is_early(&self, tag: &Tag) -> bool {
        self.done.contains_key(&tag.0)
    }

    /// The next response, whatever it belongs to.
    pub(super) async fn hear(&mut self) -> Result<Response> {
        loop {
            let before = self.talk.get_ref().received();
            match timeout(SILENCE, self.hear_patiently()).await {
                Ok(heard) => return heard,
                // A large answer on a slow line is no silence.
                Err(_) if self.talk.get_ref().received() > before => {}
                Err(_) => return Err(self.silent()),
            }
        }
    }

    /// As [`Session::hear`], however long it takes. Nothing is lost by giving up.
    pub(super) async fn hear_patiently(&mut self) -> Result<Response> {
        if let Some(response) = self.early.pop_front() {
            return Ok(response);
        }
        let response = next(&mut self.talk).await.map_err(|error| self.broke(error))?;
        if let Response::Status(status) = &response
            && status.condition == Condition::Bye
        {
            self.parting = Some(status.sentence.clone());
        }
        Ok(response)
    }

    /// A line that belongs to a command under way (`DONE`).
    pub(super) async fn say(&mut self, line: &str) -> Result<()> {
        match timeout(SILENCE, self.talk.run_command_untagged(line)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.lost("the connection broke").caused_by(error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Says goodbye, for courtesy: the answer means nothing.
    pub(super) async fn log_out(mut self) {
        const COURTESY: Duration = Duration::from_secs(2);
        drop(timeout(COURTESY, self.run("LOGOUT", "sign out", |_| {})).await);
    }

    /// The data of a command cannot be told from that of another, or makes no sense.
    pub(super) fn malformed(&mut self, what: &str) -> Error {
        self.alive = false;
        Error::new(ErrorKind::Malformed, format!("{}: {what}", self.server))
    }

    fn broke(&mut self, error: io::Error) -> Error {
        let parting = self.parting.take().filter(|said| !said.is_empty());
        let is_nonsense =
            error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Nonsense>);
        let lost = match parting {
            _ if is_nonsense => self.malformed(&error.to_string()),
            Some(said) => self.lost(&format!("it hung up, saying \"{said}\"")),
            None => self.lost(&error.to_string()),
        };
        lost.caused_by(error)
    }

    fn silent(&mut self) -> Error {
        self.lost(&format!("no answer within {} s", SILENCE.as_secs()))
    }

    fn lost(&mut self, what: &str) -> Error {
        self.alive = false;
        Error::new(ErrorKind::Unreachable, format!("{}: {what}", self.server))
    }
}

/// The next response on a connection, signed in or not. Dropping this loses nothing.
pub(super) async fn next(talk: &mut Connection<Guard>) -> io::Result<Response> {
    poll_fn(|context| {
        if let Some(response) = talk.get_mut().next() {
            return Poll::Ready(Ok(response));
        }
        if let Some(error) = talk.get_mut().failure() {
            return Poll::Ready(Err(error));
        }
        let polled = pin!(talk.read_response()).poll(context);
        if let Some(response) = talk.get_mut().next() {
            // What came before the end is heard first; why it ended is told after it.
            if let Poll::Ready(Err(error)) = polled {
                talk.get_mut().fail(error);
            }
            return Poll::Ready(Ok(response));
        }
        match polled {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(None)) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            // What the library was told counts for nothing here.
            Poll::Ready(Ok(Some(_))) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
