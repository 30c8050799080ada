//! Which message in the CRM a message answers: by its references, then a token in the subject, then the conversation it says
//! to be of, and last, where it is wanted, by the likeness of subject and people. A forward answers nobody.

use std::collections::{BTreeMap, BTreeSet};

use super::token::Form;
use crate::model::{Address, Clue, Content, Field, Filed, Method, RecordId, Similar, Value};

/// How many references are asked for: `In-Reply-To` and the newest of the others. A thread has more names than it needs.
const NAMES: usize = 5;

/// Of a `Thread-Index` in Base64, what all messages of a conversation share: 22 bytes, less what shares a sign with the next.
const CONVERSATION: usize = 28;

/// What people and programs put before the subject of what they pass on.
const FORWARDS: [&str; 22] = [
    "fw",
    "fwd",
    "wg",
    "tr",
    "rv",
    "enc",
    "i",
    "vs",
    "vb",
    "vl",
    "fs",
    "pd",
    "doorst",
    "ilt",
    "továbbítás",
    "πρθ",
    "הועבר",
    "إعادة توجيه",
    "转发",
    "轉寄",
    "転送",
    "전달",
];

/// What stands before the subject of an answer. `vs` is the Finnish answer as well as the Danish forward, and taken for neither.
const ANSWERS: [&str; 14] = [
    "re", "aw", "antw", "sv", "res", "rif", "odp", "ynt", "vá", "回复", "回覆", "返信", "답장",
    "atb",
];

/// Smart matching: of fewer words and people, nothing can be said.
const FEWEST_WORDS: usize = 2;
const FEWEST_PEOPLE: usize = 2;

/// The clues in a message, the strongest first. A forward has none.
pub fn clues(message: &Content, form: &Form) -> Vec<Clue> {
    let subject = text(message, "subject").unwrap_or_default();
    if is_forward(subject) {
        return Vec::new();
    }
    let mut names = BTreeSet::new();
    let references = message.traits.references.iter().filter(|uid| **uid != message.uid);
    let mut clues: Vec<Clue> = references
        .filter(|uid| names.insert((*uid).clone()))
        .take(NAMES)
        .map(|uid| Clue::Name(uid.clone()))
        .collect();
    clues.extend(form.find(subject).into_iter().map(Clue::Token));
    clues.extend(conversation(message).map(Clue::Conversation));
    clues
}

/// The conversation a message is of. One that begins it is found by it, and finds nobody.
pub fn conversation(message: &Content) -> Option<String> {
    text(message, "conversationindex")?.get(..CONVERSATION).map(str::to_owned)
}

/// The message that the clues lead to, and by which kind of clue.
pub fn parent(
    message: &Content,
    form: &Form,
    filed: &BTreeMap<Clue, Filed>,
) -> Option<(Method, Filed)> {
    if filed.is_empty() {
        return None;
    }
    clues(message, form).into_iter().find_map(|clue| {
        let method = match &clue {
            Clue::Name(_) => Method::InReplyTo,
            Clue::Token(_) => Method::TrackingToken,
            Clue::Conversation(_) => Method::ConversationIndex,
        };
        filed.get(&clue).map(|found| (method, found.clone()))
    })
}

/// The message most alike: the same words in the subject, and at least two people in common. Several are none.
pub fn alike(message: &Content, among: &[Similar]) -> Option<RecordId> {
    let subject = text(message, "subject").filter(|subject| !is_forward(subject))?;
    let (words, people) = (words(subject), people(message));
    if words.len() < FEWEST_WORDS {
        return None;
    }
    let is_alike = |other: &&Similar| {
        let common = other.people.iter().collect::<BTreeSet<_>>();
        let common = common.into_iter().filter(|person| people.contains(*person)).count();
        common >= FEWEST_PEOPLE && self::words(&other.subject) == words
    };
    let found: BTreeSet<RecordId> =
        among.iter().filter(is_alike).map(|other| other.record).collect();
    found.first().copied().filter(|_| found.len() == 1)
}

/// Everybody whom a message names.
pub fn people(message: &Content) -> BTreeSet<Address> {
    ["from", "to", "cc", "bcc"]
        .into_iter()
        .filter_map(|field| match message.fields.get(&Field::of(field)) {
            Some(Value::People(people)) => Some(people.iter().map(|one| one.address.clone())),
            _ => None,
        })
        .flatten()
        .collect()
}

/// Whether a subject says that its message passes another one on: by what was put before it last.
fn is_forward(subject: &str) -> bool {
    prefix(subject).is_some_and(|(word, _)| FORWARDS.contains(&word.as_str()) && word != "vs")
}

/// The word before the first colon, without a count (`Re[2]`, `Fwd (3)`), if it is one that mail programs put there.
fn prefix(subject: &str) -> Option<(String, &str)> {
    let (word, rest) = subject.trim_start().split_once([':', '：'])?;
    let word = word.split(['[', '(', '^']).next().unwrap_or_default().trim().to_lowercase();
    let known = FORWARDS.contains(&word.as_str()) || ANSWERS.contains(&word.as_str());
    known.then_some((word, rest))
}

/// The words of a subject without what mail programs put before it.
fn words(subject: &str) -> BTreeSet<String> {
    let mut rest = subject;
    while let Some((_, after)) = prefix(rest) {
        rest = after;
    }
    rest.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// What a message is about.
pub fn subject(message: &Content) -> Option<&str> {
    text(message, "subject")
}

fn text<'m>(message: &'m Content, field: &'static str) -> Option<&'m str> {
    match message.fields.get(&Field::of(field)) {
        Some(Value::Text(text) | Value::Cut(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{Fields, Person, Table, Traits, Uid};

    fn message(subject: &str, references: &[&str], index: &str, people: &[&str]) -> Content {
        let people = people
            .iter()
            .filter_map(|address| Address::parse(address))
            .map(|address| Person { name: String::new(), address })
            .collect();
        let fields = [
            ("subject", Value::text(subject)),
            ("conversationindex", Value::text(index)),
            ("to", Some(Value::People(people))),
        ];
        let fields: Fields = fields
            .into_iter()
            .filter_map(|(name, value)| Some((Field::of(name), value?)))
            .collect();
        let references = references.iter().map(|&uid| Uid::new(uid)).collect();
        Content { uid: Uid::new("me"), fields, traits: Traits { references, ..Traits::default() } }
    }

    fn filed(number: u128) -> Filed {
        let record = RecordId::new(Table::Email, Uuid::from_u128(number));
        Filed { record, regarding: None }
    }

    const INDEX: &str = "AQHaR0xw1yZ3s8bNnUuB5Wq0y1pQ7bCDEFGHIJ";

    #[test]
    fn the_strongest_clue_that_leads_anywhere_counts() {
        let known = BTreeMap::from([
            (Clue::Name(Uid::new("a@x")), filed(1)),
            (Clue::Token("CRM:0001006".to_owned()), filed(2)),
            (Clue::Conversation(INDEX.chars().take(28).collect()), filed(3)),
        ]);
        let table = [
            ("Re: x CRM:0001006", &["b@x", "a@x"][..], INDEX, Some((Method::InReplyTo, 1))),
            ("Re: x CRM:0001006", &["b@x"], INDEX, Some((Method::TrackingToken, 2))),
            ("Re: x CRM:9999999", &["b@x"], INDEX, Some((Method::ConversationIndex, 3))),
            ("Re: x", &["me"], "", None),
            ("Fwd: x CRM:0001006", &["a@x"], INDEX, None),
            ("WG: Re: x", &["a@x"], INDEX, None),
            ("Re: Fwd: x", &["a@x"], "", Some((Method::InReplyTo, 1))),
            ("FW [2]: x", &["a@x"], "", None),
            ("转发：x", &["a@x"], "", None),
            ("Forward contracts: x", &["a@x"], "", Some((Method::InReplyTo, 1))),
            ("", &["a@x"], "", Some((Method::InReplyTo, 1))),
        ];
        for (subject, references, index, expected) in table {
            let found = parent(&message(subject, references, index, &[]), &Form::default(), &known);
            let found = found.map(|(method, found)| (method, found.record.guid.as_u128()));
            assert_eq!(found, expected, "{subject}");
        }
    }

    #[test]
    fn alike_means_the_same_words_and_two_people() {
        let people = ["a@x", "b@x"].map(|text| Address::parse(text).into_iter());
        let people: Vec<Address> = people.into_iter().flatten().collect();
        let similar = |number, subject: &str| Similar {
            record: filed(number).record,
            subject: subject.to_owned(),
            people: people.clone(),
        };
        let one = [similar(1, "Offer for 20 pumps"), similar(2, "Something else")];
        let find = |subject: &str, people: &[&str], among: &[Similar]| {
            alike(&message(subject, &[], "", people), among).map(|record| record.guid.as_u128())
        };
        assert_eq!(find("AW: offer for 20 PUMPS!", &["a@x", "b@x", "c@x"], &one), Some(1));
        assert_eq!(find("AW: offer for 20 pumps", &["a@x", "c@x"], &one), None);
        assert_eq!(find("AW: offer for 21 pumps", &["a@x", "b@x"], &one), None);
        assert_eq!(find("Fwd: offer for 20 pumps", &["a@x", "b@x"], &one), None);
        let two = [similar(1, "Offer for 20 pumps"), similar(2, "offer for 20 pumps")];
        assert_eq!(find("offer for 20 pumps", &["a@x", "b@x"], &two), None);
        assert_eq!(find("pumps", &["a@x", "b@x"], &[similar(1, "pumps")]), None);
    }

    #[test]
    fn clues_are_bounded() {
        let many: Vec<String> = (0..5000).map(|number| format!("{number}@x")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(clues(&message("Re: x", &many, INDEX, &[]), &Form::default()).len(), NAMES + 1);
        assert_eq!(conversation(&message("", &[], "short", &[])), None);
    }
}
