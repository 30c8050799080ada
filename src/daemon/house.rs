//! What the service asks of the program around it. The service decides when; how an installation is opened, what a command does and
//! what a status says is told by whoever implements this.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::ipc::wire;
use crate::model::Class;
use crate::sync::report::{Failure, Obstacle};
use crate::sync::{Engine, Progress};

/// Where progress is told.
pub type Tell = Arc<dyn Fn(Progress) + Send + Sync>;

/// One installation, as the service sees it.
#[async_trait]
pub trait House: Send + Sync {
    /// Puts the configuration in force as it is now, without opening anything.
    ///
    /// # Errors
    /// Why it cannot be used; the one before stays in force.
    async fn take_over(&self) -> Result<(), Trouble>;

    /// Opens everything that rounds need, anew.
    ///
    /// # Errors
    /// Why no round can begin now.
    async fn open(&self, tell: Tell) -> Result<Rooms, Trouble>;

    /// How things stand by what is stored; asks nobody. What is not stale is as it was counted last.
    ///
    /// # Errors
    /// When that cannot be told.
    async fn survey(&self, stale: Stale) -> Result<Survey, Trouble>;

    /// Sends what was entered while the organisation was away, if something was.
    ///
    /// # Errors
    /// When it has to wait on.
    async fn catch_up(&self) -> Result<(), Trouble>;

    /// Runs a command as the command line would, while no round runs.
    async fn run(&self, order: Order, front: Arc<dyn Front>) -> Result<wire::Answer, wire::Failed>;

    /// The configuration file.
    fn file(&self) -> &Path;
}

/// A command and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub command: wire::Command,
    pub arguments: Vec<String>,
    pub json: bool,
}

/// Whoever waits for a command.
#[async_trait]
pub trait Front: Send + Sync {
    /// Asks a question with two answers; `false` where nobody answers.
    async fn ask(&self, about: &str, question: &str) -> bool;

    /// How far it has come.
    fn tell(&self, progress: Progress);
}

/// What rounds need.
#[derive(Debug, Clone)]
pub struct Rooms {
    pub engine: Engine,
    /// The classes that take part.
    pub classes: Vec<Class>,
    /// How often the CRM is asked for news.
    pub interval: Duration,
}

/// What must be counted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stale {
    Nothing,
    Class(Class),
    All,
}

/// How things stand by what is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    pub organisation: Option<String>,
    pub mailbox: Option<String>,
    pub classes: Vec<wire::ClassStatus>,
    pub needs: Vec<wire::Need>,
    /// Whether the user went offline.
    pub offline: bool,
    /// Whether edits wait that were entered offline.
    pub outbox: bool,
}

/// Why something cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub kind: Kind,
    pub message: String,
    pub hint: Option<String>,
}

/// What kind of trouble: decides when it is tried again, and what the user sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It passes by itself; perhaps not before this long.
    Later(Option<Duration>),
    /// The user went offline.
    Away,
    /// Somebody must sign in.
    SignIn,
    /// Somebody must unlock the keyring; that it is open again, nobody tells.
    Locked,
    /// Another computer syncs.
    Standby,
    /// The configuration cannot be used, or belongs to another state.
    Configuration,
    /// Something else that a person must look at.
    Failed,
}

impl Trouble {
    /// Of a class that could not be brought in step.
    pub fn of(failure: &Failure) -> Self {
        let kind = match failure.kind {
            Obstacle::SignIn => Kind::SignIn,
            Obstacle::Locked => Kind::Locked,
            Obstacle::Later => Kind::Later(failure.pause),
            Obstacle::Standby => Kind::Standby,
            Obstacle::Failed => Kind::Failed,
        };
        Self { kind, message: failure.message.clone(), hint: failure.hint.clone() }
    }
}
