//! Reads items whole: by multiget in chunks (RFC 4791 §7.9, RFC 6352 §8.7), one by one where a server does not know that.
//!
//! A server may break down over one item (500) and take down with it whatever is asked for together with it. Then the items are
//! asked for one by one, and what goes wrong is theirs as long as the server answers anything else.
//!
//! XML leaves no trace of how lines ended, so every document comes with the line ends that its format demands: CR LF.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderName};
use reqwest::{Method, StatusCode, Url};

use super::client::Ask;
use super::href::{Base, Member};
use super::multistatus::{self, Multistatus, Response};
use super::refused::{of_item, refused};
use super::{Dav, body};
use crate::connector::{Documents, Error, ErrorKind, Result};
use crate::model::{Body, Class, Document, ItemId, Version};

/// Items a request: servers cap what a report may ask for, the lowest cap seen is some thousand.
pub(super) const CHUNK: usize = 500;

/// Chunks that are on the way at once: while the server makes one, the other is read.
pub(super) const CHUNKS: usize = 2;

/// Single requests on the way at once.
pub(super) const SINGLES: usize = 8;

/// So many items that fail alike, without one that does not, are no matter of the items.
pub(super) const MANY: usize = 20;

impl Dav {
    /// Reads items; an entry for each.
    pub(super) async fn documents(
        &self,
        class: Class,
        base: &Base,
        ids: &[ItemId],
    ) -> Result<Documents> {
        let mut documents = Documents::new();
        let mut wanted = BTreeMap::new();
        for id in ids {
            match base.item(id) {
                Ok(url) => drop(wanted.insert(id.clone(), url)),
                Err(error) => drop(documents.insert(id.clone(), Err(error))),
            }
        }
        let mut chunks = Vec::new();
        let mut wanted = wanted.into_iter().peekable();
        while wanted.peek().is_some() {
            let chunk: BTreeMap<ItemId, Url> = wanted.by_ref().take(CHUNK).collect();
            chunks.push(self.chunk(class, base, chunk));
        }
        let chunks: Vec<Documents> = stream::iter(chunks).buffered(CHUNKS).try_collect().await?;
        documents.extend(chunks.into_iter().flatten());
        Ok(documents)
    }

    async fn chunk(
        &self,
        class: Class,
        base: &Base,
        mut wanted: BTreeMap<ItemId, Url>,
    ) -> Result<Documents> {
        let ask = report(base, body::multiget(class, wanted.values()), "0");
        let answer = match self.client().send(&ask, "read items").await {
            // More than we take at once.
            Err(error) if error.kind == ErrorKind::Rejected && wanted.len() > 1 => {
                let middle = wanted.keys().nth(wanted.len() / 2).cloned();
                let rest = middle.map(|id| wanted.split_off(&id)).unwrap_or_default();
                let mut documents = Box::pin(self.chunk(class, base, wanted)).await?;
                documents.extend(Box::pin(self.chunk(class, base, rest)).await?);
                return Ok(documents);
            }
            answer => answer?,
        };
        let mut documents = if answer.status == StatusCode::MULTI_STATUS {
            named(base, multistatus::read(&answer.body)?)
        } else {
            let error = refused(&answer, "read items", self.client().clock().now());
            match error.kind {
                // It does not know this report, does not want to answer so much at once, or says what makes no sense here.
                ErrorKind::Unsupported
                | ErrorKind::Rejected
                | ErrorKind::Forbidden
                | ErrorKind::Failing
                | ErrorKind::Stale
                | ErrorKind::Exists
                | ErrorKind::CursorExpired => Documents::new(),
                ErrorKind::Unreachable if self.is_well(base).await => Documents::new(),
                // The collection is gone: that says nothing of one item.
                ErrorKind::Missing => return Err(collection_is_gone()),
                _ => return Err(error),
            }
        };
        documents.retain(|id, _| wanted.contains_key(id));
        // What the answer does not name may be there or not.
        wanted.retain(|id, _| !documents.contains_key(id));
        let mut singles = Vec::new();
        for (id, url) in wanted {
            singles.push(self.single(id, url));
        }
        let singles: Vec<_> = stream::iter(singles).buffered(SINGLES).try_collect().await?;
        documents.extend(singles);
        self.blame_items(base, documents).await
    }

    /// Over what the server broke down is put down to the items, if it answers otherwise.
    async fn blame_items(&self, base: &Base, mut documents: Documents) -> Result<Documents> {
        let broke = |found: &Result<Document>| {
            found.as_ref().err().filter(|error| error.kind == ErrorKind::Unreachable).map(of_item)
        };
        let blamed: Documents = documents
            .iter()
            .filter_map(|(id, found)| Some((id.clone(), Err(broke(found)?))))
            .collect();
        let is_alone = blamed.len() == documents.len();
        if is_alone && !blamed.is_empty() && (blamed.len() > MANY || !self.is_well(base).await) {
            let first = documents.pop_first().and_then(|(_, found)| found.err());
            return first.map_or(Ok(documents), Err);
        }
        documents.extend(blamed);
        Ok(documents)
    }

    /// # Errors
    /// Only those that concern every item alike; that the server broke down over the item is part of the answer.
    async fn single(&self, id: ItemId, url: Url) -> Result<(ItemId, Result<Document>)> {
        let answer = self.client().send(&Ask::new(Method::GET, url), "read an item").await?;
        if answer.status != StatusCode::OK {
            let error = refused(&answer, "read an item", self.client().clock().now());
            return match error.kind {
                ErrorKind::Unauthorised | ErrorKind::Throttled(_) => Err(error),
                _ => Ok((id, Err(error))),
            };
        }
        let version = answer.headers.get(ETAG).and_then(|etag| etag.to_str().ok());
        let found = match (version, str::from_utf8(&answer.body)) {
            (Some(version), Ok(text)) => Ok(document(&id, version, text)),
            (None, _) => Err(without_version()),
            (_, Err(error)) => {
                Err(Error::new(ErrorKind::Malformed, "the item is not UTF-8").caused_by(error))
            }
        };
        Ok((id, found))
    }
}

/// A REPORT on a collection.
pub(super) fn report(base: &Base, body: String, depth: &'static str) -> Ask {
    ask_xml(b"REPORT", base.url(), depth).with_body(body)
}

/// A request with XML in it.
pub(super) fn ask_xml(method: &[u8], url: &Url, depth: &'static str) -> Ask {
    // Both names are tokens; the fall-back is never sent.
    let method = Method::from_bytes(method).unwrap_or_default();
    Ask::new(method, url.clone())
        .with(HeaderName::from_static("depth"), depth)
        .with(CONTENT_TYPE, "application/xml; charset=utf-8")
}

/// The items of an answer by their names.
pub(super) fn named(base: &Base, answer: Multistatus) -> Documents {
    let mut documents = Documents::new();
    for response in answer.responses {
        let ids: Vec<ItemId> = response
            .hrefs
            .iter()
            .filter_map(|href| match base.member(href) {
                Member::Item(id) => Some(id),
                Member::Itself | Member::Folder | Member::Nameless | Member::Elsewhere => None,
            })
            .collect();
        for id in ids {
            // Without data or a reason, the item is looked at by itself.
            if let Some(found) = item(&id, &response) {
                documents.insert(id, found);
            }
        }
    }
    documents
}

fn item(id: &ItemId, response: &Response) -> Option<Result<Document>> {
    match (response.status, &response.properties.data) {
        (Some(404 | 410), _) => {
            Some(Err(Error::new(ErrorKind::Missing, "the item is no longer on the server")))
        }
        (Some(403), _) => Some(Err(Error::new(ErrorKind::Forbidden, "the item may not be read"))),
        (None | Some(200..300), Some(data)) => {
            let version = response.properties.etag.as_deref()?;
            Some(Ok(document(id, version, data)))
        }
        _ => None,
    }
}

fn document(id: &ItemId, version: &str, text: &str) -> Document {
    Document {
        id: id.clone(),
        version: Version::new(version),
        body: Body::Bytes(with_line_ends(text).into_bytes()),
        marks: std::collections::BTreeSet::new(),
    }
}

fn with_line_ends(text: &str) -> String {
    let mut result = String::with_capacity(text.len() + text.len() / 32);
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                result.push_str(line.strip_suffix('\r').unwrap_or(line));
                result.push_str("\r\n");
            }
            None => result.push_str(line),
        }
    }
    result
}

pub(super) fn collection_is_gone() -> Error {
    Error::new(ErrorKind::Unsupported, "the collection is not there (any more)")
        .hint("check `url`; `liaison doctor` lists what the server has")
}

pub(super) fn without_version() -> Error {
    Error::new(ErrorKind::Malformed, "the server gives no ETag: changes could not be told")
}

#[cfg(test)]
mod tests {
    use super::with_line_ends;

    #[test]
    fn lines_end_as_the_formats_demand() {
        assert_eq!(with_line_ends("a\nb\r\nc\n"), "a\r\nb\r\nc\r\n");
        assert_eq!(with_line_ends("a"), "a");
        assert_eq!(with_line_ends(""), "");
    }
}
