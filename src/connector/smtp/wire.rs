//! What stands between lettre and the connection. Lettre reads lines without end, trusts whatever it finds in its buffer, and
//! hides how much of a message it wrote. Here answers get their limits, count only after they were asked for, and it is noted
//! when the end of a message leaves. It must not know what commands mean.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::reply::{LINE_LIMIT, LINES};

/// Ends a message (RFC 5321 §4.1.1.4). With full stops doubled, it stands nowhere else in one.
const END: &[u8] = b"\r\n.\r\n";

/// How much is written at once, and looked through before.
const PIECE: usize = 16 << 10;

/// A connection that lettre may be given.
pub(super) trait Carrier: AsyncRead + AsyncWrite + Send + Sync + Unpin + fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + fmt::Debug> Carrier for T {}

/// What is known of a connection that lettre holds.
#[derive(Debug, Default)]
pub(super) struct Tally {
    written: AtomicU64,
    message: AtomicBool,
    ended: AtomicBool,
    out_of_turn: Mutex<Option<Vec<u8>>>,
}

impl Tally {
    /// From now on a message is written.
    pub(super) fn begin_message(&self) {
        self.message.store(true, Ordering::SeqCst);
    }

    /// Whether any byte of the message's end may have left.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// How much was written so far.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::SeqCst)
    }

    /// What the server said without having been asked, as far as it was looked at.
    pub(super) fn out_of_turn(&self) -> Option<String> {
        let heard = self.out_of_turn.lock().unwrap_or_else(PoisonError::into_inner);
        heard.as_ref().map(|heard| String::from_utf8_lossy(heard).into_owned())
    }
}

/// A connection with the rules of a dialogue.
#[derive(Debug)]
pub(super) struct Guard {
    inner: Box<dyn Carrier>,
    tally: Arc<Tally>,
    /// Whether something was said that was not answered yet.
    awaiting: bool,
    /// The line that is being read, and how many came before it.
    line: Vec<u8>,
    lines: usize,
    /// What lettre may read.
    ready: VecDeque<u8>,
    /// The last bytes that were written, fewer than end a message.
    tail: Vec<u8>,
}

impl Guard {
    /// On a connection that the server is about to greet.
    pub(super) fn new(inner: Box<dyn Carrier>, tally: Arc<Tally>) -> Self {
        let (line, ready, tail) = (Vec::new(), VecDeque::new(), Vec::new());
        Self { inner, tally, awaiting: true, line, lines: 0, ready, tail }
    }

    /// On a connection that was greeted already, which lettre cannot know: it is given a greeting of our own.
    pub(super) fn greeted(inner: Box<dyn Carrier>, tally: Arc<Tally>) -> Self {
        let ready = VecDeque::from(b"220 greeted\r\n".to_vec());
        Self { awaiting: false, ready, ..Self::new(inner, tally) }
    }

    /// Reads what is there: how many bytes.
    fn hear(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut chunk = [0; 2048];
        let mut buffer = ReadBuf::new(&mut chunk);
        match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {}
        }
        let heard = buffer.filled();
        for (at, byte) in heard.iter().enumerate() {
            if !self.awaiting {
                // The answer itself stands; the rest is held against the server when it is spoken to next.
                let rest = heard.get(at..).unwrap_or_default().to_vec();
                let mut noted =
                    self.tally.out_of_turn.lock().unwrap_or_else(PoisonError::into_inner);
                noted.get_or_insert(rest);
                break;
            }
            self.take(*byte)?;
        }
        Poll::Ready(Ok(heard.len()))
    }

    fn take(&mut self, byte: u8) -> io::Result<()> {
        if byte != b'\n' {
            self.line.push(byte);
            if self.line.len() > LINE_LIMIT - 2 {
                return Err(hostile("the server sent a line without end"));
            }
            return Ok(());
        }
        self.lines += 1;
        if self.lines > LINES {
            return Err(hostile("the server sent an answer without end"));
        }
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        // Lettre takes it for granted that a line of more than its code has a word.
        while line.len() > 4 && line.last() == Some(&b' ') {
            line.pop();
        }
        // For lettre only ASCII is text, and a code alone is none.
        let shown = |byte: u8| if byte == b' ' || byte.is_ascii_graphic() { byte } else { b'?' };
        self.ready.extend(line.iter().copied().map(shown));
        if line.len() == 3 {
            self.ready.push_back(b' ');
        }
        self.ready.extend(b"\r\n");
        self.awaiting = line.get(3) == Some(&b'-');
        Ok(())
    }

    /// Before something is said, nothing may be left to hear: an answer to nothing would be taken for the answer to this.
    fn check_silence(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Poll::Ready(heard) = self.hear(cx)
            && heard? == 0
        {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up"));
        }
        if self.tally.out_of_turn().is_some() {
            return Err(hostile("the server spoke out of turn"));
        }
        Ok(())
    }

    /// Notes what is about to be said.
    fn say(&mut self, bytes: &[u8]) {
        let ends = |bytes: &[u8]| bytes.windows(END.len()).any(|window| window == END);
        let seam: Vec<u8> = self.tail.iter().chain(bytes.iter().take(END.len())).copied().collect();
        if !self.tally.message.load(Ordering::SeqCst) {
            (self.awaiting, self.lines) = (true, 0);
        } else if ends(bytes) || ends(&seam) {
            // Noted before it is tried: what became of a failed write is not known.
            self.tally.ended.store(true, Ordering::SeqCst);
            self.tally.message.store(false, Ordering::SeqCst);
            (self.awaiting, self.lines) = (true, 0);
        }
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.ready.is_empty() {
            match this.hear(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) if !this.awaiting && this.ready.is_empty() => {
                    return Poll::Ready(Err(hostile("the server spoke out of turn")));
                }
                Poll::Ready(Ok(_)) => {}
            }
        }
        let count = this.ready.len().min(buffer.remaining());
        let bytes: Vec<u8> = this.ready.drain(..count).collect();
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let bytes = bytes.get(..bytes.len().min(PIECE)).unwrap_or_default();
        if !this.awaiting {
            this.check_silence(cx)?;
            this.say(bytes);
        }
        let written = Pin::new(&mut this.inner).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            this.tally.written.fetch_add(*count as u64, Ordering::SeqCst);
            this.tail.extend_from_slice(bytes.get(..*count).unwrap_or_default());
            this.tail.drain(..this.tail.len().saturating_sub(END.len() - 1));
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Guard {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

fn hostile(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
