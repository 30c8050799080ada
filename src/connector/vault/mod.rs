//! Where secrets are kept from one run to the next: the keyring of the desktop. It must not know what they open.

use std::path::Path;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use super::Result;
use crate::secret::Secret;

#[cfg(test)]
pub(super) mod memory;
#[cfg(target_os = "linux")]
mod secret_service;

/// One secret's place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    name: String,
    label: String,
}

impl Entry {
    /// `name` tells it from all others; `label` is what a person reads in the keyring's own window, and ends a sentence like *the
    /// keyring has no …*. Neither is secret.
    pub fn new(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self { name: name.into(), label: label.into() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn label(&self) -> &str {
        &self.label
    }
}

/// Tells the entries of one installation from those of others of the same user: a short name for its folder.
pub fn place(folder: &Path) -> String {
    let sum = Sha256::digest(folder.as_os_str().as_encoded_bytes());
    sum.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Keeps secrets. Every call has a time limit: some seconds, less than a minute for what is to be kept.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The secret; `None` where there is none.
    ///
    /// # Errors
    /// [`super::ErrorKind::Locked`] when the keyring is locked, not there or silent, [`super::ErrorKind::Local`] when what it holds
    /// cannot be used.
    async fn get(&self, entry: &Entry) -> Result<Option<Secret>>;

    /// Keeps a secret in the place of the one before. When this returns, it survives the end of the process.
    ///
    /// # Errors
    /// As for [`Vault::get`].
    async fn put(&self, entry: &Entry, secret: &Secret) -> Result<()>;

    /// Forgets a secret; whether there was one.
    ///
    /// # Errors
    /// As for [`Vault::get`].
    async fn remove(&self, entry: &Entry) -> Result<bool>;
}

/// The keyring of this desktop: the Secret Service on Linux.
/// <https://specifications.freedesktop.org/secret-service-spec/latest/>
#[derive(Debug, Clone, Copy, Default)]
pub struct Keyring;

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::{Entry, Keyring, Result, Secret, Vault};
    use crate::connector::{Error, ErrorKind};

    fn unknown() -> Error {
        Error::new(ErrorKind::Unsupported, "the keyring of this system cannot be used yet")
            .hint("name a command that prints the secret instead")
    }

    #[async_trait::async_trait]
    impl Vault for Keyring {
        async fn get(&self, _entry: &Entry) -> Result<Option<Secret>> {
            Err(unknown())
        }

        async fn put(&self, _entry: &Entry, _secret: &Secret) -> Result<()> {
            Err(unknown())
        }

        async fn remove(&self, _entry: &Entry) -> Result<bool> {
            Err(unknown())
        }
    }
}
