//! A bearer token or a password from a command of the user's choice (`az account get-access-token …`, `pass show …`). It must
//! not know what the secret opens, and never shows or keeps it anywhere but in memory.

use std::fmt;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// Who signs in at a mail or DAV server, and with what.
#[derive(Debug, Clone)]
pub struct Account {
    pub user: String,
    pub secret: Arc<SecretCommand>,
}

/// What a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bearer token: expires, and is made anew by running the command again.
    Token,
    Password,
}

/// A command that prints a secret, and the secret it printed last.
pub struct SecretCommand {
    command: String,
    kind: Kind,
    secret: Mutex<Option<Secret>>,
}

impl fmt::Debug for SecretCommand {
    /// A command line may hold what must not be seen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretCommand")
    }
}

/// A person may have to unlock a keyring meanwhile.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Tokens have a few kilobytes; more is none.
const SIZE_LIMIT: u64 = 64 << 10;

impl SecretCommand {
    /// `command` is a line for the system's shell.
    pub fn new(kind: Kind, command: impl Into<String>) -> Self {
        Self { command: command.into(), kind, secret: Mutex::new(None) }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The command, to be named where its secret is not accepted.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The secret; the command runs the first time only.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorised`] when the command gives none.
    pub async fn secret(&self) -> Result<Secret> {
        let known = self.secret.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(secret) => Ok(secret),
            None => self.renewed().await,
        }
    }

    /// Runs the command again: tokens expire in the middle of a run.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorised`] when the command gives none.
    pub async fn renewed(&self) -> Result<Secret> {
        let secret = tokio::time::timeout(TIME_LIMIT, self.run())
            .await
            .map_err(|_| self.failed("gave nothing in a minute"))??;
        *self.secret.lock().unwrap_or_else(PoisonError::into_inner) = Some(secret.clone());
        Ok(secret)
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
        let secret = match self.kind {
            Kind::Token => printed.trim(),
            // The first line, as `pass` has it; a password may begin or end with a blank.
            Kind::Password => printed.lines().next().unwrap_or_default(),
        };
        let fits = match self.kind {
            Kind::Token => secret.bytes().all(|byte| byte.is_ascii_graphic()),
            Kind::Password => !secret.chars().any(char::is_control),
        };
        if secret.is_empty() || !fits {
            return Err(self.failed(&format!("printed something that is no {}", self.kind.word())));
        }
        Ok(Secret::new(secret))
    }

    fn failed(&self, what: &str) -> Error {
        let kind = self.kind.word();
        Error::new(ErrorKind::Unauthorised, format!("the {kind} command {what}"))
            .hint(format!("run it by hand, it must print one {kind}: {}", self.command))
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Password => "password",
        }
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
        let command = SecretCommand::new(
            Kind::Token,
            format!("echo x >> {0}; wc -l < {0} | tr -d ' '", count.display()),
        );
        assert_eq!(command.secret().await.unwrap().expose(), "1");
        assert_eq!(command.secret().await.unwrap().expose(), "1");
        assert_eq!(command.renewed().await.unwrap().expose(), "2");
        assert_eq!(command.secret().await.unwrap().expose(), "2");
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
            let error = SecretCommand::new(Kind::Token, line).secret().await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unauthorised, "{line}");
            assert!(error.hint.unwrap().contains(line));
        }
    }

    #[tokio::test]
    async fn a_password_is_the_first_line_as_it_is() {
        let password = |line: &str| SecretCommand::new(Kind::Password, line);
        let printed = password("printf ' correct höse \\nuser: anna\\n'").secret().await.unwrap();
        assert_eq!(printed.expose(), " correct höse ");
        for line in ["true", "echo; echo second", "printf 'a\\tb'"] {
            let error = password(line).secret().await.unwrap_err();
            assert!(error.message.contains("password"), "{line}: {error}");
        }
    }
}
