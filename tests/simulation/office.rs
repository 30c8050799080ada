//! A user's mailbox and organisation, two installations of the program on one thread, and time that stands still unless
//! somebody moves it: here histories take place. All that happens is written down in the order in which it does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use liaison::clock::Clock;
use liaison::connector::lease::{Instance, Looked};
use liaison::connector::outgoing::Postbox;
use liaison::connector::{Connector, Result};
use liaison::filter::{email, track};
use liaison::mapping::{Context, Lengths};
use liaison::model::fields::Address;
use liaison::model::{
    Class, Field, Fields, ItemId, Listing, Patch, Person, RecordId, Side, Table, Value,
};
use liaison::plan::guard::Limits;
use liaison::store::outgoing::{self, Mail};
use liaison::store::{AFTER_PROMISE, Probe, Store, conflict, journal, link, replica};
use liaison::sync::fence::Fence;
use liaison::sync::send::Sending;
use liaison::sync::verify::Finding;
use liaison::sync::{ClassReport, ClassSettings, Engine, Filing, Report, Settings};
use tempfile::TempDir;
use uuid::Uuid;

use super::desk::Workplace;
use super::history::{Act, CLASSES, Event, Happening, History, OLD, What};
use super::ledger::{Edit, Ledger, Sight, Thing, sight, token, written};
use super::nature::Nature;
use super::post::Post;
use super::servers::{Content, Register, Server, Servers, key};
use super::tally::Tally;
use crate::support::disk::{Disk, Files};
use crate::support::faults::{self, Death, Fault, Faulty, Point, unreachable};
use crate::support::hand::Hand;
use crate::support::world::{Approval, ME, ORGANISATION, approve, folder, me};

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

/// An installation.
pub struct Site {
    pub clock: Clock,
    path: PathBuf,
    disk: Disk,
    /// Grows when the state folder is lost: what is made then is another installation.
    generation: u128,
    /// While it runs.
    engine: Option<Engine>,
    /// Without stop points, where it is open: for people and for the oracle.
    store: Option<Store>,
    expected: Vec<(Point, u32, Happening)>,
    death: Option<Death>,
    /// It is in the middle of a round.
    is_busy: bool,
    backup: Option<(Files, u128)>,
    /// Its memory was lost or is an old one.
    is_forgetful: bool,
    first: BTreeMap<(Side, Class), Listing>,
    /// Where its user works away from the CRM.
    pub desk: Workplace,
}

/// What was there when a history begins: made once.
#[derive(Debug, Clone)]
struct Beginning {
    content: Content,
    ledger: Ledger,
    stores: [Files; 2],
    copies: [Files; 2],
    blank: Files,
}

/// The course of one installation.
struct Way {
    office: Weak<Office>,
    site: usize,
}

#[async_trait]
impl faults::Course for Way {
    async fn reach(&self, point: Point) -> Result<Option<Fault>> {
        match self.office.upgrade() {
            Some(office) => office.reach(self.site, point).await,
            None => Err(unreachable()),
        }
    }

    fn first(&self, side: Side, class: Class, now: &Listing) -> Listing {
        let Some(office) = self.office.upgrade() else { return now.clone() };
        let mut site = office.sites[self.site].lock().unwrap();
        site.first.entry((side, class)).or_insert_with(|| now.clone()).clone()
    }
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
            let disk = Disk::new(&path);
            disk.put(stores.next().unwrap());
            let desk = Workplace::new(folder.path().join(format!("copy-{number}")));
            desk.disk.put(copies.next().unwrap());
            Mutex::new(Site {
                clock: clock(),
                path,
                disk,
                generation: 0,
                engine: None,
                store: None,
                expected: Vec::new(),
                death: None,
                is_busy: false,
                backup: None,
                is_forgetful: false,
                first: BTreeMap::new(),
                desk,
            })
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
            Event::Answer(site) => {
                self.answer(*site);
                self.say_whether_sent(*site);
            }
            Event::Claim(site) => self.claim(*site).await,
            Event::Backup(site) => {
                let mut site = self.sites[*site].lock().unwrap();
                site.backup = Some((site.disk.files(), site.generation));
            }
            Event::Restore(site) => {
                let backup = self.sites[*site].lock().unwrap().backup.clone();
                if let Some(backup) = backup {
                    self.replace(*site, backup);
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
            let moved: Vec<_> = ledger.moved.iter().map(|(it, ..)| *it).collect();
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

    /// Somebody does something. Where the thing is not, nothing happens.
    pub fn act(&self, act: &Act) {
        let (side, class) = (act.who.side(), act.class);
        let thing = (class, act.thing);
        match act.what {
            What::Send => {
                let is_sent = self.servers.send_mail(act.thing);
                let mut ledger = self.ledger.lock().unwrap();
                ledger.things.insert(thing, side);
                let wanted = ledger.mails.entry(act.thing).or_default();
                wanted.again += usize::from(is_sent && self.servers.handed_in(act.thing) > 0);
                return;
            }
            What::TakeBack => {
                if self.servers.take_back(act.thing) {
                    let mut ledger = self.ledger.lock().unwrap();
                    ledger.mails.entry(act.thing).or_default().is_taken_back = true;
                }
                return;
            }
            _ => {}
        }
        let hand = self.hand(class);
        let id = self.servers.place(side, class, act.thing);
        if act.what == What::Make {
            let title = if class == Class::Contact { "lastname" } else { "subject" };
            let title = Patch::from([(Field::of(title), Some(Value::Text(key(class, act.thing))))]);
            let patch = title.into_iter().chain(usual(class, act.thing)).collect();
            let id = hand.edit(side, &key(class, act.thing), None, &patch);
            self.saved(side, &id);
            self.ledger.lock().unwrap().things.insert(thing, side);
            return;
        }
        let Some(id) = id else { return };
        let Some(Ok(fields)) = hand.fields(side, &id) else { return };
        let mut ledger = self.ledger.lock().unwrap();
        match &act.what {
            What::Make | What::Send | What::TakeBack => {}
            What::Write { field, token: number, is_long } => {
                let text = Value::Text(token(*number, *is_long));
                let patch = Patch::from([(Field::of(field), Some(text))]);
                hand.edit(side, &key(class, act.thing), Some(&id), &patch);
                let edit = edit(thing, side, field, false);
                ledger.edit(*number, edit, sight(&fields, field));
            }
            What::Empty { field, token: number } => {
                if !fields.contains_key(&Field::of(field)) {
                    return;
                }
                let patch = Patch::from([(Field::of(field), None)]);
                hand.edit(side, &key(class, act.thing), Some(&id), &patch);
                let mut edit = edit(thing, side, field, true);
                // Nothing tells whoever does not know the pair yet that there was something: then what the other side says fills what
                // is empty. And what a write without an answer filled, somebody emptied before it was looked at: so it stood before.
                // And what was filled and emptied between two looks, never was.
                edit.is_forfeit = [0, 1].into_iter().any(|site| {
                    !self.agreed(site, side, class, &id).contains_key(&Field::of(field))
                        || self.is_in_doubt(site, side, &id)
                });
                ledger.edit(*number, edit, sight(&fields, field));
            }
            What::Own { token: number } => {
                let line = format!("X-KEEP-{number}:t{number}");
                let mailbox = &self.servers.mailboxes[&class];
                crate::support::world::add_line(&mut mailbox.lock().unwrap(), &id, &line);
                ledger.own.insert(*number, thing);
            }
            What::Move { minutes } => {
                let start = NOW.parse::<jiff::Timestamp>().unwrap()
                    + jiff::SignedDuration::from_mins(60 * 24 + minutes);
                let hour = jiff::SignedDuration::from_hours(1);
                let at = |field, at| (Field::of(field), Some(Value::Moment(at)));
                let patch = match class {
                    Class::Task => Patch::from([at("scheduledend", start)]),
                    _ => {
                        Patch::from([at("scheduledstart", start), at("scheduledend", start + hour)])
                    }
                };
                hand.edit(side, &key(class, act.thing), Some(&id), &patch);
            }
            What::Delete => {
                let ends = if side == Side::Crm { &hand.crm } else { &hand.mailbox };
                ends.lock().unwrap().remove(side, &id);
                ledger.delete(thing, side, &fields);
                self.note_who_knew(&mut ledger, thing, side, &id);
            }
            What::Leave | What::Return => {
                let row = RecordId::parse(&id).unwrap();
                let mut ends = hand.crm.lock().unwrap();
                ends.crm.touch(row).unwrap().left = act.what == What::Leave;
                if act.what == What::Leave {
                    ledger.left.insert(thing);
                }
            }
            What::Rename => {
                let mut ends = hand.mailbox.lock().unwrap();
                let bytes = ends.mailbox.remove(&id).unwrap();
                let name = id.as_str().rsplit('/').next().unwrap();
                let new = match class {
                    Class::Email if id.as_str().starts_with("INBOX") => format!("Archive/{name}"),
                    Class::Email => format!("INBOX/{name}"),
                    _ => format!("r{name}"),
                };
                let new = ItemId::new(new);
                ends.mailbox.insert(new.clone(), bytes);
                ledger.moved.push((thing, id.clone(), new));
            }
            What::Touch => {
                hand.crm.lock().unwrap().crm.touch(RecordId::parse(&id).unwrap());
            }
        }
        drop(ledger);
        self.saved(side, &id);
    }

    fn saved(&self, side: Side, id: &ItemId) {
        if side == Side::Crm {
            self.servers.saved(id);
        }
    }

    pub fn hand(&self, class: Class) -> Hand {
        Hand {
            class,
            mailbox: Arc::clone(&self.servers.mailboxes[&class]),
            crm: Arc::clone(&self.servers.crm),
            context: Context {
                organisation: ORGANISATION,
                zone: TimeZone::UTC,
                me: me(),
                lengths: self.settings.lengths.clone(),
                people: self.servers.crm.lock().unwrap().crm.people.clone(),
                filing: BTreeMap::new(),
            },
        }
    }

    /// What is written in the list of conflicts of an installation.
    pub fn contested(&self, number: usize) -> Vec<u32> {
        let Some(store) = self.store(number) else { return Vec::new() };
        let text = |value: &Value| match value {
            Value::Text(text) | Value::Cut(text) => match written(text) {
                Sight::Token(number) => Some(number),
                Sight::Empty | Sight::Strange => None,
            },
            _ => None,
        };
        let mut tokens = Vec::new();
        for conflict in store.read_blocking(conflict::all).unwrap() {
            match &conflict.dispute {
                conflict::Dispute::Field { mailbox, crm, .. } => {
                    tokens.extend([mailbox, crm].into_iter().flatten().filter_map(text));
                }
                conflict::Dispute::Existence { kept, .. } => {
                    tokens.extend(kept.values().filter_map(text));
                }
            }
        }
        tokens
    }

    /// Whether an installation knows the other half of what stands here.
    fn knows(&self, number: usize, side: Side, class: Class, id: &ItemId) -> bool {
        let Some(store) = self.store(number) else { return false };
        let found = store.read_blocking(|db| match side {
            Side::Mailbox => link::by_item(db, class, id),
            Side::Crm => link::by_record(db, class, id),
        });
        found.unwrap().is_some()
    }

    /// Writes down which installations know the other half of what is deleted here.
    pub fn note_who_knew(&self, ledger: &mut Ledger, thing: Thing, side: Side, id: &ItemId) {
        for number in [0, 1] {
            if !self.knows(number, side, thing.0, id) {
                continue;
            }
            ledger.knew.insert((thing, side, number));
            let site = self.sites[number].lock().unwrap();
            if site.may_lose_power() {
                // What it knows has been on the disk for a while.
                site.disk.flush();
            }
        }
    }

    /// What stood here when an installation last agreed on it with what stands on the other side; nothing where it does not know that.
    fn agreed(&self, number: usize, side: Side, class: Class, id: &ItemId) -> Fields {
        let Some(store) = self.store(number) else { return Fields::new() };
        let found = store.read_blocking(|db| {
            let link = match side {
                Side::Mailbox => link::by_item(db, class, id),
                Side::Crm => link::by_record(db, class, id),
            }?;
            let bases = link.map(|link| link::bases(db, &[link.id])).transpose()?;
            Ok(bases.and_then(|bases| bases.into_values().next()))
        });
        let bases = found.unwrap();
        bases
            .map(|bases| if side == Side::Crm { bases.record } else { bases.item })
            .unwrap_or_default()
    }

    /// Whether an installation wrote here, and knows no answer yet.
    fn is_in_doubt(&self, number: usize, side: Side, id: &ItemId) -> bool {
        let Some(store) = self.store(number) else { return false };
        let open = store.read_blocking(journal::unknown).unwrap();
        open.iter().any(|entry| {
            let written = match side {
                Side::Mailbox => &entry.intent.item,
                Side::Crm => &entry.intent.record,
            };
            entry.intent.side == side && written.as_ref() == Some(id)
        })
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

    /// The mails that a person is asked about at an installation.
    fn asked(&self, number: usize) -> Vec<Mail> {
        let mut open = self.outgoing(number);
        open.retain(|mail| mail.state == outgoing::State::Unknown);
        open
    }

    /// The mails with which something is left to do at an installation.
    pub fn outgoing(&self, number: usize) -> Vec<Mail> {
        let store = self.store(number);
        store.map(|store| store.read_blocking(outgoing::open).unwrap()).unwrap_or_default()
    }

    /// The store of an installation; `None` where its state folder is lost and it did not begin anew.
    pub fn store(&self, number: usize) -> Option<Store> {
        let mut site = self.sites[number].lock().unwrap();
        if site.store.is_none() && site.path.is_file() {
            site.store = Store::open(&site.path).ok();
        }
        site.store.clone()
    }

    pub fn is_forgetful(&self) -> bool {
        self.sites.iter().any(|site| site.lock().unwrap().is_forgetful)
    }

    /// Nobody does anything any more, and nothing happens on the way: the installation that syncs comes to rest.
    async fn quiet(self: &Arc<Self>) -> std::result::Result<(), String> {
        self.note(|| "all is quiet".to_owned());
        for site in &self.sites {
            site.lock().unwrap().expected.clear();
        }
        self.servers.settle();
        for number in [0, 1] {
            self.clear_desk(number).await?;
        }
        let holder = usize::from(self.servers.holder().as_deref() == Some("place 1"));
        self.rest(holder).await?;
        Ok(())
    }

    /// What `liaison verify` finds where all is quiet, at the installation that syncs. What its store knows of versions is gone then.
    pub async fn compare(self: &Arc<Self>) -> std::result::Result<Vec<(Class, Finding)>, String> {
        let holder = usize::from(self.servers.holder().as_deref() == Some("place 1"));
        let engine = self.start(holder)?;
        let engine = engine.on_a_copy(engine.store.clone());
        let mut found = Vec::new();
        for class in CLASSES {
            let verdict = engine.verify(class).await;
            let verdict = verdict.map_err(|error| format!("O0 the store is lost: {error}"))?;
            if let Some(failure) = verdict.error {
                return Err(format!("O17 {class}: {}", failure.message));
            }
            found.extend(verdict.findings.into_iter().map(|finding| (class, finding)));
        }
        Ok(found)
    }

    async fn rest(self: &Arc<Self>, number: usize) -> std::result::Result<(), String> {
        let mut last = String::new();
        for round in 0..ROUNDS {
            self.pass(Duration::from_hours(1));
            let Some(report) = self.round(number).await? else {
                return Err("O5 it died although nothing happened".to_owned());
            };
            // A person looks at what waits, once it is clear that it does.
            let mut approved = if round > 1 { self.approve(number, Approval::All) } else { 0 };
            approved += self.say_whether_sent(number);
            let rests = |class: &ClassReport| {
                class.error.is_none()
                    && class.partial.is_empty()
                    && class.operations == 0
                    && class.adopted == 0
                    && class.held == 0
                    && class.outgoing.waiting == 0
            };
            if approved == 0 && round > 1 && report.classes.values().all(rests) {
                return Ok(());
            }
            last = summary(number, &report);
        }
        Err(format!("O5 it does not come to rest: {last}"))
    }
}

impl Site {
    /// What is to happen here, this time.
    pub fn come_by(&mut self, point: Point) -> Option<Happening> {
        let mut now = None;
        for (number, (at, nth, _)) in self.expected.iter_mut().enumerate() {
            if *at != point {
                continue;
            }
            if *nth > 0 {
                *nth -= 1;
            } else if now.is_none() {
                now = Some(number);
            }
        }
        now.map(|number| self.expected.remove(number).2)
    }

    pub fn may_lose_power(&self) -> bool {
        let is_loss = |what: &Happening| *what == Happening::Fault(Fault::PowerLoss);
        self.expected.iter().any(|(_, _, what)| is_loss(what))
    }

    /// The program ends, and its store is closed.
    fn end(&mut self) {
        self.engine = None;
        self.store = None;
    }
}

fn edit(thing: (Class, u32), side: Side, field: &'static str, empties: bool) -> Edit {
    Edit { thing, side, field, empties, is_replaced: false, is_forfeit: false }
}

/// Who asks somebody to an appointment: of three, the user asks to one, and a stranger to another.
pub fn asks(appointment: u32) -> Option<&'static str> {
    match appointment % 3 {
        0 => None,
        1 => Some(ME),
        _ => Some(STRANGER),
    }
}

/// What a new thing says besides its title.
fn usual(class: Class, thing: u32) -> Patch {
    let people = |addresses: &[&str]| {
        let people = addresses.iter().map(|it| Address::parse(it).unwrap());
        Some(Value::People(people.map(|address| Person { name: String::new(), address }).collect()))
    };
    let at = |text: &str| Some(Value::Moment(text.parse().unwrap()));
    match class {
        Class::Contact => Patch::new(),
        Class::Task => Patch::from([(Field::of("scheduledend"), at("2030-01-05T12:00:00Z"))]),
        Class::Appointment => {
            let mut patch = Patch::from([
                (Field::of("scheduledstart"), at("2030-01-05T10:00:00Z")),
                (Field::of("scheduledend"), at("2030-01-05T11:00:00Z")),
            ]);
            if let Some(who) = asks(thing) {
                let other = if who == ME { "leo@example.org" } else { ME };
                patch.insert(Field::of("organizer"), people(&[who]));
                patch.insert(Field::of("requiredattendees"), people(&["lea@example.org", other]));
            }
            patch
        }
        Class::Email => Patch::from([(Field::of("from"), people(&["lea@example.org"]))]),
    }
}

fn summary(number: usize, report: &Report) -> String {
    let class = |(class, of): (&Class, &ClassReport)| {
        let mut text = format!("{class} {}+{}", of.operations, of.adopted);
        for (word, count) in
            [("held", of.held), ("conflicts", of.conflicts), ("aside", of.quarantined)]
        {
            if count > 0 {
                text.push_str(&format!(" {word} {count}"));
            }
        }
        if let Some(error) = &of.error {
            text.push_str(&format!(" ({})", error.message));
        }
        text
    };
    let classes: Vec<String> = report.classes.iter().map(class).collect();
    format!("    {number}: {}", classes.join(", "))
}

fn settings(history: &History) -> Settings {
    let lengths = BTreeMap::from([
        ((Table::Contact, "jobtitle".to_owned()), 12),
        ((Table::Task, "description".to_owned()), 12),
        ((Table::Appointment, "location".to_owned()), 12),
    ]);
    let mut class = ClassSettings {
        tracking: track::Policy { track: track::Track::All, ..track::Policy::default() },
        email: email::Policy { automatic: email::Automatic::All, ..email::Policy::default() },
        filter: "the usual".to_owned(),
        ..ClassSettings::default()
    };
    class.rules.conflict = history.conflict;
    class.rules.deleted_in_mailbox = history.deletes;
    class.rules.deleted_in_crm = history.deletes;
    Settings {
        organisation: ORGANISATION,
        mailbox: Address::parse(ME).unwrap(),
        me: me(),
        zone: TimeZone::UTC,
        lengths: Lengths(lengths),
        limits: Limits::default(),
        filing: Filing::default(),
        classes: CLASSES.into_iter().map(|it| (it, class.clone())).collect(),
    }
}

impl Beginning {
    /// A few things of each class that both installations know to be in step.
    async fn make() -> Self {
        let history = History {
            seed: 0,
            conflict: liaison::plan::ConflictPolicy::Crm,
            deletes: liaison::plan::DeleteRule::ByClass,
            nature: Nature::default(),
            events: Vec::new(),
        };
        let blank = blank(Store::open);
        let copy = self::blank(replica::open);
        let nothing = Self {
            content: Content::default(),
            ledger: Ledger::default(),
            stores: [blank.clone(), blank.clone()],
            copies: [copy.clone(), copy],
            blank: blank.clone(),
        };
        let office = Office::with(&history, &nothing);
        for class in CLASSES {
            for thing in 0..OLD {
                let who = if thing == 0 || class == Class::Email {
                    super::history::Who::Mail
                } else {
                    super::history::Who::Crm
                };
                office.act(&Act { who, class, thing, what: What::Make });
            }
        }
        for round in [0, 0, 0, 1, 1, 0, 1] {
            office.pass(BREATH);
            office.round(round).await.unwrap();
        }
        for site in [0, 1] {
            office.online(site).await.unwrap();
            let mut site = office.sites[site].lock().unwrap();
            site.end();
            site.desk.store = None;
        }
        let copies = [0, 1].map(|number| office.sites[number].lock().unwrap().desk.disk.files());
        let stores = [0, 1].map(|number| office.sites[number].lock().unwrap().disk.files());
        let ledger = office.ledger.lock().unwrap().clone();
        Self { content: office.servers.content(), ledger, stores, copies, blank }
    }
}

/// A store that was just made.
fn blank(open: fn(&Path) -> liaison::store::Result<Store>) -> Files {
    let folder = folder();
    let path = folder.path().join("store");
    drop(open(&path).unwrap());
    Disk::new(&path).files()
}

/// What a thing says on a side at the end.
pub fn says(office: &Office, side: Side, class: Class, id: &ItemId) -> Option<Fields> {
    office.hand(class).fields(side, id)?.ok()
}
