//! A keyring for tests: in memory, and lockable.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::{Entry, Vault};
use crate::connector::{Error, ErrorKind, Result};
use crate::secret::Secret;

#[derive(Default)]
pub(in crate::connector) struct Memory {
    pub(in crate::connector) is_locked: AtomicBool,
    /// It can be read, and takes nothing.
    pub(in crate::connector) is_full: AtomicBool,
    kept: Mutex<BTreeMap<String, Secret>>,
}

impl Memory {
    fn open(&self) -> Result<std::sync::MutexGuard<'_, BTreeMap<String, Secret>>> {
        if self.is_locked.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Locked, "the keyring is locked"));
        }
        Ok(self.kept.lock().unwrap())
    }
}

#[async_trait]
impl Vault for Memory {
    async fn get(&self, entry: &Entry) -> Result<Option<Secret>> {
        Ok(self.open()?.get(entry.name()).cloned())
    }

    async fn put(&self, entry: &Entry, secret: &Secret) -> Result<()> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Local, "the keyring takes nothing"));
        }
        self.open()?.insert(entry.name().to_owned(), secret.clone());
        Ok(())
    }

    async fn remove(&self, entry: &Entry) -> Result<bool> {
        Ok(self.open()?.remove(entry.name()).is_some())
    }
}
