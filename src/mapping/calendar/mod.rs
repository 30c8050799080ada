//! What appointments and tasks share of iCalendar: the object, its zones, times, and properties of the same meaning.
//!
//! This module reads and edits single properties; what they mean together is decided in `appointment` and `task`.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::text::{Component, Edits, Line, Text};
use super::{Unreadable, zone};
use crate::model::link::Traits;
use crate::model::{Field, Fields, Patch, Uid, Value};

pub mod property;
#[cfg(test)]
mod tests;
pub mod time;

pub use time::{Form, When};

/// What we call ourselves in files that we make (RFC 5545 §3.7.3).
const PRODUCT: &str = "-//Liaison//Liaison//EN";

/// An iCalendar object with its zones.
#[derive(Debug)]
pub struct Calendar<'a> {
    pub text: &'a Text<'a>,
    pub root: &'a Component,
    /// By `TZID`, once looked up: comparing clocks is costly.
    zones: RefCell<BTreeMap<String, Option<TimeZone>>>,
    user: TimeZone,
}

impl<'a> Calendar<'a> {
    /// The calendar of a file. `user` is the zone for days and for times without a zone.
    ///
    /// # Errors
    /// When the file holds no calendar, or several.
    pub fn of(text: &'a Text<'a>, user: &TimeZone) -> Result<Self, Unreadable> {
        match text.components() {
            [root] if root.name == "VCALENDAR" => {
                Ok(Self { text, root, zones: RefCell::default(), user: user.clone() })
            }
            [] => Err(Unreadable("it holds no calendar".to_owned())),
            [_] => Err(Unreadable("it is not a calendar".to_owned())),
            [..] => Err(Unreadable("it holds several calendars".to_owned())),
        }
    }

    /// The components of this name.
    pub fn components(&self, name: &str) -> Vec<&'a Component> {
        self.root.children.iter().filter(|child| child.name == name).collect()
    }

    /// The zone of a `TZID`: by its name, else by what the file says of it. Where daylight saving is the file's own, what it
    /// does `around` counts.
    pub fn zone(&self, tzid: &str, around: DateTime) -> Option<TimeZone> {
        if let Some(known) = self.zones.borrow().get(tzid) {
            return known.clone();
        }
        let found = self.look_up(tzid, around);
        self.zones.borrow_mut().insert(tzid.to_owned(), found.clone());
        found
    }

    /// Whether a form will be read as it is meant once it says this moment: a `VTIMEZONE` of the file's own may be right for some
    /// years only.
    pub fn holds(&self, form: &Form, moment: Timestamp) -> bool {
        match form {
            Form::Zoned { tzid, zone } => {
                self.look_up(tzid, zone.to_datetime(moment)).as_ref() == Some(zone)
            }
            Form::Date | Form::Floating | Form::Utc => true,
        }
    }

    fn look_up(&self, tzid: &str, around: DateTime) -> Option<TimeZone> {
        zone::named(tzid).or_else(|| self.own_zone(tzid, around)).or_else(|| zone::displayed(tzid))
    }

    /// Whether the file says what this `TZID` is.
    pub fn defines(&self, tzid: &str) -> bool {
        self.definition(tzid).is_some()
    }

    fn definition(&self, tzid: &str) -> Option<&'a Component> {
        self.components("VTIMEZONE").into_iter().find(|component| {
            self.text
                .property(component, "TZID")
                .is_some_and(|(_, line)| line.value().trim() == tzid)
        })
    }

    fn own_zone(&self, tzid: &str, around: DateTime) -> Option<TimeZone> {
        let definition = self.definition(tzid)?;
        let location = self.text.property(definition, "X-LIC-LOCATION");
        if let Some(zone) = location.and_then(|(_, line)| zone::named(line.value())) {
            return Some(zone);
        }
        let observances = zone::vtimezone::read(self.text, definition);
        zone::of_observances(&observances, zone::moment(around, &TimeZone::UTC)?, &self.user)
    }

    /// What a property that holds one time says.
    ///
    /// # Errors
    /// When it is no time or in a zone that nobody knows.
    pub fn when(&self, line: &Line) -> Result<When, Unreadable> {
        time::read(line, line.value(), self)
    }

    /// The moment that is meant, with days and times without a zone taken in the user's.
    ///
    /// # Errors
    /// When it lies outside the calendar.
    pub fn moment(&self, when: &When) -> Result<Timestamp, Unreadable> {
        when.moment(&self.user).ok_or_else(|| Unreadable("a time is out of range".to_owned()))
    }

    pub fn user(&self) -> &TimeZone {
        &self.user
    }
}

/// The one `UID` of these components.
///
/// # Errors
/// When there is none, or more than one.
pub fn uid(text: &Text<'_>, components: &[&Component]) -> Result<Uid, Unreadable> {
    let mut found: Option<String> = None;
    for component in components {
        let uid = text
            .property(component, "UID")
            .and_then(|(_, line)| property::plain(line))
            .ok_or_else(|| Unreadable("it has no UID".to_owned()))?;
        if found.as_ref().is_some_and(|found| *found != uid) {
            return Err(Unreadable("it holds items with different UIDs".to_owned()));
        }
        found = Some(uid);
    }
    found.map(Uid::new).ok_or_else(|| Unreadable("it has no UID".to_owned()))
}

/// Categories and privacy of a component.
pub fn traits(text: &Text<'_>, component: &Component) -> Traits {
    let mut traits = Traits::default();
    for (_, line) in text.properties(component) {
        match line.name() {
            "CATEGORIES" => traits.categories.extend(
                super::text::list(line.value())
                    .into_iter()
                    .map(|category| category.trim().to_owned())
                    .filter(|category| !category.is_empty()),
            ),
            "CLASS" => {
                let class = line.value().trim().to_ascii_uppercase();
                traits.private |= matches!(class.as_str(), "PRIVATE" | "CONFIDENTIAL");
            }
            _ => {}
        }
    }
    traits
}

/// The lines of a new calendar with one component of this name and these properties.
pub fn skeleton(name: &str, zones: Vec<Line>, properties: Vec<Line>) -> Vec<Line> {
    let mut lines = vec![
        Line::new("BEGIN", "VCALENDAR"),
        Line::new("VERSION", "2.0"),
        Line::new("PRODID", PRODUCT),
    ];
    lines.extend(zones);
    lines.push(Line::new("BEGIN", name));
    lines.extend(properties);
    lines.push(Line::new("END", name));
    lines.push(Line::new("END", "VCALENDAR"));
    lines
}

/// Adds what the name of a form's zone means, where the file does not say and did not use it.
pub fn define(edits: &mut Edits, calendar: &Calendar<'_>, form: &Form, start: Timestamp) {
    let Form::Zoned { tzid, .. } = form else { return };
    let used = calendar.text.lines().iter().any(|line| line.param("TZID") == Some(tzid));
    let first = calendar.root.children.iter().find(|child| child.name != "VTIMEZONE");
    if let (false, Some(first)) = (used || calendar.defines(tzid), first) {
        edits.insert(first.lines.start, definition(form, start));
    }
}

/// The `VTIMEZONE` of a form, if it has a zone.
pub fn definition(form: &Form, start: Timestamp) -> Vec<Line> {
    match form {
        Form::Zoned { tzid, zone } => zone::vtimezone::write(zone, tzid, start),
        Form::Date | Form::Floating | Form::Utc => Vec::new(),
    }
}

/// Puts a line in the place of all of its name in a component, or takes them out. Untouched where it is the same already.
pub fn set(
    edits: &mut Edits,
    text: &Text<'_>,
    component: &Component,
    name: &str,
    line: Option<Line>,
) {
    let mut old = text.properties(component).filter(|(_, line)| line.is(name));
    match (old.next(), line) {
        (Some((index, before)), Some(line)) => {
            if *before != line {
                edits.replace(index, line);
            }
        }
        (Some((index, _)), None) => edits.remove(index..index + 1),
        (None, Some(line)) => edits.insert(end_of_properties(component), [line]),
        (None, None) => {}
    }
    for (index, _) in old {
        edits.remove(index..index + 1);
    }
}

/// Where a new property goes: before the first component inside, or the end.
pub fn end_of_properties(component: &Component) -> usize {
    component
        .children
        .first()
        .map_or(component.lines.end.saturating_sub(1), |child| child.lines.start)
}

/// Counts up the revision of a component, after a change that others must hear of (RFC 5545 §3.8.7.4).
pub fn bump_sequence(edits: &mut Edits, text: &Text<'_>, component: &Component) {
    let old = text.property(component, "SEQUENCE").map(|(_, line)| line);
    let number = old.and_then(|line| line.value().trim().parse::<u32>().ok()).unwrap_or(0);
    let value = number.saturating_add(1).to_string();
    let line = match old {
        Some(line) => line.clone().with_value(value),
        None => Line::new("SEQUENCE", value),
    };
    set(edits, text, component, "SEQUENCE", Some(line));
}

/// What of a patch an item does not say already. What is cut is there already.
pub fn changes(patch: &Patch, says: &Fields) -> Patch {
    patch
        .iter()
        .filter(|(field, value)| {
            says.get(field) != value.as_ref() && !matches!(value, Some(Value::Cut(_)))
        })
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect()
}

/// The text that stands for a missing subject where the CRM demands one. It is no subject on either side.
pub const NO_SUBJECT: &str = "(no subject)";

/// A subject as a value.
pub fn subject(value: Option<Value>) -> Option<Value> {
    value.filter(|value| !matches!(value, Value::Text(text) if text == NO_SUBJECT))
}

/// What a list shows an appointment or task as.
pub fn title(fields: &Fields) -> String {
    match fields.get(&Field::of("subject")) {
        Some(Value::Text(subject) | Value::Cut(subject)) => subject.clone(),
        _ => NO_SUBJECT.to_owned(),
    }
}
