//! Listing, reading and finding.

use std::collections::BTreeSet;

use liaison::connector::{Connector, Documents, Write};
use liaison::model::{Body, Class, Document, ItemId, Uid};
use tokio::sync::mpsc;

use super::subject::{Subject, bytes, is, text};

pub(super) async fn nothing(s: &Subject) {
    let c = s.connector();
    assert!(s.list(&*c).await.is_empty());
    assert_eq!(s.find(&*c, "nobody@example.test").await, None);
    assert!(c.read(s.class, &[]).await.unwrap().is_empty());
    assert!(c.write(s.class, Vec::new()).await.unwrap().is_empty());
    assert!(c.find(s.class, &[]).await.unwrap().is_empty());
}

pub(super) async fn created(s: &Subject) {
    let c = s.connector();
    let written = s.create(&*c, "new@example.test", "Something new").await;
    let document = written.document.expect("what stands there is read back");
    assert_eq!(document.id, written.id);
    assert!(is(bytes(&document), "new@example.test") && text(&document).contains("Something new"));
    // Neither the connector that wrote nor one that did not see it may think otherwise.
    for c in [c, s.connector()] {
        let entries = s.list(&*c).await;
        assert_eq!(entries.keys().collect::<Vec<_>>(), [&written.id]);
        assert_eq!(entries[&written.id], document.version);
        let read = s.read(&*c, &written.id).await.unwrap();
        assert_eq!(read, document);
        assert_eq!(s.find(&*c, "new@example.test").await, Some(written.id.clone()));
    }
    let bodies = s.elsewhere.bodies();
    assert!(bodies.len() == 1 && is(&bodies[0], "new@example.test"));
}

pub(super) async fn written_elsewhere(s: &Subject) {
    let c = s.connector();
    for uid in ["first@example.test", "second@example.test"] {
        s.elsewhere.put(&[(uid, s.item(uid, "By another program"))]);
        let id = s.find(&*c, uid).await.expect("it is found");
        let version = s.list(&*c).await.remove(&id).expect("it is listed");
        let document = s.read(&*c, &id).await.unwrap();
        assert_eq!((document.id.clone(), document.version.clone()), (id, version));
        assert!(is(bytes(&document), uid) && text(&document).contains("By another program"));
    }
}

pub(super) async fn unknown_properties(s: &Subject) {
    let c = s.connector();
    let unknown: &[&str] = match s.class {
        Class::Email => &["X-Loop: somewhere", "List-Id: <a.example.test>"],
        _ => &["X-UNKNOWN;X-PARAM=\"a:b;c\":value and more", "X-EMPTY-ONE:1"],
    };
    let more = format!("{}\r\n", unknown.join("\r\n"));
    let uid = "unknown@example.test";
    s.elsewhere.put(&[(uid, s.item_with(uid, "Before", &more))]);
    let id = s.find(&*c, uid).await.unwrap();
    let document = s.read(&*c, &id).await.unwrap();
    let survived = |text: &str| {
        for line in unknown {
            let (name, value) = line.split_once([':', ';']).unwrap();
            let kept = text.lines().any(|line| line.starts_with(name) && line.ends_with(value));
            assert!(kept, "{line} is gone from {text}");
        }
    };
    survived(&text(&document));
    if s.changes() {
        let changed = String::from_utf8_lossy(bytes(&document)).replace("Before", "After");
        let body = Body::Bytes(changed.into_bytes());
        s.write(&*c, Write::Update { id, version: document.version, body }).await.unwrap();
        let stands = s.elsewhere.bodies().remove(0);
        let stands = super::subject::unfolded(&stands);
        assert!(stands.contains("After"));
        survived(&stands);
    } else {
        assert_eq!(bytes(&document), s.item_with(uid, "Before", &more), "messages are bytes");
    }
}

pub(super) async fn difficult(s: &Subject) {
    let c = s.connector();
    // What a line may hold: every length of UTF-8, bidirectional text, combining marks.
    let all = "Ωμέγα naïve 日本語 👩‍👩‍👧 עברית e\u{301} ßẞ";
    let written = s.create(&*c, "all@e.test", all).await;
    assert!(text(&s.read(&*c, &written.id).await.unwrap()).contains(all));

    // What a name or a subject may not hold everywhere: a line of 40,000 bytes without a blank, and a megabyte.
    let long = "λ".repeat(20_000);
    let large = "A sentence that is repeated. ".repeat(36_000);
    for (uid, said) in [("long@e.test", long.as_str()), ("large@e.test", large.trim_end())] {
        let body = match s.class {
            // Other lines than these are no lines of a message.
            Class::Email => s.item(uid, &said.replace(". A", ".\r\nA")),
            Class::Contact => s.item_with(uid, "Long", &format!("NOTE:{}\r\n", folded(said))),
            _ => s.item_with(uid, "Long", &format!("DESCRIPTION:{}\r\n", folded(said))),
        };
        let id = c.address(s.class, &Uid::new(uid));
        let create = Write::Create { id, body: Body::Bytes(body.clone()) };
        let written = s.write(&*c, create).await.unwrap();
        let document = s.read(&*s.connector(), &written.id).await.unwrap();
        if s.changes() {
            assert!(text(&document).contains(said), "{uid}");
        } else {
            assert!(bytes(&document) == body, "{uid}");
        }
        assert!(s.elsewhere.bodies().iter().any(|body| is(body, uid)), "{uid}");
    }
}

/// In lines of at most 75 bytes (RFC 5545, RFC 6350).
fn folded(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() * 2);
    let mut length = 20;
    for char in text.chars() {
        if length + char.len_utf8() > 75 {
            lines.push_str("\r\n ");
            length = 1;
        }
        lines.push(char);
        length += char.len_utf8();
    }
    lines
}

pub(super) async fn stable_ids(s: &Subject) {
    let c = s.connector();
    s.create(&*c, "ours@example.test", "Ours").await;
    s.elsewhere.put(&[("theirs@example.test", s.item("theirs@example.test", "Theirs"))]);
    let before = s.list(&*c).await;
    s.elsewhere.put(&[("third@example.test", s.item("third@example.test", "Third"))]);
    s.elsewhere.delete("third@example.test");
    assert_eq!(s.list(&*c).await, before);
    assert_eq!(s.list(&*s.connector()).await, before);
}

pub(super) async fn heads(s: &Subject) {
    let c = s.connector();
    let uid = "head@example.test";
    s.elsewhere.put(&[(uid, s.item(uid, "The body"))]);
    let id = s.find(&*c, uid).await.unwrap();
    let unknown = ItemId::new(format!("{}x", id.as_str()));
    let mut heads = c.heads(s.class, &[id.clone(), unknown.clone()]).await.unwrap();
    assert!(heads.remove(&unknown).expect("an answer").is_err());
    let head = heads.remove(&id).unwrap().unwrap();
    let whole = s.read(&*c, &id).await.unwrap();
    assert_eq!((&head.version, &head.marks), (&whole.version, &whole.marks));
    assert!(is(bytes(&head), uid));
    if s.changes() {
        assert_eq!(head, whole);
    } else {
        // All fields or those that are needed, as they are there.
        let (head, whole) = (text(&head), text(&whole));
        let (fields, _) = head.split_once("\n\n").expect("an empty line ends it");
        assert!(fields.lines().all(|field| whole.lines().any(|line| line == field)), "{head}");
        for field in ["From", "To", "Date", "Subject", "Message-ID"] {
            assert!(fields.lines().any(|line| line.starts_with(&format!("{field}: "))), "{head}");
        }
    }
}

pub(super) async fn exact_find(s: &Subject) {
    let c = s.connector();
    let near = [
        "a.b@example.test",
        "A.B@example.test",
        "xa.b@example.test",
        "a.b@example.test2",
        "a_b@example.test",
    ];
    let items: Vec<(&str, Vec<u8>)> = near.iter().map(|uid| (*uid, s.item(uid, "Near"))).collect();
    s.elsewhere.put(&items);
    let wanted: Vec<Uid> = near
        .iter()
        .chain(&["a.b", "b@example.test", "*", "%", "a?b@example.test"])
        .map(|uid| Uid::new(*uid))
        .collect();
    let found = c.find(s.class, &wanted).await.unwrap();
    assert_eq!(found.len(), near.len(), "{found:?}");
    for uid in near {
        let document = s.read(&*c, &found[&Uid::new(uid)]).await.unwrap();
        assert!(is(bytes(&document), uid), "{uid} is not {}", text(&document));
        assert_eq!(s.find(&*c, uid).await.as_ref(), found.get(&Uid::new(uid)), "alone as together");
    }
    s.elsewhere.delete(near[0]);
    assert_eq!(s.find(&*c, near[0]).await, None);
}

pub(super) async fn many(s: &Subject) {
    let c = s.connector();
    let uids: Vec<String> =
        (0..s.many).map(|number| format!("item-{number:04}@example.test")).collect();
    let items: Vec<(&str, Vec<u8>)> =
        uids.iter().map(|uid| (uid.as_str(), s.item(uid, "One of many"))).collect();
    s.elsewhere.put(&items);
    let entries = s.list(&*c).await;
    assert_eq!(entries.len(), s.many);
    let ids: Vec<ItemId> = entries.keys().cloned().collect();
    let before = c.requests();
    let mut read = c.read(s.class, &ids).await.unwrap();
    assert!(c.requests() - before <= 30, "{} requests", c.requests() - before);
    let missing = ItemId::new("no/such.item");
    assert!(c.read(s.class, std::slice::from_ref(&missing)).await.unwrap()[&missing].is_err());
    let backwards: Vec<ItemId> =
        [missing.clone()].into_iter().chain(ids.into_iter().rev()).collect();
    let heads = c.heads(s.class, &backwards).await.unwrap();
    assert!(good(&poured(s, &*c, &backwards).await) == good(&heads), "in portions it is the same");
    let mut seen = BTreeSet::new();
    for (id, version) in &entries {
        let document = read.remove(id).expect("an answer for each").unwrap();
        assert_eq!(&document.version, version);
        let text = text(&document);
        seen.extend(uids.iter().filter(|uid| text.contains(*uid)));
    }
    assert_eq!((seen.len(), read.len()), (s.many, 0));
    let wanted: Vec<Uid> = uids.iter().map(Uid::new).collect();
    let before = c.requests();
    assert_eq!(c.find(s.class, &wanted).await.unwrap().len(), s.many);
    let requests = usize::try_from(c.requests() - before).unwrap();
    assert!(requests <= s.many / 2, "{requests} requests");
}

/// What is handed on, an entry for each id. After one who did not want any of it.
async fn poured(s: &Subject, c: &dyn Connector, ids: &[ItemId]) -> Documents {
    let (to, from) = mpsc::channel(1);
    drop(from);
    c.pour(s.class, ids, &to).await.unwrap();
    let (to, mut from) = mpsc::channel(1);
    let pour = async move { c.pour(s.class, ids, &to).await.unwrap() };
    let gather = async {
        let mut all = Documents::new();
        while let Some(portion) = from.recv().await {
            assert!(portion.keys().all(|id| !all.contains_key(id)), "nothing comes twice");
            all.extend(portion);
        }
        all
    };
    let ((), all) = tokio::join!(pour, gather);
    assert!(ids.iter().all(|id| all.contains_key(id)) && all.len() == ids.len());
    all
}

fn good(documents: &Documents) -> Vec<Option<&Document>> {
    documents.values().map(|found| found.as_ref().ok()).collect()
}
