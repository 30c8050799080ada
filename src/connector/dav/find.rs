//! Items by their UID: asked for one by one while they are few (RFC 4791 §7.8, RFC 6352 §8.6), looked for in everything when they
//! are many or the server does not know how. Servers match parts of a UID, or ignore case, so every hit is looked into.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::StatusCode;

use super::href::Base;
use super::listing::Look;
use super::multistatus;
use super::read::{SINGLES, named, report};
use super::refused::refused;
use super::{Dav, body};
use crate::connector::vdir::text;
use crate::connector::{Documents, ErrorKind, Result, Scope};
use crate::model::{Body, Class, ItemId, Uid};

/// For more, reading everything is cheaper than asking.
const ASKED_MAX: usize = 25;

impl Dav {
    pub(super) async fn found(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        let wanted: BTreeSet<Uid> = uids.iter().cloned().collect();
        if wanted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let (base, _) = self.base().await?;
        if wanted.len() <= ASKED_MAX
            && let Some(found) = self.asked(class, &base, &wanted).await?
        {
            return Ok(found);
        }
        let Look { entries, .. } = self.everything(&base).await?;
        let ids: Vec<ItemId> = entries.into_keys().collect();
        let mut found = BTreeMap::new();
        take(class, &wanted, self.documents(class, &base, &ids).await?, &mut found);
        Ok(found)
    }

    /// `None` when the server does not answer such questions.
    async fn asked(
        &self,
        class: Class,
        base: &Base,
        wanted: &BTreeSet<Uid>,
    ) -> Result<Option<BTreeMap<Uid, ItemId>>> {
        let mut questions = Vec::new();
        for uid in wanted {
            questions.push(self.ask_for(class, base, uid.clone()));
        }
        let answers: Vec<Option<Documents>> =
            stream::iter(questions).buffered(SINGLES).try_collect().await?;
        let mut found = BTreeMap::new();
        for answer in answers {
            let Some(documents) = answer else { return Ok(None) };
            take(class, wanted, documents, &mut found);
        }
        Ok(Some(found))
    }

    async fn ask_for(&self, class: Class, base: &Base, uid: Uid) -> Result<Option<Documents>> {
        let ask = report(base, body::by_uid(class, &uid), "1");
        let answer = self.client().send(&ask, "look for an item").await?;
        if answer.status == StatusCode::MULTI_STATUS {
            return multistatus::read(&answer.body).map(|answer| Some(named(base, answer)));
        }
        let error = refused(&answer, "look for an item", self.client().clock().now());
        if error.kind.scope() == Scope::Account || error.kind == ErrorKind::Missing {
            return Err(error);
        }
        Ok(None)
    }
}

/// Those among the documents that really have one of these UIDs.
fn take(
    class: Class,
    wanted: &BTreeSet<Uid>,
    documents: Documents,
    found: &mut BTreeMap<Uid, ItemId>,
) {
    for (id, document) in documents {
        // What cannot be read has no name to be found by.
        let Ok(Body::Bytes(bytes)) = document.map(|document| document.body) else { continue };
        if text::class(&bytes) != Some(class) {
            continue;
        }
        if let Some(uid) = text::uid(&bytes).filter(|uid| wanted.contains(uid)) {
            found.entry(uid).or_insert(id);
        }
    }
}
