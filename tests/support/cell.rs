//! What a thing says, in a few words: `Berg tel=1 job=CTO`. Words without `=` are the name or subject, words in brackets
//! are about the thing and not in it. `_` stands for a space, `x*30` for thirty times x, a time is `06-05T10` of 2027.

use std::collections::BTreeSet;

use jiff::Timestamp;
use liaison::model::Person;
use liaison::model::fields::{Address, Occurrence};
use liaison::model::time::{End, Pattern, Recurrence};
use liaison::model::{Class, Field, Fields, Patch, Value};

const YEAR: &str = "2027";

/// Short names of fields, the title first.
fn names(class: Class) -> &'static [(&'static str, &'static str)] {
    match class {
        Class::Contact => &[
            ("", "lastname"),
            ("first", "firstname"),
            ("tel", "telephone1"),
            ("mobile", "mobilephone"),
            ("mail", "emailaddress1"),
            ("job", "jobtitle"),
            ("org", "parentcustomerid"),
            ("city", "address1_city"),
            ("note", "description"),
        ],
        Class::Task => &[
            ("", "subject"),
            ("note", "description"),
            ("start", "scheduledstart"),
            ("due", "scheduledend"),
            ("done", "actualend"),
            ("percent", "percentcomplete"),
            ("status", "statuscode"),
        ],
        Class::Appointment => &[
            ("", "subject"),
            ("at", "location"),
            ("note", "description"),
            ("start", "scheduledstart"),
            ("end", "scheduledend"),
            ("allday", "isalldayevent"),
            ("by", "organizer"),
            ("with", "requiredattendees"),
            ("maybe", "optionalattendees"),
            ("every", "recurrence"),
            ("status", "statuscode"),
        ],
        Class::Email => {
            &[("", "subject"), ("from", "from"), ("id", "messageid"), ("re", "inreplyto")]
        }
    }
}

/// What always stands there unless something else does.
fn usual(class: Class) -> Option<(Field, Value)> {
    let word = match class {
        Class::Task => "notstarted",
        Class::Appointment => "busy",
        Class::Contact | Class::Email => return None,
    };
    Some((Field::of("statuscode"), Value::Text(word.to_owned())))
}

/// One cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// `*`: as it was.
    Same,
    /// `-`: not there.
    Gone,
    Says {
        patch: Patch,
        marks: BTreeSet<String>,
    },
}

/// Reads a cell.
///
/// # Panics
/// When a word has no meaning for the class.
pub fn parse(class: Class, text: &str) -> Cell {
    match text.trim() {
        "" | "*" => return Cell::Same,
        "-" => return Cell::Gone,
        _ => {}
    }
    let (mut patch, mut marks, mut title) = (Patch::new(), BTreeSet::new(), Vec::new());
    for word in text.split_whitespace() {
        if let Some(mark) = word.strip_prefix('(').and_then(|word| word.strip_suffix(')')) {
            marks.insert(mark.to_owned());
        } else if let Some((name, value)) = word.split_once('=') {
            let (field, value) = field(class, name, value);
            patch.insert(field, value);
        } else {
            title.push(word.replace('_', " "));
        }
    }
    if !title.is_empty() {
        patch.insert(Field::of(names(class)[0].1), Some(Value::Text(title.join(" "))));
    }
    Cell::Says { patch, marks }
}

/// What fields say, as a cell.
pub fn show(class: Class, fields: &Fields) -> String {
    let mut words = Vec::new();
    for (short, name) in names(class) {
        let field = Field::of(name);
        let Some(value) = fields.get(&field) else { continue };
        // What a message is called in the story is enough.
        if matches!(*short, "id" | "re") {
            continue;
        }
        if usual(class).is_some_and(|usual| usual == (field, value.clone())) {
            continue;
        }
        let value = spelled(value);
        words.push(if short.is_empty() {
            value.replace('_', " ")
        } else {
            format!("{short}={value}")
        });
    }
    for (field, value) in fields {
        if let Some(start) = field.original_start() {
            words.push(format!("x{}={}", start.strftime("%m-%dT%H"), spelled(value)));
        } else if names(class).iter().all(|(_, name)| *name != field.as_str())
            && class != Class::Email
        {
            words.push(format!("{field}={}", spelled(value)));
        }
    }
    words.join(" ")
}

/// The fields of a new thing.
pub fn fresh(class: Class, patch: &Patch) -> Fields {
    let mut fields: Fields = usual(class).into_iter().collect();
    for (field, value) in patch {
        fields.extend(value.clone().map(|value| (field.clone(), value)));
    }
    occurrences(&mut fields);
    fields
}

/// Fields after an edit.
pub fn edited(fields: &Fields, patch: &Patch) -> Fields {
    let mut fields = liaison::plan::merge::apply(fields, patch);
    occurrences(&mut fields);
    fields
}

/// What makes the one out of the other.
pub fn difference(old: &Fields, new: &Fields) -> Patch {
    let gone = old.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), None));
    let set = new.iter().filter(|(name, value)| old.get(*name) != Some(*value));
    gone.chain(set.map(|(name, value)| (name.clone(), Some(value.clone())))).collect()
}

/// An occurrence is told by its new hour; all else is as in its series.
fn occurrences(fields: &mut Fields) {
    let mut series = fields.clone();
    series.retain(|field, _| field.original_start().is_none() && field.as_str() != "recurrence");
    let hours =
        match (fields.get(&Field::of("scheduledstart")), fields.get(&Field::of("scheduledend"))) {
            (Some(Value::Moment(start)), Some(Value::Moment(end))) => *end - *start,
            _ => return,
        };
    for value in fields.values_mut() {
        if let Value::Moment(_) | Value::Occurrence(Occurrence::Cancelled) = value {
            continue;
        }
        let Value::Occurrence(Occurrence::Changed(own)) = value else { continue };
        let Some(Value::Moment(start)) = own.get(&Field::of("scheduledstart")).cloned() else {
            continue;
        };
        let mut whole = series.clone();
        whole.extend(own.clone());
        whole.insert(Field::of("scheduledend"), Value::Moment(start + hours));
        *own = whole;
    }
}

fn field(class: Class, name: &str, value: &str) -> (Field, Option<Value>) {
    if let Some(start) = name.strip_prefix('x').filter(|_| class == Class::Appointment) {
        return (Field::exception(moment(start)), occurrence(value));
    }
    let long = names(class).iter().find(|(short, _)| *short == name).map(|(_, long)| *long);
    let long = long.unwrap_or_else(|| panic!("a {class} has no {name}"));
    (Field::of(long), read(long, value))
}

fn read(field: &str, text: &str) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    Some(match field {
        "scheduledstart" | "scheduledend" | "actualend" => Value::Moment(moment(text)),
        "percentcomplete" => Value::Number(text.parse().unwrap()),
        "isalldayevent" => Value::Flag(text == "yes"),
        "organizer" | "requiredattendees" | "optionalattendees" | "from" => {
            let person = |word: &str| Person {
                name: String::new(),
                address: Address::parse(&address(word)).unwrap(),
            };
            Value::People(text.split(',').map(person).collect())
        }
        "recurrence" => {
            let (every, count) = text.split_once('*').unwrap();
            assert_eq!(every, "day", "only days");
            Value::Recurrence(Box::new(Recurrence {
                pattern: Pattern::Daily,
                interval: 1,
                end: End::Count(count.parse().unwrap()),
                zone: "UTC".to_owned(),
            }))
        }
        _ => Value::Text(words(text)),
    })
}

/// People by their first name.
fn address(word: &str) -> String {
    format!("{word}@example.org")
}

fn words(text: &str) -> String {
    match text.split_once('*') {
        Some((letter, count)) => letter.repeat(count.parse().unwrap()),
        None => text.replace('_', " "),
    }
}

fn occurrence(text: &str) -> Option<Value> {
    match text {
        "" => None,
        "off" => Some(Value::Occurrence(Occurrence::Cancelled)),
        _ => {
            let start = Value::Moment(moment(text));
            let own = Fields::from([(Field::of("scheduledstart"), start)]);
            Some(Value::Occurrence(Occurrence::Changed(own)))
        }
    }
}

/// `06-05T10`, `06-05T10:30` or `06-05`.
pub fn moment(text: &str) -> Timestamp {
    let (day, time) = text.split_once('T').unwrap_or((text, "00"));
    let (hour, minute) = time.split_once(':').unwrap_or((time, "00"));
    format!("{YEAR}-{day}T{hour}:{minute}:00Z").parse().unwrap()
}

fn spelled(value: &Value) -> String {
    match value {
        Value::Moment(at) => at.strftime("%m-%dT%H").to_string(),
        Value::People(people) => {
            let first = |person: &Person| {
                let address = person.address.as_str();
                address.strip_suffix("@example.org").unwrap_or(address).to_owned()
            };
            people.iter().map(first).collect::<Vec<_>>().join(",")
        }
        Value::Recurrence(series) if series.pattern == Pattern::Daily => match series.end {
            End::Count(count) => format!("day*{count}"),
            End::Never | End::Until(_) => value.to_string(),
        },
        Value::Occurrence(Occurrence::Cancelled) => "off".to_owned(),
        Value::Occurrence(Occurrence::Changed(own)) => {
            own.get(&Field::of("scheduledstart")).map(spelled).unwrap_or_default()
        }
        Value::Text(text) | Value::Cut(text) => {
            let first = text.chars().next().unwrap_or(' ');
            if text.len() > 20 && text.chars().all(|letter| letter == first) {
                format!("{first}*{}", text.chars().count())
            } else {
                text.replace(' ', "_")
            }
        }
        other => other.to_string(),
    }
}
