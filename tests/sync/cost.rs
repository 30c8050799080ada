//! What rounds cost, in numbers that no busy machine moves: commands, requests, turns and bytes on the wire to real servers, and
//! commits of the store. `benches/mailbox` has the times.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use liaison::clock::Clock;
use liaison::connector::dav::{self, Dav};
use liaison::connector::imap::{self, Imap};
use liaison::connector::net::Security;
use liaison::connector::{Connector, tls};
use liaison::filter::email::Automatic;
use liaison::model::Class;
use liaison::store::AFTER_COMMIT;

use super::world::World;
use crate::support::servers::account;
use crate::support::servers::dovecot::{self, Dovecot};
use crate::support::servers::proxy::{Proxy, Script};
use crate::support::servers::radicale::Radicale;

/// A mailbox behind a proxy, and what is counted.
struct Bench {
    world: World,
    proxy: Proxy,
    connector: Arc<dyn Connector>,
    class: Class,
    commits: Arc<AtomicU64>,
}

/// What a round cost.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    /// To the mailbox.
    requests: u64,
    commits: u64,
    /// New connections to the mailbox.
    connections: usize,
}

impl Bench {
    async fn new(class: Class, proxy: Proxy, connector: Arc<dyn Connector>) -> Self {
        let mut world = World::new().await;
        let commits = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&commits);
        world.engine.store = world.store.with_probe(Arc::new(move |point| {
            counting.fetch_add(u64::from(point == AFTER_COMMIT), Ordering::Relaxed);
            true
        }));
        world.engine.mailbox.insert(class, Arc::clone(&connector));
        let settings = world.engine.settings.classes.get_mut(&class).unwrap();
        settings.email.automatic = Automatic::None;
        settings.tracking.track = liaison::filter::track::Track::Manual;
        Self { world, proxy, connector, class, commits }
    }

    /// One round, and how many bytes went by.
    async fn round(&self) -> (Cost, u64) {
        let (requests, commits) = (self.connector.requests(), self.commits.load(Ordering::Relaxed));
        self.proxy.forget();
        let report = self.world.sync(&[self.class]).await;
        let report = &report.classes[&self.class];
        assert!(report.error.is_none() && report.partial.is_empty(), "{report:?}");
        let counted = self.proxy.counted();
        let cost = Cost {
            requests: self.connector.requests() - requests,
            commits: self.commits.load(Ordering::Relaxed) - commits,
            connections: counted.connections,
        };
        (cost, counted.sent + counted.received)
    }
}

fn message(number: usize) -> Vec<u8> {
    format!(
        "Received: from mail.example.test by mx.example.test; Sat, 21 Nov 2026 10:00:00 +0000\n\
         From: Bob <bob{number}@example.test>\nTo: anna@example.org\nMessage-ID: <m{number}@example.test>\n\
         Subject: Message {number}\nDate: Sat, 21 Nov 2026 10:00:00 +0000\n\n{}",
        "A line of its text, which nobody has to read.\n".repeat(50)
    )
    .into_bytes()
}

/// 500 messages in ten folders.
#[tokio::test(flavor = "multi_thread")]
async fn of_messages() {
    let dovecot = Dovecot::start(dovecot::Options::default());
    let folders: Vec<String> = (0..10)
        .map(|folder| if folder == 0 { "INBOX".into() } else { format!("F{folder}") })
        .collect();
    for (number, folder) in folders.iter().enumerate() {
        dovecot.seed("anna", folder, (0..50).map(|each| message(number * 50 + each)));
    }
    let proxy = Proxy::start(dovecot.imap, Script::default());
    let mut server = dovecot.imap(Security::None);
    server.port = proxy.port;
    let options = imap::Options {
        server,
        account: account("anna"),
        leave_out: BTreeSet::new(),
        only: BTreeSet::new(),
        hide: BTreeSet::new(),
        compress: false,
    };
    let imap = Arc::new(Imap::new(options, Clock::system()));
    let bench = Bench::new(Class::Email, proxy, imap).await;

    let (first, bytes) = bench.round().await;
    // LIST, for each folder EXAMINE and FETCH of the flags, then EXAMINE and FETCH of the heads.
    assert_eq!(first, Cost { requests: 0, commits: 0, connections: 1 });
    assert!(bytes < 500 * 400, "{bytes}");

    let (quiet, bytes) = bench.round().await;
    assert_eq!(quiet, Cost { requests: 1, commits: 2, connections: 0 });
    assert!(bytes <= 4096, "{bytes}");

    let anna = dovecot.elsewhere("anna");
    for (number, folder) in folders.iter().enumerate().take(5) {
        anna.append(folder, &message(1000 + number), &[]);
        anna.flag(folder, &format!("<m{}@example.test>", number * 50), &["\\Seen"], true);
    }
    let (changes, bytes) = bench.round().await;
    // LIST, EXAMINE with what is known of five folders, then EXAMINE and FETCH of the new heads of five.
    assert_eq!(changes, Cost { requests: 0, commits: 0, connections: 0 });
    assert!(bytes <= 20_000, "{bytes}");
    let (quiet, _) = bench.round().await;
    assert_eq!(quiet, Cost { requests: 1, commits: 2, connections: 0 });
}

fn card(number: usize, title: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c{number}\r\nFN:Ann {number}\r\nN:{number};Ann;;;\r\n\
         EMAIL:c{number}@example.test\r\nTEL;TYPE=WORK:+49 30 {number}\r\nTITLE:{title}\r\nEND:VCARD\r\n"
    )
}

/// 500 contacts.
#[tokio::test(flavor = "multi_thread")]
async fn of_contacts() {
    let radicale = Radicale::start();
    let book = radicale.collection("anna", "contacts");
    let cards: Vec<(String, String)> =
        (0..500).map(|number| (format!("{book}c{number}.vcf"), card(number, "Engineer"))).collect();
    let cards: Vec<(&str, &[u8])> =
        cards.iter().map(|(url, card)| (url.as_str(), card.as_bytes())).collect();
    let anna = radicale.elsewhere("anna");
    anna.put_all("text/vcard", &cards);
    let port = radicale.url.rsplit_once(':').unwrap().1.parse().unwrap();
    let proxy = Proxy::start(port, Script::default());
    let url = book.replace(&format!(":{port}/"), &format!(":{}/", proxy.port));
    let options = dav::Options {
        trust: tls::Trust::Platform,
        account: Some(account("anna")),
        ..dav::Options::new(url, [Class::Contact])
    };
    let dav = Arc::new(Dav::new(options, Clock::system()).unwrap());
    let bench = Bench::new(Class::Contact, proxy, dav).await;

    let (first, bytes) = bench.round().await;
    // One listing and one reading of 500.
    assert_eq!(first, Cost { requests: 2, commits: 0, connections: 1 });
    assert!(bytes < 500 * 1500, "{bytes}");

    let (quiet, bytes) = bench.round().await;
    assert_eq!(quiet, Cost { requests: 1, commits: 0, connections: 0 });
    assert!(bytes <= 1024, "{bytes}");

    for number in (0..5).chain(1000..1005) {
        let card = card(number, "Director");
        anna.put(&format!("{book}c{number}.vcf"), "text/vcard", card.as_bytes());
    }
    let (changes, bytes) = bench.round().await;
    assert_eq!(changes, Cost { requests: 2, commits: 0, connections: 0 });
    assert!(bytes <= 20_000, "{bytes}");
}
