//! An installation as the running service keeps it: opened once, shared by rounds and commands.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use clap::Parser;

use super::items::Items;
use super::open::Opened;
use super::{
    Arguments, Exit, Front, Installation, Stop, execute_here, exit, offline, output, survey,
};
use crate::config::Loaded;
use crate::connector::{self, Retry};
use crate::daemon::Gate;
use crate::daemon::gate::Pass;
use crate::daemon::house::{self, House, Kind, Order, Rooms, Stale, Survey, Tell, Trouble};
use crate::ipc::wire;
use crate::model::Class;
use crate::store::Store;

/// How long a command waits for rounds that go on.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(2);

/// What the service has open.
pub struct Within {
    pub gate: Gate,
    pub store: Store,
    opened: Mutex<Option<Opened>>,
    /// The settings that rounds and commands go by: the last ones that could be used.
    in_force: Mutex<Option<Loaded>>,
    /// The items of each class, as they were counted last.
    counted: Mutex<BTreeMap<Class, Items>>,
}

impl fmt::Debug for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Within").finish_non_exhaustive()
    }
}

impl Within {
    pub fn new(gate: Gate, store: Store) -> Self {
        Self {
            gate,
            store,
            opened: Mutex::default(),
            in_force: Mutex::default(),
            counted: Mutex::default(),
        }
    }

    /// The right to write, while no round runs.
    ///
    /// # Errors
    /// [`Exit::AlreadyRunning`] when rounds go on for too long.
    pub async fn alone(&self) -> Result<Pass, Stop> {
        self.gate.alone(PATIENCE).await.ok_or_else(|| {
            let hint = "see `liaison status`, and try again when it is over";
            Stop::new(Exit::AlreadyRunning, "a round goes on and takes its time", hint)
        })
    }

    /// What is open, if it is.
    pub fn opened(&self) -> Option<Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The settings in force, once there were any that could be used.
    pub fn in_force(&self) -> Option<Loaded> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The items of each class, where they cannot have changed since they were counted.
    pub(super) fn counted(&self) -> BTreeMap<Class, Items> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers how many items there are.
    pub(super) fn count(&self, counted: impl Iterator<Item = (Class, Items)>) {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).extend(counted);
    }

    fn forget(&self, stale: Stale) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        match stale {
            Stale::Nothing => {}
            Stale::Class(class) => drop(counted.remove(&class)),
            Stale::All => counted.clear(),
        }
    }

    fn keep(&self, kept: Option<Opened>) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }
}

/// What the service asks.
#[derive(Debug)]
pub struct Keeper {
    here: Installation,
    within: Arc<Within>,
}

impl Keeper {
    /// `here` without a service around it.
    pub fn new(mut here: Installation, within: Arc<Within>) -> Self {
        here.within = Some(Arc::clone(&within));
        Self { here, within }
    }
}

#[async_trait]
impl House for Keeper {
    async fn take_over(&self) -> Result<(), Trouble> {
        let loaded = self.here.read().map_err(|error| trouble(&error.into()))?;
        *self.within.in_force.lock().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
        Ok(())
    }

    async fn open(&self, tell: Tell) -> Result<Rooms, Trouble> {
        if self.within.in_force().is_none() {
            self.take_over().await?;
        }
        self.within.keep(None);
        self.here.sign_ins.forget();
        let opened = match self.here.look(tell).await {
            Ok(opened) => opened,
            Err(error) => {
                let mut trouble = trouble(&error);
                if let Some(loaded) = self.within.in_force()
                    && offline::is_away(&self.here, &loaded.settings).await.unwrap_or(false)
                {
                    trouble.kind = Kind::Away;
                }
                return Err(trouble);
            }
        };
        let rooms = Rooms {
            engine: opened.engine.clone(),
            classes: opened.classes.clone(),
            interval: opened.interval,
        };
        self.within.keep(Some(opened));
        Ok(rooms)
    }

    async fn survey(&self, stale: Stale) -> Result<Survey, Trouble> {
        self.within.forget(stale);
        let survey = survey::survey(&self.here).await.map_err(|error| trouble(&error));
        // Each round ends with a look: the next one may be far away.
        self.within.store.rest();
        survey
    }

    async fn catch_up(&self) -> Result<(), Trouble> {
        // Reaching the organisation replays what waits.
        let place = self.here.desk(None).await.map_err(|error| trouble(&error))?;
        match &place.away {
            Some(super::desk::Away::Lost(reason)) => {
                Err(Trouble { kind: Kind::Later(None), message: reason.clone(), hint: None })
            }
            _ => Ok(()),
        }
    }

    async fn run(
        &self,
        order: Order,
        front: Arc<dyn house::Front>,
    ) -> Result<wire::Answer, wire::Failed> {
        let words = ["liaison", order.command.as_str()].into_iter().map(str::to_owned);
        let arguments = Arguments::try_parse_from(words.chain(order.arguments))
            .map_err(|refused| failed(Exit::Usage, &refused.to_string(), None))?;
        let here =
            Installation { json: order.json, front: Front::Client(front), ..self.here.clone() };
        match execute_here(arguments.command, &here).await {
            Ok(answer) => Ok(wire::Answer {
                text: answer.page.as_str().to_owned(),
                json: answer.json,
                notes: answer.notes,
                exit: answer.exit.code(),
            }),
            Err(error) => {
                let (exit, hint) = (Exit::of_error(&error), exit::hint(&error));
                Err(failed(exit, &output::sentence(&error), hint))
            }
        }
    }

    fn file(&self) -> &Path {
        &self.here.directories.config
    }
}

fn failed(exit: Exit, message: &str, hint: Option<String>) -> wire::Failed {
    let kind = wire::Trouble::Command;
    wire::Failed { kind, message: message.to_owned(), hint, exit: exit.code() }
}

/// Why a round cannot begin, as the service tells trouble apart.
fn trouble(error: &anyhow::Error) -> Trouble {
    let known = error.downcast_ref::<connector::Error>().map(|error| error.kind);
    let retry = known.map(connector::ErrorKind::retry);
    let asked = match retry {
        Some(Retry::After(pause)) => Some(pause),
        _ => None,
    };
    let kind = match Exit::of_error(error) {
        _ if known == Some(connector::ErrorKind::Locked) => Kind::Locked,
        _ if asked.is_some() => Kind::Later(asked),
        Exit::TryLater => Kind::Later(None),
        Exit::Failed if retry == Some(Retry::Backoff) => Kind::Later(None),
        Exit::SignIn => Kind::SignIn,
        Exit::Standby => Kind::Standby,
        Exit::Configuration => Kind::Configuration,
        _ => Kind::Failed,
    };
    Trouble { kind, message: output::sentence(error), hint: exit::hint(error) }
}

impl Installation {
    /// What the service has open already, for a command that is alone.
    pub(super) fn shared(&self, tell: &Tell) -> Option<Opened> {
        let mut opened = self.within.as_ref()?.opened()?;
        opened.engine.progress = Arc::clone(tell);
        Some(opened)
    }
}
