//! The questions, one a place to ask. Each is bounded by itself; the deadline of all is its caller's.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::header::LOCATION;
use reqwest::{Method, Request, StatusCode, Url};

use super::{Guess, Person, Place, Protocol, Provider, Service, Source, World, autoconfig};
use crate::connector::dns::Names;
use crate::connector::http::{self, Http, Limits};
use crate::connector::line::Lines;
use crate::connector::net::{Security, Server};
use crate::connector::{Error, ErrorKind, Result, tls};

/// From a domain to where it is served, perhaps with a slash added.
const REDIRECTS_MAX: usize = 4;

/// Descriptions have a few kilobytes.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    request: Duration::from_secs(15),
    answer: 256 << 10,
};

/// For the first line of a server.
const GREETING_LIMIT: Duration = Duration::from_secs(10);
const GREETING_MAX: usize = 2048;

/// Names below which a provider may be listed, for the host that takes the mail.
const LISTED_MAX: usize = 3;

/// What a question came to.
pub(super) struct Told {
    pub(super) services: Vec<Service>,
    pub(super) source: Source,
    pub(super) provider: Option<&'static Provider>,
}

/// The answer to a question.
pub(super) struct Answer {
    pub(super) what: String,
    pub(super) told: Result<Told>,
}

/// A question that is being asked.
pub(super) struct Question<'a> {
    pub(super) what: String,
    asking: BoxFuture<'a, Result<Told>>,
}

impl Future for Question<'_> {
    type Output = Answer;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Answer> {
        self.asking.poll_unpin(context).map(|told| Answer { what: self.what.clone(), told })
    }
}

/// Who is asked about whom.
pub(super) struct Probe<'a> {
    person: &'a Person,
    world: &'a World,
    http: Http,
    names: Names,
}

impl<'a> Probe<'a> {
    pub(super) fn new(person: &'a Person, world: &'a World) -> Result<Self> {
        let http = Http::new(&tls::client_config(&world.trust)?, LIMITS)?;
        Ok(Self { person, world, http, names: Names::new(world.name_server)? })
    }

    pub(super) fn questions(&self) -> Vec<Question<'_>> {
        let mut questions = Vec::new();
        for (template, with_address) in &self.world.descriptions {
            let url = self.person.fill(template);
            questions.push(ask(url.clone(), self.description(url, *with_address, Source::Domain)));
        }
        if let Some(list) = self.world.list.as_deref().map(|list| self.person.fill(list)) {
            questions.push(ask(list.clone(), self.description(list, false, Source::List)));
        }
        if self.world.dns {
            self.ask_dns(&mut questions);
        }
        if let Some(root) = self.world.well_known.as_deref().map(|root| self.person.fill(root)) {
            for (protocol, path) in [(Protocol::CalDav, "caldav"), (Protocol::CardDav, "carddav")] {
                let url = format!("{root}/.well-known/{path}");
                questions.push(ask(url.clone(), self.well_known(url, protocol)));
            }
        }
        for guess in &self.world.guesses {
            let what = format!("a server at {}:{}", self.person.fill(&guess.host), guess.port);
            questions.push(ask(what, self.guess(guess)));
        }
        questions
    }

    fn ask_dns<'q>(&'q self, questions: &mut Vec<Question<'q>>) {
        questions.push(ask(
            format!("DNS: who takes mail for {}", self.person.domain()),
            self.mail_hosts(),
        ));
        for (name, protocol, security) in SERVICES {
            let name = format!("{name}._tcp.{}", self.person.domain());
            questions.push(ask(format!("DNS: {name}"), self.named(name, protocol, security)));
        }
    }

    /// Thunderbird's description of a provider.
    async fn description(&self, url: String, with_address: bool, source: Source) -> Result<Told> {
        let mut url = http::server_url(&url)?;
        if with_address {
            url.query_pairs_mut().append_pair("emailaddress", &self.person.address);
        }
        let services = match self.get(url, Method::GET).await? {
            (StatusCode::OK, body, _) => autoconfig::read(&body, self.person)?,
            // A page that says "not found" in other words, or nothing.
            (status, ..) if status.is_client_error() => Vec::new(),
            (status, ..) => return Err(answered(status)),
        };
        Ok(Told { services, source, provider: None })
    }

    /// Whose hosts take the domain's mail; if they are nobody's that is known, what the list says of them.
    async fn mail_hosts(&self) -> Result<Told> {
        let source = Source::MailHost;
        let hosts = self.names.mail_hosts(self.person.domain()).await?;
        if let Some(provider) = hosts.iter().find_map(|host| Provider::of_mail_host(host)) {
            let services = provider.services(self.person).collect();
            return Ok(Told { services, source, provider: Some(provider) });
        }
        let Some(best) = hosts.first() else {
            return Ok(Told { services: Vec::new(), source, provider: None });
        };
        let mut last = None;
        for domain in parents(best).filter(|domain| *domain != self.person.domain()) {
            let Some(list) = &self.world.list else { break };
            let url = list.replace("%EMAILDOMAIN%", domain);
            match self.description(url, false, source).await {
                Ok(told) if told.services.is_empty() => {}
                Ok(told) => return Ok(told),
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) => Err(error),
            None => Ok(Told { services: Vec::new(), source, provider: None }),
        }
    }

    /// The hosts that DNS names for a service.
    async fn named(&self, name: String, protocol: Protocol, security: Security) -> Result<Told> {
        let targets = self.names.services(&name).await?;
        let place = |host: &str, port| match protocol {
            Protocol::CalDav | Protocol::CardDav => {
                let url = http::server_url(&format!("https://{host}:{port}/"));
                url.ok().map(Place::Url)
            }
            Protocol::Imap | Protocol::Pop3 | Protocol::Submission => {
                Place::server(host, port, security)
            }
        };
        let services = targets
            .iter()
            .filter_map(|target| place(&target.host, target.port))
            .map(|place| service(protocol, place))
            .collect();
        Ok(Told { services, source: Source::Dns, provider: None })
    }

    /// Whether the domain serves calendars or address books, or says where (RFC 6764 §5). What answers without a sign-in is not
    /// the answer yet: only that somebody wants one, or leads elsewhere.
    async fn well_known(&self, url: String, protocol: Protocol) -> Result<Told> {
        let start = http::server_url(&url)?;
        let method = Method::from_bytes(b"PROPFIND").unwrap_or(Method::OPTIONS);
        let (status, _, end) = self.get(start, method).await?;
        let is_dav = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::MULTI_STATUS);
        let services = is_dav.then(|| service(protocol, Place::Url(end)));
        Ok(Told {
            services: services.into_iter().collect(),
            source: Source::Domain,
            provider: None,
        })
    }

    /// A server at a usual name that greets as it should, with a certificate that is good.
    async fn guess(&self, guess: &Guess) -> Result<Told> {
        let nothing = |services| Told { services, source: Source::Guess, provider: None };
        let host = self.person.fill(&guess.host);
        let Some(place) = Place::server(&host, guess.port, Security::Tls) else {
            return Ok(nothing(Vec::new()));
        };
        let trust = self.world.trust.clone();
        let server = Server { host, port: guess.port, security: Security::Tls, trust };
        let stream = server.secure(server.connect().await?).await?;
        let greeting = Lines::new(stream, GREETING_LIMIT).line(GREETING_MAX).await?;
        let is_right = match guess.protocol {
            Protocol::Imap => greeting.starts_with("* OK"),
            Protocol::Pop3 => greeting.starts_with("+OK"),
            Protocol::Submission => greeting.starts_with("220"),
            Protocol::CardDav | Protocol::CalDav => false,
        };
        Ok(nothing(if is_right { vec![service(guess.protocol, place)] } else { Vec::new() }))
    }

    /// Asks, and follows where it leads, never to anything less safe. Also where it ended.
    async fn get(&self, start: Url, method: Method) -> Result<(StatusCode, bytes::Bytes, Url)> {
        let mut url = start;
        for _ in 0..=REDIRECTS_MAX {
            let mut request = Request::new(method.clone(), url.clone());
            if method != Method::GET {
                request
                    .headers_mut()
                    .insert("Depth", reqwest::header::HeaderValue::from_static("0"));
            }
            let answer = self.http.send(request).await?;
            if !answer.status.is_redirection() {
                return Ok((answer.status, answer.body, url));
            }
            let to = answer.headers.get(LOCATION).and_then(|to| to.to_str().ok());
            url = to.and_then(|to| leads(&url, to)).ok_or_else(|| {
                let host = url.host_str().unwrap_or_default();
                let message = format!("{host} leads to a place that is not safe");
                Error::new(ErrorKind::Unsupported, message)
            })?;
        }
        Err(Error::new(ErrorKind::Unsupported, "it leads from place to place"))
    }
}

/// Registered names (RFC 6186 §3, RFC 8314 §5.1, RFC 6764 §3).
const SERVICES: [(&str, Protocol, Security); 7] = [
    ("_imaps", Protocol::Imap, Security::Tls),
    ("_imap", Protocol::Imap, Security::StartTls),
    ("_pop3s", Protocol::Pop3, Security::Tls),
    ("_submissions", Protocol::Submission, Security::Tls),
    ("_submission", Protocol::Submission, Security::StartTls),
    ("_caldavs", Protocol::CalDav, Security::Tls),
    ("_carddavs", Protocol::CardDav, Security::Tls),
];

fn ask<'a>(what: String, asking: impl Future<Output = Result<Told>> + Send + 'a) -> Question<'a> {
    Question { what, asking: asking.boxed() }
}

fn service(protocol: Protocol, place: Place) -> Service {
    Service { protocol, place, user: None, oauth: false, oauth_only: false }
}

/// Where a redirect leads: `None` where it is less safe than where it comes from.
fn leads(from: &Url, to: &str) -> Option<Url> {
    let to = from.join(to).ok()?;
    http::server_url(to.as_str()).ok()?;
    (from.scheme() == "http" || to.scheme() == "https").then_some(to)
}

/// `a.b.example.org` is listed as itself, or below one of its parents.
fn parents(host: &str) -> impl Iterator<Item = &str> {
    let parents =
        std::iter::successors(Some(host), |name| name.split_once('.').map(|(_, rest)| rest));
    let mut all: Vec<&str> = parents.skip(1).filter(|name| name.contains('.')).collect();
    // The shortest ones are the likeliest.
    all.reverse();
    all.truncate(LISTED_MAX);
    all.into_iter()
}

fn answered(status: StatusCode) -> Error {
    Error::new(ErrorKind::Unreachable, format!("it answered {status}"))
}
