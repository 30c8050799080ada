//! What servers say: IMAP, POP3, SMTP, DAV.

use std::collections::BTreeSet;
use std::sync::Arc;

use liaison::connector::auth::{Account, Credential, Kind};
use liaison::connector::net::{Security, Server};
use liaison::connector::smtp::{Outcome, Submission};
use liaison::connector::tls::Trust;
use liaison::connector::{Cursor, dav, imap, pop3, smtp};
use liaison::model::{Address, ItemId, Uid};
use liaison::secret::Secret;

use super::wire::{Script, TURN, run};

/// What a server can do, by the first byte of an input.
pub const CAPABILITIES: [&str; 6] = [
    "IMAP4rev1",
    "IMAP4rev1 LITERAL+ UIDPLUS LIST-EXTENDED LIST-STATUS SPECIAL-USE ESEARCH",
    "IMAP4rev1 LIST-STATUS CONDSTORE ENABLE ID",
    "IMAP4rev1 LITERAL+ LIST-STATUS ENABLE CONDSTORE QRESYNC UIDPLUS SPECIAL-USE",
    "IMAP4rev1 X-GM-EXT-1 CONDSTORE ENABLE LITERAL- NAMESPACE",
    "IMAP4rev2 ENABLE",
];

/// How much of an answer arrives at once: which must not matter.
const PIECES: [usize; 2] = [1 << 16, 5];

fn server() -> Server {
    Server {
        host: "mail.example".to_owned(),
        port: 1,
        security: Security::None,
        trust: Trust::Platform,
    }
}

fn account() -> Account {
    let secret = Arc::new(Credential::command(Kind::Password, "false"));
    Account { user: "anna".to_owned(), secret }
}

/// An IMAP server that knows the user and then says the turns of `bytes`, one a command.
///
/// However the answer is cut, it means the same; a command is done only when the server said so by its tag.
///
/// # Panics
/// When that does not hold.
pub fn imap(bytes: &[u8]) {
    let Some((first, said)) = bytes.split_first() else { return };
    let capabilities = CAPABILITIES[usize::from(*first) % CAPABILITIES.len()];
    let mut script = format!("* PREAUTH [CAPABILITY {capabilities}] hello\r\n\0").into_bytes();
    script.extend_from_slice(said);
    let options = imap::Options {
        server: server(),
        account: account(),
        leave_out: BTreeSet::new(),
        only: BTreeSet::new(),
        hide: BTreeSet::new(),
        compress: false,
    };
    let since = Cursor::from([
        ("INBOX".to_owned(), "7.10.3.20".to_owned()),
        ("Archive".to_owned(), "8.5.2.k".to_owned()),
        ("Old".to_owned(), "nonsense".to_owned()),
    ]);
    let (message, uid) = (ItemId::new("INBOX/7.4"), Uid::new("<a@b.example>"));
    let outcomes = PIECES.map(|piece| {
        let wire = Box::new(Script::in_turn(&script, piece));
        let steps = run(imap::rehearse::rehearse(&options, wire, &since, (&message, &uid)));
        let says = |words: &str| {
            said.windows(words.len()).any(|window| window.eq_ignore_ascii_case(words.as_bytes()))
        };
        for step in steps.iter().filter(|step| step.outcome.is_ok()) {
            if let Some(tag) = &step.tag {
                assert!(says(&format!("{tag} OK")), "{}: done unsaid", step.name);
            }
            // What is read has an outcome of its own for each message.
            let is_command = !["greet", "read"].contains(&step.name);
            assert!(!is_command || says(" OK"), "{}: done, and nothing was", step.name);
        }
        format!("{steps:?}")
    });
    assert_eq!(outcomes[0], outcomes[1], "it hangs on how the answer is cut");
}

/// A POP3 server that says `bytes`.
///
/// However the answer is cut, it means the same; names are short, numbers are no zero and stand there once; a list comes only
/// after a yes.
///
/// # Panics
/// When that does not hold.
pub fn pop3(bytes: &[u8]) {
    let options = pop3::Options { server: server(), account: account() };
    let secret = Secret::new("secret");
    let outcomes = PIECES.map(|piece| {
        let wire = Box::new(Script::at_once(bytes, piece));
        let heard = run(pop3::rehearse::rehearse(&options, wire, &secret));
        if let Ok(heard) = &heard {
            let numbers: BTreeSet<u32> = heard.names.iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers.len(), heard.names.len());
            assert!(!numbers.contains(&0));
            assert!(heard.names.iter().all(|(_, name)| (1..=255).contains(&name.len())));
            let yes = bytes.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"+OK"));
            // The greeting, the password, the list.
            assert!(yes.count() >= 3, "a list without a yes");
        }
        format!("{heard:?}")
    });
    assert_eq!(outcomes[0], outcomes[1], "it hangs on how the answer is cut");
}

/// An SMTP server that says the turns of `bytes`, one a command.
///
/// A message counts as sent only when its end was answered with a yes, and as refused only when it was not.
///
/// # Panics
/// When that does not hold.
pub fn smtp(bytes: &[u8]) {
    let address = |text: &str| Address::parse(text).expect("an address");
    let message = "Subject: x\r\n\r\n.\r\n..two\r\nend.\r\n";
    for partial in [false, true] {
        let submission = Submission {
            from: address("anna@example.org"),
            to: vec![address("bob@example.org"), address("carl@example.org")],
            message: message.as_bytes().into(),
            partial,
        };
        let outcomes = PIECES.map(|piece| {
            let wire = Script::in_turn(bytes, piece);
            let (server, account, secret) = (server(), account(), Secret::new("secret"));
            let signing_in = (&server, &account, &secret);
            let outcome = run(smtp::rehearse::rehearse(wire, signing_in, &submission));
            let turns: Vec<&[u8]> = bytes.split(|byte| *byte == TURN).collect();
            if let Outcome::Sent { reply, refused } = &outcome {
                assert!((200..300).contains(&reply.code));
                assert!(partial || refused.is_empty());
                assert!(refused.len() < submission.to.len());
                let go = turns.iter().position(|turn| says(turn, b"354")).expect("leave to send");
                assert!(turns[go..].iter().any(|turn| says(turn, b"2")), "sent without a yes");
            }
            // What a server says out of turn may be cut, and then cannot be repeated.
            match outcome {
                Outcome::Sent { refused, reply } => format!("{refused:?} {reply:?}"),
                Outcome::Refused { phase, .. } | Outcome::Unknown { phase, .. } => {
                    format!("{phase:?}")
                }
            }
        });
        assert_eq!(outcomes[0], outcomes[1], "it hangs on how the answer is cut");
    }
}

fn says(turn: &[u8], code: &[u8]) -> bool {
    turn.split(|byte| *byte == b'\n').any(|line| line.starts_with(code))
}

/// What a DAV server answers.
///
/// It is read whole or not at all: without its last character no list is one.
///
/// # Panics
/// When that does not hold.
pub fn multistatus(bytes: &[u8]) {
    drop(dav::multistatus::conditions(bytes));
    match dav::multistatus::read(bytes) {
        Ok(read) => {
            assert!(read.responses.len() <= bytes.len() / "<response/>".len());
            let end = bytes.iter().rposition(|byte| *byte == b'>').expect("an end");
            assert!(dav::multistatus::read(&bytes[..end]).is_err(), "cut off and whole");
            let without_end = bytes.windows(2).rposition(|two| two == b"</").unwrap_or_default();
            drop(dav::multistatus::read(&bytes[..without_end]));
        }
        Err(error) => assert!(!error.message.is_empty()),
    }
}
