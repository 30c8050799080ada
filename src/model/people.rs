//! Who takes part in something.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::fields::{Address, Value};

/// Attendees or recipients: each address once, in the order of the addresses. Copies share them: messages are many, and what they
/// say is in several places.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct People(Arc<[Person]>);

impl People {
    /// As a value, which is never empty.
    pub fn value(self) -> Option<Value> {
        (!self.is_empty()).then_some(Value::People(self))
    }
}

impl FromIterator<Person> for People {
    /// Of several with one address, the last counts.
    fn from_iter<T: IntoIterator<Item = Person>>(people: T) -> Self {
        let mut people: Vec<Person> = people.into_iter().collect();
        people.sort();
        people.dedup_by(|later, earlier| {
            let is_same = later == earlier;
            if is_same {
                std::mem::swap(later, earlier);
            }
            is_same
        });
        Self(people.into())
    }
}

impl Deref for People {
    type Target = [Person];

    fn deref(&self) -> &[Person] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a People {
    type Item = &'a Person;
    type IntoIter = std::slice::Iter<'a, Person>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for People {
    /// Keeps content out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "People({})", self.len())
    }
}

/// Someone by address. Two are the same person when their addresses are.
#[derive(Clone, Eq)]
pub struct Person {
    /// The display name, or empty.
    pub name: String,
    pub address: Address,
}

impl PartialEq for Person {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}

impl Ord for Person {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.address.cmp(&other.address)
    }
}

impl PartialOrd for Person {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person")
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            f.write_str(self.address.as_str())
        } else {
            write!(f, "{} <{}>", self.name, self.address)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_there_once_as_it_was_last_named() {
        let person = |(name, address): (&str, &str)| Person {
            name: name.to_owned(),
            address: Address::parse(address).unwrap(),
        };
        let named = [("Zoe", "z@x"), ("Anna", "a@x"), ("", "Z@x"), ("Anna B", "a@x")];
        let people: People = named.into_iter().map(person).collect();
        let found: Vec<(&str, &str)> =
            people.iter().map(|one| (one.name.as_str(), one.address.as_str())).collect();
        assert_eq!(found, [("Anna B", "a@x"), ("", "z@x")]);
        assert_eq!(People::from_iter([]).value(), None);
    }
}
