//! What the demo plays on: its directory, the organisation served from there, and a configuration that leads to both.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::tz::TimeZone;

use super::world::{Api, mailbox};
use crate::cli::Installation;
use crate::config::Directories;
use crate::connector::tls;
use crate::sandbox::{Options, Running, Sandbox};

/// The organisation's folder, below the demo's directory.
pub const ORGANISATION: &str = "organisation";

/// The configuration file, below the demo's directory.
const CONFIG: &str = "liaison.toml";

/// The state folder, below the demo's directory.
const STATE: &str = "state";

/// Where Anna lives.
const ZONE: &str = "Europe/Berlin";

/// A stage that is set.
#[derive(Debug)]
pub struct Stage {
    pub dir: PathBuf,
    pub zone: TimeZone,
    /// The organisation, as several people's programs reach it.
    pub api: Api,
    pub url: String,
    pub running: Running,
    pub here: Installation,
}

impl Stage {
    /// Sets up the stage, or what is left of an earlier run.
    ///
    /// # Errors
    /// When the directory cannot be used or the organisation cannot be served.
    pub async fn set(dir: Option<PathBuf>, here: &Installation) -> anyhow::Result<Self> {
        let mut here = here.clone();
        let dir = match dir {
            Some(dir) => std::path::absolute(dir)?,
            None => temporary(&here.clock.unique().simple().to_string()),
        };
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        // The path as it is, for the commands that are shown at the end.
        let dir = fs::canonicalize(dir)?;
        here.directories = Directories {
            config: dir.join(CONFIG),
            state: dir.join(STATE),
            cache: dir.join(STATE).join("cache"),
            runtime: dir.join(STATE).join("run"),
            home: None,
        };
        here.home = dir.clone();
        let running = serve(&dir, address_of_last_time(&here)).await?;
        let url = running.url.clone();
        configure(&here, &url)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config(&tls::Trust::Platform)?)
            .build()?;
        let api = Api::open(&dir, client)?;
        let zone = TimeZone::get(ZONE)?;
        Ok(Self { dir, zone, api, url, running, here })
    }
}

fn temporary(unique: &str) -> PathBuf {
    let short: String = unique.chars().take(8).collect();
    std::env::temp_dir().join(format!("liaison-demo-{short}"))
}

/// The address that the configuration of an earlier run leads to: commands that were shown then still hold.
fn address_of_last_time(here: &Installation) -> Option<SocketAddr> {
    let settings = here.load().ok()?.settings;
    let (_, organisation) = settings.sync_organisation()?;
    let text = format!("{}:{}", organisation.url.host_str()?, organisation.url.port()?);
    text.parse().ok()
}

async fn serve(dir: &Path, wanted: Option<SocketAddr>) -> anyhow::Result<Running> {
    let folder = dir.join(ORGANISATION);
    if let Some(listen) = wanted {
        let options = Options { listen, ..Options::new(&folder) };
        match Sandbox::start(options).await {
            Err(crate::sandbox::Error::Listen(..)) => {}
            served => return served.context("serve the demo's organisation"),
        }
    }
    Sandbox::start(Options::new(&folder)).await.context("serve the demo's organisation")
}

/// Writes the configuration; one that is there only gets the new address.
fn configure(here: &Installation, url: &str) -> anyhow::Result<()> {
    let path = &here.directories.config;
    let text = match here.load() {
        Ok(loaded) => {
            let old = loaded.settings.sync_organisation().map(|(_, organisation)| {
                organisation.url.as_str().trim_end_matches('/').to_owned()
            });
            let text = fs::read_to_string(path)?;
            match old {
                Some(old) if old != url => text.replace(&old, url),
                _ => text,
            }
        }
        Err(_) if !path.exists() => configuration(url),
        Err(error) => return Err(error.into()),
    };
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn configuration(url: &str) -> String {
    let (mail, contacts, calendar) = (mailbox::MAIL, mailbox::CONTACTS, mailbox::CALENDAR);
    let root = mailbox::MAILBOX;
    format!(
        r#"# The demo's settings. What is not said here is as `liaison config show` tells.

[organisation.demo]
url = "{url}"
sync = true
auth = {{ kind = "token", command = "cat {ORGANISATION}/tokens/anna" }}

[mailbox]
address = "anna@example.org"
zone = "{ZONE}"

[mailbox.email]
kind = "maildir"
path = "{root}/{mail}"

[mailbox.contacts]
kind = "vdir"
path = "{root}/{contacts}"

[mailbox.appointments]
kind = "vdir"
path = "{root}/{calendar}"

[mailbox.tasks]
kind = "vdir"
path = "{root}/{calendar}"

[sync.email]
track = "known-senders"
"#
    )
}
