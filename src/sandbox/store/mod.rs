//! The organisation's SQLite file: one connection, which is the one writer. A request is one
//! transaction, so that a killed process leaves whole requests behind. What the rows mean is
//! decided elsewhere.

use crate::sandbox::clock::{self, Clock};
use crate::sandbox::random::Random;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::{Kind, Table};
use crate::sandbox::security::Caller;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

mod ddl;
mod queries;
pub mod seed;

/// How long to wait for a file that another process is about to let go.
const BUSY: std::time::Duration = std::time::Duration::from_secs(2);

/// A row by SQL column.
pub type Row = BTreeMap<String, Value>;

/// The open organisation.
#[derive(Debug)]
pub struct Organisation {
    pub connection: Connection,
    pub clock: Clock,
    pub counters: Counters,
    /// The organisation's GUID.
    pub id: String,
}

/// What goes on counting from request to request.
#[derive(Debug)]
pub struct Counters {
    pub random: Random,
    /// The last row version given out.
    pub version: i64,
}

/// What every operation works with: who asks, when, and the one connection.
#[derive(Debug)]
pub struct Context<'a> {
    pub connection: &'a Connection,
    pub counters: &'a mut Counters,
    pub caller: Rc<Caller>,
    /// The GUID of the organisation.
    pub organisation: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

impl Organisation {
    /// Opens the file, and makes tables and the first rows if it is new.
    pub fn open(
        path: &Path,
        clock: Clock,
        seed: Option<u64>,
        users: &[seed::User],
    ) -> Result<Self, rusqlite::Error> {
        let mut connection = Connection::open(path)?;
        connection.set_prepared_statement_cache_capacity(512);
        connection.busy_timeout(BUSY)?;
        // Two servers on one file would give out the same row versions.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        let transaction = connection.transaction()?;
        let fresh = ddl::create(&transaction)?;
        let epoch = meta(&transaction, "epoch")?.unwrap_or(0).saturating_add(1);
        set_meta(&transaction, "epoch", epoch)?;
        let random = match seed {
            Some(seed) => Random::from_seed(seed, epoch.unsigned_abs()),
            None => Random::from_entropy(),
        };
        let mut counters =
            Counters { random, version: meta(&transaction, "version")?.unwrap_or(1_000_000) };
        if fresh {
            seed::first(&transaction, &mut counters, clock.now())?;
        }
        seed::later(&transaction, &mut counters, clock.now(), users)?;
        set_meta(&transaction, "version", counters.version)?;
        let id = transaction
            .query_row("SELECT organizationid FROM organization", [], |row| row.get(0))?;
        transaction.commit()?;
        Ok(Self { connection, clock, counters, id })
    }

    /// Runs `work` as one transaction in the name of that user. It is committed even if some of the
    /// work was refused: what was refused has rolled itself back by [`Context::atomic`].
    pub fn transact<T>(
        &mut self,
        user: &str,
        work: impl FnOnce(&mut Context<'_>) -> T,
    ) -> Result<T, Refusal> {
        let transaction =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let before = self.counters.version;
        let caller = Rc::new(Caller::load(&transaction, user)?);
        let mut context = Context {
            connection: &transaction,
            counters: &mut self.counters,
            caller,
            organisation: &self.id,
            now: self.clock.now(),
        };
        let done = work(&mut context);
        if self.counters.version == before {
            transaction.finish()?;
        } else {
            set_meta(&transaction, "version", self.counters.version)?;
            transaction.commit()?;
        }
        Ok(done)
    }
}

impl Context<'_> {
    /// All of `work` or nothing.
    pub fn atomic<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.connection.prepare_cached("SAVEPOINT part")?.execute([])?;
        let done = work(self);
        if done.is_err() {
            self.connection.prepare_cached("ROLLBACK TO part")?.execute([])?;
        }
        self.connection.prepare_cached("RELEASE part")?.execute([])?;
        done
    }

    /// The next row version.
    pub fn version(&mut self) -> i64 {
        self.counters.version += 1;
        self.counters.version
    }

    /// The time as stored text.
    pub fn time(&self) -> String {
        clock::text(self.now)
    }

    /// The row of that id with all its columns.
    pub fn row(&self, table: &Table, id: &str) -> Result<Option<Row>, Refusal> {
        Ok(row(self.connection, table, id)?)
    }

    /// The row of that id, or 404.
    pub fn existing(&self, table: &Table, id: &str) -> Result<Row, Refusal> {
        self.row(table, id)?.ok_or_else(|| Refusal::missing(table.logical, id))
    }

    /// Inserts a row as it stands and counts it for the audit.
    pub fn insert(&mut self, table: &Table, row: &Row) -> Result<(), Refusal> {
        insert(self.connection, table, row)?;
        if let Some(Value::Text(id)) = row.get(table.id) {
            self.connection
                .prepare_cached("INSERT INTO audit (logical, id, creates) VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET creates = creates + 1")?
                .execute(params![table.logical, id])?;
        }
        Ok(())
    }

    /// Sets those columns of one row.
    pub fn update(&mut self, table: &Table, id: &str, changes: &Row) -> Result<(), Refusal> {
        let columns: Vec<String> =
            changes.keys().map(|name| format!("{} = ?", quoted(name))).collect();
        if columns.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "UPDATE {} SET {} WHERE {} = ?",
            quoted(table.logical),
            columns.join(", "),
            table.id
        );
        let key = Value::Text(id.to_owned());
        self.connection
            .prepare_cached(&sql)?
            .execute(params_from_iter(changes.values().chain([&key])))?;
        Ok(())
    }

    /// Removes one row and leaves a tombstone for the change feed.
    pub fn remove(&mut self, table: &Table, id: &str) -> Result<(), Refusal> {
        let version = self.version();
        let sql = format!("DELETE FROM {} WHERE {} = ?", quoted(table.logical), table.id);
        self.connection.prepare_cached(&sql)?.execute([id])?;
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO tombstone (logical, id, versionnumber, deletedon) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![table.logical, id, version, self.now])?;
        Ok(())
    }
}

/// Inserts a row as it stands.
pub fn insert(connection: &Connection, table: &Table, row: &Row) -> Result<(), rusqlite::Error> {
    let columns: Vec<String> = row.keys().map(|name| quoted(name)).collect();
    let marks = vec!["?"; row.len()].join(", ");
    let sql =
        format!("INSERT INTO {} ({}) VALUES ({marks})", quoted(table.logical), columns.join(", "));
    connection.prepare_cached(&sql)?.execute(params_from_iter(row.values()))?;
    Ok(())
}

/// The row of that id with all its columns.
pub fn row(
    connection: &Connection,
    table: &Table,
    id: &str,
) -> Result<Option<Row>, rusqlite::Error> {
    let sql = format!("SELECT * FROM {} WHERE {} = ?", quoted(table.logical), table.id);
    let mut statement = connection.prepare_cached(&sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    statement
        .query_row([id], |row| {
            names
                .iter()
                .enumerate()
                .map(|(index, name)| Ok((name.clone(), row.get(index)?)))
                .collect()
        })
        .optional()
}

/// A name of the schema as an SQL identifier. Names come from the schema alone; the quotes are for
/// words such as `instance`.
pub fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

/// The SQL columns of a schema column: two for a lookup.
pub fn sql_columns(name: &str, kind: Kind) -> Vec<String> {
    match kind {
        Kind::Lookup { .. } => vec![name.to_owned(), format!("{name}_type")],
        _ => vec![name.to_owned()],
    }
}

/// A number kept beside the rows.
pub fn meta(connection: &Connection, key: &str) -> Result<Option<i64>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// Keeps a number beside the rows.
pub fn set_meta(connection: &Connection, key: &str, value: i64) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
        .execute(params![key, value])?;
    Ok(())
}

/// The text in a column of a row, if there is one.
pub fn text<'a>(row: &'a Row, column: &str) -> Option<&'a str> {
    match row.get(column) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

/// The number in a column of a row, if there is one.
pub fn number(row: &Row, column: &str) -> Option<i64> {
    match row.get(column) {
        Some(Value::Integer(number)) => Some(*number),
        _ => None,
    }
}
