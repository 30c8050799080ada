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
    /// What leads the commands to an installation beside the usual one.
    pub(crate) flags: Vec<OsString>,
}

/// What was named on the command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Named {
    /// The configuration of the commands that the menu opens
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of an installation's state (else `LIAISON_STATE`, else the usual one)
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The socket of the service (else that of the installation)
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
}

impl Place {
    /// From the flags, `LIAISON_STATE`, or the platform; nothing without a home directory.
    pub(crate) fn find(named: Named) -> Option<Self> {
        Self::choose(named, std::env::var_os("LIAISON_STATE"), platform())
    }

    fn choose(named: Named, variable: Option<OsString>, platform: Option<PathBuf>) -> Option<Self> {
        let variable = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
        let mut flags = Vec::new();
        for (flag, path) in [("--config", &named.config), ("--state", &named.state)] {
            flags.extend(path.iter().flat_map(|path| [OsString::from(flag), path.into()]));
        }
        let state = named.state.or(variable);
        let folder = state.map(|state| state.join("run")).or(platform);
        let socket = named.socket.or_else(|| folder.map(|it| liaison::ipc::socket(&it)))?;
        Some(Self { socket, flags })
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
            let [socket, state] = [socket, state].map(|path| path.map(PathBuf::from));
            let named = Named { socket, state, config: Some("/c".into()) };
            let found = Place::choose(named, variable.map(Into::into), platform()).unwrap();
            assert_eq!(found.socket, Path::new(expected));
            assert_eq!(found.flags[..2], ["--config", "/c"]);
        }
        assert_eq!(Place::choose(Named::default(), None, None), None);
    }
}
