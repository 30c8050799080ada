//! One installation in a temporary folder, and a way to start the program on it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

/// What a run of the program came to.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// What `--json` printed.
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- out\n{}\n--- err\n{}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(
            self.out.contains(part) || self.err.contains(part),
            "no “{part}”\n--- out\n{}\n--- err\n{}",
            self.out,
            self.err
        );
        self
    }
}

/// The program, shielded from the settings of whoever runs the tests.
pub fn liaison(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_liaison"));
    command.env_clear().current_dir(folder);
    for kept in ["PATH", "SYSTEMROOT", "TMPDIR", "TEMP"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command.env("HOME", folder).env("TZ", "UTC");
    command
}

/// Runs the program to its end.
pub fn run(command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A mailbox, a configuration and a state, in a folder of their own.
pub struct Installation {
    folder: tempfile::TempDir,
}

impl Installation {
    /// Empty folders and a configuration that leads to this organisation.
    pub fn new(url: &str, tokens: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["contacts", "calendar", "mail/cur", "mail/new", "mail/tmp"] {
            fs::create_dir_all(folder.path().join("mailbox").join(part)).unwrap();
        }
        let new = Self { folder };
        new.configure(url, &format!("cat '{}'", tokens.join("anna").display()), "");
        new
    }

    pub fn configure(&self, url: &str, command: &str, more: &str) {
        let folders = r#"
[mailbox.email]
kind = "maildir"
path = "mailbox/mail"

[mailbox.contacts]
kind = "vdir"
path = "mailbox/contacts"

[mailbox.appointments]
kind = "vdir"
path = "mailbox/calendar"

[mailbox.tasks]
kind = "vdir"
path = "mailbox/calendar"
"#;
        self.lead_to(url, command, &format!("{folders}{more}"));
    }

    /// A configuration for this organisation, where all that follows the mailbox's address is told by the caller.
    pub fn lead_to(&self, url: &str, command: &str, mailbox: &str) {
        let text = format!(
            r#"
[organisation.test]
url = "{url}"
sync = true
auth = {{ kind = "token", command = "{command}" }}

[mailbox]
address = "anna@example.org"
zone = "Europe/Berlin"
{mailbox}"#
        );
        fs::write(self.path("liaison.toml"), text).unwrap();
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub fn write(&self, below: &str, text: &str) {
        fs::write(self.path(below), text).unwrap();
    }

    pub fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap()
    }

    /// A card of the mailbox.
    pub fn card(&self, name: &str, full: &str, phone: &str, tracked: bool) {
        let category = if tracked { "CATEGORIES:Tracked to CRM\r\n" } else { "" };
        let (first, last) = full.split_once(' ').unwrap();
        self.write(
            &format!("mailbox/contacts/{name}.vcf"),
            &format!(
                "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:{name}-uid\r\nFN:{full}\r\nN:{last};{first};;;\r\n\
                 EMAIL:{name}@example.com\r\nTEL;TYPE=work,voice:{phone}\r\nX-KEPT:as it is\r\n\
                 {category}END:VCARD\r\n"
            ),
        );
    }

    /// The program with this configuration and state.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = liaison(self.folder.path());
        command.args(["--config", "liaison.toml", "--state", "state"]).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    /// Runs with `--json`, whatever it ends with.
    pub fn json(&self, arguments: &[&str]) -> Json {
        run(self.command(arguments).arg("--json")).json()
    }
}

/// An organisation served by another process; it ends with this.
pub struct Organisation {
    folder: tempfile::TempDir,
    child: Child,
    pub url: String,
}

impl Organisation {
    pub fn serve() -> Self {
        Self::serve_at("127.0.0.1:0")
    }

    /// One that also takes the tokens of a provider, whose introspection endpoint this is.
    pub fn serve_trusting(introspection: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(INTROSPECTION), format!("{introspection}\n")).unwrap();
        let (child, url) = start(folder.path(), "127.0.0.1:0");
        Self { folder, child, url }
    }

    /// Another organisation at an address of the test's choice.
    pub fn serve_at(address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (child, url) = start(folder.path(), address);
        Self { folder, child, url }
    }

    pub fn tokens(&self) -> PathBuf {
        self.folder.path().join("organisation/tokens")
    }

    /// Kills it, whatever it is doing.
    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The databases it is kept in.
    pub fn databases(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder.path().join("organisation")).unwrap();
        let files = files.map(|file| file.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|end| end == "sqlite")).collect()
    }

    /// The rows of a query, as Anna sees them, of all pages.
    pub fn rows(&self, query: &str) -> Vec<Json> {
        let (mut rows, mut next) = (Vec::new(), Some(query.to_owned()));
        while let Some(query) = next {
            let (status, body) = self.request("GET", &query, "");
            assert_eq!(status, 200, "{body}");
            let json: Json = serde_json::from_str(&body).unwrap();
            rows.extend(json["value"].as_array().unwrap().iter().cloned());
            let link = json["@odata.nextLink"].as_str();
            next = link.map(|link| link.split_once("/api/data/v9.2/").unwrap().1.to_owned());
        }
        rows
    }

    /// Changes a row.
    pub fn change(&self, path: &str, columns: &str) {
        let (status, body) = self.request("PATCH", path, columns);
        assert_eq!(status, 204, "{body}");
    }

    /// Removes a row.
    pub fn delete(&self, path: &str) {
        let (status, body) = self.request("DELETE", path, "");
        assert_eq!(status, 204, "{body}");
    }

    /// Whatever else Anna does: status and body.
    pub fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        self.request_as("anna", method, &format!("api/data/v9.2/{path}"), body)
    }

    /// What the administrator changes.
    pub fn administrate(&self, path: &str, columns: &str) {
        let (status, body) =
            self.request_as("admin", "PATCH", &format!("api/data/v9.2/{path}"), columns);
        assert_eq!(status, 204, "{body}");
    }

    /// What only the sandbox's own administration can do: `privileges`, `faults`.
    pub fn steer(&self, what: &str, order: &str) {
        let (status, body) = self.request_as("admin", "POST", &format!("sandbox/{what}"), order);
        assert!((200..300).contains(&status), "{body}");
    }

    /// Takes back all faults that were ordered.
    pub fn forget_faults(&self) -> (u16, String) {
        self.request_as("admin", "DELETE", "sandbox/faults", "")
    }

    /// Serves again, at the same address.
    pub fn resume(&mut self) {
        let address = self.url.strip_prefix("http://").unwrap().to_owned();
        (self.child, self.url) = start(self.folder.path(), &address);
    }

    /// For each table: how many rows were made and deleted, and the ids that were made more than once.
    pub fn audit(&self) -> Json {
        let (status, body) = self.request_as("admin", "GET", "sandbox/audit", "");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Json>(&body).unwrap()["tables"].take()
    }

    /// Whatever anybody does: status and body.
    pub fn request_as(&self, user: &str, method: &str, path: &str, body: &str) -> (u16, String) {
        let token = fs::read_to_string(self.tokens().join(user)).unwrap();
        let host = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            token.trim(),
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }
}

/// The file that names whom the organisation asks about tokens that are not its own.
const INTROSPECTION: &str = "introspection";

fn start(folder: &Path, address: &str) -> (Child, String) {
    let asks = folder.join(INTROSPECTION).exists();
    let mut child = liaison(folder)
        .args(["sandbox", "serve", "--dir", "organisation", "--listen", address])
        .args(["--introspect", INTROSPECTION].into_iter().filter(|_| asks))
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("serving ").unwrap_or_else(|| panic!("{line}")).to_owned();
    (child, url)
}

impl Drop for Organisation {
    fn drop(&mut self) {
        self.stop();
    }
}
