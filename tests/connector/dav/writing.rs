//! Creates that never replace, updates and deletes of a version, and what stands there afterwards.

use std::collections::BTreeSet;

use liaison::connector::dav::Dav;
use liaison::connector::{Connector as _, ErrorKind, Result, Scope, Write, Written};
use liaison::model::{Class, Document, ItemId, Uid, Version};

use super::ends::{End, bytes, everything, file, item, text, whole};

async fn write(dav: &Dav, class: Class, write: Write) -> Result<Written> {
    dav.write(class, vec![write]).await.unwrap().remove(0)
}

fn create(id: &str, text: String) -> Write {
    Write::Create { id: ItemId::new(id), body: bytes(text) }
}

fn update(id: &str, version: &Version, text: String) -> Write {
    Write::Update { id: ItemId::new(id), version: version.clone(), body: bytes(text) }
}

fn delete(id: &str, version: &Version) -> Write {
    Write::Delete { id: ItemId::new(id), version: version.clone() }
}

fn document(written: Result<Written>) -> Document {
    written.unwrap().document.unwrap()
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_an_item() {
    for end in End::all() {
        for class in [Class::Contact, Class::Appointment, Class::Task] {
            let name = format!("{} {class}", end.name());
            let dav = end.connect(class);
            let uid = Uid::new(format!("life-{class}"));
            let id = dav.address(class, &uid);
            let id = id.as_str();
            let text_of = |title: &str| item(class, uid.as_str(), title);

            let made = document(write(&dav, class, create(id, text_of("one"))).await);
            assert!(text(&made).contains("X-KEEP;X-P=q:this\r\n"), "{name}: {}", text(&made));
            let news = everything(&dav, class).await;
            assert_eq!(whole(&news)[&made.id], made.version, "{name}");

            // Neither the name nor the UID is given twice.
            assert_eq!(
                kind(write(&dav, class, create(id, text_of("two"))).await),
                ErrorKind::Exists,
                "{name}"
            );
            // For Xandikos and Cyrus, two contacts may have one UID.
            if class != Class::Contact || matches!(end, End::Radicale(_)) {
                let other = write(&dav, class, create(file(class), text_of("two"))).await;
                assert_eq!(kind(other), ErrorKind::Exists, "{name}");
            }
            let found =
                dav.find(class, &[uid.clone(), Uid::new("life"), Uid::new("none")]).await.unwrap();
            assert_eq!(
                found.into_iter().collect::<Vec<_>>(),
                [(uid.clone(), made.id.clone())],
                "{name}"
            );

            let changed =
                document(write(&dav, class, update(id, &made.version, text_of("three"))).await);
            assert!(text(&changed).contains("three") && changed.version != made.version, "{name}");
            let late = write(&dav, class, update(id, &made.version, text_of("four"))).await;
            assert_eq!(kind(late), ErrorKind::Stale, "{name}");
            assert_eq!(
                kind(write(&dav, class, delete(id, &made.version)).await),
                ErrorKind::Stale,
                "{name}"
            );
            let broken =
                write(&dav, class, update(id, &changed.version, "nonsense".to_owned())).await;
            assert_eq!(kind(broken), ErrorKind::Rejected, "{name}");
            let read = dav.read(class, std::slice::from_ref(&changed.id)).await.unwrap();
            assert_eq!(read[&changed.id].as_ref().unwrap(), &changed, "{name}");

            let gone = write(&dav, class, delete(id, &changed.version)).await.unwrap();
            assert_eq!(gone.document, None);
            assert_eq!(
                kind(write(&dav, class, delete(id, &changed.version)).await),
                ErrorKind::Missing,
                "{name}"
            );
            let update = write(&dav, class, update(id, &changed.version, text_of("five"))).await;
            assert_eq!(kind(update), ErrorKind::Missing, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_one_result_each_in_order() {
    for end in End::all() {
        let dav = end.connect(Class::Contact);
        let card =
            |number: usize| item(Class::Contact, &format!("batch-{number}"), &format!("n{number}"));
        let mut writes: Vec<Write> =
            (0..60).map(|number| create(&format!("batch-{number}.vcf"), card(number))).collect();
        writes.insert(30, create("batch-7.vcf", card(7)));
        writes.insert(10, delete("batch-none.vcf", &Version::new("\"0\"")));
        writes.push(Write::Mark {
            id: ItemId::new("batch-1.vcf"),
            mark: "x".to_owned(),
            set: true,
        });
        writes.push(create("a/b.vcf", card(99)));
        let before = dav.requests();
        let results = dav.write(Class::Contact, writes.clone()).await.unwrap();
        assert_eq!(results.len(), writes.len());
        for (at, (write, result)) in writes.iter().zip(&results).enumerate() {
            match (at, result) {
                (10, Err(error)) => assert_eq!(error.kind, ErrorKind::Missing),
                (31, Err(error)) => assert_eq!(error.kind, ErrorKind::Exists),
                (62, Err(error)) => assert_eq!(error.kind, ErrorKind::Unsupported),
                (63, Err(error)) => assert_eq!(error.kind, ErrorKind::Rejected),
                (_, Ok(written)) => {
                    let document = written.document.as_ref().unwrap();
                    assert_eq!((&written.id, &document.id), (write.id(), write.id()));
                }
                (at, Err(error)) => panic!("{} {at}: {error}", end.name()),
            }
        }
        let names = dav.list(Class::Contact).await.unwrap();
        assert_eq!(names.entries.len(), 60, "{}", end.name());
        // What there is to know about the collection, two looks before, 61 requests, two looks after, the listing.
        assert!(dav.requests() - before <= 1 + 2 + 62 + 2 + 1, "{}", dav.requests() - before);

        let uids: Vec<Uid> = (0..60).map(|number| Uid::new(format!("batch-{number}"))).collect();
        let found = dav.find(Class::Contact, &uids).await.unwrap();
        let ids: BTreeSet<String> = found.into_values().map(|id| id.to_string()).collect();
        assert_eq!(ids, (0..60).map(|number| format!("batch-{number}.vcf")).collect());
    }
}

/// Radicale breaks down over a name that is too long for its disk, Cyrus over a text that it cannot keep.
#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_breaks_a_server_stops_no_other() {
    const CLASS: Class = Class::Appointment;
    let name = format!("{}.ics", "n".repeat(10_000));
    for end in End::all() {
        let dav = end.connect(CLASS);
        let event = |uid: &str| item(CLASS, uid, uid);
        let folded = |word: &str, count: usize| vec![word; count].join("\n ");
        let writes = vec![
            create("one.ics", event("one")),
            create(&name, event("named")),
            create("long.ics", item(CLASS, "long", &folded("word", 10_000))),
            create("flat.ics", item(CLASS, "flat", &"x".repeat(400 << 10))),
            create("uid.ics", event(&folded("uid", 15_000))),
            create("umlaut.ics", item(CLASS, "umlaut", &folded("wörd", 10_000))),
            create("two.ics", event("two")),
        ];
        let results = dav.write(CLASS, writes).await.unwrap();
        let errors: Vec<String> = results
            .iter()
            .map(|result| result.as_ref().err().map_or_else(String::new, ToString::to_string))
            .collect();
        println!("{}: {errors:?}", end.name());
        assert!(results[0].is_ok() && results[6].is_ok(), "{}", end.name());
        let kinds: Vec<ErrorKind> =
            results.iter().filter_map(|result| Some(result.as_ref().err()?.kind)).collect();
        assert!(kinds.iter().all(|kind| kind.scope() == Scope::Item), "{} {kinds:?}", end.name());
        let has_broken = kinds.contains(&ErrorKind::Failing);
        assert_eq!(has_broken, !matches!(end, End::Xandikos(_)), "{} {kinds:?}", end.name());
        let ids = ["one.ics", &name, "two.ics"].map(ItemId::new);
        let read = dav.read(CLASS, &ids).await.unwrap();
        assert!(read[&ids[0]].is_ok() && read[&ids[2]].is_ok(), "{}", end.name());
        let listed = dav.list(CLASS).await.unwrap();
        assert!(listed.is_complete() && listed.entries.contains_key(&ids[2]), "{}", end.name());
    }
}
