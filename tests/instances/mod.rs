//! Several computers of one user: real processes with a state each, on one mailbox and one organisation. One of them syncs; what
//! the user may do, and which organisation it is, can change at any time.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;
use uuid::Uuid;

use crate::cli::installation::{Installation, Organisation, Ran, liaison, run};

mod flight;
mod handover;
mod organisations;
mod reinstall;
mod rights;
mod role;

/// Contacts take part without being asked, and nobody has to approve many.
pub const ALL: &str = "
[sync.contact]
track = \"all\"
[sync.task]
track = \"all\"
[guard]
deletes_max = 1000
updates_max = 100000
creates_max = 100000
";

/// How a process ends when another computer syncs.
pub const STANDBY: i32 = 8;

/// Anna's mailbox and her organisation.
pub struct Office {
    pub here: Installation,
    pub organisation: Organisation,
}

/// One of her computers.
pub struct Computer<'o> {
    office: &'o Office,
    pub name: String,
}

impl Office {
    pub fn open(more: &str) -> Self {
        let organisation = Organisation::serve();
        let here = Installation::new(&organisation.url, &organisation.tokens());
        let office = Self { here, organisation };
        office.configure(more);
        office
    }

    pub fn configure(&self, more: &str) {
        let token = self.organisation.tokens().join("anna");
        self.here.configure(&self.organisation.url, &format!("cat '{}'", token.display()), more);
    }

    pub fn computer(&self, name: &str) -> Computer<'_> {
        Computer { office: self, name: name.to_owned() }
    }

    /// Somebody makes a contact of Anna's in the CRM.
    pub fn make(&self, name: &str) {
        let row = format!("contacts({})", Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()));
        let columns = format!(r#"{{"firstname":"Ann","lastname":"{name}","telephone1":"0"}}"#);
        self.organisation.change(&row, &columns);
    }

    pub fn contacts(&self) -> Vec<Json> {
        self.organisation.rows("contacts?$select=lastname,telephone1,jobtitle")
    }

    /// The cards of the mailbox, by the family name on them: path and text.
    #[track_caller]
    pub fn cards(&self) -> BTreeMap<String, (PathBuf, String)> {
        let mut cards = BTreeMap::new();
        for entry in fs::read_dir(self.here.path("mailbox/contacts")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|end| end != "vcf") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let name = value(&text, "N").split(';').next().unwrap_or_default().to_owned();
            let twice = cards.insert(name.clone(), (path, text));
            assert!(twice.is_none(), "{name} is twice in the mailbox");
        }
        cards
    }

    /// A person changes a line of a card, as editors do it: nobody ever sees half a file.
    pub fn edit(&self, name: &str, property: &str, value: &str) {
        let (path, text) = self.cards()[name].clone();
        let lines = text.split_inclusive("\r\n").map(|line| match line.split_once(':') {
            Some((key, _)) if key.split(';').next() == Some(property) => {
                format!("{key}:{value}\r\n")
            }
            _ => line.to_owned(),
        });
        let new: String = lines.collect();
        let beside = self.here.path("mailbox/edited");
        fs::write(&beside, new).unwrap();
        fs::rename(&beside, &path).unwrap();
    }

    pub fn state(&self, name: &str) -> PathBuf {
        self.here.path(&format!("state-{name}"))
    }
}

/// The value of a property of a card.
pub fn value(card: &str, property: &str) -> String {
    let lines = card.lines().filter_map(|line| line.split_once(':'));
    let mut of = lines.filter(|(key, _)| key.split(';').next() == Some(property));
    of.next().map(|(_, value)| value.to_owned()).unwrap_or_default()
}

impl Computer<'_> {
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = liaison(&self.office.here.path(""));
        command.env("LIAISON_HOST", &self.name).args(["--config", "liaison.toml", "--state"]);
        command.arg(self.office.state(&self.name)).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    pub fn json(&self, arguments: &[&str]) -> Json {
        run(self.command(arguments).arg("--json")).json()
    }

    /// Starts the program, and does not wait for it.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    #[track_caller]
    pub fn claim(&self) {
        self.run(&["instance", "claim", "--yes"]).ends(0);
    }

    /// Syncs, approves, and syncs, until nothing is left to do.
    #[track_caller]
    pub fn settle(&self) {
        for _ in 0..8 {
            let report = self.json(&["sync"]);
            let classes = report["classes"].as_object().unwrap();
            let sum = |what: &str| -> u64 {
                classes.values().map(|class| class[what].as_u64().unwrap()).sum()
            };
            assert!(classes.values().all(|class| class["error"].is_null()), "{report:#}");
            if sum("held") > 0 {
                self.run(&["approve", "--all"]).ends(0);
            } else if sum("operations") == 0 {
                return;
            }
        }
        panic!("{} does not come to rest", self.name);
    }
}

/// Stops or continues a process, as Ctrl-Z and the lid of a laptop do.
pub fn signal(name: &str, child: &Child) {
    let done = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(done.unwrap().success());
}
