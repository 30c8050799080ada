//! What a POP3 server says, read into types: status lines, response codes, capabilities, listings. Everything that comes is
//! hostile until it was read.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::connector::{Error, ErrorKind, Result};

/// How long to stay away when the mailbox is locked or the server has passing trouble.
const PAUSE: Duration = Duration::from_mins(1);

/// A longer `LOGIN-DELAY` is no longer a delay.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// RFC 1939 §7 has 70 characters; some servers need a few more.
const LONGEST_UIDL: usize = 255;

/// A mailbox of this many messages is none.
const MESSAGES: usize = 500_000;

/// The first word of an answer, and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    /// More is wanted, in the middle of a sign-in.
    Challenge(String),
    No(Refusal),
}

/// Why the server refused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Refusal {
    /// The response code (RFC 2449 §8, RFC 3206) in upper case, without brackets.
    pub(super) code: Option<String>,
    /// The server's own words, fit to be shown.
    pub(super) words: String,
}

impl Status {
    /// Reads a status line.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] when it is none.
    pub(super) fn parse(line: &str) -> Result<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "+OK" => Ok(Self::Ok),
            "+" => Ok(Self::Challenge(rest.trim().to_owned())),
            "-ERR" => Ok(Self::No(Refusal::parse(rest))),
            _ => Err(Error::new(
                ErrorKind::Unreachable,
                "the server answered something that is no POP3",
            )),
        }
    }

    /// What it means where nothing is to be asked back: a yes or a no.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] when the server asks back all the same.
    pub(super) fn verdict(self) -> Result<Result<(), Refusal>> {
        match self {
            Self::Ok => Ok(Ok(())),
            Self::No(refusal) => Ok(Err(refusal)),
            Self::Challenge(_) => {
                let message = "the server asks back where a yes or a no was due";
                Err(Error::new(ErrorKind::Unreachable, message))
            }
        }
    }
}

impl Refusal {
    fn parse(text: &str) -> Self {
        let code = text
            .strip_prefix('[')
            .and_then(|text| text.split_once(']'))
            .map(|(code, rest)| (code.to_ascii_uppercase(), rest));
        let (code, words) = match code {
            Some((code, rest)) if code.len() <= 64 => (Some(code), rest),
            _ => (None, text),
        };
        let words = words.trim().chars().filter(|letter| !letter.is_control()).take(200).collect();
        Self { code, words }
    }

    /// As an error: by the code as far as there is one that matters, else of the kind that the command suggests.
    pub(super) fn error(&self, otherwise: ErrorKind, doing: &str) -> Error {
        let code = self.code.as_deref().unwrap_or_default();
        let (kind, hint) = match code {
            "AUTH" => (ErrorKind::Unauthorised, None),
            "IN-USE" => (
                ErrorKind::Throttled(PAUSE),
                Some("another program has the mailbox open: POP3 lets in one at a time"),
            ),
            "LOGIN-DELAY" => (ErrorKind::Throttled(PAUSE), None),
            "SYS/TEMP" => (ErrorKind::Throttled(PAUSE), None),
            "SYS/PERM" => (
                ErrorKind::Unauthorised,
                Some("something lasting is wrong with this mailbox: ask whoever runs the server"),
            ),
            _ => (otherwise, None),
        };
        let answer = match (code, kind) {
            // What is said to a sign-in may quote it.
            ("", ErrorKind::Unauthorised) => "-ERR".to_owned(),
            ("", _) => format!("-ERR {}", self.words),
            (code, ErrorKind::Unauthorised) => format!("-ERR [{code}]"),
            (code, _) => format!("-ERR [{code}] {}", self.words),
        };
        let error =
            Error::new(kind, format!("{doing}: the server answered `{}`", answer.trim_end()));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// What the server says it can do (RFC 2449). One that says nothing is tried out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Capabilities {
    by_name: Option<BTreeMap<String, String>>,
}

impl Capabilities {
    pub(super) fn parse(lines: &[String]) -> Self {
        let entries = lines.iter().map(|line| {
            let (name, values) = line.split_once(' ').unwrap_or((line, ""));
            (name.to_ascii_uppercase(), values.trim().to_owned())
        });
        Self { by_name: Some(entries.collect()) }
    }

    /// Whether the server named it; `None` when it named nothing at all.
    pub(super) fn has(&self, name: &str) -> Option<bool> {
        self.by_name.as_ref().map(|known| known.contains_key(name))
    }

    /// The mechanisms of sign-in.
    pub(super) fn sasl(&self) -> impl Iterator<Item = &str> {
        self.by_name.iter().filter_map(|known| known.get("SASL")).flat_map(|list| list.split(' '))
    }

    /// How long to wait between two sign-ins, where the server wants that.
    pub(super) fn login_delay(&self) -> Option<Duration> {
        let values = self.by_name.as_ref()?.get("LOGIN-DELAY")?;
        let seconds: u64 = values.split(' ').next()?.parse().ok()?;
        Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
    }

    /// All names, for people.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.iter().flat_map(|known| known.keys()).map(String::as_str)
    }
}

/// Collects a listing of message numbers, each with something.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    by_number: BTreeMap<u32, T>,
}

impl<T> Numbered<T> {
    pub(super) fn new() -> Self {
        Self { by_number: BTreeMap::new() }
    }

    /// Takes a line of the listing.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] when it is none, names a message a second time, or there is no end of them.
    pub(super) fn push(&mut self, line: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<()> {
        let parsed = line.trim_end().split_once(' ').and_then(|(number, rest)| {
            let digits = number.bytes().all(|byte| byte.is_ascii_digit());
            let number = number.parse().ok().filter(|number| digits && *number > 0)?;
            Some((number, read(rest.trim())?))
        });
        let Some((number, value)) = parsed else {
            return Err(wrong("the server's listing has a line that is no number and name"));
        };
        if self.by_number.insert(number, value).is_some() {
            return Err(wrong("the server's listing has one message number twice"));
        }
        if self.by_number.len() > MESSAGES {
            return Err(wrong("the server lists more than 500,000 messages"));
        }
        Ok(())
    }

    pub(super) fn into_map(self) -> BTreeMap<u32, T> {
        self.by_number
    }
}

/// A unique id, if this is one.
pub(super) fn uidl(text: &str) -> Option<String> {
    let fits =
        !text.is_empty() && text.len() <= LONGEST_UIDL && !text.contains(char::is_whitespace);
    fits.then(|| text.to_owned())
}

/// A size in bytes; some servers say more about it.
pub(super) fn size(text: &str) -> Option<u64> {
    text.split(' ').next()?.parse().ok()
}

fn wrong(message: &str) -> Error {
    Error::new(ErrorKind::Unreachable, message)
}
