//! The servers of the tests themselves: that they run side by side, let nobody in who has no business there, and are gone
//! when a test is done with them.

use std::net::{Ipv4Addr, TcpStream};

use crate::support::servers::dovecot::{self, Dovecot, Format};
use crate::support::servers::elsewhere;
use crate::support::servers::radicale::Radicale;

const MESSAGE: &[u8] = b"Message-ID: <one@example.test>\r\nSubject: one\r\n\r\n.\r\n..two\r\n";

#[test]
fn dovecot_delivers_keeps_and_dies() {
    let mut maildir = Dovecot::start(dovecot::Options::default());
    let mdbox = Dovecot::start(dovecot::Options {
        format: Format::Mdbox,
        hide: &["QRESYNC"],
        ..dovecot::Options::default()
    });
    let sent = (0..500).map(|number| format!("Message-ID: <{number}@sent>\r\n\r\n").into_bytes());
    maildir.seed("anna", "Sent", sent);
    assert_eq!(maildir.elsewhere("anna").list("Sent").len(), 500);
    for server in [&maildir, &mdbox] {
        server.deliver("anna", MESSAGE);
        let anna = server.elsewhere("anna");
        anna.flag("INBOX", "<one@example.test>", &[r"\Seen", "Tracked"], true);
        anna.append("INBOX", b"Message-ID: <two@example.test>\r\n\r\n", &[r"\Answered"]);
        anna.delete("INBOX", "<two@example.test>");
        anna.create_folder("Customers/A \"B\"");
        anna.relocate("INBOX", "<one@example.test>", "Customers/A \"B\"");
        assert_eq!(anna.list("INBOX"), []);
        let seen = anna.list("Customers/A \"B\"");
        assert_eq!(seen[0].flags, ["Tracked", r"\Seen"]);
        let message = anna.fetch("Customers/A \"B\"", seen[0].uid);
        assert!(message.ends_with(MESSAGE), "{}", String::from_utf8_lossy(&message));
        assert_eq!(server.elsewhere("bob").list("INBOX"), []);
    }
    maildir.stop();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, maildir.imap)).is_err());
    maildir.resume();
    assert_eq!(maildir.elsewhere("anna").list("Customers/A \"B\"").len(), 1);
    let port = mdbox.imap;
    drop(mdbox);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}

#[test]
fn radicale_serves_its_users_and_nobody_else() {
    let mut radicale = Radicale::start();
    let contacts = radicale.collection("anna", "contacts");
    let card = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:one\r\nFN:One\r\nN:One;;;;\r\nEND:VCARD\r\n";
    let anna = radicale.elsewhere("anna");
    assert_eq!(anna.list(&contacts), [""; 0]);
    anna.put(&format!("{contacts}one.vcf"), "text/vcard", card);
    assert_eq!(anna.list(&contacts), ["/anna/contacts/one.vcf"]);
    for name in ["calendar", "tasks"] {
        assert_eq!(anna.list(&radicale.collection("anna", name)), [""; 0]);
    }
    assert_eq!(radicale.elsewhere("bob").get(&contacts).status, 403);
    assert_eq!(elsewhere::Dav::new("nobody").get(&contacts).status, 401);
    radicale.stop();
    radicale.resume();
    anna.delete(&format!("{contacts}one.vcf"));
    assert_eq!(anna.get(&format!("{contacts}one.vcf")).status, 404);
}
