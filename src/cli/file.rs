//! The user's configuration file, changed whole or not at all, and only to what can be used.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::Context;

use super::Installation;
use super::lock::private_folder;
use crate::config::{self, Settings};

/// The text of the file.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// Puts a new text in the place of the user's file, or makes the file, if the text can be used.
///
/// # Errors
/// When it cannot be used, or not be written.
pub(super) fn change(here: &Installation, text: &str) -> anyhow::Result<Settings> {
    // Where the file is a link, what it leads to is changed.
    let named = &here.directories.config;
    let loaded = config::parse(text, named, here.directories.home.as_deref())?;
    let file = std::fs::canonicalize(named).unwrap_or_else(|_| named.clone());
    let beside = file.with_extension("toml.new");
    let write = || -> std::io::Result<()> {
        if let Some(folder) = file.parent() {
            private_folder(folder)?;
        }
        let mut new = private(&beside)?;
        if let Ok(old) = std::fs::metadata(&file) {
            new.set_permissions(old.permissions())?;
        }
        new.write_all(text.as_bytes())?;
        new.sync_all()?;
        std::fs::rename(&beside, &file)
    };
    write().with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(loaded.settings)
}

/// A new file for its owner only.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}
