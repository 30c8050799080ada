//! Rows of any table, by hand: the generic side of the Web API, behind [`Records`]. [`definition`] reads what tables look like,
//! [`row`] makes requests of values and values of rows. Everything goes in `$batch`, through the one [`Client`]. It must not know
//! why a row is read or written.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value as Json;
use uuid::Uuid;

use super::Options;
use super::batch::{Method, Operation as Sent, Part, Reply};
use super::client::{Client, out_of_service};
use super::error::refused;
use super::fetch::{Condition, Fetch, Page};
use super::list::{Asked, pages};
use super::odata;
use crate::clock::Clock;
use crate::connector::http::Http;
use crate::connector::records::{
    Definition, Definitions, Found, Operation, Outcome, Question, Records, Search, Versions,
};
use crate::connector::{Error, ErrorKind, Result, tls};

pub mod definition;
pub mod row;

/// How many rows are asked for in one query of ids.
const IDS_AT_ONCE: usize = 500;

/// How many such queries go into one request: rows of several kilobytes must not make one answer too large.
const QUERIES_AT_ONCE: usize = 4;

/// The kind of saved query that says what is taken offline.
/// <https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/userquery>
const OFFLINE: &str = "16";

/// An organisation's tables, as its user sees them.
#[derive(Debug)]
pub struct Tables {
    client: Client,
    organisation: Uuid,
    user: Uuid,
}

impl Tables {
    /// Asks who we are, in one request.
    ///
    /// # Errors
    /// When the organisation cannot be reached, does not accept the token, or is no Dataverse organisation.
    pub async fn connect(options: Options, clock: Clock) -> Result<Self> {
        let http = Http::new(&tls::client_config(&options.trust)?, options.limits)?;
        let client = Client::new(http, &options.url, options.credential, clock)?;
        let who = Part::One(Sent::new(Method::Get, "WhoAmI"));
        let replies = client.read(vec![who]).await?;
        let [Reply::One(who)] = replies.as_slice() else { return Err(super::nonsense()) };
        let row = match who.json() {
            Some(Json::Object(row)) if row.contains_key("OrganizationId") => row,
            _ if !who.is_success() => {
                return Err(refused(who, "ask who we are", None, client.clock().now()));
            }
            _ => return Err(super::nonsense()),
        };
        let id = |name: &str| odata::guid(&row, name).ok_or_else(super::nonsense);
        Ok(Self { organisation: id("OrganizationId")?, user: id("UserId")?, client })
    }

    /// A list speaks of no row in particular: nothing is gone.
    fn whole(&self, reply: &Reply, doing: &str) -> Result<Json> {
        let Reply::One(answer) = reply else {
            return Err(Error::new(ErrorKind::Malformed, format!("{doing}: the answer is none")));
        };
        if answer.is_success() {
            return answer.json().ok_or_else(|| {
                Error::new(ErrorKind::Malformed, format!("{doing}: the answer is no JSON"))
            });
        }
        let error = refused(answer, doing, None, self.client.clock().now());
        Err(match error.kind {
            ErrorKind::Missing | ErrorKind::Stale | ErrorKind::Exists => {
                Error::new(ErrorKind::Malformed, error.message)
            }
            _ => error,
        })
    }

    async fn found(&self, definition: &Definition, paths: Vec<String>) -> Result<Vec<Found>> {
        let parts = paths.into_iter().map(|path| Part::One(odata::get(path))).collect();
        let mut found = Vec::new();
        for reply in self.client.read(parts).await? {
            let doing = format!("read rows of {}", definition.logical);
            let rows = odata::rows(self.whole(&reply, &doing)?).ok_or_else(|| {
                Error::new(ErrorKind::Malformed, format!("{doing}: the answer has no rows"))
            })?;
            found.extend(rows.iter().filter_map(|row| row::read(definition, row)));
        }
        Ok(found)
    }
}

#[async_trait]
impl Records for Tables {
    fn organisation(&self) -> Uuid {
        self.organisation
    }

    fn user(&self) -> Uuid {
        self.user
    }

    async fn describe(&self, tables: &[String]) -> Result<Definitions> {
        let questions = definition::questions(tables).into_iter().map(Part::One).collect();
        let replies = self.client.read(questions).await?;
        definition::read(tables, &replies, self.client.clock().now())
    }

    async fn offline_filters(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let of = |table: &str, id: &str, set: &str| {
            let wanted = Condition::all([
                Condition::equals("querytype", OFFLINE),
                Condition::equals("statecode", "0"),
            ]);
            let columns = [id, "fetchxml", "returnedtypecode"];
            Fetch::by_values(table, id, &columns, wanted).path(set, &Page::first())
        };
        let parts = [
            of("userquery", "userqueryid", "userqueries"),
            of("savedquery", "savedqueryid", "savedqueries"),
        ];
        let parts = parts.into_iter().map(|path| Part::One(odata::get(path))).collect();
        let mut filters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for reply in self.client.read(parts).await? {
            let answer = match self.whole(&reply, "read the offline filters") {
                // Who may not see such filters has none.
                Err(error) if error.kind == ErrorKind::Forbidden => continue,
                answer => answer?,
            };
            let rows = odata::rows(answer);
            for row in rows.unwrap_or_default() {
                let text = |column: &str| row.get(column).and_then(Json::as_str).map(str::to_owned);
                if let (Some(table), Some(fetch)) = (text("returnedtypecode"), text("fetchxml")) {
                    filters.entry(table).or_default().push(fetch);
                }
            }
        }
        Ok(filters)
    }

    async fn list(&self, questions: &[(&Definition, Question)]) -> Result<Vec<Versions>> {
        let mut queries = Vec::new();
        let mut owners = Vec::new();
        for (number, (definition, question)) in questions.iter().enumerate() {
            for fetch in fetches(definition, question)? {
                let set = definition.set.clone();
                queries.push(Asked { entity_set: set, id: &definition.id, fetch });
                owners.push((number, definition.id.as_str()));
            }
        }
        let mut listed: Vec<Versions> = questions.iter().map(|_| Versions::default()).collect();
        for (found, (number, id)) in pages(&self.client, queries).await?.into_iter().zip(owners) {
            let Some(versions) = listed.get_mut(number) else { continue };
            if let Some(error) = found.broken {
                versions.broken.get_or_insert(error);
            }
            for row in &found.rows {
                match (odata::guid(row, id), odata::row_version(row)) {
                    (Some(id), Some(version)) => {
                        versions.rows.insert(id, version);
                    }
                    _ => {
                        versions.broken.get_or_insert_with(|| {
                            Error::new(ErrorKind::Malformed, "a row came without its version")
                        });
                    }
                }
            }
        }
        Ok(listed)
    }

    async fn rows(&self, definition: &Definition, ids: &[Uuid]) -> Result<Vec<Found>> {
        let columns = row::columns(definition);
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let paths: Vec<String> = ids
            .chunks(IDS_AT_ONCE)
            .map(|ids| {
                let of = Condition::is_in(&definition.id, ids.iter().map(Uuid::to_string));
                Fetch::by_values(&definition.logical, &definition.id, &columns, of)
                    .path(&definition.set, &Page::first())
            })
            .collect();
        let mut found = Vec::new();
        for paths in paths.chunks(QUERIES_AT_ONCE) {
            found.extend(self.found(definition, paths.to_vec()).await?);
        }
        Ok(found)
    }

    async fn find(&self, definition: &Definition, search: &Search) -> Result<Vec<Found>> {
        let one = |(column, value): &(String, String)| match value.as_str() {
            "" => Condition::operator(column, "null"),
            value => Condition::equals(column, value),
        };
        let mut conditions: Vec<Condition> = search.all.iter().map(one).collect();
        if !search.any.is_empty() {
            conditions.push(Condition::any(search.any.iter().map(one)));
        }
        let columns = row::columns(definition);
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let fetch = Fetch::by_values(
            &definition.logical,
            &definition.name,
            &columns,
            Condition::all(conditions),
        );
        self.found(definition, vec![fetch.path_of_first(&definition.set, search.limit)]).await
    }

    async fn send(
        &self,
        definitions: &Definitions,
        operations: &[Operation],
    ) -> Result<Vec<Result<Outcome>>> {
        let mut parts = Vec::with_capacity(operations.len());
        for operation in operations {
            let definition = definitions.get(&operation.row.table).ok_or_else(|| {
                let table = &operation.row.table;
                Error::new(ErrorKind::Unsupported, format!("nothing is known about {table}"))
            })?;
            parts.push(Part::One(row::request(definition, operation)));
        }
        let replies = self.client.send(&parts).await?;
        let now = self.client.clock().now();
        Ok(operations
            .iter()
            .zip(replies)
            .map(|(operation, reply)| match (reply, definitions.get(&operation.row.table)) {
                (Reply::One(answer), _) if out_of_service(answer.status) => {
                    Err(refused(&answer, "write", None, now))
                }
                (Reply::One(answer), Some(definition)) => {
                    row::outcome(definition, operation, &answer, now)
                }
                _ => Err(Error::new(ErrorKind::Malformed, "the answer to a write is none")),
            })
            .collect())
    }

    fn requests(&self) -> u64 {
        self.client.requests().requests
    }
}

fn fetches(definition: &Definition, question: &Question) -> Result<Vec<Fetch>> {
    let (table, id) = (definition.logical.as_str(), definition.id.as_str());
    let columns = [id, "versionnumber"];
    Ok(match question {
        Question::Filter(fetch) => vec![Fetch::reduced(fetch, table, id, &columns)?],
        Question::Pointing { column, to } => to
            .chunks(IDS_AT_ONCE)
            .map(|ids| {
                let of = Condition::is_in(column, ids.iter().map(Uuid::to_string));
                Fetch::by_values(table, id, &columns, of)
            })
            .collect(),
    })
}
