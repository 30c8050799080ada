//! POP3 against Dovecot: every way in, messages byte for byte, nothing deleted, unique ids that are none.

use std::collections::{BTreeMap, BTreeSet};

use liaison::clock::Clock;
use liaison::connector::auth::Account;
use liaison::connector::finding::{Finding, Grade, Topic};
use liaison::connector::net::Security;
use liaison::connector::pop3::{self, Pop3};
use liaison::connector::tls::Trust;
use liaison::connector::{Connector as _, Cursor, ErrorKind, Part, Result, Write};
use liaison::model::{Body, Class, Completeness, Document, ItemId, Uid};

use crate::support::servers::dovecot::{self, Dovecot};
use crate::support::servers::{account, stranger};

const WAYS: [Security; 3] = [Security::Tls, Security::StartTls, Security::None];

fn pop3(dovecot: &Dovecot, security: Security, account: Account) -> Pop3 {
    Pop3::new(pop3::Options { server: dovecot.pop3(security), account })
}

fn message(number: usize) -> Vec<u8> {
    format!(
        "Message-ID: <{number}@example.test>\r\nSubject: {number}\r\n\r\n.\r\n..two\r\n{}\r\n",
        "long ".repeat(500)
    )
    .into_bytes()
}

fn bytes(document: Result<Document>) -> Vec<u8> {
    match document.unwrap().body {
        Body::Bytes(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

fn uid(number: usize) -> Uid {
    Uid::new(format!("{number}@example.test"))
}

#[tokio::test]
async fn every_way_in_shows_the_same_messages_and_takes_none_away() {
    let dovecot = Dovecot::start(dovecot::Options::default());
    dovecot.deliver("anna", &message(1));
    dovecot.deliver("anna", &message(2));
    let mut seen = BTreeSet::new();
    for security in WAYS {
        for who in [account("anna"), Dovecot::bearer("anna", true)] {
            let pop3 = pop3(&dovecot, security, who);
            let news = pop3.news(Class::Email, &Cursor::new()).await.unwrap();
            assert_eq!(news.completeness, Completeness::Complete);
            let Some(Part::Whole(entries)) = news.parts.get("INBOX") else { panic!("{news:?}") };
            let ids: Vec<ItemId> = entries.keys().cloned().collect();
            assert_eq!(ids.len(), 2);
            seen.insert(ids.clone());
            let found = pop3.find(Class::Email, &[uid(1), uid(2), uid(3)]).await.unwrap();
            assert_eq!(found.keys().cloned().collect::<Vec<_>>(), [uid(1), uid(2)]);
            let mut heads = pop3.heads(Class::Email, &ids).await.unwrap();
            let mut bodies = pop3.read(Class::Email, &ids).await.unwrap();
            for number in [1, 2] {
                let (id, whole) = (&found[&uid(number)], message(number));
                let body = bytes(bodies.remove(id).unwrap());
                // What comes before is what the delivery wrote.
                assert!(body.ends_with(&whole), "{}", String::from_utf8_lossy(&body));
                let head = bytes(heads.remove(id).unwrap());
                assert!(head.ends_with(b"\r\n\r\n") && body.starts_with(&head));
                assert!(!head.windows(5).any(|window| window == b"..two"));
            }
            let again = pop3.news(Class::Email, &news.cursor).await.unwrap();
            assert!(again.parts.is_empty());
            assert!(pop3.requests() > 0);
        }
    }
    assert_eq!(seen.len(), 1);
    assert_eq!(dovecot.elsewhere("anna").list("INBOX").len(), 2);
    // One goes, another comes.
    let pop3 = pop3(&dovecot, Security::Tls, account("anna"));
    let before = pop3.news(Class::Email, &Cursor::new()).await.unwrap();
    dovecot.elsewhere("anna").delete("INBOX", "<1@example.test>");
    dovecot.deliver("anna", &message(3));
    let after = pop3.news(Class::Email, &before.cursor).await.unwrap();
    let Some(Part::Whole(entries)) = after.parts.get("INBOX") else { panic!("{after:?}") };
    let ids = seen.pop_first().unwrap();
    assert_eq!(entries.keys().filter(|id| ids.contains(id)).count(), 1);
    assert_eq!(entries.len(), 2);
    let gone: Vec<ItemId> = ids.into_iter().filter(|id| !entries.contains_key(id)).collect();
    let read = pop3.read(Class::Email, &gone).await.unwrap();
    assert_eq!(read[&gone[0]].as_ref().unwrap_err().kind, ErrorKind::Missing);
    let mark = Write::Mark { id: gone[0].clone(), mark: "Tracked".to_owned(), set: true };
    let written = pop3.write(Class::Email, vec![mark]).await.unwrap();
    assert_eq!(written[0].as_ref().unwrap_err().kind, ErrorKind::Unsupported);
}

#[tokio::test]
async fn nobody_else_gets_in_and_no_secret_shows() {
    // It keeps whoever failed waiting, longer each time.
    let dovecot = Dovecot::start(dovecot::Options {
        more: "service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}",
        ..dovecot::Options::default()
    });
    for who in [stranger("anna"), Dovecot::bearer("anna", false), Dovecot::bearer("bob", false)] {
        let error = pop3(&dovecot, Security::Tls, who).list(Class::Email).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorised);
        assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
    }
    // Anna's token does not open Bob's mailbox.
    let mut bob = Dovecot::bearer("anna", true);
    bob.user = "bob".to_owned();
    let error = pop3(&dovecot, Security::Tls, bob).list(Class::Email).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorised);
    // A certificate that nobody vouches for ends it before a word is said.
    for security in [Security::Tls, Security::StartTls] {
        let mut server = dovecot.pop3(security);
        server.trust = Trust::Platform;
        let options = pop3::Options { server, account: account("anna") };
        let error = Pop3::new(options).list(Class::Email).await.unwrap_err();
        assert!(error.hint.unwrap().contains("pin="), "{}", error.message);
    }
}

#[tokio::test]
async fn one_unique_id_for_all_messages_still_tells_them_apart() {
    let dovecot = Dovecot::start(dovecot::Options {
        more: "protocol pop3 {\n  pop3_uidl_format = %v\n}",
        ..dovecot::Options::default()
    });
    for number in [1, 2, 2] {
        dovecot.deliver("anna", &message(number));
    }
    let pop3 = pop3(&dovecot, Security::Tls, account("anna"));
    let listing = pop3.list(Class::Email).await.unwrap();
    // The third is a copy of the second.
    assert_eq!((listing.entries.len(), listing.is_complete()), (2, true));
    let found = pop3.find(Class::Email, &[uid(1), uid(2)]).await.unwrap();
    let read = pop3.read(Class::Email, &[found[&uid(1)].clone()]).await.unwrap();
    assert!(bytes(read.into_values().next().unwrap()).ends_with(&message(1)));
    // Their names do not hang on their neighbours.
    dovecot.deliver("anna", &message(3));
    let later = pop3.list(Class::Email).await.unwrap();
    assert!(listing.entries.keys().all(|id| later.entries.contains_key(id)));
    assert_eq!(later.entries.len(), 3);
    dovecot.deliver("anna", b"Subject: nameless\r\n\r\nx\r\n");
    let doubtful = pop3.list(Class::Email).await.unwrap();
    assert_eq!(doubtful.entries, later.entries);
    assert!(!doubtful.is_complete());
}

#[tokio::test]
async fn many_heads_come_in_few_turns() {
    let dovecot = Dovecot::start(dovecot::Options::default());
    dovecot.seed("anna", "INBOX", (0..2000).map(message));
    let pop3 = pop3(&dovecot, Security::None, account("anna"));
    let listing = pop3.list(Class::Email).await.unwrap();
    let ids: Vec<ItemId> = listing.entries.into_keys().collect();
    let heads: BTreeMap<_, _> = pop3.heads(Class::Email, &ids).await.unwrap();
    assert_eq!(heads.into_values().map(bytes).filter(|head| head.len() < 200).count(), 2000);
    let bodies = pop3.read(Class::Email, &ids).await.unwrap();
    let bodies: BTreeSet<Vec<u8>> = bodies.into_values().map(bytes).collect();
    assert_eq!(bodies, (0..2000).map(message).collect());
}

#[tokio::test]
async fn an_examination_says_how_it_stands() {
    let dovecot = Dovecot::start(dovecot::Options::default());
    dovecot.deliver("anna", &message(1));
    let examine = async |security, account| {
        let options = pop3::Options { server: dovecot.pop3(security), account };
        pop3::examine(&options, &Clock::system()).await
    };
    let topics = |findings: &[Finding]| -> Vec<(Topic, Grade)> {
        findings.iter().map(|finding| (finding.topic, finding.grade)).collect()
    };
    let good = examine(Security::StartTls, account("anna")).await;
    let expected = [
        (Topic::Reachable, Grade::Good),
        (Topic::Certificate, Grade::Good),
        (Topic::Capabilities, Grade::Good),
        (Topic::SignIn, Grade::Good),
        (Topic::Strategy, Grade::Good),
        (Topic::Feature, Grade::Limited),
    ];
    assert_eq!(topics(&good), expected, "{good:?}");
    let stranger = examine(Security::Tls, stranger("anna")).await;
    assert_eq!(topics(&stranger).last(), Some(&(Topic::SignIn, Grade::Bad)));
    let mut server = dovecot.pop3(Security::Tls);
    server.port = dovecot.pop3;
    let options = pop3::Options { server, account: account("anna") };
    let wrong_port = pop3::examine(&options, &Clock::system()).await;
    assert_eq!(topics(&wrong_port), [(Topic::Reachable, Grade::Bad)]);
}
