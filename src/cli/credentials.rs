//! From what the configuration says about secrets to what gives them. Whoever signs in with the same user at the same provider
//! shares one sign-in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Installation;
use super::mailbox::in_folder;
use crate::config::paths;
use crate::config::settings::{Auth, Login, Organisation, With};
use crate::connector::auth::{Account, Credential, Kind};
use crate::connector::oauth::{Identity, Keep, Purpose, Session};
use crate::connector::vault::{self, Entry, Keyring};

/// What is known of sign-ins, below the state folder. Nothing there is secret.
const FOLDER: &str = "auth";

/// The sign-ins that this process uses.
#[derive(Debug, Default)]
pub struct SignIns {
    sessions: Mutex<BTreeMap<Identity, Arc<Session>>>,
    /// Whether a person wants each to be tried once more.
    insists: AtomicBool,
}

impl SignIns {
    /// Nothing that is in memory counts any more: somebody may have signed in anew.
    pub fn forget(&self) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.insists.store(false, Ordering::SeqCst);
    }

    /// A person wants to know now: also a sign-in that is known to be over is tried, once.
    pub fn insist(&self) {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        self.insists.store(true, Ordering::SeqCst);
        sessions.values().for_each(|session| session.insist());
    }

    fn session(&self, identity: &Identity, keep: impl FnOnce() -> Keep) -> Arc<Session> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.entry(identity.clone()).or_insert_with(|| {
            let session = Session::new(identity.clone(), keep());
            if self.insists.load(Ordering::SeqCst) {
                session.insist();
            }
            session
        });
        Arc::clone(session)
    }
}

impl Installation {
    /// The one session of this sign-in in this process.
    pub fn session(&self, identity: &Identity) -> Arc<Session> {
        self.sign_ins.session(identity, || Keep {
            vault: Arc::new(Keyring),
            folder: self.directories.state.join(FOLDER),
            clock: self.clock.clone(),
        })
    }

    /// What gives an organisation's bearer token.
    pub fn bearer(&self, organisation: &Organisation) -> Arc<Credential> {
        Arc::new(match &organisation.auth {
            Auth::Token { command } => {
                Credential::command(Kind::Token, in_folder(&self.home, command))
            }
            Auth::OAuth(oauth) => {
                let purpose = Purpose::Organisation(&organisation.url);
                Credential::oauth(self.session(&oauth.identity), oauth.wanted(purpose))
            }
        })
    }

    /// Who signs in at a server of the mailbox, and what gives the password or token.
    pub fn account(&self, login: &Login, purpose: Purpose<'_>) -> Account {
        let secret = match &login.with {
            With::Command(kind, line) => Credential::command(*kind, in_folder(&self.home, line)),
            With::Keyring { user, host } => {
                Credential::keyring(Arc::new(Keyring), self.password_entry(user, host))
            }
            With::Systemd(kind, name) => Credential::systemd(*kind, name, paths::credentials()),
            With::OAuth(oauth) => {
                Credential::oauth(self.session(&oauth.identity), oauth.wanted(purpose))
            }
        };
        Account { user: login.user.clone(), secret: Arc::new(secret) }
    }

    /// Where the keyring keeps the password of this user at this server.
    pub fn password_entry(&self, user: &str, host: &str) -> Entry {
        let place = vault::place(&self.directories.state);
        let name = format!("password of {user} at {host} of {place}");
        Entry::new(name, format!("password of {user} at {host}"))
    }
}
