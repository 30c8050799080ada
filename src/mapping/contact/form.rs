//! The form of a contact's values in which both sides are compared, and the names of its fields.

use jiff::civil::Date;

use crate::model::{Field, Fields, Patch, Value};

/// Parts of a name in the order of `N` (RFC 6350 §6.2.2).
pub const NAME: [&str; 5] = ["lastname", "firstname", "middlename", "salutation", "suffix"];

const EMAILS: [&str; 3] = ["emailaddress1", "emailaddress2", "emailaddress3"];

const PHONES: [&str; 11] = [
    "telephone1",
    "mobilephone",
    "telephone2",
    "business2",
    "home2",
    "telephone3",
    "company",
    "callback",
    "assistantphone",
    "fax",
    "pager",
];

/// The first day that a date column can hold
/// (<https://learn.microsoft.com/power-apps/developer/data-platform/behavior-format-date-time-attribute>).
/// Address books write years before that for "no year" (Apple: 1604).
const FIRST_YEAR: i16 = 1753;

/// Text as a value of this field: free of control characters, and but for the notes on one line. Telephone numbers and
/// addresses lose their URI scheme and nothing else. `None` when nothing is left.
pub fn text(field: &str, text: &str) -> Option<Value> {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    if field == "description" {
        let printable = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
        return Value::text(&unified.chars().filter(printable).collect::<String>());
    }
    let line = one_line(&unified);
    let bare = if EMAILS.contains(&field) {
        without_scheme(&line, "mailto:")
    } else if PHONES.contains(&field) {
        without_scheme(&line, "tel:")
    } else {
        &line
    };
    Value::text(bare)
}

/// A date as a value, if a date column can hold it.
pub fn date(date: Date) -> Option<Value> {
    (date.year() >= FIRST_YEAR).then_some(Value::Date(date))
}

/// Whether the field holds a date.
pub fn is_date(field: &str) -> bool {
    matches!(field, "birthdate" | "anniversary")
}

/// The text of a field, or nothing.
pub fn get<'a>(fields: &'a Fields, field: &'static str) -> &'a str {
    match fields.get(&Field::of(field)) {
        Some(Value::Text(text) | Value::Cut(text)) => text,
        _ => "",
    }
}

/// What `fields` say once `patch` is made.
pub fn patched(fields: &Fields, patch: &Patch) -> Fields {
    let mut fields = fields.clone();
    for (field, value) in patch {
        match value {
            Some(value) => fields.insert(field.clone(), value.clone()),
            None => fields.remove(field),
        };
    }
    named(fields)
}

/// Gives a contact without a name the best name there is, as last name: neither vCard (`FN`) nor the CRM's views do
/// without one. Both readers do this, so that the two sides agree on what was made up.
pub fn named(mut fields: Fields) -> Fields {
    if display_name(&fields).is_empty()
        && let Some(name) = substitute(&fields)
    {
        fields.insert(Field::of("lastname"), name);
    }
    fields
}

/// First, middle and last name; empty when there is none of them.
pub fn display_name(fields: &Fields) -> String {
    joined(fields, &["firstname", "middlename", "lastname"])
}

/// The name with salutation and suffix, for `FN`.
pub fn full_name(fields: &Fields) -> String {
    joined(fields, &["salutation", "firstname", "middlename", "lastname", "suffix"])
}

fn joined(fields: &Fields, names: &[&'static str]) -> String {
    let parts: Vec<&str> =
        names.iter().map(|name| get(fields, name)).filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

fn substitute(fields: &Fields) -> Option<Value> {
    ["nickname", "parentcustomerid"]
        .into_iter()
        .chain(EMAILS)
        .chain(PHONES)
        .find_map(|field| Value::text(get(fields, field)))
}

fn one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| line.chars().map(plain).collect::<String>().trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    lines.join(" ")
}

fn without_scheme<'a>(text: &'a str, scheme: &str) -> &'a str {
    let mut text = text;
    while let Some((start, rest)) = text.split_at_checked(scheme.len())
        && start.eq_ignore_ascii_case(scheme)
    {
        text = rest.trim();
    }
    text
}
