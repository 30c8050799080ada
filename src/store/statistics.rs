//! How much is in a store, by table: numbers only.

use rusqlite::Connection;

use super::error::Result;

/// How large a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// The version of its tables.
    pub version: i64,
    /// Of the file, without its write-ahead log.
    pub bytes: u64,
    /// The tables, by name, and how many rows each has.
    pub tables: Vec<(String, u64)>,
}

/// Counts everything.
///
/// # Errors
/// Only the store's own.
pub fn of(connection: &Connection) -> Result<Statistics> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0));
    let (pages, size): (i64, i64) = (pragma("page_count")?, pragma("page_size")?);
    let mut names = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut tables = Vec::new();
    for name in names {
        let count = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
        let rows: i64 = connection.query_row(&count, [], |row| row.get(0))?;
        tables.push((name, rows.unsigned_abs()));
    }
    Ok(Statistics {
        version: pragma("user_version")?,
        bytes: (pages * size).unsigned_abs(),
        tables,
    })
}
