//! Looks at messages. They are many: where a mailbox tells what happened, nothing else is looked at, and no list is made of all
//! that there is.

use std::collections::BTreeSet;

use super::{Asked, Looker};
use crate::connector::Part;
use crate::model::{Class, Completeness, ItemId, Listing, Side};
use crate::store::{self, meta, observation};
use crate::sync::sieve::Sieve;
use crate::sync::world::Stored;

/// Where the store keeps that not everything it holds of a side is covered by its cursors.
pub(super) fn strays_key(side: Side, class: Class) -> String {
    format!("strays/{side}/{class}")
}

/// What a mailbox holds, as far as the store knows when everything was taken in.
#[derive(Debug)]
pub(in crate::sync) struct Mail {
    completeness: Completeness,
    /// The collections that were seen.
    seen: BTreeSet<String>,
}

/// As [`side`](super::side), for messages, which pass the sieve on their way into the store.
///
/// # Errors
/// As for [`ask`](super::ask).
pub(in crate::sync) async fn mail(
    looker: &Looker<'_>,
    asked: Asked,
    sieve: &mut Sieve,
) -> Stored<Mail> {
    let (side, class, named) = (looker.side, looker.class, asked.named());
    let known = looker.engine.store.read(move |db| {
        let has_strays = meta::get(db, &strays_key(side, class))?.is_some();
        let Some(mut named) = named.filter(|_| !has_strays) else {
            return observation::versions(db, side, class);
        };
        named.extend(observation::unread(db, side, class)?);
        observation::versions_of(db, side, class, &named)
    });
    let (known, seen) = (known.await?, asked.seen());
    let taken_in = looker.take_in(asked, known, Some(sieve)).await?;
    Ok(taken_in.map(|listing| Mail { completeness: listing.completeness, seen }))
}

impl Mail {
    /// Those of these messages that are there, and how many there are in all.
    ///
    /// # Errors
    /// Only the store's own.
    pub(in crate::sync) fn listing(
        self,
        db: &store::Connection,
        of: &BTreeSet<ItemId>,
    ) -> store::Result<(Listing, usize)> {
        let (side, class) = (Side::Mailbox, Class::Email);
        let mut entries = observation::versions_of(db, side, class, of)?;
        let is_seen = |id: &ItemId| self.seen.contains(id.collection());
        let count = if self.completeness == Completeness::Complete {
            observation::count(db, side, class)?
        } else {
            entries.retain(|id, _| is_seen(id));
            observation::versions(db, side, class)?.keys().filter(|id| is_seen(id)).count()
        };
        Ok((Listing { entries, completeness: self.completeness }, count))
    }
}

impl Asked {
    /// The items that it speaks of, if it names each that is not as it was.
    fn named(&self) -> Option<BTreeSet<ItemId>> {
        let mut named = BTreeSet::new();
        for part in self.news.parts.values() {
            let Part::Changes { changed, gone } = part else { return None };
            named.extend(changed.keys().chain(gone).cloned());
        }
        (!self.since.is_empty()).then_some(named)
    }

    /// The collections that were seen, or are known to be as they were.
    fn seen(&self) -> BTreeSet<String> {
        self.since.keys().chain(self.news.parts.keys()).cloned().collect()
    }
}
