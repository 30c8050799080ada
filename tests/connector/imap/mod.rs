//! The IMAP connector against Dovecot, by each way of finding changes that a server may leave open. Who changes things behind
//! its back is Python's `imaplib`.

use std::collections::{BTreeMap, BTreeSet};

use liaison::clock::Clock;
use liaison::connector::imap::{Imap, Options};
use liaison::connector::net::Security;
use liaison::connector::{Connector, Cursor, News, Part};
use liaison::model::{Class, Completeness, ItemId};

use crate::support::servers::dovecot::{self, Dovecot};
use crate::support::servers::{account, elsewhere};

mod looking;
mod reading;
mod writing;

/// What servers may lack: nothing, QRESYNC, both extensions and what makes one question enough.
const SERVERS: [&[&str]; 3] = [
    &[],
    &["QRESYNC"],
    &[
        "QRESYNC",
        "CONDSTORE",
        "LIST-STATUS",
        "LIST-EXTENDED",
        "ESEARCH",
        "SPECIAL-USE",
        "UNSELECT",
        "ENABLE",
    ],
];

fn start(hide: &'static [&'static str]) -> Dovecot {
    Dovecot::start(dovecot::Options { hide, ..dovecot::Options::default() })
}

fn options(dovecot: &Dovecot, security: Security) -> Options {
    Options {
        server: dovecot.imap(security),
        account: account("anna"),
        leave_out: BTreeSet::new(),
        only: BTreeSet::new(),
        hide: BTreeSet::new(),
        compress: false,
    }
}

fn connector(dovecot: &Dovecot) -> Imap {
    Imap::new(options(dovecot, Security::None), Clock::system())
}

fn message(name: &str) -> Vec<u8> {
    format!(
        "From: Bob <bob@example.test>\r\nTo: anna@example.test\r\nMessage-ID: <{name}@example.test>\r\n\
         Subject: {name}\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\nThis is {name}.\r\n"
    )
    .into_bytes()
}

fn append(anna: &elsewhere::Imap, folder: &str, names: &[&str]) {
    let messages: Vec<Vec<u8>> = names.iter().map(|name| message(name)).collect();
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    anna.append_all(folder, &messages, &["\\Seen"]);
}

/// A sync's view of the mailbox: what it holds by what it was told.
#[derive(Default)]
struct View {
    messages: BTreeMap<ItemId, String>,
    cursor: Cursor,
}

impl View {
    async fn update(&mut self, imap: &Imap) -> News {
        let news = imap.news(Class::Email, &self.cursor).await.unwrap();
        assert_eq!(news.completeness, Completeness::Complete);
        for (collection, part) in &news.parts {
            match part {
                Part::Whole(messages) => {
                    self.messages.retain(|id, _| id.collection() != collection);
                    self.add(messages);
                }
                Part::Changes { changed, gone } => {
                    self.messages.retain(|id, _| !gone.contains(id));
                    self.add(changed);
                }
            }
        }
        self.cursor = news.cursor.clone();
        news
    }

    fn add(&mut self, messages: &BTreeMap<ItemId, liaison::model::Version>) {
        for (id, version) in messages {
            self.messages.insert(id.clone(), version.to_string());
        }
    }

    /// The folders of all messages with their versions, and how many there are of each.
    fn count(&self) -> Vec<(String, usize)> {
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for (id, version) in &self.messages {
            *count
                .entry(format!("{} {version}", id.collection()).trim().to_owned())
                .or_default() += 1;
        }
        count.into_iter().collect()
    }
}

fn count(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
    expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}
