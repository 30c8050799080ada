//! Everything that can happen on the way, put around a connector and a store at numbered points: the process dies, a reply
//! is lost, a listing is old. In a story, one fault a run, so that the run which fails names it; a simulated history has a
//! course of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use liaison::connector::{Connector, Error, ErrorKind, Result, Write, Written};
use liaison::model::record::PartyRef;
use liaison::model::{Address, Class, Completeness, Document, ItemId, Listing, Side, Uid};
use liaison::store::{AFTER_COMMIT, AFTER_PROMISE, BEFORE_COMMIT, Probe, Stop};

/// A place in a run where something can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    BeforeWrite(Side, &'static str),
    AfterWrite(Side, &'static str),
    /// All writes that go to a side together.
    Batch(Side),
    List(Side),
    Read(Side),
    /// Whom an address belongs to, where a message is filed.
    Ask,
    /// Who syncs is asked, and written down.
    LeaseLook,
    LeasePut,
    BeforeCommit,
    AfterCommit,
    /// After a commit that is on the disk.
    AfterPromise,
    /// What was entered away from the CRM goes there: all of a request together, one change, one look.
    Wave,
    BeforeEdit(&'static str),
    AfterEdit(&'static str),
    Look,
    /// The copy of the CRM is brought up to date.
    CopyList,
    CopyRows,
    /// The copy's own commits.
    CopyBeforeCommit,
    CopyAfterCommit,
    CopyAfterPromise,
    /// The mails that the CRM wants sent are asked for, read, taken and told of.
    MailList,
    MailRead,
    BeforeTake,
    AfterTake,
    BeforeTell,
    AfterTell,
    /// One is handed in: up to its final full stop, with that, and when the server has it.
    BeforeSubmit,
    FinalStop,
    AfterSubmit,
    /// The commits of what sends.
    MailBeforeCommit,
    MailAfterPromise,
}

/// What happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The process dies here.
    Die,
    /// And takes with it what was written since the last promise.
    PowerLoss,
    /// There is no answer; nothing was done.
    Unreachable,
    /// All was done, and the reply is lost.
    Lost,
    /// A proxy sends every write a second time; we see the answer to that one.
    Twice,
    /// The other end asks for a pause.
    Throttled,
    /// It says that it changed meanwhile.
    Stale,
    /// The listing breaks off and says so.
    Cut,
    /// The listing is empty and says that this is all.
    Empty,
    /// The listing is that of the first look.
    Old,
    /// A plug-in does not like it.
    Refused,
}

impl Point {
    /// What can happen here.
    pub fn faults(self) -> &'static [Fault] {
        match self {
            Self::BeforeWrite(..) => {
                &[Fault::Die, Fault::PowerLoss, Fault::Stale, Fault::Throttled]
            }
            Self::BeforeEdit(_) => {
                &[Fault::Die, Fault::PowerLoss, Fault::Stale, Fault::Throttled, Fault::Refused]
            }
            Self::AfterWrite(..)
            | Self::BeforeCommit
            | Self::AfterCommit
            | Self::AfterPromise
            | Self::AfterEdit(_)
            | Self::CopyBeforeCommit
            | Self::CopyAfterCommit
            | Self::CopyAfterPromise
            | Self::MailBeforeCommit
            | Self::MailAfterPromise => &[Fault::Die, Fault::PowerLoss],
            Self::BeforeTake => &[Fault::Die, Fault::PowerLoss, Fault::Stale, Fault::Unreachable],
            Self::BeforeTell => {
                &[Fault::Die, Fault::PowerLoss, Fault::Throttled, Fault::Unreachable]
            }
            Self::AfterTake | Self::AfterTell | Self::AfterSubmit => {
                &[Fault::Die, Fault::PowerLoss, Fault::Lost]
            }
            Self::BeforeSubmit => &[
                Fault::Die,
                Fault::PowerLoss,
                Fault::Unreachable,
                Fault::Throttled,
                Fault::Refused,
                Fault::Cut,
            ],
            Self::FinalStop => {
                &[Fault::Die, Fault::PowerLoss, Fault::Throttled, Fault::Refused, Fault::Cut]
            }
            Self::Batch(_) | Self::Wave => {
                &[Fault::Lost, Fault::Twice, Fault::Unreachable, Fault::Throttled]
            }
            Self::List(_) => &[Fault::Unreachable, Fault::Cut, Fault::Empty, Fault::Old],
            Self::Read(_) | Self::Ask | Self::Look => &[Fault::Unreachable, Fault::Throttled],
            Self::CopyList => &[Fault::Unreachable, Fault::Cut],
            Self::LeaseLook | Self::CopyRows | Self::MailList | Self::MailRead => {
                &[Fault::Unreachable]
            }
            Self::LeasePut => &[Fault::Unreachable, Fault::Lost, Fault::Stale],
        }
    }

    /// A stop point of the store, by its name.
    pub fn stop(name: &str) -> Self {
        match name {
            BEFORE_COMMIT => Self::BeforeCommit,
            AFTER_COMMIT => Self::AfterCommit,
            AFTER_PROMISE => Self::AfterPromise,
            _ => panic!("nobody knows the stop point “{name}”"),
        }
    }

    /// A stop point of the store in what sends mail, by its name.
    pub fn stop_of_mail(name: &str) -> Self {
        match Self::stop(name) {
            Self::BeforeCommit => Self::MailBeforeCommit,
            _ => Self::MailAfterPromise,
        }
    }

    /// A stop point of the store that holds the copy of the CRM, by its name.
    pub fn stop_of_copy(name: &str) -> Self {
        match Self::stop(name) {
            Self::BeforeCommit => Self::CopyBeforeCommit,
            Self::AfterCommit => Self::CopyAfterCommit,
            _ => Self::CopyAfterPromise,
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeWrite(side, kind) => write!(f, "{side}: before {kind}"),
            Self::AfterWrite(side, kind) => write!(f, "{side}: after {kind}"),
            Self::Batch(side) => write!(f, "{side}: batch"),
            Self::List(side) => write!(f, "{side}: list"),
            Self::Read(side) => write!(f, "{side}: read"),
            Self::Ask => f.write_str("crm: ask"),
            Self::BeforeCommit => f.write_str("store: before commit"),
            Self::AfterCommit => f.write_str("store: after commit"),
            Self::AfterPromise => f.write_str("store: after promise"),
            Self::Wave => f.write_str("away: wave"),
            Self::BeforeEdit(kind) => write!(f, "away: before {kind}"),
            Self::AfterEdit(kind) => write!(f, "away: after {kind}"),
            Self::Look => f.write_str("away: look"),
            Self::CopyList => f.write_str("copy: list"),
            Self::CopyRows => f.write_str("copy: rows"),
            Self::CopyBeforeCommit => f.write_str("copy: before commit"),
            Self::CopyAfterCommit => f.write_str("copy: after commit"),
            Self::CopyAfterPromise => f.write_str("copy: after promise"),
            Self::MailList => f.write_str("mail: list"),
            Self::MailRead => f.write_str("mail: read"),
            Self::BeforeTake => f.write_str("mail: before take"),
            Self::AfterTake => f.write_str("mail: after take"),
            Self::BeforeTell => f.write_str("mail: before tell"),
            Self::AfterTell => f.write_str("mail: after tell"),
            Self::BeforeSubmit => f.write_str("mail: before the stop"),
            Self::FinalStop => f.write_str("mail: final stop"),
            Self::AfterSubmit => f.write_str("mail: after the stop"),
            Self::MailBeforeCommit => f.write_str("mail: before commit"),
            Self::MailAfterPromise => f.write_str("mail: after promise"),
            Self::LeaseLook => f.write_str("lease: look"),
            Self::LeasePut => f.write_str("lease: put"),
        }
    }
}

/// Counts the points of a run and lets one fault happen. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

/// A line of the program.
pub type Place = &'static Location<'static>;

#[derive(Debug, Default)]
struct State {
    points: Vec<Point>,
    /// Of the points of the store, by their number: who was writing.
    places: BTreeMap<usize, Place>,
    planned: Option<(usize, Fault)>,
    dead: bool,
    first: BTreeMap<(Side, Class), Listing>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    Process,
    Power,
}

impl Death {
    /// What of a process is left after this: nothing, or a program that goes on.
    pub fn of(fault: Fault) -> Option<Self> {
        match fault {
            Fault::Die => Some(Self::Process),
            Fault::PowerLoss => Some(Self::Power),
            _ => None,
        }
    }
}

/// What happens on the way.
#[async_trait]
pub trait Course: Send + Sync {
    /// Comes by a point: `Err` when the process is dead or dies here, else what happens.
    async fn reach(&self, point: Point) -> Result<Option<Fault>>;

    /// The first listing of this kind; the present one when there was none.
    fn first(&self, side: Side, class: Class, now: &Listing) -> Listing;

    /// A listing that says that it is whole hides these.
    fn hid(&self, _side: Side, _ids: BTreeSet<ItemId>) {}
}

impl Faults {
    /// Nothing happens; the points are counted.
    pub fn none() -> Self {
        Self::default()
    }

    /// `fault` happens at the point with this number.
    pub fn at(number: usize, fault: Fault) -> Self {
        let course = State { planned: Some((number, fault)), ..State::default() };
        Self(Arc::new(Mutex::new(course)))
    }

    /// The points that the run came by, in their order.
    pub fn points(&self) -> Vec<Point> {
        self.0.lock().unwrap().points.clone()
    }

    /// Who was writing at those of them that are the store's, by their number.
    pub fn places(&self) -> BTreeMap<usize, Place> {
        self.0.lock().unwrap().places.clone()
    }

    /// Whether what was to happen has happened.
    pub fn are_over(&self) -> bool {
        let course = self.0.lock().unwrap();
        course.planned.is_none_or(|(number, _)| number < course.points.len())
    }

    /// How the process died since the last call, if it did.
    pub fn take_death(&self) -> Option<Death> {
        let mut state = self.0.lock().unwrap();
        let fault = state.planned.map(|(_, fault)| fault);
        let death = match fault {
            Some(Fault::PowerLoss) => Death::Power,
            _ => Death::Process,
        };
        std::mem::take(&mut state.dead).then_some(death)
    }

    /// Whether power may be lost on the way.
    pub fn may_lose_power(&self) -> bool {
        matches!(self.0.lock().unwrap().planned, Some((_, Fault::PowerLoss)))
    }

    /// The stop points of a store: what is dead commits nothing.
    pub fn probe(&self) -> Probe {
        let faults = self.clone();
        Arc::new(move |stop: Stop| faults.pass(Point::stop(stop.name), Some(stop.place)).is_ok())
    }

    fn pass(&self, point: Point, place: Option<Place>) -> Result<Option<Fault>> {
        let mut course = self.0.lock().unwrap();
        let number = course.points.len();
        if let (Some(place), false) = (place, course.dead) {
            course.places.insert(number, place);
        }
        let fault = course.planned.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
        if !course.dead {
            course.points.push(point);
            course.dead = matches!(fault, Some(Fault::Die | Fault::PowerLoss));
        }
        if course.dead { Err(unreachable()) } else { Ok(fault) }
    }
}

#[async_trait]
impl Course for Faults {
    async fn reach(&self, point: Point) -> Result<Option<Fault>> {
        self.pass(point, None)
    }

    fn first(&self, side: Side, class: Class, now: &Listing) -> Listing {
        let mut state = self.0.lock().unwrap();
        state.first.entry((side, class)).or_insert_with(|| now.clone()).clone()
    }
}

/// There was no answer.
pub fn unreachable() -> Error {
    Error::new(ErrorKind::Unreachable, "there is no answer")
}

/// A pause is asked for.
pub fn throttled() -> Error {
    Error::new(ErrorKind::Throttled(Duration::from_secs(5)), "asked to wait")
}

/// A connector to which things happen.
pub struct Faulty {
    pub side: Side,
    pub inner: Arc<dyn Connector>,
    pub course: Arc<dyn Course>,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({})", self.side)
    }
}

impl Faulty {
    /// A call that only looks.
    async fn look(&self, point: Point) -> Result<()> {
        match self.course.reach(point).await? {
            Some(Fault::Unreachable) => Err(unreachable()),
            Some(Fault::Throttled) => Err(throttled()),
            _ => Ok(()),
        }
    }

    /// Who repeats it is not asked to wait: that would be said of something that was done.
    async fn one(&self, class: Class, write: &Write, is_repeated: bool) -> Result<Result<Written>> {
        let kind = match write {
            Write::Create { .. } => "create",
            Write::Update { .. } => "update",
            Write::Delete { .. } => "delete",
            Write::Mark { .. } => "mark",
        };
        match self.course.reach(Point::BeforeWrite(self.side, kind)).await? {
            Some(Fault::Stale) => {
                // A create never meets another version.
                let kind = match write {
                    Write::Create { .. } => ErrorKind::Local,
                    _ => ErrorKind::Stale,
                };
                return Ok(Err(Error::new(kind, "not now")));
            }
            Some(Fault::Throttled) if !is_repeated => return Ok(Err(throttled())),
            _ => {}
        }
        let done = self.inner.write(class, vec![write.clone()]).await?.remove(0);
        self.course.reach(Point::AfterWrite(self.side, kind)).await?;
        Ok(done)
    }
}

#[async_trait]
impl Connector for Faulty {
    async fn list(&self, class: Class) -> Result<Listing> {
        let fault = self.course.reach(Point::List(self.side)).await?;
        if fault == Some(Fault::Unreachable) {
            return Err(unreachable());
        }
        let mut listing = self.inner.list(class).await?;
        let first = self.course.first(self.side, class, &listing);
        match fault {
            Some(Fault::Cut) => {
                let half = listing.entries.len() / 2;
                listing.entries = listing.entries.into_iter().take(half).collect();
                listing.completeness = Completeness::Partial("the answer broke off".to_owned());
            }
            Some(Fault::Empty | Fault::Old) => {
                let shown = if fault == Some(Fault::Old) { first.entries } else { BTreeMap::new() };
                let mut hidden = std::mem::replace(&mut listing.entries, shown);
                hidden.retain(|id, _| !listing.entries.contains_key(id));
                self.course.hid(self.side, hidden.into_keys().collect());
            }
            _ => {}
        }
        Ok(listing)
    }

    async fn read(
        &self,
        class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        self.look(Point::Read(self.side)).await?;
        self.inner.read(class, ids).await
    }

    async fn write(&self, class: Class, writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        let fault = self.course.reach(Point::Batch(self.side)).await?;
        match fault {
            Some(Fault::Unreachable) => return Err(unreachable()),
            Some(Fault::Throttled) => return Err(throttled()),
            Some(Fault::Twice) => drop(self.inner.write(class, writes.clone()).await?),
            _ => {}
        }
        let mut done = Vec::new();
        for write in &writes {
            done.push(self.one(class, write, fault == Some(Fault::Twice)).await?);
        }
        if fault == Some(Fault::Lost) { Err(unreachable()) } else { Ok(done) }
    }

    async fn find(&self, class: Class, uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        self.look(Point::Ask).await?;
        self.inner.find(class, uids).await
    }

    fn address(&self, class: Class, uid: &Uid) -> ItemId {
        self.inner.address(class, uid)
    }

    async fn sent_place(&self, uid: &Uid) -> Result<Option<ItemId>> {
        self.inner.sent_place(uid).await
    }

    async fn resolve(&self, addresses: &[Address]) -> Result<BTreeMap<Address, PartyRef>> {
        self.look(Point::Ask).await?;
        self.inner.resolve(addresses).await
    }

    async fn wait(&self, class: Class) -> Result<()> {
        self.inner.wait(class).await
    }
}
