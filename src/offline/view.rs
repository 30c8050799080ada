//! The copy with what was entered over it: what a person sees while the organisation is away. What was entered stays to be seen
//! until it is there, or dropped.

use std::collections::BTreeMap;

use crate::connector::records::Definition;
use crate::model::row::{self, RowId, Values};
use crate::store::replica::outbox::{self, Edit, Kind, State};
use crate::store::replica::row::{self as rows, Kept};
use crate::store::{self, Connection};

/// A row as the user sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    pub row: RowId,
    /// What stands there has this version; empty: it is not there yet.
    pub version: String,
    pub values: Values,
    pub name: String,
    /// How many edits of it wait for the organisation, and how many for a person.
    pub waiting: usize,
    pub parked: usize,
    pub is_deleted: bool,
}

impl View {
    /// A row as it stands there, with nothing over it.
    pub fn plain(row: RowId, version: String, values: Values, name: String) -> Self {
        Self { row, version, values, name, waiting: 0, parked: 0, is_deleted: false }
    }
}

/// A row; `None` when it is not known.
///
/// # Errors
/// When the store is lost.
pub fn get(db: &Connection, row: &RowId) -> store::Result<Option<View>> {
    let Some(kept) = rows::get(db, row)? else { return Ok(None) };
    Ok(Some(over(kept, &outbox::of_row(db, row)?)))
}

/// The rows of a table, by name, without those that were deleted here.
///
/// # Errors
/// When the store is lost.
pub fn list(db: &Connection, table: &str) -> store::Result<Vec<View>> {
    let mut edits: BTreeMap<RowId, Vec<Edit>> = BTreeMap::new();
    for edit in outbox::of_table(db, table)? {
        edits.entry(edit.row.clone()).or_default().push(edit);
    }
    let none = Vec::new();
    let views = rows::named(db, table, None)?.into_iter().map(|kept| {
        let edits = edits.get(&kept.row).unwrap_or(&none);
        over(kept, edits)
    });
    let mut views: Vec<View> = views.filter(|view| !view.is_deleted).collect();
    views.sort_by(|one, other| (&one.name, &one.row).cmp(&(&other.name, &other.row)));
    Ok(views)
}

/// What a row is called, by the column that people know it by. Persons are composed of their names where the whole is not
/// known: the service makes it.
pub fn name(definition: &Definition, values: &Values) -> String {
    let text = |column: &str| values.get(column).map(row::shown).filter(|text| !text.is_empty());
    let composed = || {
        let parts: Vec<String> = ["firstname", "lastname"].into_iter().filter_map(text).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    let is_composed = definition.columns.get(&definition.name).is_some_and(|column| !column.create);
    let whole = text(&definition.name);
    if is_composed { composed().or(whole) } else { whole }.unwrap_or_default()
}

fn over(kept: Kept, edits: &[Edit]) -> View {
    let mut view = View::plain(kept.row, kept.version, kept.values, kept.name);
    for edit in edits {
        match edit.state {
            State::Parked => view.parked += 1,
            State::Waiting | State::Look => view.waiting += 1,
            State::Done => continue,
        }
        if edit.kind == Kind::Delete {
            // A delete that waits for a person is not done.
            view.is_deleted |= edit.state != State::Parked;
            continue;
        }
        for (column, change) in &edit.edits {
            view.values.insert(column.clone(), change.ours.clone());
        }
        view.name.clone_from(&edit.name);
    }
    view.values.retain(|_, value| !value.is_null());
    view
}
