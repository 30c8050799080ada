//! A user's mailbox and organisation, two installations of the program on one thread, and time that stands still unless
//! somebody moves it: here histories take place. All that happens is written down in the order in which it does.

mod acts;
mod beginning;
mod known;
mod rest;
mod site;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use liaison::clock::Clock;
use liaison::connector::lease::{Instance, Looked};
use liaison::connector::outgoing::Postbox;
use liaison::connector::{Connector, Result};
use liaison::model::{Class, Side};
use liaison::store::{AFTER_PROMISE, Probe, Store, outgoing};
use liaison::sync::fence::Fence;
use liaison::sync::send::Sending;
use liaison::sync::{Engine, Report, Settings};
use tempfile::TempDir;
use uuid::Uuid;

use super::desk::Workplace;
use super::history::{CLASSES, Event, Happening, History};
use super::ledger::Ledger;
use super::post::Post;
use super::servers::{Register, Server, Servers};
use super::tally::Tally;
use crate::support::disk::Files;
use crate::support::faults::{self, Death, Fault, Faulty, Point, unreachable};
use crate::support::world::{Approval, approve, folder};
use beginning::{Beginning, settings};
use rest::summary;
use site::{Backup, Site, Way};

pub use acts::asks;
pub use known::says;

/// When every history begins.
const NOW: &str = "2027-06-01T12:00:00Z";

/// Between two events.
const BREATH: Duration = Duration::from_mins(5);

/// How long a mail without an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks the user to meetings, and is not known in the organisation.
pub const STRANGER: &str = "stranger@example.net";

/// How long a slow server takes for everything.
pub const SLOWLY: Duration = Duration::from_secs(7);

/// The code that sends mail.
const SENDS: &str = "src/sync/send";

/// More rounds than this without anybody doing anything are no coming to rest.
pub const ROUNDS: usize = 12;

/// See the module.
pub struct Office {
    pub servers: Arc<Servers>,
    pub ledger: Mutex<Ledger>,
    pub trace: Mutex<Vec<String>>,
    pub tally: Mutex<Tally>,
    /// What went wrong in a round within a round.
    pub problems: Mutex<Vec<String>>,
    settings: Settings,
    pub sites: [Mutex<Site>; 2],
    /// A store in which nothing is.
    blank: Files,
    _folder: TempDir,
}

impl Office {
    /// Where a history begins.
    pub async fn open(history: &History) -> Arc<Self> {
        static BEGINNING: OnceLock<Beginning> = OnceLock::new();
        let beginning = if let Some(beginning) = BEGINNING.get() {
            beginning
        } else {
            let made = Beginning::make().await;
            BEGINNING.get_or_init(|| made)
        };
        Self::with(history, beginning)
    }

    fn with(history: &History, beginning: &Beginning) -> Arc<Self> {
        let folder = folder();
        let clock = || Clock::manual(NOW.parse().unwrap());
        let mut stores = beginning.stores.iter();
        let mut copies = beginning.copies.iter();
        let sites = [0, 1].map(|number| {
            let path = folder.path().join(format!("store-{number}"));
            let desk = Workplace::new(folder.path().join(format!("copy-{number}")));
            desk.disk.put(copies.next().unwrap());
            let site = Site::new(path, clock(), desk);
            site.disk.put(stores.next().unwrap());
            Mutex::new(site)
        });
        Arc::new(Self {
            servers: Arc::new(Servers::new(history.nature, clock(), beginning.content.clone())),
            ledger: Mutex::new(beginning.ledger.clone()),
            trace: Mutex::default(),
            tally: Mutex::default(),
            problems: Mutex::default(),
            settings: settings(history),
            sites,
            blank: beginning.blank.clone(),
            _folder: folder,
        })
    }

    /// Lets a history take place, and lets everything come to rest.
    ///
    /// # Errors
    /// With what went wrong on the way.
    pub async fn run(self: &Arc<Self>, history: &History) -> std::result::Result<(), String> {
        for event in &history.events {
            self.note(|| event.to_string());
            self.pass(BREATH);
            self.happen(event).await?;
        }
        self.quiet().await?;
        self.problems.lock().unwrap().pop().map_or(Ok(()), Err)
    }

    async fn happen(self: &Arc<Self>, event: &Event) -> std::result::Result<(), String> {
        match event {
            Event::Act(act) => self.act(act),
            Event::Round(site) => drop(self.round(*site).await?),
            Event::Expect { site, point, nth, what } => {
                let mut of = self.sites[*site].lock().unwrap();
                if matches!(what, Happening::Fault(Fault::PowerLoss)) && !of.may_lose_power() {
                    // What was written long ago has found its way.
                    of.disk.flush();
                    of.desk.disk.flush();
                }
                of.expected.push((*point, *nth, what.clone()));
            }
            Event::Enter(site, act) => self.enter(*site, act).await?,
            Event::Online(site) => self.online(*site).await?,
            Event::Regret(site, place) => self.take_back_entry(*site, *place),
            Event::Correct { site, place, token } => self.correct_entry(*site, *place, *token),
            Event::Answer(site) => {
                self.answer(*site);
                self.say_whether_sent(*site);
            }
            Event::Claim(site) => self.claim(*site).await,
            Event::Backup(number) => {
                let ready = self.about_to_leave(*number);
                let mut site = self.sites[*number].lock().unwrap();
                let (files, generation) = (site.disk.files(), site.generation);
                site.backup = Some(Backup { files, generation, ready });
            }
            Event::Restore(site) => {
                let backup = self.sites[*site].lock().unwrap().backup.clone();
                if let Some(Backup { files, generation, ready }) = backup {
                    self.note_untold(&ready);
                    self.replace(*site, (files, generation));
                }
            }
            Event::Lose(site) => {
                let generation = self.sites[*site].lock().unwrap().generation;
                self.replace(*site, (self.blank.clone(), generation + 1));
            }
            Event::Pass(time) => self.pass(*time),
            Event::Late(site, time) => {
                let mut site = self.sites[*site].lock().unwrap();
                site.engine = None;
                site.clock = Clock::manual(site.clock.now() - *time);
            }
        }
        Ok(())
    }

    /// The state of an installation is another one from now on.
    fn replace(&self, number: usize, (files, generation): (Files, u128)) {
        let before = self.contested(number);
        {
            let mut site = self.sites[number].lock().unwrap();
            site.end();
            site.disk.put(&files);
            site.generation = generation;
            site.is_forgetful = true;
        }
        let mut kept = self.contested(0);
        kept.extend(self.contested(1));
        // A list of conflicts is kept in one place: with that place, it is lost.
        let mut ledger = self.ledger.lock().unwrap();
        // And so is what was there before a field was emptied.
        ledger.forget_emptied();
        for number in before.into_iter().filter(|number| !kept.contains(number)) {
            if let Some(edit) = ledger.edits.get_mut(&number) {
                edit.is_forfeit = true;
            }
        }
    }

    /// Writes down what happens.
    pub fn note(&self, what: impl FnOnce() -> String) {
        self.trace.lock().unwrap().push(what());
    }

    pub fn pass(&self, time: Duration) {
        self.servers.clock.advance(time);
        for site in &self.sites {
            site.lock().unwrap().clock.advance(time);
        }
    }

    /// A round of an installation; `None` when it died in it.
    pub async fn round(
        self: &Arc<Self>,
        number: usize,
    ) -> std::result::Result<Option<Report>, String> {
        let engine = self.start(number)?;
        self.sites[number].lock().unwrap().is_busy = true;
        let result = engine.sync(&CLASSES, "test").await;
        drop(engine);
        let death = {
            let mut site = self.sites[number].lock().unwrap();
            site.is_busy = false;
            site.death.take()
        };
        if let Some(death) = death {
            self.note(|| format!("installation {number} died: {death:?}"));
            match death {
                // What it had committed is there for the next one, which finds the store as it is.
                Death::Process => self.sites[number].lock().unwrap().engine = None,
                Death::Power => self.power_fails(number),
            }
            return Ok(None);
        }
        let report = result.map_err(|error| format!("O0 a round failed: {error}"))?;
        self.note(|| summary(number, &report));
        self.approve(number, Approval::First);
        Ok(Some(report))
    }

    /// All that was written at an installation since it last promised anything is lost.
    pub fn power_fails(&self, number: usize) {
        let mut site = self.sites[number].lock().unwrap();
        site.end();
        site.disk.restore();
        if site.desk.is_busy {
            // In the middle of it: whoever works with the copy finds out.
            site.desk.death = Some(Death::Power);
            return;
        }
        site.desk.store = None;
        site.desk.disk.restore();
        drop(site);
        self.ledger.lock().unwrap().forget_answers(number);
    }

    fn approve(&self, number: usize, approval: Approval) -> usize {
        let site = self.sites[number].lock().unwrap();
        let now = site.clock.now();
        let approved = site.store.as_ref().map_or(0, |store| approve(store, now, approval));
        if site.may_lose_power() {
            site.disk.flush();
        }
        approved
    }

    async fn claim(self: &Arc<Self>, number: usize) {
        let Ok(engine) = self.start(number) else { return };
        // Whoever takes over knows what there was when it looked last: of a field that was filled and emptied since, it only sees
        // that the other side still has something.
        self.ledger.lock().unwrap().forget_emptied();
        if let Some(fence) = &engine.fence
            && let Err(error) = fence.claim().await
        {
            self.note(|| format!("installation {number} could not claim: {error}"));
        }
    }

    /// The program, started if it is not running.
    fn start(self: &Arc<Self>, number: usize) -> std::result::Result<Engine, String> {
        let mut site = self.sites[number].lock().unwrap();
        if let Some(engine) = &site.engine {
            return Ok(engine.clone());
        }
        let store = match site.store.clone() {
            Some(store) => store,
            None => {
                Store::open(&site.path).map_err(|error| format!("O0 the store is lost: {error}"))?
            }
        };
        let course: Arc<dyn faults::Course> =
            Arc::new(Way { office: Arc::downgrade(self), site: number });
        let end = |side, class| -> Arc<dyn Connector> {
            let all = Arc::clone(&self.servers);
            let inner = Arc::new(Server { side, class, site: number, all });
            Arc::new(Faulty { side, inner, course: Arc::clone(&course) })
        };
        let me = Instance {
            id: Uuid::from_u128(1 + number as u128 + (site.generation << 8)),
            host: format!("computer {number}"),
            place: format!("place {number}"),
        };
        let lease =
            Arc::new(Register { all: Arc::clone(&self.servers), course: Arc::clone(&course) });
        let memory = (store.clone(), site.clock.clone());
        let all = Arc::clone(&self.servers);
        let office = Arc::downgrade(self);
        let post = Arc::new(Post { site: number, all, office, course: Arc::clone(&course) });
        let engine = Engine {
            mailbox: CLASSES.map(|class| (class, end(Side::Mailbox, class))).into(),
            crm: end(Side::Crm, Class::Contact),
            store: store.with_probe(self.probe(number)),
            clock: site.clock.clone(),
            settings: self.settings.clone(),
            fence: Some(Arc::new(Fence::new(lease, me, None, Looked::Untold, memory))),
            stop: liaison::sync::stop::Stop::default(),
            sending: Some(Sending {
                postbox: Arc::clone(&post) as Arc<dyn Postbox>,
                courier: post,
                patience: PATIENCE,
                token: None,
            }),
            progress: Arc::new(|_| ()),
        };
        site.engine = Some(engine.clone());
        site.store = Some(store);
        Ok(engine)
    }

    fn probe(self: &Arc<Self>, number: usize) -> Probe {
        let office = Arc::downgrade(self);
        Arc::new(move |stop| {
            let Some(office) = office.upgrade() else { return false };
            let mut site = office.sites[number].lock().unwrap();
            if stop.name == AFTER_PROMISE && site.may_lose_power() {
                site.disk.flush();
            }
            let sends = stop.place.file().starts_with(SENDS);
            let mail = sends.then(|| Point::stop_of_mail(stop.name));
            for point in mail.into_iter().chain([Point::stop(stop.name)]) {
                if let Some(Happening::Fault(fault)) = site.come_by(point) {
                    office.hit(point, fault);
                    site.death = Death::of(fault);
                }
            }
            site.death.is_none()
        })
    }

    async fn reach(self: Arc<Self>, number: usize, point: Point) -> Result<Option<Fault>> {
        if self.servers.nature.slow {
            tokio::time::sleep(SLOWLY).await;
            self.pass(SLOWLY);
        }
        let fault = self.come_by((number, point), |site| &mut site.death, Self::taken_over).await?;
        if let (Point::List(Side::Mailbox), Some(Fault::Empty | Fault::Old)) = (point, fault) {
            let mut ledger = self.ledger.lock().unwrap();
            let moved = ledger.moved.iter().map(|(it, ..)| *it);
            let moved: Vec<_> = moved.filter(|(class, _)| *class == Class::Email).collect();
            ledger.astray.extend(moved);
        }
        Ok(fault)
    }

    /// All that is to happen at a point does: `Err` when whoever comes by is dead, or dies here, which is written into `death`.
    /// `other` is what happens where the other program comes by, too.
    pub async fn come_by(
        self: &Arc<Self>,
        (number, point): (usize, Point),
        death: fn(&mut Site) -> &mut Option<Death>,
        other: fn(Arc<Self>, usize, Point) -> BoxFuture<'static, ()>,
    ) -> Result<Option<Fault>> {
        loop {
            let happening = {
                let mut site = self.sites[number].lock().unwrap();
                if death(&mut site).is_some() {
                    return Err(unreachable());
                }
                site.come_by(point)
            };
            match happening {
                None => return Ok(None),
                Some(Happening::Fault(fault)) => {
                    self.note(|| format!("    {number} at `{point}`: {fault:?}"));
                    self.hit(point, fault);
                    let Some(fatal) = Death::of(fault) else { return Ok(Some(fault)) };
                    *death(&mut self.sites[number].lock().unwrap()) = Some(fatal);
                    return Err(unreachable());
                }
                Some(Happening::Act(act)) => {
                    self.note(|| format!("    {number} at `{point}`: {act}"));
                    self.act(&act);
                }
                Some(Happening::Other) => other(Arc::clone(self), number, point).await,
            }
        }
    }

    /// The other installation becomes the one that syncs, in the middle of a round of this one.
    fn taken_over(self: Arc<Self>, number: usize, point: Point) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.note(|| format!("    {number} at `{point}`: the other takes over"));
            let other = 1 - number;
            if !self.sites[other].lock().unwrap().is_busy {
                self.claim(other).await;
                self.round_within(other).await;
            }
        })
    }

    /// A round while something else is under way.
    pub async fn round_within(self: &Arc<Self>, number: usize) {
        if let Err(problem) = self.round(number).await {
            self.problems.lock().unwrap().push(problem);
        }
    }

    pub fn hit(&self, point: Point, fault: Fault) {
        self.tally.lock().unwrap().hit(point, fault);
    }

    pub fn was_hit(&self, point: Point, fault: Fault) -> bool {
        self.tally.lock().unwrap().of(point, fault) > 0
    }

    /// A person says of the mails that they are asked about whether they were sent, as is true; of how many.
    fn say_whether_sent(&self, number: usize) -> usize {
        let asked = self.asked(number);
        let Some(store) = self.store(number) else { return 0 };
        let site = self.sites[number].lock().unwrap();
        let now = site.clock.now();
        for mail in &asked {
            let (id, was_sent) = (mail.id, self.servers.taken(&mail.uid) > 0);
            store.promise_blocking(move |tx| outgoing::answer(tx, id, was_sent, now)).unwrap();
        }
        if site.may_lose_power() {
            site.disk.flush();
        }
        asked.len()
    }
}
