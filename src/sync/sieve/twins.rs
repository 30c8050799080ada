//! Messages that are not what their `Message-ID` says: two with one name, and one that came back under another name. A name is
//! believed until the rest of a message speaks against it.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::model::{Content, Field, ItemId, Uid, Value};

/// What was seen of messages that are filed, as far as anybody asks, and of those that are to be.
#[derive(Debug, Default)]
pub(super) struct Twins {
    /// The dates of filed messages, by name.
    filed: BTreeMap<Uid, Option<Value>>,
    /// Those that are to be filed.
    tracked: BTreeMap<ItemId, Look>,
}

/// What a message looks like.
#[derive(Debug)]
struct Look {
    uid: Uid,
    date: Option<Value>,
    print: Option<String>,
}

impl Twins {
    /// A message that is filed, and is there.
    pub(super) fn filed(&mut self, content: &Content) {
        self.filed.insert(content.uid.clone(), date(content));
    }

    /// A message that is to be filed.
    pub(super) fn tracked(&mut self, id: &ItemId, content: &Content) {
        let look = Look { uid: content.uid.clone(), date: date(content), print: print(content) };
        self.tracked.insert(id.clone(), look);
    }

    /// The names of filed messages that the tracked ones have to be compared with. `prints` are those of all filed ones.
    pub(super) fn wanted(&self, prints: &BTreeMap<Uid, String>) -> BTreeSet<Uid> {
        let looks: BTreeSet<&str> =
            self.tracked.values().filter_map(|look| look.print.as_deref()).collect();
        let names = self.tracked.values().map(|look| &look.uid);
        let alike = prints.iter().filter(|(_, print)| looks.contains(print.as_str()));
        names.chain(alike.map(|(uid, _)| uid)).cloned().collect()
    }

    /// Those that have the name of another message, and another date: of each name one is believed, the filed one before others.
    pub(super) fn repeated(&self) -> BTreeSet<ItemId> {
        let mut believed: BTreeMap<&Uid, &Option<Value>> = self.filed.iter().collect();
        let mut repeated = BTreeSet::new();
        for (id, look) in &self.tracked {
            let date = believed.entry(&look.uid).or_insert(&look.date);
            if date.is_some() && look.date.is_some() && **date != look.date {
                repeated.insert(id.clone());
            }
        }
        repeated
    }

    /// Those that look like a filed message of another name which is not there any more. `prints` are those of all filed ones.
    pub(super) fn renamed(&self, prints: &BTreeMap<Uid, String>) -> BTreeSet<ItemId> {
        let mut gone: BTreeMap<&str, BTreeSet<&Uid>> = BTreeMap::new();
        for (uid, print) in prints.iter().filter(|(uid, _)| !self.filed.contains_key(*uid)) {
            gone.entry(print).or_default().insert(uid);
        }
        let renamed = self.tracked.iter().filter(|(_, look)| {
            let alike = look.print.as_deref().and_then(|print| gone.get(print));
            !prints.contains_key(&look.uid) && alike.is_some()
        });
        renamed.map(|(id, _)| id.clone()).collect()
    }
}

/// Date, sender, recipients and subject in short; nothing for a message that lacks a date or a sender.
pub(super) fn print(content: &Content) -> Option<String> {
    let field = |name: &'static str| content.fields.get(&Field::of(name));
    let (date, from) = (field("senton")?, field("from")?);
    let mut digest = Sha256::new();
    for value in [Some(date), Some(from), field("to"), field("subject")] {
        digest.update(value.map(ToString::to_string).unwrap_or_default());
        digest.update([0]);
    }
    Some(format!("{:x}", digest.finalize()).chars().take(32).collect())
}

fn date(content: &Content) -> Option<Value> {
    content.fields.get(&Field::of("senton")).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, People, Person, Traits};

    fn message(uid: &str, second: i64, subject: &str) -> Content {
        let at = jiff::Timestamp::from_second(second).unwrap();
        let address = Address::parse("karl@customer.example").unwrap();
        let person = Person { name: String::new(), address };
        let fields = [
            (Field::of("senton"), Value::Moment(at)),
            (Field::of("from"), Value::People(People::from_iter([person]))),
            (Field::of("subject"), Value::text(subject).unwrap()),
        ];
        Content { uid: Uid::new(uid), fields: fields.into(), traits: Traits::default() }
    }

    fn ids(ids: &BTreeSet<ItemId>) -> Vec<&str> {
        ids.iter().map(ItemId::as_str).collect()
    }

    #[test]
    fn of_one_name_with_two_dates_one_is_believed() {
        let mut twins = Twins::default();
        twins.filed(&message("filed", 1, "a"));
        for (id, message) in [
            ("1", message("filed", 2, "a")),
            ("2", message("filed", 1, "[list] a")),
            ("3", message("new", 1, "b")),
            ("4", message("new", 2, "b")),
            ("5", message("new", 1, "b")),
        ] {
            twins.tracked(&ItemId::new(id), &message);
        }
        assert_eq!(ids(&twins.repeated()), ["1", "4"]);
    }

    #[test]
    fn what_came_back_under_another_name_is_known_by_its_looks() {
        let prints = ["gone", "there", "plain"].map(|uid| {
            (
                Uid::new(uid),
                print(&message(uid, 1, if uid == "plain" { "b" } else { "a" })).unwrap(),
            )
        });
        let mut twins = Twins::default();
        twins.filed(&message("there", 1, "a"));
        twins.filed(&message("plain", 1, "b"));
        twins.tracked(&ItemId::new("back"), &message("other", 1, "a"));
        // Its like is there: it is another one.
        twins.tracked(&ItemId::new("second"), &message("third", 1, "b"));
        twins.tracked(&ItemId::new("new"), &message("fourth", 1, "c"));
        // Moved, under its own name.
        twins.tracked(&ItemId::new("moved"), &message("gone", 1, "a"));
        assert_eq!(ids(&twins.renamed(&prints.into())), ["back"]);
    }
}
