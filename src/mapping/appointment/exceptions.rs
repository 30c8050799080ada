//! Occurrences of a series that are not as the pattern has them, written as `EXDATE`s and overrides.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::series::{Object, Override, Series};
use super::status::Show;
use super::{START, by_pattern};
use crate::mapping::calendar::{Calendar, end_of_properties, set};
use crate::mapping::text::{Edits, Line};
use crate::mapping::{Change, Unwritable};
use crate::model::fields::Occurrence;
use crate::model::{Field, Fields, Patch, Value};

/// What is left to do for the overrides once the master is written.
#[derive(Debug, Default)]
pub struct Overrides {
    /// The original starts of those that are not there yet.
    pub new: Vec<Timestamp>,
    /// What each shall say, by key.
    pub say: BTreeMap<Timestamp, Fields>,
}

impl Overrides {
    pub fn is_empty(&self) -> bool {
        self.new.is_empty() && self.say.is_empty()
    }
}

/// Writes what is taken out, removes overrides and renames those that move with their series.
///
/// # Errors
/// When the exceptions that are there cannot be read.
pub fn write(
    edits: &mut Edits,
    calendar: &Calendar<'_>,
    object: &Object<'_>,
    series: Option<&Series>,
    change: Change<'_>,
) -> Result<Overrides, Unwritable> {
    let Some(series) = series else {
        for Override { component, .. } in &object.overrides {
            edits.remove(component.lines.clone());
        }
        set(edits, calendar.text, object.master, "EXDATE", None);
        return Ok(Overrides::default());
    };
    let restarted = object
        .series
        .as_ref()
        .is_none_or(|old| old.first != series.first || old.recurrence != series.recurrence);
    let user = calendar.user();
    let move_of = |key| if restarted { series.renamed(key) } else { key };
    let known = object.overrides.iter().map(|there| move_of(there.key));
    let originals =
        series.originals(known.chain(change.whole.keys().filter_map(Field::original_start)));
    let mut overrides = Overrides::default();
    let mut stay = BTreeSet::new();
    for there in &object.overrides {
        let component = there.component;
        let key = match fate(there.key, object, change) {
            Fate::StaysAs(key) => Some(key),
            Fate::FollowsTheSeries if there.takes_place => Some(move_of(there.key)),
            Fate::FollowsTheSeries if !restarted => {
                if Show::read(calendar.text, component) != Show::Canceled {
                    let says = by_pattern(change.whole, there.original, user);
                    overrides.say.insert(there.key, says);
                }
                continue;
            }
            // The new pattern may have what it called off.
            Fate::Goes | Fate::FollowsTheSeries => None,
        };
        // A pattern that has no such start any more takes the occurrence along.
        let start = key.and_then(|key| Some((key, *originals.get(&key)?)));
        let Some((key, original)) = start else {
            edits.remove(component.lines.clone());
            continue;
        };
        stay.insert(key);
        if restarted || key != there.key {
            let line = calendar.text.property(component, "RECURRENCE-ID").map(|(_, line)| line);
            let line = line.cloned().unwrap_or_else(|| Line::new("RECURRENCE-ID", ""));
            let line = series.first.form.written(line, original, user);
            set(edits, calendar.text, component, "RECURRENCE-ID", Some(line));
        }
        // What was as the pattern had it stays so when the pattern changes.
        if !object.fields.contains_key(&Field::exception(there.key)) {
            overrides.say.insert(key, by_pattern(change.whole, original, user));
        }
    }
    for (key, fields) in changed(change.patch) {
        let Some(original) = originals.get(&key) else { continue };
        if !stay.contains(&key) {
            overrides.new.push(*original);
        }
        overrides.say.insert(key, fields.clone());
    }
    let taken = Taken { change, restarted, stay: &stay, originals: &originals };
    write_taken_out(edits, calendar, object, series, &taken)?;
    Ok(overrides)
}

/// An override with all that the master says, but for the times.
pub fn skeleton(calendar: &Calendar<'_>, object: &Object<'_>, original: Timestamp) -> Vec<Line> {
    const OWN: &[&str] =
        &["RRULE", "EXDATE", "RDATE", "RECURRENCE-ID", "DTSTART", "DTEND", "DURATION"];
    let (form, user) = (&object.times.start.form, calendar.user());
    let mut lines = vec![Line::new("BEGIN", "VEVENT")];
    let properties = calendar.text.properties(object.master);
    lines.extend(
        properties.filter(|(_, line)| !OWN.contains(&line.name())).map(|(_, line)| line.clone()),
    );
    lines.push(form.line("RECURRENCE-ID", original, user));
    lines.push(form.line("DTSTART", original, user));
    for child in &object.master.children {
        lines.extend(calendar.text.lines().get(child.lines.clone()).unwrap_or_default().to_vec());
    }
    lines.push(Line::new("END", "VEVENT"));
    lines
}

/// What becomes of an override.
enum Fate {
    Goes,
    /// Under this key.
    StaysAs(Timestamp),
    FollowsTheSeries,
}

fn fate(key: Timestamp, object: &Object<'_>, change: Change<'_>) -> Fate {
    match change.patch.get(&Field::exception(key)) {
        None => Fate::FollowsTheSeries,
        Some(Some(Value::Occurrence(Occurrence::Changed(_)))) => Fate::StaysAs(key),
        Some(_) => {
            // The occurrence of the same day at another hour: the series was moved.
            let Some(series) = &object.series else { return Fate::Goes };
            let day = |key| series.user.to_datetime(key).date();
            let taken = |new| object.overrides.iter().any(|other| other.key == new);
            changed(change.patch)
                .map(|(new, _)| new)
                .find(|new| day(*new) == day(key) && !taken(*new))
                .map_or(Fate::Goes, Fate::StaysAs)
        }
    }
}

/// The occurrences that a patch gives content.
fn changed(patch: &Patch) -> impl Iterator<Item = (Timestamp, &Fields)> {
    patch.iter().filter_map(|(field, value)| match value {
        Some(Value::Occurrence(Occurrence::Changed(fields))) if fields.contains_key(&START) => {
            Some((field.original_start()?, fields))
        }
        _ => None,
    })
}

struct Taken<'a> {
    change: Change<'a>,
    restarted: bool,
    /// The overrides that stay, among them those that are cancelled.
    stay: &'a BTreeSet<Timestamp>,
    /// Original starts by key, of what the series has.
    originals: &'a BTreeMap<Timestamp, Timestamp>,
}

fn write_taken_out(
    edits: &mut Edits,
    calendar: &Calendar<'_>,
    object: &Object<'_>,
    series: &Series,
    taken: &Taken<'_>,
) -> Result<(), Unwritable> {
    let wanted: BTreeSet<Timestamp> = taken
        .change
        .whole
        .iter()
        .filter(|(_, value)| **value == Value::Occurrence(Occurrence::Cancelled))
        .filter_map(|(field, _)| field.original_start())
        .filter(|key| !taken.stay.contains(key))
        .collect();
    let there = match &object.series {
        Some(old) => old.taken_out(calendar, object.master)?,
        None => Vec::new(),
    };
    let line = |key: &Timestamp| {
        let original = taken.originals.get(key)?;
        Some(series.first.form.line("EXDATE", *original, calendar.user()))
    };
    let end = end_of_properties(object.master);
    if taken.restarted {
        if !there.is_empty() || !wanted.is_empty() {
            set(edits, calendar.text, object.master, "EXDATE", None);
            edits.insert(end, wanted.iter().filter_map(line));
        }
        return Ok(());
    }
    let goes = |key: &Option<Timestamp>| {
        key.is_some_and(|key| {
            taken.change.patch.contains_key(&Field::exception(key)) && !wanted.contains(&key)
        })
    };
    let lines: BTreeSet<usize> =
        there.iter().filter(|out| goes(&out.key)).map(|out| out.line).collect();
    for index in lines {
        let left: Vec<&str> = there
            .iter()
            .filter(|out| out.line == index && !goes(&out.key))
            .map(|out| out.value.as_str())
            .collect();
        match calendar.text.lines().get(index) {
            Some(old) if !left.is_empty() => {
                edits.replace(index, old.clone().with_value(left.join(",")));
            }
            _ => edits.remove(index..index + 1),
        }
    }
    let known: BTreeSet<Timestamp> = there.iter().filter_map(|out| out.key).collect();
    edits.insert(end, wanted.difference(&known).filter_map(line));
    Ok(())
}
