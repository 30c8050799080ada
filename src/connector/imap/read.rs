//! Reading whole messages, in small windows and the largest alone. What a server does not give although it says *OK* is gone;
//! whatever else goes wrong is an error.

use std::collections::{BTreeMap, BTreeSet};

use super::across::{self, Ask, Place};
use super::fetch::{Ended, Fetched};
use super::session::Session;
use super::{item_id, place, set};
use crate::connector::{Documents, Error, ErrorKind, Result};
use crate::model::{Body, Document, ItemId};

const WHOLE: &str = "(UID FLAGS BODY.PEEK[])";

/// So many messages are asked for in one command, how many bytes they have together, and so many commands are under way.
const BODIES: usize = 100;
const BODIES_SIZE: u64 = 2 << 20;
const BODIES_IN_FLIGHT: usize = 16;

/// Many small answers.
const SIZES: usize = 2000;
const SIZES_IN_FLIGHT: usize = 64;

/// Reads messages. What lies in many folders takes no more turns than what lies in one.
///
/// # Errors
/// When the connection is lost.
pub(super) async fn read(session: &mut Session, ids: &[ItemId], limit: u64) -> Result<Documents> {
    let mut documents = Documents::new();
    let mut wanted = Wanted::new();
    // Those of a folder stand together, mostly.
    for ids in ids.chunk_by(|one, other| lies_in(one) == lies_in(other)) {
        let (mut uids, mut lie_in) = (BTreeSet::new(), None);
        for id in ids {
            if let Some(place) = place(id) {
                uids.insert(place.uid);
                lie_in = Some((place.folder, place.validity));
            } else {
                documents.insert(id.clone(), Err(missing(id)));
            }
        }
        if let Some((folder, validity)) = lie_in {
            wanted.entry((folder.to_owned(), validity)).or_default().append(&mut uids);
        }
    }
    let mut found = bodies(session, &wanted, limit).await?;
    for ((folder, validity), uids) in wanted {
        let mut found = found.remove(&(folder.clone(), validity)).unwrap_or_default();
        for uid in uids {
            let (id, document) = match found.remove(&uid) {
                Some(Ok(document)) => (document.id.clone(), Ok(document)),
                other => {
                    let id = item_id(&folder, validity, uid);
                    let error = other.unwrap_or_else(|| Err(missing(&id)));
                    (id, error)
                }
            };
            documents.insert(id, document);
        }
    }
    Ok(documents)
}

/// What the ids of all that lies in one folder, under one validity, begin with.
fn lies_in(id: &ItemId) -> Option<&str> {
    id.as_str().rsplit_once('.').map(|(lies_in, _)| lies_in)
}

/// What is in one folder under one validity.
pub(super) type Wanted = BTreeMap<Place, BTreeSet<u32>>;

/// The messages of each folder. Whatever is not among them is gone.
pub(super) type Found = BTreeMap<Place, BTreeMap<u32, Result<Document>>>;

/// Asks for the sizes first: one message too large must not end the connection, and many large ones not fill the memory.
pub(super) async fn bodies(session: &mut Session, wanted: &Wanted, limit: u64) -> Result<Found> {
    if wanted.is_empty() {
        return Ok(Found::new());
    }
    let mut sizes: BTreeMap<Place, BTreeMap<u32, u64>> = BTreeMap::new();
    let asked = asks(wanted, |uids| set::pieces(uids, SIZES));
    let plan = ("(UID RFC822.SIZE)", SIZES_IN_FLIGHT);
    let ended = across::fetch(session, asked, plan, &mut |place: &Place, fetched: Fetched| {
        if let Some(size) = fetched.size {
            sizes.entry(place.clone()).or_default().insert(fetched.uid, size);
        }
    })
    .await?;
    let (mut found, mut fitting, mut windows_of) = (Found::new(), Wanted::new(), BTreeMap::new());
    for (place, ended) in ended {
        let Some(uids) = wanted.get(&place) else { continue };
        let mut sizes = sizes.remove(&place).unwrap_or_default();
        sizes.retain(|uid, _| uids.contains(uid));
        let unknown = uids.iter().copied().filter(|uid| !sizes.contains_key(uid)).collect();
        let of_place = found.entry(place.clone()).or_default();
        settle(of_place, &unknown, ended);
        for uid in sizes.iter().filter(|(_, size)| **size > limit).map(|(uid, _)| *uid) {
            let message = format!("the message is larger than {} MiB", limit >> 20);
            of_place.insert(uid, Err(Error::new(ErrorKind::Rejected, message)));
        }
        sizes.retain(|_, size| *size <= limit);
        if !sizes.is_empty() {
            windows_of.insert(place.clone(), windows(&sizes));
            fitting.insert(place, sizes.into_keys().collect());
        }
    }
    let asks = windows_of.into_iter().map(|(place, sets)| Ask { place, sets }).collect();
    for (place, mut read) in read_part(session, &fitting, asks, (WHOLE, BODIES_IN_FLIGHT)).await? {
        found.entry(place).or_default().append(&mut read);
    }
    Ok(found)
}

fn asks(wanted: &Wanted, sets: impl Fn(&BTreeSet<u32>) -> Vec<String>) -> Vec<Ask> {
    wanted.iter().map(|(place, uids)| Ask { place: place.clone(), sets: sets(uids) }).collect()
}

/// Reads one section of messages.
async fn read_part(
    session: &mut Session,
    wanted: &Wanted,
    asks: Vec<Ask>,
    plan: (&str, usize),
) -> Result<Found> {
    let mut found = Found::new();
    let ended = across::fetch(session, asks, plan, &mut |place: &Place, fetched: Fetched| {
        if let Some(document) = document(place, fetched) {
            found.entry(place.clone()).or_default().insert(document.0, Ok(document.1));
        }
    })
    .await?;
    for (place, ended) in ended {
        if let Some(uids) = wanted.get(&place) {
            settle(found.entry(place).or_default(), uids, ended);
        }
    }
    Ok(found)
}

/// Sets of messages that are no more than a window holds together; a large one has its own.
fn windows(sizes: &BTreeMap<u32, u64>) -> Vec<String> {
    let mut windows = Vec::new();
    let (mut window, mut total) = (BTreeSet::new(), 0_u64);
    for (uid, size) in sizes {
        let is_full = window.len() >= BODIES || total.saturating_add(*size) > BODIES_SIZE;
        if is_full && !window.is_empty() {
            windows.append(&mut set::pieces(&std::mem::take(&mut window), BODIES));
            total = 0;
        }
        window.insert(*uid);
        total = total.saturating_add(*size);
    }
    windows.append(&mut set::pieces(&window, BODIES));
    windows
}

pub(super) fn document((folder, validity): &Place, fetched: Fetched) -> Option<(u32, Document)> {
    let version = fetched.version()?;
    let (section, marks) = (fetched.section?, fetched.flags?);
    let id = item_id(folder, *validity, fetched.uid);
    Some((fetched.uid, Document { id, version, body: Body::Bytes(section.to_vec()), marks }))
}

/// What was not given is gone only if nothing was refused and nothing unreadable: else it may be anything.
pub(super) fn settle(
    found: &mut BTreeMap<u32, Result<Document>>,
    wanted: &BTreeSet<u32>,
    ended: Ended,
) {
    found.retain(|uid, _| wanted.contains(uid));
    let doubt = ended.refused.or_else(|| {
        ended.broken.map(|why| {
            Error::new(ErrorKind::Malformed, format!("the answer cannot be read: {why}"))
        })
    });
    let Some(doubt) = doubt else { return };
    for uid in wanted {
        found.entry(*uid).or_insert_with(|| Err(same(&doubt)));
    }
}

pub(super) fn missing(id: &ItemId) -> Error {
    Error::new(ErrorKind::Missing, format!("{id} is not there"))
}

/// The same error, for another item.
pub(super) fn same(error: &Error) -> Error {
    let copy = Error::new(error.kind, error.message.clone());
    match &error.hint {
        Some(hint) => copy.hint(hint.clone()),
        None => copy,
    }
}
