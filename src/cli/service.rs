//! `liaison service`: whether the program keeps things in step by itself, in the background of the user's sessions.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use super::output::{Answer, Page};
use super::{Exit, Installation, Stop};
use crate::config::paths::{self, Directories};

/// What is told to which service manager.
pub mod manager;
/// What service managers read.
pub mod text;

use manager::{Home, Manager, Wish};
use text::Places;

/// Keep things in step in the background, with each session
///
/// Makes `liaison run` a service of yours: systemd starts it with your sessions, watches over it, and starts it again when it fails.
/// Nothing of it needs an administrator.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison service install    start it now, and with each session\n  liaison service status     does it run?\n  liaison service uninstall  not any more; what is in step stays as it is"
)]
pub struct Service {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Start the service now and with each session; --config and --state are remembered
    Install(Install),
    /// Stop the service, and do not start it any more
    Uninstall,
    /// Tell whether the service is installed and runs
    Status,
    /// Start the service
    Start,
    /// Stop the service until the next session, or until it is started
    Stop,
}

#[derive(Debug, clap::Args)]
struct Install {
    /// Only write the files: nothing is started
    #[arg(long)]
    no_start: bool,
}

impl Service {
    /// Makes it start now and with each session.
    pub(super) fn install() -> Self {
        Self { what: What::Install(Install { no_start: false }) }
    }

    /// # Errors
    /// When there is no service manager, or it cannot do what is wanted.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let (manager, home) = (Manager::here(), home(here)?);
        match self.what {
            What::Install(install) => install.run(here, manager, &home).await,
            What::Uninstall => {
                let removed = uninstall(here).await?;
                let mut page = Page::default();
                page.line("the service is stopped, and not started any more");
                Ok(Answer::new(page, json!({ "installed": false, "removed": removed })))
            }
            What::Status => status(manager, &home).await,
            What::Start => tell(here, Wish::Start, "the service runs").await,
            What::Stop => tell(here, Wish::Stop, "the service is stopped").await,
        }
    }
}

impl Install {
    async fn run(
        self,
        here: &Installation,
        manager: Manager,
        home: &Home,
    ) -> anyhow::Result<Answer> {
        let places = places(here)?;
        if !places.is_plain() {
            let hint = "give those files and folders other names";
            let message =
                "the name of a file or folder has characters that a service manager cannot read";
            return Err(Stop::new(Exit::Failed, message, hint).into());
        }
        let mut absent = None;
        if !self.no_start {
            here.load()?;
            absent = greet(manager, home).await.err();
        }
        let links = manager.links(&places, home);
        if let (Some(absent), true) = (&absent, links.is_empty()) {
            return Err(absent.clone().into());
        }
        let files = manager.files(&places, home);
        // What was written before would hide what a package brought since.
        let is_obsolete =
            |file: &PathBuf| !file.is_symlink() && files.iter().all(|(new, _)| new != file);
        remove(manager.traces(home).into_iter().filter(is_obsolete).collect())?;
        let mut page = Page::default();
        for (file, text) in &files {
            write(file, text)?;
            page.line(format!("written: {}", file.display()));
        }
        let written: Vec<&PathBuf> = files.iter().map(|(file, _)| file).collect();
        let json = json!({ "installed": true, "started": !self.no_start, "written": written });
        if self.no_start {
            return Ok(Answer::new(page, json).note("→ start it: `liaison service install`"));
        }
        if let Some(absent) = absent {
            for (link, unit) in &links {
                place(link, unit)?;
            }
            page.line("it is started with your next session, not now");
            let json = json!({ "installed": true, "started": false, "written": written });
            let answer = Answer::new(page, json).exit(Exit::Partly);
            return Ok(answer
                .note(format!("! {}", absent.message))
                .note(format!("→ {}", absent.hint)));
        }
        for order in manager.orders(Wish::Install, home, places.tray.is_some()) {
            manager::run(&order).await?;
        }
        page.line("the service runs, and starts with each session");
        Ok(Answer::new(page, json).note("→ what it does: `liaison status`, `liaison log -f`"))
    }
}

/// Stops the service and removes what starts it, as far as there is anything; the files that were removed.
///
/// # Errors
/// When a file cannot be removed.
pub async fn uninstall(here: &Installation) -> anyhow::Result<Vec<PathBuf>> {
    let (manager, home) = (Manager::here(), home(here)?);
    let is_there = manager::run(&manager.greeting(&home)).await.is_ok();
    if is_there {
        for order in manager.orders(Wish::Uninstall, &home, true) {
            manager::run(&order).await?;
        }
    }
    let removed = remove(manager.traces(&home))?;
    if let (true, Some(reload)) = (is_there, manager.reload()) {
        manager::run(&reload).await?;
    }
    Ok(removed)
}

/// Stops the service, if there is one and somebody to tell.
///
/// # Errors
/// Without a home directory.
pub async fn stop(here: &Installation) -> anyhow::Result<()> {
    let (manager, home) = (Manager::here(), home(here)?);
    if manager::run(&manager.greeting(&home)).await.is_ok() {
        for order in manager.orders(Wish::Stop, &home, true) {
            manager::run(&order.optional()).await?;
        }
    }
    Ok(())
}

/// What [`uninstall`] would remove.
///
/// # Errors
/// Without a home directory.
pub fn traces(here: &Installation) -> anyhow::Result<Vec<PathBuf>> {
    let traces = Manager::here().traces(&home(here)?);
    Ok(traces.into_iter().filter(|file| file.symlink_metadata().is_ok()).collect())
}

async fn status(manager: Manager, home: &Home) -> anyhow::Result<Answer> {
    greet(manager, home).await?;
    let answer = manager::run(&manager.question(home)).await.ok();
    let state = manager.understand(answer.as_deref());
    let mut page = Page::default();
    page.line(match (state.installed, state.active) {
        (false, _) => "the service is not installed",
        (true, false) => "the service does not run",
        (true, true) => "the service runs",
    });
    let rows: Vec<Vec<String>> =
        state.says.iter().map(|(key, value)| vec![format!("  {key}"), value.clone()]).collect();
    if state.installed {
        page.table("<<", &rows);
    }
    let says: serde_json::Map<String, serde_json::Value> =
        state.says.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    let json = json!({
        "version": 1, "installed": state.installed, "active": state.active, "manager": says,
    });
    let answer = Answer::new(page, json);
    Ok(match (state.installed, state.active) {
        (false, _) => answer.exit(Exit::Failed).note("→ install it: `liaison service install`"),
        (true, false) => answer
            .exit(Exit::Failed)
            .note("→ why: `liaison log`; start it: `liaison service start`"),
        (true, true) => answer,
    })
}

async fn tell(here: &Installation, wish: Wish, done: &str) -> anyhow::Result<Answer> {
    let (manager, home) = (Manager::here(), home(here)?);
    greet(manager, &home).await?;
    for order in manager.orders(wish, &home, places(here)?.tray.is_some()) {
        manager::run(&order).await?;
    }
    let mut page = Page::default();
    page.line(done);
    Ok(Answer::new(page, json!({ "active": wish == Wish::Start })))
}

/// Makes sure that there is somebody to talk to.
async fn greet(manager: Manager, home: &Home) -> Result<(), Stop> {
    manager::run(&manager.greeting(home)).await.map_err(|error| {
        let message = format!("there is no service manager for this user: {error}");
        let hint = "log in to a session of your own (not by `su` or `sudo`), or let one be kept for you: `loginctl \
                    enable-linger`; without one, start `liaison run` by hand, or `liaison sync` by cron";
        Stop::new(Exit::Failed, message, hint)
    })?;
    Ok(())
}

/// What is started, and what of its places is not as usual.
fn places(here: &Installation) -> anyhow::Result<Places> {
    let program = std::env::current_exe().context("where this program is cannot be told")?;
    let name = format!("liaison-tray{}", std::env::consts::EXE_SUFFIX);
    let tray = program.parent().map(|folder| folder.join(name)).filter(|tray| tray.exists());
    let usual = Directories::usual();
    let unlike = |path: &Path, usual: Option<&PathBuf>| {
        (usual.map(PathBuf::as_path) != Some(path)).then(|| path.to_owned())
    };
    let config = unlike(&here.directories.config, usual.as_ref().map(|usual| &usual.config));
    let state = unlike(&here.directories.state, usual.as_ref().map(|usual| &usual.state));
    Ok(Places { program, tray, config, state })
}

fn home(here: &Installation) -> anyhow::Result<Home> {
    let (Some(config), Some(home)) = (paths::user_config(), here.directories.home.clone()) else {
        anyhow::bail!("there is no home directory");
    };
    #[cfg(unix)]
    let user = rustix::process::getuid().as_raw();
    #[cfg(not(unix))]
    let user = 0;
    Ok(Home { config, home, state: here.directories.state.clone(), user })
}

/// Whole or not at all: a manager may read it at any time.
fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let named = || format!("{} cannot be written", file.display());
    let folder = file.parent().with_context(named)?;
    std::fs::create_dir_all(folder).with_context(named)?;
    let unfinished = folder.join(format!(".liaison-{}", std::process::id()));
    let written = std::fs::File::create(&unfinished)
        .and_then(|mut new| new.write_all(text.as_bytes()))
        .and_then(|()| std::fs::rename(&unfinished, file));
    written.with_context(named)
}

/// Makes a link, in the place of one that is there.
fn place(link: &Path, to: &Path) -> anyhow::Result<()> {
    let named = || format!("{} cannot be written", link.display());
    if let Some(folder) = link.parent() {
        std::fs::create_dir_all(folder).with_context(named)?;
    }
    remove(vec![link.to_owned()])?;
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(to, link);
    #[cfg(not(unix))]
    let linked = Err::<(), _>(io::Error::new(io::ErrorKind::Unsupported, to.display().to_string()));
    linked.with_context(named)
}

/// Removes those that are there.
fn remove(files: Vec<PathBuf>) -> anyhow::Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for file in files {
        match std::fs::remove_file(&file) {
            Ok(()) => removed.push(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be removed", file.display()));
            }
        }
    }
    Ok(removed)
}
