//! IMAP servers, by each way of finding changes that they leave open, with Python's `imaplib` as the other program.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use liaison::clock::Clock;
use liaison::connector::Connector;
use liaison::connector::auth::Account;
use liaison::connector::imap::{Imap, Options};
use liaison::connector::net::{Security, Server};
use liaison::model::Class;

use super::conform;
use super::subject::{Elsewhere, Subject};
use crate::support::servers::cyrus::{self, Cyrus};
use crate::support::servers::dovecot::{self, Dovecot, Format};
use crate::support::servers::{account, elsewhere, stranger};

#[tokio::test(flavor = "multi_thread")]
async fn dovecot_holds_messages_as_maildir() {
    conform(&dovecot("Dovecot", Format::Maildir, &[])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dovecot_holds_messages_as_mdbox() {
    conform(&dovecot("Dovecot with mdbox", Format::Mdbox, &[])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dovecot_without_qresync_holds_messages() {
    conform(&dovecot("Dovecot without QRESYNC", Format::Maildir, &["QRESYNC"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dovecot_without_condstore_holds_messages() {
    let hidden = &["QRESYNC", "CONDSTORE"];
    conform(&dovecot("Dovecot without CONDSTORE", Format::Maildir, hidden)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cyrus_holds_messages() {
    let server = Cyrus::start(cyrus::Options::default());
    let (address, client) = (server.imap(), server.elsewhere("anna"));
    let server = Mutex::new(server);
    let serve = move |up: bool| {
        let mut server = server.lock().unwrap();
        if up { server.resume() } else { server.stop() }
    };
    conform(&subject("Cyrus", address, client, Box::new(serve))).await;
}

fn dovecot(name: &'static str, format: Format, hide: &'static [&'static str]) -> Subject {
    let server = Dovecot::start(dovecot::Options { format, hide, ..dovecot::Options::default() });
    let (address, client) = (server.imap(Security::StartTls), server.elsewhere("anna"));
    let server = Mutex::new(server);
    let serve = move |up: bool| {
        let mut server = server.lock().unwrap();
        if up { server.resume() } else { server.stop() }
    };
    subject(name, address, client, Box::new(serve))
}

fn subject(
    name: &'static str,
    server: Server,
    client: elsewhere::Imap,
    serve: Box<dyn Fn(bool) + Send + Sync>,
) -> Subject {
    let connect = move |account: Account| -> Arc<dyn Connector> {
        let options = Options {
            server: server.clone(),
            account,
            leave_out: [].into(),
            only: [].into(),
            hide: [].into(),
            compress: false,
        };
        Arc::new(Imap::new(options, Clock::system()))
    };
    let strange = connect.clone();
    Subject {
        name,
        class: Class::Email,
        connect: Box::new(move || connect(account("anna"))),
        stranger: Some(Box::new(move || strange(stranger("anna")))),
        serve,
        elsewhere: Box::new(Mailbox { client }),
        wire: true,
        // Cyrus refuses what has no header.
        takes_anything: name != "Cyrus",
        many: 600,
    }
}

/// Another client of the same mailbox.
struct Mailbox {
    client: elsewhere::Imap,
}

/// The folders that are there from the beginning.
const OWN: [&str; 6] = ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"];

impl Elsewhere for Mailbox {
    fn put(&self, items: &[(&str, Vec<u8>)]) {
        let messages: Vec<&[u8]> = items.iter().map(|(_, body)| body.as_slice()).collect();
        self.client.append_all("INBOX", &messages, &[]);
    }

    fn put_as(&self, name: &str, _uid: &str, body: &[u8]) -> bool {
        let folder = encoded(name);
        let is_there = self.client.can_create_folder(&folder);
        if is_there {
            self.client.append(&folder, body, &[]);
        }
        is_there
    }

    fn delete(&self, uid: &str) {
        self.client.delete("INBOX", &format!("<{uid}>"));
    }

    fn clear(&self) {
        for folder in self.client.folders() {
            if OWN.contains(&folder.as_str()) {
                self.client.clear(&folder);
            } else {
                self.client.delete_folder(&folder);
            }
        }
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        self.client.folders().iter().flat_map(|folder| self.client.bodies(folder)).collect()
    }

    fn mark(&self, uid: &str, mark: &str, set: bool) {
        self.client.flag("INBOX", &format!("<{uid}>"), &[mark], set);
    }

    fn marks(&self, uid: &str) -> Vec<String> {
        let seen = self.client.list("INBOX").into_iter();
        let mut seen = seen.filter(|seen| seen.message_id == format!("<{uid}>"));
        seen.next().expect("it is there").flags
    }
}

/// The name of a folder on the wire (RFC 3501, 5.1.3).
fn encoded(name: &str) -> String {
    let mut wire = String::new();
    let mut waiting = Vec::new();
    for char in name.chars().map(Some).chain([None]) {
        if let Some(char) = char.filter(|char| !char.is_ascii()) {
            waiting
                .extend(char.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()));
            continue;
        }
        if !waiting.is_empty() {
            let text = STANDARD_NO_PAD.encode(std::mem::take(&mut waiting)).replace('/', ",");
            wire.extend(["&", text.as_str(), "-"]);
        }
        match char {
            Some('&') => wire.push_str("&-"),
            Some(char) => wire.push(char),
            None => {}
        }
    }
    wire
}
