//! `InstantiateFilters` and `ResetUserFilters`: a user's own filters made anew from the templates.

use crate::sandbox::record::payload::{Object, Payload};
use crate::sandbox::record::{self, cascade, value};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::{self, Table};
use crate::sandbox::security::Right;
use crate::sandbox::service::message::Reply;
use crate::sandbox::store::{Context, Row, seed};
use rusqlite::params;
use rusqlite::types::Value;
use serde_json::Value as Json;

/// `POST /systemusers(id)/…InstantiateFilters {"TemplateCollection": […]}`
pub(super) fn instantiate(
    context: &mut Context<'_>,
    user: &str,
    body: &Object,
) -> Result<Reply, Refusal> {
    let templates = body
        .get("TemplateCollection")
        .and_then(Json::as_array)
        .ok_or_else(|| super::missing("TemplateCollection"))?;
    own(context, user)?;
    for template in templates {
        let id = template
            .get("savedqueryid")
            .and_then(Json::as_str)
            .and_then(value::guid)
            .ok_or_else(|| super::missing("savedqueryid"))?;
        context.existing(table("savedquery")?, &id)?;
        make(context, user, &format!("savedqueryid = '{id}'"))?;
    }
    Ok(Reply::empty())
}

/// `POST /ResetUserFilters {"QueryType": 256}`
pub(super) fn reset(context: &mut Context<'_>, body: &Object) -> Result<Reply, Refusal> {
    let kind =
        body.get("QueryType").and_then(Json::as_i64).ok_or_else(|| super::missing("QueryType"))?;
    let template = match kind {
        16 => 8192,
        256 => 131_072,
        _ => {
            return Err(Refusal::argument(format!(
                "The QueryType {kind} has no filters; it must be 16 or 256."
            )));
        }
    };
    let user = context.caller.id.clone();
    let table = table("userquery")?;
    context.caller.require(Right::Create, table)?;
    let sql = "SELECT userqueryid FROM userquery WHERE ownerid = ?1 AND querytype = ?2";
    let mut statement = context.connection.prepare_cached(sql)?;
    let ids: Vec<String> =
        statement.query_map(params![user, kind], |row| row.get(0))?.collect::<Result<_, _>>()?;
    drop(statement);
    for id in ids {
        cascade::delete(context, table, &id)?;
    }
    make(context, &user, &format!("querytype = {template} AND isdefault = 1"))?;
    Ok(Reply::empty())
}

/// One's own filters only, unless the privilege covers others' too.
fn own(context: &Context<'_>, user: &str) -> Result<(), Refusal> {
    let table = table("userquery")?;
    let row = Row::from([("ownerid".to_owned(), Value::Text(user.to_owned()))]);
    context.caller.check(context.connection, Right::Create, table, &row)
}

fn make(context: &mut Context<'_>, user: &str, predicate: &str) -> Result<(), Refusal> {
    let unit: String = context
        .connection
        .prepare_cached("SELECT businessunitid FROM systemuser WHERE systemuserid = ?")?
        .query_row([user], |row| row.get(0))?;
    for mut row in seed::instantiated(context.connection, predicate, user, &unit)? {
        row.insert("userqueryid".to_owned(), Value::Text(context.counters.random.guid()));
        record::finish_create(context, table("userquery")?, row, &Payload::default())?;
    }
    Ok(())
}

fn table(logical: &str) -> Result<&'static Table, Refusal> {
    schema::table(logical).ok_or_else(|| Refusal::no_resource(logical))
}
