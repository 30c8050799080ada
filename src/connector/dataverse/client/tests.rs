use std::time::Duration;

use axum::body::Body;
use axum::http::Response;

use super::*;
use crate::connector::dataverse::scripted::{MULTIPART, answer, client, parts, serve, whole};
use crate::connector::http::Limits;

async fn kind_of(script: Vec<Response<Body>>) -> ErrorKind {
    let (url, _) = serve(script).await;
    client(&url, "echo token", Limits::default()).read(parts()).await.unwrap_err().kind
}

#[tokio::test]
async fn requests_carry_the_token_and_are_counted() {
    let (url, seen) = serve(vec![whole(200)]).await;
    let client = client(&url, "echo secret-token", Limits::default());
    assert_eq!(client.read(parts()).await.unwrap().len(), 1);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].0, "Bearer secret-token");
    assert!(seen[0].1.contains("GET /api/data/v9.2/contacts HTTP/1.1"));
    assert_eq!(client.requests(), Requests { requests: 1, operations: 1 });
    assert!(!format!("{client:?}").contains("secret-token"));
}

#[tokio::test]
async fn a_token_that_expired_is_renewed_once() {
    let dir = tempfile::tempdir().unwrap();
    let count = format!("echo x >> {0}; wc -l < {0} | tr -d ' '", dir.path().join("n").display());
    let refusal = || answer(401, &[("content-type", "text/plain")], "Unauthorized");
    let (url, seen) = serve(vec![refusal(), whole(200), refusal(), refusal(), whole(200)]).await;
    let client = client(&url, &count, Limits::default());
    assert!(client.read(parts()).await.is_ok());
    let tokens: Vec<String> = seen.lock().unwrap().iter().map(|(token, _)| token.clone()).collect();
    assert_eq!(tokens, ["Bearer 1", "Bearer 2"]);
    let error = client.read(parts()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorised);
    assert!(error.hint.unwrap().contains("wc -l"));
    assert_eq!(seen.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn what_is_no_answer_is_told_by_kind() {
    let html = [("content-type", "text/html")];
    let page = "<html>Bad Gateway</html>";
    for status in [500, 502, 503, 504] {
        assert_eq!(
            kind_of(vec![answer(status, &html, page)]).await,
            ErrorKind::Unreachable,
            "{status}"
        );
    }
    assert_eq!(kind_of(vec![answer(404, &html, page)]).await, ErrorKind::Unsupported);
    assert_eq!(kind_of(vec![answer(200, &html, "sign in")]).await, ErrorKind::Unreachable);
    let elsewhere = answer(302, &[("location", "http://127.0.0.1:1/")], "");
    assert_eq!(kind_of(vec![elsewhere]).await, ErrorKind::Unsupported);
    let throttled = answer(
        429,
        &[("retry-after", "17"), ("content-type", "application/json")],
        "{\"error\":{\"code\":\"0x80072322\"}}",
    );
    assert_eq!(kind_of(vec![throttled]).await, ErrorKind::Throttled(Duration::from_secs(17)));
    let pause = answer(503, &[("retry-after", "Sun, 01 Mar 2026 12:02:00 GMT")], "");
    let ErrorKind::Throttled(pause) = kind_of(vec![pause]).await else { panic!() };
    // The clock moves by a microsecond with each request id.
    assert!(pause > Duration::from_secs(119) && pause <= Duration::from_mins(2));
    // One part that speaks of the service stops the reading.
    assert_eq!(kind_of(vec![whole(429)]).await, ErrorKind::Throttled(Duration::from_secs(30)));
    assert_eq!(kind_of(vec![whole(502)]).await, ErrorKind::Unreachable);
    // The other end is not there at all.
    let error =
        client("http://127.0.0.1:1", "echo t", Limits::default()).read(parts()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
}

#[tokio::test]
async fn an_answer_that_is_not_whole_is_no_answer() {
    for body in [
        "",
        "--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}\r\n",
        "--b\r\n\r\n--b--",
        "--b--",
    ] {
        assert_eq!(
            kind_of(vec![answer(200, &[MULTIPART], body)]).await,
            ErrorKind::Unreachable,
            "{body}"
        );
    }
    let short = answer(200, &[MULTIPART, ("content-length", "500")], "--b");
    assert_eq!(kind_of(vec![short]).await, ErrorKind::Unreachable);
}

#[tokio::test]
async fn an_answer_has_a_largest_size_and_a_longest_time() {
    let small = Limits { answer: 100, ..Limits::default() };
    let (url, _) = serve(vec![answer(200, &[MULTIPART], "x".repeat(5000))]).await;
    assert_eq!(
        client(&url, "echo t", small).read(parts()).await.unwrap_err().kind,
        ErrorKind::Rejected
    );
    let never =
        Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let (url, _) = serve(vec![answer(200, &[MULTIPART], never)]).await;
    let hasty = Limits { request: Duration::from_millis(50), ..Limits::default() };
    assert_eq!(
        client(&url, "echo t", hasty).read(parts()).await.unwrap_err().kind,
        ErrorKind::Unreachable
    );
}

#[test]
fn members_are_never_torn_apart_and_limits_hold() {
    let sizes =
        [(600, 1), (300, 1), (200, 1), (1500, 1), (1, MAX_BODY), (1, 1), (1, MAX_BODY + 1), (1, 1)];
    let chunks = chunks(sizes.to_vec(), |size| *size);
    let lengths: Vec<usize> = chunks.iter().map(Vec::len).collect();
    assert_eq!(lengths, [2, 1, 1, 1, 1, 1, 1]);
    assert_eq!(chunks.concat(), sizes);
}
