//! Which class an item of a calendar is of, where one collection holds events and tasks.
//!
//! Servers that name the component in the content type (`component=VEVENT`: Radicale, Cyrus) tell it in the listing. For others
//! the item is read once: its text decides, is remembered under its version as long as the connector lives, and waits in memory
//! for the read that follows a listing, so that nothing is fetched twice. An item that is neither event nor task, or cannot be
//! read, belongs to every class of the collection: a task that broke must not look deleted.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use super::Dav;
use super::href::Base;
use super::listing::Look;
use crate::connector::vdir::text;
use crate::connector::{ErrorKind, Part, Result};
use crate::model::{Body, Class, Document, ItemId, Version};

/// What may wait in memory, in bytes; what is more is read again.
const WAITING_MAX: usize = 16 << 20;

/// What is known of items.
#[derive(Debug, Default)]
pub(super) struct Known {
    classes: BTreeMap<ItemId, (Version, Option<Class>)>,
    documents: BTreeMap<ItemId, Document>,
    bytes: usize,
}

impl Dav {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was read along with a listing is good for the read that follows, not for one after a write.
    pub(super) fn forget_documents(&self) {
        let mut known = self.known();
        known.documents.clear();
        known.bytes = 0;
    }

    /// A document that waits, once.
    pub(super) fn waiting(&self, id: &ItemId) -> Option<Document> {
        self.known().documents.remove(id)
    }

    /// What was seen, of one class; `None` where that is nothing.
    pub(super) async fn of_class(
        &self,
        class: Class,
        base: &Base,
        look: Look,
    ) -> Result<Option<Part>> {
        let classes = self.kinds(class, base, &look).await?;
        let mut gone = look.gone;
        let mut entries = BTreeMap::new();
        for (id, (version, _)) in look.entries {
            match classes.get(&id) {
                // It vanished while we looked, or became something else.
                Some(Found::Gone | Found::Became) => drop(gone.insert(id)),
                Some(Found::Other) => {}
                Some(Found::Ours) | None => drop(entries.insert(id, version)),
            }
        }
        if look.is_whole {
            return Ok(Some(Part::Whole(entries)));
        }
        let is_nothing = entries.is_empty() && gone.is_empty();
        Ok((!is_nothing).then_some(Part::Changes { changed: entries, gone }))
    }

    async fn kinds(
        &self,
        class: Class,
        base: &Base,
        look: &Look,
    ) -> Result<BTreeMap<ItemId, Found>> {
        let mut classes = BTreeMap::new();
        if class == Class::Contact {
            return Ok(classes);
        }
        let mut unknown = Vec::new();
        for (id, (version, content_type)) in &look.entries {
            let told = content_type.as_deref().and_then(component);
            let found = match told {
                Some(told) => Some(self.remember(class, id, version, Some(told))),
                None => self.remembered(class, id, version),
            };
            match found {
                Some(found) => drop(classes.insert(id.clone(), found)),
                None => unknown.push(id.clone()),
            }
        }
        for id in &look.gone {
            self.known().classes.remove(id);
        }
        for (id, document) in self.documents(class, base, &unknown).await? {
            let found = match document {
                Ok(document) => {
                    let of = match &document.body {
                        Body::Bytes(bytes) => text::class(bytes),
                        Body::Record(_) | Body::Patch(_) => None,
                    };
                    let found = self.remember(class, &id, &document.version, of);
                    self.keep(document);
                    found
                }
                Err(error) if error.kind == ErrorKind::Missing => Found::Gone,
                Err(_) => Found::Ours,
            };
            classes.insert(id, found);
        }
        Ok(classes)
    }

    fn remember(&self, class: Class, id: &ItemId, version: &Version, of: Option<Class>) -> Found {
        let before = self.known().classes.insert(id.clone(), (version.clone(), of));
        match (of, before) {
            (Some(of), Some((_, Some(before)))) if of != class && before == class => Found::Became,
            (of, _) => Found::of(class, of),
        }
    }

    fn remembered(&self, class: Class, id: &ItemId, version: &Version) -> Option<Found> {
        let known = self.known();
        let (_, of) = known.classes.get(id).filter(|(known, _)| known == version)?;
        Some(Found::of(class, *of))
    }

    fn keep(&self, document: Document) {
        let Body::Bytes(bytes) = &document.body else { return };
        let mut known = self.known();
        if known.bytes + bytes.len() <= WAITING_MAX {
            known.bytes += bytes.len();
            known.documents.insert(document.id.clone(), document);
        }
    }
}

/// What an item is to a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Ours,
    Other,
    /// It was ours, and is of another class now.
    Became,
    Gone,
}

impl Found {
    fn of(class: Class, of: Option<Class>) -> Self {
        if of.is_none_or(|of| of == class) { Self::Ours } else { Self::Other }
    }
}

/// The class by the parameter of a content type.
fn component(content_type: &str) -> Option<Class> {
    let parameters = content_type.split(';').skip(1);
    let name = parameters.filter_map(|parameter| parameter.split_once('='));
    let name = name.filter(|(name, _)| name.trim().eq_ignore_ascii_case("component"));
    match name
        .map(|(_, value)| value.trim().trim_matches('"').to_ascii_uppercase())
        .next()?
        .as_str()
    {
        "VEVENT" => Some(Class::Appointment),
        "VTODO" => Some(Class::Task),
        _ => None,
    }
}
