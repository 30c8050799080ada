//! A desktop session: keyring, provider, an organisation that trusts it, and the program with a sign-in in its configuration.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

use crate::cli::installation::{Installation, Organisation, Ran, run};
use crate::support::servers::keyring::Keyring;
use crate::support::servers::provider::{CLIENT, Provider, visit};

/// How the sign-in at the provider is written, without the scopes.
pub fn oauth(provider: &Provider) -> String {
    format!(r#"issuer = "{}", client_id = "{CLIENT}", user = "anna""#, provider.issuer())
}

pub struct Desktop {
    // Before the servers: nothing asks them any more when it goes.
    pub here: Installation,
    pub organisation: Organisation,
    pub provider: Provider,
    pub keyring: Keyring,
}

impl Desktop {
    /// Access tokens are good for so many seconds; `sections` follow those of the organisation and the mailbox's address.
    pub fn open(lifetime: u32, sections: impl FnOnce(&Provider) -> String) -> Self {
        let provider = Provider::start(lifetime);
        let organisation = Organisation::serve_trusting(&provider.introspection());
        let here = Installation::new(&organisation.url, &organisation.tokens());
        let text = format!(
            "[organisation.test]\nurl = \"{}\"\nsync = true\nauth = {{ kind = \"oauth\", {}, scopes = [\"crm\"] }}\n\n\
             [mailbox]\naddress = \"anna@example.org\"\nzone = \"Europe/Berlin\"\n{}",
            organisation.url,
            oauth(&provider),
            sections(&provider),
        );
        here.write("liaison.toml", &text);
        Self { here, organisation, provider, keyring: Keyring::start() }
    }

    /// With folders of contacts that are all tracked.
    pub fn with_contacts(lifetime: u32) -> Self {
        Self::open(lifetime, |_| {
            "\n[mailbox.contacts]\nkind = \"vdir\"\npath = \"mailbox/contacts\"\n\
             \n[sync.contact]\ntrack = \"all\"\n"
                .to_owned()
        })
    }

    /// The program in this session.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.here.command(arguments);
        command.env("DBUS_SESSION_BUS_ADDRESS", self.keyring.address());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    /// What `auth status` says, and what it ends with.
    pub fn status(&self) -> (Json, i32) {
        let ran = self.run(&["auth", "status", "--json"]);
        (ran.json()["sign_ins"].clone(), ran.code)
    }

    /// How often the provider refused a refresh token since it was started.
    pub fn refusals(&self) -> usize {
        self.provider.log().matches("refused refresh_token").count()
    }

    /// What is kept of the sign-in beside the keyring, and where.
    pub fn sign_in_record(&self) -> (PathBuf, Json) {
        let files = fs::read_dir(self.here.path("state/auth")).unwrap();
        let mut files = files.map(|file| file.unwrap().path());
        let file = files.find(|file| file.extension().is_some_and(|end| end == "json")).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        (file, serde_json::from_str(&text).unwrap())
    }

    /// Begins a sign-in; gives the program that waits, and what it wants to be opened.
    #[allow(
        clippy::zombie_processes,
        reason = "whoever gets it waits for it; a test that panics ends anyway"
    )]
    pub fn begin(&self, arguments: &[&str]) -> Waiting {
        let arguments = [["auth", "login"].as_slice(), arguments].concat();
        let mut command = self.command(&arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut before = String::new();
        loop {
            let mut line = String::new();
            let count = said.read_line(&mut line).unwrap();
            assert!(count > 0, "it wants nothing to be opened: {before}");
            let address = line.trim().trim_start_matches("or open ").to_owned();
            // Of a code, the address that brings it along.
            let wanted = if before.contains("type the code") || address.contains("redirect_uri") {
                Some(address).filter(|address| address.starts_with("http"))
            } else {
                None
            };
            before.push_str(&line);
            if let Some(address) = wanted {
                return Waiting { child, said, before, address };
            }
        }
    }

    /// Anna signs in for everything.
    pub fn sign_in(&self) {
        let waiting = self.begin(&["test", "--no-browser"]);
        let page = visit(&waiting.address, "anna", true);
        waiting.ends(0);
        assert!(page.contains("You are signed in"), "{page}");
    }
}

/// A program that waits for a person.
pub struct Waiting {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
    before: String,
    /// What the person shall open.
    pub address: String,
}

impl Waiting {
    /// Waits for its end.
    #[track_caller]
    pub fn ends(mut self, code: i32) -> Ran {
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.said.read_to_string(&mut self.before).unwrap();
        let ended = self.child.wait().unwrap();
        Ran { code: ended.code().unwrap_or(-1), out, err: self.before.clone() }.ends(code)
    }
}
