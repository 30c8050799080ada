//! What happened to one message concerns others, which were looked at long ago: they are found without a look at all.

use std::collections::BTreeMap;
use std::path::PathBuf;

use liaison::filter::email::Automatic;
use liaison::model::{Class, Side, Uid};
use liaison::store::decision::{self, Outcome};
use liaison::store::{Store, mark, meta, touched};
use liaison::sync::Report;

use super::world::World;

const EMAIL: &[Class] = &[Class::Email];

/// `name`: the file's; it is the message's, too.
fn put(world: &World, folder: &str, name: &str, more: &str) {
    let text = format!(
        "From: bo@customer.example\nTo: anna@example.org\nMessage-ID: <{name}@x.example>\nSubject: About {name}\n\
         Date: Mon, 5 Jan 2026 10:00:00 +0000\n{more}\nHello\n"
    );
    let path = format!("mail/{folder}cur/{name}:2,S");
    std::fs::create_dir_all(world.path(&path).parent().unwrap()).unwrap();
    for part in ["new", "tmp"] {
        std::fs::create_dir_all(world.path(&format!("mail/{folder}{part}"))).unwrap();
    }
    world.put(&path, &text);
}

fn say(store: &Store, name: &str, tracked: bool) {
    let (uid, at) = (Uid::new(format!("{name}@x.example")), jiff::Timestamp::UNIX_EPOCH);
    store.promise_blocking(|tx| mark::set(tx, Class::Email, &uid, tracked, at)).unwrap();
}

/// What was decided, by the message's file.
fn decided(store: &Store) -> BTreeMap<String, Outcome> {
    let all = store.read_blocking(|db| decision::all(db, Class::Email)).unwrap();
    let name =
        |id: &str| id.rsplit('/').next().unwrap_or(id).split(':').next().unwrap_or(id).to_owned();
    all.into_iter().map(|(id, decision)| (name(id.as_str()), decision.outcome)).collect()
}

fn filed(report: &Report) -> usize {
    report.classes[&Class::Email].created.get(&Side::Crm).copied().unwrap_or_default()
}

async fn world() -> World {
    let mut world = World::new().await;
    world.engine.settings.classes.get_mut(&Class::Email).unwrap().email.automatic =
        Automatic::Replies;
    put(&world, "", "question", "");
    put(&world, "", "answer", "In-Reply-To: <question@x.example>\n");
    put(&world, "", "later", "References: <question@x.example> <lost@x.example>\n");
    put(&world, "", "other", "In-Reply-To: <lost@x.example>\n");
    // Nothing waits for a person but the first sync, which nobody is interested in here.
    world.sync(EMAIL).await;
    assert!(decided(&world.store).values().all(|outcome| *outcome == Outcome::Skipped));
    put(&world, "", "first", "");
    say(&world.store, "first", true);
    assert_eq!(filed(&world.first_sync(EMAIL).await), 1);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_answer_to_what_is_filed_now_is_filed_too() {
    let world = world().await;
    say(&world.store, "question", true);
    let report = world.sync(EMAIL).await;
    assert_eq!(filed(&report), 3, "{report:?}");
    let decided = decided(&world.store);
    assert_eq!((decided["answer"], decided["later"]), (Outcome::Tracked, Outcome::Tracked));
    assert_eq!(decided["other"], Outcome::Skipped);
    assert_eq!(world.sync(EMAIL).await.operations(), 0);
    let names = world.store.read_blocking(touched::all).unwrap();
    assert!(names.is_empty(), "nothing is left to be looked at: {names:?}");
}

/// What is stored by an older release has no digests, and a round may have ended between filing and looking.
#[tokio::test(flavor = "multi_thread")]
async fn where_the_rules_were_forgotten_all_are_decided_over_again() {
    let world = world().await;
    let before = world.store.read_blocking(|db| decision::all(db, Class::Email)).unwrap();
    world.store.write_blocking(|tx| meta::remove(tx, "rules/email")).unwrap();
    put(&world, "", "news", "");
    assert_eq!(filed(&world.sync(EMAIL).await), 0);
    let mut after = world.store.read_blocking(|db| decision::all(db, Class::Email)).unwrap();
    after.retain(|id, _| before.contains_key(id));
    assert_eq!(after, before);
    say(&world.store, "question", true);
    assert_eq!(filed(&world.sync(EMAIL).await), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filed_message_is_found_in_another_folder_and_in_a_copy_of_long_ago() {
    let world = world().await;
    put(&world, ".Archive/", "question", "");
    say(&world.store, "question", true);
    assert_eq!(filed(&world.sync(EMAIL).await), 3);
    let links = || {
        let links =
            world.store.read_blocking(|db| liaison::store::link::all(db, Class::Email)).unwrap();
        links.iter().map(|link| link.item.as_str().to_owned()).collect::<Vec<_>>()
    };
    let first = links();
    let old = first.iter().find(|id| id.contains("question")).unwrap().clone();
    // The one that is linked goes; the copy was there all the time.
    let place = if old.contains("Archive") { "mail/.Archive/cur" } else { "mail/cur" };
    // Its name tells its keywords, too.
    let files = std::fs::read_dir(world.path(place)).unwrap().map(|file| file.unwrap().path());
    let is_it = |file: &PathBuf| file.to_string_lossy().contains("/question:");
    std::fs::remove_file(files.into_iter().find(is_it).unwrap()).unwrap();
    let report = world.sync(EMAIL).await;
    assert_eq!(
        (filed(&report), report.classes[&Class::Email].linked),
        (0, first.len()),
        "{report:?}"
    );
    assert_eq!(links().iter().filter(|id| id.contains("question") && **id != old).count(), 1);
    assert_eq!(world.rows("emails?$select=subject").await.len(), first.len());
    assert_eq!(world.sync(EMAIL).await.operations(), 0);
}
