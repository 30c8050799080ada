//! What tests steer and count under `/sandbox/`: faults, the budget, tokens, privileges, requests,
//! and an audit of creates.

use super::faults::Order;
use super::{Server, lock, parse, shown};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema;
use crate::sandbox::security::Depth;
use crate::sandbox::service::message::Reply;
use crate::sandbox::store::{quoted, seed};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

/// One administration request.
pub(super) fn handle(server: &Server, method: &str, path: &str, body: &[u8]) -> Reply {
    let done = match (method, path) {
        ("GET", "/sandbox/requests") => Ok(shown(&lock(&server.limits).report())),
        ("DELETE", "/sandbox/requests") => {
            lock(&server.limits).reset();
            Ok(Reply::empty())
        }
        ("GET", "/sandbox/faults") => Ok(shown(&json!(lock(&server.faults).waiting()))),
        ("POST", "/sandbox/faults") => order(server, body),
        ("DELETE", "/sandbox/faults") => {
            lock(&server.faults).clear();
            Ok(Reply::empty())
        }
        ("POST", "/sandbox/throttle") => throttle(server, body),
        ("POST", "/sandbox/expire") => expire(server, body),
        ("POST", "/sandbox/privileges") => privilege(server, body),
        ("GET", "/sandbox/audit") => {
            audit(&lock(&server.organisation).connection).map(|audit| shown(&audit))
        }
        _ => Err(Refusal::no_resource(path)),
    };
    done.unwrap_or_else(|refusal| Reply::json(refusal.status, &refusal.body(false)))
}

fn order(server: &Server, body: &[u8]) -> Result<Reply, Refusal> {
    if lock(&server.faults).add(parse::<Order>(body)?) {
        Ok(Reply::empty())
    } else {
        Err(Refusal::argument("Too many faults are waiting."))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Throttle {
    /// Requests a user may send in five minutes; `null` lifts the limit.
    requests: Option<u32>,
}

fn throttle(server: &Server, body: &[u8]) -> Result<Reply, Refusal> {
    let throttle: Throttle = parse(body)?;
    lock(&server.limits).set_budget(throttle.requests);
    Ok(Reply::empty())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expire {
    user: String,
}

/// The user's token is refused from now on; the new one stands in the file.
fn expire(server: &Server, body: &[u8]) -> Result<Reply, Refusal> {
    let expire: Expire = parse(body)?;
    let mut tokens = lock(&server.tokens);
    if tokens.of(&expire.user).is_none() {
        return Err(Refusal::argument(format!("There is no user '{}'.", expire.user)));
    }
    tokens.expire(&expire.user).map_err(|error| {
        Refusal::new(500, "", format!("The token file could not be written: {error}."))
    })?;
    Ok(Reply::empty())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    user: String,
    /// `prvReadContact`
    privilege: String,
    /// `Basic`, `Local`, `Deep` or `Global`; `null` takes the privilege away.
    depth: Option<String>,
}

/// The user's roles are folded into one of the user's own, and that is changed.
fn privilege(server: &Server, body: &[u8]) -> Result<Reply, Refusal> {
    let wanted: Grant = parse(body)?;
    let depth = match &wanted.depth {
        Some(name) => Some(
            Depth::parse(name)
                .ok_or_else(|| Refusal::argument(format!("'{name}' is not a depth.")))?,
        ),
        None => None,
    };
    let mut organisation = lock(&server.organisation);
    let transaction = organisation.connection.transaction()?;
    let user = seed::user_id(&transaction, &wanted.user)?
        .ok_or_else(|| Refusal::argument(format!("There is no user '{}'.", wanted.user)))?;
    let known: Option<i64> = transaction
        .query_row("SELECT 1 FROM privilege WHERE name = ?", [&wanted.privilege], |row| row.get(0))
        .optional()?;
    if known.is_none() {
        return Err(Refusal::argument(format!("There is no privilege '{}'.", wanted.privilege)));
    }
    transaction.execute(
        "INSERT OR IGNORE INTO role_privilege (roleid, privilege, depth)
         SELECT ?1, privilege, MAX(depth) FROM role_privilege JOIN user_role USING (roleid) WHERE systemuserid = ?1 GROUP BY privilege",
        [&user],
    )?;
    transaction.execute("DELETE FROM user_role WHERE systemuserid = ?", [&user])?;
    transaction.execute("INSERT INTO user_role (systemuserid, roleid) VALUES (?1, ?1)", [&user])?;
    match depth {
        Some(depth) => transaction.execute(
            "INSERT OR REPLACE INTO role_privilege (roleid, privilege, depth) VALUES (?1, ?2, ?3)",
            params![user, wanted.privilege, depth.number()],
        )?,
        None => transaction.execute(
            "DELETE FROM role_privilege WHERE roleid = ?1 AND privilege = ?2",
            [&user, &wanted.privilege],
        )?,
    };
    transaction.commit()?;
    Ok(Reply::empty())
}

/// For each table: rows, creates, deletes, and the ids that were created more than once.
fn audit(connection: &Connection) -> Result<Json, Refusal> {
    let mut tables = Map::new();
    for table in schema::tables().iter().filter(|table| table.logical != "activitypointer") {
        let count = |sql: &str| -> Result<i64, Refusal> {
            Ok(connection.query_row(sql, [table.logical], |row| row.get(0))?)
        };
        let rows: i64 = connection.query_row(
            &format!("SELECT COUNT(*) FROM {}", quoted(table.logical)),
            [],
            |row| row.get(0),
        )?;
        let creates = count("SELECT COALESCE(SUM(creates), 0) FROM audit WHERE logical = ?")?;
        let deletes = count("SELECT COUNT(*) FROM tombstone WHERE logical = ?")?;
        let mut statement = connection
            .prepare_cached("SELECT id FROM audit WHERE logical = ? AND creates > 1 ORDER BY id")?;
        let repeated: Vec<String> =
            statement.query_map([table.logical], |row| row.get(0))?.collect::<Result<_, _>>()?;
        tables.insert(
            table.logical.to_owned(),
            json!({"rows": rows, "creates": creates, "deleted": deletes, "repeated": repeated}),
        );
    }
    Ok(json!({"tables": tables}))
}
