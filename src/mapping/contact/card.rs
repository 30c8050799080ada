//! A vCard as it was read: its version, its lines by name, and which line holds which field.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::civil::Date;
use uuid::Uuid;

use crate::mapping::Unreadable;
use crate::mapping::text::{self, Component, Line, Text};
use crate::model::{Content, Field, Fields, Traits, Uid, Value};

use super::families::{ADDRESSES, FAMILIES, Family, Kind, ORGANISATION};
use super::{form, name};

/// Names the slots that must stay empty although a line further down could fill them: the CRM can hold a second address
/// without a first, and a cleared field must not be filled by what was beyond the mapped ones.
pub const EMPTY: &str = "X-LIAISON-EMPTY";

/// The root of the UIDs of cards that have none.
const NAMESPACE: Uuid = Uuid::from_u128(0x3b1d_94f2_7a60_5c1e_8f55_0c2b_6de1_9a07);

/// The versions of vCard: 2.1 (versit), 3.0 (RFC 2426), 4.0 (RFC 6350).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    V21,
    V30,
    V40,
}

/// A file that holds one vCard.
#[derive(Clone)]
pub struct Card<'a> {
    pub text: Text<'a>,
    pub root: Component,
    pub dialect: Dialect,
    by_name: BTreeMap<String, Vec<usize>>,
    /// The types of each line: families look at them again and again.
    types: Vec<Vec<String>>,
    /// The slots that are to stay empty.
    pub empty: BTreeSet<String>,
}

/// The lines of a family, in the order in which they fill its slots.
#[derive(Debug, Clone)]
pub struct Lines {
    pub ordered: Vec<usize>,
    /// The line in each slot.
    pub held: Vec<Option<usize>>,
}

impl Dialect {
    /// A raw value as it is meant.
    pub fn unescape(self, raw: &str) -> String {
        match self {
            Self::V21 => text::unescape_separators(raw),
            Self::V30 | Self::V40 => text::unescape(raw),
        }
    }

    /// The inverse of [`Dialect::unescape`].
    pub fn escape(self, text: &str) -> String {
        match self {
            Self::V21 => text::escape_backslashes(text).replace(';', "\\;"),
            Self::V30 | Self::V40 => text::escape(text),
        }
    }

    /// A line with types, which have no name in 2.1.
    pub fn typed(self, line: Line, types: &[&str]) -> Line {
        let name = if self == Self::V21 { "" } else { "TYPE" };
        let spelled = |kind: &str| match self {
            Self::V40 => kind.to_lowercase(),
            Self::V21 | Self::V30 => kind.to_owned(),
        };
        types.iter().fold(line, |line, kind| line.with_param(name, spelled(kind)))
    }
}

impl<'a> Card<'a> {
    /// # Errors
    /// [`Unreadable`] unless the file holds exactly one vCard of one person.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let text = Text::parse(bytes)?;
        let refuse = |reason: &str| Err(Unreadable(reason.to_owned()));
        let root = match text.components() {
            [] => return refuse("there is no vCard in it"),
            [root] if root.name == "VCARD" => root.clone(),
            [_] => return refuse("it is not a vCard"),
            several => {
                return Err(Unreadable(format!("it holds {} cards instead of one", several.len())));
            }
        };
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, line) in text.properties(&root) {
            by_name.entry(line.name().to_owned()).or_default().push(index);
        }
        let empty = BTreeSet::new();
        let types = Vec::new();
        let mut card = Self { text, root, dialect: Dialect::V30, by_name, types, empty };
        card.dialect = match card.first("VERSION").map(|line| line.value().trim()) {
            Some("2.1") => Dialect::V21,
            Some("4.0") => Dialect::V40,
            _ => Dialect::V30,
        };
        let labels = card.group_labels();
        card.types = card.text.lines().iter().map(|line| types_of(line, &labels)).collect();
        let slots = card.first(EMPTY).map(|line| text::list(line.value())).unwrap_or_default();
        let families = FAMILIES.iter().chain(&ADDRESSES).chain([&ORGANISATION]);
        let known: Vec<&str> = families.flat_map(|family| family.slots).copied().collect();
        let named = slots.iter().map(|slot| slot.trim()).filter(|slot| known.contains(slot));
        card.empty = named.map(str::to_owned).collect();
        if card.says("KIND", "group") || card.says("X-ADDRESSBOOKSERVER-KIND", "group") {
            return refuse("it is a group, not a person");
        }
        Ok(card)
    }

    /// What the card says.
    ///
    /// # Errors
    /// [`Unreadable`] when the card has two UIDs, or nothing to know it by.
    pub fn content(&self) -> Result<Content, Unreadable> {
        Ok(Content { uid: self.uid()?, fields: self.fields(), traits: self.traits() })
    }

    /// The fields of the card, never without a name if anything could be one.
    pub fn fields(&self) -> Fields {
        let mut fields = Fields::new();
        for family in FAMILIES {
            let lines = self.lines_of(family);
            for (slot, held) in family.slots.iter().zip(&lines.held) {
                let value = match (held, family.kind) {
                    (None, _) => None,
                    (Some(_), Kind::Relation(relation)) if relation.several => {
                        form::text(slot, &self.all_values(family, slot, &lines.ordered))
                    }
                    (Some(at), _) => self.value(family.kind, slot, *at),
                };
                fields.extend(value.map(|value| (Field::of(slot), value)));
            }
        }
        self.read_organisation(&mut fields);
        for (place, family) in ADDRESSES.iter().enumerate() {
            let held = self.lines_of(family).held.first().copied().flatten();
            if let Some(line) = held.and_then(|at| self.line(at)) {
                super::address::read(line, self.dialect, place + 1, &mut fields);
            }
        }
        name::read(self, &mut fields);
        form::named(fields)
    }

    /// The UID of the card.
    ///
    /// # Errors
    /// As for [`Card::content`].
    pub fn uid(&self) -> Result<Uid, Unreadable> {
        match self.uids().as_slice() {
            [uid] => Ok(Uid::new(uid)),
            [] => self.derived_uid(),
            _ => Err(Unreadable("it has more than one UID".to_owned())),
        }
    }

    /// What its `UID`s say, where they say anything.
    pub fn uids(&self) -> Vec<String> {
        let said = |line: &Line| self.dialect.unescape(line.value()).trim().to_owned();
        self.all("UID").map(said).filter(|uid| !uid.is_empty()).collect()
    }

    pub fn line(&self, index: usize) -> Option<&Line> {
        self.text.lines().get(index)
    }

    /// The first line of a name that says anything.
    pub fn first(&self, name: &str) -> Option<&Line> {
        self.all(name).find(|line| !line.value().trim().is_empty())
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &Line> {
        self.indices(name).iter().filter_map(|index| self.line(*index))
    }

    /// Where the lines of a name are.
    pub fn indices(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Which lines belong to a family, and to which of its slots. Lines that say nothing belong to none.
    pub fn lines_of(&self, family: &Family) -> Lines {
        let slot = family.slots.first().copied().unwrap_or_default();
        let mut keyed = Vec::new();
        for (rank, name) in family.kind.names().enumerate() {
            for index in self.indices(name) {
                let Some(line) = self.line(*index) else { continue };
                if family.kind.takes(line, self.types.get(*index).map_or(&[], Vec::as_slice))
                    && self.value(family.kind, slot, *index).is_some()
                {
                    keyed.push((rank, preference(line), *index));
                }
            }
        }
        keyed.sort_unstable();
        let ordered: Vec<usize> = keyed.into_iter().map(|(_, _, index)| index).collect();
        let mut next = ordered.iter().copied();
        let held = family
            .slots
            .iter()
            .map(|slot| if self.empty.contains(*slot) { None } else { next.next() });
        let held = held.collect();
        Lines { ordered, held }
    }

    /// What one line of a family says. For lines that hold several fields only whether it is something.
    pub fn value(&self, kind: Kind, slot: &str, index: usize) -> Option<Value> {
        let line = self.line(index).filter(|line| !line.is_base64())?;
        let raw = line.value();
        match kind {
            Kind::Text(_) | Kind::Email | Kind::Phone(_) => {
                form::text(slot, &self.dialect.unescape(raw))
            }
            Kind::List(_) if self.dialect == Dialect::V21 => {
                form::text(slot, &self.dialect.unescape(raw))
            }
            Kind::List(_) => {
                let words: Vec<String> = text::split(raw, ',')
                    .into_iter()
                    .map(|word| self.dialect.unescape(word).trim().to_owned())
                    .filter(|word| !word.is_empty())
                    .collect();
                form::text(slot, &words.join(", "))
            }
            Kind::Web | Kind::Ftp => form::text(slot, &text::unescape_separators(raw)),
            Kind::Date(_) => date(line),
            Kind::Relation(_) => {
                let text = self.dialect.unescape(raw);
                let named = !line.is("RELATED")
                    || line.param("VALUE").is_some_and(|kind| kind.eq_ignore_ascii_case("text"));
                if named || !is_uri(&text) { form::text(slot, &text) } else { None }
            }
            Kind::Address(_) | Kind::Organisation => {
                let parts = text::split(raw, ';');
                parts.iter().find_map(|part| form::text("", &self.dialect.unescape(part)))
            }
        }
    }

    /// What Apple's address book calls the lines of a group.
    fn group_labels(&self) -> BTreeMap<String, String> {
        self.all("X-ABLABEL")
            .filter_map(|line| {
                let label = line.value().trim();
                let bare = label.strip_prefix("_$!<").and_then(|rest| rest.strip_suffix(">!$_"));
                let word = bare.unwrap_or(label).to_lowercase().replace(' ', "");
                Some((line.group()?.to_lowercase(), word))
            })
            .collect()
    }

    fn all_values(&self, family: &Family, slot: &str, lines: &[usize]) -> String {
        let values: Vec<String> = lines
            .iter()
            .filter_map(|index| self.value(family.kind, slot, *index))
            .map(|value| value.to_string())
            .collect();
        values.join(", ")
    }

    fn read_organisation(&self, fields: &mut Fields) {
        let held = self.lines_of(&ORGANISATION).held.first().copied().flatten();
        let Some(line) = held.and_then(|at| self.line(at)) else { return };
        let parts = text::split(line.value(), ';');
        for (field, part) in ["parentcustomerid", "department"].into_iter().zip(parts) {
            let value = form::text(field, &self.dialect.unescape(part));
            fields.extend(value.map(|value| (Field::of(field), value)));
        }
    }

    fn traits(&self) -> Traits {
        let categories = self.all("CATEGORIES").flat_map(|line| text::list(line.value()));
        Traits {
            categories: categories
                .map(|word| word.trim().to_owned())
                .filter(|word| !word.is_empty())
                .collect(),
            private: self.says("CLASS", "private") || self.says("CLASS", "confidential"),
            ..Traits::default()
        }
    }

    fn says(&self, name: &str, word: &str) -> bool {
        self.all(name).any(|line| line.value().trim().eq_ignore_ascii_case(word))
    }

    /// A UID for a card without one, from what names the person: it lasts until the first write, which adds it to the card.
    fn derived_uid(&self) -> Result<Uid, Unreadable> {
        let values: Vec<&str> = ["FN", "N", "EMAIL"]
            .into_iter()
            .flat_map(|name| self.all(name))
            .map(|line| line.value().trim())
            .collect();
        if values.iter().all(|value| value.trim_matches(';').is_empty()) {
            return Err(Unreadable(
                "it has no UID, name or e-mail address to know it by".to_owned(),
            ));
        }
        let uuid = Uuid::new_v5(&NAMESPACE, values.join("\n").as_bytes());
        Ok(Uid::new(format!("urn:uuid:{uuid}")))
    }
}

impl fmt::Debug for Card<'_> {
    /// Keeps content out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Card({:?}, {:?})", self.dialect, self.text)
    }
}

/// The types of a line without the prefixes of private ones, and its label.
fn types_of(line: &Line, labels: &BTreeMap<String, String>) -> Vec<String> {
    let mut types = line.types();
    for kind in &mut types {
        for prefix in ["x-evolution-", "x-"] {
            if let Some(bare) = kind.strip_prefix(prefix) {
                *kind = bare.to_owned();
            }
        }
    }
    let label = line.group().and_then(|group| labels.get(&group.to_lowercase()));
    types.extend(label.cloned());
    types
}

/// Less is preferred (RFC 6350 §5.3); `TYPE=PREF` of the older versions is the best there is.
fn preference(line: &Line) -> u8 {
    let preferred = line.types().iter().any(|kind| kind == "pref");
    let number = line.param("PREF").and_then(|number| number.trim().parse().ok());
    if preferred { 1 } else { number.filter(|number| (1..=100).contains(number)).unwrap_or(101) }
}

/// A whole date (RFC 6350 §4.3.1, RFC 2426 §3.1.5), its time left out. `None` without a year, which a date column cannot
/// hold, and for other calendars.
fn date(line: &Line) -> Option<Value> {
    let gregorian =
        line.param("CALSCALE").is_none_or(|scale| scale.eq_ignore_ascii_case("gregorian"));
    let text = line.value().trim();
    let day = text.split(['T', 't', ' ']).next()?;
    if !gregorian || line.param("X-APPLE-OMIT-YEAR").is_some_and(|year| day.starts_with(year)) {
        return None;
    }
    let digits: Vec<i16> = day
        .chars()
        .filter(|c| *c != '-')
        .map(|c| c.to_digit(10).and_then(|digit| i16::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let dashes = day.match_indices('-').map(|(at, _)| at).collect::<Vec<_>>();
    let ([y1, y2, y3, y4, m1, m2, d1, d2], [] | [4, 7]) = (digits.as_slice(), dashes.as_slice())
    else {
        return None;
    };
    let year = y1 * 1000 + y2 * 100 + y3 * 10 + y4;
    let (month, day) = (i8::try_from(m1 * 10 + m2).ok()?, i8::try_from(d1 * 10 + d2).ok()?);
    form::date(Date::new(year, month, day).ok()?)
}

fn is_uri(text: &str) -> bool {
    let scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    text.split_once(':').is_some_and(|(start, _)| !start.is_empty() && start.chars().all(scheme))
}
