//! Items, records and what identifies them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::record::{Record, RecordPatch};

/// The two ends that are kept in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Mailbox,
    Crm,
}

impl Side {
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Mailbox => Self::Crm,
            Self::Crm => Self::Mailbox,
        }
    }

    /// The word used in the store, in `--json` and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::Crm => "crm",
        }
    }

    /// Where that is, for the person.
    pub fn place(self) -> &'static str {
        match self {
            Self::Mailbox => "the mailbox",
            Self::Crm => "the CRM",
        }
    }

    /// The inverse of [`Side::as_str`].
    pub fn named(word: &str) -> Option<Self> {
        [Self::Mailbox, Self::Crm].into_iter().find(|side| side.as_str() == word)
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of thing is kept in step. One round works on one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Contact,
    Task,
    Appointment,
    Email,
}

impl Class {
    /// In the order in which a full sync takes them: people first, since the others refer to them.
    pub const ALL: [Self; 4] = [Self::Contact, Self::Task, Self::Appointment, Self::Email];

    /// The word used in the configuration, the store, `--json` and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Task => "task",
            Self::Appointment => "appointment",
            Self::Email => "email",
        }
    }

    /// The inverse of [`Class::as_str`].
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How one side addresses an item: a file below its collection, `folder/unique` of a message, or
/// `table/guid` of a record (see [`super::RecordId`]). Opaque to everything that decides. Copies share the text: a mailbox has
/// very many of them, and each is in several lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemId(Arc<str>);

impl ItemId {
    pub fn new(id: impl AsRef<str>) -> Self {
        Self(Arc::from(id.as_ref()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the folder that a message lies in; empty for what lies in the one collection of its class.
    pub fn collection(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(collection, _)| collection)
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An opaque mark that changes whenever the item does (an `ETag`, a content hash). Only equality means anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(String);

impl Version {
    pub fn new(version: impl Into<String>) -> Self {
        Self(version.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The item's global name: iCalendar or vCard `UID`, or the normalised `Message-ID`. Copies share the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uid(Arc<str>);

impl Uid {
    pub fn new(uid: impl AsRef<str>) -> Self {
        Self(Arc::from(uid.as_ref()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a connector carries: the bytes of a mailbox item, a record as it was read, or what to change in a record.
#[derive(Clone, PartialEq)]
pub enum Body {
    /// An iCalendar object, a vCard or a message, byte for byte.
    Bytes(Vec<u8>),
    /// A CRM record with all that belongs to it.
    Record(Box<Record>),
    /// The changes to write to a CRM record. Only ever given *to* a connector.
    Patch(Box<RecordPatch>),
}

impl fmt::Debug for Body {
    /// Keeps content out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Record(record) => write!(f, "Record({})", record.id),
            Self::Patch(patch) => write!(f, "Patch({} columns)", patch.columns.len()),
        }
    }
}

/// An item as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    pub id: ItemId,
    pub version: Version,
    pub body: Body,
    /// Marks that the store keeps beside the body: IMAP keywords and flags (`\Seen`, `$CrmTracked`). Empty for other classes.
    pub marks: BTreeSet<String>,
}

/// Whether a listing may be used to conclude that something is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// Every item of the collection is in it, as the other end confirmed.
    Complete,
    /// Something is missing, for this reason; absence means nothing.
    Partial(String),
}

/// What one side holds of a class: ids and versions, no content.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    pub entries: BTreeMap<ItemId, Version>,
    pub completeness: Completeness,
}

impl Listing {
    pub fn is_complete(&self) -> bool {
        self.completeness == Completeness::Complete
    }
}
