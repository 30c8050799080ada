//! Which installation this is: an id that is made once with its state, and where that was. A state that was copied or moved keeps
//! the id, and so shows that it did.

use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::paths;
use crate::connector::lease::Instance;
use crate::store::{self, Store, meta};
use crate::sync::fence::Reserve;

/// Where computers keep an id of their own.
const MACHINE_ID: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// An installation, and why it does not take part, if it does not.
#[derive(Debug, Clone)]
pub struct Identity {
    pub instance: Instance,
    pub reserve: Option<Reserve>,
}

/// Where a state is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    host: String,
    /// The computer, by what it cannot be mistaken for; its name where it has nothing better.
    machine: String,
    folder: String,
}

impl Identity {
    /// The installation of this state, made when there is none.
    ///
    /// # Errors
    /// When the store is lost.
    pub async fn of(store: &Store, folder: &Path, clock: &Clock) -> store::Result<Self> {
        let here = Place::here(folder);
        let kept = store.read(|db| meta::get(db, meta::INSTANCE)).await?;
        let Some((id, place, released)) = kept.as_deref().and_then(parse) else {
            return Self::make(store, here, clock).await;
        };
        let reserve = if place.machine != here.machine || place.folder != here.folder {
            Some(Reserve::Moved(place.words(&here)))
        } else {
            released.then_some(Reserve::Released)
        };
        Ok(Self { instance: here.instance(id), reserve })
    }

    /// The installation that this state is from now on: another one, where it was copied or moved, so that the one that it was
    /// copied from is kept out.
    ///
    /// # Errors
    /// When the store is lost.
    pub async fn settle(self, store: &Store, folder: &Path, clock: &Clock) -> store::Result<Self> {
        let here = Place::here(folder);
        if matches!(self.reserve, Some(Reserve::Moved(_))) {
            return Self::make(store, here, clock).await;
        }
        keep(store, self.instance.id, &here, false).await?;
        Ok(Self { reserve: None, ..self })
    }

    /// Remembers that this installation gave up syncing.
    ///
    /// # Errors
    /// When the store is lost.
    pub async fn give_up(&self, store: &Store, folder: &Path) -> store::Result<()> {
        keep(store, self.instance.id, &Place::here(folder), true).await
    }

    async fn make(store: &Store, here: Place, clock: &Clock) -> store::Result<Self> {
        let id = clock.unique();
        keep(store, id, &here, false).await?;
        Ok(Self { instance: here.instance(id), reserve: None })
    }
}

impl Place {
    fn here(folder: &Path) -> Self {
        let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let (host, machine) = match paths::computer() {
            Some((name, true)) => (name.clone(), name),
            told => {
                let host = told.map_or_else(host, |(name, _)| name);
                (host.clone(), machine().unwrap_or(host))
            }
        };
        Self { host, machine, folder: folder.display().to_string() }
    }

    fn instance(&self, id: Uuid) -> Instance {
        let place = format!("{}\n{}\n{}", self.host, self.machine, self.folder);
        let place = Uuid::new_v5(&Uuid::NAMESPACE_OID, place.as_bytes()).to_string();
        Instance { id, host: self.host.clone(), place }
    }

    /// This place, to somebody at another one.
    fn words(&self, here: &Self) -> String {
        if self.machine == here.machine {
            format!("this computer, in {}", self.folder)
        } else {
            format!("“{}”, in {}", self.host, self.folder)
        }
    }
}

async fn keep(store: &Store, id: Uuid, place: &Place, released: bool) -> store::Result<()> {
    let kept = json!({
        "id": id.to_string(), "host": place.host, "machine": place.machine, "folder": place.folder,
        "released": released,
    });
    let kept = kept.to_string();
    store.promise(move |tx| meta::set(tx, meta::INSTANCE, &kept)).await
}

/// The id of the installation, as the store keeps it ([`meta::INSTANCE`]).
pub fn id(kept: &str) -> Option<Uuid> {
    parse(kept).map(|(id, ..)| id)
}

fn parse(kept: &str) -> Option<(Uuid, Place, bool)> {
    let kept: Json = serde_json::from_str(kept).ok()?;
    let text = |key: &str| Some(kept.get(key)?.as_str()?.to_owned());
    let place = Place { host: text("host")?, machine: text("machine")?, folder: text("folder")? };
    let released = kept.get("released").and_then(Json::as_bool).unwrap_or_default();
    Some((Uuid::parse_str(&text("id")?).ok()?, place, released))
}

/// What the computer is called: by the system, or by a command that all have.
fn host() -> String {
    let asked = || String::from_utf8(Command::new("hostname").output().ok()?.stdout).ok();
    let trimmed = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .and_then(trimmed)
        .or_else(|| asked().and_then(trimmed))
        .unwrap_or_else(|| "a computer without a name".to_owned())
}

/// The computer's own id, in a form that gives it away to nobody (machine-id(5)).
fn machine() -> Option<String> {
    let mut found = MACHINE_ID.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    let id = found.find(|id| !id.trim().is_empty())?;
    Some(Uuid::new_v5(&Uuid::NAMESPACE_OID, id.trim().as_bytes()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_state_is_the_same_installation_where_it_was_made_and_nowhere_else() {
        let (clock, store) = (Clock::system(), Store::in_memory().unwrap());
        let (home, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let of = |folder: &Path| {
            let (store, folder, clock) = (store.clone(), folder.to_owned(), clock.clone());
            async move { Identity::of(&store, &folder, &clock).await.unwrap() }
        };
        let first = of(home.path()).await;
        assert_eq!(first.reserve, None);
        assert_eq!(of(home.path()).await.instance, first.instance);
        let moved = of(copy.path()).await;
        assert!(
            matches!(&moved.reserve, Some(Reserve::Moved(from)) if from.contains("this computer"))
        );
        let settled = moved.settle(&store, copy.path(), &clock).await.unwrap();
        assert_ne!(settled.instance.id, first.instance.id);
        assert_eq!(of(copy.path()).await.reserve, None);
        settled.give_up(&store, copy.path()).await.unwrap();
        assert_eq!(of(copy.path()).await.reserve, Some(Reserve::Released));
        let back = of(copy.path()).await.settle(&store, copy.path(), &clock).await.unwrap();
        assert_eq!((back.reserve, back.instance), (None, settled.instance));
    }
}
