//! Which messages of the organisation a clue leads to, and who else than people has an address. It decides about nothing.
//! <https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/email>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::Dataverse;
use super::batch::{Part, Reply};
use super::fetch::{Condition, Fetch};
use super::list::{Query, run};
use super::odata;
use super::people::{name, portions, whole};
use super::write::set_name;
use crate::connector::Result;
use crate::model::record::PartyRef;
use crate::model::{Address, Clue, Filed, RecordId, Table};

const ID: &str = "activityid";
const COLUMNS: [&str; 6] =
    [ID, "messageid", "trackingtoken", "conversationindex", "regardingobjectid", "createdon"];

/// Begins-with conditions are slow on their side: fewer go into one query.
const CONVERSATIONS_AT_ONCE: usize = 20;

/// Tables other than those of people whose rows have an address: set, id column.
const ENABLED: [(&str, &str, &str); 3] = [
    ("queue", "queues", "queueid"),
    ("team", "teams", "teamid"),
    ("businessunit", "businessunits", "businessunitid"),
];

/// The messages that these clues lead to: the newest where there are several, since answers carry the token and the
/// conversation of what they answer, and tokens are used again after a time.
///
/// # Errors
/// When the organisation gave no answer, or not a whole one: then "not found" would be a guess.
pub async fn find(dataverse: &Dataverse, clues: &[Clue]) -> Result<BTreeMap<Clue, Filed>> {
    let mut names: BTreeMap<String, Vec<&Clue>> = BTreeMap::new();
    let mut tokens: BTreeMap<String, Vec<&Clue>> = BTreeMap::new();
    let mut conversations: Vec<(&str, &Clue)> = Vec::new();
    for clue in clues.iter().collect::<BTreeSet<_>>() {
        match clue {
            Clue::Name(uid) => names.entry(name(uid.as_str())).or_default().push(clue),
            Clue::Token(token) => tokens.entry(token.to_lowercase()).or_default().push(clue),
            Clue::Conversation(index) => conversations.push((index, clue)),
        }
    }
    names.remove("");
    let queries = queries(dataverse, &names, &tokens, &conversations);
    let mut found: BTreeMap<Clue, (String, Filed)> = BTreeMap::new();
    for rows in run(dataverse, queries).await? {
        for row in whole(rows)? {
            let Some(filed) = filed(&row) else { continue };
            let text = |column: &str| row.get(column).and_then(Json::as_str).unwrap_or_default();
            let by_name = names.get(&name(text("messageid"))).into_iter().flatten().copied();
            let by_token = tokens.get(&text("trackingtoken").to_lowercase()).into_iter().flatten();
            let index = text("conversationindex");
            let by_index = conversations.iter().filter(|(start, _)| index.starts_with(start));
            let clues = by_name.chain(by_token.copied()).chain(by_index.map(|(_, clue)| *clue));
            // Of those made in one second, always the same.
            let age = format!("{} {}", text("createdon"), filed.record.guid);
            for clue in clues {
                let kept = found.get(clue);
                if kept.is_none_or(|(other, _)| *other < age) {
                    found.insert(clue.clone(), (age.clone(), filed.clone()));
                }
            }
        }
    }
    Ok(found.into_iter().map(|(clue, (_, filed))| (clue, filed)).collect())
}

fn queries(
    dataverse: &Dataverse,
    names: &BTreeMap<String, Vec<&Clue>>,
    tokens: &BTreeMap<String, Vec<&Clue>>,
    conversations: &[(&str, &Clue)],
) -> Vec<Query> {
    let entity_set = &dataverse.metadata.of(Table::Email).entity_set;
    let query = |condition| Query {
        entity_set: entity_set.clone(),
        id: ID,
        fetch: Fetch::by_values("email", ID, &COLUMNS, condition),
    };
    let names: Vec<&String> = names.keys().collect();
    let tokens: Vec<&String> = tokens.keys().collect();
    let mut queries = Vec::new();
    for chunk in portions(&names, 2, |name| name.as_str()) {
        let spellings = chunk.iter().flat_map(|name| [(*name).clone(), format!("<{name}>")]);
        queries.push(query(Condition::is_in("messageid", spellings)));
    }
    for chunk in portions(&tokens, 1, |token| token.as_str()) {
        queries.push(query(Condition::is_in("trackingtoken", chunk.iter().copied())));
    }
    for chunk in conversations.chunks(CONVERSATIONS_AT_ONCE) {
        let begins = |(start, _): &(&str, &Clue)| Condition::begins("conversationindex", start);
        queries.push(query(Condition::any(chunk.iter().map(begins))));
    }
    queries
}

fn filed(row: &Map<String, Json>) -> Option<Filed> {
    let record = RecordId::new(Table::Email, odata::guid(row, ID)?);
    let table = row.get(&format!("_regardingobjectid_value{}", odata::LOOKUP_TABLE));
    let regarding = odata::lookup(row, "regardingobjectid")
        .zip(table.and_then(Json::as_str))
        .map(|(guid, table)| PartyRef { table: table.to_owned(), guid });
    Some(Filed { record, regarding })
}

/// Which of these addresses belong to something that is neither a user nor a person: a queue, a team, a business unit.
///
/// # Errors
/// As for [`find`].
pub async fn enabled(dataverse: &Dataverse, addresses: &[Address]) -> Result<BTreeSet<Address>> {
    let addresses: Vec<&Address> = BTreeSet::from_iter(addresses).into_iter().collect();
    let mut queries = Vec::new();
    for (table, entity_set, id) in ENABLED {
        for chunk in portions(&addresses, 1, |address| address.as_str()) {
            let any = Condition::is_in("emailaddress", chunk.iter().map(|one| one.as_str()));
            let fetch = Fetch::by_values(table, id, &[id, "emailaddress"], any);
            queries.push(Query { entity_set: entity_set.to_owned(), id, fetch });
        }
    }
    let mut found = BTreeSet::new();
    for rows in run(dataverse, queries).await? {
        let rows = whole(rows)?;
        let texts = rows.iter().filter_map(|row| row.get("emailaddress")?.as_str());
        found.extend(texts.filter_map(Address::parse));
    }
    Ok(found)
}

/// What records are called. Those that are not there, or not to be seen, are left out.
///
/// # Errors
/// When the organisation gave no answer.
pub async fn names(
    dataverse: &Dataverse,
    records: &[PartyRef],
) -> Result<BTreeMap<PartyRef, String>> {
    let records: Vec<&PartyRef> = BTreeSet::from_iter(records).into_iter().collect();
    if records.is_empty() {
        return Ok(BTreeMap::new());
    }
    let questions = records.iter().map(|record| {
        let id = format!("{}id", record.table);
        let select = called(&record.table).unwrap_or(&id);
        Part::One(odata::get(format!(
            "{}({})?$select={select}",
            set_name(&record.table),
            record.guid
        )))
    });
    let replies = dataverse.client.read(questions.collect()).await?;
    let mut found = BTreeMap::new();
    for (record, reply) in records.into_iter().zip(replies) {
        let Reply::One(answer) = reply else { continue };
        let Some(Json::Object(row)) = answer.json().filter(|_| answer.is_success()) else {
            continue;
        };
        let name = called(&record.table).and_then(|column| row.get(column)?.as_str());
        let name = name.map_or_else(|| record.to_string(), str::to_owned);
        found.insert(record.clone(), name);
    }
    Ok(found)
}

/// The column with the name of a table's rows, where it is one that everybody has.
fn called(table: &str) -> Option<&'static str> {
    Some(match table {
        "account" | "opportunity" | "team" | "queue" | "campaign" | "quote" | "invoice"
        | "salesorder" => "name",
        "contact" | "lead" | "systemuser" => "fullname",
        "incident" | "contract" => "title",
        "task" | "appointment" | "recurringappointmentmaster" => "subject",
        _ => return None,
    })
}
