//! Contacts, appointments and tasks: which of the collections that there are.

use std::time::Duration;

use super::interview::{self, Choice, Question};
use super::part::{self, Part, is_settled};
use super::sign_in::{self, Door};
use super::{Wizard, file, stop};
use crate::cli::Exit;
use crate::cli::doctor::Which;
use crate::cli::mailbox;
use crate::cli::output::Page;
use crate::connector::dav::{Collection, Dav};
use crate::connector::discover::{Candidate, Place, Protocol};
use crate::connector::{Error, ErrorKind};
use crate::model::Class;

/// For the list of one server.
const LIMIT: Duration = Duration::from_secs(30);

/// Servers that are asked for their lists.
const SERVERS_MAX: usize = 3;

/// One of the three.
struct Kind {
    class: Class,
    name: &'static str,
    protocol: Protocol,
    asks: &'static str,
    user: &'static str,
    door: Door,
    part: Part,
}

const KINDS: [Kind; 3] = [
    Kind {
        class: Class::Contact,
        name: "contacts",
        protocol: Protocol::CardDav,
        asks: "Where are your contacts?",
        user: "contacts-user",
        door: door("contact", "contacts-sign-in", "contacts-password-command"),
        part: Part {
            which: Which::Contact,
            names: &["contacts", "contacts-user", "contacts-sign-in", "contacts-password-command"],
            ca: "contacts-ca",
            pin: "contacts-pin",
        },
    },
    Kind {
        class: Class::Appointment,
        name: "appointments",
        protocol: Protocol::CalDav,
        asks: "Where are your appointments?",
        user: "appointments-user",
        door: door("appointment", "appointments-sign-in", "appointments-password-command"),
        part: Part {
            which: Which::Appointment,
            names: &[
                "appointments",
                "appointments-user",
                "appointments-sign-in",
                "appointments-password-command",
            ],
            ca: "appointments-ca",
            pin: "appointments-pin",
        },
    },
    Kind {
        class: Class::Task,
        name: "tasks",
        protocol: Protocol::CalDav,
        asks: "Where are your tasks?",
        user: "tasks-user",
        door: door("task", "tasks-sign-in", "tasks-password-command"),
        part: Part {
            which: Which::Task,
            names: &["tasks", "tasks-user", "tasks-sign-in", "tasks-password-command"],
            ca: "tasks-ca",
            pin: "tasks-pin",
        },
    },
];

const fn door(part: &'static str, way: &'static str, password: &'static str) -> Door {
    let ways = &["keyring", "command", "oauth", "shared"];
    Door { part, way, ways, password, token: "", credential: "" }
}

/// Asks for each, until it can be used.
pub(super) async fn all(wizard: &mut Wizard<'_>) -> anyhow::Result<()> {
    for kind in &KINDS {
        loop {
            one(wizard, kind).await?;
            if wizard.interview.answers.get(kind.name) == Some("none")
                || is_settled(wizard, kind.part, Some(kind.door)).await?
            {
                break;
            }
        }
    }
    let names = ["email", "contacts", "appointments", "tasks"];
    if names.iter().all(|name| wizard.interview.answers.get(name) == Some("none")) {
        let hint = "answer where your messages, contacts, appointments or tasks are";
        return Err(stop(
            Exit::Usage,
            "everything is left out: there is nothing to keep in step",
            hint,
        ));
    }
    Ok(())
}

async fn one(wizard: &mut Wizard<'_>, kind: &Kind) -> anyhow::Result<()> {
    take_sign_in(wizard, kind);
    place(wizard, kind).await?;
    let is_url = wizard.interview.answers.get(kind.name).is_some_and(|place| place.contains("://"));
    if is_url && !has_sign_in(wizard, kind) {
        own_sign_in(wizard, kind)?;
    }
    Ok(())
}

/// Whether it is known how to sign in there: as for the messages, or in a way of its own.
fn has_sign_in(wizard: &Wizard<'_>, kind: &Kind) -> bool {
    let shares = matches!(wizard.interview.answers.get("email"), Some("imap" | "pop3"));
    shares || wizard.interview.answers.get(kind.door.way).is_some()
}

async fn place(wizard: &mut Wizard<'_>, kind: &Kind) -> anyhow::Result<()> {
    let is_known = wizard.interview.given(kind.name).is_some()
        || (!wizard.interview.is_terminal && wizard.interview.present(kind.name).is_some());
    let question = Question {
        name: kind.name,
        asks: kind.asks,
        help: "↑↓ to move, Enter to choose",
        usual: None,
    };
    if is_known {
        wizard.interview.text(question, is_place)?;
        return Ok(());
    }
    let offered = offered(wizard, kind).await?;
    if !wizard.interview.is_terminal {
        let usual = match offered.as_slice() {
            [] => "none".to_owned(),
            [only] => only.url.to_string(),
            several => {
                let urls: Vec<&str> = several.iter().map(|one| one.url.as_str()).collect();
                let hint = format!("answer with --{} one of: {}", kind.name, urls.join(", "));
                return Err(stop(Exit::Usage, format!("which one? {}", kind.asks), hint));
            }
        };
        wizard.interview.text(Question { usual: Some(&usual), ..question }, is_place)?;
        return Ok(());
    }
    let mut choices: Vec<Choice> = offered.iter().map(choice).collect();
    if let Some(present) = wizard.interview.present(kind.name).map(str::to_owned)
        && choices.iter().all(|choice| choice.answer != present)
    {
        choices.insert(0, Choice::new(&*present, format!("As it is: {present}")));
    }
    choices.push(Choice::new("url", "An address on a server …"));
    choices.push(Choice::new("path", "A folder on this machine, one file an item (vdir) …"));
    if choices.iter().all(|choice| choice.answer != "none") {
        choices.push(Choice::new("none", format!("Leave {} out", kind.name)));
    }
    let chosen = wizard.interview.choose(question, choices, |_| Err("choose one".to_owned()))?;
    match chosen.as_str() {
        "url" => elsewhere(
            wizard,
            kind,
            "Its address:",
            "like https://dav.example.org/anna/ (the server's will do, if it has one only)",
        )?,
        "path" => elsewhere(wizard, kind, "The folder:", "like ~/Contacts")?,
        _ => {}
    }
    Ok(())
}

fn elsewhere(wizard: &mut Wizard<'_>, kind: &Kind, asks: &str, help: &str) -> anyhow::Result<()> {
    wizard.interview.answers.remove(kind.name);
    wizard.interview.text(Question { name: kind.name, asks, help, usual: None }, is_place)?;
    Ok(())
}

fn is_place(answer: &str) -> Result<(), String> {
    match answer {
        "" | "url" | "path" => Err("an address with https://, a folder, or none".to_owned()),
        _ => Ok(()),
    }
}

/// Takes a sign-in of its own where one was said.
fn take_sign_in(wizard: &mut Wizard<'_>, kind: &Kind) {
    let interview = &mut wizard.interview;
    for name in [kind.user, kind.door.way, kind.door.password] {
        let known = interview.given(name).or_else(|| interview.present(name)).map(str::to_owned);
        if let Some(answer) = known.filter(|_| interview.answers.get(name).is_none()) {
            interview.answers.set(name, answer);
        }
    }
}

fn own_sign_in(wizard: &mut Wizard<'_>, kind: &Kind) -> anyhow::Result<()> {
    let usual = wizard.interview.answers.get("address").map(str::to_owned);
    let asks = "Who signs in there?";
    let help = "usually your whole address";
    let question = Question { name: kind.user, asks, help, usual: usual.as_deref() };
    wizard.interview.text(question, part::something)?;
    sign_in::choose(wizard, kind.door, None)
}

/// The collections that hold the class, on the servers that were found or are configured.
async fn offered(wizard: &mut Wizard<'_>, kind: &Kind) -> anyhow::Result<Vec<Collection>> {
    if !wizard.listed.contains_key(&kind.protocol) {
        let listed = list(wizard, kind).await?;
        wizard.listed.insert(kind.protocol, listed);
    }
    let listed = wizard.listed.get(&kind.protocol).into_iter().flatten();
    let suits = |one: &&Collection| one.classes.contains(&kind.class) && one.writable;
    Ok(listed.filter(suits).cloned().collect())
}

async fn list(wizard: &mut Wizard<'_>, kind: &Kind) -> anyhow::Result<Vec<Collection>> {
    let candidates: Vec<Candidate> =
        wizard.found.of(kind.protocol).take(SERVERS_MAX).cloned().collect();
    if !candidates.is_empty() && !has_sign_in(wizard, kind) {
        own_sign_in(wizard, kind)?;
    }
    for candidate in candidates {
        let Place::Url(url) = &candidate.service.place else { continue };
        // Only a person can say that DNS is right about a host elsewhere.
        if !candidate.proven && !is_agreed(wizard, url.host_str().unwrap_or_default())? {
            continue;
        }
        loop {
            match ask(wizard, kind, url.as_str()).await {
                Ok(found) if found.is_empty() => break,
                Ok(found) => return Ok(found),
                Err(error) => {
                    let mut page = Page::default();
                    page.wrapped("✗ ", &format!("{url}: {}", error.message));
                    wizard.interview.say(&page)?;
                    if error.kind != ErrorKind::Unauthorised || !another(wizard, kind)? {
                        break;
                    }
                }
            }
        }
    }
    Ok(Vec::new())
}

/// What a server lists to whoever signs in there.
async fn ask(wizard: &Wizard<'_>, kind: &Kind, url: &str) -> Result<Vec<Collection>, Error> {
    let local = |error: String| Error::new(ErrorKind::Unsupported, error);
    let mut answers = wizard.interview.answers.clone();
    answers.set(kind.name, url);
    let here = wizard.here;
    let config = &here.directories.config;
    let text = file::write(wizard.text.as_deref(), config, &answers)
        .map_err(|error| local(error.message))?;
    let settings = file::settings(&text, config, here.directories.home.as_deref())
        .map_err(|error| local(error.message))?;
    let parts = here.mailbox(&settings).parts([kind.class]);
    let Some((_, mailbox::Part::Dav(options))) = parts.into_iter().next() else {
        return Ok(Vec::new());
    };
    let dav = Dav::new(*options, here.clock.clone())?;
    let listing = tokio::time::timeout(LIMIT, dav.collections()).await;
    listing.map_err(|_| {
        let message = format!("no answer within {} s", LIMIT.as_secs());
        Error::new(ErrorKind::Unreachable, message)
    })?
}

fn is_agreed(wizard: &Wizard<'_>, host: &str) -> anyhow::Result<bool> {
    if !wizard.interview.is_terminal {
        return Ok(false);
    }
    let asks = format!("DNS names {host}, which nothing proves. Is it yours?");
    let choices = vec![
        Choice::new("no", "No, or I do not know"),
        Choice::new("yes", "Yes: sign in there with my password"),
    ];
    Ok(interview::decide(&asks, "ask whoever runs your mailbox", choices)? == "yes")
}

/// Asks for another sign-in.
fn another(wizard: &mut Wizard<'_>, kind: &Kind) -> anyhow::Result<bool> {
    if !wizard.interview.is_terminal {
        return Ok(false);
    }
    let choices = vec![
        Choice::new("yes", "Sign in there in another way …"),
        Choice::new("no", "Go on without its list"),
    ];
    let asks = "The sign-in of the messages is not accepted there. What now?";
    if interview::decide(asks, "↑↓ to move, Enter to choose", choices)? == "no" {
        return Ok(false);
    }
    wizard.interview.again(&[kind.user, kind.door.way, kind.door.password]);
    own_sign_in(wizard, kind)?;
    Ok(true)
}

fn choice(collection: &Collection) -> Choice {
    let name = collection.name.as_deref().unwrap_or("without a name");
    let holds: Vec<String> = collection.classes.iter().map(|class| format!("{class}s")).collect();
    let path = collection.url.path();
    Choice::new(collection.url.as_str(), format!("“{name}”: {} ({path})", holds.join(" and ")))
}
