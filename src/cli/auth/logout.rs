//! `liaison auth logout`: forgets a sign-in or a password.

use serde_json::json;

use super::parts::{Need, Shared, of_part, shared};
use crate::cli::output::{Answer, Page, ask};
use crate::cli::{Exit, Installation, Stop, remote};
use crate::config::Settings;
use crate::connector;
use crate::connector::vault::{Keyring, Vault};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison auth logout contoso")]
pub(super) struct Logout {
    /// Only what this part uses; without it, everything
    #[arg(value_name = "PART")]
    part: Option<String>,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

impl Logout {
    pub(super) async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let settings = here.load()?.settings;
        let all = of_part(shared(here, &settings), self.part.as_deref())?;
        let kept = kept(all);
        let mut about = Page::default();
        for one in &kept {
            about.line(format!("forgets what opens {}", one.names()));
        }
        if !kept.is_empty() && !self.yes && !ask(&about, "Forget?", here.json)? {
            return Err(Stop::new(
                Exit::Failed,
                "nothing was forgotten",
                "answer with y, or say --yes",
            )
            .into());
        }
        let (mut page, mut forgotten) = (Page::default(), Vec::new());
        for one in &kept {
            let was_there = forget(one).await?;
            let word = if was_there { "signed out" } else { "was not signed in" };
            page.line(format!("{}: {word}", one.names()));
            forgotten.push(json!({ "parts": one.parts, "was_there": was_there }));
        }
        remote::nudge(here).await;
        if kept.is_empty() {
            page.line("There is no sign-in and no password to forget.");
        }
        Ok(Answer::new(page, json!({ "version": 1, "signed_out": forgotten })))
    }
}

/// Forgets all that opens something for this installation: for whoever goes. What the keyring does not let go is told, a sentence each.
pub async fn forget_all(here: &Installation, settings: &Settings) -> Vec<String> {
    let mut left = Vec::new();
    for one in kept(shared(here, settings)) {
        if let Err(error) = forget(&one).await {
            left.push(format!("what opens {} stays in the keyring: {error}", one.names()));
        }
    }
    left
}

/// Those that Liaison keeps, and not somebody else.
fn kept(all: Vec<Shared>) -> Vec<Shared> {
    let ours = |one: &Shared| matches!(one.need, Need::SignIn(..) | Need::Password { .. });
    all.into_iter().filter(ours).collect()
}

/// Forgets one; whether there was something to forget.
async fn forget(one: &Shared) -> connector::Result<bool> {
    match &one.need {
        Need::SignIn(session, _) => session.forget().await,
        Need::Password { entry, .. } => Keyring.remove(entry).await,
        Need::Command(_) | Need::Systemd(_) => Ok(false),
    }
}
