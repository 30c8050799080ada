//! Finding messages by their `Message-ID`. Servers find what contains the text, some also what merely resembles it: whatever is
//! found is read and compared. A search that is refused is an error, never *not there*.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::folder;
use super::name::{Piece, string};
use super::response::Response;
use super::session::{Session, Tag};
use super::token::Token;
use super::{Options, fetch, item_id, set};
use crate::connector::{Error, ErrorKind, Result, header};
use crate::model::{ItemId, Uid};

/// How many names are searched for in one command: some five thousand bytes, of the eight thousand that every server takes
/// (RFC 7162 §4).
const NAMES: usize = 50;

/// How many names and folders are in one turn: as many commands go out before the first answer is read, and a server that waits
/// for us to read must not keep us waiting for it.
const NAMES_AT_ONCE: usize = 500;
const FOLDERS: usize = 8;

/// Answers of this many messages are read in one command.
const HITS: usize = 500;

const FIELD: &str = "(UID BODY.PEEK[HEADER.FIELDS (Message-ID)])";

/// Where these messages are: in the folders that are looked at first, then in junk and deleted mail. A draft is no message yet.
pub(super) async fn everywhere(
    session: &mut Session,
    options: &Options,
    uids: &[Uid],
) -> Result<BTreeMap<Uid, ItemId>> {
    let mut wanted: BTreeSet<Uid> = uids.iter().cloned().collect();
    let mut found = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let tree = folder::list(session, options, std::iter::empty()).await?;
    let looked_at = tree.looked_at(options, session.capabilities.strategy());
    let others = tree.others(&looked_at);
    let names: Vec<String> =
        looked_at.iter().chain(&others).map(|folder| folder.name.clone()).collect();
    for names in names.chunks(FOLDERS) {
        let left: Vec<Uid> = wanted.iter().cloned().collect();
        for uids in left.chunks(NAMES_AT_ONCE) {
            let uids: BTreeSet<Uid> = uids.iter().cloned().collect();
            for (folder, hits) in hits(session, names, &uids).await? {
                for (uid, id) in compare(session, &folder, &hits, &uids).await? {
                    wanted.remove(&uid);
                    found.entry(uid).or_insert(id);
                }
            }
        }
    }
    Ok(found)
}

/// Where one message is in one folder.
pub(super) async fn within(
    session: &mut Session,
    folder: &str,
    uid: &Uid,
) -> Result<Option<ItemId>> {
    let wanted = BTreeSet::from([uid.clone()]);
    for (folder, hits) in hits(session, &[folder.to_owned()], &wanted).await? {
        let found = compare(session, &folder, &hits, &wanted).await?;
        if let Some((_, id)) = found.into_iter().next() {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The messages of each folder that a server takes for one of these.
async fn hits(
    session: &mut Session,
    folders: &[String],
    wanted: &BTreeSet<Uid>,
) -> Result<Vec<(String, BTreeSet<u32>)>> {
    let mut asked: VecDeque<(&String, Tag, Vec<Tag>)> = VecDeque::new();
    let names: Vec<&Uid> = wanted.iter().collect();
    for folder in folders {
        let open = session.begin_open(folder, false, "").await?;
        let mut searches = Vec::new();
        for names in names.chunks(NAMES) {
            searches.push(session.send_pieces(&command(names)).await?);
        }
        asked.push_back((folder, open, searches));
    }
    let mut found = Vec::new();
    while let Some((folder, open, searches)) = asked.pop_front() {
        let opened = session.end_open(&open, folder, false, |_| {}).await;
        let mut hits = BTreeSet::new();
        let mut refused: Option<Error> = None;
        let mut answers = 0;
        for search in &searches {
            let doing = format!("search the folder {folder}");
            let hear = |response: Response| {
                if let Response::Data { name, rest } = &response
                    && name == "SEARCH"
                {
                    answers += 1;
                    hits.extend(rest.iter().filter_map(Token::number::<u32>));
                }
            };
            match session.finish(search, &doing, hear).await {
                Ok(done) if done.broken.is_none() => {}
                Ok(_) => refused = Some(unreadable(&doing)),
                Err(error) => refused = Some(error),
            }
        }
        // A yes without an answer is none: even nothing is said in so many words (RFC 3501 §6.4.4). Several that are under way
        // may be answered before any of them is done.
        if answers < searches.len() && refused.is_none() {
            refused = Some(unreadable(&format!("search the folder {folder}")));
        }
        if asked.iter().any(|(_, later, _)| session.is_early(later)) {
            return Err(session.malformed("it answers out of turn"));
        }
        match (opened, refused) {
            // It was deleted since it was listed.
            (Err(error), _) if error.kind == ErrorKind::Missing && session.is_alive() => {}
            (Err(error), _) | (Ok(_), Some(error)) => return Err(error),
            (Ok(_), None) if hits.is_empty() => {}
            (Ok(_), None) => found.push((folder.clone(), hits)),
        }
    }
    Ok(found)
}

/// Which of the hits really have one of these names.
async fn compare(
    session: &mut Session,
    folder: &str,
    hits: &BTreeSet<u32>,
    wanted: &BTreeSet<Uid>,
) -> Result<BTreeMap<Uid, ItemId>> {
    let opened = session.open(folder, false).await?;
    let mut found = BTreeMap::new();
    let ended = fetch::many(session, (set::pieces(hits, HITS), 1), FIELD, |fetched| {
        let name = fetched.section.as_deref().and_then(header::message_id);
        if let Some(name) = name.filter(|name| wanted.contains(name)) {
            found.entry(name).or_insert_with(|| item_id(folder, opened.uid_validity, fetched.uid));
        }
    })
    .await?;
    match (ended.refused, ended.broken) {
        (Some(error), _) => Err(error),
        (None, Some(_)) => Err(unreadable("compare what was found")),
        (None, None) => Ok(found),
    }
}

/// `UID SEARCH OR HEADER Message-ID "a" OR … HEADER Message-ID "z"`.
fn command(names: &[&Uid]) -> Vec<Piece> {
    let strings: Vec<Piece> = names.iter().map(|name| string(name.as_str())).collect();
    let is_foreign = names.iter().any(|name| !name.as_str().is_ascii());
    let charset = if is_foreign { "CHARSET UTF-8 " } else { "" };
    let mut command = vec![Piece::Text(format!("UID SEARCH {charset}"))];
    let last = strings.len().saturating_sub(1);
    for (index, string) in strings.into_iter().enumerate() {
        let or = if index < last { "OR " } else { "" };
        let blank = if index == 0 { "" } else { " " };
        command.push(Piece::Text(format!("{blank}{or}HEADER Message-ID ")));
        command.push(string);
    }
    command
}

fn unreadable(doing: &str) -> Error {
    Error::new(ErrorKind::Malformed, format!("{doing}: the answer cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(names: &[&str]) -> String {
        let names: Vec<Uid> = names.iter().map(|name| Uid::new(*name)).collect();
        let pieces = command(&names.iter().collect::<Vec<_>>());
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Literal(octets) => format!("{{{}}}", octets.len()),
        };
        pieces.iter().map(text).collect()
    }

    #[test]
    fn several_names_are_searched_for_at_once_and_none_breaks_out() {
        assert_eq!(text(&["a@x"]), "UID SEARCH HEADER Message-ID \"a@x\"");
        assert_eq!(
            text(&["a@x", "b@x", "c\"@x"]),
            "UID SEARCH OR HEADER Message-ID \"a@x\" OR HEADER Message-ID \"b@x\" HEADER Message-ID \"c\\\"@x\""
        );
        assert_eq!(text(&["ä@x"]), "UID SEARCH CHARSET UTF-8 HEADER Message-ID {4}");
    }
}
