//! The connection to the service: follows how things stand, passes on what the user wants, and comes back after the service was
//! away. It must not know what is shown.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use liaison::ipc::client::{Client, Error};
use liaison::ipc::wire::{Answer, Call, Command, Done, Event, Failed, Said, Status, Trouble};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// What is known of the service.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Link {
    Up(Box<Status>),
    Absent,
    /// It is there and cannot be used: why.
    Unclear(String),
}

/// What the service shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Sync,
    Offline,
    Online,
    Pause,
    Resume,
    /// Nothing, but it may have been started: look now.
    Look,
}

/// What became known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Link(Link),
    /// A wish was not fulfilled: why, and what can be done.
    Refused(Wish, String),
}

/// Pauses between attempts to reach the service double from one to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

const PROGRAM: &str = concat!("liaison-tray ", env!("CARGO_PKG_VERSION"));

/// Tells `heard` about the service behind a socket for as long as somebody listens.
pub(crate) async fn follow(
    socket: PathBuf,
    mut wishes: mpsc::Receiver<Wish>,
    heard: mpsc::Sender<Heard>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let ended = match Client::connect(&socket, PROGRAM).await {
            Ok(client) => {
                let mut connection = Connection { client, asked: BTreeMap::new(), heard: &heard };
                connection.serve(&mut wishes, &mut pause).await
            }
            Err(error) => Ended::Service(error),
        };
        let link = match ended {
            Ended::Service(error) => link(error),
            Ended::Listener => return,
        };
        tracing::debug!(?link, ?pause, "no connection to the service");
        if heard.send(Heard::Link(link)).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            wish = wishes.recv() => match wish {
                Some(_) => pause = FIRST_PAUSE,
                None => return,
            },
        }
    }
}

/// What an error means for the user.
fn link(error: Error) -> Link {
    match error {
        Error::Absent => Link::Absent,
        Error::Failed(Failed { kind: Trouble::Stopping, .. }) => Link::Absent,
        Error::Broken(error) if is_gone(error.kind()) => Link::Absent,
        error => Link::Unclear(error.to_string()),
    }
}

/// It ended, in the middle of something or not.
fn is_gone(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, UnexpectedEof | BrokenPipe | ConnectionReset | ConnectionAborted)
}

/// Who ended it.
enum Ended {
    Service(Error),
    Listener,
}

impl<E: Into<Error>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

struct Connection<'a> {
    client: Client,
    /// The wishes that have no answer yet, by the number of their request.
    asked: BTreeMap<u64, Wish>,
    heard: &'a mpsc::Sender<Heard>,
}

impl Connection<'_> {
    async fn serve(&mut self, wishes: &mut mpsc::Receiver<Wish>, pause: &mut Duration) -> Ended {
        match self.exchange(wishes, pause).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn exchange(
        &mut self,
        wishes: &mut mpsc::Receiver<Wish>,
        pause: &mut Duration,
    ) -> Result<std::convert::Infallible, Ended> {
        let events = self.client.send(Call::Events).await?;
        loop {
            tokio::select! {
                wish = wishes.recv() => self.ask(wish.ok_or(Ended::Listener)?).await?,
                response = self.client.next() => {
                    let response = response?;
                    match response.said {
                        Said::Event(Event::Status(status)) => {
                            *pause = FIRST_PAUSE;
                            self.tell(Heard::Link(Link::Up(status))).await?;
                        }
                        Said::Failed(failed) if response.id == events => return Err(Error::Failed(failed).into()),
                        Said::Failed(failed) => self.failed(response.id, failed).await?,
                        Said::Done(done) => self.done(response.id, done).await?,
                        // Nobody sits here who could answer.
                        Said::Question(_) => self.client.reply(response.id, false).await?,
                        Said::Progress(_) => {}
                    }
                }
            }
        }
    }

    async fn ask(&mut self, wish: Wish) -> Result<(), Ended> {
        if let Some(call) = call(wish) {
            let id = self.client.send(call).await?;
            self.asked.insert(id, wish);
        }
        Ok(())
    }

    async fn failed(&mut self, id: u64, failed: Failed) -> Result<(), Ended> {
        let Some(wish) = self.asked.remove(&id) else { return Ok(()) };
        if failed.kind == Trouble::Stopping {
            return Ok(());
        }
        let hint = failed.hint.map(|hint| format!("\n{hint}")).unwrap_or_default();
        self.tell(Heard::Refused(wish, failed.message + &hint)).await
    }

    async fn done(&mut self, id: u64, done: Done) -> Result<(), Ended> {
        let Some(wish) = self.asked.remove(&id) else { return Ok(()) };
        match done {
            Done::Answer(Answer { exit, .. }) if !is_shown_by_status(exit) => {
                // What it said may name people: that is for a terminal.
                let why = format!("It ended with code {exit}. The log says more.");
                self.tell(Heard::Refused(wish, why)).await
            }
            Done::Answer(_) | Done::Nothing | Done::Welcome { .. } | Done::Status(_) => Ok(()),
        }
    }

    async fn tell(&self, heard: Heard) -> Result<(), Ended> {
        self.heard.send(heard).await.map_err(|_| Ended::Listener)
    }
}

/// Done, done in part, held, conflicts wait, sign-in needed: the next status says so by itself.
fn is_shown_by_status(exit: u8) -> bool {
    matches!(exit, 0 | 3..=6)
}

fn call(wish: Wish) -> Option<Call> {
    let run = |command| Call::Run { command, arguments: Vec::new(), json: true };
    match wish {
        Wish::Sync => Some(Call::Sync { classes: Vec::new() }),
        Wish::Offline => Some(run(Command::Offline)),
        Wish::Online => Some(run(Command::Online)),
        Wish::Pause => Some(Call::Pause { seconds: None }),
        Wish::Resume => Some(Call::Resume),
        Wish::Look => None,
    }
}
