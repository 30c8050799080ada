//! The other end of the socket: connects, says hello, and asks. It must not know what the answers are for.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::wire::{Call, Done, Failed, Request, Response, Said};
use super::{VERSION, frame};

/// A service on this machine answers at once, or not at all.
const HELLO: Duration = Duration::from_secs(5);

/// A connection to the running service.
#[derive(Debug)]
pub struct Client {
    reader: frame::Reader<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    last: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens: the service does not run.
    #[error("the service does not run")]
    Absent,
    /// The service said no.
    #[error("{}", .0.message)]
    Failed(Failed),
    /// The service went away, or does not speak this protocol.
    #[error("the service cannot be understood: {0}")]
    Broken(#[from] io::Error),
}

impl Client {
    /// Connects to the service behind a socket. `program` names who asks.
    ///
    /// # Errors
    /// [`Error::Absent`] when nobody listens there.
    pub async fn connect(socket: &Path, program: &str) -> Result<Self, Error> {
        let stream = match timeout(HELLO, UnixStream::connect(socket)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if is_absent(error.kind()) => return Err(Error::Absent),
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(silent().into()),
        };
        let (reader, writer) = stream.into_split();
        let reader = frame::Reader::new(BufReader::new(reader), frame::LINE_MAX);
        let mut client = Self { reader, writer, last: 0 };
        let hello = Call::Hello { version: VERSION, program: program.to_owned() };
        let id = client.send(hello).await?;
        match timeout(HELLO, client.done(id)).await.map_err(|_| silent())?? {
            Done::Welcome { .. } => Ok(client),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks, and waits for the end of it. Questions in between get a no, and progress is not told: who wants those uses
    /// [`Client::send`] and [`Client::next`].
    ///
    /// # Errors
    /// When the service says no or goes away.
    pub async fn ask(&mut self, call: Call) -> Result<Done, Error> {
        let id = self.send(call).await?;
        self.done(id).await
    }

    /// Sends a request and returns its number.
    ///
    /// # Errors
    /// When the service is gone.
    pub async fn send(&mut self, call: Call) -> Result<u64, Error> {
        self.last += 1;
        frame::write(&mut self.writer, &Request { id: self.last, call }).await?;
        Ok(self.last)
    }

    /// Answers a question of a request.
    ///
    /// # Errors
    /// When the service is gone.
    pub async fn reply(&mut self, id: u64, yes: bool) -> Result<(), Error> {
        Ok(frame::write(&mut self.writer, &Request { id, call: Call::Reply { yes } }).await?)
    }

    /// The next line of the service. May be dropped while it waits.
    ///
    /// # Errors
    /// When the service is gone.
    pub async fn next(&mut self) -> Result<Response, Error> {
        self.reader.next().await?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::UnexpectedEof, "it ended the connection").into()
        })
    }

    async fn done(&mut self, id: u64) -> Result<Done, Error> {
        loop {
            let response = self.next().await?;
            match response.said {
                Said::Failed(failed) if response.id == id => return Err(Error::Failed(failed)),
                Said::Done(done) if response.id == id => return Ok(done),
                Said::Question(_) => self.reply(response.id, false).await?,
                _ => {}
            }
        }
    }
}

/// Also a socket that a killed service left behind.
fn is_absent(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn silent() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it does not answer")
}

fn unexpected(done: &Done) -> Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("an unexpected answer: {done:?}")).into()
}
