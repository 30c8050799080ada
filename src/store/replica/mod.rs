//! The offline copy of one organisation: rows, what the user changed of them, and the words to find them by. One file an
//! organisation, beside the store of the sync and independent of it. As the rest of the store it decides nothing.

use std::path::Path;

use super::migrate::Migration;
use super::{PATIENCE, Result, Store};

pub mod collision;
pub mod definition;
pub mod outbox;
pub mod refresh;
pub mod row;
pub mod search;

/// All steps in order. A released step is never changed: add another.
const MIGRATIONS: &[Migration] = &[&[
    include_str!("../migrations/0001_meta.sql"),
    include_str!("migrations/0001_row.sql"),
    include_str!("migrations/0001_outbox.sql"),
    include_str!("migrations/0001_collision.sql"),
    include_str!("migrations/0001_definition.sql"),
    include_str!("migrations/0001_refresh.sql"),
    include_str!("migrations/0001_search.sql"),
]];

/// Whether the user went offline, under this key of `meta`: since when and until when, as the caller wrote it.
pub const AWAY: &str = "away";

/// Opens the offline copy in this file, made when it is not there.
///
/// # Errors
/// As for [`Store::open`].
pub fn open(path: &Path) -> Result<Store> {
    Store::open_with(path, PATIENCE, MIGRATIONS)
}

/// How many bytes the copy takes.
///
/// # Errors
/// Only the store's own.
pub fn size(connection: &super::Connection) -> Result<u64> {
    let size: i64 = connection.query_row(
        "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        [],
        |row| row.get(0),
    )?;
    Ok(u64::try_from(size).unwrap_or_default())
}
