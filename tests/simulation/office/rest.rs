//! How a history ends: nobody does anything any more, and everything comes to rest.

use std::sync::Arc;
use std::time::Duration;

use liaison::model::Class;
use liaison::sync::verify::Finding;
use liaison::sync::{ClassReport, Report};

use super::{Office, ROUNDS};
use crate::simulation::history::CLASSES;
use crate::support::world::Approval;

impl Office {
    /// Nobody does anything any more, and nothing happens on the way: the installation that syncs comes to rest.
    pub(super) async fn quiet(self: &Arc<Self>) -> Result<(), String> {
        self.note(|| "all is quiet".to_owned());
        for site in &self.sites {
            site.lock().unwrap().expected.clear();
        }
        self.servers.settle();
        for number in [0, 1] {
            self.clear_desk(number).await?;
        }
        self.rest(self.holder()).await
    }

    /// What `liaison verify` finds where all is quiet, at the installation that syncs. What its store knows of versions is gone then.
    pub async fn compare(self: &Arc<Self>) -> Result<Vec<(Class, Finding)>, String> {
        let engine = self.start(self.holder())?;
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

    /// The installation that syncs.
    fn holder(&self) -> usize {
        usize::from(self.servers.holder().as_deref() == Some("place 1"))
    }

    async fn rest(self: &Arc<Self>, number: usize) -> Result<(), String> {
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

/// A round in a line.
pub(super) fn summary(number: usize, report: &Report) -> String {
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
