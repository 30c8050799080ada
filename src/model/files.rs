//! Which files an organisation takes with an activity.

use std::collections::BTreeSet;
use std::fmt;

/// The organisation's rules; by default none is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileRules {
    /// The largest file, in bytes (`maxuploadfilesize`).
    pub largest: Option<u64>,
    /// Endings that are refused, in lower case and without the dot (`blockedattachments`).
    pub blocked_endings: BTreeSet<String>,
    /// Media types that are refused, in lower case (`blockedmimetypes`).
    pub blocked_types: BTreeSet<String>,
    /// If there are any, no others are taken, and `blocked_types` says nothing (`allowedmimetypes`).
    pub allowed_types: BTreeSet<String>,
}

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    Kind,
    /// It has so many bytes.
    Size(u64),
}

impl FileRules {
    /// The words of one of the organisation's lists.
    pub fn words(list: &str) -> BTreeSet<String> {
        let words = list.split([';', ',']).map(|word| word.trim().trim_start_matches('.'));
        words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    }

    /// Why a file of this name, type and size is not taken; `None` if it is.
    pub fn refuse(&self, name: &str, mimetype: &str, size: usize) -> Option<Refusal> {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.trim().to_lowercase());
        if ending.is_some_and(|ending| self.blocked_endings.contains(&ending)) {
            return Some(Refusal::Kind);
        }
        let mimetype = mimetype.split(';').next().unwrap_or_default().trim().to_lowercase();
        let refused = if self.allowed_types.is_empty() {
            self.blocked_types.contains(&mimetype)
        } else {
            !self.allowed_types.contains(&mimetype)
        };
        if refused {
            return Some(Refusal::Kind);
        }
        let size = size as u64;
        self.largest.is_some_and(|largest| size > largest).then_some(Refusal::Size(size))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MEGABYTE: u64 = 1 << 20;
        match self {
            Self::Kind => f.write_str("type"),
            // To one place, as people say it.
            Self::Size(bytes) if *bytes < 10 * MEGABYTE => {
                let tenths = bytes.saturating_mul(10) / MEGABYTE;
                write!(f, "{}.{} MB", tenths / 10, tenths % 10)
            }
            Self::Size(bytes) => write!(f, "{} MB", bytes / MEGABYTE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_refused_by_ending_type_and_size() {
        let mut rules = FileRules {
            largest: Some(5 << 20),
            blocked_endings: FileRules::words("EXE; .js ;;"),
            blocked_types: FileRules::words("Application/JavaScript"),
            allowed_types: BTreeSet::new(),
        };
        for (name, mimetype, size, refusal) in [
            ("setup.Exe", "application/octet-stream", 1, Some(Refusal::Kind)),
            ("exe", "text/plain", 1, None),
            ("a.txt", "application/javascript; charset=x", 1, Some(Refusal::Kind)),
            ("a.pdf", "application/pdf", 5 << 20, None),
            ("a.pdf", "application/pdf", (5 << 20) + 1, Some(Refusal::Size((5 << 20) + 1))),
        ] {
            assert_eq!(rules.refuse(name, mimetype, size), refusal, "{name}");
        }
        rules.allowed_types = FileRules::words("application/javascript");
        assert_eq!(rules.refuse("a.txt", "application/javascript", 1), None);
        assert_eq!(rules.refuse("a.pdf", "application/pdf", 1), Some(Refusal::Kind));
        assert_eq!(FileRules::default().refuse("a.exe", "x/y", usize::MAX), None);
        assert_eq!(Refusal::Size(41 << 20).to_string(), "41 MB");
        assert_eq!(Refusal::Size((5 << 20) + (1 << 19)).to_string(), "5.5 MB");
    }
}
