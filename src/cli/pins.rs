//! Whose state this is: one organisation, one CRM user, one mailbox. Set the first time, and never changed by itself: what was
//! learnt about one would read as deletions in another.

use serde_json::{Value as Json, json};

use super::{Exit, Stop};
use crate::config::Settings;
use crate::connector::dataverse::Dataverse;
use crate::model::Address;
use crate::store::{self, Store, meta};

/// Stops before anything is written where this state belongs to somebody or something else, and keeps why for `status`.
///
/// # Errors
/// When it does.
pub async fn check(
    store: &Store,
    settings: &Settings,
    dataverse: &Dataverse,
) -> anyhow::Result<()> {
    match pin(store, settings, dataverse).await? {
        None => forget(store).await?,
        Some(stop) => return Err(keep(store, stop).await?.into()),
    }
    Ok(())
}

/// A mailbox that is not the one of this state is refused before anybody is asked for anything.
///
/// # Errors
/// When it is another one.
pub async fn check_mailbox(store: &Store, settings: &Settings) -> anyhow::Result<()> {
    let now = settings.mailbox.address.to_string();
    match store.read(|db| meta::get(db, meta::MAILBOX)).await? {
        Some(pinned) if pinned != now => {
            let hint = format!(
                "nothing was touched; set `address` in [mailbox] to {pinned}, or start afresh with \
                 another --state folder"
            );
            Err(keep(store, mismatch("mailbox", &pinned, &now, hint)).await?.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Why nothing can be synced, as it was found last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub message: String,
    pub hint: String,
}

impl Found {
    /// # Errors
    /// When the store is lost.
    pub fn read(db: &store::Connection) -> store::Result<Option<Self>> {
        let Some(kept) = meta::get(db, meta::MISMATCH)? else { return Ok(None) };
        let kept: Json = serde_json::from_str(&kept).unwrap_or_default();
        let text = |key: &str| kept.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        Ok(Some(Self { message: text("message"), hint: text("hint") }))
    }
}

async fn keep(store: &Store, stop: Stop) -> store::Result<Stop> {
    let kept = json!({ "message": stop.message, "hint": stop.hint }).to_string();
    store.write(move |tx| meta::set(tx, meta::MISMATCH, &kept)).await?;
    Ok(stop)
}

async fn forget(store: &Store) -> store::Result<()> {
    if store.read(|db| meta::get(db, meta::MISMATCH)).await?.is_some() {
        store.write(|tx| meta::remove(tx, meta::MISMATCH)).await?;
    }
    Ok(())
}

async fn pin(
    store: &Store,
    settings: &Settings,
    dataverse: &Dataverse,
) -> store::Result<Option<Stop>> {
    if let Some(stop) = stranger(settings, dataverse) {
        return Ok(Some(stop));
    }
    let mailbox = settings.mailbox.address.to_string();
    let pins = [
        (meta::ORGANISATION, "organisation", dataverse.organisation().to_string()),
        (meta::USER, "CRM user", dataverse.user().to_string()),
        (meta::MAILBOX, "mailbox", mailbox),
    ];
    let (checked, name) = (pins.clone(), dataverse.name().to_owned());
    let (missing, stop) = store
        .read(move |db| {
            let mut missing = false;
            for (key, word, now) in &checked {
                match meta::get(db, key)? {
                    Some(pinned) if pinned != *now => {
                        return Ok((false, Some(mismatch(word, &pinned, now, instruct(&name)))));
                    }
                    pinned => missing |= pinned.is_none(),
                }
            }
            Ok((missing, None))
        })
        .await?;
    if stop.is_some() {
        return Ok(stop);
    }
    if missing {
        store
            .promise(move |tx| pins.iter().try_for_each(|(key, _, now)| meta::set(tx, key, now)))
            .await?;
    }
    Ok(None)
}

/// The CRM knows its user by an address that is none of the mailbox's.
fn stranger(settings: &Settings, dataverse: &Dataverse) -> Option<Stop> {
    if dataverse.me().is_empty() || !dataverse.me().is_disjoint(&settings.mailbox.me()) {
        return None;
    }
    let known: Vec<&str> = dataverse.me().iter().map(Address::as_str).collect();
    let known = known.join(", ");
    Some(Stop::new(
        Exit::Configuration,
        format!("the CRM knows you as {known}, the mailbox is {}", settings.mailbox.address),
        "if both are you, add the CRM's address to `aliases` in `[mailbox]`; else sign in as \
         the owner of the mailbox",
    ))
}

fn instruct(name: &str) -> String {
    format!(
        "nothing was touched. If that is a mistake, correct the address or the sign-in of `{name}`; if you mean to \
         change, `liaison org use {name}` shows what it means and asks; or start afresh with another --state folder"
    )
}

fn mismatch(word: &str, pinned: &str, now: &str, hint: String) -> Stop {
    Stop::new(
        Exit::Configuration,
        format!("this state belongs to the {word} {pinned}, the configuration leads to {now}"),
        hint,
    )
}
