//! The socket: only for its owner, and for so many at a time.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::hall::Hall;
use super::session;

/// How many may ask at a time.
const CLIENTS: usize = 32;

/// A socket that goes when this is dropped.
pub(super) struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Whatever a killed service left there is replaced: the caller holds the lock, so nobody is behind it.
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        match fs::symlink_metadata(path) {
            Ok(there) if there.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => {
                let what = format!("{} is there and is no socket", path.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Until its rights are narrowed, the folder keeps others out.
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_owned() })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the socket cannot be removed");
        }
    }
}

/// Serves until the service ends.
pub(super) async fn serve(hall: Arc<Hall>, listener: Listener) {
    let room = Arc::new(Semaphore::new(CLIENTS));
    let mut sessions = JoinSet::new();
    loop {
        while sessions.try_join_next().is_some() {}
        let stream = match listener.listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Too many open files: others must end first.
                tracing::warn!(%error, "nobody can be let in");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                continue;
            }
        };
        if !is_owner(&stream) {
            tracing::warn!("somebody else than the owner was at the socket");
            continue;
        }
        let place = Arc::clone(&room).try_acquire_owned().ok();
        sessions.spawn(session::run(Arc::clone(&hall), stream, place));
    }
}

/// The rights of the socket say so already; on some systems those of sockets mean nothing.
fn is_owner(stream: &UnixStream) -> bool {
    let me = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == me)
}
