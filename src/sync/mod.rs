//! One round: observe both sides, plan, let the guard look, carry out, read back, commit.
//!
//! Nothing planned is stored. After a crash at any point the next round looks again and plans again; what was written
//! already is recognised by its name. A connector's failure is part of the report; only losing the store is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;
use tracing::Instrument;
use uuid::Uuid;

use crate::clock::Clock;
use crate::connector::Connector;
use crate::filter::people::Create;
use crate::filter::{content, email, track};
use crate::mapping::{Context, Lengths};
use crate::model::{Address, Class, FileRules, Selected, Side};
use crate::plan::guard::Limits;
use crate::plan::{Rules, Step};
use crate::store::round::RoundId;
use crate::store::{self, Store};
pub use crate::sync::may::May;

pub mod aside;
pub mod contest;
pub mod describe;
pub mod execute;
pub mod fence;
pub mod hold;
pub mod may;
mod note;
pub mod observe;
pub mod part;
pub mod people;
pub mod prepare;
pub mod preview;
pub mod record;
pub mod recover;
mod regard;
pub mod report;
pub mod send;
pub mod settled;
mod sieve;
pub mod sift;
pub mod stock;
pub mod stop;
mod tag;
pub mod undo;
pub mod verify;
pub mod world;

pub use preview::Preview;
pub use report::{ClassReport, Report};

/// How often one sync looks again because the last look led to writes. What is left after that waits for the next sync.
const PASSES: usize = 4;

/// Keeps the classes of one mailbox and one organisation in step.
#[derive(Clone)]
pub struct Engine {
    pub mailbox: BTreeMap<Class, Arc<dyn Connector>>,
    pub crm: Arc<dyn Connector>,
    pub store: Store,
    pub clock: Clock,
    pub settings: Settings,
    /// Keeps it from writing while another installation syncs; `None` where it is the only one for certain.
    pub fence: Option<Arc<fence::Fence>>,
    /// Ends its rounds early.
    pub stop: stop::Stop,
    /// Where this installation sends what the CRM wants sent.
    pub sending: Option<send::Sending>,
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

/// What the engine must know of the world and the user's wishes.
#[derive(Debug, Clone)]
pub struct Settings {
    pub organisation: Uuid,
    /// The address of the mailbox.
    pub mailbox: Address,
    /// All of the user's addresses.
    pub me: BTreeSet<Address>,
    pub zone: TimeZone,
    pub lengths: Lengths,
    pub limits: Limits,
    pub filing: Filing,
    pub classes: BTreeMap<Class, ClassSettings>,
}

/// How messages are filed.
#[derive(Debug, Clone, Default)]
pub struct Filing {
    /// How much of them.
    pub content: content::Policy,
    /// Which of their files the organisation takes.
    pub files: FileRules,
    /// What is made for people whom the CRM does not know.
    pub create_people: Create,
}

/// How one class is kept in step.
#[derive(Debug, Clone, Default)]
pub struct ClassSettings {
    pub rules: Rules,
    /// Of contacts, tasks and appointments.
    pub tracking: track::Policy,
    /// Of messages.
    pub email: email::Policy,
    /// Changes when the sync filters do.
    pub filter: String,
    /// What the user may do with the records.
    pub may: May,
}

/// How far a round has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Listing { class: Class },
    Reading { class: Class, side: Side, done: usize, of: usize },
    Writing { class: Class, done: usize, of: usize },
    Done { class: Class },
}

impl Progress {
    /// Of which class.
    pub fn class(self) -> Class {
        match self {
            Self::Listing { class }
            | Self::Reading { class, .. }
            | Self::Writing { class, .. }
            | Self::Done { class } => class,
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("classes", &self.settings.classes.keys())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Brings these classes in step, one after the other; a class that fails does not stop the others.
    ///
    /// # Errors
    /// When the store is lost.
    pub async fn sync(&self, classes: &[Class], trigger: &str) -> store::Result<Report> {
        let _going = self.stop.go();
        let (now, name) = (self.clock.now(), trigger.to_owned());
        let round = self.store.write(move |tx| store::round::start(tx, &name, now)).await?;
        let span = tracing::info_span!("round", id = round.0);
        self.round(classes, round, trigger).instrument(span).await
    }

    async fn round(
        &self,
        classes: &[Class],
        round: RoundId,
        trigger: &str,
    ) -> store::Result<Report> {
        let started = self.clock.monotonic();
        tracing::debug!(trigger, "begins");
        let mut report = Report { round: Some(round), ..Report::default() };
        if let Some(fence) = &self.fence {
            fence.begin().await?;
        }
        for class in classes {
            let span = tracing::info_span!("class", class = class.as_str());
            let class_report = self.sync_or_stand_by(*class, round).instrument(span).await?;
            (self.progress)(Progress::Done { class: *class });
            report.classes.insert(*class, class_report);
        }
        if let Some(fence) = &self.fence {
            fence.end(report.wrote()).await?;
        }
        report.seconds = (self.clock.monotonic().saturating_sub(started)).as_secs_f64();
        let (json, now) = (report.to_json(), self.clock.now());
        self.store.write(move |tx| store::round::finish(tx, round, &json, now)).await?;
        tracing::info!(
            trigger,
            operations = report.operations(),
            seconds = report.seconds,
            "ended"
        );
        Ok(report)
    }

    async fn sync_or_stand_by(&self, class: Class, round: RoundId) -> store::Result<ClassReport> {
        let report = if let Some(standby) = self.standby() {
            self.stand_by(class, round, standby).await?
        } else {
            tokio::select! {
                biased;
                report = self.sync_class(class, round) => report?,
                () = self.stop.idle() => {
                    ClassReport { error: self.stopping(), ..ClassReport::default() }
                }
            }
        };
        report.trace();
        Ok(report)
    }

    async fn sync_class(&self, class: Class, round: RoundId) -> store::Result<ClassReport> {
        let requests = self.crm.requests();
        let mut total = ClassReport::default();
        for pass in 0..PASSES {
            let Some(report) = self.pass(class, round, pass).await? else {
                total.add(self.quiet(class).await?);
                total.quiet = pass == 0;
                break;
            };
            let again = report.operations > 0 && report.error.is_none();
            if !again {
                self.settle(class, &report).await?;
            }
            total.add(report);
            if !again {
                break;
            }
            total.unsettled = pass + 1 == PASSES;
        }
        if class == Class::Email && self.class(class).may.write && !self.stop.is_ordered() {
            let _hand = self.stop.write();
            self.send(&mut total).await?;
        }
        total.requests = self.crm.requests().saturating_sub(requests);
        Ok(total)
    }

    /// A round of an installation that does not sync: it looks, decides what takes part, and notes what became one on both sides
    /// without its doing, so that it knows where things are should it be called for. It writes to neither side.
    async fn stand_by(
        &self,
        class: Class,
        round: RoundId,
        standby: report::Failure,
    ) -> store::Result<ClassReport> {
        let requests = self.crm.requests();
        let mut report = match self.look_if_needed(class, round).await? {
            Ok(Some(look)) => self.note_only(class, round, &look).await?,
            Ok(None) => self.quiet(class).await?,
            Err(error) => ClassReport::failed(&error),
        };
        report.requests = self.crm.requests().saturating_sub(requests);
        report.error.get_or_insert(standby);
        Ok(report)
    }

    async fn note_only(
        &self,
        class: Class,
        round: RoundId,
        look: &world::Look,
    ) -> store::Result<ClassReport> {
        let plan = self.plan(class, look).await?;
        let people = people::Plan::default();
        hold::record(self, class, round, look, &plan, &people).await?;
        let mut report = ClassReport::looked(look, &plan);
        let (writing, local): (Vec<Step>, Vec<Step>) =
            plan.guarded.go.into_iter().partition(Step::writes);
        execute::note(self, (class, round), &look.world, &local, &mut report).await?;
        if writing.is_empty() && plan.withheld == 0 {
            self.settle(class, &report).await?;
        }
        report.count_waiting(self, class).await?;
        Ok(report)
    }

    /// One look at both sides and what follows from it. `None`: nothing happened, and nothing was left to do.
    async fn pass(
        &self,
        class: Class,
        round: RoundId,
        pass: usize,
    ) -> store::Result<Option<ClassReport>> {
        let look = match self.look_if_needed(class, round).await? {
            Ok(Some(look)) => look,
            Ok(None) => return Ok(None),
            Err(error) => return Ok(Some(ClassReport::failed(&error))),
        };
        let plan = self.plan(class, &look).await?;
        let people = match self.plan_people(class, &plan).await? {
            Ok(people) => people,
            Err(error) => return Ok(Some(ClassReport::failed(&error))),
        };
        let _hand = self.stop.write();
        hold::record(self, class, round, &look, &plan, &people).await?;
        let whole = plan.whole;
        let mut report = ClassReport::looked(&look, &plan);
        execute::run(self, class, round, &look, (plan, people), &mut report).await?;
        if class == Class::Email && report.error.is_none() {
            self.tag(round, &look.to_tag, &look.to_untag).await?;
            if self.class(class).may.write {
                self.regard(round).await?;
            }
        }
        // What the changed filter stops waits by name only once it was seen whole.
        if pass == 0 && whole && !look.filters_are_known {
            self.remember_filter(class, &look.selected).await?;
        }
        report.count_links(self, class).await?;
        report.count_waiting(self, class).await?;
        Ok(Some(report))
    }

    async fn remember_filter(&self, class: Class, selected: &[Selected]) -> store::Result<()> {
        let (key, filter) = (world::filter_key(class), self.class(class).filter);
        let found = serde_json::json!(stock::found(selected)).to_string();
        self.store
            .write(move |tx| {
                store::meta::set(tx, &key, &filter)?;
                store::meta::set(tx, &world::found_key(class), &found)
            })
            .await
    }

    fn class(&self, class: Class) -> ClassSettings {
        self.settings.classes.get(&class).cloned().unwrap_or_default()
    }

    /// What readers and writers of items must know.
    fn context(&self) -> Context {
        Context {
            organisation: self.settings.organisation,
            zone: self.settings.zone.clone(),
            me: self.settings.me.clone(),
            lengths: self.settings.lengths.clone(),
            people: BTreeMap::new(),
            filing: BTreeMap::new(),
        }
    }
}
