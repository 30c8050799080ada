//! A sandbox organisation for one test: its own directory, its own port.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use liaison::clock::Clock;
use liaison::connector::auth::{Credential, Kind};
use liaison::connector::dataverse::batch::{Answer, Operation, Part, Reply};
use liaison::connector::dataverse::client::Client;
use liaison::connector::dataverse::{Dataverse, Options};
use liaison::connector::http::{Http, Limits};
use liaison::connector::tls;
use liaison::model::Table;
use liaison::sandbox::{self, Running, Sandbox};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use reqwest::header::AUTHORIZATION;
use reqwest::{Method, Request};
use serde_json::Value as Json;
use tempfile::TempDir;

pub(super) struct Organisation {
    running: Running,
    /// Where the sandbox keeps its data.
    data: PathBuf,
    _dir: TempDir,
}

impl Organisation {
    pub(super) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("organisation");
        let running = Sandbox::start(sandbox::Options::new(&data)).await.unwrap();
        Self { running, data, _dir: dir }
    }

    /// An organisation that speaks TLS with a certificate of its own authority, and that authority's PEM file.
    pub(super) async fn start_with_tls() -> (Self, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        // A name of its own: with the name of the server's certificate that one would count as self-signed.
        authority.distinguished_name.push(DnType::CommonName, "Authority of a test");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = authority.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let server = server.signed_by(&key, &issuer).unwrap();
        let file = |name: &str, text: String| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let extra_ca = file("authority.pem", certificate.pem());
        let data = dir.path().join("organisation");
        let mut options = sandbox::Options::new(&data);
        options.certificate =
            Some((file("server.pem", server.pem()), file("server.key", key.serialize_pem())));
        let running = Sandbox::start(options).await.unwrap();
        (Self { running, data, _dir: dir }, extra_ca)
    }

    pub(super) fn url(&self) -> &str {
        &self.running.url
    }

    /// The file that holds a user's token.
    pub(super) fn token_file(&self, user: &str) -> PathBuf {
        self.data.join("tokens").join(user)
    }

    /// The command that prints a user's token.
    pub(super) fn token_command(&self, user: &str) -> String {
        format!("cat '{}'", self.token_file(user).display())
    }

    pub(super) fn options(&self, user: &str, filters: BTreeMap<Table, Vec<String>>) -> Options {
        Options {
            name: "sandbox".to_owned(),
            url: self.running.url.clone(),
            credential: Arc::new(Credential::command(Kind::Token, self.token_command(user))),
            trust: tls::Trust::Platform,
            filters,
            limits: Limits::default(),
        }
    }

    /// The organisation as a user sees it, with the filter "mine" for every class.
    pub(super) async fn connect(&self, user: &str) -> Dataverse {
        let mine = |table: Table| {
            format!(
                "<fetch><entity name='{}'><filter><condition attribute='ownerid' operator='eq-userid'/></filter></entity></fetch>",
                table.logical_name()
            )
        };
        let listed = Table::ALL.into_iter().filter(|table| *table != Table::Email);
        let filters = listed.map(|table| (table, vec![mine(table)])).collect();
        Dataverse::connect(self.options(user, filters), Clock::system(), None).await.unwrap()
    }

    /// What somebody does with another program.
    pub(super) async fn elsewhere(&self, user: &str, operation: Operation) -> Answer {
        let http =
            Http::new(&tls::client_config(&tls::Trust::Platform).unwrap(), Limits::default())
                .unwrap();
        let bearer = Arc::new(Credential::command(Kind::Token, self.token_command(user)));
        let client = Client::new(http, &self.running.url, bearer, Clock::system()).unwrap();
        let replies = client.send(&[Part::One(operation)]).await.unwrap();
        let [Reply::One(answer)] = replies.as_slice() else { panic!("not one answer") };
        assert!(answer.is_success(), "{answer:?} {}", String::from_utf8_lossy(&answer.body));
        answer.clone()
    }

    /// Orders a fault for requests to come.
    pub(super) async fn fault(&self, order: &Json) {
        self.steer("faults", order).await;
    }

    /// What only the sandbox's own administration can do.
    pub(super) async fn steer(&self, what: &str, order: &Json) {
        let url = format!("{}/sandbox/{what}", self.running.url);
        let mut request = Request::new(Method::POST, url.parse().unwrap());
        let bearer = format!("Bearer {}", self.running.token("admin").unwrap());
        request.headers_mut().insert(AUTHORIZATION, bearer.parse().unwrap());
        *request.body_mut() = Some(order.to_string().into());
        let http =
            Http::new(&tls::client_config(&tls::Trust::Platform).unwrap(), Limits::default())
                .unwrap();
        let answer = http.send(request).await.unwrap();
        assert!(answer.status.is_success(), "{}", String::from_utf8_lossy(&answer.body));
    }
}
