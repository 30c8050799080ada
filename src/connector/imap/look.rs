//! What is new, by the four ways that servers leave open (RFC 7162, RFC 4549 §3). One question tells which folders changed at
//! all; only those are opened, many at once.
//!
//! * **QRESYNC**: opening a folder with what was known of it tells what changed and what is gone.
//! * **CONDSTORE**: what changed can be asked for. Whether something is gone shows in the number of messages; if so, the UIDs
//!   that are left are asked for.
//! * **Neither**: a folder that changed is listed whole. Keywords show in no number, so a folder in which any message may
//!   have one (its `FLAGS` tell) is listed whole each time, and is news only if a keyword changed.
//! * **Gmail**: as CONDSTORE, in *All Mail* alone, where every message lies once; labels stand for folders. With *All Mail*
//!   hidden from IMAP the folders are looked at like any others.
//!
//! Who has seen nothing yet is told names only, where the server can say them in ranges and counts modifications: the rest comes
//! with reading.
//!
//! A folder is gone only when a whole list of folders lacks it. One that merely is not looked at any more stays as it was.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::capability::Strategy;
use super::cursor::{Marks, Seen};
use super::folder::{self, Folder, State, Tree};
use super::heard::{Heard, Message, Messages};
use super::response::Response;
use super::select::Selected;
use super::session::{Session, Tag};
use super::{Options, item_id, set};
use crate::connector::{Cursor, Error, ErrorKind, News, Part, Result};
use crate::model::{Completeness, ItemId, Version};

/// How many folders are looked at in one turn.
const AT_ONCE: usize = 64;

/// How many messages may be said to be gone one by one; beyond that the folder is listed whole.
const GONE_LIMIT: u32 = 100_000;

/// Lists more UIDs than this only where the server can say it in ranges.
const SEARCH_LIMIT: u32 = 100_000;

/// A question about one folder.
#[derive(Debug, Clone)]
enum Ask {
    /// Everything in it.
    Whole,
    /// As `Whole`, by name alone.
    Names,
    /// What happened since, with modification sequences.
    Since { seen: Seen, number: u64 },
    /// Which of the UIDs that were there are left. What changed is known already, up to `now`.
    Left { seen: Seen, now: Seen, changed: Messages },
    /// Whether any message may have a keyword; if not, and none had, nothing happened.
    Keywords(Seen),
}

/// A question that was sent.
struct Asked {
    folder: String,
    ask: Ask,
    open: Tag,
    then: Option<Tag>,
}

/// What came of it.
enum Answer {
    Part(Part, Seen),
    Same(Seen),
    /// It has to be asked otherwise.
    Again(Ask),
}

/// What was known before.
#[derive(Debug, Clone, Copy)]
pub(super) enum Before<'a> {
    /// Nothing ever was: versions need not be told.
    Nothing,
    /// What these tokens cover.
    Seen(&'a Cursor),
}

/// What happened since.
///
/// # Errors
/// When nothing could be found out.
pub(super) async fn news(
    session: &mut Session,
    options: &Options,
    before: Before<'_>,
) -> Result<News> {
    let nothing = Cursor::new();
    let (since, is_first) = match before {
        Before::Nothing => (&nothing, true),
        Before::Seen(since) => (since, false),
    };
    let tree = folder::list(session, options, since.keys()).await?;
    let mut look = Look::begin(&tree, session, options, (since, is_first));
    while !look.questions.is_empty() {
        if let Err(error) = look.turn(session).await {
            // What was seen until here is worth keeping: the next round goes on where this one ended.
            if look.parts.is_empty() {
                return Err(error);
            }
            look.doubt = Some(error.message);
            break;
        }
    }
    Ok(look.end(since))
}

struct Look<'a> {
    options: &'a Options,
    strategy: Strategy,
    has_mod_seq: bool,
    /// What is asked about a folder of which nothing is known.
    unknown: Ask,
    questions: VecDeque<(String, Ask)>,
    looked_at: BTreeSet<String>,
    seen: BTreeMap<String, Seen>,
    parts: BTreeMap<String, Part>,
    cursor: Cursor,
    doubt: Option<String>,
}

impl<'a> Look<'a> {
    fn begin(
        tree: &Tree,
        session: &Session,
        options: &'a Options,
        (since, is_first): (&Cursor, bool),
    ) -> Self {
        let strategy = session.capabilities.strategy();
        let by_name = is_first
            && matches!(strategy, Strategy::QuickResync | Strategy::ModSeq)
            && session.capabilities.has("ESEARCH");
        let seen =
            since.iter().filter_map(|(name, token)| Some((name.clone(), Seen::parse(token)?)));
        let mut look = Self {
            options,
            strategy,
            has_mod_seq: session.capabilities.has_mod_seq(),
            unknown: if by_name { Ask::Names } else { Ask::Whole },
            questions: VecDeque::new(),
            looked_at: BTreeSet::new(),
            seen: seen.collect(),
            parts: BTreeMap::new(),
            cursor: Cursor::new(),
            doubt: tree.doubt.clone(),
        };
        for folder in tree.looked_at(options, strategy) {
            look.looked_at.insert(folder.name.clone());
            look.consider(folder);
        }
        for name in since.keys() {
            let is_there = tree.folders.get(name).is_some_and(Folder::is_there);
            if !is_there && tree.doubt.is_none() {
                look.parts.insert(name.clone(), Part::Whole(BTreeMap::new()));
            }
        }
        look
    }

    fn consider(&mut self, folder: &Folder) {
        let name = folder.name.clone();
        let seen = self.seen.get(&name).cloned();
        let ask = match (seen, folder.state) {
            (Some(seen), Some(state)) if seen.can_become(&state) => {
                let is_same = seen.is(&state);
                match seen.marks {
                    _ if is_same && state.messages == 0 => None,
                    Marks::ModSeq(_) if is_same => None,
                    Marks::ModSeq(number) => Some(Ask::Since { seen, number }),
                    Marks::Keywords(_) if is_same => Some(Ask::Keywords(seen)),
                    Marks::Keywords(_) => Some(Ask::Whole),
                }
            }
            (_, Some(state))
                if state.messages == 0 && state.mod_seq.is_some() == self.has_mod_seq =>
            {
                let seen = empty(state);
                self.parts.insert(name.clone(), Part::Whole(BTreeMap::new()));
                self.cursor.insert(name, seen.to_string());
                return;
            }
            _ => Some(self.unknown.clone()),
        };
        match (ask, self.seen.get(&name)) {
            (Some(ask), _) => self.questions.push_back((name, ask)),
            (None, Some(seen)) => {
                self.cursor.insert(name, seen.to_string());
            }
            (None, None) => {}
        }
    }

    /// Asks about some folders at once. That one of them cannot be opened is a doubt, and none of the others' business.
    async fn turn(&mut self, session: &mut Session) -> Result<()> {
        let count = self.questions.len().min(AT_ONCE);
        let questions: Vec<(String, Ask)> = self.questions.drain(..count).collect();
        let mut asked = VecDeque::new();
        for (folder, ask) in questions {
            asked.push_back(self.ask(session, folder, ask).await?);
        }
        while let Some(question) = asked.pop_front() {
            let folder = question.folder.clone();
            match self.answer(session, question).await {
                Ok(Answer::Part(part, seen)) => {
                    self.parts.insert(folder.clone(), part);
                    self.cursor.insert(folder, seen.to_string());
                }
                Ok(Answer::Same(seen)) => {
                    self.cursor.insert(folder, seen.to_string());
                }
                Ok(Answer::Again(ask)) => self.questions.push_back((folder, ask)),
                Err(error) if session.is_alive() => self.doubt = Some(error.message),
                Err(error) => return Err(error),
            }
            if asked.iter().any(|later| session.is_early(&later.open)) {
                return Err(session.malformed("it answers out of turn"));
            }
        }
        Ok(())
    }

    async fn ask(&self, session: &mut Session, folder: String, ask: Ask) -> Result<Asked> {
        let items = match self.strategy {
            Strategy::Gmail => "(UID FLAGS X-GM-LABELS)",
            Strategy::QuickResync | Strategy::ModSeq | Strategy::Flags => "(UID FLAGS)",
        };
        let mut how = if self.has_mod_seq { " (CONDSTORE)".to_owned() } else { String::new() };
        let then = match &ask {
            Ask::Whole => Some(format!("UID FETCH 1:* {items}")),
            Ask::Since { seen, number } if self.strategy == Strategy::QuickResync => {
                how = format!(" (QRESYNC ({} {number}))", seen.uid_validity);
                None
            }
            Ask::Since { number, .. } => {
                Some(format!("UID FETCH 1:* {items} (CHANGEDSINCE {number})"))
            }
            Ask::Names => Some("UID SEARCH RETURN (ALL) ALL".to_owned()),
            Ask::Left { .. } if session.capabilities.has("ESEARCH") => {
                Some("UID SEARCH RETURN (ALL) ALL".to_owned())
            }
            Ask::Left { .. } => Some("UID SEARCH ALL".to_owned()),
            Ask::Keywords(_) => None,
        };
        let open = session.begin_open(&folder, false, &how).await?;
        let then = match then {
            Some(command) => Some(session.send(&command).await?),
            None => None,
        };
        Ok(Asked { folder, ask, open, then })
    }

    async fn answer(&self, session: &mut Session, asked: Asked) -> Result<Answer> {
        let Asked { folder, ask, open, then } = asked;
        let mut heard = Heard::default();
        let opened = session
            .end_open(&open, &folder, false, |response| {
                if matches!(&response, Response::Status(status) if status.code("CLOSED").is_some())
                {
                    heard = Heard::default();
                }
                heard.hear(&response);
            })
            .await;
        if let Some(then) = &then {
            // Without the folder this is refused, too, and has to be waited for all the same.
            let doing = format!("look at the folder {folder}");
            let done = session.finish(then, &doing, |response| heard.hear(&response)).await;
            if opened.is_ok() {
                heard.is_unreadable |= done?.broken.is_some();
            }
        }
        let mut opened = opened?;
        if heard.is_unreadable {
            let message = format!("some answers about the folder {folder} cannot be read");
            return Err(Error::new(ErrorKind::Malformed, message));
        }
        if !self.has_mod_seq {
            opened.mod_seq = None;
        }
        Ok(self.conclude(&folder, ask, &opened, heard))
    }

    fn conclude(&self, folder: &str, ask: Ask, opened: &Selected, heard: Heard) -> Answer {
        match ask {
            Ask::Whole => self.whole(folder, opened, &heard),
            Ask::Names => names(folder, opened, heard),
            Ask::Keywords(seen) => {
                let had_none = seen.marks == Marks::Keywords(String::new());
                let is_same = opened.uid_validity == seen.uid_validity && opened.mod_seq.is_none();
                if is_same && had_none && !opened.has_keywords {
                    Answer::Same(seen)
                } else {
                    Answer::Again(Ask::Whole)
                }
            }
            Ask::Since { seen, .. } => match opened.mod_seq {
                Some(number) if opened.uid_validity == seen.uid_validity => {
                    let now = seen_now(opened, &heard, Marks::ModSeq(number));
                    self.since(folder, seen, now, heard)
                }
                _ => Answer::Again(Ask::Whole),
            },
            Ask::Left { seen, now, changed } if opened.uid_validity == seen.uid_validity => {
                self.left(folder, &seen, now, &changed, (heard, opened.exists))
            }
            Ask::Left { .. } => Answer::Again(Ask::Whole),
        }
    }

    fn whole(&self, folder: &str, opened: &Selected, heard: &Heard) -> Answer {
        let (versions, _) = self.split(&heard.messages);
        let marks = match opened.mod_seq {
            Some(number) => Marks::ModSeq(number),
            None => Marks::of(&versions),
        };
        let now = seen_now(opened, heard, marks);
        let is_same =
            matches!(now.marks, Marks::Keywords(_)) && self.seen.get(folder) == Some(&now);
        if is_same {
            return Answer::Same(now);
        }
        Answer::Part(Part::Whole(ids(folder, now.uid_validity, versions)), now)
    }

    fn since(&self, folder: &str, seen: Seen, now: Seen, heard: Heard) -> Answer {
        let new = heard.messages.range(seen.uid_next..now.uid_next).count() as u64;
        // How many of those that were there are not there any more.
        let missing = (u64::from(seen.messages) + new).checked_sub(u64::from(now.messages));
        if self.strategy == Strategy::QuickResync {
            let gone = set::members(&heard.gone, seen.uid_next);
            return match (gone, missing) {
                (Some(gone), Some(missing)) if gone.len() as u64 >= missing => {
                    self.changes(folder, now, &heard.messages, gone)
                }
                // It did not tell all.
                _ => Answer::Again(Ask::Whole),
            };
        }
        match missing {
            Some(0) => self.changes(folder, now, &heard.messages, BTreeSet::new()),
            Some(_) if now.messages <= SEARCH_LIMIT => {
                Answer::Again(Ask::Left { seen, now, changed: heard.messages })
            }
            _ => Answer::Again(Ask::Whole),
        }
    }

    fn left(
        &self,
        folder: &str,
        seen: &Seen,
        mut now: Seen,
        changed: &Messages,
        (heard, exists): (Heard, u32),
    ) -> Answer {
        let left = heard.left.unwrap_or_default();
        let before = u32::try_from(left.range(..seen.uid_next).count()).unwrap_or(u32::MAX);
        let gone = (seen.uid_next - 1).saturating_sub(before);
        // A server that leaves some out must not make them seem gone.
        if left.len() < exists as usize || gone > GONE_LIMIT {
            return Answer::Again(Ask::Whole);
        }
        let gone = (1..seen.uid_next).filter(|uid| !left.contains(uid)).collect();
        now.messages = u32::try_from(left.range(..now.uid_next).count()).unwrap_or(u32::MAX);
        self.changes(folder, now, changed, gone)
    }

    fn changes(
        &self,
        folder: &str,
        now: Seen,
        messages: &Messages,
        mut gone: BTreeSet<u32>,
    ) -> Answer {
        let (mut versions, stays_out) = self.split(messages);
        versions.retain(|uid, _| !gone.contains(uid));
        gone.extend(stays_out);
        let gone = gone.into_iter().map(|uid| item_id(folder, now.uid_validity, uid)).collect();
        let changed = ids(folder, now.uid_validity, versions);
        Answer::Part(Part::Changes { changed, gone }, now)
    }

    /// The versions of messages that take part, and those that do not, by their labels.
    fn split(&self, messages: &Messages) -> (BTreeMap<u32, Version>, BTreeSet<u32>) {
        let (mut versions, mut stays_out) = (BTreeMap::new(), BTreeSet::new());
        for (uid, message) in messages {
            if self.takes_part(message) {
                versions.insert(*uid, message.version.clone());
            } else {
                stays_out.insert(*uid);
            }
        }
        (versions, stays_out)
    }

    fn takes_part(&self, message: &Message) -> bool {
        let Some(labels) = &message.labels else { return true };
        let is_wanted = self.options.only.is_empty()
            || labels.iter().any(|label| self.options.only.contains(label));
        let is_left_out = |label: &String| {
            ["\\Draft", "\\Drafts", "\\Trash"].contains(&label.as_str())
                || self.options.leaves_out(label)
        };
        is_wanted && !labels.iter().any(is_left_out)
    }

    /// What could not be looked at is where it was.
    fn end(mut self, since: &Cursor) -> News {
        for (name, token) in since {
            if self.looked_at.contains(name) {
                self.cursor.entry(name.clone()).or_insert_with(|| token.clone());
            }
        }
        let completeness = self.doubt.map_or(Completeness::Complete, Completeness::Partial);
        News { parts: self.parts, cursor: self.cursor, completeness }
    }
}

/// All that is in a folder, without versions.
fn names(folder: &str, opened: &Selected, mut heard: Heard) -> Answer {
    let found = heard.left.take().unwrap_or_default();
    // A server that leaves some out, or cannot tell what changes from here on, is asked for all of it.
    let (Some(number), Some(_)) = (opened.mod_seq, opened.uid_next) else {
        return Answer::Again(Ask::Whole);
    };
    if found.len() < opened.exists as usize {
        return Answer::Again(Ask::Whole);
    }
    let now = seen_now(opened, &heard, Marks::ModSeq(number));
    let versions = found.into_iter().map(|uid| (uid, Version::new("")));
    Answer::Part(Part::Whole(ids(folder, now.uid_validity, versions)), now)
}

/// An opened folder, to be compared with the next time.
fn seen_now(opened: &Selected, heard: &Heard, marks: Marks) -> Seen {
    let highest = || heard.messages.keys().next_back().map_or(1, |uid| uid.saturating_add(1));
    Seen {
        uid_validity: opened.uid_validity,
        uid_next: opened.uid_next.unwrap_or_else(highest).max(1),
        messages: opened.exists,
        marks,
    }
}

/// A folder without messages needs no look.
fn empty(state: State) -> Seen {
    Seen {
        uid_validity: state.uid_validity,
        uid_next: state.uid_next.max(1),
        messages: 0,
        marks: state.mod_seq.map_or_else(|| Marks::Keywords(String::new()), Marks::ModSeq),
    }
}

fn ids(
    folder: &str,
    validity: u32,
    versions: impl IntoIterator<Item = (u32, Version)>,
) -> BTreeMap<ItemId, Version> {
    let with_id = |(uid, version)| (item_id(folder, validity, uid), version);
    versions.into_iter().map(with_id).collect()
}
