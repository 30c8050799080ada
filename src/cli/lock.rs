//! The right to write to either side, of one process at a time, and the folder that it lies in.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use anyhow::Context;

use super::{Exit, Stop};
use crate::daemon::gate::Pass;

/// Held as long as it lives.
#[derive(Debug)]
pub enum Lock {
    /// Of this process; the system releases it however the process ends.
    Process { _file: File },
    /// Of a command within the service, which has the other.
    Within(Pass),
}

impl Lock {
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
        Ok(Self::Process { _file: file })
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

#[cfg(unix)]
pub(super) fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
pub(super) fn private_folder(path: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(path)
}

pub(super) fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}
