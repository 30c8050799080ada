//! One item that the other end cannot cope with: set aside, the rest goes on, tried again with growing pauses, and not for ever.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use liaison::clock::Clock;
use liaison::connector::{Connector, Error, ErrorKind, Result, Write, Written};
use liaison::model::{Class, Side};
use liaison::store::quarantine;
use liaison::sync::ClassReport;
use serde_json::json;

use super::world::World;
use crate::support::around::{Around, Hand};

const CONTACT: &[Class] = &[Class::Contact];

/// What happens to writes of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The server breaks down over it.
    Breaks,
    /// It breaks down after it was stored.
    BreaksLate,
}

/// A mailbox with a sore point.
struct Sore {
    fault: Arc<Mutex<Fault>>,
    tries: Arc<AtomicUsize>,
}

fn is_sore(write: &Write) -> bool {
    match write {
        Write::Create { body, .. } | Write::Update { body, .. } => {
            format!("{:?}", body_text(body)).contains("Sore")
        }
        Write::Delete { .. } | Write::Mark { .. } => false,
    }
}

fn body_text(body: &liaison::model::Body) -> String {
    match body {
        liaison::model::Body::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

#[async_trait]
impl Hand for Sore {
    async fn write(
        &self,
        inner: &dyn Connector,
        class: Class,
        writes: Vec<Write>,
    ) -> Result<Vec<Result<Written>>> {
        let fault = *self.fault.lock().unwrap();
        let mut results = Vec::new();
        for write in writes {
            let sore = is_sore(&write);
            self.tries.fetch_add(usize::from(sore), Ordering::SeqCst);
            let fault = if sore { fault } else { Fault::None };
            let failing = || Err(Error::new(ErrorKind::Failing, "the server answered 500"));
            results.push(match fault {
                Fault::Breaks => failing(),
                Fault::None => inner.write(class, vec![write]).await?.remove(0),
                Fault::BreaksLate => {
                    inner.write(class, vec![write]).await?.remove(0)?;
                    failing()
                }
            });
        }
        Ok(results)
    }
}

/// The world, the fault, how often the item was tried.
struct Place {
    world: World,
    fault: Arc<Mutex<Fault>>,
    tries: Arc<AtomicUsize>,
}

impl Place {
    async fn new(fault: Fault) -> Self {
        let mut world = World::new().await;
        let card =
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:first\r\nFN:First\r\nN:First;;;;\r\nEND:VCARD\r\n";
        world.put("contacts/first.vcf", card);
        world.first_sync(CONTACT).await;
        let clock = Clock::manual(world.engine.clock.now());
        world.engine.clock = clock;
        let (fault, tries) = (Arc::new(Mutex::new(fault)), Arc::<AtomicUsize>::default());
        let inner = Arc::clone(&world.engine.mailbox[&Class::Contact]);
        let hand = Sore { fault: Arc::clone(&fault), tries: Arc::clone(&tries) };
        let sore = Around { inner, hand };
        world.engine.mailbox.insert(Class::Contact, Arc::new(sore));
        for name in ["Good", "Sore", "Fine"] {
            world.send("anna", "POST", "contacts", json!({ "lastname": name })).await;
        }
        Self { world, fault, tries }
    }

    async fn sync(&self) -> ClassReport {
        self.world.sync(CONTACT).await.classes.remove(&Class::Contact).unwrap()
    }

    fn set_aside(&self) -> Vec<quarantine::Quarantined> {
        self.world.store.read_blocking(|db| quarantine::all(db, Side::Crm, Class::Contact)).unwrap()
    }

    fn tries(&self) -> usize {
        self.tries.swap(0, Ordering::SeqCst)
    }

    fn cards(&self) -> BTreeSet<String> {
        let entries = std::fs::read_dir(self.world.path("contacts")).unwrap();
        let texts = entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
        let name =
            |text: &str| text.lines().find_map(|line| line.strip_prefix("FN:")).map(str::to_owned);
        let names: Vec<String> = texts.filter_map(|text| name(&text)).collect();
        let all: BTreeSet<String> = names.iter().cloned().collect();
        assert_eq!(all.len(), names.len(), "nothing is there twice: {names:?}");
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_item_that_fails_holds_up_no_other_and_is_tried_again_for_some_days() {
    let place = Place::new(Fault::Breaks).await;
    let report = place.sync().await;
    assert_eq!((&report.error, report.linked, report.quarantined), (&None, 3, 1), "{report:?}");
    assert!(!report.in_step() && report.unknown == 1, "{report:?}");
    assert_eq!(place.cards().len(), 3);
    let aside = place.set_aside().remove(0);
    assert!(
        aside.reason.contains("500") && aside.due.is_some() && aside.hint.is_some(),
        "{aside:?}"
    );
    assert_eq!(place.tries(), 1);
    // Not before it is time, then each time.
    assert_eq!((place.sync().await.operations, place.tries()), (0, 0));
    let mut all = 1;
    let mut pauses = Vec::new();
    for hour in 0..24 * 10 {
        place.world.engine.clock.advance(Duration::from_hours(1));
        let report = place.sync().await;
        assert_eq!((&report.error, report.quarantined), (&None, 1), "{report:?}");
        let tries = place.tries();
        assert!(tries <= 1, "{tries}");
        all += tries;
        if tries == 1 {
            pauses.push(hour);
        }
    }
    assert!((5..=10).contains(&all), "{all} tries, in the hours {pauses:?}");
    assert_eq!(place.set_aside()[0].due, None, "then a person must look");
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_server_copes_all_is_in_step() {
    let place = Place::new(Fault::Breaks).await;
    place.sync().await;
    *place.fault.lock().unwrap() = Fault::None;
    place.world.engine.clock.advance(Duration::from_mins(2));
    let report = place.sync().await;
    assert!(report.in_step() && report.linked == 4, "{report:?}");
    assert_eq!(place.set_aside(), []);
    assert!(place.cards().contains("Sore"));
    assert_eq!(place.sync().await.operations, 0);
}

/// It was stored after all: the look afterwards finds it, nothing is made twice, and it is no longer said to be set aside.
#[tokio::test(flavor = "multi_thread")]
async fn what_took_place_in_spite_of_the_error_is_not_repeated() {
    let place = Place::new(Fault::BreaksLate).await;
    place.sync().await;
    for _ in 0..3 {
        place.world.engine.clock.advance(Duration::from_hours(6));
        place.sync().await;
    }
    let report = place.sync().await;
    assert!(report.in_step() && report.linked == 4, "{report:?}");
    assert_eq!((place.set_aside(), place.cards().len()), (Vec::new(), 4));
    assert_eq!(place.tries(), 1);
}
