//! What an organisation told about itself and the user, and is not asked again for a day.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::clock::Clock;
use crate::config::Settings;
use crate::connector::dataverse::{Dataverse, Standing};
use crate::model::Class;
use crate::model::fields::Direction;
use crate::store::{self, Store, meta};

/// How long it is taken for true.
const HOURS: i64 = 24;

/// The organisation's metadata, as far as it is fresh.
///
/// # Errors
/// When the store is lost.
pub async fn metadata(store: &Store, clock: &Clock) -> store::Result<Option<Json>> {
    let kept = store.read(|db| meta::get(db, meta::METADATA)).await?;
    Ok(kept.and_then(|kept| fresh(&kept, "metadata", clock.now())))
}

/// Keeps the organisation's metadata.
///
/// # Errors
/// When the store is lost.
pub async fn keep_metadata(
    store: &Store,
    clock: &Clock,
    dataverse: &Dataverse,
) -> store::Result<()> {
    let at = clock.now().as_second();
    let kept = json!({ "at": at, "metadata": dataverse.metadata().to_json() }).to_string();
    store.write(move |tx| meta::set(tx, meta::METADATA, &kept)).await
}

/// What the user may do, asked where that is not known for certain: at first, once a day, and when they suddenly get in another
/// way.
///
/// # Errors
/// When the store is lost, or the organisation is out of service.
pub async fn standing(
    store: &Store,
    clock: &Clock,
    (settings, dataverse): (&Settings, &Dataverse),
) -> anyhow::Result<Standing> {
    let directions = directions(settings);
    let kept = store.read(|db| meta::get(db, meta::STANDING)).await?;
    let kept = kept.and_then(|kept| fresh(&kept, "standing", clock.now()));
    let kept = kept.and_then(|kept| Standing::kept(&kept, &directions));
    if let Some(standing) = kept.filter(|kept| kept.access == dataverse.access()) {
        return Ok(standing);
    }
    let standing = dataverse.standing(&directions).await?;
    let kept = json!({ "at": clock.now().as_second(), "standing": standing.to_json() }).to_string();
    store.write(move |tx| meta::set(tx, meta::STANDING, &kept)).await?;
    Ok(standing)
}

/// What the user may do, as it was last told, however long ago.
///
/// # Errors
/// When the store is lost.
pub fn last_standing(
    db: &store::Connection,
    settings: &BTreeMap<Class, Direction>,
) -> store::Result<Option<Standing>> {
    let kept = meta::get(db, meta::STANDING)?;
    let kept: Option<Json> = kept.and_then(|kept| serde_json::from_str(&kept).ok());
    Ok(kept.and_then(|kept| Standing::kept(kept.get("standing")?, settings)))
}

/// Asks anew the next time: something was refused.
///
/// # Errors
/// When the store is lost.
pub async fn doubt_standing(store: &Store) -> store::Result<()> {
    store.write(|tx| meta::remove(tx, meta::STANDING)).await
}

/// The classes that take part by the settings, and which way they go.
pub fn directions(settings: &Settings) -> BTreeMap<Class, Direction> {
    settings.classes().map(|class| (class, settings.sync.of(class).direction)).collect()
}

/// What was kept under a name, if it is not older than a day.
fn fresh(kept: &str, name: &str, now: Timestamp) -> Option<Json> {
    let mut kept: Json = serde_json::from_str(kept).ok()?;
    let age = now.as_second() - kept.get("at")?.as_i64()?;
    let value = kept.get_mut(name)?.take();
    (0..HOURS * 3600).contains(&age).then_some(value)
}
