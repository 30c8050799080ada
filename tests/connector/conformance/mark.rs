//! Marks beside the text.

use liaison::connector::{ErrorKind, Write};
use liaison::model::{Class, ItemId};

use super::subject::{Subject, failure};

const UID: &str = "marked@example.test";

fn mark(id: &ItemId, mark: &str, set: bool) -> Write {
    Write::Mark { id: id.clone(), mark: mark.to_owned(), set }
}

pub(super) async fn set_and_cleared(s: &Subject) {
    let c = s.connector();
    let created = s.create(&*c, UID, "Text").await;
    let id = created.id;
    if s.class != Class::Email {
        let refused = s.write(&*c, mark(&id, "Tracked", true)).await;
        assert_eq!(failure(refused).kind, ErrorKind::Unsupported);
        return;
    }
    let before = created.document.unwrap();
    let written = s.write(&*c, mark(&id, "Tracked", true)).await.unwrap();
    let set = written.document.unwrap();
    assert!(set.marks.contains("Tracked"));
    assert_ne!(set.version, before.version);
    assert!(s.elsewhere.marks(UID).contains(&"Tracked".to_owned()));
    for c in [&c, &s.connector()] {
        assert_eq!(s.list(&**c).await[&id], set.version);
        let read = s.read(&**c, &id).await.unwrap();
        // What is read back after a mark may be the head only; the message is as it was.
        assert_eq!((&read.marks, &read.version), (&set.marks, &set.version));
        assert_eq!(read.body, before.body);
    }
    // Twice is once; what is not set can be cleared.
    let again = s.write(&*c, mark(&id, "Tracked", true)).await.unwrap();
    assert_eq!(again.document.unwrap(), set);
    s.write(&*c, mark(&id, "NeverSet", false)).await.unwrap();
    s.elsewhere.mark(UID, "Theirs", true);
    let cleared = s.write(&*c, mark(&id, "Tracked", false)).await.unwrap().document.unwrap();
    assert!(!cleared.marks.contains("Tracked") && cleared.marks.contains("Theirs"));
    let marks = s.elsewhere.marks(UID);
    assert!(!marks.contains(&"Tracked".to_owned()) && marks.contains(&"Theirs".to_owned()));
}

pub(super) async fn elsewhere(s: &Subject) {
    if s.class != Class::Email {
        return;
    }
    let c = s.connector();
    let id = s.create(&*c, UID, "Text").await.id;
    let before = s.list(&*c).await;
    s.elsewhere.mark(UID, "Theirs", true);
    let after = s.list(&*c).await;
    assert_ne!(before[&id], after[&id]);
    assert!(s.read(&*c, &id).await.unwrap().marks.contains("Theirs"));
    s.elsewhere.mark(UID, "Theirs", false);
    assert_eq!(s.list(&*c).await, before);
}
