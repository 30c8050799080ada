//! Whether this installation is the one that syncs. Proven before each batch of writes to either side; whoever cannot prove it,
//! writes nothing. A proof does not outlast the batch that it was made for: an installation that sleeps between the two writes
//! what is on its way, which derived names and versions make harmless, and then nothing more.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::Engine;
use super::report::{Failure, Obstacle};
use crate::clock::Clock;
use crate::connector::lease::{Entry, Instance, Lease, Looked, Tenure, is_lost_race};
use crate::connector::{self, ErrorKind};
use crate::store::{self, Store, meta};

/// How often a claim is tried against others who claim at the same time.
const ATTEMPTS: usize = 3;

/// What this installation is to the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It has the lease, as far as it knows.
    Holder(Entry),
    /// Nobody has it.
    Free(Option<Entry>),
    /// Another one has it.
    Other(Entry),
    /// Nothing can be written down in this organisation: nobody is kept out.
    Unprotected,
    /// Not told yet.
    Unknown,
}

/// Why this installation does not take a lease that is free, or its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserve {
    /// It gave the lease up by its user's word.
    Released,
    /// Its state was made elsewhere: perhaps it is still there, and at work. Where that was, in words.
    Moved(String),
}

/// Keeps this installation from writing while another one syncs.
pub struct Fence {
    lease: Arc<dyn Lease>,
    me: Instance,
    reserve: Option<Reserve>,
    store: Store,
    clock: Clock,
    role: Mutex<Role>,
}

/// Why nothing may be written.
#[derive(Debug)]
pub enum Denied {
    /// This installation does not sync.
    Standby(Failure),
    /// Whether it does could not be asked.
    Unasked(connector::Error),
}

impl Denied {
    pub fn failure(self) -> Failure {
        match self {
            Self::Standby(failure) => failure,
            Self::Unasked(error) => Failure::of(&error),
        }
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fence").field("me", &self.me).finish_non_exhaustive()
    }
}

impl Fence {
    /// The fence of this installation, which may be kept back, with what is known of the lease so far.
    pub fn new(
        lease: Arc<dyn Lease>,
        me: Instance,
        reserve: Option<Reserve>,
        looked: Looked,
        (store, clock): (Store, Clock),
    ) -> Self {
        let role = match looked {
            Looked::Untold => Role::Unknown,
            Looked::Absent => Role::Free(None),
            Looked::There(entry) => role(&me, entry),
        };
        Self { lease, me, reserve, store, clock, role: Mutex::new(role) }
    }

    /// The same for the installation that this is from now on.
    #[must_use]
    pub fn anew(&self, me: Instance) -> Self {
        let (lease, store, clock) =
            (Arc::clone(&self.lease), self.store.clone(), self.clock.clone());
        Self { lease, me, reserve: None, store, clock, role: Mutex::new(Role::Unknown) }
    }

    /// What this installation is, as far as is known.
    pub fn role(&self) -> Role {
        self.role.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, role: Role) {
        *self.role.lock().unwrap_or_else(PoisonError::into_inner) = role;
    }

    /// Before a round: takes the lease where nobody has it, and asks once more where another one had it. What could not be asked
    /// is asked before the first write.
    ///
    /// # Errors
    /// When the store is lost.
    pub(super) async fn begin(&self) -> store::Result<()> {
        let asked = match self.role() {
            Role::Holder(_) | Role::Unprotected => Ok(()),
            Role::Free(_) | Role::Unknown => self.prove().await.or_else(|denied| match denied {
                Denied::Standby(_) => Ok(()),
                Denied::Unasked(error) => Err(error),
            }),
            Role::Other(_) => self.look().await,
        };
        if let Err(error) = asked {
            error.warn("which computer syncs could not be asked");
        }
        self.keep().await
    }

    /// Since when this installation is the one that syncs, if that is known.
    pub(super) fn since(&self) -> Option<Timestamp> {
        match self.role() {
            Role::Holder(entry) => Some(entry.tenure.since),
            Role::Free(_) | Role::Other(_) | Role::Unprotected | Role::Unknown => None,
        }
    }

    /// Why this installation does not sync, if it is known that it does not.
    pub fn standby(&self) -> Option<Failure> {
        match (self.role(), &self.reserve) {
            (Role::Other(entry), _) => Some(standby(&entry.tenure)),
            (Role::Holder(_) | Role::Free(_) | Role::Unknown, Some(reserve)) => {
                Some(reserved(reserve))
            }
            (Role::Holder(_) | Role::Free(_) | Role::Unprotected | Role::Unknown, _) => None,
        }
    }

    /// Proves that this installation syncs: to be asked right before each batch of writes.
    ///
    /// # Errors
    /// When it does not, or when that cannot be asked: then nothing may be written.
    pub(super) async fn prove(&self) -> Result<(), Denied> {
        match self.role() {
            Role::Unprotected => return Ok(()),
            Role::Free(_) if self.reserve.is_none() => return self.take().await,
            Role::Holder(_) | Role::Free(_) | Role::Other(_) | Role::Unknown => {}
        }
        match self.look().await {
            Ok(()) => {}
            // Who may not even read it cannot have written it.
            Err(error) if is_barred(error.kind) => self.set(Role::Free(None)),
            Err(error) => return Err(Denied::Unasked(error)),
        }
        if let Some(failure) = self.standby() {
            return Err(Denied::Standby(failure));
        }
        match self.role() {
            Role::Free(_) => self.take().await,
            _ => Ok(()),
        }
    }

    async fn look(&self) -> connector::Result<()> {
        let role = match self.lease.look().await? {
            None => Role::Free(None),
            Some(entry) => role(&self.me, entry),
        };
        self.set(role);
        Ok(())
    }

    /// Takes a lease that nobody has.
    async fn take(&self) -> Result<(), Denied> {
        for _ in 0..ATTEMPTS {
            let Role::Free(old) = self.role() else { break };
            match self.lease.put(&self.tenure(old.as_ref(), Some(&self.me)), old.as_ref()).await {
                Ok(entry) => self.set(Role::Holder(entry)),
                Err(error) if is_barred(error.kind) => {
                    error.warn("that this computer syncs cannot be written down");
                    self.set(Role::Unprotected);
                }
                Err(error) if is_lost_race(error.kind) => {
                    self.look().await.map_err(Denied::Unasked)?;
                }
                Err(error) => return Err(Denied::Unasked(error)),
            }
        }
        match self.role() {
            Role::Holder(_) | Role::Unprotected => Ok(()),
            Role::Other(entry) => Err(Denied::Standby(standby(&entry.tenure))),
            Role::Free(_) | Role::Unknown => {
                let message = "several computers claim at the same time to be the one that syncs";
                Err(Denied::Unasked(connector::Error::new(ErrorKind::Unreachable, message)))
            }
        }
    }

    /// Makes this installation the one that syncs, whoever did until now. Returns who that was.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub async fn claim(&self) -> connector::Result<Option<Tenure>> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let old = self.lease.look().await?;
            let tenure = self.tenure(old.as_ref(), Some(&self.me));
            match self.lease.put(&tenure, old.as_ref()).await {
                Ok(entry) => {
                    self.set(Role::Holder(entry));
                    return Ok(old.map(|old| old.tenure));
                }
                Err(error) if is_lost_race(error.kind) && attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the lease up, if this installation has it. Returns whether it had it.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub async fn release(&self) -> connector::Result<bool> {
        self.look().await?;
        let Role::Holder(entry) = self.role() else { return Ok(false) };
        let free = self.lease.put(&self.tenure(Some(&entry), None), Some(&entry)).await?;
        self.set(Role::Free(Some(free)));
        Ok(true)
    }

    fn tenure(&self, old: Option<&Entry>, holder: Option<&Instance>) -> Tenure {
        Tenure {
            holder: holder.cloned(),
            epoch: old.map_or(0, |old| old.tenure.epoch).saturating_add(1),
            since: self.clock.now(),
            last_round: None,
        }
    }

    /// After a round that wrote: tells when. That it could not be told harms nothing.
    ///
    /// # Errors
    /// When the store is lost.
    pub(super) async fn end(&self, wrote: bool) -> store::Result<()> {
        if let (Role::Holder(entry), true) = (self.role(), wrote) {
            let tenure = Tenure { last_round: Some(self.clock.now()), ..entry.tenure.clone() };
            match self.lease.put(&tenure, Some(&entry)).await {
                Ok(entry) => self.set(Role::Holder(entry)),
                Err(error) => error.warn("when this computer synced could not be told"),
            }
        }
        self.keep().await
    }

    /// Keeps what is known for those who ask without a network.
    ///
    /// # Errors
    /// When the store is lost.
    pub async fn keep(&self) -> store::Result<()> {
        let now = self.to_json().to_string();
        let kept = self.store.read(|db| meta::get(db, meta::LEASE)).await?;
        if kept.as_ref() == Some(&now) {
            return Ok(());
        }
        self.store.write(move |tx| meta::set(tx, meta::LEASE, &now)).await
    }

    fn to_json(&self) -> Json {
        let (word, tenure) = match self.role() {
            Role::Holder(entry) if self.reserve.is_none() => ("syncs", Some(entry.tenure)),
            Role::Holder(entry) => ("stands-by", Some(entry.tenure)),
            Role::Other(entry) => ("stands-by", Some(entry.tenure)),
            Role::Free(entry) if self.reserve.is_some() => {
                ("stands-by", entry.map(|entry| entry.tenure))
            }
            Role::Free(entry) => ("free", entry.map(|entry| entry.tenure)),
            Role::Unprotected => ("unprotected", None),
            Role::Unknown => ("unknown", None),
        };
        let holder = tenure.as_ref().and_then(|tenure| tenure.holder.as_ref());
        let standby = self.standby();
        json!({
            "role": word,
            "holder": holder.map(|holder| json!({ "id": holder.id.to_string(), "host": holder.host })),
            "epoch": tenure.as_ref().map(|tenure| tenure.epoch),
            "since": tenure.as_ref().map(|tenure| tenure.since.to_string()),
            "last_round": tenure.as_ref().and_then(|tenure| Some(tenure.last_round?.to_string())),
            "says": standby.as_ref().map(|failure| &failure.message),
            "hint": standby.as_ref().and_then(|failure| failure.hint.as_ref()),
        })
    }
}

impl Engine {
    /// Proves that this installation syncs, and may go on: to be asked right before each batch of writes. What comes back instead is
    /// why nothing may be written.
    pub(super) async fn prove(&self) -> Option<Failure> {
        if let Some(failure) = self.stopping() {
            return Some(failure);
        }
        match &self.fence {
            Some(fence) => fence.prove().await.err().map(Denied::failure),
            None => None,
        }
    }

    /// Why this installation does not sync, if it is known that it does not.
    pub fn standby(&self) -> Option<Failure> {
        self.fence.as_ref().and_then(|fence| fence.standby())
    }
}

fn role(me: &Instance, entry: Entry) -> Role {
    match &entry.tenure.holder {
        None => Role::Free(Some(entry)),
        Some(holder) if holder.id == me.id => Role::Holder(entry),
        // A state that was lost asks nobody: it was this one.
        Some(holder) if me.succeeds(holder) => Role::Free(Some(entry)),
        Some(_) => Role::Other(entry),
    }
}

/// Whether it is this user who may not, and trying again is no use.
fn is_barred(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Forbidden | ErrorKind::Unsupported)
}

const CLAIM: &str = "this computer looks, and keeps what you decide, but writes nothing; to make it the one that syncs: \
                     `liaison instance claim`";

fn standby(tenure: &Tenure) -> Failure {
    let host = tenure.holder.as_ref().map_or("another computer", |holder| holder.host.as_str());
    let last = match tenure.last_round {
        Some(at) => format!("it last wrote {}", moment(at)),
        None => "it has written nothing since".to_owned(),
    };
    let message =
        format!("“{host}” is the computer that syncs, since {}; {last}", moment(tenure.since));
    Failure { message, hint: Some(CLAIM.to_owned()), kind: Obstacle::Standby, pause: None }
}

fn reserved(reserve: &Reserve) -> Failure {
    let message = match reserve {
        Reserve::Released => "this computer gave up being the one that syncs".to_owned(),
        Reserve::Moved(from) => format!(
            "this state was made on {from}: if it is still at work there, two would sync with one memory"
        ),
    };
    Failure { message, hint: Some(CLAIM.to_owned()), kind: Obstacle::Standby, pause: None }
}

/// To the minute, in UTC: several computers speak of it.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
