//! Other programs that work on the same data: Python's own libraries, with nothing of ours.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value as Json, json};

use super::{PASSWORD, missing, python, script};

/// Another IMAP client of a user, `imaplib`.
#[derive(Debug, Clone)]
pub struct Imap {
    port: u16,
    user: String,
}

/// A message as another client sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub uid: u32,
    pub message_id: String,
    /// Sorted, without `\Recent`.
    pub flags: Vec<String>,
}

impl Imap {
    pub fn new(port: u16, user: &str) -> Self {
        Self { port, user: user.to_owned() }
    }

    /// Carries out steps in one connection; one answer each. `imap.py` says which steps there are.
    pub fn steps(&self, steps: &Json) -> Vec<Json> {
        let input =
            json!({ "port": self.port, "user": self.user, "password": PASSWORD, "steps": steps });
        run(&IMAP, "imap.py", &input)
    }

    fn step(&self, step: Json) -> Json {
        self.steps(&Json::Array(vec![step])).remove(0)
    }

    pub fn append(&self, folder: &str, message: &[u8], flags: &[&str]) {
        self.append_all(folder, &[message], flags);
    }

    pub fn append_all(&self, folder: &str, messages: &[&[u8]], flags: &[&str]) {
        let messages: Vec<Json> = messages.iter().map(|message| encode(message)).collect();
        let flags = flags.join(" ");
        self.step(
            json!({ "do": "append", "folder": folder, "messages": messages, "flags": flags }),
        );
    }

    /// Sets or clears flags or keywords of the messages with this Message-ID.
    pub fn flag(&self, folder: &str, message_id: &str, flags: &[&str], set: bool) {
        let flags = flags.join(" ");
        self.step(json!({ "do": "flag", "folder": folder, "message_id": message_id, "flags": flags, "set": set }));
    }

    /// Deletes the messages with this Message-ID for good.
    pub fn delete(&self, folder: &str, message_id: &str) {
        self.step(json!({ "do": "delete", "folder": folder, "message_id": message_id }));
    }

    /// Moves the messages with this Message-ID.
    pub fn relocate(&self, folder: &str, message_id: &str, to: &str) {
        self.step(json!({ "do": "move", "folder": folder, "message_id": message_id, "to": to }));
    }

    pub fn create_folder(&self, folder: &str) {
        assert!(self.can_create_folder(folder), "{folder}");
    }

    /// Creates a folder where the server lets it have this name.
    pub fn can_create_folder(&self, folder: &str) -> bool {
        self.step(json!({ "do": "create", "folder": folder })) == Json::Bool(true)
    }

    pub fn delete_folder(&self, folder: &str) {
        self.step(json!({ "do": "drop", "folder": folder }));
    }

    pub fn rename_folder(&self, folder: &str, to: &str) {
        self.step(json!({ "do": "rename", "folder": folder, "to": to }));
    }

    /// The names of all folders, as the server writes them.
    pub fn folders(&self) -> Vec<String> {
        serde_json::from_value(self.step(json!({ "do": "folders" }))).unwrap()
    }

    /// Deletes all messages of a folder for good.
    pub fn clear(&self, folder: &str) {
        self.step(json!({ "do": "clear", "folder": folder }));
    }

    /// All messages of a folder.
    pub fn list(&self, folder: &str) -> Vec<Seen> {
        let answer = self.step(json!({ "do": "list", "folder": folder }));
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        let seen = answer.as_array().unwrap().iter().map(|seen| Seen {
            uid: seen["uid"].as_u64().unwrap().try_into().unwrap(),
            message_id: text(&seen["message_id"]),
            flags: seen["flags"].as_array().unwrap().iter().map(text).collect(),
        });
        seen.collect()
    }

    /// All messages of a folder, whole.
    pub fn bodies(&self, folder: &str) -> Vec<Vec<u8>> {
        let answer = self.step(json!({ "do": "bodies", "folder": folder }));
        answer.as_array().unwrap().iter().map(decode).collect()
    }

    /// The message with this UID, whole.
    pub fn fetch(&self, folder: &str, uid: u32) -> Vec<u8> {
        decode(&self.step(json!({ "do": "fetch", "folder": folder, "uid": uid })))
    }
}

/// Method, URL, headers and body.
pub type Request<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8]);

/// Another client of a CalDAV or CardDAV server, `http.client`.
#[derive(Debug, Clone)]
pub struct Dav {
    user: String,
}

/// What a server answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}

impl Dav {
    pub fn new(user: &str) -> Self {
        Self { user: user.to_owned() }
    }

    /// Sends requests in their order.
    pub fn requests(&self, requests: &[Request<'_>]) -> Vec<Answer> {
        let requests: Vec<Json> = requests
            .iter()
            .map(|(method, url, headers, body)| {
                json!({ "method": method, "url": url, "headers": headers, "body": encode(body) })
            })
            .collect();
        let input = json!({ "user": self.user, "password": PASSWORD, "requests": requests });
        let answers = run(&DAV, "dav.py", &input).into_iter().map(|answer| Answer {
            status: answer["status"].as_u64().unwrap().try_into().unwrap(),
            headers: serde_json::from_value(answer["headers"].clone()).unwrap(),
            body: decode(&answer["body"]),
        });
        answers.collect()
    }

    fn request(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.requests(&[(method, url, headers, body)]).remove(0)
    }

    /// Creates or replaces, whatever is there.
    pub fn put(&self, url: &str, content_type: &str, body: &[u8]) {
        self.put_all(content_type, &[(url, body)]);
    }

    pub fn put_all(&self, content_type: &str, items: &[(&str, &[u8])]) {
        let headers = [("Content-Type", content_type)];
        let requests: Vec<_> =
            items.iter().map(|(url, body)| ("PUT", *url, headers.as_slice(), *body)).collect();
        for (answer, (url, _)) in self.requests(&requests).iter().zip(items) {
            assert!((200..300).contains(&answer.status), "PUT {url}: {answer:?}");
        }
    }

    pub fn delete(&self, url: &str) {
        let answer = self.request("DELETE", url, &[], b"");
        assert!((200..300).contains(&answer.status), "DELETE {url}: {answer:?}");
    }

    pub fn get(&self, url: &str) -> Answer {
        self.request("GET", url, &[], b"")
    }

    /// The paths of what a collection holds, in order.
    pub fn list(&self, url: &str) -> Vec<String> {
        let body = br#"<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>"#;
        let answer = self.request(
            "PROPFIND",
            url,
            &[("Depth", "1"), ("Content-Type", "application/xml")],
            body,
        );
        assert_eq!(answer.status, 207, "PROPFIND {url}: {answer:?}");
        let text = String::from_utf8(answer.body).unwrap();
        let paths =
            text.split("href>").skip(1).step_by(2).filter_map(|rest| rest.split('<').next());
        let itself = url.splitn(4, '/').nth(3).unwrap_or_default().trim_end_matches('/');
        let mut paths: Vec<String> =
            paths.map(str::to_owned).filter(|path| path.trim_matches('/') != itself).collect();
        paths.sort();
        paths
    }
}

/// A script that waits for orders until this process ends.
struct Program {
    child: Child,
    answers: BufReader<ChildStdout>,
}

static IMAP: Mutex<Option<Program>> = Mutex::new(None);
static DAV: Mutex<Option<Program>> = Mutex::new(None);
static POST: Mutex<Option<Program>> = Mutex::new(None);

/// Another program of a user hands a message in, with STARTTLS: `smtplib`.
pub fn post(port: u16, authority: &Path, user: &str, from: &str, to: &[&str], message: &[u8]) {
    let messages = json!([{ "from": from, "to": to, "message": encode(message) }]);
    let order = json!({
        "port": port, "user": user, "password": PASSWORD, "ca": authority, "messages": messages,
    });
    run(&POST, "post.py", &order);
}

fn run(program: &Mutex<Option<Program>>, name: &str, order: &Json) -> Vec<Json> {
    // Another test that failed in here took its program along.
    let mut kept = program.lock().unwrap_or_else(PoisonError::into_inner);
    let mut program = kept.take().unwrap_or_else(|| start(name));
    let mut line = order.to_string();
    line.push('\n');
    program.child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    line.clear();
    program.answers.read_line(&mut line).unwrap();
    let answer: Json = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{name} ended"));
    *kept = Some(program);
    drop(kept);
    let Json::Array(answers) = answer else {
        panic!("{name}: {}", answer["failed"].as_str().unwrap())
    };
    answers
}

fn start(name: &str) -> Program {
    let mut child = Command::new(python())
        .arg(script(name))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|_| missing("the Python environment of the tests"));
    let answers = BufReader::new(child.stdout.take().unwrap());
    Program { child, answers }
}

/// Bytes as text that JSON holds: one character each.
fn encode(bytes: &[u8]) -> Json {
    bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into()
}

fn decode(text: &Json) -> Vec<u8> {
    text.as_str().unwrap().chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect()
}
