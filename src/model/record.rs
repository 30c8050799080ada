//! A CRM record as plain values, in Dataverse's own spelling.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::fields::{Field, Fields};
use super::item::{Class, ItemId};

/// The tables that items become rows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    Contact,
    Task,
    Appointment,
    /// The master of a series; its occurrences are rows of `appointment`.
    RecurringAppointmentMaster,
    Email,
}

impl Table {
    pub const ALL: [Self; 5] = [
        Self::Contact,
        Self::Task,
        Self::Appointment,
        Self::RecurringAppointmentMaster,
        Self::Email,
    ];

    /// The table's logical name.
    pub fn logical_name(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Task => "task",
            Self::Appointment => "appointment",
            Self::RecurringAppointmentMaster => "recurringappointmentmaster",
            Self::Email => "email",
        }
    }

    /// The inverse of [`Table::logical_name`].
    pub fn named(logical_name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.logical_name() == logical_name)
    }

    /// The primary id column: all activities share `activityid`.
    pub fn id_column(self) -> &'static str {
        match self {
            Self::Contact => "contactid",
            _ => "activityid",
        }
    }

    /// The table that an item with these fields becomes a row of: a series has one of its own.
    pub fn of(class: Class, fields: &Fields) -> Self {
        match class {
            Class::Contact => Self::Contact,
            Class::Task => Self::Task,
            Class::Appointment if fields.contains_key(&Field::of("recurrence")) => {
                Self::RecurringAppointmentMaster
            }
            Class::Appointment => Self::Appointment,
            Class::Email => Self::Email,
        }
    }

    pub fn class(self) -> Class {
        match self {
            Self::Contact => Class::Contact,
            Self::Task => Class::Task,
            Self::Appointment | Self::RecurringAppointmentMaster => Class::Appointment,
            Self::Email => Class::Email,
        }
    }
}

/// A row's address: table and GUID. Written `table/guid`, which is its [`ItemId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordId {
    pub table: Table,
    pub guid: Uuid,
}

impl RecordId {
    pub fn new(table: Table, guid: Uuid) -> Self {
        Self { table, guid }
    }

    pub fn item_id(self) -> ItemId {
        ItemId::new(self.to_string())
    }

    /// Reads back what [`RecordId::item_id`] wrote; `None` for anything else.
    pub fn parse(id: &ItemId) -> Option<Self> {
        let (table, guid) = id.as_str().split_once('/')?;
        Some(Self { table: Table::named(table)?, guid: Uuid::parse_str(guid).ok()? })
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table.logical_name(), self.guid)
    }
}

/// Roles of an activity party (`participationtypemask`).
/// <https://learn.microsoft.com/power-apps/developer/data-platform/activityparty-entity>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Sender = 1,
    To = 2,
    Cc = 3,
    Bcc = 4,
    Required = 5,
    Optional = 6,
    Organizer = 7,
}

impl Role {
    /// The role for a mask; `None` for those the system keeps itself (regarding, owner) and those we do not map.
    pub fn from_mask(mask: i64) -> Option<Self> {
        [
            Self::Sender,
            Self::To,
            Self::Cc,
            Self::Bcc,
            Self::Required,
            Self::Optional,
            Self::Organizer,
        ]
        .into_iter()
        .find(|role| i64::from(role.mask()) == mask)
    }

    pub fn mask(self) -> i32 {
        self as i32
    }
}

/// Whom a party points at: a row of a table that can be a party, by logical name (`systemuser`, `contact`, …).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartyRef {
    pub table: String,
    pub guid: Uuid,
}

impl PartyRef {
    /// Reads `table/guid`, or the address of a record in a browser (`…?etn=account&id=…`). `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (table, guid) = match text.split_once('?') {
            Some((_, query)) => {
                let value = |key: &str| {
                    query.split(['&', '#']).find_map(|pair| {
                        pair.split_once('=')
                            .filter(|(name, _)| *name == key)
                            .map(|(_, value)| value)
                    })
                };
                (value("etn")?, value("id")?)
            }
            None => text.split_once('/')?,
        };
        let guid = guid.trim_start_matches("%7b").trim_start_matches("%7B");
        let guid = guid.trim_end_matches("%7d").trim_end_matches("%7D");
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let table = Some(table).filter(|table| !table.is_empty() && table.chars().all(is_name))?;
        Some(Self { table: table.to_owned(), guid: Uuid::parse_str(guid).ok()? })
    }
}

impl fmt::Display for PartyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table, self.guid)
    }
}

/// Who is behind an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Beyond doubt.
    One(PartyRef),
    /// It could be any of these, which are the best kind that there is.
    Several(Vec<Candidate>),
}

/// Somebody who may be behind an address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    pub party: PartyRef,
    /// What the CRM calls it; may be empty.
    pub name: String,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate({})", self.party)
    }
}

/// Somebody for whom a record is to be made.
#[derive(Clone, PartialEq)]
pub struct Newcomer {
    /// Which one: derived from the address.
    pub record: PartyRef,
    pub columns: Map<String, Json>,
}

impl fmt::Debug for Newcomer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Newcomer({})", self.record)
    }
}

/// One row of `activityparty`. An unresolved address has no `target`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Party {
    pub role: Role,
    /// The address used, as given; empty when the CRM holds none.
    pub address: String,
    /// The display name of the target, if the CRM told it.
    pub name: String,
    pub target: Option<PartyRef>,
}

impl fmt::Debug for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Party({:?})", self.role)
    }
}

/// A file that belongs to an activity (`activitymimeattachment`).
#[derive(Clone, PartialEq, Eq)]
pub struct RecordAttachment {
    pub filename: String,
    pub mimetype: String,
    pub bytes: Vec<u8>,
}

impl fmt::Debug for RecordAttachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordAttachment({} bytes)", self.bytes.len())
    }
}

/// A record as it was read, with everything that makes up the thing it stands for.
#[derive(Clone, PartialEq)]
pub struct Record {
    pub id: RecordId,
    /// The row as the Web API gave it (`firstname`, `_ownerid_value`, formatted values as annotations).
    pub columns: Map<String, Json>,
    pub parties: Vec<Party>,
    /// Of a series: the `appointment` rows with `instancetypecode` 3 (exception), by nothing but the server's order.
    pub exceptions: Vec<Map<String, Json>>,
    /// File names and types; `bytes` is filled only where it was asked for.
    pub attachments: Vec<RecordAttachment>,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({}, {} columns)", self.id, self.columns.len())
    }
}

/// A change of one occurrence of a series (`CreateException`).
#[derive(Clone, PartialEq)]
pub struct ExceptionPatch {
    /// The start that the occurrence has by the pattern (`OriginalStartDate`).
    pub original_start: jiff::Timestamp,
    /// `None`: the occurrence does not take place. Else the columns in which it differs from the series.
    pub columns: Option<Map<String, Json>>,
}

impl fmt::Debug for ExceptionPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExceptionPatch({})", self.original_start)
    }
}

/// What to write to a record. On a create it is the whole record, on an update the changed columns only.
#[derive(Clone, PartialEq, Default)]
pub struct RecordPatch {
    /// Plain columns; without `statecode` and `statuscode`.
    pub columns: Map<String, Json>,
    /// Lookups by navigation property (`regardingobjectid_account_email`); `None` empties it.
    pub lookups: BTreeMap<String, Option<PartyRef>>,
    /// State and status belong together and are written last: activities cannot be created closed.
    pub state: Option<State>,
    /// `Some`: the whole set of parties, which replaces the one that is there.
    pub parties: Option<Vec<Party>>,
    /// Of a series: occurrences that differ or do not take place. Only those that changed.
    pub exceptions: Vec<ExceptionPatch>,
    /// Files to add (on a create).
    pub attachments: Vec<RecordAttachment>,
}

impl fmt::Debug for RecordPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordPatch({} columns)", self.columns.len())
    }
}

/// A pair of `statecode` and `statuscode` that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    pub statecode: i32,
    pub statuscode: i32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_named_by_table_and_id_or_by_its_address() {
        let guid = "6f0c3c1e-86a5-5b53-9a3c-2d1f5e0b7a41";
        let account = |text: String| PartyRef::parse(&text).map(|record| record.to_string());
        let expected = Some(format!("account/{guid}"));
        assert_eq!(account(format!(" account/{guid} ")), expected);
        assert_eq!(account(format!("account/{{{guid}}}")), expected);
        let url = "https://contoso.crm4.dynamics.com/main.aspx?appid=1&pagetype=entityrecord&etn=account&id=";
        assert_eq!(account(format!("{url}{guid}")), expected);
        assert_eq!(account(format!("{url}%7B{guid}%7D")), expected);
        for text in ["", "account", "account/1", "Account(1)/2", "https://x/?etn=account", "/"] {
            assert_eq!(PartyRef::parse(text), None, "{text}");
        }
    }
}
