//! From a configuration to an engine: the state folder and who may write to it, the store, the sign-in, and whether this state
//! belongs to this organisation, user and mailbox. What does not fit stops here, before anything is written.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;
use super::credentials::SignIns;
use super::identity::Identity;
use super::keeper::Within;
use super::lock::{Lock, private_folder};
use super::mailbox::{self, Mailbox};
use super::{Common, Front, auth, kept, pins, selection, settings, zone};
use crate::clock::Clock;
use crate::config::settings::Organisation;
use crate::config::{self, Directories, Loaded, Settings};
use crate::connector::dataverse::{self, Dataverse, Standing};
use crate::connector::http::Limits;
use crate::connector::lease::{Lease, PatientLease};
use crate::connector::meter::Meter;
use crate::connector::patient::Patient;
use crate::daemon::house::Tell;
use crate::model::Class;
use crate::store::{Store, meta};
use crate::sync::Engine;
use crate::sync::fence::Fence;
use crate::sync::stop::Stop;
use anyhow::Context;

/// How long a person who watches is made to wait when the organisation asks for a pause.
const PATIENCE: Duration = Duration::from_mins(2);

/// The store, below the state folder.
const STORE: &str = "store.db";

/// Locked by whoever writes to either side, below the state folder.
const LOCK: &str = "lock";

/// One installation: a configuration and a state folder.
#[derive(Debug, Clone)]
pub struct Installation {
    pub directories: Directories,
    /// The folder of the configuration file, where its commands run.
    pub home: PathBuf,
    pub clock: Clock,
    /// Whether a program reads the answer.
    pub json: bool,
    /// Who waits for it.
    pub front: Front,
    /// The service that this is part of, if it is.
    pub within: Option<Arc<Within>>,
    /// The sign-ins that this process uses.
    pub sign_ins: Arc<SignIns>,
}

/// Everything that a round needs.
#[derive(Debug, Clone)]
pub struct Opened {
    pub engine: Engine,
    /// The classes that take part.
    pub classes: Vec<Class>,
    /// What the user must know: about the time zone, what they may not do, and sign-ins that end soon.
    pub notices: Vec<String>,
    pub identity: Identity,
    /// How often the service asks the CRM for news.
    pub interval: Duration,
}

impl Installation {
    /// The installation that the flags, the environment or the platform name.
    ///
    /// # Errors
    /// When there is no home directory to look in.
    pub fn find(common: &Common) -> anyhow::Result<Self> {
        let mut directories = Directories::find(common.config.as_deref(), common.state.as_deref())?;
        directories.config = std::path::absolute(&directories.config)?;
        directories.state = std::path::absolute(&directories.state)?;
        directories.runtime = std::path::absolute(&directories.runtime)?;
        let home = mailbox::home(&directories.config);
        let (clock, front, sign_ins) = (Clock::system(), Front::default(), Arc::default());
        let json = common.json;
        Ok(Self { directories, home, clock, json, front, within: None, sign_ins })
    }

    /// The settings and where each comes from. Within the service: those in force, whatever the file says meanwhile.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn load(&self) -> config::error::Result<Loaded> {
        match self.within.as_ref().and_then(|within| within.in_force()) {
            Some(loaded) => Ok(loaded),
            None => self.read(),
        }
    }

    /// The settings as the file has them now.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn read(&self) -> config::error::Result<Loaded> {
        config::load(&self.directories.config, self.directories.home.as_deref())
    }

    /// The store, without a word to anybody: for commands that need no network.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn store(&self) -> anyhow::Result<Store> {
        if let Some(within) = &self.within {
            return Ok(within.store.clone());
        }
        let path = self.directories.state.join(STORE);
        Ok(tokio::task::spawn_blocking(move || Store::open(&path)).await??)
    }

    /// The store, where there is one already: for what only looks.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn existing_store(&self) -> anyhow::Result<Option<Store>> {
        if !self.directories.state.join(STORE).exists() {
            return Ok(None);
        }
        self.store().await.map(Some)
    }

    /// The right to write to either side.
    ///
    /// # Errors
    /// [`super::Exit::AlreadyRunning`] when another process has it, or rounds of the service go on for too long.
    pub async fn lock(&self) -> anyhow::Result<Lock> {
        match &self.within {
            Some(within) => Ok(Lock::Within(within.alone().await?)),
            None => Lock::take(&self.lock_file()?),
        }
    }

    /// What is locked by whoever writes to either side.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub fn lock_file(&self) -> anyhow::Result<PathBuf> {
        self.make_state_folder()?;
        Ok(self.directories.state.join(LOCK))
    }

    /// Everything that a round needs, and the promise that nobody else of this state writes meanwhile. The lock comes first: two
    /// processes must not both believe that they are the first.
    ///
    /// # Errors
    /// When another process is at work, and as for [`Installation::look`].
    pub async fn open(&self, tell: Tell) -> anyhow::Result<(Opened, Lock)> {
        let settings = self.at_home().await?;
        let lock = self.lock().await?;
        let opened = match self.shared(&tell) {
            Some(opened) => opened,
            None => self.look_by(&settings, tell).await?,
        };
        Ok((opened, lock))
    }

    /// Everything that a round needs.
    ///
    /// # Errors
    /// When something cannot be opened, the sign-in is refused, or this state belongs to another organisation, user or mailbox.
    pub async fn look(&self, tell: Tell) -> anyhow::Result<Opened> {
        let settings = self.at_home().await?;
        self.look_by(&settings, tell).await
    }

    /// The settings, unless the user is offline.
    async fn at_home(&self) -> anyhow::Result<Settings> {
        let settings = self.load()?.settings;
        super::offline::refuse_sync(self, &settings).await?;
        Ok(settings)
    }

    async fn look_by(&self, settings: &Settings, tell: Tell) -> anyhow::Result<Opened> {
        let store = self.store().await?;
        let (mut dataverse, standing) = self.meet(settings, &store).await?;
        let filters = selection::settle(&store, settings, &mut dataverse, self.clock.now()).await?;
        let identity = Identity::of(&store, &self.directories.state, &self.clock).await?;
        let crm = crm_zone(&store, &dataverse).await?;
        let chosen = zone::choose(&settings.mailbox.zone, crm.as_deref(), self.clock.now());
        let dataverse = Arc::new(dataverse);
        let engine = Engine {
            mailbox: self.mailbox(settings).connectors()?,
            settings: settings::engine(settings, &dataverse, (&standing, &filters), chosen.zone),
            fence: Some(Arc::new(self.fence(&dataverse, &identity, &store))),
            stop: Stop::default(),
            sending: self.mailbox(settings).sending(&dataverse),
            crm: Arc::new(Patient::new(dataverse, PATIENCE)),
            store,
            clock: self.clock.clone(),
            progress: tell,
        };
        let takes_part = |class: &Class| standing.of(*class).takes_part();
        let classes = settings.classes().filter(takes_part).collect();
        let said = standing.says.iter().filter(|said| said.bad).map(|said| said.says.clone());
        let ending = auth::warnings(self, settings);
        let notices = chosen.notice.into_iter().chain(said).chain(ending).collect();
        let interval = settings.service.interval;
        Ok(Opened { engine, classes, notices, identity, interval })
    }

    /// Makes sure that there is a state folder that nobody else can look into.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make_state_folder(&self) -> anyhow::Result<()> {
        let state = &self.directories.state;
        private_folder(state)
            .with_context(|| format!("the state folder {} cannot be made", state.display()))
    }

    fn fence(&self, dataverse: &Arc<Dataverse>, identity: &Identity, store: &Store) -> Fence {
        let lease = PatientLease::new(Arc::clone(dataverse) as Arc<dyn Lease>, PATIENCE);
        Fence::new(
            Arc::new(lease),
            identity.instance.clone(),
            identity.reserve.clone(),
            dataverse.lease().clone(),
            (store.clone(), self.clock.clone()),
        )
    }

    /// The sync organisation, known to be the one that this state belongs to, and what the user may do there.
    ///
    /// # Errors
    /// When it cannot be reached, the sign-in is refused, or this state belongs to another.
    pub async fn meet(
        &self,
        settings: &Settings,
        store: &Store,
    ) -> anyhow::Result<(Dataverse, Standing)> {
        pins::check_mailbox(store, settings).await?;
        let Some((name, organisation)) = settings.sync_organisation() else {
            anyhow::bail!("no organisation says `sync = true`");
        };
        let metadata = kept::metadata(store, &self.clock).await?;
        let asked = metadata.is_none();
        let (url, limit) = (organisation.url.to_string(), organisation.requests_per_day);
        let last = store.read(|db| meta::get(db, meta::BUDGET)).await?;
        let last = last.and_then(|last| last.parse().ok());
        let allowed = limit.or(last).unwrap_or_else(|| Standing::default().budget());
        let budget = Arc::new(Budget::new(store.clone(), self.clock.clone(), url, allowed));
        let meter = Some(Arc::clone(&budget) as Arc<dyn Meter>);
        let options = self.options(name, organisation, settings);
        let dataverse = Dataverse::connect_within(options, self.clock.clone(), metadata, meter)
            .await
            .with_context(|| format!("organisation `{name}` at {}", organisation.url))?;
        pins::check(store, settings, &dataverse).await?;
        if asked {
            kept::keep_metadata(store, &self.clock, &dataverse).await?;
        }
        let standing = kept::standing(store, &self.clock, (settings, &dataverse)).await?;
        let by_licence = standing.budget();
        if last != Some(by_licence) {
            let text = by_licence.to_string();
            store.write(move |tx| meta::set(tx, meta::BUDGET, &text)).await?;
        }
        budget.allow(limit.unwrap_or(by_licence));
        Ok((dataverse, standing))
    }

    /// What talks to the mailbox.
    pub fn mailbox<'a>(&'a self, settings: &'a Settings) -> Mailbox<'a> {
        Mailbox { settings, here: self }
    }

    /// What is needed to reach an organisation.
    pub fn options(
        &self,
        name: &str,
        organisation: &Organisation,
        settings: &Settings,
    ) -> dataverse::Options {
        dataverse::Options {
            name: name.to_owned(),
            url: organisation.url.to_string(),
            credential: self.bearer(organisation),
            trust: organisation.trust.clone(),
            filters: settings::filters(settings),
            limits: Limits::default(),
        }
    }
}

/// The zone of the CRM user. When the organisation does not tell this time, it is the one that it told last: a series must not
/// be counted in another zone because of one bad answer.
async fn crm_zone(store: &Store, dataverse: &Dataverse) -> anyhow::Result<Option<String>> {
    let kept = store.read(|db| meta::get(db, meta::ZONE)).await?;
    let Some(told) = dataverse.zone().map(str::to_owned) else { return Ok(kept) };
    if kept.as_ref() != Some(&told) {
        let told = told.clone();
        store.write(move |tx| meta::set(tx, meta::ZONE, &told)).await?;
    }
    Ok(Some(told))
}

/// Nobody is told how far a round has come.
pub fn silent() -> Tell {
    Arc::new(|_| {})
}
