//! Bearer tokens: one a user, in files that only their owner can read, kept from start to start.

use crate::sandbox::random;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The user whose token also opens the administration under `/sandbox/`.
pub const ADMIN: &str = "admin";

/// The tokens in force.
pub struct Tokens {
    directory: PathBuf,
    /// User name by token.
    names: BTreeMap<String, String>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").field("count", &self.names.len()).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Reads the users' tokens below `directory`, and makes those that are missing.
    pub fn open(directory: &Path, users: &[String]) -> io::Result<Self> {
        private_directory(directory)?;
        let mut tokens = Self { directory: directory.to_owned(), names: BTreeMap::new() };
        for user in users {
            let path = directory.join(user);
            let token = match fs::read_to_string(&path) {
                Ok(text) if text.trim().len() >= 32 => text.trim().to_owned(),
                Ok(_) => tokens.write(user)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => tokens.write(user)?,
                Err(error) => return Err(error),
            };
            tokens.names.insert(token, user.clone());
        }
        Ok(tokens)
    }

    /// The user of a token.
    pub fn user(&self, token: &str) -> Option<&str> {
        self.names.get(token).map(String::as_str)
    }

    /// The token of a user.
    pub fn of(&self, user: &str) -> Option<&str> {
        self.names.iter().find(|(_, name)| *name == user).map(|(token, _)| token.as_str())
    }

    /// Lets the user's token expire; a new one stands in the file.
    pub fn expire(&mut self, user: &str) -> io::Result<()> {
        let token = self.write(user)?;
        self.names.retain(|_, name| name != user);
        self.names.insert(token, user.to_owned());
        Ok(())
    }

    fn write(&self, user: &str) -> io::Result<String> {
        let token = random::token();
        write_private(&self.directory.join(user), &token)?;
        Ok(token)
    }
}

/// Makes a directory that only its owner can enter.
pub fn private_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Replaces a file that only its owner can read.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    if let Err(error) = fs::remove_file(&fresh)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    drop(file);
    fs::rename(fresh, path)
}
