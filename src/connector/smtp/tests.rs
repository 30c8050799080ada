use lettre::transport::smtp::extension::ClientId;
use tokio::io::DuplexStream;

use super::wire::{Guard, Tally};
use super::*;
use crate::connector::auth::Kind;
use crate::connector::net::Security;
use crate::connector::scripted::{DATA, Step, Until, account, play, serve, step};
use crate::connector::tls::Trust;

const HELLO: &str =
    "250-mx.example.org\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 AUTH PLAIN XOAUTH2\r\n";
const MESSAGE: &str = "Subject: x\r\n\r\n.\r\n..two\r\n.x\r\nend.\r\n";

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn submission(message: &str) -> Submission {
    Submission {
        from: address("anna@example.org"),
        to: vec![address("bob@example.org"), address("carl@example.org")],
        message: message.as_bytes().into(),
        partial: false,
    }
}

fn script(bob: &str, carl: &str, data: &str, end: &str) -> Vec<Step> {
    vec![
        step("", "220 mx ready\r\n"),
        step("EHLO [127.0.0.1]\r\n", HELLO),
        step("EHLO [127.0.0.1]\r\n", HELLO),
        step("MAIL FROM:<anna@example.org> SIZE=34\r\n", "250 ok\r\n"),
        step("RCPT TO:<bob@example.org>\r\n", bob),
        step("RCPT TO:<carl@example.org>\r\n", carl),
        step("DATA\r\n", data),
        step(DATA, end),
        step("QUIT\r\n", "221 bye\r\n"),
    ]
}

fn good() -> Vec<Step> {
    script("250 ok\r\n", "250-ok\r\n250 ok\r\n", "354 go\r\n", "250 2.0.0 queued as 7\r\n")
}

async fn submit(near: DuplexStream, submission: &Submission) -> Outcome {
    let tally = Arc::new(Tally::default());
    let guard = Guard::new(Box::new(near), Arc::clone(&tally));
    let hello = ClientId::Ipv4([127, 0, 0, 1].into());
    match Dialogue::greet(guard, tally, hello).await {
        Ok(dialogue) => {
            dialogue.submit(&Letter::new(submission).unwrap(), submission.partial).await
        }
        Err(failure) => failure.into(),
    }
}

async fn against(steps: &[Step], until: Until, submission: &Submission) -> (String, Outcome) {
    let (far, near) = tokio::io::duplex(1 << 16);
    tokio::join!(play(far, steps, until), submit(near, submission))
}

fn phase(outcome: &Outcome) -> (Phase, bool) {
    match outcome {
        Outcome::Refused { phase, permanent, .. } => (*phase, *permanent),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_message_arrives_byte_for_byte() {
    let (heard, outcome) = against(&good(), Until::End, &submission(MESSAGE)).await;
    let (_, data) = heard.split_once("DATA\r\n").unwrap();
    assert_eq!(data, "Subject: x\r\n\r\n..\r\n...two\r\n..x\r\nend.\r\n.\r\nQUIT\r\n");
    let Outcome::Sent { refused, reply } = outcome else { panic!("{outcome:?}") };
    assert_eq!((refused.len(), reply.to_string().as_str()), (0, "250 2.0.0 queued as 7"));
}

#[tokio::test]
async fn a_connection_cut_anywhere_is_never_told_wrongly() {
    let said: usize = good().iter().map(|(_, said)| said.len()).sum();
    let sure = said - "221 bye\r\n".len();
    let taken = sure - "250 2.0.0 queued as 7\r\n".len();
    for at in 0..=said {
        let (_, outcome) = against(&good(), Until::Sent(at), &submission(MESSAGE)).await;
        match outcome {
            Outcome::Sent { .. } => assert!(at >= sure, "cut at {at}"),
            // The full stop may have left before the cut was noticed.
            Outcome::Unknown { phase, .. } => {
                assert!(phase == Phase::End && (taken..sure).contains(&at), "cut at {at}");
            }
            Outcome::Refused { permanent, .. } => assert!(!permanent && at <= taken, "cut at {at}"),
        }
    }
    let (heard, _) = against(&good(), Until::End, &submission(MESSAGE)).await;
    let end = heard.find("\r\n.\r\nQUIT").unwrap() + "\r\n.\r\n".len();
    for at in 1..end + 6 {
        let (_, outcome) = against(&good(), Until::Heard(at), &submission(MESSAGE)).await;
        match outcome {
            Outcome::Sent { .. } => assert!(at > end, "{at}"),
            Outcome::Unknown { .. } => {}
            // Whoever heard the full stop may have the message.
            Outcome::Refused { .. } => assert!(at < end, "{at}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_anywhere_is_given_up() {
    for silent in 0..8 {
        let started = tokio::time::Instant::now();
        let (_, outcome) = against(&good(), Until::Silence(silent), &submission(MESSAGE)).await;
        match outcome {
            Outcome::Refused { permanent: false, why, .. } => {
                assert!(silent < 7 && why.kind == ErrorKind::Unreachable, "{silent}");
            }
            Outcome::Unknown { .. } => assert_eq!(silent, 7),
            other => panic!("{silent}: {other:?}"),
        }
        assert!(started.elapsed() < Duration::from_mins(15), "{silent}");
    }
    // A server that stops taking the message in the middle.
    let steps: Vec<Step> = good().into_iter().take(7).collect();
    let long = format!("A: b\r\n\r\n{}", "x\r\n".repeat(1 << 18));
    let (far, near) = tokio::io::duplex(1 << 10);
    let (mut far, holding) = (far, submission(&long));
    let steps: Vec<Step> = steps
        .into_iter()
        .map(|(heard, said)| if heard.starts_with("MAIL") { ("MAIL", said) } else { (heard, said) })
        .map(|(heard, said)| {
            (heard, String::from_utf8(said).unwrap().replace("SIZE 1000", "SIZE").into_bytes())
        })
        .collect();
    let playing = async {
        play(&mut far, &steps, Until::End).await;
        std::future::pending::<()>().await;
    };
    let outcome = tokio::select! {
        () = playing => unreachable!(),
        outcome = submit(near, &holding) => outcome,
    };
    assert_eq!(phase(&outcome), (Phase::Message, false));
}

#[tokio::test]
async fn a_refusal_at_any_step_says_where_and_for_how_long() {
    let steps = [Phase::Connect, Phase::Connect, Phase::Connect, Phase::Sender, Phase::Recipients];
    let steps = steps.into_iter().chain([Phase::Recipients, Phase::Message, Phase::End]);
    for (at, expected) in steps.enumerate() {
        for (answer, permanent) in
            [("451 4.3.0 later\r\n", false), ("550-5.7.1 never\r\n550 no\r\n", true)]
        {
            let mut script = good();
            script[at].1 = answer.as_bytes().to_vec();
            // A recipient that is refused ends it with a good-bye, once all were named.
            match at {
                4 => drop(script.drain(6..8)),
                5 => drop(script.drain(6..8)),
                _ => drop(script.drain(at + 1..8)),
            }
            let (heard, outcome) = against(&script, Until::End, &submission(MESSAGE)).await;
            assert_eq!(phase(&outcome), (expected, permanent), "{at} {answer}");
            assert!(at >= 6 || !heard.contains("DATA"), "{heard}");
        }
    }
}

#[tokio::test]
async fn a_refused_recipient_stops_it_for_all_unless_the_caller_said_otherwise() {
    let one = || script("250 ok\r\n", "550 who\r\n", "354 go\r\n", "250 ok\r\n");
    let mut stopped = one();
    drop(stopped.drain(6..8));
    let (heard, outcome) = against(&stopped, Until::End, &submission(MESSAGE)).await;
    assert!(!heard.contains("DATA"));
    let Outcome::Refused { permanent: true, recipients, .. } = outcome else { panic!() };
    assert_eq!(recipients[0].0, address("carl@example.org"));
    assert_eq!(recipients[0].1.code, 550);
    let partial = Submission { partial: true, ..submission(MESSAGE) };
    let (_, outcome) = against(&one(), Until::End, &partial).await;
    let Outcome::Sent { refused, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(refused, recipients);
    // Nobody is left: worth another try as long as one of them may be let in.
    for (bob, carl, permanent) in
        [("550 a\r\n", "451 b\r\n", false), ("550 a\r\n", "553 b\r\n", true)]
    {
        let mut none = script(bob, carl, "", "");
        drop(none.drain(6..8));
        let (_, outcome) = against(&none, Until::End, &partial).await;
        assert_eq!(phase(&outcome), (Phase::Recipients, permanent));
    }
}

#[tokio::test]
async fn an_answer_out_of_turn_is_not_taken_for_the_answer() {
    // Said before the message was: it is not the yes to it.
    let early = script("250 ok\r\n", "250 ok\r\n", "354 go\r\n250 queued\r\n", "250 ok\r\n");
    let (heard, outcome) = against(&early, Until::End, &submission(MESSAGE)).await;
    assert_eq!(phase(&outcome), (Phase::Message, false));
    assert!(!heard.contains("Subject"), "{heard}");
    // A no that comes early is a no.
    let early = script("250 ok\r\n", "250 ok\r\n", "354 go\r\n554 virus\r\n", "");
    let (_, outcome) = against(&early, Until::End, &submission(MESSAGE)).await;
    assert_eq!(phase(&outcome), (Phase::Message, true));
    // Answers that are one too many shift all that follow.
    let shifted = script("250 ok\r\n250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n");
    let (_, outcome) = against(&shifted, Until::End, &submission(MESSAGE)).await;
    assert_eq!(phase(&outcome), (Phase::Recipients, false));
    for (data, expected) in [("250 ok\r\n", Phase::Message), ("200 ok\r\n", Phase::Message)] {
        let script = script("250 ok\r\n", "250 ok\r\n", data, "");
        let (_, outcome) = against(&script, Until::End, &submission(MESSAGE)).await;
        assert_eq!(phase(&outcome), (expected, false));
    }
    for end in ["354 go on\r\n", "hello\r\n", "999 x\r\n", "250-a\r\n251 b\r\n", "25\r\n", "\r\n"] {
        let script = script("250 ok\r\n", "250 ok\r\n", "354 go\r\n", end);
        let (_, outcome) = against(&script, Until::Sent(1 << 20), &submission(MESSAGE)).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{end}: {outcome:?}");
    }
    // What servers are forgiven: no text, no ASCII, no CR.
    for end in ["250\r\n", "250 \u{fc}ber\r\n", "250 ok\n", "250 ok\r\n421 bye\r\n"] {
        let script = script("250 ok\r\n", "250 ok\r\n", "354 go\r\n", end);
        let (_, outcome) = against(&script, Until::End, &submission(MESSAGE)).await;
        assert!(matches!(outcome, Outcome::Sent { .. }), "{end}: {outcome:?}");
    }
}

#[tokio::test]
async fn answers_without_end_end() {
    for endless in ["2".repeat(1 << 20), "250-x\r\n".repeat(1_000_000)] {
        for at in [0, 1, 3, 7] {
            let mut script = good();
            script[at].1 = endless.clone().into_bytes();
            let (_, outcome) = against(&script, Until::End, &submission(MESSAGE)).await;
            match outcome {
                Outcome::Refused { permanent: false, .. } => assert!(at < 7),
                Outcome::Unknown { .. } => assert_eq!(at, 7),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn words_slipped_in_before_tls_end_it() {
    let hello = "250-mx\r\n250 STARTTLS\r\n";
    for (hello, answer, says, permanent) in [
        (hello, "220 go\r\n250-injected\r\n250 AUTH PLAIN\r\n", "went on talking", false),
        (hello, "502 no\r\n", "does not begin TLS", true),
        (hello, "220 go\r\n", "no protected connection", false),
        ("250 mx\r\n250 more\r\n", "220 go\r\n", "not asked", false),
    ] {
        let steps = vec![step("", "220 mx\r\n"), step("EHLO", hello), step("STARTTLS", answer)];
        let (mut server, _playing) = serve(vec![(steps, Until::End)]).await;
        server.security = Security::StartTls;
        let account = Some(account(Kind::Password, "secret"));
        let outcome = Smtp::new(Options { server, account }).submit(&submission(MESSAGE)).await;
        assert_eq!(phase(&outcome), (Phase::Connect, permanent), "{answer}");
        let Outcome::Refused { why, .. } = outcome else { panic!() };
        assert!(why.message.contains(says), "{answer}: {why}");
    }
}

#[tokio::test]
async fn signing_in_takes_the_way_that_fits() {
    let opening = |auth: &str| {
        let hello = format!("250-mx\r\n250 {auth}\r\n");
        vec![step("", "220 mx\r\n"), step("EHLO", &hello), step("EHLO", &hello)]
    };
    let token = "t".repeat(600);
    let refused = step("dXNlcj1hbm5h", "334 eyJzdGF0dXMiOiI0MDAifQ==\r\n");
    let cases = [
        (
            Kind::Password,
            "secret",
            "AUTH LOGIN PLAIN",
            vec![step("AUTH PLAIN AGFubmEAc2VjcmV0\r\n", "235 ok\r\n")],
            None,
        ),
        (
            Kind::Password,
            "secret",
            "AUTH=LOGIN",
            vec![
                step("AUTH LOGIN\r\n", "334 VXNlcjo=\r\n"),
                step("YW5uYQ==\r\n", "334 \r\n"),
                step("c2VjcmV0\r\n", "235 ok\r\n"),
            ],
            None,
        ),
        (
            Kind::Token,
            token.as_str(),
            "AUTH PLAIN XOAUTH2",
            vec![step("AUTH XOAUTH2\r\n", "334 \r\n"), refused, step("\r\n", "535 5.7.8 no\r\n")],
            Some(ErrorKind::Unauthorised),
        ),
        (Kind::Token, "t", "AUTH PLAIN", vec![], Some(ErrorKind::Unsupported)),
        (
            Kind::Password,
            "secret",
            "AUTH PLAIN",
            vec![step("AUTH PLAIN", "454 4.7.0 later\r\n")],
            Some(ErrorKind::Throttled(PAUSE)),
        ),
        (
            Kind::Password,
            "secret",
            "AUTH PLAIN",
            vec![step("AUTH PLAIN", "235 ok\r\n"), step("MAIL", "530 5.7.0 first\r\n")],
            Some(ErrorKind::Unauthorised),
        ),
    ];
    for (kind, secret, auth, steps, expected) in cases {
        let steps: Vec<Step> = opening(auth).into_iter().chain(steps).collect();
        let (server, playing) = serve(vec![(steps, Until::End)]).await;
        let options = Options { server, account: Some(account(kind, secret)) };
        let outcome = Smtp::new(options).submit(&submission(MESSAGE)).await;
        let Outcome::Refused { why, .. } = outcome else { panic!("{outcome:?}") };
        // Without a refusal the script just ends after the sign-in.
        assert_eq!(why.kind, expected.unwrap_or(ErrorKind::Unreachable), "{auth}");
        assert!(!format!("{why:?}").contains(secret) || secret == "t", "{why:?}");
        playing.await.unwrap();
    }
}

#[tokio::test]
async fn what_the_server_lacks_is_found_before_the_message_leaves() {
    let plain = "250-mx\r\n250 SIZE 40\r\n";
    let all = "250-mx\r\n250-size 18446744073709551616\r\n250-SMTPUTF8\r\n250 8BITMIME\r\n";
    let opening = |hello: &str| {
        vec![
            step("", "220 mx\r\n"),
            step("EHLO", hello),
            step("EHLO", hello),
            step("MAIL", "450 x\r\n"),
        ]
    };
    let umlaut = "Subject: x\r\n\r\n\u{fc}\r\n";
    let header = "Subject: \u{fc}\r\n\r\nx\r\n";
    let tail = |hello: &'static str, submission: Submission| async move {
        let (server, playing) = serve(vec![(opening(hello), Until::End)]).await;
        let outcome = Smtp::new(Options { server, account: None }).submit(&submission).await;
        (phase(&outcome), playing.await.unwrap().remove(0))
    };
    let to = |to: &str| Submission { to: vec![address(to)], ..submission("A: b\r\n\r\n\r\n") };
    let long = format!("A: b\r\n\r\n{}\r\n", "x".repeat(50));
    for lacking in
        [submission(umlaut), submission(header), submission(&long), to("j\u{fc}rgen@example.org")]
    {
        let ((phase, permanent), heard) = tail(plain, lacking).await;
        assert_eq!((phase, permanent), (Phase::Sender, true));
        assert!(!heard.contains("MAIL"), "{heard}");
    }
    for (has, said) in [
        (submission(umlaut), "> SIZE=18 BODY=8BITMIME\r\n"),
        (submission(header), "> SIZE=18 SMTPUTF8 BODY=8BITMIME\r\n"),
        (to("j\u{fc}rgen@example.org"), "> SIZE=10 SMTPUTF8\r\n"),
        (to("bob@b\u{fc}cher.example"), "> SIZE=10\r\n"),
    ] {
        let (_, heard) = tail(all, has).await;
        assert!(heard.contains(said), "{said}: {heard}");
    }
}

#[test]
fn what_cannot_be_carried_as_it_is_is_refused() {
    let refused =
        |message: &str| Letter::new(&submission(message)).err().map(|error| error.message);
    let long = format!("A: b\r\n\r\n{}\r\n", "x".repeat(999));
    for (message, says) in [
        ("", "line's end"),
        ("A: b\r\n\r\nx", "line's end"),
        ("A: b\n\nx\r\n", "not CRLF"),
        ("A: b\r\n\r\nx\n.\r\n", "not CRLF"),
        ("A: b\r\n\r\nx\r.\r\n", "not CRLF"),
        ("A: b\r\n\r\nx\r\r\n", "not CRLF"),
        ("A: b\r\n\r\nx\0\r\n", "NUL"),
        ("A: b\r\nbCC: hidden@example.org\r\n\r\nx\r\n", "Bcc"),
        ("Bcc : hidden@example.org\r\n\r\nx\r\n", "Bcc"),
        ("Resent-Bcc:\r\n\r\nx\r\n", "Bcc"),
        ("A: b\r\nBcc:\r\n", "Bcc"),
        ("A: b\r\n", "no header"),
        ("\r\nx\r\n", "no header"),
        (long.as_str(), "998"),
    ] {
        let error = refused(message).unwrap_or_default();
        assert!(error.contains(says), "{message:?}: {error}");
    }
    for message in ["A: b\r\n\r\n", "A: b\r\nX-Bcc: c\r\nBcc\r\n\r\nBcc: in the text\r\n"] {
        assert_eq!(refused(message), None, "{message:?}");
    }
    for bad in [
        "nobody",
        "@example.org",
        "a@",
        "a b@example.org",
        "a@b@c d",
        "a>@example.org",
        &format!("{}@example.org", "a".repeat(300)),
    ] {
        let to = vec![address("bob@example.org"), address(bad)];
        let error = Letter::new(&Submission { to, ..submission(MESSAGE) }).err();
        assert_eq!(error.map(|error| error.kind), Some(ErrorKind::Rejected), "{bad}");
    }
    for none in
        ["a\r\nRCPT TO:<x@example.org", "a@example.org>\r\nDATA", "a@exa\nmple.org", "a@b\0.org"]
    {
        assert_eq!(Address::parse(none), None, "{none:?}");
    }
    let twice =
        Submission { to: vec![address("b@x.org"), address("B@x.org")], ..submission(MESSAGE) };
    assert_eq!(Letter::new(&twice).unwrap().to.len(), 1);
    assert!(Letter::new(&Submission { to: Vec::new(), ..submission(MESSAGE) }).is_err());
}

#[tokio::test]
async fn a_server_that_is_not_there_leaves_it_unsent() {
    let server = Server {
        host: "127.0.0.1".to_owned(),
        port: 1,
        security: Security::Tls,
        trust: Trust::Platform,
    };
    let smtp = Smtp::new(Options { server, account: None });
    assert_eq!(phase(&smtp.submit(&submission(MESSAGE)).await), (Phase::Connect, false));
    assert_eq!(phase(&smtp.submit(&submission("x")).await), (Phase::Check, true));
    let shown = format!("{:?}", submission(MESSAGE));
    assert_eq!(shown, "Submission(2 recipients, 34 bytes)");
}

/// Until the message is on its way, a connection that breaks leaves nothing open.
#[tokio::test]
async fn a_sign_in_cut_anywhere_sends_nothing() {
    let steps = vec![
        step("", "220 mx ready\r\n"),
        step("EHLO", HELLO),
        step("EHLO", HELLO),
        step("AUTH PLAIN AGFubmEAc2VjcmV0\r\n", "235 2.7.0 in\r\n"),
        step("MAIL", "250 ok\r\n"),
    ];
    let said: usize = steps.iter().map(|(_, said)| said.len()).sum();
    let scripts = (0..=said).map(|at| (steps.clone(), Until::Sent(at))).collect();
    let (server, playing) = serve(scripts).await;
    let smtp = Smtp::new(Options { server, account: Some(account(Kind::Password, "secret")) });
    for at in 0..=said {
        let outcome = smtp.submit(&submission(MESSAGE)).await;
        let Outcome::Refused { permanent, why, .. } = outcome else { panic!("{at}: {outcome:?}") };
        assert!(!permanent && why.kind == ErrorKind::Unreachable, "{at}: {why:?}");
    }
    for heard in playing.await.unwrap() {
        assert!(!heard.contains("DATA") && !heard.contains("Subject"), "{heard}");
    }
}

/// The same for one that says what is no answer to a sign-in.
#[tokio::test]
async fn a_sign_in_that_goes_wrong_sends_nothing() {
    let odd = [
        "250 ok\r\n",
        "354 go\r\n",
        "334 \r\n",
        "999 x\r\n",
        "235-a\r\n",
        "\r\n",
        "235 in\r\n250 ok\r\n250 ok\r\n",
    ];
    for answer in odd {
        let steps = vec![
            step("", "220 mx ready\r\n"),
            step("EHLO", HELLO),
            step("EHLO", HELLO),
            step("AUTH PLAIN AGFubmEAc2VjcmV0\r\n", answer),
        ];
        let (server, playing) = serve(vec![(steps, Until::End)]).await;
        let smtp = Smtp::new(Options { server, account: Some(account(Kind::Password, "secret")) });
        let outcome = smtp.submit(&submission(MESSAGE)).await;
        assert!(matches!(outcome, Outcome::Refused { .. }), "{answer:?} {outcome:?}");
        let heard = playing.await.unwrap().remove(0);
        assert!(!heard.contains("DATA") && !heard.contains("Subject"), "{heard}");
    }
}
