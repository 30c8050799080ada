//! What XML that others wrote may refer to. It must not know what the text is about.

use quick_xml::events::BytesRef;

/// What `&…;` stands for: one of the five entities of XML, or a character by its number. `None` for everything else: nothing is
/// ever expanded.
pub(super) fn character(reference: &BytesRef<'_>) -> Option<char> {
    let name: &str = reference;
    let by_number = |digits: &str, base| {
        let found = u32::from_str_radix(digits, base).ok().and_then(char::from_u32);
        found.filter(|character| *character != '\0')
    };
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match (name.strip_prefix("#x"), name.strip_prefix('#')) {
            (Some(digits), _) => by_number(digits, 16),
            (None, Some(digits)) => by_number(digits, 10),
            (None, None) => None,
        },
    }
}
