//! Cyrus: IMAP, CalDAV with scheduling (RFC 6638) and CardDAV in one server, on plain connections.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use liaison::connector::net::{Security, Server};
use tempfile::TempDir;

use super::port::Port;
use super::process::{Process, eventually, hand_over, reaching, unprivileged_user};
use super::{PASSWORD, elsewhere, missing, program, root, server};

#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Who can sign in, and has folders and collections. Each costs a third of a second.
    pub users: &'static [&'static str],
    /// Whether it delivers invitations by itself.
    pub scheduling: bool,
    /// The part of addresses behind the `@`, by which it knows whom it serves.
    pub domain: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self { users: &["anna"], scheduling: true, domain: "example.test" }
    }
}

/// A Cyrus that runs. A user has the calendar `Default` for events and tasks, the address book `Default`, and the address
/// `USER@example.test`, unless it is told another domain.
#[derive(Debug)]
pub struct Cyrus {
    // First, so that it is dead before its directory goes.
    process: Option<Process>,
    pub imap: u16,
    /// Of its HTTP server, without a slash at the end.
    pub url: String,
    dir: TempDir,
    http: Port,
    _imap: Port,
}

/// What its programs are told instead of the way to a mail server: takes messages as SMTP does, each into a file.
const SENDMAIL: &str = r#"#!/bin/sh
printf '220 localhost\r\n'
while IFS= read -r line; do
  case "$line" in
    DATA*)
      printf '354 go on\r\n'
      file="$(mktemp "DIR/outgoing/XXXXXXXX")"
      while IFS= read -r line && [ "$line" != "$(printf '.\r')" ]; do printf '%s\n' "$line"; done >"$file"
      mv "$file" "$file.eml"
      printf '250 taken\r\n' ;;
    QUIT*) printf '221 bye\r\n'; exit ;;
    *) printf '250 fine\r\n' ;;
  esac
done
"#;

impl Cyrus {
    pub fn start(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (imap, http) = (Port::reserve(), Port::reserve());
        let url = format!("http://localhost:{}", http.number);
        let mut cyrus = Self { process: None, imap: imap.number, url, dir, http, _imap: imap };
        cyrus.configure(&options);
        for user in options.users {
            cyrus.add(user);
        }
        hand_over(cyrus.dir.path());
        cyrus.resume();
        // Folders and collections are made by the first sign-in at IMAP; DAV before that fails.
        for user in options.users {
            assert_eq!(cyrus.elsewhere(user).list("INBOX"), []);
        }
        cyrus
    }

    /// It dies at once; what it keeps stays for [`Cyrus::resume`].
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts again what was stopped, with the same data on the same ports.
    pub fn resume(&mut self) {
        let dir = self.dir.path();
        drop(fs::remove_file(dir.join("master.pid")));
        let mut command = reaching(programs().join("usr/lib/cyrus/bin/master"));
        command.env("LD_LIBRARY_PATH", programs().join("usr/lib/x86_64-linux-gnu"));
        command
            .arg("-D")
            .arg("-C")
            .arg(dir.join("imapd.conf"))
            .arg("-M")
            .arg(dir.join("cyrus.conf"));
        command.arg("-p").arg(dir.join("master.pid"));
        let mut process = Process::start(command, &dir.join("printed"));
        process.ready(|| Port::answers(self.imap) && Port::answers(self.http.number));
        self.process = Some(process);
    }

    /// Whether it delivers invitations by itself from now on.
    pub fn invites(&mut self, does: bool) {
        self.stop();
        let path = self.dir.path().join("imapd.conf");
        let text = fs::read_to_string(&path).unwrap();
        let [before, after] =
            [!does, does].map(|is| format!("allowscheduling: {}", if is { "on" } else { "off" }));
        fs::write(path, text.replace(&before, &after)).unwrap();
        self.resume();
    }

    /// How a client reaches IMAP.
    pub fn imap(&self) -> Server {
        server(self.imap, Security::None, self.dir.path())
    }

    /// The URL of one of a user's calendars (`Default`, `Inbox`, `Outbox`), with a slash at the end.
    pub fn calendar(&self, user: &str, name: &str) -> String {
        format!("{}/dav/calendars/user/{user}/{name}/", self.url)
    }

    /// The URL of one of a user's address books (`Default`), with a slash at the end.
    pub fn address_book(&self, user: &str, name: &str) -> String {
        format!("{}/dav/addressbooks/user/{user}/{name}/", self.url)
    }

    /// Another IMAP client of this user.
    pub fn elsewhere(&self, user: &str) -> elsewhere::Imap {
        elsewhere::Imap::new(self.imap, user)
    }

    /// Another CalDAV and CardDAV client of this user.
    pub fn dav_elsewhere(&self, user: &str) -> elsewhere::Dav {
        elsewhere::Dav::new(user)
    }

    /// The messages that it wanted to send to people who are invited (RFC 6047), also to those whom it serves itself.
    pub fn outgoing_mail(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path().join("outgoing")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let done = paths.filter(|path| path.extension().is_some_and(|end| end == "eml"));
        let mut mail: Vec<String> = done.map(|path| fs::read_to_string(path).unwrap()).collect();
        mail.sort();
        mail
    }

    /// Waits until it wanted to send as many messages.
    pub fn await_outgoing_mail(&self, count: usize) -> Vec<String> {
        eventually("mail goes out", || self.outgoing_mail().len() >= count);
        self.outgoing_mail()
    }

    /// What it printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("printed")).unwrap_or_default()
    }

    fn add(&self, user: &str) {
        let mut child = Command::new(program(&["/usr/sbin/saslpasswd2"]))
            .args(["-p", "-c", "-u", "localhost", "-f"])
            .arg(self.dir.path().join("sasldb2"))
            .arg(user)
            .stdin(Stdio::piped())
            .spawn()
            .expect("saslpasswd2");
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), PASSWORD.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "saslpasswd2 {user}");
    }

    fn configure(&self, options: &Options) {
        let dir = self.dir.path().display();
        for folder in ["conf/socket", "conf/proc", "conf/lock", "spool", "sieve", "run", "outgoing"]
        {
            fs::create_dir_all(self.dir.path().join(folder)).unwrap();
        }
        let (user, group) = unprivileged_user();
        let scheduling = if options.scheduling { "on" } else { "off" };
        let domain = options.domain;
        let imapd = format!(
            "servername: localhost
cyrus_user: {user}
cyrus_group: {group}
configdirectory: {dir}/conf
proc_path: {dir}/run/proc
mboxname_lockpath: {dir}/run/lock
defaultpartition: default
partition-default: {dir}/spool
sievedir: {dir}/sieve
admins: cyrus
virtdomains: off
unixhierarchysep: yes
altnamespace: yes
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {dir}/sasldb2
sasl_mech_list: PLAIN LOGIN
skiplist_unsafe: yes
failedloginpause: 0
autocreate_post: yes
autocreate_quota: 0
autocreate_inbox_folders: Drafts | Sent | Trash | Junk | Archive
xlist-drafts: Drafts
xlist-sent: Sent
xlist-trash: Trash
xlist-junk: Junk
xlist-archive: Archive
httpmodules: caldav carddav
httpallowcompress: no
caldav_create_default: yes
caldav_create_sched: yes
caldav_allowscheduling: {scheduling}
caldav_realm: cyrus
calendar_user_address_set: {domain}
smtp_backend: sendmail
sendmail: {dir}/sendmail
idlesocket: {dir}/run/idle
lmtpsocket: {dir}/run/lmtp
notifysocket: {dir}/run/notify
imapidlepoll: 5
"
        );
        let bin = programs().join("usr/lib/cyrus/bin");
        let service = |name: &str, command: &str, port: u16| {
            format!(
                "  {name} cmd=\"{}/{command} -C {dir}/imapd.conf -U 100\" listen=\"127.0.0.1:{port}\" prefork=1 maxchild=100\n",
                bin.display()
            )
        };
        let master = format!(
            "START {{\n  recover cmd=\"{0}/ctl_cyrusdb -C {dir}/imapd.conf -r\"\n}}\n\
             SERVICES {{\n{1}{2}}}\n\
             DAEMON {{\n  idled cmd=\"{0}/idled -C {dir}/imapd.conf\"\n}}\nEVENTS {{\n}}\n",
            bin.display(),
            service("imap", "imapd", self.imap),
            service("http", "httpd", self.http.number),
        );
        let write = |name: &str, text: &str| fs::write(self.dir.path().join(name), text).unwrap();
        write("imapd.conf", &imapd);
        write("cyrus.conf", &master);
        write("sendmail", &SENDMAIL.replace("DIR", &dir.to_string()));
        let sendmail = self.dir.path().join("sendmail");
        fs::set_permissions(sendmail, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Where `install.sh` unpacked it, or where the environment says that it did.
fn programs() -> PathBuf {
    let made = root().join("target/servers/cyrus");
    let programs = std::env::var_os("LIAISON_CYRUS").map_or(made, PathBuf::from);
    if !programs.join("usr/lib/cyrus/bin/master").exists() {
        missing("Cyrus");
    }
    programs
}
