//! Where the service listens, and where is kept what was told: the same places as those of the service, from the flags, the
//! environment or the platform.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

/// Where things are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The socket of the service.
    pub(crate) socket: PathBuf,
    /// The folder of an installation beside the usual one, to be named to its commands.
    pub(crate) state: Option<PathBuf>,
}

impl Place {
    /// From `--socket` and `--state`, `LIAISON_STATE`, or the platform; nothing without a home directory.
    pub(crate) fn find(socket: Option<PathBuf>, state: Option<PathBuf>) -> Option<Self> {
        Self::choose((socket, state), std::env::var_os("LIAISON_STATE"), platform())
    }

    fn choose(
        (socket, state): (Option<PathBuf>, Option<PathBuf>),
        variable: Option<OsString>,
        platform: Option<PathBuf>,
    ) -> Option<Self> {
        let variable = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
        let state = state.or(variable);
        let folder = state.as_ref().map(|state| state.join("run")).or(platform);
        let socket = socket.or_else(|| folder.map(|folder| liaison::ipc::socket(&folder)))?;
        Some(Self { socket, state })
    }

    /// What was told already, beside the socket: it is forgotten when the session is over, as the folder is.
    pub(crate) fn told(&self) -> PathBuf {
        self.socket.parent().unwrap_or(Path::new(".")).join("tray.json")
    }
}

/// The folder for sockets of the usual installation.
fn platform() -> Option<PathBuf> {
    let dirs = ProjectDirs::from("", "", "liaison")?;
    let state = dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir());
    Some(dirs.runtime_dir().map_or_else(|| state.join("run"), Path::to_path_buf))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_beats_the_environment_and_that_the_platform() {
        let platform = || Some(PathBuf::from("/run/user/1000/liaison"));
        for (socket, state, variable, expected) in [
            (Some("/s"), Some("/f"), Some("/e"), "/s"),
            (None, Some("/f"), Some("/e"), "/f/run/control.sock"),
            (None, None, Some("/e"), "/e/run/control.sock"),
            (None, None, Some(""), "/run/user/1000/liaison/control.sock"),
            (None, None, None, "/run/user/1000/liaison/control.sock"),
        ] {
            let flags = (socket.map(PathBuf::from), state.map(PathBuf::from));
            let found = Place::choose(flags, variable.map(Into::into), platform()).unwrap();
            assert_eq!(found.socket, Path::new(expected));
        }
        assert_eq!(Place::choose((None, None), None, None), None);
    }
}
