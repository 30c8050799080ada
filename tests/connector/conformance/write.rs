//! Creating, changing and deleting.

use liaison::connector::{ErrorKind, Write};
use liaison::model::Body;

use super::subject::{Subject, bytes, failure, is, text};

const UID: &str = "one@example.test";

/// How many items somebody else sees.
fn count(s: &Subject) -> usize {
    s.elsewhere.bodies().len()
}

pub(super) async fn create_twice(s: &Subject) {
    let c = s.connector();
    let first = s.create(&*c, UID, "First").await;
    for c in [c, s.connector()] {
        let second = s.write(&*c, s.creation(&*c, UID, "Second")).await;
        assert_eq!(failure(second).kind, ErrorKind::Exists);
    }
    let read = s.read(&*s.connector(), &first.id).await.unwrap();
    assert!(text(&read).contains("First"));
    assert_eq!(count(s), 1);
}

pub(super) async fn create_twice_at_once(s: &Subject) {
    let c = s.connector();
    let both = vec![s.creation(&*c, UID, "First"), s.creation(&*c, UID, "Second")];
    let mut written = c.write(s.class, both).await.unwrap();
    assert_eq!(failure(written.remove(1)).kind, ErrorKind::Exists);
    let document = written.remove(0).unwrap().document.unwrap();
    assert!(text(&document).contains("First"));
    assert_eq!(count(s), 1);
}

/// Where the other end itself sees to it: a mail store keeps what it gets.
pub(super) async fn create_by_two(s: &Subject) {
    if !s.changes() {
        return;
    }
    let (a, b) = (s.connector(), s.connector());
    let first = s.write(&*a, s.creation(&*a, UID, "By a"));
    let second = s.write(&*b, s.creation(&*b, UID, "By b"));
    let (first, second) = tokio::join!(first, second);
    let won = [&first, &second].iter().filter(|written| written.is_ok()).count();
    assert_eq!((won, count(s)), (1, 1), "{first:?} {second:?}");
    let lost = if first.is_ok() { second } else { first };
    assert_eq!(failure(lost).kind, ErrorKind::Exists);
}

pub(super) async fn update(s: &Subject) {
    let c = s.connector();
    let created = s.create(&*c, UID, "Before").await;
    let version = created.document.unwrap().version;
    let body = Body::Bytes(s.item(UID, "After"));
    let update = Write::Update { id: created.id.clone(), version: version.clone(), body };
    let written = s.write(&*c, update).await;
    if !s.changes() {
        assert_eq!(failure(written).kind, ErrorKind::Unsupported);
        return;
    }
    let document = written.unwrap().document.unwrap();
    assert_ne!(document.version, version);
    for c in [c, s.connector()] {
        assert_eq!(s.read(&*c, &created.id).await.unwrap(), document);
        assert_eq!(s.list(&*c).await[&created.id], document.version);
    }
    let bodies = s.elsewhere.bodies();
    assert!(bodies.len() == 1 && is(&bodies[0], UID));
    assert!(String::from_utf8_lossy(&bodies[0]).contains("After"));
}

pub(super) async fn stale_update(s: &Subject) {
    if !s.changes() {
        return;
    }
    let c = s.connector();
    let created = s.create(&*c, UID, "First").await;
    let version = created.document.unwrap().version;
    s.elsewhere.put(&[(UID, s.item(UID, "Second"))]);
    let body = Body::Bytes(s.item(UID, "Third"));
    let update = Write::Update { id: created.id.clone(), version, body };
    assert_eq!(failure(s.write(&*c, update).await).kind, ErrorKind::Stale);
    assert!(text(&s.read(&*c, &created.id).await.unwrap()).contains("Second"));
    assert_eq!(count(s), 1);
}

pub(super) async fn stale_delete(s: &Subject) {
    let c = s.connector();
    let created = s.create(&*c, UID, "First").await;
    let version = created.document.unwrap().version;
    if s.changes() {
        s.elsewhere.put(&[(UID, s.item(UID, "Second"))]);
    } else {
        s.elsewhere.mark(UID, "Kept", true);
    }
    let delete = Write::Delete { id: created.id.clone(), version };
    assert_eq!(failure(s.write(&*c, delete).await).kind, ErrorKind::Stale);
    assert_eq!(count(s), 1);
    let version = s.read(&*c, &created.id).await.unwrap().version;
    s.write(&*c, Write::Delete { id: created.id, version }).await.unwrap();
    assert_eq!(count(s), 0);
}

pub(super) async fn delete(s: &Subject) {
    let c = s.connector();
    s.create(&*c, "kept@example.test", "Kept").await;
    let created = s.create(&*c, UID, "To go").await;
    let version = created.document.unwrap().version;
    let delete = Write::Delete { id: created.id.clone(), version };
    let written = s.write(&*c, delete).await.unwrap();
    assert_eq!((&written.id, written.document), (&created.id, None));
    for c in [c, s.connector()] {
        let entries = s.list(&*c).await;
        assert!(entries.len() == 1 && !entries.contains_key(&created.id));
        assert_eq!(s.read(&*c, &created.id).await.unwrap_err().kind, ErrorKind::Missing);
    }
    let bodies = s.elsewhere.bodies();
    assert!(bodies.len() == 1 && is(&bodies[0], "kept@example.test"));
}

pub(super) async fn gone(s: &Subject) {
    let c = s.connector();
    let created = s.create(&*c, UID, "To go").await;
    let kept = s.create(&*c, "kept@example.test", "Kept").await;
    let version = created.document.unwrap().version;
    s.elsewhere.delete(UID);
    let (id, other) = (created.id, kept.id);
    let mut read = c.read(s.class, &[id.clone(), other.clone()]).await.unwrap();
    assert_eq!(read.remove(&id).unwrap().unwrap_err().kind, ErrorKind::Missing);
    assert!(is(bytes(&read.remove(&other).unwrap().unwrap()), "kept@example.test"));
    let delete = Write::Delete { id: id.clone(), version: version.clone() };
    assert_eq!(failure(s.write(&*c, delete).await).kind, ErrorKind::Missing);
    if s.changes() {
        let body = Body::Bytes(s.item(UID, "Back again"));
        let update = Write::Update { id: id.clone(), version, body };
        assert_eq!(failure(s.write(&*c, update).await).kind, ErrorKind::Missing);
    } else {
        let mark = Write::Mark { id: id.clone(), mark: "Tracked".to_owned(), set: true };
        assert_eq!(failure(s.write(&*c, mark).await).kind, ErrorKind::Missing);
    }
    assert_eq!(count(s), 1, "nothing comes back");
}

pub(super) async fn one_bad(s: &Subject) {
    let c = s.connector();
    let gone = s.create(&*c, UID, "To go").await;
    s.elsewhere.delete(UID);
    let version = gone.document.unwrap().version;
    let writes = vec![
        s.creation(&*c, "before@example.test", "Before"),
        Write::Delete { id: gone.id, version },
        s.creation(&*c, "after@example.test", "After"),
    ];
    let written = c.write(s.class, writes).await.unwrap();
    let kinds: Vec<_> =
        written.iter().map(|written| written.as_ref().err().map(|e| e.kind)).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::Missing), None]);
    assert_eq!(count(s), 2);
}
