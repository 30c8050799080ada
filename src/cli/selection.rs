//! Which sync filters are in force: what the configuration says and what the organisation told, brought together when a
//! connection is made, and kept in the store, so that `status` can say what changed and what cannot be used. No screen.

use std::collections::BTreeMap;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::Installation;
use crate::config::Settings;
use crate::connector::dataverse::Dataverse;
use crate::filter::fetch;
use crate::filter::union::{self, Source, State, Union, Wish};
use crate::model::{Class, Selection, Table, Told};
use crate::store::{self, Connection, Store, meta};
use crate::sync::world;

/// Where the store keeps what was told last.
const KEPT: &str = "filters";

/// The sync filters of all classes that take part.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    pub classes: BTreeMap<Class, Union>,
    /// Those of the organisation that are about something else.
    pub elsewhere: Vec<Source>,
}

impl Filters {
    /// Brings together what the settings say and what the organisation told.
    pub fn of(settings: &Settings, told: &Told, is_new: bool) -> Self {
        let classes: BTreeMap<Class, Union> = settings
            .classes()
            .filter(|class| *class != Class::Email)
            .map(|class| (class, union::unite(wish(settings, class), told, is_new)))
            .collect();
        let synced = |table: &str| {
            Table::named(table).is_some_and(|table| classes.contains_key(&table.class()))
        };
        let own = told.own.iter().flatten().chain(told.system.iter().flatten());
        let elsewhere = own
            .filter(|stored| !synced(&stored.table))
            .map(|stored| Source {
                origin: stored.origin,
                name: stored.name.clone(),
                table: stored.table.clone(),
                id: Some(stored.id),
                state: if stored.active { State::Unwanted } else { State::Off },
            })
            .collect();
        Self { classes, elsewhere }
    }

    /// What is to be listed.
    pub fn selection(&self) -> Selection {
        let mut selection = Selection::default();
        for (class, union) in &self.classes {
            for (table, selector) in union.selectors() {
                selection.selectors.entry(table).or_default().push(selector);
            }
            if !union.doubts.is_empty() {
                selection.doubts.insert(*class, union.doubts.clone());
            }
        }
        selection
    }

    /// Changes when the filters of a class do.
    pub fn fingerprint(&self, class: Class) -> Option<String> {
        self.classes.get(&class).map(Union::fingerprint)
    }
}

fn wish(settings: &Settings, class: Class) -> Wish<'_> {
    let sync = settings.sync.of(class);
    let (organisation, off) = (sync.organisation_filters, &sync.filters_off);
    Wish { class, filters: &sync.filters, organisation, off }
}

/// What the store keeps of the filters, as `status` shows it.
#[derive(Debug, Clone, Default)]
pub struct Kept(Json);

impl Kept {
    /// # Errors
    /// When the store is lost.
    pub fn read(db: &Connection) -> store::Result<Self> {
        let kept = meta::get(db, KEPT)?.and_then(|kept| serde_json::from_str(&kept).ok());
        Ok(Self(kept.unwrap_or_default()))
    }

    /// Whether the user had filters of the own before.
    fn had_own(&self) -> bool {
        self.0.get("had_own").and_then(Json::as_bool).unwrap_or_default()
    }

    /// Whether the organisation refused to make the user's filters from the templates.
    fn was_refused(&self) -> bool {
        self.0.get("refused").and_then(Json::as_bool).unwrap_or_default()
    }

    /// What is known of the filters of a class.
    pub fn class(&self, class: Class) -> &Json {
        self.0.get("classes").and_then(|classes| classes.get(class.as_str())).unwrap_or(&Json::Null)
    }

    /// Those that cannot be used, each with its reason.
    pub fn doubts(&self, class: Class) -> impl Iterator<Item = &str> {
        let doubts = self.class(class).get("doubts").and_then(Json::as_array);
        doubts.into_iter().flatten().filter_map(Json::as_str)
    }

    /// When the filters of a class changed the last time, and how.
    pub fn change(&self, class: Class) -> Option<(Timestamp, Vec<&str>)> {
        let changed = self.class(class).get("changed")?;
        let what = changed.get("what")?.as_array()?.iter().filter_map(Json::as_str).collect();
        Some((changed.get("at")?.as_str()?.parse().ok()?, what))
    }
}

/// Finds out which filters are in force, makes them so, and keeps what is to be said of them. Who is new gets the filters that
/// the organisation has for new users: as if they were made at first, and made once the first sync of a class was approved.
///
/// # Errors
/// When the store is lost, or the organisation gave no answer.
pub async fn settle(
    store: &Store,
    settings: &Settings,
    dataverse: &mut Dataverse,
    now: Timestamp,
) -> anyhow::Result<Filters> {
    let (kept, started) = store
        .read(|db| {
            let mut started = false;
            for class in Class::ALL {
                started |= meta::get(db, &world::started_key(class))?.is_some();
            }
            Ok((Kept::read(db)?, started))
        })
        .await?;
    let mut refused = kept.was_refused();
    let has_none = |told: &Told| told.own.as_ref().is_ok_and(Vec::is_empty) && !kept.had_own();
    let wanted = settings.classes().any(|class| settings.sync.of(class).organisation_filters);
    let told = dataverse.told();
    if has_none(told) && wanted && started && !refused && !told.templates.is_empty() {
        match dataverse.instantiate_filters().await {
            Ok(()) => dataverse.ask_filters().await?,
            Err(error) => {
                error.warn("the templates of the sync filters are used as they are");
                refused = true;
            }
        }
    }
    let told = dataverse.told();
    let filters = Filters::of(settings, told, has_none(told));
    let had_own = kept.had_own() || told.own.as_ref().is_ok_and(|own| !own.is_empty());
    let whole = told.own.is_ok() && told.system.is_ok();
    let classes: Map<String, Json> = filters
        .classes
        .iter()
        .map(|(class, union)| (class.to_string(), to_keep(kept.class(*class), union, whole, now)))
        .collect();
    let json = json!({ "had_own": had_own, "refused": refused, "classes": classes });
    if json != kept.0 {
        store.write(move |tx| meta::set(tx, KEPT, &json.to_string())).await?;
    }
    dataverse.select(filters.selection());
    Ok(filters)
}

/// What is kept of a class. Where not all filters could be read, the others are as they were.
fn to_keep(before: &Json, union: &Union, whole: bool, now: Timestamp) -> Json {
    if !whole {
        let mut kept = before.as_object().cloned().unwrap_or_default();
        kept.insert("doubts".to_owned(), json!(union.doubts));
        return Json::Object(kept);
    }
    let sources: Vec<Json> = union.sources.iter().map(source).collect();
    let what = differences(before, &sources);
    let changed = if what.is_empty() {
        before.get("changed").cloned().unwrap_or_default()
    } else {
        json!({ "at": now.to_string(), "what": what })
    };
    json!({ "sources": sources, "doubts": union.doubts, "changed": changed })
}

fn source(source: &Source) -> Json {
    let (text, reason) = match &source.state {
        State::On(filter) => (Some(fetch::fingerprint(std::slice::from_ref(filter))), None),
        State::Unusable(reason) => (None, Some(reason)),
        State::Off | State::Unwanted => (None, None),
    };
    json!({
        "id": source.id.map_or_else(|| source.name.clone(), |id| id.to_string()),
        "origin": source.origin.as_str(),
        "name": source.name,
        "state": source.state.as_str(),
        "text": text,
        "reason": reason,
    })
}

/// What a person did to the filters since they were last told.
fn differences(before: &Json, now: &[Json]) -> Vec<String> {
    let Some(before) = before.get("sources").and_then(Json::as_array) else { return Vec::new() };
    let text = |source: &Json, key: &str| {
        source.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let key = |source: &Json| (text(source, "origin"), text(source, "id"));
    let mut what = Vec::new();
    for source in now {
        let name = text(source, "name");
        let state = text(source, "state");
        let Some(old) = before.iter().find(|old| key(old) == key(source)) else {
            what.push(format!("“{name}” is new"));
            continue;
        };
        let was = text(old, "state");
        if was != state {
            what.push(match state.as_str() {
                "on" => format!("“{name}” was turned on"),
                "off" => format!("“{name}” was turned off"),
                "unusable" => format!("“{name}” cannot be used any more"),
                _ => format!("“{name}” takes no part any more"),
            });
        } else if text(old, "text") != text(source, "text") {
            what.push(format!("“{name}” was edited"));
        }
    }
    let gone = before.iter().filter(|old| now.iter().all(|source| key(source) != key(old)));
    what.extend(gone.map(|old| format!("“{}” is gone", text(old, "name"))));
    what
}

/// An organisation with its filters, for commands that need no mailbox.
#[derive(Debug)]
pub struct Reached {
    pub settings: Settings,
    pub store: Store,
    pub dataverse: Dataverse,
    pub filters: Filters,
}

impl Installation {
    /// The organisation that the mailbox goes with, and the filters in force.
    ///
    /// # Errors
    /// When it cannot be reached, or this state belongs to another one.
    pub async fn reach(&self) -> anyhow::Result<Reached> {
        let settings = self.load()?.settings;
        self.make_state_folder()?;
        let store = self.store().await?;
        let (mut dataverse, _) = self.meet(&settings, &store).await?;
        let filters = settle(&store, &settings, &mut dataverse, self.clock.now())
            .await
            .context("the sync filters")?;
        Ok(Reached { settings, store, dataverse, filters })
    }
}

#[cfg(test)]
mod tests;
