//! Ten mails, and the program dies at every commit and around every remote write, by a crash or with the power, is started again,
//! and comes to rest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use liaison::connector::outgoing::{Courier, Postbox, Stage as At, Take, Verdict, Waiting};
use liaison::connector::smtp::{Outcome, Phase, Submission};
use liaison::connector::{Connector, Error, ErrorKind, Result, Write, Written};
use liaison::model::{Class, ItemId, Record, Version};
use liaison::store::{AFTER_PROMISE, Stop, Store};

use super::stage::{Bag, Desk, Stage, sync, try_sync};
use crate::crash::places::Ended;
use crate::support::around::{Around, Hand};
use crate::support::disk::Disk;
use crate::support::faults::{Fault, Point};

const MAILS: usize = 10;

/// Counts the points of a run; the process dies at one of them.
#[derive(Debug, Clone, Default)]
struct Fate(Arc<Mutex<Course>>);

#[derive(Debug, Default)]
struct Course {
    passed: usize,
    dies_at: Option<usize>,
    /// Where that was, if it was in the store.
    died_in: Option<Stop>,
    dead: bool,
}

impl Fate {
    fn at(point: usize) -> Self {
        let course = Course { dies_at: Some(point), ..Course::default() };
        Self(Arc::new(Mutex::new(course)))
    }

    fn lives(&self) -> bool {
        self.lives_in(None)
    }

    fn lives_in(&self, stop: Option<Stop>) -> bool {
        let mut course = self.0.lock().unwrap();
        if course.dies_at == Some(course.passed) {
            course.dead = true;
            course.died_in = stop;
        }
        course.passed += 1;
        !course.dead
    }

    fn died_in(&self) -> Option<Stop> {
        self.0.lock().unwrap().died_in
    }

    fn died(&self) -> bool {
        self.0.lock().unwrap().dead
    }

    fn pass(&self) -> Result<()> {
        if self.lives() { Ok(()) } else { Err(Error::new(ErrorKind::Unreachable, "dead")) }
    }
}

struct Mortal<T: ?Sized> {
    inner: Arc<T>,
    fate: Fate,
}

#[async_trait]
impl Postbox for Mortal<dyn Postbox> {
    async fn waiting(&self) -> Result<Waiting> {
        self.inner.waiting().await
    }

    async fn read(&self, ids: &[ItemId]) -> Result<BTreeMap<ItemId, Result<(Version, Record)>>> {
        self.inner.read(ids).await
    }

    async fn take(&self, mails: &[Take]) -> Result<Vec<Result<()>>> {
        self.fate.pass()?;
        let done = self.inner.take(mails).await;
        self.fate.pass()?;
        done
    }

    async fn stages(&self, ids: &[ItemId]) -> Result<BTreeMap<ItemId, At>> {
        self.inner.stages(ids).await
    }

    async fn tell(&self, verdicts: &[(ItemId, Verdict)]) -> Result<Vec<Result<()>>> {
        self.fate.pass()?;
        let done = self.inner.tell(verdicts).await;
        self.fate.pass()?;
        done
    }
}

#[async_trait]
impl Courier for Mortal<dyn Courier> {
    async fn submit(&self, submission: &Submission) -> Outcome {
        let dead =
            |phase| Outcome::Unknown { phase, why: Error::new(ErrorKind::Unreachable, "dead") };
        if !self.fate.lives() {
            return dead(Phase::Connect);
        }
        let done = self.inner.submit(submission).await;
        if self.fate.lives() { done } else { dead(Phase::End) }
    }

    fn files_itself(&self) -> bool {
        false
    }
}

#[async_trait]
impl Hand for Fate {
    async fn write(
        &self,
        inner: &dyn Connector,
        class: Class,
        writes: Vec<Write>,
    ) -> Result<Vec<Result<Written>>> {
        self.pass()?;
        let done = inner.write(class, writes).await;
        self.pass()?;
        done
    }
}

/// One life of the program, until it dies or is done; with the power, what was not promised goes.
async fn live(stage: &Stage, desk: &mut Desk, bag: &Arc<Bag>, (fate, fault): (&Fate, Fault)) {
    let (probe, path) = (fate.clone(), desk.store.path().unwrap().to_owned());
    let disk = Disk::new(&path);
    disk.flush();
    let flushed = disk.clone();
    let store = desk.store.with_probe(Arc::new(move |stop| {
        if stop.name == AFTER_PROMISE {
            flushed.flush();
        }
        probe.lives_in(Some(stop))
    }));
    let mailbox = Around { inner: Arc::clone(&desk.mailbox), hand: fate.clone() };
    let postbox = Arc::clone(&stage.dataverse) as Arc<dyn Postbox>;
    let postbox = Mortal { inner: postbox, fate: fate.clone() };
    let courier = Mortal { inner: Arc::clone(bag) as Arc<dyn Courier>, fate: fate.clone() };
    let engine = stage.engine_of(Arc::new(mailbox), store, Arc::new(postbox), Arc::new(courier));
    let ended = try_sync(&engine).await;
    assert!(ended.is_ok() || fate.died(), "{ended:?}");
    drop(engine);
    if fate.died() && fault == Fault::PowerLoss {
        desk.store = Store::in_memory().unwrap();
        disk.restore();
        desk.store = Store::open(&path).unwrap();
    }
}

#[tokio::test]
async fn whenever_it_dies_each_mail_goes_out_once_or_is_asked_about() {
    let mut stage = Stage::start().await;
    let mut ended = Ended::default();
    for fault in [Fault::Die, Fault::PowerLoss] {
        let (mut point, mut asked) = (0, 0);
        loop {
            let fate = Fate::at(point);
            asked += dies(&mut stage, (&fate, fault), &format!("{fault:?} at point {point}")).await;
            if let Some(stop) = fate.died_in() {
                ended.note(stop.place, Point::stop(stop.name), fault);
            }
            if !fate.died() {
                break;
            }
            point += 1;
        }
        println!("{fault:?}: {point} deaths, {asked} questions");
        // At most one mail can be on its way when the program dies: before, during and after its first byte.
        assert!(point > 8 * MAILS && (MAILS..=4 * MAILS).contains(&asked), "{point} {asked}");
    }
    ended.assert_all("sending");
}

/// Ten mails, and the program dies; returns about how many of them a person was asked.
async fn dies(stage: &mut Stage, (fate, fault): (&Fate, Fault), what: &str) -> usize {
    let (mut desk, bag) = (stage.desk(), Arc::new(Bag::default()));
    let mails = stage.mails(MAILS).await;
    live(stage, &mut desk, &bag, (fate, fault)).await;
    let engine = stage.engine(&desk, Arc::clone(&bag) as Arc<dyn Courier>);
    for _ in 0..2 {
        sync(&engine).await;
    }
    let mut asked = 0;
    for mail in desk.asked() {
        asked += 1;
        let id = mail.record.as_str().strip_prefix("email/").unwrap();
        assert_eq!(stage.status(id).await, (1, 7), "{what}");
        desk.answer(&mail, bag.taken.of(mail.uid.as_str()) > 0);
    }
    let report = sync(&engine).await;
    assert!(report.error.is_none() && report.in_step(), "{what}: {report:?}");
    let mut names = Vec::new();
    for id in &mails {
        let name = stage.name(id);
        assert_eq!(bag.taken.of(&name), 1, "{what}: {id}");
        assert_eq!(stage.status(id).await, (1, 3), "{what}: {id}");
        names.push(name);
    }
    names.sort();
    assert_eq!(desk.filed(), names, "{what}");
    asked
}
