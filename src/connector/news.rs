//! What happened on one side since it was last looked at. Only values; nobody is asked here.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Completeness, ItemId, Listing, Version};

/// How far each collection was seen: a token by the collection's name ([`ItemId::collection`]). A token means something only to
/// the connector that made it. Empty: nothing was seen yet.
pub type Cursor = BTreeMap<String, String>;

/// What happened since a cursor.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// By collection. One that is not named here is as it was.
    pub parts: BTreeMap<String, Part>,
    /// Where to go on the next time. A collection without a token is listed whole again.
    pub cursor: Cursor,
    /// Whether all of it is here; if not, absence means nothing.
    pub completeness: Completeness,
}

/// What happened in one collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Everything it holds: whatever else was known of it is no longer there. An empty one is a collection that is gone, too.
    Whole(BTreeMap<ItemId, Version>),
    /// Only what is new or changed, and what was said to be gone.
    Changes { changed: BTreeMap<ItemId, Version>, gone: BTreeSet<ItemId> },
}

impl Part {
    /// What is there, of what it speaks of.
    pub fn into_items(self) -> BTreeMap<ItemId, Version> {
        match self {
            Self::Whole(items) | Self::Changes { changed: items, .. } => items,
        }
    }
}

impl News {
    /// Everything, from a side that cannot tell what is new.
    pub fn whole(listing: Listing) -> Self {
        let mut collections: BTreeMap<String, BTreeMap<ItemId, Version>> = BTreeMap::new();
        for (id, version) in listing.entries {
            collections.entry(id.collection().to_owned()).or_default().insert(id, version);
        }
        let part = |entries| match listing.completeness {
            Completeness::Complete => Part::Whole(entries),
            // What it did not see may be there.
            Completeness::Partial(_) => Part::Changes { changed: entries, gone: BTreeSet::new() },
        };
        let parts = collections.into_iter().map(|(name, entries)| (name, part(entries))).collect();
        Self { parts, cursor: Cursor::new(), completeness: listing.completeness }
    }

    /// Whether nothing happened at all.
    pub fn is_quiet(&self) -> bool {
        self.parts.is_empty() && self.completeness == Completeness::Complete
    }
}
