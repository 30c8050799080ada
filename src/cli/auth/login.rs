//! `liaison auth login`: in the browser, with a code, or by storing a password. The setup asks the same.

use std::io::{BufRead, IsTerminal, Read};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use serde_json::json;

use super::parts::{Need, Shared, of_part, shared};
use crate::cli::output::{self, Answer, Page};
use crate::cli::{Exit, Installation, Stop, remote};
use crate::config::{Settings, paths};
use crate::connector::oauth::{Session, Standing, Wanted};
use crate::connector::vault::{Keyring, Vault};
use crate::secret::Secret;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison auth login\n  liaison auth login contoso --device\n  pass mail/anna | liaison auth login mailbox --password-stdin"
)]
pub(super) struct Login {
    /// Only what this part needs; without it, whatever is missing or over
    #[arg(value_name = "PART")]
    part: Option<String>,
    /// Show a code to type in with a browser on any machine
    #[arg(long)]
    device: bool,
    /// Show the address instead of opening a browser; it must be opened on this machine
    #[arg(long, conflicts_with = "device")]
    no_browser: bool,
    /// Read the password from the standard input, its first line
    #[arg(long)]
    password_stdin: bool,
}

/// How a person signs in at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With the browser of this machine; where there is no display, as for [`How::Device`], if the provider can.
    Browser,
    /// With a browser of this machine that the person opens.
    Address,
    /// With a browser anywhere, by a code.
    Device,
}

/// What the person must do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt<'a> {
    /// Sign in at this address; `opened`: a browser shows it already.
    Visit { parts: &'a str, url: &'a str, opened: bool },
    /// Type this code there; `complete` is an address that brings it along.
    Type { parts: &'a str, code: &'a str, uri: &'a str, complete: Option<&'a str>, minutes: u64 },
}

/// A sign-in that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// All parts that it serves.
    pub parts: Vec<String>,
    /// As whom, and where.
    pub who: String,
    /// When it ends if it is not used, where that is known.
    pub until: Option<Timestamp>,
}

/// Signs in at the provider, or each of the providers, of one part: an organisation's name, `crm`, `mailbox`, or a server's
/// (`email`, `submission`, `contact`, `appointment`, `task`). Parts that share a sign-in get it too. `tell` is called each time the
/// person must do something; then it waits for that, ten minutes at most. A part that takes a password has no sign-in.
///
/// # Errors
/// When there is no such part, the person or the provider says no, or the provider or the keyring is out of reach.
pub async fn sign_in(
    here: &Installation,
    settings: &Settings,
    part: &str,
    how: How,
    tell: &(dyn Fn(&Prompt<'_>) + Send + Sync),
) -> anyhow::Result<Vec<SignedIn>> {
    let mut done = Vec::new();
    for one in of_part(shared(here, settings), Some(part))? {
        if let Need::SignIn(session, wanted) = &one.need {
            done.push(at_provider(&one, (session, wanted), how, tell).await?);
        }
    }
    Ok(done)
}

/// Stores the password of a part in the keyring; gives all parts that it serves.
///
/// # Errors
/// When there is no such part, it takes no password from the keyring, several servers have one each, or the keyring is out of
/// reach.
pub async fn keep_password(
    here: &Installation,
    settings: &Settings,
    part: &str,
    password: &Secret,
) -> anyhow::Result<Vec<String>> {
    let all = of_part(shared(here, settings), Some(part))?;
    let mut passwords = all.iter().filter_map(|one| match &one.need {
        Need::Password { entry, .. } => Some((one, entry)),
        _ => None,
    });
    match (passwords.next(), passwords.next()) {
        (Some((one, entry)), None) => {
            Keyring.put(entry, password).await?;
            Ok(one.parts.clone())
        }
        (None, _) => Err(Stop::new(
            Exit::Configuration,
            format!("`{part}` takes no password from the keyring"),
            "write password = { keyring = true } in its section",
        )
        .into()),
        (Some((one, _)), Some((other, _))) => Err(Stop::new(
            Exit::Usage,
            format!("`{part}` has several passwords"),
            format!("name one of its servers: `{}` or `{}`", one.names(), other.names()),
        )
        .into()),
    }
}

async fn at_provider(
    one: &Shared,
    (session, wanted): (&Arc<Session>, &[Wanted]),
    how: How,
    tell: &(dyn Fn(&Prompt<'_>) + Send + Sync),
) -> anyhow::Result<SignedIn> {
    let names = one.names();
    let by_code = match how {
        How::Device => true,
        How::Address => false,
        How::Browser => !paths::has_display() && session.knows_devices().await?,
    };
    if by_code {
        let device = session.device(wanted.to_vec()).await?;
        tell(&Prompt::Type {
            parts: &names,
            code: device.code(),
            uri: device.uri(),
            complete: device.complete_uri(),
            minutes: device.lifetime().as_secs() / 60,
        });
        device.finish().await?;
    } else {
        let browser = session.browser(wanted.to_vec()).await?;
        let url = browser.url().as_str().to_owned();
        let opened = how == How::Browser && open(&url);
        tell(&Prompt::Visit { parts: &names, url: &url, opened });
        browser.finish().await?;
    }
    let until = match session.standing() {
        Standing::Good { until } => until,
        Standing::Expiring { until } => Some(until),
        _ => None,
    };
    Ok(SignedIn { parts: one.parts.clone(), who: session.who(), until })
}

/// Shows an address in the browser of the desktop; whether somebody took it.
fn open(url: &str) -> bool {
    let (program, arguments): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    let mut command = std::process::Command::new(program);
    command.args(arguments).arg(url);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}

impl Login {
    pub(super) async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let settings = here.load()?.settings;
        let wanted = self.wanted(here, &settings).await?;
        let how = match (self.device, self.no_browser) {
            (true, _) => How::Device,
            (false, true) => How::Address,
            (false, false) => How::Browser,
        };
        let (mut page, mut done, mut nothing) = (Page::default(), Vec::new(), Vec::new());
        for one in wanted {
            match &one.need {
                Need::SignIn(session, wanted) => {
                    let signed_in = at_provider(&one, (session, wanted), how, &say).await?;
                    page.line(format!("signed in as {}: {}", signed_in.who, one.names()));
                    done.push(json!({ "parts": one.parts, "who": signed_in.who }));
                }
                Need::Password { user, host, entry } => {
                    let password = self.password(&one, user, host)?;
                    Keyring.put(entry, &password).await?;
                    page.line(format!("the keyring has the {}: {}", entry.label(), one.names()));
                    done.push(json!({ "parts": one.parts, "who": format!("{user} at {host}") }));
                }
                Need::Command(kind) => nothing.push(format!(
                    "{} takes its {} from a command: there is nothing to sign in for",
                    one.names(),
                    kind.word()
                )),
                Need::Systemd(name) => nothing.push(format!(
                    "{} takes the systemd credential `{name}`: there is nothing to sign in for",
                    one.names()
                )),
            }
        }
        if done.is_empty() && self.part.is_none() {
            page.line("Nothing needs a sign-in or a password.");
        } else {
            for line in &nothing {
                page.line(line);
            }
        }
        let answer = Answer::new(page, json!({ "version": 1, "signed_in": done }));
        if done.is_empty() {
            Ok(answer)
        } else {
            remote::nudge(here).await;
            Ok(answer.note("→ does it work? `liaison doctor`"))
        }
    }

    /// What to sign in for: a part as it was named, else whatever is missing.
    async fn wanted(
        &self,
        here: &Installation,
        settings: &Settings,
    ) -> anyhow::Result<Vec<Shared>> {
        let all = of_part(shared(here, settings), self.part.as_deref())?;
        if self.part.is_some() {
            return Ok(all);
        }
        let mut missing = Vec::new();
        for one in all {
            let is_missing = match &one.need {
                Need::SignIn(session, _) => session.standing().needs_person(),
                Need::Password { entry, .. } => Keyring.get(entry).await?.is_none(),
                Need::Command(_) | Need::Systemd(_) => false,
            };
            if is_missing {
                missing.push(one);
            }
        }
        Ok(missing)
    }

    fn password(&self, one: &Shared, user: &str, host: &str) -> anyhow::Result<Secret> {
        let stdin = std::io::stdin();
        let typed = if self.password_stdin {
            let mut line = String::new();
            stdin.lock().take(PASSWORD_MAX).read_line(&mut line).context("read the password")?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        } else if stdin.is_terminal() {
            let question = format!("Password of {user} at {host} ({}):", one.names());
            inquire::Password::new(&question)
                .without_confirmation()
                .with_display_mode(inquire::PasswordDisplayMode::Hidden)
                .prompt()
                .map_err(|_| no_password("no password was typed"))?
        } else {
            return Err(no_password("nobody is there to type the password").into());
        };
        if typed.is_empty() || typed.chars().any(char::is_control) {
            return Err(no_password("that is no password").into());
        }
        Ok(Secret::new(typed))
    }
}

/// Longer than any password.
const PASSWORD_MAX: u64 = 4096;

fn no_password(message: &str) -> Stop {
    Stop::new(
        Exit::SignIn,
        message,
        "type it in a terminal, or hand it over: `… | liaison auth login PART --password-stdin`",
    )
}

/// Tells the person what to do now, beside the data.
fn say(prompt: &Prompt<'_>) {
    match prompt {
        Prompt::Visit { parts, url, opened } => {
            let begin = if *opened {
                "Sign in, in the browser; if none came up, open this on this machine:"
            } else {
                "Sign in: open this in a browser on this machine:"
            };
            output::note(format!("{begin}  ({parts})\n\n  {url}\n"));
        }
        Prompt::Type { parts, code, uri, complete, minutes } => {
            output::note(format!("Sign in ({parts}): open this in any browser\n\n  {uri}\n"));
            output::note(format!("and type the code  {code}  (good for {minutes} minutes)"));
            if let Some(complete) = complete {
                output::note(format!("or open {complete}"));
            }
        }
    }
}
