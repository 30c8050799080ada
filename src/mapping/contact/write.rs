//! Changes of fields as changes of lines.

use std::collections::{BTreeMap, BTreeSet};

use crate::mapping::text::{self, Edits, Line};
use crate::mapping::{Change, Unwritable};
use crate::model::fields::field_rules;
use crate::model::{Class, Field, Fields, Patch, Uid, Value};

use super::card::{Card, Dialect, EMPTY, Lines};
use super::families::{ADDRESSES, FAMILIES, Family, Kind, ORGANISATION};
use super::form::{self, NAME};
use super::{address, name};

/// Writes a patch onto a card.
///
/// # Errors
/// [`Unwritable`] for a field that a contact does not have, or a value of another kind than the field's.
pub fn write(card: &Card<'_>, change: Change<'_>) -> Result<Vec<u8>, Unwritable> {
    let fields = card.fields();
    let patch = effective(change.patch, &fields)?;
    let mut writer = Writer { card, patch: &patch, edits: Edits::new(), empty: card.empty.clone() };
    if !patch.is_empty() {
        writer.uid(change.uid);
        writer.name(&fields);
        writer.organisation();
        for family in FAMILIES {
            writer.plain(family);
        }
        for (place, family) in ADDRESSES.iter().enumerate() {
            writer.address(place + 1, family);
        }
        writer.empty_slots();
    }
    Ok(writer.edits.apply(&card.text))
}

/// What of a patch is really to be written: in the form the reader gives, without what the card says already. A cut value is
/// less than what may stand here, so it is only written where nothing does.
fn effective(patch: &Patch, fields: &Fields) -> Result<Patch, Unwritable> {
    let mut effective = Patch::new();
    for (field, value) in patch {
        let name = field.as_str();
        if field_rules(Class::Contact).iter().all(|rule| rule.name != name) {
            return Err(Unwritable(format!("a contact has no field {name}")));
        }
        let value = match value {
            None => None,
            Some(Value::Cut(_)) if fields.contains_key(field) => continue,
            Some(Value::Text(text) | Value::Cut(text)) if !form::is_date(name) => {
                form::text(name, text)
            }
            Some(Value::Date(date)) if form::is_date(name) => form::date(*date),
            Some(_) => return Err(Unwritable(format!("{name} has a value of another kind"))),
        };
        if fields.get(field) != value.as_ref() {
            effective.insert(field.clone(), value);
        }
    }
    Ok(effective)
}

struct Writer<'a> {
    card: &'a Card<'a>,
    patch: &'a Patch,
    edits: Edits,
    empty: BTreeSet<String>,
}

/// New lines for slots, by the slot's number; `None` takes the line out.
type Slots = BTreeMap<usize, Option<Line>>;

impl Writer<'_> {
    fn uid(&mut self, uid: &Uid) {
        if !self.card.uids().is_empty() {
            return;
        }
        let line = Line::new("UID", self.card.dialect.escape(uid.as_str()));
        // RFC 6350 §6.7.6: a URI, unless it says otherwise.
        let is_text = self.card.dialect == Dialect::V40 && !uid.as_str().starts_with("urn:");
        let line = if is_text { line.with_param("VALUE", "text") } else { line };
        self.put("UID", line);
    }

    /// `N` is written part by part, or whole where the name stood in `FN` alone; `FN` follows.
    fn name(&mut self, fields: &Fields) {
        let (dialect, whole) = (self.card.dialect, form::patched(fields, self.patch));
        let structured = name::is_structured(self.card);
        let renamed = NAME.into_iter().any(|field| {
            self.patch.contains_key(&Field::of(field))
                || form::get(fields, field) != form::get(&whole, field)
        });
        if renamed || !structured {
            let old = self.card.first("N").cloned();
            let line = old.unwrap_or_else(|| Line::new("N", "")).without_param("SORT-AS");
            let mut parts: Vec<String> =
                text::split(line.value(), ';').into_iter().map(str::to_owned).collect();
            parts.resize(parts.len().max(NAME.len()), String::new());
            for (part, field) in parts.iter_mut().zip(NAME) {
                let new = form::get(&whole, field);
                if !structured || form::get(fields, field) != new {
                    *part = dialect.escape(new);
                }
            }
            self.put("N", line.with_value(text::join(&parts, NAME.len())));
        }
        if renamed || self.card.first("FN").is_none() {
            let line = self.card.first("FN").cloned().unwrap_or_else(|| Line::new("FN", ""));
            let full = form::full_name(&whole);
            if full.is_empty() {
                // Other forms of the name (RFC 6350 §6.2.1) must not take its place when it is cleared.
                for at in self.card.indices("FN") {
                    self.edits.remove(*at..at + 1);
                }
                self.append(line.with_value(""));
            } else {
                self.put("FN", line.with_value(dialect.escape(&full)));
            }
        }
    }

    fn organisation(&mut self) {
        let columns = ["parentcustomerid", "department"];
        if columns.iter().all(|column| !self.patch.contains_key(&Field::of(column))) {
            return;
        }
        let lines = self.card.lines_of(&ORGANISATION);
        let line = self.line_for(&ORGANISATION, &lines, 0).without_param("SORT-AS");
        let mut parts: Vec<String> =
            text::split(line.value(), ';').into_iter().map(str::to_owned).collect();
        parts.resize(parts.len().max(columns.len()), String::new());
        for (part, column) in parts.iter_mut().zip(columns) {
            if let Some(value) = self.patch.get(&Field::of(column)) {
                let text = value.as_ref().map(ToString::to_string).unwrap_or_default();
                *part = self.card.dialect.escape(&text);
            }
        }
        let left = parts.iter().any(|part| !part.trim().is_empty());
        let new = left.then(|| line.with_value(text::join(&parts, 1)));
        self.settle(&ORGANISATION, &lines, &Slots::from([(0, new)]), &BTreeMap::new());
    }

    fn address(&mut self, number: usize, family: &Family) {
        if address::fields(number).iter().all(|field| !self.patch.contains_key(field)) {
            return;
        }
        let lines = self.card.lines_of(family);
        let line = self.line_for(family, &lines, 0);
        let new = address::write(line, self.card.dialect, number, self.patch);
        self.settle(family, &lines, &Slots::from([(0, new)]), &BTreeMap::new());
    }

    /// A family whose lines hold one field each.
    fn plain(&mut self, family: &Family) {
        let lines = self.card.lines_of(family);
        let mut slots = Slots::new();
        for (slot, field) in family.slots.iter().enumerate() {
            if let Some(value) = self.patch.get(&Field::of(field)) {
                let line = self.line_for(family, &lines, slot);
                let new = value.as_ref().map(|value| self.with(family.kind, line, value));
                slots.insert(slot, new);
            }
        }
        if let Some(first) = slots.get(&0) {
            let twins = self.twins(family, &lines, first.is_some());
            self.settle(family, &lines, &slots, &twins);
        } else if !slots.is_empty() {
            self.settle(family, &lines, &slots, &BTreeMap::new());
        }
    }

    /// Other lines that say the same thing under another name, as KDE and Evolution write them: they change with the first.
    /// Where all lines together are the value, the first takes it over.
    fn twins(&self, family: &Family, lines: &Lines, keep: bool) -> Slots {
        let (Some(field), Some(held)) =
            (family.slots.first(), lines.held.first().copied().flatten())
        else {
            return Slots::new();
        };
        let several = matches!(family.kind, Kind::Relation(relation) if relation.several);
        if family.slots.len() > 1 || (family.kind.names().count() == 1 && !several) {
            return Slots::new();
        }
        let old = self.card.value(family.kind, field, held);
        let new = self.patch.get(&Field::of(field)).and_then(Option::as_ref);
        let others = lines.ordered.iter().copied().filter(|index| *index != held);
        others
            .filter(|index| several || self.card.value(family.kind, field, *index) == old)
            .map(|index| {
                let line = self.card.line(index).cloned().filter(|_| keep && !several);
                let twin = line.zip(new).map(|(line, new)| self.with(family.kind, line, new));
                (index, twin)
            })
            .collect()
    }

    /// The line that holds a slot, or a new one. A date that could not be read gives way to the one that can.
    fn line_for(&self, family: &Family, lines: &Lines, slot: usize) -> Line {
        let held = lines.held.get(slot).copied().flatten();
        held.and_then(|at| self.card.line(at))
            .cloned()
            .unwrap_or_else(|| family.kind.new_line(self.card.dialect))
    }

    fn with(&self, kind: Kind, line: Line, value: &Value) -> Line {
        let dialect = self.card.dialect;
        let text = value.to_string();
        match kind {
            Kind::Web | Kind::Ftp => line.with_value(text::escape_backslashes(&text)),
            Kind::Date(_) => {
                let day = if dialect == Dialect::V40 { text.replace('-', "") } else { text };
                let params = ["VALUE", "CALSCALE", "X-APPLE-OMIT-YEAR"];
                params.into_iter().fold(line, Line::without_param).with_value(day)
            }
            Kind::Phone(_) | Kind::Email => {
                line.without_param("VALUE").with_value(dialect.escape(&text))
            }
            Kind::Relation(_) if line.is("RELATED") => line
                .without_param("VALUE")
                .with_param("VALUE", "text")
                .with_value(dialect.escape(&text)),
            _ => line.with_value(dialect.escape(&text)),
        }
    }

    /// Carries out the changes of a family's slots, so that reading fills the same slots again.
    fn settle(&mut self, family: &Family, lines: &Lines, slots: &Slots, twins: &Slots) {
        let extra: Vec<usize> = lines
            .ordered
            .iter()
            .copied()
            .filter(|at| !lines.held.contains(&Some(*at)) && !twins.contains_key(at))
            .collect();
        for (at, line) in twins {
            self.change(*at, line.clone());
        }
        for (slot, line) in slots {
            match (lines.held.get(*slot).copied().flatten(), line) {
                (Some(at), line) => self.change(at, line.clone()),
                (None, Some(line)) => self.add(family, lines, *slot, line.clone()),
                (None, None) => {}
            }
        }
        let filled = |slot: usize| match slots.get(&slot) {
            Some(line) => line.is_some(),
            None => lines.held.get(slot).copied().flatten().is_some(),
        };
        let last = (0..family.slots.len()).rev().find(|slot| filled(*slot)).unwrap_or(0);
        for (slot, name) in family.slots.iter().enumerate() {
            if !filled(slot) && (slot < last || !extra.is_empty()) {
                self.empty.insert((*name).to_owned());
            } else {
                self.empty.remove(*name);
            }
        }
    }

    /// Puts a new line where the order of preference gives it its slot: before the line of the next slot, as preferred as
    /// that one, else after the last line of the family.
    fn add(&mut self, family: &Family, lines: &Lines, slot: usize, line: Line) {
        let held = |slot: &usize| lines.held.get(*slot).copied().flatten();
        let later = (slot + 1..family.slots.len()).find_map(|slot| held(&slot));
        let beyond = || lines.ordered.iter().copied().find(|at| !lines.held.contains(&Some(*at)));
        if let Some(next) = later.or_else(beyond) {
            let line = self.as_preferred(line, next);
            let line = self.finished(line);
            self.edits.insert(next, [line]);
        } else if let Some(last) = lines.ordered.last() {
            let line = self.finished(line);
            self.edits.insert(last + 1, [line]);
        } else if let Some(unread) = self.unread_date(family) {
            self.change(unread, Some(line));
        } else {
            self.append(line);
        }
    }

    fn as_preferred(&self, line: Line, next: usize) -> Line {
        let Some(next) = self.card.line(next) else { return line };
        if next.types().iter().any(|kind| kind == "pref") {
            self.card.dialect.typed(line, &["PREF"])
        } else if let Some(rank) = next.param("PREF") {
            line.with_param("PREF", rank)
        } else {
            line
        }
    }

    /// A birthday without a year: there may be one `BDAY` only (RFC 6350 §6.2.5).
    fn unread_date(&self, family: &Family) -> Option<usize> {
        let Kind::Date(names) = family.kind else { return None };
        names.iter().find_map(|name| self.card.indices(name).first().copied())
    }

    /// Replaces the first line of a name, or adds one.
    fn put(&mut self, name: &str, line: Line) {
        let said =
            |at: &&usize| self.card.line(**at).is_some_and(|line| !line.value().trim().is_empty());
        let indices = self.card.indices(name);
        match indices.iter().find(said).or(indices.first()).copied() {
            Some(at) => self.change(at, Some(line)),
            None => self.append(line),
        }
    }

    fn change(&mut self, at: usize, line: Option<Line>) {
        if let Some(line) = line {
            let line = self.finished(line);
            self.edits.replace(at, line);
        } else {
            self.edits.remove(at..at + 1);
            self.remove_labels(at);
        }
    }

    /// Apple's label of a line goes with it, unless other lines are in the group.
    fn remove_labels(&mut self, at: usize) {
        let card = self.card;
        let Some(group) = card.line(at).and_then(Line::group) else { return };
        let same = |line: &Line| line.group().is_some_and(|g| g.eq_ignore_ascii_case(group));
        let is_label = |line: &Line| line.is("X-ABLABEL") || line.is("X-ABADR");
        let others = || {
            let properties = card.text.properties(&card.root);
            properties.filter(|(index, line)| *index != at && same(line))
        };
        if others().all(|(_, line)| is_label(line)) {
            for (index, _) in others() {
                self.edits.remove(index..index + 1);
            }
        }
    }

    fn append(&mut self, line: Line) {
        let line = self.finished(line);
        self.edits.insert(self.card.root.lines.end.saturating_sub(1), [line]);
    }

    /// vCard 2.1 has quoted-printable for line ends, other characters than ASCII, and lines too long to stand unfolded.
    fn finished(&self, line: Line) -> Line {
        const LONG: usize = 60;
        let value = line.value();
        let plain = value.is_ascii() && !value.contains(['\r', '\n']) && value.len() <= LONG;
        if self.card.dialect == Dialect::V21 && !plain { line.quoted_printable() } else { line }
    }

    fn empty_slots(&mut self) {
        if self.empty == self.card.empty {
            return;
        }
        let slots: Vec<&str> = self.empty.iter().map(String::as_str).collect();
        let line = Line::new(EMPTY, slots.join(","));
        match (self.card.indices(EMPTY).to_vec().as_slice(), slots.is_empty()) {
            (indices, true) => indices.iter().for_each(|at| self.edits.remove(*at..*at + 1)),
            (_, false) => self.put(EMPTY, line),
        }
    }
}
