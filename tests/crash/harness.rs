//! Lets every fault happen at every point of a story, and expects the end that the story has without it.
//!
//! * The process dies at any look, before or after any remote write or commit, and is started again: the same end.
//! * The same, and what was written since the last promise is lost with the power: the same end.
//! * A reply is lost, a request arrives twice, a listing is cut, old or empty, a pause is asked for: the same end.
//! * An old store is put back: everything is replayed, the same end.
//! * The whole state directory is lost, at the end or at any point: the same pairs, nothing twice, nothing deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use liaison::model::{ItemId, Side};

use super::places::Ended;
use crate::scenario::run;
use crate::scenario::tell::Story;
use crate::support::fake::Ends;
use crate::support::faults::{Fault, Faults, Point};
use crate::support::world::{Approval, Snapshot, World};

/// How a stage ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub rows: Vec<String>,
    pub waits: String,
    pub pairs: BTreeSet<(ItemId, ItemId)>,
    pub values: BTreeSet<(String, String)>,
}

/// What came of a story.
#[derive(Debug, Default)]
pub struct Told {
    pub problems: Vec<String>,
    /// How often something happened at points of each kind, and to whom it happened at those of the store.
    hits: BTreeMap<Point, BTreeMap<Fault, usize>>,
    ended: Ended,
    points: usize,
    runs: usize,
}

/// What came of all stories.
#[derive(Debug, Default)]
pub struct Tally {
    pub failures: Vec<String>,
    hits: BTreeMap<Point, BTreeMap<Fault, usize>>,
    pub ended: Ended,
    points: usize,
    runs: usize,
}

impl Tally {
    pub fn add(&mut self, story: &str, told: Told) {
        self.runs += told.runs;
        self.points += told.points;
        self.ended.add(told.ended);
        for (point, faults) in told.hits {
            let hits = self.hits.entry(point).or_default();
            for (fault, count) in faults {
                *hits.entry(fault).or_default() += count;
            }
        }
        let more = told.problems.len().saturating_sub(3);
        self.failures.extend(told.problems.iter().take(3).map(|what| format!("{story}: {what}")));
        if more > 0 {
            self.failures.push(format!("{story}: and {more} more"));
        }
    }

    /// How many points there were, and what happened at them.
    pub fn sums(&self) -> [(&'static str, usize); 4] {
        let count = |fault| -> usize { self.hits.values().filter_map(|it| it.get(&fault)).sum() };
        let (died, lost) = (count(Fault::Die), count(Fault::PowerLoss));
        let all: usize = self.hits.values().flat_map(BTreeMap::values).sum();
        [
            ("points", self.points),
            ("crashes", died),
            ("power-losses", lost),
            ("other-faults", all - died - lost),
        ]
    }

    /// A point that nothing ever happened at is a point that nobody knows about.
    pub fn assert_every_point_was_hit(&self) {
        let writes = ["create", "update", "delete"];
        let sides = [Side::Mailbox, Side::Crm];
        let mut points =
            vec![Point::BeforeCommit, Point::AfterCommit, Point::AfterPromise, Point::Ask];
        for side in sides {
            points.extend([Point::Batch(side), Point::List(side), Point::Read(side)]);
            for write in writes {
                points.extend([Point::BeforeWrite(side, write), Point::AfterWrite(side, write)]);
            }
        }
        for point in points {
            for fault in faults(point) {
                let hits = self.hits.get(&point).and_then(|faults| faults.get(&fault));
                assert!(hits.is_some_and(|hits| *hits > 0), "no {fault:?} at `{point}`");
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sums = self.sums().map(|(what, sum)| format!("{sum} {what}"));
        writeln!(f, "{}, {} runs", sums.join(", "), self.runs)?;
        for (point, faults) in &self.hits {
            let faults: Vec<String> =
                faults.iter().map(|(fault, count)| format!("{fault:?} {count}")).collect();
            writeln!(f, "  {:<24} {}", point.to_string(), faults.join(", "))?;
        }
        Ok(())
    }
}

/// What can happen at a point of a story: the program can also end while it looks.
fn faults(point: Point) -> impl Iterator<Item = Fault> {
    let looks = matches!(point, Point::List(_) | Point::Read(_) | Point::Ask);
    let ends = [Fault::Die, Fault::PowerLoss].into_iter().filter(move |_| looks);
    ends.chain(point.faults().iter().copied())
}

/// A stage of a story under siege.
#[derive(Debug)]
pub struct Siege<'a> {
    pub story: &'a Story,
    pub stage: &'a str,
    pub before: &'a Snapshot,
    /// How it ends without a fault, and what is there then.
    pub end: &'a End,
    pub after: &'a Snapshot,
}

impl Siege<'_> {
    /// All that can happen, one after the other, at each point of the run without a fault.
    pub async fn lay(&self, run: &Faults, told: &mut Told) {
        let (points, places) = (run.points(), run.places());
        told.points += points.len();
        for (number, point) in points.iter().enumerate() {
            for fault in faults(*point) {
                if let Some(place) = places.get(&number) {
                    told.ended.note(place, *point, fault);
                }
                *told.hits.entry(*point).or_default().entry(fault).or_default() += 1;
                let what = format!("{fault:?} at point {number} ({point})");
                let result = self.fault(number, fault).await;
                self.note(told, &what, result);
                if fault == Fault::Die {
                    let result = self.die_and_forget(number).await;
                    self.note(told, &format!("{what}, and the state directory is lost"), result);
                }
            }
        }
        let result = self.replay().await;
        self.note(told, "an old store is put back", result);
        let result = self.forget().await;
        self.note(told, "the state directory is lost at the end", result);
    }

    fn note(&self, told: &mut Told, what: &str, result: Result<(), String>) {
        told.runs += 1;
        if let Err(problem) = result {
            told.problems.push(format!("{}: {what}: {problem}", self.stage));
        }
    }

    fn resume(&self, from: &Snapshot, faults: Faults) -> World {
        World::resume(self.story.class, &self.story.settings, from, faults)
    }

    async fn fault(&self, number: usize, fault: Fault) -> Result<(), String> {
        let mut world = self.resume(self.before, Faults::at(number, fault));
        let report = world.settle(self.story.approval).await?;
        let end = run::end(&mut world, &report).await?;
        if fault == Fault::Empty {
            self.harmless(&world)?;
        } else {
            same(self.end, &end)?;
        }
        let lost: Vec<_> = self.end.values.difference(&end.values).collect();
        if lost.is_empty() { Ok(()) } else { Err(format!("values are lost: {lost:?}")) }
    }

    /// An empty answer that says it is everything cannot be seen through at once. It may cost a question to a person, and
    /// nothing else: nothing is deleted that would not have been, nothing is there twice.
    fn harmless(&self, world: &World) -> Result<(), String> {
        self.deletes_no_more(world)?;
        let ends = world.ends.lock().unwrap();
        let count = |ends: &Ends| (ends.mailbox.len(), ends.crm.rows.len());
        let (items, records) = count(&ends);
        let (most_items, most_records) = count(&self.after.ends);
        let held = most_items + most_records;
        if items + records > held.max(count(&self.before.ends).0 + count(&self.before.ends).1) {
            return Err("there are more things than there should be".to_owned());
        }
        Ok(())
    }

    /// Nothing was deleted but what is without a fault.
    fn deletes_no_more(&self, world: &World) -> Result<(), String> {
        let ends = world.ends.lock().unwrap();
        let wrongly = ends.deleted.iter().find(|gone| !self.after.ends.deleted.contains(gone));
        wrongly.map_or(Ok(()), |(side, id)| Err(format!("{id} was deleted in the {side}")))
    }

    async fn replay(&self) -> Result<(), String> {
        let mut world = self.resume(&self.after.with_store_of(self.before), Faults::none());
        let report = world.settle(self.story.approval).await?;
        let end = run::end(&mut world, &report).await?;
        same(self.end, &end)
    }

    async fn die_and_forget(&self, number: usize) -> Result<(), String> {
        let mut world = self.resume(self.before, Faults::at(number, Fault::Die));
        while world.sync().await?.is_some() {
            if world.faults.are_over() {
                return Err("it did not die".to_owned());
            }
            world.approve(self.story.approval);
        }
        world.forget();
        self.remember(world, false).await
    }

    async fn forget(&self) -> Result<(), String> {
        let world = self.resume(&self.after.without_store(), Faults::none());
        self.remember(world, self.end.waits.is_empty() && !self.story.forgetful).await
    }

    /// A new store learns the same pairs, makes nothing twice, deletes nothing and loses no value.
    async fn remember(&self, mut world: World, whole: bool) -> Result<(), String> {
        let titles = [Side::Mailbox, Side::Crm].map(|side| world.titles(side));
        let values = world.values();
        let report = world.settle(Approval::First).await?;
        let end = run::end(&mut world, &report).await?;
        self.deletes_no_more(&world)?;
        for (side, before) in [Side::Mailbox, Side::Crm].into_iter().zip(titles) {
            for (title, count) in world.titles(side) {
                if count > before.get(&title).copied().unwrap_or_default().max(1) {
                    return Err(format!("“{title}” is {count} times in the {side}"));
                }
            }
        }
        let lost: Vec<_> = values.difference(&end.values).collect();
        if !lost.is_empty() && !self.story.forgetful {
            return Err(format!("values are lost: {lost:?}"));
        }
        let pairs: Vec<_> = self.end.pairs.difference(&end.pairs).collect();
        if !pairs.is_empty() && !self.story.forgetful {
            return Err(format!("pairs are lost: {pairs:?}\n    {}", end.rows.join("\n    ")));
        }
        let is_pair = |row: &&String| row.ends_with("linked");
        let linked =
            |rows: &[String]| -> Vec<String> { rows.iter().filter(is_pair).cloned().collect() };
        if whole && linked(&end.rows).len() < linked(&self.end.rows).len() {
            return Err(format!("it ended with\n    {}", end.rows.join("\n    ")));
        }
        Ok(())
    }
}

fn same(expected: &End, end: &End) -> Result<(), String> {
    if (&expected.rows, &expected.waits) == (&end.rows, &end.waits) {
        return Ok(());
    }
    Err(format!("it ended with\n    {}\n    waits {}", end.rows.join("\n    "), end.waits))
}
