//! What rounds cost, in numbers that no busy machine moves: requests, turns and bytes on the wire to real servers, requests
//! to the organisation, and how often the disk is waited for. `benches/mailbox` has the times.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use liaison::clock::Clock;
use liaison::connector::dav::{self, Dav};
use liaison::connector::imap::{self, Imap};
use liaison::connector::net::{Security, Server};
use liaison::connector::{Connector, tls};
use liaison::filter::email::Automatic;
use liaison::filter::track::Track;
use liaison::model::Class;
use liaison::store::AFTER_PROMISE;

use crate::support::servers::account;
use crate::support::servers::dovecot::{self, Dovecot};
use crate::support::servers::proxy::{Proxy, Script};
use crate::support::servers::radicale::Radicale;
use crate::sync::world::World;

/// What a round costs.
#[derive(Debug, Clone, Copy)]
struct Cost {
    round: &'static str,
    /// Requests to the mailbox; of IMAP, commands. Exact.
    requests: u64,
    /// Requests to the organisation. Exact. Before each batch of writes, one of them asks who syncs.
    crm: u64,
    /// Commits that wait until they are on the disk. Exact.
    promises: u64,
    /// How often the client spoke after the server did, that is, waited for the way there and back. At most: where it asks for
    /// more while answers come, it depends on the pieces in which they come.
    turns: u64,
    /// Both ways, at most.
    bytes: u64,
}

const fn cost(round: &'static str, exact: [u64; 3], at_most: [u64; 2]) -> Cost {
    let ([requests, crm, promises], [turns, bytes]) = (exact, at_most);
    Cost { round, requests, crm, promises, turns, bytes }
}

/// 500 messages in five folders, of which 15 are tracked: as many as are read whole at a time, so that their order does not matter.
const MESSAGES: [Cost; 8] = [
    cost("first look", [23, 1, 1], [8, 300_000]),
    // One of the four asks who syncs, before the batch that is filed.
    cost("the tracked are filed", [24, 4, 2], [10, 60_000]),
    cost("after filing", [1, 0, 0], [1, 4096]),
    cost("quiet, open connection", [1, 0, 0], [1, 4096]),
    cost("1 % new, 1 % flags", [16, 0, 0], [8, 12_000]),
    cost("quiet again", [2, 0, 0], [1, 4096]),
    cost("quiet, new connection", [3, 0, 0], [6, 4096]),
    cost("quiet, new connection, TLS", [3, 0, 0], [8, 6000]),
];

/// A collection of 500 contacts, none of them tracked.
const CONTACTS: [Cost; 3] = [
    cost("first look", [2, 1, 0], [2, 80_000]),
    cost("quiet", [1, 1, 0], [1, 1024]),
    cost("1 % new, 1 % changed", [2, 1, 0], [2, 4096]),
];

/// So long that whatever is said without waiting for an answer goes out before one comes: else turns would be counted in which
/// nobody waited.
const LATE: Script = Script {
    latency: Duration::from_millis(25),
    cut_sent: None,
    cut_received: None,
    stall_received: None,
    stall_request: None,
    stall_answer: None,
    connections: 0,
};

/// A mailbox behind a proxy, and what is counted.
struct Bench {
    world: World,
    class: Class,
    promises: Arc<AtomicU64>,
    found: Vec<Cost>,
}

impl Bench {
    async fn new(class: Class) -> Self {
        let mut world = World::new().await;
        let promises = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&promises);
        world.engine.store = world.store.with_probe(Arc::new(move |stop| {
            counting.fetch_add(u64::from(stop.name == AFTER_PROMISE), Ordering::Relaxed);
            true
        }));
        let settings = world.engine.settings.classes.get_mut(&class).unwrap();
        settings.email.automatic = Automatic::None;
        settings.tracking.track = Track::Manual;
        Self { world, class, promises, found: Vec::new() }
    }

    /// As after a restart of the program.
    fn connect(&mut self, connector: Arc<dyn Connector>) {
        self.world.engine.mailbox.insert(self.class, connector);
    }

    /// One round, which must go well.
    async fn round(&mut self, round: &'static str, proxy: &Proxy) {
        let requests = self.world.engine.mailbox[&self.class].requests();
        let promises = self.promises.load(Ordering::Relaxed);
        proxy.forget();
        let report = self.world.sync(&[self.class]).await;
        let report = &report.classes[&self.class];
        assert!(report.error.is_none() && report.partial.is_empty(), "{round}: {report:?}");
        let counted = proxy.counted();
        self.found.push(Cost {
            round,
            requests: self.world.engine.mailbox[&self.class].requests() - requests,
            crm: report.requests,
            promises: self.promises.load(Ordering::Relaxed) - promises,
            turns: counted.round_trips,
            bytes: counted.sent + counted.received,
        });
    }

    /// All rounds cost what the table says.
    fn check(&self, table: &[Cost]) {
        println!("{:#?}", self.found);
        let exact = |cost: &Cost| (cost.round, cost.requests, cost.crm, cost.promises);
        let (found, said): (Vec<_>, Vec<_>) =
            (self.found.iter().map(exact).collect(), table.iter().map(exact).collect());
        assert_eq!(
            found, said,
            "round, requests, to the organisation, promises: {:#?}",
            self.found
        );
        for (found, limit) in self.found.iter().zip(table) {
            assert!(
                found.turns <= limit.turns && found.bytes <= limit.bytes,
                "{found:?} {limit:?}"
            );
        }
    }
}

fn message(number: usize) -> Vec<u8> {
    let text = "A line of its text, which nobody has to read.\r\n".repeat(50);
    format!(
        "Received: from mail.example.test by mx.example.test; Sat, 21 Nov 2026 10:00:00 +0000\r\n\
         From: Bob <bob{number}@example.test>\r\nTo: anna@example.org\r\n\
         Message-ID: <m{number}@example.test>\r\nSubject: Message {number}\r\n\
         Date: Sat, 21 Nov 2026 10:00:00 +0000\r\n\r\n{text}"
    )
    .into_bytes()
}

fn connector(mut server: Server, proxy: &Proxy) -> Arc<dyn Connector> {
    server.port = proxy.port;
    let options = imap::Options {
        server,
        account: account("anna"),
        leave_out: BTreeSet::new(),
        only: BTreeSet::new(),
        hide: BTreeSet::new(),
        compress: false,
    };
    Arc::new(Imap::new(options, Clock::system()))
}

#[tokio::test(flavor = "multi_thread")]
async fn of_messages() {
    let dovecot = Dovecot::start(dovecot::Options::default());
    let anna = dovecot.elsewhere("anna");
    let folders = ["INBOX", "Archive", "Sent", "Customers", "Orders"];
    for (folder, first) in folders.into_iter().zip((0..).step_by(100)) {
        dovecot.seed("anna", folder, (first..first + 97).map(message));
        let tracked: Vec<Vec<u8>> = (first + 97..first + 100).map(message).collect();
        let tracked: Vec<&[u8]> = tracked.iter().map(Vec::as_slice).collect();
        anna.append_all(folder, &tracked, &["$CrmTracked"]);
    }
    let plain = Proxy::start(dovecot.imap, LATE);
    let mut bench = Bench::new(Class::Email).await;
    bench.connect(connector(dovecot.imap(Security::None), &plain));

    bench.round("first look", &plain).await;
    bench.world.approve_all();
    bench.round("the tracked are filed", &plain).await;
    bench.round("after filing", &plain).await;
    bench.round("quiet, open connection", &plain).await;
    for (folder, first) in folders.into_iter().zip((0..).step_by(100)) {
        anna.append(folder, &message(1000 + first), &[]);
        anna.flag(folder, &format!("<m{first}@example.test>"), &["\\Seen"], true);
    }
    bench.round("1 % new, 1 % flags", &plain).await;
    bench.round("quiet again", &plain).await;
    bench.connect(connector(dovecot.imap(Security::None), &plain));
    bench.round("quiet, new connection", &plain).await;

    // At another port: looked at as another mailbox, once.
    let proxy = Proxy::start(dovecot.imaps, LATE);
    bench.connect(connector(dovecot.imap(Security::Tls), &proxy));
    bench.world.first_sync(&[Class::Email]).await;
    bench.connect(connector(dovecot.imap(Security::Tls), &proxy));
    bench.round("quiet, new connection, TLS", &proxy).await;

    bench.check(&MESSAGES);
    assert_eq!(bench.world.rows("emails").await.len(), 15);
}

fn card(number: usize, title: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c{number}\r\nFN:Ann {number}\r\nN:{number};Ann;;;\r\n\
         EMAIL:c{number}@example.test\r\nTEL;TYPE=WORK:+49 30 {number}\r\nTITLE:{title}\r\nEND:VCARD\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn of_contacts() {
    let radicale = Radicale::start();
    let book = radicale.collection("anna", "contacts");
    let put = |numbers: &mut dyn Iterator<Item = usize>, title: &str| {
        let cards: Vec<(String, String)> =
            numbers.map(|number| (format!("{book}c{number}.vcf"), card(number, title))).collect();
        let cards: Vec<(&str, &[u8])> =
            cards.iter().map(|(url, card)| (url.as_str(), card.as_bytes())).collect();
        radicale.elsewhere("anna").put_all("text/vcard", &cards);
    };
    put(&mut (0..500), "Engineer");
    let port = radicale.url.rsplit_once(':').unwrap().1.parse().unwrap();
    let proxy = Proxy::start(port, LATE);
    let url = book.replace(&format!(":{port}/"), &format!(":{}/", proxy.port));
    let options = dav::Options {
        trust: tls::Trust::Platform,
        account: Some(account("anna")),
        ..dav::Options::new(url, [Class::Contact])
    };
    let mut bench = Bench::new(Class::Contact).await;
    bench.connect(Arc::new(Dav::new(options, Clock::system()).unwrap()));

    bench.round("first look", &proxy).await;
    bench.round("quiet", &proxy).await;
    put(&mut (0..5).chain(1000..1005), "Director");
    bench.round("1 % new, 1 % changed", &proxy).await;

    bench.check(&CONTACTS);
}
