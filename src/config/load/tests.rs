#![allow(clippy::too_many_lines, reason = "tables of cases are long")]

use std::collections::BTreeSet;

use super::*;
use crate::config::error::Position;
use crate::config::settings::{
    Auth, Conflict, Deletes, Deletion, Filing, Folder, Login, OnLeave, Sync, Tracking, With,
};
use crate::connector::auth;
use crate::connector::net::Security;
use crate::connector::tls::{Fingerprint, Trust};
use crate::filter::email::{self, Automatic};
use crate::filter::fetch;
use crate::filter::track::{self, Track};
use crate::model::Address;
use crate::model::fields::Direction;

mod sign_in;

const SMALLEST: &str = r#"
[organisation.contoso]
url = "https://contoso.crm4.dynamics.com"
sync = true
auth = { kind = "token", command = "pass crm" }
[mailbox]
address = "Anna@Example.org"
[mailbox.contacts]
kind = "vdir"
path = "~/Contacts"
"#;

fn read(text: &str) -> Result<Loaded> {
    parse(text, Path::new("/etc/liaison/config.toml"), Some(Path::new("/home/anna")))
}

fn settings(text: &str) -> Settings {
    read(text).unwrap_or_else(|error| panic!("{error} ({:?})", error.hint)).settings
}

#[test]
fn the_smallest_file_gets_the_defaults() {
    let settings = settings(SMALLEST);
    let (name, organisation) = settings.sync_organisation().unwrap();
    assert_eq!(
        (name, organisation.url.as_str()),
        ("contoso", "https://contoso.crm4.dynamics.com/")
    );
    assert_eq!(organisation.auth, Auth::Token { command: "pass crm".to_owned() });
    assert_eq!(organisation.trust, Trust::Platform);
    let mailbox = &settings.mailbox;
    assert_eq!(mailbox.me(), Address::parse("anna@example.org").into_iter().collect());
    assert_eq!(mailbox.folder(Class::Contact), Some(&Folder::Vdir("/home/anna/Contacts".into())));
    assert_eq!(mailbox.folder(Class::Email), None);
    assert_eq!(settings.classes().collect::<Vec<_>>(), [Class::Contact]);
    let limit = |max, percent| Limit { max, percent };
    let (deletes, updates, creates) = (limit(5, 10), limit(50, 50), limit(500, 50));
    assert_eq!(settings.guard, Guard { deletes, updates, creates });
}

#[test]
fn each_class_has_its_defaults() {
    let settings = settings(SMALLEST);
    let deletes = Deletes { mailbox: Deletion::Rule, crm: Deletion::Rule };
    for class in Class::ALL {
        let (direction, track) = if class == Class::Email {
            (Direction::ToCrm, Tracking::Email(Box::default()))
        } else {
            (Direction::TwoWay, Tracking::Items(track::Policy::default()))
        };
        let expected = Sync {
            direction,
            track,
            conflict: Conflict::Crm,
            on_leave: OnLeave::Keep,
            deletes,
            fields: BTreeMap::new(),
            filters: fetch::defaults(class),
            organisation_filters: class != Class::Email,
            filters_off: Vec::new(),
            filing: Filing::default(),
            send: false,
        };
        assert_eq!(settings.sync.of(class), &expected, "{class}");
    }
}

#[test]
fn what_the_file_says_is_laid_over_the_defaults() {
    let settings = settings(&format!(
        r#"{SMALLEST}
[sync.contact]
direction = "to-mailbox"
track = "all"
category = "CRM"
private = "include"
conflict = "ask"
on_leave = "remove"
deletes.crm = "keep"
fields.description = "none"
fields.firstname = "both"
filters = [{{ name = "mine", where = ["ownerid eq-userid", "statecode eq 0"] }}]
[sync.email]
track = "known-senders"
private = "include"
[guard]
deletes_max = 0
"#
    ));
    let contact = &settings.sync.contact;
    let policy =
        track::Policy { track: Track::All, category: "CRM".to_owned(), include_private: true };
    assert_eq!(contact.direction, Direction::ToMailbox);
    assert_eq!(contact.track, Tracking::Items(policy));
    assert_eq!((contact.conflict, contact.on_leave), (Conflict::Ask, OnLeave::Remove));
    assert_eq!(contact.deletes, Deletes { mailbox: Deletion::Rule, crm: Deletion::Keep });
    assert_eq!(contact.fields, BTreeMap::from([("description".to_owned(), Direction::None)]));
    assert_eq!(
        fetch::fingerprint(&contact.filters),
        fetch::fingerprint(&fetch::defaults(Class::Contact))
    );
    let policy = email::Policy {
        automatic: Automatic::KnownSenders,
        include_private: true,
        ..email::Policy::default()
    };
    assert_eq!(settings.sync.email.track, Tracking::Email(Box::new(policy)));
    assert_eq!(settings.guard.deletes, Limit { max: 0, percent: 10 });
}

#[test]
fn paths_start_at_the_file_or_at_home() {
    for (written, expected) in [
        ("~", "/home/anna"),
        ("~/a/./b", "/home/anna/a/b"),
        ("a/../b", "/etc/liaison/a/../b"),
        ("./a", "/etc/liaison/a"),
        ("/a", "/a"),
    ] {
        let text = SMALLEST.replace("~/Contacts", written);
        let folder = Some(Folder::Vdir(expected.into()));
        assert_eq!(settings(&text).mailbox.folders.contact, folder, "{written}");
    }
    let text = SMALLEST.replace("sync = true", "sync = true\nca = \"certs/ca.pem\"");
    let trust = settings(&text).organisations["contoso"].trust.clone();
    assert_eq!(trust, Trust::Authority("/etc/liaison/certs/ca.pem".into()));
    let digits = "0f".repeat(32);
    let text = SMALLEST.replace("sync = true", &format!("sync = true\npin = \"{digits}\""));
    let trust = settings(&text).organisations["contoso"].trust.clone();
    assert_eq!(trust, Trust::Pin(Fingerprint::parse(&digits).unwrap()));
    let homeless = parse(SMALLEST, Path::new("c.toml"), None).unwrap_err();
    assert_eq!(homeless.message, "`path`: `~` stands for nothing: there is no home directory");
}

/// A broken file: what replaces what in the smallest one, where the error is (`None`: the file as a whole), what it says,
/// and the hint.
type Broken<'a> = (&'a str, &'a str, Option<(usize, usize)>, &'a str, &'a str);

fn check(cases: &[Broken<'_>]) {
    for (old, new, position, message, hint) in cases {
        assert!(SMALLEST.contains(old), "{old}");
        let error = read(&SMALLEST.replacen(old, new, 1)).expect_err(new);
        assert_eq!(error.message, *message, "{new}");
        assert_eq!(error.hint.as_deref().unwrap_or_default(), *hint, "{new}");
        let position = position.map(|(line, column)| Position { line, column });
        assert_eq!(error.position, position, "{new}");
        assert_eq!(error.file, Path::new("/etc/liaison/config.toml"), "{new}");
    }
}

#[test]
fn unknown_keys_and_words_are_refused_with_a_hint() {
    let end = "path = \"~/Contacts\"\n";
    let contact = |line: &str| format!("{end}[sync.contact]\n{line}\n");
    check(&[
        (
            "sync = true",
            "snyc = true",
            Some((4, 1)),
            "unknown key `snyc` in `[organisation.contoso]`",
            "did you mean `sync`?",
        ),
        (
            "[mailbox]",
            "[mailbox]\ncolour = 1",
            Some((7, 1)),
            "unknown key `colour` in `[mailbox]`",
            "known here: `address`, `aliases`, `zone`, `email`, `contacts`, `appointments`, `tasks`, `submission`",
        ),
        (
            end,
            &format!("{end}[gaurd]\n"),
            Some((11, 2)),
            "unknown key `gaurd`",
            "did you mean `guard`?",
        ),
        (
            end,
            &contact("directoin = \"off\""),
            Some((12, 1)),
            "unknown key `directoin` in `[sync.contact]`",
            "did you mean `direction`?",
        ),
        (
            end,
            &contact("track = \"al\""),
            Some((12, 1)),
            "`track` cannot be `al`",
            "did you mean `all`?",
        ),
        (
            end,
            &contact("conflict = \"newest\""),
            Some((12, 1)),
            "`conflict` cannot be `newest`",
            "known here: `crm`, `mailbox`, `ask`",
        ),
        (
            end,
            &contact("fields.descripton = \"none\""),
            Some((12, 8)),
            "a contact has no field `descripton`",
            "did you mean `description`?",
        ),
        (
            end,
            &contact("fields.firstname = \"none\""),
            Some((12, 8)),
            "the direction of `firstname` is fixed",
            "without it both sides would no longer mean the same thing",
        ),
        (
            end,
            &contact("fields.parentcustomerid = \"both\""),
            Some((12, 8)),
            "the direction of `parentcustomerid` is fixed",
            "the CRM takes it from another record, which an item of the mailbox cannot change",
        ),
        (
            end,
            &contact("filters = [\"defaults\"]"),
            Some((12, 12)),
            "no filter is called `defaults`",
            "\"default\", or { name = \"…\", where = [\"column operator value\"] }",
        ),
        (
            end,
            &contact("filters = [{ name = \"a\", where = [\"statecode equals 0\"] }]"),
            Some((12, 12)),
            "filter `a`: `statecode equals 0`: unknown operator `equals`; often used: eq, ne, gt, ge, lt, le, in, not-in, like, null, not-null, on-or-after, last-x-days, eq-userid",
            "",
        ),
        (
            end,
            &contact("filters = [{ name = \"a\", fetchxml = \"<fetch>\" }]"),
            Some((12, 12)),
            "filter `a`: `fetch` is not closed",
            "",
        ),
        (
            end,
            &contact("filters = [{ name = \"a\", table = \"task\", where = [] }]"),
            Some((12, 26)),
            "`table` cannot be `task`",
            "known here: `contact`",
        ),
        (
            end,
            &format!(
                "{end}[sync.appointment]\nfilters = [{{ name = \"a\", where = [\"statecode eq 0\"] }}]"
            ),
            Some((12, 12)),
            "filter `a`: which table?",
            "table = \"appointment\" or table = \"recurringappointmentmaster\"",
        ),
        (
            end,
            &format!("{end}[sync.email]\nfields.subject = \"none\""),
            Some((12, 8)),
            "the direction of `subject` is fixed",
            "a message is filed once and never changed on either side",
        ),
        (
            end,
            &format!("{end}[guard]\ndeletes_percent = 101"),
            Some((12, 1)),
            "`deletes_percent` is a number from 0 to 100, not 101",
            "",
        ),
        (
            end,
            &format!("{end}[guard]\ndeletes_max = \"5\""),
            Some((12, 1)),
            "`guard.deletes_max` is a whole number, not text",
            "",
        ),
    ]);
}

#[test]
fn organisations_are_checked() {
    let url = "\"https://contoso.crm4.dynamics.com\"";
    let auth = "{ kind = \"token\", command = \"pass crm\" }";
    let example = "write it like this: url = \"https://contoso.crm4.dynamics.com\"";
    let second = "[organisation.b]\nurl = \"http://127.0.0.1:1\"\nsync = true\nauth = { kind = \"token\", command = \"x\" }\n[mailbox]";
    check(&[
        (
            "[mailbox]",
            second,
            Some((2, 15)),
            "`b` and `contoso` both say `sync = true`",
            "a mailbox is kept in step with exactly one organisation",
        ),
        (
            "sync = true",
            "",
            None,
            "no organisation says `sync = true`",
            "add it to the one that the mailbox goes with: [organisation.contoso]",
        ),
        (
            url,
            "\"contoso\"",
            Some((3, 1)),
            "`url` is no address: relative URL without a base",
            example,
        ),
        (url, "\"ftp://contoso\"", Some((3, 1)), "`url` must be https", example),
        (
            url,
            "\"http://contoso.example\"",
            Some((3, 1)),
            "`url` must be https: the token would travel in the clear",
            "",
        ),
        (
            url,
            "\"https://contoso.example:8443/api/data/v9.2/\"",
            Some((3, 1)),
            "`url` goes on after the host",
            "only the address: url = \"https://contoso.example:8443\"",
        ),
        (
            url,
            "\"https://a:secret@contoso.example\"",
            Some((3, 1)),
            "`url` must not hold a user or a password",
            "name a command that prints a token: auth = { kind = \"token\", command = \"…\" }",
        ),
        (url, "5", Some((3, 1)), "`organisation.contoso.url` is text, not a number", ""),
        (
            auth,
            "{ kind = \"saml\", tenant = \"t\" }",
            Some((5, 10)),
            "`kind` cannot be `saml`",
            "known here: `oauth`, `token`",
        ),
        (
            auth,
            "{ kind = \"tokens\" }",
            Some((5, 10)),
            "`kind` cannot be `tokens`",
            "did you mean `token`?",
        ),
        (
            auth,
            "{ kind = \"token\" }",
            Some((5, 1)),
            "`command` is missing in `[organisation.contoso.auth]`",
            "",
        ),
        (auth, "\"x\"", Some((5, 1)), "`organisation.contoso.auth` is a table, not text", ""),
    ]);
    let error =
        read(&SMALLEST.replace("organisation.contoso", "organisation.\"a b\"")).unwrap_err();
    assert_eq!(error.message, "`a b` is no name for an organisation");
    let error = read("[mailbox]\naddress = \"a@b\"").unwrap_err();
    assert_eq!(error.message, "there is no organisation");
}

#[test]
fn secrets_in_the_file_are_refused_and_never_repeated() {
    let auth = "command = \"pass crm\" }";
    for secret in ["token = \"hunter2\" }", "command = \"x\", client_secret = \"hunter2\" }"] {
        let error = read(&SMALLEST.replace(auth, secret)).unwrap_err();
        let said = format!("{error} {:?}", error.hint);
        assert!(!said.contains("hunter2"), "{said}");
    }
    let error =
        read(&SMALLEST.replace("[mailbox]", "[mailbox]\npassword = \"hunter2\"")).unwrap_err();
    assert_eq!(error.message, "`password`: secrets are not kept in this file");
    assert!(error.hint.unwrap().contains("command"));
}

#[test]
fn mailboxes_are_checked() {
    let address = "\"Anna@Example.org\"";
    let end = "path = \"~/Contacts\"\n";
    let like = "write it like this: anna@example.org";
    check(&[
        (address, "\"anna\"", Some((7, 1)), "`address`: this is no e-mail address", like),
        (
            address,
            "\"Anna <anna@example.org>\"",
            Some((7, 1)),
            "`address`: this is no e-mail address",
            like,
        ),
        (
            address,
            "\"anna@example.org\"\naliases = [\"a@b\", \"@\"]",
            Some((8, 19)),
            "`aliases`: this is no e-mail address",
            like,
        ),
        (
            address,
            "\"anna@example.org\"\naliases = [5]",
            Some((8, 12)),
            "an alias is text, not a number",
            "",
        ),
        (
            address,
            "\"anna@example.org\"\nzone = \"Mars/Olympus\"",
            Some((8, 1)),
            "`zone`: no time zone is called `Mars/Olympus`",
            "use an IANA name, like \"Europe/Berlin\", or \"system\"",
        ),
        (
            "address = \"Anna@Example.org\"",
            "",
            Some((6, 2)),
            "`address` is missing in `[mailbox]`",
            "",
        ),
        (
            "\"vdir\"",
            "\"maildir\"",
            Some((9, 1)),
            "`kind` cannot be `maildir`",
            "known here: `carddav`, `vdir`",
        ),
        ("\"~/Contacts\"", "\"\"", Some((10, 1)), "`path`: this is no path", ""),
        (
            "\"~/Contacts\"",
            "\"~bob/Contacts\"",
            Some((10, 1)),
            "`path`: `~` can only stand for your own home directory",
            "",
        ),
        (
            end,
            &format!("{end}[mailbox.tasks]\nkind = \"vdir\"\npath = \"/home/anna/Contacts\""),
            Some((11, 10)),
            "`contacts` and `tasks` share one folder",
            "give each a folder of its own",
        ),
        (
            "[mailbox.contacts]\nkind = \"vdir\"\npath = \"~/Contacts\"",
            "",
            Some((6, 2)),
            "the mailbox has no folders",
            "add one of [mailbox.email], [mailbox.contacts], [mailbox.appointments], [mailbox.tasks]",
        ),
    ]);
}

const SERVERS: &str = r#"
[mailbox.email]
kind = "imap"
host = "imap.example.org"
user = "anna"
password = { command = "pass mail/anna" }
leave_out = ["Notes"]

[mailbox.appointments]
kind = "caldav"
url = "https://dav.example.org/anna/calendar/"
token = { command = "dav-token" }
ca = "dav-ca.pem"

[mailbox.submission]
host = "smtp.example.org"
security = "starttls"
"#;

#[test]
fn servers_are_read_and_who_signs_in_for_mail_does_so_elsewhere() {
    let mailbox = settings(&format!("{SMALLEST}{SERVERS}")).mailbox;
    let Some(Folder::Imap(imap)) = mailbox.folder(Class::Email) else { panic!("IMAP") };
    assert_eq!(
        (imap.server.to_string().as_str(), imap.server.security),
        ("imap.example.org:993", Security::Tls)
    );
    assert_eq!(imap.server.trust, Trust::Platform);
    assert_eq!(imap.leave_out, BTreeSet::from(["Notes".to_owned()]));
    let login =
        |kind, line: &str| Login { user: "anna".into(), with: With::Command(kind, line.into()) };
    assert_eq!(imap.login, login(auth::Kind::Password, "pass mail/anna"));
    let Some(Folder::Dav(calendar)) = mailbox.folder(Class::Appointment) else { panic!("DAV") };
    assert_eq!(calendar.login, login(auth::Kind::Token, "dav-token"));
    assert_eq!(calendar.trust, Trust::Authority("/etc/liaison/dav-ca.pem".into()));
    let submission = mailbox.submission.as_ref().unwrap();
    assert_eq!(submission.server.port, 587);
    assert_eq!(submission.login, imap.login);
}

#[test]
fn servers_are_checked() {
    let whole = format!("{SMALLEST}{SERVERS}");
    for (old, new, message, hint) in [
        ("kind = \"imap\"", "kind = \"imaps\"", "`kind` cannot be `imaps`", "did you mean `imap`?"),
        ("host = \"imap.example.org\"\n", "", "`host` is missing in `[mailbox.email]`", ""),
        (
            "\"imap.example.org\"",
            "\"imap://x\"",
            "`host`: this is no name of a server",
            "write only the name",
        ),
        ("user = \"anna\"\n", "", "`user` is missing in `[mailbox.email]`", ""),
        ("user = \"anna\"", "port = 70000", "`port` is a number from 0 to 65535, not 70000", ""),
        (
            "{ command = \"pass mail/anna\" }",
            "\"hunter2\"",
            "`password`: secrets are not kept in this file",
            "password = { command",
        ),
        (
            "\"https://dav.example.org/anna/calendar/\"",
            "\"http://dav.example.org/\"",
            "`url`: only https is safe",
            "https://dav",
        ),
        (
            "\"https://dav.example.org/anna/calendar/\"",
            "\"https://a:hunter2@dav.example.org/\"",
            "`url`: names and passwords have no place in it",
            "",
        ),
        (
            "ca = \"dav-ca.pem\"",
            "ca = \"x\"\npin = \"00\"",
            "`ca` and `pin` cannot both be there",
            "take `ca` out",
        ),
        ("ca = \"dav-ca.pem\"", "pin = \"00\"", "`pin`: this is no SHA-256 fingerprint", "doctor"),
        (
            "\"starttls\"",
            "\"ssl\"",
            "`security` cannot be `ssl`",
            "known here: `tls`, `starttls`, `none`",
        ),
    ] {
        assert!(whole.contains(old), "{old}");
        let error = read(&whole.replace(old, new)).unwrap_err();
        assert_eq!(error.message, message);
        let hint_given = error.hint.clone().unwrap_or_default();
        assert!(hint_given.contains(hint), "{message}: {hint_given}");
        assert!(!format!("{error} {hint_given}").contains("hunter2"));
    }
}

#[test]
fn what_is_not_toml_is_named_by_line_and_column() {
    for (text, line, column) in
        [("a = ", 1, 5), ("[a]\nb = 1\nb = 2\n", 3, 1), ("ä = 1", 1, 1), ("\n\n[a", 3, 3)]
    {
        let error = read(text).unwrap_err();
        assert_eq!(error.position, Some(Position { line, column }), "{text:?}: {error}");
        assert!(error.message.starts_with("not TOML: "), "{error}");
    }
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(read(&deep).is_err());
    let dotted = format!("{}b = 1", "a.".repeat(200_000));
    assert!(read(&dotted).is_err());
    let wide = format!("filters = [{}]", "1,".repeat(500_000));
    assert!(read(&wide).is_err());
    let error = read(&SMALLEST.replace("sync = true", "sync = maybe")).unwrap_err();
    assert!(error.to_string().starts_with("/etc/liaison/config.toml:4:8: not TOML: "), "{error}");
}

#[test]
fn every_value_tells_where_it_comes_from() {
    let loaded = read(&format!("{SMALLEST}[sync.task]\nconflict = \"ask\"\n")).unwrap();
    let find = |key: &str| {
        let found = loaded.effective.iter().find(|effective| effective.key == key);
        found.map(|found| (found.value.as_deref(), found.origin.to_string()))
    };
    assert_eq!(find("sync.task.conflict"), Some((Some("\"ask\""), "line 12".to_owned())));
    assert_eq!(find("sync.contact.conflict"), Some((Some("\"crm\""), "default".to_owned())));
    assert_eq!(find("organisation.contoso.ca"), Some((None, "default".to_owned())));
    assert_eq!(find("guard.deletes_max"), Some((Some("5"), "default".to_owned())));
    assert_eq!(
        find("organisation.contoso.auth.command"),
        Some((Some("\"pass crm\""), "line 5".to_owned()))
    );
    assert!(loaded.effective.is_sorted_by_key(|effective| &effective.key));
}

#[test]
fn files_that_cannot_be_read_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let missing = load(&folder.path().join("none.toml"), None).unwrap_err();
    assert!(missing.message.starts_with("cannot be read: "), "{missing}");
    let file = folder.path().join("latin1.toml");
    fs::write(&file, b"# \xe4").unwrap();
    assert_eq!(load(&file, None).unwrap_err().message, "not UTF-8 text");
    fs::write(&file, vec![b'#'; BYTES_MAX + 2]).unwrap();
    assert_eq!(load(&file, None).unwrap_err().message, "larger than 1024 KiB");
    fs::write(&file, SMALLEST).unwrap();
    assert!(load(&file, Some(Path::new("/home/anna"))).is_ok());
}

proptest::proptest! {
    #[test]
    fn hostile_files_are_refused_or_used(text in r#"(\[?\[?[a-z.]{0,12}\]?\]?[ =\n]{0,2}["'0-9{}\[\],tru#ä\n]{0,6}){0,8}"#) {
        let _loaded = read(&text);
        let _loaded = read(&format!("{SMALLEST}\n{text}"));
    }
}
