//! The log, set up in one place: a command writes to its standard error; the service writes to a file of bounded size and to the
//! journal or the standard error, whichever it was given. What is written at `info` or above has no content in it: that is the
//! duty of whoever writes it, and a test looks. Libraries that write down what is sent are never heard.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterFn, LevelFilter};
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

use super::Installation;
use anyhow::Context;

/// The file: numbered parts of bounded size, of which the oldest go.
pub mod file;

pub use file::Parts;

/// Says what is logged, for all who write.
const VARIABLE: &str = "LIAISON_LOG";

/// They write down what is sent, or what they were given to keep: passwords, tokens, messages; or complain on the terminal of
/// certificates, which is told better elsewhere.
const TALKATIVE: [&str; 15] = [
    "async_imap",
    "h2",
    "hyper",
    "hyper_util",
    "imap_proto",
    "keyring",
    "keyring_core",
    "lettre",
    "mail_parser",
    "oauth2",
    "reqwest",
    "rustls_platform_verifier",
    "tower",
    "zbus",
    "zbus_secret_service_keyring_store",
];

/// Those who write: one, or two.
type Writers = Vec<Box<dyn Layer<Quiet> + Send + Sync>>;

/// What they hang on.
type Quiet = Layered<reload::Layer<EnvFilter, Narrow>, Narrow>;
type Narrow = Layered<FilterFn, Registry>;

/// What a command has set up, for [`service`] to change.
struct Log {
    filter: reload::Handle<EnvFilter, Narrow>,
    writers: reload::Handle<Writers, Quiet>,
    verbose: u8,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Logs to the standard error: warnings, or more by `-v` or `LIAISON_LOG` (`debug`, `liaison::sync=trace`).
pub fn terminal(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let (filter, filter_handle) = reload::Layer::new(filter(level));
    let (writers, writers_handle) = reload::Layer::new(vec![standard_error()]);
    Registry::default().with(discreet()).with(filter).with(writers).init();
    // Set up once a process: `init` does not return where somebody was here before.
    drop(LOG.set(Log { filter: filter_handle, writers: writers_handle, verbose }));
}

/// Logs as a service does, from now on: what was done, into files in the state folder, and to the journal where the service
/// manager gave it one, else to the standard error. `-v` and `LIAISON_LOG` ask for more.
///
/// # Errors
/// When the folder of the log cannot be made.
pub fn service(here: &Installation) -> anyhow::Result<()> {
    let Some(log) = LOG.get() else { anyhow::bail!("there is no log to change") };
    let folder = folder(here);
    let parts = Parts::open(&folder)
        .with_context(|| format!("the log in {} cannot be written", folder.display()))?;
    let level = if log.verbose > 1 { LevelFilter::DEBUG } else { LevelFilter::INFO };
    log.filter.reload(filter(level))?;
    log.writers.reload(vec![to_file(parts), journal().unwrap_or_else(standard_error)])?;
    Ok(())
}

/// Where the parts of the log are.
pub fn folder(here: &Installation) -> PathBuf {
    here.directories.state.join("log")
}

fn filter(level: LevelFilter) -> EnvFilter {
    EnvFilter::builder()
        .with_default_directive(level.into())
        .with_env_var(VARIABLE)
        .from_env_lossy()
}

/// Whatever else is asked for, the talkative are not heard.
fn discreet() -> FilterFn {
    FilterFn::new(is_discreet)
}

fn is_discreet(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let of = target.split("::").next().unwrap_or(target);
    !TALKATIVE.contains(&of)
}

fn standard_error<S>() -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let is_terminal = std::io::stderr().is_terminal();
    fmt::layer().with_ansi(is_terminal).with_writer(std::io::stderr).boxed()
}

/// One JSON document a line, so that what a message contains can never look like another line.
fn to_file<S>(parts: Parts) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // A full disk must not fill the standard error, too.
    let layer = fmt::layer().json().with_current_span(false).log_internal_errors(false);
    layer.with_writer(Arc::new(parts)).boxed()
}

/// The journal, where the standard error of this process leads to it (`$JOURNAL_STREAM`, systemd.exec(5)): then the journal gets
/// fields instead of text.
#[cfg(target_os = "linux")]
fn journal<S>() -> Option<Box<dyn Layer<S> + Send + Sync>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let told = crate::config::paths::journal_stream()?;
    let own = rustix::fs::fstat(std::io::stderr()).ok()?;
    if told != format!("{}:{}", own.st_dev, own.st_ino) {
        return None;
    }
    let layer = tracing_journald::layer().ok()?;
    Some(layer.with_syslog_identifier("liaison".to_owned()).boxed())
}

#[cfg(not(target_os = "linux"))]
fn journal<S>() -> Option<Box<dyn Layer<S> + Send + Sync>> {
    None
}

#[cfg(test)]
mod tests;
