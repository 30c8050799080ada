//! A world of one machine: a name server, web servers that say what they are told to, and servers that greet.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::connector::dns::scripted::{MX, SRV, mx, serve, srv};

const IMAP: &str = "<clientConfig><emailProvider><incomingServer type='imap'><hostname>imap.HOST</hostname>\
    <port>993</port><socketType>SSL</socketType><username>%EMAILADDRESS%</username>\
    </incomingServer></emailProvider></clientConfig>";

/// A web server: `answer` makes the whole answer of the head of a request. Its address, and what it heard.
async fn web(
    answer: impl Fn(&str) -> String + Send + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            let mut byte = [0; 1];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.unwrap_or(0) > 0 {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            noted.lock().unwrap().push(head.clone());
            drop(stream.write_all(answer(&head).as_bytes()).await);
        }
    });
    (url, requests)
}

fn page(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn status(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn world(url: &str, name_server: SocketAddr) -> World {
    World {
        name_server: Some(name_server),
        descriptions: vec![(format!("{url}/own/config-v1.1.xml"), true)],
        dns: true,
        list: Some(format!("{url}/list/%EMAILDOMAIN%")),
        well_known: Some(url.to_owned()),
        guesses: Vec::new(),
        trust: Trust::Platform,
        limit: Duration::from_secs(10),
    }
}

fn hosts(found: &Found, protocol: Protocol) -> Vec<(&str, Source, bool)> {
    found.of(protocol).map(|one| (one.service.place.host(), one.source, one.proven)).collect()
}

#[tokio::test]
async fn who_is_believed_comes_first_and_only_the_domain_hears_the_address() {
    let (url, heard) = web(|head| {
        if head.starts_with("GET /own/") {
            page(&IMAP.replace("HOST", "%EMAILDOMAIN%"))
        } else if head.starts_with("GET /list/example.org") {
            page(&IMAP.replace("HOST", "list.example"))
        } else if head.contains("/.well-known/caldav") {
            status("301 Moved\r\nLocation: /dav/")
        } else if head.starts_with("PROPFIND /dav/") {
            status("401 Unauthorized")
        } else {
            status("404 Not Found")
        }
    })
    .await;
    let names = serve([
        (
            "_imaps._tcp.example.org",
            SRV,
            vec![srv(0, 993, "imap.example.org"), srv(1, 993, "evil.example")],
        ),
        ("_submissions._tcp.example.org", SRV, vec![srv(0, 465, "smtp.example.org")]),
    ])
    .await;
    let found = discover("Anna@Example.org", &world(&url, names)).await.unwrap();
    assert_eq!(
        hosts(&found, Protocol::Imap),
        [
            ("imap.example.org", Source::Domain, true),
            ("imap.list.example", Source::List, true),
            ("evil.example", Source::Dns, false),
        ]
    );
    assert_eq!(hosts(&found, Protocol::Submission), [("smtp.example.org", Source::Dns, true)]);
    let calendars: Vec<String> =
        found.of(Protocol::CalDav).map(|one| one.service.place.to_string()).collect();
    assert_eq!(calendars, [format!("{url}/dav/")]);
    assert_eq!(hosts(&found, Protocol::CardDav), []);
    assert!(found.asked.iter().all(|asked| asked.told.is_ok()), "{:#?}", found.asked);
    let heard = heard.lock().unwrap().join("");
    assert_eq!(heard.matches("emailaddress=Anna%40example.org").count(), 1, "{heard}");
    assert_eq!(heard.to_lowercase().matches("anna").count(), 1, "{heard}");
    assert!(!heard.to_lowercase().contains("authorization"));
}

#[tokio::test]
async fn a_provider_is_known_by_who_takes_the_mail() {
    let (url, _) = web(|head| {
        if head.starts_with("GET /list/hoster.example ") {
            page(&IMAP.replace("HOST", "hoster.example"))
        } else {
            status("404 Not Found")
        }
    })
    .await;
    let names = serve([
        ("contoso.example", MX, vec![mx(0, "contoso-example.mail.protection.outlook.com")]),
        ("small.example", MX, vec![mx(0, "mx1.in.hoster.example")]),
    ])
    .await;
    let world = world(&url, names);
    let found = discover("anna@contoso.example", &world).await.unwrap();
    assert_eq!(found.provider.map(|provider| provider.name), Some("Microsoft 365"));
    assert_eq!(hosts(&found, Protocol::Imap), [("outlook.office365.com", Source::MailHost, true)]);
    assert!(found.of(Protocol::Imap).all(|one| one.service.oauth_only));
    let found = discover("anna@small.example", &world).await.unwrap();
    assert_eq!(hosts(&found, Protocol::Imap), [("imap.hoster.example", Source::MailHost, true)]);
}

#[tokio::test]
async fn what_fails_is_told_with_its_reason_and_stops_nothing() {
    let (url, _) = web(|head| {
        if head.starts_with("GET /own/") {
            status("302 Found\r\nLocation: http://plain.example/")
        } else if head.starts_with("GET /list/") {
            page("<html>")
        } else if head.contains("carddav") {
            status("302 Found\r\nLocation: /.well-known/carddav")
        } else {
            format!("HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n{}", "x".repeat(400_000))
        }
    })
    .await;
    let found = discover("anna@example.org", &world(&url, serve([]).await)).await.unwrap();
    assert_eq!(found.candidates, []);
    let failed: Vec<&Asked> = found.asked.iter().filter(|asked| asked.told.is_err()).collect();
    let reason = |part: &str| {
        let asked = failed.iter().find(|asked| asked.what.contains(part));
        asked
            .unwrap_or_else(|| panic!("{part}: {failed:#?}"))
            .told
            .as_ref()
            .unwrap_err()
            .message
            .clone()
    };
    assert!(reason("/own/").contains("not safe"));
    assert!(reason("/list/").contains("cannot be used"));
    assert!(reason("carddav").contains("from place to place"));
    assert!(reason("/caldav").contains("larger than"));
}

#[tokio::test]
async fn the_deadline_ends_what_is_silent_and_keeps_what_came() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    let (url, _) = web(|_| page(&IMAP.replace("HOST", "example.org"))).await;
    let mut world = world(&silent, serve([]).await);
    world.descriptions = vec![(format!("{url}/own"), false)];
    world.limit = Duration::from_secs(1);
    let found = discover("anna@example.org", &world).await.unwrap();
    assert_eq!(hosts(&found, Protocol::Imap), [("imap.example.org", Source::Domain, true)]);
    let late = found.asked.iter().filter_map(|asked| asked.told.as_ref().err());
    assert_eq!(late.filter(|error| error.message == "no answer within 1 s").count(), 3);
}

#[tokio::test]
async fn a_guess_counts_when_the_server_greets_with_a_good_certificate() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(tcp).await else { continue };
            drop(stream.write_all(b"* OK ready\r\n").await);
            drop(stream.shutdown().await);
        }
    });
    let (url, _) = web(|_| status("404 Not Found")).await;
    let mut world = world(&url, serve([]).await);
    let guess = |protocol| Guess { protocol, host: "localhost".to_owned(), port };
    world.guesses = vec![guess(Protocol::Imap)];
    let found = discover("anna@example.org", &world).await.unwrap();
    assert_eq!(found.candidates, [], "nobody trusts this certificate");
    world.trust = Trust::Authority(authority);
    let found = discover("anna@example.org", &world).await.unwrap();
    assert_eq!(hosts(&found, Protocol::Imap), [("localhost", Source::Guess, true)]);
    world.guesses = vec![guess(Protocol::Submission)];
    let found = discover("anna@example.org", &world).await.unwrap();
    assert_eq!(found.candidates, [], "it greets as something else");
}

#[test]
fn an_address_has_a_domain_that_can_be_asked() {
    assert_eq!(
        Person::parse(" Anna@B\u{fc}cher.example ").unwrap().domain(),
        "xn--bcher-kva.example"
    );
    for bad in ["", "anna", "anna@", "@example.org", "anna@a b", "anna@ex/ample.org", "anna@[::1]"]
    {
        assert!(Person::parse(bad).is_err(), "{bad}");
    }
}
