//! Entering edits, so that they survive whatever comes, and what a person does about those that wait. Edits of one row that were
//! not sent yet become one, unless that would put a reference before what it refers to.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Result, refused, search, view};
use crate::connector::records::{Definition, Definitions, Kind as Kinds};
use crate::model::row::{self, Change, Edits, RowId, Values};
use crate::store::replica::collision::{self, Choice};
use crate::store::replica::outbox::{self, Edit, Kind, State};
use crate::store::replica::row as rows;
use crate::store::{self, Transaction};

/// What shall become of a row, with values that its table takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Draft {
    /// `id` is the row's for good: a create that is repeated meets itself.
    Create {
        id: Uuid,
        values: Values,
    },
    Update {
        row: RowId,
        values: Values,
    },
    Delete {
        row: RowId,
    },
}

/// What became of a draft.
#[derive(Debug, Clone, PartialEq)]
pub enum Entered {
    /// It is the edit of this number, perhaps with an earlier one.
    Edit { number: i64, row: RowId },
    /// The row says so already.
    Nothing { row: RowId },
    /// The row was never there: what waited of it is gone with it.
    Undone { row: RowId },
    /// The row is not known here.
    Unknown { row: RowId },
}

impl Entered {
    pub fn row(&self) -> &RowId {
        match self {
            Self::Edit { row, .. }
            | Self::Nothing { row }
            | Self::Undone { row }
            | Self::Unknown { row } => row,
        }
    }
}

/// Enters a draft. It is acknowledged once the transaction is promised, not before.
///
/// # Errors
/// When the store is lost.
pub fn enter(
    tx: &Transaction<'_>,
    definition: &Definition,
    draft: Draft,
    now: Timestamp,
) -> store::Result<Entered> {
    match draft {
        Draft::Create { id, values } => create(tx, definition, id, values, now),
        Draft::Update { row, values } => update(tx, definition, row, values, now),
        Draft::Delete { row } => delete(tx, row, now),
    }
}

fn create(
    tx: &Transaction<'_>,
    definition: &Definition,
    id: Uuid,
    values: Values,
    now: Timestamp,
) -> store::Result<Entered> {
    let row = RowId::new(definition.logical.clone(), id);
    if rows::get(tx, &row)?.is_some() {
        return Ok(Entered::Nothing { row });
    }
    let name = view::name(definition, &values);
    let made = |(column, ours)| (column, Change { base: serde_json::Value::Null, ours });
    let edits: Edits = values.into_iter().map(made).collect();
    rows::put(tx, &row, "", &Values::new(), (&name, true))?;
    let edit = new(row.clone(), Kind::Create, String::new(), (edits, name), now);
    let number = outbox::add(tx, &edit)?;
    search::index(tx, definition, &row)?;
    Ok(Entered::Edit { number, row })
}

fn update(
    tx: &Transaction<'_>,
    definition: &Definition,
    row: RowId,
    values: Values,
    now: Timestamp,
) -> store::Result<Entered> {
    let Some(seen) = view::get(tx, &row)?.filter(|view| !view.is_deleted) else {
        return Ok(Entered::Unknown { row });
    };
    let mut after = seen.values.clone();
    let mut edits = Edits::new();
    for (column, ours) in values {
        let base = seen.values.get(&column).cloned().unwrap_or_default();
        if !row::same(&base, &ours) {
            after.insert(column.clone(), ours.clone());
            edits.insert(column, Change { base, ours });
        }
    }
    if edits.is_empty() {
        return Ok(Entered::Nothing { row });
    }
    let name = view::name(definition, &after);
    let last = outbox::of_row(tx, &row)?.pop();
    let version = made_on(last.as_ref(), seen.version);
    let number = if let Some(mut last) = joinable(tx, definition, last, &edits)? {
        join(&mut last, edits);
        last.name = name;
        outbox::update(tx, &last)?;
        last.number
    } else {
        let mut edit = new(row.clone(), Kind::Update, version, (edits, name), now);
        if !definition.versioned {
            // The service would not notice that somebody else changed it: we look ourselves.
            edit.state = State::Look;
        }
        outbox::add(tx, &edit)?
    };
    search::index(tx, definition, &row)?;
    Ok(Entered::Edit { number, row })
}

fn delete(tx: &Transaction<'_>, row: RowId, now: Timestamp) -> store::Result<Entered> {
    let Some(seen) = view::get(tx, &row)?.filter(|view| !view.is_deleted) else {
        return Ok(Entered::Unknown { row });
    };
    let own = outbox::of_row(tx, &row)?;
    let was_never_sent = own.iter().all(|edit| edit.state == State::Waiting && edit.attempts == 0);
    if was_never_sent && own.first().is_some_and(|edit| edit.kind == Kind::Create) {
        let others = outbox::open(tx, u32::MAX)?;
        if !others.iter().any(|edit| edit.row != row && mentions(edit).any(|other| other == row)) {
            for edit in own {
                outbox::remove(tx, edit.number)?;
            }
            search::forget(tx, &row)?;
            rows::remove(tx, &row)?;
            return Ok(Entered::Undone { row });
        }
    }
    let version = made_on(own.last(), seen.version);
    let edit = new(row.clone(), Kind::Delete, version, (Edits::new(), seen.name), now);
    let number = outbox::add(tx, &edit)?;
    search::forget(tx, &row)?;
    Ok(Entered::Edit { number, row })
}

/// What a further edit of a row is made on: the last one that waits, and so what that was made on; else what was seen. What the copy
/// learnt of the row since stands below that one, and who enters the further one may not have seen it.
fn made_on(last: Option<&Edit>, seen: String) -> String {
    last.map_or(seen, |last| last.version.clone())
}

fn new(
    row: RowId,
    kind: Kind,
    version: String,
    (edits, name): (Edits, String),
    entered: Timestamp,
) -> Edit {
    let state = State::Waiting;
    let (number, attempts, reason) = (0, 0, String::new());
    Edit { number, row, kind, version, edits, name, state, attempts, reason, entered }
}

/// The last edit of a row, where a further one may become part of it: it was never sent, and what the further one refers to was
/// not made after it. A new row takes no state, and not every column.
fn joinable(
    tx: &Transaction<'_>,
    definition: &Definition,
    last: Option<Edit>,
    edits: &Edits,
) -> store::Result<Option<Edit>> {
    let Some(last) = last.filter(|last| {
        last.kind != Kind::Delete && last.state == State::Waiting && last.attempts == 0
    }) else {
        return Ok(None);
    };
    let is_taken = |name: &String| {
        let column = definition.columns.get(name);
        column.is_some_and(|column| {
            column.create && !matches!(column.kind, Kinds::State { .. } | Kinds::Status { .. })
        })
    };
    if last.kind == Kind::Create && !edits.keys().all(is_taken) {
        return Ok(None);
    }
    for target in edits.values().filter_map(|change| row::target(&change.ours)) {
        let of_target = outbox::of_row(tx, &target)?;
        if of_target.iter().any(|edit| edit.kind == Kind::Create && edit.number > last.number) {
            return Ok(None);
        }
    }
    Ok(Some(last))
}

fn join(last: &mut Edit, edits: Edits) {
    for (column, change) in edits {
        match last.edits.get_mut(&column) {
            Some(before) => before.ours = change.ours,
            None => {
                last.edits.insert(column, change);
            }
        }
    }
    if last.kind == Kind::Create {
        for change in last.edits.values_mut() {
            change.base = serde_json::Value::Null;
        }
    }
}

/// The rows that an edit refers to, before and after it.
pub fn mentions(edit: &Edit) -> impl Iterator<Item = RowId> {
    edit.edits.values().flat_map(|change| {
        [row::target(&change.base), row::target(&change.ours)].into_iter().flatten()
    })
}

/// Takes an edit back: the row shows again what stood before it, and what was entered on top of it stays.
///
/// # Errors
/// When there is no such edit, or it may be there already.
pub fn drop_edit(
    tx: &Transaction<'_>,
    definitions: &Definitions,
    number: i64,
) -> store::Result<Result<Edit>> {
    let edit = match open_edit(tx, number)? {
        Ok(edit) => edit,
        Err(error) => return Ok(Err(error)),
    };
    if edit.state == State::Look {
        return Ok(Err(refused(
            format!("edit {number} was sent, and what became of it is not known yet"),
            "`liaison online` looks and settles it",
        )));
    }
    if edit.kind == Kind::Create {
        let all = outbox::open(tx, u32::MAX)?;
        let leans = |other: &&Edit| {
            other.number != number
                && (other.row == edit.row || mentions(other).any(|row| row == edit.row))
        };
        if let Some(other) = all.iter().find(leans) {
            let other = other.number;
            return Ok(Err(refused(
                format!("edit {other} refers to the row that edit {number} makes"),
                format!("drop that one first: `liaison outbox drop {other}`"),
            )));
        }
    }
    for (column, change) in &edit.edits {
        rebase(tx, &edit, column, (&change.ours, &change.base))?;
    }
    outbox::remove(tx, number)?;
    if edit.kind == Kind::Create {
        search::forget(tx, &edit.row)?;
        rows::remove(tx, &edit.row)?;
    } else if let Some(definition) = definitions.get(&edit.row.table) {
        search::index(tx, definition, &edit.row)?;
    }
    Ok(Ok(edit))
}

/// What was entered on top of an edit replaces something else than it did.
fn rebase(
    tx: &Transaction<'_>,
    edit: &Edit,
    column: &str,
    (old, new): (&serde_json::Value, &serde_json::Value),
) -> store::Result<()> {
    for mut other in outbox::of_row(tx, &edit.row)? {
        if other.number > edit.number
            && let Some(over) = other.edits.get_mut(column)
            && row::same(&over.base, old)
        {
            over.base = new.clone();
            outbox::update(tx, &other)?;
        }
    }
    Ok(())
}

/// Lets a parked edit be sent again, after a look at the row.
///
/// # Errors
/// When there is no such edit.
pub fn retry(tx: &Transaction<'_>, number: i64) -> store::Result<Result<Edit>> {
    let mut edit = match open_edit(tx, number)? {
        Ok(edit) => edit,
        Err(error) => return Ok(Err(error)),
    };
    if edit.state == State::Parked {
        edit.state = State::Look;
        edit.attempts = 0;
        edit.reason.clear();
        outbox::update(tx, &edit)?;
    }
    Ok(Ok(edit))
}

/// Changes what an edit says, and lets it be sent again.
///
/// # Errors
/// When there is no such edit, it is a delete, or it may be there already.
pub fn correct(
    tx: &Transaction<'_>,
    definition: &Definition,
    number: i64,
    values: Values,
) -> store::Result<Result<Edit>> {
    let mut edit = match open_edit(tx, number)? {
        Ok(edit) => edit,
        Err(error) => return Ok(Err(error)),
    };
    if edit.kind == Kind::Delete || edit.state == State::Look {
        return Ok(Err(refused(
            format!("edit {number} cannot be changed"),
            "`liaison online` settles it; then change the record itself",
        )));
    }
    let kept = rows::get(tx, &edit.row)?.map(|kept| kept.values).unwrap_or_default();
    for (column, ours) in values {
        let base = match edit.edits.get(&column) {
            Some(change) => {
                rebase(tx, &edit, &column, (&change.ours, &ours))?;
                change.base.clone()
            }
            None if edit.kind == Kind::Create => serde_json::Value::Null,
            None => kept.get(&column).cloned().unwrap_or_default(),
        };
        edit.edits.insert(column, Change { base, ours });
    }
    edit.state = if edit.attempts > 0 { State::Look } else { State::Waiting };
    edit.attempts = 0;
    edit.reason.clear();
    outbox::update(tx, &edit)?;
    if let Some(seen) = view::get(tx, &edit.row)? {
        edit.name = view::name(definition, &seen.values);
        outbox::update(tx, &edit)?;
    }
    search::index(tx, definition, &edit.row)?;
    Ok(Ok(edit))
}

/// Says whose value shall stand after a collision. The user's own becomes a new edit, made on what a colleague wrote.
///
/// # Errors
/// When there is no such collision, or no record that could say it.
pub fn choose(
    tx: &Transaction<'_>,
    definition: &Definition,
    (number, choice): (i64, Choice),
    now: Timestamp,
) -> store::Result<Result<Entered>> {
    let Some(found) = collision::get(tx, number)? else {
        return Ok(Err(refused(
            format!("there is no collision {number}"),
            "`liaison outbox list` shows them",
        )));
    };
    if choice == Choice::Theirs {
        collision::choose(tx, number, choice)?;
        return Ok(Ok(Entered::Nothing { row: found.row }));
    }
    let values = Values::from([(found.column, found.ours)]);
    let entered = update(tx, definition, found.row, values, now)?;
    if matches!(entered, Entered::Unknown { .. }) {
        return Ok(Err(refused(
            format!("the record of collision {number} is deleted, here or there"),
            format!("`liaison outbox settle {number} theirs` takes it off the list"),
        )));
    }
    collision::choose(tx, number, choice)?;
    Ok(Ok(entered))
}

fn open_edit(tx: &Transaction<'_>, number: i64) -> store::Result<Result<Edit>> {
    let edit = outbox::get(tx, number)?.filter(|edit| edit.state != State::Done);
    Ok(edit.ok_or_else(|| {
        refused(format!("no edit {number} waits"), "`liaison outbox list` shows those that do")
    }))
}
