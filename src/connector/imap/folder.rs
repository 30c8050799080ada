//! Which folders there are, how each stands, and which of them are looked at. It must not know what is in them.

use std::collections::{BTreeMap, BTreeSet};

use super::Options;
use super::capability::Strategy;
use super::name;
use super::response::Response;
use super::session::{Session, Tag};
use super::token::Token;
use crate::connector::{Error, ErrorKind, Result, folders};

pub(super) const INBOX: &str = "INBOX";

/// More folders than that nobody has.
const MOST: usize = 100_000;

/// Attributes of folders that are left out with all below them,
const THROWN_AWAY: [&str; 2] = ["\\Junk", "\\Trash"];
const DRAFTS: &str = "\\Drafts";

/// of the one that holds what the user sent,
const SENT: &str = "\\Sent";

/// and of those that show what lies in others (RFC 6154 §2).
const ALL: &str = "\\All";
const VIEWS: [&str; 3] = [ALL, "\\Flagged", "\\Important"];

/// How a folder stands, as `STATUS` tells it (RFC 9051 §6.3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub(super) uid_validity: u32,
    pub(super) uid_next: u32,
    pub(super) messages: u32,
    /// `None` where the server or the folder keeps none.
    pub(super) mod_seq: Option<u64>,
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) name: String,
    /// The parts of its name.
    path: Vec<String>,
    attributes: BTreeSet<String>,
    pub(super) state: Option<State>,
}

/// All folders of a mailbox.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) folders: BTreeMap<String, Folder>,
    /// Why folders may be missing.
    pub(super) doubt: Option<String>,
}

impl Folder {
    fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|has| has.eq_ignore_ascii_case(attribute))
    }

    /// Whether it can hold messages. Some servers list what is no more but has folders below it.
    pub(super) fn is_there(&self) -> bool {
        !self.has("\\Noselect") && !self.has("\\NonExistent")
    }
}

impl Tree {
    /// The folders whose messages take part.
    pub(super) fn looked_at(&self, options: &Options, strategy: Strategy) -> Vec<&Folder> {
        if strategy == Strategy::Gmail
            && let Some(all) = self.everything()
        {
            return vec![all];
        }
        let takes_part = |folder: &&Folder| {
            folder.is_there()
                && !VIEWS.iter().any(|view| folder.has(view))
                && !self.is_left_out(folder, options)
        };
        self.folders.values().filter(takes_part).collect()
    }

    /// Where else a message may be found, drafts not.
    pub(super) fn others(&self, looked_at: &[&Folder]) -> Vec<&Folder> {
        let is_other = |folder: &&Folder| {
            folder.is_there()
                && !VIEWS.iter().any(|view| folder.has(view))
                && !self.lies_in(folder, |part| part.has(DRAFTS))
                && !folder.path.iter().any(|part| folders::is_for_drafts(part))
                && !looked_at.iter().any(|looked_at| looked_at.name == folder.name)
        };
        self.folders.values().filter(is_other).collect()
    }

    /// The one folder that holds every message, where there is such.
    pub(super) fn everything(&self) -> Option<&Folder> {
        self.folders.values().find(|folder| folder.has(ALL) && folder.is_there())
    }

    /// The folder of sent messages: by its purpose (RFC 6154 §2), else by its name.
    pub(super) fn for_sent(&self) -> Option<&Folder> {
        let there = || self.folders.values().filter(|folder| folder.is_there());
        let named = |folder: &&Folder| {
            folders::is_for_sent(folder.path.last().map(String::as_str).unwrap_or_default())
        };
        there()
            .find(|folder| folder.has(SENT))
            .or_else(|| there().filter(|folder| named(folder).is_some()).min_by_key(named))
    }

    fn is_left_out(&self, folder: &Folder, options: &Options) -> bool {
        let unusual = |part: &Folder| {
            part.has(DRAFTS) || THROWN_AWAY.iter().any(|attribute| part.has(attribute))
        };
        let named = |part: &String| {
            folders::is_for_drafts(part)
                || folders::is_thrown_away(part)
                || options.leaves_out(part)
        };
        self.lies_in(folder, unusual)
            || folder.path.iter().any(named)
            || options.leaves_out(&folder.name)
            || !(options.only.is_empty() || options.only.contains(&folder.name))
    }

    /// Whether this is true of a folder or one that it lies in.
    fn lies_in(&self, folder: &Folder, is_so: impl Fn(&Folder) -> bool) -> bool {
        let above = |other: &&Folder| folder.path.starts_with(&other.path);
        self.folders.values().filter(above).any(is_so)
    }
}

/// All folders and how they stand: one turn, with another for folders that nobody knew of where the server cannot tell both at
/// once. `known` are the names that it is asked for anyway.
pub(super) async fn list<'a>(
    session: &mut Session,
    options: &Options,
    known: impl Iterator<Item = &'a String>,
) -> Result<Tree> {
    let items = if session.capabilities.has_mod_seq() {
        "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"
    } else {
        "(MESSAGES UIDNEXT UIDVALIDITY)"
    };
    let closed = session.begin_close().await?;
    let extended = session.capabilities.has("LIST-EXTENDED");
    let at_once = extended && session.capabilities.has("LIST-STATUS");
    let uses = if session.capabilities.has("SPECIAL-USE") { "SPECIAL-USE" } else { "" };
    let listed = session
        .send(&match (extended, at_once) {
            (_, true) => {
                format!("LIST \"\" \"*\" RETURN ({uses} STATUS {items})").replace("( ", "(")
            }
            (true, false) if !uses.is_empty() => format!("LIST \"\" \"*\" RETURN ({uses})"),
            _ => "LIST \"\" \"*\"".to_owned(),
        })
        .await?;
    let mut asked = Vec::new();
    if !at_once {
        for name in known {
            asked.push(ask(session, name, items).await?);
        }
    }
    if let Some(closed) = closed
        && let Err(error) = session.finish(&closed, "leave a folder", |_| {}).await
        && !session.is_alive()
    {
        return Err(error);
    }
    let mut heard = Heard::default();
    let done =
        session.finish(&listed, "list the folders", |response| heard.hear(&response)).await?;
    heard.doubt = heard.doubt.take().or(done.broken.map(str::to_owned));
    if !at_once {
        let strategy = session.capabilities.strategy();
        let names: BTreeSet<&str> = asked.iter().map(|(name, _)| name.as_str()).collect();
        let tree = heard.tree();
        let unknown: Vec<String> = tree
            .looked_at(options, strategy)
            .into_iter()
            .map(|folder| folder.name.clone())
            .filter(|name| !names.contains(name.as_str()))
            .collect();
        for name in &unknown {
            asked.push(ask(session, name, items).await?);
        }
        for (name, tag) in asked {
            let doing = format!("ask how the folder {name} stands");
            match session.finish(&tag, &doing, |response| heard.hear(&response)).await {
                Err(error) if !session.is_alive() => return Err(error),
                // Whether it is there, the list says; without its state it is looked at.
                _ => {}
            }
        }
    }
    let tree = heard.tree();
    if tree.folders.is_empty() {
        // An empty mailbox still has an inbox: this must not look like deleted mail.
        return Err(Error::new(ErrorKind::Malformed, "the server lists no folder at all"));
    }
    Ok(tree)
}

/// Whether there is such a folder. Not every server says why it does not open one.
pub(super) async fn exists(session: &mut Session, folder: &str) -> Result<bool> {
    let mut heard = Heard::default();
    let command = format!("LIST \"\" {}", name::folder(folder));
    let done = session.run(&command, "look for a folder", |response| heard.hear(&response)).await?;
    if done.broken.is_some() || heard.doubt.is_some() {
        let message = "whether there is such a folder cannot be read";
        return Err(Error::new(ErrorKind::Malformed, message));
    }
    // A name with wildcards stands for others, too.
    Ok(heard.folders.get(folder).is_some_and(Folder::is_there))
}

async fn ask(session: &mut Session, folder: &str, items: &str) -> Result<(String, Tag)> {
    let tag = session.send(&format!("STATUS {} {items}", name::folder(folder))).await?;
    Ok((folder.to_owned(), tag))
}

/// What was said about folders so far.
#[derive(Debug, Default)]
struct Heard {
    folders: BTreeMap<String, Folder>,
    states: BTreeMap<String, State>,
    doubt: Option<String>,
}

impl Heard {
    fn hear(&mut self, response: &Response) {
        let Response::Data { name, rest } = response else { return };
        match name.as_str() {
            "LIST" if self.folders.len() < MOST => match folder(rest) {
                Some(folder) => {
                    self.folders.insert(folder.name.clone(), folder);
                }
                None => self.doubt = Some("the name of a folder cannot be read".to_owned()),
            },
            "STATUS" if self.states.len() < MOST => {
                if let Some((name, state)) = state(rest) {
                    self.states.insert(name, state);
                }
            }
            _ => {}
        }
    }

    fn tree(&self) -> Tree {
        let folders = self.folders.iter().map(|(name, folder)| {
            (name.clone(), Folder { state: self.states.get(name).copied(), ..folder.clone() })
        });
        Tree { folders: folders.collect(), doubt: self.doubt.clone() }
    }
}

/// `(\HasNoChildren) "/" "Sent"`, and whatever an extension adds behind.
fn folder(words: &[Token]) -> Option<Folder> {
    let [attributes, delimiter, named, ..] = words else { return None };
    let name = folder_name(named)?;
    let path = match delimiter {
        Token::Text(delimiter) if !delimiter.is_empty() => {
            let delimiter = std::str::from_utf8(delimiter).ok()?;
            name.split(delimiter).map(str::to_owned).collect()
        }
        _ => vec![name.clone()],
    };
    let attributes = attributes.list()?.iter().filter_map(Token::text).map(str::to_owned);
    Some(Folder { path, attributes: attributes.collect(), state: None, name })
}

/// `"Sent" (MESSAGES 7 UIDNEXT 12 UIDVALIDITY 3 HIGHESTMODSEQ 99)`.
fn state(words: &[Token]) -> Option<(String, State)> {
    let [named, items, ..] = words else { return None };
    let items = items.list()?;
    let value = |item: &str| {
        items.chunks_exact(2).find_map(|pair| match pair {
            [name, value] if name.is_atom(item) => Some(value),
            _ => None,
        })
    };
    let state = State {
        uid_validity: value("UIDVALIDITY")?.number()?,
        uid_next: value("UIDNEXT")?.number()?,
        messages: value("MESSAGES")?.number()?,
        mod_seq: value("HIGHESTMODSEQ").and_then(Token::number).filter(|number: &u64| *number > 0),
    };
    Some((folder_name(named)?, state))
}

/// The inbox has one name, however it is written (RFC 9051 §5.1).
fn folder_name(token: &Token) -> Option<String> {
    let name = name::decode(token.text()?).filter(|name| !name.is_empty())?;
    Some(if name.eq_ignore_ascii_case(INBOX) { INBOX.to_owned() } else { name })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::response::parse;
    use super::*;

    fn tree(lines: &[&str]) -> Tree {
        let mut heard = Heard::default();
        for line in lines {
            let whole = Bytes::copy_from_slice(format!("* {line}\r\n").as_bytes());
            heard.hear(&parse(&whole).unwrap().unwrap());
        }
        heard.tree()
    }

    fn names(tree: &Tree, options: &Options, strategy: Strategy) -> Vec<String> {
        tree.looked_at(options, strategy).iter().map(|folder| folder.name.clone()).collect()
    }

    #[test]
    fn drafts_junk_and_bin_stay_out_with_all_below() {
        let tree = tree(&[
            "LIST (\\HasChildren) \"/\" inbox",
            "LIST () \"/\" \"Sent\"",
            "LIST (\\Noselect) \"/\" Old",
            "LIST () \"/\" Old/2020",
            "LIST (\\Trash) \"/\" Weg",
            "LIST () \"/\" Weg/2020",
            "LIST () \"/\" \"Entw&APw-rfe\"",
            "LIST () \"/\" {4}\r\nSpam",
            "LIST () NIL Secret",
            "LIST (\\NonExistent) \"/\" Ghost",
            "LIST (\\All) \"/\" Everything",
            "LIST () \"/\" Kunden (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "LIST () \"/\" \"bro&ken\"",
        ]);
        let mut options = Options::for_tests();
        options.leave_out.insert("SECRET".to_owned());
        assert_eq!(
            names(&tree, &options, Strategy::Flags),
            ["INBOX", "Kunden", "Old/2020", "Sent"]
        );
        assert!(tree.doubt.is_some(), "a name that cannot be read");
        assert_eq!(names(&tree, &options, Strategy::Gmail), ["Everything"]);
        assert_eq!(tree.for_sent().map(|folder| folder.name.as_str()), Some("Sent"));
        options.only.insert("Sent".to_owned());
        assert_eq!(names(&tree, &options, Strategy::Flags), ["Sent"]);
    }

    #[test]
    fn what_was_sent_lies_where_the_server_says_and_else_where_it_usually_does() {
        let sent = |lines: &[&str]| tree(lines).for_sent().map(|folder| folder.name.clone());
        let usual =
            ["LIST () \"/\" INBOX", "LIST () \"/\" \"INBOX/Sent Items\"", "LIST () \"/\" Sent"];
        assert_eq!(sent(&usual).as_deref(), Some("Sent"));
        let marked = "LIST (\\HasNoChildren \\Sent) \"/\" Ausgang";
        assert_eq!(sent(&[&usual[..], &[marked]].concat()).as_deref(), Some("Ausgang"));
        assert_eq!(sent(&usual[..2]).as_deref(), Some("INBOX/Sent Items"));
        assert_eq!(sent(&usual[..1]), None);
    }

    #[test]
    fn a_state_is_whole_or_none() {
        let tree = tree(&[
            "LIST () \"/\" INBOX",
            "LIST () \"/\" Sent",
            "STATUS Inbox (MESSAGES 7 UIDNEXT 12 UIDVALIDITY 3 HIGHESTMODSEQ 0 SIZE 4)",
            "STATUS Sent (MESSAGES 7 UIDNEXT 12)",
        ]);
        let state = tree.folders["INBOX"].state.unwrap();
        assert_eq!((state.messages, state.mod_seq), (7, None));
        assert_eq!(tree.folders["Sent"].state, None);
    }
}
