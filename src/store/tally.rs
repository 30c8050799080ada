//! What became of the items of the mailbox, counted where they are stored: there may be very many. All tables have them in the order
//! of their ids, so that one walk along all of them at once is enough.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rusqlite::{Connection, Row, Rows, Statement};

use crate::model::Class;

use super::encode::unreadable;
use super::error::Result;
use super::mark;

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
    let marks = mark::all(connection, class)?;
    let marks: BTreeMap<&str, bool> =
        marks.iter().map(|(uid, said)| (uid.as_str(), *said)).collect();
    let mut seen = connection.prepare_cached(
        "SELECT id, uid, problem FROM observation WHERE side = 'mailbox' AND class = ?1 ORDER BY id",
    )?;
    let mut decided = connection.prepare_cached(
        "SELECT item, outcome, rule FROM decision WHERE class = ?1 ORDER BY item",
    )?;
    let mut linked =
        connection.prepare_cached("SELECT item FROM link WHERE class = ?1 ORDER BY item")?;
    let mut aside = connection.prepare_cached(
        "SELECT id FROM quarantine WHERE side = 'mailbox' AND class = ?1 ORDER BY id",
    )?;
    let mut seen = seen.query([class.as_str()])?;
    let mut decided = Along::new(&mut decided, class)?;
    let mut linked = Along::new(&mut linked, class)?;
    let mut aside = Along::new(&mut aside, class)?;
    let mut counts = Vec::new();
    while let Some(row) = seen.next()? {
        let (id, uid, problem) = (text(row, 0)?, text(row, 1)?, text(row, 2)?);
        let known = Known {
            is_readable: problem.is_empty(),
            is_linked: linked.reach(id)?.is_some(),
            is_aside: aside.reach(id)?.is_some(),
            mark: marks.get(uid).copied(),
            decision: decided.reach(id)?,
        };
        known.count(&mut counts)?;
    }
    Ok(counts)
}

/// What is known of an item.
struct Known<'a> {
    is_readable: bool,
    is_linked: bool,
    is_aside: bool,
    mark: Option<bool>,
    /// Outcome and rule.
    decision: Option<&'a [String]>,
}

impl Known<'_> {
    fn count(&self, counts: &mut Vec<(Place, usize)>) -> Result<()> {
        let outcome = self.decision.and_then(<[String]>::first).map(String::as_str);
        let is_tracked = outcome == Some("tracked");
        let place = match (outcome, self.mark) {
            _ if !self.is_readable => Place::Aside,
            (_, Some(false)) if self.is_linked => Place::Untracked,
            _ if self.is_linked => Place::Tracked,
            (Some(_), Some(said)) if said != is_tracked => Place::Pending,
            (Some("tracked"), _) => Place::Tracked,
            (Some("failed"), _) => Place::Aside,
            (Some("pending"), _) => Place::Pending,
            (None, _) => {
                if self.is_aside {
                    Place::Aside
                } else {
                    Place::Pending
                }
            }
            (Some("skipped"), _) => return self.skipped(counts),
            (Some(_), _) => return Err(unreadable("decision")),
        };
        add(counts, |other| *other == place, || place.clone());
        Ok(())
    }

    fn skipped(&self, counts: &mut Vec<(Place, usize)>) -> Result<()> {
        let [_, rule] = self.decision.unwrap_or_default() else {
            return Err(unreadable("decision"));
        };
        let is_it = |place: &Place| matches!(place, Place::Skipped(other) if other == rule);
        add(counts, is_it, || Place::Skipped(rule.clone()));
        Ok(())
    }
}

/// One more. There are few places, and nothing is allocated for one that is known.
fn add(
    counts: &mut Vec<(Place, usize)>,
    is_it: impl Fn(&Place) -> bool,
    new: impl FnOnce() -> Place,
) {
    match counts.iter_mut().find(|(place, _)| is_it(place)) {
        Some((_, number)) => *number += 1,
        None => counts.push((new(), 1)),
    }
}

/// A walk along a table in the order of its first column.
struct Along<'a> {
    rows: Rows<'a>,
    /// Where it stands.
    id: String,
    /// What stands there besides.
    columns: Vec<String>,
    is_over: bool,
}

impl<'a> Along<'a> {
    fn new(statement: &'a mut Statement<'_>, class: Class) -> Result<Self> {
        let columns = vec![String::new(); statement.column_count().saturating_sub(1)];
        let rows = statement.query([class.as_str()])?;
        let mut walk = Self { rows, id: String::new(), columns, is_over: false };
        walk.go_on()?;
        Ok(walk)
    }

    /// What stands beside this id, if it is there. Ids are asked for in their order.
    fn reach(&mut self, id: &str) -> Result<Option<&[String]>> {
        while !self.is_over {
            match self.id.as_str().cmp(id) {
                Ordering::Less => self.go_on()?,
                Ordering::Equal => return Ok(Some(&self.columns)),
                Ordering::Greater => return Ok(None),
            }
        }
        Ok(None)
    }

    fn go_on(&mut self) -> Result<()> {
        let Some(row) = self.rows.next()? else {
            self.is_over = true;
            return Ok(());
        };
        let columns = std::iter::once(&mut self.id).chain(&mut self.columns);
        for (number, column) in columns.enumerate() {
            column.clear();
            column.push_str(text(row, number)?);
        }
        Ok(())
    }
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str> {
    Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}
