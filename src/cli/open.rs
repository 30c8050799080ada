//! From a configuration to an engine: the state folder and who may write to it, the store, the sign-in, and whether this state
//! belongs to this organisation, user and mailbox. What does not fit stops here, before anything is written.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::exit::{Exit, Stop};
use super::mailbox::{self, Mailbox, in_folder};
use super::{Common, settings, zone};
use crate::clock::Clock;
use crate::config::settings::{Auth, Organisation};
use crate::config::{self, Directories, Loaded, Settings};
use crate::connector::dataverse::{self, Dataverse};
use crate::connector::http::Limits;
use crate::connector::patient::Patient;
use crate::model::{Address, Class};
use crate::store::{Store, meta};
use crate::sync::{Engine, Progress};

/// How long a person who watches is made to wait when the organisation asks for a pause.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long the organisation's metadata is taken for true.
const METADATA_HOURS: i64 = 24;

/// Where the store keeps the organisation's metadata.
const METADATA: &str = "metadata";

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
}

/// An engine, and the promise that no other process of this state writes meanwhile.
#[derive(Debug)]
pub struct Opened {
    pub engine: Engine,
    /// The classes that take part.
    pub classes: Vec<Class>,
    /// What the user must know about the time zone.
    pub notice: Option<String>,
    pub lock: Lock,
}

/// Held as long as it lives; the system releases it however the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

type Tell = Arc<dyn Fn(Progress) + Send + Sync>;

impl Installation {
    /// The installation that the flags, the environment or the platform name.
    ///
    /// # Errors
    /// When there is no home directory to look in.
    pub fn find(common: &Common) -> anyhow::Result<Self> {
        let mut directories = Directories::find(common.config.as_deref(), common.state.as_deref())?;
        directories.config = std::path::absolute(&directories.config)?;
        directories.state = std::path::absolute(&directories.state)?;
        let home = mailbox::home(&directories.config);
        Ok(Self { directories, home, clock: Clock::system(), json: common.json })
    }

    /// The settings and where each comes from.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn load(&self) -> config::error::Result<Loaded> {
        config::load(&self.directories.config, self.directories.home.as_deref())
    }

    /// The store, without a word to anybody: for commands that need no network.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn store(&self) -> anyhow::Result<Store> {
        let path = self.directories.state.join(STORE);
        Ok(tokio::task::spawn_blocking(move || Store::open(&path)).await??)
    }

    /// The right to write to either side.
    ///
    /// # Errors
    /// [`Exit::AlreadyRunning`] when another process has it.
    pub fn lock(&self) -> anyhow::Result<Lock> {
        let state = &self.directories.state;
        private_folder(state)
            .with_context(|| format!("the state folder {} cannot be made", state.display()))?;
        Lock::take(&state.join(LOCK))
    }

    /// Everything that a round needs. The lock comes first: two processes must not both believe that they are the first.
    ///
    /// # Errors
    /// When another process is at work, something cannot be opened, the sign-in is refused, or this state belongs to another
    /// organisation, user or mailbox.
    pub async fn open(&self, tell: Tell) -> anyhow::Result<Opened> {
        let loaded = self.load()?;
        super::offline::refuse_sync(self).await?;
        let lock = self.lock()?;
        let store = self.store().await?;
        self.open_with(&loaded.settings, store, lock, tell).await
    }

    async fn open_with(
        &self,
        settings: &Settings,
        store: Store,
        lock: Lock,
        tell: Tell,
    ) -> anyhow::Result<Opened> {
        check_mailbox(&store, settings).await?;
        let kept = store.read(|db| meta::get(db, METADATA)).await?;
        let kept = kept.and_then(|kept| fresh(&kept, self.clock.now()));
        let asked = kept.is_none();
        let dataverse = self.connect(settings, kept).await?;
        pin(&store, settings, &dataverse).await?;
        if asked {
            self.keep(&store, &dataverse).await?;
        }
        let crm = crm_zone(&store, &dataverse).await?;
        let chosen = zone::choose(&settings.mailbox.zone, crm.as_deref(), self.clock.now());
        let dataverse = Arc::new(dataverse);
        let engine = Engine {
            mailbox: self.mailbox(settings).connectors()?,
            settings: settings::engine(settings, &dataverse, chosen.zone),
            sending: self.mailbox(settings).sending(&dataverse),
            crm: Arc::new(Patient::new(dataverse, PATIENCE)),
            store,
            clock: self.clock.clone(),
            progress: tell,
        };
        Ok(Opened { engine, classes: settings.classes().collect(), notice: chosen.notice, lock })
    }

    async fn connect(&self, settings: &Settings, kept: Option<Json>) -> anyhow::Result<Dataverse> {
        let Some((name, organisation)) = settings.sync_organisation() else {
            anyhow::bail!("no organisation says `sync = true`");
        };
        let options = self.options(name, organisation, settings);
        Dataverse::connect(options, self.clock.clone(), kept)
            .await
            .with_context(|| format!("organisation `{name}` at {}", organisation.url))
    }

    /// Keeps the organisation's metadata for a day.
    async fn keep(&self, store: &Store, dataverse: &Dataverse) -> anyhow::Result<()> {
        let at = self.clock.now().as_second();
        let kept = json!({ "at": at, "metadata": dataverse.metadata().to_json() }).to_string();
        Ok(store.write(move |tx| meta::set(tx, METADATA, &kept)).await?)
    }

    /// What talks to the mailbox.
    pub fn mailbox<'a>(&'a self, settings: &'a Settings) -> Mailbox<'a> {
        Mailbox { settings, home: &self.home, clock: &self.clock }
    }

    /// What is needed to reach an organisation.
    pub fn options(
        &self,
        name: &str,
        organisation: &Organisation,
        settings: &Settings,
    ) -> dataverse::Options {
        let Auth::Token { command } = &organisation.auth;
        dataverse::Options {
            name: name.to_owned(),
            url: organisation.url.to_string(),
            token_command: in_folder(&self.home, command),
            trust: organisation.trust.clone(),
            filters: settings::filters(settings),
            limits: Limits::default(),
        }
    }
}

impl Lock {
    /// Takes a lock that is held until it is dropped.
    ///
    /// # Errors
    /// [`Exit::AlreadyRunning`] when another process has it.
    pub fn take(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("the lock {} cannot be used", path.display());
        let mut file = private_file(path).with_context(named)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(&mut file).into()),
            Err(TryLockError::Error(error)) => return Err(error).with_context(named),
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

/// Who has the lock, as far as it says so.
fn taken(file: &mut File) -> Stop {
    let mut holder = String::new();
    let process = match file.read_to_string(&mut holder) {
        Ok(_) if holder.parse::<u32>().is_ok() => format!("process {holder}"),
        _ => "another process".to_owned(),
    };
    Stop::new(
        Exit::AlreadyRunning,
        format!("{process} is at work on this state already"),
        format!("wait until {process} is done, or give this one a state of its own with --state"),
    )
}

/// The organisation's metadata as it was kept, if it is not older than a day.
fn fresh(kept: &str, now: Timestamp) -> Option<Json> {
    let mut kept: Json = serde_json::from_str(kept).ok()?;
    let age = now.as_second() - kept.get("at")?.as_i64()?;
    let metadata = kept.get_mut("metadata")?.take();
    (0..METADATA_HOURS * 3600).contains(&age).then_some(metadata)
}

/// Whose state this is, is set the first time and never changes by itself: what was learnt about one mailbox and one
/// organisation would read as deletions in another.
async fn pin(store: &Store, settings: &Settings, dataverse: &Dataverse) -> anyhow::Result<()> {
    let mine = settings.mailbox.me();
    if !dataverse.me().is_empty() && dataverse.me().is_disjoint(&mine) {
        let known: Vec<&str> = dataverse.me().iter().map(Address::as_str).collect();
        return Err(Stop::new(
            Exit::Configuration,
            format!(
                "the CRM knows you as {}, the mailbox is {}",
                known.join(", "),
                settings.mailbox.address
            ),
            "if both are you, add the CRM's address to `aliases` in `[mailbox]`; else sign in as \
             the owner of the mailbox",
        )
        .into());
    }
    let (organisation, user) = (dataverse.organisation().to_string(), dataverse.user().to_string());
    let mailbox = settings.mailbox.address.to_string();
    let pins = [
        (meta::ORGANISATION, "organisation", organisation),
        (meta::USER, "CRM user", user),
        (meta::MAILBOX, "mailbox", mailbox),
    ];
    let checked = pins.clone();
    let missing = store
        .read(move |db| {
            let mut missing = false;
            for (key, word, now) in &checked {
                match meta::get(db, key)? {
                    Some(pinned) if pinned != *now => {
                        return Ok(Err(mismatch(word, &pinned, now)));
                    }
                    pinned => missing |= pinned.is_none(),
                }
            }
            Ok(Ok(missing))
        })
        .await??;
    if missing {
        store
            .promise(move |tx| pins.iter().try_for_each(|(key, _, now)| meta::set(tx, key, now)))
            .await?;
    }
    Ok(())
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

/// A mailbox that is not the one of this state is refused before anybody is asked for anything.
async fn check_mailbox(store: &Store, settings: &Settings) -> anyhow::Result<()> {
    let now = settings.mailbox.address.to_string();
    match store.read(|db| meta::get(db, meta::MAILBOX)).await? {
        Some(pinned) if pinned != now => Err(mismatch("mailbox", &pinned, &now).into()),
        Some(_) | None => Ok(()),
    }
}

fn mismatch(word: &str, pinned: &str, now: &str) -> Stop {
    Stop::new(
        Exit::Configuration,
        format!("this state belongs to the {word} {pinned}, the configuration leads to {now}"),
        "nothing was touched; correct the configuration, or start afresh with another --state folder",
    )
}

#[cfg(unix)]
fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn private_folder(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)
}

fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// Nobody is told how far a round has come.
pub fn silent() -> Tell {
    Arc::new(|_| {})
}
