//! What the status of an answer means: an [`ErrorKind`] and a sentence. It must not know who asked.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::LOCATION;

use super::multistatus::{self, Conditions};
use crate::connector::http::{self, Answer};
use crate::connector::{Error, ErrorKind};

/// Where a server has no time and does not say for how long.
const PAUSE: Duration = Duration::from_mins(1);

/// An answer that is no success. `doing` says what was asked, as in "read the collection".
pub(super) fn refused(answer: &Answer, doing: &str, now: Timestamp) -> Error {
    let status = answer.status;
    if status.is_redirection() {
        return redirected(answer, doing);
    }
    let named = conditions(answer).names;
    let kind = match status {
        _ if named.contains("valid-sync-token") => ErrorKind::CursorExpired,
        // The latter is what the former is called where the server schedules (RFC 6638 §3.2.4.1).
        _ if named.contains("no-uid-conflict")
            || named.contains("unique-scheduling-object-resource") =>
        {
            ErrorKind::Exists
        }
        _ if named.iter().any(|name| is_about_content(name)) => ErrorKind::Rejected,
        StatusCode::UNAUTHORIZED => ErrorKind::Unauthorised,
        StatusCode::FORBIDDEN => ErrorKind::Forbidden,
        StatusCode::NOT_FOUND | StatusCode::GONE => ErrorKind::Missing,
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => ErrorKind::Unsupported,
        StatusCode::PRECONDITION_FAILED => ErrorKind::Stale,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            ErrorKind::Throttled(http::retry_after(&answer.headers, now).unwrap_or(PAUSE))
        }
        StatusCode::INSUFFICIENT_STORAGE => ErrorKind::Rejected,
        StatusCode::LOCKED => ErrorKind::Failing,
        status if status.is_client_error() => ErrorKind::Rejected,
        // It went well, but is no answer to what was asked: a page to sign in, mostly.
        status if status.is_success() => ErrorKind::Malformed,
        // 500 and the like, also from a proxy: whether it had an effect is unknown.
        _ => ErrorKind::Unreachable,
    };
    let because = named.first().map(|name| format!(" ({name})")).unwrap_or_default();
    let error = Error::new(kind, format!("{doing}: the server answered {status}{because}"));
    match hint(status, &named) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// The same of one item, where the server is known to answer otherwise.
pub(super) fn of_item(error: &Error) -> Error {
    Error::new(ErrorKind::Failing, error.message.clone()).hint(
        "it is tried again by itself for some days; the server may not cope with its size or its name",
    )
}

/// The conditions that an answer names, where it is such an answer.
pub(super) fn conditions(answer: &Answer) -> Conditions {
    /// A list of conditions has a few hundred bytes; a page of HTML is not looked at for long either.
    const LONGEST: usize = 64 << 10;
    if answer.body.len() > LONGEST {
        Conditions::default()
    } else {
        multistatus::conditions(&answer.body)
    }
}

/// Whether the server finds fault with what the item says (RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1, RFC 6638 §3.2).
fn is_about_content(condition: &str) -> bool {
    matches!(
        condition,
        "valid-calendar-data"
            | "valid-calendar-object-resource"
            | "supported-calendar-data"
            | "supported-calendar-component"
            | "valid-address-data"
            | "supported-address-data"
            | "max-resource-size"
            | "min-date-time"
            | "max-date-time"
            | "max-instances"
            | "max-attendees-per-instance"
            | "allowed-organizer-scheduling-object-change"
            | "allowed-attendee-scheduling-object-change"
            | "same-organizer-in-all-components"
            | "quota-not-exceeded"
            | "sufficient-disk-space"
    )
}

fn redirected(answer: &Answer, doing: &str) -> Error {
    let to = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
    // What a server makes up may be long, or carry what nobody should see, and goes into a sentence.
    let to = to.split(['?', '#']).next().unwrap_or(to);
    let to: String = to.chars().filter(|c| !c.is_control()).take(200).collect();
    Error::new(ErrorKind::Unsupported, format!("{doing}: the server sends us elsewhere, to {to}"))
        .hint("if that is the right place, write it as `url`")
}

fn hint(status: StatusCode, named: &BTreeSet<String>) -> Option<&'static str> {
    if named.contains("max-resource-size") || status == StatusCode::PAYLOAD_TOO_LARGE {
        return Some(
            "the item is larger than the server takes: make its notes or its photo smaller",
        );
    }
    match status {
        StatusCode::UNAUTHORIZED => Some("check `user` and the password or token"),
        StatusCode::LOCKED => {
            Some("another program has locked it; it is tried again by itself for some days")
        }
        StatusCode::INSUFFICIENT_STORAGE => Some("the mailbox is full"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: HeaderMap::new(), body: body.to_owned().into() }
    }

    #[test]
    fn every_status_has_its_kind() {
        let minute = ErrorKind::Throttled(Duration::from_mins(1));
        let table = [
            (302, "", ErrorKind::Unsupported),
            (400, "", ErrorKind::Rejected),
            (401, "", ErrorKind::Unauthorised),
            (403, "", ErrorKind::Forbidden),
            (404, "", ErrorKind::Missing),
            (405, "", ErrorKind::Unsupported),
            (409, "", ErrorKind::Rejected),
            (410, "", ErrorKind::Missing),
            (412, "", ErrorKind::Stale),
            (413, "", ErrorKind::Rejected),
            (422, "", ErrorKind::Rejected),
            (423, "", ErrorKind::Failing),
            (429, "", minute),
            (500, "", ErrorKind::Unreachable),
            (501, "", ErrorKind::Unsupported),
            (503, "", minute),
            (507, "", ErrorKind::Rejected),
            (
                403,
                "<e:error xmlns:e='DAV:'><e:valid-sync-token/></e:error>",
                ErrorKind::CursorExpired,
            ),
            (412, "<error xmlns='DAV:'><valid-sync-token/></error>", ErrorKind::CursorExpired),
            (
                409,
                "<error xmlns='DAV:'><no-uid-conflict xmlns='urn:ietf:params:xml:ns:caldav'><href xmlns='DAV:'>/a</href></no-uid-conflict></error>",
                ErrorKind::Exists,
            ),
            (
                412,
                "<error xmlns='DAV:'><valid-calendar-data xmlns='urn:ietf:params:xml:ns:caldav'/></error>",
                ErrorKind::Rejected,
            ),
            (403, "<html><error><valid-sync-token/></error></html>", ErrorKind::Forbidden),
        ];
        for (status, body, kind) in table {
            let error = refused(&answer(status, body), "write", Timestamp::UNIX_EPOCH);
            assert_eq!(error.kind, kind, "{status} {body}");
        }
    }

    #[test]
    fn a_pause_is_taken_as_the_server_wants_it() {
        let mut busy = answer(503, "");
        busy.headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        let error = refused(&busy, "write", Timestamp::UNIX_EPOCH);
        assert_eq!(error.kind, ErrorKind::Throttled(Duration::from_secs(7)));
    }
}
