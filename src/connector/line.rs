//! Lines to and from a server, with limits on their length and on the wait for them. It must not know what they say.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::net::Server;
use super::{Error, ErrorKind, Result};

/// How much is read at once.
const CHUNK: usize = 16 << 10;

/// How much of a line or a message is read over in the hope of its end, when `limit` bytes of it are wanted.
pub const fn excess(limit: usize) -> usize {
    let least = 16 << 20;
    let most = limit.saturating_mul(4);
    if most > least { most } else { least }
}

/// A connection on which both sides speak in lines.
#[derive(Debug)]
pub struct Lines<S> {
    stream: S,
    read: Vec<u8>,
    /// How much of `read` was given out.
    given: usize,
    /// How long the server may keep us waiting for its next bytes, or for taking ours.
    patience: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, read: Vec::new(), given: 0, patience }
    }

    /// The next line without its end. What is no UTF-8 becomes `�`: it is only ever shown.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] when the connection ends, nothing comes in time, or the line is longer than `limit` bytes.
    pub async fn line(&mut self, limit: usize) -> Result<String> {
        let mut line = Vec::new();
        if self.line_into(&mut line, limit).await? {
            return Err(lost(format!("the server sent a line of more than {limit} bytes")));
        }
        while let Some(b'\n' | b'\r') = line.last() {
            line.pop();
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Appends the next line with its end, `limit` bytes at most. Whether it was cut: the rest, its end included, is read over.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] when the connection ends, nothing comes in time, or the line does not end within [`excess`].
    pub async fn line_into(&mut self, line: &mut Vec<u8>, limit: usize) -> Result<bool> {
        let mut room = limit;
        let mut cut = false;
        let mut over = 0_usize;
        loop {
            let waiting = self.read.get(self.given..).unwrap_or_default();
            let end = waiting.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let piece = waiting.get(..end.unwrap_or(waiting.len())).unwrap_or_default();
            let kept = piece.get(..piece.len().min(room)).unwrap_or_default();
            cut |= kept.len() < piece.len();
            over += piece.len() - kept.len();
            room -= kept.len();
            line.extend_from_slice(kept);
            self.given += piece.len();
            if end.is_some() {
                return Ok(cut);
            }
            if over > excess(limit) {
                return Err(lost("the server sent a line without end".to_owned()));
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        self.given = 0;
        self.read.resize(CHUNK, 0);
        let read = tokio::time::timeout(self.patience, self.stream.read(&mut self.read)).await;
        // Whatever happened, nothing must be given out that was not read.
        self.read.truncate(read.as_ref().map_or(0, |read| *read.as_ref().unwrap_or(&0)));
        let count = read
            .map_err(|_| {
                lost(format!("the server said nothing for {} s", self.patience.as_secs()))
            })?
            .map_err(|error| lost("the connection broke".to_owned()).caused_by(error))?;
        if count == 0 {
            return Err(lost("the server hung up".to_owned()));
        }
        Ok(())
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] when the connection ends or the server does not take them in time.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let sending = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        tokio::time::timeout(self.patience, sending)
            .await
            .map_err(|_| {
                lost(format!("the server took nothing for {} s", self.patience.as_secs()))
            })?
            .map_err(|error| lost("the connection broke".to_owned()).caused_by(error))
    }

    /// Whether the server said something that was not asked for yet.
    pub fn is_ahead(&self) -> bool {
        self.given < self.read.len()
    }
}

impl Lines<TcpStream> {
    /// TLS on the connection, after the server agreed to it. Nothing that came before it counts afterwards: an attacker can
    /// slip in words before TLS that would pass for the server's (CVE-2011-0411), so more words than asked for end it.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] when no trusted connection comes about.
    pub async fn secure(self, server: &Server) -> Result<TlsStream<TcpStream>> {
        if self.is_ahead() {
            return Err(lost(format!("{server} went on talking when TLS was to begin"))
                .hint("somebody may be tampering with the connection: use security = \"tls\""));
        }
        server.secure(self.stream).await
    }
}

fn lost(message: String) -> Error {
    Error::new(ErrorKind::Unreachable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn lines_come_whole_however_they_travel() {
        let text = b"+OK one\r\n\r\ntwo\nthr\xffee\r\n";
        for at in 0..text.len() {
            let (mut far, near) = tokio::io::duplex(64);
            let (first, second) = text.split_at(at);
            let sending = async {
                far.write_all(first).await.unwrap();
                tokio::task::yield_now().await;
                far.write_all(second).await.unwrap();
                drop(far);
            };
            let reading = async {
                let mut lines = Lines::new(near, PATIENCE);
                for expected in ["+OK one", "", "two", "thr\u{fffd}ee"] {
                    assert_eq!(lines.line(100).await.unwrap(), expected);
                }
                assert_eq!(lines.line(100).await.unwrap_err().kind, ErrorKind::Unreachable);
            };
            tokio::join!(sending, reading);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_endless_lines_end() {
        let (far, near) = tokio::io::duplex(64);
        let mut lines = Lines::new(near, PATIENCE);
        assert!(lines.line(100).await.unwrap_err().message.contains("nothing for 10 s"));
        // It takes 64 bytes and no more.
        let error = lines.send(&[b'x'; 100]).await.unwrap_err();
        assert!(error.message.contains("took nothing"), "{error}");
        drop(far);
        let (mut far, near) = tokio::io::duplex(1 << 20);
        let sending = async move {
            far.write_all(&vec![b'x'; 3 << 20]).await.unwrap();
            far.write_all(b"\r\nnext\r\n").await.unwrap();
        };
        let reading = async {
            let mut lines = Lines::new(near, PATIENCE);
            assert!(lines.line(512).await.unwrap_err().message.contains("more than 512"));
            assert_eq!(lines.line(512).await.unwrap(), "next");
        };
        tokio::join!(sending, reading);
    }
}
