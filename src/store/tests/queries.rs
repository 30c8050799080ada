//! Every statement of the store is one the layout knows, and none reads a whole table unless it says so here.

use rusqlite::StatementStatus;

use crate::store::Store;

const SOURCES: &[&str] = &[
    include_str!("../conflict.rs"),
    include_str!("../cursor.rs"),
    include_str!("../decision.rs"),
    include_str!("../hold.rs"),
    include_str!("../journal.rs"),
    include_str!("../link.rs"),
    include_str!("../meta.rs"),
    include_str!("../observation.rs"),
    include_str!("../quarantine.rs"),
    include_str!("../round.rs"),
    include_str!("../settled.rs"),
    include_str!("../tally.rs"),
    include_str!("../touched.rs"),
];

/// Short tables, read whole on purpose; `round` and `journal` by their keys, from one end.
const SCANS: &[&str] = &[
    "SELECT hold, key, subject, text, digest FROM held ORDER BY hold, class, key",
    "SELECT id, class, reason, created, round FROM hold ORDER BY id",
    "DELETE FROM hold WHERE NOT EXISTS (SELECT 1 FROM held WHERE held.hold = hold.id)",
    "SELECT id, link, field, mailbox, crm, winner, choice, created, settled, round FROM conflict ORDER BY id",
    "SELECT id, started, finished, trigger, report FROM round ORDER BY id DESC LIMIT ?1",
    "SELECT name FROM touched",
    "SELECT at FROM journal WHERE outcome NOT IN ('intended', 'unknown') ORDER BY id LIMIT 1",
    "DELETE FROM journal WHERE at < ?1 AND id IN ( SELECT id FROM journal WHERE outcome NOT IN ('intended', 'unknown') ORDER BY id LIMIT ?2) RETURNING round",
];

fn statements() -> Vec<String> {
    SOURCES
        .iter()
        .flat_map(|source| source.split('"').skip(1).step_by(2))
        .map(|literal| literal.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|text| {
            ["SELECT ", "INSERT ", "UPDATE ", "DELETE "].iter().any(|verb| text.starts_with(verb))
        })
        .collect()
}

#[test]
fn every_statement_finds_its_rows_by_an_index() {
    let store = Store::in_memory().unwrap();
    let statements = statements();
    assert!(statements.len() > 40, "the sources are not read right: {}", statements.len());
    for sql in &statements {
        let plan: Vec<String> = store
            .read_blocking(|connection| {
                let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let parameters = vec![rusqlite::types::Null; statement.parameter_count()];
                let rows = statement
                    .query_map(rusqlite::params_from_iter(parameters), |row| row.get("detail"))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let scans = plan.iter().any(|step| step.starts_with("SCAN") && !is_partial(step));
        assert_eq!(scans, SCANS.contains(&sql.as_str()), "{sql}\n{plan:#?}");
    }
    assert!(SCANS.iter().all(|sql| statements.iter().any(|known| known == sql)));
}

/// A table of its own for each run costs more than the row that is stored.
#[test]
fn what_is_done_for_every_item_makes_no_tables() {
    let store = Store::in_memory().unwrap();
    for table in ["observation", "decision", "link", "journal"] {
        let is_meant = |sql: &&String| sql.starts_with(&format!("INSERT INTO {table} "));
        for sql in statements().iter().filter(is_meant) {
            let plain = sql.split(" ON CONFLICT").next().unwrap();
            let made: Vec<String> = store
                .read_blocking(|connection| {
                    let mut statement = connection.prepare(&format!("EXPLAIN {plain}"))?;
                    let parameters = vec![rusqlite::types::Null; statement.parameter_count()];
                    let rows = statement
                        .query_map(rusqlite::params_from_iter(parameters), |row| {
                            row.get("opcode")
                        })?;
                    Ok(rows.collect::<Result<_, _>>()?)
                })
                .unwrap();
            assert!(made.len() > 5 && !made.contains(&"OpenEphemeral".to_owned()), "{sql}");
        }
    }
}

/// A scan of an index that holds only the rows in question.
fn is_partial(step: &str) -> bool {
    ["conflict_open", "conflict_choice", "journal_open", "decision_open"]
        .iter()
        .any(|index| step.contains(index))
}

#[test]
fn statements_are_prepared_once() {
    let store = Store::in_memory().unwrap();
    store
        .write_blocking(|tx| {
            for _ in 0..3 {
                crate::store::meta::set(tx, "key", "value")?;
            }
            let statement = tx.prepare_cached(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?;
            assert_eq!(statement.get_status(StatementStatus::Run), 3);
            Ok(())
        })
        .unwrap();
}
