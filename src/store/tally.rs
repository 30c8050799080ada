//! What became of the items of the mailbox, counted where they are stored: there may be very many.

use rusqlite::Connection;

use crate::model::Class;

use super::encode::unreadable;
use super::error::Result;

/// What became of an item. Each has exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Tracked,
    /// Left out, by this rule.
    Skipped(String),
    /// In the CRM, and left out by the user since.
    Untracked,
    /// It cannot be read or written.
    Aside,
    /// To be decided, perhaps once more: the user's word came after the last round.
    Pending,
}

/// How many items have become what.
///
/// # Errors
/// Only the store's own.
pub fn count(connection: &Connection, class: Class) -> Result<Vec<(Place, usize)>> {
    let mut statement = connection.prepare_cached(
        "SELECT CASE
            WHEN o.problem <> '' THEN 'aside'
            WHEN l.id IS NULL AND (d.outcome = 'tracked') <> m.tracked THEN 'pending'
            WHEN l.id IS NOT NULL AND m.tracked = 0 THEN 'untracked'
            WHEN l.id IS NOT NULL THEN 'tracked'
            WHEN d.outcome = 'failed' OR d.outcome IS NULL AND q.id IS NOT NULL THEN 'aside'
            ELSE coalesce(d.outcome, 'pending') END,
            CASE WHEN d.outcome = 'skipped' THEN d.rule ELSE '' END,
            count(*)
         FROM observation o
         LEFT JOIN decision d ON d.class = ?1 AND d.item = o.id
         LEFT JOIN link l ON l.class = ?1 AND l.item = o.id
         LEFT JOIN mark m ON m.class = ?1 AND m.uid = o.uid
         LEFT JOIN quarantine q ON q.side = 'mailbox' AND q.class = ?1 AND q.id = o.id
         WHERE o.side = 'mailbox' AND o.class = ?1
         GROUP BY 1, 2",
    )?;
    let rows = statement.query_map([class.as_str()], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, u32>(2)?))
    })?;
    rows.map(|row| {
        let (word, rule, number) = row?;
        let place = match word.as_str() {
            "tracked" => Place::Tracked,
            "skipped" => Place::Skipped(rule),
            "untracked" => Place::Untracked,
            "aside" => Place::Aside,
            "pending" => Place::Pending,
            _ => return Err(unreadable("decision")),
        };
        Ok((place, usize::try_from(number).unwrap_or(usize::MAX)))
    })
    .collect()
}
