//! `liaison doctor`: whether each part of the mailbox and the CRM can be used, and how. Writes nothing anywhere.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use futures_util::future::join_all;
use serde_json::{Value as Json, json};

use super::mailbox::Part;
use super::output::{Answer, Page};
use super::progress::Waiting;
use super::{Exit, Installation, Stop};
use crate::config::Settings;
use crate::connector::error::system_word;
use crate::connector::finding::{Finding, Grade, Topic};
use crate::connector::{dataverse, dav, imap, pop3, smtp};
use crate::model::Class;

/// One file for a ticket.
pub mod bundle;
/// What may be in it.
pub mod redact;

/// Check every part of the mailbox and the CRM, and say what is missing
///
/// For each part: whether it can be reached, the certificate, what the server can do, the sign-in, what you may do there, the
/// clock, how changes will be found, and what cannot be had. Nothing is written anywhere. A certificate that is not trusted is
/// shown with its SHA-256, for `pin`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Doctor {
    /// Only these parts
    #[arg(value_name = "PART", value_enum)]
    parts: Vec<Which>,
    /// Write all that helps to find out what is wrong into this file, fit for a ticket: no names, addresses, contents or secrets
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  liaison doctor                      everything that is configured
  liaison doctor email crm            only these
  liaison doctor --bundle report.txt  one file, to be sent with a question

Signs: ✓ good   ! works, but not fully   ✗ does not work
Exit codes: 0 all can be used, 1 something cannot, 6 a sign-in was refused";

/// A part, by what a person calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Which {
    Email,
    Submission,
    #[value(alias = "contacts")]
    Contact,
    #[value(alias = "appointments")]
    Appointment,
    #[value(alias = "tasks")]
    Task,
    Crm,
}

impl Which {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Email => Class::Email.as_str(),
            Self::Submission => "submission",
            Self::Contact => Class::Contact.as_str(),
            Self::Appointment => Class::Appointment.as_str(),
            Self::Task => Class::Task.as_str(),
            Self::Crm => "crm",
        }
    }

    fn class(self) -> Option<Class> {
        match self {
            Self::Email => Some(Class::Email),
            Self::Contact => Some(Class::Contact),
            Self::Appointment => Some(Class::Appointment),
            Self::Task => Some(Class::Task),
            Self::Submission | Self::Crm => None,
        }
    }

    fn is_configured(self, settings: &Settings) -> bool {
        match self {
            Self::Submission => settings.mailbox.submission.is_some(),
            Self::Crm => settings.sync_organisation().is_some(),
            _ => self.class().is_some_and(|class| settings.mailbox.folder(class).is_some()),
        }
    }
}

/// What was looked at once, and what was found. A calendar may be where appointments and tasks are.
pub(super) struct Examined {
    pub(super) parts: Vec<Which>,
    /// Where it is, in words.
    pub(super) at: String,
    pub(super) findings: Vec<Finding>,
}

impl Doctor {
    /// # Errors
    /// When the configuration cannot be used, or a part is named that it does not have.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        match &self.bundle {
            None => self.look(here).await,
            Some(file) => bundle::write(here, file, self.look(here).await).await,
        }
    }

    async fn look(&self, here: &Installation) -> anyhow::Result<Answer> {
        let loaded = here.load()?;
        let settings = &loaded.settings;
        let has: Vec<Which> = Which::value_variants()
            .iter()
            .copied()
            .filter(|part| part.is_configured(settings))
            .collect();
        if let Some(missing) = self.parts.iter().find(|part| !has.contains(part)) {
            let names: Vec<&str> = has.iter().map(|part| part.as_str()).collect();
            return Err(Stop::new(
                Exit::Configuration,
                format!("the configuration has no part `{}`", missing.as_str()),
                format!("it has: {}", names.join(", ")),
            )
            .into());
        }
        let wanted: Vec<Which> = has
            .into_iter()
            .filter(|part| self.parts.is_empty() || self.parts.contains(part))
            .collect();
        Ok(tell(&look(here, settings, wanted).await))
    }
}

/// Examines parts, all at once; those that the configuration does not have are passed over.
pub(super) async fn look(
    here: &Installation,
    settings: &Settings,
    wanted: Vec<Which>,
) -> Vec<Examined> {
    let wanted: Vec<Which> =
        wanted.into_iter().filter(|part| part.is_configured(settings)).collect();
    let waiting = Waiting::new(here.json, wanted.iter().map(|part| part.as_str()));
    let examined = join_all(places(here, settings, wanted).into_iter().map(async |parts| {
        let examined = examine(here, settings, &parts).await;
        for part in &parts {
            waiting.done(part.as_str());
        }
        examined
    }));
    examined.await.into_iter().flatten().collect()
}

/// Parts that are at one place, together.
fn places(here: &Installation, settings: &Settings, wanted: Vec<Which>) -> Vec<Vec<Which>> {
    let classes = here.mailbox(settings).parts(wanted.iter().filter_map(|part| part.class()));
    let mut places: Vec<Vec<Which>> = Vec::new();
    for part in wanted {
        let shares = |other: &Which| {
            let mut together = classes.iter().map(|(classes, _)| classes);
            together.any(|all| {
                [part, *other]
                    .iter()
                    .all(|one| one.class().is_some_and(|class| all.contains(&class)))
            })
        };
        match places.iter_mut().find(|place| place.first().is_some_and(shares)) {
            Some(place) => place.push(part),
            None => places.push(vec![part]),
        }
    }
    places
}

/// `None` where the configuration does not have the part.
async fn examine(here: &Installation, settings: &Settings, parts: &[Which]) -> Option<Examined> {
    let part = *parts.first()?;
    let (at, findings) = match (part, part.class()) {
        (_, Some(class)) => {
            let classes = parts.iter().filter_map(|part| part.class());
            let (_, folder) = here.mailbox(settings).parts(classes).pop()?;
            examine_class(here, class, folder).await
        }
        (Which::Submission, _) => {
            let options = here.mailbox(settings).submission()?;
            let findings = smtp::examine(&options, &here.clock).await;
            (format!("SMTP, {}", options.server), findings)
        }
        _ => {
            let (name, organisation) = settings.sync_organisation()?;
            let options = here.options(name, organisation, settings);
            let directions = settings.classes();
            let purpose = dataverse::Purpose {
                directions: directions
                    .map(|class| (class, settings.sync.of(class).direction))
                    .collect(),
                me: settings.mailbox.me(),
            };
            let findings = dataverse::examine(options, &purpose, here.clock.clone()).await;
            (format!("`{name}`, {}", organisation.url), findings)
        }
    };
    Some(Examined { parts: parts.to_vec(), at, findings })
}

async fn examine_class(here: &Installation, class: Class, part: Part) -> (String, Vec<Finding>) {
    let clock = &here.clock;
    match part {
        Part::Maildir(options) => ("Maildir".to_owned(), folder(&options.path)),
        Part::Vdir(options) => ("vdir".to_owned(), folder(&options.path)),
        Part::Imap(options) => {
            (format!("IMAP, {}", options.server), imap::examine(&options, clock).await)
        }
        Part::Pop3(options) => {
            (format!("POP3, {}", options.server), pop3::examine(&options, clock).await)
        }
        Part::Dav(options) => {
            let kind = if class == Class::Contact { "CardDAV" } else { "CalDAV" };
            (format!("{kind}, {}", options.url), dav::examine(*options, clock.clone()).await)
        }
    }
}

/// A folder on this machine.
fn folder(path: &Path) -> Vec<Finding> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let mut findings =
                vec![Finding::new(Topic::Reachable, Grade::Good, format!("{shown} is a folder"))];
            if found.permissions().readonly() {
                let says = format!("{shown} cannot be written to: nothing comes from the CRM");
                findings.push(Finding::new(Topic::Rights, Grade::Limited, says));
            }
            let strategy =
                "the system tells when a file changes; all files are looked at each time";
            findings.push(Finding::new(Topic::Strategy, Grade::Good, strategy));
            findings
        }
        Ok(_) => vec![Finding::new(Topic::Reachable, Grade::Bad, format!("{shown} is no folder"))],
        Err(error) => {
            let word = system_word(&error).unwrap_or_else(|| error.to_string());
            let says = format!("{shown}: {word}");
            let finding = Finding::new(Topic::Reachable, Grade::Bad, says);
            vec![finding.hint("make it, or correct `path` in the configuration")]
        }
    }
}

/// What was found, and whether all of it can be used.
pub(super) fn tell(examined: &[Examined]) -> Answer {
    let mut page = Page::default();
    let mut parts = Vec::new();
    for Examined { parts: serves, at, findings } in examined {
        page.gap();
        let names: Vec<&str> = serves.iter().map(|part| part.as_str()).collect();
        page.line(format!("{} ({at})", names.join(" and ")));
        for finding in findings {
            let text = format!("{}: {}", finding.topic.as_str(), finding.says);
            page.wrapped(&format!("  {} ", sign(finding.grade)), &text);
            if let Some(hint) = &finding.hint {
                page.wrapped("    → ", hint);
            }
        }
        let listed: Vec<Json> = findings.iter().map(json).collect();
        parts.push(json!({ "parts": names, "at": at, "findings": listed }));
    }
    let any = |grade: Grade, topic: Option<Topic>| {
        let mut all = examined.iter().flat_map(|one| &one.findings);
        all.any(|one| one.grade == grade && topic.is_none_or(|topic| one.topic == topic))
    };
    let exit = match (any(Grade::Bad, Some(Topic::SignIn)), any(Grade::Bad, None)) {
        (true, _) => Exit::SignIn,
        (false, true) => Exit::Failed,
        (false, false) => Exit::Done,
    };
    page.gap();
    page.line(match exit {
        Exit::Done if any(Grade::Limited, None) => {
            "All of it can be used, within limits: see the lines with !"
        }
        Exit::Done => "All of it can be used.",
        _ => "Something cannot be used: see the lines with ✗",
    });
    let usable = exit == Exit::Done;
    Answer::new(page, json!({ "version": 1, "usable": usable, "parts": parts })).exit(exit)
}

fn json(finding: &Finding) -> Json {
    json!({
        "topic": finding.topic.as_str(),
        "grade": word(finding.grade),
        "says": finding.says,
        "hint": finding.hint,
    })
}

fn sign(grade: Grade) -> char {
    match grade {
        Grade::Good => '✓',
        Grade::Limited => '!',
        Grade::Bad => '✗',
    }
}

fn word(grade: Grade) -> &'static str {
    match grade {
        Grade::Good => "good",
        Grade::Limited => "limited",
        Grade::Bad => "bad",
    }
}
