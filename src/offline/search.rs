//! Words and the rows that have them. A query is words, whatever signs stand between them: nothing of it is a language.

use super::view;
use super::view::View;
use crate::connector::records::{Definition, Kind};
use crate::model::row::{self, RowId};
use crate::store::replica::{row as rows, search};
use crate::store::{self, Connection, Transaction};

/// The most words of a query that count, and the longest of them.
const MOST_WORDS: usize = 16;
const LONGEST_WORD: usize = 64;

/// More of one text is not indexed.
const LONGEST_TEXT: usize = 100_000;

/// The words of a query.
pub fn words(query: &str) -> Vec<String> {
    query
        .split(|sign: char| !sign.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(MOST_WORDS)
        .map(|word| word.chars().take(LONGEST_WORD).collect())
        .collect()
}

/// The rows that have all these words, or words that begin so, best first.
///
/// # Errors
/// When the store is lost.
pub fn find(db: &Connection, words: &[String], limit: u32) -> store::Result<Vec<View>> {
    let mut found = Vec::new();
    for number in search::find(db, words, limit)? {
        if let Some(kept) = rows::by_number(db, number)?
            && let Some(view) = view::get(db, &kept.row)?.filter(|view| !view.is_deleted)
        {
            found.push(view);
        }
    }
    Ok(found)
}

/// Puts the words of a row as it is seen now.
///
/// # Errors
/// When the store is lost.
pub fn index(tx: &Transaction<'_>, definition: &Definition, row: &RowId) -> store::Result<()> {
    let Some(kept) = rows::get(tx, row)? else { return Ok(()) };
    match view::get(tx, row)? {
        Some(view) if !view.is_deleted => {
            search::put(tx, kept.number, &view.name, &text(definition, &view))
        }
        Some(_) | None => search::remove(tx, kept.number),
    }
}

/// Forgets the words of a row.
///
/// # Errors
/// When the store is lost.
pub fn forget(tx: &Transaction<'_>, row: &RowId) -> store::Result<()> {
    match rows::get(tx, row)? {
        Some(kept) => search::remove(tx, kept.number),
        None => Ok(()),
    }
}

/// All that is text in a row: what people wrote, and what its lookups are called.
fn text(definition: &Definition, view: &View) -> String {
    let mut text = String::new();
    for (column, value) in &view.values {
        let is_text = matches!(
            definition.columns.get(column).map(|column| &column.kind),
            Some(Kind::Text { .. } | Kind::Lookup { .. })
        );
        if is_text && column != &definition.name {
            text.push_str(&readable(&row::shown(value)));
            text.push('\n');
        }
    }
    text
}

/// Without the tags of HTML, and not longer than is indexed.
fn readable(text: &str) -> String {
    let mut out = String::new();
    let mut signs = text.chars().take(LONGEST_TEXT).peekable();
    let mut is_tag = false;
    while let Some(sign) = signs.next() {
        let opens = |next: &char| next.is_ascii_alphabetic() || matches!(next, '/' | '!');
        is_tag |= sign == '<' && signs.peek().is_some_and(opens);
        out.push(if is_tag { ' ' } else { sign });
        is_tag &= sign != '>';
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_words_and_nothing_else() {
        assert_eq!(
            words("Müller-Lüdenscheidt, \"Bad* OR 1=1"),
            ["Müller", "Lüdenscheidt", "Bad", "OR", "1", "1"]
        );
        assert_eq!(words("\"*^:(){}-- NEAR("), ["NEAR"]);
        assert!(words(" \0\u{7f}'\"").is_empty());
        assert_eq!(words(&"a ".repeat(100)).len(), MOST_WORDS);
    }

    #[test]
    fn tags_are_no_words() {
        assert_eq!(
            readable("<p class=\"x\">Hi <b>there</b>").split_whitespace().collect::<Vec<_>>(),
            ["Hi", "there"]
        );
        assert_eq!(readable("3 > 2 < 4"), "3 > 2 < 4");
    }
}
