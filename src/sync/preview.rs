//! What a round would do now, without doing it: it looks, plans and lets the guard look, and notes what waits.

use super::{ClassReport, Engine, describe, hold};
use crate::model::Class;
use crate::plan::Step;
use crate::store;

/// What would be done, without doing it.
#[derive(Debug, Clone, Default)]
pub struct Preview {
    /// Would be carried out, each with a line for the person.
    pub go: Vec<(Step, String)>,
    /// Would wait, with the reason.
    pub held: Vec<(String, Step, String)>,
    /// Records that would be made for people whom the CRM does not know.
    pub people: Vec<String>,
    /// Those that would wait, with the reason.
    pub held_people: Option<(String, Vec<String>)>,
    pub report: ClassReport,
}

impl Engine {
    /// What a round would do now.
    ///
    /// # Errors
    /// When the store is lost.
    pub async fn preview(&self, class: Class) -> store::Result<Preview> {
        let now = self.clock.now();
        let round = self.store.write(move |tx| store::round::start(tx, "plan", now)).await?;
        let look = match self.look(class, round).await? {
            Ok(look) => look,
            Err(error) => {
                return Ok(Preview { report: ClassReport::failed(&error), ..Preview::default() });
            }
        };
        let plan = self.plan(class, &look).await?;
        let people = match self.plan_people(class, &plan).await? {
            Ok(people) => people,
            Err(error) => {
                return Ok(Preview { report: ClassReport::failed(&error), ..Preview::default() });
            }
        };
        hold::record(self, class, round, &look, &plan, &people).await?;
        let mut report = ClassReport::looked(&look, &plan);
        report.count_links(self, class).await?;
        report.count_waiting(self, class).await?;
        let line = |step: Step| {
            let line = describe::step(&step, &look.world);
            (step, line)
        };
        let go = plan.guarded.go.into_iter().filter(Step::writes).map(line).collect();
        let held = plan
            .guarded
            .held
            .into_iter()
            .map(|(stop, step)| {
                let (step, line) = line(step);
                (stop.to_string(), step, line)
            })
            .collect();
        let (json, now) = (report.to_json(), self.clock.now());
        self.store.write(move |tx| store::round::finish(tx, round, &json, now)).await?;
        Ok(Preview { go, held, people: people.lines(), held_people: people.held_lines(), report })
    }
}
