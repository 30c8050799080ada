//! Filing, marking and deleting messages.
//!
//! `APPEND` cannot be repeated harmlessly, so that it is never sent before a look whether the message is there, by its
//! `Message-ID`: after an end that leaves it open what came of it, the next look tells. Nothing but the one message that is
//! meant is ever expunged.

use std::collections::{BTreeMap, BTreeSet};

use super::capability::Strategy;
use super::name::{self, Piece};
use super::pouring::Pouring;
use super::read::{self, missing};
use super::response::Response;
use super::session::Session;
use super::{Options, SIZE_LIMIT, fetch, folder, item_id, place, search, set};
use crate::connector::{Error, ErrorKind, Result, Write, Written, header};
use crate::model::{Body, ItemId, Uid, Version};

/// How many messages are marked in one command.
const MARKS: usize = 500;

/// Carries out writes in their order; marks of the same kind that follow each other go in one command.
pub(super) async fn write(
    session: &mut Session,
    options: &Options,
    writes: Vec<Write>,
) -> Vec<Result<Written>> {
    let mut results = Vec::with_capacity(writes.len());
    let mut writes = writes.into_iter().peekable();
    while let Some(write) = writes.next() {
        match write {
            Write::Mark { id, mark, set } => {
                let mut ids = vec![id];
                let is_same = |next: &Write| matches!(next, Write::Mark { mark: m, set: s, .. } if *m == mark && *s == set);
                while let Some(next) = writes.next_if(is_same) {
                    ids.push(next.id().clone());
                }
                results.append(&mut marks(session, &ids, &mark, set).await);
            }
            Write::Create { id, body } => results.push(create(session, options, &id, body).await),
            Write::Delete { id, version } => results.push(delete(session, id, &version).await),
            Write::Update { .. } => results.push(Err(Error::new(
                ErrorKind::Unsupported,
                "a stored message cannot be changed",
            ))),
        }
    }
    results
}

/// Files a message as read: it is the user's own doing, and nothing to be told about.
async fn create(
    session: &mut Session,
    options: &Options,
    wish: &ItemId,
    body: Body,
) -> Result<Written> {
    let Body::Bytes(bytes) = body else {
        let message = "a mailbox holds messages, not records";
        return Err(Error::new(ErrorKind::Unsupported, message));
    };
    let bytes = with_line_ends(&bytes)?;
    let limit = session.capabilities.append_limit().unwrap_or(SIZE_LIMIT).min(SIZE_LIMIT);
    if bytes.len() as u64 > limit {
        let message = format!("the message is larger than the {limit} bytes that can be filed");
        return Err(Error::new(ErrorKind::Rejected, message));
    }
    let uid = header::message_id(&bytes).ok_or_else(|| {
        Error::new(
            ErrorKind::Unsupported,
            "a message without a Message-ID could not be found again",
        )
    })?;
    let folder = match wish.collection() {
        "" => folder::INBOX,
        folder => folder,
    };
    let lies_in = home(session, options, folder).await?;
    if search::within(session, &lies_in, &uid).await?.is_some() {
        let message = format!("a message of this Message-ID is in the folder {lies_in} already");
        return Err(Error::new(ErrorKind::Exists, message));
    }
    let filed = append(session, folder, bytes).await?;
    let id = match filed {
        Some((validity, number)) if lies_in == folder => item_id(folder, validity, number),
        _ => filed_as(session, &lies_in, &uid).await?,
    };
    read_back(session, id).await.map_err(after_the_deed)
}

/// That it cannot be read does not undo what was done.
fn after_the_deed(error: Error) -> Error {
    if error.kind.leaves_open() || error.kind == ErrorKind::Missing {
        return error;
    }
    Error::new(ErrorKind::Failing, "it was done, but could not be read back").caused_by(error)
}

/// The folder whose messages are listed: where labels stand for folders, the one that has them all.
async fn home(session: &mut Session, options: &Options, folder: &str) -> Result<String> {
    if session.capabilities.strategy() != Strategy::Gmail {
        return Ok(folder.to_owned());
    }
    let tree = folder::list(session, options, std::iter::empty()).await?;
    Ok(tree.everything().map_or(folder, |all| all.name.as_str()).to_owned())
}

/// Sends the message; its validity and UID where the server tells (RFC 4315 §3).
async fn append(session: &mut Session, folder: &str, bytes: Vec<u8>) -> Result<Option<(u32, u32)>> {
    let command = format!("APPEND {} (\\Seen) ", name::folder(folder));
    let tag = session.send_pieces(&[Piece::Text(command), Piece::Literal(bytes)]).await?;
    let done = session.finish(&tag, &format!("file a message in {folder}"), |_| {}).await?;
    let code = done.status.code("APPENDUID");
    Ok(code.and_then(|code| match code.rest.as_slice() {
        [validity, uid, ..] => Some((validity.number()?, uid.number()?)),
        _ => None,
    }))
}

async fn filed_as(session: &mut Session, folder: &str, uid: &Uid) -> Result<ItemId> {
    search::within(session, folder, uid).await?.ok_or_else(|| {
        // Not an error of the message: it was taken, and the next look finds it.
        Error::new(ErrorKind::Unreachable, format!("what was filed in {folder} does not show yet"))
    })
}

/// What stands there now.
async fn read_back(session: &mut Session, id: ItemId) -> Result<Written> {
    let mut documents = read::read(session, std::slice::from_ref(&id), SIZE_LIMIT).await?;
    let document = documents.remove(&id).unwrap_or_else(|| Err(missing(&id)))?;
    Ok(Written { id, document: Some(document) })
}

/// Lines end in CR LF on the wire (RFC 5322 §2.3), and `APPEND` takes no NUL (RFC 9051 §4.3).
fn with_line_ends(bytes: &[u8]) -> Result<Vec<u8>> {
    if bytes.contains(&0) {
        return Err(Error::new(
            ErrorKind::Rejected,
            "the message holds a NUL, which no server takes",
        ));
    }
    let mut whole = Vec::with_capacity(bytes.len());
    let mut before = 0;
    for byte in bytes {
        if *byte == b'\n' && before != b'\r' {
            whole.push(b'\r');
        }
        whole.push(*byte);
        before = *byte;
    }
    Ok(whole)
}

/// Sets or clears a flag or keyword; one result each.
async fn marks(
    session: &mut Session,
    ids: &[ItemId],
    mark: &str,
    set: bool,
) -> Vec<Result<Written>> {
    let mut wanted: BTreeMap<(&str, u32), BTreeSet<u32>> = BTreeMap::new();
    for place in ids.iter().filter_map(place) {
        wanted.entry((place.folder, place.validity)).or_default().insert(place.uid);
    }
    let mut refused: BTreeMap<(&str, u32), Error> = BTreeMap::new();
    for ((folder, validity), uids) in &wanted {
        if let Err(error) = mark_some(session, (folder, *validity), uids, (mark, set)).await {
            refused.insert((folder, *validity), error);
        }
    }
    let mut pouring = Pouring::new(ids, None);
    let read = pouring.go(session).await.map(|()| pouring.found());
    let mut documents = match read {
        Ok(documents) => documents,
        Err(error) => {
            return ids.iter().map(|_| Err(after_the_deed(read::same(&error)))).collect();
        }
    };
    let result = |id: &ItemId| {
        let refused = place(id).and_then(|place| refused.get(&(place.folder, place.validity)));
        if let Some(error) = refused {
            return Err(read::same(error));
        }
        // The same message may be named twice.
        let document = match documents.get(id) {
            Some(Ok(document)) => Ok(document.clone()),
            _ => documents.remove(id).unwrap_or_else(|| Err(missing(id))),
        }
        .map_err(after_the_deed)?;
        let has = document.marks.iter().any(|has| has.eq_ignore_ascii_case(mark));
        if has != set {
            let message = format!("the server says yes, and keeps {mark} as it was");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(Written { id: id.clone(), document: Some(document) })
    };
    ids.iter().map(result).collect()
}

async fn mark_some(
    session: &mut Session,
    (folder, validity): (&str, u32),
    uids: &BTreeSet<u32>,
    (mark, set): (&str, bool),
) -> Result<()> {
    let is_atom = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"(){%*\"\\]".contains(&byte))
    };
    if !is_atom(mark.strip_prefix('\\').unwrap_or(mark)) {
        return Err(Error::new(ErrorKind::Unsupported, "the mark is not an IMAP keyword"));
    }
    let opened = session.open(folder, true).await?;
    if opened.uid_validity != validity {
        let message = format!("the messages of {folder} have other numbers by now");
        return Err(Error::new(ErrorKind::Missing, message));
    }
    if !opened.writable {
        return Err(Error::new(ErrorKind::Forbidden, format!("{folder} can only be read")));
    }
    if !opened.keeps(mark) {
        let message = format!("{folder} keeps no mark {mark}");
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let sign = if set { '+' } else { '-' };
    for set in set::pieces(uids, MARKS) {
        let command = format!("UID STORE {set} {sign}FLAGS.SILENT ({mark})");
        session.run(&command, "mark messages", |_| {}).await?;
    }
    Ok(())
}

/// Removes one message for good, if it is still the one that was meant.
async fn delete(session: &mut Session, id: ItemId, version: &Version) -> Result<Written> {
    let found = place(&id).ok_or_else(|| missing(&id))?;
    if !session.capabilities.has("UIDPLUS") {
        let message = "the server can only remove all deleted messages of a folder at once";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let opened = session.open(found.folder, true).await?;
    if opened.uid_validity != found.validity {
        return Err(missing(&id));
    }
    if !opened.writable {
        return Err(Error::new(ErrorKind::Forbidden, format!("{} can only be read", found.folder)));
    }
    let uid = found.uid;
    let items = if opened.mod_seq.is_some() { "(UID FLAGS MODSEQ)" } else { "(UID FLAGS)" };
    let mut now = None;
    let ended = fetch::many(session, (vec![uid.to_string()], 1), items, |fetched| {
        if fetched.uid == uid {
            now = Some(fetched);
        }
    })
    .await?;
    if let Some(error) = ended.refused {
        return Err(error);
    }
    let now = now.ok_or_else(|| missing(&id))?;
    let stale = || Error::new(ErrorKind::Stale, format!("{id} was marked meanwhile"));
    if now.version().as_ref() != Some(version) {
        return Err(stale());
    }
    // Between that look and this command nobody marks it unseen where the server can tell (RFC 7162 §3.1.3).
    let unless = match now.mod_seq.filter(|_| session.capabilities.has_mod_seq()) {
        Some(number) => format!(" (UNCHANGEDSINCE {number})"),
        None => String::new(),
    };
    let command = format!("UID STORE {uid}{unless} +FLAGS.SILENT (\\Deleted)");
    let mut is_modified = false;
    let done = session
        .run(&command, "delete a message", |response| {
            is_modified |=
                matches!(&response, Response::Status(status) if status.code("MODIFIED").is_some());
        })
        .await?;
    if is_modified || done.status.code("MODIFIED").is_some() {
        return Err(stale());
    }
    session.run(&format!("UID EXPUNGE {uid}"), "remove a message", |_| {}).await?;
    Ok(Written { id, document: None })
}
