//! A hundred mails to a real server, over a wire that is cut at every step and at many bytes of the dialogue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use liaison::connector::net::Security;
use liaison::connector::outgoing::Courier;
use liaison::connector::smtp::{self, Outcome, Smtp, Submission};

use super::stage::{Stage, name, sync};
use crate::support::servers::proxy::{Proxy, Script};
use crate::support::servers::sink::{self, Sink};

const MAILS: usize = 100;

/// Cuts each connection at another place; later ones not.
struct Cut {
    smtp: Smtp,
    proxy: Proxy,
    scripts: Vec<Script>,
    next: AtomicUsize,
}

#[async_trait]
impl Courier for Cut {
    async fn submit(&self, submission: &Submission) -> Outcome {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        self.proxy.script(self.scripts.get(number).copied().unwrap_or_default());
        self.smtp.submit(submission).await
    }

    fn files_itself(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn wherever_the_wire_breaks_nobody_gets_a_mail_twice_and_none_is_lost() {
    let mut stage = Stage::start().await;
    let desk = stage.desk();
    let sink = Sink::start(sink::Options { auth: false, ..sink::Options::default() });
    let proxy = Proxy::start(sink.smtp, Script::default());
    let mut server = sink.smtp(Security::None);
    server.port = proxy.port;
    let smtp = Smtp::new(smtp::Options { server, account: None });
    let mut cut = Cut { smtp, proxy, scripts: Vec::new(), next: AtomicUsize::new(0) };
    // One goes through whole, to see how long the dialogue is.
    let first = stage.mails(1).await;
    cut.proxy.forget();
    let cut = {
        let courier = Arc::new(cut);
        assert_eq!(sync(&stage.engine(&desk, Arc::clone(&courier) as _)).await.outgoing.sent, 1);
        cut = Arc::into_inner(courier).unwrap();
        let counted = cut.proxy.counted();
        let half = MAILS as u64 / 2;
        let at = |number: u64, length: u64| {
            if number < 20 { length - number } else { length * (number - 20) / 30 }
        };
        cut.scripts = (0..half)
            .flat_map(|number| {
                [
                    Script { cut_sent: Some(at(number, counted.sent)), ..Script::default() },
                    Script {
                        cut_received: Some(at(number, counted.received)),
                        ..Script::default()
                    },
                ]
            })
            .collect();
        cut.next = AtomicUsize::new(0);
        Arc::new(cut)
    };
    let mut mails = stage.mails(MAILS).await;
    let engine = stage.engine(&desk, Arc::clone(&cut) as Arc<dyn Courier>);
    let mut rounds = 0;
    loop {
        let report = sync(&engine).await;
        rounds += 1;
        assert!(rounds < 3 * MAILS, "it does not come to rest: {report:?}");
        if report.outgoing.waiting == 0 && report.error.is_none() {
            break;
        }
    }
    let taken =
        |sink: &Sink| -> Vec<String> { sink.taken().iter().map(|mail| name(mail)).collect() };
    let before = taken(&sink);
    let times = |all: &[String], name: &str| all.iter().filter(|taken| *taken == name).count();
    for id in &mails {
        assert!(times(&before, &stage.name(id)) <= 1, "{id} went out twice");
    }
    let asked = desk.asked();
    println!("{rounds} rounds, {} questions", asked.len());
    assert!((10..MAILS).contains(&asked.len()), "{}", asked.len());
    for mail in &asked {
        desk.answer(mail, before.iter().any(|taken| taken == mail.uid.as_str()));
    }
    sync(&engine).await;
    mails.extend(first);
    let after = taken(&sink);
    for id in &mails {
        let name = stage.name(id);
        assert_eq!(times(&after, &name), 1, "{id}");
        assert_eq!(stage.status(id).await, (1, 3), "{id}");
    }
    assert_eq!(desk.filed().len(), mails.len());
    assert!(desk.asked().is_empty());
}
