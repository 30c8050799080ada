//! Appointments: generated files, rows and changes, and the laws that hold for all of them.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use liaison::mapping::text::Text;
use liaison::mapping::{Change, Context, Lengths, appointment};
use liaison::model::record::PartyRef;
use liaison::model::{Address, Fields, Patch, Record, RecordPatch, Table, Uid, Value, all_of};
use liaison::plan::merge::apply;
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

use super::calendar::{File, context, damage, damaged, field, in_the_wild, row, user_zone};
use super::config;
use crate::corpus::targets::items::shown;
use made::{OTHERS, USERS, difference, file, made, set};

mod made;

// What is done with it.

fn world(zone: TimeZone) -> Context {
    let party = |table: &str, address: &&str| {
        let target =
            PartyRef { table: table.to_owned(), guid: Uuid::from_u128(address.len() as u128) };
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

fn write(
    patch: &Patch,
    whole: &Fields,
    old: Option<&[u8]>,
    context: &Context,
) -> Result<Vec<u8>, String> {
    let uid = Uid::new("u-1");
    let change = Change { uid: &uid, patch, whole };
    appointment::write_item(change, old, context).map_err(|error| error.to_string())
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
    let table = appointment::table(whole);
    appointment::write_record(table, Change { uid: &uid, patch, whole }, old, context)
        .expect("writable")
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
        line.starts_with("X-KEEP")
            || matches!(
                line,
                "ATTACH" | "CATEGORIES" | "CLASS" | "PRODID" | "METHOD" | "TZOFFSETTO"
            )
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
    fn a_changed_file_says_the_change_and_nothing_else(File(old) in file(), other in made(), mask in any::<u8>(), zone in user_zone()) {
        let context = world(zone);
        let Ok(said) = appointment::read_item(&old, &context) else { return Ok(()) };
        let whole = other.mixed_into(&said.fields, None, mask, &context.zone);
        let patch = difference(&said.fields, &whole);
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
    fn no_change_keeps_every_byte(File(old) in file(), zone in user_zone()) {
        let context = world(zone);
        let Ok(said) = appointment::read_item(&old, &context) else { return Ok(()) };
        let says = said.fields;
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
    fn from_the_mailbox_to_the_crm_and_back(File(old) in file(), zone in user_zone()) {
        let context = world(zone);
        let Ok(said) = appointment::read_item(&old, &context) else { return Ok(()) };
        let item = held(said.fields);
        let said = read_row(&new_row(&item, &context), &context);
        prop_assert_eq!(shown(&said), shown(&item), "{}", String::from_utf8_lossy(&old));
        prop_assert_eq!(write(&all_of(&said), &said, Some(&old), &context), Ok(old));
    }

    #[test]
    fn a_changed_row_says_the_change(made in made(), other in made(), mask in any::<u8>(), zone in user_zone()) {
        let context = world(zone);
        let fields = made.fields(&context.zone);
        let whole = other.mixed_into(&fields, Some(&made), mask, &context.zone);
        // Rows do not change their table, and never go without an organizer once they have one.
        let loses_organizer = fields.contains_key(&field("organizer")) && !whole.contains_key(&field("organizer"));
        if loses_organizer || appointment::table(&fields) != appointment::table(&whole) {
            return Ok(());
        }
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
    fn damaged_files_are_refused_or_read(File(old) in file(), damage in damage(), other in made(), mask in any::<u8>()) {
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
fn appointments_in_the_wild_are_mapped_or_refused_with_a_reason() {
    let context = world(TimeZone::get("Europe/Berlin").unwrap());
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let (mut mapped, mut series, mut exceptions) = (0, 0, 0);
    for (file, bytes) in in_the_wild() {
        let name = file.display();
        match appointment::read_item(&bytes, &context) {
            Ok(said) => {
                mapped += 1;
                let says = said.fields;
                series += usize::from(says.contains_key(&field("recurrence")));
                exceptions += says.keys().filter(|name| name.original_start().is_some()).count();
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
                let item = held(says);
                assert_eq!(
                    shown(&read_row(&new_row(&item, &context), &context)),
                    shown(&item),
                    "{name}"
                );
            }
            Err(error) => *refused.entry(error.0).or_default() += 1,
        }
    }
    println!("mapped {mapped}, series {series}, exceptions {exceptions}, refused {refused:#?}");
    assert!(mapped >= 100, "only {mapped} mapped; refused {refused:#?}");
    assert!(refused.keys().all(|reason| !reason.is_empty()));
}
