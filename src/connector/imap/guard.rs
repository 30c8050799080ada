//! What stands between the wire and `async-imap`. The library builds its answers with a parser that recurses and panics on
//! hostile data, so it gets to see nothing but the ends of the few exchanges it leads itself (sign-in, compression),
//! rewritten to what it is known to understand. Everything is taken apart here, within limits, and waits in order for
//! whoever asks. It must not know what any of it means.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame::{Frames, Limits};
use super::response::{Condition, Response, parse};
use crate::connector::net::Stream;

/// How much is read at once, and how much is gathered before it is sent.
const CHUNK: usize = 32 << 10;

/// How many responses may wait for somebody who does not ask.
const WAITING: usize = 100_000;

/// Who leads the talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// We do: the library sees nothing.
    Ours,
    /// The library does, until its command is done.
    Library,
    /// Nobody any more: bytes pass as they are, since another guard sits above the compression.
    Through,
}

/// A connection that speaks in responses.
pub(super) struct Guard {
    wire: Stream,
    frames: Frames,
    waiting: VecDeque<Response>,
    /// What the library is to read.
    passed: BytesMut,
    /// What it wrote since it last flushed: commands come in pieces, and each piece would be a packet.
    written: BytesMut,
    lead: Lead,
    /// A command to be answered here, not sent.
    absorbing: bool,
    chunk: Box<[u8]>,
    received: u64,
    /// Why nothing follows the responses that wait.
    failure: Option<io::Error>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("lead", &self.lead).finish_non_exhaustive()
    }
}

impl Guard {
    pub(super) fn new(wire: Stream, limits: Limits) -> Self {
        Self {
            wire,
            frames: Frames::new(limits),
            waiting: VecDeque::new(),
            passed: BytesMut::new(),
            written: BytesMut::new(),
            lead: Lead::Ours,
            absorbing: false,
            chunk: vec![0; CHUNK].into_boxed_slice(),
            received: 0,
            failure: None,
        }
    }

    /// The oldest response that nobody had yet.
    pub(super) fn next(&mut self) -> Option<Response> {
        self.waiting.pop_front()
    }

    /// Remembers why nothing follows.
    pub(super) fn fail(&mut self, error: io::Error) {
        self.failure = Some(error);
    }

    /// Why nothing follows, once: to be asked when no response waits any more.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    pub(super) fn lead(&mut self, lead: Lead) {
        self.lead = lead;
        if lead == Lead::Through {
            let rest = self.frames.take_rest();
            self.passed.extend_from_slice(&rest);
        }
    }

    /// Answers the next command in the server's place. The library makes a session out of a sign-in only; a server that
    /// greets with `PREAUTH` knows the user already and would refuse one.
    pub(super) fn absorb_one_command(&mut self) {
        self.absorbing = true;
    }

    /// How many bytes arrived: whether a slow answer is still coming.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Takes apart what is there. With the library in the lead it stops after each response that is passed on: what
    /// follows may be compressed already.
    fn digest(&mut self) -> io::Result<()> {
        while self.passed.is_empty() {
            let Some(whole) = self.frames.next().map_err(broken)? else { return Ok(()) };
            let Some(response) = parse(&whole).map_err(broken)? else { continue };
            if self.lead == Lead::Library {
                self.pass(&response);
            }
            if self.waiting.len() >= WAITING {
                return Err(broken("it sends more than anybody asked for"));
            }
            self.waiting.push_back(response);
        }
        Ok(())
    }

    fn pass(&mut self, response: &Response) {
        match response {
            Response::Tagged { tag, status } => {
                let condition = match status.condition {
                    Condition::Ok => "OK",
                    Condition::No => "NO",
                    Condition::Bad | Condition::Bye | Condition::PreAuth => "BAD",
                };
                self.passed.extend_from_slice(format!("{tag} {condition} x\r\n").as_bytes());
            }
            Response::Continue(text) => {
                // A challenge is base64; anything else would be a sentence.
                let is_base64 =
                    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
                let text = if is_base64 { text.as_str() } else { "" };
                self.passed.extend_from_slice(format!("+ {text}\r\n").as_bytes());
            }
            Response::Status(_)
            | Response::Numbered { .. }
            | Response::Data { .. }
            | Response::Broken(_) => {}
        }
    }

    /// The library's own command, answered.
    fn absorb(&mut self) {
        let line = self.written.split();
        let tag: Vec<u8> = line.iter().copied().take_while(u8::is_ascii_alphanumeric).collect();
        let tag = String::from_utf8(tag).unwrap_or_default();
        self.passed.extend_from_slice(format!("{tag} OK x\r\n").as_bytes());
        self.absorbing = false;
    }
}

/// What was said is no IMAP, or more than is taken.
#[derive(Debug)]
pub(super) struct Nonsense(String);

impl fmt::Display for Nonsense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Nonsense {}

fn broken(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Nonsense(what.into()))
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.passed.is_empty() {
            let length = this.passed.len().min(buffer.remaining());
            buffer.put_slice(&this.passed.split_to(length));
            return Poll::Ready(Ok(()));
        }
        if this.lead == Lead::Through {
            return Pin::new(&mut this.wire).poll_read(cx, buffer);
        }
        let before = this.waiting.len();
        this.digest()?;
        if this.passed.is_empty() && this.waiting.len() == before {
            let mut chunk = ReadBuf::new(&mut this.chunk);
            ready!(Pin::new(&mut this.wire).poll_read(cx, &mut chunk))?;
            if chunk.filled().is_empty() {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "it hung up",
                )));
            }
            this.received = this.received.saturating_add(chunk.filled().len() as u64);
            this.frames.push(chunk.filled());
            this.digest()?;
        }
        // Either there is something to pass on, or whoever waits for responses looks, or we read on.
        cx.waker().wake_by_ref();
        if this.passed.is_empty() {
            return Poll::Pending;
        }
        let length = this.passed.len().min(buffer.remaining());
        buffer.put_slice(&this.passed.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl Guard {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.written.is_empty() {
            let sent = ready!(Pin::new(&mut self.wire).poll_write(cx, &self.written))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written.advance(sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.written.len() >= CHUNK {
            ready!(self.poll_send(cx))?;
        }
        let length = bytes.len().min(CHUNK);
        self.written.extend_from_slice(bytes.get(..length).unwrap_or(bytes));
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.absorbing {
            self.absorb();
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
