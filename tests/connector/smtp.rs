//! Submission against a real server with faults: what it took and what we say it took, at every point where a line can break.

use liaison::clock::Clock;
use liaison::connector::ErrorKind;
use liaison::connector::auth::Account;
use liaison::connector::finding::{Finding, Grade, Topic};
use liaison::connector::net::Security;
use liaison::connector::smtp::{self, Outcome, Phase, Smtp, Submission};
use liaison::model::Address;

use crate::support::servers::dovecot::{self, Dovecot};
use crate::support::servers::postfix::{Delivery, Postfix};
use crate::support::servers::process::eventually;
use crate::support::servers::proxy::{Proxy, Script};
use crate::support::servers::sink::{self, Sink};
use crate::support::servers::{account, stranger};

fn smtp(sink: &Sink, security: Security, account: Account) -> Smtp {
    Smtp::new(smtp::Options { server: sink.smtp(security), account: Some(account) })
}

fn submission(to: &[&str], message: &[u8]) -> Submission {
    Submission {
        from: Address::parse("anna@example.test").unwrap(),
        to: to.iter().map(|to| Address::parse(to).unwrap()).collect(),
        message: message.into(),
        partial: false,
    }
}

fn letter(name: &str) -> Vec<u8> {
    let long = "x".repeat(998);
    format!(
        "Message-ID: <{name}@example.test>\r\nTo: <bob@example.test>\r\n\r\n.\r\n..\r\n.x\r\n\r\nhöhö\r\n{long}\r\n.\r\n"
    )
    .into_bytes()
}

/// What the sink took, without the envelope that it wrote above.
fn content(taken: &[u8]) -> (&str, &[u8]) {
    let at = taken.windows(2).enumerate().filter(|(_, two)| two == b"\r\n").nth(1).unwrap().0 + 2;
    (std::str::from_utf8(&taken[..at]).unwrap(), &taken[at..])
}

#[tokio::test]
async fn the_message_arrives_as_it_is_by_every_way_in() {
    let sink = Sink::start(sink::Options { slow: 1, ..sink::Options::default() });
    for (number, security) in
        [Security::Tls, Security::StartTls, Security::None].into_iter().enumerate()
    {
        let smtp = smtp(&sink, security, account("anna"));
        let bytes = letter("one");
        let to = ["bob@example.test", "slow@example.test", "hidden@b\u{fc}cher.example"];
        let outcome = smtp.submit(&submission(&to, &bytes)).await;
        let Outcome::Sent { refused, reply } = outcome else { panic!("{outcome:?}") };
        assert_eq!((refused.len(), reply.code), (0, 250));
        assert!(reply.text.ends_with(&format!("taken as {:06}", number + 1)), "{reply}");
        let taken = sink.taken();
        let (envelope, content) = content(&taken[number]);
        assert_eq!(content, bytes);
        assert_eq!(
            envelope,
            "X-Envelope-From: anna@example.test\r\nX-Envelope-To: \
             bob@example.test,slow@example.test,hidden@xn--bcher-kva.example\r\n"
        );
    }
    let smtp = smtp(&sink, Security::Tls, account("anna"));
    let large = [letter("large"), b"line\r\n".repeat(2 << 20)].concat();
    let outcome = smtp.submit(&submission(&["bob@example.test"], &large)).await;
    assert!(matches!(outcome, Outcome::Sent { .. }), "{outcome:?}");
    assert_eq!(content(&sink.taken()[3]).1, large);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_not_a_refusal_and_a_refusal_is_not_sent() {
    let sink = Sink::start(sink::Options::default());
    let smtp = smtp(&sink, Security::Tls, account("anna"));
    let outcome = smtp.submit(&submission(&["drop@example.test"], &letter("drop"))).await;
    assert!(matches!(outcome, Outcome::Unknown { phase: Phase::End, .. }), "{outcome:?}");
    assert_eq!(sink.await_taken(1).len(), 1);
    for (name, is_permanent) in [("temp@example.test", false), ("perm@example.test", true)] {
        let both = submission(&["bob@example.test", name], &letter(name));
        let outcome = smtp.submit(&both).await;
        let Outcome::Refused { phase, permanent, recipients, .. } = outcome else { panic!() };
        assert_eq!((phase, permanent, recipients.len()), (Phase::Recipients, is_permanent, 1));
        assert_eq!(sink.taken().len(), 1);
        let alone = Submission { partial: true, ..submission(&[name], &letter(name)) };
        assert!(matches!(smtp.submit(&alone).await, Outcome::Refused { .. }));
        assert_eq!(sink.taken().len(), 1);
    }
    let partial = Submission {
        partial: true,
        ..submission(&["perm@example.test", "bob@example.test"], &letter("partial"))
    };
    let Outcome::Sent { refused, .. } = smtp.submit(&partial).await else { panic!() };
    assert_eq!(refused[0].0, Address::parse("perm@example.test").unwrap());
    assert!(
        sink.taken()[1].starts_with(
            b"X-Envelope-From: anna@example.test\r\nX-Envelope-To: bob@example.test\r\n"
        )
    );
    let blind = [b"Bcc: hidden@example.test\r\n".to_vec(), letter("blind")].concat();
    let outcome = smtp.submit(&submission(&["bob@example.test"], &blind)).await;
    assert!(matches!(outcome, Outcome::Refused { phase: Phase::Check, permanent: true, .. }));
    assert_eq!(sink.taken().len(), 2);
}

#[tokio::test]
async fn wherever_the_line_breaks_nothing_is_told_that_is_not_so() {
    let sink = Sink::start(sink::Options { auth: false, ..sink::Options::default() });
    let proxy = Proxy::start(sink.smtp, Script::default());
    let mut server = sink.smtp(Security::None);
    server.port = proxy.port;
    let smtp = Smtp::new(smtp::Options { server, account: None });
    let whole = smtp.submit(&submission(&["bob@example.test"], &letter("whole"))).await;
    assert!(matches!(whole, Outcome::Sent { .. }), "{whole:?}");
    let counted = proxy.counted();
    let mut outcomes = Vec::new();
    let sent = (0..=counted.sent).filter(|at| at % 29 == 0 || counted.sent - at < 16);
    let sent = sent.map(|at| Script { cut_sent: Some(at), ..Script::default() });
    let received = (0..=counted.received).filter(|at| at % 13 == 0 || counted.received - at < 45);
    let received = received.map(|at| Script { cut_received: Some(at), ..Script::default() });
    for (number, script) in sent.chain(received).enumerate() {
        proxy.script(script);
        let name = format!("<{number}@example.test>");
        let bytes = letter(&number.to_string());
        let outcome = smtp.submit(&submission(&["bob@example.test"], &bytes)).await;
        outcomes.push((name, outcome));
    }
    proxy.script(Script::default());
    smtp.submit(&submission(&["bob@example.test"], &letter("last"))).await;
    let taken = sink.taken();
    let count = |name: &str| {
        let holds =
            |taken: &&Vec<u8>| taken.windows(name.len()).any(|part| part == name.as_bytes());
        taken.iter().filter(holds).count()
    };
    let mut told = [0; 3];
    for (name, outcome) in &outcomes {
        let kind = match outcome {
            Outcome::Sent { .. } => {
                assert_eq!(count(name), 1, "{name}");
                0
            }
            Outcome::Refused { permanent, .. } => {
                assert!(count(name) == 0 && !permanent, "{name}");
                1
            }
            Outcome::Unknown { .. } => {
                assert!(count(name) <= 1, "{name}");
                2
            }
        };
        told[kind] += 1;
    }
    assert!(told.iter().all(|count| *count > 0), "{told:?}");
}

#[tokio::test]
async fn nobody_else_may_send() {
    let sink = Sink::start(sink::Options::default());
    let one = || submission(&["bob@example.test"], &letter("one"));
    for security in [Security::Tls, Security::StartTls] {
        let outcome = smtp(&sink, security, stranger("anna")).submit(&one()).await;
        let Outcome::Refused { phase: Phase::SignIn, permanent: true, why, .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(why.kind, ErrorKind::Unauthorised);
        assert!(!format!("{why:?}").contains("wrong"), "{why:?}");
    }
    let unknown = Smtp::new(smtp::Options { server: sink.smtp(Security::Tls), account: None });
    let outcome = unknown.submit(&one()).await;
    let Outcome::Refused { phase: Phase::Sender, permanent: true, why, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(why.kind, ErrorKind::Unauthorised);
    let mut server = sink.smtp(Security::StartTls);
    server.trust = liaison::connector::tls::Trust::Platform;
    let account = Some(account("anna"));
    let untrusted = Smtp::new(smtp::Options { server, account });
    let Outcome::Refused { phase: Phase::Connect, why, .. } = untrusted.submit(&one()).await else {
        panic!()
    };
    assert!(why.hint.unwrap().contains("pin="));
    assert!(sink.taken().is_empty());
}

#[tokio::test]
async fn an_examination_says_how_it_stands_and_sends_nothing() {
    let sink = Sink::start(sink::Options::default());
    let examine = async |account| {
        let options = smtp::Options { server: sink.smtp(Security::StartTls), account };
        smtp::examine(&options, &Clock::system()).await
    };
    let topics = |findings: &[Finding]| -> Vec<(Topic, Grade)> {
        findings.iter().map(|finding| (finding.topic, finding.grade)).collect()
    };
    let good = examine(Some(account("anna"))).await;
    let expected = [Topic::Reachable, Topic::Certificate, Topic::Capabilities, Topic::SignIn];
    assert_eq!(topics(&good), expected.map(|topic| (topic, Grade::Good)), "{good:?}");
    let bad = examine(Some(stranger("anna"))).await;
    assert_eq!(topics(&bad).last(), Some(&(Topic::SignIn, Grade::Bad)));
    assert!(sink.taken().is_empty());
}

/// By a real submission server into a real mailbox: lines as long as they may be, full stops, bytes beyond ASCII.
#[tokio::test]
async fn what_postfix_hands_on_is_what_it_was_given() {
    let dovecot = Dovecot::start(dovecot::Options::default());
    let postfix = Postfix::start(&dovecot, Delivery::Dovecot);
    for (name, security) in [("tls", Security::Tls), ("starttls", Security::StartTls)] {
        let smtp = Smtp::new(smtp::Options {
            server: postfix.smtp(security),
            account: Some(account("anna")),
        });
        let head = b"From: <anna@example.test>\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n";
        let bytes = [head.to_vec(), letter(name)].concat();
        let outcome = smtp.submit(&submission(&["bob@example.test"], &bytes)).await;
        assert!(matches!(outcome, Outcome::Sent { .. }), "{outcome:?} {}", postfix.log());
        let bob = dovecot.elsewhere("bob");
        let word = format!("<{name}@example.test>");
        let arrived = || {
            let bodies = bob.bodies("INBOX");
            let holds =
                |body: &Vec<u8>| body.windows(word.len()).any(|part| part == word.as_bytes());
            bodies.into_iter().find(holds)
        };
        eventually("bob has it", || arrived().is_some());
        let arrived = arrived().unwrap();
        // Servers write above it who handed it on.
        assert!(arrived.ends_with(&bytes), "{}", String::from_utf8_lossy(&arrived));
    }
}
