use proptest::prelude::*;
use serde_json::json;

use super::*;

fn one() -> Part {
    Part::One(Operation::new(Method::Get, "contacts"))
}

fn set(count: usize) -> Part {
    Part::ChangeSet(vec![Operation::new(Method::Delete, "contacts(x)"); count])
}

fn decode_text(text: &str, parts: &[Part]) -> Result<Vec<Reply>, Garbled> {
    decode(
        "multipart/mixed; boundary=batchresponse_1",
        &Bytes::copy_from_slice(text.as_bytes()),
        parts,
    )
}

fn statuses(replies: &[Reply]) -> Vec<Vec<u16>> {
    let of = |reply: &Reply| match reply {
        Reply::One(answer) => vec![answer.status],
        Reply::Set(answers) => answers.iter().map(|answer| answer.status).collect(),
    };
    replies.iter().map(of).collect()
}

/// As the documentation of the service shows it: a change set, an error, a row.
const DOCUMENTED: &str = "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_2\r\n\r\n\
--changesetresponse_2\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: 1\r\n\r\n\
HTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\nOData-EntityId: https://contoso.crm.dynamics.com/api/data/v9.2/tasks(1)\r\n\r\n\r\n\
--changesetresponse_2\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: 2\r\n\r\n\
HTTP/1.1 200 OK\r\nContent-Type: application/json; odata.metadata=minimal\r\nETag: W/\"77\"\r\n\r\n{\"a\":1}\r\n\
--changesetresponse_2--\r\n\
--batchresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
HTTP/1.1 400 Bad Request\r\nREQ_ID: 5ecd1cb3\r\nContent-Type: application/json\r\n\r\n{\"error\":{\"code\":\"0x80044331\",\"message\":\"too long\"}}\r\n\
--batchresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
HTTP/1.1 200 OK\r\n\r\n{\"value\":[]}\r\n--batchresponse_1--\r\n";

#[test]
fn a_documented_reply_is_read_in_order() {
    let replies = decode_text(DOCUMENTED, &[set(2), one(), one()]).unwrap();
    assert_eq!(statuses(&replies), [vec![204, 200], vec![400], vec![200]]);
    let Reply::Set(answers) = &replies[0] else { panic!() };
    assert_eq!(answers[0].body.len(), 0);
    assert_eq!(answers[1].json(), Some(json!({"a": 1})));
    assert_eq!(answers[1].header("etag"), Some("W/\"77\""));
    let Reply::One(refused) = &replies[1] else { panic!() };
    assert_eq!(refused.json().unwrap()["error"]["code"], "0x80044331");
}

#[test]
fn spellings_seen_in_the_wild_are_read() {
    let line_feeds = DOCUMENTED.replace("\r\n", "\n");
    let stray = DOCUMENTED.replace("HTTP/1.1 ", "HTTP/ 1.1 ");
    let no_blank = DOCUMENTED.replace("binary\r\n\r\n", "binary\r\n");
    let no_blank_before_body = DOCUMENTED
        .replace("W/\"77\"\r\n\r\n", "W/\"77\"\r\n")
        .replace("200 OK\r\n\r\n{", "200 OK\r\n{");
    let quoted =
        DOCUMENTED.replace("boundary=changesetresponse_2", "boundary=\"changesetresponse_2\"");
    let preamble = format!("ignore me\r\n{DOCUMENTED}trailer");
    for text in [line_feeds, stray, no_blank, no_blank_before_body, quoted, preamble] {
        let replies = decode_text(&text, &[set(2), one(), one()]).unwrap();
        assert_eq!(statuses(&replies), [vec![204, 200], vec![400], vec![200]], "{text}");
        let Reply::Set(answers) = &replies[0] else { panic!() };
        assert_eq!(answers[1].json(), Some(json!({"a": 1})), "{text}");
    }
}

#[test]
fn half_a_reply_counts_for_nothing() {
    let parts = [set(2), one(), one()];
    for end in 0..DOCUMENTED.len() - 4 {
        let cut = DOCUMENTED.get(..end).unwrap();
        assert!(decode_text(cut, &parts).is_err(), "cut at {end} of {}", DOCUMENTED.len());
    }
}

#[test]
fn the_number_of_answers_must_fit() {
    for parts in [
        vec![],
        vec![set(2), one()],
        vec![set(1), one(), one()],
        vec![one(), one(), one()],
        vec![set(2), one(), one(), one()],
    ] {
        assert_eq!(decode_text(DOCUMENTED, &parts), Err(Garbled::Count), "{parts:?}");
    }
}

#[test]
fn a_failed_change_set_is_one_answer_with_or_without_a_part_of_its_own() {
    let bare = "--batchresponse_1\nContent-Type: application/http\n\nHTTP/1.1 412 Precondition Failed\n\n{}\n--batchresponse_1--";
    let wrapped = "--batchresponse_1\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: application/http\n\nHTTP/1.1 412 Precondition Failed\n\n{}\n--c--\n--batchresponse_1--";
    for text in [bare, wrapped] {
        let replies = decode_text(text, &[set(3)]).unwrap();
        assert_eq!(statuses(&replies), [vec![412]]);
        assert!(matches!(replies[0], Reply::One(_)));
    }
}

#[test]
fn a_body_may_talk_about_boundaries() {
    let text = "--batchresponse_1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{\"a\":\"--batchresponse_1\"}\r\n--batchresponse_12\r\n--batchresponse_1--";
    let replies = decode_text(text, &[one()]).unwrap();
    let Reply::One(answer) = &replies[0] else { panic!() };
    assert_eq!(&answer.body[..], b"{\"a\":\"--batchresponse_1\"}\r\n--batchresponse_12");
}

#[test]
fn a_request_has_the_documented_form() {
    let patch = Operation::new(Method::Patch, "contacts(1)")
        .header("If-None-Match", "*")
        .body(&json!({"a": 1}));
    let parts = [
        Part::One(Operation::new(Method::Get, "tasks")),
        Part::of(vec![patch.clone(), patch.clone()]),
        Part::of(vec![patch]),
    ];
    let text = String::from_utf8(encode(&parts, "/api/data/v9.2/", "B")).unwrap();
    assert!(text.starts_with(
        "--batch_B\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET /api/data/v9.2/tasks HTTP/1.1\r\n"
    ));
    // A GET ends with two line ends before the next boundary.
    assert!(text.contains("OData-MaxVersion: 4.0\r\n\r\n\r\n--batch_B\r\nContent-Type: multipart/mixed; boundary=changeset_B_1\r\n\r\n--changeset_B_1\r\n"), "{text}");
    assert!(text.contains("Content-ID: 2\r\n\r\nPATCH /api/data/v9.2/contacts(1) HTTP/1.1\r\n"));
    assert!(text.contains("If-None-Match: *\r\nContent-Type: application/json; type=entry\r\n\r\n{\"a\":1}\r\n--changeset_B_1--\r\n--batch_B\r\n"), "{text}");
    assert!(text.ends_with("{\"a\":1}\r\n--batch_B--\r\n"));
    assert!(matches!(parts[2], Part::One(_)));
}

proptest! {
    #[test]
    fn hostile_replies_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in ".{0,60}") {
        let body = Bytes::from(bytes);
        for kind in [kind.as_str(), "multipart/mixed; boundary=b"] {
            let replies = decode(kind, &body, &[one()]);
            prop_assert!(replies.is_err() || replies.is_ok_and(|replies| replies.len() == 1));
        }
    }

    #[test]
    fn torn_replies_never_panic(pieces in proptest::collection::vec(prop_oneof![
        Just("--b\r\n"), Just("--b--"), Just("--c\n"), Just("--c--\r\n"), Just("\r\n"), Just("HTTP/1.1 200 OK\r\n"),
        Just("HTTP/"), Just("Content-Type: multipart/mixed; boundary=c\r\n"), Just("{\"a\":1}"), Just("A: b\n"),
    ], 0..30)) {
        let text = pieces.concat();
        let replies = decode("multipart/mixed;boundary=b", &Bytes::from(text), &[one(), set(1)]);
        prop_assert!(replies.is_err() || replies.is_ok_and(|replies| replies.len() == 2));
    }
}
