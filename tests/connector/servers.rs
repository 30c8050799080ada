//! The servers of the tests themselves: that they run side by side, let nobody in who has no business there, and are gone
//! when a test is done with them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::servers::cyrus::{self, Cyrus};
use crate::support::servers::dovecot::{self, Dovecot, Format};
use crate::support::servers::elsewhere;
use crate::support::servers::postfix::{Delivery, Postfix};
use crate::support::servers::process::eventually;
use crate::support::servers::proxy::{Counted, Proxy, Script};
use crate::support::servers::radicale::Radicale;
use crate::support::servers::sink::{self, Sink};
use crate::support::servers::xandikos::Xandikos;
use crate::support::servers::{PASSWORD, python};

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

#[test]
fn cyrus_keeps_mail_and_invites_people() {
    let cyrus =
        Cyrus::start(cyrus::Options { users: &["anna", "bob"], ..cyrus::Options::default() });
    cyrus.elsewhere("anna").append("INBOX", MESSAGE, &["Tracked"]);
    assert_eq!(cyrus.elsewhere("anna").list("INBOX")[0].flags, ["Tracked"]);
    let card = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:one\r\nFN:One\r\nN:One;;;;\r\nEND:VCARD\r\n";
    let (anna, contacts) = (cyrus.dav_elsewhere("anna"), cyrus.address_book("anna", "Default"));
    anna.put(&format!("{contacts}one.vcf"), "text/vcard", card);
    assert_eq!(anna.list(&contacts), ["/dav/addressbooks/user/anna/Default/one.vcf"]);
    let meeting = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VEVENT\r\nUID:one\r\n\
        DTSTAMP:20260101T000000Z\r\nDTSTART:20370105T100000Z\r\nDURATION:PT1H\r\nSUMMARY:One\r\n\
        ORGANIZER:mailto:anna@example.test\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@example.test\r\n\
        ATTENDEE;RSVP=TRUE:mailto:bob@example.test\r\nATTENDEE;RSVP=TRUE:mailto:ann@elsewhere.test\r\n\
        END:VEVENT\r\nEND:VCALENDAR\r\n";
    let url = format!("{}one.ics", cyrus.calendar("anna", "Default"));
    anna.put(&url, "text/calendar", meeting.as_bytes());
    let mail = cyrus.await_outgoing_mail(2);
    for attendee in ["ann@elsewhere.test", "bob@example.test"] {
        let to = format!("To:  <{attendee}>\r\n");
        assert_eq!(mail.iter().filter(|message| message.contains(&to)).count(), 1, "{mail:?}");
    }
}

#[test]
fn cyrus_without_scheduling_invites_nobody() {
    let mut cyrus = Cyrus::start(cyrus::Options {
        users: &["anna"],
        scheduling: false,
        ..cyrus::Options::default()
    });
    let options = elsewhere::Dav::new("anna");
    let answer = &options.requests(&[("OPTIONS", &cyrus.calendar("anna", "Default"), &[], b"")])[0];
    let dav: Vec<&str> = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "dav")
        .map(|(_, value)| value.as_str())
        .collect();
    assert!(dav.join(",").contains("calendar-access"), "{answer:?}");
    assert!(!dav.join(",").contains("calendar-auto-schedule"), "{answer:?}");
    cyrus.stop();
    cyrus.resume();
    assert_eq!(cyrus.elsewhere("anna").list("INBOX"), []);
}

#[test]
fn xandikos_serves_two_collections() {
    let mut xandikos = Xandikos::start();
    let anna = xandikos.elsewhere();
    assert_eq!(anna.list(&xandikos.calendar()), [""; 0]);
    let card = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:one\r\nFN:One\r\nN:One;;;;\r\nEND:VCARD\r\n";
    let url = format!("{}one.vcf", xandikos.address_book());
    anna.put(&url, "text/vcard", card);
    xandikos.stop();
    xandikos.resume();
    assert_eq!(anna.list(&xandikos.address_book()), ["/anna/contacts/addressbook/one.vcf"]);
}

/// One conversation with the sink: a line of commands each, and the answers' codes.
fn converse(sink: &Sink, lines: &[&str]) -> Vec<String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, sink.smtp)).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut answer = || {
        let mut line = String::new();
        while line.is_empty() || line.as_bytes().get(3) == Some(&b'-') {
            line.clear();
            if answers.read_line(&mut line).unwrap_or(0) == 0 {
                return "cut".to_owned();
            }
        }
        line.chars().take(3).collect()
    };
    let mut codes = vec![answer()];
    for line in lines {
        (&stream).write_all(format!("{line}\r\n").as_bytes()).unwrap();
        codes.push(answer());
    }
    codes
}

#[test]
fn the_sink_keeps_what_it_took_and_refuses_as_ordered() {
    let sink = Sink::start(sink::Options { auth: false, slow: 0 });
    let message = "Subject: one\r\n\r\none\r\n.";
    let codes = converse(
        &sink,
        &[
            "EHLO test",
            "MAIL FROM:<anna@example.test>",
            "RCPT TO:<temp@example.test>",
            "RCPT TO:<perm@example.test>",
            "RCPT TO:<bob@example.test>",
            "DATA",
            message,
        ],
    );
    assert_eq!(codes, ["220", "250", "250", "451", "550", "250", "354", "250"]);
    let cut = ["EHLO test", "MAIL FROM:<a@example.test>", "RCPT TO:<drop@x.test>", "DATA", message];
    assert_eq!(converse(&sink, &cut), ["220", "250", "250", "250", "354", "cut"]);
    let taken = sink.await_taken(2);
    let first = "X-Envelope-From: anna@example.test\r\nX-Envelope-To: bob@example.test\r\nSubject: one\r\n\r\none\r\n";
    assert_eq!(String::from_utf8_lossy(&taken[0]), first);
    let closed = Sink::start(sink::Options::default());
    assert_eq!(converse(&closed, &["EHLO test", "MAIL FROM:<a@example.test>"])[2], "530");
}

#[test]
fn the_proxy_cuts_stalls_delays_and_counts() {
    let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let target = echo.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in echo.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || drop(std::io::copy(&mut &stream, &mut &stream)));
        }
    });
    let proxy = Proxy::start(target, Script::default());
    let connect = || {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
        stream
    };
    let said = |mut stream: &TcpStream| {
        stream.write_all(b"hello").unwrap();
        let mut heard = Vec::new();
        let mut buffer = [0; 5];
        while heard.len() < 5 {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(length) => heard.extend_from_slice(&buffer[..length]),
            }
        }
        String::from_utf8(heard).unwrap()
    };
    let open = connect();
    assert_eq!((said(&open), said(&open)), ("hello".to_owned(), "hello".to_owned()));
    let counted = Counted { connections: 1, sent: 10, received: 10, round_trips: 2 };
    assert_eq!(proxy.counted(), counted);

    proxy.script(Script { cut_received: Some(3), connections: 1, ..Script::default() });
    assert_eq!(said(&connect()), "hel");
    assert_eq!(said(&connect()), "hello");
    proxy.script(Script { cut_sent: Some(2), ..Script::default() });
    assert!(said(&connect()).len() <= 2);
    proxy.script(Script { stall_received: Some(4), ..Script::default() });
    let stalled = connect();
    assert_eq!(said(&stalled), "hell");
    stalled.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let kind = (&stalled).read(&mut [0]).unwrap_err().kind();
    assert_eq!(kind, std::io::ErrorKind::WouldBlock, "nobody hung up");
    proxy.script(Script { latency: Duration::from_millis(60), ..Script::default() });
    let begun = Instant::now();
    assert_eq!(said(&connect()), "hello");
    assert!(begun.elapsed() >= Duration::from_millis(120));

    proxy.cut();
    assert_eq!((&open).read(&mut [0]).unwrap_or(0), 0);
    drop(proxy);
}

#[test]
fn postfix_takes_mail_of_dovecots_users() {
    let dovecot = Dovecot::start(dovecot::Options::default());
    let sink = Sink::start(sink::Options { auth: false, slow: 0 });
    let mut to_sink = Postfix::start(&dovecot, Delivery::Sink(&sink));
    let to_dovecot = Postfix::start(&dovecot, Delivery::Dovecot);
    for postfix in [&to_sink, &to_dovecot] {
        let script = "import smtplib, ssl, sys\n\
            starttls, tls, authority, password = sys.argv[1:]\n\
            trust = ssl.create_default_context(cafile=authority)\n\
            def send(client):\n    \
                client.login('anna', password)\n    \
                client.sendmail('anna@example.test', ['bob@example.test'], b'Subject: one\\r\\n\\r\\none\\r\\n')\n    \
                client.quit()\n\
            client = smtplib.SMTP('localhost', int(starttls))\n\
            assert client.ehlo() and not client.has_extn('AUTH')\n\
            client.starttls(context=trust)\n\
            send(client)\n\
            send(smtplib.SMTP_SSL('localhost', int(tls), context=trust))\n";
        let sent = Command::new(python())
            .args(["-c", script, &postfix.submission.to_string()])
            .arg(postfix.submissions.to_string())
            .arg(&postfix.authority)
            .arg(PASSWORD)
            .output()
            .unwrap();
        assert!(
            sent.status.success(),
            "{} {}",
            String::from_utf8_lossy(&sent.stderr),
            postfix.log()
        );
    }
    assert_eq!(sink.await_taken(2).len(), 2, "{}", to_sink.log());
    let bob = dovecot.elsewhere("bob");
    eventually("bob has mail", || bob.list("INBOX").len() == 2);
    to_sink.stop();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, to_sink.submission)).is_err());
    to_sink.resume();
}
