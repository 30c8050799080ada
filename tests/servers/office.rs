//! Anna at work: her mailbox on real servers, the program with a configuration that leads there, and her organisation.

use std::collections::BTreeMap;

use liaison::model::Class;
use serde_json::{Value as Json, json};

use crate::cli::installation::{Installation, Organisation};
use crate::support::servers::cyrus::{self, Cyrus};
use crate::support::servers::dovecot::{self, Dovecot};
use crate::support::servers::proxy::{Proxy, Script};
use crate::support::servers::radicale::Radicale;
use crate::support::servers::{PASSWORD, elsewhere};

/// Where a mailbox is.
pub trait Servers {
    fn start() -> Self;

    /// The sections of the configuration that lead there.
    fn sections(&self) -> String;

    /// The URL of what holds this class, with a slash at the end.
    fn collection(&self, class: Class) -> String;

    /// Another mail program of Anna's.
    fn mail(&self) -> elsewhere::Imap;
}

/// Messages on one server, all else on another.
pub struct Separate {
    pub dovecot: Dovecot,
    pub radicale: Radicale,
}

impl Servers for Separate {
    fn start() -> Self {
        Self { dovecot: Dovecot::start(dovecot::Options::default()), radicale: Radicale::start() }
    }

    fn sections(&self) -> String {
        let [contacts, appointments, tasks] =
            [Class::Contact, Class::Appointment, Class::Task].map(|class| self.collection(class));
        messages(&self.dovecot, self.dovecot.imaps) + &collections(&contacts, &appointments, &tasks)
    }

    fn collection(&self, class: Class) -> String {
        let name = match class {
            Class::Contact => "contacts",
            Class::Task => "tasks",
            Class::Appointment | Class::Email => "calendar",
        };
        self.radicale.collection("anna", name)
    }

    fn mail(&self) -> elsewhere::Imap {
        self.dovecot.elsewhere("anna")
    }
}

/// Messages on one server, all else on another, each behind a wire that can fail.
pub struct Wired {
    pub dovecot: Dovecot,
    pub radicale: Radicale,
    pub imap: Proxy,
    pub dav: Proxy,
}

impl Servers for Wired {
    fn start() -> Self {
        let dovecot = Dovecot::start(dovecot::Options::default());
        let radicale = Radicale::start();
        let port = |url: &str| url.rsplit_once(':').unwrap().1.parse().unwrap();
        let imap = Proxy::start(dovecot.imaps, Script::default());
        let dav = Proxy::start(port(&radicale.url), Script::default());
        Self { dovecot, radicale, imap, dav }
    }

    fn sections(&self) -> String {
        let url = |name| format!("http://localhost:{}/anna/{name}/", self.dav.port);
        messages(&self.dovecot, self.imap.port)
            + &collections(&url("contacts"), &url("calendar"), &url("tasks"))
    }

    /// Not through the wire: another program.
    fn collection(&self, class: Class) -> String {
        let name = match class {
            Class::Contact => "contacts",
            Class::Task => "tasks",
            Class::Appointment | Class::Email => "calendar",
        };
        self.radicale.collection("anna", name)
    }

    fn mail(&self) -> elsewhere::Imap {
        self.dovecot.elsewhere("anna")
    }
}

/// Everything on one server, appointments and tasks in one calendar.
pub struct Alone {
    pub cyrus: Cyrus,
}

impl Servers for Alone {
    fn start() -> Self {
        Self { cyrus: Cyrus::start(cyrus::Options::default()) }
    }

    fn sections(&self) -> String {
        let imap = format!(
            "\n[mailbox.email]\nkind = \"imap\"\nhost = \"localhost\"\nport = {}\nsecurity = \"none\"\n{LOGIN}",
            self.cyrus.imap
        );
        let calendar = self.collection(Class::Task);
        imap + &collections(&self.collection(Class::Contact), &calendar, &calendar)
    }

    fn collection(&self, class: Class) -> String {
        match class {
            Class::Contact => self.cyrus.address_book("anna", "Default"),
            Class::Appointment | Class::Task | Class::Email => {
                self.cyrus.calendar("anna", "Default")
            }
        }
    }

    fn mail(&self) -> elsewhere::Imap {
        self.cyrus.elsewhere("anna")
    }
}

/// The password is in a file beside the configuration, where a test can make it a wrong one.
const LOGIN: &str = "user = \"anna\"\npassword = { command = \"cat password\" }\n";

/// Where that file is.
pub const PASSWORD_FILE: &str = "password";

/// The section of messages on a Dovecot, over TLS, at one of its ports or that of a proxy before it.
pub fn messages(dovecot: &Dovecot, port: u16) -> String {
    format!(
        "\n[mailbox.email]\nkind = \"imap\"\nhost = \"localhost\"\nport = {port}\nca = '{}'\n{LOGIN}",
        dovecot.authority.display()
    )
}

/// The section of a mailbox that can only be emptied.
pub fn post_office(dovecot: &Dovecot) -> String {
    messages(dovecot, dovecot.pop3s).replace("\"imap\"", "\"pop3\"")
}

/// The sections of all but messages.
pub fn collections(contacts: &str, appointments: &str, tasks: &str) -> String {
    format!(
        "\n[mailbox.contacts]\nkind = \"carddav\"\nurl = \"{contacts}\"\n{LOGIN}\
         \n[mailbox.appointments]\nkind = \"caldav\"\nurl = \"{appointments}\"\n{LOGIN}\
         \n[mailbox.tasks]\nkind = \"caldav\"\nurl = \"{tasks}\"\n{LOGIN}"
    )
}

/// One user at work.
pub struct Office<S> {
    // Before the servers: nothing asks them any more when they go.
    pub here: Installation,
    pub organisation: Organisation,
    pub servers: S,
}

impl<S: Servers> Office<S> {
    /// `more` follows the sections of the mailbox.
    pub fn open(more: &str) -> Self {
        let servers = S::start();
        let sections = servers.sections() + more;
        Self::at(servers, &sections)
    }

    /// The folders of all that a collection holds: name and text, lines unfolded.
    pub fn items(&self, class: Class) -> BTreeMap<String, String> {
        let collection = self.servers.collection(class);
        let dav = elsewhere::Dav::new("anna");
        let root = collection.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let urls = dav.list(&collection).into_iter().map(|path| format!("{root}{path}"));
        let texts = urls.map(|url| {
            let answer = dav.get(&url);
            assert_eq!(answer.status, 200, "{url}: {answer:?}");
            let text = String::from_utf8(answer.body).unwrap();
            (url, unfolded(&text))
        });
        texts.collect()
    }

    /// The one item that holds these words.
    #[track_caller]
    pub fn item(&self, class: Class, words: &str) -> (String, String) {
        let items = self.items(class);
        let mut found = items.iter().filter(|(_, text)| text.contains(words));
        let (url, text) = found.next().unwrap_or_else(|| panic!("no “{words}” in {items:#?}"));
        assert_eq!(found.next(), None, "“{words}” is there twice");
        (url.clone(), text.clone())
    }

    /// Another program stores an item.
    pub fn put(&self, class: Class, name: &str, text: &str) {
        self.put_at(class, &format!("{}{name}", self.servers.collection(class)), text);
    }

    /// Another program changes an item: one thing in its text.
    #[track_caller]
    pub fn edit(&self, class: Class, words: &str, instead: &str) {
        let (url, text) = self.item(class, words);
        self.put_at(class, &url, &text.replace(words, instead));
    }

    fn put_at(&self, class: Class, url: &str, text: &str) {
        let kind = if class == Class::Contact { "text/vcard" } else { "text/calendar" };
        elsewhere::Dav::new("anna").put(url, kind, text.as_bytes());
    }

    /// Another program removes the item that holds these words.
    #[track_caller]
    pub fn remove(&self, class: Class, words: &str) {
        elsewhere::Dav::new("anna").delete(&self.item(class, words).0);
    }
}

impl<S> Office<S> {
    /// With servers that run, and the sections that lead to them.
    pub fn at(servers: S, sections: &str) -> Self {
        let organisation = Organisation::serve();
        let here = Installation::new(&organisation.url, &organisation.tokens());
        here.write(PASSWORD_FILE, &format!("{PASSWORD}\n"));
        let office = Self { here, organisation, servers };
        office.lead_to(sections);
        // A series repeats by the clock of its owner.
        let settings = format!("usersettingscollection({})", office.anna());
        office.organisation.change(&settings, r#"{"timezonecode":110}"#);
        office
    }

    /// A configuration with other sections.
    pub fn lead_to(&self, sections: &str) {
        let token = self.organisation.tokens().join("anna");
        self.here.lead_to(&self.organisation.url, &format!("cat '{}'", token.display()), sections);
    }

    /// Who she is in the organisation.
    pub fn anna(&self) -> String {
        let query =
            "systemusers?$select=systemuserid&$filter=internalemailaddress eq 'anna@example.org'";
        let rows = self.organisation.rows(&query.replace(' ', "%20"));
        rows[0]["systemuserid"].as_str().unwrap().to_owned()
    }

    /// Makes a row under an id.
    pub fn make(&self, set: &str, id: &str, columns: &Json) {
        self.organisation.change(&format!("{set}({id})"), &columns.to_string());
    }

    /// The rows of a table, by one of their columns.
    pub fn rows(&self, set: &str, key: &str) -> BTreeMap<String, Json> {
        let rows = self.organisation.rows(set).into_iter();
        rows.map(|row| (row[key].as_str().unwrap_or_default().to_owned(), row)).collect()
    }

    /// The first plan waits, is approved and carried out; then nothing is left to do.
    #[track_caller]
    pub fn first_sync(&self) {
        self.here.run(&["plan"]).ends(4);
        self.here.run(&["approve", "--all"]).ends(0);
        self.sync();
        self.here.run(&["status"]).ends(0).says("in step since");
        self.is_quiet();
    }

    /// A sync after which everything is in step: how many writes it took.
    #[track_caller]
    pub fn sync(&self) -> u64 {
        let ran = self.here.run(&["--json", "sync"]);
        let code = ran.code;
        let report = ran.json();
        assert_eq!(code, 0, "{report:#}");
        operations(&report)
    }

    /// A sync has nothing to do.
    #[track_caller]
    pub fn is_quiet(&self) {
        let ran = self.here.run(&["--json", "sync"]).ends(0);
        let report = ran.json();
        assert_eq!(operations(&report), 0, "{report:#}");
    }

    /// Both sides, read from beginning to end, say what the store believes.
    #[track_caller]
    pub fn is_in_order(&self) {
        self.here.run(&["verify"]).ends(0);
    }

    /// What is known of a thing.
    #[track_caller]
    pub fn explain(&self, thing: &str) -> Json {
        self.here.run(&["--json", "explain", thing]).ends(0).json()
    }

    /// All that was ever written to this side: class, action and why.
    pub fn written(&self, side: &str) -> Vec<Json> {
        let rounds = self.here.json(&["history"])["rounds"].clone();
        let mut written = Vec::new();
        for round in rounds.as_array().unwrap() {
            let shown = self.here.json(&["history", "--round", &round["round"].to_string()]);
            let entries = shown["entries"].as_array().unwrap().clone();
            written.extend(entries.into_iter().filter(|entry| entry["side"] == side));
        }
        written
    }
}

/// The writes of a sync, over all classes.
pub fn operations(report: &Json) -> u64 {
    let classes = report["classes"].as_object().unwrap();
    classes.values().map(|class| class["operations"].as_u64().unwrap()).sum()
}

/// What went wrong with a class.
pub fn failure<'a>(report: &'a Json, class: &str) -> &'a str {
    report["classes"][class]["error"]["message"].as_str().unwrap_or_default()
}

/// A text with its lines as they are meant (RFC 5545 §3.1, RFC 6350 §3.2).
pub fn unfolded(text: &str) -> String {
    text.replace("\r\n", "\n").replace("\n ", "").replace('\n', "\r\n")
}

/// A message of somebody's.
pub fn message(id: &str, from: &str, subject: &str, more: &str) -> String {
    format!(
        "From: {from}\nTo: Anna <anna@example.org>\nSubject: {subject}\nDate: Fri, 02 Jan 2026 10:00:00 +0000\n\
         Message-ID: <{id}@customer.example>\n{more}MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n\
         Text of {subject}.\n"
    )
    .replace('\n', "\r\n")
}

/// The id of a row that a test makes.
pub fn id(number: u32) -> String {
    format!("5e0b7a41-0000-4000-8000-{number:012}")
}

/// The columns of an appointment that Anna organises and nobody else comes to.
pub fn appointment(anna: &str, subject: &str, start: &str, end: &str) -> Json {
    json!({
        "subject": subject, "scheduledstart": start, "scheduledend": end,
        "appointment_activity_parties": [
            { "partyid_systemuser@odata.bind": format!("/systemusers({anna})"), "participationtypemask": 7 },
        ],
    })
}
