//! `liaison completions`: what a shell must know.

use clap_complete::Shell;
use serde_json::Value as Json;

use super::output::{Answer, Page};

/// Print the completions for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: liaison completions bash > ~/.local/share/bash-completion/completions/liaison"
)]
pub struct Completions {
    shell: Shell,
}

impl Completions {
    pub fn run(self, command: &mut clap::Command) -> Answer {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "liaison", &mut script);
        let mut page = Page::default();
        page.line(String::from_utf8_lossy(&script));
        Answer::new(page, Json::Null)
    }
}
