//! A store of each released layout opens with everything in it. `v1.sql` is what the first release wrote, dumped; such a
//! file is added with each new layout and never changed.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;

use super::at;
use crate::model::{
    Bases, Class, Content, Field, Fields, ItemId, Link, LinkId, LinkState, Patch, Side, Traits,
    Uid, Value, Version,
};
use crate::store::conflict::{Dispute, Finding};
use crate::store::cursor::Cursor;
use crate::store::decision::Decision;
use crate::store::hold::{Held, HoldId};
use crate::store::journal::{Action, Answer, Intent};
use crate::store::migrate::MIGRATIONS;
use crate::store::observation::Observation;
use crate::store::quarantine::Failure;
use crate::store::round::RoundId;
use crate::store::{
    Result, Store, Transaction, conflict, cursor, decision, hold, journal, link, meta, observation,
    quarantine, round,
};

const V1: &str = include_str!("v1.sql");

#[test]
fn a_store_of_the_first_layout_opens_with_everything_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    Connection::open(&path).unwrap().execute_batch(V1).unwrap();
    let old = Store::open(&path).unwrap();
    let new = Store::in_memory().unwrap();
    new.write_blocking(populate).unwrap();
    assert_eq!(everything(&old), everything(&new));
    assert_eq!(
        layout(&old),
        layout(&new),
        "a released layout was changed: add a migration instead"
    );
}

/// Writes such a file for the present layout: `cargo test --lib fixture::dump -- --ignored`.
#[test]
#[ignore = "writes a file of the repository"]
fn dump() {
    let store = Store::in_memory().unwrap();
    store.write_blocking(populate).unwrap();
    let text = store.read_blocking(script).unwrap();
    let name = format!("v{}.sql", MIGRATIONS.len());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/tests").join(name);
    std::fs::write(path, text).unwrap();
}

/// The statements that make this very database.
fn script(connection: &Connection) -> Result<String> {
    let all = |sql: &str| -> Result<Vec<String>> {
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    let mut lines = vec!["PRAGMA foreign_keys = OFF;".to_owned(), "BEGIN;".to_owned()];
    let named = "FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'";
    for sql in all(&format!("SELECT sql {named} ORDER BY rowid"))? {
        lines.push(format!("{sql};"));
    }
    for table in all(&format!("SELECT name {named} AND type = 'table' ORDER BY name"))? {
        let columns = all(&format!("SELECT name FROM pragma_table_info('{table}')"))?;
        let values: Vec<String> = columns.iter().map(|name| format!("quote({name})")).collect();
        let row = values.join(" || ', ' || ");
        for values in all(&format!("SELECT {row} FROM {table}"))? {
            lines.push(format!("INSERT INTO {table} ({}) VALUES ({values});", columns.join(", ")));
        }
    }
    for name in ["application_id", "user_version"] {
        let value: i64 = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?;
        lines.push(format!("PRAGMA {name} = {value};"));
    }
    lines.push("COMMIT;\n".to_owned());
    Ok(lines.join("\n"))
}

fn layout(store: &Store) -> BTreeSet<String> {
    store
        .read_blocking(|connection| {
            let mut statement = connection.prepare(
                "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'",
            )?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .unwrap()
}

fn everything(store: &Store) -> Vec<String> {
    store
        .read_blocking(|connection| {
            let ids = [ItemId::new("anna.vcf"), ItemId::new("broken.vcf")];
            let entries = journal::of_round(connection, RoundId(1))?;
            let contents = observation::contents(connection, Side::Mailbox, Class::Contact, &ids)?;
            let links = link::all(connection, Class::Contact)?;
            let bases = link::bases(connection, &[LinkId(1), LinkId(2)])?;
            let conflicts = conflict::all(connection)?;
            // `Debug` leaves content out: values are compared by what they display.
            let said = contents.values().flat_map(|content| content.fields.values());
            let agreed = bases.values().flat_map(|bases| bases.item.values());
            let patched = entries.iter().flat_map(|entry| entry.intent.patch.values().flatten());
            let said = said.chain(agreed).chain(patched).map(ToString::to_string).collect();
            Ok([
                said,
                vec![
                    format!("{:?}", meta::get(connection, meta::MAILBOX)?),
                    format!("{:?}", round::latest(connection, 9)?),
                    format!("{contents:?}"),
                    format!("{:?}", observation::heads(connection, Side::Mailbox, Class::Contact)?),
                    format!("{links:?} {bases:?}"),
                    format!("{:?}", decision::all(connection, Class::Contact)?),
                    format!("{entries:?}"),
                    format!("{:?}", hold::open_holds(connection)?),
                    format!("{:?}", hold::approved_keys(connection, Class::Contact)?),
                    format!("{conflicts:?}"),
                    format!("{:?}", quarantine::all(connection, Side::Mailbox, Class::Contact)?),
                    format!("{:?}", cursor::all(connection, Side::Mailbox, Class::Contact)?),
                ],
            ]
            .concat())
        })
        .unwrap()
}

/// At least one row in every table.
pub(super) fn populate(tx: &Transaction<'_>) -> Result<()> {
    meta::set(tx, meta::MAILBOX, "anna@example.org")?;
    let round = round::start(tx, "timer", at(1_000))?;
    pairs(tx, round)?;
    work(tx, round)?;
    round::finish(tx, round, &serde_json::json!({"created": 1}), at(1_060))
}

fn fields() -> Fields {
    let subject = Value::Text("Zoë's \"order\"".into());
    Fields::from([
        (Field::of("firstname"), subject),
        (Field::of("birthdate"), Value::Date("1980-02-29".parse().unwrap())),
    ])
}

fn pairs(tx: &Transaction<'_>, round: RoundId) -> Result<()> {
    let seen = Observation {
        side: Side::Mailbox,
        class: Class::Contact,
        id: ItemId::new("anna.vcf"),
        version: Version::new("v1"),
        content: Some(Content {
            uid: Uid::new("anna"),
            fields: fields(),
            traits: Traits {
                categories: BTreeSet::from(["Tracked to CRM".to_owned()]),
                private: true,
                ..Traits::default()
            },
        }),
        problem: None,
    };
    let broken = Observation {
        id: ItemId::new("broken.vcf"),
        content: None,
        problem: Some("two UIDs".into()),
        ..seen.clone()
    };
    observation::upsert(tx, round, &[seen, broken])?;
    let linked = Link {
        id: LinkId(0),
        class: Class::Contact,
        item: ItemId::new("anna.vcf"),
        record: ItemId::new("contact/1"),
        uid: Uid::new("anna"),
        origin: Side::Mailbox,
        state: LinkState::Active,
        item_version: Some(Version::new("v1")),
        record_version: None,
        bases: Some(Box::new(Bases { item: fields(), record: fields() })),
    };
    let released = Link {
        item: ItemId::new("bert.vcf"),
        record: ItemId::new("contact/2"),
        origin: Side::Crm,
        state: LinkState::Released { gone: Side::Crm },
        bases: None,
        ..linked.clone()
    };
    link::insert(tx, &linked)?;
    link::insert(tx, &released)?;
    decision::upsert(
        tx,
        &[Decision {
            class: Class::Contact,
            item: ItemId::new("anna.vcf"),
            outcome: decision::Outcome::Tracked,
            rule: "category".into(),
            names: Vec::new(),
            looked: String::new(),
            parent: None,
            round,
            at: at(1_001),
        }],
    )
}

fn work(tx: &Transaction<'_>, round: RoundId) -> Result<()> {
    let intent = Intent {
        class: Class::Contact,
        link: Some(LinkId(1)),
        item: Some(ItemId::new("anna.vcf")),
        record: None,
        uid: None,
        side: Side::Crm,
        action: Action::Create,
        why: "tracked by category".into(),
        before: None,
        patch: Patch::from([(Field::of("firstname"), Some(Value::Text("Zoë".into())))]),
        expect: None,
        key: "contact/create/anna".into(),
    };
    let ids = journal::intend(tx, round, at(1_002), &[intent.clone(), intent])?;
    let answer = Answer {
        outcome: journal::Outcome::Done,
        id: Some(ItemId::new("contact/1")),
        after: Some(fields()),
        version: Some(Version::new("W/\"7\"")),
        error: None,
    };
    journal::finish(tx, ids[0], &answer, at(1_003))?;
    let held = |key: &str| Held {
        key: key.into(),
        subject: "contact/1".into(),
        text: "delete Anna".into(),
        digest: "d1".into(),
    };
    hold::hold(tx, Class::Contact, "first sync", &[held("a")], round, at(1_004))?;
    hold::hold(tx, Class::Contact, "many deletes", &[held("b")], round, at(1_005))?;
    hold::approve(tx, HoldId(1), at(1_006))?;
    let dispute = Dispute::Field {
        field: Field::of("firstname"),
        mailbox: Some(Value::Text("Zoë".into())),
        crm: None,
    };
    let finding = Finding { link: LinkId(1), dispute, winner: Some(Side::Crm) };
    let existence = Dispute::Existence { deleted: Side::Mailbox, kept: fields() };
    let open = Finding { link: LinkId(2), dispute: existence, winner: None };
    conflict::upsert(tx, &finding, round, at(1_007))?;
    let id = conflict::upsert(tx, &open, round, at(1_008))?;
    conflict::choose(tx, id, Side::Crm)?;
    let failure = Failure {
        side: Side::Mailbox,
        class: Class::Contact,
        id: ItemId::new("broken.vcf"),
        version: Version::new("v1"),
        reason: "two UIDs".into(),
        hint: Some("remove one".into()),
    };
    quarantine::put(tx, &failure, at(1_009), |_| None)?;
    let taken = Cursor {
        side: Side::Mailbox,
        class: Class::Contact,
        collection: "contacts/".into(),
        token: "sync-1".into(),
        taken_at: at(1_010),
    };
    cursor::set(tx, &taken)
}
