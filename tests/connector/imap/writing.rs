use std::time::Duration;

use liaison::connector::{ErrorKind, Result, Write, Written};
use liaison::model::{Body, Uid, Version};

use super::*;

async fn write(imap: &Imap, write: Write) -> Result<Written> {
    imap.write(Class::Email, vec![write]).await.unwrap().remove(0)
}

fn create(imap: &Imap, name: &str) -> Write {
    let uid = Uid::new(format!("{name}@example.test"));
    Write::Create { id: imap.address(Class::Email, &uid), body: Body::Bytes(message(name)) }
}

#[tokio::test]
async fn a_message_is_filed_once() {
    for hide in [&[][..], &["UIDPLUS", "LITERAL+", "LIST-STATUS"]] {
        let dovecot = start(hide);
        let imap = connector(&dovecot);
        let written = write(&imap, create(&imap, "made")).await.unwrap();
        let document = written.document.unwrap();
        assert_eq!(document.body, Body::Bytes(message("made")));
        assert_eq!(document.marks, BTreeSet::from(["\\Seen".to_owned()]));
        let again = write(&imap, create(&imap, "made")).await.unwrap_err();
        assert_eq!(again.kind, ErrorKind::Exists, "{hide:?}");
        let uid = Uid::new("made@example.test");
        let found = imap.find(Class::Email, std::slice::from_ref(&uid)).await.unwrap();
        assert_eq!(found, BTreeMap::from([(uid, written.id)]));
        assert_eq!(dovecot.elsewhere("anna").list("INBOX").len(), 1);
    }
}

#[tokio::test]
async fn only_what_is_really_there_is_found() {
    let dovecot = start(&[]);
    let anna = dovecot.elsewhere("anna");
    append(&anna, "INBOX", &["one", "one-and-a-half"]);
    append(&anna, "Trash", &["two"]);
    append(&anna, "Drafts", &["three"]);
    let imap = connector(&dovecot);
    let uid = |name: &str| Uid::new(format!("{name}@example.test"));
    let mut wanted: Vec<Uid> = ["one", "half", "two", "three", "ä\"\\\r\n x"].map(uid).to_vec();
    wanted.extend((0..40).map(|number| uid(&format!("none{number}"))));
    let found = imap.find(Class::Email, &wanted).await.unwrap();
    let folders: Vec<&str> = found.values().map(ItemId::collection).collect();
    assert_eq!(folders, ["INBOX", "Trash"], "{found:?}");
}

#[tokio::test]
async fn marks_are_set_and_cleared_in_bulk() {
    let dovecot = start(&[]);
    let names: Vec<String> = (0..50).map(|number| format!("m{number}")).collect();
    append(
        &dovecot.elsewhere("anna"),
        "INBOX",
        &names.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let imap = connector(&dovecot);
    let listing = imap.list(Class::Email).await.unwrap();
    let mark =
        |id: &ItemId, set| Write::Mark { id: id.clone(), mark: "$CrmTracked".to_owned(), set };
    let before = imap.requests();
    let all = listing.entries.keys().map(|id| mark(id, true)).collect();
    for written in imap.write(Class::Email, all).await.unwrap() {
        let document = written.unwrap().document.unwrap();
        assert_eq!(document.version, Version::new("$CrmTracked"));
    }
    assert!(imap.requests() - before <= 6);
    let first = listing.entries.keys().next().unwrap();
    let cleared = write(&imap, mark(first, false)).await.unwrap().document.unwrap();
    assert_eq!(cleared.version, Version::new(""));
    let gone = ItemId::new(format!("{}99", first.as_str()));
    assert_eq!(write(&imap, mark(&gone, true)).await.unwrap_err().kind, ErrorKind::Missing);
    let odd = Write::Mark { id: first.clone(), mark: "a) b".to_owned(), set: true };
    assert_eq!(write(&imap, odd).await.unwrap_err().kind, ErrorKind::Unsupported);
}

#[tokio::test]
async fn one_message_is_deleted_and_no_other() {
    for hide in [&[][..], &["CONDSTORE", "QRESYNC"]] {
        let dovecot = start(hide);
        let anna = dovecot.elsewhere("anna");
        append(&anna, "INBOX", &["one", "two", "three"]);
        anna.flag("INBOX", "<three@example.test>", &["\\Deleted"], true);
        let imap = connector(&dovecot);
        let ids: Vec<ItemId> = imap.list(Class::Email).await.unwrap().entries.into_keys().collect();
        let delete = |id: &ItemId| Write::Delete { id: id.clone(), version: Version::new("") };
        anna.flag("INBOX", "<two@example.test>", &["$CrmTracked"], true);
        assert_eq!(write(&imap, delete(&ids[1])).await.unwrap_err().kind, ErrorKind::Stale);
        assert_eq!(write(&imap, delete(&ids[0])).await.unwrap().document, None);
        assert_eq!(write(&imap, delete(&ids[0])).await.unwrap_err().kind, ErrorKind::Missing);
        let left: Vec<String> =
            anna.list("INBOX").into_iter().map(|seen| seen.message_id).collect();
        assert_eq!(
            left.len(),
            2,
            "{hide:?}: what another program deleted is its own business: {left:?}"
        );
    }
    let dovecot = start(&["UIDPLUS"]);
    append(&dovecot.elsewhere("anna"), "INBOX", &["one"]);
    let imap = connector(&dovecot);
    let id = imap.list(Class::Email).await.unwrap().entries.into_keys().next().unwrap();
    let delete = Write::Delete { id, version: Version::new("") };
    assert_eq!(write(&imap, delete).await.unwrap_err().kind, ErrorKind::Unsupported);
    assert_eq!(imap.list(Class::Email).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn a_delivery_wakes_whoever_waits() {
    let dovecot = Dovecot::start(dovecot::Options {
        more: "imap_idle_notify_interval = 1 secs",
        ..dovecot::Options::default()
    });
    append(&dovecot.elsewhere("anna"), "INBOX", &["one"]);
    let imap = connector(&dovecot);
    let mut view = View::default();
    view.update(&imap).await;
    let waiting = async {
        let until = tokio::time::timeout(Duration::from_secs(20), imap.wait(Class::Email));
        until.await.expect("nobody told").unwrap();
    };
    let delivering = tokio::task::spawn_blocking({
        let anna = dovecot.elsewhere("anna");
        move || append(&anna, "INBOX", &["two"])
    });
    let ((), delivered) = tokio::join!(waiting, delivering);
    delivered.unwrap();
    view.update(&imap).await;
    assert_eq!(view.messages.len(), 2);
    // What comes while nobody waits is told at the beginning of the next wait.
    append(&dovecot.elsewhere("anna"), "INBOX", &["three"]);
    let until = tokio::time::timeout(Duration::from_secs(20), imap.wait(Class::Email));
    until.await.expect("nobody told").unwrap();
}

#[tokio::test]
async fn the_doctor_says_what_there_is() {
    use liaison::connector::finding::{Grade, Topic};
    let full = start(&[]);
    let findings =
        liaison::connector::imap::examine(&options(&full, Security::Tls), &Clock::system()).await;
    assert!(findings.iter().all(|finding| finding.grade == Grade::Good), "{findings:#?}");
    for topic in
        [Topic::Reachable, Topic::Certificate, Topic::SignIn, Topic::Strategy, Topic::Rights]
    {
        assert!(findings.iter().any(|finding| finding.topic == topic), "{topic:?}");
    }
    let bare = start(SERVERS[2]);
    let findings =
        liaison::connector::imap::examine(&options(&bare, Security::StartTls), &Clock::system())
            .await;
    let limited = |topic| {
        findings.iter().any(|finding| finding.topic == topic && finding.grade == Grade::Limited)
    };
    assert!(limited(Topic::Strategy) && limited(Topic::Feature), "{findings:#?}");
}
