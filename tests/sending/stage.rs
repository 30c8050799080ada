//! An organisation with mails to send, a mailbox, and whoever carries them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use liaison::clock::Clock;
use liaison::connector::auth::{Credential, Kind};
use liaison::connector::dataverse::{self, Dataverse};
use liaison::connector::http::Limits;
use liaison::connector::maildir::{self, Maildir};
use liaison::connector::outgoing::{Courier, Postbox};
use liaison::connector::smtp::{Outcome, Submission};
use liaison::connector::tls::{self, Trust};
use liaison::connector::{Connector, header};
use liaison::mapping::Lengths;
use liaison::model::{Address, Class, ItemId};
use liaison::sandbox::{self, Running, Sandbox};
use liaison::store::Store;
use liaison::store::outgoing::{self, Mail};
use liaison::sync::send::Sending;
use liaison::sync::{ClassReport, ClassSettings, Engine, Settings};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

pub struct Stage {
    running: Running,
    data: PathBuf,
    dir: TempDir,
    pub dataverse: Arc<Dataverse>,
    pub clock: Clock,
    client: reqwest::Client,
    me: String,
    installations: usize,
}

/// What is one person's: a mailbox and a store.
pub struct Desk {
    pub mailbox: Arc<dyn Connector>,
    pub path: PathBuf,
    pub store: Store,
}

impl Stage {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("organisation");
        let running = Sandbox::start(sandbox::Options::new(&data)).await.unwrap();
        let clock = Clock::manual("2027-06-01T12:00:00Z".parse().unwrap());
        let options = dataverse::Options {
            name: "sandbox".to_owned(),
            url: running.url.clone(),
            credential: Arc::new(Credential::command(
                Kind::Token,
                format!("cat '{}'", data.join("tokens/anna").display()),
            )),
            trust: Trust::Platform,
            filters: BTreeMap::new(),
            limits: Limits::default(),
        };
        let dataverse = Arc::new(Dataverse::connect(options, clock.clone(), None).await.unwrap());
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config(&Trust::Platform).unwrap())
            .build()
            .unwrap();
        let me = dataverse.user().to_string();
        Self { running, data, dir, dataverse, clock, client, me, installations: 0 }
    }

    /// A mailbox and a store that know nothing.
    pub fn desk(&mut self) -> Desk {
        self.installations += 1;
        let path = self.dir.path().join(format!("desk-{}", self.installations));
        for part in ["mail/cur", "mail/new", "mail/tmp"] {
            fs::create_dir_all(path.join(part)).unwrap();
        }
        let options = maildir::Options { path: path.join("mail"), leave_out: BTreeSet::new() };
        let mailbox = Arc::new(Maildir::new(options, self.clock.clone()));
        Desk { mailbox, store: Store::open(&path.join("store.db")).unwrap(), path }
    }

    pub async fn call(&self, user: &str, method: &str, path: &str, body: &Json) -> (u16, Json) {
        let url = format!("{}/api/data/v9.2/{path}", self.running.url);
        let token = fs::read_to_string(self.data.join("tokens").join(user)).unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, url).bearer_auth(token.trim());
        let answer = request
            .header("Prefer", "return=representation")
            .header("Content-Type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// A draft of Anna's to these addresses, with these roles.
    pub async fn draft(&self, to: &[(&str, i64)], more: Json) -> String {
        let mut parties = vec![json!({
            "partyid_systemuser@odata.bind": format!("/systemusers({})", self.me),
            "participationtypemask": 1,
        })];
        parties.extend(
            to.iter().map(|(to, role)| json!({"addressused": to, "participationtypemask": role})),
        );
        let mut body = json!({
            "subject": "Offer", "description": "<p>Good morning</p>", "directioncode": true,
            "email_activity_parties": parties,
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, row) = self.call("anna", "POST", "emails", &body).await;
        assert_eq!(status, 201, "{row}");
        row["activityid"].as_str().unwrap().to_owned()
    }

    /// Anna clicks *Send*.
    pub async fn send(&self, id: &str) {
        let path = format!("emails({id})/Microsoft.Dynamics.CRM.SendEmail");
        let (status, answer) = self.call("anna", "POST", &path, &json!({"IssueSend": true})).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// A mail that waits.
    pub async fn mail(&self, to: &[(&str, i64)], more: Json) -> String {
        let id = self.draft(to, more).await;
        self.send(&id).await;
        id
    }

    pub async fn mails(&self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for number in 0..count {
            ids.push(self.mail(&[(&format!("to-{number}@example.test"), 2)], json!({})).await);
        }
        ids
    }

    pub async fn row(&self, id: &str) -> Json {
        self.call("anna", "GET", &format!("emails({id})"), &Json::Null).await.1
    }

    pub async fn status(&self, id: &str) -> (i64, i64) {
        let row = self.row(id).await;
        (row["statecode"].as_i64().unwrap(), row["statuscode"].as_i64().unwrap())
    }

    /// The `Message-ID` that a record's mail gets.
    pub fn name(&self, id: &str) -> String {
        format!("{id}@{}.liaison", self.dataverse.organisation())
    }

    pub fn engine(&self, desk: &Desk, courier: Arc<dyn Courier>) -> Engine {
        let postbox = Arc::clone(&self.dataverse) as Arc<dyn Postbox>;
        self.engine_of(Arc::clone(&desk.mailbox), desk.store.clone(), postbox, courier)
    }

    pub fn engine_of(
        &self,
        mailbox: Arc<dyn Connector>,
        store: Store,
        postbox: Arc<dyn Postbox>,
        courier: Arc<dyn Courier>,
    ) -> Engine {
        let anna = Address::parse("anna@example.org").unwrap();
        let mut email = ClassSettings::default();
        email.rules.direction = liaison::model::fields::Direction::ToCrm;
        email.email.automatic = liaison::filter::email::Automatic::All;
        Engine {
            mailbox: BTreeMap::from([(Class::Email, mailbox)]),
            crm: Arc::clone(&self.dataverse) as Arc<dyn Connector>,
            store,
            clock: self.clock.clone(),
            settings: Settings {
                organisation: self.dataverse.organisation(),
                mailbox: anna.clone(),
                me: BTreeSet::from([anna]),
                zone: TimeZone::UTC,
                lengths: Lengths(self.dataverse.lengths()),
                limits: liaison::plan::guard::Limits::default(),
                filing: liaison::sync::Filing::default(),
                classes: BTreeMap::from([(Class::Email, email)]),
            },
            fence: None,
            stop: liaison::sync::stop::Stop::default(),
            sending: Some(Sending { postbox, courier, patience: Duration::ZERO, token: None }),
            progress: Arc::new(|_| ()),
        }
    }
}

impl Desk {
    /// What the store knows of the mail of a record.
    pub fn stored(&self, id: &str) -> Option<Mail> {
        let record = ItemId::new(format!("email/{id}"));
        self.store.read_blocking(move |db| outgoing::of(db, &record)).unwrap()
    }

    /// A person's word.
    pub fn answer(&self, mail: &Mail, was_sent: bool) {
        let at = "2027-06-01T12:00:00Z".parse().unwrap();
        let (id, store) = (mail.id, &self.store);
        store.promise_blocking(|tx| outgoing::answer(tx, id, was_sent, at)).unwrap();
    }

    /// The mails that a person is asked about.
    pub fn asked(&self) -> Vec<Mail> {
        let open = self.store.read_blocking(outgoing::open).unwrap();
        open.into_iter().filter(|mail| mail.state == outgoing::State::Unknown).collect()
    }

    /// A message comes in.
    pub fn deliver(&self, name: &str, message: &str) {
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(self.path.join("mail").join(part)).unwrap();
        }
        let message = message.replace('\n', "\r\n");
        fs::write(self.path.join("mail/cur").join(format!("{name}:2,")), message).unwrap();
    }

    /// The names of the messages among those sent.
    pub fn filed(&self) -> Vec<String> {
        let Ok(folder) = fs::read_dir(self.path.join("mail/.Sent/cur")) else { return Vec::new() };
        let names = folder.map(|entry| {
            let path = entry.unwrap().path();
            let name_of_file = path.to_string_lossy();
            let flags = name_of_file.rsplit(":2,").next().unwrap_or_default();
            assert!(flags.contains('S'), "not seen: {}", path.display());
            name(&fs::read(path).unwrap())
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

/// The name of a message.
pub fn name(message: &[u8]) -> String {
    header::message_id(message).unwrap().as_str().to_owned()
}

pub async fn sync(engine: &Engine) -> ClassReport {
    try_sync(engine).await.unwrap()
}

pub async fn try_sync(engine: &Engine) -> Result<ClassReport, liaison::store::Error> {
    engine.clock.advance(Duration::from_hours(5));
    let report = engine.sync(&[Class::Email], "test").await?;
    Ok(report.classes[&Class::Email].clone())
}

/// How often each message was taken, by name.
#[derive(Debug, Default)]
pub struct Taken(std::sync::Mutex<BTreeMap<String, usize>>);

impl Taken {
    pub fn of(&self, name: &str) -> usize {
        self.0.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    pub fn take(&self, message: &[u8]) {
        *self.0.lock().unwrap().entry(name(message)).or_default() += 1;
    }
}

/// Takes everything, in memory.
#[derive(Debug, Default)]
pub struct Bag {
    pub taken: Taken,
    pub messages: std::sync::Mutex<Vec<Submission>>,
    pub files_itself: bool,
}

#[async_trait]
impl Courier for Bag {
    async fn submit(&self, submission: &Submission) -> Outcome {
        self.taken.take(&submission.message);
        self.messages.lock().unwrap().push(submission.clone());
        sent()
    }

    fn files_itself(&self) -> bool {
        self.files_itself
    }
}

pub fn sent() -> Outcome {
    let reply = liaison::connector::smtp::Reply { code: 250, text: "fine".to_owned() };
    Outcome::Sent { refused: Vec::new(), reply }
}
