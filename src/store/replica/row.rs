//! Rows as they last stood in the organisation.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::model::row::{RowId, Values};
use crate::store::Transaction;
use crate::store::encode::unreadable;
use crate::store::error::Result;

/// A row of the copy.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub number: i64,
    pub row: RowId,
    /// Empty for a row that was made here and is not there yet.
    pub version: String,
    pub values: Values,
    pub name: String,
}

const COLUMNS: &str = "number, tbl, id, version, body, name";

/// What is known of a row.
///
/// # Errors
/// Only the store's own.
pub fn get(connection: &Connection, row: &RowId) -> Result<Option<Kept>> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM row WHERE tbl = ?1 AND id = ?2"))?;
    let found = statement.query_row([&row.table, &row.id.to_string()], |row| Ok(read(row)));
    found.optional()?.transpose()
}

/// A row by its number.
///
/// # Errors
/// Only the store's own.
pub fn by_number(connection: &Connection, number: i64) -> Result<Option<Kept>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM row WHERE number = ?1"))?;
    statement.query_row([number], |row| Ok(read(row))).optional()?.transpose()
}

/// The rows of a table that people know by this name, whatever the case; of all of them where there is no name. By name.
///
/// # Errors
/// Only the store's own.
pub fn named(connection: &Connection, table: &str, name: Option<&str>) -> Result<Vec<Kept>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM row WHERE tbl = ?1 AND (?2 IS NULL OR name = ?2 COLLATE NOCASE)
         ORDER BY name COLLATE NOCASE, id"
    ))?;
    statement.query_and_then(params![table, name], read)?.collect()
}

/// Puts a row as it stands there now; gives its number. `stale`: what the service made of it is still to be read.
///
/// # Errors
/// Only the store's own.
pub fn put(
    tx: &Transaction<'_>,
    row: &RowId,
    version: &str,
    values: &Values,
    (name, stale): (&str, bool),
) -> Result<i64> {
    let body = serde_json::to_string(values).map_err(|_| unreadable("row"))?;
    let mut statement = tx.prepare_cached(
        "INSERT INTO row (tbl, id, version, body, name, stale) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (tbl, id) DO UPDATE SET
         version = excluded.version, body = excluded.body, name = excluded.name, stale = excluded.stale
         RETURNING number",
    )?;
    let id = row.id.to_string();
    Ok(statement.query_row(params![row.table, id, version, body, name, stale], |row| row.get(0))?)
}

/// Forgets a row.
///
/// # Errors
/// Only the store's own.
pub fn remove(tx: &Transaction<'_>, row: &RowId) -> Result<()> {
    tx.prepare_cached("DELETE FROM row WHERE tbl = ?1 AND id = ?2")?
        .execute([&row.table, &row.id.to_string()])?;
    Ok(())
}

/// The versions of a table's rows; `None` for those that must be read again in any case.
///
/// # Errors
/// Only the store's own.
pub fn versions(connection: &Connection, table: &str) -> Result<Vec<(Uuid, Option<String>)>> {
    let mut statement =
        connection.prepare_cached("SELECT id, version, stale FROM row WHERE tbl = ?1")?;
    statement
        .query_and_then([table], |row| {
            let (id, version, stale): (String, String, bool) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((Uuid::parse_str(&id).map_err(|_| unreadable("id"))?, (!stale).then_some(version)))
        })?
        .collect()
}

/// How many rows of each table there are.
///
/// # Errors
/// Only the store's own.
pub fn counts(connection: &Connection) -> Result<Vec<(String, u64)>> {
    let mut statement =
        connection.prepare_cached("SELECT tbl, count(*) FROM row GROUP BY tbl ORDER BY tbl")?;
    let counted = statement.query_and_then([], |row| {
        let count: i64 = row.get(1)?;
        Ok((row.get(0)?, u64::try_from(count).unwrap_or_default()))
    })?;
    counted.collect()
}

fn read(row: &Row<'_>) -> Result<Kept> {
    let (table, id, body): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(4)?);
    Ok(Kept {
        number: row.get(0)?,
        row: RowId::new(table, Uuid::parse_str(&id).map_err(|_| unreadable("id"))?),
        version: row.get(3)?,
        values: serde_json::from_str(&body).map_err(|_| unreadable("row"))?,
        name: row.get(5)?,
    })
}
