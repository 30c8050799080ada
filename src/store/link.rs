//! What belongs together, and what each side said when both last agreed (the bases, in a table of their own so that a
//! scan of all links does not load them).

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Bases, Class, ItemId, Link, LinkId, LinkState, Side, Uid, Version};

use super::encode::{read_class, read_fields, read_side, read_side_or_none, write_fields};
use super::error::{Error, ErrorKind, Result};
use super::transaction::Transaction;

/// All links of a class, without bases, by item.
///
/// # Errors
/// Only the store's own.
pub fn all(connection: &Connection, class: Class) -> Result<Vec<Link>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, class, item, record, uid, origin, gone, item_version, record_version
         FROM link WHERE class = ?1 ORDER BY item",
    )?;
    statement.query_and_then([class.as_str()], from_row)?.collect()
}

/// The names of linked items that are not there, and whether that is nothing new.
///
/// # Errors
/// Only the store's own.
pub fn astray(connection: &Connection, class: Class) -> Result<BTreeMap<Uid, bool>> {
    let mut statement = connection.prepare_cached(
        "SELECT uid, gone = 'mailbox' FROM link WHERE class = ?1 AND NOT EXISTS (
         SELECT 1 FROM observation WHERE side = 'mailbox' AND observation.class = ?1 AND id = link.item)",
    )?;
    let rows = statement
        .query_map([class.as_str()], |row| Ok((Uid::new(row.get::<_, String>(0)?), row.get(1)?)))?;
    Ok(rows.collect::<std::result::Result<_, _>>()?)
}

/// How many links of a class are kept in step, and how many are released.
///
/// # Errors
/// Only the store's own.
pub fn count(connection: &Connection, class: Class) -> Result<(u32, u32)> {
    let mut statement = connection
        .prepare_cached("SELECT COUNT(*), COUNT(NULLIF(gone, '')) FROM link WHERE class = ?1")?;
    let counted = |row: &Row<'_>| Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?));
    let (all, released) = statement.query_row([class.as_str()], counted)?;
    Ok((all - released, released))
}

/// How many active links have a record that was not among those seen last.
///
/// # Errors
/// Only the store's own.
pub fn resting(connection: &Connection, class: Class) -> Result<usize> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM link WHERE class = ?1 AND gone = '' AND NOT EXISTS (
         SELECT 1 FROM observation WHERE side = 'crm' AND class = ?1 AND id = link.record)",
    )?;
    let count: u32 = statement.query_row([class.as_str()], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Forgets at which versions nothing was left to settle: each pair is looked at again.
///
/// # Errors
/// Only the store's own.
pub fn doubt(tx: &Transaction<'_>, class: Class) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE link SET item_version = '', record_version = '' WHERE class = ?1",
    )?;
    statement.execute([class.as_str()])?;
    Ok(())
}

/// The bases of these links, of those that have some.
///
/// # Errors
/// Only the store's own.
pub fn bases(connection: &Connection, links: &[LinkId]) -> Result<BTreeMap<LinkId, Bases>> {
    let mut found = BTreeMap::new();
    for link in links {
        if let Some(bases) = bases_of(connection, *link)? {
            found.insert(*link, bases);
        }
    }
    Ok(found)
}

/// The link of an item, with its bases.
///
/// # Errors
/// Only the store's own.
pub fn by_item(connection: &Connection, class: Class, item: &ItemId) -> Result<Option<Link>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, class, item, record, uid, origin, gone, item_version, record_version
         FROM link WHERE class = ?1 AND item = ?2",
    )?;
    let link = statement
        .query_row([class.as_str(), item.as_str()], |row| Ok(from_row(row)))
        .optional()?
        .transpose()?;
    with_bases(connection, link)
}

/// The link of a record, with its bases.
///
/// # Errors
/// Only the store's own.
pub fn by_record(connection: &Connection, class: Class, record: &ItemId) -> Result<Option<Link>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, class, item, record, uid, origin, gone, item_version, record_version
         FROM link WHERE class = ?1 AND record = ?2",
    )?;
    let link = statement
        .query_row([class.as_str(), record.as_str()], |row| Ok(from_row(row)))
        .optional()?
        .transpose()?;
    with_bases(connection, link)
}

/// One link, with its bases.
///
/// # Errors
/// Only the store's own.
pub fn get(connection: &Connection, id: LinkId) -> Result<Option<Link>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, class, item, record, uid, origin, gone, item_version, record_version
         FROM link WHERE id = ?1",
    )?;
    let link = statement.query_row([id.0], |row| Ok(from_row(row))).optional()?.transpose()?;
    with_bases(connection, link)
}

/// Makes a link. The number it carries is not used: the store gives the next one and returns it.
///
/// # Errors
/// [`ErrorKind::Exists`] when the item or the record is linked already; the transaction can go on.
pub fn insert(tx: &Transaction<'_>, link: &Link) -> Result<LinkId> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO link (class, item, record, uid, origin, gone, item_version, record_version)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute(params![
        link.class.as_str(),
        link.item.as_str(),
        link.record.as_str(),
        link.uid.as_str(),
        link.origin.as_str(),
        gone(link.state),
        version(link.item_version.as_ref()),
        version(link.record_version.as_ref()),
    ])?;
    let id = LinkId(tx.last_insert_rowid());
    set_bases(tx, id, link.bases.as_deref())?;
    Ok(id)
}

/// Writes what changes in the life of a link: addresses, name, state, versions, and bases where it carries some.
/// A link without bases keeps those that are stored.
///
/// # Errors
/// [`ErrorKind::Missing`] when there is no such link, [`ErrorKind::Exists`] when another has its item or record.
pub fn update(tx: &Transaction<'_>, link: &Link) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE link SET item = ?2, record = ?3, uid = ?4, gone = ?5, item_version = ?6, record_version = ?7
         WHERE id = ?1",
    )?;
    let changed = statement.execute(params![
        link.id.0,
        link.item.as_str(),
        link.record.as_str(),
        link.uid.as_str(),
        gone(link.state),
        version(link.item_version.as_ref()),
        version(link.record_version.as_ref()),
    ])?;
    if changed == 0 {
        return Err(Error::new(ErrorKind::Missing, format!("there is no link {}", link.id)));
    }
    set_bases(tx, link.id, link.bases.as_deref())
}

/// Forgets links, with their bases. Their numbers are never used again.
///
/// # Errors
/// Only the store's own.
pub fn remove(tx: &Transaction<'_>, links: &[LinkId]) -> Result<()> {
    let mut statement = tx.prepare_cached("DELETE FROM link WHERE id = ?1")?;
    for link in links {
        statement.execute([link.0])?;
    }
    Ok(())
}

/// Releases every active link of a class, as if this half had been deleted and the other were to stay.
/// Returns how many there were.
///
/// # Errors
/// Only the store's own.
pub fn release_all(tx: &Transaction<'_>, class: Class, gone: Side) -> Result<usize> {
    let mut statement =
        tx.prepare_cached("UPDATE link SET gone = ?2 WHERE class = ?1 AND gone = ''")?;
    Ok(statement.execute([class.as_str(), gone.as_str()])?)
}

fn from_row(row: &Row<'_>) -> Result<Link> {
    let text = |index: usize| row.get_ref(index)?.as_str().map_err(rusqlite::Error::from);
    Ok(Link {
        id: LinkId(row.get(0)?),
        class: read_class(text(1)?)?,
        item: ItemId::new(text(2)?),
        record: ItemId::new(text(3)?),
        uid: Uid::new(text(4)?),
        origin: read_side(text(5)?)?,
        state: match read_side_or_none(text(6)?)? {
            None => LinkState::Active,
            Some(gone) => LinkState::Released { gone },
        },
        item_version: settled(text(7)?),
        record_version: settled(text(8)?),
        bases: None,
    })
}

fn gone(state: LinkState) -> &'static str {
    match state {
        LinkState::Active => "",
        LinkState::Released { gone } => gone.as_str(),
    }
}

/// An empty version counts as none: the side is looked at once more, which is the safe mistake.
fn version(version: Option<&Version>) -> &str {
    version.map_or("", Version::as_str)
}

fn settled(version: &str) -> Option<Version> {
    (!version.is_empty()).then(|| Version::new(version))
}

fn with_bases(connection: &Connection, link: Option<Link>) -> Result<Option<Link>> {
    let Some(mut link) = link else { return Ok(None) };
    link.bases = bases_of(connection, link.id)?.map(Box::new);
    Ok(Some(link))
}

fn bases_of(connection: &Connection, link: LinkId) -> Result<Option<Bases>> {
    let mut statement =
        connection.prepare_cached("SELECT item, record FROM base WHERE link = ?1")?;
    statement
        .query_row([link.0], |row| {
            let item = read_fields(row.get_ref(0)?.as_str()?);
            let record = read_fields(row.get_ref(1)?.as_str()?);
            Ok(item.and_then(|item| Ok(Bases { item, record: record? })))
        })
        .optional()?
        .transpose()
}

fn set_bases(tx: &Transaction<'_>, link: LinkId, bases: Option<&Bases>) -> Result<()> {
    let Some(bases) = bases else { return Ok(()) };
    let mut statement = tx.prepare_cached(
        "INSERT INTO base (link, item, record) VALUES (?1, ?2, ?3)
         ON CONFLICT (link) DO UPDATE SET item = excluded.item, record = excluded.record",
    )?;
    statement.execute(params![link.0, write_fields(&bases.item)?, write_fields(&bases.record)?])?;
    Ok(())
}
