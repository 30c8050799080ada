//! `ADR` (RFC 6350 §6.3.1): post office box; extended address; street; city; region; postal code; country.
//!
//! The CRM has lines for the street. The first is the first line of the street; the second is what follows in the street,
//! or, where the street is a single line, the extended address ("flat 5").

use crate::mapping::text::{self, Line};
use crate::model::{Field, Fields, Patch};

use super::card::Dialect;
use super::form;

const PARTS: usize = 7;
const EXTENDED: usize = 1;
const STREET: usize = 2;
const PLAIN: [(usize, &str); 5] =
    [(0, "postofficebox"), (3, "city"), (4, "stateorprovince"), (5, "postalcode"), (6, "country")];

/// All fields of the address of this number, 1 to 3.
pub fn fields(number: usize) -> Vec<Field> {
    let lines = ["line1", "line2"].into_iter();
    lines.chain(PLAIN.map(|(_, part)| part)).map(|part| field(number, part)).collect()
}

/// Reads a line into the fields of an address.
pub fn read(line: &Line, dialect: Dialect, number: usize, fields: &mut Fields) {
    let raw = parts(line);
    let at = |index: usize| raw.get(index).map(|raw| dialect.unescape(raw)).unwrap_or_default();
    let mut put = |part: &str, text: &str| {
        let field = field(number, part);
        let value = form::text(field.as_str(), text);
        fields.extend(value.map(|value| (field, value)));
    };
    let street = unified(&at(STREET));
    if let Some((first, rest)) = street.split_once('\n') {
        put("line1", first);
        put("line2", rest);
    } else {
        put("line1", &street);
        put("line2", &at(EXTENDED));
    }
    for (index, part) in PLAIN {
        put(part, &at(index));
    }
}

/// The line with a patch written onto it; `None` when nothing is left in it.
pub fn write(line: Line, dialect: Dialect, number: usize, patch: &Patch) -> Option<Line> {
    let change = |part: &str| {
        let value = patch.get(&field(number, part))?.as_ref();
        Some(value.map(ToString::to_string).unwrap_or_default())
    };
    let mut raw = parts(&line);
    raw.resize(raw.len().max(PARTS), String::new());
    let mut put = |index: usize, text: &str| {
        if let Some(part) = raw.get_mut(index) {
            *part = dialect.escape(text);
        }
    };
    for (index, part) in PLAIN {
        if let Some(text) = change(part) {
            put(index, &text);
        }
    }
    let old = parts(&line);
    let old = |index: usize| old.get(index).map(|raw| dialect.unescape(raw)).unwrap_or_default();
    if change("line1").is_some() || change("line2").is_some() {
        let street = unified(&old(STREET));
        let extended = old(EXTENDED);
        let (first, rest) = match street.split_once('\n') {
            Some((first, rest)) => (first, Some(rest)),
            None => (street.as_str(), None),
        };
        let first = change("line1").unwrap_or_else(|| first.to_owned());
        match (rest, change("line2")) {
            // The second line stands in the extended address, and stays there.
            (None, second) if !extended.trim().is_empty() => {
                put(STREET, &first);
                put(EXTENDED, &second.unwrap_or(extended));
            }
            (rest, second) => {
                let second = second.unwrap_or_else(|| rest.unwrap_or_default().to_owned());
                // A street of two lines, the second empty, keeps an extended address from being taken for that second line.
                let two = !second.is_empty() || !extended.trim().is_empty();
                put(STREET, &if two { format!("{first}\n{second}") } else { first });
            }
        }
    }
    let left = raw.iter().any(|part| form::text("", &dialect.unescape(part)).is_some());
    // The address as one text and as a place on the map say where it was before.
    let line = line.without_param("LABEL").without_param("GEO");
    left.then(|| line.with_value(text::join(&raw, PARTS)))
}

fn parts(line: &Line) -> Vec<String> {
    text::split(line.value(), ';').into_iter().map(str::to_owned).collect()
}

fn field(number: usize, part: &str) -> Field {
    Field::named(format!("address{number}_{part}"))
}

fn unified(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
