//! How far a folder was seen, as a short text: `validity.next.messages.marks`.

use std::collections::BTreeMap;
use std::fmt;

use super::folder::State;
use super::select::Selected;
use crate::connector::file;
use crate::model::Version;

/// What a folder was like when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) uid_validity: u32,
    pub(super) uid_next: u32,
    pub(super) messages: u32,
    pub(super) marks: Marks,
}

/// What tells whether a keyword was set or cleared since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Marks {
    /// RFC 7162.
    ModSeq(u64),
    /// A digest of all keywords of all messages, where the server keeps no such number; empty if there were none.
    Keywords(String),
}

impl Marks {
    /// Of the messages of a folder without modification sequences.
    pub(super) fn of(versions: &BTreeMap<u32, Version>) -> Self {
        let marked: Vec<String> = versions
            .iter()
            .filter(|(_, version)| !version.as_str().is_empty())
            .map(|(uid, version)| format!("{uid} {version}\n"))
            .collect();
        let marked = marked.concat();
        let digest =
            if marked.is_empty() { String::new() } else { file::digest(marked.as_bytes()) };
        Self::Keywords(digest)
    }
}

impl Seen {
    /// Reads a token; nothing for one that something else made.
    pub(super) fn parse(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let mut part = || parts.next();
        let uid_validity = part()?.parse().ok()?;
        let uid_next = part()?.parse().ok().filter(|next| *next > 0)?;
        let messages = part()?.parse().ok()?;
        let marks = part()?;
        let marks = match marks.strip_prefix('k') {
            Some(digest) => Marks::Keywords(digest.to_owned()),
            None => Marks::ModSeq(marks.parse().ok()?),
        };
        Some(Self { uid_validity, uid_next, messages, marks }).filter(|_| part().is_none())
    }

    /// Whether nothing at all happened, by what the server counts.
    pub(super) fn is(&self, state: &State) -> bool {
        let same_marks = match self.marks {
            Marks::ModSeq(seen) => state.mod_seq == Some(seen),
            // Keywords show in no number: they must be looked at.
            Marks::Keywords(_) => true,
        };
        same_marks
            && self.uid_validity == state.uid_validity
            && self.uid_next == state.uid_next
            && self.messages == state.messages
    }

    /// Whether the folder can have become this by what happens to folders. A restored backup goes back in time.
    pub(super) fn can_become(&self, state: &State) -> bool {
        let forward = match (&self.marks, state.mod_seq) {
            (Marks::ModSeq(seen), Some(now)) => *seen <= now,
            (Marks::ModSeq(_), None) => false,
            (Marks::Keywords(_), now) => now.is_none(),
        };
        forward && self.uid_validity == state.uid_validity && self.uid_next <= state.uid_next
    }
}

impl Seen {
    /// Whether an opened folder still is what it was.
    pub(super) fn is_still(&self, opened: &Selected) -> bool {
        let same_marks = match self.marks {
            Marks::ModSeq(seen) => opened.mod_seq == Some(seen),
            Marks::Keywords(_) => true,
        };
        same_marks
            && self.uid_validity == opened.uid_validity
            && opened.uid_next.is_none_or(|next| next == self.uid_next)
            && self.messages == opened.exists
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.", self.uid_validity, self.uid_next, self.messages)?;
        match &self.marks {
            Marks::ModSeq(number) => write!(f, "{number}"),
            Marks::Keywords(digest) => write!(f, "k{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_as_it_was_written() {
        for text in ["3.12.7.99", "3.12.7.k", "3.12.7.kab01"] {
            assert_eq!(Seen::parse(text).unwrap().to_string(), text);
        }
        for bad in ["", "3", "3.12.7", "3.12.7.", "3.12.7.x", "3.12.7.9.9", "-3.12.7.9", "3..7.9"] {
            assert_eq!(Seen::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_folder_that_went_back_in_time_is_another() {
        let seen = Seen::parse("3.12.7.99").unwrap();
        let state = State { uid_validity: 3, uid_next: 12, messages: 7, mod_seq: Some(99) };
        assert!(seen.is(&state) && seen.can_become(&state));
        assert!(seen.can_become(&State { uid_next: 13, mod_seq: Some(100), ..state }));
        assert!(!seen.can_become(&State { uid_next: 11, ..state }));
        assert!(!seen.can_become(&State { mod_seq: Some(98), ..state }));
        assert!(!seen.can_become(&State { mod_seq: None, ..state }));
        assert!(!seen.can_become(&State { uid_validity: 4, ..state }));
    }
}
