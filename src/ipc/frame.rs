//! Lines over a stream, of a bounded length. It must not know what they mean.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

/// The most bytes of a line, its end included: more than any answer has, less than hurts.
pub const LINE_MAX: usize = 8 << 20;

/// Reads lines.
#[derive(Debug)]
pub struct Reader<R> {
    stream: R,
    line: Vec<u8>,
    limit: usize,
}

impl<R: AsyncBufRead + Unpin> Reader<R> {
    /// Lines of at most `limit` bytes.
    pub fn new(stream: R, limit: usize) -> Self {
        Self { stream, line: Vec::new(), limit }
    }

    /// The next line as what it says; `None` at the end of the stream. May be dropped while it waits: what was read of the line is
    /// kept for the next call.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when a line is too long, cut off or something else than expected.
    pub async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            let available = self.stream.fill_buf().await?;
            if available.is_empty() {
                return if self.line.is_empty() {
                    Ok(None)
                } else {
                    Err(invalid("the connection ended within a line"))
                };
            }
            let (part, ends) = match available.iter().position(|byte| *byte == b'\n') {
                Some(end) => (available.get(..=end).unwrap_or(available), true),
                None => (available, false),
            };
            if self.line.len() + part.len() > self.limit {
                return Err(invalid(&format!("a line has more than {} bytes", self.limit)));
            }
            self.line.extend_from_slice(part);
            let taken = part.len();
            self.stream.consume(taken);
            if ends {
                let said =
                    serde_json::from_slice(&self.line).map_err(|it| invalid(&it.to_string()));
                self.line.clear();
                self.line.shrink_to(KEPT);
                return said.map(Some);
            }
        }
    }
}

/// How much of the room for a long line is kept for the next one.
const KEPT: usize = 16 << 10;

/// Writes one line.
///
/// # Errors
/// When it is too long, or the other end is gone.
pub async fn write<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    said: &T,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(said).map_err(|error| invalid(&error.to_string()))?;
    if line.len() >= LINE_MAX {
        return Err(invalid("the answer is too long for one line"));
    }
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;
    use tokio::io::BufReader;

    use super::*;

    async fn all(bytes: &[u8], limit: usize) -> (Vec<Json>, Option<String>) {
        let mut reader = Reader::new(BufReader::with_capacity(3, bytes), limit);
        let mut found = Vec::new();
        loop {
            match reader.next().await {
                Ok(Some(said)) => found.push(said),
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error.to_string())),
            }
        }
    }

    #[tokio::test]
    async fn lines_come_one_by_one_however_they_are_cut() {
        let (found, error) = all(b"{\"a\":1}\n[]\n", 20).await;
        assert_eq!((found.len(), error), (2, None));
    }

    #[tokio::test]
    async fn bad_lines_are_errors_that_say_why() {
        for (bytes, why) in [
            (b"{\"a\":".as_slice(), "ended within"),
            (b"{\"a\" x}\n", "expected"),
            (b"\xff\xfe\n", "expected value"),
            (b"\n", "EOF"),
            (b"[1111111111111111111111111111]", "more than 20 bytes"),
        ] {
            let (_, error) = all(bytes, 20).await;
            assert!(error.as_ref().is_some_and(|it| it.contains(why)), "{bytes:?}: {error:?}");
        }
    }

    #[tokio::test]
    async fn deep_nesting_is_refused() {
        let (_, error) = all("[".repeat(100_000).as_bytes(), LINE_MAX).await;
        assert!(error.is_some());
        let (_, error) = all(format!("{}\n", "[".repeat(100_000)).as_bytes(), LINE_MAX).await;
        assert!(error.is_some_and(|error| error.contains("recursion")));
    }
}
