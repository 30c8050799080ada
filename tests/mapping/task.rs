//! Tasks: generated files, rows and changes, and the laws that hold for all of them.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use liaison::mapping::calendar::{property, subject};
use liaison::mapping::text::Text;
use liaison::mapping::{Change, Context, Lengths, task};
use liaison::model::{Fields, Patch, Record, RecordPatch, Table, Uid, Value, all_of};
use liaison::plan::merge::apply;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::calendar::{
    File, context, damage, damaged, field, in_the_wild, moment, row, text, user_zone,
};
use super::config;
use crate::corpus::targets::items::shown;

const STATUS: &[&str] =
    &["notstarted", "inprogress", "waiting", "deferred", "completed", "canceled"];

/// A value of a task's field, in the form that readers give; `None` empties it.
fn change() -> impl Strategy<Value = (&'static str, Option<Value>)> {
    prop_oneof![
        text().prop_map(|text| ("subject", subject(text))),
        text().prop_map(|text| ("description", text.and_then(property::readable))),
        (select(vec!["scheduledstart", "scheduledend", "actualend"]), prop::option::of(moment()))
            .prop_map(|(name, moment)| (name, moment.map(Value::Moment))),
        (0i64..=100).prop_map(|n| ("percentcomplete", Some(Value::Number(n)).filter(|_| n > 0))),
        select(vec![None, Some(0), Some(2)])
            .prop_map(|code| ("prioritycode", code.map(Value::Number))),
        select(STATUS).prop_map(|word| ("statuscode", Some(Value::Text(word.to_owned())))),
    ]
}

/// Fields as a task has them: an end only when it is completed, then also how far it is, a status always.
fn lawful(mut fields: Fields) -> Fields {
    let status =
        fields.entry(field("statuscode")).or_insert_with(|| Value::Text("notstarted".to_owned()));
    if *status == Value::Text("completed".to_owned()) {
        fields.entry(field("percentcomplete")).or_insert(Value::Number(100));
    } else {
        fields.remove(&field("actualend"));
    }
    fields
}

fn fields() -> impl Strategy<Value = Fields> {
    vec(change(), 0..12).prop_map(|changes| {
        let set = changes.into_iter().filter_map(|(name, value)| Some((field(name), value?)));
        lawful(set.collect())
    })
}

fn patch() -> impl Strategy<Value = Patch> {
    vec(change(), 0..5)
        .prop_map(|changes| changes.into_iter().map(|(name, value)| (field(name), value)).collect())
}

/// What `patch` makes of `fields`, and what of it then differs.
fn changed(fields: &Fields, patch: &Patch) -> (Fields, Patch) {
    let whole = lawful(apply(fields, patch));
    let mut patch: Patch = whole
        .iter()
        .filter(|(name, value)| fields.get(*name) != Some(*value))
        .map(|(name, value)| (name.clone(), Some(value.clone())))
        .collect();
    patch.extend(
        fields.keys().filter(|name| !whole.contains_key(*name)).map(|name| (name.clone(), None)),
    );
    (whole, patch)
}

/// A task as somebody's program writes it.
fn file() -> impl Strategy<Value = File> {
    let line = select(vec![
        "SUMMARY:Call",
        "SUMMARY;LANGUAGE=de:Anruf\\, bitte",
        "DESCRIPTION:one\\ntwo\\\\",
        "DESCRIPTION;ALTREP=\"cid:x\":a\\;b",
        "X-ALT-DESC;FMTTYPE=text/html:<p>a<b>b</b></p>",
        "DTSTART:20260105T090000Z",
        "DTSTART;VALUE=DATE:20260105",
        "DTSTART;TZID=Europe/Berlin:20260105T090000",
        "DTSTART:20260105T000000",
        "DUE:20260107T170000",
        "DUE;VALUE=DATE:20260107",
        "DUE;TZID=W. Europe Standard Time:20260107T170000",
        "DURATION:P2DT3H",
        "COMPLETED:20260106T100000Z",
        "PERCENT-COMPLETE:40",
        "PERCENT-COMPLETE:100",
        "PRIORITY:3",
        "PRIORITY:0",
        "PRIORITY:7",
        "STATUS:NEEDS-ACTION",
        "STATUS:IN-PROCESS",
        "STATUS:COMPLETED",
        "STATUS:CANCELLED",
        "X-LIAISON-STATUSCODE:WAITING",
        "SEQUENCE:4",
        "CATEGORIES:a,b",
        "CLASS:PRIVATE",
    ]);
    (select(vec!["\r\n", "\n"]), vec(line, 0..12)).prop_map(|(end, lines)| {
        let mut file = format!(
            "BEGIN:VCALENDAR{end}VERSION:2.0{end}PRODID:x{end}BEGIN:VTODO{end}UID:u-1{end}"
        );
        for (number, line) in lines.iter().enumerate() {
            let kept = format!("X-KEEP-{number};X-P=\"a,b\":kept\\,{number}{end} and{end}\tfolded");
            file.extend([line, end, kept.as_str(), end]);
        }
        let rest = [
            "BEGIN:VALARM",
            "TRIGGER:-PT15M",
            "ACTION:DISPLAY",
            "END:VALARM",
            "END:VTODO",
            "END:VCALENDAR",
        ];
        file.extend(rest.iter().flat_map(|line| [*line, end]));
        File(file.into_bytes())
    })
}

fn read(bytes: &[u8], context: &Context) -> Fields {
    task::read_item(bytes, context).expect("readable").fields
}

fn write(
    patch: &Patch,
    whole: &Fields,
    old: Option<&[u8]>,
    context: &Context,
) -> Result<Vec<u8>, String> {
    let uid = Uid::new("u-1");
    let change = Change { uid: &uid, patch, whole };
    task::write_item(change, old, context).map_err(|error| error.to_string())
}

fn new(fields: &Fields, context: &Context) -> Vec<u8> {
    write(&all_of(fields), fields, None, context).expect("writable")
}

fn write_row(
    patch: &Patch,
    whole: &Fields,
    old: Option<&Record>,
    context: &Context,
) -> RecordPatch {
    let uid = Uid::new("u-1");
    task::write_record(Change { uid: &uid, patch, whole }, old, context).expect("writable")
}

fn new_row(fields: &Fields, context: &Context) -> Record {
    row(Table::Task, None, write_row(&all_of(fields), fields, None, context))
}

fn read_row(record: &Record, context: &Context) -> Fields {
    task::read_record(record, context).expect("readable").fields
}

/// The lines that nothing maps, byte for byte.
fn kept(bytes: &[u8]) -> Vec<Vec<u8>> {
    let text = Text::parse(bytes).expect("well-formed");
    let unknown = |line: &str| {
        line.starts_with("X-KEEP")
            || matches!(line, "TRIGGER" | "ACTION" | "CATEGORIES" | "CLASS" | "UID")
    };
    (0..text.lines().len())
        .filter(|at| unknown(text.lines()[*at].name()))
        .map(|at| text.raw(at).to_vec())
        .collect()
}

#[test]
fn a_completed_task_that_does_not_say_how_far_it_is_is_done() {
    let file = |lines: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:u-1\r\n{lines}END:VTODO\r\nEND:VCALENDAR\r\n"
        )
    };
    let percent = |lines: &str| {
        let fields = read(file(lines).as_bytes(), &context(TimeZone::UTC));
        fields.get(&field("percentcomplete")).map(ToString::to_string)
    };
    assert_eq!(percent("STATUS:COMPLETED\r\n").as_deref(), Some("100"));
    assert_eq!(percent("COMPLETED:20260106T100000Z\r\n").as_deref(), Some("100"));
    assert_eq!(percent("STATUS:COMPLETED\r\nPERCENT-COMPLETE:40\r\n").as_deref(), Some("40"));
    assert_eq!(percent("STATUS:IN-PROCESS\r\n"), None);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_new_task_says_what_was_written(fields in fields(), zone in user_zone()) {
        let context = context(zone);
        let written = new(&fields, &context);
        prop_assert_eq!(shown(&read(&written, &context)), shown(&fields), "{}", String::from_utf8_lossy(&written));
    }

    #[test]
    fn a_changed_task_says_the_change_and_nothing_else(File(old) in file(), patch in patch(), zone in user_zone()) {
        let context = context(zone);
        let says = read(&old, &context);
        let (whole, patch) = changed(&says, &patch);
        let written = write(&patch, &whole, Some(&old), &context).expect("writable");
        prop_assert_eq!(
            shown(&read(&written, &context)), shown(&whole),
            "{}\n->\n{}", String::from_utf8_lossy(&old), String::from_utf8_lossy(&written)
        );
        prop_assert_eq!(kept(&old), kept(&written));
        prop_assert_eq!(write(&patch, &whole, Some(&written), &context), Ok(written.clone()), "a change that is made already");
    }

    #[test]
    fn no_change_keeps_every_byte(File(old) in file(), zone in user_zone()) {
        let context = context(zone);
        let says = read(&old, &context);
        prop_assert_eq!(write(&Patch::new(), &says, Some(&old), &context), Ok(old.clone()));
        prop_assert_eq!(write(&all_of(&says), &says, Some(&old), &context), Ok(old));
    }

    #[test]
    fn from_the_crm_to_the_mailbox_and_back(fields in fields(), zone in user_zone()) {
        let context = context(zone);
        let record = new_row(&fields, &context);
        let said = read_row(&record, &context);
        prop_assert_eq!(shown(&said), shown(&fields));
        let item = read(&new(&said, &context), &context);
        prop_assert_eq!(new_row(&item, &context).columns, record.columns);
    }

    #[test]
    fn from_the_mailbox_to_the_crm_and_back(File(old) in file(), zone in user_zone()) {
        let context = context(zone);
        let item = read(&old, &context);
        let said = read_row(&new_row(&item, &context), &context);
        prop_assert_eq!(shown(&said), shown(&item));
        prop_assert_eq!(write(&all_of(&said), &said, Some(&old), &context), Ok(old));
    }

    #[test]
    fn a_changed_row_says_the_change(fields in fields(), patch in patch()) {
        let context = context(TimeZone::UTC);
        let old = new_row(&fields, &context);
        let (whole, patch) = changed(&fields, &patch);
        let new = row(Table::Task, Some(&old), write_row(&patch, &whole, Some(&old), &context));
        prop_assert_eq!(shown(&read_row(&new, &context)), shown(&whole));
    }

    #[test]
    fn what_is_too_long_is_cut_and_never_written_back(fields in fields(), limit in 2usize..60) {
        let mut context = context(TimeZone::UTC);
        let whole = new(&fields, &context);
        for column in ["subject", "description"] {
            context.lengths = Lengths([((Table::Task, column.to_owned()), limit)].into());
            // The subject that stands for none needs its room too.
            if column == "subject" && !fields.contains_key(&field("subject")) {
                continue;
            }
            let said = read_row(&new_row(&fields, &context), &context);
            for (name, value) in &fields {
                prop_assert!(value.agrees(said.get(name).expect("still there")), "{}", name);
            }
            prop_assert_eq!(write(&all_of(&said), &said, Some(&whole), &context), Ok(whole.clone()));
        }
    }

    #[test]
    fn hostile_bytes_are_refused_or_read(bytes in vec(any::<u8>(), 0..300)) {
        try_all(&bytes);
    }

    #[test]
    fn damaged_tasks_are_refused_or_read(File(old) in file(), damage in damage(), patch in patch()) {
        let bytes = damaged(old, &damage);
        let context = context(TimeZone::UTC);
        if try_all(&bytes) {
            let (whole, patch) = changed(&read(&bytes, &context), &patch);
            let written = write(&patch, &whole, Some(&bytes), &context).expect("writable");
            prop_assert_eq!(shown(&read(&written, &context)), shown(&whole));
        }
    }
}

/// Reads bytes that may be anything; whether they were a task.
fn try_all(bytes: &[u8]) -> bool {
    let context = context(TimeZone::UTC);
    match task::read_item(bytes, &context) {
        Ok(said) => {
            let written = write(&Patch::new(), &said.fields, Some(bytes), &context);
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
fn tasks_in_the_wild_are_mapped_or_refused_with_a_reason() {
    let context = context(TimeZone::get("Europe/Berlin").unwrap());
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut mapped = 0;
    for (file, bytes) in in_the_wild() {
        match task::read_item(&bytes, &context) {
            Ok(said) => {
                mapped += 1;
                let says = said.fields;
                let name = file.display();
                assert_eq!(
                    write(&all_of(&says), &says, Some(&bytes), &context).as_ref(),
                    Ok(&bytes),
                    "{name}"
                );
                let patch =
                    Patch::from([(field("subject"), Some(Value::Text("other".to_owned())))]);
                let whole = apply(&says, &patch);
                let written = write(&patch, &whole, Some(&bytes), &context).expect("writable");
                assert_eq!(shown(&read(&written, &context)), shown(&whole), "{name}");
                assert_eq!(
                    shown(&read_row(&new_row(&says, &context), &context)),
                    shown(&says),
                    "{name}"
                );
            }
            Err(error) => *refused.entry(error.0).or_default() += 1,
        }
    }
    println!("mapped {mapped}, refused {refused:#?}");
    assert!(mapped >= 5, "only {mapped} mapped; refused {refused:#?}");
    assert!(refused.keys().all(|reason| !reason.is_empty()));
}
