//! Writing and finding with a connection that breaks at any byte, and a server that refuses at any step: what may have been done
//! is not said to be refused, and nothing is said to be missing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;

/// What was done to the mailbox of the puppet.
#[derive(Debug, Default)]
struct Deeds {
    filed: AtomicBool,
    marked: AtomicBool,
}

const NEW: &str = "Message-ID: <new>\r\n\r\nhello\r\n";

/// The puppet's mailbox, in which a message can be filed, as number 9, and one marked.
fn office(deeds: &Deeds, command: &str) -> Option<String> {
    let is = |deed: &AtomicBool| deed.load(Ordering::SeqCst);
    let flags = if is(&deeds.marked) { "$CrmTracked a" } else { "a" };
    let done = |data: String| Some(format!("{data}TAG OK\r\n"));
    if command.starts_with("APPEND") {
        deeds.filed.store(true, Ordering::SeqCst);
        return Some("TAG OK [APPENDUID 3 9] filed\r\n".to_owned());
    }
    if command.starts_with("UID STORE 7") {
        deeds.marked.store(true, Ordering::SeqCst);
        return done(String::new());
    }
    if command.starts_with("UID SEARCH") && command.contains("new") {
        return done(format!("* SEARCH{}\r\n", if is(&deeds.filed) { " 9" } else { "" }));
    }
    let (uid, text, flags) = if command.starts_with("UID FETCH 9 ") && is(&deeds.filed) {
        (9, NEW, "\\Seen")
    } else if command.starts_with("UID FETCH 7 ") {
        (7, "Message-ID: <a>\r\n\r\nA\n", flags)
    } else {
        return None;
    };
    let length = text.len();
    if command.contains("RFC822.SIZE") {
        return done(format!("* 1 FETCH (UID {uid} RFC822.SIZE {length})\r\n"));
    }
    if command.contains("HEADER.FIELDS") {
        let head = text.split_inclusive("\r\n\r\n").next().unwrap();
        let length = head.len();
        return done(format!(
            "* 1 FETCH (UID {uid} FLAGS ({flags}) BODY[HEADER.FIELDS (\"Message-ID\")] {{{length}}}\r\n{head})\r\n"
        ));
    }
    done(format!("* 1 FETCH (UID {uid} FLAGS ({flags}) BODY[] {{{length}}}\r\n{text})\r\n"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Finding,
    Filing,
    Marking,
}

const ALL: [Doing; 3] = [Doing::Finding, Doing::Filing, Doing::Marking];

/// What a server does instead of giving the answer to the command with this number.
type Twist = Option<(usize, &'static str)>;

/// Does it; whether it came out right, and which commands there were. That nothing wrong is told is checked here.
async fn attempt(doing: Doing, cut: usize, twist: Twist, what: &str) -> (bool, Vec<String>) {
    let deeds = Arc::new(Deeds::default());
    let (doer, number) = (Arc::clone(&deeds), std::sync::atomic::AtomicUsize::new(0));
    let puppet = puppet(move |_, command, _| {
        let number = number.fetch_add(1, Ordering::SeqCst);
        match twist {
            Some((at, said)) if at == number => Some(Some(said.to_owned())),
            _ => office(&doer, command).map(Some),
        }
    });
    let (imap, heard) = Puppet { cut, ..puppet }.start().await;
    let is_right = tokio::time::timeout(Duration::from_secs(20), async {
        match doing {
            Doing::Finding => {
                let found = imap.find(Class::Email, &[Uid::new("b")]).await;
                let right = BTreeMap::from([(Uid::new("b"), ItemId::new("INBOX/3.8"))]);
                if let Ok(found) = &found {
                    assert_eq!(*found, right, "{what}: a message seems to be missing");
                }
                found.is_ok()
            }
            Doing::Filing => {
                let create = Write::Create {
                    id: imap.address(Class::Email, &Uid::new("new")),
                    body: Body::Bytes(NEW.into()),
                };
                told(imap.write(Class::Email, vec![create]).await, &deeds.filed, what)
            }
            Doing::Marking => {
                let mark = Write::Mark {
                    id: asked()[0].clone(),
                    mark: "$CrmTracked".to_owned(),
                    set: true,
                };
                told(imap.write(Class::Email, vec![mark]).await, &deeds.marked, what)
            }
        }
    });
    let is_right = is_right.await.unwrap_or_else(|_| panic!("{what}: it takes for ever"));
    let heard = heard.lock().unwrap().clone();
    (is_right, heard)
}

fn told(written: Result<Vec<Result<Written>>>, deed: &AtomicBool, what: &str) -> bool {
    let is_done = deed.load(Ordering::SeqCst);
    match written.and_then(|mut written| written.remove(0)) {
        Ok(_) => assert!(is_done, "{what}: told as done, and is not"),
        Err(error) if is_done => {
            assert!(error.kind.leaves_open(), "{what}: it was done: {error:?}");
            return false;
        }
        Err(error) => {
            let wrong = [ErrorKind::Missing, ErrorKind::Exists, ErrorKind::Stale];
            assert!(!wrong.contains(&error.kind), "{what}: {error:?}");
            return false;
        }
    }
    true
}

#[tokio::test]
async fn a_connection_cut_anywhere_while_writing_or_finding_leaves_it_open() {
    for doing in ALL {
        let mut whole = 0;
        for cut in 0..2000 {
            let what = format!("{doing:?} cut at {cut}");
            let (is_right, _) = attempt(doing, cut, None, &what).await;
            whole += usize::from(is_right);
            if whole > 2 {
                break;
            }
        }
        assert_eq!(whole, 3, "{doing:?}: the dialogue is longer than that");
    }
}

/// A yes, and nothing of what was asked for.
const NOTHING: &str = "* BAD [X\r\nTAG OK\r\n";

#[tokio::test]
async fn a_command_refused_at_any_step_of_writing_or_finding_is_told_as_it_is() {
    let refusals = [
        "TAG NO\r\n",
        "TAG NO [SERVERBUG] oops\r\n",
        "TAG NO [NOPERM] not you\r\n",
        "TAG NO [CANNOT] never\r\n",
        "TAG NO [OVERQUOTA] full\r\n",
        "TAG BAD what?\r\n",
        "* BYE gone\r\n\0",
        NOTHING,
        "* 1 FETCH (UID\r\nTAG OK\r\n",
        "A9999 OK not yours\r\nTAG NO\r\n",
    ];
    for doing in ALL {
        let (is_right, heard) = attempt(doing, usize::MAX, None, "whole").await;
        assert!(is_right, "{doing:?} {heard:?}");
        for (at, command) in heard.iter().enumerate() {
            for refusal in refusals {
                // Nothing is also what is said of a message that is gone.
                if command.starts_with("UID FETCH") && refusal == NOTHING {
                    continue;
                }
                let what = format!("{doing:?} {command:?} {refusal:?}");
                attempt(doing, usize::MAX, Some((at, refusal)), &what).await;
            }
        }
    }
}
