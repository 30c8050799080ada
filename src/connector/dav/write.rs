//! Writes: conditional requests, several on the way at once, each result looked at afterwards.
//!
//! * A create never replaces. `If-None-Match: *` says so, but some servers ignore it (`SOGo`, Google), and none says that it does:
//!   so all names of a batch are looked at first, in one request.
//! * Updates and deletes name their version with `If-Match`. A 412 may also mean that the item is gone; a look tells.
//! * No server gives back the bytes it was given, and an `ETag` in the answer may be of something else than what was sent. What
//!   was written is therefore read back, all of a batch in one request.
//! * A server that breaks down over a write (500) is asked to read back, too. If it can, the failure is that one item's.
//! * Where the server writes to attendees, [`super::schedule`] decides what is stored, or that nothing is.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt, stream};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};

use super::client::Ask;
use super::href::{Base, Member};
use super::read::MANY;
use super::refused::{conditions, of_item, refused};
use super::rights::Rights;
use super::schedule;
use super::{Dav, Invitations};
use crate::connector::http::Answer;
use crate::connector::vdir::SIZE_LIMIT;
use crate::connector::{Error, ErrorKind, Result, Scope, Write, Written};
use crate::model::{Body, Class, Document, ItemId, Version};

/// Writes on the way at once, each on a connection that is kept.
const AT_ONCE: usize = 8;

/// What became of one request.
enum Done {
    Stored,
    Removed,
    /// It was not the version any more: it may also be gone.
    Stale(Error),
    /// The server broke down over it: what became of it is unknown.
    Broke(Error),
    Failed(Error),
}

/// How the requests of a wave go.
#[derive(Default)]
struct Course {
    /// Why no more are sent: the others would fail alike, each after its time limit.
    broken: Option<Error>,
    /// How many broke the server since one did not.
    in_a_row: usize,
}

impl Course {
    fn note(&mut self, done: &Done) {
        match done {
            Done::Stored | Done::Removed | Done::Stale(_) => self.in_a_row = 0,
            Done::Broke(error) => {
                self.in_a_row += 1;
                if self.in_a_row > MANY {
                    self.broken.get_or_insert_with(|| again(error));
                }
            }
            Done::Failed(error) if error.kind.scope() == Scope::Account => {
                self.broken.get_or_insert_with(|| again(error));
            }
            Done::Failed(_) => {}
        }
    }
}

impl Dav {
    pub(super) async fn carry_out(
        &self,
        class: Class,
        writes: Vec<Write>,
    ) -> Result<Vec<Result<Written>>> {
        self.forget_documents();
        let rights = self.rights().await?;
        if !rights.writable {
            return Ok(writes.iter().map(|_| Err(read_only())).collect());
        }
        let (base, _) = self.base().await?;
        let mut results = BTreeMap::new();
        for wave in waves(writes) {
            results.extend(self.wave(class, &base, &rights, wave).await);
        }
        Ok(results.into_values().collect())
    }

    /// Writes of which each is to another item.
    async fn wave(
        &self,
        class: Class,
        base: &Base,
        rights: &Rights,
        wave: BTreeMap<usize, Write>,
    ) -> BTreeMap<usize, Result<Written>> {
        let to_look: Vec<ItemId> = wave
            .values()
            .filter(|write| matches!(write, Write::Create { .. }) || rights.scheduler.is_some())
            .map(|write| write.id().clone())
            .collect();
        let mut looked = match self.documents(class, base, &to_look).await {
            Ok(looked) => looked,
            // Nothing was sent.
            Err(error) => return wave.into_keys().map(|at| (at, Err(again(&error)))).collect(),
        };
        let course = Mutex::new(Course::default());
        let mut requests = Vec::new();
        for (at, write) in wave {
            let before = looked.remove(write.id());
            let id = write.id().clone();
            let course = || course.lock().unwrap_or_else(PoisonError::into_inner);
            requests.push(async move {
                let known = course().broken.as_ref().map(again);
                if let Some(error) = known {
                    return (at, id, Done::Failed(error));
                }
                let done =
                    self.one(class, base, rights, write, before).await.unwrap_or_else(Done::Failed);
                course().note(&done);
                (at, id, done)
            });
        }
        let mut done: Vec<(usize, ItemId, Done)> =
            stream::iter(requests).buffer_unordered(AT_ONCE).collect().await;
        if course.into_inner().unwrap_or_else(PoisonError::into_inner).broken.is_some() {
            for (_, _, done) in &mut done {
                if let Done::Broke(error) = done {
                    *done = Done::Failed(again(error));
                }
            }
        }
        self.seen_again(class, base, done).await
    }

    /// What stands there now.
    async fn seen_again(
        &self,
        class: Class,
        base: &Base,
        done: Vec<(usize, ItemId, Done)>,
    ) -> BTreeMap<usize, Result<Written>> {
        let to_look: Vec<ItemId> = done
            .iter()
            .filter(|(_, _, done)| matches!(done, Done::Stored | Done::Stale(_) | Done::Broke(_)))
            .map(|(_, id, _)| id.clone())
            .collect();
        let mut looked = self.documents(class, base, &to_look).await;
        let is_well = looked.is_ok();
        let mut results = BTreeMap::new();
        for (at, id, done) in done {
            let now = match &mut looked {
                Ok(looked) => looked.remove(&id),
                Err(error) => Some(Err(again(error))),
            };
            let result = match done {
                Done::Removed => Ok(Written { id, document: None }),
                Done::Broke(error) if is_well => Err(of_item(&error)),
                Done::Broke(error) | Done::Failed(error) => Err(error),
                Done::Stale(stale) => Err(match now {
                    Some(Err(error)) if error.kind == ErrorKind::Missing => error,
                    _ => stale,
                }),
                Done::Stored => match now {
                    Some(Ok(document)) => Ok(Written { id, document: Some(document) }),
                    Some(Err(error)) if error.kind == ErrorKind::Missing => Err(error),
                    _ => {
                        let kind =
                            if is_well { ErrorKind::Failing } else { ErrorKind::Unreachable };
                        Err(Error::new(kind, "it was stored, but could not be read back"))
                    }
                },
            };
            results.insert(at, result);
        }
        results
    }

    async fn one(
        &self,
        class: Class,
        base: &Base,
        rights: &Rights,
        write: Write,
        before: Option<Result<Document>>,
    ) -> Result<Done> {
        let url = base.item(write.id())?;
        match write {
            Write::Create { body, .. } => {
                match before {
                    Some(Err(error)) if error.kind == ErrorKind::Missing => {}
                    Some(Err(error)) => return Err(error),
                    Some(Ok(_)) | None => return Err(exists()),
                }
                let body = bytes(body)?;
                let body = match &rights.scheduler {
                    Some(_) => schedule::created(&body)?,
                    None => body,
                };
                let mut ask = self.put(class, url, body);
                ask.headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
                let answer = self.client().send(&ask, "create an item").await?;
                Ok(self.created(base, &answer))
            }
            Write::Update { version, body, .. } => {
                let mut body = bytes(body)?;
                if let Some(scheduler) = &rights.scheduler {
                    body = scheduler.updated(&planned_against(before, &version)?, &body)?;
                }
                let mut ask = self.put(class, url, body);
                ask.headers.insert(IF_MATCH, header(&version)?);
                let answer = self.client().send(&ask, "change an item").await?;
                Ok(self.replaced(&answer, "change an item", Done::Stored))
            }
            Write::Delete { version, .. } => {
                if let Some(scheduler) = &rights.scheduler {
                    scheduler.deleted(&planned_against(before, &version)?)?;
                }
                let mut ask = self.quiet(class, Ask::new(Method::DELETE, url));
                ask.headers.insert(IF_MATCH, header(&version)?);
                let answer = self.client().send(&ask, "remove an item").await?;
                Ok(self.replaced(&answer, "remove an item", Done::Removed))
            }
            Write::Mark { .. } => {
                Err(Error::new(ErrorKind::Unsupported, "an item carries no marks beside its text"))
            }
        }
    }

    fn put(&self, class: Class, url: reqwest::Url, body: Vec<u8>) -> Ask {
        let content_type = match class {
            Class::Contact => "text/vcard; charset=utf-8",
            Class::Task | Class::Appointment | Class::Email => "text/calendar; charset=utf-8",
        };
        let ask = Ask::new(Method::PUT, url).with(CONTENT_TYPE, content_type).with_body(body);
        self.quiet(class, ask)
    }

    /// Asks for silence in every way that some server knows: RFC 6638 §8.1, Cyrus, Nextcloud.
    fn quiet(&self, class: Class, ask: Ask) -> Ask {
        if class == Class::Contact || self.options().invitations == Invitations::Allowed {
            return ask;
        }
        ask.with(HeaderName::from_static("schedule-reply"), "F")
            .with(HeaderName::from_static("scheduling-enabled"), "F")
            .with(HeaderName::from_static("x-nc-scheduling"), "false")
    }

    fn created(&self, base: &Base, answer: &Answer) -> Done {
        if is_done(answer) {
            return Done::Stored;
        }
        let error = refused(answer, "create an item", self.client().clock().now());
        Done::Failed(match error.kind {
            ErrorKind::Unreachable => return Done::Broke(error),
            ErrorKind::Stale => exists(),
            ErrorKind::Exists => {
                // Some servers have every UID once in all calendars of a user.
                let hrefs = conditions(answer).hrefs;
                let is_here = |href: &String| matches!(base.member(href), Member::Item(_));
                if hrefs.is_empty() || hrefs.iter().any(is_here) {
                    exists()
                } else {
                    is_elsewhere()
                }
            }
            // Of an item that is to be made, this speaks of the collection.
            ErrorKind::Missing => Error::new(ErrorKind::Rejected, error.message),
            _ => error,
        })
    }

    fn replaced(&self, answer: &Answer, doing: &str, success: Done) -> Done {
        if is_done(answer) {
            return success;
        }
        let error = refused(answer, doing, self.client().clock().now());
        match error.kind {
            ErrorKind::Stale => Done::Stale(error),
            ErrorKind::Unreachable => Done::Broke(error),
            // It would have the UID of another item. To look at that one and adopt it is for creates.
            ErrorKind::Exists => Done::Failed(Error::new(ErrorKind::Rejected, error.message)),
            _ => Done::Failed(error),
        }
    }
}

/// A multistatus says of a write what of it could not be done (RFC 4918 §9.6.1).
fn is_done(answer: &Answer) -> bool {
    answer.status.is_success() && answer.status != StatusCode::MULTI_STATUS
}

/// Writes to one item come one after the other, in their order.
fn waves(writes: Vec<Write>) -> Vec<BTreeMap<usize, Write>> {
    let mut waves: Vec<BTreeMap<usize, Write>> = Vec::new();
    let mut earlier: BTreeMap<ItemId, usize> = BTreeMap::new();
    for (at, write) in writes.into_iter().enumerate() {
        let wave = earlier.entry(write.id().clone()).or_default();
        if waves.len() <= *wave {
            waves.push(BTreeMap::new());
        }
        if let Some(wave) = waves.get_mut(*wave) {
            wave.insert(at, write);
        }
        *wave += 1;
    }
    waves
}

/// The text that a write was planned against.
fn planned_against(before: Option<Result<Document>>, version: &Version) -> Result<Vec<u8>> {
    match before {
        Some(Ok(Document { version: found, body: Body::Bytes(bytes), .. }))
            if found == *version =>
        {
            Ok(bytes)
        }
        Some(Ok(_)) | None => Err(Error::new(ErrorKind::Stale, "it was changed meanwhile")),
        Some(Err(error)) => Err(error),
    }
}

fn bytes(body: Body) -> Result<Vec<u8>> {
    match body {
        Body::Bytes(bytes) if bytes.len() as u64 <= SIZE_LIMIT => Ok(bytes),
        Body::Bytes(_) => Err(Error::new(
            ErrorKind::Rejected,
            format!("the item is larger than {} MiB", SIZE_LIMIT >> 20),
        )),
        Body::Record(_) | Body::Patch(_) => {
            Err(Error::new(ErrorKind::Unsupported, "a collection holds texts, not records"))
        }
    }
}

fn header(version: &Version) -> Result<HeaderValue> {
    HeaderValue::from_str(version.as_str())
        .map_err(|_| Error::new(ErrorKind::Stale, "the version is none of this server"))
}

fn exists() -> Error {
    Error::new(ErrorKind::Exists, "an item of this name or UID is there already")
}

fn is_elsewhere() -> Error {
    Error::new(ErrorKind::Rejected, "an item of this UID is in another collection of yours")
        .hint("move it to the one that is synced, or remove it there")
}

fn read_only() -> Error {
    Error::new(ErrorKind::Forbidden, "this collection may only be read")
        .hint("ask its owner for the right to write, or set direction = \"to-crm\"")
}

/// The same error for another write.
fn again(error: &Error) -> Error {
    let same = Error::new(error.kind, error.message.clone());
    match &error.hint {
        Some(hint) => same.hint(hint.clone()),
        None => same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_to_one_item_stay_in_order() {
        let delete = |id: &str| Write::Delete { id: ItemId::new(id), version: Version::new("1") };
        let places: Vec<Vec<usize>> = waves(["a", "b", "a", "c", "a", "b"].map(delete).to_vec())
            .iter()
            .map(|wave| wave.keys().copied().collect())
            .collect();
        assert_eq!(places, [vec![0, 1, 3], vec![2, 5], vec![4]]);
    }
}
