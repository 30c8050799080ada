//! The counts of items are those that a question about each single item adds up to.

use std::collections::BTreeMap;

use rusqlite::params;

use super::in_a_store;
use crate::model::Class;
use crate::store::Result;
use crate::store::Transaction;
use crate::store::tally::{self, Place};

/// The place of each item, looked up for each by itself.
const ONE_BY_ONE: &str = "SELECT CASE
    WHEN o.problem <> '' THEN 'aside'
    WHEN l.id IS NULL AND (d.outcome = 'tracked') <> m.tracked THEN 'pending'
    WHEN l.id IS NOT NULL AND m.tracked = 0 THEN 'untracked'
    WHEN l.id IS NOT NULL THEN 'tracked'
    WHEN d.outcome = 'failed' OR d.outcome IS NULL AND q.id IS NOT NULL THEN 'aside'
    WHEN d.outcome = 'skipped' THEN 'skipped: ' || d.rule
    ELSE coalesce(d.outcome, 'pending') END, count(*)
 FROM observation o
 LEFT JOIN decision d ON d.class = o.class AND d.item = o.id
 LEFT JOIN link l ON l.class = o.class AND l.item = o.id
 LEFT JOIN mark m ON m.class = o.class AND m.uid = o.uid
 LEFT JOIN quarantine q ON q.side = 'mailbox' AND q.class = o.class AND q.id = o.id
 WHERE o.side = 'mailbox' AND o.class = ?1
 GROUP BY 1";

fn one_by_one(tx: &Transaction<'_>, class: Class) -> Result<BTreeMap<String, usize>> {
    let mut statement = tx.prepare(ONE_BY_ONE)?;
    let rows = statement
        .query_map([class.as_str()], |row| Ok((row.get(0)?, row.get::<_, u32>(1)? as usize)))?;
    Ok(rows.collect::<std::result::Result<_, _>>()?)
}

fn counted(tx: &Transaction<'_>, class: Class) -> Result<BTreeMap<String, usize>> {
    let counts = tally::count(tx, class)?.into_iter();
    let named = counts.map(|(place, number)| {
        let name = match place {
            Place::Tracked => "tracked".to_owned(),
            Place::Skipped(rule) => format!("skipped: {rule}"),
            Place::Untracked => "untracked".to_owned(),
            Place::Aside => "aside".to_owned(),
            Place::Pending => "pending".to_owned(),
        };
        (name, number)
    });
    Ok(named.collect())
}

/// What is known of an item beside the item: a number says which of it.
fn know(tx: &Transaction<'_>, class: &str, id: &str, number: usize) -> Result<()> {
    let decisions =
        ["", "tracked by", "skipped junk", "skipped unasked", "pending wait", "failed broken"];
    if let Some((outcome, rule)) = decisions[number % 6].split_once(' ') {
        tx.execute(
            "INSERT INTO decision (class, item, outcome, rule, round, at) VALUES (?1, ?2, ?3, ?4, 1, 0)",
            [class, id, outcome, rule],
        )?;
    }
    if number / 6 % 2 == 1 {
        tx.execute(
            "INSERT INTO link (class, item, record, uid, origin) VALUES (?1, ?2, ?2, ?2, 'mailbox')",
            [class, id],
        )?;
    }
    if number / 12 % 2 == 1 {
        tx.execute(
            "INSERT INTO quarantine (side, class, id, version, reason, attempts, since)
             VALUES ('mailbox', ?1, ?2, '1', 'why', 1, 0)",
            [class, id],
        )?;
    }
    if let Some(said) = [None, Some(true), Some(false)][number / 24 % 3] {
        tx.execute(
            "INSERT INTO mark (class, uid, tracked, at) VALUES (?1, 'uid of ' || ?2, ?3, 0)",
            params![class, id, said],
        )?;
    }
    Ok(())
}

/// How much may be known: an outcome or none, a link, a place aside, a mark.
const KINDS: usize = 6 * 2 * 2 * 3;

#[test]
fn items_are_counted_as_one_by_one() {
    in_a_store(|tx, _| {
        for class in ["email", "contact"] {
            for number in 0..KINDS * 3 {
                // Neither in the order of what is known, nor each beside the one that was stored before.
                let id = format!("{:03}", number * 7 % (KINDS * 3));
                know(tx, class, &id, number)?;
                // Some readable, some not, and some of which something is known that are not there.
                if number < KINDS * 2 {
                    let problem = if number < KINDS { "" } else { "unreadable" };
                    tx.execute(
                        "INSERT INTO observation (side, class, id, version, uid, problem, seen_round)
                         VALUES ('mailbox', ?1, ?2, '1', 'uid of ' || ?2, ?3, 1)",
                        [class, &id, problem],
                    )?;
                }
            }
            tx.execute(
                "INSERT INTO observation (side, class, id, version, seen_round) VALUES ('crm', ?1, '000', '1', 1)",
                [class],
            )?;
        }
        let counts = counted(tx, Class::Email)?;
        assert_eq!(counts, one_by_one(tx, Class::Email)?);
        assert_eq!(counts.values().sum::<usize>(), KINDS * 2);
        assert_eq!(counts.len(), 6, "{counts:?}");
        assert_eq!(counted(tx, Class::Contact)?, counts);
        assert_eq!(counted(tx, Class::Task)?, BTreeMap::new());
        Ok(())
    });
}
