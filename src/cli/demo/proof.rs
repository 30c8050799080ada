//! What the demo proves about itself: all four classes moved, a quiet world plans nothing, nothing is there twice.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::cli::conflicts::Told;
use crate::cli::open::Opened;
use crate::cli::output::short;
use crate::model::{Class, Side};
use crate::store::{observation, quarantine};
use crate::sync::{ClassReport, Preview, Report};

/// What is there, counted so that a second copy of anything shows.
#[derive(Debug, Clone, Default)]
pub struct Census {
    /// How many files there are of each global name.
    items: BTreeMap<(Class, String), usize>,
    /// How many records say exactly the same.
    records: BTreeMap<(Class, String), usize>,
}

impl Census {
    /// Lists and reads both sides through the connectors.
    ///
    /// # Errors
    /// When a side cannot be listed or the store is lost.
    pub async fn take(opened: &Opened) -> anyhow::Result<Self> {
        let mut census = Self::default();
        for class in opened.classes.iter().copied() {
            let (items, records) = opened
                .engine
                .store
                .read(move |db| {
                    let ids = observation::versions(db, Side::Crm, class)?.into_keys();
                    let ids: Vec<_> = ids.collect();
                    Ok((
                        observation::heads(db, Side::Mailbox, class)?,
                        observation::contents(db, Side::Crm, class, &ids)?,
                    ))
                })
                .await?;
            if let Some(mailbox) = opened.engine.mailbox.get(&class) {
                for id in mailbox.list(class).await?.entries.keys() {
                    let uid = items.get(id).and_then(|head| head.uid.as_ref());
                    let Some(uid) = uid else { continue };
                    *census.items.entry((class, uid.to_string())).or_default() += 1;
                }
            }
            for content in records.values() {
                let said: Vec<String> = content
                    .fields
                    .iter()
                    .map(|(field, value)| format!("{field}\u{1f}{value}"))
                    .collect();
                *census.records.entry((class, said.join("\u{1e}"))).or_default() += 1;
            }
        }
        Ok(census)
    }

    /// How many things are there more often than they were, of those that are there at least twice.
    pub fn surplus_over(&self, before: &Self) -> usize {
        let surplus = |now: &BTreeMap<(Class, String), usize>,
                       before: &BTreeMap<(Class, String), usize>| {
            now.iter()
                .map(|(key, count)| {
                    count.saturating_sub(before.get(key).copied().unwrap_or(1).max(1))
                })
                .sum::<usize>()
        };
        surplus(&self.items, &before.items) + surplus(&self.records, &before.records)
    }
}

/// The figures of a demo.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    classes: BTreeMap<Class, ClassFigures>,
    /// Remote writes of the last round.
    pub last_operations: usize,
    pub duplicates: usize,
    pub requests: u64,
    pub seconds: f64,
}

#[derive(Debug, Clone, Default)]
struct ClassFigures {
    created: BTreeMap<Side, usize>,
    updated: BTreeMap<Side, usize>,
    deleted: BTreeMap<Side, usize>,
    adopted: usize,
    /// What the plan held for a person's word.
    held: usize,
    /// All that were ever contested.
    conflicts: usize,
    requests: u64,
    /// As the last round left it.
    last: ClassReport,
}

impl Figures {
    pub fn planned(&mut self, previews: &BTreeMap<Class, Preview>) {
        for (class, preview) in previews {
            self.classes.entry(*class).or_default().held += preview.held.len();
        }
    }

    pub fn synced(&mut self, report: &Report) {
        for (class, report) in &report.classes {
            let figures = self.classes.entry(*class).or_default();
            for (sum, add) in [
                (&mut figures.created, &report.created),
                (&mut figures.updated, &report.updated),
                (&mut figures.deleted, &report.deleted),
            ] {
                for (side, count) in add {
                    *sum.entry(*side).or_default() += count;
                }
            }
            figures.adopted += report.adopted;
            figures.requests += report.requests;
        }
    }

    pub fn contested(&mut self, told: &[Told]) {
        for told in told {
            if let Some((class, _)) = &told.about {
                self.classes.entry(*class).or_default().conflicts += 1;
            }
        }
    }

    pub fn ended(&mut self, report: &Report) {
        for (class, report) in &report.classes {
            self.classes.entry(*class).or_default().last = report.clone();
        }
    }

    /// What did not go as it should; nothing when all is well.
    pub fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        for class in Class::ALL {
            let Some(figures) = self.classes.get(&class) else {
                troubles.push(format!("{class}s did not take part"));
                continue;
            };
            if let Some(error) = &figures.last.error {
                troubles.push(format!("{class}s failed: {}", error.message));
            } else if figures.last.linked == 0 {
                troubles.push(format!("no {class} moved"));
            }
        }
        if self.last_operations > 0 {
            troubles.push(format!("the last round still had {} operations", self.last_operations));
        }
        if self.duplicates > 0 {
            troubles.push(format!("{} things are there twice", self.duplicates));
        }
        troubles
    }

    /// Where it took place, and what came of it.
    pub fn to_json(&self, dir: &Path, url: &str) -> Json {
        let sides = |counts: &BTreeMap<Side, usize>| {
            let of = |side| counts.get(&side).copied().unwrap_or_default();
            json!({ "mailbox": of(Side::Mailbox), "crm": of(Side::Crm) })
        };
        let classes: serde_json::Map<String, Json> = self
            .classes
            .iter()
            .map(|(class, figures)| {
                let json = json!({
                    "created": sides(&figures.created),
                    "updated": sides(&figures.updated),
                    "deleted": sides(&figures.deleted),
                    "adopted": figures.adopted,
                    "held": figures.held,
                    "conflicts": figures.conflicts,
                    "quarantined": figures.last.quarantined,
                    "linked": figures.last.linked,
                    "requests": figures.requests,
                });
                (class.to_string(), json)
            })
            .collect();
        json!({
            "dir": dir,
            "url": url,
            "classes": classes,
            "last_round_operations": self.last_operations,
            "duplicates": self.duplicates,
            "requests": self.requests,
            "seconds": self.seconds,
            "troubles": self.troubles(),
        })
    }
}

/// How many reasons are shown.
const REASONS: usize = 6;

/// Some of the things that were set aside, each with its reason.
///
/// # Errors
/// When the store is lost.
pub async fn reasons(opened: &Opened) -> anyhow::Result<Vec<String>> {
    let classes = opened.classes.clone();
    let aside = opened
        .engine
        .store
        .read(move |db| {
            let mut found = Vec::new();
            for class in classes {
                for side in [Side::Mailbox, Side::Crm] {
                    found.extend(quarantine::all(db, side, class)?);
                }
            }
            Ok(found)
        })
        .await?;
    let mut lines: Vec<String> = aside
        .iter()
        .take(REASONS)
        .map(|aside| short(&format!("{}: {}", aside.id, aside.reason), 74))
        .collect();
    if aside.len() > REASONS {
        lines.push(format!("… and {} more", aside.len() - REASONS));
    }
    Ok(lines)
}
