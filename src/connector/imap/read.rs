//! Reading messages: their heads in large windows, whole ones in small windows and the largest alone. What a server does not give
//! although it says *OK* is gone; whatever else goes wrong is an error.

use std::collections::{BTreeMap, BTreeSet};

use super::fetch::{self, Ended, Fetched};
use super::session::Session;
use super::{folder, item_id, place, set};
use crate::connector::{Error, ErrorKind, Result, header};
use crate::model::{Body, Document, ItemId};

/// What readers of heads look at, and what tells a machine's letter from a person's. A message without a `Message-ID` is read
/// whole: what it is called by is made from its body, too.
const HEAD: &str = "(UID FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Sender Reply-To Date Subject \
     Message-ID In-Reply-To References Thread-Index Thread-Topic Importance Priority X-Priority X-MSMail-Priority \
     Sensitivity MIME-Version Content-Type List-Id List-Post Auto-Submitted Precedence X-Auto-Response-Suppress)])";

const WHOLE: &str = "(UID FLAGS BODY.PEEK[])";

/// Heads of so many messages are asked for in one command, and so many commands are under way.
const HEADS: usize = 500;
const HEADS_IN_FLIGHT: usize = 4;

/// The same for whole messages, and how many bytes they have together.
const BODIES: usize = 100;
const BODIES_SIZE: u64 = 2 << 20;
const BODIES_IN_FLIGHT: usize = 2;

/// Many small answers.
const SIZES: usize = 2000;

pub(super) type Documents = BTreeMap<ItemId, Result<Document>>;

/// How much of a message is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Head,
    Whole,
}

/// Reads messages, folder by folder.
///
/// # Errors
/// When the connection is lost.
pub(super) async fn read(
    session: &mut Session,
    ids: &[ItemId],
    (part, limit): (Part, u64),
) -> Result<Documents> {
    let mut documents = Documents::new();
    // What is in one folder under one validity.
    let mut wanted: BTreeMap<(String, u32), BTreeSet<u32>> = BTreeMap::new();
    for id in ids {
        match place(id) {
            Some(place) => drop(
                wanted
                    .entry((place.folder.to_owned(), place.validity))
                    .or_default()
                    .insert(place.uid),
            ),
            None => drop(documents.insert(id.clone(), Err(missing(id)))),
        }
    }
    for ((folder, validity), uids) in wanted {
        let found = folder_part(session, &folder, validity, (&uids, part, limit)).await;
        let mut found = match found {
            Err(error) if !session.is_alive() => return Err(error),
            found => found,
        };
        for uid in uids {
            let id = item_id(&folder, validity, uid);
            let document = match &mut found {
                Ok(found) => found.remove(&uid).unwrap_or_else(|| Err(missing(&id))),
                Err(error) => Err(same(error)),
            };
            documents.insert(id, document);
        }
    }
    Ok(documents)
}

type Found = BTreeMap<u32, Result<Document>>;

/// The messages of one folder. Whatever is not among them is gone.
async fn folder_part(
    session: &mut Session,
    name: &str,
    validity: u32,
    (uids, part, limit): (&BTreeSet<u32>, Part, u64),
) -> Result<Found> {
    match session.open(name, false).await {
        Ok(opened) if opened.uid_validity == validity => {}
        // The numbers mean other messages now (RFC 9051 §2.3.1.1).
        Ok(_) => return Ok(Found::new()),
        Err(error) if !session.is_alive() => return Err(error),
        Err(error) if error.kind == ErrorKind::Missing => return Ok(Found::new()),
        Err(error) => {
            return if folder::exists(session, name).await? {
                Err(error)
            } else {
                Ok(Found::new())
            };
        }
    }
    let place = (name, validity);
    match part {
        Part::Head => heads(session, place, uids, limit).await,
        Part::Whole => bodies(session, place, uids, limit).await,
    }
}

async fn heads(
    session: &mut Session,
    place: (&str, u32),
    uids: &BTreeSet<u32>,
    limit: u64,
) -> Result<Found> {
    let mut found = Found::new();
    let sets = (set::pieces(uids, HEADS), HEADS_IN_FLIGHT);
    let ended = fetch::many(session, sets, HEAD, |fetched| {
        if fetched.section.is_some() {
            take(&mut found, place, fetched);
        }
    })
    .await?;
    settle(&mut found, uids, ended);
    let unnamed = |document: &Document| match &document.body {
        Body::Bytes(bytes) => header::message_id(bytes).is_none(),
        Body::Record(_) | Body::Patch(_) => false,
    };
    let unnamed: BTreeSet<u32> = found
        .iter()
        .filter(|(_, document)| document.as_ref().is_ok_and(unnamed))
        .map(|(uid, _)| *uid)
        .collect();
    if !unnamed.is_empty() {
        found.retain(|uid, _| !unnamed.contains(uid));
        found.append(&mut bodies(session, place, &unnamed, limit).await?);
    }
    Ok(found)
}

/// Asks for the sizes first: one message too large must not end the connection, and many large ones not fill the memory.
async fn bodies(
    session: &mut Session,
    place: (&str, u32),
    uids: &BTreeSet<u32>,
    limit: u64,
) -> Result<Found> {
    let mut sizes: BTreeMap<u32, u64> = BTreeMap::new();
    let sets = (set::pieces(uids, SIZES), HEADS_IN_FLIGHT);
    let ended = fetch::many(session, sets, "(UID RFC822.SIZE)", |fetched| {
        if let Some(size) = fetched.size {
            sizes.insert(fetched.uid, size);
        }
    })
    .await?;
    let mut found = Found::new();
    let known: BTreeSet<u32> = uids.iter().copied().filter(|uid| sizes.contains_key(uid)).collect();
    settle(&mut found, &uids.difference(&known).copied().collect(), ended);
    let (fitting, large): (BTreeMap<u32, u64>, BTreeMap<u32, u64>) = sizes
        .into_iter()
        .filter(|(uid, _)| uids.contains(uid))
        .partition(|(_, size)| *size <= limit);
    let mut read = Found::new();
    let sets = (windows(&fitting), BODIES_IN_FLIGHT);
    let ended = fetch::many(session, sets, WHOLE, |fetched| {
        if fetched.section.is_some() {
            take(&mut read, place, fetched);
        }
    })
    .await?;
    settle(&mut read, &fitting.into_keys().collect(), ended);
    found.append(&mut read);
    for uid in large.into_keys() {
        let message = format!("the message is larger than {} MiB", limit >> 20);
        found.insert(uid, Err(Error::new(ErrorKind::Rejected, message)));
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

fn take(found: &mut Found, (folder, validity): (&str, u32), fetched: Fetched) {
    let Some(version) = fetched.version() else { return };
    let (Some(section), Some(marks)) = (fetched.section, fetched.flags) else { return };
    let document = Document {
        id: item_id(folder, validity, fetched.uid),
        version,
        body: Body::Bytes(section.to_vec()),
        marks,
    };
    found.insert(fetched.uid, Ok(document));
}

/// What was not given is gone only if nothing was refused and nothing unreadable: else it may be anything.
fn settle(found: &mut Found, wanted: &BTreeSet<u32>, ended: Ended) {
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
