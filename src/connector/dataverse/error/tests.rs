use bytes::Bytes;
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn answer(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({"error": {"code": code, "message": message}}).to_string();
    Answer { status, headers: Vec::new(), body: Bytes::from(body) }
}

fn kind(status: u16, code: &str) -> ErrorKind {
    refused(&answer(status, code, ""), "read", None, now()).kind
}

#[test]
fn the_code_decides_in_every_spelling_then_the_status() {
    let throttled = ErrorKind::Throttled(Duration::from_secs(30));
    for (status, code, expected) in [
        (412, "0x80060882", ErrorKind::Stale),
        (412, "-2147088254", ErrorKind::Stale),
        (412, "2147879042", ErrorKind::Stale),
        (412, "", ErrorKind::Stale),
        (412, "0x80040237", ErrorKind::Exists),
        (500, "0x80040333", ErrorKind::Rejected),
        (412, "0x80040333", ErrorKind::Rejected),
        (404, "0x80040217", ErrorKind::Missing),
        (404, "", ErrorKind::Missing),
        (404, "0x80060888", ErrorKind::Rejected),
        (404, "0x81234567", ErrorKind::Rejected),
        (403, "0x80040220", ErrorKind::Forbidden),
        (403, "", ErrorKind::Forbidden),
        (400, "0x80044331", ErrorKind::Rejected),
        (400, "", ErrorKind::Rejected),
        (413, "", ErrorKind::Rejected),
        (400, "0x80044352", ErrorKind::CursorExpired),
        (410, "-2147204270", ErrorKind::CursorExpired),
        (429, "0x80072322", throttled),
        (400, "-2147015902", throttled),
        (429, "", throttled),
        (500, "0x8004ffff", ErrorKind::Rejected),
        (500, "", ErrorKind::Unreachable),
        (502, "", ErrorKind::Unreachable),
        (503, "", ErrorKind::Unreachable),
        (500, "0x80044151", ErrorKind::Unreachable),
        (501, "", ErrorKind::Unsupported),
        (401, "", ErrorKind::Unauthorised),
    ] {
        assert_eq!(kind(status, code), expected, "{status} {code}");
    }
}

#[test]
fn a_refusal_that_names_another_record_is_no_evidence() {
    let row = Uuid::from_u128(0x1111);
    let account = Uuid::from_u128(0x2222);
    let missing =
        |id: Uuid| answer(404, "0x80040217", &format!("account With Id = {id} Does Not Exist"));
    assert_eq!(refused(&missing(row), "change", Some(row), now()).kind, ErrorKind::Missing);
    assert_eq!(refused(&missing(account), "change", Some(row), now()).kind, ErrorKind::Rejected);
}

#[test]
fn only_words_that_name_columns_are_shown() {
    let long = "The length of the 'subject' attribute of the 'task' entity exceeded the maximum allowed length of '200'.";
    let shown = refused(&answer(400, "0x80044331", long), "create task", None, now());
    assert!(shown.message.contains("'subject'"), "{}", shown.message);
    let hidden = refused(
        &answer(400, "0x80048d19", "Cannot convert the literal 'Anna'"),
        "create task",
        None,
        now(),
    );
    assert!(!hidden.message.contains("Anna"));
    assert!(std::error::Error::source(&hidden).unwrap().to_string().contains("Anna"));
}

#[test]
fn a_page_of_html_and_plain_text_are_judged_by_status() {
    for body in [
        "<html><h1>502 Bad Gateway</h1></html>",
        "",
        "\u{0}",
        "[1,2",
        "{\"error\":7}",
        "{\"error\":{\"code\":{}}}",
    ] {
        let answer =
            Answer { status: 502, headers: vec![], body: Bytes::copy_from_slice(body.as_bytes()) };
        assert_eq!(refused(&answer, "list", None, now()).kind, ErrorKind::Unreachable);
    }
}

#[test]
fn a_pause_is_taken_from_the_part() {
    let mut answer = answer(429, "0x80072321", "");
    answer.headers.push(("retry-after".to_owned(), "17".to_owned()));
    assert_eq!(
        refused(&answer, "list", None, now()).kind,
        ErrorKind::Throttled(Duration::from_secs(17))
    );
    answer.status = 503;
    answer.body = Bytes::new();
    assert_eq!(
        refused(&answer, "list", None, now()).kind,
        ErrorKind::Throttled(Duration::from_secs(17))
    );
}

proptest::proptest! {
    #[test]
    fn hostile_bodies_never_panic(body in ".{0,200}", code in ".{0,20}", status in 0u16..999) {
        let hostile = Answer { status, headers: vec![], body: Bytes::from(body) };
        for answer in [hostile, answer(status, &code, &code)] {
            let error = refused(&answer, "read", Some(Uuid::nil()), now());
            proptest::prop_assert!(error.message.starts_with("read: "));
        }
    }
}
