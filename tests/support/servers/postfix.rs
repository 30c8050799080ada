//! Postfix: a submission server as people have them, with STARTTLS or TLS from the start, that asks Dovecot who may send. It
//! hands everything to one server of the test, wherever it is addressed to: nothing leaves this machine. It starts as root
//! only.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use liaison::connector::net::{Security, Server};
use tempfile::TempDir;

use super::dovecot::Dovecot;
use super::port::Port;
use super::process::{Process, is_root};
use super::sink::Sink;
use super::{certificate, program, server};

/// Where all mail goes.
#[derive(Debug, Clone, Copy)]
pub enum Delivery<'a> {
    /// Into the mailboxes of Dovecot's users, by LMTP.
    Dovecot,
    /// To a sink that wants no sign-in, by SMTP.
    Sink(&'a Sink),
}

/// A Postfix that runs. Its users are Dovecot's.
#[derive(Debug)]
pub struct Postfix {
    // First, so that it is dead before its directory goes.
    process: Option<Process>,
    /// Submission with STARTTLS.
    pub submission: u16,
    /// Submission with TLS from the start.
    pub submissions: u16,
    /// The authority that signed its certificate.
    pub authority: PathBuf,
    dir: TempDir,
    _ports: [Port; 2],
}

impl Postfix {
    pub fn start(dovecot: &Dovecot, delivery: Delivery<'_>) -> Self {
        assert!(is_root(), "Postfix starts as root only");
        let dir = tempfile::tempdir().unwrap();
        let authority = certificate::make(dir.path());
        let ports = [Port::reserve(), Port::reserve()];
        let [submission, submissions] = [&ports[0], &ports[1]].map(|port| port.number);
        let mut postfix =
            Self { process: None, submission, submissions, authority, dir, _ports: ports };
        postfix.configure(dovecot, delivery);
        postfix.resume();
        postfix
    }

    /// It dies at once; its queue stays.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts again what was stopped, on the same ports.
    pub fn resume(&mut self) {
        // Not `postfix start-fg`, which lets it leave our group of processes, and thus survive us.
        let mut command = Command::new(program(&["/usr/lib/postfix/sbin/master"]));
        command.arg("-d").arg("-c").arg(self.dir.path().join("conf"));
        let mut process = Process::start(command, &self.dir.path().join("printed"));
        process.ready(|| Port::answers(self.submission) && Port::answers(self.submissions));
        self.process = Some(process);
    }

    /// How a client reaches it.
    pub fn smtp(&self, security: Security) -> Server {
        let port = if security == Security::Tls { self.submissions } else { self.submission };
        server(port, security, &self.authority)
    }

    /// What it wrote about itself.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.dir.path().join("data/log")).unwrap_or_default();
        log + &fs::read_to_string(self.dir.path().join("printed")).unwrap_or_default()
    }

    fn configure(&self, dovecot: &Dovecot, delivery: Delivery<'_>) {
        let dir = self.dir.path().display();
        for folder in ["conf", "queue", "data"] {
            fs::create_dir(self.dir.path().join(folder)).unwrap();
        }
        // Its processes are several users, who all have to get in here.
        let open = Command::new("chmod").args(["755"]).arg(self.dir.path()).status();
        let own = Command::new("chown").arg("postfix").arg(self.dir.path().join("data")).status();
        assert!(open.unwrap().success() && own.unwrap().success(), "a user called postfix");
        let transport = match delivery {
            Delivery::Dovecot => format!("lmtp:inet:127.0.0.1:{}", dovecot.lmtp),
            Delivery::Sink(sink) => format!("smtp:[127.0.0.1]:{}", sink.smtp),
        };
        // Its limit is for lines that reach it, not only for those beyond it: of 998 bytes, which RFC 5321 allows, it makes two.
        let main = format!(
            "compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
maillog_file = {dir}/data/log
maillog_file_prefixes = {dir}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost
mydestination =
alias_maps =
smtp_host_lookup = native
default_transport = {transport}
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{sasl}
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = {dir}/server.pem
smtpd_tls_key_file = {dir}/server.key
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_relay_restrictions = permit_sasl_authenticated, reject
mynetworks =
message_size_limit = 36700160
smtp_line_length_limit = 0
lmtp_line_length_limit = 0
",
            sasl = dovecot.sasl,
        );
        let services = [
            ("tlsmgr", "1 tlsmgr"),
            ("rewrite", "- trivial-rewrite"),
            ("bounce", "0 bounce"),
            ("defer", "0 bounce"),
            ("trace", "0 bounce"),
            ("smtp", "- smtp"),
            ("lmtp", "- lmtp"),
            ("proxymap", "- proxymap"),
            ("error", "- error"),
            ("retry", "- error"),
            ("anvil", "1 anvil"),
            ("scache", "1 scache"),
        ];
        let mut master = format!(
            "127.0.0.1:{} inet n - n - - smtpd\n\
             127.0.0.1:{} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n\
             pickup unix n - n 60 1 pickup\n\
             cleanup unix n - n - 0 cleanup\n\
             flush unix n - n 1000? 0 flush\n\
             qmgr unix n - n 300 1 qmgr\n\
             postlog unix-dgram n - n - 1 postlogd\n",
            self.submission, self.submissions
        );
        for (name, program) in services {
            master.extend([name, " unix - - n - ", program, "\n"]);
        }
        fs::write(self.dir.path().join("conf/main.cf"), main).unwrap();
        fs::write(self.dir.path().join("conf/master.cf"), master).unwrap();
        for name in ["dynamicmaps.cf", "postfix-files"] {
            // Only some packages of Postfix have them, and look for them here.
            drop(fs::copy(format!("/etc/postfix/{name}"), self.dir.path().join("conf").join(name)));
        }
        let made = Command::new(program(&["/usr/sbin/postfix"]))
            .arg("-c")
            .arg(self.dir.path().join("conf"))
            .arg("check")
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}
