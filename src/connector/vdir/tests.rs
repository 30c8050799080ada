use std::fs;

use tempfile::TempDir;

use super::*;
use crate::model::Body::Bytes;

fn vdir(classes: &[Class]) -> (TempDir, Vdir) {
    let directory = tempfile::tempdir().unwrap();
    let options =
        Options { path: directory.path().to_owned(), classes: classes.iter().copied().collect() };
    let vdir = Vdir::new(options, Clock::system()).unwrap();
    (directory, vdir)
}

fn calendar() -> (TempDir, Vdir) {
    vdir(&[Class::Appointment, Class::Task])
}

fn event(uid: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
}

fn todo(uid: &str) -> String {
    event(uid).replace("VEVENT", "VTODO")
}

async fn listed(vdir: &Vdir, class: Class) -> Vec<String> {
    let listing = vdir.list(class).await.unwrap();
    assert!(listing.is_complete());
    listing.entries.keys().map(ToString::to_string).collect()
}

async fn write(vdir: &Vdir, write: Write) -> Result<Written> {
    vdir.write(Class::Appointment, vec![write]).await.unwrap().remove(0)
}

#[tokio::test]
async fn events_and_tasks_share_a_directory_and_broken_files_are_seen_by_both() {
    let (directory, vdir) = calendar();
    for (name, text) in [
        ("event.ics", event("e").as_str()),
        ("todo.ICS", &todo("t")),
        ("broken.ics", "hello"),
        ("journal.ics", "BEGIN:VCALENDAR\nBEGIN:VJOURNAL\n"),
        ("card.vcf", "BEGIN:VCARD\n"),
        (".hidden.ics", &event("h")),
        ("event.ics.tmp", &event("h")),
        ("README", ""),
    ] {
        fs::write(directory.path().join(name), text).unwrap();
    }
    assert_eq!(listed(&vdir, Class::Appointment).await, ["broken.ics", "event.ics", "journal.ics"]);
    assert_eq!(listed(&vdir, Class::Task).await, ["broken.ics", "journal.ics", "todo.ICS"]);
    assert_eq!(vdir.list(Class::Contact).await.unwrap_err().kind, ErrorKind::Unsupported);
}

#[tokio::test]
async fn create_update_delete_by_version() {
    let (directory, vdir) = calendar();
    let id = file_name(Class::Appointment, &Uid::new("0a1b2c3d@contoso.liaison"));
    assert_eq!(id.as_str(), "0a1b2c3d@contoso.liaison.ics");
    let create =
        |text: &str| Write::Create { id: id.clone(), body: Bytes(text.as_bytes().to_vec()) };
    let first = write(&vdir, create("first")).await.unwrap().document.unwrap();
    assert_eq!(write(&vdir, create("second")).await.unwrap_err().kind, ErrorKind::Exists);
    assert_eq!(vdir.list(Class::Appointment).await.unwrap().entries[&id], first.version);

    let update = |version: &Version, text: &str| Write::Update {
        id: id.clone(),
        version: version.clone(),
        body: Bytes(text.as_bytes().to_vec()),
    };
    let second = write(&vdir, update(&first.version, "second")).await.unwrap().document.unwrap();
    assert_eq!(second.body, Bytes(b"second".to_vec()));
    let stale = write(&vdir, update(&first.version, "third")).await.unwrap_err();
    assert_eq!(stale.kind, ErrorKind::Stale);

    let delete = |version: &Version| Write::Delete { id: id.clone(), version: version.clone() };
    assert_eq!(write(&vdir, delete(&first.version)).await.unwrap_err().kind, ErrorKind::Stale);
    assert_eq!(write(&vdir, delete(&second.version)).await.unwrap().document, None);
    assert_eq!(write(&vdir, delete(&second.version)).await.unwrap_err().kind, ErrorKind::Missing);
    let gone = write(&vdir, update(&second.version, "third")).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::Missing);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_unreadable_file_is_listed_and_stops_no_other() {
    let (directory, vdir) = calendar();
    fs::write(directory.path().join("good.ics"), event("g")).unwrap();
    fs::create_dir(directory.path().join("bad.ics")).unwrap();
    let listing = vdir.list(Class::Task).await.unwrap();
    assert!(listing.is_complete() && listing.entries.contains_key(&ItemId::new("bad.ics")));
    let ids = ["good.ics", "bad.ics", "gone.ics", "../x.ics", "x.vcf"].map(ItemId::new);
    let read = vdir.read(Class::Appointment, &ids).await.unwrap();
    let kinds: Vec<_> = ids.iter().map(|id| read[id].as_ref().err().map(|e| e.kind)).collect();
    let refused = Some(ErrorKind::Rejected);
    assert_eq!(kinds, [None, refused, Some(ErrorKind::Missing), refused, refused]);
}

/// Such a file cannot be named in an answer: it must not look deleted.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_name_that_cannot_be_told_makes_the_listing_partial() {
    use std::os::unix::ffi::OsStrExt;
    let (directory, vdir) = calendar();
    fs::write(directory.path().join("good.ics"), event("good")).unwrap();
    assert!(vdir.list(Class::Appointment).await.unwrap().is_complete());
    let name = std::ffi::OsStr::from_bytes(b"bad-\xff.ics");
    fs::write(directory.path().join(name), event("bad")).unwrap();
    let listing = vdir.list(Class::Appointment).await.unwrap();
    assert!(!listing.is_complete());
    assert_eq!(listing.entries.len(), 1);
}

#[tokio::test]
async fn a_directory_that_is_gone_is_an_error_for_every_call() {
    let (directory, vdir) = calendar();
    let id = ItemId::new("a.ics");
    directory.close().unwrap();
    assert_eq!(vdir.list(Class::Task).await.unwrap_err().kind, ErrorKind::Local);
    let ids = [id.clone()];
    assert_eq!(vdir.read(Class::Task, &ids).await.unwrap_err().kind, ErrorKind::Local);
    let write = vec![Write::Delete { id, version: Version::new("1") }];
    assert_eq!(vdir.write(Class::Task, write).await.unwrap_err().kind, ErrorKind::Local);
    assert_eq!(vdir.find(Class::Task, &[Uid::new("a")]).await.unwrap_err().kind, ErrorKind::Local);
}

#[tokio::test]
async fn two_thousand_files_are_listed_and_found() {
    let (directory, vdir) = calendar();
    for number in 0..2000 {
        let path = directory.path().join(format!("{number}.ics"));
        fs::write(path, event(&format!("uid-{number}"))).unwrap();
    }
    assert_eq!(listed(&vdir, Class::Appointment).await.len(), 2000);
    assert_eq!(listed(&vdir, Class::Task).await.len(), 0);
    let uids = ["uid-7", "uid-1999", "uid-2000"].map(Uid::new);
    let found = vdir.find(Class::Appointment, &uids).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[&uids[1]], ItemId::new("1999.ics"));
    assert!(vdir.find(Class::Task, &uids).await.unwrap().is_empty());
}

#[test]
fn file_names_are_safe_everywhere() {
    let name = |uid: &str| file_name(Class::Contact, &Uid::new(uid)).to_string();
    let long = "a".repeat(200);
    for uid in
        ["con", "../../etc/passwd", "UPPER-CASE-UID", ".hidden-uid", "a b c d e f", &long, "éééé"]
    {
        assert_eq!(name(uid).len(), 36, "{uid}");
    }
    assert_ne!(name("UPPER-CASE"), name("upper-case"));
    assert_eq!(name("con"), "1143da2bc54c495c4be31d3868785d39.vcf", "the same for ever");
}

#[test]
fn contacts_and_calendars_do_not_mix() {
    for classes in [&[][..], &[Class::Contact, Class::Task], &[Class::Email]] {
        let options = Options { path: PathBuf::new(), classes: classes.iter().copied().collect() };
        assert_eq!(Vdir::new(options, Clock::system()).unwrap_err().kind, ErrorKind::Unsupported);
    }
}
