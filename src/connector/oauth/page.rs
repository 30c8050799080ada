//! The little of HTTP that a browser needs to bring an answer to this machine (RFC 8252 §7.3): one request in, one page out.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// A browser that is there speaks at once.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Codes have a few hundred bytes, and a browser's headers a few thousand.
const SIZE_LIMIT: usize = 32 << 10;

/// One request.
#[derive(Debug)]
pub(super) struct Visit {
    stream: TcpStream,
    /// Path and query, on an address that means nothing.
    pub(super) target: Url,
}

impl Visit {
    /// Reads a request; `None` for what is none.
    pub(super) async fn read(mut stream: TcpStream) -> Option<Self> {
        let head = tokio::time::timeout(TIME_LIMIT, head(&mut stream)).await.ok()??;
        let line = head.lines().next()?;
        let path = line.strip_prefix("GET ")?.split(' ').next()?;
        let target = Url::parse("http://localhost/").ok()?.join(path).ok()?;
        Some(Self { stream, target })
    }

    /// What the provider sent along.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.target.query_pairs();
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Shows a page and hangs up. A browser that went away needs none.
    pub(super) async fn answer(mut self, status: &str, title: &str, text: &str) {
        let body = format!(
            "<!doctype html><html lang=en><meta charset=utf-8><title>Liaison</title>\
             <style>body{{font:1.1em sans-serif;max-width:32em;margin:4em auto;padding:0 1em}}</style>\
             <h1>{title}</h1><p>{text}</p></html>\n"
        );
        let length = body.len();
        let page = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nConnection: close\r\n\r\n{body}"
        );
        let shown = async {
            self.stream.write_all(page.as_bytes()).await?;
            self.stream.shutdown().await
        };
        if !matches!(tokio::time::timeout(TIME_LIMIT, shown).await, Ok(Ok(()))) {
            tracing::debug!("the browser did not wait for its page");
        }
    }
}

/// Everything up to the empty line.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).await.ok()?;
        if count == 0 || read.len() + count > SIZE_LIMIT {
            return None;
        }
        read.extend_from_slice(chunk.get(..count)?);
        if read.windows(4).any(|end| end == b"\r\n\r\n") {
            return String::from_utf8(read).ok();
        }
    }
}
