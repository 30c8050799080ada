//! Reading the heads of messages, be they ever so many: the server is asked for all of them at once, as far as the questions fit on
//! the way, and what it answered is handed on while it says the rest.

use std::collections::{BTreeMap, BTreeSet};

use super::across::{self, Ask, Place, Sink};
use super::fetch::Fetched;
use super::read::{self, Wanted, missing};
use super::session::Session;
use super::{SIZE_LIMIT, item_id, place, set};
use crate::connector::pour::{PORTION, is_nameless};
use crate::connector::{Documents, Portions, Result};
use crate::model::ItemId;

/// What readers of heads look at, and what tells a machine's letter from a person's. A message without a `Message-ID` is read
/// whole: what it is called by is made from its body, too.
const HEAD: &str = "(UID FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Sender Reply-To Date Subject \
     Message-ID In-Reply-To References Thread-Index Thread-Topic Importance Priority X-Priority X-MSMail-Priority \
     Sensitivity MIME-Version Content-Type List-Id List-Post Auto-Submitted Precedence X-Auto-Response-Suppress)])";

/// So many commands are under way: enough for what is new in all the folders of a busy day.
const IN_FLIGHT: usize = 64;

/// Heads on their way to whom they are for. When the connection dies, another one can go on with what is left.
pub(super) struct Pouring<'a> {
    /// What is in each folder, in the order in which it is wanted.
    order: Vec<(Place, Vec<u32>)>,
    /// What was not answered yet.
    wanted: Wanted,
    /// Heads without a name.
    nameless: Wanted,
    found: Documents,
    /// Without anybody to hand them on to, all are kept.
    to: Option<&'a Portions>,
    is_wanted: bool,
}

impl<'a> Pouring<'a> {
    pub(super) fn new(ids: &[ItemId], to: Option<&'a Portions>) -> Self {
        let (mut order, mut found) = (Vec::<(Place, Vec<u32>)>::new(), Documents::new());
        let mut places: BTreeMap<(&str, u32), usize> = BTreeMap::new();
        for id in ids {
            let Some(at) = place(id) else {
                found.insert(id.clone(), Err(missing(id)));
                continue;
            };
            let number = *places.entry((at.folder, at.validity)).or_insert_with(|| {
                order.push(((at.folder.to_owned(), at.validity), Vec::new()));
                order.len() - 1
            });
            if let Some((_, uids)) = order.get_mut(number) {
                uids.push(at.uid);
            }
        }
        let wanted = |(place, uids): &(Place, Vec<u32>)| (place.clone(), set_of(uids));
        let wanted = order.iter().map(wanted).collect();
        Self { order, wanted, nameless: Wanted::new(), found, to, is_wanted: true }
    }

    /// Reads what is left, and hands it on.
    ///
    /// # Errors
    /// When the connection is lost.
    pub(super) async fn go(&mut self, session: &mut Session) -> Result<()> {
        self.nameless.clear();
        let asks = self.asks();
        let ended = across::fetch(session, asks, (HEAD, IN_FLIGHT), self).await?;
        if !self.is_wanted {
            return Ok(());
        }
        let bodies = read::bodies(session, &self.nameless, SIZE_LIMIT).await?;
        for (place, found) in bodies {
            let Some(wanted) = self.wanted.get_mut(&place) else { continue };
            for (uid, document) in found {
                wanted.remove(&uid);
                self.found.insert(item_id(&place.0, place.1, uid), document);
            }
        }
        for (place, ended) in ended {
            let Some(uids) = self.wanted.remove(&place) else { continue };
            let mut doubtful = BTreeMap::new();
            read::settle(&mut doubtful, &uids, ended);
            for uid in uids {
                let id = item_id(&place.0, place.1, uid);
                let error = doubtful.remove(&uid).unwrap_or_else(|| Err(missing(&id)));
                self.found.insert(id, error);
            }
        }
        self.hand_on().await;
        Ok(())
    }

    /// What was found and not handed on.
    pub(super) fn found(self) -> Documents {
        self.found
    }

    /// In the order in which it is wanted, so that it comes in that order.
    fn asks(&self) -> Vec<Ask> {
        let mut asks = Vec::new();
        for (place, uids) in &self.order {
            let Some(wanted) = self.wanted.get(place).filter(|wanted| !wanted.is_empty()) else {
                continue;
            };
            let uids: Vec<u32> = uids.iter().copied().filter(|uid| wanted.contains(uid)).collect();
            let sets = uids.chunks(PORTION).flat_map(|uids| set::pieces(&set_of(uids), PORTION));
            asks.push(Ask { place: place.clone(), sets: sets.collect() });
        }
        asks
    }

    async fn hand_on(&mut self) {
        if let Some(to) = self.to
            && !self.found.is_empty()
        {
            self.is_wanted = to.send(std::mem::take(&mut self.found)).await.is_ok();
        }
    }
}

impl Sink for Pouring<'_> {
    fn take(&mut self, place: &Place, fetched: Fetched) {
        let uid = fetched.uid;
        let Some(wanted) = self.wanted.get_mut(place).filter(|wanted| wanted.contains(&uid)) else {
            return;
        };
        let Some((_, document)) = read::document(place, fetched) else { return };
        if is_nameless(&document) {
            self.nameless.entry(place.clone()).or_default().insert(uid);
        } else {
            wanted.remove(&uid);
            self.found.insert(document.id.clone(), Ok(document));
        }
    }

    async fn rest(&mut self) -> bool {
        if self.found.len() >= PORTION {
            self.hand_on().await;
        }
        self.is_wanted
    }
}

fn set_of(uids: &[u32]) -> BTreeSet<u32> {
    uids.iter().copied().collect()
}
