//! Who is behind an address, and which record is behind a global name. It never guesses: several of the best kind are nobody.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::Dataverse;
use super::fetch::{Condition, Fetch};
use super::list::{Found, Query, run};
use super::odata;
use crate::connector::Result;
use crate::model::record::{Candidate, Identity, PartyRef};
use crate::model::{Address, Class, ItemId, RecordId, Table, Uid};

/// A table whose rows have addresses, in the order in which they are tried.
struct Kind {
    table: &'static str,
    entity_set: &'static str,
    id: &'static str,
    name: &'static str,
    addresses: &'static [&'static str],
    /// The column that tells a user who left and a closed lead from the others.
    state: &'static str,
    owned: bool,
}

const THREE: &[&str] = &["emailaddress1", "emailaddress2", "emailaddress3"];

const KINDS: [Kind; 4] = [
    Kind {
        table: "systemuser",
        entity_set: "systemusers",
        id: "systemuserid",
        addresses: &["internalemailaddress"],
        name: "fullname",
        state: "isdisabled",
        owned: false,
    },
    Kind {
        table: "contact",
        entity_set: "contacts",
        id: "contactid",
        addresses: THREE,
        name: "fullname",
        state: "statecode",
        owned: true,
    },
    Kind {
        table: "account",
        entity_set: "accounts",
        id: "accountid",
        addresses: THREE,
        name: "name",
        state: "statecode",
        owned: true,
    },
    Kind {
        table: "lead",
        entity_set: "leads",
        id: "leadid",
        addresses: THREE,
        name: "fullname",
        state: "statecode",
        owned: true,
    },
];

/// How many values go into one query, and how many bytes: a path within a batch may have 64 KB.
const AT_ONCE: usize = 100;
const LONGEST: usize = 48 << 10;

/// Cuts values that stand `copies` times in a query into queries that are not too long.
pub(super) fn portions<T>(values: &[T], copies: usize, text: impl Fn(&T) -> &str) -> Vec<&[T]> {
    let mut portions = Vec::new();
    let mut rest = values;
    while !rest.is_empty() {
        let mut length = 0;
        let fits = rest.iter().take(AT_ONCE).take_while(|value| {
            length += copies * (odata::encode_query(text(value)).len() + ELEMENT);
            length <= LONGEST
        });
        let (portion, more) = rest.split_at(fits.count().max(1));
        portions.push(portion);
        rest = more;
    }
    portions
}

/// What an encoded `<value></value>` takes.
const ELEMENT: usize = 32;

/// Whom addresses belong to. Those that belong to nobody, or to several of the best kind, are left out.
///
/// # Errors
/// When the organisation gave no answer, or not a whole one.
pub async fn resolve(
    dataverse: &Dataverse,
    addresses: &[Address],
) -> Result<BTreeMap<Address, PartyRef>> {
    let known = identify(dataverse, addresses).await?.into_iter();
    Ok(known
        .filter_map(|(address, identity)| match identity {
            Identity::One(party) => Some((address, party)),
            Identity::Several(_) => None,
        })
        .collect())
}

/// Who is behind addresses: the best kind that there is, active ones before those that are not. Whom nobody there has, is left out.
///
/// # Errors
/// When the organisation gave no answer, or not a whole one.
pub async fn identify(
    dataverse: &Dataverse,
    addresses: &[Address],
) -> Result<BTreeMap<Address, Identity>> {
    let addresses: Vec<&Address> = BTreeSet::from_iter(addresses).into_iter().collect();
    let mut asked = Vec::new();
    let mut queries = Vec::new();
    for (rank, kind) in KINDS.iter().enumerate() {
        for chunk in portions(&addresses, kind.addresses.len(), |address| address.as_str()) {
            asked.push(rank);
            queries.push(by_address(kind, chunk));
        }
    }
    let mut candidates: BTreeMap<Address, Candidates> = BTreeMap::new();
    for (rank, found) in asked.into_iter().zip(run(dataverse, queries).await?) {
        let Some(kind) = KINDS.get(rank) else { continue };
        for row in whole(found)? {
            let Some(guid) = odata::guid(&row, kind.id) else { continue };
            let mine = odata::lookup(&row, "ownerid") == Some(dataverse.user);
            let fit = Fit { inactive: is_inactive(&row, kind), rank, others: !mine };
            let name = row.get(kind.name).and_then(Json::as_str).unwrap_or_default();
            // One row may hold an address twice.
            let texts = kind.addresses.iter().filter_map(|column| row.get(*column)?.as_str());
            for address in texts.filter_map(Address::parse).collect::<BTreeSet<_>>() {
                let of_address = candidates.entry(address).or_default();
                of_address.0.entry(fit).or_default().insert(guid, name.to_owned());
            }
        }
    }
    Ok(addresses
        .into_iter()
        .filter_map(|address| Some((address.clone(), candidates.get(address)?.identity()?)))
        .collect())
}

/// How well a row fits; the least fits best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    inactive: bool,
    rank: usize,
    others: bool,
}

/// Who could be behind one address.
#[derive(Debug, Default)]
struct Candidates(BTreeMap<Fit, BTreeMap<Uuid, String>>);

/// More are not told: who has that many cannot be chosen from a list.
const MOST_CANDIDATES: usize = 100;

impl Candidates {
    fn identity(&self) -> Option<Identity> {
        let (fit, rows) = self.0.first_key_value()?;
        let table = KINDS.get(fit.rank)?.table;
        let party = |guid: &Uuid| PartyRef { table: table.to_owned(), guid: *guid };
        let (guid, _) = rows.first_key_value()?;
        if rows.len() == 1 {
            return Some(Identity::One(party(guid)));
        }
        let rows = rows.iter().take(MOST_CANDIDATES);
        let several = rows.map(|(guid, name)| Candidate { party: party(guid), name: name.clone() });
        Some(Identity::Several(several.collect()))
    }
}

fn is_inactive(row: &Map<String, Json>, kind: &Kind) -> bool {
    match row.get(kind.state) {
        Some(Json::Bool(disabled)) => *disabled,
        Some(state) => state.as_i64().is_some_and(|state| state != 0),
        None => false,
    }
}

fn by_address(kind: &Kind, addresses: &[&Address]) -> Query {
    let texts = || addresses.iter().map(|address| address.as_str());
    let any = kind.addresses.iter().map(|column| Condition::is_in(column, texts()));
    let mut columns = vec![kind.id, kind.name, kind.state];
    columns.extend(kind.addresses);
    columns.extend(kind.owned.then_some("ownerid"));
    let fetch = Fetch::by_values(kind.table, kind.id, &columns, Condition::any(any));
    Query { entity_set: kind.entity_set.to_owned(), id: kind.id, fetch }
}

/// Finds records by their global name: e-mails by `messageid`, appointments and series by `globalobjectid`. Contacts and tasks
/// have no such column; their derived ids lead to them.
///
/// # Errors
/// When the organisation gave no answer, or not a whole one: then "not found" would be a guess.
pub async fn find(
    dataverse: &Dataverse,
    class: Class,
    uids: &[Uid],
) -> Result<BTreeMap<Uid, ItemId>> {
    let (column, tables): (&str, &[Table]) = match class {
        Class::Contact | Class::Task => return Ok(BTreeMap::new()),
        Class::Appointment => {
            ("globalobjectid", &[Table::RecurringAppointmentMaster, Table::Appointment])
        }
        Class::Email => ("messageid", &[Table::Email]),
    };
    let mut by_name: BTreeMap<String, Vec<&Uid>> = BTreeMap::new();
    for uid in uids {
        by_name.entry(name(uid.as_str())).or_default().push(uid);
    }
    let names: Vec<&String> = by_name.keys().filter(|name| !name.is_empty()).collect();
    let mut asked = Vec::new();
    let mut queries = Vec::new();
    for table in tables {
        for chunk in portions(&names, 2, |name| name.as_str()) {
            asked.push(*table);
            queries.push(by_uid(dataverse, *table, column, chunk));
        }
    }
    let mut found: BTreeMap<Uid, ItemId> = BTreeMap::new();
    for (table, rows) in asked.into_iter().zip(run(dataverse, queries).await?) {
        for row in whole(rows)? {
            let Some(guid) = odata::guid(&row, table.id_column()) else { continue };
            let text = row.get(column).and_then(Json::as_str).unwrap_or_default();
            for uid in by_name.get(&name(text)).into_iter().flatten() {
                // Several rows of one name: always the same one, the series before its occurrences.
                let id = RecordId::new(table, guid).item_id();
                found.entry((*uid).clone()).or_insert(id);
            }
        }
    }
    Ok(found)
}

/// The form in which names are compared: the service compares without case, and a Message-ID may stand in angle brackets.
pub(super) fn name(uid: &str) -> String {
    let uid = uid.trim();
    let bare = uid.strip_prefix('<').and_then(|uid| uid.strip_suffix('>')).unwrap_or(uid);
    bare.trim().to_lowercase()
}

fn by_uid(dataverse: &Dataverse, table: Table, column: &'static str, names: &[&String]) -> Query {
    let id = table.id_column();
    let spellings = names.iter().flat_map(|name| match table {
        Table::Email => vec![(*name).clone(), format!("<{name}>")],
        _ => vec![(*name).clone()],
    });
    let mut fetch = Fetch::by_values(
        table.logical_name(),
        id,
        &[id, column],
        Condition::is_in(column, spellings),
    );
    if table == Table::Appointment {
        // Occurrences carry the name of their series.
        fetch = fetch.and(Condition::any([
            Condition::operator("instancetypecode", "null"),
            Condition::is_in("instancetypecode", ["0"]),
        ]));
    }
    Query { entity_set: dataverse.metadata.of(table).entity_set.clone(), id, fetch }
}

pub(super) fn whole(found: Found) -> Result<Vec<Map<String, Json>>> {
    found.broken.map_or(Ok(found.rows), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_query_is_too_long_and_nothing_is_left_out() {
        let values: Vec<String> = (0..1000).map(|number| "é@".repeat(number % 170)).collect();
        let portions = portions(&values, 3, String::as_str);
        assert_eq!(portions.concat(), values);
        for portion in portions {
            let length: usize =
                portion.iter().map(|value| 3 * odata::encode_query(value).len()).sum();
            assert!(length <= LONGEST && portion.len() <= AT_ONCE);
        }
        // One that is too long on its own still goes, alone.
        assert_eq!(
            super::portions(&["x".repeat(LONGEST + 1), "y".into()], 1, String::as_str).len(),
            2
        );
    }

    #[test]
    fn names_are_compared_without_case_and_brackets() {
        assert_eq!(name(" <Abc@Example.com> "), name("abc@example.COM"));
        assert_ne!(name("<abc"), name("abc"));
    }
}
