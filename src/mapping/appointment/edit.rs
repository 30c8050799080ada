//! Changes written onto the text of an appointment.
//!
//! A new object is a bare one with the same changes written onto it, so that there is one way to write. Three passes over the
//! text, each only where there is something to do: the master with its rule and what is taken out; the skeletons of new
//! overrides; the overrides.

use jiff::tz::TimeZone;

use super::event::Times;
use super::exceptions::{self, Overrides};
use super::series::{Object, Series, days_between, read, read_rule};
use super::status::Show;
use super::{
    ALL_DAY, DESCRIPTION, END, LOCATION, PRIORITY, RECURRENCE, START, STATUS, SUBJECT, moment,
    people,
};
use crate::mapping::calendar::time::{duration, midnight};
use crate::mapping::calendar::{
    Calendar, Form, When, bump_sequence, changes, define, definition, property, set, skeleton,
};
use crate::mapping::recurrence::{moved, rule};
use crate::mapping::text::{Component, Edits, Line, Text, escape, render};
use crate::mapping::{Change, Context, Unwritable};
use crate::model::time::Recurrence;
use crate::model::{Field, Fields, Uid, Value};

/// The changes written onto the old text, or a new object.
///
/// # Errors
/// When `old` is not what the reader reads, or a change has no form in it.
pub fn write(
    change: Change<'_>,
    old: Option<&[u8]>,
    context: &Context,
) -> Result<Vec<u8>, Unwritable> {
    let Some(old) = old else {
        let bare = bare(change.uid, change.whole, context)?;
        return Pass { change, context, revise: false }.all(&bare);
    };
    let says = read(old, context)?.fields;
    let patch = changes(change.patch, &says);
    if patch.is_empty() {
        return Ok(old.to_vec());
    }
    let heard_of = |field: &Field| {
        [START, END, ALL_DAY, LOCATION, RECURRENCE].contains(field)
            || field.original_start().is_some()
    };
    let revise = patch.keys().any(heard_of);
    Pass { change: Change { patch: &patch, ..change }, context, revise }.all(old)
}

/// An appointment that says no more than when it starts.
///
/// `DTSTAMP` must be there and a writer has no clock: it is the start, so that the same record makes the same text.
fn bare(uid: &Uid, whole: &Fields, context: &Context) -> Result<Vec<u8>, Unwritable> {
    let user = &context.zone;
    let start = moment(whole, &START).ok_or_else(no_start)?;
    let form = if whole.contains_key(&ALL_DAY) { Form::Date } else { Form::of(user) };
    let properties = vec![
        Line::new("UID", escape(uid.as_str())),
        Form::Utc.line("DTSTAMP", start, user),
        form.line("DTSTART", start, user),
    ];
    Ok(render(&skeleton("VEVENT", definition(&form, start), properties)))
}

struct Pass<'a> {
    change: Change<'a>,
    context: &'a Context,
    /// Whether others must hear of the change.
    revise: bool,
}

impl Pass<'_> {
    fn all(&self, old: &[u8]) -> Result<Vec<u8>, Unwritable> {
        let (bytes, overrides) = self.master(old)?;
        if overrides.is_empty() {
            return Ok(bytes);
        }
        let bytes = self.add(&bytes, &overrides)?;
        self.overrides(&bytes, &overrides)
    }

    /// The first pass.
    fn master(&self, bytes: &[u8]) -> Result<(Vec<u8>, Overrides), Unwritable> {
        let text = Text::parse(bytes)?;
        let calendar = Calendar::of(&text, &self.context.zone)?;
        let object = Object::of(&calendar, &self.context.me)?;
        let Change { patch, whole, .. } = self.change;
        let mut edits = Edits::new();
        let timed = [START, END, ALL_DAY, RECURRENCE].iter().any(|field| patch.contains_key(field));
        let becomes_series = object.series.is_none() && whole.contains_key(&RECURRENCE);
        let start = if timed {
            let form = form(whole, &object.times, becomes_series, self.context);
            let form = fitting(form, whole, &calendar);
            write_times(&mut edits, &calendar, object.master, whole, &form)?
        } else {
            object.times.start.clone()
        };
        write_plain(&mut edits, &calendar, object.master, whole, |field| patch.contains_key(field));
        people::write_lines(&mut edits, &text, object.master, patch, whole, &self.context.me);
        let series = if let Some(Value::Recurrence(recurrence)) = whole.get(&RECURRENCE) {
            let recurrence = self.by_series(recurrence, &start)?;
            if timed {
                write_rule(&mut edits, &calendar, object.master, &recurrence, &start)?;
            }
            let from = start.moment(&self.context.zone).ok_or_else(no_start)?;
            Some(Series::new(recurrence, start, from, &self.context.zone))
        } else {
            set(&mut edits, &text, object.master, "RRULE", None);
            None
        };
        let overrides =
            exceptions::write(&mut edits, &calendar, &object, series.as_ref(), self.change)?;
        if self.revise {
            bump_sequence(&mut edits, &text, object.master);
        }
        Ok((edits.apply(&text), overrides))
    }

    /// The second pass: a new override says all that the master says, but for the times.
    fn add(&self, bytes: &[u8], overrides: &Overrides) -> Result<Vec<u8>, Unwritable> {
        let text = Text::parse(bytes)?;
        let calendar = Calendar::of(&text, &self.context.zone)?;
        let object = Object::of(&calendar, &self.context.me)?;
        let mut edits = Edits::new();
        for original in &overrides.new {
            let lines = exceptions::skeleton(&calendar, &object, *original);
            edits.insert(object.master.lines.end, lines);
        }
        Ok(edits.apply(&text))
    }

    /// The third pass.
    fn overrides(&self, bytes: &[u8], overrides: &Overrides) -> Result<Vec<u8>, Unwritable> {
        let text = Text::parse(bytes)?;
        let calendar = Calendar::of(&text, &self.context.zone)?;
        let object = Object::of(&calendar, &self.context.me)?;
        let mut edits = Edits::new();
        for there in &object.overrides {
            let component = there.component;
            let Some(fields) = overrides.say.get(&there.key) else { continue };
            let times = super::event::times(&calendar, component)?;
            let before = super::event::fields(&calendar, component, &times);
            let differs = |field: &Field| before.get(field) != fields.get(field);
            write_plain(&mut edits, &calendar, component, fields, differs);
            if [START, END, ALL_DAY].iter().any(differs) {
                let form = form(fields, &times, false, self.context);
                let form = fitting(form, fields, &calendar);
                write_times(&mut edits, &calendar, component, fields, &form)?;
            }
            if self.revise && [START, END, ALL_DAY, LOCATION].iter().any(differs) {
                bump_sequence(&mut edits, &text, component);
            }
        }
        Ok(edits.apply(&text))
    }

    /// The recurrence by the calendar of the series' own zone.
    fn by_series(&self, recurrence: &Recurrence, start: &When) -> Result<Recurrence, Unwritable> {
        let user = &self.context.zone;
        let moment = start.moment(user).ok_or_else(no_start)?;
        let days = days_between(user.to_datetime(moment).date(), start.civil.date());
        moved(recurrence, days).ok_or_else(|| {
            Unwritable("it repeats by days of the month, which are others in its zone".to_owned())
        })
    }
}

/// The fields that each have a property of their own.
fn write_plain(
    edits: &mut Edits,
    calendar: &Calendar<'_>,
    component: &Component,
    whole: &Fields,
    touched: impl Fn(&Field) -> bool,
) {
    let text = calendar.text;
    if touched(&SUBJECT) {
        property::set_text(edits, text, component, "SUMMARY", whole.get(&SUBJECT));
    }
    if touched(&LOCATION) {
        property::set_text(edits, text, component, "LOCATION", whole.get(&LOCATION));
    }
    if touched(&DESCRIPTION) {
        property::set_description(edits, text, component, whole.get(&DESCRIPTION));
    }
    if touched(&PRIORITY) {
        property::set_priority(edits, text, component, whole.get(&PRIORITY));
    }
    if touched(&STATUS) {
        Show::of(whole.get(&STATUS)).write(edits, text, component);
    }
}

/// How the times of an event are written: as they were, as far as that is possible.
fn form(whole: &Fields, old: &Times, becomes_series: bool, context: &Context) -> Form {
    match (&old.start.form, whole.contains_key(&ALL_DAY)) {
        (_, true) => Form::Date,
        (Form::Date, false) => Form::of(&context.zone),
        // In UTC a series would not follow the clock that its user goes by.
        (Form::Utc, false) if becomes_series => Form::of(&context.zone),
        (form, false) => form.clone(),
    }
}

/// The form, or the user's own where that of the file does not reach, or its zone has other days of the month than the recurrence
/// names.
fn fitting(form: Form, whole: &Fields, calendar: &Calendar<'_>) -> Form {
    let user = calendar.user();
    let Some(from) = moment(whole, &START) else { return form };
    let day = |zone: &TimeZone| zone.to_datetime(from).date();
    let ahead = days_between(day(user), day(&form.zone(user)));
    let tells = match whole.get(&RECURRENCE) {
        Some(Value::Recurrence(recurrence)) => moved(recurrence, ahead).is_some(),
        _ => true,
    };
    if tells && calendar.holds(&form, from) { form } else { Form::of(user) }
}

/// Writes start and end, and returns the start as it stands now.
fn write_times(
    edits: &mut Edits,
    calendar: &Calendar<'_>,
    component: &Component,
    whole: &Fields,
    form: &Form,
) -> Result<When, Unwritable> {
    let (text, user) = (calendar.text, calendar.user());
    let old = |name: &str| text.property(component, name).map(|(_, line)| line.clone());
    let from = moment(whole, &START).ok_or_else(no_start)?;
    let to = moment(whole, &END).unwrap_or(from);
    if to < from {
        return Err(Unwritable("it would end before it starts".to_owned()));
    }
    let line = old("DTSTART").unwrap_or_else(|| Line::new("DTSTART", ""));
    let line = form.written(line, from, user);
    let start = calendar.when(&line)?;
    set(edits, text, component, "DTSTART", Some(line));
    define(edits, calendar, form, from);

    let lasts =
        old("DURATION").and_then(|line| start.after(duration(line.value())?, user)?.moment(user));
    if old("DTEND").is_none() && lasts == Some(to) {
        return Ok(start);
    }
    let by_default = match start.form {
        Form::Date => start.civil.date().tomorrow().ok().and_then(|day| midnight(day, user)),
        _ => Some(from),
    };
    let end = if by_default == Some(to) && (old("DTEND").is_none() || to == from) {
        None
    } else {
        let line = old("DTEND").unwrap_or_else(|| Line::new("DTEND", ""));
        let own = calendar.when(&line).map(|when| when.form).ok();
        let form = match (form, own) {
            (Form::Date, _) | (_, None | Some(Form::Date)) => form.clone(),
            (_, Some(own)) if calendar.holds(&own, to) => own,
            (_, Some(_)) => form.clone(),
        };
        Some(form.written(line, to, user))
    };
    set(edits, text, component, "DTEND", end);
    set(edits, text, component, "DURATION", None);
    Ok(start)
}

/// Writes the rule, if the one that is there does not say the same already.
fn write_rule(
    edits: &mut Edits,
    calendar: &Calendar<'_>,
    component: &Component,
    recurrence: &Recurrence,
    start: &When,
) -> Result<(), Unwritable> {
    let user = calendar.user();
    let old = calendar.text.property(component, "RRULE").map(|(_, line)| line);
    if old.is_some_and(|line| read_rule(line.value(), start, user).as_ref() == Ok(recurrence)) {
        return Ok(());
    }
    let until = match &start.form {
        Form::Date => rule::Until::Date,
        Form::Floating => rule::Until::Floating,
        Form::Utc | Form::Zoned { .. } => rule::Until::Utc(start.form.zone(user)),
    };
    let value = rule::write(recurrence, start.civil, &until);
    if read_rule(&value, start, user).as_ref() != Ok(recurrence) {
        return Err(Unwritable("it starts on a day that its recurrence does not have".to_owned()));
    }
    let line = match old {
        Some(line) => line.clone().with_value(value),
        None => Line::new("RRULE", value),
    };
    set(edits, calendar.text, component, "RRULE", Some(line));
    Ok(())
}

fn no_start() -> Unwritable {
    Unwritable("it has no start".to_owned())
}
