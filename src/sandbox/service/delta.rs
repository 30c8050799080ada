//! The change feed: `Prefer: odata.track-changes` and delta links, with the restrictions of the
//! service. A token is a row version and a time; a token older than the organisation's retention is
//! refused.

use super::message::{Reply, Request};
use super::scoped;
use crate::sandbox::clock;
use crate::sandbox::query::{self, odata};
use crate::sandbox::refusal::{self, Refusal};
use crate::sandbox::schema::Table;
use crate::sandbox::security::{Depth, Right};
use crate::sandbox::store::{Context, quoted};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rusqlite::params;
use serde_json::{Map, Value as Json, json};

const MAX_PAGE: u32 = 5000;
const DAY: i64 = 86_400;

/// Whether a list is asked for as a feed.
pub(super) fn wanted(request: &Request) -> bool {
    request.option("$deltatoken").is_some()
        || request.preference("odata.track-changes").is_some()
        || request.option("$skiptoken").is_some_and(|page| Token::read_page(page).is_some())
}

/// Where a feed stands.
#[derive(Debug, Clone, Copy)]
struct Token {
    /// Changes up to this version were given out.
    version: i64,
    /// Seconds since 1970.
    at: i64,
    /// The first version that the page after this one holds, while the first listing goes on.
    from: i64,
}

impl Token {
    /// `919058!08/22/2017 08:21:20`
    fn text(self) -> String {
        let text = clock::text(self.at);
        let moment = text.trim_end_matches('Z').split_once('T').unwrap_or_default();
        let mut day = moment.0.split('-');
        let (year, month, day) = (
            day.next().unwrap_or_default(),
            day.next().unwrap_or_default(),
            day.next().unwrap_or_default(),
        );
        format!("{}!{month}/{day}/{year} {}", self.version, moment.1)
    }

    fn read(text: &str) -> Option<Self> {
        let (version, moment) = text.split_once('!')?;
        let (day, time) = moment.split_once(' ')?;
        let mut parts = day.split('/');
        let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
        let at = clock::seconds(&format!("{year}-{month}-{day}T{time}Z"))?;
        Some(Self { version: version.parse().ok()?, at, from: 0 })
    }
}

/// The first listing with a delta link at its end, or what changed since a token.
pub(super) fn list(
    context: &Context<'_>,
    request: &Request,
    table: &'static Table,
) -> Result<Reply, Refusal> {
    allowed(context, request, table)?;
    let upto = context.counters.version;
    let size = request.page_size().unwrap_or(MAX_PAGE).min(MAX_PAGE);
    let (since, token) = match request.option("$deltatoken") {
        Some(text) => {
            let token = fresh(context, text)?;
            (token.version, Some(token))
        }
        None => (0, None),
    };
    // A first listing goes on from page to page by row version, up to the version at which it began.
    let (from, upto) = match request.option("$skiptoken").map(Token::read_page) {
        Some(Some(page)) => (page.from, page.version),
        Some(None) => return Err(Refusal::argument("The skip token is not one of this service.")),
        None => (since, upto),
    };
    let (ids, last) = changed(context, table, from, upto, size)?;
    let mut rows = rows(context, request, table, &ids)?;
    let mut body = Map::new();
    let select = request.option("$select").map(|select| format!("({select})")).unwrap_or_default();
    let suffix = if token.is_some() { "/$delta" } else { "" };
    body.insert(
        "@odata.context".into(),
        format!("{}/$metadata#{}{select}{suffix}", request.base, table.set).into(),
    );
    if let Some(last) = last {
        let page = Token { version: upto, at: context.now, from: last };
        body.insert(
            "@odata.nextLink".into(),
            link(request, table, "$skiptoken", &page.page_text()).into(),
        );
    } else {
        if token.is_some() {
            rows.extend(deleted(context, request, table, since)?);
        }
        let token = Token { version: upto, at: context.now, from: 0 };
        body.insert(
            "@odata.deltaLink".into(),
            link(request, table, "$deltatoken", &token.text()).into(),
        );
    }
    body.insert("value".into(), rows.into());
    Ok(Reply::json(200, &Json::Object(body)).with("Preference-Applied", "odata.track-changes"))
}

impl Token {
    fn page_text(self) -> String {
        format!("{}-{}", self.from, self.version)
    }

    fn read_page(text: &str) -> Option<Self> {
        let (from, version) = text.split_once('-')?;
        Some(Self { version: version.parse().ok()?, at: 0, from: from.parse().ok()? })
    }
}

/// `/$count?$deltatoken=…`
pub(super) fn count(
    context: &Context<'_>,
    request: &Request,
    table: &'static Table,
) -> Result<Reply, Refusal> {
    allowed(context, request, table)?;
    let token = fresh(context, request.option("$deltatoken").unwrap_or_default())?;
    let (ids, _) = changed(context, table, token.version, context.counters.version, MAX_PAGE)?;
    let deleted = deleted(context, request, table, token.version)?;
    Ok(Reply::typed(200, "text/plain", (ids.len() + deleted.len()).to_string()))
}

fn allowed(context: &Context<'_>, request: &Request, table: &Table) -> Result<(), Refusal> {
    context.caller.require(Right::Read, table)?;
    if !table.change_tracking {
        let message = format!("Change tracking is not enabled for entity '{}'.", table.logical);
        return Err(Refusal::new(400, "0x80044353", message));
    }
    for option in ["$filter", "$orderby", "$expand", "$top"] {
        if request.option(option).is_some() {
            let message =
                format!("The \"{option}\" query parameter isn't supported when tracking changes.");
            return Err(Refusal::new(400, refusal::NO_RESOURCE, message));
        }
    }
    if context.caller.depth(Right::Read, table) == Some(Depth::Global) {
        return Ok(());
    }
    let message = format!(
        "Principal user (Id={}, type=8) is missing prvRead{} privilege at the organization level, which change tracking of '{}' needs.",
        context.caller.id, table.privilege, table.logical
    );
    Err(Refusal::new(403, "0x80040220", message))
}

fn fresh(context: &Context<'_>, text: &str) -> Result<Token, Refusal> {
    let token = Token::read(text)
        .ok_or_else(|| Refusal::argument("The delta token is not one of this service."))?;
    let days: i64 = context
        .connection
        .prepare_cached("SELECT COALESCE(expirechangetrackingindays, 7) FROM organization")?
        .query_row([], |row| row.get(0))?;
    if context.now.saturating_sub(token.at) <= days.saturating_mul(DAY) {
        return Ok(token);
    }
    let message =
        "Version stamp associated with the client has expired. Please perform a full sync.";
    Err(Refusal::new(400, "0x80044352", message))
}

/// Ids of rows with a version above `from`, and the last version if there are more.
fn changed(
    context: &Context<'_>,
    table: &Table,
    from: i64,
    upto: i64,
    size: u32,
) -> Result<(Vec<String>, Option<i64>), Refusal> {
    let sql = format!(
        "SELECT {}, versionnumber FROM {} WHERE versionnumber > ?1 AND versionnumber <= ?2 ORDER BY versionnumber LIMIT ?3",
        table.id,
        quoted(table.logical)
    );
    let mut statement = context.connection.prepare_cached(&sql)?;
    let found = statement.query_map(params![from, upto, i64::from(size) + 1], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let mut found: Vec<(String, i64)> = found.collect::<Result<_, _>>()?;
    let more = found.len() > size as usize;
    found.truncate(size as usize);
    let last = found.last().map(|(_, version)| *version).filter(|_| more);
    Ok((found.into_iter().map(|(id, _)| id).collect(), last))
}

fn rows(
    context: &Context<'_>,
    request: &Request,
    table: &'static Table,
    ids: &[String],
) -> Result<Vec<Json>, Refusal> {
    let options: Vec<(String, String)> =
        request.options.iter().filter(|(name, _)| name == "$select").cloned().collect();
    odata::parse(table, &options)?;
    scoped(context, request, |scope| {
        let row = |id: &String| {
            Ok(query::one(context.connection, table, id, &options, scope)?.map(Json::Object))
        };
        ids.iter().filter_map(|id| row(id).transpose()).collect()
    })
}

fn deleted(
    context: &Context<'_>,
    request: &Request,
    table: &Table,
    since: i64,
) -> Result<Vec<Json>, Refusal> {
    let mut statement = context.connection.prepare_cached(
        "SELECT id FROM tombstone WHERE logical = ?1 AND versionnumber > ?2 ORDER BY versionnumber",
    )?;
    let found = statement.query_map(params![table.logical, since], |row| row.get(0))?;
    let ids: Vec<String> = found.collect::<Result<_, _>>()?;
    let mut rows = Vec::new();
    for id in ids {
        if context.row(table, &id)?.is_none() {
            let url = format!("{}/$metadata#{}/$deletedEntity", request.base, table.set);
            rows.push(json!({"@odata.context": url, "id": id, "reason": "deleted"}));
        }
    }
    Ok(rows)
}

fn link(request: &Request, table: &Table, option: &str, value: &str) -> String {
    let select = request
        .option("$select")
        .map(|select| format!("$select={}&", utf8_percent_encode(select, NON_ALPHANUMERIC)))
        .unwrap_or_default();
    let since = match (option, request.option("$deltatoken")) {
        ("$skiptoken", Some(token)) => {
            format!("$deltatoken={}&", utf8_percent_encode(token, NON_ALPHANUMERIC))
        }
        _ => String::new(),
    };
    format!(
        "{}/{}?{select}{since}{option}={}",
        request.base,
        table.set,
        utf8_percent_encode(value, NON_ALPHANUMERIC)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_as_the_service_writes_it() {
        let token = Token::read("919058!08/22/2017 08:21:20").unwrap();
        assert_eq!(
            (token.version, clock::text(token.at)),
            (919_058, "2017-08-22T08:21:20Z".to_owned())
        );
        assert_eq!(token.text(), "919058!08/22/2017 08:21:20");
        assert!(Token::read("919058").is_none());
    }
}
