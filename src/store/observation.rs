//! What each side was last seen to hold.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Class, Content, ItemId, Side, Traits, Uid, Version};

use super::encode::{read_fields, read_traits, write_fields, write_traits};
use super::error::Result;
use super::round::RoundId;
use super::transaction::Transaction;

/// An item as it was seen. Without content and without a problem it was listed, but not read.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    pub side: Side,
    pub class: Class,
    pub id: ItemId,
    pub version: Version,
    pub content: Option<Content>,
    /// Why this version cannot be read.
    pub problem: Option<String>,
}

/// What is known of an item without its fields: enough to tell whether it takes part.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    pub version: Version,
    /// `None` when it was not read.
    pub uid: Option<Uid>,
    pub traits: Traits,
    /// Why this version cannot be read.
    pub problem: Option<String>,
}

/// Whether nothing of a class was ever seen, or nothing is left of it.
///
/// # Errors
/// Only the store's own.
pub fn is_empty(connection: &Connection, side: Side, class: Class) -> Result<bool> {
    let any = "SELECT 1 FROM observation WHERE side = ?1 AND class = ?2 LIMIT 1";
    Ok(!connection.prepare_cached(any)?.exists([side.as_str(), class.as_str()])?)
}

/// Id and version of everything seen of a class.
///
/// # Errors
/// Only the store's own.
pub fn versions(
    connection: &Connection,
    side: Side,
    class: Class,
) -> Result<BTreeMap<ItemId, Version>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, version FROM observation WHERE side = ?1 AND class = ?2 ORDER BY id",
    )?;
    statement
        .query_and_then([side.as_str(), class.as_str()], |row| {
            Ok((ItemId::new(row.get::<_, String>(0)?), Version::new(row.get::<_, String>(1)?)))
        })?
        .collect()
}

/// Id and version of these items, of those that are there.
///
/// # Errors
/// Only the store's own.
pub fn versions_of<'a>(
    connection: &Connection,
    side: Side,
    class: Class,
    ids: impl IntoIterator<Item = &'a ItemId>,
) -> Result<BTreeMap<ItemId, Version>> {
    let mut statement = connection.prepare_cached(
        "SELECT version FROM observation WHERE side = ?1 AND class = ?2 AND id = ?3",
    )?;
    let mut found = BTreeMap::new();
    for id in ids {
        let version: Option<String> = statement
            .query_row([side.as_str(), class.as_str(), id.as_str()], |row| row.get(0))
            .optional()?;
        found.extend(version.map(|version| (id.clone(), Version::new(version))));
    }
    Ok(found)
}

/// The items that could not be read, and are to be read again: those of the version `unread`.
///
/// # Errors
/// Only the store's own.
pub fn unread(connection: &Connection, side: Side, class: Class) -> Result<Vec<ItemId>> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM observation WHERE side = ?1 AND class = ?2 AND version = 'unread'",
    )?;
    let rows = statement.query_map([side.as_str(), class.as_str()], |row| {
        Ok(ItemId::new(row.get::<_, String>(0)?))
    })?;
    Ok(rows.collect::<std::result::Result<_, _>>()?)
}

/// How many items of a class were seen.
///
/// # Errors
/// Only the store's own.
pub fn count(connection: &Connection, side: Side, class: Class) -> Result<usize> {
    let mut statement = connection
        .prepare_cached("SELECT count(*) FROM observation WHERE side = ?1 AND class = ?2")?;
    let count: u32 = statement.query_row([side.as_str(), class.as_str()], |row| row.get(0))?;
    Ok(count as usize)
}

/// What is known of these items, of those that are there.
///
/// # Errors
/// Only the store's own.
pub fn of(
    connection: &Connection,
    side: Side,
    class: Class,
    ids: &[ItemId],
) -> Result<Vec<Observation>> {
    let mut statement = connection.prepare_cached(
        "SELECT uid, traits, fields, version, problem FROM observation
         WHERE side = ?1 AND class = ?2 AND id = ?3",
    )?;
    let mut found = Vec::new();
    for id in ids {
        let mut rows = statement.query([side.as_str(), class.as_str(), id.as_str()])?;
        let Some(row) = rows.next()? else { continue };
        let is_read = !row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?.is_empty();
        let problem: String = row.get(4)?;
        found.push(Observation {
            side,
            class,
            id: id.clone(),
            version: Version::new(row.get::<_, String>(3)?),
            content: if is_read { Some(content(row)?) } else { None },
            problem: (!problem.is_empty()).then_some(problem),
        });
    }
    Ok(found)
}

/// The content of the items after this one, in the order of their ids, of those that have been read.
///
/// # Errors
/// Only the store's own.
pub fn contents_after(
    connection: &Connection,
    side: Side,
    class: Class,
    after: &str,
    limit: u32,
) -> Result<Vec<(ItemId, Content)>> {
    let mut statement = connection.prepare_cached(
        "SELECT uid, traits, fields, id FROM observation
         WHERE side = ?1 AND class = ?2 AND id > ?3 AND traits <> '' AND problem = ''
         ORDER BY id LIMIT ?4",
    )?;
    statement
        .query_and_then(params![side.as_str(), class.as_str(), after, limit], |row| {
            Ok((ItemId::new(row.get::<_, String>(3)?), content(row)?))
        })?
        .collect()
}

/// What is known of these items, without fields.
///
/// # Errors
/// Only the store's own.
pub fn heads_of(
    connection: &Connection,
    side: Side,
    class: Class,
    ids: &BTreeSet<ItemId>,
) -> Result<BTreeMap<ItemId, Head>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, version, uid, problem, traits FROM observation
         WHERE side = ?1 AND class = ?2 AND id = ?3",
    )?;
    let mut found = BTreeMap::new();
    for id in ids {
        let read = statement
            .query_row([side.as_str(), class.as_str(), id.as_str()], |row| Ok(head(row)))
            .optional()?;
        if let Some(head) = read {
            found.insert(id.clone(), head?);
        }
    }
    Ok(found)
}

/// Everything seen of a class, without fields.
///
/// # Errors
/// Only the store's own.
pub fn heads(connection: &Connection, side: Side, class: Class) -> Result<BTreeMap<ItemId, Head>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, version, uid, problem, traits FROM observation
         WHERE side = ?1 AND class = ?2 ORDER BY id",
    )?;
    statement
        .query_and_then([side.as_str(), class.as_str()], |row| {
            Ok((ItemId::new(row.get::<_, String>(0)?), head(row)?))
        })?
        .collect()
}

/// The content of these items, of those that have been read.
///
/// # Errors
/// Only the store's own.
pub fn contents(
    connection: &Connection,
    side: Side,
    class: Class,
    ids: &[ItemId],
) -> Result<BTreeMap<ItemId, Content>> {
    let mut statement = connection.prepare_cached(
        "SELECT uid, traits, fields FROM observation
         WHERE side = ?1 AND class = ?2 AND id = ?3 AND traits <> ''",
    )?;
    let mut found = BTreeMap::new();
    for id in ids {
        let read = statement
            .query_row([side.as_str(), class.as_str(), id.as_str()], |row| Ok(content(row)))
            .optional()?;
        if let Some(content) = read {
            found.insert(id.clone(), content?);
        }
    }
    Ok(found)
}

/// Records what was seen in this round; what was known of these items before is replaced.
///
/// # Errors
/// Only the store's own.
pub fn upsert(tx: &Transaction<'_>, round: RoundId, observations: &[Observation]) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO observation (side, class, id, version, uid, problem, seen_round, traits, fields)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (side, class, id) DO UPDATE SET
         version = excluded.version, uid = excluded.uid, problem = excluded.problem,
         seen_round = excluded.seen_round, traits = excluded.traits, fields = excluded.fields",
    )?;
    for observation in observations {
        let (uid, traits, fields) = match &observation.content {
            Some(content) => (
                content.uid.as_str(),
                write_traits(&content.traits)?,
                write_fields(&content.fields)?,
            ),
            None => ("", String::new(), String::new()),
        };
        statement.execute(params![
            observation.side.as_str(),
            observation.class.as_str(),
            observation.id.as_str(),
            observation.version.as_str(),
            uid,
            observation.problem.as_deref().unwrap_or_default(),
            round.0,
            traits,
            fields,
        ])?;
    }
    Ok(())
}

/// Forgets at which versions items were seen: each is `unread` from now on.
///
/// # Errors
/// Only the store's own.
pub fn doubt(tx: &Transaction<'_>, side: Side, class: Class, unread: &str) -> Result<()> {
    let mut statement =
        tx.prepare_cached("UPDATE observation SET version = ?3 WHERE side = ?1 AND class = ?2")?;
    statement.execute([side.as_str(), class.as_str(), unread])?;
    Ok(())
}

/// Forgets items that are gone.
///
/// # Errors
/// Only the store's own.
pub fn remove(tx: &Transaction<'_>, side: Side, class: Class, ids: &[ItemId]) -> Result<()> {
    let mut statement =
        tx.prepare_cached("DELETE FROM observation WHERE side = ?1 AND class = ?2 AND id = ?3")?;
    for id in ids {
        statement.execute([side.as_str(), class.as_str(), id.as_str()])?;
    }
    Ok(())
}

fn head(row: &Row<'_>) -> Result<Head> {
    let uid: String = row.get(2)?;
    let problem: String = row.get(3)?;
    let traits: String = row.get(4)?;
    let is_read = !traits.is_empty();
    Ok(Head {
        version: Version::new(row.get::<_, String>(1)?),
        uid: is_read.then(|| Uid::new(uid)),
        traits: if is_read { read_traits(&traits)? } else { Traits::default() },
        problem: (!problem.is_empty()).then_some(problem),
    })
}

fn content(row: &Row<'_>) -> Result<Content> {
    Ok(Content {
        uid: Uid::new(row.get::<_, String>(0)?),
        traits: read_traits(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?,
        fields: read_fields(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?,
    })
}
