//! `liaison doctor`: whether each part of the mailbox and the CRM can be used, and how. Writes nothing anywhere.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::mailbox::Part;
use super::output::{Answer, Page};
use super::{Exit, Installation};
use crate::config::Settings;
use crate::connector::finding::{Finding, Grade, Topic};
use crate::connector::{dataverse, dav, imap, pop3, smtp};
use crate::model::Class;

/// Check every part of the mailbox and the CRM, and say what is missing
///
/// For each part: whether it can be reached, the certificate, what the server can do, the sign-in, what you may do there, the
/// clock, and how changes will be found. Nothing is written anywhere.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison doctor            everything\n  liaison doctor email crm  only these\n\nExit codes: 0 all can be used, 1 something cannot, 6 a sign-in was refused"
)]
pub struct Doctor {
    /// Which parts: email, submission, contact, appointment, task, crm (else all)
    #[arg(value_name = "PART")]
    parts: Vec<String>,
}

/// One part and what was found.
struct Examined {
    part: String,
    at: String,
    findings: Vec<Finding>,
}

impl Doctor {
    /// # Errors
    /// When the configuration cannot be used, or a part is named that it does not have.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let loaded = here.load()?;
        let settings = &loaded.settings;
        let mut examined = Vec::new();
        for class in Class::ALL {
            if settings.mailbox.folder(class).is_some() && self.wants(class.as_str()) {
                examined.push(examine_class(here, settings, class).await);
            }
        }
        if self.wants("submission")
            && let Some(options) = here.mailbox(settings).submission()
        {
            let findings = smtp::examine(&options, &here.clock).await;
            let at = format!("SMTP, {}", options.server);
            examined.push(Examined { part: "submission".to_owned(), at, findings });
        }
        if self.wants("crm")
            && let Some((name, organisation)) = settings.sync_organisation()
        {
            let options = here.options(name, organisation, settings);
            let at = format!("`{name}`, {}", organisation.url);
            let findings = dataverse::examine(options, here.clock.clone()).await;
            examined.push(Examined { part: "crm".to_owned(), at, findings });
        }
        if let Some(unknown) =
            self.parts.iter().find(|part| !examined.iter().any(|one| one.part == **part))
        {
            let known: Vec<&str> = examined.iter().map(|one| one.part.as_str()).collect();
            anyhow::bail!(
                "the configuration has no part `{unknown}`; looked at: {}",
                known.join(", ")
            );
        }
        Ok(tell(&examined))
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }
}

async fn examine_class(here: &Installation, settings: &Settings, class: Class) -> Examined {
    let (mut at, mut findings) = (String::new(), Vec::new());
    for (_, part) in here.mailbox(settings).parts([class]) {
        let clock = &here.clock;
        (at, findings) = match part {
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
        };
    }
    Examined { part: class.to_string(), at, findings }
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
            let mut finding =
                Finding::new(Topic::Reachable, Grade::Bad, format!("{shown}: {error}"));
            finding.hint = Some("make it, or correct `path` in the configuration".to_owned());
            vec![finding]
        }
    }
}

fn tell(examined: &[Examined]) -> Answer {
    let mut page = Page::default();
    let mut parts = Vec::new();
    for Examined { part, at, findings } in examined {
        page.gap();
        page.line(format!("{part} ({at})"));
        for finding in findings {
            page.line(format!(
                "  {} {}: {}",
                sign(finding.grade),
                finding.topic.as_str(),
                finding.says
            ));
            if let Some(hint) = &finding.hint {
                page.line(format!("      → {hint}"));
            }
        }
        let listed: Vec<Json> = findings
            .iter()
            .map(|finding| {
                json!({
                    "topic": finding.topic.as_str(),
                    "grade": word(finding.grade),
                    "says": finding.says,
                    "hint": finding.hint,
                })
            })
            .collect();
        parts.push(json!({ "part": part, "at": at, "findings": listed }));
    }
    let bad = |topic: Option<Topic>| {
        let mut all = examined.iter().flat_map(|one| &one.findings);
        all.any(|one| one.grade == Grade::Bad && topic.is_none_or(|topic| one.topic == topic))
    };
    let exit = match (bad(Some(Topic::SignIn)), bad(None)) {
        (true, _) => Exit::SignIn,
        (false, true) => Exit::Failed,
        (false, false) => Exit::Done,
    };
    page.gap();
    page.line(match exit {
        Exit::Done => "Everything that is configured can be used.",
        _ => "Something cannot be used: see the lines with ✗.",
    });
    Answer::new(page, json!({ "version": 1, "usable": exit == Exit::Done, "parts": parts }))
        .exit(exit)
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
