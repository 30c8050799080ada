use std::time::Duration;

use super::reply::{Capabilities, Numbered, Refusal, Status};
use super::*;
use crate::connector::auth::Kind;
use crate::connector::net::Security;
use crate::connector::scripted::{Step, Until, account, play, serve, step};
use crate::secret::Secret;

mod faults;

const CAPA: &str = "+OK\r\nTOP\r\nUIDL\r\nUSER\r\nPIPELINING\r\nSASL PLAIN LOGIN XOAUTH2\r\n.\r\n";

fn script(steps: &[(&'static str, &str)]) -> Vec<Step> {
    let opening =
        [("", "+OK ready\r\n"), ("CAPA", CAPA), ("AUTH PLAIN AGFubmEAc2VjcmV0", "+OK\r\n")];
    opening.iter().chain(steps).map(|(heard, said)| step(heard, said)).collect()
}

async fn pop3(scripts: Vec<(Vec<Step>, Until)>) -> (Pop3, tokio::task::JoinHandle<Vec<String>>) {
    let (server, playing) = serve(scripts).await;
    (Pop3::new(Options { server, account: account(Kind::Password, "secret") }), playing)
}

fn id(name: &str) -> ItemId {
    ItemId::new(format!("INBOX/{name}"))
}

fn bytes(document: &Result<Document>) -> String {
    match &document.as_ref().unwrap().body {
        Body::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn news_is_everything_until_the_server_lists_the_same_again() {
    let listing = "+OK\r\n1 a/b\r\n2 c%d\r\n.\r\n";
    let again = "+OK\r\n1 c%d\r\n2 a/b\r\n.\r\n";
    let other = "+OK\r\n1 c%d\r\n.\r\n";
    let scripts = [listing, again, other]
        .map(|listing| (script(&[("UIDL", listing), ("QUIT", "+OK\r\n")]), Until::End));
    let (pop3, playing) = pop3(scripts.into()).await;
    let first = pop3.news(Class::Email, &Cursor::new()).await.unwrap();
    let expected = [id("a%2Fb"), id("c%25d")].map(|id| (id, Version::new("")));
    assert_eq!(first.parts, BTreeMap::from([("INBOX".to_owned(), Part::Whole(expected.into()))]));
    assert_eq!(id("a%2Fb").collection(), "INBOX");
    let second = pop3.news(Class::Email, &first.cursor).await.unwrap();
    assert!(second.parts.is_empty() && second.cursor == first.cursor);
    let third = pop3.news(Class::Email, &second.cursor).await.unwrap();
    let left = BTreeMap::from([(id("c%25d"), Version::new(""))]);
    assert_eq!(third.parts, BTreeMap::from([("INBOX".to_owned(), Part::Whole(left))]));
    for heard in playing.await.unwrap() {
        assert!(heard.ends_with("UIDL\r\nQUIT\r\n") && !heard.contains("DELE"), "{heard}");
    }
}

#[tokio::test]
async fn heads_and_messages_come_as_they_are() {
    let listing = ("UIDL", "+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n");
    let head = "+OK\r\nSubject: x\r\n\r\nnot asked for\r\n.\r\n";
    let heads =
        script(&[listing, ("TOP 1 0", head), ("TOP 2 0", "-ERR no\r\n"), ("QUIT", "+OK\r\n")]);
    let body = "+OK\r\nA: b\r\n\r\n..\r\n..x\r\n.\n.\r\r\n\u{e4}\r\n.\r\n";
    let messages = script(&[
        listing,
        ("LIST", "+OK\r\n1 20\r\n2 99999999999\r\n3 7 more\r\n.\r\n"),
        ("RETR 1", body),
        ("RETR 3", "-ERR [SYS/TEMP] later\r\n"),
        ("QUIT", "+OK\r\n"),
    ]);
    let (pop3, playing) = pop3(vec![(heads, Until::End), (messages, Until::End)]).await;
    let ids = [id("a"), id("b"), id("z")];
    let heads = pop3.heads(Class::Email, &ids).await.unwrap();
    assert_eq!(bytes(&heads[&id("a")]), "Subject: x\r\n\r\n");
    assert_eq!(heads[&id("b")].as_ref().unwrap_err().kind, ErrorKind::Rejected);
    assert_eq!(heads[&id("z")].as_ref().unwrap_err().kind, ErrorKind::Missing);
    let bodies = pop3.read(Class::Email, &[id("c"), id("a"), id("b")]).await.unwrap();
    assert_eq!(bytes(&bodies[&id("a")]), "A: b\r\n\r\n.\r\n.x\r\n\n.\r\r\n\u{e4}\r\n");
    assert!(bodies[&id("b")].as_ref().unwrap_err().message.contains("larger than 64 MiB"));
    assert!(matches!(bodies[&id("c")].as_ref().unwrap_err().kind, ErrorKind::Throttled(_)));
    playing.await.unwrap();
}

#[tokio::test]
async fn without_capabilities_everything_is_tried() {
    let user = [
        ("", "+OK\r\n"),
        ("CAPA", "-ERR what?\r\n"),
        ("USER anna", "+OK\r\n"),
        ("PASS secret", "+OK\r\n"),
    ];
    let message = "+OK\r\nMessage-ID: <m@x>\r\n\r\nbody\r\n.\r\n";
    let rest = [
        ("UIDL", "+OK\r\n1 a\r\n.\r\n"),
        ("TOP 1 0", "-ERR what?\r\n"),
        ("RETR 1", message),
        ("QUIT", "+OK\r\n"),
    ];
    let steps = user.iter().chain(&rest).map(|(heard, said)| step(heard, said)).collect();
    let none = [("UIDL", "-ERR what?\r\n"), ("QUIT", "+OK\r\n")];
    let none = user.iter().chain(&none).map(|(heard, said)| step(heard, said)).collect();
    let (pop3, playing) = pop3(vec![(steps, Until::End), (none, Until::End)]).await;
    let found = pop3.find(Class::Email, &[Uid::new("m@x"), Uid::new("n@x")]).await.unwrap();
    assert_eq!(found, BTreeMap::from([(Uid::new("m@x"), id("a"))]));
    assert_eq!(pop3.list(Class::Email).await.unwrap_err().kind, ErrorKind::Unsupported);
    assert_eq!(pop3.list(Class::Task).await.unwrap_err().kind, ErrorKind::Unsupported);
    playing.await.unwrap();
}

#[tokio::test]
async fn a_connection_cut_anywhere_is_an_error_and_what_was_read_stays() {
    let steps = script(&[("UIDL", "+OK\r\n1 a\r\n2 b\r\n.\r\n")]);
    let all: usize = steps.iter().map(|(_, said)| said.len()).sum();
    let cuts = (0..=all).map(|at| (steps.clone(), Until::Sent(at))).collect();
    let (pop3, _playing) = pop3(cuts).await;
    for at in 0..=all {
        let listed = pop3.news(Class::Email, &Cursor::new()).await;
        assert_eq!(listed.is_ok(), at == all, "cut at {at}");
        assert!(listed.is_ok_and(|news| news.parts.len() == 1) || at < all);
    }
    let steps = script(&[
        ("UIDL", "+OK\r\n1 a\r\n2 b\r\n.\r\n"),
        ("LIST", "+OK\r\n1 1\r\n2 1\r\n.\r\n"),
        ("RETR 1", "+OK\r\nA: b\r\n\r\n.\r\n"),
        ("RETR 2", "+OK\r\nA: b\r\n"),
    ]);
    let (pop3, _playing) = self::pop3(vec![(steps, Until::End)]).await;
    let read = pop3.read(Class::Email, &[id("a"), id("b")]).await.unwrap();
    assert_eq!(bytes(&read[&id("a")]), "A: b\r\n\r\n");
    assert_eq!(read[&id("b")].as_ref().unwrap_err().kind, ErrorKind::Unreachable);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_anywhere_is_given_up() {
    let steps = script(&[("UIDL", "+OK\r\n1 a\r\n.\r\n")]);
    for silent in 0..steps.len() {
        let (far, near) = tokio::io::duplex(4096);
        let using = async {
            let mut session = Session::greeted(Box::new(near)).await?;
            let account = account(Kind::Password, "secret");
            let server = Server {
                host: "localhost".to_owned(),
                port: 110,
                security: Security::None,
                trust: crate::connector::tls::Trust::Platform,
            };
            session.sign_in(&server, &account, &Secret::new("secret")).await?;
            session.uidl().await
        };
        let started = tokio::time::Instant::now();
        let (_, used) = tokio::join!(play(far, &steps, Until::Silence(silent)), using);
        assert_eq!(used.unwrap_err().kind, ErrorKind::Unreachable, "{silent}");
        assert!(started.elapsed() < Duration::from_mins(2), "{silent}");
    }
}

#[tokio::test]
async fn hostile_listings_end() {
    let million = "1 a\r\n".repeat(1_000_000);
    let many: Vec<String> = (1..=1_000_000).map(|number| format!("{number} u{number}")).collect();
    let many = many.join("\r\n");
    let bad = [
        "0 a",
        "-1 a",
        "+1 a",
        "4294967296 a",
        "99999999999999999999999 a",
        "1",
        "1 ",
        "x y",
        "1 a b",
        "1 a\r\n1 b",
        &format!("1 {}", "u".repeat(300)),
        &"x".repeat(1 << 20),
        million.trim_end(),
        &many,
    ]
    .map(|lines| format!("+OK\r\n{lines}\r\n.\r\n"));
    let scripts = bad.iter().map(|listing| (script(&[("UIDL", listing)]), Until::End)).collect();
    let (pop3, _playing) = pop3(scripts).await;
    for listing in &bad {
        let error = pop3.list(Class::Email).await.unwrap_err();
        let shown: String = listing.chars().take(40).collect();
        assert_eq!(error.kind, ErrorKind::Unreachable, "{shown}");
    }
    let endless = vec![step("", &"+".repeat(1 << 20))];
    let lines: Vec<String> = (0..100_000).map(|line| format!("X-{line}\r\n")).collect();
    let lines = lines.concat();
    let capable = vec![step("", "+OK\r\n"), step("CAPA", &format!("+OK\r\n{lines}.\r\n"))];
    let (pop3, _playing) = self::pop3(vec![(endless, Until::End), (capable, Until::End)]).await;
    for _ in 0..2 {
        assert_eq!(pop3.list(Class::Email).await.unwrap_err().kind, ErrorKind::Unreachable);
    }
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_read_over() {
    let body = format!("+OK\r\n{}\r\n..\r\n{}\r\n.\r\n", "x".repeat(50), "y".repeat(50));
    let next = "+OK\r\n..\r\n.\r\n+OK\r\n12345678\r\n.\r\n+OK\r\n123456789\r\n.\r\n";
    let steps = [step("", "+OK\r\n"), step("CAPA", &format!("-ERR\r\n{body}{next}"))];
    let (far, near) = tokio::io::duplex(64);
    let reading = async {
        let mut session = Session::greeted(Box::new(near)).await.unwrap();
        assert_eq!(session.answer(10).await.unwrap().unwrap_err().kind, ErrorKind::Rejected);
        assert_eq!(session.answer(10).await.unwrap().unwrap(), b".\r\n");
        assert_eq!(session.answer(10).await.unwrap().unwrap(), b"12345678\r\n");
        assert_eq!(session.answer(10).await.unwrap().unwrap_err().kind, ErrorKind::Rejected);
    };
    tokio::join!(play(far, &steps, Until::End), reading);
}

#[tokio::test]
async fn words_slipped_in_before_tls_end_it() {
    for (answer, says) in [
        ("+OK go\r\n+OK injected\r\n", "went on talking"),
        ("-ERR no\r\n", "begin TLS"),
        ("+OK go\r\n", "no protected connection"),
    ] {
        let steps = vec![step("", "+OK\r\n"), step("STLS", answer)];
        let (mut server, _playing) = serve(vec![(steps, Until::End)]).await;
        server.security = Security::StartTls;
        let options = Options { server, account: account(Kind::Password, "secret") };
        let error = Pop3::new(options).list(Class::Email).await.unwrap_err();
        assert!(error.message.contains(says), "{answer}: {error}");
    }
}

type Fits = fn(ErrorKind) -> bool;

#[tokio::test]
async fn sign_ins_end_as_the_server_says() {
    let capa = |more: &str| step("CAPA", &format!("+OK\r\n{more}SASL PLAIN XOAUTH2\r\n.\r\n"));
    let tries: [(&str, &str, Fits); 5] = [
        ("", "-ERR wrong secret\r\n", |kind| kind == ErrorKind::Unauthorised),
        ("AUTH-RESP-CODE\r\n", "-ERR [AUTH] no\r\n", |kind| kind == ErrorKind::Unauthorised),
        ("AUTH-RESP-CODE\r\n", "-ERR down\r\n", |kind| matches!(kind, ErrorKind::Throttled(_))),
        ("", "-ERR [in-use] locked\r\n", |kind| {
            kind == ErrorKind::Throttled(Duration::from_mins(1))
        }),
        ("LOGIN-DELAY 900 USER\r\n", "-ERR [LOGIN-DELAY] often\r\n", |kind| {
            kind == ErrorKind::Throttled(Duration::from_mins(15))
        }),
    ];
    for (more, answer, fits) in tries {
        let steps = vec![step("", "+OK\r\n"), capa(more), step("AUTH PLAIN ", answer)];
        let (pop3, _playing) = pop3(vec![(steps, Until::End)]).await;
        let error = pop3.list(Class::Email).await.unwrap_err();
        assert!(fits(error.kind), "{answer}: {:?}", error.kind);
        assert!(!error.message.contains("wrong secret"), "{error}");
    }
    // A token is too long for the command; a refusal comes as a challenge first.
    let token = "t".repeat(300);
    let steps = vec![
        step("", "+OK\r\n"),
        capa(""),
        step("AUTH XOAUTH2\r\n", "+ \r\n"),
        step("dXNlcj1hbm5hAWF1dGg9QmVhcmVyIH", "+ eyJzdGF0dXMiOiI0MDAifQ==\r\n"),
        step("\r\n", "-ERR [AUTH] no\r\n"),
    ];
    let (server, playing) = serve(vec![(steps, Until::End)]).await;
    let options = Options { server, account: account(Kind::Token, &token) };
    let error = Pop3::new(options).list(Class::Email).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorised);
    playing.await.unwrap();
}

#[test]
fn messages_that_share_a_unique_id_are_told_apart_or_left_out() {
    let uidl = |names: &[&str]| -> Vec<(u32, String)> {
        (1..).zip(names.iter().map(|name| (*name).to_owned())).collect()
    };
    let listed = |uidl: &[(u32, String)], heads: &[(u32, &str)]| {
        let heads = heads.iter().map(|(number, uid)| (*number, Uid::new(*uid))).collect();
        Names::new(uidl, &heads)
    };
    let ids = |names: &Names| -> BTreeSet<ItemId> { names.newest().map(|(_, id)| id).collect() };
    let three = uidl(&["a", "a", "b", "a"]);
    assert_eq!(names::repeated(&three), [1, 2, 4]);
    // Two copies of one message, and another: two items, wherever they stand.
    let names = listed(&three, &[(1, "x"), (2, "y"), (4, "x")]);
    assert_eq!(ids(&names).len(), 3);
    assert_eq!(names.doubt(), None);
    let turned = listed(&uidl(&["a", "b", "a"]), &[(1, "y"), (3, "x")]);
    assert_eq!(ids(&names), ids(&turned));
    // Nothing to tell it by: left out, and said so.
    let names = listed(&three, &[(1, "x"), (2, "y")]);
    assert_eq!(ids(&names).len(), 3);
    assert!(names.doubt().unwrap().starts_with("1 messages share"), "{:?}", names.doubt());
    // What was alone before is there, but which it is cannot be judged.
    assert_eq!(names.number(&id("a")).unwrap_err().kind, ErrorKind::Forbidden);
    assert_eq!(names.number(&id("b")).unwrap(), 3);
    assert_eq!(names.number(&id("c")).unwrap_err().kind, ErrorKind::Missing);
    let alone = listed(&uidl(&["a"]), &[]);
    let shared = ids(&turned).into_iter().find(|id| id.as_str().contains(';')).unwrap();
    assert_eq!(alone.number(&shared).unwrap_err().kind, ErrorKind::Forbidden);
    assert_eq!(names::token(&uidl(&["a", "b"])), names::token(&uidl(&["b", "a"])));
    assert_ne!(names::token(&uidl(&["a", "b"])), names::token(&uidl(&["a", "b", "b"])));
}

#[test]
fn status_lines_and_capabilities_read_as_they_are_meant() {
    let refusal = |code: &str, words: &str| {
        let code = (!code.is_empty()).then(|| code.to_owned());
        Status::No(Refusal { code, words: words.to_owned() })
    };
    for (line, expected) in [
        ("+OK", Status::Ok),
        ("+OK ready [x]", Status::Ok),
        ("+ ", Status::Challenge(String::new())),
        ("+", Status::Challenge(String::new())),
        ("+ abc=", Status::Challenge("abc=".to_owned())),
        ("-ERR", refusal("", "")),
        ("-ERR [sys/temp] \u{1b}[1mtry", refusal("SYS/TEMP", "[1mtry")),
        ("-ERR [open", refusal("", "[open")),
    ] {
        assert_eq!(Status::parse(line).unwrap(), expected, "{line}");
    }
    for line in ["", "OK", "* OK", "+OKAY", "-ERROR x", "\u{fffd}"] {
        assert!(Status::parse(line).is_err(), "{line}");
    }
    let lines = ["sasl PLAIN XOAUTH2", "LOGIN-DELAY 99999999999", "TOP"].map(str::to_owned);
    let known = Capabilities::parse(&lines);
    assert_eq!(known.sasl().collect::<Vec<_>>(), ["PLAIN", "XOAUTH2"]);
    assert_eq!(known.login_delay(), Some(Duration::from_hours(1)));
    assert_eq!((known.has("TOP"), known.has("UIDL")), (Some(true), Some(false)));
    assert_eq!(Capabilities::default().has("TOP"), None);
    let mut sizes = Numbered::new();
    sizes.push("1 18446744073709551615", reply::size).unwrap();
    assert!(sizes.push("2 18446744073709551616", reply::size).is_err());
    assert!(sizes.push("2 -1", reply::size).is_err());
}
