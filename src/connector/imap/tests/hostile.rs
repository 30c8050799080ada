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

/// Codes of DEFLATE (RFC 1951) with the fixed tables: octets, and runs of 258 times the last one.
#[derive(Default)]
struct Deflate {
    bytes: Vec<u8>,
    bits: u32,
    count: u32,
}

impl Deflate {
    fn bit(&mut self, bit: u32) {
        self.bits |= bit << self.count;
        self.count += 1;
        if self.count == 8 {
            self.bytes.push(u8::try_from(self.bits).unwrap());
            (self.bits, self.count) = (0, 0);
        }
    }

    fn code(&mut self, code: u32, length: u32) {
        (0..length).rev().for_each(|at| self.bit(code >> at & 1));
    }

    /// ASCII only.
    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.code(0x30 + u32::from(byte), 8));
    }

    fn run(&mut self) {
        self.code(0b1100_0101, 8);
        self.code(0, 5);
    }
}

/// Announces compression, and sends what becomes hundreds of times as much.
async fn bomb(before: &str, runs: usize) -> (Result<Listing>, u64) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = Options::for_tests();
    options.server.port = listener.local_addr().unwrap().port();
    options.compress = true;
    let mut deflate = Deflate::default();
    // One block that is not the last, with the fixed tables.
    deflate.code(0b010, 3);
    deflate.text(before);
    for _ in 0..runs {
        deflate.run();
    }
    let playing = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let greeting = b"* PREAUTH [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] hello\r\n";
        stream.write_all(greeting).await.unwrap();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return 0;
            }
            let (tag, command) = line.trim_end().split_once(' ').unwrap();
            let data = if command == "CAPABILITY" {
                "* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE\r\n"
            } else {
                ""
            };
            stream.write_all(format!("{data}{tag} OK\r\n").as_bytes()).await.unwrap();
            if command.starts_with("COMPRESS") {
                break;
            }
        }
        let mut sent = 0;
        for piece in deflate.bytes.chunks(1 << 10) {
            if stream.write_all(piece).await.is_err() {
                break;
            }
            sent += piece.len() as u64;
        }
        drop(tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0])).await);
        sent
    });
    let imap = Imap::new(options, Clock::system());
    let listing = tokio::time::timeout(Duration::from_secs(20), imap.list(Class::Email));
    let listing = listing.await.expect("it takes for ever");
    drop(imap);
    (listing, playing.await.unwrap())
}

#[tokio::test]
async fn what_unpacks_to_a_thousand_times_as_much_is_given_up_in_time() {
    // A line of a GiB: after the first of it, nobody reads on.
    let (listing, sent) = bomb("* X aaaa", 4 << 20).await;
    let error = listing.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Malformed, "{error}");
    assert!(error.message.contains("more than 1048576 bytes"), "{error}");
    println!("{sent} bytes were sent of {}", (4 << 20) * 13 / 8);
    // A literal of a GB, announced in the compressed part.
    let (listing, _) = bomb("* 1 FETCH (BODY[] {1000000000}\r\naaaa", 1 << 10).await;
    let error = listing.unwrap_err();
    assert!(error.message.contains("at most"), "{error}");
    // What cannot be unpacked at all.
    let (listing, _) = bomb("\u{0}", 0).await;
    assert!(listing.is_err());
}
