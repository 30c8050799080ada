//! What a person wants to know of an IMAP server before relying on it. Only looks; nothing is marked, filed or deleted.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::capability::{Capabilities, Strategy};
use super::folder::{self, INBOX, Tree};
use super::response::Response;
use super::session::Session;
use super::token::Token;
use super::{Options, name, sign_in};
use crate::clock::Clock;
use crate::connector::finding::{Finding, Grade, Topic};
use crate::connector::net::{Security, Server};

/// The keyword that people track messages with.
const TRACKED: &str = "$CrmTracked";

pub(super) async fn examine(options: &Options, clock: &Clock) -> Vec<Finding> {
    let server = &options.server;
    let started = clock.monotonic();
    let stream = match server.connect().await {
        Ok(stream) => stream,
        Err(error) => return vec![Finding::unreached(&error)],
    };
    let took = clock.monotonic().saturating_sub(started).as_millis();
    let reached =
        Finding::new(Topic::Reachable, Grade::Good, format!("{server} answered in {took} ms"));
    let greeted = match sign_in::greet(options, stream).await {
        Ok(greeted) => greeted,
        Err(error) => return vec![reached, Finding::failed(Topic::Certificate, &error)],
    };
    let mut findings = vec![reached, protection(server)];
    let mut session = match sign_in::sign_in(options, greeted, &Arc::new(AtomicU64::new(0))).await {
        Ok(session) => session,
        Err(error) => {
            findings.push(Finding::failed(Topic::SignIn, &error));
            return findings;
        }
    };
    let user = &options.account.user;
    findings.push(Finding::new(Topic::SignIn, Grade::Good, format!("signed in as {user}")));
    findings.push(can_do(&session.capabilities));
    match folder::list(&mut session, options, std::iter::empty()).await {
        Ok(tree) => {
            findings.push(folders(&tree, options, session.capabilities.strategy()));
            findings.push(strategy(&tree, &session.capabilities));
        }
        Err(error) => findings.push(Finding::failed(Topic::Strategy, &error)),
    }
    findings.append(&mut rights(&mut session).await);
    findings.append(&mut lacks(&session.capabilities));
    session.log_out().await;
    findings
}

fn protection(server: &Server) -> Finding {
    match server.security {
        Security::Tls => Finding::protected("TLS", &server.trust),
        Security::StartTls => Finding::protected("TLS, begun with STARTTLS", &server.trust),
        Security::None => Finding::unprotected(),
    }
}

fn can_do(capabilities: &Capabilities) -> Finding {
    const TELLING: [(&str, &str); 7] = [
        ("IDLE", "say when something comes"),
        ("UIDPLUS", "remove a single message"),
        ("QRESYNC", "say what changed since"),
        ("CONDSTORE", "number its changes"),
        ("LIST-STATUS", "tell how all folders stand at once"),
        ("SPECIAL-USE", "say what its folders are for"),
        ("COMPRESS=DEFLATE", "compress"),
    ];
    let can: Vec<&str> =
        TELLING.iter().filter(|(name, _)| capabilities.has(name)).map(|(_, says)| *says).collect();
    let says = if can.is_empty() {
        "the server can do what every IMAP server can, and no more".to_owned()
    } else {
        format!("the server can {}", can.join(", "))
    };
    Finding::new(Topic::Capabilities, Grade::Good, says)
}

fn folders(tree: &Tree, options: &Options, strategy: Strategy) -> Finding {
    let looked_at = tree.looked_at(options, strategy);
    let messages: u64 = looked_at
        .iter()
        .filter_map(|folder| folder.state)
        .map(|state| u64::from(state.messages))
        .sum();
    let says = format!(
        "{messages} messages can be read, in {} of {} folders; drafts, junk and deleted mail stay out",
        looked_at.len(),
        tree.folders.len()
    );
    match (&tree.doubt, looked_at.len()) {
        (Some(doubt), _) => Finding::new(Topic::Rights, Grade::Limited, format!("{says}; {doubt}")),
        (None, 0) => Finding {
            hint: Some("check `leave_out` and `only`".to_owned()),
            ..Finding::new(Topic::Rights, Grade::Bad, "no folder is looked at")
        },
        (None, _) => Finding::new(Topic::Rights, Grade::Good, says),
    }
}

fn strategy(tree: &Tree, capabilities: &Capabilities) -> Finding {
    let good = |says: &str| Finding::new(Topic::Strategy, Grade::Good, says);
    let limited = |says: &str| Finding::new(Topic::Strategy, Grade::Limited, says);
    match capabilities.strategy() {
        Strategy::QuickResync => good("the server tells what changed and what is gone (QRESYNC)"),
        Strategy::ModSeq => good(
            "the server tells what changed (CONDSTORE); what is gone is found by comparing lists",
        ),
        Strategy::Flags => limited(
            "the server numbers no changes: a folder is listed whole when something changed in it, and each time if its \
             messages have keywords",
        ),
        Strategy::Gmail if tree.everything().is_some() => {
            good("Gmail: all messages are looked at in All Mail, and labels stand for folders")
        }
        Strategy::Gmail => Finding {
            hint: Some("let IMAP show All Mail, in the settings of labels".to_owned()),
            ..limited(
                "Gmail hides All Mail: a message with several labels is looked at several times",
            )
        },
    }
}

async fn rights(session: &mut Session) -> Vec<Finding> {
    let opened = match session.open(INBOX, true).await {
        Ok(opened) => opened,
        Err(error) => return vec![Finding::failed(Topic::Rights, &error)],
    };
    let mut findings = Vec::new();
    if !opened.writable {
        findings.push(Finding::new(
            Topic::Rights,
            Grade::Limited,
            "the inbox can only be read: nothing is marked, filed or removed",
        ));
    } else if opened.keeps(TRACKED) {
        let says = format!("messages can be marked, also with the keyword {TRACKED}");
        findings.push(Finding::new(Topic::Rights, Grade::Good, says));
    } else {
        findings.push(Finding {
            hint: Some("track messages by rules or from the command line instead".to_owned()),
            ..Finding::new(
                Topic::Rights,
                Grade::Limited,
                format!("the server keeps no keywords of its users: {TRACKED} has no effect"),
            )
        });
    }
    if let Some(may) = may_file(session).await {
        findings.push(if may {
            Finding::new(Topic::Rights, Grade::Good, "messages can be filed in the inbox")
        } else {
            Finding::new(Topic::Rights, Grade::Limited, "messages cannot be filed in the inbox")
        });
    }
    findings
}

/// Whether the user may put messages into the inbox, where the server tells (RFC 4314 §3.5).
async fn may_file(session: &mut Session) -> Option<bool> {
    if !session.capabilities.has("ACL") {
        return None;
    }
    let mut rights = None;
    let command = format!("MYRIGHTS {}", name::folder(INBOX));
    let hear = |response: Response| {
        if let Response::Data { name, rest } = &response
            && name == "MYRIGHTS"
        {
            rights = rest.get(1).and_then(Token::text).map(|rights| rights.contains('i'));
        }
    };
    session.run(&command, "ask for rights", hear).await.ok()?;
    rights
}

fn lacks(capabilities: &Capabilities) -> Vec<Finding> {
    const WANTED: [(&str, &str); 3] = [
        ("IDLE", "the server does not say when something comes: it is asked every two minutes"),
        ("UIDPLUS", "the server cannot remove a single message: nothing is removed from it"),
        (
            "LIST-STATUS",
            "the server tells how folders stand one by one: a quiet round takes more requests",
        ),
    ];
    WANTED
        .iter()
        .filter(|(name, _)| !capabilities.has(name))
        .map(|(_, says)| Finding::new(Topic::Feature, Grade::Limited, *says))
        .collect()
}
