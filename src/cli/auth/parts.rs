//! Which parts of the configuration need which sign-in or password, and which of them share one.

use std::sync::Arc;

use crate::cli::{Exit, Installation, Stop};
use crate::config::Settings;
use crate::config::settings::{self, Folder, Login, OAuth, With};
use crate::connector::auth::Kind;
use crate::connector::oauth::{Purpose, Session, Wanted};
use crate::connector::vault::Entry;
use crate::model::Class;

/// What opens the door, once for all parts that share it.
#[derive(Debug, Clone)]
pub enum Need {
    /// A sign-in at a provider, for all of this.
    SignIn(Arc<Session>, Vec<Wanted>),
    /// A password that the keyring keeps.
    Password { user: String, host: String, entry: Entry },
    /// A command that prints it: nothing to do here.
    Command(Kind),
    /// What systemd hands to the service under this name: nothing to do here.
    Systemd(String),
}

/// A need, and who has it.
#[derive(Debug, Clone)]
pub struct Shared {
    /// What the parts are called: an organisation's name, `email`, `submission`, `contact`, `appointment`, `task`.
    pub parts: Vec<String>,
    /// Whether one of them belongs to the mailbox, and one is the organisation that is synced.
    pub of_mailbox: bool,
    pub of_crm: bool,
    pub need: Need,
}

impl Shared {
    /// `email, submission and contoso`
    pub fn names(&self) -> String {
        match self.parts.as_slice() {
            [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
            all => all.concat(),
        }
    }

    fn serves(&self, part: &str) -> bool {
        let part = match part {
            "contacts" => "contact",
            "appointments" => "appointment",
            "tasks" => "task",
            other => other,
        };
        let known = self.parts.iter().any(|name| name == part);
        known || (part == "mailbox" && self.of_mailbox) || (part == "crm" && self.of_crm)
    }
}

/// Everything that opens a door, in the order of the configuration: organisations first.
pub fn shared(here: &Installation, settings: &Settings) -> Vec<Shared> {
    let mut found = Vec::new();
    for (name, organisation) in &settings.organisations {
        let need = match &organisation.auth {
            settings::Auth::Token { .. } => Need::Command(Kind::Token),
            settings::Auth::OAuth(oauth) => {
                sign_in(here, oauth, Purpose::Organisation(&organisation.url))
            }
        };
        let one = Shared {
            parts: vec![name.clone()],
            of_mailbox: false,
            of_crm: organisation.sync,
            need,
        };
        join(&mut found, one);
    }
    for (part, login, purpose) in servers(settings) {
        let need = need(here, login, purpose);
        let one = Shared { parts: vec![part.to_owned()], of_mailbox: true, of_crm: false, need };
        join(&mut found, one);
    }
    found
}

/// What one part needs; without a name, everything.
///
/// # Errors
/// When there is no such part.
pub(super) fn of_part(all: Vec<Shared>, part: Option<&str>) -> Result<Vec<Shared>, Stop> {
    let Some(part) = part else { return Ok(all) };
    let names: Vec<&str> =
        all.iter().flat_map(|shared| &shared.parts).map(String::as_str).collect();
    let hint = format!("it has: {}", names.join(", "));
    let found: Vec<Shared> = all.iter().filter(|shared| shared.serves(part)).cloned().collect();
    if found.is_empty() {
        let message = format!("no part `{part}` of the configuration signs in anywhere");
        return Err(Stop::new(Exit::Configuration, message, hint));
    }
    Ok(found)
}

fn servers(settings: &Settings) -> Vec<(&'static str, &Login, Purpose<'static>)> {
    let mailbox = &settings.mailbox;
    let mut servers = Vec::new();
    for class in Class::ALL {
        let found = mailbox.folder(class).and_then(|folder| match folder {
            Folder::Maildir(_) | Folder::Vdir(_) => None,
            Folder::Imap(server) => Some((&server.login, Purpose::Imap)),
            Folder::Pop3(server) => Some((&server.login, Purpose::Pop3)),
            Folder::Dav(collection) => Some((&collection.login, Purpose::Dav)),
        });
        servers.extend(found.map(|(login, purpose)| (class.as_str(), login, purpose)));
    }
    let submission = mailbox.submission.as_ref();
    servers.extend(submission.map(|server| ("submission", &server.login, Purpose::Submission)));
    servers
}

fn need(here: &Installation, login: &Login, purpose: Purpose<'_>) -> Need {
    match &login.with {
        With::Command(kind, _) => Need::Command(*kind),
        With::Systemd(_, name) => Need::Systemd(name.clone()),
        With::OAuth(oauth) => sign_in(here, oauth, purpose),
        With::Keyring { user, host } => {
            let entry = here.password_entry(user, host);
            Need::Password { user: user.clone(), host: host.clone(), entry }
        }
    }
}

fn sign_in(here: &Installation, oauth: &OAuth, purpose: Purpose<'_>) -> Need {
    Need::SignIn(here.session(&oauth.identity), vec![oauth.wanted(purpose)])
}

/// Adds to what shares it already.
fn join(all: &mut Vec<Shared>, one: Shared) {
    let Some(same) = all.iter_mut().find(|other| is_same(&other.need, &one.need)) else {
        all.push(one);
        return;
    };
    same.parts.extend(one.parts);
    same.of_mailbox |= one.of_mailbox;
    same.of_crm |= one.of_crm;
    if let (Need::SignIn(_, known), Need::SignIn(_, more)) = (&mut same.need, one.need) {
        for wanted in more {
            if !known.contains(&wanted) {
                known.push(wanted);
            }
        }
    }
}

fn is_same(one: &Need, other: &Need) -> bool {
    match (one, other) {
        (Need::SignIn(one, _), Need::SignIn(other, _)) => Arc::ptr_eq(one, other),
        (Need::Password { entry: one, .. }, Need::Password { entry: other, .. }) => one == other,
        (Need::Systemd(one), Need::Systemd(other)) => one == other,
        // Two commands may be two commands.
        _ => false,
    }
}
