//! What breaks in the middle: nothing may seem gone, and nothing may take for ever.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;

/// Refuses every command that begins like this.
fn refusing(prefix: &'static str) -> Puppet {
    puppet(move |_, command, _| {
        command.starts_with(prefix).then(|| Some("TAG NO [SERVERBUG] not now\r\n".to_owned()))
    })
}

#[tokio::test]
async fn a_refused_command_is_never_an_empty_answer() {
    for prefix in ["AUTHENTICATE", "LIST", "EXAMINE", "UID FETCH"] {
        let (imap, _) = refusing(prefix).start().await;
        let news = imap.news(Class::Email, &Cursor::new()).await;
        if let Ok(news) = &news {
            assert!(matches!(news.completeness, Completeness::Partial(_)), "{prefix}: {news:?}");
            assert!(news.parts.is_empty() && news.cursor.is_empty(), "{prefix}");
        }
        match imap.heads(Class::Email, &asked()).await {
            Ok(heads) => {
                for head in heads.values() {
                    let refused = head.as_ref().map(|_| ()).map_err(|error| error.kind);
                    let expected =
                        if prefix == "LIST" { Ok(()) } else { Err(ErrorKind::Unreachable) };
                    assert_eq!(refused, expected, "{prefix}");
                }
            }
            Err(error) => {
                assert_eq!((prefix, error.kind), ("AUTHENTICATE", ErrorKind::Unreachable));
            }
        }
    }
    for prefix in ["LIST", "EXAMINE", "UID SEARCH", "UID FETCH 8 (UID BODY.PEEK[H"] {
        let (imap, _) = refusing(prefix).start().await;
        let found = imap.find(Class::Email, &[Uid::new("b")]).await;
        assert!(found.is_err(), "{prefix}: {found:?}");
    }
}

#[tokio::test]
async fn one_folder_that_cannot_be_opened_is_no_concern_of_the_others() {
    let (imap, _) = refusing("EXAMINE \"Sent\"").start().await;
    let since = Cursor::from([("Sent".to_owned(), "3.1.0.k".to_owned())]);
    let news = imap.news(Class::Email, &since).await.unwrap();
    assert!(matches!(news.completeness, Completeness::Partial(_)));
    assert_eq!(news.parts.keys().collect::<Vec<_>>(), ["INBOX"]);
    assert_eq!(news.cursor["Sent"], since["Sent"], "it is looked at again the next time");
}

#[tokio::test]
async fn a_connection_cut_anywhere_makes_nothing_seem_gone() {
    let known = Cursor::from([
        ("INBOX".to_owned(), "3.8.1.k".to_owned()),
        ("Sent".to_owned(), "3.2.1.k".to_owned()),
    ]);
    let mut complete = 0;
    for cut in 0..1300 {
        let (imap, _) = Puppet { cut, ..puppet(|_, _, _| None) }.start().await;
        let news = tokio::time::timeout(Duration::from_secs(10), imap.news(Class::Email, &known));
        match news.await.expect("it takes for ever") {
            Ok(news) if news.completeness == Completeness::Complete => {
                complete += 1;
                assert!(matches!(&news.parts["INBOX"], Part::Whole(all) if all.len() == 2));
            }
            Ok(news) => {
                for part in news.parts.values() {
                    assert!(matches!(part, Part::Whole(all) if all.len() == 2), "{cut}: {part:?}");
                }
                assert!(news.cursor.contains_key("Sent"), "{cut}");
            }
            Err(error) => assert_eq!(error.kind, ErrorKind::Unreachable, "{cut}: {error}"),
        }
        if complete > 3 {
            break;
        }
    }
    assert!(complete > 3, "the dialogue is longer than that");
}

#[tokio::test]
async fn a_message_whose_answer_was_cut_is_not_missing() {
    let mut whole = 0;
    for cut in 60..900 {
        let (imap, _) = Puppet { cut, ..puppet(|_, _, _| None) }.start().await;
        match imap.read(Class::Email, &asked()).await {
            Ok(read) => {
                assert!(read.values().all(Result::is_ok), "{cut}");
                whole += 1;
            }
            Err(error) => assert_eq!(error.kind, ErrorKind::Unreachable, "{cut}"),
        }
        if whole > 3 {
            return;
        }
    }
    panic!("the dialogue is longer than that");
}

/// Asked for in one go with others, and the last: what was open before it is open no more.
#[tokio::test]
async fn a_folder_that_is_refused_leaves_none_open() {
    let (imap, heard) = puppet(|_, command, open| match command {
        _ if command.starts_with("EXAMINE \"No") => Some(Some("TAG NO [NONEXISTENT] x\r\n".into())),
        _ if command.starts_with("UID FETCH") && open.starts_with("No") => {
            Some(Some("TAG BAD nothing is open\r\n".into()))
        }
        _ => None,
    })
    .start()
    .await;
    let stale = ["INBOX/2.7", "INBOX/4.7", "No such/3.7"].map(ItemId::new);
    let both: Vec<ItemId> = asked().into_iter().chain(stale.clone()).collect();
    for _ in 0..2 {
        let read = imap.read(Class::Email, &both).await.unwrap();
        for id in &asked() {
            assert!(read[id].is_ok(), "{id}: {:?}", read[id]);
        }
        for id in &stale {
            assert_eq!(read[id].as_ref().unwrap_err().kind, ErrorKind::Missing, "{id}");
        }
    }
    let heard = heard.lock().unwrap();
    let first = heard.iter().position(|command| command.starts_with("EXAMINE")).unwrap();
    assert!(heard[first + 1].starts_with("UID FETCH") && heard[first + 2].starts_with("EXAMINE"));
}

#[tokio::test]
async fn what_a_server_says_when_it_leaves_is_passed_on() {
    let (imap, _) = puppet(|_, command, _| {
        let said = format!("* BYE gone fishing\r\n{LEAVES}");
        command.starts_with("LIST").then_some(Some(said))
    })
    .start()
    .await;
    let error = imap.list(Class::Email).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.message.contains("gone fishing"), "{error}");
    let (imap, _) =
        Puppet { greeting: "* BYE too many of you\r\n", ..puppet(|_, _, _| None) }.start().await;
    let error = imap.list(Class::Email).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.message.contains("too many of you"), "{error}");
}

#[tokio::test]
async fn news_in_between_confuses_nobody() {
    let (imap, _) = puppet(|_, command, _| {
        command.starts_with("UID FETCH 7:8 (UID FLAGS").then(|| {
            let said = BODIES.replace("* 2 FETCH", "* 9 EXPUNGE\r\n* 3 EXISTS\r\n* 5 FETCH (FLAGS (\\Seen))\r\n* OK [X {3}] still here {3}\r\n\r\n* 2 FETCH");
            Some(said)
        })
    })
    .start()
    .await;
    let read = imap.read(Class::Email, &asked()).await.unwrap();
    assert!(read.values().all(Result::is_ok), "{read:?}");
}

/// Whether it was filed is not known: a repeat looks first, and finds it.
#[tokio::test]
async fn a_message_is_not_filed_twice_after_a_lost_answer() {
    let (imap, heard) = puppet(|connection, command, _| match (connection, command) {
        (0, _) if command.starts_with("UID SEARCH") => {
            Some(Some("* SEARCH\r\nTAG OK\r\n".to_owned()))
        }
        (0, _) if command.starts_with("APPEND") => Some(None),
        _ => None,
    })
    .start()
    .await;
    let create = Write::Create {
        id: imap.address(Class::Email, &Uid::new("b")),
        body: Body::Bytes(b"Message-ID: <b>\n\nhello\n".to_vec()),
    };
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let written = imap.write(Class::Email, vec![create.clone()]).await.unwrap().remove(0);
        kinds.push(written.unwrap_err().kind);
    }
    assert_eq!(kinds, [ErrorKind::Unreachable, ErrorKind::Exists]);
    let heard = heard.lock().unwrap();
    let appends: Vec<&String> =
        heard.iter().filter(|command| command.starts_with("APPEND")).collect();
    assert_eq!(appends.len(), 1);
    assert!(appends[0].contains("Message-ID: <b>\r\n\r\nhello"), "{appends:?}");
}

#[tokio::test]
async fn a_keyword_that_is_not_kept_is_not_pretended() {
    let (imap, heard) = puppet(|_, command, _| {
        command.starts_with("SELECT").then(|| {
            Some(
                "* OK [UIDVALIDITY 3] x\r\n* OK [PERMANENTFLAGS (\\Seen $Kept)] x\r\nTAG OK\r\n"
                    .to_owned(),
            )
        })
    })
    .start()
    .await;
    let mark = Write::Mark { id: asked()[0].clone(), mark: "$CrmTracked".to_owned(), set: true };
    let written = imap.write(Class::Email, vec![mark]).await.unwrap().remove(0);
    assert_eq!(written.unwrap_err().kind, ErrorKind::Unsupported);
    assert!(!heard.lock().unwrap().iter().any(|command| command.contains("STORE")));
}

/// In a talk within the process, time stands still unless everybody waits.
#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_given_up() {
    for silent in ["CAPABILITY", "LIST", "EXAMINE", "UID FETCH", ""] {
        let puppet = Puppet {
            greeting: if silent.is_empty() { "" } else { "* PREAUTH at home\r\n" },
            ..puppet(move |_, command, _| match command {
                _ if command.starts_with(silent) => Some(Some(String::new())),
                "CAPABILITY" => Some(Some("* CAPABILITY IMAP4rev1\r\nTAG OK\r\n".to_owned())),
                _ => None,
            })
        };
        let (near, far) = tokio::io::duplex(64 << 10);
        let talking = tokio::spawn(async move { puppet.talk(far, 0).await });
        let options = Options::for_tests();
        let began = tokio::time::Instant::now();
        let looking = async {
            let greeted = sign_in::welcome(&options, Box::new(near)).await?;
            let mut session = sign_in::sign_in(&options, greeted, &Arc::default()).await?;
            look::news(&mut session, &options, Before::Seen(&Cursor::new())).await
        };
        let error = looking.await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable, "{silent}: {error}");
        assert!(began.elapsed() <= Duration::from_mins(2), "{silent}");
        talking.abort();
    }
}

#[tokio::test]
async fn a_connection_that_died_meanwhile_is_made_anew_and_a_new_one_is_not() {
    let (imap, _) = puppet(|connection, command, _| {
        (connection == 0 && command.starts_with("EXAMINE \"Sent\"")).then_some(None)
    })
    .start()
    .await;
    let news = imap.news(Class::Email, &Cursor::new()).await;
    assert!(news.is_err() || news.is_ok_and(|news| news.completeness != Completeness::Complete));
    let listing = imap.list(Class::Email).await.unwrap();
    assert_eq!(ids(&listing), ALL);
}

#[tokio::test]
async fn a_sign_in_that_ends_while_a_session_is_open_is_no_question() {
    let is_over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_over);
    let server = puppet(move |connection, _, _| {
        let is_told = connection == 0 && told.load(Ordering::SeqCst);
        is_told.then(|| Some("TAG NO [EXPIRED] the token is over\r\n".to_owned()))
    });
    let (imap, heard) = server.start().await;
    assert_eq!(ids(&imap.list(Class::Email).await.unwrap()), ALL);
    is_over.store(true, Ordering::SeqCst);
    assert_eq!(ids(&imap.list(Class::Email).await.unwrap()), ALL);
    let heard = heard.lock().unwrap();
    let sign_ins = heard.iter().filter(|command| command.starts_with("AUTHENTICATE")).count();
    assert_eq!(sign_ins, 2);
}
