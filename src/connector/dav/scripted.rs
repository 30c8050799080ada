//! A server that gives prepared answers, one a request: for what no server does on purpose.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request as Incoming, State};
use axum::http::{HeaderMap, Response};
use jiff::Timestamp;
use tokio::net::TcpListener;

use super::{Dav, Options};
use crate::clock::Clock;
use crate::connector::http::Limits;
use crate::model::Class;

/// What one request said.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// The server. Where the script is at its end, requests hang.
#[derive(Debug, Clone)]
pub(super) struct Scripted {
    /// Without a slash at the end.
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Mutex<VecDeque<Response<Body>>>>,
}

impl Scripted {
    pub(super) async fn start(script: Vec<Response<Body>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let scripted =
            Self { url, seen: Arc::default(), script: Arc::new(Mutex::new(script.into())) };
        let router = Router::new().fallback(answer).with_state(scripted.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        scripted
    }

    pub(super) fn then(&self, script: Vec<Response<Body>>) {
        self.script.lock().unwrap().extend(script);
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What was asked since the last time, as methods.
    pub(super) fn methods(&self) -> Vec<String> {
        self.seen.lock().unwrap().drain(..).map(|seen| seen.method).collect()
    }

    /// Of the collection `/c/`, for events and tasks.
    pub(super) fn options(&self) -> Options {
        let mut options =
            Options::new(format!("{}/c/", self.url), [Class::Appointment, Class::Task]);
        options.limits = Limits {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(5),
            answer: 1 << 20,
        };
        options
    }

    pub(super) fn connect(&self) -> Dav {
        connect_with(self.options()).0
    }
}

pub(super) fn connect_with(options: Options) -> (Dav, Clock) {
    let clock = Clock::manual("2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap());
    (Dav::new(options, clock.clone()).unwrap(), clock)
}

async fn answer(State(scripted): State<Scripted>, request: Incoming) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    scripted.seen.lock().unwrap().push(Seen {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let next = scripted.script.lock().unwrap().pop_front();
    match next {
        Some(answer) => answer,
        None => std::future::pending().await,
    }
}

pub(super) fn answer_with(
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

pub(super) fn status(status: u16) -> Response<Body> {
    answer_with(status, &[], "")
}

/// A refusal that names a condition.
pub(super) fn refusal(status: u16, condition: &str) -> Response<Body> {
    answer_with(status, &[], format!("<d:error xmlns:d=\"DAV:\"><d:{condition}/></d:error>"))
}

/// As [`refusal`], with what stands in the way.
pub(super) fn refusal_about(status: u16, condition: &str, href: &str) -> Response<Body> {
    let body = format!(
        "<d:error xmlns:d=\"DAV:\"><d:{condition}><d:href>{href}</d:href></d:{condition}></d:error>"
    );
    answer_with(status, &[], body)
}

/// A multistatus of these responses.
pub(super) fn multistatus(inner: &str) -> Response<Body> {
    let body = format!(
        "<multistatus xmlns=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:S=\"http://calendarserver.org/ns/\">{inner}</multistatus>"
    );
    answer_with(207, &[("content-type", "application/xml")], body)
}

/// An item that was found.
pub(super) fn item(name: &str, etag: &str, more: &str) -> String {
    found(&format!("/c/{name}"), &format!("<getetag>\"{etag}\"</getetag>{more}"))
}

pub(super) fn event(name: &str, etag: &str) -> String {
    item(name, etag, "<getcontenttype>text/calendar; component=vevent</getcontenttype>")
}

pub(super) fn gone(name: &str) -> String {
    format!("<response><href>/c/{name}</href><status>HTTP/1.1 404 Not Found</status></response>")
}

pub(super) fn found(href: &str, properties: &str) -> String {
    format!(
        "<response><href>{href}</href><propstat><prop>{properties}</prop><status>HTTP/1.1 200 OK</status></propstat></response>"
    )
}

/// What the collection says of itself.
pub(super) fn described(privilege: &str) -> Response<Body> {
    multistatus(&found(
        "/c/",
        &format!(
            "<resourcetype><collection/><C:calendar/></resourcetype>\
             <current-user-privilege-set><privilege><{privilege}/></privilege></current-user-privilege-set>\
             <current-user-principal><href>/me/</href></current-user-principal>"
        ),
    ))
}

pub(super) fn token(token: &str) -> String {
    format!("<sync-token>{token}</sync-token>")
}
