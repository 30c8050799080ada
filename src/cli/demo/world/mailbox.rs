//! The mailbox as local folders: a Maildir++ tree, a directory of cards and one of calendar entries. Written beside its place and moved there whole,
//! so that it is there or it is not. It must not know what the files say.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::mail::Message;
use super::{calendar, cards, mail, nasty};
use crate::model::Class;

/// Below the demo's directory.
pub const MAILBOX: &str = "mailbox";
/// Below [`MAILBOX`]: the Maildir.
pub const MAIL: &str = "mail";
/// The vdir of contacts.
pub const CONTACTS: &str = "contacts";
/// The vdir of appointments and tasks.
pub const CALENDAR: &str = "calendar";

/// The folders of the Maildir besides the inbox.
const FOLDERS: [&str; 4] = [".Sent", ".Projects", ".Junk", ".Drafts"];
const HALF_MADE: &str = "mailbox.unfinished";

/// What the mailbox was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Furnished {
    /// Whether it was made now: otherwise it was there and stayed as it was.
    pub fresh: bool,
    /// One for each class, in the order of [`Class::ALL`].
    pub counts: Vec<Count>,
    /// What is out of the ordinary.
    pub nasty: Vec<Item>,
}

/// How many files of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub class: Class,
    pub items: usize,
    /// Of these, how many carry the category that tracks them. No message does: rules decide over messages.
    pub tracked: usize,
    /// Of these, how many cannot be taken as they are.
    pub broken: usize,
}

/// One file and what is odd about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub class: Class,
    /// Below the mailbox.
    pub path: String,
    pub broken: bool,
    /// In one sentence.
    pub why: &'static str,
}

/// A file before it is written.
struct File {
    class: Class,
    path: String,
    bytes: Vec<u8>,
    tracked: bool,
    odd: Option<(bool, &'static str)>,
}

/// Makes the mailbox `dir/mailbox` unless it is there. Days are counted from the one that `now` is in that zone.
pub fn furnish(dir: &Path, now: Timestamp, zone: &TimeZone) -> io::Result<Furnished> {
    let files = files(now, zone);
    let fresh = !dir.join(MAILBOX).try_exists()?;
    if fresh {
        let unfinished = dir.join(HALF_MADE);
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => write(&unfinished, &files)?,
        }
        fs::rename(&unfinished, dir.join(MAILBOX))?;
    }
    let count = |class| {
        let of_class = || files.iter().filter(move |file| file.class == class);
        let broken = |file: &&File| file.odd.is_some_and(|(broken, _)| broken);
        Count {
            class,
            items: of_class().count(),
            tracked: of_class().filter(|file| file.tracked).count(),
            broken: of_class().filter(broken).count(),
        }
    };
    let odd = |file: &File| {
        let (broken, why) = file.odd?;
        Some(Item { class: file.class, path: file.path.clone(), broken, why })
    };
    Ok(Furnished {
        fresh,
        counts: Class::ALL.map(count).to_vec(),
        nasty: files.iter().filter_map(odd).collect(),
    })
}

/// Puts a message into the Maildir as a delivery does: written into `tmp`, then moved.
pub fn deliver(dir: &Path, message: &Message, name: &str) -> io::Result<()> {
    let folder = dir.join(MAILBOX).join(MAIL).join(message.folder);
    let unfinished = folder.join("tmp").join(name);
    fs::write(&unfinished, &message.bytes)?;
    fs::rename(unfinished, folder.join("new").join(name))
}

fn write(root: &Path, files: &[File]) -> io::Result<()> {
    for folder in [""].iter().chain(&FOLDERS) {
        let folder = root.join(MAIL).join(folder);
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(folder.join(part))?;
        }
    }
    for folder in FOLDERS {
        // What makes a folder one of Maildir++.
        fs::write(root.join(MAIL).join(folder).join("maildirfolder"), "")?;
    }
    fs::create_dir_all(root.join(CONTACTS))?;
    fs::create_dir_all(root.join(CALENDAR))?;
    files.iter().try_for_each(|file| fs::write(root.join(&file.path), &file.bytes))
}

fn files(now: Timestamp, zone: &TimeZone) -> Vec<File> {
    let now = now.to_zoned(zone.clone());
    let today = now.date();
    let mut files = Vec::new();
    files.extend(
        cards::cards()
            .into_iter()
            .map(|card| file(Class::Contact, &card.file, card.text, card.tracked)),
    );
    files.extend(nasty::cards().into_iter().map(|oddity| odd(Class::Contact, oddity)));
    let appointments = calendar::appointments(today).into_iter();
    files.extend(
        appointments.map(|entry| file(Class::Appointment, &entry.file, entry.text, entry.tracked)),
    );
    files.extend(
        nasty::appointments(today).into_iter().map(|oddity| odd(Class::Appointment, oddity)),
    );
    files.extend(
        calendar::tasks(today)
            .into_iter()
            .map(|entry| file(Class::Task, &entry.file, entry.text, entry.tracked)),
    );
    files.extend(nasty::tasks(today).into_iter().map(|oddity| odd(Class::Task, oddity)));
    let plain = mail::messages(&now).into_iter().map(|message| (message, None));
    let nasty =
        nasty::messages(&now).into_iter().map(|(message, why)| (message, Some((false, why))));
    files.extend(
        plain
            .chain(nasty)
            .enumerate()
            .map(|(number, (message, odd))| File { odd, ..letter(number, message) }),
    );
    files
}

fn file(class: Class, name: &str, text: impl Into<Vec<u8>>, tracked: bool) -> File {
    let folder = if class == Class::Contact { CONTACTS } else { CALENDAR };
    File { class, path: format!("{folder}/{name}"), bytes: text.into(), tracked, odd: None }
}

fn odd(class: Class, oddity: nasty::Oddity) -> File {
    let category = cards::TRACKED.as_bytes();
    let tracked = oddity.bytes.windows(category.len()).any(|window| window == category);
    let odd = Some((oddity.broken, oddity.why));
    File { odd, ..file(class, oddity.file, oddity.bytes, tracked) }
}

/// In `cur` with its flags, or in `new` (<https://cr.yp.to/proto/maildir.html>).
fn letter(number: usize, message: Message) -> File {
    let name = format!("{}.M{number:06}P1.demo", message.at.as_second());
    let place = match message.flags {
        Some(flags) => format!("cur/{name}:2,{flags}"),
        None => format!("new/{name}"),
    };
    let path = if message.folder.is_empty() {
        format!("{MAIL}/{place}")
    } else {
        format!("{MAIL}/{}/{place}", message.folder)
    };
    File { class: Class::Email, path, bytes: message.bytes, tracked: false, odd: None }
}
