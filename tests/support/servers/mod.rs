//! Real servers for tests: each in a fresh directory, on free ports of the loopback interface, with a configuration of its
//! own, gone when the value is dropped or the test process ends, however it ends. Nothing needs root; as root, what refuses
//! to serve root runs as `nobody`. `install.sh` beside this file installs them.
//!
//! Who stands behind the back of a connector in a test is a Python program ([`elsewhere`]), so that our own code cannot
//! agree with itself.

#![allow(
    dead_code,
    reason = "what one server can do another one can, whether or not a test asks for it yet"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use liaison::connector::auth::{Account, Credential, Kind};
use liaison::connector::net::{Security, Server};
use liaison::connector::tls::Trust;

mod bus;
mod certificate;
pub mod cyrus;
pub mod desktop;
pub mod dovecot;
pub mod elsewhere;
pub mod gate;
pub mod keyring;
pub mod manager;
pub mod port;
pub mod postfix;
pub mod process;
pub mod provider;
pub mod proxy;
pub mod radicale;
pub mod sink;
mod token;
pub mod xandikos;

/// Of every user on every server. A client that does not quote it properly does not get in.
pub const PASSWORD: &str = r#"it's a "se\cret"#;

/// Everything a client needs to sign in as one of the users with the password.
pub fn account(user: &str) -> Account {
    let printed = PASSWORD.replace('\'', r"'\''");
    signed_in(user, Kind::Password, &format!("printf '%s\\n' '{printed}'"))
}

/// As [`account`], with a password that is none.
pub fn stranger(user: &str) -> Account {
    signed_in(user, Kind::Password, "echo wrong")
}

fn signed_in(user: &str, kind: Kind, command: &str) -> Account {
    Account { user: user.to_owned(), secret: Arc::new(Credential::command(kind, command)) }
}

fn server(port: u16, security: Security, authority: &Path) -> Server {
    let trust = match security {
        Security::None => Trust::Platform,
        Security::Tls | Security::StartTls => Trust::Authority(authority.to_owned()),
    };
    Server { host: "localhost".to_owned(), port, security, trust }
}

/// From the environment, else the one that `install.sh` makes.
pub fn python() -> PathBuf {
    let made = root().join("target/python/bin/python");
    let python = std::env::var_os("LIAISON_PYTHON").map_or(made, PathBuf::from);
    if !python.exists() {
        missing("the Python environment of the tests");
    }
    python
}

/// A script beside this file.
fn script(name: &str) -> PathBuf {
    root().join("tests/support/servers").join(name)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The first of these programs that is there.
fn program(names: &[&str]) -> PathBuf {
    let found = names.iter().map(PathBuf::from).find(|path| path.exists());
    found.unwrap_or_else(|| missing(names.first().unwrap_or(&"a program")))
}

fn missing(what: &str) -> ! {
    panic!("{what} is missing. tests/support/servers/install.sh installs it (.ci/run does)")
}
