//! `liaison setup --check`: goes through everything as it is configured, or as the answers would have it, and changes nothing.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::answers::Answers;
use super::file;
use crate::cli::doctor::{self, Which};
use crate::cli::output::Answer;
use crate::cli::{Exit, Installation, Stop};
use crate::config;
use crate::connector::dataverse::Dataverse;
use crate::connector::lease::Looked;
use clap::ValueEnum as _;

/// What is looked at, and what each came to.
struct Line {
    step: &'static str,
    sign: char,
    says: String,
}

/// # Errors
/// When there is no configuration and nothing was answered, or it cannot be used.
pub(super) async fn run(
    here: &Installation,
    text: Option<&str>,
    given: &Answers,
) -> anyhow::Result<Answer> {
    let directories = &here.directories;
    if text.is_none() && given.is_empty() {
        let message = format!("nothing is set up: there is no {}", directories.config.display());
        return Err(Stop::new(Exit::Configuration, message, "set it up: `liaison setup`").into());
    }
    let text = file::write(text, &directories.config, given)?;
    let settings = config::parse(&text, &directories.config, directories.home.as_deref())?.settings;
    let mut here = here.clone();
    // Where commands that print secrets run; it is not made for a look.
    here.home = here
        .home
        .ancestors()
        .find(|folder| folder.is_dir())
        .map_or_else(PathBuf::new, Path::to_owned);
    let here = &here;
    let examined = doctor::look(here, &settings, Which::value_variants().to_vec()).await;
    let parts = doctor::tell(&examined);
    let mut page = parts.page;
    let lines = [configuration(here, given), role(here, &settings).await, state(here)];
    page.gap();
    for line in &lines {
        page.wrapped(&format!("{} ", line.sign), &format!("{}: {}", line.step, line.says));
    }
    let steps: Vec<_> = lines
        .iter()
        .map(|line| json!({ "step": line.step, "good": line.sign == '✓', "says": line.says }))
        .collect();
    let json = json!({
        "version": 1,
        "usable": parts.json.get("usable"),
        "parts": parts.json.get("parts"),
        "steps": steps,
    });
    let answer = Answer::new(page, json).exit(parts.exit);
    Ok(if parts.exit == Exit::Done {
        answer
    } else {
        answer.note("→ set it right: `liaison setup`")
    })
}

fn configuration(here: &Installation, given: &Answers) -> Line {
    let file = here.directories.config.display();
    let says = if given.is_empty() {
        format!("{file} can be used")
    } else {
        format!("{file} could be used with these answers; it was not changed")
    };
    Line { step: "configuration", sign: '✓', says }
}

/// Which computer syncs, as the organisation has it.
async fn role(here: &Installation, settings: &config::Settings) -> Line {
    let line = |sign, says: String| Line { step: "who syncs", sign, says };
    let Some((name, organisation)) = settings.sync_organisation() else {
        return line('!', "no organisation is synced".to_owned());
    };
    let options = here.options(name, organisation, settings);
    match Dataverse::connect(options, here.clock.clone(), None).await {
        Ok(dataverse) => match dataverse.lease() {
            Looked::Absent => {
                line('✓', "no computer yet: the first one that does takes the role".to_owned())
            }
            Looked::There(entry) => match &entry.tenure.holder {
                Some(holder) => line('✓', format!("the computer “{}”", holder.host)),
                None => line('✓', "no computer: the role was given up".to_owned()),
            },
            Looked::Untold => line('!', "the organisation does not tell".to_owned()),
        },
        Err(error) => line('!', format!("not known: {}", error.message)),
    }
}

fn state(here: &Installation) -> Line {
    let folder = &here.directories.state;
    let (sign, says) = if folder.is_dir() {
        ('✓', format!("{} is there", folder.display()))
    } else {
        ('!', format!("{} is not there yet: nothing was synced from here", folder.display()))
    };
    Line { step: "state", sign, says }
}
