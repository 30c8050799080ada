//! What a server says about one message (RFC 9051 §7.5.2), and asking for many at once. It must not know what the answers are
//! for.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use super::name;
use super::response::Response;
use super::select::is_keyword;
use super::session::Session;
use super::token::Token;
use crate::connector::{Error, Result};
use crate::model::Version;

/// What the name of a section begins with.
const SECTION: &[u8] = b"BODY[";

/// A message, as far as it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) uid: u32,
    /// Without `\Recent`, which says something about the session and nothing about the message.
    pub(super) flags: Option<BTreeSet<String>>,
    pub(super) size: Option<u64>,
    pub(super) mod_seq: Option<u64>,
    /// The section that was asked for.
    pub(super) section: Option<Bytes>,
    /// Gmail's labels (<https://developers.google.com/workspace/gmail/imap/imap-extensions>).
    pub(super) labels: Option<BTreeSet<String>>,
}

impl Fetched {
    /// Takes a response apart; nothing for any other, or one that does not name its UID: that is news of something nobody asked
    /// about.
    pub(super) fn of(response: &Response) -> Option<Self> {
        let Response::Numbered { name, rest, .. } = response else { return None };
        if name != "FETCH" {
            return None;
        }
        let mut fetched = Self::default();
        for pair in rest.first()?.list()?.chunks_exact(2) {
            let [item, value] = pair else { continue };
            let Token::Atom(name) = item else { continue };
            let is = |known: &str| item.is_atom(known);
            let section = name.get(..SECTION.len()).unwrap_or_default();
            if is("UID") {
                fetched.uid = value.number()?;
            } else if is("FLAGS") {
                fetched.flags = Some(flags(value)?);
            } else if is("RFC822.SIZE") {
                fetched.size = value.number();
            } else if is("MODSEQ") {
                fetched.mod_seq = value.list()?.first()?.number();
            } else if is("X-GM-LABELS") {
                fetched.labels = Some(labels(value)?);
            } else if let (true, Token::Text(text)) = (section.eq_ignore_ascii_case(SECTION), value)
            {
                fetched.section = Some(text.clone());
            }
        }
        (fetched.uid > 0).then_some(fetched)
    }

    /// The version of a message: its keywords. Nothing else about it ever changes, but for what matters to mail programs.
    pub(super) fn version(&self) -> Option<Version> {
        self.flags.as_ref().map(version)
    }
}

pub(super) fn version(flags: &BTreeSet<String>) -> Version {
    let keywords: Vec<&str> =
        flags.iter().map(String::as_str).filter(|flag| is_keyword(flag)).collect();
    Version::new(keywords.join(" "))
}

fn flags(value: &Token) -> Option<BTreeSet<String>> {
    let flags = value.list()?.iter().filter_map(Token::text);
    Some(flags.filter(|flag| !flag.eq_ignore_ascii_case("\\Recent")).map(str::to_owned).collect())
}

fn labels(value: &Token) -> Option<BTreeSet<String>> {
    let labels = value.list()?.iter().filter_map(Token::text);
    Some(labels.map(|label| name::decode(label).unwrap_or_else(|| label.to_owned())).collect())
}

/// How a fetch of many ended: it is no error that one of its commands was refused, others may have been answered.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) refused: Option<Error>,
    /// Why some answers could not be read.
    pub(super) broken: Option<&'static str>,
}

/// Fetches messages in the open folder, several commands in flight. The answers come in any order.
///
/// # Errors
/// When the connection is lost.
pub(super) async fn many(
    session: &mut Session,
    (sets, in_flight): (Vec<String>, usize),
    items: &str,
    mut each: impl FnMut(Fetched) + Send,
) -> Result<Ended> {
    let mut ended = Ended::default();
    let mut flying = VecDeque::new();
    let mut sets = sets.into_iter();
    loop {
        while flying.len() < in_flight.max(1)
            && let Some(set) = sets.next()
        {
            flying.push_back(session.send(&format!("UID FETCH {set} {items}")).await?);
        }
        let Some(tag) = flying.pop_front() else { return Ok(ended) };
        let hear = |response: Response| {
            if let Some(fetched) = Fetched::of(&response) {
                each(fetched);
            }
        };
        match session.finish(&tag, "read messages", hear).await {
            Ok(done) => ended.broken = done.broken.or(ended.broken),
            Err(error) if session.is_alive() => ended.refused = Some(error),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::response::parse;
    use super::*;

    fn fetched(items: &str) -> Option<Fetched> {
        let whole = Bytes::copy_from_slice(format!("* 1 FETCH {items}\r\n").as_bytes());
        Fetched::of(&parse(&whole).unwrap().unwrap())
    }

    #[test]
    fn what_is_asked_for_is_found_among_the_rest() {
        let found = fetched(
            "(X-NEW (a (b)) INTERNALDATE NIL UID 7 FLAGS (\\Seen \\Recent $b $A) MODSEQ (99) \
             RFC822.SIZE 5 BODY[HEADER.FIELDS (FROM)] {5}\r\nF: x\n X-GM-LABELS (\\Inbox \"\\\\Sent\" &AOQ-))",
        )
        .unwrap();
        assert_eq!(found.uid, 7);
        assert_eq!(found.version().unwrap().as_str(), "$A $b");
        assert_eq!(found.flags.unwrap().len(), 3);
        assert_eq!((found.size, found.mod_seq), (Some(5), Some(99)));
        assert_eq!(found.section.as_deref(), Some(&b"F: x\n"[..]));
        assert!(found.labels.unwrap().contains("ä"));
    }

    #[test]
    fn what_names_no_uid_is_nobodys() {
        for odd in [
            "(FLAGS ())",
            "()",
            "UID 7",
            "(UID 0 FLAGS ())",
            "(UID -1)",
            "(UID 99999999999)",
            "(UID 7 FLAGS NIL)",
        ] {
            assert_eq!(fetched(odd), None, "{odd}");
        }
        assert_eq!(fetched("(UID 7 BODY[] NIL)").unwrap().section, None);
    }
}
