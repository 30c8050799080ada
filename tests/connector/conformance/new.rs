//! What happened since.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use liaison::connector::{Connector, Cursor, News, Part, Write};
use liaison::model::{Body, Completeness, ItemId, Version};

use super::subject::Subject;

/// What is known of the other end by its news.
#[derive(Debug, Default)]
struct Known {
    entries: BTreeMap<ItemId, Version>,
    cursor: Cursor,
}

impl Known {
    /// Asks what is new and learns it. What the news say changed and is gone, where they are no listing.
    async fn learn(
        &mut self,
        s: &Subject,
        c: &dyn Connector,
    ) -> (BTreeSet<ItemId>, BTreeSet<ItemId>) {
        let News { parts, cursor, completeness } = c.news(s.class, &self.cursor).await.unwrap();
        assert_eq!(completeness, Completeness::Complete);
        let (mut all_changed, mut all_gone) = (BTreeSet::new(), BTreeSet::new());
        // What is neither told of nor followed was listed whole, and held nothing.
        let told: BTreeSet<String> = parts.keys().chain(cursor.keys()).cloned().collect();
        self.entries.retain(|id, _| told.contains(id.collection()));
        for (collection, part) in parts {
            match part {
                Part::Whole(entries) => {
                    self.entries.retain(|id, _| id.collection() != collection);
                    self.entries.extend(entries);
                }
                Part::Changes { changed, gone } => {
                    assert!(changed.keys().chain(&gone).all(|id| id.collection() == collection));
                    self.entries.retain(|id, _| !gone.contains(id));
                    all_changed.extend(changed.keys().cloned());
                    all_gone.extend(gone);
                    self.entries.extend(changed);
                }
            }
        }
        self.cursor = cursor;
        (all_changed, all_gone)
    }

    async fn is_right(&self, s: &Subject) {
        assert_eq!(self.entries, s.list(&*s.connector()).await);
    }
}

pub(super) async fn exact(s: &Subject) {
    let c = s.connector();
    s.elsewhere.put(&[("old@example.test", s.item("old@example.test", "Old"))]);
    let quiet = s.create(&*c, "quiet@example.test", "Nothing happens to it").await.id;
    let mut known = Known::default();
    known.learn(s, &*c).await;
    known.is_right(s).await;

    // Nothing happened.
    let (changed, gone) = known.learn(s, &*c).await;
    assert_eq!((changed.len(), gone.len()), (0, 0));
    known.is_right(s).await;

    // We and somebody else created, changed and deleted.
    let ours = s.create(&*c, "ours@example.test", "Ours").await.id;
    s.elsewhere.put(&[("theirs@example.test", s.item("theirs@example.test", "Theirs"))]);
    let old = s.find(&*c, "old@example.test").await.unwrap();
    s.elsewhere.delete("old@example.test");
    // A connector that never saw this end goes on from there as well.
    let c = s.connector();
    let (changed, gone) = known.learn(s, &*c).await;
    known.is_right(s).await;
    assert_eq!(known.entries.len(), 3);
    assert!(!changed.contains(&quiet), "nothing happened to that");
    if !gone.is_empty() || !changed.is_empty() {
        assert!(changed.contains(&ours) && gone.contains(&old), "{changed:?} {gone:?}");
    }

    if s.changes() {
        s.elsewhere.put(&[("theirs@example.test", s.item("theirs@example.test", "Changed"))]);
        let document = s.read(&*c, &ours).await.unwrap();
        let body = Body::Bytes(s.item("ours@example.test", "Changed"));
        let update = Write::Update { id: ours, version: document.version, body };
        s.write(&*c, update).await.unwrap();
    } else {
        let mark = Write::Mark { id: ours, mark: "Tracked".to_owned(), set: true };
        s.write(&*c, mark).await.unwrap();
        s.elsewhere.mark("theirs@example.test", "Tracked", true);
    }
    known.learn(s, &*c).await;
    known.is_right(s).await;
}

pub(super) async fn much(s: &Subject) {
    let c = s.connector();
    let uids: Vec<String> = (0..60).map(|number| format!("item-{number}@example.test")).collect();
    let items = |range: std::ops::Range<usize>, text: &str| {
        let uids = uids[range].iter();
        uids.map(|uid| (uid.as_str(), s.item(uid, text))).collect::<Vec<_>>()
    };
    s.elsewhere.put(&items(0..20, "Before"));
    let mut known = Known::default();
    known.learn(s, &*c).await;
    let stale = known.cursor.clone();
    s.elsewhere.put(&items(20..60, "After"));
    for uid in &uids[..10] {
        s.elsewhere.delete(uid);
    }
    known.learn(s, &*c).await;
    known.is_right(s).await;
    assert_eq!(known.entries.len(), 50);
    // The same news again, for who did not get them.
    known.cursor = stale;
    known.learn(s, &*s.connector()).await;
    known.is_right(s).await;
}

pub(super) async fn last(s: &Subject) {
    let c = s.connector();
    s.elsewhere.put(&[("last@example.test", s.item("last@example.test", "Last"))]);
    let mut known = Known::default();
    known.learn(s, &*c).await;
    assert_eq!(known.entries.len(), 1);
    s.elsewhere.delete("last@example.test");
    known.learn(s, &*c).await;
    assert!(known.entries.is_empty(), "{:?}", known.entries);
}

pub(super) async fn dead_cursor(s: &Subject) {
    let c = s.connector();
    s.elsewhere.put(&[("here@example.test", s.item("here@example.test", "Here"))]);
    let mut known = Known::default();
    known.learn(s, &*c).await;
    let tokens = known.cursor.keys().cloned().collect::<Vec<_>>();
    for token in [
        "",
        "no cursor",
        "http://localhost/ns/sync/0",
        "0",
        "1 2 3",
        "\u{1f4a5}\r\n<x/>",
        "99999999999999999999",
    ] {
        let cursor: Cursor = tokens.iter().map(|name| (name.clone(), token.to_owned())).collect();
        let mut afresh = Known { entries: BTreeMap::new(), cursor };
        afresh.learn(s, &*c).await;
        assert_eq!(afresh.entries, known.entries, "{token:?}");
    }
    // One of a collection that never was.
    let mut afresh =
        Known { entries: BTreeMap::new(), cursor: [("Nowhere".to_owned(), "1".to_owned())].into() };
    afresh.learn(s, &*c).await;
    assert_eq!(afresh.entries, known.entries);
}

pub(super) async fn wait(s: &Subject) {
    let c = s.connector();
    s.list(&*c).await;
    let waiting = c.wait(s.class);
    tokio::pin!(waiting);
    // So long that it surely listens: then it is told, whatever it does about what happened before.
    assert!(
        tokio::time::timeout(Duration::from_millis(700), &mut waiting).await.is_err() || !s.wire
    );
    s.elsewhere.put(&[("new@example.test", s.item("new@example.test", "New"))]);
    let woken = tokio::time::timeout(Duration::from_secs(30), &mut waiting).await;
    woken.expect("a hint within half a minute").unwrap();
}
