//! `liaison auth status`: how each sign-in stands, as of its last use.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::parts::{Need, Shared, shared};
use crate::cli::output::{Answer, Page};
use crate::cli::status::moment;
use crate::cli::{Exit, Installation};
use crate::config::Settings;
use crate::connector::oauth::Standing;
use crate::connector::vault::{Keyring, Vault};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: liaison auth status --json\n\nStates: ok, expiring, needs-user, revoked, network, signed-out, locked,\n        missing, elsewhere\nExit codes: 0 all good, 6 something needs a sign-in"
)]
pub(super) struct Status {}

/// What a person should know before a sign-in ends: a sentence for each that will need one soon, with the command.
pub fn warnings(here: &Installation, settings: &Settings) -> Vec<String> {
    let all = shared(here, settings).into_iter();
    let soon = all.filter_map(|one| {
        let Need::SignIn(session, _) = &one.need else { return None };
        let Standing::Expiring { until } = session.standing() else { return None };
        let (names, part) = (one.names(), one.parts.first()?);
        let day = until.strftime("%Y-%m-%d");
        Some(format!("the sign-in for {names} ends on {day}: `liaison auth login {part}`"))
    });
    soon.collect()
}

/// How one need stands, for both kinds of reader.
struct Line {
    state: &'static str,
    says: String,
    who: String,
    hint: Option<String>,
    until: Option<Timestamp>,
}

impl Status {
    pub(super) async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let settings = here.load()?.settings;
        let (mut page, mut all) = (Page::default(), Vec::new());
        let mut exit = Exit::Done;
        for one in shared(here, &settings) {
            let line = look(&one).await;
            let sign = match line.state {
                "ok" | "elsewhere" => '✓',
                "expiring" | "network" => '!',
                _ => '✗',
            };
            page.gap();
            page.line(format!("{sign} {} ({})", one.names(), line.who));
            page.wrapped("    ", &line.says);
            if let Some(hint) = &line.hint {
                page.wrapped("    → ", hint);
            }
            if matches!(line.state, "signed-out" | "needs-user" | "revoked" | "missing" | "locked")
            {
                exit = Exit::SignIn;
            }
            all.push(line.json(&one));
        }
        Ok(Answer::new(page, json!({ "version": 1, "sign_ins": all })).exit(exit))
    }
}

impl Line {
    fn json(&self, one: &Shared) -> Json {
        json!({
            "parts": one.parts,
            "who": self.who,
            "state": self.state,
            "says": self.says,
            "hint": self.hint,
            "until": self.until.map(|until| until.to_string()),
        })
    }
}

async fn look(one: &Shared) -> Line {
    match &one.need {
        Need::SignIn(session, _) => {
            let standing = session.standing();
            let login = one.parts.first().map(|part| format!("`liaison auth login {part}`"));
            let (says, needs_login) = tell(&standing);
            let until = match standing {
                Standing::Good { until } => until,
                Standing::Expiring { until } => Some(until),
                _ => None,
            };
            let hint = login.filter(|_| needs_login);
            Line { state: standing.word(), says, who: session.who(), hint, until }
        }
        Need::Password { user, host, entry } => {
            let (state, says, hint) = match Keyring.get(entry).await {
                Ok(Some(_)) => ("ok", "the keyring has the password".to_owned(), None),
                Ok(None) => {
                    let part = one.parts.first().cloned().unwrap_or_default();
                    let hint = format!("`liaison auth login {part}`");
                    ("missing", "the keyring has no password for it".to_owned(), Some(hint))
                }
                Err(error) => ("locked", error.message, error.hint),
            };
            Line { state, says, who: format!("{user} at {host}"), hint, until: None }
        }
        Need::Command(kind) => {
            let says = format!("the {} comes from a command", kind.word());
            elsewhere("a command", says)
        }
        Need::Systemd(name) => elsewhere("systemd", format!("the systemd credential `{name}`")),
    }
}

fn elsewhere(who: &str, says: String) -> Line {
    Line { state: "elsewhere", says, who: who.to_owned(), hint: None, until: None }
}

/// In words, and whether a sign-in helps.
fn tell(standing: &Standing) -> (String, bool) {
    match standing {
        Standing::SignedOut => ("nobody signed in yet".to_owned(), true),
        Standing::Good { until: None } => ("signed in".to_owned(), false),
        Standing::Good { until: Some(until) } => {
            (format!("signed in; if it is not used, until {}", moment(*until)), false)
        }
        Standing::Expiring { until } => {
            (format!("ends on {}, unless it is used before", moment(*until)), true)
        }
        Standing::Asks { why } => {
            (format!("the provider wants your consent or another proof ({why})"), true)
        }
        Standing::Revoked { why } => (format!("not good any more ({why})"), true),
        Standing::Network { since, why } => {
            let says = format!(
                "the provider could not be reached since {} ({why}); it is tried again by itself",
                moment(*since)
            );
            (says, false)
        }
    }
}
