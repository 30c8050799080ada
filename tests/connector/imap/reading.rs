use std::sync::Arc;

use liaison::connector::ErrorKind;
use liaison::connector::auth::{Account, Credential, Kind};
use liaison::model::{Body, Document};

use super::*;
use crate::support::servers::proxy::{Counted, Proxy, Script};
use crate::support::servers::stranger;

fn text(document: &Document) -> String {
    match &document.body {
        Body::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn heads_and_whole_messages_over_every_kind_of_connection() {
    let dovecot = Dovecot::start(dovecot::Options { compress: true, ..Default::default() });
    let anna = dovecot.elsewhere("anna");
    append(&anna, "INBOX", &["one", "two"]);
    anna.flag("INBOX", "<two@example.test>", &["$CrmTracked", "\\Flagged"], true);
    let nameless = b"From: bob@example.test\nSubject: nameless\n\nA body that makes its name.\n";
    anna.append("INBOX", nameless, &[]);
    for security in [Security::None, Security::StartTls, Security::Tls] {
        for compress in [false, true] {
            let imap =
                Imap::new(Options { compress, ..options(&dovecot, security) }, Clock::system());
            let listing = imap.list(Class::Email).await.unwrap();
            let ids: Vec<ItemId> = listing.entries.keys().cloned().collect();
            assert_eq!(ids.len(), 3);
            let heads = imap.heads(Class::Email, &ids).await.unwrap();
            let read = imap.read(Class::Email, &ids).await.unwrap();
            for (index, id) in ids.iter().enumerate() {
                let head = heads[id].as_ref().unwrap();
                let whole = read[id].as_ref().unwrap();
                assert_eq!((&head.id, &head.version), (id, &listing.entries[id]));
                assert_eq!((&whole.version, &whole.marks), (&head.version, &head.marks));
                assert!(text(head).contains("From: "));
                assert_eq!(text(head).contains("body that makes"), index == 2, "{}", text(head));
                assert!(text(head).ends_with("\r\n\r\n") || index == 2);
            }
            assert_eq!(text(read[&ids[0]].as_ref().unwrap()).as_bytes(), message("one"));
            let marks = &read[&ids[1]].as_ref().unwrap().marks;
            assert_eq!(
                marks.iter().map(String::as_str).collect::<Vec<_>>(),
                ["$CrmTracked", "\\Flagged", "\\Seen"]
            );
        }
    }
    let unread = anna
        .list("INBOX")
        .into_iter()
        .filter(|seen| !seen.flags.iter().any(|flag| flag == "\\Seen"));
    assert_eq!(unread.count(), 1, "reading marks nothing as read");
}

#[tokio::test]
async fn what_is_gone_is_missing_and_nothing_else_is() {
    let dovecot = start(&[]);
    let anna = dovecot.elsewhere("anna");
    append(&anna, "INBOX", &["one", "two"]);
    let imap = connector(&dovecot);
    let ids: Vec<ItemId> = imap.list(Class::Email).await.unwrap().entries.into_keys().collect();
    anna.delete("INBOX", "<one@example.test>");
    let validity =
        ids[1].as_str().rsplit_once('/').unwrap().1.split_once('.').unwrap().0.to_owned();
    let others = [
        ids[0].clone(),
        ItemId::new(format!("INBOX/{validity}.999")),
        ItemId::new("INBOX/1.1"),
        ItemId::new(format!("No such folder/{validity}.1")),
        ItemId::new("INBOX/0123.liaison"),
        ItemId::new("INBOX"),
    ];
    let asked: Vec<ItemId> = ids.iter().cloned().chain(others.clone()).collect();
    for documents in [
        imap.heads(Class::Email, &asked).await.unwrap(),
        imap.read(Class::Email, &asked).await.unwrap(),
    ] {
        assert!(documents[&ids[1]].is_ok());
        for id in &others {
            assert_eq!(documents[id].as_ref().unwrap_err().kind, ErrorKind::Missing, "{id}");
        }
    }
}

#[tokio::test]
async fn thousands_of_heads_and_large_messages() {
    let dovecot = start(&[]);
    let big = |size: usize| {
        let mut big = message("big");
        big.extend(std::iter::repeat_n(b"0123456789abcdef\r\n", size / 18).flatten());
        big
    };
    let small = (0..3000).map(|number| message(&format!("m{number}")));
    dovecot.seed("anna", "INBOX", small.chain([big(5 << 20), big(10_000)]));
    let imap = connector(&dovecot);
    let ids: Vec<ItemId> = imap.list(Class::Email).await.unwrap().entries.into_keys().collect();
    assert_eq!(ids.len(), 3002);
    let before = imap.requests();
    let heads = imap.heads(Class::Email, &ids).await.unwrap();
    assert!(heads.values().all(Result::is_ok));
    assert!(imap.requests() - before <= 8, "{} requests", imap.requests() - before);
    let read = imap.read(Class::Email, &ids).await.unwrap();
    let sizes: usize = read.values().map(|document| text(document.as_ref().unwrap()).len()).sum();
    assert!(sizes > 5 << 20, "{sizes}");
}

#[tokio::test]
async fn who_may_not_sign_in_is_told_so() {
    let dovecot = start(&[]);
    for (account, good) in [
        (stranger("anna"), false),
        (Dovecot::bearer("anna", true), true),
        (Dovecot::bearer("anna", false), false),
    ] {
        let imap =
            Imap::new(Options { account, ..options(&dovecot, Security::Tls) }, Clock::system());
        match imap.list(Class::Email).await {
            Ok(_) => assert!(good),
            Err(error) => {
                assert_eq!((error.kind, good), (ErrorKind::Unauthorised, false), "{error}");
            }
        }
    }
}

/// A token that expired is asked for once more.
#[tokio::test]
async fn an_expired_token_is_renewed() {
    let dovecot = start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (Dovecot::token("anna", false), Dovecot::token("anna", true));
    let was_asked = dir.path().join("asked").display().to_string();
    let command =
        format!("if [ -e {was_asked} ]; then echo {new}; else touch {was_asked}; echo {old}; fi");
    let secret = Arc::new(Credential::command(Kind::Token, command));
    let account = Account { user: "anna".to_owned(), secret };
    let imap = Imap::new(Options { account, ..options(&dovecot, Security::Tls) }, Clock::system());
    assert!(imap.list(Class::Email).await.unwrap().is_complete());
}

#[tokio::test]
async fn a_server_that_was_gone_meanwhile_is_reached_again() {
    let mut dovecot = start(&[]);
    append(&dovecot.elsewhere("anna"), "INBOX", &["one"]);
    let imap = connector(&dovecot);
    let mut view = View::default();
    view.update(&imap).await;
    dovecot.stop();
    let error = imap.news(Class::Email, &view.cursor).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    dovecot.resume();
    append(&dovecot.elsewhere("anna"), "INBOX", &["two"]);
    view.update(&imap).await;
    assert_eq!(view.messages.len(), 2);
    dovecot.stop();
    dovecot.resume();
    assert!(
        view.update(&imap).await.parts.is_empty(),
        "the kept connection died: another one is made"
    );
}

#[tokio::test]
async fn compressed_or_not_the_same_is_read_and_fewer_bytes_travel() {
    let dovecot = Dovecot::start(dovecot::Options { compress: true, ..Default::default() });
    let long = "All work and no play makes Jack a dull boy.\r\n".repeat(100);
    let letter = |number: usize| {
        let head = String::from_utf8(message(&number.to_string())).unwrap();
        format!("{head}{long}").into_bytes()
    };
    dovecot.seed("anna", "INBOX", (0..200).map(letter));
    let proxy = Proxy::start(dovecot.imap, Script::default());
    let mut answers = Vec::new();
    let mut counted: Vec<Counted> = Vec::new();
    for compress in [false, true] {
        let mut options = Options { compress, ..options(&dovecot, Security::None) };
        options.server.port = proxy.port;
        proxy.forget();
        let imap = Imap::new(options, Clock::system());
        let listing = imap.list(Class::Email).await.unwrap();
        let ids: Vec<ItemId> = listing.entries.keys().cloned().collect();
        let heads = imap.heads(Class::Email, &ids).await.unwrap();
        let read = imap.read(Class::Email, &ids).await.unwrap();
        let found = imap.find(Class::Email, &[liaison::model::Uid::new("7@example.test")]).await;
        let bodies: Vec<Document> = read.into_values().map(Result::unwrap).collect();
        let heads: Vec<Document> = heads.into_values().map(Result::unwrap).collect();
        assert_eq!((bodies.len(), heads.len()), (200, 200));
        answers.push((listing, heads, bodies, found.unwrap()));
        counted.push(proxy.counted());
    }
    println!("{counted:?}");
    assert_eq!(answers[0], answers[1]);
    let [plain, small] = counted.as_slice() else { panic!("two were counted") };
    assert!(plain.received > 200 * 4000, "{plain:?}");
    assert!(small.received * 5 < plain.received, "{small:?} of {plain:?}");
    assert!(small.sent < plain.sent, "what we say is compressed, too: {small:?} of {plain:?}");
}

/// A question about many messages costs as many turns as there are folders to look into, not as there are names.
#[tokio::test]
async fn many_names_are_found_in_few_turns() {
    let dovecot = start(&[]);
    for (folder, first) in [("INBOX", 0), ("Sent", 1000), ("Archive", 2000)] {
        dovecot.seed(
            "anna",
            folder,
            (first..first + 400).map(|number| message(&number.to_string())),
        );
    }
    let proxy = Proxy::start(dovecot.imap, Script::default());
    let mut options = options(&dovecot, Security::None);
    options.server.port = proxy.port;
    let imap = Imap::new(options, Clock::system());
    imap.list(Class::Email).await.unwrap();
    let names = |count: usize| -> Vec<liaison::model::Uid> {
        let places = (0..count).map(|number| (number % 4) * 1000 + number / 4);
        places.map(|place| liaison::model::Uid::new(format!("{place}@example.test"))).collect()
    };
    let mut turns = Vec::new();
    for count in [20, 600, 1600] {
        let before = imap.requests();
        proxy.forget();
        let found = imap.find(Class::Email, &names(count)).await.unwrap();
        let counted = proxy.counted();
        println!("{count}: {} commands, {counted:?}", imap.requests() - before);
        // One in four is nowhere.
        assert_eq!(found.len(), count * 3 / 4);
        assert!(found.iter().all(|(uid, id)| {
            let folder = match uid.as_str().split('@').next().unwrap().parse::<usize>().unwrap() {
                0..1000 => "INBOX",
                1000..2000 => "Sent",
                _ => "Archive",
            };
            id.collection() == folder
        }));
        turns.push(counted.round_trips);
    }
    assert!(turns[0] <= 12 && turns[1] <= 24 && turns[2] <= 48, "{turns:?}");
}
