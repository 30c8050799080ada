//! `liaison config`: what is set, and by whom.

use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::Installation;
use super::output::{Answer, Page};
use crate::config::{Effective, Origin};

/// Show the settings in force, or where they are kept
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison config show    every setting, and where it comes from\n  liaison config path    the files and folders"
)]
pub struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every setting in force, with where it comes from
    Show,
    /// The configuration file and the state folder
    Path,
}

impl Config {
    /// # Errors
    /// When the configuration cannot be used.
    pub fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        match self.what {
            What::Show => Ok(show(&here.load()?.effective)),
            What::Path => Ok(path(here)),
        }
    }
}

fn show(effective: &[Effective]) -> Answer {
    let mut page = Page::default();
    let rows: Vec<Vec<String>> = effective
        .iter()
        .map(|setting| {
            let value = setting.value.clone().unwrap_or_else(|| "(not set)".to_owned());
            vec![setting.key.clone(), format!("= {value}"), format!("# {}", setting.origin)]
        })
        .collect();
    page.table("<<<", &rows);
    let json: serde_json::Map<String, Json> = effective
        .iter()
        .map(|setting| {
            let line = match setting.origin {
                Origin::Default => None,
                Origin::File { line } => Some(line),
            };
            let told = json!({ "value": setting.value, "origin": setting.origin.to_string(), "line": line });
            (setting.key.clone(), told)
        })
        .collect();
    Answer::new(page, Json::Object(json))
}

fn path(here: &Installation) -> Answer {
    let directories = &here.directories;
    let mut page = Page::default();
    page.line(format!("configuration  {}", directories.config.display()));
    page.line(format!("state          {}", directories.state.display()));
    let json = json!({ "config": directories.config, "state": directories.state });
    Answer::new(page, json)
}
