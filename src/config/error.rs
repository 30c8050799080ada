//! What is wrong with the configuration, where, and what to do about it.

use std::fmt;
use std::path::PathBuf;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The file; empty when none could be determined.
    pub file: PathBuf,
    /// `None` when it is about the file as a whole.
    pub position: Option<Position>,
    /// What is wrong, lower case, without secrets.
    pub message: String,
    /// What the user can do about it, where that is known.
    pub hint: Option<String>,
}

/// A place in a text, both counted from 1; the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Error {
    /// An error about the file as a whole.
    pub fn new(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self { file: file.into(), position: None, message: message.into(), hint: None }
    }

    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.as_os_str().is_empty() {
            write!(f, "{}:", self.file.display())?;
            if let Some(Position { line, column }) = self.position {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The known word that was probably meant: at most a third of its letters differ.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.into_iter().map(|known| (distance(word, known), known));
    let (distance, known) = distances.min()?;
    (distance <= known.chars().count().div_ceil(3)).then_some(known)
}

/// The hint for an unknown word: the nearest known one, else all of them.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(meant) = nearest(word, known.clone()) {
        return format!("did you mean `{meant}`?");
    }
    let known: Vec<String> = known.into_iter().map(|known| format!("`{known}`")).collect();
    format!("known here: {}", known.join(", "))
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbour (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    // Nobody means a word from something longer; it also bounds the work.
    let from: Vec<char> = from.chars().take(64).collect();
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    let mut previous = None;
    for (i, &a) in from.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, &b) in to.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let replaced = cell(&row, j) + usize::from(a != b);
            let mut best = replaced.min(cell(&row, j + 1) + 1).min(cell(&next, j) + 1);
            let swapped = j > 0 && previous == Some(b) && to.get(j - 1) == Some(&a);
            if swapped {
                best = best.min(cell(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        previous = Some(a);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_a_person_would_count() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "url", 3),
            ("url", "", 3),
            ("directoin", "direction", 1),
            ("conflct", "conflict", 1),
            ("kitten", "sitting", 3),
            ("ä", "a", 1),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn only_what_was_probably_meant_is_offered() {
        let known = ["direction", "track", "conflict"];
        assert_eq!(nearest("Direction", known), Some("direction"));
        assert_eq!(nearest("trakc", known), Some("track"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(did_you_mean("colour", known), "known here: `direction`, `track`, `conflict`");
    }
}
