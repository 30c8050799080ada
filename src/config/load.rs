//! From texts to settings: the defaults, the user's file over them, checked as a whole or not at all.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::DEFAULT;
use super::error::{Error, Result};
use super::section::{Reading, Section};
use super::settings::{Classes, Guard, Limit, Mailbox, Organisation, Service, Settings};
use super::tree::{self, Layer, Value};
use crate::model::{Address, Class};

mod email;
mod filing;
mod mailbox;
mod oauth;
mod offline;
mod organisation;
mod server;
mod sync;

/// A configuration that can be used, and where each of its values comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    /// Every setting, sorted by key.
    pub effective: Vec<Effective>,
}

/// One setting as it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// With the names of the sections before it: `sync.contact.track`.
    pub key: String,
    /// As it could stand in the file; `None` when it is not set and has no default.
    pub value: Option<String>,
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// The user's file, at this line.
    File {
        line: usize,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { line } => write!(f, "line {line}"),
        }
    }
}

/// Loads the user's file.
///
/// # Errors
/// When it cannot be read or used: where, why, and what to do.
pub fn load(file: &Path, home: Option<&Path>) -> Result<Loaded> {
    let mut bytes = Vec::new();
    let read = fs::File::open(file)
        .and_then(|file| file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| {
        let broken = Error::new(file, format!("cannot be read: {error}"));
        broken.hint("write it, or name another one with --config or LIAISON_CONFIG")
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::new(file, "not UTF-8 text").hint("save the file as UTF-8"))?;
    parse(&text, file, home)
}

/// Reads the text of the user's file. `file` is for messages, and its folder is where relative paths start; `home` is
/// what `~` stands for.
///
/// # Errors
/// When it cannot be used: where, why, and what to do.
pub fn parse(text: &str, file: &Path, home: Option<&Path>) -> Result<Loaded> {
    if text.len() > BYTES_MAX {
        return Err(Error::new(file, format!("larger than {} KiB", BYTES_MAX / 1024)));
    }
    let mut root = tree::parse(DEFAULT, Path::new("config/default.toml"), Layer::Default)?;
    tree::overlay(&mut root, tree::parse(text, file, Layer::File)?);
    let reading = Reading { file, text, effective: RefCell::new(Vec::new()) };
    let paths = Paths { folder: file.parent().unwrap_or(Path::new("")), home };

    let mut section = Section::root(&reading, &root);
    let user = address(&root);
    let settings = Settings {
        organisations: organisations(
            &mut section,
            &paths,
            user.as_ref().map_or("", Address::as_str),
        )?,
        mailbox: mailbox(&mut section, &paths)?,
        sync: sync(&mut section)?,
        guard: guard(&mut section)?,
        offline: offline::read(&mut section)?,
        service: service(&mut section)?,
    };
    if settings.sync.email.send && settings.mailbox.submission.is_none() {
        let error = Error::new(file, "`send = true` in `[sync.email]`, and no server to send by");
        return Err(error.hint("name it in [mailbox.submission]"));
    }
    section.finish()?;

    let mut effective = reading.effective.into_inner();
    effective.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(Loaded { settings, effective })
}

/// The mailbox's address, as which one signs in at organisations; that it is one is checked with the mailbox.
fn address(root: &tree::Table) -> Option<Address> {
    let Value::Table(mailbox) = &root.get("mailbox")?.value else { return None };
    let Value::Text(text) = &mailbox.get("address")?.value else { return None };
    Address::parse(text)
}

/// More than anybody writes by hand.
const BYTES_MAX: usize = 1024 * 1024;

fn organisations(
    root: &mut Section<'_>,
    paths: &Paths<'_>,
    user: &str,
) -> Result<BTreeMap<String, Organisation>> {
    let mut found = BTreeMap::new();
    let mut syncing: Option<String> = None;
    for (name, section) in root.named("organisation")? {
        let place = section.place;
        let organisation = organisation::read(name, section, paths, user)?;
        if organisation.sync
            && let Some(first) = syncing.replace(name.to_owned())
        {
            let message = format!("`{first}` and `{name}` both say `sync = true`");
            let error = match place {
                Some(place) => root.reading.error(place, message),
                None => root.error(message),
            };
            return Err(error.hint("a mailbox is kept in step with exactly one organisation"));
        }
        found.insert(name.to_owned(), organisation);
    }
    match (found.keys().next(), syncing) {
        (None, _) => Err(root
            .error("there is no organisation")
            .hint("add [organisation.NAME] with `url`, `auth` and `sync = true`")),
        (Some(name), None) => Err(root
            .error("no organisation says `sync = true`")
            .hint(format!("add it to the one that the mailbox goes with: [organisation.{name}]"))),
        (Some(_), Some(_)) => Ok(found),
    }
}

/// A day.
const INTERVAL_MAX: u64 = 86_400;

fn service(root: &mut Section<'_>) -> Result<Service> {
    let mut section = root.section("service")?.ok_or_else(|| root.missing("service"))?;
    let seconds = section.number("interval", INTERVAL_MAX)?;
    if seconds == 0 {
        let error = section.error("`interval` in `[service]` is 0");
        return Err(error.hint("how many seconds, such as 900"));
    }
    section.finish()?;
    Ok(Service { interval: Duration::from_secs(seconds) })
}

fn mailbox(root: &mut Section<'_>, paths: &Paths<'_>) -> Result<Mailbox> {
    let section = root.section("mailbox")?.ok_or_else(|| root.missing("mailbox"))?;
    mailbox::read(section, paths)
}

fn sync(root: &mut Section<'_>) -> Result<Classes<super::settings::Sync>> {
    let mut section = root.section("sync")?.ok_or_else(|| root.missing("sync"))?;
    let mut class = |class: Class| {
        let section =
            section.section(class.as_str())?.ok_or_else(|| section.missing(class.as_str()));
        sync::read(class, section?)
    };
    let classes = Classes {
        contact: class(Class::Contact)?,
        task: class(Class::Task)?,
        appointment: class(Class::Appointment)?,
        email: class(Class::Email)?,
    };
    section.finish()?;
    Ok(classes)
}

fn guard(root: &mut Section<'_>) -> Result<Guard> {
    let mut section = root.section("guard")?.ok_or_else(|| root.missing("guard"))?;
    let mut limit = |max: &'static str, percent: &'static str| -> Result<Limit> {
        Ok(Limit { max: section.number(max, 1_000_000)?, percent: section.number(percent, 100)? })
    };
    let guard = Guard {
        deletes: limit("deletes_max", "deletes_percent")?,
        updates: limit("updates_max", "updates_percent")?,
        creates: limit("creates_max", "creates_percent")?,
    };
    section.finish()?;
    Ok(guard)
}

/// What paths in the file are relative to.
#[derive(Debug)]
struct Paths<'a> {
    folder: &'a Path,
    home: Option<&'a Path>,
}

impl Paths<'_> {
    /// The path that is meant, without `.` and `..` where they can be left out; the reason where there is none.
    fn resolve(&self, written: &str) -> Result<PathBuf, String> {
        if written.is_empty() || written.contains('\0') {
            return Err("this is no path".to_owned());
        }
        let path = match written.strip_prefix('~') {
            None => self.folder.join(written),
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                let home = self.home.ok_or("`~` stands for nothing: there is no home directory")?;
                home.join(rest.trim_start_matches('/'))
            }
            Some(_) => return Err("`~` can only stand for your own home directory".to_owned()),
        };
        Ok(path.components().filter(|part| *part != Component::CurDir).collect())
    }
}

#[cfg(test)]
mod tests;
