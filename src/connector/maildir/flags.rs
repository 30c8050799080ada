//! What the file name of a message says: `unique:2,FLAGS`, the flags being letters in ASCII order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::folder::Folder;
use crate::model::{ItemId, Version};

/// Windows has no colon in file names; programs there use a semicolon.
const SEPARATOR: char = if cfg!(windows) { ';' } else { ':' };

/// The letters of the Maildir specification with their IMAP names; `P` (passed) is the keyword of RFC 5788.
const FLAGS: [(char, &str); 6] = [
    ('D', "\\Draft"),
    ('F', "\\Flagged"),
    ('P', "$Forwarded"),
    ('R', "\\Answered"),
    ('S', "\\Seen"),
    ('T', "\\Deleted"),
];

/// A message file by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) path: PathBuf,
    /// The part that stays when flags change.
    pub(super) unique: String,
    /// All letters, also those without a meaning known to us: they survive a rename.
    letters: BTreeSet<char>,
    keywords: BTreeMap<char, String>,
}

impl Name {
    /// `keywords` tells what the small letters stand for.
    pub(super) fn parse(directory: &Path, name: &str, keywords: &BTreeMap<char, String>) -> Self {
        let (unique, info) = name.split_once(SEPARATOR).unwrap_or((name, ""));
        let letters: BTreeSet<char> = info.strip_prefix("2,").unwrap_or_default().chars().collect();
        let keywords = keywords
            .iter()
            .filter(|(letter, _)| letters.contains(letter))
            .map(|(letter, keyword)| (*letter, keyword.clone()))
            .collect();
        Self { path: directory.join(name), unique: unique.to_owned(), letters, keywords }
    }

    pub(super) fn id(&self, folder: &Folder) -> ItemId {
        ItemId::new(format!("{}/{}", folder.id, self.unique))
    }

    /// The flags and keywords under their IMAP names.
    pub(super) fn marks(&self) -> BTreeSet<String> {
        let flags = FLAGS.iter().filter(|(letter, _)| self.letters.contains(letter));
        flags.map(|(_, name)| (*name).to_owned()).chain(self.keywords.values().cloned()).collect()
    }

    /// The content never changes, so marks are all there is to a version. Whether the message lies in `new` or `cur`
    /// means something to mail programs only.
    pub(super) fn version(&self) -> Version {
        let unknown = self.letters.iter().filter(|letter| {
            !self.keywords.contains_key(letter) && !FLAGS.iter().any(|(flag, _)| flag == *letter)
        });
        let marks: Vec<String> =
            self.marks().into_iter().chain(unknown.map(char::to_string)).collect();
        Version::new(format!("2,{}", marks.join(" ")))
    }

    pub(super) fn has(&self, letter: char) -> bool {
        self.letters.contains(&letter)
    }

    /// The file name with a letter set or cleared.
    pub(super) fn with(&self, letter: char, set: bool) -> String {
        let mut letters = self.letters.clone();
        if set {
            letters.insert(letter);
        } else {
            letters.remove(&letter);
        }
        let letters: String = letters.into_iter().collect();
        format!("{}{SEPARATOR}2,{letters}", self.unique)
    }
}

/// The letter of a flag, which is not a keyword.
pub(super) fn letter(mark: &str) -> Option<char> {
    FLAGS.iter().find(|(_, name)| name.eq_ignore_ascii_case(mark)).map(|(letter, _)| *letter)
}

/// The file name of a message that was seen.
pub(super) fn seen(unique: &str) -> String {
    format!("{unique}{SEPARATOR}2,S")
}
