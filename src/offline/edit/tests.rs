use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::connector::records::Target;

fn definition() -> Definition {
    let column = |kind| Column { kind, create: true, update: true, read: true, required: false };
    let target = |set: &str| Target { navigation: format!("parent_{set}"), set: set.to_owned() };
    let options =
        BTreeMap::from([(1, "Web".to_owned()), (2, "Fair".to_owned()), (3, "fair".to_owned())]);
    let statuses =
        BTreeMap::from([(2, (0, "Not Started".to_owned())), (5, (1, "Completed".to_owned()))]);
    let columns = [
        ("lastname", column(Kind::Text { max: Some(5) })),
        ("number", column(Kind::Integer { min: Some(0), max: Some(100) })),
        (
            "revenue",
            column(Kind::Number { min: Some("0".to_owned()), max: Some("1000".to_owned()) }),
        ),
        ("flag", column(Kind::Boolean)),
        ("due", column(Kind::Moment)),
        ("born", column(Kind::Day)),
        ("source", column(Kind::Choice { options })),
        ("statuscode", column(Kind::Status { options: statuses })),
        (
            "parent",
            column(Kind::Lookup {
                targets: BTreeMap::from([
                    ("account".to_owned(), target("accounts")),
                    ("contact".to_owned(), target("contacts")),
                ]),
            }),
        ),
        ("fullname", Column { create: false, update: false, ..column(Kind::Text { max: None }) }),
    ];
    Definition {
        logical: "thing".to_owned(),
        set: "things".to_owned(),
        id: "thingid".to_owned(),
        name: "fullname".to_owned(),
        versioned: true,
        columns: columns.map(|(name, column)| (name.to_owned(), column)).into(),
    }
}

fn parse(column: &str, input: &Json) -> Result<Parsed> {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    value(&definition(), column, input, Purpose::Update, &zone)
}

#[test]
fn values_take_the_service_s_spelling() {
    for (column, input, expected) in [
        ("lastname", json!("Smith"), json!("Smith")),
        ("lastname", json!(""), json!(null)),
        ("number", json!("42"), json!(42)),
        ("number", json!(42), json!(42)),
        ("revenue", json!("12.50"), json!(12.5)),
        ("flag", json!("Yes"), json!(true)),
        ("flag", json!(false), json!(false)),
        ("due", json!("2026-03-01T10:00"), json!("2026-03-01T09:00:00Z")),
        ("due", json!("2026-03-01T10:00:00.5+01:00"), json!("2026-03-01T09:00:01Z")),
        ("born", json!("2026-03-01"), json!("2026-03-01")),
        ("source", json!("web"), json!(1)),
        ("source", json!(2), json!(2)),
        ("statuscode", json!("completed"), json!(5)),
        (
            "parent",
            json!("account/6f0c3c1e-86a5-5b53-9a3c-2d1f5e0b7a41"),
            json!({ "table": "account", "id": "6f0c3c1e-86a5-5b53-9a3c-2d1f5e0b7a41" }),
        ),
        ("parent", json!(null), json!(null)),
    ] {
        assert_eq!(parse(column, &input).unwrap(), Parsed::Value(expected), "{column} {input}");
    }
    let named = |tables: &[&str], name: &str| Parsed::Named {
        tables: tables.iter().map(ToString::to_string).collect(),
        name: name.to_owned(),
    };
    assert_eq!(parse("parent", &json!("account:A: B")).unwrap(), named(&["account"], "A: B"));
    assert_eq!(parse("parent", &json!("A: B")).unwrap(), named(&["account", "contact"], "A: B"));
    assert_eq!(state_of(&definition(), &json!(5)), Some(1));
}

#[test]
fn what_a_column_does_not_take_is_refused_by_its_name() {
    for (column, input, part) in [
        ("lastname", json!("Smiths"), "thing.lastname: the text has 6 characters, at most 5 fit"),
        ("number", json!("101"), "thing.number: the number is out of range"),
        ("number", json!("x"), "thing.number: this is no whole number"),
        ("revenue", json!("NaN"), "thing.revenue: this is no number"),
        ("revenue", json!(-1), "thing.revenue: the number is out of range"),
        ("flag", json!("perhaps"), "thing.flag"),
        ("due", json!("tomorrow"), "thing.due: this is no time"),
        ("born", json!("2026-13-01"), "thing.born: this is no day"),
        ("source", json!("Radio"), "thing.source: there is no option “Radio”"),
        ("source", json!("Fair"), "thing.source: several options are called “Fair”"),
        ("source", json!(9), "thing.source: there is no option “9”"),
        (
            "parent",
            json!({ "table": "lead", "id": "x" }),
            "thing.parent: it does not point to lead",
        ),
        ("parent", json!("6f0c3c1e-86a5-5b53-9a3c-2d1f5e0b7a41"), "does not say of which table"),
        ("parent", json!([1]), "thing.parent"),
        ("lastname", json!({}), "thing.lastname: this is no single value"),
        ("fullname", json!("x"), "thing.fullname cannot be set"),
        ("name", json!("x"), "thing has no column `name` (perhaps fullname, lastname)"),
    ] {
        let error = parse(column, &input).unwrap_err().to_string();
        assert!(error.contains(part), "{column} {input}: {error}");
    }
}
