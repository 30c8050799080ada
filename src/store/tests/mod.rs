//! The store as a whole: transactions, promises, readers, stop points. Files, tables and encoding beside it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use tempfile::TempDir;

use crate::model::{Field, Fields, ItemId, Value};

use super::round::{self, RoundId};
use super::{
    AFTER_COMMIT, BEFORE_COMMIT, Connection, Error, ErrorKind, Result, Store, Transaction, meta,
};

mod bulk;
mod departure;
mod encode;
mod files;
mod fixture;
mod outgoing;
mod queries;
mod tables;
mod tally;
mod touched;
mod work;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// Runs in one transaction of a new store that has one round.
fn in_a_store(work: impl FnOnce(&Transaction<'_>, RoundId) -> Result<()>) {
    let store = Store::in_memory().unwrap();
    store
        .write_blocking(|tx| {
            let round = round::start(tx, "test", at(0))?;
            work(tx, round)
        })
        .unwrap();
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn fields(subject: &str) -> Fields {
    Fields::from([(Field::of("subject"), text(subject))])
}

fn item(id: &str) -> ItemId {
    ItemId::new(id)
}

fn on_disk() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.db")).unwrap();
    (folder, store)
}

fn set(store: &Store, value: &'static str) -> Result<()> {
    store.write_blocking(|tx| meta::set(tx, "key", value))
}

fn value(store: &Store) -> Option<String> {
    store.read_blocking(|connection| meta::get(connection, "key")).unwrap()
}

fn synchronous(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("PRAGMA synchronous", [], |row| row.get(0))?)
}

#[test]
fn an_error_rolls_everything_back() {
    for store in [Store::in_memory().unwrap(), on_disk().1] {
        set(&store, "before").unwrap();
        let error = store
            .write_blocking(|tx| -> Result<()> {
                meta::set(tx, "key", "after")?;
                meta::set(tx, "other", "after")?;
                Err(Error::new(ErrorKind::Missing, "no such thing"))
            })
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Missing);
        assert_eq!(value(&store).as_deref(), Some("before"));
        set(&store, "later").unwrap();
        assert_eq!(value(&store).as_deref(), Some("later"));
    }
}

#[test]
fn a_panic_rolls_everything_back_and_leaves_the_store_usable() {
    for store in [Store::in_memory().unwrap(), on_disk().1] {
        set(&store, "before").unwrap();
        let panic = catch_unwind(AssertUnwindSafe(|| {
            store.write_blocking(|tx| -> Result<()> {
                meta::set(tx, "key", "after")?;
                panic!("on purpose");
            })
        }));
        assert!(panic.is_err());
        let panic = catch_unwind(AssertUnwindSafe(|| {
            store.read_blocking(|_| -> Result<()> { panic!("on purpose") })
        }));
        assert!(panic.is_err());
        assert_eq!(value(&store).as_deref(), Some("before"));
        set(&store, "later").unwrap();
        assert_eq!(value(&store).as_deref(), Some("later"));
    }
}

#[tokio::test]
async fn a_panic_reaches_the_caller_through_the_runtime() {
    let store = Store::in_memory().unwrap();
    let broken = store.clone();
    let work = tokio::spawn(async move {
        broken
            .promise(|tx| -> Result<()> {
                meta::set(tx, "key", "after")?;
                panic!("on purpose");
            })
            .await
    });
    assert!(work.await.unwrap_err().is_panic());
    assert_eq!(store.read(|connection| meta::get(connection, "key")).await.unwrap(), None);
    store.write(|tx| meta::set(tx, "key", "later")).await.unwrap();
    assert_eq!(value(&store).as_deref(), Some("later"));
}

// With threads besides: where there is one, work is done at once.
#[tokio::test(flavor = "multi_thread")]
async fn work_that_has_begun_ends_though_nobody_waits() {
    let store = Store::in_memory().unwrap();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let writing = store.clone();
    let task = tokio::spawn(async move {
        writing
            .write(move |tx| {
                begun.send(()).unwrap();
                may_go_on.recv().unwrap();
                meta::set(tx, "key", "whole")
            })
            .await
    });
    has_begun.await.unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    go_on.send(()).unwrap();
    // The next one waits for its turn.
    store.write(|tx| meta::set(tx, "other", "later")).await.unwrap();
    assert_eq!(value(&store).as_deref(), Some("whole"));
}

#[test]
fn a_promise_is_on_the_disk_and_a_write_need_not_be() {
    let (_folder, store) = on_disk();
    assert_eq!(store.write_blocking(|tx| synchronous(tx)).unwrap(), 1);
    assert_eq!(store.promise_blocking(|tx| synchronous(tx)).unwrap(), 2);
    assert_eq!(store.write_blocking(|tx| synchronous(tx)).unwrap(), 1);
}

#[test]
fn a_reader_cannot_write() {
    for store in [Store::in_memory().unwrap(), on_disk().1] {
        let refused = store.read_blocking(|connection| {
            Ok(connection.execute("INSERT INTO meta (key, value) VALUES ('key', 'value')", [])?)
        });
        assert!(refused.is_err());
        assert_eq!(value(&store), None);
        set(&store, "value").unwrap();
    }
}

#[test]
fn a_reader_sees_one_state_while_a_write_is_under_way() {
    let (_folder, store) = on_disk();
    set(&store, "before").unwrap();
    store
        .write_blocking(|tx| {
            meta::set(tx, "key", "after")?;
            assert_eq!(value(&store).as_deref(), Some("before"));
            Ok(())
        })
        .unwrap();
    store
        .read_blocking(|connection| {
            assert_eq!(meta::get(connection, "key")?.as_deref(), Some("after"));
            set(&store, "later")?;
            assert_eq!(meta::get(connection, "key")?.as_deref(), Some("after"));
            Ok(())
        })
        .unwrap();
    assert_eq!(value(&store).as_deref(), Some("later"));
}

#[test]
fn a_stop_point_ends_a_write_before_or_after_its_commit() {
    for (point, kept) in [(BEFORE_COMMIT, "before"), (AFTER_COMMIT, "after")] {
        let store = Store::in_memory().unwrap();
        set(&store, "before").unwrap();
        let stopping = store.with_probe(Arc::new(move |here| here.name != point));
        let error = set(&stopping, "after").unwrap_err();
        assert_eq!(error.kind, ErrorKind::Stopped);
        assert!(error.to_string().contains(point), "{error}");
        assert!(error.to_string().contains(file!()), "{error}");
        assert_eq!(value(&store).as_deref(), Some(kept));
    }
}

#[test]
fn every_commit_passes_two_stop_points_and_a_failed_write_none() {
    let passed = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&passed);
    let store = Store::in_memory().unwrap().with_probe(Arc::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        true
    }));
    set(&store, "one").unwrap();
    store.promise_blocking(|tx| meta::set(tx, "key", "two")).unwrap();
    assert_eq!(passed.load(Ordering::SeqCst), 4);
    store
        .write_blocking(|_| -> Result<()> { Err(Error::new(ErrorKind::Missing, "nothing")) })
        .unwrap_err();
    assert_eq!(passed.load(Ordering::SeqCst), 4);
}

#[test]
fn a_full_disk_is_named_and_nothing_is_lost() {
    let (folder, store) = on_disk();
    set(&store, "before").unwrap();
    let limit = |pages: u32| {
        store
            .write_blocking(|tx| {
                let sql = format!("PRAGMA max_page_count = {pages}");
                Ok(tx.query_row(&sql, [], |_| Ok(()))?)
            })
            .unwrap();
    };
    limit(1);
    let large = "x".repeat(1 << 20);
    let error = store
        .write_blocking(|tx| {
            meta::set(tx, "key", "after")?;
            meta::set(tx, "large", &large)
        })
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Full);
    assert_eq!(error.path(), Some(folder.path().join("store.db").as_path()));
    assert!(error.hint().is_some());
    assert_eq!(value(&store).as_deref(), Some("before"));
    limit(u32::MAX - 1);
    store.write_blocking(|tx| meta::set(tx, "large", &large)).unwrap();
}
