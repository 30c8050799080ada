//! The organisation on a socket: tokens, limits and faults before the Web API, the administration
//! beside it, a page in front. What an operation means is decided in `service`.

use crate::sandbox::clock::Clock;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::service::batch::{self, Batch};
use crate::sandbox::service::message::{Method, Reply, Request};
use crate::sandbox::service::perform;
use crate::sandbox::store::{Context, Organisation, seed};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

mod admin;
pub mod faults;
pub mod introspect;
pub mod limits;
pub mod line;
mod page;
pub mod tokens;

use faults::{Fault, Faults};
use introspect::Introspection;
use limits::Limits;
use line::Peer;
use tokens::Tokens;

/// A body may have this many bytes.
const MAX_BODY: usize = 160 * 1024 * 1024;

/// Characters of a URL outside a batch.
const MAX_URL: usize = 32_768;

/// What all requests share.
#[derive(Debug)]
pub struct Server {
    pub organisation: Mutex<Organisation>,
    pub tokens: Mutex<Tokens>,
    /// Who knows the tokens that are not ours.
    pub introspection: Option<Introspection>,
    pub limits: Mutex<Limits>,
    pub faults: Mutex<Faults>,
    pub clock: Clock,
    /// `http` or `https`.
    pub scheme: &'static str,
}

/// The routes.
pub fn router(server: Arc<Server>) -> Router {
    Router::new().fallback(handle).with_state(server)
}

/// A lock whose holder panicked is taken over: a transaction that was under way has rolled back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(
    State(server): State<Arc<Server>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: axum::extract::Request,
) -> Response {
    let path = request.uri().path().to_owned();
    let reply = if path.starts_with("/api/data/") {
        api(&server, &peer, request).await
    } else if path.starts_with("/sandbox/") {
        administration(&server, request).await
    } else {
        visit(&server, &peer, request).await
    };
    respond(reply)
}

fn respond(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value))
        {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The page needs no token, but comes only to this machine and only under one of its own names, so
/// that no other site can read it through the user's browser.
async fn visit(server: &Arc<Server>, peer: &Peer, request: axum::extract::Request) -> Reply {
    let host =
        request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let local = name == "localhost"
        || name
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if !local || !peer.address.ip().is_loopback() || request.method() != axum::http::Method::GET {
        return Reply::typed(403, "text/plain", "This page is shown on its own machine only.");
    }
    let path = request.uri().path().to_owned();
    on_organisation(server, move |organisation| page::show(&organisation.connection, &path)).await
}

async fn administration(server: &Arc<Server>, request: axum::extract::Request) -> Reply {
    let user = bearer(server, &request);
    if user.as_deref() != Some(tokens::ADMIN) {
        return Reply::typed(401, "text/plain", "The administration needs the token of admin.");
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let Ok(body) = axum::body::to_bytes(request.into_body(), MAX_BODY).await else {
        return Reply::typed(413, "text/plain", "The body is too large.");
    };
    let server = server.clone();
    blocking(move || admin::handle(&server, method.as_str(), &path, &body)).await
}

/// Runs blocking work; if it panics the answer is 500.
async fn blocking(work: impl FnOnce() -> Reply + Send + 'static) -> Reply {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let refusal = Refusal::new(500, "0x80040216", "An unexpected error occurred.");
        Reply::json(500, &refusal.body(false))
    })
}

async fn on_organisation(
    server: &Arc<Server>,
    work: impl FnOnce(&mut Organisation) -> Reply + Send + 'static,
) -> Reply {
    let server = server.clone();
    blocking(move || work(&mut lock(&server.organisation))).await
}

fn bearer(server: &Server, request: &axum::extract::Request) -> Option<String> {
    lock(&server.tokens).user(token(request)?).map(str::to_owned)
}

/// Whose token it is: ours, or one of a provider that is trusted.
async fn caller(server: &Server, token: Option<String>) -> Option<String> {
    let token = token?;
    let known = lock(&server.tokens).user(&token).map(str::to_owned);
    match &server.introspection {
        Some(introspection) if known.is_none() => introspection.user(&token).await,
        _ => known,
    }
}

fn token(request: &axum::extract::Request) -> Option<&str> {
    let header = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (kind, token) = header.split_once(' ')?;
    Some(token.trim()).filter(|_| kind.eq_ignore_ascii_case("bearer"))
}

/// A request to the Web API: who is it, is something ordered to go wrong, is there budget; then the
/// work.
async fn api(server: &Arc<Server>, peer: &Peer, request: axum::extract::Request) -> Reply {
    let token = token(&request).map(str::to_owned);
    let Some(user) = caller(server, token).await else { return unauthorized() };
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let fault = lock(&server.faults).next(&user, request.method().as_str(), &target);
    match &fault {
        Some(Fault::Status { status, code, retry_after }) => {
            lock(&server.limits).count_fault(&user);
            return failing(*status, code, *retry_after);
        }
        Some(Fault::Html { status }) => {
            lock(&server.limits).count_fault(&user);
            return Reply::typed(
                *status,
                "text/html",
                "<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>",
            );
        }
        Some(Fault::Unauthorized) => return unauthorized(),
        Some(Fault::DropRequest) => {
            peer.cut.after(0);
            return Reply::empty();
        }
        Some(Fault::DropReply | Fault::CutReply | Fault::Delay { .. } | Fault::TornPage) | None => {
        }
    }
    let remaining = match lock(&server.limits).admit(&user, server.clock.now()) {
        Ok(remaining) => remaining,
        Err(throttled) => {
            return Reply::json(429, &throttled.refusal.body(false))
                .with("Retry-After", throttled.retry_after.to_string());
        }
    };
    let mut reply = match receive(server, request, &target).await {
        Ok(request) => work(server, user, request).await,
        Err(refusal) => Reply::json(refusal.status, &refusal.body(false)),
    };
    if let Some(remaining) = remaining {
        reply = reply.with("x-ms-ratelimit-burst-remaining-xrm-requests", remaining.to_string());
    }
    match fault {
        Some(Fault::DropReply) => peer.cut.after(0),
        Some(Fault::CutReply) => peer.cut.after(usize::midpoint(100, reply.body.len())),
        Some(Fault::Delay { milliseconds }) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
        _ => {}
    }
    reply.with("OData-Version", "4.0").with("x-ms-dop-hint", "4")
}

fn unauthorized() -> Reply {
    Reply::typed(
        401,
        "text/plain",
        "Unauthorized: the bearer token is missing, unknown or expired.",
    )
    .with(
        "WWW-Authenticate",
        "Bearer authorization_uri=https://login.example/common/oauth2/authorize",
    )
}

fn failing(status: u16, code: &str, retry_after: Option<u32>) -> Reply {
    let message = if status == 429 {
        "Number of requests exceeded the limit."
    } else {
        "The service is not available."
    };
    let reply =
        Reply::json(status, &serde_json::json!({"error": {"code": code, "message": message}}));
    match retry_after {
        Some(seconds) => reply.with("Retry-After", seconds.to_string()),
        None => reply,
    }
}

/// The request as the service reads it.
async fn receive(
    server: &Server,
    request: axum::extract::Request,
    target: &str,
) -> Result<Request, Refusal> {
    let method = Method::parse(request.method().as_str())
        .ok_or_else(|| Refusal::new(405, "0x80060888", "The HTTP method is not supported."))?;
    if target.len() > MAX_URL {
        return Err(Refusal::new(
            414,
            "0x80060888",
            "The URL is too long; a batch takes longer ones.",
        ));
    }
    let (path, options) =
        Request::split(target, false).ok_or_else(|| Refusal::no_resource(request.uri().path()))?;
    let mut headers = BTreeMap::new();
    for (name, value) in request.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|all: &mut String| *all = format!("{all},{value}"))
            .or_insert(value);
    }
    let host = headers.get("host").cloned().unwrap_or_default();
    let base = format!("{}://{host}/api/data/v9.2", server.scheme);
    let body = axum::body::to_bytes(request.into_body(), MAX_BODY).await;
    let body = body
        .map_err(|_| Refusal::new(413, "0x80048d19", "The body is too large or was broken off."))?;
    Ok(Request { method, path, options, headers, body: body.to_vec(), base })
}

/// The work itself, off the runtime's threads and as one transaction.
async fn work(server: &Arc<Server>, user: String, request: Request) -> Reply {
    let server = server.clone();
    blocking(move || {
        let batch = if batch::is_batch(&request) { Some(Batch::read(&request)) } else { None };
        let operations = match &batch {
            Some(Ok(batch)) => batch.operations(),
            Some(Err(_)) | None => 0,
        };
        lock(&server.limits).count(&user, batch.is_some(), operations);
        let mut organisation = lock(&server.organisation);
        let mut one = |context: &mut Context<'_>, operation: &Request| {
            let fault = ordered(&server, &user, operation);
            spoilt(fault, || perform(context, operation))
        };
        let done = identify(&organisation, &user).and_then(|id| {
            organisation.transact(&id, |context| match batch {
                Some(Ok(batch)) => batch.run(context, &request, &mut one),
                Some(Err(refusal)) => Reply::refused(&refusal, &request),
                None => perform(context, &request),
            })
        });
        done.unwrap_or_else(|refusal| Reply::refused(&refusal, &request))
    })
    .await
}

/// The fault that is ordered for an operation of a batch.
fn ordered(server: &Server, user: &str, operation: &Request) -> Option<Fault> {
    let options = operation.options.iter().map(|(name, value)| format!("{name}={value}"));
    let target = format!("{}?{}", operation.path, options.collect::<Vec<_>>().join("&"));
    lock(&server.faults).inside(user, operation.method.as_str(), &target)
}

/// What becomes of an operation of a batch.
fn spoilt(fault: Option<Fault>, work: impl FnOnce() -> Reply) -> Reply {
    match fault {
        Some(Fault::Status { status, code, retry_after }) => failing(status, &code, retry_after),
        Some(Fault::TornPage) => torn(work()),
        _ => work(),
    }
}

/// Half of a page that promises more.
fn torn(reply: Reply) -> Reply {
    let Ok(Json::Object(mut page)) = serde_json::from_slice(&reply.body) else { return reply };
    if let Some(Json::Array(rows)) = page.get_mut("value") {
        rows.truncate(rows.len().div_ceil(2));
        page.insert("@Microsoft.Dynamics.CRM.morerecords".to_owned(), Json::Bool(true));
    }
    Reply::json(reply.status, &Json::Object(page))
}

fn identify(organisation: &Organisation, user: &str) -> Result<String, Refusal> {
    let id = seed::user_id(&organisation.connection, user)?;
    id.ok_or_else(|| {
        Refusal::new(403, "0x80072560", "The user is not a member of the organization.")
    })
}

/// A JSON body of an administration request.
fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::argument(format!("The body is not understood: {error}.")))
}

/// 200 with JSON.
fn shown(body: &Json) -> Reply {
    Reply::json(200, body)
}
