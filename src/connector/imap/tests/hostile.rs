//! Servers that mean no good: an error with a name, in bounded time and memory.

use std::time::Duration;

use super::*;

/// What comes of a mailbox whose messages are told about like this.
async fn told(flags: String) -> Result<Listing> {
    let (imap, _) = puppet(move |_, command, _| {
        command.starts_with("UID FETCH 1:*").then(|| Some(flags.clone()))
    })
    .start()
    .await;
    let listing = tokio::time::timeout(Duration::from_secs(20), imap.list(Class::Email));
    listing.await.expect("it takes for ever")
}

#[tokio::test]
async fn hostile_answers_end_the_talk_or_are_set_aside() {
    let endless = format!("* 1 FETCH ({}", "a".repeat(2 << 20));
    let literal = "* 1 FETCH (UID 7 FLAGS () BODY[] {1000000000}\r\n".to_owned();
    let many = format!("* X {}\r\n", "{0}\r\n".repeat(500_000));
    for hostile in [endless, literal, many, "no imap at all\r\n".to_owned()] {
        let what = hostile.get(..40).unwrap_or(&hostile).to_owned();
        match told(hostile).await {
            Err(error) => {
                assert!(
                    matches!(error.kind, ErrorKind::Malformed | ErrorKind::Unreachable),
                    "{what}: {error}"
                );
            }
            Ok(listing) => assert!(!listing.is_complete(), "{what}"),
        }
    }
    let deep = format!(
        "* 1 FETCH (UID 7 FLAGS () X {}{})\r\nTAG OK\r\n",
        "(".repeat(400),
        ")".repeat(400)
    );
    let listing = told(deep).await.unwrap();
    assert!(!listing.is_complete() && listing.entries.is_empty(), "{listing:?}");
    let nil =
        "* 1 FETCH (UID 7 FLAGS () INTERNALDATE NIL ENVELOPE NIL)\r\n* X-ODD (a \"b\r\nTAG OK\r\n";
    assert!(
        !told(nil.to_owned()).await.unwrap().is_complete(),
        "an answer that cannot be read is a doubt"
    );
    let odd = "* 1 FETCH (UID 7 FLAGS () INTERNALDATE NIL ENVELOPE NIL)\r\n* X-ODD (a)\r\n* ESEARCH\r\nTAG OK\r\n";
    assert!(told(odd.to_owned()).await.unwrap().is_complete(), "what nobody asked for is no harm");
}

#[tokio::test]
async fn answers_out_of_turn_are_not_believed() {
    let (imap, _) = puppet(|_, command, _| {
        let said = "* 2 EXISTS\r\n* OK [UIDVALIDITY 3] x\r\nTAG OK\r\nA0009 OK\r\nA0008 OK\r\nA0007 OK\r\n";
        command.starts_with("EXAMINE \"INBOX\"").then(|| Some(said.to_owned()))
    })
    .start()
    .await;
    let news = imap.news(Class::Email, &Cursor::new()).await;
    assert!(!news.is_ok_and(|news| news.completeness == Completeness::Complete));
}

/// Plays a server before TLS; what the client makes of it.
async fn before_tls(said: &'static [&'static str]) -> Error {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = Options::for_tests();
    options.server.port = listener.local_addr().unwrap().port();
    options.server.security = Security::StartTls;
    let playing = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut heard = String::new();
        for text in said {
            if stream.write_all(text.as_bytes()).await.is_err() {
                break;
            }
            let line = tokio::time::timeout(Duration::from_secs(5), stream.read_line(&mut heard));
            drop(line.await);
        }
        heard
    });
    let imap = Imap::new(options, Clock::system());
    let error = imap.list(Class::Email).await.unwrap_err();
    let heard = playing.await.unwrap();
    assert!(!heard.contains("AUTHENTICATE") && !heard.contains("LOGIN"), "{heard}");
    error
}

#[tokio::test]
async fn nothing_said_before_tls_is_believed() {
    let injected =
        before_tls(&["* OK hello\r\n", "S1 OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"]);
    assert!(injected.await.message.contains("put words into"));
    assert!(before_tls(&["* PREAUTH you are in\r\n"]).await.message.contains("refuses TLS"));
    assert!(
        before_tls(&["* OK hello\r\n", "S1 NO later\r\n"]).await.message.contains("refuses TLS")
    );
    for odd in [&["HTTP/1.1 400\r\n"][..], &["* OK hello\r\n", "S2 OK\r\n"], &["+ \r\n"]] {
        assert_eq!(before_tls(odd).await.kind, ErrorKind::Malformed, "{odd:?}");
    }
    assert_eq!(before_tls(&["* BYE\r\n"]).await.kind, ErrorKind::Unreachable);
}

#[tokio::test]
async fn a_password_is_not_given_to_a_server_that_does_not_want_it() {
    let puppet = Puppet {
        greeting: "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=XOAUTH2] hello\r\n",
        ..puppet(|_, _, _| None)
    };
    let (imap, heard) = puppet.start().await;
    assert_eq!(imap.list(Class::Email).await.unwrap_err().kind, ErrorKind::Unauthorised);
    assert!(heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_set_of_all_numbers_fills_no_memory() {
    let (imap, _) = Puppet {
        greeting: "* PREAUTH [CAPABILITY IMAP4rev1 ENABLE QRESYNC] hello\r\n",
        ..puppet(|_, command, _| match command {
            "CAPABILITY" => Some(Some("* CAPABILITY IMAP4rev1 ENABLE QRESYNC\r\nTAG OK\r\n".to_owned())),
            _ if command.starts_with("ENABLE") => Some(Some("TAG OK\r\n".to_owned())),
            _ if command.starts_with("STATUS") => Some(Some(
                "* STATUS INBOX (MESSAGES 0 UIDNEXT 4000000000 UIDVALIDITY 3 HIGHESTMODSEQ 9)\r\nTAG OK\r\n".to_owned(),
            )),
            _ if command.contains("QRESYNC") => Some(Some(
                "* OK [UIDVALIDITY 3] x\r\n* OK [HIGHESTMODSEQ 9] x\r\n* VANISHED (EARLIER) 1:4294967295\r\nTAG OK\r\n"
                    .to_owned(),
            )),
            _ if command.starts_with("EXAMINE") => {
                Some(Some("* 0 EXISTS\r\n* OK [UIDVALIDITY 3] x\r\n* OK [HIGHESTMODSEQ 9] x\r\nTAG OK\r\n".to_owned()))
            }
            _ if command.starts_with("UID FETCH") => Some(Some("TAG OK\r\n".to_owned())),
            _ => None,
        })
    }
    .start()
    .await;
    let since = Cursor::from([("INBOX".to_owned(), "3.3999999999.5.8".to_owned())]);
    let news = imap.news(Class::Email, &since).await.unwrap();
    assert_eq!(
        news.parts["INBOX"],
        Part::Whole(BTreeMap::new()),
        "too many to name: it is listed whole"
    );
}
