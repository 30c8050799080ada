//! What ties an item to a record, and what each side last said.

use std::collections::BTreeSet;
use std::fmt;

use super::fields::Fields;
use super::item::{Class, ItemId, Side, Uid, Version};

/// The store's number of a link. Never used again, even after the link is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub i64);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// An item and a record that are one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    pub id: LinkId,
    pub class: Class,
    pub item: ItemId,
    pub record: ItemId,
    pub uid: Uid,
    /// Where the thing was made first.
    pub origin: Side,
    pub state: LinkState,
    /// The version at which nothing was left to settle with this side; `None` while something is.
    pub item_version: Option<Version>,
    pub record_version: Option<Version>,
    /// What each side said when they last agreed. Left out by readers where the versions already tell that nothing changed.
    pub bases: Option<Box<Bases>>,
}

impl Link {
    /// Where the half on this side is.
    pub fn half(&self, side: Side) -> &ItemId {
        match side {
            Side::Mailbox => &self.item,
            Side::Crm => &self.record,
        }
    }
}

/// Whether both halves are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkState {
    Active,
    /// One half was deleted, and by rule the other stays. The link is kept so that the remaining half is not taken for new.
    Released {
        gone: Side,
    },
}

/// What each side said when they last agreed. One a side, since neither need be able to hold what the other says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bases {
    pub item: Fields,
    pub record: Fields,
}

/// What an item or a record says, and what is known about it besides.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    pub uid: Uid,
    pub fields: Fields,
    pub traits: Traits,
}

/// What decides whether an item takes part, and is not carried to the other side.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Traits {
    /// `CATEGORIES`, as spelled.
    pub categories: BTreeSet<String>,
    /// `CLASS:PRIVATE` or `CONFIDENTIAL`; `Sensitivity` of a message.
    pub private: bool,
    /// Keywords and flags of a message.
    pub marks: BTreeSet<String>,
    /// The messages that a message answers: `In-Reply-To`, then `References` from the newest.
    pub references: Vec<Uid>,
}

impl fmt::Debug for Traits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Traits(private: {})", self.private)
    }
}
