//! A server that gives prepared answers, one a request: for what no organisation does on purpose.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request as Incoming, State};
use axum::http::Response;
use serde_json::Value as Json;
use tokio::net::TcpListener;

use super::batch::{Method, Operation, Part};
use super::client::Client;
use crate::clock::Clock;
use crate::connector::auth::{Credential, Kind};
use crate::connector::http::{Http, Limits};
use crate::connector::tls;

/// What the server saw: authorisation and body.
pub(super) type Seen = Arc<Mutex<Vec<(String, String)>>>;
type Script = Arc<Mutex<VecDeque<Response<Body>>>>;

/// A server that gives these answers, one a request.
pub(super) async fn serve(script: Vec<Response<Body>>) -> (String, Seen) {
    let seen = Seen::default();
    let script: Script = Arc::new(Mutex::new(script.into()));
    let handler = |State((script, seen)): State<(Script, Seen)>, request: Incoming| async move {
        let (parts, body) = request.into_parts();
        let token = parts.headers["authorization"].to_str().unwrap().to_owned();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        seen.lock().unwrap().push((token, String::from_utf8(body.to_vec()).unwrap()));
        script.lock().unwrap().pop_front().unwrap_or_default()
    };
    let router = Router::new()
        .route("/api/data/v9.2/$batch", axum::routing::post(handler))
        .with_state((script, Arc::clone(&seen)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

pub(super) fn client(url: &str, token: &str, limits: Limits) -> Client {
    let http = Http::new(&tls::client_config(&tls::Trust::Platform).unwrap(), limits).unwrap();
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse().unwrap());
    Client::new(http, url, Arc::new(Credential::command(Kind::Token, token)), clock).unwrap()
}

pub(super) fn answer(
    status: u16,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Response<Body> {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(body.into()).unwrap()
}

pub(super) const MULTIPART: (&str, &str) = ("content-type", "multipart/mixed; boundary=b");

pub(super) fn whole(status: u16) -> Response<Body> {
    let body = format!(
        "--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 {status} X\r\n\r\n{{}}\r\n--b--\r\n"
    );
    answer(200, &[MULTIPART], body)
}

pub(super) fn parts() -> Vec<Part> {
    vec![Part::One(Operation::new(Method::Get, "contacts"))]
}

/// A reply with these answers, one a part.
pub(super) fn replies(answers: &[(u16, Json)]) -> Response<Body> {
    let part = |(status, body): &(u16, Json)| {
        format!(
            "--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 {status} X\r\n\r\n{body}\r\n"
        )
    };
    let parts: String = answers.iter().map(part).collect();
    answer(200, &[MULTIPART], format!("{parts}--b--\r\n"))
}
