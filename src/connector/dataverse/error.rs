//! What the service's refusals mean: by code where there is one (hexadecimal or signed decimal), else by status. It decides
//! the kind; what to do about it is decided by [`ErrorKind`] alone.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes>

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;
use uuid::Uuid;

use super::batch::Answer;
use crate::connector::http;
use crate::connector::{Error, ErrorKind};

/// A refusal that we know.
struct Code {
    number: u32,
    kind: Meaning,
    sentence: &'static str,
    /// Whether the service's own words name columns and limits, never values: then the person gets to see them.
    quote: bool,
}

#[derive(Clone, Copy)]
enum Meaning {
    Kind(ErrorKind),
    Throttled,
    /// Of the row itself: gone. Of another row, to which this one refers: refused.
    Missing,
}

const fn known(code: u32, kind: ErrorKind, sentence: &'static str, quote: bool) -> Code {
    Code { number: code, kind: Meaning::Kind(kind), sentence, quote }
}

const CODES: &[Code] = &[
    Code {
        number: 0x8004_0217,
        kind: Meaning::Missing,
        sentence: "the record is not there",
        quote: false,
    },
    Code {
        number: 0x8006_0891,
        kind: Meaning::Missing,
        sentence: "the record is not there",
        quote: false,
    },
    known(0x8006_0882, ErrorKind::Stale, "the record was changed meanwhile", false),
    known(0x8004_0237, ErrorKind::Exists, "a record with this id is there already", false),
    known(
        0x8004_0333,
        ErrorKind::Rejected,
        "a duplicate detection rule found a record like this",
        false,
    ),
    known(0x8006_0883, ErrorKind::Rejected, "the service asks for a version and got none", false),
    known(0x8006_088d, ErrorKind::Rejected, "the table does not check versions", false),
    known(
        0x8006_0888,
        ErrorKind::Rejected,
        "the service does not know what the request names",
        true,
    ),
    known(0x8004_0220, ErrorKind::Forbidden, "the user lacks a privilege for this record", false),
    known(0x8004_8306, ErrorKind::Forbidden, "the user lacks a privilege", false),
    known(0x8004_4331, ErrorKind::Rejected, "a text is too long", true),
    known(0x8004_4330, ErrorKind::Rejected, "a value is outside its range", true),
    known(0x8004_0203, ErrorKind::Rejected, "a value is not accepted", false),
    known(
        0x8004_8d19,
        ErrorKind::Rejected,
        "the record is not in the form that the service takes",
        false,
    ),
    known(0x8004_8408, ErrorKind::Rejected, "the status does not fit the state", true),
    known(
        0x8004_0224,
        ErrorKind::Rejected,
        "the record does not allow this in its present state",
        false,
    ),
    known(0x8004_0800, ErrorKind::Unsupported, "the service does not do this for the table", false),
    known(0x8004_4352, ErrorKind::CursorExpired, "the cursor is too old", false),
    known(
        0x8004_4151,
        ErrorKind::Unreachable,
        "the service's database gave no answer in time",
        false,
    ),
    Code {
        number: 0x8007_2321,
        kind: Meaning::Throttled,
        sentence: "the service asks for a pause (execution time)",
        quote: false,
    },
    Code {
        number: 0x8007_2322,
        kind: Meaning::Throttled,
        sentence: "the service asks for a pause (number of requests)",
        quote: false,
    },
    Code {
        number: 0x8007_2326,
        kind: Meaning::Throttled,
        sentence: "the service asks for a pause (concurrent requests)",
        quote: false,
    },
];

/// When the service asks for a pause and does not say how long.
const UNSAID_PAUSE: Duration = Duration::from_secs(30);

/// The service's own words, for the log: they may quote values.
#[derive(Debug)]
struct Words(String);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Words {}

/// The refusal of one operation. `row` is the record it was about: a refusal that names another one is no evidence that this
/// one is gone.
pub fn refused(answer: &Answer, doing: &str, row: Option<Uuid>, now: Timestamp) -> Error {
    let (code, words) = details(&answer.body);
    let pause = answer.header("retry-after").and_then(|value| http::pause(value, now));
    classify(answer.status, code, words.as_deref(), pause, (doing, row))
}

/// The refusal of a whole request. `suspect` says where the token comes from.
pub fn refused_whole(answer: &http::Answer, suspect: &str, now: Timestamp) -> Error {
    let (code, words) = details(&answer.body);
    let pause = http::retry_after(&answer.headers, now);
    match answer.status.as_u16() {
        401 => Error::new(ErrorKind::Unauthorised, "the organisation does not accept the token")
            .hint(format!("check for which account it is, and {suspect}")),
        status @ 300..=399 => Error::new(
            ErrorKind::Unsupported,
            format!("the organisation's address leads elsewhere ({status})"),
        )
        .hint("use the address of the organisation itself, not one that forwards to it"),
        404 | 405 => {
            Error::new(ErrorKind::Unsupported, "there is no Dataverse Web API at this address")
                .hint("use the address that the organisation has in the browser")
        }
        // No operation can be missing or stale when none was carried out.
        status => {
            let error = classify(status, code, words.as_deref(), pause, ("send a batch", None));
            match error.kind {
                ErrorKind::Missing
                | ErrorKind::Stale
                | ErrorKind::Exists
                | ErrorKind::Malformed => Error::new(ErrorKind::Unreachable, error.message),
                _ => error,
            }
        }
    }
}

fn classify(
    status: u16,
    code: Option<u32>,
    words: Option<&str>,
    pause: Option<Duration>,
    (doing, row): (&str, Option<Uuid>),
) -> Error {
    let known = code.and_then(|code| CODES.iter().find(|known| known.number == code));
    let meaning = known.map_or_else(|| by_status(status, pause, code), |known| known.kind);
    let other_row = row.is_some_and(|row| words.is_some_and(|words| names_another(words, row)));
    let kind = match meaning {
        Meaning::Kind(kind) => kind,
        Meaning::Throttled => ErrorKind::Throttled(pause.unwrap_or(UNSAID_PAUSE)),
        Meaning::Missing if other_row => ErrorKind::Rejected,
        Meaning::Missing => ErrorKind::Missing,
    };
    let mut message = match known {
        Some(_) if kind == ErrorKind::Rejected && matches!(meaning, Meaning::Missing) => {
            format!("{doing}: it refers to a record that is not there")
        }
        Some(known) => format!("{doing}: {}", known.sentence),
        None => format!("{doing}: refused with status {status}"),
    };
    if let Some(code) = code {
        message = format!("{message} (0x{code:08x})");
    }
    let error = |message| Error::new(kind, message);
    match words {
        Some(words) if known.is_some_and(|known| known.quote) => {
            error(format!("{message}: {words}"))
        }
        Some(words) => error(message).caused_by(Words(words.to_owned())),
        None => error(message),
    }
}

fn by_status(status: u16, pause: Option<Duration>, code: Option<u32>) -> Meaning {
    Meaning::Kind(match status {
        401 => ErrorKind::Unauthorised,
        403 => ErrorKind::Forbidden,
        // An unknown code says something else than "this row is gone".
        404 if code.is_none() => return Meaning::Missing,
        412 => ErrorKind::Stale,
        429 => return Meaning::Throttled,
        503 if pause.is_some() => return Meaning::Throttled,
        // With a code the service itself refused (a plug-in, say); that must not stop the other records.
        500 if code.is_some() => ErrorKind::Rejected,
        408 | 500 | 502..=504 => ErrorKind::Unreachable,
        501 => ErrorKind::Unsupported,
        200..300 => ErrorKind::Malformed,
        _ => ErrorKind::Rejected,
    })
}

/// Whether a sentence names a GUID, and none of them is `row`.
fn names_another(words: &str, row: Uuid) -> bool {
    let mut guids = words
        .split(|letter: char| !letter.is_ascii_hexdigit() && letter != '-')
        .filter(|word| word.len() == 36)
        .filter_map(|word| Uuid::parse_str(word).ok())
        .peekable();
    guids.peek().is_some() && guids.all(|guid| guid != row)
}

/// The longest sentence of the service that is kept.
const LONGEST_WORDS: usize = 300;

fn details(body: &[u8]) -> (Option<u32>, Option<String>) {
    let Ok(json) = serde_json::from_slice::<Json>(body) else { return (None, None) };
    let error = json.get("error");
    let text = |name| error.and_then(|error| error.get(name));
    let code = text("code").and_then(|code| match code {
        Json::String(code) => parse_code(code),
        Json::Number(code) => parse_code(&code.to_string()),
        _ => None,
    });
    let words = text("message").and_then(Json::as_str).map(|words| {
        words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_WORDS).collect()
    });
    (code, words)
}

/// `0x80060882`, `-2147088254` or `2147879042`; `None` for an empty one.
fn parse_code(code: &str) -> Option<u32> {
    let code = code.trim();
    if let Some(hex) = code.strip_prefix("0x").or_else(|| code.strip_prefix("0X")) {
        return u32::from_str_radix(hex, 16).ok();
    }
    let number: i64 = code.parse().ok()?;
    u32::try_from(number).ok().or_else(|| i32::try_from(number).ok().map(i32::cast_unsigned))
}

#[cfg(test)]
mod tests;
