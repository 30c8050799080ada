//! Fields, patches and what goes with them as JSON text, and back, exactly. Equal values are spelled equally: keys are
//! sorted. Of attachments only the description is kept, never the bytes.
//!
//! Text, whole numbers and flags stand for themselves; every other kind of value is an object with one key that names it:
//! `{"isalldayevent": true, "subject": "Café", "scheduledstart": {"moment": "2026-11-21T09:00:00Z"}}`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::fields::Occurrence;
use crate::model::time::{Day, Days, End, Instance, Pattern, Recurrence};
use crate::model::{
    Address, Attachment, Class, Field, Fields, Patch, Person, Side, Traits, Uid, Value,
};

use super::error::{Error, ErrorKind, Result};

/// Fields as text.
///
/// # Errors
/// Never, for values that can be made.
pub fn write_fields(fields: &Fields) -> Result<String> {
    text(&Spelled(fields))
}

/// The inverse of [`write_fields`].
///
/// # Errors
/// [`ErrorKind::Corrupt`] for any other text.
pub fn read_fields(text: &str) -> Result<Fields> {
    fields(parse(text)?)
}

/// A patch as text: `null` empties a field.
///
/// # Errors
/// Never, for values that can be made.
pub fn write_patch(patch: &Patch) -> Result<String> {
    let stored: BTreeMap<&str, Option<StoredValue<'_>>> = patch
        .iter()
        .map(|(field, value)| (field.as_str(), value.as_ref().map(stored_value)))
        .collect();
    text(&stored)
}

/// The inverse of [`write_patch`].
///
/// # Errors
/// [`ErrorKind::Corrupt`] for any other text.
pub fn read_patch(text: &str) -> Result<Patch> {
    let stored: BTreeMap<String, Option<StoredValue<'_>>> = parse(text)?;
    stored
        .into_iter()
        .map(|(name, stored)| Ok((Field::named(name), stored.map(value).transpose()?)))
        .collect()
}

/// A value that may be missing as text; the empty text for none.
///
/// # Errors
/// Never, for values that can be made.
pub fn write_value(value: Option<&Value>) -> Result<String> {
    value.map_or_else(|| Ok(String::new()), |value| text(&stored_value(value)))
}

/// The inverse of [`write_value`].
///
/// # Errors
/// [`ErrorKind::Corrupt`] for any other text.
pub fn read_value(text: &str) -> Result<Option<Value>> {
    if text.is_empty() { Ok(None) } else { value(parse(text)?).map(Some) }
}

/// Traits as text.
///
/// # Errors
/// Never, for values that can be made.
pub fn write_traits(traits: &Traits) -> Result<String> {
    text(&StoredTraits {
        categories: Cow::Borrowed(&traits.categories),
        private: traits.private,
        marks: Cow::Borrowed(&traits.marks),
        references: traits.references.iter().map(|uid| Cow::Borrowed(uid.as_str())).collect(),
    })
}

/// The inverse of [`write_traits`].
///
/// # Errors
/// [`ErrorKind::Corrupt`] for any other text.
pub fn read_traits(text: &str) -> Result<Traits> {
    let stored: StoredTraits<'_> = parse(text)?;
    Ok(Traits {
        categories: stored.categories.into_owned(),
        private: stored.private,
        marks: stored.marks.into_owned(),
        references: stored.references.into_iter().map(Uid::new).collect(),
    })
}

/// A side by its word.
///
/// # Errors
/// [`ErrorKind::Corrupt`] for any other word.
pub fn read_side(word: &str) -> Result<Side> {
    Side::named(word).ok_or_else(|| unreadable("side"))
}

/// A side that may be missing; the empty text for none.
///
/// # Errors
/// [`ErrorKind::Corrupt`] for any other word.
pub fn read_side_or_none(word: &str) -> Result<Option<Side>> {
    if word.is_empty() { Ok(None) } else { read_side(word).map(Some) }
}

/// A class by its word.
///
/// # Errors
/// [`ErrorKind::Corrupt`] for any other word.
pub fn read_class(word: &str) -> Result<Class> {
    Class::named(word).ok_or_else(|| unreadable("class"))
}

/// A moment from the microseconds since 1970 that the store keeps.
///
/// # Errors
/// [`ErrorKind::Corrupt`] outside the calendar.
pub fn read_moment(microseconds: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(microseconds).map_err(|_| unreadable("moment"))
}

/// Says that the store holds no `what` where one must be.
pub fn unreadable(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("it holds a {what} that cannot be read"))
}

type StoredFields<'a> = BTreeMap<Cow<'a, str>, StoredValue<'a>>;

/// Fields as they are spelled, without a copy of them.
struct Spelled<'a>(&'a Fields);

impl Serialize for Spelled<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let fields = self.0.iter();
        serializer.collect_map(fields.map(|(field, value)| (field.as_str(), SpelledValue(value))))
    }
}

/// As [`stored_value`], without a copy of what nearly all values are.
struct SpelledValue<'a>(&'a Value);

impl Serialize for SpelledValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            Value::Text(text) => serializer.serialize_str(text),
            Value::People(people) => {
                serializer.serialize_newtype_variant("Other", 0, "people", &SpelledPeople(people))
            }
            other => stored_value(other).serialize(serializer),
        }
    }
}

struct SpelledPeople<'a>(&'a [Person]);

impl Serialize for SpelledPeople<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(stored_person))
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum StoredValue<'a> {
    Flag(bool),
    Number(i64),
    Text(Cow<'a, str>),
    Other(Other<'a>),
}

/// What `untagged` would derive tries one kind after the other on a copy; this is read for every message that there is.
impl<'de> Deserialize<'de> for StoredValue<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = StoredValue<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, flag: bool) -> std::result::Result<StoredValue<'static>, E> {
        Ok(StoredValue::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<StoredValue<'static>, E> {
        Ok(StoredValue::Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> std::result::Result<StoredValue<'static>, E> {
        i64::try_from(number).map(StoredValue::Number).map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<StoredValue<'static>, E> {
        Ok(StoredValue::Text(text.to_owned().into()))
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        map: A,
    ) -> std::result::Result<StoredValue<'static>, A::Error> {
        Other::deserialize(MapAccessDeserializer::new(map)).map(StoredValue::Other)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Other<'a> {
    Cut(Cow<'a, str>),
    Date(String),
    Moment(String),
    People(Vec<StoredPerson<'a>>),
    Recurrence(StoredRecurrence),
    /// `null` when it does not take place.
    Occurrence(Option<StoredFields<'a>>),
    Attachments(Vec<StoredAttachment>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPerson<'a> {
    address: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    name: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAttachment {
    digest: String,
    filename: String,
    mimetype: String,
    size: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRecurrence {
    end: StoredEnd,
    interval: u32,
    pattern: StoredPattern,
    zone: String,
}

/// Days are Dataverse's `daysofweekmask`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum StoredPattern {
    Daily,
    Weekly { days: i64, first: i64 },
    Monthly { day: u8 },
    MonthlyNth { days: i64, instance: i64 },
    Yearly { day: u8, month: u8 },
    YearlyNth { days: i64, instance: i64, month: u8 },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredEnd {
    Never,
    Count(u32),
    Until(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTraits<'a> {
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    categories: Cow<'a, BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    marks: Cow<'a, BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    private: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    references: Vec<Cow<'a, str>>,
}

fn stored_fields(fields: &Fields) -> StoredFields<'_> {
    fields.iter().map(|(field, value)| (field.as_str().into(), stored_value(value))).collect()
}

fn fields(stored: StoredFields<'_>) -> Result<Fields> {
    stored.into_iter().map(|(name, stored)| Ok((field(name), value(stored)?))).collect()
}

/// Messages are many: the names of what they say are not copied for each.
fn field(name: Cow<'_, str>) -> Field {
    const OF_MESSAGES: [&str; 11] = [
        "bcc",
        "cc",
        "conversationindex",
        "directioncode",
        "from",
        "inreplyto",
        "messageid",
        "prioritycode",
        "senton",
        "subject",
        "to",
    ];
    match OF_MESSAGES.into_iter().find(|known| *known == name) {
        Some(known) => Field::of(known),
        None => Field::named(name.into_owned()),
    }
}

fn stored_value(value: &Value) -> StoredValue<'_> {
    StoredValue::Other(match value {
        Value::Text(text) => return StoredValue::Text(text.into()),
        Value::Number(number) => return StoredValue::Number(*number),
        Value::Flag(flag) => return StoredValue::Flag(*flag),
        Value::Cut(text) => Other::Cut(text.into()),
        Value::Date(date) => Other::Date(date.to_string()),
        Value::Moment(moment) => Other::Moment(moment.to_string()),
        Value::People(people) => Other::People(people.iter().map(stored_person).collect()),
        Value::Recurrence(recurrence) => Other::Recurrence(stored_recurrence(recurrence)),
        Value::Occurrence(Occurrence::Cancelled) => Other::Occurrence(None),
        Value::Occurrence(Occurrence::Changed(fields)) => {
            Other::Occurrence(Some(stored_fields(fields)))
        }
        Value::Attachments(files) => {
            Other::Attachments(files.iter().map(stored_attachment).collect())
        }
    })
}

fn value(stored: StoredValue<'_>) -> Result<Value> {
    let other = match stored {
        StoredValue::Text(text) => return Ok(Value::Text(text.into_owned())),
        StoredValue::Number(number) => return Ok(Value::Number(number)),
        StoredValue::Flag(flag) => return Ok(Value::Flag(flag)),
        StoredValue::Other(other) => other,
    };
    Ok(match other {
        Other::Cut(text) => Value::Cut(text.into_owned()),
        Other::Date(date) => Value::Date(date.parse().map_err(|_| unreadable("date"))?),
        Other::Moment(moment) => Value::Moment(moment.parse().map_err(|_| unreadable("moment"))?),
        Other::People(people) => {
            Value::People(people.into_iter().map(person).collect::<Result<_>>()?)
        }
        Other::Recurrence(stored) => Value::Recurrence(Box::new(recurrence(stored)?)),
        Other::Occurrence(None) => Value::Occurrence(Occurrence::Cancelled),
        Other::Occurrence(Some(stored)) => Value::Occurrence(Occurrence::Changed(fields(stored)?)),
        Other::Attachments(files) => {
            Value::Attachments(files.into_iter().map(attachment).collect())
        }
    })
}

fn stored_person(person: &Person) -> StoredPerson<'_> {
    StoredPerson { address: person.address.as_str().into(), name: person.name.as_str().into() }
}

fn person(stored: StoredPerson<'_>) -> Result<Person> {
    // The scheme is what the model takes off, once: an address that itself starts like one stays whole.
    let address = Address::parse(&format!("mailto:{}", stored.address));
    Ok(Person {
        name: stored.name.into_owned(),
        address: address.ok_or_else(|| unreadable("address"))?,
    })
}

fn stored_attachment(file: &Attachment) -> StoredAttachment {
    StoredAttachment {
        digest: file.digest.clone(),
        filename: file.filename.clone(),
        mimetype: file.mimetype.clone(),
        size: file.size,
    }
}

fn attachment(stored: StoredAttachment) -> Attachment {
    Attachment {
        filename: stored.filename,
        mimetype: stored.mimetype,
        size: stored.size,
        digest: stored.digest,
        bytes: Vec::new(),
    }
}

fn stored_recurrence(recurrence: &Recurrence) -> StoredRecurrence {
    StoredRecurrence {
        end: match &recurrence.end {
            End::Never => StoredEnd::Never,
            End::Count(count) => StoredEnd::Count(*count),
            End::Until(date) => StoredEnd::Until(date.to_string()),
        },
        interval: recurrence.interval,
        pattern: match &recurrence.pattern {
            Pattern::Daily => StoredPattern::Daily,
            Pattern::Weekly { days, first } => {
                StoredPattern::Weekly { days: mask(days), first: first.mask() }
            }
            Pattern::Monthly { day } => StoredPattern::Monthly { day: *day },
            Pattern::MonthlyNth { days, instance } => {
                StoredPattern::MonthlyNth { days: mask(days), instance: instance.number() }
            }
            Pattern::Yearly { month, day } => StoredPattern::Yearly { day: *day, month: *month },
            Pattern::YearlyNth { month, days, instance } => StoredPattern::YearlyNth {
                days: mask(days),
                instance: instance.number(),
                month: *month,
            },
        },
        zone: recurrence.zone.clone(),
    }
}

fn recurrence(stored: StoredRecurrence) -> Result<Recurrence> {
    Ok(Recurrence {
        pattern: match stored.pattern {
            StoredPattern::Daily => Pattern::Daily,
            StoredPattern::Weekly { days, first } => Pattern::Weekly {
                days: Day::from_mask(days),
                first: Day::from_mask(first)
                    .into_iter()
                    .next()
                    .ok_or_else(|| unreadable("first day of the week"))?,
            },
            StoredPattern::Monthly { day } => Pattern::Monthly { day },
            StoredPattern::MonthlyNth { days, instance } => {
                Pattern::MonthlyNth { days: Day::from_mask(days), instance: nth(instance)? }
            }
            StoredPattern::Yearly { day, month } => Pattern::Yearly { month, day },
            StoredPattern::YearlyNth { days, instance, month } => {
                Pattern::YearlyNth { month, days: Day::from_mask(days), instance: nth(instance)? }
            }
        },
        interval: stored.interval,
        end: match stored.end {
            StoredEnd::Never => End::Never,
            StoredEnd::Count(count) => End::Count(count),
            StoredEnd::Until(date) => {
                End::Until(date.parse().map_err(|_| unreadable("end of a series"))?)
            }
        },
        zone: stored.zone,
    })
}

fn mask(days: &Days) -> i64 {
    days.iter().map(|day| day.mask()).sum()
}

fn nth(number: i64) -> Result<Instance> {
    Instance::from_number(number).ok_or_else(|| unreadable("day of the month"))
}

fn text(stored: &impl Serialize) -> Result<String> {
    // Room for what most items say.
    let mut text = Vec::with_capacity(1 << 10);
    serde_json::to_writer(&mut text, stored).map_err(|error| {
        Error::new(ErrorKind::Sql, "a value cannot be spelled").caused_by(error)
    })?;
    String::from_utf8(text).map_err(|_| unreadable("value"))
}

/// The parser's own words are left out: they may quote content.
fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| unreadable("value"))
}
