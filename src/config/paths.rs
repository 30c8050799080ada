//! Where the platform keeps files, and the one door to the environment.
//! On Linux after the XDG base directories, on macOS and Windows after their own rules.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use directories::{BaseDirs, ProjectDirs};

use super::error::{Error, Result};

/// The places of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// The configuration file.
    pub config: PathBuf,
    /// What must not be lost: the store.
    pub state: PathBuf,
    /// What can be made again.
    pub cache: PathBuf,
    /// Locks and sockets of the running program.
    pub runtime: PathBuf,
    /// What `~` stands for.
    pub home: Option<PathBuf>,
}

/// What this computer is called, where its environment says so: by `LIAISON_HOST`, for those whose own name is shared or changes
/// (containers), and whether it was that.
pub fn computer() -> Option<(String, bool)> {
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let given = variable("LIAISON_HOST").map(|name| (name, true));
    given.or_else(|| variable("COMPUTERNAME").map(|name| (name, false)))
}

/// The folder in which systemd hands credentials to a service; only a service has one. <https://systemd.io/CREDENTIALS/>
pub fn credentials() -> Option<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY");
    folder.filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

/// Whether a browser that is started here would show anywhere: elsewhere than on Linux it does, there only with a display.
pub fn has_display() -> bool {
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}

/// Where the standard error of this process leads to the journal of systemd: the device and inode of what it was given
/// (systemd.exec(5)).
pub fn journal_stream() -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "this is the door")]
    let told = std::env::var("JOURNAL_STREAM");
    told.ok()
}

/// Where the user keeps the configuration of programs: on Linux `$XDG_CONFIG_HOME`, or `~/.config`.
pub fn user_config() -> Option<PathBuf> {
    BaseDirs::new().map(|base| base.config_dir().to_path_buf())
}

impl Directories {
    /// Where the platform keeps files, whatever the flags and variables say; `None` without a home directory.
    pub fn usual() -> Option<Self> {
        platform()
    }

    /// The configuration from the flag, `LIAISON_CONFIG` or the platform (a file, or the folder of a `config.toml`); the
    /// state from its flag, `LIAISON_STATE` or the platform.
    ///
    /// # Errors
    /// When the platform knows no home directory and the environment does not say where to go instead.
    pub fn find(config: Option<&Path>, state: Option<&Path>) -> Result<Self> {
        #[allow(clippy::disallowed_methods, reason = "this is the door")]
        let variable = |name: &str| std::env::var_os(name);
        Self::choose((config, state), variable, platform())
    }

    fn choose(
        (config, state): (Option<&Path>, Option<&Path>),
        variable: impl Fn(&str) -> Option<OsString>,
        platform: Option<Self>,
    ) -> Result<Self> {
        let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let config = config.map(Path::to_path_buf).or_else(|| set("LIAISON_CONFIG"));
        let state = state.map(Path::to_path_buf).or_else(|| set("LIAISON_STATE"));
        let config = config.map(|path| if path.is_dir() { path.join("config.toml") } else { path });
        let found = match (config, state, platform) {
            // Several installations side by side share nothing that is written.
            (config, Some(state), platform) => {
                let config = config.or_else(|| platform.as_ref().map(|dirs| dirs.config.clone()));
                config.map(|config| Self {
                    config,
                    cache: state.join("cache"),
                    runtime: state.join("run"),
                    state,
                    home: platform.and_then(|dirs| dirs.home),
                })
            }
            (Some(config), None, Some(platform)) => Some(Self { config, ..platform }),
            (None, None, platform) => platform,
            (Some(_), None, None) => None,
        };
        found.ok_or_else(|| {
            Error::new("", "there is no home directory")
                .hint("set LIAISON_CONFIG to the configuration file and LIAISON_STATE to a folder")
        })
    }
}

fn platform() -> Option<Directories> {
    let dirs = ProjectDirs::from("", "", "liaison")?;
    let state = dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir());
    Some(Directories {
        config: dirs.config_dir().join("config.toml"),
        state: state.to_path_buf(),
        cache: dirs.cache_dir().to_path_buf(),
        runtime: dirs.runtime_dir().map_or_else(|| state.join("run"), Path::to_path_buf),
        home: BaseDirs::new().map(|base| base.home_dir().to_path_buf()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform() -> Directories {
        Directories {
            config: "/home/anna/.config/liaison/config.toml".into(),
            state: "/home/anna/.local/state/liaison".into(),
            cache: "/home/anna/.cache/liaison".into(),
            runtime: "/run/user/1000/liaison".into(),
            home: Some("/home/anna".into()),
        }
    }

    fn environment(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        let pairs: Vec<(String, OsString)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        move |name| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn the_flag_beats_the_environment_and_that_the_platform() {
        let both = [("LIAISON_CONFIG", "/e/c.toml"), ("LIAISON_STATE", "/e/state")];
        for (flag, variables, config, state) in [
            (
                None,
                [].as_slice(),
                "/home/anna/.config/liaison/config.toml",
                "/home/anna/.local/state/liaison",
            ),
            (None, &both, "/e/c.toml", "/e/state"),
            (Some("/f.toml"), &both, "/f.toml", "/e/state"),
            (Some("/f.toml"), &[], "/f.toml", "/home/anna/.local/state/liaison"),
            (
                None,
                &[("LIAISON_STATE", "")],
                "/home/anna/.config/liaison/config.toml",
                "/home/anna/.local/state/liaison",
            ),
        ] {
            let found = Directories::choose(
                (flag.map(Path::new), None),
                environment(variables),
                Some(platform()),
            )
            .unwrap();
            assert_eq!(
                (found.config, found.state),
                (config.into(), state.into()),
                "{flag:?} {variables:?}"
            );
        }
    }

    #[test]
    fn a_state_of_its_own_shares_nothing_that_is_written() {
        let variables = environment(&[("LIAISON_STATE", "/e/state")]);
        let found = Directories::choose((None, None), variables, Some(platform())).unwrap();
        assert_eq!((found.cache, found.runtime), ("/e/state/cache".into(), "/e/state/run".into()));
        assert_eq!(found.home, Some("/home/anna".into()));
    }

    #[test]
    fn the_flag_for_the_state_beats_the_environment() {
        let variables = environment(&[("LIAISON_STATE", "/e/state")]);
        let flags = (None, Some(Path::new("/f/state")));
        let found = Directories::choose(flags, variables, Some(platform())).unwrap();
        assert_eq!((found.state, found.cache), ("/f/state".into(), "/f/state/cache".into()));
    }

    #[test]
    fn a_folder_stands_for_the_file_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let found =
            Directories::choose((Some(folder.path()), None), environment(&[]), Some(platform()))
                .unwrap();
        assert_eq!(found.config, folder.path().join("config.toml"));
    }

    #[test]
    fn without_a_home_directory_the_environment_must_say_both() {
        let both = [("LIAISON_CONFIG", "/e/c.toml"), ("LIAISON_STATE", "/e/state")];
        assert!(Directories::choose((None, None), environment(&both), None).is_ok());
        for one in [&both[..1], &both[1..], &[]] {
            let error = Directories::choose((None, None), environment(one), None).unwrap_err();
            assert!(error.hint.unwrap().contains("LIAISON_STATE"));
        }
    }
}
