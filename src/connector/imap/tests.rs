use super::super::auth::{Kind, SecretCommand};
use super::super::net::Security;
use super::super::tls::Trust;
use super::*;

impl Options {
    /// A server on this machine that nobody protects.
    pub(super) fn for_tests() -> Self {
        let server = Server {
            host: "127.0.0.1".to_owned(),
            port: 1,
            security: Security::None,
            trust: Trust::Platform,
        };
        let secret = Arc::new(SecretCommand::new(Kind::Password, "echo secret"));
        Self {
            server,
            account: Account { user: "anna@example.test".to_owned(), secret },
            leave_out: BTreeSet::new(),
            only: BTreeSet::new(),
            hide: BTreeSet::new(),
            compress: false,
        }
    }
}
