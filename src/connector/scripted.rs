//! A server of lines that follows a script, for what no server does on purpose: break off, fall silent, talk nonsense.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::auth::{Account, Credential, Kind};
use super::net::{Security, Server};
use super::tls::Trust;

/// What is expected to be heard, and what is said to it. The first is the greeting, to nothing. `DATA...` stands for a message.
pub(super) type Step = (&'static str, Vec<u8>);

pub(super) const DATA: &str = "DATA...";

/// How far the script is followed.
#[derive(Clone, Copy)]
pub(super) enum Until {
    End,
    /// So many bytes are sent, then the connection is cut.
    Sent(usize),
    /// So many bytes are heard, then the connection is cut.
    Heard(usize),
    /// This step is heard and not answered.
    Silence(usize),
}

pub(super) fn step(heard: &'static str, said: &str) -> Step {
    (heard, said.as_bytes().to_vec())
}

/// Plays the server. What it heard.
pub(super) async fn play<S>(stream: S, steps: &[Step], until: Until) -> String
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (reader, mut writer) = tokio::io::split(stream);
    let limit = if let Until::Heard(limit) = until { limit as u64 } else { u64::MAX };
    let mut reader = BufReader::new(reader.take(limit));
    let mut room = if let Until::Sent(limit) = until { limit } else { usize::MAX };
    let mut heard = Vec::new();
    for (at, (expected, said)) in steps.iter().enumerate() {
        let start = heard.len();
        let mut is_heard = at == 0;
        while !is_heard {
            let line = heard.len();
            let count = reader.read_until(b'\n', &mut heard).await.unwrap_or(0);
            if count == 0 || (limit < u64::MAX && heard.len() as u64 >= limit) {
                return String::from_utf8_lossy(&heard).into_owned();
            }
            is_heard = *expected != DATA || heard[line..] == *b".\r\n";
        }
        let line = String::from_utf8_lossy(&heard[start..]).into_owned();
        if line.starts_with("QUIT") && *expected != DATA && !expected.starts_with("QUIT") {
            // The client has had enough: what it heard was meant to do that.
            break;
        }
        assert!(*expected == DATA || line.starts_with(expected), "{expected}: {line}");
        if matches!(until, Until::Silence(silent) if silent == at) {
            // As long as the other side stays.
            drop(reader.read_to_end(&mut heard).await);
            break;
        }
        let said = &said[..said.len().min(room)];
        room -= said.len();
        if writer.write_all(said).await.is_err() || writer.flush().await.is_err() || room == 0 {
            break;
        }
    }
    String::from_utf8_lossy(&heard).into_owned()
}

/// A server on this machine that plays one script a connection, in turn, and then says what it heard.
pub(super) async fn serve(
    scripts: Vec<(Vec<Step>, Until)>,
) -> (Server, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let playing = tokio::spawn(async move {
        let mut heard = Vec::new();
        for (steps, until) in scripts {
            let (stream, _) = listener.accept().await.unwrap();
            heard.push(play(stream, &steps, until).await);
        }
        heard
    });
    let host = "127.0.0.1".to_owned();
    (Server { host, port, security: Security::None, trust: Trust::Platform }, playing)
}

/// A user with a secret that is printed, not asked for.
pub(super) fn account(kind: Kind, secret: &str) -> Account {
    let secret = Arc::new(Credential::command(kind, format!("printf '%s' '{secret}'")));
    Account { user: "anna".to_owned(), secret }
}
