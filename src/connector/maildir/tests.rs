use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use super::*;
use crate::model::Version;

const TEXT: &[u8] = b"Message-ID: <a@x>\r\n\r\nhello\r\n";

fn make(root: &Path, folder: &str) {
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(root.join(folder).join(part)).unwrap();
    }
}

fn maildir() -> (TempDir, Maildir) {
    let directory = tempfile::tempdir().unwrap();
    make(directory.path(), "");
    let options = Options { path: directory.path().to_owned(), leave_out: BTreeSet::new() };
    let maildir = Maildir::new(options, Clock::system());
    (directory, maildir)
}

async fn list(maildir: &Maildir) -> Vec<(String, String)> {
    let listing = maildir.list(Class::Email).await.unwrap();
    assert!(listing.is_complete(), "{:?}", listing.completeness);
    listing.entries.iter().map(|(id, version)| (id.to_string(), version.to_string())).collect()
}

async fn write(maildir: &Maildir, write: Write) -> Result<Written> {
    maildir.write(Class::Email, vec![write]).await.unwrap().remove(0)
}

fn mark(id: &str, mark: &str, set: bool) -> Write {
    Write::Mark { id: ItemId::new(id), mark: mark.to_owned(), set }
}

fn marks(written: &Written) -> Vec<&str> {
    written.document.as_ref().unwrap().marks.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn folders_of_both_kinds_are_listed_but_not_drafts_junk_and_bin() {
    let (directory, maildir) = maildir();
    let root = directory.path();
    for folder in [
        ".Sent",
        ".Work.Customers",
        "Plain/Nested",
        "INBOX",
        ".Drafts",
        "Junk",
        ".Trash.2020",
        ".Spam",
    ] {
        make(root, folder);
        fs::write(root.join(folder).join("cur/1.a:2,S"), TEXT).unwrap();
    }
    fs::write(root.join("new/2.b"), TEXT).unwrap();
    fs::write(root.join("cur/3.c:2,FS"), TEXT).unwrap();
    fs::write(root.join("cur/.hidden"), TEXT).unwrap();
    fs::write(root.join("tmp/4.d"), TEXT).unwrap();
    let expected = [
        ("./INBOX/1.a", "2,\\Seen"),
        (".Sent/1.a", "2,\\Seen"),
        (".Work.Customers/1.a", "2,\\Seen"),
        ("INBOX/2.b", "2,"),
        ("INBOX/3.c", "2,\\Flagged \\Seen"),
        ("Plain/Nested/1.a", "2,\\Seen"),
    ];
    assert_eq!(list(&maildir).await, expected.map(|(id, version)| (id.into(), version.into())));
    let ids: Vec<ItemId> = expected.iter().map(|(id, _)| ItemId::new(*id)).collect();
    for (_, document) in maildir.read(Class::Email, &ids).await.unwrap() {
        assert_eq!(document.unwrap().body, Body::Bytes(TEXT.to_vec()));
    }
}

#[tokio::test]
async fn a_delivery_twice_is_seen_whatever_became_of_the_first() {
    let (directory, maildir) = maildir();
    let id = message_id(".Sent", &Uid::new("a@x"));
    let create = || Write::Create { id: id.clone(), body: Body::Bytes(TEXT.to_vec()) };
    let written = write(&maildir, create()).await.unwrap();
    assert_eq!(marks(&written), ["\\Seen"]);
    assert_eq!(write(&maildir, create()).await.unwrap_err().kind, ErrorKind::Exists);
    write(&maildir, mark(id.as_str(), "\\Flagged", true)).await.unwrap();
    assert_eq!(write(&maildir, create()).await.unwrap_err().kind, ErrorKind::Exists);
    assert_eq!(list(&maildir).await.len(), 1);
    assert_eq!(fs::read_dir(directory.path().join(".Sent/tmp")).unwrap().count(), 0);
    assert!(directory.path().join(".Sent/maildirfolder").exists());
}

#[tokio::test]
async fn marks_are_letters_and_keywords_those_of_dovecot() {
    let (directory, maildir) = maildir();
    let root = directory.path();
    fs::write(root.join("dovecot-keywords"), "0 $Label1\n3 Work\n").unwrap();
    fs::write(root.join("new/1.a"), TEXT).unwrap();
    let written = write(&maildir, mark("INBOX/1.a", "$CrmTracked", true)).await.unwrap();
    assert_eq!(marks(&written), ["$CrmTracked"]);
    assert!(root.join("cur/1.a:2,b").exists(), "marked messages are not new");
    let keywords = fs::read_to_string(root.join("dovecot-keywords")).unwrap();
    assert_eq!(keywords, "0 $Label1\n1 $CrmTracked\n3 Work\n");
    assert!(!root.join("dovecot-keywords.lock").exists());

    write(&maildir, mark("INBOX/1.a", "\\seen", true)).await.unwrap();
    let written = write(&maildir, mark("INBOX/1.a", "WORK", true)).await.unwrap();
    assert_eq!(marks(&written), ["$CrmTracked", "Work", "\\Seen"]);
    let written = write(&maildir, mark("INBOX/1.a", "$crmtracked", false)).await.unwrap();
    assert_eq!(marks(&written), ["Work", "\\Seen"]);
    let written = write(&maildir, mark("INBOX/1.a", "$Unheard", false)).await.unwrap();
    assert_eq!(marks(&written), ["Work", "\\Seen"]);
    for refused in ["two words", "", "quo\"te", "x\ny"] {
        let error = write(&maildir, mark("INBOX/1.a", refused, true)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported, "{refused}");
    }
    let unknown = root.join("cur/2.b:2,Szx");
    fs::write(unknown, TEXT).unwrap();
    write(&maildir, mark("INBOX/2.b", "\\Seen", false)).await.unwrap();
    assert!(root.join("cur/2.b:2,xz").exists(), "letters of other programs stay");
}

#[tokio::test]
async fn keywords_run_out_and_a_lock_is_waited_for() {
    let (directory, maildir) = maildir();
    let root = directory.path();
    fs::write(root.join("cur/1.a:2,"), TEXT).unwrap();
    fs::write(root.join("dovecot-keywords.lock"), "").unwrap();
    let error = write(&maildir, mark("INBOX/1.a", "$CrmTracked", true)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Local);
    fs::remove_file(root.join("dovecot-keywords.lock")).unwrap();
    let full: Vec<String> = (0..26).map(|number| format!("{number} k{number}")).collect();
    let full = full.join("\n");
    fs::write(root.join("dovecot-keywords"), &full).unwrap();
    let error = write(&maildir, mark("INBOX/1.a", "$CrmTracked", true)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert_eq!(fs::read_to_string(root.join("dovecot-keywords")).unwrap(), full);
}

#[tokio::test]
async fn deleting_wants_the_marks_it_was_planned_on_and_nothing_is_edited() {
    let (directory, maildir) = maildir();
    fs::write(directory.path().join("cur/1.a:2,S"), TEXT).unwrap();
    let id = ItemId::new("INBOX/1.a");
    let delete = |version: &str| Write::Delete { id: id.clone(), version: Version::new(version) };
    assert_eq!(write(&maildir, delete("2,")).await.unwrap_err().kind, ErrorKind::Stale);
    let update = Write::Update {
        id: id.clone(),
        version: Version::new("2,\\Seen"),
        body: Body::Bytes(vec![]),
    };
    assert_eq!(write(&maildir, update).await.unwrap_err().kind, ErrorKind::Unsupported);
    write(&maildir, delete("2,\\Seen")).await.unwrap();
    assert_eq!(write(&maildir, delete("2,\\Seen")).await.unwrap_err().kind, ErrorKind::Missing);
    assert!(list(&maildir).await.is_empty());
}

#[tokio::test]
async fn a_broken_folder_makes_the_listing_partial_and_a_missing_tree_is_an_error() {
    let (directory, maildir) = maildir();
    let root = directory.path();
    fs::write(root.join("cur/1.a:2,"), TEXT).unwrap();
    make(root, ".Broken");
    fs::remove_dir(root.join(".Broken/new")).unwrap();
    let listing = maildir.list(Class::Email).await.unwrap();
    assert!(!listing.is_complete());
    assert_eq!(listing.entries.len(), 1);
    fs::remove_dir_all(root.join(".Broken")).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(root, root.join(".Link")).unwrap();
        assert!(!maildir.list(Class::Email).await.unwrap().is_complete());
        let id = [ItemId::new(".Link/1.a")];
        let read = maildir.read(Class::Email, &id).await.unwrap();
        assert_eq!(read[&id[0]].as_ref().unwrap_err().kind, ErrorKind::Rejected);
        fs::remove_file(root.join(".Link")).unwrap();
    }
    fs::remove_dir_all(root.join("cur")).unwrap();
    let ids = [ItemId::new("INBOX/1.a")];
    assert_eq!(maildir.list(Class::Email).await.unwrap_err().kind, ErrorKind::Local);
    assert_eq!(maildir.read(Class::Email, &ids).await.unwrap_err().kind, ErrorKind::Local);
}

#[tokio::test]
async fn ids_that_lead_elsewhere_are_refused_and_what_is_gone_is_missing() {
    let (directory, maildir) = maildir();
    make(directory.path(), ".Sent");
    let outside =
        ["../x/1.a", "INBOX/../1.a", "/etc/passwd", "1.a", "INBOX/a:2,S", "INBOX/.x", "./Sent/a"];
    let gone = ["INBOX/1.a", ".Sent/1.a", "Nowhere/1.a"];
    let ids: Vec<ItemId> = outside.iter().chain(&gone).map(|id| ItemId::new(*id)).collect();
    let read = maildir.read(Class::Email, &ids).await.unwrap();
    for (id, expected) in outside
        .iter()
        .map(|id| (id, ErrorKind::Rejected))
        .chain(gone.iter().map(|id| (id, ErrorKind::Missing)))
    {
        assert_eq!(read[&ItemId::new(*id)].as_ref().unwrap_err().kind, expected, "{id}");
    }
    let create = Write::Create { id: ItemId::new("../out/1.a"), body: Body::Bytes(TEXT.to_vec()) };
    assert_eq!(write(&maildir, create).await.unwrap_err().kind, ErrorKind::Rejected);
}

#[tokio::test]
async fn messages_are_found_by_message_id_but_not_among_drafts() {
    let (directory, maildir) = maildir();
    let root = directory.path();
    for folder in [".Drafts", ".Trash", ".Sent"] {
        make(root, folder);
    }
    let put = |path: &str, header: &str| {
        fs::write(root.join(path), format!("{header}\r\n\r\nMessage-ID: <body@x>\r\n")).unwrap();
    };
    put("new/1.a", "Subject: x\r\nmessage-id:\r\n <a@X>");
    put(".Drafts/cur/1.d:2,D", "Message-ID: <draft@x>");
    put(".Trash/cur/1.t:2,", "Message-ID: <t@x>");
    put(".Trash/cur/1.s:2,", "Message-ID: <s@x>");
    put(".Sent/cur/1.s:2,", "Message-Id: s@x");
    let uids = ["a@X", "draft@x", "t@x", "s@x", "body@x"].map(Uid::new);
    let found = maildir.find(Class::Email, &uids).await.unwrap();
    let found: Vec<(&str, &str)> =
        found.iter().map(|(uid, id)| (uid.as_str(), id.as_str())).collect();
    assert_eq!(found, [("a@X", "INBOX/1.a"), ("s@x", ".Sent/1.s"), ("t@x", ".Trash/1.t")]);
}

/// A mail program marks and moves messages all the time; none may be missed or taken for deleted.
#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_renamed_meanwhile_are_not_missed() {
    let (directory, maildir) = maildir();
    let root = directory.path().to_owned();
    for number in 0..300 {
        fs::write(root.join(format!("new/{number}.a")), TEXT).unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mover = {
        let (root, stop) = (root.clone(), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                for number in 0..300 {
                    let (new, cur) = (format!("new/{number}.a"), format!("cur/{number}.a:2,S"));
                    fs::rename(root.join(&new), root.join(&cur)).unwrap();
                    fs::rename(root.join(&cur), root.join(&new)).unwrap();
                }
            }
        })
    };
    let ids: Vec<ItemId> =
        (0..300).map(|number| ItemId::new(format!("INBOX/{number}.a"))).collect();
    for _ in 0..10 {
        let listing = maildir.list(Class::Email).await.unwrap();
        assert!(!listing.is_complete() || listing.entries.len() == 300);
        for (id, document) in maildir.read(Class::Email, &ids).await.unwrap() {
            let missing = document.is_err_and(|error| error.kind == ErrorKind::Missing);
            assert!(!missing, "{id} was never away");
        }
    }
    stop.store(true, Ordering::Relaxed);
    mover.join().unwrap();
    assert_eq!(list(&maildir).await.len(), 300);
}
