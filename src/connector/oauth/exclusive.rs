//! One process at a time may use a refresh token: a provider that rotates them takes a second use of the same one for theft, and
//! ends the sign-in.

use std::fs::{File, TryLockError};
use std::time::Duration;

use super::record::RecordFile;
use crate::connector::{Error, ErrorKind, Result};

/// How long another process may take: a request and the keyring.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Between two looks: the system gives no sign when a lock is free.
const PAUSE: Duration = Duration::from_millis(20);

/// Held as long as it lives; the system releases it however the process ends.
#[derive(Debug)]
pub(super) struct Exclusive {
    _file: File,
}

impl Exclusive {
    /// Waits until no other process has it.
    ///
    /// # Errors
    /// [`ErrorKind::Local`] when the file cannot be had, [`ErrorKind::Unreachable`] when the other process takes too long.
    pub(super) async fn take(record: &RecordFile) -> Result<Self> {
        let unusable = |error| {
            let folder = record.folder.display();
            Error::new(
                ErrorKind::Local,
                format!("the lock of the sign-in in {folder} cannot be used"),
            )
            .caused_by(error)
        };
        let file = record.lock_file().map_err(unusable)?;
        let waited = tokio::time::timeout(TIME_LIMIT, async {
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(()),
                    Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                    Err(TryLockError::Error(error)) => return Err(error),
                }
            }
        });
        match waited.await {
            Ok(Ok(())) => Ok(Self { _file: file }),
            Ok(Err(error)) => Err(unusable(error)),
            Err(_) => Err(Error::new(
                ErrorKind::Unreachable,
                "another process has been renewing the sign-in for a minute",
            )),
        }
    }
}
