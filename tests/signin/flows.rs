//! By browser and by code; yes and no; one sign-in for mailbox and organisation; and who is not listened to meanwhile.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use liaison::connector::net::Security;
use reqwest::Url;

use super::desktop::{Desktop, oauth};
use crate::support::servers::dovecot::{self, Dovecot};
use crate::support::servers::postfix::{Delivery, Postfix};
use crate::support::servers::provider::{Provider, visit};

/// A Dovecot that asks the provider whose a token is.
pub fn asking(provider: &Provider) -> Dovecot {
    let introspection = Some(&*provider.introspection().leak());
    Dovecot::start(dovecot::Options { introspection, ..dovecot::Options::default() })
}

/// A mailbox there, beside the organisation.
fn office() -> (Desktop, Dovecot) {
    let mut dovecot = None;
    let desktop = Desktop::open(3600, |provider| {
        let server = asking(provider);
        let text = format!(
            "\n[mailbox.email]\nkind = \"imap\"\nhost = \"localhost\"\nport = {}\nca = '{}'\nuser = \"anna\"\n\
             oauth = {{ {}, scopes = [\"imap\"] }}\n",
            server.imaps,
            server.authority.display(),
            oauth(provider),
        );
        dovecot = Some(server);
        text
    });
    (desktop, dovecot.unwrap())
}

#[test]
fn one_sign_in_serves_mailbox_and_organisation_until_it_is_ended() {
    let (desktop, dovecot) = office();
    let (before, exit) = desktop.status();
    assert_eq!((before[0]["state"].as_str(), exit), (Some("signed-out"), 6), "{before}");
    desktop.run(&["doctor"]).ends(6).says("liaison auth login");

    let waiting = desktop.begin(&["--no-browser"]);
    assert!(waiting.address.contains("code_challenge_method=S256"), "{}", waiting.address);
    let page = visit(&waiting.address, "anna", true);
    assert!(page.contains("You are signed in"), "{page}");
    waiting.ends(0).says("test and email");

    let (after, exit) = desktop.status();
    assert_eq!((after[0]["state"].as_str(), exit), (Some("ok"), 0), "{after}");
    assert_eq!(after.as_array().map(Vec::len), Some(1), "{after}");
    desktop.run(&["doctor", "crm"]).ends(0);
    desktop.run(&["doctor", "email"]).ends(0).says("signed in");
    assert!(dovecot.log().to_uppercase().contains("OAUTHBEARER"), "{}", dovecot.log());
    // Nothing needs a sign-in now, so nobody is asked.
    desktop.run(&["auth", "login"]).ends(0).says("Nothing needs a sign-in");

    desktop.run(&["auth", "logout", "--yes"]).ends(0).says("signed out");
    desktop.run(&["doctor", "email"]).ends(6).says("liaison auth login");
    desktop.run(&["doctor", "crm"]).ends(6);
    assert_eq!(desktop.status().1, 6);
}

#[test]
fn post_office_and_submission_take_the_same_sign_in() {
    let mut servers = None;
    let desktop = Desktop::open(3600, |provider| {
        let server = asking(provider);
        let submission = Postfix::start(&server, Delivery::Dovecot);
        let text = format!(
            "\n[mailbox.email]\nkind = \"pop3\"\nhost = \"localhost\"\nport = {}\nca = '{}'\nuser = \"anna\"\n\
             oauth = {{ {}, scopes = [\"imap\", \"smtp\"] }}\n\
             \n[mailbox.submission]\nhost = \"localhost\"\nport = {}\nsecurity = \"starttls\"\nca = '{}'\n",
            server.pop3s,
            server.authority.display(),
            oauth(provider),
            submission.smtp(Security::StartTls).port,
            submission.authority.display(),
        );
        servers = Some((server, submission));
        text
    });
    desktop.sign_in();
    desktop.run(&["doctor", "email"]).ends(0).says("signed in as anna");
    desktop.run(&["doctor", "submission"]).ends(0).says("signed in as anna");
    drop(servers);
}

#[test]
fn a_code_can_be_typed_in_elsewhere() {
    let desktop = Desktop::with_contacts(3600);
    let waiting = desktop.begin(&["--device"]);
    let page = visit(&waiting.address, "anna", true);
    assert!(page.contains("Sign-in Success") || page.contains("signed in"), "{page}");
    waiting.ends(0).says("signed in as anna");
    desktop.run(&["doctor", "crm"]).ends(0);

    let again = desktop.begin(&["test", "--device"]);
    visit(&again.address, "anna", false);
    again.ends(6).says("denied");
    // The sign-in of before is still good.
    desktop.run(&["doctor", "crm"]).ends(0);
}

#[test]
fn whoever_else_comes_by_does_not_end_the_wait() {
    let desktop = Desktop::with_contacts(3600);
    let waiting = desktop.begin(&["--no-browser"]);
    let url = Url::parse(&waiting.address).unwrap();
    let sent = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let (redirect, state) = (Url::parse(&sent("redirect_uri")).unwrap(), sent("state"));
    let port = redirect.port().unwrap();
    let ask = |request: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // It hangs up on what is too long, perhaps before all of it was sent.
        stream.write_all(request.as_bytes()).unwrap_or_default();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap_or_default();
        answer
    };
    let issuer = desktop.provider.issuer();
    for target in [
        "/favicon.ico".to_owned(),
        "/callback?code=stolen&state=other".to_owned(),
        "/callback?error=access_denied&state=other".to_owned(),
        format!("/callback?code=x&state={state}"),
        format!("/callback?code=x&state={state}&iss=https://elsewhere.example"),
        format!("/callback?state={state}&iss={issuer}"),
    ] {
        let answer = ask(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 404"), "{target}: {answer}");
        assert!(!answer.contains("stolen"), "{answer}");
    }
    for hostile in ["\r\n\r\n", "POST /callback HTTP/1.1\r\n\r\n", &"x".repeat(100_000)] {
        ask(hostile);
    }
    // One that says nothing at all holds nobody up.
    let _silent = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let page = visit(&waiting.address, "anna", true);
    assert!(page.contains("You are signed in"), "{page}");
    waiting.ends(0);

    let denied = desktop.begin(&["test", "--no-browser"]);
    let page = visit(&denied.address, "anna", false);
    assert!(page.contains("did not succeed"), "{page}");
    denied.ends(6).says("denied");
}
