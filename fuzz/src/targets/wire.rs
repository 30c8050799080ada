//! A server that says what it is told to say, whatever it is asked.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What stands between two turns of a server that waits for its turn.
pub const TURN: u8 = 0;

/// The end of a wire that a script answers, and that hangs up when the script ends.
#[derive(Debug)]
pub struct Script {
    bytes: Vec<u8>,
    given: usize,
    /// How much is given at once.
    piece: usize,
    /// Whether it waits for a word of the client before each of its turns.
    in_turn: bool,
    /// Whether it may speak.
    has_turn: bool,
}

impl Script {
    /// Says everything at once, in pieces of at most `piece` bytes.
    pub fn at_once(bytes: &[u8], piece: usize) -> Self {
        Self {
            bytes: bytes.to_vec(),
            given: 0,
            piece: piece.max(1),
            in_turn: false,
            has_turn: true,
        }
    }

    /// Says one turn, waits for a command, says the next.
    pub fn in_turn(bytes: &[u8], piece: usize) -> Self {
        Self { in_turn: true, ..Self::at_once(bytes, piece) }
    }
}

impl AsyncRead for Script {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let rest = &this.bytes[this.given..];
        if rest.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if this.in_turn && !this.has_turn {
            // It waits for its turn; what the client waits for then is the client's business.
            let _ = cx;
            return Poll::Pending;
        }
        let turn = if this.in_turn {
            rest.iter().position(|byte| *byte == TURN).unwrap_or(rest.len())
        } else {
            rest.len()
        };
        let count = turn.min(this.piece).min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        this.given += count;
        if this.in_turn && count == turn {
            this.given += usize::from(this.given < this.bytes.len());
            this.has_turn = false;
            if count == 0 {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // A command ends with its line.
        this.has_turn |= bytes.ends_with(b"\n");
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Runs what a target does with a wire. Time is not waited for: where both ends wait, it passes at once.
pub fn run<T>(what: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(what))
}
