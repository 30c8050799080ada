//! How a person signs in at a part: which way, and doing it. No secret is ever an answer: a password that is typed goes into the
//! keyring at once.

use inquire::{Password, PasswordDisplayMode};

use super::interview::{self, Choice, Question, wait};
use super::{Wizard, part};
use crate::cli::auth::{self, How, Need, Prompt};
use crate::cli::output::{self, Page};
use crate::config::Settings;
use crate::connector::vault::{Keyring, Vault as _};
use crate::secret::Secret;

/// A part that somebody signs in at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Door {
    /// As `liaison auth` calls it.
    pub(super) part: &'static str,
    /// The question which way it is.
    pub(super) way: &'static str,
    /// The ways there are.
    pub(super) ways: &'static [&'static str],
    pub(super) password: &'static str,
    pub(super) token: &'static str,
    pub(super) credential: &'static str,
}

/// Asks for the way, and what it takes. `usual` is the way to propose.
pub(super) fn choose(
    wizard: &mut Wizard<'_>,
    door: Door,
    usual: Option<&str>,
) -> anyhow::Result<()> {
    let question = Question {
        name: door.way,
        asks: "How do you sign in there?",
        help: "↑↓ to move, Enter to choose; no password is ever kept in a file",
        usual,
    };
    let choices = door.ways.iter().map(|way| Choice::new(*way, label(way, door))).collect();
    let check = |_: &str| Err("it is no way to sign in there".to_owned());
    wizard.interview.choose(question, choices, check)?;
    let way = wizard.interview.answers.get(door.way).unwrap_or_default().to_owned();
    match way.as_str() {
        "command" if door.password.is_empty() => {
            drop(part::command(wizard, door.token, "a bearer token")?);
        }
        "command" => {
            part::command(wizard, door.password, "the password")?;
        }
        "token" => {
            part::command(wizard, door.token, "a bearer token")?;
        }
        "systemd" => {
            let help = "from LoadCredentialEncrypted= of the service";
            let asks = "The name of the systemd credential:";
            let question = Question { name: door.credential, asks, help, usual: None };
            wizard.interview.text(question, part::something)?;
        }
        "oauth" => provider(wizard)?,
        _ => {}
    }
    Ok(())
}

fn label(way: &str, door: Door) -> &'static str {
    match way {
        "keyring" => "With a password, kept in the keyring",
        "command" if door.password.is_empty() => "With a bearer token that a command prints",
        "command" => "With a password that a command prints",
        "token" => "With a bearer token that a command prints",
        "systemd" => "With a password that systemd hands to the service",
        "oauth" => "In the browser (OAuth)",
        _ => "As for the messages",
    }
}

/// What [`provider`] asks.
pub(super) const PROVIDER: [&str; 3] = ["oauth-issuer", "oauth-tenant", "oauth-client-id"];

/// Asks for the provider, once for all parts.
pub(super) fn provider(wizard: &mut Wizard<'_>) -> anyhow::Result<()> {
    let is_known = wizard.interview.answers.get("oauth-client-id").is_some();
    if is_known {
        return Ok(());
    }
    let interview = &mut wizard.interview;
    let issuer = interview.given("oauth-issuer").or_else(|| interview.present("oauth-issuer"));
    let is_elsewhere =
        match (issuer, interview.is_terminal && interview.given("oauth-tenant").is_none()) {
            (Some(_), false) => true,
            (None, false) => false,
            (issuer, true) if interview.given("oauth-issuer").is_none() => {
                let mut choices = vec![
                    Choice::new("tenant", "At Microsoft"),
                    Choice::new("issuer", "At another provider …"),
                ];
                if issuer.is_some() {
                    choices.reverse();
                }
                interview::decide("Where do you sign in?", "↑↓ to move, Enter to choose", choices)?
                    == "issuer"
            }
            (_, true) => true,
        };
    let question = if is_elsewhere {
        Question {
            name: "oauth-issuer",
            asks: "Its address:",
            help: "like https://login.example.org/realms/main",
            usual: None,
        }
    } else {
        let help = "a domain like contoso.onmicrosoft.com, an id, or organizations";
        Question {
            name: "oauth-tenant",
            asks: "Your tenant at Microsoft:",
            help,
            usual: Some("organizations"),
        }
    };
    interview.text(question, part::something)?;
    interview.answers.remove(if is_elsewhere { "oauth-tenant" } else { "oauth-issuer" });
    let help = "your administrator registers Liaison there, and gets it (README.md says how)";
    let asks = "The client id of Liaison at that provider:";
    interview
        .text(Question { name: "oauth-client-id", asks, help, usual: None }, part::something)?;
    Ok(())
}

/// When a person is to sign in, or to type the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// Where it was not done yet.
    Missing,
    /// Once more.
    Again,
    /// Once more, with a code that is typed in with a browser anywhere.
    ByCode,
}

/// Does what a person must do before the part can be looked at: signs in, or types the password. Whether that came to a good end;
/// if not, why was said.
pub(super) async fn open(wizard: &mut Wizard<'_>, door: Door, ask: Ask) -> anyhow::Result<bool> {
    let settings = wizard.settings()?;
    let way = wizard.interview.answers.get(door.way).unwrap_or_default().to_owned();
    let done = match way.as_str() {
        "keyring" => password(wizard, door, &settings, ask).await,
        "oauth" => browser(wizard, door, &settings, ask).await,
        _ => Ok(()),
    };
    match done {
        // What stands in the way shows when the part is looked at, and what can be done then.
        Err(error) if wizard.interview.is_terminal && !part::is_stop(&error) => {
            let mut page = Page::default();
            page.wrapped("✗ ", &format!("{error:#}"));
            wizard.interview.say(&page)?;
            Ok(false)
        }
        done => done.map(|()| true),
    }
}

async fn password(
    wizard: &Wizard<'_>,
    door: Door,
    settings: &Settings,
    ask: Ask,
) -> anyhow::Result<()> {
    if let Some(password) = wizard.password.as_ref().filter(|_| door.part == "email") {
        auth::keep_password(wizard.here, settings, door.part, password).await?;
        return Ok(());
    }
    if !wizard.interview.is_terminal {
        return Ok(());
    }
    let shared = auth::shared(wizard.here, settings);
    let here = shared.iter().filter(|one| one.parts.iter().any(|part| part == door.part));
    let entry = here.into_iter().find_map(|one| match &one.need {
        Need::Password { entry, .. } => Some(entry.clone()),
        _ => None,
    });
    let Some(entry) = entry else { return Ok(()) };
    let known = Keyring.get(&entry).await?;
    if known.is_some() && ask == Ask::Missing {
        return Ok(());
    }
    let asks = format!("The {}:", entry.label());
    let typed = wait(|| {
        let password = Password::new(&asks).without_confirmation();
        let password = password.with_help_message("it goes into the keyring, and nowhere else");
        password.with_display_mode(PasswordDisplayMode::Hidden).prompt()
    })?;
    auth::keep_password(wizard.here, settings, door.part, &Secret::new(typed)).await?;
    Ok(())
}

async fn browser(
    wizard: &Wizard<'_>,
    door: Door,
    settings: &Settings,
    ask: Ask,
) -> anyhow::Result<()> {
    let part = if door.part == "crm" {
        settings.sync_organisation().map(|(name, _)| name.to_owned()).unwrap_or_default()
    } else {
        door.part.to_owned()
    };
    let shared = auth::shared(wizard.here, settings);
    let of_part = shared.iter().filter(|one| one.parts.contains(&part));
    let is_needed = of_part.into_iter().any(|one| match &one.need {
        Need::SignIn(session, _) => ask != Ask::Missing || session.standing().needs_person(),
        _ => false,
    });
    if !is_needed {
        return Ok(());
    }
    let how = if ask == Ask::ByCode { How::Device } else { How::Browser };
    let signed_in = tokio::select! {
        signed_in = auth::sign_in(wizard.here, settings, &part, how, &tell) => signed_in?,
        () = wizard.interrupts.next() => anyhow::bail!("the sign-in was cancelled"),
    };
    for done in signed_in {
        let mut page = Page::default();
        page.line(format!("✓ signed in as {}", done.who));
        wizard.interview.say(&page)?;
    }
    Ok(())
}

/// `1 minute` at the least.
fn count_minutes(minutes: u64) -> String {
    output::count(usize::try_from(minutes.max(1)).unwrap_or(usize::MAX), "minute")
}

/// What the person must do at the provider.
fn tell(prompt: &Prompt<'_>) {
    let mut page = Page::default();
    page.line("");
    match prompt {
        Prompt::Visit { url, opened, .. } => {
            page.line(if *opened {
                "Sign in, in the browser. If none came up, open this on this machine:"
            } else {
                "Sign in: open this in a browser on this machine:"
            });
            page.line("");
            page.line(url);
        }
        Prompt::Type { code, uri, minutes, .. } => {
            page.line("Sign in: open this in a browser, on this machine or another one,");
            page.line(format!("\n    {uri}\n\nand type the code\n\n    {code}"));
            page.line("");
            page.line(format!("It is good for {}.", count_minutes(*minutes)));
        }
    }
    page.line("");
    page.line("Waiting for you … (Ctrl-C cancels)");
    output::note(page.as_str().trim_end());
}
