//! From a configuration to a desk: which organisation, whether it can be reached or the user is offline, the file of its copy, and
//! what waits being replayed when it is there again. It holds nothing that the sync of the mailbox would wait for.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::exit::{Exit, Stop};
use super::lock::Lock;
use super::{Installation, progress};
use crate::config::Settings;
use crate::config::settings::Organisation;
use crate::connector::ErrorKind;
use crate::connector::dataverse::table::Tables;
use crate::connector::records::Records;
use crate::offline::{self, Desk, replay};
use crate::store::replica::{self, collision, outbox};
use crate::store::{Store, meta};

/// The folder of the copies, below the state folder.
const FOLDER: &str = "offline";

/// A desk, and whether its organisation is there.
#[derive(Debug)]
pub struct Place {
    /// The organisation's name in the configuration.
    pub name: String,
    pub desk: Desk,
    /// Why the copy is used instead of the organisation.
    pub away: Option<Away>,
    /// The folder of the locks.
    folder: PathBuf,
    /// Whether nobody watches a bar.
    pub quiet: bool,
}

/// Why an organisation is not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Away {
    /// The user went offline, until then or until further notice.
    Chosen { since: Timestamp, until: Option<Timestamp> },
    /// It could not be reached.
    Lost(String),
}

impl Away {
    /// Said beside every answer that comes from the copy.
    pub fn note(&self, name: &str) -> String {
        match self {
            Self::Chosen { until: None, .. } => {
                format!("offline: this is the copy of `{name}`; `liaison online` ends it")
            }
            Self::Chosen { until: Some(until), .. } => {
                let until = super::status::moment(*until);
                format!(
                    "offline until {until}: this is the copy of `{name}`; `liaison online` ends it"
                )
            }
            Self::Lost(reason) => {
                format!("`{name}` cannot be reached ({reason}): this is its copy")
            }
        }
    }

    /// For programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Chosen { .. } => "chosen",
            Self::Lost(_) => "lost",
        }
    }
}

impl Installation {
    /// The copy of an organisation, without a word to anybody; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn replica(&self, name: &str) -> anyhow::Result<Option<Store>> {
        let path = self.directories.state.join(FOLDER).join(format!("{name}.db"));
        if !path.exists() {
            return Ok(None);
        }
        Ok(Some(tokio::task::spawn_blocking(move || replica::open(&path)).await??))
    }

    /// A desk without its organisation: for what only concerns the copy.
    ///
    /// # Errors
    /// When there is no such organisation, or the copy cannot be opened.
    pub async fn copy(&self, organisation: Option<&str>) -> anyhow::Result<Place> {
        let loaded = self.load()?;
        let (name, _) = named(&loaded.settings, organisation)?;
        let folder = self.directories.state.join(FOLDER);
        let path = folder.join(format!("{name}.db"));
        let store = tokio::task::spawn_blocking(move || replica::open(&path)).await??;
        let away = chosen(&store, self.clock.now()).await?;
        let desk = Desk { store, clock: self.clock.clone(), crm: None, zone: TimeZone::system() };
        Ok(Place { name: name.to_owned(), desk, away, folder, quiet: self.json })
    }

    /// A desk, with its organisation unless the user is offline or it cannot be reached.
    ///
    /// # Errors
    /// When there is no such organisation, it refuses the sign-in, it is another than the one of the copy, or it cannot be
    /// reached and there is no copy.
    pub async fn desk(&self, organisation: Option<&str>) -> anyhow::Result<Place> {
        let mut place = self.copy(organisation).await?;
        if place.away.is_some() {
            return Ok(place);
        }
        match self.connect_desk(&mut place).await {
            Ok(()) => {
                place.catch_up().await?;
                Ok(place)
            }
            Err(error) => {
                let lost = error.downcast_ref::<crate::connector::Error>();
                let lost = lost.filter(|error| error.kind == ErrorKind::Unreachable);
                let Some(reason) = lost.map(|error| error.message.clone()) else {
                    return Err(error);
                };
                let counts = place.desk.store.read(replica::row::counts).await?;
                if counts.is_empty() {
                    return Err(error.context(format!(
                        "`{}` was not taken offline, so there is no copy to work with",
                        place.name
                    )));
                }
                place.away = Some(Away::Lost(reason));
                Ok(place)
            }
        }
    }

    /// Reaches the organisation of a desk, whatever the user chose before.
    ///
    /// # Errors
    /// When it cannot be reached, refuses the sign-in, or is another than the one of the copy.
    pub async fn connect_desk(&self, place: &mut Place) -> anyhow::Result<()> {
        let loaded = self.load()?;
        let (name, organisation) = named(&loaded.settings, Some(&place.name))?;
        let options = self.options(name, organisation, &loaded.settings);
        let tables = Tables::connect(options, self.clock.clone()).await?;
        place.desk.pin(&tables).await.map_err(told)?;
        place.desk.crm = Some(Arc::new(tables));
        place.away = None;
        Ok(())
    }
}

impl Place {
    /// The right to replay and to refresh; `None` when another process has it. The sync of the mailbox has another one.
    ///
    /// # Errors
    /// When the lock cannot be used.
    pub fn lock(&self) -> anyhow::Result<Option<Lock>> {
        match Lock::take(&self.folder.join(format!("{}.replay", self.name))) {
            Ok(lock) => Ok(Some(lock)),
            Err(error) => match error.downcast_ref::<Stop>() {
                Some(stop) if stop.exit == Exit::AlreadyRunning => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Replays what waits, if something does and nobody else is at it.
    ///
    /// # Errors
    /// When the copy is lost.
    pub async fn catch_up(&self) -> anyhow::Result<Option<replay::Report>> {
        let (waiting, _) = self.desk.store.read(outbox::count).await?;
        if waiting == 0 {
            return Ok(None);
        }
        let Some(_lock) = self.lock()? else { return Ok(None) };
        self.replay().await.map(Some)
    }

    /// Replays what waits. The caller holds the lock.
    ///
    /// # Errors
    /// When the copy is lost, or the organisation is away.
    pub async fn replay(&self) -> anyhow::Result<replay::Report> {
        let crm = self.crm()?;
        let bar = progress::counter(self.quiet, "replaying");
        let shown = bar.clone();
        let tell = move |done: u64, all: u64| {
            shown.set_length(all);
            shown.set_position(done);
        };
        let report = replay::replay(&self.desk, crm.as_ref(), &tell).await.map_err(told);
        bar.finish_and_clear();
        report
    }

    /// The organisation.
    ///
    /// # Errors
    /// When it is away.
    pub fn crm(&self) -> anyhow::Result<Arc<dyn Records>> {
        self.desk.crm.clone().ok_or_else(|| {
            Stop::new(
                Exit::TryLater,
                format!("`{}` is offline", self.name),
                "`liaison online` ends it",
            )
            .into()
        })
    }

    /// Beside every answer: where it comes from, and what waits.
    ///
    /// # Errors
    /// When the copy is lost.
    pub async fn notes(&self) -> anyhow::Result<Vec<String>> {
        let mut notes: Vec<String> = self.away.iter().map(|away| away.note(&self.name)).collect();
        let (waiting, parked) = self.desk.store.read(outbox::count).await?;
        let collisions = self.desk.store.read(collision::count).await?;
        if waiting > 0 {
            let edits =
                super::output::count(usize::try_from(waiting).unwrap_or(usize::MAX), "edit");
            notes.push(format!("{edits} in the outbox of `{}`", self.name));
        }
        if parked + collisions > 0 {
            notes.push(format!(
                "→ {parked} refused and {collisions} contested by colleagues: `liaison outbox list`"
            ));
        }
        Ok(notes)
    }

    /// For programs: where an answer comes from.
    pub fn json(&self) -> Json {
        json!({
            "organisation": self.name,
            "online": self.away.is_none(),
            "away": self.away.as_ref().map(Away::word),
        })
    }
}

/// The organisation of that name, else the one that the mailbox goes with.
///
/// # Errors
/// When there is none of that name.
pub fn named<'a>(
    settings: &'a Settings,
    name: Option<&str>,
) -> anyhow::Result<(&'a str, &'a Organisation)> {
    let found = match name {
        None => settings.sync_organisation(),
        Some(name) => {
            settings.organisations.get_key_value(name).map(|(name, found)| (name.as_str(), found))
        }
    };
    found.ok_or_else(|| {
        let known: Vec<&str> = settings.organisations.keys().map(String::as_str).collect();
        let name = name.unwrap_or_default();
        Stop::new(
            Exit::Usage,
            format!("there is no organisation `{name}` in the configuration"),
            format!("there are: {}", known.join(", ")),
        )
        .into()
    })
}

/// Whether the user went offline, and not only for a time that is over.
///
/// # Errors
/// When the copy is lost.
pub async fn chosen(store: &Store, now: Timestamp) -> anyhow::Result<Option<Away>> {
    let kept = store.read(|db| meta::get(db, replica::AWAY)).await?;
    let Some(kept) = kept.and_then(|kept| serde_json::from_str::<Json>(&kept).ok()) else {
        return Ok(None);
    };
    let moment = |key: &str| kept.get(key)?.as_i64().and_then(|at| Timestamp::from_second(at).ok());
    let until = moment("until");
    let is_over = until.is_some_and(|until| until <= now);
    let since = moment("since").unwrap_or(now);
    Ok((!is_over).then_some(Away::Chosen { since, until }))
}

/// What offline work has to say, as the command line says it.
pub fn told(error: offline::Error) -> anyhow::Error {
    match error {
        offline::Error::Crm(error) => error.into(),
        offline::Error::Store(error) => error.into(),
        offline::Error::Refused { message, hint } => Stop::new(Exit::Failed, message, hint).into(),
    }
}
