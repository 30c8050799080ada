//! Dovecot: IMAP, POP3 and LMTP, with TLS or without, by password or bearer token. Users are made by their first sign-in.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use liaison::connector::auth::{Account, Kind};
use liaison::connector::net::{Security, Server};
use tempfile::TempDir;

use super::port::Port;
use super::process::{Process, hand_over, unprivileged, unprivileged_user};
use super::{PASSWORD, certificate, elsewhere, program, server, signed_in, token};

/// How messages are kept on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Maildir,
    Mdbox,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    pub format: Format,
    /// Capabilities that it does not mention, as `QRESYNC`.
    pub hide: &'static [&'static str],
    /// Whether it can compress what it sends (RFC 4978).
    pub compress: bool,
    /// Lines for the end of its configuration.
    pub more: &'static str,
    /// The endpoint that knows whose a bearer token is; without one, tokens are those of [`Dovecot::token`].
    pub introspection: Option<&'static str>,
}

/// Makes it sort what is delivered.
pub const SIEVE: &str =
    "protocol lmtp {\n  mail_plugins = sieve\n}\nplugin {\n  sieve = ~/.dovecot.sieve\n}\n";

/// What Dovecot says after the sign-in if nobody tells it otherwise.
const CAPABILITIES: &str = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY \
    THREAD=REFERENCES THREAD=REFS THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE \
    UIDPLUS LIST-EXTENDED I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH LIST-STATUS BINARY \
    MOVE SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY SPECIAL-USE";

/// Signs tokens.
const KEY: &[u8] = b"the key of a test, long enough for it";

/// The folders beside INBOX, and what they are for (RFC 6154).
pub const FOLDERS: [(&str, &str); 5] = [
    ("Drafts", r"\Drafts"),
    ("Sent", r"\Sent"),
    ("Trash", r"\Trash"),
    ("Junk", r"\Junk"),
    ("Archive", r"\Archive"),
];

/// A Dovecot that runs. `imap` and `pop3` also do STARTTLS; `imaps` and `pop3s` speak TLS from the start.
#[derive(Debug)]
pub struct Dovecot {
    // First, so that it is dead before its directory goes.
    process: Option<Process>,
    pub imap: u16,
    pub imaps: u16,
    pub pop3: u16,
    pub pop3s: u16,
    pub lmtp: u16,
    /// Where a mail server asks whether a sign-in is good (Dovecot's own protocol).
    pub sasl: u16,
    /// The authority that signed its certificate.
    pub authority: PathBuf,
    format: Format,
    dir: TempDir,
    _ports: Vec<Port>,
}

impl Dovecot {
    #[allow(clippy::needless_pass_by_value, reason = "options are written where they are used")]
    pub fn start(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ports: Vec<Port> = (0..6).map(|_| Port::reserve()).collect();
        let &[imap, imaps, pop3, pop3s, lmtp, sasl] =
            ports.iter().map(|port| port.number).collect::<Vec<_>>().as_slice()
        else {
            unreachable!("six were reserved")
        };
        let authority = certificate::make(dir.path());
        for folder in ["run", "state", "mail", "keys/default/HS256"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, KEY);
        fs::write(dir.path().join("keys/default/HS256/default"), key).unwrap();
        let format = options.format;
        let mut dovecot = Self {
            process: None,
            imap,
            imaps,
            pop3,
            pop3s,
            lmtp,
            sasl,
            authority,
            format,
            dir,
            _ports: ports,
        };
        dovecot.configure(&options);
        hand_over(dovecot.dir.path());
        dovecot.resume();
        dovecot
    }

    /// It dies at once, as when the machine loses power; the mail stays for [`Dovecot::resume`].
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts again what was stopped, with the same mail on the same ports.
    pub fn resume(&mut self) {
        // It would not start beside a predecessor that is dead but was not buried yet.
        drop(fs::remove_file(self.dir.path().join("run/master.pid")));
        let mut command = unprivileged(program(&["/usr/sbin/dovecot"]));
        command.arg("-F").arg("-c").arg(self.dir.path().join("dovecot.conf"));
        let mut process = Process::start(command, &self.dir.path().join("printed"));
        process.ready(|| Port::answers(self.imap));
        self.process = Some(process);
    }

    /// How a client reaches IMAP.
    pub fn imap(&self, security: Security) -> Server {
        let port = if security == Security::Tls { self.imaps } else { self.imap };
        server(port, security, &self.authority)
    }

    /// How a client reaches POP3.
    pub fn pop3(&self, security: Security) -> Server {
        let port = if security == Security::Tls { self.pop3s } else { self.pop3 };
        server(port, security, &self.authority)
    }

    /// An account whose secret is a bearer token that is good for an hour, or expired an hour ago.
    pub fn bearer(user: &str, is_good: bool) -> Account {
        signed_in(user, Kind::Token, &format!("echo {}", Self::token(user, is_good)))
    }

    /// A bearer token that is good for an hour, or expired an hour ago.
    pub fn token(user: &str, is_good: bool) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let now = i64::try_from(now).unwrap();
        token::signed(KEY, user, if is_good { now + 3600 } else { now - 3600 })
    }

    /// Another client of this user.
    pub fn elsewhere(&self, user: &str) -> elsewhere::Imap {
        elsewhere::Imap::new(self.imap, user)
    }

    /// Delivers a message to the inbox of this user, by LMTP (RFC 2033) as a mail server does.
    pub fn deliver(&self, user: &str, message: &[u8]) {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.lmtp)).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut answer = |expected: &str| {
            let mut line = String::new();
            while !line.starts_with(expected) {
                line.clear();
                reader.read_line(&mut line).unwrap();
                assert!(line.starts_with(&expected[..1]), "{expected} was expected: {line:?}");
            }
        };
        let mut say = |text: &[u8], expected: &str| {
            (&stream).write_all(text).unwrap();
            answer(expected);
        };
        say(b"", "220 ");
        say(b"LHLO test.invalid\r\n", "250 ");
        say(b"MAIL FROM:<somebody@elsewhere.invalid>\r\n", "250 ");
        say(format!("RCPT TO:<{user}>\r\n").as_bytes(), "250 ");
        say(b"DATA\r\n", "354 ");
        let mut data = Vec::with_capacity(message.len() + 8);
        for line in message.split_inclusive(|byte| *byte == b'\n') {
            if line.first() == Some(&b'.') {
                data.push(b'.');
            }
            data.extend_from_slice(line);
        }
        if !data.ends_with(b"\r\n") {
            data.extend_from_slice(b"\r\n");
        }
        data.extend_from_slice(b".\r\n");
        say(&data, "250 ");
    }

    /// Puts messages into a folder (`INBOX`, `Sent`, …) behind the server's back, ten thousands a second; of the Maildir
    /// format only, and before the folder is first opened.
    pub fn seed(&self, user: &str, folder: &str, messages: impl IntoIterator<Item = Vec<u8>>) {
        assert_eq!(self.format, Format::Maildir, "other formats have no files to write");
        let home = self.dir.path().join("mail").join(user);
        let root = home.join("Maildir");
        let folder = if folder == "INBOX" { root } else { root.join(format!(".{folder}")) };
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        for (number, message) in messages.into_iter().enumerate() {
            let name =
                format!("cur/{}.M{number}P1.test,S={}:2,", 1_700_000_000 + number, message.len());
            fs::write(folder.join(name), message).unwrap();
        }
        hand_over(&home);
    }

    /// Sorts what is delivered to a user, by a Sieve script (RFC 5228). The server must have been started with [`SIEVE`].
    pub fn sort(&self, user: &str, script: &str) {
        let home = self.dir.path().join("mail").join(user);
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join(".dovecot.sieve"), script).unwrap();
        hand_over(&home);
    }

    /// Forgets which numbers the messages of the inbox had, as after a repair or a move to another machine: it starts with
    /// another UIDVALIDITY. Of the Maildir format only.
    pub fn renumber(&mut self, user: &str) {
        assert_eq!(
            self.format,
            Format::Maildir,
            "other formats keep the numbers with the messages"
        );
        self.stop();
        // Not `dovecot-uidvalidity`, which holds the last one that was given: the next one is another.
        let folder = self.dir.path().join("mail").join(user).join("Maildir");
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name == "dovecot-uidlist" || name.starts_with("dovecot.index") {
                fs::remove_file(path).unwrap();
            }
        }
        self.resume();
    }

    /// What it wrote about itself.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn configure(&self, options: &Options) {
        let dir = self.dir.path().display();
        let (user, group) = unprivileged_user();
        let location = match options.format {
            Format::Maildir => "maildir:~/Maildir",
            Format::Mdbox => "mdbox:~/mdbox",
        };
        let mut shown: Vec<&str> =
            CAPABILITIES.split(' ').filter(|word| !options.hide.contains(word)).collect();
        // What it says is fixed here, so that it does not add this by itself.
        shown.extend(options.compress.then_some("COMPRESS=DEFLATE"));
        let compress = if options.compress {
            "protocol imap {\n  mail_plugins = $mail_plugins imap_zlib\n}\n"
        } else {
            ""
        };
        let mut text = format!(
            r"protocols = imap pop3 lmtp
listen = 127.0.0.1
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
instance_name = {dir}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
hostname = localhost
postmaster_address = postmaster@example.test

ssl = yes
ssl_cert = <{dir}/server.pem
ssl_key = <{dir}/server.key

disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2 oauthbearer
auth_failure_delay = 0
auth_debug = yes

mail_location = {location}
mail_max_userip_connections = 200
mail_fsync = never
imap_capability = {capabilities}
imap_idle_notify_interval = 30 secs

passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {dir}/oauth2.conf
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {dir}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={dir}/mail/%n allow_all_users=yes
}}

service anvil {{
  chroot =
  # No growing delays for who comes with a wrong password.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service auth {{
  inet_listener sasl {{
    port = {sasl}
  }}
}}
",
            capabilities = shown.join(" "),
            imap = self.imap,
            imaps = self.imaps,
            pop3 = self.pop3,
            pop3s = self.pop3s,
            lmtp = self.lmtp,
            sasl = self.sasl,
        );
        text.push_str("namespace inbox {\n  inbox = yes\n  separator = /\n");
        for (name, purpose) in FOLDERS {
            let folder = format!(
                "  mailbox {name} {{\n    auto = subscribe\n    special_use = {purpose}\n  }}\n"
            );
            text.push_str(&folder);
        }
        text.push_str("}\n");
        text.push_str(compress);
        writeln!(text, "{}", options.more).unwrap();
        let write = |name: &str, text: &str| fs::write(self.dir.path().join(name), text).unwrap();
        write("dovecot.conf", &text);
        let users = ["anna", "bo", "bob", "carla", "carol"]
            .map(|user| format!("{user}:{PASSWORD}::::::\n"));
        write("users", &users.concat());
        let oauth = match options.introspection {
            Some(url) => format!(
                "introspection_mode = post\nintrospection_url = {url}\nactive_attribute = active\nactive_value = true\n"
            ),
            None => format!(
                "introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={dir}/keys/\n"
            ),
        };
        write("oauth2.conf", &format!("{oauth}username_attribute = sub\n"));
    }
}
