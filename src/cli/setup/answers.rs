//! The questions of the set-up and the answers to them: by flag, by file, from the present configuration, or kept from the last time.
//! Nothing here is a secret: where one is
//! needed, the answer says where it is to be had.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, FromArgMatches};

use super::questions::QUESTIONS;
use crate::cli::lock::{private_file, private_folder};
use crate::cli::{Exit, Stop};
use crate::config::error::did_you_mean;
use crate::config::{Loaded, Origin};
use crate::model::Class;

/// More than anybody answers.
const BYTES_MAX: u64 = 256 << 10;

/// Below the state folder: what was answered when the set-up was stopped.
const DRAFT: &str = "setup.toml";

/// Answers, by the names of their questions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answers(BTreeMap<&'static str, String>);

impl Answers {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn set(&mut self, name: &'static str, answer: impl Into<String>) {
        self.0.insert(name, answer.into());
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// These, and the others where these say nothing.
    pub(super) fn or(mut self, others: Self) -> Self {
        for (name, answer) in others.0 {
            self.0.entry(name).or_insert(answer);
        }
        self
    }

    /// Who names where a secret is to be had has chosen how to sign in.
    pub(super) fn implied(mut self) -> Self {
        for asked in &QUESTIONS {
            let Some(part) = asked.name.strip_suffix("-sign-in") else { continue };
            let has = |end: &str| self.get(&format!("{part}-{end}")).is_some();
            let token = if part == "organisation" { "command" } else { "token" };
            let ways = [
                ("password-command", "command"),
                ("token-command", token),
                ("credential", "systemd"),
            ];
            let way = ways.iter().find(|(end, _)| has(end)).map(|(_, way)| *way);
            if let (None, Some(way)) = (self.get(asked.name), way) {
                self.set(asked.name, way);
            }
        }
        self
    }

    /// Reads a file: `name = "answer"`, one a line; numbers and truth values as they are in TOML.
    ///
    /// # Errors
    /// When it cannot be read, or holds what is no answer to any question.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let mut text = String::new();
        fs::File::open(file)
            .and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text))
            .with_context(|| format!("{} cannot be read", file.display()))?;
        Self::parse(&text).map_err(|(message, hint)| {
            Stop::new(Exit::Usage, format!("{}: {message}", file.display()), hint).into()
        })
    }

    fn parse(text: &str) -> Result<Self, (String, String)> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            (
                error.message().to_owned(),
                "write answers like this: address = \"anna@example.org\"".to_owned(),
            )
        })?;
        let mut answers = Self::default();
        for (key, value) in table {
            let names = QUESTIONS.iter().map(|asked| asked.name);
            let Some(name) = names.clone().find(|name| *name == key) else {
                return Err((format!("there is no question `{key}`"), did_you_mean(&key, names)));
            };
            let answer = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(yes) => word(yes).to_owned(),
                other => {
                    let message = format!("the answer to `{key}` is {}", other.type_str());
                    return Err((message, "write it as text, in quotation marks".to_owned()));
                }
            };
            answers.set(name, answer);
        }
        Ok(answers)
    }

    /// What the present configuration says.
    pub(super) fn of(loaded: &Loaded) -> Self {
        let mut answers = Self::default();
        let organisation = loaded.settings.sync_organisation().map(|(name, _)| name.to_owned());
        let prefix = organisation.as_ref().map(|name| format!("organisation.{name}."));
        let written = |setting: &str| {
            let key = match (&prefix, setting.strip_prefix("organisation.*.")) {
                (Some(prefix), Some(rest)) => format!("{prefix}{rest}"),
                _ => setting.to_owned(),
            };
            let found = loaded.effective.iter().find(|one| one.key == key)?;
            let is_own = matches!(found.origin, Origin::File { .. });
            found.value.as_deref().filter(|_| is_own).map(plain)
        };
        for asked in QUESTIONS.iter().filter(|asked| !asked.setting.is_empty()) {
            if let Some(answer) = written(asked.setting) {
                answers.set(asked.name, answer);
            }
        }
        for name in ["contacts", "appointments", "tasks"] {
            let url = written(&format!("mailbox.{name}.url"));
            let path = || written(&format!("mailbox.{name}.path"));
            let nowhere = || "none".to_owned();
            answers.set(name, url.or_else(path).unwrap_or_else(nowhere));
        }
        let aliases = loaded.settings.mailbox.aliases.iter().map(ToString::to_string);
        let aliases: Vec<String> = aliases.collect();
        if !aliases.is_empty() {
            answers.set("aliases", aliases.join(", "));
        }
        if answers.get("email").is_none() {
            answers.set("email", "none");
        }
        for part in ["email", "contacts", "appointments", "tasks"] {
            let of = |key: &str| written(&format!("mailbox.{part}.{key}"));
            answers.signs_in(part, &of, "oauth");
        }
        answers.signs_in("organisation", &|key| written(&format!("organisation.*.{key}")), "auth");
        if let Some(filters) = written("sync.contact.organisation_filters") {
            answers.set("organisation-filters", filters);
        }
        let sync = &loaded.settings.sync;
        let off: BTreeSet<&String> =
            Class::ALL.iter().flat_map(|class| &sync.of(*class).filters_off).collect();
        if !off.is_empty() {
            let off: Vec<&str> = off.into_iter().map(String::as_str).collect();
            answers.set("filters-off", off.join("; "));
        }
        answers.0.extend(organisation.map(|name| ("organisation", name)));
        answers
    }

    /// How somebody signs in at a part, as its section says.
    fn signs_in(&mut self, part: &str, of: &dyn Fn(&str) -> Option<String>, oauth: &str) {
        let ways = [
            ("password.keyring", "keyring"),
            ("password.command", "command"),
            ("token.command", "token"),
            ("password.credential", "systemd"),
            ("auth.command", "command"),
            ("oauth.client_id", "oauth"),
            ("auth.client_id", "oauth"),
        ];
        let way = ways.iter().find(|(key, _)| of(key).is_some());
        let name = QUESTIONS.iter().find(|asked| asked.name == format!("{part}-sign-in"));
        if let (Some((_, way)), Some(name)) = (way, name) {
            self.set(name.name, *way);
        }
        for (key, name) in [
            ("tenant", "oauth-tenant"),
            ("issuer", "oauth-issuer"),
            ("client_id", "oauth-client-id"),
        ] {
            if let Some(answer) = of(&format!("{oauth}.{key}")) {
                self.set(name, answer);
            }
        }
    }

    /// What was answered when the set-up was stopped.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(super) fn draft(state: &Path) -> anyhow::Result<Self> {
        let file = state.join(DRAFT);
        if file.exists() { Self::read(&file) } else { Ok(Self::default()) }
    }

    /// Keeps the answers for the next time, for the owner's eyes only.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn keep(&self, state: &Path) -> anyhow::Result<()> {
        let table: toml::Table = self
            .0
            .iter()
            .map(|(name, answer)| ((*name).to_owned(), answer.clone().into()))
            .collect();
        let file = state.join(DRAFT);
        let unwritten = || format!("{} cannot be written", file.display());
        private_folder(state).with_context(unwritten)?;
        let beside = file.with_extension("toml.new");
        let mut new = private_file(&beside).with_context(unwritten)?;
        let write = |new: &mut fs::File| {
            new.set_len(0)?;
            new.write_all(table.to_string().as_bytes())?;
            new.sync_all()?;
            fs::rename(&beside, &file)
        };
        write(&mut new).with_context(unwritten)
    }

    /// Forgets what was kept.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub(super) fn forget(state: &Path) -> anyhow::Result<()> {
        let file = state.join(DRAFT);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} cannot be removed", file.display()))
            }
            _ => Ok(()),
        }
    }
}

impl FromArgMatches for Answers {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut answers = Self::default();
        answers.update_from_arg_matches(matches)?;
        Ok(answers)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for asked in &QUESTIONS {
            if let Some(answer) = matches.get_one::<String>(asked.name) {
                self.set(asked.name, answer.clone());
            }
        }
        Ok(())
    }
}

impl clap::Args for Answers {
    fn augment_args(command: Command) -> Command {
        QUESTIONS.iter().fold(command, |command, asked| {
            let flag = Arg::new(asked.name).long(asked.name).value_name(asked.value);
            command.arg(flag.help(asked.help).help_heading("Answers"))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// `yes` or `no`.
pub(super) fn word(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// What a word of agreement means.
pub(super) fn is_yes(answer: &str) -> Option<bool> {
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" | "true" => Some(true),
        "n" | "no" | "false" => Some(false),
        _ => None,
    }
}

/// A value of the configuration without what TOML needs around it.
fn plain(value: &str) -> String {
    let text = format!("it = {value}").parse::<toml::Table>().ok();
    let text = text.as_ref().and_then(|table| table.get("it")?.as_str());
    text.unwrap_or(value).to_owned()
}

/// A path as the file understands it, from where the command was given: the configuration lies elsewhere.
///
/// # Errors
/// When there is no folder to start from.
pub(super) fn from_here(path: &str) -> std::io::Result<PathBuf> {
    std::path::absolute(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_answers_by_name_and_a_wrong_name_is_refused() {
        let answers =
            Answers::parse("address = \"a@b.example\"\nemail-port = 1993\nsend = true").unwrap();
        assert_eq!(answers.get("email-port"), Some("1993"));
        assert_eq!(answers.get("send"), Some("yes"));
        for (text, part, hint) in [
            ("adress = \"a\"", "no question `adress`", "`address`"),
            ("send = [1]", "`send` is array", "quotation"),
            ("x", "", "like this"),
        ] {
            let (message, told) = Answers::parse(text).unwrap_err();
            assert!(message.contains(part) && told.contains(hint), "{message} {told}");
        }
    }

    #[test]
    fn what_was_answered_is_kept_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        assert!(Answers::draft(&state).unwrap().is_empty());
        let mut answers = Answers::default();
        answers.set("address", "anna \"the\" one");
        answers.keep(&state).unwrap();
        answers.set("email", "imap");
        answers.keep(&state).unwrap();
        assert_eq!(Answers::draft(&state).unwrap(), answers);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(state.join(DRAFT)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        Answers::forget(&state).unwrap();
        Answers::forget(&state).unwrap();
        assert!(Answers::draft(&state).unwrap().is_empty());
    }

    #[test]
    fn the_present_configuration_answers_what_it_says_itself() {
        let text = "[organisation.one]\nurl = \"https://one.example\"\nsync = true\n\
            auth = { kind = \"token\", command = \"print \\\"it\\\"\" }\n[mailbox]\naddress = \"a@b.example\"\n\
            [mailbox.contacts]\nkind = \"vdir\"\npath = \"cards\"\n[sync.contact]\ntrack = \"all\"\n";
        let loaded = crate::config::parse(text, Path::new("/x/config.toml"), None).unwrap();
        let answers = Answers::of(&loaded);
        for (name, expected) in [
            ("organisation", Some("one")),
            ("organisation-url", Some("https://one.example")),
            ("organisation-token-command", Some("print \"it\"")),
            ("contacts", Some("cards")),
            ("tasks", Some("none")),
            ("email", Some("none")),
            ("track-contact", Some("all")),
            ("track-task", None),
        ] {
            assert_eq!(answers.get(name), expected, "{name}");
        }
    }
}
