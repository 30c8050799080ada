//! One iCalendar object: the master, how it repeats, and the occurrences that are not as the pattern has them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::event::{self, Times};
use super::status::Show;
use super::{RECURRENCE, STATUS, by_pattern, people};
use crate::mapping::calendar::{self, Calendar, When, time};
use crate::mapping::recurrence::{later, moved, rule, starts};
use crate::mapping::text::{Component, Text};
use crate::mapping::{Context, Unreadable, zone};
use crate::model::fields::Occurrence;
use crate::model::time::Recurrence;
use crate::model::{Address, Content, Field, Fields, Uid, Value};

/// What an iCalendar object says.
///
/// # Errors
/// When it is not one appointment, or the CRM has no form for how it repeats.
pub fn read(bytes: &[u8], context: &Context) -> Result<Content, Unreadable> {
    let text = Text::parse(bytes)?;
    let calendar = Calendar::of(&text, &context.zone)?;
    let object = Object::of(&calendar, &context.me)?;
    if object.strays {
        return Err(no_form("an occurrence that its rule does not have"));
    }
    let traits = calendar::traits(&text, object.master);
    Ok(Content { uid: object.uid.clone(), fields: object.fields, traits })
}

/// An appointment in its text.
#[derive(Debug)]
pub struct Object<'a> {
    pub uid: Uid,
    pub master: &'a Component,
    pub times: Times,
    pub series: Option<Series>,
    /// In the order of the file.
    pub overrides: Vec<Override<'a>>,
    /// All it says, exceptions included.
    pub fields: Fields,
    /// Whether something takes place that the series does not have.
    pub strays: bool,
}

impl<'a> Object<'a> {
    /// # Errors
    /// As [`read`].
    pub fn of(calendar: &Calendar<'a>, me: &BTreeSet<Address>) -> Result<Self, Unreadable> {
        let text = calendar.text;
        let events = calendar.components("VEVENT");
        if events.is_empty() {
            return Err(Unreadable("it holds no event".to_owned()));
        }
        let uid = calendar::uid(text, &events)?;
        let is_override = |event: &&&Component| text.property(event, "RECURRENCE-ID").is_some();
        let masters: Vec<&Component> =
            events.iter().filter(|event| !is_override(event)).copied().collect();
        let master = match masters.as_slice() {
            [master] => *master,
            [] => {
                return Err(Unreadable(
                    "it holds occurrences of a series without the series".to_owned(),
                ));
            }
            [..] => return Err(Unreadable("it holds several events with one UID".to_owned())),
        };
        let times = event::times(calendar, master)?;
        let mut fields = event::fields(calendar, master, &times);
        let series = Series::of(calendar, master, &times)?;
        let overridden: Vec<&Component> = events.iter().filter(is_override).copied().collect();
        let mut overrides = Vec::new();
        let mut strays = false;
        match &series {
            Some(series) => {
                let recurrence = series.recurrence_by_user()?;
                let cancelled = series.taken_out(calendar, master)?;
                let cancelled = cancelled.iter().filter_map(|taken| taken.key).collect();
                overrides = series.place(calendar, &overridden)?;
                let (exceptions, astray) = exceptions(calendar, &fields, &cancelled, &overrides)?;
                strays = astray;
                fields.insert(RECURRENCE, Value::Recurrence(Box::new(recurrence)));
                fields.extend(exceptions);
            }
            None if overridden.is_empty() => {}
            None => return Err(Unreadable("it has occurrences but does not repeat".to_owned())),
        }
        fields.extend(people::read_lines(text, master, me));
        Ok(Self { uid, master, times, series, overrides, fields, strays })
    }
}

/// An occurrence with a component of its own.
#[derive(Debug)]
pub struct Override<'a> {
    /// What its field is called by.
    pub key: Timestamp,
    /// The start that it has in the pattern.
    pub original: Timestamp,
    pub component: &'a Component,
    /// Whether the series has such a start. Programs that end a series leave overrides of what took place later behind.
    pub takes_place: bool,
}

/// How an appointment repeats, as its text has it: by the clock of its own zone.
///
/// The CRM goes by the user's clock instead, which differs from that of another zone in some weeks of the year. Occurrences are
/// therefore named by the day: the *key* of one is the start that it has by the user's clock. In the user's own zone that is
/// its original start.
#[derive(Debug, Clone)]
pub struct Series {
    pub recurrence: Recurrence,
    /// The first start.
    pub first: When,
    pub zone: TimeZone,
    pub user: TimeZone,
    /// The first start by the user's clock.
    by_user: DateTime,
}

/// One value of an `EXDATE`.
#[derive(Debug, Clone)]
pub struct TakenOut {
    /// The index of its line.
    pub line: usize,
    pub value: String,
    /// The occurrence that would take place otherwise; `None` where it hits nothing.
    pub key: Option<Timestamp>,
}

impl Series {
    fn of(
        calendar: &Calendar<'_>,
        master: &Component,
        times: &Times,
    ) -> Result<Option<Self>, Unreadable> {
        let mut rules = Vec::new();
        for (_, line) in calendar.text.properties(master) {
            match line.name() {
                "RRULE" => rules.push(line),
                "RDATE" => return Err(no_form("RDATE")),
                "EXRULE" => return Err(no_form("EXRULE")),
                _ => {}
            }
        }
        let line = match rules.as_slice() {
            [] => return Ok(None),
            [line] => line,
            [..] => return Err(no_form("several rules")),
        };
        let recurrence = read_rule(line.value(), &times.start, calendar.user())?;
        Ok(Some(Self::new(recurrence, times.start.clone(), times.from, calendar.user())))
    }

    /// A series whose first start is `from`, written as `first`.
    pub fn new(recurrence: Recurrence, first: When, from: Timestamp, user: &TimeZone) -> Self {
        let zone = first.form.zone(user);
        let by_user = match first.form {
            time::Form::Date => first.civil,
            _ => user.to_datetime(from),
        };
        Self { recurrence, first, zone, user: user.clone(), by_user }
    }

    /// How many days the user's calendar is ahead of the series' own.
    fn ahead(&self) -> i64 {
        days_between(self.first.civil.date(), self.by_user.date())
    }

    /// The recurrence by the calendar of the user.
    fn recurrence_by_user(&self) -> Result<Recurrence, Unreadable> {
        let mut recurrence = moved(&self.recurrence, self.ahead())
            .ok_or_else(|| no_form("by days of the month in another zone"))?;
        recurrence.zone = zone::name(&self.user);
        Ok(recurrence)
    }

    /// What is taken out of the series, in the order of the file.
    pub fn taken_out(
        &self,
        calendar: &Calendar<'_>,
        master: &Component,
    ) -> Result<Vec<TakenOut>, Unreadable> {
        let mut taken = Vec::new();
        for (line, property) in calendar.text.properties(master) {
            if !property.is("EXDATE") {
                continue;
            }
            for value in property.value().split(',').filter(|value| !value.trim().is_empty()) {
                let day = self.day(calendar, &time::read(property, value, calendar)?)?;
                taken.push((line, value.to_owned(), day));
            }
        }
        let starts = self.starts_on(&taken.iter().map(|(_, _, day)| *day).collect());
        let key = |day| starts.contains_key(&day).then(|| self.key(day)).flatten();
        Ok(taken
            .into_iter()
            .map(|(line, value, day)| TakenOut { line, value, key: key(day) })
            .collect())
    }

    /// The original start of each of these keys: on the same day by the series' own clock. A key that names no start has none.
    pub fn originals(
        &self,
        keys: impl Iterator<Item = Timestamp>,
    ) -> BTreeMap<Timestamp, Timestamp> {
        let ahead = self.ahead();
        let day = |key| later(self.user.to_datetime(key).date(), -ahead);
        let keys: BTreeMap<Timestamp, Option<Date>> = keys.map(|key| (key, day(key))).collect();
        let starts = self.starts_on(&keys.values().flatten().copied().collect());
        keys.into_iter()
            .filter_map(|(key, day)| Some((key, zone::moment(*starts.get(&day?)?, &self.zone)?)))
            .collect()
    }

    /// The key that names the occurrence of the same day in this series; the key itself where there is none.
    pub fn renamed(&self, key: Timestamp) -> Timestamp {
        let day = later(self.user.to_datetime(key).date(), -self.ahead());
        let starts = self.starts_on(&day.into_iter().collect());
        day.filter(|day| starts.contains_key(day)).and_then(|day| self.key(day)).unwrap_or(key)
    }

    /// The key of the occurrence on a day of the series' own calendar.
    fn key(&self, day: Date) -> Option<Timestamp> {
        let day = later(day, self.ahead())?;
        zone::moment(day.to_datetime(self.by_user.time()), &self.user)
    }

    /// The start in the pattern of each override.
    fn place<'a>(
        &self,
        calendar: &Calendar<'_>,
        overrides: &[&'a Component],
    ) -> Result<Vec<Override<'a>>, Unreadable> {
        let mut days = Vec::new();
        for component in overrides {
            let Some((_, line)) = calendar.text.property(component, "RECURRENCE-ID") else {
                continue;
            };
            if line.param("RANGE").is_some() {
                return Err(no_form("a change of all later occurrences"));
            }
            let when = calendar.when(line)?;
            days.push((self.day(calendar, &when)?, calendar.moment(&when)?, *component));
        }
        let starts = self.starts_on(&days.iter().map(|(day, ..)| *day).collect());
        let start = |day: &Date| starts.get(day).and_then(|civil| zone::moment(*civil, &self.zone));
        let mut placed = BTreeSet::new();
        if days.iter().any(|(day, ..)| starts.contains_key(day) && !placed.insert(*day)) {
            return Err(Unreadable("it holds one occurrence several times".to_owned()));
        }
        Ok(days
            .into_iter()
            .map(|(day, moment, component)| match (start(&day), self.key(day)) {
                (Some(original), Some(key)) => {
                    Override { key, original, component, takes_place: true }
                }
                _ => Override { key: moment, original: moment, component, takes_place: false },
            })
            .collect())
    }

    /// The day in the series' zone that a time falls on. One of no zone is meant by the series' own clock: it was to be written as
    /// that writes its start (RFC 5545 §3.8.4.4).
    fn day(&self, calendar: &Calendar<'_>, when: &When) -> Result<Date, Unreadable> {
        let by_own_clock = matches!(when.form, time::Form::Date | time::Form::Floating);
        if by_own_clock || when.form == self.first.form {
            return Ok(when.civil.date());
        }
        Ok(self.zone.to_datetime(calendar.moment(when)?).date())
    }

    /// The starts of the series on these days. A series starts at most once a day, so that the day is enough to know which
    /// occurrence is meant, also when a client moved the series to another hour and left its exceptions behind.
    fn starts_on(&self, days: &BTreeSet<Date>) -> BTreeMap<Date, DateTime> {
        let Some(last) = days.last() else { return BTreeMap::new() };
        starts(self.first.civil, &self.recurrence)
            .take_while(|start| start.date() <= *last)
            .filter(|start| days.contains(&start.date()))
            .map(|start| (start.date(), start))
            .collect()
    }
}

fn no_form(what: &str) -> Unreadable {
    Unreadable(format!("its recurrence ({what}) has no form in the CRM"))
}

/// The rule of a series that starts so.
///
/// # Errors
/// When it cannot be read or the CRM has no form for it.
pub fn read_rule(rule: &str, start: &When, user: &TimeZone) -> Result<Recurrence, Unreadable> {
    // Of days, the end is a day too, whatever zone a program wrote it in.
    let zone = match start.form {
        time::Form::Date => TimeZone::UTC,
        _ => start.form.zone(user),
    };
    rule::read(rule, start.civil, &zone)
}

/// How many days `to` is after `from`.
pub fn days_between(from: Date, to: Date) -> i64 {
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}

/// The fields of the occurrences that are not as the pattern has them, and whether there are others that the series does not have.
fn exceptions(
    calendar: &Calendar<'_>,
    series: &Fields,
    cancelled: &BTreeSet<Timestamp>,
    overrides: &[Override<'_>],
) -> Result<(Fields, bool), Unreadable> {
    let mut strays = false;
    let mut fields: Fields = cancelled
        .iter()
        .map(|key| (Field::exception(*key), Value::Occurrence(Occurrence::Cancelled)))
        .collect();
    for Override { key, original, component, takes_place } in overrides {
        let times = event::times(calendar, component)?;
        let own = event::fields(calendar, component, &times);
        match occurrence(own, series, *original, calendar.user()) {
            Some(occurrence) if *takes_place => {
                fields.entry(Field::exception(*key)).or_insert(Value::Occurrence(occurrence));
            }
            Some(Occurrence::Changed(_)) => strays = true,
            // To call off what the series does not have says nothing.
            Some(Occurrence::Cancelled) | None => {}
        }
    }
    Ok((fields, strays))
}

/// What an occurrence with these fields is to its series; `None` when it is as the pattern has it. One that is called off by
/// itself stays so whatever becomes of the series.
pub fn occurrence(
    own: Fields,
    series: &Fields,
    original: Timestamp,
    user: &TimeZone,
) -> Option<Occurrence> {
    if Show::of(own.get(&STATUS)) == Show::Canceled {
        return Some(Occurrence::Cancelled);
    }
    (own != by_pattern(series, original, user)).then_some(Occurrence::Changed(own))
}
