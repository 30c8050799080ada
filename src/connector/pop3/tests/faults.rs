//! What breaks in the middle of reading: a message comes whole or not at all, and none seems to be gone.

use std::collections::BTreeSet;

use super::*;
use crate::connector::line::excess;

const LISTING: (&str, &str) = ("UIDL", "+OK\r\n1 a\r\n2 b\r\n.\r\n");
const ONE: &str = "A: 1\r\n\r\n.one\r\n";
const TWO: &str = "A: 2\r\n\r\n";

fn heads() -> Vec<Step> {
    let steps =
        [LISTING, ("TOP 1 0", "+OK\r\nA: 1\r\n\r\n.\r\n"), ("TOP 2 0", "+OK\r\nA: 2\r\n\r\n.\r\n")];
    script(&steps)
}

fn messages() -> Vec<Step> {
    let steps = [
        LISTING,
        ("LIST", "+OK\r\n1 9\r\n2 9\r\n.\r\n"),
        ("RETR 1", "+OK\r\nA: 1\r\n\r\n..one\r\n.\r\n"),
        ("RETR 2", "+OK\r\nA: 2\r\n\r\n.\r\n"),
    ];
    script(&steps)
}

/// By user name and password, on a server that names no capabilities.
fn by_password() -> Vec<Step> {
    [
        ("", "+OK\r\n"),
        ("CAPA", "-ERR what?\r\n"),
        ("USER anna", "+OK\r\n"),
        ("PASS secret", "+OK\r\n"),
        LISTING,
        ("TOP 1 0", "+OK\r\nA: 1\r\n\r\n.\r\n"),
        ("TOP 2 0", "+OK\r\nA: 2\r\n\r\n.\r\n"),
    ]
    .iter()
    .map(|(heard, said)| step(heard, said))
    .collect()
}

/// Whether everything was read; what was not is no more than unknown.
fn all_read(
    read: Result<BTreeMap<ItemId, Result<Document>>>,
    texts: [&str; 2],
    what: &str,
) -> bool {
    let Ok(read) = read else { return false };
    assert_eq!(read.len(), 2, "{what}");
    let mut all = true;
    for (name, text) in ["a", "b"].into_iter().zip(texts) {
        match &read[&id(name)] {
            Ok(_) => assert_eq!(bytes(&read[&id(name)]), text, "{what}"),
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Unreachable, "{what}: {error}");
                all = false;
            }
        }
    }
    all
}

#[tokio::test]
async fn a_connection_cut_anywhere_while_reading_gives_whole_messages_or_none() {
    let ids = [id("a"), id("b")];
    for (steps, whole) in [(heads(), false), (messages(), true), (by_password(), false)] {
        let all: usize = steps.iter().map(|(_, said)| said.len()).sum();
        let cuts = (0..=all).map(|at| (steps.clone(), Until::Sent(at))).collect();
        let (pop3, _playing) = pop3(cuts).await;
        for at in 0..=all {
            let what = format!("{whole} cut at {at} of {all}");
            let is_all = if whole {
                all_read(pop3.read(Class::Email, &ids).await, [ONE, TWO], &what)
            } else {
                all_read(pop3.heads(Class::Email, &ids).await, ["A: 1\r\n\r\n", TWO], &what)
            };
            assert_eq!(is_all, at == all, "{what}");
        }
    }
}

/// What a refused step leaves of a reading, and of the listing before it.
#[tokio::test]
async fn a_refusal_at_any_step_is_no_empty_mailbox_and_no_missing_message() {
    let ids = [id("a"), id("b")];
    for (steps, whole) in [(heads(), false), (messages(), true), (by_password(), false)] {
        for refused in 0..steps.len() {
            for said in ["-ERR\r\n", "-ERR [SYS/PERM] never\r\n", "-ERR [SYS/TEMP] later\r\n"] {
                // CAPA is refused by many, and nothing is concluded from it.
                if steps[refused].0 == "CAPA" {
                    continue;
                }
                let mut script = steps.clone();
                script[refused].1 = said.as_bytes().to_vec();
                let what = format!("{} {said:?}", steps[refused].0);
                // After a refusal it says good-bye, or goes on with the next message by another way.
                let (pop3, playing) = pop3(vec![(script, Until::End)]).await;
                let read = if whole {
                    pop3.read(Class::Email, &ids).await
                } else {
                    pop3.heads(Class::Email, &ids).await
                };
                let found = read.map(|read| {
                    let missing = |found: &&Result<Document>| {
                        found.as_ref().is_err_and(|error| error.kind == ErrorKind::Missing)
                    };
                    assert_eq!(read.values().filter(missing).count(), 0, "{what}");
                    read.values().filter(|found| found.is_ok()).count()
                });
                assert!(found.unwrap_or(0) < 2, "{what}");
                playing.abort();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn silence_at_any_step_of_reading_ends_it() {
    for steps in [heads(), messages(), by_password()] {
        let by_password = steps[2].0.starts_with("USER");
        for silent in 0..steps.len() {
            let (far, near) = tokio::io::duplex(4096);
            let using = async {
                let mut session = Session::greeted(Box::new(near)).await?;
                let server = Server {
                    host: "localhost".to_owned(),
                    port: 110,
                    security: Security::None,
                    trust: crate::connector::tls::Trust::Platform,
                };
                let account = account(Kind::Password, "secret");
                session.sign_in(&server, &account, &Secret::new("secret")).await?;
                session.uidl().await?;
                if steps[4].0 == "LIST" {
                    session.sizes().await?;
                    session.ask_for(&[1, 2]).await?;
                    for number in [1, 2] {
                        session.message(number).await??;
                    }
                } else {
                    session.heads(&[1, 2]).await?.into_iter().collect::<Result<Vec<_>>>()?;
                }
                Ok::<_, Error>(())
            };
            let started = tokio::time::Instant::now();
            let (_, used) = tokio::join!(play(far, &steps, Until::Silence(silent)), using);
            let error = used.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unreachable, "{by_password} {silent}: {error}");
            assert!(started.elapsed() < Duration::from_mins(2), "{silent}");
        }
    }
}

/// Full stops at the beginning of lines: only a lone one ends a message, however it is cut or dressed up.
#[tokio::test]
async fn full_stops_neither_end_a_message_early_nor_run_into_the_next() {
    let tries = [
        ("A: b\r\n\r\n..\r\n.\r\n", "A: b\r\n\r\n.\r\n"),
        ("A: b\r\n\r\n...\r\n.\r\n", "A: b\r\n\r\n..\r\n"),
        ("A: b\r\n\r\nx\r.\r\ny\r\n.\r\n", "A: b\r\n\r\nx\r.\r\ny\r\n"),
        ("A: b\r\n\r\nx\n.\ny\r\n.\r\n", "A: b\r\n\r\nx\n.\ny\r\n"),
        ("A: b\r\n\r\nx\n.\r\ny\r\n.\r\n", "A: b\r\n\r\nx\n.\r\ny\r\n"),
        ("A: b\r\n\r\n.\ny\r\n.\r\n", "A: b\r\n\r\n\ny\r\n"),
        // Not stuffed, as it must be: what a server does wrong loses one full stop and nothing else.
        ("A: b\r\n\r\n.x\r\n.\r\n", "A: b\r\n\r\nx\r\n"),
        ("A: b\r\n\r\n. \r\n.\r\n", "A: b\r\n\r\n \r\n"),
        ("A: b\r\n\r\n.\0\r\n.\r\n", "A: b\r\n\r\n\0\r\n"),
        (".\r\n", ""),
        ("..\r\n.\r\n", ".\r\n"),
    ];
    for (sent, expected) in tries {
        let steps = script(&[
            LISTING,
            ("LIST", "+OK\r\n1 9\r\n2 9\r\n.\r\n"),
            ("RETR 1", &format!("+OK\r\n{sent}")),
            ("RETR 2", "+OK\r\nA: 2\r\n\r\n.\r\n"),
            ("QUIT", "+OK\r\n"),
        ]);
        let (pop3, playing) = pop3(vec![(steps, Until::End)]).await;
        let read = pop3.read(Class::Email, &[id("a"), id("b")]).await.unwrap();
        assert_eq!(bytes(&read[&id("a")]), expected, "{sent:?}");
        assert_eq!(bytes(&read[&id("b")]), TWO, "{sent:?}");
        playing.await.unwrap();
    }
}

#[tokio::test]
async fn answers_without_end_are_given_up() {
    let endless = |first: &str, piece: &str| {
        let times = excess(1 << 20) / piece.len() + 100;
        format!("{first}{}", piece.repeat(times))
    };
    let flood = [
        endless("+OK\r\n", "x"),
        endless("+OK\r\n", "line\r\n"),
        endless("+OK ", "x"),
        endless("-ERR ", "x"),
        endless("+OK\r\n", "..\r\n"),
    ];
    for said in flood {
        let steps = script(&[LISTING, ("TOP 1 0", &said)]);
        let (pop3, playing) = pop3(vec![(steps, Until::Sent(usize::MAX))]).await;
        let ids = [id("a"), id("b")];
        let reading = pop3.heads(Class::Email, &ids);
        let read = tokio::time::timeout(Duration::from_secs(30), reading).await;
        let read = read.expect("it takes for ever");
        let shown: String = said.chars().take(20).collect();
        assert!(!all_read(read, ["", ""], &shown), "{shown}");
        playing.abort();
    }
    // A body of many lines that never stops: bounded, too, and not by the patience of the test.
    let (mut far, near) = tokio::io::duplex(1 << 16);
    let sending = async move {
        use tokio::io::AsyncWriteExt as _;
        drop(far.write_all(b"+OK\r\n-ERR\r\n+OK\r\n").await);
        let piece = b"line\r\n".repeat(1 << 12);
        while far.write_all(&piece).await.is_ok() {}
    };
    let reading = async move {
        let mut session = Session::greeted(Box::new(near)).await.unwrap();
        let error = session.answer(10).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert!(error.message.contains("without end"), "{error}");
    };
    tokio::time::timeout(Duration::from_mins(1), async { tokio::join!(sending, reading) })
        .await
        .expect("it takes for ever");
}

/// Every kind of answer that a hostile server may give to UIDL: none makes another set of messages than what was said.
#[tokio::test]
async fn a_listing_that_ends_where_it_should_not_is_none() {
    for listing in
        ["+OK\r\n1 a\r\n. \r\n2 b\r\n.\r\n", "+OK\r\n1 a\r\n..\r\n.\r\n", "+OK\r\n\r\n.\r\n"]
    {
        let (pop3, _playing) = pop3(vec![(script(&[("UIDL", listing)]), Until::End)]).await;
        let error = pop3.list(Class::Email).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable, "{listing:?}");
    }
    let (pop3, _playing) = pop3(vec![(
        script(&[("UIDL", "+OK\r\n1 .\r\n2 ..\r\n.\r\n"), ("QUIT", "+OK\r\n")]),
        Until::End,
    )])
    .await;
    let listing = pop3.list(Class::Email).await.unwrap();
    let ids: BTreeSet<&str> = listing.entries.keys().map(ItemId::as_str).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
}
