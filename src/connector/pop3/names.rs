//! What messages are called: from the server's unique ids to item ids and back. It must not know how to ask the server.
//!
//! A unique id that stands for one message is its name. One that stands for several (RFC 1939 allows it for copies; broken
//! servers do it for others, too) is joined by a digest of each message's `Message-ID`: copies of one message thereby become
//! one item, different messages stay different, and the names do not depend on the order. A message that has neither a
//! unique id of its own nor a `Message-ID` has no name that could be trusted tomorrow: it is left out, and the listing says so.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::connector::{Error, ErrorKind, Result, file};
use crate::model::{ItemId, Uid};

/// The one folder.
pub(super) const INBOX: &str = "INBOX";

/// What may stand in a name as it is. `;` is not among it, and thereby free to join a digest.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The messages of a session by their names.
#[derive(Debug)]
pub(super) struct Names {
    by_id: BTreeMap<ItemId, u32>,
    by_number: BTreeMap<u32, ItemId>,
    /// Names that stand for several messages, and thus for none.
    shared: BTreeMap<ItemId, Vec<u32>>,
    nameless: usize,
}

/// The numbers of the messages whose unique id is not theirs alone, in order.
pub(super) fn repeated(uidl: &[(u32, String)]) -> Vec<u32> {
    let by_uidl = grouped(uidl);
    let mut numbers: Vec<u32> =
        by_uidl.into_values().filter(|numbers| numbers.len() > 1).flatten().collect();
    numbers.sort_unstable();
    numbers
}

/// A token that is the same as long as the server lists the same unique ids, in whatever order.
pub(super) fn token(uidl: &[(u32, String)]) -> String {
    let mut names: Vec<&str> = uidl.iter().map(|(_, uidl)| uidl.as_str()).collect();
    names.sort_unstable();
    // A line's end is in no unique id.
    file::digest(names.join("\n").as_bytes())
}

impl Names {
    /// `message_ids`: those of the messages that share a unique id, as far as they have one.
    pub(super) fn new(uidl: &[(u32, String)], message_ids: &BTreeMap<u32, Uid>) -> Self {
        let mut names = Self {
            by_id: BTreeMap::new(),
            by_number: BTreeMap::new(),
            shared: BTreeMap::new(),
            nameless: 0,
        };
        for (uidl, numbers) in grouped(uidl) {
            if let [number] = numbers.as_slice() {
                names.insert(*number, plain(uidl));
                continue;
            }
            for number in &numbers {
                match message_ids.get(number) {
                    // Of copies any will do; the first stays the first.
                    Some(message_id) if names.by_id.contains_key(&joined(uidl, message_id)) => {}
                    Some(message_id) => names.insert(*number, joined(uidl, message_id)),
                    None => names.nameless += 1,
                }
            }
            names.shared.insert(plain(uidl), numbers);
        }
        names
    }

    fn insert(&mut self, number: u32, id: ItemId) {
        self.by_number.insert(number, id.clone());
        self.by_id.insert(id, number);
    }

    /// All messages, the one that came last first.
    pub(super) fn newest(&self) -> impl Iterator<Item = (u32, ItemId)> + '_ {
        self.by_number.iter().rev().map(|(number, id)| (*number, id.clone()))
    }

    /// Why some messages are not among them, if that is so.
    pub(super) fn doubt(&self) -> Option<String> {
        (self.nameless > 0).then(|| {
            format!(
                "{} messages share their unique id (UIDL) with others and have no Message-ID to tell them apart",
                self.nameless
            )
        })
    }

    /// The number that a message has in this session.
    ///
    /// # Errors
    /// [`ErrorKind::Missing`] when the server lists it no more, [`ErrorKind::Forbidden`] when that cannot be judged.
    pub(super) fn number(&self, id: &ItemId) -> Result<u32> {
        if let Some(number) = self.by_id.get(id) {
            return Ok(*number);
        }
        let (name, digest) = match id.as_str().rsplit_once(';') {
            Some((name, _)) => (ItemId::new(name), true),
            None => (id.clone(), false),
        };
        // Seen alone before and now shared, or the other way round: it may be there under another name.
        let renamed = self.shared.contains_key(&name) && (!digest || self.nameless > 0)
            || digest && self.by_id.contains_key(&name);
        if renamed {
            let message = format!("the unique id of {id} does not tell which message it is");
            return Err(Error::new(ErrorKind::Forbidden, message));
        }
        Err(Error::new(ErrorKind::Missing, format!("{id} is not there")))
    }
}

fn grouped(uidl: &[(u32, String)]) -> BTreeMap<&str, Vec<u32>> {
    let mut by_uidl: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (number, uidl) in uidl {
        by_uidl.entry(uidl).or_default().push(*number);
    }
    by_uidl
}

fn plain(uidl: &str) -> ItemId {
    ItemId::new(format!("{INBOX}/{}", utf8_percent_encode(uidl, ENCODED)))
}

fn joined(uidl: &str, message_id: &Uid) -> ItemId {
    let digest = file::digest(message_id.as_str().as_bytes());
    ItemId::new(format!("{};{digest}", plain(uidl)))
}
