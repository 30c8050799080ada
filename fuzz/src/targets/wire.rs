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
    /// How many turns it may take; nothing where it does not wait for them.
    turns: Option<usize>,
}

impl Script {
    /// Says everything at once, in pieces of at most `piece` bytes.
    pub fn at_once(bytes: &[u8], piece: usize) -> Self {
        Self { bytes: bytes.to_vec(), given: 0, piece: piece.max(1), turns: None }
    }

    /// Says its first turn, and one more for each line that it hears.
    pub fn in_turn(bytes: &[u8], piece: usize) -> Self {
        Self { turns: Some(1), ..Self::at_once(bytes, piece) }
    }
}

impl AsyncRead for Script {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let rest = &this.bytes[this.given..];
            if rest.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let turn = match this.turns {
                // What the client waits for now is its own business: it has time limits.
                Some(0) => return Poll::Pending,
                Some(_) => rest.iter().position(|byte| *byte == TURN).unwrap_or(rest.len()),
                None => rest.len(),
            };
            let count = turn.min(this.piece).min(buffer.remaining());
            buffer.put_slice(&rest[..count]);
            this.given += count;
            if let Some(turns) = &mut this.turns
                && this.bytes.get(this.given) == Some(&TURN)
            {
                this.given += 1;
                *turns -= 1;
            }
            if count > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let heard = bytes.split(|byte| *byte == b'\n').count() - 1;
        this.turns = this.turns.map(|turns| turns + heard);
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
