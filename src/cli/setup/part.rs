//! One part as it was answered: does it work? If not, why, and what now.

use super::interview::{self, Choice, Question};
use super::sign_in::{self, Ask, Door};
use super::{Wizard, organisation, stop};
use crate::cli::doctor::{self, Examined, Which};
use crate::cli::output::Page;
use crate::cli::{Exit, Stop};
use crate::connector::finding::{Finding, Grade, Topic};

/// A part, and the answers that it came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) which: Which,
    /// What is asked again if it does not work.
    pub(super) names: &'static [&'static str],
    pub(super) ca: &'static str,
    pub(super) pin: &'static str,
}

/// Looks at a part, after what somebody must do to get in there. Whether it is settled: it works, or the person wants it all the same; if not, it is to be asked for again.
pub(super) async fn is_settled(
    wizard: &mut Wizard<'_>,
    part: Part,
    door: Option<Door>,
) -> anyhow::Result<bool> {
    take_given(wizard, part);
    let mut ask = Ask::Missing;
    loop {
        let looked = look(wizard, part, door.map(|door| (door, ask))).await;
        ask = Ask::Missing;
        let examined = match looked {
            Ok(examined) => examined,
            Err(error) if wizard.interview.is_terminal && !is_stop(&error) => {
                let mut page = Page::default();
                page.wrapped("✗ ", &format!("{error:#}"));
                wizard.interview.say(&page)?;
                wizard.interview.again(part.names);
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let mut told = doctor::tell(&examined);
        told.page.line("");
        wizard.interview.say(&told.page)?;
        if let Some(parts) = told.json.get_mut("parts").and_then(|parts| parts.as_array_mut()) {
            wizard.checks.append(parts);
        }
        let Some(bad) = bad(&examined) else { return Ok(true) };
        if !wizard.interview.is_terminal {
            return Err(refusal(part.which, bad));
        }
        wizard.checks.pop();
        match what_now(wizard, bad, door)?.as_str() {
            "sign-in" => ask = Ask::Again,
            "code" => ask = Ask::ByCode,
            "pin" => {
                let pin = bad.untrusted.map(|pin| pin.to_string()).unwrap_or_default();
                wizard.interview.answers.set(part.pin, pin);
                wizard.interview.answers.remove(part.ca);
            }
            "ca" => {
                wizard.interview.text(
                    Question {
                        name: part.ca,
                        asks: "The file with the authority's certificate (PEM):",
                        help: "from whoever runs the server",
                        usual: None,
                    },
                    |answer| {
                        let is_file = std::path::Path::new(answer).is_file();
                        if is_file { Ok(()) } else { Err("there is no such file".to_owned()) }
                    },
                )?;
            }
            "keep" => return Ok(true),
            "look" => {}
            _ => {
                if door.is_some_and(|door| wizard.interview.answers.get(door.way) == Some("oauth"))
                {
                    wizard.interview.again(&sign_in::PROVIDER);
                }
                wizard.interview.again(part.names);
                return Ok(false);
            }
        }
    }
}

/// Signs in where that is to be done, and looks.
async fn look(
    wizard: &mut Wizard<'_>,
    part: Part,
    door: Option<(Door, Ask)>,
) -> anyhow::Result<Vec<Examined>> {
    if let Some((door, ask)) = door {
        sign_in::open(wizard, door, ask).await?;
    }
    if part.which == Which::Crm {
        organisation::same_person(wizard).await?;
    }
    wizard.look(&[part.which]).await
}

/// What is trusted is told, never asked for before it is needed.
fn take_given(wizard: &mut Wizard<'_>, part: Part) {
    for name in [part.ca, part.pin] {
        let interview = &mut wizard.interview;
        let known = interview.given(name).or_else(|| interview.present(name)).map(str::to_owned);
        if let Some(answer) = known.filter(|_| interview.answers.get(name).is_none()) {
            interview.answers.set(name, answer);
        }
    }
}

fn bad(examined: &[Examined]) -> Option<&Finding> {
    examined.iter().flat_map(|one| &one.findings).find(|finding| finding.grade == Grade::Bad)
}

fn refusal(which: Which, bad: &Finding) -> anyhow::Error {
    let exit = if bad.topic == Topic::SignIn { Exit::SignIn } else { Exit::Failed };
    let message =
        format!("{} cannot be used: {}: {}", which.as_str(), bad.topic.as_str(), bad.says);
    let hint =
        bad.hint.clone().unwrap_or_else(|| "nothing was changed; correct the answer".to_owned());
    stop(exit, message, hint)
}

/// Whether the person wants to stop.
pub(super) fn is_stop(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Stop>().is_some_and(|stop| stop.exit == Exit::Failed)
}

fn what_now(wizard: &Wizard<'_>, bad: &Finding, door: Option<Door>) -> anyhow::Result<String> {
    let mut choices = vec![Choice::new("again", "Answer again")];
    let way = door.and_then(|door| wizard.interview.answers.get(door.way));
    match way.filter(|_| bad.topic == Topic::SignIn) {
        Some("keyring") => choices.insert(0, Choice::new("sign-in", "Type the password again")),
        Some("oauth") => {
            choices.insert(0, Choice::new("sign-in", "Sign in again"));
            choices.insert(1, Choice::new("code", "Sign in by a code, in a browser anywhere"));
        }
        _ => {}
    }
    if let Some(pin) = bad.untrusted {
        let start: String = pin.to_string().chars().take(16).collect();
        choices.push(Choice::new("pin", format!("Trust exactly this certificate ({start}…)")));
        choices.push(Choice::new("ca", "Name the file of an authority to trust"));
    }
    choices.push(Choice::new("look", "Look again: I changed something"));
    choices.push(Choice::new("keep", "Keep it as it is, and go on"));
    interview::decide(
        "It does not work like this. What now?",
        "Esc stops; what you answered is kept",
        choices,
    )
}

/// The name, port and protection of a server that was found.
pub(super) type Known = (String, u16, &'static str);

/// Asks for the port, the protection and the name of a server, with what is known of it as the usual.
pub(super) fn server(
    wizard: &mut Wizard<'_>,
    names: [&'static str; 3],
    known: Option<Known>,
) -> anyhow::Result<()> {
    let [host, port, security] = names;
    let usual = known.as_ref().map(|(host, ..)| host.as_str());
    let asks = Question {
        name: host,
        asks: "The name of the server:",
        help: "like imap.example.org",
        usual,
    };
    let chosen = wizard.interview.text(asks, |answer| {
        let is_bad = answer.is_empty() || answer.contains(|c: char| c.is_whitespace() || c == '/');
        if is_bad { Err("only its name, like imap.example.org".to_owned()) } else { Ok(()) }
    })?;
    if let Some(known) = known.filter(|(host, ..)| *host == chosen) {
        take(wizard, names, &known);
        return Ok(());
    }
    let interview = &mut wizard.interview;
    let asks = Question {
        name: security,
        asks: "How is the connection protected?",
        help: "↑↓ to move, Enter to choose",
        usual: Some("tls"),
    };
    let choices = vec![
        Choice::new("tls", "TLS from the start (usual)"),
        Choice::new("starttls", "STARTTLS"),
        Choice::new("none", "Not at all: only for a server on this machine"),
    ];
    interview.choose(asks, choices, |answer| match answer {
        "tls" | "starttls" | "none" => Ok(()),
        _ => Err("tls, starttls or none".to_owned()),
    })?;
    let asks = Question {
        name: port,
        asks: "Its port, or nothing for the usual one:",
        help: "a number",
        usual: Some(""),
    };
    interview.text(asks, |answer| match answer.parse::<u16>() {
        _ if answer.is_empty() => Ok(()),
        Ok(port) if port > 0 => Ok(()),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    })?;
    Ok(())
}

/// Takes a server as it was found, but for what was answered otherwise.
pub(super) fn take(wizard: &mut Wizard<'_>, names: [&'static str; 3], known: &Known) {
    let (host, port, security) = known;
    let interview = &mut wizard.interview;
    for (name, usual) in names.into_iter().zip([host.as_str(), &port.to_string(), security]) {
        let answer = interview.given(name).unwrap_or(usual).to_owned();
        interview.answers.set(name, answer);
    }
}

/// Asks for a command that prints a secret.
pub(super) fn command(
    wizard: &mut Wizard<'_>,
    name: &'static str,
    what: &str,
) -> anyhow::Result<String> {
    let asks = format!("A command that prints {what}:");
    let help = "like: pass mail/anna   secret-tool lookup mail anna   cat ~/.secret";
    wizard.interview.text(Question { name, asks: &asks, help, usual: None }, something)
}

/// Takes what is not empty.
pub(super) fn something(answer: &str) -> Result<(), String> {
    if answer.is_empty() { Err("it is needed".to_owned()) } else { Ok(()) }
}
