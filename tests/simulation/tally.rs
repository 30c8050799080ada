//! How often which fault happened at which point.

use std::collections::BTreeMap;
use std::fmt;

use super::{away, history};
use crate::support::faults::{Fault, Point};

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Tally(BTreeMap<Point, BTreeMap<Fault, u64>>);

impl Tally {
    pub fn hit(&mut self, point: Point, fault: Fault) {
        *self.0.entry(point).or_default().entry(fault).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (point, faults) in &other.0 {
            for (fault, count) in faults {
                *self.0.entry(*point).or_default().entry(*fault).or_default() += count;
            }
        }
    }

    pub fn sum(&self) -> u64 {
        self.0.values().flat_map(BTreeMap::values).sum()
    }

    pub fn of(&self, point: Point, fault: Fault) -> u64 {
        let faults = self.0.get(&point);
        faults.and_then(|faults| faults.get(&fault)).copied().unwrap_or_default()
    }

    /// What happened less often than it should, as sentences.
    pub fn below(&self, least: u64) -> Vec<String> {
        let mut cells = Vec::new();
        for point in points() {
            for fault in point.faults() {
                let hits = self.of(point, *fault);
                if hits < least {
                    cells.push(format!("{fault:?} at `{point}` only {hits} times"));
                }
            }
        }
        cells
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for point in points() {
            let cell = |fault: &Fault| format!("{fault:?} {}", self.of(point, *fault));
            let cells: Vec<String> = point.faults().iter().map(cell).collect();
            writeln!(f, "  {:<24} {}", point.to_string(), cells.join(", "))?;
        }
        Ok(())
    }
}

fn points() -> impl Iterator<Item = Point> {
    history::points().into_iter().chain(away::points()).chain(away::mail_points())
}
