//! Messages: where they are, who signs in, and where those of the CRM are handed in.

use super::interview::{self, Choice, Question};
use super::part::{self, Part, is_settled};
use super::search::label;
use super::sign_in::{self, Door};
use super::{Wizard, remark};
use crate::cli::doctor::Which;
use crate::connector::discover::{Candidate, Place, Protocol};

const EMAIL: Part = Part {
    which: Which::Email,
    names: &[
        "email",
        "email-host",
        "email-port",
        "email-security",
        "email-path",
        "email-user",
        "email-sign-in",
        "email-password-command",
        "email-token-command",
        "email-credential",
    ],
    ca: "email-ca",
    pin: "email-pin",
};

const DOOR: Door = Door {
    part: "email",
    way: "email-sign-in",
    ways: &["keyring", "command", "oauth", "token", "systemd"],
    password: "email-password-command",
    token: "email-token-command",
    credential: "email-credential",
};

const SUBMISSION: Part = Part {
    which: Which::Submission,
    names: &["submission-host", "submission-port", "submission-security"],
    ca: "submission-ca",
    pin: "submission-pin",
};

const EMAIL_SERVER: [&str; 3] = ["email-host", "email-port", "email-security"];
const SUBMISSION_SERVER: [&str; 3] = ["submission-host", "submission-port", "submission-security"];

/// How many servers are offered.
const OFFERED_MAX: usize = 5;

/// The messages, until they can be read.
pub(super) async fn email(wizard: &mut Wizard<'_>) -> anyhow::Result<()> {
    loop {
        let candidate = kind(wizard)?;
        match wizard.interview.answers.get("email") {
            Some("none") => return Ok(()),
            Some("maildir") => folder(wizard)?,
            _ => {
                if wizard.interview.answers.get("email-host").is_none() {
                    part::server(wizard, EMAIL_SERVER, candidate.as_ref().and_then(known))?;
                }
                user(wizard, candidate.as_ref())?;
                sign_in(wizard, candidate.as_ref())?;
            }
        }
        if is_settled(wizard, EMAIL, Some(DOOR)).await? {
            return Ok(());
        }
    }
}

/// What kind of mailbox, and the server that was chosen, where one was.
fn kind(wizard: &mut Wizard<'_>) -> anyhow::Result<Option<Candidate>> {
    let offered: Vec<Candidate> = wizard
        .found
        .of(Protocol::Imap)
        .chain(wizard.found.of(Protocol::Pop3))
        .take(OFFERED_MAX)
        .cloned()
        .collect();
    let is_open = wizard.interview.is_terminal && wizard.interview.given("email").is_none();
    if is_open {
        return offer(wizard, offered);
    }
    let best = offered.iter().find(|candidate| candidate.proven);
    let usual = best.map(|best| word(best.service.protocol));
    let question = Question { name: "email", asks: "Where are your messages?", help: "", usual };
    let chosen = wizard.interview.choose(question, Vec::new(), is_kind)?;
    let fits =
        |candidate: &&Candidate| candidate.proven && word(candidate.service.protocol) == chosen;
    Ok(offered.iter().find(fits).cloned())
}

fn offer(wizard: &mut Wizard<'_>, offered: Vec<Candidate>) -> anyhow::Result<Option<Candidate>> {
    let mut choices = Vec::new();
    if let Some(kind) = wizard.interview.present("email").map(str::to_owned) {
        let at =
            ["email-host", "email-path"].iter().find_map(|name| wizard.interview.present(name));
        let at = at.map(|at| format!(", {at}")).unwrap_or_default();
        choices.push(Choice::new(format!("={kind}"), format!("As it is: {kind}{at}")));
    }
    for (number, candidate) in offered.iter().enumerate() {
        let kind = word(candidate.service.protocol).to_uppercase();
        choices.push(Choice::new(number.to_string(), format!("{kind} at {}", label(candidate))));
    }
    choices.extend([
        Choice::new("=imap", "Another IMAP server …"),
        Choice::new("=pop3", "Another POP3 server … (receives only)"),
        Choice::new("=maildir", "A Maildir folder on this machine …"),
        Choice::new("=none", "Leave messages out"),
    ]);
    let chosen =
        interview::decide("Where are your messages?", "↑↓ to move, Enter to choose", choices)?;
    if let Some(kind) = chosen.strip_prefix('=') {
        wizard.interview.answers.set("email", kind);
        return Ok(None);
    }
    let candidate = chosen.parse().ok().and_then(|number: usize| offered.into_iter().nth(number));
    if let Some(candidate) = &candidate {
        wizard.interview.answers.set("email", word(candidate.service.protocol));
        if let Some(known) = known(candidate) {
            part::take(wizard, EMAIL_SERVER, &known);
        }
    }
    Ok(candidate)
}

fn is_kind(answer: &str) -> Result<(), String> {
    match answer {
        "imap" | "pop3" | "maildir" | "none" => Ok(()),
        _ => Err("imap, pop3, maildir or none".to_owned()),
    }
}

fn word(protocol: Protocol) -> &'static str {
    if protocol == Protocol::Pop3 { "pop3" } else { "imap" }
}

/// A server as it was found.
fn known(candidate: &Candidate) -> Option<part::Known> {
    match &candidate.service.place {
        Place::Server { host, port, security } => Some((host.clone(), *port, security.as_str())),
        Place::Url(_) => None,
    }
}

fn folder(wizard: &mut Wizard<'_>) -> anyhow::Result<()> {
    let question = Question {
        name: "email-path",
        asks: "The Maildir folder:",
        help: "like ~/Mail",
        usual: None,
    };
    wizard.interview.text(question, |answer| {
        if answer.is_empty() { Err("name a folder".to_owned()) } else { Ok(()) }
    })?;
    Ok(())
}

fn user(wizard: &mut Wizard<'_>, candidate: Option<&Candidate>) -> anyhow::Result<()> {
    let address = wizard.interview.answers.get("address").map(str::to_owned);
    let usual = candidate.and_then(|candidate| candidate.service.user.clone()).or(address);
    let question = Question {
        name: "email-user",
        asks: "Who signs in there?",
        help: "usually your whole address, with some providers only what is before the @",
        usual: usual.as_deref(),
    };
    wizard.interview.text(question, |answer| {
        if answer.is_empty() { Err("somebody must sign in".to_owned()) } else { Ok(()) }
    })?;
    Ok(())
}

fn sign_in(wizard: &mut Wizard<'_>, candidate: Option<&Candidate>) -> anyhow::Result<()> {
    let only_tokens = candidate.is_some_and(|candidate| candidate.service.oauth_only);
    let usual = only_tokens.then_some("oauth");
    sign_in::choose(wizard, DOOR, usual)?;
    let way = wizard.interview.answers.get("email-sign-in");
    if only_tokens && matches!(way, Some("keyring" | "command" | "systemd")) {
        remark(&wizard.interview, "this server takes no passwords, only sign-in by browser")?;
    }
    Ok(())
}

/// Whether e-mails of the CRM are sent from here, and by which server.
pub(super) async fn sending(wizard: &mut Wizard<'_>) -> anyhow::Result<()> {
    let is_server = matches!(wizard.interview.answers.get("email"), Some("imap"));
    if !is_server {
        // Without a sent folder, a mail could not be looked for after a lost answer.
        return Ok(());
    }
    let sends = wizard.interview.agree(Question {
        name: "send",
        asks: "Send from here what you write in the CRM? (yes/no)",
        help: "not if the organisation's own server sends it already",
        usual: Some("no"),
    })?;
    if !sends {
        return Ok(());
    }
    loop {
        let best = wizard.found.of(Protocol::Submission).find(|candidate| candidate.proven);
        let best = best.and_then(known);
        part::server(wizard, SUBMISSION_SERVER, best)?;
        if is_settled(wizard, SUBMISSION, None).await? {
            return Ok(());
        }
    }
}
