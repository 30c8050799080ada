//! A large mailbox: 100,000 items of a usual size.

use std::time::Duration;

use crate::clock::Clock;
use crate::model::{
    Bases, Class, Content, Field, Fields, ItemId, Link, LinkId, LinkState, Side, Traits, Uid,
    Value, Version,
};
use crate::store::observation::Observation;
use crate::store::round::RoundId;
use crate::store::tally::{self, Place};
use crate::store::{link, observation};

use super::on_disk;

const ITEMS: u32 = 100_000;

fn fields(number: u32) -> Fields {
    ["firstname", "lastname", "emailaddress1", "telephone1", "jobtitle", "address1_city"]
        .into_iter()
        .map(|name| (Field::of(name), Value::Text(format!("{name} of contact {number}"))))
        .chain([(Field::of("description"), Value::Text("a few words ".repeat(20)))])
        .collect()
}

fn observed(number: u32) -> Observation {
    Observation {
        side: Side::Mailbox,
        class: Class::Contact,
        id: ItemId::new(format!("{number:06}.vcf")),
        version: Version::new(format!("version {number}")),
        content: Some(Content {
            uid: Uid::new(format!("{number}@example.org")),
            fields: fields(number),
            traits: Traits::default(),
        }),
        problem: None,
    }
}

fn linked(number: u32) -> Link {
    Link {
        id: LinkId(0),
        class: Class::Contact,
        item: ItemId::new(format!("{number:06}.vcf")),
        record: ItemId::new(format!("contact/{number:08x}-0000-4000-8000-000000000000")),
        uid: Uid::new(format!("{number}@example.org")),
        origin: Side::Mailbox,
        state: LinkState::Active,
        item_version: Some(Version::new(format!("version {number}"))),
        record_version: Some(Version::new(format!("W/\"{number}\""))),
        bases: Some(Box::new(Bases { item: fields(number), record: fields(number) })),
    }
}

fn timed<T>(limit: Duration, what: &str, work: impl FnOnce() -> T) -> T {
    let clock = Clock::system();
    let result = work();
    let taken = clock.monotonic();
    println!("{what}: {taken:?}");
    assert!(taken <= limit, "{what} took {taken:?}, more than {limit:?}");
    result
}

#[test]
#[ignore = "a measurement: run with --release"]
fn a_hundred_thousand_items() {
    let (_folder, store) = on_disk();
    let observations: Vec<Observation> = (0..ITEMS).map(observed).collect();
    let links: Vec<Link> = (0..ITEMS).map(linked).collect();
    for what in ["first observations", "observations again"] {
        timed(Duration::from_secs(4), what, || {
            store.write_blocking(|tx| observation::upsert(tx, RoundId(1), &observations)).unwrap();
        });
    }
    timed(Duration::from_secs(6), "links with bases", || {
        store
            .write_blocking(|tx| links.iter().try_for_each(|new| link::insert(tx, new).map(drop)))
            .unwrap();
    });
    let (mailbox, contact) = (Side::Mailbox, Class::Contact);
    let found = timed(Duration::from_millis(500), "all links", || {
        store.read_blocking(|connection| link::all(connection, contact)).unwrap()
    });
    assert_eq!(found.len(), links.len());
    let found = timed(Duration::from_millis(300), "versions", || {
        store.read_blocking(|connection| observation::versions(connection, mailbox, contact))
    });
    assert_eq!(found.unwrap().len(), links.len());
    let found = timed(Duration::from_millis(500), "heads", || {
        store.read_blocking(|connection| observation::heads(connection, mailbox, contact))
    });
    assert_eq!(found.unwrap().len(), links.len());
    let found = timed(Duration::from_millis(300), "what became of them", || {
        store.read_blocking(|connection| tally::count(connection, contact)).unwrap()
    });
    assert_eq!(found, [(Place::Tracked, links.len())]);
    let some: Vec<ItemId> = observations.iter().step_by(100).map(|seen| seen.id.clone()).collect();
    let found = timed(Duration::from_millis(100), "a thousand contents", || {
        store.read_blocking(|connection| observation::contents(connection, mailbox, contact, &some))
    });
    assert_eq!(found.unwrap().len(), some.len());
}
