//! Takes out of a text whatever might be somebody's: what is left are the words that this program uses itself, small numbers, dates,
//! and codes. Everything else becomes a word like `host-1f3a9c`, the same for the same, so that it can still be seen what belongs
//! together. What a word stands for cannot be found by trying: the words are salted with an id that stays here. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// The words of the program's own messages.
const WORDS: &str = include_str!("words.txt");

/// Keys whose texts are names that somebody gave, whatever words they consist of.
const NAMES: [&str; 12] = [
    "at",
    "folder",
    "holder",
    "host",
    "id",
    "item",
    "mailbox",
    "name",
    "organisation",
    "record",
    "url",
    "user",
];

/// More characters than this in a row are no word.
const WORD_MAX: usize = 40;

/// Redacts texts of one report.
#[derive(Debug)]
pub struct Redactor {
    salt: Uuid,
    words: BTreeSet<&'static str>,
    /// Values that must not be seen, longest first.
    known: Vec<(String, &'static str)>,
}

impl Redactor {
    /// `known` are values and what they are.
    pub fn new(salt: Uuid, mut known: Vec<(String, &'static str)>) -> Self {
        known.sort_by(|(one, _), (other, _)| other.len().cmp(&one.len()).then(one.cmp(other)));
        Self { salt, words: WORDS.split_whitespace().collect(), known }
    }

    /// The word that stands for this value.
    pub fn name(&self, kind: &str, value: &str) -> String {
        let hash =
            Uuid::new_v5(&self.salt, value.trim().to_lowercase().as_bytes()).simple().to_string();
        format!("{kind}-{}", hash.chars().take(6).collect::<String>())
    }

    /// A text, line by line.
    pub fn text(&self, text: &str) -> String {
        let lines: Vec<String> =
            text.lines().map(|line| self.without_known(line, &self.known)).collect();
        lines.join("\n")
    }

    /// A document: what its keys are called, as a text; what it says under the key of a name, whole.
    pub fn json(&self, json: &Json) -> Json {
        match json {
            Json::Null | Json::Bool(_) | Json::Number(_) => json.clone(),
            Json::String(text) => Json::String(self.text(text)),
            Json::Array(list) => list.iter().map(|one| self.json(one)).collect(),
            Json::Object(object) => {
                let pairs =
                    object.iter().map(|(key, value)| (self.text(key), self.under(key, value)));
                Json::Object(pairs.collect::<Map<String, Json>>())
            }
        }
    }

    fn under(&self, key: &str, value: &Json) -> Json {
        match value {
            Json::String(text) if NAMES.contains(&key) && !text.is_empty() => {
                Json::String(self.name(key, text))
            }
            _ => self.json(value),
        }
    }

    /// Cuts at the known values, and redacts what is between them.
    fn without_known(&self, text: &str, known: &[(String, &'static str)]) -> String {
        let Some(((value, kind), rest)) = known.split_first() else {
            return self.without_quotes(text);
        };
        let parts: Vec<String> =
            text.split(value.as_str()).map(|part| self.without_known(part, rest)).collect();
        parts.join(&self.name(kind, value))
    }

    /// What stands in quotation marks is quoted from somebody.
    fn without_quotes(&self, text: &str) -> String {
        for (open, close) in [('“', '”'), ('"', '"'), ('«', '»')] {
            let Some((before, rest)) = text.split_once(open) else { continue };
            // A quotation that was cut off ends with the text.
            let (quoted, after) = rest.split_once(close).unwrap_or((rest, ""));
            let word = if quoted.is_empty() { String::new() } else { self.name("text", quoted) };
            return format!(
                "{}{open}{word}{close}{}",
                self.without_quotes(before),
                self.without_quotes(after)
            );
        }
        self.words(text)
    }

    fn words(&self, text: &str) -> String {
        let mut redacted = String::new();
        let (mut begins, mut number_before) = (true, false);
        for word in text.split_inclusive(char::is_whitespace) {
            let core = word.trim_end();
            let space = word.strip_prefix(core).unwrap_or_default();
            let start = core.trim_start_matches(is_punctuation);
            let inner = start.trim_end_matches(is_punctuation);
            let before = core.strip_suffix(start).unwrap_or_default();
            let after = start.strip_prefix(inner).unwrap_or_default();
            redacted.push_str(before);
            // A number in several words is a telephone number.
            let is_number = is_small_number(inner);
            if is_number && number_before {
                redacted.push_str(&self.name("number", inner));
            } else {
                redacted.push_str(&self.word(inner, begins));
            }
            redacted.push_str(after);
            redacted.push_str(space);
            if !inner.is_empty() {
                number_before = is_number && after.is_empty();
                begins = after.contains(['.', ':', '!', '?']);
            }
        }
        redacted
    }

    /// A word without the punctuation around it. The first one of a sentence may be capitalised.
    fn word(&self, word: &str, begins: bool) -> String {
        if word.is_empty() || is_small_number(word) || is_moment(word) || is_code(word) {
            return word.to_owned();
        }
        if self.is_ours(word) || (begins && self.is_ours(&lower_first(word))) {
            return word.to_owned();
        }
        let joint =
            |c: char| matches!(c, '-' | '_' | '=' | ':' | ',' | '/' | '(' | ')' | '[' | ']' | '|');
        let parts: Vec<&str> = word.split(joint).filter(|part| !part.is_empty()).collect();
        let digits = parts.iter().filter(|part| is_small_number(part)).count();
        let fits = |part: &&str| self.is_ours(part) || is_small_number(part) || is_code(part);
        if parts.len() > 1 && digits < 2 && parts.iter().all(fits) {
            return word.to_owned();
        }
        self.name(kind_of(word), word)
    }

    fn is_ours(&self, word: &str) -> bool {
        word.len() <= WORD_MAX && self.words.contains(word)
            || (word.chars().count() == 1 && !word.chars().all(char::is_alphanumeric))
            || matches!(word, "a" | "A" | "I" | "s")
    }
}

fn is_punctuation(c: char) -> bool {
    !c.is_alphanumeric() && !matches!(c, '@' | '/' | '\\' | '+' | '_' | '-' | '~' | '$' | '%' | '=')
}

fn lower_first(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().into_iter().flat_map(char::to_lowercase);
    first.chain(chars).collect()
}

/// Up to four digits, perhaps a fraction and a unit.
fn is_small_number(word: &str) -> bool {
    const UNITS: [&str; 13] =
        ["", "s", "ms", "%", "h", "m", "d", "B", "KB", "MB", "GB", "KiB", "MiB"];
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = word.strip_suffix(unit).unwrap_or_default();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits =
        |part: &str, most: usize| part.len() <= most && part.bytes().all(|b| b.is_ascii_digit());
    UNITS.contains(&unit) && !whole.is_empty() && digits(whole, 4) && digits(fraction, 3)
}

fn is_moment(word: &str) -> bool {
    let is = |is: bool| is && word.bytes().any(|b| b.is_ascii_digit());
    is(word.parse::<Timestamp>().is_ok()
        || word.parse::<Date>().is_ok()
        || word.parse::<Time>().is_ok())
}

/// The number of an error: `0x80048306`.
fn is_code(word: &str) -> bool {
    word.strip_prefix("0x").is_some_and(|hex| {
        (4..=8).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// What a word looks like.
fn kind_of(word: &str) -> &'static str {
    if word.contains("://") {
        "url"
    } else if word.contains('@') {
        "address"
    } else if Uuid::try_parse(word).is_ok() {
        "id"
    } else if word.contains(['/', '\\']) {
        "path"
    } else if word.chars().all(|c| c.is_ascii_digit() || "+-. ".contains(c)) {
        "number"
    } else if word.contains('.') && !word.contains('=') {
        "host"
    } else {
        "word"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redactor() -> Redactor {
        let known = vec![("pass mail/anna".to_owned(), "command"), ("message".to_owned(), "user")];
        Redactor::new(Uuid::from_u128(7), known)
    }

    /// With what stands for something shown as its kind alone.
    fn redacted(text: &str) -> String {
        let short = |word: &str| match word.rsplit_once('-') {
            Some((kind, hash)) if hash.trim_end_matches(is_punctuation).len() == 6 => {
                format!("<{}>", kind.trim_start_matches(is_punctuation))
            }
            _ => word.to_owned(),
        };
        redactor().text(text).split(' ').map(short).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_the_program_says_stays_and_what_others_say_goes() {
        for (text, expected) in [
            ("The sign-in is not accepted (401)", "The sign-in is not accepted (401)"),
            ("round 7: 3 operations in 0.2 s", "round 7: 3 operations in 0.2 s"),
            ("imap.example.org refused anna@example.org", "<host> refused <address>"),
            ("Zebulon will answer", "<word> will answer"),
            ("the contact Will Quux", "the contact <word> <word>"),
            ("the contact “Ann in the office” is there", "the contact <text> is there"),
            ("cut off “Ann in the", "cut off <text>"),
            ("+49 30 1234 5678", "<number> 30 <number> <number>"),
            ("write to 030-1234-567 or 03012345", "write to <number> or <number>"),
            ("/home/anna/Mail: no such file", "<path> no such file"),
            ("https://crm.example.org/x failed", "<url> failed"),
            (
                "error 0x80048306 at 2026-11-22T08:00:00Z",
                "error 0x80048306 at 2026-11-22T08:00:00Z",
            ),
            ("6f0c3c1e-86a5-5b53-9a3c-2d1f5e0b7a41", "<id>"),
            ("token eyJhbGciOi.eyJzdWIi.c2ln", "token <host>"),
            ("run pass mail/anna again", "run <command> again"),
            ("kind=throttled seconds=3 in_step", "kind=throttled seconds=3 in_step"),
            ("✓ reachable: it is there", "✓ reachable: it is there"),
            ("", ""),
        ] {
            assert_eq!(redacted(text), expected, "{text}: {}", redactor().text(text));
        }
    }

    #[test]
    fn the_same_is_the_same_word_and_another_one_with_another_salt() {
        let (one, other) = (redactor(), Redactor::new(Uuid::from_u128(8), Vec::new()));
        let name = one.text("Quux");
        assert_eq!(one.text("(quux)."), format!("({name})."));
        assert_ne!(other.text("Quux"), name);
    }

    #[test]
    fn in_documents_names_go_whole_and_keys_are_looked_at() {
        let json = json!({
            "in_step": true, "linked": 7, "name": "all contacts", "skipped": { "folder Quux": 3 },
            "filters": [{ "name": "own contacts", "records": 12 }], "error": { "message": "Quux failed" },
        });
        let redacted = redactor().json(&json).to_string();
        for part in ["Quux", "all contacts", "own contacts"] {
            assert!(!redacted.contains(part), "{part}: {redacted}");
        }
        for part in ["\"in_step\":true", "\"linked\":7", "\"records\":12", "failed"] {
            assert!(redacted.contains(part), "{part}: {redacted}");
        }
    }
}
