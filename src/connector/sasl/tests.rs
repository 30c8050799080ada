use super::*;

const SERVER: (&str, u16) = ("mail.example.org", 993);

fn begin(mechanism: Mechanism, user: &str, secret: &str) -> Exchange {
    mechanism.begin(user, &Secret::new(secret), SERVER).unwrap()
}

fn plain(text: &Secret) -> String {
    String::from_utf8(BASE64.decode(text.expose()).unwrap()).unwrap()
}

#[test]
fn the_published_examples_come_out() {
    // RFC 4616 §4.
    let mut exchange = begin(Mechanism::Plain, "tim", "tanstaaftanstaaf");
    assert_eq!(exchange.initial().unwrap().expose(), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
    // Google's page on XOAUTH2.
    let token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg";
    let mut exchange = begin(Mechanism::XOAuth2, "someuser@example.com", token);
    assert_eq!(
        exchange.initial().unwrap().expose(),
        "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52\
         YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=="
    );
    // RFC 7628 §4.1.
    let mut exchange = Mechanism::OAuthBearer
        .begin(
            "user@example.com",
            &Secret::new("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="),
            ("server.example.com", 143),
        )
        .unwrap();
    assert_eq!(
        plain(&exchange.initial().unwrap()),
        "n,a=user@example.com,\u{1}host=server.example.com\u{1}port=143\u{1}\
         auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\u{1}\u{1}"
    );
}

#[test]
fn without_an_initial_response_the_server_asks_first() {
    let mut exchange = begin(Mechanism::Plain, "tim", "word");
    assert_eq!(plain(&exchange.answer("").unwrap()), "\0tim\0word");
    assert!(exchange.answer("").is_err());
    let mut exchange = begin(Mechanism::Login, "tim", "word");
    assert!(exchange.initial().is_none());
    assert_eq!(plain(&exchange.answer("VXNlcm5hbWU6").unwrap()), "tim");
    // In whatever words it asks, or in none.
    assert_eq!(plain(&exchange.answer("!").unwrap()), "word");
    assert_eq!(exchange.answer("").unwrap_err().kind, ErrorKind::Unauthorised);
}

#[test]
fn a_refused_token_is_answered_and_named() {
    let refusal = BASE64.encode(r#"{"status":"invalid_token","scope":"mail"}"#);
    let mut exchange = begin(Mechanism::OAuthBearer, "anna", "token");
    exchange.initial().unwrap();
    assert_eq!(exchange.answer(&refusal).unwrap().expose(), "AQ==");
    assert_eq!(exchange.refusal(), Some("invalid_token"));
    let mut exchange = begin(Mechanism::XOAuth2, "anna", "token");
    exchange.initial().unwrap();
    assert_eq!(exchange.answer(&BASE64.encode(r#"{"status":401}"#)).unwrap().expose(), "");
    assert_eq!(exchange.refusal(), Some("401"));
}

#[test]
fn hostile_challenges_end() {
    let deep = BASE64.encode("[".repeat(5_000));
    let shout = BASE64.encode(format!(r#"{{"status":"{}"}}"#, "a b\u{1b}".repeat(30)));
    for challenge in ["%%%", &deep, &shout, "bnVsbA=="] {
        let mut exchange = begin(Mechanism::XOAuth2, "anna", "token");
        exchange.initial().unwrap();
        exchange.answer(challenge).unwrap();
        assert_eq!(exchange.refusal(), Some("refused"));
    }
    let mut exchange = begin(Mechanism::XOAuth2, "anna", "token");
    assert!(exchange.answer(&"A".repeat(CHALLENGE_LIMIT + 1)).is_err());
    let mut exchange = begin(Mechanism::XOAuth2, "anna", "token");
    let answers = (0..100).take_while(|_| exchange.answer("").is_ok()).count();
    assert!(answers < 10, "{answers}");
}

#[test]
fn names_cannot_break_out_and_secrets_do_not_print() {
    let mut exchange = begin(Mechanism::OAuthBearer, "a,b=c", "token");
    assert!(plain(&exchange.initial().unwrap()).starts_with("n,a=a=2Cb=3Dc,\u{1}"));
    for (user, secret) in [("", "x"), ("a\0b", "x"), ("a", "x\u{1}auth=Bearer y")] {
        let error = Mechanism::Plain.begin(user, &Secret::new(secret), SERVER).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthorised);
    }
    assert!(!format!("{:?}", begin(Mechanism::Plain, "anna", "hunter2")).contains("hunter2"));
}

#[test]
fn the_mechanism_fits_secret_and_server() {
    let choose = |kind, offered: &str| Mechanism::choose(kind, offered.split(' '));
    assert_eq!(choose(Kind::Password, "LOGIN PLAIN XOAUTH2"), Some(Mechanism::Plain));
    assert_eq!(choose(Kind::Password, "login xoauth2"), Some(Mechanism::Login));
    assert_eq!(choose(Kind::Token, "PLAIN XOAUTH2"), Some(Mechanism::XOAuth2));
    assert_eq!(choose(Kind::Token, "xoauth2 oauthbearer"), Some(Mechanism::OAuthBearer));
    assert_eq!(choose(Kind::Token, "PLAIN LOGIN"), None);
    assert_eq!(choose(Kind::Password, "SCRAM-SHA-256 PLAINER"), None);
}
