//! Reading very much: portions are handed on while the next ones are on their way, so that nothing is held in memory that somebody
//! could be at work on.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc::Sender;

use super::{Connector, Result, header};
use crate::model::{Body, Class, Document, ItemId};

/// What was read of items, or why each was not.
pub type Documents = BTreeMap<ItemId, Result<Document>>;

/// Where portions go: it has room for few, so that whoever reads waits for whoever takes in.
pub type Portions = Sender<Documents>;

/// How many items a portion has, more or less: bounds memory, and what a crash makes us read again.
pub const PORTION: usize = 500;

/// How many heads of messages are asked for at a time.
const HEADS: usize = 1000;

/// Reads window by window, so many at once, and others while the last is handed on.
pub(super) async fn by_windows<C: Connector + ?Sized>(
    connector: &C,
    class: Class,
    ids: &[ItemId],
    (to, at_once): (&Portions, usize),
) -> Result<()> {
    let size = if class == Class::Email { HEADS } else { PORTION };
    let mut windows = Vec::new();
    for ids in ids.chunks(size) {
        windows.push(window(connector, class, ids));
    }
    let mut windows = stream::iter(windows).buffered(at_once);
    let mut coming = windows.next().await;
    while let Some(documents) = coming {
        let (goes_on, next) = tokio::join!(hand_on(documents?, to), windows.next());
        if !goes_on {
            break;
        }
        coming = next;
    }
    Ok(())
}

/// Hands documents on in portions. Returns whether anybody wants more.
async fn hand_on(mut documents: Documents, to: &Portions) -> bool {
    while !documents.is_empty() {
        let next = documents.keys().nth(PORTION).cloned();
        let rest = next.map(|next| documents.split_off(&next)).unwrap_or_default();
        if to.send(std::mem::replace(&mut documents, rest)).await.is_err() {
            return false;
        }
    }
    true
}

async fn window<C: Connector + ?Sized>(
    connector: &C,
    class: Class,
    ids: &[ItemId],
) -> Result<Documents> {
    if class != Class::Email {
        return connector.read(class, ids).await;
    }
    let mut documents = connector.heads(class, ids).await?;
    // A message without a `Message-ID` is named by all of it.
    let nameless: Vec<ItemId> = documents
        .iter()
        .filter(|(_, document)| document.as_ref().is_ok_and(is_nameless))
        .map(|(id, _)| id.clone())
        .collect();
    if !nameless.is_empty() {
        documents.extend(connector.read(class, &nameless).await?);
    }
    Ok(documents)
}

/// Whether a message has no `Message-ID`, by its head.
pub(super) fn is_nameless(document: &Document) -> bool {
    match &document.body {
        Body::Bytes(head) => header::message_id(head).is_none(),
        Body::Record(_) | Body::Patch(_) => false,
    }
}
