//! One sign-in in use: access tokens for whoever wants one, renewed when they end.
//!
//! A refresh token that the provider replaces is in the keyring before the access token that came with it is used, and no other
//! process uses it meanwhile. So a process that dies at any point loses at most what was on the wire just then: one sign-in
//! where the provider takes the old refresh token for stolen, nothing where it does not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, OnceCell};

use super::exclusive::Exclusive;
use super::record::{ENTRA_LIFETIME, Moment, Record, RecordFile, Standing};
use super::refusal::{Meaning, Refusal};
use super::wire::{Tokens, Trouble, Wire};
use super::{Identity, Provider, Wanted, sign_in_needed};
use crate::clock::Clock;
use crate::connector::vault::{Entry, Vault};
use crate::connector::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// How long before its end a token is replaced: as long as a request may be under way, or a quarter of a short life.
const MARGIN: Duration = Duration::from_mins(1);

/// Where sign-ins are kept.
#[derive(Clone)]
pub struct Keep {
    pub vault: Arc<dyn Vault>,
    /// For what is not secret; one for each installation, which makes its own entries in the keyring too.
    pub folder: PathBuf,
    pub clock: Clock,
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keep({})", self.folder.display())
    }
}

/// One sign-in. Share it between all that want its tokens.
pub struct Session {
    pub(super) identity: Identity,
    keep: Keep,
    entry: Entry,
    record: RecordFile,
    wire: OnceCell<Wire>,
    live: Mutex<Live>,
    /// What was tried since a person wanted that; nothing where nobody did.
    insisted: std::sync::Mutex<Option<BTreeSet<Wanted>>>,
}

/// What is only in memory.
#[derive(Default)]
struct Live {
    tokens: BTreeMap<Wanted, Access>,
    /// A refresh token that the keyring did not take yet.
    unkept: Option<Unkept>,
}

/// A refresh token, and the one that it replaces.
struct Unkept {
    old: Secret,
    new: Secret,
}

struct Access {
    secret: Secret,
    /// When it is replaced; `None`: when it is refused.
    until: Option<Timestamp>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.identity)
    }
}

impl Session {
    pub fn new(identity: Identity, keep: Keep) -> Arc<Self> {
        let key = identity.key();
        let place = crate::connector::vault::place(&keep.folder);
        let entry = Entry::new(
            format!("sign-in {key} of {place}"),
            format!("Liaison: sign-in of {identity} ({})", identity.client_id),
        );
        let record = RecordFile { folder: keep.folder.clone(), key };
        let (wire, live, insisted) =
            (OnceCell::new(), Mutex::default(), std::sync::Mutex::default());
        Arc::new(Self { identity, keep, entry, record, wire, live, insisted })
    }

    /// As whom, and where.
    pub fn who(&self) -> String {
        self.identity.to_string()
    }

    /// How it stands, as of its last use. Asks nobody.
    pub fn standing(&self) -> Standing {
        self.record.read().standing(self.keep.clock.now())
    }

    /// Somebody wants it to be tried once more, also where it is known to be over: an account that was closed may be open again.
    pub fn insist(&self) {
        *self.insisted.lock().unwrap_or_else(PoisonError::into_inner) = Some(BTreeSet::new());
    }

    /// A token for this that is good for some time yet.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorised`] when a person must sign in, [`ErrorKind::Locked`] when one must unlock the keyring;
    /// [`ErrorKind::Unreachable`], [`ErrorKind::Throttled`] and [`ErrorKind::Local`] when the provider or the keyring is out of
    /// reach: that never asks a person.
    pub async fn token(self: &Arc<Self>, wanted: &Wanted) -> Result<Secret> {
        self.had(wanted, None).await
    }

    /// A token for this in the place of one that was refused.
    ///
    /// # Errors
    /// As for [`Session::token`].
    pub async fn another_token(
        self: &Arc<Self>,
        wanted: &Wanted,
        refused: Option<Secret>,
    ) -> Result<Secret> {
        self.had(wanted, refused).await
    }

    /// The work goes on when nobody waits for it any more: a refresh token that is on its way must be kept.
    async fn had(self: &Arc<Self>, wanted: &Wanted, refused: Option<Secret>) -> Result<Secret> {
        let (session, wanted) = (Arc::clone(self), wanted.clone());
        let work = tokio::spawn(async move {
            let mut live = session.live.lock().await;
            match session.known(&live, &wanted, refused.as_ref()) {
                Some(secret) => Ok(secret),
                None => session.refresh(&mut live, &wanted).await,
            }
        });
        work.await.map_err(|error| {
            Error::new(ErrorKind::Unreachable, "the sign-in was not renewed").caused_by(error)
        })?
    }

    fn known(&self, live: &Live, wanted: &Wanted, refused: Option<&Secret>) -> Option<Secret> {
        let access = live.tokens.get(wanted)?;
        let is_over = access.until.is_some_and(|until| until <= self.keep.clock.now());
        // Others may have fetched a new one since the refused one was handed out.
        let is_refused = refused.is_some_and(|refused| refused.expose() == access.secret.expose());
        (!is_over && !is_refused).then(|| access.secret.clone())
    }

    async fn refresh(&self, live: &mut Live, wanted: &Wanted) -> Result<Secret> {
        let _exclusive = Exclusive::take(&self.record).await?;
        let mut record = self.record.read();
        if let Some(why) = record.refuses(wanted).filter(|_| !self.is_insisted(wanted)) {
            return Err(sign_in_needed(&self.identity, &format!("is not good any more ({why})")));
        }
        let refresh = self.refresh_token(live).await?;
        let given = match self.wire().await {
            Ok(wire) => wire.refresh(&refresh, wanted).await,
            Err(error) => Err(Trouble::Away(error)),
        };
        let tokens = match given {
            Ok(tokens) => tokens,
            Err(trouble) => return Err(self.failed(&mut record, wanted, trouble)),
        };
        if let Some(new) = tokens.refresh.clone().filter(|new| new.expose() != refresh.expose()) {
            live.unkept = Some(Unkept { old: refresh, new: new.clone() });
            self.keep.vault.put(&self.entry, &new).await?;
            live.unkept = None;
        }
        record.asks.remove(&wanted.key());
        self.used(&mut record, &tokens);
        self.save(&record);
        tracing::debug!(sign_in = %self.record.key, "token renewed");
        Ok(self.remember(live, wanted, tokens))
    }

    /// Whether a person wants this to be tried that is known to be over: once, and nothing of a sign-in that was over again.
    fn is_insisted(&self, wanted: &Wanted) -> bool {
        let mut insisted = self.insisted.lock().unwrap_or_else(PoisonError::into_inner);
        insisted.as_mut().is_some_and(|tried| tried.insert(wanted.clone()))
    }

    /// The one that is in force. What the keyring did not take the last time is put there first, unless a person has signed in
    /// again since.
    async fn refresh_token(&self, live: &mut Live) -> Result<Secret> {
        let kept = self.keep.vault.get(&self.entry).await?;
        let kept = kept.ok_or_else(|| sign_in_needed(&self.identity, "is missing"))?;
        match &live.unkept {
            Some(unkept) if unkept.old.expose() == kept.expose() => {
                let new = unkept.new.clone();
                self.keep.vault.put(&self.entry, &new).await?;
                live.unkept = None;
                Ok(new)
            }
            _ => {
                live.unkept = None;
                Ok(kept)
            }
        }
    }

    /// Writes down why there is no token, and says so.
    fn failed(&self, record: &mut Record, wanted: &Wanted, trouble: Trouble) -> Error {
        match trouble {
            Trouble::Away(error) => {
                if record.network.is_none() {
                    record.network = Some((Moment(self.keep.clock.now()), error.message.clone()));
                    self.save(record);
                }
                error
            }
            Trouble::Refused(refusal) => {
                let meaning = refusal.meaning();
                match meaning {
                    Meaning::Asks => drop(record.asks.insert(wanted.key(), refusal.to_string())),
                    Meaning::Revoked => {
                        record.revoked = Some(refusal.to_string());
                        *self.insisted.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    }
                    _ => {}
                }
                if matches!(meaning, Meaning::Asks | Meaning::Revoked) {
                    record.network = None;
                    self.save(record);
                }
                self.refused(&refusal)
            }
        }
    }

    /// A refusal, in words.
    pub(super) fn refused(&self, refusal: &Refusal) -> Error {
        let what = match refusal.meaning() {
            Meaning::Revoked => format!("is not good any more ({refusal})"),
            Meaning::Asks => format!("needs your consent or another proof ({refusal})"),
            Meaning::Denied => format!("was denied ({refusal})"),
            Meaning::Expired => "was not finished in time".to_owned(),
            Meaning::Misconfigured | Meaning::Later => {
                let error = sign_in_needed(&self.identity, &format!("is refused ({refusal})"));
                return error.hint(
                    "is this application registered there as a public client (native, with PKCE), under the \
                     `client_id` of the configuration, with the addresses that README.md names?",
                );
            }
        };
        sign_in_needed(&self.identity, &what)
    }

    /// Takes over what a person has just signed in for.
    pub(super) async fn begin(&self, wanted: &Wanted, tokens: Tokens) -> Result<()> {
        let Some(refresh) = &tokens.refresh else {
            return Err(Error::new(
                ErrorKind::Unauthorised,
                format!(
                    "{} gave no refresh token, so the sign-in would end soon",
                    self.identity.provider
                ),
            )
            .hint("allow this application offline access there (the scope `offline_access`)"));
        };
        let mut live = self.live.lock().await;
        let _exclusive = Exclusive::take(&self.record).await?;
        self.keep.vault.put(&self.entry, refresh).await?;
        *live = Live::default();
        let mut record =
            Record { signed_in: Some(Moment(self.keep.clock.now())), ..Record::default() };
        self.used(&mut record, &tokens);
        self.record.write(&record).map_err(|error| {
            let folder = self.record.folder.display();
            Error::new(ErrorKind::Local, format!("{folder} cannot be written")).caused_by(error)
        })?;
        self.remember(&mut live, wanted, tokens);
        Ok(())
    }

    /// Forgets the sign-in here, and tells the provider if it listens; whether there was one.
    ///
    /// # Errors
    /// When the keyring does not let go of it.
    pub async fn forget(&self) -> Result<bool> {
        let mut live = self.live.lock().await;
        let _exclusive = Exclusive::take(&self.record).await?;
        let kept = self.keep.vault.get(&self.entry).await?;
        let was_there = self.keep.vault.remove(&self.entry).await?;
        *live = Live::default();
        self.record.remove().map_err(|error| {
            Error::new(ErrorKind::Local, "the record of the sign-in stays").caused_by(error)
        })?;
        if let Some(refresh) = kept {
            let told = match self.wire().await {
                Ok(wire) => wire.revoke(&self.identity.client_id, &refresh).await,
                Err(error) => Err(error),
            };
            if let Err(error) = told {
                tracing::warn!(%error, "the provider could not be told that the sign-in is over");
            }
        }
        Ok(was_there)
    }

    fn used(&self, record: &mut Record, tokens: &Tokens) {
        let now = self.keep.clock.now();
        record.used = Some(Moment(now));
        (record.network, record.revoked) = (None, None);
        let told = tokens.refresh_lifetime.and_then(|life| SignedDuration::try_from(life).ok());
        let assumed = match self.identity.provider {
            Provider::Entra { .. } => Some(ENTRA_LIFETIME),
            Provider::Issuer(_) => None,
        };
        if let Some(life) = told.or(assumed) {
            record.until = now.checked_add(life).ok().map(Moment);
        }
    }

    fn remember(&self, live: &mut Live, wanted: &Wanted, tokens: Tokens) -> Secret {
        let until = tokens.lifetime.and_then(|life| {
            let good = life.saturating_sub(MARGIN.min(life / 4));
            self.keep.clock.now().checked_add(SignedDuration::try_from(good).ok()?).ok()
        });
        let secret = tokens.access;
        live.tokens.insert(wanted.clone(), Access { secret: secret.clone(), until });
        secret
    }

    /// The record only saves questions: without it, the provider is asked.
    fn save(&self, record: &Record) {
        if let Err(error) = self.record.write(record) {
            tracing::warn!(%error, "the record of a sign-in cannot be written");
        }
    }

    pub(super) async fn wire(&self) -> Result<&Wire> {
        self.wire.get_or_try_init(|| Wire::new(&self.identity, self.keep.clock.clone())).await
    }
}
