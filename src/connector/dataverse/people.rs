//! Who is behind an address, and which record is behind a global name. It never guesses: several of the best kind are nobody.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::Dataverse;
use super::fetch::{Condition, Fetch};
use super::list::{Found, Query, run};
use super::odata;
use crate::connector::Result;
use crate::model::record::PartyRef;
use crate::model::{Address, Class, ItemId, RecordId, Table, Uid};

/// A table whose rows have addresses, in the order in which they are tried.
struct Kind {
    table: &'static str,
    entity_set: &'static str,
    id: &'static str,
    addresses: &'static [&'static str],
    /// What makes a row count: nobody writes to a user who left or to a closed lead.
    active: (&'static str, &'static str),
    owned: bool,
}

const THREE: &[&str] = &["emailaddress1", "emailaddress2", "emailaddress3"];

const KINDS: [Kind; 4] = [
    Kind {
        table: "systemuser",
        entity_set: "systemusers",
        id: "systemuserid",
        addresses: &["internalemailaddress"],
        active: ("isdisabled", "0"),
        owned: false,
    },
    Kind {
        table: "contact",
        entity_set: "contacts",
        id: "contactid",
        addresses: THREE,
        active: ("statecode", "0"),
        owned: true,
    },
    Kind {
        table: "account",
        entity_set: "accounts",
        id: "accountid",
        addresses: THREE,
        active: ("statecode", "0"),
        owned: true,
    },
    Kind {
        table: "lead",
        entity_set: "leads",
        id: "leadid",
        addresses: THREE,
        active: ("statecode", "0"),
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
            // One row may hold an address twice.
            let texts = kind.addresses.iter().filter_map(|column| row.get(*column)?.as_str());
            for address in texts.filter_map(Address::parse).collect::<BTreeSet<_>>() {
                candidates.entry(address).or_default().add(rank, mine, guid);
            }
        }
    }
    Ok(addresses
        .into_iter()
        .filter_map(|address| Some((address.clone(), candidates.get(address)?.only()?)))
        .collect())
}

/// Who could be behind one address: by kind, own rows before others.
#[derive(Debug, Default)]
struct Candidates(BTreeMap<(usize, bool), BTreeSet<Uuid>>);

impl Candidates {
    fn add(&mut self, rank: usize, mine: bool, guid: Uuid) {
        self.0.entry((rank, !mine)).or_default().insert(guid);
    }

    fn only(&self) -> Option<PartyRef> {
        let ((rank, _), guids) = self.0.first_key_value()?;
        let guid = guids.first().filter(|_| guids.len() == 1)?;
        Some(PartyRef { table: KINDS.get(*rank)?.table.to_owned(), guid: *guid })
    }
}

fn by_address(kind: &Kind, addresses: &[&Address]) -> Query {
    let texts = || addresses.iter().map(|address| address.as_str());
    let any = kind.addresses.iter().map(|column| Condition::is_in(column, texts()));
    let (column, value) = kind.active;
    let filter = Condition::all([Condition::any(any), Condition::equals(column, value)]);
    let mut columns = vec![kind.id];
    columns.extend(kind.addresses);
    columns.extend(kind.owned.then_some("ownerid"));
    let fetch = Fetch::by_values(kind.table, kind.id, &columns, filter);
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
