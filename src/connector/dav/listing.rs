//! What is in a collection, and what happened to it since.
//!
//! 1. **sync-collection** (RFC 6578): one request says what changed and what is gone; the first one, without a token, lists all.
//!    A token that is no longer known (403, 409, 410 or 412, with `valid-sync-token` or without) means: list everything.
//! 2. **ctag**: one small request says whether anything changed; if so, all names and versions are listed.
//! 3. Neither: all names and versions, each time.
//!
//! Some servers answer a token they do not know as if nothing had happened (`SOGo`), which nobody can see from the answer. Hence a
//! cursor is bound to the address of its collection, and everything is listed anew once a week: whatever was lost in silence
//! comes to light then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::StatusCode;

use super::cursor::{Mark, Seen};
use super::href::{Base, Member};
use super::multistatus::{self, Multistatus, Response};
use super::read::{ask_xml, collection_is_gone, report};
use super::refused::refused;
use super::{Dav, body};
use crate::connector::{Cursor, Error, ErrorKind, News, Result};
use crate::model::{Class, Completeness, ItemId, Version};

/// How often everything is listed.
const WHOLE_EVERY: Duration = Duration::from_hours(7 * 24);

/// Answers to one sync report that the server cuts in pieces.
const PIECES_MAX: usize = 1000;

/// What a collection said.
#[derive(Debug)]
pub(super) struct Look {
    /// Items with their versions and content types; the latter may name the component.
    pub(super) entries: BTreeMap<ItemId, (Version, Option<String>)>,
    pub(super) gone: BTreeSet<ItemId>,
    /// Whether `entries` is everything.
    pub(super) is_whole: bool,
    /// `None`: the server has nothing to go on from.
    pub(super) mark: Option<Mark>,
    /// Why something may be missing.
    pub(super) doubt: Option<String>,
    /// It holds collections, as a calendar or an address book never does.
    has_folders: bool,
}

impl Look {
    fn new(is_whole: bool) -> Self {
        let (entries, gone) = (BTreeMap::new(), BTreeSet::new());
        Self { entries, gone, is_whole, mark: None, doubt: None, has_folders: false }
    }

    /// Whether it can only be of a collection of items.
    fn is_plausible(&self) -> bool {
        !self.has_folders && (!self.is_whole || !self.entries.is_empty())
    }

    fn absorb(&mut self, base: &Base, response: &Response) {
        let is_gone = matches!(response.status, Some(404 | 410));
        let is_folder = response.properties.kinds.contains("collection");
        for href in &response.hrefs {
            match base.member(href) {
                Member::Item(_) if is_folder => self.has_folders = true,
                Member::Item(id) if is_gone => {
                    self.entries.remove(&id);
                    self.gone.insert(id);
                }
                Member::Item(id) => match &response.properties.etag {
                    Some(etag) => {
                        self.gone.remove(&id);
                        let version = Version::new(etag.as_str());
                        self.entries
                            .insert(id, (version, response.properties.content_type.clone()));
                    }
                    None => self.doubt("an item is listed without a version"),
                },
                Member::Folder => self.has_folders = true,
                Member::Nameless => self.doubt("an item has a name that cannot be kept"),
                Member::Elsewhere => {
                    self.doubt("the server lists something that is not in the collection");
                }
                Member::Itself => {}
            }
        }
    }

    fn doubt(&mut self, reason: &str) {
        self.doubt.get_or_insert_with(|| reason.to_owned());
    }
}

impl Dav {
    /// What happened since a cursor.
    pub(super) async fn look(&self, class: Class, since: &Cursor) -> Result<News> {
        self.forget_documents();
        let (base, is_confirmed) = self.base().await?;
        // Where there is a cursor, it was the right place before.
        let is_confirmed = is_confirmed || seen(&base, since).is_some();
        let looked = self.look_in(&base, since).await;
        let is_sure = match &looked {
            Ok((look, _)) => is_confirmed || look.is_plausible(),
            Err(error) => is_confirmed || !may_be_another_place(error),
        };
        if is_sure {
            let (look, listed) = looked?;
            self.check_it_is_the_same(&base, since)?;
            return self.news_of(class, &base, look, listed).await;
        }
        let located = self.locate().await?;
        self.check_it_is_the_same(&located, since)?;
        let (look, listed) =
            if located == base { looked? } else { self.look_in(&located, since).await? };
        self.news_of(class, &located, look, listed).await
    }

    /// A collection that was found by asking may be found to be another one, as when the first is hidden from us. All that
    /// was in it would seem to be gone.
    fn check_it_is_the_same(&self, base: &Base, since: &Cursor) -> Result<()> {
        let is_other = since.get("").is_some_and(|token| Seen::is_of_another(token, base.url()));
        if !is_other || self.names(base) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            format!("{} is not the collection that was synced so far", base.url()),
        )
        .hint("if it is the right one, write it as `url`"))
    }

    /// Also says when everything was listed.
    async fn look_in(&self, base: &Base, since: &Cursor) -> Result<(Look, jiff::Timestamp)> {
        let now = self.client().clock().now();
        if let Some(seen) = seen(base, since).filter(|seen| seen.is_younger_than(WHOLE_EVERY, now))
        {
            match &seen.mark {
                Mark::Sync(token) if !self.options().hide.sync => {
                    if let Some(look) = self.since(base, token).await? {
                        return Ok((look, seen.listed));
                    }
                }
                Mark::Ctag(tag) if !self.options().hide.ctag => {
                    if self.ctag(base).await?.as_ref() == Some(tag) {
                        return Ok((
                            Look { mark: Some(seen.mark), ..Look::new(false) },
                            seen.listed,
                        ));
                    }
                    return Ok((self.listed(base).await?, now));
                }
                _ => {}
            }
        }
        Ok((self.everything(base).await?, now))
    }

    /// All names and versions, by the report if the server has it.
    pub(super) async fn everything(&self, base: &Base) -> Result<Look> {
        if !self.options().hide.sync
            && let Some(look) = self.since(base, "").await?
        {
            return Ok(look);
        }
        self.listed(base).await
    }

    /// By sync report; `None` when the server does not know the token, or, without one, not the report.
    async fn since(&self, base: &Base, token: &str) -> Result<Option<Look>> {
        let mut look = Look::new(token.is_empty());
        let mut token = token.to_owned();
        for _ in 0..PIECES_MAX {
            let ask = report(base, body::sync(&token), "0");
            let answer = self.client().send(&ask, "list what changed").await?;
            if answer.status != StatusCode::MULTI_STATUS {
                let error = refused(&answer, "list what changed", self.client().clock().now());
                return match error.kind {
                    // Some say of a token that it is gone; of the collection nobody would, after a while.
                    _ if answer.status == StatusCode::GONE && !token.is_empty() => Ok(None),
                    ErrorKind::Missing => Err(collection_is_gone()),
                    // Asked about something that is no collection of items, one server breaks down.
                    _ if answer.status == StatusCode::INTERNAL_SERVER_ERROR && token.is_empty() => {
                        Ok(None)
                    }
                    // A redirect is no word about the report.
                    _ if answer.status.is_redirection() => Err(error),
                    ErrorKind::Unreachable => Err(error),
                    _ => Ok(None),
                };
            }
            let answer = multistatus::read(&answer.body)?;
            let Some(next) = answer.sync_token.clone() else { return Ok(None) };
            let goes_on = is_cut(base, &answer);
            for response in answer.responses {
                look.absorb(base, &response);
            }
            if !goes_on {
                look.mark = Some(Mark::Sync(next));
                return Ok(Some(look));
            }
            if next == token {
                break;
            }
            token = next;
        }
        Err(Error::new(
            ErrorKind::Malformed,
            "the server's list of changes does not come to an end",
        ))
    }

    /// Whether the server answers a question that costs it little.
    pub(super) async fn is_well(&self, base: &Base) -> bool {
        self.ctag(base).await.is_ok()
    }

    async fn ctag(&self, base: &Base) -> Result<Option<String>> {
        let answer = self.properties(base.url(), body::CTAG, "0", "look at the collection").await?;
        Ok(answer.responses.into_iter().find_map(|response| response.properties.ctag))
    }

    /// All names and versions.
    async fn listed(&self, base: &Base) -> Result<Look> {
        let answer = self.properties(base.url(), body::LIST, "1", "list the collection").await?;
        let mut look = Look::new(true);
        let mut is_listed = false;
        if is_cut(base, &answer) {
            look.doubt("the server listed only a part");
        }
        for mut response in answer.responses {
            if response.hrefs.iter().any(|href| base.member(href) == Member::Itself) {
                is_listed = true;
                let tag = response.properties.ctag.take().filter(|_| !self.options().hide.ctag);
                look.mark = tag.map(Mark::Ctag);
            } else {
                look.absorb(base, &response);
            }
        }
        if is_listed {
            return Ok(look);
        }
        Err(Error::new(ErrorKind::Malformed, "the server's listing does not name the collection"))
    }

    /// The answer to a PROPFIND.
    pub(super) async fn properties(
        &self,
        url: &reqwest::Url,
        body: &'static str,
        depth: &'static str,
        doing: &str,
    ) -> Result<Multistatus> {
        let ask = ask_xml(b"PROPFIND", url, depth).with_body(body);
        let answer = self.client().send(&ask, doing).await?;
        if answer.status == StatusCode::MULTI_STATUS {
            return multistatus::read(&answer.body);
        }
        let error = refused(&answer, doing, self.client().clock().now());
        Err(if error.kind == ErrorKind::Missing { collection_is_gone() } else { error })
    }

    /// Cursor and class of what was seen.
    async fn news_of(
        &self,
        class: Class,
        base: &Base,
        look: Look,
        listed: jiff::Timestamp,
    ) -> Result<News> {
        let mark = look.mark.clone().filter(|_| look.doubt.is_none());
        let token = mark.map(|mark| Seen { mark, listed }.text(base.url()));
        let cursor = token.into_iter().map(|token| (String::new(), token)).collect();
        let completeness = look.doubt.clone().map_or(Completeness::Complete, Completeness::Partial);
        let part = self.of_class(class, base, look).await?;
        let parts = part.into_iter().map(|part| (String::new(), part)).collect();
        Ok(News { parts, cursor, completeness })
    }
}

fn seen(base: &Base, since: &Cursor) -> Option<Seen> {
    Seen::parse(since.get("")?, base.url())
}

/// Whether the answer says that there is more (RFC 6578 §3.6).
fn is_cut(base: &Base, answer: &Multistatus) -> bool {
    answer.responses.iter().any(|response| {
        response.status == Some(507)
            && response.hrefs.iter().any(|href| base.member(href) == Member::Itself)
    })
}

/// Whether an error may only mean that the address is not that of a collection.
fn may_be_another_place(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::Unsupported
            | ErrorKind::Missing
            | ErrorKind::Forbidden
            | ErrorKind::Rejected
            | ErrorKind::Malformed
            | ErrorKind::CursorExpired
            | ErrorKind::Stale
            | ErrorKind::Exists
    )
}
