//! Everything of a person by one sign-in (messages, sending, contacts and the CRM), and the service at work: tokens that end under
//! its hands, and a provider that forgets them all.

use std::sync::{Arc, Mutex};
use std::thread;

use liaison::connector::net::Security;
use serde_json::json;

use super::desktop::{Desktop, oauth};
use super::flows::asking;
use crate::daemon::service::Service;
use crate::sending::kill::mails;
use crate::support::servers::PASSWORD;
use crate::support::servers::dovecot::Dovecot;
use crate::support::servers::elsewhere;
use crate::support::servers::gate::Gate;
use crate::support::servers::postfix::{Delivery, Postfix};
use crate::support::servers::process::eventually;
use crate::support::servers::provider::visit;
use crate::support::servers::proxy::{Proxy, Script};
use crate::support::servers::radicale::Radicale;
use crate::support::servers::sink::{self, Sink};

/// Of access tokens, in seconds: shorter than any of these stories.
const LIFETIME: u32 = 3;

/// What there is around the desktop.
struct Servers {
    dovecot: Dovecot,
    /// The way to its IMAP.
    wire: Proxy,
    radicale: Radicale,
    /// Before the contacts.
    gate: Gate,
    sink: Sink,
    _postfix: Postfix,
}

struct Day {
    // Before the servers: nothing asks them any more when it goes.
    service: Service,
    desktop: Desktop,
    servers: Servers,
    /// How often the service began to need a sign-in: so often a person is told.
    questions: Arc<Mutex<usize>>,
    happened: usize,
}

impl Day {
    /// A card and a message are in step already, and were allowed to be.
    fn begin() -> Self {
        let mut servers = None;
        let desktop = Desktop::open(LIFETIME, |provider| {
            let dovecot = asking(provider);
            let (radicale, sink) =
                (Radicale::start(), Sink::start(sink::Options { auth: false, slow: 0 }));
            let wire = Proxy::start(dovecot.imaps, Script::default());
            let gate = Gate::before(&radicale.url, provider, Some(PASSWORD));
            let postfix = Postfix::start(&dovecot, Delivery::Sink(&sink));
            let ca = |path: &std::path::Path| format!("ca = '{}'", path.display());
            let text = format!(
                "\n[mailbox.email]\nkind = \"imap\"\nhost = \"localhost\"\nport = {}\n{}\nuser = \"anna\"\n\
                 oauth = {{ {oauth}, scopes = [\"imap\", \"smtp\"] }}\n\
                 \n[mailbox.submission]\nhost = \"localhost\"\nport = {}\nsecurity = \"starttls\"\n{}\n\
                 \n[mailbox.contacts]\nkind = \"carddav\"\nurl = \"{}/anna/contacts/\"\n\
                 \n[sync.contact]\ntrack = \"all\"\n\n[sync.email]\ntrack = \"known-senders\"\nsend = true\n\
                 \n[service]\ninterval = 1\n",
                wire.port,
                ca(&dovecot.authority),
                postfix.smtp(Security::StartTls).port,
                ca(&postfix.authority),
                gate.url,
                oauth = oauth(provider),
            );
            servers = Some(Servers { dovecot, wire, radicale, gate, sink, _postfix: postfix });
            text
        });
        desktop.sign_in();
        let service = Service::start_as(&desktop.here, desktop.command(&["run", "-v"]));
        let questions = count(&service);
        let servers = servers.unwrap();
        let mut day = Self { service, desktop, servers, questions, happened: 0 };
        day.card("c0");
        for _ in 0..2 {
            day.service.reaches("held");
            day.desktop.run(&["approve", "--all"]).ends(0);
            day.service.reaches("in-step");
            if day.happened == 0 {
                day.mail("m0");
                day.happened = 1;
            }
        }
        eventually("the first message is filed", || day.filed("m0") == 1);
        day
    }

    fn card(&self, name: &str) {
        let url = format!("{}{name}.vcf", self.servers.radicale.collection("anna", "contacts"));
        let card = format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{name}\r\nFN:Ann {name}\r\nN:{name};Ann;;;\r\n\
             EMAIL:{name}@example.com\r\nEND:VCARD\r\n"
        );
        elsewhere::Dav::new("anna").put(&url, "text/vcard", card.as_bytes());
    }

    fn mail(&self, subject: &str) {
        let message = format!(
            "Message-ID: <{subject}@elsewhere.invalid>\r\nDate: Sun, 22 Nov 2026 08:00:00 +0000\r\n\
             From: c0@example.com\r\nTo: anna@example.org\r\nSubject: {subject}\r\n\r\nHello.\r\n"
        );
        self.servers.dovecot.deliver("anna", message.as_bytes());
    }

    fn filed(&self, subject: &str) -> usize {
        let query = format!("emails?$select=activityid&$filter=subject%20eq%20'{subject}'");
        self.desktop.organisation.rows(&query).len()
    }

    fn known(&self, name: &str) -> usize {
        let query = format!("contacts?$select=contactid&$filter=lastname%20eq%20'{name}'");
        self.desktop.organisation.rows(&query).len()
    }

    /// Something happens in every place: a card, a message that comes in, and one that is to be sent.
    fn happens(&mut self) -> usize {
        let number = self.happened;
        self.happened += 1;
        self.card(&format!("c{number}"));
        self.mail(&format!("m{number}"));
        mails(&self.desktop.organisation, [number]);
        number
    }

    /// All of it arrives, once.
    #[track_caller]
    fn arrives(&self, number: usize) {
        let sent = self.servers.sink.taken().len();
        eventually("the card is in the CRM", || self.known(&format!("c{number}")) == 1);
        eventually("the message is filed", || self.filed(&format!("m{number}")) == 1);
        eventually("the mail is sent", || self.servers.sink.taken().len() == number);
        self.service.reaches("in-step");
        assert!(sent <= number, "{sent} were sent");
        let audit = self.desktop.organisation.audit();
        for table in ["contact", "email"] {
            let repeated = audit[table]["repeated"].as_array().map_or(0, Vec::len);
            assert_eq!(repeated, 0, "{audit}");
        }
    }

    /// Waits until the service was given other tokens than it has.
    fn tokens_end(&self) {
        let before = self.desktop.provider.refreshes();
        eventually("tokens end", || self.desktop.provider.refreshes() >= before + 2);
    }
}

/// Counts how often the service says that it needs a sign-in after it did not.
fn count(service: &Service) -> Arc<Mutex<usize>> {
    let questions = Arc::<Mutex<usize>>::default();
    let (mut client, counted) = (service.client(), Arc::clone(&questions));
    client.send(&json!("events"));
    thread::spawn(move || {
        let mut needed = 0;
        while let Some(line) = client.next() {
            let Some(needs) = line["event"]["status"]["needs"].as_array() else { continue };
            let now = needs.iter().filter(|need| need["kind"] == "sign-in").count();
            *counted.lock().unwrap() += now.saturating_sub(needed);
            needed = now;
        }
    });
    questions
}

#[test]
fn tokens_that_end_under_the_hands_of_the_service_cost_nothing() {
    let mut day = Day::begin();
    for _ in 0..2 {
        day.tokens_end();
        // Sessions with the mail server were opened with what is no good any more.
        day.servers.wire.cut();
        let number = day.happens();
        day.arrives(number);
    }
    assert_eq!(*day.questions.lock().unwrap(), 0);
    assert_eq!(day.desktop.refusals(), 0);
    // On a busy machine one may end on its way; none is used that is known to be over.
    let log = day.servers.gate.log();
    let refused = log.lines().filter(|line| line.starts_with("refused")).count();
    let given = day.desktop.provider.refreshes();
    assert!(log.contains("let in "), "{log}");
    assert!(refused * 3 < given, "{refused} of {given} tokens were used beyond their end: {log}");
}

#[test]
fn a_provider_that_forgot_everything_costs_one_question() {
    let mut day = Day::begin();
    day.desktop.provider.stop();
    day.desktop.provider.resume();
    day.service.reaches("sign-in");
    let number = day.happens();
    let before = day.desktop.here.read("log").matches("a round ended early").count();
    eventually("other rounds come to the same", || {
        day.mail("knock");
        let now = day.desktop.here.read("log").matches("a round ended early").count();
        now > before || day.service.status()["state"] == "sign-in"
    });
    let told = day.service.reaches("sign-in");
    let needs = told["needs"].as_array().unwrap();
    assert_eq!(needs.len(), 1, "{told:#}");
    assert_eq!((&needs[0]["kind"], &needs[0]["count"]), (&"sign-in".into(), &1.into()), "{told:#}");
    day.desktop.run(&["status"]).ends(6).says("liaison auth login");
    assert_eq!(day.desktop.refusals(), 1, "what is known to be dead was tried again");

    let waiting = day.desktop.begin(&["--no-browser"]);
    visit(&waiting.address, "anna", true);
    waiting.ends(0);
    day.arrives(number);
    assert_eq!(*day.questions.lock().unwrap(), 1);
}

#[test]
fn who_says_sync_now_gets_one_try() {
    let mut day = Day::begin();
    day.desktop.provider.close_accounts(true);
    day.service.reaches("sign-in");
    let number = day.happens();
    for tries in 2..4 {
        day.desktop.run(&["sync"]).ends(6);
        assert_eq!(day.desktop.refusals(), tries);
    }
    day.desktop.provider.close_accounts(false);
    assert_eq!(day.service.status()["state"], "sign-in");
    day.desktop.run(&["sync"]);
    day.arrives(number);
    assert_eq!((day.desktop.refusals(), *day.questions.lock().unwrap()), (3, 1));
}
