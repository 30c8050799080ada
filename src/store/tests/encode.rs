//! Whatever a side can say is read back as it was written.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

use crate::model::fields::Occurrence;
use crate::model::time::{Day, Days, End, Instance, Pattern, Recurrence};
use crate::model::{Address, Attachment, Field, Fields, Patch, People, Person, Traits, Uid, Value};
use crate::store::ErrorKind;
use crate::store::encode::{
    read_fields, read_patch, read_traits, read_value, write_fields, write_patch, write_traits,
    write_value,
};

fn date() -> impl Strategy<Value = Date> {
    (-200_000_i64..200_000).prop_map(|days| Date::constant(1970, 1, 1).saturating_add(days.days()))
}

fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        (-60_000_000_000_i64..200_000_000_000).prop_map(|at| Timestamp::from_second(at).unwrap()),
        any::<i32>().prop_map(|at| Timestamp::from_nanosecond(i128::from(at)).unwrap()),
    ]
}

fn person() -> impl Strategy<Value = Person> {
    let address = prop_oneof![
        "[a-z.]{1,8}@[a-z]{1,8}\\.example",
        "mailto:mailto: ?[A-Z]{1,4}",
        any::<String>()
    ];
    (any::<String>(), address).prop_filter_map("an address", |(name, address)| {
        Some(Person { name, address: Address::parse(&address)? })
    })
}

fn days() -> impl Strategy<Value = Days> {
    (1_i64..128).prop_map(Day::from_mask)
}

fn day() -> impl Strategy<Value = Day> {
    (0_u32..7).prop_map(|day| Day::from_mask(1 << day).into_iter().next().unwrap())
}

fn instance() -> impl Strategy<Value = Instance> {
    (1_i64..=5).prop_map(|number| Instance::from_number(number).unwrap())
}

fn pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        Just(Pattern::Daily),
        (days(), day()).prop_map(|(days, first)| Pattern::Weekly { days, first }),
        (1_u8..32).prop_map(|day| Pattern::Monthly { day }),
        (days(), instance()).prop_map(|(days, instance)| Pattern::MonthlyNth { days, instance }),
        (1_u8..13, 1_u8..32).prop_map(|(month, day)| Pattern::Yearly { month, day }),
        (1_u8..13, days(), instance()).prop_map(|(month, days, instance)| Pattern::YearlyNth {
            month,
            days,
            instance
        }),
    ]
}

fn recurrence() -> impl Strategy<Value = Recurrence> {
    let end =
        prop_oneof![Just(End::Never), (1_u32..).prop_map(End::Count), date().prop_map(End::Until)];
    (pattern(), 1_u32.., end, any::<String>())
        .prop_map(|(pattern, interval, end, zone)| Recurrence { pattern, interval, end, zone })
}

fn attachment() -> impl Strategy<Value = Attachment> {
    (any::<String>(), any::<String>(), vec(any::<u8>(), 0..20))
        .prop_map(|(filename, mimetype, bytes)| Attachment::new(filename, mimetype, bytes))
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        "[a-z0-9_]{1,20}".prop_map(Field::named),
        moment().prop_map(Field::exception),
        any::<String>().prop_map(Field::named),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        any::<String>().prop_map(Value::Text),
        any::<String>().prop_map(Value::Cut),
        any::<i64>().prop_map(Value::Number),
        any::<bool>().prop_map(Value::Flag),
        date().prop_map(Value::Date),
        moment().prop_map(Value::Moment),
        btree_set(person(), 1..4).prop_map(|people| Value::People(people.into_iter().collect())),
        recurrence().prop_map(|series| Value::Recurrence(Box::new(series))),
        Just(Value::Occurrence(Occurrence::Cancelled)),
        vec(attachment(), 1..3).prop_map(Value::Attachments),
    ];
    plain.prop_recursive(3, 24, 4, |inner| {
        btree_map(field(), inner, 0..4)
            .prop_map(|fields| Value::Occurrence(Occurrence::Changed(fields)))
    })
}

proptest! {
    #[test]
    fn fields_come_back(fields in btree_map(field(), value(), 0..6)) {
        let text = write_fields(&fields).unwrap();
        let read = read_fields(&text).unwrap();
        prop_assert_eq!(&read, &fields);
        // People are equal by address and files by content: the text shows the rest.
        prop_assert_eq!(write_fields(&read).unwrap(), text);
    }

    #[test]
    fn patches_come_back(patch in btree_map(field(), proptest::option::of(value()), 0..6)) {
        let text = write_patch(&patch).unwrap();
        let read = read_patch(&text).unwrap();
        prop_assert_eq!(&read, &patch);
        prop_assert_eq!(write_patch(&read).unwrap(), text);
    }

    #[test]
    fn values_come_back(value in proptest::option::of(value())) {
        let text = write_value(value.as_ref()).unwrap();
        prop_assert_eq!(read_value(&text).unwrap(), value);
    }

    #[test]
    fn traits_come_back(
        categories in btree_set(any::<String>(), 0..3),
        marks in btree_set(any::<String>(), 0..3),
        private: bool,
        references in vec(any::<String>().prop_map(Uid::new), 0..4),
    ) {
        let traits = Traits { categories, private, marks, references };
        prop_assert_eq!(read_traits(&write_traits(&traits).unwrap()).unwrap(), traits);
    }

    #[test]
    fn any_other_text_is_refused_without_a_panic(text: String) {
        for error in [read_fields(&text).err(), read_patch(&text).err(), read_traits(&text).err()] {
            prop_assert!(error.is_none_or(|error| error.kind == ErrorKind::Corrupt));
        }
    }
}

#[test]
fn the_names_of_people_and_the_sizes_of_files_are_kept() {
    let anna =
        Person { name: "Anna Åström".into(), address: Address::parse("a@example.org").unwrap() };
    let file = Attachment::new("offer.pdf", "application/pdf", vec![1, 2, 3]);
    let fields = Fields::from([
        (Field::of("attachments"), Value::Attachments(vec![file.clone()])),
        (Field::of("to"), Value::People(People::from_iter([anna]))),
    ]);
    let read = read_fields(&write_fields(&fields).unwrap()).unwrap();
    assert_eq!(read[&Field::of("to")].to_string(), "Anna Åström <a@example.org>");
    let Value::Attachments(files) = &read[&Field::of("attachments")] else { panic!("no files") };
    assert_eq!((files[0].size, &files[0].digest), (3, &file.digest));
    assert!(files[0].bytes.is_empty(), "content does not belong into the store");
}

/// The spelling is the store's format: a change needs a migration.
#[test]
fn the_spelling_stays() {
    let series = Recurrence {
        pattern: Pattern::Weekly {
            days: Day::from_mask(0b10_1010),
            first: Day::from_mask(2).into_iter().next().unwrap(),
        },
        interval: 2,
        end: End::Count(10),
        zone: "Europe/Vienna".into(),
    };
    let changed = Fields::from([(Field::of("subject"), Value::Text("moved".into()))]);
    let start = "2026-03-01T09:00:00Z".parse().unwrap();
    let patch = Patch::from([
        (Field::exception(start), Some(Value::Occurrence(Occurrence::Changed(changed)))),
        (Field::of("description"), None),
        (Field::of("isalldayevent"), Some(Value::Flag(false))),
        (Field::of("prioritycode"), Some(Value::Number(1))),
        (Field::of("recurrence"), Some(Value::Recurrence(Box::new(series)))),
        (Field::of("scheduledstart"), Some(Value::Moment(start))),
        (Field::of("subject"), Some(Value::Cut("long…".into()))),
    ]);
    assert_eq!(
        write_patch(&patch).unwrap(),
        concat!(
            r#"{"description":null,"#,
            r#""exception:2026-03-01T09:00:00Z":{"occurrence":{"subject":"moved"}},"#,
            r#""isalldayevent":false,"prioritycode":1,"#,
            r#""recurrence":{"recurrence":{"end":{"count":10},"interval":2,"#,
            r#""pattern":{"weekly":{"days":42,"first":2}},"zone":"Europe/Vienna"}},"#,
            r#""scheduledstart":{"moment":"2026-03-01T09:00:00Z"},"subject":{"cut":"long…"}}"#
        )
    );
}

#[test]
fn deep_nesting_is_refused() {
    let text = format!("{}1{}", r#"{"a":{"occurrence":"#.repeat(50_000), "}}".repeat(50_000));
    assert_eq!(read_fields(&text).unwrap_err().kind, ErrorKind::Corrupt);
}

#[test]
fn a_refusal_does_not_quote_what_it_read() {
    let error = read_fields(r#"{"subject":{"secret plan":1}}"#).unwrap_err();
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}
