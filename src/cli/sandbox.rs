//! `liaison sandbox`: an organisation on this machine, to try things out on.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;
use serde_json::Value as Json;

use super::output::{self, Answer, Page};
use super::{Exit, Stop};
use crate::sandbox::server::introspect::Introspection;
use crate::sandbox::{self, Options};

/// Serve a Dataverse-compatible organisation on this machine
#[derive(Debug, clap::Args)]
pub struct Sandbox {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Serve it until Ctrl-C
    ///
    /// The Web API is at URL/api/data/v9.2/, a page for the browser at URL. Each user's bearer token lies in DIR/tokens.
    #[command(
        after_help = "Example: liaison sandbox serve --dir organisation --listen 127.0.0.1:8820"
    )]
    Serve(Serve),
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// Where the organisation is kept; made if missing
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// A loopback address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: String,
    /// The PEM file of a certificate: then https is spoken
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The PEM file of its key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Requests that a user may send in five minutes
    #[arg(long, value_name = "NUMBER")]
    throttle: Option<u32>,
    /// Take the tokens of a sign-in provider on this machine too: a file with the address of its introspection endpoint (RFC
    /// 7662), with name and password
    #[arg(long, value_name = "FILE")]
    introspect: Option<PathBuf>,
}

impl Sandbox {
    /// # Errors
    /// When it cannot be served, or not here.
    pub async fn run(self) -> anyhow::Result<Answer> {
        let What::Serve(serve) = self.what;
        let introspection =
            match &serve.introspect {
                Some(file) => Some(Introspection::read(file).with_context(|| {
                    format!("{} names no introspection endpoint", file.display())
                })?),
                None => None,
            };
        let options = Options {
            introspection,
            listen: address(&serve.listen)?,
            certificate: serve.cert.zip(serve.key),
            throttle: serve.throttle,
            ..Options::new(&serve.dir)
        };
        let running = sandbox::Sandbox::start(options).await.map_err(|error| match error {
            sandbox::Error::NotLoopback(_) => anyhow::Error::new(Stop::new(
                Exit::Usage,
                error.to_string(),
                "listen on 127.0.0.1 or [::1]: it holds your data and speaks to anybody with a token",
            )),
            other => other.into(),
        })?;
        output::tell(&welcome(&running.url, &serve.dir))?;
        stopped().await?;
        running.stop().await?;
        Ok(Answer::new(Page::default(), Json::Null))
    }
}

/// Where the organisation is to be found.
fn welcome(url: &str, dir: &Path) -> Page {
    let mut page = Page::default();
    page.line(format!("serving {url}"));
    page.line(format!("  Web API  {url}/api/data/v9.2/"));
    page.line(format!("  page     {url}/"));
    page.line(format!("  tokens   {}", dir.join("tokens").display()));
    page.line("stop with Ctrl-C");
    page
}

fn address(text: &str) -> anyhow::Result<SocketAddr> {
    let refused = || {
        Stop::new(
            Exit::Usage,
            format!("`{text}` is no address to listen on"),
            "write address and port: --listen 127.0.0.1:8820",
        )
    };
    text.to_socket_addrs().map_err(|_| refused())?.next().ok_or_else(|| refused().into())
}

/// Until somebody wants it to end.
async fn stopped() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed.context("wait for Ctrl-C"),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("wait for Ctrl-C")
}
