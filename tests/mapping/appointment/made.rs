//! Generated appointments: what fields can say, and what somebody's program writes.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use liaison::mapping::calendar::{property, subject, time::midnight};
use liaison::mapping::recurrence::{longest, starts, weekly};
use liaison::mapping::zone;
use liaison::model::fields::Occurrence;
use liaison::model::time::{Day, End, Instance, Pattern, Recurrence};
use liaison::model::{Address, Field, Fields, Patch, People, Person, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::mapping::calendar::{File, field, moment, text};

/// The fields that an occurrence can have of its own, but for its times.
fn plain() -> impl Strategy<Value = Fields> {
    let status = select(vec!["free", "tentative", "busy", "oof", "completed"]);
    let priority = select(vec![None, Some(0), Some(2)]);
    (text(), text(), text(), priority, status).prop_map(
        |(title, location, notes, priority, status)| {
            named([
                ("subject", subject(title)),
                ("location", location),
                ("description", notes.and_then(property::readable)),
                ("prioritycode", priority.map(Value::Number)),
                ("statuscode", Some(Value::Text(status.to_owned()))),
            ])
        },
    )
}

fn named<const N: usize>(values: [(&'static str, Option<Value>); N]) -> Fields {
    values.into_iter().filter_map(|(name, value)| Some((field(name), value?))).collect()
}

pub(crate) const USERS: &[&str] = &["boss@example.org", "anna@example.org"];
pub(crate) const OTHERS: &[&str] = &["x@example.org", "y@example.org", "z@example.org"];

fn people() -> impl Strategy<Value = Fields> {
    let some = |from: &'static [&'static str]| proptest::sample::subsequence(from, 0..=from.len());
    (prop::option::of(select(USERS)), some(OTHERS), any::<u8>()).prop_map(
        |(organizer, others, split)| {
            let (required, optional): (Vec<&str>, Vec<&str>) =
                others.iter().copied().partition(|name| {
                    split & (1 << (name.bytes().next().map_or(0, usize::from) % 8)) != 0
                });
            named([
                ("organizer", set(&organizer.into_iter().collect::<Vec<_>>())),
                ("requiredattendees", set(&required)),
                ("optionalattendees", set(&optional)),
            ])
        },
    )
}

pub(crate) fn set(addresses: &[&str]) -> Option<Value> {
    let person = |address: &&str| Person {
        name: "Some, One".to_owned(),
        address: Address::parse(address).expect("an address"),
    };
    addresses.iter().map(person).collect::<People>().value()
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
        (1u8..=12, 1u8..=31)
            .prop_map(|(month, day)| Pattern::Yearly { month, day: day.min(longest(month)) }),
        (1u8..=12, nth).prop_map(|(month, (days, instance))| Pattern::YearlyNth {
            month,
            days,
            instance
        }),
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
            _ => {
                End::Until(self.first.date().checked_add(i64::from(*end).days()).expect("in range"))
            }
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
        let all: Vec<Timestamp> = starts(first, &recurrence)
            .take(12)
            .filter_map(|start| zone::moment(start, user))
            .collect();
        fields.insert(field("recurrence"), Value::Recurrence(Box::new(recurrence)));
        for (which, own) in odd {
            let original = all[usize::from(*which) % all.len()];
            fields.insert(Field::exception(original), Self::exception(original, own, user, *which));
        }
        fields
    }

    fn once(&self, user: &TimeZone) -> Fields {
        if self.all_day {
            return self.at(self.first, user);
        }
        named([
            ("scheduledstart", Some(Value::Moment(self.single))),
            (
                "scheduledend",
                Some(Value::Moment(self.single + SignedDuration::from_hours(self.hours))),
            ),
        ])
    }

    fn at(&self, first: DateTime, user: &TimeZone) -> Fields {
        let (from, to) = if self.all_day {
            let days = |date: Date| midnight(date, user).expect("in range");
            (
                days(first.date()),
                days(first.date().checked_add((1 + self.hours).days()).expect("in range")),
            )
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
    fn exception(original: Timestamp, own: &Fields, user: &TimeZone, which: u8) -> Value {
        if which.is_multiple_of(3) {
            return Value::Occurrence(Occurrence::Cancelled);
        }
        let mut fields = own.clone();
        let later = original + SignedDuration::from_hours(25 + i64::from(which % 9));
        if which % 7 == 1 {
            let date = user.to_datetime(later).date();
            let next = date.tomorrow().expect("in range").tomorrow().expect("in range");
            fields.insert(field("isalldayevent"), Value::Flag(true));
            fields.insert(
                field("scheduledstart"),
                Value::Moment(midnight(date, user).expect("in range")),
            );
            fields.insert(
                field("scheduledend"),
                Value::Moment(midnight(next, user).expect("in range")),
            );
        } else {
            fields.insert(field("scheduledstart"), Value::Moment(later));
            fields.insert(
                field("scheduledend"),
                Value::Moment(later + SignedDuration::from_hours(1)),
            );
        }
        Value::Occurrence(Occurrence::Changed(fields))
    }
}

/// An appointment, and a second list of exceptions of its series to change to.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    plain: Fields,
    people: Fields,
    times: Times,
    odd: Vec<(u8, Fields)>,
    other: Vec<(u8, Fields)>,
}

pub(crate) fn made() -> impl Strategy<Value = Made> {
    let odd = || vec((any::<u8>(), plain()), 0..4);
    (plain(), people(), times(), odd(), odd()).prop_map(|(plain, people, times, odd, other)| Made {
        plain,
        people,
        times,
        odd,
        other,
    })
}

impl Made {
    pub(crate) fn fields(&self, user: &TimeZone) -> Fields {
        let mut fields = self.times.fields(user, &self.odd);
        fields.extend(self.plain.clone());
        fields.extend(self.people.clone());
        fields
    }

    /// What becomes of `old` when the parts that `mask` names are taken from this one; `own` is the one that `old` was made of.
    pub(crate) fn mixed_into(
        &self,
        old: &Fields,
        own: Option<&Self>,
        mask: u8,
        user: &TimeZone,
    ) -> Fields {
        let new = self.fields(user);
        let mut whole = old.clone();
        let mut take = |names: &[&str]| {
            for name in names {
                let name = Field::named(*name);
                whole.remove(&name);
                whole.extend(new.get(&name).map(|value| (name.clone(), value.clone())));
            }
        };
        for (bit, name) in
            ["subject", "location", "description", "prioritycode", "statuscode"].iter().enumerate()
        {
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
pub(crate) fn difference(from: &Fields, to: &Fields) -> Patch {
    let gone = from.keys().filter(|name| !to.contains_key(*name)).map(|name| (name.clone(), None));
    let new = to
        .iter()
        .filter(|(name, value)| from.get(*name) != Some(*value))
        .map(|(name, value)| (name.clone(), Some(value.clone())));
    gone.chain(new).collect()
}

/// When an event starts, in every form.
const STARTS: &[&str] = &[
    "DTSTART:20260105T090000Z",
    "DTSTART;VALUE=DATE:20260105",
    "DTSTART;TZID=Europe/Berlin:20260105T090000",
    "DTSTART;TZID=W. Europe Standard Time:20260105T233000",
    "DTSTART;TZID=\"(UTC-05:00) Eastern Time (US & Canada)\":20260105T090000",
    "DTSTART;TZID=/mozilla.org/20070129_1/America/Los_Angeles:20260105T203000",
    "DTSTART;TZID=Own:20260105T100000",
    "DTSTART:20260105T090000",
];

/// When it ends; nothing for no line.
const ENDS: &[&str] = &[
    "",
    "DTEND:20260107T010000Z",
    "DURATION:PT1H30M",
    "DURATION:P1D",
    "DTEND;TZID=Asia/Tokyo:20260107T170000",
];

/// What else it says.
const LINES: &[&str] = &[
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
];

/// How it repeats, with exceptions on days that it has: by date, in UTC, at another hour, and one that is no occurrence.
const RULES: &[&str] = &[
    "",
    "",
    "RRULE:FREQ=DAILY;COUNT=20|EXDATE;VALUE=DATE:20260107",
    "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;WKST=SU|EXDATE;TZID=Europe/Berlin:20260119T120000,20260121T090000",
    "RRULE:FREQ=WEEKLY;UNTIL=20260301T000000Z|EXDATE;VALUE=DATE:20260110",
    "RRULE:FREQ=MONTHLY;BYDAY=1MO",
    "RRULE:FREQ=YEARLY;BYMONTHDAY=5;BYMONTH=1",
];

/// The lines of an override.
const OVERRIDES: &[&str] = &[
    "",
    "",
    "RECURRENCE-ID;VALUE=DATE:20260202|DTSTART:20260203T100000Z|DTEND:20260203T110000Z|SUMMARY:moved",
    "RECURRENCE-ID;VALUE=DATE:20260202|DTSTART;VALUE=DATE:20260202|STATUS:CANCELLED",
];

/// An event as somebody's program writes it.
pub(crate) fn file() -> impl Strategy<Value = File> {
    (
        select(vec!["\r\n", "\n"]),
        select(STARTS),
        select(ENDS),
        vec(select(LINES), 0..12),
        select(RULES),
        select(OVERRIDES),
    )
        .prop_map(|(eol, start, end, lines, repeats, overridden)| {
            let mut file: Vec<String> =
                ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "METHOD:REQUEST"]
                    .map(str::to_owned)
                    .into();
            file.extend(OWN_ZONE.lines().map(str::to_owned));
            file.extend(["BEGIN:VEVENT", "UID:u-1"].map(str::to_owned));
            file.push(start.to_owned());
            file.extend(Some(end.to_owned()).filter(|end| !end.is_empty()));
            for (number, line) in lines.iter().enumerate() {
                file.push((*line).to_owned());
                file.push(format!(
                    "X-KEEP-{number};X-P=\"a,b\":kept\\,{number}{eol} and{eol}\tfolded"
                ));
            }
            file.extend(repeats.split('|').filter(|line| !line.is_empty()).map(str::to_owned));
            file.extend(
                ["BEGIN:VALARM", "TRIGGER:-PT15M", "ACTION:DISPLAY", "END:VALARM", "END:VEVENT"]
                    .map(str::to_owned),
            );
            if !repeats.is_empty() && !overridden.is_empty() && !repeats.contains("YEARLY") {
                file.extend(["BEGIN:VEVENT", "UID:u-1", "X-KEEP-OVERRIDE:1"].map(str::to_owned));
                file.extend(overridden.split('|').map(str::to_owned));
                file.push("END:VEVENT".to_owned());
            }
            file.push(format!("END:VCALENDAR{eol}"));
            File(file.join(eol).into_bytes())
        })
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
