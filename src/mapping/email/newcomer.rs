//! The row of a contact or a lead that is made for somebody who is only known from a message.

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::{body, cut};
use crate::model::record::{Newcomer, PartyRef};
use crate::model::{Address, Person, name};

/// What the columns hold in every organisation, unless it made them longer.
const NAME_LENGTH: usize = 50;
const ADDRESS_LENGTH: usize = 100;
const TOPIC_LENGTH: usize = 300;

/// The record for somebody, in this table; `None` for an address that its column cannot hold, since a cut one is another's.
pub fn newcomer(organisation: Uuid, table: &str, person: &Person) -> Option<Newcomer> {
    let address = &person.address;
    if address.as_str().encode_utf16().count() > ADDRESS_LENGTH {
        return None;
    }
    let (first, last) = names(person);
    let mut columns = Map::new();
    let mut put = |column: &str, text: &str, limit| {
        if !text.is_empty() {
            columns.insert(column.to_owned(), Json::from(cut(text, Some(limit))));
        }
    };
    put("firstname", &first, NAME_LENGTH);
    put("lastname", &last, NAME_LENGTH);
    put("emailaddress1", address.as_str(), ADDRESS_LENGTH);
    if table == "lead" {
        let topic = if person.name.is_empty() { address.as_str() } else { &person.name };
        put("subject", &body::one_line(topic), TOPIC_LENGTH);
    }
    let guid = name::newcomer_guid(organisation, table, address);
    Some(Newcomer { record: PartyRef { table: table.to_owned(), guid }, columns })
}

/// First and last name, as far as a display name tells; else what stands before the `@`.
fn names(person: &Person) -> (String, String) {
    let name = body::one_line(&person.name);
    let name = name.trim_matches(|c: char| c == '"' || c == '\'' || c.is_whitespace());
    if name.is_empty() || name.contains('@') {
        return (String::new(), before_at(&person.address));
    }
    let split = name.split_once(',').map(|(last, first)| (first, last));
    let (first, last) = split.or_else(|| name.rsplit_once(' ')).unwrap_or(("", name));
    match (first.trim(), last.trim()) {
        (first, "") => (String::new(), first.to_owned()),
        (first, last) => (first.to_owned(), last.to_owned()),
    }
}

fn before_at(address: &Address) -> String {
    address.as_str().split('@').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_divided_as_far_as_they_tell() {
        for (name, first, last) in [
            ("Ann Mary Smith", "Ann Mary", "Smith"),
            ("Smith, Ann", "Ann", "Smith"),
            ("Smith,", "", "Smith"),
            ("'Ann'", "", "Ann"),
            ("", "", "ann.s"),
            ("ann.s@x.example", "", "ann.s"),
        ] {
            let address = Address::parse("Ann.S@x.example").unwrap();
            let person = Person { name: name.to_owned(), address };
            assert_eq!(names(&person), (first.to_owned(), last.to_owned()), "{name}");
        }
    }

    #[test]
    fn everybody_makes_the_same_record() {
        let person = |name: &str| Person {
            name: name.to_owned(),
            address: Address::parse("Ann@X.example").unwrap(),
        };
        let of = |table, name| newcomer(Uuid::from_u128(1), table, &person(name)).unwrap();
        assert_eq!(of("contact", "Ann").record, of("contact", "A. Smith").record);
        assert_ne!(of("contact", "Ann").record.guid, of("lead", "Ann").record.guid);
        assert_eq!(of("lead", "Ann Smith").columns["subject"], "Ann Smith");
        let long = Address::parse(&format!("{}@x", "a".repeat(100))).unwrap();
        let long = Person { name: String::new(), address: long };
        assert_eq!(newcomer(Uuid::nil(), "contact", &long), None);
    }
}
