//! What the laws of appointments and tasks share: worlds, texts, rows as they stand after a patch, files in the wild.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::support::resources;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use liaison::mapping::{Context, Lengths};
use liaison::model::{Field, Record, RecordId, RecordPatch, Table, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// Zones with and without daylight saving, on both hemispheres, half an hour off, and one whose midnight is skipped.
pub(super) fn user_zone() -> impl Strategy<Value = TimeZone> {
    select(vec![
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "Pacific/Auckland",
        "UTC",
    ])
    .prop_map(|name| TimeZone::get(name).expect("a zone"))
}

pub(super) fn context(zone: TimeZone) -> Context {
    Context {
        organisation: Uuid::from_u128(7),
        zone,
        me: BTreeSet::new(),
        lengths: Lengths::default(),
        people: BTreeMap::new(),
        filing: BTreeMap::new(),
    }
}

/// Text of all kinds: what people write, and what parsers trip over. As readers give it.
pub(super) fn text() -> impl Strategy<Value = Option<Value>> {
    let piece = prop_oneof![
        4 => select(vec!["Anna", "Besprechung", "Müller", "李小龍", "محمد", "Straße 5", "👩‍👩‍👧", "e\u{301}", "a@b.example"])
            .prop_map(str::to_owned),
        2 => select(vec![
            " ", ",", ";", ":", "\\", "\\n", "\n", "\r\n", "\"", "^n", "=", "…", "\t", "<b>", "&amp;", "END:VEVENT",
            "(no subject)", "<p>x</p>", "<div>a<br>b</div>",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-z ]{40,120}",
    ];
    vec(piece, 0..5).prop_map(|pieces| Value::text(&pieces.concat()))
}

/// A whole second from 1990 to 2050, often at the full hour.
pub(super) fn moment() -> impl Strategy<Value = Timestamp> {
    let second = prop_oneof![
        3 => (175_320i64..701_280).prop_map(|hour| hour * 3600),
        1 => 631_152_000i64..2_524_608_000,
    ];
    second.prop_map(|second| Timestamp::from_second(second).expect("in range"))
}

/// A file that shows its text.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct File(pub(super) Vec<u8>);

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

pub(super) fn field(name: &'static str) -> Field {
    Field::of(name)
}

/// A row as it stands after a patch, with its exceptions as the service keeps them.
pub(super) fn row(table: Table, old: Option<&Record>, patch: RecordPatch) -> Record {
    let mut record = old.cloned().unwrap_or_else(|| Record {
        id: RecordId::new(table, Uuid::from_u128(1)),
        columns: Map::new(),
        parties: Vec::new(),
        exceptions: Vec::new(),
        attachments: Vec::new(),
    });
    record.columns.extend(patch.columns);
    if let Some(state) = patch.state {
        record.columns.insert("statecode".to_owned(), Json::from(state.statecode));
        record.columns.insert("statuscode".to_owned(), Json::from(state.statuscode));
    }
    record.parties = patch.parties.unwrap_or(record.parties);
    for exception in patch.exceptions {
        let original = Json::from(exception.original_start.to_string());
        let mut deleted: BTreeSet<String> = record
            .columns
            .get("deletedexceptionslist")
            .and_then(Json::as_str)
            .map(|list| list.split(',').map(str::to_owned).collect())
            .unwrap_or_default();
        let at = record.exceptions.iter().position(|row| row["originalstartdate"] == original);
        match exception.columns {
            None => {
                at.map(|at| record.exceptions.remove(at));
                deleted.insert(exception.original_start.to_string());
            }
            Some(columns) => {
                deleted.remove(&exception.original_start.to_string());
                let mut row = match at {
                    Some(at) => record.exceptions.remove(at),
                    None => as_the_series(&record, exception.original_start),
                };
                row.extend(columns);
                row.insert("originalstartdate".to_owned(), original);
                row.insert("instancetypecode".to_owned(), Json::from(3));
                record.exceptions.push(row);
            }
        }
        let list: Vec<String> = deleted.into_iter().collect();
        record.columns.insert("deletedexceptionslist".to_owned(), Json::from(list.join(",")));
    }
    record
}

/// What the service fills into a new exception: the columns of the series.
fn as_the_series(record: &Record, original: Timestamp) -> Map<String, Json> {
    const SHARED: &[&str] = &[
        "subject",
        "location",
        "description",
        "prioritycode",
        "isalldayevent",
        "statecode",
        "statuscode",
    ];
    let mut row: Map<String, Json> = SHARED
        .iter()
        .filter_map(|column| Some(((*column).to_owned(), record.columns.get(*column)?.clone())))
        .collect();
    let minutes = record.columns.get("duration").and_then(Json::as_i64).unwrap_or(0);
    let end = original + jiff::SignedDuration::from_mins(minutes);
    row.insert("scheduledstart".to_owned(), Json::from(original.to_string()));
    row.insert("scheduledend".to_owned(), Json::from(end.to_string()));
    row
}

/// The calendars that the calcard crate is tested with.
pub(super) fn in_the_wild() -> Vec<(PathBuf, Vec<u8>)> {
    resources::files("calcard", |path| resources::has_extension(path, "ics"))
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).expect("a file")))
        .collect()
}

/// Damage to a file, to be done with [`damaged`].
pub(super) fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, usize)>> {
    vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..4), 1..8)
}

pub(super) fn damaged(mut bytes: Vec<u8>, damage: &[(prop::sample::Index, u8, usize)]) -> Vec<u8> {
    for (at, byte, what) in damage {
        let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
        match what {
            0 => bytes[at] = *byte,
            1 => bytes.insert(at, *byte),
            2 if bytes.len() > 1 => {
                bytes.remove(at);
            }
            3 if at > 0 => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}
