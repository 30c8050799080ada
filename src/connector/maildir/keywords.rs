//! `dovecot-keywords`: which keyword each of the letters a to z stands for, one file a folder
//! (<https://doc.dovecot.org/main/core/config/mailbox/formats/maildir.html>). Written under Dovecot's own lock.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::connector::error::{Error, ErrorKind, Result};
use crate::connector::file;

const FILE: &str = "dovecot-keywords";
const LOCK: &str = "dovecot-keywords.lock";
const SIZE_LIMIT: u64 = 64 << 10;

/// Dovecot, too, takes a lock this old for one whose owner died.
const STALE: Duration = Duration::from_mins(2);

/// What the letters of a folder stand for; empty without the file.
///
/// # Errors
/// When the file is there and cannot be read.
pub(super) fn read(folder: &Path) -> Result<BTreeMap<char, String>> {
    let bytes = match file::read(&folder.join(FILE), SIZE_LIMIT) {
        Err(error) if error.kind == ErrorKind::Missing => return Ok(BTreeMap::new()),
        other => other?,
    };
    Ok(String::from_utf8_lossy(&bytes).lines().filter_map(parse).collect())
}

fn parse(line: &str) -> Option<(char, String)> {
    let (index, keyword) = line.trim().split_once(' ')?;
    let index = index.parse::<u8>().ok().filter(|index| *index < 26)?;
    Some((char::from(b'a' + index), keyword.trim().to_owned()))
}

/// The letter of a keyword, if it has one. Keywords are compared without case (RFC 3501 §2.3.2).
pub(super) fn known(keywords: &BTreeMap<char, String>, keyword: &str) -> Option<char> {
    keywords
        .iter()
        .find(|(_, known)| known.eq_ignore_ascii_case(keyword))
        .map(|(letter, _)| *letter)
}

/// The letter of a keyword, which gets one if it has none.
///
/// # Errors
/// [`ErrorKind::Unsupported`] when all letters are taken or it is no keyword, [`ErrorKind::Local`] while another program
/// writes the file.
pub(super) fn letter(folder: &Path, keyword: &str, clock: &Clock) -> Result<char> {
    if let Some(letter) = known(&read(folder)?, keyword) {
        return Ok(letter);
    }
    let is_atom = !keyword.is_empty()
        && keyword.bytes().all(|byte| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte));
    if !is_atom {
        return Err(Error::new(ErrorKind::Unsupported, "the mark is not an IMAP keyword"));
    }
    let lock = folder.join(LOCK);
    remove_stale(&lock, clock);
    // The lock comes into being with the new text in it, and becomes the file: both in one step.
    let text = |keywords: &BTreeMap<char, String>| {
        let line = |(letter, keyword): (&char, &String)| {
            format!("{} {keyword}\n", u32::from(*letter) - u32::from('a'))
        };
        keywords.iter().map(line).collect::<String>()
    };
    let mut keywords = read(folder)?;
    let before = keywords.clone();
    let letter = known(&keywords, keyword)
        .or_else(|| ('a'..='z').find(|letter| !keywords.contains_key(letter)))
        .ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "the folder has no room for another keyword")
        })?;
    keywords.insert(letter, keyword.to_owned());
    let staged = file::stage(folder, text(&keywords).as_bytes(), clock)?;
    staged.create(&lock).map_err(|error| match error.kind {
        ErrorKind::Exists => busy(),
        _ => error,
    })?;
    if read(folder)? != before {
        // Somebody wrote between our look and our lock.
        file::remove_named(&lock)?;
        return Err(busy());
    }
    let path = folder.join(FILE);
    let replace = || {
        if let Ok(metadata) = fs::metadata(&path) {
            fs::set_permissions(&lock, metadata.permissions())?;
        }
        fs::rename(&lock, &path)
    };
    replace().map_err(|error| {
        Error::new(ErrorKind::Local, "cannot write dovecot-keywords").caused_by(error)
    })?;
    Ok(letter)
}

fn busy() -> Error {
    Error::new(ErrorKind::Local, "another program is writing dovecot-keywords")
}

fn remove_stale(lock: &Path, clock: &Clock) {
    let limit = clock.now().checked_sub(STALE).unwrap_or(Timestamp::UNIX_EPOCH);
    let modified = fs::metadata(lock).and_then(|metadata| metadata.modified()).ok();
    let modified = modified.and_then(|time| Timestamp::try_from(time).ok());
    if modified.is_some_and(|modified| modified < limit) {
        // If this fails, taking the lock fails, and says so.
        drop(fs::remove_file(lock));
    }
}
