//! What a person wants to know of a submission server before relying on it. Signs in and leaves; no message is sent.

use super::Options;
use super::dialogue::Dialogue;
use crate::clock::Clock;
use crate::connector::finding::{Finding, Grade, Topic};
use crate::connector::net::{Security, Server};

pub(super) async fn examine(options: &Options, clock: &Clock) -> Vec<Finding> {
    let server = &options.server;
    let started = clock.monotonic();
    let mut dialogue = match Dialogue::open(server).await {
        Ok(dialogue) => dialogue,
        Err(failure) => return vec![Finding::unreached(&failure.error)],
    };
    let took = clock.monotonic().saturating_sub(started).as_millis();
    let mut findings = vec![
        Finding::new(Topic::Reachable, Grade::Good, format!("{server} answered in {took} ms")),
        protection(server),
        capabilities(&dialogue),
    ];
    findings.push(sign_in(options, &mut dialogue).await);
    dialogue.quit().await;
    findings
}

fn protection(server: &Server) -> Finding {
    match server.security {
        Security::Tls => Finding::protected("TLS", &server.trust),
        Security::StartTls => Finding::protected("TLS, begun with STARTTLS", &server.trust),
        Security::None => Finding::unprotected(),
    }
}

fn capabilities(dialogue: &Dialogue) -> Finding {
    let known = dialogue.extensions();
    let takes = match dialogue.size_limit() {
        Some(limit) => format!("messages of up to {} MiB", limit >> 20),
        None => "messages of no stated size".to_owned(),
    };
    let missing: Vec<&str> = [
        ("8BITMIME", "bytes beyond ASCII (8BITMIME)"),
        ("SMTPUTF8", "addresses beyond ASCII (SMTPUTF8)"),
    ]
    .into_iter()
    .filter(|(name, _)| !known.contains_key(*name))
    .map(|(_, what)| what)
    .collect();
    if missing.is_empty() {
        return Finding::new(Topic::Capabilities, Grade::Good, format!("takes {takes}"));
    }
    let says = format!("takes {takes}, but no {}", missing.join(", no "));
    Finding::new(Topic::Capabilities, Grade::Limited, says)
}

async fn sign_in(options: &Options, dialogue: &mut Dialogue) -> Finding {
    let Some(account) = &options.account else {
        return Finding::new(Topic::SignIn, Grade::Good, "nobody signs in, as configured");
    };
    let secret = match account.secret.secret().await {
        Ok(secret) => secret,
        Err(error) => return Finding::failed(Topic::SignIn, &error),
    };
    match dialogue.sign_in(&options.server, account, &secret).await {
        Ok(()) => {
            Finding::new(Topic::SignIn, Grade::Good, format!("signed in as {}", account.user))
        }
        Err(failure) => Finding::failed(Topic::SignIn, &failure.error),
    }
}
