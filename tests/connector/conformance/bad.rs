//! What nobody would do, and somebody does.

use liaison::connector::{ErrorKind, Write};
use liaison::model::{Body, Class, ItemId, Uid, Version};

use super::subject::{Subject, bytes, is};

pub(super) async fn ids(s: &Subject) {
    let c = s.connector();
    let kept = s.create(&*c, "kept@example.test", "Kept").await;
    let bad = [
        "",
        "/",
        "..",
        "../../../../etc/passwd",
        "INBOX/../../../etc/passwd",
        "INBOX/",
        "INBOX/0",
        "INBOX/1:*",
        "INBOX/99999999999999999999.99999999999999999999",
        "a\r\nLOGOUT",
        "\"",
        "%2e%2e/x",
        "?query#fragment",
        "http://example.test/x.ics",
        "\u{1f4a5}",
        "nul\0",
        &"x".repeat(200),
    ]
    .map(ItemId::new);
    for id in &bad {
        assert!(s.read(&*c, id).await.is_err(), "{id:?}");
        let version = Version::new("1");
        let write = Write::Delete { id: id.clone(), version: version.clone() };
        assert!(s.write(&*c, write).await.is_err(), "{id:?}");
        let body = Body::Bytes(s.item("x@example.test", "x"));
        let write = Write::Update { id: id.clone(), version, body };
        assert!(s.write(&*c, write).await.is_err(), "{id:?}");
    }
    let read = c.read(s.class, &bad).await.unwrap();
    assert_eq!((read.len(), read.values().filter(|answer| answer.is_ok()).count()), (bad.len(), 0));
    assert!(is(bytes(&s.read(&*c, &kept.id).await.unwrap()), "kept@example.test"));
    assert_eq!(s.elsewhere.bodies().len(), 1);
}

pub(super) async fn names(s: &Subject) {
    let c = s.connector();
    let names = [
        "with blank",
        "50% & <b>",
        "Ünï ☃",
        "quote\"d",
        "#hash?query",
        "a+b=c;d,e",
        "(x){y}[z]",
        "it's",
    ];
    let uids: Vec<String> =
        (0..names.len()).map(|number| format!("named-{number}@example.test")).collect();
    let put = |(name, uid): &(&&str, &String)| s.elsewhere.put_as(name, uid, &s.item(uid, "Named"));
    let held: Vec<(&&str, &String)> = names.iter().zip(&uids).filter(put).collect();
    assert!(held.len() >= 4, "{held:?}");
    let entries = s.list(&*c).await;
    assert_eq!(entries.len(), held.len(), "{entries:?}");
    for (name, uid) in held {
        let id = s.find(&*c, uid).await.unwrap_or_else(|| panic!("{name} is not found"));
        let document = s.read(&*c, &id).await;
        let document = document.unwrap_or_else(|error| panic!("{name} is {id}: {error:?}"));
        assert_eq!(document.version, entries[&id], "{name}");
        if s.changes() {
            let body = Body::Bytes(s.item(uid, "Changed"));
            let update = Write::Update { id: id.clone(), version: document.version, body };
            s.write(&*c, update).await.unwrap();
        } else {
            let mark = Write::Mark { id: id.clone(), mark: "Tracked".to_owned(), set: true };
            s.write(&*c, mark).await.unwrap();
        }
        let version = s.read(&*c, &id).await.unwrap().version;
        s.write(&*c, Write::Delete { id, version }).await.unwrap();
    }
    assert_eq!(s.elsewhere.bodies().len(), 0);
}

pub(super) async fn uids(s: &Subject) {
    let c = s.connector();
    let long = format!("{}@example.test", "x".repeat(200));
    let mut uids =
        vec!["with/slash@example.test", "per%cent@x", "a&b=c@x", "UPPER@X", "..", long.as_str()];
    if s.class != Class::Email {
        uids.extend(["with blank", "Ünïcode☃", "{brace}", "a\"quote"]);
    }
    for uid in uids {
        let written = s.create(&*c, uid, "Whatever it is called").await;
        let document = s.read(&*c, &written.id).await.unwrap();
        assert!(is(bytes(&document), uid), "{uid}");
        assert_eq!(s.find(&*c, uid).await, Some(written.id.clone()), "{uid}");
        let again = s.write(&*c, s.creation(&*c, uid, "Again")).await.unwrap_err();
        assert_eq!(again.kind, ErrorKind::Exists, "{uid}");
    }
    assert_ne!(c.address(s.class, &Uid::new("a")), c.address(s.class, &Uid::new("A")));
}

pub(super) async fn items(s: &Subject) {
    let c = s.connector();
    let uid = "good@example.test";
    s.elsewhere.put(&[(uid, s.item(uid, "Good"))]);
    if s.takes_anything {
        let broken = ["first", "second"].iter().zip(["no item at all\r\n", "\r\n\r\n"]);
        let broken: Vec<(&str, Vec<u8>)> =
            broken.map(|(uid, text)| (*uid, text.as_bytes().to_vec())).collect();
        s.elsewhere.put(&broken);
        assert_eq!(s.list(&*c).await.len(), 3);
    }
    let entries = s.list(&*c).await;
    let ids: Vec<ItemId> = entries.into_keys().collect();
    let read = c.read(s.class, &ids).await.unwrap();
    assert!(read.values().all(Result::is_ok));
    assert!(s.find(&*c, uid).await.is_some());
    // What cannot be an item is refused, and nothing is there afterwards.
    if s.class != Class::Email && s.wire {
        let id = c.address(s.class, &Uid::new("broken@example.test"));
        let body = Body::Bytes(b"BEGIN:VCALENDAR\r\nhello\r\n".to_vec());
        let refused = s.write(&*c, Write::Create { id, body }).await;
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Rejected);
        assert_eq!(s.list(&*c).await.len(), 1);
    }
}
