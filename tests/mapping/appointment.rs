//! Appointments: generated files, rows and changes, and the laws that hold for all of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use liaison::mapping::calendar::{property, subject, time::midnight};
use liaison::mapping::recurrence::{occurrences, starts, weekly};
use liaison::mapping::text::Text;
use liaison::mapping::{Change, Context, Lengths, appointment, zone};
use liaison::model::fields::Occurrence;
use liaison::model::record::PartyRef;
use liaison::model::time::{Day, Days, End, Instance, Pattern, Recurrence};
use liaison::model::{
    Address, Fields, Field, Patch, Person, Record, RecordPatch, Table, Uid, Value,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::calendar::{
    all_of, context, damage, damaged, field, in_the_wild, moment, patched, row, shown, text, user_zone,
};
use super::config;

// What is generated.

/// The fields that an occurrence can have of its own, but for its times.
fn plain() -> impl Strategy<Value = Fields> {
    let status = select(vec!["free", "tentative", "busy", "oof", "completed"]);
    let priority = select(vec![None, Some(0), Some(2)]);
    (text(), text(), text(), priority, status).prop_map(|(title, location, notes, priority, status)| {
        named([
            ("subject", subject(title)),
            ("location", location),
            ("description", notes.and_then(property::readable)),
            ("prioritycode", priority.map(Value::Number)),
            ("statuscode", Some(Value::Text(status.to_owned()))),
        ])
    })
}

fn named<const N: usize>(values: [(&'static str, Option<Value>); N]) -> Fields {
    values.into_iter().filter_map(|(name, value)| Some((field(name), value?))).collect()
}

const USERS: &[&str] = &["boss@example.org", "anna@example.org"];
const OTHERS: &[&str] = &["x@example.org", "y@example.org", "z@example.org"];

fn people() -> impl Strategy<Value = Fields> {
    let some = |from: &'static [&'static str]| proptest::sample::subsequence(from, 0..=from.len());
    (prop::option::of(select(USERS)), some(OTHERS), any::<u8>()).prop_map(|(organizer, others, split)| {
        let (required, optional): (Vec<&str>, Vec<&str>) =
            others.iter().copied().partition(|name| split & (1 << (name.len() + name.bytes().next().map_or(0, usize::from)) % 8) != 0);
        named([
            ("organizer", set(&organizer.into_iter().collect::<Vec<_>>())),
            ("requiredattendees", set(&required)),
            ("optionalattendees", set(&optional)),
        ])
    })
}

fn set(addresses: &[&str]) -> Option<Value> {
    let person = |address: &&str| Person {
        name: "Some, One".to_owned(),
        address: Address::parse(address).expect("an address"),
    };
    let people: BTreeSet<Person> = addresses.iter().map(person).collect();
    (!people.is_empty()).then_some(Value::People(people))
}

fn pattern() -> impl Strategy<Value = (Pattern, u32)> {
    let days = (1i64..128).prop_map(Day::from_mask);
    let one = (0i64..7).prop_map(|day| Day::from_mask(1 << day));
    let instance = (1i64..=5).prop_map(|n| Instance::from_number(n).expect("one of five"));
    let nth = (prop_oneof![one, days.clone()], instance);
    let first = (0i64..7).prop_map(|day| Day::from_mask(1 << day).pop_first().expect("a day"));
    let pattern = prop_oneof![
        Just(Pattern::Daily),
        (days, first).prop_map(|(days, first)| Pattern::Weekly { days, first }),
        (1u8..=31).prop_map(|day| Pattern::Monthly { day }),
        nth.clone().prop_map(|(days, instance)| Pattern::MonthlyNth { days, instance }),
        (1u8..=12, 1u8..=28).prop_map(|(month, day)| Pattern::Yearly { month, day }),
        (1u8..=12, nth)
            .prop_map(|(month, (days, instance))| Pattern::YearlyNth { month, days, instance }),
    ];
    (pattern, 1u32..4).prop_map(|(pattern, interval)| match pattern {
        Pattern::Weekly { days, first } => (weekly(days, first, interval), interval),
        other => (other, interval),
    })
}

/// A day, an hour at which no clock in use changes, a length, and what else may be.
#[derive(Debug, Clone)]
struct Times {
    first: DateTime,
    hours: i64,
    all_day: bool,
    single: Timestamp,
    series: Option<(Pattern, u32, u16)>,
}

fn times() -> impl Strategy<Value = Times> {
    let date = (1995i16..2045, 1i8..=12, 1i8..=28).prop_map(|(y, m, d)| jiff::civil::date(y, m, d));
    let series = prop::option::of((pattern(), any::<u16>()));
    (date, 4i8..22, 0i64..72, any::<bool>(), moment(), series).prop_map(
        |(date, hour, hours, all_day, single, series)| Times {
            first: date.at(hour, 0, 0, 0),
            hours,
            all_day,
            single,
            series: series.map(|((pattern, interval), end)| (pattern, interval, end)),
        },
    )
}

impl Times {
    /// These times in the zone of the user. Some occurrences of a series are not as the pattern has them.
    fn fields(&self, user: &TimeZone, odd: &[(u8, Fields)]) -> Fields {
        let Some((pattern, interval, end)) = &self.series else { return self.once(user) };
        let end = match end % 3 {
            0 => End::Never,
            1 => End::Count(1 + u32::from(end % 300)),
            _ => End::Until(self.first.date().checked_add(i64::from(*end).days()).expect("in range")),
        };
        let recurrence = Recurrence {
            pattern: pattern.clone(),
            interval: *interval,
            end,
            zone: zone::name(user),
        };
        let civil = if self.all_day { self.first.date().at(0, 0, 0, 0) } else { self.first };
        let Some(first) = starts(civil, &recurrence).next() else { return self.once(user) };
        let mut fields = self.at(first, user);
        let from = zone::moment(first, user).expect("in range");
        let all: Vec<Timestamp> = occurrences(from, &recurrence, user, 12).collect();
        fields.insert(field("recurrence"), Value::Recurrence(recurrence));
        for (which, own) in odd {
            let original = all[usize::from(*which) % all.len()];
            fields.insert(Field::exception(original), self.exception(original, own, user, *which));
        }
        fields
    }

    fn once(&self, user: &TimeZone) -> Fields {
        if self.all_day {
            return self.at(self.first, user);
        }
        named([
            ("scheduledstart", Some(Value::Moment(self.single))),
            ("scheduledend", Some(Value::Moment(self.single + SignedDuration::from_hours(self.hours)))),
        ])
    }

    fn at(&self, first: DateTime, user: &TimeZone) -> Fields {
        let (from, to) = if self.all_day {
            let days = |date: Date| midnight(date, user).expect("in range");
            (days(first.date()), days(first.date().checked_add((1 + self.hours).days()).expect("in range")))
        } else {
            let from = zone::moment(first, user).expect("in range");
            (from, from + SignedDuration::from_hours(self.hours))
        };
        named([
            ("scheduledstart", Some(Value::Moment(from))),
            ("scheduledend", Some(Value::Moment(to))),
            ("isalldayevent", self.all_day.then_some(Value::Flag(true))),
        ])
    }

    /// One that is cancelled, or moved by some hours (so that it differs in any case), now and then for all day.
    fn exception(&self, original: Timestamp, own: &Fields, user: &TimeZone, which: u8) -> Value {
        if which.is_multiple_of(3) {
            return Value::Occurrence(Occurrence::Cancelled);
        }
        let mut fields = own.clone();
        let later = original + SignedDuration::from_hours(25 + i64::from(which % 9));
        if which % 7 == 1 {
            let date = user.to_datetime(later).date();
            let next = date.tomorrow().expect("in range").tomorrow().expect("in range");
            fields.insert(field("isalldayevent"), Value::Flag(true));
            fields.insert(field("scheduledstart"), Value::Moment(midnight(date, user).expect("in range")));
            fields.insert(field("scheduledend"), Value::Moment(midnight(next, user).expect("in range")));
        } else {
            fields.insert(field("scheduledstart"), Value::Moment(later));
            fields.insert(field("scheduledend"), Value::Moment(later + SignedDuration::from_hours(1)));
        }
        Value::Occurrence(Occurrence::Changed(fields))
    }
}

/// An appointment, and a second list of exceptions of its series to change to.
#[derive(Debug, Clone)]
struct Made {
    plain: Fields,
    people: Fields,
    times: Times,
    odd: Vec<(u8, Fields)>,
    other: Vec<(u8, Fields)>,
}

fn made() -> impl Strategy<Value = Made> {
    let odd = || vec((any::<u8>(), plain()), 0..4);
    (plain(), people(), times(), odd(), odd())
        .prop_map(|(plain, people, times, odd, other)| Made { plain, people, times, odd, other })
}

impl Made {
    fn fields(&self, user: &TimeZone) -> Fields {
        let mut fields = self.times.fields(user, &self.odd);
        fields.extend(self.plain.clone());
        fields.extend(self.people.clone());
        fields
    }

    /// What becomes of `old` when the parts that `mask` names are taken from this one; `own` is the one that `old` was made of.
    fn mixed_into(&self, old: &Fields, own: Option<&Self>, mask: u8, user: &TimeZone) -> Fields {
        let new = self.fields(user);
        let mut whole = old.clone();
        let mut take = |names: &[&str]| {
            for name in names {
                let name = Field::named(*name);
                whole.remove(&name);
                whole.extend(new.get(&name).map(|value| (name.clone(), value.clone())));
            }
        };
        for (bit, name) in ["subject", "location", "description", "prioritycode", "statuscode"].iter().enumerate() {
            if mask & (1 << bit) != 0 {
                take(&[name]);
            }
        }
        if mask & 32 != 0 {
            take(&["organizer", "requiredattendees", "optionalattendees"]);
        }
        if mask & 64 != 0 {
            take(&["scheduledstart", "scheduledend", "isalldayevent", "recurrence"]);
            whole.retain(|name, _| name.original_start().is_none());
            whole.extend(new.into_iter().filter(|(name, _)| name.original_start().is_some()));
        } else if let (true, Some(own)) = (mask & 128 != 0, own) {
            let other = own.times.fields(user, &own.other);
            whole.retain(|name, _| name.original_start().is_none());
            whole.extend(other.into_iter().filter(|(name, _)| name.original_start().is_some()));
        }
        whole
    }
}

/// What has to be changed to get from one to the other.
fn difference(from: &Fields, to: &Fields) -> Patch {
    let gone = from.keys().filter(|name| !to.contains_key(*name)).map(|name| (name.clone(), None));
    let new = to
        .iter()
        .filter(|(name, value)| from.get(*name) != Some(*value))
        .map(|(name, value)| (name.clone(), Some(value.clone())));
    gone.chain(new).collect()
}

/// An event as somebody's program writes it.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let start = select(vec![
        "DTSTART:20260105T090000Z",
        "DTSTART;VALUE=DATE:20260105",
        "DTSTART;TZID=Europe/Berlin:20260105T090000",
        "DTSTART;TZID=W. Europe Standard Time:20260105T233000",
        "DTSTART;TZID=\"(UTC-05:00) Eastern Time (US & Canada)\":20260105T090000",
        "DTSTART;TZID=/mozilla.org/20070129_1/America/Los_Angeles:20260105T203000",
        "DTSTART;TZID=Own:20260105T100000",
        "DTSTART:20260105T090000",
    ]);
    let end = select(vec!["", "DTEND:20260107T010000Z", "DURATION:PT1H30M", "DURATION:P1D", "DTEND;TZID=Asia/Tokyo:20260107T170000"]);
    let line = select(vec![
        "SUMMARY:Review",
        "SUMMARY;LANGUAGE=de:Besprechung\\, lang",
        "LOCATION:Room 5\\; left",
        "DESCRIPTION:one\\ntwo\\\\",
        "DESCRIPTION:<html><body><p>Hello</p></body></html>",
        "X-ALT-DESC;FMTTYPE=text/html:<p>a<b>b</b></p>",
        "PRIORITY:2",
        "PRIORITY:9",
        "TRANSP:TRANSPARENT",
        "TRANSP:OPAQUE",
        "STATUS:TENTATIVE",
        "STATUS:CONFIRMED",
        "STATUS:CANCELLED",
        "X-MICROSOFT-CDO-BUSYSTATUS:OOF",
        "X-MICROSOFT-CDO-BUSYSTATUS:FREE",
        "X-LIAISON-STATUSCODE:COMPLETED",
        "ORGANIZER;CN=Boss:mailto:Boss@example.org",
        "ATTENDEE;CN=\"B, oss\";ROLE=CHAIR;PARTSTAT=ACCEPTED:mailto:boss@example.org",
        "ATTENDEE;CN=X;PARTSTAT=DECLINED;RSVP=TRUE;X-NUM=1:MAILTO:x@example.org",
        "ATTENDEE;ROLE=OPT-PARTICIPANT:mailto:y@example.org",
        "ATTENDEE;CUTYPE=ROOM:mailto:room5@example.org",
        "ATTENDEE:urn:uuid:1",
        "SEQUENCE:7",
        "CATEGORIES:a,b",
        "CLASS:PRIVATE",
        "ATTACH:https://example.org/a",
    ]);
    // Each with exceptions on days that it has: by date, in UTC, by another hour, and one that is no occurrence.
    let repeats = select(vec![
        "",
        "",
        "RRULE:FREQ=DAILY;COUNT=20|EXDATE;VALUE=DATE:20260107",
        "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=SU|EXDATE;TZID=Europe/Berlin:20260119T120000,20260121T090000",
        "RRULE:FREQ=WEEKLY;UNTIL=20260301T000000Z|EXDATE;VALUE=DATE:20260110",
        "RRULE:FREQ=MONTHLY;BYDAY=1MO",
        "RRULE:FREQ=YEARLY;BYMONTHDAY=5;BYMONTH=1",
    ]);
    let overridden = select(vec![
        "",
        "",
        "RECURRENCE-ID;VALUE=DATE:20260202|DTSTART:20260203T100000Z|DTEND:20260203T110000Z|SUMMARY:moved",
        "RECURRENCE-ID;VALUE=DATE:20260202|DTSTART;VALUE=DATE:20260202|STATUS:CANCELLED",
    ]);
    (select(vec!["\r\n", "\n"]), start, end, vec(line, 0..12), repeats, overridden).prop_map(
        |(eol, start, end, lines, repeats, overridden)| {
            let mut file: Vec<String> = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "METHOD:REQUEST"].map(str::to_owned).into();
            file.extend(OWN_ZONE.lines().map(str::to_owned));
            file.extend(["BEGIN:VEVENT", "UID:u-1"].map(str::to_owned));
            file.push(start.to_owned());
            file.extend(Some(end.to_owned()).filter(|end| !end.is_empty()));
            for (number, line) in lines.iter().enumerate() {
                file.push((*line).to_owned());
                file.push(format!("X-KEEP-{number};X-P=\"a,b\":kept\\,{number}{eol} and{eol}\tfolded"));
            }
            file.extend(repeats.split('|').filter(|line| !line.is_empty()).map(str::to_owned));
            file.extend(["BEGIN:VALARM", "TRIGGER:-PT15M", "ACTION:DISPLAY", "END:VALARM", "END:VEVENT"].map(str::to_owned));
            if !repeats.is_empty() && !overridden.is_empty() && !repeats.contains("YEARLY") {
                file.extend(["BEGIN:VEVENT", "UID:u-1", "X-KEEP-OVERRIDE:1"].map(str::to_owned));
                file.extend(overridden.split('|').map(str::to_owned));
                file.push("END:VEVENT".to_owned());
            }
            file.push(format!("END:VCALENDAR{eol}"));
            file.join(eol).into_bytes()
        },
    )
}

/// Berlin under another name.
const OWN_ZONE: &str = "BEGIN:VTIMEZONE
TZID:Own
BEGIN:STANDARD
DTSTART:16011028T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010325T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE";

// What is done with it.

fn world(zone: TimeZone) -> Context {
    let party = |table: &str, address: &&str| {
        let target = PartyRef { table: table.to_owned(), guid: Uuid::from_u128(address.len() as u128) };
        (Address::parse(address).expect("an address"), target)
    };
    let mut context = context(zone);
    context.people.extend(USERS.iter().map(|address| party("systemuser", address)));
    context.people.extend(OTHERS.iter().take(1).map(|address| party("contact", address)));
    context
}

fn read(bytes: &[u8], context: &Context) -> Fields {
    appointment::read_item(bytes, context).expect("readable").fields
}

fn write(patch: &Patch, whole: &Fields, old: Option<&[u8]>, context: &Context) -> Result<Vec<u8>, String> {
    let uid = Uid::new("u-1");
    let change = Change { uid: &uid, patch, whole };
    appointment::write_item(change, old, context).map_err(|error| error.to_string())
}

fn new(fields: &Fields, context: &Context) -> Vec<u8> {
    write(&all_of(fields), fields, None, context).expect("writable")
}

fn write_row(patch: &Patch, whole: &Fields, old: Option<&Record>, context: &Context) -> RecordPatch {
    let uid = Uid::new("u-1");
    let table = appointment::table(whole);
    appointment::write_record(table, Change { uid: &uid, patch, whole }, old, context).expect("writable")
}

/// A row after a patch. The service makes all occurrences anew when the pattern is written.
fn changed_row(fields: &Fields, old: Option<&Record>, patch: RecordPatch) -> Record {
    let mut old = old.cloned();
    if let (Some(old), true) = (&mut old, patch.columns.contains_key("recurrencepatterntype")) {
        old.exceptions.clear();
        old.columns.remove("deletedexceptionslist");
    }
    row(appointment::table(fields), old.as_ref(), patch)
}

fn new_row(fields: &Fields, context: &Context) -> Record {
    changed_row(fields, None, write_row(&all_of(fields), fields, None, context))
}

fn read_row(record: &Record, context: &Context) -> Fields {
    appointment::read_record(record, context).expect("readable").fields
}

/// The lines that nothing maps, byte for byte.
fn kept(bytes: &[u8]) -> Vec<Vec<u8>> {
    let text = Text::parse(bytes).expect("well-formed");
    let unknown = |line: &str| {
        line.starts_with("X-KEEP") || matches!(line, "ATTACH" | "CATEGORIES" | "CLASS" | "PRODID" | "METHOD" | "TZOFFSETTO")
    };
    (0..text.lines().len())
        .filter(|at| unknown(text.lines()[*at].name()))
        .map(|at| text.raw(at).to_vec())
        .collect()
}

/// Without organizers who are not users: the CRM cannot hold them.
fn held(mut fields: Fields) -> Fields {
    let user = |value: &Value| USERS.iter().any(|user| Some(value) == set(&[user]).as_ref());
    fields.retain(|name, value| name.as_str() != "organizer" || user(value));
    fields
}

// The laws.

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_new_appointment_says_what_was_written(made in made(), zone in user_zone()) {
        let context = world(zone);
        let fields = made.fields(&context.zone);
        let written = new(&fields, &context);
        prop_assert_eq!(shown(&read(&written, &context)), shown(&fields), "{}", String::from_utf8_lossy(&written));
        prop_assert!(written.split(|b| *b == b'\n').all(|line| line.len() <= 76));
    }

    #[test]
    fn a_changed_appointment_says_the_change(made in made(), other in made(), mask in any::<u8>(), zone in user_zone()) {
        let context = world(zone);
        let fields = made.fields(&context.zone);
        let old = new(&fields, &context);
        let whole = other.mixed_into(&fields, Some(&made), mask, &context.zone);
        let patch = difference(&fields, &whole);
        let written = write(&patch, &whole, Some(&old), &context).expect("writable");
        prop_assert_eq!(
            shown(&read(&written, &context)), shown(&whole),
            "{}\n->\n{}", String::from_utf8_lossy(&old), String::from_utf8_lossy(&written)
        );
    }

    #[test]
    fn a_changed_file_says_the_change_and_nothing_else(old in file(), other in made(), mask in any::<u8>(), zone in user_zone()) {
        let context = world(zone);
        let Ok(content) = appointment::read_item(&old, &context) else { return Ok(()) };
        let whole = other.mixed_into(&content.fields, None, mask, &context.zone);
        let patch = difference(&content.fields, &whole);
        let written = write(&patch, &whole, Some(&old), &context).expect("writable");
        prop_assert_eq!(
            shown(&read(&written, &context)), shown(&whole),
            "{}\n->\n{}", String::from_utf8_lossy(&old), String::from_utf8_lossy(&written)
        );
        if mask & 64 == 0 {
            prop_assert_eq!(kept(&old), kept(&written));
        }
        prop_assert_eq!(write(&patch, &whole, Some(&written), &context), Ok(written.clone()), "a change that is made already");
    }

    #[test]
    fn no_change_keeps_every_byte(old in file(), zone in user_zone()) {
        let context = world(zone);
        let Ok(content) = appointment::read_item(&old, &context) else { return Ok(()) };
        let says = content.fields;
        prop_assert_eq!(write(&Patch::new(), &says, Some(&old), &context), Ok(old.clone()));
        prop_assert_eq!(write(&all_of(&says), &says, Some(&old), &context), Ok(old));
    }

    #[test]
    fn from_the_crm_to_the_mailbox_and_back(made in made(), zone in user_zone()) {
        let context = world(zone);
        let fields = made.fields(&context.zone);
        let record = new_row(&fields, &context);
        let said = read_row(&record, &context);
        prop_assert_eq!(shown(&said), shown(&fields), "{:?}", record.columns);
        let item = read(&new(&said, &context), &context);
        prop_assert_eq!(new_row(&item, &context), record);
    }

    #[test]
    fn from_the_mailbox_to_the_crm_and_back(old in file(), zone in user_zone()) {
        let context = world(zone);
        let Ok(content) = appointment::read_item(&old, &context) else { return Ok(()) };
        let item = held(content.fields);
        let said = read_row(&new_row(&item, &context), &context);
        prop_assert_eq!(shown(&said), shown(&item), "{}", String::from_utf8_lossy(&old));
        prop_assert_eq!(write(&all_of(&said), &said, Some(&old), &context), Ok(old));
    }

    #[test]
    fn a_changed_row_says_the_change(made in made(), other in made(), mask in any::<u8>(), zone in user_zone()) {
        let context = world(zone);
        let fields = made.fields(&context.zone);
        let whole = other.mixed_into(&fields, Some(&made), mask, &context.zone);
        prop_assume!(appointment::table(&fields) == appointment::table(&whole));
        // The CRM never goes without an organizer once it has one.
        prop_assume!(whole.contains_key(&field("organizer")) || !fields.contains_key(&field("organizer")));
        let old = new_row(&fields, &context);
        let patch = difference(&fields, &whole);
        let new = changed_row(&whole, Some(&old), write_row(&patch, &whole, Some(&old), &context));
        prop_assert_eq!(shown(&read_row(&new, &context)), shown(&whole));
    }

    #[test]
    fn what_is_too_long_is_cut_and_never_written_back(made in made(), limit in 2usize..60) {
        let mut context = world(TimeZone::UTC);
        let fields = made.fields(&context.zone);
        let whole = new(&fields, &context);
        for column in ["location", "description"] {
            context.lengths = Lengths(
                [Table::Appointment, Table::RecurringAppointmentMaster]
                    .map(|table| ((table, column.to_owned()), limit)).into(),
            );
            let said = read_row(&new_row(&fields, &context), &context);
            for (name, value) in fields.iter().filter(|(name, _)| name.original_start().is_none()) {
                prop_assert!(value.agrees(said.get(name).expect("still there")), "{}", name);
            }
            let back = write(&all_of(&said), &said, Some(&whole), &context).expect("writable");
            prop_assert_eq!(shown(&read(&back, &context)), shown(&fields));
        }
    }

    #[test]
    fn hostile_bytes_are_refused_or_read(bytes in vec(any::<u8>(), 0..300)) {
        try_all(&bytes);
    }

    #[test]
    fn damaged_files_are_refused_or_read(old in file(), damage in damage(), other in made(), mask in any::<u8>()) {
        let bytes = damaged(old, &damage);
        let context = world(TimeZone::UTC);
        if try_all(&bytes) {
            let fields = read(&bytes, &context);
            let whole = other.mixed_into(&fields, None, mask & 63, &context.zone);
            let written = write(&difference(&fields, &whole), &whole, Some(&bytes), &context).expect("writable");
            prop_assert_eq!(shown(&read(&written, &context)), shown(&whole));
        }
    }
}

/// Reads bytes that may be anything; whether they were an appointment.
fn try_all(bytes: &[u8]) -> bool {
    let context = world(TimeZone::UTC);
    match appointment::read_item(bytes, &context) {
        Ok(content) => {
            let written = write(&Patch::new(), &content.fields, Some(bytes), &context);
            assert_eq!(written.as_deref(), Ok(bytes));
            true
        }
        Err(error) => {
            assert!(!error.0.is_empty());
            false
        }
    }
}

#[test]
fn appointments_in_the_wild_are_mapped_or_refused_with_a_reason() {
    let context = world(TimeZone::get("Europe/Berlin").unwrap());
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let (mut mapped, mut series, mut exceptions) = (0, 0, 0);
    for (path, bytes) in in_the_wild() {
        let path = path.display();
        match appointment::read_item(&bytes, &context) {
            Ok(content) => {
                mapped += 1;
                let says = content.fields;
                series += usize::from(says.contains_key(&field("recurrence")));
                exceptions += says.keys().filter(|name| name.original_start().is_some()).count();
                assert_eq!(write(&all_of(&says), &says, Some(&bytes), &context).as_ref(), Ok(&bytes), "{path}");
                let patch = Patch::from([(field("subject"), Some(Value::Text("other".to_owned())))]);
                let whole = patched(&says, &patch);
                let written = write(&patch, &whole, Some(&bytes), &context).expect("writable");
                assert_eq!(shown(&read(&written, &context)), shown(&whole), "{path}");
                let item = held(says);
                assert_eq!(shown(&read_row(&new_row(&item, &context), &context)), shown(&item), "{path}");
            }
            Err(error) => *refused.entry(error.0).or_default() += 1,
        }
    }
    println!("mapped {mapped}, series {series}, exceptions {exceptions}, refused {refused:#?}");
    assert!(mapped >= 100, "only {mapped} mapped; refused {refused:#?}");
    assert!(refused.keys().all(|reason| !reason.is_empty()));
}

#[test]
fn days_of_a_pattern_are_a_set() {
    // The generator above relies on it: a mask and its days are one thing.
    assert_eq!(Day::from_mask(127).len(), 7);
    assert_eq!(Days::from_iter(Day::from_mask(62)).iter().map(|day| day.mask()).sum::<i64>(), 62);
}
