//! What a person wants to know of a POP3 server before relying on it. Only looks; nothing is read, marked or deleted.

use super::session::Session;
use super::{Options, names};
use crate::clock::Clock;
use crate::connector::finding::{Finding, Grade, Topic};
use crate::connector::net::{Security, Server};

pub(super) async fn examine(options: &Options, clock: &Clock) -> Vec<Finding> {
    let server = &options.server;
    let started = clock.monotonic();
    let mut session = match Session::connect(server).await {
        Ok(session) => session,
        Err(error) => return vec![Finding::unreached(&error)],
    };
    let took = clock.monotonic().saturating_sub(started).as_millis();
    let mut findings = vec![
        Finding::new(Topic::Reachable, Grade::Good, format!("{server} answered in {took} ms")),
        protection(server),
        capabilities(&session),
    ];
    let secret = match options.account.secret.secret().await {
        Ok(secret) => secret,
        Err(error) => {
            findings.push(Finding::failed(Topic::SignIn, &error));
            return findings;
        }
    };
    if let Err(error) = session.sign_in(server, &options.account, &secret).await {
        findings.push(Finding::failed(Topic::SignIn, &error));
        return findings;
    }
    let user = &options.account.user;
    findings.push(Finding::new(Topic::SignIn, Grade::Good, format!("signed in as {user}")));
    findings.push(strategy(&mut session).await);
    findings.push(Finding {
        hint: Some("with kind = \"imap\" folders, marks and sent mail take part, too".to_owned()),
        ..Finding::new(
            Topic::Feature,
            Grade::Limited,
            "POP3 can only be received from: no folders, no marks, no sent mail, no word when something comes",
        )
    });
    session.quit().await;
    findings
}

fn protection(server: &Server) -> Finding {
    match server.security {
        Security::Tls => Finding::protected("TLS", &server.trust),
        Security::StartTls => Finding::protected("TLS, begun with STLS", &server.trust),
        Security::None => Finding::unprotected(),
    }
}

fn capabilities(session: &Session) -> Finding {
    const TELLING: [(&str, &str); 4] = [
        ("UIDL", "name each message for good"),
        ("TOP", "show the head of a message alone"),
        ("PIPELINING", "take several commands at once"),
        ("RESP-CODES", "say why it refuses"),
    ];
    let known = session.capabilities();
    let named: Vec<&str> = known.names().collect();
    if named.is_empty() {
        return Finding::new(
            Topic::Capabilities,
            Grade::Limited,
            "the server does not say what it can do (CAPA); it is tried out",
        );
    }
    let can: Vec<&str> = TELLING
        .iter()
        .filter(|(name, _)| known.has(name) == Some(true))
        .map(|(_, says)| *says)
        .collect();
    let says = if can.is_empty() {
        "the server can do what every POP3 server can, and no more".to_owned()
    } else {
        format!("the server can {}", can.join(", "))
    };
    if known.has("TOP") == Some(false) {
        let says = format!("{says}; without TOP every message is read whole to see its head");
        return Finding::new(Topic::Capabilities, Grade::Limited, says);
    }
    Finding::new(Topic::Capabilities, Grade::Good, says)
}

async fn strategy(session: &mut Session) -> Finding {
    let uidl = match session.uidl().await {
        Ok(uidl) => uidl,
        Err(error) => return Finding::failed(Topic::Strategy, &error),
    };
    let repeated = names::repeated(&uidl).len();
    let says = format!("{} messages, told apart by the server's unique ids (UIDL)", uidl.len());
    if repeated > 0 {
        let says = format!(
            "{says}; {repeated} of them share theirs with others, and go by their Message-ID"
        );
        return Finding::new(Topic::Strategy, Grade::Limited, says);
    }
    Finding::new(Topic::Strategy, Grade::Good, says)
}
