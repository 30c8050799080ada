//! Contacts: generated cards, rows and changes, and the laws that hold for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use liaison::mapping::contact::form;
use liaison::mapping::text::{Edits, Text};
use liaison::mapping::{Change, Context, Lengths, contact};
use liaison::model::fields::field_rules;
use liaison::model::{
    Class, Field, Fields, Patch, Record, RecordId, RecordPatch, Table, Uid, Value, all_of,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::config;
use crate::corpus::targets::grammar;
use crate::corpus::targets::items::shown;
use crate::support::resources;

// What is generated.

/// Text of all kinds: what people write, and what parsers trip over.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => select(vec![
            "Anna", "van", "O'Neil", "Müller", "李小龍", "محمد", "+49 (30) 123-45", "a@b.example", "Straße 5",
            "Société Générale", "http://x.example/?a=b;c,d", "👩‍👩‍👧", "e\u{301}",
        ]).prop_map(str::to_owned),
        2 => select(vec![
            " ", ",", ";", ":", "\\", "\\n", "\n", "\r\n", "\"", "^n", "=", "=20", "tel:", "mailto:", "…", "\t", "\u{0}",
            "\u{b}", "<b>&amp;</b>", "END:VCARD", "--", "'",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-z ]{40,120}",
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn date() -> impl Strategy<Value = Value> {
    (1753i16..=9999, 1i8..=12, 1i8..=28)
        .prop_map(|(y, m, d)| Value::Date(jiff::civil::date(y, m, d)))
}

/// A value of this field in the form that readers give.
fn value(field: &'static str) -> BoxedStrategy<Option<Value>> {
    if form::is_date(field) {
        date().prop_map(Some).boxed()
    } else {
        text().prop_map(move |text| form::text(field, &text)).boxed()
    }
}

fn field() -> impl Strategy<Value = &'static str> {
    select(field_rules(Class::Contact).iter().map(|rule| rule.name).collect::<Vec<_>>())
}

/// What a contact may say.
pub(crate) fn fields() -> impl Strategy<Value = Fields> {
    vec(field().prop_flat_map(|field| (Just(field), value(field))), 0..20).prop_map(|values| {
        let values =
            values.into_iter().filter_map(|(field, value)| Some((Field::of(field), value?)));
        form::named(values.collect())
    })
}

/// A change of some fields.
fn patch() -> impl Strategy<Value = Patch> {
    let entry = field().prop_flat_map(|field| (Just(Field::of(field)), value(field)));
    vec((entry, any::<bool>()), 0..8).prop_map(|entries| {
        entries.into_iter().map(|((field, value), keep)| (field, value.filter(|_| keep))).collect()
    })
}

/// A line as somebody's address book writes it, often more than once.
fn line() -> impl Strategy<Value = String> {
    let values = prop_oneof![
        3 => text().prop_map(|text| text.replace(['\r', '\n'], "")),
        2 => select(grammar::CARD_VALUES).prop_map(str::to_owned),
    ];
    let heads = select(grammar::CARD);
    (heads, values).prop_map(|(head, value)| format!("{head}:{value}"))
}

/// A card, with lines among the others that nobody knows.
pub(crate) fn card() -> impl Strategy<Value = Vec<u8>> {
    let version = select(vec!["2.1", "3.0", "4.0"]);
    let ends = select(vec!["\r\n", "\n"]);
    (version, ends, vec(line(), 0..14), option::of(text())).prop_map(
        |(version, end, lines, fold)| {
            let mut card = format!("BEGIN:VCARD{end}VERSION:{version}{end}UID:u-1{end}");
            for (number, line) in lines.iter().enumerate() {
                let unknown = format!("X-KEEP-{number};X-P=\"a,b\":kept\\,{number}");
                card.extend([line, end, &unknown, end, " and", end, "\tfolded", end]);
            }
            let fold = fold.unwrap_or_default().replace(['\r', '\n'], "");
            card.extend(["X-LAST:", &fold, end, "END:VCARD", end]);
            card.into_bytes()
        },
    )
}

fn context(lengths: Lengths) -> Context {
    Context {
        organisation: Uuid::from_u128(7),
        zone: TimeZone::UTC,
        me: BTreeSet::new(),
        lengths,
        people: BTreeMap::new(),
        filing: BTreeMap::new(),
    }
}

fn unlimited() -> Context {
    context(Lengths::default())
}

// What is done with it.

fn read(bytes: &[u8]) -> Fields {
    contact::read_item(bytes, &unlimited()).expect("readable").fields
}

fn write(patch: &Patch, old: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let uid = Uid::new("u-1");
    let whole = form::patched(&old.map(read).unwrap_or_default(), patch);
    let change = Change { uid: &uid, patch, whole: &whole };
    contact::write_item(change, old, &unlimited()).map_err(|error| error.to_string())
}

fn write_row(patch: &Patch, old: Option<&Record>, context: &Context) -> RecordPatch {
    let uid = Uid::new("u-1");
    let change = Change { uid: &uid, patch, whole: &Fields::new() };
    contact::write_record(change, old, context).expect("writable")
}

/// A row as it stands after a patch.
fn row(old: Option<&Record>, patch: RecordPatch) -> Record {
    let mut columns = old.map(|old| old.columns.clone()).unwrap_or_default();
    columns.extend(patch.columns);
    Record {
        id: RecordId::new(Table::Contact, Uuid::from_u128(1)),
        columns,
        parties: Vec::new(),
        exceptions: Vec::new(),
        attachments: Vec::new(),
    }
}

fn read_row(record: &Record, context: &Context) -> Fields {
    contact::read_record(record, context).expect("readable").fields
}

fn without_parent(mut fields: Fields) -> Fields {
    fields.remove(&Field::of("parentcustomerid"));
    fields
}

// The laws.

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_new_card_says_what_was_written(fields in fields()) {
        let written = write(&all_of(&fields), None);
        prop_assert_eq!(written.is_err(), contact::title(&fields).is_empty());
        let Ok(written) = written else { return Ok(()) };
        prop_assert_eq!(shown(&read(&written)), shown(&fields), "{}", String::from_utf8_lossy(&written));
        let text = Text::parse(&written).expect("well-formed");
        prop_assert!(written.split(|b| *b == b'\n').all(|line| line.len() <= 76));
        prop_assert!(std::str::from_utf8(&written).is_ok());
        for name in ["VERSION", "UID", "FN", "N"] {
            prop_assert_eq!(text.lines().iter().filter(|line| line.is(name)).count(), 1);
        }
    }

    #[test]
    fn a_changed_card_says_the_change_and_nothing_else(old in card(), patch in patch()) {
        let written = write(&patch, Some(&old)).expect("writable");
        let expected = form::patched(&read(&old), &patch);
        prop_assert_eq!(
            shown(&read(&written)), shown(&expected),
            "{}\n->\n{}", String::from_utf8_lossy(&old), String::from_utf8_lossy(&written)
        );
        let kept = |bytes: &[u8]| -> Vec<Vec<u8>> {
            let text = Text::parse(bytes).expect("well-formed");
            let unknown = |line: &str| line.starts_with("X-KEEP") || matches!(line, "PHOTO" | "CLASS" | "X-LAST" | "CATEGORIES");
            (0..text.lines().len()).filter(|at| unknown(text.lines()[*at].name())).map(|at| text.raw(at).to_vec()).collect()
        };
        prop_assert_eq!(kept(&old), kept(&written));
        prop_assert_eq!(write(&patch, Some(&written)), Ok(written.clone()), "a change that is made already");
    }

    #[test]
    fn no_change_keeps_every_byte(old in card()) {
        prop_assert_eq!(write(&Patch::new(), Some(&old)), Ok(old.clone()));
        prop_assert_eq!(write(&all_of(&read(&old)), Some(&old)), Ok(old));
    }

    #[test]
    fn from_the_crm_to_the_mailbox_and_back(fields in fields()) {
        let context = unlimited();
        let mut record = row(None, write_row(&all_of(&fields), None, &context));
        if let Some(parent) = fields.get(&Field::of("parentcustomerid")) {
            let column = "_parentcustomerid_value@OData.Community.Display.V1.FormattedValue";
            record.columns.insert(column.to_owned(), Json::String(parent.to_string()));
        }
        let said = read_row(&record, &context);
        prop_assert_eq!(shown(&said), shown(&fields));
        let Ok(item) = write(&all_of(&said), None) else { return Ok(()) };
        let item = read(&item);
        let again = row(Some(&record), write_row(&all_of(&item), Some(&record), &context));
        prop_assert_eq!(again.columns, record.columns);
    }

    #[test]
    fn from_the_mailbox_to_the_crm_and_back(old in card()) {
        let context = unlimited();
        let item = read(&old);
        let said = read_row(&row(None, write_row(&all_of(&item), None, &context)), &context);
        prop_assert_eq!(shown(&said), shown(&without_parent(item)));
        prop_assert_eq!(write(&all_of(&said), Some(&old)), Ok(old));
    }

    #[test]
    fn a_changed_row_says_the_change(fields in fields(), patch in patch()) {
        let context = unlimited();
        let old = row(None, write_row(&all_of(&fields), None, &context));
        let new = row(Some(&old), write_row(&patch, Some(&old), &context));
        let patch: Patch = patch.into_iter().filter(|(field, _)| field.as_str() != "parentcustomerid").collect();
        prop_assert_eq!(shown(&read_row(&new, &context)), shown(&form::patched(&read_row(&old, &context), &patch)));
    }

    #[test]
    fn what_is_too_long_is_cut_and_known_as_cut(fields in fields(), limits in vec((field(), 2usize..60), 40)) {
        let limits: BTreeMap<&str, usize> = limits.into_iter().collect();
        let lengths = limits.iter().map(|(field, limit)| ((Table::Contact, (*field).to_owned()), *limit)).collect();
        let context = context(Lengths(lengths));
        let record = row(None, write_row(&all_of(&fields), None, &context));
        let said = read_row(&record, &context);
        for (field, value) in without_parent(fields.clone()) {
            let limit = limits.get(field.as_str()).filter(|_| !form::is_date(field.as_str()));
            let Some(limit) = limit else { continue };
            let said = said.get(&field).expect("still there");
            prop_assert!(value.agrees(said), "{value} and {said}");
            let units = value.to_string().encode_utf16().count();
            let stored = record.columns[field.as_str()].as_str().expect("text").encode_utf16().count();
            prop_assert_eq!(stored, units.min(*limit));
            if units > *limit {
                prop_assert!(matches!(said, Value::Cut(_)));
            }
        }
        // Nothing that was cut is written over the whole.
        if let Ok(item) = write(&all_of(&fields), None) {
            prop_assert_eq!(write(&all_of(&said), Some(&item)), Ok(item));
        }
    }

    #[test]
    fn hostile_bytes_are_refused_or_read(bytes in vec(any::<u8>(), 0..300)) {
        try_all(&bytes);
    }

    #[test]
    fn damaged_cards_are_refused_or_read(
        old in card(), damage in vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..4), 1..8), patch in patch(),
    ) {
        let mut bytes = old;
        for (at, byte, what) in damage {
            let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match what {
                0 => { bytes[at] = byte; }
                1 => { bytes.insert(at, byte); }
                2 if bytes.len() > 1 => { bytes.remove(at); }
                3 if at > 0 => bytes.truncate(at),
                _ => {}
            }
        }
        if try_all(&bytes) {
            let written = write(&patch, Some(&bytes)).expect("writable");
            prop_assert_eq!(shown(&read(&written)), shown(&form::patched(&read(&bytes), &patch)));
        }
    }
}

/// Reads bytes that may be anything; whether they were a contact.
fn try_all(bytes: &[u8]) -> bool {
    if let Ok(text) = Text::parse(bytes) {
        assert_eq!(Edits::new().apply(&text), bytes);
    }
    let readable = contact::read_item(bytes, &unlimited()).is_ok();
    if readable {
        assert_eq!(write(&Patch::new(), Some(bytes)).as_deref(), Ok(bytes));
    }
    readable
}

/// The cards that the calcard crate is tested with.
fn cards_in_the_wild() -> Vec<(PathBuf, Vec<u8>)> {
    resources::files("calcard", |path| resources::has_extension(path, "vcf"))
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).expect("a file")))
        .collect()
}

#[test]
fn cards_in_the_wild_are_mapped_or_refused_with_a_reason() {
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let (mut mapped, mut changed) = (0, 0);
    for (path, bytes) in cards_in_the_wild() {
        match contact::read_item(&bytes, &unlimited()) {
            Ok(content) => {
                mapped += 1;
                let fields = content.fields;
                assert_eq!(
                    write(&all_of(&fields), Some(&bytes)).as_ref(),
                    Ok(&bytes),
                    "{}",
                    path.display()
                );
                // A new telephone number and no notes: nothing else may move.
                let patch = Patch::from([
                    (Field::of("telephone1"), Some(Value::Text("+1 555 0100".to_owned()))),
                    (Field::of("description"), None),
                ]);
                let written = write(&patch, Some(&bytes)).expect("writable");
                assert_eq!(
                    shown(&read(&written)),
                    shown(&form::patched(&fields, &patch)),
                    "{}",
                    path.display()
                );
                changed += 1;
                let record = row(None, write_row(&all_of(&fields), None, &unlimited()));
                assert_eq!(
                    shown(&read_row(&record, &unlimited())),
                    shown(&without_parent(fields)),
                    "{}",
                    path.display()
                );
            }
            Err(error) => {
                let reason: String =
                    error.0.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
                *refused.entry(reason).or_default() += 1;
            }
        }
    }
    println!("mapped {mapped}, changed {changed}, refused {refused:#?}");
    assert!(mapped >= 150, "only {mapped} mapped; refused {refused:#?}");
}

#[test]
fn a_large_card_is_read_in_time() {
    let mut card = b"BEGIN:VCARD\nVERSION:3.0\nUID:1\nFN:x\n".to_vec();
    for number in 0..50_000 {
        card.extend_from_slice(
            format!("item{number}.TEL;TYPE=WORK:{number}\nitem{number}.X-ABLabel:x\n").as_bytes(),
        );
    }
    card.extend_from_slice(b"END:VCARD\n");
    assert_eq!(read(&card).get(&Field::of("telephone1")), Some(&Value::Text("0".to_owned())));
    let patch = Patch::from([(Field::of("telephone1"), None)]);
    let written = write(&patch, Some(&card)).expect("writable");
    assert_eq!(read(&written).get(&Field::of("telephone1")), None);
}

#[test]
fn columns_of_another_type_are_refused() {
    let mut record = row(None, RecordPatch::default());
    for (column, value) in [("firstname", Json::from(1)), ("birthdate", Json::from("soon"))] {
        record.columns = Map::from_iter([(column.to_owned(), value)]);
        let error = contact::read_record(&record, &unlimited()).expect_err("refused");
        assert!(error.0.contains(column));
    }
}
