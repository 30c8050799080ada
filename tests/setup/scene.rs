//! A machine on which nothing is set up yet: Anna's servers, her organisation, and a folder.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use serde_json::json;

use crate::cli::installation::{Organisation, Ran, liaison, run};
use crate::support::servers::PASSWORD;
use crate::support::servers::dovecot::{self, Dovecot};
use crate::support::servers::elsewhere;
use crate::support::servers::gate::Gate;
use crate::support::servers::keyring::Keyring;
use crate::support::servers::manager::Manager;
use crate::support::servers::process::eventually;
use crate::support::servers::provider::Provider;
use crate::support::servers::radicale::Radicale;

pub struct Scene {
    pub dovecot: Dovecot,
    pub radicale: Radicale,
    pub organisation: Organisation,
    /// Where people sign in in a browser, if they do.
    pub office: Option<Office>,
    folder: tempfile::TempDir,
    /// Where a description of the servers is, as a domain would serve it.
    pub described: String,
}

/// A card that is tracked by its category, and one that is not.
const CARDS: [(&str, &str); 2] = [("ann", "CATEGORIES:Tracked to CRM\r\n"), ("ben", "")];

impl Scene {
    pub fn new() -> Self {
        Self::furnish(Organisation::serve(), None)
    }

    /// With a provider, a keyring and a service manager.
    pub fn office() -> Self {
        let provider = Provider::start(3600);
        let organisation = Organisation::serve_trusting(&provider.introspection());
        let list = serve(listed(&organisation.url));
        let discovery = Gate::before(&list, &provider, None);
        let keyring = Keyring::start();
        Self::furnish(organisation, Some(Office { provider, discovery, keyring, manager: None }))
    }

    fn furnish(organisation: Organisation, office: Option<Office>) -> Self {
        let dovecot = Dovecot::start(dovecot::Options::default());
        let radicale = Radicale::start();
        let described = serve(description(&dovecot, &radicale));
        let folder = tempfile::tempdir().unwrap();
        let mut scene = Self { dovecot, radicale, organisation, office, folder, described };
        let home = scene.path("");
        if let Some(office) = &mut scene.office {
            office.manager = Some(Manager::start(&home, &office.keyring.address()));
            browser(&home);
        }
        scene.write("password", &format!("{PASSWORD}\n"));
        scene.write("wrong", "wrong\n");
        for (name, category) in CARDS {
            scene.card(name, category);
        }
        scene
    }

    /// Another program writes a card; `category` is a line of it.
    pub fn card(&self, name: &str, category: &str) {
        let url = format!("{}{name}.vcf", self.radicale.collection("anna", "contacts"));
        let card = format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{name}\r\nFN:{name} Smith\r\nN:Smith;{name};;;\r\n{category}END:VCARD\r\n"
        );
        elsewhere::Dav::new("anna").put(&url, "text/vcard", card.as_bytes());
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub fn write(&self, below: &str, text: &str) {
        fs::write(self.path(below), text).unwrap();
    }

    pub fn config(&self) -> String {
        fs::read_to_string(self.path("config/config.toml")).unwrap()
    }

    /// A command that prints the token of this user.
    pub fn token(&self, user: &str) -> String {
        format!("cat '{}'", self.organisation.tokens().join(user).display())
    }

    /// A command that prints what stands in a file of the folder.
    pub fn secret(&self, file: &str) -> String {
        format!("cat '{}'", self.path(file).display())
    }

    /// `liaison`, with a configuration and a state of its own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = liaison(self.folder.path());
        command.args(["--config", "config/config.toml", "--state", "state"]).args(arguments);
        if let Some(office) = &self.office {
            let runtime = office.manager.as_ref().unwrap().runtime();
            let path = std::env::var("PATH").unwrap();
            command.env("DBUS_SESSION_BUS_ADDRESS", office.keyring.address());
            command.env("XDG_RUNTIME_DIR", runtime).env("DISPLAY", ":none");
            command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        }
        command
    }

    /// What the browser of the desktop was told to open, once it was.
    pub fn opened(&self) -> String {
        let file = self.path("opened");
        eventually("the browser is opened", || file.exists());
        let address = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        address.trim().to_owned()
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    /// Answers to everything, one a line.
    pub fn answers(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("address", "anna@example.org".to_owned()),
            ("discover", self.described.clone()),
            ("email-password-command", self.secret("password")),
            ("email-ca", self.dovecot.authority.display().to_string()),
            ("tasks", self.radicale.collection("anna", "tasks")),
            ("organisation-url", self.organisation.url.clone()),
            ("organisation-token-command", self.token("anna")),
            ("track-contact", "all".to_owned()),
            ("approve", "yes".to_owned()),
        ])
    }

    /// Writes a file of answers.
    pub fn answer(&self, answers: &BTreeMap<&str, String>) {
        let lines: Vec<String> =
            answers.iter().map(|(name, answer)| format!("{name} = '''{answer}'''\n")).collect();
        self.write("answers.toml", &lines.concat());
    }

    /// The last names of the contacts in the organisation.
    pub fn contacts(&self) -> Vec<String> {
        let rows = self.organisation.rows("contacts?$select=firstname,lastname");
        let named = rows.iter().filter(|row| row["lastname"] == "Smith");
        let mut names: Vec<String> =
            named.map(|row| row["firstname"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }
}

/// Where people sign in in a browser: everything of a desktop but the screen.
pub struct Office {
    pub provider: Provider,
    /// Who lists organisations, to those who are signed in.
    pub discovery: Gate,
    pub keyring: Keyring,
    manager: Option<Manager>,
}

/// The browser of a desktop: it writes down what it is to open, whole or not at all.
fn browser(home: &Path) {
    let (script, file) = (home.join("bin/xdg-open"), home.join("opened"));
    let file = file.display();
    fs::create_dir(home.join("bin")).unwrap();
    fs::write(
        &script,
        format!("#!/bin/sh\necho \"$1\" >'{file}.new' && mv '{file}.new' '{file}'\n"),
    )
    .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The answer of Global Discovery, with this organisation in it.
/// <https://learn.microsoft.com/power-apps/developer/data-platform/webapi/discover-url-organization-web-api>
fn listed(url: &str) -> String {
    json!({
        "@odata.context": "https://globaldisco.crm.dynamics.com/api/discovery/v2.0/$metadata#Instances",
        "value": [{
            "Id": "11111111-1111-1111-1111-111111111111",
            "TenantId": "22222222-2222-2222-2222-222222222222",
            "UniqueName": "org1",
            "UrlName": "contoso",
            "FriendlyName": "Contoso Ltd",
            "State": 0,
            "Version": "9.2.0",
            "Url": url,
            "ApiUrl": url,
            "Region": "EMEA",
        }, {
            "UniqueName": "org2", "FriendlyName": "Not of this cloud", "Url": "https://elsewhere.example", "State": 0,
        }],
    })
    .to_string()
}

/// All files below a folder, with what is in them.
pub fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.is_file() {
                found.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    found
}

fn description(dovecot: &Dovecot, radicale: &Radicale) -> String {
    format!(
        "<clientConfig version=\"1.1\"><emailProvider id=\"example.org\">\
         <incomingServer type=\"imap\"><hostname>localhost</hostname><port>{}</port><socketType>SSL</socketType>\
         <username>%EMAILLOCALPART%</username></incomingServer></emailProvider>\
         <addressBook type=\"carddav\"><serverURL>{1}/</serverURL></addressBook>\
         <calendar type=\"caldav\"><serverURL>{1}/</serverURL></calendar></clientConfig>",
        dovecot.imaps, radicale.url
    )
}

/// Serves one text, whatever is asked, as long as the test runs. Its address.
fn serve(text: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://localhost:{}/config-v1.1.xml", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                text.len()
            );
            drop(stream.write_all(format!("{head}{text}").as_bytes()));
        }
    });
    url
}
