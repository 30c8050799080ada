//! A first look at many messages: each gets its decision as it is read, and the same one as if it were read back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use liaison::filter::email::Automatic;
use liaison::model::{Class, ItemId, Side, Uid};
use liaison::store::decision::{self, Decision, Outcome};
use liaison::store::{Store, mark, observation};
use liaison::sync::Progress;

use super::world::World;

/// More than are read at a time.
const MANY: usize = 1101;

async fn world(automatic: Automatic) -> World {
    let mut world = World::new().await;
    world.engine.settings.classes.get_mut(&Class::Email).unwrap().email.automatic = automatic;
    for number in 0..MANY {
        let more = match number % 100 {
            1 => "Sensitivity: private\n",
            2 => "In-Reply-To: <m1000@example.test>\n",
            _ => "",
        };
        let id = if number == 50 { String::new() } else { format!("<m{number}@example.test>") };
        let text = format!(
            "From: bob{}@example.test\nTo: anna@example.org\nMessage-ID: {id}\nSubject: {number}\n{more}\nHello\n",
            number % 7
        );
        world.put(&format!("mail/cur/1790000000.M{number}.test:2,S"), &text);
    }
    world.put("mail/cur/1790000000.broken.test:2,S", "no header, no message");
    world
}

fn decisions(store: &Store) -> BTreeMap<ItemId, (Outcome, String)> {
    let said = |decision: Decision| (decision.outcome, decision.rule);
    let all = store.read_blocking(|db| decision::all(db, Class::Email)).unwrap();
    all.into_iter().map(|(id, decision)| (id, said(decision))).collect()
}

fn follow(store: &Store, uid: &'static str) {
    let at = jiff::Timestamp::UNIX_EPOCH;
    store.write_blocking(|tx| mark::set(tx, Class::Email, &Uid::new(uid), true, at)).unwrap();
}

fn tracked(decisions: &BTreeMap<ItemId, (Outcome, String)>) -> usize {
    decisions.values().filter(|(outcome, _)| *outcome == Outcome::Tracked).count()
}

fn pending(store: &Store) -> usize {
    decisions(store).values().filter(|(outcome, _)| *outcome == Outcome::Pending).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn decides_as_a_later_one() {
    let mut world = world(Automatic::Replies).await;
    follow(&world.store, "m1000@example.test");
    let first = world.sync(&[Class::Email]).await;
    assert!(first.classes[&Class::Email].error.is_none(), "{first:?}");
    let passing = decisions(&world.store);
    // Also what is no message has one: that it cannot be read.
    assert_eq!((passing.len(), tracked(&passing)), (MANY + 1, 1));
    let private = passing.values().filter(|(_, rule)| rule == "private items stay out").count();
    assert_eq!(private, (0..MANY).filter(|number| number % 100 == 1).count());

    // Marked while the others are read, when it has passed already.
    world.forget(2).await;
    world.engine.settings.classes.get_mut(&Class::Email).unwrap().email.automatic =
        Automatic::Replies;
    let (store, done) = (world.store.clone(), AtomicBool::new(false));
    world.engine.progress = Arc::new(move |progress| {
        if matches!(progress, Progress::Reading { .. }) && !done.swap(true, Ordering::Relaxed) {
            follow(&store, "m1000@example.test");
        }
    });
    world.sync(&[Class::Email]).await;
    assert_eq!(decisions(&world.store), passing);

    // All are read back.
    follow(&world.store, "m7@example.test");
    world.sync(&[Class::Email]).await;
    let mut later = decisions(&world.store);
    assert_eq!(tracked(&later), 2);
    later.retain(|id, decided| passing.get(id) != Some(decided));
    assert_eq!(later.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_organisation_keeps_what_it_read() {
    let mut world = world(Automatic::KnownSenders).await;
    let seen = |store: &Store| {
        let all = store.read_blocking(|db| observation::versions(db, Side::Mailbox, Class::Email));
        all.unwrap().len()
    };
    world.sandbox.take().unwrap().stop().await.unwrap();
    let report = world.sync(&[Class::Email]).await;
    assert!(report.classes[&Class::Email].error.is_some());
    assert_eq!((seen(&world.store), decisions(&world.store).len()), (MANY + 1, MANY + 1));
    // All wait that are not private, which is known without asking.
    let private = (0..MANY).filter(|number| number % 100 == 1).count();
    assert_eq!(pending(&world.store), MANY - private);
    world.start_again().await;
    let report = world.sync(&[Class::Email]).await;
    assert!(report.classes[&Class::Email].error.is_none(), "{report:?}");
    assert_eq!((decisions(&world.store).len(), pending(&world.store)), (MANY + 1, 0));
}
