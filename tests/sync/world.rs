//! A mailbox of folders, a sandbox organisation, and an engine between them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use liaison::cli::zone;
use liaison::clock::Clock;
use liaison::config::settings::Zone;
use liaison::connector::auth::{Credential, Kind};
use liaison::connector::dataverse::{self, Dataverse};
use liaison::connector::http::Limits;
use liaison::connector::lease::{Instance, Lease};
use liaison::connector::patient::Patient;
use liaison::connector::vdir::{self, Vdir};
use liaison::connector::{Connector, maildir};
use liaison::filter::{fetch, track};
use liaison::mapping::Lengths;
use liaison::model::{Address, Class, Table};
use liaison::sandbox::{self, Running, Sandbox};
use liaison::store::{Store, hold};
use liaison::sync::fence::Fence;
use liaison::sync::{ClassSettings, Engine, Filing, Report, Settings};

/// Everything a sync needs, in a directory of its own.
pub struct World {
    pub dir: tempfile::TempDir,
    /// `None` while it is stopped.
    pub sandbox: Option<Running>,
    /// Where the organisation keeps its data.
    organisation: PathBuf,
    pub url: String,
    pub store: Store,
    pub engine: Engine,
}

/// Somebody else who works with the same organisation.
pub struct Colleague {
    pub dir: tempfile::TempDir,
    pub engine: Engine,
}

impl Colleague {
    pub fn put(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }

    /// Syncs, approves what waits, and syncs again.
    pub async fn first_sync(&self, classes: &[Class]) -> Report {
        self.engine.sync(classes, "test").await.unwrap();
        approve_all(&self.engine);
        self.engine.sync(classes, "test").await.unwrap()
    }
}

fn folders(dir: &Path) {
    for folder in ["contacts", "calendar", "mail/cur", "mail/new", "mail/tmp"] {
        std::fs::create_dir_all(dir.join(folder)).unwrap();
    }
}

/// Returns how many operations that were.
fn approve_all(engine: &Engine) -> usize {
    let now = engine.clock.now();
    let approve = |tx: &liaison::store::Transaction<'_>| {
        let holds = hold::open_holds(tx)?;
        holds.iter().map(|waiting| hold::approve(tx, waiting.id, now)).sum()
    };
    engine.store.promise_blocking(approve).unwrap()
}

impl World {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let organisation = dir.path().join("organisation");
        Self::around(dir, organisation).await
    }

    /// With the organisation in one folder and all the rest in another.
    pub async fn with_organisation_and_home(organisation: &Path, home: &Path) -> Self {
        Self::around(tempfile::tempdir_in(home).unwrap(), organisation.to_owned()).await
    }

    async fn around(dir: tempfile::TempDir, organisation: PathBuf) -> Self {
        let sandbox = Sandbox::start(sandbox::Options::new(&organisation)).await.unwrap();
        folders(dir.path());
        let store = Store::open(&dir.path().join("state/store.db")).unwrap();
        let url = sandbox.url.clone();
        let engine = engine(dir.path(), &organisation, &url, &store, "anna").await;
        let mut world = Self { dir, sandbox: Some(sandbox), organisation, url, store, engine };
        world.live_in_berlin().await;
        world.restart().await;
        world
    }

    /// A series repeats by the clock of its owner, which the engine learns from the organisation.
    async fn live_in_berlin(&self) {
        let me = self.get("anna", "WhoAmI").await["UserId"].as_str().unwrap().to_owned();
        let settings = format!("usersettingscollection({me})");
        self.send("anna", "PATCH", &settings, serde_json::json!({ "timezonecode": 110 })).await;
    }

    /// As after a restart of the program.
    pub async fn restart(&mut self) {
        self.engine =
            engine(self.dir.path(), &self.organisation, &self.url, &self.store, "anna").await;
    }

    /// A colleague's mailbox, store and engine, of the same organisation.
    pub async fn colleague(&self, user: &str) -> Colleague {
        let dir = tempfile::tempdir().unwrap();
        folders(dir.path());
        let store = Store::open(&dir.path().join("state/store.db")).unwrap();
        let engine = engine(dir.path(), &self.organisation, &self.url, &store, user).await;
        Colleague { dir, engine }
    }

    /// All that the organisation has on its disk.
    pub fn organisation_bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(&self.organisation).unwrap().map(|file| file.unwrap().path());
        let files = files.filter(|path| path.is_file());
        files.flat_map(|path| std::fs::read(path).unwrap()).collect()
    }

    /// Starts the organisation again after it was stopped: same data, same address.
    pub async fn start_again(&mut self) {
        let mut options = sandbox::Options::new(&self.organisation);
        options.listen = self.url.strip_prefix("http://").unwrap().parse().unwrap();
        self.sandbox = Some(Sandbox::start(options).await.unwrap());
    }

    fn token(&self, user: &str) -> String {
        self.sandbox.as_ref().unwrap().token(user).unwrap()
    }

    /// As after a reinstall: nothing is remembered.
    pub async fn forget(&mut self, number: u32) {
        self.store = Store::open(&self.dir.path().join(format!("state{number}/store.db"))).unwrap();
        self.restart().await;
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub async fn sync(&self, classes: &[Class]) -> Report {
        self.engine.sync(classes, "test").await.unwrap()
    }

    /// Syncs, approves what waits, and syncs again.
    pub async fn first_sync(&self, classes: &[Class]) -> Report {
        self.sync(classes).await;
        self.approve_all();
        self.sync(classes).await
    }

    /// Returns how many operations that were.
    pub fn approve_all(&self) -> usize {
        approve_all(&self.engine)
    }

    /// Asks the organisation as a user would, for checking and for colleagues' edits.
    pub async fn get(&self, user: &str, path: &str) -> serde_json::Value {
        let url = format!("{}/api/data/v9.2/{path}", self.url);
        let token = self.token(user);
        let answer = client().get(url).bearer_auth(token).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}"))
    }

    pub async fn send(&self, user: &str, method: &str, path: &str, body: serde_json::Value) {
        let url = format!("{}/api/data/v9.2/{path}", self.url);
        let token = self.token(user);
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let answer =
            client().request(method, url).bearer_auth(token).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    /// The rows of a set, as the administrator sees them.
    pub async fn rows(&self, query: &str) -> Vec<serde_json::Value> {
        self.get("admin", query).await["value"].as_array().unwrap().clone()
    }
}

fn client() -> reqwest::Client {
    liaison::connector::tls::client_config(&liaison::connector::tls::Trust::Platform).unwrap();
    reqwest::Client::builder()
        .tls_backend_preconfigured(
            liaison::connector::tls::client_config(&liaison::connector::tls::Trust::Platform)
                .unwrap(),
        )
        .build()
        .unwrap()
}

async fn engine(dir: &Path, organisation: &Path, url: &str, store: &Store, user: &str) -> Engine {
    let clock = Clock::system();
    let filters = Class::ALL.into_iter().flat_map(fetch::defaults).fold(
        BTreeMap::<Table, Vec<String>>::new(),
        |mut filters, filter| {
            filters.entry(filter.table()).or_default().push(filter.as_fetchxml().to_owned());
            filters
        },
    );
    let token = organisation.join("tokens").join(user);
    let options = dataverse::Options {
        name: "sandbox".to_owned(),
        url: url.to_owned(),
        credential: Arc::new(Credential::command(
            Kind::Token,
            format!("cat '{}'", token.display()),
        )),
        trust: liaison::connector::tls::Trust::Platform,
        filters,
        limits: Limits::default(),
    };
    let crm = Dataverse::connect(options, clock.clone(), None).await.unwrap();
    let zone = zone::choose(&Zone::System(TimeZone::UTC), crm.zone(), clock.now()).zone;
    let (organisation, lengths) = (crm.organisation(), Lengths(crm.lengths()));
    let filing = Filing { files: crm.files().clone(), ..Filing::default() };
    let vdir = |path: &str, classes: &[Class]| -> Arc<dyn Connector> {
        let options =
            vdir::Options { path: dir.join(path), classes: classes.iter().copied().collect() };
        Arc::new(Vdir::new(options, clock.clone()).unwrap())
    };
    let calendar = vdir("calendar", &[Class::Task, Class::Appointment]);
    let mail = maildir::Maildir::new(
        maildir::Options { path: dir.join("mail"), leave_out: BTreeSet::new() },
        clock.clone(),
    );
    let mailbox = BTreeMap::from([
        (Class::Contact, vdir("contacts", &[Class::Contact])),
        (Class::Task, Arc::clone(&calendar)),
        (Class::Appointment, calendar),
        (Class::Email, Arc::new(mail) as Arc<dyn Connector>),
    ]);
    let me = Address::parse(&format!("{user}@example.org")).unwrap();
    let class = ClassSettings {
        tracking: track::Policy { track: track::Track::All, ..track::Policy::default() },
        ..ClassSettings::default()
    };
    let mut mail = class.clone();
    mail.email.automatic = liaison::filter::email::Automatic::All;
    mail.rules.direction = liaison::model::fields::Direction::ToCrm;
    // The same installation, however often it is started anew.
    let (id, host) = (uuid::Uuid::from_u128(1), "here".to_owned());
    let instance = Instance { id, host, place: String::new() };
    let looked = crm.lease().clone();
    let crm = Arc::new(crm);
    let lease = Arc::clone(&crm) as Arc<dyn Lease>;
    let fence = Fence::new(lease, instance, None, looked, (store.clone(), clock.clone()));
    Engine {
        mailbox,
        crm: Arc::new(Patient::new(crm, Duration::from_secs(5))),
        store: store.clone(),
        clock,
        settings: Settings {
            organisation,
            mailbox: me.clone(),
            me: BTreeSet::from([me]),
            zone,
            lengths,
            limits: liaison::plan::guard::Limits::default(),
            filing,
            classes: BTreeMap::from([
                (Class::Contact, class.clone()),
                (Class::Task, class.clone()),
                (Class::Appointment, class),
                (Class::Email, mail),
            ]),
        },
        fence: Some(Arc::new(fence)),
        stop: liaison::sync::stop::Stop::default(),
        sending: None,
        progress: Arc::new(|_| {}),
    }
}
