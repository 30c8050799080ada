use std::sync::Mutex as Record;

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpListener;

use super::super::auth::{Credential, Kind};
use super::super::net::Security;
use super::super::tls::Trust;
use super::*;
use crate::connector::Part;
use crate::model::{Body, Completeness, Version};

mod faults;
mod first;
mod gmail;
mod hostile;
mod idle;
mod pouring;
mod steps;

impl Options {
    /// A server on this machine that nobody protects.
    pub(super) fn for_tests() -> Self {
        let server = Server {
            host: "127.0.0.1".to_owned(),
            port: 1,
            security: Security::None,
            trust: Trust::Platform,
        };
        let secret = Arc::new(Credential::command(Kind::Password, "echo secret"));
        Self {
            server,
            account: Account { user: "anna".to_owned(), secret },
            leave_out: BTreeSet::new(),
            only: BTreeSet::new(),
            hide: BTreeSet::new(),
            compress: false,
        }
    }
}

/// What a server says to a command of a connection, `TAG` standing for the command's tag: nothing hangs up, an empty text is
/// silence.
type Answer = dyn Fn(usize, &str) -> Option<String> + Send + Sync;

/// At the end of an answer: then it hangs up.
const LEAVES: char = '\0';

/// A server that says what a test wants.
struct Puppet {
    greeting: &'static str,
    answer: Box<Answer>,
    /// After so many bytes it hangs up.
    cut: usize,
    /// All commands of all connections.
    heard: Arc<Record<Vec<String>>>,
}

impl Puppet {
    fn new(answer: impl Fn(usize, &str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self {
            greeting: "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN LITERAL+] ready\r\n",
            answer: Box::new(answer),
            cut: usize::MAX,
            heard: Arc::default(),
        }
    }

    /// Listens; the connector that is to talk to it, and what it hears.
    async fn start(self) -> (Imap, Arc<Record<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut options = Options::for_tests();
        options.server.port = listener.local_addr().unwrap().port();
        let heard = Arc::clone(&self.heard);
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                self.talk(stream, connection).await;
            }
        });
        (Imap::new(options, Clock::system()), heard)
    }

    async fn talk(&self, stream: impl AsyncRead + AsyncWrite + Unpin, connection: usize) {
        let mut stream = BufReader::new(stream);
        let mut room = self.cut;
        let mut say = self.greeting.to_owned();
        loop {
            let (text, is_last) =
                say.strip_suffix(LEAVES).map_or((&*say, false), |text| (text, true));
            let sent = text.len().min(room);
            room -= sent;
            if stream.write_all(&text.as_bytes()[..sent]).await.is_err() || room == 0 || is_last {
                return;
            }
            let mut line = String::new();
            while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
                // The octets of a literal and the line that goes on behind.
                let announced =
                    line.trim_end().rsplit_once('{').and_then(|(_, n)| n.strip_suffix("+}"));
                let Some(length) = announced.and_then(|length| length.parse().ok()) else { break };
                let mut octets = vec![0; length];
                if stream.read_exact(&mut octets).await.is_err() {
                    return;
                }
                line.truncate(line.trim_end().len());
                line.push_str(&String::from_utf8_lossy(&octets));
            }
            let Some((tag, command)) = line.trim_end().split_once(' ') else { return };
            self.heard.lock().unwrap().push(command.to_owned());
            match (self.answer)(connection, command) {
                Some(answer) => say = answer.replace("TAG", tag),
                None => return,
            }
        }
    }
}

/// A mailbox of two messages in the inbox and one in *Sent*, on a server that can do little.
fn mailbox(command: &str) -> String {
    let answers = [
        ("AUTHENTICATE", "TAG OK [CAPABILITY IMAP4rev1 UIDPLUS LITERAL+] in\r\n"),
        (
            "LIST",
            "* LIST () \"/\" INBOX\r\n* LIST (\\Sent) \"/\" \"Sent\"\r\n* LIST () \"/\" Drafts\r\nTAG OK\r\n",
        ),
        ("STATUS \"INBOX\"", "* STATUS INBOX (MESSAGES 2 UIDNEXT 9 UIDVALIDITY 3)\r\nTAG OK\r\n"),
        (
            "STATUS \"Sent\"",
            "* STATUS {4}\r\nSent (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)\r\nTAG OK\r\n",
        ),
        (
            "EXAMINE \"INBOX\"",
            "* 2 EXISTS\r\n* FLAGS (\\Seen a)\r\n* OK [UIDVALIDITY 3] x\r\n* OK [UIDNEXT 9] x\r\nTAG OK done\r\n",
        ),
        (
            "EXAMINE \"Sent\"",
            "* 1 EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [UIDVALIDITY 3] x\r\n* OK [UIDNEXT 2] x\r\nTAG OK done\r\n",
        ),
        ("SELECT", "* 2 EXISTS\r\n* OK [UIDVALIDITY 3] x\r\nTAG OK [READ-WRITE] done\r\n"),
        (
            "UID FETCH 7:8 (UID RFC822.SIZE)",
            "* 1 FETCH (UID 7 RFC822.SIZE 20)\r\n* 2 FETCH (RFC822.SIZE 20 UID 8)\r\nTAG OK\r\n",
        ),
        ("UID FETCH 7:8 (UID FLAGS BODY.PEEK", BODIES),
        ("UID SEARCH", "* SEARCH 8\r\nTAG OK\r\n"),
        (
            "UID FETCH 8 (UID BODY.PEEK[HEADER.FIELDS (Message-ID)])",
            "* 2 FETCH (UID 8 BODY[HEADER.FIELDS (\"Message-ID\")] {19}\r\nMessage-ID: <b>\r\n\r\n)\r\nTAG OK\r\n",
        ),
        ("NOOP", "TAG OK\r\n"),
    ];
    let found = answers.iter().find(|(prefix, _)| command.starts_with(prefix));
    found.map_or_else(
        || format!("TAG BAD what is {command}\r\n"),
        |(_, answer)| (*answer).to_owned(),
    )
}

const BODIES: &str = "* 1 FETCH (UID 7 FLAGS (a) BODY[] {21}\r\nMessage-ID: <a>\r\n\r\nA\n)\r\n\
     * 2 FETCH (FLAGS () BODY[] {21}\r\nMessage-ID: <b>\r\n\r\nB\n UID 8)\r\nTAG OK\r\n";

/// The flags of all, told of whichever folder is open.
fn flags(folder: &str) -> &'static str {
    if folder == "INBOX" {
        "* 1 FETCH (UID 7 FLAGS (a))\r\n* 2 FETCH (UID 8 FLAGS (\\Seen))\r\nTAG OK\r\n"
    } else {
        "* 1 FETCH (UID 1 FLAGS ())\r\nTAG OK\r\n"
    }
}

/// A puppet with that mailbox; `twist` may say something else first, and gets the folder that is open.
fn puppet(
    twist: impl Fn(usize, &str, &str) -> Option<Option<String>> + Send + Sync + 'static,
) -> Puppet {
    let open = Record::new(String::new());
    Puppet::new(move |connection, command| {
        let mut open = open.lock().unwrap();
        if let Some(name) = command.strip_prefix("EXAMINE ").or(command.strip_prefix("SELECT ")) {
            *open = name.split('"').nth(1).unwrap_or_default().to_owned();
        }
        match twist(connection, command, &open) {
            Some(answer) => answer,
            None if command.starts_with("UID FETCH 1:* (UID FLAGS)") => {
                Some(flags(&open).to_owned())
            }
            None => Some(mailbox(command)),
        }
    })
}

fn ids(listing: &Listing) -> Vec<&str> {
    listing.entries.keys().map(ItemId::as_str).collect()
}

const ALL: [&str; 3] = ["INBOX/3.7", "INBOX/3.8", "Sent/3.1"];

fn asked() -> Vec<ItemId> {
    ["INBOX/3.7", "INBOX/3.8"].map(ItemId::new).to_vec()
}

#[tokio::test]
async fn a_plain_server_is_enough() {
    let (imap, _) = puppet(|_, _, _| None).start().await;
    let listing = imap.list(Class::Email).await.unwrap();
    assert_eq!(ids(&listing), ALL);
    assert!(listing.is_complete());
    assert_eq!(listing.entries[&ItemId::new("INBOX/3.7")], Version::new("a"));
    let read = imap.read(Class::Email, &asked()).await.unwrap();
    for (id, body) in asked().iter().zip(["A", "B"]) {
        let text = format!("Message-ID: <{}>\r\n\r\n{body}\n", body.to_lowercase());
        assert_eq!(read[id].as_ref().unwrap().body, Body::Bytes(text.into_bytes()));
    }
    let found = imap.find(Class::Email, &[Uid::new("b"), Uid::new("c")]).await.unwrap();
    assert_eq!(found, BTreeMap::from([(Uid::new("b"), ItemId::new("INBOX/3.8"))]));
}

#[test]
fn ids_of_messages_and_of_nothing() {
    for (text, expected) in [
        ("INBOX/3.7", Some(("INBOX", 3, 7))),
        ("a/b.c/3.7", Some(("a/b.c", 3, 7))),
        ("INBOX/3.0", None),
        ("/3.7", None),
        ("INBOX/+3.7", None),
        ("INBOX/3.7.7", None),
        ("INBOX/99999999999.7", None),
        ("INBOX/abc.liaison", None),
        ("INBOX", None),
    ] {
        let id = ItemId::new(text);
        let found = place(&id).map(|place| (place.folder, place.validity, place.uid));
        assert_eq!(found, expected, "{text}");
    }
}
