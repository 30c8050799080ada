//! `liaison doctor --bundle`: one file for a ticket, with everything that helps to find out what is wrong and nothing that is
//! anybody's: settings, findings, state, the last rounds, counts of the store, and the end of the log, all of it redacted.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value as Json, json};

use super::redact::Redactor;
use crate::cli::output::{Answer, Page};
use crate::cli::status::Status;
use crate::cli::{Exit, Installation, Stop, identity, log, logging};
use crate::config::{Effective, Loaded, Origin};
use crate::store::{meta, round, statistics};

/// How many rounds, and how many entries of the log.
const ROUNDS: u32 = 20;
const ENTRIES: usize = 1000;

/// Settings that are one of a few words, a number, or yes or no: the last part of their keys.
const OPEN: [&str; 27] = [
    "conflict",
    "content",
    "create_people",
    "creates_max",
    "creates_percent",
    "crm",
    "deletes",
    "deletes_max",
    "deletes_percent",
    "digits",
    "direction",
    "kind",
    "mailbox",
    "on_leave",
    "organisation_filters",
    "port",
    "private",
    "requests_per_day",
    "security",
    "send",
    "smart_matching",
    "sync",
    "track",
    "updates_max",
    "updates_percent",
    "write",
    "zone",
];

const HEAD: &str = "\
Liaison: a report for a ticket

Names, addresses, hosts, paths, commands and all words that are not the program's own are replaced by words like
host-1f3a9c: the same one stands for the same thing throughout. Have a look at it all the same before you send it.
";

/// Writes the file; `found` is what the doctor found.
///
/// # Errors
/// When the file is there already, or cannot be written.
pub async fn write(
    here: &Installation,
    file: &Path,
    found: anyhow::Result<Answer>,
) -> anyhow::Result<Answer> {
    let loaded = here.load();
    let salt = match salt(here).await {
        Some(salt) => salt,
        None => here.clock.unique(),
    };
    let known = loaded.as_ref().map(|loaded| known(loaded)).unwrap_or_default();
    let redactor = Redactor::new(salt, known);
    let mut text = HEAD.to_owned();
    let mut section = |title: &str, body: anyhow::Result<String>| {
        let body = body.unwrap_or_else(|error| {
            format!("could not be had: {}", redactor.text(&format!("{error:#}")))
        });
        text.push_str(&format!("\n== {title}\n\n{}\n", body.trim_end()));
    };
    section("Program", Ok(program(here)));
    section("Settings", loaded.map(|loaded| settings(&loaded, &redactor)).map_err(Into::into));
    section("What was found", found.map(|answer| pretty(&redactor, &answer.json)));
    let status = status(here).await;
    section("Status", status.map(|json| pretty(&redactor, &json)));
    section("Last rounds", rounds(here, &redactor).await);
    section("Store", store(here).await);
    section("Log", entries(here, &redactor));

    save(file, &text).with_context(|| format!("{} cannot be written", file.display()))?;
    let mut page = Page::default();
    page.line(format!("written: {}", file.display()));
    let answer = Answer::new(page, json!({ "version": 1, "file": file, "bytes": text.len() }));
    Ok(answer.note("→ have a look at it before you send it"))
}

/// Never over another file; readable by its owner only, until they send it.
fn save(file: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut new = options.open(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            let message = format!("{} is there already", file.display());
            Stop::new(Exit::Failed, message, "name another file").into()
        }
        _ => anyhow::Error::from(error),
    })?;
    Ok(new.write_all(text.as_bytes())?)
}

/// What stays the same for this installation, and here.
async fn salt(here: &Installation) -> Option<uuid::Uuid> {
    let store = here.existing_store().await.ok()??;
    let kept = store.read(|db| meta::get(db, meta::INSTANCE)).await.ok()??;
    identity::id(&kept)
}

/// What the settings name: all texts that are not one of a few words.
fn known(loaded: &Loaded) -> Vec<(String, &'static str)> {
    let mut known = Vec::new();
    for setting in &loaded.effective {
        let (Some(value), Origin::File { .. }) = (&setting.value, setting.origin) else { continue };
        let parsed = toml::from_str::<toml::Table>(&format!("value = {value}"));
        if is_open(&setting.key) {
            continue;
        }
        for text in parsed.iter().flat_map(toml::Table::values).flat_map(texts) {
            // Shorter ones would be found in other words.
            if text.chars().count() > 3 {
                known.push((text, kind(&setting.key)));
            }
        }
    }
    known
}

fn texts(value: &toml::Value) -> Vec<String> {
    match value {
        toml::Value::String(text) => vec![text.clone()],
        toml::Value::Array(list) => list.iter().flat_map(texts).collect(),
        toml::Value::Table(table) => table.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn last_part(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(_, last)| last)
}

fn is_open(key: &str) -> bool {
    OPEN.contains(&last_part(key)) || key.contains(".fields.")
}

/// What a setting holds.
fn kind(key: &str) -> &'static str {
    match last_part(key) {
        "auth" | "password" | "token" | "command" | "client_id" | "tenant" => "secret",
        "url" | "host" => "host",
        "address" | "aliases" | "user" | "block" => "address",
        "path" | "ca" | "folders" | "leave_out" => "path",
        _ => "text",
    }
}

fn program(here: &Installation) -> String {
    let system = std::fs::read_to_string("/etc/os-release").ok();
    let name = system
        .as_deref()
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "version   {}\nsystem    {} {}, {}, {}\nmade      {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        name.unwrap_or("?").trim_matches('"'),
        kernel.split('-').next().unwrap_or_default().trim(),
        here.clock.now(),
    )
}

fn settings(loaded: &Loaded, redactor: &Redactor) -> String {
    let line = |setting: &Effective| {
        let key = setting_key(&setting.key, redactor);
        let value = match (&setting.value, setting.origin) {
            (None, _) => "(not set)".to_owned(),
            (Some(value), Origin::Default) => value.clone(),
            (Some(value), Origin::File { .. }) if is_open(&setting.key) || is_plain(value) => {
                value.clone()
            }
            (Some(value), Origin::File { .. }) => redactor.name(kind(&setting.key), value),
        };
        format!("{key} = {value}  # {}\n", setting.origin)
    };
    loaded.effective.iter().map(line).collect()
}

fn is_plain(value: &str) -> bool {
    matches!(value, "true" | "false" | "[]")
        || value.parse::<i64>().is_ok_and(|number| number < 1_000_000)
}

/// Organisations have names that somebody gave them.
fn setting_key(key: &str, redactor: &Redactor) -> String {
    match key.strip_prefix("organisation.").and_then(|rest| rest.rsplit_once('.')) {
        Some((name, last)) => {
            format!("organisation.{}.{last}", redactor.name("organisation", name))
        }
        None if key.starts_with("offline.filters.") => redactor.name("offline.filters", key),
        None => key.to_owned(),
    }
}

async fn status(here: &Installation) -> anyhow::Result<Json> {
    if here.existing_store().await?.is_none() {
        return Ok("nothing was synced yet".into());
    }
    Ok(Status::default().run(here).await?.json)
}

async fn rounds(here: &Installation, redactor: &Redactor) -> anyhow::Result<String> {
    let Some(store) = here.existing_store().await? else { return Ok("none".to_owned()) };
    let rounds = store.read(|db| round::latest(db, ROUNDS)).await?;
    let line = |round: &round::Round| {
        let ended = round.finished.map_or_else(|| "not ended".to_owned(), |at| at.to_string());
        let (report, trigger) = (redactor.json(&round.report), redactor.text(&round.trigger));
        format!("{} {} {ended} {trigger} {report}\n", round.id, round.started)
    };
    Ok(rounds.iter().map(line).collect())
}

async fn store(here: &Installation) -> anyhow::Result<String> {
    let Some(store) = here.existing_store().await? else { return Ok("none".to_owned()) };
    let found = store.read(statistics::of).await?;
    let head = format!("version {}, {} bytes\n", found.version, found.bytes);
    let rows = found.tables.iter().map(|(table, rows)| format!("{rows:>9} {table}\n"));
    Ok(head + &rows.collect::<String>())
}

/// Details may hold what things say, whatever is done to them: they stay out.
fn entries(here: &Installation, redactor: &Redactor) -> anyhow::Result<String> {
    let told = |entry: &log::Entry| match entry {
        log::Entry::Line(json) if is_grave(json) => {
            let part =
                |key: &str| json.get(key).map(|part| redactor.json(part)).unwrap_or_default();
            let plain =
                |key: &str| json.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
            let at = entry.at().map(|at| at.to_string()).unwrap_or_default();
            let line: [&dyn Display; 5] =
                [&at, &plain("level"), &plain("target"), &part("spans"), &part("fields")];
            Some(line.map(ToString::to_string).join(" ") + "\n")
        }
        log::Entry::Line(_) => None,
        log::Entry::Broken(_) => Some("(a line that is broken)\n".to_owned()),
    };
    let entries = log::tail(&logging::folder(here), ENTRIES)?;
    Ok(entries.iter().filter_map(told).collect())
}

fn is_grave(json: &Json) -> bool {
    let level = json.get("level").and_then(Json::as_str);
    matches!(level, Some("INFO" | "WARN" | "ERROR"))
}

fn pretty(redactor: &Redactor, json: &Json) -> String {
    format!("{:#}", redactor.json(json))
}
