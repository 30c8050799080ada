//! `liaison setup`: from an address to the first round. Each step turns answers into more answers and shows that they work; where
//! an answer comes from is for `interview` to know, what becomes of it for `file`. The configuration is written once
//! everything in it works or was meant so, and only then is anything else done.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Read as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use serde_json::{Value as Json, json};

use super::doctor::{self, Examined, Which};
use super::lock::private_folder;
use super::output::{Answer, Page, note};
use super::{Exit, Installation, Stop};
use crate::config::Settings;
use crate::connector::dav::Collection;
use crate::connector::discover::{Found, Protocol};
use crate::secret::Secret;
use answers::Answers;
use interview::{Choice, Interview};

mod answers;
mod check;
mod choices;
mod collections;
mod file;
mod first;
mod interview;
mod mailbox;
mod organisation;
mod part;
mod questions;
mod search;
mod sign_in;

/// Set everything up, from your address to the first sync
///
/// Looks for your mail server, calendars and address book, signs in, asks for your organisation, checks every part, shows the
/// first plan and carries it out once you say so. Nothing is changed in the mailbox or the CRM before that. It can be stopped at any
/// question and goes on there the next time; run again, it starts from the present configuration and keeps what you wrote into it.
/// Without a terminal, flags and the file of --answers answer everything; what is left open is as it is now, or the usual.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Setup {
    /// A file of answers: `name = "answer"`, named like the flags below
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// Check everything, as it is configured or as the answers would have it, and change nothing
    #[arg(long)]
    check: bool,
    /// Read the password of the mailbox from the standard input, its first line, and keep it in the keyring
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    flags: Answers,
}

const EXAMPLES: &str = "\
Examples:
  liaison setup                                  asks
  liaison setup --address anna@example.org       asks for the rest
  liaison setup --answers answers.toml --json    asks nothing
  liaison setup --check                          is everything as it should be?";

/// What the steps share.
#[derive(Debug)]
struct Wizard<'a> {
    here: &'a Installation,
    interview: Interview,
    /// The file as it was found.
    text: Option<String>,
    found: Found,
    /// Collections that were listed, by the protocol they are spoken to in.
    listed: BTreeMap<Protocol, Vec<Collection>>,
    /// What was found out about each part, for the answer.
    checks: Vec<Json>,
    /// Of the mailbox, for the keyring.
    password: Option<Secret>,
    /// Ctrl-C, while no question is open.
    interrupts: Interrupts,
}

impl Setup {
    /// # Errors
    /// When something is left unanswered, does not work, or the person stopped.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let from_file = self.answers.as_deref().map(Answers::read).transpose()?;
        let given = self.flags.implied().or(from_file.unwrap_or_default().implied());
        let (text, present) = present(here)?;
        if self.check {
            let is_given = !given.is_empty();
            return check::run(here, text.as_deref(), &given.or(present), is_given).await;
        }
        let password = if self.password_stdin { Some(password()?) } else { None };
        // Where commands that print secrets run.
        private_folder(&here.home)
            .with_context(|| format!("the folder {} cannot be made", here.home.display()))?;
        let interview = Interview::new(given, present, here.json);
        let mut wizard = Wizard {
            here,
            interview,
            text,
            found: Found::default(),
            listed: BTreeMap::new(),
            checks: Vec::new(),
            password,
            interrupts: Interrupts::default(),
        };
        let interrupts = wizard.interrupts.clone();
        let ended = tokio::select! {
            // First: who waits for an interrupt within takes it.
            biased;
            ended = wizard.run() => ended,
            () = interrupts.left() => Err(interview::stopped()),
        };
        match &ended {
            Ok(_) => Answers::forget(&here.directories.state)?,
            Err(_) => wizard.keep()?,
        }
        ended
    }
}

/// Ctrl-C while no question is open: whoever waits for it takes it, else it ends the set-up.
#[derive(Debug, Clone, Default)]
struct Interrupts {
    taken: Arc<AtomicUsize>,
}

impl Interrupts {
    /// Waits for one, and takes it.
    async fn next(&self) {
        interrupted().await;
        self.taken.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits for one that nobody else takes.
    async fn left(&self) {
        loop {
            let taken = self.taken.load(Ordering::SeqCst);
            interrupted().await;
            if self.taken.load(Ordering::SeqCst) == taken {
                return;
            }
        }
    }
}

/// Where the system does not tell, nobody is waited for.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// More than any password has.
const PASSWORD_MAX: u64 = 4096;

/// The password that another program hands over.
fn password() -> anyhow::Result<Secret> {
    let mut line = String::new();
    std::io::stdin().lock().take(PASSWORD_MAX).read_line(&mut line).context("read the password")?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() || line.contains(char::is_control) {
        return Err(stop(
            Exit::SignIn,
            "that is no password",
            "`pass mail | liaison setup --password-stdin …`",
        ));
    }
    Ok(Secret::new(line))
}

/// The configuration as it is, and what it answers.
fn present(here: &Installation) -> anyhow::Result<(Option<String>, Answers)> {
    if !here.directories.config.exists() {
        return Ok((None, Answers::default()));
    }
    let loaded = here.load()?;
    Ok((Some(super::file::read(&here.directories.config)?), Answers::of(&loaded)))
}

impl Wizard<'_> {
    async fn run(&mut self) -> anyhow::Result<Answer> {
        self.resume()?;
        self.head("1 of 7  Your address")?;
        search::address(&mut self.interview)?;
        search::servers(self).await?;
        self.keep()?;
        self.head("2 of 7  Your messages")?;
        mailbox::email(self).await?;
        self.keep()?;
        self.head("3 of 7  Your contacts, appointments and tasks")?;
        collections::all(self).await?;
        self.keep()?;
        self.head("4 of 7  Sending")?;
        mailbox::sending(self).await?;
        self.keep()?;
        self.head("5 of 7  Your organisation")?;
        organisation::organisation(self).await?;
        self.write()?;
        self.head("6 of 7  What takes part")?;
        choices::choices(self).await?;
        self.write()?;
        self.head("7 of 7  The first round")?;
        first::round(self).await
    }

    /// Asks what to do with the answers of a set-up that was stopped.
    fn resume(&mut self) -> anyhow::Result<()> {
        let state = &self.here.directories.state;
        if !self.interview.is_terminal {
            return Ok(());
        }
        let draft = Answers::draft(state)?;
        if draft.is_empty() {
            return Ok(());
        }
        let asks = format!("You stopped after {} answers. What now?", draft.names().count());
        let choices = vec![
            Choice::new("on", "Go on from there"),
            Choice::new("again", "Look at each answer again"),
            Choice::new("afresh", "Start afresh"),
        ];
        let what = interview::decide(&asks, "↑↓ to move, Enter to choose", choices)?;
        match what.as_str() {
            "on" => self.interview.accept(draft),
            "again" => draft.names().for_each(|name| {
                self.interview.propose(name, draft.get(name).unwrap_or_default());
            }),
            _ => Answers::forget(state)?,
        }
        Ok(())
    }

    /// Keeps what was answered, should a person stop or the machine.
    fn keep(&self) -> anyhow::Result<()> {
        if self.interview.is_terminal {
            self.interview.kept().keep(&self.here.directories.state)?;
        }
        Ok(())
    }

    fn head(&self, title: &str) -> std::io::Result<()> {
        let mut page = Page::default();
        page.line("");
        page.line(title);
        page.line("─".repeat(title.chars().count()));
        self.interview.say(&page)
    }

    /// The file as the answers would have it.
    fn draft(&self) -> anyhow::Result<String> {
        let file = &self.here.directories.config;
        Ok(file::write(self.text.as_deref(), file, &self.interview.answers)?)
    }

    /// The settings as far as they are known.
    fn settings(&self) -> anyhow::Result<Settings> {
        let directories = &self.here.directories;
        Ok(file::settings(&self.draft()?, &directories.config, directories.home.as_deref())?)
    }

    /// Writes the configuration, if it is another one now.
    fn write(&mut self) -> anyhow::Result<()> {
        self.keep()?;
        let text = self.draft()?;
        if self.text.as_ref() == Some(&text) {
            return Ok(());
        }
        super::file::change(self.here, &text)?;
        self.text = Some(text);
        let mut page = Page::default();
        page.line(format!("written: {}", self.here.directories.config.display()));
        self.interview.say(&page)?;
        Ok(())
    }

    /// What can be said of parts as they would be configured.
    async fn look(&self, parts: &[Which]) -> anyhow::Result<Vec<Examined>> {
        Ok(doctor::look(self.here, &self.settings()?, parts.to_vec()).await)
    }
}

/// Where nobody reads pages, what a person must know goes to the messages.
fn remark(interview: &Interview, text: &str) -> std::io::Result<()> {
    let mut page = Page::default();
    page.wrapped("! ", text);
    if interview.is_terminal {
        return interview.say(&page);
    }
    note(page.as_str().trim_end());
    Ok(())
}

/// Why the set-up ends here.
fn stop(exit: Exit, message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Stop::new(exit, message, hint).into()
}

/// The document for programs.
fn told(wizard: &Wizard<'_>, more: Vec<(&str, Json)>) -> Json {
    let mut json = json!({
        "version": 1,
        "file": wizard.here.directories.config.display().to_string(),
        "parts": wizard.checks,
    });
    if let Some(object) = json.as_object_mut() {
        object.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }
    json
}
