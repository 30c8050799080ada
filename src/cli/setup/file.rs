//! From answers to the configuration: the settings that they become, in the user's own file, where everything else stays as it is.

use std::path::Path;

use super::answers::{Answers, from_here, is_yes};
use super::questions::QUESTIONS;
use crate::config::edit::{self, Change};
use crate::config::{self, Settings};

/// What a new file begins with.
const HEADER: &str = "# The settings of Liaison, written by `liaison setup`, which can be run again: what you write here yourself stays.\n\
    # What is in force: `liaison config show`.\n";

/// Settings of which another one takes the place.
const SECTIONS: [(&str, &str); 3] =
    [("contacts", "carddav"), ("appointments", "caldav"), ("tasks", "caldav")];

/// The text of the file with these answers in it.
///
/// # Errors
/// When the present text cannot be changed.
pub(super) fn write(
    text: Option<&str>,
    file: &Path,
    answers: &Answers,
) -> config::error::Result<String> {
    let changes = changes(answers);
    match text {
        Some(text) => edit::set(text, file, &changes),
        // A comment by itself would end up behind what is written.
        None => Ok(format!("{HEADER}\n{}", edit::set("", file, &changes)?.trim_start())),
    }
}

/// The settings that answers come to, whether or not all questions were answered: for what is not known yet, something stands in
/// that is never used.
///
/// # Errors
/// When an answer cannot be used.
pub(super) fn settings(
    text: &str,
    file: &Path,
    home: Option<&Path>,
) -> config::error::Result<Settings> {
    let document: Option<toml::Table> = text.parse().ok();
    let has = |key: &str| document.as_ref().is_some_and(|table| table.contains_key(key));
    let mut text = text.to_owned();
    if !has("organisation") {
        text.push_str(
            "\n[organisation.none]\nurl = \"https://organisation.invalid\"\nsync = true\n\
             auth = { kind = \"token\", command = \"false\" }\n",
        );
    }
    Ok(config::parse(&text, file, home)?.settings)
}

fn changes(answers: &Answers) -> Vec<Change> {
    let organisation = answers.get("organisation").unwrap_or("none");
    let mut changes = Vec::new();
    for name in ["email", "contacts", "appointments", "tasks"] {
        if answers.get(name) == Some("none") {
            changes.push(change(&format!("mailbox.{name}"), None));
        }
    }
    if let Some(url) = answers.get("organisation-url") {
        let of = |key: &str, to| change(&format!("organisation.{organisation}.{key}"), Some(to));
        changes.extend([of("url", url.into()), of("sync", true.into())]);
        changes.extend(auth(&format!("organisation.{organisation}.auth"), answers));
    }
    changes.extend(
        answers.get("address").map(|address| change("mailbox.address", Some(address.into()))),
    );
    changes.extend(answers.get("aliases").map(|aliases| {
        let aliases: toml_edit::Array = list(aliases).collect();
        change("mailbox.aliases", Some(aliases.into()))
    }));
    for (name, kind) in SECTIONS {
        changes.extend(collection(name, kind, answers));
    }
    for asked in QUESTIONS.iter().filter(|asked| !asked.setting.is_empty()) {
        let path = asked.setting.replace('*', organisation);
        let Some(answer) = answers.get(asked.name) else { continue };
        let is_secret = SECRETS.iter().any(|end| asked.name.ends_with(end));
        let is_none = asked.name == "email" && answer == "none";
        if is_secret || is_none || is_left_out(asked.name, answers) {
            continue;
        }
        changes.push(change(&path, (!answer.is_empty()).then(|| value(asked.name, answer))));
    }
    for part in ["email", "contacts", "appointments", "tasks"] {
        changes.extend(sign_in(part, answers));
    }
    changes.extend(exclusive(answers, organisation));
    if let Some(yes) = answers.get("organisation-filters").and_then(is_yes) {
        for class in ["contact", "task", "appointment"] {
            changes.push(change(&format!("sync.{class}.organisation_filters"), Some(yes.into())));
        }
    }
    if let Some(off) = answers.get("filters-off") {
        let off: toml_edit::Array = names(off).collect();
        for class in ["contact", "task", "appointment"] {
            let to = (!off.is_empty()).then(|| off.clone().into());
            changes.push(change(&format!("sync.{class}.filters_off"), to));
        }
    }
    changes
}

/// What stands between commas.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// What stands between semicolons: names may have commas in them.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(';').map(str::trim).filter(|name| !name.is_empty())
}

/// Where secrets are to be had: what becomes of that hangs on the way to sign in.
const SECRETS: [&str; 3] = ["-password-command", "-token-command", "-credential"];

/// The settings of a section that are about signing in.
const SIGN_IN: [&str; 4] = ["user", "password", "token", "oauth"];

/// How somebody signs in at a server of the mailbox: one way, and no other one beside it.
fn sign_in(part: &str, answers: &Answers) -> Vec<Change> {
    let of = |name: &str| answers.get(&format!("{part}-{name}"));
    let is_server = match answers.get(part) {
        Some("none" | "maildir") | None => false,
        Some(place) => part == "email" || place.contains("://"),
    };
    let (Some(way), true) = (of("sign-in"), is_server) else { return Vec::new() };
    let text = |name: &str| Some(of(name).unwrap_or_default().into());
    let section = match way {
        "keyring" | "command" | "systemd" => "password",
        "token" => "token",
        "oauth" => "oauth",
        // As for the messages.
        _ => "",
    };
    let of = |key: &str, to| change(&format!("mailbox.{part}.{key}"), to);
    let others = ["password", "token", "oauth"].into_iter().filter(|other| *other != section);
    let mut changes: Vec<Change> = others.map(|other| of(other, None)).collect();
    match section {
        "password" => changes.extend([
            of("password.keyring", (way == "keyring").then(|| true.into())),
            of("password.command", text("password-command").filter(|_| way == "command")),
            of("password.credential", text("credential").filter(|_| way == "systemd")),
        ]),
        "token" => changes.push(of("token.command", text("token-command"))),
        "oauth" => changes.extend(provider(&format!("mailbox.{part}.oauth"), answers)),
        _ => {}
    }
    changes
}

/// How somebody signs in at the organisation, where that was answered.
fn auth(section: &str, answers: &Answers) -> Vec<Change> {
    let Some(way) = answers.get("organisation-sign-in") else { return Vec::new() };
    let of = |key: &str, to| change(&format!("{section}.{key}"), to);
    if way == "oauth" {
        let mut changes = vec![of("kind", Some("oauth".into())), of("command", None)];
        changes.extend(provider(section, answers));
        return changes;
    }
    let command = answers.get("organisation-token-command").unwrap_or_default();
    let gone = ["tenant", "issuer", "client_id", "user", "scopes", "resource"];
    let mut changes: Vec<Change> = gone.iter().map(|key| of(key, None)).collect();
    changes.extend([of("kind", Some("token".into())), of("command", Some(command.into()))]);
    changes
}

/// The one provider of the mailbox and the organisation.
fn provider(section: &str, answers: &Answers) -> Vec<Change> {
    let keys =
        [("oauth-tenant", "tenant"), ("oauth-issuer", "issuer"), ("oauth-client-id", "client_id")];
    let changes = keys.map(|(name, key)| {
        let answer = answers.get(name).filter(|answer| !answer.is_empty());
        change(&format!("{section}.{key}"), answer.map(Into::into))
    });
    changes.into()
}

/// Whether a question is about a part that does not take part.
fn is_left_out(name: &str, answers: &Answers) -> bool {
    let part = name.split('-').next().unwrap_or_default();
    let has_part = matches!(part, "email" | "contacts" | "appointments" | "tasks") && part != name;
    has_part && answers.get(part) == Some("none")
}

fn value(name: &str, answer: &str) -> toml_edit::Value {
    if name.ends_with("-port") {
        return answer.parse::<i64>().map_or_else(|_| answer.into(), Into::into);
    }
    if name == "send" {
        return is_yes(answer).unwrap_or_default().into();
    }
    if name.ends_with("-ca") || name == "email-path" {
        return path(answer);
    }
    answer.into()
}

/// Where a collection is: an address, or a folder.
fn collection(name: &str, kind: &str, answers: &Answers) -> Vec<Change> {
    let Some(answer) = answers.get(name).filter(|answer| *answer != "none") else {
        return Vec::new();
    };
    let is_url = answer.contains("://");
    let kind = if is_url { kind } else { "vdir" };
    let of = |key: &str, to| change(&format!("mailbox.{name}.{key}"), to);
    let mut changes = vec![
        of("kind", Some(kind.into())),
        of("url", is_url.then(|| answer.into())),
        of("path", (!is_url).then(|| path(answer))),
    ];
    if !is_url {
        changes.extend(["ca", "pin"].into_iter().chain(SIGN_IN).map(|key| of(key, None)));
    }
    changes
}

/// What goes because something else was answered.
fn exclusive(answers: &Answers, organisation: &str) -> Vec<Change> {
    let has = |name: &str| answers.get(name).is_some_and(|answer| !answer.is_empty());
    let mut gone: Vec<String> = Vec::new();
    match answers.get("email") {
        Some("maildir") => {
            let keys = ["host", "port", "security", "ca", "pin", "leave_out"].into_iter();
            let keys = keys.chain(SIGN_IN);
            gone.extend(keys.map(|key| format!("mailbox.email.{key}")));
        }
        Some(_) => gone.push("mailbox.email.path".to_owned()),
        None => {}
    }
    for part in ["email", "contacts", "appointments", "tasks", "submission"] {
        gone.extend(certificates(&has, part, &format!("mailbox.{part}")));
    }
    gone.extend(certificates(&has, "organisation", &format!("organisation.{organisation}")));
    gone.iter().map(|path| change(path, None)).collect()
}

/// A pinned certificate and an authority cannot both be there.
fn certificates(has: &impl Fn(&str) -> bool, part: &str, section: &str) -> Option<String> {
    if has(&format!("{part}-pin")) {
        Some(format!("{section}.ca"))
    } else {
        has(&format!("{part}-ca")).then(|| format!("{section}.pin"))
    }
}

/// A path is meant from where the command was given.
fn path(answer: &str) -> toml_edit::Value {
    if answer.starts_with('~') {
        return answer.into();
    }
    from_here(answer).map_or_else(|_| answer.into(), |path| path.display().to_string().into())
}

fn change(path: &str, to: Option<toml_edit::Value>) -> Change {
    Change { path: path.split('.').map(str::to_owned).collect(), to }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(pairs: &[(&'static str, &str)]) -> Answers {
        let mut answers = Answers::default();
        for (name, answer) in pairs {
            answers.set(name, *answer);
        }
        answers
    }

    const ALL: [(&str, &str); 14] = [
        ("address", "anna@example.org"),
        ("email", "imap"),
        ("email-host", "imap.example.org"),
        ("email-port", "1993"),
        ("email-user", "anna"),
        ("email-sign-in", "command"),
        ("email-password-command", "pass mail"),
        ("contacts", "https://dav.example.org/anna/contacts/"),
        ("appointments", "/var/calendar"),
        ("tasks", "none"),
        ("organisation", "contoso"),
        ("organisation-url", "https://contoso.crm4.dynamics.com"),
        ("organisation-sign-in", "command"),
        ("organisation-token-command", "az token"),
    ];

    fn file() -> &'static Path {
        Path::new("/etc/liaison/config.toml")
    }

    #[test]
    fn answers_become_a_configuration_that_can_be_used() {
        let text = write(None, file(), &answers(&ALL)).unwrap();
        assert!(text.starts_with("# The settings of Liaison"), "{text}");
        let settings = settings(&text, file(), None).unwrap();
        assert_eq!(settings.sync_organisation().unwrap().0, "contoso");
        assert_eq!(settings.mailbox.folders.task, None);
        assert_eq!(
            write(Some(&text), file(), &answers(&ALL)).unwrap(),
            text,
            "again, it is the same"
        );
        let present = Answers::of(&config::parse(&text, file(), None).unwrap());
        for (name, answer) in ALL {
            assert_eq!(present.get(name), Some(answer), "{name}");
        }
    }

    #[test]
    fn what_a_person_wrote_stays_and_what_does_not_fit_any_more_goes() {
        let mut text = write(None, file(), &answers(&ALL)).unwrap();
        text = text.replace("host = \"imap.example.org\"", "host = \"imap.example.org\" # mine");
        text.push_str("\n# My rule.\n[sync.task]\nconflict = \"mailbox\"\n");
        let other = [
            ("email-host", "mail.example.org"),
            ("email", "imap"),
            ("email-sign-in", "token"),
            ("email-token-command", "token"),
            ("tasks", "https://x.example/t/"),
        ];
        let changed = write(Some(&text), file(), &answers(&other)).unwrap();
        assert!(changed.contains("host = \"mail.example.org\" # mine"), "{changed}");
        assert!(changed.contains("# My rule.\n[sync.task]\nconflict = \"mailbox\""), "{changed}");
        assert!(
            !changed.contains("pass mail") && changed.contains("token = { command = \"token\" }")
        );
        settings(&changed, file(), None).unwrap();
        let browser = [
            ("organisation-url", "https://contoso.crm4.dynamics.com"),
            ("organisation", "contoso"),
            ("organisation-sign-in", "oauth"),
            ("oauth-tenant", "contoso.com"),
            ("oauth-client-id", "c"),
        ];
        let by_browser = write(Some(&text), file(), &answers(&browser)).unwrap();
        assert!(!by_browser.contains("az token"), "{by_browser}");
        let back = write(Some(&by_browser), file(), &answers(&ALL)).unwrap();
        assert!(back.contains("az token") && !back.contains("tenant"), "{back}");
        settings(&by_browser, file(), None).unwrap();
        let maildir = [("email", "maildir"), ("email-path", "/var/mail"), ("contacts", "none")];
        let changed = write(Some(&text), file(), &answers(&maildir)).unwrap();
        assert!(
            !changed.contains("imap.example.org") && !changed.contains("[mailbox.contacts]"),
            "{changed}"
        );
    }

    #[test]
    fn a_part_can_be_looked_at_before_the_rest_is_known() {
        let text = write(None, file(), &answers(&ALL[..7])).unwrap();
        assert!(config::parse(&text, file(), None).is_err());
        assert!(settings(&text, file(), None).unwrap().mailbox.folders.email.is_some());
    }
}
