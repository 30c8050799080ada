//! One response of a server, taken apart (RFC 9051 §7). It must not know which command it answers.

use bytes::Bytes;

use super::token::{Token, tokens};
use crate::connector::{Error, ErrorKind};

/// How much of a server's sentence is shown.
const SENTENCE: usize = 200;

/// A response that the server was asked to wait with before it asks for more.
const THROTTLED: std::time::Duration = std::time::Duration::from_mins(1);

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Response {
    /// It waits for more of a command (`+ …`).
    Continue(String),
    /// A command is done.
    Tagged { tag: String, status: Status },
    /// Something about the connection or the selected folder.
    Status(Status),
    /// Something about one message, or a number of messages: `* 7 EXISTS`, `* 7 FETCH (…)`.
    Numbered { number: u32, name: String, rest: Vec<Token> },
    /// `* LIST …`, `* STATUS …`, `* VANISHED …`.
    Data { name: String, rest: Vec<Token> },
    /// What cannot be read, and why: the next response can.
    Broken(&'static str),
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Ok,
    No,
    Bad,
    Bye,
    PreAuth,
}

/// A condition with its code and its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) condition: Condition,
    pub(super) code: Option<Code>,
    /// For people, cleaned and cut.
    pub(super) sentence: String,
}

/// A response code: `[UIDVALIDITY 7]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Code {
    /// In upper case.
    pub(super) name: String,
    pub(super) rest: Vec<Token>,
}

impl Code {
    pub(super) fn number<T: std::str::FromStr>(&self) -> Option<T> {
        self.rest.first()?.number()
    }
}

impl Status {
    pub(super) fn code(&self, name: &str) -> Option<&Code> {
        self.code.as_ref().filter(|code| code.name == name)
    }

    /// The error that a refused command is; `doing` says what was to be done.
    pub(super) fn refusal(&self, doing: &str) -> Error {
        let code = self.code.as_ref().map(|code| code.name.as_str());
        let kind = match (self.condition, code) {
            (
                _,
                Some(
                    "AUTHENTICATIONFAILED"
                    | "AUTHORIZATIONFAILED"
                    | "EXPIRED"
                    | "PRIVACYREQUIRED"
                    | "CONTACTADMIN",
                ),
            ) => ErrorKind::Unauthorised,
            (_, Some("NOPERM" | "NOTSAVED" | "READ-ONLY")) => ErrorKind::Forbidden,
            (_, Some("NONEXISTENT" | "TRYCREATE")) => ErrorKind::Missing,
            (_, Some("ALREADYEXISTS")) => ErrorKind::Exists,
            (_, Some("EXPUNGEISSUED" | "MODIFIED")) => ErrorKind::Stale,
            (_, Some("UNAVAILABLE" | "INUSE" | "SERVERBUG" | "CLOSED")) => ErrorKind::Unreachable,
            (_, Some("THROTTLED")) => ErrorKind::Throttled(THROTTLED),
            (Condition::Bye, _) => ErrorKind::Unreachable,
            (
                Condition::Ok | Condition::No | Condition::Bad | Condition::PreAuth,
                _, // OVERQUOTA, LIMIT, TOOBIG, CANNOT, BADCHARSET, and whatever has no code
            ) => ErrorKind::Rejected,
        };
        let message = match self.condition {
            // A server that did not understand a command may repeat it, and with it what nobody must see.
            Condition::Bad => format!("{doing}: the server does not understand it"),
            _ if self.sentence.is_empty() => format!("{doing}: the server refuses"),
            _ => format!("{doing}: the server says \"{}\"", self.sentence),
        };
        let error = Error::new(kind, message);
        match code {
            Some("OVERQUOTA") => {
                error.hint("the mailbox is full: delete something, or ask for more room")
            }
            _ => error,
        }
    }
}

/// Takes a response apart; nothing for an empty line, which some servers send.
///
/// # Errors
/// For what is no IMAP at all.
pub(super) fn parse(whole: &Bytes) -> Result<Option<Response>, &'static str> {
    let line = whole.strip_suffix(b"\n").unwrap_or(whole);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Ok(None);
    }
    if let Some(text) = line.strip_prefix(b"+") {
        return Ok(Some(Response::Continue(clean(text, usize::MAX))));
    }
    let (first, rest) = word(line);
    let (second, _) = word(rest);
    if first != b"*" {
        let tag = std::str::from_utf8(first).map_err(|_| "a line that is no answer")?;
        let status = status(rest).ok_or("a line that is no answer")?;
        return Ok(Some(Response::Tagged { tag: tag.to_owned(), status }));
    }
    if let Some(status) = status(rest) {
        return Ok(Some(Response::Status(status)));
    }
    if rest.is_empty() {
        return Ok(Some(Response::Broken("data without a name")));
    }
    let start = whole.len() - whole.strip_prefix(b"* ").unwrap_or(whole).len();
    let number = std::str::from_utf8(second).ok().and_then(|digits| digits.parse::<u32>().ok());
    let mut words = match tokens(whole, start) {
        Ok(words) => words.into_iter(),
        Err(why) => return Ok(Some(Response::Broken(why))),
    };
    let mut name = words.next();
    if number.is_some() {
        name = words.next();
    }
    let Some(name) = name.as_ref().and_then(Token::text).map(str::to_ascii_uppercase) else {
        return Ok(Some(Response::Broken("data without a name")));
    };
    let rest = words.collect();
    Ok(Some(match number {
        Some(number) => Response::Numbered { number, name, rest },
        None => Response::Data { name, rest },
    }))
}

fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
    (word, rest.strip_prefix(b" ").unwrap_or(rest))
}

fn status(rest: &[u8]) -> Option<Status> {
    let (condition, text) = word(rest);
    let condition = match condition.to_ascii_uppercase().as_slice() {
        b"OK" => Condition::Ok,
        b"NO" => Condition::No,
        b"BAD" => Condition::Bad,
        b"BYE" => Condition::Bye,
        b"PREAUTH" => Condition::PreAuth,
        _ => return None,
    };
    let (code, text) = match text.strip_prefix(b"[").and_then(code) {
        Some((code, text)) => (Some(code), text),
        None => (None, text),
    };
    Some(Status { condition, code, sentence: clean(text, SENTENCE) })
}

/// The code that begins behind a bracket, and what follows the closing one: the first that stands in no list or string.
fn code(text: &[u8]) -> Option<(Code, &[u8])> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let end = text.iter().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b']' if !quoted && depth == 0 => return true,
            _ => {}
        }
        false
    });
    let end = end.or_else(|| text.iter().position(|byte| *byte == b']'))?;
    let (inner, after) = text.split_at_checked(end)?;
    let (name, _) = word(inner);
    let words = tokens(&Bytes::copy_from_slice(inner), 0).unwrap_or_default();
    let name = String::from_utf8_lossy(name).to_ascii_uppercase();
    let after = after.strip_prefix(b"]").unwrap_or(after);
    Some((Code { name, rest: words.into_iter().skip(1).collect() }, after))
}

fn clean(text: &[u8], limit: usize) -> String {
    let text = String::from_utf8_lossy(text);
    text.trim().chars().filter(|character| !character.is_control()).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Response> {
        parse(&Bytes::copy_from_slice(line.as_bytes())).unwrap()
    }

    fn tagged(line: &str) -> Status {
        match read(line) {
            Some(Response::Tagged { status, .. }) => status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn codes_are_kept() {
        let status = tagged("A1 OK [APPENDUID 7 12] done\r\n");
        assert_eq!(status.code("APPENDUID").unwrap().number(), Some(7_u32));
        assert_eq!(status.sentence, "done");
        let status = tagged("A1 NO [TRYCREATE] no such box [x]\r\n");
        assert_eq!(status.refusal("file it").kind, ErrorKind::Missing);
        let status = tagged("A1 ok [PERMANENTFLAGS (\\Seen a]b \\*)] limited\r\n");
        let flags = status.code("PERMANENTFLAGS").unwrap().rest.first().unwrap().list().unwrap();
        assert_eq!(flags.len(), 3);
        assert_eq!(tagged("A1 OK [ done\r\n").code, None);
        assert_eq!(tagged("A1 OK\r\n").sentence, "");
    }

    #[test]
    fn data_with_a_number_and_without() {
        let Some(Response::Numbered { number: 12, name, rest }) = read("* 12 FETCH (UID 7)\r\n")
        else {
            panic!("no FETCH")
        };
        assert_eq!((name.as_str(), rest.len()), ("FETCH", 1));
        let Some(Response::Data { name, rest }) = read("* vanished (EARLIER) 1:3\r\n") else {
            panic!("no VANISHED")
        };
        assert_eq!((name.as_str(), rest.len()), ("VANISHED", 2));
        assert_eq!(read("\r\n"), None);
        assert!(matches!(read("* 99999999999 EXISTS\r\n"), Some(Response::Data { .. })));
        for broken in ["* 1 FETCH (UID 7\r\n", "* \r\n", "*\r\n", "* 7\r\n", "* (a)\r\n"] {
            assert!(matches!(read(broken), Some(Response::Broken(_))), "{broken:?}");
        }
    }

    #[test]
    fn what_is_no_imap_ends_the_talk() {
        for line in ["HTTP/1.1 400 Bad Request\r\n", "A1\r\n", "A1 FINE\r\n", "\u{ff}\r\n"] {
            assert!(parse(&Bytes::copy_from_slice(line.as_bytes())).is_err(), "{line:?}");
        }
    }

    #[test]
    fn a_sentence_is_cleaned_and_a_repeated_command_is_not_shown() {
        let status = tagged(&format!("A1 NO \u{1b}[31m{}\r\n", "x".repeat(5000)));
        assert!(status.sentence.len() <= SENTENCE && !status.sentence.contains('\u{1b}'));
        let error = tagged("A1 BAD what is LOGIN anna hunter2\r\n").refusal("sign in");
        assert!(!error.message.contains("hunter2"));
    }
}
