//! Columns that the user changed offline and a colleague changed differently meanwhile. Both values are kept.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::model::row::RowId;
use crate::store::Transaction;
use crate::store::encode::{read_moment, unreadable};
use crate::store::error::Result;

/// What the user said about a collision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Mine,
    Theirs,
}

impl Choice {
    /// The word used in the store and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::Theirs => "theirs",
        }
    }
}

/// One collision.
#[derive(Debug, Clone, PartialEq)]
pub struct Collision {
    pub number: i64,
    /// The edit's number in the outbox.
    pub edit: i64,
    pub row: RowId,
    /// What people know the row by.
    pub name: String,
    pub column: String,
    pub base: Json,
    pub ours: Json,
    /// What stood there, and stayed.
    pub theirs: Json,
    pub noted: Timestamp,
    pub choice: Option<Choice>,
}

const COLUMNS: &str = "number, edit, tbl, id, name, col, base, ours, theirs, noted, choice";

/// Notes a collision; what it says of its number is passed over.
///
/// # Errors
/// Only the store's own.
pub fn add(tx: &Transaction<'_>, collision: &Collision) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO collision (edit, tbl, id, name, col, base, ours, theirs, noted)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        collision.edit,
        collision.row.table,
        collision.row.id.to_string(),
        collision.name,
        collision.column,
        collision.base.to_string(),
        collision.ours.to_string(),
        collision.theirs.to_string(),
        collision.noted.as_microsecond()
    ])?;
    Ok(())
}

/// Notes what the user said.
///
/// # Errors
/// Only the store's own.
pub fn choose(tx: &Transaction<'_>, number: i64, choice: Choice) -> Result<()> {
    tx.prepare_cached("UPDATE collision SET choice = ?2 WHERE number = ?1")?
        .execute(params![number, choice.as_str()])?;
    Ok(())
}

/// Those about which the user said nothing yet; all of them if asked for. The oldest first.
///
/// # Errors
/// Only the store's own.
pub fn list(connection: &Connection, all: bool) -> Result<Vec<Collision>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM collision WHERE ?1 OR choice = '' ORDER BY number"
    ))?;
    statement.query_and_then([all], read)?.collect()
}

/// One collision.
///
/// # Errors
/// Only the store's own.
pub fn get(connection: &Connection, number: i64) -> Result<Option<Collision>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM collision WHERE number = ?1"))?;
    statement.query_row([number], |row| Ok(read(row))).optional()?.transpose()
}

/// How many wait for the user's word.
///
/// # Errors
/// Only the store's own.
pub fn count(connection: &Connection) -> Result<u64> {
    let count: i64 =
        connection
            .query_row("SELECT count(*) FROM collision WHERE choice = ''", [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

fn read(row: &Row<'_>) -> Result<Collision> {
    let json = |column: usize| -> Result<Json> {
        let text: String = row.get(column)?;
        serde_json::from_str(&text).map_err(|_| unreadable("value"))
    };
    let (table, id, choice): (String, String, String) = (row.get(2)?, row.get(3)?, row.get(10)?);
    Ok(Collision {
        number: row.get(0)?,
        edit: row.get(1)?,
        row: RowId::new(table, Uuid::parse_str(&id).map_err(|_| unreadable("id"))?),
        name: row.get(4)?,
        column: row.get(5)?,
        base: json(6)?,
        ours: json(7)?,
        theirs: json(8)?,
        noted: read_moment(row.get(9)?)?,
        choice: [Choice::Mine, Choice::Theirs].into_iter().find(|known| known.as_str() == choice),
    })
}
