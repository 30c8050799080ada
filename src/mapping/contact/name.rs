//! `N` and `FN`: the parts of a name, and the name as one text.

use crate::mapping::text;
use crate::model::{Field, Fields, Value};

use super::card::{Card, Dialect};
use super::form::{self, NAME};

/// Reads the name: from `N`, or from `FN` where `N` is missing or empty.
pub fn read(card: &Card<'_>, fields: &mut Fields) {
    let mut parts = structured(card);
    if !has_name(&parts) {
        let (first, last) = from_full_name(card, &parts);
        parts[0] = last;
        parts[1] = first;
    }
    for (field, part) in NAME.into_iter().zip(parts) {
        fields.extend(form::text(field, &part).map(|value| (Field::of(field), value)));
    }
}

/// Whether the card names the person in `N`.
pub fn is_structured(card: &Card<'_>) -> bool {
    has_name(&structured(card))
}

/// One part of `N` as text. It may be a list: of names, or of titles after the name.
fn part(dialect: Dialect, field: &str, raw: &str) -> String {
    if dialect == Dialect::V21 {
        return dialect.unescape(raw);
    }
    let separator = if field == "suffix" { ", " } else { " " };
    let words: Vec<String> = text::list(raw)
        .into_iter()
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(separator)
}

fn structured(card: &Card<'_>) -> [String; 5] {
    let raw = card.first("N").map(|line| text::split(line.value(), ';')).unwrap_or_default();
    let mut parts = NAME.map(|_| String::new());
    for ((slot, field), raw) in parts.iter_mut().zip(NAME).zip(raw) {
        *slot = part(card.dialect, field, raw);
    }
    parts
}

fn has_name([last, first, middle, ..]: &[String; 5]) -> bool {
    [last, first, middle].into_iter().any(|part| form::text("", part).is_some())
}

/// First and last name out of `FN`. A name that is borrowed from the company or an e-mail address is left whole.
fn from_full_name(card: &Card<'_>, [.., prefix, suffix]: &[String; 5]) -> (String, String) {
    let full = card.first("FN").map(|line| card.dialect.unescape(line.value())).unwrap_or_default();
    let Some(Value::Text(full)) = form::text("", &full) else {
        return (String::new(), String::new());
    };
    let company = card.first("ORG").and_then(|line| {
        let name = text::split(line.value(), ';').first().map(|raw| card.dialect.unescape(raw))?;
        Some(form::text("", &name)?.to_string())
    });
    let is_company = company.is_some_and(|company| company == full)
        || card.first("KIND").is_some_and(|kind| kind.value().trim().eq_ignore_ascii_case("org"))
        || card.first("X-ABSHOWAS").is_some_and(|show| show.value().trim() == "COMPANY");
    let bare = without_titles(&full, prefix.trim(), suffix.trim());
    if is_company || bare.contains('@') {
        return (String::new(), bare.to_owned());
    }
    split(bare)
}

/// A full name without what `N` says stands before and after the name.
fn without_titles<'a>(full: &'a str, prefix: &str, suffix: &str) -> &'a str {
    let apart = |c: char| c.is_whitespace() || c == ',';
    let rest = full.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with(apart));
    let bare = rest.unwrap_or(full).trim();
    let rest = bare.strip_suffix(suffix).filter(|rest| rest.is_empty() || rest.ends_with(apart));
    rest.unwrap_or(bare).trim_end_matches(apart)
}

/// Splits a name: `Last, First`, else the last word, with the particles before it (`van`, `de la`), is the last name.
fn split(full: &str) -> (String, String) {
    if let Some((last, first)) = full.split_once(',')
        && last.split_whitespace().count() == 1
        && !first.trim().is_empty()
        && !first.contains(',')
    {
        return (first.trim().to_owned(), last.trim().to_owned());
    }
    let words: Vec<&str> = full.split_whitespace().collect();
    let particle = |word: &&str| word.starts_with(char::is_lowercase);
    let before_last = words.len().saturating_sub(1);
    let particles =
        words.iter().take(before_last).skip(1).rev().take_while(|w| particle(w)).count();
    let (first, last) = words.split_at(before_last - particles);
    (first.join(" "), last.join(" "))
}
