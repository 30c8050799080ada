//! A secret from a command of the user's choice (`az account get-access-token …`, `pass show …`).

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process;

use super::{Kind, SIZE_LIMIT};
use crate::connector::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// A person may have to unlock a keyring meanwhile.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// A command that prints a secret.
pub(super) struct Command {
    line: String,
    kind: Kind,
}

impl Command {
    pub(super) fn new(kind: Kind, line: impl Into<String>) -> Self {
        Self { line: line.into(), kind }
    }

    pub(super) fn line(&self) -> &str {
        &self.line
    }

    /// What it prints, within a minute.
    pub(super) async fn run(&self) -> Result<Secret> {
        tokio::time::timeout(TIME_LIMIT, self.printed())
            .await
            .map_err(|_| self.failed("gave nothing in a minute"))?
    }

    async fn printed(&self) -> Result<Secret> {
        let mut child = shell(&self.line)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.failed("cannot be started").caused_by(error))?;
        let mut printed = String::new();
        if let Some(stdout) = child.stdout.take() {
            // What is no text is no token; the error would hold nothing but that.
            stdout
                .take(SIZE_LIMIT)
                .read_to_string(&mut printed)
                .await
                .map_err(|error| self.failed("printed no text").caused_by(error))?;
        }
        let status = child
            .wait()
            .await
            .map_err(|error| self.failed("cannot be waited for").caused_by(error))?;
        if !status.success() {
            return Err(self.failed(&format!("ended with {status}")));
        }
        self.kind.find_in(&printed).ok_or_else(|| {
            self.failed(&format!("printed something that is no {}", self.kind.word()))
        })
    }

    fn failed(&self, what: &str) -> Error {
        let kind = self.kind.word();
        Error::new(ErrorKind::Unauthorised, format!("the {kind} command {what}"))
            .hint(format!("run it by hand, it must print one {kind}: {}", self.line))
    }
}

#[cfg(not(windows))]
fn shell(line: &str) -> process::Command {
    let mut command = process::Command::new("sh");
    command.arg("-c").arg(line);
    command
}

#[cfg(windows)]
fn shell(line: &str) -> process::Command {
    let mut command = process::Command::new("cmd");
    command.arg("/C").arg(line);
    command
}
