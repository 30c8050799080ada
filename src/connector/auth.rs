//! A bearer token from a command of the user's choice (`az account get-access-token …`, `pass show …`). It must not know what
//! the token opens, and never shows or keeps it anywhere but in memory.

use std::fmt;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// A command that prints a token, and the token it printed last.
pub struct TokenCommand {
    command: String,
    token: Mutex<Option<Secret>>,
}

impl fmt::Debug for TokenCommand {
    /// A command line may hold what must not be seen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenCommand")
    }
}

/// A person may have to unlock a keyring meanwhile.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Tokens have a few kilobytes; more is not a token.
const SIZE_LIMIT: u64 = 64 << 10;

impl TokenCommand {
    /// `command` is a line for the system's shell.
    pub fn new(command: impl Into<String>) -> Self {
        Self { command: command.into(), token: Mutex::new(None) }
    }

    /// The command, to be named where its token is not accepted.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The token; the command runs the first time only.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorised`] when the command gives none.
    pub async fn token(&self) -> Result<Secret> {
        let known = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(token) => Ok(token),
            None => self.renewed().await,
        }
    }

    /// Runs the command again: tokens expire in the middle of a run.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorised`] when the command gives none.
    pub async fn renewed(&self) -> Result<Secret> {
        let token = tokio::time::timeout(TIME_LIMIT, self.run())
            .await
            .map_err(|_| self.failed("gave nothing in a minute"))??;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }

    async fn run(&self) -> Result<Secret> {
        let mut child = shell(&self.command)
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
        let token = printed.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(self.failed("printed something that is no token"));
        }
        Ok(Secret::new(token))
    }

    fn failed(&self, what: &str) -> Error {
        Error::new(ErrorKind::Unauthorised, format!("the token command {what}"))
            .hint(format!("run it by hand, it must print one token: {}", self.command))
    }
}

#[cfg(not(windows))]
fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(line);
    command
}

#[cfg(windows)]
fn shell(line: &str) -> Command {
    let mut command = Command::new("cmd");
    command.arg("/C").arg(line);
    command
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_command_runs_once_until_the_token_is_renewed() {
        let dir = tempfile::tempdir().unwrap();
        let count = dir.path().join("count");
        let command =
            TokenCommand::new(format!("echo x >> {0}; wc -l < {0} | tr -d ' '", count.display()));
        assert_eq!(command.token().await.unwrap().expose(), "1");
        assert_eq!(command.token().await.unwrap().expose(), "1");
        assert_eq!(command.renewed().await.unwrap().expose(), "2");
        assert_eq!(command.token().await.unwrap().expose(), "2");
    }

    #[tokio::test]
    async fn what_is_no_token_is_refused_by_name_of_the_command() {
        for line in [
            "false",
            "true",
            "echo two words",
            "printf 'a\\nb'",
            "/no/such/command",
            "printf '\\377'",
        ] {
            let error = TokenCommand::new(line).token().await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unauthorised, "{line}");
            assert!(error.hint.unwrap().contains(line));
        }
    }
}
