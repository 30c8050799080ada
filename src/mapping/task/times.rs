//! When a task starts and is due: `DTSTART`, `DUE`, `DURATION`.

use jiff::Timestamp;

use super::{END, START, moment};
use crate::mapping::Unreadable;
use crate::mapping::calendar::time::{duration, is_midnight};
use crate::mapping::calendar::{Calendar, Form, define, set};
use crate::mapping::text::{Component, Edits, Line};
use crate::model::{Fields, Patch};

/// When a task starts and is due.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    pub start: Option<Timestamp>,
    pub due: Option<Timestamp>,
}

/// # Errors
/// When one of the times cannot be read.
pub fn read(calendar: &Calendar<'_>, task: &Component) -> Result<Times, Unreadable> {
    let property = |name| calendar.text.property(task, name).map(|(_, line)| line);
    let start = property("DTSTART").map(|line| calendar.when(line)).transpose()?;
    let due = match (property("DUE"), property("DURATION"), &start) {
        (Some(line), _, _) => Some(calendar.when(line)?),
        (None, Some(line), Some(start)) => {
            let after = duration(line.value()).and_then(|span| start.after(span, calendar.user()));
            Some(after.ok_or_else(|| Unreadable("its duration cannot be read".to_owned()))?)
        }
        (None, _, _) => None,
    };
    let moment = |when: Option<&_>| when.map(|when| calendar.moment(when)).transpose();
    Ok(Times { start: moment(start.as_ref())?, due: moment(due.as_ref())? })
}

/// Writes the times that a patch touches, and the other one where both must be days or both times (RFC 5545 §3.8.2.3).
///
/// # Errors
/// When the times that are there cannot be read.
pub fn write(
    edits: &mut Edits,
    calendar: &Calendar<'_>,
    task: &Component,
    patch: &Patch,
    whole: &Fields,
) -> Result<(), Unreadable> {
    let (text, user) = (calendar.text, calendar.user());
    let old = |name: &str| text.property(task, name).map(|(_, line)| line);
    let form_of = |name: &str| {
        old(name).map(|line| calendar.when(line)).transpose().map(|when| when.map(|when| when.form))
    };
    let forms = [form_of("DTSTART")?, form_of("DUE")?];
    let only_days = [START, END]
        .iter()
        .filter_map(|field| moment(whole, field))
        .all(|moment| is_midnight(moment, user));
    let had_days = forms.contains(&Some(Form::Date));
    let days = only_days && (had_days || forms == [None, None]);
    let mut zoned = None;
    for ((name, field), own) in [("DTSTART", START), ("DUE", END)].into_iter().zip(forms) {
        // What lasts so long is due then; said in one way only from now on.
        let lasts = name == "DUE" && old("DURATION").is_some();
        let flips = own.as_ref().is_some_and(|own| (*own == Form::Date) != days);
        if !patch.contains_key(&field) && !flips && !lasts {
            continue;
        }
        let line = moment(whole, &field).map(|moment| {
            let form = match own {
                _ if days => Form::Date,
                Some(own) if own != Form::Date && calendar.holds(&own, moment) => own,
                _ => Form::of(user),
            };
            if zoned.as_ref() != Some(&form) {
                define(edits, calendar, &form, moment);
                zoned = Some(form.clone());
            }
            let line = old(name).cloned().unwrap_or_else(|| Line::new(name, ""));
            form.written(line, moment, user)
        });
        set(edits, text, task, name, line);
    }
    set(edits, text, task, "DURATION", None);
    Ok(())
}
