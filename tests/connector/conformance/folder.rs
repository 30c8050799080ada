//! Folders on this machine: vdir and Maildir, with other programs that are nothing but file operations.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use liaison::clock::Clock;
use liaison::connector::maildir::{self, Maildir};
use liaison::connector::vdir::{self, Vdir};
use liaison::model::Class;
use tempfile::TempDir;

use super::conform;
use super::subject::{Elsewhere, Subject, is};

#[tokio::test(flavor = "multi_thread")]
async fn vdir_holds_contacts() {
    conform(&vdir(Class::Contact)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vdir_holds_appointments() {
    conform(&vdir(Class::Appointment)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vdir_holds_tasks() {
    conform(&vdir(Class::Task)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn maildir_holds_messages() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Mail");
    let options = maildir::Options { path: path.clone(), leave_out: [].into() };
    make_folder(&path);
    let elsewhere = Messages { path: path.clone(), count: AtomicU64::new(0), dir };
    conform(&Subject {
        name: "Maildir",
        class: Class::Email,
        connect: Box::new(move || Arc::new(Maildir::new(options.clone(), Clock::system()))),
        stranger: None,
        serve: away(path),
        elsewhere: Box::new(elsewhere),
        wire: false,
        takes_anything: true,
        many: 600,
    })
    .await;
}

fn vdir(class: Class) -> Subject {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Items");
    fs::create_dir(&path).unwrap();
    let options = vdir::Options { path: path.clone(), classes: [class].into() };
    let extension = if class == Class::Contact { "vcf" } else { "ics" };
    Subject {
        name: "vdir",
        class,
        connect: Box::new(move || Arc::new(Vdir::new(options.clone(), Clock::system()).unwrap())),
        stranger: None,
        serve: away(path.clone()),
        elsewhere: Box::new(Files { path, extension, _dir: dir }),
        wire: false,
        takes_anything: true,
        many: 600,
    }
}

/// A folder on a drive that is not there, and comes back.
fn away(path: PathBuf) -> Box<dyn Fn(bool) + Send + Sync> {
    let elsewhere = path.with_extension("away");
    Box::new(move |is_there| {
        let (from, to) = if is_there { (&elsewhere, &path) } else { (&path, &elsewhere) };
        fs::rename(from, to).unwrap();
    })
}

/// An editor that works on the files of a vdir.
struct Files {
    path: PathBuf,
    extension: &'static str,
    _dir: TempDir,
}

impl Files {
    fn all(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let paths = fs::read_dir(&self.path).unwrap().map(|entry| entry.unwrap().path());
        paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    fn find(&self, uid: &str) -> Option<PathBuf> {
        self.all().into_iter().find(|(_, body)| is(body, uid)).map(|(path, _)| path)
    }
}

impl Elsewhere for Files {
    fn put(&self, items: &[(&str, Vec<u8>)]) {
        let there = self.all();
        for (uid, body) in items {
            let known = there.iter().find(|(_, body)| is(body, uid)).map(|(path, _)| path.clone());
            let new = || self.path.join(format!("their {uid}.{}", self.extension));
            fs::write(known.unwrap_or_else(new), body).unwrap();
        }
    }

    fn put_as(&self, name: &str, _uid: &str, body: &[u8]) -> bool {
        fs::write(self.path.join(format!("{name}.{}", self.extension)), body).unwrap();
        true
    }

    fn delete(&self, uid: &str) {
        fs::remove_file(self.find(uid).expect("it is there")).unwrap();
    }

    fn clear(&self) {
        for (path, _) in self.all() {
            fs::remove_file(path).unwrap();
        }
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        self.all().into_iter().map(|(_, body)| body).collect()
    }

    fn mark(&self, _uid: &str, _mark: &str, _set: bool) {
        panic!("files have no marks")
    }

    fn marks(&self, _uid: &str) -> Vec<String> {
        panic!("files have no marks")
    }
}

/// A program that delivers into a Maildir and marks messages there, as Dovecot does.
struct Messages {
    path: PathBuf,
    count: AtomicU64,
    dir: TempDir,
}

/// The letters of its keywords, as `dovecot-keywords` numbers them.
const KEYWORDS: &str = "dovecot-keywords";

fn make_folder(path: &Path) {
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(path.join(part)).unwrap();
    }
}

impl Messages {
    fn folders(&self) -> Vec<PathBuf> {
        let below = fs::read_dir(&self.path).unwrap().map(|entry| entry.unwrap().path());
        let below = below.filter(|path| path.join("cur").is_dir());
        below.chain([self.path.clone()]).collect()
    }

    fn all(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let folders =
            self.folders().into_iter().flat_map(|folder| [folder.join("new"), folder.join("cur")]);
        let paths = folders.flat_map(|folder| fs::read_dir(folder).unwrap());
        let paths = paths.map(|entry| entry.unwrap().path());
        paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    fn find(&self, uid: &str) -> PathBuf {
        let found = self.all().into_iter().find(|(_, body)| is(body, uid));
        found.expect("it is there").0
    }

    fn deliver(&self, folder: &Path, body: &[u8]) {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let name = format!("1700000000.M{number}P1.elsewhere");
        let temporary = self.dir.path().join(&name);
        fs::write(&temporary, body).unwrap();
        fs::rename(temporary, folder.join("new").join(name)).unwrap();
    }

    fn keywords(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path.join(KEYWORDS)).unwrap_or_default();
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }
}

impl Elsewhere for Messages {
    fn put(&self, items: &[(&str, Vec<u8>)]) {
        for (_, body) in items {
            self.deliver(&self.path, body);
        }
    }

    fn put_as(&self, name: &str, _uid: &str, body: &[u8]) -> bool {
        let folder = self.path.join(format!(".{name}"));
        make_folder(&folder);
        self.deliver(&folder, body);
        true
    }

    fn delete(&self, uid: &str) {
        fs::remove_file(self.find(uid)).unwrap();
    }

    fn clear(&self) {
        fs::remove_dir_all(&self.path).unwrap();
        make_folder(&self.path);
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        self.all().into_iter().map(|(_, body)| body).collect()
    }

    fn mark(&self, uid: &str, mark: &str, set: bool) {
        let mut keywords = self.keywords();
        if !keywords.iter().any(|known| known == mark) {
            keywords.push(mark.to_owned());
            let lines = keywords.iter().enumerate();
            let lines: Vec<String> =
                lines.map(|(number, word)| format!("{number} {word}\n")).collect();
            fs::write(self.path.join(KEYWORDS), lines.concat()).unwrap();
        }
        let number = keywords.iter().position(|known| known == mark).unwrap();
        let letter = char::from(b'a' + u8::try_from(number).unwrap());
        let path = self.find(uid);
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (unique, flags) = name.split_once(":2,").unwrap_or((&name, ""));
        let mut flags: Vec<char> = flags.chars().filter(|flag| *flag != letter).collect();
        if set {
            flags.push(letter);
        }
        flags.sort_unstable();
        let flags: String = flags.into_iter().collect();
        fs::rename(&path, self.path.join("cur").join(format!("{unique}:2,{flags}"))).unwrap();
    }

    fn marks(&self, uid: &str) -> Vec<String> {
        let path = self.find(uid);
        let flags = path.to_str().unwrap().rsplit_once(":2,").map_or("", |(_, flags)| flags);
        let keywords = self.keywords();
        let known = |flag: char| usize::from(u8::try_from(flag).unwrap().wrapping_sub(b'a'));
        flags.chars().filter_map(|flag| keywords.get(known(flag)).cloned()).collect()
    }
}
